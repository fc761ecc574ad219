#include "devices/virtio_net.h"

#include "base/endian.h"
#include "base/log.h"

#include <inttypes.h>

/* Offsets in the configuration space and in the header before a frame; virtio 1.2, 5.1.4, 5.1.6. */
enum { CONFIG_MAC = 0, CONFIG_STATUS = 6, CONFIG_SIZE = 8 };
enum { STATUS_LINK_UP = 1 };
enum { HEADER_NUM_BUFFERS = 10 };

static const struct field virtio_net_field[] = {
    FIELD_STRUCT(struct virtio_net_state, virtio, virtio_fields),
    FIELD(struct virtio_net_state, sent),
    FIELD(struct virtio_net_state, received),
    FIELD(struct virtio_net_state, dropped),
};
const struct fields virtio_net_fields =
    FIELDS("virtio_net", struct virtio_net_state, 1, 1, virtio_net_field);

/* What the header asks for is of offloads that are not offered: it is not looked at. */
static uint32_t transmit(void *ctx, unsigned queue, const struct virtio_chain *chain)
{
    (void)queue;
    struct virtio_net *n = ctx;
    uint64_t bytes = chain->readable_bytes;
    if (bytes < VIRTIO_NET_HEADER + VIRTIO_NET_FRAME_LEAST ||
        bytes > VIRTIO_NET_HEADER + VIRTIO_NET_FRAME_MOST) {
        n->state.dropped++;
        log_line(LOG_GUEST, "virtio-net: no frame to send in %" PRIu64 " bytes", bytes);
        return 0;
    }
    size_t size =
        virtio_chain_read(&n->virtio, chain, VIRTIO_NET_HEADER, n->frame, sizeof n->frame);
    n->state.sent++;
    machine_output(n->virtio.machine, n->channel, n->frame, size);
    return 0;
}

/* The longest frame that fits into a receive buffer. */
static size_t frame_room(const struct virtio_chain *chain)
{
    uint64_t bytes = chain->writable_bytes;
    if (bytes < VIRTIO_NET_HEADER + VIRTIO_NET_FRAME_LEAST)
        return 0;
    bytes -= VIRTIO_NET_HEADER;
    return bytes < VIRTIO_NET_FRAME_MOST ? bytes : VIRTIO_NET_FRAME_MOST;
}

/* A buffer into which no frame fits would be the next one for ever. */
static void look_at_next(struct virtio_net *n)
{
    struct virtio_chain chain;
    if (virtqueue_peek(&n->virtio, VIRTIO_NET_RECEIVEQ, &chain)) {
        if (!frame_room(&chain))
            virtio_break(&n->virtio, "receive buffer of %" PRIu64 " bytes", chain.writable_bytes);
    } else {
        /* None, or a wrong one, which is found out by taking it. */
        virtqueue_take(&n->virtio, VIRTIO_NET_RECEIVEQ, &chain);
    }
}

static void receive_available(void *ctx, unsigned queue)
{
    (void)queue;
    look_at_next(ctx);
}

static size_t virtio_net_room(const void *ctx, unsigned channel)
{
    const struct virtio_net *n = ctx;
    struct virtio_chain chain;
    if (channel != n->channel || !virtqueue_peek(&n->virtio, VIRTIO_NET_RECEIVEQ, &chain))
        return 0;
    return frame_room(&chain);
}

static void virtio_net_input(void *ctx, unsigned channel, const uint8_t *bytes, size_t size)
{
    struct virtio_net *n = ctx;
    struct virtio_chain chain;
    if (channel != n->channel || !size || !virtqueue_take(&n->virtio, VIRTIO_NET_RECEIVEQ, &chain))
        return;
    uint8_t header[VIRTIO_NET_HEADER] = {0};
    store_le16(header + HEADER_NUM_BUFFERS, 1);
    virtio_chain_write(&n->virtio, &chain, 0, header, sizeof header);
    virtio_chain_write(&n->virtio, &chain, sizeof header, bytes, size);
    n->state.received++;
    virtqueue_give(&n->virtio, VIRTIO_NET_RECEIVEQ, chain.head, (uint32_t)(sizeof header + size));
    look_at_next(n);
}

static void virtio_net_config_read(const void *ctx, uint8_t *bytes)
{
    const struct virtio_net *n = ctx;
    memcpy(bytes + CONFIG_MAC, n->mac, sizeof n->mac);
    store_le16(bytes + CONFIG_STATUS, STATUS_LINK_UP);
}

static void virtio_net_reset(void *ctx)
{
    struct virtio_net *n = ctx;
    n->state.sent = n->state.received = n->state.dropped = 0;
}

static const struct virtio_queue_ops virtio_net_queue[VIRTIO_NET_QUEUES] = {
    [VIRTIO_NET_RECEIVEQ] = {.available = receive_available},
    [VIRTIO_NET_TRANSMITQ] = {.serve = transmit,
                              .latency_ns = VIRTIO_NET_LATENCY_NS,
                              .bytes_per_us = VIRTIO_NET_BYTES_PER_US},
};

static const struct virtio_ops virtio_net_ops = {
    .id = VIRTIO_ID_NET,
    .features = VIRTIO_NET_F_MAC | VIRTIO_NET_F_STATUS,
    .queues = VIRTIO_NET_QUEUES,
    .queue = virtio_net_queue,
    .config_size = CONFIG_SIZE,
    .config_read = virtio_net_config_read,
    .reset = virtio_net_reset,
    .room = virtio_net_room,
    .input = virtio_net_input,
};

/* By the network's index. */
static const char *const name[] = {"virtio-net0", "virtio-net1", "virtio-net2", "virtio-net3",
                                   "virtio-net4", "virtio-net5", "virtio-net6", "virtio-net7"};

void virtio_net_init(struct virtio_net *n, struct machine *m,
                     const struct virtio_net_config *config)
{
    *n = (struct virtio_net){.channel = config->channel};
    memcpy(n->mac, config->mac, sizeof n->mac);
    n->virtio = (struct virtio){.state = &n->state.virtio,
                                .machine = m,
                                .ops = &virtio_net_ops,
                                .ctx = n,
                                .name = name[config->channel - CHANNEL_NET0],
                                .irq = config->irq};
    virtio_mmio_init(&n->virtio, config->base, config->size, &virtio_net_fields, &n->state);
}
