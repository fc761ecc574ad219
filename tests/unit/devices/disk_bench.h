/* The host's image of disk 0, for a bench: random bytes, errors where wanted, reads counted. */
#ifndef TESTS_UNIT_DEVICES_DISK_BENCH_H
#define TESTS_UNIT_DEVICES_DISK_BENCH_H

#include "base/hash.h"
#include "tests/unit/devices/bench.h"

#include <stdlib.h>

enum { DISK_BENCH_BLOCKS = 64 };

struct disk_bench {
    struct bench *bench;
    uint8_t *image;
    uint64_t bytes; /* at most DISK_BENCH_BLOCKS blocks */
    bool fails[DISK_BENCH_BLOCKS];
    unsigned reads_of[DISK_BENCH_BLOCKS];
    unsigned reads;
    unsigned behind; /* reads of blocks behind the end, or of other disks */
    struct door_ops ops;
};

static bool disk_bench_read(void *ctx, unsigned index, uint64_t block, uint8_t *bytes)
{
    struct disk_bench *d = ctx;
    uint64_t offset = block * DISK_BLOCK;
    d->reads++;
    if (index || block >= DISK_BENCH_BLOCKS || offset >= d->bytes) {
        d->behind++;
        return false;
    }
    d->reads_of[block]++;
    uint64_t there = d->bytes - offset < DISK_BLOCK ? d->bytes - offset : DISK_BLOCK;
    memset(bytes, 0, DISK_BLOCK);
    memcpy(bytes, d->image + offset, there);
    return !d->fails[block];
}

/* Becomes the door of the bench's machine. */
static inline void disk_bench_init(struct disk_bench *d, struct bench *b, uint64_t bytes)
{
    cr_assert(bytes <= DISK_BENCH_BLOCKS * DISK_BLOCK);
    *d = (struct disk_bench){.bench = b, .image = malloc(bytes), .bytes = bytes};
    for (uint64_t i = 0; i < bytes; i++)
        d->image[i] = (uint8_t)hash_mix(i + 1);
    d->ops = (struct door_ops){.disk_read = disk_bench_read};
    b->m.door = (struct door){&d->ops, d};
}

static inline void disk_bench_fini(struct disk_bench *d)
{
    free(d->image);
}

#endif
