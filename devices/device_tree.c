#include "devices/device_tree.h"

#include "devices/plic.h"
#include "devices/riscv_virt_map.h"
#include "devices/syscon.h"
#include "machine/riscv/riscv.h"

#include <inttypes.h>
#include <libfdt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* What the harts have, in the order of the ISA manual's naming chapter. */
#define RISCV_ISA                                                                                  \
    "rv64imafdc_zicbom_zicboz_zicntr_zicsr_zifencei_zihintpause_zihpm_zba_zbb_zbs_sstc_svadu"

enum { CACHE_BLOCK = 64, UART_CLOCK = 3686400, TREE_ROOM = 65536 };

/* Handles by which nodes name each other. */
enum { PHANDLE_PLIC = 1, PHANDLE_SYSCON = 2, PHANDLE_CPU = 0x10, PHANDLE_INTC = 0x20 };

/* A tree being written from front to back. The first failure stays. */
struct writer {
    const struct device_tree_config *config;
    void *fdt;
    int failure;
};

static void note(struct writer *w, int result)
{
    if (!w->failure)
        w->failure = result;
}

static void begin(struct writer *w, const char *name)
{
    note(w, fdt_begin_node(w->fdt, name));
}

/* A node NAME@UNIT. */
static void begin_at(struct writer *w, const char *name, uint64_t unit)
{
    char full[48];
    snprintf(full, sizeof full, "%s@%" PRIx64, name, unit);
    begin(w, full);
}

static void end(struct writer *w)
{
    note(w, fdt_end_node(w->fdt));
}

static void property(struct writer *w, const char *name, const void *value, size_t size)
{
    note(w, fdt_property(w->fdt, name, value, (int)size));
}

static void flag(struct writer *w, const char *name)
{
    property(w, name, NULL, 0);
}

static void string(struct writer *w, const char *name, const char *value)
{
    property(w, name, value, strlen(value) + 1);
}

static void cell(struct writer *w, const char *name, uint32_t value)
{
    note(w, fdt_property_u32(w->fdt, name, value));
}

/* An address and a size, two cells each. */
static void reg(struct writer *w, uint64_t base, uint64_t size)
{
    const fdt64_t value[2] = {cpu_to_fdt64(base), cpu_to_fdt64(size)};
    property(w, "reg", value, sizeof value);
}

static void interrupt(struct writer *w, unsigned number)
{
    cell(w, "interrupt-parent", PHANDLE_PLIC);
    cell(w, "interrupts", number);
}

/* A string list: `value` is a literal with NULs between the strings. */
#define STRINGS(w, name, value) property(w, name, value, sizeof(value))

static void write_chosen(struct writer *w)
{
    const struct device_tree_config *c = w->config;
    begin(w, "chosen");
    string(w, "stdout-path", "/soc/serial@10000000");
    if (c->bootargs && *c->bootargs)
        string(w, "bootargs", c->bootargs);
    if (c->initrd_end > c->initrd_start) {
        note(w, fdt_property_u64(w->fdt, "linux,initrd-start", c->initrd_start));
        note(w, fdt_property_u64(w->fdt, "linux,initrd-end", c->initrd_end));
    }
    end(w);
}

static void write_cpu(struct writer *w, unsigned hart)
{
    begin_at(w, "cpu", hart);
    string(w, "device_type", "cpu");
    cell(w, "reg", hart);
    string(w, "status", "okay");
    string(w, "compatible", "riscv");
    string(w, "riscv,isa", RISCV_ISA);
    string(w, "mmu-type", "riscv,sv57");
    cell(w, "riscv,cbom-block-size", CACHE_BLOCK);
    cell(w, "riscv,cboz-block-size", CACHE_BLOCK);
    cell(w, "phandle", PHANDLE_CPU + hart);
    begin(w, "interrupt-controller");
    cell(w, "#address-cells", 0);
    cell(w, "#interrupt-cells", 1);
    flag(w, "interrupt-controller");
    string(w, "compatible", "riscv,cpu-intc");
    cell(w, "phandle", PHANDLE_INTC + hart);
    end(w);
    end(w);
}

static void write_cpu_map(struct writer *w)
{
    begin(w, "cpu-map");
    begin(w, "cluster0");
    for (unsigned hart = 0; hart < w->config->harts; hart++) {
        char name[16];
        snprintf(name, sizeof name, "core%u", hart);
        begin(w, name);
        cell(w, "cpu", PHANDLE_CPU + hart);
        end(w);
    }
    end(w);
    end(w);
}

static void write_cpus(struct writer *w)
{
    begin(w, "cpus");
    cell(w, "#address-cells", 1);
    cell(w, "#size-cells", 0);
    cell(w, "timebase-frequency", RISCV_TIMEBASE);
    for (unsigned hart = 0; hart < w->config->harts; hart++)
        write_cpu(w, hart);
    write_cpu_map(w);
    end(w);
}

static void write_memory(struct writer *w)
{
    begin_at(w, "memory", w->config->ram_base);
    string(w, "device_type", "memory");
    reg(w, w->config->ram_base, w->config->ram_size);
    end(w);
}

/* A device's two interrupts at each hart's own controller. */
static void interrupts_extended(struct writer *w, uint32_t first, uint32_t second)
{
    fdt32_t value[4 * MACHINE_CPUS];
    unsigned n = 0;
    for (unsigned hart = 0; hart < w->config->harts; hart++) {
        value[n++] = cpu_to_fdt32(PHANDLE_INTC + hart);
        value[n++] = cpu_to_fdt32(first);
        value[n++] = cpu_to_fdt32(PHANDLE_INTC + hart);
        value[n++] = cpu_to_fdt32(second);
    }
    property(w, "interrupts-extended", value, n * sizeof *value);
}

static void write_interrupt_controllers(struct writer *w)
{
    begin_at(w, "clint", MAP_ACLINT);
    STRINGS(w, "compatible", "sifive,clint0\0riscv,clint0");
    reg(w, MAP_ACLINT, MAP_ACLINT_SIZE);
    interrupts_extended(w, RISCV_IRQ_MSI, RISCV_IRQ_MTI);
    end(w);

    begin_at(w, "plic", MAP_PLIC);
    STRINGS(w, "compatible", "sifive,plic-1.0.0\0riscv,plic0");
    reg(w, MAP_PLIC, MAP_PLIC_SIZE);
    cell(w, "#address-cells", 0);
    cell(w, "#interrupt-cells", 1);
    flag(w, "interrupt-controller");
    cell(w, "riscv,ndev", PLIC_SOURCES - 1);
    interrupts_extended(w, RISCV_IRQ_MEI, RISCV_IRQ_SEI);
    cell(w, "phandle", PHANDLE_PLIC);
    end(w);
}

static void write_peripherals(struct writer *w)
{
    begin_at(w, "serial", MAP_UART);
    string(w, "compatible", "ns16550a");
    reg(w, MAP_UART, MAP_UART_SIZE);
    cell(w, "clock-frequency", UART_CLOCK);
    interrupt(w, IRQ_UART);
    end(w);

    begin_at(w, "rtc", MAP_RTC);
    string(w, "compatible", "google,goldfish-rtc");
    reg(w, MAP_RTC, MAP_RTC_SIZE);
    interrupt(w, IRQ_RTC);
    end(w);

    begin_at(w, "test", MAP_SYSCON);
    STRINGS(w, "compatible", "sifive,test1\0sifive,test0\0syscon");
    reg(w, MAP_SYSCON, MAP_SYSCON_SIZE);
    cell(w, "phandle", PHANDLE_SYSCON);
    end(w);

    for (unsigned slot = 0; slot < MAP_VIRTIO_SLOTS; slot++) {
        uint64_t base = MAP_VIRTIO + (uint64_t)slot * MAP_VIRTIO_SIZE;
        begin_at(w, "virtio_mmio", base);
        string(w, "compatible", "virtio,mmio");
        reg(w, base, MAP_VIRTIO_SIZE);
        interrupt(w, IRQ_VIRTIO + slot);
        end(w);
    }
}

/* "poweroff" and "reboot": write `value` to the syscon. */
static void write_power_switch(struct writer *w, const char *name, const char *compatible,
                               uint32_t value)
{
    begin(w, name);
    string(w, "compatible", compatible);
    cell(w, "regmap", PHANDLE_SYSCON);
    cell(w, "offset", 0);
    cell(w, "value", value);
    end(w);
}

static void write_firmware_devices(struct writer *w)
{
    begin_at(w, "fw-cfg", MAP_FW_CFG);
    string(w, "compatible", "qemu,fw-cfg-mmio");
    reg(w, MAP_FW_CFG, MAP_FW_CFG_SIZE);
    flag(w, "dma-coherent");
    end(w);

    const fdt64_t flashes[2 * MAP_FLASHES] = {cpu_to_fdt64(MAP_FLASH), cpu_to_fdt64(MAP_FLASH_SIZE),
                                              cpu_to_fdt64(MAP_FLASH + MAP_FLASH_SIZE),
                                              cpu_to_fdt64(MAP_FLASH_SIZE)};
    begin_at(w, "flash", MAP_FLASH);
    string(w, "compatible", "cfi-flash");
    property(w, "reg", flashes, sizeof flashes);
    cell(w, "bank-width", 4);
    end(w);
}

static void write_soc(struct writer *w)
{
    begin(w, "soc");
    string(w, "compatible", "simple-bus");
    cell(w, "#address-cells", 2);
    cell(w, "#size-cells", 2);
    flag(w, "ranges");
    write_interrupt_controllers(w);
    write_peripherals(w);
    end(w);
}

static void write_root(struct writer *w)
{
    begin(w, "");
    string(w, "compatible", "riscv-virtio");
    string(w, "model", "backstep,virt");
    cell(w, "#address-cells", 2);
    cell(w, "#size-cells", 2);
    begin(w, "aliases");
    string(w, "serial0", "/soc/serial@10000000");
    end(w);
    write_chosen(w);
    write_memory(w);
    write_cpus(w);
    write_power_switch(w, "poweroff", "syscon-poweroff", SYSCON_POWER_OFF);
    write_power_switch(w, "reboot", "syscon-reboot", SYSCON_RESET);
    write_firmware_devices(w);
    write_soc(w);
    end(w);
}

static size_t bootargs_size(const struct device_tree_config *config)
{
    return config->bootargs ? strlen(config->bootargs) + 1 : 0;
}

bool device_tree_make(const struct device_tree_config *config, struct buffer *out,
                      struct error *err)
{
    size_t room = TREE_ROOM + bootargs_size(config);
    struct writer w = {.config = config, .fdt = buffer_extend(out, room)};
    memset(w.fdt, 0, room);
    note(&w, fdt_create(w.fdt, (int)room));
    note(&w, fdt_finish_reservemap(w.fdt));
    write_root(&w);
    note(&w, fdt_finish(w.fdt));
    if (w.failure)
        return error_set(err, ERROR_RANGE, "device tree: %s", fdt_strerror(w.failure));
    size_t size = (fdt_totalsize(w.fdt) + DEVICE_TREE_SPARE + 7) & ~(size_t)7;
    note(&w, fdt_open_into(w.fdt, w.fdt, (int)size));
    if (w.failure)
        return error_set(err, ERROR_RANGE, "device tree: %s", fdt_strerror(w.failure));
    out->size = size;
    return true;
}

static int update_chosen(const struct device_tree_config *c, void *fdt)
{
    int chosen = fdt_path_offset(fdt, "/chosen");
    if (chosen == -FDT_ERR_NOTFOUND)
        chosen = fdt_add_subnode(fdt, 0, "chosen");
    if (chosen < 0)
        return chosen;
    int result = 0;
    if (c->bootargs && *c->bootargs)
        result = fdt_setprop_string(fdt, chosen, "bootargs", c->bootargs);
    if (!result && c->initrd_end > c->initrd_start) {
        result = fdt_setprop_u64(fdt, chosen, "linux,initrd-start", c->initrd_start);
        if (!result)
            result = fdt_setprop_u64(fdt, chosen, "linux,initrd-end", c->initrd_end);
    }
    return result;
}

bool device_tree_adapt(const struct device_tree_config *config, const char *name,
                       const uint8_t *blob, size_t size, struct buffer *out, struct error *err)
{
    int result = fdt_check_full(blob, size);
    if (result)
        return error_set(err, ERROR_FORMAT, "%s: not a valid device tree: %s", name,
                         fdt_strerror(result));
    size_t room = fdt_totalsize(blob) + bootargs_size(config) + DEVICE_TREE_SPARE;
    uint8_t *fdt = buffer_extend(out, room);
    memset(fdt, 0, room);
    result = fdt_open_into(blob, fdt, (int)room);
    if (!result)
        result = update_chosen(config, fdt);
    if (result)
        return error_set(err, ERROR_FORMAT, "%s: device tree: %s", name, fdt_strerror(result));
    return true;
}
