/* Back by source lines, compared with brute force: a straight run with a shadow stack of calls says
 * which steps belong to which activation; then each request is answered by walking its steps
 * backward one by one. */
#include "tests/unit/timeline/bench.h"
#include "timeline/line_move.h"

#include "base/check.h"
#include "base/endian.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const struct guest alone = {.name = "lines", .rounds = 3};
static const struct guest timer = {.name = "lines", .rounds = 2, .period = 37};
static const struct guest harts = {
    .name = "lines", .rounds = 2, .period = 61, .harts = 3, .quantum = 43};

struct function {
    const char *name;
    uint64_t low, high;
};

enum { ODD_FRAME = 48, FUNCTIONS = 15, DEPTH = 4096, NO_ACTIVATION = 0 };

static const char *const names[FUNCTIONS] = {"leaf", "depth",   "factorial", "fibonacci", "length",
                                             "sum",  "chosen",  "even",      "odd",       "pass_on",
                                             "walk", "through", "room",      "odd_frame", "work"};

/* One step of a hart. */
struct made {
    uint64_t pc, sp;
    unsigned hart;
    uint32_t activation; /* NO_ACTIVATION: an interrupt entry */
};

struct story {
    struct made *step;
    uint64_t steps;
    unsigned harts;
    uint32_t activations;
    struct function function[FUNCTIONS];
};

struct shadow {
    uint32_t id[DEPTH];
    unsigned depth;
};

static uint64_t get(const struct machine *m, unsigned hart, unsigned number)
{
    return m->cpu[hart]->ops->get_register(m->cpu[hart], number);
}

static const struct function *function_at(const struct story *s, uint64_t pc)
{
    for (unsigned i = 0; i < FUNCTIONS; i++)
        if (pc - s->function[i].low < s->function[i].high - s->function[i].low)
            return &s->function[i];
    return NULL;
}

static void find_functions(struct story *s, const struct guest *g)
{
    uint64_t begin[FUNCTIONS];
    for (unsigned i = 0; i < FUNCTIONS; i++)
        begin[i] = guest_symbol(g, names[i]);
    for (unsigned i = 0; i < FUNCTIONS; i++) {
        uint64_t end = guest_symbol(g, "bytes");
        for (unsigned k = 0; k < FUNCTIONS; k++)
            if (begin[k] > begin[i] && begin[k] < end)
                end = begin[k];
        s->function[i] = (struct function){names[i], begin[i], end};
    }
}

/* What a step has done to the hart's calls. */
static void follow(struct story *s, struct shadow *stack, const struct made *made,
                   const struct cpu_flow *flow, bool trap, uint64_t pc)
{
    uint64_t next = made->pc + flow->size;
    if (trap || flow->kind == CPU_FLOW_CALL) {
        cr_assert_lt(stack->depth + 1, DEPTH);
        stack->id[++stack->depth] = ++s->activations;
    } else if (flow->kind == CPU_FLOW_RETURN || flow->kind == CPU_FLOW_TRAP_RETURN) {
        stack->depth -= stack->depth > 0; /* the boot ROM jumps through t0 */
    } else if (pc != next && function_at(s, pc) != function_at(s, made->pc)) {
        stack->id[stack->depth] = ++s->activations;
    }
}

static void tell(struct story *s, const struct guest *g)
{
    struct riscv_virt *board = guest_new(g);
    struct machine *m = riscv_virt_machine(board);
    struct shadow *stack = mem_new(MACHINE_CPUS, sizeof *stack);
    uint64_t capacity = 0, handler = guest_symbol(g, "handler");
    *s = (struct story){.harts = m->config.cpus};
    find_functions(s, g);
    for (unsigned h = 0; h < s->harts; h++)
        stack[h].id[0] = ++s->activations;
    for (;; s->steps++) {
        if (s->steps == capacity) {
            capacity = 2 * capacity + 4096;
            s->step = mem_grow(s->step, capacity, sizeof *s->step);
        }
        unsigned hart = m->state.running;
        struct made *made = &s->step[s->steps];
        struct cpu_flow flow;
        uint8_t bytes[4];
        *made = (struct made){m->cpu[hart]->ops->pc(m->cpu[hart]), get(m, hart, 2), hart,
                              stack[hart].id[stack[hart].depth]};
        cr_assert(machine_peek(m, made->pc, bytes, sizeof bytes));
        m->cpu[hart]->ops->flow(bytes, &flow);
        if (machine_run(m, s->steps + 1) != MACHINE_LIMIT)
            break;
        uint64_t pc = m->cpu[hart]->ops->pc(m->cpu[hart]);
        bool trap = pc == handler && made->pc != handler;
        if (trap)
            made->activation = NO_ACTIVATION;
        follow(s, &stack[hart], made, &flow, trap, pc);
    }
    free(stack);
    riscv_virt_free(board);
}

/* ---- brute force ---- */

struct expected {
    bool begin;
    uint64_t position;
    bool hit;
};

struct asked {
    struct line_request r;
    struct line_range range[3];
    uint64_t from;
    uint64_t point; /* a breakpoint's address; 0: none */
};

static bool in_line(const struct asked *a, uint64_t pc)
{
    for (size_t i = 0; i < a->r.ranges; i++)
        if (pc - a->range[i].low < a->range[i].high - a->range[i].low)
            return true;
    return false;
}

/* The last step of this activation before `n`; UINT64_MAX: none. */
static uint64_t own_before(const struct story *s, uint64_t n, uint32_t activation)
{
    while (n-- > 0)
        if (s->step[n].activation == activation)
            return n;
    return UINT64_MAX;
}

static uint64_t step_before(const struct story *s, uint64_t n, unsigned hart)
{
    while (n-- > 0)
        if (s->step[n].hart == hart)
            return n;
    return UINT64_MAX;
}

/* The last execution of the breakpoint in [from, to); UINT64_MAX: none. */
static uint64_t hit_in(const struct story *s, const struct asked *a, uint64_t from, uint64_t to)
{
    while (a->point && to-- > from)
        if (s->step[to].pc == a->point && s->step[to].activation != NO_ACTIVATION)
            return to;
    return UINT64_MAX;
}

static struct expected answer(const struct story *s, const struct asked *a)
{
    uint64_t start = a->from, own;
    uint32_t activation = s->step[a->from].activation;
    while ((own = own_before(s, start, activation)) != UINT64_MAX &&
           (a->r.mode == LINE_FINISH || in_line(a, s->step[own].pc)))
        start = own;
    bool over = a->r.mode == LINE_OVER && own != UINT64_MAX;
    bool chained = a->r.mode != LINE_START && !over;
    uint64_t first = over ? own : start, end = first;
    uint64_t hit = hit_in(s, a, first + !chained, a->from);
    if (hit != UINT64_MAX)
        return (struct expected){false, hit, true};
    if (chained)
        end = step_before(s, first, a->r.hart);
    if (end == UINT64_MAX)
        return (struct expected){true, 0, false};
    hit = chained ? hit_in(s, a, end + 1, first) : UINT64_MAX;
    if (hit != UINT64_MAX)
        return (struct expected){false, hit, true};
    return (struct expected){false, end, false};
}

/* ---- asking ---- */

static uint64_t entry_sp(const struct story *s, uint64_t n)
{
    uint32_t activation = s->step[n].activation;
    uint64_t own = n;
    while ((own = own_before(s, own, activation)) != UINT64_MAX)
        n = own;
    return s->step[n].sp;
}

static bool ask(const struct story *s, struct random *random, uint64_t tip, struct asked *a)
{
    uint64_t n = random_below(random, tip);
    const struct made *made = &s->step[n];
    const struct function *f = function_at(s, made->pc);
    if (!f || made->activation == NO_ACTIVATION)
        return false;
    *a = (struct asked){.from = n};
    a->r = (struct line_request){.mode = (enum line_mode)random_below(random, 4),
                                 .hart = made->hart,
                                 .low = f->low,
                                 .high = f->high,
                                 .ranges = 1 + random_below(random, 2),
                                 .sp = made->sp,
                                 .entry = f->low,
                                 .cfa = entry_sp(s, n)};
    uint64_t most = random_below(random, 3) ? 12 : f->high - f->low;
    a->range[0].low = made->pc - 2 * random_below(random, most / 2);
    a->range[0].high = made->pc + 2 + 2 * random_below(random, most / 2);
    if (a->range[0].low < f->low)
        a->range[0].low = f->low;
    a->range[1].low = f->low + 2 * random_below(random, (f->high - f->low) / 2);
    a->range[1].high = a->range[1].low + 2 * random_below(random, 5);
    /* Without it, as a script may have to; the code tells, but for one function. */
    if (!strcmp(f->name, "odd_frame")) {
        if (made->sp != a->r.cfa - ODD_FRAME)
            return false;
    } else if (random_below(random, 4) == 0) {
        a->r.cfa = 0;
    }
    if (random_below(random, 4) == 0)
        a->point = s->step[random_below(random, s->steps)].pc;
    return true;
}

static void check_answer(struct bench *b, const struct story *s, struct asked *a, uint64_t seed)
{
    struct error err = ERROR_INIT;
    struct stop stop;
    bench_seek(b, a->from);
    cr_assert_eq(timeline_position(b->tl), a->from);
    /* Whose turn it is may be another hart's: its own next step is what the trace shows. */
    if (b->m->cpu[a->r.hart]->ops->pc(b->m->cpu[a->r.hart]) != s->step[a->from].pc)
        return;
    if (a->point)
        timeline_point_add(b->tl, HIT_EXECUTE, a->point, 0);
    a->r.range = a->range;
    struct expected e = answer(s, a);
    cr_assert(timeline_line_back(b->tl, &a->r, &err), "%s", err.message);
    timeline_finish(b->tl, &stop);
    timeline_points_clear(b->tl);
    cr_assert_eq(stop.position, timeline_position(b->tl));
    enum stop_reason reason = e.begin ? STOP_BEGIN : e.hit ? STOP_BREAK : STOP_DONE;
    cr_assert(stop.reason == reason && stop.position == e.position,
              "seed %lu: mode %d from %lu, pc %#lx [%#lx %#lx) [%#lx %#lx)x%zu of %s, sp %#lx cfa "
              "%#lx, break %#lx: reason %d at %lu, not %d at %lu",
              seed, (int)a->r.mode, a->from, s->step[a->from].pc, a->range[0].low, a->range[0].high,
              a->range[1].low, a->range[1].high, a->r.ranges,
              function_at(s, s->step[a->from].pc)->name, a->r.sp, a->r.cfa, a->point,
              (int)stop.reason, stop.position, (int)reason, e.position);
    if (reason == STOP_DONE)
        cr_assert_eq(stop.hart, a->r.hart);
}

static void ask_many(const struct guest *g, uint64_t cases)
{
    static const uint64_t spacing[] = {50, 400, 3000, 1000000};
    struct story s;
    tell(&s, g);
    for (uint64_t seed = 1; seed <= bench_cases(cases); seed++) {
        struct random random = {seed};
        struct timeline_options o = {.warp = true, .spacing_steps = spacing[seed % 4]};
        struct bench b;
        struct asked a;
        bench_init(&b, g, &o);
        bench_live(&b, NULL, 0, s.steps - random_below(&random, s.steps / 2));
        for (unsigned i = 0; i < 60; i++)
            if (ask(&s, &random, timeline_tip(b.tl), &a))
                check_answer(&b, &s, &a, seed);
        bench_fini(&b);
    }
    free(s.step);
}

Test(line_move, like_brute_force)
{
    ask_many(&alone, 24);
}

Test(line_move, under_interrupts)
{
    ask_many(&timer, 24);
}

Test(line_move, with_several_harts)
{
    ask_many(&harts, 24);
}

/* At the live end, in slices, and interrupted: back where it was. */
Test(line_move, interrupted)
{
    struct story s;
    struct bench b;
    struct stop stop;
    struct error err = ERROR_INIT;
    struct timeline_options o = {.warp = true, .spacing_steps = 300};
    tell(&s, &alone);
    bench_init(&b, &alone, &o);
    uint64_t pc = guest_symbol(&alone, "work"), last = s.steps - 1;
    while (function_at(&s, s.step[last].pc) != function_at(&s, pc))
        last--;
    bench_live(&b, NULL, 0, last);
    const struct function *work = function_at(&s, pc);
    const struct line_range all = {work->low, work->high};
    const struct line_request r = {.mode = LINE_FINISH,
                                   .low = work->low,
                                   .high = work->high,
                                   .range = &all,
                                   .ranges = 1,
                                   .sp = s.step[last].sp,
                                   .entry = work->low,
                                   .cfa = entry_sp(&s, last)};
    for (unsigned after = 0; after < 4; after++) {
        cr_assert(timeline_line_back(b.tl, &r, &err));
        for (unsigned i = 0; i < after && timeline_moving(b.tl); i++)
            timeline_advance(b.tl, 1, &stop);
        timeline_interrupt(b.tl);
        timeline_finish(b.tl, &stop);
        cr_assert_eq(stop.reason, STOP_INTERRUPT);
        cr_assert_eq(timeline_position(b.tl), last);
        cr_assert(timeline_live(b.tl));
    }
    cr_assert(timeline_line_back(b.tl, &r, &err));
    timeline_finish(b.tl, &stop);
    cr_assert_eq(stop.reason, STOP_DONE);
    cr_assert_eq(b.m->cpu[0]->ops->pc(b.m->cpu[0]), s.step[stop.position].pc);
    bench_fini(&b);
    free(s.step);
}

Test(line_move, refused)
{
    struct bench b;
    struct error err = ERROR_INIT;
    bench_init(&b, &alone, NULL);
    uint64_t pc = b.m->cpu[0]->ops->pc(b.m->cpu[0]);
    struct line_request r = {.mode = LINE_START, .hart = 1, .low = pc, .high = pc + 8};
    cr_assert_not(timeline_line_back(b.tl, &r, &err), "no such hart");
    r.hart = 0;
    r.high = pc;
    cr_assert_not(timeline_line_back(b.tl, &r, &err), "no size");
    r.high = pc + LINE_FUNCTION_MOST + 2;
    cr_assert_not(timeline_line_back(b.tl, &r, &err), "too large");
    r.low = pc + 4;
    r.high = pc + 8;
    cr_assert_not(timeline_line_back(b.tl, &r, &err), "not there");
    r.low = pc;
    r.entry = pc + 100;
    r.mode = LINE_FINISH;
    cr_assert_not(timeline_line_back(b.tl, &r, &err), "no CFA");
    cr_assert_not(timeline_moving(b.tl));
    bench_fini(&b);
}
