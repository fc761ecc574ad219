#include "machine/loader.h"

#include "base/check.h"
#include "base/endian.h"
#include "base/log.h"
#include "base/spill.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <inttypes.h>
#include <libelf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void images_init(struct images *images)
{
    *images = (struct images){0};
}

void images_fini(struct images *images)
{
    for (size_t i = 0; i < images->count; i++)
        if (images->segment[i].size)
            spill_area_free(images->segment[i].bytes, images->segment[i].size);
    free(images->segment);
    *images = (struct images){0};
}

/* Append a copy of bytes[0..size); the range has been checked against RAM. */
static bool append(struct images *images, const char *name, uint64_t pa, const void *bytes,
                   uint64_t size, uint64_t mem_size, struct error *err)
{
    if (images->count == IMAGE_SEGMENTS)
        return error_set(err, ERROR_FORMAT, "%s: more than %u segments to load", name,
                         IMAGE_SEGMENTS);
    uint8_t *copy = size ? spill_area_new(size) : NULL;
    if (size && !copy)
        return error_set(err, ERROR_MEMORY, "%s: no memory for %" PRIu64 " bytes", name, size);
    if (size) {
        memcpy(copy, bytes, size);
        spill_area_rest(copy, size);
    }
    images->segment = mem_grow(images->segment, images->count + 1, sizeof *images->segment);
    images->segment[images->count++] = (struct image_segment){pa, copy, size, mem_size};
    return true;
}

static bool fits(const struct ram *ram, const char *name, uint64_t pa, uint64_t size,
                 struct error *err)
{
    if (ram_contains(ram, pa, size))
        return true;
    return error_set(err, ERROR_RANGE,
                     "%s: %" PRIu64 " bytes at %#" PRIx64 " lie outside RAM (%" PRIu64
                     " MiB at %#" PRIx64 ")",
                     name, size, pa, ram->size >> 20, ram->base);
}

static bool overlaps(const struct image_segment *s, uint64_t pa, uint64_t size)
{
    return pa < s->pa + s->mem_size && s->pa < pa + size;
}

/* An ELF being read. Segments collect in `found`, the caller's images change only on success. */
struct elf_file {
    const char *name;
    const uint8_t *bytes;
    size_t size;
    const struct ram *ram;
    Elf *elf;
    GElf_Ehdr header;
    struct images found;
};

static bool check_header(struct elf_file *f, struct error *err)
{
    const uint8_t *ident = f->bytes;
    if (f->size < sizeof(Elf64_Ehdr))
        return error_set(err, ERROR_FORMAT, "%s: the ELF header is cut off after %zu bytes",
                         f->name, f->size);
    if (ident[EI_CLASS] != ELFCLASS64)
        return error_set(err, ERROR_FORMAT, "%s: not a 64-bit ELF file", f->name);
    if (ident[EI_DATA] != ELFDATA2LSB)
        return error_set(err, ERROR_FORMAT, "%s: not a little-endian ELF file", f->name);
    if (elf_version(EV_CURRENT) == EV_NONE ||
        !(f->elf = elf_memory((char *)(uintptr_t)f->bytes, f->size)) ||
        elf_kind(f->elf) != ELF_K_ELF || !gelf_getehdr(f->elf, &f->header))
        return error_set(err, ERROR_FORMAT, "%s: damaged ELF header: %s", f->name, elf_errmsg(-1));
    if (f->header.e_machine != EM_RISCV)
        return error_set(err, ERROR_FORMAT, "%s: an ELF file for machine %u, not for RISC-V (%u)",
                         f->name, f->header.e_machine, EM_RISCV);
    if (f->header.e_type != ET_EXEC && f->header.e_type != ET_DYN)
        return error_set(err, ERROR_FORMAT, "%s: not an executable ELF file", f->name);
    return true;
}

static bool load_segment(struct elf_file *f, const GElf_Phdr *p, struct error *err)
{
    if (p->p_filesz > p->p_memsz)
        return error_set(err, ERROR_FORMAT,
                         "%s: the segment at %#" PRIx64 " has more bytes in the file (%" PRIu64
                         ") than in memory (%" PRIu64 ")",
                         f->name, p->p_paddr, p->p_filesz, p->p_memsz);
    if (p->p_offset > f->size || p->p_filesz > f->size - p->p_offset)
        return error_set(err, ERROR_FORMAT,
                         "%s: cut off: the segment at %#" PRIx64
                         " ends outside the file of %zu bytes",
                         f->name, p->p_paddr, f->size);
    if (!fits(f->ram, f->name, p->p_paddr, p->p_memsz, err))
        return false;
    for (size_t i = 0; i < f->found.count; i++)
        if (overlaps(&f->found.segment[i], p->p_paddr, p->p_memsz))
            return error_set(err, ERROR_FORMAT, "%s: the segment at %#" PRIx64 " overlaps another",
                             f->name, p->p_paddr);
    return append(&f->found, f->name, p->p_paddr, f->bytes + p->p_offset, p->p_filesz, p->p_memsz,
                  err);
}

static bool next_segment(struct elf_file *f, int *at, GElf_Phdr *p)
{
    while (*at < f->header.e_phnum) {
        if (!gelf_getphdr(f->elf, (*at)++, p))
            return false;
        if (p->p_type == PT_LOAD && p->p_memsz)
            return true;
    }
    return false;
}

static bool load_segments(struct elf_file *f, struct error *err)
{
    int at = 0;
    GElf_Phdr p;
    if (f->header.e_phoff > f->size ||
        f->header.e_phnum * sizeof(Elf64_Phdr) > f->size - f->header.e_phoff)
        return error_set(err, ERROR_FORMAT, "%s: the program headers are cut off", f->name);
    while (next_segment(f, &at, &p))
        if (!load_segment(f, &p, err))
            return false;
    return f->found.count || error_set(err, ERROR_FORMAT, "%s: has no segments to load", f->name);
}

/* Where a virtual address of the file lies physically. Addresses in no segment's virtual range are
 * taken as they are when they lie in a physical one: some kernels are entered that way. */
static bool to_physical(struct elf_file *f, uint64_t va, uint64_t *pa)
{
    int at = 0;
    GElf_Phdr p;
    while (next_segment(f, &at, &p)) {
        if (va - p.p_vaddr < p.p_memsz) {
            *pa = va - p.p_vaddr + p.p_paddr;
            return true;
        }
    }
    *pa = va;
    for (size_t i = 0; i < f->found.count; i++)
        if (overlaps(&f->found.segment[i], va, 1))
            return true;
    return false;
}

/* The value of symbol `name` in the file's symbol table (a file has at most one). */
static bool find_symbol(struct elf_file *f, const char *name, uint64_t *value)
{
    size_t length = strlen(name) + 1;
    GElf_Shdr header;
    Elf_Scn *section = NULL;
    do {
        section = elf_nextscn(f->elf, section);
        if (!section || !gelf_getshdr(section, &header))
            return false;
    } while (header.sh_type != SHT_SYMTAB);
    Elf_Data *symbols = elf_getdata(section, NULL);
    Elf_Data *names = elf_getdata(elf_getscn(f->elf, header.sh_link), NULL);
    if (!symbols || !names || !names->d_buf || symbols->d_size / sizeof(Elf64_Sym) > INT32_MAX)
        return false;
    GElf_Sym symbol;
    for (int i = 0; gelf_getsym(symbols, i, &symbol); i++) {
        if (symbol.st_shndx == SHN_UNDEF || symbol.st_name > names->d_size ||
            names->d_size - symbol.st_name < length)
            continue;
        if (!memcmp((const char *)names->d_buf + symbol.st_name, name, length)) {
            *value = symbol.st_value;
            return true;
        }
    }
    return false;
}

static void find_tohost(struct elf_file *f)
{
    uint64_t va, pa;
    if (!find_symbol(f, "tohost", &va))
        return;
    to_physical(f, va, &pa);
    if (pa % 8 == 0 && ram_contains(f->ram, pa, 8))
        f->found.tohost = pa;
    else
        log_line(LOG_WARN, "%s: the symbol tohost at %#" PRIx64 " is no doubleword in RAM, ignored",
                 f->name, va);
}

static bool load_elf(struct elf_file *f, uint64_t *entry, struct error *err)
{
    if (!check_header(f, err) || !load_segments(f, err))
        return false;
    if (!to_physical(f, f->header.e_entry, entry))
        return error_set(err, ERROR_FORMAT, "%s: the entry point %#" PRIx64 " lies in no segment",
                         f->name, f->header.e_entry);
    find_tohost(f);
    return true;
}

/* The header of Linux's Image. Linux, Documentation/riscv/boot-image-header. */
enum { IMAGE_HEADER = 64, IMAGE_SIZE_AT = 16, IMAGE_FLAGS_AT = 24, IMAGE_MAGIC_AT = 56 };

static bool is_riscv_image(const uint8_t *bytes, size_t size)
{
    return size >= IMAGE_HEADER && !memcmp(bytes + IMAGE_MAGIC_AT, "RSC\x05", 4);
}

static bool load_flat(struct images *found, const char *name, const uint8_t *bytes, size_t size,
                      uint64_t pa, const struct ram *ram, struct error *err)
{
    uint64_t mem_size = size;
    if (is_riscv_image(bytes, size)) {
        if (load_le64(bytes + IMAGE_FLAGS_AT) & 1)
            return error_set(err, ERROR_FORMAT, "%s: a big-endian kernel Image", name);
        uint64_t image_size = load_le64(bytes + IMAGE_SIZE_AT);
        if (image_size > mem_size)
            mem_size = image_size;
    } else if (size >= 2 && bytes[0] == 0x1f && bytes[1] == 0x8b) {
        return error_set(err, ERROR_FORMAT, "%s: compressed with gzip: unpack it first", name);
    }
    return fits(ram, name, pa, mem_size, err) &&
           append(found, name, pa, bytes, size, mem_size, err);
}

static void cover(const struct images *found, struct image_info *info)
{
    info->low = UINT64_MAX;
    info->high = 0;
    for (size_t i = 0; i < found->count; i++) {
        const struct image_segment *s = &found->segment[i];
        if (s->pa < info->low)
            info->low = s->pa;
        if (s->pa + s->mem_size > info->high)
            info->high = s->pa + s->mem_size;
    }
}

/* Move all of `found` to the end of `images`, which is unchanged on error. */
static bool commit(struct images *images, struct images *found, const char *name, struct error *err)
{
    if (images->count + found->count > IMAGE_SEGMENTS)
        return error_set(err, ERROR_FORMAT, "%s: more than %u segments to load", name,
                         IMAGE_SEGMENTS);
    images->segment =
        mem_grow(images->segment, images->count + found->count, sizeof *images->segment);
    memcpy(images->segment + images->count, found->segment, found->count * sizeof *found->segment);
    images->count += found->count;
    found->count = 0;
    if (found->tohost)
        images->tohost = found->tohost;
    return true;
}

bool images_load_bytes(struct images *images, const char *name, const uint8_t *bytes, size_t size,
                       uint64_t raw_pa, const struct ram *ram, struct image_info *info,
                       struct error *err)
{
    if (!size)
        return error_set(err, ERROR_FORMAT, "%s: the file is empty", name);
    struct elf_file f = {.name = name, .bytes = bytes, .size = size, .ram = ram};
    bool ok;
    if (size >= SELFMAG && !memcmp(bytes, ELFMAG, SELFMAG)) {
        info->kind = IMAGE_ELF;
        ok = load_elf(&f, &info->entry, err);
        elf_end(f.elf);
    } else {
        info->kind = is_riscv_image(bytes, size) ? IMAGE_RISCV : IMAGE_RAW;
        info->entry = raw_pa;
        ok = load_flat(&f.found, name, bytes, size, raw_pa, ram, err);
    }
    cover(&f.found, info);
    ok = ok && commit(images, &f.found, name, err);
    images_fini(&f.found);
    return ok;
}

bool images_add(struct images *images, const char *name, uint64_t pa, const void *bytes,
                size_t size, const struct ram *ram, struct error *err)
{
    return fits(ram, name, pa, size, err) && append(images, name, pa, bytes, size, size, err);
}

/* Pages that are zero already are left alone, so that a large .bss costs the host no memory. */
static void write_zeroes(struct ram *ram, uint64_t pa, uint64_t size)
{
    static const uint8_t zeroes[RAM_PAGE_SIZE];
    while (size) {
        uint64_t n = RAM_PAGE_SIZE - (pa & (RAM_PAGE_SIZE - 1));
        if (n > size)
            n = size;
        if (memcmp(ram_at(ram, pa), zeroes, n))
            ram_write(ram, pa, zeroes, n);
        pa += n;
        size -= n;
    }
}

void images_write(const struct images *images, struct ram *ram)
{
    for (size_t i = 0; i < images->count; i++) {
        const struct image_segment *s = &images->segment[i];
        ram_write(ram, s->pa, s->bytes, s->size);
        if (s->size)
            spill_area_rest(s->bytes, s->size);
        write_zeroes(ram, s->pa + s->size, s->mem_size - s->size);
    }
}

static bool read_all(int fd, const char *path, uint8_t *bytes, size_t size, struct error *err)
{
    size_t have = 0;
    while (have < size) {
        ssize_t n = read(fd, bytes + have, size - have);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_set(err, ERROR_IO, "%s: cannot be read: %s", path, strerror(errno));
        if (!n)
            return error_set(err, ERROR_IO, "%s: ended after %zu of %zu bytes", path, have, size);
        have += (size_t)n;
    }
    return true;
}

static bool read_open(int fd, const char *path, uint64_t limit, uint8_t **bytes, size_t *size,
                      struct error *err)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return error_set(err, ERROR_IO, "%s: %s", path, strerror(errno));
    if (S_ISDIR(st.st_mode))
        return error_set(err, ERROR_IO, "%s: is a directory", path);
    if (!S_ISREG(st.st_mode))
        return error_set(err, ERROR_IO, "%s: is not a regular file", path);
    if ((uint64_t)st.st_size > limit)
        return error_set(err, ERROR_RANGE, "%s: %jd bytes, more than the %" PRIu64 " allowed", path,
                         (intmax_t)st.st_size, limit);
    *size = (size_t)st.st_size;
    *bytes = malloc(*size + 1);
    if (!*bytes)
        return error_set(err, ERROR_MEMORY, "%s: no memory for %zu bytes", path, *size);
    if (read_all(fd, path, *bytes, *size, err))
        return true;
    free(*bytes);
    return false;
}

bool file_read(const char *path, uint64_t limit, uint8_t **bytes, size_t *size, struct error *err)
{
    /* Opening a FIFO would wait for a writer. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return error_set(err, ERROR_IO, "%s: %s", path, strerror(errno));
    bool ok = read_open(fd, path, limit, bytes, size, err);
    close(fd);
    return ok;
}
