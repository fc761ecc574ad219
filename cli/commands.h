/* Commands that people type: gdb's `monitor`, later a prompt and scripts. One table: name, shortest
 * spelling, argument, help, function. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include "base/buffer.h"
#include "timeline/timeline.h"

/* Run one line, ctx being a struct timeline; output and errors are appended to `out` as lines of
 * text. `goto` begins a movement of the timeline (timeline_moving), which is the caller's to
 * finish. Nothing moves when it is called. */
void commands_run(void *ctx, const char *line, struct buffer *out);

#endif
