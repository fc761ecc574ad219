/* All lines between the guest's channels of bytes and the host. */
#ifndef SERVER_LINES_H
#define SERVER_LINES_H

#include "server/serial.h"
#include "server/server.h"

struct lines {
    struct serial *line[SERVER_LINES];
    unsigned count;
};

/* False: one of them cannot be had, or two want the same; those that are open are to be closed. */
bool lines_open(struct lines *lines, uv_loop_t *loop, const struct server_options *options,
                struct error *err);
void lines_start(struct lines *lines, const struct serial_options *options);

/* The line that is on stdio, NULL: none. */
const struct serial *lines_stdio(const struct lines *lines);
bool lines_await_peer(const struct lines *lines);

/* As those of one line, serial.h. */
bool lines_offer(struct lines *lines);
void lines_flush(struct lines *lines);
bool lines_behind(const struct lines *lines);
void lines_turn(struct lines *lines);
void lines_stop(struct lines *lines);
void lines_close(struct lines *lines);
void lines_abort(struct lines *lines);
void lines_free(struct lines *lines);
/* What the guest sends on a channel; dropped when that has no line. Semihosting shares serial0's.
 */
void lines_output(struct lines *lines, unsigned channel, const uint8_t *bytes, size_t size);

#endif
