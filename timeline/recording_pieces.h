/* What a recording's writer puts into its file beside checkpoints. Inside timeline/. */
#ifndef TIMELINE_RECORDING_PIECES_H
#define TIMELINE_RECORDING_PIECES_H

#include "timeline/recording_writer.h"

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
    uint64_t book_changes, branch_changes;
    uint32_t books;
    uint64_t looked;         /* marks there were when a checkpoint was last looked for */
    struct interval_row row; /* of the checkpoint written last, or being written */
    bool begun;              /* there is one */
    bool first_done;         /* the one that the file begins with is in it */
    bool closing;            /* a flight recorder's file is not to become larger than it may be */
    uint64_t size, largest;  /* of the checkpoint being written, of all but the first: at most */
    bool lost;               /* an event cannot be had: what follows could not be replayed */
    bool flushing, to_disk;
    uint64_t flushed, synced; /* host ns */
    uint64_t told;            /* position of the last TIP */
    uint64_t vtime;           /* of the last TIP */
};

/* Queue a chunk whose first `head` bytes the table repeats; returns its number. */
uint32_t pieces_add(struct recording_writer *w, uint32_t kind, struct buffer *contents,
                    size_t head);
/* Configuration, origin, images. */
void pieces_add_content(struct recording_writer *w, const struct recording_content *content);
/* A piece of events, digests, blocks or transcript, if there is enough for one, or anything while
 * the writer is flushing. False: nothing. */
bool pieces_add_pending(struct recording_writer *w);
/* What was added is complete up to here; bookmarks and branches, if they have changed, go with it.
 * Ends the flush. */
void pieces_end_flush(struct recording_writer *w);
/* Heads of all chunks, at the end. */
void pieces_add_table(struct recording_writer *w);

#endif
