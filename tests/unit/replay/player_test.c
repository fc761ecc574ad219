#include "replay/player.h"

#include "tests/unit/replay/session.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

enum { TIP = 40000 };

static struct session s;
static struct toy toy;
static struct player player;

static void open_session(uint64_t seed)
{
    session_init(&s, seed);
    session_live(&s, TIP);
}

/* A second machine that knows the log alone. */
static void open_player(const struct log *log, uint64_t seed)
{
    toy_init(&toy, seed);
    toy.halts = s.toy.halts;
    for (unsigned i = 0; i < TOY_CPUS; i++)
        toy.machine.state.last_step[i] = UINT64_MAX; /* none yet */
    player = (struct player){.machine = &toy.machine, .log = log};
    player_attach(&player, 0);
}

static void close_all(void)
{
    toy_fini(&toy);
    session_fini(&s);
}

static void expect_mark(const struct mark *mark)
{
    cr_assert_eq(player.failure.code, ERROR_NONE, "%s", player.failure.message);
    cr_assert_eq(machine_position(&toy.machine), mark->position);
    cr_assert_eq(player.next, mark->next, "at %zu: event %zu instead of %zu",
                 (size_t)mark->position, (size_t)player.next, (size_t)mark->next);
    cr_assert_eq(session_digest(&toy), mark->digest, "at %zu the state differs",
                 (size_t)mark->position);
}

Test(player, every_mark_is_met_again)
{
    size_t kinds[EVENT_LAST + 1] = {0}, marks = 0;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        open_session(seed);
        open_player(s.log, seed);
        size_t output = s.output.size;
        for (size_t i = 0; i < s.marks; i++) {
            cr_assert_eq(player_run(&player, s.mark[i].position), MACHINE_LIMIT, "%s",
                         player.failure.message);
            expect_mark(&s.mark[i]);
        }
        cr_expect_eq(s.output.size, output, "a replay sends nothing");
        marks += s.marks;
        for (uint64_t i = 0; i < log_count(s.log); i++)
            kinds[log_get(s.log, i).kind]++;
        close_all();
    }
    /* The sessions did what they are there for. */
    cr_expect_gt(marks, 12 * 100);
    for (size_t kind = EVENT_INPUT; kind <= EVENT_POWER; kind++)
        cr_expect_gt(kinds[kind], 5, "%zu events of kind %zu", kinds[kind], kind);
    cr_expect_gt(kinds[EVENT_HOLD], 5, "%zu holds", kinds[EVENT_HOLD]);
}

Test(player, chopping_changes_nothing)
{
    for (uint64_t seed = 20; seed < 26; seed++) {
        open_session(seed);
        open_player(s.log, seed);
        uint64_t random = seed;
        for (size_t i = 0; i < s.marks; i++) {
            uint64_t target = s.mark[i].position;
            while (machine_position(&toy.machine) < target) {
                random = hash_mix(random + 1);
                uint64_t until = machine_position(&toy.machine) + (random >> 8) % 20;
                enum machine_stop stop = player_run(&player, until < target ? until : target);
                cr_assert_eq(stop, MACHINE_LIMIT, "%s", player.failure.message);
            }
            player_run(&player, target);
            expect_mark(&s.mark[i]);
        }
        close_all();
    }
}

Test(player, from_any_state_in_any_order)
{
    open_session(77);
    open_player(s.log, 77);
    uint64_t random = 3;
    for (unsigned round = 0; round < 100; round++) {
        random = hash_mix(random + 1);
        const struct mark *from = &s.mark[((random >> 8) % (s.marks / 8)) * 8 + 7];
        const struct mark *to = &s.mark[(random >> 40) % s.marks];
        if (to < from)
            to = from;
        session_restore(&toy, from);
        player_attach(&player, from->next);
        cr_assert_eq(player_run(&player, to->position), MACHINE_LIMIT);
        expect_mark(to);
    }
    close_all();
}

struct hits {
    uint64_t position[2000];
    size_t count;
    uint64_t stopped_at; /* position + 1 */
};

static bool count_hit(void *ctx, const struct hit *hit)
{
    struct hits *hits = ctx;
    if (hits->count < 2000)
        hits->position[hits->count++] = hit->position;
    return false;
}

static bool stop_at_hit(void *ctx, const struct hit *hit)
{
    struct hits *hits = ctx;
    if (hits->stopped_at == hit->position + 1)
        return false;
    hits->stopped_at = hit->position + 1;
    hits->position[hits->count++] = hit->position;
    return true;
}

Test(player, stops_at_hits)
{
    open_session(8);
    open_player(s.log, 8);
    uint64_t pc[] = {3, 700, 2000, 4001};
    struct hits counted = {0}, stopped = {0};
    struct points points = {.execute = pc, .execute_count = 4, .hit = count_hit, .ctx = &counted};
    machine_set_points(&toy.machine, &points);
    cr_expect_eq(player_run(&player, TIP), MACHINE_LIMIT);
    uint64_t digest = session_digest(&toy);
    toy_fini(&toy);

    open_player(s.log, 8);
    points.hit = stop_at_hit;
    points.ctx = &stopped;
    machine_set_points(&toy.machine, &points);
    enum machine_stop stop;
    while ((stop = player_run(&player, TIP)) == MACHINE_HIT)
        cr_assert_eq(machine_position(&toy.machine), stopped.stopped_at - 1);
    cr_expect_eq(stop, MACHINE_LIMIT);
    cr_expect_eq(session_digest(&toy), digest, "stops change nothing");
    cr_expect_gt(counted.count, 10);
    cr_assert_eq(stopped.count, counted.count);
    cr_expect_arr_eq(stopped.position, counted.position, counted.count * sizeof(uint64_t));
    close_all();
}

/* Stepping one processor stops behind each of its steps, at the states of a run step by step. */
Test(player, steps_of_one_processor)
{
    enum { STEPS = 20000 };
    static uint64_t digest[STEPS + 1];
    static bool stepped[TOY_CPUS][STEPS + 1];
    open_session(14);
    open_player(s.log, 14);
    for (uint64_t position = 1; position <= STEPS; position++) {
        cr_assert_eq(player_run(&player, position), MACHINE_LIMIT);
        digest[position] =
            hash_mix(player.next) ^ toy.state[0].random ^ toy.machine.clock.state.idle;
        for (unsigned i = 0; i < TOY_CPUS; i++)
            stepped[i][position] = toy.machine.state.last_step[i] == position - 1;
    }
    toy_fini(&toy);
    for (unsigned i = 0; i < TOY_CPUS; i++) {
        open_player(s.log, 14);
        toy.machine.step_cpu = i;
        uint64_t position = 0;
        for (;;) {
            do
                position++;
            while (position < STEPS && !stepped[i][position]);
            cr_assert_eq(player_run(&player, STEPS), MACHINE_LIMIT);
            cr_assert_eq(machine_position(&toy.machine), position, "%zu instead of %zu",
                         (size_t)machine_position(&toy.machine), (size_t)position);
            cr_assert_eq(digest[position], hash_mix(player.next) ^ toy.state[0].random ^
                                               toy.machine.clock.state.idle);
            if (position == STEPS)
                break;
        }
        toy_fini(&toy);
    }
    session_fini(&s);
}

Test(player, next_position)
{
    open_session(9);
    open_player(s.log, 9);
    cr_expect_eq(player_next_position(&player), log_get(s.log, 0).position);
    player_run(&player, TIP);
    cr_expect_eq(player.next, log_count(s.log));
    cr_expect_eq(player_next_position(&player), UINT64_MAX);
    close_all();
}

Test(player, ends_where_the_machine_halts)
{
    session_init(&s, 11);
    session_live(&s, 1000);
    recorder_event(&s.recorder, EVENT_POWER, 0, NULL, 0, 0);
    uint64_t end = machine_position(&s.toy.machine), digest = session_digest(&s.toy);
    open_player(s.log, 11);
    cr_expect_eq(player_run(&player, 5000), MACHINE_HALTED);
    cr_expect_eq(player.failure.code, ERROR_NONE, "%s", player.failure.message);
    cr_expect_eq(toy.machine.state.halt, HALT_POWER_OFF);
    cr_expect_eq(machine_position(&toy.machine), end);
    cr_expect_eq(session_digest(&toy), digest);
    cr_expect_eq(player_run(&player, 5000), MACHINE_HALTED, "and stays there");
    close_all();
}

/* No processor can ever go on. */
static void put_to_sleep(struct toy *t)
{
    for (unsigned i = 0; i < TOY_CPUS; i++) {
        t->state[i].waiting = 1;
        for (unsigned n = 0; n < TOY_TIMERS; n++)
            clock_arm(&t->machine.clock, t->timer[i][n], CLOCK_NEVER);
    }
}

Test(player, idle_for_ever)
{
    session_init(&s, 12);
    open_player(s.log, 12);
    put_to_sleep(&toy);
    cr_expect_eq(player_run(&player, 0), MACHINE_LIMIT);
    cr_expect_eq(player_run(&player, 10), MACHINE_IDLE);
    cr_expect_eq(player.failure.code, ERROR_NONE);
    cr_expect_eq(toy.machine.clock.state.idle, 0);
    close_all();
}

/* Divergences. */

/* The log with event `index` left out (as UINT64_MAX: none), and `extra` put in before it. */
static struct log *edited(uint64_t index, const struct event *extra)
{
    struct log *log = log_new(NULL);
    for (uint64_t i = 0; i < log_count(s.log); i++) {
        struct event e = log_get(s.log, i);
        if (i == index && extra)
            log_append(log, extra);
        if (i != index)
            log_append(log, &e);
    }
    return log;
}

/* Index of the first event of a kind from index `from` on. */
static uint64_t first_of(enum event_kind kind, uint64_t from)
{
    while (from < log_count(s.log) && log_get(s.log, from).kind != kind)
        from++;
    cr_assert_lt(from, log_count(s.log), "no event of kind %u", kind);
    return from;
}

static void expect_divergence(struct log *log, uint64_t position, const char *what)
{
    open_player(log, s.toy.seed);
    cr_expect_eq(player_run(&player, TIP), MACHINE_HALTED);
    cr_expect_eq(player.failure.code, ERROR_DIVERGED);
    char at[80];
    snprintf(at, sizeof at, "at position %zu ", (size_t)position);
    cr_expect(strstr(player.failure.message, at), "%s: %s", at, player.failure.message);
    cr_expect(strstr(player.failure.message, what), "%s: %s", what, player.failure.message);
    struct error first = player.failure;
    cr_expect_eq(player_run(&player, TIP), MACHINE_HALTED, "it goes no further");
    cr_expect_str_eq(player.failure.message, first.message);
    toy_fini(&toy);
    log_free(log);
}

Test(player, diverges_when_an_answer_is_missing)
{
    open_session(30);
    uint64_t index = first_of(EVENT_CLOCK, 20);
    expect_divergence(edited(index, NULL), log_get(s.log, index).position,
                      "asks for the host's clock");
    session_fini(&s);
}

Test(player, diverges_when_an_answer_is_not_asked_for)
{
    open_session(31);
    uint64_t index = first_of(EVENT_CLOCK, 20);
    struct event e = log_get(s.log, index);
    /* An answer at a step before the one that asks. */
    e.position--;
    e.vtime = log_get(s.log, index - 1).vtime;
    cr_assert_geq(e.position, log_get(s.log, index - 1).position);
    expect_divergence(edited(index, &e), e.position + 1, "did not ask");
    session_fini(&s);
}

Test(player, diverges_when_an_answer_has_another_time)
{
    open_session(32);
    uint64_t index = first_of(EVENT_CLOCK, 20);
    struct event e = log_get(s.log, index);
    e.vtime--;
    expect_divergence(edited(index, &e), e.position, "asks for the host's clock");
    session_fini(&s);
}

Test(player, diverges_when_an_answer_is_for_a_later_step)
{
    open_session(32);
    uint64_t index = first_of(EVENT_CLOCK, 20);
    struct event e = log_get(s.log, index);
    uint64_t asked = e.position++;
    expect_divergence(edited(index, &e), asked, "asks for the host's clock");
    session_fini(&s);
}

Test(player, diverges_when_an_event_comes_too_late)
{
    session_init(&s, 33);
    session_live(&s, 500);
    uint64_t now = clock_vtime(&s.toy.machine.clock);
    recorder_event(&s.recorder, EVENT_MEMORY, 0, &(uint64_t){TOY_BASE}, 8, now);
    uint64_t index = log_count(s.log) - 1;
    struct event e = log_get(s.log, index);
    e.vtime--;
    cr_assert_geq(e.vtime, log_get(s.log, index - 1).vtime);
    expect_divergence(edited(index, &e), e.position, "later than the event");
    session_fini(&s);
}

Test(player, diverges_when_there_is_no_room)
{
    session_init(&s, 34);
    uint8_t bytes[TOY_FIFO + 1] = {0};
    log_append(s.log, &(struct event){.kind = EVENT_INPUT, .size = sizeof bytes, .data = bytes});
    expect_divergence(edited(UINT64_MAX, NULL), 0, "no room");
    session_fini(&s);
}

Test(player, diverges_when_there_are_no_such_harts)
{
    uint8_t bytes[4] = {1 << TOY_CPUS};
    session_init(&s, 3);
    log_append(s.log, &(struct event){.kind = EVENT_HOLD, .size = sizeof bytes, .data = bytes});
    expect_divergence(edited(UINT64_MAX, NULL), 0, "no such harts");
    session_fini(&s);
}

Test(player, diverges_when_the_machine_halts_before_an_event)
{
    session_init(&s, 35);
    log_append(s.log, &(struct event){.kind = EVENT_POWER});
    log_append(s.log, &(struct event){.position = 1, .vtime = 8, .kind = EVENT_RESET});
    expect_divergence(edited(UINT64_MAX, NULL), 0, "halted");
    session_fini(&s);
}

Test(player, diverges_when_the_machine_waits_for_ever)
{
    session_init(&s, 36);
    log_append(s.log, &(struct event){.position = 10, .vtime = 1000, .kind = EVENT_RESET});
    open_player(s.log, 36);
    put_to_sleep(&toy);
    cr_expect_eq(player_run(&player, 20), MACHINE_HALTED);
    cr_expect_eq(player.failure.code, ERROR_DIVERGED);
    cr_expect(strstr(player.failure.message, "waits for ever"), "%s", player.failure.message);
    player_attach(&player, 0);
    cr_expect_eq(player.failure.code, ERROR_NONE, "a new start forgets it");
    close_all();
}

Test(player, diverges_from_another_start)
{
    open_session(37);
    open_player(s.log, 38);
    cr_expect_eq(player_run(&player, TIP), MACHINE_HALTED);
    cr_expect_eq(player.failure.code, ERROR_DIVERGED);
    close_all();
}
