#include "server/networks.h"

#include "base/check.h"

bool networks_open(struct networks *n, uv_loop_t *loop, const struct network_config *config,
                   unsigned count, struct error *err)
{
    check(count <= NETWORKS, "%u networks", count);
    n->paused = true;
    for (unsigned i = 0; i < count; i++) {
        n->link[i] = (struct networks_link){n, network_new(loop, &config[i], err)};
        if (!n->link[i].network)
            return false;
        n->count++;
    }
    return true;
}

static bool deliver(void *ctx, const uint8_t *packet, size_t size)
{
    struct networks_link *link = ctx;
    unsigned channel = CHANNEL_NET0 + (unsigned)(link - link->all->link);
    return timeline_packet(link->all->movement->timeline, channel, packet, size);
}

static void arrived(void *ctx)
{
    struct networks_link *link = ctx;
    movement_wake(link->all->movement);
}

void networks_start(struct networks *n, struct movement *movement)
{
    n->movement = movement;
    for (unsigned i = 0; i < n->count; i++) {
        const struct network_options options = {deliver, arrived, &n->link[i]};
        network_pause(n->link[i].network, true);
        network_start(n->link[i].network, &options);
    }
}

void networks_pause(struct networks *n, bool pause)
{
    if (n->paused == pause)
        return;
    n->paused = pause;
    for (unsigned i = 0; i < n->count; i++)
        network_pause(n->link[i].network, pause);
}

bool networks_offer(struct networks *n)
{
    bool taken = false;
    for (unsigned i = 0; i < n->count; i++)
        taken |= network_offer(n->link[i].network);
    return taken;
}

void networks_output(struct networks *n, unsigned channel, const uint8_t *frame, size_t size)
{
    unsigned index = channel - CHANNEL_NET0;
    if (index < n->count)
        network_output(n->link[index].network, frame, size);
}

bool networks_counters(const struct networks *n, unsigned index, struct network_counters *counters)
{
    if (index >= n->count)
        return false;
    *counters = network_counters(n->link[index].network);
    return true;
}

void networks_close(struct networks *n)
{
    for (unsigned i = 0; i < n->count; i++)
        network_close(n->link[i].network);
}

void networks_free(struct networks *n)
{
    for (unsigned i = 0; i < n->count; i++)
        network_free(n->link[i].network);
    n->count = 0;
}
