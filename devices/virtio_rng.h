/* An entropy source. Virtio 1.2, section 5.4.
 *
 * A request is filled up to VIRTIO_RNG_MOST bytes, asked for through the machine's door when the
 * request's time has come: each answer is in the log, so a guest gets no more at once, and no
 * faster, than a log can bear. */
#ifndef DEVICES_VIRTIO_RNG_H
#define DEVICES_VIRTIO_RNG_H

#include "devices/virtio.h"

enum { VIRTIO_RNG_MOST = 256, VIRTIO_RNG_LATENCY_NS = 100000 };

struct virtio_rng_state {
    struct virtio_state virtio;
};

extern const struct fields virtio_rng_fields;

struct virtio_rng {
    struct virtio_rng_state state;
    struct virtio virtio;
};

void virtio_rng_init(struct virtio_rng *r, struct machine *m, uint64_t base, uint64_t size,
                     struct irq irq);

#endif
