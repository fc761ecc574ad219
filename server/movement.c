#include "server/movement.h"

#include "base/check.h"
#include "timeline/branches.h"

#define SLICE_NS UINT64_C(1000000)
#define MS_NS UINT64_C(1000000)
/* Longer waits are cut: a timer of the loop counts milliseconds from now on. */
#define WAIT_MOST_MS UINT64_C(3600000)
/* Between two looks at whether the guest's output has been taken. */
enum { OUTPUT_WAIT_MS = 5 };

static void run_slice(uv_idle_t *handle);

static void on_deadline(uv_timer_t *handle)
{
    movement_wake(handle->data);
}

void movement_init(struct movement *m, uv_loop_t *loop, struct timeline *timeline,
                   const struct movement_watcher *watcher)
{
    *m = (struct movement){.timeline = timeline,
                           .watcher = *watcher,
                           .stop_at = UINT64_MAX,
                           .break_at = POSITION_NONE};
    uv_idle_init(loop, &m->slices);
    uv_timer_init(loop, &m->deadline);
    m->slices.data = m;
    m->deadline.data = m;
}

void movement_close(struct movement *m)
{
    uv_close((uv_handle_t *)&m->slices, NULL);
    uv_close((uv_handle_t *)&m->deadline, NULL);
}

bool movement_free(const struct movement *m)
{
    return !m->owner.stopped;
}

/* As an interrupt, so that a debugger whose resume it was sees it as one. */
static void judge_break(struct movement *m, struct stop *stop)
{
    bool here = m->held_to_break && stop->position == m->break_at;
    m->broke = here && (stop->reason == STOP_DONE || stop->reason == STOP_END);
    m->held_to_break = false;
    if (!m->broke)
        return;
    m->break_at = POSITION_NONE;
    if (stop->reason == STOP_DONE)
        stop->reason = STOP_INTERRUPT;
}

static void stopped(struct movement *m, struct stop *stop)
{
    uv_idle_stop(&m->slices);
    judge_break(m, stop);
    if (timeline_position(m->timeline) != m->began_at)
        m->changes++;
    m->watcher.stopped(m->watcher.ctx, stop);
    struct mover owner = m->owner;
    m->owner = (struct mover){0};
    owner.stopped(owner.ctx, stop);
    if (movement_free(m))
        m->watcher.freed(m->watcher.ctx);
}

static void wait_ms(struct movement *m, uint64_t ms)
{
    uv_idle_stop(&m->slices);
    uv_update_time(m->deadline.loop);
    uv_timer_start(&m->deadline, on_deadline, ms, 0);
}

/* Only input or an interrupt ends a wait without deadline: then no timer is set. */
static void wait_for_deadline(struct movement *m)
{
    uint64_t ns = timeline_idle_ns(m->timeline);
    uv_idle_stop(&m->slices);
    if (ns == UINT64_MAX)
        return;
    uint64_t ms = ns / MS_NS + (ns % MS_NS != 0);
    wait_ms(m, ms < WAIT_MOST_MS ? ms : WAIT_MOST_MS);
}

static void run_slice(uv_idle_t *handle)
{
    struct movement *m = handle->data;
    struct stop stop = {0};
    m->watcher.offer_input(m->watcher.ctx);
    bool taken = m->watcher.flush_output(m->watcher.ctx);
    if (!taken && timeline_live(m->timeline) && !m->interrupted) {
        wait_ms(m, OUTPUT_WAIT_MS);
        return;
    }
    enum timeline_status status = timeline_advance(m->timeline, SLICE_NS, &stop);
    m->watcher.flush_output(m->watcher.ctx);
    if (status == TIMELINE_STOPPED)
        stopped(m, &stop);
    else if (status == TIMELINE_IDLE && !m->watcher.offer_input(m->watcher.ctx))
        wait_for_deadline(m);
}

void movement_began(struct movement *m, const struct mover *owner)
{
    check(movement_free(m), "movement has an owner");
    check(timeline_moving(m->timeline), "nothing was begun");
    m->owner = *owner;
    m->interrupted = false;
    m->movements++;
    m->began_at = timeline_position(m->timeline);
    uv_idle_start(&m->slices, run_slice);
    m->watcher.began(m->watcher.ctx);
}

void movement_goes_on(struct movement *m, const struct mover *owner)
{
    bool interrupted = m->interrupted;
    movement_began(m, owner);
    if (interrupted)
        movement_interrupt(m);
}

void movement_continue(struct movement *m)
{
    struct timeline *tl = m->timeline;
    uint64_t here = timeline_position(tl);
    bool live = timeline_live(tl) && timeline_on_main(tl);
    uint64_t limit = live && here < m->stop_at ? m->stop_at : UINT64_MAX;
    m->held_to_break = m->break_at != POSITION_NONE && m->break_at >= here && m->break_at <= limit;
    if (m->held_to_break)
        limit = m->break_at;
    if (limit != UINT64_MAX)
        timeline_continue_to(tl, limit);
    else
        timeline_continue(tl);
}

void movement_interrupt(struct movement *m)
{
    if (movement_free(m))
        return;
    m->interrupted = true;
    timeline_interrupt(m->timeline);
    movement_wake(m);
}

bool movement_yield(struct movement *m)
{
    if (m->owner.who)
        return false;
    movement_interrupt(m);
    return true;
}

bool movement_busy(const struct movement *m, struct error *err)
{
    return error_set(err, ERROR_BUSY, "busy: %s",
                     m->owner.who ? m->owner.who : "the machine is running");
}

void movement_wake(struct movement *m)
{
    if (movement_free(m))
        return;
    uv_timer_stop(&m->deadline);
    uv_idle_start(&m->slices, run_slice);
}
