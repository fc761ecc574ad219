/* Life of a timeline, and the operations that move it. */
#include "timeline/internal.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { FIRST_CHUNK = 20000, APPROACH_MIN = 2000, HART_RUNNING = MACHINE_CPUS };
#define DEFAULT_BUDGET ((size_t)1 << 30)
#define NOTHING_REPORTED                                                                           \
    (struct reported)                                                                              \
    {                                                                                              \
        POSITION_NONE, 0                                                                           \
    }

/* ---- life ---- */

struct timeline *timeline_new(struct machine *m, const struct timeline_options *options)
{
    struct timeline *tl = mem_new(1, sizeof *tl);
    tl->m = m;
    tl->options = *options;
    if (!tl->options.budget)
        tl->options.budget = DEFAULT_BUDGET;
    tl->log = log_new();
    tl->recorder = (struct recorder){m, tl->log, options->host};
    tl->player = (struct player){.machine = m, .log = tl->log};
    tl->chunk = FIRST_CHUNK;
    tl->reported = NOTHING_REPORTED;
    tl->tip = machine_position(m);
    tl->warped_at = POSITION_NONE;
    snapshots_init(&tl->snapshots, m);
    history_init(tl);
    run_go_live(tl);
    return tl;
}

void timeline_free(struct timeline *tl)
{
    if (!tl)
        return;
    static const struct points none;
    machine_set_points(tl->m, &none);
    tl->m->door = (struct door){0};
    history_fini(tl);
    snapshots_fini(&tl->snapshots);
    log_free(tl->log);
    point_set_fini(&tl->points);
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

/* ---- beginning ---- */

/* A state that differs from the recording may be looked at; movements start from a good one. Nor is
 * anything kept that was taken in replay: it may have been wrong already. */
static void leave_divergence(struct timeline *tl)
{
    if (!tl->diverged.code)
        return;
    history_drop_approach(tl);
    run_restore(tl, history_at(tl, machine_position(tl->m)));
    tl->diverged = (struct error)ERROR_INIT;
}

static void begin(struct timeline *tl, struct operation op)
{
    check(tl->op.kind == OPERATION_NONE, "operation %d is under way", (int)tl->op.kind);
    leave_divergence(tl);
    op.start = machine_position(tl->m);
    op.from_tip = tl->live;
    tl->op = op;
    tl->interrupted = false;
}

static void begin_forward(struct timeline *tl, struct operation op)
{
    op.phase = PHASE_FORWARD;
    begin(tl, op);
    points_arm_forward(tl);
}

void timeline_continue(struct timeline *tl)
{
    timeline_continue_to(tl, POSITION_NONE);
}

void timeline_continue_to(struct timeline *tl, uint64_t n)
{
    begin_forward(tl, (struct operation){.kind = OPERATION_CONTINUE, .target = n});
}

void timeline_step(struct timeline *tl, unsigned hart)
{
    begin_forward(
        tl, (struct operation){.kind = OPERATION_STEP, .hart = hart, .target = POSITION_NONE});
}

void timeline_step_range(struct timeline *tl, unsigned hart, uint64_t low, uint64_t high)
{
    begin_forward(tl, (struct operation){.kind = OPERATION_STEP_RANGE,
                                         .hart = hart,
                                         .low = low,
                                         .high = high,
                                         .target = POSITION_NONE});
}

/* Prepare for landing at `n`: choose where to replay from, the present place included. */
static void begin_landing(struct timeline *tl, uint64_t n)
{
    tl->op.phase = PHASE_LAND;
    tl->op.target = n;
    points_disarm(tl);
    uint64_t here = machine_position(tl->m);
    if (tl->live && here == n)
        return;
    run_leave_live(tl);
    const struct entry *entry = history_at(tl, n);
    if (here > n || here < entry->checkpoint->position)
        run_restore(tl, entry);
}

/* A stop of no hart in particular: it is that of the hart whose turn it will be. */
static struct stop stop_at(enum stop_reason reason, uint64_t position)
{
    return (struct stop){.reason = reason, .position = position, .hart = HART_RUNNING};
}

/* So that an interrupted movement is back at once. */
static void remember_start(struct timeline *tl)
{
    if (!tl->live)
        history_take_approach(tl);
}

void timeline_seek(struct timeline *tl, uint64_t n)
{
    begin(tl, (struct operation){.kind = OPERATION_SEEK});
    if (n < timeline_begin(tl))
        n = timeline_begin(tl);
    if (n > tl->tip)
        n = tl->tip;
    tl->op.found = stop_at(STOP_DONE, n);
    tl->op.report = NOTHING_REPORTED;
    remember_start(tl);
    begin_landing(tl, n);
}

/* A scan for hits behind us, which ends at `floor` with `found` when there are none. */
static void begin_reverse(struct timeline *tl, struct operation op)
{
    op.phase = PHASE_SCAN;
    begin(tl, op);
    tl->op.scan_end = tl->op.start;
    tl->op.report = NOTHING_REPORTED;
    points_arm_scan(tl);
    if (tl->op.kind == OPERATION_REVERSE_CONTINUE)
        remember_start(tl);
    run_leave_live(tl);
}

void timeline_reverse_continue(struct timeline *tl)
{
    uint64_t floor = timeline_begin(tl);
    begin_reverse(tl, (struct operation){.kind = OPERATION_REVERSE_CONTINUE,
                                         .floor = floor,
                                         .found = stop_at(STOP_BEGIN, floor)});
}

void timeline_reverse_step(struct timeline *tl, unsigned hart)
{
    leave_divergence(tl);
    uint64_t step = tl->m->state.last_step[hart], floor = timeline_begin(tl);
    struct stop found = stop_at(STOP_BEGIN, floor);
    if (step != POSITION_NONE && step >= floor) {
        floor = step;
        found = (struct stop){.reason = STOP_DONE, .position = step, .hart = hart};
    }
    begin_reverse(
        tl, (struct operation){
                .kind = OPERATION_REVERSE_STEP, .hart = hart, .floor = floor, .found = found});
}

bool timeline_moving(const struct timeline *tl)
{
    return tl->op.kind != OPERATION_NONE;
}

void timeline_interrupt(struct timeline *tl)
{
    tl->interrupted = true;
}

/* ---- ending ---- */

static unsigned running_hart(const struct timeline *tl)
{
    return tl->m->state.running;
}

static enum timeline_status finish(struct timeline *tl, struct stop *stop, struct reported report)
{
    stop->position = machine_position(tl->m);
    if (stop->hart == HART_RUNNING)
        stop->hart = running_hart(tl);
    if (tl->m->state.halt && stop->reason == STOP_HALT) {
        stop->halt = (enum machine_halt)tl->m->state.halt;
        stop->halt_code = tl->m->state.halt_code;
    }
    tl->op.kind = OPERATION_NONE;
    tl->idle_since = 0;
    tl->m->step_cpu = MACHINE_CPUS;
    tl->reported = report;
    tl->focus[tl->focus_next++ % (sizeof tl->focus / sizeof *tl->focus)] = stop->position;
    return TIMELINE_STOPPED;
}

static enum timeline_status finish_plain(struct timeline *tl, enum stop_reason reason,
                                         struct stop *stop)
{
    *stop = stop_at(reason, 0);
    return finish(tl, stop, NOTHING_REPORTED);
}

static enum timeline_status finish_diverged(struct timeline *tl, struct stop *stop)
{
    enum timeline_status status = finish_plain(tl, STOP_DIVERGED, stop);
    size_t n = sizeof stop->text - 1;
    strncpy(stop->text, tl->diverged.message, n);
    return status;
}

/* ---- forward ---- */

/* Stop at a hit that a replay found behind idle time: come here anew, without that time. */
static enum timeline_status land_before_idle(struct timeline *tl, const struct stop *stop,
                                             struct reported report)
{
    uint64_t here = machine_position(tl->m);
    tl->op.phase = PHASE_LAND;
    tl->op.target = tl->op.start = here;
    tl->op.found = *stop;
    tl->op.report = report;
    tl->m->step_cpu = MACHINE_CPUS;
    points_disarm(tl);
    run_restore(tl, history_at(tl, here));
    return TIMELINE_RUNNING;
}

/* What will have been reported once the hit seen has been. A step may have several: a semihosting
 * call that reads and writes. */
static struct reported report_seen(const struct timeline *tl)
{
    struct reported report = {tl->seen.hit.position, tl->seen.hit.kinds};
    if (tl->reported.step == report.step)
        report.kinds |= tl->reported.kinds;
    return report;
}

static enum timeline_status finish_hit(struct timeline *tl, struct stop *stop)
{
    struct reported report = report_seen(tl);
    *stop = (struct stop){0};
    points_describe(tl, stop);
    if (!tl->live && tl->player.warped_at == report.step)
        return land_before_idle(tl, stop, report);
    return finish(tl, stop, report);
}

static enum timeline_status step_done(struct timeline *tl, struct stop *stop)
{
    struct operation *op = &tl->op;
    struct cpu *cpu = tl->m->cpu[op->hart];
    uint64_t pc = cpu->ops->pc(cpu);
    if (op->kind == OPERATION_STEP_RANGE && pc >= op->low && pc < op->high) {
        op->stepped = true;
        return TIMELINE_RUNNING;
    }
    *stop = stop_at(STOP_DONE, 0);
    stop->hart = op->hart;
    return finish(tl, stop, NOTHING_REPORTED);
}

/* A range step goes on from inside: a breakpoint there has been come to, unlike at its start. */
static void rearm_range(struct timeline *tl)
{
    if (tl->op.stepped)
        tl->op.start = POSITION_NONE;
}

static enum timeline_status forward(struct timeline *tl, struct stop *stop)
{
    struct operation *op = &tl->op;
    if (!op->from_tip && run_at_tip(tl)) {
        run_go_live(tl);
        *stop = stop_at(STOP_END, 0);
        if (op->kind != OPERATION_CONTINUE)
            stop->hart = op->hart;
        return finish(tl, stop, NOTHING_REPORTED);
    }
    if (tl->interrupted)
        return finish_plain(tl, STOP_INTERRUPT, stop);
    rearm_range(tl);
    bool steps = op->kind != OPERATION_CONTINUE;
    tl->m->step_cpu = steps ? op->hart : MACHINE_CPUS;
    enum run_result result = tl->live ? run_live(tl, op->target)
                                      : run_replay(tl, op->target < tl->tip ? op->target : tl->tip);
    if (result != RUN_IDLE)
        tl->idle_since = 0;
    if (result == RUN_HIT)
        return finish_hit(tl, stop);
    if (result == RUN_DIVERGED)
        return finish_diverged(tl, stop);
    if (!tl->live && run_at_tip(tl))
        return TIMELINE_RUNNING;
    switch (result) {
    case RUN_REACHED:
        return steps ? step_done(tl, stop) : finish_plain(tl, STOP_DONE, stop);
    case RUN_HALTED:
        return finish_plain(tl, STOP_HALT, stop);
    case RUN_IDLE:
        if (!tl->live)
            return finish_plain(tl, STOP_STUCK, stop);
        return run_idle(tl) ? TIMELINE_RUNNING : TIMELINE_IDLE;
    default:
        return TIMELINE_RUNNING;
    }
}

/* ---- landing ---- */

/* Back to where an interrupted movement began; that cannot be interrupted. */
static void turn_back(struct timeline *tl)
{
    tl->interrupted = false;
    tl->op.found = stop_at(STOP_INTERRUPT, tl->op.start);
    tl->op.report = NOTHING_REPORTED;
    begin_landing(tl, tl->op.start);
}

/* Where to stop next on the way to the target: at distances that shrink to a quarter each time, to
 * leave approach checkpoints there. The next moves back from the target then replay little. */
static uint64_t next_approach(const struct timeline *tl)
{
    uint64_t remaining = tl->op.target - machine_position(tl->m);
    return remaining > APPROACH_MIN ? tl->op.target - remaining / 4 : tl->op.target;
}

static enum timeline_status landed(struct timeline *tl, struct stop *stop)
{
    if (!tl->live && run_at_tip(tl))
        run_go_live(tl);
    *stop = tl->op.found;
    return finish(tl, stop, tl->op.report);
}

static enum timeline_status land(struct timeline *tl, struct stop *stop)
{
    if (tl->live)
        return landed(tl, stop);
    if (tl->interrupted && tl->op.found.reason != STOP_INTERRUPT)
        turn_back(tl);
    uint64_t target = tl->op.target;
    uint64_t until = next_approach(tl);
    do {
        switch (run_replay(tl, until)) {
        case RUN_DIVERGED:
            return finish_diverged(tl, stop);
        case RUN_REACHED:
            break;
        case RUN_HALTED:
        case RUN_IDLE:
            /* Only the tip of a machine that is off, or waits for ever, is such a place. */
            check(machine_position(tl->m) == target, "halted on the way to %llu",
                  (unsigned long long)target);
            return landed(tl, stop);
        default:
            return TIMELINE_RUNNING;
        }
        if (machine_position(tl->m) == target)
            return landed(tl, stop);
        if (machine_position(tl->m) == until)
            history_take_approach(tl);
        until = next_approach(tl);
    } while (!tl->interrupted);
    return TIMELINE_RUNNING;
}

/* ---- scanning backwards ---- */

/* The scan's last hit, as a stop: before the instruction, or behind the access. */
static void decide_hit(struct timeline *tl)
{
    const struct hit *hit = &tl->seen.hit;
    struct operation *op = &tl->op;
    op->found = (struct stop){0};
    points_describe(tl, &op->found);
    /* A breakpoint lies before its step: the step's accesses are ahead again. */
    op->report = hit->kinds == HIT_EXECUTE ? NOTHING_REPORTED : report_seen(tl);
    begin_landing(tl, hit->kinds == HIT_EXECUTE ? hit->position : hit->position + 1);
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
           !tl->points.armed.watch_count;
}

/* Choose the next interval to replay, newest first. False: none is left above the floor. */
static bool begin_interval(struct timeline *tl)
{
    struct operation *op = &tl->op;
    while (op->scan_end > op->floor && !nothing_between(tl)) {
        const struct entry *entry = history_at(tl, op->scan_end - 1);
        op->low = entry->checkpoint->position;
        if (history_may_hit(tl, entry)) {
            run_restore(tl, entry);
            tl->seen.any = false;
            op->scanning = true;
            return true;
        }
        op->scan_end = op->low;
    }
    return false;
}

static enum timeline_status scan(struct timeline *tl, struct stop *stop)
{
    struct operation *op = &tl->op;
    if (tl->interrupted) {
        turn_back(tl);
        return TIMELINE_RUNNING;
    }
    if (!op->scanning && !begin_interval(tl)) {
        begin_landing(tl, op->floor);
        return TIMELINE_RUNNING;
    }
    if (run_replay(tl, op->scan_end) == RUN_DIVERGED)
        return finish_diverged(tl, stop);
    if (machine_position(tl->m) < op->scan_end)
        return TIMELINE_RUNNING;
    op->scanning = false;
    op->scan_end = op->low;
    if (found_hit(tl))
        decide_hit(tl);
    return TIMELINE_RUNNING;
}

/* ---- advancing ---- */

static enum timeline_status advance(struct timeline *tl, struct stop *stop)
{
    switch (tl->op.phase) {
    case PHASE_FORWARD:
        return forward(tl, stop);
    case PHASE_SCAN:
        return scan(tl, stop);
    case PHASE_LAND:
        return land(tl, stop);
    }
    check(false, "phase %d", (int)tl->op.phase);
    return TIMELINE_STOPPED;
}

enum timeline_status timeline_advance(struct timeline *tl, uint64_t slice_ns, struct stop *stop)
{
    check(timeline_moving(tl), "nothing is under way");
    uint64_t began = host_ns();
    enum timeline_status status;
    do
        status = advance(tl, stop);
    while (status == TIMELINE_RUNNING && host_ns() - began < slice_ns);
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
                finish_plain(tl, STOP_STUCK, stop);
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
        *total = op->start - timeline_begin(tl);
        *done = op->start - op->scan_end;
        break;
    case PHASE_LAND:
        *total = op->target;
        *done = here;
        break;
    case PHASE_FORWARD:
        *total = tl->live ? 0 : tl->tip - op->start;
        *done = here - op->start;
    }
}
