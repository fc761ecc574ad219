/* A 16550A UART with 16-byte FIFOs. National Semiconductor PC16550D data sheet.
 *
 * Transmission takes no time: a byte written leaves at once and the holding register is empty
 * again. Reception never overruns from outside, because the host side pushes only what there is
 * room for; the guest can overrun the receiver itself in loopback. Received bytes below the trigger
 * level raise the character timeout interrupt at once. */
#ifndef DEVICES_UART16550_H
#define DEVICES_UART16550_H

#include "machine/irq.h"
#include "machine/machine.h"

enum { UART16550_FIFO = 16 };

struct uart16550_state {
    uint8_t rx[UART16550_FIFO]; /* received, a ring */
    uint8_t rx_first, rx_count;
    uint8_t ier, fcr, lcr, mcr, scr, dll, dlm;
    uint8_t overrun;      /* LSR.OE, until read */
    uint8_t thre_pending; /* the transmitter interrupt waits to be seen */
    uint8_t msr_delta;    /* MSR bits 3:0, until read */
};

extern const struct fields uart16550_fields;

struct uart16550 {
    struct uart16550_state state;
    struct machine *machine;
    struct irq irq;
    unsigned channel;
};

/* Put the UART at `base`, sending and receiving on `channel` of the machine's door. */
void uart16550_init(struct uart16550 *u, struct machine *m, uint64_t base, uint64_t size,
                    struct irq irq, unsigned channel);

#endif
