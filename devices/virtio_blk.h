/* The virtio block device: a guest's way to a disk. Virtio 1.2, section 5.2.
 *
 * One queue; one request at a time, in the order of the ring. A request takes 20 us and a
 * microsecond for each 1000 bytes of its buffers, as on a fast solid-state disk. Once a write is
 * given back it is on the disk, so a flush has nothing left to do; there is no cache to switch off.
 *
 * What is discarded reads as zeroes afterwards, like what is written with zeroes: the specification
 * leaves it open, and a guest that is run again must find the same.
 *
 * Requests that ask for the impossible get S_IOERR, those of unknown types S_UNSUPP, and the disk
 * stays as it is. An error of the host's when it reads the image is S_IOERR too; the part of the
 * request before it is then done. */
#ifndef DEVICES_VIRTIO_BLK_H
#define DEVICES_VIRTIO_BLK_H

#include "devices/disk.h"
#include "devices/virtio.h"

enum {
    VIRTIO_BLK_SERIAL = 20,                   /* bytes of the answer to GET_ID */
    VIRTIO_BLK_DATA_MOST = 16 << 20,          /* bytes that a request may read or write */
    VIRTIO_BLK_ZERO_SECTORS = 32768,          /* max_discard_sectors, max_write_zeroes_sectors */
    VIRTIO_BLK_ZERO_SEGMENTS = 8,             /* max_discard_seg, max_write_zeroes_seg */
    VIRTIO_BLK_SEGMENTS = VIRTQUEUE_SIZE - 2, /* seg_max: a chain has a header and a status too */
    VIRTIO_BLK_LATENCY_NS = 20000,
    VIRTIO_BLK_BYTES_PER_US = 1000
};

struct virtio_blk_state {
    struct virtio_state virtio;
};

extern const struct fields virtio_blk_fields;

struct virtio_blk {
    struct virtio_blk_state state;
    struct virtio virtio;
    struct disk *disk;
    uint8_t serial[VIRTIO_BLK_SERIAL];
};

struct virtio_blk_config {
    uint64_t base, size; /* of the slot */
    struct irq irq;
    struct disk *disk;  /* outlives the device */
    const char *serial; /* as much of it as fits is told; NULL: empty */
};

void virtio_blk_init(struct virtio_blk *b, struct machine *m,
                     const struct virtio_blk_config *config);

#endif
