/* One boot of Linux, in a process of its own: as `backstep run` makes it, or by QEMU. */
#include "cli/assembly.h"
#include "cli/bench_linux.h"
#include "cli/bench_qemu.h"
#include "machine/loader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A guest that takes longer hangs; so many steps no boot makes. */
#define BOOT_SECONDS 900.0
#define STEPS_MOST "20000000000"
#define TEXT_MOST (UINT64_C(16) << 20)
enum { LINE = 512 };

/* What takes steps and tells nothing is left out. */
static const char append[] = "console=ttyS0 quiet cryptomgr.notests "
                             "initcall_blacklist=jent_mod_init,trace_eval_init";

static void command_line(const struct bench_boot *boot, char line[LINE])
{
    int size = snprintf(line, LINE, "%s backstep.mode=%s", append, boot->mode);
    if (boot->port)
        size += snprintf(line + size, LINE - (size_t)size, " backstep.fetch=http://10.0.2.2:%u/",
                         boot->port);
    if (boot->disk_mib)
        size += snprintf(line + size, LINE - (size_t)size, " backstep.disk=%u", boot->disk_mib);
    if (boot->sleep)
        snprintf(line + size, LINE - (size_t)size, " backstep.sleep=%u", boot->sleep);
}

/* ---- in the child ---- */

/* What it tells its parent, unless it dies. */
struct report {
    bool good;
    uint64_t steps;
    double thread, close;
    struct timeline_info info;
    char problem[200];
};

struct words {
    char *word[40];
    int count;
};

static void add(struct words *words, const char *name, const char *value)
{
    words->word[words->count++] = (char *)(uintptr_t)name;
    words->word[words->count++] = (char *)(uintptr_t)value;
}

static void run(const struct run_options *options, struct report *report, struct error *err)
{
    struct assembly *a = assembly_new(options, err);
    if (!a)
        return;
    int status = server_run(assembly_server(a));
    struct timeline *tl = assembly_timeline(a);
    double began = bench_now();
    if (!assembly_finish(a)) {
        error_set(err, ERROR_IO, "the recording is not whole");
        return;
    }
    report->close = bench_now() - began;
    report->thread = bench_thread_cpu();
    report->steps = timeline_position(tl);
    timeline_info(tl, &report->info);
    report->good = status == 0 && timeline_machine(tl)->state.halt == HALT_POWER_OFF;
    if (!report->good)
        error_set(err, ERROR_IO, "the guest did not switch itself off, status %d", status);
}

static void perform(const struct bench_boot *boot, const struct bench_linux_files *files,
                    const struct bench_host *host, struct report *report)
{
    char console[BENCH_PATH], disk[BENCH_PATH], serial[BENCH_PATH + 8], drive[BENCH_PATH + 32];
    char file[BENCH_PATH];
    char line[LINE], ram[16], icount[32], budget[32];
    struct words words = {.count = 0};
    struct run_options options;
    struct error err = ERROR_INIT;
    bench_path(host, "console", console);
    bench_path(host, "disk", disk);
    bench_linux_recording(host, file);
    snprintf(serial, sizeof serial, "file:%s", console);
    snprintf(drive, sizeof drive, "file=%s,format=raw,if=virtio", disk);
    snprintf(ram, sizeof ram, "%dM", BENCH_LINUX_RAM_MIB);
    snprintf(icount, sizeof icount, "shift=%d,sleep=%s", BENCH_LINUX_SHIFT,
             boot->paced ? "on" : "off");
    snprintf(budget, sizeof budget, "%lluM", (unsigned long long)(boot->budget >> 20));
    command_line(boot, line);
    add(&words, "-kernel", files->kernel);
    add(&words, "-initrd", files->initrd);
    add(&words, "-append", line);
    add(&words, "-m", ram);
    add(&words, "-icount", icount);
    add(&words, "-serial", serial);
    add(&words, "--memory-budget", budget);
    add(&words, "--stop-at", STEPS_MOST);
    if (boot->to_file)
        add(&words, "-o", file);
    if (boot->disk_mib)
        add(&words, "-drive", drive);
    if (boot->network)
        add(&words, "-nic", "user");
    if (options_parse(&options, words.count, words.word, &err)) {
        options.checkpoints_off = boot->checkpoints_off;
        run(&options, report, &err);
    }
    snprintf(report->problem, sizeof report->problem, "%s", err.message);
}

/* Like any end of backstep's, but that nothing is freed: the host does it at once. */
static void __attribute__((noreturn))
child(const struct bench_boot *boot, const struct bench_linux_files *files,
      const struct bench_host *host, int out)
{
    struct report report = {.good = false};
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    dup2(null, STDIN_FILENO);
    dup2(null, STDERR_FILENO);
    perform(boot, files, host, &report);
    _exit(write(out, &report, sizeof report) != (ssize_t)sizeof report);
}

/* ---- in the parent ---- */

static bool make_disk(const struct bench_boot *boot, const struct bench_host *host,
                      struct error *err)
{
    char path[BENCH_PATH];
    bench_path(host, "disk", path);
    int fd = boot->disk_mib ? open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;
    bool good = !boot->disk_mib || (fd >= 0 && !ftruncate(fd, (off_t)boot->disk_mib << 21));
    if (!good)
        error_set(err, ERROR_IO, "cannot make %s: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return good;
}

/* The guest's last words: that it has done what was asked. */
static bool check_console(const struct bench_boot *boot, const struct bench_host *host,
                          struct error *err)
{
    char path[BENCH_PATH], wanted[64];
    uint8_t *text = NULL;
    size_t size;
    bench_path(host, "console", path);
    snprintf(wanted, sizeof wanted, "backstep-linux: %s done", boot->mode);
    if (!file_read(path, TEXT_MOST, &text, &size, err))
        return false;
    bool good = size && memmem(text, size, wanted, strlen(wanted));
    free(text);
    return good || error_set(err, ERROR_FORMAT, "the guest did not say `%s`", wanted);
}

static void forget_console(const struct bench_host *host)
{
    char path[BENCH_PATH];
    bench_path(host, "console", path);
    unlink(path);
}

void bench_linux_recording(const struct bench_host *host, char path[BENCH_PATH])
{
    bench_path(host, "recording", path);
}

static uint64_t recording_bytes(const struct bench_host *host)
{
    char path[BENCH_PATH];
    struct stat st;
    bench_linux_recording(host, path);
    return stat(path, &st) ? 0 : (uint64_t)st.st_size;
}

static void forget_recording(const struct bench_host *host)
{
    char path[BENCH_PATH];
    bench_linux_recording(host, path);
    unlink(path);
}

bool bench_linux_boot(const struct bench_boot *boot, const struct bench_linux_files *files,
                      struct bench_host *host, struct bench_booted *booted, struct error *err)
{
    int out[2];
    struct report report = {.good = false};
    *booted = (struct bench_booted){.boot = *boot};
    forget_console(host);
    if (boot->to_file)
        forget_recording(host);
    if (!make_disk(boot, host, err))
        return false;
    if (pipe2(out, O_CLOEXEC) < 0)
        return error_set(err, ERROR_IO, "pipe: %s", strerror(errno));
    double began = bench_now();
    pid_t pid = bench_fork(host, err);
    if (pid == 0)
        child(boot, files, host, out[1]);
    close(out[1]);
    bool good = pid > 0 && bench_wait_end(host, pid, began, BOOT_SECONDS, &booted->usage, err);
    if (good && read(out[0], &report, sizeof report) != (ssize_t)sizeof report)
        good = error_set(err, ERROR_IO, "the measuring process has died");
    else if (good && !report.good)
        good = error_set(err, ERROR_IO, "%s", report.problem);
    close(out[0]);
    booted->steps = report.steps;
    booted->thread = report.thread;
    booted->close = report.close;
    booted->file_bytes = boot->to_file ? recording_bytes(host) : 0;
    booted->info = report.info;
    return good && check_console(boot, host, err);
}

bool bench_linux_boot_qemu(const struct bench_boot *boot, const struct bench_linux_files *files,
                           struct bench_host *host, struct bench_usage *usage, uint64_t *log_bytes,
                           struct error *err)
{
    char console[BENCH_PATH], log[BENCH_PATH], line[LINE];
    struct stat s;
    bench_path(host, "console", console);
    bench_path(host, "replay.bin", log);
    command_line(boot, line);
    forget_console(host);
    double began = bench_now();
    pid_t pid = bench_qemu_boot(host, (const char *const[]){files->kernel, files->initrd, line},
                                BENCH_LINUX_RAM_MIB, BENCH_LINUX_SHIFT, log, console, err);
    if (pid < 0 || !bench_wait_end(host, pid, began, BOOT_SECONDS, usage, err))
        return false;
    if (!usage->good)
        return error_set(err, ERROR_IO, "QEMU has failed");
    if (stat(log, &s) < 0)
        return error_set(err, ERROR_IO, "QEMU has left no recording");
    *log_bytes = (uint64_t)s.st_size;
    return check_console(boot, host, err);
}
