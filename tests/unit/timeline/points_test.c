/* Points with owners, address spaces, conditions, changes and actions: random movements in both
 * directions, compared with a straight run that notes what every step sees and writes. */
#include "tests/unit/timeline/lore.h"
#include "tests/unit/timeline/model.h"

#include "base/check.h"
#include "timeline/agent.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdlib.h>

/* ---- points ---- */

/* What a point asks for beside its address; by its id. */
struct wish {
    bool in_space, changes, conditional;
    uint64_t space;
    uint8_t reg, divisor, rest; /* holds where x[reg] % divisor == rest */
};

struct walker {
    struct bench bench;
    struct model model;
    struct random random;
    const struct lore *lore;
    struct wish wish[4096];
    unsigned ids;
    struct buffer log, printed;
};

static bool bytes_change(const struct lore *l, const struct model_point *p, const struct access *a)
{
    const struct seen_access *seen = &l->access[a - l->t->access];
    if (!(a->kinds & HIT_WRITE) || !seen->ram)
        return a->kinds & HIT_WRITE;
    for (unsigned i = 0; i < a->size; i++)
        if (a->address + i - p->address < p->size && seen->before[i] != seen->after[i])
            return true;
    return false;
}

static bool wish_holds(void *ctx, const struct model_point *p, uint64_t step,
                       const struct access *a)
{
    const struct walker *w = ctx;
    const struct wish *wish = &w->wish[p->id];
    const struct lore *l = w->lore;
    if (wish->in_space && l->space[step] != wish->space)
        return false;
    if (wish->changes && a && !(a->kinds & p->kinds & HIT_READ) && !bytes_change(l, p, a))
        return false;
    return !wish->conditional || l->x[step][wish->reg] % wish->divisor == wish->rest;
}

static struct condition condition_of(const struct wish *w)
{
    const uint8_t code[] = {0x26, 0,       w->reg, 0x22, w->divisor, 0x08,
                            0x22, w->rest, 0x13,   0x16, 64,         0x27};
    const struct agent_code list = {code, sizeof code};
    return agent_condition(&list, 1, UINT32_MAX);
}

/* Prints its id and the position. */
static void act(void *ctx, const struct timeline *tl, const struct hit *hit, struct buffer *out)
{
    cr_assert_eq(hit->position, timeline_position(tl));
    buffer_printf(out, "%u %" PRIu64 "\n", *(unsigned *)ctx, hit->position);
}

static struct timeline_point point_of(const struct walker *w, const struct model_point *p)
{
    const struct wish *wish = &w->wish[p->id];
    struct timeline_point point = {.owner = (enum point_owner)p->owner,
                                   .kinds = p->kinds,
                                   .address = p->address,
                                   .size = p->size,
                                   .in_space = wish->in_space,
                                   .space = wish->space,
                                   .changes = wish->changes};
    if (wish->conditional)
        point.condition = condition_of(wish);
    if (p->acts) {
        unsigned *id = mem_new(1, sizeof *id);
        *id = p->id;
        point.action = (struct point_action){act, free, id};
    }
    return point;
}

static struct model_point some_point(struct walker *w)
{
    static const unsigned kinds[] = {HIT_READ, HIT_WRITE, HIT_WRITE, HIT_READ | HIT_WRITE};
    static const uint64_t sizes[] = {1, 2, 4, 8, 8, 13, 64, 5000};
    struct random *r = &w->random;
    const struct trace *t = w->model.t;
    struct wish *wish = &w->wish[w->ids];
    struct model_point p = {.kinds = HIT_EXECUTE, .id = w->ids++};
    uint64_t step = random_below(r, t->steps);
    p.address = t->step[step].pc;
    if (random_below(r, 2)) {
        size_t i = random_below(r, t->accesses);
        p.kinds = kinds[random_below(r, 4)];
        p.size = sizes[random_below(r, 8)];
        p.address = t->access[i].address + random_below(r, 8) - random_below(r, p.size);
        wish->changes = random_below(r, 2);
        if (p.address < GUEST_BASE && p.address + p.size > GUEST_BASE)
            p.size = GUEST_BASE - p.address;
    }
    p.owner = random_below(r, 3);
    p.acts = random_below(r, 4) == 0;
    wish->in_space = random_below(r, 4) == 0;
    wish->space = w->lore->space[random_below(r, 2) ? step : random_below(r, t->steps)];
    wish->conditional = random_below(r, 3) == 0;
    wish->reg = (uint8_t)random_below(r, 32);
    wish->divisor = (uint8_t)(1 + random_below(r, 5));
    /* Sometimes what that step has. */
    wish->rest = (uint8_t)(random_below(r, 2) ? w->lore->x[step][wish->reg] % wish->divisor
                                              : random_below(r, wish->divisor));
    return p;
}

static bool same(const struct walker *w, const struct model_point *a, const struct model_point *b)
{
    const struct wish *x = &w->wish[a->id], *y = &w->wish[b->id];
    return a->owner == b->owner && a->kinds == b->kinds && a->address == b->address &&
           a->size == b->size && x->in_space == y->in_space &&
           (!x->in_space || x->space == y->space);
}

static void forget(struct model *m, unsigned i)
{
    m->point[i] = m->point[--m->points];
}

static void change_points(struct walker *w)
{
    struct model *m = &w->model;
    struct timeline *tl = w->bench.tl;
    struct random *r = &w->random;
    model_points_changed(m);
    if (random_below(r, 30) == 0) {
        enum point_owner owner = (enum point_owner)random_below(r, 3);
        timeline_points_clear_of(tl, owner);
        for (unsigned i = m->points; i-- > 0;)
            if (m->point[i].owner == owner)
                forget(m, i);
    } else if (m->points && random_below(r, 2)) {
        unsigned i = random_below(r, m->points);
        struct timeline_point key = point_of(w, &m->point[i]);
        cr_assert(timeline_point_unset(tl, &key));
        cr_assert_not(timeline_point_unset(tl, &key));
        if (key.condition.free)
            key.condition.free(key.condition.ctx);
        if (key.action.free)
            key.action.free(key.action.ctx);
        forget(m, i);
    } else if (m->points < MODEL_POINTS && w->ids < sizeof w->wish / sizeof *w->wish) {
        struct model_point p = some_point(w);
        struct timeline_point point = point_of(w, &p);
        timeline_point_set(tl, &point);
        unsigned i = 0;
        while (i < m->points && !same(w, &m->point[i], &p))
            i++;
        m->points += i == m->points;
        m->point[i] = p;
        const struct wish *wish = &w->wish[p.id];
        buffer_printf(&w->log,
                      "set %u: kinds %u %#" PRIx64 " %" PRIu64 " owner %u acts %d space %d:%" PRIx64
                      " changes %d cond %d x%u %% %u == %u; ",
                      p.id, p.kinds, p.address, p.size, p.owner, p.acts, wish->in_space,
                      wish->space, wish->changes, wish->conditional, wish->reg, wish->divisor,
                      wish->rest);
    }
}

/* ---- movements ---- */

static void note_printed(void *ctx, const void *text, size_t size)
{
    buffer_append(ctx, text, size);
}

static int compare_lines(const void *a, const void *b)
{
    return memcmp(a, b, 2 * sizeof(uint64_t));
}

/* Lines as pairs of step and id, which have to come in the order of going. */
static size_t parse_printed(struct walker *w, bool back, uint64_t (*line)[2], uint64_t seed)
{
    size_t count = 0;
    const char *text = buffer_text(&w->printed);
    for (char *end; *text; text = end + 1) {
        line[count][1] = strtoull(text, &end, 10);
        line[count][0] = strtoull(end, &end, 10);
        cr_assert_eq(*end, '\n');
        if (count)
            cr_assert(back ? line[count][0] <= line[count - 1][0]
                           : line[count][0] >= line[count - 1][0],
                      "seed %lu: out of order: %s", seed, buffer_text(&w->log));
        count++;
    }
    return count;
}

/* Where a movement forward ends: has it come to a breakpoint's action? Before an interrupt, or
 * while all harts wait, it seems so too. */
static bool arrives(const struct walker *w, const struct model_point *p, uint64_t to)
{
    struct model_point q = *p;
    const struct trace *t = w->model.t;
    if (p->kinds != HIT_EXECUTE || to == t->steps)
        return false;
    const struct step *s = &t->step[to];
    if (s->interrupt || s->idle)
        return false;
    return model_hit(&w->model, &q, to);
}

/* Every action that the movement has come to has printed, once. */
static void check_printed(struct walker *w, uint64_t from, uint64_t to, uint64_t seed)
{
    struct model *m = &w->model;
    bool back = to < from;
    size_t most = w->printed.size / 3 + ((back ? from - to : to - from) + 1) * MODEL_POINTS + 1,
           want = 0;
    uint64_t(*got)[2] = mem_new(most, sizeof *got), (*expected)[2] = mem_new(most, sizeof *got);
    size_t count = parse_printed(w, back, got, seed);
    for (uint64_t n = back ? to : from; n < (back ? from : to); n++)
        for (unsigned i = 0; i < m->points; i++)
            if (m->point[i].acts && model_hit(m, &m->point[i], n) &&
                (back || n != from || m->point[i].kinds != HIT_EXECUTE)) {
                expected[want][0] = n;
                expected[want++][1] = m->point[i].id;
            }
    for (unsigned i = 0; !back && to > from && i < m->points; i++)
        if (m->point[i].acts && arrives(w, &m->point[i], to)) {
            expected[want][0] = to;
            expected[want++][1] = m->point[i].id;
        }
    /* Open: the step there is another one. */
    while (!back && count && got[count - 1][0] == to &&
           (to == m->t->steps || m->t->step[to].interrupt || m->t->step[to].idle))
        count--;
    qsort(got, count, sizeof *got, compare_lines);
    qsort(expected, want, sizeof *expected, compare_lines);
    cr_assert_eq(count, want, "seed %lu: %zu lines, %zu are right: %s", seed, count, want,
                 buffer_text(&w->log));
    for (size_t i = 0; i < want; i++)
        cr_assert(!memcmp(got[i], expected[i], sizeof *got),
                  "seed %lu: %" PRIu64 " at %" PRIu64 ", not %" PRIu64 " at %" PRIu64 ": %s", seed,
                  got[i][1], got[i][0], expected[i][1], expected[i][0], buffer_text(&w->log));
    free(got);
    free(expected);
}

/* A step with one access, or a breakpoint: all that hold there are named. */
static void check_owners(struct walker *w, const struct stop *stop, bool back, uint64_t seed)
{
    const struct model *m = &w->model;
    bool watch = stop->reason == STOP_WATCH;
    if (stop->reason != STOP_BREAK && !watch)
        return;
    uint64_t step = back && watch ? stop->position - 1 : stop->position;
    const struct step *s = &m->t->step[step];
    unsigned owners = 0;
    for (unsigned i = 0; i < m->points; i++)
        if (!m->point[i].acts && (m->point[i].kinds != HIT_EXECUTE) == watch &&
            model_hit(m, &m->point[i], step))
            owners |= 1u << m->point[i].owner;
    if (!watch || s[1].first_access - s->first_access == 1)
        cr_assert_eq(stop->owners, owners, "seed %lu: owners %#x, not %#x: %s", seed, stop->owners,
                     owners, buffer_text(&w->log));
}

static struct model_move some_move(struct walker *w)
{
    struct model *m = &w->model;
    struct random *r = &w->random;
    struct model_move move = {.op = (enum model_op)random_below(r, MODEL_OPS)};
    move.hart = random_below(r, m->t->harts);
    bool live = m->position == m->tip;
    if (live && move.op < OP_REVERSE_CONTINUE && random_below(r, 3))
        move.op = OP_REVERSE_CONTINUE + random_below(r, 3);
    if (move.op == OP_CONTINUE_TO && !live)
        move.op = OP_STEP;
    if (move.op == OP_CONTINUE && live && random_below(r, 8))
        move.op = OP_CONTINUE_TO;
    if (move.op == OP_CONTINUE_TO) {
        move.target = m->position + random_below(r, 300);
        if (move.target > m->t->steps)
            move.target = m->t->steps;
    }
    if (move.op == OP_SEEK)
        move.target = random_below(r, m->tip + 1);
    if (move.op == OP_RANGE) {
        uint64_t pc = m->t->pc[m->position * m->t->harts + move.hart];
        move.low = pc - random_below(r, 40);
        move.high = pc + random_below(r, 60);
    }
    return move;
}

static bool drive(struct walker *w, struct stop *stop)
{
    struct timeline *tl = w->bench.tl;
    if (random_below(&w->random, 3)) {
        timeline_finish(tl, stop);
        return false;
    }
    uint64_t after = random_below(&w->random, 2) ? random_below(&w->random, 20) : UINT64_MAX;
    for (uint64_t i = 0;; i++) {
        if (i == after)
            timeline_interrupt(tl);
        if (timeline_advance(tl, 1, stop) == TIMELINE_STOPPED)
            return after != UINT64_MAX;
    }
}

static void one_move(struct walker *w, uint64_t seed)
{
    struct model_move move = some_move(w);
    struct answers answers;
    struct stop stop;
    uint64_t from = w->model.position;
    buffer_clear(&w->printed);
    model_answers(&w->model, &move, &answers);
    model_describe(&w->model, &move, &answers, &w->log);
    model_begin_move(w->bench.tl, &move);
    bool interrupted = drive(w, &stop);
    buffer_printf(&w->log,
                  "; got reason %d at %" PRIu64 " hart %u kinds %u address %#" PRIx64 "%s\n",
                  stop.reason, stop.position, stop.hart, stop.kinds, stop.address,
                  interrupted ? " (interrupted)" : "");
    const char *wrong = model_take(&w->model, &move, &answers, &stop, interrupted);
    cr_assert_null(wrong, "seed %lu: %s: %s", seed, wrong, buffer_text(&w->log));
    bench_check(&w->bench, w->model.t, seed, buffer_text(&w->log));
    bool back = move.op == OP_REVERSE_CONTINUE || move.op == OP_REVERSE_STEP;
    check_owners(w, &stop, back, seed);
    if (move.op == OP_SEEK)
        cr_assert_eq(w->printed.size, 0);
    else if (stop.reason != STOP_INTERRUPT || !back)
        check_printed(w, from, stop.position, seed);
}

static void sequence(const struct lore *l, uint64_t seed, unsigned moves)
{
    static const uint64_t spacing[] = {64, 250, 1000, 5000, 1000000, 0};
    struct walker *w = mem_new(1, sizeof *w);
    w->lore = l;
    w->random.state = seed;
    w->model = (struct model){.t = l->t, .holds = wish_holds, .ctx = w};
    struct timeline_options o = {.warp = true,
                                 .spacing_steps = spacing[random_below(&w->random, 6)]};
    bench_init(&w->bench, l->t->guest, &o);
    timeline_print_to(w->bench.tl, note_printed, &w->printed);
    uint64_t first = random_below(&w->random, l->t->steps);
    bench_live(&w->bench, NULL, 0, first);
    w->model.position = w->model.tip = first;
    for (unsigned i = 0; i < moves; i++) {
        for (unsigned k = random_below(&w->random, 3); k > 0; k--)
            change_points(w);
        one_move(w, seed);
        if (w->log.size > 6000)
            buffer_consume(&w->log, w->log.size - 3000);
    }
    bench_fini(&w->bench);
    buffer_fini(&w->log);
    buffer_fini(&w->printed);
    free(w);
}

static void sequences(const struct guest *g, uint64_t cases)
{
    struct trace t;
    struct lore l;
    trace_record(&t, g, NULL, 0, 60000);
    lore_record(&l, &t);
    const char *only = getenv("BACKSTEP_SEED");
    for (uint64_t seed = 1; !only && seed <= bench_cases(cases); seed++)
        sequence(&l, seed, 60);
    if (only)
        sequence(&l, strtoull(only, NULL, 0), 60);
    lore_free(&l);
    trace_free(&t);
}

Test(points, one_hart)
{
    sequences(&(struct guest){.name = "storm", .rounds = 6, .period = 12}, 60);
}

Test(points, without_interrupts)
{
    sequences(&(struct guest){.name = "storm", .rounds = 12, .period = 0}, 60);
}

Test(points, three_harts)
{
    sequences(
        &(struct guest){
            .name = "harts", .rounds = 40, .period = 30, .option = 3, .harts = 3, .quantum = 37},
        60);
}

Test(points, one_hart_waiting)
{
    sequences(&(struct guest){.name = "harts", .rounds = 60, .period = 40, .option = 1}, 60);
}
