/* What comes from outside: taken once, replayed always, and nothing leaves twice. */
#include "tests/unit/timeline/bench.h"

#include "timeline/branches.h"

#include <criterion/criterion.h>
#include <string.h>

/* ---- against the oracle: bytes at fixed positions ---- */

enum { TYPED = 40, LENGTH = 20000 };

static void type_at_random(struct random *random, struct typed *typed)
{
    static const char *const text[] = {"a", "bc", "defgh", "a line of text that is too long", "\n"};
    uint64_t position = 100;
    for (unsigned i = 0; i < TYPED; i++) {
        position += random_below(random, 5) ? random_below(random, 2 * LENGTH / TYPED) : 0;
        typed[i] = (struct typed){position, text[random_below(random, 5)]};
    }
}

static void check_everywhere(struct bench *b, const struct trace *t, struct random *random,
                             uint64_t seed)
{
    struct stop stop;
    for (unsigned i = 0; i < 40; i++) {
        stop = bench_seek(b, random_below(random, t->steps + 1));
        cr_assert_eq(stop.reason, STOP_DONE, "seed %lu: %s", seed, stop.text);
        bench_check(b, t, seed, "a seek");
        timeline_reverse_step(b->tl, 0);
        timeline_finish(b->tl, &stop);
        bench_check(b, t, seed, "a step back");
        timeline_step(b->tl, 0);
        timeline_finish(b->tl, &stop);
        bench_check(b, t, seed, "a step on");
    }
    timeline_continue(b->tl);
    timeline_finish(b->tl, &stop);
    cr_assert(stop.reason == STOP_END || stop.position == t->steps);
    bench_check(b, t, seed, "the tip");
}

static void typed_positions(const struct guest *g, uint64_t seed)
{
    struct random random = {seed};
    struct typed typed[TYPED];
    type_at_random(&random, typed);
    struct trace t;
    trace_record(&t, g, typed, TYPED, LENGTH);
    cr_assert_eq(t.steps, LENGTH);
    struct timeline_options o = {.warp = true, .spacing_steps = 100 + random_below(&random, 3000)};
    struct bench b;
    bench_init(&b, g, &o);
    bench_live(&b, typed, TYPED, LENGTH);
    bench_check(&b, &t, seed, "live");
    cr_assert_eq(b.output.size, t.output.size, "seed %lu", seed);
    cr_assert_arr_eq(b.output.data, t.output.data, t.output.size, "seed %lu", seed);
    cr_assert_gt(t.output.size, TYPED / 2);
    uint64_t calls = b.clock_calls;
    cr_assert_gt(calls, 0);
    check_everywhere(&b, &t, &random, seed);
    cr_assert_eq(b.output.size, t.output.size, "seed %lu: replays put out", seed);
    cr_assert_eq(b.clock_calls, calls, "seed %lu: replays asked the host", seed);
    bench_fini(&b);
    trace_free(&t);
}

Test(input, at_fixed_positions)
{
    for (uint64_t seed = 1; seed <= bench_cases(6); seed++)
        typed_positions(
            &(struct guest){.name = "echo", .rounds = seed % 4 * 10, .period = 5 + seed % 60},
            seed);
}

/* ---- live sessions: whatever happens, history tells the same ---- */

enum { NOTES = 400 };

struct note {
    uint64_t position, digest;
};

struct session {
    struct bench bench;
    struct random random;
    uint64_t seed;
    struct note note[NOTES];
    unsigned notes;
    struct buffer waiting, taken;
    bool resets;
};

static void offer(struct session *s)
{
    while (s->waiting.size < 24) {
        char c = (char)('a' + random_below(&s->random, 16));
        if (s->resets && random_below(&s->random, 60) == 0)
            c = 'R';
        buffer_append_byte(&s->waiting, (uint8_t)c);
    }
    struct timeline *tl = s->bench.tl;
    uint64_t here = timeline_position(tl);
    size_t n = timeline_input(tl, CHANNEL_SERIAL0, s->waiting.data,
                              1 + random_below(&s->random, s->waiting.size));
    buffer_append(&s->taken, s->waiting.data, n);
    buffer_consume(&s->waiting, n);
    /* What was noted here was before these bytes. */
    while (n && s->notes && s->note[s->notes - 1].position == here)
        s->notes--;
}

static void note_here(struct session *s)
{
    uint64_t here = timeline_position(s->bench.tl);
    while (s->notes && s->note[s->notes - 1].position == here)
        s->notes--;
    cr_assert_lt(s->notes, NOTES);
    s->note[s->notes++] = (struct note){here, bench_digest(s->bench.m)};
}

static void go_on_live(struct session *s)
{
    struct timeline *tl = s->bench.tl;
    struct stop stop;
    cr_assert(timeline_live(tl));
    timeline_continue_to(tl, timeline_position(tl) + random_below(&s->random, 400));
    for (;;) {
        if (random_below(&s->random, 6) == 0)
            offer(s);
        enum timeline_status status = timeline_advance(tl, 1, &stop);
        if (status == TIMELINE_STOPPED)
            break;
        if (status != TIMELINE_IDLE)
            continue;
        /* Waiting: sometimes somebody stops it here, in the middle of idle time. */
        if (random_below(&s->random, 20) == 0)
            timeline_interrupt(tl);
        else if (timeline_idle_ns(tl) == UINT64_MAX)
            offer(s);
    }
    cr_assert(stop.reason == STOP_DONE || stop.reason == STOP_INTERRUPT ||
                  stop.reason == STOP_STUCK,
              "seed %lu: reason %d %s", s->seed, stop.reason, stop.text);
}

static void change_something(struct session *s)
{
    struct timeline *tl = s->bench.tl;
    struct error err = ERROR_INIT;
    uint64_t value = random_next(&s->random), read = 0;
    const struct guest g = {.name = "echo"};
    static uint64_t state;
    state = state ? state : guest_symbol(&g, "state");
    switch (random_below(&s->random, 8)) {
    case 0:
        cr_assert(timeline_write_memory(tl, 0, state + 1, &value, 6, &err), "%s", err.message);
        cr_assert(timeline_read_memory(tl, 0, state + 1, &read, 6));
        cr_assert_eq(read, value & 0xffffffffffff);
        break;
    case 1:
        cr_assert(timeline_write_register(tl, 0, 27, value, &err), "%s", err.message);
        cr_assert_eq(s->bench.m->cpu[0]->ops->get_register(s->bench.m->cpu[0], 27), value);
        break;
    case 2:
        if (s->resets && random_below(&s->random, 4) == 0)
            cr_assert(timeline_event(tl, EVENT_RESET));
        break;
    default:
        break;
    }
}

/* What is changed there is another future, and what comes from outside does not get in. */
static void look_at_the_past(struct session *s)
{
    struct timeline *tl = s->bench.tl;
    struct error err = ERROR_INIT;
    uint64_t value = 1;
    cr_assert_not(timeline_live(tl));
    cr_assert_not(timeline_event(tl, EVENT_RESET));
    cr_assert(timeline_write_memory(tl, 0, GUEST_BASE, &value, 8, &err), "%s", err.message);
    cr_assert_not(timeline_on_main(tl));
    cr_assert_not(timeline_event(tl, EVENT_RESET));
    cr_assert_eq(timeline_input(tl, CHANNEL_SERIAL0, (const uint8_t *)"x", 1), 0);
    cr_assert(timeline_switch(tl, BRANCH_MAIN, &err), "%s", err.message);
    struct stop stop;
    timeline_finish(tl, &stop);
    cr_assert_eq(stop.reason, STOP_DONE);
}

static void check_notes(struct session *s, unsigned most)
{
    struct timeline *tl = s->bench.tl;
    size_t output = s->bench.output.size;
    uint64_t calls = s->bench.clock_calls, tip = timeline_tip(tl);
    for (unsigned i = 0; i < most; i++) {
        const struct note *n = &s->note[random_below(&s->random, s->notes)];
        struct stop stop = bench_seek(&s->bench, n->position);
        cr_assert_eq(stop.reason, STOP_DONE, "seed %lu: reason %d %s", s->seed, stop.reason,
                     stop.text);
        cr_assert_eq(bench_digest(s->bench.m), n->digest, "seed %lu: another state at %lu, tip %lu",
                     s->seed, n->position, tip);
        if (n->position < tip)
            look_at_the_past(s);
    }
    struct stop stop = bench_seek(&s->bench, tip);
    cr_assert_eq(stop.reason, STOP_DONE, "seed %lu: %s", s->seed, stop.text);
    cr_assert(timeline_live(tl));
    cr_assert_eq(bench_digest(s->bench.m), s->note[s->notes - 1].digest, "seed %lu: the tip",
                 s->seed);
    cr_assert_eq(s->bench.output.size, output, "seed %lu: replays put out", s->seed);
    cr_assert_eq(s->bench.clock_calls, calls, "seed %lu: replays asked the host", s->seed);
}

/* What was taken comes out, in order, each byte once. */
static void check_echo(struct session *s)
{
    for (unsigned i = 0; i < 40 && s->bench.output.size < s->taken.size; i++) {
        struct stop stop;
        timeline_continue_to(s->bench.tl, timeline_position(s->bench.tl) + 2000);
        timeline_finish(s->bench.tl, &stop);
    }
    cr_assert_eq(s->bench.output.size, s->taken.size, "seed %lu: %zu of %zu", s->seed,
                 s->bench.output.size, s->taken.size);
    cr_assert_arr_eq(s->bench.output.data, s->taken.data, s->taken.size, "seed %lu", s->seed);
    cr_assert_gt(s->taken.size, 10);
}

static void session(const struct guest *g, uint64_t seed, bool warp, bool resets)
{
    struct session s = {.random = {seed}, .seed = seed, .resets = resets};
    struct timeline_options o = {.warp = warp, .spacing_steps = 50 + random_below(&s.random, 1500)};
    bench_init(&s.bench, g, &o);
    /* Before the guest has set it up, the UART takes a byte and the guest clears it. */
    struct stop stop;
    timeline_point_add(s.bench.tl, HIT_EXECUTE, guest_symbol(g, "busy"), 0);
    timeline_continue(s.bench.tl);
    timeline_finish(s.bench.tl, &stop);
    cr_assert_eq(stop.reason, STOP_BREAK);
    timeline_points_clear(s.bench.tl);
    for (unsigned i = 0; i < 60; i++) {
        go_on_live(&s);
        change_something(&s);
        note_here(&s);
        if (random_below(&s.random, 5) == 0)
            check_notes(&s, 4);
    }
    check_notes(&s, 40);
    if (!resets)
        check_echo(&s);
    bench_fini(&s.bench);
    buffer_fini(&s.waiting);
    buffer_fini(&s.taken);
}

Test(input, session_with_warp)
{
    for (uint64_t seed = 1; seed <= bench_cases(15); seed++)
        session(&(struct guest){.name = "echo", .rounds = seed % 3 * 9, .period = 5 + seed % 40},
                seed, true, seed & 1);
}

Test(input, session_in_real_time)
{
    for (uint64_t seed = 1; seed <= bench_cases(15); seed++)
        session(&(struct guest){.name = "echo", .rounds = seed % 3 * 9, .period = 5 + seed % 90},
                seed, false, seed & 1);
}

/* Only bytes wake it. */
Test(input, session_without_deadlines)
{
    for (uint64_t seed = 1; seed <= bench_cases(10); seed++)
        session(&(struct guest){.name = "echo", .rounds = seed % 3 * 9, .period = 0}, seed,
                seed & 2, seed & 1);
}

Test(input, stuck_until_a_byte)
{
    const struct guest g = {.name = "echo"};
    struct bench b;
    struct stop stop;
    bench_init(&b, &g, NULL);
    timeline_continue(b.tl);
    timeline_finish(b.tl, &stop);
    cr_assert_eq(stop.reason, STOP_STUCK);
    uint64_t waits = stop.position, digest = bench_digest(b.m);
    timeline_reverse_step(b.tl, 0);
    timeline_finish(b.tl, &stop);
    cr_assert_eq(stop.position, waits - 1);
    timeline_continue(b.tl);
    timeline_finish(b.tl, &stop);
    cr_assert_eq(stop.reason, STOP_END);
    cr_assert_eq(stop.position, waits);
    cr_assert_eq(bench_digest(b.m), digest);
    timeline_continue(b.tl);
    cr_assert_eq(timeline_input(b.tl, CHANNEL_SERIAL0, (const uint8_t *)"Q", 1), 1);
    timeline_finish(b.tl, &stop);
    cr_assert_eq(stop.reason, STOP_HALT);
    cr_assert_eq(b.output.size, 1);
    cr_assert_gt(stop.position, waits);
    bench_fini(&b);
}

/* A live machine that stops in the midst of a wait, whose time has passed, is what a later seek to
 * there finds, also when it went on at once. */
Test(input, stops_in_idle_time_come_back)
{
    const struct guest g = {.name = "echo", .rounds = 0, .period = 50};
    struct bench b;
    uint64_t position[40], digest[40];
    struct stop stop;
    unsigned stops = 0;
    bench_init(&b, &g, &(struct timeline_options){.warp = true, .spacing_steps = 100000});
    for (unsigned i = 0; i < 40; i++) {
        timeline_continue(b.tl);
        for (unsigned turns = 0; timeline_moving(b.tl);) {
            if (++turns == 3 + i % 5)
                timeline_interrupt(b.tl);
            if (timeline_advance(b.tl, 1, &stop) == TIMELINE_STOPPED)
                break;
        }
        position[i] = stop.position;
        digest[i] = bench_digest(b.m);
        stops++;
    }
    for (unsigned i = stops; i-- > 0;) {
        if (i + 1 < stops && position[i + 1] == position[i])
            continue;
        bench_seek(&b, position[i]);
        cr_assert_eq(bench_digest(b.m), digest[i], "stop %u at %lu", i, position[i]);
    }
    bench_fini(&b);
}

Test(input, power_button)
{
    const struct guest g = {.name = "echo", .rounds = 30, .period = 20};
    struct bench b;
    struct stop stop;
    bench_init(&b, &g, NULL);
    bench_live(&b, NULL, 0, 1000);
    cr_assert(timeline_event(b.tl, EVENT_POWER));
    timeline_continue(b.tl);
    timeline_finish(b.tl, &stop);
    cr_assert_eq(stop.reason, STOP_HALT);
    cr_assert_eq(stop.position, 1000);
    bench_seek(&b, 500);
    cr_assert_eq(b.m->state.halt, HALT_NONE);
    timeline_continue(b.tl);
    timeline_finish(b.tl, &stop);
    cr_assert_eq(stop.reason, STOP_END);
    cr_assert_eq(stop.position, 1000);
    cr_assert_eq(b.m->state.halt, HALT_POWER_OFF);
    bench_fini(&b);
}
