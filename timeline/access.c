/* What comes from outside: input, and a debugger's looks and writes. */
#include "timeline/internal.h"

#include "base/endian.h"
#include "timeline/branches.h"

#include <inttypes.h>
#include <stdlib.h>

/* Something from outside has been recorded here: it carries the idle time up to now. */
static void end_idle(struct timeline *tl)
{
    tl->idle_since = 0;
    tl->warped_at = POSITION_NONE;
}

static void record(struct timeline *tl, enum event_kind kind, unsigned target, const void *bytes,
                   size_t size)
{
    recorder_event(&tl->recorder, kind, (uint16_t)target, bytes, (uint32_t)size,
                   run_event_vtime(tl));
    end_idle(tl);
}

static bool taking_input(const struct timeline *tl)
{
    return tl->live && timeline_on_main(tl) && tl->op.kind != OPERATION_NONE &&
           tl->op.phase == PHASE_FORWARD && !tl->m->state.halt;
}

size_t timeline_input(struct timeline *tl, unsigned channel, const uint8_t *bytes, size_t size)
{
    if (!taking_input(tl))
        return 0;
    size_t taken = recorder_input(&tl->recorder, channel, bytes, size, run_event_vtime(tl));
    if (taken)
        end_idle(tl);
    return taken;
}

bool timeline_packet(struct timeline *tl, unsigned channel, const uint8_t *bytes, size_t size)
{
    if (!taking_input(tl) || !size || machine_input_room(tl->m, channel) < size)
        return false;
    return timeline_input(tl, channel, bytes, size) == size;
}

bool timeline_event(struct timeline *tl, enum event_kind kind)
{
    if (!tl->live || !timeline_on_main(tl))
        return false;
    record(tl, kind, 0, NULL, 0);
    return true;
}

static size_t bytes_in_page(uint64_t va, size_t size)
{
    size_t room = RAM_PAGE_SIZE - (va & (RAM_PAGE_SIZE - 1));
    return size < room ? size : room;
}

size_t timeline_read_some(const struct timeline *tl, unsigned hart, uint64_t va, void *bytes,
                          size_t size)
{
    const struct cpu *cpu = tl->m->cpu[hart];
    size_t done = 0;
    while (done < size) {
        uint64_t pa;
        size_t n = bytes_in_page(va + done, size - done);
        if (!cpu_look(cpu, va + done, &pa) || !machine_peek(tl->m, pa, (uint8_t *)bytes + done, n))
            break;
        done += n;
    }
    return done;
}

size_t timeline_read_physical(const struct timeline *tl, uint64_t pa, void *bytes, size_t size)
{
    size_t done = 0;
    while (done < size) {
        size_t n = bytes_in_page(pa + done, size - done);
        if (!machine_peek(tl->m, pa + done, (uint8_t *)bytes + done, n))
            break;
        done += n;
    }
    return done;
}

bool timeline_read_memory(const struct timeline *tl, unsigned hart, uint64_t va, void *bytes,
                          size_t size)
{
    return timeline_read_some(tl, hart, va, bytes, size) == size;
}

/* Where a debugger may write: RAM, whatever the page's permissions are. */
static bool locate(const struct timeline *tl, unsigned hart, uint64_t va, size_t size, uint64_t *pa,
                   struct error *err)
{
    if (cpu_look(tl->m->cpu[hart], va, pa) && ram_contains(&tl->m->ram, *pa, size))
        return true;
    return error_set(err, ERROR_RANGE, "no RAM at address %#" PRIx64, va);
}

/* Inside a page. */
static void record_memory(struct timeline *tl, unsigned hart, uint64_t pa, const void *bytes,
                          size_t size)
{
    uint8_t event[8 + RAM_PAGE_SIZE];
    store_le64(event, pa);
    memcpy(event + 8, bytes, size);
    record(tl, EVENT_MEMORY, hart, event, 8 + size);
}

bool timeline_write_memory(struct timeline *tl, unsigned hart, uint64_t va, const void *bytes,
                           size_t size, struct error *err)
{
    uint64_t pa;
    branch_before_memory(tl, hart, va);
    for (size_t done = 0; done < size; done += bytes_in_page(va + done, size - done))
        if (!locate(tl, hart, va + done, bytes_in_page(va + done, size - done), &pa, err))
            return false;
    if (!branch_for_write(tl, err))
        return false;
    for (size_t done = 0, n; done < size; done += n) {
        n = bytes_in_page(va + done, size - done);
        if (!locate(tl, hart, va + done, n, &pa, err))
            return false;
        record_memory(tl, hart, pa, (const uint8_t *)bytes + done, n);
    }
    branch_wrote_memory(tl, hart, va);
    return true;
}

bool timeline_write_physical(struct timeline *tl, uint64_t pa, const void *bytes, size_t size,
                             struct error *err)
{
    if (!ram_contains(&tl->m->ram, pa, size))
        return error_set(err, ERROR_RANGE, "no RAM at physical address %#" PRIx64, pa);
    if (!branch_for_write(tl, err))
        return false;
    for (size_t done = 0, n; done < size; done += n) {
        n = bytes_in_page(pa + done, size - done);
        record_memory(tl, tl->m->state.running, pa + done, (const uint8_t *)bytes + done, n);
    }
    branch_wrote_physical(tl);
    return true;
}

bool timeline_write_register(struct timeline *tl, unsigned hart, unsigned number, uint64_t value,
                             struct error *err)
{
    struct cpu *cpu = tl->m->cpu[hart];
    const struct cpu_register *reg = cpu_register_numbered(cpu, number);
    if (!reg)
        return error_set(err, ERROR_RANGE, "no register number %u", number);
    if (cpu->ops->get_register(cpu, number) == value) {
        branch_wrote_register(tl, hart);
        return true;
    }
    if (reg->read_only)
        return error_set(err, ERROR_UNSUPPORTED, "register %s cannot be written", reg->name);
    branch_before_register(tl);
    if (!branch_for_write(tl, err))
        return false;
    uint64_t pc = cpu->ops->pc(cpu);
    uint8_t event[12];
    store_le32(event, number);
    store_le64(event + 4, value);
    record(tl, EVENT_REGISTER, hart, event, sizeof event);
    tl->pc_written = tl->pc_written || cpu->ops->pc(cpu) != pc;
    branch_wrote_register(tl, hart);
    return true;
}

bool timeline_hold_harts(struct timeline *tl, uint32_t mask)
{
    if (timeline_on_main(tl))
        return false;
    if (!tl->live || tl->m->state.held == mask)
        return tl->m->state.held == mask;
    uint8_t event[4];
    store_le32(event, mask);
    record(tl, EVENT_HOLD, 0, event, sizeof event);
    return true;
}
