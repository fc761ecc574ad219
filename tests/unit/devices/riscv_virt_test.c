/* The board: what is loaded where, what is refused, and that the wires end where they should. */
#include "devices/boot_rom.h"
#include "devices/device_tree.h"
#include "machine/riscv/riscv.h"
#include "tests/unit/devices/board_bench.h"

#include <elf.h>
#include <libfdt.h>

/* A program of one segment. */
struct program {
    Elf64_Ehdr header;
    Elf64_Phdr segment;
    uint32_t code[8];
};

static struct program program_at(uint64_t pa)
{
    struct program p = {
        .header = {.e_type = ET_EXEC,
                   .e_machine = EM_RISCV,
                   .e_version = EV_CURRENT,
                   .e_entry = pa,
                   .e_phoff = offsetof(struct program, segment),
                   .e_ehsize = sizeof(Elf64_Ehdr),
                   .e_phentsize = sizeof(Elf64_Phdr),
                   .e_phnum = 1},
        .segment = {.p_type = PT_LOAD,
                    .p_offset = offsetof(struct program, code),
                    .p_vaddr = pa,
                    .p_paddr = pa,
                    .p_filesz = 32,
                    .p_memsz = 32},
        /* lui t0, 0x100; lui t1, 5; addi t1, t1, 0x555; sw t1, 0(t0); j . */
        .code = {0x001002b7, 0x00005337, 0x55530313, 0x0062a023, 0x0000006f},
    };
    memcpy(p.header.e_ident, "\177ELF\2\1\1", 7);
    return p;
}

static const char *elf_at(const char *name, uint64_t pa)
{
    struct program p = program_at(pa);
    return file(name, &p, sizeof p);
}

TestSuite(riscv_virt, .init = files_begin, .fini = files_end);

Test(riscv_virt, bare_elf)
{
    struct program p = program_at(0x80000000);
    struct riscv_virt_options o = machine_of(16);
    struct error err = ERROR_INIT;
    struct riscv_virt *board = riscv_virt_new_elf(&o, "p", (uint8_t *)&p, sizeof p, &err);
    cr_assert(board, "%s", err.message);
    struct machine *m = riscv_virt_machine(board);
    cr_assert_eq(machine_position(m), 0);
    cr_assert_eq(m->cpu[0]->ops->pc(m->cpu[0]), MAP_BOOT_ROM);
    cr_assert_eq(start_of(board), 0x80000000);
    cr_assert_arr_eq(ram_at(&m->ram, 0x80000000), p.code, 32);
    cr_assert_eq(machine_run(m, 1000), MACHINE_HALTED);
    cr_assert_eq(m->state.halt, HALT_POWER_OFF);
    cr_assert_eq(machine_position(m), 10, "6 steps in the boot ROM, 4 in the program");
    cr_assert_eq(m->cpu[0]->ops->get_register(m->cpu[0], 11), tree_of(board));
    riscv_virt_free(board);
}

Test(riscv_virt, tree_is_high_and_aligned)
{
    static const struct {
        uint64_t mib, tree;
    } in[] = {{4, 0x80200000},    {64, 0x83e00000},   {256, 0x8fe00000},
              {1024, 0xbfe00000}, {2048, 0xbfe00000}, {8192, 0xbfe00000}};
    const char *kernel = elf_at("k", 0x80000000);
    for (unsigned i = 0; i < sizeof in / sizeof *in; i++) {
        struct riscv_virt_options o = machine_of(in[i].mib);
        o.kernel = kernel;
        struct riscv_virt *board = board_new(&o);
        cr_assert_eq(tree_of(board), in[i].tree, "%lu MiB", in[i].mib);
        const uint8_t *tree = ram_at(&riscv_virt_machine(board)->ram, in[i].tree);
        cr_assert_eq(fdt_check_full(tree, 65536), 0);
        riscv_virt_free(board);
    }
}

Test(riscv_virt, tree_in_little_ram)
{
    struct riscv_virt_options o = machine_of(1);
    o.kernel = elf_at("k", 0x80000000);
    struct riscv_virt *board = board_new(&o);
    uint64_t tree = tree_of(board);
    cr_assert_eq(tree % 4096, 0);
    const uint8_t *fdt = ram_at(&riscv_virt_machine(board)->ram, tree);
    cr_assert(tree + fdt_totalsize(fdt) + DEVICE_TREE_SPARE <= 0x80100000, "room to grow");
    riscv_virt_free(board);
    o.bios = "none";
    o.kernel = zeroes("full", MIB);
    refused(&o, "no room for the device tree");
}

Test(riscv_virt, firmware_and_kernel)
{
    struct riscv_virt_options o = machine_of(64);
    o.bios = zeroes("firmware", 1000);
    o.kernel = zeroes("kernel", 1000);
    struct riscv_virt *board = board_new(&o);
    cr_assert_eq(start_of(board), 0x80000000);
    cr_assert_eq(next_of(board), 0x80200000);
    cr_assert_eq(rom(board, 40), 0x4942534f);
    riscv_virt_free(board);
    o.kernel = NULL;
    board = board_new(&o);
    cr_assert_eq(next_of(board), 0);
    riscv_virt_free(board);
    o.bios = "none";
    o.kernel = made[1];
    board = board_new(&o);
    cr_assert_eq(start_of(board), 0x80000000, "without firmware it goes to the start of RAM");
    cr_assert_eq(next_of(board), 0);
    riscv_virt_free(board);
    o.kernel = NULL;
    board = board_new(&o);
    cr_assert_eq(start_of(board), 0x80000000);
    riscv_virt_free(board);
}

Test(riscv_virt, elf_kernels_and_firmware)
{
    struct riscv_virt_options o = machine_of(64);
    o.bios = elf_at("firmware", 0x80000000);
    o.kernel = elf_at("kernel", 0x80400000);
    struct riscv_virt *board = board_new(&o);
    cr_assert_eq(start_of(board), 0x80000000);
    cr_assert_eq(next_of(board), 0x80400000);
    riscv_virt_free(board);
    o.kernel = elf_at("overlapping", 0x80000010);
    refused(&o, "(firmware) overlaps");
    o.bios = NULL;
    board = board_new(&o);
    cr_assert_eq(start_of(board), 0x80000010, "the default firmware makes way");
    cr_assert_eq(next_of(board), 0);
    riscv_virt_free(board);
}

Test(riscv_virt, default_firmware)
{
    struct riscv_virt_options o = machine_of(64);
    struct error err = ERROR_INIT;
    struct riscv_virt *board = riscv_virt_new(&o, &err);
    if (!board) {
        cr_assert(strstr(err.message, "install the package opensbi"), "%s", err.message);
        cr_skip_test("opensbi is not installed");
    }
    cr_assert_eq(start_of(board), 0x80000000);
    riscv_virt_free(board);
}

Test(riscv_virt, initrd_and_command_line)
{
    struct riscv_virt_options o = machine_of(256);
    o.bios = "none";
    o.kernel = zeroes("kernel", 1000);
    o.initrd = file("initrd", "the initrd", 10);
    o.append = "root=/dev/vda";
    struct riscv_virt *board = board_new(&o);
    const struct ram *ram = &riscv_virt_machine(board)->ram;
    cr_assert_arr_eq(ram_at(ram, 0x88000000), "the initrd", 10);
    const void *fdt = ram_at(ram, tree_of(board));
    int chosen = fdt_path_offset(fdt, "/chosen");
    cr_assert_str_eq(fdt_getprop(fdt, chosen, "bootargs", NULL), "root=/dev/vda");
    const fdt64_t *at = fdt_getprop(fdt, chosen, "linux,initrd-start", NULL);
    cr_assert_eq(fdt64_ld(at), 0x88000000);
    riscv_virt_free(board);

    o.ram_size = 8 * MIB;
    o.initrd = zeroes("large", 5 * MIB);
    board = board_new(&o);
    uint64_t tree = tree_of(board);
    cr_assert(tree > 0x80001000, "everything has found a place");
    riscv_virt_free(board);
    o.ram_size = 5 * MIB;
    refused(&o, "large: 5242880 bytes at");
}

Test(riscv_virt, own_tree)
{
    uint8_t fdt[512];
    cr_assert_eq(fdt_create_empty_tree(fdt, sizeof fdt), 0);
    cr_assert_eq(fdt_setprop_string(fdt, 0, "model", "mine"), 0);
    struct riscv_virt_options o = machine_of(64);
    o.bios = "none";
    o.dtb = file("own.dtb", fdt, sizeof fdt);
    o.append = "quiet";
    struct riscv_virt *board = board_new(&o);
    const void *loaded = ram_at(&riscv_virt_machine(board)->ram, tree_of(board));
    cr_assert_str_eq(fdt_getprop(loaded, 0, "model", NULL), "mine");
    int chosen = fdt_path_offset(loaded, "/chosen");
    cr_assert_str_eq(fdt_getprop(loaded, chosen, "bootargs", NULL), "quiet");
    riscv_virt_free(board);
    o.dtb = file("bad.dtb", "nonsense", 8);
    refused(&o, "bad.dtb: not a valid device tree");
    o.dtb = "/nonexistent.dtb";
    refused(&o, "/nonexistent.dtb: No such file");
}

Test(riscv_virt, bad_images)
{
    struct riscv_virt_options o = machine_of(64);
    o.bios = "none";
    o.kernel = "/nonexistent";
    refused(&o, "/nonexistent: No such file or directory");
    o.kernel = folder;
    refused(&o, "is a directory");
    o.kernel = zeroes("empty", 0);
    refused(&o, "empty: the file is empty");
    struct program p = program_at(0x80000000);
    p.header.e_machine = EM_ARM;
    o.kernel = file("arm", &p, sizeof p);
    refused(&o, "not for RISC-V");
    o.kernel = file("short", &p, 100);
    refused(&o, "short: ");
    o.kernel = zeroes("large", 2 * MIB);
    o.ram_size = MIB;
    refused(&o, "lie outside RAM (1 MiB at 0x80000000)");
    o.kernel = elf_at("elsewhere", 0x10000000);
    refused(&o, "outside RAM");
    o = machine_of(64);
    o.bios = "/nonexistent";
    refused(&o, "/nonexistent: No such file or directory");
    o.bios = "none";
    o.initrd = made[0];
    refused(&o, "empty: the file is empty");
}

Test(riscv_virt, bad_options)
{
    struct riscv_virt_options o = machine_of(0);
    refused(&o, "1 MiB to 8 GiB");
    o = machine_of(8193);
    refused(&o, "1 MiB to 8 GiB");
    o = machine_of(1);
    o.ram_size += 4096;
    refused(&o, "whole MiB");
    o = machine_of(16);
    o.harts = 0;
    refused(&o, "1 to 8");
    o.harts = 9;
    refused(&o, "1 to 8");
    o.harts = 1;
    o.shift = 11;
    refused(&o, "shift");
}

static struct riscv_virt *two_harts(void)
{
    struct riscv_virt_options o = machine_of(16);
    o.harts = 2;
    o.bios = "none";
    return board_new(&o);
}

static uint64_t mip(struct machine *m, unsigned hart)
{
    enum { GDB_CSR = 65, MIP = 0x344 };
    return m->cpu[hart]->ops->get_register(m->cpu[hart], GDB_CSR + MIP);
}

static void put(struct machine *m, uint64_t pa, uint64_t value)
{
    cr_assert(bus_write(&m->bus, pa, 4, value));
}

Test(riscv_virt, wires)
{
    struct riscv_virt *board = two_harts();
    struct machine *m = riscv_virt_machine(board);
    enum { MSIP = 1 << 3, MTIP = 1 << 7, SEIP = 1 << 9, MEIP = 1 << 11 };
    enum { ALL = MSIP | MTIP | SEIP | MEIP };
    m->attention = false;
    put(m, MAP_ACLINT + 4, 1);
    cr_assert(m->attention);
    cr_assert_eq(mip(m, 0) & ALL, 0);
    cr_assert_eq(mip(m, 1) & ALL, MSIP);
    put(m, MAP_ACLINT + 4, 0);
    put(m, MAP_ACLINT + 0x4000, 10);
    put(m, MAP_ACLINT + 0x4004, 0);
    clock_idle_until(&m->clock, 1000);
    cr_assert_eq(mip(m, 0) & ALL, MTIP);
    cr_assert_eq(mip(m, 1) & ALL, 0);

    /* The UART's transmitter interrupt, to hart 1 in supervisor mode and hart 0 in machine mode. */
    put(m, MAP_PLIC + 4 * IRQ_UART, 1);
    put(m, MAP_PLIC + 0x2000 + 0x80 * 3, 1 << IRQ_UART);
    m->attention = false;
    cr_assert(bus_write(&m->bus, MAP_UART + 1, 1, 2));
    cr_assert(m->attention);
    cr_assert_eq(mip(m, 1) & ALL, SEIP);
    put(m, MAP_PLIC + 0x2000, 1 << IRQ_UART);
    cr_assert_eq(mip(m, 0) & ALL, MTIP | MEIP);
    machine_reset(m);
    cr_assert_eq((mip(m, 0) | mip(m, 1)) & ALL, 0);
    riscv_virt_free(board);
}

/* mtime and the time CSR are one counter; stimecmp follows when the guest sets it. */
Test(riscv_virt, one_time)
{
    enum { GDB_CSR = 65, TIME = 0xc01, MENVCFG = 0x30a, STIMECMP = 0x14d, MIP = 0x344 };
    struct program p = program_at(0x80000000);
    struct error err = ERROR_INIT;
    struct riscv_virt *board = riscv_virt_new_elf(
        &(struct riscv_virt_options){.ram_size = 16 * MIB, .harts = 2, .shift = 3, .bios = "none"},
        "time", (const uint8_t *)&p, sizeof p, &err);
    cr_assert(board, "%s", err.message);
    struct machine *m = riscv_virt_machine(board);
    struct cpu *cpu = m->cpu[1];
    cr_assert(cpu->ops->set_register(cpu, GDB_CSR + MENVCFG, 1ull << 63));
    cr_assert(cpu->ops->set_register(cpu, GDB_CSR + STIMECMP, 5000000));
    cr_assert_eq(cpu->ops->get_register(cpu, GDB_CSR + MIP) & 1 << 5, 0);
    cr_assert(bus_write(&m->bus, 0x200bff8, 8, 4999999));
    cr_assert_eq(cpu->ops->get_register(cpu, GDB_CSR + TIME), 4999999);
    cr_assert_eq(cpu->ops->get_register(cpu, GDB_CSR + MIP) & 1 << 5, 0);
    machine_idle_until(m, clock_vtime(&m->clock) + 100);
    cr_assert_eq(cpu->ops->get_register(cpu, GDB_CSR + TIME), 5000000);
    cr_assert_eq(cpu->ops->get_register(cpu, GDB_CSR + MIP) & 1 << 5, 1 << 5);
    cr_assert(bus_write(&m->bus, 0x200bff8, 8, 3));
    cr_assert_eq(cpu->ops->get_register(cpu, GDB_CSR + MIP) & 1 << 5, 0);
    riscv_virt_free(board);
}

Test(riscv_virt, serial_input)
{
    struct riscv_virt *board = two_harts();
    struct machine *m = riscv_virt_machine(board);
    cr_assert_eq(machine_input_room(m, CHANNEL_SERIAL0), 1);
    const uint8_t byte = 'x';
    machine_deliver(
        m,
        &(struct event){.kind = EVENT_INPUT, .target = CHANNEL_SERIAL0, .size = 1, .data = &byte});
    uint64_t value;
    cr_assert(bus_read(&m->bus, MAP_UART, 1, &value));
    cr_assert_eq(value, 'x');
    riscv_virt_free(board);
}

Test(riscv_virt, save_and_load)
{
    struct riscv_virt *board = two_harts(), *other = two_harts();
    struct machine *m = riscv_virt_machine(board), *n = riscv_virt_machine(other);
    put(m, MAP_ACLINT + 4, 1);
    put(m, MAP_ACLINT + 0x4000, 0x1234);
    put(m, MAP_PLIC + 4 * IRQ_UART, 5);
    put(m, MAP_PLIC + 0x2000, 1 << IRQ_UART);
    cr_assert(bus_write(&m->bus, MAP_UART + 1, 1, 2));
    put(m, MAP_RTC + 0xc, 77);
    struct buffer saved = {0}, again = {0};
    struct error err = ERROR_INIT;
    machine_save(m, &saved);
    cr_assert(machine_load(n, saved.data, saved.size, &err), "%s", err.message);
    struct machine_digest a, b;
    machine_digest(m, &a);
    machine_digest(n, &b);
    cr_assert_eq(a.devices, b.devices);
    cr_assert_eq(a.cpus, b.cpus);
    machine_save(n, &again);
    cr_assert_eq(saved.size, again.size);
    cr_assert_arr_eq(saved.data, again.data, saved.size);
    for (size_t size = 0; size < saved.size; size += 97)
        cr_assert(!machine_load(n, saved.data, size, &err));
    buffer_fini(&saved);
    buffer_fini(&again);
    riscv_virt_free(board);
    riscv_virt_free(other);
}

/* A reset writes the images again and leaves other memory alone. */
Test(riscv_virt, reset_writes_images)
{
    struct riscv_virt_options o = machine_of(16);
    o.kernel = elf_at("k", 0x80000000);
    struct riscv_virt *board = board_new(&o);
    struct machine *m = riscv_virt_machine(board);
    uint64_t tree = tree_of(board);
    ram_write(&m->ram, 0x80000000, "dirt", 4);
    ram_write(&m->ram, tree, "dirt", 4);
    ram_write(&m->ram, 0x80001000, "kept", 4);
    machine_reset(m);
    struct program p = program_at(0x80000000);
    cr_assert_arr_eq(ram_at(&m->ram, 0x80000000), p.code, 32);
    cr_assert_eq(fdt_magic(ram_at(&m->ram, tree)), FDT_MAGIC);
    cr_assert_arr_eq(ram_at(&m->ram, 0x80001000), "kept", 4);
    riscv_virt_free(board);
}
