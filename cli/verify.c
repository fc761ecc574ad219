#include "cli/verify.h"

#include "base/check.h"
#include "base/chunkfile.h"
#include "base/plain_text.h"
#include "cli/arguments.h"
#include "cli/numbers.h"
#include "cli/positions.h"
#include "cli/verify_intervals.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { STATUS_EQUAL = 0, STATUS_DIFFERS = 1, STATUS_BAD = 2 };
enum { JOBS_MOST = 256, BAR = 30, TURN_NS = 100000000 };
#define BUDGET_LEAST ((size_t)64 << 20)

struct words {
    const char *file, *from, *to, *jobs;
};

struct verify {
    const char *file;
    struct recorded_run **run;
    unsigned jobs, runs;
    uint64_t from, to;
};

/* ---- progress ---- */

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void draw(uint64_t done, uint64_t total, double seconds)
{
    double share = total ? (double)done / (double)total : 1;
    char bar[BAR + 1];
    for (int i = 0; i < BAR; i++)
        bar[i] = i < (int)(share * BAR) ? '=' : ' ';
    bar[BAR] = '\0';
    fprintf(stderr, "\r[%s] %3.0f%%", bar, 100 * share);
    if (share > 0.005 && seconds > 0.3)
        fprintf(stderr, "  %.0f s left  ", seconds / share - seconds);
}

static void erase(void)
{
    fprintf(stderr, "\r%*s\r", BAR + 30, "");
}

static void watch(struct verification *v, double began)
{
    const struct timespec turn = {.tv_nsec = TURN_NS};
    uint64_t done, total;
    if (!isatty(STDERR_FILENO))
        return;
    while (!verification_progress(v, &done, &total)) {
        draw(done, total, now() - began);
        nanosleep(&turn, NULL);
    }
    erase();
}

/* ---- the file ---- */

/* Chunks that are lost or damaged, also those that no replay needs; *err says which is the first.
 */
static uint64_t count_damaged(const char *path, struct error *err)
{
    struct error of_this = ERROR_INIT;
    struct chunk_reader *r = chunk_reader_open(path, err);
    struct buffer contents = {0};
    uint64_t damaged = r ? 0 : 1, next = 0;
    for (size_t i = 0; r && i < chunk_reader_count(r); i++) {
        const struct chunk *chunk = chunk_reader_chunk(r, i);
        if (chunk->number > next && !damaged)
            error_set(err, ERROR_FORMAT, "chunk %" PRIu64 " is lost", next);
        damaged += chunk->number - next;
        next = chunk->number + UINT64_C(1);
        buffer_clear(&contents);
        if (!chunk_reader_load(r, chunk, &contents, &of_this) && !damaged++)
            *err = of_this;
    }
    buffer_fini(&contents);
    chunk_reader_free(r);
    return damaged;
}

/* ---- the result ---- */

/* A file that was not closed has no digest of its end. */
static void append_uncompared(const struct verify *v, struct buffer *line)
{
    struct timeline_info info;
    char last[NUMBER_TEXT];
    timeline_info(recorded_run_timeline(v->run[0]), &info);
    number_format(info.last_digest, last);
    if (info.last_digest < v->to)
        buffer_printf(line, "behind position %s there is no digest to compare with\n", last);
}

static int report(const struct verify *v, const struct verification_result *result, double seconds)
{
    char from[NUMBER_TEXT], to[NUMBER_TEXT];
    struct buffer line = {0};
    number_format(v->from, from);
    number_format(v->to, to);
    append_plain(&line, v->file);
    if (!result->differ) {
        buffer_printf(&line,
                      ": equal: positions %s to %s, %" PRIu64 " interval%s in %.1f s, %.0f million "
                      "steps a second\n",
                      from, to, result->intervals, result->intervals == 1 ? "" : "s", seconds,
                      (double)result->steps / 1e6 / (seconds > 0 ? seconds : 1));
        append_uncompared(v, &line);
    } else {
        buffer_printf(&line,
                      ": differs in %" PRIu64 " of %" PRIu64 " intervals, first: ", result->differ,
                      result->intervals);
        size_t at = line.size;
        buffer_printf(&line, "%s\n", result->text);
        plain_text_clean(line.data + at, line.size - at, true);
    }
    struct error damage = ERROR_INIT;
    uint64_t damaged = count_damaged(recorded_run_path(v->run[0]), &damage);
    if (damaged) {
        buffer_printf(&line, "%" PRIu64 " of its chunks %s damaged, first: ", damaged,
                      damaged == 1 ? "is" : "are");
        append_plain(&line, damage.message);
        buffer_append_byte(&line, '\n');
    }
    fputs(buffer_text(&line), stdout);
    buffer_fini(&line);
    return result->differ || damaged ? STATUS_DIFFERS : STATUS_EQUAL;
}

/* ---- together ---- */

static bool find_jobs(struct verify *v, const char *text, struct error *err)
{
    uint64_t jobs;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    v->jobs = cores > 1 ? (unsigned)(cores < JOBS_MOST ? cores : JOBS_MOST) : 1;
    if (!text)
        return true;
    if (!number_parse(text, &jobs) || !jobs || jobs > JOBS_MOST)
        return error_set(err, ERROR_USAGE, "-j %.40s is not possible: 1 to %d threads", text,
                         JOBS_MOST);
    v->jobs = (unsigned)jobs;
    return true;
}

/* A thread that opens a run. */
struct opening {
    const char *file;
    const struct recorded_run_options *options;
    pthread_t thread;
    struct recorded_run *run;
    struct error err;
};

static void *open_one(void *ctx)
{
    struct opening *o = ctx;
    o->run = recorded_run_open(o->file, o->options, &o->err);
    return NULL;
}

/* The runs that are lacking, all at once. */
static bool open_others(struct verify *v, const struct recorded_run_options *options,
                        struct error *err)
{
    unsigned count = v->jobs - v->runs;
    struct opening *opening = mem_new(count + 1, sizeof *opening);
    for (unsigned i = 0; i < count; i++) {
        opening[i] = (struct opening){v->file, options, .err = ERROR_INIT};
        int failure = pthread_create(&opening[i].thread, NULL, open_one, &opening[i]);
        check(!failure, "no thread: %d", failure);
    }
    bool good = true;
    for (unsigned i = 0; i < count; i++) {
        pthread_join(opening[i].thread, NULL);
        if (opening[i].run)
            v->run[v->runs++] = opening[i].run;
        else
            *err = opening[i].err;
        good &= opening[i].run != NULL;
    }
    free(opening);
    return good;
}

static bool open_runs(struct verify *v, const struct words *w, struct error *err)
{
    struct recorded_run_options options = {.without_images = true, .at_begin = true};
    v->run = mem_new(v->jobs, sizeof(struct recorded_run *));
    v->run[v->runs] = recorded_run_open(w->file, &options, err);
    if (!v->run[v->runs])
        return false;
    v->runs++;
    if (!position_find_part(recorded_run_timeline(v->run[0]), w->from, w->to, &v->from, &v->to,
                            err))
        return false;
    size_t intervals = verification_intervals(recorded_run_recording(v->run[0]), v->from, v->to);
    if (v->jobs > intervals)
        v->jobs = intervals ? (unsigned)intervals : 1;
    options.quiet = true;
    options.budget = recorded_run_options(v->run[0])->budget / v->jobs;
    if (options.budget < BUDGET_LEAST)
        options.budget = BUDGET_LEAST;
    return open_others(v, &options, err);
}

static int verify(struct verify *v)
{
    struct verification *verification = verification_new(v->run, v->jobs, v->from, v->to);
    double began = now();
    verification_start(verification);
    watch(verification, began);
    const struct verification_result result = verification_finish(verification);
    int status = report(v, &result, now() - began);
    verification_free(verification);
    return status;
}

int verify_main(int argc, char **argv)
{
    struct words w = {0};
    struct verify v = {0};
    struct error err = ERROR_INIT;
    const struct argument table[] = {
        {.name = "from",
         .argument = "POSITION",
         .help = "begin here: N, start (default), N%, a bookmark",
         .value = &w.from},
        {.name = "to",
         .argument = "POSITION",
         .help = "end here: N, end (default), N%, a bookmark",
         .value = &w.to},
        {.name = "j",
         .argument = "N",
         .help = "threads (default: as many as there are cores)",
         .value = &w.jobs},
    };
    const struct arguments a = {
        "verify", "FILE [--from POSITION] [--to POSITION] [-j N]",
        "Replays a recording from each of its checkpoints to the next one, and compares every\n"
        "digest, and reads all that the file has. The exit status is 0 when all are equal, 1 when "
        "one\n"
        "differs or a part is damaged, 2 when the file cannot be opened.\n",
        table, sizeof table / sizeof *table};
    enum arguments_result parsed = arguments_parse(&a, argc, argv, &w.file, &err);
    if (parsed == ARGUMENTS_HELP)
        return 0;
    v.file = w.file;
    bool ok = parsed == ARGUMENTS_GOOD && find_jobs(&v, w.jobs, &err) && open_runs(&v, &w, &err);
    int status = ok ? verify(&v) : command_failed(STATUS_BAD, &err);
    while (v.runs)
        recorded_run_free(v.run[--v.runs]);
    free(v.run);
    return status;
}
