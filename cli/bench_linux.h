/* `backstep bench --linux`: a real kernel from boot to power-off, and what its devices cost. */
#ifndef CLI_BENCH_LINUX_H
#define CLI_BENCH_LINUX_H

#include "cli/bench_results.h"
#include "timeline/timeline.h"

#include <limits.h>
#include <stdio.h>

enum { BENCH_LINUX_RAM_MIB = 128, BENCH_LINUX_SHIFT = 3 };

struct bench_linux_files {
    char kernel[PATH_MAX], initrd[PATH_MAX];
};

/* The named ones, or with NULL those of the cache folder: $BACKSTEP_LINUX or build/deps/linux. On
 * error ERROR_USAGE with a line that says how to get them. */
bool bench_linux_find(struct bench_linux_files *files, const char *kernel, const char *initrd,
                      struct error *err);

/* ---- one boot ---- */

/* What the guest does, and with what. */
struct bench_boot {
    const char *mode; /* of its /init, see tests/linux/initramfs.py */
    uint64_t budget;  /* bytes */
    bool checkpoints_off;
    bool to_file;      /* recorded to one, too: see bench_linux_recording */
    bool paced;        /* in real time */
    bool network;      /* user networking */
    uint16_t port;     /* fetch the page there; 0: none */
    unsigned sleep;    /* seconds at the end */
    unsigned disk_mib; /* to write and read back, on a disk of twice that; 0: none */
};

/* What came of it. */
struct bench_booted {
    struct bench_boot boot;
    struct bench_usage usage;
    double thread; /* processor seconds of the machine's thread alone */
    double close;  /* seconds to close the file */
    uint64_t file_bytes;
    uint64_t steps;
    struct timeline_info info;
};

/* Run it in a process of its own, to the guest's power-off; an error when it has not done all. */
bool bench_linux_boot(const struct bench_boot *boot, const struct bench_linux_files *files,
                      struct bench_host *host, struct bench_booted *booted, struct error *err);
/* The file that the last boot was recorded to. */
void bench_linux_recording(const struct bench_host *host, char path[BENCH_PATH]);
/* The same by QEMU, recording: mode only. */
bool bench_linux_boot_qemu(const struct bench_boot *boot, const struct bench_linux_files *files,
                           struct bench_host *host, struct bench_usage *usage, uint64_t *log_bytes,
                           struct error *err);

/* A web server on 127.0.0.1 with one page of so many bytes, a process to be killed; -1 on error. */
pid_t bench_page_start(struct bench_host *host, uint64_t bytes, uint16_t *port, struct error *err);

/* ---- results ---- */

enum bench_linux_run {
    LINUX_BOOT,       /* the fixed workload */
    LINUX_BOOT_OFF,   /* without checkpoints */
    LINUX_BOOT_FILE,  /* to a file */
    LINUX_DISK,       /* with a small budget */
    LINUX_AWAKE,      /* a boot to compare with: */
    LINUX_IDLE,       /* and sleeps; time passes at once */
    LINUX_AWAKE_LIVE, /* the same in real time, with a network */
    LINUX_IDLE_LIVE,
    LINUX_LOAD, /* fetches a page */
    LINUX_RUNS,
    LINUX_BOOTS = LINUX_DISK /* those that take turns */
};

struct bench_linux_results {
    struct bench_options options;
    struct bench_linux_files files;
    char qemu[128]; /* its version; empty: not installed */
    char qemu_problem[160];
    struct bench_times ours[LINUX_BOOTS], qemu_record;
    struct bench_samples thread[LINUX_BOOTS]; /* processor seconds of the machine's thread */
    struct bench_samples overhead; /* percent more processor time a step with checkpoints */
    /* Percent more with a file than in memory, of the machine's thread: the thread that compresses
     * has another processor, if there is one. */
    struct bench_samples file_cost;
    struct bench_samples close;    /* seconds to close the file */
    struct bench_recording replay; /* of the last file */
    uint64_t qemu_log_bytes, qemu_memory_peak;
    uint64_t page_bytes;
    struct bench_booted run[LINUX_RUNS]; /* of several rounds the last */
};

/* What is in the log: at most that much, in bytes. */
uint64_t bench_log_bytes(const struct timeline_info *info);
/* What checkpoints take in memory and in the file, in bytes; overlays are among it. */
uint64_t bench_checkpoint_bytes(const struct timeline_info *info);

enum { BENCH_LINUX_FLOORS = 14 };
size_t bench_linux_floors(const struct bench_linux_results *results,
                          struct bench_floor out[BENCH_LINUX_FLOORS]);
void bench_linux_print_table(const struct bench_linux_results *results, FILE *out);
void bench_linux_print_json(const struct bench_linux_results *results, FILE *out);

/* Measure everything. The files, options and QEMU's version are set. */
bool bench_linux_measure(struct bench_linux_results *results, struct bench_host *host,
                         struct error *err);

#endif
