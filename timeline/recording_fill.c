/* A recording becomes a timeline: events, digests, checkpoints and the rest are told to it, their
 * contents read when they are needed. */
#include "timeline/recording_parts.h"

#include "base/check.h"
#include "base/log.h"
#include "timeline/branches.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The run that number `first` is in; there is one. */
static const struct run_row *find_run(const struct run_list *list, uint64_t first)
{
    size_t low = 0, high = list->count;
    while (high - low > 1) {
        size_t middle = (low + high) / 2;
        if (list->row[middle].first <= first)
            low = middle;
        else
            high = middle;
    }
    return &list->row[low];
}

struct times {
    uint64_t left;
    uint64_t last; /* ns */
    struct error *err;
};

static bool check_time(void *ctx, const struct event *event)
{
    struct times *t = ctx;
    if (t->left && event->vtime > t->last)
        return error_set(t->err, ERROR_FORMAT,
                         "an event at %" PRIu64 " ns lies behind the recording's end",
                         event->vtime);
    t->left -= t->left > 0;
    return true;
}

/* Before the tip no time passes that is not before the tip's: else a machine could be made to wait
 * for ages. */
static bool times_possible(const struct recording *r, const struct run_row *row,
                           const uint8_t *packed, size_t size, struct error *err)
{
    const struct tip_row *tip = &r->index.tip;
    uint64_t left = tip->events - row->first;
    struct times times = {left < row->count ? left : row->count, tip->vtime, err};
    return log_unpack(packed, size, row->count, check_time, &times, err);
}

static bool fetch_events(void *ctx, uint64_t first, uint64_t count, struct buffer *packed,
                         struct error *err)
{
    struct recording *r = ctx;
    const struct run_row *row = find_run(&r->index.events, first);
    check(row->first == first && row->count == count, "events %" PRIu64 " are in no run", first);
    const struct chunk *chunk = chunk_reader_find(r->in, row->chunk);
    if (!chunk || chunk->size < RECORDING_RUN_HEAD)
        return error_set(err, ERROR_FORMAT, "%.200s: events are missing", chunk_reader_path(r->in));
    struct buffer b = {0};
    bool ok = chunk_reader_load(r->in, chunk, &b, err) &&
              times_possible(r, row, b.data + RECORDING_RUN_HEAD, b.size - RECORDING_RUN_HEAD, err);
    if (ok)
        buffer_append(packed, b.data + RECORDING_RUN_HEAD, b.size - RECORDING_RUN_HEAD);
    buffer_fini(&b);
    return ok;
}

struct taker {
    struct log *log;
    uint64_t left;
    uint64_t low, high; /* positions */
    struct error *err;
};

static bool take_event(void *ctx, const struct event *event)
{
    struct taker *t = ctx;
    if (!t->left)
        return true;
    if (event->position < t->low || event->position > t->high)
        return error_set(t->err, ERROR_FORMAT,
                         "an event at position %" PRIu64 " has no place there", event->position);
    log_append(t->log, event);
    t->left--;
    return true;
}

/* A stretch that goes on behind the tip: only a part of it counts. */
static bool add_cut_events(struct timeline *tl, struct recording *r, const struct run_row *row,
                           uint64_t count, struct error *err)
{
    struct buffer packed = {0};
    uint64_t tip = r->index.tip.position, high = row->high < tip ? row->high : tip;
    struct taker taker = {tl->log, count, row->low, high, err};
    bool ok = fetch_events(r, row->first, row->count, &packed, err) &&
              log_unpack(packed.data, packed.size, row->count, take_event, &taker, err);
    buffer_fini(&packed);
    return ok;
}

static bool add_events(struct timeline *tl, struct recording *r, struct error *err)
{
    const struct recording_index *x = &r->index;
    const struct log_source source = {fetch_events, r};
    log_begin_at(tl->log, x->origin.first_event);
    log_set_source(tl->log, &source);
    for (size_t i = 0; i < x->events.count; i++) {
        const struct run_row *row = &x->events.row[i];
        bool whole = row->first + row->count <= x->tip.events;
        if (whole && row->high > x->tip.position)
            return error_set(err, ERROR_FORMAT, "%.200s: events lie behind its end",
                             chunk_reader_path(r->in));
        if (whole)
            log_append_absent(tl->log, row->count, row->low, row->high);
        else if (row->first < x->tip.events &&
                 !add_cut_events(tl, r, row, x->tip.events - row->first, err))
            return false;
    }
    return true;
}

enum { MARK_BYTES = 48 };

/* Checkpoints have digests too: those that come before the mark, from *next on; NULL: all that are
 * left. */
static void add_checkpoint_marks(struct timeline *tl, const struct recording *r, size_t *next,
                                 const struct mark *mark)
{
    for (; *next < r->index.intervals; ++*next) {
        const struct interval_row *row = &r->index.interval[*next];
        bool same = mark && row->position == mark->position && row->log_index == mark->log_index;
        if (mark && !same &&
            (row->position > mark->position ||
             (row->position == mark->position && row->log_index > mark->log_index)))
            return;
        if (!same)
            history_add_mark(tl, &(struct mark){row->position, row->log_index, row->digest});
    }
}

static bool add_mark_chunk(struct timeline *tl, struct recording *r, const struct run_row *row,
                           size_t *next, struct error *err)
{
    const struct chunk *chunk = chunk_reader_find(r->in, row->chunk);
    struct buffer b = {0};
    bool ok = chunk && chunk_reader_load(r->in, chunk, &b, err) && b.size >= RECORDING_RUN_HEAD &&
              (b.size - RECORDING_RUN_HEAD) / MARK_BYTES == row->count;
    struct unpack u = {b.data, ok ? b.size : 0, false};
    unpack_bytes(&u, RECORDING_RUN_HEAD);
    for (uint64_t i = 0; ok && i < row->count; i++) {
        struct mark mark;
        mark.position = unpack_u64(&u);
        mark.log_index = unpack_u64(&u);
        mark.digest = recording_unpack_digest(&u);
        if (mark.position <= r->index.tip.position && mark.log_index <= r->index.tip.events) {
            add_checkpoint_marks(tl, r, next, &mark);
            history_add_mark(tl, &mark);
        }
    }
    buffer_fini(&b);
    return ok;
}

/* Without them a replay is compared at the checkpoints in the file, if at all. */
static void add_marks(struct timeline *tl, struct recording *r)
{
    const struct run_list *list = &r->index.marks;
    struct error err = ERROR_INIT;
    size_t next = 0;
    for (size_t i = 0; i < list->count; i++)
        if (!add_mark_chunk(tl, r, &list->row[i], &next, &err))
            recording_note_damage(
                r, "some digests are missing: replays there are compared less often");
    add_checkpoint_marks(tl, r, &next, NULL);
}

static bool add_reads(struct timeline *tl, struct recording *r, struct error *err)
{
    for (size_t i = 0; i < r->index.blocks; i++)
        if (!disk_reads_note(tl->reads, &r->index.block[i].read))
            return error_set(err, ERROR_FORMAT, "%.200s: a disk block was first read twice",
                             chunk_reader_path(r->in));
    return true;
}

/* What the row behind says of the stretch up to it, if that begins at the entry, whose chunk is
 * `chunk`; when a row between them is lost it does not. */
static void set_interval(struct entry *entry, uint32_t chunk, const struct interval_row *behind,
                         const struct interval_row *end)
{
    bool known = behind < end && chunk != CHUNK_NONE && behind->before == chunk;
    entry->cost_ns = known ? behind->cost_ns : 0;
    entry->stored_summary = known ? behind->summary : CHUNK_NONE;
}

static void add_entries(struct timeline *tl, struct recording *r)
{
    const struct recording_index *x = &r->index;
    const struct interval_row *row = x->interval, *end = row ? row + x->intervals : NULL;
    if (recording_from_origin(x)) { /* the machine stands there already */
        struct entry entry = {.checkpoint = snapshots_take(&tl->snapshots), .stored = CHUNK_NONE};
        bool first = row < end && !row->position && !row->log_index;
        uint32_t chunk = first ? row++->checkpoint : CHUNK_NONE;
        set_interval(&entry, chunk, row, end);
        history_add_stored(tl, &entry);
    }
    for (; row < end; row++) {
        struct entry entry = {.checkpoint = checkpoint_new_stored(row->position, &row->digest),
                              .log_index = row->log_index,
                              .vtime = row->vtime,
                              .stored = row->checkpoint};
        set_interval(&entry, row->checkpoint, row + 1, end);
        history_add_stored(tl, &entry);
    }
}

/* The newest parts, as many as a transcript keeps. Those behind the tip are printed anew. */
static void add_parts(struct timeline *tl, struct recording *r)
{
    const struct run_list *list = &r->index.parts;
    size_t first = list->count;
    uint64_t bytes = 0;
    while (first && bytes < TRANSCRIPT_MOST) {
        const struct chunk *chunk = chunk_reader_find(r->in, list->row[--first].chunk);
        bytes += chunk ? chunk->size : 0;
    }
    const struct tip_row *tip = &r->index.tip;
    for (size_t i = first; i < list->count && list->row[i].first < tip->parts; i++) {
        const struct run_row *row = &list->row[i];
        uint64_t left = tip->parts - row->first, count = row->count < left ? row->count : left;
        const struct chunk *chunk = chunk_reader_find(r->in, row->chunk);
        struct buffer b = {0};
        struct error err = ERROR_INIT;
        if (!chunk || !chunk_reader_load(r->in, chunk, &b, &err) || b.size < RECORDING_RUN_HEAD ||
            !transcript_unpack(tl->transcript, count, tip->position, b.data + RECORDING_RUN_HEAD,
                               b.size - RECORDING_RUN_HEAD))
            recording_note_damage(r, "some of what the guest printed is missing");
        buffer_fini(&b);
    }
}

static void add_bookmarks(struct timeline *tl, struct recording *r)
{
    const struct chunk *chunk =
        r->index.tip.books == CHUNK_NONE ? NULL : chunk_reader_find(r->in, r->index.tip.books);
    struct buffer b = {0};
    struct error err = ERROR_INIT;
    if (chunk &&
        (!chunk_reader_load(r->in, chunk, &b, &err) || !bookmarks_unpack(tl, b.data, b.size, &err)))
        recording_note_damage(r, err.message);
    buffer_fini(&b);
}

/* ---- branches: sets of chunks, each with the set's number, its size, and the number in it ---- */

enum { BRANCH_HEAD = 16 };

static bool load_branch(struct recording *r, size_t index, struct buffer *b)
{
    struct error err = ERROR_INIT;
    buffer_clear(b);
    return chunk_reader_load(r->in, chunk_reader_chunk(r->in, index), b, &err) &&
           b->size >= BRANCH_HEAD;
}

/* Where the chunk before index `end` is; false: there is none. */
static bool branch_before(const struct recording *r, size_t *end)
{
    while (*end > 0)
        if (chunk_reader_chunk(r->in, --*end)->kind == CHUNK_BRCH)
            return true;
    return false;
}

/* The chunks of the last whole set, numbers 1 to `*count`, in `at`. */
static void find_set(struct recording *r, size_t at[BRANCHES], uint32_t *count)
{
    struct buffer b = {0};
    uint64_t set = 0;
    uint32_t left = 0;
    *count = 0;
    for (size_t i = chunk_reader_count(r->in); branch_before(r, &i);) {
        if (!load_branch(r, i, &b))
            continue;
        uint32_t size = load_le32(b.data + 8), number = load_le32(b.data + 12);
        if (load_le64(b.data) != set || number != left) { /* the last of a set, or what is torn */
            set = load_le64(b.data);
            left = size < BRANCHES && number == size ? number : 0;
            *count = left;
            if (!number && !size)
                break;
        }
        if (!left)
            continue;
        at[left - 1] = i;
        if (!--left)
            break;
    }
    *count = left ? 0 : *count;
    buffer_fini(&b);
}

static void add_branches(struct timeline *tl, struct recording *r)
{
    size_t at[BRANCHES];
    uint32_t count;
    struct buffer b = {0};
    struct error err = ERROR_INIT;
    find_set(r, at, &count);
    for (uint32_t i = 0; i < count; i++)
        if (!load_branch(r, at[i], &b) ||
            !branch_unpack(tl, b.data + BRANCH_HEAD, b.size - BRANCH_HEAD, &err)) {
            recording_note_damage(r, "a branch is damaged: it is missing");
            break;
        }
    buffer_fini(&b);
}

static bool fits(const struct timeline *tl, const struct recording *r, struct error *err)
{
    if (digest_equal(&tl->origin->digest, &r->index.origin.digest))
        return true;
    return error_set(err, ERROR_UNSUPPORTED,
                     "%.200s: the machine made from it is not the recorded one (%s differs in the "
                     "first state): it was recorded by another version of backstep",
                     chunk_reader_path(r->in),
                     digest_difference(&tl->origin->digest, &r->index.origin.digest));
}

bool recording_fill(struct timeline *tl, struct recording *r, struct error *err)
{
    if (!fits(tl, r, err) || !add_events(tl, r, err) || !add_reads(tl, r, err))
        return false;
    tl->opened.recording = r;
    tl->opened.checkpoints = checkpoint_source_new(&tl->snapshots, tl->origin, r->in);
    tl->tip = r->index.tip.position;
    add_marks(tl, r);
    add_entries(tl, r);
    add_parts(tl, r);
    add_bookmarks(tl, r);
    add_branches(tl, r);
    timeline_set_verdict(tl, r->index.tip.reason, r->index.tip.verdict);
    return true;
}

struct buffer recording_load_chunk(struct recording *r, uint32_t number)
{
    const struct chunk *chunk = number == CHUNK_NONE ? NULL : chunk_reader_find(r->in, number);
    struct buffer b = {0};
    struct error err = ERROR_INIT;
    if (chunk && !chunk_reader_load(r->in, chunk, &b, &err))
        buffer_clear(&b);
    return b;
}
