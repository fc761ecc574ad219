#include "base/hash.h"
#include "tests/unit/devices/virtio_echo.h"

enum { SIZE = 8 };

static uint64_t random_next(uint64_t *seed)
{
    return hash_mix(++*seed);
}

static unsigned below(uint64_t *seed, unsigned limit)
{
    return (unsigned)(random_next(seed) % limit);
}

static uint64_t service(uint64_t bytes)
{
    return ECHO_LATENCY + bytes * 1000 / ECHO_BYTES_PER_US;
}

/* ---- requests ---- */

Test(virtqueue, direct_indirect_and_mixed)
{
    struct rig *r = rig_new();
    struct driver *d = &r->d;
    driver_start(d, VIRTIO_F_INDIRECT_DESC, ECHO_QUEUES, SIZE);
    for (unsigned way = 0; way < 3; way++) {
        struct driver_buffer part[] = {
            driver_buffer(d, "hello ", 6, false), driver_buffer(d, "world", 5, false),
            driver_buffer(d, NULL, 4, true), driver_buffer(d, NULL, 100, true)};
        uint16_t added;
        uint32_t head, written;
        if (way == 0) {
            added = driver_add(d, 0, part, 4);
        } else if (way == 1) {
            added = driver_add_indirect(d, 0, part, 4);
        } else { /* one descriptor of the queue, then a table with the rest */
            uint64_t table = driver_alloc(d, 16 * 9, 1) + 8; /* tables need no alignment */
            driver_desc(d, table, 0, part[1].address, part[1].size, DESC_NEXT, 7);
            driver_desc(d, table, 7, part[2].address, part[2].size, DESC_NEXT | DESC_WRITE, 2);
            driver_desc(d, table, 2, part[3].address, part[3].size, DESC_WRITE, 0xffff);
            driver_desc(d, d->queue[0].desc, 6, part[0].address, part[0].size, DESC_NEXT, 1);
            driver_desc(d, d->queue[0].desc, 1, table, 16 * 8, DESC_INDIRECT | DESC_WRITE, 0xffff);
            driver_add_head(d, 0, added = 6);
        }
        driver_notify(d, 0);
        driver_wait(d);
        cr_assert(driver_used(d, 0, &head, &written), "%s", d->last_line);
        cr_assert_eq(head, added);
        cr_assert_eq(written, 11);
        cr_assert_arr_eq(driver_ram(d, part[2].address), "hell", 4);
        cr_assert_arr_eq(driver_ram(d, part[3].address), "o world", 7);
        cr_assert_eq(driver_ack(d), 1);
    }
    cr_assert_eq(d->guest_lines, 0);
    rig_free(r);
}

Test(virtqueue, what_is_written_is_told)
{
    struct rig *r = rig_new();
    struct driver *d = &r->d;
    struct bench_writes writes;
    driver_start(d, VIRTIO_F_EVENT_IDX, ECHO_QUEUES, SIZE);
    struct driver_buffer part[] = {
        driver_buffer(d, "hello ", 6, false), driver_buffer(d, "world", 5, false),
        driver_buffer(d, NULL, 4, true), driver_buffer(d, NULL, 100, true)};
    driver_add(d, 0, part, 4);
    driver_add(d, ECHO_FAST, part, 4);
    bench_watch_writes(&r->b, &writes);
    driver_notify(d, 0);
    driver_notify(d, ECHO_FAST);
    driver_wait(d);
    cr_assert_arr_eq(driver_ram(d, part[3].address), "o world", 7);
    cr_assert_geq(writes.count, 2 * 4);
    bench_writes_told(&writes, "echo");
    rig_free(r);
}

/* A chain may have as many descriptors as the queue; an indirect one as many as the largest. */
Test(virtqueue, longest_chains)
{
    struct rig *r = rig_new();
    driver_start(&r->d, VIRTIO_F_INDIRECT_DESC, ECHO_QUEUES, SIZE);
    struct driver_buffer part[VIRTQUEUE_SIZE];
    for (unsigned i = 0; i < VIRTQUEUE_SIZE; i++)
        part[i] = driver_buffer(&r->d, "x", 1, false);
    driver_request(&r->d, 0, part, SIZE);
    uint32_t head, written;
    driver_add_indirect(&r->d, 0, part, VIRTQUEUE_SIZE);
    driver_notify(&r->d, 0);
    driver_wait(&r->d);
    cr_assert(driver_used(&r->d, 0, &head, &written));
    cr_assert_eq(r->d.guest_lines, 0);
    rig_free(r);
}

/* Reading and writing chains at any offset, compared with flat memory. */
Test(virtqueue, bytes_of_chains)
{
    struct rig *r = rig_new();
    uint64_t seed = 0;
    for (unsigned round = 0; round < 300; round++) {
        struct virtio_chain chain = {.readable = below(&seed, 6), .writable = below(&seed, 6)};
        uint64_t at[600], total[2] = {0, 0}; /* guest address of each byte, the readable first */
        uint64_t pa = 0x80002000 + below(&seed, 5000);
        for (unsigned i = 0; i < chain.readable + chain.writable; i++) {
            uint32_t size = 1 + below(&seed, 50);
            chain.segment[i] = (struct virtio_segment){pa, size};
            for (uint32_t j = 0; j < size; j++)
                at[total[0] + total[1] + j] = pa + j;
            total[i >= chain.readable] += size;
            pa += size + below(&seed, 10);
        }
        chain.readable_bytes = total[0];
        chain.writable_bytes = total[1];
        for (unsigned i = 0; i < 600; i++)
            *driver_ram(&r->d, 0x80002000 + below(&seed, 8000)) = (uint8_t)random_next(&seed);
        uint8_t bytes[700];
        uint64_t offset = below(&seed, 300);
        size_t size = below(&seed, 300);
        uint64_t left = offset < total[0] ? total[0] - offset : 0;
        cr_assert_eq(virtio_chain_read(&r->echo.virtio, &chain, offset, bytes, size),
                     left < size ? left : size);
        for (size_t i = 0; i < size && i < left; i++)
            cr_assert_eq(bytes[i], *driver_ram(&r->d, at[offset + i]));
        left = offset < total[1] ? total[1] - offset : 0;
        uint8_t *before = rig_ram(r);
        for (size_t i = 0; i < size; i++)
            bytes[i] = (uint8_t)random_next(&seed);
        cr_assert_eq(virtio_chain_write(&r->echo.virtio, &chain, offset, bytes, size),
                     left < size ? left : size);
        for (size_t i = 0; i < size && i < left; i++)
            before[at[total[0] + offset + i] - 0x80000000] = bytes[i];
        cr_assert(rig_ram_equals(r, before));
        free(before);
    }
    rig_free(r);
}

/* ---- time ---- */

Test(virtqueue, nothing_happens_in_the_notification)
{
    struct rig *r = rig_new();
    driver_start(&r->d, 0, ECHO_QUEUES, SIZE);
    struct driver_buffer part[] = {driver_buffer(&r->d, "ab", 2, false),
                                   driver_buffer(&r->d, NULL, 2, true)};
    driver_add(&r->d, 0, part, 2);
    driver_add(&r->d, ECHO_FAST, part, 2);
    uint8_t *ram = rig_ram(r);
    driver_notify(&r->d, 0);
    driver_notify(&r->d, ECHO_FAST);
    cr_assert(rig_ram_equals(r, ram));
    cr_assert_eq(r->echo.state.served, 0);
    cr_assert(!driver_irq(&r->d));
    cr_assert(virtio_busy(&r->echo.virtio));
    driver_pass(&r->d, 1);
    cr_assert_eq(driver_used_count(&r->d, ECHO_FAST), 1);
    cr_assert_eq(driver_used_count(&r->d, 0), 0);
    free(ram);
    rig_free(r);
}

Test(virtqueue, deadlines_are_exact)
{
    struct rig *r = rig_new();
    driver_start(&r->d, 0, ECHO_QUEUES, SIZE);
    static const uint32_t sizes[] = {1, 2, 7, 8, 100, 4096, 100000};
    driver_pass(&r->d, 12345);
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct driver_buffer part[] = {driver_buffer(&r->d, NULL, sizes[i], false),
                                       driver_buffer(&r->d, NULL, 3, true)};
        driver_add(&r->d, 0, part, 2);
        driver_notify(&r->d, 0);
        uint64_t due = driver_now(&r->d) + service(sizes[i] + 3);
        cr_assert_eq(machine_next_deadline(&r->b.m), due);
        driver_pass(&r->d, service(sizes[i] + 3) - 1);
        cr_assert_eq(r->echo.state.served, i);
        driver_pass(&r->d, 1);
        cr_assert_eq(r->echo.state.served, i + 1);
    }
    rig_free(r);
}

Test(virtqueue, one_after_the_other)
{
    struct rig *r = rig_new();
    driver_start(&r->d, 0, ECHO_QUEUES, SIZE);
    struct driver_buffer small = driver_buffer(&r->d, NULL, 8, false),
                         large = driver_buffer(&r->d, NULL, 8000, false);
    driver_add(&r->d, 0, &large, 1);
    driver_add(&r->d, 0, &small, 1);
    driver_notify(&r->d, 0);
    driver_pass(&r->d, 10);
    driver_add(&r->d, 0, &small, 1);
    driver_notify(&r->d, 0); /* changes nothing */
    driver_pass(&r->d, service(8000) - 10);
    cr_assert_eq(driver_used_count(&r->d, 0), 1);
    driver_pass(&r->d, service(8) - 1);
    cr_assert_eq(driver_used_count(&r->d, 0), 1);
    driver_pass(&r->d, 1);
    cr_assert_eq(driver_used_count(&r->d, 0), 2);
    driver_pass(&r->d, service(8));
    cr_assert_eq(driver_used_count(&r->d, 0), 3);
    cr_assert(!virtio_busy(&r->echo.virtio));
    rig_free(r);
}

/* ---- held queues ---- */

Test(virtqueue, held)
{
    struct rig *r = rig_new();
    struct virtio *v = &r->echo.virtio;
    struct virtio_chain chain;
    driver_start(&r->d, 0, ECHO_QUEUES, SIZE);
    cr_assert(!virtqueue_peek(v, ECHO_HELD, &chain));
    cr_assert(!virtqueue_take(v, ECHO_HELD, &chain));
    struct driver_buffer buffer = driver_buffer(&r->d, NULL, 10, true);
    uint16_t head = driver_add(&r->d, ECHO_HELD, &buffer, 1);
    driver_notify(&r->d, ECHO_HELD);
    cr_assert_eq(r->echo.told, 1);
    cr_assert_eq(machine_next_deadline(&r->b.m), CLOCK_NEVER);
    uint64_t before = bench_digest(&r->b, 0);
    for (unsigned i = 0; i < 2; i++) {
        cr_assert(virtqueue_peek(v, ECHO_HELD, &chain));
        cr_assert_eq(chain.head, head);
        cr_assert_eq(chain.writable_bytes, 10);
    }
    cr_assert_eq(bench_digest(&r->b, 0), before);
    cr_assert(virtqueue_take(v, ECHO_HELD, &chain));
    cr_assert(!virtqueue_peek(v, ECHO_HELD, &chain));
    cr_assert_eq(virtio_chain_write(v, &chain, 0, "packet", 6), 6);
    virtqueue_give(v, ECHO_HELD, chain.head, 6);
    uint32_t used, written;
    cr_assert(driver_used(&r->d, ECHO_HELD, &used, &written));
    cr_assert_eq(used, head);
    cr_assert_eq(written, 6);
    cr_assert_arr_eq(driver_ram(&r->d, buffer.address), "packet", 6);
    cr_assert(driver_irq(&r->d));
    rig_free(r);
}

/* ---- notifications and interrupts ---- */

Test(virtqueue, no_interrupt_flag)
{
    struct rig *r = rig_new();
    driver_start(&r->d, 0, ECHO_QUEUES, SIZE);
    struct driver_buffer buffer = driver_buffer(&r->d, "x", 1, false);
    uint8_t *flags = driver_ram(&r->d, r->d.queue[0].avail);
    store_le16(flags, 1);
    driver_request(&r->d, 0, &buffer, 1);
    cr_assert(!driver_irq(&r->d));
    store_le16(flags, 0);
    driver_request(&r->d, 0, &buffer, 1);
    cr_assert_eq(driver_ack(&r->d), 1);
    rig_free(r);
}

/* The other side's wish, as section 2.7.10 puts it: did the step from `old` to `new` pass it? */
static bool passed(uint16_t event, uint16_t new, uint16_t old)
{
    for (uint16_t at = old; at != new; at++)
        if (at == event)
            return true;
    return false;
}

static uint16_t avail_event(struct rig *r, const struct driver_queue *q)
{
    return load_le16(driver_ram(&r->d, q->used + 4 + 8 * q->size));
}

/* Requests in batches of random size, notified only where the device asks for it, with interrupts
 * only where the driver asks: none is forgotten, none comes that nobody wanted. The model: a served
 * queue wants to hear of the next request exactly when it has nothing to do. Indexes wrap. */
Test(virtqueue, event_index)
{
    struct rig *r = rig_new();
    struct driver *d = &r->d;
    struct driver_queue *q = &d->queue[0];
    uint64_t seed = 42;
    unsigned total = 0, notified = 0, interrupts = 0;
    driver_start(d, VIRTIO_F_EVENT_IDX, ECHO_QUEUES, SIZE);
    struct driver_buffer buffer = driver_buffer(d, "x", 1, false);
    uint8_t *used_event = driver_ram(d, q->avail + 4 + 2 * SIZE);
    while (total < 150000) {
        uint16_t old = q->made, outstanding = (uint16_t)(q->made - q->seen);
        bool idle = !virtio_busy(&r->echo.virtio);
        for (unsigned n = below(&seed, SIZE - outstanding + 1); n; n--, total++)
            driver_add(d, 0, &buffer, 1);
        bool wanted = passed(avail_event(r, q), q->made, old);
        cr_assert_eq(wanted, idle && q->made != old, "at %u", total);
        if (wanted) {
            driver_notify(d, 0);
            notified++;
        }
        for (unsigned n = below(&seed, SIZE + 2); n && virtio_busy(&r->echo.virtio); n--) {
            uint16_t used = load_le16(driver_ram(d, q->used + 2));
            if (below(&seed, 2)) /* soon, or as far away as can be */
                store_le16(used_event, (uint16_t)(used + below(&seed, 4) - 1));
            bool tells = load_le16(used_event) == used;
            machine_idle_until(&r->b.m, machine_next_deadline(&r->b.m));
            cr_assert_eq(load_le16(driver_ram(d, q->used + 2)), (uint16_t)(used + 1));
            cr_assert_eq(driver_irq(d), tells, "at %u", total);
            interrupts += tells;
            driver_ack(d);
        }
        uint32_t head, written;
        for (unsigned n = below(&seed, SIZE); n && driver_used(d, 0, &head, &written); n--)
            cr_assert_eq(head, (uint16_t)(q->seen - 1) % SIZE);
    }
    driver_wait(d);
    cr_assert_eq(load_le16(driver_ram(d, q->used + 2)), q->made);
    cr_assert_eq(r->echo.state.served, total);
    cr_assert(notified > 1000 && notified < total, "%u of %u", notified, total);
    cr_assert(interrupts > 1000 && interrupts < total, "%u of %u", interrupts, total);
    cr_assert_eq(d->guest_lines, 0);
    rig_free(r);
}

/* A held queue whose device wants to know asks for the next entry each time that it takes one. */
Test(virtqueue, event_index_of_held_queues)
{
    struct rig *r = rig_new();
    struct driver *d = &r->d;
    struct driver_queue *q = &d->queue[ECHO_HELD];
    struct virtio_chain chain;
    uint64_t seed = 7;
    unsigned told = 0;
    driver_start(d, VIRTIO_F_EVENT_IDX, ECHO_QUEUES, SIZE);
    struct driver_buffer buffer = driver_buffer(d, NULL, 8, true);
    for (unsigned total = 0; total < 100000;) {
        uint16_t old = q->made, outstanding = (uint16_t)(q->made - q->seen);
        bool empty = !virtqueue_peek(&r->echo.virtio, ECHO_HELD, &chain);
        for (unsigned n = below(&seed, SIZE - outstanding + 1); n; n--, total++)
            driver_add(d, ECHO_HELD, &buffer, 1);
        bool wanted = passed(avail_event(r, q), q->made, old);
        cr_assert_eq(wanted, empty && q->made != old, "at %u", total);
        if (wanted) {
            driver_notify(d, ECHO_HELD);
            told++;
        }
        cr_assert_eq(r->echo.told, told);
        for (unsigned n = below(&seed, SIZE); n; n--) {
            uint32_t head, written;
            if (!virtqueue_take(&r->echo.virtio, ECHO_HELD, &chain))
                break;
            virtqueue_give(&r->echo.virtio, ECHO_HELD, chain.head, n);
            cr_assert(driver_used(d, ECHO_HELD, &head, &written));
            cr_assert_eq(written, n);
        }
    }
    cr_assert(told > 1000);
    cr_assert_eq(d->guest_lines, 0);
    rig_free(r);
}
