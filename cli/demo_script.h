/* What gdb does in the demo, and what we say to it. */
#ifndef CLI_DEMO_SCRIPT_H
#define CLI_DEMO_SCRIPT_H

#include "base/buffer.h"
#include "cli/demo_files.h"

/* Append a script for gdb that leaves the place it found in the folder's file `found`. Interactive:
 * it waits for Enter between the steps (the file `pause` is the shell script for that) and ends
 * with suggestions what to do next. */
void demo_script(const struct demo_files *files, bool interactive, struct buffer *out);

/* Does gdb's description of a frame name the line of the embedded sources that has the bug? */
bool demo_script_found(const char *frame);
/* That line's number in guests/demo/ring.c. */
unsigned demo_script_line(void);

#endif
