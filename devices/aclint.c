#include "devices/aclint.h"

#include "base/log.h"
#include "devices/words.h"
#include "machine/riscv/riscv.h"

#include <inttypes.h>

enum { MSIP = 0, MTIMECMP = 0x4000, MTIME = 0xbff8 };

static const struct field aclint_field[] = {
    FIELD_ARRAY(struct aclint_state, mtimecmp),
    FIELD_ARRAY(struct aclint_state, msip),
    FIELD_ARRAY(struct aclint_state, mtip),
};
const struct fields aclint_fields = FIELDS("aclint", struct aclint_state, 1, 1, aclint_field);

/* Ticks until the comparison says something else: at mtimecmp, or, past it, when mtime starts again
 * from 0. */
static uint64_t ticks_to_change(uint64_t now, uint64_t compare)
{
    if (now < compare)
        return compare - now;
    return now ? -now : UINT64_MAX;
}

/* Set MTIP to what the comparison says now, and wake up when that changes. */
static void update_timer(struct aclint *a, unsigned hart)
{
    uint64_t now = riscv_mtime(a->machine), compare = a->state.mtimecmp[hart];
    bool level = now >= compare;
    clock_arm(&a->machine->clock, a->timer[hart],
              riscv_vtime_after(a->machine, ticks_to_change(now, compare)));
    if (level == a->state.mtip[hart])
        return;
    a->state.mtip[hart] = level;
    irq_set(&a->deadline[hart], level);
}

static void timer_expired(void *ctx, unsigned hart)
{
    update_timer(ctx, hart);
}

static void set_software(struct aclint *a, unsigned hart, bool level)
{
    if (level == a->state.msip[hart])
        return;
    a->state.msip[hart] = level;
    irq_set(&a->software[hart], level);
}

static void set_mtime(struct aclint *a, uint64_t value)
{
    struct machine *m = a->machine;
    m->clock.state.ticks_offset += value - riscv_mtime(m);
    for (unsigned hart = 0; hart < m->config.cpus; hart++) {
        update_timer(a, hart);
        m->cpu[hart]->ops->ticks_changed(m->cpu[hart]);
    }
}

enum what { WHAT_UNKNOWN, WHAT_MSIP, WHAT_MTIMECMP, WHAT_MTIME };

static enum what decode(const struct aclint *a, uint64_t offset, unsigned *hart)
{
    unsigned cpus = a->machine->config.cpus;
    if (offset < MSIP + 4 * cpus) {
        *hart = (unsigned)offset / 4;
        return WHAT_MSIP;
    }
    if (offset >= MTIMECMP && offset < MTIMECMP + 8 * cpus) {
        *hart = (unsigned)(offset - MTIMECMP) / 8;
        return WHAT_MTIMECMP;
    }
    return offset >= MTIME ? offset < MTIME + 8 ? WHAT_MTIME : WHAT_UNKNOWN : WHAT_UNKNOWN;
}

static bool aclint_peek(const void *ctx, uint64_t offset, unsigned size, uint64_t *value)
{
    const struct aclint *a = ctx;
    unsigned hart;
    switch (decode(a, offset, &hart)) {
    case WHAT_MSIP:
        *value = word_part(a->state.msip[hart], offset & 3, size);
        break;
    case WHAT_MTIMECMP:
        *value = word_part(a->state.mtimecmp[hart], offset, size);
        break;
    case WHAT_MTIME:
        *value = word_part(riscv_mtime(a->machine), offset, size);
        break;
    default:
        *value = 0;
    }
    return true;
}

static bool width_supported(enum what what, unsigned size)
{
    return size == 4 || (size == 8 && what != WHAT_MSIP);
}

static bool aclint_read(void *ctx, uint64_t offset, unsigned size, uint64_t *value)
{
    const struct aclint *a = ctx;
    unsigned hart;
    enum what what = decode(a, offset, &hart);
    if (!width_supported(what, size))
        return false;
    if (what == WHAT_UNKNOWN)
        log_line(LOG_GUEST, "aclint: read of unknown register %#" PRIx64, offset);
    return aclint_peek(a, offset, size, value);
}

static bool aclint_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
    struct aclint *a = ctx;
    unsigned hart;
    enum what what = decode(a, offset, &hart);
    if (!width_supported(what, size))
        return false;
    switch (what) {
    case WHAT_MSIP:
        set_software(a, hart, value & 1);
        break;
    case WHAT_MTIMECMP:
        a->state.mtimecmp[hart] = word_with(a->state.mtimecmp[hart], offset, size, value);
        update_timer(a, hart);
        break;
    case WHAT_MTIME:
        set_mtime(a, word_with(riscv_mtime(a->machine), offset, size, value));
        break;
    default:
        log_line(LOG_GUEST, "aclint: write of %#" PRIx64 " to unknown register %#" PRIx64, value,
                 offset);
    }
    return true;
}

static const struct bus_ops aclint_ops = {aclint_read, aclint_write, aclint_peek};

/* The specification leaves mtimecmp open at reset; the largest value asks for no interrupt. */
static void aclint_reset(void *ctx)
{
    struct aclint *a = ctx;
    a->state = (struct aclint_state){0};
    for (unsigned hart = 0; hart < MACHINE_CPUS; hart++)
        a->state.mtimecmp[hart] = UINT64_MAX;
    for (unsigned hart = 0; hart < a->machine->config.cpus; hart++) {
        irq_set(&a->software[hart], false);
        irq_set(&a->deadline[hart], false);
        update_timer(a, hart);
    }
}

void aclint_init(struct aclint *a, struct machine *m, uint64_t base, uint64_t size,
                 const struct irq *software, const struct irq *deadline)
{
    *a = (struct aclint){.machine = m};
    for (unsigned hart = 0; hart < m->config.cpus; hart++) {
        a->software[hart] = software[hart];
        a->deadline[hart] = deadline[hart];
        a->timer[hart] = clock_timer_add(&m->clock, timer_expired, a, hart);
    }
    bus_add(&m->bus, (struct bus_region){"aclint", base, size, &aclint_ops, a, NULL});
    machine_add_device(m, (struct device){.name = "aclint",
                                          .fields = &aclint_fields,
                                          .state = &a->state,
                                          .ctx = a,
                                          .reset = aclint_reset});
}
