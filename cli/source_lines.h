/* Source lines and inlined functions of one ELF file's DWARF. cli/symbols.h is the door. */
#ifndef CLI_SOURCE_LINES_H
#define CLI_SOURCE_LINES_H

#include "cli/symbols.h"

#include <libelf.h>

struct source_lines;

/* NULL: the file has none. The Elf stays the caller's and outlives it. */
struct source_lines *source_lines_new(Elf *elf);
void source_lines_free(struct source_lines *lines);

/* As symbols_source; 0 when no unit of the file holds the address. */
size_t source_lines_find(struct source_lines *lines, uint64_t address, struct source_frame *out,
                         size_t limit);

#endif
