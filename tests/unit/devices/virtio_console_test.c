#include "tests/unit/devices/virtio_console_rig.h"

/* ---- the device itself ---- */

Test(virtio_console, configuration)
{
    for (unsigned ports = 1; ports <= 2; ports++) {
        struct rig *r = rig_new(ports);
        cr_assert_eq(driver_get(&r->d, REG_DEVICE_ID), VIRTIO_ID_CONSOLE);
        cr_assert_eq(driver_get(&r->d, REG_CONFIG), 0);
        cr_assert_eq(driver_get(&r->d, REG_CONFIG + 4), ports);
        cr_assert_eq(driver_get(&r->d, REG_CONFIG + 8), 0);
        cr_assert_eq(driver_offered(&r->d), VIRTIO_CONSOLE_F_EMERG_WRITE | VIRTIO_F_VERSION_1 |
                                                VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX |
                                                (ports == 2 ? VIRTIO_CONSOLE_F_MULTIPORT : 0));
        driver_put(&r->d, REG_QUEUE_SEL, 2);
        cr_assert_eq(driver_get(&r->d, REG_QUEUE_NUM_MAX), ports == 2 ? VIRTQUEUE_SIZE : 0);
        rig_free(r);
    }
}

Test(virtio_console, emergency_write)
{
    struct rig *r = rig_new(2);
    driver_put(&r->d, REG_CONFIG + 8, 'p');
    bench_write(&r->b, VIRTIO_BENCH_BASE + REG_CONFIG + 8, 1, 'q');
    cr_assert_eq(r->out[0].size, 2);
    cr_assert_arr_eq(r->out[0].data, "pq", 2);
    cr_assert_eq(r->d.guest_lines, 0);
    driver_put(&r->d, REG_CONFIG, 5);
    driver_put(&r->d, REG_CONFIG + 4, 5);
    cr_assert_eq(r->d.guest_lines, 2);
    cr_assert_eq(r->out[0].size, 2);
    cr_assert_eq(driver_get(&r->d, REG_CONFIG + 4), 2);
    rig_free(r);
}

Test(virtio_console, reset_values)
{
    struct rig *r = rig_new(2);
    uint64_t fresh = bench_digest(&r->b, 0);
    start_multiport(r);
    send(r, NO_PORT, VIRTIO_CONSOLE_DEVICE_READY, 1);
    send(r, 1, VIRTIO_CONSOLE_PORT_OPEN, 1);
    cr_assert_neq(r->console.state.waiting[1], 0);
    cr_assert_eq(r->console.state.open[1], 1);
    driver_put(&r->d, REG_STATUS, 0);
    cr_assert_eq(r->console.state.waiting[1], 0);
    cr_assert_eq(r->console.state.open[1], 0);
    machine_reset(&r->b.m);
    cr_assert_eq(bench_digest(&r->b, 0), fresh);
    rig_free(r);
}

Test(virtio_console, looking_changes_nothing)
{
    struct rig *r = rig_open();
    bench_peek_all(&r->b, VIRTIO_BENCH_BASE, VIRTIO_BENCH_WINDOW);
    rig_free(r);
}

/* ---- output ---- */

static void check_output(struct rig *r, unsigned queue, size_t size, unsigned pieces)
{
    static uint8_t text[300000];
    struct buffer *out = &r->out[queue == TX1];
    uint64_t seed = size + pieces;
    for (size_t i = 0; i < size; i++)
        text[i] = (uint8_t)hash_mix(seed + i);
    struct chain c = chain_of(DATA, size, false, pieces, &seed);
    chain_fill(&r->d, &c, text);
    buffer_clear(out);
    chain_post(&r->d, queue, &c);
    driver_pass(&r->d, VIRTIO_CONSOLE_LATENCY_NS + size * 1000 / VIRTIO_CONSOLE_BYTES_PER_US - 1);
    cr_assert_eq(out->size, 0, "not before its time");
    driver_pass(&r->d, 1);
    cr_assert_eq(out->size, size);
    cr_assert_eq(memcmp(out->data, text, size), 0);
    cr_assert_eq(chain_used(&r->d, queue), 0);
    cr_assert(driver_irq(&r->d));
    driver_ack(&r->d);
}

Test(virtio_console, output)
{
    static const size_t size[] = {1, 16, 4095, 4096, 4097, 100000, 300000};
    struct rig *one = rig_single(), *two = rig_open();
    driver_ack(&two->d);
    for (unsigned i = 0; i < sizeof size / sizeof *size; i++)
        for (unsigned pieces = 1; pieces <= CHAIN_PIECES; pieces += 5) {
            check_output(one, TX0, size[i], pieces);
            check_output(two, TX0, size[i], pieces);
            check_output(two, TX1, size[i], pieces);
        }
    cr_assert_eq(one->out[1].size, 0);
    rig_free(one);
    rig_free(two);
}

Test(virtio_console, output_of_nothing)
{
    struct rig *r = rig_single();
    struct driver_buffer wrong_way = {DATA, 100, true};
    cr_assert_eq(driver_request(&r->d, TX0, &wrong_way, 1), 0);
    cr_assert_eq(r->out[0].size, 0);
    cr_assert(!driver_broken(&r->d));
    rig_free(r);
}

/* Many descriptors may name the same memory: what one buffer can write is bounded. */
Test(virtio_console, endless_output_breaks)
{
    struct rig *r = rig_single();
    struct driver_buffer buffer[5];
    for (unsigned i = 0; i < 4; i++)
        buffer[i] = (struct driver_buffer){DATA, VIRTIO_CONSOLE_WRITE_MOST / 4, false};
    driver_request(&r->d, TX0, buffer, 4);
    cr_assert_eq(r->out[0].size, VIRTIO_CONSOLE_WRITE_MOST);
    buffer[4] = (struct driver_buffer){DATA, 1, false};
    driver_add(&r->d, TX0, buffer, 5);
    driver_notify(&r->d, TX0);
    driver_wait(&r->d);
    cr_assert(driver_broken(&r->d));
    cr_assert_eq(r->out[0].size, VIRTIO_CONSOLE_WRITE_MOST);
    cr_assert_eq(r->d.guest_lines, 1);
    rig_free(r);
}

/* ---- input ---- */

Test(virtio_console, room_is_the_next_buffer)
{
    struct rig *r = rig_new(1);
    cr_assert_eq(room(r, 0), 0);
    driver_start(&r->d, 0, 2, 256);
    cr_assert_eq(room(r, 0), 0);
    struct chain a = chain_plain(DATA, 10, true), b = chain_plain(DATA + 100, 1, true);
    struct chain big = chain_plain(DATA + 4096, VIRTIO_CONSOLE_INPUT_MOST + 1000, true);
    chain_post(&r->d, RX0, &a);
    chain_post(&r->d, RX0, &b);
    chain_post(&r->d, RX0, &big);
    cr_assert_eq(room(r, 0), 10);
    cr_assert_eq(room(r, 1), 0);
    cr_assert_eq(machine_input_room(&r->b.m, CHANNEL_SERIAL0), 0);
    cr_assert_eq(machine_input_room(&r->b.m, CHANNEL_NET0), 0);
    push(r, 0, (const uint8_t *)"abc", 3);
    cr_assert(driver_irq(&r->d));
    cr_assert_eq(chain_used(&r->d, RX0), 3);
    cr_assert_arr_eq(driver_ram(&r->d, DATA), "abc\0", 4);
    cr_assert_eq(room(r, 0), 1);
    push(r, 0, (const uint8_t *)"d", 1);
    cr_assert_eq(room(r, 0), VIRTIO_CONSOLE_INPUT_MOST);
    driver_put(&r->d, REG_STATUS, 0);
    cr_assert_eq(room(r, 0), 0);
    rig_free(r);
}

Test(virtio_console, wrong_buffers_break)
{
    static const struct driver_buffer wrong[] = {
        {DATA, 100, false}, {DATA, 0, true}, {0x1000, 100, true}, {0x800fffff, 2, true}};
    for (unsigned i = 0; i < sizeof wrong / sizeof *wrong; i++)
        for (unsigned port = 0; port < 2; port++) {
            struct rig *r = rig_open();
            struct chain c = {.buffer = {wrong[i]}, .count = 1};
            chain_post(&r->d, port ? RX1 : RX0, &c);
            cr_assert(driver_broken(&r->d), "case %u", i);
            cr_assert_eq(room(r, port), 0);
            rig_free(r);
        }
}

Test(virtio_console, wrong_buffers_are_found_when_they_are_next)
{
    struct rig *r = rig_single();
    struct chain fits = chain_plain(DATA, 10, true), wrong_way = chain_plain(DATA, 10, false);
    chain_post(&r->d, RX0, &fits);
    chain_post(&r->d, RX0, &wrong_way);
    cr_assert(!driver_broken(&r->d));
    push(r, 0, (const uint8_t *)"x", 1);
    cr_assert_eq(chain_used(&r->d, RX0), 1);
    cr_assert(driver_broken(&r->d));
    rig_free(r);
}

Test(virtio_console, odd_input_is_nothing)
{
    struct rig *r = rig_open();
    struct device *d = &r->b.m.device[0];
    struct chain c = chain_plain(DATA, 100, true);
    d->input(d->ctx, CHANNEL_CONSOLE0, (const uint8_t *)"x", 1);
    chain_post(&r->d, RX0, &c);
    d->input(d->ctx, CHANNEL_CONSOLE0, (const uint8_t *)"", 0);
    d->input(d->ctx, CHANNEL_CONSOLE1, (const uint8_t *)"x", 1);
    d->input(d->ctx, CHANNEL_SERIAL0, (const uint8_t *)"x", 1);
    d->input(d->ctx, CHANNEL_NET0, (const uint8_t *)"x", 1);
    cr_assert_eq(driver_used_count(&r->d, RX0), 0);
    cr_assert_eq(driver_used_count(&r->d, RX1), 0);
    cr_assert_eq(room(r, 0), 100);
    rig_free(r);
}

/* ---- random sequences against a model ---- */

/* Buffers of a port take turns in its slots; fewer wait than there are slots. */
enum { WAITING = 8, SLOT = 8192, SLOTS = WAITING + 1 };

struct port_model {
    struct chain rx[WAITING];
    size_t rx_size[WAITING];
    unsigned first, count, slot;
    bool open;
};

struct model {
    struct port_model port[2];
    uint64_t seed;
};

static uint64_t random_of(struct model *m, uint64_t below)
{
    return hash_mix(++m->seed) % below;
}

static void give_buffer(struct rig *r, struct model *m, unsigned port)
{
    struct port_model *p = &m->port[port];
    if (p->count == WAITING)
        return;
    unsigned at = (p->first + p->count++) % WAITING;
    uint64_t address = DATA + (uint64_t)SLOT * (port * SLOTS + p->slot++ % SLOTS);
    p->rx_size[at] = 1 + random_of(m, 2000);
    p->rx[at] = chain_of(address, p->rx_size[at], true, 1 + (unsigned)random_of(m, 6), &m->seed);
    chain_post(&r->d, port ? RX1 : RX0, &p->rx[at]);
}

static void take_input(struct rig *r, struct model *m, unsigned port)
{
    struct port_model *p = &m->port[port];
    uint8_t bytes[SLOT], got[SLOT];
    size_t fits = p->open && p->count ? p->rx_size[p->first] : 0;
    cr_assert_eq(room(r, port), fits);
    if (!fits)
        return;
    size_t size = 1 + random_of(m, fits);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)hash_mix(m->seed + i);
    push(r, port, bytes, size);
    cr_assert_eq(chain_used(&r->d, port ? RX1 : RX0), size);
    chain_get(&r->d, &p->rx[p->first], got);
    cr_assert_arr_eq(got, bytes, size);
    p->first = (p->first + 1) % WAITING;
    p->count--;
}

static void random_act(struct rig *r, struct model *m)
{
    unsigned port = (unsigned)random_of(m, 2);
    switch (random_of(m, 8)) {
    case 0:
        m->port[port].open = random_of(m, 3) != 0;
        send(r, (int)port, VIRTIO_CONSOLE_PORT_OPEN, m->port[port].open);
        break;
    case 1:
    case 2:
    case 3:
        give_buffer(r, m, port);
        break;
    default:
        take_input(r, m, port);
    }
    cr_assert_eq(driver_used_count(&r->d, RX0), 0);
    cr_assert_eq(driver_used_count(&r->d, RX1), 0);
}

Test(virtio_console, random_sequences)
{
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct rig *r = rig_new(2);
        struct model m = {.seed = seed << 32};
        start_multiport(r);
        for (unsigned i = 0; i < 500; i++)
            random_act(r, &m);
        cr_assert_eq(r->d.guest_lines, 0);
        rig_free(r);
    }
}

/* ---- restore in the midst of things ---- */

Test(virtio_console, restored_in_the_midst)
{
    struct rig *r = rig_open(), *other = rig_new(2);
    send(r, NO_PORT, VIRTIO_CONSOLE_DEVICE_READY, 1);
    struct chain out = chain_plain(DATA, 5, false), in = chain_plain(DATA + 4096, 100, true);
    chain_fill(&r->d, &out, (const uint8_t *)"hello");
    chain_post(&r->d, TX1, &out);
    chain_post(&r->d, RX1, &in);
    driver_pass(&r->d, 500);
    cr_assert(virtio_busy(&r->console.virtio));

    bench_follow(&other->b, &r->b);
    other->d = r->d;
    other->d.b = &other->b;
    struct rig *both[2] = {r, other};
    for (unsigned i = 0; i < 2; i++) {
        struct rig *x = both[i];
        cr_assert_eq(room(x, 1), 100);
        push(x, 1, (const uint8_t *)"yes", 3);
        give_control_buffer(x);
        expect(x, 0, VIRTIO_CONSOLE_PORT_ADD);
        expect(x, 1, VIRTIO_CONSOLE_PORT_ADD);
        cr_assert_eq(x->out[1].size, 0);
        driver_wait(&x->d);
        cr_assert_eq(x->out[1].size, 5);
        cr_assert_arr_eq(x->out[1].data, "hello", 5);
    }
    cr_assert(bench_same(&r->b, &other->b));
    rig_free(r);
    rig_free(other);
}

Test(virtio_console, hostile_rings)
{
    static const uint8_t bytes[VIRTIO_CONSOLE_INPUT_MOST];
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct rig *r = rig_open();
        send(r, NO_PORT, VIRTIO_CONSOLE_DEVICE_READY, 1);
        for (unsigned i = 0; i < 20 && !driver_broken(&r->d); i++) {
            unsigned queue = (unsigned)hash_mix(64 * seed + i) % VIRTIO_CONSOLE_QUEUES;
            driver_scribble(&r->d, queue, queue % 2 == 0, seed << 48 | (uint64_t)i << 32);
            driver_notify(&r->d, queue);
            for (unsigned port = 0; port < 2; port++)
                push(r, port, bytes, room(r, port));
            driver_pass(&r->d, 100000);
        }
        driver_pass(&r->d, UINT64_C(1) << 40);
        bool broken = driver_broken(&r->d);
        cr_assert(!broken || !room(r, 0));
        start_multiport(r);
        send(r, 0, VIRTIO_CONSOLE_PORT_OPEN, 1);
        struct chain c = chain_plain(DATA, 100, true);
        chain_post(&r->d, RX0, &c);
        cr_assert_eq(room(r, 0), 100, "a reset mends it");
        rig_free(r);
    }
}

/* A damaged recording may hold any state. */
Test(virtio_console, any_state_is_safe)
{
    for (uint64_t seed = 0; seed < 500; seed++) {
        struct rig *r = rig_open();
        struct chain out = chain_plain(DATA, 200, false), in = chain_plain(DATA + 4096, 100, true);
        chain_post(&r->d, RX1, &in);
        chain_post(&r->d, TX1, &out);
        give_control_buffer(r);
        uint8_t *state = (uint8_t *)&r->console.state;
        for (unsigned i = 0; i < 8; i++) {
            uint64_t v = hash_mix(seed * 8 + i + 1);
            state[v % sizeof r->console.state] = (uint8_t)(v >> 32);
        }
        memset(r->console.state.waiting, 0xff, sizeof r->console.state.waiting);
        for (unsigned port = 0; port < 2; port++)
            if (room(r, port))
                push(r, port, (const uint8_t *)"x", 1);
        for (unsigned queue = 0; queue < VIRTIO_CONSOLE_QUEUES; queue++)
            driver_notify(&r->d, queue);
        driver_pass(&r->d, 1000000);
        rig_free(r);
    }
}
