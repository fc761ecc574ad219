/* Commands around recordings and bookmarks. */
#include "cli/commands_info.h"
#include "cli/export_core.h"
#include "cli/numbers.h"
#include "cli/recorded_run.h"
#include "timeline/bookmarks.h"
#include "timeline/branches.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* ---- bookmarks ---- */

static void append_bookmark(const struct bookmark *b, struct buffer *out)
{
    char position[NUMBER_TEXT];
    number_format(b->position, position);
    buffer_printf(out, "%20s  %s%s%s\n", position, b->name, *b->note ? ": " : "", b->note);
}

void commands_bookmarks(struct command_context *c, const char *argument, struct buffer *out)
{
    (void)argument;
    const struct bookmark *b;
    for (size_t i = 0; (b = timeline_bookmark_get(c->timeline, i)); i++)
        append_bookmark(b, out);
    if (!timeline_bookmark_get(c->timeline, 0))
        buffer_append_string(out, "there are no bookmarks: `bookmark NAME` makes one here\n");
}

static void remove_bookmark(struct command_context *c, const char *name, struct buffer *out)
{
    if (!*name)
        buffer_append_string(out, "`bookmark -d` needs a name: `bookmarks` lists them\n");
    else if (!timeline_bookmark_remove(c->timeline, name))
        buffer_printf(out, "there is no bookmark `%.80s`: `bookmarks` lists them\n", name);
}

void commands_bookmark(struct command_context *c, const char *argument, struct buffer *out)
{
    struct error err = ERROR_INIT;
    size_t size = strcspn(argument, " \t");
    const char *rest = argument + size + strspn(argument + size, " \t");
    char name[BOOKMARK_NAME + 16], position[NUMBER_TEXT];
    if (!size) {
        commands_bookmarks(c, argument, out);
        return;
    }
    if (size == 2 && !memcmp(argument, "-d", 2)) {
        remove_bookmark(c, rest, out);
        return;
    }
    snprintf(name, sizeof name, "%.*s", (int)size, argument);
    if (!timeline_bookmark(c->timeline, name, *rest ? rest : NULL, &err)) {
        buffer_printf(out, "%s\n", err.message);
        return;
    }
    number_format(timeline_position(c->timeline), position);
    buffer_printf(out, "bookmark %s at %s\n", name, position);
}

/* ---- recordings ---- */

static void append_file(const char *path, uint64_t bytes, struct buffer *out)
{
    char size[NUMBER_TEXT];
    number_format_size(bytes, size);
    buffer_printf(out, "%s, %s", path, size);
}

void commands_append_recorded(struct command_context *c, struct buffer *out)
{
    const char *path = timeline_record_path(c->timeline);
    const struct bookmark *b;
    for (size_t i = 0; (b = timeline_bookmark_get(c->timeline, i)); i++)
        if (b->position == timeline_position(c->timeline))
            buffer_printf(out, "bookmark %s%s%s\n", b->name, *b->note ? ": " : "", b->note);
    if (c->opened_path)
        buffer_printf(out, "opened from %s\n", c->opened_path);
    if (path)
        buffer_printf(out, "recorded to %s\n", path);
}

static void append_opened(struct command_context *c, struct buffer *out)
{
    struct recording_info info;
    char begin[NUMBER_TEXT], tip[NUMBER_TEXT];
    recording_info(c->opened, &info);
    number_format(info.begin, begin);
    number_format(info.tip, tip);
    buffer_append_string(out, "opened from ");
    append_file(c->opened_path, info.bytes, out);
    buffer_printf(out, ": positions %s to %s, %" PRIu64 " checkpoints, %" PRIu64 " events%s\n",
                  begin, tip, info.checkpoints, info.events,
                  info.complete ? "" : "; it was not closed");
    if (info.damage)
        buffer_printf(out, "damage: %s\n", info.damage);
    if (info.reason)
        buffer_printf(out, "the run has ended by %s: %s\n", info.reason,
                      info.verdict ? info.verdict : "");
}

void commands_info_recording(struct command_context *c, const char *argument, struct buffer *out)
{
    (void)argument;
    const char *path = timeline_record_path(c->timeline);
    if (c->opened)
        append_opened(c, out);
    if (path) {
        buffer_append_string(out, "recorded to ");
        append_file(path, timeline_record_bytes(c->timeline), out);
        buffer_append_string(out, " so far\n");
    }
    if (!c->opened && !path)
        buffer_append_string(out, "nothing is written to a file: `save FILE` writes all history, "
                                  "`run -o FILE` records to one\n");
}

/* Neither the file that this run writes, under either of its names, nor the one that was opened. */
static bool may_save(struct command_context *c, const char *path, struct error *err)
{
    const char *recorded = timeline_record_path(c->timeline);
    char incomplete[PATH_MAX + 16];
    snprintf(incomplete, sizeof incomplete, "%s.incomplete", recorded ? recorded : "");
    if (recorded && (export_same_file(path, recorded) || export_same_file(path, incomplete)))
        return error_set(err, ERROR_BUSY, "%.300s is being written by this run: give another name",
                         path);
    return !c->opened_path || recorded_run_is_not(c->opened_path, path, err);
}

void commands_save(struct command_context *c, const char *argument, struct buffer *out)
{
    struct timeline *tl = c->timeline;
    struct error err = ERROR_INIT;
    const struct recording_content *content;
    struct branch_info main;
    char positions[NUMBER_TEXT];
    struct stat st;
    if (!c->content) {
        buffer_append_string(out, "this machine was not made from files: no recording can be "
                                  "written\n");
        return;
    }
    if (!may_save(c, argument, &err) || !c->content(c->content_ctx, &content, &err) ||
        !timeline_save(tl, argument, content, 0, POSITION_NONE, &err)) {
        buffer_printf(out, "%s\n", err.message);
        return;
    }
    timeline_branch_get(tl, 0, &main);
    number_format(main.tip - timeline_begin(tl), positions);
    buffer_append_string(out, "saved to ");
    append_file(argument, stat(argument, &st) ? 0 : (uint64_t)st.st_size, out);
    buffer_printf(out, ", %s positions: `backstep replay %s` opens it\n", positions, argument);
}
