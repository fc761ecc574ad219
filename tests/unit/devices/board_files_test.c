/* Where the contents of files come from: a board made from bytes that were kept is the board that
 * was made from the files. */
#include "base/hash.h"
#include "tests/unit/devices/board_bench.h"

#include <elf.h>

#define FIRMWARE "/usr/lib/riscv64-linux-gnu/opensbi/generic/fw_dynamic.bin"

/* ---- a source that keeps what it has read ---- */

struct kept {
    uint8_t *bytes[BOARD_FILES];
    size_t size[BOARD_FILES];
    char path[BOARD_FILES][128];
    unsigned reads;
};

static bool keep(void *ctx, enum board_file role, const char *path, uint64_t limit, uint8_t **bytes,
                 size_t *size, struct error *err)
{
    struct kept *k = ctx;
    k->reads++;
    if (!board_files_read(NULL, role, path, limit, bytes, size, err))
        return false;
    cr_assert_null(k->bytes[role], "%s is read twice", board_file_name(role));
    k->bytes[role] = malloc(*size + 1);
    memcpy(k->bytes[role], *bytes, *size);
    k->size[role] = *size;
    snprintf(k->path[role], sizeof k->path[role], "%s", path);
    return true;
}

static bool give(void *ctx, enum board_file role, const char *path, uint64_t limit, uint8_t **bytes,
                 size_t *size, struct error *err)
{
    struct kept *k = ctx;
    k->reads++;
    if (!k->bytes[role])
        return error_set(err, ERROR_FORMAT, "%s is not there", board_file_name(role));
    cr_assert_str_eq(path, k->path[role]);
    cr_assert_leq(k->size[role], limit);
    *bytes = malloc(k->size[role] + 1);
    *size = k->size[role];
    memcpy(*bytes, k->bytes[role], *size);
    return true;
}

/* ---- whole machines ---- */

struct whole {
    uint64_t ram, flash;
    struct machine_digest rest;
};

static struct whole whole(struct riscv_virt *board)
{
    struct machine *m = riscv_virt_machine(board);
    struct whole w = {.ram = hash_bytes(ram_at(&m->ram, m->ram.base), m->ram.size, 0)};
    for (uint64_t at = 0; at < MIB / 4; at += 8) {
        uint64_t value[2];
        cr_assert(bus_read(&m->bus, MAP_FLASH + at, 8, &value[0]));
        cr_assert(bus_read(&m->bus, MAP_FLASH + MAP_FLASH_SIZE + at, 8, &value[1]));
        w.flash = hash_bytes(value, sizeof value, w.flash);
    }
    machine_digest(m, &w.rest);
    return w;
}

/* Everything at position 0, and after `steps` steps. */
static void digests(struct riscv_virt *board, uint64_t steps, struct whole at[2])
{
    at[0] = whole(board);
    cr_assert_eq(machine_run(riscv_virt_machine(board), steps), MACHINE_LIMIT);
    at[1] = whole(board);
}

static void same(const struct whole *a, const struct whole *b)
{
    cr_assert_eq(a->ram, b->ram);
    cr_assert_eq(a->flash, b->flash);
    cr_assert_eq(memcmp(&a->rest, &b->rest, sizeof a->rest), 0);
}

/* `o` names files; they are gone when the second board is made. */
static void same_from_memory(struct riscv_virt_options *o, uint64_t steps, unsigned reads)
{
    struct kept kept = {.reads = 0};
    const struct board_files keeping = {keep, &kept}, giving = {give, &kept};
    struct whole plain[2], first[2], second[2];
    struct riscv_virt *board = board_new(o);
    size_t size, again;
    digests(board, steps, plain);
    riscv_virt_free(board);

    o->files = &keeping;
    board = board_new(o);
    const uint8_t *bytes = riscv_virt_tree(board, &size);
    cr_assert(bytes && size > 500);
    uint8_t *tree = malloc(size);
    memcpy(tree, bytes, size);
    uint64_t tree_at = tree_of(board);
    digests(board, steps, first);
    riscv_virt_free(board);
    cr_assert_eq(kept.reads, reads, "%u files were read", kept.reads);

    for (unsigned i = 0; i < made_count; i++)
        unlink(made[i]);
    o->files = &giving;
    o->tree = tree;
    o->tree_size = size;
    board = board_new(o);
    cr_assert_arr_eq(riscv_virt_tree(board, &again), tree, size);
    cr_assert_eq(again, size);
    cr_assert_eq(tree_of(board), tree_at);
    digests(board, steps, second);
    riscv_virt_free(board);
    for (unsigned i = 0; i < 2; i++) {
        same(&plain[i], &first[i]);
        same(&plain[i], &second[i]);
    }
    cr_assert_neq(second[0].ram, second[1].ram, "nothing was run");
    free(tree);
    for (unsigned i = 0; i < BOARD_FILES; i++)
        free(kept.bytes[i]);
}

/* ---- guests ---- */

/* Counts in RAM for ever: li sp, 0x80100000; addi t0, t0, 1; sd t0, -8(sp); j . - 8. */
static const uint32_t counter[] = {0x00100113, 0x01f11113, 0x001003b7, 0x00710133,
                                   0x00128293, 0xfe513c23, 0xff9ff06f};

static const char *raw(const char *name, size_t padding)
{
    uint8_t *bytes = calloc(1, sizeof counter + padding);
    memcpy(bytes, counter, sizeof counter);
    for (size_t i = 0; i < padding; i++)
        bytes[sizeof counter + i] = (uint8_t)(i * 7 + i / 251);
    const char *path = file(name, bytes, sizeof counter + padding);
    free(bytes);
    return path;
}

static const char *elf(const char *name)
{
    struct {
        Elf64_Ehdr header;
        Elf64_Phdr segment;
        uint32_t code[sizeof counter / sizeof *counter];
    } p = {
        .header = {.e_type = ET_EXEC,
                   .e_machine = EM_RISCV,
                   .e_version = EV_CURRENT,
                   .e_entry = 0x80000000,
                   .e_phoff = sizeof p.header,
                   .e_ehsize = sizeof(Elf64_Ehdr),
                   .e_phentsize = sizeof(Elf64_Phdr),
                   .e_phnum = 1},
        .segment = {.p_type = PT_LOAD,
                    .p_offset = sizeof p.header + sizeof p.segment,
                    .p_vaddr = 0x80000000,
                    .p_paddr = 0x80000000,
                    .p_filesz = sizeof counter,
                    .p_memsz = sizeof counter},
    };
    memcpy(p.code, counter, sizeof counter);
    memcpy(p.header.e_ident, "\177ELF\2\1\1", 7);
    return file(name, &p, sizeof p);
}

/* A RISC-V Image: a jump over its header, and the magic. */
static const char *image(const char *name)
{
    uint32_t words[32] = {0x0400006f};
    const uint64_t offset = 2 * MIB, size = 64 << 10;
    memcpy(words + 2, &offset, 8);
    memcpy(words + 4, &size, 8);
    memcpy((uint8_t *)words + 56, "RSC\x05", 4);
    memcpy((uint8_t *)words + 64, counter, sizeof counter);
    return file(name, words, sizeof words);
}

enum { STEPS = 1000000 };

TestSuite(board_files, .init = files_begin, .fini = files_end);

Test(board_files, elf)
{
    struct riscv_virt_options o = machine_of(16);
    o.kernel = elf("k.elf");
    /* The default firmware gives way to it. */
    same_from_memory(&o, STEPS, 1);
}

Test(board_files, raw_firmware_and_kernel_and_initrd)
{
    struct riscv_virt_options o = machine_of(64);
    o.harts = 2;
    o.bios = raw("firmware", 3000);
    o.kernel = image("Image");
    o.initrd = raw("initrd", 5000);
    o.append = "quiet";
    same_from_memory(&o, STEPS, 3);
}

Test(board_files, default_firmware)
{
    struct riscv_virt_options o = machine_of(64);
    if (access(FIRMWARE, R_OK) < 0)
        cr_skip("%s is not installed", FIRMWARE);
    o.kernel = image("Image");
    same_from_memory(&o, STEPS, 2);
}

Test(board_files, flashes_and_fw_cfg)
{
    static const uint8_t bytes[] = "an item";
    const struct riscv_virt_fw_cfg item = {"opt/item", bytes, sizeof bytes};
    struct riscv_virt_options o = machine_of(32);
    o.bios = "none";
    o.flash[0] = (struct riscv_virt_flash){raw("flash0", 70000), true};
    o.flash[1] = (struct riscv_virt_flash){raw("flash1", 1), false};
    o.fw_cfg = &item;
    o.fw_cfgs = 1;
    same_from_memory(&o, STEPS, 2);
}

Test(board_files, kernel_behind_a_flash)
{
    struct riscv_virt_options o = machine_of(32);
    o.bios = raw("firmware", 100);
    o.flash[0].file = raw("flash0", 100);
    o.kernel = raw("kernel", 1000);
    o.initrd = raw("initrd", 2000);
    o.append = "a b";
    same_from_memory(&o, STEPS, 4);
}

Test(board_files, a_tree_of_the_users)
{
    struct riscv_virt_options o = machine_of(16);
    struct riscv_virt *board = board_new(
        &(struct riscv_virt_options){.ram_size = 32 * MIB, .harts = 2, .shift = 3, .bios = "none"});
    size_t size;
    const uint8_t *tree = riscv_virt_tree(board, &size);
    o.dtb = file("tree.dtb", tree, size);
    riscv_virt_free(board);
    o.kernel = elf("k.elf");
    o.append = "other words";
    /* Of the user's tree nothing is needed when the final one is given. */
    struct kept kept = {.reads = 0};
    const struct board_files keeping = {keep, &kept}, giving = {give, &kept};
    o.files = &keeping;
    board = board_new(&o);
    tree = riscv_virt_tree(board, &size);
    cr_assert_eq(kept.size[BOARD_DTB] > 500, true);
    uint8_t *copy = malloc(size);
    memcpy(copy, tree, size);
    riscv_virt_free(board);
    free(kept.bytes[BOARD_DTB]);
    kept.bytes[BOARD_DTB] = NULL;
    o.files = &giving;
    o.tree = copy;
    o.tree_size = size;
    board = board_new(&o);
    tree = riscv_virt_tree(board, &size);
    cr_assert_arr_eq(tree, copy, size);
    riscv_virt_free(board);
    free(copy);
    free(kept.bytes[BOARD_KERNEL]);
}

Test(board_files, what_is_missing_is_said)
{
    struct kept kept = {.reads = 0};
    const struct board_files giving = {give, &kept};
    struct riscv_virt_options o = machine_of(16);
    o.files = &giving;
    refused(&o, "firmware is not there");
    o.bios = "none";
    o.kernel = "k";
    refused(&o, "kernel is not there");
    o.kernel = NULL;
    o.dtb = "t";
    refused(&o, "dtb is not there");
    o.dtb = NULL;
    o.flash[1].file = "f";
    refused(&o, "flash1: flash1 is not there");
}

Test(board_files, a_tree_that_does_not_fit)
{
    uint8_t *tree = calloc(1, 2 * MIB);
    struct riscv_virt_options o = machine_of(1);
    o.bios = "none";
    o.tree = tree;
    o.tree_size = 2 * MIB;
    refused(&o, "no room for the device tree");
    free(tree);
}
