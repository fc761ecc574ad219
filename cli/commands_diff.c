/* What differs between two positions. */
#include "base/hex.h"
#include "cli/commands_info.h"
#include "cli/commands_json.h"
#include "cli/commands_symbols.h"
#include "cli/json_values.h"
#include "cli/numbers.h"
#include "cli/positions.h"
#include "timeline/branches.h"
#include "timeline/compare.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REGISTERS_SHOWN = 80, RANGES_SHOWN = 24, FIELDS_SHOWN = 40, BYTES_SHOWN = 8, WORD = 160 };

/* ---- places ---- */

struct place {
    char branch[BRANCH_NAME]; /* empty: the one we stand on */
    uint64_t position;
};

static bool find_branch(const struct timeline *tl, const char *name, struct branch_info *info)
{
    for (size_t i = 0; timeline_branch_get(tl, i, info); i++)
        if (*name && !strcmp(info->name, name))
            return true;
    return false;
}

static bool is_share(const char *text, double *share)
{
    char *end;
    *share = strtod(text, &end);
    return end != text && !strcmp(end, "%") && *share >= 0 && *share <= 100;
}

/* N, start, end, origin, or N%, of another branch. */
static bool branch_position(const struct branch_info *info, const char *text, uint64_t *position,
                            struct error *err)
{
    double share;
    if (is_share(text, &share))
        *position = (uint64_t)((double)info->tip * share / 100);
    else if (!strcmp(text, "end") || !strcmp(text, "tip"))
        *position = info->tip;
    else if (!strcmp(text, "origin"))
        *position = info->origin;
    else if (!strcmp(text, "start") || !strcmp(text, "begin"))
        *position = 0;
    else if (!number_parse(text, position))
        return error_set(err, ERROR_USAGE,
                         "`%.80s` is no position of branch %s: N, N%%, start, origin or end", text,
                         info->name);
    return *position <= info->tip ||
           error_set(err, ERROR_RANGE, "branch %s ends at %" PRIu64, info->name, info->tip);
}

/* A position, or BRANCH@POSITION. */
static bool find_place(const struct timeline *tl, const char *text, struct place *place,
                       struct error *err)
{
    struct branch_info info;
    const char *at = strchr(text, '@');
    place->branch[0] = '\0';
    if (!at)
        return position_find(tl, text, &place->position, err);
    size_t size = (size_t)(at - text);
    if (size < BRANCH_NAME)
        snprintf(place->branch, BRANCH_NAME, "%.*s", (int)size, text);
    if (!find_branch(tl, place->branch, &info))
        return error_set(err, ERROR_RANGE, "there is no branch `%.*s`: `branches` lists them",
                         size < BRANCH_NAME ? (int)size : BRANCH_NAME, text);
    return branch_position(&info, at + 1, &place->position, err);
}

static bool compare(struct timeline *tl, const struct place *a, const struct place *b,
                    struct error *err)
{
    const struct compared_place x = {a->branch[0] ? a->branch : NULL, a->position};
    const struct compared_place y = {b->branch[0] ? b->branch : NULL, b->position};
    return timeline_compare(tl, &x, &y, err);
}

/* ---- text ---- */

static void append_more(size_t all, size_t shown, const char *what, struct buffer *out)
{
    if (all > shown)
        buffer_printf(out, "  %zu more %s\n", all - shown, what);
}

static void append_registers(struct command_context *c, const struct comparison *d,
                             struct buffer *out)
{
    for (size_t i = 0; i < d->regs && i < REGISTERS_SHOWN; i++) {
        const struct compared_register *r = &d->reg[i];
        buffer_printf(out, "hart %u  %-10s ", r->hart, r->name);
        if (strcmp(r->name, "pc") != 0) {
            buffer_printf(out, "%#" PRIx64 " -> %#" PRIx64 "\n", r->a, r->b);
            continue;
        }
        commands_append_address(c, r->a, out);
        buffer_append_string(out, " -> ");
        commands_append_address(c, r->b, out);
        buffer_append_byte(out, '\n');
    }
    append_more(d->regs, REGISTERS_SHOWN, "registers", out);
}

static unsigned shown_bytes(const struct compared_range *r)
{
    return r->size < BYTES_SHOWN ? (unsigned)r->size : BYTES_SHOWN;
}

static void append_ranges(const struct comparison *d, struct buffer *out)
{
    for (size_t i = 0; i < d->ranges && i < RANGES_SHOWN; i++) {
        const struct compared_range *r = &d->range[i];
        const char *dots = r->size > BYTES_SHOWN ? ".." : "";
        buffer_printf(out, "%s  %#" PRIx64 ", %" PRIu64 " byte%s  ",
                      r->where[0] ? r->where : "memory", r->address, r->size,
                      r->size == 1 ? "" : "s");
        hex_append(out, r->a, shown_bytes(r));
        buffer_printf(out, "%s -> ", dots);
        hex_append(out, r->b, shown_bytes(r));
        buffer_printf(out, "%s\n", dots);
    }
    append_more(d->ranges, RANGES_SHOWN, "ranges of memory", out);
}

static void append_fields(const struct comparison *d, struct buffer *out)
{
    for (size_t i = 0; i < d->fields && i < FIELDS_SHOWN; i++)
        buffer_printf(out, "%s  %s -> %s\n", d->field[i].name, d->field[i].a, d->field[i].b);
    append_more(d->fields, FIELDS_SHOWN, "fields of devices", out);
}

static bool say(struct command_context *c, const struct stop *stop, struct buffer *out)
{
    const struct comparison *d = timeline_comparison(c->timeline);
    char a[NUMBER_TEXT], b[NUMBER_TEXT];
    if (stop->reason == STOP_DIVERGED) {
        buffer_printf(out, "%s\n", stop->text);
        return true;
    }
    if (!d) {
        buffer_append_string(out, "interrupted: nothing was compared\n");
        return true;
    }
    number_format(d->a, a);
    number_format(d->b, b);
    if (!d->regs && !d->ranges && !d->fields)
        buffer_printf(out, "nothing differs between positions %s and %s\n", a, b);
    else
        buffer_printf(out, "position %s -> position %s\n", a, b);
    append_registers(c, d, out);
    append_ranges(d, out);
    append_fields(d, out);
    if (d->truncated)
        buffer_append_string(out, "and more: what is counted here is only the first part\n");
    return true;
}

void commands_diff(struct command_context *c, const char *argument, struct buffer *out)
{
    struct error err = ERROR_INIT;
    char first[WORD] = "", second[WORD] = "", third[2] = "";
    struct place a, b;
    if (sscanf(argument, "%159s %159s %1s", first, second, third) != 2)
        buffer_append_string(out, "usage: diff A B, each a position as `goto` takes it, or "
                                  "BRANCH@POSITION\n");
    else if (!find_place(c->timeline, first, &a, &err) ||
             !find_place(c->timeline, second, &b, &err) || !compare(c->timeline, &a, &b, &err))
        buffer_printf(out, "%s\n", err.message);
    else
        c->finish = say;
}

/* ---- JSON ---- */

static json_t *registers_json(const struct comparison *d)
{
    json_t *list = json_array();
    for (size_t i = 0; i < d->regs; i++)
        json_array_append_new(list, json_pack("{s:i, s:s, s:o, s:o}", "hart", (int)d->reg[i].hart,
                                              "name", d->reg[i].name, "a", json_u64(d->reg[i].a),
                                              "b", json_u64(d->reg[i].b)));
    return list;
}

static json_t *ranges_json(const struct comparison *d)
{
    json_t *list = json_array();
    for (size_t i = 0; i < d->ranges; i++) {
        const struct compared_range *r = &d->range[i];
        size_t size = r->size < COMPARED_BYTES ? r->size : COMPARED_BYTES;
        json_t *range =
            json_pack("{s:o, s:o, s:o, s:o}", "address", json_u64(r->address), "size",
                      json_u64(r->size), "a", json_hex(r->a, size), "b", json_hex(r->b, size));
        if (r->where[0])
            json_object_set_new(range, "device", json_string(r->where));
        json_array_append_new(list, range);
    }
    return list;
}

static json_t *fields_json(const struct comparison *d)
{
    json_t *list = json_array();
    for (size_t i = 0; i < d->fields; i++)
        json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "name", d->field[i].name, "a",
                                              d->field[i].a, "b", d->field[i].b));
    return list;
}

static json_t *answer(struct command_context *c, const struct stop *stop, struct error *err)
{
    const struct comparison *d = timeline_comparison(c->timeline);
    if (d && stop->reason != STOP_DIVERGED)
        return json_pack("{s:o, s:o, s:o, s:o, s:o, s:b}", "a", json_u64(d->a), "b", json_u64(d->b),
                         "registers", registers_json(d), "memory", ranges_json(d), "fields",
                         fields_json(d), "truncated", (int)d->truncated);
    if (stop->reason == STOP_DIVERGED)
        error_set(err, ERROR_DIVERGED, "%.500s", stop->text);
    else
        error_set(err, ERROR_BUSY, "interrupted: nothing was compared");
    return NULL;
}

static bool take_place(const json_t *arguments, const char *name, const struct timeline *tl,
                       struct place *place, struct error *err)
{
    const char *text = json_string_value(json_object_get(arguments, name));
    place->branch[0] = '\0';
    return text && strchr(text, '@')
               ? find_place(tl, text, place, err)
               : json_take_position(arguments, name, tl, true, &place->position, err);
}

static json_t *row_diff(struct command_context *c, const json_t *arguments, struct error *err)
{
    struct place a, b;
    if (take_place(arguments, "a", c->timeline, &a, err) &&
        take_place(arguments, "b", c->timeline, &b, err) && compare(c->timeline, &a, &b, err))
        c->json_finish = answer;
    return NULL;
}

const struct json_row json_rows_diff[] = {
    {"diff", row_diff, "a b", true},
    {0},
};
