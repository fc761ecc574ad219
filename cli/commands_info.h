/* The commands that show where the machine stands and what it is made of. They move nothing. */
#ifndef CLI_COMMANDS_INFO_H
#define CLI_COMMANDS_INFO_H

#include "cli/commands.h"

/* A row's function: append lines of text to `out`. */
typedef void command_fn(const struct command_context *c, const char *argument, struct buffer *out);

command_fn commands_disk, commands_info_disks, commands_info_networks;
command_fn commands_when, commands_info_checkpoints, commands_info_machine, commands_info_harts,
    commands_info_devices, commands_info_device, commands_info_events, commands_disassemble;

#endif
