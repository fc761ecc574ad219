#include "server/listener.h"

#include "base/check.h"
#include "base/log.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BACKLOG = 8 };

struct listener {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    };
    struct address address;
    dev_t device; /* of the path */
    ino_t inode;
    listener_fn *accepted;
    void *ctx;
};

static void on_connection(uv_stream_t *stream, int status)
{
    struct listener *l = stream->data;
    struct conn *conn = status ? NULL : conn_accept(stream, l->address.kind);
    if (conn)
        l->accepted(l->ctx, conn);
    else
        log_line(LOG_WARN, "a connection failed before it began");
}

static void adopt(struct listener *l, uv_loop_t *loop, int fd)
{
    int failure;
    if (l->address.kind == ADDRESS_TCP) {
        uv_tcp_init(loop, &l->tcp);
        failure = uv_tcp_open(&l->tcp, fd);
    } else {
        struct stat status;
        if (!lstat(l->address.path, &status)) {
            l->device = status.st_dev;
            l->inode = status.st_ino;
        }
        uv_pipe_init(loop, &l->pipe, 0);
        failure = uv_pipe_open(&l->pipe, fd);
    }
    check(!failure, "socket %d: %s", fd, uv_strerror(failure));
    l->handle.data = l;
    failure = uv_listen(&l->stream, BACKLOG, on_connection);
    check(!failure, "socket %d: %s", fd, uv_strerror(failure));
}

struct listener *listener_new(uv_loop_t *loop, const struct address *address, listener_fn *accepted,
                              void *ctx, struct error *err)
{
    struct address bound = *address;
    int fd = address_listen(&bound, err);
    if (fd < 0)
        return NULL;
    struct listener *l = mem_new(1, sizeof *l);
    l->address = bound;
    l->accepted = accepted;
    l->ctx = ctx;
    adopt(l, loop, fd);
    return l;
}

const struct address *listener_address(const struct listener *l)
{
    return &l->address;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void listener_close(struct listener *l)
{
    struct stat status;
    if (l->address.kind == ADDRESS_UNIX && !lstat(l->address.path, &status) &&
        status.st_dev == l->device && status.st_ino == l->inode)
        unlink(l->address.path);
    uv_close(&l->handle, on_closed);
}
