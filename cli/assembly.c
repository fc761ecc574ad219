#include "cli/assembly.h"

#include "base/check.h"
#include "base/log.h"
#include "cli/commands.h"
#include "cli/gdb_script.h"
#include "cli/numbers.h"
#include "cli/recording_content.h"
#include "cli/run_inputs.h"
#include "timeline/bookmarks.h"
#include "timeline/branches.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct assembly {
    struct run_inputs inputs;
    struct riscv_virt *board;
    struct server *server;
    struct timeline *timeline;
    struct content *content;
    struct crash_options crash;
    struct command_context commands;
};

static struct server *make_server(const struct run_options *o, const struct crash_options *crash,
                                  struct error *err)
{
    struct server_options options = {
        .gdb = *o->gdb ? o->gdb : NULL,
        .offer = gdb_script_offer,
        .lines = o->lines,
        .controls = o->controls,
        .name = o->name,
        .network = o->network,
        .networks = o->networks,
        .paused = o->stopped,
        .no_shutdown = o->no_shutdown,
        .has_stop_at = o->stop_at != POSITION_NONE,
        .stop_at = o->stop_at,
        .crash = crash,
    };
    for (unsigned i = 0; i < o->lines; i++)
        options.line[i] = (struct server_line){o->line[i].channel, o->line[i].where};
    for (unsigned i = 0; i < o->controls; i++)
        options.control[i] = (struct server_control){o->control[i].where, o->control[i].pretty};
    return server_new(&options, err);
}

static struct timeline *make_timeline(const struct assembly *a, const struct run_options *o)
{
    struct timeline_options options = {
        .spacing_ns = o->spacing_ns,
        .spacing_steps = o->spacing_steps,
        .budget = o->budget,
        .checkpoints_off = o->checkpoints_off,
        .warp = o->warp,
        .keep_ns = o->keep_ns,
        .host = server_host(a->server),
    };
    run_inputs_set_host(&a->inputs, &options.host);
    return timeline_new(riscv_virt_machine(a->board), &options);
}

static bool network_counters_of(void *ctx, unsigned index, struct network_counters *counters)
{
    const struct assembly *a = ctx;
    return server_network_counters(a->server, index, counters);
}

static bool content_of(void *ctx, const struct recording_content **content, struct error *err)
{
    const struct assembly *a = ctx;
    (void)err;
    *content = content_get(a->content);
    return true;
}

/* Of an earlier recording; see check_output in run_inputs.c. */
static void clear_output(const char *path)
{
    struct buffer incomplete = {0};
    buffer_printf(&incomplete, "%s.incomplete", path);
    unlink(path);
    unlink(buffer_text(&incomplete));
    buffer_fini(&incomplete);
}

static bool begin_recording(struct assembly *a, const struct run_options *o, struct error *err)
{
    const struct recording_options options = {
        .path = o->output, .content = content_get(a->content), .keep_bytes = o->keep_bytes};
    if (o->snapshot && !timeline_bookmark(a->timeline, o->snapshot, NULL, err))
        return error_prefix(err, "-icount rrsnapshot");
    if (o->output_replaces)
        clear_output(o->output);
    return !o->output || timeline_record(a->timeline, &options, err) || error_prefix(err, "-o");
}

static bool make(struct assembly *a, const struct run_options *o, struct error *err)
{
    if (!run_inputs_open(&a->inputs, o, err))
        return false;
    a->board = riscv_virt_new(&a->inputs.machine, err);
    if (!a->board)
        return false;
    if (!crash_triggers_resolve(&o->crash, a->inputs.kept, &a->crash, err))
        return false;
    a->server = make_server(o, &a->crash, err);
    if (!a->server)
        return false;
    a->timeline = make_timeline(a, o);
    a->content = content_new(o, &a->inputs, a->board);
    a->commands = (struct command_context){
        .timeline = a->timeline,
        .disks = a->inputs.disks,
        .disk_read_only = a->inputs.disk_read_only,
        .network = network_counters_of,
        .network_ctx = a,
        .content = content_of,
        .content_ctx = a,
        .kept = a->inputs.kept,
    };
    const struct interpreter interpreter = commands_interpreter(&a->commands);
    return server_attach(a->server, a->timeline, &interpreter, err) && begin_recording(a, o, err);
}

struct assembly *assembly_new(const struct run_options *options, struct error *err)
{
    struct assembly *a = mem_new(1, sizeof *a);
    if (make(a, options, err))
        return a;
    assembly_free(a);
    return NULL;
}

static void say_recorded(const char *path, uint64_t positions)
{
    char count[NUMBER_TEXT], size[NUMBER_TEXT];
    struct stat st;
    number_format(positions, count);
    number_format_size(stat(path, &st) ? 0 : (uint64_t)st.st_size, size);
    log_line(LOG_INFO, "recorded to %s: %s positions, %s; open it with `backstep replay %s`", path,
             count, size, path);
}

/* Branches are told of in the file, but are no part of its length. */
static uint64_t main_length(const struct timeline *tl)
{
    struct branch_info main;
    timeline_branch_get(tl, 0, &main);
    return main.tip - timeline_begin(tl);
}

static bool close_recording(struct assembly *a)
{
    struct error err = ERROR_INIT;
    const char *path = a->timeline ? timeline_record_path(a->timeline) : NULL;
    if (!path)
        return true;
    char *name = strdup(path);
    bool ok = timeline_record_close(a->timeline, &err);
    if (ok)
        say_recorded(name, main_length(a->timeline));
    else
        log_line(LOG_WARN, "the recording is not whole: %s", err.message);
    free(name);
    return ok;
}

bool assembly_finish(struct assembly *a)
{
    server_free(a->server);
    a->server = NULL;
    return close_recording(a);
}

void assembly_free(struct assembly *a)
{
    if (!a)
        return;
    server_free(a->server);
    commands_close(&a->commands);
    close_recording(a);
    timeline_free(a->timeline);
    content_free(a->content);
    riscv_virt_free(a->board);
    run_inputs_close(&a->inputs);
    free(a);
}

struct server *assembly_server(struct assembly *a)
{
    return a->server;
}

struct timeline *assembly_timeline(struct assembly *a)
{
    return a->timeline;
}

struct riscv_virt *assembly_another_board(const struct assembly *a, struct error *err)
{
    return riscv_virt_new(&a->inputs.machine, err);
}
