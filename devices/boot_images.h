/* What is in memory when a board starts: firmware, kernel, initrd, device tree, and where. */
#ifndef DEVICES_BOOT_IMAGES_H
#define DEVICES_BOOT_IMAGES_H

#include "devices/boot_rom.h"
#include "devices/fw_cfg.h"
#include "devices/riscv_virt.h"

/* Load everything the options name into m->images and say where harts start. Images go where QEMU
 * puts them:
 *   firmware  at the start of RAM; the default one is left out when an ELF kernel lies there
 *   kernel    an ELF where its headers say, others 2 MiB into RAM, or at its start without firmware
 *   initrd    at half of RAM, at most 128 MiB into it, behind the kernel
 *   tree      as high as there is room in the first GiB of RAM, 2 MiB aligned if possible
 * Two images that overlap are an error. `elf`, if not NULL, is the kernel, and there is no
 * firmware.
 * Where the first flash has a file, the next thing to run is what lies at its start: the firmware
 * (bios default or a file) goes on there in supervisor mode, and finds kernel, initrd and command
 * line in `fw_cfg` instead of in memory; with bios none harts start there in machine mode. */
struct boot_elf {
    const char *name;
    const uint8_t *bytes;
    size_t size;
};
bool boot_images_load(struct machine *m, const struct riscv_virt_options *options,
                      const struct boot_elf *elf, struct fw_cfg *fw_cfg,
                      struct boot_rom_target *target, struct error *err);

#endif
