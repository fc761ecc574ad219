#include "cli/bench_results.h"

#include <stdio.h>
#include <string.h>

#define AT_1E9 (BENCH_POSITIONS - 1)

static double ratio_wanted(const struct bench_speed *speed)
{
    /* A chase waits for memory, whoever emulates it. */
    return strcmp(speed->name, "chase") ? 0.2 : 0.6;
}

static struct bench_floor speed_floor(const struct bench_speed *speed)
{
    struct bench_floor row = {.unit = "x", .wanted = ratio_wanted(speed)};
    snprintf(row.name, sizeof row.name, "%s, speed to QEMU's record", speed->name);
    double theirs = bench_median(&speed->qemu_record.cpu);
    row.known = theirs > 0;
    row.measured = row.known ? bench_median(&speed->recorded.cpu) / theirs : 0;
    return row;
}

static struct bench_floor overhead_floor(const struct bench_speed *speed)
{
    struct bench_floor row = {.unit = "%", .wanted = 10, .at_most = true, .known = true};
    snprintf(row.name, sizeof row.name, "%s, overhead of recording", speed->name);
    row.measured = bench_median(&speed->overhead);
    return row;
}

static struct bench_floor latency_floor(const char *name, const char *unit, double wanted,
                                        const struct bench_samples *samples, double scale)
{
    struct bench_floor row = {.unit = unit, .wanted = wanted, .at_most = true};
    snprintf(row.name, sizeof row.name, "%s", name);
    row.known = samples->count > 0;
    row.measured = scale * bench_median(samples);
    return row;
}

size_t bench_floors(const struct bench_results *results, struct bench_floor out[BENCH_FLOORS])
{
    size_t n = 0;
    for (unsigned i = 0; i < BENCH_GUESTS; i++)
        out[n++] = speed_floor(&results->speed[i]);
    for (unsigned i = 0; i < BENCH_GUESTS; i++)
        out[n++] = overhead_floor(&results->speed[i]);
    const struct bench_latency *row = &results->socket[AT_1E9];
    out[n++] = latency_floor("bs at 1e9, median", "us", 200, &row->step, 1e6);
    out[n++] = latency_floor("bs at 1e9, the first", "ms", 200, &row->first_step, 1e3);
    out[n++] = latency_floor("bc that finds nothing in 1e9, to forward", "x", 1.3, &row->ratio, 1);
    return n;
}

bool bench_floor_holds(const struct bench_floor *wanted)
{
    return wanted->at_most ? wanted->measured <= wanted->wanted
                           : wanted->measured >= wanted->wanted;
}
