#include "devices/virtio_blk.h"

#include "base/endian.h"
#include "base/log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define F_SEG_MAX (UINT64_C(1) << 2)
#define F_RO (UINT64_C(1) << 5)
#define F_BLK_SIZE (UINT64_C(1) << 6)
#define F_FLUSH (UINT64_C(1) << 9)
#define F_DISCARD (UINT64_C(1) << 13)
#define F_WRITE_ZEROES (UINT64_C(1) << 14)

#define FEATURES (F_SEG_MAX | F_BLK_SIZE | F_FLUSH)
#define FEATURES_WRITABLE (FEATURES | F_DISCARD | F_WRITE_ZEROES)
#define FEATURES_READ_ONLY (FEATURES | F_RO)

enum request_type {
    T_IN = 0,
    T_OUT = 1,
    T_FLUSH = 4,
    T_GET_ID = 8,
    T_DISCARD = 11,
    T_WRITE_ZEROES = 13
};

enum status { S_OK = 0, S_IOERR = 1, S_UNSUPP = 2 };

enum { HEADER_SIZE = 16, STATUS_SIZE = 1, ZERO_SEGMENT_SIZE = 16, FLAG_UNMAP = 1 };

/* Places in the configuration space. */
enum {
    CONFIG_CAPACITY = 0,
    CONFIG_SEG_MAX = 12,
    CONFIG_BLK_SIZE = 20,
    CONFIG_MAX_DISCARD_SECTORS = 36,
    CONFIG_MAX_DISCARD_SEG = 40,
    CONFIG_DISCARD_SECTOR_ALIGNMENT = 44,
    CONFIG_MAX_WRITE_ZEROES_SECTORS = 48,
    CONFIG_MAX_WRITE_ZEROES_SEG = 52,
    CONFIG_WRITE_ZEROES_MAY_UNMAP = 56,
    CONFIG_SIZE = 60
};

static const struct field virtio_blk_field[] = {
    FIELD_STRUCT(struct virtio_blk_state, virtio, virtio_fields),
};
const struct fields virtio_blk_fields =
    FIELDS("virtio_blk", struct virtio_blk_state, 1, 1, virtio_blk_field);

struct request {
    const struct virtio_chain *chain;
    uint32_t type;
    uint64_t sector;
    uint64_t out_bytes, in_bytes; /* data from the driver and for it, without header and status */
    uint64_t filled;              /* of in_bytes, from the first on */
};

__attribute__((format(printf, 2, 3))) static enum status refuse(const struct virtio_blk *b,
                                                                const char *format, ...)
{
    char what[120];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    log_line(LOG_GUEST, "%s: %s", b->virtio.name, what);
    return S_IOERR;
}

/* Is [sector, sector + bytes) on the disk? `bytes` is a multiple of the sector's. */
static bool on_disk(const struct virtio_blk *b, uint64_t sector, uint64_t bytes)
{
    return sector <= b->disk->bytes / DISK_SECTOR &&
           disk_contains(b->disk, sector * DISK_SECTOR, bytes);
}

/* The data of reads and writes. */
static bool range_valid(const struct virtio_blk *b, const struct request *r, uint64_t bytes)
{
    if (bytes % DISK_SECTOR)
        refuse(b, "a request for %" PRIu64 " bytes, no multiple of %u", bytes, DISK_SECTOR);
    else if (bytes > VIRTIO_BLK_DATA_MOST)
        refuse(b, "a request for %" PRIu64 " bytes, at most %u", bytes, VIRTIO_BLK_DATA_MOST);
    else if (!on_disk(b, r->sector, bytes))
        refuse(b, "a request for %" PRIu64 " bytes at sector %" PRIu64 ": the disk has %" PRIu64,
               bytes, r->sector, b->disk->bytes / DISK_SECTOR);
    else
        return true;
    return false;
}

/* From `offset` to the end of its block, or to the end. */
static size_t piece_size(uint64_t offset, uint64_t end)
{
    uint64_t size = DISK_BLOCK - offset % DISK_BLOCK;
    return size < end - offset ? size : end - offset;
}

static enum status serve_in(struct virtio_blk *b, struct request *r)
{
    if (r->out_bytes)
        return refuse(b, "a read with data to write");
    if (!range_valid(b, r, r->in_bytes))
        return S_IOERR;
    uint8_t block[DISK_BLOCK];
    uint64_t start = r->sector * DISK_SECTOR, end = start + r->in_bytes;
    for (uint64_t at = start; at < end;) {
        size_t size = piece_size(at, end);
        if (!disk_read(b->disk, at, block, size))
            return S_IOERR;
        virtio_chain_write(&b->virtio, r->chain, at - start, block, size);
        at += size;
        r->filled = at - start;
    }
    return S_OK;
}

static enum status serve_out(struct virtio_blk *b, const struct request *r)
{
    if (r->in_bytes)
        return refuse(b, "a write with room for data");
    if (b->disk->read_only)
        return refuse(b, "a write to a read-only disk");
    if (!range_valid(b, r, r->out_bytes))
        return S_IOERR;
    uint8_t block[DISK_BLOCK];
    uint64_t start = r->sector * DISK_SECTOR, end = start + r->out_bytes;
    for (uint64_t at = start; at < end;) {
        size_t size = piece_size(at, end);
        virtio_chain_read(&b->virtio, r->chain, HEADER_SIZE + at - start, block, size);
        if (!disk_write(b->disk, at, block, size))
            return S_IOERR;
        at += size;
    }
    return S_OK;
}

static enum status serve_flush(struct virtio_blk *b, const struct request *r)
{
    return r->out_bytes || r->in_bytes ? refuse(b, "a flush with data") : S_OK;
}

static enum status serve_get_id(struct virtio_blk *b, struct request *r)
{
    if (r->out_bytes || r->in_bytes != VIRTIO_BLK_SERIAL)
        return refuse(b, "a request for the serial number with other room than %u bytes",
                      VIRTIO_BLK_SERIAL);
    r->filled = virtio_chain_write(&b->virtio, r->chain, 0, b->serial, VIRTIO_BLK_SERIAL);
    return S_OK;
}

struct zero_segment {
    uint64_t sector;
    uint32_t sectors, flags;
};

static struct zero_segment zero_segment(const struct virtio_blk *b, const struct request *r,
                                        uint64_t i)
{
    uint8_t bytes[ZERO_SEGMENT_SIZE];
    virtio_chain_read(&b->virtio, r->chain, HEADER_SIZE + i * sizeof bytes, bytes, sizeof bytes);
    return (struct zero_segment){load_le64(bytes), load_le32(bytes + 8), load_le32(bytes + 12)};
}

static enum status zero_segment_status(const struct virtio_blk *b, const struct request *r,
                                       const struct zero_segment *s)
{
    /* A discard is an unmap by itself. */
    if (s->flags & ~(r->type == T_WRITE_ZEROES ? FLAG_UNMAP : 0u)) {
        refuse(b, "a discard or zeroes with the flags %#" PRIx32, s->flags);
        return S_UNSUPP;
    }
    if (s->sectors > VIRTIO_BLK_ZERO_SECTORS ||
        !on_disk(b, s->sector, (uint64_t)s->sectors * DISK_SECTOR))
        return refuse(b, "a discard or zeroes of %" PRIu32 " sectors at %" PRIu64, s->sectors,
                      s->sector);
    return S_OK;
}

/* DISCARD and WRITE_ZEROES. All segments are looked at before the first is done. */
static enum status serve_zero(struct virtio_blk *b, const struct request *r)
{
    uint64_t segments = r->out_bytes / ZERO_SEGMENT_SIZE;
    if (b->disk->read_only)
        return refuse(b, "a discard or zeroes on a read-only disk");
    if (r->in_bytes || r->out_bytes % ZERO_SEGMENT_SIZE || !segments ||
        segments > VIRTIO_BLK_ZERO_SEGMENTS)
        return refuse(b, "a discard or zeroes with %" PRIu64 " bytes of segments", r->out_bytes);
    for (uint64_t i = 0; i < segments; i++) {
        struct zero_segment s = zero_segment(b, r, i);
        enum status status = zero_segment_status(b, r, &s);
        if (status != S_OK)
            return status;
    }
    for (uint64_t i = 0; i < segments; i++) {
        struct zero_segment s = zero_segment(b, r, i);
        if (!disk_zero(b->disk, s.sector * DISK_SECTOR, (uint64_t)s.sectors * DISK_SECTOR))
            return S_IOERR;
    }
    return S_OK;
}

static enum status dispatch(struct virtio_blk *b, struct request *r)
{
    switch (r->type) {
    case T_IN:
        return serve_in(b, r);
    case T_OUT:
        return serve_out(b, r);
    case T_FLUSH:
        return serve_flush(b, r);
    case T_GET_ID:
        return serve_get_id(b, r);
    case T_DISCARD:
    case T_WRITE_ZEROES:
        return serve_zero(b, r);
    default:
        refuse(b, "a request of unknown type %" PRIu32, r->type);
        return S_UNSUPP;
    }
}

static enum status serve_chain(struct virtio_blk *b, struct request *r)
{
    uint8_t header[HEADER_SIZE];
    if (virtio_chain_read(&b->virtio, r->chain, 0, header, sizeof header) < sizeof header)
        return refuse(b, "a request with a header of %" PRIu64 " bytes", r->chain->readable_bytes);
    r->type = load_le32(header);
    r->sector = load_le64(header + 8);
    r->out_bytes = r->chain->readable_bytes - HEADER_SIZE;
    return dispatch(b, r);
}

/* The status is the last byte that the device may write, wherever the data end. What is said to be
 * written are the bytes before the first that is not. */
static uint32_t serve(void *ctx, unsigned queue, const struct virtio_chain *chain)
{
    (void)queue;
    struct virtio_blk *b = ctx;
    if (chain->writable_bytes < STATUS_SIZE) {
        virtio_break(&b->virtio, "a request without room for its status");
        return 0;
    }
    struct request r = {.chain = chain, .in_bytes = chain->writable_bytes - STATUS_SIZE};
    uint8_t status = (uint8_t)serve_chain(b, &r);
    virtio_chain_write(&b->virtio, chain, r.in_bytes, &status, sizeof status);
    return (uint32_t)(r.filled == r.in_bytes ? r.filled + STATUS_SIZE : r.filled);
}

static void config_read(const void *ctx, uint8_t *bytes)
{
    const struct virtio_blk *b = ctx;
    memset(bytes, 0, CONFIG_SIZE);
    store_le64(bytes + CONFIG_CAPACITY, b->disk->bytes / DISK_SECTOR);
    store_le32(bytes + CONFIG_SEG_MAX, VIRTIO_BLK_SEGMENTS);
    store_le32(bytes + CONFIG_BLK_SIZE, DISK_SECTOR);
    if (b->disk->read_only)
        return;
    store_le32(bytes + CONFIG_MAX_DISCARD_SECTORS, VIRTIO_BLK_ZERO_SECTORS);
    store_le32(bytes + CONFIG_MAX_DISCARD_SEG, VIRTIO_BLK_ZERO_SEGMENTS);
    store_le32(bytes + CONFIG_DISCARD_SECTOR_ALIGNMENT, DISK_BLOCK / DISK_SECTOR);
    store_le32(bytes + CONFIG_MAX_WRITE_ZEROES_SECTORS, VIRTIO_BLK_ZERO_SECTORS);
    store_le32(bytes + CONFIG_MAX_WRITE_ZEROES_SEG, VIRTIO_BLK_ZERO_SEGMENTS);
    bytes[CONFIG_WRITE_ZEROES_MAY_UNMAP] = 1;
}

static const struct virtio_queue_ops queue_ops = {
    .serve = serve, .latency_ns = VIRTIO_BLK_LATENCY_NS, .bytes_per_us = VIRTIO_BLK_BYTES_PER_US};

#define OPS(its_features)                                                                          \
    {                                                                                              \
        .id = VIRTIO_ID_BLOCK, .features = (its_features), .queues = 1, .queue = &queue_ops,       \
        .config_size = CONFIG_SIZE, .config_read = config_read                                     \
    }
static const struct virtio_ops ops_writable = OPS(FEATURES_WRITABLE);
static const struct virtio_ops ops_read_only = OPS(FEATURES_READ_ONLY);

/* By the disk's index. */
static const char *const name[] = {"virtio-blk0", "virtio-blk1", "virtio-blk2", "virtio-blk3",
                                   "virtio-blk4", "virtio-blk5", "virtio-blk6", "virtio-blk7"};

void virtio_blk_init(struct virtio_blk *b, struct machine *m,
                     const struct virtio_blk_config *config)
{
    *b = (struct virtio_blk){.disk = config->disk};
    if (config->serial)
        memcpy(b->serial, config->serial, strnlen(config->serial, sizeof b->serial));
    b->virtio = (struct virtio){.state = &b->state.virtio,
                                .machine = m,
                                .ops = config->disk->read_only ? &ops_read_only : &ops_writable,
                                .ctx = b,
                                .name = name[config->disk->index],
                                .irq = config->irq};
    virtio_mmio_init(&b->virtio, config->base, config->size, &virtio_blk_fields, &b->state);
}
