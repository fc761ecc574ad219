#include "cli/verify_intervals.h"

#include "base/check.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define SLICE_NS UINT64_C(10000000)
enum { CHUNK = 256 };

struct worker {
    struct verification *v;
    struct recorded_run *run;
    pthread_t thread;
    atomic_uint_fast64_t done;
};

struct verification {
    struct worker *worker;
    unsigned jobs;
    bool started;
    uint64_t *end; /* ends of intervals, ascending: interval i is [end[i], end[i + 1]] */
    size_t intervals;
    atomic_size_t taken, over; /* intervals; threads that have ended */
    pthread_mutex_t lock;      /* of `result` */
    struct verification_result result;
};

/* ---- intervals ---- */

struct ends {
    uint64_t *position;
    size_t count;
};

static void add_end(struct ends *e, uint64_t position)
{
    if (e->count && e->position[e->count - 1] >= position)
        return;
    e->position = mem_grow(e->position, e->count + 1, sizeof *e->position);
    e->position[e->count++] = position;
}

/* From the last checkpoint at or before `from` on. */
static struct ends find_ends(const struct recording *r, uint64_t from, uint64_t to)
{
    struct ends e = {0};
    struct recording_info info;
    uint64_t part[CHUNK], first;
    size_t count;
    recording_info(r, &info);
    first = info.begin;
    for (size_t at = 0; (count = recording_checkpoints(r, at, part, CHUNK)); at += count)
        for (size_t i = 0; i < count; i++)
            if (part[i] <= from && part[i] > first)
                first = part[i];
    add_end(&e, first);
    for (size_t at = 0; (count = recording_checkpoints(r, at, part, CHUNK)); at += count)
        for (size_t i = 0; i < count; i++)
            if (part[i] > first && part[i] < to)
                add_end(&e, part[i]);
    add_end(&e, to);
    return e;
}

size_t verification_intervals(const struct recording *r, uint64_t from, uint64_t to)
{
    struct ends e = find_ends(r, from, to);
    free(e.position);
    return e.count - 1;
}

/* ---- a thread ---- */

static void note(struct verification *v, uint64_t from, const char *text)
{
    pthread_mutex_lock(&v->lock);
    if (!v->result.differ++ || from < v->result.position) {
        v->result.position = from;
        snprintf(v->result.text, sizeof v->result.text, "%s", text);
    }
    pthread_mutex_unlock(&v->lock);
}

/* Finish the movement that was begun; false: it did not end at `position`, and it is noted why.
 * `base`: what was done before `from`. */
static bool arrive(struct worker *w, uint64_t base, uint64_t from, uint64_t position)
{
    struct timeline *tl = recorded_run_timeline(w->run);
    struct stop stop;
    enum timeline_status status;
    char text[128];
    while ((status = timeline_advance(tl, SLICE_NS, &stop)) == TIMELINE_RUNNING)
        if (timeline_position(tl) >= from && timeline_position(tl) <= position)
            atomic_store(&w->done, base + timeline_position(tl) - from);
    if (status == TIMELINE_STOPPED && stop.reason != STOP_DIVERGED && stop.position == position)
        return true;
    snprintf(text, sizeof text,
             "the replay of positions %" PRIu64 " to %" PRIu64 " ends at position %" PRIu64, from,
             position, timeline_position(tl));
    note(w->v, from, stop.reason == STOP_DIVERGED && *stop.text ? stop.text : text);
    return false;
}

/* The machine may be at `from` already, where the interval before has ended. */
static void replay(struct worker *w, uint64_t from, uint64_t to)
{
    struct timeline *tl = recorded_run_timeline(w->run);
    uint64_t base = atomic_load(&w->done);
    timeline_seek_anew(tl, from);
    if (arrive(w, base, from, from)) {
        timeline_continue_to(tl, to);
        arrive(w, base, from, to);
    }
    atomic_store(&w->done, base + to - from);
}

/* Earlier intervals are taken first: of a checkpoint what differs from the one before is read. */
static void *work(void *ctx)
{
    struct worker *w = ctx;
    struct verification *v = w->v;
    for (size_t i; (i = atomic_fetch_add(&v->taken, 1)) < v->intervals;)
        replay(w, v->end[i], v->end[i + 1]);
    atomic_fetch_add(&v->over, 1);
    return NULL;
}

/* ---- together ---- */

struct verification *verification_new(struct recorded_run **run, unsigned jobs, uint64_t from,
                                      uint64_t to)
{
    struct verification *v = mem_new(1, sizeof *v);
    struct ends e = find_ends(recorded_run_recording(run[0]), from, to);
    v->end = e.position;
    v->intervals = e.count - 1;
    v->result.intervals = v->intervals;
    v->result.steps = v->end[v->intervals] - v->end[0];
    atomic_init(&v->taken, 0);
    pthread_mutex_init(&v->lock, NULL);
    v->jobs = jobs;
    v->worker = mem_new(jobs, sizeof *v->worker);
    for (unsigned i = 0; i < jobs; i++) {
        v->worker[i].v = v;
        v->worker[i].run = run[i];
    }
    return v;
}

void verification_start(struct verification *v)
{
    v->started = true;
    for (unsigned i = 0; i < v->jobs; i++) {
        int failure = pthread_create(&v->worker[i].thread, NULL, work, &v->worker[i]);
        check(!failure, "no thread: %d", failure);
    }
}

bool verification_progress(struct verification *v, uint64_t *done, uint64_t *total)
{
    *done = 0;
    *total = v->result.steps;
    for (unsigned i = 0; i < v->jobs; i++)
        *done += atomic_load(&v->worker[i].done);
    return atomic_load(&v->over) == v->jobs;
}

struct verification_result verification_finish(struct verification *v)
{
    for (unsigned i = 0; v->started && i < v->jobs; i++)
        pthread_join(v->worker[i].thread, NULL);
    v->started = false;
    return v->result;
}

void verification_free(struct verification *v)
{
    if (!v)
        return;
    verification_finish(v);
    pthread_mutex_destroy(&v->lock);
    free(v->worker);
    free(v->end);
    free(v);
}
