/* Steps that pass over the handlers of interrupts: timeline_step_over_interrupts.
 *
 * A *context* is what a handler is to come back to: pc, privilege, stack pointer, address space of
 * a hart. Forward, a step that turns out to be an interrupt's entry is followed by a run until the
 * hart is about to make an instruction in the context it was interrupted in.
 *
 * Backward, a step that lands on the return of a trap's handler is held against the entry that
 * belongs to it: the most recent trap that was taken from the present privilege, stack and address
 * space. When that was an interrupt, and at the present pc, which has not been executed there
 * since, the step goes on from before the entry. */
#include "base/check.h"
#include "timeline/internal.h"

#include <stdlib.h>
#include <string.h>

struct context {
    uint64_t pc, priv, sp, space;
};

enum back {
    BACK_STEPPED, /* landing on the step that was asked for */
    BACK_ENTRY,   /* landing before an interrupt's entry, to go on from there */
    BACK_PLAIN    /* landing on the step again: it was no interrupt's return */
};

struct step_over {
    unsigned hart;
    uint64_t watched; /* the pc that is armed */

    /* forward */
    struct context from; /* where the hart's most recent trap was taken */
    uint64_t trap_at;    /* the step in which it was */
    bool interrupt;      /* it was an interrupt */
    bool waiting;        /* for the hart to come back there */

    /* backward */
    enum back back;
    struct context to;  /* where the step back began */
    uint64_t step;      /* what it landed on */
    bool any, entry;    /* seen in the interval: what decides; that it is an interrupt's entry */
    uint64_t at;        /* its position */
    struct seen client; /* the last hit of clients' points behind the interval */
};

void timeline_set_step_over_interrupts(struct timeline *tl, bool on)
{
    check(!timeline_moving(tl), "steps are changed while the machine moves");
    if (!on) {
        step_over_fini(tl);
        return;
    }
    if (!tl->step_over)
        tl->step_over = mem_new(1, sizeof *tl->step_over);
}

bool timeline_step_over_interrupts(const struct timeline *tl)
{
    return tl->step_over;
}

void step_over_fini(struct timeline *tl)
{
    free(tl->step_over);
    tl->step_over = NULL;
}

/* ---- contexts ---- */

static struct context context_of(const struct timeline *tl, unsigned hart)
{
    const struct cpu *cpu = tl->m->cpu[hart];
    return (struct context){
        .pc = cpu->ops->pc(cpu),
        .priv = cpu_privilege(cpu),
        .sp = cpu->ops->get_register(cpu, cpu->ops->stack_pointer),
        .space = cpu->ops->address_space(cpu),
    };
}

static bool same_thread(const struct context *a, const struct context *b)
{
    return a->priv == b->priv && a->sp == b->sp && a->space == b->space;
}

static bool same_context(const struct context *a, const struct context *b)
{
    return a->pc == b->pc && same_thread(a, b);
}

/* ---- forward ---- */

static bool see_forward(void *ctx, const struct hit *hit)
{
    struct timeline *tl = ctx;
    struct step_over *so = tl->step_over;
    if (hit->hart != so->hart)
        return false;
    if (hit->kinds == HIT_TRAP && !so->waiting) {
        so->from = context_of(tl, so->hart);
        so->trap_at = hit->position;
        so->interrupt = hit->cause >> 63;
        return false;
    }
    if (!so->waiting || hit->kinds != HIT_EXECUTE || hit->address != so->from.pc)
        return false;
    struct context here = context_of(tl, so->hart);
    if (!same_context(&here, &so->from))
        return false;
    tl->op.start = hit->position; /* a breakpoint here is behind us */
    return true;
}

static void arm_forward(struct timeline *tl)
{
    struct step_over *so = tl->step_over;
    so->watched = so->from.pc;
    const struct points_also also = {.execute = &so->watched,
                                     .count = so->waiting,
                                     .traps = !so->waiting,
                                     .see = see_forward,
                                     .ctx = tl};
    points_arm_forward_also(tl, &also);
}

void step_over_begin(struct timeline *tl)
{
    struct step_over *so = tl->step_over;
    so->hart = tl->op.hart;
    so->waiting = false;
    so->trap_at = POSITION_NONE;
    arm_forward(tl);
}

bool step_over_goes_on(struct timeline *tl)
{
    struct step_over *so = tl->step_over;
    if (!so)
        return false;
    if (so->waiting) {
        so->waiting = false;
        so->trap_at = POSITION_NONE;
    } else {
        if (so->trap_at == POSITION_NONE || so->trap_at + 1 != machine_position(tl->m) ||
            !so->interrupt)
            return false;
        so->waiting = true;
    }
    arm_forward(tl);
    return true;
}

unsigned step_over_hart(const struct timeline *tl)
{
    return tl->step_over && tl->step_over->waiting ? MACHINE_CPUS : tl->op.hart;
}

/* ---- backward ---- */

static bool see_backward(void *ctx, const struct hit *hit)
{
    struct timeline *tl = ctx;
    struct step_over *so = tl->step_over;
    bool trap = hit->kinds == HIT_TRAP;
    if (hit->hart != so->hart || hit->position > so->step ||
        (!trap && (hit->kinds != HIT_EXECUTE || hit->address != so->to.pc)))
        return false;
    struct context here = context_of(tl, so->hart);
    bool landed_on = trap && hit->position == so->step; /* then it is no return */
    if (!landed_on && !(trap ? same_thread(&here, &so->to) : same_context(&here, &so->to)))
        return false;
    so->any = true;
    so->at = hit->position;
    so->entry = trap && !landed_on && hit->cause >> 63 && here.pc == so->to.pc;
    return false;
}

void step_over_begin_back(struct timeline *tl, unsigned hart)
{
    struct step_over *so = tl->step_over;
    if (!so)
        return;
    so->hart = hart;
    so->back = BACK_STEPPED;
    so->to = context_of(tl, hart);
}

static bool at_trap_return(const struct timeline *tl, unsigned hart)
{
    const struct cpu *cpu = tl->m->cpu[hart];
    uint8_t bytes[4] = {0};
    struct cpu_flow flow;
    timeline_read_some(tl, hart, cpu->ops->pc(cpu), bytes, sizeof bytes);
    cpu->ops->flow(bytes, &flow);
    return flow.kind == CPU_FLOW_TRAP_RETURN;
}

static void begin_hunt(struct timeline *tl)
{
    struct step_over *so = tl->step_over;
    struct operation *op = &tl->op;
    so->step = machine_position(tl->m);
    so->watched = so->to.pc;
    so->client = (struct seen){0};
    op->phase = PHASE_OVER;
    op->floor = timeline_begin(tl);
    op->scan_end = so->step + 1;
    op->scanning = false;
    const struct points_also also = {
        .execute = &so->watched, .count = 1, .traps = true, .see = see_backward, .ctx = tl};
    points_arm_scan_also(tl, &also);
    run_leave_live(tl);
}

bool step_over_landed(struct timeline *tl)
{
    struct step_over *so = tl->step_over;
    if (!so || tl->op.found.reason != STOP_DONE || so->back == BACK_PLAIN)
        return false;
    if (so->back == BACK_ENTRY) {
        search_step_back(tl, so->hart);
        return true;
    }
    if (!at_trap_return(tl, so->hart))
        return false;
    begin_hunt(tl);
    return true;
}

static void land(struct timeline *tl, enum back back, uint64_t n)
{
    struct operation *op = &tl->op;
    tl->step_over->back = back;
    op->found = (struct stop){.reason = STOP_DONE, .position = n, .hart = op->hart};
    op->report = NOTHING_REPORTED;
    seek_begin(tl, n);
}

static uint64_t stop_position(const struct hit *hit)
{
    return hit->kinds == HIT_EXECUTE ? hit->position : hit->position + 1;
}

/* The handler has been found, and is passed over unless there is a hit inside. */
static void pass_over(struct timeline *tl)
{
    struct step_over *so = tl->step_over;
    if (!tl->seen.any || stop_position(&tl->seen.hit) <= so->at)
        tl->seen = so->client;
    if (tl->seen.any)
        search_decide_hit(tl);
    else
        land(tl, BACK_ENTRY, so->at);
}

static void begin_noting(struct timeline *tl)
{
    tl->step_over->any = false;
    tl->seen.any = false;
}

static void judge(struct timeline *tl, uint64_t end)
{
    struct step_over *so = tl->step_over;
    (void)end;
    if (so->any && so->entry)
        pass_over(tl);
    else if (so->any)
        land(tl, BACK_PLAIN, so->step);
    else if (!so->client.any)
        so->client = tl->seen;
}

static void found_no_entry(struct timeline *tl)
{
    land(tl, BACK_PLAIN, tl->step_over->step);
}

enum timeline_status step_over_advance(struct timeline *tl, struct stop *stop)
{
    static const struct scan scan = {
        .begins = begin_noting, .ends = judge, .exhausted = found_no_entry};
    return scan_advance(tl, &scan, stop);
}
