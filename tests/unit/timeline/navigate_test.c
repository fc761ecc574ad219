/* Random sequences of movements, every stop compared with brute force over the trace of a straight
 * run, and the state there with the state of the straight run. BACKSTEP_SEED runs one seed alone,
 * BACKSTEP_FULL many more. */
#include "tests/unit/timeline/model.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

struct walker {
    const struct guest *guest;
    struct model model;
    struct bench bench;
    struct random random;
    struct random reopening; /* of its own: seeds of old stay what they were */
    char *path;              /* being recorded; NULL: no */
    struct buffer log;       /* what was done so far */
};

/* Addresses that matter: of steps and accesses, so that hot ones are chosen often. */
static uint64_t some_pc(struct walker *w)
{
    const struct trace *t = w->model.t;
    const struct step *s = &t->step[random_below(&w->random, t->steps)];
    /* Rare ones: what an interrupt kept from running. */
    for (unsigned i = 0; i < 200 && random_below(&w->random, 8) == 0 && !s->interrupt; i++)
        s = &t->step[random_below(&w->random, t->steps)];
    return s->pc;
}

static struct model_point some_point(struct walker *w)
{
    static const unsigned kinds[] = {HIT_READ, HIT_WRITE, HIT_READ | HIT_WRITE};
    static const uint64_t sizes[] = {1, 1, 2, 3, 4, 8, 8, 13, 64, 5000};
    const struct trace *t = w->model.t;
    if (random_below(&w->random, 2))
        return (struct model_point){.kinds = HIT_EXECUTE, .address = some_pc(w)};
    struct model_point p = {.kinds = kinds[random_below(&w->random, 3)]};
    p.size = sizes[random_below(&w->random, sizeof sizes / sizeof *sizes)];
    p.address = t->access[random_below(&w->random, t->accesses)].address;
    p.address += random_below(&w->random, 12);
    p.address -= random_below(&w->random, 2) ? random_below(&w->random, p.size + 4) : 0;
    if (random_below(&w->random, 200) == 0)
        p.size = UINT64_MAX; /* clipped at the end of the address space */
    return p;
}

static bool same_point(const struct model_point *a, const struct model_point *b)
{
    return a->kinds == b->kinds && a->address == b->address && a->size == b->size;
}

static unsigned find_point(const struct model *m, const struct model_point *p)
{
    unsigned i = 0;
    while (i < m->points && !same_point(&m->point[i], p))
        i++;
    return i;
}

static void change_points(struct walker *w)
{
    struct model *m = &w->model;
    struct timeline *tl = w->bench.tl;
    model_points_changed(m);
    if (random_below(&w->random, 40) == 0) {
        timeline_points_clear(tl);
        m->points = 0;
        buffer_append_string(&w->log, "clear; ");
        return;
    }
    if (m->points && random_below(&w->random, 2)) {
        unsigned i = random_below(&w->random, m->points);
        struct model_point p = m->point[i];
        cr_assert(timeline_point_remove(tl, p.kinds, p.address, p.size));
        cr_assert_not(timeline_point_remove(tl, p.kinds, p.address, p.size));
        m->point[i] = m->point[--m->points];
        buffer_printf(&w->log, "remove %u %#" PRIx64 " %" PRIu64 "; ", p.kinds, p.address, p.size);
    } else if (m->points < MODEL_POINTS) {
        struct model_point p = some_point(w);
        timeline_point_add(tl, p.kinds, p.address, p.size);
        if (find_point(m, &p) == m->points)
            m->point[m->points++] = p;
        buffer_printf(&w->log, "add %u %#" PRIx64 " %" PRIu64 "; ", p.kinds, p.address, p.size);
    }
}

static uint64_t near(struct walker *w, uint64_t position, uint64_t most)
{
    static const uint64_t reach[] = {1, 10, 100, 1000, 100000};
    uint64_t d = random_below(&w->random, 1 + reach[random_below(&w->random, 5)]);
    if (random_below(&w->random, 2))
        return position > d ? position - d : 0;
    return position + d < most ? position + d : most;
}

static struct model_move some_move(struct walker *w)
{
    struct model *m = &w->model;
    struct model_move move = {.op = (enum model_op)random_below(&w->random, MODEL_OPS)};
    move.hart = random_below(&w->random, m->t->harts);
    bool live = m->position == m->tip;
    /* Live movements are the minority: there must be a future left to make. */
    if (live && move.op < OP_REVERSE_CONTINUE && random_below(&w->random, 3))
        move.op = OP_REVERSE_CONTINUE + random_below(&w->random, 3);
    if (move.op == OP_CONTINUE_TO && !live)
        move.op = OP_STEP;
    if (move.op == OP_CONTINUE && live && random_below(&w->random, 8))
        move.op = OP_CONTINUE_TO;
    if (move.op == OP_CONTINUE_TO) {
        move.target = m->position + random_below(&w->random, 300);
        if (move.target > m->t->steps)
            move.target = m->t->steps;
    }
    if (move.op == OP_SEEK) {
        move.target = random_below(&w->random, 3) ? near(w, m->position, m->tip)
                                                  : random_below(&w->random, m->tip + 1);
        if (random_below(&w->random, 12) == 0)
            move.target = m->tip;
        if (random_below(&w->random, 50) == 0)
            move.target = UINT64_MAX - random_below(&w->random, 2);
    }
    if (move.op == OP_RANGE) {
        uint64_t pc = m->t->pc[m->position * m->t->harts + move.hart];
        move.low = pc - random_below(&w->random, 40);
        move.high = pc + random_below(&w->random, 60);
        if (random_below(&w->random, 10) == 0)
            move.low = GUEST_BASE, move.high = GUEST_BASE + GUEST_BYTES;
    }
    return move;
}

/* Drive it to its stop: at once, or in slices, or interrupted on the way. */
static bool drive(struct walker *w, struct stop *stop)
{
    struct timeline *tl = w->bench.tl;
    if (random_below(&w->random, 3)) {
        timeline_finish(tl, stop);
        return false;
    }
    uint64_t slice = random_below(&w->random, 2) ? 1 : 20000;
    uint64_t after = random_below(&w->random, 2) ? random_below(&w->random, 20) : UINT64_MAX;
    for (uint64_t i = 0;; i++) {
        if (i == after)
            timeline_interrupt(tl);
        cr_assert(timeline_moving(tl));
        enum timeline_status status = timeline_advance(tl, slice, stop);
        if (status == TIMELINE_STOPPED)
            break;
        cr_assert_eq(status, TIMELINE_RUNNING, "idle in a guest that never is");
    }
    return after != UINT64_MAX;
}

static void check_place(struct walker *w, const struct stop *stop, uint64_t seed)
{
    struct model *m = &w->model;
    struct timeline *tl = w->bench.tl;
    const char *done = buffer_text(&w->log);
    cr_assert_eq(timeline_position(tl), stop->position, "seed %lu: %s", seed, done);
    cr_assert_eq(timeline_tip(tl), m->tip, "seed %lu: tip %lu, %lu is right: %s", seed,
                 timeline_tip(tl), m->tip, done);
    cr_assert_eq(timeline_begin(tl), 0);
    cr_assert_eq(timeline_live(tl), m->position == m->tip, "seed %lu: %s", seed, done);
    cr_assert_not(timeline_moving(tl));
    bench_check(&w->bench, m->t, seed, done);
    struct timeline_info info;
    timeline_info(tl, &info);
    /* Marks and the log are never dropped, nor the last few checkpoints. */
    bool least = info.checkpoints <= 32;
    cr_assert(info.bytes <= info.budget || least,
              "seed %lu: %lu bytes of %lu, %lu of frames, %lu of log, "
              "%lu checkpoints: %s",
              seed, info.bytes, info.budget, info.frame_bytes, info.log_bytes, info.checkpoints,
              done);
}

static void one_move(struct walker *w, uint64_t seed)
{
    struct model_move move = some_move(w);
    struct answers answers;
    struct stop stop;
    model_answers(&w->model, &move, &answers);
    model_describe(&w->model, &move, &answers, &w->log);
    model_begin_move(w->bench.tl, &move);
    bool interrupted = drive(w, &stop);
    buffer_printf(&w->log,
                  "; got reason %d at %" PRIu64 " hart %u kinds %u address %#" PRIx64 "%s\n",
                  stop.reason, stop.position, stop.hart, stop.kinds, stop.address,
                  interrupted ? " (interrupted)" : "");
    cr_assert_neq(stop.reason, STOP_DIVERGED, "seed %lu: %s\n%s", seed, stop.text,
                  buffer_text(&w->log));
    const char *wrong = model_take(&w->model, &move, &answers, &stop, interrupted);
    cr_assert_null(wrong, "seed %lu: %s: %s", seed, wrong, buffer_text(&w->log));
    if (stop.reason == STOP_DONE && move.op != OP_SEEK && move.op != OP_CONTINUE_TO)
        cr_assert_eq(stop.hart, move.hart, "seed %lu: %s", seed, buffer_text(&w->log));
    check_place(w, &stop, seed);
}

static void close_recording(struct walker *w, uint64_t seed)
{
    struct error err = ERROR_INIT;
    cr_assert(timeline_record_close(w->bench.tl, &err), "seed %lu: %s", seed, err.message);
}

/* Recorded from now on, or closed and opened again, or saved and opened again. */
static void reopen(struct walker *w, uint64_t seed)
{
    struct error err = ERROR_INIT;
    struct timeline *tl = w->bench.tl;
    if (!w->path && random_below(&w->reopening, 2)) {
        struct recording_options o = {.content = &bench_content};
        o.path = w->path = bench_path();
        cr_assert(timeline_record(tl, &o, &err), "seed %lu: %s", seed, err.message);
        buffer_append_string(&w->log, "record; ");
        return;
    }
    char *path = w->path;
    if (path) {
        buffer_append_string(&w->log, "close and open; ");
        close_recording(w, seed);
        w->path = NULL;
    } else {
        path = bench_path();
        buffer_append_string(&w->log, "save and open; ");
        cr_assert(timeline_save(tl, path, &bench_content, 0, UINT64_MAX, &err), "seed %lu: %s: %s",
                  seed, err.message, buffer_text(&w->log));
        bench_check(&w->bench, w->model.t, seed, buffer_text(&w->log));
    }
    bench_reopen(&w->bench, w->guest, path);
    unlink(path);
    free(path);
    struct model *m = &w->model;
    m->position = m->tip;
    m->reported = REPORTED_NO;
    for (unsigned i = 0; i < m->points; i++)
        timeline_point_add(w->bench.tl, m->point[i].kinds, m->point[i].address, m->point[i].size);
    struct stop stop = {.position = m->tip};
    check_place(w, &stop, seed);
}

static void sequence(const struct guest *g, const struct trace *t, uint64_t seed, unsigned moves)
{
    static const uint64_t spacing[] = {64, 250, 700, 1000, 5000, 1000000, 0};
    struct walker w = {
        .guest = g, .model = {.t = t}, .random = {seed}, .reopening = {seed + 1000000}};
    bool reopens = random_below(&w.reopening, 3) == 0;
    struct timeline_options o = {.warp = true};
    o.spacing_steps = spacing[random_below(&w.random, sizeof spacing / sizeof *spacing)];
    /* Dense ones make every replay slow, each mark being compared. */
    if (random_below(&w.random, 10) == 0) {
        o.spacing_steps = 1 + random_below(&w.random, 20);
        moves /= 4;
    }
    if (random_below(&w.random, 3) == 0)
        o.budget = (600 << 10) + random_below(&w.random, 1 << 20);
    bench_init(&w.bench, g, &o);
    buffer_printf(&w.log, "spacing %" PRIu64 " budget %zu\n", o.spacing_steps, o.budget);
    uint64_t first = random_below(&w.random, t->steps);
    bench_live(&w.bench, NULL, 0, first);
    bench_check(&w.bench, t, seed, "live");
    w.model.position = w.model.tip = first;
    for (unsigned i = 0; i < moves; i++) {
        if (random_below(&w.random, 3) == 0)
            change_points(&w);
        one_move(&w, seed);
        if (reopens && random_below(&w.reopening, 12) == 0)
            reopen(&w, seed);
        if (w.log.size > 6000)
            buffer_consume(&w.log, w.log.size - 3000);
    }
    if (w.path) {
        close_recording(&w, seed);
        unlink(w.path);
        free(w.path);
    }
    bench_fini(&w.bench);
    buffer_fini(&w.log);
}

static void sequences(const struct guest *g, const char *what, uint64_t cases, unsigned moves)
{
    struct trace t;
    trace_record(&t, g, NULL, 0, 200000);
    cr_assert(t.halt || t.stuck, "%s does not end", what);
    const char *only = getenv("BACKSTEP_SEED");
    if (only)
        sequence(g, &t, strtoull(only, NULL, 0), moves);
    else
        for (uint64_t seed = 1; seed <= bench_cases(cases); seed++)
            sequence(g, &t, seed, moves);
    trace_free(&t);
}

Test(navigate, one_hart)
{
    sequences(&(struct guest){.name = "storm", .rounds = 8, .period = 12}, "storm", 80, 60);
}

Test(navigate, timer_at_every_turn)
{
    sequences(&(struct guest){.name = "storm", .rounds = 2, .period = 4}, "storm", 80, 60);
}

Test(navigate, without_interrupts)
{
    sequences(&(struct guest){.name = "storm", .rounds = 12, .period = 0}, "storm", 80, 60);
}

Test(navigate, resets)
{
    sequences(&(struct guest){.name = "storm", .rounds = 1, .period = 15, .resets = 3}, "resets",
              80, 60);
}

Test(navigate, three_harts)
{
    sequences(
        &(struct guest){
            .name = "harts", .rounds = 40, .period = 30, .option = 3, .harts = 3, .quantum = 37},
        "harts", 80, 60);
}

Test(navigate, two_harts_long_turns)
{
    sequences(
        &(struct guest){
            .name = "harts", .rounds = 60, .period = 100, .option = 2, .harts = 2, .quantum = 1000},
        "harts", 80, 60);
}

/* All wait often: what follows idle time is an instruction, which can be hit. */
Test(navigate, one_hart_waiting)
{
    sequences(&(struct guest){.name = "harts", .rounds = 60, .period = 40, .option = 1}, "waiting",
              80, 60);
}

/* Seeds that have failed once, with the guests they failed on. Where a movement was interrupted on
 * the way, the host's speed decided too. */
static void again(const struct guest *g, const uint64_t *seeds, size_t count)
{
    struct trace t;
    trace_record(&t, g, NULL, 0, 200000);
    for (size_t i = 0; i < count; i++)
        sequence(g, &t, seeds[i], 60);
    trace_free(&t);
}

Test(navigate, seeds_that_failed)
{
    /* A breakpoint where the fetch sets an A bit; an interrupt during a seek. */
    again(&(struct guest){.name = "storm", .rounds = 1, .period = 15, .resets = 3},
          (uint64_t[]){12, 1116}, 2);
    again(&(struct guest){.name = "storm", .rounds = 12, .period = 0}, (uint64_t[]){293}, 1);
    /* The budget: the log, and frames of a state that was kept already. */
    again(&(struct guest){.name = "storm", .rounds = 2, .period = 4}, (uint64_t[]){5, 1183}, 2);
    /* An interrupt between idle time and the step that ends it. */
    again(
        &(struct guest){
            .name = "harts", .rounds = 40, .period = 30, .option = 3, .harts = 3, .quantum = 37},
        (uint64_t[]){823}, 1);
}
