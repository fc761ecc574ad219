/* A pseudo terminal made for somebody to open: the host's end of a serial line.
 *
 * It has a peer while its slave side is open somewhere. Without one the kernel would report a
 * hangup for ever: then it is looked at now and again by a timer. */
#ifndef SERVER_PTY_H
#define SERVER_PTY_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

enum { PTY_NAME = 64 };

struct pty {
    int fd;              /* the master side, non-blocking */
    char name[PTY_NAME]; /* of the slave side */
    uv_poll_t readable;  /* active while there is a peer and something is wanted of it */
    uv_timer_t look;     /* while there is none */
    bool wanted;         /* pty_read */
    void (*received)(void *ctx, const uint8_t *bytes, size_t size);
    void *ctx;
};

/* The slave side is put in raw mode. Nothing is read before pty_start. */
bool pty_open(struct pty *pty, uv_loop_t *loop, struct error *err);
void pty_start(struct pty *pty, void (*received)(void *ctx, const uint8_t *bytes, size_t size),
               void *ctx);
/* Stop or go on reading. */
void pty_read(struct pty *pty, bool on);
/* Bytes written to one without a peer would wait for the next one. A system call. */
bool pty_has_peer(const struct pty *pty);
/* The handles close at the end of the loop's turn; the memory has to live until then. */
void pty_close(struct pty *pty);

#endif
