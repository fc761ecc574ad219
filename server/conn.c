#include "server/conn.h"

#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { READ_SIZE = 64 << 10 };

enum conn_state {
    CONN_OPEN,
    CONN_DRAINING, /* to be closed when the backlog is empty */
    CONN_CLOSED    /* handles are being closed */
};

union stream {
    uv_handle_t handle;
    uv_stream_t stream;
    uv_tcp_t tcp;
    uv_pipe_t pipe;
    uv_tty_t tty;
};

struct conn {
    union stream in, out;
    bool two; /* `out` is a stream of its own: stdio */
    unsigned handles;
    enum conn_state state;
    bool started, reading;
    const struct conn_ops *ops;
    void *ctx;
    struct buffer input;
    struct buffer queue;   /* sent, not yet offered to the kernel */
    struct buffer writing; /* being written: not touched until the write is done */
    size_t written;        /* bytes at the front of `writing` that are out */
    uv_write_t write;
    bool write_pending;
    char reason[160]; /* empty: none */
};

static uv_stream_t *out_of(struct conn *c)
{
    return c->two ? &c->out.stream : &c->in.stream;
}

static struct conn *conn_make(void)
{
    struct conn *c = mem_new(1, sizeof *c);
    c->handles = 1;
    return c;
}

static void init_stream(struct conn *c, uv_loop_t *loop, enum address_kind kind, union stream *s)
{
    if (kind == ADDRESS_TCP)
        uv_tcp_init(loop, &s->tcp);
    else
        uv_pipe_init(loop, &s->pipe, 0);
    s->handle.data = c;
}

struct conn *conn_new(uv_loop_t *loop, enum address_kind kind, int fd)
{
    struct conn *c = conn_make();
    init_stream(c, loop, kind, &c->in);
    int failure = kind == ADDRESS_TCP ? uv_tcp_open(&c->in.tcp, fd) : uv_pipe_open(&c->in.pipe, fd);
    check(!failure, "socket %d: %s", fd, uv_strerror(failure));
    if (kind == ADDRESS_TCP)
        uv_tcp_nodelay(&c->in.tcp, 1);
    return c;
}

static void free_unstarted(uv_handle_t *handle)
{
    struct conn *c = handle->data;
    if (!--c->handles)
        free(c);
}

static void discard(struct conn *c)
{
    uv_close(&c->in.handle, free_unstarted);
    if (c->two)
        uv_close(&c->out.handle, free_unstarted);
}

struct conn *conn_accept(uv_stream_t *listener, enum address_kind kind)
{
    struct conn *c = conn_make();
    init_stream(c, listener->loop, kind, &c->in);
    if (uv_accept(listener, &c->in.stream)) {
        discard(c);
        return NULL;
    }
    if (kind == ADDRESS_TCP)
        uv_tcp_nodelay(&c->in.tcp, 1);
    return c;
}

static int open_standard(uv_loop_t *loop, union stream *s, int fd)
{
    int failure;
    switch (uv_guess_handle(fd)) {
    case UV_TTY:
        return uv_tty_init(loop, &s->tty, fd, 0);
    case UV_NAMED_PIPE:
        uv_pipe_init(loop, &s->pipe, 0);
        failure = uv_pipe_open(&s->pipe, fd);
        break;
    case UV_TCP:
        uv_tcp_init(loop, &s->tcp);
        failure = uv_tcp_open(&s->tcp, fd);
        break;
    default:
        return UV_EINVAL;
    }
    check(!failure, "descriptor %d: %s", fd, uv_strerror(failure));
    return 0;
}

struct conn *conn_new_stdin(uv_loop_t *loop, struct error *err)
{
    struct conn *c = conn_make();
    if (open_standard(loop, &c->in, STDIN_FILENO)) {
        error_set(err, ERROR_IO, "stdio: stdin is no pipe, socket or terminal");
        free(c);
        return NULL;
    }
    c->in.handle.data = c;
    return c;
}

struct conn *conn_new_stdio(uv_loop_t *loop, struct error *err)
{
    struct conn *c = conn_new_stdin(loop, err);
    if (!c)
        return NULL;
    if (open_standard(loop, &c->out, STDOUT_FILENO)) {
        error_set(err, ERROR_IO, "stdio: stdout is no pipe, socket or terminal");
        discard(c);
        return NULL;
    }
    c->out.handle.data = c;
    c->two = true;
    c->handles = 2;
    return c;
}

/* ---- the end ---- */

static void conn_free(struct conn *c)
{
    buffer_fini(&c->input);
    buffer_fini(&c->queue);
    buffer_fini(&c->writing);
    free(c);
}

static void on_closed(uv_handle_t *handle)
{
    struct conn *c = handle->data;
    if (--c->handles)
        return;
    if (c->ops)
        c->ops->closed(c->ctx, c->reason[0] ? c->reason : NULL);
    conn_free(c);
}

static void set_reason(struct conn *c, const char *reason)
{
    if (reason && !c->reason[0])
        snprintf(c->reason, sizeof c->reason, "%s", reason);
}

void conn_abort(struct conn *c, const char *reason)
{
    if (c->state == CONN_CLOSED)
        return;
    set_reason(c, reason);
    c->state = CONN_CLOSED;
    uv_close(&c->in.handle, on_closed);
    if (c->two)
        uv_close(&c->out.handle, on_closed);
}

void conn_close(struct conn *c, const char *reason)
{
    if (c->state != CONN_OPEN)
        return;
    set_reason(c, reason);
    conn_read(c, false);
    c->state = CONN_DRAINING;
    conn_flush(c);
    if (!conn_backlog(c))
        conn_abort(c, NULL);
}

bool conn_closing(const struct conn *c)
{
    return c->state != CONN_OPEN;
}

/* ---- in ---- */

static void give_room(uv_handle_t *handle, size_t suggested, uv_buf_t *room)
{
    struct conn *c = handle->data;
    (void)suggested;
    buffer_reserve(&c->input, READ_SIZE);
    *room = uv_buf_init((char *)c->input.data + c->input.size, READ_SIZE);
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *room)
{
    struct conn *c = stream->data;
    (void)room;
    if (count > 0) {
        c->input.size += (size_t)count;
        c->ops->received(c->ctx);
    } else if (count < 0) {
        conn_abort(c, count == UV_EOF ? NULL : uv_strerror((int)count));
    }
}

void conn_read(struct conn *c, bool on)
{
    if (c->state != CONN_OPEN || c->reading == on)
        return;
    c->reading = on;
    if (on)
        uv_read_start(&c->in.stream, give_room, on_read);
    else
        uv_read_stop(&c->in.stream);
}

void conn_start(struct conn *c, const struct conn_ops *ops, void *ctx)
{
    conn_set_owner(c, ops, ctx);
    conn_read(c, true);
}

void conn_set_owner(struct conn *c, const struct conn_ops *ops, void *ctx)
{
    c->ops = ops;
    c->ctx = ctx;
}

struct buffer *conn_input(struct conn *c)
{
    return &c->input;
}

/* ---- out ---- */

static void on_written(uv_write_t *write, int status)
{
    struct conn *c = write->data;
    c->write_pending = false;
    buffer_clear(&c->writing);
    c->written = 0;
    if (c->state == CONN_CLOSED)
        return;
    if (status < 0) {
        conn_abort(c, uv_strerror(status));
        return;
    }
    conn_flush(c);
    if (conn_backlog(c) || c->state == CONN_CLOSED)
        return;
    if (c->state == CONN_DRAINING)
        conn_abort(c, NULL);
    else if (c->ops->drained)
        c->ops->drained(c->ctx);
}

static void write_rest(struct conn *c)
{
    uv_buf_t rest =
        uv_buf_init((char *)c->writing.data + c->written, (unsigned)(c->writing.size - c->written));
    c->write.data = c;
    c->write_pending = true;
    int failure = uv_write(&c->write, out_of(c), &rest, 1, on_written);
    if (failure) {
        c->write_pending = false;
        conn_abort(c, uv_strerror(failure));
    }
}

/* What the kernel takes at once leaves without a turn of the loop. */
void conn_flush(struct conn *c)
{
    if (c->state == CONN_CLOSED || c->write_pending || !c->queue.size)
        return;
    struct buffer spare = c->writing;
    c->writing = c->queue;
    c->queue = spare;
    buffer_clear(&c->queue);
    c->written = 0;
    uv_buf_t all = uv_buf_init((char *)c->writing.data, (unsigned)c->writing.size);
    int taken = uv_try_write(out_of(c), &all, 1);
    if (taken > 0)
        c->written = (size_t)taken;
    if (c->written == c->writing.size) {
        buffer_clear(&c->writing);
        c->written = 0;
    } else {
        write_rest(c);
    }
}

size_t conn_backlog(const struct conn *c)
{
    return c->queue.size + c->writing.size - c->written;
}

void conn_send(struct conn *c, const void *bytes, size_t size)
{
    if (c->state != CONN_OPEN)
        return;
    buffer_append(&c->queue, bytes, size);
    if (conn_backlog(c) > CONN_BACKLOG_MOST)
        conn_abort(c, "the peer does not read what it is sent");
}
