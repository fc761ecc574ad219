/* Checkpoints in a chunk file.
 *
 * All of them are told as differences from an *origin*: the state in which the machine was made,
 * which whoever opens the file makes again from its images. A checkpoint in the file says which
 * pages differ from the one written before it, and where their contents are; now and then one lists
 * all pages that differ from the origin, and contents that few pages still need are then written
 * once more, so that reading one costs in proportion to the state, whatever came before. The chunks
 * "PAGE" (contents of pages), "PMAP" (where they are) and "CKPT" (a checkpoint) are described in
 * docs/recording-format.md. */
#ifndef CHECKPOINTS_CHECKPOINT_FILE_H
#define CHECKPOINTS_CHECKPOINT_FILE_H

#include "base/chunkfile.h"
#include "checkpoints/checkpoint.h"

#define CHUNK_PAGE CHUNK_KIND('P', 'A', 'G', 'E')
#define CHUNK_PMAP CHUNK_KIND('P', 'M', 'A', 'P')
#define CHUNK_CKPT CHUNK_KIND('C', 'K', 'P', 'T')

/* ---- writing ---- */

struct checkpoint_writer;

/* `origin`, `s` and `out` outlive it. */
struct checkpoint_writer *checkpoint_writer_new(struct snapshots *s,
                                                const struct checkpoint *origin,
                                                struct chunk_writer *out);
/* Also with one under way, which is then not in the file. */
void checkpoint_writer_free(struct checkpoint_writer *w);
/* Begin to write one; it may be freed at once (trees are referenced, the state is copied).
 * Positions never go down from one to the next. Not while another is under way. */
void checkpoint_writer_begin(struct checkpoint_writer *w, const struct checkpoint *c);
/* Queue about a MiB more of it. True: it is done, and *number is its chunk. */
bool checkpoint_writer_advance(struct checkpoint_writer *w, uint32_t *number);
bool checkpoint_writer_busy(const struct checkpoint_writer *w);
/* Host memory, in bytes, without the frames of the last checkpoint written, which it keeps. */
size_t checkpoint_writer_bytes(const struct checkpoint_writer *w);

/* ---- reading ---- */

struct checkpoint_source;

/* `origin`, `s` and `in` outlive it. */
struct checkpoint_source *checkpoint_source_new(struct snapshots *s,
                                                const struct checkpoint *origin,
                                                struct chunk_reader *in);
void checkpoint_source_free(struct checkpoint_source *src);
/* Host memory, in bytes, without the frames of the last checkpoint loaded, which it keeps. */
size_t checkpoint_source_bytes(const struct checkpoint_source *src);
/* What the CKPT chunk says of itself, for checkpoint_new_stored. Cost: reading that chunk. */
bool checkpoint_source_look(struct checkpoint_source *src, uint32_t number, uint64_t *position,
                            struct digest *digest, struct error *err);
/* Read a checkpoint that is not loaded from the chunk. Frames that it shares with the last one
 * loaded are shared in memory too. False: the file is damaged there, or does not fit the machine;
 * `c` is unchanged. The trees' digests have been compared with what was written, c's position and
 * digest too; whether the state suits the machine is for snapshots_restore to say. Cost: the map of
 * the checkpoint, and the pages that differ from the one loaded last. */
bool checkpoint_load(struct checkpoint_source *src, struct checkpoint *c, uint32_t number,
                     struct error *err);

#endif
