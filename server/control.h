/* What all control sessions share: the state of the machine as QMP tells it, events, jobs.
 *
 * A run that is nobody's (the server's free run, which `cont` begins and `stop` ends) makes way for
 * a command that needs the machine at rest, and goes on afterwards. A movement that a session has
 * begun itself is its own until it stops; when it has ended elsewhere than it began, or in the
 * past, the machine stays there until `cont`. */
#ifndef SERVER_CONTROL_H
#define SERVER_CONTROL_H

#include "server/conn.h"
#include "server/interpreter.h"
#include "server/movement.h"

struct control;

enum { CONTROL_SESSIONS = 32, CONTROL_JOBS = 64 };

struct control_options {
    uv_loop_t *loop;
    struct movement *movement;
    struct interpreter interpreter;
    const char *name;     /* the machine's; NULL: none */
    const char *replayed; /* the recording it was opened from; NULL: a live run */
    const char *gdb;      /* where gdb can connect, for people; NULL: nowhere */
    /* The machine is to run when nobody moves it, and runs now if that is so. */
    void (*run)(void *ctx);
    /* Is it to run, as soon as nobody moves it? */
    bool (*runs)(void *ctx);
    /* It is not to run of its own accord; what is under way is not ended. */
    void (*pause)(void *ctx);
    void (*quit)(void *ctx);
    void *ctx;
};

struct control *control_new(const struct control_options *options);
/* A client has connected: the connection is the control's. */
void control_accept(struct control *control, struct conn *conn, bool pretty);
/* Sessions, past and present. */
uint64_t control_accepted(const struct control *control);

/* ---- movement's watchers ---- */

void control_began(struct control *control);
/* Before the mover is told. */
void control_stopped(struct control *control, const struct stop *stop);
/* Between slices: cheap. */
void control_slice(struct control *control);
/* Movement has become free: sessions and jobs that wait have their turn. */
void control_turn(struct control *control);
/* Who was to move next has begun to, or nobody does: then it is told. */
void control_settle(struct control *control);

/* ---- the end ---- */

/* The program is going to end, or the guest has ended: an event, said once. QEMU's reasons:
 * "host-signal", "host-ui", "host-qmp-quit", "guest-shutdown", "guest-reset", "guest-panic". */
void control_shutdown(struct control *control, bool guest, const char *reason);
/* Close all sessions once they have been sent what they are owed; or at once. The loop has to run
 * until the connections are closed, and movement be free, then control_free. */
void control_close(struct control *control);
void control_abort(struct control *control);
void control_free(struct control *control);

#endif
