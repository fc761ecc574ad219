#include "cli/bench_qemu.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char program[] = "qemu-system-riscv64";

#define ANSWER_SECONDS 60.0
#define POLL_SECONDS 0.01
#define END_SECONDS 10.0

/* ---- the process ---- */

static void use_null(int fd)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    dup2(null, fd);
}

bool bench_qemu_version(struct bench_host *host, char *version, size_t size)
{
    struct error err = ERROR_INIT;
    int out[2];
    if (pipe2(out, O_CLOEXEC) < 0)
        return false;
    pid_t pid = bench_fork(host, &err);
    if (pid == 0) {
        bench_restore_signals(host);
        dup2(out[1], STDOUT_FILENO);
        use_null(STDERR_FILENO);
        execlp(program, program, "--version", (char *)NULL);
        _exit(127);
    }
    close(out[1]);
    size_t used = 0;
    ssize_t got = 0;
    while (pid > 0 && used + 1 < size && bench_wait(host, out[0], ANSWER_SECONDS, &err) &&
           (got = read(out[0], version + used, size - 1 - used)) > 0)
        used += (size_t)got;
    close(out[0]);
    if (pid > 0)
        bench_reap(host, pid, END_SECONDS);
    version[used] = '\0';
    version[strcspn(version, "\n")] = '\0';
    return used > 0;
}

static void __attribute__((noreturn))
become_qemu(const struct bench_host *host, const char *guest, const char *log, bool replay,
            const char *socket_path)
{
    char icount[BENCH_PATH + 64], qmp[BENCH_PATH + 64];
    snprintf(icount, sizeof icount, "shift=0,rr=%s,rrfile=%s", replay ? "replay" : "record", log);
    snprintf(qmp, sizeof qmp, "unix:%s,server=on,wait=off", socket_path);
    bench_restore_signals(host);
    use_null(STDIN_FILENO);
    use_null(STDOUT_FILENO);
    use_null(STDERR_FILENO);
    execlp(program, program, "-icount", icount, "-M", "virt", "-bios", "none", "-m", "128M",
           "-nographic", "-serial", "null", "-monitor", "none", "-kernel", guest, "-qmp", qmp,
           (char *)NULL);
    _exit(127);
}

pid_t bench_qemu_boot(struct bench_host *host, const char *const kernel_initrd_append[3],
                      unsigned ram_mib, unsigned shift, const char *log, const char *console,
                      struct error *err)
{
    char icount[BENCH_PATH + 64], serial[BENCH_PATH + 64], ram[16];
    snprintf(icount, sizeof icount, "shift=%u,sleep=off,rr=record,rrfile=%s", shift, log);
    snprintf(serial, sizeof serial, "file:%s", console);
    snprintf(ram, sizeof ram, "%uM", ram_mib);
    pid_t pid = bench_fork(host, err);
    if (pid)
        return pid;
    bench_restore_signals(host);
    use_null(STDIN_FILENO);
    use_null(STDOUT_FILENO);
    use_null(STDERR_FILENO);
    execlp(program, program, "-icount", icount, "-M", "virt", "-m", ram, "-nographic", "-nic",
           "none", "-serial", serial, "-monitor", "none", "-kernel", kernel_initrd_append[0],
           "-initrd", kernel_initrd_append[1], "-append", kernel_initrd_append[2], (char *)NULL);
    _exit(127);
}

void bench_qemu_end(struct bench_qemu *qemu)
{
    close(qemu->fd);
    buffer_fini(&qemu->in);
    bench_kill(qemu->host, qemu->pid);
}

/* ---- QMP: a JSON object a line ---- */

/* The next one, which the caller frees; NULL on error. */
static json_t *receive(struct bench_qemu *qemu, struct error *err)
{
    for (;;) {
        const uint8_t *end = qemu->in.size ? memchr(qemu->in.data, '\n', qemu->in.size) : NULL;
        if (end) {
            size_t size = (size_t)(end - qemu->in.data);
            json_t *object = json_loadb((const char *)qemu->in.data, size, 0, NULL);
            buffer_consume(&qemu->in, size + 1);
            if (!object)
                error_set(err, ERROR_FORMAT, "QEMU sent something that is no JSON");
            return object;
        }
        if (!bench_wait(qemu->host, qemu->fd, ANSWER_SECONDS, err)) {
            error_prefix(err, "QEMU");
            return NULL;
        }
        uint8_t bytes[4096];
        ssize_t got = recv(qemu->fd, bytes, sizeof bytes, 0);
        if (got <= 0) {
            error_set(err, ERROR_IO, "QEMU has ended");
            return NULL;
        }
        buffer_append(&qemu->in, bytes, (size_t)got);
    }
}

/* Run a command, a line of JSON; the member of the answer is the caller's to free. */
static json_t *send_line(struct bench_qemu *qemu, const char *line, int size, const char *name,
                         struct error *err)
{
    if (send(qemu->fd, line, (size_t)size, MSG_NOSIGNAL) != size) {
        error_set(err, ERROR_IO, "QEMU has ended");
        return NULL;
    }
    for (;;) {
        json_t *answer = receive(qemu, err);
        json_t *result = json_incref(json_object_get(answer, "return"));
        bool failed = !result && json_object_get(answer, "error");
        if (failed)
            error_set(err, ERROR_UNSUPPORTED, "QEMU refuses %s", name);
        bool over = !answer || result || failed;
        json_decref(answer);
        if (over)
            return result;
    }
}

static json_t *command(struct bench_qemu *qemu, const char *name, struct error *err)
{
    char line[128];
    int size = snprintf(line, sizeof line, "{\"execute\":\"%s\"}\n", name);
    return send_line(qemu, line, size, name, err);
}

bool bench_qemu_gdb(struct bench_qemu *qemu, const char *path, struct error *err)
{
    char line[256];
    int size = snprintf(line, sizeof line,
                        "{\"execute\":\"human-monitor-command\",\"arguments\":{\"command-line\":"
                        "\"gdbserver unix:%s,server=on,wait=off\"}}\n",
                        path);
    /* A running one would tell the client that it stops for it, unasked. */
    json_t *stopped = command(qemu, "stop", err);
    json_t *result = stopped ? send_line(qemu, line, size, "gdbserver", err) : NULL;
    json_decref(stopped);
    json_decref(result);
    return result;
}

static bool read_icount(struct bench_qemu *qemu, uint64_t *icount, struct error *err)
{
    json_t *result = command(qemu, "query-replay", err);
    if (!result)
        return false;
    json_t *number = json_object_get(result, "icount");
    *icount = (uint64_t)json_integer_value(number);
    bool good = json_is_integer(number);
    json_decref(result);
    return good || error_set(err, ERROR_FORMAT, "QEMU does not say its icount");
}

bool bench_qemu_start(struct bench_qemu *qemu, struct bench_host *host, const char *guest,
                      const char *log, bool replay, struct error *err)
{
    char path[BENCH_PATH];
    bench_path(host, "qmp", path);
    unlink(path);
    *qemu = (struct bench_qemu){.host = host, .fd = -1};
    qemu->pid = bench_fork(host, err);
    if (qemu->pid == 0)
        become_qemu(host, guest, log, replay, path);
    if (qemu->pid < 0)
        return false;
    qemu->fd = bench_connect(host, path, qemu->pid, err);
    json_t *greeting = qemu->fd < 0 ? NULL : receive(qemu, err);
    json_t *ready = greeting ? command(qemu, "qmp_capabilities", err) : NULL;
    json_decref(greeting);
    json_decref(ready);
    if (ready)
        return true;
    error_prefix(err, "QEMU");
    if (qemu->fd >= 0)
        close(qemu->fd);
    buffer_fini(&qemu->in);
    bench_kill(host, qemu->pid);
    return false;
}

bool bench_qemu_finish(struct bench_qemu *qemu, uint64_t *last, struct error *err)
{
    bench_qemu_rest(qemu, false);
    bool good = read_icount(qemu, last, err);
    json_t *result = good ? command(qemu, "quit", err) : NULL;
    good = result;
    json_decref(result);
    if (good)
        bench_reap(qemu->host, qemu->pid, END_SECONDS);
    else
        bench_kill(qemu->host, qemu->pid);
    close(qemu->fd);
    buffer_fini(&qemu->in);
    return good;
}

/* ---- measuring ---- */

void bench_qemu_rest(const struct bench_qemu *qemu, bool rest)
{
    kill(qemu->pid, rest ? SIGSTOP : SIGCONT);
}

struct moment {
    uint64_t icount;
    double wall, cpu;
};

/* QEMU counts by stretches between deadlines: wait until the next one is counted, so that a
 * position and its time belong together. */
static bool next_change(struct bench_qemu *qemu, struct moment *now, struct error *err)
{
    uint64_t before = now->icount;
    double end = bench_now() + ANSWER_SECONDS;
    do {
        if (!bench_sleep(qemu->host, POLL_SECONDS, err) || !read_icount(qemu, &now->icount, err))
            return false;
        now->wall = bench_now();
        now->cpu = bench_cpu(qemu->pid);
        if (now->wall > end)
            return error_set(err, ERROR_IO, "QEMU stands still at %llu",
                             (unsigned long long)before);
    } while (now->icount == before);
    return true;
}

bool bench_qemu_run_to(struct bench_qemu *qemu, uint64_t n, struct error *err)
{
    struct moment now = {0};
    bench_qemu_rest(qemu, false);
    while (now.icount < n)
        if (!next_change(qemu, &now, err))
            return false;
    return true;
}

bool bench_qemu_measure(struct bench_qemu *qemu, double seconds, uint64_t limit,
                        struct bench_rates *rates, uint64_t *position, struct error *err)
{
    struct moment first = {0};
    bench_qemu_rest(qemu, false);
    if (!read_icount(qemu, &first.icount, err) ||
        (first.icount < limit && !next_change(qemu, &first, err)))
        return false;
    struct moment last = first;
    while (last.icount < limit && (last.icount == first.icount || last.wall - first.wall < seconds))
        if (!next_change(qemu, &last, err))
            return false;
    if (last.icount > first.icount && last.wall - first.wall >= seconds / 2)
        bench_rate(rates, (double)(last.icount - first.icount), last.cpu - first.cpu,
                   last.wall - first.wall);
    *position = last.icount;
    bench_qemu_rest(qemu, true);
    return true;
}
