#include "cli/replay.h"

#include "base/check.h"
#include "base/log.h"
#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/numbers.h"
#include "cli/recorded_run.h"
#include "server/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STATUS_BAD = 2, COMMAND_SHOWN = 300 };

struct words {
    const char *file, *at, *gdb, *serial, *budget;
    bool gdb_short, stopped;
};

struct replay {
    struct run_options options; /* gdb, serial and budget, as `run` takes them */
    struct server *server;
    struct recorded_run *run;
    struct command_context commands;
};

/* ---- options ---- */

static enum arguments_result parse(struct words *w, int argc, char **argv, struct error *err)
{
    const struct argument table[] = {
        {.name = "at",
         .argument = "POSITION",
         .help = "where to stand: N, start, end (default), N%, -N from the end,\na bookmark's name",
         .value = &w->at},
        {.name = "gdb",
         .argument = "WHERE",
         .help = "where gdb connects: tcp:HOST:PORT, unix:PATH or stdio (default: a\nfree port, "
                 "which is said)",
         .value = &w->gdb},
        {.name = "s", .help = "the same as -gdb tcp::1234", .flag = &w->gdb_short},
        {.name = "S", .help = "accepted: it never runs by itself", .flag = &w->stopped},
        {.name = "serial",
         .argument = "WHERE",
         .help = "the serial port, for who runs on beyond the end, as in `backstep\nrun`; without "
                 "it the guest's output goes to stdout",
         .value = &w->serial},
        {.name = "memory-budget",
         .argument = "SIZE",
         .help = "memory for checkpoints and log (default: as recorded)",
         .value = &w->budget},
    };
    const struct arguments a = {
        "replay", "FILE [OPTION]...",
        "Opens a recording for gdb, at its end. From there the machine goes back, and forward "
        "again\n"
        "as it was; beyond the end it runs on, if gdb says so. FILE is never changed.\n",
        table, sizeof table / sizeof *table};
    return arguments_parse(&a, argc, argv, &w->file, err);
}

/* By the options of `run`, which know what is possible. */
static bool parse_places(struct run_options *o, const struct words *w, struct error *err)
{
    char *argv[8];
    int argc = 0;
    const struct {
        const char *name, *value;
    } given[] = {
        {"-gdb", w->gdb         ? w->gdb
                 : w->gdb_short ? "tcp::1234"
                                : "tcp:127.0.0.1:0"},
        {"-serial", w->serial ? w->serial : "null"},
        {"--memory-budget", w->budget},
    };
    for (size_t i = 0; i < sizeof given / sizeof *given; i++) {
        if (!given[i].value)
            continue;
        argv[argc++] = (char *)(uintptr_t)given[i].name;
        argv[argc++] = (char *)(uintptr_t)given[i].value;
    }
    return options_parse(o, argc, argv, err);
}

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
    const struct server_options options = {
        .gdb = r->options.gdb,
        .line = {{CHANNEL_SERIAL0, r->options.line[0].where}},
        .lines = 1,
        .rests = true,
    };
    r->server = server_new(&options, err);
    return r->server != NULL;
}

static bool content_of(void *ctx, const struct recording_content **content, struct error *err)
{
    *content = recorded_run_content(ctx, err);
    return *content != NULL;
}

static bool open_run(struct replay *r, const struct words *w, struct error *err)
{
    struct recorded_run_options options = {.budget = w->budget ? r->options.budget : 0,
                                           .host = server_host(r->server)};
    if (!w->serial) {
        options.host.output = strcmp(r->options.gdb, "stdio") != 0 ? output : NULL;
        /* Its clock needs no context. */
        options.host.ctx = r;
    }
    r->run = recorded_run_open(w->file, &options, err);
    if (!r->run)
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

/* `at` may be NULL: where it stands. */
static bool find_place(struct replay *r, const char *at, uint64_t *position, struct error *err)
{
    *position = timeline_position(r->commands.timeline);
    return !at || recorded_run_position(r->run, at, position, err) || error_prefix(err, "--at");
}

static bool go(struct replay *r, const char *at, uint64_t position, struct error *err)
{
    struct timeline *tl = r->commands.timeline;
    struct stop stop;
    if (position == timeline_position(tl))
        return true;
    timeline_seek(tl, position);
    timeline_finish(tl, &stop);
    return stop.reason != STOP_DIVERGED ||
           error_set(err, ERROR_DIVERGED, "--at %.80s: %.300s", at, stop.text);
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

static void say_end(const struct recording_info *info, const struct machine *m, struct buffer *line)
{
    static const char *const halt[] = {[HALT_POWER_OFF] = "the machine is switched off",
                                       [HALT_EXIT] = "the guest has ended the run",
                                       [HALT_RESET] = "the guest has asked for a reset"};
    if (info->reason)
        buffer_printf(line, "the run has ended by %s: %s", info->reason,
                      info->verdict ? info->verdict : "");
    else if (m->state.halt)
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
    say_end(&info, timeline_machine(tl), &line);
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

static bool begin(struct replay *r, const struct words *w, struct error *err)
{
    const struct interpreter interpreter = {commands_run, &r->commands, commands_move};
    uint64_t position;
    if (!parse_places(&r->options, w, err) || !open_server(r, err) || !open_run(r, w, err))
        return false;
    if (!find_place(r, w->at, &position, err))
        return false;
    say_all(r);
    if (!go(r, w->at, position, err))
        return false;
    say_place(r);
    return server_attach(r->server, r->commands.timeline, &interpreter, err);
}

int replay_main(int argc, char **argv)
{
    struct words words = {0};
    struct error err = ERROR_INIT;
    enum arguments_result parsed = parse(&words, argc, argv, &err);
    if (parsed != ARGUMENTS_GOOD)
        return parsed == ARGUMENTS_HELP ? 0 : command_failed(STATUS_BAD, &err);
    struct replay *r = mem_new(1, sizeof *r);
    int status = begin(r, &words, &err) ? server_run(r->server) : command_failed(STATUS_BAD, &err);
    server_free(r->server);
    recorded_run_free(r->run);
    options_fini(&r->options);
    free(r);
    return status;
}
