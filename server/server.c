#include "server/server.h"

#include "base/check.h"
#include "base/log.h"
#include "server/control.h"
#include "server/control_port.h"
#include "server/free_run.h"
#include "server/gdb_port.h"
#include "server/lines.h"
#include "server/movement.h"
#include "server/networks.h"
#include "timeline/branches.h"

#include <signal.h>
#include <stdlib.h>
#include <time.h>

/* How long a line's peer may take to read the rest when the program ends. */
enum { PATIENCE_MS = 2000 };

struct server {
    uv_loop_t loop;
    struct server_options options;
    struct timeline *timeline; /* NULL: not attached */
    struct interpreter interpreter;
    struct movement movement;
    struct gdb_port *gdb; /* NULL: none */
    char gdb_text[ADDRESS_TEXT];
    struct control *control; /* NULL: not attached, or no control socket */
    struct control_port *port[SERVER_CONTROLS];
    unsigned ports;
    struct lines lines;
    struct networks networks;
    struct crash_watch *crash; /* NULL: nothing ends a run */
    struct free_run free_run;
    uv_signal_t interrupt, terminate;
    uv_timer_t patience; /* at the end */
    bool started;
    bool over;
    int status;
};

/* ---- what it runs for ---- */

static bool is_debugged(void *ctx)
{
    const struct server *s = ctx;
    return s->gdb && gdb_port_connected(s->gdb);
}

/* Of every movement, whoever it is for. What becomes of a what-if is no verdict on the run. */
static void judge(void *ctx, struct stop *stop)
{
    struct server *s = ctx;
    const char *line;
    if (!s->crash || !timeline_on_main(s->timeline) || !crash_watch_judge(s->crash, stop, &line))
        return;
    bool waits = s->gdb && !is_debugged(s) && stop->reason == STOP_TRIGGER;
    s->free_run.crashed_at = stop->position;
    if (line)
        log_line(LOG_WARN, "%s%s", line, waits ? "; gdb can connect" : "");
}

/* The end, or a peer that is waited for. */
static bool prevents_run(void *ctx)
{
    const struct server *s = ctx;
    bool awaits = lines_await_peer(&s->lines);
    for (unsigned i = 0; i < s->ports; i++)
        awaits = awaits || control_port_awaits_peer(s->port[i]);
    return awaits || s->over;
}

static void free_run_ready(void *ctx)
{
    struct server *s = ctx;
    free_run_try(&s->free_run);
}

static void free_run_quit(void *ctx, int status)
{
    server_quit(ctx, status);
}

/* ---- clients ---- */

static void gdb_wants(void *ctx)
{
    struct server *s = ctx;
    free_run_yield_to_gdb(&s->free_run);
}

static void gdb_ended(void *ctx)
{
    struct server *s = ctx;
    if (gdb_port_address(s->gdb)->kind == ADDRESS_STDIO)
        server_quit(s, 0);
    else
        free_run_resume(&s->free_run);
}

static bool is_to_run(void *ctx)
{
    struct server *s = ctx;
    return free_run_is_to(&s->free_run);
}

static void control_run(void *ctx)
{
    struct server *s = ctx;
    free_run_order(&s->free_run);
}

static void control_pause(void *ctx)
{
    struct server *s = ctx;
    free_run_hold(&s->free_run);
}

static void control_quit(void *ctx)
{
    server_quit(ctx, 0);
}

static void tell_shutdown(struct server *s, const char *reason)
{
    if (s->control)
        control_shutdown(s->control, false, reason);
}

/* ---- movement ---- */

static bool offer_input(void *ctx)
{
    struct server *s = ctx;
    networks_pause(&s->networks, !timeline_live(s->timeline) || !timeline_on_main(s->timeline));
    bool taken = networks_offer(&s->networks);
    return lines_offer(&s->lines) || taken;
}

static bool flush_output(void *ctx)
{
    struct server *s = ctx;
    lines_flush(&s->lines);
    if (s->control)
        control_slice(s->control);
    return !lines_behind(&s->lines);
}

static void movement_begun(void *ctx)
{
    struct server *s = ctx;
    if (s->control)
        control_began(s->control);
}

static void movement_stopped(void *ctx, struct stop *stop)
{
    struct server *s = ctx;
    judge(s, stop);
    if (s->control)
        control_stopped(s->control, stop);
}

/* Everybody who waits has his turn; whoever begins to move first, moves. */
static void movement_freed(void *ctx)
{
    struct server *s = ctx;
    networks_pause(&s->networks, true);
    if (s->gdb)
        gdb_port_turn(s->gdb);
    if (s->control)
        control_turn(s->control);
    lines_turn(&s->lines);
    free_run_try(&s->free_run);
    if (s->control)
        control_settle(s->control);
}

static void input_arrived(void *ctx)
{
    struct server *s = ctx;
    movement_wake(&s->movement);
}

static void user_quit(void *ctx)
{
    tell_shutdown(ctx, "host-ui");
    server_quit(ctx, 0);
}

static void on_signal(uv_signal_t *handle, int number)
{
    (void)number;
    tell_shutdown(handle->data, "host-signal");
    server_quit(handle->data, 0);
}

/* ---- the host, as the timeline sees it ---- */

uint64_t server_clock(void *ctx)
{
    struct timespec now;
    (void)ctx;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void host_output(void *ctx, unsigned channel, const uint8_t *bytes, size_t size)
{
    struct server *s = ctx;
    if (channel < CHANNEL_NET0)
        lines_output(&s->lines, channel, bytes, size);
    else
        networks_output(&s->networks, channel, bytes, size);
}

struct host server_host(struct server *s)
{
    return (struct host){.clock = server_clock, .output = host_output, .ctx = s};
}

/* ---- life ---- */

static bool open_gdb(struct server *s, struct error *err)
{
    struct address address;
    if (!s->options.gdb)
        return true;
    if (!address_parse(&address, s->options.gdb, err))
        return error_prefix(err, "gdb");
    const struct serial *other = address.kind == ADDRESS_STDIO ? lines_stdio(&s->lines) : NULL;
    if (other)
        return error_set(err, ERROR_USAGE, "gdb and %s cannot both be on stdio",
                         serial_name(serial_channel(other)));
    if (address.wait == ADDRESS_WAIT_ON)
        return error_set(err, ERROR_USAGE, "gdb: %s: without wait=on: -S waits for gdb",
                         s->options.gdb);
    s->gdb = gdb_port_new(&s->loop, &address, err);
    return s->gdb || error_prefix(err, "gdb");
}

static bool open_controls(struct server *s, struct error *err)
{
    check(s->options.controls <= SERVER_CONTROLS, "%u control sockets", s->options.controls);
    for (; s->ports < s->options.controls; s->ports++) {
        s->port[s->ports] = control_port_new(&s->loop, &s->options.control[s->ports], err);
        if (!s->port[s->ports])
            return error_prefix(err, "qmp");
    }
    return true;
}

static bool open_crash(struct server *s, struct error *err)
{
    if (!s->options.crash)
        return true;
    s->crash = crash_watch_new(s->options.crash, err);
    return s->crash;
}

static bool open_all(struct server *s, struct error *err)
{
    return open_crash(s, err) && lines_open(&s->lines, &s->loop, &s->options, err) &&
           networks_open(&s->networks, &s->loop, s->options.network, s->options.networks, err) &&
           open_gdb(s, err) && open_controls(s, err);
}

struct server *server_new(const struct server_options *options, struct error *err)
{
    struct server *s = mem_new(1, sizeof *s);
    s->options = *options;
    int failure = uv_loop_init(&s->loop);
    check(!failure, "event loop: %s", uv_strerror(failure));
    signal(SIGPIPE, SIG_IGN);
    uv_signal_init(&s->loop, &s->interrupt);
    uv_signal_init(&s->loop, &s->terminate);
    uv_timer_init(&s->loop, &s->patience);
    s->interrupt.data = s->terminate.data = s->patience.data = s;
    if (open_all(s, err))
        return s;
    server_free(s);
    return NULL;
}

/* Both gdb and control clients can have files written, and read, as whoever runs the program. */
static void warn_if_open(const struct address *address, const char *what, const char *text)
{
    if (!address_is_local(address))
        log_line(LOG_WARN,
                 "WARNING: %s on %s is open to other hosts: whoever can connect controls the "
                 "machine, and can write files here",
                 what, text);
}

static void announce_controls(const struct server *s)
{
    for (unsigned i = 0; i < s->ports; i++) {
        char text[ADDRESS_TEXT];
        const struct address *address = control_port_address(s->port[i]);
        if (!address)
            continue;
        address_format(address, text);
        log_line(LOG_INFO, "qmp: clients connect to %s", text);
        warn_if_open(address, "the control socket", text);
    }
}

static void announce(const struct server *s)
{
    char text[ADDRESS_TEXT];
    const struct address *address = server_gdb_address(s);
    if (!address || address->kind == ADDRESS_STDIO)
        return;
    address_format(address, text);
    log_line(LOG_INFO, "gdb: target remote %s", text);
    warn_if_open(address, "gdb's port", text);
    if (s->options.offer) {
        struct buffer line = {0};
        s->options.offer(&line);
        log_line(LOG_INFO, "%s", buffer_text(&line));
        buffer_fini(&line);
    }
}

static void attach_free_run(struct server *s)
{
    const struct free_run_options options = {
        .movement = &s->movement,
        .no_shutdown = s->options.no_shutdown,
        .rests = s->options.rests,
        .plays = s->options.plays,
        .gdb = s->gdb,
        .attended = s->gdb || s->ports,
        .debugged = is_debugged,
        .prevented = prevents_run,
        .quit = free_run_quit,
        .ctx = s,
    };
    free_run_init(&s->free_run, &options);
}

static void attach_control(struct server *s)
{
    const struct address *gdb = server_gdb_address(s);
    if (gdb)
        address_format(gdb, s->gdb_text);
    const struct control_options options = {
        .loop = &s->loop,
        .movement = &s->movement,
        .interpreter = s->interpreter,
        .name = s->options.name,
        .replayed = s->options.replayed,
        .gdb = gdb ? s->gdb_text : NULL,
        .run = control_run,
        .runs = is_to_run,
        .pause = control_pause,
        .quit = control_quit,
        .ctx = s,
    };
    if (!s->ports)
        return;
    s->control = control_new(&options);
    for (unsigned i = 0; i < s->ports; i++)
        control_port_start(s->port[i], s->control, free_run_ready, s);
}

bool server_attach(struct server *s, struct timeline *timeline,
                   const struct interpreter *interpreter, struct error *err)
{
    const struct movement_watcher watcher = {offer_input,      flush_output,   movement_begun,
                                             movement_stopped, movement_freed, s};
    const struct gdb_port_options gdb = {&s->movement, *interpreter, gdb_wants, gdb_ended, s};
    s->timeline = timeline;
    s->interpreter = *interpreter;
    movement_init(&s->movement, &s->loop, timeline, &watcher);
    attach_free_run(s);
    if (s->options.has_stop_at)
        s->movement.stop_at = s->options.stop_at;
    if (s->crash)
        crash_watch_attach(s->crash, timeline);
    if (s->gdb && !gdb_port_start(s->gdb, &gdb, err))
        return error_prefix(err, "gdb");
    /* Before anybody is told that we are there, and may want to end us. */
    uv_signal_start(&s->interrupt, on_signal, SIGINT);
    uv_signal_start(&s->terminate, on_signal, SIGTERM);
    announce(s);
    announce_controls(s);
    attach_control(s);
    return true;
}

static void start(struct server *s)
{
    const struct serial_options lines = {
        .movement = &s->movement,
        .interpreter = s->interpreter,
        .arrived = input_arrived,
        .ready = free_run_ready,
        .quit = user_quit,
        .ctx = s,
    };
    check(s->timeline, "no timeline is attached");
    s->started = true;
    lines_start(&s->lines, &lines);
    networks_start(&s->networks, &s->movement);
    free_run_start(&s->free_run, s->options.paused);
    lines_turn(&s->lines);
    free_run_try(&s->free_run);
}

void server_quit(struct server *s, int status)
{
    if (s->over)
        return;
    s->over = true;
    s->status = status;
    uv_stop(&s->loop);
}

bool server_turn(struct server *s, int *status)
{
    if (!s->started)
        start(s);
    if (!s->over)
        uv_run(&s->loop, UV_RUN_NOWAIT);
    *status = s->status;
    return !s->over;
}

int server_run(struct server *s)
{
    if (!s->started)
        start(s);
    while (!s->over)
        uv_run(&s->loop, UV_RUN_DEFAULT);
    return s->status;
}

const struct address *server_gdb_address(const struct server *s)
{
    return s->gdb ? gdb_port_address(s->gdb) : NULL;
}

const struct address *server_control_address(const struct server *s, unsigned index)
{
    return index < s->ports ? control_port_address(s->port[index]) : NULL;
}

bool server_network_counters(const struct server *s, unsigned index,
                             struct network_counters *counters)
{
    return networks_counters(&s->networks, index, counters);
}

static void on_patience(uv_timer_t *timer)
{
    struct server *s = timer->data;
    lines_abort(&s->lines);
    if (s->control)
        control_abort(s->control);
}

/* A line's peer may read the rest of the output, for a while. */
static void close_lines(struct server *s)
{
    uv_timer_start(&s->patience, on_patience, PATIENCE_MS, 0);
    uv_unref((uv_handle_t *)&s->patience);
    lines_close(&s->lines);
}

static void close_movement(struct server *s)
{
    if (!s->timeline)
        return;
    movement_interrupt(&s->movement);
    while (!movement_free(&s->movement))
        uv_run(&s->loop, UV_RUN_ONCE);
    movement_close(&s->movement);
}

void server_free(struct server *s)
{
    if (!s)
        return;
    s->over = true;
    lines_stop(&s->lines);
    uv_close((uv_handle_t *)&s->interrupt, NULL);
    uv_close((uv_handle_t *)&s->terminate, NULL);
    if (s->gdb)
        gdb_port_close(s->gdb);
    for (unsigned i = 0; i < s->ports; i++)
        control_port_close(s->port[i]);
    if (s->control)
        control_close(s->control);
    close_movement(s);
    networks_close(&s->networks);
    close_lines(s);
    uv_run(&s->loop, UV_RUN_DEFAULT);
    uv_close((uv_handle_t *)&s->patience, NULL);
    uv_run(&s->loop, UV_RUN_DEFAULT);
    int failure = uv_loop_close(&s->loop);
    check(!failure, "event loop: %s", uv_strerror(failure));
    if (s->gdb)
        gdb_port_free(s->gdb);
    for (unsigned i = 0; i < s->ports; i++)
        control_port_free(s->port[i]);
    control_free(s->control);
    lines_free(&s->lines);
    networks_free(&s->networks);
    crash_watch_free(s->crash);
    free(s);
}
