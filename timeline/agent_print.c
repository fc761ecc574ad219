/* The formats of dprintf. */
#include "timeline/agent.h"
#include "timeline/internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { WIDTH_MOST = 256, FORMAT_MOST = 2048 };

/* One conversion: % and what follows, without its length. */
struct conversion {
    char flags[8];
    int width, precision; /* -1: none */
    unsigned bits;        /* of an integer */
    char what;            /* 0: not a conversion that is known */
    size_t size;          /* in the format */
};

struct printer {
    const struct timeline *tl;
    unsigned hart;
    const uint64_t *argument;
    size_t count, next;
    struct buffer *out;
};

/* ---- escapes ---- */

static bool is_octal(char c)
{
    return c >= '0' && c <= '7';
}

/* The byte that an escape behind its backslash stands for; returns its length, 0: none. */
static size_t escape(const char *text, size_t size, char *byte)
{
    static const char names[] = "abefnrtv\\\"'?", bytes[] = "\a\b\033\f\n\r\t\v\\\"'?";
    const char *found = size ? memchr(names, text[0], sizeof names - 1) : NULL;
    if (found) {
        *byte = bytes[found - names];
        return 1;
    }
    unsigned value = 0;
    size_t digits = 0;
    while (digits < 3 && digits < size && is_octal(text[digits]))
        value = value * 8 + (unsigned)(text[digits++] - '0');
    *byte = (char)value;
    return digits;
}

static size_t unescape(const char *format, size_t size, char *out)
{
    size_t n = 0;
    for (size_t i = 0; i < size && n < FORMAT_MOST; i++) {
        size_t length = format[i] == '\\' ? escape(format + i + 1, size - i - 1, &out[n]) : 0;
        if (!length)
            out[n] = format[i];
        i += length;
        n++;
    }
    return n;
}

/* ---- conversions ---- */

static int number(const char *text, size_t size, size_t *at)
{
    int value = 0;
    for (; *at < size && text[*at] >= '0' && text[*at] <= '9'; ++*at)
        value = value < WIDTH_MOST ? value * 10 + (text[*at] - '0') : value;
    return value < WIDTH_MOST ? value : WIDTH_MOST;
}

static unsigned length_bits(const char *text, size_t size, size_t *at)
{
    unsigned bits = 32;
    for (; *at < size; ++*at) {
        if (text[*at] == 'h')
            bits = bits == 16 ? 8 : 16;
        else if (strchr("ljzt", text[*at]))
            bits = 64;
        else
            break;
    }
    return bits;
}

static struct conversion parse(const char *text, size_t size)
{
    struct conversion c = {.width = -1, .precision = -1};
    size_t at = 1, flags = 0;
    for (; at < size && text[at] && strchr("-+ #0", text[at]); at++)
        if (flags + 1 < sizeof c.flags && !strchr(c.flags, text[at]))
            c.flags[flags++] = text[at];
    if (at < size && text[at] >= '1' && text[at] <= '9')
        c.width = number(text, size, &at);
    if (at < size && text[at] == '.') {
        at++;
        c.precision = number(text, size, &at);
    }
    c.bits = length_bits(text, size, &at);
    if (at < size && text[at] && strchr("dioxXucsp%", text[at])) {
        c.what = text[at];
        c.size = at + 1;
    }
    return c;
}

/* Flags, width and precision (those that have a meaning for it) before `what`. */
static void make_format(const struct conversion *c, const char *allowed, const char *what,
                        char *out, size_t size)
{
    char flags[8] = "";
    size_t n = 0;
    for (const char *f = c->flags; *f; f++)
        if (strchr(allowed, *f))
            flags[n++] = *f;
    flags[n] = 0;
    int at = snprintf(out, size, "%%%s", flags);
    if (c->width >= 0)
        at += snprintf(out + at, size - (size_t)at, "%d", c->width);
    if (c->precision >= 0)
        at += snprintf(out + at, size - (size_t)at, ".%d", c->precision);
    snprintf(out + at, size - (size_t)at, "%s", what);
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"

static void append(struct buffer *out, const char *format, uint64_t value)
{
    char text[2 * WIDTH_MOST + 64];
    int n = snprintf(text, sizeof text, format, value);
    buffer_append(out, text, n < (int)sizeof text ? (size_t)n : sizeof text - 1);
}

static void append_text(struct buffer *out, const char *format, const char *shown)
{
    char text[AGENT_STRING + WIDTH_MOST + 64];
    int n = snprintf(text, sizeof text, format, shown);
    buffer_append(out, text, n < (int)sizeof text ? (size_t)n : sizeof text - 1);
}

#pragma GCC diagnostic pop

static void print_integer(struct printer *p, const struct conversion *c, uint64_t value)
{
    char format[48];
    unsigned unused = 64 - c->bits;
    switch (c->what) {
    case 'd':
    case 'i':
        make_format(c, "-+ 0", PRId64, format, sizeof format);
        append(p->out, format, (uint64_t)((int64_t)(value << unused) >> unused));
        break;
    case 'p': {
        struct conversion pointer = *c;
        snprintf(pointer.flags, sizeof pointer.flags, "#%s", strchr(c->flags, '-') ? "-" : "");
        make_format(&pointer, "-#", PRIx64, format, sizeof format);
        append(p->out, format, value);
        break;
    }
    default: {
        const char *what = c->what == 'o' ? PRIo64 : c->what == 'u' ? PRIu64 : PRIx64;
        make_format(c, "-#0", c->what == 'X' ? PRIX64 : what, format, sizeof format);
        append(p->out, format, value << unused >> unused);
    }
    }
}

static void print_string(struct printer *p, const struct conversion *c, uint64_t address)
{
    char text[AGENT_STRING + 1], format[48];
    size_t most =
        c->precision >= 0 && c->precision < AGENT_STRING ? (size_t)c->precision : AGENT_STRING;
    size_t size = timeline_read_some(p->tl, p->hart, address, text, most);
    const char *end = memchr(text, 0, size);
    if (!end && size < most) {
        buffer_printf(p->out, "<no memory at %#" PRIx64 ">", address + size);
        return;
    }
    text[end ? (size_t)(end - text) : size] = 0;
    make_format(c, "-", "s", format, sizeof format);
    append_text(p->out, format, text);
}

static void print_conversion(struct printer *p, const struct conversion *c)
{
    if (c->what == '%') {
        buffer_append_byte(p->out, '%');
        return;
    }
    if (p->next == p->count) {
        buffer_append_string(p->out, "<missing>");
        return;
    }
    uint64_t value = p->argument[p->next++];
    if (c->what == 's') {
        print_string(p, c, value);
    } else if (c->what == 'c') {
        char text[2] = {(char)value, 0}, format[48];
        make_format(c, "-", "s", format, sizeof format);
        append_text(p->out, format, text);
        if (!text[0])
            buffer_append_byte(p->out, 0);
    } else {
        print_integer(p, c, value);
    }
}

void agent_print(const struct timeline *tl, unsigned hart, const char *format, size_t size,
                 const uint64_t *argument, size_t count, struct buffer *out)
{
    char text[FORMAT_MOST + 1];
    struct printer p = {tl, hart, argument, count, 0, out};
    size = unescape(format, size, text);
    text[size] = 0;
    size_t from = out->size;
    for (size_t at = 0; at < size && out->size - from < AGENT_TEXT;) {
        struct conversion c = {.size = 0};
        if (text[at] == '%')
            c = parse(text + at, size - at);
        if (c.what) {
            print_conversion(&p, &c);
            at += c.size;
        } else {
            buffer_append_byte(out, (uint8_t)text[at++]);
        }
    }
}
