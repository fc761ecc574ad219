/* A disk as a guest sees it: an image of the host, which is an input and never modified, and over
 * it what the guest has written, which is machine state and goes back with it.
 *
 * The image is read through the machine's door in blocks of DISK_BLOCK bytes, and only those that
 * the guest has not written whole. */
#ifndef DEVICES_DISK_H
#define DEVICES_DISK_H

#include "machine/machine.h"

enum { DISK_SECTOR = 512 };
/* The largest disk, in bytes: 16 TiB. */
#define DISK_MOST (((uint64_t)UINT32_MAX + 1) * OVERLAY_PAGE_SIZE)

struct disk {
    struct machine *machine;
    unsigned index;         /* of the door's disks, 0 to 7 */
    uint64_t bytes;         /* a multiple of DISK_SECTOR */
    bool read_only;         /* for the device in front of it to obey */
    struct overlay overlay; /* "disk0" to "disk7"; registered with the machine */
};

/* `bytes`: from DISK_SECTOR to DISK_MOST. The disk keeps its place in memory until disk_fini, which
 * comes after the machine's last use. */
void disk_init(struct disk *d, struct machine *m, unsigned index, uint64_t bytes, bool read_only);
void disk_fini(struct disk *d);

static inline bool disk_contains(const struct disk *d, uint64_t offset, uint64_t size)
{
    return offset <= d->bytes && size <= d->bytes - offset;
}

/* For all three: the range, in bytes, lies on the disk (disk_contains). False: the host cannot read
 * the image, the guest's I/O error; pages before that one have been read or changed. Each block of
 * the image is read once in a call at most. */

bool disk_read(struct disk *d, uint64_t offset, void *bytes, uint64_t size);
/* Reads the image where a block is written in part for the first time. */
bool disk_write(struct disk *d, uint64_t offset, const void *bytes, uint64_t size);
/* Write zeroes; whole pages of them take next to no memory. */
bool disk_zero(struct disk *d, uint64_t offset, uint64_t size);

/* Disk `index` of a machine; NULL: it has no such disk. */
const struct disk *disk_find(const struct machine *m, unsigned index);
/* What the guest has changed of disk `index` of a machine; NULL: it has no such disk. */
const struct overlay *disk_overlay(const struct machine *m, unsigned index);

#endif
