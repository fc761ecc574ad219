/* Events as bytes, and replays of events that come from bytes. */
#include "replay/player.h"

#include "base/pack.h"
#include "machine/clock.h"
#include "tests/unit/replay/session.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t random_state;

static uint64_t chance(uint64_t below)
{
    random_state = hash_mix(random_state + 0x9e3779b97f4a7c15u);
    return (random_state >> 11) % below;
}

/* ---- the form ---- */

static void add(struct log *log, uint64_t position, uint64_t vtime, enum event_kind kind,
                uint16_t target, const void *data, uint32_t size)
{
    log_append(log, &(struct event){position, vtime, (uint16_t)kind, target, size, data});
}

/* The example of docs/recording-format.md. */
Test(log_file, byte_for_byte)
{
    struct log *log = log_new(NULL);
    add(log, 1000, 8300, EVENT_CLOCK, 0, "\0\1\2\3\4\5\6\7", 8);
    add(log, 1000, 8300, EVENT_INPUT, CHANNEL_NET0, "abc", 3);
    add(log, 1300, 1010700, EVENT_POWER, 300, NULL, 0);
    static const uint8_t expected[] = {
        0xe8, 0x07, 0xec, 0x40, 2,    0,   8,    0,    1, 2, 3, 4, 5, 6, 7, /* */
        0,    0,    1,    8,    3,    'a', 'b',  'c',                       /* */
        0xac, 0x02, 0xa0, 0x97, 0x3d, 6,   0xac, 0x02, 0,
    };
    struct buffer packed = {0};
    cr_expect_eq(log_pack(log, 0, 3, SIZE_MAX, &packed), 3);
    cr_assert_eq(packed.size, sizeof expected);
    cr_expect_arr_eq(packed.data, expected, sizeof expected);
    buffer_fini(&packed);
    log_free(log);
}

enum { EVENTS = 2000, NOISE = SPILL_PIECE };

static const uint8_t *noise(void)
{
    uint8_t *bytes = mem_new(NOISE, 1);
    for (size_t i = 0; i < NOISE; i += 8)
        memcpy(bytes + i, &(uint64_t){hash_mix(i + 1)}, 8);
    return bytes;
}

/* All sizes, around those where its own size changes too. */
static uint32_t random_size(void)
{
    static const uint32_t edge[] = {0, 1, 8, 127, 128, 16383, 16384, SPILL_PIECE - 1, SPILL_PIECE};
    switch (chance(200)) {
    case 0:
        return edge[chance(sizeof edge / sizeof *edge)];
    case 1:
        return (uint32_t)chance(SPILL_PIECE + 1);
    default:
        return (uint32_t)chance(20);
    }
}

static struct log *random_log(uint64_t events, const uint8_t *bytes, bool large)
{
    struct log *log = log_new(NULL);
    uint64_t position = 0, vtime = 0;
    for (uint64_t i = 0; i < events; i++) {
        position += chance(2) ? 0 : chance(UINT64_C(1) << chance(50));
        vtime += chance(2) ? 0 : chance(UINT64_C(1) << chance(50));
        uint32_t size = large ? random_size() : (uint32_t)chance(20);
        add(log, position, vtime, (enum event_kind)(1 + chance(EVENT_LAST)),
            (uint16_t)chance(UINT16_MAX + 1), bytes + chance(NOISE - size + 1), size);
    }
    return log;
}

struct expectation {
    const struct log *log;
    uint64_t index;
};

static bool expect_event(void *ctx, const struct event *e)
{
    struct expectation *expected = ctx;
    struct event o = log_get(expected->log, expected->index++);
    cr_assert(e->position == o.position && e->vtime == o.vtime && e->kind == o.kind &&
              e->target == o.target && e->size == o.size && !memcmp(e->data, o.data, e->size));
    return true;
}

Test(log_file, what_is_packed_is_unpacked)
{
    const uint8_t *bytes = noise();
    for (random_state = 1; random_state < 5; random_state++) {
        uint64_t seed = random_state;
        struct log *log = random_log(EVENTS, bytes, true);
        struct expectation expected = {log, 0};
        while (expected.index < EVENTS) {
            struct buffer packed = {0};
            struct error err = ERROR_INIT;
            uint64_t first = expected.index, before = chance(20);
            size_t most = chance(3) ? chance(4000) : chance(3 * SPILL_PIECE);
            buffer_extend(&packed, before);
            uint64_t end = log_pack(log, first, EVENTS, most, &packed);
            cr_assert(end > first && end <= EVENTS);
            cr_assert(packed.size - before <= most || end == first + 1);
            cr_assert(log_unpack(packed.data + before, packed.size - before, end - first,
                                 expect_event, &expected, &err),
                      "%s", err.message);
            cr_assert_eq(expected.index, end);
            buffer_fini(&packed);
        }
        log_free(log);
        random_state = seed;
    }
    free((void *)bytes);
}

Test(log_file, no_more_than_asked_for)
{
    struct log *log = log_new(NULL);
    for (unsigned i = 0; i < 10; i++)
        add(log, 0, 0, EVENT_INPUT, 0, "abcde", 5);
    struct buffer packed = {0};
    cr_expect_eq(log_pack(log, 2, 9, 0, &packed), 3, "one at least");
    cr_expect_eq(packed.size, 10);
    cr_expect_eq(log_pack(log, 2, 9, 29, &packed), 4);
    cr_expect_eq(packed.size, 10 + 20);
    cr_expect_eq(log_pack(log, 2, 9, 30, &packed), 5, "what was there does not count");
    cr_expect_eq(log_pack(log, 4, 4, 30, &packed), 4);
    buffer_fini(&packed);
    log_free(log);
}

/* ---- bytes of anybody's ---- */

struct check_rules {
    struct event last;
    uint64_t events, sum;
};

static bool follows_rules(void *ctx, const struct event *e)
{
    struct check_rules *rules = ctx;
    cr_assert(e->kind >= EVENT_INPUT && e->kind <= EVENT_LAST);
    cr_assert(e->size <= SPILL_PIECE);
    cr_assert(e->position >= rules->last.position && e->position <= CLOCK_LAST);
    cr_assert(e->vtime >= rules->last.vtime && e->vtime <= CLOCK_LAST);
    for (uint32_t i = 0; i < e->size; i++)
        rules->sum += e->data[i];
    rules->last = *e;
    rules->events++;
    return true;
}

/* Of a copy of just that size, so that nothing behind it can be read. */
static bool unpacks(const uint8_t *bytes, size_t size, uint64_t count)
{
    struct check_rules rules = {0};
    struct error err = ERROR_INIT;
    uint8_t *copy = malloc(size ? size : 1);
    if (size)
        memcpy(copy, bytes, size);
    bool good = log_unpack(copy, size, count, follows_rules, &rules, &err);
    cr_assert_eq(err.code, good ? ERROR_NONE : ERROR_FORMAT);
    cr_assert(good ? rules.events == count : *err.message != 0);
    free(copy);
    return good;
}

Test(log_file, cut_anywhere_it_is_noticed)
{
    const uint8_t *bytes = noise();
    struct log *log = random_log(200, bytes, false);
    struct buffer packed = {0};
    log_pack(log, 0, 200, SIZE_MAX, &packed);
    for (size_t size = 0; size < packed.size; size++)
        cr_assert_not(unpacks(packed.data, size, 200), "%zu bytes", size);
    cr_assert(unpacks(packed.data, packed.size, 200));
    for (uint64_t count = 0; count < 300; count++)
        cr_assert_eq(unpacks(packed.data, packed.size, count), count == 200);
    cr_assert_not(unpacks(packed.data, packed.size, UINT64_MAX));
    buffer_append_byte(&packed, 0);
    cr_assert_not(unpacks(packed.data, packed.size, 200), "a byte too many");
    cr_expect(unpacks(NULL, 0, 0));
    buffer_fini(&packed);
    log_free(log);
    free((void *)bytes);
}

Test(log_file, any_other_bytes_are_refused_or_follow_the_rules)
{
    const uint8_t *bytes = noise();
    size_t good = 0;
    random_state = 7;
    for (unsigned round = 0; round < 40; round++) {
        struct log *log = random_log(50, bytes, false);
        struct buffer packed = {0};
        log_pack(log, 0, 50, SIZE_MAX, &packed);
        for (unsigned i = 0; i < 1000; i++) {
            uint8_t *mutated = malloc(packed.size);
            memcpy(mutated, packed.data, packed.size);
            for (uint64_t n = 1 + chance(4); n; n--)
                mutated[chance(packed.size)] = (uint8_t)(chance(2) ? chance(256) : 0xff);
            good += unpacks(mutated, packed.size, chance(4) ? 50 : chance(100));
            free(mutated);
        }
        buffer_fini(&packed);
        log_free(log);
    }
    cr_expect_gt(good, 1000, "changed data and stamps are as good as others");
    free((void *)bytes);
}

static bool one_unpacks(uint64_t position, uint64_t vtime, uint64_t kind, uint64_t target,
                        uint64_t size, uint64_t present)
{
    struct buffer packed = {0};
    /* After another one. */
    for (unsigned i = 0; i < 5; i++)
        buffer_append_byte(&packed, (uint8_t)(i < 3));
    pack_varint(&packed, position);
    pack_varint(&packed, vtime);
    pack_varint(&packed, kind);
    pack_varint(&packed, target);
    pack_varint(&packed, size);
    memset(buffer_extend(&packed, present), 0, present);
    bool good = unpacks(packed.data, packed.size, 2);
    buffer_fini(&packed);
    return good;
}

Test(log_file, limits)
{
    cr_expect(one_unpacks(CLOCK_LAST - 1, CLOCK_LAST - 1, EVENT_LAST, UINT16_MAX, SPILL_PIECE,
                          SPILL_PIECE));
    cr_expect_not(one_unpacks(CLOCK_LAST, 0, 1, 0, 0, 0));
    cr_expect_not(one_unpacks(UINT64_MAX, 0, 1, 0, 0, 0), "it would go down");
    cr_expect_not(one_unpacks(0, CLOCK_LAST, 1, 0, 0, 0));
    cr_expect_not(one_unpacks(0, UINT64_MAX, 1, 0, 0, 0));
    cr_expect_not(one_unpacks(0, 0, 0, 0, 0, 0));
    cr_expect_not(one_unpacks(0, 0, EVENT_LAST + 1, 0, 0, 0));
    cr_expect_not(one_unpacks(0, 0, 1 + (1 << 16), 0, 0, 0));
    cr_expect_not(one_unpacks(0, 0, 1, UINT16_MAX + 1, 0, 0));
    cr_expect_not(one_unpacks(0, 0, 1, 0, SPILL_PIECE + 1, SPILL_PIECE + 1));
    cr_expect_not(one_unpacks(0, 0, 1, 0, UINT64_MAX, 100));
    cr_expect_not(
        unpacks((const uint8_t *)"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x02\0\1\0\0", 14, 1),
        "a number of more than 64 bits");
}

static bool refuse(void *ctx, const struct event *event)
{
    (void)event;
    return error_set(ctx, ERROR_RANGE, "not this one");
}

Test(log_file, who_asked_may_refuse)
{
    struct error err = ERROR_INIT;
    cr_expect_not(log_unpack((const uint8_t *)"\0\0\1\0\0", 5, 1, refuse, &err, &err));
    cr_expect_str_eq(err.message, "not this one");
}

/* ---- replays ---- */

enum { TIP = 40000, STRETCHES = 200 };

/* A recorded session, packed in stretches. */
struct file {
    struct session s;
    struct toy toy;
    struct player player;
    struct log *log;
    uint64_t first[STRETCHES + 1];
    struct buffer packed[STRETCHES];
    size_t stretches, fetches;
    size_t lost; /* this stretch is not there; SIZE_MAX: all are */
};

static struct file *f;

static bool fetch(void *ctx, uint64_t first, uint64_t count, struct buffer *packed,
                  struct error *err)
{
    struct file *file = ctx;
    size_t i = 0;
    while (i < file->stretches && file->first[i] != first)
        i++;
    cr_assert(i < file->stretches && count == file->first[i + 1] - first);
    file->fetches++;
    if (i == file->lost)
        return error_set(err, ERROR_FORMAT, "run.bsr: chunk 7 (LOGE) is damaged");
    buffer_append(packed, file->packed[i].data, file->packed[i].size);
    return true;
}

/* The session's first `share` of ten as absent stretches, what follows appended. */
static void open_file(uint64_t seed, unsigned share)
{
    f = mem_new(1, sizeof *f);
    random_state = seed;
    f->lost = SIZE_MAX;
    session_init(&f->s, seed);
    session_live(&f->s, TIP);
    const struct log *all = f->s.log;
    uint64_t absent = log_count(all) * share / 10, first = 0;
    f->log = log_new(NULL);
    log_set_source(f->log, &(struct log_source){fetch, f});
    while (first < absent && f->stretches < STRETCHES) {
        size_t i = f->stretches++;
        f->first[i] = first;
        uint64_t end = log_pack(all, first, absent, 1 + chance(600), &f->packed[i]);
        log_append_absent(f->log, end - first, log_get(all, first).position,
                          log_get(all, end - 1).position);
        f->first[i + 1] = first = end;
    }
    for (; first < log_count(all); first++) {
        struct event e = log_get(all, first);
        log_append(f->log, &e);
    }
    toy_init(&f->toy, seed);
    f->toy.halts = f->s.toy.halts;
    for (unsigned i = 0; i < TOY_CPUS; i++)
        f->toy.machine.state.last_step[i] = UINT64_MAX; /* none yet */
    f->player = (struct player){.machine = &f->toy.machine, .log = f->log};
    player_attach(&f->player, 0);
}

static void close_file(void)
{
    for (size_t i = 0; i < f->stretches; i++)
        buffer_fini(&f->packed[i]);
    toy_fini(&f->toy);
    log_free(f->log);
    session_fini(&f->s);
    free(f);
}

static void expect_mark(const struct mark *mark)
{
    cr_assert_eq(player_run(&f->player, mark->position), MACHINE_LIMIT, "%s",
                 f->player.failure.message);
    cr_assert_eq(machine_position(&f->toy.machine), mark->position);
    cr_assert_eq(f->player.next, mark->next);
    cr_assert_eq(session_digest(&f->toy), mark->digest, "at %zu the state differs",
                 (size_t)mark->position);
}

Test(log_file, a_replay_of_absent_events_is_the_same)
{
    for (uint64_t seed = 1; seed <= 6; seed++) {
        open_file(seed, seed % 2 ? 10 : 7);
        cr_expect_gt(f->stretches, 10);
        for (size_t i = 0; i < f->s.marks; i++)
            expect_mark(&f->s.mark[i]);
        for (uint64_t i = 0; i < log_count(f->log); i++) {
            struct event e = log_get(f->log, i);
            expect_event(&(struct expectation){f->s.log, i}, &e);
        }
        cr_expect_eq(f->fetches, f->stretches, "each once");
        cr_expect_eq(log_data_bytes(f->log), log_data_bytes(f->s.log));
        cr_expect_eq(log_failure(f->log), NULL);
        close_file();
    }
}

Test(log_file, only_what_a_replay_needs_is_fetched)
{
    open_file(9, 10);
    cr_assert_gt(f->stretches, 20);
    const struct mark *from = &f->s.mark[f->s.marks / 16 * 8 + 7], *to = from + 1;
    session_restore(&f->toy, from);
    player_attach(&f->player, from->next);
    cr_expect_eq(f->fetches, 0, "%zu", f->fetches);
    expect_mark(to);
    cr_expect_gt(f->fetches, 0);
    cr_expect_leq(f->fetches, 3, "%zu of %zu", f->fetches, f->stretches);
    close_file();
}

Test(log_file, from_any_state_in_any_order)
{
    open_file(10, 8);
    for (unsigned round = 0; round < 100; round++) {
        size_t from = chance(f->s.marks / 8) * 8 + 7;
        size_t to = from + chance(f->s.marks - from);
        session_restore(&f->toy, &f->s.mark[from]);
        player_attach(&f->player, f->s.mark[from].next);
        expect_mark(&f->s.mark[to]);
    }
    close_file();
}

/* Up to the first event that is not there all is as it was; there the replay says so. */
Test(log_file, a_replay_ends_where_events_are_lost)
{
    for (uint64_t seed = 20; seed < 26; seed++) {
        open_file(seed, 10);
        uint64_t first, end, position;
        do {
            f->lost = chance(f->stretches);
            first = f->first[f->lost];
            end = f->first[f->lost + 1];
            position = log_get(f->s.log, first).position;
        } while (position > f->s.mark[f->s.marks - 1].position);
        size_t i = 0;
        for (; i < f->s.marks && f->s.mark[i].position < position; i++)
            expect_mark(&f->s.mark[i]);
        cr_assert_lt(i, f->s.marks);
        cr_expect_eq(player_run(&f->player, TIP), MACHINE_HALTED);
        cr_expect_eq(f->player.failure.code, ERROR_DIVERGED);
        char text[160];
        snprintf(text, sizeof text, "events %zu to %zu: run.bsr: chunk 7 (LOGE) is damaged",
                 (size_t)first, (size_t)end - 1);
        cr_expect_str_eq(f->player.failure.message, text);
        cr_expect_str_eq(log_failure(f->log), text);
        cr_expect_leq(machine_position(&f->toy.machine), position + 1);
        cr_expect_eq(player_run(&f->player, TIP), MACHINE_HALTED, "it goes no further");
        struct event e = log_get(f->log, end - 1);
        cr_expect(e.kind == 0 && e.position == position && e.size == 0);
        struct buffer packed = {0};
        cr_expect_eq(log_pack(f->log, 0, log_count(f->log), SIZE_MAX, &packed), first);
        cr_expect_eq(log_pack(f->log, first, log_count(f->log), SIZE_MAX, &packed), first);
        buffer_fini(&packed);
        /* Behind them all is well again. */
        for (i = 7; i < f->s.marks && f->s.mark[i].next < end; i += 8)
            ;
        if (i < f->s.marks) {
            session_restore(&f->toy, &f->s.mark[i]);
            player_attach(&f->player, f->s.mark[i].next);
            expect_mark(&f->s.mark[f->s.marks - 1]);
        }
        close_file();
    }
}

Test(log_file, what_does_not_follow_the_format_is_lost)
{
    open_file(30, 10);
    size_t i = f->stretches / 2;
    f->packed[i].size--;
    cr_expect_eq(log_get(f->log, f->first[i]).kind, 0);
    cr_expect(strstr(log_failure(f->log), "is cut off"), "%s", log_failure(f->log));
    cr_expect_neq(log_get(f->log, f->first[i + 1]).kind, 0);
    /* Another stretch than it says. */
    f->packed[i].size++;
    buffer_clear(&f->packed[3]);
    log_pack(f->s.log, f->first[4], f->first[4] + f->first[4] - f->first[3], SIZE_MAX,
             &f->packed[3]);
    size_t bytes = log_bytes(f->log);
    cr_expect_eq(log_get(f->log, f->first[3]).kind, 0);
    cr_expect(strstr(log_failure(f->log), "one is at position"), "%s", log_failure(f->log));
    cr_expect_eq(log_bytes(f->log), bytes, "nothing of it is kept");
    close_file();
}

/* What no recorder logs. */
Test(log_file, input_of_nothing_is_no_input)
{
    open_file(31, 0);
    log_free(f->log);
    f->log = log_new(NULL);
    add(f->log, 10, 80, EVENT_INPUT, 15, NULL, 0);
    f->player.log = f->log;
    player_attach(&f->player, 0);
    cr_expect_eq(player_run(&f->player, TIP), MACHINE_HALTED);
    cr_expect(strstr(f->player.failure.message, "no room for 0 bytes"), "%s",
              f->player.failure.message);
    close_file();
}
