/* Where control clients come from: a listening socket and any number of clients, a connection that
 * was made or inherited. */
#ifndef SERVER_CONTROL_PORT_H
#define SERVER_CONTROL_PORT_H

#include "server/control.h"
#include "server/server.h"

struct control_port;

/* Listens, or connects, at once, so that what cannot be had is known early; clients are served when
 * the loop runs, after control_port_start. NULL on error. */
struct control_port *control_port_new(uv_loop_t *loop, const struct server_control *options,
                                      struct error *err);
/* `ready`: a client that was waited for is there. */
void control_port_start(struct control_port *port, struct control *control,
                        void (*ready)(void *ctx), void *ctx);
/* Where clients connect, with the port that was chosen; NULL: they do not. */
const struct address *control_port_address(const struct control_port *port);
/* The machine is not to run before the first client is there. */
bool control_port_awaits_peer(const struct control_port *port);
/* No further clients. The loop has to run until the handles are closed, then control_port_free. */
void control_port_close(struct control_port *port);
void control_port_free(struct control_port *port);

#endif
