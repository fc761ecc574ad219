#include "devices/virtio_net.h"

#include "tests/unit/devices/virtio_chain.h"

enum { CHANNEL = CHANNEL_NET0 + 1 };
enum { RX = VIRTIO_NET_RECEIVEQ, TX = VIRTIO_NET_TRANSMITQ, HEADER = VIRTIO_NET_HEADER };
enum { LEAST = VIRTIO_NET_FRAME_LEAST, MOST = VIRTIO_NET_FRAME_MOST };

static const uint8_t mac[6] = {0x52, 0x54, 0, 0x12, 0x34, 0x56};

/* The frame that left last, and how many did. */
struct wire {
    unsigned frames;
    size_t size;
    uint8_t bytes[1 << 17];
    uint64_t digest; /* of all of them */
    bool other_channel;
};

struct rig {
    struct bench b;
    struct virtio_net net;
    struct driver d;
    struct wire out;
};

static void frame_out(void *ctx, unsigned channel, const uint8_t *bytes, size_t size)
{
    struct wire *w = ctx;
    cr_assert(size <= sizeof w->bytes);
    w->frames++;
    w->size = size;
    memcpy(w->bytes, bytes, size);
    w->digest = hash_bytes(bytes, size, w->digest);
    w->other_channel |= channel != CHANNEL;
}

static const struct door_ops wire_ops = {.output = frame_out};

static struct rig *rig_new(void)
{
    struct rig *r = calloc(1, sizeof *r);
    bench_init(&r->b, 1);
    r->b.m.door = (struct door){&wire_ops, &r->out};
    struct virtio_net_config config = {.base = VIRTIO_BENCH_BASE,
                                       .size = VIRTIO_BENCH_WINDOW,
                                       .irq = bench_wire(&r->b, VIRTIO_BENCH_WIRE),
                                       .channel = CHANNEL};
    memcpy(config.mac, mac, sizeof mac);
    virtio_net_init(&r->net, &r->b.m, &config);
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

static void start(struct rig *r)
{
    driver_start(&r->d, VIRTIO_NET_F_MAC, VIRTIO_NET_QUEUES, 256);
}

static struct rig *rig_started(void)
{
    struct rig *r = rig_new();
    start(r);
    return r;
}

/* Where the tests put their buffers, behind the rings. */
enum { DATA = 0x80040000 };

static uint64_t time_of(size_t frame)
{
    return VIRTIO_NET_LATENCY_NS + (HEADER + frame) * 1000 / VIRTIO_NET_BYTES_PER_US;
}

static size_t room(struct rig *r)
{
    return machine_input_room(&r->b.m, CHANNEL);
}

static void push(struct rig *r, const uint8_t *bytes, size_t size)
{
    struct device *d = &r->b.m.device[0];
    cr_assert(room(r) >= size);
    d->input(d->ctx, CHANNEL, bytes, size);
}

/* A header and a frame, both random. */
static void make_packet(uint8_t *bytes, size_t frame, uint64_t seed)
{
    for (size_t i = 0; i < HEADER + frame; i++)
        bytes[i] = (uint8_t)hash_mix(seed + i);
}

Test(virtio_net, configuration)
{
    struct rig *r = rig_new();
    cr_assert_eq(driver_get(&r->d, REG_DEVICE_ID), VIRTIO_ID_NET);
    for (unsigned i = 0; i < 6; i++)
        cr_assert_eq(bench_read(&r->b, VIRTIO_BENCH_BASE + REG_CONFIG + i, 1), mac[i]);
    cr_assert_eq(bench_read(&r->b, VIRTIO_BENCH_BASE + REG_CONFIG + 6, 2), 1, "the link is up");
    cr_assert_eq(driver_get(&r->d, REG_CONFIG + 8), 0);
    cr_assert_eq(driver_offered(&r->d), VIRTIO_NET_F_MAC | VIRTIO_NET_F_STATUS |
                                            VIRTIO_F_VERSION_1 | VIRTIO_F_INDIRECT_DESC |
                                            VIRTIO_F_EVENT_IDX);
    driver_put(&r->d, REG_QUEUE_SEL, 2);
    cr_assert_eq(driver_get(&r->d, REG_QUEUE_NUM_MAX), 0);
    rig_free(r);
}

static void check_transmit(size_t frame, unsigned pieces, uint64_t seed)
{
    static uint8_t packet[HEADER + MOST];
    struct rig *r = rig_started();
    struct chain c = chain_of(DATA, HEADER + frame, false, pieces, &seed);
    make_packet(packet, frame, seed);
    chain_fill(&r->d, &c, packet);
    chain_post(&r->d, TX, &c);
    driver_pass(&r->d, time_of(frame) - 1);
    cr_assert_eq(r->out.frames, 0, "not before its time");
    cr_assert_eq(driver_used_count(&r->d, TX), 0);
    driver_pass(&r->d, 1);
    cr_assert_eq(r->out.frames, 1);
    cr_assert_eq(r->out.size, frame);
    cr_assert_eq(memcmp(r->out.bytes, packet + HEADER, frame), 0);
    cr_assert(!r->out.other_channel);
    cr_assert_eq(chain_used(&r->d, TX), 0);
    cr_assert(driver_irq(&r->d));
    cr_assert_eq(r->net.state.sent, 1);
    rig_free(r);
}

Test(virtio_net, transmits_whole_frames)
{
    static const size_t size[] = {LEAST, LEAST + 1, 60, 1514, 9014, MOST - 1, MOST};
    for (unsigned i = 0; i < sizeof size / sizeof *size; i++)
        for (unsigned pieces = 1; pieces <= CHAIN_PIECES; pieces += 3)
            check_transmit(size[i], pieces, 1000 * i + pieces);
}

Test(virtio_net, no_frame_is_dropped)
{
    static const size_t size[] = {1,     HEADER - 1, HEADER, HEADER + LEAST - 1, HEADER + MOST + 1,
                                  500000};
    struct rig *r = rig_started();
    unsigned cases = sizeof size / sizeof *size;
    for (unsigned i = 0; i < cases; i++) {
        struct chain c = chain_plain(DATA, size[i], false);
        chain_post(&r->d, TX, &c);
    }
    struct chain wrong_way = chain_plain(DATA, 100, true);
    chain_post(&r->d, TX, &wrong_way);
    driver_pass(&r->d, 10000000);
    for (unsigned i = 0; i <= cases; i++)
        cr_assert_eq(chain_used(&r->d, TX), 0);
    cr_assert_eq(r->out.frames, 0);
    cr_assert_eq(r->net.state.sent, 0);
    cr_assert_eq(r->net.state.dropped, cases + 1);
    cr_assert(!driver_broken(&r->d));
    rig_free(r);
}

Test(virtio_net, transmits_one_after_the_other)
{
    struct rig *r = rig_started();
    uint8_t packet[HEADER + 100];
    for (unsigned i = 0; i < 3; i++) {
        uint64_t seed = 0;
        struct chain c = chain_of(DATA + 4096 * i, sizeof packet, false, 1, &seed);
        make_packet(packet, 100, 7 * i);
        chain_fill(&r->d, &c, packet);
        chain_post(&r->d, TX, &c);
    }
    for (unsigned i = 0; i < 3; i++) {
        driver_pass(&r->d, time_of(100));
        make_packet(packet, 100, 7 * i);
        cr_assert_eq(r->out.frames, i + 1);
        cr_assert_arr_eq(r->out.bytes, packet + HEADER, 100);
    }
    rig_free(r);
}

static void check_receive(size_t frame, size_t buffer, unsigned pieces, uint64_t seed)
{
    static uint8_t packet[HEADER + MOST], got[HEADER + MOST + 100];
    static const uint8_t header[HEADER] = {[10] = 1};
    struct rig *r = rig_started();
    struct chain c = chain_of(DATA, buffer, true, pieces, &seed);
    memset(got, 0xee, buffer);
    chain_fill(&r->d, &c, got);
    chain_post(&r->d, RX, &c);
    cr_assert(!driver_irq(&r->d));
    make_packet(packet, frame, seed);
    push(r, packet + HEADER, frame);
    cr_assert_eq(chain_used(&r->d, RX), HEADER + frame);
    cr_assert(driver_irq(&r->d));
    chain_get(&r->d, &c, got);
    cr_assert_arr_eq(got, header, HEADER);
    cr_assert_eq(memcmp(got + HEADER, packet + HEADER, frame), 0);
    for (size_t i = HEADER + frame; i < buffer; i++)
        cr_assert_eq(got[i], 0xee, "byte %zu behind the frame", i);
    cr_assert_eq(r->net.state.received, 1);
    cr_assert_eq(room(r), 0);
    rig_free(r);
}

Test(virtio_net, receives_whole_frames)
{
    static const size_t size[] = {1, LEAST, 60, 1514, 9014, MOST};
    for (unsigned i = 0; i < sizeof size / sizeof *size; i++)
        for (unsigned pieces = 1; pieces <= CHAIN_PIECES; pieces += 5) {
            size_t least = size[i] < LEAST ? LEAST : size[i];
            check_receive(size[i], HEADER + least, pieces, 100 * i + pieces);
            check_receive(size[i], HEADER + least + 77, pieces, 100 * i + pieces);
        }
}

Test(virtio_net, room_is_the_next_buffer)
{
    struct rig *r = rig_new();
    cr_assert_eq(room(r), 0);
    start(r);
    cr_assert_eq(room(r), 0);
    struct chain c = chain_plain(DATA, 1526, true);
    chain_post(&r->d, RX, &c);
    cr_assert_eq(room(r), 1514);
    cr_assert_eq(machine_input_room(&r->b.m, CHANNEL_NET0), 0);
    cr_assert_eq(machine_input_room(&r->b.m, CHANNEL_SERIAL0), 0);
    c = chain_plain(DATA, HEADER + LEAST, true);
    chain_post(&r->d, RX, &c);
    c = chain_plain(DATA, 200000, true);
    chain_post(&r->d, RX, &c);
    cr_assert_eq(room(r), 1514);
    uint8_t frame[60] = {1};
    push(r, frame, sizeof frame);
    cr_assert_eq(room(r), LEAST);
    push(r, frame, LEAST);
    cr_assert_eq(room(r), MOST);
    driver_put(&r->d, REG_STATUS, 0);
    cr_assert_eq(room(r), 0);
    rig_free(r);
}

Test(virtio_net, a_readable_part_does_not_count)
{
    struct rig *r = rig_started();
    const struct chain c = {.buffer = {{DATA, 500, false}, {DATA + 1000, 100, true}}, .count = 2};
    memset(ram_at(&r->b.m.ram, DATA), 0xee, 2000);
    chain_post(&r->d, RX, &c);
    cr_assert_eq(room(r), 100 - HEADER);
    uint8_t frame[80] = {1, 2, 3};
    push(r, frame, sizeof frame);
    cr_assert_eq(chain_used(&r->d, RX), HEADER + sizeof frame);
    cr_assert_eq(*ram_at(&r->b.m.ram, DATA), 0xee);
    cr_assert_arr_eq(ram_at(&r->b.m.ram, DATA + 1000 + HEADER), frame, sizeof frame);
    rig_free(r);
}

Test(virtio_net, receives_into_an_indirect_chain)
{
    struct rig *r = rig_new();
    driver_start(&r->d, VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX, VIRTIO_NET_QUEUES, 2);
    const struct driver_buffer part[3] = {
        {DATA, 5, true}, {DATA + 10, 9, true}, {DATA + 100, 50, true}};
    for (unsigned i = 0; i < 5; i++) {
        uint8_t frame[50] = {(uint8_t)i, 1, 2, 3};
        driver_add_indirect(&r->d, RX, part, 3);
        driver_notify(&r->d, RX);
        cr_assert_eq(room(r), 64 - HEADER);
        push(r, frame, sizeof frame);
        cr_assert_eq(chain_used(&r->d, RX), 62);
        cr_assert_arr_eq(driver_ram(&r->d, DATA + 17), frame, 2);
        cr_assert_arr_eq(driver_ram(&r->d, DATA + 100), frame + 2, 48);
    }
    rig_free(r);
}

Test(virtio_net, too_small_buffers_break)
{
    static const uint32_t size[] = {1, HEADER, HEADER + LEAST - 1};
    for (unsigned i = 0; i < 3; i++) {
        struct rig *r = rig_started();
        struct chain c = chain_plain(DATA, size[i], true);
        chain_post(&r->d, RX, &c);
        cr_assert(driver_broken(&r->d));
        cr_assert_eq(room(r), 0);
        rig_free(r);
    }
    struct rig *r = rig_started();
    struct chain fits = chain_plain(DATA, 100, true), wrong_way = chain_plain(DATA, 100, false);
    chain_post(&r->d, RX, &fits);
    chain_post(&r->d, RX, &wrong_way);
    cr_assert(!driver_broken(&r->d));
    cr_assert_eq(room(r), 100 - HEADER);
    uint8_t frame[LEAST] = {0};
    push(r, frame, sizeof frame);
    cr_assert_eq(chain_used(&r->d, RX), HEADER + LEAST);
    cr_assert(driver_broken(&r->d), "found when it is the next one");
    start(r);
    chain_post(&r->d, RX, &fits);
    cr_assert_eq(room(r), 100 - HEADER, "a reset mends it");
    rig_free(r);
}

/* Buffers that wait are looked at when they are announced, although nothing has come for them. */
Test(virtio_net, wrong_buffers_break)
{
    static const struct chain wrong[] = {
        {.buffer = {{0x1000, 1526, true}}, .count = 1},
        {.buffer = {{0x80000000 + (1 << 20) - 100, 1526, true}}, .count = 1},
        {.buffer = {{DATA, 1526, true}, {UINT64_MAX - 10, 100, true}}, .count = 2},
        {.buffer = {{DATA, 100, true}, {DATA, 100, false}}, .count = 2},
    };
    for (unsigned i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct rig *r = rig_started();
        chain_post(&r->d, RX, &wrong[i]);
        cr_assert(driver_broken(&r->d), "case %u", i);
        cr_assert_eq(room(r), 0);
        rig_free(r);
    }
}

Test(virtio_net, odd_input_is_nothing)
{
    struct rig *r = rig_started();
    struct device *d = &r->b.m.device[0];
    struct chain c = chain_plain(DATA, 1526, true);
    uint8_t frame[60] = {0};
    d->input(d->ctx, CHANNEL, frame, sizeof frame);
    chain_post(&r->d, RX, &c);
    d->input(d->ctx, CHANNEL, frame, 0);
    d->input(d->ctx, CHANNEL_NET0, frame, sizeof frame);
    cr_assert_eq(driver_used_count(&r->d, RX), 0);
    cr_assert_eq(room(r), 1514);
    cr_assert_eq(r->net.state.received, 0);
    rig_free(r);
}

Test(virtio_net, reset_values)
{
    struct rig *r = rig_new();
    uint64_t fresh = bench_digest(&r->b, 0);
    start(r);
    struct chain c = chain_plain(DATA, 100, false), d = chain_plain(DATA, 1, false);
    chain_post(&r->d, TX, &c);
    chain_post(&r->d, TX, &d);
    driver_pass(&r->d, 1000000);
    cr_assert_eq(r->net.state.sent, 1);
    cr_assert_eq(r->net.state.dropped, 1);
    chain_post(&r->d, TX, &c);
    machine_reset(&r->b.m);
    cr_assert_eq(bench_digest(&r->b, 0), fresh);
    driver_pass(&r->d, 1000000);
    cr_assert_eq(r->out.frames, 1, "a request in flight is gone");
    cr_assert(!driver_irq(&r->d));
    rig_free(r);
}

Test(virtio_net, looking_changes_nothing)
{
    struct rig *r = rig_started();
    struct chain c = chain_plain(DATA, 100, false);
    chain_post(&r->d, TX, &c);
    driver_pass(&r->d, 1000000);
    bench_peek_all(&r->b, VIRTIO_BENCH_BASE, VIRTIO_BENCH_WINDOW);
    rig_free(r);
}

/* ---- random sequences against a model ---- */

/* Buffers of a queue take turns in its slots; fewer are on their way than there are slots. */
enum { WAITING = 8, SLOT = 8192, SLOTS = WAITING + 1 };

/* What the driver has given and the card owes. */
struct model {
    struct chain rx[WAITING];
    size_t rx_size[WAITING];
    unsigned rx_first, rx_count;
    unsigned sent, tx_given;
    uint64_t digest; /* of the frames sent */
    uint64_t seed;
    unsigned slot[VIRTIO_NET_QUEUES];
};

static uint64_t random_of(struct model *m, uint64_t below)
{
    return hash_mix(++m->seed) % below;
}

static uint64_t next_slot(struct model *m, unsigned queue)
{
    return DATA + (uint64_t)SLOT * (queue * SLOTS + m->slot[queue]++ % SLOTS);
}

static void give_buffer(struct rig *r, struct model *m)
{
    if (m->rx_count == WAITING)
        return;
    unsigned at = (m->rx_first + m->rx_count++) % WAITING;
    m->rx_size[at] = HEADER + LEAST + random_of(m, 2000);
    m->rx[at] =
        chain_of(next_slot(m, RX), m->rx_size[at], true, 1 + (unsigned)random_of(m, 6), &m->seed);
    chain_post(&r->d, RX, &m->rx[at]);
}

static void take_frame(struct rig *r, struct model *m)
{
    uint8_t frame[2 * SLOT], got[SLOT];
    size_t fits = m->rx_count ? m->rx_size[m->rx_first] - HEADER : 0;
    cr_assert_eq(room(r), fits);
    if (!fits)
        return;
    size_t size = 1 + random_of(m, fits);
    make_packet(frame, size, m->seed);
    push(r, frame, size);
    cr_assert_eq(chain_used(&r->d, RX), HEADER + size);
    chain_get(&r->d, &m->rx[m->rx_first], got);
    cr_assert_arr_eq(got + HEADER, frame, size);
    m->rx_first = (m->rx_first + 1) % WAITING;
    m->rx_count--;
}

static void send_frame(struct rig *r, struct model *m)
{
    uint8_t packet[SLOT];
    if (m->tx_given - m->sent == WAITING)
        return;
    size_t size = LEAST + random_of(m, 3000);
    struct chain c =
        chain_of(next_slot(m, TX), HEADER + size, false, 1 + (unsigned)random_of(m, 6), &m->seed);
    make_packet(packet, size, m->seed);
    chain_fill(&r->d, &c, packet);
    chain_post(&r->d, TX, &c);
    m->tx_given++;
    m->digest = hash_bytes(packet + HEADER, size, m->digest);
}

static void random_act(struct rig *r, struct model *m)
{
    switch (random_of(m, 4)) {
    case 0:
        give_buffer(r, m);
        break;
    case 1:
        take_frame(r, m);
        break;
    case 2:
        send_frame(r, m);
        break;
    default:
        driver_pass(&r->d, random_of(m, 20000));
    }
    for (; m->sent < r->out.frames; m->sent++)
        cr_assert_eq(chain_used(&r->d, TX), 0);
    cr_assert_eq(driver_used_count(&r->d, TX), 0);
    cr_assert_eq(driver_used_count(&r->d, RX), 0);
}

Test(virtio_net, random_sequences)
{
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct rig *r = rig_started();
        struct model m = {.seed = seed << 32};
        for (unsigned i = 0; i < 400; i++)
            random_act(r, &m);
        driver_pass(&r->d, 100000000);
        cr_assert_eq(r->out.frames, m.tx_given);
        cr_assert_eq(r->out.digest, m.digest);
        cr_assert_eq(r->net.state.dropped, 0);
        cr_assert(!driver_broken(&r->d));
        rig_free(r);
    }
}

/* ---- restore in the midst of a request ---- */

Test(virtio_net, restored_while_sending)
{
    struct rig *r = rig_started(), *other = rig_started();
    struct chain c = chain_plain(DATA, HEADER + 200, false), in = chain_plain(DATA, 1526, true);
    uint8_t packet[HEADER + 200], frame[60] = {9};
    make_packet(packet, 200, 3);
    chain_fill(&r->d, &c, packet);
    in.buffer[0].address += 4096;
    chain_post(&r->d, TX, &c);
    chain_post(&r->d, TX, &c);
    chain_post(&r->d, RX, &in);
    driver_pass(&r->d, time_of(200) + 10);
    cr_assert_eq(r->out.frames, 1);
    cr_assert(virtio_busy(&r->net.virtio));

    bench_follow(&other->b, &r->b);
    cr_assert(virtio_busy(&other->net.virtio));
    struct rig *both[2] = {r, other};
    for (unsigned i = 0; i < 2; i++) {
        cr_assert_eq(room(both[i]), 1514);
        push(both[i], frame, sizeof frame);
        driver_pass(&both[i]->d, time_of(200) - 11);
        cr_assert_eq(both[i]->out.frames, 1 - i);
        driver_pass(&both[i]->d, 1);
        cr_assert_eq(both[i]->out.frames, 2 - i);
        cr_assert_arr_eq(both[i]->out.bytes, packet + HEADER, 200);
    }
    cr_assert(bench_same(&r->b, &other->b));
    rig_free(r);
    rig_free(other);
}

Test(virtio_net, hostile_rings)
{
    static const uint8_t frame[MOST];
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct rig *r = rig_started();
        for (unsigned i = 0; i < 20 && !driver_broken(&r->d); i++) {
            unsigned queue = (unsigned)hash_mix(64 * seed + i) % VIRTIO_NET_QUEUES;
            driver_scribble(&r->d, queue, queue == RX, seed << 48 | (uint64_t)i << 32);
            driver_notify(&r->d, queue);
            size_t size = room(r);
            if (size)
                push(r, frame, size);
            driver_pass(&r->d, 100000);
        }
        driver_pass(&r->d, UINT64_C(1) << 40);
        cr_assert(!driver_broken(&r->d) || !room(r));
        start(r);
        struct chain c = chain_plain(DATA, 100, true);
        chain_post(&r->d, RX, &c);
        cr_assert_eq(room(r), 100 - HEADER, "a reset mends it");
        rig_free(r);
    }
}

/* A damaged recording may hold any state. */
Test(virtio_net, any_state_is_safe)
{
    for (uint64_t seed = 0; seed < 500; seed++) {
        struct rig *r = rig_started();
        struct chain c = chain_plain(DATA, 200, false), in = chain_plain(DATA, 1526, true);
        chain_post(&r->d, RX, &in);
        chain_post(&r->d, TX, &c);
        uint8_t *state = (uint8_t *)&r->net.state, frame[60] = {0};
        for (unsigned i = 0; i < 8; i++) {
            uint64_t v = hash_mix(seed * 8 + i + 1);
            state[v % sizeof r->net.state] = (uint8_t)(v >> 32);
        }
        if (room(r) >= sizeof frame)
            push(r, frame, sizeof frame);
        driver_pass(&r->d, 1000000);
        driver_notify(&r->d, RX);
        driver_notify(&r->d, TX);
        driver_pass(&r->d, 1000000);
        rig_free(r);
    }
}
