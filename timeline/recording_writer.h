/* Writing one recording: follows the history of a timeline from a checkpoint on, a piece at a time.
 * Inside timeline/; recording.c decides what is written when. */
#ifndef TIMELINE_RECORDING_WRITER_H
#define TIMELINE_RECORDING_WRITER_H

#include "timeline/internal.h"

struct recording_writer;

struct recording_extent {
    struct entry begin; /* the first checkpoint: in memory, and stays there until it is written */
    uint64_t end;       /* position; POSITION_NONE: whatever comes */
    uint64_t end_event, end_vtime; /* with `end`: log index and time there */
};

/* `path`: how the file is called while it is written. */
struct recording_writer *recording_writer_new(struct timeline *tl, const char *path,
                                              const struct recording_options *options,
                                              const struct recording_extent *extent,
                                              struct error *err);
/* Ask that everything up to now gets into the file soon, with a TIP behind it. */
void recording_writer_flush(struct recording_writer *w, bool to_disk);
/* Queue the next piece, up to a few MiB. False: there is nothing to do now. */
bool recording_writer_advance(struct recording_writer *w);
/* The first checkpoint is in the file, and all others that are due. */
bool recording_writer_caught_up(const struct recording_writer *w);
struct chunk_writer *recording_writer_chunks(struct recording_writer *w);
/* Bytes in the file, and of contents that wait to get there. */
uint64_t recording_writer_bytes(const struct recording_writer *w);
/* Host ns of the last flush. */
uint64_t recording_writer_flushed(const struct recording_writer *w);
/* The same of the last one that went to the disk. */
uint64_t recording_writer_synced(const struct recording_writer *w);
/* Has anything happened since? */
bool recording_writer_has_news(const struct recording_writer *w);
/* Where the file begins and is called. */
uint64_t recording_writer_begin(const struct recording_writer *w);
const char *recording_writer_path(const struct recording_writer *w);
/* Begin a flush to the disk, and end it. */
void recording_writer_flush_now(struct recording_writer *w);
/* The file has another name now. */
void recording_writer_renamed(struct recording_writer *w, const char *path);
/* Write the rest: checkpoints near the end as close as memory has them, `last` (NULL: the newest
 * entry is the end), the table. Waits for the disk. Frees the writer. */
bool recording_writer_close(struct recording_writer *w, const struct entry *last,
                            struct error *err);
/* The file goes. */
void recording_writer_abandon(struct recording_writer *w);

#endif
