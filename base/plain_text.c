#include "base/plain_text.h"

/* Escape sequences of ECMA-48: ESC and a byte; ESC [ up to a final byte; ESC ] (and its like) up to
 * BEL or ESC \\. */
enum { TEXT, ESCAPE, SEQUENCE, STRING, STRING_ESCAPE };

static uint8_t behind_escape(uint8_t byte)
{
    if (byte == '[')
        return SEQUENCE;
    if (byte == ']' || byte == 'P' || byte == '_' || byte == '^' || byte == 'X')
        return STRING;
    return byte >= 0x20 && byte < 0x30 ? ESCAPE : TEXT;
}

/* Not text; an end of line ends what was not ended. */
static bool skipped(struct plain_text *p, uint8_t byte)
{
    if (p->state == TEXT || byte == '\n') {
        p->state = TEXT;
        return false;
    }
    if (p->state == ESCAPE)
        p->state = behind_escape(byte);
    else if (p->state == SEQUENCE)
        p->state = byte >= 0x40 && byte < 0x7f ? TEXT : SEQUENCE;
    else if (p->state == STRING_ESCAPE || byte == 0x07)
        p->state = byte == '\\' || byte == 0x07 ? TEXT : STRING;
    else if (byte == 0x1b)
        p->state = STRING_ESCAPE;
    return true;
}

void plain_text_add(struct plain_text *p, uint8_t byte)
{
    if (skipped(p, byte))
        return;
    if (byte == 0x1b) {
        p->state = ESCAPE;
    } else if (byte == '\n') {
        buffer_append_byte(p->out, byte);
        p->line = p->out->size;
        p->returned = false;
    } else if (byte == '\r') {
        p->returned = true;
    } else if (byte == '\t' || (byte >= 0x20 && byte != 0x7f)) {
        if (p->returned)
            p->out->size = p->line;
        p->returned = false;
        buffer_append_byte(p->out, byte);
    }
}
