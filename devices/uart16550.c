#include "devices/uart16550.h"

#include "base/log.h"

#include <inttypes.h>

/* Register offsets; with LCR.DLAB the first two are the divisor's. */
enum { RBR_THR = 0, IER = 1, IIR_FCR = 2, LCR = 3, MCR = 4, LSR = 5, MSR = 6, SCR = 7 };

enum { IER_RX = 1, IER_THRE = 2, IER_LINE = 4, IER_MODEM = 8, IER_BITS = 15 };
enum { IIR_MODEM = 0, IIR_NONE = 1, IIR_THRE = 2, IIR_RX = 4, IIR_LINE = 6, IIR_TIMEOUT = 12 };
enum { IIR_FIFOS = 0xc0 };
enum { FCR_ENABLE = 1, FCR_CLEAR_RX = 2, FCR_KEPT = 0xc9 };
enum { LCR_DLAB = 0x80 };
enum { MCR_DTR = 1, MCR_RTS = 2, MCR_OUT1 = 4, MCR_OUT2 = 8, MCR_LOOP = 16, MCR_BITS = 31 };
enum { LSR_READY = 1, LSR_OVERRUN = 2, LSR_THRE = 0x20, LSR_EMPTY = 0x40 };
enum { MSR_CTS = 0x10, MSR_DSR = 0x20, MSR_RI = 0x40, MSR_DCD = 0x80, MSR_TERI = 4 };

static const struct field uart16550_field[] = {
    FIELD_ARRAY(struct uart16550_state, rx),  FIELD(struct uart16550_state, rx_first),
    FIELD(struct uart16550_state, rx_count),  FIELD(struct uart16550_state, ier),
    FIELD(struct uart16550_state, fcr),       FIELD(struct uart16550_state, lcr),
    FIELD(struct uart16550_state, mcr),       FIELD(struct uart16550_state, scr),
    FIELD(struct uart16550_state, dll),       FIELD(struct uart16550_state, dlm),
    FIELD(struct uart16550_state, overrun),   FIELD(struct uart16550_state, thre_pending),
    FIELD(struct uart16550_state, msr_delta),
};
const struct fields uart16550_fields =
    FIELDS("uart16550", struct uart16550_state, 1, 1, uart16550_field);

static bool fifos_on(const struct uart16550_state *s)
{
    return s->fcr & FCR_ENABLE;
}

static unsigned capacity(const struct uart16550_state *s)
{
    return fifos_on(s) ? UART16550_FIFO : 1;
}

static unsigned trigger_level(const struct uart16550_state *s)
{
    static const uint8_t level[4] = {1, 4, 8, 14};
    return fifos_on(s) ? level[s->fcr >> 6] : 1;
}

/* By priority, highest first. */
static uint8_t interrupt_id(const struct uart16550_state *s)
{
    if ((s->ier & IER_LINE) && s->overrun)
        return IIR_LINE;
    if ((s->ier & IER_RX) && s->rx_count)
        return s->rx_count >= trigger_level(s) ? IIR_RX : IIR_TIMEOUT;
    if ((s->ier & IER_THRE) && s->thre_pending)
        return IIR_THRE;
    if ((s->ier & IER_MODEM) && s->msr_delta)
        return IIR_MODEM;
    return IIR_NONE;
}

static void update_irq(struct uart16550 *u)
{
    irq_set(&u->irq, interrupt_id(&u->state) != IIR_NONE);
}

static void receive(struct uart16550_state *s, uint8_t byte)
{
    if (s->rx_count >= capacity(s)) {
        s->overrun = 1;
        if (!fifos_on(s))
            s->rx[s->rx_first % UART16550_FIFO] = byte;
        return;
    }
    s->rx[(s->rx_first + s->rx_count++) % UART16550_FIFO] = byte;
}

static void take(struct uart16550_state *s)
{
    if (!s->rx_count)
        return;
    s->rx_first = (s->rx_first + 1) % UART16550_FIFO;
    s->rx_count--;
}

/* MSR 7:4. The peer is always there; in loopback the modem outputs are the inputs. */
static uint8_t modem_lines(uint8_t mcr)
{
    if (!(mcr & MCR_LOOP))
        return MSR_DCD | MSR_DSR | MSR_CTS;
    return (mcr & MCR_RTS ? MSR_CTS : 0) | (mcr & MCR_DTR ? MSR_DSR : 0) |
           (mcr & MCR_OUT1 ? MSR_RI : 0) | (mcr & MCR_OUT2 ? MSR_DCD : 0);
}

static void write_mcr(struct uart16550_state *s, uint8_t value)
{
    uint8_t old = modem_lines(s->mcr), new = modem_lines(value);
    uint8_t delta = (old ^ new) >> 4;
    /* The ring indicator counts only when it ends. */
    if (new &MSR_RI)
        delta &= (uint8_t)~MSR_TERI;
    s->msr_delta |= delta;
    s->mcr = value;
}

static void write_fcr(struct uart16550_state *s, uint8_t value)
{
    if ((value ^ s->fcr) & FCR_ENABLE || value & FCR_CLEAR_RX)
        s->rx_first = s->rx_count = 0;
    s->fcr = value & FCR_ENABLE ? value & FCR_KEPT : 0;
}

static void transmit(struct uart16550 *u, uint8_t byte)
{
    if (u->state.mcr & MCR_LOOP)
        receive(&u->state, byte);
    else
        machine_output(u->machine, u->channel, &byte, 1);
    u->state.thre_pending = 1;
}

static void write_ier(struct uart16550_state *s, uint8_t value)
{
    if (value & ~s->ier & IER_THRE)
        s->thre_pending = 1;
    s->ier = value;
}

static uint8_t register_value(const struct uart16550_state *s, uint64_t offset)
{
    bool dlab = s->lcr & LCR_DLAB;
    switch (offset) {
    case RBR_THR:
        if (dlab)
            return s->dll;
        return s->rx_count ? s->rx[s->rx_first % UART16550_FIFO] : 0;
    case IER:
        return dlab ? s->dlm : s->ier;
    case IIR_FCR:
        return interrupt_id(s) | (fifos_on(s) ? IIR_FIFOS : 0);
    case LCR:
        return s->lcr;
    case MCR:
        return s->mcr;
    case LSR:
        return LSR_THRE | LSR_EMPTY | (s->rx_count ? LSR_READY : 0) |
               (s->overrun ? LSR_OVERRUN : 0);
    case MSR:
        return modem_lines(s->mcr) | s->msr_delta;
    case SCR:
        return s->scr;
    default:
        return 0;
    }
}

static bool uart16550_peek(const void *ctx, uint64_t offset, unsigned size, uint64_t *value)
{
    (void)size;
    const struct uart16550 *u = ctx;
    *value = register_value(&u->state, offset);
    return true;
}

static bool uart16550_read(void *ctx, uint64_t offset, unsigned size, uint64_t *value)
{
    struct uart16550 *u = ctx;
    struct uart16550_state *s = &u->state;
    uart16550_peek(u, offset, size, value);
    switch (offset) {
    case RBR_THR:
        if (!(s->lcr & LCR_DLAB))
            take(s);
        break;
    case IIR_FCR:
        if (interrupt_id(s) == IIR_THRE)
            s->thre_pending = 0;
        break;
    case LSR:
        s->overrun = 0;
        break;
    case MSR:
        s->msr_delta = 0;
        break;
    default:
        if (offset > SCR)
            log_line(LOG_GUEST, "uart16550: read of unknown register %#" PRIx64, offset);
        return true;
    }
    update_irq(u);
    return true;
}

static bool uart16550_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
    (void)size;
    struct uart16550 *u = ctx;
    struct uart16550_state *s = &u->state;
    uint8_t byte = (uint8_t)value;
    bool dlab = s->lcr & LCR_DLAB;
    switch (offset) {
    case RBR_THR:
        if (dlab)
            s->dll = byte;
        else
            transmit(u, byte);
        break;
    case IER:
        if (dlab)
            s->dlm = byte;
        else
            write_ier(s, byte & IER_BITS);
        break;
    case IIR_FCR:
        write_fcr(s, byte);
        break;
    case LCR:
        s->lcr = byte;
        break;
    case MCR:
        write_mcr(s, byte & MCR_BITS);
        break;
    case SCR:
        s->scr = byte;
        break;
    default:
        log_line(LOG_GUEST, "uart16550: write of %#x to read-only or unknown register %#" PRIx64,
                 byte, offset);
        return true;
    }
    update_irq(u);
    return true;
}

static const struct bus_ops uart16550_ops = {uart16550_read, uart16550_write, uart16550_peek};

/* In loopback the receiver hears only the transmitter. */
static size_t uart16550_room(const void *ctx, unsigned channel)
{
    const struct uart16550 *u = ctx;
    unsigned most = capacity(&u->state), count = u->state.rx_count;
    if (channel != u->channel || u->state.mcr & MCR_LOOP || count >= most)
        return 0;
    return most - count;
}

static void uart16550_input(void *ctx, unsigned channel, const uint8_t *bytes, size_t size)
{
    (void)channel;
    struct uart16550 *u = ctx;
    for (size_t i = 0; i < size; i++)
        receive(&u->state, bytes[i]);
    update_irq(u);
}

static void uart16550_reset(void *ctx)
{
    struct uart16550 *u = ctx;
    u->state = (struct uart16550_state){0};
    irq_set(&u->irq, false);
}

void uart16550_init(struct uart16550 *u, struct machine *m, uint64_t base, uint64_t size,
                    struct irq irq, unsigned channel)
{
    *u = (struct uart16550){.machine = m, .irq = irq, .channel = channel};
    bus_add(&m->bus, (struct bus_region){"uart16550", base, size, &uart16550_ops, u, NULL});
    machine_add_device(m, (struct device){.name = "uart16550",
                                          .fields = &uart16550_fields,
                                          .state = &u->state,
                                          .ctx = u,
                                          .reset = uart16550_reset,
                                          .room = uart16550_room,
                                          .input = uart16550_input});
}
