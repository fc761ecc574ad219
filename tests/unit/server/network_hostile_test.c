/* The user network and guests that mean it no good. */
#include "tests/unit/server/network_guest.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct guest guest;

Test(network_hostile, impossible_sizes_are_refused)
{
    guest_init(&guest, NULL);
    uint8_t *frame = calloc(1, NETWORK_FRAME_MOST + 1);
    cr_assert(frame);
    guest_send(&guest, frame, 0);
    guest_send(&guest, frame, NETWORK_FRAME_LEAST - 1);
    guest_send(&guest, frame, NETWORK_FRAME_MOST + 1);
    cr_expect_eq(network_counters(guest.network).refused, 3);
    cr_expect_eq(network_counters(guest.network).out, 0);
    guest_send(&guest, frame, NETWORK_FRAME_LEAST);
    guest_send(&guest, frame, NETWORK_FRAME_MOST);
    cr_expect_eq(network_counters(guest.network).refused, 3);
    cr_expect_eq(network_counters(guest.network).out, 2);
    free(frame);
    guest_fini(&guest);
}

static uint32_t next_random(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*seed >> 33);
}

enum { TEMPLATES = 7, SEEDS = 8 };

static void make_template(struct buffer *frame, unsigned number, const struct tcp *t)
{
    static const uint8_t solicit[] = {
        0x33, 0x33, 0, 0, 0,    2,    0x52, 0x54, 0,    0x12, 0x34, 0x56, 0x86, 0xdd, 0x60,
        0,    0,    0, 0, 16,   58,   255,  0xfe, 0x80, 0,    0,    0,    0,    0,    0,
        0,    0,    0, 0, 0,    0,    0,    1,    0,    0xff, 0x02, 0,    0,    0,    0,
        0,    0,    0, 0, 0,    0,    0,    0,    2,    133,  0,    0,    0,    0,    0,
        0,    0,    1, 1, 0x52, 0x54, 0,    0x12, 0x34, 0x56, 0,    0,    0,    0};
    uint8_t dhcp[300] = {1, 1, 6};
    switch (number) {
    case 0:
        make_arp(frame, 1, GATEWAY_IP);
        break;
    case 1:
        make_echo(frame, GATEWAY_IP, 1, 64);
        break;
    case 2:
        memcpy(dhcp + 236, "\x63\x82\x53\x63\x35\x01\x01\x0c\x04name\xff", 14);
        make_udp(frame, 68, BROADCAST_IP, 67, dhcp, sizeof dhcp);
        break;
    case 3:
        make_udp(frame, 1000, GATEWAY_IP + 1, 53, dhcp, 40);
        break;
    case 4:
        make_tcp(frame, t, TCP_SYN, NULL, 0);
        break;
    case 5:
        make_tcp(frame, t, TCP_PSH | TCP_ACK, dhcp, 100);
        break;
    default:
        buffer_append(frame, solicit, sizeof solicit);
        break;
    }
}

static void mutate(struct buffer *frame, uint64_t *seed)
{
    static const uint8_t edges[] = {0, 1, 4, 5, 15, 0x7f, 0x80, 0xff};
    unsigned changes = next_random(seed) % 5;
    while (changes--) {
        size_t at = next_random(seed) % frame->size;
        frame->data[at] = next_random(seed) % 2 ? edges[next_random(seed) % sizeof edges]
                                                : (uint8_t)next_random(seed);
    }
    if (next_random(seed) % 8 == 0)
        frame->size = 14 + next_random(seed) % (frame->size - 13);
}

/* A packet for the gateway's `port` after all, or none: it must not reach anybody else. */
static void aim(struct buffer *frame, uint16_t port)
{
    static const uint8_t gateway[] = {10, 0, 2, 2};
    const uint8_t ports[] = {(uint8_t)(port >> 8), (uint8_t)port};
    if (frame->size < ETHER_HEADER + IP_HEADER + 4) {
        frame->size = NETWORK_FRAME_LEAST;
        return;
    }
    memcpy(frame->data + 12, "\x08\x00\x45", 3);
    memcpy(frame->data + 30, gateway, sizeof gateway);
    memcpy(frame->data + 36, ports, sizeof ports);
}

static void make_hostile(struct buffer *frame, const struct tcp *t, bool restricted, uint64_t *seed)
{
    if (restricted && next_random(seed) % 8 == 0) {
        for (size_t size = next_random(seed) % 200; size; size--)
            buffer_append_byte(frame, (uint8_t)next_random(seed));
        return;
    }
    make_template(frame, next_random(seed) % (restricted ? TEMPLATES : TEMPLATES - 1), t);
    mutate(frame, seed);
    if (!restricted)
        aim(frame, t->peer_port);
    if (next_random(seed) % 4)
        fix_checksums(frame);
}

static void send_hostile(const struct tcp *t, bool restricted, uint64_t seed, unsigned rounds)
{
    for (unsigned i = 0; i < rounds; i++) {
        struct buffer frame = {0};
        make_hostile(&frame, t, restricted, &seed);
        guest_send_buffer(&guest, &frame);
        buffer_fini(&frame);
        if (i % 16 == 0)
            guest_turns(&guest, 1);
    }
    cr_expect_gt(network_counters(guest.network).in, rounds / 100, "all was dropped unseen");
    guest.taken = guest.frames;
    guest_send_arp(&guest, GATEWAY_IP);
    guest_turns(&guest, 2);
    cr_expect_gt(guest.frames, guest.taken, "it still answers");
}

static void fuzz_connection_out(uint64_t seed, unsigned rounds)
{
    uint16_t port;
    int listener = host_bind(SOCK_STREAM, &port);
    struct tcp t;
    guest_init(&guest, NULL);
    tcp_connect(&t, &guest, GATEWAY_IP, port);
    send_hostile(&t, false, seed, rounds);
    guest_fini(&guest);
    close(listener);
}

static void fuzz_connection_in(uint64_t seed, unsigned rounds)
{
    struct network_config config = CONFIG("restrict", "on", "hostfwd", "tcp:127.0.0.1:0-:80");
    struct tcp t;
    guest_init(&guest, &config);
    int fd = host_connect(SOCK_STREAM, network_hostfwd_port(guest.network, 0));
    tcp_accept(&t, &guest, 80);
    send_hostile(&t, true, seed, rounds);
    guest_fini(&guest);
    close(fd);
}

/* All kinds of frames, in a network that lets none of them out. */
Test(network_hostile, hostile_frames_do_no_harm)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        fuzz_connection_in(seed, 5000);
}

/* What gets through, to one port. */
Test(network_hostile, hostile_packets_do_no_harm)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        fuzz_connection_out(seed, 5000);
}

/* ---- fragments ---- */

/* A datagram's frame in pieces of `step` bytes of data, a multiple of 8, the given one only. */
static void send_piece(const struct buffer *whole, size_t step, size_t number)
{
    struct buffer piece = {0};
    size_t headers = ETHER_HEADER + IP_HEADER, offset = step * number;
    size_t left = whole->size - headers - offset, size = left < step ? left : step;
    size_t field = offset / 8 | (left > step ? 0x2000 : 0), length = IP_HEADER + size;
    buffer_append(&piece, whole->data, headers);
    buffer_append(&piece, whole->data + headers + offset, size);
    piece.data[16] = (uint8_t)(length >> 8);
    piece.data[17] = (uint8_t)length;
    piece.data[20] = (uint8_t)(field >> 8);
    piece.data[21] = (uint8_t)field;
    fix_header_checksum(&piece);
    guest_send_buffer(&guest, &piece);
    buffer_fini(&piece);
}

Test(network_hostile, fragments_are_put_together)
{
    static const size_t orders[][4] = {{0, 1, 2, 3}, {3, 2, 1, 0}, {2, 0, 3, 1}};
    uint8_t data[4000], got[5000];
    uint16_t port;
    int fd = host_bind(SOCK_DGRAM, &port);
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 7 + i / 251);
    guest_init(&guest, NULL);
    for (unsigned i = 0; i < 3; i++) {
        struct buffer whole = {0};
        make_udp(&whole, 5000, GATEWAY_IP, port, data, sizeof data - i);
        whole.data[19] = (uint8_t)i; /* its identification */
        for (unsigned j = 0; j < 4; j++) {
            cr_expect_eq(recv(fd, got, sizeof got, 0), -1);
            send_piece(&whole, 1024, orders[i][j]);
            send_piece(&whole, 1024, orders[i][j == 3 ? 3 : 0]);
            guest_turns(&guest, 1);
        }
        cr_expect_eq(recv(fd, got, sizeof got, 0), (ssize_t)(sizeof data - i));
        cr_expect_arr_eq(got, data, sizeof data - i);
        buffer_fini(&whole);
    }
    cr_expect_eq(network_counters(guest.network).refused, 0);
    guest_fini(&guest);
    close(fd);
}

Test(network_hostile, a_large_ping_is_answered_in_fragments)
{
    struct buffer whole = {0};
    guest_init(&guest, NULL);
    guest_send_arp(&guest, GATEWAY_IP);
    make_echo(&whole, GATEWAY_IP, 5, 3000);
    send_piece(&whole, 1480, 2);
    send_piece(&whole, 1480, 1);
    send_piece(&whole, 1480, 0);
    for (unsigned i = 0; i < 3; i++)
        cr_expect_eq(get16(guest_next_ip(&guest, IP_ICMP), 20),
                     i * 1480 / 8 | (i < 2 ? 0x2000 : 0));
    buffer_fini(&whole);
    guest_fini(&guest);
}

Test(network_hostile, bad_fragments_are_refused)
{
    static const struct {
        uint8_t at, value;
    } changes[] = {{14, 0x55}, {14, 0x44}, {17, 20},   {16, 0xff},
                   {17, 85},   {20, 0xa0}, {20, 0x3f}, {24, 0x77}};
    struct buffer whole = {0};
    guest_init(&guest, NULL);
    make_echo(&whole, GATEWAY_IP, 1, 64);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        struct buffer frame = {0};
        buffer_append(&frame, whole.data, whole.size);
        frame.data[20] = 0x20;
        frame.data[21] = 0xff;
        frame.data[changes[i].at] = changes[i].value;
        if (changes[i].at != 24)
            fix_header_checksum(&frame);
        guest_send_buffer(&guest, &frame);
        cr_expect_eq(network_counters(guest.network).refused, i + 1, "change %zu", i);
        buffer_fini(&frame);
    }
    whole.data[20] = 0x40;
    fix_checksums(&whole);
    guest_send_arp(&guest, GATEWAY_IP);
    guest_send_buffer(&guest, &whole);
    cr_expect_eq(get16(guest_next_ip(&guest, IP_ICMP), 40), 1, "don't-fragment is none");
    buffer_fini(&whole);
    guest_fini(&guest);
}
