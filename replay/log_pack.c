/* Events as bytes, for files: docs/recording-format.md, "Events". */
#include "replay/log.h"

#include "base/pack.h"
#include "machine/clock.h"

#include <inttypes.h>

/* How far a stamp is ahead of another. What came from a file in stretches may go back between them:
 * it is not packed again so. */
static uint64_t ahead(uint64_t from, uint64_t to)
{
    return to > from ? to - from : 0;
}

uint64_t log_pack(const struct log *log, uint64_t first, uint64_t end, size_t most,
                  struct buffer *out)
{
    size_t start = out->size;
    uint64_t position = 0, vtime = 0;
    for (uint64_t i = first; i < end; i++) {
        struct event e = log_get(log, i);
        if (!e.kind)
            return i;
        size_t before = out->size;
        pack_varint(out, ahead(position, e.position));
        pack_varint(out, ahead(vtime, e.vtime));
        pack_varint(out, e.kind);
        pack_varint(out, e.target);
        pack_varint(out, e.size);
        if (i > first && out->size - start + e.size > most) {
            out->size = before;
            return i;
        }
        buffer_append(out, e.data, e.size);
        position = e.position;
        vtime += ahead(vtime, e.vtime);
    }
    return end;
}

/* Add a difference to a stamp; false: there is no such stamp. */
static bool advance(uint64_t *stamp, uint64_t difference)
{
    if (difference > CLOCK_LAST - *stamp)
        return false;
    *stamp += difference;
    return true;
}

/* The event behind *event, which holds its stamps; NULL, or what is wrong with it. */
static const char *unpack_event(struct unpack *u, struct event *event)
{
    uint64_t position = unpack_varint(u), vtime = unpack_varint(u), kind = unpack_varint(u),
             target = unpack_varint(u), size = unpack_varint(u);
    if (u->failed)
        return "is cut off";
    if (!advance(&event->position, position) || !advance(&event->vtime, vtime))
        return "has an impossible position or time";
    if (kind < EVENT_INPUT || kind > EVENT_LAST)
        return "is of no known kind";
    if (target > UINT16_MAX || size > SPILL_PIECE)
        return "has an impossible target or size";
    event->kind = (uint16_t)kind;
    event->target = (uint16_t)target;
    event->size = (uint32_t)size;
    event->data = unpack_bytes(u, size);
    return event->data ? NULL : "is cut off";
}

bool log_unpack(const uint8_t *bytes, size_t size, uint64_t count,
                bool (*each)(void *ctx, const struct event *event), void *ctx, struct error *err)
{
    struct unpack u = {.at = bytes, .left = size};
    struct event event = {0};
    for (uint64_t i = 0; i < count; i++) {
        const char *wrong = unpack_event(&u, &event);
        if (wrong)
            return error_set(err, ERROR_FORMAT, "packed event %" PRIu64 " of %" PRIu64 " %s", i,
                             count, wrong);
        if (!each(ctx, &event))
            return false;
    }
    if (u.left)
        return error_set(err, ERROR_FORMAT, "%zu bytes behind %" PRIu64 " packed events", u.left,
                         count);
    return true;
}
