/* The board's firmware in flash and fw_cfg, its fixed clock, and what is in its virtio slots. */
#include "base/endian.h"
#include "base/hash.h"
#include "devices/cfi_flash.h"
#include "devices/disk.h"
#include "devices/fw_cfg.h"
#include "devices/virtio.h"
#include "tests/unit/devices/board_bench.h"

#include <libfdt.h>

TestSuite(riscv_virt_devices, .init = files_begin, .fini = files_end);

/* ---- firmware in flash, fw_cfg ---- */

static uint64_t load(struct riscv_virt *board, uint64_t pa, unsigned size)
{
    uint64_t value;
    cr_assert(bus_read(&riscv_virt_machine(board)->bus, pa, size, &value), "%#lx", pa);
    return value;
}

/* The first bytes of an item, as a number. */
static uint64_t item(struct riscv_virt *board, uint16_t key)
{
    struct machine *m = riscv_virt_machine(board);
    cr_assert(bus_write(&m->bus, MAP_FW_CFG + 8, 2, __builtin_bswap16(key)));
    return load(board, MAP_FW_CFG, 8);
}

Test(riscv_virt_devices, flash_behind_firmware)
{
    struct riscv_virt_options o = machine_of(64);
    o.bios = zeroes("firmware", 1000);
    o.kernel = file("kernel", "the kernel", 10);
    o.initrd = file("initrd", "an initrd", 9);
    o.append = "quiet";
    o.flash[0].file = file("flash", "in flash", 8);
    struct riscv_virt *board = board_new(&o);
    const struct machine *m = riscv_virt_machine(board);
    cr_assert_eq(start_of(board), 0x80000000);
    cr_assert_eq(next_of(board), MAP_FLASH, "the firmware goes on in flash");
    cr_assert_eq(load(board, MAP_FLASH, 4), 0x66206e69);
    cr_assert_eq(item(board, FW_CFG_KERNEL_SIZE), 10);
    cr_assert_eq(item(board, FW_CFG_KERNEL_DATA), 0x6e72656b20656874);
    cr_assert_eq(item(board, FW_CFG_INITRD_SIZE), 9);
    cr_assert_eq(item(board, FW_CFG_INITRD_DATA), 0x7274696e69206e61);
    cr_assert_eq(item(board, FW_CFG_CMDLINE_SIZE), 6);
    cr_assert_eq(item(board, FW_CFG_CMDLINE_DATA), 0x7465697571);
    cr_assert_eq(load_le64(ram_at(&m->ram, 0x80200000)), 0, "no kernel in memory");
    const void *fdt = ram_at(&m->ram, tree_of(board));
    int chosen = fdt_path_offset(fdt, "/chosen");
    cr_assert_null(fdt_getprop(fdt, chosen, "linux,initrd-start", NULL));
    cr_assert_str_eq(fdt_getprop(fdt, chosen, "bootargs", NULL), "quiet");
    riscv_virt_free(board);
    o.kernel = o.initrd = o.append = NULL;
    board = board_new(&o);
    cr_assert_eq(next_of(board), MAP_FLASH);
    cr_assert_eq(item(board, FW_CFG_KERNEL_SIZE), 0);
    cr_assert_eq(item(board, FW_CFG_CMDLINE_SIZE), 0);
    riscv_virt_free(board);
    o.kernel = "/nonexistent";
    refused(&o, "/nonexistent: No such file");
    o.kernel = zeroes("empty", 0);
    refused(&o, "empty: the file is empty");
}

Test(riscv_virt_devices, flash_without_firmware)
{
    struct riscv_virt_options o = machine_of(64);
    o.bios = "none";
    o.flash[0].file = file("flash", "in flash", 8);
    struct riscv_virt *board = board_new(&o);
    cr_assert_eq(start_of(board), MAP_FLASH);
    cr_assert_eq(next_of(board), 0);
    riscv_virt_free(board);
    o.kernel = zeroes("kernel", 1000);
    board = board_new(&o);
    cr_assert_eq(start_of(board), MAP_FLASH);
    cr_assert_eq(next_of(board), 0x80000000, "the kernel is in memory");
    cr_assert_eq(item(board, FW_CFG_KERNEL_SIZE), 0);
    riscv_virt_free(board);
    o.flash[1].file = o.flash[0].file;
    o.flash[0].file = NULL;
    board = board_new(&o);
    cr_assert_eq(start_of(board), 0x80000000, "the second flash starts nothing");
    cr_assert_eq(load(board, MAP_FLASH + MAP_FLASH_SIZE, 4), 0x66206e69);
    cr_assert_eq(load(board, MAP_FLASH, 4), 0);
    riscv_virt_free(board);
}

Test(riscv_virt_devices, bad_flash)
{
    struct riscv_virt_options o = machine_of(64);
    o.bios = "none";
    o.flash[1].file = "/nonexistent";
    refused(&o, "flash1: /nonexistent: No such file");
    o.flash[1].file = folder;
    refused(&o, "is a directory");
    o.flash[1].file = zeroes("large", CFI_FLASH_SIZE + 1);
    refused(&o, "large: 33554433 bytes, more than the 33554432 allowed");
}

Test(riscv_virt_devices, fw_cfg_files)
{
    static const uint8_t bytes[] = "bytes";
    const struct riscv_virt_fw_cfg files[] = {{"opt/b", bytes, 5}, {"opt/a", bytes + 1, 4}};
    struct riscv_virt_options o = machine_of(64);
    o.bios = "none";
    o.harts = 4;
    o.fw_cfg = files;
    o.fw_cfgs = 2;
    struct riscv_virt *board = board_new(&o);
    cr_assert_eq(item(board, FW_CFG_FILE_FIRST), 0x73657479, "sorted");
    cr_assert_eq(item(board, FW_CFG_FILE_FIRST + 1), 0x7365747962);
    cr_assert_eq(item(board, FW_CFG_NB_CPUS), 4);
    riscv_virt_free(board);
    const struct riscv_virt_fw_cfg twice[] = {files[0], files[0]};
    o.fw_cfg = twice;
    refused(&o, "\"opt/b\" is given twice");
}

Test(riscv_virt_devices, fixed_clock)
{
    struct riscv_virt_options o = machine_of(64);
    o.bios = "none";
    o.rtc_fixed = true;
    o.rtc_base = 0x123456789abcdef0;
    struct riscv_virt *board = board_new(&o);
    cr_assert_eq(load(board, MAP_RTC, 4), 0x9abcdef0);
    cr_assert_eq(load(board, MAP_RTC + 4, 4), 0x12345678);
    riscv_virt_free(board);
}

/* Hart 0 loops in flash until hart 1 has programmed the loop's jump to lead out of it. */
static struct riscv_virt *patched_loop(void)
{
    static const uint32_t loop[] = {0x00150513 /* addi a0, a0, 1 */,
                                    0xffdff06f /* j . - 4 */,
                                    UINT32_MAX,
                                    UINT32_MAX,
                                    UINT32_MAX,
                                    0x00008067 /* ret */};
    static const uint32_t program[] = {
        0xf14022f3, /* csrr t0, mhartid */
        0x22000437, /* lui s0, 0x22000 */
        0x02029063, /* bnez t0, . + 32 */
        0x00000513, /* li a0, 0 */
        0x000400e7, /* jalr s0 */
        0x001002b7, /* lui t0, 0x100 */
        0x00005337, /* lui t1, 5 */
        0x55530313, /* addi t1, t1, 0x555 */
        0x0062a023, /* sw t1, 0(t0): power off */
        0x0000006f, /* j . */
        0x12c00293, /* li t0, 300 */
        0xfff28293, /* addi t0, t0, -1 */
        0xfe029ee3, /* bnez t0, . - 4 */
        0x04000313, /* li t1, 0x40 */
        0x00642223, /* sw t1, 4(s0): program */
        0x01000337, /* lui t1, 0x1000 */
        0x06f3031b, /* addiw t1, t1, 0x6f: j . + 16 */
        0x00642223, /* sw t1, 4(s0) */
        0x00042383, /* lw t2, 0(s0) */
        0x00158593, /* addi a1, a1, 1 */
        0x0803f393, /* andi t2, t2, 0x80 */
        0xfe038ae3, /* beqz t2, . - 12: until it is ready */
        0x0ff00313, /* li t1, 0xff */
        0x00642023, /* sw t1, 0(s0): read array */
        0x10500073, /* wfi */
        0xffdff06f, /* j . - 4 */
    };
    struct riscv_virt_options o = machine_of(16);
    o.bios = "none";
    o.harts = 2;
    o.kernel = made_count ? made[0] : file("program", program, sizeof program);
    o.flash[1].file = made_count > 1 ? made[1] : file("loop", loop, sizeof loop);
    return board_new(&o);
}

/* Everything but RAM, which the program leaves alone. */
static uint64_t whole_digest(struct machine *m, uint64_t overlay_page_number)
{
    struct machine_digest d;
    machine_digest(m, &d);
    const uint8_t *page = overlay_page(m->overlay[1], overlay_page_number);
    return d.core ^ hash_mix(d.cpus) ^ hash_mix(hash_mix(d.devices)) ^
           (page ? hash_bytes(page, OVERLAY_PAGE_SIZE, 0) : 0);
}

static void check_patched(struct machine *m)
{
    cr_assert_eq(m->state.halt, HALT_POWER_OFF);
    cr_assert(m->cpu[0]->ops->get_register(m->cpu[0], 10) > 100, "it has run in the loop");
    cr_assert(m->cpu[1]->ops->get_register(m->cpu[1], 11) > 10, "it has waited for the flash");
    uint64_t value;
    cr_assert(bus_peek(&m->bus, MAP_FLASH + MAP_FLASH_SIZE + 4, 4, &value));
    cr_assert_eq(value, 0x0100006f);
}

Test(riscv_virt_devices, code_in_flash_is_patched)
{
    struct riscv_virt *board = patched_loop(), *other = patched_loop();
    struct machine *m = riscv_virt_machine(board), *n = riscv_virt_machine(other);
    struct buffer saved = {0};
    struct error err;
    machine_save(m, &saved);
    cr_assert_eq(machine_run(m, 1000000), MACHINE_HALTED);
    check_patched(m);
    uint64_t end = machine_position(m), digest = whole_digest(m, 0);

    /* Chopped and with caches dropped it is the same run. */
    for (uint64_t i = 0; !n->state.halt; i++) {
        machine_run(n, machine_position(n) + 1 + i % 7);
        machine_drop_caches(n, CPU_DROP_CODE | CPU_DROP_TRANSLATIONS);
    }
    cr_assert_eq(machine_position(n), end);
    cr_assert_eq(whole_digest(n, 0), digest);

    /* Back at the start the loop is as it was. */
    cr_assert(machine_load(m, saved.data, saved.size, &err), "%s", err.message);
    overlay_restored(m->overlay[1]);
    uint64_t value;
    cr_assert(bus_peek(&m->bus, MAP_FLASH + MAP_FLASH_SIZE + 4, 4, &value));
    cr_assert_eq(value, 0xffdff06f);
    cr_assert_eq(machine_run(m, 1000000), MACHINE_HALTED);
    check_patched(m);
    cr_assert_eq(whole_digest(m, 0), digest);
    buffer_fini(&saved);
    riscv_virt_free(board);
    riscv_virt_free(other);
}

/* ---- virtio slots ---- */

Test(riscv_virt_devices, slots)
{
    struct riscv_virt_options o = machine_of(16);
    o.bios = "none";
    o.slot[0] = (struct riscv_virt_slot){.id = VIRTIO_ID_BLOCK, .disk_bytes = 512};
    o.slot[2] = (struct riscv_virt_slot){.id = VIRTIO_ID_NET, .mac = {2, 0, 0, 0, 0, 1}};
    o.slot[3] = (struct riscv_virt_slot){
        .id = VIRTIO_ID_BLOCK, .disk_bytes = 1024, .read_only = true, .serial = "one"};
    o.slot[4] = (struct riscv_virt_slot){.id = VIRTIO_ID_ENTROPY};
    o.slot[5] = (struct riscv_virt_slot){.id = VIRTIO_ID_NET};
    o.slot[7] = (struct riscv_virt_slot){.id = VIRTIO_ID_CONSOLE, .ports = 2};
    struct riscv_virt *board = board_new(&o);
    for (unsigned slot = 0; slot < RISCV_VIRT_SLOTS; slot++) {
        uint64_t base = MAP_VIRTIO + slot * (uint64_t)MAP_VIRTIO_SIZE;
        cr_assert_eq(load(board, base, 4), 0x74726976);
        cr_assert_eq(load(board, base + 8, 4), o.slot[slot].id, "slot %u", slot);
    }
    cr_assert_eq(load(board, MAP_VIRTIO + 2 * MAP_VIRTIO_SIZE + 0x100, 1), 2, "mac");
    const struct disk *first = riscv_virt_disk(board, 0), *second = riscv_virt_disk(board, 1);
    cr_assert(first->bytes == 512 && !first->read_only && first->index == 0);
    cr_assert(second->bytes == 1024 && second->read_only && second->index == 1);
    cr_assert_null(riscv_virt_disk(board, 2));
    riscv_virt_free(board);
}

Test(riscv_virt_devices, full_slots)
{
    static const unsigned ids[] = {VIRTIO_ID_BLOCK, VIRTIO_ID_NET, VIRTIO_ID_ENTROPY};
    for (unsigned i = 0; i < 3; i++) {
        struct riscv_virt_options o = machine_of(16);
        o.bios = "none";
        o.harts = MACHINE_CPUS;
        o.semihosting = true;
        for (unsigned slot = 0; slot < RISCV_VIRT_SLOTS; slot++)
            o.slot[slot] = (struct riscv_virt_slot){.id = ids[i], .disk_bytes = 512};
        struct riscv_virt *board = board_new(&o);
        cr_assert_eq(load(board, MAP_VIRTIO + 7 * MAP_VIRTIO_SIZE + 8, 4), ids[i]);
        riscv_virt_free(board);
    }
}

Test(riscv_virt_devices, bad_slots)
{
    struct riscv_virt_options o = machine_of(16);
    o.slot[3] = (struct riscv_virt_slot){.id = VIRTIO_ID_BLOCK};
    refused(&o, "disk of 0 bytes in slot 3");
    o.slot[3].disk_bytes = 513;
    refused(&o, "whole sectors");
    o.slot[3].disk_bytes = DISK_MOST + 512;
    refused(&o, "16 TiB");
    o.slot[3] = (struct riscv_virt_slot){.id = VIRTIO_ID_CONSOLE};
    refused(&o, "console of 0 ports");
    o.slot[3].ports = 1;
    o.slot[4] = o.slot[3];
    refused(&o, "2 consoles");
    o.slot[3] = o.slot[4] = (struct riscv_virt_slot){.id = 16};
    refused(&o, "virtio device 16 in slot 3");
}
