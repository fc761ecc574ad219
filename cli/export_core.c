#include "cli/export_core.h"

#include "base/buffer.h"
#include "base/check.h"
#include "base/endian.h"
#include "base/outfile.h"
#include "cli/numbers.h"
#include "server/register_table.h"

#include <elf.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- which addresses lead where ---- */

struct ranges {
    struct cpu_mapping *item; /* ascending, apart */
    size_t count, capacity;
};

static void add_range(struct ranges *r, const struct cpu_mapping *m)
{
    if (!m->size)
        return;
    if (r->count == r->capacity) {
        r->capacity = r->capacity ? 2 * r->capacity : 64;
        r->item = mem_grow(r->item, r->capacity, sizeof *r->item);
    }
    r->item[r->count++] = *m;
}

static bool visit(void *ctx, const struct cpu_mapping *m)
{
    struct ranges *r = ctx;
    if (r->count == EXPORT_RANGES)
        return false;
    add_range(r, m);
    return true;
}

/* The first `size` bytes, and the others. */
static struct cpu_mapping head(struct cpu_mapping m, uint64_t size)
{
    m.size = size < m.size ? size : m.size;
    return m;
}

static struct cpu_mapping tail(struct cpu_mapping m, uint64_t size)
{
    size = size < m.size ? size : m.size;
    return (struct cpu_mapping){m.va + size, m.pa + size, m.size - size, m.rights};
}

/* RAM at its physical addresses, in place of what else there is at them. */
static void put_physical(struct ranges *r, const struct ram *ram)
{
    const struct cpu_mapping all = {ram->base, ram->base, ram->size,
                                    1 << CPU_FETCH | 1 << CPU_READ | 1 << CPU_WRITE};
    struct ranges put = {0};
    size_t i = 0;
    for (; i < r->count && r->item[i].va < all.va; i++) {
        struct cpu_mapping part = head(r->item[i], all.va - r->item[i].va);
        add_range(&put, &part);
    }
    add_range(&put, &all);
    /* Of those that begin before its end: also the last one from above. */
    for (i -= i > 0; i < r->count; i++) {
        uint64_t end = all.va + all.size, va = r->item[i].va;
        struct cpu_mapping part = tail(r->item[i], va < end ? end - va : 0);
        add_range(&put, &part);
    }
    free(r->item);
    *r = put;
}

static void find_ranges(const struct machine *m, const struct export_core_options *o,
                        struct ranges *r, struct export_core_done *done)
{
    const struct cpu *cpu = m->cpu[o->hart];
    struct cpu_mappings mappings = {.physical = true};
    if (!o->physical)
        mappings = cpu->ops->mappings(cpu, visit, r);
    *done = (struct export_core_done){.translated = r->count || !mappings.physical,
                                      .cut = mappings.cut};
    if (r->count)
        done->cut_at = r->item[r->count - 1].va + r->item[r->count - 1].size;
    if (mappings.physical)
        put_physical(r, &m->ram);
    done->ranges = r->count;
}

/* ---- notes: registers ---- */

/* Linux, arch/riscv: struct elf_prstatus, union __riscv_fp_state with double floats. */
enum { PRSTATUS = 376, PRSTATUS_PID = 32, PRSTATUS_REGS = 112, FPREGS = 264 };
/* Numbers of registers, see struct cpu_register. */
enum { REG_X = 0, REG_PC = 32, REG_F = 33, REG_FCSR = 68 };
/* gdb's own notes, by the numbers that binutils gives them. */
enum { NOTE_CSR = 0x900 };
#define NOTE_TDESC 0xff000000u

static void append_note(struct buffer *out, const char *owner, uint32_t type, const void *bytes,
                        size_t size)
{
    static const uint8_t zero[4];
    const Elf64_Nhdr header = {(Elf64_Word)strlen(owner) + 1, (Elf64_Word)size, type};
    buffer_append(out, &header, sizeof header);
    buffer_append(out, owner, header.n_namesz);
    buffer_append(out, zero, -header.n_namesz & 3);
    buffer_append(out, bytes, size);
    buffer_append(out, zero, -size & 3);
}

static uint64_t reg(const struct cpu *cpu, unsigned number)
{
    return cpu->ops->get_register(cpu, number);
}

static void append_general(struct buffer *out, const struct cpu *cpu)
{
    uint8_t status[PRSTATUS] = {0};
    store_le32(status + PRSTATUS_PID, cpu->index + 1);
    store_le64(status + PRSTATUS_REGS, reg(cpu, REG_PC));
    for (unsigned i = 1; i < 32; i++)
        store_le64(status + PRSTATUS_REGS + 8 * i, reg(cpu, REG_X + i));
    append_note(out, "CORE", NT_PRSTATUS, status, sizeof status);
}

static void append_floating(struct buffer *out, const struct cpu *cpu)
{
    uint8_t state[FPREGS];
    for (unsigned i = 0; i < 32; i++)
        store_le64(state + 8 * i, reg(cpu, REG_F + i));
    store_le64(state + 8 * 32, reg(cpu, REG_FCSR));
    append_note(out, "CORE", NT_PRFPREG, state, sizeof state);
}

/* The description of what is in the core, by number. fcsr is as wide as in Linux's layout, and
 * fflags and frm, which have no place of their own there, go with the CSRs. */
static struct rsp_register *describe(const struct cpu_ops *ops, size_t *count)
{
    struct rsp_register *item = mem_new(ops->register_count, sizeof *item);
    *count = 0;
    for (size_t i = 0; i < ops->register_count; i++) {
        const struct cpu_register *r = &ops->registers[i];
        struct rsp_register *to = &item[*count];
        if (r->feature == CPU_FEATURE_VIRTUAL)
            continue;
        *to = register_described(r);
        if (to->bits == 32) {
            to->bits = 64;
            if (to->number != REG_FCSR)
                to->feature = RSP_TDESC_RISCV_CSR;
        }
        ++*count;
    }
    return item;
}

static void append_csrs(struct buffer *out, const struct cpu *cpu, const struct rsp_register *item,
                        size_t count)
{
    struct buffer values = {0};
    for (size_t i = 0; i < count; i++) {
        if (strcmp(item[i].feature, RSP_TDESC_RISCV_CSR) != 0)
            continue;
        store_le64(buffer_extend(&values, 8), reg(cpu, item[i].number));
    }
    append_note(out, "GDB", NOTE_CSR, values.data, values.size);
    buffer_fini(&values);
}

static void append_hart(struct buffer *out, const struct cpu *cpu, const struct rsp_register *item,
                        size_t count)
{
    append_general(out, cpu);
    append_floating(out, cpu);
    append_csrs(out, cpu, item, count);
}

/* The first thread is the one that gdb chooses. */
static void append_notes(struct buffer *out, const struct machine *m, unsigned first)
{
    const struct cpu_ops *ops = m->cpu[first]->ops;
    struct buffer xml = {0};
    size_t count;
    struct rsp_register *item = describe(ops, &count);
    rsp_tdesc_append(&xml, ops->architecture, item, count);
    append_hart(out, m->cpu[first], item, count);
    append_note(out, "GDB", NOTE_TDESC, buffer_text(&xml), xml.size);
    for (unsigned i = 0; i < m->config.cpus; i++)
        if (i != first)
            append_hart(out, m->cpu[i], item, count);
    buffer_fini(&xml);
    free(item);
}

/* ---- the file: header, program headers, notes, RAM ---- */

static uint64_t round_up(uint64_t value)
{
    return (value + RAM_PAGE_SIZE - 1) & ~(uint64_t)(RAM_PAGE_SIZE - 1);
}

/* More program headers than e_phnum can tell: their number is in a section header. */
static void append_count(struct buffer *out, Elf64_Ehdr *header, size_t count)
{
    if (count < PN_XNUM) {
        header->e_phnum = (Elf64_Half)count;
        return;
    }
    const Elf64_Shdr section = {.sh_info = (Elf64_Word)count};
    header->e_phnum = PN_XNUM;
    header->e_shoff = sizeof *header;
    header->e_shentsize = sizeof section;
    header->e_shnum = 1;
    header->e_phoff += sizeof section;
    buffer_append(out, &section, sizeof section);
}

static void append_segment(struct buffer *out, const struct ram *ram, const struct cpu_mapping *m,
                           uint64_t ram_offset)
{
    const Elf64_Phdr segment = {
        .p_type = PT_LOAD,
        .p_flags = (m->rights >> CPU_FETCH & 1 ? PF_X : 0u) |
                   (m->rights >> CPU_READ & 1 ? PF_R : 0u) |
                   (m->rights >> CPU_WRITE & 1 ? PF_W : 0u),
        .p_offset = ram_offset + (m->pa - ram->base),
        .p_vaddr = m->va,
        .p_paddr = m->pa,
        .p_filesz = m->size,
        .p_memsz = m->size,
        .p_align = RAM_PAGE_SIZE,
    };
    buffer_append(out, &segment, sizeof segment);
}

/* All that stands before RAM, which begins at its rounded size. */
static void append_start(struct buffer *out, const struct machine *m, const struct ranges *r,
                         const struct buffer *notes)
{
    Elf64_Ehdr header = {
        .e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
        .e_type = ET_CORE,
        .e_machine = EM_RISCV,
        .e_version = EV_CURRENT,
        .e_phoff = sizeof header,
        .e_flags = EF_RISCV_RVC | EF_RISCV_FLOAT_ABI_DOUBLE,
        .e_ehsize = sizeof header,
        .e_phentsize = sizeof(Elf64_Phdr),
    };
    buffer_extend(out, sizeof header);
    append_count(out, &header, r->count + 1);
    memcpy(out->data, &header, sizeof header);
    const uint64_t notes_at = out->size + (r->count + 1) * sizeof(Elf64_Phdr);
    const Elf64_Phdr note = {
        .p_type = PT_NOTE, .p_offset = notes_at, .p_filesz = notes->size, .p_align = 4};
    buffer_append(out, &note, sizeof note);
    for (size_t i = 0; i < r->count; i++)
        append_segment(out, &m->ram, &r->item[i], round_up(notes_at + notes->size));
    buffer_append(out, notes->data, notes->size);
}

static bool write_file(const char *path, const struct buffer *start, const struct ram *ram,
                       struct error *err)
{
    struct outfile f;
    uint64_t offset = start ? round_up(start->size) : 0;
    bool ok = outfile_open(&f, path, err) &&
              (!start || outfile_write(&f, 0, start->data, start->size, err)) &&
              outfile_write_sparse(&f, offset, ram->host, ram->size, err) &&
              outfile_commit(&f, offset + ram->size, err);
    outfile_abandon(&f);
    return ok;
}

bool export_core(const struct machine *m, const struct export_core_options *options,
                 const char *path, struct export_core_done *done, struct error *err)
{
    check(options->hart < m->config.cpus, "hart %u of %u", options->hart, m->config.cpus);
    struct ranges ranges = {0};
    struct buffer notes = {0}, start = {0};
    find_ranges(m, options, &ranges, done);
    append_notes(&notes, m, options->hart);
    append_start(&start, m, &ranges, &notes);
    bool ok = write_file(path, &start, &m->ram, err);
    free(ranges.item);
    buffer_fini(&notes);
    buffer_fini(&start);
    return ok;
}

bool export_memory(const struct machine *m, const char *path, struct error *err)
{
    return write_file(path, NULL, &m->ram, err);
}

bool export_spares(const char *path, const char *never, struct error *err)
{
    struct stat one, two;
    if (!never || stat(path, &one) < 0 || stat(never, &two) < 0 || one.st_dev != two.st_dev ||
        one.st_ino != two.st_ino)
        return true;
    return error_set(err, ERROR_BUSY, "%s is in use: give another name", path);
}

static bool same_inode(const char *one, const char *two)
{
    struct stat a, b;
    return stat(one, &a) == 0 && stat(two, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

bool export_same_file(const char *one, const char *two)
{
    const char *path[] = {one, two}, *name[2];
    char folder[2][PATH_MAX];
    if (same_inode(one, two))
        return true;
    for (unsigned i = 0; i < 2; i++) {
        const char *slash = strrchr(path[i], '/');
        int size = !slash ? 1 : slash == path[i] ? 1 : (int)(slash - path[i]);
        name[i] = slash ? slash + 1 : path[i];
        snprintf(folder[i], sizeof folder[i], "%.*s", size, slash ? path[i] : ".");
    }
    return !strcmp(name[0], name[1]) && same_inode(folder[0], folder[1]);
}

/* ---- for people ---- */

void export_core_say(const struct export_core_done *done, const struct export_core_options *o,
                     uint64_t position, const char *path, struct buffer *out)
{
    char at[NUMBER_TEXT], ranges[NUMBER_TEXT];
    number_format(position, at);
    number_format(done->ranges, ranges);
    buffer_printf(out, "core of hart %u at position %s is in %s: %s range%s of %s addresses\n",
                  o->hart, at, path, ranges, done->ranges == 1 ? "" : "s",
                  done->translated ? "virtual" : "physical");
    if (done->cut)
        buffer_printf(
            out, "the page tables map more than that: what lies from %#" PRIx64 " on is left out\n",
            done->cut_at);
}

void export_memory_say(const struct machine *m, uint64_t position, const char *path,
                       struct buffer *out)
{
    char at[NUMBER_TEXT], size[NUMBER_TEXT];
    number_format(position, at);
    number_format_size(m->ram.size, size);
    buffer_printf(out, "RAM at position %s is in %s: %s from address %#" PRIx64 " on\n", at, path,
                  size, m->ram.base);
}
