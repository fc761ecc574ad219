#include "base/log.h"
#include "machine/loader.h"

#include <criterion/criterion.h>
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MIB = 1 << 20 };
#define BASE UINT64_C(0x80000000)

/* An ELF of two segments and a symbol table, to be damaged. */
struct sample {
    Elf64_Ehdr header;
    Elf64_Phdr segment[2];
    Elf64_Shdr section[3]; /* null, .symtab, .strtab */
    Elf64_Sym symbol[3];
    char names[16];
    char code[32], data[8];
};

static struct sample sample(void)
{
    struct sample s = {
        .header = {.e_type = ET_EXEC,
                   .e_machine = EM_RISCV,
                   .e_version = EV_CURRENT,
                   .e_entry = 0xffffffff80000010,
                   .e_phoff = offsetof(struct sample, segment),
                   .e_shoff = offsetof(struct sample, section),
                   .e_ehsize = sizeof(Elf64_Ehdr),
                   .e_phentsize = sizeof(Elf64_Phdr),
                   .e_phnum = 2,
                   .e_shentsize = sizeof(Elf64_Shdr),
                   .e_shnum = 3},
        .segment = {{.p_type = PT_LOAD,
                     .p_offset = offsetof(struct sample, code),
                     .p_vaddr = 0xffffffff80000000,
                     .p_paddr = BASE + 0x1000,
                     .p_filesz = 32,
                     .p_memsz = 32},
                    {.p_type = PT_LOAD,
                     .p_offset = offsetof(struct sample, data),
                     .p_vaddr = 0xffffffff80001000,
                     .p_paddr = BASE + 0x3000,
                     .p_filesz = 8,
                     .p_memsz = 0x2000}},
        .section = {{0},
                    {.sh_type = SHT_SYMTAB,
                     .sh_offset = offsetof(struct sample, symbol),
                     .sh_size = 3 * sizeof(Elf64_Sym),
                     .sh_link = 2,
                     .sh_entsize = sizeof(Elf64_Sym)},
                    {.sh_type = SHT_STRTAB,
                     .sh_offset = offsetof(struct sample, names),
                     .sh_size = 16}},
        .symbol = {{0},
                   {.st_name = 8, .st_shndx = 1, .st_value = 1},
                   {.st_name = 1, .st_shndx = 1, .st_value = 0xffffffff80001800}},
        .names = "\0tohost\0other",
        .code = "0123456789abcdef0123456789abcde",
        .data = "datadat",
    };
    memcpy(s.header.e_ident, "\177ELF\2\1\1", 7);
    return s;
}

struct bed {
    struct ram ram;
    struct images images;
    struct image_info info;
    struct error err;
};

static void silent(void *ctx, enum log_level level, const char *line)
{
    (void)ctx, (void)level, (void)line;
}

static struct bed *bed_new(void)
{
    struct bed *b = calloc(1, sizeof *b);
    log_set_sink(silent, NULL);
    cr_assert(ram_init(&b->ram, BASE, MIB, &b->err));
    images_init(&b->images);
    return b;
}

static void bed_free(struct bed *b)
{
    images_fini(&b->images);
    ram_fini(&b->ram);
    free(b);
}

static bool load(struct bed *b, const void *bytes, size_t size)
{
    return images_load_bytes(&b->images, "x.elf", bytes, size, BASE + 0x8000, &b->ram, &b->info,
                             &b->err);
}

/* Refused, nothing kept, one line with the file's name and `reason`. */
static void refused(const void *bytes, size_t size, enum error_code code, const char *reason)
{
    struct bed *b = bed_new();
    cr_assert(!load(b, bytes, size), "accepted, expected: %s", reason);
    cr_assert_eq(b->err.code, code, "%s", b->err.message);
    cr_assert(strstr(b->err.message, reason), "\"%s\" says nothing of \"%s\"", b->err.message,
              reason);
    cr_assert(!strncmp(b->err.message, "x.elf: ", 7), "%s", b->err.message);
    cr_assert(!strchr(b->err.message, '\n'));
    cr_assert_eq(b->images.count, 0);
    bed_free(b);
}

static void refused_sample(const struct sample *s, enum error_code code, const char *reason)
{
    refused(s, sizeof *s, code, reason);
}

Test(loader, elf)
{
    struct bed *b = bed_new();
    struct sample s = sample();
    cr_assert(load(b, &s, sizeof s), "%s", b->err.message);
    cr_assert_eq(b->info.kind, IMAGE_ELF);
    cr_assert_eq(b->info.entry, BASE + 0x1010);
    cr_assert_eq(b->info.low, BASE + 0x1000);
    cr_assert_eq(b->info.high, BASE + 0x5000);
    cr_assert_eq(b->images.count, 2);
    cr_assert_eq(b->images.tohost, BASE + 0x3800);
    memset(ram_at(&b->ram, BASE + 0x1000), 0xaa, 0x5000);
    images_write(&b->images, &b->ram);
    cr_assert_arr_eq(ram_at(&b->ram, BASE + 0x1000), s.code, 32);
    cr_assert_eq(*ram_at(&b->ram, BASE + 0x1020), 0xaa);
    cr_assert_arr_eq(ram_at(&b->ram, BASE + 0x3000), s.data, 8);
    for (uint64_t pa = BASE + 0x3008; pa < BASE + 0x5000; pa++)
        cr_assert_eq(*ram_at(&b->ram, pa), 0, "%#lx is not zeroed", pa);
    cr_assert_eq(*ram_at(&b->ram, BASE + 0x5000), 0xaa);
    bed_free(b);
}

Test(loader, zeroes_already_there_are_not_written)
{
    struct bed *b = bed_new();
    struct sample s = sample();
    cr_assert(load(b, &s, sizeof s));
    images_write(&b->images, &b->ram);
    cr_assert(b->ram.flags[1] & RAM_DIRTY);
    cr_assert(b->ram.flags[3] & RAM_DIRTY);
    cr_assert(!(b->ram.flags[4] & RAM_DIRTY));
    bed_free(b);
}

Test(loader, physical_entry)
{
    struct bed *b = bed_new();
    struct sample s = sample();
    s.header.e_entry = BASE + 0x1004;
    cr_assert(load(b, &s, sizeof s), "%s", b->err.message);
    cr_assert_eq(b->info.entry, BASE + 0x1004);
    bed_free(b);
}

Test(loader, tohost_outside_ram_is_ignored)
{
    struct bed *b = bed_new();
    struct sample s = sample();
    s.symbol[2].st_value = 0x1000;
    cr_assert(load(b, &s, sizeof s), "%s", b->err.message);
    cr_assert_eq(b->images.tohost, 0);
    s.symbol[2].st_value = BASE + 0x1001;
    cr_assert(load(b, &s, sizeof s), "%s", b->err.message);
    cr_assert_eq(b->images.tohost, 0);
    bed_free(b);
}

Test(loader, symbol_names_that_end_outside_are_ignored)
{
    struct bed *b = bed_new();
    struct sample s = sample();
    s.symbol[1].st_name = 0xfffffff0;
    s.symbol[2].st_name = 12;
    cr_assert(load(b, &s, sizeof s), "%s", b->err.message);
    cr_assert_eq(b->images.tohost, 0);
    bed_free(b);
}

Test(loader, wrong_kinds)
{
    struct sample s = sample();
    s.header.e_machine = EM_X86_64;
    refused_sample(&s, ERROR_FORMAT, "for machine 62, not for RISC-V");
    s = sample();
    s.header.e_ident[EI_CLASS] = ELFCLASS32;
    refused_sample(&s, ERROR_FORMAT, "not a 64-bit ELF");
    s = sample();
    s.header.e_ident[EI_DATA] = ELFDATA2MSB;
    refused_sample(&s, ERROR_FORMAT, "not a little-endian ELF");
    s = sample();
    s.header.e_type = ET_REL;
    refused_sample(&s, ERROR_FORMAT, "not an executable");
    s = sample();
    s.header.e_phnum = 0;
    refused_sample(&s, ERROR_FORMAT, "no segments");
    refused("", 0, ERROR_FORMAT, "empty");
    refused("\x1f\x8b\x08", 3, ERROR_FORMAT, "gzip");
}

Test(loader, truncated_anywhere)
{
    struct sample s = sample();
    refused(&s, 4, ERROR_FORMAT, "cut off");
    refused(&s, sizeof(Elf64_Ehdr) + 40, ERROR_FORMAT, "program headers");
    refused(&s, sizeof s - 1, ERROR_FORMAT, "cut off");
    /* Before the data's end it is refused. */
    for (size_t size = 4; size < sizeof s; size++)
        refused(&s, size, ERROR_FORMAT, "");
}

Test(loader, bad_segments)
{
    struct sample s = sample();
    s.segment[1].p_paddr = BASE + 0x101f;
    refused_sample(&s, ERROR_FORMAT, "overlaps");
    s = sample();
    s.segment[0].p_filesz = 33;
    refused_sample(&s, ERROR_FORMAT, "more bytes in the file");
    s = sample();
    s.segment[0].p_offset = UINT64_MAX - 8;
    refused_sample(&s, ERROR_FORMAT, "cut off");
    s = sample();
    s.segment[1].p_paddr = UINT64_MAX - 0xff;
    refused_sample(&s, ERROR_RANGE, "outside RAM");
    s = sample();
    s.segment[1].p_paddr = 0x1000;
    refused_sample(&s, ERROR_RANGE, "outside RAM (1 MiB at 0x80000000)");
    s = sample();
    s.segment[1].p_memsz = MIB;
    refused_sample(&s, ERROR_RANGE, "outside RAM");
    s = sample();
    s.segment[1].p_memsz = UINT64_MAX;
    refused_sample(&s, ERROR_RANGE, "outside RAM");
    s = sample();
    s.header.e_entry = 0x1234;
    refused_sample(&s, ERROR_FORMAT, "entry point 0x1234");
}

Test(loader, more_segments_than_fit)
{
    struct bed *b = bed_new();
    for (unsigned i = 0; i < IMAGE_SEGMENTS; i++)
        cr_assert(images_add(&b->images, "blob", BASE + 16 * i, "x", 1, &b->ram, &b->err));
    struct sample s = sample();
    cr_assert(!load(b, &s, sizeof s));
    cr_assert(strstr(b->err.message, "more than 64 segments"), "%s", b->err.message);
    cr_assert_eq(b->images.count, IMAGE_SEGMENTS);
    bed_free(b);
}

Test(loader, raw)
{
    struct bed *b = bed_new();
    cr_assert(load(b, "hello", 5));
    cr_assert_eq(b->info.kind, IMAGE_RAW);
    cr_assert_eq(b->info.entry, BASE + 0x8000);
    cr_assert_eq(b->info.high, BASE + 0x8005);
    images_write(&b->images, &b->ram);
    cr_assert_arr_eq(ram_at(&b->ram, BASE + 0x8000), "hello", 5);
    bed_free(b);
    uint8_t *large = calloc(1, MIB);
    refused(large, MIB, ERROR_RANGE, "1048576 bytes at 0x80008000 lie outside RAM");
    free(large);
}

Test(loader, riscv_image)
{
    uint8_t image[100] = {0};
    memcpy(image + 56, "RSC\x05", 4);
    image[17] = 0x20; /* 8 KiB in memory */
    struct bed *b = bed_new();
    cr_assert(load(b, image, sizeof image));
    cr_assert_eq(b->info.kind, IMAGE_RISCV);
    cr_assert_eq(b->info.entry, BASE + 0x8000);
    cr_assert_eq(b->info.high, BASE + 0xa000);
    bed_free(b);
    image[24] = 1;
    refused(image, sizeof image, ERROR_FORMAT, "big-endian");
    image[24] = 0;
    memset(image + 16, 0xff, 8);
    refused(image, sizeof image, ERROR_RANGE, "outside RAM");
}

Test(loader, add_checks_ram)
{
    struct bed *b = bed_new();
    cr_assert(images_add(&b->images, "blob", BASE + MIB - 4, "abcd", 4, &b->ram, &b->err));
    cr_assert(!images_add(&b->images, "blob", BASE + MIB - 3, "abcd", 4, &b->ram, &b->err));
    cr_assert(!images_add(&b->images, "blob", BASE - 1, "abcd", 4, &b->ram, &b->err));
    cr_assert_eq(b->images.count, 1);
    bed_free(b);
}

static void cannot_read(const char *path, uint64_t limit, const char *reason)
{
    uint8_t *bytes;
    size_t size;
    struct error err = ERROR_INIT;
    cr_assert(!file_read(path, limit, &bytes, &size, &err));
    cr_assert(strstr(err.message, reason) && !strncmp(err.message, path, strlen(path)), "%s",
              err.message);
}

Test(loader, files)
{
    char dir[] = "/tmp/loader-test-XXXXXX";
    char path[64];
    cr_assert(mkdtemp(dir));
    cannot_read(dir, 100, "is a directory");
    cannot_read("/dev/zero", 100, "not a regular file");
    snprintf(path, sizeof path, "%s/missing", dir);
    cannot_read(path, 100, "No such file");
    snprintf(path, sizeof path, "%s/pipe", dir);
    cr_assert_eq(mkfifo(path, 0600), 0);
    cannot_read(path, 100, "not a regular file");
    unlink(path);
    snprintf(path, sizeof path, "%s/file", dir);
    FILE *f = fopen(path, "w");
    fputs("twelve bytes", f);
    fclose(f);
    cannot_read(path, 11, "12 bytes, more than the 11");

    uint8_t *bytes;
    size_t size;
    struct error err = ERROR_INIT;
    cr_assert(file_read(path, 12, &bytes, &size, &err), "%s", err.message);
    cr_assert_eq(size, 12);
    cr_assert_arr_eq(bytes, "twelve bytes", 12);
    free(bytes);
    unlink(path);
    rmdir(dir);
}
