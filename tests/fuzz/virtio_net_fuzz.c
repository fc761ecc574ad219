/* A network card behind any driver: virtio_harness.h says what must hold. */
#include "devices/virtio_net.h"

#include "tests/fuzz/virtio_harness.h"

static void init(void *device, struct machine *m, struct irq irq)
{
    const struct virtio_net_config config = {.base = HARNESS_BASE,
                                             .size = HARNESS_WINDOW,
                                             .irq = irq,
                                             .channel = CHANNEL_NET0,
                                             .mac = {0x52, 0x54, 0, 0x12, 0x34, 0x56}};
    virtio_net_init(device, m, &config);
}

static const struct harness_target target = {.size = sizeof(struct virtio_net), .init = init};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return harness_run(&target, data, size);
}
