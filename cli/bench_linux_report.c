/* What was measured on Linux, on paper, and what of it is required. */
#include "cli/bench_linux.h"
#include "cli/bench_report.h"
#include "cli/numbers.h"

#include "checkpoints/checkpoint.h"

#include <jansson.h>

#define MIB 1048576.0

enum { CELL = 32 };

static const char *const run_name[LINUX_RUNS] = {
    "boot", "boot, no checkpoints", "boot, file", "disk",      "awake",
    "idle", "awake live",           "idle live",  "page fetch"};
static const char *const run_key[LINUX_RUNS] = {
    "boot", "boot_no_checkpoints", "boot_file", "disk", "awake",
    "idle", "awake_live",          "idle_live", "load"};

uint64_t bench_log_bytes(const struct timeline_info *info)
{
    return info->events * LOG_EVENT_BYTES + info->input_bytes;
}

uint64_t bench_checkpoint_bytes(const struct timeline_info *info)
{
    /* Of a long log a part is in the file too. */
    uint64_t log = bench_log_bytes(info);
    uint64_t all = info->bytes + info->spilled_bytes;
    return all - (log > info->log_bytes ? log : info->log_bytes);
}

static uint64_t digest_bytes(const struct timeline_info *info)
{
    return info->digests * sizeof(struct digest);
}

/* Bytes of log a second of sleep, from two boots that differ in nothing else. */
static double idle_rate(const struct bench_linux_results *results, enum bench_linux_run awake,
                        enum bench_linux_run idle)
{
    const struct bench_booted *run = &results->run[idle];
    double more =
        (double)bench_log_bytes(&run->info) - (double)bench_log_bytes(&results->run[awake].info);
    return run->boot.sleep ? more / run->boot.sleep : 0;
}

static double memory_allowed(const struct bench_booted *run)
{
    return BENCH_LINUX_RAM_MIB * MIB + (double)run->boot.budget + 64 * MIB;
}

/* ---- floors ---- */

static double to_qemu(const struct bench_samples *ours, const struct bench_samples *theirs)
{
    return ours->count ? bench_median(theirs) / bench_median(ours) : 0;
}

static struct bench_floor memory_floor(const struct bench_linux_results *results,
                                       enum bench_linux_run which)
{
    const struct bench_booted *run = &results->run[which];
    struct bench_floor row = {
        .unit = "MiB", .wanted = memory_allowed(run) / MIB, .at_most = true, .known = run->steps};
    snprintf(row.name, sizeof row.name, "%s, peak memory", run_name[which]);
    row.measured = (double)run->usage.memory_peak / MIB;
    return row;
}

/* A figure that is known when it is not 0, or was sampled. */
static struct bench_floor floor_of(const char *name, const char *unit, double wanted, bool at_most,
                                   double measured, bool known)
{
    struct bench_floor row = {
        .unit = unit, .wanted = wanted, .at_most = at_most, .measured = measured, .known = known};
    snprintf(row.name, sizeof row.name, "%s", name);
    return row;
}

static size_t file_floors(const struct bench_linux_results *results, struct bench_floor *out)
{
    const struct bench_recording *replay = &results->replay;
    size_t n = 0;
    out[n++] = floor_of("file, more than in memory, machine's thread", "%", 5, true,
                        bench_median(&results->file_cost), results->file_cost.count);
    out[n++] = floor_of("file, size", "MB", 64, true, (double)replay->bytes * 1e-6, replay->bytes);
    out[n++] = floor_of("file, opens at the end", "s", 1, true, bench_median(&replay->open),
                        replay->open.count);
    out[n++] = floor_of("file, verify to forward, processor", "x", 0.9, false,
                        bench_verify_ratio(replay), replay->verify[0].cpu.count);
    return n;
}

size_t bench_linux_floors(const struct bench_linux_results *results,
                          struct bench_floor out[BENCH_LINUX_FLOORS])
{
    const struct timeline_info *boot = &results->run[LINUX_BOOT].info;
    const struct timeline_info *load = &results->run[LINUX_LOAD].info;
    const struct bench_times *ours = &results->ours[LINUX_BOOT];
    bool qemu = results->qemu_record.cpu.count && ours->cpu.count;
    size_t n = 0;
    out[n++] = floor_of("boot, speed to QEMU's record, wall", "x", 0.15, false,
                        to_qemu(&ours->wall, &results->qemu_record.wall), qemu);
    out[n++] = floor_of("boot, speed to QEMU's record, processor", "x", 0.15, false,
                        to_qemu(&ours->cpu, &results->qemu_record.cpu), qemu);
    out[n++] = floor_of("boot, overhead of recording", "%", 10, true,
                        bench_median(&results->overhead), results->overhead.count);
    n += file_floors(results, out + n);
    out[n++] =
        floor_of("idle, log a second of the guest's", "bytes", 200, true,
                 idle_rate(results, LINUX_AWAKE, LINUX_IDLE), results->run[LINUX_IDLE].steps);
    out[n++] = floor_of("idle live, log a second", "bytes", 200, true,
                        idle_rate(results, LINUX_AWAKE_LIVE, LINUX_IDLE_LIVE),
                        results->run[LINUX_IDLE_LIVE].steps);
    out[n++] = floor_of(
        "page fetch, log to input", "%", 110, true,
        load->input_bytes ? 100 * (double)bench_log_bytes(load) / (double)load->input_bytes : 0,
        load->input_bytes);
    out[n++] = floor_of("boot, digests a checkpoint", "bytes", 32, true,
                        boot->digests ? (double)digest_bytes(boot) / (double)boot->digests : 0,
                        boot->digests);
    out[n++] = memory_floor(results, LINUX_BOOT);
    out[n++] = memory_floor(results, LINUX_DISK);
    out[n++] = memory_floor(results, LINUX_LOAD);
    return n;
}

/* ---- the table ---- */

static void print_times(const char *name, const struct bench_times *times, uint64_t steps,
                        uint64_t log, uint64_t peak, FILE *out)
{
    char log_text[NUMBER_TEXT], peak_text[NUMBER_TEXT], steps_text[CELL] = "-", rate[CELL] = "-";
    double cpu = bench_median(&times->cpu);
    number_format_size(log, log_text);
    number_format_size(peak, peak_text);
    if (steps) {
        snprintf(steps_text, sizeof steps_text, "%.3fe9", (double)steps * 1e-9);
        snprintf(rate, sizeof rate, "%.0f", (double)steps * 1e-6 / cpu);
    }
    fprintf(out, "%-15s %8.2f s %8.2f s %9s %10s %12s %12s\n", name, bench_median(&times->wall),
            cpu, steps_text, rate, log_text, peak_text);
}

static void print_workload(const struct bench_linux_results *r, FILE *out)
{
    static const char *const name[LINUX_BOOTS] = {"recorded", "no checkpoints", "to a file"};
    fprintf(out,
            "Debian's Linux, from boot to power-off of a fixed workload (medians of %u rounds)\n"
            "%-15s %10s %10s %9s %10s %12s %12s\n",
            r->options.rounds, "", "wall", "processor", "steps", "1e6 a s", "log", "peak memory");
    for (unsigned i = 0; i < LINUX_BOOTS; i++)
        print_times(name[i], &r->ours[i], r->run[i].steps, bench_log_bytes(&r->run[i].info),
                    r->run[i].usage.memory_peak, out);
    if (r->qemu_record.cpu.count)
        print_times("QEMU record", &r->qemu_record, 0, r->qemu_log_bytes, r->qemu_memory_peak, out);
    if (r->qemu_problem[0])
        fprintf(out, "QEMU record: %s\n", r->qemu_problem);
    if (r->qemu[0])
        fprintf(out, "QEMU: %s, -icount shift=%d,sleep=off,rr=record\n", r->qemu,
                BENCH_LINUX_SHIFT);
    else
        fprintf(out, "QEMU: qemu-system-riscv64 is not installed\n");
}

static void print_file(const struct bench_linux_results *r, FILE *out)
{
    double memory = bench_median(&r->thread[LINUX_BOOT]);
    double file = bench_median(&r->thread[LINUX_BOOT_FILE]);
    fprintf(out,
            "\nRecording to a file: machine's thread %.2f s, in memory %.2f s (%+.1f%%); another "
            "thread compresses (%.2f s)\n",
            file, memory, bench_median(&r->file_cost),
            bench_median(&r->ours[LINUX_BOOT_FILE].cpu) - file);
    bench_recording_print_head(out);
    bench_recording_print_row("boot", &r->replay, out);
}

static void print_run(const struct bench_booted *run, const char *name, FILE *out)
{
    char log[NUMBER_TEXT], input[NUMBER_TEXT], digests[NUMBER_TEXT], bytes[NUMBER_TEXT];
    char spilled[NUMBER_TEXT], peak[NUMBER_TEXT];
    const struct timeline_info *info = &run->info;
    number_format_size(bench_log_bytes(info), log);
    number_format_size(info->input_bytes, input);
    number_format_size(digest_bytes(info), digests);
    number_format_size(bench_checkpoint_bytes(info), bytes);
    number_format_size(info->spilled_bytes, spilled);
    number_format_size(run->usage.memory_peak, peak);
    fprintf(out, "%-11s %6.3fe9 %10s %10s %10s %12llu %10s %10s %10s\n", name,
            (double)run->steps * 1e-9, input, log, digests, (unsigned long long)info->checkpoints,
            bytes, spilled, peak);
}

static void print_kept(const struct bench_linux_results *r, FILE *out)
{
    fprintf(out, "\nWhat is kept\n%-11s %8s %10s %10s %10s %12s %10s %10s %10s\n", "", "steps",
            "input", "log", "digests", "checkpoints", "bytes", "of these", "peak");
    fprintf(out, "%75s %10s %10s\n", "", "in a file", "memory");
    for (unsigned i = 0; i < LINUX_RUNS; i++)
        if (i != LINUX_BOOT_OFF && i != LINUX_BOOT_FILE)
            print_run(&r->run[i], run_name[i], out);
    fprintf(out,
            "disk: %u MiB written and read back, with a budget of %llu MiB; idle: asleep for %u s; "
            "live: for %u s,\nin real time, with a network; page fetch: %.1f MB by HTTP\n",
            r->run[LINUX_DISK].boot.disk_mib,
            (unsigned long long)(r->run[LINUX_DISK].boot.budget >> 20),
            r->run[LINUX_IDLE].boot.sleep, r->run[LINUX_IDLE_LIVE].boot.sleep,
            (double)r->page_bytes * 1e-6);
}

void bench_linux_print_table(const struct bench_linux_results *results, FILE *out)
{
    struct bench_floor floor[BENCH_LINUX_FLOORS];
    print_workload(results, out);
    print_file(results, out);
    print_kept(results, out);
    bench_print_floors(floor, bench_linux_floors(results, floor), out);
}

/* ---- JSON ---- */

static json_t *samples_json(const struct bench_samples *samples)
{
    json_t *array = json_array();
    for (size_t i = 0; i < samples->count; i++)
        json_array_append_new(array, json_real(samples->value[i]));
    return array;
}

static json_t *median_json(const struct bench_samples *samples)
{
    return samples->count ? json_real(bench_median(samples)) : json_null();
}

/* Medians, and the rounds they are of. */
static json_t *times_json(const struct bench_times *times)
{
    return json_pack("{s:o, s:o, s:o, s:o}", "processor_seconds", median_json(&times->cpu),
                     "seconds", median_json(&times->wall), "rounds_processor_seconds",
                     samples_json(&times->cpu), "rounds_seconds", samples_json(&times->wall));
}

static json_t *run_json(const struct bench_booted *run)
{
    const struct timeline_info *info = &run->info;
    return json_pack(
        "{s:I, s:f, s:f, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "steps",
        (json_int_t)run->steps, "seconds", run->usage.wall, "processor_seconds", run->usage.cpu,
        "events", (json_int_t)info->events, "input_bytes", (json_int_t)info->input_bytes,
        "log_bytes", (json_int_t)bench_log_bytes(info), "digest_bytes",
        (json_int_t)digest_bytes(info), "checkpoints", (json_int_t)info->checkpoints,
        "checkpoint_bytes", (json_int_t)bench_checkpoint_bytes(info), "spilled_bytes",
        (json_int_t)info->spilled_bytes, "disk_blocks_read", (json_int_t)info->disk_blocks,
        "memory_peak_bytes", (json_int_t)run->usage.memory_peak, "budget_bytes",
        (json_int_t)run->boot.budget, "sleep_seconds", (json_int_t)run->boot.sleep);
}

static json_t *file_json(const struct bench_linux_results *r)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "machine_thread_processor_seconds",
                     median_json(&r->thread[LINUX_BOOT_FILE]),
                     "in_memory_machine_thread_processor_seconds",
                     median_json(&r->thread[LINUX_BOOT]), "cost_percent",
                     median_json(&r->file_cost), "rounds_cost_percent", samples_json(&r->file_cost),
                     "recording", bench_recording_json(&r->replay));
}

void bench_linux_print_json(const struct bench_linux_results *r, FILE *out)
{
    struct bench_floor floor[BENCH_LINUX_FLOORS];
    size_t floors = bench_linux_floors(r, floor);
    json_t *runs = json_object();
    for (unsigned i = 0; i < LINUX_RUNS; i++)
        json_object_set_new(runs, run_key[i], run_json(&r->run[i]));
    json_t *speed = json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "recorded", times_json(&r->ours[LINUX_BOOT]),
        "no_checkpoints", times_json(&r->ours[LINUX_BOOT_OFF]), "to_file",
        times_json(&r->ours[LINUX_BOOT_FILE]), "record_overhead_percent", median_json(&r->overhead),
        "rounds_record_overhead_percent", samples_json(&r->overhead), "file", file_json(r),
        "qemu_record", times_json(&r->qemu_record));
    if (r->qemu_record.cpu.count) {
        json_object_set_new(speed, "qemu_log_bytes", json_integer((json_int_t)r->qemu_log_bytes));
        json_object_set_new(speed, "qemu_memory_peak_bytes",
                            json_integer((json_int_t)r->qemu_memory_peak));
    }
    if (r->qemu_problem[0])
        json_object_set_new(speed, "qemu_problem", json_string(r->qemu_problem));
    json_t *object =
        json_pack("{s:s, s:o, s:i, s:i, s:I, s:o, s:o, s:o}", "version", BACKSTEP_VERSION, "qemu",
                  r->qemu[0] ? json_string(r->qemu) : json_null(), "rounds", (int)r->options.rounds,
                  "ram_bytes", BENCH_LINUX_RAM_MIB << 20, "page_bytes", (json_int_t)r->page_bytes,
                  "boot", speed, "runs", runs, "floors", bench_floors_json(floor, floors));
    json_dumpf(object, out, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
    fputc('\n', out);
    json_decref(object);
}
