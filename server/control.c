#include "server/control.h"

#include "base/check.h"
#include "base/log.h"
#include "server/qmp_handlers.h"
#include "timeline/branches.h"

#include <stdlib.h>
#include <time.h>

struct control *control_new(const struct control_options *options)
{
    struct control *c = mem_new(1, sizeof *c);
    c->options = *options;
    c->timeline = options->movement->timeline;
    return c;
}

void control_accept(struct control *c, struct conn *conn, bool pretty)
{
    for (size_t i = 0; i < CONTROL_SESSIONS && !c->closing; i++) {
        if (c->session[i])
            continue;
        c->accepted++;
        c->session[i] = qmp_session_new(c, conn, pretty, &c->session[i]);
        return;
    }
    if (!c->closing)
        log_line(LOG_WARN, "control: a client was refused: %d are connected", CONTROL_SESSIONS);
    conn_abort(conn, NULL);
}

uint64_t control_accepted(const struct control *c)
{
    return c->accepted;
}

/* ---- what is told ---- */

static bool has_listeners(const struct control *c)
{
    for (size_t i = 0; i < CONTROL_SESSIONS; i++) {
        if (c->session[i] && qmp_session_negotiated(c->session[i]))
            return true;
    }
    return false;
}

void control_event(struct control *c, const char *name, json_t *data)
{
    struct timespec now;
    if (!has_listeners(c)) {
        json_decref(data);
        return;
    }
    clock_gettime(CLOCK_REALTIME, &now);
    json_t *event = json_pack("{s:{s:I,s:I},s:s}", "timestamp", "seconds", (json_int_t)now.tv_sec,
                              "microseconds", (json_int_t)(now.tv_nsec / 1000), "event", name);
    if (data)
        json_object_set_new(event, "data", data);
    for (size_t i = 0; i < CONTROL_SESSIONS; i++) {
        if (c->session[i])
            qmp_session_event(c->session[i], event);
    }
    json_decref(event);
}

static json_t *cause(bool guest, const char *reason)
{
    return json_pack("{s:b,s:s}", "guest", guest, "reason", reason);
}

void control_shutdown(struct control *c, bool guest, const char *reason)
{
    if (!c->shut)
        control_event(c, "SHUTDOWN", cause(guest, reason));
    c->shut = true;
}

const char *control_status(const struct control *c)
{
    if (c->running)
        return "running";
    if (timeline_live(c->timeline) && timeline_machine(c->timeline)->state.halt)
        return "shutdown";
    if (!c->moved)
        return "prelaunch";
    switch (c->stop.reason) {
    case STOP_BREAK:
    case STOP_WATCH:
        return "debug";
    case STOP_DIVERGED:
        return "internal-error";
    case STOP_FULL:
        return "io-error";
    case STOP_TRIGGER:
        return "guest-panicked";
    default:
        return "paused";
    }
}

/* ---- movement ---- */

void control_began(struct control *c)
{
    c->moved = true;
    if (!timeline_machine(c->timeline)->state.halt)
        c->shut = false;
    if (c->running)
        return;
    c->running = true;
    control_event(c, "RESUME", NULL);
}

/* Resets that the guest makes while it makes new history; those of a replay are no news. */
void control_slice(struct control *c)
{
    uint64_t resets = timeline_machine(c->timeline)->state.resets;
    bool live = timeline_live(c->timeline);
    if (live && c->was_live && resets > c->resets)
        control_event(c, "RESET", cause(true, "guest-reset"));
    c->resets = resets;
    c->was_live = live;
}

void control_stopped(struct control *c, const struct stop *stop)
{
    control_slice(c);
    c->stop = *stop;
    if (stop->reason == STOP_HALT && timeline_live(c->timeline) && timeline_on_main(c->timeline))
        control_shutdown(c, true, stop->halt == HALT_RESET ? "guest-reset" : "guest-shutdown");
}

void control_turn(struct control *c)
{
    if (c->closing)
        return;
    control_jobs_turn(c);
    for (size_t i = 0; i < CONTROL_SESSIONS; i++) {
        if (c->session[i])
            qmp_session_turn(c->session[i]);
    }
}

void control_settle(struct control *c)
{
    if (!c->running || !movement_free(c->options.movement))
        return;
    c->running = false;
    control_event(c, "STOP", NULL);
}

void control_moved(struct control *c, uint64_t from)
{
    if (timeline_position(c->timeline) != from || !timeline_live(c->timeline) ||
        !timeline_on_main(c->timeline))
        c->options.pause(c->options.ctx);
}

bool control_button(struct control *c, enum event_kind kind, struct error *err)
{
    if (!timeline_event(c->timeline, kind))
        return error_set(err, ERROR_UNSUPPORTED,
                         "the machine stands in the past or on a branch, where nothing comes from "
                         "outside: go to the end of main first");
    c->resets = timeline_machine(c->timeline)->state.resets;
    if (kind == EVENT_RESET) {
        control_event(c, "RESET", cause(false, "host-qmp-system-reset"));
        return true;
    }
    control_event(c, "POWERDOWN", NULL);
    if (c->running) /* on with the run, which now ends as any that is switched off */
        c->options.run(c->options.ctx);
    else
        control_shutdown(c, true, "guest-shutdown");
    return true;
}

/* ---- the end ---- */

void control_close(struct control *c)
{
    if (!c->closing)
        control_jobs_end(c, true);
    c->closing = true;
    for (size_t i = 0; i < CONTROL_SESSIONS; i++) {
        if (c->session[i])
            qmp_session_close(c->session[i]);
    }
}

void control_abort(struct control *c)
{
    c->closing = true;
    for (size_t i = 0; i < CONTROL_SESSIONS; i++) {
        if (c->session[i])
            qmp_session_abort(c->session[i], NULL);
    }
}

void control_free(struct control *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < CONTROL_SESSIONS; i++)
        check(!c->session[i], "session %zu is not closed", i);
    control_jobs_end(c, false);
    free(c);
}
