/* The ROM in which harts start: a few instructions that pass on what firmware expects. */
#ifndef DEVICES_BOOT_ROM_H
#define DEVICES_BOOT_ROM_H

#include "devices/riscv_virt_map.h"
#include "machine/machine.h"

/* Fixed once the machine runs: no state. */
struct boot_rom {
    _Alignas(8) uint8_t bytes[MAP_BOOT_ROM_SIZE];
};

/* What the code hands over: a0 = hart id, a1 = the device tree, a2 = OpenSBI's `struct
 * fw_dynamic_info`, which says that supervisor-mode code waits at `next` (0: none). */
struct boot_rom_target {
    uint64_t start; /* harts jump here, in machine mode */
    uint64_t tree;
    uint64_t next;
};

void boot_rom_init(struct boot_rom *rom, struct machine *m, uint64_t base);
/* Write the code. May be called again before the machine runs. */
void boot_rom_set(struct boot_rom *rom, const struct boot_rom_target *target);

#endif
