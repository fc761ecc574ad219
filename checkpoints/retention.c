#include "checkpoints/retention.h"

/* Why stretch / distance.
 *
 * Whoever stands at a focus and goes back by d is content to wait in proportion to d. Without item
 * i, everything from it to the next item is replayed from the previous one: up to next - previous
 * steps. Dropping the item with the smallest (next - previous) / distance keeps that ratio as level
 * as it can be, and the level arrangement is a geometric series of distances: n items over a
 * history of T steps keep every stretch below about 2 ln(T) / n of its distance, whatever T is. A
 * ratio that was level stays so while the focus moves on, for all distances grow.
 *
 * Integers throughout: the choice decides what a reverse search replays, and must not depend on the
 * host's floating point. */

static uint64_t nearest(uint64_t position, const uint64_t *focus, size_t count)
{
    uint64_t least = UINT64_MAX;
    for (size_t i = 0; i < count; i++) {
        uint64_t d = focus[i] > position ? focus[i] - position : position - focus[i];
        if (d < least)
            least = d;
    }
    return least;
}

static uint64_t highest(uint64_t position, const uint64_t *focus, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (focus[i] > position)
            position = focus[i];
    return position;
}

struct loss {
    uint64_t stretch, distance; /* steps; distance at least 1 */
};

static bool less(struct loss a, struct loss b)
{
    return (unsigned __int128)a.stretch * b.distance < (unsigned __int128)b.stretch * a.distance;
}

size_t retention_victim(const struct retention_item *items, size_t count, const uint64_t *focus,
                        size_t focus_count)
{
    size_t victim = RETENTION_NONE;
    struct loss least = {0, 1};
    for (size_t i = 1; i < count; i++) {
        if (items[i].pinned)
            continue;
        uint64_t next =
            i + 1 < count ? items[i + 1].position : highest(items[i].position, focus, focus_count);
        uint64_t distance = focus_count ? nearest(items[i].position, focus, focus_count) : 1;
        struct loss loss = {next - items[i - 1].position, distance ? distance : 1};
        if (victim != RETENTION_NONE && !less(loss, least))
            continue;
        victim = i;
        least = loss;
    }
    return victim;
}
