#include "devices/riscv_virt.h"

#include "base/check.h"
#include "devices/aclint.h"
#include "devices/boot_images.h"
#include "devices/boot_rom.h"
#include "devices/plic.h"
#include "devices/riscv_virt_map.h"
#include "devices/rtc_goldfish.h"
#include "devices/syscon.h"
#include "devices/uart16550.h"
#include "devices/virtio_mmio.h"
#include "machine/riscv/riscv.h"
#include "machine/semihosting.h"

#include <inttypes.h>
#include <stdlib.h>

#define MIB (UINT64_C(1) << 20)
#define RAM_MOST (UINT64_C(8) << 30)
enum { SHIFT_MOST = 10 };

struct riscv_virt {
    struct machine machine;
    struct boot_rom rom;
    struct aclint aclint;
    struct plic plic;
    struct uart16550 uart;
    struct rtc_goldfish rtc;
    struct semihosting semihosting;
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

static void add_peripherals(struct riscv_virt *board)
{
    struct machine *m = &board->machine;
    uart16550_init(&board->uart, m, MAP_UART, MAP_UART_SIZE, plic_input(&board->plic, IRQ_UART),
                   CHANNEL_SERIAL0);
    rtc_goldfish_init(&board->rtc, m, MAP_RTC, MAP_RTC_SIZE, plic_input(&board->plic, IRQ_RTC));
    syscon_init(m, MAP_SYSCON, MAP_SYSCON_SIZE);
    for (unsigned slot = 0; slot < MAP_VIRTIO_SLOTS; slot++)
        virtio_mmio_init_empty(m, MAP_VIRTIO + (uint64_t)slot * MAP_VIRTIO_SIZE, MAP_VIRTIO_SIZE);
}

static bool options_valid(const struct riscv_virt_options *o, struct error *err)
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
    return true;
}

static bool init(struct riscv_virt *board, const struct riscv_virt_options *o,
                 const struct boot_elf *elf, struct error *err)
{
    struct machine *m = &board->machine;
    struct boot_rom_target target;
    boot_rom_init(&board->rom, m, MAP_BOOT_ROM);
    if (!boot_images_load(m, o, elf, &target, err))
        return false;
    boot_rom_set(&board->rom, &target);
    riscv_add_harts(m, MAP_BOOT_ROM);
    add_interrupt_controllers(board);
    add_peripherals(board);
    if (o->semihosting && !semihosting_init(&board->semihosting, m, o->append, err))
        return false;
    machine_reset(m);
    return true;
}

static struct riscv_virt *make(const struct riscv_virt_options *o, const struct boot_elf *elf,
                               struct error *err)
{
    if (!options_valid(o, err))
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
    free(board);
}

struct machine *riscv_virt_machine(struct riscv_virt *board)
{
    return &board->machine;
}
