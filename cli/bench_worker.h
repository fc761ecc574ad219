/* A process with one timeline in it that does what it is told: the engine, measured from inside. */
#ifndef CLI_BENCH_WORKER_H
#define CLI_BENCH_WORKER_H

#include "cli/bench_host.h"
#include "cli/embedded.h"
#include "timeline/timeline.h"

enum bench_work {
    WORK_LOOK,         /* nothing but the reply */
    WORK_RUN,          /* forward to position n */
    WORK_BACK_STEP,    /* one step back */
    WORK_BACK_CONTINUE /* back to a breakpoint at address n */
};

struct bench_done {
    double seconds; /* on the wall clock */
    double cpu;     /* of all the process's threads */
    uint64_t position, pc;
    uint64_t memory_peak; /* bytes resident, at most so far */
    enum stop_reason reason;
    struct timeline_info info;
};

struct bench_worker {
    struct bench_host *host;
    pid_t pid;
    int fd;
};

/* The guests' board, for whoever makes one. */
struct riscv_virt *bench_board(const struct embedded_file *guest, struct error *err);

bool bench_worker_start(struct bench_worker *worker, struct bench_host *host,
                        const struct embedded_file *guest, bool checkpoints_off, struct error *err);
void bench_worker_end(struct bench_worker *worker);

bool bench_worker_do(struct bench_worker *worker, enum bench_work work, uint64_t n,
                     struct bench_done *done, struct error *err);

#endif
