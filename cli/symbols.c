#include "cli/symbols.h"

#include "base/buffer.h"
#include "base/check.h"
#include "cli/nearest.h"
#include "cli/source_lines.h"

#include <gelf.h>
#include <inttypes.h>
#include <libelf.h>
#include <stdlib.h>
#include <string.h>

enum { SYMBOLS_MOST = 8 << 20, FILES_MOST = 64, NAME_SHOWN = 120 };

struct entry {
    uint64_t address;
    uint64_t size;
    uint64_t limit; /* end of the section */
    const char *name;
    uint32_t around; /* index of the sized entry that this one lies in; NOWHERE */
    uint8_t rank;    /* smaller is better */
    bool function;
};

#define NOWHERE UINT32_MAX

struct elf_image {
    Elf *elf;
    struct source_lines *lines; /* NULL: no DWARF */
};

struct symbols {
    struct entry *entry; /* as they were read */
    size_t count, capacity;
    /* Once `sorted`: all of them by name, and the best one of each address by that. */
    struct entry *by_name, *by_address;
    size_t addresses;
    bool sorted;
    struct elf_image image[FILES_MOST];
    size_t images;
    struct frame_section *section;
    size_t sections;
};

struct symbols *symbols_new(void)
{
    return mem_new(1, sizeof(struct symbols));
}

void symbols_free(struct symbols *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->images; i++) {
        source_lines_free(s->image[i].lines);
        elf_end(s->image[i].elf);
    }
    free(s->entry);
    free(s->by_name);
    free(s->by_address);
    free(s->section);
    free(s);
}

/* ---- reading ---- */

/* Where a section or a part of one begins or ends, as linker scripts call such places. */
static bool is_mark(const char *name)
{
    static const char *const end[] = {"_start", "_end", "_begin", "_text"};
    size_t size = strlen(name);
    if (strncmp(name, "__", 2) != 0)
        return false;
    for (size_t i = 0; i < sizeof end / sizeof *end; i++)
        if (size > strlen(end[i]) && !strcmp(name + size - strlen(end[i]), end[i]))
            return true;
    return false;
}

/* A mark without a size is worse than all others. */
static uint8_t rank_of(const GElf_Sym *symbol, const char *name)
{
    unsigned type = GELF_ST_TYPE(symbol->st_info), bind = GELF_ST_BIND(symbol->st_info);
    bool typed = type == STT_FUNC || type == STT_OBJECT;
    unsigned binding = bind == STB_GLOBAL ? 0 : bind == STB_WEAK ? 1 : 2;
    bool mark = !symbol->st_size && is_mark(name);
    return (uint8_t)((mark ? 16 : 0) + (typed ? 0 : 8) + (symbol->st_size ? 0 : 4) + binding);
}

/* Mapping symbols and the assembler's own labels name nothing. */
static bool is_name(const char *name)
{
    return *name && *name != '$' && strncmp(name, ".L", 2) != 0;
}

static void append(struct symbols *s, struct entry entry)
{
    if (s->count == SYMBOLS_MOST)
        return;
    if (s->count == s->capacity) {
        s->capacity = s->capacity ? 2 * s->capacity : 1024;
        s->entry = mem_grow(s->entry, s->capacity, sizeof *s->entry);
    }
    s->entry[s->count++] = entry;
    s->sorted = false;
}

static void add_symbol(struct symbols *s, Elf *elf, const GElf_Sym *symbol, const Elf_Data *names)
{
    GElf_Shdr section;
    unsigned type = GELF_ST_TYPE(symbol->st_info);
    Elf_Scn *scn = symbol->st_shndx && symbol->st_shndx < SHN_LORESERVE
                       ? elf_getscn(elf, symbol->st_shndx)
                       : NULL;
    if ((type != STT_FUNC && type != STT_OBJECT && type != STT_NOTYPE) || !scn ||
        !gelf_getshdr(scn, &section) || !(section.sh_flags & SHF_ALLOC) ||
        symbol->st_name >= names->d_size)
        return;
    const char *name = (const char *)names->d_buf + symbol->st_name;
    uint64_t limit = section.sh_addr + section.sh_size;
    uint64_t size = symbol->st_size <= UINT64_MAX - symbol->st_value ? symbol->st_size : 0;
    if (!is_name(name))
        return;
    append(s, (struct entry){.address = symbol->st_value,
                             .size = size,
                             .limit = limit > symbol->st_value ? limit : symbol->st_value + 1,
                             .name = name,
                             .rank = rank_of(symbol, name),
                             .function = type == STT_FUNC || (type == STT_NOTYPE &&
                                                              (section.sh_flags & SHF_EXECINSTR))});
}

/* All names of a table that ends in a zero byte are strings. */
static bool is_string_table(const Elf_Data *data)
{
    return data && data->d_buf && data->d_size &&
           ((const char *)data->d_buf)[data->d_size - 1] == '\0';
}

static void add_table(struct symbols *s, Elf *elf, Elf_Scn *scn, const GElf_Shdr *header)
{
    Elf_Data *table = elf_getdata(scn, NULL);
    Elf_Scn *strings = elf_getscn(elf, header->sh_link);
    Elf_Data *names = strings ? elf_getdata(strings, NULL) : NULL;
    GElf_Sym symbol;
    if (!table || !is_string_table(names))
        return;
    for (int i = 1; i < SYMBOLS_MOST && gelf_getsym(table, i, &symbol); i++)
        add_symbol(s, elf, &symbol, names);
}

static void add_tables(struct symbols *s, Elf *elf, unsigned type)
{
    Elf_Scn *scn = NULL;
    GElf_Shdr header;
    while ((scn = elf_nextscn(elf, scn)))
        if (gelf_getshdr(scn, &header) && header.sh_type == type)
            add_table(s, elf, scn, &header);
}

static void add_frame_section(struct symbols *s, Elf_Scn *scn, const GElf_Shdr *header, bool eh)
{
    if ((header->sh_flags & SHF_COMPRESSED) && elf_compress(scn, 0, 0) < 0)
        return;
    Elf_Data *data = header->sh_type == SHT_NOBITS ? NULL : elf_getdata(scn, NULL);
    if (!data || !data->d_buf)
        return;
    s->section = mem_grow(s->section, s->sections + 1, sizeof *s->section);
    s->section[s->sections++] =
        (struct frame_section){data->d_buf, data->d_size, header->sh_addr, eh};
}

static void add_frame_sections(struct symbols *s, Elf *elf)
{
    Elf_Scn *scn = NULL;
    GElf_Shdr header;
    size_t strings;
    if (elf_getshdrstrndx(elf, &strings) < 0)
        return;
    while ((scn = elf_nextscn(elf, scn))) {
        const char *name =
            gelf_getshdr(scn, &header) ? elf_strptr(elf, strings, header.sh_name) : NULL;
        if (name && (!strcmp(name, ".debug_frame") || !strcmp(name, ".eh_frame")))
            add_frame_section(s, scn, &header, name[1] == 'e');
    }
}

bool symbols_add(struct symbols *s, const char *name, const uint8_t *bytes, size_t size,
                 struct error *err)
{
    GElf_Ehdr header;
    if (s->images == FILES_MOST)
        return error_set(err, ERROR_RANGE, "%s: more than %d files with symbols", name, FILES_MOST);
    Elf *elf = elf_version(EV_CURRENT) == EV_NONE || size < sizeof(Elf64_Ehdr)
                   ? NULL
                   : elf_memory((char *)(uintptr_t)bytes, size);
    if (!elf || elf_kind(elf) != ELF_K_ELF || !gelf_getehdr(elf, &header) ||
        header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
        header.e_machine != EM_RISCV) {
        elf_end(elf);
        return error_set(err, ERROR_FORMAT, "%s: not an ELF file for 64-bit RISC-V", name);
    }
    size_t before = s->count;
    add_tables(s, elf, SHT_SYMTAB);
    if (s->count == before)
        add_tables(s, elf, SHT_DYNSYM);
    add_frame_sections(s, elf);
    s->image[s->images++] = (struct elf_image){elf, source_lines_new(elf)};
    return true;
}

size_t symbols_count(const struct symbols *s)
{
    return s->count;
}

/* ---- order ---- */

static int compare_better(const struct entry *a, const struct entry *b)
{
    if (a->rank != b->rank)
        return a->rank < b->rank ? -1 : 1;
    int names = strcmp(a->name, b->name);
    if (names)
        return names;
    return a->address < b->address ? -1 : a->address > b->address;
}

static int compare_addresses(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    if (x->address != y->address)
        return x->address < y->address ? -1 : 1;
    return compare_better(x, y);
}

static int compare_names(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    int names = strcmp(x->name, y->name);
    return names ? names : compare_better(x, y);
}

static bool contains(const struct entry *e, uint64_t address)
{
    return address - e->address < e->size;
}

/* Sized symbols nest or follow each other; of damaged ones that overlap the later counts. */
static void find_surroundings(struct symbols *s)
{
    uint32_t around = NOWHERE;
    for (uint32_t i = 0; i < s->addresses; i++) {
        struct entry *e = &s->by_address[i];
        while (around != NOWHERE && !contains(&s->by_address[around], e->address))
            around = s->by_address[around].around;
        e->around = around;
        if (e->size)
            around = i;
    }
}

static void sort(struct symbols *s)
{
    if (s->sorted)
        return;
    size_t room = s->count ? s->count : 1, kept = 0;
    s->sorted = true;
    s->by_name = mem_grow(s->by_name, room, sizeof *s->by_name);
    s->by_address = mem_grow(s->by_address, room, sizeof *s->by_address);
    s->addresses = 0;
    if (!s->count)
        return;
    memcpy(s->by_name, s->entry, s->count * sizeof *s->entry);
    memcpy(s->by_address, s->entry, s->count * sizeof *s->entry);
    qsort(s->by_name, s->count, sizeof *s->by_name, compare_names);
    qsort(s->by_address, s->count, sizeof *s->by_address, compare_addresses);
    for (size_t i = 0; i < s->count; i++)
        if (!kept || s->by_address[kept - 1].address != s->by_address[i].address)
            s->by_address[kept++] = s->by_address[i];
    s->addresses = kept;
    find_surroundings(s);
}

/* Index of the last entry at or before the address; NOWHERE. */
static uint32_t find_before(const struct symbols *s, uint64_t address)
{
    size_t low = 0, high = s->addresses;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (s->by_address[middle].address <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low ? (uint32_t)(low - 1) : NOWHERE;
}

bool symbols_lookup(struct symbols *s, uint64_t address, struct symbol *found)
{
    sort(s);
    uint32_t at = find_before(s, address), near = at;
    while (at != NOWHERE && !contains(&s->by_address[at], address))
        at = s->by_address[at].around;
    if (at == NOWHERE && near != NOWHERE && !s->by_address[near].size &&
        address < s->by_address[near].limit)
        at = near;
    if (at == NOWHERE)
        return false;
    const struct entry *e = &s->by_address[at];
    *found = (struct symbol){e->name, e->address, e->size, e->function};
    return true;
}

bool symbols_find(struct symbols *s, const char *name, uint64_t *address)
{
    sort(s);
    size_t low = 0, high = s->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (strcmp(s->by_name[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == s->count || strcmp(s->by_name[low].name, name) != 0)
        return false;
    *address = s->by_name[low].address;
    return true;
}

const char *symbols_nearest(const struct symbols *s, const char *name)
{
    return s->count ? nearest(name, &s->entry[0].name, sizeof *s->entry, s->count) : NULL;
}

size_t symbols_source(struct symbols *s, uint64_t address, struct source_frame *out, size_t limit)
{
    struct symbol symbol;
    for (size_t i = 0; i < s->images; i++) {
        size_t count =
            s->image[i].lines ? source_lines_find(s->image[i].lines, address, out, limit) : 0;
        if (!count)
            continue;
        if (!out[count - 1].function && symbols_lookup(s, address, &symbol))
            out[count - 1].function = symbol.name;
        return count;
    }
    *out = (struct source_frame){0};
    if (symbols_lookup(s, address, &symbol))
        out->function = symbol.name;
    return 1;
}

bool symbols_frame_section(const struct symbols *s, size_t index, struct frame_section *section)
{
    if (index >= s->sections)
        return false;
    *section = s->section[index];
    return true;
}

bool symbols_append(struct symbols *s, uint64_t address, struct buffer *out)
{
    struct symbol symbol;
    if (!symbols_lookup(s, address, &symbol))
        return false;
    buffer_printf(out, "%.*s", NAME_SHOWN, symbol.name);
    if (address != symbol.address)
        buffer_printf(out, "+%#" PRIx64, address - symbol.address);
    return true;
}
