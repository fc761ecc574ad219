/* Walking back undoes walking forward, step by step, exactly. */
#include "tests/unit/timeline/bench.h"

#include "machine/semihosting.h"

#include <criterion/criterion.h>

static const struct guest storm = {.name = "storm", .rounds = 4, .period = 6};
static const struct guest resets = {.name = "storm", .rounds = 1, .period = 15, .resets = 2};
static const struct guest harts = {
    .name = "harts", .rounds = 24, .period = 25, .option = 3, .harts = 3, .quantum = 29};

/* The traces contain what the other tests rely on. */
Test(walk, guests_do_what_they_are_for)
{
    struct trace t;
    uint64_t interrupts = 0, traps = 0, user = 0, idle = 0, made[3] = {0};
    trace_record(&t, &storm, NULL, 0, 1000000);
    cr_assert_eq(t.halt, HALT_POWER_OFF);
    uint64_t handler = guest_symbol(&storm, "s_trap");
    for (uint64_t n = 0; n < t.steps; n++) {
        interrupts += t.step[n].interrupt;
        traps += n && !t.step[n - 1].interrupt && t.step[n].pc == handler;
        user += t.step[n].pc >> 30 == 1;
    }
    cr_assert_gt(interrupts, 100);
    cr_assert_gt(traps, 20, "page faults and ecalls");
    cr_assert_gt(user, 200);
    cr_assert_eq(t.output.size, storm.rounds);
    trace_free(&t);
    trace_record(&t, &harts, NULL, 0, 1000000);
    cr_assert_eq(t.halt, HALT_POWER_OFF);
    for (uint64_t n = 0; n < t.steps; n++) {
        made[t.step[n].hart]++;
        idle += n && t.step[n].hart != t.step[n - 1].hart;
    }
    for (unsigned h = 0; h < 3; h++)
        cr_assert_gt(made[h], 500);
    cr_assert_gt(idle, 100, "turns");
    trace_free(&t);
}

static void one_step(struct bench *b, unsigned hart, bool back, struct stop *stop)
{
    if (back)
        timeline_reverse_step(b->tl, hart);
    else
        timeline_step(b->tl, hart);
    timeline_finish(b->tl, stop);
}

/* Steps forward from the present, live or not, then all of them back; every place compared. */
static void there_and_back(struct bench *b, const struct trace *t, uint64_t steps, uint64_t seed)
{
    uint64_t from = timeline_position(b->tl);
    struct stop stop;
    for (uint64_t i = 0; i < steps && timeline_position(b->tl) < t->steps; i++) {
        uint64_t n = timeline_position(b->tl);
        one_step(b, t->step[n].hart, false, &stop);
        cr_assert_eq(stop.position, n + 1, "seed %lu: reason %d", seed, stop.reason);
        bench_check(b, t, seed, "forward");
    }
    while (timeline_position(b->tl) > from) {
        uint64_t n = timeline_position(b->tl);
        one_step(b, t->step[n - 1].hart, true, &stop);
        cr_assert_eq(stop.reason, STOP_DONE, "seed %lu: at %lu", seed, n);
        cr_assert_eq(stop.position, n - 1, "seed %lu", seed);
        bench_check(b, t, seed, "back");
    }
}

static void walks(const struct guest *g, uint64_t cases)
{
    struct trace t;
    trace_record(&t, g, NULL, 0, 1000000);
    for (uint64_t seed = 1; seed <= bench_cases(cases); seed++) {
        struct random random = {seed};
        struct timeline_options o = {.warp = true,
                                     .spacing_steps = 200 + random_below(&random, 3000)};
        struct bench b;
        bench_init(&b, g, &o);
        bench_live(&b, NULL, 0, random_below(&random, t.steps - 400));
        there_and_back(&b, &t, 200 + random_below(&random, 200), seed);
        bench_seek(&b, random_below(&random, timeline_tip(b.tl)));
        there_and_back(&b, &t, 200, seed);
        bench_seek(&b, timeline_tip(b.tl));
        cr_assert(timeline_live(b.tl));
        bench_live(&b, NULL, 0, UINT64_MAX);
        cr_assert_eq(timeline_position(b.tl), t.steps);
        bench_check(&b, &t, seed, "the end");
        cr_assert_eq(bench_ram_digest(b.m), t.ram_digest);
        bench_fini(&b);
    }
    trace_free(&t);
}

Test(walk, one_hart)
{
    walks(&storm, 4);
}

Test(walk, over_resets)
{
    walks(&resets, 3);
}

Test(walk, three_harts)
{
    walks(&harts, 4);
}

/* The whole history backwards, one step at a time. */
Test(walk, to_the_beginning)
{
    struct trace t;
    struct bench b;
    struct stop stop;
    trace_record(&t, &resets, NULL, 0, 1000000);
    bench_init(&b, &resets, NULL);
    stop = bench_live(&b, NULL, 0, UINT64_MAX);
    cr_assert_eq(stop.reason, STOP_HALT);
    for (uint64_t n = t.steps; n-- > 0;) {
        one_step(&b, 0, true, &stop);
        cr_assert_eq(stop.reason, STOP_DONE);
        cr_assert_eq(stop.position, n);
        bench_check(&b, &t, 0, "back");
    }
    one_step(&b, 0, true, &stop);
    cr_assert_eq(stop.reason, STOP_BEGIN);
    cr_assert_eq(stop.position, 0);
    bench_fini(&b);
    trace_free(&t);
}

/* A step back of a hart lands just before its own most recent step, wherever the others are. */
Test(walk, each_hart_by_itself)
{
    struct trace t;
    struct bench b;
    struct stop stop;
    struct random random = {77};
    trace_record(&t, &harts, NULL, 0, 1000000);
    bench_init(&b, &harts, NULL);
    bench_live(&b, NULL, 0, t.steps - 10);
    for (uint64_t i = 0; i < bench_cases(300); i++) {
        if (random_below(&random, 4) == 0)
            bench_seek(&b, random_below(&random, t.steps - 10));
        unsigned hart = random_below(&random, 3);
        uint64_t n = timeline_position(b.tl), own = n;
        while (own > 0 && t.step[own - 1].hart != hart)
            own--;
        one_step(&b, hart, true, &stop);
        cr_assert_eq(stop.reason, own ? STOP_DONE : STOP_BEGIN, "hart %u from %lu", hart, n);
        cr_assert_eq(stop.position, own ? own - 1 : 0, "hart %u from %lu", hart, n);
        if (own)
            cr_assert_eq(stop.hart, hart);
        bench_check(&b, &t, 0, "a hart's own step");
    }
    bench_fini(&b);
    trace_free(&t);
}

/* What QEMU gets wrong at interrupt entries: behind the entry the pc is the vector, before it the
 * interrupted pc, from either side; and that pc is hit only when it is really attempted. */
Test(walk, interrupt_entries)
{
    struct trace t;
    struct bench b;
    struct stop stop;
    trace_record(&t, &storm, NULL, 0, 1000000);
    bench_init(&b, &storm, NULL);
    bench_live(&b, NULL, 0, t.steps);
    uint64_t m = guest_symbol(&storm, "m_trap"), s = guest_symbol(&storm, "s_trap");
    struct cpu *cpu = b.m->cpu[0];
    for (uint64_t n = t.steps; n-- > 0;) {
        if (!t.step[n].interrupt)
            continue;
        uint64_t vector = t.pc[n + 1];
        cr_assert(vector == m || vector == s, "at %lu", n);
        bench_seek(&b, n + 2);
        one_step(&b, 0, true, &stop);
        cr_assert_eq(cpu->ops->pc(cpu), vector, "behind the entry at %lu", n);
        one_step(&b, 0, true, &stop);
        cr_assert_eq(cpu->ops->pc(cpu), t.step[n].pc, "before the entry at %lu", n);
        one_step(&b, 0, false, &stop);
        cr_assert_eq(cpu->ops->pc(cpu), vector, "behind the entry at %lu", n);
    }
    bench_fini(&b);
    trace_free(&t);
}

/* All hits of a breakpoint forward, then backward: the same, and those of the trace. */
static void hits_agree(struct bench *b, const struct trace *t, uint64_t pc)
{
    struct stop stop;
    bench_seek(b, 0);
    timeline_point_add(b->tl, HIT_EXECUTE, pc, 0);
    for (uint64_t n = 1; n < t->steps; n++) {
        if (t->step[n].interrupt || t->step[n].pc != pc)
            continue;
        timeline_continue(b->tl);
        timeline_finish(b->tl, &stop);
        cr_assert_eq(stop.reason, STOP_BREAK, "pc %#lx", pc);
        cr_assert_eq(stop.position, n, "pc %#lx: at %lu, not %lu", pc, stop.position, n);
    }
    timeline_continue(b->tl);
    timeline_finish(b->tl, &stop);
    cr_assert_eq(stop.reason, STOP_END);
    for (uint64_t n = t->steps; n-- > 0;) {
        if (t->step[n].interrupt || t->step[n].pc != pc)
            continue;
        timeline_reverse_continue(b->tl);
        timeline_finish(b->tl, &stop);
        cr_assert_eq(stop.reason, STOP_BREAK, "pc %#lx", pc);
        cr_assert_eq(stop.position, n, "pc %#lx: back at %lu, not %lu", pc, stop.position, n);
    }
    timeline_reverse_continue(b->tl);
    timeline_finish(b->tl, &stop);
    cr_assert_eq(stop.reason, STOP_BEGIN);
    cr_assert(timeline_point_remove(b->tl, HIT_EXECUTE, pc, 0));
}

Test(walk, breakpoints_at_interrupted_pcs)
{
    struct trace t;
    struct bench b;
    trace_record(&t, &storm, NULL, 0, 1000000);
    bench_init(&b, &storm, NULL);
    bench_live(&b, NULL, 0, t.steps);
    unsigned done = 0;
    for (uint64_t n = 0; n < t.steps && done < bench_cases(8); n++) {
        if (!t.step[n].interrupt || n % 3)
            continue;
        hits_agree(&b, &t, t.step[n].pc);
        done++;
    }
    hits_agree(&b, &t, guest_symbol(&storm, "m_trap"));
    hits_agree(&b, &t, guest_symbol(&storm, "s_trap"));
    bench_fini(&b);
    trace_free(&t);
}

static const struct guest waiting = {.name = "harts", .rounds = 40, .period = 40, .option = 1};

/* Continue with a breakpoint at step n's pc until it stands before step n. */
static void continue_to_step(struct bench *b, const struct trace *t, uint64_t n)
{
    struct stop stop;
    do {
        timeline_continue(b->tl);
        timeline_finish(b->tl, &stop);
        cr_assert_eq(stop.reason, STOP_BREAK);
        cr_assert_eq(b->m->cpu[0]->ops->pc(b->m->cpu[0]), t->step[n].pc);
    } while (stop.position < n);
    cr_assert_eq(stop.position, n);
}

/* Stops before a step that idle time precedes. Live, that time is in the log then, and a seek to
 * here brings it back; in replay none of it has passed, whichever way one has come. */
static void stops_before(const struct trace *t, uint64_t n)
{
    struct stop stop;
    struct bench b;
    bench_init(&b, &waiting, NULL);
    timeline_point_add(b.tl, HIT_EXECUTE, t->step[n].pc, 0);
    continue_to_step(&b, t, n);
    uint64_t digest = bench_digest(b.m);
    bench_seek(&b, n / 2);
    bench_seek(&b, n);
    cr_assert_eq(bench_digest(b.m), digest, "live at %lu", n);
    bench_fini(&b);

    bench_init(&b, &waiting, NULL);
    bench_live(&b, NULL, 0, UINT64_MAX);
    for (unsigned i = 0; i < 3; i++) {
        bench_seek(&b, n - 1 - i);
        timeline_point_add(b.tl, HIT_EXECUTE, t->step[n].pc, 0);
        continue_to_step(&b, t, n);
        bench_check_strictly(&b, t, n, "replayed");
        bench_seek(&b, n - 1);
        bench_seek(&b, n);
        bench_check_strictly(&b, t, n, "sought");
        one_step(&b, 0, false, &stop);
        bench_check_strictly(&b, t, n, "stepped");
        timeline_reverse_continue(b.tl);
        timeline_finish(b.tl, &stop);
        cr_assert_eq(stop.position, n);
        bench_check_strictly(&b, t, n, "reverse");
        timeline_points_clear(b.tl);
    }
    bench_seek(&b, t->steps);
    bench_check_strictly(&b, t, n, "the end");
    bench_fini(&b);
}

Test(walk, stops_before_idle_time)
{
    struct trace t;
    unsigned found = 0;
    trace_record(&t, &waiting, NULL, 0, 1000000);
    for (uint64_t n = 4; n < t.steps; n++) {
        if (!t.step[n].idle || t.step[n].interrupt)
            continue;
        found++;
        stops_before(&t, n);
    }
    cr_assert_gt(found, 0);
    trace_free(&t);
}

static uint64_t no_clock(void *ctx)
{
    (void)ctx;
    return 0;
}

/* A semihosting call that reads one watched range and writes another: one step with two hits. Going
 * back passes it after having told both. */
Test(walk, two_watched_accesses_of_one_step)
{
    enum { A0 = 10, A1 = 11, PC = 32, GET_CMDLINE = 0x15 };
    const uint64_t code = GUEST_BASE + 0x14000, block = code + 0x100, line = code + 0x200;
    static const uint32_t program[] = {0x13, 0x01f01013, 0x00100073, 0x40705013, 0x6f};
    const uint64_t parameters[] = {line, 64};
    const struct guest g = {.name = "storm", .rounds = 1, .period = 20};
    static struct semihosting semihosting;
    struct bench b = {.board = guest_new(&g)};
    struct error err = ERROR_INIT;
    struct stop stop;
    b.m = riscv_virt_machine(b.board);
    cr_assert(semihosting_init(&semihosting, b.m, "words", &err), "%s", err.message);
    b.tl = timeline_new(b.m, &(struct timeline_options){.host.clock = no_clock, .warp = true});
    cr_assert(timeline_write_memory(b.tl, 0, code, program, sizeof program, &err));
    cr_assert(timeline_write_memory(b.tl, 0, block, parameters, sizeof parameters, &err));
    cr_assert(timeline_write_register(b.tl, 0, PC, code, &err));
    cr_assert(timeline_write_register(b.tl, 0, A0, GET_CMDLINE, &err));
    cr_assert(timeline_write_register(b.tl, 0, A1, block, &err));
    bench_live(&b, NULL, 0, 20);
    timeline_point_add(b.tl, HIT_READ, block, 8);
    timeline_point_add(b.tl, HIT_WRITE, line, 5);
    static const enum stop_reason expected[] = {STOP_WATCH, STOP_WATCH, STOP_BEGIN};
    for (unsigned i = 0; i < 3; i++) {
        timeline_reverse_continue(b.tl);
        timeline_finish(b.tl, &stop);
        cr_assert_eq(stop.reason, expected[i], "%u: reason %d", i, stop.reason);
        cr_assert_eq(stop.position, i < 2 ? 3 : 0, "%u: %lu", i, stop.position);
    }
    bench_fini(&b);
}
