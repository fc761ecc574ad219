/* A run in pieces is the run in one piece, and caches may go at any time. No timeline here: what is
 * under it. */
#include "tests/unit/timeline/bench.h"

#include <criterion/criterion.h>

static const struct guest guests[] = {
    {.name = "storm", .rounds = 8, .period = 12},
    {.name = "storm", .rounds = 3, .period = 4},
    {.name = "storm", .rounds = 1, .period = 15, .resets = 3},
    {.name = "harts", .rounds = 40, .period = 30, .option = 3, .harts = 3, .quantum = 37},
    {.name = "harts", .rounds = 60, .period = 100, .option = 2, .harts = 2},
};

enum { GUESTS = sizeof guests / sizeof *guests };

static uint64_t door_clock(void *ctx)
{
    return bench_clock(ctx);
}

static void door_output(void *ctx, unsigned channel, const uint8_t *bytes, size_t size)
{
    (void)ctx, (void)channel, (void)bytes, (void)size;
}

static const struct door_ops door = {.host_clock = door_clock, .output = door_output};

struct chopped {
    struct riscv_virt *board;
    struct machine *m;
};

static struct chopped chopped_new(const struct guest *g)
{
    struct chopped c = {.board = guest_new(g)};
    c.m = riscv_virt_machine(c.board);
    c.m->door = (struct door){&door, c.m};
    return c;
}

static void run_to(struct machine *m, uint64_t position)
{
    while (machine_run(m, position) == MACHINE_IDLE && machine_next_deadline(m) != CLOCK_NEVER)
        machine_idle_until(m, machine_next_deadline(m));
}

/* Pieces of up to `most` steps, each boundary compared; `drop`: the caches are emptied there. */
static void in_pieces(const struct guest *g, const struct trace *t, uint64_t seed, uint64_t most,
                      bool drop)
{
    struct random random = {seed};
    struct chopped c = chopped_new(g);
    for (uint64_t n = 0; n < t->steps;) {
        n += 1 + random_below(&random, most);
        if (n > t->steps)
            n = t->steps;
        run_to(c.m, n);
        cr_assert_eq(machine_position(c.m), n, "seed %lu", seed);
        cr_assert_eq(bench_digest(c.m), t->digest[n], "%s, seed %lu, pieces of %lu: another at %lu",
                     g->name, seed, most, n);
        if (drop)
            machine_drop_caches(c.m, 1 + random_below(&random, 3));
    }
    cr_assert_eq(bench_ram_digest(c.m), t->ram_digest);
    riscv_virt_free(c.board);
}

Test(chop, one_piece_to_any_position)
{
    struct random random = {5};
    for (unsigned i = 0; i < GUESTS; i++) {
        struct trace t;
        trace_record(&t, &guests[i], NULL, 0, 200000);
        for (uint64_t k = 0; k < bench_cases(25); k++) {
            struct chopped c = chopped_new(&guests[i]);
            uint64_t n = k ? random_below(&random, t.steps) : t.steps;
            run_to(c.m, n);
            cr_assert_eq(bench_digest(c.m), t.digest[n], "guest %u at %lu", i, n);
            riscv_virt_free(c.board);
        }
        trace_free(&t);
    }
}

Test(chop, random_pieces)
{
    static const uint64_t most[] = {2, 10, 100, 3000};
    for (unsigned i = 0; i < GUESTS; i++) {
        struct trace t;
        trace_record(&t, &guests[i], NULL, 0, 200000);
        for (uint64_t seed = 0; seed < bench_cases(4); seed++)
            in_pieces(&guests[i], &t, seed, most[seed % 4], false);
        trace_free(&t);
    }
}

Test(chop, caches_dropped)
{
    static const uint64_t most[] = {7, 50, 500};
    for (unsigned i = 0; i < GUESTS; i++) {
        struct trace t;
        trace_record(&t, &guests[i], NULL, 0, 200000);
        for (uint64_t seed = 0; seed < bench_cases(3); seed++)
            in_pieces(&guests[i], &t, seed, most[seed % 3], true);
        trace_free(&t);
    }
}
