#include "machine/clock.h"

#include "base/hash.h"

#include <criterion/criterion.h>
#include <signal.h>

enum { TIMERS = 5 };

struct expiry {
    unsigned which;
    uint64_t vtime;
};

struct bench {
    struct clock clock;
    struct expiry seen[64];
    unsigned count;
    uint64_t again[TIMERS]; /* armed anew by this much when it expires; 0: not */
};

static void expired(void *ctx, unsigned which)
{
    struct bench *b = ctx;
    cr_assert_eq(b->clock.state.deadline[which], CLOCK_NEVER, "disarmed before it is told");
    b->seen[b->count++] = (struct expiry){which, clock_vtime(&b->clock)};
    if (b->again[which])
        clock_arm(&b->clock, which, clock_vtime(&b->clock) + b->again[which]);
}

static void init(struct bench *b, unsigned shift)
{
    *b = (struct bench){0};
    clock_init(&b->clock, shift);
    for (unsigned i = 0; i < TIMERS; i++)
        cr_assert_eq(clock_timer_add(&b->clock, expired, b, i), i);
}

Test(clock, every_byte_is_described)
{
    bool map[sizeof(struct clock_state)] = {false};
    cr_assert_eq(clock_fields.size, sizeof map);
    fields_coverage(&clock_fields, map);
    for (unsigned at = 0; at < sizeof map; at++)
        cr_assert(map[at], "byte %u", at);
}

Test(clock, nothing_is_armed_at_first)
{
    struct bench b;
    init(&b, 3);
    cr_assert_eq(b.clock.next, CLOCK_NEVER);
    cr_assert_eq(clock_next_position(&b.clock), UINT64_MAX);
    b.clock.state.icount = UINT64_C(1) << 60;
    clock_expire(&b.clock);
    cr_assert_eq(b.count, 0);
}

Test(clock, vtime_is_steps_and_idle_time)
{
    struct bench b;
    init(&b, 3);
    b.clock.state.icount = 100;
    b.clock.state.idle = 7;
    cr_assert_eq(clock_vtime(&b.clock), 807);
}

/* The position is the first at which the deadline has come, for every shift and remainder. */
Test(clock, next_position_is_the_first)
{
    for (unsigned shift = 0; shift <= 10; shift++) {
        struct bench b;
        init(&b, shift);
        for (uint64_t i = 0; i < 2000; i++) {
            uint64_t r = hash_mix(i * 11 + shift + 1);
            b.clock.state.icount = 0;
            b.clock.state.idle = r % 5000;
            clock_arm(&b.clock, 2, r >> 40);
            uint64_t at = clock_next_position(&b.clock);
            b.clock.state.icount = at;
            cr_assert(clock_vtime(&b.clock) >= r >> 40);
            b.clock.state.icount = at - 1;
            cr_assert(at == 0 || clock_vtime(&b.clock) < r >> 40, "shift %u", shift);
        }
    }
}

Test(clock, by_deadline_then_by_wiring)
{
    struct bench b;
    static const unsigned order[] = {3, 0, 4, 1};
    init(&b, 0);
    clock_arm(&b.clock, 4, 20);
    clock_arm(&b.clock, 0, 20);
    clock_arm(&b.clock, 1, 21);
    clock_arm(&b.clock, 3, 19);
    clock_arm(&b.clock, 2, 22);
    cr_assert_eq(clock_next_position(&b.clock), 19);
    b.clock.state.icount = 21;
    clock_expire(&b.clock);
    cr_assert_eq(b.count, 4);
    for (unsigned i = 0; i < 4; i++)
        cr_assert_eq(b.seen[i].which, order[i], "%u", i);
    cr_assert_eq(b.clock.next, 22);
    clock_arm(&b.clock, 2, CLOCK_NEVER);
    cr_assert_eq(b.clock.next, CLOCK_NEVER);
}

Test(clock, a_deadline_in_the_past_expires_at_once)
{
    struct bench b;
    init(&b, 3);
    b.clock.state.icount = 50;
    clock_arm(&b.clock, 1, 399);
    cr_assert(clock_next_position(&b.clock) <= 50);
    clock_expire(&b.clock);
    cr_assert_eq(b.count, 1);
    clock_expire(&b.clock);
    cr_assert_eq(b.count, 1);
}

Test(clock, idle_time_stops_at_each_deadline)
{
    struct bench b;
    init(&b, 3);
    b.clock.state.icount = 10;
    b.again[1] = 30;
    clock_arm(&b.clock, 1, 100);
    clock_arm(&b.clock, 0, 130);
    clock_idle_until(&b.clock, 160);
    cr_assert_eq(clock_vtime(&b.clock), 160);
    cr_assert_eq(b.clock.state.icount, 10);
    cr_assert_eq(b.clock.state.idle, 80);
    static const struct expiry expected[] = {{1, 100}, {0, 130}, {1, 130}, {1, 160}};
    cr_assert_eq(b.count, 4);
    for (unsigned i = 0; i < 4; i++) {
        cr_assert_eq(b.seen[i].which, expected[i].which, "%u", i);
        cr_assert_eq(b.seen[i].vtime, expected[i].vtime, "%u", i);
    }
    cr_assert_eq(b.clock.next, 190);
}

Test(clock, idle_time_in_parts_is_the_same)
{
    struct bench a, b;
    init(&a, 2);
    init(&b, 2);
    a.again[0] = b.again[0] = 7;
    a.again[3] = b.again[3] = 13;
    for (unsigned i = 0; i < TIMERS; i += 3) {
        clock_arm(&a.clock, i, 5);
        clock_arm(&b.clock, i, 5);
    }
    clock_idle_until(&a.clock, 150);
    for (uint64_t t = 0; t <= 150; t++)
        clock_idle_until(&b.clock, t);
    cr_assert_eq(fields_digest(&clock_fields, &a.clock.state),
                 fields_digest(&clock_fields, &b.clock.state));
    cr_assert_eq(a.count, b.count);
    for (unsigned i = 0; i < a.count; i++)
        cr_assert(a.seen[i].which == b.seen[i].which && a.seen[i].vtime == b.seen[i].vtime);
}

Test(clock, idle_time_does_not_run_backwards, .signal = SIGABRT)
{
    struct bench b;
    init(&b, 3);
    b.clock.state.icount = 10;
    clock_idle_until(&b.clock, 79);
}

Test(clock, restored_finds_the_next_deadline)
{
    struct bench b;
    init(&b, 0);
    b.clock.state.deadline[4] = 9;
    clock_restored(&b.clock);
    cr_assert_eq(b.clock.next, 9);
    cr_assert_eq(b.count, 0);
}

/* A deadline nobody lives to see is none: idle time up to it would make vtime wrap. */
Test(clock, far_deadlines_are_not_armed)
{
    struct bench b;
    init(&b, 3);
    clock_arm(&b.clock, 0, CLOCK_LAST + 1);
    clock_arm(&b.clock, 1, CLOCK_NEVER - 1);
    cr_assert_eq(b.clock.next, CLOCK_NEVER);
    cr_assert_eq(b.clock.state.deadline[0], CLOCK_NEVER);
    clock_arm(&b.clock, 2, CLOCK_LAST);
    cr_assert_eq(b.clock.next, CLOCK_LAST);
    clock_arm(&b.clock, 2, CLOCK_LAST + 1);
    cr_assert_eq(b.clock.next, CLOCK_NEVER);
}
