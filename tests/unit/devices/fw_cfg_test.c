#include "devices/fw_cfg.h"

#include "base/endian.h"
#include "base/hash.h"
#include "tests/unit/devices/bench.h"

#include <stdio.h>

enum { BASE = 0x10100000, DATA = BASE, SELECTOR = BASE + 8, DMA = BASE + 16 };
#define RAM UINT64_C(0x80000000)
#define ACCESS (RAM + 0x100)
#define TARGET (RAM + 0x1000)
enum { RAM_SIZE = 1 << 20 };

struct rig {
    struct bench b;
    struct fw_cfg fw_cfg;
};

static struct rig *rig_new(void)
{
    struct rig *r = calloc(1, sizeof *r);
    bench_init(&r->b, 3);
    fw_cfg_init(&r->fw_cfg, &r->b.m, BASE, 0x18);
    bench_reset(&r->b);
    return r;
}

static void rig_free(struct rig *r)
{
    bench_fini(&r->b);
    fw_cfg_fini(&r->fw_cfg);
    free(r);
}

static void add_file(struct rig *r, const char *name, const char *text)
{
    struct error err;
    cr_assert(fw_cfg_add_file(&r->fw_cfg, name, text, strlen(text), &err), "%s", err.message);
}

static void select_key(struct rig *r, unsigned key)
{
    bench_write(&r->b, SELECTOR, 2, __builtin_bswap16((uint16_t)key));
}

static void read_bytes(struct rig *r, void *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        ((uint8_t *)bytes)[i] = (uint8_t)bench_read(&r->b, DATA, 1);
}

static uint32_t read_be32(struct rig *r)
{
    return __builtin_bswap32((uint32_t)bench_read(&r->b, DATA, 4));
}

static void describe(struct rig *r, uint64_t at, uint32_t control, uint32_t length, uint64_t target)
{
    uint8_t access[16];
    store_le32(access, __builtin_bswap32(control));
    store_le32(access + 4, __builtin_bswap32(length));
    store_le64(access + 8, __builtin_bswap64(target));
    ram_write(&r->b.m.ram, at, access, sizeof access);
}

static uint32_t control_word(struct rig *r, uint64_t at)
{
    return __builtin_bswap32(load_le32(ram_at(&r->b.m.ram, at)));
}

static void start(struct rig *r, uint64_t at)
{
    bench_write(&r->b, DMA, 8, __builtin_bswap64(at));
}

static void finish(struct rig *r)
{
    cr_assert(r->b.m.clock.next != CLOCK_NEVER);
    clock_idle_until(&r->b.m.clock, r->b.m.clock.next);
}

/* Control word after a whole transfer. */
static uint32_t transfer(struct rig *r, uint32_t control, uint32_t length, uint64_t target)
{
    describe(r, ACCESS, control, length, target);
    start(r, ACCESS);
    finish(r);
    return control_word(r, ACCESS);
}

static const uint8_t *target_bytes(struct rig *r)
{
    return ram_at(&r->b.m.ram, TARGET);
}

Test(fw_cfg, what_every_machine_has)
{
    struct rig *r = rig_new();
    char signature[5] = "";
    read_bytes(r, signature, 4);
    cr_assert_str_eq(signature, "QEMU", "selected after a reset");
    cr_assert_eq(bench_read(&r->b, DATA, 4), 0, "zeroes behind the end");
    select_key(r, 1);
    cr_assert_eq(bench_read(&r->b, DATA, 4), 3);
    select_key(r, 5);
    cr_assert_eq(bench_read(&r->b, DATA, 2), 3, "harts");
    select_key(r, 0x19);
    cr_assert_eq(read_be32(r), 0, "no files");
    rig_free(r);
}

Test(fw_cfg, widths)
{
    struct rig *r = rig_new();
    add_file(r, "opt/a", "0123456789abcdef!");
    select_key(r, 0x20);
    cr_assert_eq(bench_read(&r->b, DATA, 1), '0');
    cr_assert_eq(bench_read(&r->b, DATA, 2), 0x3231, "bytes in the item's order");
    cr_assert_eq(bench_read(&r->b, DATA + 4, 4), 0x36353433);
    cr_assert_eq(bench_read(&r->b, DATA, 8), 0x6564636261393837);
    cr_assert_eq(bench_read(&r->b, DATA, 8), 0x2166, "and zeroes");
    cr_assert_eq(bench_read(&r->b, DATA, 8), 0);
    select_key(r, 0x20 | 0x4000);
    cr_assert_eq(bench_read(&r->b, DATA, 1), '0', "the write channel is none");
    bench_write(&r->b, DATA, 1, 'x');
    select_key(r, 0x20);
    cr_assert_eq(bench_read(&r->b, DATA, 1), '0', "read-only");
    uint64_t value;
    cr_assert(!bus_read(&r->b.m.bus, SELECTOR, 2, &value));
    cr_assert(!bus_write(&r->b.m.bus, SELECTOR, 4, 0));
    cr_assert(!bus_write(&r->b.m.bus, DMA, 2, 0));
    cr_assert(!bus_read(&r->b.m.bus, BASE + 0x18, 1, &value));
    rig_free(r);
}

Test(fw_cfg, items_that_are_none)
{
    struct rig *r = rig_new();
    static const unsigned keys[] = {2, 0x08, 0x1f, 0x20, 0x5f, 0x60, 0x3fff, 0x8000, 0xffff};
    for (unsigned i = 0; i < sizeof keys / sizeof *keys; i++) {
        select_key(r, keys[i]);
        cr_assert_eq(bench_read(&r->b, DATA, 8), 0);
    }
    rig_free(r);
}

Test(fw_cfg, directory_is_sorted)
{
    struct rig *r = rig_new();
    static const char *const name[] = {"opt/a", "opt/b", "opt/b/c", "opt/z"};
    add_file(r, name[3], "last");
    add_file(r, name[1], "B");
    add_file(r, name[0], "");
    add_file(r, name[2], "between");
    select_key(r, 0x19);
    cr_assert_eq(read_be32(r), 4);
    static const uint32_t size[] = {0, 1, 7, 4};
    for (unsigned i = 0; i < 4; i++) {
        char found[56];
        cr_assert_eq(read_be32(r), size[i]);
        cr_assert_eq(read_be32(r), (0x20 + i) << 16);
        read_bytes(r, found, sizeof found);
        cr_assert_str_eq(found, name[i]);
    }
    select_key(r, 0x22);
    cr_assert_eq(bench_read(&r->b, DATA, 8), 0x6e656577746562, "between");
    rig_free(r);
}

static void refused(struct rig *r, const char *name, const char *reason)
{
    struct error err = ERROR_INIT;
    cr_assert(!fw_cfg_add_file(&r->fw_cfg, name, "", 0, &err));
    cr_assert(strstr(err.message, reason), "%s", err.message);
}

Test(fw_cfg, bad_files)
{
    struct rig *r = rig_new();
    char name[57], number[8];
    memset(name, 'n', 56);
    name[56] = 0;
    refused(r, name, "1 to 55 bytes");
    refused(r, "", "1 to 55 bytes");
    name[55] = 0;
    add_file(r, name, "");
    refused(r, name, "twice");
    for (unsigned i = 1; i < FW_CFG_FILES; i++) {
        snprintf(number, sizeof number, "%u", i);
        add_file(r, number, number);
    }
    refused(r, "a", "room for 64");
    rig_free(r);
}

Test(fw_cfg, numbers_and_items)
{
    struct rig *r = rig_new();
    struct error err;
    fw_cfg_add_number(&r->fw_cfg, FW_CFG_KERNEL_SIZE, 0x12345678, 4);
    cr_assert(fw_cfg_add(&r->fw_cfg, FW_CFG_KERNEL_DATA, "kernel", "the kernel", 10, &err));
    select_key(r, 8);
    cr_assert_eq(bench_read(&r->b, DATA, 8), 0x12345678);
    select_key(r, 0x11);
    cr_assert_eq(bench_read(&r->b, DATA, 1), 't');
    rig_free(r);
}

Test(fw_cfg, dma_reads_at_a_deadline)
{
    struct rig *r = rig_new();
    add_file(r, "a", "0123456789");
    cr_assert_eq(bench_read(&r->b, DMA, 8), __builtin_bswap64(0x51454d5520434647));
    cr_assert_eq(bench_read(&r->b, DMA, 4), __builtin_bswap32(0x51454d55));
    cr_assert_eq(bench_read(&r->b, DMA + 4, 4), __builtin_bswap32(0x20434647));
    ram_write(&r->b.m.ram, TARGET, "xxxxxxxxxxxxxxx", 15);
    uint32_t control = 0x20 << 16 | FW_CFG_DMA_SELECT | FW_CFG_DMA_READ;
    describe(r, ACCESS, control, 13, TARGET);
    bench_write(&r->b, DMA, 4, __builtin_bswap32(ACCESS >> 32));
    cr_assert_eq(r->b.m.clock.next, CLOCK_NEVER);
    bench_write(&r->b, DMA + 4, 4, __builtin_bswap32((uint32_t)ACCESS));
    cr_assert_eq(r->b.m.clock.next, FW_CFG_LATENCY_NS + 13);
    clock_idle_until(&r->b.m.clock, FW_CFG_LATENCY_NS + 12);
    cr_assert_eq(control_word(r, ACCESS), control, "under way");
    cr_assert_eq(*target_bytes(r), 'x');
    clock_idle_until(&r->b.m.clock, FW_CFG_LATENCY_NS + 13);
    cr_assert_eq(control_word(r, ACCESS), 0);
    cr_assert_arr_eq(target_bytes(r), "0123456789\0\0\0xx", 15);
    cr_assert_eq(load_le64(&r->fw_cfg.state.access), 0, "nothing is left of it");
    rig_free(r);
}

Test(fw_cfg, what_dma_writes_is_told)
{
    struct rig *r = rig_new();
    struct bench_writes writes;
    add_file(r, "a", "0123456789");
    describe(r, ACCESS, 0x20 << 16 | FW_CFG_DMA_SELECT | FW_CFG_DMA_READ, 13, TARGET);
    bench_watch_writes(&r->b, &writes);
    start(r, ACCESS);
    finish(r);
    cr_assert_eq(writes.count, 3, "bytes, zeroes, result");
    bench_writes_told(&writes, "fw_cfg");
    rig_free(r);
}

Test(fw_cfg, dma_goes_on_where_it_was)
{
    struct rig *r = rig_new();
    add_file(r, "a", "0123456789");
    select_key(r, 0x20);
    cr_assert_eq(bench_read(&r->b, DATA, 1), '0');
    cr_assert_eq(transfer(r, FW_CFG_DMA_READ, 2, TARGET), 0);
    cr_assert_arr_eq(target_bytes(r), "12", 2);
    cr_assert_eq(transfer(r, FW_CFG_DMA_SKIP, 3, 0), 0);
    cr_assert_eq(transfer(r, FW_CFG_DMA_READ, 1, TARGET), 0);
    cr_assert_eq(*target_bytes(r), '6');
    cr_assert_eq(transfer(r, FW_CFG_DMA_SKIP, UINT32_MAX, 0), 0);
    cr_assert_eq(bench_read(&r->b, DATA, 1), 0);
    cr_assert_eq(transfer(r, 0x20 << 16 | FW_CFG_DMA_SELECT, 5, 0), 0);
    cr_assert_eq(bench_read(&r->b, DATA, 1), '0', "selecting moves nothing");
    cr_assert_eq(transfer(r, FW_CFG_DMA_READ, 0, 0), 0, "no bytes go anywhere");
    rig_free(r);
}

Test(fw_cfg, dma_errors)
{
    struct rig *r = rig_new();
    add_file(r, "a", "0123456789");
    select_key(r, 0x20);
    cr_assert_eq(transfer(r, FW_CFG_DMA_READ, 4, BASE), FW_CFG_DMA_ERROR);
    cr_assert_eq(transfer(r, FW_CFG_DMA_READ, 4, RAM + RAM_SIZE - 3), FW_CFG_DMA_ERROR);
    cr_assert_eq(transfer(r, FW_CFG_DMA_READ, 4, UINT64_MAX - 1), FW_CFG_DMA_ERROR);
    cr_assert_eq(transfer(r, FW_CFG_DMA_READ, UINT32_MAX, RAM), FW_CFG_DMA_ERROR);
    cr_assert_eq(transfer(r, FW_CFG_DMA_WRITE, 4, TARGET), FW_CFG_DMA_ERROR, "read-only");
    cr_assert_eq(bench_read(&r->b, DATA, 1), '0', "an error moves nothing");
    static const uint64_t no_ram[] = {0, RAM - 8, RAM + RAM_SIZE - 15, UINT64_MAX};
    for (unsigned i = 0; i < 4; i++) {
        start(r, no_ram[i]);
        cr_assert_eq(r->b.m.clock.next, CLOCK_NEVER);
    }
    cr_assert_eq(transfer(r, FW_CFG_DMA_READ, 4, RAM + RAM_SIZE - 4), 0);
    rig_free(r);
}

/* What was there when the address was written counts; a second transfer does not start. */
Test(fw_cfg, dma_one_at_a_time)
{
    struct rig *r = rig_new();
    add_file(r, "a", "0123456789");
    describe(r, ACCESS, 0x20 << 16 | FW_CFG_DMA_SELECT | FW_CFG_DMA_READ, 4, TARGET);
    start(r, ACCESS);
    describe(r, ACCESS, FW_CFG_DMA_READ, 8, RAM);
    describe(r, ACCESS + 16, FW_CFG_DMA_READ, 4, TARGET + 8);
    start(r, ACCESS + 16);
    finish(r);
    cr_assert_arr_eq(target_bytes(r), "0123\0\0\0\0\0\0\0\0", 12);
    cr_assert_eq(control_word(r, ACCESS), 0);
    cr_assert_eq(control_word(r, ACCESS + 16), FW_CFG_DMA_READ, "never looked at");
    cr_assert_eq(r->b.m.clock.next, CLOCK_NEVER);
    start(r, ACCESS + 16);
    finish(r);
    cr_assert_arr_eq(target_bytes(r) + 8, "4567", 4);
    rig_free(r);
}

Test(fw_cfg, dma_may_overwrite_its_description)
{
    struct rig *r = rig_new();
    add_file(r, "a", "0123456789abcdefghijklmnopqrstuv");
    describe(r, ACCESS, 0x20 << 16 | FW_CFG_DMA_SELECT | FW_CFG_DMA_READ, 32, ACCESS - 8);
    start(r, ACCESS);
    finish(r);
    cr_assert_eq(control_word(r, ACCESS), 0);
    cr_assert_arr_eq(ram_at(&r->b.m.ram, ACCESS + 4), "cdef", 4);
    rig_free(r);
}

Test(fw_cfg, a_reset_ends_a_transfer)
{
    struct rig *r = rig_new();
    describe(r, ACCESS, FW_CFG_DMA_READ, 4, TARGET);
    start(r, ACCESS);
    bench_reset(&r->b);
    cr_assert_eq(r->b.m.clock.next, CLOCK_NEVER);
    cr_assert_eq(transfer(r, FW_CFG_DMA_READ, 4, TARGET), 0);
    cr_assert_arr_eq(target_bytes(r), "QEMU", 4);
    rig_free(r);
}

/* A state that was saved in mid-transfer ends it all the same. */
Test(fw_cfg, transfers_are_state)
{
    struct rig *r = rig_new();
    add_file(r, "a", "0123456789");
    describe(r, ACCESS, 0x20 << 16 | FW_CFG_DMA_SELECT | FW_CFG_DMA_READ, 4, TARGET);
    start(r, ACCESS);
    struct buffer saved = bench_save(&r->b, 0);
    struct clock_state clock = r->b.m.clock.state;
    finish(r);
    ram_write(&r->b.m.ram, TARGET, "xxxx", 4);
    bench_reset(&r->b);
    const uint8_t *bytes = saved.data;
    size_t size = saved.size;
    struct error err;
    cr_assert(fields_load(&fw_cfg_fields, 1, &r->fw_cfg.state, &bytes, &size, &err));
    r->b.m.clock.state = clock;
    clock_restored(&r->b.m.clock);
    finish(r);
    cr_assert_arr_eq(target_bytes(r), "0123", 4);
    buffer_fini(&saved);
    rig_free(r);
}

Test(fw_cfg, looking_takes_no_bytes)
{
    struct rig *r = rig_new();
    bench_peek_all(&r->b, BASE, 0x18);
    cr_assert_eq(bench_read(&r->b, DATA, 4), 0x554d4551);
    rig_free(r);
}

/* States and descriptions that no machine and no driver makes do no harm. */
Test(fw_cfg, nonsense)
{
    struct rig *r = rig_new();
    uint64_t value;
    add_file(r, "a", "0123456789");
    for (unsigned seed = 1; seed < 5000; seed++) {
        uint64_t random = hash_mix(seed);
        struct fw_cfg_state *s = &r->fw_cfg.state;
        if (seed % 5 == 0) {
            *s = (struct fw_cfg_state){random,
                                       hash_mix(random),
                                       RAM + random % RAM_SIZE,
                                       (uint32_t)random,
                                       (uint32_t)(random >> 8),
                                       (uint32_t)(random >> 16),
                                       (uint16_t)(random >> 32),
                                       random >> 60 & 1,
                                       0};
            clock_arm(&r->b.m.clock, r->fw_cfg.timer, clock_vtime(&r->b.m.clock) + 10);
        }
        describe(r, ACCESS, (uint32_t)(random >> 20), (uint32_t)(random >> 40) >> random % 32,
                 RAM + (random >> 10) % (2 * RAM_SIZE));
        start(r, seed % 3 ? ACCESS : RAM + random % (RAM_SIZE + 32));
        bus_read(&r->b.m.bus, DATA, 8, &value);
        if (r->b.m.clock.next != CLOCK_NEVER)
            finish(r);
    }
    rig_free(r);
}
