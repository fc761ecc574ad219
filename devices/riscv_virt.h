/* The `virt`-compatible RISC-V board: the memory map of DESIGN.md section 4, the same one that
 * QEMU's `virt` machine has, so that the same firmware and kernels run on both. */
#ifndef DEVICES_RISCV_VIRT_H
#define DEVICES_RISCV_VIRT_H

#include "devices/board_files.h"
#include "machine/machine.h"

struct disk;
struct riscv_virt;

enum { RISCV_VIRT_SLOTS = 8, RISCV_VIRT_FLASHES = 2 };

/* What is in a virtio slot. */
struct riscv_virt_slot {
    unsigned id;         /* enum virtio_id, 0: empty */
    uint64_t disk_bytes; /* block: the image's size, a multiple of 512 */
    bool read_only;      /* block */
    const char *serial;  /* block: at most 20 bytes, or NULL */
    uint8_t mac[6];      /* net */
    unsigned ports;      /* console: 1 or 2, on CHANNEL_CONSOLE0 onwards; one such device at most */
};

struct riscv_virt_flash {
    /* Its first contents, at most 32 MiB, zeroes behind them; NULL: all zeroes. A file in the first
     * flash is what the machine boots: see boot_images.h. */
    const char *file;
    bool read_only;
};

struct riscv_virt_fw_cfg {
    const char *name; /* as the guest finds it, 1 to 55 bytes; none twice */
    const uint8_t *bytes;
    size_t size;
};

struct riscv_virt_options {
    uint64_t ram_size; /* bytes: a multiple of 1 MiB, 1 MiB to 8 GiB */
    unsigned harts;    /* 1 to MACHINE_CPUS */
    unsigned shift;    /* clock shift, 0 to 10 */
    bool no_reboot;
    bool semihosting;
    const char *bios;   /* "default", "none" or a file; NULL: default */
    const char *kernel; /* file or NULL */
    const char *initrd; /* file or NULL */
    const char *append; /* kernel command line or NULL */
    const char *dtb;    /* file instead of the generated tree, or NULL */
    bool rtc_fixed;     /* the clock starts at rtc_base and goes by virtual time alone */
    uint64_t rtc_base;  /* ns since 1970 */
    /* The disk in the first block slot is disk 0, the network in the first net slot has
     * CHANNEL_NET0, and so on. */
    struct riscv_virt_slot slot[RISCV_VIRT_SLOTS];
    struct riscv_virt_flash flash[RISCV_VIRT_FLASHES];
    const struct riscv_virt_fw_cfg *fw_cfg; /* fw_cfgs of them, at most 64; copied */
    unsigned fw_cfgs;
    /* Where the contents of bios, kernel, initrd, dtb and flashes come from; NULL: these files. */
    const struct board_files *files;
    /* The tree that the guest gets, as it is (riscv_virt_tree of such a board); NULL: the one that
     * the options make. */
    const uint8_t *tree;
    size_t tree_size;
};

/* Are the numbers possible? riscv_virt_new asks, too, and looks at the files as well. */
bool riscv_virt_options_valid(const struct riscv_virt_options *options, struct error *err);

/* Build the machine, load the images, reset: at position 0, ready to run. NULL on error: nothing is
 * left half-made. Free with riscv_virt_free. */
struct riscv_virt *riscv_virt_new(const struct riscv_virt_options *options, struct error *err);
void riscv_virt_free(struct riscv_virt *board);

/* The machine, owned by the board. */
struct machine *riscv_virt_machine(struct riscv_virt *board);

/* A disk by number (see `slot` above), owned by the board; NULL: there is none. */
struct disk *riscv_virt_disk(struct riscv_virt *board, unsigned number);

/* The device tree as it was loaded; stays the board's. */
const uint8_t *riscv_virt_tree(const struct riscv_virt *board, size_t *size);

/* The state tables of all components a board can have: a component's section in saved state has the
 * name of its table, and its instance is its place among those of its kind. */
struct riscv_virt_table {
    const struct fields *fields;
    unsigned instances; /* at most */
};
const struct riscv_virt_table *riscv_virt_tables(size_t *count);

/* From memory instead of files, for tests and embedded guests: an ELF without firmware. */
struct riscv_virt *riscv_virt_new_elf(const struct riscv_virt_options *options, const char *name,
                                      const uint8_t *elf, size_t size, struct error *err);

#endif
