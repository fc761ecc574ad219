/* Requests that move the machine, and the stop replies that answer them. */
#include "base/check.h"
#include "base/endian.h"
#include "server/gdb_handlers.h"
#include "server/stop_text.h"
#include "timeline/branches.h"

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
    if (s->stepping && stop_needs_text(stop))
        return RSP_REASON_HISTORY_END;
    return s->stepping && stop->reason == STOP_DONE ? RSP_REASON_STEP : RSP_REASON_NONE;
}

static enum rsp_stop_reason reason_of(const struct gdb_session *s, const struct stop *stop)
{
    switch (gdb_stop_is_others(stop) ? STOP_TRIGGER : stop->reason) {
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

static uint8_t signal_of(const struct gdb_session *s, const struct stop *stop)
{
    /* A trap would only be the end of a client's step, which it goes on with. */
    if (stop->reason == STOP_INTERRUPT || (s->stepping && gdb_stop_is_others(stop)))
        return RSP_SIGNAL_INT;
    return stop->reason == STOP_TRIGGER ? RSP_SIGNAL_ABRT : RSP_SIGNAL_TRAP;
}

/* For a script that is its own debugger, as tests of QEMU's are: it compares the whole reply with
 * what QEMU says. */
static bool append_bare(const struct gdb_session *s, const struct stop *stop, struct buffer *reply)
{
    if (!(s->features & RSP_BARE) || reason_of(s, stop) >= RSP_REASON_WATCH)
        return false;
    buffer_printf(reply, "T%02xthread:%02x;", signal_of(s, stop), stop->hart + 1);
    return true;
}

void gdb_append_stop(struct gdb_session *s, const struct stop *stop, struct buffer *reply)
{
    if (append_bare(s, stop, reply))
        return;
    struct rsp_expedited expedited[64];
    const struct rsp_stop out = {
        .signal = signal_of(s, stop),
        .thread = gdb_thread_of(stop->hart),
        .reason = reason_of(s, stop),
        .address = stop->address,
        .features = s->features & (RSP_SWBREAK | RSP_HWBREAK),
        .has_reason = true,
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
 */
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

/* Bits of the harts that are to stand still, as with gdb's scheduler-locking. */
static uint32_t left_out(const struct gdb_session *s, const struct rsp_request *r)
{
    uint32_t mask = 0;
    for (unsigned hart = 0; hart < s->machine->config.cpus; hart++) {
        const struct rsp_action *action = action_of(r, hart);
        if (!action || (action->kind != RSP_ACTION_CONTINUE && !steps(action)))
            mask |= UINT32_C(1) << hart;
    }
    return mask;
}

/* History has one schedule: only where a debugger makes another, in a diversion, harts can be held.
 * Returns true when that was asked for in vain. */
static bool hold_in_vain(struct gdb_session *s, const struct rsp_request *r)
{
    uint32_t mask = left_out(s, r);
    return !timeline_hold_harts(s->timeline, mask) && mask;
}

/* A resume is under way. */
static void say_locking(struct gdb_session *s, bool in_vain)
{
    if (!in_vain || s->locking_said)
        return;
    struct buffer text = {0};
    s->locking_said = true;
    buffer_append_string(&text,
                         "backstep: the other harts run too (how harts take turns is part of "
                         "history, which stepping never changes)\n");
    gdb_send_console(s, &text);
    buffer_fini(&text);
}

enum gdb_outcome gdb_vcont(struct gdb_session *s, const struct rsp_request *r, struct buffer *reply)
{
    unsigned hart;
    bool stepping = find_stepping(s, r, &hart);
    if (!stepping && !continues(s, r))
        return gdb_stop_reason(s, r, reply); /* `t`, or no such hart: everything stands still */
    bool in_vain = hold_in_vain(s, r);
    const struct rsp_action *action = stepping ? action_of(r, hart) : NULL;
    if (!stepping) {
        go_on(s);
    } else if (action->kind == RSP_ACTION_STEP) {
        step(s, hart);
    } else {
        timeline_step_range(s->timeline, hart, action->start, action->end);
        stepped(s);
    }
    say_locking(s, in_vain);
    return GDB_MOVED;
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

/* Without an interpreter there are numbers only. */
static bool parse_number(const struct gdb_session *s, const char *text, uint64_t *position,
                         struct error *err)
{
    char *end;
    *position = strtoull(text, &end, 0);
    if (text[0] < '0' || text[0] > '9' || *end)
        return error_set(err, ERROR_USAGE, "`%.80s` is no position", text);
    return (*position >= timeline_begin(s->timeline) && *position <= timeline_tip(s->timeline)) ||
           error_set(err, ERROR_RANGE, "position %.80s is not in the history", text);
}

static bool find_position(const struct gdb_session *s, const struct rsp_request *r,
                          uint64_t *position, struct error *err)
{
    const struct interpreter *interpreter = &s->options.interpreter;
    const struct rsp_slice *argument = &r->run.argument[0];
    struct buffer text = {0};
    if (r->run.count != 1)
        return error_set(err, ERROR_USAGE, "the one argument to run is a position to go to");
    buffer_append(&text, argument->data, argument->size);
    bool found = interpreter->position
                     ? interpreter->position(interpreter->ctx, buffer_text(&text), position, err)
                     : parse_number(s, buffer_text(&text), position, err);
    buffer_fini(&text);
    return found;
}

/* `starti POSITION` goes there, without argument to the beginning. `run POSITION` is the same
 * packet: gdb continues afterwards by itself. */
enum gdb_outcome gdb_run(struct gdb_session *s, const struct rsp_request *r, struct buffer *reply)
{
    struct error err = ERROR_INIT;
    timeline_end_call(s->timeline);
    uint64_t position = timeline_begin(s->timeline);
    if (r->run.count && !find_position(s, r, &position, &err))
        return gdb_refuse(s, reply, &err);
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
