#include "devices/device_tree.h"
#include "devices/plic.h"
#include "devices/riscv_virt_map.h"

#include <criterion/criterion.h>
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct device_tree_config plain = {
    .ram_base = 0x80000000, .ram_size = UINT64_C(5) << 30, .harts = 3};

static struct buffer make(const struct device_tree_config *config)
{
    struct buffer tree = {0};
    struct error err = ERROR_INIT;
    cr_assert(device_tree_make(config, &tree, &err), "%s", err.message);
    cr_assert_eq(fdt_check_full(tree.data, tree.size), 0);
    cr_assert_eq(fdt_totalsize(tree.data), tree.size);
    return tree;
}

static int node(const struct buffer *tree, const char *path)
{
    int at = fdt_path_offset(tree->data, path);
    cr_assert(at >= 0, "%s: %s", path, fdt_strerror(at));
    return at;
}

static uint32_t cell(const struct buffer *tree, const char *path, const char *name, unsigned index)
{
    int length;
    const fdt32_t *p = fdt_getprop(tree->data, node(tree, path), name, &length);
    cr_assert(p && length >= (int)(4 * (index + 1)), "%s: %s", path, name);
    return fdt32_to_cpu(p[index]);
}

static uint64_t cells(const struct buffer *tree, const char *path, const char *name, unsigned index)
{
    return (uint64_t)cell(tree, path, name, index) << 32 | cell(tree, path, name, index + 1);
}

static const char *string(const struct buffer *tree, const char *path, const char *name)
{
    return fdt_getprop(tree->data, node(tree, path), name, NULL);
}

static void check_reg(const struct buffer *tree, const char *path, uint64_t base, uint64_t size)
{
    cr_assert_eq(cells(tree, path, "reg", 0), base, "%s", path);
    cr_assert_eq(cells(tree, path, "reg", 2), size, "%s", path);
}

static void check_irq(const struct buffer *tree, const char *path, unsigned number)
{
    cr_assert_eq(cell(tree, path, "interrupts", 0), number);
    cr_assert_eq(cell(tree, path, "interrupt-parent", 0),
                 cell(tree, "/soc/plic@c000000", "phandle", 0));
}

Test(device_tree, devices_are_where_they_are)
{
    struct buffer t = make(&plain);
    check_reg(&t, "/memory@80000000", 0x80000000, UINT64_C(5) << 30);
    check_reg(&t, "/soc/test@100000", 0x100000, 0x1000);
    check_reg(&t, "/soc/rtc@101000", 0x101000, 0x1000);
    check_reg(&t, "/soc/clint@2000000", 0x2000000, 0x10000);
    check_reg(&t, "/soc/plic@c000000", 0xc000000, 0x600000);
    check_reg(&t, "/soc/serial@10000000", 0x10000000, 0x100);
    check_reg(&t, "/soc/virtio_mmio@10001000", 0x10001000, 0x1000);
    check_reg(&t, "/soc/virtio_mmio@10008000", 0x10008000, 0x1000);
    check_reg(&t, "/fw-cfg@10100000", 0x10100000, 0x18);
    check_reg(&t, "/flash@20000000", 0x20000000, 0x2000000);
    cr_assert_eq(cells(&t, "/flash@20000000", "reg", 4), 0x22000000);
    cr_assert_eq(cells(&t, "/flash@20000000", "reg", 6), 0x2000000);
    cr_assert_eq(cell(&t, "/flash@20000000", "bank-width", 0), 4);
    cr_assert_str_eq(string(&t, "/flash@20000000", "compatible"), "cfi-flash");
    cr_assert_str_eq(string(&t, "/fw-cfg@10100000", "compatible"), "qemu,fw-cfg-mmio");
    cr_assert_not_null(string(&t, "/fw-cfg@10100000", "dma-coherent"));
    check_irq(&t, "/soc/serial@10000000", 10);
    check_irq(&t, "/soc/rtc@101000", 11);
    check_irq(&t, "/soc/virtio_mmio@10001000", 1);
    check_irq(&t, "/soc/virtio_mmio@10008000", 8);
    cr_assert_eq(cell(&t, "/soc/plic@c000000", "riscv,ndev", 0), PLIC_SOURCES - 1);
    cr_assert_str_eq(string(&t, "/soc/serial@10000000", "compatible"), "ns16550a");
    buffer_fini(&t);
}

Test(device_tree, harts)
{
    struct buffer t = make(&plain);
    cr_assert_eq(cell(&t, "/cpus", "timebase-frequency", 0), 10000000);
    cr_assert(fdt_path_offset(t.data, "/cpus/cpu@3") < 0);
    for (unsigned hart = 0; hart < 3; hart++) {
        char path[64], intc[96];
        snprintf(path, sizeof path, "/cpus/cpu@%u", hart);
        snprintf(intc, sizeof intc, "%s/interrupt-controller", path);
        cr_assert_eq(cell(&t, path, "reg", 0), hart);
        cr_assert_eq(cell(&t, path, "riscv,cbom-block-size", 0), 64);
        cr_assert_eq(cell(&t, path, "riscv,cboz-block-size", 0), 64);
        cr_assert_str_eq(string(&t, path, "mmu-type"), "riscv,sv57");
        cr_assert_eq(strncmp(string(&t, path, "riscv,isa"), "rv64imafdc_", 11), 0);
        uint32_t phandle = cell(&t, intc, "phandle", 0);
        const uint32_t clint[] = {phandle, 3, phandle, 7}, plic[] = {phandle, 11, phandle, 9};
        for (unsigned i = 0; i < 4; i++) {
            cr_assert_eq(cell(&t, "/soc/clint@2000000", "interrupts-extended", 4 * hart + i),
                         clint[i]);
            cr_assert_eq(cell(&t, "/soc/plic@c000000", "interrupts-extended", 4 * hart + i),
                         plic[i]);
        }
    }
    buffer_fini(&t);
}

Test(device_tree, power_switches)
{
    struct buffer t = make(&plain);
    uint32_t syscon = cell(&t, "/soc/test@100000", "phandle", 0);
    cr_assert_eq(cell(&t, "/poweroff", "regmap", 0), syscon);
    cr_assert_eq(cell(&t, "/poweroff", "value", 0), 0x5555);
    cr_assert_eq(cell(&t, "/reboot", "regmap", 0), syscon);
    cr_assert_eq(cell(&t, "/reboot", "value", 0), 0x7777);
    buffer_fini(&t);
}

Test(device_tree, chosen)
{
    struct buffer t = make(&plain);
    cr_assert_null(string(&t, "/chosen", "bootargs"));
    cr_assert_null(string(&t, "/chosen", "linux,initrd-start"));
    cr_assert_null(string(&t, "/chosen", "rng-seed"));
    cr_assert_str_eq(string(&t, "/chosen", "stdout-path"), "/soc/serial@10000000");
    buffer_fini(&t);
    struct device_tree_config c = plain;
    c.bootargs = "console=ttyS0";
    c.initrd_start = 0x188000000;
    c.initrd_end = 0x188001234;
    t = make(&c);
    cr_assert_str_eq(string(&t, "/chosen", "bootargs"), "console=ttyS0");
    cr_assert_eq(cells(&t, "/chosen", "linux,initrd-start", 0), 0x188000000);
    cr_assert_eq(cells(&t, "/chosen", "linux,initrd-end", 0), 0x188001234);
    buffer_fini(&t);
}

/* Firmware adds to the tree in place. */
Test(device_tree, has_spare_room)
{
    struct device_tree_config c = plain;
    c.harts = 8;
    struct buffer t = make(&c);
    char filler[DEVICE_TREE_SPARE - 64] = {0};
    cr_assert_eq(fdt_setprop(t.data, 0, "filler", filler, sizeof filler), 0);
    buffer_fini(&t);
}

Test(device_tree, same_configuration_same_bytes)
{
    struct buffer a = make(&plain), b = make(&plain);
    cr_assert_eq(a.size, b.size);
    cr_assert_arr_eq(a.data, b.data, a.size);
    buffer_fini(&a);
    buffer_fini(&b);
}

Test(device_tree, long_command_line)
{
    struct device_tree_config c = plain;
    char *line = calloc(1, 100001);
    memset(line, 'x', 100000);
    c.bootargs = line;
    struct buffer t = make(&c);
    cr_assert_str_eq(string(&t, "/chosen", "bootargs"), line);
    buffer_fini(&t);
    free(line);
}

Test(device_tree, adapts_the_users)
{
    uint8_t own[256];
    struct buffer t = {0};
    struct error err = ERROR_INIT;
    cr_assert_eq(fdt_create_empty_tree(own, sizeof own), 0);
    struct device_tree_config c = plain;
    c.bootargs = "quiet";
    c.initrd_start = 0x88000000;
    c.initrd_end = 0x88000010;
    cr_assert(device_tree_adapt(&c, "own.dtb", own, sizeof own, &t, &err), "%s", err.message);
    cr_assert_str_eq(string(&t, "/chosen", "bootargs"), "quiet");
    cr_assert_eq(cells(&t, "/chosen", "linux,initrd-end", 0), 0x88000010);
    buffer_fini(&t);
    cr_assert(device_tree_adapt(&plain, "own.dtb", own, sizeof own, &t, &err));
    cr_assert_null(string(&t, "/chosen", "bootargs"));
    buffer_fini(&t);
    for (size_t size = 0; size < fdt_totalsize(own); size++) {
        cr_assert(!device_tree_adapt(&c, "own.dtb", own, size, &t, &err));
        cr_assert_eq(strncmp(err.message, "own.dtb: ", 9), 0);
    }
    memset(own, 0x55, sizeof own);
    cr_assert(!device_tree_adapt(&c, "own.dtb", own, sizeof own, &t, &err));
    buffer_fini(&t);
}
