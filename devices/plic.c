#include "devices/plic.h"

#include "base/check.h"
#include "base/log.h"
#include "devices/words.h"

#include <inttypes.h>

/* Enables and contexts have a stride each. */
enum {
    PRIORITY = 0,
    PENDING = 0x1000,
    ENABLE = 0x2000,
    ENABLE_STRIDE = 0x80,
    CONTEXT = 0x200000,
    CONTEXT_STRIDE = 0x1000,
    PRIORITY_BITS = 7
};

static const struct field plic_field[] = {
    FIELD_ARRAY(struct plic_state, level),    FIELD_ARRAY(struct plic_state, pending),
    FIELD_ARRAY(struct plic_state, claimed),  FIELD_ARRAY(struct plic_state, enable),
    FIELD_ARRAY(struct plic_state, priority), FIELD_ARRAY(struct plic_state, threshold),
    FIELD_ARRAY(struct plic_state, output),
};
const struct fields plic_fields = FIELDS("plic", struct plic_state, 1, 1, plic_field);

static const uint32_t *enables(const struct plic *p, unsigned context)
{
    return &p->state.enable[context * PLIC_WORDS];
}

/* The pending and enabled source of highest priority, the lowest number among equals; 0: none. */
static unsigned best(const struct plic *p, unsigned context)
{
    const struct plic_state *s = &p->state;
    unsigned source = 0, priority = 0;
    for (unsigned word = 0; word < PLIC_WORDS; word++) {
        uint32_t ready = s->pending[word] & enables(p, context)[word];
        for (; ready; ready &= ready - 1) {
            unsigned candidate = 32 * word + (unsigned)__builtin_ctz(ready);
            if (s->priority[candidate] > priority) {
                source = candidate;
                priority = s->priority[candidate];
            }
        }
    }
    return source;
}

static void update_outputs(struct plic *p)
{
    struct plic_state *s = &p->state;
    for (unsigned context = 0; context < p->contexts; context++) {
        bool level = s->priority[best(p, context)] > s->threshold[context];
        if (level == s->output[context])
            continue;
        s->output[context] = level;
        irq_set(&p->output[context], level);
    }
}

/* The gateways: what is high and not in a handler's hands becomes pending. */
static void update(struct plic *p)
{
    struct plic_state *s = &p->state;
    for (unsigned word = 0; word < PLIC_WORDS; word++)
        s->pending[word] |= s->level[word] & ~s->claimed[word];
    update_outputs(p);
}

static void set_input(void *ctx, unsigned source, bool level)
{
    struct plic *p = ctx;
    uint32_t bit = 1u << source % 32, *word = &p->state.level[source / 32];
    if (level == ((*word & bit) != 0))
        return;
    *word ^= bit;
    if (level)
        update(p);
}

struct irq plic_input(struct plic *p, unsigned source)
{
    check(source > 0 && source < PLIC_SOURCES, "source %u", source);
    return (struct irq){set_input, p, source};
}

static void claim(struct plic *p, unsigned context)
{
    unsigned source = best(p, context);
    if (!source)
        return;
    p->state.pending[source / 32] &= ~(1u << source % 32);
    p->state.claimed[source / 32] |= 1u << source % 32;
    update(p);
}

/* Completions of sources that the context has not enabled are ignored. */
static void complete(struct plic *p, unsigned context, uint64_t source)
{
    if (source >= PLIC_SOURCES || !(enables(p, context)[source / 32] & 1u << source % 32)) {
        log_line(LOG_GUEST, "plic: context %u completes %" PRIu64 ", which it has not enabled",
                 context, source);
        return;
    }
    p->state.claimed[source / 32] &= ~(1u << source % 32);
    update(p);
}

enum what { WHAT_UNKNOWN, WHAT_PRIORITY, WHAT_PENDING, WHAT_ENABLE, WHAT_THRESHOLD, WHAT_CLAIM };

/* `index`: the source, word of the bit map, word of all enables, or context. */
static enum what decode(const struct plic *p, uint64_t offset, unsigned *index)
{
    uint64_t within;
    if (offset < PENDING) {
        *index = (unsigned)offset / 4;
        return *index < PLIC_SOURCES ? WHAT_PRIORITY : WHAT_UNKNOWN;
    }
    if (offset < ENABLE) {
        *index = (unsigned)(offset - PENDING) / 4;
        return *index < PLIC_WORDS ? WHAT_PENDING : WHAT_UNKNOWN;
    }
    if (offset < CONTEXT) {
        unsigned context = (unsigned)(offset - ENABLE) / ENABLE_STRIDE;
        within = (offset - ENABLE) % ENABLE_STRIDE / 4;
        *index = context * PLIC_WORDS + (unsigned)within;
        return context < p->contexts && within < PLIC_WORDS ? WHAT_ENABLE : WHAT_UNKNOWN;
    }
    *index = (unsigned)(offset - CONTEXT) / CONTEXT_STRIDE;
    within = (offset - CONTEXT) % CONTEXT_STRIDE / 4;
    if (*index >= p->contexts || within > 1)
        return WHAT_UNKNOWN;
    return within ? WHAT_CLAIM : WHAT_THRESHOLD;
}

static bool plic_peek(const void *ctx, uint64_t offset, unsigned size, uint64_t *value)
{
    const struct plic *p = ctx;
    const struct plic_state *s = &p->state;
    unsigned index;
    uint32_t word = 0;
    switch (decode(p, offset, &index)) {
    case WHAT_PRIORITY:
        word = s->priority[index];
        break;
    case WHAT_PENDING:
        word = s->pending[index];
        break;
    case WHAT_ENABLE:
        word = s->enable[index];
        break;
    case WHAT_THRESHOLD:
        word = s->threshold[index];
        break;
    case WHAT_CLAIM:
        word = best(p, index);
        break;
    case WHAT_UNKNOWN:
        break;
    }
    *value = word_part(word, offset & 3, size);
    return true;
}

static bool plic_read(void *ctx, uint64_t offset, unsigned size, uint64_t *value)
{
    struct plic *p = ctx;
    unsigned index;
    if (size != 4)
        return false;
    plic_peek(p, offset, size, value);
    enum what what = decode(p, offset, &index);
    if (what == WHAT_CLAIM)
        claim(p, index);
    else if (what == WHAT_UNKNOWN)
        log_line(LOG_GUEST, "plic: read of unknown register %#" PRIx64, offset);
    return true;
}

static bool plic_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
    struct plic *p = ctx;
    struct plic_state *s = &p->state;
    unsigned index;
    if (size != 4)
        return false;
    switch (decode(p, offset, &index)) {
    case WHAT_PRIORITY:
        if (index)
            s->priority[index] = value & PRIORITY_BITS;
        break;
    case WHAT_ENABLE:
        s->enable[index] = (uint32_t)value & (index % PLIC_WORDS ? ~0u : ~1u);
        break;
    case WHAT_THRESHOLD:
        s->threshold[index] = value & PRIORITY_BITS;
        break;
    case WHAT_CLAIM:
        complete(p, index, value);
        return true;
    default:
        log_line(LOG_GUEST,
                 "plic: write of %#" PRIx64 " to read-only or unknown register %#" PRIx64, value,
                 offset);
        return true;
    }
    update_outputs(p);
    return true;
}

static const struct bus_ops plic_ops = {plic_read, plic_write, plic_peek};

static void plic_reset(void *ctx)
{
    struct plic *p = ctx;
    p->state = (struct plic_state){0};
    for (unsigned context = 0; context < p->contexts; context++)
        irq_set(&p->output[context], false);
}

void plic_init(struct plic *p, struct machine *m, uint64_t base, uint64_t size, unsigned contexts,
               const struct irq *output)
{
    check(contexts <= PLIC_CONTEXTS, "%u contexts", contexts);
    *p = (struct plic){.machine = m, .contexts = contexts};
    for (unsigned context = 0; context < contexts; context++)
        p->output[context] = output[context];
    bus_add(&m->bus, (struct bus_region){"plic", base, size, &plic_ops, p, NULL});
    machine_add_device(m, (struct device){.name = "plic",
                                          .fields = &plic_fields,
                                          .state = &p->state,
                                          .ctx = p,
                                          .reset = plic_reset});
}
