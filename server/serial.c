#include "server/serial.h"

#include "base/check.h"
#include "base/log.h"
#include "server/conn.h"
#include "server/listener.h"
#include "server/terminal.h"

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
/* Output that a socket's peer has not read; what comes on top is dropped. */
#define PEER_BACKLOG ((size_t)1 << 20)

enum serial_kind { SERIAL_NULL, SERIAL_STDIO, SERIAL_FILE, SERIAL_SOCKET };

struct serial {
    uv_loop_t *loop;
    enum serial_kind kind;
    struct serial_options options;
    struct address address;    /* SOCKET */
    struct listener *listener; /* SOCKET with `server` */
    struct conn *conn;         /* the peer, or stdin when it is a stream; NULL: none */
    struct terminal terminal;  /* STDIO */
    bool stdin_is_file;        /* STDIO: read when the guest has room */
    int fd;                    /* STDIO, FILE: output; negative: it failed */
    struct buffer input;       /* arrived, not yet taken by the guest */
    struct buffer output;      /* gathered */
    uv_timer_t retry;          /* while STDIO's or FILE's output is not all written */
    bool losing;               /* the peer does not read; it has been said */
    bool closing;
};

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
        log_line(LOG_WARN, "serial: output failed and is dropped from now on: %s", strerror(errno));
        s->fd = -1;
    }
    if (s->fd < 0)
        buffer_clear(&s->output);
}

static void on_retry(uv_timer_t *timer)
{
    serial_flush(timer->data);
}

static void send_to_peer(struct serial *s)
{
    if (!s->conn)
        return;
    bool full = conn_backlog(s->conn) > PEER_BACKLOG;
    if (full && !s->losing)
        log_line(LOG_WARN, "serial: the peer does not read: output is dropped");
    s->losing = full;
    if (!full)
        conn_send(s->conn, s->output.data, s->output.size);
    conn_flush(s->conn);
}

void serial_flush(struct serial *s)
{
    if (!s->output.size)
        return;
    if (s->kind == SERIAL_SOCKET) {
        send_to_peer(s);
        buffer_clear(&s->output);
        return;
    }
    write_or_fail(s, 0);
    if (s->output.size)
        uv_timer_start(&s->retry, on_retry, RETRY_MS, 0);
}

bool serial_behind(const struct serial *s)
{
    return s->output.size > OUTPUT_HELD;
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
    const struct machine *m = timeline_machine(s->options.timeline);
    unsigned channel = m->semihosting ? CHANNEL_SEMIHOST : CHANNEL_SERIAL0;
    return timeline_input(s->options.timeline, channel, bytes, size);
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

/* False at the end of the file. */
static bool read_file(struct serial *s)
{
    uint8_t bytes[INPUT_AHEAD];
    ssize_t count = read(STDIN_FILENO, bytes, sizeof bytes);
    s->stdin_is_file = count > 0;
    if (count > 0)
        buffer_append(&s->input, bytes, (size_t)count);
    return count > 0;
}

bool serial_offer(struct serial *s)
{
    bool given = s->input.size && give_waiting(s);
    while (s->stdin_is_file && !s->input.size && read_file(s))
        given |= give_waiting(s);
    if (s->conn)
        conn_read(s->conn, s->input.size < INPUT_AHEAD);
    return given;
}

static void show_help(struct serial *s)
{
    static const char text[] = "\r\nC-a h  this help\r\n"
                               "C-a x  quit\r\n"
                               "C-a a  send C-a\r\n"
                               "C-a c  reserved: commands are typed in gdb, as `monitor help`\r\n";
    serial_output(s, (const uint8_t *)text, sizeof text - 1);
    serial_flush(s);
}

static void take_key(struct serial *s, uint8_t byte)
{
    switch (terminal_key(&s->terminal, byte, &s->input)) {
    case TERMINAL_BYTE:
    case TERMINAL_PREFIX:
        break;
    case TERMINAL_QUIT:
        s->options.quit(s->options.ctx);
        break;
    case TERMINAL_MONITOR:
    case TERMINAL_HELP:
        show_help(s);
        break;
    }
}

static void received(void *ctx)
{
    struct serial *s = ctx;
    struct buffer *arrived = conn_input(s->conn);
    if (s->terminal.raw) {
        for (size_t i = 0; i < arrived->size; i++)
            take_key(s, arrived->data[i]);
    } else {
        buffer_append(&s->input, arrived->data, arrived->size);
    }
    buffer_clear(arrived);
    if (serial_offer(s))
        s->options.arrived(s->options.ctx);
}

/* The end of stdin is no reason to stop a guest. */
static void closed(void *ctx, const char *reason)
{
    struct serial *s = ctx;
    s->conn = NULL;
    s->losing = false;
    if (s->closing || s->kind != SERIAL_SOCKET)
        return;
    log_line(LOG_INFO, "serial: the peer is gone%s%s", reason ? ": " : "", reason ? reason : "");
}

static const struct conn_ops conn_ops = {received, NULL, closed};

static void accepted(void *ctx, struct conn *conn)
{
    struct serial *s = ctx;
    if (s->conn) {
        log_line(LOG_WARN, "serial: a second peer was refused: one is connected");
        conn_abort(conn, NULL);
        return;
    }
    s->conn = conn;
    conn_start(conn, &conn_ops, s);
}

/* ---- making ---- */

static bool open_file(struct serial *s, const char *path, struct error *err)
{
    s->kind = SERIAL_FILE;
    s->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    return s->fd >= 0 ||
           error_set(err, ERROR_IO, "serial: cannot write %s: %s", path, strerror(errno));
}

static bool open_socket(struct serial *s, const char *where, struct error *err)
{
    s->kind = SERIAL_SOCKET;
    if (!address_parse(&s->address, where, err))
        return error_prefix(err, "serial");
    if (s->address.server) {
        s->listener = listener_new(s->loop, &s->address, accepted, s, err);
        return s->listener || error_prefix(err, "serial");
    }
    int fd = address_connect(&s->address, err);
    if (fd < 0)
        return error_prefix(err, "serial");
    s->conn = conn_new(s->loop, s->address.kind, fd);
    conn_set_owner(s->conn, &conn_ops, s);
    return true;
}

static bool open_where(struct serial *s, const char *where, struct error *err)
{
    if (!strcmp(where, "null") || !strcmp(where, "none"))
        return true;
    if (!strcmp(where, "stdio") || !strcmp(where, "mon:stdio")) {
        s->kind = SERIAL_STDIO;
        s->fd = STDOUT_FILENO;
        return true;
    }
    if (!strncmp(where, "file:", 5) && where[5])
        return open_file(s, where + 5, err);
    if (!strncmp(where, "unix:", 5) || !strncmp(where, "tcp:", 4))
        return open_socket(s, where, err);
    return error_set(err, ERROR_USAGE,
                     "serial: `%s` is not one of stdio, null, file:PATH, unix:PATH, tcp:HOST:PORT",
                     where);
}

struct serial *serial_new(uv_loop_t *loop, const char *where, struct error *err)
{
    struct serial *s = mem_new(1, sizeof *s);
    s->loop = loop;
    s->fd = -1;
    if (!open_where(s, where, err)) {
        free(s);
        return NULL;
    }
    uv_timer_init(loop, &s->retry);
    s->retry.data = s;
    return s;
}

static void start_stdin(struct serial *s)
{
    struct error none = ERROR_INIT;
    uv_handle_type type = uv_guess_handle(STDIN_FILENO);
    if (type == UV_TTY && !terminal_enter(&s->terminal))
        return;
    s->stdin_is_file = type == UV_FILE;
    s->conn = s->stdin_is_file ? NULL : conn_new_stdin(s->loop, &none);
}

void serial_start(struct serial *s, const struct serial_options *options)
{
    s->options = *options;
    if (s->kind == SERIAL_STDIO)
        start_stdin(s);
    if (s->conn)
        conn_start(s->conn, &conn_ops, s);
    if (s->listener) {
        char text[ADDRESS_TEXT];
        address_format(listener_address(s->listener), text);
        log_line(LOG_INFO, "serial: listening at %s", text);
    }
}

bool serial_uses_stdio(const struct serial *s)
{
    return s->kind == SERIAL_STDIO;
}

void serial_close(struct serial *s)
{
    if (s->kind == SERIAL_SOCKET)
        serial_flush(s);
    else
        write_or_fail(s, LAST_MS);
    uv_close((uv_handle_t *)&s->retry, NULL);
    s->closing = true;
    terminal_leave(&s->terminal);
    if (s->conn)
        conn_close(s->conn, NULL);
    if (s->listener)
        listener_close(s->listener);
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
    buffer_fini(&s->input);
    buffer_fini(&s->output);
    free(s);
}
