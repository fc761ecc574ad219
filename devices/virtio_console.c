#include "devices/virtio_console.h"

#include "base/check.h"
#include "base/endian.h"
#include "base/log.h"

#include <inttypes.h>

/* Offsets in the configuration space; virtio 1.2, 5.3.4. */
enum { CONFIG_MAX_PORTS = 4, CONFIG_EMERG_WRITE = 8, CONFIG_SIZE = 12 };

enum { PIECE = 4096 };

static const struct field virtio_console_field[] = {
    FIELD_STRUCT(struct virtio_console_state, virtio, virtio_fields),
    FIELD_ARRAY(struct virtio_console_state, waiting),
    FIELD_ARRAY(struct virtio_console_state, added),
    FIELD_ARRAY(struct virtio_console_state, open),
    FIELD_UNUSED(struct virtio_console_state, unused),
};
const struct fields virtio_console_fields =
    FIELDS("virtio_console", struct virtio_console_state, 1, 1, virtio_console_field);

static bool multiport(const struct virtio_console *c)
{
    return virtio_has_feature(&c->virtio, VIRTIO_CONSOLE_F_MULTIPORT);
}

/* Of queues that are a port's. */
static unsigned port_of_queue(unsigned queue)
{
    return queue >= VIRTIO_CONSOLE_RECEIVEQ1;
}

static unsigned receiveq(unsigned port)
{
    return port ? VIRTIO_CONSOLE_RECEIVEQ1 : VIRTIO_CONSOLE_RECEIVEQ0;
}

static unsigned channel_of(unsigned port)
{
    return CHANNEL_CONSOLE0 + port;
}

/* ---- output ---- */

static uint32_t transmit(void *ctx, unsigned queue, const struct virtio_chain *chain)
{
    struct virtio_console *c = ctx;
    unsigned port = port_of_queue(queue);
    if (chain->readable_bytes > VIRTIO_CONSOLE_WRITE_MOST) {
        virtio_break(&c->virtio, "write of %" PRIu64 " bytes", chain->readable_bytes);
        return 0;
    }
    uint8_t piece[PIECE];
    uint64_t at = 0;
    size_t size;
    while ((size = virtio_chain_read(&c->virtio, chain, at, piece, sizeof piece)) > 0) {
        machine_output(c->virtio.machine, channel_of(port), piece, size);
        at += size;
    }
    return 0;
}

static void virtio_console_config_write(void *ctx, unsigned offset, unsigned size, uint64_t value)
{
    (void)size;
    struct virtio_console *c = ctx;
    uint8_t byte = (uint8_t)value;
    if (offset == CONFIG_EMERG_WRITE)
        machine_output(c->virtio.machine, channel_of(0), &byte, 1);
    else
        log_line(LOG_GUEST, "virtio-console: write of read-only configuration at %u", offset);
}

/* ---- control messages ---- */

/* False: there is no buffer, or the device is broken. */
static bool send_message(struct virtio_console *c, unsigned port, enum virtio_console_event event)
{
    struct virtio_chain chain;
    if (!virtqueue_take(&c->virtio, VIRTIO_CONSOLE_CONTROL_RECEIVEQ, &chain))
        return false;
    if (chain.writable_bytes < VIRTIO_CONSOLE_MESSAGE) {
        virtio_break(&c->virtio, "control buffer of %" PRIu64 " bytes", chain.writable_bytes);
        return false;
    }
    uint8_t message[VIRTIO_CONSOLE_MESSAGE];
    store_le32(message, port);
    store_le16(message + 4, event);
    store_le16(message + 6, 1);
    virtio_chain_write(&c->virtio, &chain, 0, message, sizeof message);
    virtqueue_give(&c->virtio, VIRTIO_CONSOLE_CONTROL_RECEIVEQ, chain.head, sizeof message);
    return true;
}

static void send_waiting(struct virtio_console *c)
{
    for (unsigned port = 0; port < c->ports; port++)
        for (unsigned event = 0; event < 8; event++) {
            if (!(c->state.waiting[port] & 1u << event))
                continue;
            if (!send_message(c, port, event))
                return;
            c->state.waiting[port] &= (uint8_t) ~(1u << event);
        }
}

static void port_message(struct virtio_console *c, uint32_t port, unsigned event, unsigned value)
{
    struct virtio_console_state *s = &c->state;
    if (port >= c->ports) {
        log_line(LOG_GUEST, "virtio-console: control message %u for port %" PRIu32, event, port);
    } else if (event == VIRTIO_CONSOLE_PORT_OPEN) {
        s->open[port] = value != 0;
    } else if (value) {
        s->waiting[port] |= 1 << VIRTIO_CONSOLE_CONSOLE_PORT | 1 << VIRTIO_CONSOLE_PORT_OPEN;
    } else {
        s->open[port] = 0;
        log_line(LOG_GUEST, "virtio-console: the driver could not set up port %" PRIu32, port);
    }
}

static void device_ready(struct virtio_console *c, unsigned value)
{
    struct virtio_console_state *s = &c->state;
    if (!value)
        log_line(LOG_GUEST, "virtio-console: the driver could not set up the device");
    for (unsigned port = 0; value && port < c->ports; port++) {
        if (!s->added[port])
            s->waiting[port] |= 1 << VIRTIO_CONSOLE_PORT_ADD;
        s->added[port] = 1;
    }
}

static void take_message(struct virtio_console *c, uint32_t port, unsigned event, unsigned value)
{
    switch (event) {
    case VIRTIO_CONSOLE_DEVICE_READY:
        device_ready(c, value);
        break;
    case VIRTIO_CONSOLE_PORT_READY:
    case VIRTIO_CONSOLE_PORT_OPEN:
        port_message(c, port, event, value);
        break;
    default:
        log_line(LOG_GUEST, "virtio-console: unknown control message %u", event);
    }
}

static uint32_t control_transmit(void *ctx, unsigned queue, const struct virtio_chain *chain)
{
    (void)queue;
    struct virtio_console *c = ctx;
    uint8_t message[VIRTIO_CONSOLE_MESSAGE];
    if (!multiport(c)) {
        log_line(LOG_GUEST, "virtio-console: control message without MULTIPORT");
        return 0;
    }
    size_t size = virtio_chain_read(&c->virtio, chain, 0, message, sizeof message);
    if (size < sizeof message) {
        log_line(LOG_GUEST, "virtio-console: control message of %zu bytes", size);
        return 0;
    }
    take_message(c, load_le32(message), load_le16(message + 4), load_le16(message + 6));
    send_waiting(c);
    return 0;
}

static void control_available(void *ctx, unsigned queue)
{
    (void)queue;
    send_waiting(ctx);
}

/* ---- input ---- */

static size_t input_room(const struct virtio_chain *chain)
{
    uint64_t bytes = chain->writable_bytes;
    return bytes < VIRTIO_CONSOLE_INPUT_MOST ? bytes : VIRTIO_CONSOLE_INPUT_MOST;
}

/* A buffer into which no byte fits would be the next one for ever. */
static void look_at_next(struct virtio_console *c, unsigned queue)
{
    struct virtio_chain chain;
    if (virtqueue_peek(&c->virtio, queue, &chain)) {
        if (!input_room(&chain))
            virtio_break(&c->virtio, "receive buffer of no bytes");
    } else {
        /* None, or a wrong one, which is found out by taking it. */
        virtqueue_take(&c->virtio, queue, &chain);
    }
}

static void receive_available(void *ctx, unsigned queue)
{
    look_at_next(ctx, queue);
}

/* Does the channel lead to a port that takes input now? */
static bool listens(const struct virtio_console *c, unsigned channel)
{
    unsigned port = channel - CHANNEL_CONSOLE0;
    if (channel < CHANNEL_CONSOLE0 || port >= c->ports)
        return false;
    return multiport(c) ? c->state.open[port] : port == 0;
}

static size_t virtio_console_room(const void *ctx, unsigned channel)
{
    const struct virtio_console *c = ctx;
    struct virtio_chain chain;
    if (!listens(c, channel) ||
        !virtqueue_peek(&c->virtio, receiveq(channel - CHANNEL_CONSOLE0), &chain))
        return 0;
    return input_room(&chain);
}

static void virtio_console_input(void *ctx, unsigned channel, const uint8_t *bytes, size_t size)
{
    struct virtio_console *c = ctx;
    struct virtio_chain chain;
    if (!size || !listens(c, channel))
        return;
    unsigned queue = receiveq(channel - CHANNEL_CONSOLE0);
    if (!virtqueue_take(&c->virtio, queue, &chain))
        return;
    size_t written = virtio_chain_write(&c->virtio, &chain, 0, bytes, size);
    virtqueue_give(&c->virtio, queue, chain.head, (uint32_t)written);
    look_at_next(c, queue);
}

/* ---- the device ---- */

static void virtio_console_config_read(const void *ctx, uint8_t *bytes)
{
    const struct virtio_console *c = ctx;
    memset(bytes, 0, CONFIG_SIZE);
    store_le32(bytes + CONFIG_MAX_PORTS, c->ports);
}

static void virtio_console_reset(void *ctx)
{
    struct virtio_console *c = ctx;
    memset(c->state.waiting, 0, sizeof c->state.waiting);
    memset(c->state.added, 0, sizeof c->state.added);
    memset(c->state.open, 0, sizeof c->state.open);
}

#define PORT_TRANSMITQ                                                                             \
    {                                                                                              \
        .serve = transmit, .latency_ns = VIRTIO_CONSOLE_LATENCY_NS,                                \
        .bytes_per_us = VIRTIO_CONSOLE_BYTES_PER_US                                                \
    }

static const struct virtio_queue_ops virtio_console_queue[VIRTIO_CONSOLE_QUEUES] = {
    [VIRTIO_CONSOLE_RECEIVEQ0] = {.available = receive_available},
    [VIRTIO_CONSOLE_TRANSMITQ0] = PORT_TRANSMITQ,
    [VIRTIO_CONSOLE_CONTROL_RECEIVEQ] = {.available = control_available},
    [VIRTIO_CONSOLE_CONTROL_TRANSMITQ] = {.serve = control_transmit,
                                          .latency_ns = VIRTIO_CONSOLE_LATENCY_NS},
    [VIRTIO_CONSOLE_RECEIVEQ1] = {.available = receive_available},
    [VIRTIO_CONSOLE_TRANSMITQ1] = PORT_TRANSMITQ,
};

#define OPS(device_features, device_queues)                                                        \
    {                                                                                              \
        .id = VIRTIO_ID_CONSOLE, .features = (device_features), .queues = (device_queues),         \
        .queue = virtio_console_queue, .config_size = CONFIG_SIZE,                                 \
        .config_read = virtio_console_config_read, .config_write = virtio_console_config_write,    \
        .reset = virtio_console_reset, .room = virtio_console_room, .input = virtio_console_input  \
    }

static const struct virtio_ops ops_of_ports[VIRTIO_CONSOLE_PORTS] = {
    OPS(VIRTIO_CONSOLE_F_EMERG_WRITE, VIRTIO_CONSOLE_TRANSMITQ0 + 1),
    OPS(VIRTIO_CONSOLE_F_EMERG_WRITE | VIRTIO_CONSOLE_F_MULTIPORT, VIRTIO_CONSOLE_QUEUES),
};

void virtio_console_init(struct virtio_console *c, struct machine *m,
                         const struct virtio_console_config *config)
{
    check(config->ports >= 1 && config->ports <= VIRTIO_CONSOLE_PORTS, "%u ports", config->ports);
    *c = (struct virtio_console){.ports = config->ports};
    c->virtio = (struct virtio){.state = &c->state.virtio,
                                .machine = m,
                                .ops = &ops_of_ports[config->ports - 1],
                                .ctx = c,
                                .name = "virtio-console",
                                .irq = config->irq};
    virtio_mmio_init(&c->virtio, config->base, config->size, &virtio_console_fields, &c->state);
}
