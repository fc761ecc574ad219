#include "replay/log.h"

#include "base/check.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Entries live in blocks that never move, so that short data can stay inside: typed keys and clock
 * answers, nearly all there is, cost no more than their entry. */
enum { INLINE_SIZE = 8, BLOCK_BITS = 10, BLOCK_ENTRIES = 1 << BLOCK_BITS };

struct entry {
    uint64_t position, vtime;
    uint16_t kind, target;
    uint32_t size;
    union {
        uint8_t bytes[INLINE_SIZE]; /* size <= INLINE_SIZE */
        uint8_t *data;              /* owned */
    } u;
};

struct log {
    struct entry **block; /* (count + BLOCK_ENTRIES - 1) / BLOCK_ENTRIES of them, owned */
    size_t block_capacity;
    uint64_t count;
    size_t data_bytes; /* of all entries' own allocations */
};

static struct entry *entry_at(const struct log *log, uint64_t index)
{
    return &log->block[index >> BLOCK_BITS][index & (BLOCK_ENTRIES - 1)];
}

static uint64_t blocks(const struct log *log)
{
    return (log->count + BLOCK_ENTRIES - 1) >> BLOCK_BITS;
}

struct log *log_new(void)
{
    return mem_new(1, sizeof(struct log));
}

void log_free(struct log *log)
{
    for (uint64_t i = 0; i < log->count; i++)
        if (entry_at(log, i)->size > INLINE_SIZE)
            free(entry_at(log, i)->u.data);
    for (uint64_t i = 0; i < blocks(log); i++)
        free(log->block[i]);
    free(log->block);
    free(log);
}

static struct entry *entry_new(struct log *log)
{
    if (log->count == blocks(log) << BLOCK_BITS) {
        size_t block = blocks(log);
        if (block == log->block_capacity) {
            log->block_capacity = block ? 2 * block : 16;
            log->block = mem_grow(log->block, log->block_capacity, sizeof *log->block);
        }
        log->block[block] = mem_new(BLOCK_ENTRIES, sizeof **log->block);
    }
    return entry_at(log, log->count++);
}

uint64_t log_append(struct log *log, const struct event *event)
{
    if (log->count) {
        const struct entry *last = entry_at(log, log->count - 1);
        check(event->position >= last->position && event->vtime >= last->vtime,
              "event at %" PRIu64 " (%" PRIu64 " ns) after one at %" PRIu64 " (%" PRIu64 " ns)",
              event->position, event->vtime, last->position, last->vtime);
    }
    struct entry *e = entry_new(log);
    *e = (struct entry){.position = event->position,
                        .vtime = event->vtime,
                        .kind = event->kind,
                        .target = event->target,
                        .size = event->size};
    uint8_t *data = e->u.bytes;
    if (e->size > INLINE_SIZE) {
        data = e->u.data = mem_new(e->size, 1);
        log->data_bytes += e->size;
    }
    if (e->size)
        memcpy(data, event->data, e->size);
    return log->count - 1;
}

uint64_t log_count(const struct log *log)
{
    return log->count;
}

struct event log_get(const struct log *log, uint64_t index)
{
    check(index < log->count, "event %" PRIu64 " of %" PRIu64, index, log->count);
    const struct entry *e = entry_at(log, index);
    return (struct event){.position = e->position,
                          .vtime = e->vtime,
                          .kind = e->kind,
                          .target = e->target,
                          .size = e->size,
                          .data = e->size > INLINE_SIZE ? e->u.data : e->u.bytes};
}

uint64_t log_after(const struct log *log, uint64_t position)
{
    uint64_t low = 0, high = log->count;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (entry_at(log, middle)->position > position)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

size_t log_bytes(const struct log *log)
{
    return sizeof *log + log->block_capacity * sizeof *log->block +
           blocks(log) * BLOCK_ENTRIES * sizeof **log->block + log->data_bytes;
}
