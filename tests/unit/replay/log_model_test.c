/* A log against a plain array: appended, absent and forgotten events in any order. */
#include "replay/log.h"

#include "base/check.h"
#include "base/hash.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 40000, STRETCHES = 400, NOISE = 2 << 20 };

struct stretch {
    uint64_t first, count;
    uint64_t position; /* none is before */
    bool lost;         /* the source does not have it */
    bool known;
};

/* Events as the log must answer them. */
struct model {
    struct event event[MOST];   /* data within `noise` */
    const uint8_t *place[MOST]; /* where the log has their data, NULL: not asked yet */
    uint64_t first, count;
    uint64_t position, vtime; /* of the last event, at least */
    struct stretch stretch[STRETCHES];
    size_t stretches;
    unsigned fetches;
    bool looking;
    uint8_t noise[NOISE];
    uint64_t random;
};

static struct model *m;
static struct spill *spill;
static struct log *tested;

static uint64_t chance(uint64_t below)
{
    m->random = hash_mix(m->random + 0x9e3779b97f4a7c15u);
    return (m->random >> 11) % below;
}

/* The stretch that holds an event; NULL: it was appended. */
static struct stretch *stretch_of(uint64_t index)
{
    for (size_t i = 0; i < m->stretches; i++)
        if (index - m->stretch[i].first < m->stretch[i].count)
            return &m->stretch[i];
    return NULL;
}

static bool fetch(void *ctx, uint64_t first, uint64_t count, struct buffer *packed,
                  struct error *err)
{
    cr_assert_eq(ctx, m);
    struct stretch *s = stretch_of(first);
    cr_assert(s && s->first == first && s->count == count, "whole stretches");
    cr_assert(m->looking && !s->known, "once, when it is looked at");
    s->known = true;
    m->fetches++;
    if (s->lost)
        return error_set(err, ERROR_IO, "stretch %zu is lost", (size_t)(s - m->stretch));
    struct log *some = log_new(NULL);
    for (uint64_t i = first; i < first + count; i++)
        log_append(some, &m->event[i]);
    cr_assert_eq(log_pack(some, 0, count, SIZE_MAX, packed), count);
    log_free(some);
    return true;
}

static void open_model(uint64_t seed, bool with_file)
{
    m = mem_new(1, sizeof *m);
    m->random = seed;
    for (size_t i = 0; i < NOISE; i += 8)
        memcpy(m->noise + i, &(uint64_t){hash_mix(i + 1)}, 8);
    spill = with_file ? spill_new() : NULL;
    tested = log_new(spill);
    m->first = m->count = chance(2) * chance(1000);
    log_begin_at(tested, m->first);
    log_set_source(tested, &(struct log_source){fetch, m});
}

static void close_model(void)
{
    log_free(tested);
    if (spill)
        spill_free(spill);
    free(m);
}

static uint32_t random_size(void)
{
    switch (chance(200)) {
    case 0:
        return (uint32_t)chance(SPILL_PIECE / 8);
    case 1 ... 20:
        return (uint32_t)chance(2000);
    default:
        return (uint32_t)chance(17);
    }
}

/* What comes behind the model's last event. */
static struct event next_event(void)
{
    m->position += chance(3) ? 0 : chance(10);
    m->vtime += chance(100);
    struct event e = {.position = m->position, .vtime = m->vtime};
    e.kind = (uint16_t)(1 + chance(EVENT_LAST));
    e.target = (uint16_t)chance(UINT16_MAX + 1);
    e.size = random_size();
    e.data = m->noise + chance(NOISE - e.size);
    return e;
}

static void append(void)
{
    for (uint64_t n = chance(300); n && m->count < MOST; n--) {
        m->event[m->count] = next_event();
        cr_assert_eq(log_append(tested, &m->event[m->count]), m->count);
        m->count++;
    }
}

/* The bounds that the log is told may lie a little outside. */
static void append_absent(void)
{
    if (m->stretches == STRETCHES || m->count == MOST)
        return;
    struct stretch *s = &m->stretch[m->stretches++];
    *s = (struct stretch){.first = m->count, .position = m->position, .lost = chance(6) == 0};
    m->position += chance(4);
    for (uint64_t n = 1 + chance(chance(4) ? 50 : 3000); n && m->count < MOST; n--, s->count++)
        m->event[m->count++] = next_event();
    m->position += chance(4);
    log_append_absent(tested, s->count, s->position, m->position);
    for (uint64_t i = s->first; s->lost && i < m->count; i++)
        m->event[i] = (struct event){.position = s->position, .data = m->noise};
}

static void expect_same(uint64_t index)
{
    struct event found = log_get(tested, index);
    const struct event *e = &m->event[index];
    cr_assert(found.position == e->position && found.vtime == e->vtime && found.kind == e->kind &&
                  found.target == e->target && found.size == e->size,
              "event %zu", (size_t)index);
    cr_assert(memcmp(found.data, e->data, e->size) == 0, "data of event %zu", (size_t)index);
    cr_assert(!m->place[index] || m->place[index] == found.data, "data of %zu has moved",
              (size_t)index);
    m->place[index] = found.data;
    if (e->kind)
        return;
    struct stretch *s = stretch_of(index);
    char text[120];
    snprintf(text, sizeof text, "events %zu to %zu: stretch %zu is lost", (size_t)s->first,
             (size_t)(s->first + s->count - 1), (size_t)(s - m->stretch));
    cr_assert_str_eq(log_failure(tested), text);
}

static void look(void)
{
    m->looking = true;
    for (uint64_t n = chance(40); n && m->count > m->first; n--)
        expect_same(m->first + chance(m->count - m->first));
    m->looking = false;
}

static uint64_t after(uint64_t position)
{
    uint64_t i = m->first;
    while (i < m->count && m->event[i].position <= position)
        i++;
    return i;
}

static void seek(void)
{
    m->looking = true;
    for (uint64_t n = chance(10); n; n--) {
        uint64_t position = chance(m->position + 10);
        cr_assert_eq(log_after(tested, position), after(position), "after %zu", (size_t)position);
    }
    for (size_t i = 0; i < m->stretches; i++) {
        const struct stretch *s = &m->stretch[i];
        if (s->first <= m->first || s->known)
            continue;
        uint64_t before = s->position - 1;
        cr_assert_eq(log_after(tested, before), after(before));
        cr_assert_not(s->known, "what is behind it need not be looked at");
    }
    m->looking = false;
}

static void forget(void)
{
    uint64_t kept = m->count - m->first, some = chance(4) ? chance(kept / 8 + 1) : chance(kept + 1);
    log_forget(tested, m->first + some);
    m->first += some;
    log_forget(tested, chance(m->first + 1));
}

static void expect_counts(void)
{
    cr_assert_eq(log_first(tested), m->first);
    cr_assert_eq(log_count(tested), m->count);
    uint64_t bytes = 0;
    size_t s = 0;
    for (uint64_t i = m->first; i < m->count; i++) {
        while (s < m->stretches && i >= m->stretch[s].first + m->stretch[s].count)
            s++;
        bool absent = s < m->stretches && i >= m->stretch[s].first && !m->stretch[s].known;
        bytes += absent ? 0 : m->event[i].size;
    }
    cr_assert_eq(log_data_bytes(tested), bytes);
    cr_assert_geq(log_bytes(tested) + (spill ? spill_bytes(spill) : 0), bytes);
}

static void run(uint64_t seed, unsigned forgets)
{
    open_model(seed, seed % 2);
    while (m->count < MOST) {
        switch (chance(8)) {
        case 0 ... 1:
            append();
            break;
        case 2:
            append_absent();
            break;
        case 3:
            for (unsigned n = 0; n < forgets; n++)
                forget();
            break;
        case 4:
            seek();
            break;
        default:
            look();
        }
        expect_counts();
    }
    m->looking = true;
    for (uint64_t i = m->first; i < m->count; i++)
        expect_same(i);
    cr_expect_gt(m->fetches, 0);
    close_model();
}

Test(log_model, everything)
{
    for (uint64_t seed = 1; seed <= 6; seed++)
        run(seed, 1);
}

Test(log_model, nothing_forgotten)
{
    for (uint64_t seed = 11; seed <= 14; seed++)
        run(seed, 0);
}

/* Looked at seldom, so that stretches are forgotten in part before they are fetched. */
Test(log_model, forgotten_before_looked_at)
{
    for (uint64_t seed = 21; seed <= 40; seed++) {
        open_model(seed, seed % 2);
        for (unsigned round = 0; round < 10 && m->count < MOST; round++) {
            append();
            for (unsigned n = 0; n < 4; n++)
                append_absent();
            forget();
            expect_counts();
            look();
            expect_counts();
        }
        close_model();
    }
}

/* ---- single cases ---- */

static bool never(void *ctx, uint64_t first, uint64_t count, struct buffer *packed,
                  struct error *err)
{
    (void)ctx;
    (void)first;
    (void)count;
    (void)packed;
    (void)err;
    cr_assert_fail("nothing was looked at");
    return false;
}

Test(log_model, absent_stretches_take_nothing_until_looked_at)
{
    struct log *some = log_new(NULL);
    log_set_source(some, &(struct log_source){never, NULL});
    for (uint64_t i = 0; i < 1000; i++)
        log_append_absent(some, UINT64_C(1) << 50, 100 * i, 100 * i + 50);
    cr_expect_eq(log_count(some), UINT64_C(1000) << 50);
    cr_expect_lt(log_bytes(some), 200000);
    cr_expect_eq(log_after(some, 50), UINT64_C(1) << 50, "behind a stretch");
    cr_expect_eq(log_after(some, 99), UINT64_C(1) << 50, "between two");
    cr_expect_eq(log_after(some, 51 + 100 * 998), UINT64_C(999) << 50);
    cr_expect_eq(log_after(some, UINT64_MAX), log_count(some));
    uint64_t index = log_append(some, &(struct event){.position = 100000, .kind = EVENT_RESET});
    cr_expect_eq(index, UINT64_C(1000) << 50, "the run goes on");
    cr_expect_eq(log_get(some, index).kind, EVENT_RESET);
    log_forget(some, index);
    cr_expect_eq(log_after(some, 0), index);
    cr_expect_eq(log_failure(some), NULL);
    log_free(some);
}

Test(log_model, nothing_comes_before_an_absent_stretch, .signal = SIGABRT)
{
    struct log *some = log_new(NULL);
    log_set_source(some, &(struct log_source){never, NULL});
    log_append_absent(some, 5, 10, 20);
    log_append(some, &(struct event){.position = 19, .kind = EVENT_RESET});
}

Test(log_model, time_goes_on_behind_an_absent_stretch, .signal = SIGABRT)
{
    struct log *some = log_new(NULL);
    log_set_source(some, &(struct log_source){never, NULL});
    log_append(some, &(struct event){.position = 9, .vtime = 50, .kind = EVENT_RESET});
    log_append_absent(some, 5, 10, 20);
    log_append(some, &(struct event){.position = 20, .vtime = 49, .kind = EVENT_RESET});
}
