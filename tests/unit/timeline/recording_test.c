/* Recordings: whatever part of a file is left, what can be opened of it is what was recorded. The
 * oracle is the straight run of the same guest. BACKSTEP_FULL: many more seeds. */
#include "tests/unit/timeline/bench.h"
#include "timeline/bookmarks.h"
#include "timeline/transcript.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TYPED = 30, LENGTH = 20000 };

/* A guest that echoes what is typed at random positions, and its trace. */
struct session {
    uint64_t seed;
    struct random random;
    struct guest guest;
    struct typed typed[TYPED];
    struct trace t;
    struct timeline_options options;
    char *path;
};

static void session_init(struct session *s, uint64_t seed)
{
    static const char *const text[] = {"a", "bc", "defgh", "a line of text that is too long", "\n"};
    *s = (struct session){
        .seed = seed,
        .random = {seed},
        .guest = {.name = "echo", .rounds = seed % 4 * 10, .period = 5 + seed % 60},
    };
    uint64_t position = 100;
    for (unsigned i = 0; i < TYPED; i++) {
        position += random_below(&s->random, 5) ? random_below(&s->random, 2 * LENGTH / TYPED) : 0;
        s->typed[i] = (struct typed){position, text[random_below(&s->random, 5)]};
    }
    trace_record(&s->t, &s->guest, s->typed, TYPED, LENGTH);
    s->options = (struct timeline_options){.warp = true,
                                           .spacing_steps = 20 + random_below(&s->random, 300)};
    s->path = bench_path();
}

static void session_fini(struct session *s)
{
    unlink(s->path);
    free(s->path);
    trace_free(&s->t);
}

static void record(struct session *s, struct bench *b, uint64_t keep_bytes)
{
    struct recording_options o = {
        .path = s->path, .content = &bench_content, .keep_bytes = keep_bytes};
    struct error err = ERROR_INIT;
    bench_init(b, &s->guest, &s->options);
    cr_assert(timeline_record(b->tl, &o, &err), "%s", err.message);
}

static void close_file(struct bench *b)
{
    struct error err = ERROR_INIT;
    cr_assert(timeline_record_close(b->tl, &err), "%s", err.message);
}

static struct buffer file_contents(const char *path)
{
    uint8_t *bytes;
    size_t size;
    struct error err = ERROR_INIT;
    cr_assert(file_read(path, 1 << 28, &bytes, &size, &err), "%s", err.message);
    return (struct buffer){bytes, size, size};
}

static void write_file(const char *path, const void *bytes, size_t size)
{
    FILE *f = fopen(path, "wb");
    cr_assert(f && fwrite(bytes, 1, size, f) == size && fclose(f) == 0);
}

/* A damaged file may say that it cannot go somewhere; what it shows is right. */
static bool right(struct session *s, const struct stop *stop, bool damaged)
{
    if (stop->reason == STOP_DIVERGED) {
        cr_assert(damaged && *stop->text, "seed %lu: %s", s->seed, stop->text);
        return false;
    }
    return true;
}

/* Compared with the straight run; but a file that ends where something was typed may have ended
 * before it. */
static void check_state(const struct session *s, const struct bench *b, const char *what)
{
    uint64_t here = timeline_position(b->tl);
    for (unsigned i = 0; here == timeline_tip(b->tl) && i < TYPED; i++)
        if (s->typed[i].position == here)
            return;
    bench_check(b, &s->t, s->seed, what);
}

/* Random places, compared with the straight run, steps around them, and both ends. */
static void check_places(struct session *s, struct bench *b, unsigned places, bool damaged)
{
    struct stop stop;
    uint64_t begin = timeline_begin(b->tl), tip = timeline_tip(b->tl);
    cr_assert_leq(tip, s->t.steps);
    for (unsigned i = 0; i < places; i++) {
        stop = bench_seek(b, begin + random_below(&s->random, tip - begin + 1));
        if (right(s, &stop, damaged))
            check_state(s, b, "a seek");
        timeline_reverse_step(b->tl, 0);
        timeline_finish(b->tl, &stop);
        if (right(s, &stop, damaged))
            check_state(s, b, "a step back");
    }
    timeline_reverse_continue(b->tl);
    timeline_finish(b->tl, &stop);
    if (right(s, &stop, damaged))
        cr_assert(stop.reason == STOP_BEGIN && stop.position == timeline_begin(b->tl));
    timeline_continue_to(b->tl, tip);
    timeline_finish(b->tl, &stop);
    if (right(s, &stop, damaged)) {
        cr_assert_eq(stop.position, tip, "seed %lu: %s", s->seed, stop.text);
        check_state(s, b, "the tip again");
    }
}

/* Open a file of which not all is there, or not all is right: its tip if it opens, else -1. */
static int64_t check_file(struct session *s, bool damaged)
{
    struct error err = ERROR_INIT;
    struct bench b;
    int64_t tip = -1;
    if (bench_open(&b, &s->guest, &s->options, s->path, &err)) {
        tip = (int64_t)timeline_tip(b.tl);
        if (!damaged) {
            cr_assert_eq(timeline_position(b.tl), (uint64_t)tip);
            cr_assert(timeline_live(b.tl));
            check_state(s, &b, "where it opens");
        }
        check_places(s, &b, 3, damaged);
    } else {
        cr_assert(err.code && *err.message, "seed %lu: refused without a word", s->seed);
    }
    bench_fini(&b);
    return tip;
}

/* ---- the end of a run: closed, killed ---- */

static void closed(uint64_t seed)
{
    struct session s;
    struct bench b;
    session_init(&s, seed);
    record(&s, &b, 0);
    bench_live(&b, s.typed, TYPED, LENGTH);
    close_file(&b);
    bench_fini(&b);
    cr_assert_eq(check_file(&s, false), LENGTH);
    session_fini(&s);
}

Test(recording, closed)
{
    for (uint64_t seed = 1; seed <= bench_cases(8); seed++)
        closed(seed);
}

/* What has reached the file by some moment, while the machine runs. */
static void killed(uint64_t seed)
{
    struct session s;
    struct bench b;
    session_init(&s, seed);
    record(&s, &b, 0);
    char *incomplete = NULL;
    cr_assert(asprintf(&incomplete, "%s.incomplete", s.path) > 0);
    uint64_t limit = 0;
    int64_t before = -1;
    while (limit < LENGTH) {
        limit += 1 + random_below(&s.random, LENGTH / 5);
        limit = limit < LENGTH ? limit : LENGTH;
        size_t typed = 0;
        while (typed < TYPED && s.typed[typed].position < timeline_position(b.tl))
            typed++;
        bench_live(&b, s.typed + typed, TYPED - typed, limit);
        usleep((useconds_t)random_below(&s.random, 40000));
        struct buffer bytes = file_contents(incomplete);
        write_file(s.path, bytes.data, bytes.size);
        buffer_fini(&bytes);
        int64_t tip = check_file(&s, false);
        cr_assert(tip >= before && tip <= (int64_t)limit, "seed %lu: tip %" PRId64, seed, tip);
        before = tip;
    }
    cr_assert_gt(before, 0, "seed %lu: nothing has reached the file", seed);
    unlink(s.path);
    close_file(&b);
    bench_fini(&b);
    free(incomplete);
    session_fini(&s);
}

Test(recording, killed)
{
    for (uint64_t seed = 1; seed <= bench_cases(6); seed++)
        killed(seed);
}

/* ---- damage ---- */

static struct buffer recorded_file(struct session *s)
{
    struct bench b;
    record(s, &b, 0);
    bench_live(&b, s->typed, TYPED, LENGTH);
    close_file(&b);
    bench_fini(&b);
    struct buffer bytes = file_contents(s->path);
    unlink(s->path);
    return bytes;
}

static void truncated(uint64_t seed)
{
    struct session s;
    session_init(&s, seed);
    struct buffer bytes = recorded_file(&s);
    unsigned opened = 0;
    for (unsigned i = 0; i < 30; i++) {
        write_file(s.path, bytes.data, random_below(&s.random, bytes.size));
        opened += check_file(&s, false) >= 0;
    }
    cr_assert_gt(opened, 5, "seed %lu: hardly anything opens", seed);
    buffer_fini(&bytes);
    session_fini(&s);
}

Test(recording, truncated)
{
    for (uint64_t seed = 1; seed <= bench_cases(4); seed++)
        truncated(seed);
}

static void flipped(uint64_t seed)
{
    struct session s;
    session_init(&s, seed);
    struct buffer bytes = recorded_file(&s);
    unsigned opened = 0;
    for (unsigned i = 0; i < 40; i++) {
        struct buffer copy = {0};
        buffer_append(&copy, bytes.data, bytes.size);
        for (uint64_t n = 1 + random_below(&s.random, 3); n; n--)
            copy.data[random_below(&s.random, copy.size)] ^=
                (uint8_t)(1 << random_below(&s.random, 8));
        write_file(s.path, copy.data, copy.size);
        buffer_fini(&copy);
        opened += check_file(&s, true) >= 0;
    }
    cr_assert_gt(opened, 5, "seed %lu: hardly anything opens", seed);
    buffer_fini(&bytes);
    session_fini(&s);
}

Test(recording, flipped)
{
    for (uint64_t seed = 1; seed <= bench_cases(4); seed++)
        flipped(seed);
}

/* ---- parts of a history ---- */

static void saved(uint64_t seed)
{
    struct session s;
    struct bench b;
    struct error err = ERROR_INIT;
    session_init(&s, seed);
    bench_init(&b, &s.guest, &s.options);
    bench_live(&b, s.typed, TYPED, LENGTH);
    if (random_below(&s.random, 2))
        bench_seek(&b, random_below(&s.random, LENGTH));
    uint64_t here = timeline_position(b.tl);
    uint64_t from = random_below(&s.random, LENGTH);
    uint64_t to = from + random_below(&s.random, LENGTH - from + 1);
    cr_assert(timeline_save(b.tl, s.path, &bench_content, from, to, &err), "%s", err.message);
    cr_assert_eq(timeline_position(b.tl), here);
    bench_check(&b, &s.t, seed, "after saving");
    cr_assert_not(timeline_save(b.tl, s.path, &bench_content, from, to, &err), "written over");
    bench_fini(&b);
    for (unsigned round = 0; round < 2; round++) {
        cr_assert(bench_open(&b, &s.guest, &s.options, s.path, &err), "%s", err.message);
        cr_assert_eq(timeline_begin(b.tl), from, "seed %lu", seed);
        cr_assert_eq(timeline_tip(b.tl), to, "seed %lu", seed);
        check_places(&s, &b, 6, false);
        /* A part of the part. */
        from += random_below(&s.random, to - from + 1);
        to = from + random_below(&s.random, to - from + 1);
        unlink(s.path);
        cr_assert(timeline_save(b.tl, s.path, &bench_content, from, to, &err), "%s", err.message);
        bench_fini(&b);
    }
    session_fini(&s);
}

Test(recording, saved_in_part)
{
    for (uint64_t seed = 1; seed <= bench_cases(20); seed++)
        saved(seed);
}

/* ---- flight recorder ---- */

static void kept(uint64_t seed, uint64_t keep_bytes)
{
    struct session s;
    struct bench b;
    struct stat st;
    session_init(&s, seed);
    s.options.spacing_steps = 20;
    record(&s, &b, keep_bytes);
    for (uint64_t limit = 500; limit <= LENGTH; limit += 500) {
        size_t typed = 0;
        while (typed < TYPED && s.typed[typed].position < timeline_position(b.tl))
            typed++;
        bench_live(&b, s.typed + typed, TYPED - typed, limit);
        usleep(25000); /* so that turns of the loop see the file grow */
    }
    uint64_t begin = timeline_begin(b.tl);
    close_file(&b);
    bench_fini(&b);
    cr_assert(stat(s.path, &st) == 0);
    cr_assert_gt(begin, 0, "seed %lu: nothing was forgotten, %ld bytes", seed, (long)st.st_size);
    cr_assert_leq((uint64_t)st.st_size, keep_bytes, "seed %lu", seed);
    cr_assert_eq(check_file(&s, false), LENGTH);
    session_fini(&s);
}

Test(recording, kept)
{
    for (uint64_t seed = 1; seed <= bench_cases(3); seed++)
        kept(seed, 120 << 10);
}

/* ---- what else is in it ---- */

static bool append_text(void *ctx, const struct transcript_part *part)
{
    buffer_append(ctx, part->bytes, part->size);
    return true;
}

Test(recording, bookmarks_transcript_and_verdict)
{
    struct session s;
    struct bench b;
    struct error err = ERROR_INIT;
    struct buffer before = {0}, after = {0};
    session_init(&s, 7);
    record(&s, &b, 0);
    bench_live(&b, s.typed, TYPED, LENGTH);
    cr_assert(timeline_bookmark_at(b.tl, 1234, "first", "what\nit is", &err));
    cr_assert(timeline_bookmark_at(b.tl, 99, "second", NULL, &err));
    cr_assert(timeline_bookmark_at(b.tl, 4321, "second", "moved", &err));
    cr_assert_not(timeline_bookmark_at(b.tl, 1, "start", NULL, &err));
    cr_assert_not(timeline_bookmark_at(b.tl, LENGTH + 1, "far", NULL, &err));
    timeline_set_verdict(b.tl, "panic", "it said so");
    timeline_transcript(b.tl, 0, UINT64_MAX, append_text, &before);
    cr_assert_eq(before.size, s.t.output.size);
    cr_assert_arr_eq(before.data, s.t.output.data, before.size);
    close_file(&b);
    bench_fini(&b);
    cr_assert(bench_open(&b, &s.guest, &s.options, s.path, &err), "%s", err.message);
    timeline_transcript(b.tl, 0, UINT64_MAX, append_text, &after);
    cr_assert_eq(after.size, before.size);
    cr_assert_arr_eq(after.data, before.data, before.size);
    const struct bookmark *first = timeline_bookmark_get(b.tl, 0);
    cr_assert(first && first->position == 1234);
    cr_assert_str_eq(first->name, "first");
    cr_assert_str_eq(first->note, "what it is");
    cr_assert_eq(timeline_bookmark_find(b.tl, "second")->position, 4321);
    cr_assert_null(timeline_bookmark_get(b.tl, 2));
    struct recording_info info;
    recording_info(b.recording, &info);
    cr_assert(info.complete && !info.damage);
    cr_assert_str_eq(info.reason, "panic");
    cr_assert_str_eq(info.verdict, "it said so");
    /* A part that ends before has not ended for that reason. */
    unlink(s.path);
    cr_assert(timeline_save(b.tl, s.path, &bench_content, 0, LENGTH - 1, &err), "%s", err.message);
    bench_fini(&b);
    cr_assert(bench_open(&b, &s.guest, &s.options, s.path, &err), "%s", err.message);
    recording_info(b.recording, &info);
    cr_assert(!info.reason && !info.verdict);
    bench_fini(&b);
    buffer_fini(&before);
    buffer_fini(&after);
    session_fini(&s);
}
