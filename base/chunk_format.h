/* The bytes of a chunk file, for its writer and its reader; docs/recording-format.md describes
 * them.
 *
 * Header of the file, header of a chunk and trailer are blocks of the same size, and end in the
 * CRC-32 of what is before, followed by the block's offset in the file: a chunk file inside a chunk
 * is never taken for a part of the one around it. */
#ifndef BASE_CHUNK_FORMAT_H
#define BASE_CHUNK_FORMAT_H

#include "base/chunkfile.h"
#include "base/endian.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <zlib.h>

enum {
    CHUNK_FILE_VERSION = 1,
    CHUNK_BLOCK = 32,          /* bytes of a block */
    CHUNK_BLOCK_CRC = 28,      /* offset of its CRC */
    CHUNK_INDEX_ROW = 12,      /* kind, stored size, size */
    CHUNKS_MOST = 1 << 24,     /* in a file, the index not counted */
    CHUNK_INDEXES_MOST = 32,   /* further chunks that hold the index of so many */
    CHUNK_MAGIC_FIRST = 0x89,  /* the byte that all blocks start with */
    CHUNK_FILE_MAGIC_SIZE = 8, /* of the file's header and of the trailer */
    CHUNK_MAGIC_SIZE = 4       /* of a chunk's header */
};

#define CHUNK_FILE_MAGIC "\211BSR\r\n\032\n"
#define CHUNK_TRAILER_MAGIC "\211BSREND\n"
#define CHUNK_MAGIC "\211CHK"
#define CHUNK_KIND_INDEX CHUNK_KIND('I', 'N', 'D', 'X')

enum chunk_codec { CHUNK_CODEC_NONE, CHUNK_CODEC_ZLIB };

struct chunk_header {
    uint32_t kind, number, stored, size, crc;
    uint8_t codec;
};

struct chunk_trailer {
    uint64_t index; /* offset of the first chunk of the index */
    uint32_t chunks;
};

/* zlib's takes an unsigned int of bytes, as all sizes here are. */
static inline uint32_t chunk_crc(const void *bytes, size_t size)
{
    return (uint32_t)crc32(crc32(0, NULL, 0), bytes, (unsigned)size);
}

static inline uint32_t chunk_block_crc(const uint8_t *block, uint64_t offset)
{
    uint8_t covered[CHUNK_BLOCK_CRC + 8];
    memcpy(covered, block, CHUNK_BLOCK_CRC);
    store_le64(covered + CHUNK_BLOCK_CRC, offset);
    return chunk_crc(covered, sizeof covered);
}

static inline void chunk_block_seal(uint8_t *block, uint64_t offset)
{
    store_le32(block + CHUNK_BLOCK_CRC, chunk_block_crc(block, offset));
}

static inline bool chunk_block_sealed(const uint8_t *block, uint64_t offset)
{
    return load_le32(block + CHUNK_BLOCK_CRC) == chunk_block_crc(block, offset);
}

static inline void chunk_file_header_put(uint8_t *block)
{
    memset(block, 0, CHUNK_BLOCK);
    memcpy(block, CHUNK_FILE_MAGIC, CHUNK_FILE_MAGIC_SIZE);
    store_le32(block + 8, CHUNK_FILE_VERSION);
    chunk_block_seal(block, 0);
}

static inline void chunk_header_put(uint8_t *block, const struct chunk_header *h, uint64_t offset)
{
    memset(block, 0, CHUNK_BLOCK);
    memcpy(block, CHUNK_MAGIC, CHUNK_MAGIC_SIZE);
    store_le32(block + 4, h->kind);
    store_le32(block + 8, h->number);
    block[12] = h->codec;
    store_le32(block + 16, h->stored);
    store_le32(block + 20, h->size);
    store_le32(block + 24, h->crc);
    chunk_block_seal(block, offset);
}

/* False: there is no chunk's header, or one that makes no sense. Sizes are within CHUNK_MOST; what
 * the file has room for is the caller's to check. */
static inline bool chunk_header_get(struct chunk_header *h, const uint8_t *block, uint64_t offset)
{
    if (memcmp(block, CHUNK_MAGIC, CHUNK_MAGIC_SIZE) != 0 || !chunk_block_sealed(block, offset))
        return false;
    h->kind = load_le32(block + 4);
    h->number = load_le32(block + 8);
    h->codec = block[12];
    h->stored = load_le32(block + 16);
    h->size = load_le32(block + 20);
    h->crc = load_le32(block + 24);
    bool reserved = block[13] || block[14] || block[15];
    bool sizes = h->codec == CHUNK_CODEC_NONE   ? h->stored == h->size
                 : h->codec == CHUNK_CODEC_ZLIB ? h->stored < h->size
                                                : false;
    return !reserved && sizes && h->size <= CHUNK_MOST;
}

static inline void chunk_trailer_put(uint8_t *block, const struct chunk_trailer *t, uint64_t offset)
{
    memset(block, 0, CHUNK_BLOCK);
    memcpy(block, CHUNK_TRAILER_MAGIC, CHUNK_FILE_MAGIC_SIZE);
    store_le64(block + 8, t->index);
    store_le32(block + 16, t->chunks);
    chunk_block_seal(block, offset);
}

static inline bool chunk_trailer_get(struct chunk_trailer *t, const uint8_t *block, uint64_t offset)
{
    if (memcmp(block, CHUNK_TRAILER_MAGIC, CHUNK_FILE_MAGIC_SIZE) != 0 ||
        !chunk_block_sealed(block, offset))
        return false;
    t->index = load_le64(block + 8);
    t->chunks = load_le32(block + 16);
    return true;
}

#endif
