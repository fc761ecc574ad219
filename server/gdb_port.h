/* Where gdb connects: one session at a time, everybody else is refused with a reason. */
#ifndef SERVER_GDB_PORT_H
#define SERVER_GDB_PORT_H

#include "server/gdb_session.h"

struct gdb_port;

struct gdb_port_options {
    struct movement *movement;
    struct interpreter interpreter;
    /* A session begins, or has a request, which it answers when movement is free. */
    void (*wants)(void *ctx);
    void (*ended)(void *ctx); /* it is over; another one can begin */
    void *ctx;
};

/* Listens at once, so that an address that cannot be had is known early; accepts when the loop
 * runs, after gdb_port_start. With ADDRESS_STDIO the one session begins at gdb_port_start. */
struct gdb_port *gdb_port_new(uv_loop_t *loop, const struct address *address, struct error *err);
bool gdb_port_start(struct gdb_port *port, const struct gdb_port_options *options,
                    struct error *err);
/* With the port that was chosen. */
const struct address *gdb_port_address(const struct gdb_port *port);
bool gdb_port_connected(const struct gdb_port *port);
/* Movement has become free. */
void gdb_port_turn(struct gdb_port *port);
/* Close everything; `ended` is not called any more. The loop has to run until its handles are
 * closed, then gdb_port_free. */
void gdb_port_close(struct gdb_port *port);
void gdb_port_free(struct gdb_port *port);

#endif
