/* Recordings that end between two chunks, lack one, or have one that says something else: what is
 * opened is a part of what was recorded, and history goes on from it. */
#include "base/check.h"
#include "tests/unit/timeline/bench.h"
#include "timeline/recording_index.h"
#include "timeline/transcript.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Sets itself up, then waits for bytes. */
static const struct guest echo = {.name = "echo", .rounds = 5, .period = 40};
static const struct typed typed[] = {{2100, "abc"}, {6200, "defg\n"}, {9300, "x"}};
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
        if (getenv("DBG")) { struct chunk_reader *q = chunks_of(path); fprintf(stderr, "%zu before %.4s tip %lu out %zu\n", i, (const char *)&chunk_reader_chunk(q, i)->kind, timeline_tip(b.tl), t.output.size); chunk_reader_free(q); }
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
    if (open_file(&echo, other, 1000000)) {
        bench_check(&b, &t, 0, "where it opens");
        cr_assert_eq(timeline_tip(b.tl), 0);
    }
    trace_free(&t);
}

/* ---- a chunk says something else ---- */

static bool later_tip(void *ctx, const struct chunk *chunk, struct buffer *bytes)
{
    if (chunk->kind == CHUNK_TABL)
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
    record(&echo, 50);
    bench_live(&b, NULL, 0, 20000);
    close_file();
    struct recording_info was, is;
    copy_changed(path, other, without_marks, NULL);
    cr_assert(open_file(&echo, other, 50));
    recording_info(b.recording, &was);
    unlink(other);
    struct error err = ERROR_INIT;
    cr_assert(timeline_save(b.tl, other, &bench_content, 0, UINT64_MAX, &err), "%s", err.message);
    cr_assert(open_file(&echo, other, 50));
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

/* In both directions, in the past and at the tip, where it lives on. */
Test(recording_cut, saved_at_the_tip_at_a_watched_access)
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
    timeline_reverse_continue(b.tl);
    cr_assert_eq(finish().reason, STOP_BEGIN);
}
