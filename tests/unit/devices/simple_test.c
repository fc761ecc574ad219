/* The devices without state. */
#include "base/endian.h"
#include "devices/boot_rom.h"
#include "devices/syscon.h"

#include "tests/unit/devices/bench.h"

enum { BASE = 0x100000 };

static struct bench *bench_new(void)
{
    struct bench *b = calloc(1, sizeof *b);
    bench_init(b, 1);
    return b;
}

static void bench_free(struct bench *b)
{
    bench_fini(b);
    free(b);
}

static void syscon_does(uint64_t value, unsigned size, uint32_t halt, uint64_t code, bool reset)
{
    struct bench *b = bench_new();
    syscon_init(&b->m, BASE, 0x1000);
    bench_write(b, BASE, size, value);
    cr_assert_eq(b->m.state.halt, halt, "%#lx", value);
    cr_assert_eq(b->m.state.halt_code, code, "%#lx", value);
    cr_assert_eq(b->m.reset_requested, reset, "%#lx", value);
    bench_free(b);
}

Test(syscon, commands)
{
    syscon_does(0x5555, 4, HALT_POWER_OFF, 0, false);
    syscon_does(0x5555, 2, HALT_POWER_OFF, 0, false);
    syscon_does(0x00073333, 4, HALT_EXIT, 7, false);
    syscon_does(0xffff3333, 4, HALT_EXIT, 0xffff, false);
    syscon_does(0x7777, 4, HALT_NONE, 0, true);
    syscon_does(0x1234, 4, HALT_NONE, 0, false);
}

Test(syscon, elsewhere)
{
    struct bench *b = bench_new();
    syscon_init(&b->m, BASE, 0x1000);
    bench_write(b, BASE + 4, 4, 0x5555);
    cr_assert_eq(b->m.state.halt, HALT_NONE);
    cr_assert_eq(bench_read(b, BASE, 4), 0);
    cr_assert(!bus_write(&b->m.bus, BASE, 1, 0x55));
    b->m.config.no_reboot = true;
    bench_write(b, BASE, 4, 0x7777);
    cr_assert_eq(b->m.state.halt, HALT_RESET);
    bench_free(b);
}

Test(boot_rom, code_and_data)
{
    struct bench *b = bench_new();
    struct boot_rom *rom = calloc(1, sizeof *rom);
    boot_rom_init(rom, &b->m, MAP_BOOT_ROM);
    boot_rom_set(rom, &(struct boot_rom_target){
                          .start = 0x80000000, .tree = 0x8fe00000, .next = 0x80200000});
    /* By hand: auipc t0,0; addi a2,t0,40; csrr a0,mhartid; ld a1,32(t0); ld t0,24(t0); jr t0. */
    static const uint32_t code[] = {0x00000297, 0x02828613, 0xf1402573,
                                    0x0202b583, 0x0182b283, 0x00028067};
    for (unsigned i = 0; i < 6; i++)
        cr_assert_eq(bench_read(b, MAP_BOOT_ROM + 4 * i, 4), code[i]);
    static const uint64_t data[] = {0x80000000, 0x8fe00000, 0x4942534f, 2, 0x80200000, 1, 0, 0};
    for (unsigned i = 0; i < 8; i++)
        cr_assert_eq(bench_read(b, MAP_BOOT_ROM + 24 + 8 * i, 8), data[i]);
    cr_assert_eq(bench_read(b, MAP_BOOT_ROM + MAP_BOOT_ROM_SIZE - 1, 1), 0);
    const struct bus_region *region = bus_find(&b->m.bus, MAP_BOOT_ROM, 4);
    cr_assert_eq(load_le32(region->memory), code[0], "harts fetch from it");
    cr_assert(!bus_write(&b->m.bus, MAP_BOOT_ROM, 4, 0), "it is read-only");
    cr_assert_eq(bench_read(b, MAP_BOOT_ROM, 4), code[0]);
    bench_free(b);
    free(rom);
}
