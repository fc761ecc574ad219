/* Points, and the one predicate of a hit that all directions use. */
#include "timeline/internal.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

/* Bytes of an access that are compared with memory; larger ones count as changes. */
enum { COMPARED_MOST = 64 };
enum { HIT_ACCESS = HIT_READ | HIT_WRITE };
/* In of_execute: of points_also. */
#define OF_ALSO (SIZE_MAX - 1)

/* ---- the predicate ---- */

/* Ranges are clipped so that they do not wrap. */
static struct watch_range watch_range(const struct timeline_point *p)
{
    uint64_t room = 0 - p->address;
    uint64_t size = room && p->size > room ? room : p->size;
    return (struct watch_range){p->address, size ? size : 1, p->kinds & HIT_ACCESS};
}

static bool touches(const struct timeline_point *p, const struct hit *hit)
{
    struct watch_range w = watch_range(p);
    return (p->kinds & hit->kinds & HIT_ACCESS) && !((p->kinds ^ hit->kinds) & HIT_PHYSICAL) &&
           (hit->address - w.address < w.size || w.address - hit->address < hit->size);
}

static uint64_t first_touched(const struct timeline_point *p, const struct hit *hit)
{
    return hit->address - p->address < watch_range(p).size ? hit->address : p->address;
}

/* The bytes of RAM that a store will find. False: a device's, where a write has its effect whatever
 * was there. */
static bool read_ram(const struct timeline *tl, const struct hit *hit, uint64_t address,
                     uint8_t *bytes, uint64_t size)
{
    const struct cpu *cpu = tl->m->cpu[hit->hart];
    for (uint64_t done = 0, n; done < size; done += n) {
        uint64_t pa = address + done, room = RAM_PAGE_SIZE - (pa & (RAM_PAGE_SIZE - 1));
        n = size - done < room ? size - done : room;
        if (!(hit->kinds & HIT_PHYSICAL) &&
            !cpu->ops->translate(cpu, address + done, CPU_WRITE, &pa))
            return false;
        if (!ram_contains(&tl->m->ram, pa, n))
            return false;
        memcpy(bytes + done, ram_at(&tl->m->ram, pa), n);
    }
    return true;
}

bool point_changes(const struct timeline *tl, const struct timeline_point *p, const struct hit *hit)
{
    uint8_t now[COMPARED_MOST];
    struct watch_range w = watch_range(p);
    uint64_t first = first_touched(p, hit);
    uint64_t in_hit = hit->size - (first - hit->address), in_range = w.size - (first - w.address);
    uint64_t size = in_hit < in_range ? in_hit : in_range;
    if (!(hit->kinds & HIT_WRITE))
        return false;
    if (!hit->after || size > sizeof now)
        return true;
    return !read_ram(tl, hit, first, now, size) ||
           memcmp(now, hit->after + (first - hit->address), size) != 0;
}

static bool in_space(const struct timeline *tl, const struct timeline_point *p,
                     const struct hit *hit)
{
    const struct cpu *cpu = tl->m->cpu[hit->hart];
    return !p->in_space || !cpu->ops->address_space || cpu->ops->address_space(cpu) == p->space;
}

/* The cheap ones first. */
bool point_matches(const struct timeline *tl, const struct timeline_point *p, const struct hit *hit)
{
    if (p->kinds == HIT_EXECUTE ? hit->kinds != HIT_EXECUTE || hit->address != p->address
                                : !touches(p, hit))
        return false;
    if (!in_space(tl, p, hit))
        return false;
    bool reads = p->kinds & hit->kinds & HIT_READ;
    if (p->changes && p->kinds != HIT_EXECUTE && !reads && !point_changes(tl, p, hit))
        return false;
    return !p->condition.holds || p->condition.holds(p->condition.ctx, tl, hit);
}

/* ---- what a hit is for ---- */

/* The stop is gdb's if it is gdb's too, and of a range whose value changes rather than of another;
 * else the first added counts. */
static unsigned worth(const struct timeline *tl, const struct timeline_point *p,
                      const struct hit *hit)
{
    unsigned changes = p->kinds != HIT_EXECUTE && point_changes(tl, p, hit);
    return 1 + changes + 2 * (p->owner == OWNER_GDB);
}

/* Let point `index` have its say; returns what it is worth as the one to report, 0: nothing. */
static unsigned ask(struct timeline *tl, size_t index, const struct hit *hit, bool stops,
                    struct seen *seen, unsigned best)
{
    const struct timeline_point *p = &tl->points.point[index];
    if ((!p->action.run && !stops) || !point_matches(tl, p, hit))
        return 0;
    if (p->action.run) {
        prints_run(tl, index, hit);
        return 0;
    }
    seen->owners |= 1u << p->owner;
    unsigned w = worth(tl, p, hit);
    if (w > best) {
        seen->kinds = p->kinds;
        seen->address = p->kinds == HIT_EXECUTE ? hit->address : first_touched(p, hit);
    }
    return w;
}

/* Those of the armed breakpoints at the address; true: one is a trigger. */
static bool ask_breakpoints(struct timeline *tl, const struct hit *hit, bool stops,
                            struct seen *seen)
{
    const struct point_set *set = &tl->points;
    size_t low = 0, high = set->armed.execute_count;
    bool trigger = false;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (set->armed.execute[middle] < hit->address)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < set->armed.execute_count && set->armed.execute[low] == hit->address; low++) {
        if (set->of_execute[low] == SIZE_MAX)
            trigger = true;
        else if (set->of_execute[low] != OF_ALSO)
            ask(tl, set->of_execute[low], hit, stops, seen, 0);
    }
    return trigger && stops;
}

/* Run the actions of a hit; is there also something to stop for? `stops`: that is asked. */
static bool look(struct timeline *tl, const struct hit *hit, bool stops, struct seen *seen)
{
    struct asked *asked = &tl->points.asked;
    bool execute = hit->kinds == HIT_EXECUTE;
    /* The engine looks for breakpoints when it finds code, and again when it runs it. */
    if (execute && asked->position == hit->position && asked->address == hit->address)
        return false;
    *seen = (struct seen){.any = true, .hit = *hit, .address = hit->address};
    seen->hit.after = NULL;
    if (execute)
        *asked = (struct asked){hit->position, hit->address};
    if (execute)
        return ask_breakpoints(tl, hit, stops, seen) || seen->owners;
    unsigned best = 0;
    for (size_t i = 0; i < tl->points.count; i++) {
        unsigned worth_of_it = ask(tl, i, hit, stops, seen, best);
        if (worth_of_it > best)
            best = worth_of_it;
    }
    return seen->owners;
}

/* Where a movement back stops at the hit: before the instruction, or right behind the access. */
static uint64_t stop_position(const struct hit *hit)
{
    return hit->kinds == HIT_EXECUTE ? hit->position : hit->position + 1;
}

static bool was_reported(const struct timeline *tl, const struct hit *hit)
{
    if (hit->behind)
        return tl->reported.behind == hit->position + 1;
    return tl->reported.step == hit->position && (tl->reported.kinds & hit->kinds & HIT_ACCESS);
}

/* The first hit after the start: a breakpoint where the movement begins is behind it, a watched
 * access there is not, unless it has been reported. */
static bool stop_forward(void *ctx, const struct hit *hit)
{
    struct timeline *tl = ctx;
    struct seen seen;
    if (!timeline_moving(tl))
        return false;
    bool execute = hit->kinds == HIT_EXECUTE;
    if (execute && hit->position == tl->op.start && !tl->pc_written)
        return false;
    bool behind_us = !execute && was_reported(tl, hit);
    if (!look(tl, hit, !behind_us, &seen))
        return false;
    /* What has been written behind is to be reported now; but in a replay's idle time it belongs to
     * this step, before which there is another stop. */
    bool earlier =
        tl->seen.any && tl->seen.hit.behind && (tl->live || hit->position != tl->seen.hit.position);
    if (!earlier)
        tl->seen = seen;
    return true;
}

void points_arrive(struct timeline *tl)
{
    const struct machine *m = tl->m;
    const struct cpu *cpu = m->cpu[m->state.running];
    const struct hit hit = {.kinds = HIT_EXECUTE,
                            .hart = m->state.running,
                            .position = machine_position(m),
                            .address = cpu->ops->pc(cpu)};
    if (hit.position == tl->op.start || m->state.halt || !cpu->ops->runnable(cpu))
        return;
    for (size_t i = 0; i < tl->points.count; i++)
        if (tl->points.point[i].action.run && point_matches(tl, &tl->points.point[i], &hit))
            prints_run(tl, i, &hit);
}

/* The last hit before the start: they come in the order of their steps, mostly that of their stops.
 */
static bool note_scan(void *ctx, const struct hit *hit)
{
    struct timeline *tl = ctx;
    struct seen seen;
    bool behind_us = hit->kinds != HIT_EXECUTE && was_reported(tl, hit);
    if (!timeline_moving(tl) || !look(tl, hit, !behind_us, &seen))
        return false;
    uint64_t stop = stop_position(hit);
    if (stop <= tl->op.start && (!tl->seen.any || stop >= stop_position(&tl->seen.hit)))
        tl->seen = seen;
    return false;
}

/* ---- arming ---- */

struct armed_address {
    uint64_t address;
    size_t index;
};

static int compare_addresses(const void *a, const void *b)
{
    const struct armed_address *x = a, *y = b;
    if (x->address != y->address)
        return x->address > y->address ? 1 : -1;
    return (x->index > y->index) - (x->index < y->index);
}

/* The addresses sorted; `of_execute` (NULL: nobody asks) gets whose they are. */
static void fill_addresses(struct armed_address *list, size_t count, struct points *armed,
                           size_t *of_execute)
{
    qsort(list, count, sizeof *list, compare_addresses);
    armed->execute_count = count;
    for (size_t i = 0; i < count; i++) {
        armed->execute[i] = list[i].address;
        if (of_execute)
            of_execute[i] = list[i].index;
    }
}

static void fill_armed(const struct timeline_point *point, size_t count,
                       const struct triggers *triggers, const struct points_also *also,
                       struct points *armed, size_t *of_execute)
{
    size_t most = count + triggers->points + also->count, addresses = 0;
    struct armed_address *list = mem_new(most, sizeof *list);
    *armed = (struct points){
        .execute = mem_new(most, sizeof *armed->execute),
        .watch = mem_new(count, sizeof *armed->watch),
        .physical = mem_new(count, sizeof *armed->physical),
    };
    for (size_t i = 0; i < count; i++) {
        const struct timeline_point *p = &point[i];
        if (p->kinds == HIT_EXECUTE)
            list[addresses++] = (struct armed_address){p->address, i};
        else if (p->kinds & HIT_PHYSICAL)
            armed->physical[armed->physical_count++] = watch_range(p);
        else
            armed->watch[armed->watch_count++] = watch_range(p);
    }
    for (size_t i = 0; i < triggers->points; i++)
        list[addresses++] = (struct armed_address){triggers->point[i], SIZE_MAX};
    for (size_t i = 0; i < also->count; i++)
        list[addresses++] = (struct armed_address){also->execute[i], OF_ALSO};
    fill_addresses(list, addresses, armed, of_execute);
    free(list);
}

void points_free(struct points *armed)
{
    free(armed->execute);
    free(armed->watch);
    free(armed->physical);
}

static void arm_these(struct timeline *tl, const struct points *now)
{
    struct points old = tl->points.armed;
    tl->points.armed = *now;
    machine_set_points(tl->m, now);
    points_free(&old);
}

static const struct triggers no_triggers;

/* Whoever else looks sees each hit first. What a debugger writes between movements is nobody's. */
static bool see_also(void *ctx, const struct hit *hit)
{
    struct timeline *tl = ctx;
    const struct point_set *set = &tl->points;
    bool stop = timeline_moving(tl) && set->also.see(set->also.ctx, hit);
    return (!(hit->kinds & HIT_TRAP) && set->hit(ctx, hit)) || stop;
}

/* Triggers are armed with what can be ended by one. */
static void arm_set(struct timeline *tl, hit_fn *hit)
{
    const struct triggers *triggers =
        tl->live && hit == stop_forward ? &tl->triggers : &no_triggers;
    struct point_set *set = &tl->points;
    struct points now;
    set->asked = (struct asked){POSITION_NONE, 0};
    free(set->of_execute);
    set->of_execute =
        mem_new(set->count + triggers->points + set->also.count, sizeof *set->of_execute);
    fill_armed(set->point, set->count, triggers, &set->also, &now, set->of_execute);
    set->hit = hit;
    now.traps = set->also.traps;
    now.hit = set->also.see ? see_also : hit;
    now.ctx = tl;
    arm_these(tl, &now);
}

static const struct points_also nothing_else;

static void arm(struct timeline *tl, hit_fn *hit, const struct points_also *also)
{
    tl->seen.any = false;
    tl->points.also = *also;
    arm_set(tl, hit);
}

void points_arm_forward(struct timeline *tl)
{
    points_arm_forward_also(tl, &nothing_else);
}

void points_arm_forward_also(struct timeline *tl, const struct points_also *also)
{
    prints_clear(&tl->prints);
    arm(tl, stop_forward, also);
}

void points_arm_scan(struct timeline *tl)
{
    points_arm_scan_also(tl, &nothing_else);
}

void points_arm_scan_also(struct timeline *tl, const struct points_also *also)
{
    prints_clear(&tl->prints);
    arm(tl, note_scan, also);
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
    arm(tl, pass, &nothing_else);
}

void points_arm_other(struct timeline *tl, const struct timeline_point *point, size_t count,
                      bool traps, hit_fn *hit, void *ctx)
{
    struct points now;
    fill_armed(point, count, &no_triggers, &nothing_else, &now, NULL);
    now.traps = traps;
    now.hit = hit;
    now.ctx = ctx;
    tl->seen.any = false;
    arm_these(tl, &now);
}

void points_rearm(struct timeline *tl)
{
    hit_fn *now = tl->points.armed.hit, *hit = tl->points.hit;
    if (timeline_moving(tl) && (now == hit || now == see_also) &&
        (hit == stop_forward || hit == note_scan)) {
        prints_clear(&tl->prints);
        arm_set(tl, hit);
    }
}

bool points_any_watch_or_action(const struct timeline *tl)
{
    for (size_t i = 0; i < tl->points.count; i++)
        if (tl->points.point[i].kinds != HIT_EXECUTE || tl->points.point[i].action.run)
            return true;
    return false;
}

/* ---- stops ---- */

void points_describe(const struct timeline *tl, struct stop *stop)
{
    const struct seen *seen = &tl->seen;
    const struct hit *hit = &seen->hit;
    stop->hart = hit->hart;
    stop->owners = seen->owners;
    stop->address = seen->address;
    if (hit->kinds == HIT_EXECUTE) {
        bool trigger = tl->live && triggers_point(tl, hit->address);
        stop->trigger = trigger ? TRIGGER_POINT : TRIGGER_NONE;
        stop->reason = seen->owners || !trigger ? STOP_BREAK : STOP_TRIGGER;
        return;
    }
    stop->reason = STOP_WATCH;
    stop->kinds = seen->kinds;
    stop->size = hit->size - (seen->address - hit->address);
    stop->writer = hit->writer;
    stop->device = hit->device;
}

/* A step may have several hits: a semihosting call reads and writes. */
struct reported points_reported(const struct timeline *tl, uint64_t position)
{
    const struct reported *old = &tl->reported;
    const struct hit *hit = &tl->seen.hit;
    struct reported now = {hit->position, hit->kinds, POSITION_NONE};
    if (hit->behind) {
        now = (struct reported){POSITION_NONE, 0, position};
        if (old->step == position || old->step + 1 == position) {
            now.step = old->step;
            now.kinds = old->kinds;
        }
        return now;
    }
    if (old->step == now.step)
        now.kinds |= old->kinds;
    if (old->behind == position)
        now.behind = position;
    return now;
}
