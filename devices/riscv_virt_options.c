/* What numbers a board can be made of. */
#include "devices/disk.h"
#include "devices/riscv_virt.h"
#include "devices/virtio.h"
#include "devices/virtio_console.h"

#include <inttypes.h>

#define MIB (UINT64_C(1) << 20)
#define RAM_MOST (UINT64_C(8) << 30)
enum { SHIFT_MOST = 10 };

static bool slot_valid(unsigned slot, const struct riscv_virt_slot *s, struct error *err)
{
    if (s->id == VIRTIO_ID_BLOCK &&
        (!s->disk_bytes || s->disk_bytes % DISK_SECTOR || s->disk_bytes > DISK_MOST))
        return error_set(err, ERROR_RANGE,
                         "disk of %" PRIu64 " bytes in slot %u: it has to be whole sectors of %d, "
                         "from one to 16 TiB",
                         s->disk_bytes, slot, DISK_SECTOR);
    if (s->id == VIRTIO_ID_CONSOLE && (s->ports < 1 || s->ports > VIRTIO_CONSOLE_PORTS))
        return error_set(err, ERROR_RANGE, "console of %u ports in slot %u: it has 1 or 2",
                         s->ports, slot);
    if (s->id && s->id != VIRTIO_ID_BLOCK && s->id != VIRTIO_ID_CONSOLE && s->id != VIRTIO_ID_NET &&
        s->id != VIRTIO_ID_ENTROPY)
        return error_set(err, ERROR_UNSUPPORTED, "virtio device %u in slot %u: not known", s->id,
                         slot);
    return true;
}

static bool slots_valid(const struct riscv_virt_options *o, struct error *err)
{
    unsigned consoles = 0;
    for (unsigned slot = 0; slot < RISCV_VIRT_SLOTS; slot++) {
        if (!slot_valid(slot, &o->slot[slot], err))
            return false;
        consoles += o->slot[slot].id == VIRTIO_ID_CONSOLE;
    }
    return consoles <= 1 ||
           error_set(err, ERROR_RANGE, "%u consoles: there can be one, of two ports", consoles);
}

bool riscv_virt_options_valid(const struct riscv_virt_options *o, struct error *err)
{
    if (o->ram_size < MIB || o->ram_size > RAM_MOST || o->ram_size % MIB)
        return error_set(err, ERROR_RANGE,
                         "RAM of %" PRIu64 " bytes: it has to be whole MiB, from 1 MiB to 8 GiB",
                         o->ram_size);
    if (o->harts < 1 || o->harts > MACHINE_CPUS)
        return error_set(err, ERROR_RANGE, "%u harts: the machine has 1 to %u", o->harts,
                         MACHINE_CPUS);
    if (o->shift > SHIFT_MOST)
        return error_set(err, ERROR_RANGE, "clock shift %u: it goes from 0 to %u", o->shift,
                         SHIFT_MOST);
    return slots_valid(o, err);
}
