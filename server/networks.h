/* All networks of the guest: those of CHANNEL_NET0 onwards. */
#ifndef SERVER_NETWORKS_H
#define SERVER_NETWORKS_H

#include "server/movement.h"
#include "server/network.h"

enum { NETWORKS = CHANNELS - CHANNEL_NET0 };

struct networks {
    struct networks_link {
        struct networks *all;
        struct network *network;
    } link[NETWORKS];
    unsigned count;
    bool paused;
    struct movement *movement;
};

/* False: one of them cannot be had; those that are open are to be closed. `count` configurations,
 * at most NETWORKS. */
bool networks_open(struct networks *n, uv_loop_t *loop, const struct network_config *config,
                   unsigned count, struct error *err);
/* Packets go to the movement's timeline. Paused at first. */
void networks_start(struct networks *n, struct movement *movement);
/* While the machine is not live nothing passes. Cheap when nothing changes. */
void networks_pause(struct networks *n, bool pause);
/* Offer what waits; true if some was taken. */
bool networks_offer(struct networks *n);
/* A frame the guest sent; dropped when the channel has no network. */
void networks_output(struct networks *n, unsigned channel, const uint8_t *frame, size_t size);
/* False: there are not so many. */
bool networks_counters(const struct networks *n, unsigned index, struct network_counters *counters);
/* The loop has to run until all handles are closed, then networks_free. */
void networks_close(struct networks *n);
void networks_free(struct networks *n);

#endif
