/* Random programs that store into their own code and their page tables: the run does not depend on
 * how it is chopped, on caches, or on who looks on; and who looks on sees the same each time. */
#include "tests/unit/machine/random_program.h"

#include <stdlib.h>

enum { SEEDS = 40, STEPS = 400 };

/* Until there, or until all wait. */
static void advance(struct hart_bench *b, uint64_t until)
{
    machine_run(&b->m, until);
}

Test(random_code, chunks_of_every_size)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        static struct hart_bench whole, chopped;
        start(&whole, random_program, seed, harts_of(seed));
        advance(&whole, STEPS);
        for (uint64_t chunk = 1; chunk <= 70; chunk += chunk < 20 ? 1 : 7) {
            start(&chopped, random_program, seed, harts_of(seed));
            for (uint64_t at = 0; at < STEPS;) {
                at = at + chunk < STEPS ? at + chunk : STEPS;
                advance(&chopped, at);
            }
            assert_same(&whole, &chopped, "chopped");
            bench_fini(&chopped);
        }
        bench_fini(&whole);
    }
}

Test(random_code, dropped_caches)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        static struct hart_bench plain, dropped;
        for (unsigned what = 1; what <= 4; what++) {
            start(&plain, random_program, seed, harts_of(seed));
            start(&dropped, random_program, seed, harts_of(seed));
            for (uint64_t at = 1; at <= STEPS; at++) {
                advance(&dropped, at);
                uint64_t r = hash_mix(seed << 20 | at << 3 | what);
                if (what == DROP_ALL || r % 4 == 0)
                    machine_drop_caches(&dropped.m, what == 4 ? r >> 8 & DROP_ALL : what);
                if (what == 4 && r % 64 == 1)
                    machine_begin_interval(&dropped.m);
            }
            advance(&plain, STEPS);
            assert_same(&plain, &dropped, "dropped");
            bench_fini(&plain);
            bench_fini(&dropped);
        }
    }
}

/* ---- looking on ---- */

struct hits {
    struct hit list[4 * STEPS];
    unsigned count;
};

static bool note_hit(void *ctx, const struct hit *hit)
{
    struct hits *h = ctx;
    cr_assert(h->count < 4 * STEPS);
    h->list[h->count++] = *hit;
    return false;
}

static uint64_t pcs[6 * PAGE / 2];
static struct watch_range ranges[] = {{0, UINT64_MAX, HIT_READ | HIT_WRITE}};

static void arm(struct hart_bench *b, struct hits *hits, bool every_pc)
{
    unsigned count = 0;
    for (uint64_t pc = 0; pc < 6 * PAGE; pc += every_pc ? 2 : 34)
        pcs[count++] = pc;
    struct points points = {.execute = pcs,
                            .execute_count = count,
                            .watch = ranges,
                            .watch_count = 1,
                            .hit = note_hit,
                            .ctx = hits};
    hits->count = 0;
    machine_set_points(&b->m, &points);
}

static void assert_same_hits(const struct hits *a, const struct hits *b, uint64_t seed)
{
    for (unsigned i = 0; i < a->count && i < b->count; i++) {
        const struct hit *x = &a->list[i], *y = &b->list[i];
        cr_assert(x->kinds == y->kinds && x->hart == y->hart && x->position == y->position &&
                      x->address == y->address && x->size == y->size,
                  "seed %lu: %u at %lx, step %lu; %u at %lx, step %lu", seed, x->kinds, x->address,
                  x->position, y->kinds, y->address, y->position);
    }
    cr_assert_eq(a->count, b->count);
}

static bool is_touched(const uint64_t *keys, size_t count, uint64_t va, enum touched_kind kind)
{
    uint64_t key = (va >> 12) << 2 | kind;
    for (size_t i = 0; i < count; i++)
        if (keys[i] == key)
            return true;
    return false;
}

/* A summary of an interval without points holds what an interval with points has seen. */
static void assert_touched(const struct touched *t, const struct hits *hits, uint64_t seed)
{
    size_t count;
    uint64_t *keys = touched_sorted(t, &count);
    for (unsigned i = 0; i < hits->count; i++) {
        const struct hit *h = &hits->list[i];
        uint64_t last = h->address + (h->size ? h->size - 1 : 0);
        if (h->kinds & HIT_EXECUTE)
            cr_assert(is_touched(keys, count, h->address, TOUCHED_FETCH), "seed %lu", seed);
        for (unsigned k = 0; k < 2; k++) {
            enum touched_kind kind = k ? TOUCHED_WRITE : TOUCHED_READ;
            if (h->kinds & (k ? HIT_WRITE : HIT_READ))
                cr_assert(is_touched(keys, count, h->address, kind) &&
                              is_touched(keys, count, last, kind),
                          "seed %lu: %u of %lx at %lu", seed, h->kinds, h->address, h->position);
        }
    }
    free(keys);
}

Test(random_code, looking_on)
{
    static struct hits in_one_go, step_by_step;
    unsigned seen = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        static struct hart_bench plain, watched, stepped;
        bool every_pc = seed % 4;
        start(&plain, random_program, seed, harts_of(seed));
        start(&watched, random_program, seed, harts_of(seed));
        start(&stepped, random_program, seed, harts_of(seed));
        arm(&watched, &in_one_go, every_pc);
        arm(&stepped, &step_by_step, every_pc);
        machine_begin_interval(&plain.m);
        advance(&plain, STEPS);
        advance(&watched, STEPS);
        run_forgetful(&stepped, machine_position(&plain.m));
        assert_same(&plain, &watched, "watched");
        assert_same(&plain, &stepped, "watched, step by step");
        assert_same_hits(&in_one_go, &step_by_step, seed);
        assert_touched(&plain.m.touched, &in_one_go, seed);
        seen += in_one_go.count;
        bench_fini(&plain);
        bench_fini(&watched);
        bench_fini(&stepped);
    }
    cr_assert(seen > SEEDS * STEPS / 4, "%u", seen);
}

static bool stop_now(void *ctx, const struct hit *hit)
{
    uint64_t *last = ctx;
    return *last != hit->position;
}

/* Stopped at every hit, the machine is the one that was run there, and goes on the same. */
Test(random_code, stopping_at_every_hit)
{
    for (uint64_t seed = 0; seed < SEEDS / 2; seed++) {
        static struct hart_bench plain, stopped;
        static struct hits unused;
        uint64_t last = UINT64_MAX;
        unsigned stops = 0;
        start(&plain, random_program, seed, harts_of(seed));
        start(&stopped, random_program, seed, harts_of(seed));
        arm(&stopped, &unused, seed % 2);
        struct points points = stopped.m.points;
        points.hit = stop_now;
        points.ctx = &last;
        machine_set_points(&stopped.m, &points);
        while (machine_run(&stopped.m, STEPS / 2) == MACHINE_HIT) {
            last = machine_position(&stopped.m);
            machine_run(&plain.m, last);
            assert_same(&plain, &stopped, "stopped");
            stops++;
        }
        cr_assert(stops > 10, "%u", stops);
        bench_fini(&plain);
        bench_fini(&stopped);
    }
}
