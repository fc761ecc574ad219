/* Virtio over MMIO: slots without a device behind them, which drivers recognise by DeviceID 0 and
 * pass over. Virtio 1.2, section 4.2. */
#ifndef DEVICES_VIRTIO_MMIO_H
#define DEVICES_VIRTIO_MMIO_H

#include "machine/machine.h"

void virtio_mmio_init_empty(struct machine *m, uint64_t base, uint64_t size);

#endif
