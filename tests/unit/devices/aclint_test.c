#include "devices/aclint.h"

#include "tests/unit/devices/bench.h"

enum { BASE = 0x2000000, HARTS = 2, SOFTWARE = 0, TIMER = 8 };
enum { MTIMECMP = BASE + 0x4000, MTIME = BASE + 0xbff8 };

struct rig {
    struct bench b;
    struct aclint aclint;
};

static struct rig *rig_new(void)
{
    struct rig *r = calloc(1, sizeof *r);
    struct irq software[HARTS], deadline[HARTS];
    bench_init(&r->b, HARTS);
    for (unsigned i = 0; i < HARTS; i++) {
        software[i] = bench_wire(&r->b, SOFTWARE + i);
        deadline[i] = bench_wire(&r->b, TIMER + i);
    }
    aclint_init(&r->aclint, &r->b.m, BASE, 0x10000, software, deadline);
    bench_reset(&r->b);
    return r;
}

static void rig_free(struct rig *r)
{
    bench_fini(&r->b);
    free(r);
}

/* Let time pass until mtime would be `ticks` if nobody had set it. */
static void until_tick(struct rig *r, uint64_t ticks)
{
    clock_idle_until(&r->b.m.clock, ticks * BENCH_TICK);
}

Test(aclint, reset_values)
{
    struct rig *r = rig_new();
    for (unsigned i = 0; i < HARTS; i++) {
        cr_assert_eq(bench_read(&r->b, BASE + 4 * i, 4), 0);
        cr_assert_eq(bench_read(&r->b, MTIMECMP + 8 * i, 8), UINT64_MAX);
    }
    cr_assert_eq(bench_read(&r->b, MTIME, 8), 0);
    cr_assert_eq(r->b.moves, 0);
    cr_assert_eq(r->b.m.clock.next, CLOCK_NEVER);
    rig_free(r);
}

Test(aclint, software_interrupts)
{
    struct rig *r = rig_new();
    bench_write(&r->b, BASE + 4, 4, 0xffffffff);
    cr_assert_eq(bench_read(&r->b, BASE + 4, 4), 1, "only bit 0 is there");
    cr_assert(r->b.wire[SOFTWARE + 1] && !r->b.wire[SOFTWARE]);
    bench_write(&r->b, BASE + 4, 4, 2);
    cr_assert(!r->b.wire[SOFTWARE + 1]);
    rig_free(r);
}

Test(aclint, time_runs_with_the_machine)
{
    struct rig *r = rig_new();
    until_tick(r, 0x123456789);
    cr_assert_eq(bench_read(&r->b, MTIME, 8), 0x123456789);
    cr_assert_eq(bench_read(&r->b, MTIME, 4), 0x23456789);
    cr_assert_eq(bench_read(&r->b, MTIME + 4, 4), 1);
    rig_free(r);
}

Test(aclint, timer_goes_off_on_its_tick)
{
    struct rig *r = rig_new();
    bench_write(&r->b, MTIMECMP + 8, 8, 1000);
    cr_assert_eq(r->b.m.clock.next, 1000 * BENCH_TICK);
    clock_idle_until(&r->b.m.clock, 1000 * BENCH_TICK - 1);
    cr_assert(!r->b.wire[TIMER + 1]);
    until_tick(r, 1000);
    cr_assert(r->b.wire[TIMER + 1] && !r->b.wire[TIMER]);
    bench_write(&r->b, MTIMECMP + 8, 8, 1001);
    cr_assert(!r->b.wire[TIMER + 1], "a later comparison takes it back");
    until_tick(r, 1001);
    cr_assert(r->b.wire[TIMER + 1]);
    rig_free(r);
}

Test(aclint, past_comparison_is_at_once)
{
    struct rig *r = rig_new();
    bench_write(&r->b, MTIMECMP, 8, 0);
    cr_assert(r->b.wire[TIMER], "0 >= 0");
    cr_assert_eq(r->b.m.clock.next, CLOCK_NEVER);
    until_tick(r, 50);
    bench_write(&r->b, MTIMECMP, 8, 51);
    cr_assert(!r->b.wire[TIMER]);
    bench_write(&r->b, MTIMECMP, 8, 50);
    cr_assert(r->b.wire[TIMER]);
    rig_free(r);
}

Test(aclint, comparison_in_halves)
{
    struct rig *r = rig_new();
    bench_write(&r->b, MTIMECMP + 4, 4, 0x11);
    bench_write(&r->b, MTIMECMP, 4, 0x2233);
    cr_assert_eq(bench_read(&r->b, MTIMECMP, 8), 0x1100002233);
    cr_assert_eq(bench_read(&r->b, MTIMECMP + 4, 4), 0x11);
    rig_free(r);
}

Test(aclint, time_can_be_set)
{
    struct rig *r = rig_new();
    until_tick(r, 500);
    bench_write(&r->b, MTIMECMP, 8, 2000);
    bench_write(&r->b, MTIME, 8, 1900);
    cr_assert_eq(r->b.m.clock.next, 600 * BENCH_TICK);
    until_tick(r, 600);
    cr_assert(r->b.wire[TIMER]);
    cr_assert_eq(bench_read(&r->b, MTIME, 8), 2000);
    bench_write(&r->b, MTIME, 8, 0);
    cr_assert(!r->b.wire[TIMER], "set back");
    until_tick(r, 2599);
    cr_assert(!r->b.wire[TIMER]);
    until_tick(r, 2600);
    cr_assert(r->b.wire[TIMER]);
    bench_write(&r->b, MTIME + 4, 4, 7);
    cr_assert_eq(bench_read(&r->b, MTIME, 8), 0x7000007d0);
    rig_free(r);
}

Test(aclint, time_wraps)
{
    struct rig *r = rig_new();
    bench_write(&r->b, MTIMECMP, 8, 5);
    bench_write(&r->b, MTIME, 8, UINT64_MAX - 9);
    cr_assert(r->b.wire[TIMER]);
    until_tick(r, 9);
    cr_assert(r->b.wire[TIMER]);
    until_tick(r, 10);
    cr_assert_eq(bench_read(&r->b, MTIME, 8), 0);
    cr_assert(!r->b.wire[TIMER]);
    until_tick(r, 15);
    cr_assert(r->b.wire[TIMER]);
    rig_free(r);
}

Test(aclint, far_comparisons_never_come)
{
    struct rig *r = rig_new();
    until_tick(r, 12345);
    bench_write(&r->b, MTIMECMP, 8, CLOCK_LAST / BENCH_TICK + 1);
    cr_assert_eq(r->b.m.clock.next, CLOCK_NEVER);
    bench_write(&r->b, MTIMECMP, 8, CLOCK_LAST / BENCH_TICK);
    cr_assert_eq(r->b.m.clock.next, CLOCK_LAST / BENCH_TICK * BENCH_TICK);
    rig_free(r);
}

Test(aclint, widths)
{
    struct rig *r = rig_new();
    uint64_t value;
    cr_assert(!bus_read(&r->b.m.bus, MTIME, 2, &value));
    cr_assert(!bus_read(&r->b.m.bus, BASE, 8, &value));
    cr_assert(!bus_write(&r->b.m.bus, MTIMECMP, 1, 0));
    cr_assert_eq(bench_read(&r->b, BASE + 4 * HARTS, 4), 0, "no such hart");
    cr_assert_eq(bench_read(&r->b, MTIMECMP + 8 * HARTS, 8), 0);
    bench_write(&r->b, MTIMECMP + 8 * HARTS, 8, 0);
    cr_assert_eq(r->b.moves, 0);
    rig_free(r);
}

Test(aclint, looking_changes_nothing)
{
    struct rig *r = rig_new();
    until_tick(r, 0x1234);
    bench_peek_all(&r->b, BASE, 0x10000);
    uint64_t value;
    cr_assert(bus_peek(&r->b.m.bus, MTIME + 1, 1, &value));
    cr_assert_eq(value, 0x12);
    rig_free(r);
}

Test(aclint, reset_takes_everything_back)
{
    struct rig *r = rig_new();
    until_tick(r, 100);
    bench_write(&r->b, BASE, 4, 1);
    bench_write(&r->b, MTIMECMP, 8, 0);
    bench_write(&r->b, MTIME, 8, 7);
    bench_reset(&r->b);
    cr_assert(!r->b.wire[SOFTWARE] && !r->b.wire[TIMER]);
    cr_assert_eq(bench_read(&r->b, MTIME, 8), 100);
    rig_free(r);
}
