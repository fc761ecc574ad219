/* Parts of registers: what the devices with 32-bit and 64-bit registers share. */
#ifndef DEVICES_WORDS_H
#define DEVICES_WORDS_H

#include <stdint.h>

/* Bytes offset % 8 and following of a doubleword, as an access of `size` at `offset` reads them. */
static inline uint64_t word_part(uint64_t word, uint64_t offset, unsigned size)
{
    uint64_t value = word >> 8 * (offset & 7);
    return size == 8 ? value : value & ((UINT64_C(1) << 8 * size) - 1);
}

/* The doubleword after an access of `size` at `offset` has written `value` into it. */
static inline uint64_t word_with(uint64_t word, uint64_t offset, unsigned size, uint64_t value)
{
    uint64_t mask = size == 8 ? UINT64_MAX : (UINT64_C(1) << 8 * size) - 1;
    unsigned shift = 8 * (offset & 7);
    return (word & ~(mask << shift)) | (value & mask) << shift;
}

#endif
