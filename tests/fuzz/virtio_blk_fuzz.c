/* A small disk behind any driver: virtio_harness.h says what must hold. */
#include "devices/virtio_blk.h"

#include "tests/fuzz/virtio_harness.h"

struct disk_and_device {
    struct disk disk;
    struct virtio_blk blk;
};

static void init(void *device, struct machine *m, struct irq irq)
{
    struct disk_and_device *d = device;
    disk_init(&d->disk, m, 0, 20 * DISK_BLOCK - DISK_SECTOR, false);
    const struct virtio_blk_config config = {.base = HARNESS_BASE,
                                             .size = HARNESS_WINDOW,
                                             .irq = irq,
                                             .disk = &d->disk,
                                             .serial = "fuzzed"};
    virtio_blk_init(&d->blk, m, &config);
}

static void fini(void *device)
{
    disk_fini(&((struct disk_and_device *)device)->disk);
}

static const struct harness_target target = {
    .size = sizeof(struct disk_and_device), .init = init, .fini = fini};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return harness_run(&target, data, size);
}
