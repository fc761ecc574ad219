/* Requests under way when a machine is saved, loaded, reset, or loaded with nonsense. */
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

static void assert_same(const struct rig *a, const struct rig *b)
{
    struct buffer saved = {0}, other = {0}, text = {0};
    machine_save(&a->b.m, &saved);
    machine_save(&b->b.m, &other);
    machine_diff(&b->b.m, saved.data, saved.size, 8, &text);
    cr_assert_eq(saved.size, other.size);
    cr_assert(memcmp(saved.data, other.data, saved.size) == 0, "%s", buffer_text(&text));
    cr_assert(rig_ram_equals(a, b->b.m.ram.host));
    buffer_fini(&saved);
    buffer_fini(&other);
    buffer_fini(&text);
}

/* A second machine at the same point; it draws on nothing of the first. */
static struct rig *copy(const struct rig *from)
{
    struct rig *to = rig_new();
    struct buffer saved = {0};
    struct error err = ERROR_INIT;
    machine_save(&from->b.m, &saved);
    unsigned moves = to->b.moves;
    cr_assert(machine_load(&to->b.m, saved.data, saved.size, &err), "%s", err.message);
    cr_assert_eq(to->b.moves, moves); /* restoring moves no wire */
    memcpy(to->b.m.ram.host, from->b.m.ram.host, from->b.m.ram.size);
    memcpy(to->b.wire, from->b.wire, sizeof to->b.wire);
    memcpy(to->d.queue, from->d.queue, sizeof to->d.queue);
    to->d.free = from->d.free;
    buffer_fini(&saved);
    return to;
}

/* What a driver does next, decided by `seed` alone. */
static void act(struct rig *r, uint64_t seed)
{
    struct driver *d = &r->d;
    unsigned queue = below(&seed, 2) ? 0 : ECHO_FAST;
    struct driver_buffer part[] = {{0x80080000 + below(&seed, 1000), 1 + below(&seed, 100), false},
                                   {0x80081000 + below(&seed, 1000), 1 + below(&seed, 100), true}};
    uint32_t head, written;
    switch (below(&seed, 5)) {
    case 0:
    case 1:
        if ((uint16_t)(d->queue[queue].made - d->queue[queue].seen) >= SIZE / 2)
            break;
        *driver_ram(d, part[0].address) = (uint8_t)seed;
        driver_add(d, queue, part, 2);
        driver_notify(d, queue);
        break;
    case 2:
        driver_pass(d, below(&seed, 2 * ECHO_LATENCY));
        break;
    case 3:
        driver_used(d, queue, &head, &written);
        break;
    case 4:
        driver_ack(d);
        break;
    }
    driver_pass(d, 0); /* the end of the step */
}

Test(virtqueue_state, goes_on_from_a_saved_state)
{
    struct rig *r = rig_new();
    uint64_t seed = 0;
    unsigned in_flight = 0;
    driver_start(&r->d, 0, ECHO_QUEUES, SIZE);
    for (unsigned round = 0; round < 100; round++) {
        for (unsigned i = 0; i < 20; i++)
            act(r, ++seed);
        struct rig *other = copy(r);
        in_flight += virtio_busy(&r->echo.virtio);
        for (unsigned i = 0; i < 20; i++, seed++) {
            act(r, seed);
            act(other, seed);
            assert_same(r, other);
            cr_assert_eq(driver_irq(&r->d), driver_irq(&other->d));
        }
        bench_fini(&other->b);
        free(other);
    }
    cr_assert(in_flight > 20, "%u in flight", in_flight);
    cr_assert_eq(r->d.guest_lines, 0);
    cr_assert(r->echo.state.served > 100);
    rig_free(r);
}

Test(virtqueue_state, reset_in_the_midst)
{
    struct rig *r = rig_new();
    for (unsigned way = 0; way < 2; way++) {
        driver_start(&r->d, 0, ECHO_QUEUES, SIZE);
        struct driver_buffer part[] = {driver_buffer(&r->d, "ab", 2, false),
                                       driver_buffer(&r->d, NULL, 2, true)};
        driver_add(&r->d, 0, part, 2);
        driver_notify(&r->d, 0);
        driver_pass(&r->d, ECHO_LATENCY / 2);
        uint8_t *ram = rig_ram(r);
        if (way)
            machine_reset(&r->b.m);
        else
            driver_put(&r->d, REG_STATUS, 0);
        cr_assert(!virtio_busy(&r->echo.virtio));
        cr_assert_eq(machine_next_deadline(&r->b.m), CLOCK_NEVER);
        driver_pass(&r->d, 1000000);
        cr_assert(rig_ram_equals(r, ram));
        cr_assert_eq(r->echo.state.served, 0);
        cr_assert(!driver_irq(&r->d));
        free(ram);
    }
    rig_free(r);
}

/* A saved state may come from anywhere: whatever it says of the queues is looked at again. */
Test(virtqueue_state, any_state)
{
    uint64_t seed = 0;
    for (unsigned round = 0; round < 2000; round++) {
        struct rig *r = rig_new();
        driver_start(&r->d, ECHO_FEATURES, ECHO_QUEUES, SIZE);
        struct driver_buffer buffer = driver_buffer(&r->d, "x", 1, false);
        for (unsigned i = 0; i < ECHO_QUEUES; i++)
            driver_add(&r->d, i, &buffer, 1);
        driver_notify(&r->d, 0);
        uint8_t *state = (uint8_t *)&r->echo.state.virtio;
        for (unsigned n = 1 + below(&seed, 4); n; n--)
            state[below(&seed, sizeof r->echo.state.virtio)] = (uint8_t)random_next(&seed);
        struct virtio_chain chain;
        for (unsigned i = 0; i < ECHO_QUEUES; i++)
            driver_notify(&r->d, i);
        if (virtqueue_take(&r->echo.virtio, ECHO_HELD, &chain))
            virtqueue_give(&r->echo.virtio, ECHO_HELD, chain.head, 0);
        driver_wait(&r->d);
        bench_peek_all(&r->b, r->d.base, 0x200);
        rig_free(r);
    }
}
