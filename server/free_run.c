#include "server/free_run.h"

#include "base/log.h"
#include "server/server.h"
#include "server/stop_text.h"
#include "timeline/branches.h"

#include <inttypes.h>

void free_run_init(struct free_run *r, const struct free_run_options *options)
{
    *r = (struct free_run){
        .options = *options, .timeline = options->movement->timeline, .crashed_at = POSITION_NONE};
}

static void quit(const struct free_run *r, int status)
{
    r->options.quit(r->options.ctx, status);
}

static bool is_debugged(const struct free_run *r)
{
    return r->options.debugged(r->options.ctx);
}

/* ---- what its stops mean ---- */

static void stay(const struct free_run *r, const char *what)
{
    log_line(LOG_INFO, "%s%s", what, r->options.gdb ? "; gdb can connect" : "");
}

static int exit_status(const struct free_run *r, const struct stop *stop)
{
    if (stop->halt != HALT_EXIT || !stop->halt_code)
        return r->crashed_at == stop->position ? SERVER_CRASHED : 0;
    int status = (int)(stop->halt_code & 0xff);
    return status ? status : 1;
}

static void halted(const struct free_run *r, const struct stop *stop)
{
    struct buffer text = {0};
    stop_append_halt(stop, &text);
    if (r->options.no_shutdown) {
        stay(r, buffer_text(&text));
    } else {
        log_line(LOG_INFO, "%s", buffer_text(&text));
        quit(r, exit_status(r, stop));
    }
    buffer_fini(&text);
}

static void stopped_at_limit(const struct free_run *r, const struct stop *stop)
{
    struct buffer text = {0};
    buffer_printf(&text, "stopped at position %" PRIu64, stop->position);
    stay(r, buffer_text(&text));
    buffer_fini(&text);
    if (!r->options.attended)
        quit(r, 0);
}

/* What nobody asked for by name is told here: a control client hears of it by events. */
static void say_stop(const struct free_run *r, const struct stop *stop, bool ordered)
{
    struct buffer text = {0};
    stop_append_text(stop, &text);
    if (!ordered || stop_needs_text(stop))
        log_line(LOG_WARN, "%.*s%s", (int)text.size - 1, (const char *)text.data,
                 r->options.gdb ? "; gdb can connect" : "");
    buffer_fini(&text);
}

/* The end of what is played. */
static void played(struct free_run *r)
{
    const struct machine *m = timeline_machine(r->timeline);
    const struct stop end = {.position = timeline_position(r->timeline),
                             .halt = m->state.halt,
                             .halt_code = m->state.halt_code};
    r->runs = r->ordered = false;
    if (!r->options.attended)
        quit(r, exit_status(r, &end));
}

static void stopped(void *ctx, const struct stop *stop)
{
    struct free_run *r = ctx;
    bool ordered = r->ordered, broke = r->options.movement->broke;
    if (stop->reason == STOP_INTERRUPT && !broke)
        return;
    r->ordered = false;
    if (is_debugged(r))
        return;
    r->runs = false;
    if (broke)
        return;
    if (r->options.plays && stop->reason == STOP_END) {
        log_line(LOG_INFO, "the recording ends here, at position %" PRIu64, stop->position);
        played(r);
    } else if (stop->reason == STOP_HALT && timeline_on_main(r->timeline)) {
        halted(r, stop);
    } else if (stop->reason == STOP_DONE) {
        stopped_at_limit(r, stop);
    } else if (stop->reason == STOP_TRIGGER) {
        if (!r->options.attended)
            quit(r, SERVER_CRASHED);
    } else {
        say_stop(r, stop, ordered);
        if (!r->options.attended)
            quit(r, 1);
    }
}

/* ---- when it is to run ---- */

/* May it run with nobody's word? It is live, on, and not where it was to stop; and no what-if. */
static bool may_run(const struct free_run *r)
{
    struct timeline *tl = r->timeline;
    return !is_debugged(r) && timeline_live(tl) && timeline_on_main(tl) &&
           !timeline_machine(tl)->state.halt &&
           timeline_position(tl) != r->options.movement->stop_at &&
           timeline_position(tl) != r->crashed_at;
}

bool free_run_is_to(const struct free_run *r)
{
    return r->runs && !r->options.prevented(r->options.ctx) && (r->ordered || may_run(r));
}

void free_run_try(struct free_run *r)
{
    const struct mover mover = {stopped, r, NULL};
    if (!free_run_is_to(r) || !movement_free(r->options.movement))
        return;
    movement_continue(r->options.movement);
    movement_began(r->options.movement, &mover);
}

void free_run_start(struct free_run *r, bool paused)
{
    r->runs = !paused && !r->options.rests;
    if (r->options.plays && !paused && timeline_live(r->timeline))
        played(r);
    else if (r->options.plays && !paused)
        r->runs = r->ordered = true;
}

void free_run_order(struct free_run *r)
{
    r->held = false;
    r->runs = r->ordered = true;
    free_run_try(r);
}

void free_run_hold(struct free_run *r)
{
    r->held = true;
    r->runs = r->ordered = false;
}

/* Somebody's own movement is waited for. */
void free_run_yield_to_gdb(struct free_run *r)
{
    if (movement_yield(r->options.movement))
        r->ordered = false;
}

/* A machine that a debugger left in the past stays there, and one that is off stays at hand: to end
 * the program now would throw the history away. */
static void say_why_it_stays(const struct free_run *r)
{
    const struct timeline *tl = r->timeline;
    uint64_t position = timeline_position(tl);
    const char *why = NULL;
    if (!timeline_on_main(tl))
        why = ", in another future,";
    else if (!timeline_live(tl))
        why = ", in the past,";
    else if (timeline_machine(r->timeline)->state.halt)
        why = ", off,";
    else if (position == r->crashed_at)
        why = "";
    if (why)
        log_line(LOG_INFO, "stays at position %" PRIu64 "%s until gdb connects again", position,
                 why);
}

void free_run_resume(struct free_run *r)
{
    if (movement_free(r->options.movement))
        say_why_it_stays(r);
    r->runs = (!r->options.rests && !r->held) || r->ordered;
    free_run_try(r);
}
