/* A recording: a timeline in a file, by itself: machine, images, log, checkpoints, digests,
 * bookmarks. It is written while the machine runs, or afterwards from memory, and opened as a
 * timeline again. docs/recording-format.md describes the file.
 *
 * While it is written the file is called PATH.incomplete; closing it gives it its name. What of it
 * has reached the disk can be opened at any moment. */
#ifndef TIMELINE_RECORDING_H
#define TIMELINE_RECORDING_H

#include "timeline/timeline.h"

/* ---- what a timeline does not know itself ---- */

/* A file the machine was made from. Names are the caller's; none twice. */
struct recording_blob {
    const char *name; /* at most 255 bytes */
    const uint8_t *bytes;
    size_t size;
};

/* Stays the caller's and unchanged as long as something is written. */
struct recording_content {
    const uint8_t *config; /* whatever the caller needs to make the machine again */
    size_t config_size;
    const struct recording_blob *blob;
    size_t blobs;
};

/* ---- writing ---- */

struct recording_options {
    const char *path;
    const struct recording_content *content;
    /* A flight recorder: the file has at most so many bytes (0: no limit); memory holds no more
     * history than the file. timeline_options.keep_ns bounds both by the guest's time. */
    uint64_t keep_bytes;
    size_t behind;       /* bytes that may wait to be compressed; 0: RECORDING_BEHIND */
    uint64_t spacing_ns; /* replay cost between two checkpoints in the file; 0: 500 ms */
};

enum { RECORDING_BEHIND = 64 << 20 };

/* Record from here on, beginning with all history there is; ERROR_BUSY while one is written. The
 * machine then runs no faster than the file can be written. When writing fails (a full disk) a line
 * says so once, the file stays as it is, and the machine runs on. */
bool timeline_record(struct timeline *tl, const struct recording_options *options,
                     struct error *err);
/* Why the run is over at the present tip, for info and report: a trigger's name, a line. Copied; it
 * is in what is written as long as that ends here. */
void timeline_set_verdict(struct timeline *tl, const char *reason, const char *text);
/* Finish the file and give it its name. Waits for the disk. False: it failed, now or before. Only
 * while nothing moves. No-op when there is none. */
bool timeline_record_close(struct timeline *tl, struct error *err);
/* NULL: none. */
const char *timeline_record_path(const struct timeline *tl);
uint64_t timeline_record_bytes(const struct timeline *tl);

/* Write all history from position `from` to `to` (clamped to what there is) to a new file, from
 * memory and by replaying what is needed: begins exactly at `from` and ends at `to`. Waits. Only
 * while nothing moves; the timeline is afterwards where it was. */
bool timeline_save(struct timeline *tl, const char *path, const struct recording_content *content,
                   uint64_t from, uint64_t to, struct error *err);

/* Forget history before the newest checkpoint at or before `position`. The tip is never forgotten.
 */
void timeline_forget(struct timeline *tl, uint64_t position);

/* ---- opening ---- */

struct recording;

struct recording_info {
    uint64_t begin, tip;       /* positions */
    uint64_t begin_ns, tip_ns; /* the guest's time there */
    uint64_t events, marks, checkpoints, disk_blocks;
    uint64_t bytes;               /* of the file */
    uint32_t format;              /* version */
    bool complete;                /* it was closed */
    const char *damage;           /* what is missing, a line; NULL: nothing */
    const char *reason, *verdict; /* timeline_set_verdict's; NULL: none */
};

/* Read what is needed to know what there is. NULL: no recording, or nothing of it is left that
 * could be opened. One thread. */
struct recording *recording_open(const char *path, struct error *err);
/* After its timeline. */
void recording_free(struct recording *r);
void recording_info(const struct recording *r, struct recording_info *info);
const uint8_t *recording_config(const struct recording *r, size_t *size);
/* Names of the blobs, in the order of writing; NULL behind the last. */
const char *recording_blob_name(const struct recording *r, size_t index);
/* Its bytes, the caller's to free; false: there is none of that name, or it is damaged. */
bool recording_blob(struct recording *r, const char *name, uint8_t **bytes, size_t *size,
                    struct error *err);
/* A host whose disks are what the recording has read of them; where it has not read a block,
 * `images` is asked, if it is not NULL (it is copied): else the guest gets an I/O error and a line
 * is logged. */
struct disk_host recording_disks(struct recording *r, const struct disk_host *images);

/* The timeline as it was recorded, at its tip (or see timeline_options), where it may run on. `m`
 * was made as the recorded machine was and is at position 0. `recording` outlives it. NULL: machine
 * and recording do not fit, or the file is too damaged. Cost: reading one checkpoint, and replaying
 * from it when the file was not closed. */
struct timeline *timeline_open(struct machine *m, const struct timeline_options *options,
                               struct recording *recording, struct error *err);

/* Positions of the stored checkpoints, ascending, up to `limit` from index `first`: the ends of the
 * intervals that can be verified independently. */
size_t recording_checkpoints(const struct recording *r, size_t first, uint64_t *position,
                             size_t limit);

#endif
