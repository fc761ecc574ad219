#include "devices/virtio.h"

#include "base/check.h"
#include "base/endian.h"
#include "base/log.h"
#include "devices/words.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

/* Virtio 1.2, table 4.1. */
enum {
    MAGIC_VALUE = 0,
    VERSION = 4,
    DEVICE_ID = 8,
    VENDOR_ID = 0xc,
    DEVICE_FEATURES = 0x10,
    DEVICE_FEATURES_SEL = 0x14,
    DRIVER_FEATURES = 0x20,
    DRIVER_FEATURES_SEL = 0x24,
    QUEUE_SEL = 0x30,
    QUEUE_NUM_MAX = 0x34,
    QUEUE_NUM = 0x38,
    QUEUE_READY = 0x44,
    QUEUE_NOTIFY = 0x50,
    INTERRUPT_STATUS = 0x60,
    INTERRUPT_ACK = 0x64,
    STATUS = 0x70,
    QUEUE_DESC_LOW = 0x80,
    QUEUE_DESC_HIGH = 0x84,
    QUEUE_DRIVER_LOW = 0x90,
    QUEUE_DRIVER_HIGH = 0x94,
    QUEUE_DEVICE_LOW = 0xa0,
    QUEUE_DEVICE_HIGH = 0xa4,
    SHM_SEL = 0xac,
    SHM_LEN_LOW = 0xb0,
    SHM_LEN_HIGH = 0xb4,
    SHM_BASE_LOW = 0xb8,
    SHM_BASE_HIGH = 0xbc,
    CONFIG_GENERATION = 0xfc,
    CONFIG = 0x100
};

enum {
    STATUS_DRIVER_OK = 4,
    STATUS_FEATURES_OK = 8,
    STATUS_NEEDS_RESET = 64,
    STATUS_DRIVER_BITS = 0x8f /* those the driver sets */
};

enum { INTERRUPT_CONFIG = 2 };

#define COMMON_FEATURES (VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX | VIRTIO_F_VERSION_1)

static const struct field virtqueue_field[] = {
    FIELD(struct virtqueue_state, descriptors), FIELD(struct virtqueue_state, driver),
    FIELD(struct virtqueue_state, device),      FIELD(struct virtqueue_state, size),
    FIELD(struct virtqueue_state, next),        FIELD(struct virtqueue_state, used),
    FIELD(struct virtqueue_state, head),        FIELD(struct virtqueue_state, ready),
    FIELD(struct virtqueue_state, busy),        FIELD_UNUSED(struct virtqueue_state, unused),
};
static const struct fields virtqueue_fields =
    FIELDS("virtqueue", struct virtqueue_state, 1, 1, virtqueue_field);

static const struct field virtio_field[] = {
    FIELD(struct virtio_state, driver_features),
    FIELD(struct virtio_state, device_features_select),
    FIELD(struct virtio_state, driver_features_select),
    FIELD(struct virtio_state, queue_select),
    FIELD(struct virtio_state, status),
    FIELD(struct virtio_state, interrupt),
    FIELD(struct virtio_state, config_generation),
    FIELD_STRUCT_ARRAY(struct virtio_state, queue, virtqueue_fields),
};
const struct fields virtio_fields = FIELDS("virtio", struct virtio_state, 1, 1, virtio_field);

/* ---- what the devices see ---- */

static uint64_t offered(const struct virtio *v)
{
    return v->ops->features | COMMON_FEATURES;
}

bool virtio_has_feature(const struct virtio *v, uint64_t feature)
{
    return v->state->status & STATUS_FEATURES_OK &&
           v->state->driver_features & offered(v) & feature;
}

bool virtio_broken(const struct virtio *v)
{
    return v->state->status & STATUS_NEEDS_RESET;
}

void virtio_interrupt(struct virtio *v, uint32_t cause)
{
    v->state->interrupt |= cause;
    irq_set(&v->irq, v->state->interrupt != 0);
}

void virtio_config_changed(struct virtio *v)
{
    v->state->config_generation++;
    if (v->state->status & STATUS_DRIVER_OK)
        virtio_interrupt(v, INTERRUPT_CONFIG);
}

/* The request taken is forgotten. */
static void drop_request(struct virtio *v, unsigned queue)
{
    v->state->queue[queue].busy = 0;
    if (v->ops->queue[queue].serve)
        clock_arm(&v->machine->clock, v->timer[queue], CLOCK_NEVER);
}

void virtio_break(struct virtio *v, const char *format, ...)
{
    if (virtio_broken(v))
        return;
    char why[160];
    va_list args;
    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    log_line(LOG_GUEST, "%s: needs a reset: %s", v->name, why);
    v->state->status |= STATUS_NEEDS_RESET;
    for (unsigned i = 0; i < v->ops->queues; i++)
        drop_request(v, i);
    if (v->state->status & STATUS_DRIVER_OK)
        virtio_config_changed(v);
}

/* ---- reading ---- */

static uint32_t identity(uint64_t offset, uint32_t id)
{
    switch (offset) {
    case MAGIC_VALUE:
        return 0x74726976; /* "virt" */
    case VERSION:
        return 2;
    case DEVICE_ID:
        return id;
    case VENDOR_ID:
        return 0x554d4551; /* as on QEMU */
    default:
        return 0;
    }
}

static uint32_t features_word(uint64_t features, uint32_t select)
{
    return select < 2 ? (uint32_t)(features >> 32 * select) : 0;
}

/* Registers that are written only read as zero. */
static uint32_t register_value(const struct virtio *v, uint64_t offset)
{
    const struct virtio_state *s = v->state;
    bool exists = s->queue_select < v->ops->queues;
    switch (offset) {
    case DEVICE_FEATURES:
        return features_word(offered(v), s->device_features_select);
    case QUEUE_NUM_MAX:
        return exists ? VIRTQUEUE_SIZE : 0;
    case QUEUE_READY:
        return exists ? s->queue[s->queue_select].ready : 0;
    case INTERRUPT_STATUS:
        return s->interrupt;
    case STATUS:
        return s->status;
    case SHM_LEN_LOW:
    case SHM_LEN_HIGH:
    case SHM_BASE_LOW:
    case SHM_BASE_HIGH:
        return UINT32_MAX; /* there is no such region */
    case CONFIG_GENERATION:
        return s->config_generation;
    default:
        return identity(offset, v->ops->id);
    }
}

static uint64_t config_value(const struct virtio *v, uint64_t offset, unsigned size)
{
    uint8_t bytes[VIRTIO_CONFIG_SIZE] = {0};
    if (offset >= v->ops->config_size || !v->ops->config_read)
        return 0;
    v->ops->config_read(v->ctx, bytes);
    return load_le(bytes + offset, size);
}

static bool virtio_mmio_peek(const void *ctx, uint64_t offset, unsigned size, uint64_t *value)
{
    const struct virtio *v = ctx;
    if (offset >= CONFIG)
        *value = config_value(v, offset - CONFIG, size);
    else
        *value = word_part(register_value(v, offset & ~UINT64_C(3)), offset & 3, size);
    return true;
}

static bool virtio_mmio_read(void *ctx, uint64_t offset, unsigned size, uint64_t *value)
{
    const struct virtio *v = ctx;
    if (offset < CONFIG && size != 4)
        log_line(LOG_GUEST, "%s: read of %u bytes at %#" PRIx64, v->name, size, offset);
    return virtio_mmio_peek(v, offset, size, value);
}

/* ---- writing ---- */

/* The driver's reset: everything but the configuration's generation. */
static void reset_device(struct virtio *v)
{
    uint32_t generation = v->state->config_generation;
    for (unsigned i = 0; i < v->ops->queues; i++)
        drop_request(v, i);
    *v->state = (struct virtio_state){.config_generation = generation};
    irq_set(&v->irq, false);
    if (v->ops->reset)
        v->ops->reset(v->ctx);
}

/* Only a reset takes bits back. */
static void write_status(struct virtio *v, uint32_t value)
{
    struct virtio_state *s = v->state;
    if (!value) {
        reset_device(v);
        return;
    }
    uint32_t set = value & STATUS_DRIVER_BITS & ~s->status;
    if (set & STATUS_FEATURES_OK &&
        (s->driver_features & ~offered(v) || !(s->driver_features & VIRTIO_F_VERSION_1))) {
        log_line(LOG_GUEST, "%s: features %#" PRIx64 " of %#" PRIx64 " are refused", v->name,
                 s->driver_features, offered(v));
        set &= ~(uint32_t)STATUS_FEATURES_OK;
    }
    if (set & STATUS_DRIVER_OK && !((s->status | set) & STATUS_FEATURES_OK)) {
        log_line(LOG_GUEST, "%s: DRIVER_OK without FEATURES_OK", v->name);
        set &= ~(uint32_t)STATUS_DRIVER_OK;
    }
    s->status |= set;
}

static void write_features(struct virtio *v, uint32_t value)
{
    struct virtio_state *s = v->state;
    if (s->status & STATUS_FEATURES_OK || s->driver_features_select > 1) {
        log_line(LOG_GUEST, "%s: features %#x ignored", v->name, value);
        return;
    }
    s->driver_features =
        word_with(s->driver_features, 4 * (uint64_t)s->driver_features_select, 4, value);
}

static void write_ready(struct virtio *v, unsigned queue, bool ready)
{
    struct virtqueue_state *q = &v->state->queue[queue];
    if (ready == q->ready)
        return;
    if (!ready) {
        drop_request(v, queue);
        q->ready = 0;
        return;
    }
    const char *problem = virtqueue_problem(v, queue);
    if (problem) {
        virtio_break(v, "queue %u: %s", queue, problem);
        return;
    }
    q->ready = 1;
    q->next = q->used = 0;
}

static void write_queue(struct virtio *v, uint64_t offset, uint32_t value)
{
    unsigned queue = v->state->queue_select;
    if (queue >= v->ops->queues) {
        log_line(LOG_GUEST, "%s: there is no queue %u", v->name, queue);
        return;
    }
    struct virtqueue_state *q = &v->state->queue[queue];
    if (offset == QUEUE_READY) {
        write_ready(v, queue, value & 1);
        return;
    }
    if (q->ready) {
        virtio_break(v, "queue %u: changed while in use", queue);
        return;
    }
    uint64_t *address = offset < QUEUE_DRIVER_LOW   ? &q->descriptors
                        : offset < QUEUE_DEVICE_LOW ? &q->driver
                                                    : &q->device;
    if (offset == QUEUE_NUM)
        q->size = value <= VIRTQUEUE_SIZE ? (uint16_t)value : 0;
    else
        *address = word_with(*address, offset, 4, value);
}

static void notify(struct virtio *v, uint32_t queue)
{
    if (queue < v->ops->queues && v->state->status & STATUS_DRIVER_OK &&
        v->state->queue[queue].ready)
        virtqueue_notified(v, queue);
    else
        log_line(LOG_GUEST, "%s: notification of queue %u ignored", v->name, queue);
}

static void write_register(struct virtio *v, uint64_t offset, uint32_t value)
{
    struct virtio_state *s = v->state;
    switch (offset) {
    case DEVICE_FEATURES_SEL:
        s->device_features_select = value;
        break;
    case DRIVER_FEATURES:
        write_features(v, value);
        break;
    case DRIVER_FEATURES_SEL:
        s->driver_features_select = value;
        break;
    case QUEUE_SEL:
        s->queue_select = value;
        break;
    case QUEUE_NUM:
    case QUEUE_READY:
    case QUEUE_DESC_LOW:
    case QUEUE_DESC_HIGH:
    case QUEUE_DRIVER_LOW:
    case QUEUE_DRIVER_HIGH:
    case QUEUE_DEVICE_LOW:
    case QUEUE_DEVICE_HIGH:
        write_queue(v, offset, value);
        break;
    case QUEUE_NOTIFY:
        notify(v, value);
        break;
    case INTERRUPT_ACK:
        s->interrupt &= ~value;
        irq_set(&v->irq, s->interrupt != 0);
        break;
    case STATUS:
        write_status(v, value);
        break;
    case SHM_SEL:
        break;
    default:
        log_line(LOG_GUEST, "%s: write of %#x to read-only or unknown register %#" PRIx64, v->name,
                 value, offset);
    }
}

static void write_config(struct virtio *v, uint64_t offset, unsigned size, uint64_t value)
{
    if (v->ops->config_write && offset + size <= v->ops->config_size)
        v->ops->config_write(v->ctx, (unsigned)offset, size, word_part(value, 0, size));
    else
        log_line(LOG_GUEST, "%s: write of %#" PRIx64 " to read-only configuration %#" PRIx64,
                 v->name, value, offset);
}

/* What a device that needs a reset still takes. */
static bool taken_when_broken(uint64_t offset)
{
    return offset == STATUS || offset == INTERRUPT_ACK || offset == QUEUE_SEL ||
           offset == DEVICE_FEATURES_SEL;
}

static bool virtio_mmio_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
    struct virtio *v = ctx;
    if (virtio_broken(v) && !taken_when_broken(offset))
        return true;
    if (offset >= CONFIG)
        write_config(v, offset - CONFIG, size, value);
    else if (size == 4)
        write_register(v, offset, (uint32_t)value);
    else
        log_line(LOG_GUEST, "%s: write of %u bytes at %#" PRIx64, v->name, size, offset);
    return true;
}

static const struct bus_ops virtio_mmio_ops = {virtio_mmio_read, virtio_mmio_write,
                                               virtio_mmio_peek};

static void virtio_mmio_reset(void *ctx)
{
    struct virtio *v = ctx;
    v->state->config_generation = 0;
    reset_device(v);
}

static size_t virtio_mmio_room(const void *ctx, unsigned channel)
{
    const struct virtio *v = ctx;
    return v->ops->room(v->ctx, channel);
}

static void virtio_mmio_input(void *ctx, unsigned channel, const uint8_t *bytes, size_t size)
{
    struct virtio *v = ctx;
    v->ops->input(v->ctx, channel, bytes, size);
}

void virtio_mmio_init(struct virtio *v, uint64_t base, uint64_t size, const struct fields *fields,
                      void *device_state)
{
    check(v->ops->queues <= VIRTIO_QUEUES && v->ops->config_size <= VIRTIO_CONFIG_SIZE, "%s",
          v->name);
    for (unsigned i = 0; i < v->ops->queues; i++)
        if (v->ops->queue[i].serve) {
            check(v->ops->queue[i].latency_ns, "%s: queue %u takes no time", v->name, i);
            v->timer[i] = clock_timer_add(&v->machine->clock, virtqueue_expired, v, i);
        }
    bus_add(&v->machine->bus, (struct bus_region){v->name, base, size, &virtio_mmio_ops, v, NULL});
    machine_add_device(v->machine, (struct device){.name = v->name,
                                                   .fields = fields,
                                                   .state = device_state,
                                                   .ctx = v,
                                                   .reset = virtio_mmio_reset,
                                                   .room = v->ops->room ? virtio_mmio_room : NULL,
                                                   .input = virtio_mmio_input});
}

/* ---- a slot with nothing in it ---- */

static bool empty_peek(const void *ctx, uint64_t offset, unsigned size, uint64_t *value)
{
    (void)ctx;
    *value = word_part(identity(offset & ~UINT64_C(3), 0), offset & 3, size);
    return true;
}

static bool empty_read(void *ctx, uint64_t offset, unsigned size, uint64_t *value)
{
    if (offset > VENDOR_ID)
        log_line(LOG_GUEST, "virtio-mmio: read of %#" PRIx64 " in an empty slot", offset);
    return empty_peek(ctx, offset, size, value);
}

static bool empty_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
    (void)ctx, (void)size;
    log_line(LOG_GUEST, "virtio-mmio: write of %#" PRIx64 " to %#" PRIx64 " in an empty slot",
             value, offset);
    return true;
}

static const struct bus_ops empty_ops = {empty_read, empty_write, empty_peek};

void virtio_mmio_init_empty(struct machine *m, uint64_t base, uint64_t size)
{
    bus_add(&m->bus, (struct bus_region){"virtio-mmio", base, size, &empty_ops, NULL, NULL});
}
