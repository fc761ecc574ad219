#include "timeline/triggers.h"

#include "base/check.h"
#include "timeline/internal.h"

#include <stdlib.h>

/* ---- for who watches ---- */

void timeline_trigger_point(struct timeline *tl, uint64_t address)
{
    struct triggers *t = &tl->triggers;
    if (triggers_point(tl, address))
        return;
    t->point = mem_grow(t->point, t->points + 1, sizeof *t->point);
    t->point[t->points++] = address;
}

void timeline_trigger_watch(struct timeline *tl, unsigned watch)
{
    tl->triggers.watch = watch;
    if (tl->live && timeline_moving(tl)) /* perhaps inside a run, for the rest of it */
        tl->m->watch = watch;
}

void timeline_trigger_at(struct timeline *tl, uint64_t position)
{
    tl->triggers.at = position;
}

void timeline_trigger_by(struct timeline *tl, uint64_t vtime)
{
    tl->triggers.by = vtime;
}

void timeline_trigger(struct timeline *tl)
{
    tl->triggers.fired = TRIGGER_CALLED;
    machine_pause(tl->m);
}

/* ---- inside timeline/ ---- */

void triggers_init(struct timeline *tl)
{
    tl->triggers = (struct triggers){.at = POSITION_NONE, .by = CLOCK_NEVER};
}

void triggers_fini(struct timeline *tl)
{
    free(tl->triggers.point);
}

void triggers_begin(struct timeline *tl)
{
    tl->triggers.fired = TRIGGER_NONE;
}

bool triggers_point(const struct timeline *tl, uint64_t address)
{
    for (size_t i = 0; i < tl->triggers.points; i++)
        if (tl->triggers.point[i] == address)
            return true;
    return false;
}

/* Where a busy machine reaches that vtime. */
static uint64_t position_by(const struct timeline *tl, uint64_t vtime)
{
    uint64_t here = machine_position(tl->m), now = clock_vtime(&tl->m->clock);
    uint64_t step = UINT64_C(1) << tl->m->config.shift;
    return vtime > now ? here + (vtime - now - 1) / step + 1 : here;
}

uint64_t triggers_limit(const struct timeline *tl, uint64_t until)
{
    const struct triggers *t = &tl->triggers;
    if (t->at < until)
        until = t->at;
    if (t->by != CLOCK_NEVER && position_by(tl, t->by) < until)
        until = position_by(tl, t->by);
    return until;
}

uint64_t triggers_before_run(struct timeline *tl)
{
    tl->m->watch = tl->triggers.watch;
    tl->m->trap_loop.found = false;
    return tl->m->state.resets;
}

void triggers_after_run(struct timeline *tl, uint64_t resets)
{
    struct triggers *t = &tl->triggers;
    tl->m->watch = 0;
    if (tl->m->trap_loop.found)
        t->fired = TRIGGER_TRAP_LOOP;
    else if (tl->m->state.resets != resets && (t->watch & MACHINE_WATCH_RESETS))
        t->fired = TRIGGER_RESET;
}

enum trigger triggers_due(const struct timeline *tl)
{
    const struct triggers *t = &tl->triggers;
    if (t->fired != TRIGGER_NONE)
        return t->fired;
    bool late = machine_position(tl->m) >= t->at ||
                (t->by != CLOCK_NEVER && clock_vtime(&tl->m->clock) >= t->by);
    return late ? TRIGGER_LATE : TRIGGER_NONE;
}

bool triggers_due_idle(const struct timeline *tl)
{
    return tl->triggers.by != CLOCK_NEVER && machine_next_deadline(tl->m) == CLOCK_NEVER;
}
