#include "devices/virtio_rng.h"

static const struct field virtio_rng_field[] = {
    FIELD_STRUCT(struct virtio_rng_state, virtio, virtio_fields),
};
const struct fields virtio_rng_fields =
    FIELDS("virtio_rng", struct virtio_rng_state, 1, 1, virtio_rng_field);

static uint32_t serve(void *ctx, unsigned queue, const struct virtio_chain *chain)
{
    (void)queue;
    struct virtio_rng *r = ctx;
    uint8_t bytes[VIRTIO_RNG_MOST];
    uint64_t room = chain->writable_bytes;
    size_t size = room < sizeof bytes ? (size_t)room : sizeof bytes;
    if (!size) {
        virtio_break(&r->virtio, "a request without room for entropy");
        return 0;
    }
    machine_entropy(r->virtio.machine, bytes, size);
    return (uint32_t)virtio_chain_write(&r->virtio, chain, 0, bytes, size);
}

static const struct virtio_queue_ops queue_ops = {.serve = serve,
                                                  .latency_ns = VIRTIO_RNG_LATENCY_NS};

static const struct virtio_ops virtio_rng_ops = {
    .id = VIRTIO_ID_ENTROPY, .queues = 1, .queue = &queue_ops};

void virtio_rng_init(struct virtio_rng *r, struct machine *m, uint64_t base, uint64_t size,
                     struct irq irq)
{
    *r = (struct virtio_rng){.virtio = {.state = &r->state.virtio,
                                        .machine = m,
                                        .ops = &virtio_rng_ops,
                                        .ctx = r,
                                        .name = "virtio-rng",
                                        .irq = irq}};
    virtio_mmio_init(&r->virtio, base, size, &virtio_rng_fields, &r->state);
}
