/* A driver for virtio devices on the bench: everything as the specification wants it, and raw
 * functions for what it does not want. Virtio 1.2, sections 3.1, 2.7 and 4.2.3. */
#ifndef TESTS_UNIT_DEVICES_VIRTIO_BENCH_H
#define TESTS_UNIT_DEVICES_VIRTIO_BENCH_H

#include "base/endian.h"
#include "base/log.h"
#include "devices/virtio.h"
#include "tests/unit/devices/bench.h"

#include <stdio.h>

enum { VIRTIO_BENCH_BASE = 0x10001000, VIRTIO_BENCH_WINDOW = 0x1000, VIRTIO_BENCH_WIRE = 1 };

/* Registers. */
enum {
    REG_MAGIC = 0,
    REG_VERSION = 4,
    REG_DEVICE_ID = 8,
    REG_VENDOR_ID = 0xc,
    REG_DEVICE_FEATURES = 0x10,
    REG_DEVICE_FEATURES_SEL = 0x14,
    REG_DRIVER_FEATURES = 0x20,
    REG_DRIVER_FEATURES_SEL = 0x24,
    REG_QUEUE_SEL = 0x30,
    REG_QUEUE_NUM_MAX = 0x34,
    REG_QUEUE_NUM = 0x38,
    REG_QUEUE_READY = 0x44,
    REG_QUEUE_NOTIFY = 0x50,
    REG_INTERRUPT_STATUS = 0x60,
    REG_INTERRUPT_ACK = 0x64,
    REG_STATUS = 0x70,
    REG_QUEUE_DESC = 0x80,
    REG_QUEUE_DRIVER = 0x90,
    REG_QUEUE_DEVICE = 0xa0,
    REG_CONFIG_GENERATION = 0xfc,
    REG_CONFIG = 0x100
};

enum {
    ACKNOWLEDGE = 1,
    DRIVER = 2,
    DRIVER_OK = 4,
    FEATURES_OK = 8,
    NEEDS_RESET = 64,
    FAILED = 128
};
enum { DESC_NEXT = 1, DESC_WRITE = 2, DESC_INDIRECT = 4 };

struct driver_queue {
    unsigned index, size;
    uint64_t desc, avail, used; /* guest physical */
    uint16_t made;              /* entries made available */
    uint16_t seen;              /* used entries collected */
    unsigned next_desc; /* descriptors are handed out in turn: no more than `size` at once */
};

struct driver {
    struct bench *b;
    uint64_t base; /* of the slot */
    uint64_t features;
    uint64_t free; /* guest RAM from here on is not handed out yet */
    struct driver_queue queue[VIRTIO_QUEUES];
    unsigned guest_lines; /* LOG_GUEST lines so far */
    char last_line[256];
};

struct driver_buffer {
    uint64_t address;
    uint32_t size;
    bool write; /* by the device */
};

static inline uint32_t driver_get(struct driver *d, unsigned reg)
{
    return (uint32_t)bench_read(d->b, d->base + reg, 4);
}

static inline void driver_put(struct driver *d, unsigned reg, uint32_t value)
{
    bench_write(d->b, d->base + reg, 4, value);
}

static inline void driver_put64(struct driver *d, unsigned reg, uint64_t value)
{
    driver_put(d, reg, (uint32_t)value);
    driver_put(d, reg + 4, (uint32_t)(value >> 32));
}

/* The wire, which has to be what the register says. */
static inline bool driver_irq(struct driver *d)
{
    cr_assert_eq(d->b->wire[VIRTIO_BENCH_WIRE], driver_get(d, REG_INTERRUPT_STATUS) != 0);
    return d->b->wire[VIRTIO_BENCH_WIRE];
}

/* Read and acknowledge the interrupts. */
static inline uint32_t driver_ack(struct driver *d)
{
    uint32_t causes = driver_get(d, REG_INTERRUPT_STATUS);
    driver_put(d, REG_INTERRUPT_ACK, causes);
    cr_assert(!driver_irq(d));
    return causes;
}

static inline bool driver_broken(struct driver *d)
{
    return driver_get(d, REG_STATUS) & NEEDS_RESET;
}

/* ---- guest RAM ---- */

/* The host's pointer: tests write there as harts would. */
static inline uint8_t *driver_ram(const struct driver *d, uint64_t pa)
{
    cr_assert(ram_contains(&d->b->m.ram, pa, 1), "%#lx", pa);
    return ram_at(&d->b->m.ram, pa);
}

/* Zeroed RAM of its own. */
static inline uint64_t driver_alloc(struct driver *d, uint64_t size, uint64_t alignment)
{
    uint64_t at = (d->free + alignment - 1) & ~(alignment - 1);
    cr_assert(ram_contains(&d->b->m.ram, at, size), "no guest RAM left");
    d->free = at + size;
    memset(ram_at(&d->b->m.ram, at), 0, size);
    return at;
}

/* Zeroed RAM, filled with bytes unless they are NULL. */
static inline struct driver_buffer driver_buffer(struct driver *d, const void *bytes, uint32_t size,
                                                 bool write)
{
    uint64_t at = driver_alloc(d, size ? size : 1, 8);
    if (bytes)
        memcpy(driver_ram(d, at), bytes, size);
    return (struct driver_buffer){at, size, write};
}

/* ---- bringing up ---- */

static inline void driver_log(void *ctx, enum log_level level, const char *line)
{
    struct driver *d = ctx;
    if (level != LOG_GUEST)
        return;
    d->guest_lines++;
    snprintf(d->last_line, sizeof d->last_line, "%s", line);
}

/* The driver of the device at VIRTIO_BENCH_BASE; log lines are counted from now on. */
static inline void driver_init(struct driver *d, struct bench *b)
{
    *d = (struct driver){.b = b, .base = VIRTIO_BENCH_BASE, .free = b->m.config.ram_base + 0x1000};
    log_set_sink(driver_log, d);
}

static inline uint64_t driver_offered(struct driver *d)
{
    driver_put(d, REG_DEVICE_FEATURES_SEL, 1);
    uint64_t high = driver_get(d, REG_DEVICE_FEATURES);
    driver_put(d, REG_DEVICE_FEATURES_SEL, 0);
    return high << 32 | driver_get(d, REG_DEVICE_FEATURES);
}

/* Reset, and negotiate exactly these features; false: they are refused. */
static inline bool driver_negotiate(struct driver *d, uint64_t features)
{
    driver_put(d, REG_STATUS, 0);
    cr_assert_eq(driver_get(d, REG_STATUS), 0);
    driver_put(d, REG_STATUS, ACKNOWLEDGE);
    driver_put(d, REG_STATUS, ACKNOWLEDGE | DRIVER);
    for (unsigned word = 0; word < 2; word++) {
        driver_put(d, REG_DRIVER_FEATURES_SEL, word);
        driver_put(d, REG_DRIVER_FEATURES, (uint32_t)(features >> 32 * word));
    }
    d->features = features;
    driver_put(d, REG_STATUS, ACKNOWLEDGE | DRIVER | FEATURES_OK);
    return driver_get(d, REG_STATUS) & FEATURES_OK;
}

/* Rings of `size` entries in new RAM; `ready` is the last thing that is written. */
static inline void driver_set_queue(struct driver *d, unsigned index, unsigned size)
{
    struct driver_queue *q = &d->queue[index];
    *q = (struct driver_queue){.index = index, .size = size};
    q->desc = driver_alloc(d, 16 * (size + 1), 16); /* one that no device may use */
    q->avail = driver_alloc(d, 6 + 2 * size, 2);
    q->used = driver_alloc(d, 6 + 8 * size, 4);
    driver_put(d, REG_QUEUE_SEL, index);
    cr_assert(driver_get(d, REG_QUEUE_NUM_MAX) >= size);
    cr_assert_eq(driver_get(d, REG_QUEUE_READY), 0);
    driver_put(d, REG_QUEUE_NUM, size);
    driver_put64(d, REG_QUEUE_DESC, q->desc);
    driver_put64(d, REG_QUEUE_DRIVER, q->avail);
    driver_put64(d, REG_QUEUE_DEVICE, q->used);
    driver_put(d, REG_QUEUE_READY, 1);
}

static inline void driver_ok(struct driver *d)
{
    driver_put(d, REG_STATUS, ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK);
    cr_assert_eq(driver_get(d, REG_STATUS), ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK);
}

/* All of the above: from nothing to a running device with `queues` queues. VERSION_1 is added. */
static inline void driver_start(struct driver *d, uint64_t features, unsigned queues, unsigned size)
{
    cr_assert(driver_negotiate(d, features | VIRTIO_F_VERSION_1));
    for (unsigned i = 0; i < queues; i++)
        driver_set_queue(d, i, size);
    driver_ok(d);
}

/* ---- rings ---- */

/* Write an entry of a descriptor table, the queue's or an indirect one. */
static inline void driver_desc(struct driver *d, uint64_t table, unsigned index, uint64_t address,
                               uint32_t size, uint16_t flags, uint16_t next)
{
    uint8_t *p = driver_ram(d, table + 16 * (uint64_t)index);
    store_le64(p, address);
    store_le32(p + 8, size);
    store_le16(p + 12, flags);
    store_le16(p + 14, next);
}

static inline unsigned driver_next_desc(struct driver_queue *q)
{
    unsigned index = q->next_desc;
    q->next_desc = (index + 1) % q->size;
    return index;
}

/* Make a chain available whose first descriptor is `head`. */
static inline void driver_add_head(struct driver *d, unsigned queue, uint16_t head)
{
    struct driver_queue *q = &d->queue[queue];
    store_le16(driver_ram(d, q->avail + 4 + 2 * (uint64_t)(q->made % q->size)), head);
    store_le16(driver_ram(d, q->avail + 2), ++q->made);
}

/* Make a chain of buffers available; returns its head. Those written come last. */
static inline uint16_t driver_add(struct driver *d, unsigned queue,
                                  const struct driver_buffer *buffer, unsigned count)
{
    struct driver_queue *q = &d->queue[queue];
    cr_assert(count >= 1 && count <= q->size);
    uint16_t head = (uint16_t)q->next_desc;
    for (unsigned i = 0; i < count; i++) {
        unsigned index = driver_next_desc(q);
        uint16_t flags = (buffer[i].write ? DESC_WRITE : 0) | (i + 1 < count ? DESC_NEXT : 0);
        driver_desc(d, q->desc, index, buffer[i].address, buffer[i].size, flags,
                    (uint16_t)q->next_desc);
    }
    driver_add_head(d, queue, head);
    return head;
}

/* The same with one indirect descriptor. */
static inline uint16_t driver_add_indirect(struct driver *d, unsigned queue,
                                           const struct driver_buffer *buffer, unsigned count)
{
    struct driver_queue *q = &d->queue[queue];
    uint64_t table = driver_alloc(d, 16 * count, 16);
    for (unsigned i = 0; i < count; i++) {
        uint16_t flags = (buffer[i].write ? DESC_WRITE : 0) | (i + 1 < count ? DESC_NEXT : 0);
        driver_desc(d, table, i, buffer[i].address, buffer[i].size, flags, (uint16_t)(i + 1));
    }
    uint16_t head = (uint16_t)driver_next_desc(q);
    driver_desc(d, q->desc, head, table, 16 * count, DESC_INDIRECT, 0);
    driver_add_head(d, queue, head);
    return head;
}

static inline void driver_notify(struct driver *d, unsigned queue)
{
    driver_put(d, REG_QUEUE_NOTIFY, queue);
}

/* How many the device has given back that were not collected. */
static inline unsigned driver_used_count(struct driver *d, unsigned queue)
{
    struct driver_queue *q = &d->queue[queue];
    return (uint16_t)(load_le16(driver_ram(d, q->used + 2)) - q->seen);
}

/* Collect the next one given back; false: there is none. */
static inline bool driver_used(struct driver *d, unsigned queue, uint32_t *head, uint32_t *written)
{
    struct driver_queue *q = &d->queue[queue];
    if (!driver_used_count(d, queue))
        return false;
    const uint8_t *entry = driver_ram(d, q->used + 4 + 8 * (uint64_t)(q->seen % q->size));
    *head = load_le32(entry);
    *written = load_le32(entry + 4);
    q->seen++;
    return true;
}

/* ---- time ---- */

static inline uint64_t driver_now(struct driver *d)
{
    return clock_vtime(&d->b->m.clock);
}

static inline void driver_pass(struct driver *d, uint64_t ns)
{
    machine_idle_until(&d->b->m, driver_now(d) + ns);
}

/* Let time pass until no deadline is set. */
static inline void driver_wait(struct driver *d)
{
    while (machine_next_deadline(&d->b->m) != CLOCK_NEVER)
        machine_idle_until(&d->b->m, machine_next_deadline(&d->b->m));
}

/* Add, notify, wait, collect: returns the bytes written. Nothing else may be under way. */
static inline uint32_t driver_request(struct driver *d, unsigned queue,
                                      const struct driver_buffer *buffer, unsigned count)
{
    uint32_t head = 0, written = 0;
    uint16_t added = driver_add(d, queue, buffer, count);
    driver_notify(d, queue);
    driver_wait(d);
    cr_assert(driver_used(d, queue, &head, &written), "no answer: %s", d->last_line);
    cr_assert_eq(head, added);
    return written;
}

#endif
