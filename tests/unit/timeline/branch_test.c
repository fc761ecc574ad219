/* Other futures: each is what a run would have been that was changed there, and none leaves a trace
 * in another. */
#include "tests/unit/timeline/bench.h"

#include "timeline/bookmarks.h"
#include "timeline/branches.h"
#include "timeline/transcript.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct guest storm = {.name = "storm", .rounds = 4, .period = 6};
static const struct guest harts = {
    .name = "harts", .rounds = 24, .period = 25, .option = 3, .harts = 3, .quantum = 29};

enum { REG_RA = 1, REG_SP = 2, REG_T0 = 5, REG_A0 = 10, REG_PC = 32 };
enum { FUTURES = 6, LENGTH = 900, NOTES = 40 };

/* A change of a register or a word of memory, at a position. */
struct change {
    uint64_t position;
    unsigned hart, number; /* number 0: memory */
    uint64_t address, value;
};

struct note {
    uint64_t position, digest;
};

/* A branch as it has to be. */
struct future {
    char name[BRANCH_NAME];
    int parent; /* index; -1: main */
    uint64_t origin, tip;
    struct change change;
    struct note note[NOTES];
    unsigned notes;
};

struct world {
    const struct guest *guest;
    struct trace trace;
    struct bench b;
    struct random random;
    struct future future[FUTURES];
    int count, now; /* now: index, -1: main */
    uint64_t seed;
    unsigned common, own; /* places looked at: before an origin, and behind it */
};

static void finish(struct bench *b, struct stop *stop)
{
    timeline_finish(b->tl, stop);
    cr_assert_neq(stop->reason, STOP_DIVERGED, "%s", stop->text);
}

static void apply(struct timeline *tl, const struct change *c)
{
    struct error err = ERROR_INIT;
    bool ok = c->number ? timeline_write_register(tl, c->hart, c->number, c->value, &err)
                        : timeline_write_physical(tl, c->address, &c->value, sizeof c->value, &err);
    cr_assert(ok, "%s", err.message);
}

/* Something that the guest lives with, or dies of. */
static struct change random_change(struct world *w, uint64_t position)
{
    struct change c = {.position = position, .value = random_next(&w->random)};
    const struct machine *m = timeline_machine(w->b.tl);
    c.hart = (unsigned)random_below(&w->random, m->config.cpus);
    if (random_below(&w->random, 2)) {
        c.number = (unsigned)(5 + random_below(&w->random, 27));
        const struct cpu *cpu = m->cpu[c.hart];
        if (cpu->ops->get_register(cpu, c.number) == c.value)
            c.value++;
    } else {
        c.address = GUEST_BASE + 0x1000 + random_below(&w->random, 0x2000) * 8;
    }
    return c;
}

/* Run on at a branch's tip, noting where it comes. */
static void run_on(struct world *w, struct future *f, uint64_t steps)
{
    struct timeline *tl = w->b.tl;
    cr_assert(timeline_live(tl));
    uint64_t end = timeline_position(tl) + steps;
    struct stop stop;
    do {
        uint64_t n = timeline_position(tl) + 1 + random_below(&w->random, 60);
        timeline_continue_to(tl, n < end ? n : end);
        finish(&w->b, &stop);
        if (f->notes < NOTES && random_below(&w->random, 3) == 0)
            f->note[f->notes++] =
                (struct note){timeline_position(tl), bench_digest(timeline_machine(tl))};
    } while (timeline_position(tl) < end && stop.reason == STOP_DONE);
    f->tip = timeline_tip(tl);
}

static const struct future *nearest(const struct world *w, uint64_t n)
{
    int i = w->now;
    while (i >= 0 && n < w->future[i].origin)
        i = w->future[i].parent;
    return i < 0 ? NULL : &w->future[i];
}

static void check_note(struct world *w, const struct note *note)
{
    bench_seek(&w->b, note->position);
    cr_assert_eq(bench_digest(timeline_machine(w->b.tl)), note->digest, "seed %lu: at %lu", w->seed,
                 note->position);
}

/* Some place of the branch the machine stands on, before its origin too. */
static void check_somewhere(struct world *w)
{
    uint64_t n = random_below(&w->random, timeline_tip(w->b.tl) + 1);
    const struct future *f = nearest(w, n);
    if (!f) {
        bench_seek(&w->b, n);
        if (w->now < 0 || n < w->future[w->now].origin)
            bench_check(&w->b, &w->trace, w->seed, "common history");
        w->common++;
    } else if (f->notes) {
        const struct note *note = &f->note[random_below(&w->random, f->notes)];
        /* On the way from a child only what lies before its origin is common. */
        int i = w->now;
        while (f != &w->future[i]) {
            if (note->position >= w->future[i].origin)
                return;
            i = w->future[i].parent;
        }
        check_note(w, note);
        w->own++;
    }
}

static void switch_to(struct world *w, int i)
{
    struct error err = ERROR_INIT;
    struct stop stop;
    if (i == w->now)
        return;
    const char *name = i < 0 ? BRANCH_MAIN : w->future[i].name;
    cr_assert(timeline_switch(w->b.tl, name, &err), "%s", err.message);
    finish(&w->b, &stop);
    w->now = i;
    struct branch_info info;
    timeline_branch_now(w->b.tl, &info);
    cr_assert_str_eq(info.name, name);
    cr_assert_eq(info.tip, i < 0 ? w->trace.steps : w->future[i].tip);
}

/* Change something in the past of where the machine stands, run on, give it a name. */
static void begin_future(struct world *w)
{
    struct timeline *tl = w->b.tl;
    struct error err = ERROR_INIT;
    if (w->count == FUTURES)
        return;
    uint64_t low = w->now < 0 ? 0 : w->future[w->now].origin;
    if (low + 2 >= timeline_tip(tl))
        return;
    bench_seek(&w->b, low + random_below(&w->random, timeline_tip(tl) - low - 1));
    struct future *f = &w->future[w->count];
    *f = (struct future){.parent = w->now, .origin = timeline_position(tl)};
    snprintf(f->name, sizeof f->name, "future-%d", w->count);
    f->change = random_change(w, f->origin);
    apply(tl, &f->change);
    cr_assert(!timeline_on_main(tl));
    cr_assert(timeline_live(tl));
    cr_assert_eq(timeline_position(tl), f->origin);
    run_on(w, f, random_below(&w->random, LENGTH));
    cr_assert(timeline_branch(tl, f->name, &err), "%s", err.message);
    w->now = w->count++;
}

/* The oracle: a run of its own that is changed at its live ends; as far as it does not ask for the
 * host's clock, which on a branch is another one. */
static void check_straight(const struct world *w, int index)
{
    struct bench b;
    int chain[FUTURES], depth = 0;
    for (int i = index; i >= 0; i = w->future[i].parent)
        chain[depth++] = i;
    bench_init(&b, w->guest, NULL);
    bench_live(&b, NULL, 0, w->future[chain[depth - 1]].origin);
    uint64_t calls = b.clock_calls;
    while (depth--) {
        const struct future *f = &w->future[chain[depth]];
        bench_live(&b, NULL, 0, f->origin);
        apply(b.tl, &f->change);
        for (unsigned i = 0; chain[depth] == index && i < f->notes; i++) {
            bench_live(&b, NULL, 0, f->note[i].position);
            if (b.clock_calls != calls)
                break;
            cr_assert_eq(bench_digest(b.m), f->note[i].digest, "seed %lu: branch %d at %lu",
                         w->seed, index, f->note[i].position);
        }
    }
    bench_fini(&b);
}

/* Months later, from a file: all branches are in it. */
static void reopen(struct world *w)
{
    struct error err = ERROR_INIT;
    char *path = bench_path();
    cr_assert(timeline_save(w->b.tl, path, &bench_content, 0, POSITION_NONE, &err), "%s",
              err.message);
    bench_reopen(&w->b, w->guest, path);
    struct recording_info opened;
    recording_info(w->b.recording, &opened);
    cr_assert_null(opened.damage, "seed %lu: %s", w->seed, opened.damage);
    w->now = -1;
    remove(path);
    free(path);
    for (int i = 0; i < w->count; i++) {
        struct branch_info info;
        cr_assert(timeline_branch_get(w->b.tl, (size_t)i + 1, &info));
        cr_assert_str_eq(info.name, w->future[i].name);
        cr_assert_eq(info.tip, w->future[i].tip);
    }
}

static void futures(const struct guest *g, uint64_t seed, unsigned *common, unsigned *own)
{
    struct world w = {.guest = g, .random = {seed}, .now = -1, .seed = seed};
    trace_record(&w.trace, g, NULL, 0, 12000);
    struct timeline_options o = {.warp = true,
                                 .spacing_steps = 100 + random_below(&w.random, 3000)};
    bench_init(&w.b, g, &o);
    bench_live(&w.b, NULL, 0, w.trace.steps);
    for (unsigned i = 0; i < 160; i++)
        switch (random_below(&w.random, 9)) {
        case 0:
            begin_future(&w);
            break;
        case 1:
            switch_to(&w, (int)random_below(&w.random, (uint64_t)w.count + 1) - 1);
            break;
        case 2:
            if (i % 8 == 0)
                reopen(&w);
            break;
        default:
            check_somewhere(&w);
        }
    for (int i = 0; i < w.count; i++)
        check_straight(&w, i);
    *common += w.common;
    *own += w.own;
    switch_to(&w, -1);
    for (unsigned i = 0; i < 20; i++)
        check_somewhere(&w);
    bench_seek(&w.b, timeline_tip(w.b.tl));
    cr_assert_eq(timeline_tip(w.b.tl), w.trace.steps);
    cr_assert_eq(bench_ram_digest(w.b.m), w.trace.ram_digest);
    bench_fini(&w.b);
    trace_free(&w.trace);
}

Test(branch, random_futures_of_one_hart)
{
    unsigned common = 0, own = 0;
    for (uint64_t seed = 1; seed <= bench_cases(6); seed++)
        futures(&storm, seed, &common, &own);
    cr_assert_gt(common, 60);
    cr_assert_gt(own, 60);
}

Test(branch, random_futures_of_three_harts)
{
    unsigned common = 0, own = 0;
    for (uint64_t seed = 1; seed <= bench_cases(6); seed++)
        futures(&harts, seed, &common, &own);
    cr_assert_gt(common, 60);
    cr_assert_gt(own, 60);
}

/* ---- inferior calls ---- */

static void set(struct bench *b, unsigned number, uint64_t value)
{
    struct error err = ERROR_INIT;
    cr_assert(timeline_write_register(b->tl, 0, number, value, &err), "%s", err.message);
}

static uint64_t get(struct bench *b, unsigned number)
{
    const struct cpu *cpu = timeline_machine(b->tl)->cpu[0];
    return cpu->ops->get_register(cpu, number);
}

/* What gdb does for `print f(3)`, but for where it goes: some steps of whatever stands there. */
static void call(struct bench *b)
{
    struct stop stop;
    set(b, REG_A0, get(b, REG_A0) + 3);
    set(b, REG_RA, get(b, REG_SP) - 16);
    timeline_continue_to(b->tl, timeline_position(b->tl) + 25);
    finish(b, &stop);
}

static void save_registers(struct bench *b, uint64_t saved[33])
{
    for (unsigned n = 1; n <= REG_PC; n++)
        saved[n] = get(b, n);
}

static void restore_registers(struct bench *b, const uint64_t saved[33])
{
    for (unsigned n = 1; n <= REG_PC; n++)
        set(b, n, saved[n]);
}

static bool on_main(const struct bench *b)
{
    return timeline_on_main(b->tl);
}

static void begin_past(struct bench *b, struct trace *t)
{
    struct timeline_options o = {.warp = true, .spacing_steps = 500};
    trace_record(t, &storm, NULL, 0, 6000);
    bench_init(b, &storm, &o);
    bench_live(b, NULL, 0, t->steps);
    bench_seek(b, 3000);
}

Test(branch, an_inferior_call_leaves_no_trace)
{
    uint64_t saved[33];
    struct trace t;
    struct bench b;
    struct stop stop;
    begin_past(&b, &t);
    for (unsigned i = 0; i < 3; i++) {
        uint64_t n = timeline_position(b.tl);
        save_registers(&b, saved);
        call(&b);
        cr_assert(!on_main(&b));
        restore_registers(&b, saved);
        cr_assert(!on_main(&b), "memory is looked at afterwards");
        timeline_step(b.tl, 0);
        finish(&b, &stop);
        cr_assert(on_main(&b));
        cr_assert_eq(timeline_position(b.tl), n + 1);
        bench_check(&b, &t, i, "behind a call");
        struct branch_info info;
        cr_assert(!timeline_branch_get(b.tl, 1, &info));
    }
    struct buffer notice = timeline_notice(b.tl);
    cr_assert_eq(notice.size, 0);
    bench_fini(&b);
    trace_free(&t);
}

/* Who goes somewhere behind a call means the history it was made in. */
Test(branch, a_call_ends_before_going_somewhere)
{
    uint64_t saved[33];
    struct trace t;
    struct bench b;
    struct stop stop;
    struct error err = ERROR_INIT;
    begin_past(&b, &t);
    save_registers(&b, saved);
    call(&b);
    restore_registers(&b, saved);
    cr_assert_lt(timeline_tip(b.tl), t.steps);
    timeline_end_call(b.tl);
    cr_assert(on_main(&b));
    cr_assert_eq(timeline_position(b.tl), 3000);
    cr_assert_eq(timeline_tip(b.tl), t.steps);
    bench_check(&b, &t, 0, "behind a call");
    call(&b);
    restore_registers(&b, saved);
    cr_assert(timeline_switch(b.tl, "main", &err), "%s", err.message);
    finish(&b, &stop);
    cr_assert_eq(timeline_position(b.tl), 3000);
    struct buffer notice = timeline_notice(b.tl);
    cr_assert_eq(notice.size, 0, "%s", buffer_text(&notice));
    bench_fini(&b);
    trace_free(&t);
}

/* A string for an argument: malloc is called, memory written, then the call itself. */
Test(branch, two_calls_with_a_write_between)
{
    uint64_t saved[33];
    struct trace t;
    struct bench b;
    struct stop stop;
    struct error err = ERROR_INIT;
    begin_past(&b, &t);
    save_registers(&b, saved);
    call(&b);
    restore_registers(&b, saved);
    uint64_t heap = GUEST_BASE + 0x3000;
    cr_assert(timeline_write_memory(b.tl, 0, heap, "abcd", 5, &err) ||
              timeline_write_physical(b.tl, heap, "abcd", 5, &err));
    call(&b);
    cr_assert(!on_main(&b));
    restore_registers(&b, saved);
    timeline_reverse_step(b.tl, 0);
    finish(&b, &stop);
    cr_assert(on_main(&b));
    cr_assert_eq(timeline_position(b.tl), 2999);
    bench_check(&b, &t, 0, "a step back behind calls");
    bench_fini(&b);
    trace_free(&t);
}

/* What somebody changed is kept, though all registers are what they were. */
Test(branch, a_change_of_memory_is_kept)
{
    uint64_t saved[33];
    struct trace t;
    struct bench b;
    struct stop stop;
    struct error err = ERROR_INIT;
    begin_past(&b, &t);
    uint64_t word = UINT64_C(0x1122334455667788), seen = 0;
    save_registers(&b, saved);
    cr_assert(timeline_write_physical(b.tl, GUEST_BASE + 0x4000, &word, sizeof word, &err));
    call(&b);
    restore_registers(&b, saved);
    timeline_step(b.tl, 0);
    finish(&b, &stop);
    cr_assert(!on_main(&b));
    cr_assert(machine_peek(b.m, GUEST_BASE + 0x4000, &seen, sizeof seen));
    cr_assert_eq(seen, word);
    bench_fini(&b);
    trace_free(&t);
}

/* ---- leaving ---- */

Test(branch, a_diversion_is_left_before_its_origin)
{
    struct trace t;
    struct bench b;
    struct stop stop;
    begin_past(&b, &t);
    set(&b, REG_T0, 12345);
    timeline_continue_to(b.tl, 3300);
    finish(&b, &stop);
    bench_seek(&b, 3001);
    cr_assert(!on_main(&b), "inside it is no leaving");
    timeline_reverse_continue(b.tl);
    finish(&b, &stop);
    cr_assert_eq(stop.reason, STOP_BEGIN);
    cr_assert(on_main(&b));
    struct buffer notice = timeline_notice(b.tl);
    cr_assert_not_null(strstr(buffer_text(&notice), "3000"), "%s", buffer_text(&notice));
    buffer_fini(&notice);
    timeline_continue(b.tl);
    finish(&b, &stop);
    cr_assert_eq(stop.reason, STOP_END);
    cr_assert_eq(timeline_position(b.tl), t.steps);
    bench_check(&b, &t, 0, "main's end");
    bench_fini(&b);
    trace_free(&t);
}

Test(branch, names)
{
    struct trace t;
    struct bench b;
    struct stop stop;
    struct error err = ERROR_INIT;
    struct branch_info info;
    begin_past(&b, &t);
    cr_assert(!timeline_branch(b.tl, "main", &err));
    cr_assert(!timeline_branch(b.tl, "a b", &err));
    cr_assert(!timeline_branch(b.tl, "", &err));
    cr_assert(on_main(&b));
    cr_assert(timeline_branch(b.tl, "one", &err), "%s", err.message);
    cr_assert(!timeline_branch_remove(b.tl, "one", &err), "the machine stands on it");
    bench_seek(&b, 2000);
    cr_assert(!on_main(&b), "a branch stays before its origin");
    cr_assert(timeline_switch(b.tl, "main", &err), "%s", err.message);
    finish(&b, &stop);
    cr_assert(!timeline_switch(b.tl, "main", &err));
    cr_assert(!timeline_switch(b.tl, "two", &err));
    cr_assert(timeline_branch_get(b.tl, 1, &info));
    cr_assert_str_eq(info.name, "one");
    cr_assert_str_eq(info.parent, "main");
    cr_assert_eq(info.origin, 3000);
    cr_assert(timeline_branch_remove(b.tl, "one", &err));
    cr_assert(!timeline_branch_get(b.tl, 1, &info));
    cr_assert(!timeline_branch_remove(b.tl, "main", &err));
    bench_fini(&b);
    trace_free(&t);
}

/* What a branch comes from gets a name with it, or goes with it: nobody could come to it else. */
Test(branch, diversions_within_diversions)
{
    struct trace t;
    struct bench b;
    struct stop stop;
    struct error err = ERROR_INIT;
    struct branch_info info;
    begin_past(&b, &t);
    set(&b, REG_T0, 12345);
    timeline_continue_to(b.tl, 3300);
    finish(&b, &stop);
    bench_seek(&b, 3200);
    cr_assert(timeline_write_physical(b.tl, GUEST_BASE + 0x4000, "x", 1, &err));
    cr_assert(timeline_branch(b.tl, "child", &err), "%s", err.message);
    cr_assert(timeline_switch(b.tl, "main", &err), "%s", err.message);
    finish(&b, &stop);
    cr_assert(timeline_branch_get(b.tl, 2, &info));
    cr_assert_str_eq(info.name, "child");
    cr_assert_str_eq(info.parent, "child.1");
    cr_assert(!timeline_branch_remove(b.tl, "child.1", &err));
    cr_assert(timeline_branch_remove(b.tl, "child", &err), "%s", err.message);
    cr_assert(timeline_branch_remove(b.tl, "child.1", &err), "%s", err.message);
    cr_assert(!timeline_branch_get(b.tl, 1, &info));
    /* And where both are left at once. */
    set(&b, REG_T0, 12345);
    timeline_continue_to(b.tl, 3300);
    finish(&b, &stop);
    bench_seek(&b, 3200);
    cr_assert(timeline_write_physical(b.tl, GUEST_BASE + 0x4000, "x", 1, &err));
    cr_assert(timeline_branch_get(b.tl, 2, &info));
    bench_seek(&b, 2000);
    cr_assert(on_main(&b));
    cr_assert(!timeline_branch_get(b.tl, 1, &info));
    bench_check(&b, &t, 0, "left");
    struct buffer notice = timeline_notice(b.tl);
    buffer_fini(&notice);
    bench_fini(&b);
    trace_free(&t);
}

/* Bookmarks of a branch come back as they were, those before its origin too. */
Test(branch, bookmarks_of_a_branch_in_a_file)
{
    struct trace t;
    struct bench b;
    struct stop stop;
    struct error err = ERROR_INIT;
    char *path = bench_path();
    begin_past(&b, &t);
    cr_assert(timeline_bookmark_at(b.tl, 100, "removed", NULL, &err));
    cr_assert(timeline_branch(b.tl, "one", &err), "%s", err.message);
    cr_assert(timeline_bookmark_remove(b.tl, "removed"));
    cr_assert(timeline_bookmark_at(b.tl, 200, "before", NULL, &err));
    cr_assert(timeline_bookmark_at(b.tl, 3000, "origin", NULL, &err));
    cr_assert(timeline_save(b.tl, path, &bench_content, 150, POSITION_NONE, &err), "%s",
              err.message);
    bench_reopen(&b, &storm, path);
    remove(path);
    free(path);
    cr_assert(timeline_switch(b.tl, "one", &err), "%s", err.message);
    finish(&b, &stop);
    cr_assert_null(timeline_bookmark_find(b.tl, "removed"));
    cr_assert_eq(timeline_bookmark_find(b.tl, "before")->position, 200);
    cr_assert_eq(timeline_bookmark_find(b.tl, "origin")->position, 3000);
    bench_fini(&b);
    trace_free(&t);
}

/* Nothing comes in, nothing goes out; bookmarks and text are its own. */
Test(branch, sees_no_host)
{
    struct bench b;
    struct stop stop;
    struct error err = ERROR_INIT;
    struct guest echo = {.name = "echo", .rounds = 10, .period = 20};
    bench_init(&b, &echo, NULL);
    bench_live(&b, NULL, 0, 8000);
    uint64_t calls = b.clock_calls;
    size_t printed = b.output.size;
    bench_seek(&b, 4000);
    cr_assert(timeline_branch(b.tl, "quiet", &err), "%s", err.message);
    timeline_continue_to(b.tl, 30000);
    cr_assert_eq(timeline_input(b.tl, CHANNEL_SERIAL0, (const uint8_t *)"x", 1), 0);
    finish(&b, &stop);
    cr_assert_gt(timeline_position(b.tl), 8000);
    cr_assert_eq(b.output.size, printed);
    cr_assert_eq(b.clock_calls, calls);
    cr_assert(timeline_bookmark(b.tl, "here", NULL, &err));
    cr_assert(!timeline_event(b.tl, EVENT_RESET));
    bench_seek(&b, 5000);
    timeline_continue(b.tl);
    finish(&b, &stop);
    cr_assert_eq(stop.reason, STOP_END);
    cr_assert(timeline_switch(b.tl, "main", &err));
    finish(&b, &stop);
    cr_assert_null(timeline_bookmark_find(b.tl, "here"));
    bench_fini(&b);
}

/* Scheduler-locking: an event of the branch, replayed like any. */
Test(branch, holds_harts)
{
    struct bench b;
    struct stop stop;
    struct error err = ERROR_INIT;
    bench_init(&b, &harts, NULL);
    bench_live(&b, NULL, 0, 4000);
    bench_seek(&b, 2000);
    cr_assert(!timeline_hold_harts(b.tl, 6), "on main");
    cr_assert(timeline_branch(b.tl, "alone", &err), "%s", err.message);
    cr_assert(timeline_hold_harts(b.tl, 6));
    uint64_t last[3];
    memcpy(last, b.m->state.last_step, sizeof last);
    timeline_continue_to(b.tl, 2500);
    finish(&b, &stop);
    uint64_t tip = timeline_tip(b.tl);
    cr_assert_gt(tip, 2000);
    cr_assert_eq(b.m->state.last_step[1], last[1]);
    cr_assert_eq(b.m->state.last_step[2], last[2]);
    cr_assert(timeline_hold_harts(b.tl, 0));
    timeline_continue_to(b.tl, tip + 500);
    finish(&b, &stop);
    cr_assert_neq(b.m->state.last_step[1], last[1]);
    bench_seek(&b, 1000);
    bench_seek(&b, tip - 1);
    timeline_step(b.tl, 0);
    finish(&b, &stop);
    cr_assert_eq(timeline_position(b.tl), tip);
    cr_assert_eq(b.m->state.last_step[1], last[1]);
    bench_fini(&b);
}
