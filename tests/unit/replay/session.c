#include "tests/unit/replay/session.h"

#include "base/endian.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static uint64_t chance(struct session *s, uint64_t below)
{
    s->random = hash_mix(s->random + 0x9e3779b97f4a7c15u);
    return (s->random >> 11) % below;
}

static uint64_t host_clock(void *ctx)
{
    struct session *s = ctx;
    return s->host_now += 1 + chance(s, 1000000);
}

static void host_entropy(void *ctx, uint8_t *bytes, size_t size)
{
    struct session *s = ctx;
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)chance(s, 256);
}

static void host_output(void *ctx, unsigned channel, const uint8_t *bytes, size_t size)
{
    struct session *s = ctx;
    buffer_append_byte(&s->output, (uint8_t)channel);
    buffer_append(&s->output, bytes, size);
}

void session_init(struct session *s, uint64_t seed)
{
    *s = (struct session){.random = seed, .host_now = 1700000000000000000u, .log = log_new(NULL)};
    toy_init(&s->toy, seed);
    s->toy.halts = true;
    s->recorder = (struct recorder){
        .machine = &s->toy.machine,
        .log = s->log,
        .host = {.clock = host_clock, .entropy = host_entropy, .output = host_output, .ctx = s}};
    recorder_attach(&s->recorder);
}

void session_fini(struct session *s)
{
    for (size_t i = 0; i < s->marks; i++)
        free(s->mark[i].state);
    buffer_fini(&s->output);
    log_free(s->log);
    toy_fini(&s->toy);
}

uint64_t session_digest(const struct toy *toy)
{
    const struct machine *m = &toy->machine;
    struct machine_digest d;
    machine_digest(m, &d);
    uint64_t digest = hash_bytes(m->ram.host, m->ram.size, 0);
    return hash_bytes(&d, sizeof d, digest);
}

static void mark_fini(struct mark *mark)
{
    free(mark->state);
    *mark = (struct mark){0};
}

/* An event replaces the mark made before it at the same position. */
static void put_mark(struct session *s, bool after_event)
{
    const struct machine *m = &s->toy.machine;
    bool again = s->marks && s->mark[s->marks - 1].position == machine_position(m);
    if (again && !after_event)
        return;
    if (again)
        mark_fini(&s->mark[--s->marks]);
    if (s->marks == SESSION_MARKS)
        return;
    struct mark *mark = &s->mark[s->marks++];
    *mark = (struct mark){machine_position(m), log_count(s->log), session_digest(&s->toy), NULL, 0};
    if (s->marks % 8)
        return;
    struct buffer state = {0};
    machine_save(m, &state);
    buffer_append(&state, m->ram.host, m->ram.size);
    mark->state = state.data;
    mark->state_size = state.size;
}

void session_restore(struct toy *toy, const struct mark *mark)
{
    struct machine *m = &toy->machine;
    struct error err = ERROR_INIT;
    size_t size = mark->state_size - m->ram.size;
    memcpy(m->ram.host, mark->state + size, m->ram.size);
    cr_assert(machine_load(m, mark->state, size, &err), "%s", err.message);
}

static void type_bytes(struct session *s, uint64_t vtime)
{
    uint8_t bytes[24];
    size_t size = 1 + chance(s, sizeof bytes);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)chance(s, 256);
    size_t room = machine_input_room(&s->toy.machine, CHANNEL_SERIAL0);
    uint64_t count = log_count(s->log);
    size_t taken = recorder_input(&s->recorder, CHANNEL_SERIAL0, bytes, size, vtime);
    cr_assert_eq(taken, size < room ? size : room);
    /* Deadlines that expire on the way to the event's time may ask for something behind it. */
    cr_assert_geq(log_count(s->log), count + (taken != 0));
    cr_assert(taken ? log_get(s->log, count).kind == EVENT_INPUT : log_count(s->log) == count);
}

static void debugger_write(struct session *s, uint64_t vtime)
{
    uint8_t bytes[20];
    if (chance(s, 2)) {
        store_le64(bytes, TOY_BASE + chance(s, (TOY_PAGES << RAM_PAGE_BITS) - 12));
        memset(bytes + 8, (int)chance(s, 256), 12);
        recorder_event(&s->recorder, EVENT_MEMORY, 0, bytes, sizeof bytes, vtime);
    } else {
        store_le32(bytes, 0);
        store_le64(bytes + 4, s->random);
        recorder_event(&s->recorder, EVENT_REGISTER, (uint16_t)chance(s, TOY_CPUS), bytes, 12,
                       vtime);
    }
}

/* All of them now and then: then nothing runs until they are let go. */
static void hold(struct session *s, uint64_t vtime)
{
    uint8_t bytes[4];
    uint32_t mask = (uint32_t)chance(s, 1 << TOY_CPUS);
    store_le32(bytes, s->toy.machine.state.held ? 0 : mask);
    recorder_event(&s->recorder, EVENT_HOLD, 0, bytes, sizeof bytes, vtime);
}

/* An event; a waiting machine may be given it at a later time, also at one that it cannot reach. */
static void something_happens(struct session *s)
{
    uint64_t vtime = clock_vtime(&s->toy.machine.clock) + chance(s, 2) * chance(s, 5000);
    uint64_t count = log_count(s->log);
    switch (chance(s, 20)) {
    case 0:
        recorder_event(&s->recorder, EVENT_RESET, 0, NULL, 0, vtime);
        break;
    case 1:
        recorder_event(&s->recorder, EVENT_POWER, 0, NULL, 0, vtime);
        break;
    case 2:
        hold(s, vtime);
        break;
    case 3 ... 6:
        debugger_write(s, vtime);
        break;
    default:
        type_bytes(s, vtime);
    }
    /* Idle time that no event has ended belongs to the next step. */
    if (log_count(s->log) != count)
        put_mark(s, true);
}

void session_live(struct session *s, uint64_t until)
{
    struct machine *m = &s->toy.machine;
    while (machine_position(m) < until) {
        uint64_t limit = machine_position(m) + 1 + chance(s, 300);
        enum machine_stop stop = machine_run(m, limit < until ? limit : until);
        put_mark(s, false);
        if (stop == MACHINE_HALTED) {
            recorder_event(&s->recorder, EVENT_RESET, 0, NULL, 0,
                           clock_vtime(&m->clock) + chance(s, 5000));
            put_mark(s, true);
        } else if (chance(s, 3) == 0) {
            something_happens(s);
        } else if (stop == MACHINE_IDLE) {
            uint64_t deadline = machine_next_deadline(m);
            if (deadline != CLOCK_NEVER)
                machine_idle_until(m, deadline);
            else
                something_happens(s);
        }
    }
    put_mark(s, false);
}
