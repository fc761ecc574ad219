/* What is in a recording, and in which of its chunks. Every chunk but those of pages and
 * checkpoints begins with a *head* that says all there is to know without its contents; heads of
 * all chunks together are the table at the end of a closed file. Without a table it is made from
 * the chunks. docs/recording-format.md describes all of these. */
#ifndef TIMELINE_RECORDING_INDEX_H
#define TIMELINE_RECORDING_INDEX_H

#include "base/chunkfile.h"
#include "base/pack.h"
#include "checkpoints/checkpoint.h"
#include "replay/disk_reads.h"

#define CHUNK_CONF CHUNK_KIND('C', 'O', 'N', 'F') /* the machine, as the caller describes it */
#define CHUNK_BLOB CHUNK_KIND('B', 'L', 'O', 'B') /* a piece of an image */
#define CHUNK_ORIG CHUNK_KIND('O', 'R', 'I', 'G') /* where everything begins */
#define CHUNK_INTV CHUNK_KIND('I', 'N', 'T', 'V') /* a checkpoint's place in the history */
#define CHUNK_SUMM CHUNK_KIND('S', 'U', 'M', 'M') /* pages used up to such a checkpoint */
#define CHUNK_LOGE CHUNK_KIND('L', 'O', 'G', 'E') /* events */
#define CHUNK_MARK CHUNK_KIND('M', 'A', 'R', 'K') /* digests */
#define CHUNK_DISK CHUNK_KIND('D', 'I', 'S', 'K') /* blocks of disk images */
#define CHUNK_CONS CHUNK_KIND('C', 'O', 'N', 'S') /* what the guest printed */
#define CHUNK_BOOK CHUNK_KIND('B', 'O', 'O', 'K') /* bookmarks, all there are */
#define CHUNK_BRCH                                                                                 \
    CHUNK_KIND('B', 'R', 'C', 'H')                /* a branch: the last set that is whole counts   \
                                                   */
#define CHUNK_TIP CHUNK_KIND('T', 'I', 'P', ' ')  /* what came before is complete up to here */
#define CHUNK_TABL CHUNK_KIND('T', 'A', 'B', 'L') /* heads of chunks */

/* No chunk. */
#define CHUNK_NONE UINT32_MAX

/* ORIG: the machine in its first state, and with what the file begins. */
struct origin_row {
    struct digest digest;
    uint64_t first_event; /* log index */
    uint64_t position;    /* of the first checkpoint */
};

/* INTV. Ascending by position and log index. */
struct interval_row {
    uint64_t position, log_index, vtime;
    uint64_t cost_ns; /* to replay from the row before to here */
    struct digest digest;
    uint32_t checkpoint; /* its CKPT chunk */
    uint32_t summary;    /* SUMM chunk of the stretch from the row before; CHUNK_NONE: not known */
    uint32_t before;     /* that row's CKPT chunk; CHUNK_NONE: this is the first */
};

/* LOGE, MARK, CONS: things that are counted from 0 on (events: by log index). */
struct run_row {
    uint64_t first, count;
    uint64_t low, high; /* positions of the first and the last */
    uint32_t chunk;
};

/* DISK: keys follow the run's head, contents the keys. */
struct block_row {
    struct disk_first_read read;
    uint32_t chunk, slot; /* where its bytes are; a failed read has none */
};

/* BLOB. */
struct blob_row {
    uint32_t blob; /* index of its name */
    uint32_t chunk;
    uint64_t offset;
};

struct blob_name {
    char *name;
    uint64_t size;
};

/* TIP: the newest one counts. */
struct tip_row {
    uint64_t position, vtime;
    uint64_t events, marks, reads, parts; /* how many, from the first numbers on, belong to it */
    uint32_t books;                       /* BOOK chunk; CHUNK_NONE: none */
    char *reason, *verdict;               /* NULL: none */
};

struct run_list {
    struct run_row *row;
    size_t count, capacity;
};

struct recording_index {
    uint32_t conf; /* CHUNK_NONE: none yet */
    bool has_origin, has_tip;
    struct origin_row origin;
    struct interval_row *interval;
    size_t intervals, interval_capacity;
    struct run_list events, marks, parts;
    struct block_row *block;
    size_t blocks, block_capacity;
    struct blob_name *name;
    size_t names, name_capacity;
    struct blob_row *blob;
    size_t blobs, blob_capacity;
    struct tip_row tip;
};

void recording_index_init(struct recording_index *x);
void recording_index_fini(struct recording_index *x);

/* Heads, appended. */
void recording_pack_origin(const struct origin_row *row, struct buffer *out);
void recording_pack_interval(const struct interval_row *row, struct buffer *out);
void recording_pack_run(const struct run_row *row, struct buffer *out);
void recording_pack_block(const struct disk_first_read *read, struct buffer *out);
void recording_pack_blob(uint32_t blob, const char *name, uint64_t size, uint64_t offset,
                         struct buffer *out);
void recording_pack_tip(const struct tip_row *row, struct buffer *out);
void recording_pack_digest(const struct digest *digest, struct buffer *out);
struct digest recording_unpack_digest(struct unpack *u);
enum { RECORDING_RUN_HEAD = 32, RECORDING_BLOCK_HEAD = 24 };

/* Does recording_index_add look at such chunks? */
bool recording_index_wants(uint32_t kind);
/* Note what a chunk's head says; `bytes` may go on behind it. False: it does not follow the format,
 * or what came before it. */
bool recording_index_add(struct recording_index *x, uint32_t kind, uint32_t chunk,
                         const uint8_t *bytes, size_t size, struct error *err);

/* A chunk's head as a row of the table. */
void recording_table_add(struct buffer *table, uint32_t kind, uint32_t chunk, const void *head,
                         size_t size);
/* Note all rows of a table. */
bool recording_index_add_table(struct recording_index *x, const uint8_t *bytes, size_t size,
                               struct error *err);

#endif
