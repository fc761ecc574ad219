/* Reverse: replay intervals from the newest back, note the hits, decide, land. */
#include "timeline/internal.h"

/* A scan for hits behind us, which ends at `floor` with `found` when there are none. */
static void begin_reverse(struct timeline *tl, struct operation op)
{
    op.phase = PHASE_SCAN;
    operation_begin(tl, op);
    tl->op.scan_end = tl->op.start;
    tl->op.report = NOTHING_REPORTED;
    points_arm_scan(tl);
    if (tl->op.kind == OPERATION_REVERSE_CONTINUE)
        seek_remember_start(tl);
    run_leave_live(tl);
}

void timeline_reverse_continue(struct timeline *tl)
{
    branch_settle(tl);
    uint64_t floor = timeline_begin(tl);
    begin_reverse(tl, (struct operation){.kind = OPERATION_REVERSE_CONTINUE,
                                         .floor = floor,
                                         .found = operation_stop(STOP_BEGIN, floor)});
}

/* Where hart's most recent step begins, or history. */
static struct operation step_back(struct timeline *tl, unsigned hart)
{
    uint64_t step = tl->m->state.last_step[hart], floor = timeline_begin(tl);
    struct stop found = operation_stop(STOP_BEGIN, floor);
    if (step != POSITION_NONE && step >= floor) {
        floor = step;
        found = (struct stop){.reason = STOP_DONE, .position = step, .hart = hart};
    }
    return (struct operation){
        .kind = OPERATION_REVERSE_STEP, .hart = hart, .floor = floor, .found = found};
}

void timeline_reverse_step(struct timeline *tl, unsigned hart)
{
    branch_settle(tl);
    operation_leave_divergence(tl);
    step_over_begin_back(tl, hart);
    begin_reverse(tl, step_back(tl, hart));
}

void search_step_back(struct timeline *tl, unsigned hart)
{
    struct operation op = step_back(tl, hart);
    step_over_begin_back(tl, hart);
    op.phase = PHASE_SCAN;
    op.start = tl->op.start;
    op.from_tip = tl->op.from_tip;
    op.scan_end = machine_position(tl->m);
    op.report = NOTHING_REPORTED;
    tl->op = op;
    points_arm_scan(tl);
    run_leave_live(tl);
}

/* The scan's last hit, as a stop: before the instruction, or behind the access. */
void search_decide_hit(struct timeline *tl)
{
    const struct hit *hit = &tl->seen.hit;
    struct operation *op = &tl->op;
    op->found = (struct stop){0};
    points_describe(tl, &op->found);
    /* A breakpoint lies before its step: the step's accesses are ahead again. */
    bool execute = hit->kinds == HIT_EXECUTE;
    uint64_t position = execute ? hit->position : hit->position + 1;
    op->report = execute ? NOTHING_REPORTED : points_reported(tl, position);
    prints_backward(tl, position);
    seek_begin(tl, position);
}

/* A hit of the interval that lies behind the floor: a step back prefers to have made its step. */
static bool found_hit(const struct timeline *tl)
{
    const struct operation *op = &tl->op;
    const struct hit *hit = &tl->seen.hit;
    if (!tl->seen.any)
        return false;
    uint64_t stop = hit->kinds == HIT_EXECUTE ? hit->position : hit->position + 1;
    return stop > op->floor || (stop == op->floor && op->kind == OPERATION_REVERSE_CONTINUE);
}

/* One hart and nothing watched: between its last step and here there is nothing to hit. */
static bool nothing_between(const struct timeline *tl)
{
    return tl->op.kind == OPERATION_REVERSE_STEP && tl->m->config.cpus == 1 &&
           !points_any_watch_or_action(tl);
}

/* ---- scans ---- */

/* Choose the next interval to replay. False: none is left. */
static bool begin_interval(struct timeline *tl, const struct scan *scan)
{
    struct operation *op = &tl->op;
    while (op->scan_end > op->floor && (!scan->goes_on || scan->goes_on(tl))) {
        const struct entry *entry = history_at(tl, op->scan_end - 1);
        op->low = entry->checkpoint->position;
        if (scan->wants ? scan->wants(tl, entry) : history_may_hit(tl, entry)) {
            op->scanning = true;
            if (run_restore(tl, op->low))
                op->low = machine_position(tl->m);
            scan->begins(tl);
            return true;
        }
        op->scan_end = op->low;
    }
    return false;
}

enum timeline_status scan_advance(struct timeline *tl, const struct scan *scan, struct stop *stop)
{
    struct operation *op = &tl->op;
    if (tl->interrupted) {
        seek_turn_back(tl);
        return TIMELINE_RUNNING;
    }
    if (!op->scanning) {
        bool any = begin_interval(tl, scan);
        history_thin(tl); /* summaries may have been read */
        if (!any) {
            scan->exhausted(tl);
            return TIMELINE_RUNNING;
        }
    }
    if (tl->diverged.code || run_replay(tl, op->scan_end) == RUN_DIVERGED)
        return operation_finish_diverged(tl, stop);
    if (machine_position(tl->m) < op->scan_end)
        return TIMELINE_RUNNING;
    uint64_t end = op->scan_end;
    op->scanning = false;
    op->scan_end = op->low;
    scan->ends(tl, end);
    return TIMELINE_RUNNING;
}

/* ---- for clients' points ---- */

static bool may_be_something_between(struct timeline *tl)
{
    return !nothing_between(tl);
}

static void begin_noting(struct timeline *tl)
{
    tl->seen.any = false;
}

static void decide(struct timeline *tl, uint64_t end)
{
    const struct operation *op = &tl->op;
    (void)end;
    if (found_hit(tl))
        search_decide_hit(tl);
    else
        prints_backward(tl, op->low > op->floor ? op->low : op->floor);
}

static void found_nothing(struct timeline *tl)
{
    seek_begin(tl, tl->op.floor);
}

enum timeline_status search_advance(struct timeline *tl, struct stop *stop)
{
    static const struct scan scan = {.goes_on = may_be_something_between,
                                     .begins = begin_noting,
                                     .ends = decide,
                                     .exhausted = found_nothing};
    return scan_advance(tl, &scan, stop);
}
