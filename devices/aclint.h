/* Machine timers and software interrupts of all harts, in the layout of SiFive's CLINT. RISC-V
 * ACLINT specification; SiFive FU540 manual, chapter 9.
 *
 * mtime runs with the machine's virtual time. The guest may set it: the difference to the machine's
 * own tick count is kept as `offset`. MTIP is mtime >= mtimecmp, compared without sign. */
#ifndef DEVICES_ACLINT_H
#define DEVICES_ACLINT_H

#include "machine/irq.h"
#include "machine/machine.h"

struct aclint_state {
    uint64_t mtimecmp[MACHINE_CPUS]; /* ticks */
    uint8_t msip[MACHINE_CPUS];      /* 0 or 1: also the level of the wire */
    uint8_t mtip[MACHINE_CPUS];      /* level of the wire */
};

extern const struct fields aclint_fields;

struct aclint {
    struct aclint_state state;
    struct machine *machine;
    unsigned timer[MACHINE_CPUS]; /* ids of the clock's timers */
    struct irq software[MACHINE_CPUS], deadline[MACHINE_CPUS];
};

/* Serve the machine's config.cpus harts; software[h] and deadline[h] are wires to hart h. */
void aclint_init(struct aclint *a, struct machine *m, uint64_t base, uint64_t size,
                 const struct irq *software, const struct irq *deadline);

#endif
