#include "devices/boot_rom.h"

#include "base/endian.h"

static bool boot_rom_peek(const void *ctx, uint64_t offset, unsigned size, uint64_t *value)
{
    const struct boot_rom *rom = ctx;
    *value = load_le(rom->bytes + offset, size);
    return true;
}

static bool boot_rom_read(void *ctx, uint64_t offset, unsigned size, uint64_t *value)
{
    return boot_rom_peek(ctx, offset, size, value);
}

static const struct bus_ops boot_rom_ops = {.read = boot_rom_read, .peek = boot_rom_peek};

void boot_rom_init(struct boot_rom *rom, struct machine *m, uint64_t base)
{
    *rom = (struct boot_rom){0};
    bus_add(&m->bus, (struct bus_region){"boot-rom", base, sizeof rom->bytes, &boot_rom_ops, rom,
                                         rom->bytes});
}

/* Behind the code: where its loads find their values. */
enum { CODE_START = 24, CODE_TREE = 32, CODE_INFO = 40 };

/* OpenSBI, include/sbi/fw_dynamic.h. */
#define FW_DYNAMIC_MAGIC UINT64_C(0x4942534f) /* "OSBI" */
enum { FW_DYNAMIC_VERSION = 2, FW_DYNAMIC_SUPERVISOR = 1 };

void boot_rom_set(struct boot_rom *rom, const struct boot_rom_target *target)
{
    static const uint32_t code[] = {
        0x00000297,                    /* auipc t0, 0 */
        0x00028613 | CODE_INFO << 20,  /* addi  a2, t0, CODE_INFO */
        0xf1402573,                    /* csrr  a0, mhartid */
        0x0002b583 | CODE_TREE << 20,  /* ld    a1, CODE_TREE(t0) */
        0x0002b283 | CODE_START << 20, /* ld    t0, CODE_START(t0) */
        0x00028067,                    /* jr    t0 */
    };
    const uint64_t info[] = {FW_DYNAMIC_MAGIC,      FW_DYNAMIC_VERSION, target->next,
                             FW_DYNAMIC_SUPERVISOR, 0 /* options */,    0 /* boot hart */};
    memcpy(rom->bytes, code, sizeof code);
    store_le64(rom->bytes + CODE_START, target->start);
    store_le64(rom->bytes + CODE_TREE, target->tree);
    memcpy(rom->bytes + CODE_INFO, info, sizeof info);
}
