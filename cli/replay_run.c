#include "cli/replay_run.h"

#include "base/check.h"
#include "base/log.h"
#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/gdb_script.h"
#include "cli/numbers.h"
#include "cli/recorded_run.h"
#include "cli/replay_agree.h"
#include "server/server.h"
#include "timeline/bookmarks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COMMAND_SHOWN = 300 };

struct replay {
    const struct replay_options *options;
    struct server *server;
    struct recorded_run *run;
    struct command_context commands;
};

/* ---- opening ---- */

static void output(void *ctx, unsigned channel, const uint8_t *bytes, size_t size)
{
    (void)ctx;
    if (channel != CHANNEL_SERIAL0 && channel != CHANNEL_SEMIHOST)
        return;
    fwrite(bytes, 1, size, stdout);
    fflush(stdout);
}

static bool open_server(struct replay *r, struct error *err)
{
    const struct run_options *o = r->options->options;
    struct server_options options = {
        .gdb = *o->gdb ? o->gdb : NULL,
        .offer = gdb_script_offer,
        .controls = o->controls,
        .name = o->name,
        .replayed = r->options->file,
        .lines = o->lines,
        .paused = o->stopped,
        .rests = true,
        .plays = r->options->plays,
    };
    for (unsigned i = 0; i < o->lines; i++)
        options.line[i] = (struct server_line){o->line[i].channel, o->line[i].where};
    for (unsigned i = 0; i < o->controls; i++)
        options.control[i] = (struct server_control){o->control[i].where, o->control[i].pretty};
    r->server = server_new(&options, err);
    return r->server != NULL;
}

static bool content_of(void *ctx, const struct recording_content **content, struct error *err)
{
    *content = recorded_run_content(ctx, err);
    return *content != NULL;
}

static bool open_run(struct replay *r, struct error *err)
{
    const struct replay_options *from = r->options;
    struct recorded_run_options options = {
        .budget = from->budget, .host = server_host(r->server), .at_begin = from->at_begin};
    if (from->prints) {
        options.host.output = strcmp(from->options->gdb, "stdio") != 0 ? output : NULL;
        /* Its clock needs no context. */
        options.host.ctx = r;
    }
    r->run = recorded_run_open(from->file, &options, err);
    if (!r->run || (from->must_agree && !replay_agrees(from->options, r->run, err)))
        return false;
    r->commands = (struct command_context){
        .timeline = recorded_run_timeline(r->run),
        .disks = recorded_run_disks(r->run),
        .content = content_of,
        .content_ctx = r->run,
        .opened = recorded_run_recording(r->run),
        .opened_path = recorded_run_path(r->run),
        .recorded = r->run,
    };
    return true;
}

static bool find_bookmark(struct replay *r, const char *name, uint64_t *position, struct error *err)
{
    const struct bookmark *found = timeline_bookmark_find(r->commands.timeline, name);
    if (found)
        *position = found->position;
    return found || error_set(err, ERROR_USAGE,
                              "%.200s has no bookmark `%.60s`: without rrsnapshot it is opened at "
                              "its start",
                              r->commands.opened_path, name);
}

static bool find_place(struct replay *r, uint64_t *position, struct error *err)
{
    const char *at = r->options->at;
    *position = timeline_position(r->commands.timeline);
    if (!at)
        return true;
    if (r->options->bookmarked)
        return find_bookmark(r, at, position, err) || error_prefix(err, "-icount");
    return recorded_run_position(r->run, at, position, err) || error_prefix(err, "--at");
}

static bool go(struct replay *r, uint64_t position, struct error *err)
{
    struct timeline *tl = r->commands.timeline;
    struct stop stop;
    if (position == timeline_position(tl))
        return true;
    timeline_seek(tl, position);
    timeline_finish(tl, &stop);
    return stop.reason != STOP_DIVERGED ||
           error_set(err, ERROR_DIVERGED, "--at %.80s: %.300s", r->options->at, stop.text);
}

/* ---- what is said ---- */

static void say(struct buffer *line)
{
    struct buffer plain = {0};
    append_plain(&plain, buffer_text(line));
    log_line(LOG_INFO, "%s", buffer_text(&plain));
    buffer_fini(&plain);
    buffer_clear(line);
}

static void say_end(const struct recording_info *info, const struct machine *m, bool at_end,
                    struct buffer *line)
{
    static const char *const halt[] = {[HALT_POWER_OFF] = "the machine is switched off",
                                       [HALT_EXIT] = "the guest has ended the run",
                                       [HALT_RESET] = "the guest has asked for a reset"};
    if (info->reason)
        buffer_printf(line, "the run has ended by %s: %s", info->reason,
                      info->verdict ? info->verdict : "");
    else if (at_end && m->state.halt)
        buffer_printf(line, "at the end %s", halt[m->state.halt]);
    else
        return;
    say(line);
}

static void say_all(struct replay *r)
{
    const struct recorded_origin origin = recorded_run_origin(r->run);
    struct timeline *tl = r->commands.timeline;
    struct recording_info info;
    char begin[NUMBER_TEXT], tip[NUMBER_TEXT];
    struct buffer line = {0};
    recording_info(r->commands.opened, &info);
    buffer_printf(&line, "%s: recorded %s on %s: ", r->commands.opened_path, origin.date,
                  origin.host);
    append_cut(&line, origin.command, COMMAND_SHOWN);
    say(&line);
    number_format(info.begin, begin);
    number_format(info.tip, tip);
    buffer_printf(&line, "positions %s to %s, %.3f s of guest time", begin, tip,
                  (double)(info.tip_ns - info.begin_ns) / 1e9);
    say(&line);
    say_end(&info, timeline_machine(tl), timeline_position(tl) == info.tip, &line);
    buffer_fini(&line);
}

static void say_place(struct replay *r)
{
    struct timeline *tl = r->commands.timeline;
    char here[NUMBER_TEXT];
    number_format(timeline_position(tl), here);
    log_line(LOG_INFO, "stands at position %s%s; `backstep help` and gdb's `monitor help` say more",
             here, timeline_live(tl) ? ", the end" : "");
}

/* ---- together ---- */

static bool begin(struct replay *r, struct error *err)
{
    const struct interpreter interpreter = commands_interpreter(&r->commands);
    uint64_t position;
    if (!open_server(r, err) || !open_run(r, err) || !find_place(r, &position, err))
        return false;
    say_all(r);
    if (!go(r, position, err))
        return false;
    say_place(r);
    return server_attach(r->server, r->commands.timeline, &interpreter, err);
}

int replay_run(const struct replay_options *options, struct error *err)
{
    struct replay *r = mem_new(1, sizeof *r);
    r->options = options;
    int status = begin(r, err) ? server_run(r->server) : -1;
    server_free(r->server);
    commands_close(&r->commands);
    recorded_run_free(r->run);
    free(r);
    return status;
}
