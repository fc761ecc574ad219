/* Landing on a position, and leaving approach checkpoints on the way. */
#include "timeline/internal.h"

/* A step back replays half of this on average, and copies the pages that are dirtied in it: a guest
 * that writes to another page with each store pays 64 us a step with 2000, 14 us with 250. Less
 * gains nothing: taking checkpoints costs as much as it saves. */
enum { APPROACH_MIN = 250 };

void seek_begin(struct timeline *tl, uint64_t n)
{
    tl->op.phase = PHASE_LAND;
    tl->op.target = n;
    tl->op.approach = 0;
    points_disarm(tl);
    uint64_t here = tl->op.landing = machine_position(tl->m);
    if (tl->live && here == n)
        return;
    run_leave_live(tl);
    if (here > n || here < history_at(tl, n)->checkpoint->position)
        run_restore(tl, n);
}

void seek_remember_start(struct timeline *tl)
{
    if (!tl->live)
        history_take_approach(tl);
}

/* Returns n, clamped. */
static uint64_t begin_operation(struct timeline *tl, uint64_t n)
{
    branch_undo_call(tl);
    operation_begin(tl, (struct operation){.kind = OPERATION_SEEK});
    if (n < timeline_begin(tl))
        n = timeline_begin(tl);
    if (n > tl->tip)
        n = tl->tip;
    tl->op.found = operation_stop(STOP_DONE, n);
    tl->op.report = NOTHING_REPORTED;
    seek_remember_start(tl);
    return n;
}

void timeline_seek(struct timeline *tl, uint64_t n)
{
    n = begin_operation(tl, n);
    seek_begin(tl, n);
}

void timeline_seek_anew(struct timeline *tl, uint64_t n)
{
    uint64_t here = machine_position(tl->m);
    n = begin_operation(tl, n);
    seek_begin(tl, n);
    if (!tl->live && machine_position(tl->m) == here)
        run_restore(tl, n);
}

void seek_elsewhere(struct timeline *tl, uint64_t n)
{
    operation_begin(tl, (struct operation){.kind = OPERATION_SWITCH});
    n = n < timeline_begin(tl) ? timeline_begin(tl) : n > tl->tip ? tl->tip : n;
    tl->op.found = operation_stop(STOP_DONE, n);
    tl->op.report = NOTHING_REPORTED;
    if (run_restore(tl, n))
        seek_begin(tl, n);
}

void seek_turn_back(struct timeline *tl)
{
    tl->interrupted = false;
    prints_clear(&tl->prints);
    tl->op.found = operation_stop(STOP_INTERRUPT, tl->op.start);
    if (!operation_looks(tl))
        tl->op.report = NOTHING_REPORTED;
    if (tl->op.kind == OPERATION_COMPARE)
        compare_turn_back(tl);
    seek_begin(tl, tl->op.start);
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
    if (tl->op.kind == OPERATION_COMPARE && compare_landed(tl))
        return TIMELINE_RUNNING;
    if (!tl->live && run_at_tip(tl))
        run_go_live(tl);
    if (tl->op.then_back && tl->op.found.reason == STOP_DONE) {
        search_step_back(tl, tl->op.hart);
        return TIMELINE_RUNNING;
    }
    if (tl->op.kind == OPERATION_REVERSE_STEP && step_over_landed(tl))
        return TIMELINE_RUNNING;
    *stop = tl->op.found;
    return operation_finish(tl, stop, tl->op.report);
}

enum timeline_status seek_advance(struct timeline *tl, struct stop *stop)
{
    if (tl->live)
        return landed(tl, stop);
    if (tl->interrupted && tl->op.kind == OPERATION_SWITCH)
        return operation_finish_plain(tl, STOP_INTERRUPT, stop);
    if (tl->interrupted && tl->op.found.reason != STOP_INTERRUPT)
        seek_turn_back(tl);
    uint64_t target = tl->op.target;
    do {
        /* Chosen once and kept over many chunks: else the far ones would never be reached. */
        uint64_t here = machine_position(tl->m);
        if (tl->op.approach <= here || tl->op.approach > target)
            tl->op.approach = next_approach(tl);
        uint64_t until = tl->op.approach;
        switch (run_replay(tl, until)) {
        case RUN_DIVERGED:
            return operation_finish_diverged(tl, stop);
        case RUN_REACHED:
            break;
        case RUN_HALTED:
        case RUN_IDLE:
            /* Only the tip of a machine that is off, or waits for ever, is such a place; elsewhere
             * the next turn finds that it has diverged. */
            return machine_position(tl->m) == target ? landed(tl, stop) : TIMELINE_RUNNING;
        default:
            return TIMELINE_RUNNING;
        }
        if (machine_position(tl->m) == target)
            return landed(tl, stop);
        if (machine_position(tl->m) == until)
            history_take_approach(tl);
    } while (!tl->interrupted);
    return TIMELINE_RUNNING;
}
