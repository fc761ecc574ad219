#include "devices/virtio_rng.h"

#include "tests/unit/devices/virtio_bench.h"

struct rig {
    struct bench b;
    struct virtio_rng rng;
    struct driver d;
};

static struct rig *rig_new(void)
{
    struct rig *r = calloc(1, sizeof *r);
    bench_init(&r->b, 1);
    virtio_rng_init(&r->rng, &r->b.m, VIRTIO_BENCH_BASE, VIRTIO_BENCH_WINDOW,
                    bench_wire(&r->b, VIRTIO_BENCH_WIRE));
    machine_reset(&r->b.m);
    driver_init(&r->d, &r->b);
    return r;
}

static void rig_free(struct rig *r)
{
    log_set_sink(NULL, NULL);
    bench_fini(&r->b);
    free(r);
}

Test(virtio_rng, fills_a_request)
{
    struct rig *r = rig_new();
    driver_start(&r->d, 0, 1, 8);
    struct driver_buffer part[2] = {driver_buffer(&r->d, NULL, 5, true),
                                    driver_buffer(&r->d, NULL, 11, true)};
    cr_assert_eq(driver_get(&r->d, REG_DEVICE_ID), VIRTIO_ID_ENTROPY);
    cr_assert_eq(driver_request(&r->d, 0, part, 2), 16);
    for (unsigned i = 0; i < 16; i++) {
        uint64_t at = i < 5 ? part[0].address + i : part[1].address + i - 5;
        cr_assert_eq(*driver_ram(&r->d, at), i);
    }
    cr_assert_eq(r->b.entropy_asked, 1);
    cr_assert_eq(r->b.entropy_next, 16);
    cr_assert_eq(driver_ack(&r->d), 1);
    cr_assert_eq(r->d.guest_lines, 0);
    rig_free(r);
}

Test(virtio_rng, gives_no_more_than_its_most)
{
    struct rig *r = rig_new();
    driver_start(&r->d, 0, 1, 8);
    struct driver_buffer buffer = driver_buffer(&r->d, NULL, 4096, true);
    cr_assert_eq(driver_request(&r->d, 0, &buffer, 1), VIRTIO_RNG_MOST);
    cr_assert_eq(*driver_ram(&r->d, buffer.address + VIRTIO_RNG_MOST - 1), VIRTIO_RNG_MOST - 1);
    for (unsigned i = VIRTIO_RNG_MOST; i < 4096; i++)
        cr_assert_eq(*driver_ram(&r->d, buffer.address + i), 0);
    rig_free(r);
}

Test(virtio_rng, asks_when_the_time_has_come)
{
    struct rig *r = rig_new();
    driver_start(&r->d, 0, 1, 8);
    struct driver_buffer buffer = driver_buffer(&r->d, NULL, 16, true);
    driver_add(&r->d, 0, &buffer, 1);
    driver_notify(&r->d, 0);
    driver_pass(&r->d, VIRTIO_RNG_LATENCY_NS - 1);
    cr_assert_eq(r->b.entropy_asked, 0);
    cr_assert(!driver_irq(&r->d));
    driver_pass(&r->d, 1);
    cr_assert_eq(r->b.entropy_asked, 1);
    cr_assert(driver_irq(&r->d));
    rig_free(r);
}

/* Requests wait for one another: a guest cannot ask faster. */
Test(virtio_rng, one_after_the_other)
{
    struct rig *r = rig_new();
    driver_start(&r->d, VIRTIO_F_EVENT_IDX, 1, 8);
    struct driver_buffer buffer = driver_buffer(&r->d, NULL, 16, true);
    for (unsigned i = 0; i < 8; i++)
        driver_add(&r->d, 0, &buffer, 1);
    driver_notify(&r->d, 0);
    for (unsigned i = 1; i <= 8; i++) {
        driver_pass(&r->d, VIRTIO_RNG_LATENCY_NS);
        cr_assert_eq(r->b.entropy_asked, i);
        cr_assert_eq(driver_used_count(&r->d, 0), i);
    }
    cr_assert_eq(machine_next_deadline(&r->b.m), CLOCK_NEVER);
    rig_free(r);
}

Test(virtio_rng, a_request_without_room_breaks_it)
{
    struct rig *r = rig_new();
    driver_start(&r->d, 0, 1, 8);
    struct driver_buffer buffer = driver_buffer(&r->d, NULL, 16, false);
    driver_add(&r->d, 0, &buffer, 1);
    driver_notify(&r->d, 0);
    driver_wait(&r->d);
    cr_assert(driver_broken(&r->d));
    cr_assert_eq(r->b.entropy_asked, 0);
    cr_assert_eq(driver_used_count(&r->d, 0), 0);
    cr_assert_eq(r->d.guest_lines, 1);
    rig_free(r);
}

Test(virtio_rng, has_no_configuration)
{
    struct rig *r = rig_new();
    for (unsigned at = REG_CONFIG; at < VIRTIO_BENCH_WINDOW; at += 4)
        cr_assert_eq(driver_get(&r->d, at), 0);
    cr_assert_eq(driver_offered(&r->d),
                 VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX | VIRTIO_F_INDIRECT_DESC);
    rig_free(r);
}
