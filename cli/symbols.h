/* Names and source lines of addresses, from the ELF files of a guest: symbol tables by libelf,
 * DWARF by libdw. The files may be anybody's: what is damaged is passed over. Addresses are taken
 * as the files have them, which is virtual. One thread. */
#ifndef CLI_SYMBOLS_H
#define CLI_SYMBOLS_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

struct symbols;

struct symbols *symbols_new(void);
/* NULL is fine. */
void symbols_free(struct symbols *s);
/* Add a RISC-V ELF file; `name` (copied) is for messages. The bytes stay the caller's, unchanged,
 * until symbols_free. False: they are no such file, nothing is added. A file may be without symbols
 * (see symbols_count) or without DWARF. */
bool symbols_add(struct symbols *s, const char *name, const uint8_t *bytes, size_t size,
                 struct error *err);
size_t symbols_count(const struct symbols *s);

struct symbol {
    const char *name; /* owned by the symbols, as the file has it: any bytes */
    uint64_t address;
    uint64_t size; /* 0: not said */
    bool function;
};

/* The symbol that `address` lies in: the innermost sized one around it, else the nearest label
 * before it in the same section. Cost: logarithmic. */
bool symbols_lookup(struct symbols *s, uint64_t address, struct symbol *found);
/* Global symbols and functions are preferred among those of one name. */
bool symbols_find(struct symbols *s, const char *name, uint64_t *address);

/* The name that `name` is most likely a misspelling of; NULL. Cost: all names. */
const char *symbols_nearest(const struct symbols *s, const char *name);

/* A line of source that an address comes from. */
struct source_frame {
    const char *function; /* NULL: no name is known */
    const char *file;     /* NULL: no line is known */
    unsigned line;
    bool inlined; /* into the function of the next frame */
};

enum { SOURCE_FRAMES = 16 };

/* The functions that the instruction at `address` belongs to, innermost first, at most `limit`; at
 * least one, whose members may be NULL. Strings are owned by the symbols. */
size_t symbols_source(struct symbols *s, uint64_t address, struct source_frame *out, size_t limit);

/* Call frame information for cli/cfi.h: section `index` of all files. False behind the last. */
struct frame_section {
    const uint8_t *bytes;
    size_t size;
    uint64_t address; /* of the section when loaded, for .eh_frame */
    bool eh;          /* .eh_frame, not .debug_frame */
};
bool symbols_frame_section(const struct symbols *s, size_t index, struct frame_section *section);

/* Append "NAME+0xOFF" (without an offset of 0); false and nothing when there is no name. */
struct buffer;
bool symbols_append(struct symbols *s, uint64_t address, struct buffer *out);

#endif
