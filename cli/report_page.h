/* A page of sections and lines, as plain text and as one HTML file at the same time. What is put in
 * may come from a guest or anybody's file: control bytes and what is no UTF-8 become '?', and HTML
 * is escaped. */
#ifndef CLI_REPORT_PAGE_H
#define CLI_REPORT_PAGE_H

#include "base/buffer.h"

#include <stdbool.h>

enum page_style {
    PAGE_PLAIN,
    PAGE_DIM,    /* beside the point */
    PAGE_STRONG, /* what is looked for */
    PAGE_NAME,   /* functions, files, registers */
    PAGE_BAD     /* what went wrong */
};

struct report_page {
    struct buffer text, html; /* complete after report_page_end */
    struct buffer line_html;  /* the line under way */
    size_t line_at;           /* where it begins in `text` */
    bool in_section, marked;
};

/* A page whose heading is `title`; lines may follow at once. */
void report_page_begin(struct report_page *p, const char *title);
void report_page_end(struct report_page *p);
void report_page_fini(struct report_page *p);

void report_page_section(struct report_page *p, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Append to the line under way. No newlines. */
void report_page_put(struct report_page *p, enum page_style style, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Blanks up to a column of the line, at least one. */
void report_page_column(struct report_page *p, size_t column);
/* The line under way is the one to look at. */
void report_page_mark(struct report_page *p);
void report_page_end_line(struct report_page *p);
/* A whole line, plain. */
void report_page_line(struct report_page *p, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
