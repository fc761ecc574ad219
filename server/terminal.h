/* The user's terminal as a serial console: raw mode, and the keys that are not the guest's. */
#ifndef SERVER_TERMINAL_H
#define SERVER_TERMINAL_H

#include "base/buffer.h"

#include <stdbool.h>
#include <termios.h>

struct terminal {
    bool raw;     /* stdin is in raw mode, to be undone */
    bool escaped; /* C-a came, its second key has not */
    struct termios saved;
};

/* All zero is a terminal that was not entered. Put stdin in raw mode, output processing kept: keys
 * arrive one by one, ^C as a byte. False: stdin is no terminal, or belongs to another job. */
bool terminal_enter(struct terminal *terminal);
/* Undo it; nothing when it was not done. */
void terminal_leave(struct terminal *terminal);

enum terminal_key {
    TERMINAL_BYTE,    /* a key like any other: appended to `out` */
    TERMINAL_PREFIX,  /* C-a, or nothing that is known behind it */
    TERMINAL_QUIT,    /* C-a x */
    TERMINAL_MONITOR, /* C-a c */
    TERMINAL_HELP     /* C-a h, C-a ? */
};

/* As in QEMU's -nographic; C-a a is C-a itself. */
enum terminal_key terminal_key(struct terminal *terminal, uint8_t byte, struct buffer *out);
/* Is there a C-a x in what is typed next? */
bool terminal_quits(const struct terminal *terminal, const uint8_t *bytes, size_t size);

#endif
