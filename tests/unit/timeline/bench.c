#include "tests/unit/timeline/bench.h"

#include "base/check.h"
#include "base/hash.h"

#include <criterion/criterion.h>
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MIB = 1 << 20, PARAMS_OFFSET = 16 };

uint64_t random_next(struct random *r)
{
    return hash_mix(r->state += 0x9e3779b97f4a7c15u);
}

uint64_t random_below(struct random *r, uint64_t n)
{
    return random_next(r) % n;
}

uint64_t bench_cases(uint64_t count)
{
    return getenv("BACKSTEP_FULL") ? 20 * count : count;
}

/* ---- guests ---- */

static uint8_t *guest_read(const struct guest *g, size_t *size)
{
    const char *build = getenv("BACKSTEP_BUILD");
    if (!build)
        cr_assert_fail("BACKSTEP_BUILD does not say where the guests are");
    char path[4096];
    snprintf(path, sizeof path, "%s/guests/timeline/%s.elf", build, g->name);
    uint8_t *bytes;
    struct error err = ERROR_INIT;
    if (!file_read(path, MIB, &bytes, size, &err))
        cr_assert_fail("%s", err.message);
    return bytes;
}

static const Elf64_Phdr *segment_of(const uint8_t *elf)
{
    const Elf64_Ehdr *header = (const Elf64_Ehdr *)elf;
    const Elf64_Phdr *segment = (const Elf64_Phdr *)(elf + header->e_phoff);
    while (segment->p_type != PT_LOAD)
        segment++;
    cr_assert_eq(segment->p_paddr, GUEST_BASE);
    return segment;
}

struct riscv_virt *guest_new(const struct guest *g)
{
    size_t size;
    uint8_t *elf = guest_read(g, &size);
    uint64_t params[4] = {g->rounds, g->period, g->resets, g->option};
    memcpy(elf + segment_of(elf)->p_offset + PARAMS_OFFSET, params, sizeof params);
    struct riscv_virt_options o = {
        .ram_size = MIB, .harts = g->harts ? g->harts : 1, .shift = 3, .bios = "none"};
    struct error err = ERROR_INIT;
    struct riscv_virt *board = riscv_virt_new_elf(&o, g->name, elf, size, &err);
    cr_assert(board, "%s", err.message);
    free(elf);
    struct machine *m = riscv_virt_machine(board);
    if (g->quantum) {
        m->config.quantum = g->quantum;
        m->state.quantum_end = g->quantum;
    }
    return board;
}

static const Elf64_Shdr *symbols_of(const uint8_t *elf)
{
    const Elf64_Ehdr *header = (const Elf64_Ehdr *)elf;
    const Elf64_Shdr *section = (const Elf64_Shdr *)(elf + header->e_shoff);
    while (section->sh_type != SHT_SYMTAB)
        section++;
    return section;
}

uint64_t guest_symbol(const struct guest *g, const char *name)
{
    size_t size;
    uint8_t *elf = guest_read(g, &size);
    const Elf64_Ehdr *header = (const Elf64_Ehdr *)elf;
    const Elf64_Shdr *table = symbols_of(elf);
    const Elf64_Shdr *strings = (const Elf64_Shdr *)(elf + header->e_shoff) + table->sh_link;
    const Elf64_Sym *symbol = (const Elf64_Sym *)(elf + table->sh_offset);
    uint64_t value = 0;
    for (size_t i = 0; i < table->sh_size / sizeof *symbol; i++)
        if (!strcmp((const char *)elf + strings->sh_offset + symbol[i].st_name, name))
            value = symbol[i].st_value;
    free(elf);
    cr_assert(value, "no symbol %s", name);
    return value;
}

uint64_t bench_clock(const struct machine *m)
{
    return UINT64_C(1700000000000000000) + machine_position(m) * 12345;
}

uint64_t bench_digest(const struct machine *m)
{
    struct machine_digest d;
    machine_digest(m, &d);
    return hash_bytes(ram_at(&m->ram, GUEST_BASE), GUEST_BYTES,
                      hash_mix(d.core) ^ hash_mix(d.cpus + 1) ^ hash_mix(d.devices + 2));
}

uint64_t bench_ram_digest(const struct machine *m)
{
    return hash_bytes(m->ram.host, m->ram.size, 0);
}

/* ---- the oracle ---- */

struct oracle {
    struct machine *m;
    struct trace *t;
    struct points points;
    struct watch_range everything;
};

static uint64_t oracle_clock(void *ctx)
{
    return bench_clock(((struct oracle *)ctx)->m);
}

static void oracle_output(void *ctx, unsigned channel, const uint8_t *bytes, size_t size)
{
    (void)channel;
    buffer_append(&((struct oracle *)ctx)->t->output, bytes, size);
}

static const struct door_ops oracle_door = {.host_clock = oracle_clock, .output = oracle_output};

static bool oracle_access(void *ctx, const struct hit *hit)
{
    struct trace *t = ((struct oracle *)ctx)->t;
    if (t->accesses == t->access_capacity) {
        t->access_capacity = 2 * t->access_capacity + 1024;
        t->access = mem_grow(t->access, t->access_capacity, sizeof *t->access);
    }
    t->access[t->accesses++] = (struct access){hit->address, hit->size, hit->kinds};
    return false;
}

enum {
    GDB_MINSTRET = 65 + 0xb02,
    GDB_MCAUSE = 65 + 0x342,
    GDB_SCAUSE = 65 + 0x142,
    GDB_STVEC = 65 + 0x105
};

static uint64_t reg(const struct machine *m, unsigned hart, unsigned number)
{
    return m->cpu[hart]->ops->get_register(m->cpu[hart], number);
}

static void note_position(struct trace *t, const struct machine *m, uint64_t n)
{
    t->digest[n] = bench_digest(m);
    for (unsigned h = 0; h < t->harts; h++)
        t->pc[n * t->harts + h] = m->cpu[h]->ops->pc(m->cpu[h]);
}

static void deliver_typed(struct machine *m, const struct typed *typed)
{
    size_t size = strlen(typed->bytes), room = machine_input_room(m, CHANNEL_SERIAL0);
    if (size > room)
        size = room;
    if (size)
        machine_deliver(m, &(struct event){.position = machine_position(m),
                                           .vtime = clock_vtime(&m->clock),
                                           .kind = EVENT_INPUT,
                                           .target = CHANNEL_SERIAL0,
                                           .size = (uint32_t)size,
                                           .data = (const uint8_t *)typed->bytes});
}

/* One step of *hart, over idle time; false: there is none. */
static bool oracle_step(struct oracle *o, uint64_t n, unsigned *hart)
{
    for (;;) {
        *hart = o->m->state.running;
        enum machine_stop stop = machine_run(o->m, n + 1);
        if (stop == MACHINE_LIMIT)
            return true;
        if (stop == MACHINE_HALTED) {
            o->t->halt = (enum machine_halt)o->m->state.halt;
            return machine_position(o->m) == n + 1;
        }
        cr_assert_eq(stop, MACHINE_IDLE);
        uint64_t deadline = machine_next_deadline(o->m);
        if (deadline == CLOCK_NEVER) {
            o->t->stuck = true;
            return false;
        }
        machine_idle_until(o->m, deadline);
        o->t->step[n].idle = true;
        o->t->idle_digest[n] = bench_digest(o->m);
    }
}

/* An interrupt entry is a step that retired nothing and left an interrupt's cause. */
static void note_step(struct oracle *o, uint64_t n, unsigned hart, const uint64_t *retired,
                      uint64_t resets)
{
    struct trace *t = o->t;
    struct step *s = &t->step[n];
    s->hart = hart;
    s->pc = t->pc[n * t->harts + hart];
    if (o->m->state.resets != resets || reg(o->m, hart, GDB_MINSTRET) != retired[hart])
        return;
    unsigned cause =
        o->m->cpu[hart]->ops->pc(o->m->cpu[hart]) == (reg(o->m, hart, GDB_STVEC) & ~UINT64_C(3))
            ? GDB_SCAUSE
            : GDB_MCAUSE;
    s->interrupt = reg(o->m, hart, cause) >> 63;
}

void trace_record(struct trace *t, const struct guest *g, const struct typed *typed, size_t count,
                  uint64_t limit)
{
    struct riscv_virt *board = guest_new(g);
    struct machine *m = riscv_virt_machine(board);
    struct oracle o = {.m = m, .t = t, .everything = {0, UINT64_MAX, HIT_READ | HIT_WRITE}};
    *t = (struct trace){.harts = m->config.cpus, .guest = g, .typed = typed, .typed_count = count};
    m->door = (struct door){&oracle_door, &o};
    o.points =
        (struct points){.watch = &o.everything, .watch_count = 1, .hit = oracle_access, .ctx = &o};
    machine_set_points(m, &o.points);
    uint64_t capacity = 0;
    for (uint64_t n = 0;; n++) {
        if (n + 1 >= capacity) {
            capacity = 2 * capacity + 1024;
            t->step = mem_grow(t->step, capacity, sizeof *t->step);
            t->digest = mem_grow(t->digest, capacity, sizeof *t->digest);
            t->idle_digest = mem_grow(t->idle_digest, capacity, sizeof *t->idle_digest);
            t->pc = mem_grow(t->pc, capacity * t->harts, sizeof *t->pc);
        }
        for (; count && typed->position == n; typed++, count--)
            deliver_typed(m, typed);
        note_position(t, m, n);
        t->step[n] = (struct step){.first_access = t->accesses};
        t->steps = n;
        uint64_t retired[MACHINE_CPUS], resets = m->state.resets;
        for (unsigned h = 0; h < t->harts; h++)
            retired[h] = reg(m, h, GDB_MINSTRET);
        unsigned hart;
        if (n == limit || !oracle_step(&o, n, &hart))
            break;
        note_step(&o, n, hart, retired, resets);
    }
    t->ram_digest = bench_ram_digest(m);
    machine_save(m, &t->state);
    machine_set_points(m, &(struct points){0});
    riscv_virt_free(board);
}

void trace_free(struct trace *t)
{
    free(t->step);
    free(t->digest);
    free(t->idle_digest);
    free(t->pc);
    free(t->access);
    buffer_fini(&t->output);
    buffer_fini(&t->state);
}

/* ---- a timeline ---- */

static uint64_t host_clock(void *ctx)
{
    struct bench *b = ctx;
    b->clock_calls++;
    return bench_clock(b->m);
}

static void host_output(void *ctx, unsigned channel, const uint8_t *bytes, size_t size)
{
    (void)channel;
    buffer_append(&((struct bench *)ctx)->output, bytes, size);
}

void bench_init(struct bench *b, const struct guest *g, const struct timeline_options *options)
{
    struct timeline_options o = options ? *options : (struct timeline_options){.warp = true};
    *b = (struct bench){.board = guest_new(g)};
    b->m = riscv_virt_machine(b->board);
    o.host = (struct host){.clock = host_clock, .output = host_output, .ctx = b};
    b->options = o;
    b->tl = timeline_new(b->m, &o);
}

static void take_apart(struct bench *b)
{
    timeline_free(b->tl);
    recording_free(b->recording);
    riscv_virt_free(b->board);
}

void bench_fini(struct bench *b)
{
    take_apart(b);
    buffer_fini(&b->output);
}

const struct recording_content bench_content = {.config = (const uint8_t *)"test",
                                                .config_size = 4};

char *bench_path(void)
{
    char *path = strdup("/tmp/backstep-test-XXXXXX");
    int fd = mkstemp(path);
    cr_assert(fd >= 0, "no file in /tmp");
    close(fd);
    unlink(path);
    return path;
}

static bool open_again(struct bench *b, const struct guest *g, const char *path, struct error *err)
{
    b->tl = NULL;
    b->board = NULL;
    b->recording = recording_open(path, err);
    if (!b->recording)
        return false;
    b->board = guest_new(g);
    b->m = riscv_virt_machine(b->board);
    b->tl = timeline_open(b->m, &b->options, b->recording, err);
    return b->tl;
}

bool bench_open(struct bench *b, const struct guest *g, const struct timeline_options *options,
                const char *path, struct error *err)
{
    *b = (struct bench){.options = *options};
    b->options.host = (struct host){.clock = host_clock, .output = host_output, .ctx = b};
    return open_again(b, g, path, err);
}

void bench_reopen(struct bench *b, const struct guest *g, const char *path)
{
    struct error err = ERROR_INIT;
    take_apart(b);
    cr_assert(open_again(b, g, path, &err), "%s", err.message);
}

struct stop bench_live(struct bench *b, const struct typed *typed, size_t count, uint64_t limit)
{
    struct stop stop = {.reason = STOP_DONE, .position = timeline_position(b->tl)};
    for (;;) {
        uint64_t here = timeline_position(b->tl);
        uint64_t next = count && typed->position < limit ? typed->position : limit;
        cr_assert(timeline_live(b->tl));
        if (count && typed->position == here) {
            uint64_t behind = limit;
            for (size_t i = count; i-- > 0;)
                if (typed[i].position > here && typed[i].position < behind)
                    behind = typed[i].position;
            timeline_continue_to(b->tl, behind);
            for (; count && typed->position == here; typed++, count--)
                timeline_input(b->tl, CHANNEL_SERIAL0, (const uint8_t *)typed->bytes,
                               strlen(typed->bytes));
        } else {
            timeline_continue_to(b->tl, next);
        }
        timeline_finish(b->tl, &stop);
        cr_assert_eq(stop.position, timeline_position(b->tl));
        if (stop.reason != STOP_DONE)
            return stop;
        if (stop.position >= limit)
            return stop;
    }
}

struct stop bench_seek(struct bench *b, uint64_t position)
{
    struct stop stop;
    timeline_seek(b->tl, position);
    timeline_finish(b->tl, &stop);
    return stop;
}

/* How the state differs from the straight run's, for a message that ends the test. */
static const char *difference(const struct bench *b, const struct trace *t, struct buffer *out)
{
    struct trace again;
    trace_record(&again, t->guest, t->typed, t->typed_count, timeline_position(b->tl));
    machine_diff(b->m, again.state.data, again.state.size, 20, out);
    if (again.ram_digest != bench_ram_digest(b->m))
        buffer_append_string(out, "RAM differs\n");
    trace_free(&again);
    return buffer_text(out);
}

void bench_check_strictly(const struct bench *b, const struct trace *t, uint64_t seed,
                          const char *what)
{
    uint64_t n = timeline_position(b->tl);
    struct buffer text = {0};
    cr_assert_leq(n, t->steps, "seed %lu: position %lu of %lu: %s", seed, n, t->steps, what);
    cr_assert_eq(n, machine_position(b->m), "seed %lu: %s", seed, what);
    if (bench_digest(b->m) != t->digest[n])
        cr_assert(false, "seed %lu: another state at %lu:\n%s%s", seed, n, difference(b, t, &text),
                  what);
}

void bench_check(const struct bench *b, const struct trace *t, uint64_t seed, const char *what)
{
    uint64_t n = timeline_position(b->tl);
    if (n < t->steps && t->step[n].idle && bench_digest(b->m) == t->idle_digest[n])
        return;
    bench_check_strictly(b, t, seed, what);
}
