/* What stands behind one of the guest's serial lines or consoles on the host: stdio, a pseudo
 * terminal, a file, a socket, nothing.
 *
 * Input waits here until the guest has room for it, and no more than a little is read ahead, so the
 * peer waits too; no byte is lost. Output is gathered during a slice and written at its end.
 *
 * stdio in a terminal, and mon:stdio wherever it comes from, has keys that are not the guest's: C-a
 * x quits, C-a c leads to a prompt for commands and back (console.h). */
#ifndef SERVER_SERIAL_H
#define SERVER_SERIAL_H

#include "base/error.h"
#include "server/interpreter.h"
#include "server/movement.h"

#include <uv.h>

struct serial;

struct serial_options {
    struct movement *movement;
    struct interpreter interpreter;
    void (*arrived)(void *ctx); /* input was given to the guest: wake it */
    /* A peer that was waited for is there, or a command is over: the machine may run. */
    void (*ready)(void *ctx);
    void (*quit)(void *ctx); /* the user typed C-a x */
    void *ctx;
};

/* How a channel is called: "serial0", "console0". */
const char *serial_name(unsigned channel);

/* `where`: null (none), stdio, mon:stdio, pty, file:PATH, unix:PATH or tcp:HOST:PORT with QEMU's
 * ,server[=on],wait[=on|off]; without `server` it connects, at once; or fd:N, an inherited socket.
 * NULL on error. */
struct serial *serial_new(uv_loop_t *loop, unsigned channel, const char *where, struct error *err);
/* Begin to read; a terminal goes into raw mode. Says on stderr where the others can connect. */
void serial_start(struct serial *serial, const struct serial_options *options);
unsigned serial_channel(const struct serial *serial);
bool serial_uses_stdio(const struct serial *serial);
/* It is a server whose first peer is waited for: the machine is not to run yet. As in QEMU any
 * server without wait=off is. */
bool serial_awaits_peer(const struct serial *serial);

/* Offer what waits to the guest; true if there was something. Cheap when nothing waits. */
bool serial_offer(struct serial *serial);
void serial_output(struct serial *serial, const uint8_t *bytes, size_t size);
/* Write what is gathered, without waiting. What the reader of stdout does not take is kept; a peer
 * that does not read loses output. */
void serial_flush(struct serial *serial);
/* So much is kept that the guest should wait. */
bool serial_behind(const struct serial *serial);
/* Movement has become free, or another's. */
void serial_turn(struct serial *serial);

/* Take no more input. */
void serial_stop(struct serial *serial);
/* Undo raw mode, close. A peer is still sent what it has not read, until serial_abort. The loop has
 * to run until all handles are closed, then serial_free. */
void serial_close(struct serial *serial);
void serial_abort(struct serial *serial);
void serial_free(struct serial *serial);

#endif
