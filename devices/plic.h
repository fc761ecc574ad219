/* The platform-level interrupt controller. RISC-V PLIC specification 1.0; SiFive's register layout.
 *
 * All sources are level-triggered: a source that is high becomes pending, and again after its
 * handler has completed it while it is still high. A pending source stays so until it is claimed,
 * even when its wire falls. Claims ignore the threshold, as the specification has it. */
#ifndef DEVICES_PLIC_H
#define DEVICES_PLIC_H

#include "machine/irq.h"
#include "machine/machine.h"

enum {
    PLIC_SOURCES = 96, /* with number 0, which is none */
    PLIC_WORDS = PLIC_SOURCES / 32,
    PLIC_CONTEXTS = 2 * MACHINE_CPUS /* machine mode, supervisor mode of hart 0, then of hart 1.. */
};

struct plic_state {
    uint32_t level[PLIC_WORDS]; /* bit per source: the wires */
    uint32_t pending[PLIC_WORDS];
    uint32_t claimed[PLIC_WORDS];                /* between claim and completion */
    uint32_t enable[PLIC_CONTEXTS * PLIC_WORDS]; /* of context c from c * PLIC_WORDS */
    uint8_t priority[PLIC_SOURCES];              /* 0 to 7 */
    uint8_t threshold[PLIC_CONTEXTS];            /* 0 to 7 */
    uint8_t output[PLIC_CONTEXTS];               /* level of the wire */
};

extern const struct fields plic_fields;

struct plic {
    struct plic_state state;
    struct machine *machine;
    unsigned contexts;
    struct irq output[PLIC_CONTEXTS];
};

/* Serve `contexts` contexts; output[c] is the wire of context c. */
void plic_init(struct plic *p, struct machine *m, uint64_t base, uint64_t size, unsigned contexts,
               const struct irq *output);
/* The wire of source 1 to PLIC_SOURCES - 1. */
struct irq plic_input(struct plic *p, unsigned source);

#endif
