/* A machine saved, loaded, digested and compared. */
#include "tests/unit/machine/toy_bench.h"

Test(machine_state, a_loaded_machine_goes_on_as_the_saved_one)
{
    static struct toy a, b;
    struct buffer saved = {0};
    struct error err = ERROR_INIT;
    toy_init(&a, 21);
    toy_init(&b, 22);
    b.seed = a.seed;
    advance(&a, 12345);
    advance(&b, 777);
    machine_save(&a.machine, &saved);
    cr_assert(machine_load(&b.machine, saved.data, saved.size, &err), "%s", err.message);
    memcpy(b.machine.ram.host, a.machine.ram.host, a.machine.ram.size);
    assert_equal(&a, &b);
    advance(&a, 30000);
    advance(&b, 30000);
    assert_equal(&a, &b);
    buffer_fini(&saved);
    toy_fini(&a);
    toy_fini(&b);
}

/* Whether the machine takes the bytes; it is unchanged if not. */
static bool takes(struct toy *toy, const uint8_t *bytes, size_t size)
{
    struct buffer before = {0}, after = {0};
    struct error err = ERROR_INIT;
    uint64_t next = toy->machine.clock.next;
    machine_save(&toy->machine, &before);
    bool taken = machine_load(&toy->machine, bytes, size, &err);
    machine_save(&toy->machine, &after);
    if (!taken) {
        cr_assert_eq(before.size, after.size);
        cr_assert_arr_eq(before.data, after.data, before.size);
        cr_assert_eq(toy->machine.clock.next, next);
        cr_assert(err.code != ERROR_NONE && *err.message);
    }
    buffer_fini(&before);
    buffer_fini(&after);
    return taken;
}

Test(machine_state, loading_is_all_or_nothing)
{
    static struct toy toy, other;
    struct buffer saved = {0};
    toy_init(&toy, 1);
    toy_init(&other, 2);
    advance(&toy, 1000);
    advance(&other, 2000);
    machine_save(&other.machine, &saved);
    for (size_t size = 0; size < saved.size; size++)
        cr_assert_not(takes(&toy, saved.data, size), "%zu of %zu bytes", size, saved.size);
    buffer_append_byte(&saved, 0);
    cr_assert_not(takes(&toy, saved.data, saved.size), "one too many");
    cr_assert(takes(&toy, saved.data, saved.size - 1));
    buffer_fini(&saved);
    toy_fini(&toy);
    toy_fini(&other);
}

/* States no machine is ever in, which a later step would stumble over. */
Test(machine_state, impossible_states_are_refused)
{
    static struct toy toy;
    struct machine *m = &toy.machine;
    toy_init(&toy, 1);
    advance(&toy, 1000);
    struct machine_state state = m->state;
    struct clock_state clock = m->clock.state;
    for (unsigned i = 0; i < 10; i++) {
        struct buffer saved = {0};
        m->state = state;
        m->clock.state = clock;
        switch (i) {
        case 0:
            m->state.running = TOY_CPUS;
            break;
        case 1:
            m->state.halt = HALT_RESET + 1;
            break;
        case 2:
            m->clock.state.deadline[0] = clock_vtime(&m->clock);
            break;
        case 3:
            m->clock.state.icount = UINT64_MAX >> 2;
            m->state.quantum_end = m->clock.state.icount;
            break;
        case 4:
            m->clock.state.idle = UINT64_MAX - 5;
            break;
        case 5:
            m->state.quantum_end = machine_position(m) + m->config.quantum + 1;
            break;
        case 6: /* possible */
            m->clock.state.deadline[0] = clock_vtime(&m->clock) + 1;
            break;
        case 7:
            m->state.quantum_end = machine_position(m) + m->config.quantum;
            break;
        case 8:
            m->clock.state.deadline[0] = CLOCK_LAST;
            break;
        case 9: /* impossible */
            m->clock.state.deadline[0] = CLOCK_LAST + 1;
            break;
        }
        machine_save(m, &saved);
        m->state = state;
        m->clock.state = clock;
        cr_assert_eq(takes(&toy, saved.data, saved.size), i >= 6 && i <= 8, "case %u", i);
        cr_assert_eq(machine_run(m, machine_position(m) + 1), MACHINE_LIMIT);
        buffer_fini(&saved);
    }
    toy_fini(&toy);
}

Test(machine_state, digests_tell_the_parts_apart)
{
    static struct toy toy;
    struct machine *m = &toy.machine;
    struct machine_digest before, now;
    toy_init(&toy, 1);
    advance(&toy, 1000);
    machine_digest(m, &before);

    toy.port.first ^= 1;
    machine_digest(m, &now);
    cr_assert(now.core == before.core && now.cpus == before.cpus && now.devices != before.devices);
    toy.port.first ^= 1;

    toy.state[1].fired++;
    machine_digest(m, &now);
    cr_assert(now.core == before.core && now.cpus != before.cpus && now.devices == before.devices);
    toy.state[1].fired--;

    struct toy_cpu_state swap = toy.state[0];
    toy.state[0] = toy.state[1];
    toy.state[1] = swap;
    machine_digest(m, &now);
    cr_assert_neq(now.cpus, before.cpus, "their order counts");
    toy.state[1] = toy.state[0];
    toy.state[0] = swap;

    m->clock.state.idle++;
    machine_digest(m, &now);
    cr_assert(now.core != before.core && now.cpus == before.cpus && now.devices == before.devices);
    m->clock.state.idle--;

    machine_digest(m, &now);
    cr_assert_eq(memcmp(&now, &before, sizeof now), 0);
    toy_fini(&toy);
}

Test(machine_state, differences_are_named_by_component)
{
    static struct toy toy;
    struct machine *m = &toy.machine;
    struct buffer saved = {0}, lines = {0};
    toy_init(&toy, 1);
    machine_save(m, &saved);
    m->state.halt_code = 7;
    m->clock.state.idle = 1;
    toy.state[1].fired = 2;
    toy.port.fifo[3] = 9;
    cr_assert_eq(machine_diff(m, saved.data, saved.size, 9, &lines), 4);
    cr_assert_str_eq(buffer_text(&lines), "machine.halt_code: 0 -> 0x7\n"
                                          "clock.idle: 0 -> 0x1\n"
                                          "hart1.fired: 0 -> 0x2\n"
                                          "port.fifo[3]: 0 -> 0x9\n");
    buffer_clear(&lines);
    cr_assert_eq(machine_diff(m, saved.data, saved.size, 1, &lines), 4);
    cr_assert_str_eq(buffer_text(&lines), "machine.halt_code: 0 -> 0x7\n");
    buffer_fini(&saved);
    buffer_fini(&lines);
    toy_fini(&toy);
}
