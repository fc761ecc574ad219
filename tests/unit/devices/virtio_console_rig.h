/* A console on the bench, and its driver's side of the control queues. */
#ifndef TESTS_UNIT_DEVICES_VIRTIO_CONSOLE_RIG_H
#define TESTS_UNIT_DEVICES_VIRTIO_CONSOLE_RIG_H

#include "devices/virtio_console.h"
#include "tests/unit/devices/virtio_chain.h"

enum {
    RX0 = VIRTIO_CONSOLE_RECEIVEQ0,
    TX0 = VIRTIO_CONSOLE_TRANSMITQ0,
    CONTROL_RX = VIRTIO_CONSOLE_CONTROL_RECEIVEQ,
    CONTROL_TX = VIRTIO_CONSOLE_CONTROL_TRANSMITQ,
    RX1 = VIRTIO_CONSOLE_RECEIVEQ1,
    TX1 = VIRTIO_CONSOLE_TRANSMITQ1
};

/* Where the tests put their buffers, behind the rings. */
enum { DATA = 0x80040000, CONTROL_DATA = 0x80030000 };

/* What Linux calls VIRTIO_CONSOLE_BAD_ID: a message of the whole device. */
enum { NO_PORT = -1 };

struct rig {
    struct bench b;
    struct virtio_console console;
    struct driver d;
    struct buffer out[2]; /* of the two channels */
};

static inline void bytes_out(void *ctx, unsigned channel, const uint8_t *bytes, size_t size)
{
    struct buffer *out = ctx;
    cr_assert(channel == CHANNEL_CONSOLE0 || channel == CHANNEL_CONSOLE1);
    buffer_append(&out[channel - CHANNEL_CONSOLE0], bytes, size);
}

static const struct door_ops door = {.output = bytes_out};

static inline struct rig *rig_new(unsigned ports)
{
    struct rig *r = calloc(1, sizeof *r);
    bench_init(&r->b, 1);
    r->b.m.door = (struct door){&door, r->out};
    const struct virtio_console_config config = {.base = VIRTIO_BENCH_BASE,
                                                 .size = VIRTIO_BENCH_WINDOW,
                                                 .irq = bench_wire(&r->b, VIRTIO_BENCH_WIRE),
                                                 .ports = ports};
    virtio_console_init(&r->console, &r->b.m, &config);
    machine_reset(&r->b.m);
    driver_init(&r->d, &r->b);
    return r;
}

static inline void rig_free(struct rig *r)
{
    log_set_sink(NULL, NULL);
    buffer_fini(&r->out[0]);
    buffer_fini(&r->out[1]);
    bench_fini(&r->b);
    free(r);
}

static inline struct rig *rig_single(void)
{
    struct rig *r = rig_new(1);
    driver_start(&r->d, 0, 2, 256);
    return r;
}

static inline void start_multiport(struct rig *r)
{
    driver_start(&r->d, VIRTIO_CONSOLE_F_MULTIPORT, VIRTIO_CONSOLE_QUEUES, 256);
}

static inline size_t room(struct rig *r, unsigned port)
{
    return machine_input_room(&r->b.m, CHANNEL_CONSOLE0 + port);
}

static inline void push(struct rig *r, unsigned port, const uint8_t *bytes, size_t size)
{
    struct device *d = &r->b.m.device[0];
    cr_assert(room(r, port) >= size);
    d->input(d->ctx, CHANNEL_CONSOLE0 + port, bytes, size);
}

/* ---- control messages ---- */

static inline void send_bytes(struct rig *r, const uint8_t *bytes, uint32_t size)
{
    struct driver_buffer buffer = {CONTROL_DATA, size, false};
    memcpy(driver_ram(&r->d, CONTROL_DATA), bytes, size);
    cr_assert_eq(driver_request(&r->d, CONTROL_TX, &buffer, 1), 0);
}

/* As Linux does: send, and wait until it has been taken. */
static inline void send(struct rig *r, int port, unsigned event, unsigned value)
{
    uint8_t message[VIRTIO_CONSOLE_MESSAGE];
    store_le32(message, (uint32_t)port);
    store_le16(message + 4, (uint16_t)event);
    store_le16(message + 6, (uint16_t)value);
    send_bytes(r, message, sizeof message);
}

enum { CONTROL_BUFFER = 64, CONTROL_BUFFERS = 16 };

static inline void give_control_buffer(struct rig *r)
{
    unsigned slot = r->d.queue[CONTROL_RX].made % CONTROL_BUFFERS;
    struct chain c =
        chain_plain(CONTROL_DATA + 4096 + (uint64_t)slot * CONTROL_BUFFER, CONTROL_BUFFER, true);
    chain_post(&r->d, CONTROL_RX, &c);
}

/* The next message is this one; its buffer is given again. */
static inline void expect(struct rig *r, unsigned port, unsigned event)
{
    unsigned slot = r->d.queue[CONTROL_RX].seen % CONTROL_BUFFERS;
    const uint8_t *message =
        driver_ram(&r->d, CONTROL_DATA + 4096 + (uint64_t)slot * CONTROL_BUFFER);
    cr_assert_eq(chain_used(&r->d, CONTROL_RX), VIRTIO_CONSOLE_MESSAGE);
    cr_assert_eq(load_le32(message), port);
    cr_assert_eq(load_le16(message + 4), event);
    cr_assert_eq(load_le16(message + 6), 1);
    give_control_buffer(r);
}

static inline void expect_none(struct rig *r)
{
    cr_assert_eq(driver_used_count(&r->d, CONTROL_RX), 0);
}

/* A started device whose ports are open. */
static inline struct rig *rig_open(void)
{
    struct rig *r = rig_new(2);
    start_multiport(r);
    send(r, 0, VIRTIO_CONSOLE_PORT_OPEN, 1);
    send(r, 1, VIRTIO_CONSOLE_PORT_OPEN, 1);
    return r;
}

#endif
