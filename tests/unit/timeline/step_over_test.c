/* Steps that pass over interrupts' handlers: over a guest whose timer is fast, compared with the
 * trace of a straight run. */
#include "tests/unit/timeline/bench.h"
#include "timeline/points.h"

#include "base/check.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static const struct guest timer = {.name = "lines", .rounds = 4, .period = 29};
static const struct guest harts = {
    .name = "lines", .rounds = 3, .period = 41, .harts = 3, .quantum = 43};
static const struct guest storm = {.name = "storm", .rounds = 3, .period = 6};

static struct stop move(struct bench *b, unsigned hart, bool back)
{
    struct stop stop;
    if (back)
        timeline_reverse_step(b->tl, hart);
    else
        timeline_step(b->tl, hart);
    timeline_finish(b->tl, &stop);
    return stop;
}

/* The steps that the hart makes outside of its handler, ascending; the caller's to free. `leave`:
 * the pc of the handler's return. */
static uint64_t *steps_outside(const struct trace *t, unsigned hart, uint64_t leave, size_t *count)
{
    uint64_t *list = mem_new(t->steps + 1, sizeof *list);
    unsigned depth = 0;
    *count = 0;
    for (uint64_t n = 0; n < t->steps; n++) {
        if (t->step[n].hart != hart)
            continue;
        if (t->step[n].interrupt)
            depth++;
        else if (depth && t->step[n].pc == leave)
            depth--;
        else if (!depth)
            list[(*count)++] = n;
    }
    cr_assert_eq(depth, 0);
    return list;
}

/* All of a hart's steps forward, then backward: nothing of the handler, and the same pcs. */
static void both_ways(const struct guest *g, unsigned hart, uint64_t spacing)
{
    struct trace t;
    struct bench b;
    size_t count;
    struct timeline_options o = {.warp = true, .spacing_steps = spacing};
    trace_record(&t, g, NULL, 0, 1000000);
    uint64_t *outside = steps_outside(&t, hart, guest_symbol(g, "handler_return"), &count);
    cr_assert_gt(count, 500);
    uint64_t interrupts = 0;
    for (uint64_t n = 0; n < t.steps; n++)
        interrupts += t.step[n].interrupt;
    cr_assert_gt(interrupts, 20);
    bench_init(&b, g, &o);
    cr_assert_not(timeline_step_over_interrupts(b.tl));
    timeline_set_step_over_interrupts(b.tl, true);
    size_t live = count / 2;
    for (size_t i = 0; i < live; i++) {
        struct stop stop = move(&b, hart, false);
        cr_assert_eq(stop.reason, STOP_DONE, "step %zu: reason %d", i, stop.reason);
        cr_assert_eq(stop.position, outside[i] + 1, "step %zu: at %lu, not %lu", i, stop.position,
                     outside[i] + 1);
        bench_check(&b, &t, 0, "live");
    }
    for (size_t i = live; i-- > 0;) {
        struct stop stop = move(&b, hart, true);
        cr_assert_eq(stop.reason, STOP_DONE, "step %zu back: reason %d", i, stop.reason);
        cr_assert_eq(stop.position, outside[i], "step %zu back: at %lu, not %lu", i, stop.position,
                     outside[i]);
        bench_check(&b, &t, 0, "back");
    }
    for (size_t i = 0; i + 1 < live; i++) {
        struct stop stop = move(&b, hart, false);
        cr_assert_eq(stop.reason, STOP_DONE, "step %zu again: reason %d", i, stop.reason);
        cr_assert_eq(stop.position, outside[i] + 1, "step %zu again", i);
        bench_check(&b, &t, 0, "again");
    }
    timeline_set_step_over_interrupts(b.tl, false);
    cr_assert_not(timeline_step_over_interrupts(b.tl));
    free(outside);
    bench_fini(&b);
    trace_free(&t);
}

Test(step_over, both_ways)
{
    both_ways(&timer, 0, 500);
    both_ways(&timer, 0, 37);
}

Test(step_over, with_several_harts)
{
    both_ways(&harts, 0, 300);
    both_ways(&harts, 2, 1000);
}

static bool returns_from_trap(const struct bench *b, uint64_t pc)
{
    uint8_t bytes[4];
    struct cpu_flow flow;
    if (!timeline_read_memory(b->tl, 0, pc, bytes, sizeof bytes))
        return false;
    b->m->cpu[0]->ops->flow(bytes, &flow);
    return flow.kind == CPU_FLOW_TRAP_RETURN;
}

/* Wherever a guest with nested handlers in two privileges stands: a step forward and one back end
 * where the pc is the one before, and the option passes over no more than the handler. */
Test(step_over, is_undone)
{
    struct trace t;
    struct bench b;
    struct random random = {5};
    struct timeline_options o = {.warp = true, .spacing_steps = 700};
    trace_record(&t, &storm, NULL, 0, 1000000);
    bench_init(&b, &storm, &o);
    bench_live(&b, NULL, 0, t.steps - 50);
    timeline_set_step_over_interrupts(b.tl, true);
    unsigned passed = 0;
    for (uint64_t i = 0; i < bench_cases(150); i++) {
        uint64_t n = random_below(&random, t.steps - 2000);
        for (unsigned k = 0; k < 50 && !t.step[n].interrupt && i % 2; k++)
            n++;
        bench_seek(&b, n);
        uint64_t pc = t.pc[n];
        struct stop stop = move(&b, 0, false);
        if (stop.reason == STOP_END)
            continue;
        cr_assert_eq(stop.reason, STOP_DONE, "from %lu: reason %d", n, stop.reason);
        cr_assert_not(t.step[stop.position - 1].interrupt, "from %lu", n);
        cr_assert_eq(t.step[stop.position - 1].pc, pc, "from %lu", n);
        passed += stop.position > n + 1;
        bench_check(&b, &t, i, "forward");
        uint64_t made = stop.position - 1;
        if (returns_from_trap(&b, pc)) /* the handler is passed over on the way back */
            continue;
        stop = move(&b, 0, true);
        cr_assert_eq(stop.position, made, "from %lu: back to %lu", n, stop.position);
        bench_check(&b, &t, i, "back");
    }
    cr_assert_gt(passed, 20);
    bench_fini(&b);
    trace_free(&t);
}

/* Inside the handler a breakpoint stops, both ways. */
Test(step_over, points_inside)
{
    struct trace t;
    struct bench b;
    struct stop stop;
    uint64_t leave = guest_symbol(&timer, "handler_return"), entry = 100;
    trace_record(&t, &timer, NULL, 0, 1000000);
    bench_init(&b, &timer, NULL);
    bench_live(&b, NULL, 0, t.steps - 10);
    while (!t.step[entry].interrupt)
        entry++;
    timeline_set_step_over_interrupts(b.tl, true);
    timeline_point_add(b.tl, HIT_EXECUTE, t.step[entry + 2].pc, 0);
    bench_seek(&b, entry);
    stop = move(&b, 0, false);
    cr_assert_eq(stop.reason, STOP_BREAK);
    cr_assert_eq(stop.position, entry + 2);
    uint64_t behind = entry;
    while (t.step[behind].pc != leave)
        behind++;
    bench_seek(&b, behind + 1);
    stop = move(&b, 0, true);
    cr_assert_eq(stop.reason, STOP_BREAK);
    cr_assert_eq(stop.position, entry + 2);
    timeline_points_clear(b.tl);
    bench_seek(&b, behind + 1);
    stop = move(&b, 0, true);
    cr_assert_eq(stop.reason, STOP_DONE);
    cr_assert_eq(stop.position, entry - 1);
    timeline_set_step_over_interrupts(b.tl, false);
    bench_seek(&b, behind + 1);
    stop = move(&b, 0, true);
    cr_assert_eq(stop.position, behind);
    bench_fini(&b);
    trace_free(&t);
}

/* A range is stepped through without the handlers too, and where the interrupted pc has a
 * breakpoint the step that passes over the handler is not stopped by coming back to it. */
Test(step_over, ranges_and_interrupted_breakpoints)
{
    struct trace t;
    struct bench b;
    struct stop stop;
    uint64_t entry = 100;
    trace_record(&t, &timer, NULL, 0, 1000000);
    bench_init(&b, &timer, NULL);
    bench_live(&b, NULL, 0, t.steps - 10);
    while (!t.step[entry].interrupt)
        entry++;
    uint64_t behind = entry;
    while (t.step[behind].pc != guest_symbol(&timer, "handler_return"))
        behind++;
    timeline_set_step_over_interrupts(b.tl, true);
    timeline_point_add(b.tl, HIT_EXECUTE, t.step[entry].pc, 0);
    bench_seek(&b, entry);
    stop = move(&b, 0, false);
    cr_assert_eq(stop.reason, STOP_DONE);
    cr_assert_eq(stop.position, behind + 2);
    timeline_points_clear(b.tl);
    bench_seek(&b, entry - 1);
    timeline_step_range(b.tl, 0, t.step[entry - 1].pc, t.step[entry].pc + 1);
    timeline_finish(b.tl, &stop);
    cr_assert_eq(stop.reason, STOP_DONE);
    cr_assert_eq(stop.position, behind + 2);
    bench_fini(&b);
    trace_free(&t);
}

/* A debugger's write to what is watched by physical address, after a step and without the option.
 */
Test(step_over, writes_between_movements)
{
    struct bench b;
    struct error err = ERROR_INIT;
    const uint64_t address = GUEST_BASE + 0x14000, value = 1;
    const struct timeline_point watch = {.owner = OWNER_COMMANDS,
                                         .kinds = HIT_WRITE | HIT_PHYSICAL,
                                         .address = address,
                                         .size = sizeof value};
    bench_init(&b, &timer, NULL);
    timeline_point_set(b.tl, &watch);
    timeline_set_step_over_interrupts(b.tl, true);
    move(&b, 0, false);
    cr_assert(timeline_write_memory(b.tl, 0, address, &value, sizeof value, &err));
    timeline_set_step_over_interrupts(b.tl, false);
    cr_assert(timeline_write_memory(b.tl, 0, address, &value, sizeof value, &err));
    struct stop stop = move(&b, 0, false);
    cr_assert_eq(stop.reason, STOP_DONE);
    bench_fini(&b);
}
