#include "server/crash_watch.h"

#include "base/check.h"
#include "timeline/bookmarks.h"
#include "timeline/recording.h"
#include "timeline/transcript.h"
#include "timeline/triggers.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* Of a line of the console, in a verdict. */
enum { LINE_SHOWN = 200 };

struct crash_watch {
    struct crash_options options;
    struct timeline *timeline;
    struct crash_text *text;
    uint64_t silent_since; /* the watchdog's last bark, or power-on */
    uint64_t panic_vtime;  /* when the panic under way began */
    uint64_t halted_at;    /* where a halt was judged; POSITION_NONE */
    struct buffer line;
};

struct crash_watch *crash_watch_new(const struct crash_options *options, struct error *err)
{
    struct crash_text *text =
        crash_text_new(options->panic, options->console, options->consoles, err);
    if (!text)
        return NULL;
    struct crash_watch *w = mem_new(1, sizeof *w);
    w->options = *options;
    w->text = text;
    w->halted_at = POSITION_NONE;
    return w;
}

void crash_watch_free(struct crash_watch *w)
{
    if (!w)
        return;
    if (w->timeline)
        timeline_listen(w->timeline, NULL, NULL);
    crash_text_free(w->text);
    buffer_fini(&w->line);
    free(w);
}

/* ---- while it runs ---- */

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* A panic's steps are as much of the guest's time, should it wait for something. */
static void set_deadlines(struct crash_watch *w)
{
    const struct crash_panic *panic = crash_text_panic(w->text);
    const struct machine *m = timeline_machine(w->timeline);
    uint64_t at = POSITION_NONE, by = CLOCK_NEVER, printed = crash_text_printed(w->text);
    if (w->options.watchdog) {
        uint64_t since = printed > w->silent_since ? printed : w->silent_since;
        at = since + smaller(w->options.watchdog, POSITION_NONE - since);
    }
    if (panic) {
        at = smaller(at, panic->position + panic->steps);
        by = w->panic_vtime + (panic->steps << m->config.shift);
    }
    timeline_trigger_at(w->timeline, at);
    timeline_trigger_by(w->timeline, by);
    timeline_trigger_watch(w->timeline, (w->options.trap_loop ? MACHINE_WATCH_TRAPS : 0u) |
                                            (panic ? MACHINE_WATCH_RESETS : 0u));
}

static void heard(void *ctx, unsigned channel, const uint8_t *bytes, size_t size)
{
    struct crash_watch *w = ctx;
    bool panicked = crash_text_panic(w->text);
    crash_text_add(w->text, channel, bytes, size, timeline_position(w->timeline));
    const struct crash_panic *panic = crash_text_panic(w->text);
    if (panic && !panicked)
        w->panic_vtime = clock_vtime(&timeline_machine(w->timeline)->clock);
    if (crash_text_match(w->text) || (panic && panic->over))
        timeline_trigger(w->timeline);
    if (w->options.watchdog || (panic && !panicked))
        set_deadlines(w);
}

void crash_watch_attach(struct crash_watch *w, struct timeline *timeline)
{
    w->timeline = timeline;
    w->silent_since = timeline_position(timeline);
    for (unsigned i = 0; i < w->options.symbols; i++)
        timeline_trigger_point(timeline, w->options.symbol[i].address);
    if (w->options.panic || w->options.consoles || w->options.watchdog)
        timeline_listen(timeline, heard, w);
    set_deadlines(w);
}

/* ---- when it has stopped ---- */

struct verdict {
    char reason[300];
    uint64_t position; /* the step to blame is the next one there */
    bool said;         /* by the stop's own words */
};

static void judge_symbol(struct crash_watch *w, const struct stop *stop, struct verdict *v)
{
    const char *name = "";
    for (unsigned i = 0; i < w->options.symbols; i++)
        if (w->options.symbol[i].address == stop->address)
            name = w->options.symbol[i].name;
    snprintf(v->reason, sizeof v->reason, "symbol:%s", name);
    v->position = stop->position;
    buffer_printf(&w->line, "hart %u has come to %.120s at position %" PRIu64 ", pc 0x%" PRIx64,
                  stop->hart, name, stop->position, stop->address);
}

static void judge_trap_loop(struct crash_watch *w, struct verdict *v)
{
    const struct trap_loop *loop = &timeline_machine(w->timeline)->trap_loop;
    snprintf(v->reason, sizeof v->reason, "trap-loop");
    v->position = loop->position;
    buffer_printf(&w->line,
                  "hart %u has done nothing but trap since position %" PRIu64 ": %" PRIu64
                  " times in a row, the last time at pc 0x%" PRIx64 ", cause %" PRIu64,
                  loop->hart, loop->position, loop->traps, loop->pc, loop->cause);
}

static void append_printed(struct crash_watch *w, const char *line, uint64_t position)
{
    buffer_printf(&w->line, "the guest printed \"%.*s\" at position %" PRIu64, LINE_SHOWN, line,
                  position);
}

static void judge_match(struct crash_watch *w, const struct crash_match *match, struct verdict *v)
{
    snprintf(v->reason, sizeof v->reason, "console:%.250s", w->options.console[match->pattern]);
    v->position = match->position;
    append_printed(w, match->line, match->position);
}

static void judge_panic(struct crash_watch *w, const struct crash_panic *panic, struct verdict *v)
{
    snprintf(v->reason, sizeof v->reason, "panic");
    v->position = panic->position;
    append_printed(w, panic->line, panic->position);
}

static void judge_watchdog(struct crash_watch *w, const struct stop *stop, struct verdict *v)
{
    snprintf(v->reason, sizeof v->reason, "watchdog:%" PRIu64, w->options.watchdog);
    v->position = stop->position;
    buffer_printf(&w->line, "nothing was printed for %" PRIu64 " steps up to position %" PRIu64,
                  w->options.watchdog, stop->position);
    w->silent_since = stop->position;
}

static void judge_halt(struct crash_watch *w, const struct stop *stop, struct verdict *v)
{
    snprintf(v->reason, sizeof v->reason, "test-fail");
    v->said = true;
    /* A halt is a step's last act. */
    v->position = stop->position - (stop->position > timeline_begin(w->timeline));
    buffer_printf(&w->line, "the guest ended the run with code %" PRIu64 " at position %" PRIu64,
                  stop->halt_code, stop->position);
}

/* False: no trigger has fired. */
static bool find_verdict(struct crash_watch *w, const struct stop *stop, struct verdict *v)
{
    const struct crash_match *match = crash_text_match(w->text);
    const struct crash_panic *panic = crash_text_panic(w->text);
    bool halted = stop->reason == STOP_HALT, late = stop->trigger == TRIGGER_LATE;
    if (stop->trigger == TRIGGER_POINT)
        judge_symbol(w, stop, v);
    else if (stop->trigger == TRIGGER_TRAP_LOOP)
        judge_trap_loop(w, v);
    else if (match)
        judge_match(w, match, v);
    else if (panic && (panic->over || late || halted || stop->trigger == TRIGGER_RESET))
        judge_panic(w, panic, v);
    else if (late)
        judge_watchdog(w, stop, v);
    else if (halted && stop->halt == HALT_EXIT && stop->halt_code && w->options.test_fail)
        judge_halt(w, stop, v);
    else
        return false;
    return true;
}

static void keep_verdict(struct crash_watch *w, const struct verdict *v, const struct stop *stop)
{
    const char *line = buffer_text(&w->line);
    struct error err = ERROR_INIT;
    timeline_set_verdict(w->timeline, v->reason, line);
    if (!timeline_bookmark_at(w->timeline, v->position, "crash", line, &err))
        timeline_bookmark_at(w->timeline, stop->position, "crash", line, &err);
}

bool crash_watch_judge(struct crash_watch *w, struct stop *stop, const char **line)
{
    struct verdict verdict = {0};
    if (stop->reason == STOP_HALT) {
        if (w->halted_at == stop->position)
            return false;
        w->halted_at = stop->position;
        crash_text_end(w->text, stop->position);
    }
    buffer_clear(&w->line);
    if (!find_verdict(w, stop, &verdict))
        return false;
    keep_verdict(w, &verdict, stop);
    crash_text_forget(w->text);
    set_deadlines(w);
    *line = verdict.said ? NULL : buffer_text(&w->line);
    if (stop->reason == STOP_TRIGGER)
        snprintf(stop->text, sizeof stop->text, "%s", buffer_text(&w->line));
    return true;
}
