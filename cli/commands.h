/* Commands that people type: gdb's `monitor`, later a prompt and scripts. One table: name, shortest
 * spelling, argument, help, function. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include "base/buffer.h"
#include "server/disk_images.h"
#include "server/interpreter.h"
#include "server/network.h"
#include "timeline/points.h"
#include "timeline/recording.h"

struct kept_files;
struct recorded_run;
struct symbols;

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
    const struct kept_files *kept; /* what a live machine was made from, for symbols; NULL: none */
    struct symbols *symbols;       /* read by cli/commands_symbols.h when it is needed */
    /* What to do when the movement that a command has begun is over; see interpreter.finish. The
     * command sets it; NULL: where it stopped is said. */
    bool (*finish)(struct command_context *c, const struct stop *stop, struct buffer *out);
    /* The same of a row that answers in JSON, see cli/commands_json.h. */
    struct json_t *(*json_finish)(struct command_context *c, const struct stop *stop,
                                  struct error *err);
    void *pending; /* that command's own until it is over, or another begins */
    void (*pending_free)(void *pending); /* NULL: there is nothing to free */
    enum point_owner owner;              /* of the points that commands set: OWNER_COMMANDS */
};

/* The table for the server's clients; the context outlives it. */
struct interpreter commands_interpreter(struct command_context *c);

/* Forget what a command has left to do, because it is over or will never be. */
void commands_forget(struct command_context *c);
/* Free what commands have left in the context, which may be used again. */
void commands_close(struct command_context *c);

/* Run one line, ctx being a struct command_context; output and errors are appended to `out` as
 * lines of text. `goto` begins a movement of the timeline (timeline_moving), which is the caller's
 * to finish. Nothing moves when it is called. */
void commands_run(void *ctx, const char *line, struct buffer *out);
/* Is this line a command that may move the timeline? For server/interpreter.h. */
bool commands_move(void *ctx, const char *line);

#endif
