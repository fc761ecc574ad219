#include "devices/syscon.h"

#include "base/log.h"

#include <inttypes.h>

static bool syscon_peek(const void *ctx, uint64_t offset, unsigned size, uint64_t *value)
{
    (void)ctx, (void)offset, (void)size;
    *value = 0;
    return true;
}

static bool syscon_read(void *ctx, uint64_t offset, unsigned size, uint64_t *value)
{
    return syscon_peek(ctx, offset, size, value);
}

static bool syscon_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
    struct machine *m = ctx;
    if (size < 2)
        return false;
    unsigned command = offset ? 0 : value & 0xffff;
    switch (command) {
    case SYSCON_FAIL:
        machine_request_halt(m, HALT_EXIT, value >> 16 & 0xffff);
        break;
    case SYSCON_POWER_OFF:
        machine_request_halt(m, HALT_POWER_OFF, 0);
        break;
    case SYSCON_RESET:
        machine_request_reset(m);
        break;
    default:
        log_line(LOG_GUEST, "syscon: write of %#" PRIx64 " to %#" PRIx64, value, offset);
    }
    return true;
}

static const struct bus_ops syscon_ops = {syscon_read, syscon_write, syscon_peek};

void syscon_init(struct machine *m, uint64_t base, uint64_t size)
{
    bus_add(&m->bus, (struct bus_region){"syscon", base, size, &syscon_ops, m, NULL});
}
