/* A prompt for commands in the terminal that is the guest's console too: C-a c leads there and
 * back.
 *
 * A line typed is run while nothing moves: a machine that runs freely is interrupted for it and
 * runs on afterwards. A movement of somebody's (gdb, a control client) is not interrupted: the
 * answer is "busy". While gdb is connected and has stopped the machine it may be moved. */
#ifndef SERVER_CONSOLE_H
#define SERVER_CONSOLE_H

#include "server/interpreter.h"
#include "server/movement.h"

struct console;

struct console_options {
    struct movement *movement;
    struct interpreter interpreter;
    void (*write)(void *ctx, const struct buffer *text);
    /* The command under way is over; not called for one that is over when console_key returns. */
    void (*ready)(void *ctx);
    void *ctx;
};

struct console *console_new(const struct console_options *options);
void console_free(struct console *console);

/* The prompt, with what has been typed of a line. */
void console_show(struct console *console);
/* A key typed at the prompt. Not while a command is under way. */
void console_key(struct console *console, uint8_t key);
/* A command is under way: what is typed now has to wait. */
bool console_busy(const struct console *console);
/* C-c while it is: end it. */
void console_interrupt(struct console *console);
/* Movement has become free, or another's. */
void console_turn(struct console *console);

#endif
