/* A level-triggered wire from a device to whoever listens. It has no state: driver and listener
 * each keep the level in their own, so a restore moves no wire. */
#ifndef MACHINE_IRQ_H
#define MACHINE_IRQ_H

#include <stdbool.h>

struct irq {
    void (*set)(void *ctx, unsigned number, bool level);
    void *ctx;
    unsigned number;
};

static inline void irq_set(const struct irq *irq, bool level)
{
    if (irq->set)
        irq->set(irq->ctx, irq->number, level);
}

#endif
