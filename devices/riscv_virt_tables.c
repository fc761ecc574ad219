#include "devices/aclint.h"
#include "devices/cfi_flash.h"
#include "devices/fw_cfg.h"
#include "devices/plic.h"
#include "devices/riscv_virt.h"
#include "devices/rtc_goldfish.h"
#include "devices/uart16550.h"
#include "devices/virtio_blk.h"
#include "devices/virtio_console.h"
#include "devices/virtio_net.h"
#include "devices/virtio_rng.h"
#include "machine/riscv/riscv.h"
#include "machine/semihosting.h"

/* Boot ROM, syscon and empty slots have no state. */
static const struct riscv_virt_table tables[] = {
    {&machine_fields, 1},
    {&clock_fields, 1},
    {&riscv_fields, MACHINE_CPUS},
    {&aclint_fields, 1},
    {&plic_fields, 1},
    {&uart16550_fields, 1},
    {&rtc_goldfish_fields, 1},
    {&fw_cfg_fields, 1},
    {&cfi_flash_fields, RISCV_VIRT_FLASHES},
    {&virtio_blk_fields, RISCV_VIRT_SLOTS},
    {&virtio_console_fields, 1},
    {&virtio_net_fields, RISCV_VIRT_SLOTS},
    {&virtio_rng_fields, RISCV_VIRT_SLOTS},
    {&semihosting_fields, 1},
};

const struct riscv_virt_table *riscv_virt_tables(size_t *count)
{
    *count = sizeof tables / sizeof *tables;
    return tables;
}
