#include "devices/virtio_mmio.h"

#include "base/log.h"
#include "devices/words.h"

#include <inttypes.h>

enum { MAGIC_VALUE = 0, VERSION = 4, DEVICE_ID = 8, VENDOR_ID = 12 };

static bool empty_peek(const void *ctx, uint64_t offset, unsigned size, uint64_t *value)
{
    (void)ctx;
    uint32_t word = 0;
    switch (offset & ~UINT64_C(3)) {
    case MAGIC_VALUE:
        word = 0x74726976; /* "virt" */
        break;
    case VERSION:
        word = 2;
        break;
    case VENDOR_ID:
        word = 0x554d4551; /* as on QEMU */
        break;
    }
    *value = word_part(word, offset & 3, size);
    return true;
}

static bool empty_read(void *ctx, uint64_t offset, unsigned size, uint64_t *value)
{
    if (offset > VENDOR_ID)
        log_line(LOG_GUEST, "virtio-mmio: read of %#" PRIx64 " in an empty slot", offset);
    return empty_peek(ctx, offset, size, value);
}

static bool empty_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
    (void)ctx, (void)size;
    log_line(LOG_GUEST, "virtio-mmio: write of %#" PRIx64 " to %#" PRIx64 " in an empty slot",
             value, offset);
    return true;
}

static const struct bus_ops empty_ops = {empty_read, empty_write, empty_peek};

void virtio_mmio_init_empty(struct machine *m, uint64_t base, uint64_t size)
{
    bus_add(&m->bus, (struct bus_region){"virtio-mmio", base, size, &empty_ops, NULL, NULL});
}
