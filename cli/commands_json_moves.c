/* Rows that say where the machine stands, and move it. */
#include "base/check.h"
#include "cli/commands_json.h"
#include "cli/json_values.h"
#include "timeline/bookmarks.h"
#include "timeline/branches.h"

#include <stdlib.h>
#include <string.h>

enum { STEPS_MOST = 1000000, CHECKPOINTS_PART = 64, CHECKPOINTS_MOST = 16384 };

/* ---- when ---- */

static json_t *bookmarks_here(const struct timeline *tl)
{
    const struct bookmark *b;
    json_t *names = json_array();
    for (size_t i = 0; (b = timeline_bookmark_get(tl, i)); i++)
        if (b->position == timeline_position(tl))
            json_array_append_new(names, json_string(b->name));
    return names;
}

static json_t *row_when(struct command_context *c, const json_t *arguments, struct error *err)
{
    (void)arguments, (void)err;
    struct timeline *tl = c->timeline;
    const struct machine *m = timeline_machine(tl);
    struct branch_info branch;
    timeline_branch_now(tl, &branch);
    json_t *object = json_place_here(tl, m->state.running);
    json_t *more = json_pack(
        "{s:o, s:o, s:b, s:o, s:s, s:o, s:o, s:b}", "tip", json_u64(timeline_tip(tl)), "begin",
        json_u64(timeline_begin(tl)), "live", (int)timeline_live(tl), "vtime_ns",
        json_u64(clock_vtime(&m->clock)), "branch", branch.name, "bookmarks", bookmarks_here(tl),
        "resets", json_u64(m->state.resets), "halted", (int)(m->state.halt != HALT_NONE));
    json_object_update(object, more);
    json_decref(more);
    return object;
}

/* ---- movements ---- */

static json_t *row_goto(struct command_context *c, const json_t *arguments, struct error *err)
{
    uint64_t position;
    timeline_end_call(c->timeline);
    if (json_take_position(arguments, "to", c->timeline, true, &position, err))
        timeline_seek(c->timeline, position);
    return NULL;
}

struct steps {
    unsigned hart;
    uint64_t left;
    bool reverse;
};

static void step(struct timeline *tl, struct steps *steps)
{
    steps->left--;
    if (steps->reverse)
        timeline_reverse_step(tl, steps->hart);
    else
        timeline_step(tl, steps->hart);
}

static json_t *stepped(struct command_context *c, const struct stop *stop, struct error *err)
{
    (void)err;
    struct steps *steps = c->pending;
    if (stop->reason != STOP_DONE || !steps->left)
        return json_stop(c->timeline, stop);
    step(c->timeline, steps);
    return NULL;
}

static json_t *take_steps(struct command_context *c, const json_t *arguments, bool reverse,
                          struct error *err)
{
    unsigned hart;
    uint64_t count = 1;
    if (!json_take_hart(arguments, c->timeline, &hart, err) ||
        !json_take_within(arguments, "count", 1, STEPS_MOST, &count, err))
        return NULL;
    struct steps *steps = mem_new(1, sizeof *steps);
    *steps = (struct steps){hart, count, reverse};
    c->pending = steps;
    c->pending_free = free;
    c->json_finish = stepped;
    step(c->timeline, steps);
    return NULL;
}

static json_t *row_step(struct command_context *c, const json_t *arguments, struct error *err)
{
    return take_steps(c, arguments, false, err);
}

static json_t *row_reverse_step(struct command_context *c, const json_t *arguments,
                                struct error *err)
{
    return take_steps(c, arguments, true, err);
}

static json_t *row_continue(struct command_context *c, const json_t *arguments, struct error *err)
{
    (void)arguments, (void)err;
    timeline_continue(c->timeline);
    return NULL;
}

static json_t *row_reverse_continue(struct command_context *c, const json_t *arguments,
                                    struct error *err)
{
    (void)arguments, (void)err;
    timeline_reverse_continue(c->timeline);
    return NULL;
}

/* ---- bookmarks ---- */

static json_t *bookmark_object(const struct bookmark *b)
{
    /* A note may be any bytes, and is cut at one. */
    return json_pack("{s:s, s:o, s:o}", "name", b->name, "position", json_u64(b->position), "note",
                     json_text(b->note, strlen(b->note)));
}

static json_t *row_bookmarks(struct command_context *c, const json_t *arguments, struct error *err)
{
    (void)arguments, (void)err;
    const struct bookmark *b;
    json_t *list = json_array();
    for (size_t i = 0; (b = timeline_bookmark_get(c->timeline, i)); i++)
        json_array_append_new(list, bookmark_object(b));
    return json_pack("{s:o}", "bookmarks", list);
}

static json_t *row_bookmark(struct command_context *c, const json_t *arguments, struct error *err)
{
    const char *name = NULL, *note = NULL;
    uint64_t at = timeline_position(c->timeline);
    if (!json_take_string(arguments, "name", true, &name, err) ||
        !json_take_string(arguments, "note", false, &note, err) ||
        !json_take_position(arguments, "at", c->timeline, false, &at, err) ||
        !timeline_bookmark_at(c->timeline, at, name, note, err))
        return NULL;
    return bookmark_object(timeline_bookmark_find(c->timeline, name));
}

static json_t *row_bookmark_delete(struct command_context *c, const json_t *arguments,
                                   struct error *err)
{
    const char *name = NULL;
    if (!json_take_string(arguments, "name", true, &name, err))
        return NULL;
    if (timeline_bookmark_remove(c->timeline, name))
        return json_object();
    error_set(err, ERROR_RANGE, "there is no bookmark `%.80s`", name);
    return NULL;
}

/* ---- checkpoints ---- */

static json_t *row_checkpoints(struct command_context *c, const json_t *arguments,
                               struct error *err)
{
    (void)arguments, (void)err;
    struct checkpoint_info part[CHECKPOINTS_PART];
    json_t *list = json_array();
    size_t count = 0, n;
    while (count < CHECKPOINTS_MOST &&
           (n = timeline_checkpoints(c->timeline, count, part, CHECKPOINTS_PART))) {
        for (size_t i = 0; i < n; i++)
            json_array_append_new(list, json_pack("{s:o, s:o, s:b}", "position",
                                                  json_u64(part[i].position), "cost_ns",
                                                  json_u64(part[i].cost_ns), "approach",
                                                  (int)part[i].approach));
        count += n;
    }
    return json_pack("{s:o, s:o, s:o}", "checkpoints", list, "begin",
                     json_u64(timeline_begin(c->timeline)), "tip",
                     json_u64(timeline_tip(c->timeline)));
}

const struct json_row json_rows_moves[] = {
    {"when", row_when, "", false},
    {"goto", row_goto, "to", true},
    {"step", row_step, "hart count", true},
    {"reverse-step", row_reverse_step, "hart count", true},
    {"continue", row_continue, "", true},
    {"reverse-continue", row_reverse_continue, "", true},
    {"bookmark", row_bookmark, "name note at", false},
    {"bookmark-delete", row_bookmark_delete, "name", false},
    {"bookmarks", row_bookmarks, "", false},
    {"checkpoints", row_checkpoints, "", false},
    {0},
};
