/* What of a history goes into its file.
 *
 * Checkpoints: one for each half second of replay, in order; what is closer together is made again
 * by whoever replays. Only before the end, where people go first, all are kept. */
#include "timeline/recording_pieces.h"

#include "base/check.h"
#include "base/log.h"
#include "timeline/history_parts.h"

#include <stdlib.h>
#include <string.h>

#define SPACING_NS UINT64_C(500000000)
enum { SPACING_TIMES = 20 }; /* where checkpoints are spaced by steps: so many of those */
enum { DENSE_MOST = 64 };    /* checkpoints before the end */
enum { KEEP_WAITING = 16 };  /* of a flight recorder's file: the part that may wait */

/* ---- checkpoints ---- */

static bool is_behind(const struct entry *e, const struct interval_row *row)
{
    return e->checkpoint->position > row->position ||
           (e->checkpoint->position == row->position && e->log_index > row->log_index);
}

static bool enough(const struct recording_writer *w, const struct entry *e, uint64_t cost)
{
    uint64_t steps = w->tl->options.spacing_steps * SPACING_TIMES;
    return steps ? e->checkpoint->position - w->row.position >= steps : cost >= w->spacing_ns;
}

/* The automatic entry that is at the row written last, or nearest before it. */
static size_t row_index(const struct recording_writer *w)
{
    const struct history *h = &w->tl->history;
    if (h->entry[0].checkpoint->position > w->row.position)
        return 0;
    size_t i = (size_t)(history_at(w->tl, w->row.position) - h->entry);
    while (i && (h->entry[i].born || is_behind(&h->entry[i], &w->row)))
        i--;
    return i;
}

/* The next one that is due; `all`: the next one there is. `near`: not before this position. */
static const struct entry *next_checkpoint(const struct recording_writer *w, bool all,
                                           uint64_t near)
{
    const struct history *h = &w->tl->history;
    uint64_t cost = 0;
    for (size_t i = row_index(w); i < h->entries; i++) {
        const struct entry *e = &h->entry[i];
        if (e->born || e->checkpoint->position > w->extent.end)
            continue;
        if (is_behind(e, &w->row) && (all ? e->checkpoint->position >= near : enough(w, e, cost)))
            return e;
        cost += e->cost_ns;
    }
    return NULL;
}

/* What was used between the row written last and `e`, and what that costs to replay: of all entries
 * from the one at or before that row. Returns the summary's chunk. */
static uint32_t emit_summary(struct recording_writer *w, const struct entry *e, uint64_t *cost)
{
    const struct history *h = &w->tl->history;
    struct summary *all = NULL;
    bool known = true;
    *cost = 0;
    for (size_t i = row_index(w); i < h->entries; i++) {
        const struct entry *x = &h->entry[i];
        if (x->born)
            continue;
        if (!is_behind(e, &(struct interval_row){.position = x->checkpoint->position,
                                                 .log_index = x->log_index}))
            break;
        *cost += x->cost_ns;
        const struct summary *one = known ? history_summary(w->tl, x) : NULL;
        known = one;
        struct summary *merged = known ? summary_merge(all, one) : NULL;
        summary_free(all);
        all = merged;
    }
    if (!all)
        return CHUNK_NONE;
    struct buffer b = {0};
    summary_pack(all, &b);
    summary_free(all);
    uint32_t number = chunk_writer_add(w->out, CHUNK_SUMM, &b);
    buffer_fini(&b);
    return number;
}

static bool begin_checkpoint(struct recording_writer *w, const struct entry *e)
{
    struct error err = ERROR_INIT;
    if (!history_load(w->tl, e, &err)) {
        log_line(LOG_WARN, "%s", err.message);
        w->row.position = e->checkpoint->position;
        w->row.log_index = e->log_index;
        w->row.checkpoint = CHUNK_NONE;
        return false;
    }
    uint64_t cost = 0;
    uint32_t before = w->begun ? w->row.checkpoint : CHUNK_NONE;
    uint32_t summary = w->begun ? emit_summary(w, e, &cost) : CHUNK_NONE;
    w->row = (struct interval_row){.position = e->checkpoint->position,
                                   .log_index = e->log_index,
                                   .vtime = e->vtime,
                                   .cost_ns = cost,
                                   .digest = e->checkpoint->digest,
                                   .summary = summary,
                                   .before = before};
    w->begun = true;
    w->size = 0;
    checkpoint_writer_begin(w->checkpoints, e->checkpoint);
    history_thin(w->tl); /* it may have been read for this */
    return true;
}

uint64_t recording_writer_bytes(const struct recording_writer *w)
{
    return chunk_writer_bytes(w->out) + chunk_writer_waiting(w->out);
}

/* For checkpoints at the end; a piece, and what comes behind them, is left. */
static uint64_t room_left(const struct recording_writer *w)
{
    uint64_t used = recording_writer_bytes(w), most = w->keep_bytes - w->keep_bytes / 8;
    return !w->keep_bytes ? UINT64_MAX : used < most ? most - used : 0;
}

static void advance_checkpoint(struct recording_writer *w)
{
    uint64_t before = recording_writer_bytes(w);
    bool done = checkpoint_writer_advance(w->checkpoints, &w->row.checkpoint);
    uint64_t after = recording_writer_bytes(w); /* less, when much was compressed meanwhile */
    w->size += after > before ? after - before : 0;
    if (!done)
        return;
    if (w->first_done && w->size > w->largest)
        w->largest = w->size;
    w->first_done = true;
    struct buffer b = {0};
    recording_pack_interval(&w->row, &b);
    pieces_add(w, CHUNK_INTV, &b, b.size);
    buffer_fini(&b);
}

static uint64_t marks_made(const struct timeline *tl)
{
    return tl->history.marks_forgotten + tl->history.marks;
}

static bool begin_due(struct recording_writer *w)
{
    if (w->looked == marks_made(w->tl))
        return false;
    const struct entry *e = next_checkpoint(w, false, 0);
    if (!e)
        w->looked = marks_made(w->tl);
    else
        begin_checkpoint(w, e);
    return e;
}

/* ---- from outside ---- */

void recording_writer_flush(struct recording_writer *w, bool to_disk)
{
    w->flushing = true;
    w->to_disk = to_disk;
}

bool recording_writer_advance(struct recording_writer *w)
{
    if (pieces_add_pending(w))
        return true;
    if (w->flushing && !w->lost) {
        pieces_end_flush(w);
    } else if (w->closing && !room_left(w)) {
        return false; /* the last checkpoints are made again by whoever replays */
    } else if (checkpoint_writer_busy(w->checkpoints)) {
        advance_checkpoint(w);
    } else {
        return begin_due(w);
    }
    return true;
}

bool recording_writer_caught_up(const struct recording_writer *w)
{
    return !checkpoint_writer_busy(w->checkpoints) && w->looked == marks_made(w->tl);
}

void recording_writer_flush_now(struct recording_writer *w)
{
    recording_writer_flush(w, true);
    while (w->flushing && recording_writer_advance(w))
        ;
}

struct chunk_writer *recording_writer_chunks(struct recording_writer *w)
{
    return w->out;
}

uint64_t recording_writer_flushed(const struct recording_writer *w)
{
    return w->flushed;
}

uint64_t recording_writer_synced(const struct recording_writer *w)
{
    return w->synced;
}

bool recording_writer_has_news(const struct recording_writer *w)
{
    const struct timeline *tl = w->tl;
    return tl->tip != w->told || log_count(tl->log) != w->event ||
           transcript_end(tl->transcript) != w->part || tl->bookmarks.changes != w->book_changes ||
           tl->branches.changes != w->branch_changes;
}

uint64_t recording_writer_begin(const struct recording_writer *w)
{
    return w->begin;
}

const char *recording_writer_path(const struct recording_writer *w)
{
    return w->path;
}

void recording_writer_renamed(struct recording_writer *w, const char *path)
{
    free(w->path);
    w->path = strdup(path);
}

/* ---- life ---- */

static uint64_t first_part(const struct transcript *t, uint64_t position)
{
    uint64_t n = transcript_first(t);
    while (n < transcript_end(t) && transcript_get(t, n).position < position)
        n++;
    return n;
}

struct recording_writer *recording_writer_new(struct timeline *tl, const char *path,
                                              const struct recording_options *options,
                                              const struct recording_extent *extent,
                                              struct error *err)
{
    size_t behind = options->behind ? options->behind : RECORDING_BEHIND;
    /* What waits will be in the file too. */
    if (options->keep_bytes && behind > options->keep_bytes / KEEP_WAITING)
        behind = (size_t)(options->keep_bytes / KEEP_WAITING);
    struct chunk_writer *out = chunk_writer_new(path, behind, err);
    if (!out)
        return NULL;
    struct recording_writer *w = mem_new(1, sizeof *w);
    w->tl = tl;
    w->out = out;
    w->checkpoints = checkpoint_writer_new(&tl->snapshots, tl->origin, out);
    w->path = strdup(path);
    w->extent = *extent;
    w->keep_bytes = options->keep_bytes;
    w->spacing_ns = options->spacing_ns ? options->spacing_ns : SPACING_NS;
    w->event = extent->begin.log_index;
    w->mark = w->first_mark =
        tl->history.marks_forgotten + entry_marks_before(&tl->history, &extent->begin);
    w->begin = extent->begin.checkpoint->position;
    w->part = w->first_part = first_part(tl->transcript, w->begin);
    w->book_changes = UINT64_MAX;
    w->books = CHUNK_NONE;
    w->looked = UINT64_MAX;
    pieces_add_content(w, options->content);
    begin_checkpoint(w, &extent->begin);
    recording_writer_flush(w, true);
    return w;
}

static void writer_free(struct recording_writer *w)
{
    checkpoint_writer_free(w->checkpoints);
    buffer_fini(&w->table);
    free(w->path);
    free(w);
}

/* As fast as the file can follow. */
static void drain(struct recording_writer *w)
{
    while (recording_writer_advance(w))
        while (!chunk_writer_wait(w->out, 10000000))
            ;
}

/* Where the last DENSE_MOST checkpoints begin, or as many as have room, by the largest so far. */
static uint64_t dense_from(const struct recording_writer *w)
{
    const struct history *h = &w->tl->history;
    uint64_t position = POSITION_NONE, room = room_left(w);
    unsigned dense = 0, most = DENSE_MOST;
    if (room / most < w->largest)
        most = (unsigned)(room / w->largest);
    for (size_t i = h->entries; i-- > 0 && dense < most;)
        if (!h->entry[i].born && h->entry[i].checkpoint->position <= w->extent.end) {
            position = h->entry[i].checkpoint->position;
            dense++;
        }
    return position;
}

bool recording_writer_close(struct recording_writer *w, const struct entry *last, struct error *err)
{
    w->closing = w->begun && w->first_done;
    drain(w);
    uint64_t near = dense_from(w);
    for (const struct entry *e; room_left(w) && (e = next_checkpoint(w, true, near));) {
        begin_checkpoint(w, e);
        drain(w);
    }
    if (last && is_behind(last, &w->row) && begin_checkpoint(w, last))
        drain(w);
    recording_writer_flush(w, false);
    drain(w);
    pieces_add_table(w);
    bool ok = chunk_writer_close(w->out, err);
    if (ok && w->lost)
        ok = error_set(err, ERROR_FORMAT, "%s", log_failure(w->tl->log));
    writer_free(w);
    return ok;
}

void recording_writer_abandon(struct recording_writer *w)
{
    chunk_writer_abandon(w->out);
    writer_free(w);
}
