/* Recordings in files: what writing one costs, how soon it opens, how fast one is in it, how fast
 * it is verified. */
#ifndef CLI_BENCH_RECORDING_H
#define CLI_BENCH_RECORDING_H

#include "cli/bench_host.h"
#include "cli/embedded.h"

#include <stdio.h>

enum { BENCH_RECORDINGS = 3, BENCH_JOBS = 2 };

/* One recording. Whole processes are measured, with their beginning, as users have it. */
struct bench_recording {
    uint64_t end;                          /* position */
    uint64_t bytes;                        /* of the file */
    struct bench_times forward;            /* the run that was recorded, its writer included */
    struct bench_samples close;            /* seconds: the end of that process */
    struct bench_samples live_first;       /* seconds: its first step back, */
    struct bench_samples live_step;        /* further ones */
    struct bench_samples open;             /* seconds to the first answer at the end */
    struct bench_samples first_step, step; /* there, as live */
    struct bench_times verify[BENCH_JOBS]; /* with 1 and 2 threads */
};

/* Ascending by length. */
struct bench_recordings {
    const struct embedded_file *guest;
    struct bench_recording row[BENCH_RECORDINGS];
    unsigned count; /* measured */
};

/* Record the guest up to each of these positions, and replay it. */
bool bench_measure_recordings(struct bench_recordings *recordings, const uint64_t *end,
                              unsigned count, unsigned rounds, struct bench_host *host,
                              struct error *err);
/* Add to a row what can be measured of a file that is there already. */
bool bench_measure_replays(struct bench_recording *row, const char *path, struct bench_host *host,
                           struct error *err);

/* ---- results ---- */

/* Steps a second of processor time when verifying, in times the run's; 0: not known. */
double bench_verify_ratio(const struct bench_recording *row);

struct json_t;
void bench_recording_print_head(FILE *out);
void bench_recording_print_row(const char *name, const struct bench_recording *row, FILE *out);
void bench_recordings_print(const struct bench_recordings *recordings, FILE *out);
struct json_t *bench_recording_json(const struct bench_recording *row);
struct json_t *bench_recordings_json(const struct bench_recordings *recordings);

#endif
