/* The machine's own run, which nobody in particular has begun: when it is to run, and what its
 * stops mean for the program. It makes way for whoever wants to move or to look, and goes on
 * afterwards (movement_yield). */
#ifndef SERVER_FREE_RUN_H
#define SERVER_FREE_RUN_H

#include "server/movement.h"

struct free_run_options {
    struct movement *movement;
    bool no_shutdown; /* a machine that halts is kept */
    bool rests;       /* it runs only when it is ordered to */
    bool plays;       /* with rests: but first to the tip, see server.h */
    bool gdb;         /* there is a port for gdb, which may be told of */
    bool attended;    /* there is that or a control socket: a stop does not end the program */
    bool (*debugged)(void *ctx);  /* gdb is connected */
    bool (*prevented)(void *ctx); /* it cannot run at present */
    void (*quit)(void *ctx, int status);
    void *ctx;
};

struct free_run {
    struct free_run_options options;
    struct timeline *timeline;
    uint64_t crashed_at; /* where the machine stopped for a crash trigger; POSITION_NONE */
    bool runs;           /* the machine is to run when nobody moves it */
    /* A control client has said so (cont): also from the past, or while gdb is connected and has
     * stopped it. Until the next stop, or gdb's next request. */
    bool ordered;
    bool held; /* a control client has stopped it: gdb's leaving does not let it run */
};

void free_run_init(struct free_run *r, const struct free_run_options *options);
/* The program begins to serve. */
void free_run_start(struct free_run *r, bool paused);
/* Run, if it is to and nobody moves. */
void free_run_try(struct free_run *r);
/* Would it, if nobody moved? */
bool free_run_is_to(const struct free_run *r);
/* A control client's cont, and stop (which does not end what is under way). */
void free_run_order(struct free_run *r);
void free_run_hold(struct free_run *r);
/* gdb wants the machine at rest. */
void free_run_yield_to_gdb(struct free_run *r);
/* gdb has gone: run on, if there is no reason against it; a line says what that is. */
void free_run_resume(struct free_run *r);

#endif
