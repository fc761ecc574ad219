#include "server/server.h"

#include "base/check.h"
#include "base/log.h"
#include "server/gdb_port.h"
#include "server/lines.h"
#include "server/movement.h"
#include "server/networks.h"
#include "server/stop_text.h"

#include <inttypes.h>
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
    struct lines lines;
    struct networks networks;
    struct crash_watch *crash; /* NULL: nothing ends a run */
    uint64_t crashed_at;       /* where the machine stopped for a trigger; POSITION_NONE */
    uv_signal_t interrupt, terminate;
    uv_timer_t patience; /* at the end */
    bool started;
    bool runs_free; /* the machine is to run when nobody moves it */
    bool over;
    int status;
};

/* ---- the free run: the machine without a debugger ---- */

static void stay(struct server *s, const char *what)
{
    log_line(LOG_INFO, "%s%s", what, s->gdb ? "; gdb can connect" : "");
}

static int exit_status(const struct server *s, const struct stop *stop)
{
    if (stop->halt != HALT_EXIT || !stop->halt_code)
        return s->crashed_at == stop->position ? SERVER_CRASHED : 0;
    int status = (int)(stop->halt_code & 0xff);
    return status ? status : 1;
}

static void halted(struct server *s, const struct stop *stop)
{
    struct buffer text = {0};
    stop_append_halt(stop, &text);
    if (s->options.no_shutdown) {
        stay(s, buffer_text(&text));
    } else {
        log_line(LOG_INFO, "%s", buffer_text(&text));
        server_quit(s, exit_status(s, stop));
    }
    buffer_fini(&text);
}

static void stopped_at_limit(struct server *s, const struct stop *stop)
{
    struct buffer text = {0};
    buffer_printf(&text, "stopped at position %" PRIu64, stop->position);
    stay(s, buffer_text(&text));
    buffer_fini(&text);
    if (!s->gdb)
        server_quit(s, 0);
}

static bool is_debugged(void *ctx)
{
    const struct server *s = ctx;
    return s->gdb && gdb_port_connected(s->gdb);
}

/* Of every movement, whoever it is for. */
static void judge(void *ctx, struct stop *stop)
{
    struct server *s = ctx;
    const char *line;
    if (!s->crash || !crash_watch_judge(s->crash, stop, &line))
        return;
    bool waits = s->gdb && !is_debugged(s) && stop->reason == STOP_TRIGGER;
    s->crashed_at = stop->position;
    if (line)
        log_line(LOG_WARN, "%s%s", line, waits ? "; gdb can connect" : "");
}

static void free_run_stopped(void *ctx, const struct stop *stop)
{
    struct server *s = ctx;
    if (stop->reason == STOP_INTERRUPT || is_debugged(s))
        return;
    s->runs_free = false;
    if (stop->reason == STOP_HALT) {
        halted(s, stop);
    } else if (stop->reason == STOP_DONE) {
        stopped_at_limit(s, stop);
    } else if (stop->reason == STOP_TRIGGER) {
        if (!s->gdb)
            server_quit(s, SERVER_CRASHED);
    } else {
        struct buffer text = {0};
        stop_append_text(stop, &text);
        log_line(LOG_WARN, "%.*s%s", (int)text.size - 1, (const char *)text.data,
                 s->gdb ? "; gdb can connect" : "");
        buffer_fini(&text);
        if (!s->gdb)
            server_quit(s, 1);
    }
}

/* Run, if there is no reason against it: the machine is to run, nobody else moves it, it is live,
 * on, and its lines have the peers they wait for. */
static void free_run(void *ctx)
{
    struct server *s = ctx;
    const struct mover mover = {free_run_stopped, s};
    struct timeline *tl = s->timeline;
    if (!s->runs_free || s->over || is_debugged(s) || !movement_free(&s->movement) ||
        lines_await_peer(&s->lines))
        return;
    if (!timeline_live(tl) || timeline_machine(tl)->state.halt ||
        timeline_position(tl) == s->movement.stop_at || timeline_position(tl) == s->crashed_at)
        return;
    movement_continue(&s->movement);
    movement_began(&s->movement, &mover);
}

/* ---- clients ---- */

static void gdb_connected(void *ctx)
{
    struct server *s = ctx;
    movement_interrupt(&s->movement);
}

/* A machine that a debugger left in the past stays there, and one that is off stays at hand: to end
 * the program now would throw the history away. */
static void gdb_ended(void *ctx)
{
    struct server *s = ctx;
    bool rests = movement_free(&s->movement);
    uint64_t position = timeline_position(s->timeline);
    if (gdb_port_address(s->gdb)->kind == ADDRESS_STDIO)
        server_quit(s, 0);
    else if (rests && !timeline_live(s->timeline))
        log_line(LOG_INFO, "stays at position %" PRIu64 ", in the past, until gdb connects again",
                 position);
    else if (rests && timeline_machine(s->timeline)->state.halt)
        log_line(LOG_INFO, "stays at position %" PRIu64 ", off, until gdb connects again",
                 position);
    else if (rests && position == s->crashed_at)
        log_line(LOG_INFO, "stays at position %" PRIu64 " until gdb connects again", position);
    s->runs_free = !s->options.rests;
    free_run(s);
}

static bool offer_input(void *ctx)
{
    struct server *s = ctx;
    networks_pause(&s->networks, !timeline_live(s->timeline));
    bool taken = networks_offer(&s->networks);
    return lines_offer(&s->lines) || taken;
}

static bool flush_output(void *ctx)
{
    struct server *s = ctx;
    lines_flush(&s->lines);
    return !lines_behind(&s->lines);
}

static void movement_freed(void *ctx)
{
    struct server *s = ctx;
    networks_pause(&s->networks, true);
    if (s->gdb)
        gdb_port_turn(s->gdb);
    lines_turn(&s->lines);
}

static void input_arrived(void *ctx)
{
    struct server *s = ctx;
    movement_wake(&s->movement);
}

static void user_quit(void *ctx)
{
    server_quit(ctx, 0);
}

static void on_signal(uv_signal_t *handle, int number)
{
    (void)number;
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
           open_gdb(s, err);
}

struct server *server_new(const struct server_options *options, struct error *err)
{
    struct server *s = mem_new(1, sizeof *s);
    s->options = *options;
    s->crashed_at = POSITION_NONE;
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

static void announce(const struct server *s)
{
    char text[ADDRESS_TEXT];
    const struct address *address = server_gdb_address(s);
    if (!address || address->kind == ADDRESS_STDIO)
        return;
    address_format(address, text);
    log_line(LOG_INFO, "gdb: target remote %s", text);
}

bool server_attach(struct server *s, struct timeline *timeline,
                   const struct interpreter *interpreter, struct error *err)
{
    const struct movement_watcher watcher = {offer_input, flush_output, judge, movement_freed, s};
    const struct gdb_port_options gdb = {&s->movement, *interpreter, gdb_connected, gdb_ended, s};
    s->timeline = timeline;
    s->interpreter = *interpreter;
    movement_init(&s->movement, &s->loop, timeline, &watcher);
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
    return true;
}

static void start(struct server *s)
{
    const struct serial_options lines = {
        .movement = &s->movement,
        .interpreter = s->interpreter,
        .debugged = is_debugged,
        .arrived = input_arrived,
        .ready = free_run,
        .quit = user_quit,
        .ctx = s,
    };
    check(s->timeline, "no timeline is attached");
    s->started = true;
    lines_start(&s->lines, &lines);
    networks_start(&s->networks, &s->movement);
    s->runs_free = !s->options.paused && !s->options.rests;
    lines_turn(&s->lines);
    free_run(s);
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

bool server_network_counters(const struct server *s, unsigned index,
                             struct network_counters *counters)
{
    return networks_counters(&s->networks, index, counters);
}

static void on_patience(uv_timer_t *timer)
{
    struct server *s = timer->data;
    lines_abort(&s->lines);
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
    lines_free(&s->lines);
    networks_free(&s->networks);
    crash_watch_free(s->crash);
    free(s);
}
