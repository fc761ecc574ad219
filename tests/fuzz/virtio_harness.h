/* A machine without harts and one virtio device, driven by an input: registers, descriptors and
 * rings, guest RAM, input from outside, time.
 *
 * Each input runs twice. The second time the waits are cut in two, and at some place everything
 * goes on in a second machine that got the state of the first. Both runs must do the same. RAM has
 * red zones, so that a sanitizer sees what reaches outside. */
#ifndef TESTS_FUZZ_VIRTIO_HARNESS_H
#define TESTS_FUZZ_VIRTIO_HARNESS_H

#include "base/check.h"
#include "base/endian.h"
#include "base/hash.h"
#include "base/log.h"
#include "devices/virtio.h"
#include "machine/machine.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    HARNESS_BASE = 0x10001000,
    HARNESS_WINDOW = 0x1000,
    HARNESS_RAM_SIZE = 32 << 10,
    HARNESS_DATA = 16 << 10, /* offset in RAM, behind the rings */
    HARNESS_OPERATIONS = 400,
    HARNESS_PIECES = 8
};
#define HARNESS_RAM UINT64_C(0x80000000)

struct harness_target {
    size_t size; /* of what init fills: zeroed and kept in one place */
    void (*init)(void *device, struct machine *m, struct irq irq);
    void (*fini)(void *device); /* NULL: nothing to free */
};

struct harness {
    const struct harness_target *target;
    struct machine m;
    struct cpu cpu;
    void *device;
    uint8_t *mapped, *ram; /* what the machine made, and what it uses */
    bool wire;
    uint64_t asked;               /* bytes of entropy */
    uint64_t outside;             /* digest of everything that left */
    uint16_t made[VIRTIO_QUEUES]; /* entries made available */
    uint16_t size;                /* of the queues */
    unsigned next_descriptor;
};

struct harness_input {
    const uint8_t *at;
    size_t left;
};

static inline uint64_t harness_take(struct harness_input *in, unsigned size)
{
    size_t n = in->left < size ? in->left : size;
    uint64_t value = load_le(in->at, (unsigned)n);
    in->at += n;
    in->left -= n;
    return value;
}

/* ---- the host's side ---- */

static inline void harness_wire(void *ctx, unsigned number, bool level)
{
    (void)number;
    ((struct harness *)ctx)->wire = level;
}

static inline void harness_entropy(void *ctx, uint8_t *bytes, size_t size)
{
    struct harness *h = ctx;
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)hash_mix(++h->asked);
}

/* Some blocks cannot be read. */
static inline bool harness_disk_read(void *ctx, unsigned disk, uint64_t block, uint8_t *bytes)
{
    (void)ctx;
    memset(bytes, (int)(disk + block), DISK_BLOCK);
    return block % 8 != 7;
}

static inline void harness_output(void *ctx, unsigned channel, const uint8_t *bytes, size_t size)
{
    struct harness *h = ctx;
    h->outside = hash_bytes(bytes, size, h->outside + channel);
}

static const struct door_ops harness_door = {
    .entropy = harness_entropy, .disk_read = harness_disk_read, .output = harness_output};

static inline void harness_cpu_nothing(struct cpu *cpu)
{
    (void)cpu;
}

static inline bool harness_cpu_waits(const struct cpu *cpu)
{
    (void)cpu;
    return false;
}

static const struct fields harness_cpu_fields = {
    .name = "cpu", .version_id = 1, .minimum_version_id = 1};
static const struct cpu_ops harness_cpu_ops = {.fields = &harness_cpu_fields,
                                               .reset = harness_cpu_nothing,
                                               .runnable = harness_cpu_waits,
                                               .restored = harness_cpu_nothing};

static inline void harness_silent(void *ctx, enum log_level level, const char *line)
{
    (void)ctx, (void)level, (void)line;
}

/* ---- making, moving ---- */

static inline struct harness *harness_new(const struct harness_target *target)
{
    struct harness *h = mem_new(1, sizeof *h);
    struct error err = ERROR_INIT;
    const struct machine_config config = {.ram_base = HARNESS_RAM,
                                          .ram_size = HARNESS_RAM_SIZE,
                                          .cpus = 1,
                                          .shift = 3,
                                          .quantum = 10000};
    check(machine_init(&h->m, &config, &err), "%s", err.message);
    h->target = target;
    h->mapped = h->m.ram.host;
    h->ram = h->m.ram.host = mem_new(HARNESS_RAM_SIZE, 1);
    h->cpu = (struct cpu){.ops = &harness_cpu_ops, .machine = &h->m, .state = &h->cpu};
    h->m.cpu[0] = &h->cpu;
    h->m.door = (struct door){&harness_door, h};
    h->device = mem_new(1, target->size);
    target->init(h->device, &h->m, (struct irq){harness_wire, h, 0});
    machine_reset(&h->m);
    return h;
}

static inline void harness_free(struct harness *h)
{
    h->m.ram.host = h->mapped;
    machine_fini(&h->m);
    if (h->target->fini)
        h->target->fini(h->device);
    free(h->device);
    free(h->ram);
    free(h);
}

static inline void harness_copy_overlays(struct harness *to, const struct harness *from)
{
    for (unsigned i = 0; i < from->m.overlays; i++)
        for (uint64_t page = 0; page < from->m.overlay[i]->pages; page++) {
            const uint8_t *bytes = overlay_page(from->m.overlay[i], page);
            bool fresh;
            if (bytes)
                memcpy(overlay_write(to->m.overlay[i], page, &fresh), bytes, OVERLAY_PAGE_SIZE);
        }
}

/* A machine that goes on where this one is, which is freed. */
static inline struct harness *harness_move(struct harness *from)
{
    struct harness *to = harness_new(from->target);
    struct buffer saved = {0};
    struct error err = ERROR_INIT;
    machine_save(&from->m, &saved);
    check(machine_load(&to->m, saved.data, saved.size, &err), "%s", err.message);
    check(!to->wire, "loading has moved a wire");
    memcpy(to->ram, from->ram, HARNESS_RAM_SIZE);
    harness_copy_overlays(to, from);
    to->wire = from->wire;
    to->asked = from->asked;
    to->outside = from->outside;
    to->size = from->size;
    to->next_descriptor = from->next_descriptor;
    memcpy(to->made, from->made, sizeof to->made);
    buffer_fini(&saved);
    harness_free(from);
    return to;
}

static inline uint64_t harness_digest(const struct harness *h)
{
    struct buffer saved = {0};
    machine_save(&h->m, &saved);
    uint64_t digest = hash_bytes(saved.data, saved.size, h->outside);
    buffer_fini(&saved);
    digest = hash_bytes(h->ram, HARNESS_RAM_SIZE, digest);
    for (unsigned i = 0; i < h->m.overlays; i++)
        for (uint64_t page = 0; page < h->m.overlay[i]->pages; page++) {
            const uint8_t *bytes = overlay_page(h->m.overlay[i], page);
            digest = bytes ? hash_bytes(bytes, OVERLAY_PAGE_SIZE, digest) : hash_mix(digest + 1);
        }
    return hash_mix(digest + h->wire) + h->asked;
}

/* ---- the driver's side ---- */

static inline uint64_t harness_get(struct harness *h, uint64_t offset, unsigned size)
{
    uint64_t value = 0, peeked = 0;
    offset &= (HARNESS_WINDOW - 1) & ~(uint64_t)(size - 1);
    bus_peek(&h->m.bus, HARNESS_BASE + offset, size, &peeked);
    bus_read(&h->m.bus, HARNESS_BASE + offset, size, &value);
    check(value == peeked, "%#" PRIx64 " is %#" PRIx64 ", looks like %#" PRIx64, offset, value,
          peeked);
    return value;
}

static inline void harness_put(struct harness *h, uint64_t offset, unsigned size, uint64_t value)
{
    offset &= (HARNESS_WINDOW - 1) & ~(uint64_t)(size - 1);
    bus_write(&h->m.bus, HARNESS_BASE + offset, size, value);
}

/* As a hart would, where RAM is. */
static inline void harness_store(struct harness *h, uint64_t pa, const void *bytes, size_t size)
{
    if (ram_contains(&h->m.ram, pa, size))
        memcpy(ram_at(&h->m.ram, pa), bytes, size);
}

static inline void harness_store16(struct harness *h, uint64_t pa, uint16_t value)
{
    harness_store(h, pa, &value, sizeof value);
}

static inline uint64_t harness_descriptors(unsigned queue)
{
    return HARNESS_RAM + 0x800 * (uint64_t)queue;
}

static inline uint64_t harness_available(unsigned queue)
{
    return harness_descriptors(queue) + 0x400;
}

static inline uint64_t harness_used(unsigned queue)
{
    return harness_descriptors(queue) + 0x500;
}

static inline uint64_t harness_offered(struct harness *h)
{
    harness_put(h, 0x14, 4, 1);
    uint64_t high = harness_get(h, 0x10, 4);
    harness_put(h, 0x14, 4, 0);
    return high << 32 | harness_get(h, 0x10, 4);
}

/* From nothing to DRIVER_OK, as a good driver does it, with some of the features. */
static inline void harness_bring_up(struct harness *h, struct harness_input *in)
{
    uint64_t features = (harness_take(in, 8) & harness_offered(h)) | VIRTIO_F_VERSION_1;
    h->size = (uint16_t)(1u << harness_take(in, 1) % 7);
    harness_put(h, 0x70, 4, 0);
    harness_put(h, 0x70, 4, 3);
    for (unsigned word = 0; word < 2; word++) {
        harness_put(h, 0x24, 4, word);
        harness_put(h, 0x20, 4, features >> 32 * word & UINT32_MAX);
    }
    harness_put(h, 0x70, 4, 11);
    for (unsigned queue = 0; queue < VIRTIO_QUEUES; queue++) {
        harness_put(h, 0x30, 4, queue);
        harness_put(h, 0x38, 4, h->size);
        harness_put(h, 0x80, 4, harness_descriptors(queue));
        harness_put(h, 0x90, 4, harness_available(queue));
        harness_put(h, 0xa0, 4, harness_used(queue));
        harness_put(h, 0x44, 4, 1);
        h->made[queue] = 0;
        harness_store16(h, harness_available(queue) + 2, 0);
    }
    harness_put(h, 0x70, 4, 15);
}

static inline void harness_write_descriptor(struct harness *h, uint64_t table, unsigned index,
                                            uint64_t address, uint32_t size, unsigned flags,
                                            unsigned next)
{
    uint8_t bytes[16];
    store_le64(bytes, address);
    store_le32(bytes + 8, size);
    store_le16(bytes + 12, (uint16_t)flags);
    store_le16(bytes + 14, (uint16_t)next);
    harness_store(h, table + 16 * (uint64_t)index, bytes, sizeof bytes);
}

static inline void harness_add_head(struct harness *h, unsigned queue, uint16_t head)
{
    uint16_t index = h->made[queue]++;
    harness_store16(h, harness_available(queue) + 4 + 2 * (index % h->size), head);
    harness_store16(h, harness_available(queue) + 2, h->made[queue]);
}

/* A whole request: pieces of the data area, the readable ones filled from the input. */
static inline void harness_request(struct harness *h, struct harness_input *in, unsigned queue)
{
    unsigned count = 1 + (unsigned)harness_take(in, 1) % HARNESS_PIECES;
    unsigned readable = (unsigned)harness_take(in, 1) % (count + 1);
    unsigned start = h->next_descriptor % h->size;
    for (unsigned i = 0; i < count; i++) {
        uint64_t address = HARNESS_RAM + HARNESS_DATA + harness_take(in, 2) % HARNESS_DATA;
        uint32_t size = (uint32_t)harness_take(in, 1);
        if (size >= 0xf0) /* a large one */
            size = (uint32_t)harness_take(in, 2);
        for (uint32_t at = 0; i < readable && at < size && at < 32 && in->left; at++) {
            uint8_t byte = (uint8_t)harness_take(in, 1);
            harness_store(h, address + at, &byte, 1);
        }
        unsigned index = (start + i) % h->size, next = (start + i + 1) % h->size;
        harness_write_descriptor(h, harness_descriptors(queue), index, address, size,
                                 (i + 1 < count ? 1 : 0) | (i < readable ? 0 : 2), next);
    }
    h->next_descriptor = start + count;
    harness_add_head(h, queue, (uint16_t)start);
}

/* A descriptor as the input wants it, anywhere in RAM: also for indirect tables. */
static inline void harness_descriptor(struct harness *h, struct harness_input *in)
{
    uint64_t where = harness_take(in, 2), address = harness_take(in, 4);
    uint32_t size = (uint32_t)harness_take(in, 2);
    unsigned flags = (unsigned)harness_take(in, 1), next = (unsigned)harness_take(in, 2);
    if (flags & 0x80)
        size = size << 16 | size;
    if (!(flags & 0x40))
        address = HARNESS_RAM + address % (HARNESS_RAM_SIZE + 64);
    harness_write_descriptor(h, HARNESS_RAM, (unsigned)where % (HARNESS_RAM_SIZE / 16), address,
                             size, flags & 7, next);
}

static inline void harness_receive(struct harness *h, struct harness_input *in)
{
    uint8_t bytes[256];
    unsigned channel = (unsigned)harness_take(in, 1) % CHANNELS;
    size_t size = (size_t)harness_take(in, 1);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(i + size);
    if (!size || machine_input_room(&h->m, channel) < size)
        return;
    struct event event = {.position = machine_position(&h->m),
                          .vtime = clock_vtime(&h->m.clock),
                          .kind = EVENT_INPUT,
                          .target = (uint16_t)channel,
                          .size = (uint32_t)size,
                          .data = bytes};
    machine_deliver(&h->m, &event);
}

static inline void harness_pass(struct harness *h, uint64_t ns, bool cut)
{
    uint64_t until = clock_vtime(&h->m.clock) + ns;
    if (cut)
        machine_idle_until(&h->m, until - ns / 3);
    machine_idle_until(&h->m, until);
}

static inline void harness_operation(struct harness *h, struct harness_input *in, bool cut)
{
    unsigned code = (unsigned)harness_take(in, 1), which = code >> 4;
    unsigned queue = which % VIRTIO_QUEUES, size = 1u << which % 4;
    uint64_t offset, next = machine_next_deadline(&h->m);
    switch (code & 15) {
    case 0:
        offset = harness_take(in, 1);
        harness_put(h, offset, 4, harness_take(in, 4));
        break;
    case 1:
        offset = harness_take(in, 2);
        harness_put(h, offset, size, harness_take(in, size));
        break;
    case 2:
        harness_get(h, harness_take(in, 2), size);
        break;
    case 3:
        offset = harness_take(in, 3);
        for (unsigned i = 0; i < size; i++)
            harness_store16(h, HARNESS_RAM + offset + 2 * i, (uint16_t)harness_take(in, 2));
        break;
    case 4:
        harness_descriptor(h, in);
        break;
    case 5:
        harness_add_head(h, queue, (uint16_t)harness_take(in, 2));
        break;
    case 6:
        harness_put(h, 0x50, 4, queue);
        break;
    case 7:
        harness_pass(h, harness_take(in, 2) << which % 4, cut);
        break;
    case 8:
        if (next != CLOCK_NEVER)
            harness_pass(h, next - clock_vtime(&h->m.clock), cut);
        break;
    case 9:
        harness_receive(h, in);
        break;
    case 10:
        if (which == 0)
            harness_bring_up(h, in);
        else
            harness_put(h, 0x64, 4, which);
        break;
    case 11:
        if (which == 15)
            machine_reset(&h->m);
        break;
    default:
        harness_request(h, in, queue);
        if (code & 1)
            harness_put(h, 0x50, 4, queue);
    }
    machine_idle_until(&h->m, clock_vtime(&h->m.clock)); /* the end of the step */
}

/* The digest of everything that happens. `again`: cut, and moved to another machine once. */
static inline uint64_t harness_run_once(const struct harness_target *target,
                                        struct harness_input in, bool again)
{
    struct harness *h = harness_new(target);
    uint64_t digest = 0;
    unsigned move = (unsigned)harness_take(&in, 1) % 32;
    harness_bring_up(h, &in);
    for (unsigned i = 0; i < HARNESS_OPERATIONS && in.left; i++) {
        if (again && i == move)
            h = harness_move(h);
        harness_operation(h, &in, again);
        digest = hash_mix(digest + clock_vtime(&h->m.clock) + h->wire) ^ h->outside;
    }
    digest ^= harness_digest(h);
    harness_free(h);
    return digest;
}

static inline int harness_run(const struct harness_target *target, const uint8_t *data, size_t size)
{
    struct harness_input in = {data, size};
    log_set_sink(harness_silent, NULL);
    uint64_t once = harness_run_once(target, in, false);
    uint64_t again = harness_run_once(target, in, true);
    check(once == again, "the second run differs");
    return 0;
}

#endif
