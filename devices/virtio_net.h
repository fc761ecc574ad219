/* A network card: virtio 1.2, section 5.1. One pair of queues, no offloads, no control queue; the
 * link is up.
 *
 * A frame that the driver sends leaves, whole, after 5 us and a byte time of 1 Gbit/s. A received
 * frame goes into the next buffer of the receive queue at once; when there is none, there is no
 * room, and it is the sender's to wait or to drop. */
#ifndef DEVICES_VIRTIO_NET_H
#define DEVICES_VIRTIO_NET_H

#include "devices/virtio.h"

enum {
    VIRTIO_NET_HEADER = 12,        /* bytes before each frame in a buffer */
    VIRTIO_NET_FRAME_LEAST = 14,   /* bytes of a frame: an Ethernet header */
    VIRTIO_NET_FRAME_MOST = 65550, /* and 64 KiB behind it */
    VIRTIO_NET_LATENCY_NS = 5000,  /* of a frame sent */
    VIRTIO_NET_BYTES_PER_US = 125  /* 1 Gbit/s */
};

enum { VIRTIO_NET_RECEIVEQ = 0, VIRTIO_NET_TRANSMITQ = 1, VIRTIO_NET_QUEUES = 2 };

#define VIRTIO_NET_F_MAC (UINT64_C(1) << 5)
#define VIRTIO_NET_F_STATUS (UINT64_C(1) << 16)

struct virtio_net_state {
    struct virtio_state virtio;
    uint64_t sent, received; /* frames since the last reset */
    uint64_t dropped;        /* that the driver wanted to send: no Ethernet frames by their size */
};

extern const struct fields virtio_net_fields;

struct virtio_net_config {
    uint64_t base, size; /* of the slot */
    struct irq irq;
    unsigned channel; /* CHANNEL_NET0 or above */
    uint8_t mac[6];
};

struct virtio_net {
    struct virtio_net_state state;
    struct virtio virtio;
    unsigned channel;
    uint8_t mac[6];
    uint8_t frame[VIRTIO_NET_FRAME_MOST]; /* scratch: means nothing between two calls */
};

/* Put the card into a slot. Frames leave by machine_output, one a call; a frame is received when it
 * is pushed whole on the channel, whose room is the longest frame that fits now. */
void virtio_net_init(struct virtio_net *n, struct machine *m,
                     const struct virtio_net_config *config);

#endif
