/* The live side of the door: what comes from the host is logged, then given to the machine. */
#ifndef REPLAY_RECORDER_H
#define REPLAY_RECORDER_H

#include "base/error.h"
#include "machine/machine.h"
#include "replay/disk_reads.h"
#include "replay/log.h"

/* The host, as the recorder sees it. */
struct host {
    uint64_t (*clock)(void *ctx); /* ns since 1970 */
    /* NULL: output is dropped. */
    void (*output)(void *ctx, unsigned channel, const uint8_t *bytes, size_t size);
    /* Fill with random bytes. NULL: zeroes. */
    void (*entropy)(void *ctx, uint8_t *bytes, size_t size);
    /* Images of disks, read in replay too; zero where there are none. */
    struct disk_host disks;
    void *ctx;
};

struct recorder {
    struct machine *machine;
    struct log *log;
    struct host host;
    struct disk_reads *reads;
    struct error failure; /* an image is not what it was: the machine's state is of no use */
};

/* Become the machine's door; all members are set before. */
void recorder_attach(struct recorder *r);

/* Push bytes for a channel: as many as the device has room for, and says how many; the others are
 * the caller's to offer again.
 *
 * `vtime` is how far a machine that waits has come (real time, when the caller waits in it). What
 * is stamped is that, but at least the present vtime, at most the next deadline, whose waking a
 * hart comes first, and the present vtime when a hart can run: busy machines do not wait. */
size_t recorder_input(struct recorder *r, unsigned channel, const uint8_t *bytes, size_t size,
                      uint64_t vtime);
/* Any other event that is delivered, at the present position; `vtime` as above. */
void recorder_event(struct recorder *r, enum event_kind kind, uint16_t target, const void *bytes,
                    uint32_t size, uint64_t vtime);

#endif
