/* QEMU, recording or replaying one of the guests; its position is read over QMP. */
#ifndef CLI_BENCH_QEMU_H
#define CLI_BENCH_QEMU_H

#include "base/buffer.h"
#include "cli/bench_host.h"

struct bench_qemu {
    struct bench_host *host;
    pid_t pid;
    int fd;
    struct buffer in; /* received, not looked at yet */
};

/* The first line of --version; false: there is none. */
bool bench_qemu_version(struct bench_host *host, char *version, size_t size);

/* Start it on Linux, recording to the file `log`; the guest's console goes to the file `console`,
 * its time is that of `shift` and passes at once when it idles. It ends when the guest does. -1 on
 * error. */
pid_t bench_qemu_boot(struct bench_host *host, const char *const kernel_initrd_append[3],
                      unsigned ram_mib, unsigned shift, const char *log, const char *console,
                      struct error *err);

/* Start it on the guest's file. It records to, or replays, the file `log`. */
bool bench_qemu_start(struct bench_qemu *qemu, struct bench_host *host, const char *guest,
                      const char *log, bool replay, struct error *err);
/* Kill it. */
void bench_qemu_end(struct bench_qemu *qemu);
/* Make a recording end in order, so that it can be replayed. The position goes to *last. */
bool bench_qemu_finish(struct bench_qemu *qemu, uint64_t *last, struct error *err);

/* Open its gdb port: a Unix socket. */
bool bench_qemu_gdb(struct bench_qemu *qemu, const char *path, struct error *err);

/* It rests while others are measured. */
void bench_qemu_rest(const struct bench_qemu *qemu, bool rest);
/* Run on until position n at least. */
bool bench_qemu_run_to(struct bench_qemu *qemu, uint64_t n, struct error *err);
/* Run on for `seconds` and sample how many instructions a second that made; *position: where it is
 * then. It ends at `limit`; nothing is sampled when that leaves less than half the time. */
bool bench_qemu_measure(struct bench_qemu *qemu, double seconds, uint64_t limit,
                        struct bench_rates *rates, uint64_t *position, struct error *err);

#endif
