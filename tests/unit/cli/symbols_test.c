#include "cli/symbols.h"

#include "base/buffer.h"
#include "base/endian.h"
#include "tests/unit/cli/guest_elf.h"

#include <elf.h>
#include <inttypes.h>

static struct elf_bytes elf;
static struct symbols *symbols;

static void setup(void)
{
    elf = demo_elf();
    symbols = symbols_of(&elf);
}

static void teardown(void)
{
    symbols_free(symbols);
    free(elf.bytes);
}

TestSuite(symbols, .init = setup, .fini = teardown);

static uint64_t address_of(const char *name)
{
    uint64_t address = 0;
    cr_assert(symbols_find(symbols, name, &address), "%s", name);
    return address;
}

Test(symbols, names)
{
    struct symbol s;
    uint64_t address = address_of("ring_put");
    cr_assert(symbols_lookup(symbols, address, &s));
    cr_assert_str_eq(s.name, "ring_put");
    cr_assert(s.function);
    cr_assert_gt(s.size, 8);
    cr_assert(symbols_lookup(symbols, address + s.size - 1, &s));
    cr_assert_str_eq(s.name, "ring_put");
    cr_assert(symbols_lookup(symbols, address + s.size, &s));
    cr_assert_str_neq(s.name, "ring_put");
    cr_assert(symbols_lookup(symbols, address_of("sensors"), &s));
    cr_assert_not(s.function);
    cr_assert_not(symbols_find(symbols, "ring_pu", &address));
    cr_assert_not(symbols_find(symbols, "", &address));
    cr_assert_not(symbols_lookup(symbols, 0, &s));
    cr_assert_not(symbols_lookup(symbols, UINT64_MAX, &s));
}

/* `clear`, `run` and `park` are labels inside of _start. */
Test(symbols, labels_in_functions)
{
    struct symbol s;
    struct buffer text = {0};
    uint64_t park = address_of("park");
    cr_assert(symbols_lookup(symbols, park, &s));
    cr_assert_str_eq(s.name, "_start");
    cr_assert_lt(s.address, park);
    cr_assert(symbols_append(symbols, address_of("_start") + 4, &text));
    cr_assert_str_eq(buffer_text(&text), "_start+0x4");
    buffer_clear(&text);
    cr_assert_not(symbols_append(symbols, 16, &text));
    cr_assert_eq(text.size, 0);
    buffer_fini(&text);
}

Test(symbols, source_lines)
{
    struct source_frame source[SOURCE_FRAMES];
    cr_assert_eq(symbols_source(symbols, address_of("sensors_value"), source, SOURCE_FRAMES), 1);
    cr_assert_str_eq(source[0].function, "sensors_value");
    cr_assert_str_eq(source[0].file, "guests/demo/sensors.c");
    cr_assert_gt(source[0].line, 80);
    cr_assert_lt(source[0].line, 100);
    cr_assert_eq(symbols_source(symbols, address_of("trap_entry"), source, SOURCE_FRAMES), 1);
    cr_assert_str_eq(source[0].function, "trap_entry");
    cr_assert_str_eq(source[0].file, "guests/demo/start.S");
    cr_assert_eq(symbols_source(symbols, 16, source, SOURCE_FRAMES), 1);
    cr_assert_null(source[0].function);
    cr_assert_null(source[0].file);
}

/* Some instruction of sensors_filter belongs to filter, inlined. */
Test(symbols, inlined)
{
    struct source_frame source[SOURCE_FRAMES];
    struct symbol s;
    bool found = false;
    uint64_t start = address_of("sensors_filter");
    cr_assert(symbols_lookup(symbols, start, &s));
    for (uint64_t at = start; at < start + s.size; at += 2) {
        size_t count = symbols_source(symbols, at, source, SOURCE_FRAMES);
        cr_assert_str_eq(source[count - 1].function, "sensors_filter");
        cr_assert_not(source[count - 1].inlined);
        if (count != 2)
            continue;
        cr_assert_str_eq(source[0].function, "filter");
        cr_assert(source[0].inlined);
        cr_assert_str_eq(source[1].file, "guests/demo/sensors.c");
        cr_assert_gt(source[1].line, source[0].line);
        found = true;
    }
    cr_assert(found);
    cr_assert_eq(symbols_source(symbols, start, source, 1), 1);
}

/* Against the table itself, read in the plainest way. */
Test(symbols, every_function)
{
    const Elf64_Ehdr *header = (const void *)elf.bytes;
    const Elf64_Shdr *section = (const void *)(elf.bytes + header->e_shoff);
    size_t seen = 0;
    for (unsigned i = 0; i < header->e_shnum; i++) {
        if (section[i].sh_type != SHT_SYMTAB)
            continue;
        const char *names = (const char *)elf.bytes + section[section[i].sh_link].sh_offset;
        for (uint64_t at = 0; at < section[i].sh_size; at += sizeof(Elf64_Sym)) {
            Elf64_Sym symbol;
            struct symbol found;
            memcpy(&symbol, elf.bytes + section[i].sh_offset + at, sizeof symbol);
            if (ELF64_ST_TYPE(symbol.st_info) != STT_FUNC)
                continue;
            seen++;
            cr_assert(symbols_lookup(symbols, symbol.st_value, &found));
            cr_assert_eq(found.address, symbol.st_value);
            cr_assert_str_eq(found.name, names + symbol.st_name);
        }
    }
    cr_assert_gt(seen, 20);
}

static Elf64_Sym *symbol_named(const char *name, char **text)
{
    const Elf64_Ehdr *header = (const void *)elf.bytes;
    const Elf64_Shdr *section = (const void *)(elf.bytes + header->e_shoff);
    for (unsigned i = 0; i < header->e_shnum; i++) {
        char *names = (char *)elf.bytes + section[section[i].sh_link].sh_offset;
        Elf64_Sym *symbol = (void *)(elf.bytes + section[i].sh_offset);
        for (size_t j = 0;
             section[i].sh_type == SHT_SYMTAB && j < section[i].sh_size / sizeof *symbol; j++) {
            *text = names + symbol[j].st_name;
            if (!strcmp(*text, name))
                return &symbol[j];
        }
    }
    cr_assert(false, "%s", name);
    return NULL;
}

/* The mark of a section comes first by name, and is not what people look for. */
Test(symbols, marks_of_sections)
{
    struct symbol s;
    char *mark_name, *name;
    Elf64_Sym *mark = symbol_named("sensors_limits", &mark_name);
    Elf64_Sym *label = symbol_named("sensors_value", &name);
    memcpy(mark_name, "__sensor_start", strlen("__sensor_start"));
    label->st_size = mark->st_size = 0;
    label->st_info = mark->st_info = ELF64_ST_INFO(STB_GLOBAL, STT_NOTYPE);
    mark->st_value = label->st_value;
    symbols_free(symbols);
    symbols = symbols_of(&elf);
    cr_assert_eq(address_of("__sensor_start"), label->st_value);
    cr_assert(symbols_lookup(symbols, label->st_value, &s));
    cr_assert_str_eq(s.name, "sensors_value");
}

Test(symbols, two_files)
{
    struct error err = ERROR_INIT;
    size_t before = symbols_count(symbols);
    struct symbol s;
    cr_assert(symbols_lookup(symbols, address_of("main"), &s));
    cr_assert(symbols_add(symbols, "again", elf.bytes, elf.size, &err));
    cr_assert_eq(symbols_count(symbols), 2 * before);
    cr_assert(symbols_lookup(symbols, address_of("main"), &s));
    cr_assert_str_eq(s.name, "main");
}

static void look_everywhere(struct symbols *s)
{
    struct source_frame source[SOURCE_FRAMES];
    struct symbol symbol;
    uint64_t address;
    for (uint64_t at = 0x80000000; at < 0x80000a00; at += 38) {
        symbols_lookup(s, at, &symbol);
        size_t count = symbols_source(s, at, source, SOURCE_FRAMES);
        cr_assert(count >= 1 && count <= SOURCE_FRAMES);
    }
    symbols_find(s, "main", &address);
}

static void try_bytes(const uint8_t *bytes, size_t size)
{
    struct error err = ERROR_INIT;
    struct symbols *s = symbols_new();
    if (symbols_add(s, "bad", bytes, size, &err))
        look_everywhere(s);
    else
        cr_assert_eq(err.code, ERROR_FORMAT);
    symbols_free(s);
}

Test(symbols, cut_off)
{
    for (size_t size = 0; size < elf.size; size += size < 128 ? 1 : 997) {
        uint8_t *copy = malloc(size + 1);
        memcpy(copy, elf.bytes, size);
        try_bytes(copy, size);
        free(copy);
    }
}

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

Test(symbols, damaged)
{
    uint64_t state = 4711;
    uint8_t *copy = malloc(elf.size);
    for (unsigned round = 0; round < 200; round++) {
        memcpy(copy, elf.bytes, elf.size);
        for (unsigned i = 0; i < 1 + round % 20; i++) {
            /* Half of them in the headers of the file and of its sections, at its end. */
            size_t at = next_random(&state) % elf.size;
            if (round & 1)
                at = next_random(&state) & 1 ? at % 64 : elf.size - 1 - at % 1600;
            copy[at] = (uint8_t)next_random(&state);
        }
        try_bytes(copy, elf.size);
    }
    free(copy);
}

Test(symbols, no_elf)
{
    struct error err = ERROR_INIT;
    uint8_t other[128] = {0};
    cr_assert_not(symbols_add(symbols, "zeroes", other, sizeof other, &err));
    cr_assert(strstr(err.message, "zeroes: not an ELF file"), "%s", err.message);
    memcpy(other, elf.bytes, sizeof other);
    store_le16(other + 18, EM_X86_64);
    cr_assert_not(symbols_add(symbols, "pc", other, sizeof other, &err));
}
