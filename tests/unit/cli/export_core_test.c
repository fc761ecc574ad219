/* Cores as libelf reads them: of hostile and of large page tables, in all views. */
#include "cli/commands.h"
#include "cli/export_core.h"
#include "tests/unit/cli/guest.h"

#include <fcntl.h>
#include <gelf.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Registers, as gdb numbers them. */
enum { SATP = 65 + 0x180, PMPCFG0 = 65 + 0x3a0, PMPADDR0 = 65 + 0x3b0, PRIV = 65 + 4096 };
enum { PAGE = RAM_PAGE_SIZE };
enum { RX = PF_R | PF_X };
#define BASE UINT64_C(0x80000000)

/* Pages of RAM with tables and data. */
enum { ROOT = 1024, MIDDLE, LEAVES, DATA };

static char path[] = "/tmp/export-core-XXXXXX";
static struct guest guest;
static struct machine *machine;
static struct error err;
static struct export_core_done done;
static Elf *elf;
static int fd;

static void setup(void)
{
    guest_init_demo(&guest, 2);
    machine = riscv_virt_machine(guest.board);
    fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    elf_version(EV_CURRENT);
}

static void teardown(void)
{
    elf_end(elf);
    close(fd);
    unlink(path);
    guest_fini(&guest);
}

TestSuite(export_core, .init = setup, .fini = teardown);

static uint64_t at(uint64_t page)
{
    return BASE + page * PAGE;
}

static void put(uint64_t table, unsigned index, uint64_t page, unsigned flags)
{
    uint64_t entry = at(page) >> 2 | flags;
    ram_write(&machine->ram, at(table) + index * 8, &entry, 8);
}

/* Page tables from ROOT on; S-mode or M-mode. */
static void use_tables(unsigned hart, unsigned mode, unsigned priv)
{
    struct cpu *cpu = machine->cpu[hart];
    cr_assert(cpu->ops->set_register(cpu, SATP, (uint64_t)mode << 60 | at(ROOT) / PAGE));
    cr_assert(cpu->ops->set_register(cpu, PRIV, priv));
    cr_assert(cpu->ops->set_register(cpu, PMPADDR0, UINT64_MAX >> 10));
    cr_assert(cpu->ops->set_register(cpu, PMPCFG0, 0x1f));
}

static size_t export(unsigned hart, bool physical)
{
    size_t count;
    const struct export_core_options options = {hart, physical};
    cr_assert(export_core(machine, &options, path, &done, &err), "%s", err.message);
    close(fd);
    fd = open(path, O_RDONLY);
    elf_end(elf);
    elf = elf_begin(fd, ELF_C_READ, NULL);
    cr_assert(elf, "%s", elf_errmsg(-1));
    cr_assert_eq(elf_getphdrnum(elf, &count), 0);
    cr_assert_eq(count, done.ranges + 1);
    return count;
}

static GElf_Phdr segment(size_t i)
{
    GElf_Phdr row;
    cr_assert(gelf_getphdr(elf, (int)i, &row));
    cr_assert_eq(row.p_offset % 4, 0);
    if (row.p_type == PT_LOAD) {
        cr_assert_eq(row.p_filesz, row.p_memsz);
        cr_assert_eq(row.p_offset % PAGE, 0);
    }
    return row;
}

static void assert_segment(size_t i, uint64_t va, uint64_t pa, uint64_t size, unsigned flags)
{
    GElf_Phdr s = segment(i);
    cr_assert_eq(s.p_type, PT_LOAD);
    cr_assert(s.p_vaddr == va && s.p_paddr == pa && s.p_memsz == size && s.p_flags == flags,
              "%zu: %#lx to %#lx, %#lx bytes, %x", i, s.p_vaddr, s.p_paddr, s.p_memsz, s.p_flags);
    uint8_t *bytes = malloc(size);
    cr_assert_eq(pread(fd, bytes, size, (off_t)s.p_offset), (ssize_t)size);
    cr_assert(!memcmp(bytes, ram_at(&machine->ram, pa), size), "%zu", i);
    free(bytes);
}

Test(export_core, physical)
{
    cr_assert_eq(export(0, false), 2);
    cr_assert(!done.translated && !done.cut);
    cr_assert_eq(segment(0).p_type, PT_NOTE);
    assert_segment(1, BASE, BASE, 16 << 20, PF_R | PF_W | PF_X);
    put(ROOT, 0, 0, 0xf);
    use_tables(0, 8, 1);
    cr_assert_eq(export(0, true), 2);
    cr_assert(!done.translated);
    assert_segment(1, BASE, BASE, 16 << 20, PF_R | PF_W | PF_X);
    cr_assert_eq(export(1, false), 2);
    cr_assert(!done.translated);
}

/* Aliases lead to the one copy of RAM. */
Test(export_core, virtual)
{
    memset(machine->ram.host + DATA * PAGE, 0x5a, 2 * PAGE);
    put(ROOT, 0, MIDDLE, 1);
    put(ROOT, 511, 0, 0x7);
    put(MIDDLE, 1, LEAVES, 1);
    put(LEAVES, 0, DATA, 0x1b);
    put(LEAVES, 1, DATA + 1, 0x0b);
    put(LEAVES, 3, DATA, 0x03);
    use_tables(1, 8, 1);
    cr_assert_eq(export(1, false), 4);
    cr_assert(done.translated && !done.cut);
    assert_segment(1, 2 << 20, at(DATA), 2 * PAGE, RX);
    assert_segment(2, (2 << 20) + 3 * PAGE, at(DATA), PAGE, PF_R);
    assert_segment(3, UINT64_C(0xffffffffc0000000), BASE, 16 << 20, PF_R | PF_W);
    struct stat st;
    fstat(fd, &st);
    cr_assert_lt(st.st_size, (16 << 20) + 64 * 1024);
    cr_assert_lt(st.st_blocks * 512, 1 << 20);
}

/* RAM's addresses are physical to a hart in M-mode, and the tables' all others: what they map
 * below, across both ends, inside, above. */
Test(export_core, machine_mode)
{
    use_tables(0, 8, 3);
    put(ROOT, 2, MIDDLE, 1);
    put(ROOT, 1, MIDDLE, 1);
    for (unsigned i = 0; i < 512; i++)
        put(MIDDLE, i, (i & 7) * 512, 0x3);
    put(MIDDLE, 100, 0, 0);
    cr_assert_gt(export(0, false), 100);
    size_t count = done.ranges + 1, found = 0;
    uint64_t end = 0;
    for (size_t i = 1; i < count; i++) {
        GElf_Phdr s = segment(i);
        cr_assert_geq(s.p_vaddr, end);
        end = s.p_vaddr + s.p_memsz;
        if (s.p_vaddr == BASE) {
            assert_segment(i, BASE, BASE, 16 << 20, PF_R | PF_W | PF_X);
            found++;
        }
        for (uint64_t va = s.p_vaddr; s.p_vaddr != BASE && va < end; va += 2 << 20) {
            uint64_t pa;
            cr_assert(va >= BASE + (16 << 20) || va < BASE);
            cr_assert(machine->cpu[0]->ops->set_register(machine->cpu[0], PRIV, 1));
            cr_assert(machine->cpu[0]->ops->translate(machine->cpu[0], va, CPU_READ, &pa));
            cr_assert_eq(pa, s.p_paddr + (va - s.p_vaddr));
            found++;
        }
    }
    /* 511 of each GiB, 8 of them behind RAM's addresses, and RAM. */
    cr_assert_eq(found, 511 + 511 - 8 + 1);
}

Test(export_core, a_range_across_ram)
{
    use_tables(0, 9, 3);
    const uint64_t entry = 0x7; /* 512 GiB from 0 on, to themselves */
    ram_write(&machine->ram, at(ROOT), &entry, 8);
    cr_assert_eq(export(0, false), 2);
    assert_segment(1, BASE, BASE, 16 << 20, PF_R | PF_W | PF_X);
}

/* More segments than e_phnum can count. */
Test(export_core, many_ranges)
{
    put(ROOT, 3, MIDDLE, 1);
    for (unsigned i = 0; i < 512; i++) {
        put(MIDDLE, i, LEAVES, 1);
        if (i % 2)
            put(LEAVES, i, DATA, 0x3);
    }
    use_tables(0, 8, 1);
    cr_assert_eq(export(0, false), 131072 + 1);
    cr_assert(!done.cut);
    assert_segment(1, (UINT64_C(3) << 30) + PAGE, at(DATA), PAGE, PF_R);
    assert_segment(131072, (UINT64_C(4) << 30) - PAGE, at(DATA), PAGE, PF_R);
    cr_assert_eq(segment(0).p_type, PT_NOTE);

    for (unsigned i = 0; i < 512; i++)
        put(ROOT, i, MIDDLE, 1);
    cr_assert_eq(export(0, false), EXPORT_RANGES + 1);
    cr_assert(done.cut);
    GElf_Phdr last = segment(EXPORT_RANGES);
    cr_assert_eq(done.cut_at, last.p_vaddr + last.p_memsz);
    struct buffer out = {0};
    const struct export_core_options options = {0};
    export_core_say(&done, &options, 1234, "x", &out);
    cr_assert_str_eq(buffer_text(&out),
                     "core of hart 0 at position 1,234 is in x: 1,048,576 ranges of virtual "
                     "addresses\nthe page tables map more than that: what lies from 0x200000000 on "
                     "is left out\n");
    buffer_fini(&out);
}

/* ---- notes ---- */

Test(export_core, threads)
{
    for (unsigned hart = 0; hart < 2; hart++)
        for (unsigned i = 1; i < 65; i++)
            machine->cpu[hart]->ops->set_register(machine->cpu[hart], i, (hart + 1) * 1000 + i);
    machine->cpu[1]->ops->set_register(machine->cpu[1], 65 + 3, 0xe5);
    export(1, false);
    GElf_Phdr notes = segment(0);
    Elf_Data *data = elf_getdata_rawchunk(elf, (off_t)notes.p_offset, notes.p_filesz, ELF_T_NHDR);
    GElf_Nhdr note;
    size_t name, offset = 0, next, statuses = 0, floats = 0, others = 0;
    while ((next = gelf_getnote(data, offset, &note, &name, &offset))) {
        const uint8_t *bytes = (const uint8_t *)data->d_buf + offset;
        const char *owner = (const char *)data->d_buf + name;
        unsigned hart = statuses == 1;
        if (note.n_type == NT_PRSTATUS) {
            hart = !statuses;
            statuses++;
            cr_assert_eq(note.n_descsz, 376);
            cr_assert_eq(load_le32(bytes + 32), hart + 1);
            cr_assert_eq(load_le64(bytes + 112), (hart + 1) * 1000 + 32);
            for (unsigned i = 1; i < 32; i++)
                cr_assert_eq(load_le64(bytes + 112 + 8 * i), (hart + 1) * 1000 + i);
        } else if (note.n_type == NT_PRFPREG) {
            floats++;
            cr_assert_eq(note.n_descsz, 264);
            for (unsigned i = 0; i < 32; i++)
                cr_assert_eq(load_le64(bytes + 8 * i), (hart + 1) * 1000 + 33 + i);
            cr_assert_eq(load_le64(bytes + 256), hart ? 0xe5 : 0);
        } else {
            others++;
            cr_assert_str_eq(owner, "GDB");
        }
        offset = next;
    }
    cr_assert_eq(offset, notes.p_filesz);
    cr_assert(statuses == 2 && floats == 2 && others == 3, "%zu %zu %zu", statuses, floats, others);
}

/* ---- commands ---- */

static struct buffer said;

static const char *say(const char *format, const char *name)
{
    struct command_context context = {.timeline = guest.timeline};
    char line[200];
    snprintf(line, sizeof line, format, name);
    buffer_clear(&said);
    commands_run(&context, line, &said);
    return buffer_text(&said);
}

Test(export_core, command)
{
    char text[200];
    snprintf(text, sizeof text,
             "core of hart 0 at position 0 is in %s: 1 range of physical addresses\n", path);
    cr_assert_str_eq(say("export core %s", path), text);
    cr_assert_str_eq(say("e c  %s  physical ", path), text);
    text[strlen("core of hart ")] = '1';
    cr_assert_str_eq(say("export core %s  hart 1", path), text);
    cr_assert_str_eq(say("export core %s hart 2", path),
                     "there is no such hart: `info harts` lists them\n");
    /* A file of such a name is meant when nothing else could be. */
    cr_assert(strstr(say("export core /none/%s", "hart 1"), "/none/hart 1.part0: No such file"));
    cr_assert(strstr(say("export core %s", "/none/x 1"), "/none/x 1.part0: No such file"));
    snprintf(text, sizeof text, "RAM at position 0 is in %s: 16.0 MiB from address 0x80000000 on\n",
             path);
    cr_assert_str_eq(say("export memory %s", path), text);
    buffer_fini(&said);
}

Test(export_core, memory)
{
    struct stat st;
    static uint8_t bytes[16 << 20];
    machine->ram.host[(16 << 20) - 1] = 7;
    cr_assert(export_memory(machine, path, &err), "%s", err.message);
    int file = open(path, O_RDONLY);
    fstat(file, &st);
    cr_assert_eq(st.st_size, sizeof bytes);
    cr_assert_lt(st.st_blocks * 512, 1 << 20);
    cr_assert_eq(read(file, bytes, sizeof bytes), sizeof bytes);
    close(file);
    cr_assert(!memcmp(bytes, machine->ram.host, sizeof bytes));
}
