/* What holds for every device's state. */
#include "devices/aclint.h"
#include "devices/cfi_flash.h"
#include "devices/fw_cfg.h"
#include "devices/plic.h"
#include "devices/rtc_goldfish.h"
#include "devices/uart16550.h"
#include "devices/virtio_blk.h"
#include "devices/virtio_console.h"
#include "devices/virtio_net.h"
#include "devices/virtio_rng.h"

#include "base/hash.h"
#include "tests/unit/devices/bench.h"

static const struct fields *const tables[] = {
    &aclint_fields,       &cfi_flash_fields,  &fw_cfg_fields,     &plic_fields,
    &rtc_goldfish_fields, &uart16550_fields,  &virtio_blk_fields, &virtio_console_fields,
    &virtio_net_fields,   &virtio_rng_fields,
};
enum { TABLES = sizeof tables / sizeof *tables };

Test(device_state, every_byte_is_described)
{
    for (unsigned i = 0; i < TABLES; i++) {
        bool map[4096] = {false};
        cr_assert(tables[i]->size <= sizeof map);
        fields_coverage(tables[i], map);
        for (unsigned at = 0; at < tables[i]->size; at++)
            cr_assert(map[at], "%s: byte %u", tables[i]->name, at);
        cr_assert(tables[i]->version_id >= tables[i]->minimum_version_id);
    }
}

static bool unused(const struct fields *table, uint32_t at)
{
    for (uint32_t i = 0; i < table->count; i++) {
        const struct field *f = &table->field[i];
        if (at < f->offset || at >= f->offset + f->size * f->count)
            continue;
        return f->nested ? unused(f->nested, (at - f->offset) % f->size) : f->unused;
    }
    return false;
}

/* Any byte that differs in the state differs in what is saved, and comes back. */
Test(device_state, round_trip)
{
    for (unsigned i = 0; i < TABLES; i++) {
        uint8_t state[4096], back[4096] = {0};
        for (unsigned at = 0; at < tables[i]->size; at++)
            state[at] = unused(tables[i], at) ? 0 : (uint8_t)hash_mix(at + 1);
        struct buffer saved = {0};
        struct error err = ERROR_INIT;
        fields_save(tables[i], state, &saved);
        const uint8_t *bytes = saved.data;
        size_t size = saved.size;
        cr_assert(fields_load(tables[i], back, &bytes, &size, &err), "%s", err.message);
        cr_assert_eq(size, 0);
        cr_assert_arr_eq(state, back, tables[i]->size, "%s", tables[i]->name);
        buffer_fini(&saved);
    }
}

/* Restoring a device moves no wire, arms no timer, and its registers read as before. */
Test(device_state, restore_is_silent)
{
    static struct aclint aclint;
    struct bench b;
    bench_init(&b, 1);
    struct irq software = bench_wire(&b, 0), deadline = bench_wire(&b, 1);
    aclint_init(&aclint, &b.m, 0x2000000, 0x10000, &software, &deadline);
    bench_reset(&b);
    bench_write(&b, 0x2000000, 4, 1);
    bench_write(&b, 0x2004000, 8, 12345);
    struct buffer saved = bench_save(&b, 0);
    bench_reset(&b);
    unsigned moves = b.moves;
    uint64_t next = b.m.clock.next;
    const uint8_t *bytes = saved.data;
    size_t size = saved.size;
    struct error err = ERROR_INIT;
    cr_assert(fields_load(&aclint_fields, &aclint.state, &bytes, &size, &err));
    if (b.m.device[0].restored)
        b.m.device[0].restored(b.m.device[0].ctx);
    cr_assert_eq(b.moves, moves);
    cr_assert_eq(b.m.clock.next, next);
    cr_assert_eq(bench_read(&b, 0x2000000, 4), 1);
    cr_assert_eq(bench_read(&b, 0x2004000, 8), 12345);
    buffer_fini(&saved);
    bench_fini(&b);
}
