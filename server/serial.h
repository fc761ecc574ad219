/* What stands behind the guest's serial port on the host: stdio, a file, a socket, nothing.
 *
 * Input waits here until the guest has room for it, and no more than a little is read ahead, so the
 * peer waits too; no byte is lost. Output is gathered during a slice and written at its end. */
#ifndef SERVER_SERIAL_H
#define SERVER_SERIAL_H

#include "base/error.h"
#include "timeline/timeline.h"

#include <uv.h>

struct serial;

struct serial_options {
    struct timeline *timeline;
    void (*arrived)(void *ctx); /* input was given to the guest: wake it */
    void (*quit)(void *ctx);    /* the user typed C-a x */
    void *ctx;
};

/* `where`: null (none), stdio (mon:stdio), file:PATH, unix:PATH or tcp:HOST:PORT with QEMU's
 * ,server[=on],wait=off; without `server` it connects, at once. NULL on error. */
struct serial *serial_new(uv_loop_t *loop, const char *where, struct error *err);
/* Begin to read; a terminal goes into raw mode. */
void serial_start(struct serial *serial, const struct serial_options *options);
bool serial_uses_stdio(const struct serial *serial);

/* Offer what waits to the guest; true if it took some. Cheap when nothing waits. */
bool serial_offer(struct serial *serial);
void serial_output(struct serial *serial, const uint8_t *bytes, size_t size);
/* Write what is gathered, without waiting. What the reader of stdout does not take is kept; a
 * socket's peer that does not read loses output. */
void serial_flush(struct serial *serial);
/* So much is kept that the guest should wait. */
bool serial_behind(const struct serial *serial);

/* Undo raw mode, close. A peer is still sent what it has not read, until serial_abort. The loop has
 * to run until all handles are closed, then serial_free. */
void serial_close(struct serial *serial);
void serial_abort(struct serial *serial);
void serial_free(struct serial *serial);

#endif
