/* One gdb (or lldb) on one connection: requests in, exactly one reply each.
 *
 * The session stops nothing and starts nothing by itself: it begins to answer when movement is
 * free. What it may do to the timeline outside of the client's requests is to end its own resume
 * and to take its points away when the connection ends. The timeline outlives it. */
#ifndef SERVER_GDB_SESSION_H
#define SERVER_GDB_SESSION_H

#include "server/conn.h"
#include "server/interpreter.h"
#include "server/movement.h"

struct gdb_session;

struct gdb_session_options {
    struct conn *conn; /* the session's from here on; what it has received is looked at first */
    struct movement *movement;
    struct interpreter interpreter;
    /* There is a request, and something moves that is not the session's. NULL: it waits. */
    void (*wants)(void *ctx);
    /* The connection is gone, nothing of the session's is under way, its points are removed; it is
     * freed after the call. `reason`: NULL when the client left. */
    void (*ended)(void *ctx, const char *reason);
    void *ctx;
};

struct gdb_session *gdb_session_new(uv_loop_t *loop, const struct gdb_session_options *options);
/* Look at what has arrived; called when movement has become free. */
void gdb_session_turn(struct gdb_session *session);
/* Its connection is gone or going: `ended` is to come. */
bool gdb_session_ending(const struct gdb_session *session);
/* End it now. `ended` is called later, once the loop has turned. */
void gdb_session_close(struct gdb_session *session, const char *reason);

#endif
