/* What ends a live movement beside what it was begun for: triggers of who watches a run for a
 * crash. Such a stop is STOP_TRIGGER; stop.trigger names the trigger, also where the movement ended
 * in the same step for a reason of its own. Triggers are neither history nor state and change
 * nothing that the guest does; movements in the past are never ended by one. They stay until they
 * are changed. */
#ifndef TIMELINE_TRIGGERS_H
#define TIMELINE_TRIGGERS_H

#include "timeline/timeline.h"

/* An instruction attempt at the address, by any hart: stops before it, as a breakpoint does, but
 * for the first one of a movement that begins there. Points that clients add and remove are others;
 * where there is one too, the stop is its STOP_BREAK. */
void timeline_trigger_point(struct timeline *tl, uint64_t address);
/* enum machine_watch: right behind the step. Of a trap loop timeline_machine(tl)->trap_loop says
 * more. */
void timeline_trigger_watch(struct timeline *tl, unsigned watch);
/* From this position on; POSITION_NONE: none. Movements then end at once, until it is changed. */
void timeline_trigger_at(struct timeline *tl, uint64_t position);
/* From this vtime on, or as soon as nothing but input can wake the machine; CLOCK_NEVER: none. */
void timeline_trigger_by(struct timeline *tl, uint64_t vtime);
/* For who is told by timeline_listen: right behind the step that is being made. */
void timeline_trigger(struct timeline *tl);

/* ---- inside timeline/ ---- */

struct triggers {
    uint64_t *point;
    size_t points;
    unsigned watch;
    uint64_t at, by;
    enum trigger fired; /* since the operation began */
};

void triggers_init(struct timeline *tl);
void triggers_fini(struct timeline *tl);
void triggers_begin(struct timeline *tl);
bool triggers_point(const struct timeline *tl, uint64_t address);
/* How far a live run may go, at most to `until`. */
uint64_t triggers_limit(const struct timeline *tl, uint64_t until);
/* Around a live run of the machine. */
uint64_t triggers_before_run(struct timeline *tl);
void triggers_after_run(struct timeline *tl, uint64_t before);
/* Live: is the movement to end here? */
enum trigger triggers_due(const struct timeline *tl);
/* Live, and all harts wait. */
bool triggers_due_idle(const struct timeline *tl);

#endif
