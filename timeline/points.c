/* Points, and the one predicate of a hit that all directions use. */
#include "timeline/internal.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

static struct point *find(const struct point_set *set, unsigned kinds, uint64_t address,
                          uint64_t size)
{
    for (size_t i = 0; i < set->count; i++) {
        struct point *p = &set->point[i];
        if (p->kinds == kinds && p->address == address && p->size == size)
            return p;
    }
    return NULL;
}

static int compare_addresses(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Ranges are clipped so that they do not wrap. */
static struct watch_range watch_range(const struct point *p)
{
    uint64_t room = 0 - p->address;
    uint64_t size = room && p->size > room ? room : p->size;
    return (struct watch_range){p->address, size ? size : 1, p->kinds};
}

static void fill_armed(const struct point_set *set, const struct triggers *triggers,
                       struct points *armed)
{
    *armed = (struct points){
        .execute = mem_new(set->count + triggers->points, sizeof *armed->execute),
        .watch = mem_new(set->count, sizeof *armed->watch),
    };
    for (size_t i = 0; i < set->count; i++) {
        const struct point *p = &set->point[i];
        if (p->kinds == HIT_EXECUTE)
            armed->execute[armed->execute_count++] = p->address;
        else
            armed->watch[armed->watch_count++] = watch_range(p);
    }
    for (size_t i = 0; i < triggers->points; i++)
        armed->execute[armed->execute_count++] = triggers->point[i];
    qsort(armed->execute, armed->execute_count, sizeof *armed->execute, compare_addresses);
}

static void free_armed(struct points *armed)
{
    free(armed->execute);
    free(armed->watch);
}

void point_set_fini(struct point_set *set)
{
    free(set->point);
    free_armed(&set->armed);
}

void timeline_point_add(struct timeline *tl, unsigned kinds, uint64_t address, uint64_t size)
{
    struct point_set *set = &tl->points;
    if (find(set, kinds, address, size))
        return;
    if (set->count == set->capacity) {
        set->capacity = set->capacity ? 2 * set->capacity : 16;
        set->point = mem_grow(set->point, set->capacity, sizeof *set->point);
    }
    set->point[set->count++] = (struct point){kinds, address, size};
}

bool timeline_point_remove(struct timeline *tl, unsigned kinds, uint64_t address, uint64_t size)
{
    struct point *p = find(&tl->points, kinds, address, size);
    if (!p)
        return false;
    *p = tl->points.point[--tl->points.count];
    return true;
}

void timeline_points_clear(struct timeline *tl)
{
    tl->points.count = 0;
}

/* The watched range to report of those an access touches: one whose bytes it changes would be
 * best known after the step; so the first one added. */
static struct point touched_point(const struct timeline *tl, const struct hit *hit)
{
    for (size_t i = 0; i < tl->points.count; i++) {
        const struct point *p = &tl->points.point[i];
        if (p->kinds == HIT_EXECUTE || !(p->kinds & hit->kinds))
            continue;
        struct watch_range w = watch_range(p);
        if (hit->address - w.address < w.size || w.address - hit->address < hit->size)
            return *p;
    }
    return (struct point){hit->kinds, hit->address, hit->size};
}

static void note(struct timeline *tl, const struct hit *hit)
{
    tl->seen.any = true;
    tl->seen.hit = *hit;
}

static bool was_reported(const struct timeline *tl, const struct hit *hit)
{
    return tl->reported.step == hit->position && (tl->reported.kinds & hit->kinds);
}

/* The first hit after the start: a breakpoint where the movement begins is behind it, a watched
 * access there is not, unless it has been reported. */
static bool stop_forward(void *ctx, const struct hit *hit)
{
    struct timeline *tl = ctx;
    if (hit->kinds == HIT_EXECUTE ? hit->position == tl->op.start : was_reported(tl, hit))
        return false;
    note(tl, hit);
    return true;
}

/* The last hit before the start: hits come in the order of their stops, so the last one counts. */
static bool note_scan(void *ctx, const struct hit *hit)
{
    struct timeline *tl = ctx;
    if (hit->kinds == HIT_EXECUTE || !was_reported(tl, hit))
        note(tl, hit);
    return false;
}

/* Triggers are armed with what can be ended by one. */
static void arm(struct timeline *tl, hit_fn *hit)
{
    static const struct triggers none;
    struct points now;
    fill_armed(&tl->points, tl->live && hit == stop_forward ? &tl->triggers : &none, &now);
    now.hit = hit;
    now.ctx = tl;
    tl->seen.any = false;
    struct points old = tl->points.armed;
    tl->points.armed = now;
    machine_set_points(tl->m, &now);
    free_armed(&old);
}

void points_arm_forward(struct timeline *tl)
{
    arm(tl, stop_forward);
}

void points_arm_scan(struct timeline *tl)
{
    arm(tl, note_scan);
}

/* Breakpoints stay known to the engine, so that going back and forth between armed and not does
 * not make it decode again; the hook lets every hit pass. */
static bool pass(void *ctx, const struct hit *hit)
{
    (void)ctx;
    (void)hit;
    return false;
}

void points_disarm(struct timeline *tl)
{
    arm(tl, pass);
}

void points_describe(const struct timeline *tl, struct stop *stop)
{
    const struct hit *hit = &tl->seen.hit;
    stop->hart = hit->hart;
    if (hit->kinds == HIT_EXECUTE) {
        bool known = find(&tl->points, HIT_EXECUTE, hit->address, 0);
        bool trigger = tl->live && triggers_point(tl, hit->address);
        stop->trigger = trigger ? TRIGGER_POINT : TRIGGER_NONE;
        stop->reason = known || stop->trigger == TRIGGER_NONE ? STOP_BREAK : STOP_TRIGGER;
        stop->address = hit->address;
        return;
    }
    struct point p = touched_point(tl, hit);
    stop->reason = STOP_WATCH;
    stop->kinds = p.kinds;
    stop->address = hit->address > p.address ? hit->address : p.address;
}

/* A step may have several hits: a semihosting call reads and writes. */
struct reported points_reported(const struct timeline *tl)
{
    struct reported report = {tl->seen.hit.position, tl->seen.hit.kinds};
    if (tl->reported.step == report.step)
        report.kinds |= tl->reported.kinds;
    return report;
}
