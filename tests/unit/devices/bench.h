/* A machine without harts to put single devices on: their wires and output are recorded. */
#ifndef TESTS_UNIT_DEVICES_BENCH_H
#define TESTS_UNIT_DEVICES_BENCH_H

#include "machine/irq.h"
#include "machine/machine.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

enum { BENCH_WIRES = 64, BENCH_TICK = 100, BENCH_DISKS = 8 };

/* A disk's image. */
struct bench_disk {
    const uint8_t *bytes;
    size_t size;
    bool fails; /* the host cannot read it */
    unsigned reads;
};

struct bench {
    struct machine m;
    struct cpu cpu[MACHINE_CPUS];
    bool wire[BENCH_WIRES];
    unsigned moves; /* changes of wires */
    struct buffer sent;
    unsigned sent_channel;
    uint64_t host_clock;
    unsigned clock_reads;
    uint8_t entropy_next; /* the byte given next; each is one more than the one before */
    unsigned entropy_asked;
    struct bench_disk disk[BENCH_DISKS];
};

static void bench_wire_set(void *ctx, unsigned number, bool level)
{
    struct bench *b = ctx;
    b->moves += b->wire[number] != level;
    b->wire[number] = level;
}

static inline struct irq bench_wire(struct bench *b, unsigned number)
{
    return (struct irq){bench_wire_set, b, number};
}

static uint64_t bench_host_clock(void *ctx)
{
    struct bench *b = ctx;
    b->clock_reads++;
    return b->host_clock;
}

static void bench_output(void *ctx, unsigned channel, const uint8_t *bytes, size_t size)
{
    struct bench *b = ctx;
    b->sent_channel = channel;
    buffer_append(&b->sent, bytes, size);
}

static void bench_entropy(void *ctx, uint8_t *bytes, size_t size)
{
    struct bench *b = ctx;
    b->entropy_asked++;
    for (size_t i = 0; i < size; i++)
        bytes[i] = b->entropy_next++;
}

static bool bench_disk_read(void *ctx, unsigned number, uint64_t block, uint8_t *bytes)
{
    struct bench *b = ctx;
    cr_assert(number < BENCH_DISKS);
    struct bench_disk *disk = &b->disk[number];
    disk->reads++;
    if (disk->fails)
        return false;
    uint64_t at = block * DISK_BLOCK;
    size_t left = at < disk->size ? disk->size - at : 0;
    memset(bytes, 0, DISK_BLOCK);
    if (left)
        memcpy(bytes, disk->bytes + at, left < DISK_BLOCK ? left : DISK_BLOCK);
    return true;
}

static const struct door_ops bench_door = {.host_clock = bench_host_clock,
                                           .entropy = bench_entropy,
                                           .disk_read = bench_disk_read,
                                           .output = bench_output};

static void bench_cpu_nothing(struct cpu *cpu)
{
    (void)cpu;
}

static bool bench_cpu_waits(const struct cpu *cpu)
{
    (void)cpu;
    return false;
}

static const struct fields bench_cpu_fields = {
    .name = "cpu", .version_id = 1, .minimum_version_id = 1};

/* Harts that do nothing: a device may tell them of a new time. */
static const struct cpu_ops bench_cpu_ops = {.reset = bench_cpu_nothing,
                                             .runnable = bench_cpu_waits,
                                             .ticks_changed = bench_cpu_nothing,
                                             .restored = bench_cpu_nothing,
                                             .fields = &bench_cpu_fields};

static inline void bench_init(struct bench *b, unsigned cpus)
{
    struct error err = ERROR_INIT;
    const struct machine_config config = {
        .ram_base = 0x80000000, .ram_size = 1 << 20, .cpus = cpus, .shift = 3, .quantum = 10000};
    *b = (struct bench){.host_clock = 1700000000123456789u};
    cr_assert(machine_init(&b->m, &config, &err), "%s", err.message);
    b->m.door = (struct door){&bench_door, b};
    for (unsigned i = 0; i < cpus; i++) {
        b->cpu[i] = (struct cpu){.ops = &bench_cpu_ops, .machine = &b->m, .index = i};
        b->cpu[i].state = &b->cpu[i]; /* of no bytes, but not NULL: it is copied */
        b->m.cpu[i] = &b->cpu[i];
    }
}

static void bench_points_changed(void *ctx, const struct points *old)
{
    (void)ctx;
    (void)old;
}

static void bench_shared_free(void *ctx)
{
    (void)ctx;
}

/* What devices write to RAM, applied to a copy of it, and who it was. */
struct bench_writes {
    struct machine *m;
    uint8_t *copy;
    unsigned count;
    const char *device; /* the last one */
};

static bool bench_note_write(void *ctx, const struct hit *hit)
{
    struct bench_writes *w = ctx;
    cr_assert_eq(hit->kinds, HIT_PHYSICAL | HIT_WRITE);
    cr_assert(hit->behind && hit->after && hit->writer == WRITTEN_BY_DEVICE);
    cr_assert_arr_eq(w->copy, w->m->ram.host, w->m->ram.size, "told before it is made");
    memcpy(w->copy + (hit->address - w->m->ram.base), hit->after, hit->size);
    w->device = hit->device;
    w->count++;
    return false;
}

static inline void bench_watch_writes(struct bench *b, struct bench_writes *w)
{
    static struct watch_range all[] = {{0, UINT64_MAX, HIT_WRITE}};
    static const struct cpu_shared_ops ops = {.points_changed = bench_points_changed,
                                              .free = bench_shared_free};
    struct points points = {.physical = all, .physical_count = 1, .hit = bench_note_write};
    *w = (struct bench_writes){.m = &b->m, .copy = malloc(b->m.ram.size)};
    memcpy(w->copy, b->m.ram.host, b->m.ram.size);
    points.ctx = w;
    b->m.shared_ops = &ops;
    machine_set_points(&b->m, &points);
}

/* All that was written was told. */
static inline void bench_writes_told(struct bench_writes *w, const char *device)
{
    cr_assert_arr_eq(w->copy, w->m->ram.host, w->m->ram.size);
    cr_assert_str_eq(w->device, device);
    free(w->copy);
}

static inline void bench_fini(struct bench *b)
{
    buffer_fini(&b->sent);
    machine_fini(&b->m);
}

static inline void bench_reset(struct bench *b)
{
    b->m.clock.state.ticks_offset = 0;
    for (unsigned i = 0; i < b->m.devices; i++)
        b->m.device[i].reset(b->m.device[i].ctx);
}

static inline uint64_t bench_read(struct bench *b, uint64_t pa, unsigned size)
{
    uint64_t value;
    cr_assert(bus_read(&b->m.bus, pa, size, &value), "read of %u at %#lx", size, pa);
    return value;
}

static inline void bench_write(struct bench *b, uint64_t pa, unsigned size, uint64_t value)
{
    cr_assert(bus_write(&b->m.bus, pa, size, value), "write of %u at %#lx", size, pa);
}

/* The bytes of the device's state. */
static inline struct buffer bench_save(const struct bench *b, unsigned device)
{
    struct buffer out;
    buffer_init(&out);
    fields_save(b->m.device[device].fields, b->m.device[device].state, &out);
    return out;
}

static inline uint64_t bench_digest(const struct bench *b, unsigned device)
{
    return fields_digest(b->m.device[device].fields, b->m.device[device].state);
}

/* Looking at every byte of the window changes nothing. */
static inline void bench_peek_all(struct bench *b, uint64_t base, uint64_t size)
{
    uint64_t before = bench_digest(b, 0), value;
    unsigned reads = b->clock_reads, moves = b->moves;
    for (uint64_t pa = base; pa < base + size; pa++)
        bus_peek(&b->m.bus, pa, 1, &value);
    cr_assert_eq(bench_digest(b, 0), before);
    cr_assert_eq(b->clock_reads, reads);
    cr_assert_eq(b->moves, moves);
}

#endif
