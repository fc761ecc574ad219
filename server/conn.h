/* A buffered, non-blocking byte stream of the event loop.
 *
 * What arrives is appended to conn_input and stays until the owner consumes it. What is sent waits
 * in memory until the peer takes it: the owner watches conn_backlog, and over CONN_BACKLOG_MOST the
 * connection ends by itself. Closing is a state: the owner hears of it once, at the end of the
 * loop's turn, and the connection is freed after that call. */
#ifndef SERVER_CONN_H
#define SERVER_CONN_H

#include "base/buffer.h"
#include "base/error.h"
#include "server/address.h"

#include <uv.h>

#define CONN_BACKLOG_MOST ((size_t)16 << 20)

struct conn;

struct conn_ops {
    void (*received)(void *ctx); /* there is more in conn_input */
    void (*drained)(void *ctx);  /* the backlog is empty again; may be NULL */
    /* The last call. NULL: the peer ended it. */
    void (*closed)(void *ctx, const char *reason);
};

/* Owns `fd`, a connected socket; nothing is read before conn_start. */
struct conn *conn_new(uv_loop_t *loop, enum address_kind kind, int fd);
/* The next connection of a listener, NULL when it is gone already. */
struct conn *conn_accept(uv_stream_t *listener, enum address_kind kind);
/* The program's stdin and stdout, which have to be pipes, sockets or a terminal. */
struct conn *conn_new_stdio(uv_loop_t *loop, struct error *err);

/* stdin alone, for reading; a file is none of these. */
struct conn *conn_new_stdin(uv_loop_t *loop, struct error *err);

void conn_start(struct conn *conn, const struct conn_ops *ops, void *ctx);
/* Who hears of it from now on; what has arrived stays. */
void conn_set_owner(struct conn *conn, const struct conn_ops *ops, void *ctx);

struct buffer *conn_input(struct conn *conn);
/* Stop or go on reading: the way to slow a peer down. While stopped, its end is not noticed. */
void conn_read(struct conn *conn, bool on);

/* Queue bytes; they leave at conn_flush at the latest. Dropped when the connection is closing. */
void conn_send(struct conn *conn, const void *bytes, size_t size);
void conn_flush(struct conn *conn);
/* Bytes sent that the peer has not taken. */
size_t conn_backlog(const struct conn *conn);

/* Close once the backlog has left, or at once. `reason` is kept for the owner; NULL: none. A second
 * call changes nothing, except that conn_abort does not wait for the backlog of a conn_close. */
void conn_close(struct conn *conn, const char *reason);
void conn_abort(struct conn *conn, const char *reason);
bool conn_closing(const struct conn *conn);

#endif
