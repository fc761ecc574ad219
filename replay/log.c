#include "replay/log.h"

#include "base/check.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Entries live in blocks that never move, so that short data can stay inside: typed keys and clock
 * answers, nearly all there is, cost no more than their entry. Blocks and longer data are cut from
 * pieces, one after the other; a piece goes when all events with a part in it are forgotten. */
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
    size_t used;
    uint64_t end; /* no event from this index on has a part in it */
    bool spilled;
};

/* What looking at events can change. */
struct store {
    struct spill *spill; /* NULL: memory only */
    struct piece *piece; /* the last one is being filled */
    size_t pieces, piece_capacity, memory_pieces;
    size_t bytes;        /* cut from pieces in memory, and lists of blocks */
    uint64_t data_bytes; /* of all events that are in memory and not forgotten */
    const char *failure; /* of the run looked at last that could not be fetched */
};

enum run_state {
    RUN_OPEN,    /* being appended to, or behind it another run */
    RUN_FETCHED, /* from the source */
    RUN_ABSENT,  /* to be fetched from it */
    RUN_FAILED,
};

/* Events [first, end), all in memory or none. Almost always there is a single one, open. */
struct run {
    uint64_t first, end;
    uint64_t position, last_position; /* no event is stamped with less, or with more */
    enum run_state state;
    struct entry **block; /* open or fetched: of BLOCK_ENTRIES each, but for a fetched run's last */
    size_t blocks, block_capacity;
    char *failure; /* failed: why */
};

struct log {
    struct store *store;
    struct run *run; /* ascending, without gaps, from `first` or before to `count` */
    size_t runs, run_capacity;
    struct run *last; /* NULL: there is none */
    uint64_t first, count;
    uint64_t vtime; /* of the last event appended */
    struct log_source source;
    const struct log *parent; /* has the events before parent_count; NULL: there is none */
    uint64_t parent_count;
};

/* ---- memory ---- */

static struct piece *add_piece(struct store *s)
{
    if (s->pieces && s->piece[s->pieces - 1].spilled)
        spill_rest(s->piece[s->pieces - 1].bytes);
    if (s->pieces == s->piece_capacity) {
        s->piece_capacity = s->piece_capacity ? 2 * s->piece_capacity : 16;
        s->piece = mem_grow(s->piece, s->piece_capacity, sizeof *s->piece);
    }
    struct piece *p = &s->piece[s->pieces++];
    *p = (struct piece){0};
    if (s->spill && s->memory_pieces >= MEMORY_PIECES)
        p->bytes = spill_take(s->spill);
    p->spilled = p->bytes;
    if (!p->bytes) {
        p->bytes = mem_new(1, SPILL_PIECE);
        s->memory_pieces++;
    }
    return p;
}

static void free_piece(struct store *s, const struct piece *p)
{
    if (p->spilled) {
        spill_give(s->spill, p->bytes);
        return;
    }
    free(p->bytes);
    s->bytes -= p->used;
    s->memory_pieces--;
}

/* Room that stays where it is until events before index `end` are forgotten, aligned for an entry,
 * at most a piece. */
static void *cut(struct store *s, size_t size, uint64_t end)
{
    check(size <= SPILL_PIECE, "an event of %zu bytes", size);
    size = (size + 7) & ~(size_t)7;
    struct piece *p = s->pieces ? &s->piece[s->pieces - 1] : NULL;
    if (!p || SPILL_PIECE - p->used < size)
        p = add_piece(s);
    void *room = p->bytes + p->used;
    p->used += size;
    if (p->end < end)
        p->end = end;
    s->bytes += p->spilled ? 0 : size;
    return room;
}

static struct entry *entry_at(const struct run *run, uint64_t index)
{
    uint64_t at = index - run->first;
    return &run->block[at >> BLOCK_BITS][at & (BLOCK_ENTRIES - 1)];
}

/* A block of `entries`, the first of which has index `first`. */
static void add_block(struct store *s, struct run *run, uint64_t first, uint64_t entries)
{
    if (run->blocks == run->block_capacity) {
        size_t more = run->blocks ? run->blocks : 1;
        run->block_capacity += more;
        run->block = mem_grow(run->block, run->block_capacity, sizeof *run->block);
        s->bytes += more * sizeof *run->block;
    }
    run->block[run->blocks++] = cut(s, entries * sizeof **run->block, first + entries);
}

/* Copy an event to its place, which is behind those that the run has in memory. */
static void put(struct store *s, struct run *run, uint64_t index, const struct event *event)
{
    if (((index - run->first) & (BLOCK_ENTRIES - 1)) == 0) {
        uint64_t entries = run->state == RUN_OPEN ? BLOCK_ENTRIES : run->end - index;
        add_block(s, run, index, entries < BLOCK_ENTRIES ? entries : BLOCK_ENTRIES);
    }
    struct entry *e = entry_at(run, index);
    *e = (struct entry){.position = event->position,
                        .vtime = event->vtime,
                        .kind = event->kind,
                        .target = event->target,
                        .size = event->size};
    uint8_t *data = e->u.bytes;
    s->data_bytes += e->size;
    if (e->size > INLINE_SIZE)
        data = e->u.data = cut(s, e->size, index + 1);
    if (e->size)
        memcpy(data, event->data, e->size);
}

/* ---- runs ---- */

static struct run *run_of(const struct log *log, uint64_t index)
{
    size_t low = 0, high = log->runs - 1;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (log->run[middle].end > index)
            high = middle;
        else
            low = middle + 1;
    }
    return &log->run[low];
}

static struct run *add_run(struct log *log, enum run_state state, uint64_t position)
{
    if (log->runs == log->run_capacity) {
        log->run_capacity = log->run_capacity ? 2 * log->run_capacity : 1;
        log->run = mem_grow(log->run, log->run_capacity, sizeof *log->run);
    }
    struct run *run = log->last = &log->run[log->runs++];
    *run = (struct run){.first = log->count,
                        .end = log->count,
                        .position = position,
                        .last_position = position,
                        .state = state};
    return run;
}

static void run_fini(struct store *s, struct run *run)
{
    s->bytes -= run->block_capacity * sizeof *run->block;
    free(run->block);
    if (s->failure == run->failure)
        s->failure = NULL;
    free(run->failure);
}

static bool in_memory(const struct run *run)
{
    return run->state <= RUN_FETCHED;
}

/* Events [from, to), as far as the run has them, no longer count as data. */
static void discount(struct store *s, const struct run *run, uint64_t from, uint64_t to)
{
    if (!in_memory(run))
        return;
    for (uint64_t i = from < run->first ? run->first : from; i < to && i < run->end; i++)
        s->data_bytes -= entry_at(run, i)->size;
}

/* ---- fetching ---- */

struct arrival {
    struct store *store;
    struct run *run;
    uint64_t index;
    struct error *err;
};

static bool belongs(void *ctx, const struct event *event)
{
    const struct arrival *a = ctx;
    const struct run *run = a->run;
    return (event->position >= run->position && event->position <= run->last_position) ||
           error_set(a->err, ERROR_FORMAT,
                     "one is at position %" PRIu64 ", which is not in %" PRIu64 " to %" PRIu64,
                     event->position, run->position, run->last_position);
}

static bool arrive(void *ctx, const struct event *event)
{
    struct arrival *a = ctx;
    put(a->store, a->run, a->index++, event);
    return true;
}

/* Nothing is kept of what does not fit as a whole. */
static bool fetch_run(const struct log *log, struct run *run, struct error *err)
{
    struct buffer packed = {0};
    uint64_t count = run->end - run->first;
    struct arrival a = {log->store, run, run->first, err};
    bool fetched = log->source.fetch(log->source.ctx, run->first, count, &packed, err) &&
                   log_unpack(packed.data, packed.size, count, belongs, &a, err) &&
                   log_unpack(packed.data, packed.size, count, arrive, &a, err);
    buffer_fini(&packed);
    return fetched;
}

static void fail(struct run *run, struct error *err)
{
    error_prefix(err, "events %" PRIu64 " to %" PRIu64, run->first, run->end - 1);
    size_t size = strlen(err->message) + 1;
    run->state = RUN_FAILED;
    run->failure = mem_new(size, 1);
    memcpy(run->failure, err->message, size);
}

/* Is the run in memory, or can it be brought there? */
static bool fetch(const struct log *log, struct run *run)
{
    if (run->state == RUN_ABSENT) {
        struct error err = ERROR_INIT;
        if (fetch_run(log, run, &err)) {
            run->state = RUN_FETCHED;
            discount(log->store, run, run->first, log->first);
        } else {
            fail(run, &err);
        }
    }
    if (run->state == RUN_FAILED)
        log->store->failure = run->failure;
    return in_memory(run);
}

/* ---- the log ---- */

struct log *log_new(struct spill *spill)
{
    struct log *log = mem_new(1, sizeof *log);
    log->store = mem_new(1, sizeof *log->store);
    log->store->spill = spill;
    return log;
}

struct log *log_branch(struct spill *spill, const struct log *parent, uint64_t count)
{
    check(count >= log_first(parent) && count <= log_count(parent),
          "event %" PRIu64 " of %" PRIu64 " to %" PRIu64, count, log_first(parent),
          log_count(parent));
    struct log *log = log_new(spill);
    log_begin_at(log, count);
    log->parent = parent;
    log->parent_count = count;
    return log;
}

void log_free(struct log *log)
{
    struct store *s = log->store;
    for (size_t i = 0; i < log->runs; i++)
        run_fini(s, &log->run[i]);
    for (size_t i = 0; i < s->pieces; i++)
        free_piece(s, &s->piece[i]);
    free(s->piece);
    free(s);
    free(log->run);
    free(log);
}

void log_begin_at(struct log *log, uint64_t first)
{
    check(!log->runs, "events %" PRIu64 " to %" PRIu64 " are there", log->first, log->count);
    log->first = log->count = first;
}

uint64_t log_first(const struct log *log)
{
    return log->parent && log_first(log->parent) < log->parent_count ? log_first(log->parent)
                                                                     : log->first;
}

/* Is the event one of the parent's? */
static bool is_inherited(const struct log *log, uint64_t index)
{
    return log->parent && index < log->parent_count;
}

static void forget_runs(struct log *log)
{
    size_t gone = 0;
    while (gone + 1 < log->runs && log->run[gone].end <= log->first)
        run_fini(log->store, &log->run[gone++]);
    log->runs -= gone;
    memmove(log->run, log->run + gone, log->runs * sizeof *log->run);
    log->last = &log->run[log->runs - 1];
    struct run *run = log->run;
    if (!in_memory(run) || run->first > log->first)
        return;
    size_t blocks = (log->first - run->first) >> BLOCK_BITS;
    run->first += (uint64_t)blocks << BLOCK_BITS;
    run->blocks -= blocks;
    memmove(run->block, run->block + blocks, run->blocks * sizeof *run->block);
}

static void forget_pieces(struct store *s, uint64_t first)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->pieces; i++)
        if (s->piece[i].end <= first && i + 1 < s->pieces)
            free_piece(s, &s->piece[i]);
        else
            s->piece[kept++] = s->piece[i];
    s->pieces = kept;
}

void log_forget(struct log *log, uint64_t first)
{
    check(first <= log->count, "event %" PRIu64 " of %" PRIu64, first, log->count);
    if (first <= log->first || !log->runs)
        return;
    for (size_t i = 0; i < log->runs && log->run[i].first < first; i++)
        discount(log->store, &log->run[i], log->first, first);
    log->first = first;
    forget_runs(log);
    forget_pieces(log->store, first);
}

void log_set_source(struct log *log, const struct log_source *source)
{
    log->source = *source;
}

static void check_position(const struct log *log, uint64_t position)
{
    const struct run *last = log->last;
    if (!last && log->parent && log->parent_count > log_first(log)) {
        struct event before = log_get(log, log->parent_count - 1);
        check(position >= before.position, "event at %" PRIu64 " after one at %" PRIu64, position,
              before.position);
    }
    check(!last || position >= last->last_position, "event at %" PRIu64 " after one at %" PRIu64,
          position, last->last_position);
}

void log_append_absent(struct log *log, uint64_t count, uint64_t position, uint64_t last_position)
{
    check(log->source.fetch && count <= UINT64_MAX - log->count && position <= last_position,
          "%" PRIu64 " events at %" PRIu64 " to %" PRIu64, count, position, last_position);
    check_position(log, position);
    if (!count)
        return;
    struct run *run = add_run(log, RUN_ABSENT, position);
    run->last_position = last_position;
    run->end = log->count += count;
}

const char *log_failure(const struct log *log)
{
    const char *failure = log->store->failure;
    return failure || !log->parent ? failure : log_failure(log->parent);
}

uint64_t log_append(struct log *log, const struct event *event)
{
    check_position(log, event->position);
    check(event->vtime >= log->vtime, "event at %" PRIu64 " ns after one at %" PRIu64 " ns",
          event->vtime, log->vtime);
    struct run *run = log->last;
    if (!run || run->state != RUN_OPEN)
        run = add_run(log, RUN_OPEN, event->position);
    put(log->store, run, log->count, event);
    run->last_position = event->position;
    run->end = log->count + 1;
    log->vtime = event->vtime;
    return log->count++;
}

uint64_t log_count(const struct log *log)
{
    return log->count;
}

struct event log_get(const struct log *log, uint64_t index)
{
    static const uint8_t nothing[1];
    if (is_inherited(log, index))
        return log_get(log->parent, index);
    check(index >= log->first && index < log->count, "event %" PRIu64 " of %" PRIu64 " to %" PRIu64,
          index, log->first, log->count);
    struct run *run = index >= log->last->first ? log->last : run_of(log, index);
    if (!in_memory(run) && !fetch(log, run))
        return (struct event){.position = run->position, .data = nothing};
    const struct entry *e = entry_at(run, index);
    return (struct event){.position = e->position,
                          .vtime = e->vtime,
                          .kind = e->kind,
                          .target = e->target,
                          .size = e->size,
                          .data = e->size > INLINE_SIZE ? e->u.data : e->u.bytes};
}

/* The first run that may have an event behind `position`; NULL: none has. */
static struct run *run_after(const struct log *log, uint64_t position)
{
    size_t low = 0, high = log->runs;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (log->run[middle].last_position > position)
            high = middle;
        else
            low = middle + 1;
    }
    return low < log->runs ? &log->run[low] : NULL;
}

uint64_t log_after(const struct log *log, uint64_t position)
{
    if (log->parent) {
        uint64_t index = log_after(log->parent, position);
        if (index < log->parent_count)
            return index;
    }
    struct run *run = run_after(log, position);
    if (!run)
        return log->count;
    uint64_t low = run->first < log->first ? log->first : run->first, high = run->end;
    if (position < run->position || low == high)
        return low;
    if (!fetch(log, run))
        return high;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (entry_at(run, middle)->position > position)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

size_t log_bytes(const struct log *log)
{
    const struct store *s = log->store;
    return sizeof *log + log->run_capacity * sizeof *log->run + sizeof *s +
           s->piece_capacity * sizeof *s->piece + s->bytes;
}

uint64_t log_data_bytes(const struct log *log)
{
    return log->store->data_bytes;
}
