/* Chains in many pieces, their bytes, and benches that go on from another's state. */
#ifndef TESTS_UNIT_DEVICES_VIRTIO_CHAIN_H
#define TESTS_UNIT_DEVICES_VIRTIO_CHAIN_H

#include "base/hash.h"
#include "tests/unit/devices/virtio_bench.h"

enum { CHAIN_PIECES = 16 };

struct chain {
    struct driver_buffer buffer[CHAIN_PIECES];
    unsigned count;
};

/* `size` bytes from `address` on, in at most `most` pieces of random sizes that do not touch. */
static inline struct chain chain_of(uint64_t address, size_t size, bool write, unsigned most,
                                    uint64_t *seed)
{
    struct chain c = {.count = 0};
    while (size) {
        size_t piece = c.count + 1 < most ? 1 + hash_mix(++*seed) % size : size;
        c.buffer[c.count++] = (struct driver_buffer){address, (uint32_t)piece, write};
        address += piece + 3;
        size -= piece;
    }
    return c;
}

/* In one piece. */
static inline struct chain chain_plain(uint64_t address, size_t size, bool write)
{
    return (struct chain){.buffer = {{address, (uint32_t)size, write}}, .count = 1};
}

/* Lay bytes into a chain's memory, or get them from it. */
static inline void chain_fill(struct driver *d, const struct chain *c, const uint8_t *bytes)
{
    for (unsigned i = 0; i < c->count; bytes += c->buffer[i++].size)
        memcpy(driver_ram(d, c->buffer[i].address), bytes, c->buffer[i].size);
}

static inline void chain_get(struct driver *d, const struct chain *c, uint8_t *bytes)
{
    for (unsigned i = 0; i < c->count; bytes += c->buffer[i++].size)
        memcpy(bytes, driver_ram(d, c->buffer[i].address), c->buffer[i].size);
}

/* Make it available and say so. */
static inline void chain_post(struct driver *d, unsigned queue, const struct chain *c)
{
    driver_add(d, queue, c->buffer, c->count);
    driver_notify(d, queue);
}

/* The bytes written into the next one given back, of which there is one. */
static inline uint32_t chain_used(struct driver *d, unsigned queue)
{
    uint32_t head, written;
    cr_assert(driver_used(d, queue, &head, &written), "nothing given back: %s", d->last_line);
    return written;
}

static inline uint64_t chain_random(uint64_t *seed, uint64_t below)
{
    return hash_mix(++*seed) % below;
}

/* What no driver does: descriptors of any kind, likely ones mostly, and up to three of them
 * available. `write`: the likely direction. */
static inline void driver_scribble(struct driver *d, unsigned queue, bool write, uint64_t seed)
{
    static const uint32_t size[] = {40, 100, 1526, 70000, 0, 1, 8, 11, 26, 1 << 20, UINT32_MAX};
    enum { LIKELY = 4, ODD = sizeof size / sizeof *size };
    struct driver_queue *q = &d->queue[queue];
    uint64_t direction = write == (chain_random(&seed, 16) != 0) ? DESC_WRITE : 0;
    for (unsigned i = 0; i < q->size; i++) {
        bool odd = !chain_random(&seed, 32);
        uint64_t most = odd ? d->b->m.ram.size + 0x1000 : d->b->m.ram.size - 100000;
        uint64_t address = d->b->m.ram.base + chain_random(&seed, most);
        uint64_t flags =
            odd ? chain_random(&seed, 1 << 16) : direction | chain_random(&seed, DESC_WRITE);
        uint64_t next = odd ? chain_random(&seed, 2 * q->size) : i + 1;
        driver_desc(d, q->desc, i, address, size[chain_random(&seed, odd ? ODD : LIKELY)],
                    (uint16_t)flags, (uint16_t)next);
    }
    for (uint64_t heads = chain_random(&seed, 4); heads; heads--)
        driver_add_head(d, queue, (uint16_t)chain_random(&seed, q->size));
}

/* Bring a bench with the same devices to another's state, RAM and all. */
static inline void bench_follow(struct bench *to, const struct bench *from)
{
    struct buffer saved = {0};
    struct error err = ERROR_INIT;
    machine_save(&from->m, &saved);
    cr_assert(machine_load(&to->m, saved.data, saved.size, &err), "%s", err.message);
    memcpy(to->m.ram.host, from->m.ram.host, to->m.ram.size);
    buffer_fini(&saved);
}

static inline bool bench_same(const struct bench *a, const struct bench *b)
{
    struct machine_digest x, y;
    machine_digest(&a->m, &x);
    machine_digest(&b->m, &y);
    return x.core == y.core && x.devices == y.devices &&
           !memcmp(a->m.ram.host, b->m.ram.host, a->m.ram.size);
}

#endif
