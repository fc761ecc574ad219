#include "cli/assembly.h"

#include "base/check.h"
#include "cli/commands.h"
#include "cli/run_inputs.h"

#include <stdlib.h>

struct assembly {
    struct run_inputs inputs;
    struct riscv_virt *board;
    struct server *server;
    struct timeline *timeline;
    struct command_context commands;
};

static struct server *make_server(const struct run_options *o, struct error *err)
{
    struct server_options options = {
        .gdb = *o->gdb ? o->gdb : NULL,
        .lines = o->lines,
        .network = o->network,
        .networks = o->networks,
        .paused = o->stopped,
        .no_shutdown = o->no_shutdown,
        .has_stop_at = o->stop_at != POSITION_NONE,
        .stop_at = o->stop_at,
    };
    for (unsigned i = 0; i < o->lines; i++)
        options.line[i] = (struct server_line){o->line[i].channel, o->line[i].where};
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

static bool make(struct assembly *a, const struct run_options *o, struct error *err)
{
    if (!run_inputs_open(&a->inputs, o, err))
        return false;
    a->board = riscv_virt_new(&a->inputs.machine, err);
    if (!a->board)
        return false;
    a->server = make_server(o, err);
    if (!a->server)
        return false;
    a->timeline = make_timeline(a, o);
    a->commands = (struct command_context){
        .timeline = a->timeline,
        .disks = a->inputs.disks,
        .disk_read_only = a->inputs.disk_read_only,
        .network = network_counters_of,
        .network_ctx = a,
    };
    const struct interpreter interpreter = {commands_run, &a->commands, commands_move};
    return server_attach(a->server, a->timeline, &interpreter, err);
}

struct assembly *assembly_new(const struct run_options *options, struct error *err)
{
    struct assembly *a = mem_new(1, sizeof *a);
    if (make(a, options, err))
        return a;
    assembly_free(a);
    return NULL;
}

void assembly_free(struct assembly *a)
{
    if (!a)
        return;
    server_free(a->server);
    timeline_free(a->timeline);
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
