#include "cli/report_page.h"

#include "base/plain_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { WIDTH = 96 };

static const char head[] =
    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<meta name=\"color-scheme\" content=\"light dark\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" "
    "content=\"default-src 'none'; style-src 'unsafe-inline'\">\n";

static const char style[] =
    "<style>\n"
    ":root{--page:#f6f7f9;--card:#fff;--ink:#1c2128;--dim:#6a737d;--rule:#d8dee4;--name:#0550ae;"
    "--bad:#b42318;--mark:#fff4ce;--strong:#111}\n"
    "@media (prefers-color-scheme:dark){:root{--page:#0d1117;--card:#161b22;--ink:#d4dae1;"
    "--dim:#8b949e;--rule:#30363d;--name:#79c0ff;--bad:#ff7b72;--mark:#3a2f0b;--strong:#fff}}\n"
    "body{margin:0;background:var(--page);color:var(--ink);"
    "font:16px/1.5 system-ui,-apple-system,\"Segoe UI\",sans-serif}\n"
    "main{max-width:64rem;margin:0 auto;padding:2rem 1rem}\n"
    "h1{font-size:1.5rem;line-height:1.3;margin:0 0 1rem;padding-left:.8rem;"
    "border-left:.3rem solid var(--bad)}\n"
    "section{background:var(--card);border:1px solid var(--rule);border-radius:.5rem;"
    "margin:1rem 0;padding:.8rem 1rem}\n"
    "h2{font-size:1rem;margin:0 0 .6rem}\n"
    "pre{margin:0;overflow-x:auto;font:13px/1.45 ui-monospace,SFMono-Regular,Menlo,Consolas,"
    "\"DejaVu Sans Mono\",monospace}\n"
    ".d{color:var(--dim)}.n{color:var(--name)}.b{color:var(--bad);font-weight:600}"
    ".s{color:var(--strong);font-weight:700}\n"
    "mark{display:inline-block;min-width:100%;background:var(--mark);color:inherit}\n"
    "@media print{body{background:#fff}section{break-inside:avoid}}\n"
    "</style>\n";

/* ---- bytes of others ---- */

static void append_escaped(struct buffer *out, const uint8_t *s, size_t size)
{
    static const char *const entity[128] = {
        ['<'] = "&lt;", ['>'] = "&gt;", ['&'] = "&amp;", ['"'] = "&quot;", ['\''] = "&#39;"};
    if (size == 1 && *s < 128 && entity[*s])
        buffer_append_string(out, entity[*s]);
    else
        buffer_append(out, s, size);
}

/* `text` and `html` may be NULL. */
static void append_clean(struct buffer *text, struct buffer *html, const uint8_t *s, size_t size)
{
    while (size) {
        size_t n = plain_text_character(s, size);
        const uint8_t *shown = n ? s : (const uint8_t *)"?";
        if (text)
            buffer_append(text, shown, n ? n : 1);
        if (html)
            append_escaped(html, shown, n ? n : 1);
        s += n ? n : 1;
        size -= n ? n : 1;
    }
}

static void format_to(struct buffer *out, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int size = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (size <= 0)
        return;
    vsnprintf((char *)buffer_extend(out, (size_t)size + 1), (size_t)size + 1, format, args);
    out->size--;
}

/* ---- the page ---- */

static void append_rule(struct buffer *out, char c, size_t size)
{
    for (size_t i = 0; i < size; i++)
        buffer_append_byte(out, (uint8_t)c);
    buffer_append_byte(out, '\n');
}

static void start_line(struct report_page *p)
{
    p->line_at = p->text.size;
    buffer_clear(&p->line_html);
    p->marked = false;
}

void report_page_begin(struct report_page *p, const char *title)
{
    *p = (struct report_page){0};
    const uint8_t *bytes = (const uint8_t *)title;
    append_clean(&p->text, NULL, bytes, strlen(title));
    size_t width = p->text.size < WIDTH ? p->text.size : WIDTH;
    buffer_append_byte(&p->text, '\n');
    append_rule(&p->text, '=', width);
    buffer_append_string(&p->html, head);
    buffer_append_string(&p->html, "<title>");
    append_clean(NULL, &p->html, bytes, strlen(title));
    buffer_append_string(&p->html, "</title>\n");
    buffer_append_string(&p->html, style);
    buffer_append_string(&p->html, "</head>\n<body>\n<main>\n<h1>");
    append_clean(NULL, &p->html, bytes, strlen(title));
    buffer_append_string(&p->html, "</h1>\n<section><pre>\n");
    p->in_section = true;
    start_line(p);
}

static void close_section(struct report_page *p)
{
    if (p->in_section)
        buffer_append_string(&p->html, "</pre></section>\n");
    p->in_section = false;
}

void report_page_end(struct report_page *p)
{
    close_section(p);
    buffer_append_string(&p->html, "</main>\n</body>\n</html>\n");
    buffer_fini(&p->line_html);
}

void report_page_fini(struct report_page *p)
{
    buffer_fini(&p->text);
    buffer_fini(&p->html);
    buffer_fini(&p->line_html);
}

void report_page_section(struct report_page *p, const char *format, ...)
{
    struct buffer title = {0};
    va_list args;
    va_start(args, format);
    format_to(&title, format, args);
    va_end(args);
    close_section(p);
    buffer_append_string(&p->text, "\n-- ");
    size_t before = p->text.size;
    append_clean(&p->text, NULL, title.data, title.size);
    size_t used = p->text.size - before + 4;
    buffer_append_byte(&p->text, ' ');
    append_rule(&p->text, '-', used < WIDTH - 4 ? WIDTH - used : 4);
    buffer_append_string(&p->html, "<section><h2>");
    append_clean(NULL, &p->html, title.data, title.size);
    buffer_append_string(&p->html, "</h2><pre>\n");
    p->in_section = true;
    buffer_fini(&title);
    start_line(p);
}

static void put(struct report_page *p, enum page_style how, const char *format, va_list args)
{
    static const char *const class[] = {NULL, "d", "s", "n", "b"};
    struct buffer part = {0};
    format_to(&part, format, args);
    if (class[how])
        buffer_printf(&p->line_html, "<span class=\"%s\">", class[how]);
    append_clean(&p->text, &p->line_html, part.data, part.size);
    if (class[how])
        buffer_append_string(&p->line_html, "</span>");
    buffer_fini(&part);
}

void report_page_put(struct report_page *p, enum page_style how, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    put(p, how, format, args);
    va_end(args);
}

void report_page_column(struct report_page *p, size_t column)
{
    do {
        buffer_append_byte(&p->text, ' ');
        buffer_append_byte(&p->line_html, ' ');
    } while (p->text.size - p->line_at < column);
}

void report_page_mark(struct report_page *p)
{
    p->marked = true;
}

void report_page_end_line(struct report_page *p)
{
    while (p->text.size > p->line_at && p->text.data[p->text.size - 1] == ' ')
        p->text.size--;
    buffer_append_byte(&p->text, '\n');
    buffer_append_string(&p->html, p->marked ? "<mark>" : "");
    buffer_append(&p->html, p->line_html.data, p->line_html.size);
    buffer_append_string(&p->html, p->marked ? "</mark>\n" : "\n");
    start_line(p);
}

void report_page_line(struct report_page *p, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    put(p, PAGE_PLAIN, format, args);
    va_end(args);
    report_page_end_line(p);
}
