#include "tests/unit/devices/virtio_echo.h"

enum { QUEUE_RESET = 0xc0, SHM_SEL = 0xac, SHM_FIRST = 0xb0, SHM_LAST = 0xbc };

/* ---- identity and widths ---- */

Test(virtio_mmio, identity)
{
    struct rig *r = rig_new();
    cr_assert_eq(driver_get(&r->d, REG_MAGIC), 0x74726976);
    cr_assert_eq(driver_get(&r->d, REG_VERSION), 2);
    cr_assert_eq(driver_get(&r->d, REG_DEVICE_ID), VIRTIO_ID_CONSOLE);
    cr_assert_eq(driver_get(&r->d, REG_VENDOR_ID), 0x554d4551);
    rig_free(r);
}

Test(virtio_mmio, reset_values)
{
    struct rig *r = rig_new();
    cr_assert_eq(driver_get(&r->d, REG_STATUS), 0);
    cr_assert_eq(driver_get(&r->d, REG_INTERRUPT_STATUS), 0);
    cr_assert_eq(driver_get(&r->d, REG_CONFIG_GENERATION), 0);
    cr_assert_eq(driver_get(&r->d, REG_QUEUE_READY), 0);
    cr_assert_eq(driver_get(&r->d, REG_QUEUE_NUM_MAX), VIRTQUEUE_SIZE);
    cr_assert_eq(driver_get(&r->d, REG_DEVICE_FEATURES), (uint32_t)ECHO_FEATURES);
    cr_assert(!driver_irq(&r->d));
    rig_free(r);
}

/* Version 2 of the transport and no shared memory, no reset of single queues. */
Test(virtio_mmio, what_is_not_there)
{
    struct rig *r = rig_new();
    for (unsigned reg = SHM_FIRST; reg <= SHM_LAST; reg += 4)
        cr_assert_eq(driver_get(&r->d, reg), UINT32_MAX);
    driver_put(&r->d, SHM_SEL, 1);
    cr_assert_eq(driver_get(&r->d, SHM_FIRST), UINT32_MAX);
    cr_assert_eq(r->d.guest_lines, 0);
    cr_assert_eq(driver_get(&r->d, QUEUE_RESET), 0);
    driver_put(&r->d, QUEUE_RESET, 1);
    cr_assert_eq(r->d.guest_lines, 1);
    cr_assert(!(driver_offered(&r->d) & UINT64_C(1) << 40));
    rig_free(r);
}

Test(virtio_mmio, registers_are_words)
{
    struct rig *r = rig_new();
    cr_assert_eq(bench_read(&r->b, r->d.base + 1, 1), 'i');
    cr_assert_eq(bench_read(&r->b, r->d.base + 2, 2), 0x7472);
    cr_assert_eq(bench_read(&r->b, r->d.base, 8), 0x74726976);
    cr_assert_eq(r->d.guest_lines, 3);
    bench_write(&r->b, r->d.base + REG_STATUS, 1, ACKNOWLEDGE);
    bench_write(&r->b, r->d.base + REG_STATUS, 2, ACKNOWLEDGE);
    bench_write(&r->b, r->d.base + REG_STATUS, 8, ACKNOWLEDGE);
    cr_assert_eq(r->d.guest_lines, 6);
    cr_assert_eq(driver_get(&r->d, REG_STATUS), 0);
    rig_free(r);
}

Test(virtio_mmio, looking_changes_nothing)
{
    struct rig *r = rig_new();
    driver_start(&r->d, VIRTIO_F_EVENT_IDX, ECHO_QUEUES, 8);
    struct driver_buffer buffer = driver_buffer(&r->d, "x", 1, false);
    driver_add(&r->d, 0, &buffer, 1);
    driver_notify(&r->d, 0);
    bench_peek_all(&r->b, r->d.base, VIRTIO_BENCH_WINDOW);
    cr_assert_eq(r->d.guest_lines, 0);
    uint64_t value;
    for (unsigned reg = 0; reg < VIRTIO_BENCH_WINDOW; reg += 4) {
        cr_assert(bus_peek(&r->b.m.bus, r->d.base + reg, 4, &value));
        cr_assert_eq(value, driver_get(&r->d, reg), "%#x", reg);
    }
    rig_free(r);
}

Test(virtio_mmio, read_only_registers)
{
    static const unsigned reg[] = {REG_MAGIC,         REG_VERSION,          REG_DEVICE_ID,
                                   REG_VENDOR_ID,     REG_DEVICE_FEATURES,  REG_QUEUE_NUM_MAX,
                                   SHM_FIRST,         REG_INTERRUPT_STATUS, REG_CONFIG_GENERATION,
                                   REG_DEVICE_ID + 16};
    struct rig *r = rig_new();
    uint64_t before = bench_digest(&r->b, 0);
    for (unsigned i = 0; i < sizeof reg / sizeof *reg; i++)
        driver_put(&r->d, reg[i], UINT32_MAX);
    cr_assert_eq(r->d.guest_lines, sizeof reg / sizeof *reg);
    cr_assert_eq(bench_digest(&r->b, 0), before);
    rig_free(r);
}

Test(virtio_mmio, empty_slot)
{
    struct rig *r = rig_new();
    virtio_mmio_init_empty(&r->b.m, 0x10002000, 0x1000);
    r->d.base = 0x10002000;
    cr_assert_eq(driver_get(&r->d, REG_MAGIC), 0x74726976);
    cr_assert_eq(driver_get(&r->d, REG_VERSION), 2);
    cr_assert_eq(driver_get(&r->d, REG_DEVICE_ID), 0);
    cr_assert_eq(driver_get(&r->d, REG_VENDOR_ID), 0x554d4551);
    cr_assert_eq(r->d.guest_lines, 0);
    cr_assert_eq(driver_get(&r->d, REG_STATUS), 0);
    driver_put(&r->d, REG_STATUS, 1);
    cr_assert_eq(driver_get(&r->d, REG_STATUS), 0);
    cr_assert_eq(r->d.guest_lines, 3);
    rig_free(r);
}

/* ---- features and status ---- */

Test(virtio_mmio, offered_features)
{
    struct rig *r = rig_new();
    cr_assert_eq(driver_offered(&r->d), ECHO_FEATURES);
    for (unsigned shift = 1; shift < 32; shift++) {
        driver_put(&r->d, REG_DEVICE_FEATURES_SEL, 1u << shift);
        cr_assert_eq(driver_get(&r->d, REG_DEVICE_FEATURES), 0);
    }
    rig_free(r);
}

Test(virtio_mmio, features_are_accepted)
{
    struct rig *r = rig_new();
    cr_assert(driver_negotiate(&r->d, ECHO_FEATURES));
    cr_assert(virtio_has_feature(&r->echo.virtio, ECHO_F_HIGH));
    cr_assert(driver_negotiate(&r->d, VIRTIO_F_VERSION_1 | ECHO_F_LOW));
    cr_assert(virtio_has_feature(&r->echo.virtio, ECHO_F_LOW));
    cr_assert(!virtio_has_feature(&r->echo.virtio, ECHO_F_HIGH));
    cr_assert(!virtio_has_feature(&r->echo.virtio, VIRTIO_F_EVENT_IDX));
    rig_free(r);
}

Test(virtio_mmio, no_feature_before_features_ok)
{
    struct rig *r = rig_new();
    driver_put(&r->d, REG_DRIVER_FEATURES, ECHO_F_LOW);
    cr_assert(!virtio_has_feature(&r->echo.virtio, ECHO_F_LOW));
    rig_free(r);
}

Test(virtio_mmio, features_are_refused)
{
    struct rig *r = rig_new();
    cr_assert(!driver_negotiate(&r->d, 0));
    cr_assert(!driver_negotiate(&r->d, ECHO_FEATURES & ~VIRTIO_F_VERSION_1));
    cr_assert_eq(r->d.guest_lines, 2);
    for (unsigned bit = 0; bit < 64; bit++) {
        uint64_t feature = UINT64_C(1) << bit;
        cr_assert_eq(driver_negotiate(&r->d, VIRTIO_F_VERSION_1 | feature),
                     (ECHO_FEATURES & feature) != 0, "bit %u", bit);
    }
    rig_free(r);
}

Test(virtio_mmio, a_second_try)
{
    struct rig *r = rig_new();
    cr_assert(!driver_negotiate(&r->d, VIRTIO_F_VERSION_1 | 2));
    driver_put(&r->d, REG_DRIVER_FEATURES_SEL, 0);
    driver_put(&r->d, REG_DRIVER_FEATURES, 1);
    driver_put(&r->d, REG_STATUS, ACKNOWLEDGE | DRIVER | FEATURES_OK);
    cr_assert_eq(driver_get(&r->d, REG_STATUS), ACKNOWLEDGE | DRIVER | FEATURES_OK);
    cr_assert(virtio_has_feature(&r->echo.virtio, ECHO_F_LOW));
    rig_free(r);
}

Test(virtio_mmio, accepted_features_stay)
{
    struct rig *r = rig_new();
    cr_assert(driver_negotiate(&r->d, VIRTIO_F_VERSION_1));
    driver_put(&r->d, REG_DRIVER_FEATURES_SEL, 0);
    driver_put(&r->d, REG_DRIVER_FEATURES, ECHO_F_LOW);
    cr_assert(!virtio_has_feature(&r->echo.virtio, ECHO_F_LOW));
    cr_assert_eq(r->d.guest_lines, 1);
    driver_put(&r->d, REG_STATUS, 0);
    driver_put(&r->d, REG_DRIVER_FEATURES_SEL, 2);
    driver_put(&r->d, REG_DRIVER_FEATURES, ECHO_F_LOW);
    cr_assert_eq(r->echo.state.virtio.driver_features, 0);
    cr_assert_eq(r->d.guest_lines, 2);
    rig_free(r);
}

Test(virtio_mmio, status_bits_stay_until_a_reset)
{
    struct rig *r = rig_new();
    driver_start(&r->d, 0, 0, 8);
    driver_put(&r->d, REG_STATUS, FAILED);
    cr_assert_eq(driver_get(&r->d, REG_STATUS),
                 ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK | FAILED);
    driver_put(&r->d, REG_STATUS, 0);
    cr_assert_eq(driver_get(&r->d, REG_STATUS), 0);
    driver_put(&r->d, REG_STATUS, ~(uint32_t)(FEATURES_OK | DRIVER_OK));
    cr_assert_eq(driver_get(&r->d, REG_STATUS), ACKNOWLEDGE | DRIVER | FAILED);
    rig_free(r);
}

Test(virtio_mmio, driver_ok_needs_features_ok)
{
    struct rig *r = rig_new();
    driver_put(&r->d, REG_STATUS, ACKNOWLEDGE | DRIVER | DRIVER_OK);
    cr_assert_eq(driver_get(&r->d, REG_STATUS), ACKNOWLEDGE | DRIVER);
    driver_put(&r->d, REG_STATUS, ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK);
    cr_assert_eq(driver_get(&r->d, REG_STATUS), ACKNOWLEDGE | DRIVER);
    driver_put(&r->d, REG_DRIVER_FEATURES_SEL, 1);
    driver_put(&r->d, REG_DRIVER_FEATURES, VIRTIO_F_VERSION_1 >> 32);
    driver_put(&r->d, REG_STATUS, ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK);
    cr_assert_eq(driver_get(&r->d, REG_STATUS), ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK);
    rig_free(r);
}

Test(virtio_mmio, reset_forgets_everything)
{
    struct rig *r = rig_new();
    uint64_t fresh = bench_digest(&r->b, 0);
    driver_start(&r->d, ECHO_FEATURES, ECHO_QUEUES, 8);
    struct driver_buffer buffer = driver_buffer(&r->d, "x", 1, false);
    driver_request(&r->d, 0, &buffer, 1);
    driver_add(&r->d, 0, &buffer, 1);
    driver_notify(&r->d, 0);
    cr_assert(driver_irq(&r->d) && virtio_busy(&r->echo.virtio));
    driver_put(&r->d, REG_STATUS, 0);
    cr_assert(!driver_irq(&r->d) && !virtio_busy(&r->echo.virtio));
    cr_assert_eq(machine_next_deadline(&r->b.m), CLOCK_NEVER);
    cr_assert_eq(bench_digest(&r->b, 0), fresh);
    cr_assert_eq(r->echo.resets, 3);
    rig_free(r);
}

/* ---- queues ---- */

Test(virtio_mmio, queues_that_do_not_exist)
{
    struct rig *r = rig_new();
    uint32_t missing[] = {ECHO_QUEUES, VIRTIO_QUEUES, 1000, UINT32_MAX};
    for (unsigned i = 0; i < 4; i++) {
        driver_put(&r->d, REG_QUEUE_SEL, missing[i]);
        cr_assert_eq(driver_get(&r->d, REG_QUEUE_NUM_MAX), 0);
        cr_assert_eq(driver_get(&r->d, REG_QUEUE_READY), 0);
        uint64_t before = bench_digest(&r->b, 0);
        driver_put(&r->d, REG_QUEUE_NUM, 8);
        driver_put64(&r->d, REG_QUEUE_DESC, 0x80001000);
        driver_put(&r->d, REG_QUEUE_READY, 1);
        cr_assert_eq(bench_digest(&r->b, 0), before);
        cr_assert_eq(r->d.guest_lines, 4 * (i + 1));
    }
    rig_free(r);
}

Test(virtio_mmio, each_queue_has_its_own)
{
    struct rig *r = rig_new();
    driver_start(&r->d, 0, ECHO_QUEUES, 16);
    for (unsigned i = 0; i < ECHO_QUEUES; i++) {
        const struct virtqueue_state *q = &r->echo.state.virtio.queue[i];
        cr_assert_eq(q->descriptors, r->d.queue[i].desc);
        cr_assert_eq(q->driver, r->d.queue[i].avail);
        cr_assert_eq(q->device, r->d.queue[i].used);
        cr_assert_eq(q->size, 16);
        driver_put(&r->d, REG_QUEUE_SEL, i);
        cr_assert_eq(driver_get(&r->d, REG_QUEUE_READY), 1);
    }
    cr_assert_eq(r->d.guest_lines, 0);
    rig_free(r);
}

/* Enable queue 0 with these; true: the device is well with it. */
static bool enable(struct rig *r, uint32_t size, uint64_t desc, uint64_t avail, uint64_t used)
{
    cr_assert(driver_negotiate(&r->d, VIRTIO_F_VERSION_1));
    unsigned lines = r->d.guest_lines;
    driver_put(&r->d, REG_QUEUE_SEL, 0);
    driver_put(&r->d, REG_QUEUE_NUM, size);
    driver_put64(&r->d, REG_QUEUE_DESC, desc);
    driver_put64(&r->d, REG_QUEUE_DRIVER, avail);
    driver_put64(&r->d, REG_QUEUE_DEVICE, used);
    driver_put(&r->d, REG_QUEUE_READY, 1);
    bool well = !driver_broken(&r->d);
    cr_assert_eq(driver_get(&r->d, REG_QUEUE_READY), well);
    cr_assert_eq(r->d.guest_lines, lines + !well);
    cr_assert(!driver_irq(&r->d)); /* there is no driver yet to be told */
    cr_assert_eq(driver_get(&r->d, REG_CONFIG_GENERATION), 0);
    return well;
}

Test(virtio_mmio, sizes_of_queues)
{
    struct rig *r = rig_new();
    const uint64_t at = 0x80010000;
    for (uint32_t size = 0; size <= 1024; size++) {
        bool power = size && !(size & (size - 1));
        cr_assert_eq(enable(r, size, at, at + 0x4000, at + 0x8000), power && size <= 256, "%u",
                     size);
    }
    cr_assert(!enable(r, 0x10000, at, at + 0x4000, at + 0x8000));
    cr_assert(!enable(r, 0x10100, at, at + 0x4000, at + 0x8000));
    cr_assert(!enable(r, 0x80000000, at, at + 0x4000, at + 0x8000));
    cr_assert(!enable(r, UINT32_MAX, at, at + 0x4000, at + 0x8000));
    rig_free(r);
}

Test(virtio_mmio, places_of_rings)
{
    struct rig *r = rig_new();
    const uint64_t at = 0x80010000, end = 0x80000000 + r->b.m.ram.size;
    enum { SIZE = 8, DESC = 16 * SIZE, AVAIL = 6 + 2 * SIZE, USED = 6 + 8 * SIZE };
    cr_assert(enable(r, SIZE, end - DESC, at, at + 0x100));
    cr_assert(enable(r, SIZE, at, end - AVAIL, at + 0x100));
    cr_assert(enable(r, SIZE, at, at + 0x100, end - USED - 2));
    cr_assert(!enable(r, SIZE, end - DESC + 16, at, at + 0x100));
    cr_assert(!enable(r, SIZE, at, end - AVAIL + 2, at + 0x100));
    cr_assert(!enable(r, SIZE, at, at + 0x100, end - USED + 2));
    cr_assert(enable(r, SIZE, 0x80000000, at, at + 0x100));
    for (unsigned off = 1; off < 16; off++)
        cr_assert(!enable(r, SIZE, at + off, at + 0x100, at + 0x200));
    for (unsigned off = 1; off < 4; off++) {
        cr_assert(!enable(r, SIZE, at, at + 0x100, at + 0x200 + off));
        cr_assert_eq(enable(r, SIZE, at, at + 0x100 + off, at + 0x200), off == 2);
    }
    const uint64_t bad[] = {0,   0x1000,          VIRTIO_BENCH_BASE, 0x80000000 - 16,  end - 16,
                            end, UINT64_MAX - 15, 0x180010000,       UINT64_C(1) << 63};
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        cr_assert(!enable(r, SIZE, bad[i], at, at + 0x100), "%#lx", bad[i]);
        cr_assert(!enable(r, SIZE, at, bad[i], at + 0x100), "%#lx", bad[i]);
        cr_assert(!enable(r, SIZE, at, at + 0x100, bad[i]), "%#lx", bad[i]);
    }
    rig_free(r);
}

Test(virtio_mmio, rings_moved_while_in_use)
{
    static const unsigned reg[] = {REG_QUEUE_NUM,       REG_QUEUE_DESC,       REG_QUEUE_DESC + 4,
                                   REG_QUEUE_DRIVER,    REG_QUEUE_DRIVER + 4, REG_QUEUE_DEVICE,
                                   REG_QUEUE_DEVICE + 4};
    struct rig *r = rig_new();
    for (unsigned i = 0; i < sizeof reg / sizeof *reg; i++) {
        driver_start(&r->d, 0, ECHO_QUEUES, 8);
        unsigned lines = r->d.guest_lines;
        struct virtqueue_state before = r->echo.state.virtio.queue[2];
        driver_put(&r->d, reg[i], 4);
        cr_assert(driver_broken(&r->d));
        cr_assert(memcmp(&before, &r->echo.state.virtio.queue[2], sizeof before) == 0);
        cr_assert_eq(r->d.guest_lines, lines + 1);
        cr_assert_eq(driver_ack(&r->d), 2);
    }
    rig_free(r);
}

Test(virtio_mmio, a_queue_taken_away)
{
    struct rig *r = rig_new();
    driver_start(&r->d, 0, ECHO_QUEUES, 8);
    struct driver_buffer buffer = driver_buffer(&r->d, "x", 1, false);
    driver_request(&r->d, 0, &buffer, 1);
    driver_add(&r->d, 0, &buffer, 1);
    driver_notify(&r->d, 0);
    driver_put(&r->d, REG_QUEUE_SEL, 0);
    driver_put(&r->d, REG_QUEUE_READY, 0);
    cr_assert_eq(driver_get(&r->d, REG_QUEUE_READY), 0);
    cr_assert(!virtio_busy(&r->echo.virtio));
    cr_assert_eq(machine_next_deadline(&r->b.m), CLOCK_NEVER);
    driver_notify(&r->d, 0);
    cr_assert_eq(r->d.guest_lines, 1);
    driver_set_queue(&r->d, 0, 4);
    driver_request(&r->d, 0, &buffer, 1);
    cr_assert_eq(driver_used_count(&r->d, 0), 0);
    cr_assert_eq(r->d.guest_lines, 1);
    rig_free(r);
}

Test(virtio_mmio, notifications_that_are_ignored)
{
    struct rig *r = rig_new();
    struct driver_buffer buffer = driver_buffer(&r->d, "x", 1, false);
    cr_assert(driver_negotiate(&r->d, VIRTIO_F_VERSION_1));
    driver_set_queue(&r->d, 0, 8);
    driver_set_queue(&r->d, ECHO_HELD, 8);
    driver_add(&r->d, 0, &buffer, 1);
    driver_notify(&r->d, 0);
    driver_notify(&r->d, ECHO_HELD);
    cr_assert_eq(r->d.guest_lines, 2);
    driver_ok(&r->d);
    driver_notify(&r->d, ECHO_FAST); /* not ready */
    driver_notify(&r->d, ECHO_QUEUES);
    driver_notify(&r->d, UINT32_MAX);
    cr_assert_eq(r->d.guest_lines, 5);
    cr_assert(!virtio_busy(&r->echo.virtio));
    cr_assert_eq(r->echo.told, 0);
    driver_notify(&r->d, 0);
    driver_notify(&r->d, ECHO_HELD);
    cr_assert_eq(r->d.guest_lines, 5);
    cr_assert(virtio_busy(&r->echo.virtio));
    cr_assert_eq(r->echo.told, 1);
    rig_free(r);
}

/* ---- interrupts and configuration ---- */

Test(virtio_mmio, interrupts_are_acknowledged_each)
{
    struct rig *r = rig_new();
    driver_start(&r->d, 0, ECHO_QUEUES, 8);
    struct driver_buffer buffer = driver_buffer(&r->d, "x", 1, false);
    driver_request(&r->d, 0, &buffer, 1);
    virtio_config_changed(&r->echo.virtio);
    cr_assert(driver_irq(&r->d));
    cr_assert_eq(driver_get(&r->d, REG_INTERRUPT_STATUS), 3);
    driver_put(&r->d, REG_INTERRUPT_ACK, 1);
    cr_assert(driver_irq(&r->d));
    cr_assert_eq(driver_get(&r->d, REG_INTERRUPT_STATUS), 2);
    driver_put(&r->d, REG_INTERRUPT_ACK, ~2u);
    cr_assert(driver_irq(&r->d));
    driver_put(&r->d, REG_INTERRUPT_ACK, 2);
    cr_assert(!driver_irq(&r->d));
    rig_free(r);
}

Test(virtio_mmio, configuration_changes)
{
    struct rig *r = rig_new();
    virtio_config_changed(&r->echo.virtio);
    cr_assert_eq(driver_get(&r->d, REG_CONFIG_GENERATION), 1);
    cr_assert(!driver_irq(&r->d));
    driver_start(&r->d, 0, ECHO_QUEUES, 8);
    cr_assert_eq(driver_get(&r->d, REG_CONFIG_GENERATION), 1);
    virtio_config_changed(&r->echo.virtio);
    cr_assert_eq(driver_get(&r->d, REG_CONFIG_GENERATION), 2);
    cr_assert_eq(driver_ack(&r->d), 2);
    machine_reset(&r->b.m);
    cr_assert_eq(driver_get(&r->d, REG_CONFIG_GENERATION), 0);
    rig_free(r);
}

Test(virtio_mmio, configuration_space)
{
    struct rig *r = rig_new();
    for (unsigned i = 0; i < ECHO_CONFIG; i++)
        bench_write(&r->b, r->d.base + REG_CONFIG + i, 1, 0xfffa0 + i);
    for (unsigned size = 1; size <= 8; size *= 2)
        for (unsigned at = 0; at < VIRTIO_BENCH_WINDOW - REG_CONFIG; at += size) {
            uint64_t expected = 0;
            for (unsigned i = 0; i < size && at + i < ECHO_CONFIG; i++)
                expected |= (uint64_t)(0xa0 + at + i) << 8 * i;
            cr_assert_eq(bench_read(&r->b, r->d.base + REG_CONFIG + at, size), expected, "%u at %u",
                         size, at);
        }
    bench_write(&r->b, r->d.base + REG_CONFIG + 8, 8, 0x1122334455667788);
    cr_assert_eq(driver_get(&r->d, REG_CONFIG + 12), 0x11223344);
    cr_assert_eq(r->d.guest_lines, 0);
    bench_write(&r->b, r->d.base + REG_CONFIG + 16, 8, 0); /* half of it is outside */
    driver_put(&r->d, REG_CONFIG + ECHO_CONFIG, 0);
    driver_put(&r->d, VIRTIO_BENCH_WINDOW - 4, 0);
    cr_assert_eq(r->d.guest_lines, 3);
    cr_assert_eq(driver_get(&r->d, REG_CONFIG + 16), 0xb3b2b1b0);
    rig_free(r);
}

/* ---- a device that needs a reset ---- */

Test(virtio_mmio, needs_a_reset)
{
    struct rig *r = rig_new();
    driver_start(&r->d, ECHO_F_LOW, ECHO_QUEUES, 8);
    struct driver_buffer buffer = driver_buffer(&r->d, "x", 1, false);
    driver_add(&r->d, 0, &buffer, 1);
    driver_notify(&r->d, 0);
    virtio_break(&r->echo.virtio, "for the %s time", "first");
    virtio_break(&r->echo.virtio, "again");
    cr_assert_eq(r->d.guest_lines, 1);
    cr_assert(strstr(r->d.last_line, "echo") && strstr(r->d.last_line, "for the first time"));
    cr_assert_eq(driver_get(&r->d, REG_STATUS),
                 ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK | NEEDS_RESET);
    cr_assert_eq(driver_get(&r->d, REG_CONFIG_GENERATION), 1);
    cr_assert_eq(driver_ack(&r->d), 2);
    cr_assert(!virtio_busy(&r->echo.virtio));
    cr_assert_eq(machine_next_deadline(&r->b.m), CLOCK_NEVER);
    rig_free(r);
}

Test(virtio_mmio, nothing_until_the_reset)
{
    struct rig *r = rig_new();
    driver_start(&r->d, 0, ECHO_QUEUES, 8);
    virtio_break(&r->echo.virtio, "now");
    driver_ack(&r->d);
    struct driver_buffer buffer = driver_buffer(&r->d, "x", 1, false);
    for (unsigned i = 0; i < ECHO_QUEUES; i++)
        driver_add(&r->d, i, &buffer, 1);
    uint8_t *ram = rig_ram(r);
    uint64_t before = bench_digest(&r->b, 0);
    driver_put(&r->d, REG_QUEUE_SEL, 0);
    for (unsigned i = 0; i < ECHO_QUEUES; i++)
        driver_notify(&r->d, i);
    driver_put(&r->d, REG_QUEUE_READY, 0);
    driver_put(&r->d, REG_QUEUE_NUM, 4);
    driver_put(&r->d, REG_CONFIG, 1);
    driver_put(&r->d, REG_DRIVER_FEATURES, 1);
    driver_pass(&r->d, 1000000);
    struct virtio_chain chain;
    cr_assert(!virtqueue_peek(&r->echo.virtio, ECHO_HELD, &chain));
    cr_assert(!virtqueue_take(&r->echo.virtio, ECHO_HELD, &chain));
    virtqueue_give(&r->echo.virtio, ECHO_HELD, 0, 1);
    cr_assert_eq(r->echo.state.virtio.queue_select, 0);
    r->echo.state.virtio.queue_select = ECHO_QUEUES - 1; /* as it was */
    cr_assert_eq(bench_digest(&r->b, 0), before);
    cr_assert(rig_ram_equals(r, ram));
    cr_assert_eq(r->d.guest_lines, 1);
    driver_start(&r->d, 0, ECHO_QUEUES, 8);
    cr_assert_eq(driver_request(&r->d, 0, &buffer, 1), 0);
    cr_assert(!driver_broken(&r->d));
    free(ram);
    rig_free(r);
}

/* Eight slots full of devices have a timer for each served queue. */
Test(virtio_mmio, all_slots)
{
    struct bench b;
    static struct echo echo[8];
    bench_init(&b, 8);
    for (unsigned i = 0; i < 8; i++)
        echo_init(&echo[i], &b.m, VIRTIO_BENCH_BASE + i * VIRTIO_BENCH_WINDOW, bench_wire(&b, i));
    machine_reset(&b.m);
    for (unsigned i = 0; i < 8; i++) {
        cr_assert_eq(bench_read(&b, VIRTIO_BENCH_BASE + i * VIRTIO_BENCH_WINDOW, 4), 0x74726976);
        for (unsigned j = 0; j < i; j++)
            cr_assert_neq(echo[i].virtio.timer[0], echo[j].virtio.timer[0]);
    }
    bench_fini(&b);
}
