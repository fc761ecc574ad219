/* What of a history goes into its file.
 *
 * Checkpoints: one for each half second of replay, in order; what is closer together is made again
 * by whoever replays. Only before the end, where people go first, all are kept. Events, digests,
 * blocks read and what was printed go out in pieces, and at each flush, followed by a TIP: what a
 * reader believes of a file that was never closed. */
#include "timeline/recording_writer.h"

#include "base/check.h"
#include "base/log.h"

#include <stdlib.h>
#include <string.h>

#define SPACING_NS UINT64_C(500000000)
enum { SPACING_TIMES = 20 }; /* where checkpoints are spaced by steps: so many of those */
enum { PIECE = 1 << 20, BLOB_PIECE = 4 << 20, EVENTS_PENDING = 4096, MARKS_PENDING = 2048 };
enum { DENSE_MOST = 64 }; /* checkpoints before the end */

struct recording_writer {
    struct timeline *tl;
    struct chunk_writer *out;
    struct checkpoint_writer *checkpoints;
    char *path;
    struct buffer table;
    struct recording_extent extent;
    uint64_t begin; /* position */
    uint64_t spacing_ns, keep_bytes;
    uint64_t event, mark, read, part; /* what comes next, by the timeline's numbers */
    uint64_t first_mark, first_part;
    uint64_t book_changes;
    uint32_t books;
    uint64_t looked;         /* marks there were when a checkpoint was last looked for */
    struct interval_row row; /* of the checkpoint written last, or being written */
    bool begun;              /* there is one */
    bool lost;               /* an event cannot be had: what follows could not be replayed */
    bool flushing, to_disk;
    uint64_t flushed;
    uint64_t vtime; /* of the last TIP */
};

/* ---- chunks ---- */

static uint32_t emit(struct recording_writer *w, uint32_t kind, struct buffer *contents,
                     size_t head)
{
    struct buffer copy = {0};
    buffer_append(&copy, contents->data, head);
    uint32_t number = chunk_writer_add(w->out, kind, contents);
    recording_table_add(&w->table, kind, number, copy.data, copy.size);
    buffer_fini(&copy);
    return number;
}

static void emit_blob(struct recording_writer *w, uint32_t index, const struct recording_blob *blob)
{
    uint64_t offset = 0;
    do {
        size_t size = blob->size - offset < BLOB_PIECE ? blob->size - offset : BLOB_PIECE;
        struct buffer head = {0}, copy = {0};
        recording_pack_blob(index, blob->name, blob->size, offset, &head);
        buffer_append(&copy, head.data, head.size);
        uint32_t number =
            chunk_writer_add_borrowed(w->out, CHUNK_BLOB, &head, blob->bytes + offset, size);
        recording_table_add(&w->table, CHUNK_BLOB, number, copy.data, copy.size);
        buffer_fini(&copy);
        offset += size;
    } while (offset < blob->size);
}

static void emit_content(struct recording_writer *w, const struct recording_content *content)
{
    struct buffer b = {0};
    buffer_append(&b, content->config, content->config_size);
    emit(w, CHUNK_CONF, &b, 0);
    struct origin_row origin = {w->tl->origin->digest, w->extent.begin.log_index, w->begin};
    recording_pack_origin(&origin, &b);
    emit(w, CHUNK_ORIG, &b, b.size);
    for (size_t i = 0; i < content->blobs; i++)
        emit_blob(w, (uint32_t)i, &content->blob[i]);
    buffer_fini(&b);
}

/* ---- events, digests, blocks, what was printed ---- */

static uint64_t events_end(const struct recording_writer *w)
{
    uint64_t end = log_count(w->tl->log);
    return w->extent.end != POSITION_NONE && w->extent.end_event < end ? w->extent.end_event : end;
}

static bool emit_events(struct recording_writer *w)
{
    const struct log *log = w->tl->log;
    uint64_t end = events_end(w);
    if (w->event >= end || w->lost)
        return false;
    struct buffer packed = {0}, b = {0};
    uint64_t behind = log_pack(log, w->event, end, PIECE, &packed);
    if (behind == w->event) { /* of a damaged recording */
        w->lost = true;
        buffer_fini(&packed);
        return false;
    }
    struct run_row row = {.first = w->event,
                          .count = behind - w->event,
                          .low = log_get(log, w->event).position,
                          .high = log_get(log, behind - 1).position};
    recording_pack_run(&row, &b);
    buffer_append(&b, packed.data, packed.size);
    buffer_fini(&packed);
    emit(w, CHUNK_LOGE, &b, RECORDING_RUN_HEAD);
    buffer_fini(&b);
    w->event = behind;
    return true;
}

static uint64_t marks_end(const struct recording_writer *w)
{
    const struct history *h = &w->tl->history;
    size_t n = h->marks;
    while (n && h->mark[n - 1].position > w->extent.end)
        n--;
    return h->marks_forgotten + n;
}

static bool emit_marks(struct recording_writer *w)
{
    const struct history *h = &w->tl->history;
    uint64_t end = marks_end(w);
    if (w->mark >= end)
        return false;
    if (end - w->mark > MARKS_PENDING)
        end = w->mark + MARKS_PENDING;
    const struct mark *mark = &h->mark[w->mark - h->marks_forgotten];
    struct run_row row = {.first = w->mark - w->first_mark,
                          .count = end - w->mark,
                          .low = mark->position,
                          .high = mark[end - w->mark - 1].position};
    struct buffer b = {0};
    recording_pack_run(&row, &b);
    for (; w->mark < end; w->mark++, mark++) {
        pack_u64(&b, mark->position);
        pack_u64(&b, mark->log_index);
        recording_pack_digest(&mark->digest, &b);
    }
    emit(w, CHUNK_MARK, &b, RECORDING_RUN_HEAD);
    buffer_fini(&b);
    return true;
}

/* Keys first, then the contents of those that could be read. A block that has changed since cannot
 * be stored; replaying it would stop there too. */
static bool emit_reads(struct recording_writer *w)
{
    struct disk_reads *reads = w->tl->reads;
    uint64_t count = disk_reads_count(reads), first = w->read;
    if (first >= count)
        return false;
    struct buffer keys = {0}, contents = {0}, b = {0};
    for (; w->read < count && contents.size < PIECE && keys.size < PIECE; w->read++) {
        struct disk_first_read read = disk_reads_get(reads, w->read);
        uint8_t bytes[DISK_BLOCK];
        struct error err = ERROR_INIT;
        if (!read.failed && disk_reads_again(reads, w->read, bytes, &err) != DISK_READ_OK) {
            log_line(LOG_WARN, "the recording lacks a disk block: %s", err.message);
            memset(bytes, 0, sizeof bytes);
        }
        recording_pack_block(&read, &keys);
        if (!read.failed)
            buffer_append(&contents, bytes, sizeof bytes);
    }
    struct run_row row = {.first = first, .count = w->read - first};
    recording_pack_run(&row, &b);
    buffer_append(&b, keys.data, keys.size);
    size_t head = b.size;
    buffer_append(&b, contents.data, contents.size);
    emit(w, CHUNK_DISK, &b, head);
    buffer_fini(&b);
    buffer_fini(&keys);
    buffer_fini(&contents);
    return true;
}

static uint64_t parts_end(const struct recording_writer *w)
{
    const struct transcript *t = w->tl->transcript;
    uint64_t end = transcript_end(t);
    while (w->extent.end != POSITION_NONE && end > transcript_first(t) &&
           transcript_get(t, end - 1).position >= w->extent.end)
        end--;
    return end;
}

static bool emit_parts(struct recording_writer *w)
{
    struct transcript *t = w->tl->transcript;
    transcript_close(t);
    uint64_t end = parts_end(w);
    if (w->part < transcript_first(t)) { /* more at once than is kept */
        w->first_part += transcript_first(t) - w->part;
        w->part = transcript_first(t);
    }
    if (w->part >= end)
        return false;
    struct buffer packed = {0}, b = {0};
    uint64_t behind = transcript_pack(t, w->part, end, PIECE, &packed);
    struct run_row row = {.first = w->part - w->first_part,
                          .count = behind - w->part,
                          .low = transcript_get(t, w->part).position,
                          .high = transcript_get(t, behind - 1).position};
    recording_pack_run(&row, &b);
    buffer_append(&b, packed.data, packed.size);
    buffer_fini(&packed);
    emit(w, CHUNK_CONS, &b, RECORDING_RUN_HEAD);
    buffer_fini(&b);
    w->part = behind;
    return true;
}

static void emit_books(struct recording_writer *w)
{
    if (w->book_changes == w->tl->bookmarks.changes)
        return;
    struct buffer b = {0};
    bookmarks_pack(w->tl, w->begin, w->extent.end, &b);
    w->books = emit(w, CHUNK_BOOK, &b, 0);
    w->book_changes = w->tl->bookmarks.changes;
    buffer_fini(&b);
}

static uint64_t tip_vtime(const struct timeline *tl)
{
    return tl->live ? clock_vtime(&tl->m->clock) : history_newest(tl)->vtime;
}

/* Without answers given in idle time that nothing has ended yet: a seek to the tip does not get to
 * them. */
static uint64_t tip_events(const struct recording_writer *w)
{
    uint64_t n = w->event;
    while (n > w->extent.begin.log_index) {
        struct event last = log_get(w->tl->log, n - 1);
        if (last.position != w->tl->tip || !event_is_answer(last.kind))
            break;
        n--;
    }
    return n;
}

static void emit_tip(struct recording_writer *w)
{
    const struct timeline *tl = w->tl;
    bool ends = w->extent.end != POSITION_NONE;
    uint64_t vtime = ends ? w->extent.end_vtime : tip_vtime(tl);
    if (w->vtime < vtime) /* a machine that failed has less than it had */
        w->vtime = vtime;
    struct tip_row row = {
        .position = ends ? w->extent.end : tl->tip,
        .vtime = w->vtime,
        .events = ends ? w->event : tip_events(w),
        .marks = w->mark - w->first_mark,
        .reads = w->read,
        .parts = w->part - w->first_part,
        .books = w->books,
        .reason = tl->recorded.reason,
        .verdict = tl->recorded.verdict,
    };
    struct buffer b = {0};
    recording_pack_tip(&row, &b);
    emit(w, CHUNK_TIP, &b, b.size);
    buffer_fini(&b);
    w->flushed = host_ns();
    w->flushing = false;
    if (w->to_disk)
        chunk_writer_flush(w->out);
}

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
    checkpoint_writer_begin(w->checkpoints, e->checkpoint);
    history_thin(w->tl); /* it may have been read for this */
    return true;
}

static void advance_checkpoint(struct recording_writer *w)
{
    if (!checkpoint_writer_advance(w->checkpoints, &w->row.checkpoint))
        return;
    struct buffer b = {0};
    recording_pack_interval(&w->row, &b);
    emit(w, CHUNK_INTV, &b, b.size);
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

static bool emit_pending(struct recording_writer *w)
{
    bool all = w->flushing;
    return ((all || events_end(w) - w->event >= EVENTS_PENDING) && emit_events(w)) ||
           ((all || marks_end(w) - w->mark >= MARKS_PENDING) && emit_marks(w)) ||
           (all && (emit_reads(w) || emit_parts(w)));
}

bool recording_writer_advance(struct recording_writer *w)
{
    if (emit_pending(w))
        return true;
    if (w->flushing && !w->lost) {
        emit_books(w);
        emit_tip(w);
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

struct chunk_writer *recording_writer_chunks(struct recording_writer *w)
{
    return w->out;
}

uint64_t recording_writer_flushed(const struct recording_writer *w)
{
    return w->flushed;
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

static uint64_t first_mark(const struct timeline *tl, const struct entry *begin)
{
    const struct history *h = &tl->history;
    size_t i = 0;
    while (i < h->marks && (h->mark[i].position < begin->checkpoint->position ||
                            (h->mark[i].position == begin->checkpoint->position &&
                             h->mark[i].log_index < begin->log_index)))
        i++;
    return h->marks_forgotten + i;
}

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
    w->mark = w->first_mark = first_mark(tl, &extent->begin);
    w->begin = extent->begin.checkpoint->position;
    w->part = w->first_part = first_part(tl->transcript, w->begin);
    w->book_changes = UINT64_MAX;
    w->books = CHUNK_NONE;
    w->looked = UINT64_MAX;
    emit_content(w, options->content);
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

/* Where the last DENSE_MOST checkpoints begin; in a file that has hardly room left, the last. */
static uint64_t dense_from(const struct recording_writer *w)
{
    const struct history *h = &w->tl->history;
    bool full = w->keep_bytes && chunk_writer_bytes(w->out) > w->keep_bytes - w->keep_bytes / 8;
    uint64_t position = w->row.position;
    unsigned dense = 0, most = full ? 1 : DENSE_MOST;
    for (size_t i = h->entries; i-- > 0 && dense < most;)
        if (!h->entry[i].born && h->entry[i].checkpoint->position <= w->extent.end) {
            position = h->entry[i].checkpoint->position;
            dense++;
        }
    return position;
}

/* Heads, whole ones a chunk. */
static void emit_table(struct recording_writer *w)
{
    struct unpack u = {w->table.data, w->table.size, false};
    while (u.left) {
        struct buffer b = {0};
        while (u.left && b.size < PIECE) {
            uint32_t size = load_le32(u.at + 8);
            buffer_append(&b, unpack_bytes(&u, 12 + (size_t)size), 12 + (size_t)size);
        }
        chunk_writer_add(w->out, CHUNK_TABL, &b);
        buffer_fini(&b);
    }
}

bool recording_writer_close(struct recording_writer *w, const struct entry *last, struct error *err)
{
    drain(w);
    uint64_t near = dense_from(w);
    for (const struct entry *e; (e = next_checkpoint(w, true, near));) {
        begin_checkpoint(w, e);
        drain(w);
    }
    if (last && is_behind(last, &w->row) && begin_checkpoint(w, last))
        drain(w);
    recording_writer_flush(w, false);
    drain(w);
    emit_table(w);
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
