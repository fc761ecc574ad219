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

/* ---- text of others ---- */

/* Unicode 15, table 3-7. */
size_t plain_text_character(const uint8_t *s, size_t left)
{
    if (s[0] >= 0x20 && s[0] < 0x7f)
        return 1;
    size_t size = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
    if (s[0] < 0xc2 || s[0] > 0xf4 || left < size)
        return 0;
    for (size_t i = 1; i < size; i++)
        if (s[i] >> 6 != 2)
            return 0;
    /* Longer than needed, surrogates, beyond the last plane, C1 controls. */
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
        (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f) ||
        (s[0] == 0xc2 && s[1] < 0xa0))
        return 0;
    /* Marks that turn the direction of what follows, line and paragraph separators. */
    if (s[0] == 0xe2 && ((s[1] == 0x80 && s[2] >= 0xa8 && s[2] <= 0xae) ||
                         (s[1] == 0x81 && s[2] >= 0xa6 && s[2] <= 0xa9)))
        return 0;
    return size;
}

void plain_text_clean(void *text, size_t size, bool lines)
{
    uint8_t *s = text;
    while (size) {
        size_t n = plain_text_character(s, size);
        if (!n && !(lines && (*s == '\n' || *s == '\t')))
            *s = '?';
        s += n ? n : 1;
        size -= n ? n : 1;
    }
}
