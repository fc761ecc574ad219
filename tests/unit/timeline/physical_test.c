/* Watched physical memory on guests with page tables and several harts: each store, and each
 * accessed or dirty bit that is set, stops once in both directions. */
#include "tests/unit/timeline/lore.h"

#include "base/check.h"
#include "timeline/points.h"

#include <criterion/criterion.h>
#include <stdlib.h>

struct write {
    uint64_t step, pa;
    unsigned size;
    bool behind; /* not by a hart's store */
};

struct writes {
    struct write *list;
    size_t count, capacity;
};

static void note_write(struct writes *w, struct write write)
{
    if (w->count == w->capacity) {
        w->capacity = 2 * w->capacity + 1024;
        w->list = mem_grow(w->list, w->capacity, sizeof *w->list);
    }
    w->list[w->count++] = write;
}

static void note_stores(struct writes *w, const struct machine *m, const struct trace *t,
                        uint64_t n)
{
    const struct step *s = &t->step[n];
    for (size_t i = s->first_access; i < s[1].first_access; i++) {
        const struct access *a = &t->access[i];
        struct seen_access seen;
        lore_locate(m, s, a, &seen);
        if (!(a->kinds & HIT_WRITE) || !seen.ram)
            continue;
        unsigned room = RAM_PAGE_SIZE - (a->address & (RAM_PAGE_SIZE - 1));
        unsigned first = a->size < room ? a->size : room;
        note_write(w, (struct write){n, seen.pa[0], first, false});
        if (first < a->size)
            note_write(w, (struct write){n, seen.pa[1], a->size - first, false});
    }
}

/* Bytes that are others than before and were not stored: accessed and dirty bits. A walk writes all
 * of the entry. */
static void note_changes(struct writes *w, size_t stores, const struct machine *m, uint8_t *before,
                         uint64_t n)
{
    const uint8_t *now = ram_at(&m->ram, GUEST_BASE);
    if (!memcmp(before, now, GUEST_BYTES))
        return;
    size_t end = w->count;
    for (uint64_t i = 0; i < GUEST_BYTES; i++) {
        bool stored = before[i] == now[i];
        for (size_t k = stores; !stored && k < end; k++)
            stored = GUEST_BASE + i - w->list[k].pa < w->list[k].size;
        if (!stored)
            note_write(w, (struct write){n, (GUEST_BASE + i) & ~UINT64_C(7), 8, true});
    }
    memcpy(before, now, GUEST_BYTES);
}

static void writes_record(struct writes *w, const struct trace *t)
{
    struct riscv_virt *board = guest_new(t->guest);
    struct machine *m = riscv_virt_machine(board);
    uint8_t *before = mem_new(1, GUEST_BYTES);
    *w = (struct writes){0};
    m->door = (struct door){&lore_door, m};
    memcpy(before, ram_at(&m->ram, GUEST_BASE), GUEST_BYTES);
    for (uint64_t n = 0; n < t->steps; n++) {
        size_t stores = w->count;
        note_stores(w, m, t, n);
        lore_step(m, n);
        note_changes(w, stores, m, before, n);
    }
    free(before);
    riscv_virt_free(board);
}

static bool written(const struct writes *w, size_t *next, uint64_t n, bool behind,
                    const struct timeline_point *p)
{
    bool found = false;
    for (size_t i = *next; i < w->count && w->list[i].step == n; i++) {
        const struct write *x = &w->list[i];
        found |=
            x->behind == behind && x->pa < p->address + p->size && p->address < x->pa + x->size;
    }
    return found;
}

/* All stops of going on and on, forward or back. */
static size_t expected_stops(const struct writes *w, const struct trace *t,
                             const struct timeline_point *p, bool back, uint64_t *stop)
{
    size_t count = 0, next = 0;
    for (uint64_t n = 0; n < t->steps; n++) {
        bool store = written(w, &next, n, false, p), behind = written(w, &next, n, true, p);
        while (next < w->count && w->list[next].step == n)
            next++;
        if (store)
            stop[count++] = back ? n + 1 : n;
        if (behind)
            stop[count++] = n + 1;
    }
    for (size_t i = 0; back && i < count / 2; i++) {
        uint64_t other = stop[i];
        stop[i] = stop[count - 1 - i];
        stop[count - 1 - i] = other;
    }
    return count;
}

static void check_stops(struct bench *b, const struct writes *w, const struct trace *t,
                        const struct timeline_point *p, bool back, uint64_t seed)
{
    uint64_t *want = mem_new(2 * t->steps + 1, sizeof *want);
    size_t count = expected_stops(w, t, p, back, want), seen = 0;
    struct stop stop;
    for (;;) {
        if (back)
            timeline_reverse_continue(b->tl);
        else
            timeline_continue(b->tl);
        timeline_finish(b->tl, &stop);
        if (stop.reason != STOP_WATCH)
            break;
        cr_assert_lt(seen, count, "seed %lu: a stop too many at %lu, %s", seed, stop.position,
                     back ? "back" : "forward");
        cr_assert_eq(stop.position, want[seen], "seed %lu: %s at %lu, not %lu", seed,
                     back ? "back" : "forward", stop.position, want[seen]);
        cr_assert_eq(stop.owners, 1u << OWNER_COMMANDS);
        cr_assert_eq(stop.kinds, HIT_WRITE | HIT_PHYSICAL);
        cr_assert(stop.writer == WRITTEN_BY_HART || stop.writer == WRITTEN_BY_TABLES);
        cr_assert_lt(stop.address - p->address, p->size);
        bench_check(b, t, seed, "at a write");
        seen++;
    }
    cr_assert_eq(seen, count, "seed %lu: %zu stops %s, %zu are right, then reason %d at %lu", seed,
                 seen, back ? "back" : "forward", count, stop.reason, stop.position);
    free(want);
}

static void physical_sequence(const struct writes *w, const struct trace *t, uint64_t seed)
{
    static const uint64_t sizes[] = {1, 2, 4, 8, 13, 64};
    struct random random = {seed};
    struct timeline_options o = {.warp = true, .spacing_steps = 100 + random_below(&random, 5000)};
    struct bench b;
    bench_init(&b, t->guest, &o);
    const struct write *some = &w->list[random_below(&random, w->count)];
    for (unsigned i = 0; i < 50 && !some->behind && seed % 2; i++)
        some = &w->list[random_below(&random, w->count)];
    struct timeline_point p = {.owner = OWNER_COMMANDS,
                               .kinds = HIT_WRITE | HIT_PHYSICAL,
                               .size = sizes[random_below(&random, 6)]};
    p.address = some->pa - random_below(&random, p.size);
    timeline_point_set(b.tl, &p);
    check_stops(&b, w, t, &p, false, seed); /* live */
    check_stops(&b, w, t, &p, true, seed);
    bench_seek(&b, 0);
    check_stops(&b, w, t, &p, false, seed);
    bench_seek(&b, t->steps);
    check_stops(&b, w, t, &p, true, seed);
    bench_fini(&b);
}

static void physical_sequences(const struct guest *g, bool tables)
{
    struct trace t;
    struct writes w;
    size_t behind = 0;
    trace_record(&t, g, NULL, 0, 60000);
    writes_record(&w, &t);
    for (size_t i = 0; i < w.count; i++)
        behind += w.list[i].behind;
    cr_assert_eq(behind > 0, tables);
    for (uint64_t seed = 1; seed <= bench_cases(30); seed++)
        physical_sequence(&w, &t, seed);
    free(w.list);
    trace_free(&t);
}

Test(physical, with_page_tables)
{
    physical_sequences(&(struct guest){.name = "storm", .rounds = 3, .period = 12}, true);
}

Test(physical, with_three_harts)
{
    physical_sequences(
        &(struct guest){
            .name = "harts", .rounds = 30, .period = 30, .option = 3, .harts = 3, .quantum = 37},
        false);
}
