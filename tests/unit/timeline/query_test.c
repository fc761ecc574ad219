/* Questions about history against a straight run that has looked at every step. */
#include "tests/unit/timeline/bench.h"

#include "base/check.h"
#include "timeline/branches.h"
#include "timeline/compare.h"
#include "timeline/query.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct guest storm = {.name = "storm", .rounds = 4, .period = 6};
static const struct guest resets = {.name = "storm", .rounds = 1, .period = 15, .resets = 2};
static const struct guest harts = {
    .name = "harts", .rounds = 12, .period = 25, .option = 3, .harts = 3, .quantum = 29};

/* ---- what a straight run sees ---- */

enum { SEEN_BYTES = 16, GDB_A0 = 10 };

struct seen_hit {
    struct hit hit;
    uint64_t pc, a0, pa;
    bool in_ram;
    uint8_t before[SEEN_BYTES], after[SEEN_BYTES];
};

struct history_seen {
    struct trace trace;
    struct machine *m;
    struct seen_hit *hit; /* in order, without those of breakpoints */
    size_t count, capacity;
};

static bool look(const struct machine *m, uint64_t pa, void *bytes, unsigned size)
{
    return ram_contains(&m->ram, pa, size) && machine_peek(m, pa, bytes, size);
}

/* Images that a reset writes are long. */
static unsigned seen_size(const struct hit *hit)
{
    return hit->size < SEEN_BYTES ? hit->size : SEEN_BYTES;
}

static bool see(void *ctx, const struct hit *hit)
{
    struct history_seen *s = ctx;
    const struct cpu *cpu = s->m->cpu[hit->hart];
    if (s->count == s->capacity) {
        s->capacity = 2 * s->capacity + 1024;
        s->hit = mem_grow(s->hit, s->capacity, sizeof *s->hit);
    }
    struct seen_hit *seen = &s->hit[s->count++];
    *seen = (struct seen_hit){.hit = *hit,
                              .pc = cpu->ops->pc(cpu),
                              .a0 = cpu->ops->get_register(cpu, GDB_A0),
                              .pa = hit->address};
    bool known = (hit->kinds & HIT_PHYSICAL) ||
                 cpu->ops->translate(cpu, hit->address, CPU_READ, &seen->pa) ||
                 cpu->ops->translate(cpu, hit->address, CPU_WRITE, &seen->pa);
    seen->in_ram = known && look(s->m, seen->pa, seen->before, seen_size(hit));
    return false;
}

/* The bytes that its writes have left, of one step. */
static void see_after(struct history_seen *s, size_t first)
{
    for (size_t i = first; i < s->count; i++)
        if (s->hit[i].in_ram)
            look(s->m, s->hit[i].pa, s->hit[i].after, seen_size(&s->hit[i].hit));
}

static void output(void *ctx, unsigned channel, const uint8_t *bytes, size_t size)
{
    (void)ctx, (void)channel, (void)bytes, (void)size;
}

static uint64_t host_clock(void *ctx)
{
    return bench_clock(((struct history_seen *)ctx)->m);
}

static const struct door_ops door = {.host_clock = host_clock, .output = output};

static void history_see(struct history_seen *s, const struct guest *g)
{
    struct riscv_virt *board = guest_new(g);
    struct watch_range all = {0, UINT64_MAX, HIT_READ | HIT_WRITE};
    struct watch_range ram = {GUEST_BASE, GUEST_BYTES, HIT_WRITE};
    *s = (struct history_seen){.m = riscv_virt_machine(board)};
    trace_record(&s->trace, g, NULL, 0, 1000000);
    const struct points points = {.watch = &all,
                                  .watch_count = 1,
                                  .physical = &ram,
                                  .physical_count = 1,
                                  .traps = true,
                                  .hit = see,
                                  .ctx = s};
    s->m->door = (struct door){&door, s};
    machine_set_points(s->m, &points);
    while (machine_position(s->m) < s->trace.steps) {
        size_t first = s->count;
        enum machine_stop stop = machine_run(s->m, machine_position(s->m) + 1);
        if (stop == MACHINE_IDLE)
            machine_idle_until(s->m, machine_next_deadline(s->m));
        see_after(s, first);
    }
    machine_set_points(s->m, &(struct points){0});
    s->m = NULL;
    riscv_virt_free(board);
}

static void history_seen_free(struct history_seen *s)
{
    trace_free(&s->trace);
    free(s->hit);
}

/* ---- the brute-force answer ---- */

static bool touches(const struct timeline_point *p, const struct hit *hit)
{
    if (hit->kinds & HIT_TRAP || p->kinds == HIT_EXECUTE ||
        (p->kinds ^ hit->kinds) & HIT_PHYSICAL || !(p->kinds & hit->kinds & (HIT_READ | HIT_WRITE)))
        return false;
    return hit->address + hit->size > p->address && p->address + p->size > hit->address;
}

static bool wanted(const struct query *q, const struct seen_hit *seen)
{
    if (q->hart != MACHINE_CPUS && q->hart != seen->hit.hart)
        return false;
    bool any = q->traps && (seen->hit.kinds & HIT_TRAP);
    for (size_t i = 0; i < q->points && !any; i++) {
        const struct timeline_point *p = &q->point[i];
        any = seen->hit.kinds == HIT_EXECUTE
                  ? p->kinds == HIT_EXECUTE && p->address == seen->hit.address
                  : touches(p, &seen->hit);
        if (p->changes && any && seen->in_ram && seen->hit.kinds & HIT_WRITE) {
            bool changed = false;
            for (unsigned b = 0; b < seen_size(&seen->hit); b++)
                changed |= seen->before[b] != seen->after[b] &&
                           seen->hit.address + b - p->address < p->size;
            any = changed;
        }
    }
    return any;
}

/* All that a query should find in [from, to), newest first. */
struct expected {
    struct seen_hit *hit;
    size_t count;
};

static struct expected expect(const struct history_seen *s, const struct query *q, uint64_t from,
                              uint64_t to)
{
    const struct trace *t = &s->trace;
    struct expected e = {mem_new(s->count + t->steps + 1, sizeof *e.hit), 0};
    size_t next = s->count;
    for (uint64_t n = t->steps; n-- > 0;) {
        for (; next > 0 && s->hit[next - 1].hit.position == n; next--)
            if (n >= from && n < to && wanted(q, &s->hit[next - 1]))
                e.hit[e.count++] = s->hit[next - 1];
        const struct step *step = &t->step[n];
        const struct seen_hit run = {
            .hit = {.kinds = HIT_EXECUTE, .hart = step->hart, .position = n, .address = step->pc},
            .pc = step->pc};
        if (!step->interrupt && n >= from && n < to && wanted(q, &run))
            e.hit[e.count++] = run;
    }
    return e;
}

static void check_hit(const struct query_hit *h, const struct seen_hit *e, uint64_t seed)
{
    cr_assert_eq(h->hit.position, e->hit.position, "seed %lu: %lu, not %lu", seed, h->hit.position,
                 e->hit.position);
    cr_assert_eq(h->hit.kinds, e->hit.kinds, "seed %lu", seed);
    cr_assert_eq(h->hit.hart, e->hit.hart, "seed %lu", seed);
    cr_assert_eq(h->pc, e->pc, "seed %lu: at %lu pc %lx, not %lx", seed, h->hit.position, h->pc,
                 e->pc);
    cr_assert_null(h->hit.after);
    if (e->hit.kinds & HIT_TRAP) {
        cr_assert_eq(h->hit.cause, e->hit.cause, "seed %lu", seed);
        return;
    }
    cr_assert_eq(h->hit.address, e->hit.address, "seed %lu", seed);
    if (e->hit.kinds == HIT_EXECUTE)
        return;
    cr_assert_eq(h->value[0], e->a0, "seed %lu", seed);
    cr_assert_eq(h->hit.size, e->hit.size, "seed %lu", seed);
    if (!(e->hit.kinds & HIT_WRITE) || !e->in_ram)
        return;
    cr_assert_eq(h->size, seen_size(&e->hit), "seed %lu", seed);
    cr_assert(h->before_known, "seed %lu: at %lu", seed, h->hit.position);
    cr_assert_arr_eq(h->before, e->before, h->size, "seed %lu: at %lu", seed, h->hit.position);
    if (h->after_known)
        cr_assert_arr_eq(h->after, e->after, h->size, "seed %lu: at %lu", seed, h->hit.position);
    else
        cr_assert_eq(h->hit.kinds & HIT_PHYSICAL, HIT_PHYSICAL, "seed %lu: at %lu", seed,
                     h->hit.position);
}

static void check_answer(const struct bench *b, const struct history_seen *s, const struct query *q,
                         uint64_t seed)
{
    bool complete;
    uint64_t count = timeline_query_count(b->tl, &complete);
    uint64_t searched = timeline_query_searched(b->tl);
    uint64_t to = q->to < timeline_tip(b->tl) ? q->to : timeline_tip(b->tl);
    uint64_t from = q->from < to ? q->from : to;
    cr_assert_eq(complete, searched <= from, "seed %lu", seed);
    struct expected e = expect(s, q, searched > from ? searched : from, to);
    cr_assert_eq(count, e.count, "seed %lu: %lu hits, not %lu", seed, count, e.count);
    size_t i = 0;
    for (const struct query_hit *h; (h = timeline_query_hit(b->tl, i)); i++) {
        cr_assert_lt(i, e.count, "seed %lu", seed);
        check_hit(h, &e.hit[i], seed);
    }
    cr_assert_eq(i, e.count < q->most ? e.count : q->most, "seed %lu", seed);
    free(e.hit);
}

/* ---- random questions ---- */

/* Mostly something that happens: a pc, or an address used, of the trace. */
static struct timeline_point random_point(const struct history_seen *s, struct random *random)
{
    static const unsigned kinds[] = {HIT_EXECUTE, HIT_READ, HIT_WRITE, HIT_READ | HIT_WRITE,
                                     HIT_WRITE | HIT_PHYSICAL};
    const struct trace *t = &s->trace;
    struct timeline_point p = {.kinds = kinds[random_below(random, 5)]};
    if (p.kinds == HIT_EXECUTE) {
        p.address = t->step[random_below(random, t->steps)].pc;
        return p;
    }
    p.address = t->access[random_below(random, t->accesses)].address;
    if (p.kinds & HIT_PHYSICAL)
        p.address = GUEST_BASE + random_below(random, GUEST_BYTES);
    if (random_below(random, 3) == 0)
        p.address -= random_below(random, 20);
    p.size = 1 + random_below(random, random_below(random, 4) ? 16 : 5000);
    p.changes = p.kinds == HIT_WRITE && random_below(random, 4) == 0;
    return p;
}

static struct query random_query(const struct history_seen *s, const struct bench *b,
                                 struct timeline_point point[QUERY_POINTS], struct random *random)
{
    uint64_t tip = timeline_tip(b->tl);
    struct query q = {.point = point,
                      .points = random_below(random, 4),
                      .traps = random_below(random, 5) == 0,
                      .to = UINT64_MAX,
                      .most = 1 + random_below(random, random_below(random, 2) ? 5 : 3000),
                      .hart = MACHINE_CPUS,
                      .reg = {GDB_A0},
                      .regs = 1};
    for (size_t i = 0; i < q.points; i++)
        point[i] = random_point(s, random);
    if (random_below(random, 2))
        q.to = timeline_position(b->tl);
    if (random_below(random, 3) == 0) {
        q.from = random_below(random, tip + 1);
        q.to = random_below(random, tip + 100);
    }
    if (s->trace.harts > 1 && random_below(random, 4) == 0)
        q.hart = (unsigned)random_below(random, s->trace.harts);
    return q;
}

/* Ask, perhaps interrupted, and be where we were. */
static void ask(struct bench *b, const struct history_seen *s, struct random *random, uint64_t seed)
{
    struct timeline_point point[QUERY_POINTS];
    struct query q = random_query(s, b, point, random);
    uint64_t here = timeline_position(b->tl), turns = UINT64_MAX, digest = bench_digest(b->m);
    bool live = timeline_live(b->tl);
    struct stop stop = {.reason = STOP_DONE};
    if (random_below(random, 4) == 0)
        turns = random_below(random, 6);
    timeline_query(b->tl, &q);
    uint64_t done, total, last = 0;
    enum timeline_status status;
    while ((status = timeline_advance(b->tl, 0, &stop)) == TIMELINE_RUNNING) {
        timeline_progress(b->tl, &done, &total);
        last = done > last ? done : last;
        if (turns-- == 0)
            timeline_interrupt(b->tl);
    }
    cr_assert_eq(status, TIMELINE_STOPPED);
    cr_assert(stop.reason == STOP_DONE || stop.reason == STOP_INTERRUPT, "seed %lu: reason %d: %s",
              seed, stop.reason, stop.text);
    cr_assert_eq(timeline_position(b->tl), here, "seed %lu", seed);
    cr_assert_eq(stop.position, here, "seed %lu", seed);
    cr_assert_eq(timeline_live(b->tl), live, "seed %lu", seed);
    cr_assert_eq(bench_digest(b->m), digest, "seed %lu: another state", seed);
    bench_check(b, &s->trace, seed, "after a query");
    check_answer(b, s, &q, seed);
    if (stop.reason == STOP_DONE) {
        bool complete;
        timeline_query_count(b->tl, &complete);
        cr_assert(complete || timeline_query_hit(b->tl, q.most - 1), "seed %lu", seed);
    }
}

static struct timeline_options random_options(struct random *random)
{
    static const uint64_t spacing[] = {150, 700, 3000, 1000000};
    return (struct timeline_options){.warp = true,
                                     .spacing_steps = spacing[random_below(random, 4)]};
}

static void move(struct bench *b, struct random *random)
{
    struct stop stop;
    uint64_t tip = timeline_tip(b->tl);
    switch (random_below(random, 4)) {
    case 0:
        bench_seek(b, random_below(random, tip + 1));
        break;
    case 1:
        bench_seek(b, tip);
        break;
    case 2:
        timeline_reverse_step(b->tl, (unsigned)random_below(random, b->m->config.cpus));
        timeline_finish(b->tl, &stop);
        break;
    default:
        break;
    }
}

static void queries(const struct guest *g, uint64_t cases)
{
    struct history_seen s;
    history_see(&s, g);
    cr_assert_gt(s.count, 1000);
    for (uint64_t seed = 1; seed <= bench_cases(cases); seed++) {
        struct random random = {seed};
        struct timeline_options o = random_options(&random);
        struct bench b;
        bench_init(&b, g, &o);
        bench_live(&b, NULL, 0, 1 + random_below(&random, s.trace.steps - 1));
        for (unsigned i = 0; i < 6; i++) {
            move(&b, &random);
            ask(&b, &s, &random, seed);
        }
        bench_seek(&b, timeline_tip(b.tl));
        bench_live(&b, NULL, 0, UINT64_MAX);
        ask(&b, &s, &random, seed);
        bench_check(&b, &s.trace, seed, "the end");
        cr_assert_eq(bench_ram_digest(b.m), s.trace.ram_digest, "seed %lu", seed);
        bench_fini(&b);
    }
    history_seen_free(&s);
}

Test(query, one_hart)
{
    queries(&storm, 25);
}

Test(query, over_resets)
{
    queries(&resets, 15);
}

Test(query, three_harts)
{
    queries(&harts, 25);
}

Test(query, from_a_recording)
{
    struct history_seen s;
    history_see(&s, &storm);
    for (uint64_t seed = 1; seed <= bench_cases(6); seed++) {
        struct random random = {seed + 1000};
        struct timeline_options o = random_options(&random);
        struct error err = ERROR_INIT;
        struct bench b;
        char *path = bench_path();
        bench_init(&b, &storm, &o);
        bench_live(&b, NULL, 0, 1 + random_below(&random, s.trace.steps - 1));
        cr_assert(timeline_save(b.tl, path, &bench_content, 0, timeline_tip(b.tl), &err), "%s",
                  err.message);
        bench_reopen(&b, &storm, path);
        for (unsigned i = 0; i < 6; i++) {
            ask(&b, &s, &random, seed);
            move(&b, &random);
        }
        bench_fini(&b);
        unlink(path);
        free(path);
    }
    history_seen_free(&s);
}

/* ---- single things ---- */

static struct stop run_query(struct bench *b, const struct query *q)
{
    struct stop stop;
    timeline_query(b->tl, q);
    timeline_finish(b->tl, &stop);
    return stop;
}

/* A page that is never touched is not looked for: no interval is replayed. */
Test(query, summaries_spare_replays)
{
    struct bench b;
    const struct timeline_options o = {.warp = true, .spacing_steps = 500};
    const struct timeline_point nowhere = {.kinds = HIT_WRITE, .address = 0x900000000, .size = 8};
    const struct query q = {
        .point = &nowhere, .points = 1, .to = UINT64_MAX, .most = 5, .hart = MACHINE_CPUS};
    bench_init(&b, &storm, &o);
    bench_live(&b, NULL, 0, 4000);
    struct stop stop;
    unsigned turns = 0;
    timeline_query(b.tl, &q);
    while (timeline_advance(b.tl, 0, &stop) == TIMELINE_RUNNING)
        turns++;
    bool complete;
    cr_assert_eq(timeline_query_count(b.tl, &complete), 0);
    cr_assert(complete);
    cr_assert_lt(turns, 4, "eight intervals were not replayed");
    bench_fini(&b);
}

Test(query, a_limit_of_steps)
{
    struct bench b;
    const struct timeline_options o = {.warp = true, .spacing_steps = 500};
    const struct query q = {
        .traps = true, .to = UINT64_MAX, .most = 5000, .hart = MACHINE_CPUS, .steps = 900};
    bench_init(&b, &storm, &o);
    bench_live(&b, NULL, 0, 4000);
    cr_assert_eq(run_query(&b, &q).reason, STOP_DONE);
    bool complete;
    timeline_query_count(b.tl, &complete);
    cr_assert_not(complete);
    cr_assert_eq(timeline_query_searched(b.tl), 3000);
    bench_fini(&b);
}

static bool every_third(void *ctx, const struct timeline *tl, const struct hit *hit)
{
    struct bench *b = ctx;
    cr_assert_eq(tl, b->tl);
    cr_assert_eq(timeline_position(tl), hit->position, "it stands before the step");
    return hit->position % 3 == 0;
}

Test(query, a_condition)
{
    struct bench b;
    struct history_seen s;
    const struct timeline_options o = {.warp = true, .spacing_steps = 500};
    history_see(&s, &storm);
    bench_init(&b, &storm, &o);
    bench_live(&b, NULL, 0, 4000);
    const struct timeline_point plain = {
        .kinds = HIT_READ | HIT_WRITE, .address = GUEST_BASE, .size = GUEST_BYTES};
    struct timeline_point point = plain;
    point.condition = (struct condition){.holds = every_third, .ctx = &b};
    struct query q = {
        .point = &point, .points = 1, .to = UINT64_MAX, .most = 5000, .hart = MACHINE_CPUS};
    cr_assert_eq(run_query(&b, &q).reason, STOP_DONE);
    q.point = &plain;
    struct expected e = expect(&s, &q, 0, 4000);
    size_t found = 0;
    for (size_t i = 0; i < e.count; i++) {
        if (e.hit[i].hit.position % 3 != 0)
            continue;
        const struct query_hit *h = timeline_query_hit(b.tl, found++);
        cr_assert(h);
        cr_assert_eq(h->hit.position, e.hit[i].hit.position);
        cr_assert_eq(h->hit.address, e.hit[i].hit.address);
    }
    cr_assert_gt(found, 50);
    cr_assert_null(timeline_query_hit(b.tl, found));
    free(e.hit);
    history_seen_free(&s);
    bench_fini(&b);
}

/* An empty range, at the beginning, and before anything has run. */
Test(query, nothing_to_look_at)
{
    struct bench b;
    bool complete;
    const struct query q = {.traps = true, .to = UINT64_MAX, .most = 1, .hart = MACHINE_CPUS};
    bench_init(&b, &storm, NULL);
    cr_assert_null(timeline_query_hit(b.tl, 0));
    cr_assert_eq(run_query(&b, &q).reason, STOP_DONE);
    cr_assert_eq(timeline_query_count(b.tl, &complete), 0);
    cr_assert(complete);
    cr_assert(timeline_live(b.tl));
    bench_live(&b, NULL, 0, 1000);
    bench_seek(&b, 0);
    const struct query back = {.traps = true, .from = 500, .to = 400, .most = 1, .hart = 0};
    cr_assert_eq(run_query(&b, &back).reason, STOP_DONE);
    cr_assert_eq(timeline_query_count(b.tl, &complete), 0);
    cr_assert(complete);
    cr_assert_eq(timeline_position(b.tl), 0);
    bench_fini(&b);
}

static void compare_begin(struct bench *b, uint64_t x, uint64_t y)
{
    struct error err = ERROR_INIT;
    const struct compared_place first = {NULL, x}, second = {BRANCH_MAIN, y};
    cr_assert(timeline_compare(b->tl, &first, &second, &err), "%s", err.message);
}

/* A stop goes on to have been reported, and points stay set. */
Test(query, a_stop_stays_reported)
{
    struct bench b;
    struct stop first, again, next;
    struct trace t;
    trace_record(&t, &storm, NULL, 0, 1000000);
    uint64_t address = 0;
    for (size_t i = 0; i < t.accesses && !address; i++)
        if (t.access[i].kinds == HIT_WRITE && t.access[i].address > GUEST_BASE)
            address = t.access[i].address;
    bench_init(&b, &storm, NULL);
    bench_live(&b, NULL, 0, 5000);
    bench_seek(&b, 0);
    timeline_point_add(b.tl, HIT_WRITE, address, 8);
    timeline_continue(b.tl);
    timeline_finish(b.tl, &first);
    cr_assert_eq(first.reason, STOP_WATCH);
    timeline_continue(b.tl);
    timeline_finish(b.tl, &next);
    bench_seek(&b, 0);
    timeline_continue(b.tl);
    timeline_finish(b.tl, &again);
    cr_assert_eq(again.position, first.position);
    const struct timeline_point point = {.kinds = HIT_WRITE, .address = address, .size = 8};
    const struct query q = {
        .point = &point, .points = 1, .to = UINT64_MAX, .most = 100, .hart = MACHINE_CPUS};
    cr_assert_eq(run_query(&b, &q).reason, STOP_DONE);
    timeline_query(b.tl, &q);
    timeline_interrupt(b.tl);
    timeline_finish(b.tl, &again);
    cr_assert_eq(again.reason, STOP_INTERRUPT);
    compare_begin(&b, 0, 5000);
    timeline_finish(b.tl, &again);
    cr_assert_eq(again.reason, STOP_DONE);
    timeline_continue(b.tl);
    timeline_finish(b.tl, &again);
    cr_assert_eq(again.reason, next.reason);
    cr_assert_eq(again.position, next.position);
    cr_assert_gt(next.position, first.position);
    bench_fini(&b);
    trace_free(&t);
}

/* What a debugger writes at the live end lies between two intervals, and is found once. */
Test(query, a_debuggers_write)
{
    struct bench b;
    struct error err = ERROR_INIT;
    const uint64_t address = GUEST_BASE + GUEST_BYTES + 64, first = 0x1122334455667788, second = 7;
    const struct timeline_options o = {.warp = true, .spacing_steps = 500};
    const struct timeline_point point = {
        .kinds = HIT_WRITE | HIT_PHYSICAL, .address = address, .size = 8};
    const struct query q = {
        .point = &point, .points = 1, .to = UINT64_MAX, .most = 9, .hart = MACHINE_CPUS};
    bool complete;
    bench_init(&b, &storm, &o);
    bench_live(&b, NULL, 0, 800);
    cr_assert_eq(run_query(&b, &q).reason, STOP_DONE);
    cr_assert_eq(timeline_query_count(b.tl, &complete), 0);
    cr_assert(timeline_write_physical(b.tl, address, &first, 8, &err), "%s", err.message);
    cr_assert_eq(run_query(&b, &q).reason, STOP_DONE);
    cr_assert_eq(timeline_query_count(b.tl, &complete), 1);
    cr_assert(timeline_write_physical(b.tl, address, &second, 8, &err), "%s", err.message);
    for (unsigned i = 0; i < 3; i++) {
        cr_assert_eq(run_query(&b, &q).reason, STOP_DONE);
        cr_assert_eq(timeline_query_count(b.tl, &complete), 2, "%u", i);
        const struct query_hit *newest = timeline_query_hit(b.tl, 0);
        cr_assert_eq(newest->hit.writer, WRITTEN_BY_DEBUGGER);
        cr_assert_eq(newest->hit.position + 1, 800);
        cr_assert_arr_eq(newest->before, &first, 8);
        cr_assert_arr_eq(newest->after, &second, 8);
        bench_seek(&b, timeline_tip(b.tl));
        bench_live(&b, NULL, 0, 1000 + 400 * i);
    }
    bench_fini(&b);
}

/* ---- comparing ---- */

static uint8_t *ram_copy(const struct bench *b)
{
    uint8_t *copy = mem_new(GUEST_BYTES, 1);
    memcpy(copy, ram_at(&b->m->ram, GUEST_BASE), GUEST_BYTES);
    return copy;
}

static bool in_ranges(const struct comparison *d, uint64_t address)
{
    for (size_t i = 0; i < d->ranges; i++)
        if (!d->range[i].where[0] && address - d->range[i].address < d->range[i].size)
            return true;
    return false;
}

/* Each byte that differs is in a range, and each range begins and ends with one. */
static void check_memory(const struct comparison *d, const uint8_t *a, const uint8_t *b,
                         uint64_t seed)
{
    for (uint64_t i = 0; i < GUEST_BYTES && !d->truncated; i++)
        if (a[i] != b[i])
            cr_assert(in_ranges(d, GUEST_BASE + i), "seed %lu: %lx", seed, GUEST_BASE + i);
    for (size_t i = 0; i < d->ranges; i++) {
        const struct compared_range *r = &d->range[i];
        uint64_t at = r->address - GUEST_BASE;
        if (r->where[0] || at + r->size > GUEST_BYTES)
            continue;
        cr_assert_neq(a[at], b[at], "seed %lu", seed);
        cr_assert_neq(a[at + r->size - 1], b[at + r->size - 1], "seed %lu", seed);
        size_t size = r->size < COMPARED_BYTES ? r->size : COMPARED_BYTES;
        cr_assert_arr_eq(r->a, a + at, size, "seed %lu", seed);
        cr_assert_arr_eq(r->b, b + at, size, "seed %lu", seed);
    }
}

static void check_registers(const struct comparison *d, const struct trace *t, uint64_t seed)
{
    for (unsigned h = 0; h < t->harts; h++) {
        uint64_t a = t->pc[d->a * t->harts + h], b = t->pc[d->b * t->harts + h];
        bool found = false;
        for (size_t i = 0; i < d->regs; i++) {
            const struct compared_register *r = &d->reg[i];
            cr_assert_neq(r->a, r->b, "seed %lu: %s", seed, r->name);
            if (r->hart != h || strcmp(r->name, "pc") != 0)
                continue;
            cr_assert_eq(r->a, a, "seed %lu", seed);
            cr_assert_eq(r->b, b, "seed %lu", seed);
            found = true;
        }
        cr_assert_eq(found, a != b, "seed %lu: hart %u", seed, h);
    }
}

static void compare_once(struct bench *b, const struct trace *t, struct random *random,
                         uint64_t seed)
{
    struct stop stop;
    uint64_t tip = timeline_tip(b->tl), here, x = random_below(random, tip + 1);
    uint64_t y = random_below(random, 4) ? random_below(random, tip + 1) : x;
    bench_seek(b, x);
    uint8_t *at_x = ram_copy(b);
    bench_seek(b, y);
    uint8_t *at_y = ram_copy(b);
    bench_seek(b, random_below(random, 2) ? tip : random_below(random, tip));
    here = timeline_position(b->tl);
    bool live = timeline_live(b->tl), interrupted = random_below(random, 4) == 0;
    compare_begin(b, x, y);
    if (interrupted) {
        while (random_below(random, 3) && timeline_moving(b->tl))
            timeline_advance(b->tl, 0, &stop);
        if (timeline_moving(b->tl))
            timeline_interrupt(b->tl);
    }
    if (timeline_moving(b->tl))
        timeline_finish(b->tl, &stop);
    cr_assert_eq(stop.position, here, "seed %lu", seed);
    cr_assert_eq(timeline_live(b->tl), live, "seed %lu", seed);
    bench_check(b, t, seed, "after comparing");
    const struct comparison *d = timeline_comparison(b->tl);
    cr_assert(d || stop.reason == STOP_INTERRUPT, "seed %lu: reason %d", seed, stop.reason);
    if (d) {
        cr_assert_eq(d->a, x);
        cr_assert_eq(d->b, y);
        check_memory(d, at_x, at_y, seed);
        check_registers(d, t, seed);
        if (x == y)
            cr_assert_eq(d->regs + d->ranges + d->fields, 0, "seed %lu", seed);
    }
    free(at_x);
    free(at_y);
}

static void comparisons(const struct guest *g, uint64_t cases)
{
    struct trace t;
    trace_record(&t, g, NULL, 0, 1000000);
    for (uint64_t seed = 1; seed <= bench_cases(cases); seed++) {
        struct random random = {seed};
        struct timeline_options o = random_options(&random);
        struct bench b;
        bench_init(&b, g, &o);
        bench_live(&b, NULL, 0, 1 + random_below(&random, t.steps));
        for (unsigned i = 0; i < 6; i++)
            compare_once(&b, &t, &random, seed);
        bench_seek(&b, timeline_tip(b.tl));
        bench_live(&b, NULL, 0, UINT64_MAX);
        bench_check(&b, &t, seed, "the end");
        bench_fini(&b);
    }
    trace_free(&t);
}

/* Of another branch, from a diversion, which stays. */
Test(query, compares_branches)
{
    struct bench b;
    struct error err = ERROR_INIT;
    struct stop stop;
    struct branch_info now;
    struct trace t;
    const uint64_t address = GUEST_BASE + GUEST_BYTES + 64, word = 0x1122334455667788;
    const struct timeline_options o = {.warp = true, .spacing_steps = 500};
    trace_record(&t, &storm, NULL, 0, 1000000);
    bench_init(&b, &storm, &o);
    bench_live(&b, NULL, 0, 3000);
    bench_seek(&b, 1200);
    cr_assert(timeline_write_physical(b.tl, address, &word, 8, &err), "%s", err.message);
    cr_assert(timeline_branch(b.tl, "other", &err), "%s", err.message);
    timeline_continue_to(b.tl, 1500);
    timeline_finish(b.tl, &stop);
    cr_assert_eq(stop.position, 1500);
    for (unsigned i = 0; i < 3; i++) {
        bool live = timeline_live(b.tl);
        uint64_t here = timeline_position(b.tl), digest = bench_digest(b.m);
        const struct compared_place x = {"other", 1500}, y = {"main", 1500};
        cr_assert(timeline_compare(b.tl, &x, &y, &err), "%s", err.message);
        if (i == 1) {
            timeline_advance(b.tl, 0, &stop);
            timeline_interrupt(b.tl);
        }
        timeline_finish(b.tl, &stop);
        cr_assert_eq(stop.reason, i == 1 ? STOP_INTERRUPT : STOP_DONE, "%u: %s", i, stop.text);
        timeline_branch_now(b.tl, &now);
        cr_assert_str_eq(now.name, i < 2 ? "other" : "main");
        cr_assert_eq(timeline_live(b.tl), live, "%u", i);
        cr_assert_eq(timeline_position(b.tl), here);
        cr_assert_eq(bench_digest(b.m), digest);
        const struct comparison *d = timeline_comparison(b.tl);
        if (i == 0)
            bench_seek(&b, 1300);
        if (i == 1) {
            cr_assert_null(d);
            cr_assert(timeline_switch(b.tl, "main", &err), "%s", err.message);
            timeline_finish(b.tl, &stop);
            continue;
        }
        cr_assert_eq(d->ranges, 1, "%u: %zu ranges", i, d->ranges);
        cr_assert_eq(d->range[0].address, address);
        cr_assert_eq(d->range[0].size, 8);
        cr_assert_arr_eq(d->range[0].a, &word, 8);
        cr_assert_eq(d->regs, 0);
    }
    const struct compared_place none = {"nowhere", 1};
    cr_assert_not(timeline_compare(b.tl, &none, &none, &err));
    bench_seek(&b, timeline_tip(b.tl));
    bench_live(&b, NULL, 0, UINT64_MAX);
    bench_check(&b, &t, 0, "main is as it was");
    bench_fini(&b);
    trace_free(&t);
}

Test(query, compares_one_hart)
{
    comparisons(&storm, 6);
}

Test(query, compares_three_harts)
{
    comparisons(&harts, 6);
}
