#include "cli/run.h"

#include "cli/commands.h"
#include "cli/options.h"
#include "server/server.h"

#include <stdio.h>

enum { STATUS_BAD = 2 };

static int bad(const struct error *err)
{
    fprintf(stderr, "backstep: %s\n", err->message);
    return STATUS_BAD;
}

static int help(void)
{
    struct buffer text;
    buffer_init(&text);
    options_help(&text);
    fputs(buffer_text(&text), stdout);
    buffer_fini(&text);
    return 0;
}

/* Serve until the end; -1: it did not begin. */
static int serve(struct server *server, struct machine *m, const struct run_options *o,
                 struct error *err)
{
    const struct timeline_options options = {
        .spacing_ns = o->spacing_ns,
        .spacing_steps = o->spacing_steps,
        .budget = o->budget,
        .warp = o->warp,
        .host = server_host(server),
    };
    struct timeline *timeline = timeline_new(m, &options);
    const struct interpreter interpreter = {commands_run, timeline};
    int status = server_attach(server, timeline, &interpreter, err) ? server_run(server) : -1;
    server_free(server);
    timeline_free(timeline);
    return status;
}

/* Images first: reading them changes nothing outside, while ports and files would be left behind by
 * a run that cannot begin. */
static int run(const struct run_options *o, struct error *err)
{
    const struct server_options options = {
        .gdb = *o->gdb ? o->gdb : NULL,
        .serial = o->serial,
        .paused = o->stopped,
        .no_shutdown = o->no_shutdown,
        .has_stop_at = o->stop_at != POSITION_NONE,
        .stop_at = o->stop_at,
    };
    struct riscv_virt *board = riscv_virt_new(&o->machine, err);
    if (!board)
        return -1;
    struct server *server = server_new(&options, err);
    int status = server ? serve(server, riscv_virt_machine(board), o, err) : -1;
    riscv_virt_free(board);
    return status;
}

int run_main(int argc, char **argv)
{
    struct run_options options;
    struct error err = ERROR_INIT;
    if (!options_parse(&options, argc - 1, argv + 1, &err))
        return bad(&err);
    if (options.help)
        return help();
    int status = run(&options, &err);
    return status < 0 ? bad(&err) : status;
}
