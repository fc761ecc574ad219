/* The `virt`-compatible RISC-V board: the memory map of DESIGN.md section 4, the same one that
 * QEMU's `virt` machine has, so that the same firmware and kernels run on both. */
#ifndef DEVICES_RISCV_VIRT_H
#define DEVICES_RISCV_VIRT_H

#include "machine/machine.h"

struct riscv_virt;

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
};

/* Build the machine, load the images, reset: at position 0, ready to run. NULL on error: nothing is
 * left half-made. Free with riscv_virt_free. */
struct riscv_virt *riscv_virt_new(const struct riscv_virt_options *options, struct error *err);
void riscv_virt_free(struct riscv_virt *board);

/* The machine, owned by the board. */
struct machine *riscv_virt_machine(struct riscv_virt *board);

/* From memory instead of files, for tests and embedded guests: an ELF without firmware. */
struct riscv_virt *riscv_virt_new_elf(const struct riscv_virt_options *options, const char *name,
                                      const uint8_t *elf, size_t size, struct error *err);

#endif
