#include "guests/demo/ring.h"

static unsigned used(const struct ring *ring)
{
    return (ring->head + RING_SLOTS - ring->tail) % RING_SLOTS;
}

bool ring_put(struct ring *ring, const uint64_t *words, unsigned count)
{
    /* One slot stays free: head == tail is the empty ring. */
    if (used(ring) + count >= RING_SLOTS) {
        ring->dropped++;
        return false;
    }
    unsigned head = ring->head;
    for (unsigned i = 0; i < count; i++)
        ring->slot[head + i] = words[i];
    ring->head = (head + count) % RING_SLOTS;
    return true;
}

bool ring_get(struct ring *ring, uint64_t *word)
{
    unsigned tail = ring->tail;
    if (tail == ring->head)
        return false;
    *word = ring->slot[tail];
    ring->tail = (tail + 1) % RING_SLOTS;
    return true;
}
