#include "timeline/line_move.h"

#include "base/check.h"
#include "timeline/internal.h"
#include "timeline/line_code.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { PRIVILEGE_USER = 0 };

/* An instruction of the function that has been seen, as long as the next one is to be judged. */
struct passed {
    bool any;
    uint64_t pc, sp;
    struct cpu_flow flow;
    uint64_t to; /* where a branch or jump leads */
};

/* An activation inside of ours whose first or last instructions have our stack pointers. */
struct deeper {
    bool any;
    uint64_t sp;   /* at its entry */
    uint64_t back; /* where in the function it returns to; 0: elsewhere */
};

struct line_move {
    struct line_request ask;
    struct line_code code;
    bool *in_line;         /* of each halfword of it */
    uint64_t sp;           /* the least that ours has */
    bool exact;            /* the stack's depth is known wherever the hart may be: the CFA tells */
    uint64_t level, space; /* its value, and the address space, of ours */
    uint64_t *address;     /* what is armed of the function */

    uint64_t first; /* where the line's run begins, as far as it is known */
    bool unsure;    /* that at `first`, where the entry is about to be executed, ours begins */
    uint64_t unsure_sp;

    struct seen client; /* the last hit of clients' points */

    /* Of the interval being scanned. */
    struct passed before;
    struct deeper deeper;
    uint64_t other; /* our last instruction that is not of the line; POSITION_NONE */
    uint64_t start; /* our first of the line behind it; POSITION_NONE */
    uint64_t entry; /* where our activation began; POSITION_NONE */
    bool entry_unsure;
};

static uint64_t look(const struct timeline *tl, unsigned hart, unsigned number)
{
    const struct cpu *cpu = tl->m->cpu[hart];
    return cpu->ops->get_register(cpu, number);
}

/* ---- the function's code ---- */

/* Does the instruction leave the function for good? Not where it calls. */
static bool leaves(const struct line_move *lm, const struct passed *p)
{
    if (p->flow.kind == CPU_FLOW_RETURN)
        return true;
    return (p->flow.kind == CPU_FLOW_JUMP || p->flow.kind == CPU_FLOW_INDIRECT) &&
           !line_code_has(&lm->code, p->to);
}

/* In an epilogue that has given the frame back the activation's stack pointers are lower than the
 * present one, by what the instructions before have added. */
static uint64_t given_back(const struct line_move *lm, uint64_t here)
{
    uint64_t sum = 0;
    for (uint64_t pc = lm->ask.low; pc < here && line_code_has(&lm->code, pc);) {
        struct cpu_flow flow;
        line_code_flow(&lm->code, pc, &flow);
        if (flow.kind != CPU_FLOW_NEXT || flow.stack < 0)
            sum = 0;
        else
            sum += (uint64_t)flow.stack;
        pc += flow.size;
    }
    return sum;
}

static void mark_lines(struct line_move *lm)
{
    uint64_t size = lm->ask.high - lm->ask.low;
    for (size_t i = 0; i < lm->ask.ranges; i++) {
        struct line_range r = lm->ask.range[i];
        uint64_t low = r.low > lm->ask.low ? r.low - lm->ask.low : 0;
        uint64_t high = r.high > lm->ask.low ? r.high - lm->ask.low : 0;
        for (uint64_t at = low / 2; at < (high + 1) / 2 && 2 * at < size; at++)
            lm->in_line[at] = true;
    }
}

/* ---- hits ---- */

/* Has the instruction before led to the entry, so that it is the head of a loop? */
static bool loops(const struct passed *p, uint64_t entry, uint64_t sp)
{
    if (!p->any || p->sp != sp)
        return false;
    switch (p->flow.kind) {
    case CPU_FLOW_NEXT:
        return p->pc + p->flow.size == entry;
    case CPU_FLOW_BRANCH:
        return p->to == entry || p->pc + p->flow.size == entry;
    case CPU_FLOW_JUMP:
    case CPU_FLOW_INDIRECT:
        return p->to == entry;
    default:
        return false;
    }
}

static void forget(struct line_move *lm)
{
    lm->other = lm->start = lm->entry = POSITION_NONE;
    lm->entry_unsure = false;
}

static void note_own(struct line_move *lm, uint64_t pc, uint64_t position)
{
    if (!lm->in_line[(pc - lm->ask.low) / 2]) {
        lm->other = position;
        lm->start = POSITION_NONE;
    } else if (lm->start == POSITION_NONE) {
        lm->start = position;
    }
}

/* Is this still of the activation inside ours? The one behind its call is ours again. */
static bool is_deeper(struct line_move *lm, const struct passed *now)
{
    struct deeper *d = &lm->deeper;
    if (!d->any)
        return false;
    if (d->back) {
        d->any = now->pc != d->back || now->sp != d->sp;
        return d->any;
    }
    d->any = now->sp != d->sp || !leaves(lm, now);
    return true;
}

/* An execution of the entry by which one begins. */
static void enter(const struct timeline *tl, struct line_move *lm, const struct passed *now,
                  uint64_t position)
{
    unsigned hart = lm->ask.hart;
    bool own = lm->ask.cfa ? now->sp == lm->ask.cfa : now->sp > lm->sp;
    if (own) {
        forget(lm);
        lm->entry = position;
        lm->entry_unsure = lm->code.entry_is_target && !lm->before.any && position &&
                           (position == tl->op.low || tl->m->config.cpus > 1);
        if (lm->entry_unsure)
            lm->unsure_sp = now->sp;
        note_own(lm, now->pc, position);
        return;
    }
    uint64_t back = look(tl, hart, tl->m->cpu[hart]->ops->link_register);
    lm->deeper = (struct deeper){true, now->sp, line_code_has(&lm->code, back) ? back : 0};
    is_deeper(lm, now);
}

/* Of the hart, which is before the function's instruction at `pc`. */
static uint64_t cfa_at(const struct line_move *lm, const struct cpu *cpu, uint64_t pc)
{
    int32_t depth = lm->code.depth[(pc - lm->ask.low) / 2];
    if (depth == DEPTH_FRAME)
        return cpu->ops->get_register(cpu, cpu->ops->frame_pointer);
    return cpu->ops->get_register(cpu, cpu->ops->stack_pointer) + (uint64_t)(int64_t)depth;
}

/* Our hart, at our privilege, in our address space if that is the user's, at our depth? */
static bool may_be_own(const struct timeline *tl, const struct line_move *lm, const struct hit *hit,
                       struct passed *now)
{
    const struct cpu *cpu = tl->m->cpu[hit->hart];
    if (hit->hart != lm->ask.hart || !line_code_has(&lm->code, hit->address))
        return false;
    now->any = true;
    now->pc = hit->address;
    now->sp = cpu->ops->get_register(cpu, cpu->ops->stack_pointer);
    if (lm->exact ? cfa_at(lm, cpu, now->pc) != lm->ask.cfa
                  : now->sp < lm->sp || (lm->ask.cfa && now->sp > lm->ask.cfa))
        return false;
    if (cpu_privilege(cpu) != lm->level)
        return false;
    if (lm->level == PRIVILEGE_USER && cpu->ops->address_space(cpu) != lm->space)
        return false;
    line_code_flow(&lm->code, now->pc, &now->flow);
    now->to = now->flow.kind == CPU_FLOW_INDIRECT
                  ? cpu->ops->get_register(cpu, now->flow.base) + (uint64_t)now->flow.offset
                  : now->pc + (uint64_t)now->flow.offset;
    return true;
}

static void note_function(const struct timeline *tl, struct line_move *lm, const struct hit *hit)
{
    struct passed now = {0};
    if (!may_be_own(tl, lm, hit, &now))
        return;
    if (is_deeper(lm, &now))
        ;
    else if (now.pc == lm->ask.entry && !loops(&lm->before, now.pc, now.sp))
        enter(tl, lm, &now, hit->position);
    else if (now.flow.kind == CPU_FLOW_RETURN)
        forget(lm); /* of one inside ours, or before it: so was what led to it */
    else
        note_own(lm, now.pc, hit->position);
    lm->before = now;
}

static bool see(void *ctx, const struct hit *hit)
{
    struct timeline *tl = ctx;
    if (hit->kinds == HIT_EXECUTE)
        note_function(tl, tl->line, hit);
    return false;
}

/* ---- arming ---- */

/* Clients' points as in any scan, and the function's addresses. */
static void arm(struct timeline *tl, struct line_move *lm)
{
    const struct line_request *r = &lm->ask;
    bool entry_only = r->mode == LINE_FINISH && !lm->code.entry_is_target;
    size_t count = entry_only ? 1 : (size_t)(r->high - r->low + 1) / 2;
    lm->address = mem_new(count, sizeof *lm->address);
    for (size_t i = 0; i < count; i++)
        lm->address[i] = entry_only ? r->entry : r->low + 2 * i;
    const struct points_also also = {.execute = lm->address, .count = count, .see = see, .ctx = tl};
    points_arm_scan_also(tl, &also);
}

void line_move_fini(struct timeline *tl)
{
    if (!tl->line)
        return;
    free(tl->line->address);
    line_code_fini(&tl->line->code);
    free(tl->line->in_line);
    free(tl->line);
    tl->line = NULL;
}

/* ---- beginning ---- */

static bool request_makes_sense(const struct timeline *tl, const struct line_request *r,
                                struct error *err)
{
    if (r->hart >= tl->m->config.cpus)
        return error_set(err, ERROR_RANGE, "there is no hart %u", r->hart);
    uint64_t pc = tl->m->cpu[r->hart]->ops->pc(tl->m->cpu[r->hart]);
    if (r->high <= r->low || (r->low & 1) || r->high - r->low > LINE_FUNCTION_MOST)
        return error_set(err, ERROR_RANGE,
                         "a function from %#" PRIx64 " to %#" PRIx64 " has no size, or too much",
                         r->low, r->high);
    if (pc - r->low >= r->high - r->low)
        return error_set(err, ERROR_RANGE, "the pc %#" PRIx64 " is not in the function", pc);
    if (r->ranges > LINE_RANGES_MOST)
        return error_set(err, ERROR_RANGE, "a line has at most %d ranges", LINE_RANGES_MOST);
    return true;
}

static bool read_code(const struct timeline *tl, struct line_move *lm, struct error *err)
{
    size_t size = (size_t)(lm->ask.high - lm->ask.low);
    line_code_init(&lm->code, tl->m->cpu[lm->ask.hart]->ops, lm->ask.low, lm->ask.high,
                   lm->ask.entry);
    lm->in_line = mem_new(size / 2 + 1, sizeof *lm->in_line);
    return timeline_read_memory(tl, lm->ask.hart, lm->ask.low, lm->code.bytes, size) ||
           error_set(err, ERROR_RANGE, "no code can be read at %#" PRIx64, lm->ask.low);
}

static struct line_move *line_move_new(const struct timeline *tl, const struct line_request *r)
{
    struct line_move *lm = mem_new(1, sizeof *lm);
    const struct cpu *cpu = tl->m->cpu[r->hart];
    lm->ask = *r;
    lm->sp = r->sp;
    lm->level = cpu_privilege(cpu);
    lm->space = cpu->ops->address_space(cpu);
    lm->first = machine_position(tl->m);
    forget(lm);
    return lm;
}

/* What tells ours: by the code and the client alike, or by the client alone. */
static void choose_frame(const struct timeline *tl, struct line_move *lm, uint64_t pc)
{
    struct line_request *r = &lm->ask;
    const struct cpu *cpu = tl->m->cpu[r->hart];
    uint64_t cfa = cfa_at(lm, cpu, pc);
    lm->exact = lm->code.deep && (!r->cfa || r->cfa == cfa);
    if (lm->exact)
        r->cfa = cfa;
    if (r->cfa && r->sp == r->cfa)
        lm->sp -= given_back(lm, pc);
    if (r->mode == LINE_FINISH && r->cfa)
        lm->sp = r->cfa;
}

bool timeline_line_back(struct timeline *tl, const struct line_request *request, struct error *err)
{
    branch_settle(tl);
    operation_leave_divergence(tl);
    if (!request_makes_sense(tl, request, err))
        return false;
    line_move_fini(tl);
    struct line_move *lm = tl->line = line_move_new(tl, request);
    if (!read_code(tl, lm, err)) {
        line_move_fini(tl);
        return false;
    }
    const struct cpu *cpu = tl->m->cpu[request->hart];
    uint64_t pc = cpu->ops->pc(cpu);
    line_code_follow(&lm->code);
    mark_lines(lm);
    choose_frame(tl, lm, pc);
    lm->ask.range = NULL;
    if (request->mode == LINE_FINISH && !lm->ask.cfa) {
        line_move_fini(tl);
        return error_set(err, ERROR_USAGE, "to leave the function backward its CFA is needed");
    }
    uint64_t floor = timeline_begin(tl);
    operation_begin(tl, (struct operation){.kind = OPERATION_LINE,
                                           .phase = PHASE_LINE,
                                           .hart = request->hart,
                                           .floor = floor,
                                           .report = NOTHING_REPORTED,
                                           .found = operation_stop(STOP_BEGIN, floor)});
    tl->op.scan_end = tl->op.start;
    if (pc == request->entry && !lm->code.entry_is_target)
        lm->entry = tl->op.start;
    else
        seek_remember_start(tl);
    lm->unsure = pc == request->entry && lm->code.entry_is_target;
    lm->unsure_sp = look(tl, request->hart, cpu->ops->stack_pointer);
    arm(tl, lm);
    run_leave_live(tl);
    return true;
}

/* ---- scanning ---- */

/* The end is known: land at `n`, and go from there one step of the hart further back? */
static void land(struct timeline *tl, uint64_t n, bool then_back)
{
    struct operation *op = &tl->op;
    op->found = (struct stop){.reason = STOP_DONE, .position = n, .hart = op->hart};
    op->then_back = then_back;
    seek_begin(tl, n);
}

/* Where a stop at the last hit of clients' points would be; 0: there is none. */
static uint64_t client_stop(const struct line_move *lm)
{
    const struct hit *hit = &lm->client.hit;
    if (!lm->client.any)
        return 0;
    return hit->kinds == HIT_EXECUTE ? hit->position : hit->position + 1;
}

/* A hit of clients' points at `n` or behind it is on the way. */
static bool client_stops(struct timeline *tl, const struct line_move *lm, uint64_t n)
{
    if (!lm->client.any || client_stop(lm) < n)
        return false;
    tl->seen = lm->client;
    search_decide_hit(tl);
    return true;
}

/* The activation began at the first instruction known of the line, or there is our `other` before
 * it: all is known. Points at the very place where the movement ends do not count. */
static void decide(struct timeline *tl, struct line_move *lm)
{
    bool over = lm->ask.mode == LINE_OVER && lm->other != POSITION_NONE;
    bool then_back = lm->ask.mode != LINE_START && !over;
    uint64_t to = lm->ask.mode == LINE_FINISH ? lm->entry : over ? lm->other : lm->first;
    if (!client_stops(tl, lm, to + !then_back))
        land(tl, to, then_back);
}

/* It is certain that ours begins at `first`. */
static void begins_here(struct timeline *tl, struct line_move *lm)
{
    forget(lm);
    lm->entry = lm->first;
    decide(tl, lm);
}

/* Has the hart made a step in the interval? */
static bool has_stepped(const struct timeline *tl)
{
    uint64_t last = tl->m->state.last_step[tl->op.hart];
    return last != POSITION_NONE && last >= tl->op.low;
}

/* What the interval has told. Intervals before are needed: false. */
static bool judge(struct timeline *tl, struct line_move *lm)
{
    bool finish = lm->ask.mode == LINE_FINISH;
    if (!lm->client.any)
        lm->client = tl->seen;
    if (lm->unsure && !has_stepped(tl))
        return client_stops(tl, lm, lm->first + 1);
    if (lm->unsure && !loops(&lm->before, lm->ask.entry, lm->unsure_sp)) {
        begins_here(tl, lm);
        return true;
    }
    lm->unsure = lm->entry_unsure && (finish || lm->other == POSITION_NONE);
    if (finish && lm->entry != POSITION_NONE)
        lm->first = lm->entry;
    else if (!finish && lm->start != POSITION_NONE)
        lm->first = lm->start;
    bool known = lm->entry != POSITION_NONE || (!finish && lm->other != POSITION_NONE);
    if (!known || lm->unsure)
        return client_stops(tl, lm, lm->first + 1);
    decide(tl, lm);
    return true;
}

/* As long as it is not sure whether the entry was branched to, the step before counts. */
static bool wants(struct timeline *tl, const struct entry *entry)
{
    return tl->line->unsure || history_may_hit(tl, entry);
}

static void begin_noting(struct timeline *tl)
{
    struct line_move *lm = tl->line;
    tl->seen.any = false;
    lm->before = (struct passed){0};
    lm->deeper = (struct deeper){0};
    forget(lm);
}

static void judge_interval(struct timeline *tl, uint64_t end)
{
    (void)end;
    judge(tl, tl->line);
}

static void exhausted(struct timeline *tl)
{
    if (tl->line->unsure)
        begins_here(tl, tl->line);
    else
        seek_begin(tl, tl->op.floor);
}

enum timeline_status line_advance(struct timeline *tl, struct stop *stop)
{
    static const struct scan scan = {
        .wants = wants, .begins = begin_noting, .ends = judge_interval, .exhausted = exhausted};
    const struct operation *op = &tl->op;
    struct line_move *lm = tl->line;
    bool known = !op->scanning && op->scan_end == op->start && lm->entry != POSITION_NONE;
    if (!known || tl->interrupted)
        return scan_advance(tl, &scan, stop);
    decide(tl, lm);
    return TIMELINE_RUNNING;
}
