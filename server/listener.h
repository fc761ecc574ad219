/* A listening socket of the event loop. */
#ifndef SERVER_LISTENER_H
#define SERVER_LISTENER_H

#include "server/address.h"
#include "server/conn.h"

struct listener;

/* The connection is the callee's to start or close. */
typedef void listener_fn(void *ctx, struct conn *conn);

/* NULL on error. */
struct listener *listener_new(uv_loop_t *loop, const struct address *address, listener_fn *accepted,
                              void *ctx, struct error *err);
/* With the port that was chosen. */
const struct address *listener_address(const struct listener *listener);
/* Removes the path of a Unix socket, if it still is this one. Freed at the end of the loop's turn.
 */
void listener_close(struct listener *listener);

#endif
