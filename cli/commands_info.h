/* The commands that show where the machine stands and what it is made of. They move nothing;
 * `export` and `disk` write files. */
#ifndef CLI_COMMANDS_INFO_H
#define CLI_COMMANDS_INFO_H

#include "cli/commands.h"

/* A row's function: append lines of text to `out`. */
typedef void command_fn(struct command_context *c, const char *argument, struct buffer *out);

command_fn commands_export;
command_fn commands_disk, commands_info_disks, commands_info_networks;
command_fn commands_when, commands_info_checkpoints, commands_info_machine, commands_info_harts,
    commands_info_devices, commands_info_device, commands_info_events, commands_disassemble;
command_fn commands_branch, commands_branches, commands_switch;
command_fn commands_translate;
command_fn commands_save, commands_bookmark, commands_bookmarks, commands_info_recording;
/* Questions about history: they move, and stand again where they began. */
command_fn commands_last_write, commands_last_read, commands_writes, commands_calls, commands_traps,
    commands_diff, commands_timeline;
command_fn commands_break, commands_watch, commands_delete, commands_info_points;
command_fn commands_reverse_line, commands_step_over_interrupts;
command_fn commands_console_at, commands_json;

/* The line of `when` that names a bookmark here and the recording's file, if there are any. */
void commands_append_recorded(struct command_context *c, struct buffer *out);

/* The line of `when` that names the branch; none on main. */
void commands_append_branch(struct command_context *c, struct buffer *out);

#endif
