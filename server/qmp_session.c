#include "server/qmp_session.h"

#include "base/check.h"
#include "base/log.h"
#include "base/plain_text.h"
#include "server/qmp_handlers.h"
#include "server/qmp_reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Over this many unread reply bytes no further request is looked at; over the second, the client is
 * dropped at the next event. */
#define BACKLOG_PAUSE ((size_t)1 << 20)
#define BACKLOG_MOST ((size_t)4 << 20)
/* Requests kept while one is under way, and bytes that they came in. */
enum { QUEUE_MOST = 64, QUEUE_BYTES = QMP_VALUE_MOST };

enum session_state {
    SESSION_READY,
    SESSION_WAITS, /* `call` is to be tried again when movement is free */
    SESSION_MOVES  /* the operation under way is the call's */
};

struct queued {
    struct qmp_request request;
    char *error; /* of a request that is none; NULL: it is one */
};

struct qmp_session {
    struct control *control;
    struct qmp_session **slot;
    struct conn *conn; /* NULL: closed */
    struct qmp_reader reader;
    bool pretty, negotiated;
    bool last; /* nothing is looked at behind what is queued */
    bool busy; /* session_turn is at work */
    bool cut;  /* the call has been interrupted before it could move */
    enum session_state state;
    struct qmp_call call;
    uint64_t from; /* position at which the call's operation began */
    struct queued queue[QUEUE_MOST];
    size_t queued, bytes;
    size_t answering; /* how many of the queue are calls already */
};

/* ---- out ---- */

static int append_json(const char *bytes, size_t size, void *ctx)
{
    buffer_append(ctx, bytes, size);
    return 0;
}

static void send_json(struct qmp_session *s, const json_t *value)
{
    struct buffer line = {0};
    if (!s->conn)
        return;
    size_t flags = JSON_ENSURE_ASCII | (s->pretty ? JSON_INDENT(4) : 0);
    json_dump_callback(value, append_json, &line, flags);
    buffer_append_string(&line, "\r\n");
    conn_send(s->conn, line.data, line.size);
    conn_flush(s->conn);
    buffer_fini(&line);
}

/* With the request's id, where QEMU has it. Takes `value`. */
static void send_reply(struct qmp_session *s, const json_t *id, const char *key, json_t *value)
{
    json_t *reply = json_object(), *same = (json_t *)(uintptr_t)id;
    bool good = !strcmp(key, "return");
    if (id && !good)
        json_object_set(reply, "id", same);
    json_object_set_new(reply, key, value ? value : json_object());
    if (id && good)
        json_object_set(reply, "id", same);
    send_json(s, reply);
    json_decref(reply);
}

static void send_error(struct qmp_session *s, const json_t *id, const char *error_class,
                       const char *text)
{
    json_t *error = json_object(), *desc = json_string(text);
    if (!desc) { /* a name that was cut in the midst of a character */
        char plain[sizeof((struct error *)0)->message];
        snprintf(plain, sizeof plain, "%s", text);
        plain_text_clean(plain, strlen(plain), false);
        desc = json_string(plain);
    }
    json_object_set_new(error, "class", json_string(error_class ? error_class : "GenericError"));
    json_object_set_new(error, "desc", desc);
    send_reply(s, id, "error", error);
}

void qmp_session_event(struct qmp_session *s, const json_t *event)
{
    if (!s->negotiated || !s->conn)
        return;
    if (conn_backlog(s->conn) > BACKLOG_MOST)
        conn_abort(s->conn, "it does not read");
    else
        send_json(s, event);
}

void qmp_session_negotiate(struct qmp_session *s)
{
    s->negotiated = true;
}

bool qmp_session_negotiated(const struct qmp_session *s)
{
    return s->negotiated;
}

json_t *qmp_version(void)
{
    return json_pack("{s:{s:i,s:i,s:i},s:s}", "qemu", "micro", 0, "minor", 2, "major", 7, "package",
                     "backstep " BACKSTEP_VERSION);
}

static void greet(struct qmp_session *s)
{
    json_t *greeting = json_pack("{s:{s:o,s:[]}}", "QMP", "version", qmp_version(), "capabilities");
    send_json(s, greeting);
    json_decref(greeting);
}

/* ---- calls ---- */

static bool is_urgent(const struct queued *q, const char *name)
{
    return !q->error && q->request.command && !strcmp(q->request.command, name);
}

static bool ends_movement(const struct queued *q)
{
    return is_urgent(q, "stop") || is_urgent(q, "quit");
}

/* The movement that the call begins is to be over at once: it has been interrupted before, its
 * client is gone, or has asked for a stop behind it. */
static bool is_cut(const struct qmp_session *s)
{
    bool cut = s->cut || !s->conn || conn_closing(s->conn);
    for (size_t i = s->answering; i < s->queued; i++)
        cut = cut || ends_movement(&s->queue[i]);
    return cut;
}

static void end_call(struct qmp_session *s)
{
    qmp_request_fini(&s->call.request);
    buffer_fini(&s->call.text);
    s->call = (struct qmp_call){0};
    s->state = SESSION_READY;
    s->cut = false;
}

static void stopped(void *ctx, const struct stop *stop);

static void settle(struct qmp_session *s, enum qmp_outcome outcome)
{
    const struct mover mover = {stopped, s, "a control client is moving"};
    struct qmp_call *call = &s->call;
    bool goes_on = s->state == SESSION_MOVES;
    switch (outcome) {
    case QMP_AGAIN:
        s->state = SESSION_WAITS;
        call->again = true;
        return;
    case QMP_MOVED:
        s->state = SESSION_MOVES;
        if (goes_on)
            movement_goes_on(s->control->options.movement, &mover);
        else
            movement_began(s->control->options.movement, &mover);
        if (is_cut(s))
            movement_interrupt(s->control->options.movement);
        return;
    case QMP_FAILED:
        json_decref(call->result);
        send_error(s, call->request.id, call->error_class, call->err.message);
        break;
    case QMP_DONE:
        send_reply(s, call->request.id, "return", call->result);
        break;
    }
    end_call(s);
}

static void try_call(struct qmp_session *s)
{
    struct qmp_call *call = &s->call;
    const struct qmp_command *row = qmp_command_find(call->request.command);
    if (!row && qmp_own_is(s->control, call->request.command))
        row = &qmp_own_command;
    check(row, "command %s", call->request.command);
    enum qmp_outcome outcome = row->rests ? qmp_at_rest(call) : QMP_DONE;
    if (outcome == QMP_DONE) {
        s->from = timeline_position(s->control->timeline);
        outcome = row->run(call);
    }
    settle(s, outcome);
}

/* Is there such a command, may it be given now, are these its arguments? */
static bool check_call(struct qmp_session *s, struct qmp_call *call)
{
    const struct qmp_request *r = &call->request;
    const struct qmp_command *row = qmp_command_find(r->command);
    bool negotiates = row && !strcmp(row->name, "qmp_capabilities");
    call->error_class = "CommandNotFound";
    if (!s->negotiated && !negotiates)
        return error_set(&call->err, ERROR_USAGE,
                         "Expecting capabilities negotiation with 'qmp_capabilities'");
    if (s->negotiated && negotiates)
        return error_set(&call->err, ERROR_USAGE,
                         "Capabilities negotiation is already complete, command ignored");
    if (!row && !qmp_own_is(s->control, r->command))
        return error_set(&call->err, ERROR_USAGE, "The command %.200s has not been found",
                         r->command);
    call->error_class = NULL;
    return !row || qmp_arguments_check(r->arguments, row->parameter, row->parameters, &call->err);
}

static void begin_call(struct qmp_session *s, struct queued *q)
{
    s->call = (struct qmp_call){.session = s, .control = s->control, .request = q->request};
    if (q->error) {
        error_set(&s->call.err, ERROR_FORMAT, "%s", q->error);
        free(q->error);
        settle(s, QMP_FAILED);
    } else if (!check_call(s, &s->call)) {
        settle(s, QMP_FAILED);
    } else {
        try_call(s);
    }
}

/* ---- in ---- */

/* True: it has been answered. */
static bool take_urgent(struct qmp_session *s, struct queued *q)
{
    struct movement *m = s->control->options.movement;
    if (s->state == SESSION_READY || !s->negotiated)
        return false;
    if (s->state == SESSION_MOVES && ends_movement(q))
        movement_interrupt(m);
    if (!is_urgent(q, QMP_OWN_INTERRUPT) || json_object_size(q->request.arguments))
        return false;
    bool moves = !movement_free(m) && m->owner.who;
    if (moves)
        movement_interrupt(m);
    else
        moves = s->cut = true; /* what is about to begin */
    send_reply(s, q->request.id, "return", json_pack("{s:b}", "interrupted", moves));
    qmp_request_fini(&q->request);
    return true;
}

static void put(struct qmp_session *s, enum qmp_item item, json_t *value,
                const struct error *broken)
{
    struct queued q = {0};
    struct error err = ERROR_INIT;
    if (item != QMP_ITEM_VALUE)
        q.error = strdup(broken->message);
    else if (!qmp_request_init(&q.request, value, &err))
        q.error = strdup(err.message);
    if (!take_urgent(s, &q))
        s->queue[s->queued++] = q;
    s->last = item == QMP_ITEM_LARGE;
}

static bool may_take(const struct qmp_session *s)
{
    return s->conn && !conn_closing(s->conn) && !s->last && s->queued < QUEUE_MOST &&
           s->bytes < QUEUE_BYTES && conn_backlog(s->conn) <= BACKLOG_PAUSE;
}

static void take_input(struct qmp_session *s)
{
    struct buffer *input = conn_input(s->conn);
    const uint8_t *bytes = input->data;
    size_t left = input->size;
    while (left && may_take(s)) {
        struct error err = ERROR_INIT;
        json_t *value;
        size_t before = left;
        enum qmp_item item = qmp_reader_next(&s->reader, &bytes, &left, &value, &err);
        s->bytes += before - left;
        if (item != QMP_ITEM_NONE)
            put(s, item, value, &err);
    }
    buffer_consume(input, input->size - left);
}

static bool may_answer(const struct qmp_session *s)
{
    return s->conn && s->state == SESSION_READY && s->queued && !conn_closing(s->conn) &&
           conn_backlog(s->conn) <= BACKLOG_PAUSE;
}

static void answer_queue(struct qmp_session *s)
{
    while (may_answer(s) && s->answering < s->queued)
        begin_call(s, &s->queue[s->answering++]);
    s->queued -= s->answering;
    memmove(s->queue, s->queue + s->answering, s->queued * sizeof *s->queue);
    s->answering = 0;
    if (!s->queued)
        s->bytes = 0;
}

/* Nobody moves, or somebody whom it is no use to wait for. */
static bool may_try(const struct qmp_session *s)
{
    const struct movement *m = s->control->options.movement;
    return s->state == SESSION_WAITS && s->conn && !conn_closing(s->conn) &&
           (movement_free(m) || m->owner.who);
}

static void free_if_over(struct qmp_session *s);

void qmp_session_turn(struct qmp_session *s)
{
    if (s->busy)
        return;
    s->busy = true;
    if (may_try(s))
        try_call(s);
    while (s->conn && !conn_closing(s->conn)) {
        size_t waiting = conn_input(s->conn)->size, queued = s->queued;
        take_input(s);
        answer_queue(s);
        if (s->queued == queued && (!s->conn || conn_input(s->conn)->size == waiting))
            break;
    }
    s->busy = false;
    if (s->conn && s->last && s->state == SESSION_READY && !s->queued)
        conn_close(s->conn, "a request was too large");
    if (s->conn && !conn_closing(s->conn))
        conn_read(s->conn, may_take(s));
    free_if_over(s);
}

/* ---- movement ---- */

static void stopped(void *ctx, const struct stop *stop)
{
    struct qmp_session *s = ctx;
    enum qmp_outcome outcome = s->call.finish ? s->call.finish(&s->call, stop) : QMP_DONE;
    if (outcome != QMP_MOVED)
        control_moved(s->control, s->from);
    if (outcome != QMP_MOVED && !s->control->options.runs(s->control->options.ctx))
        control_settle(s->control); /* the event comes before the reply */
    settle(s, outcome);
    if (!s->conn) /* else it has its turn like all others, behind gdb's: whoever queues up movements
                     is not to keep the machine for himself */
        free_if_over(s);
}

/* ---- beginning and end ---- */

static void drop_queue(struct qmp_session *s)
{
    for (size_t i = 0; i < s->queued; i++) {
        qmp_request_fini(&s->queue[i].request);
        free(s->queue[i].error);
    }
    s->queued = 0;
}

/* The connection is gone and nothing is under way. */
static void free_if_over(struct qmp_session *s)
{
    if (s->conn || s->busy || s->state == SESSION_MOVES)
        return;
    if (s->state == SESSION_WAITS)
        end_call(s);
    drop_queue(s);
    qmp_reader_fini(&s->reader);
    *s->slot = NULL;
    free(s);
}

static void on_turn(void *ctx)
{
    qmp_session_turn(ctx);
}

static void on_closed(void *ctx, const char *reason)
{
    struct qmp_session *s = ctx;
    s->conn = NULL;
    if (reason)
        log_line(LOG_WARN, "control: a connection was closed: %s", reason);
    if (s->state == SESSION_MOVES)
        movement_interrupt(s->control->options.movement);
    free_if_over(s);
}

struct qmp_session *qmp_session_new(struct control *control, struct conn *conn, bool pretty,
                                    struct qmp_session **slot)
{
    static const struct conn_ops ops = {on_turn, on_turn, on_closed};
    struct qmp_session *s = mem_new(1, sizeof *s);
    s->control = control;
    s->slot = slot;
    s->conn = conn;
    s->pretty = pretty;
    conn_start(conn, &ops, s);
    greet(s);
    return s;
}

void qmp_session_close(struct qmp_session *s)
{
    if (s->conn)
        conn_close(s->conn, NULL);
}

void qmp_session_abort(struct qmp_session *s, const char *reason)
{
    if (s->conn)
        conn_abort(s->conn, reason);
}
