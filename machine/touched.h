/* The set of 4 KiB virtual pages an interval fetched from, read and wrote: what a search may skip.
 * Filled by the TLB's fills and by every access that passes the TLB by, so a page in use is noted
 * once an interval. Attempts that fault are noted too. */
#ifndef MACHINE_TOUCHED_H
#define MACHINE_TOUCHED_H

#include <stddef.h>
#include <stdint.h>

/* Keys are (virtual page number << 2) | kind. */
enum touched_kind { TOUCHED_FETCH, TOUCHED_READ, TOUCHED_WRITE };

struct touched {
    uint64_t *slot; /* open addressing; key + 1, 0 is free */
    size_t capacity, count;
    uint64_t last; /* the key added last: spares most look-ups */
};

void touched_init(struct touched *t);
void touched_fini(struct touched *t);
void touched_clear(struct touched *t);
void touched_add_key(struct touched *t, uint64_t key);

static inline void touched_add(struct touched *t, uint64_t va, enum touched_kind kind)
{
    uint64_t key = (va >> 12) << 2 | (uint64_t)kind;
    if (key != t->last)
        touched_add_key(t, key);
}

/* The keys in ascending order; owned by the caller (free). NULL when empty. */
uint64_t *touched_sorted(const struct touched *t, size_t *count);

#endif
