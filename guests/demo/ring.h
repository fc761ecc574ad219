/* A queue of records between one producer in interrupt context and one consumer outside. A record
 * is one or more words; the words of a record follow each other around the ring. */
#ifndef DEMO_RING_H
#define DEMO_RING_H

#include <stdbool.h>
#include <stdint.h>

enum { RING_SLOTS = 64 };

struct ring {
    volatile uint32_t head; /* slot of the next word to put, the producer's */
    volatile uint32_t tail; /* slot of the next word to get, the consumer's */
    uint32_t dropped;       /* records */
    uint64_t slot[RING_SLOTS];
};

/* False, and the record is counted as dropped, when there is no room for all of it. */
bool ring_put(struct ring *ring, const uint64_t *words, unsigned count);
/* False when the ring is empty. */
bool ring_get(struct ring *ring, uint64_t *word);

#endif
