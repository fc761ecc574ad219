#include "cli/verify.h"

#include "base/check.h"
#include "cli/arguments.h"
#include "cli/numbers.h"
#include "cli/verify_intervals.h"

#include <inttypes.h>
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

/* ---- the result ---- */

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
    } else {
        buffer_printf(&line,
                      ": differs in %" PRIu64 " of %" PRIu64 " intervals, first: ", result->differ,
                      result->intervals);
        for (const char *c = result->text; *c; c++)
            buffer_append_byte(&line, *c == '\n' || (unsigned char)*c >= ' ' ? (uint8_t)*c : '?');
        buffer_append_byte(&line, '\n');
    }
    fputs(buffer_text(&line), stdout);
    buffer_fini(&line);
    return result->differ ? STATUS_DIFFERS : STATUS_EQUAL;
}

/* ---- together ---- */

static bool find_ends(struct verify *v, const struct words *w, struct error *err)
{
    struct timeline *tl = recorded_run_timeline(v->run[0]);
    v->from = timeline_begin(tl);
    v->to = timeline_tip(tl);
    if (w->from && !recorded_run_position(v->run[0], w->from, &v->from, err))
        return error_prefix(err, "--from");
    if (w->to && !recorded_run_position(v->run[0], w->to, &v->to, err))
        return error_prefix(err, "--to");
    return v->from <= v->to || error_set(err, ERROR_RANGE, "--from %.80s lies behind --to %.80s",
                                         w->from, w->to ? w->to : "end");
}

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

static bool open_runs(struct verify *v, const struct words *w, struct error *err)
{
    struct recorded_run_options options = {.without_images = true};
    v->run = mem_new(v->jobs, sizeof(struct recorded_run *));
    v->run[v->runs] = recorded_run_open(w->file, &options, err);
    if (!v->run[v->runs])
        return false;
    v->runs++;
    if (!find_ends(v, w, err))
        return false;
    size_t intervals = verification_intervals(recorded_run_recording(v->run[0]), v->from, v->to);
    if (v->jobs > intervals)
        v->jobs = intervals ? (unsigned)intervals : 1;
    options.quiet = true;
    options.budget = recorded_run_options(v->run[0])->budget / v->jobs;
    if (options.budget < BUDGET_LEAST)
        options.budget = BUDGET_LEAST;
    for (; v->runs < v->jobs; v->runs++) {
        v->run[v->runs] = recorded_run_open(w->file, &options, err);
        if (!v->run[v->runs])
            return false;
    }
    return true;
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
        {"from", NULL, "POSITION", "begin here: N, start (default), N%, a bookmark", &w.from, NULL},
        {"to", NULL, "POSITION", "end here: N, end (default), N%, a bookmark", &w.to, NULL},
        {"j", NULL, "N", "threads (default: as many as there are cores)", &w.jobs, NULL},
    };
    const struct arguments a = {
        "verify", "FILE [--from POSITION] [--to POSITION] [-j N]",
        "Replays a recording from each of its checkpoints to the next one, and compares every\n"
        "digest. The exit status is 0 when all are equal, 1 when one differs or a part is "
        "damaged,\n"
        "2 when the file cannot be opened.\n",
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
