#include "server/serial.h"

#include "base/check.h"
#include "base/log.h"
#include "server/conn.h"
#include "server/keys.h"
#include "server/listener.h"
#include "server/pty.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Bytes read ahead of the guest, and output gathered before it is written in the midst of a slice.
 */
enum { INPUT_AHEAD = 4096, OUTPUT_GATHERED = 4096 };
/* Output that stdout's reader has not taken: with more the guest waits. Tried again every RETRY_MS;
 * at the end it is given LAST_MS for each piece. */
enum { OUTPUT_HELD = 65536, RETRY_MS = 10, LAST_MS = 2000 };
/* Output that the peer of a socket or a pty has not read; what comes on top is dropped. */
#define PEER_BACKLOG ((size_t)1 << 20)

enum serial_kind { SERIAL_NULL, SERIAL_STDIO, SERIAL_PTY, SERIAL_FILE, SERIAL_SOCKET };

struct serial {
    uv_loop_t *loop;
    unsigned channel;
    const char *name; /* of the channel, for messages */
    enum serial_kind kind;
    struct serial_options options;
    struct address address;    /* SOCKET */
    struct listener *listener; /* SOCKET with `server` */
    struct conn *conn;         /* the peer, or stdin when it is a stream; NULL: none */
    struct pty pty;            /* PTY */
    bool stdin_is_file;        /* STDIO: read when the guest has room */
    bool has_keys;             /* STDIO: C-a is not the guest's */
    struct keys keys;          /* STDIO */
    int fd;                    /* STDIO, PTY, FILE: output; negative: it failed */
    struct buffer input;       /* for the guest, which has not yet taken it */
    struct buffer output;      /* gathered */
    uv_timer_t retry;          /* while output is not all written */
    bool losing;               /* the peer does not read; it has been said */
    bool had_peer;             /* SOCKET with `server` */
    bool stopped;              /* no more input */
    bool closing;
};

const char *serial_name(unsigned channel)
{
    static const char *const name[] = {[CHANNEL_SERIAL0] = "serial0",
                                       [CHANNEL_SEMIHOST] = "semihosting",
                                       [CHANNEL_CONSOLE0] = "console0",
                                       [CHANNEL_CONSOLE1] = "console1"};
    return channel < sizeof name / sizeof *name ? name[channel] : "serial";
}

/* ---- out ---- */

static bool is_writable(int fd, int wait_ms)
{
    struct pollfd writable = {.fd = fd, .events = POLLOUT};
    return poll(&writable, 1, wait_ms) > 0;
}

/* Write what the reader takes, waiting at most `wait_ms` each time: a pipe that can be written has
 * room for PIPE_BUF bytes. What is left stays in s->output. False: it failed. */
static bool write_some(struct serial *s, int wait_ms)
{
    size_t done = 0;
    bool ok = true;
    while (ok && done < s->output.size && is_writable(s->fd, wait_ms)) {
        size_t left = s->output.size - done;
        ssize_t count = write(s->fd, s->output.data + done, left < PIPE_BUF ? left : PIPE_BUF);
        if (count > 0)
            done += (size_t)count;
        else
            ok = errno == EAGAIN || errno == EINTR;
    }
    buffer_consume(&s->output, done);
    return ok;
}

static void write_or_fail(struct serial *s, int wait_ms)
{
    if (s->fd >= 0 && !write_some(s, wait_ms)) {
        log_line(LOG_WARN, "%s: output failed and is dropped from now on: %s", s->name,
                 strerror(errno));
        s->fd = -1;
    }
    if (s->fd < 0)
        buffer_clear(&s->output);
}

static void on_retry(uv_timer_t *timer)
{
    serial_flush(timer->data);
}

static bool is_losing(struct serial *s, bool full)
{
    if (full && !s->losing)
        log_line(LOG_WARN, "%s: the peer does not read: output is dropped", s->name);
    s->losing = full;
    return full;
}

static void send_to_peer(struct serial *s)
{
    if (s->conn && !is_losing(s, conn_backlog(s->conn) > PEER_BACKLOG))
        conn_send(s->conn, s->output.data, s->output.size);
    if (s->conn)
        conn_flush(s->conn);
    buffer_clear(&s->output);
}

/* Without a peer nothing is kept for the next one, as on a line that nobody listens to. A peer that
 * has begun to lose output does so until it takes all that comes. */
static void write_to_pty(struct serial *s, int wait_ms)
{
    if (pty_has_peer(&s->pty))
        write_some(s, wait_ms);
    else
        buffer_clear(&s->output);
    if (is_losing(s, s->output.size > (s->losing ? 0 : PEER_BACKLOG)))
        buffer_clear(&s->output);
}

void serial_flush(struct serial *s)
{
    if (!s->output.size)
        return;
    if (s->kind == SERIAL_SOCKET)
        send_to_peer(s);
    else if (s->kind == SERIAL_PTY)
        write_to_pty(s, 0);
    else
        write_or_fail(s, 0);
    if (s->output.size)
        uv_timer_start(&s->retry, on_retry, RETRY_MS, 0);
}

bool serial_behind(const struct serial *s)
{
    return s->kind != SERIAL_PTY && s->output.size > OUTPUT_HELD;
}

void serial_output(struct serial *s, const uint8_t *bytes, size_t size)
{
    if (s->kind == SERIAL_NULL)
        return;
    buffer_append(&s->output, bytes, size);
    if (s->output.size >= OUTPUT_GATHERED)
        serial_flush(s);
}

/* ---- in ---- */

/* A guest that has semihosting reads its console there: the serial port then gets nothing. */
static size_t give(struct serial *s, const uint8_t *bytes, size_t size)
{
    struct timeline *tl = s->options.movement->timeline;
    bool semihosting = s->channel == CHANNEL_SERIAL0 && timeline_machine(tl)->semihosting;
    return timeline_input(tl, semihosting ? CHANNEL_SEMIHOST : s->channel, bytes, size);
}

static bool give_waiting(struct serial *s)
{
    size_t given = 0;
    while (given < s->input.size) {
        size_t taken = give(s, s->input.data + given, s->input.size - given);
        if (!taken)
            break;
        given += taken;
    }
    buffer_consume(&s->input, given);
    return given;
}

static void take(struct serial *s, const uint8_t *bytes, size_t size)
{
    buffer_append(s->has_keys ? &s->keys.typed : &s->input, bytes, size);
}

/* False at the end of the file. */
static bool read_file(struct serial *s)
{
    uint8_t bytes[INPUT_AHEAD];
    ssize_t count = read(STDIN_FILENO, bytes, sizeof bytes);
    s->stdin_is_file = count > 0;
    if (count > 0)
        take(s, bytes, (size_t)count);
    return count > 0;
}

/* What is read ahead. A user whose keys wait has to be heard when he wants to quit. */
static size_t read_ahead(const struct serial *s)
{
    return s->has_keys ? s->keys.typed.size : s->input.size;
}

bool serial_offer(struct serial *s)
{
    bool some = false;
    while (!s->stopped) {
        bool more = keys_take(&s->keys, &s->input, INPUT_AHEAD);
        more |= s->input.size && give_waiting(s);
        some |= more;
        bool empty = !s->input.size && !s->keys.typed.size;
        if (!more && !(empty && s->stdin_is_file && read_file(s)))
            break;
    }
    bool room = read_ahead(s) < INPUT_AHEAD;
    if (s->conn)
        conn_read(s->conn, room);
    if (s->kind == SERIAL_PTY)
        pty_read(&s->pty, room);
    return some;
}

/* Outside of a slice: look at what has come. */
static void attend(struct serial *s)
{
    if (serial_offer(s))
        s->options.arrived(s->options.ctx);
    if (s->keys.console && !console_busy(s->keys.console))
        s->options.ready(s->options.ctx);
}

static void received(void *ctx)
{
    struct serial *s = ctx;
    struct buffer *arrived = conn_input(s->conn);
    take(s, arrived->data, arrived->size);
    buffer_clear(arrived);
    attend(s);
    keys_look_ahead(&s->keys);
}

static void received_on_pty(void *ctx, const uint8_t *bytes, size_t size)
{
    take(ctx, bytes, size);
    attend(ctx);
}

void serial_turn(struct serial *s)
{
    if (!s->keys.console)
        return;
    console_turn(s->keys.console);
    attend(s);
}

static void write_prompt(void *ctx, const struct buffer *text)
{
    struct serial *s = ctx;
    serial_output(s, text->data, text->size);
    serial_flush(s);
}

static void prompt_is_ready(void *ctx)
{
    attend(ctx);
}

static void quit(void *ctx)
{
    struct serial *s = ctx;
    s->options.quit(s->options.ctx);
}

/* The end of stdin is no reason to stop a guest. */
static void closed(void *ctx, const char *reason)
{
    struct serial *s = ctx;
    s->conn = NULL;
    s->losing = false;
    if (s->closing || s->kind != SERIAL_SOCKET)
        return;
    log_line(LOG_INFO, "%s: the peer is gone%s%s", s->name, reason ? ": " : "",
             reason ? reason : "");
}

static const struct conn_ops conn_ops = {received, NULL, closed};

static void accepted(void *ctx, struct conn *conn)
{
    struct serial *s = ctx;
    if (s->conn) {
        log_line(LOG_WARN, "%s: a second peer was refused: one is connected", s->name);
        conn_abort(conn, NULL);
        return;
    }
    s->conn = conn;
    conn_start(conn, &conn_ops, s);
    if (!s->had_peer) {
        s->had_peer = true;
        s->options.ready(s->options.ctx);
    }
}

/* ---- making ---- */

static bool open_file(struct serial *s, const char *path, struct error *err)
{
    s->kind = SERIAL_FILE;
    s->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    return s->fd >= 0 ||
           error_set(err, ERROR_IO, "%s: cannot write %s: %s", s->name, path, strerror(errno));
}

static bool open_socket(struct serial *s, const char *where, struct error *err)
{
    s->kind = SERIAL_SOCKET;
    if (!address_parse(&s->address, where, err))
        return error_prefix(err, "%s", s->name);
    if (s->address.server) {
        s->listener = listener_new(s->loop, &s->address, accepted, s, err);
        return s->listener || error_prefix(err, "%s", s->name);
    }
    int fd = address_connect(&s->address, err);
    if (fd < 0)
        return error_prefix(err, "%s", s->name);
    s->conn = conn_new(s->loop, s->address.kind, fd);
    conn_set_owner(s->conn, &conn_ops, s);
    return true;
}

static bool open_pty(struct serial *s, struct error *err)
{
    if (!pty_open(&s->pty, s->loop, err))
        return error_prefix(err, "%s", s->name);
    s->kind = SERIAL_PTY;
    s->fd = s->pty.fd;
    return true;
}

static bool open_where(struct serial *s, const char *where, struct error *err)
{
    if (!strcmp(where, "null") || !strcmp(where, "none"))
        return true;
    if (!strcmp(where, "stdio") || !strcmp(where, "mon:stdio")) {
        s->kind = SERIAL_STDIO;
        s->fd = STDOUT_FILENO;
        s->has_keys = *where == 'm';
        return true;
    }
    if (!strcmp(where, "pty"))
        return open_pty(s, err);
    if (!strncmp(where, "file:", 5) && where[5])
        return open_file(s, where + 5, err);
    if (!strncmp(where, "unix:", 5) || !strncmp(where, "tcp:", 4) || !strncmp(where, "fd:", 3))
        return open_socket(s, where, err);
    return error_set(err, ERROR_USAGE,
                     "%s: `%s` is not one of stdio, pty, null, file:PATH, unix:PATH, tcp:HOST:PORT",
                     s->name, where);
}

struct serial *serial_new(uv_loop_t *loop, unsigned channel, const char *where, struct error *err)
{
    struct serial *s = mem_new(1, sizeof *s);
    s->loop = loop;
    s->channel = channel;
    s->name = serial_name(channel);
    s->fd = -1;
    if (!open_where(s, where, err)) {
        free(s);
        return NULL;
    }
    uv_timer_init(loop, &s->retry);
    s->retry.data = s;
    return s;
}

static void start_keys(struct serial *s)
{
    const struct console_options options = {
        .movement = s->options.movement,
        .interpreter = s->options.interpreter,
        .write = write_prompt,
        .ready = prompt_is_ready,
        .ctx = s,
    };
    static const struct keys_ops ops = {write_prompt, quit};
    s->has_keys = true;
    keys_start(&s->keys, &ops, s, console_new(&options));
}

static void start_stdin(struct serial *s)
{
    struct error none = ERROR_INIT;
    uv_handle_type type = uv_guess_handle(STDIN_FILENO);
    if (type == UV_TTY && !terminal_enter(&s->keys.terminal))
        return;
    if (s->keys.terminal.raw || s->has_keys)
        start_keys(s);
    s->stdin_is_file = type == UV_FILE;
    s->conn = s->stdin_is_file ? NULL : conn_new_stdin(s->loop, &none);
}

static void announce(const struct serial *s)
{
    char text[ADDRESS_TEXT];
    if (s->kind == SERIAL_PTY) /* QEMU's words: programs look for them */
        log_line(LOG_INFO, "char device redirected to %s (label %s)", s->pty.name, s->name);
    if (!s->listener)
        return;
    address_format(listener_address(s->listener), text);
    log_line(LOG_INFO, "%s: listening at %s%s", s->name, text,
             serial_awaits_peer(s) ? "; the machine waits for a peer" : "");
}

void serial_start(struct serial *s, const struct serial_options *options)
{
    s->options = *options;
    if (s->kind == SERIAL_STDIO)
        start_stdin(s);
    if (s->conn)
        conn_start(s->conn, &conn_ops, s);
    if (s->kind == SERIAL_PTY)
        pty_start(&s->pty, received_on_pty, s);
    announce(s);
}

unsigned serial_channel(const struct serial *s)
{
    return s->channel;
}

bool serial_awaits_peer(const struct serial *s)
{
    return s->listener && s->address.wait != ADDRESS_WAIT_OFF && !s->had_peer;
}

bool serial_uses_stdio(const struct serial *s)
{
    return s->kind == SERIAL_STDIO;
}

void serial_stop(struct serial *s)
{
    s->stopped = s->keys.over = true;
}

void serial_close(struct serial *s)
{
    if (s->kind == SERIAL_SOCKET)
        serial_flush(s);
    else if (s->kind == SERIAL_PTY)
        write_to_pty(s, LAST_MS);
    else
        write_or_fail(s, LAST_MS);
    uv_close((uv_handle_t *)&s->retry, NULL);
    s->closing = true;
    terminal_leave(&s->keys.terminal);
    if (s->conn)
        conn_close(s->conn, NULL);
    if (s->listener)
        listener_close(s->listener);
    if (s->kind == SERIAL_PTY)
        pty_close(&s->pty);
    if (s->kind == SERIAL_FILE && s->fd >= 0)
        close(s->fd);
    s->fd = -1;
}

void serial_abort(struct serial *s)
{
    if (s->conn)
        conn_abort(s->conn, NULL);
}

void serial_free(struct serial *s)
{
    keys_fini(&s->keys);
    buffer_fini(&s->input);
    buffer_fini(&s->output);
    free(s);
}
