/* The commands that show where the machine stands and what it is made of. They move nothing;
 * `export` and `disk` write files. */
#ifndef CLI_COMMANDS_INFO_H
#define CLI_COMMANDS_INFO_H

#include "cli/commands.h"

/* A row's function: append lines of text to `out`. */
typedef void command_fn(const struct command_context *c, const char *argument, struct buffer *out);

command_fn commands_export;
command_fn commands_disk, commands_info_disks, commands_info_networks;
command_fn commands_when, commands_info_checkpoints, commands_info_machine, commands_info_harts,
    commands_info_devices, commands_info_device, commands_info_events, commands_disassemble;
command_fn commands_save, commands_bookmark, commands_bookmarks, commands_info_recording;

/* The line of `when` that names a bookmark here and the recording's file, if there are any. */
void commands_append_recorded(const struct command_context *c, struct buffer *out);

#endif
