/* `timeline` and `console-at`. */
#include "cli/commands_info.h"
#include "cli/commands_json.h"
#include "cli/json_values.h"
#include "cli/numbers.h"
#include "cli/picture.h"
#include "cli/positions.h"
#include "machine/input.h"
#include "timeline/transcript.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { COLUMNS_DEFAULT = 72, CONSOLE_DEFAULT = 24, WORD = 160 };

/* ---- the command ---- */

static bool say(struct command_context *c, const struct stop *stop, struct buffer *out)
{
    if (stop->reason == STOP_DIVERGED) {
        buffer_printf(out, "%s\n", stop->text);
        return true;
    }
    if (!picture_answered(c->timeline, c->pending, stop))
        return false;
    picture_draw(c->pending, c->timeline, out);
    return true;
}

static void keep(struct command_context *c, struct picture *p)
{
    c->pending = p;
    c->pending_free = free;
}

void commands_timeline(struct command_context *c, const char *argument, struct buffer *out)
{
    uint64_t columns = COLUMNS_DEFAULT;
    if (*argument &&
        (!number_parse(argument, &columns) || columns < PICTURE_LEAST || columns > PICTURE_MOST)) {
        buffer_printf(out, "timeline takes a number of columns from %d to %d, not `%.80s`\n",
                      PICTURE_LEAST, PICTURE_MOST, argument);
        return;
    }
    struct picture *p = picture_new(c->timeline, (unsigned)columns);
    keep(c, p);
    if (picture_ask(c->timeline, p))
        c->finish = say;
    else
        picture_draw(p, c->timeline, out);
}

/* ---- console-at ---- */

void commands_console_at(struct command_context *c, const char *argument, struct buffer *out)
{
    struct error err = ERROR_INIT;
    char place[WORD] = "", number[WORD] = "", third[2] = "";
    uint64_t position, lines = CONSOLE_DEFAULT;
    int words = sscanf(argument, "%159s %159s %1s", place, number, third);
    if (words > 2 || (words == 2 && (!number_parse(number, &lines) || !lines || lines > 10000)))
        buffer_append_string(
            out, "usage: console-at POSITION [PICTURE_LINES], PICTURE_LINES from 1 to 10000\n");
    else if (!position_find(c->timeline, place, &position, &err))
        buffer_printf(out, "%s\n", err.message);
    else {
        size_t before = out->size;
        timeline_transcript_tail(c->timeline, CHANNEL_SERIAL0, position, (size_t)lines, out);
        if (out->size == before)
            buffer_append_string(out, "nothing was printed before that\n");
    }
}

/* ---- JSON ---- */

static json_t *row_json(const struct picture *p, enum picture_row row)
{
    json_t *counts = json_array();
    for (unsigned i = 0; i < p->columns; i++)
        json_array_append_new(counts, json_integer(p->count[row][i]));
    json_t *object = json_pack("{s:o}", "columns", counts);
    if (row == ROW_HITS || row == ROW_TRAPS) {
        json_object_set_new(object, "count", json_u64(p->found[row].count));
        json_object_set_new(object, "since", json_u64(p->found[row].since));
        json_object_set_new(object, "complete", json_boolean(p->found[row].complete));
    }
    return object;
}

static json_t *lines_json(const struct picture *p)
{
    const struct picture_line *line;
    json_t *list = json_array();
    for (size_t i = 0; (line = picture_line(p, i)); i++) {
        struct buffer text = {0};
        picture_append_line(line, PICTURE_LINE, &text);
        json_array_append_new(list, json_pack("{s:o, s:o}", "position", json_u64(line->position),
                                              "text", json_text(text.data, text.size)));
        buffer_fini(&text);
    }
    return list;
}

static json_t *picture_json(const struct picture *p, const struct timeline *tl)
{
    struct buffer text = {0};
    picture_draw(p, tl, &text);
    json_t *object =
        json_pack("{s:o, s:o, s:o, s:o, s:b, s:o}", "text", json_text(text.data, text.size),
                  "begin", json_u64(p->begin), "tip", json_u64(p->tip), "position",
                  json_u64(p->here), "interrupted", (int)p->interrupted, "lines", lines_json(p));
    for (enum picture_row row = 0; row < ROWS; row++)
        if (row != ROW_HITS || p->points)
            json_object_set_new(object, picture_row_name(row), row_json(p, row));
    buffer_fini(&text);
    return object;
}

static json_t *answer(struct command_context *c, const struct stop *stop, struct error *err)
{
    if (stop->reason == STOP_DIVERGED) {
        error_set(err, ERROR_DIVERGED, "%.500s", stop->text);
        return NULL;
    }
    return picture_answered(c->timeline, c->pending, stop) ? picture_json(c->pending, c->timeline)
                                                           : NULL;
}

/* Breakpoints that the client has and that are not set now. */
static bool take_addresses(struct picture *p, const json_t *arguments, struct error *err)
{
    const json_t *list = json_object_get(arguments, "addresses");
    if (list && !json_is_array(list))
        return error_set(err, ERROR_USAGE, "argument `addresses` is to be a list");
    for (size_t i = 0; i < json_array_size(list); i++) {
        struct timeline_point point = {.kinds = HIT_EXECUTE};
        json_t *one = json_pack("{s:O}", "addresses", json_array_get(list, i));
        bool ok = json_take_u64(one, "addresses", true, &point.address, err);
        json_decref(one);
        if (!ok)
            return false;
        picture_add_point(p, &point);
    }
    return true;
}

static json_t *row_timeline(struct command_context *c, const json_t *arguments, struct error *err)
{
    uint64_t columns = COLUMNS_DEFAULT;
    if (!json_take_within(arguments, "columns", PICTURE_LEAST, PICTURE_MOST, &columns, err))
        return NULL;
    struct picture *p = picture_new(c->timeline, (unsigned)columns);
    keep(c, p);
    if (!take_addresses(p, arguments, err))
        return NULL;
    if (!picture_ask(c->timeline, p))
        return picture_json(p, c->timeline);
    c->json_finish = answer;
    return NULL;
}

const struct json_row json_rows_picture[] = {
    {"timeline", row_timeline, "columns addresses", true},
    {0},
};
