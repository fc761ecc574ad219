#include "replay/log.h"

#include "base/check.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Entries live in blocks that never move, so that short data can stay inside: typed keys and clock
 * answers, nearly all there is, cost no more than their entry. Blocks and longer data are cut from
 * pieces, one after the other; nothing is ever given back before the end. */
enum { INLINE_SIZE = 8, BLOCK_BITS = 10, BLOCK_ENTRIES = 1 << BLOCK_BITS, MEMORY_PIECES = 16 };

struct entry {
    uint64_t position, vtime;
    uint16_t kind, target;
    uint32_t size;
    union {
        uint8_t bytes[INLINE_SIZE]; /* size <= INLINE_SIZE */
        uint8_t *data;              /* in a piece */
    } u;
};

_Static_assert(sizeof(struct entry) + 7 <= LOG_EVENT_BYTES, "an entry, and data aligned to 8");

struct piece {
    uint8_t *bytes; /* SPILL_PIECE of them */
    bool spilled;
};

struct log {
    struct spill *spill; /* NULL: memory only */
    struct piece *piece; /* the last one is being filled */
    size_t pieces, piece_capacity, piece_used;
    struct entry **block; /* (count + BLOCK_ENTRIES - 1) / BLOCK_ENTRIES of them, in pieces */
    size_t block_capacity;
    uint64_t count;
    uint64_t data_bytes; /* of all events */
    size_t memory_bytes; /* cut from pieces in memory */
};

static struct entry *entry_at(const struct log *log, uint64_t index)
{
    return &log->block[index >> BLOCK_BITS][index & (BLOCK_ENTRIES - 1)];
}

static uint64_t blocks(const struct log *log)
{
    return (log->count + BLOCK_ENTRIES - 1) >> BLOCK_BITS;
}

struct log *log_new(struct spill *spill)
{
    struct log *log = mem_new(1, sizeof(struct log));
    log->spill = spill;
    return log;
}

void log_free(struct log *log)
{
    for (size_t i = 0; i < log->pieces; i++)
        if (log->piece[i].spilled)
            spill_give(log->spill, log->piece[i].bytes);
        else
            free(log->piece[i].bytes);
    free(log->piece);
    free(log->block);
    free(log);
}

static void add_piece(struct log *log)
{
    if (log->pieces && log->piece[log->pieces - 1].spilled)
        spill_rest(log->piece[log->pieces - 1].bytes);
    if (log->pieces == log->piece_capacity) {
        log->piece_capacity = log->piece_capacity ? 2 * log->piece_capacity : 16;
        log->piece = mem_grow(log->piece, log->piece_capacity, sizeof *log->piece);
    }
    struct piece *p = &log->piece[log->pieces];
    p->bytes = log->spill && log->pieces >= MEMORY_PIECES ? spill_take(log->spill) : NULL;
    p->spilled = p->bytes;
    if (!p->bytes)
        p->bytes = mem_new(1, SPILL_PIECE);
    log->pieces++;
    log->piece_used = 0;
}

/* Room that stays where it is, aligned for an entry, at most a piece. */
static void *cut(struct log *log, size_t size)
{
    check(size <= SPILL_PIECE, "an event of %zu bytes", size);
    size = (size + 7) & ~(size_t)7;
    if (!log->pieces || SPILL_PIECE - log->piece_used < size)
        add_piece(log);
    struct piece *p = &log->piece[log->pieces - 1];
    void *room = p->bytes + log->piece_used;
    log->piece_used += size;
    log->memory_bytes += p->spilled ? 0 : size;
    return room;
}

static struct entry *entry_new(struct log *log)
{
    if (log->count == blocks(log) << BLOCK_BITS) {
        size_t block = blocks(log);
        if (block == log->block_capacity) {
            log->block_capacity = block ? 2 * block : 16;
            log->block = mem_grow(log->block, log->block_capacity, sizeof *log->block);
        }
        log->block[block] = cut(log, BLOCK_ENTRIES * sizeof **log->block);
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
    log->data_bytes += e->size;
    if (e->size > INLINE_SIZE)
        data = e->u.data = cut(log, e->size);
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
           log->piece_capacity * sizeof *log->piece + log->memory_bytes;
}

uint64_t log_data_bytes(const struct log *log)
{
    return log->data_bytes;
}
