/* Who moves the timeline, and the slices in which it is done.
 *
 * A client (a gdb session, the server's own free run, one day a REPL or a control socket) begins an
 * operation with one of timeline.h's functions and says so here; it then owns movement until its
 * `stopped` is called. Others may look and interrupt; if they want to move they are to ask
 * movement_free first. The loop polls while the machine runs, waits on a timer while it idles, and
 * has nothing to do with it when it is stopped. */
#ifndef SERVER_MOVEMENT_H
#define SERVER_MOVEMENT_H

#include "timeline/timeline.h"

#include <uv.h>

struct mover {
    /* The operation is over. It may begin the next one at once. */
    void (*stopped)(void *ctx, const struct stop *stop);
    void *ctx;
};

struct movement_watcher {
    bool (*offer_input)(void *ctx);  /* now or never before the next slice; true: some was taken */
    bool (*flush_output)(void *ctx); /* false: so much is not taken that the guest should wait */
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
};

void movement_init(struct movement *m, uv_loop_t *loop, struct timeline *timeline,
                   const struct movement_watcher *watcher);
/* The handles close at the end of the loop's turn; the memory has to live until then. */
void movement_close(struct movement *m);

bool movement_free(const struct movement *m);
/* `owner` has just begun an operation; movement was free. */
void movement_began(struct movement *m, const struct mover *owner);
/* timeline_continue, held to stop_at when live; to be followed by movement_began. */
void movement_continue(struct movement *m);
/* End what is under way within about a slice; nothing when movement is free. */
void movement_interrupt(struct movement *m);
/* There may be input for a machine that waits. */
void movement_wake(struct movement *m);

#endif
