/* Toys that never stay idle, and their comparison. */
#ifndef TESTS_UNIT_MACHINE_TOY_BENCH_H
#define TESTS_UNIT_MACHINE_TOY_BENCH_H

#include "tests/unit/toy_machine.h"

#include <criterion/criterion.h>

/* When all wait: to the next deadline, else a byte of input comes, at a time that follows from the
 * position. */
static inline void end_wait(struct toy *toy)
{
    struct machine *m = &toy->machine;
    uint64_t next = machine_next_deadline(m);
    uint8_t byte = (uint8_t)machine_position(m);
    struct event event = {.position = machine_position(m),
                          .vtime = clock_vtime(&m->clock) + 77,
                          .kind = EVENT_INPUT,
                          .target = CHANNEL_SERIAL0,
                          .size = 1,
                          .data = &byte};
    if (next != CLOCK_NEVER) {
        machine_idle_until(m, next);
        return;
    }
    if (!machine_input_room(m, CHANNEL_SERIAL0)) {
        event.kind = EVENT_RESET;
        event.size = 0;
    }
    machine_deliver(m, &event);
}

static inline enum machine_stop advance(struct toy *toy, uint64_t until)
{
    for (;;) {
        enum machine_stop stop = machine_run(&toy->machine, until);
        if (stop != MACHINE_IDLE)
            return stop;
        end_wait(toy);
    }
}

static inline void assert_equal(const struct toy *a, const struct toy *b)
{
    struct buffer saved = {0}, lines = {0};
    machine_save(&a->machine, &saved);
    size_t differ = machine_diff(&b->machine, saved.data, saved.size, 9, &lines);
    cr_assert_eq(differ, 0, "%s", buffer_text(&lines));
    cr_assert_eq(memcmp(a->machine.ram.host, b->machine.ram.host, a->machine.ram.size), 0);
    buffer_fini(&saved);
    buffer_fini(&lines);
}

#endif
