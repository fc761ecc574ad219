#include "server/gdb_session.h"

#include "base/check.h"
#include "base/endian.h"
#include "base/log.h"
#include "base/plain_text.h"
#include "server/gdb_handlers.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* Over this many unread reply bytes no further request is looked at. */
#define BACKLOG_PAUSE ((size_t)1 << 20)
/* Bytes of requests kept while the machine moves: gdb sends none then, a pipelining client some. */
#define WAITING_MOST ((size_t)4 * RSP_PACKET_SIZE)
/* The size of a waiting request of which nothing could be kept: too long, or damaged. */
#define WAITING_BAD UINT32_MAX

/* ---- out ---- */

void gdb_send_packet(struct gdb_session *s, const struct buffer *payload)
{
    if (!s->conn || s->abandoned)
        return;
    buffer_clear(&s->sent);
    rsp_packet_append(&s->sent, payload->data, payload->size);
    if (s->holds)
        buffer_append(&s->held, s->sent.data, s->sent.size);
    else
        conn_send(s->conn, s->sent.data, s->sent.size);
}

void gdb_send_raw(struct gdb_session *s, char byte)
{
    if (s->conn)
        conn_send(s->conn, &byte, 1);
}

void gdb_send_console(struct gdb_session *s, struct buffer *text)
{
    enum { PART = RSP_PACKET_SIZE / 4 };
    struct buffer part = {0};
    /* Guests and recordings have a say in many a line, and gdb shows all as it is. */
    plain_text_clean(text->data, text->size, true);
    for (size_t at = 0; at < text->size; at += PART) {
        size_t left = text->size - at;
        buffer_clear(&part);
        rsp_reply_console(&part, text->data + at, left < PART ? left : PART);
        gdb_send_packet(s, &part);
    }
    buffer_fini(&part);
}

/* E.text, asked for or not: before error-message+ came up gdb showed it for register writes already
 * (13.1 prints the whole reply), and took any E for a failed memory write. */
enum gdb_outcome gdb_refuse(struct gdb_session *s, struct buffer *reply, const struct error *err)
{
    rsp_reply_error_text(reply, s->features | RSP_ERROR_MESSAGE, err->message);
    log_line(LOG_WARN, "gdb: refused: %s", err->message);
    return GDB_REPLY;
}

/* ---- handlers ---- */

static enum gdb_outcome unsupported(struct gdb_session *s, const struct rsp_request *r,
                                    struct buffer *reply)
{
    (void)s;
    (void)r;
    (void)reply;
    return GDB_REPLY;
}

static enum gdb_outcome malformed(struct gdb_session *s, const struct rsp_request *r,
                                  struct buffer *reply)
{
    (void)r;
    rsp_reply_error_text(reply, s->features, "the packet is malformed");
    return GDB_REPLY;
}

/* The client lets go. In extended mode it keeps the connection, for a vRun or vAttach; the machine
 * stays stopped until it is closed. */
static enum gdb_outcome detach(struct gdb_session *s, const struct rsp_request *r,
                               struct buffer *reply)
{
    (void)r;
    gdb_points_clear(s);
    rsp_reply_ok(reply);
    s->killed = true;
    return GDB_REPLY;
}

static enum gdb_outcome silent(struct gdb_session *s, const struct rsp_request *r,
                               struct buffer *reply)
{
    (void)s;
    (void)r;
    (void)reply;
    return GDB_SILENT;
}

static gdb_handler *handler_of(enum rsp_request_kind kind)
{
    static gdb_handler *const handlers[] = {
        [RSP_MALFORMED] = malformed,
        [RSP_STOP_REASON] = gdb_stop_reason,
        [RSP_READ_REGISTERS] = gdb_read_registers,
        [RSP_WRITE_REGISTERS] = gdb_write_registers,
        [RSP_READ_REGISTER] = gdb_read_register,
        [RSP_WRITE_REGISTER] = gdb_write_register,
        [RSP_READ_MEMORY] = gdb_read_memory,
        [RSP_READ_MEMORY_BINARY] = gdb_read_memory_binary,
        [RSP_WRITE_MEMORY] = gdb_write_memory,
        [RSP_RESUME] = gdb_resume,
        [RSP_REVERSE_STEP] = gdb_reverse_step,
        [RSP_REVERSE_CONTINUE] = gdb_reverse_continue,
        [RSP_VCONT_QUERY] = gdb_vcont_query,
        [RSP_VCONT] = gdb_vcont,
        [RSP_VKILL] = gdb_vkill,
        [RSP_VRUN] = gdb_run,
        [RSP_VATTACH] = gdb_attach,
        [RSP_INSERT_POINT] = gdb_insert_point,
        [RSP_REMOVE_POINT] = gdb_remove_point,
        [RSP_SET_THREAD] = gdb_set_thread,
        [RSP_THREAD_ALIVE] = gdb_thread_alive,
        [RSP_DETACH] = detach,
        [RSP_KILL] = silent,
        [RSP_EXTENDED_MODE] = gdb_extended,
        [RSP_RESTART] = silent,
        [RSP_SUPPORTED] = gdb_supported,
        [RSP_CURRENT_THREAD] = gdb_current_thread,
        [RSP_THREADS_FIRST] = gdb_threads_first,
        [RSP_THREADS_NEXT] = gdb_threads_next,
        [RSP_THREAD_EXTRA_INFO] = gdb_thread_extra,
        [RSP_ATTACHED] = gdb_attached,
        [RSP_SYMBOL] = gdb_symbol,
        [RSP_MONITOR] = gdb_monitor,
        [RSP_TRANSFER_READ] = gdb_transfer,
        [RSP_SEARCH_MEMORY] = gdb_search_memory,
        [RSP_CRC] = gdb_crc,
        [RSP_START_NO_ACK_MODE] = gdb_start_no_ack,
        [RSP_QEMU_SUPPORTED] = gdb_qemu_supported,
        [RSP_PHYSICAL_QUERY] = gdb_physical_query,
        [RSP_PHYSICAL_SET] = gdb_physical_set,
    };
    bool known = kind < sizeof handlers / sizeof *handlers && handlers[kind];
    return known ? handlers[kind] : unsupported;
}

/* One request, one reply: now, or by stopped(). */
static void answer(struct gdb_session *s, uint8_t *payload, size_t size)
{
    struct rsp_request request;
    rsp_request_parse(payload, size, &request);
    check(s->awaits == GDB_AWAITS_NOTHING, "a reply is outstanding");
    buffer_clear(&s->reply);
    if (!s->greeted) /* what has made way for the session is no news to it */
        s->changes = s->options.movement->changes;
    s->greeted = true;
    enum gdb_outcome outcome = handler_of(request.kind)(s, &request, &s->reply);
    check((outcome == GDB_MOVED) == (s->awaits != GDB_AWAITS_NOTHING), "request of kind %d: %d",
          request.kind, outcome);
    if (outcome == GDB_REPLY)
        gdb_send_packet(s, &s->reply);
    if (s->acks_off_next)
        s->acks = s->acks_off_next = false;
    if (request.kind == RSP_KILL || (request.kind == RSP_DETACH && !s->extended))
        conn_close(s->conn, NULL);
}

static void answer_bad(struct gdb_session *s)
{
    buffer_clear(&s->reply);
    rsp_reply_error_text(&s->reply, s->features, "the packet is damaged or over PacketSize");
    gdb_send_packet(s, &s->reply);
}

/* ---- in ---- */

static bool may_answer(const struct gdb_session *s)
{
    return s->conn && !conn_closing(s->conn) && movement_free(s->options.movement) &&
           s->awaits == GDB_AWAITS_NOTHING && conn_backlog(s->conn) <= BACKLOG_PAUSE;
}

static void put_waiting(struct gdb_session *s, const void *payload, uint32_t size)
{
    uint8_t head[4];
    store_le32(head, size);
    buffer_append(&s->waiting, head, sizeof head);
    if (size != WAITING_BAD)
        buffer_append(&s->waiting, payload, size);
    if (s->waiting.size > WAITING_MOST)
        conn_close(s->conn, "too many requests came while the machine was moving");
    if (s->awaits != GDB_AWAITS_NOTHING || movement_free(s->options.movement))
        return;
    if (s->options.wants)
        s->options.wants(s->options.ctx);
    if (!uv_is_active((uv_handle_t *)&s->second))
        gdb_watch_seconds(s);
}

static void answer_waiting(struct gdb_session *s)
{
    size_t at = 0;
    while (may_answer(s) && at < s->waiting.size) {
        uint32_t size = load_le32(s->waiting.data + at);
        at += 4;
        if (size == WAITING_BAD) {
            answer_bad(s);
            continue;
        }
        answer(s, s->waiting.data + at, size);
        at += size;
    }
    buffer_consume(&s->waiting, at);
}

/* A client that asks for something else does not wait for the reply to its `monitor` any more: what
 * that has begun is ended. */
static void abandon_monitor(struct gdb_session *s)
{
    buffer_clear(&s->held);
    if (s->awaits != GDB_AWAITS_MONITOR)
        return;
    s->abandoned = true;
    movement_interrupt(s->options.movement);
}

static void take_packet(struct gdb_session *s, bool bad)
{
    struct buffer *payload = &s->framer.payload;
    abandon_monitor(s);
    if (!may_answer(s) || s->waiting.size)
        put_waiting(s, payload->data, bad ? WAITING_BAD : (uint32_t)payload->size);
    else if (bad)
        answer_bad(s);
    else
        answer(s, payload->data, payload->size);
}

/* One that crosses with a stop reply finds nothing to interrupt. But gdb passes over stops of its
 * own accord (a watched value that did not change, a condition that does not hold): it asks a few
 * things and resumes, and a Ctrl-C meanwhile is for the resume that follows at once. */
static void take_interrupt(struct gdb_session *s)
{
    if (s->awaits != GDB_AWAITS_NOTHING || s->waiting.size)
        movement_interrupt(s->options.movement);
    if (s->awaits == GDB_AWAITS_NOTHING && (s->asked || s->waiting.size))
        s->interrupted_at = uv_hrtime();
}

static void send_nothing(struct gdb_session *s)
{
    struct buffer part = {0};
    rsp_reply_console(&part, "", 0);
    gdb_send_packet(s, &part);
    buffer_fini(&part);
}

/* gdb says `-` every two seconds (remotetimeout) in which a reply does not come, also without
 * acknowledgements. Upon Ctrl-C it no longer waits for that of a `monitor`, tells nobody, and would
 * take it for the reply to what it asks for next. So once it has said `-`, it is sent something
 * only when it has just done so again, and certainly reads it. */
static void take_nack(struct gdb_session *s)
{
    bool owed = s->awaits != GDB_AWAITS_NOTHING || s->waiting.size;
    if (s->awaits == GDB_AWAITS_MONITOR) {
        s->beats = true;
        if (!gdb_send_progress(s))
            send_nothing(s);
    } else if (s->held.size) {
        conn_send(s->conn, s->held.data, s->held.size);
        buffer_clear(&s->held);
    } else if (s->acks && s->sent.size && !owed) {
        conn_send(s->conn, s->sent.data, s->sent.size);
    }
}

static void take_item(struct gdb_session *s, enum rsp_item item)
{
    switch (item) {
    case RSP_ITEM_NONE:
    case RSP_ITEM_ACK:
        break;
    case RSP_ITEM_PACKET:
    case RSP_ITEM_TOO_LONG:
        if (s->acks)
            gdb_send_raw(s, '+');
        s->asked = s->moved && s->awaits == GDB_AWAITS_NOTHING;
        take_packet(s, item == RSP_ITEM_TOO_LONG);
        break;
    case RSP_ITEM_BAD_CHECKSUM:
        /* With acks the client sends it again, without there is only an error to be given. */
        if (s->acks)
            gdb_send_raw(s, '-');
        else
            take_packet(s, true);
        break;
    case RSP_ITEM_INTERRUPT:
        take_interrupt(s);
        break;
    case RSP_ITEM_NACK:
        take_nack(s);
        break;
    }
}

/* While the machine moves everything that has arrived is looked at, for the sake of Ctrl-C. While
 * the client is slow to read nothing is. */
static void take_input(struct gdb_session *s)
{
    struct buffer *input = conn_input(s->conn);
    const uint8_t *bytes = input->data;
    size_t left = input->size;
    while (left && !conn_closing(s->conn) && conn_backlog(s->conn) <= BACKLOG_PAUSE) {
        take_item(s, rsp_framer_next(&s->framer, &bytes, &left));
        answer_waiting(s);
    }
    buffer_consume(input, input->size - left);
}

void gdb_session_turn(struct gdb_session *s)
{
    if (!s->conn || conn_closing(s->conn))
        return;
    answer_waiting(s);
    take_input(s);
    conn_flush(s->conn);
    conn_read(s->conn, conn_backlog(s->conn) <= BACKLOG_PAUSE);
}

/* ---- beginning and end ---- */

static void session_free(uv_handle_t *handle)
{
    struct gdb_session *s = handle->data;
    s->options.ended(s->options.ctx, s->reason[0] ? s->reason : NULL);
    rsp_framer_fini(&s->framer);
    gdb_registers_fini(&s->registers);
    buffer_fini(&s->waiting);
    buffer_fini(&s->sent);
    buffer_fini(&s->held);
    buffer_fini(&s->reply);
    buffer_fini(&s->said);
    free(s->points.item);
    free(s);
}

void gdb_session_end(struct gdb_session *s)
{
    gdb_points_clear(s);
    uv_close((uv_handle_t *)&s->second, session_free);
}

static void on_received(void *ctx)
{
    gdb_session_turn(ctx);
}

static void on_drained(void *ctx)
{
    gdb_session_turn(ctx);
}

/* A resume of ours is ended first: points are not taken away under a machine that moves. */
static void on_closed(void *ctx, const char *reason)
{
    struct gdb_session *s = ctx;
    s->conn = NULL;
    if (reason)
        snprintf(s->reason, sizeof s->reason, "%s", reason);
    if (s->awaits == GDB_AWAITS_NOTHING) {
        gdb_session_end(s);
    } else {
        s->awaits = GDB_AWAITS_END;
        movement_interrupt(s->options.movement);
    }
}

struct gdb_session *gdb_session_new(uv_loop_t *loop, const struct gdb_session_options *options)
{
    static const struct conn_ops ops = {on_received, on_drained, on_closed};
    struct gdb_session *s = mem_new(1, sizeof *s);
    s->options = *options;
    s->conn = options->conn;
    s->timeline = options->movement->timeline;
    s->machine = timeline_machine(s->timeline);
    s->acks = true;
    s->changes = options->movement->changes;
    s->resume_hart = RSP_THREAD_ANY;
    rsp_framer_init(&s->framer);
    gdb_registers_init(&s->registers, s->machine);
    uv_timer_init(loop, &s->second);
    s->second.data = s;
    conn_start(s->conn, &ops, s);
    return s;
}

bool gdb_session_ending(const struct gdb_session *s)
{
    return !s->conn || conn_closing(s->conn);
}

void gdb_session_close(struct gdb_session *s, const char *reason)
{
    if (s->conn)
        conn_abort(s->conn, reason);
}
