/* A pointer chase over 16 MiB: one node a cache line, in one cycle of scattered order. */
#include "guests/bench/bench.h"

enum { NODE_BITS = 18, NODES = 1 << NODE_BITS, HOPS = NODES };

struct node {
    struct node *next;
    uint8_t rest[56];
};

static struct node node[NODES] __attribute__((section(".noinit"), aligned(4096)));

/* A bijection that spreads the generator's weak low bits: neighbours in the order share neither
 * page nor set. */
static uint32_t scatter(uint32_t x)
{
    return x ^ x >> 9;
}

/* The generator has full period modulo 2^18: odd increment, multiplier 1 modulo 4. */
static void build(void)
{
    uint32_t x = 0;
    for (unsigned i = 0; i < NODES; i++) {
        uint32_t following = (x * 166125 + 74513) % NODES;
        node[scatter(x)].next = &node[scatter(following)];
        x = following;
    }
}

int main(void)
{
    build();
    const struct node *at = node;
    for (;;) {
        for (unsigned i = 0; i < HOPS; i++)
            at = at->next;
        keep((uintptr_t)at);
        tick();
    }
}
