/* What the bench is asked for, and what it finds. */
#ifndef CLI_BENCH_RESULTS_H
#define CLI_BENCH_RESULTS_H

#include "cli/bench_conditions.h"
#include "cli/bench_host.h"
#include "cli/bench_recording.h"
#include "cli/embedded.h"

enum { BENCH_GUESTS = 5, BENCH_POSITIONS = 3 };

struct bench_options {
    unsigned rounds;
    uint64_t steps; /* of a round; 0: as many as take round_seconds */
    double round_seconds;
    bool quick, json;
    bool linux_guest;
    bool recording;              /* nothing but recordings in files */
    const char *kernel, *initrd; /* of the Linux guest; NULL: those of the cache folder */
};

struct bench_speed {
    const struct embedded_file *guest;
    char name[16];
    struct bench_rates recorded, off;            /* steps a second */
    struct bench_samples overhead;               /* percent more time a step with checkpoints */
    struct bench_rates qemu_record, qemu_replay; /* instructions a second; may be empty */
    char qemu_problem[160];                      /* why they are */
    uint64_t steps;                              /* of a round */
    double checkpoints;                          /* per 1e9 steps */
    double checkpoint_bytes;                     /* of host memory, per 1e9 steps */
    uint64_t memory_peak, memory_peak_off;       /* bytes resident */
};

/* Reversing from a position that was just reached live; seconds on the wall clock. */
struct bench_latency {
    uint64_t position;
    struct bench_samples forward;    /* the recorded run up to there, live */
    struct bench_samples first_step; /* bs */
    struct bench_samples step;       /* further ones */
    struct bench_samples hot;        /* bc to a breakpoint in the loop */
    struct bench_samples nothing;    /* bc that replays everything, and finds nothing */
    struct bench_samples ratio;      /* of `nothing` to `forward`, in processor time */
    struct bench_samples skipped;    /* bc to a page that was never executed */
};

struct bench_results {
    struct bench_options options;
    char qemu[128]; /* its version; empty: not installed */
    struct bench_speed speed[BENCH_GUESTS];
    struct bench_latency engine[BENCH_POSITIONS]; /* through the timeline's functions */
    struct bench_latency socket[BENCH_POSITIONS]; /* as gdb has it */
    struct bench_conditions conditions;
    struct bench_recordings recordings;
};

/* A requirement: what is wanted at least or at most, and what was measured. */
enum { BENCH_FLOOR_NAME = 64 };
struct bench_floor {
    char name[BENCH_FLOOR_NAME];
    const char *unit;
    double wanted, measured;
    bool at_most; /* else at least */
    bool known;   /* it could be measured */
};
bool bench_floor_holds(const struct bench_floor *wanted);
/* Returns how many. */
enum { BENCH_FLOORS = 2 * BENCH_GUESTS + 3 };
size_t bench_floors(const struct bench_results *results, struct bench_floor out[BENCH_FLOORS]);
/* Of the longest recording; none without one. */
enum { BENCH_RECORDING_FLOORS = 5 };
size_t bench_recording_floors(const struct bench_recordings *recordings,
                              struct bench_floor out[BENCH_RECORDING_FLOORS]);

/* To a file, for who runs it by name. */
bool bench_write_guest(const struct embedded_file *guest, const char *path, struct error *err);

/* Fill in results->speed[guest]; guest, name and options are set. */
bool bench_measure_speed(struct bench_results *results, unsigned guest, struct bench_host *host,
                         struct error *err);
/* Fill in one row, on `guest`. A row is measured anew `repeats` times. */
bool bench_measure_engine(struct bench_latency *row, const struct embedded_file *guest,
                          unsigned repeats, struct bench_host *host, struct error *err);
bool bench_measure_socket(struct bench_latency *row, const struct embedded_file *guest,
                          unsigned repeats, struct bench_host *host, struct error *err);

#endif
