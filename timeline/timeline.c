/* Life of a timeline, and the advance of its operations. */
#include "timeline/internal.h"

#include "base/check.h"
#include "base/log.h"
#include "timeline/branches.h"

#include <stdlib.h>
#include <time.h>

enum { FIRST_CHUNK = 20000, LONG_IDLE_NS = 200000000 };
#define DEFAULT_BUDGET ((size_t)1 << 30)

/* ---- life ---- */

/* The host behind the recorder: what is printed is noted on its way. */
static uint64_t noted_clock(void *ctx)
{
    struct timeline *tl = ctx;
    if (!timeline_on_main(tl))
        return branch_clock(tl);
    return tl->options.host.clock(tl->options.host.ctx);
}

static void noted_entropy(void *ctx, uint8_t *bytes, size_t size)
{
    struct timeline *tl = ctx;
    if (!timeline_on_main(tl))
        branch_entropy(tl, bytes, size);
    else if (tl->options.host.entropy)
        tl->options.host.entropy(tl->options.host.ctx, bytes, size);
}

static void noted_output(void *ctx, unsigned channel, const uint8_t *bytes, size_t size)
{
    struct timeline *tl = ctx;
    bool leaves = timeline_on_main(tl);
    if (channel < CHANNEL_NET0) {
        transcript_add(tl->transcript, machine_position(tl->m), channel, bytes, size);
        if (tl->heard && leaves)
            tl->heard(tl->heard_ctx, channel, bytes, size);
    }
    if (tl->options.host.output && leaves)
        tl->options.host.output(tl->options.host.ctx, channel, bytes, size);
}

static struct timeline *make(struct machine *m, const struct timeline_options *options)
{
    struct timeline *tl = mem_new(1, sizeof *tl);
    tl->m = m;
    tl->options = *options;
    if (!tl->options.budget)
        tl->options.budget = DEFAULT_BUDGET;
    tl->spill = spill_new();
    tl->log = log_new(tl->spill);
    tl->reads = disk_reads_new(&options->host.disks);
    tl->transcript = transcript_new();
    const struct host host = {.clock = noted_clock,
                              .output = noted_output,
                              .entropy = noted_entropy,
                              .disks = options->host.disks,
                              .ctx = tl};
    tl->recorder =
        (struct recorder){.machine = m, .log = tl->log, .host = host, .reads = tl->reads};
    tl->player = (struct player){.machine = m, .log = tl->log, .reads = tl->reads};
    tl->chunk = FIRST_CHUNK;
    tl->reported = NOTHING_REPORTED;
    tl->tip = machine_position(m);
    tl->warped_at = POSITION_NONE;
    triggers_init(tl);
    branches_init(tl);
    snapshots_init(&tl->snapshots, m, tl->spill);
    tl->origin = snapshots_take(&tl->snapshots);
    history_init(tl);
    return tl;
}

struct timeline *timeline_new(struct machine *m, const struct timeline_options *options)
{
    struct timeline *tl = make(m, options);
    history_begin(tl);
    run_go_live(tl);
    return tl;
}

struct timeline *timeline_open(struct machine *m, const struct timeline_options *options,
                               struct recording *recording, struct error *err)
{
    struct timeline *tl = make(m, options);
    struct stop stop;
    if (!recording_fill(tl, recording, err)) {
        timeline_free(tl);
        return NULL;
    }
    player_attach(&tl->player, log_first(tl->log));
    uint64_t at = options->open_at_begin ? timeline_begin(tl) : tl->tip;
    if (!run_restore(tl, at)) {
        *err = tl->diverged;
        timeline_free(tl);
        return NULL;
    }
    timeline_seek(tl, at);
    timeline_finish(tl, &stop);
    if (stop.reason == STOP_DIVERGED)
        log_line(LOG_WARN, "%s", stop.text);
    return tl;
}

void timeline_free(struct timeline *tl)
{
    if (!tl)
        return;
    static const struct points none;
    machine_set_points(tl->m, &none);
    tl->m->door = (struct door){0};
    struct error err = ERROR_INIT;
    tl->op.kind = OPERATION_NONE;
    if (!timeline_record_close(tl, &err))
        log_line(LOG_WARN, "%s", err.message);
    branches_fini(tl);
    recording_fini(tl);
    history_fini(tl);
    comparing_free(tl);
    checkpoint_free(&tl->snapshots, tl->origin);
    snapshots_fini(&tl->snapshots);
    log_free(tl->log);
    disk_reads_free(tl->reads);
    transcript_free(tl->transcript);
    free(tl->bookmarks.bookmark);
    spill_free(tl->spill);
    line_move_fini(tl);
    step_over_fini(tl);
    point_set_fini(&tl->points);
    prints_fini(&tl->prints);
    triggers_fini(tl);
    question_free(tl->question);
    free(tl);
}

/* ---- where ---- */

struct machine *timeline_machine(struct timeline *tl)
{
    return tl->m;
}

uint64_t timeline_position(const struct timeline *tl)
{
    return machine_position(tl->m);
}

uint64_t timeline_tip(const struct timeline *tl)
{
    return tl->tip;
}

uint64_t timeline_begin(const struct timeline *tl)
{
    return tl->history.entry[0].checkpoint->position;
}

bool timeline_live(const struct timeline *tl)
{
    return tl->live;
}

bool timeline_moving(const struct timeline *tl)
{
    return tl->op.kind != OPERATION_NONE;
}

void timeline_interrupt(struct timeline *tl)
{
    tl->interrupted = true;
}

/* ---- advancing ---- */

static enum timeline_status advance(struct timeline *tl, struct stop *stop)
{
    if (tl->diverged.code) /* where it was to begin cannot be had */
        return operation_finish_diverged(tl, stop);
    switch (tl->op.phase) {
    case PHASE_FORWARD:
        return forward_advance(tl, stop);
    case PHASE_SCAN:
        return search_advance(tl, stop);
    case PHASE_QUERY:
        return query_advance(tl, stop);
    case PHASE_LINE:
        return line_advance(tl, stop);
    case PHASE_OVER:
        return step_over_advance(tl, stop);
    case PHASE_LAND:
        return seek_advance(tl, stop);
    }
    check(false, "phase %d", (int)tl->op.phase);
    return TIMELINE_STOPPED;
}

/* Will nothing happen for longer than it takes to the next flush? */
static bool rests(const struct timeline *tl, enum timeline_status status)
{
    return status == TIMELINE_STOPPED ||
           (status == TIMELINE_IDLE && timeline_idle_ns(tl) > LONG_IDLE_NS);
}

enum timeline_status timeline_advance(struct timeline *tl, uint64_t slice_ns, struct stop *stop)
{
    check(timeline_moving(tl), "nothing is under way");
    uint64_t began = host_ns();
    enum timeline_status status = TIMELINE_RUNNING;
    do {
        if (recording_wait(tl))
            continue;
        status = advance(tl, stop);
        recording_follow(tl, rests(tl, status));
    } while (status == TIMELINE_RUNNING && host_ns() - began < slice_ns);
    return status;
}

static void sleep_ns(uint64_t ns)
{
    struct timespec t = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
    nanosleep(&t, NULL);
}

void timeline_finish(struct timeline *tl, struct stop *stop)
{
    for (;;) {
        switch (timeline_advance(tl, 1000000, stop)) {
        case TIMELINE_STOPPED:
            return;
        case TIMELINE_RUNNING:
            break;
        case TIMELINE_IDLE:
            if (timeline_idle_ns(tl) == UINT64_MAX) {
                operation_finish_plain(tl, STOP_STUCK, stop);
                return;
            }
            sleep_ns(timeline_idle_ns(tl));
        }
    }
}

void timeline_progress(const struct timeline *tl, uint64_t *done, uint64_t *total)
{
    const struct operation *op = &tl->op;
    uint64_t here = machine_position(tl->m);
    switch (op->phase) {
    case PHASE_SCAN:
    case PHASE_LINE:
    case PHASE_OVER:
        *total = op->start - timeline_begin(tl);
        *done = op->start - op->scan_end;
        break;
    case PHASE_QUERY:
        query_progress(tl, done, total);
        break;
    case PHASE_LAND:
        *total = op->target - op->landing;
        *done = here - op->landing;
        break;
    case PHASE_FORWARD:
        *total = tl->live ? 0 : tl->tip - op->start;
        *done = here - op->start;
    }
}
