/* Z and z. The timeline keys its points by what they match; the client keys them by type too, so
 * that its Z0 and Z1 at one address are two of its points and one of the timeline's. */
#include "base/check.h"
#include "server/gdb_handlers.h"

/* More than anybody sets by hand; each is looked at for every packet and every hit. */
enum { POINTS_MOST = 4096 };

static unsigned kinds_of(enum rsp_point_type type)
{
    switch (type) {
    case RSP_POINT_WRITE:
        return HIT_WRITE;
    case RSP_POINT_READ:
        return HIT_READ;
    case RSP_POINT_ACCESS:
        return HIT_READ | HIT_WRITE;
    default:
        return HIT_EXECUTE;
    }
}

/* Of a breakpoint the protocol's length is a kind, which here matters to nobody. */
static struct gdb_point point_of(const struct rsp_request *r)
{
    bool range = kinds_of(r->point.type) != HIT_EXECUTE;
    return (struct gdb_point){r->point.type, r->point.address, range ? r->point.length : 0};
}

static bool same(const struct gdb_point *a, const struct gdb_point *b)
{
    return a->type == b->type && a->address == b->address && a->length == b->length;
}

static struct gdb_point *find(const struct gdb_points *points, const struct gdb_point *point)
{
    for (size_t i = 0; i < points->count; i++) {
        if (same(&points->item[i], point))
            return &points->item[i];
    }
    return NULL;
}

bool gdb_point_set(const struct gdb_points *points, enum rsp_point_type type, uint64_t address)
{
    const struct gdb_point point = {type, address, 0};
    return find(points, &point);
}

enum gdb_outcome gdb_insert_point(struct gdb_session *s, const struct rsp_request *r,
                                  struct buffer *reply)
{
    struct gdb_points *points = &s->points;
    const struct gdb_point point = point_of(r);
    unsigned kinds = kinds_of(point.type);
    if (kinds != HIT_EXECUTE && !point.length) {
        rsp_reply_error_text(reply, s->features, "a watched range has at least one byte");
        return GDB_REPLY;
    }
    if (!find(points, &point)) {
        if (points->count == POINTS_MOST) {
            struct error err;
            error_set(&err, ERROR_RANGE, "there are %d breakpoints already: delete some",
                      POINTS_MOST);
            return gdb_refuse(s, reply, &err);
        }
        if (points->count == points->capacity) {
            points->capacity = points->capacity ? 2 * points->capacity : 16;
            points->item = mem_grow(points->item, points->capacity, sizeof *points->item);
        }
        points->item[points->count++] = point;
        timeline_point_add(s->timeline, kinds, point.address, point.length);
    }
    rsp_reply_ok(reply);
    return GDB_REPLY;
}

/* Does another of the client's points stand for the same one of the timeline's? */
static bool still_wanted(const struct gdb_points *points, const struct gdb_point *point)
{
    for (size_t i = 0; i < points->count; i++) {
        const struct gdb_point *other = &points->item[i];
        if (kinds_of(other->type) == kinds_of(point->type) && other->address == point->address &&
            other->length == point->length)
            return true;
    }
    return false;
}

/* Removing what is not there is fine: gdb does so after it has lost track. */
enum gdb_outcome gdb_remove_point(struct gdb_session *s, const struct rsp_request *r,
                                  struct buffer *reply)
{
    struct gdb_points *points = &s->points;
    const struct gdb_point point = point_of(r);
    struct gdb_point *found = find(points, &point);
    if (found) {
        *found = points->item[--points->count];
        if (!still_wanted(points, &point))
            timeline_point_remove(s->timeline, kinds_of(point.type), point.address, point.length);
    }
    rsp_reply_ok(reply);
    return GDB_REPLY;
}

void gdb_points_clear(struct gdb_session *s)
{
    struct gdb_points *points = &s->points;
    while (points->count) {
        const struct gdb_point point = points->item[--points->count];
        if (!still_wanted(points, &point))
            timeline_point_remove(s->timeline, kinds_of(point.type), point.address, point.length);
    }
}
