/* The whole of a machine's state but RAM, as one list of components. */
#include "machine/machine.h"

#include "base/check.h"
#include "base/hash.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct component {
    const char *name; /* for people */
    const struct fields *fields;
    void *state;
    int index;         /* of a hart; -1 for the others */
    uint32_t instance; /* which of those with the same table: names its section */
    size_t scratch;    /* where its state is in a loaded copy */
};

enum { COMPONENTS = 2 + MACHINE_CPUS + MACHINE_DEVICES, SCRATCH_ALIGN = 16, SECTION_HEADER = 64 };

/* In the order of saving: the core, the harts, the devices. */
struct components {
    struct component list[COMPONENTS];
    unsigned count;
    size_t size; /* of a loaded copy */
};

static void add(struct components *c, const char *name, const struct fields *fields, void *state,
                int index)
{
    uint32_t instance = 0;
    for (unsigned i = 0; i < c->count; i++)
        instance += c->list[i].fields == fields;
    c->list[c->count++] = (struct component){name, fields, state, index, instance, c->size};
    c->size += (fields->size + SCRATCH_ALIGN - 1) / SCRATCH_ALIGN * SCRATCH_ALIGN;
}

static void components(const struct machine *m, struct components *c)
{
    c->count = 0;
    c->size = 0;
    add(c, "machine", &machine_fields, (void *)&m->state, -1);
    add(c, "clock", &clock_fields, (void *)&m->clock.state, -1);
    for (unsigned i = 0; i < m->config.cpus; i++)
        add(c, "hart", m->cpu[i]->ops->fields, m->cpu[i]->state, (int)i);
    for (unsigned i = 0; i < m->devices; i++)
        if (m->device[i].fields)
            add(c, m->device[i].name, m->device[i].fields, m->device[i].state, -1);
}

void machine_save(const struct machine *m, struct buffer *out)
{
    struct components c;
    components(m, &c);
    buffer_reserve(out, c.size + (size_t)c.count * SECTION_HEADER);
    for (unsigned i = 0; i < c.count; i++)
        fields_save_section(c.list[i].fields, c.list[i].instance, c.list[i].state, out);
}

/* ---- loading ---- */

/* The component of a section, looked for from `from` on: sections come in the order of components,
 * if nothing is wrong. c->count: none. */
static unsigned find(const struct components *c, const struct fields_section *s, unsigned from)
{
    for (unsigned n = 0; n < c->count; n++) {
        unsigned i = (from + n) % c->count;
        if (c->list[i].instance == s->instance && !strcmp(c->list[i].fields->name, s->name))
            return i;
    }
    return c->count;
}

struct loading {
    uint8_t *scratch;
    bool seen[COMPONENTS];
    bool present; /* all versions are the present ones; looked at if `compare` */
    bool compare;
};

static bool load_section(const struct components *c, const struct fields_section *s, unsigned i,
                         struct loading *l, struct error *err)
{
    if (i == c->count)
        return error_set(err, ERROR_UNSUPPORTED,
                         "unknown section %s %" PRIu32 ": this machine has no such component; one "
                         "that is made differently, or a newer backstep, made it",
                         s->name, s->instance);
    const struct component *part = &c->list[i];
    if (l->seen[i])
        return error_set(err, ERROR_FORMAT, "section %s %" PRIu32 " comes twice", s->name,
                         s->instance);
    l->seen[i] = true;
    if (!fields_load_section(part->fields, s, l->scratch + part->scratch, err))
        return error_prefix(err, "section %s %" PRIu32, s->name, s->instance);
    if (l->compare && !fields_versions_equal(part->fields, s->version, s->bytes, s->size))
        l->present = false;
    return true;
}

static bool load_sections(const struct components *c, const uint8_t *bytes, size_t size,
                          struct loading *l, struct error *err)
{
    unsigned next = 0;
    while (size) {
        struct fields_section section;
        if (!fields_next_section(&section, &bytes, &size, err))
            return false;
        unsigned i = find(c, &section, next);
        if (!load_section(c, &section, i, l, err))
            return false;
        next = i + 1;
    }
    for (unsigned i = 0; i < c->count; i++)
        if (!l->seen[i])
            return error_set(err, ERROR_FORMAT, "section %s %" PRIu32 " is missing",
                             c->list[i].fields->name, c->list[i].instance);
    return true;
}

/* Load everything into scratch copies, which lie where components say; NULL on error. */
static uint8_t *load_scratch(const struct components *c, const uint8_t *bytes, size_t size,
                             bool *present, struct error *err)
{
    struct loading l = {.scratch = mem_new(c->size, 1), .present = true, .compare = present};
    if (!load_sections(c, bytes, size, &l, err)) {
        error_prefix(err, "saved state");
        free(l.scratch);
        return NULL;
    }
    if (present)
        *present = l.present;
    return l.scratch;
}

bool machine_saved_versions_equal(const struct machine *m, const uint8_t *bytes, size_t size)
{
    struct components c;
    struct error err = ERROR_INIT;
    bool present;
    components(m, &c);
    uint8_t *scratch = load_scratch(&c, bytes, size, &present, &err);
    free(scratch);
    return scratch && present;
}

/* Virtual time never wraps, and every deadline that has come has expired. */
static bool clock_plausible(const struct machine *m, const struct clock_state *clock,
                            struct error *err)
{
    if (clock->icount > CLOCK_LAST >> m->clock.shift || clock->idle > CLOCK_LAST)
        return error_set(err, ERROR_RANGE, "saved state: no such time");
    uint64_t now = (clock->icount << m->clock.shift) + clock->idle;
    for (unsigned i = 0; i < m->clock.timers; i++) {
        uint64_t deadline = clock->deadline[i];
        if (deadline <= now || (deadline > CLOCK_LAST && deadline != CLOCK_NEVER))
            return error_set(err, ERROR_RANGE, "saved state: timer %u has no possible deadline", i);
    }
    return true;
}

/* Values that would make later steps impossible. */
static bool plausible(const struct machine *m, const struct components *c, const uint8_t *scratch,
                      struct error *err)
{
    const struct machine_state *state = (const void *)(scratch + c->list[0].scratch);
    const struct clock_state *clock = (const void *)(scratch + c->list[1].scratch);
    if (state->running >= m->config.cpus)
        return error_set(err, ERROR_RANGE, "saved state: hart %u of %u runs", state->running,
                         m->config.cpus);
    if (state->halt > HALT_RESET)
        return error_set(err, ERROR_RANGE, "saved state: unknown halt reason %u", state->halt);
    if (state->held >> m->config.cpus)
        return error_set(err, ERROR_RANGE, "saved state: holds harts %#x of %u", state->held,
                         m->config.cpus);
    if (!clock_plausible(m, clock, err))
        return false;
    if (state->quantum_end > clock->icount + m->config.quantum)
        return error_set(err, ERROR_RANGE, "saved state: a turn longer than the quantum");
    for (unsigned i = 0; i < m->config.cpus; i++) {
        const struct cpu_ops *ops = m->cpu[i]->ops;
        if (ops->valid && !ops->valid(m->cpu[i], scratch + c->list[2 + i].scratch))
            return error_set(err, ERROR_RANGE, "saved state: hart %u is in no possible state", i);
    }
    return true;
}

bool machine_load(struct machine *m, const uint8_t *bytes, size_t size, struct error *err)
{
    struct components c;
    components(m, &c);
    uint8_t *scratch = load_scratch(&c, bytes, size, NULL, err);
    if (!scratch)
        return false;
    if (!plausible(m, &c, scratch, err)) {
        free(scratch);
        return false;
    }
    for (unsigned i = 0; i < c.count; i++)
        memcpy(c.list[i].state, scratch + c.list[i].scratch, c.list[i].fields->size);
    free(scratch);
    m->reset_requested = false;
    m->hit_due = POSITION_NONE;
    clock_restored(&m->clock);
    for (unsigned i = 0; i < m->config.cpus; i++)
        m->cpu[i]->ops->restored(m->cpu[i]);
    for (unsigned i = 0; i < m->devices; i++)
        if (m->device[i].restored)
            m->device[i].restored(m->device[i].ctx);
    return true;
}

/* ---- digests and differences ---- */

void machine_digest(const struct machine *m, struct machine_digest *digest)
{
    struct components c;
    components(m, &c);
    *digest = (struct machine_digest){0};
    for (unsigned i = 0; i < c.count; i++) {
        uint64_t *part = i < 2                  ? &digest->core
                         : c.list[i].index >= 0 ? &digest->cpus
                                                : &digest->devices;
        *part = hash_mix(*part) ^ fields_digest(c.list[i].fields, c.list[i].state);
    }
}

size_t machine_diff(const struct machine *m, const uint8_t *saved, size_t size, size_t limit,
                    struct buffer *out)
{
    struct components c;
    struct error err = ERROR_INIT;
    components(m, &c);
    uint8_t *scratch = load_scratch(&c, saved, size, NULL, &err);
    if (!scratch) {
        if (limit)
            buffer_printf(out, "%s\n", err.message);
        return 1;
    }
    size_t differ = 0;
    for (unsigned i = 0; i < c.count; i++) {
        const struct component *part = &c.list[i];
        char name[32];
        if (part->index >= 0)
            snprintf(name, sizeof name, "hart%d", part->index);
        else
            snprintf(name, sizeof name, "%s", part->name);
        differ += fields_diff(part->fields, scratch + part->scratch, part->state, name,
                              limit > differ ? limit - differ : 0, out);
    }
    free(scratch);
    return differ;
}
