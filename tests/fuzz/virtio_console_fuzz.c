/* A console of two ports behind any driver: virtio_harness.h says what must hold. */
#include "devices/virtio_console.h"

#include "tests/fuzz/virtio_harness.h"

static void init(void *device, struct machine *m, struct irq irq)
{
    const struct virtio_console_config config = {
        .base = HARNESS_BASE, .size = HARNESS_WINDOW, .irq = irq, .ports = VIRTIO_CONSOLE_PORTS};
    virtio_console_init(device, m, &config);
}

static const struct harness_target target = {.size = sizeof(struct virtio_console), .init = init};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return harness_run(&target, data, size);
}
