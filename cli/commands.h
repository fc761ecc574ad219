/* Commands that people type: gdb's `monitor`, later a prompt and scripts. One table: name, shortest
 * spelling, argument, help, function. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include "base/buffer.h"
#include "server/disk_images.h"
#include "server/network.h"
#include "timeline/recording.h"

struct recorded_run;

/* What commands work on. */
struct command_context {
    struct timeline *timeline;
    const struct disk_images *disks; /* NULL: none */
    const bool *disk_read_only;      /* of each of them; NULL: as the machine says */
    /* Counters of network `index`; false: there are not so many. NULL: there are none. */
    bool (*network)(void *ctx, unsigned index, struct network_counters *counters);
    void *network_ctx;
    /* What a recording of this machine says beside its history; false: *err says why there is none.
     * NULL: there is none. */
    bool (*content)(void *ctx, const struct recording_content **content, struct error *err);
    void *content_ctx;
    struct recording *opened; /* the one that the timeline was opened from; NULL: none */
    const char *opened_path;
    struct recorded_run *recorded; /* the same as a run, which knows of disks; NULL: none */
};

/* Run one line, ctx being a struct command_context; output and errors are appended to `out` as
 * lines of text. `goto` begins a movement of the timeline (timeline_moving), which is the caller's
 * to finish. Nothing moves when it is called. */
void commands_run(void *ctx, const char *line, struct buffer *out);
/* Is this line a command that may move the timeline? For server/interpreter.h. */
bool commands_move(void *ctx, const char *line);

#endif
