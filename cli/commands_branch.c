/* What-if, typed: branch, branches, switch. */
#include "cli/commands_info.h"
#include "cli/commands_json.h"
#include "cli/json_values.h"
#include "cli/numbers.h"
#include "timeline/branches.h"

#include <string.h>

/* "main", a branch's name, or words for a diversion. */
static const char *shown(const char *name)
{
    return *name ? name : "(a diversion: `branch NAME` keeps it)";
}

static void append_branch(const struct branch_info *info, struct buffer *out)
{
    char origin[NUMBER_TEXT], tip[NUMBER_TEXT];
    number_format(info->origin, origin);
    number_format(info->tip, tip);
    buffer_printf(out, "%c %s", info->current ? '*' : ' ', shown(info->name));
    if (*info->parent)
        buffer_printf(out, ": from %s at %s to %s", info->parent, origin, tip);
    else
        buffer_printf(out, ": to %s", tip);
    buffer_append_byte(out, '\n');
}

void commands_branches(struct command_context *c, const char *argument, struct buffer *out)
{
    (void)argument;
    struct branch_info info;
    for (size_t i = 0; timeline_branch_get(c->timeline, i, &info); i++)
        append_branch(&info, out);
}

void commands_branch(struct command_context *c, const char *argument, struct buffer *out)
{
    struct error err = ERROR_INIT;
    struct branch_info info;
    char position[NUMBER_TEXT];
    const char *name = argument + strspn(argument, " \t");
    if (!*name) {
        commands_branches(c, argument, out);
        return;
    }
    bool removes = !strncmp(name, "-d", 2) && strchr(" \t", name[2]);
    if (removes)
        name += 2 + strspn(name + 2, " \t");
    if (removes ? !timeline_branch_remove(c->timeline, name, &err)
                : !timeline_branch(c->timeline, name, &err)) {
        buffer_printf(out, "%s\n", err.message);
        return;
    }
    timeline_branch_now(c->timeline, &info);
    number_format(info.origin, position);
    if (removes)
        buffer_printf(out, "branch %s is gone\n", name);
    else
        buffer_printf(out, "branch %s, from %s at %s\n", info.name, info.parent, position);
}

void commands_switch(struct command_context *c, const char *argument, struct buffer *out)
{
    struct error err = ERROR_INIT;
    if (!timeline_switch(c->timeline, argument, &err))
        buffer_printf(out, "%s\n", err.message);
}

void commands_append_branch(struct command_context *c, struct buffer *out)
{
    struct branch_info info;
    char origin[NUMBER_TEXT];
    timeline_branch_now(c->timeline, &info);
    number_format(info.origin, origin);
    if (*info.parent)
        buffer_printf(out,
                      *info.name ? "on branch %s, from %s at %s\n"
                                 : "in a diversion%s from %s at %s: `branch NAME` keeps it\n",
                      info.name, info.parent, origin);
}

/* ---- in JSON ---- */

static json_t *json_branch(const struct branch_info *info)
{
    return json_pack("{s:s, s:s, s:o, s:o, s:o, s:b}", "name", info->name, "parent", info->parent,
                     "origin", json_u64(info->origin), "tip", json_u64(info->tip), "events",
                     json_u64(info->events), "current", info->current);
}

static json_t *row_branches(struct command_context *c, const json_t *arguments, struct error *err)
{
    (void)arguments, (void)err;
    struct branch_info info;
    json_t *list = json_array();
    for (size_t i = 0; timeline_branch_get(c->timeline, i, &info); i++)
        json_array_append_new(list, json_branch(&info));
    return json_pack("{s:o}", "branches", list);
}

static json_t *row_branch(struct command_context *c, const json_t *arguments, struct error *err)
{
    const char *name = NULL;
    struct branch_info info;
    if (!json_take_string(arguments, "name", true, &name, err) ||
        !timeline_branch(c->timeline, name, err))
        return NULL;
    timeline_branch_now(c->timeline, &info);
    return json_branch(&info);
}

static json_t *row_switch(struct command_context *c, const json_t *arguments, struct error *err)
{
    const char *name = NULL;
    if (json_take_string(arguments, "name", true, &name, err))
        timeline_switch(c->timeline, name, err);
    return NULL;
}

static json_t *row_branch_delete(struct command_context *c, const json_t *arguments,
                                 struct error *err)
{
    const char *name = NULL;
    if (!json_take_string(arguments, "name", true, &name, err) ||
        !timeline_branch_remove(c->timeline, name, err))
        return NULL;
    return json_object();
}

const struct json_row json_rows_branches[] = {
    {"branches", row_branches, "", false},
    {"branch", row_branch, "name", false},
    {"branch-delete", row_branch_delete, "name", false},
    {"switch", row_switch, "name", true},
    {0},
};
