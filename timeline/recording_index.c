#include "timeline/recording_index.h"

#include "base/check.h"
#include "machine/clock.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_MOST = 255, TEXT_MOST = 4096 };

/* Room for one more; evaluates to a pointer to it, zeroed. */
#define APPEND(list, count, capacity)                                                              \
    (append_room((void **)&(list), &(count), &(capacity), sizeof *(list)), &(list)[(count)-1])

static void append_room(void **list, size_t *count, size_t *capacity, size_t size)
{
    if (*count == *capacity) {
        *capacity = *capacity ? 2 * *capacity : 16;
        *list = mem_grow(*list, *capacity, size);
    }
    memset((char *)*list + *count * size, 0, size);
    ++*count;
}

void recording_index_init(struct recording_index *x)
{
    *x = (struct recording_index){.conf = CHUNK_NONE, .tip.books = CHUNK_NONE};
}

static void tip_fini(struct tip_row *tip)
{
    free(tip->reason);
    free(tip->verdict);
}

void recording_index_fini(struct recording_index *x)
{
    for (size_t i = 0; i < x->names; i++)
        free(x->name[i].name);
    free(x->name);
    free(x->interval);
    free(x->events.row);
    free(x->marks.row);
    free(x->parts.row);
    free(x->block);
    free(x->blob);
    tip_fini(&x->tip);
    recording_index_init(x);
}

/* ---- heads ---- */

void recording_pack_digest(const struct digest *d, struct buffer *out)
{
    pack_u64(out, d->ram);
    pack_u64(out, d->machine.core);
    pack_u64(out, d->machine.cpus);
    pack_u64(out, d->machine.devices);
}

struct digest recording_unpack_digest(struct unpack *u)
{
    struct digest d;
    d.ram = unpack_u64(u);
    d.machine.core = unpack_u64(u);
    d.machine.cpus = unpack_u64(u);
    d.machine.devices = unpack_u64(u);
    return d;
}

void recording_pack_origin(const struct origin_row *row, struct buffer *out)
{
    recording_pack_digest(&row->digest, out);
    pack_u64(out, row->first_event);
    pack_u64(out, row->position);
}

void recording_pack_interval(const struct interval_row *row, struct buffer *out)
{
    pack_u64(out, row->position);
    pack_u64(out, row->log_index);
    pack_u64(out, row->vtime);
    pack_u64(out, row->cost_ns);
    recording_pack_digest(&row->digest, out);
    pack_u32(out, row->checkpoint);
    pack_u32(out, row->summary);
    pack_u32(out, row->before);
}

void recording_pack_run(const struct run_row *row, struct buffer *out)
{
    pack_u64(out, row->first);
    pack_u64(out, row->count);
    pack_u64(out, row->low);
    pack_u64(out, row->high);
}

void recording_pack_block(const struct disk_first_read *read, struct buffer *out)
{
    pack_u32(out, read->disk);
    pack_u32(out, read->failed);
    pack_u64(out, read->block);
    pack_u64(out, read->hash);
}

void recording_pack_blob(uint32_t blob, const char *name, uint64_t size, uint64_t offset,
                         struct buffer *out)
{
    pack_u32(out, blob);
    pack_bytes(out, name, (uint32_t)strlen(name));
    pack_u64(out, size);
    pack_u64(out, offset);
}

static void pack_text(const char *text, struct buffer *out)
{
    pack_bytes(out, text, text ? (uint32_t)strnlen(text, TEXT_MOST) : 0);
}

void recording_pack_tip(const struct tip_row *row, struct buffer *out)
{
    pack_u64(out, row->position);
    pack_u64(out, row->vtime);
    pack_u64(out, row->events);
    pack_u64(out, row->marks);
    pack_u64(out, row->reads);
    pack_u64(out, row->parts);
    pack_u32(out, row->books);
    pack_text(row->reason, out);
    pack_text(row->verdict, out);
}

/* ---- reading them ---- */

static bool malformed(struct error *err, const char *what)
{
    return error_set(err, ERROR_FORMAT, "the recording's %s make no sense", what);
}

static bool add_origin(struct recording_index *x, struct unpack *u, struct error *err)
{
    struct origin_row row;
    row.digest = recording_unpack_digest(u);
    row.first_event = unpack_u64(u);
    row.position = unpack_u64(u);
    if (u->failed || x->has_origin || row.first_event > UINT64_MAX / 2 || row.position > CLOCK_LAST)
        return malformed(err, "first lines");
    x->origin = row;
    x->has_origin = true;
    return true;
}

static bool add_interval(struct recording_index *x, struct unpack *u, struct error *err)
{
    struct interval_row row;
    row.position = unpack_u64(u);
    row.log_index = unpack_u64(u);
    row.vtime = unpack_u64(u);
    row.cost_ns = unpack_u64(u);
    row.digest = recording_unpack_digest(u);
    row.checkpoint = unpack_u32(u);
    row.summary = unpack_u32(u);
    row.before = unpack_u32(u);
    const struct interval_row *last = x->intervals ? &x->interval[x->intervals - 1] : NULL;
    if (u->failed || row.position > CLOCK_LAST || row.vtime > CLOCK_LAST ||
        row.position < x->origin.position || row.log_index < x->origin.first_event ||
        (last && (row.position < last->position || row.log_index < last->log_index ||
                  row.vtime < last->vtime)))
        return malformed(err, "checkpoints");
    *APPEND(x->interval, x->intervals, x->interval_capacity) = row;
    return true;
}

static bool unpack_run(struct unpack *u, struct run_row *row)
{
    row->first = unpack_u64(u);
    row->count = unpack_u64(u);
    row->low = unpack_u64(u);
    row->high = unpack_u64(u);
    return !u->failed && row->count && row->count <= UINT32_MAX && row->first <= UINT64_MAX / 2 &&
           row->low <= row->high && row->high != UINT64_MAX;
}

/* Runs follow each other; what is behind a gap is of no use. */
static bool add_run(struct run_list *list, uint64_t first, uint32_t chunk, struct unpack *u,
                    const char *what, struct error *err)
{
    struct run_row row = {.chunk = chunk};
    const struct run_row *last = list->count ? &list->row[list->count - 1] : NULL;
    if (!unpack_run(u, &row))
        return malformed(err, what);
    if (row.first != (last ? last->first + last->count : first) || (last && row.low < last->high))
        return malformed(err, what);
    *APPEND(list->row, list->count, list->capacity) = row;
    return true;
}

static bool add_blocks(struct recording_index *x, uint32_t chunk, struct unpack *u,
                       struct error *err)
{
    struct run_row run;
    if (!unpack_run(u, &run) || run.first != x->blocks ||
        run.count > u->left / RECORDING_BLOCK_HEAD)
        return malformed(err, "disk blocks");
    for (uint32_t i = 0, slot = 0; i < run.count; i++) {
        struct block_row row = {.chunk = chunk};
        row.read.disk = unpack_u32(u);
        row.read.failed = unpack_u32(u) != 0;
        row.read.block = unpack_u64(u);
        row.read.hash = unpack_u64(u);
        if (row.read.disk >= DISKS)
            return malformed(err, "disk blocks");
        row.slot = row.read.failed ? 0 : slot++;
        *APPEND(x->block, x->blocks, x->block_capacity) = row;
    }
    return true;
}

static bool add_blob(struct recording_index *x, uint32_t chunk, struct unpack *u, struct error *err)
{
    uint32_t blob = unpack_u32(u), length;
    const uint8_t *name = unpack_sized(u, &length);
    uint64_t size = unpack_u64(u), offset = unpack_u64(u);
    if (u->failed || length > NAME_MOST || memchr(name, 0, length) || blob > x->names)
        return malformed(err, "images");
    if (blob == x->names)
        *APPEND(x->name, x->names, x->name_capacity) =
            (struct blob_name){strndup((const char *)name, length), size};
    if (strlen(x->name[blob].name) != length || memcmp(x->name[blob].name, name, length) != 0 ||
        x->name[blob].size != size || offset > size)
        return malformed(err, "images");
    *APPEND(x->blob, x->blobs, x->blob_capacity) = (struct blob_row){blob, chunk, offset};
    return true;
}

static char *unpack_text(struct unpack *u)
{
    uint32_t size;
    const uint8_t *text = unpack_sized(u, &size);
    return text && size && size <= TEXT_MOST ? strndup((const char *)text, size) : NULL;
}

static bool add_tip(struct recording_index *x, struct unpack *u, struct error *err)
{
    struct tip_row row;
    row.position = unpack_u64(u);
    row.vtime = unpack_u64(u);
    row.events = unpack_u64(u);
    row.marks = unpack_u64(u);
    row.reads = unpack_u64(u);
    row.parts = unpack_u64(u);
    row.books = unpack_u32(u);
    row.reason = unpack_text(u);
    row.verdict = unpack_text(u);
    if (u->failed || row.position > CLOCK_LAST || row.vtime > CLOCK_LAST ||
        row.position < x->origin.position || row.events < x->origin.first_event ||
        (x->has_tip && (row.position < x->tip.position || row.events < x->tip.events ||
                        row.vtime < x->tip.vtime))) {
        tip_fini(&row);
        return malformed(err, "ends");
    }
    tip_fini(&x->tip);
    x->tip = row;
    x->has_tip = true;
    return true;
}

bool recording_index_wants(uint32_t kind)
{
    switch (kind) {
    case CHUNK_CONF:
    case CHUNK_ORIG:
    case CHUNK_INTV:
    case CHUNK_LOGE:
    case CHUNK_MARK:
    case CHUNK_CONS:
    case CHUNK_DISK:
    case CHUNK_BLOB:
    case CHUNK_TIP:
        return true;
    default:
        return false;
    }
}

bool recording_index_add(struct recording_index *x, uint32_t kind, uint32_t chunk,
                         const uint8_t *bytes, size_t size, struct error *err)
{
    struct unpack u = {bytes, size, false};
    /* Nothing of the history can come before its beginning is known. */
    if (!x->has_origin && (kind == CHUNK_INTV || kind == CHUNK_LOGE || kind == CHUNK_TIP))
        return malformed(err, "first lines");
    switch (kind) {
    case CHUNK_CONF:
        if (x->conf != CHUNK_NONE)
            return malformed(err, "first lines");
        x->conf = chunk;
        return true;
    case CHUNK_ORIG:
        return add_origin(x, &u, err);
    case CHUNK_INTV:
        return add_interval(x, &u, err);
    case CHUNK_LOGE:
        return add_run(&x->events, x->origin.first_event, chunk, &u, "events", err);
    case CHUNK_MARK:
        return add_run(&x->marks, 0, chunk, &u, "digests", err);
    case CHUNK_CONS:
        return add_run(&x->parts, 0, chunk, &u, "printed lines", err);
    case CHUNK_DISK:
        return add_blocks(x, chunk, &u, err);
    case CHUNK_BLOB:
        return add_blob(x, chunk, &u, err);
    case CHUNK_TIP:
        return add_tip(x, &u, err);
    default:
        return true;
    }
}

/* ---- the table ---- */

void recording_table_add(struct buffer *table, uint32_t kind, uint32_t chunk, const void *head,
                         size_t size)
{
    pack_u32(table, kind);
    pack_u32(table, chunk);
    pack_bytes(table, head, (uint32_t)size);
}

bool recording_index_add_table(struct recording_index *x, const uint8_t *bytes, size_t size,
                               struct error *err)
{
    struct unpack u = {bytes, size, false};
    while (u.left) {
        uint32_t kind = unpack_u32(&u), chunk = unpack_u32(&u), length;
        const uint8_t *head = unpack_sized(&u, &length);
        if (u.failed)
            return malformed(err, "tables");
        if (!recording_index_add(x, kind, chunk, head, length, err))
            return false;
    }
    return true;
}
