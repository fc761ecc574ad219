#include "devices/riscv_virt.h"

#include "base/check.h"
#include "devices/aclint.h"
#include "devices/boot_images.h"
#include "devices/boot_rom.h"
#include "devices/cfi_flash.h"
#include "devices/fw_cfg.h"
#include "devices/plic.h"
#include "devices/riscv_virt_map.h"
#include "devices/rtc_goldfish.h"
#include "devices/syscon.h"
#include "devices/uart16550.h"
#include "devices/virtio_blk.h"
#include "devices/virtio_console.h"
#include "devices/virtio_net.h"
#include "devices/virtio_rng.h"
#include "machine/riscv/riscv.h"
#include "machine/semihosting.h"

#include <stdlib.h>
#include <string.h>

struct riscv_virt {
    struct machine machine;
    struct boot_rom rom;
    struct boot_rom_target target;
    struct aclint aclint;
    struct plic plic;
    struct uart16550 uart;
    struct rtc_goldfish rtc;
    struct semihosting semihosting;
    struct fw_cfg fw_cfg;
    struct cfi_flash flash[RISCV_VIRT_FLASHES];
    union {
        struct virtio_blk blk;
        struct virtio_console console;
        struct virtio_net net;
        struct virtio_rng rng;
    } slot[RISCV_VIRT_SLOTS];
    struct disk disk[RISCV_VIRT_SLOTS];
    unsigned disks, nets;
};

/* A wire into a hart. Whatever moves one has to be seen before the next step. */
static void drive_hart(void *ctx, unsigned number, bool level)
{
    struct cpu *cpu = ctx;
    cpu->ops->set_irq(cpu, number, level);
    machine_attention(cpu->machine);
}

static struct irq hart_input(const struct riscv_virt *board, unsigned hart, unsigned number)
{
    return (struct irq){drive_hart, board->machine.cpu[hart], number};
}

static void add_interrupt_controllers(struct riscv_virt *board)
{
    struct machine *m = &board->machine;
    struct irq software[MACHINE_CPUS], deadline[MACHINE_CPUS], external[PLIC_CONTEXTS];
    for (unsigned hart = 0; hart < m->config.cpus; hart++) {
        software[hart] = hart_input(board, hart, RISCV_IRQ_MSI);
        deadline[hart] = hart_input(board, hart, RISCV_IRQ_MTI);
        external[2 * hart] = hart_input(board, hart, RISCV_IRQ_MEI);
        external[2 * hart + 1] = hart_input(board, hart, RISCV_IRQ_SEI);
    }
    aclint_init(&board->aclint, m, MAP_ACLINT, MAP_ACLINT_SIZE, software, deadline);
    plic_init(&board->plic, m, MAP_PLIC, MAP_PLIC_SIZE, 2 * m->config.cpus, external);
}

static void add_peripherals(struct riscv_virt *board, const struct riscv_virt_options *o)
{
    struct machine *m = &board->machine;
    uart16550_init(&board->uart, m, MAP_UART, MAP_UART_SIZE, plic_input(&board->plic, IRQ_UART),
                   CHANNEL_SERIAL0);
    rtc_goldfish_init(&board->rtc, m, MAP_RTC, MAP_RTC_SIZE, plic_input(&board->plic, IRQ_RTC));
    if (o->rtc_fixed)
        rtc_goldfish_fix(&board->rtc, o->rtc_base);
    syscon_init(m, MAP_SYSCON, MAP_SYSCON_SIZE);
    fw_cfg_init(&board->fw_cfg, m, MAP_FW_CFG, MAP_FW_CFG_SIZE);
}

static void add_blk(struct riscv_virt *board, unsigned slot, const struct riscv_virt_slot *s,
                    uint64_t base, struct irq irq)
{
    struct disk *disk = &board->disk[board->disks];
    disk_init(disk, &board->machine, board->disks++, s->disk_bytes, s->read_only);
    virtio_blk_init(&board->slot[slot].blk, &board->machine,
                    &(struct virtio_blk_config){base, MAP_VIRTIO_SIZE, irq, disk, s->serial});
}

static void add_slot(struct riscv_virt *board, unsigned slot, const struct riscv_virt_slot *s)
{
    struct machine *m = &board->machine;
    uint64_t base = MAP_VIRTIO + (uint64_t)slot * MAP_VIRTIO_SIZE;
    struct irq irq = plic_input(&board->plic, IRQ_VIRTIO + slot);
    struct virtio_console_config console = {base, MAP_VIRTIO_SIZE, irq, s->ports};
    struct virtio_net_config net = {.base = base, .size = MAP_VIRTIO_SIZE, .irq = irq};
    switch (s->id) {
    case VIRTIO_ID_BLOCK:
        add_blk(board, slot, s, base, irq);
        break;
    case VIRTIO_ID_CONSOLE:
        virtio_console_init(&board->slot[slot].console, m, &console);
        break;
    case VIRTIO_ID_NET:
        net.channel = CHANNEL_NET0 + board->nets++;
        memcpy(net.mac, s->mac, sizeof net.mac);
        virtio_net_init(&board->slot[slot].net, m, &net);
        break;
    case VIRTIO_ID_ENTROPY:
        virtio_rng_init(&board->slot[slot].rng, m, base, MAP_VIRTIO_SIZE, irq);
        break;
    default:
        virtio_mmio_init_empty(m, base, MAP_VIRTIO_SIZE);
    }
}

static bool add_flash(struct riscv_virt *board, unsigned which, const struct riscv_virt_flash *o,
                      const struct board_files *files, struct error *err)
{
    static const char *const name[RISCV_VIRT_FLASHES] = {"flash0", "flash1"};
    uint8_t *bytes = NULL;
    size_t size = 0;
    if (o->file &&
        !board_files_read(files, BOARD_FLASH0 + which, o->file, CFI_FLASH_SIZE, &bytes, &size, err))
        return error_prefix(err, "%s", name[which]);
    struct cfi_flash_config config = {.name = name[which],
                                      .base = MAP_FLASH + (uint64_t)which * MAP_FLASH_SIZE,
                                      .bytes = bytes,
                                      .size = size,
                                      .read_only = o->read_only};
    cfi_flash_init(&board->flash[which], &board->machine, &config);
    free(bytes);
    return true;
}

static bool add_fw_cfg_files(struct riscv_virt *board, const struct riscv_virt_options *o,
                             struct error *err)
{
    for (unsigned i = 0; i < o->fw_cfgs; i++) {
        const struct riscv_virt_fw_cfg *file = &o->fw_cfg[i];
        if (!fw_cfg_add_file(&board->fw_cfg, file->name, file->bytes, file->size, err))
            return false;
    }
    return true;
}

static bool init(struct riscv_virt *board, const struct riscv_virt_options *o,
                 const struct boot_elf *elf, struct error *err)
{
    struct machine *m = &board->machine;
    boot_rom_init(&board->rom, m, MAP_BOOT_ROM);
    riscv_add_harts(m, MAP_BOOT_ROM);
    add_interrupt_controllers(board);
    add_peripherals(board, o);
    for (unsigned which = 0; which < RISCV_VIRT_FLASHES; which++)
        if (!add_flash(board, which, &o->flash[which], o->files, err))
            return false;
    for (unsigned slot = 0; slot < RISCV_VIRT_SLOTS; slot++)
        add_slot(board, slot, &o->slot[slot]);
    if (!add_fw_cfg_files(board, o, err) ||
        !boot_images_load(m, o, elf, &board->fw_cfg, &board->target, err))
        return false;
    boot_rom_set(&board->rom, &board->target);
    if (o->semihosting && !semihosting_init(&board->semihosting, m, o->append, err))
        return false;
    machine_reset(m);
    return true;
}

static struct riscv_virt *make(const struct riscv_virt_options *o, const struct boot_elf *elf,
                               struct error *err)
{
    if (!riscv_virt_options_valid(o, err))
        return NULL;
    struct machine_config config = {
        .ram_base = MAP_RAM,
        .ram_size = o->ram_size,
        .cpus = o->harts,
        .shift = o->shift,
        .quantum = MACHINE_QUANTUM,
        .no_reboot = o->no_reboot,
        .semihosting = o->semihosting,
    };
    struct riscv_virt *board = mem_new(1, sizeof *board);
    if (!machine_init(&board->machine, &config, err)) {
        free(board);
        return NULL;
    }
    if (!init(board, o, elf, err)) {
        riscv_virt_free(board);
        return NULL;
    }
    return board;
}

struct riscv_virt *riscv_virt_new(const struct riscv_virt_options *options, struct error *err)
{
    return make(options, NULL, err);
}

struct riscv_virt *riscv_virt_new_elf(const struct riscv_virt_options *options, const char *name,
                                      const uint8_t *elf, size_t size, struct error *err)
{
    const struct boot_elf image = {name, elf, size};
    return make(options, &image, err);
}

void riscv_virt_free(struct riscv_virt *board)
{
    if (!board)
        return;
    machine_fini(&board->machine);
    fw_cfg_fini(&board->fw_cfg);
    for (unsigned which = 0; which < RISCV_VIRT_FLASHES; which++)
        cfi_flash_fini(&board->flash[which]);
    while (board->disks)
        disk_fini(&board->disk[--board->disks]);
    free(board);
}

struct machine *riscv_virt_machine(struct riscv_virt *board)
{
    return &board->machine;
}

const uint8_t *riscv_virt_tree(const struct riscv_virt *board, size_t *size)
{
    const struct images *images = &board->machine.images;
    for (size_t i = 0; i < images->count; i++)
        if (images->segment[i].pa == board->target.tree && images->segment[i].size) {
            *size = images->segment[i].size;
            return images->segment[i].bytes;
        }
    *size = 0;
    return NULL;
}

struct disk *riscv_virt_disk(struct riscv_virt *board, unsigned number)
{
    return number < board->disks ? &board->disk[number] : NULL;
}
