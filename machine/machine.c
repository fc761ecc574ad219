#include "machine/machine.h"

#include "base/check.h"
#include "base/endian.h"

#include <inttypes.h>
#include <limits.h>
#include <string.h>

/* Only what a debugger holds has it. */
static const struct field held_field[] = {
    FIELD(struct machine_state, held),
    FIELD_UNUSED(struct machine_state, unused),
};

static bool holds_harts(const void *state)
{
    return ((const struct machine_state *)state)->held;
}

static const struct fields held_fields =
    FIELDS("machine/held", struct machine_state, 1, 1, held_field, .needed = holds_harts);
static const struct fields *const machine_subsections[] = {&held_fields, NULL};

static const struct field machine_field[] = {
    FIELD(struct machine_state, quantum_end), FIELD(struct machine_state, running),
    FIELD(struct machine_state, halt),        FIELD(struct machine_state, halt_code),
    FIELD(struct machine_state, resets),      FIELD_ARRAY(struct machine_state, last_step),
};
const struct fields machine_fields = FIELDS("machine", struct machine_state, 1, 1, machine_field,
                                            .subsections = machine_subsections);

static void ram_changed(void *ctx, uint64_t page, unsigned offset, unsigned size)
{
    struct machine *m = ctx;
    m->shared_ops->ram_changed(m->shared, page, offset, size);
}

bool machine_init(struct machine *m, const struct machine_config *config, struct error *err)
{
    *m = (struct machine){.config = *config, .step_cpu = MACHINE_CPUS, .hit_due = POSITION_NONE};
    if (!ram_init(&m->ram, config->ram_base, config->ram_size, err))
        return false;
    m->ram.changed = ram_changed;
    m->ram.changed_ctx = m;
    clock_init(&m->clock, config->shift);
    m->clock.armed = &m->attention;
    images_init(&m->images);
    touched_init(&m->touched);
    for (unsigned i = 0; i < MACHINE_CPUS; i++)
        m->state.last_step[i] = POSITION_NONE;
    return true;
}

void machine_fini(struct machine *m)
{
    if (m->shared_ops)
        m->shared_ops->free(m->shared);
    images_fini(&m->images);
    touched_fini(&m->touched);
    ram_fini(&m->ram);
}

void machine_add_device(struct machine *m, struct device device)
{
    check(m->devices < MACHINE_DEVICES, "no room for %s", device.name);
    m->device[m->devices++] = device;
}

void machine_add_overlay(struct machine *m, struct overlay *overlay)
{
    check(m->overlays < MACHINE_OVERLAYS, "no room for %s", overlay->name);
    m->overlay[m->overlays++] = overlay;
}

static void start_turn(struct machine *m, unsigned cpu)
{
    if (cpu != m->state.running)
        m->cpu[m->state.running]->ops->switched_out(m->cpu[m->state.running]);
    m->state.running = cpu;
    m->state.quantum_end = machine_position(m) + m->config.quantum;
}

/* Whose turn it is now. A turn ends with its quantum or when the hart waits; the next runnable hart
 * in order of index follows, at last the same one again. Idempotent, so that it may be asked at the
 * end of a run and again at the start of the next. False: all wait or are held. */
static bool schedule(struct machine *m)
{
    unsigned running = m->state.running;
    bool turn_over = machine_position(m) >= m->state.quantum_end;
    for (unsigned i = turn_over; i <= m->config.cpus; i++) {
        unsigned next = (running + i) % m->config.cpus;
        struct cpu *cpu = m->cpu[next];
        if ((m->state.held >> next & 1) || !cpu->ops->runnable(cpu))
            continue;
        if (i)
            start_turn(m, next);
        cpu->ops->wake(cpu);
        return true;
    }
    return false;
}

void machine_reset(struct machine *m)
{
    m->reset_requested = false;
    for (unsigned i = 0; i < CLOCK_TIMERS; i++)
        m->clock.state.deadline[i] = CLOCK_NEVER;
    m->clock.state.ticks_offset = 0;
    clock_restored(&m->clock);
    for (unsigned i = 0; i < m->config.cpus; i++)
        m->cpu[i]->ops->reset(m->cpu[i]);
    for (unsigned i = 0; i < m->devices; i++)
        if (m->device[i].reset)
            m->device[i].reset(m->device[i].ctx);
    m->writer = WRITTEN_BY_RESET;
    images_write(&m->images, &m->ram);
    m->writer = WRITTEN_BY_HART;
    if (m->images.tohost)
        m->ram.flags[ram_page(&m->ram, m->images.tohost)] |= RAM_HOOKED;
    m->state.halt = HALT_NONE;
    m->state.halt_code = 0;
    m->state.running = 0;
    m->state.quantum_end = machine_position(m) + m->config.quantum;
}

static void guest_reset(struct machine *m)
{
    m->state.resets++;
    if (m->watch & MACHINE_WATCH_RESETS)
        m->pause = true;
    machine_reset(m);
}

/* The end of a step, or of idle time: what has become due happens, in this order. */
static void settle(struct machine *m)
{
    if (m->reset_requested)
        guest_reset(m);
    clock_expire(&m->clock);
    if (!m->state.halt)
        schedule(m);
}

static uint64_t smallest(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* How far the running hart may go by itself. */
static uint64_t turn_limit(const struct machine *m, uint64_t until)
{
    uint64_t limit =
        smallest(smallest(until, m->state.quantum_end), clock_next_position(&m->clock));
    limit = smallest(limit, m->hit_due);
    uint64_t one_step = machine_position(m) + 1;
    return m->state.running == m->step_cpu ? smallest(limit, one_step) : limit;
}

enum machine_stop machine_run(struct machine *m, uint64_t until)
{
    m->pause = m->hit_behind = false;
    for (;;) {
        if (machine_take_hit(m))
            return MACHINE_HIT;
        if (m->state.halt)
            return MACHINE_HALTED;
        bool runnable = schedule(m);
        uint64_t now = machine_position(m);
        if (now >= until)
            return MACHINE_LIMIT;
        if (!runnable)
            return MACHINE_IDLE;
        unsigned running = m->state.running;
        uint64_t limit = turn_limit(m, until);
        check(limit > now, "no step to make at %" PRIu64, now);
        m->attention = false;
        uint64_t hit_due = m->hit_due;
        enum cpu_exit exit = m->cpu[running]->ops->run(m->cpu[running], limit - now);
        bool stepped = machine_position(m) != now;
        if (stepped)
            m->state.last_step[running] = machine_position(m) - 1;
        if (exit == CPU_YIELD)
            m->state.quantum_end = machine_position(m);
        m->settled = true;
        settle(m);
        m->settled = false;
        if (exit == CPU_HIT) {
            /* The attempt is none, nor what its translations have written. */
            m->hit_due = hit_due;
            return MACHINE_HIT;
        }
        if (machine_take_hit(m))
            return MACHINE_HIT;
        if ((stepped && running == m->step_cpu) || m->pause)
            return MACHINE_LIMIT;
    }
}

bool machine_step_made(const struct machine *m, uint64_t from)
{
    return m->step_cpu < MACHINE_CPUS && machine_position(m) > from &&
           m->state.last_step[m->step_cpu] + 1 == machine_position(m);
}

uint64_t machine_next_deadline(const struct machine *m)
{
    return m->clock.next;
}

void machine_idle_until(struct machine *m, uint64_t vtime)
{
    clock_idle_until(&m->clock, vtime);
    settle(m);
}

void machine_idle_before_event(struct machine *m, uint64_t vtime)
{
    bool settled = m->settled;
    m->settled = true;
    machine_idle_until(m, vtime);
    m->settled = settled;
}

static void deliver_input(struct machine *m, const struct event *event)
{
    for (unsigned i = 0; i < m->devices; i++) {
        struct device *d = &m->device[i];
        if (d->room && d->room(d->ctx, event->target) >= event->size) {
            d->input(d->ctx, event->target, event->data, event->size);
            return;
        }
    }
}

static void deliver_memory(struct machine *m, const struct event *event)
{
    if (event->size < 8)
        return;
    uint64_t pa = load_le64(event->data), size = event->size - 8;
    if (!ram_contains(&m->ram, pa, size))
        return;
    m->writer = WRITTEN_BY_DEBUGGER;
    ram_write(&m->ram, pa, event->data + 8, size);
    m->writer = WRITTEN_BY_HART;
}

static void deliver_register(struct machine *m, const struct event *event)
{
    if (event->size != 12 || event->target >= m->config.cpus)
        return;
    struct cpu *cpu = m->cpu[event->target];
    cpu->ops->set_register(cpu, load_le32(event->data), load_le64(event->data + 4));
}

static void deliver_hold(struct machine *m, const struct event *event)
{
    if (machine_hold_valid(m, event))
        m->state.held = load_le32(event->data);
}

bool machine_hold_valid(const struct machine *m, const struct event *event)
{
    return event->size == 4 && !(load_le32(event->data) >> m->config.cpus);
}

void machine_deliver(struct machine *m, const struct event *event)
{
    m->settled = true;
    /* What was written in the idle time before now belongs to this event's position. */
    if (m->hit_due != POSITION_NONE)
        m->hit_due = machine_position(m);
    if (event->vtime > clock_vtime(&m->clock))
        machine_idle_until(m, event->vtime);
    switch (event->kind) {
    case EVENT_INPUT:
        deliver_input(m, event);
        break;
    case EVENT_RESET:
        guest_reset(m);
        break;
    case EVENT_MEMORY:
        deliver_memory(m, event);
        break;
    case EVENT_REGISTER:
        deliver_register(m, event);
        break;
    case EVENT_IDLE:
        break;
    case EVENT_HOLD:
        deliver_hold(m, event);
        break;
    case EVENT_POWER:
        machine_request_halt(m, HALT_POWER_OFF, 0);
        break;
    default:
        check(false, "event of kind %u is not delivered", event->kind);
    }
    settle(m);
    m->settled = false;
}

size_t machine_input_room(const struct machine *m, unsigned channel)
{
    for (unsigned i = 0; i < m->devices; i++) {
        const struct device *d = &m->device[i];
        size_t room = d->room ? d->room(d->ctx, channel) : 0;
        if (room)
            return room;
    }
    return 0;
}

void machine_attention(struct machine *m)
{
    m->attention = true;
}

void machine_request_halt(struct machine *m, enum machine_halt halt, uint64_t code)
{
    if (m->state.halt)
        return;
    m->state.halt = halt;
    m->state.halt_code = code;
    machine_attention(m);
}

void machine_request_reset(struct machine *m)
{
    if (m->config.no_reboot)
        machine_request_halt(m, HALT_RESET, 0);
    else
        m->reset_requested = true;
    machine_attention(m);
}

void machine_output(struct machine *m, unsigned channel, const void *bytes, size_t size)
{
    if (m->door.ops)
        m->door.ops->output(m->door.ctx, channel, bytes, size);
}

void machine_pause(struct machine *m)
{
    m->pause = true;
    machine_attention(m);
}

uint64_t machine_host_clock(struct machine *m)
{
    return m->door.ops ? m->door.ops->host_clock(m->door.ctx) : 0;
}

void machine_entropy(struct machine *m, uint8_t *bytes, size_t size)
{
    memset(bytes, 0, size);
    if (m->door.ops)
        m->door.ops->entropy(m->door.ctx, bytes, size);
}

bool machine_disk_read(struct machine *m, unsigned disk, uint64_t block, uint8_t *bytes)
{
    return m->door.ops && m->door.ops->disk_read(m->door.ctx, disk, block, bytes);
}

/* ---- points ---- */

void machine_written(struct machine *m, enum hit_writer writer, uint64_t pa, const void *bytes,
                     uint64_t size)
{
    if (!m->points.physical_count || !points_physical(&m->points, pa, size))
        return;
    uint64_t now = machine_position(m);
    struct hit hit = {.kinds = HIT_PHYSICAL | HIT_WRITE,
                      .hart = m->state.running,
                      .position = m->settled && now ? now - 1 : now,
                      .address = pa,
                      .size = size < UINT_MAX ? (unsigned)size : UINT_MAX,
                      .after = bytes,
                      .writer = writer,
                      .device = writer == WRITTEN_BY_DEVICE ? m->writer_device : NULL,
                      .behind = true};
    if (!m->points.hit(m->points.ctx, &hit))
        return;
    m->hit_due = smallest(m->hit_due, m->settled ? now : now + 1);
    machine_attention(m);
}

/* Harts' own writes are reported before their step. */
static void ram_watched(void *ctx, uint64_t pa, const void *bytes, uint64_t size)
{
    struct machine *m = ctx;
    if (m->writer != WRITTEN_BY_HART)
        machine_written(m, m->writer, pa, bytes, size);
}

void machine_dma(struct machine *m, const char *device, uint64_t pa, const void *bytes,
                 uint64_t size)
{
    m->writer = WRITTEN_BY_DEVICE;
    m->writer_device = device;
    ram_write(&m->ram, pa, bytes, size);
    m->writer = WRITTEN_BY_HART;
}

bool machine_take_hit(struct machine *m)
{
    m->hit_behind = machine_position(m) >= m->hit_due;
    if (m->hit_behind)
        m->hit_due = POSITION_NONE;
    return m->hit_behind;
}

void machine_set_points(struct machine *m, const struct points *points)
{
    struct points old = m->points;
    m->points = *points;
    m->hit_due = POSITION_NONE;
    m->ram.watch = points->physical_count ? ram_watched : NULL;
    m->ram.watch_ctx = m;
    m->shared_ops->points_changed(m->shared, &old);
}

/* ---- caches, looking ---- */

void machine_begin_interval(struct machine *m)
{
    ram_clear_dirty(&m->ram);
    touched_clear(&m->touched);
    machine_drop_caches(m, CPU_DROP_TRANSLATIONS);
}

void machine_drop_caches(struct machine *m, unsigned what)
{
    m->shared_ops->drop(m->shared, what);
}

bool machine_peek(const struct machine *m, uint64_t pa, void *bytes, size_t size)
{
    if (ram_contains(&m->ram, pa, size)) {
        memcpy(bytes, ram_at(&m->ram, pa), size);
        return true;
    }
    for (size_t i = 0; i < size; i++) {
        uint64_t value;
        if (ram_contains(&m->ram, pa + i, 1))
            value = *ram_at(&m->ram, pa + i);
        else if (!bus_peek(&m->bus, pa + i, 1, &value))
            return false;
        ((uint8_t *)bytes)[i] = (uint8_t)value;
    }
    return true;
}
