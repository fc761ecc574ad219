/* The network of a guest, as its user's programs have it: ethernet frames on one side, the host's
 * sockets on the other, libslirp between. No privileges, no interface on the host.
 *
 * Packets for the guest wait in a bounded queue and reach it through `deliver` only: from
 * network_offer, and from the event loop's turn, never while network_output runs. libslirp writes
 * to sockets whose peer is gone: SIGPIPE has to be ignored.
 *
 * Cost in a turn of the loop: no system call but what the traffic itself needs. A loop that waits
 * is woken by the host's packets and by libslirp's timers: every second, or 200 ms with
 * connections. */
#ifndef SERVER_NETWORK_H
#define SERVER_NETWORK_H

#include "base/error.h"
#include "server/network_config.h"

#include <stddef.h>
#include <uv.h>

struct network;

enum {
    NETWORK_FRAME_LEAST = 14, /* an ethernet header */
    NETWORK_FRAME_MOST = 65550,
    NETWORK_QUEUE_PACKETS = 512,
    NETWORK_QUEUE_BYTES = 1 << 20
};

struct network_options {
    /* Give the guest a packet; false: it has no buffer now. */
    bool (*deliver)(void *ctx, const uint8_t *packet, size_t size);
    /* Packets were given in the loop's turn: wake an idle guest. */
    void (*arrived)(void *ctx);
    void *ctx;
};

struct network_counters {
    uint64_t in;      /* packets given to the guest */
    uint64_t out;     /* frames taken from the guest */
    uint64_t dropped; /* packets for the guest that the queue had no room for */
    uint64_t refused; /* frames of the guest: impossible sizes, malformed fragments */
};

/* Makes the network and listens on the ports of its hostfwd rules. NULL on error. */
struct network *network_new(uv_loop_t *loop, const struct network_config *config,
                            struct error *err);
/* Begin to read the host, unless paused. */
void network_start(struct network *network, const struct network_options *options);
/* The host's port of a hostfwd rule, in the order in which they were set. Until network_close. */
uint16_t network_hostfwd_port(const struct network *network, unsigned rule);

/* A frame that the guest sent, without FCS. The answers wait in the queue. */
void network_output(struct network *network, const uint8_t *frame, size_t size);
/* Offer what waits to the guest, in order; true if it took some. Cheap when nothing waits, nothing
 * while paused. */
bool network_offer(struct network *network);
/* While the machine is not live: nothing is read from the host, nothing given to the guest, and
 * libslirp's clock stands still, so that no connection ages. */
void network_pause(struct network *network, bool pause);
struct network_counters network_counters(const struct network *network);

/* Ends all connections. The loop has to run until all handles are closed, then network_free. */
void network_close(struct network *network);
void network_free(struct network *network);

#endif
