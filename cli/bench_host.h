/* What a measurement needs of the host: a scratch folder, processes, waiting, clocks, statistics.
 *
 * Signals are blocked and looked at where the bench waits, so that every end is the same orderly
 * one. All that is measured runs in processes of its own: their memory can be told apart, and one
 * can be ended at any time. */
#ifndef CLI_BENCH_HOST_H
#define CLI_BENCH_HOST_H

#include "base/error.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { BENCH_CHILDREN = 8, BENCH_SAMPLES = 1000, BENCH_PATH = 100 };

struct bench_host {
    char folder[64]; /* scratch, removed with all that is in it */
    int signals;     /* a signalfd of what ends the bench */
    int signal;      /* the one that came; 0: none */
    sigset_t old_mask;
    pid_t child[BENCH_CHILDREN]; /* 0: free */
};

bool bench_host_init(struct bench_host *host, struct error *err);
/* Kills and waits for the children that are left, removes the folder. */
void bench_host_fini(struct bench_host *host);

/* Fork. 0 in the child, which dies with its parent and has the signals blocked still; -1 on
 * error. */
pid_t bench_fork(struct bench_host *host, struct error *err);
/* In the child, before exec: signals as they were before the bench. */
void bench_restore_signals(const struct bench_host *host);
/* A process that is this program with these words (the first is its name, NULL behind the last),
 * and says and hears nothing. -1 on error. */
pid_t bench_run(struct bench_host *host, const char *const *words, struct error *err);
/* Kill one child and wait for it. */
void bench_kill(struct bench_host *host, pid_t pid);
/* Wait for one that ends by itself; killed when it has not after `seconds`. */
void bench_reap(struct bench_host *host, pid_t pid, double seconds);

/* What a process has used in its life. */
struct bench_usage {
    double wall, cpu;     /* seconds; wall since `began` */
    uint64_t memory_peak; /* bytes resident */
    bool good;            /* it ended by itself with status 0 */
};
/* Wait for one that ends by itself; an error when it has not after `seconds`, and it runs on. */
bool bench_wait_end(struct bench_host *host, pid_t pid, double began, double seconds,
                    struct bench_usage *usage, struct error *err);

/* Wait until fd can be read. False: time out, or a signal ends the bench. */
bool bench_wait(struct bench_host *host, int fd, double seconds, struct error *err);
bool bench_sleep(struct bench_host *host, double seconds, struct error *err);

/* FOLDER/NAME. */
void bench_path(const struct bench_host *host, const char *name, char path[BENCH_PATH]);
/* A connected stream socket, -1 on error; tried again for a while, since the server is starting. */
int bench_connect(struct bench_host *host, const char *path, pid_t server, struct error *err);

/* Seconds on a clock that only goes forward. */
double bench_now(void);
/* Processor seconds that a process, with all its threads, has used; its own with 0. */
double bench_cpu(pid_t pid);
/* Those of the calling thread. */
double bench_thread_cpu(void);

struct bench_samples {
    double value[BENCH_SAMPLES];
    size_t count;
};

/* Further ones are dropped. */
void bench_sample(struct bench_samples *samples, double value);
/* 0 for none. */
double bench_median(const struct bench_samples *samples);

/* Something a second. Other load on the host hardly changes a rate by processor time, so that is
 * what is compared; on a quiet host both are the same, since nobody here uses two threads. */
struct bench_rates {
    struct bench_samples cpu, wall;
};

void bench_rate(struct bench_rates *rates, double count, double cpu, double wall);

/* Processor and wall seconds. */
struct bench_times {
    struct bench_samples cpu, wall;
};

void bench_time(struct bench_times *times, double cpu, double wall);

#endif
