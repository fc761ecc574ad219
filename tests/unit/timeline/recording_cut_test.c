/* Recordings that end between two chunks, lack one, or have one that says something else: what is
 * opened is a part of what was recorded, and history goes on from it. */
#include "base/check.h"
#include "tests/unit/timeline/bench.h"
#include "timeline/internal.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Sets itself up, then waits for bytes. */
static const struct guest echo = {.name = "echo", .rounds = 5, .period = 40};
static const struct typed typed[] = {{2500, "abc"}, {6500, "defg\n"}, {9500, "x"}};
enum { TYPED = sizeof typed / sizeof *typed, LENGTH = 12000 };
/* The guest writes the PLIC's enable bits once, early, and its page again only with what comes. */
#define PLIC_ENABLE UINT64_C(0xc002000)

static struct bench b;
static char *path, *incomplete, *other;

static void init(void)
{
    path = bench_path();
    other = bench_path();
    cr_assert(asprintf(&incomplete, "%s.incomplete", path) > 0);
}

static void fini(void)
{
    bench_fini(&b);
    unlink(path);
    unlink(incomplete);
    unlink(other);
    free(path);
    free(incomplete);
    free(other);
}

TestSuite(recording_cut, .init = init, .fini = fini);

static struct stop finish(void)
{
    struct stop stop;
    timeline_finish(b.tl, &stop);
    return stop;
}

static void record(const struct guest *g, uint64_t spacing)
{
    const struct timeline_options o = {.warp = true, .spacing_steps = spacing};
    const struct recording_options r = {.path = path, .content = &bench_content};
    struct error err = ERROR_INIT;
    bench_init(&b, g, &o);
    cr_assert(timeline_record(b.tl, &r, &err), "%s", err.message);
}

static void close_file(void)
{
    struct error err = ERROR_INIT;
    cr_assert(timeline_record_close(b.tl, &err), "%s", err.message);
}

static bool open_file(const struct guest *g, const char *name, uint64_t spacing)
{
    const struct timeline_options o = {.warp = true, .spacing_steps = spacing};
    struct error err = ERROR_INIT;
    bench_fini(&b);
    return bench_open(&b, g, &o, name, &err);
}

static struct buffer contents(const char *name)
{
    uint8_t *bytes;
    size_t size;
    struct error err = ERROR_INIT;
    cr_assert(file_read(name, 1 << 28, &bytes, &size, &err), "%s", err.message);
    return (struct buffer){bytes, size, size};
}

static void write_file(const char *name, const void *bytes, size_t size)
{
    FILE *f = fopen(name, "wb");
    cr_assert(f && fwrite(bytes, 1, size, f) == size && fclose(f) == 0);
}

static struct chunk_reader *chunks_of(const char *name)
{
    struct error err = ERROR_INIT;
    struct chunk_reader *r = chunk_reader_open(name, &err);
    cr_assert(r, "%s", err.message);
    return r;
}

/* What `from` has before its chunk `number`. */
static void cut_before(const char *from, const char *to, size_t number)
{
    struct chunk_reader *r = chunks_of(from);
    struct buffer b2 = contents(from);
    write_file(to, b2.data, (size_t)chunk_reader_chunk(r, number)->offset);
    buffer_fini(&b2);
    chunk_reader_free(r);
}

/* Write `from` anew with what `change` makes of each chunk; false: it is damaged. */
static void copy_changed(const char *from, const char *to,
                         bool (*change)(void *ctx, const struct chunk *chunk, struct buffer *bytes),
                         void *ctx)
{
    struct error err = ERROR_INIT;
    struct chunk_reader *r = chunks_of(from);
    struct chunk_writer *w = chunk_writer_new(to, 1 << 26, &err);
    cr_assert(w, "%s", err.message);
    size_t count = chunk_reader_count(r);
    bool *good = mem_new(count, sizeof *good);
    for (size_t i = 0; i < count; i++) {
        const struct chunk *chunk = chunk_reader_chunk(r, i);
        struct buffer bytes = {0};
        cr_assert(chunk_reader_load(r, chunk, &bytes, &err), "%s", err.message);
        good[i] = change(ctx, chunk, &bytes);
        chunk_writer_add(w, chunk->kind, &bytes);
    }
    cr_assert(chunk_writer_close(w, &err), "%s", err.message);
    chunk_reader_free(r);
    r = chunks_of(to);
    struct buffer all = contents(to);
    for (size_t i = 0; i < count; i++)
        if (!good[i])
            all.data[chunk_reader_chunk(r, i)->offset + 32] ^= 0xff;
    write_file(to, all.data, all.size);
    buffer_fini(&all);
    free(good);
    chunk_reader_free(r);
}

static struct stop back_to_setup(void)
{
    timeline_points_clear(b.tl);
    timeline_point_add(b.tl, HIT_WRITE, PLIC_ENABLE, 4);
    timeline_reverse_continue(b.tl);
    return finish();
}

/* ---- killed, and gone on ---- */

/* The file ends in the midst of an interval, which goes on after it was opened. */
Test(recording_cut, interval_goes_on)
{
    record(&echo, 1000000);
    bench_live(&b, NULL, 0, 3000);
    usleep(30000);
    bench_live(&b, NULL, 0, 3001); /* flushes, once more at rest */
    usleep(30000);
    bench_live(&b, NULL, 0, 3002);
    usleep(30000);
    struct buffer bytes = contents(incomplete);
    write_file(other, bytes.data, bytes.size);
    buffer_fini(&bytes);
    struct stop before = back_to_setup();
    cr_assert_eq(before.reason, STOP_WATCH);
    close_file();
    cr_assert(open_file(&echo, other, 1000000));
    cr_assert(timeline_live(b.tl));
    uint64_t tip = timeline_tip(b.tl);
    cr_assert_gt(tip, before.position);
    bench_live(&b, NULL, 0, tip + 2000);
    struct stop stop = back_to_setup();
    cr_assert_eq(stop.reason, STOP_WATCH);
    cr_assert_eq(stop.position, before.position);
}

static bool ascending(void *ctx, const struct transcript_part *part)
{
    uint64_t *position = ctx;
    cr_assert_geq(part->position, *position);
    *position = part->position;
    return true;
}

static bool append_text(void *ctx, const struct transcript_part *part)
{
    buffer_append(ctx, part->bytes, part->size);
    return true;
}

/* Wherever it ends, it goes on as the straight run does, and what is written of that opens again
 * without a complaint. */
Test(recording_cut, between_chunks)
{
    struct trace t;
    trace_record(&t, &echo, typed, TYPED, LENGTH);
    record(&echo, 500);
    for (uint64_t limit = 1000; limit <= LENGTH; limit += 1000) {
        size_t done = 0;
        while (done < TYPED && typed[done].position < timeline_position(b.tl))
            done++;
        bench_live(&b, NULL, 0, limit - 900); /* flushes */
        bench_live(&b, typed + done, TYPED - done, limit);
        usleep(25000);
    }
    close_file();
    struct chunk_reader *r = chunks_of(path);
    size_t count = chunk_reader_count(r);
    chunk_reader_free(r);
    unsigned opened = 0;
    for (size_t i = 2; i < count; i++) {
        cut_before(path, other, i);
        if (!open_file(&echo, other, 500))
            continue;
        opened++;
        cr_assert(timeline_live(b.tl));
        uint64_t tip = timeline_tip(b.tl), position = 0;
        size_t done = 0;
        while (done < TYPED && typed[done].position < tip)
            done++;
        if (done < TYPED && typed[done].position == tip)
            continue; /* typed already, or not */
        bench_check(&b, &t, i, "where it opens");
        const struct recording_options o = {.path = incomplete, .content = &bench_content};
        struct error err = ERROR_INIT;
        cr_assert(timeline_record(b.tl, &o, &err), "%s", err.message);
        bench_live(&b, typed + done, TYPED - done, LENGTH);
        bench_check(&b, &t, i, "at the end");
        timeline_transcript(b.tl, 0, UINT64_MAX, ascending, &position);
        struct buffer text = {0};
        timeline_transcript(b.tl, 0, UINT64_MAX, append_text, &text);
        cr_assert_eq(text.size, t.output.size, "chunk %zu: %zu bytes of %zu", i, text.size,
                     t.output.size);
        cr_assert_arr_eq(text.data, t.output.data, text.size);
        buffer_fini(&text);
        close_file();
        cr_assert(open_file(&echo, incomplete, 500));
        struct recording_info info;
        recording_info(b.recording, &info);
        cr_assert_null(info.damage, "chunk %zu: %s", i, info.damage);
        cr_assert_eq(timeline_tip(b.tl), LENGTH);
        bench_check(&b, &t, i, "opened again");
        unlink(incomplete);
    }
    cr_assert_gt(opened, count / 2);
    trace_free(&t);
}

/* History of long ago is recorded now: the end reaches the file before checkpoints do. */
Test(recording_cut, end_without_checkpoints)
{
    struct trace t;
    trace_record(&t, &echo, typed, TYPED, LENGTH);
    const struct timeline_options o = {.warp = true, .spacing_steps = 1000000};
    const struct recording_options r = {.path = path, .content = &bench_content};
    struct error err = ERROR_INIT;
    bench_init(&b, &echo, &o);
    bench_live(&b, typed, TYPED, LENGTH - 10);
    cr_assert(timeline_record(b.tl, &r, &err), "%s", err.message);
    bench_live(&b, NULL, 0, LENGTH);
    close_file();
    struct chunk_reader *chunks = chunks_of(path);
    size_t count = chunk_reader_count(chunks);
    chunk_reader_free(chunks);
    for (size_t i = 2; i < count; i++) {
        cut_before(path, other, i);
        if (!open_file(&echo, other, 1000000))
            continue;
        bench_check(&b, &t, i, "where it opens");
        bench_seek(&b, timeline_tip(b.tl) / 2);
        bench_check(&b, &t, i, "in the middle");
    }
    trace_free(&t);
}

/* ---- a checkpoint is damaged ---- */

struct damage {
    uint32_t kind;
    unsigned from, to; /* of the chunks of that kind */
    unsigned seen;
};

static bool damage_some(void *ctx, const struct chunk *chunk, struct buffer *bytes)
{
    (void)bytes;
    struct damage *d = ctx;
    if (chunk->kind != d->kind)
        return true;
    unsigned n = d->seen++;
    return n < d->from || n >= d->to;
}

/* What a damaged checkpoint's stretch used counts in the next file too. */
Test(recording_cut, damaged_checkpoints_saved_again)
{
    record(&echo, 1);
    bench_live(&b, NULL, 0, 3000);
    struct stop before = back_to_setup();
    cr_assert_eq(before.reason, STOP_WATCH);
    close_file();
    bench_fini(&b);
    for (unsigned to = 2; to < 5; to++) {
        struct error err = ERROR_INIT;
        copy_changed(path, other, damage_some,
                     &(struct damage){.kind = CHUNK_KIND('C', 'K', 'P', 'T'), .from = 1, .to = to});
        b = (struct bench){0};
        cr_assert(open_file(&echo, other, 1));
        unlink(other);
        cr_assert(timeline_save(b.tl, other, &bench_content, 0, UINT64_MAX, &err), "%s",
                  err.message);
        struct stop stop = back_to_setup();
        cr_assert_eq(stop.position, before.position, "%u: %d at %lu, not %lu", to, stop.reason,
                     stop.position, before.position);
        cr_assert(open_file(&echo, other, 1));
        stop = back_to_setup();
        cr_assert_eq(stop.reason, STOP_WATCH, "up to %u: %s", to, stop.text);
        cr_assert_eq(stop.position, before.position);
        unlink(other);
        bench_fini(&b);
        b = (struct bench){0};
    }
}

/* No place of a checkpoint is known: nothing shall be made up. */
Test(recording_cut, no_checkpoints)
{
    struct trace t;
    trace_record(&t, &echo, typed, TYPED, LENGTH);
    record(&echo, 100000);
    bench_live(&b, typed, TYPED, LENGTH);
    close_file();
    struct chunk_reader *r = chunks_of(path);
    size_t table = chunk_reader_count(r);
    while (chunk_reader_chunk(r, --table)->kind != CHUNK_TABL)
        ;
    chunk_reader_free(r);
    copy_changed(path, other, damage_some,
                 &(struct damage){.kind = CHUNK_INTV, .from = 0, .to = 1000});
    r = chunks_of(other);
    struct buffer all = contents(other);
    write_file(other, all.data, (size_t)chunk_reader_chunk(r, table)->offset);
    buffer_fini(&all);
    chunk_reader_free(r);
    if (open_file(&echo, other, 1000000))
        bench_check(&b, &t, 0, "where it opens");
    trace_free(&t);
}

/* ---- a chunk says something else ---- */

static bool later_tip(void *ctx, const struct chunk *chunk, struct buffer *bytes)
{
    if (chunk->kind == CHUNK_TABL || chunk->kind == CHUNK_KIND('C', 'K', 'P', 'T'))
        return false;
    if (chunk->kind == CHUNK_TIP)
        store_le64(bytes->data, *(uint64_t *)ctx);
    return true;
}

/* The end lies behind the end of the machine. */
Test(recording_cut, tip_behind_a_halt)
{
    const struct guest g = {.name = "storm", .rounds = 1, .period = 12};
    uint64_t later = 1000000;
    record(&g, 300);
    timeline_continue(b.tl);
    struct stop stop = finish();
    cr_assert_eq(stop.reason, STOP_HALT);
    close_file();
    copy_changed(path, other, later_tip, &later);
    if (open_file(&g, other, 300)) {
        timeline_seek(b.tl, later);
        cr_assert_eq(finish().reason, STOP_DIVERGED);
        cr_assert_eq(bench_seek(&b, stop.position / 2).reason, STOP_DONE);
        timeline_seek(b.tl, later);
        cr_assert_eq(finish().reason, STOP_DIVERGED);
    }
}

static bool without_marks(void *ctx, const struct chunk *chunk, struct buffer *bytes)
{
    (void)ctx;
    (void)bytes;
    return chunk->kind != CHUNK_MARK && chunk->kind != CHUNK_TABL;
}

/* Without digests checkpoints are written all the same. */
Test(recording_cut, no_digests)
{
    record(&echo, 5);
    bench_live(&b, NULL, 0, 20000);
    close_file();
    struct recording_info was, is;
    copy_changed(path, other, without_marks, NULL);
    cr_assert(open_file(&echo, other, 5));
    recording_info(b.recording, &was);
    unlink(other);
    struct error err = ERROR_INIT;
    cr_assert(timeline_save(b.tl, other, &bench_content, 0, UINT64_MAX, &err), "%s", err.message);
    cr_assert(open_file(&echo, other, 5));
    recording_info(b.recording, &is);
    cr_assert_geq(is.checkpoints, was.checkpoints / 2, "%lu of %lu", is.checkpoints,
                  was.checkpoints);
}

/* ---- saving changes nothing ---- */

/* What a stop has reported is not reported again. */
Test(recording_cut, saved_at_a_watched_access)
{
    struct error err = ERROR_INIT;
    const struct timeline_options o = {.warp = true, .spacing_steps = 500};
    bench_init(&b, &echo, &o);
    bench_live(&b, typed, TYPED, LENGTH);
    struct stop stop = back_to_setup();
    cr_assert_eq(stop.reason, STOP_WATCH);
    cr_assert(timeline_save(b.tl, path, &bench_content, 0, UINT64_MAX, &err), "%s", err.message);
    cr_assert_eq(timeline_position(b.tl), stop.position);
    timeline_reverse_continue(b.tl);
    cr_assert_eq(finish().reason, STOP_BEGIN);
}

/* At the tip, where it lives on. */
Test(recording_cut, saved_before_a_watched_access)
{
    struct error err = ERROR_INIT;
    const struct timeline_options o = {.warp = true, .spacing_steps = 500};
    bench_init(&b, &echo, &o);
    timeline_point_add(b.tl, HIT_WRITE, PLIC_ENABLE, 4);
    timeline_continue(b.tl);
    struct stop stop = finish();
    cr_assert_eq(stop.reason, STOP_WATCH);
    cr_assert(timeline_save(b.tl, path, &bench_content, 0, UINT64_MAX, &err), "%s", err.message);
    cr_assert_eq(timeline_position(b.tl), stop.position);
    cr_assert(timeline_live(b.tl));
    timeline_continue_to(b.tl, stop.position + 100);
    cr_assert_eq(finish().reason, STOP_DONE);
    cr_assert_eq(back_to_setup().reason, STOP_WATCH);
}

/* What a divergence has left is not saved. */
Test(recording_cut, saved_at_a_divergence)
{
    struct trace t;
    struct error err = ERROR_INIT;
    const struct timeline_options o = {.warp = true, .spacing_steps = 500};
    trace_record(&t, &echo, typed, TYPED, LENGTH);
    bench_init(&b, &echo, &o);
    bench_live(&b, typed, TYPED, LENGTH);
    bench_seek(&b, 1700);
    static const uint8_t wrong = 0x5a;
    ram_write(&b.m->ram, GUEST_BASE + 0x10000, &wrong, 1);
    timeline_continue(b.tl);
    struct stop stop = finish();
    cr_assert_eq(stop.reason, STOP_DIVERGED);
    cr_assert_eq(stop.position, 2000);
    cr_assert(timeline_save(b.tl, path, &bench_content, 2000, UINT64_MAX, &err), "%s", err.message);
    bench_check(&b, &t, 0, "where it was");
    cr_assert(open_file(&echo, path, 500));
    bench_seek(&b, 2000);
    bench_check(&b, &t, 0, "where it begins");
    trace_free(&t);
}

/* A machine whose input has failed is live no more; what was recorded is whole. */
Test(recording_cut, input_failed)
{
    struct trace t;
    trace_record(&t, &echo, NULL, 0, 3001);
    record(&echo, 1000000);
    bench_live(&b, NULL, 0, 3000);
    usleep(30000);
    bench_live(&b, NULL, 0, 3001);
    error_set(&b.tl->recorder.failure, ERROR_DIVERGED, "an image has changed");
    timeline_continue(b.tl);
    cr_assert_eq(finish().reason, STOP_DIVERGED);
    close_file();
    cr_assert(open_file(&echo, path, 1000000));
    struct recording_info info;
    recording_info(b.recording, &info);
    cr_assert_null(info.damage, "%s", info.damage);
    cr_assert_eq(timeline_tip(b.tl), 3001);
    bench_check(&b, &t, 0, "the tip");
    trace_free(&t);
}

/* ---- hits in what is opened ---- */

static bool touches(const struct access *a, uint64_t address, unsigned kinds)
{
    return (a->kinds & kinds) && a->address < address + 8 && address < a->address + a->size;
}

/* Where the last of these accesses between two positions lies: behind it; `from`: there is none. */
static uint64_t last_access(const struct trace *t, uint64_t from, uint64_t to, uint64_t address,
                            unsigned kinds)
{
    for (uint64_t n = to; n-- > from;)
        for (size_t i = t->step[n].first_access; i < t->step[n + 1].first_access; i++)
            if (touches(&t->access[i], address, kinds))
                return n + 1;
    return from;
}

static void check_hits(const struct trace *t, uint64_t seed, struct random *random)
{
    uint64_t begin = timeline_begin(b.tl), tip = timeline_tip(b.tl);
    for (unsigned i = 0; i < 8; i++) {
        uint64_t from = begin + random_below(random, tip - begin + 1);
        uint64_t address = t->access[random_below(random, t->accesses)].address;
        unsigned kinds = random_below(random, 2) ? HIT_READ : HIT_WRITE;
        bench_seek(&b, from);
        timeline_points_clear(b.tl);
        timeline_point_add(b.tl, kinds, address, 8);
        timeline_reverse_continue(b.tl);
        struct stop stop = finish();
        cr_assert_eq(stop.position, last_access(t, begin, from, address, kinds),
                     "seed %lu: from %lu (%lu to %lu) back to %u of %#lx: %d at %lu, not %lu", seed,
                     from, begin, tip, kinds, address, stop.reason, stop.position,
                     last_access(t, begin, from, address, kinds));
    }
}

/* Parts of parts, recorded on in between, with checkpoints damaged or not. */
static void hits(uint64_t seed)
{
    struct random random = {seed};
    struct trace t;
    struct error err = ERROR_INIT;
    const struct guest g = {.name = "echo", .rounds = seed % 30, .period = 20 + seed % 300};
    uint64_t spacing = 1 + random_below(&random, 60), now = LENGTH / 2;
    trace_record(&t, &g, typed, TYPED, LENGTH);
    record(&g, spacing);
    bench_live(&b, typed, TYPED, now);
    for (unsigned round = 0; round < 4; round++) {
        if (round % 2 == 0) {
            close_file();
        } else {
            uint64_t from = random_below(&random, now);
            cr_assert(timeline_save(b.tl, path, &bench_content, from, UINT64_MAX, &err), "%s",
                      err.message);
        }
        check_hits(&t, seed, &random);
        unsigned first = 1 + random_below(&random, 20), damage = random_below(&random, 2);
        copy_changed(path, other, damage_some,
                     &(struct damage){.kind = CHUNK_KIND('C', 'K', 'P', 'T'),
                                      .from = first,
                                      .to = first + damage * random_below(&random, 10)});
        cr_assert(open_file(&g, other, spacing));
        unlink(path);
        unlink(other);
        check_hits(&t, seed, &random);
        bench_seek(&b, now);
        cr_assert(timeline_live(b.tl));
        timeline_points_clear(b.tl);
        if (round % 2) {
            const struct recording_options r = {.path = path, .content = &bench_content};
            cr_assert(timeline_record(b.tl, &r, &err), "%s", err.message);
        }
        size_t done = 0;
        while (done < TYPED && typed[done].position < now)
            done++;
        now += 1 + random_below(&random, LENGTH / 8);
        bench_live(&b, typed + done, TYPED - done, now);
        check_hits(&t, seed, &random);
        bench_seek(&b, now);
    }
    trace_free(&t);
    bench_fini(&b);
    b = (struct bench){0};
    unlink(path);
}

Test(recording_cut, hits)
{
    for (uint64_t seed = 1; seed <= bench_cases(15); seed++)
        hits(seed);
}

/* What a search has read of a long history goes before what makes steps back quick. */
Test(recording_cut, summaries_within_the_budget)
{
    struct timeline_info before, info;
    struct error err = ERROR_INIT;
    record(&echo, 1);
    bench_live(&b, NULL, 0, 40000);
    close_file();
    bench_fini(&b);
    struct timeline_options o = {.warp = true, .spacing_steps = 1, .budget = 4180 << 10};
    cr_assert(bench_open(&b, &echo, &o, path, &err), "%s", err.message);
    for (unsigned i = 0; i < 40; i++)
        bench_seek(&b, 30001 + 17 * i);
    timeline_info(b.tl, &before);
    cr_assert_gt(before.approach, 30);
    for (unsigned i = 0; i < 2; i++) {
        timeline_points_clear(b.tl);
        timeline_point_add(b.tl, HIT_WRITE, GUEST_BASE + 0x80000, 4);
        timeline_reverse_continue(b.tl);
        cr_assert_eq(finish().reason, STOP_BEGIN);
        timeline_info(b.tl, &info);
        cr_assert_leq(info.bytes, info.budget);
        cr_assert_geq(info.approach, before.approach);
        bench_seek(&b, 40000);
        cr_assert_eq(back_to_setup().reason, STOP_WATCH);
        bench_seek(&b, 40000);
    }
}

/* ---- idle time ---- */

/* A device that asks for entropy when its deadline comes, and wakes nobody. */
static void ask(void *ctx, unsigned which)
{
    (void)which;
    uint8_t bytes[8];
    machine_entropy(ctx, bytes, sizeof bytes);
}

static struct riscv_virt *asking_board(void)
{
    struct riscv_virt *board = guest_new(&(struct guest){.name = "echo"});
    struct machine *m = riscv_virt_machine(board);
    clock_arm(&m->clock, clock_timer_add(&m->clock, ask, m, 0), 1000000);
    return board;
}

static uint64_t no_clock(void *ctx)
{
    (void)ctx;
    return 0;
}

/* The file's end lies between an answer given in idle time and what ends that. */
Test(recording_cut, killed_behind_an_answer_in_idle_time)
{
    const struct timeline_options o = {.warp = true, .host.clock = no_clock};
    const struct recording_options r = {.path = path, .content = &bench_content};
    struct error err = ERROR_INIT;
    struct stop stop;
    struct riscv_virt *board = asking_board();
    struct timeline *tl = timeline_new(riscv_virt_machine(board), &o);
    struct timeline_info info;
    cr_assert(timeline_record(tl, &r, &err), "%s", err.message);
    timeline_continue(tl);
    enum timeline_status status;
    for (unsigned i = 0; i < 5; i++) {
        do
            status = timeline_advance(tl, 1000000, &stop);
        while (status == TIMELINE_RUNNING);
        cr_assert_eq(status, TIMELINE_IDLE);
        usleep(25000);
    }
    timeline_info(tl, &info);
    cr_assert_eq(info.events, 1);
    uint64_t tip = timeline_tip(tl);
    struct buffer bytes = contents(incomplete);
    write_file(other, bytes.data, bytes.size);
    buffer_fini(&bytes);
    timeline_interrupt(tl);
    timeline_finish(tl, &stop);
    timeline_free(tl);
    riscv_virt_free(board);

    struct recording *recording = recording_open(other, &err);
    cr_assert(recording, "%s", err.message);
    board = asking_board();
    tl = timeline_open(riscv_virt_machine(board), &o, recording, &err);
    cr_assert(tl, "%s", err.message);
    cr_assert_eq(timeline_tip(tl), tip);
    cr_assert_eq(timeline_position(tl), tip);
    cr_assert(timeline_live(tl));
    timeline_continue(tl);
    timeline_finish(tl, &stop);
    cr_assert_eq(stop.reason, STOP_STUCK);
    timeline_free(tl);
    recording_free(recording);
    riscv_virt_free(board);
}
