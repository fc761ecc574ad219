/* A virtio device of the tests' own: queue 0 is served with a latency and a speed, queue 1 is held,
 * queue 2 is served after a nanosecond. What a request brings is what it gets back. */
#ifndef TESTS_UNIT_DEVICES_VIRTIO_ECHO_H
#define TESTS_UNIT_DEVICES_VIRTIO_ECHO_H

#include "tests/unit/devices/virtio_bench.h"

enum { ECHO_QUEUES = 3, ECHO_HELD = 1, ECHO_FAST = 2, ECHO_CONFIG = 20 };
enum { ECHO_LATENCY = 1000, ECHO_BYTES_PER_US = 8 };

#define ECHO_F_LOW UINT64_C(1)
#define ECHO_F_HIGH (UINT64_C(1) << 50)
#define ECHO_FEATURES                                                                              \
    (ECHO_F_LOW | ECHO_F_HIGH | VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX | VIRTIO_F_VERSION_1)

struct echo_state {
    struct virtio_state virtio;
    uint8_t config[ECHO_CONFIG];
    uint32_t served;
};

struct echo {
    struct echo_state state;
    struct virtio virtio;
    unsigned told, resets;
    bool breaks; /* in serving */
};

struct rig {
    struct bench b;
    struct echo echo;
    struct driver d;
};

static const struct field echo_field[] = {
    FIELD_STRUCT(struct echo_state, virtio, virtio_fields),
    FIELD_ARRAY(struct echo_state, config),
    FIELD(struct echo_state, served),
};
static const struct fields echo_fields = FIELDS("echo", struct echo_state, 1, 1, echo_field);

static uint32_t echo_serve(void *ctx, unsigned queue, const struct virtio_chain *chain)
{
    (void)queue;
    struct echo *e = ctx;
    uint8_t bytes[64];
    uint32_t done = 0;
    e->state.served++;
    if (e->breaks)
        virtio_break(&e->virtio, "as told");
    for (size_t n; (n = virtio_chain_read(&e->virtio, chain, done, bytes, sizeof bytes));) {
        size_t written = virtio_chain_write(&e->virtio, chain, done, bytes, n);
        done += (uint32_t)written;
        if (written < n)
            break;
    }
    return done;
}

static void echo_available(void *ctx, unsigned queue)
{
    cr_assert_eq(queue, ECHO_HELD);
    ((struct echo *)ctx)->told++;
}

static void echo_config_read(const void *ctx, uint8_t *bytes)
{
    memcpy(bytes, ((const struct echo *)ctx)->state.config, ECHO_CONFIG);
}

static void echo_config_write(void *ctx, unsigned offset, unsigned size, uint64_t value)
{
    struct echo *e = ctx;
    cr_assert(offset + size <= ECHO_CONFIG);
    cr_assert(size == 8 || value >> 8 * size == 0);
    store_le(e->state.config + offset, value, size);
}

static void echo_reset(void *ctx)
{
    struct echo *e = ctx;
    e->resets++;
    e->state.served = 0;
}

static const struct virtio_queue_ops echo_queue_ops[ECHO_QUEUES] = {
    {.serve = echo_serve, .latency_ns = ECHO_LATENCY, .bytes_per_us = ECHO_BYTES_PER_US},
    {.available = echo_available},
    {.serve = echo_serve, .latency_ns = 1},
};

static const struct virtio_ops echo_ops = {.id = VIRTIO_ID_CONSOLE,
                                           .features = ECHO_F_LOW | ECHO_F_HIGH,
                                           .queues = ECHO_QUEUES,
                                           .queue = echo_queue_ops,
                                           .config_size = ECHO_CONFIG,
                                           .config_read = echo_config_read,
                                           .config_write = echo_config_write,
                                           .reset = echo_reset};

static inline void echo_init(struct echo *e, struct machine *m, uint64_t base, struct irq irq)
{
    *e = (struct echo){.virtio = {.state = &e->state.virtio,
                                  .machine = m,
                                  .ops = &echo_ops,
                                  .ctx = e,
                                  .name = "echo",
                                  .irq = irq}};
    virtio_mmio_init(&e->virtio, base, VIRTIO_BENCH_WINDOW, &echo_fields, &e->state);
}

static inline struct rig *rig_new(void)
{
    struct rig *r = calloc(1, sizeof *r);
    bench_init(&r->b, 1);
    echo_init(&r->echo, &r->b.m, VIRTIO_BENCH_BASE, bench_wire(&r->b, VIRTIO_BENCH_WIRE));
    machine_reset(&r->b.m);
    driver_init(&r->d, &r->b);
    return r;
}

static inline void rig_free(struct rig *r)
{
    log_set_sink(NULL, NULL);
    bench_fini(&r->b);
    free(r);
}

/* RAM as it is; free it. */
static inline uint8_t *rig_ram(const struct rig *r)
{
    uint8_t *copy = malloc(r->b.m.ram.size);
    memcpy(copy, r->b.m.ram.host, r->b.m.ram.size);
    return copy;
}

static inline bool rig_ram_equals(const struct rig *r, const uint8_t *copy)
{
    return memcmp(copy, r->b.m.ram.host, r->b.m.ram.size) == 0;
}

#endif
