/* QEMU's firmware configuration device over MMIO: numbered items of bytes that firmware and kernels
 * read, and a directory of those that have a name. QEMU, docs/specs/fw_cfg.rst. Nothing can be
 * written into an item.
 *
 * Items are read from the data register byte by byte, or by DMA. A transfer is done, whole, at an
 * absolute virtual deadline: FW_CFG_LATENCY_NS and the time its bytes take after the address was
 * written. Until then its control word in memory is as the driver left it; then it is 0, or has
 * FW_CFG_DMA_ERROR. One transfer at a time; an address written in between is ignored. */
#ifndef DEVICES_FW_CFG_H
#define DEVICES_FW_CFG_H

#include "machine/machine.h"

enum {
    FW_CFG_LATENCY_NS = 1000,
    FW_CFG_BYTES_PER_US = 1000,
    FW_CFG_FILES = 64,
    FW_CFG_NAME = 56 /* bytes in the directory, the NUL at the end included */
};

/* Bytes that one transfer may move: it is done within a step. */
#define FW_CFG_DMA_MOST (UINT32_C(256) << 20)

enum fw_cfg_key {
    FW_CFG_SIGNATURE = 0,
    FW_CFG_ID = 1,
    FW_CFG_NB_CPUS = 5,
    FW_CFG_KERNEL_SIZE = 0x08,
    FW_CFG_INITRD_SIZE = 0x0b,
    FW_CFG_KERNEL_DATA = 0x11,
    FW_CFG_INITRD_DATA = 0x12,
    FW_CFG_CMDLINE_SIZE = 0x14,
    FW_CFG_CMDLINE_DATA = 0x15,
    FW_CFG_FILE_DIR = 0x19,
    FW_CFG_FILE_FIRST = 0x20
};

/* Bits of a transfer's control word; with SELECT its upper half is a key. */
enum {
    FW_CFG_DMA_ERROR = 1,
    FW_CFG_DMA_READ = 2,
    FW_CFG_DMA_SKIP = 4,
    FW_CFG_DMA_SELECT = 8,
    FW_CFG_DMA_WRITE = 16
};

struct fw_cfg_state {
    uint64_t dma_address; /* of the transfer's description, as written up to now */
    uint64_t access;      /* the same, of the transfer under way */
    uint64_t target;      /* physical: where it goes */
    uint32_t length;      /* its bytes */
    uint32_t control;     /* its control word as the driver wrote it */
    uint32_t offset;      /* of the next byte of the selected item */
    uint16_t key;         /* selected */
    uint8_t pending;      /* a transfer is under way */
    uint8_t unused;
};

extern const struct fields fw_cfg_fields;

/* What is in the items is fixed once the machine runs: no state. */
struct fw_cfg {
    struct fw_cfg_state state;
    struct machine *machine;
    unsigned timer;
    struct fw_cfg_item {
        uint8_t *bytes; /* owned; NULL: no such item */
        uint32_t size;
    } item[FW_CFG_FILE_FIRST + FW_CFG_FILES];
    /* Of the files, sorted; entry i is the name of item FW_CFG_FILE_FIRST + i. */
    char name[FW_CFG_FILES][FW_CFG_NAME];
    unsigned files;
};

/* Wire it, with the items that every machine has. */
void fw_cfg_init(struct fw_cfg *f, struct machine *m, uint64_t base, uint64_t size);
/* After the machine's last use. One that is all zero is left alone. */
void fw_cfg_fini(struct fw_cfg *f);

/* Before the machine runs: an item below FW_CFG_FILE_DIR that is not there yet, of a copy of the
 * bytes. `name` for messages. Less than 4 GiB. */
bool fw_cfg_add(struct fw_cfg *f, enum fw_cfg_key key, const char *name, const void *bytes,
                size_t size, struct error *err);
/* A little-endian number of `size` bytes. */
void fw_cfg_add_number(struct fw_cfg *f, enum fw_cfg_key key, uint64_t value, unsigned size);
/* A file for the directory. Keys are given anew, in the order of names. */
bool fw_cfg_add_file(struct fw_cfg *f, const char *name, const void *bytes, size_t size,
                     struct error *err);

#endif
