/* libslirp behind what a network needs of it: frames in and out, one descriptor to wait on, one
 * deadline. It knows no event loop; a turn of one is slirp_stack_prepare, a wait, and
 * slirp_stack_advance. */
#ifndef SERVER_SLIRP_STACK_H
#define SERVER_SLIRP_STACK_H

#include "base/error.h"
#include "server/network_config.h"

#include <stddef.h>

struct slirp_stack;

struct slirp_stack_host {
    /* A packet for the guest: it may come out of every call below. */
    void (*send)(void *ctx, const uint8_t *packet, size_t size);
    /* Nanoseconds, never running back. */
    int64_t (*clock_ns)(void *ctx);
    void *ctx;
};

/* `config` is complete. Listens on the ports of its rules; NULL on error. */
struct slirp_stack *slirp_stack_new(const struct network_config *config,
                                    const struct slirp_stack_host *host, struct error *err);
void slirp_stack_free(struct slirp_stack *stack);
/* The host's port of a hostfwd rule. */
uint16_t slirp_stack_port(const struct slirp_stack *stack, unsigned rule);
/* A frame of the guest, of 14 to INT_MAX bytes; false: dropped as a malformed IPv4 fragment. */
bool slirp_stack_input(struct slirp_stack *stack, const uint8_t *frame, size_t size);

/* Readable when the host has something for the stack. */
int slirp_stack_fd(const struct slirp_stack *stack);
/* Before a wait: brings the descriptor up to date. How many milliseconds to wait at most;
 * UINT64_MAX: for ever. */
uint64_t slirp_stack_prepare(struct slirp_stack *stack);
/* After it, in every turn, for only from here does libslirp learn the time. `readable`: the
 * descriptor was. */
void slirp_stack_advance(struct slirp_stack *stack, bool readable);

#endif
