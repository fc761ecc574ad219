/* Commands typed by people: gdb's `monitor`, the prompt of a console, one day a control socket.
 * main gives the server one interpreter; what commands exist is not the server's business. */
#ifndef SERVER_INTERPRETER_H
#define SERVER_INTERPRETER_H

#include "base/buffer.h"
#include "timeline/timeline.h"

#include <stdbool.h>

struct json_t;

struct interpreter {
    /* Run one line and append its output, errors included, to `out`. A command may begin a timeline
     * operation (it is only called while nothing moves); the caller then waits for its stop and
     * calls interpreter_finish. NULL: there are no commands. */
    void (*run)(void *ctx, const char *line, struct buffer *out);
    void *ctx;
    /* Would this line begin a timeline operation? NULL: any may. */
    bool (*moves)(void *ctx, const char *line);
    /* The operation that `run` or `json` has begun is over. It may begin the next one (then it is
     * not over: false), or append what it has to say. NULL: where it stopped is all. */
    bool (*finish)(void *ctx, const struct stop *stop, struct buffer *out);
    /* A position as people write it (N, start, end, N%, +N, a bookmark); inside history. NULL:
     * there are numbers only. */
    bool (*position)(void *ctx, const char *text, uint64_t *position, struct error *err);
    /* The rows of the command table that answer in JSON: `arguments` an object or NULL. Returns a
     * new reference; NULL and *err: it failed, ERROR_UNSUPPORTED: there is no such command. It may
     * begin an operation: then it returns NULL without an error, and json_finish has the answer. */
    struct json_t *(*json)(void *ctx, const char *command, const struct json_t *arguments,
                           struct error *err);
    /* NULL without an error: it has begun another operation. */
    struct json_t *(*json_finish)(void *ctx, const struct stop *stop, struct error *err);
    /* Names of those, for query-commands; NULL behind the last. */
    const char *(*json_name)(void *ctx, size_t index);
};

/* The operation that a line has begun is over: append what the command says to it, or where it
 * stopped. False: it goes on with another one. */
bool interpreter_finish(const struct interpreter *interpreter, const struct stop *stop,
                        struct buffer *out);

#endif
