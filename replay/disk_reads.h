/* What has been read of disk images. An image is an input that has to stay as it is: a hash is kept
 * of each block when it is first read, and every later read, live or in replay, is compared. */
#ifndef REPLAY_DISK_READS_H
#define REPLAY_DISK_READS_H

#include "base/error.h"
#include "machine/input.h"

enum { DISKS = 8 };

/* The host's images. */
struct disk_host {
    /* DISK_BLOCK bytes, zeroes behind the end. False: the host reports an error. */
    bool (*read)(void *ctx, unsigned disk, uint64_t block, uint8_t *bytes);
    /* For messages. */
    const char *(*name)(void *ctx, unsigned disk);
    void *ctx;
};

struct disk_reads;

struct disk_reads *disk_reads_new(const struct disk_host *host);
void disk_reads_free(struct disk_reads *r);

enum disk_read {
    DISK_READ_OK,
    DISK_READ_FAILED,  /* as it failed the first time: the guest's I/O error */
    DISK_READ_FIRST,   /* OK or not, but never read before: in a replay that is a divergence */
    DISK_READ_CHANGED, /* *err tells image and block */
};
/* Read a block and compare. `record`: a first read is noted and OK or FAILED. */
enum disk_read disk_reads_block(struct disk_reads *r, unsigned disk, uint64_t block, uint8_t *bytes,
                                bool record, struct error *err);
/* Blocks in the order of their first reads, from index 0 to disk_reads_count - 1. */
struct disk_first_read {
    unsigned disk;
    uint64_t block;
    uint64_t hash; /* of the contents; no contents have 0 or 1 */
    bool failed;   /* the host could not read it: the guest's I/O error; hash is 0 */
};
/* Cost: constant, as of all that follow. */
struct disk_first_read disk_reads_get(const struct disk_reads *r, uint64_t index);
/* A first read that a recording tells of; in order. It may say anything: false, and nothing is
 * noted, when there is no such block or hash, or the block is known already. */
bool disk_reads_note(struct disk_reads *r, const struct disk_first_read *read);
/* Read block `index` again, for a recording: DISK_READ_OK, _FAILED or _CHANGED as above. */
enum disk_read disk_reads_again(struct disk_reads *r, uint64_t index, uint8_t *bytes,
                                struct error *err);
/* Different blocks read so far, of all disks. */
uint64_t disk_reads_count(const struct disk_reads *r);
/* Host memory, in bytes. */
size_t disk_reads_bytes(const struct disk_reads *r);

#endif
