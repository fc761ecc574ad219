/* RV64GC harts for a machine. */
#ifndef MACHINE_RISCV_RISCV_H
#define MACHINE_RISCV_RISCV_H

#include "machine/machine.h"

/* Interrupt inputs (cpu_ops.set_irq), numbered as in mip. Privileged spec, 3.1.9. */
enum riscv_irq { RISCV_IRQ_MSI = 3, RISCV_IRQ_MTI = 7, RISCV_IRQ_SEI = 9, RISCV_IRQ_MEI = 11 };

/* Ticks of the `time` CSR and of mtime in a second, and nanoseconds a tick. */
enum { RISCV_TIMEBASE = 10000000, RISCV_TICK_NS = 100 };

/* A hart's state. */
extern const struct fields riscv_fields;

/* Give `m` its config.cpus harts, in reset: pc at `reset_pc`, machine mode, a0 = hart id. The
 * machine frees them. */
void riscv_add_harts(struct machine *m, uint64_t reset_pc);

/* mtime, and the time CSR, now. */
static inline uint64_t riscv_mtime(const struct machine *m)
{
    return clock_vtime(&m->clock) / RISCV_TICK_NS + m->clock.state.ticks_offset;
}

/* The vtime at which mtime has gone on by `ticks`; CLOCK_NEVER when that is out of reach. */
static inline uint64_t riscv_vtime_after(const struct machine *m, uint64_t ticks)
{
    uint64_t now = clock_vtime(&m->clock) / RISCV_TICK_NS;
    return ticks > CLOCK_NEVER / RISCV_TICK_NS - now ? CLOCK_NEVER : (now + ticks) * RISCV_TICK_NS;
}

#endif
