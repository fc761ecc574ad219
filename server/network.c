#include "server/network.h"

#include "base/check.h"
#include "base/log.h"
#include "server/slirp_stack.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NS_PER_SECOND INT64_C(1000000000)

struct packet {
    uint8_t *bytes;
    size_t size;
};

struct network {
    struct network_config config;
    struct network_options options;
    struct network_counters counters;
    struct slirp_stack *stack; /* NULL: closed */
    bool started;              /* and not closed */
    bool paused;
    int64_t paused_at; /* host time in ns, while paused */
    int64_t paused_ns; /* in all pauses before */

    struct packet queue[NETWORK_QUEUE_PACKETS]; /* a ring */
    size_t first, count;
    size_t queued_bytes;

    uv_poll_t poll; /* of the stack's descriptor */
    bool readable;  /* it is, in this turn */
    bool stirred;   /* the guest sent something since the stack went on */
    uv_prepare_t prepare;
    uv_check_t check;
    uv_timer_t timer; /* the stack's next deadline */
};

/* ---- the clock ---- */

static int64_t host_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * NS_PER_SECOND + now.tv_nsec;
}

/* Stands still while the machine does, so that no connection ages. */
static int64_t clock_ns(void *ctx)
{
    const struct network *n = ctx;
    return (n->paused ? n->paused_at : host_ns()) - n->paused_ns;
}

/* ---- packets for the guest ---- */

static void queue_packet(void *ctx, const uint8_t *bytes, size_t size)
{
    struct network *n = ctx;
    if (n->count == NETWORK_QUEUE_PACKETS || size > NETWORK_QUEUE_BYTES - n->queued_bytes) {
        n->counters.dropped++;
        return;
    }
    struct packet *packet = &n->queue[(n->first + n->count) % NETWORK_QUEUE_PACKETS];
    packet->bytes = mem_new(size, 1);
    packet->size = size;
    memcpy(packet->bytes, bytes, size);
    n->count++;
    n->queued_bytes += size;
}

static void pop(struct network *n)
{
    struct packet *packet = &n->queue[n->first];
    n->first = (n->first + 1) % NETWORK_QUEUE_PACKETS;
    n->count--;
    n->queued_bytes -= packet->size;
    free(packet->bytes);
    packet->bytes = NULL;
}

bool network_offer(struct network *n)
{
    uint64_t before = n->counters.in;
    while (n->count && n->started && !n->paused) {
        const struct packet *packet = &n->queue[n->first];
        if (!n->options.deliver(n->options.ctx, packet->bytes, packet->size))
            break;
        n->counters.in++;
        pop(n);
    }
    return n->counters.in != before;
}

static void drop_queue(struct network *n)
{
    while (n->count)
        pop(n);
}

static void offer_and_wake(struct network *n)
{
    if (network_offer(n))
        n->options.arrived(n->options.ctx);
}

/* ---- the loop ---- */

static void on_timer(uv_timer_t *handle)
{
    (void)handle; /* it has ended the wait, and on_check does the work */
}

static void on_prepare(uv_prepare_t *handle)
{
    struct network *n = handle->data;
    offer_and_wake(n);
    if (!n->started || n->paused) /* by who was woken */
        return;
    uint64_t wait = slirp_stack_prepare(n->stack);
    if (n->stirred) /* an ARP reply, say, sends what waits for it only when the stack goes on */
        wait = 0;
    if (wait == UINT64_MAX)
        uv_timer_stop(&n->timer);
    else
        uv_timer_start(&n->timer, on_timer, wait, 0);
}

static void on_ready(uv_poll_t *handle, int status, int events)
{
    struct network *n = handle->data;
    (void)status;
    (void)events;
    n->readable = true;
}

static void on_check(uv_check_t *handle)
{
    struct network *n = handle->data;
    bool readable = n->readable;
    n->readable = n->stirred = false;
    slirp_stack_advance(n->stack, readable);
    offer_and_wake(n);
}

static void start_handles(struct network *n)
{
    uv_prepare_start(&n->prepare, on_prepare);
    uv_check_start(&n->check, on_check);
    int failure = uv_poll_start(&n->poll, UV_READABLE, on_ready);
    check(!failure, "epoll descriptor: %s", uv_strerror(failure));
}

static void stop_handles(struct network *n)
{
    uv_prepare_stop(&n->prepare);
    uv_check_stop(&n->check);
    uv_poll_stop(&n->poll);
    uv_timer_stop(&n->timer);
    n->readable = false;
}

/* ---- use ---- */

void network_output(struct network *n, const uint8_t *frame, size_t size)
{
    if (!n->stack)
        return;
    if (size < NETWORK_FRAME_LEAST || size > NETWORK_FRAME_MOST ||
        !slirp_stack_input(n->stack, frame, size)) {
        n->counters.refused++;
        return;
    }
    n->counters.out++;
    n->stirred = true;
}

void network_pause(struct network *n, bool pause)
{
    if (n->paused == pause)
        return;
    if (pause)
        n->paused_at = host_ns();
    else
        n->paused_ns += host_ns() - n->paused_at;
    n->paused = pause;
    if (n->started && pause)
        stop_handles(n);
    else if (n->started)
        start_handles(n);
}

struct network_counters network_counters(const struct network *n)
{
    return n->counters;
}

uint16_t network_hostfwd_port(const struct network *n, unsigned rule)
{
    return slirp_stack_port(n->stack, rule);
}

void network_start(struct network *n, const struct network_options *options)
{
    check(!n->started && n->stack, "a network starts once");
    n->options = *options;
    n->started = true;
    for (unsigned i = 0; i < n->config.hostfwds; i++)
        if (!n->config.hostfwd[i].host_port)
            log_line(LOG_INFO, "network: hostfwd %s listens on port %u", n->config.hostfwd[i].text,
                     slirp_stack_port(n->stack, i));
    if (!n->paused)
        start_handles(n);
}

/* ---- life ---- */

struct network *network_new(uv_loop_t *loop, const struct network_config *config, struct error *err)
{
    struct network *n = mem_new(1, sizeof *n);
    const struct slirp_stack_host host = {queue_packet, clock_ns, n};
    n->config = *config;
    if (network_config_complete(&n->config, err))
        n->stack = slirp_stack_new(&n->config, &host, err);
    if (!n->stack) {
        drop_queue(n);
        free(n);
        return NULL;
    }
    int failure = uv_poll_init(loop, &n->poll, slirp_stack_fd(n->stack));
    check(!failure, "epoll descriptor: %s", uv_strerror(failure));
    uv_prepare_init(loop, &n->prepare);
    uv_check_init(loop, &n->check);
    uv_timer_init(loop, &n->timer);
    n->poll.data = n->prepare.data = n->check.data = n->timer.data = n;
    return n;
}

void network_close(struct network *n)
{
    n->started = false;
    uv_close((uv_handle_t *)&n->poll, NULL);
    uv_close((uv_handle_t *)&n->prepare, NULL);
    uv_close((uv_handle_t *)&n->check, NULL);
    uv_close((uv_handle_t *)&n->timer, NULL);
    slirp_stack_free(n->stack);
    n->stack = NULL;
    drop_queue(n);
}

void network_free(struct network *n)
{
    free(n);
}
