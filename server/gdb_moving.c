/* A session while the machine moves for it: what is said meanwhile, and the reply when it has
 * stopped. */
#include "base/log.h"
#include "base/plain_text.h"
#include "server/gdb_handlers.h"
#include "server/stop_text.h"
#include "timeline/branches.h"

#include <inttypes.h>

/* How long a Ctrl-C between two resumes is for the one to come. */
enum { INTERRUPT_KEPT_NS = 500000000 };

static void move(struct gdb_session *s, enum gdb_awaits awaits,
                 void (*begin)(struct movement *m, const struct mover *owner));

void gdb_append_notice(struct gdb_session *s, struct buffer *text)
{
    struct buffer notice = timeline_notice(s->timeline);
    if (notice.size)
        buffer_printf(text, "backstep: %.*s", (int)notice.size, (const char *)notice.data);
    buffer_fini(&notice);
}

/* As one packet: gdb may leave between two of them, for a Ctrl-C, and would take the second for the
 * reply to what it asks next. */
void gdb_reply_text(struct buffer *text, struct buffer *reply)
{
    plain_text_clean(text->data, text->size, true);
    if (text->size)
        rsp_reply_bytes(reply, text->data, text->size);
    else
        rsp_reply_ok(reply);
}

/* gdb does not expect a command to move anything: it shows the registers it has read before. */
static bool answer_monitor(struct gdb_session *s, const struct stop *stop)
{
    struct buffer text = s->said;
    s->said = (struct buffer){0};
    bool over = interpreter_finish(&s->options.interpreter, stop, &text);
    /* Scripts read answers in JSON, and flush by themselves. */
    bool json = text.size && text.data[0] == '{';
    if (over && !json)
        gdb_append_notice(s, &text);
    if (over && !json && stop->position != s->monitor_from)
        buffer_append_string(&text, "(to see it in gdb: `maint flush register-cache`, `frame`)\n");
    if (over) {
        gdb_reply_text(&text, &s->reply);
    } else {
        s->said = text;
        text = (struct buffer){0};
        s->holds = false;
        move(s, GDB_AWAITS_MONITOR, movement_goes_on);
    }
    buffer_fini(&text);
    return over;
}

/* Is console output shown by a client that waits for this? See append_bare in gdb_resume.c. */
static bool shows_console(const struct gdb_session *s, enum gdb_awaits awaits)
{
    return awaits == GDB_AWAITS_MONITOR || (awaits == GDB_AWAITS_STOP && !(s->features & RSP_BARE));
}

/* What the client cannot show is logged. */
static void explain(struct gdb_session *s, const struct stop *stop, enum gdb_awaits awaits)
{
    if ((!stop_needs_text(stop) && !gdb_stop_is_others(stop)) || awaits == GDB_AWAITS_MONITOR)
        return;
    struct buffer text = {0};
    bool shown = shows_console(s, awaits);
    if (shown)
        buffer_append_string(&text, "backstep: ");
    stop_append_text(stop, &text);
    if (shown)
        gdb_send_console(s, &text);
    else
        log_line(LOG_WARN, "gdb: %.*s", (int)text.size - 1, (const char *)text.data);
    buffer_fini(&text);
}

static void answer_ok(struct gdb_session *s, const struct stop *stop)
{
    if (stop->reason == STOP_INTERRUPT)
        rsp_reply_error_text(&s->reply, RSP_ERROR_MESSAGE, "interrupted");
    else if (stop->reason == STOP_DIVERGED)
        rsp_reply_error_text(&s->reply, RSP_ERROR_MESSAGE, stop->text);
    else
        rsp_reply_ok(&s->reply);
}

static void send_notice(struct gdb_session *s, enum gdb_awaits awaits)
{
    struct buffer text = {0};
    if (awaits == GDB_AWAITS_MONITOR) /* in its reply */
        return;
    gdb_append_notice(s, &text);
    if (shows_console(s, awaits))
        gdb_send_console(s, &text);
    else if (text.size)
        log_line(LOG_INFO, "gdb: %.*s", (int)text.size - 1, (const char *)text.data);
    buffer_fini(&text);
}

static void stopped(void *ctx, const struct stop *stop)
{
    struct gdb_session *s = ctx;
    enum gdb_awaits awaits = s->awaits;
    s->awaits = GDB_AWAITS_NOTHING;
    uv_timer_stop(&s->second);
    if (awaits == GDB_AWAITS_END) {
        gdb_session_end(s);
        return;
    }
    s->stop = *stop;
    s->moved = true;
    s->changes = s->options.movement->changes;
    buffer_clear(&s->reply);
    s->holds = awaits == GDB_AWAITS_MONITOR && s->beats;
    send_notice(s, awaits);
    explain(s, stop, awaits);
    if (awaits == GDB_AWAITS_MONITOR) {
        if (!answer_monitor(s, stop))
            return;
    } else if (awaits == GDB_AWAITS_OK) {
        answer_ok(s, stop);
    } else {
        s->hart = stop->hart; /* gdb takes it for selected by Hg */
        gdb_append_stop(s, stop, &s->reply);
    }
    gdb_send_packet(s, &s->reply);
    s->holds = s->beats = s->abandoned = false;
    if (s->conn)
        conn_flush(s->conn);
}

/* False: there is nothing to say. */
bool gdb_send_progress(struct gdb_session *s)
{
    uint64_t done, total;
    timeline_progress(s->timeline, &done, &total);
    if (timeline_live(s->timeline) || !total || done > total)
        return false;
    struct buffer text = {0};
    buffer_printf(&text, "backstep: %.0f%% of %" PRIu64 " steps replayed; Ctrl-C ends it\n",
                  100.0 * (double)done / (double)total, total);
    gdb_send_console(s, &text);
    buffer_fini(&text);
    return true;
}

static bool is_gdb(const struct gdb_session *s)
{
    return s->features & RSP_VCONT_SUPPORTED;
}

/* gdb waits for a resume as long as it takes, and for any other reply only two seconds between two
 * bytes: an acknowledgement, which means nothing here, keeps it waiting. But a `monitor` it asks
 * after by itself, see take_nack; others do not. */
static void on_second(uv_timer_t *timer)
{
    struct gdb_session *s = timer->data;
    bool waits = s->awaits == GDB_AWAITS_NOTHING && !movement_free(s->options.movement);
    if (s->awaits == GDB_AWAITS_NOTHING && !waits)
        uv_timer_stop(timer);
    if (s->awaits == GDB_AWAITS_OK || s->awaits == GDB_AWAITS_RUN || waits)
        gdb_send_raw(s, '+');
    else if (shows_console(s, s->awaits) && !(s->awaits == GDB_AWAITS_MONITOR && is_gdb(s)))
        gdb_send_progress(s);
    if (s->conn)
        conn_flush(s->conn);
}

void gdb_watch_seconds(struct gdb_session *s)
{
    uv_timer_start(&s->second, on_second, 1000, 1000);
}

static void move(struct gdb_session *s, enum gdb_awaits awaits,
                 void (*begin)(struct movement *m, const struct mover *owner))
{
    const struct mover mover = {stopped, s, "gdb is running"};
    s->awaits = awaits;
    s->stepping = false;
    begin(s->options.movement, &mover);
    if (uv_hrtime() - s->interrupted_at < INTERRUPT_KEPT_NS)
        movement_interrupt(s->options.movement);
    s->interrupted_at = 0;
    s->asked = false;
    uv_update_time(s->second.loop);
    gdb_watch_seconds(s);
}

enum gdb_outcome gdb_moved(struct gdb_session *s, enum gdb_awaits awaits)
{
    move(s, awaits, movement_began);
    return GDB_MOVED;
}
