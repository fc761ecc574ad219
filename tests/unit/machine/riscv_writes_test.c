/* What hits say of writes and traps, against memory and registers compared after each single step:
 * a copy of memory to which the reported bytes are applied is the machine's memory. */
#include "machine/semihosting.h"
#include "tests/unit/machine/random_program.h"

#include <stdlib.h>

enum { SEEDS = 40, STEPS = 400, HITS = 8 * STEPS, AFTER = 64, PAGES_USED = 40 };

struct noted {
    struct hit hit;
    uint8_t after[AFTER];
};

struct notes {
    struct noted list[HITS];
    unsigned count;
    const struct machine *m;
};

static bool note_hit(void *ctx, const struct hit *hit)
{
    struct notes *n = ctx;
    cr_assert(n->count < HITS);
    struct noted *noted = &n->list[n->count++];
    noted->hit = *hit;
    if (hit->after) {
        cr_assert_leq(hit->size, AFTER);
        memcpy(noted->after, hit->after, hit->size);
    }
    if (!hit->behind)
        cr_assert_eq(hit->position, machine_position(n->m));
    return false;
}

static struct watch_range everything[] = {{0, UINT64_MAX, HIT_READ | HIT_WRITE}};
static struct watch_range all_memory[] = {{0, UINT64_MAX, HIT_WRITE}};
static uint64_t pcs[6 * PAGE / 2];

enum looks { LOOK_EXECUTE = 1, LOOK_VIRTUAL = 2, LOOK_PHYSICAL = 4, LOOK_TRAPS = 8, LOOK_ALL = 15 };

static struct points points_of(unsigned looks, hit_fn *hit, void *ctx)
{
    for (unsigned i = 0; i < sizeof pcs / sizeof *pcs; i++)
        pcs[i] = 2 * i;
    return (struct points){.execute = pcs,
                           .execute_count = looks & LOOK_EXECUTE ? sizeof pcs / sizeof *pcs : 0,
                           .watch = everything,
                           .watch_count = looks & LOOK_VIRTUAL ? 1 : 0,
                           .physical = all_memory,
                           .physical_count = looks & LOOK_PHYSICAL ? 1 : 0,
                           .traps = looks & LOOK_TRAPS,
                           .hit = hit,
                           .ctx = ctx};
}

static void look_on(struct hart_bench *b, unsigned looks, struct notes *n)
{
    struct points points = points_of(looks, note_hit, n);
    n->count = 0;
    n->m = &b->m;
    machine_set_points(&b->m, &points);
}

static void random_start(struct hart_bench *b, uint64_t seed)
{
    start(b, random_program, seed, harts_of(seed));
    /* Some begin with entries that are neither accessed nor dirty, and all harts meet them. */
    if (seed % 3 == 1)
        for (unsigned i = 0; i < b->m.config.cpus; i++)
            bench_hart(b, i)->x[8] = LEAVES * PAGE;
}

static bool same_note(const struct noted *a, const struct noted *b)
{
    const struct hit *x = &a->hit, *y = &b->hit;
    return x->kinds == y->kinds && x->hart == y->hart && x->position == y->position &&
           x->address == y->address && x->size == y->size && x->cause == y->cause &&
           x->writer == y->writer && x->behind == y->behind && !x->after == !y->after &&
           (!x->after || !memcmp(a->after, b->after, x->size));
}

static void assert_same_notes(const struct notes *a, const struct notes *b, unsigned looks,
                              uint64_t seed, const char *what)
{
    for (unsigned i = 0; i < a->count && i < b->count; i++) {
        const struct hit *x = &a->list[i].hit, *y = &b->list[i].hit;
        cr_assert(same_note(&a->list[i], &b->list[i]),
                  "%s, seed %lu, looks %u: %u at %lx, step %lu; %u at %lx, step %lu", what, seed,
                  looks, x->kinds, x->address, x->position, y->kinds, y->address, y->position);
    }
    cr_assert_eq(a->count, b->count, "%s, seed %lu: %u and %u hits", what, seed, a->count,
                 b->count);
}

static struct notes notes, others;

/* ---- what is written ---- */

static void apply(uint8_t *shadow, const struct noted *n)
{
    if (n->hit.address - BASE < BENCH_PAGES * PAGE)
        memcpy(shadow + (n->hit.address - BASE), n->after, n->hit.size);
}

/* All that is reported of physical memory, and nothing else, becomes of it. */
Test(writes, the_reported_bytes_are_the_memory)
{
    static struct hart_bench watched, plain;
    static uint8_t shadow[BENCH_PAGES * PAGE];
    unsigned by_hart = 0, by_tables = 0, blocks = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        random_start(&watched, seed);
        random_start(&plain, seed);
        look_on(&watched, LOOK_PHYSICAL, &notes);
        machine_run(&watched.m, STEPS);
        memcpy(shadow, plain.m.ram.host, sizeof shadow);
        for (uint64_t n = 0, i = 0; n < machine_position(&watched.m); n++) {
            machine_run(&plain.m, n + 1);
            for (; i < notes.count && notes.list[i].hit.position == n; i++) {
                const struct hit *hit = &notes.list[i].hit;
                cr_assert(hit->after && hit->kinds == (HIT_PHYSICAL | HIT_WRITE) && !hit->device);
                cr_assert_eq(hit->behind, hit->writer == WRITTEN_BY_TABLES);
                apply(shadow, &notes.list[i]);
                by_hart += hit->writer == WRITTEN_BY_HART;
                by_tables += hit->writer == WRITTEN_BY_TABLES;
                blocks += hit->size == 64;
            }
            cr_assert_eq(memcmp(shadow, plain.m.ram.host, PAGES_USED * PAGE), 0,
                         "seed %lu: behind step %lu", seed, n);
        }
        cr_assert_eq(memcmp(shadow, plain.m.ram.host, sizeof shadow), 0, "seed %lu", seed);
        assert_same(&plain, &watched, "watched");
        bench_fini(&watched);
        bench_fini(&plain);
    }
    cr_assert(by_hart > 1000 && by_tables > 100 && blocks > 20, "%u %u %u", by_hart, by_tables,
              blocks);
}

/* Of a watched virtual range: what is there behind the step, through the translation before it. */
Test(writes, the_bytes_behind_a_virtual_address)
{
    static struct hart_bench watched, plain;
    unsigned compared = 0, amos = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        random_start(&watched, seed);
        random_start(&plain, seed);
        look_on(&watched, LOOK_VIRTUAL, &notes);
        machine_run(&watched.m, STEPS);
        for (unsigned i = 0; i < notes.count; i++) {
            const struct hit *hit = &notes.list[i].hit;
            cr_assert_eq(hit->after != NULL, (hit->kinds & HIT_WRITE) != 0);
            if (!hit->after)
                continue;
            machine_run(&plain.m, hit->position);
            uint64_t at[AFTER];
            const struct cpu *cpu = plain.m.cpu[hit->hart];
            for (unsigned k = 0; k < hit->size; k++)
                cr_assert(hart_translate_look(cpu, hit->address + k, CPU_WRITE, &at[k]));
            machine_run(&plain.m, hit->position + 1);
            for (unsigned k = 0; k < hit->size; k++)
                cr_assert_eq(*ram_at(&plain.m.ram, at[k]), notes.list[i].after[k],
                             "seed %lu, step %lu: byte %u", seed, hit->position, k);
            compared++;
            amos += hit->kinds == (HIT_READ | HIT_WRITE);
        }
        bench_fini(&watched);
        bench_fini(&plain);
    }
    cr_assert(compared > 1000 && amos > 50, "%u %u", compared, amos);
}

/* Some bytes, some pages: exactly the hits on them, and the guest does not notice. */
Test(writes, of_a_few_bytes)
{
    static struct hart_bench watched, plain;
    unsigned some = 0, all = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        random_start(&watched, seed);
        look_on(&watched, LOOK_PHYSICAL, &notes);
        machine_run(&watched.m, STEPS);
        bench_fini(&watched);

        struct watch_range few[] = {{pa(DATA, 24), 3, HIT_WRITE},
                                    {pa(LEAVES, 0), 8 * 20, HIT_WRITE},
                                    {pa(DATA_2, PAGE - 2), 2, HIT_WRITE}};
        struct points points = {
            .physical = few, .physical_count = 3, .hit = note_hit, .ctx = &others};
        random_start(&watched, seed);
        random_start(&plain, seed);
        others.count = 0;
        others.m = &watched.m;
        /* Armed, and disarmed for a while, on the way. */
        machine_run(&watched.m, 50);
        machine_set_points(&watched.m, &points);
        machine_run(&watched.m, 200);
        machine_set_points(&watched.m, &(struct points){0});
        machine_run(&watched.m, 220);
        machine_set_points(&watched.m, &points);
        machine_run(&watched.m, STEPS);
        machine_run(&plain.m, STEPS);
        assert_same(&plain, &watched, "watched in part");
        unsigned k = 0;
        for (unsigned i = 0; i < notes.count; i++) {
            const struct noted *n = &notes.list[i];
            bool armed = n->hit.position >= 50 && (n->hit.position < 200 || n->hit.position >= 220);
            if (!armed || !points_physical(&points, n->hit.address, n->hit.size))
                continue;
            cr_assert(k < others.count && same_note(&others.list[k], n), "seed %lu, step %lu", seed,
                      n->hit.position);
            k++;
        }
        cr_assert_eq(k, others.count);
        some += k;
        all += notes.count;
        bench_fini(&watched);
        bench_fini(&plain);
    }
    cr_assert(some > 200 && some < all / 2, "%u of %u", some, all);
}

/* ---- traps ---- */

/* A step that retires nothing enters a handler: no other does. */
Test(writes, traps_are_what_retires_nothing)
{
    static struct hart_bench watched, plain;
    unsigned traps = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        random_start(&watched, seed);
        random_start(&plain, seed);
        look_on(&watched, LOOK_TRAPS, &notes);
        machine_run(&watched.m, STEPS);
        unsigned i = 0;
        for (uint64_t n = 0; n < machine_position(&watched.m); n++) {
            unsigned hart = plain.m.state.running;
            struct riscv_state before = *bench_hart(&plain, hart);
            machine_run(&plain.m, n + 1);
            const struct riscv_state *s = bench_hart(&plain, hart);
            if (s->instret != before.instret)
                continue;
            cr_assert(i < notes.count, "seed %lu: none at %lu", seed, n);
            const struct hit *hit = &notes.list[i++].hit;
            cr_assert_eq(hit->kinds, HIT_TRAP);
            cr_assert(hit->position == n && hit->hart == hart, "seed %lu: %lu", seed, n);
            cr_assert_eq(hit->address, before.pc);
            cr_assert(hit->address == s->mepc && hit->cause == s->mcause && !hit->size);
        }
        cr_assert_eq(i, notes.count);
        assert_same(&plain, &watched, "traps");
        traps += i;
        bench_fini(&watched);
        bench_fini(&plain);
    }
    cr_assert(traps > 300, "%u", traps);
}

/* ---- however it is run ---- */

Test(writes, chopped_and_forgetful_runs_have_the_same_hits)
{
    static struct hart_bench b;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        unsigned looks = seed % 4 ? LOOK_ALL : 1 + (unsigned)seed / 4 % LOOK_ALL;
        random_start(&b, seed);
        look_on(&b, looks, &notes);
        machine_run(&b.m, STEPS);
        uint64_t end = machine_position(&b.m);
        bench_fini(&b);

        random_start(&b, seed);
        look_on(&b, looks, &others);
        run_forgetful(&b, end);
        assert_same_notes(&notes, &others, looks, seed, "step by step");
        bench_fini(&b);

        random_start(&b, seed);
        look_on(&b, looks, &others);
        for (uint64_t at = 0, r = seed; at < end;) {
            r = hash_mix(r + 1);
            at = at + 1 + r % 30 < end ? at + 1 + r % 30 : end;
            machine_run(&b.m, at);
            if (r & 256)
                machine_drop_caches(&b.m, r >> 9 & DROP_ALL);
        }
        assert_same_notes(&notes, &others, looks, seed, "chopped");
        bench_fini(&b);
    }
}

/* The hits of a step are in order. */
Test(writes, the_order_within_a_step)
{
    static struct hart_bench b;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        random_start(&b, seed);
        look_on(&b, LOOK_ALL, &notes);
        machine_run(&b.m, STEPS);
        for (unsigned i = 1; i < notes.count; i++) {
            const struct hit *x = &notes.list[i - 1].hit, *y = &notes.list[i].hit;
            cr_assert_leq(x->position, y->position);
            if (x->position != y->position)
                continue;
            cr_assert_neq(y->kinds, HIT_EXECUTE);
            cr_assert_neq(x->kinds, HIT_TRAP);
            cr_assert(y->kinds != HIT_TRAP || x->kinds == HIT_EXECUTE || x->behind);
            if (!(y->kinds & HIT_PHYSICAL))
                cr_assert(!(x->kinds & HIT_PHYSICAL) || x->behind);
        }
        bench_fini(&b);
    }
}

/* Stops at each hit once. */
struct stopper {
    struct noted seen[16]; /* of the present step */
    unsigned count;
    struct hit hit;
    struct notes *all;
};

static bool stop_once(void *ctx, const struct hit *hit)
{
    struct stopper *s = ctx;
    struct noted now = {.hit = *hit};
    if (hit->after)
        memcpy(now.after, hit->after, hit->size);
    if (s->count && s->seen[0].hit.position != hit->position)
        s->count = 0;
    for (unsigned i = 0; i < s->count; i++)
        if (same_note(&s->seen[i], &now))
            return false;
    cr_assert(s->count < 16);
    s->seen[s->count++] = now;
    s->hit = *hit;
    s->all->list[s->all->count++] = now;
    return true;
}

/* Stopped at every hit, before or behind, the machine is the one that was run there. */
Test(writes, stopping_at_every_hit)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        static struct hart_bench plain, stopped;
        unsigned looks = seed % 3 == 0 ? LOOK_ALL : seed % 3 == 1 ? LOOK_TRAPS : LOOK_PHYSICAL;
        random_start(&stopped, seed);
        look_on(&stopped, looks, &notes);
        machine_run(&stopped.m, STEPS / 2);
        bench_fini(&stopped);

        struct stopper stopper = {.all = &others};
        struct points points = points_of(looks, stop_once, &stopper);
        random_start(&plain, seed);
        random_start(&stopped, seed);
        others.count = 0;
        machine_set_points(&stopped.m, &points);
        while (machine_run(&stopped.m, STEPS / 2) == MACHINE_HIT) {
            uint64_t at = machine_position(&stopped.m);
            cr_assert_eq(stopped.m.hit_behind, stopper.hit.behind);
            cr_assert_eq(at, stopper.hit.position + stopper.hit.behind, "seed %lu: at %lu", seed,
                         at);
            machine_run(&plain.m, at);
            assert_same(&plain, &stopped, "stopped");
        }
        assert_same_notes(&notes, &others, looks, seed, "stopped at");
        machine_run(&plain.m, STEPS / 2);
        assert_same(&plain, &stopped, "at the end");
        bench_fini(&plain);
        bench_fini(&stopped);
    }
}

/* ---- semihosting ---- */

static struct semihosting semihosting;

/* SYS_ELAPSED to four bytes of one page and four of the next, which is another one of memory. */
static void elapsed(struct hart_bench *b, uint64_t unused)
{
    struct error err = ERROR_INIT;
    (void)unused;
    cr_assert(semihosting_init(&semihosting, &b->m, NULL, &err));
    poke_64(b, pa(LEAVES, CODE * 8), pte(CODE, PTE_USED));
    poke_64(b, pa(LEAVES, DATA_2 * 8), pte(DATA_2 + 5, PTE_FRESH));
    b->s->x[10] = 0x30;
    b->s->x[11] = DATA_2 * PAGE - 4;
    PROGRAM(b, CODE, addi(1, 0, 1), 0x01f01013, 0x00100073, 0x40705013);
}

Test(writes, of_semihosting_calls)
{
    static struct hart_bench b, plain;
    struct stopper stopper = {.all = &others};
    struct points points = points_of(LOOK_VIRTUAL | LOOK_PHYSICAL, stop_once, &stopper);
    start(&b, elapsed, 0, 1);
    start(&plain, elapsed, 0, 1);
    others.count = 0;
    machine_set_points(&b.m, &points);
    machine_run(&plain.m, 2);
    static const uint64_t address[] = {DATA_2 * PAGE - 4, BASE + DATA_2 * PAGE - 4,
                                       BASE + (DATA_2 + 5) * PAGE};
    for (unsigned i = 0; i < 3; i++) {
        cr_assert_eq(machine_run(&b.m, 10), MACHINE_HIT);
        cr_assert_eq(others.count, i + 1);
        const struct hit *hit = &others.list[i].hit;
        cr_assert_eq(hit->kinds, i ? HIT_WRITE | HIT_PHYSICAL : HIT_WRITE,
                     "%u: %u at %lx by %u, step %lu", i, hit->kinds, hit->address, hit->writer,
                     hit->position);
        cr_assert(hit->address == address[i] && hit->size == (i ? 4 : 8), "%#lx", hit->address);
        cr_assert(hit->position == 2 && !hit->behind && hit->writer == WRITTEN_BY_HART);
        assert_same(&plain, &b, "before the call");
    }
    cr_assert_eq(machine_run(&b.m, 10), MACHINE_LIMIT);
    machine_run(&plain.m, 10);
    assert_same(&plain, &b, "behind the call");
    cr_assert_eq(load_le32(ram_at(&b.m.ram, address[1])), 16);
    bench_fini(&b);
    bench_fini(&plain);
}
