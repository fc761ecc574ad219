/* Who writes memory, and from which position on it is written: a copy of memory to which a replay's
 * hits are applied is what seeks show, position by position. */
#include "replay/player.h"
#include "tests/unit/replay/session.h"

#include <criterion/criterion.h>
#include <stdlib.h>

enum { TIP = 3000, HITS = 60000, BYTES = TOY_PAGES << RAM_PAGE_BITS };

struct noted {
    struct hit hit;
    uint8_t *after;
};

struct notes {
    struct noted list[HITS];
    unsigned count;
};

static struct notes notes, others;
static struct session s;
static struct toy toy;
static struct player player;
static struct watch_range all_memory[] = {{0, UINT64_MAX, HIT_WRITE}};

static bool note_hit(void *ctx, const struct hit *hit)
{
    struct notes *n = ctx;
    cr_assert(n->count < HITS);
    cr_assert(hit->after && hit->kinds == (HIT_WRITE | HIT_PHYSICAL));
    n->list[n->count] = (struct noted){*hit, mem_new(hit->size, 1)};
    memcpy(n->list[n->count++].after, hit->after, hit->size);
    return false;
}

static void forget(struct notes *n)
{
    while (n->count)
        free(n->list[--n->count].after);
}

static void open_session(uint64_t seed)
{
    session_init(&s, seed);
    s.toy.dma = true;
    s.toy.asks = seed % 2;
    session_live(&s, TIP);
}

static void open_player(uint64_t seed, hit_fn *hit, void *ctx)
{
    toy_init(&toy, seed);
    toy.halts = s.toy.halts;
    toy.dma = s.toy.dma;
    toy.asks = s.toy.asks;
    player = (struct player){.machine = &toy.machine, .log = s.log};
    player_attach(&player, 0);
    struct points points = {.physical = all_memory, .physical_count = 1, .hit = hit, .ctx = ctx};
    if (hit)
        machine_set_points(&toy.machine, &points);
}

/* It may halt right there. */
static void replay_to(uint64_t n)
{
    player_run(&player, n);
    cr_assert_eq(player.failure.code, ERROR_NONE, "%s", player.failure.message);
    cr_assert_eq(machine_position(&toy.machine), n);
}

static void apply(uint8_t *shadow, const struct noted *n)
{
    memcpy(shadow + (n->hit.address - TOY_BASE), n->after, n->hit.size);
}

static unsigned first_position(const struct hit *hit)
{
    /* An event at position 0 is there from the beginning. */
    return hit->writer != WRITTEN_BY_HART && hit->writer != WRITTEN_BY_DEVICE && !hit->position;
}

Test(writers, seeks_show_what_hits_say)
{
    static uint8_t shadow[BYTES], start[BYTES];
    unsigned by[5] = {0};
    for (uint64_t seed = 100; seed < 112; seed++) {
        open_session(seed);
        open_player(seed, note_hit, &notes);
        memcpy(start, toy.machine.ram.host, BYTES);
        replay_to(TIP);
        uint64_t digest = session_digest(&toy);
        toy_fini(&toy);

        open_player(seed, NULL, NULL);
        memcpy(shadow, start, BYTES);
        for (uint64_t n = 0, i = 0; n <= TIP; n++) {
            replay_to(n);
            while (i < notes.count &&
                   (notes.list[i].hit.position < n || (!n && first_position(&notes.list[i].hit))))
                apply(shadow, &notes.list[i++]);
            if (memcmp(shadow, toy.machine.ram.host, BYTES) != 0) {
                unsigned at = 0;
                while (shadow[at] == toy.machine.ram.host[at])
                    at++;
                cr_assert(false, "seed %lu: position %lu shows %#x", seed, n, at);
            }
        }
        cr_assert_eq(session_digest(&toy), digest);
        for (unsigned i = 0; i < notes.count; i++) {
            const struct hit *hit = &notes.list[i].hit;
            by[hit->writer]++;
            cr_assert_eq(hit->behind, hit->writer != WRITTEN_BY_HART);
            if (hit->writer == WRITTEN_BY_DEVICE)
                cr_assert_str_eq(hit->device, "toy");
            else
                cr_assert_null(hit->device);
        }
        toy_fini(&toy);
        forget(&notes);
        session_fini(&s);
    }
    cr_assert(by[WRITTEN_BY_HART] > 1000 && by[WRITTEN_BY_DEVICE] > 1000 &&
                  by[WRITTEN_BY_DEBUGGER] > 20 && by[WRITTEN_BY_RESET] > 5,
              "%u %u %u %u", by[WRITTEN_BY_HART], by[WRITTEN_BY_DEVICE], by[WRITTEN_BY_DEBUGGER],
              by[WRITTEN_BY_RESET]);
}

static bool same_note(const struct noted *a, const struct noted *b)
{
    const struct hit *x = &a->hit, *y = &b->hit;
    return x->hart == y->hart && x->position == y->position && x->address == y->address &&
           x->size == y->size && x->writer == y->writer && !memcmp(a->after, b->after, x->size);
}

static void assert_same_notes(uint64_t seed)
{
    for (unsigned i = 0; i < notes.count && i < others.count; i++)
        cr_assert(same_note(&notes.list[i], &others.list[i]), "seed %lu: %lu and %lu", seed,
                  notes.list[i].hit.position, others.list[i].hit.position);
    cr_assert_eq(notes.count, others.count);
}

Test(writers, chopping_changes_no_hit)
{
    for (uint64_t seed = 100; seed < 106; seed++) {
        open_session(seed);
        open_player(seed, note_hit, &notes);
        replay_to(TIP);
        toy_fini(&toy);
        open_player(seed, note_hit, &others);
        for (uint64_t n = 0, r = seed; n < TIP;) {
            r = hash_mix(r + 1);
            n = n + r % 25 < TIP ? n + r % 25 : TIP;
            replay_to(n);
        }
        assert_same_notes(seed);
        toy_fini(&toy);
        forget(&notes);
        forget(&others);
        session_fini(&s);
    }
}

struct stopper {
    bool wanted; /* it has said stop */
    struct hit hit;
};

static bool stop_at_some(void *ctx, const struct hit *hit)
{
    struct stopper *stopper = ctx;
    if (!hit->behind || hash_mix(hit->address ^ hit->position) % 4)
        return false;
    stopper->hit = *hit;
    stopper->wanted = true;
    return true;
}

/* Behind a write stands the machine of a seek to there, all events of the position delivered. */
Test(writers, stops_behind_writes)
{
    unsigned stops = 0, idle = 0;
    static struct toy other;
    for (uint64_t seed = 100; seed < 108; seed++) {
        struct stopper stopper = {0};
        open_session(seed);
        open_player(seed, stop_at_some, &stopper);
        struct player seeker = player;
        struct toy *seek = &other;
        toy_init(seek, seed);
        seek->halts = toy.halts;
        seek->dma = toy.dma;
        seek->asks = toy.asks;
        seeker.machine = &seek->machine;
        player_attach(&seeker, 0);
        while (player_run(&player, TIP) == MACHINE_HIT) {
            uint64_t at = machine_position(&toy.machine);
            cr_assert(toy.machine.hit_behind && stopper.wanted);
            cr_assert(at == stopper.hit.position + 1 || !at, "seed %lu: at %lu for %lu", seed, at,
                      stopper.hit.position);
            stopper.wanted = false;
            player_run(&seeker, at);
            cr_assert_eq(seeker.next, player.next, "seed %lu: at %lu", seed, at);
            cr_assert_eq(session_digest(&other), session_digest(&toy), "seed %lu: at %lu", seed,
                         at);
            stops++;
            idle += toy.machine.clock.state.idle != 0;
        }
        cr_assert(!stopper.wanted);
        cr_assert_eq(player.failure.code, ERROR_NONE, "%s", player.failure.message);
        cr_assert_eq(machine_position(&toy.machine), TIP);
        toy_fini(&other);
        toy_fini(&toy);
        session_fini(&s);
    }
    cr_assert(stops > 300 && idle > 100, "%u %u", stops, idle);
}
