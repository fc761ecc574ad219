/* An entropy source behind any driver: virtio_harness.h says what must hold. */
#include "devices/virtio_rng.h"

#include "tests/fuzz/virtio_harness.h"

static void init(void *device, struct machine *m, struct irq irq)
{
    virtio_rng_init(device, m, HARNESS_BASE, HARNESS_WINDOW, irq);
}

static const struct harness_target target = {.size = sizeof(struct virtio_rng), .init = init};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return harness_run(&target, data, size);
}
