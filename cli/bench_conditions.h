/* A search backwards for the one call in a million that a condition holds at. */
#ifndef CLI_BENCH_CONDITIONS_H
#define CLI_BENCH_CONDITIONS_H

#include "cli/bench_host.h"
#include "cli/embedded.h"

#include <stdio.h>

struct json_t;
struct bench_floor;

struct bench_conditions {
    const struct embedded_file *guest;
    uint64_t position;          /* where it begins */
    uint64_t calls;             /* up to there */
    struct bench_samples plain; /* seconds: bc that scans the same stretch, and hits nothing */
    struct bench_samples conditional; /* seconds: bc to the one call, at the beginning */
    struct bench_samples ratio;       /* of the two, in processor time */
    double packets;                   /* sent and received during the search, without progress */
    uint64_t qemu_calls;              /* that a client of QEMU's gdb port has looked at, forwards */
    double qemu_seconds;              /* in that time */
    char qemu_problem[160];           /* why there is none; empty: it was measured */
};

/* Fill it in; `guest` is set. `qemu`: measure that too. */
bool bench_measure_conditions(struct bench_conditions *c, unsigned repeats, bool qemu,
                              struct bench_host *host, struct error *err);
/* `out` has room for BENCH_CONDITION_FLOORS; returns how many. */
enum { BENCH_CONDITION_FLOORS = 2 };
size_t bench_condition_floors(const struct bench_conditions *c, struct bench_floor *out);
void bench_conditions_print(const struct bench_conditions *c, FILE *out);
/* A new reference. */
struct json_t *bench_conditions_json(const struct bench_conditions *c);

#endif
