/* A 32 MiB NOR flash: two 16-bit chips side by side on a 32-bit bus, with the Intel/Sharp command
 * set (CFI 01). JEDEC JEP137 and JESD68, Intel's StrataFlash P30 datasheet; geometry and ids are
 * those of QEMU's `virt`.
 *
 * Both chips get the same commands: the lowest byte of what is written counts. Loads give the
 * contents, or in other modes the status, ids or CFI table; instruction fetches and a debugger's
 * look always find the contents. Programming clears bits and never sets one, erasing a block sets
 * all of them. Either is done, whole, at an absolute virtual deadline; until then the flash is busy
 * and takes no other command than "read status". Blocks are never locked: commands to lock and
 * unlock are accepted. All of a read-only flash is locked for good.
 *
 * The contents are a background, fixed, and over it an overlay of what has been programmed and
 * erased, which is machine state. A reset of the machine does not change them. */
#ifndef DEVICES_CFI_FLASH_H
#define DEVICES_CFI_FLASH_H

#include "machine/machine.h"

enum {
    CFI_FLASH_SIZE = 32 << 20,
    CFI_FLASH_BLOCK = 256 << 10, /* erased at once */
    CFI_FLASH_BLOCKS = CFI_FLASH_SIZE / CFI_FLASH_BLOCK,
    CFI_FLASH_BUFFER = 128, /* programmed at once at most, from a multiple of it */
    CFI_FLASH_PROGRAM_NS = 5000,
    CFI_FLASH_ERASE_NS = 1000000
};

/* Status register, of each chip. */
enum {
    CFI_FLASH_LOCKED = 0x02, /* the operation met a locked block */
    CFI_FLASH_PROGRAM_ERROR = 0x10,
    CFI_FLASH_ERASE_ERROR = 0x20, /* both: a wrong sequence of commands */
    CFI_FLASH_READY = 0x80
};

struct cfi_flash_state {
    uint64_t changed[2];  /* a bit for each block that the overlay has a page of */
    uint64_t buffered[2]; /* a bit for each byte of `buffer` that is to be programmed */
    uint32_t address;     /* of the buffer, or of the block being erased */
    uint32_t words;       /* still to come into the buffer */
    uint8_t buffer[CFI_FLASH_BUFFER];
    uint8_t mode;      /* what loads give: the command that asked for it */
    uint8_t expecting; /* the command under way wants more: enum expecting */
    uint8_t operation; /* busy with it: the command, 0: ready */
    uint8_t errors;    /* the status register's error bits, kept until they are cleared */
    uint8_t unused[4];
};

extern const struct fields cfi_flash_fields;

struct cfi_flash_config {
    const char *name; /* of device and overlay; outlives the flash */
    uint64_t base;
    const uint8_t *bytes; /* the first contents; zeroes behind them */
    size_t size;          /* at most CFI_FLASH_SIZE */
    bool read_only;
};

struct cfi_flash {
    struct cfi_flash_state state;
    struct machine *machine;
    const char *name;
    bool read_only;
    unsigned timer;
    struct overlay overlay;
    uint8_t *memory;     /* the contents as they are: the background with the overlay over it */
    uint8_t **original;  /* the background's page where `memory` may have another; else NULL */
    uint64_t patched[2]; /* a bit for each block with such a page */
};

/* Wire it; registers the overlay with the machine. `config` and the bytes may go afterwards. */
void cfi_flash_init(struct cfi_flash *f, struct machine *m, const struct cfi_flash_config *config);
/* After the machine's last use. One that is all zero is left alone. */
void cfi_flash_fini(struct cfi_flash *f);

#endif
