#include "replay/disk_reads.h"

#include "base/check.h"
#include "base/hash.h"

#include <inttypes.h>
#include <stdlib.h>

/* Hashes with these values stand for no content. */
#define FREE UINT64_C(0)
#define FAILED UINT64_C(1)

enum { FIRST_CAPACITY = 256 };

struct slot {
    uint64_t key;  /* block * DISKS + disk */
    uint64_t hash; /* FREE: nothing here */
};

struct disk_reads {
    struct disk_host host;
    struct slot *slot; /* open addressing */
    size_t capacity, count;
    uint64_t *order; /* `count` keys, in the order of their first reads */
    size_t order_capacity;
};

struct disk_reads *disk_reads_new(const struct disk_host *host)
{
    struct disk_reads *r = mem_new(1, sizeof *r);
    r->host = *host;
    r->capacity = FIRST_CAPACITY;
    r->slot = mem_new(r->capacity, sizeof *r->slot);
    return r;
}

void disk_reads_free(struct disk_reads *r)
{
    free(r->slot);
    free(r->order);
    free(r);
}

static struct slot *find(const struct disk_reads *r, uint64_t key)
{
    size_t i = hash_mix(key + 1) & (r->capacity - 1);
    while (r->slot[i].hash != FREE && r->slot[i].key != key)
        i = (i + 1) & (r->capacity - 1);
    return &r->slot[i];
}

static void note(struct disk_reads *r, uint64_t key, uint64_t hash)
{
    if (2 * (r->count + 1) > r->capacity) {
        struct disk_reads old = *r;
        r->capacity *= 2;
        r->slot = mem_new(r->capacity, sizeof *r->slot);
        for (size_t i = 0; i < old.capacity; i++)
            if (old.slot[i].hash != FREE)
                *find(r, old.slot[i].key) = old.slot[i];
        free(old.slot);
    }
    if (r->count == r->order_capacity) {
        r->order_capacity = r->order_capacity ? 2 * r->order_capacity : FIRST_CAPACITY;
        r->order = mem_grow(r->order, r->order_capacity, sizeof *r->order);
    }
    *find(r, key) = (struct slot){key, hash};
    r->order[r->count++] = key;
}

static uint64_t content_hash(const uint8_t *bytes)
{
    uint64_t hash = hash_bytes(bytes, DISK_BLOCK, 0);
    return hash > FAILED ? hash : hash + 2;
}

enum disk_read disk_reads_block(struct disk_reads *r, unsigned disk, uint64_t block, uint8_t *bytes,
                                bool record, struct error *err)
{
    check(disk < DISKS, "disk %u of %u", disk, DISKS);
    uint64_t key = block * DISKS + disk;
    uint64_t first = find(r, key)->hash;
    if (first == FAILED)
        return DISK_READ_FAILED;
    bool ok = r->host.read && r->host.read(r->host.ctx, disk, block, bytes);
    uint64_t hash = ok ? content_hash(bytes) : FAILED;
    if (first == FREE) {
        if (!record)
            return DISK_READ_FIRST;
        note(r, key, hash);
        return ok ? DISK_READ_OK : DISK_READ_FAILED;
    }
    if (hash == first)
        return DISK_READ_OK;
    error_set(err, ERROR_DIVERGED,
              "disk image %s has changed: block %" PRIu64 " (bytes %" PRIu64 " to %" PRIu64
              ") %s as when the guest first read it",
              r->host.name ? r->host.name(r->host.ctx, disk) : "?", block, block * DISK_BLOCK,
              (block + 1) * DISK_BLOCK - 1, ok ? "is not the same" : "cannot be read");
    return DISK_READ_CHANGED;
}

struct disk_first_read disk_reads_get(const struct disk_reads *r, uint64_t index)
{
    check(index < r->count, "first read %" PRIu64 " of %zu", index, r->count);
    uint64_t key = r->order[index], hash = find(r, key)->hash;
    return (struct disk_first_read){.disk = (unsigned)(key % DISKS),
                                    .block = key / DISKS,
                                    .hash = hash == FAILED ? 0 : hash,
                                    .failed = hash == FAILED};
}

bool disk_reads_note(struct disk_reads *r, const struct disk_first_read *read)
{
    if (read->disk >= DISKS || read->block > UINT64_MAX / DISKS - 1 ||
        (!read->failed && read->hash <= FAILED))
        return false;
    uint64_t key = read->block * DISKS + read->disk;
    if (find(r, key)->hash != FREE)
        return false;
    note(r, key, read->failed ? FAILED : read->hash);
    return true;
}

enum disk_read disk_reads_again(struct disk_reads *r, uint64_t index, uint8_t *bytes,
                                struct error *err)
{
    struct disk_first_read read = disk_reads_get(r, index);
    return disk_reads_block(r, read.disk, read.block, bytes, false, err);
}

uint64_t disk_reads_count(const struct disk_reads *r)
{
    return r->count;
}

size_t disk_reads_bytes(const struct disk_reads *r)
{
    return sizeof *r + r->capacity * sizeof *r->slot + r->order_capacity * sizeof *r->order;
}
