/* Chunk files: a header, then chunks that each carry length, kind, codec and checksum, at last an
 * index. What was written whole can be read whatever happened to the rest.
 *
 * The layout is described in docs/recording-format.md. Chunks have numbers, from 0 on in the order
 * of writing; what is in them is not looked at here. */
#ifndef BASE_CHUNKFILE_H
#define BASE_CHUNKFILE_H

#include "base/buffer.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The contents of a chunk, at most, in bytes; whoever has more cuts it. */
enum { CHUNK_MOST = 8 << 20 };

/* Four letters. */
#define CHUNK_KIND(a, b, c, d)                                                                     \
    ((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16 | (uint32_t)(d) << 24)

/* ---- writing: compression and writing are done by a thread of the writer's own ---- */

struct chunk_writer;

/* Make the file (there must be none of that name: ERROR_BUSY) and write its header. `behind`: bytes
 * of contents (and 32 for each chunk) that may wait for the thread, from which on chunk_writer_room
 * says no; a chunk that waits alone may be larger. Signals do not reach the thread. */
struct chunk_writer *chunk_writer_new(const char *path, size_t behind, struct error *err);
/* Queue a chunk of any kind but INDX; takes the contents of `contents`, which is empty afterwards.
 * Returns its number. Never waits: who respects chunk_writer_room keeps the queue short. */
uint32_t chunk_writer_add(struct chunk_writer *w, uint32_t kind, struct buffer *contents);
/* The same, with `size` bytes behind `contents` that stay the caller's, unchanged until the writer
 * has gone. */
uint32_t chunk_writer_add_borrowed(struct chunk_writer *w, uint32_t kind, struct buffer *contents,
                                   const void *bytes, size_t size);
bool chunk_writer_room(struct chunk_writer *w);
/* Wait until there is room, or for so many ns. Returns whether there is. */
bool chunk_writer_wait(struct chunk_writer *w, uint64_t ns);
/* Have all that was queued so far brought to the disk (fdatasync), in the background. */
void chunk_writer_flush(struct chunk_writer *w);
/* Bytes of contents that wait; 0: everything queued so far is in the file. */
size_t chunk_writer_waiting(struct chunk_writer *w);
/* Bytes in the file so far: its header and whole chunks. */
uint64_t chunk_writer_bytes(struct chunk_writer *w);
/* Why nothing is written any more, a line with the file's name (no space, no such folder); NULL:
 * all is well. What is in the file stays good. */
const char *chunk_writer_failure(struct chunk_writer *w);
/* Write what is queued and the index, sync, close, free; false when a part of it failed, now or
 * before. The file keeps its name; syncing its folder is the caller's. */
bool chunk_writer_close(struct chunk_writer *w, struct error *err);
/* Give up: the file is closed, free of what is queued, and removed. */
void chunk_writer_abandon(struct chunk_writer *w);

/* ---- reading: one thread a reader ---- */

struct chunk_reader;

struct chunk {
    uint32_t kind;
    uint32_t number;
    uint32_t size;   /* of its contents */
    uint32_t stored; /* of them in the file */
    uint64_t offset; /* in the file, where its header is */
};

/* False only when it is no chunk file or cannot be read at all. A file without its index is scanned
 * (cost: its size); with it, opening costs the index. */
struct chunk_reader *chunk_reader_open(const char *path, struct error *err);
void chunk_reader_free(struct chunk_reader *r);
/* Chunks in order of their numbers; some may be missing between them where the file is damaged. */
size_t chunk_reader_count(const struct chunk_reader *r);
const struct chunk *chunk_reader_chunk(const struct chunk_reader *r, size_t index);
/* By number; NULL: the file does not have it. Cost: logarithmic. */
const struct chunk *chunk_reader_find(const struct chunk_reader *r, uint32_t number);
/* Append its contents. False: it is damaged; the message names kind, offset and file. */
bool chunk_reader_load(struct chunk_reader *r, const struct chunk *chunk, struct buffer *out,
                       struct error *err);
/* Was it closed as it should be? Chunks may be damaged all the same. */
bool chunk_reader_complete(const struct chunk_reader *r);
/* What is missing or damaged, as far as opening has seen: one line; NULL: nothing. */
const char *chunk_reader_damage(const struct chunk_reader *r);
uint64_t chunk_reader_bytes(const struct chunk_reader *r); /* the file's size */
const char *chunk_reader_path(const struct chunk_reader *r);

#endif
