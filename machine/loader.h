/* Images: firmware, kernels, bare-metal programs, blobs. */
#ifndef MACHINE_LOADER_H
#define MACHINE_LOADER_H

#include "machine/ram.h"

/* Segments of all images of a machine together. */
enum { IMAGE_SEGMENTS = 64 };

/* Larger files are not images of anything this machine can hold, debug information included. */
#define IMAGE_FILE_MOST (UINT64_C(2) << 30)

/* Bytes to write at a physical address at each reset. */
struct image_segment {
    uint64_t pa;
    uint8_t *bytes;    /* owned, a spill_area; NULL when there are none */
    uint64_t size;     /* of bytes */
    uint64_t mem_size; /* at least size; the rest is zeroed */
};

/* All zero is an empty list. */
struct images {
    struct image_segment *segment; /* owned */
    size_t count;
    uint64_t tohost; /* physical address, 0: none */
};

enum image_kind { IMAGE_ELF, IMAGE_RISCV, IMAGE_RAW };

struct image_info {
    enum image_kind kind;
    uint64_t entry;     /* physical */
    uint64_t low, high; /* physical range covered, [low, high) */
};

void images_init(struct images *images);
void images_fini(struct images *images);

/* Load a file's bytes: an ELF (ELF64, RISC-V, little-endian; its segments go to their physical
 * addresses), a RISC-V Image (header magic "RSC\x05"; goes to raw_pa, and the memory its header
 * asks for behind its bytes is zeroed), or raw bytes (go to raw_pa). Every segment must lie inside
 * `ram`, those of one ELF must not overlap; other images are not looked at. The ELF symbol `tohost`
 * is noted. On error `images` is unchanged, and *err names the file and the reason. This is what is
 * fuzzed. */
bool images_load_bytes(struct images *images, const char *name, const uint8_t *bytes, size_t size,
                       uint64_t raw_pa, const struct ram *ram, struct image_info *info,
                       struct error *err);
/* Add bytes as they are (device tree, initrd); copied. */
bool images_add(struct images *images, const char *name, uint64_t pa, const void *bytes,
                size_t size, const struct ram *ram, struct error *err);
/* Write every segment, in the order of loading. Pages that would stay the same by being zeroed are
 * not marked as written. */
void images_write(const struct images *images, struct ram *ram);
/* Read a whole regular file into memory (*bytes is the caller's to free). At most `limit` bytes. */
bool file_read(const char *path, uint64_t limit, uint8_t **bytes, size_t *size, struct error *err);

#endif
