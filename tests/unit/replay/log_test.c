#include "replay/log.h"

#include "base/check.h"
#include "base/hash.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum { COUNT = 5000, LONGEST = 40 };

/* Event i of a log that follows from i alone: runs of equal positions, all sizes. */
static struct event event_at(uint64_t i, uint8_t data[LONGEST])
{
    uint64_t random = hash_mix(i + 1);
    uint32_t size = (uint32_t)(random % (LONGEST + 1));
    for (uint32_t b = 0; b < size; b++)
        data[b] = (uint8_t)hash_mix(random + b);
    return (struct event){.position = i / 7 * 10,
                          .vtime = i / 3 * 100,
                          .kind = (uint16_t)(1 + random % 6),
                          .target = (uint16_t)(random >> 32),
                          .size = size,
                          .data = data};
}

static struct log *filled(void)
{
    struct log *log = log_new(NULL);
    for (uint64_t i = 0; i < COUNT; i++) {
        uint8_t data[LONGEST];
        struct event e = event_at(i, data);
        cr_assert_eq(log_append(log, &e), i);
        memset(data, 0xee, sizeof data); /* the log has a copy */
    }
    return log;
}

static bool same(const struct event *a, const struct event *b)
{
    return a->position == b->position && a->vtime == b->vtime && a->kind == b->kind &&
           a->target == b->target && a->size == b->size && !memcmp(a->data, b->data, a->size);
}

Test(log, empty)
{
    struct log *log = log_new(NULL);
    cr_expect_eq(log_count(log), 0);
    cr_expect_eq(log_after(log, 0), 0);
    cr_expect_eq(log_after(log, UINT64_MAX), 0);
    cr_expect_lt(log_bytes(log), 200);
    log_free(log);
}

Test(log, round_trip)
{
    struct log *log = filled();
    cr_expect_eq(log_count(log), COUNT);
    for (uint64_t i = 0; i < COUNT; i++) {
        uint8_t data[LONGEST];
        struct event expected = event_at(i, data), found = log_get(log, i);
        cr_assert(same(&found, &expected), "event %zu", (size_t)i);
    }
    log_free(log);
}

Test(log, data_stays_at_its_place)
{
    struct log *log = log_new(NULL);
    const uint8_t *place[COUNT];
    for (uint64_t i = 0; i < COUNT; i++) {
        uint8_t data[LONGEST];
        struct event e = event_at(i, data);
        place[i] = log_get(log, log_append(log, &e)).data;
    }
    for (uint64_t i = 0; i < COUNT; i++)
        cr_assert_eq(log_get(log, i).data, place[i]);
    log_free(log);
}

Test(log, after_is_the_first_later_event)
{
    struct log *log = filled();
    for (uint64_t position = 0; position < COUNT / 7 * 10 + 30; position++) {
        uint64_t i = 0;
        while (i < COUNT && log_get(log, i).position <= position)
            i++;
        cr_assert_eq(log_after(log, position), i, "after %zu", (size_t)position);
    }
    cr_expect_eq(log_after(log, UINT64_MAX), COUNT);
    log_free(log);
}

Test(log, bytes_cover_what_was_appended)
{
    struct log *log = log_new(NULL);
    size_t before = log_bytes(log);
    uint8_t *large = mem_new(1000000, 1);
    log_append(log, &(struct event){.kind = EVENT_MEMORY, .size = 1000000, .data = large});
    cr_expect_geq(log_bytes(log), before + 1000000);
    before = log_bytes(log);
    for (unsigned i = 0; i < COUNT; i++)
        log_append(log, &(struct event){.kind = EVENT_CLOCK, .size = 8, .data = large});
    size_t each = (log_bytes(log) - before) / COUNT;
    cr_expect_leq(each, 40, "%zu bytes for a clock value", each);
    free(large);
    log_free(log);
}

Test(log, begins_where_it_is_told)
{
    struct log *log = log_new(NULL);
    log_begin_at(log, 1000);
    cr_expect_eq(log_first(log), 1000);
    cr_expect_eq(log_count(log), 1000);
    cr_expect_eq(log_after(log, 0), 1000);
    cr_expect_eq(log_append(log, &(struct event){.position = 5, .kind = EVENT_RESET}), 1000);
    cr_expect_eq(log_get(log, 1000).position, 5);
    cr_expect_eq(log_after(log, 4), 1000);
    cr_expect_eq(log_after(log, 5), 1001);
    log_free(log);
}

/* A flight recorder's log: whatever comes, memory holds what is kept and a few pieces. */
Test(log, forgotten_events_take_no_memory)
{
    enum { EACH = 10000, KEPT = 50, ROUNDS = 20000 };
    struct spill *spill = spill_new();
    struct log *log = log_new(spill);
    uint8_t *bytes = mem_new(EACH, 1);
    for (uint64_t i = 0; i < ROUNDS; i++) {
        log_append(log, &(struct event){.kind = EVENT_INPUT, .size = EACH, .data = bytes});
        log_forget(log, i < KEPT ? 0 : i - KEPT);
        cr_assert_leq(log_bytes(log), (KEPT * EACH) + 4 * SPILL_PIECE);
        cr_assert_eq(spill_bytes(spill), 0, "nothing goes to the file");
    }
    cr_expect_eq(log_first(log), ROUNDS - 1 - KEPT);
    cr_expect_eq(log_data_bytes(log), (KEPT + 1) * EACH);
    log_forget(log, log_count(log));
    cr_expect_eq(log_data_bytes(log), 0);
    cr_expect_leq(log_bytes(log), 2 * SPILL_PIECE);
    free(bytes);
    log_free(log);
    spill_free(spill);
}

Test(log, forgotten_events_leave_the_file)
{
    enum { EACH = 500000, ALL = 100 };
    struct spill *spill = spill_new();
    struct log *log = log_new(spill);
    uint8_t *bytes = mem_new(EACH, 1);
    for (uint64_t i = 0; i < ALL; i++)
        log_append(log, &(struct event){.kind = EVENT_INPUT, .size = EACH, .data = bytes});
    size_t most = spill_bytes(spill);
    cr_expect_gt(most, 20 * SPILL_PIECE);
    log_forget(log, ALL / 2);
    cr_expect_eq(log_get(log, ALL / 2).size, EACH);
    cr_expect_lt(log_bytes(log), SPILL_PIECE, "what came first was in memory");
    cr_expect_lt(spill_bytes(spill), most);
    log_forget(log, ALL);
    cr_expect_leq(spill_bytes(spill), SPILL_PIECE);
    free(bytes);
    log_free(log);
    spill_free(spill);
}

Test(log, forgotten_events_are_gone, .signal = SIGABRT)
{
    struct log *log = filled();
    log_forget(log, 10);
    log_get(log, 9);
}

Test(log, positions_never_go_down, .signal = SIGABRT)
{
    struct log *log = log_new(NULL);
    log_append(log, &(struct event){.position = 10, .kind = EVENT_RESET});
    log_append(log, &(struct event){.position = 9, .kind = EVENT_RESET});
}

/* ---- branches ---- */

/* Three logs in a row, each with a part of the one before, against a list of positions. */
Test(log, branches_read_their_parents)
{
    enum { EVENTS = 3000, LOGS = 3 };
    struct log *log[LOGS] = {log_new(NULL)};
    uint64_t position[LOGS][EVENTS], count[LOGS] = {0};
    uint64_t state = 7;
    for (unsigned l = 0; l < LOGS; l++) {
        if (l) {
            count[l] = count[l - 1] / 2 + l;
            memcpy(position[l], position[l - 1], sizeof position[l]);
            log[l] = log_branch(NULL, log[l - 1], count[l]);
            cr_assert_eq(log_count(log[l]), count[l]);
        }
        uint64_t last = count[l] ? position[l][count[l] - 1] : 0;
        for (unsigned i = 0; i < 1500; i++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            last += (state >> 60) % 4;
            log_append(log[l], &(struct event){.position = last,
                                               .kind = EVENT_INPUT,
                                               .target = (uint16_t)l,
                                               .size = 1,
                                               .data = (const uint8_t *)"abc" + l});
            position[l][count[l]++] = last;
        }
    }
    log_forget(log[0], 100);
    for (unsigned l = 0; l < LOGS; l++) {
        cr_assert_eq(log_first(log[l]), 100);
        cr_assert_eq(log_count(log[l]), count[l]);
        for (uint64_t i = 100, n = 0; i < count[l]; i++) {
            struct event e = log_get(log[l], i);
            cr_assert_eq(e.position, position[l][i]);
            cr_assert_eq(e.data[0], 'a' + e.target);
            for (; n < position[l][i]; n++)
                cr_assert(n < position[l][100] || log_after(log[l], n) == i, "log %u", l);
        }
        cr_assert_eq(log_after(log[l], position[l][count[l] - 1]), count[l]);
    }
    for (unsigned l = LOGS; l-- > 0;)
        log_free(log[l]);
}
