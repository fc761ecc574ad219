#include "tests/unit/replay/session.h"

#include "base/endian.h"

#include <criterion/criterion.h>

static struct session s;

static void init(void)
{
    session_init(&s, 5);
    s.toy.halts = false;
}

static void fini(void)
{
    session_fini(&s);
}

TestSuite(recorder, .init = init, .fini = fini);

/* Let every processor wait. */
static void all_wait(void)
{
    for (unsigned i = 0; i < TOY_CPUS; i++) {
        s.toy.state[i].waiting = 1;
        s.toy.state[i].pending = 0;
    }
    for (unsigned i = 0; i < TOY_CPUS; i++)
        for (unsigned t = 0; t < TOY_TIMERS; t++)
            clock_arm(&s.toy.machine.clock, s.toy.timer[i][t], CLOCK_NEVER);
}

Test(recorder, input_up_to_the_room)
{
    struct machine *m = &s.toy.machine;
    machine_run(m, 100);
    uint8_t bytes[20] = "0123456789abcdefghi";
    s.toy.port = (struct toy_port_state){0};
    uint64_t count = log_count(s.log), position = machine_position(m);
    cr_expect_eq(recorder_input(&s.recorder, CHANNEL_SERIAL0, bytes, 5, 0), 5);
    cr_expect_eq(recorder_input(&s.recorder, CHANNEL_SERIAL0, bytes + 5, 15, 0), TOY_FIFO - 5);
    cr_expect_eq(recorder_input(&s.recorder, CHANNEL_SERIAL0, bytes + 16, 4, 0), 0);
    cr_expect_eq(recorder_input(&s.recorder, CHANNEL_SEMIHOST, bytes, 4, 0), 0);
    cr_expect_eq(recorder_input(&s.recorder, CHANNEL_SERIAL0, bytes, 0, 0), 0);
    cr_assert_eq(log_count(s.log), count + 2, "what is not taken is not logged");
    struct event e = log_get(s.log, count + 1);
    cr_expect_eq(e.kind, EVENT_INPUT);
    cr_expect_eq(e.position, position);
    cr_expect_eq(e.size, TOY_FIFO - 5);
    cr_expect_arr_eq(e.data, bytes + 5, e.size);
    cr_expect_arr_eq(s.toy.port.fifo, bytes, TOY_FIFO);
}

Test(recorder, idle_time_ends_with_the_event)
{
    struct machine *m = &s.toy.machine;
    machine_run(m, 100);
    all_wait();
    uint64_t now = clock_vtime(&m->clock);
    recorder_input(&s.recorder, CHANNEL_SERIAL0, (const uint8_t *)"x", 1, now + 700);
    cr_expect_eq(clock_vtime(&m->clock), now + 700);
    cr_expect_eq(log_get(s.log, log_count(s.log) - 1).vtime, now + 700);
}

/* Held harts wait, whatever they could do. */
Test(recorder, idle_time_of_held_harts)
{
    struct machine *m = &s.toy.machine;
    uint8_t bytes[4] = {(1 << TOY_CPUS) - 1};
    machine_run(m, 100);
    all_wait();
    s.toy.state[0].pending = 1;
    uint64_t now = clock_vtime(&m->clock);
    recorder_event(&s.recorder, EVENT_HOLD, 0, bytes, sizeof bytes, now + 700);
    cr_expect_eq(clock_vtime(&m->clock), now);
    recorder_event(&s.recorder, EVENT_IDLE, 0, NULL, 0, now + 700);
    cr_expect_eq(clock_vtime(&m->clock), now + 700);
    cr_expect_eq(log_get(s.log, log_count(s.log) - 1).vtime, now + 700);
}

Test(recorder, no_event_is_later_than_a_deadline)
{
    struct machine *m = &s.toy.machine;
    machine_run(m, 100);
    all_wait();
    uint64_t now = clock_vtime(&m->clock), fired = s.toy.state[1].fired;
    clock_arm(&m->clock, s.toy.timer[1][0], now + 50);
    recorder_event(&s.recorder, EVENT_MEMORY, 0, &(uint64_t){TOY_BASE}, 8, now + 700);
    cr_expect_eq(clock_vtime(&m->clock), now + 50);
    cr_expect_eq(s.toy.state[1].fired, fired + 1, "the deadline comes first");
}

Test(recorder, a_busy_machine_does_not_wait)
{
    struct machine *m = &s.toy.machine;
    all_wait();
    s.toy.state[1].waiting = 0;
    uint64_t idle = m->clock.state.idle;
    recorder_input(&s.recorder, CHANNEL_SERIAL0, (const uint8_t *)"x", 1, 1000000);
    cr_expect_eq(m->clock.state.idle, idle);
    cr_expect_eq(log_get(s.log, 0).vtime, clock_vtime(&m->clock));
}

Test(recorder, clock_values_are_logged_with_their_step)
{
    session_live(&s, 20000);
    uint64_t clocks = 0, last = 0;
    for (uint64_t i = 0; i < log_count(s.log); i++) {
        struct event e = log_get(s.log, i);
        if (e.kind != EVENT_CLOCK)
            continue;
        clocks++;
        cr_assert_eq(e.size, 8);
        cr_assert_gt(load_le64(e.data), last);
        last = load_le64(e.data);
    }
    cr_expect_gt(clocks, 50);
    cr_expect_eq(last, s.host_now, "every answer of the host is in the log");
}

Test(recorder, output_leaves)
{
    machine_output(&s.toy.machine, CHANNEL_SERIAL0, "ab", 2);
    machine_output(&s.toy.machine, CHANNEL_SEMIHOST, "c", 1);
    cr_expect_eq(s.output.size, 5);
    cr_expect_arr_eq(s.output.data, "\0ab\1c", 5);
    s.recorder.host.output = NULL;
    machine_output(&s.toy.machine, CHANNEL_SERIAL0, "d", 1);
    cr_expect_eq(s.output.size, 5);
}
