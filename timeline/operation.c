/* What all operations share: how they begin and end. */
#include "timeline/internal.h"

#include "base/check.h"

#include <stdio.h>

/* A state that differs from the recording may be looked at; movements start from a good one. Nor is
 * anything kept that was taken in replay: it may have been wrong already. */
void operation_leave_divergence(struct timeline *tl)
{
    if (!tl->diverged.code)
        return;
    history_drop_approach(tl);
    tl->diverged = (struct error)ERROR_INIT;
    run_restore(tl, machine_position(tl->m));
}

void operation_begin(struct timeline *tl, struct operation op)
{
    check(tl->op.kind == OPERATION_NONE, "operation %d is under way", (int)tl->op.kind);
    operation_leave_divergence(tl);
    op.start = machine_position(tl->m);
    op.from_tip = tl->live;
    tl->op = op;
    tl->interrupted = false;
    triggers_begin(tl);
}

struct stop operation_stop(enum stop_reason reason, uint64_t position)
{
    return (struct stop){.reason = reason, .position = position, .hart = HART_RUNNING};
}

static unsigned running_hart(const struct timeline *tl)
{
    return tl->m->state.running;
}

enum timeline_status operation_finish(struct timeline *tl, struct stop *stop,
                                      struct reported report)
{
    if (tl->live)
        run_log_idle(tl);
    stop->position = machine_position(tl->m);
    if (stop->hart == HART_RUNNING)
        stop->hart = running_hart(tl);
    if (stop->trigger == TRIGGER_NONE && tl->live)
        stop->trigger = tl->triggers.fired;
    if (tl->m->state.halt && stop->reason == STOP_HALT) {
        stop->halt = (enum machine_halt)tl->m->state.halt;
        stop->halt_code = tl->m->state.halt_code;
    }
    if (tl->op.phase == PHASE_FORWARD)
        prints_end(tl);
    else
        prints_clear(&tl->prints);
    if (!operation_looks(tl))
        tl->pc_written = false;
    tl->op.kind = OPERATION_NONE;
    tl->idle_since = 0;
    tl->m->step_cpu = MACHINE_CPUS;
    tl->reported = report;
    branch_left(tl);
    tl->focus[tl->focus_next++ % (sizeof tl->focus / sizeof *tl->focus)] = stop->position;
    return TIMELINE_STOPPED;
}

enum timeline_status operation_finish_plain(struct timeline *tl, enum stop_reason reason,
                                            struct stop *stop)
{
    *stop = operation_stop(reason, 0);
    return operation_finish(tl, stop, NOTHING_REPORTED);
}

enum timeline_status operation_finish_text(struct timeline *tl, enum stop_reason reason,
                                           const char *text, struct stop *stop)
{
    enum timeline_status status = operation_finish_plain(tl, reason, stop);
    snprintf(stop->text, sizeof stop->text, "%s", text);
    return status;
}

enum timeline_status operation_finish_diverged(struct timeline *tl, struct stop *stop)
{
    return operation_finish_text(tl, STOP_DIVERGED, tl->diverged.message, stop);
}
