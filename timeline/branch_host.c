/* What the door answers a machine that sees no host. */
#include "timeline/branch_parts.h"

/* The clock as the recording had it last before the origin, and on from there by the guest's time.
 */
static void find_clock(struct timeline *tl, struct branch *b)
{
    enum { LOOKED_AT = 1 << 16 };
    b->clock_known = true;
    for (uint64_t i = b->origin_event, n = 0; i-- > log_first(tl->log) && n < LOOKED_AT; n++) {
        struct event e = log_get(tl->log, i);
        if (e.kind != EVENT_CLOCK || e.size != 8)
            continue;
        b->clock_ns = load_le64(e.data) - e.vtime;
        return;
    }
}

uint64_t branch_clock(struct timeline *tl)
{
    struct branch *b = tl->branches.now;
    if (!b->clock_known)
        find_clock(tl, b);
    return b->clock_ns + clock_vtime(&tl->m->clock);
}

/* splitmix64. */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

void branch_entropy(struct timeline *tl, uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(next_random(&tl->branches.now->entropy) >> 32);
}
