#include "cli/bench_host.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CONNECT_SECONDS 20.0
#define CONNECT_POLL_SECONDS 0.002
#define END_POLL_SECONDS 0.002

/* ---- life ---- */

static void block_signals(struct bench_host *host)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, &host->old_mask);
    host->signals = signalfd(-1, &set, SFD_CLOEXEC);
}

/* Sockets have short paths, so a long TMPDIR is passed over. */
static bool make_folder(struct bench_host *host, struct error *err)
{
    const char *parent = getenv("TMPDIR");
    static const char name[] = "backstep-bench-XXXXXX";
    if (!parent || !*parent || strlen(parent) + sizeof name + 1 > sizeof host->folder)
        parent = "/tmp";
    snprintf(host->folder, sizeof host->folder, "%s/%s", parent, name);
    if (mkdtemp(host->folder))
        return true;
    error_set(err, ERROR_IO, "cannot make a folder in %s: %s", parent, strerror(errno));
    host->folder[0] = '\0';
    return false;
}

bool bench_host_init(struct bench_host *host, struct error *err)
{
    *host = (struct bench_host){.signals = -1};
    block_signals(host);
    if (host->signals < 0) {
        sigprocmask(SIG_SETMASK, &host->old_mask, NULL);
        return error_set(err, ERROR_IO, "signalfd: %s", strerror(errno));
    }
    if (make_folder(host, err))
        return true;
    bench_host_fini(host);
    return false;
}

static void remove_folder(const char *folder)
{
    DIR *dir = opendir(folder);
    if (!dir)
        return;
    const struct dirent *entry;
    while ((entry = readdir(dir)))
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
            unlinkat(dirfd(dir), entry->d_name, 0);
    closedir(dir);
    rmdir(folder);
}

void bench_host_fini(struct bench_host *host)
{
    for (size_t i = 0; i < BENCH_CHILDREN; i++)
        if (host->child[i])
            bench_kill(host, host->child[i]);
    if (host->folder[0])
        remove_folder(host->folder);
    close(host->signals);
    /* One that is pending is the bench's own end, which its exit status reports. */
    static const struct timespec at_once;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    int pending;
    while ((pending = sigtimedwait(&set, NULL, &at_once)) > 0)
        host->signal = pending;
    sigprocmask(SIG_SETMASK, &host->old_mask, NULL);
}

/* ---- processes ---- */

pid_t bench_fork(struct bench_host *host, struct error *err)
{
    size_t slot = 0;
    while (slot < BENCH_CHILDREN && host->child[slot])
        slot++;
    if (slot == BENCH_CHILDREN) {
        error_set(err, ERROR_BUSY, "too many processes");
        return -1;
    }
    pid_t parent = getpid();
    fflush(NULL);
    pid_t pid = fork();
    if (pid < 0)
        error_set(err, ERROR_IO, "fork: %s", strerror(errno));
    if (pid > 0)
        host->child[slot] = pid;
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(1);
    }
    return pid;
}

void bench_restore_signals(const struct bench_host *host)
{
    sigprocmask(SIG_SETMASK, &host->old_mask, NULL);
}

pid_t bench_run(struct bench_host *host, const char *const *words, struct error *err)
{
    pid_t pid = bench_fork(host, err);
    if (pid)
        return pid;
    bench_restore_signals(host);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    dup2(null, STDIN_FILENO);
    dup2(null, STDOUT_FILENO);
    dup2(null, STDERR_FILENO);
    execv("/proc/self/exe", (char *const *)(uintptr_t)words);
    _exit(127);
}

static void forget(struct bench_host *host, pid_t pid)
{
    for (size_t i = 0; i < BENCH_CHILDREN; i++)
        if (host->child[i] == pid)
            host->child[i] = 0;
}

void bench_kill(struct bench_host *host, pid_t pid)
{
    kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    forget(host, pid);
}

void bench_reap(struct bench_host *host, pid_t pid, double seconds)
{
    double end = bench_now() + seconds;
    struct error ignored = ERROR_INIT;
    while (waitpid(pid, NULL, WNOHANG) == 0) {
        if (bench_now() > end || !bench_sleep(host, 0.01, &ignored)) {
            bench_kill(host, pid);
            return;
        }
    }
    forget(host, pid);
}

static double seconds_of(const struct timeval *t)
{
    return (double)t->tv_sec + 1e-6 * (double)t->tv_usec;
}

bool bench_wait_end(struct bench_host *host, pid_t pid, double began, double seconds,
                    struct bench_usage *usage, struct error *err)
{
    struct rusage used;
    int status;
    while (wait4(pid, &status, WNOHANG, &used) == 0) {
        if (bench_now() > began + seconds)
            return error_set(err, ERROR_IO, "it has not ended within %.0f s", seconds);
        if (!bench_sleep(host, END_POLL_SECONDS, err))
            return false;
    }
    forget(host, pid);
    *usage = (struct bench_usage){
        .wall = bench_now() - began,
        .cpu = seconds_of(&used.ru_utime) + seconds_of(&used.ru_stime),
        .memory_peak = (uint64_t)used.ru_maxrss * 1024,
        .good = WIFEXITED(status) && WEXITSTATUS(status) == 0,
    };
    return true;
}

/* ---- waiting ---- */

/* The result of poll for fd (-1: none), or -1 when a signal ends the bench. */
static int wait_or_signal(struct bench_host *host, int fd, double seconds, struct error *err)
{
    struct pollfd fds[2] = {{.fd = host->signals, .events = POLLIN}, {.fd = fd, .events = POLLIN}};
    int ready = poll(fds, fd < 0 ? 1 : 2, (int)(seconds * 1000 + 0.5));
    if (ready > 0 && fds[0].revents) {
        struct signalfd_siginfo info;
        if (read(host->signals, &info, sizeof info) == (ssize_t)sizeof info)
            host->signal = (int)info.ssi_signo;
        error_set(err, ERROR_IO, "interrupted");
        return -1;
    }
    return ready > 0 && fds[1].revents;
}

bool bench_wait(struct bench_host *host, int fd, double seconds, struct error *err)
{
    int ready = wait_or_signal(host, fd, seconds, err);
    if (ready == 0)
        error_set(err, ERROR_IO, "no answer within %.0f s", seconds);
    return ready > 0;
}

bool bench_sleep(struct bench_host *host, double seconds, struct error *err)
{
    return wait_or_signal(host, -1, seconds, err) >= 0;
}

void bench_path(const struct bench_host *host, const char *name, char path[BENCH_PATH])
{
    snprintf(path, BENCH_PATH, "%s/%s", host->folder, name);
}

static bool child_ended(pid_t pid)
{
    siginfo_t info = {0};
    return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid;
}

int bench_connect(struct bench_host *host, const char *path, pid_t server, struct error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    double end = bench_now() + CONNECT_SECONDS;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    while (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) < 0) {
        bool ended = child_ended(server), late = bench_now() > end;
        if (ended || late || !bench_sleep(host, CONNECT_POLL_SECONDS, err)) {
            if (ended || late)
                error_set(err, ERROR_IO, ended ? "it has ended at once" : "it does not listen");
            close(fd);
            return -1;
        }
    }
    if (fd < 0)
        error_set(err, ERROR_IO, "socket: %s", strerror(errno));
    return fd;
}

/* ---- clocks and statistics ---- */

double bench_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

double bench_cpu(pid_t pid)
{
    clockid_t clock;
    struct timespec t = {0};
    if (clock_getcpuclockid(pid, &clock) == 0)
        clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

double bench_thread_cpu(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void bench_sample(struct bench_samples *samples, double value)
{
    if (samples->count < BENCH_SAMPLES)
        samples->value[samples->count++] = value;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double bench_median(const struct bench_samples *samples)
{
    if (!samples->count)
        return 0;
    struct bench_samples sorted = *samples;
    qsort(sorted.value, sorted.count, sizeof sorted.value[0], ascending);
    size_t middle = sorted.count / 2;
    return sorted.count % 2 ? sorted.value[middle]
                            : (sorted.value[middle - 1] + sorted.value[middle]) / 2;
}

void bench_rate(struct bench_rates *rates, double count, double cpu, double wall)
{
    bench_sample(&rates->cpu, count / cpu);
    bench_sample(&rates->wall, count / wall);
}

void bench_time(struct bench_times *times, double cpu, double wall)
{
    bench_sample(&times->cpu, cpu);
    bench_sample(&times->wall, wall);
}
