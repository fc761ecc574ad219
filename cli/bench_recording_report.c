/* What was measured on recordings, on paper, and what of it is required. */
#include "cli/bench_recording.h"

#include "cli/bench_report.h"
#include "cli/numbers.h"

#include <jansson.h>
#include <string.h>
#include <unistd.h>

/* ---- floors ---- */

static double ratio(const struct bench_samples *of, const struct bench_samples *to)
{
    return to->count && of->count ? bench_median(of) / bench_median(to) : 0;
}

double bench_verify_ratio(const struct bench_recording *row)
{
    return ratio(&row->forward.cpu, &row->verify[0].cpu);
}

/* The host has two processors, so that two threads can be faster than one. */
static bool can_scale(const struct bench_recording *row)
{
    return row->verify[1].wall.count && sysconf(_SC_NPROCESSORS_ONLN) >= BENCH_JOBS;
}

size_t bench_recording_floors(const struct bench_recordings *recordings,
                              struct bench_floor out[BENCH_RECORDING_FLOORS])
{
    if (!recordings->count)
        return 0;
    const struct bench_recording *row = &recordings->row[recordings->count - 1];
    size_t n = 0;
    out[n++] = (struct bench_floor){"opens at the end",       "s",  1,
                                    bench_median(&row->open), true, row->open.count};
    out[n++] = (struct bench_floor){
        "bs there, median, to live",        "x",  1.5,
        ratio(&row->step, &row->live_step), true, row->step.count && row->live_step.count};
    out[n++] = (struct bench_floor){
        "bs there, the first", "ms", 200, 1e3 * bench_median(&row->first_step), true,
        row->first_step.count};
    out[n++] =
        (struct bench_floor){"verify to forward, processor", "x",   0.9,
                             bench_verify_ratio(row),        false, row->verify[0].cpu.count};
    out[n++] = (struct bench_floor){"verify with 2 threads, wall",
                                    "x",
                                    1.5,
                                    ratio(&row->verify[0].wall, &row->verify[1].wall),
                                    false,
                                    can_scale(row)};
    for (size_t i = 0; i < n; i++) {
        char name[BENCH_FLOOR_NAME];
        snprintf(name, sizeof name, "%.0e recorded, %.40s", (double)row->end, out[i].name);
        memcpy(out[i].name, name, sizeof name);
    }
    return n;
}

/* ---- the table ---- */

enum { CELL = 32 };

static void format_rate(const struct bench_samples *seconds, uint64_t steps, char text[CELL])
{
    double rate = bench_median(seconds) > 0 ? (double)steps * 1e-6 / bench_median(seconds) : 0;
    if (seconds->count)
        snprintf(text, CELL, rate < 100 ? "%.1f" : "%.0f", rate);
    else
        strcpy(text, "-");
}

void bench_recording_print_head(FILE *out)
{
    fprintf(out, "%-9s %9s %9s %9s %9s %9s %9s %9s %9s %9s %9s %7s\n", "recorded", "file", "close",
            "open", "first bs", "live", "bs", "live", "forward", "verify", "-j2 wall", "to -j1");
}

void bench_recording_print_row(const char *name, const struct bench_recording *row, FILE *out)
{
    char bytes[NUMBER_TEXT], rates[3][CELL], times[6][CELL], scale[CELL] = "-";
    const struct bench_samples *seconds[] = {&row->close,      &row->open, &row->first_step,
                                             &row->live_first, &row->step, &row->live_step};
    number_format_size(row->bytes, bytes);
    for (size_t i = 0; i < 6; i++)
        bench_format_median(seconds[i], times[i]);
    format_rate(&row->forward.cpu, row->end, rates[0]);
    format_rate(&row->verify[0].cpu, row->end, rates[1]);
    format_rate(&row->verify[1].wall, row->end, rates[2]);
    if (row->verify[1].wall.count)
        snprintf(scale, sizeof scale, "%.2fx", ratio(&row->verify[0].wall, &row->verify[1].wall));
    fprintf(out, "%-9s %9s %9s %9s %9s %9s %9s %9s %9s %9s %9s %7s\n", name, bytes, times[0],
            times[1], times[2], times[3], times[4], times[5], rates[0], rates[1], rates[2], scale);
}

void bench_recordings_print(const struct bench_recordings *recordings, FILE *out)
{
    if (!recordings->count)
        return;
    fprintf(out, "Recordings in files, guest integer: opened at the end, a step back (bs) there "
                 "and live;\nmillions of steps a second of processor time, with -j2 of time\n");
    bench_recording_print_head(out);
    for (unsigned i = 0; i < recordings->count; i++) {
        char name[CELL];
        snprintf(name, sizeof name, "%.0e", (double)recordings->row[i].end);
        bench_recording_print_row(name, &recordings->row[i], out);
    }
}

/* ---- JSON ---- */

static json_t *median(const struct bench_samples *samples)
{
    return samples->count ? json_real(bench_median(samples)) : json_null();
}

static json_t *times_json(const struct bench_times *times)
{
    return json_pack("{s:o, s:o}", "processor_seconds", median(&times->cpu), "seconds",
                     median(&times->wall));
}

json_t *bench_recording_json(const struct bench_recording *row)
{
    return json_pack(
        "{s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "position", (json_int_t)row->end,
        "file_bytes", (json_int_t)row->bytes, "forward", times_json(&row->forward), "close_seconds",
        median(&row->close), "open_seconds", median(&row->open), "first_bs_seconds",
        median(&row->first_step), "bs_seconds", median(&row->step), "live_first_bs_seconds",
        median(&row->live_first), "live_bs_seconds", median(&row->live_step), "verify",
        times_json(&row->verify[0]), "verify_j2", times_json(&row->verify[1]));
}

json_t *bench_recordings_json(const struct bench_recordings *recordings)
{
    json_t *array = json_array();
    for (unsigned i = 0; i < recordings->count; i++)
        json_array_append_new(array, bench_recording_json(&recordings->row[i]));
    return array;
}
