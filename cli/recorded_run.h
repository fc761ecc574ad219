/* A recording opened as a run: machine, timeline, and the names it had, without any back end. What
 * replay, verify, trim, export and report begin with. */
#ifndef CLI_RECORDED_RUN_H
#define CLI_RECORDED_RUN_H

#include "cli/recording_config.h"
#include "devices/disk.h"
#include "timeline/recording.h"

#include <limits.h>

struct recorded_run;

enum { RECORDED_RUN_PATH = PATH_MAX + 16 };

/* The file that recorded_run_open(path) opens. False: `path` can be none. */
bool recorded_run_find(const char *path, char found[RECORDED_RUN_PATH], struct error *err);

struct recorded_run_options {
    size_t budget;       /* memory for checkpoints and log; 0: as recorded */
    struct host host;    /* what stands behind the machine when it runs on; a clock is set when
                          * there is none */
    bool without_images; /* do not look for disk images where they were */
    bool quiet;          /* say nothing on stderr: somebody has said it */
    bool at_begin;       /* stand at the beginning, not at the tip */
};

/* `path`, or PATH.incomplete when there is only that. Says on stderr, in a line each, what is
 * missing of a damaged file, and that another version made it. NULL on error. `options` may be
 * NULL. */
struct recorded_run *recorded_run_open(const char *path, const struct recorded_run_options *options,
                                       struct error *err);
void recorded_run_free(struct recorded_run *r);

/* At the tip or beginning, see timeline_open. */
struct timeline *recorded_run_timeline(struct recorded_run *r);
struct recording *recorded_run_recording(struct recorded_run *r);
/* As they were given for the recorded run. */
const struct run_options *recorded_run_options(const struct recorded_run *r);
struct recorded_origin recorded_run_origin(const struct recorded_run *r);

/* The file that was opened. */
const char *recorded_run_path(const struct recorded_run *r);
const struct recording_config *recorded_run_config(const struct recorded_run *r);
/* Images of the disks; NULL: there are none, or not all of them are where they were, unchanged. */
const struct disk_images *recorded_run_disks(const struct recorded_run *r);
/* For writing recordings of this timeline; lives as long as the run. NULL: a part of it is damaged.
 * Cost: reading all images, the first time. */
const struct recording_content *recorded_run_content(struct recorded_run *r, struct error *err);

/* ELF files with symbols that the recording has (kernel, firmware, --symbols), in memory that lives
 * as long as the run. False behind the last. */
bool recorded_run_elf(struct recorded_run *r, size_t index, const char **name,
                      const uint8_t **bytes, size_t *size);

/* The recording's own name of that file, as `export --image` takes it; NULL behind the last. */
const char *recorded_run_elf_image(struct recorded_run *r, size_t index);
/* Write a file that the machine was made from, by the recording's name of it. */
bool recorded_run_export_image(struct recorded_run *r, const char *name, const char *path,
                               uint64_t *written, struct error *err);

/* May a file be written there? Not over the recording, nor over the image of one of its disks. */
bool recorded_run_spares(const struct recorded_run *r, const char *path, struct error *err);

/* Is a recording to be written at `path` none that would meet `opened`, the one that was opened, or
 * use its name while it is written? */
bool recorded_run_is_not(const char *opened, const char *path, struct error *err);

/* Disk `disk` of the machine as it is now, as a raw image: the images are looked for where they
 * were, each by itself; blocks that nobody has are zeroes, and *missing is how many. Never onto
 * what recorded_run_spares spares. */
bool recorded_run_export_disk(struct recorded_run *r, unsigned disk, const char *path,
                              uint64_t *missing, struct error *err);
/* What it did, in lines. */
void recorded_run_say_disk(const struct disk *disk, uint64_t position, uint64_t missing,
                           const char *path, struct buffer *out);

/* A position as people write it: N, 1.5e6, start, end, N%, a bookmark's name. */
bool recorded_run_position(struct recorded_run *r, const char *text, uint64_t *position,
                           struct error *err);

#endif
