/* How a picture looks: fixed width, plain ASCII. */
#include "cli/picture.h"

#include "base/plain_text.h"
#include "cli/numbers.h"
#include "timeline/bookmarks.h"
#include "timeline/branches.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { MARKS = 26 };

const char *picture_row_name(enum picture_row row)
{
    static const char *const name[ROWS] = {"checkpoints", "hits", "traps", "console"};
    return name[row];
}

/* ---- drawing ---- */

static char density(unsigned count)
{
    return count == 0 ? ' ' : count == 1 ? '.' : count < 10 ? ':' : count < 100 ? '+' : '#';
}

static void draw_label(const char *label, struct buffer *out)
{
    buffer_printf(out, "%-*s", PICTURE_LABEL, label);
}

/* Without blanks at its end. */
static void draw_bar(const struct picture *p, const char *label, const char *bar,
                     struct buffer *out)
{
    unsigned size = p->columns;
    while (size && bar[size - 1] == ' ')
        size--;
    draw_label(label, out);
    buffer_append(out, bar, size);
    while (out->size && out->data[out->size - 1] == ' ')
        out->size--;
    buffer_append_byte(out, '\n');
}

static void draw_ruler(const struct picture *p, struct buffer *out)
{
    char begin[NUMBER_TEXT], tip[NUMBER_TEXT], bar[PICTURE_MOST];
    number_format(p->begin, begin);
    number_format(p->tip, tip);
    draw_label("position", out);
    buffer_printf(out, "%s%*s\n", begin, (int)(p->columns - strlen(begin)), tip);
    memset(bar, '-', p->columns);
    for (unsigned i = 0; i <= 10; i++)
        bar[i * (p->columns - 1) / 10] = '+';
    bar[0] = bar[p->columns - 1] = '|';
    bar[picture_column(p, p->here)] = '^';
    draw_bar(p, "", bar, out);
}

static void draw_row(const struct picture *p, enum picture_row row, struct buffer *out)
{
    char bar[PICTURE_MOST];
    for (unsigned i = 0; i < p->columns; i++)
        bar[i] = density(p->count[row][i]);
    draw_bar(p, picture_row_name(row), bar, out);
}

static void draw_note(const struct picture *p, enum picture_row row, struct buffer *out)
{
    const struct picture_found *found = &p->found[row];
    char count[NUMBER_TEXT], since[NUMBER_TEXT];
    if (!found->asked || found->complete)
        return;
    number_format(found->count, count);
    number_format(found->since, since);
    buffer_printf(out, "(%s: %s since position %s; not looked for before)\n", picture_row_name(row),
                  count, since);
}

static void draw_here(const struct picture *p, const struct timeline *tl, struct buffer *out)
{
    char here[NUMBER_TEXT], tip[NUMBER_TEXT];
    uint64_t length = p->tip - p->begin;
    number_format(p->here, here);
    number_format(p->tip, tip);
    draw_label("^ here", out);
    if (timeline_live(tl))
        buffer_printf(out, "%s, live\n", here);
    else
        buffer_printf(out, "%s of %s (%.1f%%)\n", here, tip,
                      length ? 100.0 * (double)(p->here - p->begin) / (double)length : 100.0);
}

/* Letters, and what they stand for. */
static void draw_bookmarks(const struct picture *p, const struct timeline *tl, struct buffer *out)
{
    const struct bookmark *b;
    char bar[PICTURE_MOST], position[NUMBER_TEXT];
    size_t count = 0;
    memset(bar, ' ', p->columns);
    for (; count < MARKS && (b = timeline_bookmark_get(tl, count)); count++)
        bar[picture_column(p, b->position)] = (char)('A' + count);
    if (!count)
        return;
    draw_bar(p, "bookmarks", bar, out);
    for (size_t i = 0; i < count; i++) {
        b = timeline_bookmark_get(tl, i);
        number_format(b->position, position);
        buffer_printf(out, "  %c %20s  %s%s%s\n", (char)('A' + i), position, b->name,
                      *b->note ? ": " : "", b->note);
    }
}

/* Those that come from the present branch. */
static bool branch_of_here(const struct timeline *tl, size_t index, struct branch_info *info,
                           bool *any)
{
    struct branch_info now;
    timeline_branch_now(tl, &now);
    *any = timeline_branch_get(tl, index, info);
    return *any && index && !strcmp(info->parent, now.name);
}

static void draw_branches(const struct picture *p, const struct timeline *tl, struct buffer *out)
{
    struct branch_info info;
    char bar[PICTURE_MOST], position[NUMBER_TEXT];
    bool any = true, some = false;
    memset(bar, ' ', p->columns);
    for (size_t i = 0; any && i <= BRANCHES; i++)
        if (branch_of_here(tl, i, &info, &any)) {
            bar[picture_column(p, info.origin)] = '<';
            some = true;
        }
    if (!some)
        return;
    draw_bar(p, "branches", bar, out);
    any = true;
    for (size_t i = 0; any && i <= BRANCHES; i++)
        if (branch_of_here(tl, i, &info, &any)) {
            number_format(info.origin, position);
            buffer_printf(out, "  < %20s  %s\n", position,
                          info.name[0] ? info.name : "(a diversion)");
        }
}

const struct picture_line *picture_line(const struct picture *p, size_t index)
{
    size_t first = p->lines > PICTURE_LINES ? p->lines - PICTURE_LINES : 0;
    return first + index < p->lines ? &p->line[(first + index) % PICTURE_LINES] : NULL;
}

void picture_append_line(const struct picture_line *line, size_t most, struct buffer *out)
{
    struct buffer text = {0};
    struct plain_text plain = {.out = &text};
    for (size_t i = 0; i < line->size; i++)
        plain_text_add(&plain, (uint8_t)line->text[i]);
    if (text.size > most)
        text.size = most;
    if (text.size)
        plain_text_clean(text.data, text.size, false);
    buffer_append(out, text.data, text.size);
    buffer_fini(&text);
}

static void draw_lines(const struct picture *p, struct buffer *out)
{
    const struct picture_line *line;
    char position[NUMBER_TEXT];
    for (size_t i = 0; (line = picture_line(p, i)); i++) {
        number_format(line->position, position);
        buffer_printf(out, "%20s  ", position);
        picture_append_line(line, p->columns + PICTURE_LABEL - 22, out);
        buffer_append_byte(out, '\n');
    }
}

static void draw(const struct picture *p, const struct timeline *tl, struct buffer *out)
{
    draw_ruler(p, out);
    draw_here(p, tl, out);
    draw_row(p, ROW_CHECKPOINTS, out);
    if (p->points)
        draw_row(p, ROW_HITS, out);
    draw_row(p, ROW_TRAPS, out);
    draw_row(p, ROW_CONSOLE, out);
    draw_bookmarks(p, tl, out);
    draw_branches(p, tl, out);
    draw_lines(p, out);
    buffer_append_string(out, "(. one, : some, + ten and more, # a hundred and more)\n");
    if (p->points_cut)
        buffer_printf(out, "(hits: of the first %d points)\n", QUERY_POINTS);
    draw_note(p, ROW_HITS, out);
    draw_note(p, ROW_TRAPS, out);
    if (p->interrupted)
        buffer_append_string(out, "(interrupted: not all was looked for)\n");
}

/* No line is longer than the picture is wide, and nothing in it depends on who looks. */
static void append_cut(const char *line, size_t size, size_t most, struct buffer *out)
{
    size = size < most ? size : most;
    while (size && line[size - 1] == ' ')
        size--;
    for (size_t i = 0; i < size; i++)
        buffer_append_byte(out, line[i] >= ' ' && line[i] <= '~' ? (uint8_t)line[i] : '?');
    buffer_append_byte(out, '\n');
}

void picture_draw(const struct picture *p, const struct timeline *tl, struct buffer *out)
{
    struct buffer all = {0};
    draw(p, tl, &all);
    for (const char *line = buffer_text(&all); *line;) {
        size_t size = strcspn(line, "\n");
        append_cut(line, size, p->columns + PICTURE_LABEL, out);
        line += size + 1;
    }
    buffer_fini(&all);
}
