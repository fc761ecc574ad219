/* Addresses as people write and read them in commands, with the symbols of the guest's files. */
#ifndef CLI_COMMANDS_SYMBOLS_H
#define CLI_COMMANDS_SYMBOLS_H

#include "cli/commands.h"
#include "cli/symbols.h"

/* Of the ELF files that the machine or the recording was made from; read when it is first asked
 * for. NULL: there are none. */
struct symbols *commands_symbols(struct command_context *c);
/* A number, $REGISTER of the hart whose turn it is, or NAME or NAME+N of a symbol. */
bool commands_address(struct command_context *c, const char *text, uint64_t *address,
                      struct error *err);
/* Append "0x80001234", and " <NAME+0xOFF>" if there is one. */
void commands_append_address(struct command_context *c, uint64_t address, struct buffer *out);

#endif
