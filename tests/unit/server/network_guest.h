/* A guest on a user network, as far as tests need one: it builds and takes apart ethernet frames by
 * hand, answers ARP, and turns the loop while it waits. */
#ifndef TESTS_UNIT_SERVER_NETWORK_GUEST_H
#define TESTS_UNIT_SERVER_NETWORK_GUEST_H

#include "base/buffer.h"
#include "server/network.h"

#include <criterion/criterion.h>

#define GUEST_IP UINT32_C(0x0a00020f)
#define GATEWAY_IP UINT32_C(0x0a000202)
#define BROADCAST_IP UINT32_C(0xffffffff)

enum { ETHER_ARP = 0x0806, ETHER_IP = 0x0800, ETHER_HEADER = 14, IP_HEADER = 20 };
enum { IP_ICMP = 1, IP_TCP = 6, IP_UDP = 17 };
enum { TCP_FIN = 1, TCP_SYN = 2, TCP_RST = 4, TCP_PSH = 8, TCP_ACK = 16 };

struct guest {
    uv_loop_t loop;
    uv_timer_t guard; /* a test that never gets what it waits for fails */
    struct network *network;
    bool no_room;   /* deliver refuses */
    bool sending;   /* inside network_output */
    unsigned wakes; /* calls of arrived */
    struct buffer *frame;
    size_t frames, taken; /* received, and looked at */
    struct buffer last;   /* what guest_next returned */
};

/* KEY, VALUE, ... */
#define CONFIG(...) make_config((const char *const[]){__VA_ARGS__, NULL})
struct network_config make_config(const char *const *pairs);

/* With NULL, the default network. SIGPIPE is ignored, the log dropped. */
void guest_init(struct guest *g, const struct network_config *config);
void guest_fini(struct guest *g);
/* One turn of the loop, which waits; and `count` turns that do not. */
void guest_turn(struct guest *g);
void guest_turns(struct guest *g, unsigned count);

void guest_send(struct guest *g, const void *frame, size_t size);
void guest_send_buffer(struct guest *g, const struct buffer *frame);
/* A request for `target`; an echo to the gateway, with `size` bytes. */
void guest_send_arp(struct guest *g, uint32_t target);
void guest_send_echo(struct guest *g, uint16_t number, size_t size);
/* The next frame of that type; ARP requests are answered on the way. Good until the next call. */
const struct buffer *guest_next(struct guest *g, uint16_t type);
/* The next IPv4 packet with that protocol. */
const struct buffer *guest_next_ip(struct guest *g, uint8_t protocol);

/* ---- frames: appended to an empty buffer ---- */

void make_arp(struct buffer *frame, uint16_t operation, uint32_t target);
/* From the guest's address; lengths and checksums are right. */
void make_ip(struct buffer *frame, uint8_t protocol, uint32_t to, const void *payload, size_t size);
void make_echo(struct buffer *frame, uint32_t to, uint16_t number, size_t size);
void make_udp(struct buffer *frame, uint16_t from_port, uint32_t to, uint16_t port,
              const void *data, size_t size);
/* Set the checksums of an IPv4 frame again, as far as it is one. */
void fix_checksums(struct buffer *frame);
void fix_header_checksum(struct buffer *frame); /* of IPv4, whatever else is wrong */

uint16_t get16(const struct buffer *frame, size_t offset);
uint32_t get32(const struct buffer *frame, size_t offset);

/* ---- TCP ---- */

struct tcp {
    struct guest *guest;
    uint32_t peer;
    uint16_t port, peer_port;
    uint32_t seq, ack;
    bool ended; /* the peer's FIN or RST has come */
};

struct segment {
    uint8_t flags;
    uint32_t seq;
    const uint8_t *data; /* good until the next frame is taken */
    size_t size;
};

void make_tcp(struct buffer *frame, const struct tcp *t, uint8_t flags, const void *data,
              size_t size);
void tcp_send(struct tcp *t, uint8_t flags, const void *data, size_t size);
/* The next segment for the connection's ports; moves t->ack on. */
struct segment tcp_next(struct tcp *t);
void tcp_connect(struct tcp *t, struct guest *g, uint32_t peer, uint16_t peer_port);
/* Wait for a SYN to `port`, answer it. */
void tcp_accept(struct tcp *t, struct guest *g, uint16_t port);
/* Read exactly that, acknowledging. */
void tcp_expect(struct tcp *t, const void *bytes, size_t size);
void tcp_expect_end(struct tcp *t);

/* ---- the host ---- */

/* A socket bound to a free port of 127.0.0.1; TCP listens. */
int host_bind(int type, uint16_t *port);
int host_connect(int type, uint16_t port);
int host_accept(struct guest *g, int listener);
/* Read exactly that. */
void host_expect(struct guest *g, int fd, const void *bytes, size_t size);

#endif
