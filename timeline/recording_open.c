/* Opening recordings: what there is, images, blocks of disks. */
#include "timeline/recording_parts.h"

#include "base/check.h"
#include "base/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FORMAT = 1 };
/* No file ends so many steps behind its last checkpoint: to replay them takes minutes. */
#define BEHIND_MOST UINT64_C(200000000000)

/* ---- what there is ---- */

static bool add_chunk(struct recording *r, const struct chunk *chunk, struct error *err)
{
    struct buffer b = {0};
    bool ok = chunk_reader_load(r->in, chunk, &b, err) &&
              recording_index_add(&r->index, chunk->kind, chunk->number, b.data, b.size, err);
    buffer_fini(&b);
    return ok;
}

void recording_note_damage(struct recording *r, const char *text)
{
    if (!*r->damage)
        snprintf(r->damage, sizeof r->damage, "%s", text);
}

/* All of the table, or nothing. */
static bool add_tables(struct recording *r, struct error *err)
{
    bool any = false;
    for (size_t i = 0; i < chunk_reader_count(r->in); i++) {
        const struct chunk *chunk = chunk_reader_chunk(r->in, i);
        if (chunk->kind != CHUNK_TABL)
            continue;
        struct buffer b = {0};
        bool ok = chunk_reader_load(r->in, chunk, &b, err) &&
                  recording_index_add_table(&r->index, b.data, b.size, err);
        buffer_fini(&b);
        if (!ok)
            return false;
        any = true;
    }
    return any;
}

/* What follows damage may not fit what came before: it ends there. */
static void add_all(struct recording *r)
{
    for (size_t i = 0; i < chunk_reader_count(r->in); i++) {
        const struct chunk *chunk = chunk_reader_chunk(r->in, i);
        struct error err = ERROR_INIT;
        if (recording_index_wants(chunk->kind) && !add_chunk(r, chunk, &err))
            recording_note_damage(r, err.message);
    }
}

static uint64_t run_end(const struct run_list *list, uint64_t first)
{
    return list->count ? list->row[list->count - 1].first + list->row[list->count - 1].count
                       : first;
}

/* Can everything that the tip promises be had? */
static bool tip_holds(const struct recording_index *x)
{
    uint64_t last = x->intervals ? x->interval[x->intervals - 1].position : x->origin.position;
    return x->has_tip && (x->tip.position < last || x->tip.position - last <= BEHIND_MOST) &&
           run_end(&x->events, x->origin.first_event) >= x->tip.events && x->blocks >= x->tip.reads;
}

/* The events or blocks before the tip are not all there: the last checkpoint before what is missing
 * is the end. */
static void shorten(struct recording *r)
{
    struct recording_index *x = &r->index;
    uint64_t events = run_end(&x->events, x->origin.first_event);
    while (x->intervals && x->interval[x->intervals - 1].log_index > events)
        x->intervals--;
    const struct interval_row *last = x->intervals ? &x->interval[x->intervals - 1] : NULL;
    x->tip.position = last ? last->position : x->origin.position;
    x->tip.vtime = last ? last->vtime : 0;
    x->tip.events = last ? last->log_index : x->origin.first_event;
    if (x->tip.reads > x->blocks)
        x->tip.reads = x->blocks;
    x->has_tip = true;
    recording_note_damage(r, "what was recorded last is missing");
}

/* Nothing behind the tip counts. */
static void cut_at_tip(struct recording_index *x)
{
    while (x->intervals && (x->interval[x->intervals - 1].position > x->tip.position ||
                            x->interval[x->intervals - 1].log_index > x->tip.events))
        x->intervals--;
    if (x->blocks > x->tip.reads)
        x->blocks = x->tip.reads;
}

static int compare_blocks(const void *a, const void *b, void *ctx)
{
    const struct block_row *row = ctx;
    const struct disk_first_read *x = &row[*(const uint64_t *)a].read;
    const struct disk_first_read *y = &row[*(const uint64_t *)b].read;
    if (x->disk != y->disk)
        return x->disk < y->disk ? -1 : 1;
    return x->block < y->block ? -1 : x->block > y->block;
}

static void sort_blocks(struct recording *r)
{
    r->order = mem_new(r->index.blocks + 1, sizeof *r->order);
    for (size_t i = 0; i < r->index.blocks; i++)
        r->order[i] = i;
    qsort_r(r->order, r->index.blocks, sizeof *r->order, compare_blocks, r->index.block);
}

static bool read_index(struct recording *r, struct error *err)
{
    struct recording_index *x = &r->index;
    if (chunk_reader_damage(r->in))
        recording_note_damage(r, chunk_reader_damage(r->in));
    struct error table = ERROR_INIT;
    if (!add_tables(r, &table)) {
        if (table.code)
            recording_note_damage(r, table.message);
        recording_index_fini(x);
        add_all(r);
    }
    const struct chunk *conf = x->conf == CHUNK_NONE ? NULL : chunk_reader_find(r->in, x->conf);
    if (!conf || !x->has_origin)
        return error_set(err, ERROR_FORMAT,
                         "%.300s: the recording's beginning is missing: nothing can be shown",
                         chunk_reader_path(r->in));
    if (!chunk_reader_load(r->in, conf, &r->config, err))
        return false;
    if (!tip_holds(x))
        shorten(r);
    cut_at_tip(x);
    sort_blocks(r);
    return x->intervals || recording_from_origin(x) ||
           error_set(err, ERROR_FORMAT,
                     "%.300s: the recording's first checkpoint is missing: nothing can be shown",
                     chunk_reader_path(r->in));
}

struct recording *recording_open(const char *path, struct error *err)
{
    struct chunk_reader *in = chunk_reader_open(path, err);
    if (!in)
        return NULL;
    struct recording *r = mem_new(1, sizeof *r);
    r->in = in;
    r->blocks_chunk = CHUNK_NONE;
    recording_index_init(&r->index);
    if (read_index(r, err))
        return r;
    recording_free(r);
    return NULL;
}

void recording_free(struct recording *r)
{
    if (!r)
        return;
    chunk_reader_free(r->in);
    recording_index_fini(&r->index);
    buffer_fini(&r->config);
    buffer_fini(&r->blocks);
    free(r->order);
    free(r);
}

void recording_info(const struct recording *r, struct recording_info *info)
{
    const struct recording_index *x = &r->index;
    const struct interval_row *first = x->intervals ? &x->interval[0] : NULL;
    *info = (struct recording_info){
        .begin = recording_from_origin(x) ? 0 : first->position,
        .tip = x->tip.position,
        .begin_ns = recording_from_origin(x) ? 0 : first->vtime,
        .tip_ns = x->tip.vtime,
        .events = x->tip.events - x->origin.first_event,
        .marks = x->tip.marks,
        .checkpoints = x->intervals,
        .disk_blocks = x->blocks,
        .bytes = chunk_reader_bytes(r->in),
        .format = FORMAT,
        .complete = chunk_reader_complete(r->in),
        .damage = *r->damage ? r->damage : NULL,
        .reason = x->tip.reason,
        .verdict = x->tip.verdict,
    };
}

const uint8_t *recording_config(const struct recording *r, size_t *size)
{
    *size = r->config.size;
    return r->config.data;
}

size_t recording_checkpoints(const struct recording *r, size_t first, uint64_t *position,
                             size_t limit)
{
    size_t n = 0;
    for (size_t i = first; i < r->index.intervals && n < limit; i++)
        position[n++] = r->index.interval[i].position;
    return n;
}

/* ---- images ---- */

const char *recording_blob_name(const struct recording *r, size_t index)
{
    return index < r->index.names ? r->index.name[index].name : NULL;
}

static bool missing_piece(const struct recording *r, const char *name, struct error *err)
{
    return error_set(err, ERROR_FORMAT, "%.200s: a part of `%.100s` is missing",
                     chunk_reader_path(r->in), name);
}

/* The head of a BLOB chunk is as long as its name. */
static bool add_piece(struct recording *r, const struct blob_row *row, struct buffer *out,
                      struct error *err)
{
    const struct blob_name *name = &r->index.name[row->blob];
    const struct chunk *chunk = chunk_reader_find(r->in, row->chunk);
    size_t head = 4 + 4 + strlen(name->name) + 8 + 8;
    if (!chunk || chunk->kind != CHUNK_BLOB || row->offset != out->size || chunk->size < head ||
        chunk->size - head > name->size - out->size)
        return missing_piece(r, name->name, err);
    struct buffer b = {0};
    bool ok = chunk_reader_load(r->in, chunk, &b, err);
    if (ok)
        buffer_append(out, b.data + head, b.size - head);
    buffer_fini(&b);
    return ok;
}

bool recording_blob(struct recording *r, const char *name, uint8_t **bytes, size_t *size,
                    struct error *err)
{
    const struct recording_index *x = &r->index;
    size_t index = 0;
    while (index < x->names && strcmp(x->name[index].name, name) != 0)
        index++;
    if (index == x->names)
        return error_set(err, ERROR_RANGE, "%.200s has no `%.100s`", chunk_reader_path(r->in),
                         name);
    struct buffer out = {0};
    buffer_reserve(&out, 1);
    bool ok = true;
    for (size_t i = 0; i < x->blobs && ok; i++)
        if (x->blob[i].blob == index)
            ok = add_piece(r, &x->blob[i], &out, err);
    if (ok && out.size != x->name[index].size)
        ok = missing_piece(r, name, err);
    if (!ok) {
        buffer_fini(&out);
        return false;
    }
    *bytes = out.data;
    *size = out.size;
    return true;
}

/* ---- disks ---- */

static const struct block_row *find_block(const struct recording *r, unsigned disk, uint64_t block)
{
    size_t low = 0, high = r->index.blocks;
    while (low < high) {
        size_t middle = (low + high) / 2;
        const struct block_row *row = &r->index.block[r->order[middle]];
        if (row->read.disk < disk || (row->read.disk == disk && row->read.block < block))
            low = middle + 1;
        else
            high = middle;
    }
    if (low == r->index.blocks)
        return NULL;
    const struct block_row *row = &r->index.block[r->order[low]];
    return row->read.disk == disk && row->read.block == block ? row : NULL;
}

/* Where contents begin in a DISK chunk: behind its run's head and keys. */
static bool read_stored(struct recording *r, const struct block_row *row, uint8_t *bytes)
{
    struct error err = ERROR_INIT;
    if (r->blocks_chunk != row->chunk) {
        const struct chunk *chunk = chunk_reader_find(r->in, row->chunk);
        buffer_clear(&r->blocks);
        r->blocks_chunk = CHUNK_NONE;
        if (!chunk || !chunk_reader_load(r->in, chunk, &r->blocks, &err)) {
            log_line(LOG_WARN, "%s", chunk ? err.message : "blocks of a disk are missing");
            return false;
        }
        r->blocks_chunk = row->chunk;
    }
    struct unpack u = {r->blocks.data, r->blocks.size, false};
    unpack_u64(&u);
    uint64_t count = unpack_u64(&u);
    unpack_bytes(&u, 16);
    if (count > u.left / RECORDING_BLOCK_HEAD)
        return false;
    unpack_bytes(&u, count * RECORDING_BLOCK_HEAD);
    unpack_bytes(&u, (size_t)row->slot * DISK_BLOCK);
    const uint8_t *from = unpack_bytes(&u, DISK_BLOCK);
    if (from)
        memcpy(bytes, from, DISK_BLOCK);
    return from;
}

static const char *disk_name(void *ctx, unsigned disk)
{
    struct recording *r = ctx;
    if (r->images.name)
        return r->images.name(r->images.ctx, disk);
    snprintf(r->name[disk], sizeof r->name[disk], "of disk %u", disk);
    return r->name[disk];
}

static bool disk_read(void *ctx, unsigned disk, uint64_t block, uint8_t *bytes)
{
    struct recording *r = ctx;
    const struct block_row *row = find_block(r, disk, block);
    if (row)
        return !row->read.failed && read_stored(r, row, bytes);
    if (r->images.read)
        return r->images.read(r->images.ctx, disk, block, bytes);
    if (!r->missing_said[disk]) {
        r->missing_said[disk] = true;
        log_line(LOG_WARN,
                 "disk %u: block %" PRIu64
                 " is not in the recording and the image is not here: the "
                 "guest gets an I/O error, for this block and others like it",
                 disk, block);
    }
    return false;
}

struct disk_host recording_disks(struct recording *r, const struct disk_host *images)
{
    r->images = images ? *images : (struct disk_host){0};
    return (struct disk_host){disk_read, disk_name, r};
}
