/* A machine of the real kind with processors that run no program: each step follows from a random
 * number in the state. It does all that matters to a recorder in quick succession: stores, loads,
 * asks for the host's clock, arms timers, waits, yields, reads a port, sends output, resets, halts.
 * For tests of what stands between the machine and the timeline. */
#ifndef TESTS_UNIT_TOY_MACHINE_H
#define TESTS_UNIT_TOY_MACHINE_H

#include "base/check.h"
#include "base/hash.h"
#include "machine/machine.h"

#include <string.h>

#ifndef TOY_PAGES
#define TOY_PAGES 64 /* of RAM; 4 at least */
#endif

enum { TOY_CPUS = 2, TOY_FIFO = 16, TOY_TIMERS = 2 };
#define TOY_BASE UINT64_C(0x80000000)

struct toy_cpu_state {
    uint64_t random;
    uint64_t waiting; /* 1: until something is pending */
    uint64_t pending; /* 1: an input or a timer came */
    uint64_t held;    /* like a reservation: lost with the turn */
    uint64_t fired;   /* timers */
};

static const struct field toy_cpu_field[] = {
    FIELD(struct toy_cpu_state, random),  FIELD(struct toy_cpu_state, waiting),
    FIELD(struct toy_cpu_state, pending), FIELD(struct toy_cpu_state, held),
    FIELD(struct toy_cpu_state, fired),
};
static const struct fields toy_cpu_fields =
    FIELDS("toy_cpu", struct toy_cpu_state, 1, 1, toy_cpu_field);

struct toy_port_state {
    uint8_t fifo[TOY_FIFO];
    uint32_t first, count;
};

static const struct field toy_port_field[] = {
    FIELD_ARRAY(struct toy_port_state, fifo),
    FIELD(struct toy_port_state, first),
    FIELD(struct toy_port_state, count),
};
static const struct fields toy_port_fields =
    FIELDS("toy_port", struct toy_port_state, 1, 1, toy_port_field);

struct toy {
    struct machine machine;
    struct cpu cpu[TOY_CPUS];
    struct toy_cpu_state state[TOY_CPUS];
    struct toy_port_state port;
    unsigned timer[TOY_CPUS][TOY_TIMERS];
    uint64_t seed;
    bool halts; /* it halts now and then */
    bool dma;   /* it writes to RAM as a device: in steps, and when timers expire */
    bool asks;  /* it asks for entropy: in steps, and when timers expire that wake nobody */
    bool reads; /* it reads blocks of two disks' images */
};

static inline struct toy *toy_of(const struct cpu *cpu)
{
    return (struct toy *)((uint8_t *)cpu->machine - offsetof(struct toy, machine));
}

static inline uint64_t toy_pc(const struct cpu *cpu)
{
    return toy_of(cpu)->state[cpu->index].random & 0xfff;
}

static inline uint64_t toy_address_space(const struct cpu *cpu)
{
    return toy_of(cpu)->state[cpu->index].random >> 12 & 3;
}

static inline void toy_wait(struct cpu *cpu, bool timer)
{
    struct machine *m = cpu->machine;
    struct toy_cpu_state *s = &toy_of(cpu)->state[cpu->index];
    s->waiting = 1;
    if (timer)
        clock_arm(&m->clock, toy_of(cpu)->timer[cpu->index][s->random >> 60 & 1],
                  clock_vtime(&m->clock) + 1 + (s->random >> 16) % 3000);
}

static inline void toy_read_port(struct toy *toy, struct toy_cpu_state *s)
{
    struct toy_port_state *port = &toy->port;
    if (!port->count)
        return;
    s->random += hash_mix(port->fifo[port->first % TOY_FIFO]);
    port->first = (port->first + 1) % TOY_FIFO;
    port->count--;
}

/* What a step stores, where `random` is that of the step. */
static inline uint64_t toy_store_value(uint64_t random)
{
    return random % 5 ? random : 0;
}

static inline uint64_t toy_store_offset(const struct machine *m, uint64_t random)
{
    return (random >> 20) % (m->ram.size - 8) & ~UINT64_C(7);
}

static inline bool toy_stores(uint64_t random)
{
    return (random >> 8 & 0xff) > 80;
}

/* As a hart stores: through the host's pointer, the page marked. */
static inline void toy_store(struct machine *m, const struct toy_cpu_state *s)
{
    uint64_t offset = toy_store_offset(m, s->random), value = toy_store_value(s->random);
    ram_mark_dirty(&m->ram, offset >> RAM_PAGE_BITS);
    memcpy(m->ram.host + offset, &value, sizeof value);
}

static inline void toy_dma(struct machine *m, uint64_t random)
{
    uint8_t bytes[3000];
    size_t size = 1 + (random >> 16) % (random & 7 ? 20 : sizeof bytes);
    memset(bytes, (int)(random >> 32 & 0xff), size);
    machine_dma(m, "toy", TOY_BASE + (random >> 24) % (m->ram.size - size), bytes, size);
}

static inline void toy_ask(struct machine *m, struct toy_cpu_state *s)
{
    uint8_t bytes[40];
    size_t size = 1 + (s->random >> 16) % sizeof bytes;
    machine_entropy(m, bytes, size);
    s->random += hash_bytes(bytes, size, 0);
}

static inline void toy_read_disk(struct machine *m, struct toy_cpu_state *s)
{
    uint8_t bytes[DISK_BLOCK];
    if (machine_disk_read(m, s->random & 1, (s->random >> 16) % 97, bytes))
        s->random += hash_bytes(bytes, sizeof bytes, 0);
}

static inline enum cpu_exit toy_step(struct cpu *cpu)
{
    struct toy *toy = toy_of(cpu);
    struct machine *m = cpu->machine;
    struct toy_cpu_state *s = &toy->state[cpu->index];
    enum cpu_exit exit = CPU_BUDGET;
    uint8_t byte;
    s->random = hash_mix(s->random + 1);
    switch (s->random >> 8 & 0xff) {
    case 0 ... 1:
        if (toy->asks && s->random & 1)
            toy_ask(m, s);
        else
            s->random += machine_host_clock(m);
        break;
    case 2 ... 6:
        toy_wait(cpu, (s->random >> 8 & 0xff) < 5);
        exit = CPU_WAIT;
        break;
    case 7 ... 8:
        clock_arm(&m->clock, toy->timer[cpu->index][0],
                  clock_vtime(&m->clock) + (s->random >> 16) % 1000);
        exit = CPU_EVENT;
        break;
    case 9 ... 16:
        if (toy->dma)
            toy_dma(m, s->random);
        toy_read_port(toy, s);
        break;
    case 17:
        byte = (uint8_t)(s->random >> 32);
        machine_output(m, CHANNEL_SERIAL0, &byte, 1);
        break;
    case 18:
        exit = CPU_YIELD;
        break;
    case 19:
        if ((s->random >> 16) % 64 == 0)
            machine_request_reset(m);
        break;
    case 20:
        if (toy->halts && (s->random >> 16) % 16 == 0)
            machine_request_halt(m, HALT_EXIT, s->random >> 32);
        break;
    case 21 ... 40:
        s->held = s->random;
        break;
    case 41 ... 60:
        s->random += s->held;
        break;
    case 61 ... 80:
        s->pending = 0;
        if (toy->reads && s->random & 2)
            toy_read_disk(m, s);
        break;
    default:
        toy_store(m, s);
    }
    m->clock.state.icount++;
    return m->attention && exit == CPU_BUDGET ? CPU_EVENT : exit;
}

/* Virtual addresses are physical ones. */
static inline bool toy_store_stops(struct cpu *cpu, uint64_t random)
{
    struct machine *m = cpu->machine;
    const struct points *points = &m->points;
    uint64_t value = toy_store_value(random), va = TOY_BASE + toy_store_offset(m, random);
    struct hit hit = {.kinds = HIT_WRITE,
                      .hart = cpu->index,
                      .position = machine_position(m),
                      .address = va,
                      .size = sizeof value,
                      .after = (const uint8_t *)&value};
    if (points_watch(points, va, hit.size, HIT_WRITE) && points->hit(points->ctx, &hit))
        return true;
    hit.kinds |= HIT_PHYSICAL;
    return points_physical(points, va, hit.size) && points->hit(points->ctx, &hit);
}

/* What the next step does, asked before it. A wait counts as a trap of cause 5. */
static inline bool toy_stops(struct cpu *cpu)
{
    const struct points *points = &cpu->machine->points;
    uint64_t random = hash_mix(toy_of(cpu)->state[cpu->index].random + 1);
    struct hit hit = {.kinds = HIT_EXECUTE,
                      .hart = cpu->index,
                      .position = machine_position(cpu->machine),
                      .address = toy_pc(cpu)};
    if (points->execute_count && points_execute(points, hit.address) &&
        points->hit(points->ctx, &hit))
        return true;
    if (toy_stores(random))
        return toy_store_stops(cpu, random);
    hit.kinds = HIT_TRAP;
    hit.cause = 5;
    unsigned operation = random >> 8 & 0xff;
    return points->traps && operation >= 2 && operation <= 6 && points->hit(points->ctx, &hit);
}

static inline enum cpu_exit toy_run(struct cpu *cpu, uint64_t budget)
{
    const struct points *points = &cpu->machine->points;
    for (; budget; budget--) {
        if (points_any(points) && toy_stops(cpu))
            return CPU_HIT;
        enum cpu_exit exit = toy_step(cpu);
        if (exit != CPU_BUDGET)
            return exit;
    }
    return CPU_BUDGET;
}

static inline void toy_reset(struct cpu *cpu)
{
    struct toy *toy = toy_of(cpu);
    uint64_t salt = toy->machine.state.resets << 8 | cpu->index;
    toy->state[cpu->index] = (struct toy_cpu_state){.random = hash_mix(toy->seed ^ hash_mix(salt))};
}

static inline bool toy_runnable(const struct cpu *cpu)
{
    const struct toy_cpu_state *s = &toy_of(cpu)->state[cpu->index];
    return !s->waiting || s->pending;
}

static inline void toy_wake(struct cpu *cpu)
{
    toy_of(cpu)->state[cpu->index].waiting = 0;
}

static inline void toy_switched_out(struct cpu *cpu)
{
    toy_of(cpu)->state[cpu->index].held = 0;
}

static inline void toy_restored(struct cpu *cpu)
{
    (void)cpu;
}

static inline bool toy_set_register(struct cpu *cpu, unsigned number, uint64_t value)
{
    if (number == 0)
        toy_of(cpu)->state[cpu->index].random = value;
    return number == 0;
}

static inline void toy_timer(void *ctx, unsigned which)
{
    struct cpu *cpu = ctx;
    struct toy *toy = toy_of(cpu);
    struct toy_cpu_state *s = &toy->state[cpu->index];
    s->fired++;
    s->random += hash_mix(which + s->fired);
    if (toy->dma)
        toy_dma(&toy->machine, s->random);
    if (toy->asks && s->random & 6) {
        toy_ask(&toy->machine, s);
        struct clock *clock = &toy->machine.clock;
        clock_arm(clock, toy->timer[cpu->index][which], clock_vtime(clock) + s->random % 500);
    } else {
        s->pending = 1;
    }
}

static inline void toy_port_reset(void *ctx)
{
    ((struct toy *)ctx)->port = (struct toy_port_state){0};
}

static inline size_t toy_port_room(const void *ctx, unsigned channel)
{
    uint32_t count = ((const struct toy *)ctx)->port.count;
    return channel == CHANNEL_SERIAL0 && count < TOY_FIFO ? TOY_FIFO - count : 0;
}

static inline void toy_port_input(void *ctx, unsigned channel, const uint8_t *bytes, size_t size)
{
    struct toy *toy = ctx;
    struct toy_port_state *port = &toy->port;
    check(size <= TOY_FIFO - port->count, "%zu bytes on channel %u", size, channel);
    for (size_t i = 0; i < size; i++)
        port->fifo[(port->first + port->count++) % TOY_FIFO] = bytes[i];
    toy->state[0].pending = 1;
}

static inline void toy_shared_ram_changed(void *ctx, uint64_t page, unsigned offset, unsigned size)
{
    (void)ctx;
    (void)page;
    (void)offset;
    (void)size;
}

static inline void toy_shared_drop(void *ctx, unsigned what)
{
    (void)ctx;
    (void)what;
}

static inline void toy_shared_points_changed(void *ctx, const struct points *old)
{
    (void)ctx;
    (void)old;
}

static inline void toy_shared_free(void *ctx)
{
    (void)ctx;
}

/* A toy in reset, at position 0, with an image in its RAM. */
static inline void toy_init(struct toy *toy, uint64_t seed)
{
    static const struct cpu_ops ops = {.architecture = "toy",
                                       .fields = &toy_cpu_fields,
                                       .run = toy_run,
                                       .reset = toy_reset,
                                       .runnable = toy_runnable,
                                       .wake = toy_wake,
                                       .switched_out = toy_switched_out,
                                       .restored = toy_restored,
                                       .set_register = toy_set_register,
                                       .pc = toy_pc,
                                       .address_space = toy_address_space};
    static const struct cpu_shared_ops shared_ops = {.ram_changed = toy_shared_ram_changed,
                                                     .drop = toy_shared_drop,
                                                     .points_changed = toy_shared_points_changed,
                                                     .free = toy_shared_free};
    struct error err = ERROR_INIT;
    *toy = (struct toy){.seed = seed};
    struct machine *m = &toy->machine;
    struct machine_config config = {.ram_base = TOY_BASE,
                                    .ram_size = TOY_PAGES << RAM_PAGE_BITS,
                                    .cpus = TOY_CPUS,
                                    .shift = 3,
                                    .quantum = 100};
    check(machine_init(m, &config, &err), "%s", err.message);
    m->shared_ops = &shared_ops;
    for (unsigned i = 0; i < TOY_CPUS; i++) {
        toy->cpu[i] = (struct cpu){&ops, m, i, &toy->state[i]};
        m->cpu[i] = &toy->cpu[i];
        for (unsigned t = 0; t < TOY_TIMERS; t++)
            toy->timer[i][t] = clock_timer_add(&m->clock, toy_timer, &toy->cpu[i], t);
    }
    machine_add_device(m, (struct device){.name = "port",
                                          .fields = &toy_port_fields,
                                          .state = &toy->port,
                                          .ctx = toy,
                                          .reset = toy_port_reset,
                                          .room = toy_port_room,
                                          .input = toy_port_input});
    uint8_t image[3 * RAM_PAGE_SIZE];
    for (size_t i = 0; i < sizeof image; i++)
        image[i] = (uint8_t)hash_mix(i);
    check(images_add(&m->images, "toy", TOY_BASE + 1000, image, sizeof image, &m->ram, &err), "%s",
          err.message);
    machine_reset(m);
}

static inline void toy_fini(struct toy *toy)
{
    machine_fini(&toy->machine);
}

#endif
