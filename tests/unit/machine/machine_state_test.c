/* A machine saved, loaded, digested and compared. */
#include "base/hash.h"
#include "tests/unit/machine/toy_bench.h"

#include <stdio.h>

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

static bool digests_equal(const struct toy *a, const struct toy *b)
{
    struct machine_digest one, two;
    machine_digest(&a->machine, &one);
    machine_digest(&b->machine, &two);
    return !memcmp(&one, &two, sizeof one);
}

Test(machine_state, round_trips_at_random_positions_keep_the_digest)
{
    static struct toy a, b;
    struct error err = ERROR_INIT;
    toy_init(&a, 31);
    toy_init(&b, 32);
    uint64_t position = 0;
    for (uint64_t i = 0; i < 300; i++) {
        struct buffer saved = {0}, again = {0};
        position += 1 + hash_mix(i) % 1000;
        advance(&a, position);
        cr_assert_not(digests_equal(&a, &b));
        machine_save(&a.machine, &saved);
        cr_assert(machine_saved_versions_equal(&b.machine, saved.data, saved.size));
        cr_assert(machine_load(&b.machine, saved.data, saved.size, &err), "%s", err.message);
        cr_assert(digests_equal(&a, &b));
        machine_save(&b.machine, &again);
        cr_assert_eq(saved.size, again.size);
        cr_assert_arr_eq(saved.data, again.data, saved.size);
        advance(&b, position + 1 + i % 50);
        buffer_fini(&saved);
        buffer_fini(&again);
    }
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

/* ---- the sections ---- */

static const char *const section_names[] = {"machine 0", "clock 0", "toy_cpu 0", "toy_cpu 1",
                                            "toy_port 0"};
enum { SECTIONS = sizeof section_names / sizeof *section_names };

/* The saved state of a toy, cut into its sections. */
struct cut {
    struct toy *toy;
    struct buffer saved;
    size_t start[SECTIONS + 1]; /* of section i; its end is the next one's start */
    unsigned count;
};

static void cut_begin(struct cut *c, struct toy *toy)
{
    *c = (struct cut){.toy = toy};
    struct error err = ERROR_INIT;
    machine_save(&toy->machine, &c->saved);
    const uint8_t *bytes = c->saved.data;
    size_t size = c->saved.size;
    while (size) {
        struct fields_section s;
        cr_assert(fields_next_section(&s, &bytes, &size, &err), "%s", err.message);
        c->start[++c->count] = (size_t)(bytes - c->saved.data);
        char name[64];
        snprintf(name, sizeof name, "%.40s %u", s.name, s.instance);
        cr_assert(c->count <= SECTIONS);
        cr_assert_str_eq(name, section_names[c->count - 1]);
    }
    cr_assert_eq(c->count, SECTIONS);
}

static void append_section(const struct cut *c, unsigned i, struct buffer *out)
{
    buffer_append(out, c->saved.data + c->start[i], c->start[i + 1] - c->start[i]);
}

/* Load what is in *stream; free it. NULL: taken. */
static void expect(const struct cut *c, struct buffer *stream, const char *message)
{
    struct error err = ERROR_INIT;
    cr_assert_eq(takes(c->toy, stream->data, stream->size), !message);
    bool loads = machine_load(&c->toy->machine, stream->data, stream->size, &err);
    cr_assert_eq(loads, !message);
    cr_assert_str_eq(err.message, message ? message : "");
    cr_assert_eq(machine_saved_versions_equal(&c->toy->machine, stream->data, stream->size), loads);
    buffer_fini(stream);
}

Test(machine_state, sections_missing_or_twice_are_refused_by_name)
{
    static struct toy toy;
    struct cut c;
    toy_init(&toy, 3);
    advance(&toy, 5000);
    cut_begin(&c, &toy);
    for (unsigned left_out = 0; left_out < c.count; left_out++) {
        struct buffer without = {0}, twice = {0}, last = {0};
        char message[128];
        const char *name = section_names[left_out];
        for (unsigned i = 0; i < c.count; i++) {
            if (i != left_out) {
                append_section(&c, i, &without);
                append_section(&c, i, &last);
            }
            append_section(&c, i, &twice);
        }
        append_section(&c, left_out, &last);
        append_section(&c, left_out, &twice);
        snprintf(message, sizeof message, "saved state: section %s is missing", name);
        expect(&c, &without, message);
        snprintf(message, sizeof message, "saved state: section %s comes twice", name);
        expect(&c, &twice, message);
        expect(&c, &last, NULL);
    }
    buffer_fini(&c.saved);
    toy_fini(&toy);
}

/* The state with byte `at` of section i's header behind its name replaced. */
static struct buffer changed(const struct cut *c, unsigned i, size_t at, uint8_t byte)
{
    struct buffer b = {0};
    buffer_append(&b, c->saved.data, c->saved.size);
    b.data[c->start[i] + 1 + b.data[c->start[i]] + at] = byte;
    return b;
}

Test(machine_state, headers_that_fit_no_component_are_refused)
{
    static struct toy toy;
    struct cut c;
    enum { INSTANCE = 0, VERSION = 4, LENGTH = 8 };
    toy_init(&toy, 3);
    cut_begin(&c, &toy);
    struct buffer b = changed(&c, 0, INSTANCE, 1);
    expect(&c, &b,
           "saved state: unknown section machine 1: this machine has no such component; one that "
           "is made differently, or a newer backstep, made it");
    b = changed(&c, 2, INSTANCE, TOY_CPUS);
    cr_assert_not(takes(&toy, b.data, b.size));
    buffer_fini(&b);
    b = changed(&c, 3, VERSION, 2);
    expect(&c, &b,
           "saved state: section toy_cpu 1: toy_cpu: version 2, and the newest that this backstep "
           "reads is 1: a newer backstep made it and reads it");
    b = changed(&c, 3, VERSION, 0);
    expect(&c, &b,
           "saved state: section toy_cpu 1: toy_cpu: version 0, and the oldest that this backstep "
           "reads is 1: an older backstep made it and reads it");
    b = changed(&c, c.count - 1, LENGTH + 3, 0x80);
    cr_assert_not(takes(&toy, b.data, b.size));
    buffer_fini(&b);
    b = changed(&c, 0, LENGTH, (uint8_t)offsetof(struct machine_state, held));
    cr_assert_not(takes(&toy, b.data, b.size), "it loses a byte, which is then of no section");
    buffer_fini(&b);
    b = changed(&c, 0, (size_t)-1, '\n');
    expect(&c, &b,
           "saved state: unknown section machin? 0: this machine has no such component; one that "
           "is made differently, or a newer backstep, made it");
    buffer_fini(&c.saved);
    toy_fini(&toy);
}

/* A harts' table that has since changed: its state loads, and is told from one of today. */
Test(machine_state, an_older_version_of_a_table)
{
    static struct toy toy;
    struct error err = ERROR_INIT;
    toy_init(&toy, 3);
    advance(&toy, 5000);
    static struct field field[sizeof toy_port_field / sizeof *toy_port_field];
    memcpy(field, toy_port_field, sizeof field);
    field[0].version_id = 2;
    field[0].initial = 0x55;
    struct fields newer = toy_port_fields, older = newer;
    newer.version_id = 2;
    newer.field = field;
    older.field = field + 1;
    older.count--;

    struct device *port = NULL;
    for (unsigned i = 0; i < toy.machine.devices; i++)
        if (toy.machine.device[i].fields == &toy_port_fields)
            port = &toy.machine.device[i];
    cr_assert_not_null(port);
    struct buffer saved = {0};
    port->fields = &older;
    machine_save(&toy.machine, &saved);
    cr_assert(machine_saved_versions_equal(&toy.machine, saved.data, saved.size));
    struct toy_port_state before = toy.port;
    port->fields = &newer;
    cr_assert_not(machine_saved_versions_equal(&toy.machine, saved.data, saved.size));
    memset(&toy.port, 0xee, sizeof toy.port);
    cr_assert(machine_load(&toy.machine, saved.data, saved.size, &err), "%s", err.message);
    for (unsigned i = 0; i < sizeof before.fifo; i++)
        cr_assert_eq(toy.port.fifo[i], 0x55);
    cr_assert(toy.port.first == before.first && toy.port.count == before.count);
    newer.minimum_version_id = 2;
    cr_assert_not(machine_load(&toy.machine, saved.data, saved.size, &err));
    cr_assert_not(machine_saved_versions_equal(&toy.machine, saved.data, saved.size));
    buffer_fini(&saved);
    toy_fini(&toy);
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
    buffer_clear(&lines);
    cr_assert_eq(machine_diff(m, saved.data, 0, 9, &lines), 1);
    cr_assert_str_eq(buffer_text(&lines), "saved state: section machine 0 is missing\n");
    buffer_fini(&saved);
    buffer_fini(&lines);
    toy_fini(&toy);
}
