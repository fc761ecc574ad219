/* What is typed where the guest's console and the prompt for commands share one terminal. */
#ifndef SERVER_KEYS_H
#define SERVER_KEYS_H

#include "server/console.h"
#include "server/terminal.h"

struct keys_ops {
    void (*write)(void *ctx, const struct buffer *text);
    void (*quit)(void *ctx); /* C-a x */
};

/* All zero: not started. */
struct keys {
    const struct keys_ops *ops;
    void *ctx;
    struct terminal terminal;
    struct console *console;
    bool at_prompt;      /* what is typed is for the console, not for the guest */
    bool over;           /* nothing more is looked at */
    struct buffer typed; /* arrived, not yet looked at */
};

/* The console becomes the keys'. */
void keys_start(struct keys *keys, const struct keys_ops *ops, void *ctx, struct console *console);
void keys_fini(struct keys *keys);
/* Look at what is typed, in order, until something has to wait: for a command that is under way, or
 * because the guest has `most` bytes waiting in `guest`. True: there was something. */
bool keys_take(struct keys *keys, struct buffer *guest, size_t most);
/* While keys wait, two are not kept waiting: C-c, at a prompt whose command takes long, and on a
 * terminal C-a x. Input that comes through a pipe has been written in advance, as a script. */
void keys_look_ahead(struct keys *keys);

#endif
