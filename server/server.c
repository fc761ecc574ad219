#include "server/server.h"

#include "base/check.h"
#include "base/log.h"
#include "server/gdb_port.h"
#include "server/movement.h"
#include "server/serial.h"
#include "server/stop_text.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

/* How long the serial port's peer may take to read the rest when the program ends. */
enum { PATIENCE_MS = 2000 };

struct server {
    uv_loop_t loop;
    struct server_options options;
    struct timeline *timeline; /* NULL: not attached */
    struct movement movement;
    struct gdb_port *gdb;  /* NULL: none */
    struct serial *serial; /* never NULL once made */
    uv_signal_t interrupt, terminate;
    uv_timer_t patience; /* at the end */
    bool started;
    bool over;
    int status;
};

/* ---- the free run: the machine without a debugger ---- */

static void stay(struct server *s, const char *what)
{
    log_line(LOG_INFO, "%s%s", what, s->gdb ? "; gdb can connect" : "");
}

static int exit_status(const struct stop *stop)
{
    if (stop->halt != HALT_EXIT || !stop->halt_code)
        return 0;
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
        server_quit(s, exit_status(stop));
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

static void free_run_stopped(void *ctx, const struct stop *stop)
{
    struct server *s = ctx;
    if (stop->reason == STOP_INTERRUPT || (s->gdb && gdb_port_connected(s->gdb)))
        return;
    if (stop->reason == STOP_HALT) {
        halted(s, stop);
    } else if (stop->reason == STOP_DONE) {
        stopped_at_limit(s, stop);
    } else {
        struct buffer text = {0};
        stop_append_text(stop, &text);
        log_line(LOG_WARN, "%.*s", (int)text.size - 1, (const char *)text.data);
        buffer_fini(&text);
        if (!s->gdb)
            server_quit(s, 1);
    }
}

/* Run live, if that is where the machine stands. One that a debugger left in the past stays there,
 * and one that is off stays at hand: to end the program now would throw the history away. */
static void free_run(struct server *s)
{
    const struct mover mover = {free_run_stopped, s};
    uint64_t position = timeline_position(s->timeline);
    if (s->over || !movement_free(&s->movement))
        return;
    if (!timeline_live(s->timeline)) {
        log_line(LOG_INFO, "stays at position %" PRIu64 ", in the past, until gdb connects again",
                 position);
    } else if (timeline_machine(s->timeline)->state.halt) {
        log_line(LOG_INFO, "stays at position %" PRIu64 ", off, until gdb connects again",
                 position);
    } else if (position != s->movement.stop_at) {
        movement_continue(&s->movement);
        movement_began(&s->movement, &mover);
    }
}

/* ---- clients ---- */

static void gdb_connected(void *ctx)
{
    struct server *s = ctx;
    movement_interrupt(&s->movement);
}

static void gdb_ended(void *ctx)
{
    struct server *s = ctx;
    if (gdb_port_address(s->gdb)->kind == ADDRESS_STDIO)
        server_quit(s, 0);
    else
        free_run(s);
}

static bool offer_input(void *ctx)
{
    struct server *s = ctx;
    return serial_offer(s->serial);
}

static bool flush_output(void *ctx)
{
    struct server *s = ctx;
    serial_flush(s->serial);
    return !serial_behind(s->serial);
}

static void movement_freed(void *ctx)
{
    struct server *s = ctx;
    if (s->gdb)
        gdb_port_turn(s->gdb);
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

static uint64_t host_clock(void *ctx)
{
    struct timespec now;
    (void)ctx;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void host_output(void *ctx, unsigned channel, const uint8_t *bytes, size_t size)
{
    struct server *s = ctx;
    if (channel == CHANNEL_SERIAL0 || channel == CHANNEL_SEMIHOST)
        serial_output(s->serial, bytes, size);
}

struct host server_host(struct server *s)
{
    return (struct host){.clock = host_clock, .output = host_output, .ctx = s};
}

/* ---- life ---- */

static bool open_gdb(struct server *s, struct error *err)
{
    struct address address;
    if (!s->options.gdb)
        return true;
    if (!address_parse(&address, s->options.gdb, err))
        return error_prefix(err, "gdb");
    if (address.kind == ADDRESS_STDIO && serial_uses_stdio(s->serial))
        return error_set(err, ERROR_USAGE, "gdb and the serial port cannot both be on stdio");
    s->gdb = gdb_port_new(&s->loop, &address, err);
    return s->gdb || error_prefix(err, "gdb");
}

static bool open_all(struct server *s, struct error *err)
{
    s->serial = serial_new(&s->loop, s->options.serial ? s->options.serial : "null", err);
    return s->serial && open_gdb(s, err);
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
    const struct movement_watcher watcher = {offer_input, flush_output, movement_freed, s};
    const struct gdb_port_options gdb = {&s->movement, *interpreter, gdb_connected, gdb_ended, s};
    s->timeline = timeline;
    movement_init(&s->movement, &s->loop, timeline, &watcher);
    if (s->options.has_stop_at)
        s->movement.stop_at = s->options.stop_at;
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
    const struct serial_options serial = {s->timeline, input_arrived, user_quit, s};
    check(s->timeline, "no timeline is attached");
    s->started = true;
    serial_start(s->serial, &serial);
    if (!s->options.paused && !(s->gdb && gdb_port_connected(s->gdb)))
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

static void on_patience(uv_timer_t *timer)
{
    struct server *s = timer->data;
    serial_abort(s->serial);
}

/* A peer of the serial port may read the rest of the output, for a while. */
static void close_serial(struct server *s)
{
    if (!s->serial)
        return;
    uv_timer_start(&s->patience, on_patience, PATIENCE_MS, 0);
    uv_unref((uv_handle_t *)&s->patience);
    serial_close(s->serial);
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
    uv_close((uv_handle_t *)&s->interrupt, NULL);
    uv_close((uv_handle_t *)&s->terminate, NULL);
    if (s->gdb)
        gdb_port_close(s->gdb);
    close_movement(s);
    close_serial(s);
    uv_run(&s->loop, UV_RUN_DEFAULT);
    uv_close((uv_handle_t *)&s->patience, NULL);
    uv_run(&s->loop, UV_RUN_DEFAULT);
    int failure = uv_loop_close(&s->loop);
    check(!failure, "event loop: %s", uv_strerror(failure));
    if (s->gdb)
        gdb_port_free(s->gdb);
    if (s->serial)
        serial_free(s->serial);
    free(s);
}
