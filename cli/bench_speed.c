/* Forward speed: recorded, without checkpoints, and QEMU's, one after the other in every round, so
 * that whatever else the host does meets all of them. */
#include "cli/bench_qemu.h"
#include "cli/bench_results.h"
#include "cli/bench_worker.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The guests have set themselves up by then, and everybody's code is translated. */
#define WARM UINT64_C(20000000)
#define MILLION UINT64_C(1000000)

struct speed_run {
    struct bench_host *host;
    const struct bench_options *options;
    struct bench_speed *speed;
    struct bench_worker recorded, off;
    uint64_t position;              /* of both */
    struct bench_done began, ended; /* the recorded one's memory */
    bool qemu_runs;
    struct bench_qemu qemu;
};

/* ---- files ---- */

bool bench_write_guest(const struct embedded_file *guest, const char *path, struct error *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool good = fd >= 0 && write(fd, guest->data, guest->size) == (ssize_t)guest->size;
    if (!good)
        error_set(err, ERROR_IO, "cannot write %s: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return good;
}

/* ---- QEMU: a problem with it is a remark in the table, unless the bench itself is to end ---- */

static bool qemu_gave_up(struct speed_run *run, const struct error *problem, struct error *err)
{
    run->qemu_runs = false;
    if (run->host->signal) {
        *err = *problem;
        return false;
    }
    snprintf(run->speed->qemu_problem, sizeof run->speed->qemu_problem, "%.159s", problem->message);
    return true;
}

static bool begin_qemu(struct speed_run *run, struct error *err)
{
    struct error problem = ERROR_INIT;
    char guest[BENCH_PATH], log[BENCH_PATH];
    bench_path(run->host, "guest.elf", guest);
    bench_path(run->host, "replay.bin", log);
    if (!bench_write_guest(run->speed->guest, guest, &problem) ||
        !bench_qemu_start(&run->qemu, run->host, guest, log, false, &problem))
        return qemu_gave_up(run, &problem, err);
    run->qemu_runs = true;
    if (bench_qemu_run_to(&run->qemu, WARM, &problem)) {
        bench_qemu_rest(&run->qemu, true);
        return true;
    }
    bench_qemu_end(&run->qemu);
    return qemu_gave_up(run, &problem, err);
}

static bool sample_qemu(struct speed_run *run, struct error *err)
{
    struct error problem = ERROR_INIT;
    uint64_t position;
    if (!run->qemu_runs)
        return true;
    if (bench_qemu_measure(&run->qemu, run->options->round_seconds, UINT64_MAX,
                           &run->speed->qemu_record, &position, &problem))
        return true;
    bench_qemu_end(&run->qemu);
    return qemu_gave_up(run, &problem, err);
}

/* As far as the recording goes, less its last tenth: behind its end there is nothing to measure. */
static bool sample_replay(struct speed_run *run, uint64_t last, struct error *err)
{
    uint64_t limit = last - last / 10, position = 0;
    if (!bench_qemu_run_to(&run->qemu, WARM < limit ? WARM : limit, err))
        return false;
    for (unsigned i = 0; i < run->options->rounds && position < limit; i++)
        if (!bench_qemu_measure(&run->qemu, run->options->round_seconds, limit,
                                &run->speed->qemu_replay, &position, err))
            return false;
    return true;
}

static bool replay_qemu(struct speed_run *run, struct error *err)
{
    struct error problem = ERROR_INIT;
    uint64_t last;
    char guest[BENCH_PATH], log[BENCH_PATH];
    bench_path(run->host, "guest.elf", guest);
    bench_path(run->host, "replay.bin", log);
    if (!run->qemu_runs)
        return true;
    run->qemu_runs = false;
    /* A little more recording than all rounds need, for the replay to warm up. */
    bench_qemu_rest(&run->qemu, false);
    if (!bench_sleep(run->host, 2 * run->options->round_seconds, &problem)) {
        bench_qemu_end(&run->qemu);
        return qemu_gave_up(run, &problem, err);
    }
    if (!bench_qemu_finish(&run->qemu, &last, &problem) ||
        !bench_qemu_start(&run->qemu, run->host, guest, log, true, &problem))
        return qemu_gave_up(run, &problem, err);
    bool good = sample_replay(run, last, &problem);
    bench_qemu_end(&run->qemu);
    return good || qemu_gave_up(run, &problem, err);
}

/* ---- ours ---- */

/* Both to the end of the set-up, then on to see how many steps make a round. */
static bool warm_up(struct speed_run *run, struct error *err)
{
    struct bench_done off;
    if (!bench_worker_do(&run->off, WORK_RUN, WARM, &off, err) ||
        !bench_worker_do(&run->off, WORK_RUN, 2 * WARM, &off, err) ||
        !bench_worker_do(&run->recorded, WORK_RUN, 2 * WARM, &run->began, err))
        return false;
    run->position = 2 * WARM;
    double steps = WARM / off.seconds * run->options->round_seconds;
    run->speed->steps =
        run->options->steps ? run->options->steps : ((uint64_t)steps / MILLION + 1) * MILLION;
    return true;
}

static bool sample_ours(struct speed_run *run, unsigned round, struct error *err)
{
    struct bench_speed *speed = run->speed;
    struct bench_done recorded, off;
    uint64_t to = run->position + speed->steps;
    /* Neither is always the first. */
    if (!(round % 2 ? bench_worker_do(&run->off, WORK_RUN, to, &off, err) &&
                          bench_worker_do(&run->recorded, WORK_RUN, to, &recorded, err)
                    : bench_worker_do(&run->recorded, WORK_RUN, to, &recorded, err) &&
                          bench_worker_do(&run->off, WORK_RUN, to, &off, err)))
        return false;
    run->position = to;
    run->ended = recorded;
    bench_rate(&speed->recorded, (double)speed->steps, recorded.cpu, recorded.seconds);
    bench_rate(&speed->off, (double)speed->steps, off.cpu, off.seconds);
    bench_sample(&speed->overhead, 100 * (recorded.cpu / off.cpu - 1));
    speed->memory_peak = recorded.memory_peak;
    speed->memory_peak_off = off.memory_peak;
    return true;
}

static void judge_memory(struct speed_run *run)
{
    double billions = (double)(run->ended.position - run->began.position) * 1e-9;
    const struct timeline_info *from = &run->began.info, *to = &run->ended.info;
    run->speed->checkpoints = ((double)to->checkpoints - (double)from->checkpoints) / billions;
    run->speed->checkpoint_bytes = ((double)to->bytes - (double)from->bytes) / billions;
}

static bool measure(struct speed_run *run, struct error *err)
{
    if (!warm_up(run, err))
        return false;
    for (unsigned round = 0; round < run->options->rounds; round++)
        if (!sample_ours(run, round, err) || !sample_qemu(run, err))
            return false;
    judge_memory(run);
    return replay_qemu(run, err);
}

bool bench_measure_speed(struct bench_results *results, unsigned guest, struct bench_host *host,
                         struct error *err)
{
    struct speed_run run = {
        .host = host, .options = &results->options, .speed = &results->speed[guest]};
    if (!bench_worker_start(&run.recorded, host, run.speed->guest, false, err))
        return false;
    if (!bench_worker_start(&run.off, host, run.speed->guest, true, err)) {
        bench_worker_end(&run.recorded);
        return false;
    }
    bool good = (!results->qemu[0] || begin_qemu(&run, err)) && measure(&run, err);
    if (run.qemu_runs)
        bench_qemu_end(&run.qemu);
    bench_worker_end(&run.off);
    bench_worker_end(&run.recorded);
    return good;
}
