/* Who moves the timeline, and the slices in which it is done.
 *
 * A client (a gdb session, a control session, the prompt of a console, the server's own free run)
 * begins an operation with one of timeline.h's functions and says so here; it then owns movement
 * until its `stopped` is called. Others may look and interrupt. If they want to move they ask
 * movement_free first, and movement_yield before they say "busy": the free run makes way. The loop
 * polls while the machine runs, waits on a timer while it idles, and has nothing to do with it when
 * it is stopped. */
#ifndef SERVER_MOVEMENT_H
#define SERVER_MOVEMENT_H

#include "base/error.h"
#include "timeline/timeline.h"

#include <uv.h>

struct mover {
    /* The operation is over. It may begin the next one at once. */
    void (*stopped)(void *ctx, const struct stop *stop);
    void *ctx;
    /* Who it is, as others are told ("gdb is running"); NULL: nobody in particular, who makes way.
     */
    const char *who;
};

struct movement_watcher {
    bool (*offer_input)(void *ctx);  /* now or never before the next slice; true: some was taken */
    bool (*flush_output)(void *ctx); /* false: so much is not taken that the guest should wait */
    void (*began)(void *ctx);
    void (*stopped)(void *ctx, struct stop *stop); /* before its mover is told */
    void (*freed)(void *ctx);                      /* nobody moves any more */
    void *ctx;
};

struct movement {
    struct timeline *timeline;
    uv_idle_t slices;
    uv_timer_t deadline; /* of an idle machine */
    struct mover owner;  /* stopped is NULL: nobody moves */
    bool interrupted;    /* the operation under way is to end, whatever holds it up */
    struct movement_watcher watcher;
    /* A live run goes no further than this (--stop-at); UINT64_MAX: no limit. */
    uint64_t stop_at;
    /* A forward resume stops here, once, whoever's it is (replay-break); POSITION_NONE: nowhere. */
    uint64_t break_at;
    bool held_to_break; /* the operation under way */
    bool broke;         /* the one that has just stopped, did so there: STOP_INTERRUPT */
    /* How often a movement has ended elsewhere than it began, or a control client has written: for
     * who has to know whether what he has seen still holds. */
    uint64_t changes;
    uint64_t began_at;  /* position */
    uint64_t movements; /* begun so far */
};

void movement_init(struct movement *m, uv_loop_t *loop, struct timeline *timeline,
                   const struct movement_watcher *watcher);
/* The handles close at the end of the loop's turn; the memory has to live until then. */
void movement_close(struct movement *m);

bool movement_free(const struct movement *m);
/* `owner` has just begun an operation; movement was free. */
void movement_began(struct movement *m, const struct mover *owner);
/* The same for an operation that goes on with what the last one was for, called by its `stopped`:
 * an interrupt that came too late for that one ends this one. */
void movement_goes_on(struct movement *m, const struct mover *owner);
/* timeline_continue, held to break_at, and to stop_at when live; to be followed by movement_began.
 */
void movement_continue(struct movement *m);
/* End what is under way within about a slice; nothing when movement is free. */
void movement_interrupt(struct movement *m);
/* Somebody wants the machine at rest: a free run is ended within about a slice. False: what is
 * under way is somebody's own, which is to be left alone. */
bool movement_yield(struct movement *m);
/* Movement is not free, and not to be had: "busy: gdb is running". Returns false. */
bool movement_busy(const struct movement *m, struct error *err);
/* There may be input for a machine that waits. */
void movement_wake(struct movement *m);

#endif
