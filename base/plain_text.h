/* What a terminal would show of bytes that were sent to it, as far as lines of text go: escapes and
 * control bytes left out, and what follows a carriage return overwrites its line. */
#ifndef BASE_PLAIN_TEXT_H
#define BASE_PLAIN_TEXT_H

#include "base/buffer.h"

#include <stdbool.h>

struct plain_text {
    struct buffer *out; /* the caller's; bytes are appended */
    size_t line;        /* where the present line begins in `out` */
    uint8_t state;
    bool returned;
};

/* Bytes may come one by one, in any division. */
void plain_text_add(struct plain_text *p, uint8_t byte);

/* Size of the UTF-8 character at `s`, of `left` bytes, at least one, that anybody may be shown; 0:
 * there is none. Control characters are not shown, nor marks that turn the direction of text. */
size_t plain_text_character(const uint8_t *s, size_t left);
/* In place: '?' for each byte that belongs to no such character. `lines`: but for newlines and
 * tabs. */
void plain_text_clean(void *text, size_t size, bool lines);

#endif
