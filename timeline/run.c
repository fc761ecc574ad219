/* Running the machine in chunks: live, or in replay with every digest compared. */
#include "timeline/internal.h"

#include "base/check.h"
#include "timeline/branches.h"

#include <inttypes.h>
#include <time.h>

enum { CHUNK_MIN = 1000, CHUNK_MAX = 4000000, CHUNK_NS = 300000 };

static uint64_t read_clock(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t host_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

uint64_t host_cost_ns(void)
{
    return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

/* Keep a chunk at about CHUNK_NS: short enough to answer, long enough not to be felt. */
static void adapt_chunk(struct timeline *tl, uint64_t steps, uint64_t ns)
{
    if (ns > 2 * CHUNK_NS && tl->chunk > CHUNK_MIN)
        tl->chunk /= 2;
    else if (ns < CHUNK_NS / 2 && steps == tl->chunk && tl->chunk < CHUNK_MAX)
        tl->chunk *= 2;
}

static uint64_t chunk_end(const struct timeline *tl, uint64_t until)
{
    uint64_t position = machine_position(tl->m);
    return until - position > tl->chunk ? position + tl->chunk : until;
}

static enum run_result judge(const struct timeline *tl, enum machine_stop stop, uint64_t from,
                             uint64_t until)
{
    switch (stop) {
    case MACHINE_HIT:
        return RUN_HIT;
    case MACHINE_HALTED:
        return RUN_HALTED;
    case MACHINE_IDLE:
        return RUN_IDLE;
    case MACHINE_LIMIT:
        break;
    }
    return machine_position(tl->m) == until || machine_step_made(tl->m, from) ? RUN_REACHED
                                                                              : RUN_ON;
}

/* Has an image changed under the live machine, perhaps outside of a run? Then its state is of no
 * use, and it is live no more. */
static bool run_failed(struct timeline *tl)
{
    if (!tl->recorder.failure.code)
        return false;
    tl->diverged = tl->recorder.failure;
    tl->live = false;
    tl->history.torn = true;
    return true;
}

enum run_result run_live(struct timeline *tl, uint64_t until)
{
    if (run_failed(tl))
        return RUN_DIVERGED;
    uint64_t from = machine_position(tl->m), due = history_next_take(tl);
    uint64_t end = chunk_end(tl, triggers_limit(tl, until));
    uint64_t began = host_cost_ns(), resets = triggers_before_run(tl);
    enum machine_stop stop = machine_run(tl->m, due > from && due < end ? due : end);
    uint64_t ns = host_cost_ns() - began;
    triggers_after_run(tl, resets);
    tl->tip = machine_position(tl->m);
    if (tl->tip != from)
        branch_ran(tl);
    tl->history.cost_ns += ns;
    adapt_chunk(tl, tl->tip - from, ns);
    if (run_failed(tl))
        return RUN_DIVERGED;
    enum run_result result = judge(tl, stop, from, until);
    history_take_if_due(tl);
    return result;
}

/* Has the replay ended before `end`, which the recording has reached? */
static bool stops_short(struct timeline *tl, enum machine_stop stop, uint64_t end)
{
    uint64_t position = machine_position(tl->m);
    if (position >= end)
        return false;
    error_set(&tl->diverged, ERROR_DIVERGED,
              "the replay diverged before position %" PRIu64
              ": the machine %s; the recording goes on",
              position, stop == MACHINE_HALTED ? "has halted" : "waits for ever");
    return true;
}

enum run_result run_replay(struct timeline *tl, uint64_t until)
{
    uint64_t from = machine_position(tl->m);
    const struct mark *mark = history_next_mark(tl, from);
    uint64_t end = chunk_end(tl, until);
    if (mark && mark->position < end)
        end = mark->position;
    uint64_t began = host_cost_ns();
    enum machine_stop stop = player_run(&tl->player, end);
    adapt_chunk(tl, machine_position(tl->m) - from, host_cost_ns() - began);
    if (tl->player.failure.code) {
        tl->diverged = tl->player.failure;
        return RUN_DIVERGED;
    }
    if (mark && mark->position == machine_position(tl->m) && mark->log_index == tl->player.next &&
        !history_verify(tl, mark))
        return RUN_DIVERGED;
    if ((stop == MACHINE_HALTED || stop == MACHINE_IDLE) && stops_short(tl, stop, end))
        return RUN_DIVERGED;
    return judge(tl, stop, from, until);
}

/* ---- between live and past ---- */

bool run_at_tip(const struct timeline *tl)
{
    return machine_position(tl->m) == tl->tip && tl->player.next == log_count(tl->log);
}

void run_leave_live(struct timeline *tl)
{
    if (!tl->live)
        return;
    history_take(tl);
    tl->live = false;
    tl->idle_since = 0;
    player_attach(&tl->player, log_count(tl->log));
}

void run_go_live(struct timeline *tl)
{
    /* Of what the open interval used before, a replay has told the machine only a part. */
    const struct entry *newest = history_newest(tl);
    tl->history.torn =
        newest->checkpoint->position != tl->tip || newest->log_index != log_count(tl->log);
    tl->live = true;
    tl->ahead_ns = 0;
    recorder_attach(&tl->recorder);
}

bool run_restore(struct timeline *tl, uint64_t n)
{
    struct error err = ERROR_INIT;
    const struct entry *entry = history_restore(tl, n, &err);
    if (!entry) {
        tl->diverged = err;
        return false;
    }
    player_attach(&tl->player, entry->log_index);
    tl->op.landing = machine_position(tl->m);
    return true;
}

/* ---- idle time ----
 *
 * Waits are paced by real time, but the shortest ones (a disk's answer) would be stretched by the
 * host's timers: up to AHEAD_MOST the guest may be ahead of real time, and waits for that later. */

enum { AHEAD_MOST = 2000000 };

/* How far the guest is ahead now: real time since has made up for some of it. */
static uint64_t ahead(const struct timeline *tl, uint64_t host)
{
    uint64_t passed = host - tl->ahead_at;
    return tl->ahead_ns > passed ? tl->ahead_ns - passed : 0;
}

/* Real time the present wait takes from idle_since on; deadline is not CLOCK_NEVER. */
static uint64_t real_wait(const struct timeline *tl)
{
    uint64_t deadline = machine_next_deadline(tl->m), now = clock_vtime(&tl->m->clock);
    uint64_t need = (deadline > now ? deadline - now : 0) + ahead(tl, tl->idle_since);
    return need > AHEAD_MOST ? need : 0;
}

/* Nobody waits for the guest of a branch. */
static bool warps(const struct timeline *tl)
{
    return tl->options.warp || !timeline_on_main(tl);
}

uint64_t run_event_vtime(const struct timeline *tl)
{
    uint64_t now = clock_vtime(&tl->m->clock);
    if (!tl->idle_since || warps(tl))
        return now;
    uint64_t waited = host_ns() - tl->idle_since, owed = ahead(tl, tl->idle_since);
    uint64_t deadline = machine_next_deadline(tl->m);
    waited = waited > owed ? waited - owed : 0;
    return deadline > now && waited > deadline - now ? deadline : now + waited;
}

uint64_t timeline_idle_ns(const struct timeline *tl)
{
    if (machine_next_deadline(tl->m) == CLOCK_NEVER)
        return UINT64_MAX;
    if (!tl->idle_since)
        return 0;
    uint64_t waited = host_ns() - tl->idle_since, need = real_wait(tl);
    return need > waited ? need - waited : 0;
}

void run_log_idle(struct timeline *tl)
{
    if (tl->warped_at == machine_position(tl->m))
        recorder_event(&tl->recorder, EVENT_IDLE, 0, NULL, 0, clock_vtime(&tl->m->clock));
    tl->warped_at = POSITION_NONE;
}

/* The wait up to `deadline` is over: what of it has not been waited for is owed. */
static void note_ahead(struct timeline *tl, uint64_t deadline)
{
    uint64_t host = host_ns(), need = deadline - clock_vtime(&tl->m->clock);
    uint64_t waited = host - tl->idle_since, due = need + ahead(tl, tl->idle_since);
    tl->ahead_ns = due > waited ? due - waited : 0;
    tl->ahead_at = host;
}

bool run_idle(struct timeline *tl)
{
    uint64_t deadline = machine_next_deadline(tl->m);
    if (!tl->idle_since)
        tl->idle_since = host_ns();
    if (deadline == CLOCK_NEVER || (!warps(tl) && timeline_idle_ns(tl)))
        return false;
    if (!warps(tl))
        note_ahead(tl, deadline);
    tl->idle_since = 0;
    tl->warped_at = machine_position(tl->m);
    machine_idle_until(tl->m, deadline);
    return true;
}
