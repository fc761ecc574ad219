/* Drivers that are wrong on purpose: the device needs a reset, and nothing else happens. */
#include "tests/unit/devices/virtio_echo.h"

enum { SIZE = 8 };

static uint64_t service(uint64_t bytes)
{
    return ECHO_LATENCY + bytes * 1000 / ECHO_BYTES_PER_US;
}

static void raw(struct rig *r, unsigned queue, unsigned index, uint64_t address, uint32_t size,
                uint16_t flags, uint16_t next)
{
    driver_desc(&r->d, r->d.queue[queue].desc, index, address, size, flags, next);
}

static uint64_t good(struct rig *r)
{
    return driver_alloc(&r->d, 16, 16);
}

static uint64_t ram_end(const struct rig *r)
{
    return r->b.m.ram.base + r->b.m.ram.size;
}

/* An indirect descriptor, head 0, to a new table of `bytes` bytes. */
static uint64_t table(struct rig *r, unsigned queue, uint32_t bytes, uint16_t flags)
{
    uint64_t at = driver_alloc(&r->d, 16 * 300, 16);
    raw(r, queue, 0, at, bytes, (uint16_t)(DESC_INDIRECT | flags), 1);
    raw(r, queue, 1, good(r), 16, 0, 0);
    return at;
}

/* Each makes chain 0 of the queue wrong. */
static void loop_to_itself(struct rig *r, unsigned q)
{
    raw(r, q, 0, good(r), 1, DESC_NEXT, 0);
}

static void loop_of_all(struct rig *r, unsigned q)
{
    for (unsigned i = 0; i < SIZE; i++)
        raw(r, q, i, good(r), 1, DESC_NEXT | DESC_WRITE, (i + 1) % SIZE);
}

static void next_outside(struct rig *r, unsigned q)
{
    raw(r, q, 0, good(r), 1, DESC_NEXT, SIZE);
    raw(r, q, SIZE, good(r), 1, 0, 0);
}

static void before_ram(struct rig *r, unsigned q)
{
    raw(r, q, 0, r->b.m.ram.base - 1, 2, 0, 0);
}

static void behind_ram(struct rig *r, unsigned q)
{
    raw(r, q, 0, ram_end(r) - 1, 2, DESC_WRITE, 0);
}

static void over_a_device(struct rig *r, unsigned q)
{
    raw(r, q, 0, VIRTIO_BENCH_BASE, 4, DESC_WRITE, 0);
}

static void address_wraps(struct rig *r, unsigned q)
{
    raw(r, q, 0, UINT64_MAX - 3, 8, DESC_WRITE, 0);
}

static void huge_segment(struct rig *r, unsigned q)
{
    raw(r, q, 0, r->b.m.ram.base, UINT32_MAX, 0, 0);
}

static void second_is_outside(struct rig *r, unsigned q)
{
    raw(r, q, 0, good(r), 16, DESC_NEXT, 1);
    raw(r, q, 1, 0, 16, DESC_WRITE, 0);
}

static void no_bytes(struct rig *r, unsigned q)
{
    raw(r, q, 0, good(r), 0, 0, 0);
}

static void readable_after_writable(struct rig *r, unsigned q)
{
    raw(r, q, 0, good(r), 1, DESC_NEXT | DESC_WRITE, 1);
    raw(r, q, 1, good(r), 1, 0, 0);
}

static void indirect_and_next(struct rig *r, unsigned q)
{
    driver_desc(&r->d, table(r, q, 16, DESC_NEXT), 0, good(r), 1, 0, 0);
}

static void indirect_in_indirect(struct rig *r, unsigned q)
{
    uint64_t inner = driver_alloc(&r->d, 16, 16);
    driver_desc(&r->d, inner, 0, good(r), 1, 0, 0);
    driver_desc(&r->d, table(r, q, 16, 0), 0, inner, 16, DESC_INDIRECT, 0);
}

static void empty_table(struct rig *r, unsigned q)
{
    driver_desc(&r->d, table(r, q, 0, 0), 0, good(r), 1, 0, 0);
}

static void torn_table(struct rig *r, unsigned q)
{
    driver_desc(&r->d, table(r, q, 24, 0), 0, good(r), 1, 0, 0);
}

static void table_outside(struct rig *r, unsigned q)
{
    raw(r, q, 0, ram_end(r) - 16, 32, DESC_INDIRECT, 0);
}

static void no_bytes_in_table(struct rig *r, unsigned q)
{
    driver_desc(&r->d, table(r, q, 16, 0), 0, good(r), 0, 0, 0);
}

static void next_outside_table(struct rig *r, unsigned q)
{
    uint64_t at = table(r, q, 32, 0);
    driver_desc(&r->d, at, 0, good(r), 1, DESC_NEXT, 2);
    driver_desc(&r->d, at, 2, good(r), 1, 0, 0);
}

static void loop_in_table(struct rig *r, unsigned q)
{
    uint64_t at = table(r, q, 32, 0);
    driver_desc(&r->d, at, 0, good(r), 1, DESC_NEXT, 1);
    driver_desc(&r->d, at, 1, good(r), 1, DESC_NEXT, 0);
}

static void table_too_long(struct rig *r, unsigned q)
{
    uint64_t at = table(r, q, 16 * (VIRTQUEUE_SIZE + 1), 0), byte = good(r);
    for (unsigned i = 0; i <= VIRTQUEUE_SIZE; i++)
        driver_desc(&r->d, at, i, byte, 1, i < VIRTQUEUE_SIZE ? DESC_NEXT : 0, (uint16_t)(i + 1));
}

static void table_too_long_with_more(struct rig *r, unsigned q)
{
    uint64_t at = table(r, q, 16 * VIRTQUEUE_SIZE, 0), byte = good(r);
    raw(r, q, 1, at, 16 * VIRTQUEUE_SIZE, DESC_INDIRECT, 0);
    raw(r, q, 0, byte, 1, DESC_NEXT, 1);
    for (unsigned i = 0; i < VIRTQUEUE_SIZE; i++)
        driver_desc(&r->d, at, i, byte, 1, i < VIRTQUEUE_SIZE - 1 ? DESC_NEXT : 0,
                    (uint16_t)(i + 1));
}

static void (*const wrong_chain[])(struct rig *r, unsigned queue) = {
    loop_to_itself,
    loop_of_all,
    next_outside,
    before_ram,
    behind_ram,
    over_a_device,
    address_wraps,
    huge_segment,
    second_is_outside,
    no_bytes,
    readable_after_writable,
    indirect_and_next,
    indirect_in_indirect,
    empty_table,
    torn_table,
    table_outside,
    no_bytes_in_table,
    next_outside_table,
    loop_in_table,
    table_too_long,
    table_too_long_with_more,
};
enum { WRONG_CHAINS = sizeof wrong_chain / sizeof *wrong_chain };

/* It has broken just now: said once, told to the driver, RAM as it was. */
static void assert_broken(struct rig *r, const uint8_t *ram, unsigned which)
{
    cr_assert(driver_broken(&r->d), "case %u", which);
    cr_assert_eq(r->d.guest_lines, 1, "case %u: %u lines", which, r->d.guest_lines);
    cr_assert(strstr(r->d.last_line, "needs a reset"), "%s", r->d.last_line);
    cr_assert_eq(driver_ack(&r->d), 2, "case %u", which);
    cr_assert_eq(driver_get(&r->d, REG_CONFIG_GENERATION), 1);
    cr_assert(!virtio_busy(&r->echo.virtio));
    cr_assert_eq(machine_next_deadline(&r->b.m), CLOCK_NEVER);
    cr_assert(rig_ram_equals(r, ram), "case %u", which);
}

Test(virtqueue_hostile, wrong_chains_when_taken)
{
    for (unsigned i = 0; i < WRONG_CHAINS; i++)
        for (unsigned events = 0; events < 2; events++) {
            struct rig *r = rig_new();
            uint64_t event_idx = events ? VIRTIO_F_EVENT_IDX : 0;
            driver_start(&r->d, VIRTIO_F_INDIRECT_DESC | event_idx, ECHO_QUEUES, SIZE);
            wrong_chain[i](r, 0);
            driver_add_head(&r->d, 0, 0);
            uint8_t *ram = rig_ram(r);
            driver_notify(&r->d, 0);
            assert_broken(r, ram, i);
            cr_assert_eq(r->echo.state.served, 0);
            free(ram);
            rig_free(r);
        }
}

Test(virtqueue_hostile, wrong_chains_when_held)
{
    for (unsigned i = 0; i < WRONG_CHAINS; i++) {
        struct rig *r = rig_new();
        struct virtio_chain chain;
        driver_start(&r->d, ECHO_FEATURES, ECHO_QUEUES, SIZE);
        wrong_chain[i](r, ECHO_HELD);
        driver_add_head(&r->d, ECHO_HELD, 0);
        uint8_t *ram = rig_ram(r);
        cr_assert(!virtqueue_peek(&r->echo.virtio, ECHO_HELD, &chain));
        cr_assert(!driver_broken(&r->d));
        cr_assert_eq(r->d.guest_lines, 0);
        cr_assert(!virtqueue_take(&r->echo.virtio, ECHO_HELD, &chain));
        assert_broken(r, ram, i);
        free(ram);
        rig_free(r);
    }
}

/* The chain was right when it was taken. */
Test(virtqueue_hostile, wrong_chains_when_served)
{
    for (unsigned i = 0; i < WRONG_CHAINS; i++) {
        struct rig *r = rig_new();
        driver_start(&r->d, VIRTIO_F_INDIRECT_DESC, ECHO_QUEUES, SIZE);
        struct driver_buffer buffer = driver_buffer(&r->d, NULL, 16, true);
        cr_assert_eq(driver_add(&r->d, 0, &buffer, 1), 0);
        driver_notify(&r->d, 0);
        cr_assert(!driver_broken(&r->d));
        wrong_chain[i](r, 0);
        uint8_t *ram = rig_ram(r);
        driver_wait(&r->d);
        assert_broken(r, ram, i);
        cr_assert_eq(r->echo.state.served, 0);
        free(ram);
        rig_free(r);
    }
}

Test(virtqueue_hostile, a_chain_that_has_become_another)
{
    struct rig *r = rig_new();
    driver_start(&r->d, 0, ECHO_QUEUES, SIZE);
    struct driver_buffer part[] = {driver_buffer(&r->d, "ab", 2, false),
                                   driver_buffer(&r->d, NULL, 2, true)};
    driver_add(&r->d, 0, part, 2);
    driver_notify(&r->d, 0);
    uint64_t due = machine_next_deadline(&r->b.m), other = good(r);
    raw(r, 0, 1, other, 1, DESC_WRITE, 0);
    driver_wait(&r->d);
    uint32_t head, written;
    cr_assert(driver_used(&r->d, 0, &head, &written));
    cr_assert_eq(written, 1);
    cr_assert_eq(*driver_ram(&r->d, other), 'a');
    cr_assert_eq(*driver_ram(&r->d, part[1].address), 0);
    cr_assert_eq(driver_now(&r->d), due);
    rig_free(r);
}

Test(virtqueue_hostile, wrong_available_rings)
{
    for (unsigned i = 0; i < 5; i++) {
        struct rig *r = rig_new();
        driver_start(&r->d, VIRTIO_F_EVENT_IDX, ECHO_QUEUES, SIZE);
        raw(r, 0, 0, good(r), 1, 0, 0);
        raw(r, 0, SIZE, good(r), 1, 0, 0);
        uint8_t *index = driver_ram(&r->d, r->d.queue[0].avail + 2), *entry = index + 2;
        store_le16(index, 1);
        if (i == 0)
            store_le16(entry, SIZE); /* there is no such head */
        else if (i == 1)
            store_le16(entry, 0xffff);
        else
            store_le16(index, i == 2 ? SIZE + 1 : i == 3 ? 0xffff : 0x8000);
        uint8_t *ram = rig_ram(r);
        driver_notify(&r->d, 0);
        assert_broken(r, ram, i);
        free(ram);
        rig_free(r);
    }
}

Test(virtqueue_hostile, a_full_available_ring)
{
    struct rig *r = rig_new();
    driver_start(&r->d, 0, ECHO_QUEUES, SIZE);
    struct driver_buffer buffer = driver_buffer(&r->d, "x", 1, false);
    for (unsigned i = 0; i < SIZE; i++)
        driver_add(&r->d, 0, &buffer, 1);
    driver_notify(&r->d, 0);
    driver_wait(&r->d);
    cr_assert_eq(driver_used_count(&r->d, 0), SIZE);
    cr_assert_eq(r->d.guest_lines, 0);
    rig_free(r);
}

Test(virtqueue_hostile, indirect_that_was_not_negotiated)
{
    struct rig *r = rig_new();
    driver_start(&r->d, 0, ECHO_QUEUES, SIZE);
    struct driver_buffer buffer = driver_buffer(&r->d, "x", 1, false);
    driver_add_indirect(&r->d, 0, &buffer, 1);
    uint8_t *ram = rig_ram(r);
    driver_notify(&r->d, 0);
    assert_broken(r, ram, 0);
    free(ram);
    rig_free(r);
}

/* 256 segments of the same 16 MiB and more: no chain has 4 GiB. */
Test(virtqueue_hostile, too_many_bytes)
{
    struct rig *r = rig_new();
    struct error err = ERROR_INIT;
    ram_fini(&r->b.m.ram);
    cr_assert(ram_init(&r->b.m.ram, 0x80000000, 32 << 20, &err), "%s", err.message);
    driver_start(&r->d, 0, ECHO_QUEUES, VIRTQUEUE_SIZE);
    for (unsigned i = 0; i < VIRTQUEUE_SIZE; i++)
        raw(r, 0, i, 0x80000000, (16 << 20) - (i == 255), i < 255 ? DESC_NEXT : 0, i + 1);
    driver_add_head(&r->d, 0, 0);
    driver_notify(&r->d, 0);
    cr_assert(!driver_broken(&r->d));
    cr_assert_eq(machine_next_deadline(&r->b.m), driver_now(&r->d) + service(UINT32_MAX));
    raw(r, 0, 255, 0x80000000, 16 << 20, 0, 0);
    driver_wait(&r->d);
    cr_assert(driver_broken(&r->d));
    rig_free(r);
}

/* Descriptors, rings and buffers one on the other do no harm but to the driver. */
Test(virtqueue_hostile, buffers_over_the_rings)
{
    struct rig *r = rig_new();
    driver_start(&r->d, VIRTIO_F_EVENT_IDX, ECHO_QUEUES, SIZE);
    struct driver_queue *q = &r->d.queue[0];
    struct driver_buffer part[] = {driver_buffer(&r->d, NULL, 200, false), {q->desc, 200, true}};
    driver_add(&r->d, 0, part, 2);
    driver_notify(&r->d, 0);
    driver_wait(&r->d);
    cr_assert_eq(r->echo.state.served, 1);
    cr_assert_eq(load_le32(driver_ram(&r->d, q->used + 8)), 200);
    rig_free(r);
}

Test(virtqueue_hostile, used_ring_over_the_available_ring)
{
    struct rig *r = rig_new();
    cr_assert(driver_negotiate(&r->d, VIRTIO_F_VERSION_1));
    driver_set_queue(&r->d, ECHO_FAST, SIZE);
    driver_put(&r->d, REG_QUEUE_READY, 0);
    uint64_t ring = driver_alloc(&r->d, 256, 16);
    driver_put64(&r->d, REG_QUEUE_DRIVER, ring);
    driver_put64(&r->d, REG_QUEUE_DEVICE, ring);
    driver_put(&r->d, REG_QUEUE_READY, 1);
    for (unsigned i = 0; i < SIZE; i++)
        raw(r, ECHO_FAST, i, good(r), 1, 0, 0);
    driver_ok(&r->d);
    store_le16(driver_ram(&r->d, ring + 2), 1);
    driver_notify(&r->d, ECHO_FAST);
    driver_wait(&r->d);
    cr_assert_eq(r->echo.state.served, 1);
    cr_assert_eq(load_le16(driver_ram(&r->d, ring + 2)), 1);
    cr_assert(!driver_broken(&r->d));
    rig_free(r);
}

Test(virtqueue_hostile, broken_while_serving)
{
    struct rig *r = rig_new();
    driver_start(&r->d, 0, ECHO_QUEUES, SIZE);
    struct driver_buffer buffer = driver_buffer(&r->d, "x", 1, false);
    driver_add(&r->d, 0, &buffer, 1);
    driver_add(&r->d, 0, &buffer, 1);
    r->echo.breaks = true;
    uint8_t *ram = rig_ram(r);
    driver_notify(&r->d, 0);
    driver_wait(&r->d);
    assert_broken(r, ram, 0);
    cr_assert_eq(r->echo.state.served, 1);
    free(ram);
    rig_free(r);
}
