/* Requests that move the machine, and the stop replies that answer them. */
#include "base/check.h"
#include "base/endian.h"
#include "server/gdb_handlers.h"
#include "server/stop_text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- stop replies ---- */

static enum rsp_stop_reason watch_reason(unsigned kinds)
{
    if (kinds == HIT_READ)
        return RSP_REASON_RWATCH;
    return kinds == HIT_WRITE ? RSP_REASON_WATCH : RSP_REASON_AWATCH;
}

/* gdb takes swbreak and hwbreak only for points it knows: a stop at somebody else's is a plain one.
 */
static enum rsp_stop_reason break_reason(const struct gdb_session *s, uint64_t pc)
{
    if (gdb_point_set(&s->points, RSP_POINT_SOFTWARE, pc))
        return RSP_REASON_SWBREAK;
    return gdb_point_set(&s->points, RSP_POINT_HARDWARE, pc) ? RSP_REASON_HWBREAK : RSP_REASON_NONE;
}

/* A client takes a plain stop for the end of its step, and steps on until it has left the source
 * line. Where no further step can be made, only the end of history ends that. */
static enum rsp_stop_reason plain_reason(const struct gdb_session *s, const struct stop *stop)
{
    return s->stepping && stop_needs_text(stop) ? RSP_REASON_HISTORY_END : RSP_REASON_NONE;
}

static enum rsp_stop_reason reason_of(const struct gdb_session *s, const struct stop *stop)
{
    switch (stop->reason) {
    case STOP_BREAK:
        return break_reason(s, stop->address);
    case STOP_WATCH:
        return watch_reason(stop->kinds);
    case STOP_BEGIN:
        return RSP_REASON_HISTORY_BEGIN;
    case STOP_END:
        return RSP_REASON_HISTORY_END;
    case STOP_TRIGGER: /* its signal ends a step too */
        return RSP_REASON_NONE;
    default:
        return plain_reason(s, stop);
    }
}

/* Integer registers and pc: with all of them gdb asks for none of its own accord. */
static size_t expedite(const struct cpu *cpu, struct rsp_expedited *out, size_t most)
{
    size_t count = 0;
    for (size_t i = 0; i < cpu->ops->register_count && count < most; i++) {
        const struct cpu_register *reg = &cpu->ops->registers[i];
        if (reg->feature != CPU_FEATURE_CPU)
            continue;
        out[count] = (struct rsp_expedited){.number = reg->number, .size = reg->bits / 8};
        store_le64(out[count++].value, cpu->ops->get_register(cpu, reg->number));
    }
    return count;
}

static uint8_t signal_of(const struct stop *stop)
{
    if (stop->reason == STOP_INTERRUPT)
        return RSP_SIGNAL_INT;
    return stop->reason == STOP_TRIGGER ? RSP_SIGNAL_ABRT : RSP_SIGNAL_TRAP;
}

void gdb_append_stop(struct gdb_session *s, const struct stop *stop, struct buffer *reply)
{
    struct rsp_expedited expedited[64];
    const struct rsp_stop out = {
        .signal = signal_of(stop),
        .thread = gdb_thread_of(stop->hart),
        .reason = reason_of(s, stop),
        .address = stop->address,
        .features = s->features & (RSP_SWBREAK | RSP_HWBREAK),
        .has_icount = true,
        .icount = timeline_position(s->timeline),
        .expedited = expedited,
        .expedited_count =
            expedite(s->machine->cpu[stop->hart], expedited, sizeof expedited / sizeof *expedited),
    };
    rsp_reply_stop(reply, &out);
}

enum gdb_outcome gdb_stop_reason(struct gdb_session *s, const struct rsp_request *r,
                                 struct buffer *reply)
{
    (void)r;
    if (s->killed) {
        rsp_reply_exited(reply, 0, 1, false);
        return GDB_REPLY;
    }
    if (!s->moved)
        s->stop = (struct stop){.reason = STOP_DONE, .hart = s->machine->state.running};
    s->hart = s->stop.hart;
    gdb_append_stop(s, &s->stop, reply);
    return GDB_REPLY;
}

/* ---- forward ---- */

/* The hart of the last stop, which a resume without a hart of its own is about. */
static unsigned last_hart(const struct gdb_session *s)
{
    return s->moved ? s->stop.hart : s->machine->state.running;
}

static unsigned hart_to_resume(const struct gdb_session *s)
{
    unsigned hart;
    return gdb_hart_of(s, s->resume_hart, &hart) ? hart : last_hart(s);
}

static enum gdb_outcome go_on(struct gdb_session *s)
{
    movement_continue(s->options.movement);
    return gdb_moved(s, GDB_AWAITS_STOP);
}

static enum gdb_outcome stepped(struct gdb_session *s)
{
    gdb_moved(s, GDB_AWAITS_STOP);
    s->stepping = true;
    return GDB_MOVED;
}

static enum gdb_outcome step(struct gdb_session *s, unsigned hart)
{
    timeline_step(s->timeline, hart);
    return stepped(s);
}

/* Signals mean nothing to a machine. */
enum gdb_outcome gdb_resume(struct gdb_session *s, const struct rsp_request *r,
                            struct buffer *reply)
{
    unsigned hart = hart_to_resume(s);
    struct error err = ERROR_INIT;
    if (r->resume.has_address &&
        !timeline_write_register(s->timeline, hart, s->registers.pc, r->resume.address, &err))
        return gdb_refuse(s, reply, &err);
    return r->resume.step ? step(s, hart) : go_on(s);
}

static bool action_is_for(const struct rsp_action *action, unsigned hart)
{
    int32_t thread = action->thread.thread;
    return thread == RSP_THREAD_ALL || thread == RSP_THREAD_ANY || thread == (int32_t)hart + 1;
}

/* The first action that names a hart is its, NULL when none does. */
static const struct rsp_action *action_of(const struct rsp_request *r, unsigned hart)
{
    for (size_t i = 0; i < r->vcont.count; i++) {
        if (action_is_for(&r->vcont.action[i], hart))
            return &r->vcont.action[i];
    }
    return NULL;
}

static bool steps(const struct rsp_action *action)
{
    return action && (action->kind == RSP_ACTION_STEP || action->kind == RSP_ACTION_RANGE);
}

/* Whose step ends the resume: the last stop's hart if it has one to make, else the first that has.
 * A machine never runs some harts without the others, so what the rest is to do changes nothing. */
static bool find_stepping(const struct gdb_session *s, const struct rsp_request *r, unsigned *hart)
{
    *hart = last_hart(s);
    if (steps(action_of(r, *hart)))
        return true;
    for (*hart = 0; *hart < s->machine->config.cpus; ++*hart) {
        if (steps(action_of(r, *hart)))
            return true;
    }
    return false;
}

static bool continues(const struct gdb_session *s, const struct rsp_request *r)
{
    for (unsigned hart = 0; hart < s->machine->config.cpus; hart++) {
        const struct rsp_action *action = action_of(r, hart);
        if (action && action->kind == RSP_ACTION_CONTINUE)
            return true;
    }
    return false;
}

enum gdb_outcome gdb_vcont(struct gdb_session *s, const struct rsp_request *r, struct buffer *reply)
{
    unsigned hart;
    if (find_stepping(s, r, &hart)) {
        const struct rsp_action *action = action_of(r, hart);
        if (action->kind == RSP_ACTION_STEP)
            return step(s, hart);
        timeline_step_range(s->timeline, hart, action->start, action->end);
        return stepped(s);
    }
    if (continues(s, r))
        return go_on(s);
    return gdb_stop_reason(s, r, reply); /* `t`, or no such hart: everything stands still */
}

/* ---- backward ---- */

enum gdb_outcome gdb_reverse_step(struct gdb_session *s, const struct rsp_request *r,
                                  struct buffer *reply)
{
    (void)r;
    (void)reply;
    timeline_reverse_step(s->timeline, hart_to_resume(s));
    return stepped(s);
}

enum gdb_outcome gdb_reverse_continue(struct gdb_session *s, const struct rsp_request *r,
                                      struct buffer *reply)
{
    (void)r;
    (void)reply;
    timeline_reverse_continue(s->timeline);
    return gdb_moved(s, GDB_AWAITS_STOP);
}

/* ---- extended mode: a program started is the timeline at a position ---- */

static bool parse_position(struct rsp_slice text, uint64_t *position)
{
    char digits[32], *end;
    if (!text.size || text.size >= sizeof digits)
        return false;
    memcpy(digits, text.data, text.size);
    digits[text.size] = 0;
    *position = strtoull(digits, &end, 0);
    return digits[0] >= '0' && digits[0] <= '9' && !*end;
}

/* `starti N` and `run N` go to position N, without argument to the beginning. */
enum gdb_outcome gdb_run(struct gdb_session *s, const struct rsp_request *r, struct buffer *reply)
{
    uint64_t position = timeline_begin(s->timeline);
    if (r->run.count > 1 || (r->run.count && !parse_position(r->run.argument[0], &position))) {
        struct error err;
        error_set(&err, ERROR_USAGE, "the one argument to run is a position to go to");
        return gdb_refuse(s, reply, &err);
    }
    s->killed = false;
    timeline_seek(s->timeline, position);
    return gdb_moved(s, GDB_AWAITS_RUN);
}

enum gdb_outcome gdb_attach(struct gdb_session *s, const struct rsp_request *r,
                            struct buffer *reply)
{
    s->killed = false;
    return gdb_stop_reason(s, r, reply);
}

/* gdb kills before each run: the timeline is not what dies of it. */
enum gdb_outcome gdb_vkill(struct gdb_session *s, const struct rsp_request *r, struct buffer *reply)
{
    (void)r;
    gdb_points_clear(s);
    s->killed = true;
    rsp_reply_ok(reply);
    return GDB_REPLY;
}
