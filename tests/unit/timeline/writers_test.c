/* Physical memory that is written by harts, devices, debuggers and resets: each write stops, once,
 * in both directions; every byte that becomes another has a stop. On a machine that does all of it
 * in quick succession, in steps and in idle time. */
#include "tests/unit/timeline/bench.h"

#define TOY_PAGES 8
#include "tests/unit/toy_machine.h"
#include "timeline/points.h"

#include <criterion/criterion.h>
#include <stdlib.h>

enum { LENGTH = 1500, WINDOW = 700, STOPS = 4 * LENGTH };

static uint64_t no_clock(void *ctx)
{
    (void)ctx;
    return 1000;
}

static void sevens(void *ctx, uint8_t *bytes, size_t size)
{
    (void)ctx;
    memset(bytes, 7, size);
}

struct place {
    uint64_t position; /* behind the write */
    enum hit_writer writer;
};

struct rig {
    struct toy toy;
    struct timeline *tl;
    struct timeline_point point;
    uint64_t seed;
};

static void rig_init(struct rig *r, uint64_t seed, uint64_t spacing)
{
    const struct timeline_options options = {
        .spacing_steps = spacing, .warp = true, .host = {.clock = no_clock, .entropy = sevens}};
    toy_init(&r->toy, seed);
    r->toy.dma = true;
    r->toy.asks = seed & 1;
    r->tl = timeline_new(&r->toy.machine, &options);
    r->seed = seed;
    r->point = (struct timeline_point){.owner = OWNER_CONTROL,
                                       .kinds = HIT_WRITE | HIT_PHYSICAL,
                                       .address = TOY_BASE + 3000 + seed * 13,
                                       .size = WINDOW};
}

static void rig_fini(struct rig *r)
{
    timeline_free(r->tl);
    toy_fini(&r->toy);
}

/* What comes from outside on the way makes it harder. */
static void run_live(struct rig *r)
{
    struct error err = ERROR_INIT;
    struct stop stop;
    for (uint64_t n = 0; n < LENGTH; n += 40) {
        timeline_continue_to(r->tl, n);
        timeline_input(r->tl, CHANNEL_SERIAL0, (const uint8_t *)"input", 1 + n % 5);
        timeline_finish(r->tl, &stop);
        if (n % 200 == 40)
            cr_assert(timeline_write_physical(r->tl, r->point.address + n / 4, &n, 3, &err));
    }
}

static int compare_places(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    if (x->position != y->position)
        return x->position > y->position ? 1 : -1;
    return (int)x->writer - (int)y->writer;
}

/* All stops of going on and on. */
static size_t all_stops(struct rig *r, bool back, struct place *place)
{
    size_t count = 0;
    struct stop stop;
    for (;;) {
        bool live = timeline_live(r->tl);
        if (back)
            timeline_reverse_continue(r->tl);
        else
            timeline_continue_to(r->tl, timeline_live(r->tl) ? LENGTH : POSITION_NONE);
        timeline_finish(r->tl, &stop);
        cr_assert_neq(stop.reason, STOP_DIVERGED, "seed %lu: %s", r->seed, stop.text);
        if (stop.reason != STOP_WATCH)
            return count;
        cr_assert_lt(count, STOPS, "seed %lu: no end", r->seed);
        cr_assert_eq(stop.owners, 1u << OWNER_CONTROL);
        cr_assert_lt(stop.address - r->point.address, r->point.size);
        cr_assert_eq(stop.writer == WRITTEN_BY_DEVICE, stop.device != NULL);
        bool before = !back && stop.writer == WRITTEN_BY_HART;
        place[count++] = (struct place){stop.position + before, stop.writer};
        cr_assert(live || count < 2 || compare_places(&place[count - 2], &place[count - 1]),
                  "seed %lu: twice at %lu", r->seed, stop.position);
    }
}

/* Live, idle time may end twice at one position; in history it is all in front of that. */
static size_t sorted(struct place *place, size_t count)
{
    size_t kept = 0;
    qsort(place, count, sizeof *place, compare_places);
    for (size_t i = 0; i < count; i++)
        if (!kept || compare_places(&place[kept - 1], &place[i]))
            place[kept++] = place[i];
    return kept;
}

static void check_same(const struct rig *r, struct place *a, size_t m, struct place *b, size_t n,
                       const char *what)
{
    m = sorted(a, m);
    n = sorted(b, n);
    for (size_t i = 0; i < m && i < n; i++)
        cr_assert(!compare_places(&a[i], &b[i]), "seed %lu, %s: %lu by %d, and %lu by %d", r->seed,
                  what, a[i].position, (int)a[i].writer, b[i].position, (int)b[i].writer);
    cr_assert_eq(m, n, "seed %lu, %s: %zu stops and %zu", r->seed, what, m, n);
}

/* From each position to the next: what has changed was reported. */
static void check_changes(struct rig *r, const struct place *place, size_t count)
{
    uint8_t before[WINDOW], now[WINDOW];
    const struct ram *ram = &r->toy.machine.ram;
    struct stop stop;
    size_t at = 0;
    for (uint64_t n = 0; n <= timeline_tip(r->tl); n++) {
        timeline_seek(r->tl, n);
        timeline_finish(r->tl, &stop);
        memcpy(now, ram_at(ram, r->point.address), WINDOW);
        while (at < count && place[at].position < n)
            at++;
        bool reported = at < count && place[at].position == n;
        cr_assert(!n || reported || !memcmp(before, now, WINDOW),
                  "seed %lu: a write before %lu is not reported", r->seed, n);
        memcpy(before, now, WINDOW);
    }
}

static void count_writers(const struct place *place, size_t count, unsigned *writers)
{
    for (size_t i = 0; i < count; i++)
        *writers |= 1u << place[i].writer;
}

Test(writers, replayed)
{
    static struct place forward[STOPS], back[STOPS];
    unsigned writers = 0;
    for (uint64_t seed = 1; seed <= bench_cases(25); seed++) {
        struct rig r;
        struct stop stop;
        rig_init(&r, seed, 50 + seed % 7 * 100);
        run_live(&r);
        timeline_point_set(r.tl, &r.point);
        size_t n = all_stops(&r, true, back);
        timeline_seek(r.tl, 0);
        timeline_finish(r.tl, &stop);
        size_t m = all_stops(&r, false, forward);
        check_same(&r, forward, m, back, n, "forward and back");
        count_writers(forward, m, &writers);
        check_changes(&r, forward, m);
        rig_fini(&r);
    }
    cr_assert(writers & 1u << WRITTEN_BY_HART);
    cr_assert(writers & 1u << WRITTEN_BY_DEVICE);
    cr_assert(writers & 1u << WRITTEN_BY_DEBUGGER);
}

/* Idle time that ends with a write is over then: history has the write there, where it was seen. */
Test(writers, live)
{
    static struct place live[STOPS], back[STOPS];
    for (uint64_t seed = 1; seed <= bench_cases(25); seed++) {
        struct rig r;
        rig_init(&r, seed, 50 + seed % 7 * 100);
        timeline_point_set(r.tl, &r.point);
        size_t m = all_stops(&r, false, live);
        size_t n = all_stops(&r, true, back);
        check_same(&r, live, m, back, n, "live and back");
        check_changes(&r, live, m);
        rig_fini(&r);
    }
}
