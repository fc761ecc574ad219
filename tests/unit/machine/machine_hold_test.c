/* Harts that a debugger holds: they make no step, the others do, and it is state. */
#include "base/endian.h"
#include "tests/unit/machine/toy_bench.h"

static void hold(struct toy *toy, uint32_t mask)
{
    uint8_t bytes[4];
    store_le32(bytes, mask);
    machine_deliver(&toy->machine,
                    &(struct event){.kind = EVENT_HOLD, .size = sizeof bytes, .data = bytes});
}

/* As `advance`, but a machine that only waits for harts that are held is left alone. */
static bool advance_held(struct toy *toy, uint64_t until)
{
    struct machine *m = &toy->machine;
    uint32_t all = (1u << TOY_CPUS) - 1;
    for (unsigned waits = 0;; waits++) {
        enum machine_stop stop = machine_run(m, until);
        if (stop != MACHINE_IDLE)
            return true;
        if (m->state.held == all || waits > 50)
            return false;
        end_wait(toy);
    }
}

static uint32_t mask_at(uint64_t seed, uint64_t at)
{
    uint64_t r = hash_mix(seed << 32 | at);
    return r % 16 ? (uint32_t)(r >> 8) % 3 : 3; /* seldom both */
}

Test(machine_hold, held_harts_make_no_step)
{
    static struct toy toy;
    struct machine *m = &toy.machine;
    unsigned steps = 0, alone = 0;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        toy_init(&toy, seed);
        for (uint64_t n = 0; n < 3000; n++) {
            if (n % 37 == 0)
                hold(&toy, mask_at(seed, n));
            uint64_t last[TOY_CPUS], before = machine_position(m), resets = m->state.resets;
            memcpy(last, m->state.last_step, sizeof last);
            if (!advance_held(&toy, before + 1))
                continue;
            steps++;
            for (unsigned i = 0; i < TOY_CPUS; i++)
                if (m->state.held >> i & 1)
                    cr_assert_eq(m->state.last_step[i], last[i], "seed %lu at %lu", seed, before);
                else
                    alone += m->state.held && m->state.last_step[i] == before;
            cr_assert(m->state.resets != resets || !(m->state.held >> m->state.running & 1) ||
                      (toy.state[!m->state.running].waiting));
        }
        toy_fini(&toy);
    }
    cr_assert(steps > 10000 && alone > 2000, "%u %u", steps, alone);
}

Test(machine_hold, chopping_and_saving_change_nothing)
{
    for (uint64_t seed = 1; seed <= 6; seed++) {
        static struct toy whole, chopped;
        struct error err = ERROR_INIT;
        toy_init(&whole, seed);
        toy_init(&chopped, seed);
        for (uint64_t n = 0; n < 5000; n += 250) {
            uint32_t mask = mask_at(seed, n) & 2; /* input wakes hart 0 */
            hold(&whole, mask);
            hold(&chopped, mask);
            advance_held(&whole, n + 250);
            for (uint64_t at = n; at < n + 250;) {
                at += 1 + hash_mix(at + seed) % 40;
                struct buffer saved = {0};
                machine_save(&chopped.machine, &saved);
                chopped.machine.state.held ^= 3;
                cr_assert(machine_load(&chopped.machine, saved.data, saved.size, &err));
                buffer_fini(&saved);
                advance_held(&chopped, at < n + 250 ? at : n + 250);
            }
            cr_assert_eq(machine_position(&whole.machine), n + 250);
            assert_equal(&whole, &chopped);
        }
        toy_fini(&whole);
        toy_fini(&chopped);
    }
}

Test(machine_hold, the_turn_goes_to_another_at_once)
{
    static struct toy toy;
    struct machine *m = &toy.machine;
    unsigned seen = 0;
    toy_init(&toy, 4);
    for (uint64_t n = 1; seen < 20; n++) {
        advance(&toy, n * 50);
        unsigned running = m->state.running;
        if (toy.state[0].waiting || toy.state[1].waiting)
            continue;
        toy.state[running].held = 1;
        hold(&toy, 1u << running);
        cr_assert_eq(m->state.running, !running);
        cr_assert_eq(m->state.quantum_end, n * 50 + m->config.quantum);
        cr_assert_eq(toy.state[running].held, 0, "reservations go with the turn");
        hold(&toy, 0);
        cr_assert_eq(m->state.running, !running, "and it keeps the turn");
        seen++;
    }
    toy_fini(&toy);
}

Test(machine_hold, all_held_is_idle)
{
    static struct toy toy;
    struct machine *m = &toy.machine;
    toy_init(&toy, 9);
    advance(&toy, 1000);
    hold(&toy, 3);
    cr_assert_eq(machine_run(m, 2000), MACHINE_IDLE);
    cr_assert_eq(machine_position(m), 1000);
    machine_deliver(m, &(struct event){.kind = EVENT_RESET});
    cr_assert_eq(m->state.held, 3, "a reset is the guest's, a hold is not");
    cr_assert_eq(machine_run(m, 2000), MACHINE_IDLE);
    hold(&toy, 0);
    advance(&toy, 2000);
    cr_assert_eq(machine_position(m), 2000);
    toy_fini(&toy);
}

Test(machine_hold, events_that_are_none)
{
    static struct toy toy;
    struct machine *m = &toy.machine;
    static const uint8_t bytes[8] = {2, 0, 0, 0, 0, 0, 0, 0}, many[4] = {4, 0, 0, 0};
    const struct event events[] = {{.kind = EVENT_HOLD, .size = 3, .data = bytes},
                                   {.kind = EVENT_HOLD, .size = 8, .data = bytes},
                                   {.kind = EVENT_HOLD, .size = 0, .data = NULL},
                                   {.kind = EVENT_HOLD, .size = 4, .data = many}};
    toy_init(&toy, 9);
    hold(&toy, 1);
    for (unsigned i = 0; i < sizeof events / sizeof *events; i++) {
        cr_assert_not(machine_hold_valid(m, &events[i]));
        machine_deliver(m, &events[i]);
        cr_assert_eq(m->state.held, 1);
    }
    toy_fini(&toy);
}

/* Without a hold a machine is saved and digested as by backsteps that know of none. */
Test(machine_hold, the_subsection)
{
    static struct toy toy, other;
    struct error err = ERROR_INIT;
    struct buffer plain = {0}, held = {0}, again = {0};
    struct machine_digest one, two, three;
    enum { HEAD = 1 + 7 + 4 + 4 + 4, FIELDS = 96, SUBSECTION = 1 + 12 + 4 + 4 + 4 };
    toy_init(&toy, 9);
    advance(&toy, 5000);
    machine_save(&toy.machine, &plain);
    cr_assert_eq(plain.data[HEAD + FIELDS], 0);
    machine_digest(&toy.machine, &one);
    unsigned waits = !toy.machine.state.running;
    hold(&toy, 1u << waits);
    machine_save(&toy.machine, &held);
    machine_digest(&toy.machine, &two);
    cr_assert_eq(held.data[HEAD + FIELDS], 1);
    cr_assert_eq(held.size, plain.size + SUBSECTION + 8 + 1);
    cr_assert(one.core != two.core && one.cpus == two.cpus);
    hold(&toy, 0);
    machine_save(&toy.machine, &again);
    machine_digest(&toy.machine, &three);
    cr_assert_eq(three.core, one.core);
    cr_assert_eq(again.size, plain.size);
    cr_assert_arr_eq(again.data, plain.data, plain.size);

    toy_init(&other, 9);
    memcpy(other.machine.ram.host, toy.machine.ram.host, toy.machine.ram.size);
    cr_assert(machine_load(&other.machine, held.data, held.size, &err), "%s", err.message);
    cr_assert_eq(other.machine.state.held, 1u << waits);
    held.data[HEAD + FIELDS + 1 + SUBSECTION] = 4;
    cr_assert_not(machine_load(&other.machine, held.data, held.size, &err));
    cr_assert_str_eq(err.message, "saved state: holds harts 0x4 of 2");
    cr_assert_eq(other.machine.state.held, 1u << waits);
    cr_assert(machine_load(&other.machine, plain.data, plain.size, &err), "%s", err.message);
    cr_assert_eq(other.machine.state.held, 0);
    assert_equal(&toy, &other);
    buffer_fini(&plain);
    buffer_fini(&held);
    buffer_fini(&again);
    toy_fini(&toy);
    toy_fini(&other);
}
