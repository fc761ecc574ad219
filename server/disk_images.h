/* The host's files behind the machine's disks. An image is opened for reading, kept open, read
 * where it is needed, and never modified. */
#ifndef SERVER_DISK_IMAGES_H
#define SERVER_DISK_IMAGES_H

#include "machine/machine.h"
#include "replay/disk_reads.h"

struct disk_images;

/* Which file it was, as it was when it was opened. */
struct disk_identity {
    uint64_t size;     /* bytes, as found */
    uint64_t mtime_ns; /* since 1970 */
    uint64_t device, inode;
};

struct disk_images *disk_images_new(void);
void disk_images_free(struct disk_images *images);

/* Open a raw image, a file or a block device, as the next disk; DISKS at most. One whose size is no
 * multiple of 512 is padded with zeroes, and a line says so. False: it is not there, no such file,
 * empty, or in a format that has to be converted. */
bool disk_images_add(struct disk_images *images, const char *path, struct error *err);
unsigned disk_images_count(const struct disk_images *images);

/* What the guest sees of it, in bytes: a multiple of 512. */
uint64_t disk_images_bytes(const struct disk_images *images, unsigned disk);
const char *disk_images_path(const struct disk_images *images, unsigned disk);
struct disk_identity disk_images_identity(const struct disk_images *images, unsigned disk);

/* For a recorder or a player; good as long as `images`. A file that has become shorter is an error
 * of the host's. */
struct disk_host disk_images_host(struct disk_images *images);

/* Is no image of these what `path` leads to? For files that are about to be written. */
bool disk_images_none_at(const struct disk_images *images, const char *path, struct error *err);

/* Write a disk as it is at the machine's present position to a file, see disk_export. Never onto an
 * image that is attached. Cost: the parts of the image that are no holes. */
bool disk_images_export(const struct disk_images *images, unsigned disk, const struct machine *m,
                        const char *path, struct error *err);

#endif
