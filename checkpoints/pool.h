/* Objects of one size, carved from slabs that the host gives and takes back whole.
 *
 * A slab of memory is touched when it is made, so that handing out an object never faults; a full
 * slab of a file leaves memory. An object comes
 * from the slab that had one given back last: nearly full slabs fill up, nearly empty ones drain.
 * One pool belongs to one thread. */
#ifndef CHECKPOINTS_POOL_H
#define CHECKPOINTS_POOL_H

#include "base/spill.h"

#include <stddef.h>

enum { POOL_SLAB_SIZE = SPILL_PIECE };

struct pool_slab;

struct pool {
    size_t object_size; /* bytes, a multiple of 8; objects of a power of two are aligned to it */
    size_t used;        /* objects handed out */
    size_t slabs;       /* slabs held, `spare` included */
    struct pool_slab *partial; /* slabs with both used and free objects */
    struct pool_slab *spare;   /* one slab without any used object, or NULL */
    struct spill *spill;       /* where slabs come from; NULL: memory */
};

/* `spill` outlives the pool. */
void pool_init(struct pool *p, size_t object_size, struct spill *spill);
/* Every object has been given back before. */
void pool_fini(struct pool *p);
/* NULL only when a file has no room (spill_failure); the contents are undefined. Cost: constant but
 * for a new slab. */
void *pool_take(struct pool *p);
void pool_give(struct pool *p, void *object);

#endif
