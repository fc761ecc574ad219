#include "tests/unit/server/network_guest.h"

#include "base/check.h"
#include "base/log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { GUARD_MS = 60000, WINDOW = 32000 };

static const uint8_t guest_mac[6] = {0x52, 0x54, 0, 0x12, 0x34, 0x56};

struct network_config make_config(const char *const *pairs)
{
    struct network_config config = {0};
    struct error err = ERROR_INIT;
    for (; *pairs; pairs += 2)
        cr_assert(network_config_set(&config, pairs[0], pairs[1], &err), "%s", err.message);
    return config;
}
/* Hostile frames can leave more packets in libslirp's queue than network_close gets rid of, and
 * slirp_cleanup frees none. Nobody else here uses glib. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:g_malloc\n";
}

/* ---- the loop ---- */

static bool deliver(void *ctx, const uint8_t *packet, size_t size)
{
    struct guest *g = ctx;
    cr_assert(!g->sending, "an answer came while the guest was sending");
    cr_assert(size >= NETWORK_FRAME_LEAST && size <= NETWORK_FRAME_MOST);
    if (g->no_room)
        return false;
    g->frame = mem_grow(g->frame, g->frames + 1, sizeof *g->frame);
    buffer_init(&g->frame[g->frames]);
    buffer_append(&g->frame[g->frames++], packet, size);
    return true;
}

static void arrived(void *ctx)
{
    struct guest *g = ctx;
    g->wakes++;
}

static void drop_log(void *ctx, enum log_level level, const char *line)
{
    (void)ctx;
    (void)level;
    (void)line;
}

static void on_guard(uv_timer_t *timer)
{
    (void)timer;
    cr_assert_fail("nothing came");
}

void guest_init(struct guest *g, const struct network_config *config)
{
    const struct network_config none = {0};
    const struct network_options options = {deliver, arrived, g};
    struct error err = ERROR_INIT;
    memset(g, 0, sizeof *g);
    signal(SIGPIPE, SIG_IGN);
    log_set_sink(drop_log, NULL);
    cr_assert_eq(uv_loop_init(&g->loop), 0);
    uv_timer_init(&g->loop, &g->guard);
    g->network = network_new(&g->loop, config ? config : &none, &err);
    cr_assert(g->network, "%s", err.message);
    network_start(g->network, &options);
}

void guest_fini(struct guest *g)
{
    network_close(g->network);
    uv_close((uv_handle_t *)&g->guard, NULL);
    uv_run(&g->loop, UV_RUN_DEFAULT);
    cr_assert_eq(uv_loop_close(&g->loop), 0);
    network_free(g->network);
    for (size_t i = 0; i < g->frames; i++)
        buffer_fini(&g->frame[i]);
    free(g->frame);
    buffer_fini(&g->last);
}

void guest_turn(struct guest *g)
{
    uv_timer_start(&g->guard, on_guard, GUARD_MS, 0);
    uv_run(&g->loop, UV_RUN_ONCE);
    uv_timer_stop(&g->guard);
}

void guest_turns(struct guest *g, unsigned count)
{
    while (count--)
        uv_run(&g->loop, UV_RUN_NOWAIT);
}

void guest_send(struct guest *g, const void *frame, size_t size)
{
    g->sending = true;
    network_output(g->network, frame, size);
    g->sending = false;
}

void guest_send_buffer(struct guest *g, const struct buffer *frame)
{
    guest_send(g, frame->data, frame->size);
}

void guest_send_arp(struct guest *g, uint32_t target)
{
    struct buffer frame = {0};
    make_arp(&frame, 1, target);
    guest_send_buffer(g, &frame);
    buffer_fini(&frame);
}

void guest_send_echo(struct guest *g, uint16_t number, size_t size)
{
    struct buffer frame = {0};
    make_echo(&frame, GATEWAY_IP, number, size);
    guest_send_buffer(g, &frame);
    buffer_fini(&frame);
}

static const struct buffer *next_frame(struct guest *g)
{
    while (g->taken == g->frames)
        guest_turn(g);
    struct buffer *frame = &g->frame[g->taken++];
    buffer_fini(&g->last);
    g->last = *frame;
    buffer_init(frame);
    return &g->last;
}

const struct buffer *guest_next(struct guest *g, uint16_t type)
{
    for (;;) {
        const struct buffer *frame = next_frame(g);
        bool request = get16(frame, 12) == ETHER_ARP && get16(frame, 20) == 1;
        if (request && get32(frame, 38) == GUEST_IP) {
            struct buffer reply = {0};
            make_arp(&reply, 2, get32(frame, 28));
            guest_send_buffer(g, &reply);
            buffer_fini(&reply);
        } else if (get16(frame, 12) == type) {
            return frame;
        }
    }
}

const struct buffer *guest_next_ip(struct guest *g, uint8_t protocol)
{
    const struct buffer *frame;
    do
        frame = guest_next(g, ETHER_IP);
    while (frame->data[23] != protocol);
    return frame;
}

/* ---- frames ---- */

static void put16(struct buffer *b, uint16_t value)
{
    value = htons(value);
    buffer_append(b, &value, sizeof value);
}

static void put32(struct buffer *b, uint32_t value)
{
    value = htonl(value);
    buffer_append(b, &value, sizeof value);
}

static void set16(struct buffer *b, size_t offset, uint16_t value)
{
    value = htons(value);
    memcpy(b->data + offset, &value, sizeof value);
}

uint16_t get16(const struct buffer *b, size_t offset)
{
    uint16_t value;
    cr_assert_leq(offset + sizeof value, b->size);
    memcpy(&value, b->data + offset, sizeof value);
    return ntohs(value);
}

uint32_t get32(const struct buffer *b, size_t offset)
{
    return (uint32_t)get16(b, offset) << 16 | get16(b, offset + 2);
}

static uint32_t sum16(const uint8_t *bytes, size_t size, uint32_t sum)
{
    for (size_t i = 0; i < size; i++)
        sum += i % 2 ? bytes[i] : (uint32_t)bytes[i] << 8;
    return sum;
}

static uint16_t fold(uint32_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

void fix_header_checksum(struct buffer *b)
{
    size_t header = (b->data[ETHER_HEADER] & 15u) * 4;
    if (ETHER_HEADER + header > b->size)
        return;
    set16(b, ETHER_HEADER + 10, 0);
    set16(b, ETHER_HEADER + 10, fold(sum16(b->data + ETHER_HEADER, header, 0)));
}

void fix_checksums(struct buffer *b)
{
    static const size_t offsets[256] = {[IP_ICMP] = 2, [IP_TCP] = 16, [IP_UDP] = 6};
    if (b->size < ETHER_HEADER + IP_HEADER || get16(b, 12) != ETHER_IP)
        return;
    uint8_t *ip = b->data + ETHER_HEADER;
    size_t header = (ip[0] & 15u) * 4, total = get16(b, ETHER_HEADER + 2), offset = offsets[ip[9]];
    if (header < IP_HEADER || total < header || total > b->size - ETHER_HEADER)
        return;
    fix_header_checksum(b);
    size_t size = total - header;
    if (!offset || size < offset + 2)
        return;
    set16(b, ETHER_HEADER + header + offset, 0);
    uint32_t sum = ip[9] == IP_ICMP ? 0 : sum16(ip + 12, 8, ip[9] + (uint32_t)size);
    set16(b, ETHER_HEADER + header + offset, fold(sum16(ip + header, size, sum)));
}

static void put_ether(struct buffer *b, uint32_t to, uint16_t type)
{
    static const uint8_t gateway[6] = {0x52, 0x55, 10, 0, 2, 2};
    static const uint8_t broadcast[6] = {255, 255, 255, 255, 255, 255};
    buffer_append(b, to == BROADCAST_IP ? broadcast : gateway, 6);
    buffer_append(b, guest_mac, 6);
    put16(b, type);
}

void make_arp(struct buffer *b, uint16_t operation, uint32_t target)
{
    put_ether(b, BROADCAST_IP, ETHER_ARP);
    put16(b, 1);
    put16(b, ETHER_IP);
    put16(b, 0x0604);
    put16(b, operation);
    buffer_append(b, guest_mac, 6);
    put32(b, GUEST_IP);
    memset(buffer_extend(b, 6), 0, 6);
    put32(b, target);
}

void make_ip(struct buffer *b, uint8_t protocol, uint32_t to, const void *payload, size_t size)
{
    put_ether(b, to, ETHER_IP);
    put16(b, 0x4500);
    put16(b, (uint16_t)(IP_HEADER + size));
    put32(b, 0);
    put16(b, (uint16_t)(64 << 8 | protocol));
    put16(b, 0);
    put32(b, to == BROADCAST_IP ? 0 : GUEST_IP);
    put32(b, to);
    buffer_append(b, payload, size);
    fix_checksums(b);
}

void make_echo(struct buffer *b, uint32_t to, uint16_t number, size_t size)
{
    struct buffer echo = {0};
    put16(&echo, 0x0800);
    put16(&echo, 0);
    put16(&echo, 0x1234);
    put16(&echo, number);
    for (size_t i = 0; i < size; i++)
        buffer_append_byte(&echo, (uint8_t)i);
    make_ip(b, IP_ICMP, to, echo.data, echo.size);
    buffer_fini(&echo);
}

void make_udp(struct buffer *b, uint16_t from_port, uint32_t to, uint16_t port, const void *data,
              size_t size)
{
    struct buffer udp = {0};
    put16(&udp, from_port);
    put16(&udp, port);
    put16(&udp, (uint16_t)(8 + size));
    put16(&udp, 0);
    buffer_append(&udp, data, size);
    make_ip(b, IP_UDP, to, udp.data, udp.size);
    buffer_fini(&udp);
}

/* ---- TCP ---- */

void make_tcp(struct buffer *b, const struct tcp *t, uint8_t flags, const void *data, size_t size)
{
    struct buffer tcp = {0};
    put16(&tcp, t->port);
    put16(&tcp, t->peer_port);
    put32(&tcp, t->seq);
    put32(&tcp, t->ack);
    put16(&tcp, (uint16_t)(5 << 12 | flags));
    put16(&tcp, WINDOW);
    put32(&tcp, 0);
    buffer_append(&tcp, data, size);
    make_ip(b, IP_TCP, t->peer, tcp.data, tcp.size);
    buffer_fini(&tcp);
}

void tcp_send(struct tcp *t, uint8_t flags, const void *data, size_t size)
{
    struct buffer frame = {0};
    make_tcp(&frame, t, flags, data, size);
    t->seq += (uint32_t)size + !!(flags & (TCP_SYN | TCP_FIN));
    guest_send_buffer(t->guest, &frame);
    buffer_fini(&frame);
}

static struct segment next_segment(struct guest *g, struct tcp *t)
{
    const struct buffer *b;
    do
        b = guest_next_ip(g, IP_TCP);
    while (get16(b, 36) != t->port || (t->peer_port && get16(b, 34) != t->peer_port));
    size_t header = ETHER_HEADER + IP_HEADER + (b->data[46] >> 4) * 4u;
    size_t end = ETHER_HEADER + get16(b, 16);
    cr_assert(header <= end && end <= b->size);
    t->peer = get32(b, 26);
    t->peer_port = get16(b, 34);
    return (struct segment){b->data[47], get32(b, 38), b->data + header, end - header};
}

struct segment tcp_next(struct tcp *t)
{
    struct segment s = next_segment(t->guest, t);
    if (s.flags & TCP_SYN)
        t->ack = s.seq;
    t->ended |= !!(s.flags & (TCP_FIN | TCP_RST));
    if (s.seq == t->ack)
        t->ack += (uint32_t)s.size + !!(s.flags & (TCP_SYN | TCP_FIN));
    return s;
}

void tcp_connect(struct tcp *t, struct guest *g, uint32_t peer, uint16_t peer_port)
{
    *t = (struct tcp){
        .guest = g, .peer = peer, .port = 40000, .peer_port = peer_port, .seq = 0xfffffff0};
    tcp_send(t, TCP_SYN, NULL, 0);
    cr_assert_eq(tcp_next(t).flags, TCP_SYN | TCP_ACK);
    tcp_send(t, TCP_ACK, NULL, 0);
}

void tcp_accept(struct tcp *t, struct guest *g, uint16_t port)
{
    *t = (struct tcp){.guest = g, .port = port, .seq = 7};
    cr_assert_eq(tcp_next(t).flags, TCP_SYN);
    tcp_send(t, TCP_SYN | TCP_ACK, NULL, 0);
    cr_assert_eq(tcp_next(t).flags, TCP_ACK);
}

void tcp_expect(struct tcp *t, const void *bytes, size_t size)
{
    size_t done = 0;
    while (done < size) {
        uint32_t expected = t->ack;
        struct segment s = tcp_next(t);
        if (s.seq != expected || !s.size)
            continue;
        cr_assert_leq(s.size, size - done);
        cr_assert_arr_eq(s.data, (const uint8_t *)bytes + done, s.size);
        done += s.size;
        tcp_send(t, TCP_ACK, NULL, 0);
    }
}

void tcp_expect_end(struct tcp *t)
{
    while (!t->ended)
        tcp_next(t);
}

/* ---- the host ---- */

static struct sockaddr_in loopback(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
}

int host_bind(int type, uint16_t *port)
{
    struct sockaddr_in name = loopback(0);
    socklen_t size = sizeof name;
    int fd = socket(AF_INET, type | SOCK_NONBLOCK, 0);
    cr_assert_eq(bind(fd, (struct sockaddr *)&name, size), 0);
    if (type == SOCK_STREAM)
        cr_assert_eq(listen(fd, 8), 0);
    cr_assert_eq(getsockname(fd, (struct sockaddr *)&name, &size), 0);
    *port = ntohs(name.sin_port);
    return fd;
}

int host_connect(int type, uint16_t port)
{
    struct sockaddr_in name = loopback(port);
    int fd = socket(AF_INET, type, 0);
    cr_assert_eq(connect(fd, (struct sockaddr *)&name, sizeof name), 0, "%s", strerror(errno));
    return fd;
}

int host_accept(struct guest *g, int listener)
{
    int fd;
    while ((fd = accept(listener, NULL, NULL)) < 0) {
        cr_assert_eq(errno, EAGAIN);
        guest_turn(g);
    }
    return fd;
}

void host_expect(struct guest *g, int fd, const void *bytes, size_t size)
{
    uint8_t got[4096];
    for (size_t done = 0; done < size;) {
        size_t left = size - done;
        ssize_t count = recv(fd, got, left < sizeof got ? left : sizeof got, MSG_DONTWAIT);
        if (count < 0 && errno == EAGAIN) {
            guest_turn(g);
            continue;
        }
        cr_assert_gt(count, 0, "the connection ended");
        cr_assert_arr_eq(got, (const uint8_t *)bytes + done, (size_t)count);
        done += (size_t)count;
    }
}
