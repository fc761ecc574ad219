/* Events, digests, blocks read and what was printed go out in pieces, and at each flush, followed
 * by a TIP: what a reader believes of a file that was never closed. */
#include "timeline/recording_pieces.h"

#include "base/check.h"
#include "base/log.h"

#include <stdlib.h>
#include <string.h>

enum { PIECE = 1 << 20, BLOB_PIECE = 4 << 20, EVENTS_PENDING = 4096, MARKS_PENDING = 2048 };

uint32_t pieces_add(struct recording_writer *w, uint32_t kind, struct buffer *contents, size_t head)
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

void pieces_add_content(struct recording_writer *w, const struct recording_content *content)
{
    struct buffer b = {0};
    buffer_append(&b, content->config, content->config_size);
    pieces_add(w, CHUNK_CONF, &b, 0);
    struct origin_row origin = {w->tl->origin->digest, w->extent.begin.log_index, w->begin};
    recording_pack_origin(&origin, &b);
    pieces_add(w, CHUNK_ORIG, &b, b.size);
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
    pieces_add(w, CHUNK_LOGE, &b, RECORDING_RUN_HEAD);
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
    pieces_add(w, CHUNK_MARK, &b, RECORDING_RUN_HEAD);
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
    pieces_add(w, CHUNK_DISK, &b, head);
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
    pieces_add(w, CHUNK_CONS, &b, RECORDING_RUN_HEAD);
    buffer_fini(&b);
    w->part = behind;
    return true;
}

static void add_books(struct recording_writer *w)
{
    if (w->book_changes == w->tl->bookmarks.changes)
        return;
    struct buffer b = {0};
    bookmarks_pack(w->tl, w->begin, w->extent.end, &b);
    w->books = pieces_add(w, CHUNK_BOOK, &b, 0);
    w->book_changes = w->tl->bookmarks.changes;
    buffer_fini(&b);
}

static void add_branches(struct recording_writer *w)
{
    struct timeline *tl = w->tl;
    if (w->branch_changes == tl->branches.changes)
        return;
    bool ends = w->extent.end != POSITION_NONE;
    const struct stretch of = {w->begin, w->extent.begin.log_index, w->extent.end,
                               ends ? w->extent.end_event : UINT64_MAX};
    uint32_t count = branches_count(tl, &of);
    for (uint32_t i = count ? 1 : 0; i <= count; i++) {
        struct buffer b = {0};
        pack_u64(&b, tl->branches.changes);
        pack_u32(&b, count);
        pack_u32(&b, i);
        branch_pack(tl, i, &of, &b);
        pieces_add(w, CHUNK_BRCH, &b, 0);
        buffer_fini(&b);
    }
    w->branch_changes = tl->branches.changes;
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

static void add_tip(struct recording_writer *w)
{
    const struct timeline *tl = w->tl;
    bool ends = w->extent.end != POSITION_NONE;
    uint64_t vtime = ends ? w->extent.end_vtime : tip_vtime(tl);
    if (w->vtime < vtime) /* a machine that failed has less than it had */
        w->vtime = vtime;
    uint64_t position = ends ? w->extent.end : tl->tip;
    /* What ended the run is of no interest where it goes on, or does not get there. */
    bool over = position == tl->recorded.verdict_at;
    struct tip_row row = {
        .position = position,
        .vtime = w->vtime,
        .events = ends ? w->event : tip_events(w),
        .marks = w->mark - w->first_mark,
        .reads = w->read,
        .parts = w->part - w->first_part,
        .books = w->books,
        .reason = over ? tl->recorded.reason : NULL,
        .verdict = over ? tl->recorded.verdict : NULL,
    };
    struct buffer b = {0};
    recording_pack_tip(&row, &b);
    pieces_add(w, CHUNK_TIP, &b, b.size);
    buffer_fini(&b);
    w->told = position;
}

/* Branches come last: they begin before this tip, and have read none but its blocks. */
void pieces_end_flush(struct recording_writer *w)
{
    add_books(w);
    add_tip(w);
    add_branches(w);
    w->flushed = host_ns();
    w->flushing = false;
    if (!w->to_disk)
        return;
    w->synced = w->flushed;
    chunk_writer_flush(w->out);
}

/* ---- all of them ---- */

bool pieces_add_pending(struct recording_writer *w)
{
    bool all = w->flushing;
    return ((all || events_end(w) - w->event >= EVENTS_PENDING) && emit_events(w)) ||
           ((all || marks_end(w) - w->mark >= MARKS_PENDING) && emit_marks(w)) ||
           (all && (emit_reads(w) || emit_parts(w)));
}

/* Heads, whole ones a chunk. */
void pieces_add_table(struct recording_writer *w)
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
