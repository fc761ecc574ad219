/* Reads DWARF's encodings from bytes that may be damaged. Private to cfi*.c. */
#ifndef CLI_CFI_READER_H
#define CLI_CFI_READER_H

#include "base/endian.h"

#include <stdbool.h>
#include <stddef.h>

/* `bad` once something was read beyond `end`; all that is read from then on is 0. */
struct cfi_reader {
    const uint8_t *at, *end;
    bool bad;
};

static inline size_t cfi_left(const struct cfi_reader *r)
{
    return (size_t)(r->end - r->at);
}

/* `size` bytes, at most 8, as an unsigned number. */
static inline uint64_t cfi_read(struct cfi_reader *r, unsigned size)
{
    if (r->bad || cfi_left(r) < size) {
        r->bad = true;
        return 0;
    }
    uint64_t value = load_le(r->at, size);
    r->at += size;
    return value;
}

/* The next `size` bytes by themselves; empty and bad when there are fewer. */
static inline struct cfi_reader cfi_part(struct cfi_reader *r, uint64_t size)
{
    struct cfi_reader part = {r->at, r->at, r->bad};
    if (r->bad || cfi_left(r) < size) {
        r->bad = part.bad = true;
        return part;
    }
    r->at += size;
    part.end = r->at;
    return part;
}

static inline uint64_t cfi_uleb(struct cfi_reader *r)
{
    uint64_t value = 0, byte = 0x80;
    for (unsigned shift = 0; byte & 0x80; shift += 7) {
        byte = cfi_read(r, 1);
        if (shift < 64)
            value |= (byte & 0x7f) << shift;
    }
    return value;
}

static inline int64_t cfi_sleb(struct cfi_reader *r)
{
    uint64_t value = 0, byte = 0x80;
    unsigned shift = 0;
    for (; byte & 0x80; shift += 7) {
        byte = cfi_read(r, 1);
        if (shift < 64)
            value |= (byte & 0x7f) << shift;
    }
    if (shift < 64 && (byte & 0x40))
        value |= UINT64_MAX << shift;
    return (int64_t)value;
}

/* What DWARF expressions compute: `start` lies on the stack first. False: not one of ours. */
struct unwind_memory;
struct unwind_registers;
bool cfi_expression(struct cfi_reader code, const struct unwind_memory *memory,
                    const struct unwind_registers *regs, const uint64_t *start, uint64_t *result);

#endif
