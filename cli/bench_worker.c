#include "cli/bench_worker.h"
#include "server/server.h"

#include "devices/riscv_virt.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_SECONDS 3600.0
enum { BENCH_RAM = 128 << 20, BENCH_SHIFT = 3 };

struct request {
    enum bench_work work;
    uint64_t n;
};

/* ---- in the child ---- */

struct riscv_virt *bench_board(const struct embedded_file *guest, struct error *err)
{
    struct riscv_virt_options options = {
        .ram_size = BENCH_RAM, .harts = 1, .shift = BENCH_SHIFT, .bios = "none"};
    return riscv_virt_new_elf(&options, guest->name, guest->data, guest->size, err);
}

static void begin(struct timeline *tl, const struct request *request)
{
    if (request->work == WORK_RUN)
        timeline_continue_to(tl, request->n);
    else if (request->work == WORK_BACK_STEP)
        timeline_reverse_step(tl, 0);
    else
        timeline_reverse_continue(tl);
}

static struct bench_done perform(struct timeline *tl, const struct request *request)
{
    struct bench_done done = {0};
    struct stop stop = {.reason = STOP_DONE};
    if (request->work == WORK_BACK_CONTINUE)
        timeline_point_add(tl, HIT_EXECUTE, request->n, 0);
    double wall = bench_now(), cpu = bench_cpu(0);
    if (request->work != WORK_LOOK) {
        begin(tl, request);
        timeline_finish(tl, &stop);
    }
    done.seconds = bench_now() - wall;
    done.cpu = bench_cpu(0) - cpu;
    timeline_points_clear(tl);
    struct cpu *hart = timeline_machine(tl)->cpu[0];
    done.position = timeline_position(tl);
    done.pc = hart->ops->pc(hart);
    done.reason = stop.reason;
    timeline_info(tl, &done.info);
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    done.memory_peak = (uint64_t)usage.ru_maxrss * 1024;
    return done;
}

static void __attribute__((noreturn))
serve(int fd, const struct embedded_file *guest, bool checkpoints_off)
{
    struct error err = ERROR_INIT;
    struct riscv_virt *board = bench_board(guest, &err);
    if (!board) {
        fprintf(stderr, "backstep bench: %s\n", err.message);
        _exit(1);
    }
    struct timeline_options options = {.checkpoints_off = checkpoints_off,
                                       .host = {.clock = server_clock}};
    struct timeline *tl = timeline_new(riscv_virt_machine(board), &options);
    struct request request;
    while (recv(fd, &request, sizeof request, 0) == (ssize_t)sizeof request) {
        struct bench_done done = perform(tl, &request);
        if (send(fd, &done, sizeof done, MSG_NOSIGNAL) < 0)
            break;
    }
    _exit(0);
}

/* ---- in the parent ---- */

bool bench_worker_start(struct bench_worker *worker, struct bench_host *host,
                        const struct embedded_file *guest, bool checkpoints_off, struct error *err)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return error_set(err, ERROR_IO, "socketpair: %s", strerror(errno));
    pid_t pid = bench_fork(host, err);
    if (pid == 0) {
        close(pair[0]);
        serve(pair[1], guest, checkpoints_off);
    }
    close(pair[1]);
    *worker = (struct bench_worker){host, pid, pair[0]};
    if (pid > 0)
        return true;
    close(pair[0]);
    return false;
}

void bench_worker_end(struct bench_worker *worker)
{
    close(worker->fd);
    bench_kill(worker->host, worker->pid);
}

bool bench_worker_do(struct bench_worker *worker, enum bench_work work, uint64_t n,
                     struct bench_done *done, struct error *err)
{
    struct request request = {work, n};
    if (send(worker->fd, &request, sizeof request, MSG_NOSIGNAL) < 0)
        return error_set(err, ERROR_IO, "the measuring process has ended: %s", strerror(errno));
    if (!bench_wait(worker->host, worker->fd, ANSWER_SECONDS, err))
        return false;
    if (recv(worker->fd, done, sizeof *done, 0) != (ssize_t)sizeof *done)
        return error_set(err, ERROR_IO, "the measuring process has ended");
    if (done->reason == STOP_DIVERGED || done->reason == STOP_HALT || done->reason == STOP_STUCK)
        return error_set(err, ERROR_DIVERGED, "a guest stopped at position %llu for reason %d",
                         (unsigned long long)done->position, (int)done->reason);
    return true;
}
