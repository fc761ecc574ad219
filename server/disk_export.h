/* Disks as guests see them, as files. */
#ifndef SERVER_DISK_EXPORT_H
#define SERVER_DISK_EXPORT_H

#include "devices/disk.h"
#include "replay/disk_reads.h"

/* Where the blocks come from that the guest has not written. */
struct disk_background {
    struct disk_host host;
    /* The first byte from `offset` on that may be other than zero, on a host that knows; NULL: any
     * may be. ctx is the host's. */
    uint64_t (*next_data)(void *ctx, unsigned disk, uint64_t offset);
};

/* Write disk `disk` as it is at the machine's present position to the file `path`: the background,
 * and over it what the guest has written. Pages of zeroes become holes. The file is complete or is
 * not there (base/outfile.h). Changes nothing in the machine. Cost: blocks that are no holes. */
bool disk_export(const struct machine *m, unsigned disk, const struct disk_background *background,
                 const char *path, struct error *err);

#endif
