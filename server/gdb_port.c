#include "server/gdb_port.h"

#include "base/check.h"
#include "base/log.h"
#include "rsp/packet.h"
#include "server/listener.h"

#include <stdlib.h>

/* Clients that are being refused at the same time; more are closed without a word. */
enum { REFUSALS = 4 };

/* A client that came while there was a session. Most often it is refused; but a gdb that
 * reconnects may be here before the end of its old connection is noticed, so that is decided only
 * when its first packet is there, and at the end of the loop's turn. That packet, gdb's qSupported,
 * is then answered with an error, which gdb shows; the connection is closed at the next. */
struct refusal {
    struct gdb_port *port;
    struct conn *conn; /* NULL: unused */
    bool told;
};

struct gdb_port {
    uv_loop_t *loop;
    struct address address;
    struct listener *listener; /* NULL: stdio */
    struct gdb_port_options options;
    struct gdb_session *session;
    struct refusal refusal[REFUSALS];
    uv_check_t turn_end; /* active when there is something to decide */
    bool closing;
};

static void begin_session(struct gdb_port *port, struct conn *conn);

/* ---- refusing ---- */

static void tell(struct refusal *refusal)
{
    static const char reason[] = "E.another debugger is connected; only one can be at a time";
    struct buffer packet = {0};
    buffer_append_byte(&packet, '+');
    rsp_packet_append(&packet, reason, sizeof reason - 1);
    conn_send(refusal->conn, packet.data, packet.size);
    conn_flush(refusal->conn);
    buffer_fini(&packet);
    refusal->told = true;
    log_line(LOG_WARN, "gdb: a second client was refused: another one is connected");
}

static void refusal_closed(void *ctx, const char *reason)
{
    struct refusal *refusal = ctx;
    (void)reason;
    refusal->conn = NULL;
}

static void promote(struct refusal *refusal)
{
    struct conn *conn = refusal->conn;
    refusal->conn = NULL;
    begin_session(refusal->port, conn);
}

/* Nothing is taken from the input before the decision: a session would begin with it. */
static bool has_packet(struct buffer *input)
{
    struct rsp_framer framer;
    const uint8_t *bytes = input->data;
    size_t left = input->size;
    enum rsp_item item = RSP_ITEM_NONE;
    rsp_framer_init(&framer);
    while (left && item != RSP_ITEM_PACKET && item != RSP_ITEM_TOO_LONG)
        item = rsp_framer_next(&framer, &bytes, &left);
    rsp_framer_fini(&framer);
    return item == RSP_ITEM_PACKET || item == RSP_ITEM_TOO_LONG;
}

static void decide(struct refusal *refusal)
{
    struct gdb_port *port = refusal->port;
    if (!port->session) {
        promote(refusal);
    } else if (gdb_session_ending(port->session)) {
        conn_read(refusal->conn, false); /* until it has ended */
    } else if (has_packet(conn_input(refusal->conn))) {
        buffer_clear(conn_input(refusal->conn));
        tell(refusal);
    } else if (conn_input(refusal->conn)->size > RSP_PACKET_SIZE) {
        conn_close(refusal->conn, NULL);
    }
}

/* After everything that this turn of the loop has brought, the end of the session included. */
static void decide_all(uv_check_t *check_handle)
{
    struct gdb_port *port = check_handle->data;
    uv_check_stop(check_handle);
    for (size_t i = 0; i < REFUSALS; i++) {
        struct refusal *refusal = &port->refusal[i];
        if (refusal->conn && !refusal->told && !conn_closing(refusal->conn))
            decide(refusal);
    }
}

static void refusal_received(void *ctx)
{
    struct refusal *refusal = ctx;
    if (!refusal->told)
        uv_check_start(&refusal->port->turn_end, decide_all);
    else if (has_packet(conn_input(refusal->conn)) ||
             conn_input(refusal->conn)->size > RSP_PACKET_SIZE)
        conn_close(refusal->conn, NULL);
}

static void refuse(struct gdb_port *port, struct conn *conn)
{
    static const struct conn_ops ops = {refusal_received, NULL, refusal_closed};
    for (size_t i = 0; i < REFUSALS; i++) {
        struct refusal *refusal = &port->refusal[i];
        if (refusal->conn)
            continue;
        *refusal = (struct refusal){.port = port, .conn = conn};
        conn_start(conn, &ops, refusal);
        return;
    }
    conn_abort(conn, NULL);
}

/* ---- the session ---- */

static void session_ended(void *ctx, const char *reason)
{
    struct gdb_port *port = ctx;
    port->session = NULL;
    if (reason)
        log_line(LOG_WARN, "gdb: the connection was closed: %s", reason);
    if (port->closing)
        return;
    for (size_t i = 0; i < REFUSALS; i++) {
        if (port->refusal[i].conn && !port->refusal[i].told) {
            promote(&port->refusal[i]);
            return;
        }
    }
    port->options.ended(port->options.ctx);
}

static void session_wants(void *ctx)
{
    struct gdb_port *port = ctx;
    port->options.wants(port->options.ctx);
}

static void begin_session(struct gdb_port *port, struct conn *conn)
{
    const struct gdb_session_options options = {
        .conn = conn,
        .movement = port->options.movement,
        .interpreter = port->options.interpreter,
        .wants = session_wants,
        .ended = session_ended,
        .ctx = port,
    };
    port->session = gdb_session_new(port->loop, &options);
    port->options.wants(port->options.ctx);
    gdb_session_turn(port->session);
}

static void accepted(void *ctx, struct conn *conn)
{
    struct gdb_port *port = ctx;
    if (port->session)
        refuse(port, conn);
    else
        begin_session(port, conn);
}

struct gdb_port *gdb_port_new(uv_loop_t *loop, const struct address *address, struct error *err)
{
    struct gdb_port *port = mem_new(1, sizeof *port);
    port->loop = loop;
    port->address = *address;
    if (address->kind != ADDRESS_STDIO) {
        port->listener = listener_new(loop, address, accepted, port, err);
        if (!port->listener) {
            free(port);
            return NULL;
        }
        port->address = *listener_address(port->listener);
    }
    uv_check_init(loop, &port->turn_end);
    port->turn_end.data = port;
    return port;
}

bool gdb_port_start(struct gdb_port *port, const struct gdb_port_options *options,
                    struct error *err)
{
    port->options = *options;
    if (port->listener)
        return true;
    struct conn *conn = conn_new_stdio(port->loop, err);
    if (conn)
        begin_session(port, conn);
    return conn;
}

const struct address *gdb_port_address(const struct gdb_port *port)
{
    return &port->address;
}

bool gdb_port_connected(const struct gdb_port *port)
{
    return port->session;
}

void gdb_port_turn(struct gdb_port *port)
{
    if (port->session)
        gdb_session_turn(port->session);
}

void gdb_port_close(struct gdb_port *port)
{
    port->closing = true;
    uv_close((uv_handle_t *)&port->turn_end, NULL);
    if (port->listener)
        listener_close(port->listener);
    if (port->session)
        gdb_session_close(port->session, NULL);
    for (size_t i = 0; i < REFUSALS; i++) {
        if (port->refusal[i].conn)
            conn_abort(port->refusal[i].conn, NULL);
    }
}

void gdb_port_free(struct gdb_port *port)
{
    free(port);
}
