#include "devices/boot_images.h"

#include "devices/device_tree.h"
#include "machine/loader.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_FIRMWARE "/usr/lib/riscv64-linux-gnu/opensbi/generic/fw_dynamic.bin"

enum {
    FIRMWARE_RESERVED = 512 << 10, /* OpenSBI keeps this much from the start of RAM to itself */
    KERNEL_OFFSET = 2 << 20,       /* of RAM: the first large page behind the firmware */
    INITRD_OFFSET = 128 << 20,     /* at most */
    TREE_FILE_LIMIT = 1 << 20,
    PAGE = RAM_PAGE_SIZE,
    LARGE_PAGE = 2 << 20
};

enum { FIRMWARE = BOARD_FIRMWARE, KERNEL = BOARD_KERNEL, INITRD = BOARD_INITRD, PLACED };

/* An image in memory: which of the segments are its own. */
struct placed {
    const char *name; /* NULL: there is none */
    size_t first, count;
    struct image_info info;
};

struct boot {
    struct machine *m;
    const struct riscv_virt_options *options;
    const struct boot_elf *elf;
    struct fw_cfg *fw_cfg;
    struct placed placed[PLACED];
    uint64_t tree;
};

static uint64_t align_up(uint64_t value, uint64_t to)
{
    return (value + to - 1) & ~(to - 1);
}

static uint64_t ram_end(const struct boot *b)
{
    return b->m->ram.base + b->m->ram.size;
}

/* The first segment that has bytes in [pa, pa + size), and which image's it is; NULL: all of it is
 * free. */
static const struct image_segment *find_overlap(const struct boot *b, uint64_t pa, uint64_t size,
                                                unsigned *which)
{
    for (*which = 0; *which < PLACED; ++*which) {
        const struct placed *p = &b->placed[*which];
        for (size_t i = p->first; p->name && i < p->first + p->count; i++) {
            const struct image_segment *s = &b->m->images.segment[i];
            if (pa < s->pa + s->mem_size && s->pa < pa + size)
                return s;
        }
    }
    return NULL;
}

/* Enter an image whose segments are the last ones loaded. */
static bool place(struct boot *b, unsigned which, const char *name, size_t first,
                  const struct image_info *info, struct error *err)
{
    const struct images *images = &b->m->images;
    unsigned other;
    for (size_t i = first; i < images->count; i++) {
        const struct image_segment *s = &images->segment[i];
        if (find_overlap(b, s->pa, s->mem_size, &other))
            return error_set(err, ERROR_RANGE, "%s (%s) overlaps %s (%s) in memory, at %#" PRIx64,
                             name, board_file_name(which), b->placed[other].name,
                             board_file_name(other), s->pa);
    }
    b->placed[which] = (struct placed){name, first, images->count - first, *info};
    return true;
}

static bool is(const char *option, const char *word)
{
    return option && !strcmp(option, word);
}

static bool wants_default_firmware(const struct boot *b)
{
    return !b->elf && (!b->options->bios || is(b->options->bios, "default"));
}

static bool wants_firmware(const struct boot *b)
{
    return !b->elf && !is(b->options->bios, "none");
}

static bool starts_flash(const struct boot *b)
{
    return !b->elf && b->options->flash[0].file;
}

/* What is in flash loads kernel and initrd. */
static bool kernel_is_in_fw_cfg(const struct boot *b)
{
    return starts_flash(b) && wants_firmware(b);
}

static bool load_file(struct boot *b, enum board_file role, const char *name, uint64_t raw_pa,
                      struct image_info *info, struct error *err)
{
    struct machine *m = b->m;
    uint8_t *bytes;
    size_t size;
    if (!board_files_read(b->options->files, role, name, IMAGE_FILE_MOST, &bytes, &size, err))
        return false;
    bool ok = images_load_bytes(&m->images, name, bytes, size, raw_pa, &m->ram, info, err);
    free(bytes);
    return ok;
}

static bool load_kernel(struct boot *b, struct error *err)
{
    struct machine *m = b->m;
    const char *name = b->elf ? b->elf->name : b->options->kernel;
    uint64_t raw_pa = m->ram.base + (wants_firmware(b) ? KERNEL_OFFSET : 0);
    size_t first = m->images.count;
    struct image_info info;
    if (!name || kernel_is_in_fw_cfg(b))
        return true;
    bool ok = b->elf ? images_load_bytes(&m->images, name, b->elf->bytes, b->elf->size, raw_pa,
                                         &m->ram, &info, err)
                     : load_file(b, BOARD_KERNEL, name, raw_pa, &info, err);
    return ok && place(b, KERNEL, name, first, &info, err);
}

/* An ELF that lies where the firmware would is a bare-metal program that wants the machine for
 * itself. */
static bool kernel_replaces_firmware(const struct boot *b)
{
    unsigned which;
    return b->placed[KERNEL].name && b->placed[KERNEL].info.kind == IMAGE_ELF &&
           find_overlap(b, b->m->ram.base, FIRMWARE_RESERVED, &which);
}

static bool load_firmware(struct boot *b, struct error *err)
{
    struct machine *m = b->m;
    bool by_default = wants_default_firmware(b);
    if (!wants_firmware(b) || (by_default && kernel_replaces_firmware(b)))
        return true;
    const char *name = by_default ? DEFAULT_FIRMWARE : b->options->bios;
    size_t first = m->images.count;
    struct image_info info;
    if (!load_file(b, BOARD_FIRMWARE, name, m->ram.base, &info, err)) {
        if (by_default && err->code == ERROR_IO)
            return error_set(err, ERROR_IO,
                             "no firmware at %s: install the package opensbi, or give -bios FILE "
                             "or -bios none",
                             name);
        return false;
    }
    return place(b, FIRMWARE, name, first, &info, err);
}

/* The end of what firmware needs at the start of RAM. */
static uint64_t reserved_end(const struct boot *b)
{
    return b->m->ram.base + (b->placed[FIRMWARE].name ? FIRMWARE_RESERVED : 0);
}

static uint64_t images_end(const struct boot *b)
{
    uint64_t end = reserved_end(b);
    for (unsigned which = 0; which < PLACED; which++)
        if (b->placed[which].name && b->placed[which].info.high > end)
            end = b->placed[which].info.high;
    return end;
}

/* At half of RAM, where a kernel that unpacks itself does not reach; where RAM is too small for
 * that and the tree, behind everything else, with some distance if possible: raw images do not say
 * how much memory they use behind their end. */
static uint64_t initrd_address(const struct boot *b, uint64_t size)
{
    uint64_t half = b->m->ram.size / 2, end = images_end(b);
    uint64_t offset = half < INITRD_OFFSET ? half : INITRD_OFFSET;
    const uint64_t choice[] = {b->m->ram.base + offset, align_up(end, LARGE_PAGE)};
    for (unsigned i = 0; i < sizeof choice / sizeof *choice; i++)
        if (choice[i] >= end && choice[i] + size + LARGE_PAGE <= ram_end(b))
            return choice[i];
    return align_up(end, PAGE);
}

static bool read_some(const struct boot *b, enum board_file role, const char *name, uint8_t **bytes,
                      size_t *size, struct error *err)
{
    if (!board_files_read(b->options->files, role, name, b->m->ram.size, bytes, size, err))
        return false;
    if (*size)
        return true;
    free(*bytes);
    return error_set(err, ERROR_FORMAT, "%s: the file is empty", name);
}

static bool load_initrd(struct boot *b, struct error *err)
{
    struct machine *m = b->m;
    const char *name = b->options->initrd;
    uint8_t *bytes;
    size_t size, first = m->images.count;
    if (!name || kernel_is_in_fw_cfg(b))
        return true;
    if (!read_some(b, BOARD_INITRD, name, &bytes, &size, err))
        return false;
    uint64_t pa = initrd_address(b, size);
    bool ok = images_add(&m->images, name, pa, bytes, size, &m->ram, err);
    free(bytes);
    struct image_info info = {IMAGE_RAW, pa, pa, pa + size};
    return ok && place(b, INITRD, name, first, &info, err);
}

static bool add_file(struct boot *b, enum board_file role, const char *name,
                     enum fw_cfg_key size_key, enum fw_cfg_key data_key, struct error *err)
{
    uint8_t *bytes;
    size_t size;
    if (!name)
        return true;
    if (!read_some(b, role, name, &bytes, &size, err))
        return false;
    bool ok = fw_cfg_add(b->fw_cfg, data_key, name, bytes, size, err);
    free(bytes);
    if (ok)
        fw_cfg_add_number(b->fw_cfg, size_key, size, 4);
    return ok;
}

static bool load_fw_cfg(struct boot *b, struct error *err)
{
    const struct riscv_virt_options *o = b->options;
    const char *line = o->append ? o->append : "";
    size_t size = strlen(line) + 1;
    if (!kernel_is_in_fw_cfg(b) || !o->kernel)
        return true;
    if (!add_file(b, BOARD_KERNEL, o->kernel, FW_CFG_KERNEL_SIZE, FW_CFG_KERNEL_DATA, err) ||
        !add_file(b, BOARD_INITRD, o->initrd, FW_CFG_INITRD_SIZE, FW_CFG_INITRD_DATA, err) ||
        !fw_cfg_add(b->fw_cfg, FW_CFG_CMDLINE_DATA, "command line", line, size, err))
        return false;
    fw_cfg_add_number(b->fw_cfg, FW_CFG_CMDLINE_SIZE, size, 4);
    return true;
}

static bool make_tree(struct boot *b, struct buffer *tree, struct error *err)
{
    const struct placed *initrd = &b->placed[INITRD];
    struct device_tree_config config = {
        .ram_base = b->m->ram.base,
        .ram_size = b->m->ram.size,
        .harts = b->m->config.cpus,
        .bootargs = b->options->append,
        .initrd_start = initrd->info.low,
        .initrd_end = initrd->info.high,
    };
    const char *name = b->options->dtb;
    if (b->options->tree) {
        buffer_append(tree, b->options->tree, b->options->tree_size);
        return true;
    }
    if (!name)
        return device_tree_make(&config, tree, err);
    uint8_t *blob;
    size_t size;
    if (!board_files_read(b->options->files, BOARD_DTB, name, TREE_FILE_LIMIT, &blob, &size, err))
        return false;
    bool ok = device_tree_adapt(&config, name, blob, size, tree, err);
    free(blob);
    return ok;
}

/* The highest aligned place for `size` bytes that no image uses, 0 when there is none. */
static uint64_t tree_address(const struct boot *b, uint64_t size, uint64_t align)
{
    uint64_t end = ram_end(b) < MAP_TREE_LIMIT ? ram_end(b) : MAP_TREE_LIMIT;
    unsigned which;
    for (;;) {
        uint64_t pa = (end - size) & ~(align - 1);
        if (size > end || pa < reserved_end(b))
            return 0;
        const struct image_segment *taken = find_overlap(b, pa, size, &which);
        if (!taken)
            return pa;
        end = taken->pa;
    }
}

static bool load_tree(struct boot *b, struct error *err)
{
    struct buffer tree;
    buffer_init(&tree);
    bool ok = make_tree(b, &tree, err);
    if (ok) {
        /* Firmware of old grows the tree behind its end. */
        uint64_t size = tree.size + DEVICE_TREE_SPARE;
        b->tree = tree_address(b, size, LARGE_PAGE);
        if (!b->tree)
            b->tree = tree_address(b, size, PAGE);
        if (!b->tree)
            ok = error_set(err, ERROR_RANGE,
                           "no room for the device tree (%" PRIu64 " bytes) in %" PRIu64
                           " MiB of RAM: give the machine more with -m",
                           size, b->m->ram.size >> 20);
    }
    ok = ok &&
         images_add(&b->m->images, "device tree", b->tree, tree.data, tree.size, &b->m->ram, err);
    buffer_fini(&tree);
    return ok;
}

/* Where harts go from the boot ROM, and where firmware goes from there. */
static void choose_start(const struct boot *b, struct boot_rom_target *target)
{
    const struct placed *firmware = &b->placed[FIRMWARE], *kernel = &b->placed[KERNEL];
    uint64_t entry = kernel->name ? kernel->info.entry : 0;
    target->tree = b->tree;
    if (starts_flash(b)) {
        target->start = firmware->name ? firmware->info.entry : MAP_FLASH;
        target->next = firmware->name ? MAP_FLASH : entry;
    } else if (firmware->name) {
        target->start = firmware->info.entry;
        target->next = entry;
    } else {
        target->start = kernel->name ? entry : b->m->ram.base;
        target->next = 0;
    }
}

bool boot_images_load(struct machine *m, const struct riscv_virt_options *options,
                      const struct boot_elf *elf, struct fw_cfg *fw_cfg,
                      struct boot_rom_target *target, struct error *err)
{
    struct boot b = {.m = m, .options = options, .elf = elf, .fw_cfg = fw_cfg};
    if (!load_kernel(&b, err) || !load_firmware(&b, err) || !load_initrd(&b, err) ||
        !load_fw_cfg(&b, err) || !load_tree(&b, err))
        return false;
    choose_start(&b, target);
    return true;
}
