/* The ends of history: power-off, resets, divergence, and a budget that is small. */
#include "tests/unit/timeline/bench.h"

#include "machine/riscv/riscv.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static struct stop forward(struct bench *b)
{
    struct stop stop;
    timeline_continue(b->tl);
    timeline_finish(b->tl, &stop);
    return stop;
}

Test(halt, at_the_tip)
{
    const struct guest g = {.name = "storm", .rounds = 1, .period = 20};
    struct trace t;
    struct bench b;
    trace_record(&t, &g, NULL, 0, 1000000);
    bench_init(&b, &g, NULL);
    for (unsigned i = 0; i < 3; i++) {
        struct stop stop = forward(&b);
        cr_assert_eq(stop.reason, STOP_HALT);
        cr_assert_eq(stop.halt, HALT_POWER_OFF);
        cr_assert_eq(stop.halt_code, 0);
        cr_assert_eq(stop.position, t.steps);
        cr_assert(timeline_live(b.tl));
        bench_check(&b, &t, 0, "off");
        timeline_step(b.tl, 0);
        timeline_finish(b.tl, &stop);
        cr_assert_eq(stop.reason, STOP_HALT, "a step of a machine that is off");
        timeline_reverse_step(b.tl, 0);
        timeline_finish(b.tl, &stop);
        cr_assert_eq(stop.reason, STOP_DONE);
        cr_assert_eq(stop.position, t.steps - 1);
        cr_assert_eq(b.m->state.halt, HALT_NONE);
        bench_check(&b, &t, 0, "before it went off");
        stop = forward(&b);
        cr_assert_eq(stop.reason, STOP_END);
        cr_assert_eq(stop.position, t.steps);
        stop = forward(&b);
        cr_assert_eq(stop.reason, STOP_HALT);
        bench_seek(&b, t.steps / 3);
        cr_assert_eq(forward(&b).reason, STOP_END);
    }
    cr_assert_eq(b.output.size, 1, "one letter, once");
    bench_fini(&b);
    trace_free(&t);
}

Test(halt, resets_are_positions)
{
    const struct guest g = {.name = "storm", .rounds = 1, .period = 20, .resets = 3};
    struct trace t;
    struct bench b;
    trace_record(&t, &g, NULL, 0, 1000000);
    struct timeline_options o = {.warp = true, .spacing_steps = 300};
    bench_init(&b, &g, &o);
    cr_assert_eq(forward(&b).reason, STOP_HALT);
    struct timeline_info info;
    timeline_info(b.tl, &info);
    cr_assert_eq(info.resets, 3);
    /* The reset's step ends in the boot ROM. */
    unsigned resets = 0;
    for (uint64_t n = t.steps; n-- > 1;) {
        if (t.pc[n] != 0x1000)
            continue;
        resets++;
        bench_seek(&b, n);
        bench_check(&b, &t, 0, "behind a reset");
        cr_assert_eq(b.m->state.resets, 4 - resets);
        struct stop stop;
        timeline_reverse_step(b.tl, 0);
        timeline_finish(b.tl, &stop);
        cr_assert_eq(stop.position, n - 1);
        bench_check(&b, &t, 0, "before a reset");
        timeline_step(b.tl, 0);
        timeline_finish(b.tl, &stop);
        bench_check(&b, &t, 0, "behind it again");
    }
    cr_assert_eq(resets, 3);
    timeline_point_add(b.tl, HIT_EXECUTE, 0x1000, 0);
    bench_seek(&b, t.steps);
    for (unsigned i = 0; i < 4; i++) {
        struct stop stop;
        timeline_reverse_continue(b.tl);
        timeline_finish(b.tl, &stop);
        cr_assert_eq(stop.reason, STOP_BREAK);
        cr_assert_eq(b.m->state.resets, 3 - i);
    }
    cr_assert_eq(timeline_position(b.tl), 0);
    bench_fini(&b);
    trace_free(&t);
}

/* ---- divergence ---- */

enum corruption { CORRUPT_RAM, CORRUPT_REGISTER, CORRUPT_DEVICE, CORRUPTIONS };

static void corrupt(struct machine *m, enum corruption what)
{
    uint64_t word = 0xbad;
    struct cpu *cpu = m->cpu[0];
    switch (what) {
    case CORRUPT_RAM:
        ram_write(&m->ram, GUEST_BASE + GUEST_BYTES + 4096, &word, sizeof word);
        break;
    case CORRUPT_REGISTER:
        cr_assert(cpu->ops->set_register(cpu, 27, word)); /* s11: the guest never uses it */
        break;
    default:
        cr_assert(bus_write(&m->bus, 0x10000007, 1, 0x5a)); /* the UART's scratch register */
    }
}

Test(halt, divergence_is_found)
{
    static const char *const component[] = {"ram", "cpus", "devices"};
    const struct guest g = {.name = "storm", .rounds = 4, .period = 12};
    struct trace t;
    trace_record(&t, &g, NULL, 0, 1000000);
    struct random random = {3};
    for (unsigned i = 0; i < 6 * CORRUPTIONS; i++) {
        enum corruption what = i % CORRUPTIONS;
        struct timeline_options o = {.warp = true, .spacing_steps = 500};
        struct bench b;
        bench_init(&b, &g, &o);
        bench_live(&b, NULL, 0, t.steps);
        uint64_t n = random_below(&random, t.steps - 600);
        bench_seek(&b, n);
        corrupt(b.m, what);
        struct stop stop = forward(&b);
        cr_assert_eq(stop.reason, STOP_DIVERGED, "%s at %lu: reason %d", component[what], n,
                     stop.reason);
        cr_assert(strstr(stop.text, component[what]), "%s: %s", component[what], stop.text);
        /* The interval: the marks around the place. */
        char interval[64];
        snprintf(interval, sizeof interval, "%lu and %lu", n / 500 * 500, n / 500 * 500 + 500);
        cr_assert(strstr(stop.text, interval), "%s: %s", interval, stop.text);
        cr_assert_eq(stop.position, n / 500 * 500 + 500);
        cr_assert_not(timeline_moving(b.tl));
        /* What is kept is not spoilt: everywhere else, and here. */
        for (unsigned k = 0; k < 12; k++) {
            uint64_t there = k == 0 ? t.steps : k == 1 ? n : random_below(&random, t.steps + 1);
            stop = bench_seek(&b, there);
            cr_assert_eq(stop.reason, STOP_DONE, "%s: then %lu: reason %d %s", component[what],
                         there, stop.reason, stop.text);
            cr_assert_eq(stop.position, there);
            bench_check(&b, &t, i, "after a divergence");
        }
        bench_fini(&b);
    }
    trace_free(&t);
}

/* Whoever goes on after a divergence goes on from what was recorded, and nothing taken on the wrong
 * way is kept. */
Test(halt, divergence_is_left_behind)
{
    const struct guest g = {.name = "storm", .rounds = 4, .period = 12};
    struct trace t;
    trace_record(&t, &g, NULL, 0, 1000000);
    for (unsigned i = 0; i < 3 * CORRUPTIONS; i++) {
        struct timeline_options o = {.warp = true, .spacing_steps = 3000};
        struct bench b;
        struct stop stop;
        bench_init(&b, &g, &o);
        bench_live(&b, NULL, 0, t.steps);
        bench_seek(&b, 3100);
        corrupt(b.m, i % CORRUPTIONS);
        cr_assert_eq(bench_seek(&b, 5500).reason, STOP_DONE, "not seen yet");
        if (i < CORRUPTIONS) {
            cr_assert_eq(forward(&b).reason, STOP_DIVERGED);
            cr_assert_eq(forward(&b).reason, STOP_END);
            bench_check(&b, &t, i, "at the tip");
        } else if (i < 2 * CORRUPTIONS) {
            cr_assert_eq(forward(&b).reason, STOP_DIVERGED);
            timeline_reverse_step(b.tl, 0);
            timeline_finish(b.tl, &stop);
            cr_assert_eq(stop.reason, STOP_DONE);
            bench_check(&b, &t, i, "a step back");
        } else {
            cr_assert_eq(forward(&b).reason, STOP_DIVERGED);
            bench_seek(&b, 6345);
            bench_check(&b, &t, i, "further on");
        }
        bench_seek(&b, 5499);
        bench_check(&b, &t, i, "on the way there");
        bench_fini(&b);
    }
    trace_free(&t);
}

/* A replay that ends early is one that differs. */
Test(halt, divergence_by_a_halt)
{
    const struct guest g = {.name = "storm", .rounds = 4, .period = 12};
    struct trace t;
    trace_record(&t, &g, NULL, 0, 1000000);
    /* Behind the last event: with one to come, the player would notice. */
    for (unsigned i = 0; i < 3; i++) {
        struct timeline_options o = {.warp = true, .spacing_steps = 6000};
        struct bench b;
        struct stop stop;
        bench_init(&b, &g, &o);
        bench_live(&b, NULL, 0, t.steps);
        bench_seek(&b, t.steps - 200);
        b.m->state.halt = HALT_EXIT;
        if (i == 0)
            stop = forward(&b);
        else if (i == 1)
            stop = bench_seek(&b, t.steps - 100);
        else {
            timeline_step(b.tl, 0);
            timeline_finish(b.tl, &stop);
        }
        cr_assert_eq(stop.reason, STOP_DIVERGED, "case %u: reason %d", i, stop.reason);
        cr_assert(strstr(stop.text, "has halted"), "%s", stop.text);
        bench_seek(&b, t.steps - 200);
        bench_check(&b, &t, i, "after a divergence");
        bench_fini(&b);
    }
    trace_free(&t);
}

/* Where a debugger has changed something there are two marks: the one behind its writes counts. */
Test(halt, divergence_before_a_debuggers_write)
{
    const struct guest g = {.name = "storm", .rounds = 4, .period = 12};
    struct timeline_options o = {.warp = true, .spacing_steps = 6000};
    struct bench b;
    struct error err = ERROR_INIT;
    uint64_t word = 1;
    bench_init(&b, &g, &o);
    bench_live(&b, NULL, 0, 1000);
    bench_seek(&b, 500);
    bench_seek(&b, 1000);
    cr_assert(timeline_live(b.tl));
    cr_assert(
        timeline_write_memory(b.tl, 0, GUEST_BASE + GUEST_BYTES + 8192, &word, sizeof word, &err));
    bench_seek(&b, 500);
    bench_seek(&b, 1000);
    bench_live(&b, NULL, 0, 3000);
    bench_seek(&b, 700);
    corrupt(b.m, CORRUPT_RAM);
    struct stop stop = forward(&b);
    cr_assert_eq(stop.reason, STOP_DIVERGED);
    cr_assert_eq(stop.position, 1000);
    cr_assert(strstr(stop.text, "between positions 0 and 1000"), "%s", stop.text);
    bench_fini(&b);
}

/* A guest that waits for a time centuries ahead waits for ever: warping there would leave no room
 * for the time behind it. */
Test(halt, stuck_before_a_far_deadline)
{
    enum { PC = 32, CSR = 65, MIE = CSR + 0x304, MENVCFG = CSR + 0x30a, STIMECMP = CSR + 0x14d };
    static const uint32_t program[] = {0x13, 0x10500073, 0xffdff06f}; /* nop; wfi, again */
    const uint64_t code = GUEST_BASE + GUEST_BYTES + 4096;
    const struct guest g = {.name = "storm", .rounds = 1, .period = 20};
    struct error err = ERROR_INIT;
    struct bench b;
    bench_init(&b, &g, NULL);
    cr_assert(timeline_write_memory(b.tl, 0, code, program, sizeof program, &err));
    cr_assert(timeline_write_register(b.tl, 0, MENVCFG, UINT64_C(1) << 63, &err));
    cr_assert(timeline_write_register(b.tl, 0, STIMECMP, UINT64_C(1) << 57, &err));
    cr_assert(timeline_write_register(b.tl, 0, MIE, 1 << 5, &err));
    cr_assert(timeline_write_register(b.tl, 0, PC, code, &err));
    struct stop stop = {.reason = STOP_DONE};
    timeline_continue_to(b.tl, 100);
    timeline_finish(b.tl, &stop);
    cr_assert_eq(bench_seek(&b, 1).position, 1);
    cr_assert_eq(bench_seek(&b, 2).position, 2);
    cr_assert_eq(stop.reason, STOP_STUCK);
    cr_assert_eq(stop.position, 2);
    bench_fini(&b);
}

/* ---- the budget ---- */

Test(halt, small_budget)
{
    const struct guest g = {.name = "storm", .rounds = 40, .period = 12};
    struct trace t;
    struct random random = {11};
    trace_record(&t, &g, NULL, 0, 2000000);
    cr_assert_gt(t.steps, 60000);
    struct timeline_options o = {.warp = true, .spacing_steps = 300, .budget = 1 << 20};
    struct bench b;
    struct timeline_info info;
    bench_init(&b, &g, &o);
    for (uint64_t n = 0; n < t.steps; n += 1500) {
        bench_live(&b, NULL, 0, n < t.steps ? n : t.steps);
        timeline_info(b.tl, &info);
        cr_assert_eq(info.budget, o.budget);
        cr_assert_leq(info.bytes, info.budget, "at %lu", n);
    }
    bench_live(&b, NULL, 0, UINT64_MAX);
    timeline_info(b.tl, &info);
    cr_assert_lt(info.checkpoints, t.steps / 300, "it had to thin");
    cr_assert_gt(info.checkpoints, 4, "it kept some");
    for (uint64_t i = 0; i < bench_cases(60); i++) {
        uint64_t n = random_below(&random, t.steps + 1);
        struct stop stop = bench_seek(&b, n);
        cr_assert_eq(stop.reason, STOP_DONE, "%s", stop.text);
        bench_check(&b, &t, i, "in a thinned history");
        timeline_reverse_step(b.tl, 0);
        timeline_finish(b.tl, &stop);
        cr_assert_eq(stop.position, n ? n - 1 : 0);
        bench_check(&b, &t, i, "a step back there");
        timeline_info(b.tl, &info);
        cr_assert_leq(info.bytes, info.budget, "case %lu", i);
    }
    bench_fini(&b);
    trace_free(&t);
}

/* Less memory than the guest's own state takes: the rest goes to a file, and nothing else changes.
 */
Test(halt, spilled)
{
    const struct guest g = {.name = "storm", .rounds = 40, .period = 12};
    struct trace t;
    struct random random = {12};
    trace_record(&t, &g, NULL, 0, 2000000);
    struct timeline_options o = {.warp = true, .spacing_steps = 300, .budget = 200 << 10};
    struct bench b;
    struct timeline_info info;
    bench_init(&b, &g, &o);
    bench_live(&b, NULL, 0, UINT64_MAX);
    timeline_info(b.tl, &info);
    cr_assert_gt(info.spilled_bytes, 0);
    cr_assert_gt(info.checkpoints, 4);
    for (uint64_t i = 0; i < bench_cases(40); i++) {
        uint64_t n = random_below(&random, t.steps + 1);
        struct stop stop = bench_seek(&b, n);
        cr_assert_eq(stop.reason, STOP_DONE, "%s", stop.text);
        bench_check(&b, &t, i, "from spilled frames");
        timeline_info(b.tl, &info);
        cr_assert_leq(info.bytes, info.budget, "%lu of %lu bytes", info.bytes, info.budget);
    }
    cr_assert_gt(info.approach, 0, "the next steps back are quick");
    bench_fini(&b);
    trace_free(&t);
}

Test(halt, no_room_at_all)
{
    const struct guest g = {.name = "storm", .rounds = 40, .period = 12};
    struct timeline_options o = {.warp = true, .spacing_steps = 300, .budget = 100 << 10};
    struct bench b;
    setenv("TMPDIR", "/nonexistent/folder", 1);
    bench_init(&b, &g, &o);
    struct stop stop = bench_live(&b, NULL, 0, UINT64_MAX);
    cr_assert_eq(stop.reason, STOP_FULL);
    cr_assert_not_null(strstr(stop.text, "/nonexistent/folder"), "%s", stop.text);
    cr_assert(timeline_live(b.tl));
    /* What has been recorded is there all the same. */
    uint64_t tip = timeline_tip(b.tl);
    cr_assert_eq(bench_seek(&b, tip / 2).position, tip / 2);
    cr_assert_eq(bench_seek(&b, tip).position, tip);
    /* With room it goes on. */
    setenv("TMPDIR", "/var/tmp", 1);
    cr_assert_eq(bench_live(&b, NULL, 0, UINT64_MAX).reason, STOP_HALT);
    struct timeline_info info;
    timeline_info(b.tl, &info);
    cr_assert_gt(info.spilled_bytes, 0);
    bench_fini(&b);
}
