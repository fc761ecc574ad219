#include "replay/recorder.h"

#include "base/check.h"
#include "base/endian.h"

/* What the machine was told is logged as it is told. */
static void log_answer(struct recorder *r, enum event_kind kind, const void *bytes, size_t size)
{
    log_append(r->log, &(struct event){.position = machine_position(r->machine),
                                       .vtime = clock_vtime(&r->machine->clock),
                                       .kind = (uint16_t)kind,
                                       .size = (uint32_t)size,
                                       .data = bytes});
}

static uint64_t host_clock(void *ctx)
{
    struct recorder *r = ctx;
    uint64_t now = r->host.clock(r->host.ctx);
    uint8_t bytes[8];
    store_le64(bytes, now);
    log_answer(r, EVENT_CLOCK, bytes, sizeof bytes);
    return now;
}

static void entropy(void *ctx, uint8_t *bytes, size_t size)
{
    struct recorder *r = ctx;
    if (r->host.entropy)
        r->host.entropy(r->host.ctx, bytes, size);
    log_answer(r, EVENT_ENTROPY, bytes, size);
}

static void output(void *ctx, unsigned channel, const uint8_t *bytes, size_t size)
{
    struct recorder *r = ctx;
    if (r->host.output)
        r->host.output(r->host.ctx, channel, bytes, size);
}

static bool disk_read(void *ctx, unsigned disk, uint64_t block, uint8_t *bytes)
{
    struct recorder *r = ctx;
    switch (disk_reads_block(r->reads, disk, block, bytes, true, &r->failure)) {
    case DISK_READ_OK:
        return true;
    case DISK_READ_CHANGED:
        machine_pause(r->machine);
        return false;
    default:
        return false;
    }
}

static const struct door_ops ops = {
    .host_clock = host_clock, .entropy = entropy, .disk_read = disk_read, .output = output};

void recorder_attach(struct recorder *r)
{
    check(r->host.clock, "a host has a clock");
    r->failure = (struct error)ERROR_INIT;
    r->machine->door = (struct door){&ops, r};
}

static bool can_run(const struct machine *m)
{
    if (m->state.halt)
        return false;
    for (unsigned i = 0; i < m->config.cpus; i++)
        if (!(m->state.held >> i & 1) && m->cpu[i]->ops->runnable(m->cpu[i]))
            return true;
    return false;
}

static uint64_t stamp(const struct machine *m, uint64_t vtime)
{
    uint64_t now = clock_vtime(&m->clock);
    if (vtime <= now || can_run(m))
        return now;
    uint64_t deadline = machine_next_deadline(m);
    return vtime < deadline ? vtime : deadline;
}

/* Into the log first: whatever the machine makes of the event, a replay can show it. */
static void push(struct recorder *r, const struct event *event)
{
    struct event logged = log_get(r->log, log_append(r->log, event));
    machine_deliver(r->machine, &logged);
}

size_t recorder_input(struct recorder *r, unsigned channel, const uint8_t *bytes, size_t size,
                      uint64_t vtime)
{
    check(channel < CHANNELS, "channel %u of %u", channel, CHANNELS);
    size_t room = machine_input_room(r->machine, channel);
    if (size > room)
        size = room;
    if (size > UINT32_MAX)
        size = UINT32_MAX;
    if (size)
        push(r, &(struct event){.position = machine_position(r->machine),
                                .vtime = stamp(r->machine, vtime),
                                .kind = EVENT_INPUT,
                                .target = (uint16_t)channel,
                                .size = (uint32_t)size,
                                .data = bytes});
    return size;
}

void recorder_event(struct recorder *r, enum event_kind kind, uint16_t target, const void *bytes,
                    uint32_t size, uint64_t vtime)
{
    check(!event_is_answer(kind) && kind != EVENT_INPUT, "event of kind %u has its own way", kind);
    push(r, &(struct event){.position = machine_position(r->machine),
                            .vtime = stamp(r->machine, vtime),
                            .kind = (uint16_t)kind,
                            .target = target,
                            .size = size,
                            .data = bytes});
}
