#include "replay/player.h"

#include "base/check.h"
#include "base/endian.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *kind_name(uint16_t kind)
{
    static const char *const name[] = {
        [EVENT_INPUT] = "input",
        [EVENT_CLOCK] = "a clock value",
        [EVENT_RESET] = "a reset",
        [EVENT_MEMORY] = "a memory write",
        [EVENT_IDLE] = "idle time",
        [EVENT_POWER] = "power button",
        [EVENT_REGISTER] = "a register write",
        [EVENT_ENTROPY] = "entropy",
        [EVENT_HOLD] = "a hold of harts",
    };
    return kind < sizeof name / sizeof *name && name[kind] ? name[kind] : "an unknown event";
}

/* Is the next event one that could not be fetched? Then that is what is wrong. */
static bool lost(struct player *p)
{
    if (p->next == log_count(p->log) || log_get(p->log, p->next).kind)
        return false;
    return !error_set(&p->failure, ERROR_DIVERGED, "%s", log_failure(p->log));
}

/* Note what machine and log do not agree about; the first time counts. */
__attribute__((format(printf, 2, 3))) static void diverge(struct player *p, const char *format, ...)
{
    if (p->failure.code || lost(p))
        return;
    char what[160], has[160];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    if (p->next < log_count(p->log)) {
        struct event e = log_get(p->log, p->next);
        snprintf(has, sizeof has, "%s at %" PRIu64 " (%" PRIu64 " ns) as event %" PRIu64,
                 kind_name(e.kind), e.position, e.vtime, p->next);
    } else {
        snprintf(has, sizeof has, "no event after number %" PRIu64, p->next);
    }
    error_set(&p->failure, ERROR_DIVERGED,
              "the replay diverged at position %" PRIu64 " (%" PRIu64 " ns): %s; the log has %s",
              machine_position(p->machine), clock_vtime(&p->machine->clock), what, has);
}

/* The logged answer to what the machine asks now; false: the log has something else. */
static bool answer(struct player *p, enum event_kind kind, void *bytes, size_t size)
{
    if (!p->failure.code && p->next < log_count(p->log)) {
        struct event e = log_get(p->log, p->next);
        if (e.kind == kind && e.size == size && e.position == machine_position(p->machine) &&
            e.vtime == clock_vtime(&p->machine->clock)) {
            p->next++;
            memcpy(bytes, e.data, size);
            /* The next event may belong to this very position. */
            machine_pause(p->machine);
            return true;
        }
    }
    diverge(p, "the machine asks for %s", kind == EVENT_CLOCK ? "the host's clock" : "entropy");
    machine_pause(p->machine);
    return false;
}

static uint64_t host_clock(void *ctx)
{
    uint8_t bytes[8];
    return answer(ctx, EVENT_CLOCK, bytes, sizeof bytes) ? load_le64(bytes) : 0;
}

static void entropy(void *ctx, uint8_t *bytes, size_t size)
{
    answer(ctx, EVENT_ENTROPY, bytes, size);
}

static bool disk_read(void *ctx, unsigned disk, uint64_t block, uint8_t *bytes)
{
    struct player *p = ctx;
    struct error err = ERROR_INIT;
    switch (disk_reads_block(p->reads, disk, block, bytes, false, &err)) {
    case DISK_READ_OK:
        return true;
    case DISK_READ_FAILED:
        return false;
    case DISK_READ_FIRST:
        diverge(p, "the machine reads block %" PRIu64 " of disk %u, which it never did", block,
                disk);
        break;
    case DISK_READ_CHANGED:
        if (!p->failure.code)
            p->failure = err;
    }
    machine_pause(p->machine);
    return false;
}

static void output(void *ctx, unsigned channel, const uint8_t *bytes, size_t size)
{
    (void)ctx;
    (void)channel;
    (void)bytes;
    (void)size;
}

static const struct door_ops ops = {
    .host_clock = host_clock, .entropy = entropy, .disk_read = disk_read, .output = output};

void player_attach(struct player *p, uint64_t next)
{
    check(next <= log_count(p->log), "event %" PRIu64 " of %" PRIu64, next, log_count(p->log));
    p->next = next;
    p->warped_at = POSITION_NONE;
    p->failure = (struct error)ERROR_INIT;
    p->machine->door = (struct door){&ops, p};
}

uint64_t player_next_position(const struct player *p)
{
    return p->next < log_count(p->log) ? log_get(p->log, p->next).position : UINT64_MAX;
}

/* Deliver what is stamped with the present position, up to an event that is asked for: that belongs
 * to the step that follows. False: diverged. */
static bool deliver_due(struct player *p)
{
    struct machine *m = p->machine;
    while (p->next < log_count(p->log)) {
        struct event e = log_get(p->log, p->next);
        if (e.position > machine_position(m))
            break;
        if (e.position < machine_position(m)) {
            diverge(p, event_is_answer(e.kind) ? "the machine did not ask for it"
                                               : "an event was passed over");
            return false;
        }
        if (!e.kind) {
            lost(p);
            return false;
        }
        if (event_is_answer(e.kind))
            break;
        if (e.vtime < clock_vtime(&m->clock)) {
            diverge(p, "it is later than the event to deliver");
            return false;
        }
        if (e.kind == EVENT_INPUT && (!e.size || e.size > machine_input_room(m, e.target))) {
            diverge(p, "channel %u has no room for %" PRIu32 " bytes", e.target, e.size);
            return false;
        }
        if (e.kind == EVENT_HOLD && !machine_hold_valid(m, &e)) {
            diverge(p, "there are no such harts to hold");
            return false;
        }
        p->next++;
        machine_deliver(m, &e);
    }
    return true;
}

/* Does an event that is delivered at the present position come behind answers? Then a deadline asks
 * for them in idle time, which has to pass first: what a step asks for is the last thing stamped
 * with its position. */
static bool answers_before_event(const struct player *p)
{
    for (uint64_t i = p->next; i < log_count(p->log); i++) {
        struct event e = log_get(p->log, i);
        if (e.position != machine_position(p->machine))
            return false;
        if (!event_is_answer(e.kind))
            return true;
    }
    return false;
}

/* How far the machine may run before the log is looked at again: to the next event that must be
 * delivered, or over the step that asks for the next one; it returns once it has asked. */
static uint64_t run_limit(const struct player *p, uint64_t until)
{
    if (p->next == log_count(p->log))
        return until;
    struct event e = log_get(p->log, p->next);
    /* A machine that waits, as it should, makes no step; one that does has diverged. */
    if (answers_before_event(p))
        return e.position + 1;
    uint64_t limit = e.position + event_is_answer(e.kind);
    return limit < until ? limit : until;
}

/* The machine can make no further step on its own: true when it should. */
static bool stuck(struct player *p, const char *why)
{
    if (p->next < log_count(p->log))
        diverge(p, "%s", why);
    return p->failure.code;
}

enum machine_stop player_run(struct player *p, uint64_t until)
{
    struct machine *m = p->machine;
    check(until >= machine_position(m), "replay from %" PRIu64 " to %" PRIu64, machine_position(m),
          until);
    bool stepped = false, hit = false;
    while (!p->failure.code && deliver_due(p)) {
        /* Behind a write stands who sees all that is stamped with this position. */
        hit |= machine_take_hit(m);
        if (hit && !answers_before_event(p)) {
            m->hit_behind = true;
            return MACHINE_HIT;
        }
        if (m->state.halt) {
            stuck(p, "the machine has halted");
            return MACHINE_HALTED;
        }
        if ((machine_position(m) == until || stepped) && !answers_before_event(p))
            return MACHINE_LIMIT;
        uint64_t from = machine_position(m);
        enum machine_stop stop = machine_run(m, run_limit(p, until));
        if (p->failure.code)
            break;
        if (stop == MACHINE_HIT && !m->hit_behind)
            return MACHINE_HIT;
        hit |= stop == MACHINE_HIT;
        stepped = stepped || machine_step_made(m, from);
        if (stop != MACHINE_IDLE || machine_position(m) == run_limit(p, until))
            continue;
        uint64_t deadline = machine_next_deadline(m);
        if (deadline != CLOCK_NEVER) {
            p->warped_at = machine_position(m);
            if (answers_before_event(p))
                machine_idle_before_event(m, deadline);
            else
                machine_idle_until(m, deadline);
        } else if (!stuck(p, "the machine waits for ever"))
            return MACHINE_IDLE;
    }
    return MACHINE_HALTED;
}
