/* The machine's own part, with processors that do everything in quick succession. */
#include "tests/unit/machine/toy_bench.h"

Test(machine, every_byte_is_described)
{
    bool map[sizeof(struct machine_state)] = {false};
    cr_assert_eq(machine_fields.size, sizeof map);
    fields_coverage(&machine_fields, map);
    for (unsigned at = 0; at < sizeof map; at++)
        cr_assert(map[at], "byte %u", at);
}

Test(machine, chopping_changes_nothing)
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        static struct toy whole, chopped;
        toy_init(&whole, seed);
        toy_init(&chopped, seed);
        advance(&whole, 20000);
        for (uint64_t at = 0, n = 0; at < 20000; n++) {
            at += hash_mix(seed * 100000 + n) % 40;
            advance(&chopped, at < 20000 ? at : 20000);
            machine_run(&chopped.machine, machine_position(&chopped.machine));
        }
        cr_assert_eq(machine_position(&whole.machine), 20000);
        assert_equal(&whole, &chopped);
        toy_fini(&whole);
        toy_fini(&chopped);
    }
}

/* Every step by itself: who runs, until when, and what becomes of who does not. */
static unsigned check_turns(uint64_t seed)
{
    static struct toy toy;
    struct machine *m = &toy.machine;
    unsigned switches = 0;
    toy_init(&toy, seed);
    for (uint64_t n = 0; n < 500; n++) {
        uint64_t end = m->state.quantum_end, idle = m->clock.state.idle, resets = m->state.resets;
        unsigned ran = m->state.running;
        advance(&toy, n + 1);
        cr_assert_eq(machine_position(m), n + 1);
        if (m->clock.state.idle != idle || m->state.resets != resets)
            continue; /* the step was made after a wait, or ended with a reset */
        cr_assert_eq(m->state.last_step[ran], n);
        bool waits_now = toy.state[ran].waiting && !toy.state[ran].pending;
        bool turn_over = n + 1 >= end || m->state.quantum_end != end || waits_now;
        const struct toy_cpu_state *other = &toy.state[!ran];
        bool other_can = !other->waiting || other->pending;
        if (m->state.running != ran) {
            cr_assert(turn_over, "at %lu", n);
            cr_assert_eq(m->state.quantum_end, n + 1 + m->config.quantum);
            cr_assert_eq(toy.state[ran].held, 0, "reservations go with the turn");
            switches++;
        } else if (turn_over && !waits_now) {
            cr_assert_not(other_can, "at %lu: it is the other's turn", n);
            cr_assert_eq(m->state.quantum_end, n + 1 + m->config.quantum);
        }
    }
    toy_fini(&toy);
    return switches;
}

Test(machine, turns)
{
    unsigned switches = 0;
    for (uint64_t seed = 1; seed <= 100; seed++)
        switches += check_turns(seed);
    cr_assert(switches > 200, "%u", switches);
}

Test(machine, idle_names_the_deadline_and_waits_no_longer_than_asked)
{
    static struct toy toy;
    struct machine *m = &toy.machine;
    unsigned seen = 0;
    toy_init(&toy, 3);
    while (seen < 50) {
        if (machine_run(m, UINT64_MAX) != MACHINE_IDLE)
            cr_assert(false, "toys wait");
        uint64_t next = machine_next_deadline(m), now = clock_vtime(&m->clock);
        uint64_t position = machine_position(m);
        if (next == CLOCK_NEVER) {
            end_wait(&toy);
            continue;
        }
        cr_assert(next > now);
        machine_idle_until(m, next - 1);
        cr_assert_eq(clock_vtime(&m->clock), next - 1);
        cr_assert_eq(machine_run(m, UINT64_MAX), MACHINE_IDLE);
        cr_assert_eq(machine_position(m), position);
        machine_idle_until(m, next);
        cr_assert(machine_next_deadline(m) > next);
        seen++;
    }
    toy_fini(&toy);
}

/* An idle machine asked to run to where it stands is at its limit: no idle time belongs there. */
Test(machine, the_limit_comes_before_idleness)
{
    static struct toy toy;
    toy_init(&toy, 3);
    cr_assert_eq(machine_run(&toy.machine, UINT64_MAX), MACHINE_IDLE);
    cr_assert_eq(machine_run(&toy.machine, machine_position(&toy.machine)), MACHINE_LIMIT);
    cr_assert_eq(machine_run(&toy.machine, 0), MACHINE_LIMIT);
    toy_fini(&toy);
}

Test(machine, step_cpu_stops_behind_its_step_and_changes_nothing)
{
    static struct toy stepped, whole;
    struct machine *m = &stepped.machine;
    toy_init(&stepped, 5);
    toy_init(&whole, 5);
    for (unsigned i = 0; i < 3000; i++) {
        unsigned cpu = hash_mix(i + 1) % TOY_CPUS;
        uint64_t before = machine_position(m), last[TOY_CPUS];
        memcpy(last, m->state.last_step, sizeof last);
        m->step_cpu = cpu;
        cr_assert_eq(advance(&stepped, UINT64_MAX), MACHINE_LIMIT);
        m->step_cpu = MACHINE_CPUS;
        cr_assert(machine_position(m) > before);
        cr_assert_eq(m->state.last_step[cpu], machine_position(m) - 1);
        cr_assert(last[cpu] == POSITION_NONE || last[cpu] < before, "the first step since then");
        if (machine_position(m) > before + 1)
            cr_assert_eq(m->state.last_step[!cpu], machine_position(m) - 2);
    }
    advance(&whole, machine_position(m));
    assert_equal(&stepped, &whole);
    toy_fini(&stepped);
    toy_fini(&whole);
}

Test(machine, halts_for_good_and_the_first_reason_counts)
{
    static struct toy toy;
    struct machine *m = &toy.machine;
    toy_init(&toy, 9);
    toy.halts = true;
    cr_assert_eq(advance(&toy, UINT64_MAX), MACHINE_HALTED);
    cr_assert_eq(m->state.halt, HALT_EXIT);
    uint64_t position = machine_position(m), code = m->state.halt_code;
    cr_assert_eq(machine_run(m, UINT64_MAX), MACHINE_HALTED);
    machine_request_halt(m, HALT_POWER_OFF, 1);
    cr_assert(m->state.halt == HALT_EXIT && m->state.halt_code == code);
    cr_assert_eq(machine_run(m, 0), MACHINE_HALTED);
    cr_assert_eq(machine_position(m), position);
    machine_deliver(m, &(struct event){.kind = EVENT_RESET});
    cr_assert_eq(m->state.halt, HALT_NONE, "the user's reset");
    cr_assert_eq(machine_run(m, position + 1), MACHINE_LIMIT);
    toy_fini(&toy);
}

Test(machine, the_power_button)
{
    static struct toy toy;
    toy_init(&toy, 9);
    advance(&toy, 100);
    machine_deliver(&toy.machine, &(struct event){.kind = EVENT_POWER});
    cr_assert_eq(toy.machine.state.halt, HALT_POWER_OFF);
    cr_assert_eq(machine_run(&toy.machine, 200), MACHINE_HALTED);
    toy_fini(&toy);
}

Test(machine, a_reset_is_the_last_act_of_a_step)
{
    static struct toy toy;
    struct machine *m = &toy.machine;
    uint8_t image[3 * RAM_PAGE_SIZE];
    toy_init(&toy, 11);
    memcpy(image, ram_at(&m->ram, TOY_BASE + 1000), sizeof image);
    while (!m->state.resets)
        advance(&toy, machine_position(m) + 1);
    cr_assert_eq(m->state.resets, 1);
    cr_assert_eq(m->state.running, 0);
    cr_assert_eq(m->state.quantum_end, machine_position(m) + m->config.quantum);
    cr_assert_arr_eq(ram_at(&m->ram, TOY_BASE + 1000), image, sizeof image);
    cr_assert_eq(toy.port.count, 0);
    cr_assert_eq(machine_next_deadline(m), CLOCK_NEVER);
    unsigned kept = 0;
    for (uint64_t i = 8 * RAM_PAGE_SIZE; i < m->ram.size; i++)
        kept += m->ram.host[i] != 0;
    cr_assert(kept > 100, "memory outside of the images is kept");
    cr_assert(machine_position(m) > 0);
    toy_fini(&toy);
}

Test(machine, no_reboot_makes_a_reset_a_halt)
{
    static struct toy toy;
    toy_init(&toy, 11);
    toy.machine.config.no_reboot = true;
    cr_assert_eq(advance(&toy, UINT64_MAX), MACHINE_HALTED);
    cr_assert_eq(toy.machine.state.halt, HALT_RESET);
    cr_assert_eq(toy.machine.state.resets, 0);
    toy_fini(&toy);
}

Test(machine, events)
{
    static struct toy toy;
    struct machine *m = &toy.machine;
    uint8_t bytes[40] = {0};
    toy_init(&toy, 1);
    advance(&toy, 10);
    cr_assert_eq(machine_input_room(m, CHANNEL_SERIAL0), TOY_FIFO);
    cr_assert_eq(machine_input_room(m, CHANNEL_SEMIHOST), 0);
    machine_deliver(m, &(struct event){.kind = EVENT_INPUT, .size = 3, .data = bytes});
    cr_assert_eq(machine_input_room(m, CHANNEL_SERIAL0), TOY_FIFO - 3);
    machine_deliver(m, &(struct event){.kind = EVENT_INPUT, .size = 40, .data = bytes});
    cr_assert_eq(machine_input_room(m, CHANNEL_SERIAL0), TOY_FIFO - 3, "more than there is room");

    uint64_t pa = TOY_BASE + 2 * RAM_PAGE_SIZE - 2;
    memcpy(bytes, &pa, 8);
    memcpy(bytes + 8, "abcd", 4);
    ram_clear_dirty(&m->ram);
    machine_deliver(m, &(struct event){.kind = EVENT_MEMORY, .size = 12, .data = bytes});
    cr_assert_arr_eq(ram_at(&m->ram, pa), "abcd", 4);
    cr_assert_eq(m->ram.dirty_count, 2);
    pa = TOY_BASE + m->ram.size - 2;
    memcpy(bytes, &pa, 8);
    machine_deliver(m, &(struct event){.kind = EVENT_MEMORY, .size = 12, .data = bytes});
    machine_deliver(m, &(struct event){.kind = EVENT_MEMORY, .size = 4, .data = bytes});
    cr_assert_eq(m->ram.dirty_count, 2);

    memset(bytes, 0, sizeof bytes);
    bytes[4] = 0x55;
    machine_deliver(
        m, &(struct event){.kind = EVENT_REGISTER, .target = 1, .size = 12, .data = bytes});
    cr_assert_eq(toy.state[1].random, 0x55);
    machine_deliver(
        m, &(struct event){.kind = EVENT_REGISTER, .target = 2, .size = 12, .data = bytes});

    uint64_t vtime = clock_vtime(&m->clock);
    machine_deliver(m, &(struct event){.kind = EVENT_IDLE, .vtime = vtime + 1000});
    cr_assert_eq(clock_vtime(&m->clock), vtime + 1000);
    cr_assert_eq(machine_position(m), 10);
    toy_fini(&toy);
}

/* ---- points ---- */

struct hits {
    uint64_t position[64];
    unsigned count;
    bool stop;
};

static bool note_hit(void *ctx, const struct hit *hit)
{
    struct hits *h = ctx;
    h->position[h->count % 64] = hit->position;
    h->count++;
    return h->stop;
}

Test(machine, a_hit_stops_before_its_step)
{
    static struct toy toy, free_run;
    struct machine *m = &toy.machine;
    uint64_t pcs[64];
    struct hits hits = {.stop = true};
    struct points points = {.execute = pcs, .execute_count = 64, .hit = note_hit, .ctx = &hits};
    unsigned compared = 0;
    for (unsigned i = 0; i < 64; i++)
        pcs[i] = i * 64;
    toy_init(&toy, 31);
    toy_init(&free_run, 31);
    machine_set_points(m, &points);
    for (unsigned i = 0; i < 50; i++) {
        cr_assert_eq(advance(&toy, UINT64_MAX), MACHINE_HIT);
        cr_assert_eq(hits.count, 2 * i + 1);
        cr_assert_eq(hits.position[2 * i % 64], machine_position(m));
        advance(&free_run, machine_position(m));
        if (free_run.machine.clock.state.idle == m->clock.state.idle) {
            assert_equal(&toy, &free_run);
            compared++;
        }
        hits.stop = false;
        advance(&toy, machine_position(m) + 1);
        hits.stop = true;
    }
    cr_assert(compared > 30, "%u: the others came after a wait, which belongs to the step",
              compared);
    toy_fini(&toy);
    toy_fini(&free_run);
}

/* A wait in which a device writes; the hit is that of the step that follows, until an event at the
 * same position takes the wait. */
Test(machine, a_write_in_idle_time_is_due_behind_the_next_step)
{
    static struct toy toy;
    struct machine *m = &toy.machine;
    struct watch_range all = {0, UINT64_MAX, HIT_WRITE};
    struct hits hits = {.stop = true};
    struct points points = {.physical = &all, .physical_count = 1, .hit = note_hit, .ctx = &hits};
    unsigned steps = 0, events = 0;
    toy_init(&toy, 7);
    toy.dma = true;
    for (unsigned i = 0; i < 4000; i++) {
        machine_set_points(m, &(struct points){0});
        enum machine_stop stop = machine_run(m, machine_position(m) + 50);
        uint64_t next = machine_next_deadline(m), position = machine_position(m);
        if (stop != MACHINE_IDLE || next == CLOCK_NEVER) {
            if (stop == MACHINE_IDLE)
                end_wait(&toy);
            continue;
        }
        machine_set_points(m, &points);
        hits.count = 0;
        machine_idle_until(m, next);
        cr_assert_eq(hits.count, 1);
        cr_assert_eq(hits.position[0], position);
        if (i % 2) {
            hits.stop = false;
            machine_deliver(m, &(struct event){.kind = EVENT_IDLE, .vtime = next + 1});
            hits.stop = true;
            cr_assert_eq(machine_run(m, UINT64_MAX), MACHINE_HIT);
            cr_assert_eq(machine_position(m), position);
            events++;
        } else {
            enum machine_stop due = machine_run(m, UINT64_MAX);
            cr_assert(due == MACHINE_HIT || due == MACHINE_IDLE);
            if (due == MACHINE_IDLE)
                continue;
            /* Or the step's own store was stopped before. */
            cr_assert_eq(machine_position(m), position + m->hit_behind);
            steps++;
        }
        cr_assert(m->hit_behind || !(i % 2));
        cr_assert_not(machine_take_hit(m), "once");
    }
    cr_assert(steps > 20 && events > 20, "%u %u", steps, events);
    toy_fini(&toy);
}

Test(machine, peeks_at_ram_and_not_beyond)
{
    static struct toy toy;
    uint8_t bytes[8];
    toy_init(&toy, 1);
    struct machine *m = &toy.machine;
    cr_assert(machine_peek(m, TOY_BASE + 1000, bytes, 8));
    cr_assert_arr_eq(bytes, ram_at(&m->ram, TOY_BASE + 1000), 8);
    cr_assert_not(machine_peek(m, TOY_BASE + m->ram.size - 7, bytes, 8));
    cr_assert_not(machine_peek(m, 0x1000, bytes, 1));
    toy_fini(&toy);
}
