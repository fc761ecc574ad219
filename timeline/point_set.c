/* The set of points: who has set what. */
#include "timeline/internal.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

static bool same_key(const struct timeline_point *a, const struct timeline_point *b)
{
    return a->owner == b->owner && a->kinds == b->kinds && a->address == b->address &&
           a->size == b->size && a->in_space == b->in_space &&
           (!a->in_space || a->space == b->space);
}

static struct timeline_point *find(const struct point_set *set, const struct timeline_point *key)
{
    for (size_t i = 0; i < set->count; i++)
        if (same_key(&set->point[i], key))
            return &set->point[i];
    return NULL;
}

static void release(struct timeline_point *p)
{
    if (p->condition.free)
        p->condition.free(p->condition.ctx);
    if (p->action.free)
        p->action.free(p->action.ctx);
}

void timeline_point_set(struct timeline *tl, const struct timeline_point *point)
{
    struct point_set *set = &tl->points;
    unsigned kinds = point->kinds;
    check(kinds == HIT_EXECUTE || kinds == (HIT_WRITE | HIT_PHYSICAL) ||
              (kinds && !(kinds & ~(unsigned)(HIT_READ | HIT_WRITE))),
          "a point of kinds %u", kinds);
    struct timeline_point *old = find(set, point);
    if (old) {
        unsigned number = old->number;
        release(old);
        *old = *point;
        old->number = number;
    } else {
        if (set->count == set->capacity) {
            set->capacity = set->capacity ? 2 * set->capacity : 16;
            set->point = mem_grow(set->point, set->capacity, sizeof *set->point);
        }
        set->point[set->count] = *point;
        set->point[set->count++].number = ++set->numbers;
    }
    points_rearm(tl);
}

bool timeline_point_unset(struct timeline *tl, const struct timeline_point *key)
{
    struct point_set *set = &tl->points;
    struct timeline_point *p = find(set, key);
    if (!p)
        return false;
    release(p);
    size_t behind = set->count - (size_t)(p - set->point) - 1;
    memmove(p, p + 1, behind * sizeof *p);
    set->count--;
    points_rearm(tl);
    return true;
}

void timeline_points_clear_of(struct timeline *tl, enum point_owner owner)
{
    struct point_set *set = &tl->points;
    size_t kept = 0;
    for (size_t i = 0; i < set->count; i++) {
        if (set->point[i].owner == owner)
            release(&set->point[i]);
        else
            set->point[kept++] = set->point[i];
    }
    set->count = kept;
    points_rearm(tl);
}

const struct timeline_point *timeline_point_get(const struct timeline *tl, size_t index)
{
    return index < tl->points.count ? &tl->points.point[index] : NULL;
}

void timeline_points_clear(struct timeline *tl)
{
    for (unsigned owner = 0; owner < POINT_OWNERS; owner++)
        timeline_points_clear_of(tl, (enum point_owner)owner);
}

static struct timeline_point plain(unsigned kinds, uint64_t address, uint64_t size)
{
    return (struct timeline_point){
        .owner = OWNER_GDB, .kinds = kinds, .address = address, .size = size};
}

void timeline_point_add(struct timeline *tl, unsigned kinds, uint64_t address, uint64_t size)
{
    const struct timeline_point p = plain(kinds, address, size);
    timeline_point_set(tl, &p);
}

bool timeline_point_remove(struct timeline *tl, unsigned kinds, uint64_t address, uint64_t size)
{
    const struct timeline_point p = plain(kinds, address, size);
    return timeline_point_unset(tl, &p);
}

void point_set_fini(struct point_set *set)
{
    for (size_t i = 0; i < set->count; i++)
        release(&set->point[i]);
    free(set->point);
    free(set->of_execute);
    points_free(&set->armed);
}
