/* The user network: what a guest's frames come to, and what of the host reaches it. */
#include "base/log.h"
#include "tests/unit/server/network_guest.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static struct guest guest;

/* Bytes that tell where they stand. */
static uint8_t *make_data(size_t size)
{
    uint8_t *data = malloc(size);
    cr_assert(data);
    for (size_t i = 0; i < size; i++)
        data[i] = (uint8_t)(i * 7 + i / 251);
    return data;
}

static void send_udp(uint16_t from, uint16_t port, const void *data, size_t size)
{
    struct buffer frame = {0};
    make_udp(&frame, from, GATEWAY_IP, port, data, size);
    guest_send_buffer(&guest, &frame);
    buffer_fini(&frame);
}

static void expect_udp(uint16_t port, const char *text)
{
    const struct buffer *frame = guest_next_ip(&guest, IP_UDP);
    cr_assert_eq(get16(frame, 36), port);
    cr_assert_eq(get16(frame, 38), 8 + strlen(text));
    cr_assert_arr_eq(frame->data + 42, text, strlen(text));
}

/* ---- the gateway ---- */

Test(network, arp_is_answered)
{
    guest_init(&guest, NULL);
    guest_send_arp(&guest, GATEWAY_IP);
    const struct buffer *frame = guest_next(&guest, ETHER_ARP);
    cr_expect_eq(get16(frame, 20), 2);
    cr_expect_eq(get32(frame, 28), GATEWAY_IP);
    cr_expect_eq(get32(frame, 38), GUEST_IP);
    cr_expect_eq(guest.wakes, 1);
    cr_expect_eq(network_counters(guest.network).in, 1);
    cr_expect_eq(network_counters(guest.network).out, 1);
    guest_fini(&guest);
}

Test(network, the_gateway_answers_a_ping)
{
    guest_init(&guest, NULL);
    guest_send_arp(&guest, GATEWAY_IP);
    guest_send_echo(&guest, 5, 1000);
    const struct buffer *frame = guest_next_ip(&guest, IP_ICMP);
    cr_expect_eq(get16(frame, 34), 0);
    cr_expect_eq(get16(frame, 40), 5);
    cr_expect_eq(get16(frame, 16), IP_HEADER + 8 + 1000);
    guest_fini(&guest);
}

static void send_discover(void)
{
    uint8_t message[300] = {1, 1, 6, 0, 1, 2, 3, 4};
    static const uint8_t options[] = {0x63, 0x82, 0x53, 0x63, 53, 1, 1, 255};
    memcpy(message + 28, "\x52\x54\x00\x12\x34\x56", 6);
    memcpy(message + 236, options, sizeof options);
    struct buffer frame = {0};
    make_udp(&frame, 68, BROADCAST_IP, 67, message, sizeof message);
    guest_send_buffer(&guest, &frame);
    buffer_fini(&frame);
}

Test(network, dhcp_offers_what_is_configured)
{
    struct network_config config = CONFIG("net", "192.168.76.0/24", "dhcpstart", "192.168.76.42",
                                          "hostname", "board", "ipv6", "off");
    guest_init(&guest, &config);
    send_discover();
    const struct buffer *frame = guest_next_ip(&guest, IP_UDP);
    cr_expect_eq(get16(frame, 36), 68);
    cr_expect_eq(get32(frame, 26), 0xc0a84c02, "from the gateway");
    cr_expect_eq(get32(frame, 42 + 16), 0xc0a84c2a, "yiaddr");
    cr_expect(memmem(frame->data, frame->size,
                     "\x0c\x05"
                     "board",
                     7));
    cr_expect(memmem(frame->data, frame->size, "\x06\x04\xc0\xa8\x4c\x03", 6), "DNS");
    guest_fini(&guest);
}

/* ---- out ---- */

Test(network, tcp_reaches_a_server_on_the_host)
{
    enum { SIZE = 100000 };
    static const char request[] = "GET / HTTP/1.0\r\n\r\n";
    uint16_t port;
    int listener = host_bind(SOCK_STREAM, &port);
    uint8_t *page = make_data(SIZE);
    struct tcp t;
    guest_init(&guest, NULL);
    tcp_connect(&t, &guest, GATEWAY_IP, port);
    int fd = host_accept(&guest, listener);
    tcp_send(&t, TCP_PSH | TCP_ACK, request, sizeof request);
    host_expect(&guest, fd, request, sizeof request);
    cr_assert_eq(send(fd, page, SIZE, 0), SIZE);
    close(fd);
    tcp_expect(&t, page, SIZE);
    tcp_expect_end(&t);
    tcp_send(&t, TCP_FIN | TCP_ACK, NULL, 0);
    cr_expect_eq(tcp_next(&t).flags, TCP_ACK);
    guest_fini(&guest);
    close(listener);
    free(page);
}

Test(network, tcp_to_a_closed_port_is_reset)
{
    uint16_t port;
    int listener = host_bind(SOCK_STREAM, &port);
    close(listener);
    guest_init(&guest, NULL);
    struct tcp t = {
        .guest = &guest, .peer = GATEWAY_IP, .port = 40000, .peer_port = port, .seq = 1};
    tcp_send(&t, TCP_SYN, NULL, 0);
    cr_expect(tcp_next(&t).flags & TCP_RST);
    guest_fini(&guest);
}

Test(network, udp_goes_both_ways)
{
    uint16_t port;
    int fd = host_bind(SOCK_DGRAM, &port);
    struct sockaddr_in from;
    socklen_t size = sizeof from;
    char text[8];
    guest_init(&guest, NULL);
    guest_send_arp(&guest, GATEWAY_IP);
    send_udp(5000, port, "ask", 3);
    ssize_t count;
    while ((count = recvfrom(fd, text, sizeof text, 0, (struct sockaddr *)&from, &size)) < 0)
        guest_turn(&guest);
    cr_assert_eq(count, 3);
    cr_assert_arr_eq(text, "ask", 3);
    cr_assert_eq(sendto(fd, "answer", 6, 0, (struct sockaddr *)&from, size), 6);
    expect_udp(5000, "answer");
    guest_fini(&guest);
    close(fd);
}

Test(network, many_connections_at_once)
{
    enum { COUNT = 40 };
    uint16_t port;
    int listener = host_bind(SOCK_STREAM, &port), fd[COUNT];
    struct tcp t[COUNT];
    guest_init(&guest, NULL);
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < COUNT; i++) {
            t[i] = (struct tcp){.guest = &guest,
                                .peer = GATEWAY_IP,
                                .port = (uint16_t)(30000 + round * COUNT + i),
                                .peer_port = port};
            tcp_send(&t[i], TCP_SYN, NULL, 0);
            cr_assert_eq(tcp_next(&t[i]).flags, TCP_SYN | TCP_ACK);
            tcp_send(&t[i], TCP_ACK, NULL, 0);
            fd[i] = host_accept(&guest, listener);
        }
        for (unsigned i = 0; i < COUNT; i++) {
            uint8_t byte = (uint8_t)i;
            cr_assert_eq(send(fd[i], &byte, 1, 0), 1);
            tcp_expect(&t[i], &byte, 1);
        }
        /* Their descriptors' numbers come back in the next round. */
        for (unsigned i = 0; i < COUNT; i++) {
            tcp_send(&t[i], TCP_RST | TCP_ACK, NULL, 0);
            close(fd[i]);
        }
    }
    guest_fini(&guest);
    close(listener);
}

Test(network, a_restricted_guest_reaches_nothing)
{
    uint16_t port;
    int fd = host_bind(SOCK_DGRAM, &port), listener = host_bind(SOCK_STREAM, &port);
    struct network_config config = CONFIG("restrict", "on");
    char byte;
    guest_init(&guest, &config);
    guest_send_arp(&guest, GATEWAY_IP);
    struct tcp t = {.guest = &guest, .peer = GATEWAY_IP, .port = 40000, .peer_port = port};
    tcp_send(&t, TCP_SYN, NULL, 0);
    send_udp(5000, port, "ask", 3);
    guest_turns(&guest, 20);
    cr_expect_eq(accept(listener, NULL, NULL), -1);
    cr_expect_eq(recv(fd, &byte, 1, 0), -1);
    guest_fini(&guest);
    close(listener);
    close(fd);
}

/* ---- in ---- */

Test(network, hostfwd_leads_into_the_guest)
{
    struct network_config config = CONFIG("hostfwd", "tcp:127.0.0.1:0-:80");
    struct tcp t;
    guest_init(&guest, &config);
    uint16_t port = network_hostfwd_port(guest.network, 0);
    cr_assert_neq(port, 0);
    int fd = host_connect(SOCK_STREAM, port);
    tcp_accept(&t, &guest, 80);
    cr_assert_eq(send(fd, "hello", 5, 0), 5);
    tcp_expect(&t, "hello", 5);
    tcp_send(&t, TCP_PSH | TCP_ACK, "welcome", 7);
    host_expect(&guest, fd, "welcome", 7);
    close(fd);
    tcp_expect_end(&t);
    guest_fini(&guest);
}

Test(network, hostfwd_takes_udp_and_several_rules)
{
    struct network_config config =
        CONFIG("hostfwd", "udp:127.0.0.1:0-10.0.2.15:53", "hostfwd", "tcp:127.0.0.1:0-:80",
               "hostfwd", "udp:127.0.0.1:0-:54", "restrict", "on");
    guest_init(&guest, &config);
    for (unsigned i = 0; i < 3; i++)
        cr_assert_neq(network_hostfwd_port(guest.network, i), 0);
    int first = host_connect(SOCK_DGRAM, network_hostfwd_port(guest.network, 0));
    int third = host_connect(SOCK_DGRAM, network_hostfwd_port(guest.network, 2));
    cr_assert_eq(send(third, "three", 5, 0), 5);
    expect_udp(54, "three");
    cr_assert_eq(send(first, "one", 3, 0), 3);
    expect_udp(53, "one");
    close(first);
    close(third);
    guest_fini(&guest);
}

static void expect_refusal(const struct network_config *config, const char *message)
{
    uv_loop_t loop;
    struct error err = ERROR_INIT;
    uv_loop_init(&loop);
    cr_expect_null(network_new(&loop, config, &err));
    cr_expect_str_eq(err.message, message);
    cr_expect_eq(uv_loop_close(&loop), 0, "no handle was left");
}

Test(network, a_busy_port_is_refused)
{
    static const char *const protocols[] = {"tcp", "udp"};
    for (unsigned i = 0; i < 2; i++) {
        uint16_t port;
        char rule[NETWORK_RULE_SIZE], message[128];
        int fd = host_bind(i ? SOCK_DGRAM : SOCK_STREAM, &port);
        snprintf(rule, sizeof rule, "%s:127.0.0.1:%u-:80", protocols[i], port);
        snprintf(message, sizeof message, "hostfwd %s: cannot listen: Address already in use",
                 rule);
        struct network_config config =
            CONFIG("hostfwd", "tcp:127.0.0.1:0-:81", "hostfwd", rule, "ipv6", "off");
        expect_refusal(&config, message);
        close(fd);
        struct error err = ERROR_INIT;
        uv_loop_t loop;
        uv_loop_init(&loop);
        struct network *network = network_new(&loop, &config, &err);
        cr_assert(network, "free again, but: %s", err.message);
        cr_expect_eq(network_hostfwd_port(network, 1), port);
        network_close(network);
        uv_run(&loop, UV_RUN_DEFAULT);
        cr_expect_eq(uv_loop_close(&loop), 0);
        network_free(network);
    }
}

Test(network, addresses_that_do_not_fit_are_refused)
{
    struct network_config config = CONFIG("dns", "10.0.3.3");
    expect_refusal(&config, "dns 10.0.3.3 is no host's address in the network 10.0.2.0/24");
}

static char logged[256];

static void keep_log(void *ctx, enum log_level level, const char *line)
{
    (void)ctx;
    if (level == LOG_INFO)
        snprintf(logged, sizeof logged, "%s", line);
}

Test(network, a_chosen_port_is_told)
{
    struct network_config config = CONFIG("hostfwd", "tcp:127.0.0.1:0-:80");
    const struct network_options options = {0};
    struct error err = ERROR_INIT;
    char expected[256];
    uv_loop_t loop;
    log_set_sink(keep_log, NULL);
    uv_loop_init(&loop);
    struct network *network = network_new(&loop, &config, &err);
    cr_assert(network, "%s", err.message);
    network_start(network, &options);
    snprintf(expected, sizeof expected, "network: hostfwd tcp:127.0.0.1:0-:80 listens on port %u",
             network_hostfwd_port(network, 0));
    cr_expect_str_eq(logged, expected);
    network_close(network);
    uv_run(&loop, UV_RUN_DEFAULT);
    cr_expect_eq(uv_loop_close(&loop), 0);
    network_free(network);
}

/* ---- the queue ---- */

Test(network, packets_wait_for_room_and_are_bounded)
{
    guest_init(&guest, NULL);
    guest.no_room = true;
    guest_send_arp(&guest, GATEWAY_IP);
    for (uint16_t i = 1; i < NETWORK_QUEUE_PACKETS + 100; i++)
        guest_send_echo(&guest, i, 1400);
    guest_turns(&guest, 10);
    struct network_counters counters = network_counters(guest.network);
    cr_expect_eq(counters.in, 0);
    cr_expect_eq(counters.out, NETWORK_QUEUE_PACKETS + 100);
    cr_expect_eq(counters.dropped, 100);
    cr_expect(!network_offer(guest.network));
    guest.no_room = false;
    cr_expect(network_offer(guest.network));
    cr_expect(!network_offer(guest.network), "nothing is left");
    cr_expect_eq(guest.frames, NETWORK_QUEUE_PACKETS);
    cr_expect_eq(network_counters(guest.network).in, NETWORK_QUEUE_PACKETS);
    cr_expect_eq(guest.wakes, 0, "who offers knows");
    cr_expect_eq(get16(guest_next(&guest, ETHER_ARP), 20), 2);
    for (uint16_t i = 1; i < NETWORK_QUEUE_PACKETS; i++)
        cr_assert_eq(get16(guest_next_ip(&guest, IP_ICMP), 40), i, "in order");
    guest_send_echo(&guest, 9999, 8);
    cr_expect_eq(get16(guest_next_ip(&guest, IP_ICMP), 40), 9999, "there is room again");
    guest_fini(&guest);
}

Test(network, a_full_guest_gets_the_rest_later)
{
    guest_init(&guest, NULL);
    guest_send_arp(&guest, GATEWAY_IP);
    guest_turns(&guest, 1);
    guest.no_room = true;
    guest_send_echo(&guest, 1, 10);
    guest_send_echo(&guest, 2, 10);
    guest_turns(&guest, 3);
    cr_expect_eq(guest.frames, 1);
    guest.no_room = false;
    cr_expect_eq(get16(guest_next_ip(&guest, IP_ICMP), 40), 1);
    cr_expect_eq(get16(guest_next_ip(&guest, IP_ICMP), 40), 2);
    guest_fini(&guest);
}

Test(network, a_guest_that_takes_all_descriptors_goes_without)
{
    uint16_t port;
    int listener = host_bind(SOCK_STREAM, &port);
    guest_init(&guest, NULL);
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = 64;
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    for (uint16_t i = 0; i < 300; i++) {
        struct tcp t = {
            .guest = &guest, .peer = GATEWAY_IP, .port = (uint16_t)(20000 + i), .peer_port = port};
        tcp_send(&t, TCP_SYN, NULL, 0);
        send_udp((uint16_t)(20000 + i), port, "x", 1);
        guest_turns(&guest, 1);
    }
    guest_send_echo(&guest, 77, 10);
    const struct buffer *frame;
    do
        frame = guest_next_ip(&guest, IP_ICMP);
    while (frame->data[34] != 0 || get16(frame, 40) != 77);
    guest_fini(&guest);
    close(listener);
}

/* ---- pause ---- */

Test(network, nothing_passes_while_paused)
{
    struct network_config config = CONFIG("hostfwd", "tcp:127.0.0.1:0-:80");
    enum { SIZE = 5000 };
    uint16_t port;
    int listener = host_bind(SOCK_STREAM, &port);
    uint8_t *data = make_data(SIZE);
    struct tcp t, incoming;
    guest_init(&guest, &config);
    tcp_connect(&t, &guest, GATEWAY_IP, port);
    int fd = host_accept(&guest, listener);
    guest_turns(&guest, 3);
    guest_send_echo(&guest, 77, 10);
    network_pause(guest.network, true);
    size_t frames = guest.frames;
    cr_assert_eq(send(fd, data, SIZE, 0), SIZE);
    int visitor = host_connect(SOCK_STREAM, network_hostfwd_port(guest.network, 0));
    guest_turns(&guest, 100);
    cr_expect(!network_offer(guest.network));
    cr_expect_eq(guest.frames, frames);
    cr_expect(!uv_loop_alive(&guest.loop), "the loop has nothing to wait for");
    network_pause(guest.network, false);
    cr_expect_eq(guest.frames, frames, "not from within the call");
    cr_expect_eq(get16(guest_next_ip(&guest, IP_ICMP), 40), 77);
    tcp_accept(&incoming, &guest, 80);
    tcp_send(&t, TCP_PSH | TCP_ACK, "ok", 2);
    host_expect(&guest, fd, "ok", 2);
    tcp_send(&incoming, TCP_PSH | TCP_ACK, "in", 2);
    host_expect(&guest, visitor, "in", 2);
    guest_fini(&guest);
    close(visitor);
    close(fd);
    close(listener);
    free(data);
}

Test(network, data_sent_in_a_pause_arrives_after_it)
{
    enum { SIZE = 50000 };
    uint16_t port;
    int listener = host_bind(SOCK_STREAM, &port);
    uint8_t *data = make_data(SIZE);
    struct tcp t;
    guest_init(&guest, NULL);
    tcp_connect(&t, &guest, GATEWAY_IP, port);
    int fd = host_accept(&guest, listener);
    network_pause(guest.network, true);
    cr_assert_eq(send(fd, data, SIZE, 0), SIZE);
    guest_turns(&guest, 100);
    cr_expect_eq(guest.taken, guest.frames);
    network_pause(guest.network, false);
    tcp_expect(&t, data, SIZE);
    guest_fini(&guest);
    close(fd);
    close(listener);
    free(data);
}

Test(network, a_pause_before_the_start_holds)
{
    struct error err = ERROR_INIT;
    const struct network_config config = {0};
    const struct network_options options = {0}; /* deliver would crash */
    uv_loop_t loop;
    uv_loop_init(&loop);
    struct network *network = network_new(&loop, &config, &err);
    cr_assert(network, "%s", err.message);
    network_pause(network, true);
    network_pause(network, true);
    network_start(network, &options);
    struct buffer frame = {0};
    make_arp(&frame, 1, GATEWAY_IP);
    network_output(network, frame.data, frame.size);
    buffer_fini(&frame);
    cr_expect_eq(uv_run(&loop, UV_RUN_NOWAIT), 0);
    cr_expect(!network_offer(network));
    network_close(network);
    network_output(network, (const uint8_t[60]){0}, 60);
    uv_run(&loop, UV_RUN_DEFAULT);
    cr_expect_eq(uv_loop_close(&loop), 0);
    network_free(network);
}

/* ---- the loop ---- */

Test(network, an_idle_network_lets_the_loop_sleep)
{
    struct network_config config = CONFIG("ipv6", "off");
    guest_init(&guest, &config);
    guest_turns(&guest, 3);
    cr_expect_gt(uv_backend_timeout(&guest.loop), 0);
    uint16_t port;
    int fd = host_bind(SOCK_DGRAM, &port);
    send_udp(5000, port, "ask", 3);
    guest_turns(&guest, 3);
    cr_expect_gt(uv_backend_timeout(&guest.loop), 0, "a flow is there, and no packet");
    guest_fini(&guest);
    close(fd);
}
