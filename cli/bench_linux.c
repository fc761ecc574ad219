/* What is measured on Linux, in which order: the rounds of the fixed workload take turns, so that
 * whatever else the host does meets everybody; then one boot for each kind of device. */
#include "cli/bench_linux.h"

#include "cli/bench_qemu.h"

#include <string.h>
#include <unistd.h>

#define MIB (UINT64_C(1) << 20)
/* The default of `backstep run`, and one that history does not fit in. */
#define BUDGET (1024 * MIB)
#define BUDGET_SMALL (64 * MIB)

struct sizes {
    const char *mode;
    unsigned disk_mib, idle_seconds, live_seconds;
    uint64_t page_bytes;
};
static const struct sizes whole = {"bench", 32, 600, 10, 20000000};
static const struct sizes quick = {"smoke", 4, 60, 2, 2000000};

struct course {
    struct bench_linux_results *results;
    struct bench_host *host;
    const struct sizes *sizes;
};

static bool boot(struct course *c, enum bench_linux_run which, const struct bench_boot *how,
                 struct error *err)
{
    return bench_linux_boot(how, &c->results->files, c->host, &c->results->run[which], err);
}

/* ---- the fixed workload ---- */

static bool boot_ours(struct course *c, enum bench_linux_run which, struct error *err)
{
    struct bench_linux_results *r = c->results;
    const struct bench_boot how = {.mode = c->sizes->mode,
                                   .budget = BUDGET,
                                   .checkpoints_off = which == LINUX_BOOT_OFF,
                                   .to_file = which == LINUX_BOOT_FILE};
    if (!boot(c, which, &how, err))
        return false;
    bench_time(&r->ours[which], r->run[which].usage.cpu, r->run[which].usage.wall);
    bench_sample(&r->thread[which], r->run[which].thread);
    if (how.to_file)
        bench_sample(&r->close, r->run[which].close);
    return true;
}

/* Nobody is always the first. */
static bool boot_all(struct course *c, unsigned round, struct error *err)
{
    for (unsigned i = 0; i < LINUX_BOOTS; i++)
        if (!boot_ours(c, (round + i) % LINUX_BOOTS, err))
            return false;
    return true;
}

/* A problem with QEMU is a remark in the table, unless the bench itself is to end. */
static bool boot_qemu(struct course *c, struct error *err)
{
    struct bench_linux_results *r = c->results;
    const struct bench_boot how = {.mode = c->sizes->mode};
    struct bench_usage usage;
    struct error problem = ERROR_INIT;
    if (!r->qemu[0] || r->qemu_problem[0])
        return true;
    if (bench_linux_boot_qemu(&how, &r->files, c->host, &usage, &r->qemu_log_bytes, &problem)) {
        bench_sample(&r->qemu_record.cpu, usage.cpu);
        bench_sample(&r->qemu_record.wall, usage.wall);
        r->qemu_memory_peak = usage.memory_peak;
        return true;
    }
    snprintf(r->qemu_problem, sizeof r->qemu_problem, "%.159s", problem.message);
    *err = c->host->signal ? problem : *err;
    return !c->host->signal;
}

static double cpu_of_step(const struct bench_booted *booted)
{
    return booted->usage.cpu / (double)booted->steps;
}

static double thread_of_step(const struct bench_booted *booted)
{
    return booted->thread / (double)booted->steps;
}

static bool measure_replays(struct course *c, struct error *err)
{
    char path[BENCH_PATH];
    struct bench_recording *row = &c->results->replay;
    bench_linux_recording(c->host, path);
    row->end = c->results->run[LINUX_BOOT_FILE].steps;
    row->bytes = c->results->run[LINUX_BOOT_FILE].file_bytes;
    row->forward = c->results->ours[LINUX_BOOT];
    row->close = c->results->close;
    fprintf(stderr, "backstep bench: Linux, its recording\n");
    bool good = bench_measure_replays(row, path, c->host, err);
    unlink(path);
    return good;
}

static bool measure_workload(struct course *c, struct error *err)
{
    struct bench_linux_results *r = c->results;
    for (unsigned i = 0; i < r->options.rounds; i++) {
        fprintf(stderr, "backstep bench: Linux, boot to power-off, %u of %u\n", i + 1,
                r->options.rounds);
        if (!boot_all(c, i, err) || !boot_qemu(c, err))
            return false;
        double off = cpu_of_step(&r->run[LINUX_BOOT_OFF]);
        double memory = thread_of_step(&r->run[LINUX_BOOT]);
        double file = thread_of_step(&r->run[LINUX_BOOT_FILE]);
        bench_sample(&r->overhead, 100 * (cpu_of_step(&r->run[LINUX_BOOT]) / off - 1));
        bench_sample(&r->file_cost, 100 * (file / memory - 1));
    }
    return measure_replays(c, err);
}

/* ---- devices ---- */

static bool measure_disk(struct course *c, struct error *err)
{
    const struct bench_boot how = {
        .mode = "devices", .budget = BUDGET_SMALL, .disk_mib = c->sizes->disk_mib};
    fprintf(stderr, "backstep bench: Linux, disk\n");
    return boot(c, LINUX_DISK, &how, err);
}

static bool measure_idle(struct course *c, struct error *err)
{
    struct bench_boot how = {.mode = "devices", .budget = BUDGET};
    fprintf(stderr, "backstep bench: Linux, idle\n");
    if (!boot(c, LINUX_AWAKE, &how, err))
        return false;
    how.sleep = c->sizes->idle_seconds;
    if (!boot(c, LINUX_IDLE, &how, err))
        return false;
    how = (struct bench_boot){.mode = "devices", .budget = BUDGET, .paced = true, .network = true};
    if (!boot(c, LINUX_AWAKE_LIVE, &how, err))
        return false;
    how.sleep = c->sizes->live_seconds;
    return boot(c, LINUX_IDLE_LIVE, &how, err);
}

static bool measure_load(struct course *c, struct error *err)
{
    struct bench_boot how = {.mode = "devices", .budget = BUDGET, .paced = true, .network = true};
    fprintf(stderr, "backstep bench: Linux, network\n");
    c->results->page_bytes = c->sizes->page_bytes;
    pid_t pid = bench_page_start(c->host, c->sizes->page_bytes, &how.port, err);
    if (pid < 0)
        return false;
    bool good = boot(c, LINUX_LOAD, &how, err);
    bench_kill(c->host, pid);
    if (good && c->results->run[LINUX_LOAD].info.input_bytes < c->sizes->page_bytes)
        return error_set(err, ERROR_FORMAT, "the guest did not get the page");
    return good;
}

bool bench_linux_measure(struct bench_linux_results *results, struct bench_host *host,
                         struct error *err)
{
    struct course c = {results, host, results->options.quick ? &quick : &whole};
    return measure_workload(&c, err) && measure_disk(&c, err) && measure_idle(&c, err) &&
           measure_load(&c, err);
}
