/* Answers of the host's that are asked for at any time: inside steps, by deadlines at the end of a
 * step, by deadlines in the midst of idle time, before and after events of the same position. And
 * reads of disks, which are answered by the host in replay too. */
#include "replay/player.h"

#include "tests/unit/replay/session.h"

#include <criterion/criterion.h>
#include <stdio.h>

enum { TIP = 40000 };

static struct session s;
static struct toy toy;
static struct player player;

static void open_session(uint64_t seed)
{
    session_init(&s, seed);
    s.toy.asks = true;
    session_live(&s, TIP);
}

static void open_player(const struct log *log, uint64_t seed)
{
    toy_init(&toy, seed);
    toy.halts = toy.asks = true;
    for (unsigned i = 0; i < TOY_CPUS; i++)
        toy.machine.state.last_step[i] = POSITION_NONE;
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

/* Which kinds of moments there were, from the log alone. */
struct moments {
    unsigned answers;
    unsigned in_idle;    /* an answer at a position, then an event at the same */
    unsigned after;      /* an event, then an answer at its position and time */
    unsigned several;    /* two answers at one position, at different times */
    unsigned marks_idle; /* marks that stand behind an answer given in idle time */
};

static void count_moments(struct moments *m)
{
    for (uint64_t i = 0; i + 1 < log_count(s.log); i++) {
        struct event a = log_get(s.log, i), b = log_get(s.log, i + 1);
        m->answers += a.kind == EVENT_ENTROPY;
        if (a.position != b.position)
            continue;
        m->in_idle += a.kind == EVENT_ENTROPY && !event_is_answer(b.kind) && a.vtime < b.vtime;
        m->after += !event_is_answer(a.kind) && b.kind == EVENT_ENTROPY && a.vtime == b.vtime;
        m->several += a.kind == EVENT_ENTROPY && b.kind == EVENT_ENTROPY && a.vtime < b.vtime;
    }
    for (size_t i = 0; i < s.marks; i++) {
        uint64_t next = s.mark[i].next;
        if (next < 2)
            continue;
        struct event a = log_get(s.log, next - 2), b = log_get(s.log, next - 1);
        m->marks_idle += a.kind == EVENT_ENTROPY && !event_is_answer(b.kind) &&
                         a.position == s.mark[i].position && b.position == s.mark[i].position;
    }
}

Test(answers, every_mark_is_met_again)
{
    struct moments moments = {0};
    for (uint64_t seed = 1; seed <= 20; seed++) {
        open_session(seed);
        open_player(s.log, seed);
        for (size_t i = 0; i < s.marks; i++) {
            cr_assert_eq(player_run(&player, s.mark[i].position), MACHINE_LIMIT, "%s",
                         player.failure.message);
            expect_mark(&s.mark[i]);
            cr_assert_eq(player_run(&player, s.mark[i].position), MACHINE_LIMIT);
            expect_mark(&s.mark[i]);
        }
        count_moments(&moments);
        close_all();
    }
    cr_expect_gt(moments.answers, 1000);
    cr_expect_gt(moments.in_idle, 20);
    cr_expect_gt(moments.after, 5);
    cr_expect_gt(moments.several, 20);
    cr_expect_gt(moments.marks_idle, 20);
}

Test(answers, chopping_changes_nothing)
{
    for (uint64_t seed = 30; seed < 36; seed++) {
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

Test(answers, from_any_state_in_any_order)
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
        cr_assert_eq(player_run(&player, to->position), MACHINE_LIMIT, "%s",
                     player.failure.message);
        expect_mark(to);
    }
    close_all();
}

/* Stepping one processor stops behind each of its steps, with the events of that position. */
Test(answers, steps_of_one_processor)
{
    enum { STEPS = 15000 };
    static uint64_t digest[STEPS + 1];
    static bool stepped[STEPS + 1];
    open_session(15);
    open_player(s.log, 15);
    for (uint64_t position = 1; position <= STEPS; position++) {
        cr_assert_eq(player_run(&player, position), MACHINE_LIMIT, "%s", player.failure.message);
        digest[position] = hash_mix(player.next) ^ clock_vtime(&toy.machine.clock);
        stepped[position] = toy.machine.state.last_step[1] == position - 1;
    }
    toy_fini(&toy);
    open_player(s.log, 15);
    toy.machine.step_cpu = 1;
    for (uint64_t position = 0; position < STEPS;) {
        do
            position++;
        while (position < STEPS && !stepped[position]);
        cr_assert_eq(player_run(&player, STEPS), MACHINE_LIMIT);
        cr_assert_eq(machine_position(&toy.machine), position);
        cr_assert_eq(digest[position], hash_mix(player.next) ^ clock_vtime(&toy.machine.clock));
    }
    close_all();
}

/* ---- divergences ---- */

/* The log with event `index` changed, left out where `changed` is NULL. */
static struct log *edited(uint64_t index, const struct event *changed)
{
    struct log *log = log_new(NULL);
    for (uint64_t i = 0; i < log_count(s.log); i++) {
        struct event e = log_get(s.log, i);
        if (i != index)
            log_append(log, &e);
        else if (changed)
            log_append(log, changed);
    }
    return log;
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
    toy_fini(&toy);
    log_free(log);
}

static uint64_t entropy_from(uint64_t index)
{
    while (log_get(s.log, index).kind != EVENT_ENTROPY)
        index++;
    return index;
}

Test(answers, a_missing_one)
{
    open_session(40);
    for (uint64_t i = entropy_from(0), n = 0; n < 20; i = entropy_from(i + 1), n++)
        expect_divergence(edited(i, NULL), log_get(s.log, i).position, "asks for entropy");
    session_fini(&s);
}

Test(answers, one_of_another_size)
{
    open_session(41);
    uint64_t i = entropy_from(30);
    struct event e = log_get(s.log, i);
    e.size--;
    expect_divergence(edited(i, &e), e.position, "asks for entropy");
    session_fini(&s);
}

/* It has another time, in the midst of idle time: the events around it are where they were. */
Test(answers, one_at_another_time)
{
    open_session(42);
    unsigned found = 0;
    for (uint64_t i = 1; i + 1 < log_count(s.log) && found < 20; i++) {
        struct event before = log_get(s.log, i - 1), e = log_get(s.log, i),
                     after = log_get(s.log, i + 1);
        if (e.kind != EVENT_ENTROPY || event_is_answer(after.kind) ||
            after.position != e.position || e.vtime == before.vtime)
            continue;
        e.vtime--;
        expect_divergence(edited(i, &e), e.position, "asks for entropy");
        found++;
    }
    cr_expect_gt(found, 5);
    session_fini(&s);
}

/* The log has an answer, then an event of the same position; the machine never asks there. */
Test(answers, one_that_is_not_asked_for)
{
    session_init(&s, 43);
    session_live(&s, TIP);
    unsigned found = 0;
    for (uint64_t i = 1; i < log_count(s.log) && found < 20; i++) {
        struct event e = log_get(s.log, i), before = log_get(s.log, i - 1);
        if (event_is_answer(e.kind) || before.position == e.position)
            continue;
        struct log *log = log_new(NULL);
        for (uint64_t k = 0; k < i; k++) {
            struct event copy = log_get(s.log, k);
            log_append(log, &copy);
        }
        struct event extra = {.position = e.position,
                              .vtime = e.vtime,
                              .kind = EVENT_ENTROPY,
                              .size = 1,
                              .data = (const uint8_t *)"x"};
        log_append(log, &extra);
        log_append(log, &e);
        open_player(log, 43);
        toy.asks = false;
        cr_assert_eq(player_run(&player, e.position), MACHINE_HALTED);
        cr_assert_eq(player.failure.code, ERROR_DIVERGED);
        cr_assert_eq(player_run(&player, machine_position(&toy.machine)), MACHINE_HALTED);
        toy_fini(&toy);
        log_free(log);
        found++;
    }
    cr_expect_gt(found, 10);
    session_fini(&s);
}

/* ---- disks ---- */

struct image {
    uint8_t value;
    bool fails;
    unsigned reads;
};

static bool image_read(void *ctx, unsigned disk, uint64_t block, uint8_t *bytes)
{
    struct image *image = ctx;
    image->reads++;
    memset(bytes, (int)(image->value + block), DISK_BLOCK);
    bytes[0] = (uint8_t)disk;
    return !image->fails;
}

static const char *image_name(void *ctx, unsigned disk)
{
    (void)ctx, (void)disk;
    return "root.img";
}

static struct image image;

/* A toy that a recorder has, and its reads. */
static void open_disks(void)
{
    const struct disk_host host = {image_read, image_name, &image};
    image = (struct image){.value = 3};
    session_init(&s, 5);
    s.recorder.reads = disk_reads_new(&host);
    open_player(s.log, 5);
    player.reads = s.recorder.reads;
}

static void close_disks(void)
{
    disk_reads_free(s.recorder.reads);
    close_all();
}

Test(answers, disk_reads)
{
    uint8_t live[DISK_BLOCK], again[DISK_BLOCK];
    open_disks();
    cr_assert(machine_disk_read(&s.toy.machine, 1, 9, live));
    cr_assert(machine_disk_read(&toy.machine, 1, 9, again));
    cr_expect_arr_eq(live, again, sizeof live);
    cr_expect_eq(live[0], 1);
    cr_expect_eq(live[1], 12);
    cr_expect_eq(log_count(s.log), 0, "a read is no event");
    cr_expect_eq(player.failure.code, ERROR_NONE);

    /* An error is the guest's, in replay as well. */
    image.fails = true;
    cr_expect(!machine_disk_read(&s.toy.machine, 1, 10, live));
    image.fails = false;
    cr_expect(!machine_disk_read(&s.toy.machine, 1, 10, live));
    cr_expect(!machine_disk_read(&toy.machine, 1, 10, again));
    cr_expect_eq(player.failure.code, ERROR_NONE);
    cr_expect_eq(s.recorder.failure.code, ERROR_NONE);
    close_disks();
}

Test(answers, a_disk_read_that_never_was)
{
    uint8_t bytes[DISK_BLOCK];
    open_disks();
    toy.machine.pause = false;
    cr_expect(!machine_disk_read(&toy.machine, 2, 77, bytes));
    cr_expect_eq(player.failure.code, ERROR_DIVERGED);
    cr_expect(strstr(player.failure.message, "block 77 of disk 2"), "%s", player.failure.message);
    cr_expect(toy.machine.pause, "the run ends");
    cr_expect_eq(player_run(&player, 10), MACHINE_HALTED);
    close_disks();
}

Test(answers, an_image_that_changes)
{
    uint8_t bytes[DISK_BLOCK];
    open_disks();
    cr_assert(machine_disk_read(&s.toy.machine, 0, 2, bytes));
    image.value++;
    toy.machine.pause = s.toy.machine.pause = false;
    cr_expect(!machine_disk_read(&toy.machine, 0, 2, bytes));
    cr_expect_eq(player.failure.code, ERROR_DIVERGED);
    cr_expect(strstr(player.failure.message, "root.img has changed: block 2 "), "%s",
              player.failure.message);
    cr_expect(toy.machine.pause);
    cr_expect_eq(player_run(&player, 10), MACHINE_HALTED);
    /* Live too. */
    cr_expect(!machine_disk_read(&s.toy.machine, 0, 2, bytes));
    cr_expect_eq(s.recorder.failure.code, ERROR_DIVERGED);
    cr_expect_str_eq(s.recorder.failure.message, player.failure.message);
    cr_expect(s.toy.machine.pause);
    close_disks();
}
