#include "server/terminal.h"

#include <unistd.h>

enum { PREFIX = 0x01 };

bool terminal_enter(struct terminal *t)
{
    if (tcgetattr(STDIN_FILENO, &t->saved) || tcgetpgrp(STDIN_FILENO) != getpgrp())
        return false;
    struct termios raw = t->saved;
    raw.c_iflag &= ~(tcflag_t)(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
    raw.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | IEXTEN | ISIG);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    t->raw = !tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    return t->raw;
}

void terminal_leave(struct terminal *t)
{
    if (t->raw)
        tcsetattr(STDIN_FILENO, TCSANOW, &t->saved);
    t->raw = false;
}

enum terminal_key terminal_key(struct terminal *t, uint8_t byte, struct buffer *out)
{
    if (!t->escaped) {
        t->escaped = byte == PREFIX;
        if (!t->escaped)
            buffer_append_byte(out, byte);
        return t->escaped ? TERMINAL_PREFIX : TERMINAL_BYTE;
    }
    t->escaped = false;
    switch (byte) {
    case 'a':
    case PREFIX:
        buffer_append_byte(out, PREFIX);
        return TERMINAL_BYTE;
    case 'x':
        return TERMINAL_QUIT;
    case 'c':
        return TERMINAL_MONITOR;
    case 'h':
    case '?':
        return TERMINAL_HELP;
    default:
        return TERMINAL_PREFIX;
    }
}

bool terminal_quits(const struct terminal *t, const uint8_t *bytes, size_t size)
{
    struct terminal ahead = *t;
    struct buffer out = {0};
    bool quits = false;
    for (size_t i = 0; i < size && !quits; i++)
        quits = terminal_key(&ahead, bytes[i], &out) == TERMINAL_QUIT;
    buffer_fini(&out);
    return quits;
}
