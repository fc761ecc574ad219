/* Forward: continue, step, step a range. */
#include "timeline/internal.h"

static void begin_forward(struct timeline *tl, struct operation op)
{
    op.phase = PHASE_FORWARD;
    operation_begin(tl, op);
    if (tl->step_over && op.kind != OPERATION_CONTINUE)
        step_over_begin(tl);
    else
        points_arm_forward(tl);
}

void timeline_continue(struct timeline *tl)
{
    timeline_continue_to(tl, POSITION_NONE);
}

void timeline_continue_to(struct timeline *tl, uint64_t n)
{
    branch_settle(tl);
    uint64_t here = machine_position(tl->m);
    begin_forward(tl,
                  (struct operation){.kind = OPERATION_CONTINUE, .target = n < here ? here : n});
}

void timeline_step(struct timeline *tl, unsigned hart)
{
    branch_settle(tl);
    begin_forward(
        tl, (struct operation){.kind = OPERATION_STEP, .hart = hart, .target = POSITION_NONE});
}

void timeline_step_range(struct timeline *tl, unsigned hart, uint64_t low, uint64_t high)
{
    branch_settle(tl);
    begin_forward(tl, (struct operation){.kind = OPERATION_STEP_RANGE,
                                         .hart = hart,
                                         .low = low,
                                         .high = high,
                                         .target = POSITION_NONE});
}

/* Stop at a hit that a replay found behind idle time: come here anew, without that time. */
static enum timeline_status land_before_idle(struct timeline *tl, const struct stop *stop,
                                             struct reported report)
{
    uint64_t here = machine_position(tl->m);
    prints_end(tl);
    tl->op.phase = PHASE_LAND;
    tl->op.target = tl->op.start = here;
    tl->op.found = *stop;
    tl->op.report = report;
    tl->m->step_cpu = MACHINE_CPUS;
    points_disarm(tl);
    run_restore(tl, here);
    return TIMELINE_RUNNING;
}

static enum timeline_status finish_hit(struct timeline *tl, struct stop *stop)
{
    const struct hit *hit = &tl->seen.hit;
    struct reported report = points_reported(tl, machine_position(tl->m));
    *stop = (struct stop){0};
    points_describe(tl, stop);
    if (!tl->live && !hit->behind && tl->player.warped_at == hit->position)
        return land_before_idle(tl, stop, report);
    return operation_finish(tl, stop, report);
}

static enum timeline_status finish_trigger(struct timeline *tl, enum trigger trigger,
                                           struct stop *stop)
{
    *stop = operation_stop(STOP_TRIGGER, 0);
    stop->trigger = trigger;
    if (trigger == TRIGGER_TRAP_LOOP)
        stop->hart = tl->m->trap_loop.hart;
    return operation_finish(tl, stop, NOTHING_REPORTED);
}

static enum timeline_status step_done(struct timeline *tl, struct stop *stop)
{
    struct operation *op = &tl->op;
    struct cpu *cpu = tl->m->cpu[op->hart];
    uint64_t pc = cpu->ops->pc(cpu);
    if (step_over_goes_on(tl))
        return TIMELINE_RUNNING;
    if (op->kind == OPERATION_STEP_RANGE && pc >= op->low && pc < op->high)
        return TIMELINE_RUNNING;
    *stop = operation_stop(STOP_DONE, 0);
    stop->hart = op->hart;
    return operation_finish(tl, stop, NOTHING_REPORTED);
}

enum timeline_status forward_advance(struct timeline *tl, struct stop *stop)
{
    struct operation *op = &tl->op;
    if (tl->seen.any) /* an event has written */
        return finish_hit(tl, stop);
    if (!op->from_tip && run_at_tip(tl)) {
        run_go_live(tl);
        *stop = operation_stop(STOP_END, 0);
        if (op->kind != OPERATION_CONTINUE)
            stop->hart = op->hart;
        return operation_finish(tl, stop, NOTHING_REPORTED);
    }
    if (tl->live && triggers_due(tl) != TRIGGER_NONE)
        return finish_trigger(tl, triggers_due(tl), stop);
    if (tl->interrupted)
        return operation_finish_plain(tl, STOP_INTERRUPT, stop);
    bool steps = op->kind != OPERATION_CONTINUE;
    tl->m->step_cpu = steps ? step_over_hart(tl) : MACHINE_CPUS;
    enum run_result result = tl->live ? run_live(tl, op->target)
                                      : run_replay(tl, op->target < tl->tip ? op->target : tl->tip);
    if (result != RUN_IDLE)
        tl->idle_since = 0;
    if (tl->seen.any && result != RUN_DIVERGED)
        return finish_hit(tl, stop);
    prints_forward(tl);
    if (result == RUN_DIVERGED)
        return operation_finish_diverged(tl, stop);
    if (!tl->live && run_at_tip(tl))
        return TIMELINE_RUNNING;
    switch (result) {
    case RUN_REACHED:
        return steps ? step_done(tl, stop) : operation_finish_plain(tl, STOP_DONE, stop);
    case RUN_HIT: /* of no client's */
        step_over_goes_on(tl);
        return TIMELINE_RUNNING;
    case RUN_HALTED:
        return operation_finish_plain(tl, STOP_HALT, stop);
    case RUN_IDLE:
        if (!tl->live)
            return operation_finish_plain(tl, STOP_STUCK, stop);
        if (triggers_due_idle(tl))
            return finish_trigger(tl, TRIGGER_LATE, stop);
        return run_idle(tl) ? TIMELINE_RUNNING : TIMELINE_IDLE;
    default:
        if (tl->live && history_full(tl))
            return operation_finish_text(tl, STOP_FULL, history_full(tl), stop);
        return TIMELINE_RUNNING;
    }
}
