#include "devices/rtc_goldfish.h"

#include "tests/unit/devices/bench.h"

enum { BASE = 0x101000, WIRE = 1 };
enum { TIME_LOW = 0, TIME_HIGH = 4, ALARM_LOW = 8, ALARM_HIGH = 12, ENABLED = 16 };
enum { CLEAR_ALARM = 20, STATUS = 24, CLEAR_INTERRUPT = 28 };

struct rig {
    struct bench b;
    struct rtc_goldfish rtc;
};

static struct rig *rig_new(void)
{
    struct rig *r = calloc(1, sizeof *r);
    bench_init(&r->b, 1);
    rtc_goldfish_init(&r->rtc, &r->b.m, BASE, 0x1000, bench_wire(&r->b, WIRE));
    bench_reset(&r->b);
    return r;
}

static void rig_free(struct rig *r)
{
    bench_fini(&r->b);
    free(r);
}

static uint64_t get(struct rig *r, unsigned reg)
{
    return bench_read(&r->b, BASE + reg, 4);
}

static void put(struct rig *r, unsigned reg, uint64_t value)
{
    bench_write(&r->b, BASE + reg, 4, value & 0xffffffff);
}

static uint64_t now(struct rig *r)
{
    uint64_t low = get(r, TIME_LOW);
    return get(r, TIME_HIGH) << 32 | low;
}

static void set_alarm(struct rig *r, uint64_t ns)
{
    put(r, ALARM_HIGH, ns >> 32);
    put(r, ALARM_LOW, ns);
}

static void pass(struct rig *r, uint64_t ns)
{
    clock_idle_until(&r->b.m.clock, clock_vtime(&r->b.m.clock) + ns);
}

Test(rtc_goldfish, tells_the_host_time)
{
    struct rig *r = rig_new();
    cr_assert_eq(now(r), r->b.host_clock);
    cr_assert_eq(r->b.clock_reads, 1, "the high half is latched");
    rig_free(r);
}

Test(rtc_goldfish, halves_belong_together)
{
    struct rig *r = rig_new();
    r->b.host_clock = 0x1ffffffff;
    cr_assert_eq(get(r, TIME_LOW), 0xffffffff);
    pass(r, 1);
    cr_assert_eq(get(r, TIME_HIGH), 1);
    cr_assert_eq(get(r, TIME_LOW), 0);
    cr_assert_eq(get(r, TIME_HIGH), 2);
    rig_free(r);
}

Test(rtc_goldfish, can_be_set)
{
    struct rig *r = rig_new();
    put(r, TIME_HIGH, 0x11);
    put(r, TIME_LOW, 0x22);
    cr_assert_eq(now(r), 0x1100000022);
    pass(r, 1000);
    cr_assert_eq(now(r), 0x1100000022 + 1000);
    rig_free(r);
}

/* Polling makes one event a second; in between virtual time is added to the last answer. */
Test(rtc_goldfish, asks_once_a_second)
{
    struct rig *r = rig_new();
    uint64_t first = r->b.host_clock;
    for (unsigned i = 0; i < 1000; i++) {
        cr_assert_eq(now(r), first + i * 1000);
        pass(r, 1000);
    }
    cr_assert_eq(r->b.clock_reads, 1);
    pass(r, 999000000);
    r->b.host_clock = first + 5000000000;
    cr_assert_eq(now(r), first + 5000000000, "the host's clock went faster");
    cr_assert_eq(r->b.clock_reads, 2);
    rig_free(r);
}

Test(rtc_goldfish, never_goes_back)
{
    struct rig *r = rig_new();
    uint64_t first = now(r);
    r->b.host_clock -= 100000000000;
    pass(r, 2000000000);
    cr_assert_eq(now(r), first + 2000000000);
    cr_assert_eq(r->b.clock_reads, 2);
    rig_free(r);
}

Test(rtc_goldfish, alarm_comes_in_virtual_time)
{
    struct rig *r = rig_new();
    put(r, ENABLED, 1);
    set_alarm(r, r->b.host_clock + 5000);
    cr_assert_eq(get(r, STATUS), 1);
    cr_assert_eq(get(r, ALARM_HIGH) << 32 | get(r, ALARM_LOW), r->b.host_clock + 5000);
    r->b.host_clock += 1000000;
    clock_idle_until(&r->b.m.clock, 4999);
    cr_assert(!r->b.wire[WIRE], "the host's time does not count");
    clock_idle_until(&r->b.m.clock, 5000);
    cr_assert(r->b.wire[WIRE]);
    cr_assert_eq(get(r, STATUS), 0);
    put(r, CLEAR_INTERRUPT, 1);
    cr_assert(!r->b.wire[WIRE]);
    rig_free(r);
}

Test(rtc_goldfish, past_alarm_comes_at_once)
{
    struct rig *r = rig_new();
    set_alarm(r, r->b.host_clock);
    cr_assert(!r->b.wire[WIRE], "interrupts are off");
    cr_assert_eq(get(r, STATUS), 0);
    put(r, ENABLED, 1);
    cr_assert(r->b.wire[WIRE]);
    put(r, ENABLED, 0);
    cr_assert(!r->b.wire[WIRE]);
    rig_free(r);
}

Test(rtc_goldfish, alarm_can_be_cleared_and_moved)
{
    struct rig *r = rig_new();
    put(r, ENABLED, 1);
    set_alarm(r, r->b.host_clock + 5000);
    put(r, CLEAR_ALARM, 1);
    cr_assert_eq(get(r, STATUS), 0);
    cr_assert_eq(r->b.m.clock.next, CLOCK_NEVER);
    set_alarm(r, r->b.host_clock + 5000);
    put(r, ALARM_LOW, r->b.host_clock + 9000);
    cr_assert_eq(r->b.m.clock.next, 9000);
    set_alarm(r, UINT64_MAX);
    cr_assert_eq(get(r, STATUS), 1);
    cr_assert(r->b.m.clock.next > UINT64_MAX / 2, "in some hundred years");
    rig_free(r);
}

Test(rtc_goldfish, widths_and_unknown)
{
    struct rig *r = rig_new();
    uint64_t value;
    cr_assert(!bus_read(&r->b.m.bus, BASE, 8, &value));
    cr_assert(!bus_write(&r->b.m.bus, BASE + ENABLED, 1, 1));
    cr_assert_eq(get(r, 0x20), 0);
    put(r, 0x20, 1);
    put(r, STATUS, 1);
    cr_assert_eq(get(r, STATUS), 0);
    rig_free(r);
}

Test(rtc_goldfish, looking_asks_nobody)
{
    struct rig *r = rig_new();
    set_alarm(r, r->b.host_clock + 5000);
    bench_peek_all(&r->b, BASE, 0x1000);
    uint64_t value;
    cr_assert(!bus_peek(&r->b.m.bus, BASE + TIME_LOW, 4, &value));
    cr_assert(bus_peek(&r->b.m.bus, BASE + STATUS, 1, &value));
    cr_assert_eq(value, 1);
    rig_free(r);
}

Test(rtc_goldfish, fixed)
{
    struct rig *r = rig_new();
    uint64_t value;
    pass(r, 77);
    rtc_goldfish_fix(&r->rtc, 1000000000000);
    cr_assert_eq(now(r), 1000000000077);
    pass(r, 5000000000);
    cr_assert_eq(now(r), 1005000000077);
    put(r, TIME_HIGH, 0);
    put(r, TIME_LOW, 5);
    pass(r, 10);
    cr_assert_eq(now(r), 15, "it can be set");
    set_alarm(r, 100);
    pass(r, 84);
    cr_assert_eq(get(r, STATUS), 1);
    cr_assert(bus_peek(&r->b.m.bus, BASE + TIME_LOW, 4, &value));
    cr_assert_eq(value, 99);
    pass(r, 1);
    cr_assert_eq(get(r, STATUS), 0);
    bench_reset(&r->b);
    cr_assert_eq(now(r), 1000000000000 + clock_vtime(&r->b.m.clock), "a reset leaves it fixed");
    cr_assert_eq(r->b.clock_reads, 0, "nobody was asked");
    rig_free(r);
}
