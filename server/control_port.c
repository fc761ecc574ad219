#include "server/control_port.h"

#include "base/check.h"
#include "server/listener.h"

#include <stdlib.h>

struct control_port {
    struct listener *listener; /* NULL: one connection only */
    struct conn *conn;         /* until control_port_start */
    bool pretty, waits;
    bool had_peer;
    struct control *control; /* NULL: not started */
    void (*ready)(void *ctx);
    void *ctx;
};

static void accepted(void *ctx, struct conn *conn)
{
    struct control_port *port = ctx;
    bool waited = control_port_awaits_peer(port);
    if (!port->control) {
        conn_abort(conn, NULL);
        return;
    }
    port->had_peer = true;
    control_accept(port->control, conn, port->pretty);
    if (waited)
        port->ready(port->ctx);
}

/* An inherited socket tells itself whether it listens. */
static bool open_address(struct control_port *port, uv_loop_t *loop, const char *where,
                         struct error *err)
{
    struct address address;
    if (!address_parse(&address, where, err))
        return false;
    if (address.kind == ADDRESS_STDIO)
        return error_set(err, ERROR_USAGE,
                         "%.80s: a control socket is unix:PATH, tcp:HOST:PORT or fd:N", where);
    if (address.inherited ? address.server : !address.client) {
        port->listener = listener_new(loop, &address, accepted, port, err);
        port->waits = address.server && address.wait != ADDRESS_WAIT_OFF;
        return port->listener;
    }
    int fd = address_connect(&address, err);
    if (fd >= 0)
        port->conn = conn_new(loop, address.kind, fd);
    return fd >= 0;
}

struct control_port *control_port_new(uv_loop_t *loop, const struct server_control *options,
                                      struct error *err)
{
    struct control_port *port = mem_new(1, sizeof *port);
    port->pretty = options->pretty;
    if (open_address(port, loop, options->where, err))
        return port;
    free(port);
    return NULL;
}

void control_port_start(struct control_port *port, struct control *control,
                        void (*ready)(void *ctx), void *ctx)
{
    port->control = control;
    port->ready = ready;
    port->ctx = ctx;
    if (!port->conn)
        return;
    port->had_peer = true;
    control_accept(control, port->conn, port->pretty);
    port->conn = NULL;
}

const struct address *control_port_address(const struct control_port *port)
{
    return port->listener ? listener_address(port->listener) : NULL;
}

bool control_port_awaits_peer(const struct control_port *port)
{
    return port->waits && !port->had_peer;
}

void control_port_close(struct control_port *port)
{
    if (port->listener)
        listener_close(port->listener);
    port->listener = NULL;
    if (port->conn)
        conn_abort(port->conn, NULL);
    port->conn = NULL;
}

void control_port_free(struct control_port *port)
{
    free(port);
}
