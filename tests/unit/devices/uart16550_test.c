#include "devices/uart16550.h"

#include "tests/unit/devices/bench.h"

enum { BASE = 0x10000000, WIRE = 3 };
enum { RBR, IER, IIR, LCR, MCR, LSR, MSR, SCR };
enum { FCR = IIR };

struct rig {
    struct bench b;
    struct uart16550 uart;
};

static struct rig *rig_new(void)
{
    struct rig *r = calloc(1, sizeof *r);
    bench_init(&r->b, 1);
    uart16550_init(&r->uart, &r->b.m, BASE, 0x100, bench_wire(&r->b, WIRE), CHANNEL_SERIAL0);
    bench_reset(&r->b);
    return r;
}

static void rig_free(struct rig *r)
{
    bench_fini(&r->b);
    free(r);
}

static uint8_t get(struct rig *r, unsigned reg)
{
    return (uint8_t)bench_read(&r->b, BASE + reg, 1);
}

static void put(struct rig *r, unsigned reg, uint8_t value)
{
    bench_write(&r->b, BASE + reg, 1, value);
}

static size_t room(struct rig *r)
{
    return machine_input_room(&r->b.m, CHANNEL_SERIAL0);
}

static void push(struct rig *r, const char *text)
{
    struct device *d = &r->b.m.device[0];
    cr_assert(room(r) >= strlen(text));
    d->input(d->ctx, CHANNEL_SERIAL0, (const uint8_t *)text, strlen(text));
}

static bool irq(struct rig *r)
{
    return r->b.wire[WIRE];
}

Test(uart16550, reset_values)
{
    struct rig *r = rig_new();
    cr_assert_eq(get(r, RBR), 0);
    cr_assert_eq(get(r, IER), 0);
    cr_assert_eq(get(r, IIR), 1);
    cr_assert_eq(get(r, LCR), 0);
    cr_assert_eq(get(r, MCR), 0);
    cr_assert_eq(get(r, LSR), 0x60);
    cr_assert_eq(get(r, MSR), 0xb0);
    cr_assert_eq(get(r, SCR), 0);
    cr_assert(!irq(r));
    rig_free(r);
}

Test(uart16550, transmits_at_once)
{
    struct rig *r = rig_new();
    put(r, RBR, 'h');
    put(r, RBR, 'i');
    cr_assert_eq(r->b.sent.size, 2);
    cr_assert_arr_eq(r->b.sent.data, "hi", 2);
    cr_assert_eq(r->b.sent_channel, CHANNEL_SERIAL0);
    cr_assert_eq(get(r, LSR), 0x60);
    rig_free(r);
}

Test(uart16550, transmitter_interrupt)
{
    struct rig *r = rig_new();
    put(r, IER, 2);
    cr_assert(irq(r), "the holding register is empty");
    cr_assert_eq(get(r, IIR), 2);
    cr_assert(!irq(r), "reading IIR acknowledges");
    cr_assert_eq(get(r, IIR), 1);
    put(r, RBR, 'x');
    cr_assert(irq(r), "empty again");
    put(r, IER, 0);
    cr_assert(!irq(r));
    put(r, IER, 2);
    cr_assert(irq(r), "enabling it asks again");
    rig_free(r);
}

Test(uart16550, divisor_is_behind_dlab)
{
    struct rig *r = rig_new();
    put(r, LCR, 0x83);
    put(r, RBR, 0x12);
    put(r, IER, 0x34);
    cr_assert_eq(get(r, RBR), 0x12);
    cr_assert_eq(get(r, IER), 0x34);
    put(r, LCR, 3);
    cr_assert_eq(r->b.sent.size, 0);
    cr_assert_eq(get(r, IER), 0);
    push(r, "a");
    put(r, LCR, 0x83);
    cr_assert_eq(get(r, RBR), 0x12, "reading the divisor takes no byte");
    put(r, LCR, 3);
    cr_assert_eq(get(r, RBR), 'a');
    rig_free(r);
}

Test(uart16550, one_byte_without_fifo)
{
    struct rig *r = rig_new();
    cr_assert_eq(room(r), 1);
    push(r, "a");
    cr_assert_eq(room(r), 0);
    cr_assert_eq(get(r, LSR), 0x61);
    put(r, IER, 1);
    cr_assert(irq(r));
    cr_assert_eq(get(r, IIR), 4);
    cr_assert_eq(get(r, RBR), 'a');
    cr_assert(!irq(r));
    cr_assert_eq(room(r), 1);
    rig_free(r);
}

Test(uart16550, fifo_trigger_levels)
{
    static const unsigned level[4] = {1, 4, 8, 14};
    for (unsigned i = 0; i < 4; i++) {
        struct rig *r = rig_new();
        put(r, FCR, (uint8_t)(1 | i << 6));
        put(r, IER, 1);
        cr_assert_eq(room(r), 16);
        for (unsigned n = 1; n <= 16; n++) {
            push(r, "a");
            cr_assert_eq(get(r, IIR), n >= level[i] ? 0xc4 : 0xcc, "%u bytes, level %u", n,
                         level[i]);
            cr_assert(irq(r));
        }
        cr_assert_eq(room(r), 0);
        rig_free(r);
    }
}

Test(uart16550, fifo_is_in_order)
{
    struct rig *r = rig_new();
    put(r, FCR, 1);
    for (unsigned round = 0; round < 5; round++) {
        push(r, "0123456789a");
        for (const char *p = "0123456789a"; *p; p++) {
            cr_assert_eq(get(r, LSR) & 1, 1);
            cr_assert_eq(get(r, RBR), *p);
        }
        cr_assert_eq(get(r, LSR) & 1, 0);
    }
    rig_free(r);
}

Test(uart16550, fifo_clears)
{
    struct rig *r = rig_new();
    put(r, FCR, 1);
    put(r, IER, 1);
    push(r, "abc");
    put(r, FCR, 5);
    cr_assert_eq(get(r, LSR) & 1, 1, "clearing the transmitter leaves the receiver alone");
    put(r, FCR, 3);
    cr_assert_eq(get(r, LSR) & 1, 0);
    cr_assert(!irq(r));
    push(r, "abc");
    put(r, FCR, 0);
    cr_assert_eq(get(r, LSR) & 1, 0, "switching FIFOs off clears them");
    cr_assert_eq(get(r, IIR), 1);
    rig_free(r);
}

Test(uart16550, loopback)
{
    struct rig *r = rig_new();
    put(r, MCR, 0x10);
    cr_assert_eq(room(r), 0, "the line is cut");
    cr_assert_eq(get(r, MSR) & 0xf0, 0);
    put(r, RBR, 'x');
    cr_assert_eq(r->b.sent.size, 0);
    cr_assert_eq(get(r, RBR), 'x');
    static const struct {
        uint8_t mcr, msr;
    } line[] = {{1, 0x20}, {2, 0x10}, {4, 0x40}, {8, 0x80}, {10, 0x90}};
    for (unsigned i = 0; i < sizeof line / sizeof *line; i++) {
        put(r, MCR, 0x10 | line[i].mcr);
        cr_assert_eq(get(r, MSR) & 0xf0, line[i].msr);
    }
    rig_free(r);
}

Test(uart16550, modem_status_changes)
{
    struct rig *r = rig_new();
    put(r, MCR, 0x10);
    get(r, MSR);
    put(r, IER, 8);
    cr_assert(!irq(r));
    put(r, MCR, 0x12);
    cr_assert(irq(r));
    cr_assert_eq(get(r, IIR), 0);
    cr_assert_eq(get(r, MSR), 0x11);
    cr_assert(!irq(r));
    cr_assert_eq(get(r, MSR), 0x10);
    put(r, MCR, 0x16);
    cr_assert_eq(get(r, MSR), 0x50, "the ring indicator counts when it ends");
    put(r, MCR, 0x12);
    cr_assert_eq(get(r, MSR), 0x14);
    rig_free(r);
}

Test(uart16550, overrun_in_loopback)
{
    struct rig *r = rig_new();
    put(r, FCR, 1);
    put(r, MCR, 0x10);
    put(r, IER, 5);
    for (unsigned i = 0; i < 17; i++)
        put(r, RBR, (uint8_t)i);
    cr_assert_eq(get(r, IIR), 0xc6, "line status comes first");
    cr_assert_eq(get(r, LSR), 0x63);
    cr_assert_eq(get(r, LSR), 0x61);
    cr_assert_eq(get(r, IIR), 0xc4);
    for (unsigned i = 0; i < 16; i++)
        cr_assert_eq(get(r, RBR), i, "the last one was lost");
    put(r, FCR, 0);
    put(r, RBR, 1);
    put(r, RBR, 2);
    cr_assert_eq(get(r, LSR), 0x63);
    cr_assert_eq(get(r, RBR), 2, "without FIFO the first one was lost");
    rig_free(r);
}

Test(uart16550, interrupt_priorities)
{
    struct rig *r = rig_new();
    put(r, MCR, 0x12);
    put(r, IER, 15);
    put(r, RBR, 'a');
    put(r, RBR, 'b');
    cr_assert_eq(get(r, IIR), 6);
    get(r, LSR);
    cr_assert_eq(get(r, IIR), 4);
    get(r, RBR);
    cr_assert_eq(get(r, IIR), 2);
    cr_assert_eq(get(r, IIR), 0);
    get(r, MSR);
    cr_assert_eq(get(r, IIR), 1);
    cr_assert(!irq(r));
    rig_free(r);
}

Test(uart16550, wide_and_unknown)
{
    struct rig *r = rig_new();
    push(r, "a");
    cr_assert_eq(bench_read(&r->b, BASE, 4), 'a');
    cr_assert_eq(bench_read(&r->b, BASE + 8, 1), 0);
    bench_write(&r->b, BASE + 0x20, 1, 5);
    put(r, LSR, 0xff);
    put(r, MSR, 0xff);
    cr_assert_eq(get(r, LSR), 0x60);
    put(r, SCR, 0xa5);
    cr_assert_eq(get(r, SCR), 0xa5);
    rig_free(r);
}

Test(uart16550, other_channels_are_not_its)
{
    struct rig *r = rig_new();
    cr_assert_eq(machine_input_room(&r->b.m, CHANNEL_SEMIHOST), 0);
    rig_free(r);
}

Test(uart16550, looking_takes_nothing)
{
    struct rig *r = rig_new();
    put(r, FCR, 1);
    put(r, IER, 15);
    push(r, "abc");
    bench_peek_all(&r->b, BASE, 0x100);
    uint64_t value;
    cr_assert(bus_peek(&r->b.m.bus, BASE, 1, &value));
    cr_assert_eq(value, 'a');
    rig_free(r);
}

/* A damaged recording may hold any state: it must not lead outside the FIFO. */
Test(uart16550, any_state_is_safe)
{
    struct rig *r = rig_new();
    memset(&r->uart.state, 0xff, sizeof r->uart.state);
    r->uart.state.lcr = 0;
    cr_assert_eq(room(r), 0);
    for (unsigned i = 0; i < 300; i++)
        get(r, RBR);
    put(r, RBR, 'x');
    cr_assert_eq(get(r, RBR), 'x');
    rig_free(r);
}
