/* Which checkpoints to keep: a pure function of positions, the present and where the user was. */
#ifndef CHECKPOINTS_RETENTION_H
#define CHECKPOINTS_RETENTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct retention_item {
    uint64_t position;
    bool pinned; /* never dropped: those in use, those the user named */
};

#define RETENTION_NONE SIZE_MAX

/* The index of the item whose loss hurts least (the first of equals), RETENTION_NONE when nothing
 * may go. `items` is in ascending order of position; the first is never dropped: history would
 * begin later. `focus` are positions that want density around them, in any order: the present, the
 * tip, recent stops. The loss of an item is the stretch that must be replayed without it, relative
 * to its distance from the nearest focus: so what is kept grows exponentially thinner with
 * distance. Without any focus it is the stretch itself. Cost: count x (focus_count + 1). */
size_t retention_victim(const struct retention_item *items, size_t count, const uint64_t *focus,
                        size_t focus_count);

#endif
