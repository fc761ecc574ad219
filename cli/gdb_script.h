/* share/gdb/backstep.py: gdb's commands for going through time. It is a file beside the program,
 * installed with it or in its build folder, and a text inside the program, for where it stands
 * alone. */
#ifndef CLI_GDB_SCRIPT_H
#define CLI_GDB_SCRIPT_H

#include "base/buffer.h"
#include "base/error.h"

#include <stdbool.h>

/* Append the path of the file that belongs to this program, without a zero byte. False: there is
 * none; nothing is appended. */
bool gdb_script_find(struct buffer *path);

/* What to type in gdb to have the script's commands, one line, for whoever is told where gdb can
 * connect. */
void gdb_script_offer(struct buffer *line);

/* `backstep gdb-script [--text]`: prints the path, or the script; returns the exit status. */
int gdb_script_main(int argc, char **argv);

#endif
