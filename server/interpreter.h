/* Commands typed by people: gdb's `monitor`, the prompt of a console, one day a control socket.
 * main gives the server one interpreter; what commands exist is not the server's business. */
#ifndef SERVER_INTERPRETER_H
#define SERVER_INTERPRETER_H

#include "base/buffer.h"

#include <stdbool.h>

struct interpreter {
    /* Run one line and append its output, errors included, to `out`. A command may begin a timeline
     * operation (it is only called while nothing moves); the caller then waits for its stop and
     * appends where it ended. NULL: there are no commands. */
    void (*run)(void *ctx, const char *line, struct buffer *out);
    void *ctx;
    /* Would this line begin a timeline operation? NULL: any may. */
    bool (*moves)(void *ctx, const char *line);
};

#endif
