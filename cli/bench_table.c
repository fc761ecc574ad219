#include "cli/bench_report.h"
#include "cli/numbers.h"

#include <string.h>

enum { CELL = BENCH_CELL };

/* "1.23 ms", with the unit that fits. */
static void format_seconds(double seconds, char text[CELL])
{
    if (seconds < 1e-3)
        snprintf(text, CELL, "%.0f us", seconds * 1e6);
    else if (seconds < 1)
        snprintf(text, CELL, "%.1f ms", seconds * 1e3);
    else
        snprintf(text, CELL, "%.2f s", seconds);
}

void bench_format_median(const struct bench_samples *samples, char text[BENCH_CELL])
{
    if (samples->count)
        format_seconds(bench_median(samples), text);
    else
        strcpy(text, "-");
}

static void format_rate(const struct bench_samples *samples, char text[CELL])
{
    double rate = bench_median(samples) * 1e-6;
    if (samples->count)
        snprintf(text, CELL, rate < 100 ? "%.1f" : "%.0f", rate);
    else
        strcpy(text, "-");
}

static void print_speed_row(const struct bench_speed *speed, bool qemu, FILE *out)
{
    char recorded[CELL], off[CELL], record[CELL], replay[CELL], ratio[CELL] = "-";
    format_rate(&speed->recorded.cpu, recorded);
    format_rate(&speed->off.cpu, off);
    format_rate(&speed->qemu_record.cpu, record);
    format_rate(&speed->qemu_replay.cpu, replay);
    if (speed->qemu_record.cpu.count)
        snprintf(ratio, sizeof ratio, "%.2fx",
                 bench_median(&speed->recorded.cpu) / bench_median(&speed->qemu_record.cpu));
    fprintf(out, "%-9s %9s %15s %8.1f%% %12s %12s %9s\n", speed->name, recorded, off,
            bench_median(&speed->overhead), qemu ? record : "no QEMU", qemu ? replay : "no QEMU",
            ratio);
    if (speed->qemu_problem[0])
        fprintf(out, "          (%s)\n", speed->qemu_problem);
}

static void print_speed(const struct bench_results *results, FILE *out)
{
    fprintf(out, "Forward, millions of steps a second of processor time (medians of %u rounds)\n",
            results->options.rounds);
    fprintf(out, "%-9s %9s %15s %9s %12s %12s %9s\n", "guest", "recorded", "no checkpoints",
            "overhead", "QEMU record", "QEMU replay", "to record");
    for (unsigned i = 0; i < BENCH_GUESTS; i++)
        print_speed_row(&results->speed[i], results->qemu[0], out);
    if (results->qemu[0])
        fprintf(out, "QEMU: %s, -icount shift=0,rr=record and rr=replay\n", results->qemu);
    else
        fprintf(out, "QEMU: qemu-system-riscv64 is not installed\n");
}

static void print_memory(const struct bench_results *results, FILE *out)
{
    fprintf(out, "\nMemory\n%-9s %17s %18s %15s %20s\n", "guest", "checkpoints/1e9",
            "their bytes/1e9", "peak, recorded", "peak, no checkpoints");
    for (unsigned i = 0; i < BENCH_GUESTS; i++) {
        const struct bench_speed *speed = &results->speed[i];
        char bytes[NUMBER_TEXT], peak[NUMBER_TEXT], off[NUMBER_TEXT];
        double per = speed->checkpoint_bytes;
        number_format_size(per > 0 ? (uint64_t)per : 0, bytes);
        number_format_size(speed->memory_peak, peak);
        number_format_size(speed->memory_peak_off, off);
        fprintf(out, "%-9s %17.1f %18s %15s %20s\n", speed->name, speed->checkpoints, bytes, peak,
                off);
    }
}

static void print_latency_row(const char *where, const struct bench_latency *row, FILE *out)
{
    char first[CELL], step[CELL], hot[CELL], forward[CELL], nothing[CELL], skipped[CELL];
    bench_format_median(&row->first_step, first);
    bench_format_median(&row->step, step);
    bench_format_median(&row->hot, hot);
    bench_format_median(&row->forward, forward);
    bench_format_median(&row->nothing, nothing);
    bench_format_median(&row->skipped, skipped);
    fprintf(out, "%-7s %8.0e %9s %9s %9s %9s %11s %6.2fx %11s\n", where, (double)row->position,
            first, step, hot, forward, nothing, bench_median(&row->ratio), skipped);
}

static void print_latency(const struct bench_results *results, FILE *out)
{
    fprintf(out, "\nBackwards, guest integer: a step (bs) and a search (bc)\n");
    fprintf(out, "%-7s %8s %9s %9s %9s %9s %11s %7s %11s\n", "where", "position", "first bs", "bs",
            "bc hot", "forward", "bc nothing", "ratio", "bc skipped");
    for (unsigned i = 0; i < BENCH_POSITIONS; i++)
        print_latency_row("engine", &results->engine[i], out);
    for (unsigned i = 0; i < BENCH_POSITIONS; i++)
        print_latency_row("socket", &results->socket[i], out);
}

void bench_print_floors(const struct bench_floor *row, size_t count, FILE *out)
{
    fprintf(out, "\n%-42s %14s %12s\n", "Floors", "wanted", "measured");
    for (size_t i = 0; i < count; i++) {
        char wanted[CELL], measured[CELL];
        snprintf(wanted, sizeof wanted, "%s %g %s", row[i].at_most ? "<=" : ">=", row[i].wanted,
                 row[i].unit);
        snprintf(measured, sizeof measured, row[i].measured < 10 ? "%.2f %s" : "%.1f %s",
                 row[i].measured, row[i].unit);
        fprintf(out, "%-42s %14s %12s  %s\n", row[i].name, wanted, row[i].known ? measured : "-",
                !row[i].known                ? "not measured"
                : bench_floor_holds(&row[i]) ? "pass"
                                             : "short");
    }
}

void bench_print_table(const struct bench_results *results, FILE *out)
{
    struct bench_floor floor[BENCH_FLOORS + BENCH_CONDITION_FLOORS + BENCH_RECORDING_FLOORS];
    size_t floors = 0;
    if (!results->options.recording) {
        print_speed(results, out);
        print_memory(results, out);
        print_latency(results, out);
        bench_conditions_print(&results->conditions, out);
        fputc('\n', out);
        floors = bench_floors(results, floor);
        floors += bench_condition_floors(&results->conditions, floor + floors);
    }
    bench_recordings_print(&results->recordings, out);
    floors += bench_recording_floors(&results->recordings, floor + floors);
    bench_print_floors(floor, floors, out);
}
