/* Little-endian numbers one after the other: appended to a buffer, and taken from bytes that may be
 * anybody's. */
#ifndef BASE_PACK_H
#define BASE_PACK_H

#include "base/buffer.h"
#include "base/endian.h"

#include <stdbool.h>
#include <stddef.h>

static inline void pack_u32(struct buffer *b, uint32_t value)
{
    store_le32(buffer_extend(b, 4), value);
}

static inline void pack_u64(struct buffer *b, uint64_t value)
{
    store_le64(buffer_extend(b, 8), value);
}

/* Seven bits a byte, the lowest first; the last has its highest bit clear. */
static inline void pack_varint(struct buffer *b, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        buffer_append_byte(b, (uint8_t)(value | 0x80));
    buffer_append_byte(b, (uint8_t)value);
}

/* A size as u32, then the bytes. */
static inline void pack_bytes(struct buffer *b, const void *bytes, uint32_t size)
{
    pack_u32(b, size);
    buffer_append(b, bytes, size);
}

/* What is left to take. Once anything was not there, `failed`, and all that follows is zero. */
struct unpack {
    const uint8_t *at;
    size_t left;
    bool failed;
};

/* `size` bytes, NULL: so many are not there. */
static inline const uint8_t *unpack_bytes(struct unpack *u, size_t size)
{
    if (u->failed || u->left < size) {
        u->failed = true;
        return NULL;
    }
    const uint8_t *bytes = u->at;
    u->at += size;
    u->left -= size;
    return bytes;
}

static inline uint8_t unpack_u8(struct unpack *u)
{
    const uint8_t *p = unpack_bytes(u, 1);
    return p ? *p : 0;
}

static inline uint32_t unpack_u32(struct unpack *u)
{
    const uint8_t *p = unpack_bytes(u, 4);
    return p ? load_le32(p) : 0;
}

static inline uint64_t unpack_u64(struct unpack *u)
{
    const uint8_t *p = unpack_bytes(u, 8);
    return p ? load_le64(p) : 0;
}

static inline uint64_t unpack_varint(struct unpack *u)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = unpack_u8(u);
        if (shift == 63 && byte > 1)
            break;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return value;
    }
    u->failed = true;
    return 0;
}

/* What pack_bytes wrote; NULL: not there. */
static inline const uint8_t *unpack_sized(struct unpack *u, uint32_t *size)
{
    *size = unpack_u32(u);
    const uint8_t *bytes = unpack_bytes(u, *size);
    if (!bytes)
        *size = 0;
    return bytes;
}

#endif
