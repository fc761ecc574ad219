/* Virtual time: position, idle time, deadlines.
 *
 *   vtime = (icount << shift) + idle          in nanoseconds
 *
 * A deadline is an absolute vtime and guest-visible state. A timer is the wiring that says whom to
 * call when its deadline has come; timers have no state of their own. */
#ifndef MACHINE_CLOCK_H
#define MACHINE_CLOCK_H

#include "base/fields.h"

#include <stdbool.h>
#include <stdint.h>

enum { CLOCK_TIMERS = 72 };

#define CLOCK_NEVER UINT64_MAX
/* The last vtime a deadline may have, 292 years: waiting for deadlines never makes vtime wrap. */
#define CLOCK_LAST ((uint64_t)INT64_MAX)

struct clock_state {
    uint64_t icount;                 /* steps the machine has made since power-on */
    uint64_t idle;                   /* nanoseconds spent waiting */
    uint64_t ticks_offset;           /* what the guest has added to its tick counter */
    uint64_t deadline[CLOCK_TIMERS]; /* vtime in ns, CLOCK_NEVER when not armed */
};

extern const struct fields clock_fields;

/* Called once when vtime reaches the deadline; the timer is disarmed before. May arm it again. */
typedef void clock_timer_fn(void *ctx, unsigned which);

struct clock {
    struct clock_state state;
    uint64_t next; /* the earliest deadline; derived */
    unsigned shift;
    bool *armed; /* set by clock_arm: a run under way has a new limit; NULL: nobody asks */
    unsigned timers;
    struct clock_timer {
        clock_timer_fn *expired;
        void *ctx;
        unsigned which;
    } timer[CLOCK_TIMERS];
};

void clock_init(struct clock *c, unsigned shift);

/* Wire a timer; the order of the calls is the order in which equal deadlines expire. */
unsigned clock_timer_add(struct clock *c, clock_timer_fn *expired, void *ctx, unsigned which);

static inline uint64_t clock_vtime(const struct clock *c)
{
    return (c->state.icount << c->shift) + c->state.idle;
}

/* Set timer `id` to expire at `vtime` (behind CLOCK_LAST: disarm). A deadline that is not in the
 * future expires at the end of the step that sets it. */
void clock_arm(struct clock *c, unsigned id, uint64_t vtime);

/* The first position at which the earliest deadline has come, UINT64_MAX when there is none. */
uint64_t clock_next_position(const struct clock *c);

/* Call every timer whose deadline is <= the present vtime: by deadline, then by order of wiring. */
void clock_expire(struct clock *c);

/* Let idle time pass until `vtime` (not before the present), expiring deadlines on the way, each at
 * its own time. */
void clock_idle_until(struct clock *c, uint64_t vtime);

/* Recompute what is derived after the state has been replaced. */
void clock_restored(struct clock *c);

#endif
