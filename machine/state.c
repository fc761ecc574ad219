/* The whole of a machine's state but RAM, as one list of components. */
#include "machine/machine.h"

#include "base/check.h"
#include "base/hash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct component {
    const char *name;
    const struct fields *fields;
    void *state;
    int index; /* of a hart; -1 for the others */
};

enum { COMPONENTS = 2 + MACHINE_CPUS + MACHINE_DEVICES };

/* In the order of saving: the core, the harts, the devices. */
static unsigned components(const struct machine *m, struct component *list)
{
    unsigned n = 0;
    list[n++] = (struct component){"machine", &machine_fields, (void *)&m->state, -1};
    list[n++] = (struct component){"clock", &clock_fields, (void *)&m->clock.state, -1};
    for (unsigned i = 0; i < m->config.cpus; i++)
        list[n++] = (struct component){"hart", m->cpu[i]->ops->fields, m->cpu[i]->state, (int)i};
    for (unsigned i = 0; i < m->devices; i++)
        if (m->device[i].fields)
            list[n++] =
                (struct component){m->device[i].name, m->device[i].fields, m->device[i].state, -1};
    return n;
}

void machine_save(const struct machine *m, struct buffer *out)
{
    struct component list[COMPONENTS];
    unsigned n = components(m, list);
    for (unsigned i = 0; i < n; i++)
        fields_save(list[i].fields, list[i].state, out);
}

/* Load everything into scratch copies; NULL on error. The copies lie in the order of components. */
static uint8_t *load_scratch(const struct machine *m, const uint8_t *bytes, size_t size,
                             struct error *err)
{
    struct component list[COMPONENTS];
    unsigned n = components(m, list);
    size_t total = 0;
    for (unsigned i = 0; i < n; i++)
        total += list[i].fields->size;
    uint8_t *scratch = mem_new(total, 1);
    uint8_t *to = scratch;
    for (unsigned i = 0; i < n; i++) {
        if (!fields_load(list[i].fields, to, &bytes, &size, err)) {
            free(scratch);
            return NULL;
        }
        to += list[i].fields->size;
    }
    if (size) {
        free(scratch);
        error_set(err, ERROR_FORMAT, "%zu bytes too many in a saved state", size);
        return NULL;
    }
    return scratch;
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
static bool plausible(const struct machine *m, const uint8_t *scratch, struct error *err)
{
    const struct machine_state *state = (const void *)scratch;
    const struct clock_state *clock = (const void *)(scratch + machine_fields.size);
    if (state->running >= m->config.cpus)
        return error_set(err, ERROR_RANGE, "saved state: hart %u of %u runs", state->running,
                         m->config.cpus);
    if (state->halt > HALT_RESET)
        return error_set(err, ERROR_RANGE, "saved state: unknown halt reason %u", state->halt);
    if (!clock_plausible(m, clock, err))
        return false;
    if (state->quantum_end > clock->icount + m->config.quantum)
        return error_set(err, ERROR_RANGE, "saved state: a turn longer than the quantum");
    const uint8_t *cpu = (const uint8_t *)(clock + 1);
    for (unsigned i = 0; i < m->config.cpus; i++) {
        const struct cpu_ops *ops = m->cpu[i]->ops;
        if (ops->valid && !ops->valid(m->cpu[i], cpu))
            return error_set(err, ERROR_RANGE, "saved state: hart %u is in no possible state", i);
        cpu += ops->fields->size;
    }
    return true;
}

bool machine_load(struct machine *m, const uint8_t *bytes, size_t size, struct error *err)
{
    uint8_t *scratch = load_scratch(m, bytes, size, err);
    if (!scratch)
        return false;
    if (!plausible(m, scratch, err)) {
        free(scratch);
        return false;
    }
    struct component list[COMPONENTS];
    unsigned n = components(m, list);
    const uint8_t *from = scratch;
    for (unsigned i = 0; i < n; i++) {
        memcpy(list[i].state, from, list[i].fields->size);
        from += list[i].fields->size;
    }
    free(scratch);
    m->reset_requested = false;
    clock_restored(&m->clock);
    for (unsigned i = 0; i < m->config.cpus; i++)
        m->cpu[i]->ops->restored(m->cpu[i]);
    for (unsigned i = 0; i < m->devices; i++)
        if (m->device[i].restored)
            m->device[i].restored(m->device[i].ctx);
    return true;
}

void machine_digest(const struct machine *m, struct machine_digest *digest)
{
    struct component list[COMPONENTS];
    unsigned n = components(m, list);
    *digest = (struct machine_digest){0};
    for (unsigned i = 0; i < n; i++) {
        uint64_t *part = i < 2                ? &digest->core
                         : list[i].index >= 0 ? &digest->cpus
                                              : &digest->devices;
        *part = hash_mix(*part) ^ fields_digest(list[i].fields, list[i].state);
    }
}

size_t machine_diff(const struct machine *m, const uint8_t *saved, size_t size, size_t limit,
                    struct buffer *out)
{
    struct error err;
    uint8_t *scratch = load_scratch(m, saved, size, &err);
    check(scratch, "%s", err.message);
    struct component list[COMPONENTS];
    unsigned n = components(m, list);
    const uint8_t *from = scratch;
    size_t differ = 0;
    for (unsigned i = 0; i < n; i++) {
        char name[32];
        if (list[i].index >= 0)
            snprintf(name, sizeof name, "hart%d", list[i].index);
        else
            snprintf(name, sizeof name, "%s", list[i].name);
        differ += fields_diff(list[i].fields, from, list[i].state, name,
                              limit > differ ? limit - differ : 0, out);
        from += list[i].fields->size;
    }
    free(scratch);
    return differ;
}
