/* Where things are on the board: addresses, sizes, interrupt numbers, all as on QEMU's `virt`, so
 * that guests built for one run on the other. */
#ifndef DEVICES_RISCV_VIRT_MAP_H
#define DEVICES_RISCV_VIRT_MAP_H

enum {
    MAP_BOOT_ROM = 0x1000,
    MAP_BOOT_ROM_SIZE = 0xf000,
    MAP_SYSCON = 0x100000,
    MAP_SYSCON_SIZE = 0x1000,
    MAP_RTC = 0x101000,
    MAP_RTC_SIZE = 0x1000,
    MAP_ACLINT = 0x2000000,
    MAP_ACLINT_SIZE = 0x10000,
    MAP_PLIC = 0xc000000,
    MAP_PLIC_SIZE = 0x600000,
    MAP_UART = 0x10000000,
    MAP_UART_SIZE = 0x100,
    MAP_VIRTIO = 0x10001000,  /* the first slot */
    MAP_VIRTIO_SIZE = 0x1000, /* of a slot, and the distance to the next */
    MAP_VIRTIO_SLOTS = 8,
    MAP_FW_CFG = 0x10100000,
    MAP_FW_CFG_SIZE = 0x18,
    MAP_FLASH = 0x20000000,     /* the first of two */
    MAP_FLASH_SIZE = 0x2000000, /* of one, and the distance to the next */
    MAP_FLASHES = 2
};

#define MAP_RAM UINT64_C(0x80000000)
/* Firmware and 32-bit kernels reach the device tree below this address. */
#define MAP_TREE_LIMIT UINT64_C(0xc0000000)

/* Inputs of the PLIC. */
enum { IRQ_VIRTIO = 1 /* of the first slot */, IRQ_UART = 10, IRQ_RTC = 11 };

#endif
