#include "cli/bench_recording.h"

#include "cli/bench_client.h"
#include "cli/bench_results.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STEPS = 200, OPENINGS = 3 };
#define VERIFY_SECONDS 3600.0

/* ---- steps back ---- */

static bool step_back(struct bench_client *client, struct bench_samples *samples, struct error *err)
{
    struct bench_stop_reply reply;
    if (!bench_client_resume(client, "bs", &reply, err))
        return false;
    bench_sample(samples, reply.seconds);
    return !(reply.begin || reply.end) ||
           error_set(err, ERROR_FORMAT, "bs found an end of history");
}

static bool step_backs(struct bench_client *client, struct bench_samples *first,
                       struct bench_samples *further, struct error *err)
{
    if (!step_back(client, first, err))
        return false;
    for (unsigned i = 0; i < STEPS; i++)
        if (!step_back(client, further, err))
            return false;
    return true;
}

/* ---- recording ---- */

/* The guest's machine is that of bench_board. */
static pid_t start_live(struct bench_host *host, const char *guest, const char *file,
                        const char *address, uint64_t end, struct error *err)
{
    char stop[32];
    snprintf(stop, sizeof stop, "%llu", (unsigned long long)end);
    const char *const words[] = {
        "backstep", "run",  "-bios", "none",    "-m",  "128M", "-icount", "shift=3,sleep=off",
        "-serial",  "null", "-S",    "-kernel", guest, "-gdb", address,   "--stop-at",
        stop,       "-o",   file,    NULL};
    return bench_run(host, words, err);
}

static bool run_live(struct bench_recording *row, struct bench_client *client, struct error *err)
{
    struct bench_stop_reply reply;
    struct bench_usage usage;
    if (!bench_client_resume(client, "vCont;c", &reply, err))
        return false;
    bench_time(&row->forward, reply.cpu, reply.seconds);
    if (!step_backs(client, &row->live_first, &row->live_step, err) ||
        !bench_client_finish(client, &usage, err))
        return false;
    bench_sample(&row->close, usage.wall);
    return true;
}

static bool record(struct bench_recording *row, const struct embedded_file *guest, const char *file,
                   struct bench_host *host, struct error *err)
{
    char kernel[BENCH_PATH], socket[BENCH_PATH], address[BENCH_PATH + 8];
    struct bench_client client;
    struct stat st;
    bench_path(host, "guest.elf", kernel);
    bench_path(host, "gdb", socket);
    snprintf(address, sizeof address, "unix:%s", socket);
    unlink(socket);
    if (!bench_write_guest(guest, kernel, err))
        return false;
    pid_t pid = start_live(host, kernel, file, address, row->end, err);
    if (pid < 0 || !bench_client_attach(&client, host, pid, socket, err))
        return false;
    bool good = run_live(row, &client, err);
    bench_client_end(&client);
    if (!good)
        return false;
    row->bytes = stat(file, &st) ? 0 : (uint64_t)st.st_size;
    return true;
}

/* ---- replaying ---- */

static bool measure_open(struct bench_recording *row, const char *path, struct bench_host *host,
                         struct error *err)
{
    char socket[BENCH_PATH], address[BENCH_PATH + 8];
    struct bench_client client;
    bench_path(host, "gdb", socket);
    snprintf(address, sizeof address, "unix:%s", socket);
    unlink(socket);
    double began = bench_now();
    const char *const words[] = {"backstep", "replay", path, "-gdb", address, NULL};
    pid_t pid = bench_run(host, words, err);
    if (pid < 0 || !bench_client_attach(&client, host, pid, socket, err))
        return false;
    bench_sample(&row->open, bench_now() - began);
    bool good = step_backs(&client, &row->first_step, &row->step, err);
    bench_client_end(&client);
    return good;
}

static bool measure_verify(struct bench_recording *row, unsigned jobs, const char *path,
                           struct bench_host *host, struct error *err)
{
    char text[16];
    struct bench_usage usage;
    snprintf(text, sizeof text, "%u", jobs);
    const char *const words[] = {"backstep", "verify", path, "-j", text, NULL};
    double began = bench_now();
    pid_t pid = bench_run(host, words, err);
    if (pid < 0 || !bench_wait_end(host, pid, began, VERIFY_SECONDS, &usage, err))
        return false;
    if (!usage.good)
        return error_set(err, ERROR_DIVERGED, "verify has not found the recording equal");
    bench_time(&row->verify[jobs - 1], usage.cpu, usage.wall);
    return true;
}

bool bench_measure_replays(struct bench_recording *row, const char *path, struct bench_host *host,
                           struct error *err)
{
    for (unsigned i = 0; i < OPENINGS; i++)
        if (!measure_open(row, path, host, err))
            return error_prefix(err, "opening a recording");
    for (unsigned jobs = 1; jobs <= BENCH_JOBS; jobs++)
        if (!measure_verify(row, jobs, path, host, err))
            return error_prefix(err, "verifying a recording");
    return true;
}

/* ---- together ---- */

static bool measure(struct bench_recording *row, const struct embedded_file *guest,
                    struct bench_host *host, struct error *err)
{
    char file[BENCH_PATH];
    bench_path(host, "recording", file);
    bool good = record(row, guest, file, host, err) && bench_measure_replays(row, file, host, err);
    unlink(file);
    return good;
}

bool bench_measure_recordings(struct bench_recordings *recordings, const uint64_t *end,
                              unsigned count, unsigned rounds, struct bench_host *host,
                              struct error *err)
{
    for (unsigned i = 0; i < count; i++) {
        struct bench_recording *row = &recordings->row[i];
        row->end = end[i];
        fprintf(stderr, "backstep bench: a recording of %.0e steps\n", (double)end[i]);
        for (unsigned round = 0; round < rounds; round++)
            if (!measure(row, recordings->guest, host, err))
                return error_prefix(err, "a recording of %.0e", (double)end[i]);
        recordings->count++;
    }
    return true;
}
