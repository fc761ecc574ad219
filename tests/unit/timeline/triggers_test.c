/* What ends live movements, and only those, at exact positions, without a trace in history. */
#include "tests/unit/timeline/bench.h"
#include "timeline/transcript.h"
#include "timeline/triggers.h"

#include <criterion/criterion.h>

static const struct guest storm = {.name = "storm", .rounds = 3, .period = 20};
static struct trace t;
static struct bench b;

static void begin(const struct guest *g, uint64_t spacing)
{
    struct timeline_options o = {.warp = true, .spacing_steps = spacing};
    if (!t.guest)
        trace_record(&t, g, NULL, 0, 1000000);
    bench_init(&b, g, &o);
}

static void fini(void)
{
    bench_fini(&b);
    trace_free(&t);
}

TestSuite(triggers, .fini = fini);

static struct stop finish(void)
{
    struct stop stop;
    timeline_finish(b.tl, &stop);
    return stop;
}

static struct stop forward(void)
{
    timeline_continue(b.tl);
    return finish();
}

/* To the end from here; then back over all of it: a straight run's history. */
static void check_history(void)
{
    timeline_trigger_at(b.tl, POSITION_NONE);
    timeline_trigger_by(b.tl, CLOCK_NEVER);
    timeline_trigger_watch(b.tl, 0);
    while (forward().reason != STOP_HALT)
        continue;
    cr_assert_eq(timeline_tip(b.tl), t.steps);
    for (uint64_t n = t.steps; n > 0; n -= n < 97 ? n : 97) {
        cr_assert_eq(bench_seek(&b, n).reason, STOP_DONE);
        bench_check(&b, &t, 0, "a straight run's");
    }
}

/* ---- points ---- */

/* The steps of the trace that attempt the instruction at pc. */
static uint64_t next_at(uint64_t from, uint64_t pc)
{
    for (uint64_t n = from; n < t.steps; n++)
        if (t.step[n].pc == pc && !t.step[n].interrupt)
            return n;
    return POSITION_NONE;
}

static uint64_t pc_in_the_middle(void)
{
    uint64_t n = t.steps / 3;
    while (t.step[n].interrupt || next_at(n + 1, t.step[n].pc) == POSITION_NONE)
        n++;
    return t.step[n].pc;
}

Test(triggers, points)
{
    begin(&storm, 500);
    uint64_t pc = pc_in_the_middle(), at = POSITION_NONE;
    timeline_trigger_point(b.tl, pc);
    timeline_trigger_point(b.tl, pc);
    for (unsigned hits = 0; (at = next_at(at + 1, pc)) != POSITION_NONE; hits++) {
        struct stop stop = forward();
        cr_assert_eq(stop.reason, STOP_TRIGGER);
        cr_assert_eq(stop.trigger, TRIGGER_POINT);
        cr_assert_eq(stop.position, at);
        cr_assert_eq(stop.address, pc);
        cr_assert(timeline_live(b.tl));
        /* The past has none. */
        if (hits != 2)
            continue;
        bench_seek(&b, 1);
        cr_assert_eq(forward().reason, STOP_END);
        timeline_reverse_continue(b.tl);
        cr_assert_eq(finish().reason, STOP_BEGIN);
        cr_assert_eq(forward().reason, STOP_END);
        cr_assert_eq(timeline_position(b.tl), at);
    }
    cr_assert_eq(forward().reason, STOP_HALT);
    check_history();
}

Test(triggers, points_of_clients_are_others)
{
    begin(&storm, 500);
    uint64_t pc = pc_in_the_middle(), first = next_at(0, pc), second = next_at(first + 1, pc);
    timeline_trigger_point(b.tl, pc);
    timeline_point_add(b.tl, HIT_EXECUTE, pc, 0);
    struct stop stop = forward();
    cr_assert_eq(stop.reason, STOP_BREAK, "the client's comes first");
    cr_assert_eq(stop.trigger, TRIGGER_POINT, "and it is known that there is a trigger too");
    cr_assert_eq(stop.position, first);
    cr_assert(timeline_point_remove(b.tl, HIT_EXECUTE, pc, 0));
    cr_assert_not(timeline_point_remove(b.tl, HIT_EXECUTE, pc, 0));
    stop = forward();
    cr_assert_eq(stop.reason, STOP_TRIGGER, "the trigger's stays");
    cr_assert_eq(stop.position, second);
    timeline_points_clear(b.tl);
    cr_assert_eq(bench_seek(&b, 0).reason, STOP_DONE);
    timeline_point_add(b.tl, HIT_EXECUTE, pc, 0);
    stop = forward();
    cr_assert_eq(stop.reason, STOP_BREAK, "the client's alone in the past");
    cr_assert_eq(stop.trigger, TRIGGER_NONE);
    timeline_points_clear(b.tl);
    cr_assert_eq(forward().reason, STOP_END);
}

Test(triggers, steps_are_ended_too)
{
    begin(&storm, 500);
    uint64_t pc = pc_in_the_middle(), first = next_at(0, pc);
    timeline_continue_to(b.tl, first - 5);
    finish();
    timeline_trigger_point(b.tl, pc);
    timeline_step_range(b.tl, 0, 0, UINT64_MAX);
    struct stop stop = finish();
    cr_assert_eq(stop.reason, STOP_TRIGGER);
    cr_assert_eq(stop.position, first);
    timeline_step(b.tl, 0);
    stop = finish();
    cr_assert_eq(stop.reason, STOP_DONE);
    cr_assert_eq(stop.trigger, TRIGGER_NONE);
    cr_assert_eq(stop.position, first + 1);
}

/* ---- positions and times ---- */

Test(triggers, positions)
{
    begin(&storm, 700);
    for (uint64_t at = 1; at < t.steps; at += 311) {
        timeline_trigger_at(b.tl, at);
        for (unsigned i = 0; i < 2; i++) {
            struct stop stop = forward();
            cr_assert_eq(stop.reason, STOP_TRIGGER);
            cr_assert_eq(stop.trigger, TRIGGER_LATE);
            cr_assert_eq(stop.position, at, "%lu, not %lu", stop.position, at);
        }
        cr_assert_eq(bench_seek(&b, at / 2).reason, STOP_DONE);
        cr_assert_eq(forward().reason, STOP_END, "not in the past");
    }
    check_history();
}

Test(triggers, times)
{
    begin(&storm, 700);
    unsigned stops = 0;
    for (;;) {
        uint64_t by = clock_vtime(&b.m->clock) + 301;
        timeline_trigger_by(b.tl, by);
        struct stop stop = forward();
        if (stop.reason == STOP_HALT)
            break;
        cr_assert_eq(stop.trigger, TRIGGER_LATE);
        cr_assert_geq(clock_vtime(&b.m->clock), by);
        stops++;
    }
    cr_assert_gt(stops, 10);
    check_history();
}

/* A machine that only input can wake will not come to any time. */
Test(triggers, nothing_can_wake_it)
{
    static const struct guest echo = {.name = "echo", .rounds = 1, .option = 1};
    begin(&echo, 0);
    struct stop stop = forward();
    cr_assert_eq(stop.reason, STOP_STUCK);
    timeline_trigger_by(b.tl, clock_vtime(&b.m->clock) + 1000000);
    stop = forward();
    cr_assert_eq(stop.reason, STOP_TRIGGER);
    cr_assert_eq(stop.trigger, TRIGGER_LATE);
    timeline_trigger_by(b.tl, CLOCK_NEVER);
    timeline_trigger_at(b.tl, timeline_position(b.tl) + 1000000);
    cr_assert_eq(forward().reason, STOP_STUCK, "of steps it makes none");
}

/* ---- resets, trap loops, calls ---- */

Test(triggers, resets)
{
    static const struct guest g = {.name = "storm", .rounds = 1, .period = 20, .resets = 3};
    begin(&g, 300);
    timeline_trigger_watch(b.tl, MACHINE_WATCH_RESETS);
    for (uint64_t resets = 1; resets <= 3; resets++) {
        struct stop stop = forward();
        cr_assert_eq(stop.reason, STOP_TRIGGER);
        cr_assert_eq(stop.trigger, TRIGGER_RESET);
        cr_assert_eq(b.m->state.resets, resets);
        cr_assert_eq(t.pc[stop.position], 0x1000, "right behind it");
    }
    cr_assert_eq(forward().reason, STOP_HALT);
    bench_seek(&b, 5);
    cr_assert_eq(forward().reason, STOP_END);
    check_history();
}

Test(triggers, trap_loops)
{
    for (uint64_t spacing = 100; spacing < 1500; spacing += 600) {
        struct timeline_options o = {.warp = true, .spacing_steps = spacing};
        const uint32_t code[] = {0x30501073 /* csrw mtvec, x0 */, 0};
        bench_init(&b, &storm, &o);
        ram_write(&b.m->ram, GUEST_BASE, code, sizeof code);
        timeline_free(b.tl); /* one that begins with this code */
        b.options.host.ctx = &b;
        b.tl = timeline_new(b.m, &b.options);
        timeline_trigger_watch(b.tl, MACHINE_WATCH_TRAPS);
        struct stop stop = forward();
        cr_assert_eq(stop.reason, STOP_TRIGGER);
        cr_assert_eq(stop.trigger, TRIGGER_TRAP_LOOP);
        cr_assert_eq(stop.hart, 0);
        cr_assert_eq(b.m->trap_loop.traps, TRAPS_STILL);
        cr_assert_eq(stop.position, b.m->trap_loop.position + TRAPS_STILL);
        /* In the past it is none, and what follows is counted anew. */
        bench_seek(&b, stop.position - 500);
        cr_assert_eq(forward().reason, STOP_END);
        struct stop again = forward();
        cr_assert_eq(again.trigger, TRIGGER_TRAP_LOOP);
        cr_assert_eq(again.position, stop.position + TRAPS_STILL);
        if (spacing + 600 < 1500)
            bench_fini(&b);
    }
}

static void call(void *ctx, unsigned channel, const uint8_t *bytes, size_t size)
{
    (void)channel, (void)bytes, (void)size;
    *(uint64_t *)ctx = timeline_position(b.tl);
    timeline_trigger(b.tl);
}

Test(triggers, calls)
{
    uint64_t called = 0;
    begin(&storm, 300);
    timeline_listen(b.tl, call, &called);
    struct stop stop = forward();
    cr_assert_eq(stop.reason, STOP_TRIGGER);
    cr_assert_eq(stop.trigger, TRIGGER_CALLED);
    cr_assert_eq(stop.position, called + 1, "right behind the step that printed");
    cr_assert_eq(b.output.size, 1);
    timeline_reverse_step(b.tl, 0);
    cr_assert_eq(finish().position, called);
    timeline_step(b.tl, 0);
    stop = finish();
    cr_assert_eq(stop.reason, STOP_END);
    cr_assert_eq(stop.trigger, TRIGGER_NONE, "a replay prints nothing");
    check_history();
}

/* A step that ends with the call ends for its own reason, and says so too. */
Test(triggers, calls_at_the_end_of_a_step)
{
    uint64_t called = 0;
    begin(&storm, 300);
    timeline_listen(b.tl, call, &called);
    struct stop stop;
    do {
        timeline_step(b.tl, 0);
        stop = finish();
        cr_assert_eq(stop.reason, STOP_DONE);
    } while (!called);
    cr_assert_eq(stop.trigger, TRIGGER_CALLED);
    cr_assert_eq(stop.position, called + 1);
    timeline_step(b.tl, 0);
    cr_assert_eq(finish().trigger, TRIGGER_NONE);
}
