/* Back by source lines, and whether steps pass over interrupts' handlers. Which pcs a line has is
 * the asker's to know. */
#include "timeline/line_move.h"

#include "base/check.h"
#include "cli/commands_info.h"
#include "cli/commands_json.h"
#include "cli/commands_symbols.h"
#include "cli/json_values.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MODES = 4, WORD = 256 };

static const char *const mode_name[MODES] = {
    [LINE_START] = "start", [LINE_LEAVE] = "leave", [LINE_OVER] = "over", [LINE_FINISH] = "finish"};

static bool find_mode(const char *text, enum line_mode *mode, struct error *err)
{
    for (unsigned i = 0; i < MODES; i++)
        if (!strcmp(text, mode_name[i])) {
            *mode = (enum line_mode)i;
            return true;
        }
    return error_set(err, ERROR_USAGE, "`%.40s` is none of start, leave, over and finish", text);
}

static uint64_t stack_pointer(const struct timeline *tl, unsigned hart)
{
    const struct cpu *cpu = timeline_machine((struct timeline *)(uintptr_t)tl)->cpu[hart];
    return cpu->ops->get_register(cpu, cpu->ops->stack_pointer);
}

/* ---- the row ---- */

static bool take_element(const json_t *array, size_t index, uint64_t *value, struct error *err)
{
    json_t *object = json_pack("{s:O?}", "ranges", json_array_get(array, index));
    bool good = json_take_u64(object, "ranges", true, value, err);
    json_decref(object);
    return good;
}

/* [[LOW, HIGH], ...]; *range is the caller's to free in any case. */
static bool take_ranges(const json_t *arguments, struct line_range **range, size_t *count,
                        struct error *err)
{
    const json_t *given = json_object_get(arguments, "ranges");
    *count = json_array_size(given);
    if ((given && !json_is_array(given)) || *count > LINE_RANGES_MOST)
        return error_set(err, ERROR_USAGE, "argument `ranges` is to be up to %d pairs of pcs",
                         LINE_RANGES_MOST);
    *range = mem_new(*count + 1, sizeof **range);
    for (size_t i = 0; i < *count; i++) {
        const json_t *pair = json_array_get(given, i);
        if (json_array_size(pair) != 2)
            return error_set(err, ERROR_USAGE, "argument `ranges` is to have pairs of pcs");
        if (!take_element(pair, 0, &(*range)[i].low, err) ||
            !take_element(pair, 1, &(*range)[i].high, err))
            return false;
    }
    return true;
}

static bool take_request(const struct timeline *tl, const json_t *arguments, struct line_request *r,
                         struct line_range **range, struct error *err)
{
    const char *mode = NULL;
    *r = (struct line_request){0};
    if (!json_take_string(arguments, "mode", true, &mode, err) || !find_mode(mode, &r->mode, err) ||
        !json_take_hart(arguments, tl, &r->hart, err) ||
        !json_take_u64(arguments, "low", true, &r->low, err) ||
        !json_take_u64(arguments, "high", true, &r->high, err) ||
        !take_ranges(arguments, range, &r->ranges, err))
        return false;
    r->range = *range;
    r->sp = stack_pointer(tl, r->hart);
    r->entry = r->low;
    return json_take_u64(arguments, "sp", false, &r->sp, err) &&
           json_take_u64(arguments, "entry", false, &r->entry, err) &&
           json_take_u64(arguments, "cfa", false, &r->cfa, err);
}

static json_t *row_line(struct command_context *c, const json_t *arguments, struct error *err)
{
    struct line_request request;
    struct line_range *range = NULL;
    if (take_request(c->timeline, arguments, &request, &range, err))
        timeline_line_back(c->timeline, &request, err);
    free(range);
    return NULL;
}

static json_t *row_step_over_interrupts(struct command_context *c, const json_t *arguments,
                                        struct error *err)
{
    bool on = timeline_step_over_interrupts(c->timeline);
    if (!json_take_bool(arguments, "on", &on, err))
        return NULL;
    timeline_set_step_over_interrupts(c->timeline, on);
    return json_pack("{s:b}", "on", (int)on);
}

const struct json_row json_rows_line[] = {
    {"line", row_line, "mode hart low high ranges sp entry cfa", true},
    {"step-over-interrupts", row_step_over_interrupts, "on", false},
    {0},
};

/* ---- the same for people ---- */

static const char *next_word(const char *text, char word[WORD])
{
    text += strspn(text, " \t");
    size_t size = strcspn(text, " \t");
    snprintf(word, WORD, "%.*s", (int)(size < WORD ? size : WORD - 1), text);
    return text + size;
}

/* MODE LOW HIGH [LOW HIGH]... */
static bool parse_request(struct command_context *c, const char *text, struct line_request *r,
                          struct line_range *range, size_t most, struct error *err)
{
    char low[WORD], high[WORD];
    text = next_word(text, low);
    if (!find_mode(low, &r->mode, err))
        return false;
    r->hart = timeline_machine(c->timeline)->state.running;
    r->sp = stack_pointer(c->timeline, r->hart);
    r->range = range;
    for (size_t i = 0;; i++) {
        text = next_word(text, low);
        text = next_word(text, high);
        if (!*low && i)
            break;
        if (i > most || !*high)
            return error_set(err, ERROR_USAGE,
                             "reverse-line needs the pcs where the function begins and ends, then "
                             "those of the line");
        uint64_t *from = i ? &range[i - 1].low : &r->low, *to = i ? &range[i - 1].high : &r->high;
        if (!commands_address(c, low, from, err) || !commands_address(c, high, to, err))
            return false;
        r->ranges = i;
    }
    r->entry = r->low;
    return true;
}

void commands_reverse_line(struct command_context *c, const char *argument, struct buffer *out)
{
    enum { RANGES = 32 };
    struct line_range range[RANGES];
    struct line_request request = {0};
    struct error err = ERROR_INIT;
    if (!parse_request(c, argument, &request, range, RANGES, &err) ||
        !timeline_line_back(c->timeline, &request, &err))
        buffer_printf(out, "%s\n", err.message);
}

void commands_step_over_interrupts(struct command_context *c, const char *argument,
                                   struct buffer *out)
{
    struct timeline *tl = c->timeline;
    bool on = !strcmp(argument, "on");
    if (*argument && !on && strcmp(argument, "off") != 0) {
        buffer_printf(out, "step-over-interrupts takes on or off, not `%.80s`\n", argument);
        return;
    }
    if (*argument)
        timeline_set_step_over_interrupts(tl, on);
    buffer_append_string(out, timeline_step_over_interrupts(tl)
                                  ? "steps pass over the handlers of interrupts\n"
                                  : "steps go into the handlers of interrupts\n");
}
