/* Hits: which accesses and attempts are reported, that the step has changed nothing yet, and that
 * the summary of touched pages holds them all. */
#include "tests/unit/machine/hart_bench.h"

#include <stdlib.h>

enum { HITS = 4096 };

struct hits {
    struct hit list[HITS];
    unsigned count;
    bool stop;
};

static bool note_hit(void *ctx, const struct hit *hit)
{
    struct hits *h = ctx;
    h->list[h->count++ % HITS] = *hit;
    return h->stop;
}

static struct hits hits;

/* Watch everything. */
static struct watch_range everything[] = {{0, UINT64_MAX, HIT_READ | HIT_WRITE}};

static void watch_all(struct hart_bench *b, bool stop)
{
    struct points points = {.watch = everything, .watch_count = 1, .hit = note_hit, .ctx = &hits};
    hits.count = 0;
    hits.stop = stop;
    machine_set_points(&b->m, &points);
}

static void break_at(struct hart_bench *b, uint64_t *addresses, size_t count, bool stop)
{
    struct points points = {
        .execute = addresses, .execute_count = count, .hit = note_hit, .ctx = &hits};
    hits.count = 0;
    hits.stop = stop;
    machine_set_points(&b->m, &points);
}

/* ---- watched accesses ---- */

/* One instruction at position `step`, behind preparation, and the hit it makes; kinds 0: none. */
struct access {
    const char *name;
    uint32_t before, insn;
    uint64_t x5, x6;
    unsigned kinds, size;
    uint64_t address; /* 0: x5 */
};

#define D (DATA * (uint64_t)PAGE)
#define UNMAPPED UINT64_C(0x3f000)
#define NOP addi(0, 0, 0)

static const struct access *accesses(size_t *count)
{
    static struct access list[64];
    const struct access init[] = {
        {"lb", NOP, i_type(3, 5, 0, 10, 3), D, 0, HIT_READ, 1, D + 3},
        {"lhu", NOP, i_type(-2, 5, 5, 10, 3), D + 2, 0, HIT_READ, 2, D},
        {"lw", NOP, lw(10, 5, 0), D, 0, HIT_READ, 4, 0},
        {"lw to x0", NOP, lw(0, 5, 0), D, 0, HIT_READ, 4, 0},
        {"ld", NOP, ld(10, 5, 0), D, 0, HIT_READ, 8, 0},
        {"ld, misaligned", NOP, ld(10, 5, 0), D + 3, 0, HIT_READ, 8, 0},
        {"ld across pages", NOP, ld(10, 5, 0), D - 3, 0, HIT_READ, 8, 0},
        {"fld", NOP, fld(10, 5, 0), D, 0, HIT_READ, 8, 0},
        {"flw", NOP, i_type(0, 5, 2, 10, 7), D, 0, HIT_READ, 4, 0},
        {"c.ld", NOP, 0x00016288, D, 0, HIT_READ, 8, 0},
        {"sb", NOP, s_type(1, 6, 5, 0, 0x23), D, 0, HIT_WRITE, 1, D + 1},
        {"sh", NOP, sh(6, 5, 0), D, 0, HIT_WRITE, 2, 0},
        {"sw", NOP, sw(6, 5, 0), D, 0, HIT_WRITE, 4, 0},
        {"sd", NOP, sd(6, 5, 0), D, 0, HIT_WRITE, 8, 0},
        {"sd across pages", NOP, sd(6, 5, 0), D - 1, 0, HIT_WRITE, 8, 0},
        {"fsd", NOP, fsd(6, 5, 0), D, 0, HIT_WRITE, 8, 0},
        {"fsw", NOP, s_type(0, 6, 5, 2, 0x27), D, 0, HIT_WRITE, 4, 0},
        {"amoadd.w", NOP, amo(0, 2, 10, 6, 5), D, 5, HIT_READ | HIT_WRITE, 4, 0},
        {"amoswap.d", NOP, amo(1, 3, 10, 6, 5), D, 5, HIT_READ | HIT_WRITE, 8, 0},
        {"lr.d", NOP, amo(2, 3, 10, 0, 5), D, 0, HIT_READ, 8, 0},
        {"sc.d", amo(2, 3, 10, 0, 5), amo(3, 3, 10, 6, 5), D, 0, HIT_WRITE, 8, 0},
        {"sc.d without lr", NOP, amo(3, 3, 10, 6, 5), D, 0, 0, 0, 0},
        {"sc.d after lr.w", amo(2, 2, 10, 0, 5), amo(3, 3, 10, 6, 5), D, 0, 0, 0, 0},
        {"cbo.zero", NOP, cbo_zero(5), D + 77, 0, HIT_WRITE, 64, D + 64},
        {"cbo.clean", NOP, i_type(1, 5, 2, 0, 0x0f), D, 0, 0, 0, 0},
        {"fence", NOP, 0x0ff0000f, D, 0, 0, 0, 0},
        {"ld, unmapped", NOP, ld(10, 5, 0), UNMAPPED + PAGE, 0, 0, 0, 0},
        {"ld into an unmapped page", NOP, ld(10, 5, 0), UNMAPPED + PAGE - 1, 0, 0, 0, 0},
        {"sd from an unmapped page", NOP, sd(6, 5, 0), 0xfffffffffffffffd, 0, 0, 0, 0},
        {"sd, unmapped", NOP, sd(6, 5, 0), UNMAPPED + PAGE, 0, 0, 0, 0},
        {"sd, read-only", NOP, sd(6, 5, 0), 60 * PAGE, 0, 0, 0, 0},
        {"amo, read-only", NOP, amo(0, 3, 10, 6, 5), 60 * PAGE, 0, 0, 0, 0},
        {"ld, read-only", NOP, ld(10, 5, 0), 60 * PAGE, 0, HIT_READ, 8, 0},
        {"sd into read-only", NOP, sd(6, 5, 0), 60 * PAGE - 4, 0, 0, 0, 0},
        {"amo, misaligned", NOP, amo(0, 3, 10, 6, 5), D + 4, 0, 0, 0, 0},
        {"lr, misaligned", NOP, amo(2, 3, 10, 0, 5), D + 4, 0, 0, 0, 0},
        {"cbo.zero, read-only", NOP, cbo_zero(5), 60 * PAGE, 0, 0, 0, 0},
        {"ld, no memory there", NOP, ld(10, 5, 0), 61 * PAGE, 0, 0, 0, 0},
        {"fld while off", csrrc(0, 0x100, 7), fld(10, 5, 0), D, 0, 0, 0, 0},
        {"device ld", NOP, ld(10, 5, 0), 62 * PAGE, 0, HIT_READ, 8, 0},
        {"device sw", NOP, sw(6, 5, 0), 62 * PAGE + 4, 0, HIT_WRITE, 4, 0},
        {"device ld, misaligned", NOP, ld(10, 5, 0), 62 * PAGE + 4, 0, 0, 0, 0},
        {"device sd across its end", NOP, sd(6, 5, 0), 63 * PAGE - 4, 0, 0, 0, 0},
        {"device cbo.zero", NOP, cbo_zero(5), 62 * PAGE, 0, 0, 0, 0},
        {"ROM ld", NOP, ld(10, 5, 0), 63 * PAGE, 0, HIT_READ, 8, 0},
        {"ROM sd", NOP, sd(6, 5, 0), 63 * PAGE, 0, 0, 0, 0},
        {"ROM amo", NOP, amo(0, 3, 10, 6, 5), 63 * PAGE, 0, 0, 0, 0},
    };
    memcpy(list, init, sizeof init);
    *count = sizeof init / sizeof *init;
    return list;
}

static bool device_read(void *ctx, uint64_t offset, unsigned size, uint64_t *value)
{
    (void)ctx, (void)offset, (void)size;
    *value = 0x4444;
    return true;
}

static bool device_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
    (void)offset, (void)size, (void)value;
    return !ctx;
}

static void setup_access(struct hart_bench *b, uint64_t n)
{
    static const struct bus_ops ops = {device_read, device_write, NULL};
    static const struct bus_ops rom_ops = {.read = device_read};
    static const uint8_t rom[PAGE];
    size_t count;
    const struct access *a = &accesses(&count)[n];
    bus_add(&b->m.bus, (struct bus_region){"device", 0x10000, PAGE, &ops, NULL, NULL});
    bus_add(&b->m.bus, (struct bus_region){"rom", 0x20000, PAGE, &rom_ops, (void *)rom, rom});
    poke_64(b, pa(LEAVES, 60 * 8), pte(60, 0x03));
    poke_64(b, pa(LEAVES, 61 * 8), 0x30 << 10 | PTE_FRESH);
    poke_64(b, pa(LEAVES, 62 * 8), 0x10 << 10 | PTE_FRESH);
    poke_64(b, pa(LEAVES, 63 * 8), 0x20 << 10 | PTE_FRESH);
    poke_64(b, pa(DATA, 0), 0x1234567890abcdef);
    b->s->x[5] = a->x5;
    b->s->x[13] = a->x5;
    b->s->x[6] = a->x6;
    b->s->x[7] = MSTATUS_FS;
    uint32_t insn = a->insn;
    if ((insn & 3) != 3)
        insn = 0x00016688; /* c.ld a0, 8(a3); c.nop */
    PROGRAM(b, CODE, a->before, insn);
}

static bool faults(const struct hart_bench *b)
{
    return b->s->x[30] != 0;
}

Test(points, each_kind_of_access)
{
    size_t count;
    const struct access *list = accesses(&count);
    for (size_t n = 0; n < count; n++) {
        static struct hart_bench b, plain;
        const struct access *a = &list[n];
        start(&plain, setup_access, n, 1);
        machine_run(&plain.m, 13);
        bool compressed = (a->insn & 3) != 3;

        start(&b, setup_access, n, 1);
        machine_run(&b.m, 1);
        watch_all(&b, false);
        machine_run(&b.m, 13);
        assert_same(&plain, &b, a->name);
        cr_assert_eq(hits.count, a->kinds != 0, "%s: %u hits", a->name, hits.count);
        if (a->kinds) {
            const struct hit *hit = &hits.list[0];
            uint64_t address = compressed ? a->x5 + 8 : a->address ? a->address : a->x5;
            cr_assert_eq(hit->kinds, a->kinds, "%s", a->name);
            cr_assert_eq(hit->address, address, "%s: %#lx", a->name, hit->address);
            cr_assert_eq(hit->size, a->size, "%s", a->name);
            cr_assert_eq(hit->position, 1, "%s", a->name);
            cr_assert_eq(hit->hart, 0);
            cr_assert_not(faults(&b), "%s", a->name);
        }
        bench_fini(&b);
        bench_fini(&plain);
    }
}

/* An AMO whose read has been answered and whose write is refused has failed. */
Test(points, an_amo_on_a_rom_faults)
{
    static struct hart_bench b;
    size_t count, n = 0;
    const struct access *list = accesses(&count);
    while (strcmp(list[n].name, "ROM amo"))
        n++;
    start(&b, setup_access, n, 1);
    machine_run(&b.m, 2);
    cr_assert_eq(b.s->mcause, CAUSE_STORE_ACCESS);
    cr_assert_eq(b.s->mtval, 63 * PAGE);
    cr_assert_eq(b.s->x[10], 0);
    bench_fini(&b);
}

/* Stopped, the machine is the one that was run to that position; it stops there again, and goes on
 * as if it never had. */
Test(points, stopping_before_an_access_changes_nothing)
{
    size_t count;
    const struct access *list = accesses(&count);
    for (size_t n = 0; n < count; n++) {
        static struct hart_bench b, plain;
        const struct access *a = &list[n];
        if (!a->kinds)
            continue;
        start(&plain, setup_access, n, 1);
        machine_run(&plain.m, 1);
        start(&b, setup_access, n, 1);
        machine_run(&b.m, 1);
        watch_all(&b, true);
        for (unsigned again = 0; again < 3; again++) {
            cr_assert_eq(machine_run(&b.m, 13), MACHINE_HIT, "%s", a->name);
            assert_same(&plain, &b, a->name);
        }
        hits.stop = false;
        cr_assert_eq(machine_run(&b.m, 13), MACHINE_LIMIT);
        machine_run(&plain.m, 13);
        assert_same(&plain, &b, a->name);
        bench_fini(&b);
        bench_fini(&plain);
    }
}

/* A page that is used at full speed, then watched: two of its bytes, not the others. */
static void writes_in_a_loop(struct hart_bench *b, uint64_t seed)
{
    (void)seed;
    b->s->x[5] = D;
    PROGRAM(b, CODE, sd(6, 5, 0), ld(7, 5, 8), sw(6, 5, 16), addi(6, 6, 1), jal(0, -16));
}

Test(points, ranges_in_a_page_in_use)
{
    static struct hart_bench b, plain;
    struct watch_range ranges[] = {{D + 15, 1, HIT_READ | HIT_WRITE}, {D + 19, 9, HIT_WRITE}};
    struct points points = {.watch = ranges, .watch_count = 2, .hit = note_hit, .ctx = &hits};
    struct points none = {0};
    start(&b, writes_in_a_loop, 0, 1);
    start(&plain, writes_in_a_loop, 0, 1);
    machine_run(&b.m, 50);
    hits.count = 0;
    hits.stop = false;
    machine_set_points(&b.m, &points);
    machine_run(&b.m, 100);
    cr_assert_eq(hits.count, 20);
    for (unsigned i = 0; i < 20; i += 2) {
        cr_assert_eq(hits.list[i].position, 51 + i / 2 * 5);
        cr_assert(hits.list[i].kinds == HIT_READ && hits.list[i].address == D + 8);
        cr_assert_eq(hits.list[i + 1].position, 52 + i / 2 * 5);
        cr_assert(hits.list[i + 1].kinds == HIT_WRITE && hits.list[i + 1].address == D + 16);
    }
    machine_set_points(&b.m, &none);
    machine_run(&b.m, 150);
    cr_assert_eq(hits.count, 20);
    machine_run(&plain.m, 150);
    assert_same(&plain, &b, "after all");
    bench_fini(&b);
    bench_fini(&plain);
}

/* The same page, by its physical bytes, through an alias. */
Test(points, physical_ranges_in_a_page_in_use)
{
    static struct hart_bench b, plain;
    struct watch_range ranges[] = {{pa(DATA, 15), 1, HIT_WRITE}, {pa(DATA, 19), 9, HIT_WRITE}};
    struct points points = {.physical = ranges, .physical_count = 2, .hit = note_hit, .ctx = &hits};
    struct points none = {0};
    for (uint64_t page = DATA; page <= DATA_2; page++) {
        start(&b, writes_in_a_loop, 0, 1);
        start(&plain, writes_in_a_loop, 0, 1);
        poke_64(&b, pa(LEAVES, DATA_2 * 8), pte(DATA, PTE_FRESH));
        poke_64(&plain, pa(LEAVES, DATA_2 * 8), pte(DATA, PTE_FRESH));
        b.s->x[5] = plain.s->x[5] = page * PAGE;
        machine_run(&b.m, 50);
        hits.count = 0;
        hits.stop = false;
        machine_set_points(&b.m, &points);
        machine_run(&b.m, 100);
        cr_assert_eq(hits.count, 10);
        for (unsigned i = 0; i < 10; i++) {
            const struct hit *hit = &hits.list[i];
            cr_assert_eq(hit->position, 52 + i * 5);
            cr_assert_eq(hit->kinds, HIT_PHYSICAL | HIT_WRITE);
            cr_assert(hit->address == pa(DATA, 16) && hit->size == 4 && !hit->behind);
            cr_assert_eq(hit->writer, WRITTEN_BY_HART);
        }
        machine_set_points(&b.m, &none);
        machine_run(&b.m, 150);
        cr_assert_eq(hits.count, 10);
        machine_run(&plain.m, 150);
        assert_same(&plain, &b, "after all");
        bench_fini(&b);
        bench_fini(&plain);
    }
}

/* Registers of devices have physical addresses too. */
Test(points, physical_ranges_of_a_device)
{
    static struct hart_bench b;
    static const struct bus_ops ops = {device_read, device_write, NULL};
    struct watch_range range = {0x10004, 1, HIT_WRITE};
    struct points points = {.physical = &range, .physical_count = 1, .hit = note_hit, .ctx = &hits};
    bench_init(&b, 1);
    bus_add(&b.m.bus, (struct bus_region){"device", 0x10000, PAGE, &ops, NULL, NULL});
    poke_64(&b, pa(LEAVES, 62 * 8), 0x10 << 10 | PTE_FRESH);
    b.s->x[5] = 62 * PAGE;
    PROGRAM(&b, CODE, sw(6, 5, 0), sw(6, 5, 4), ld(6, 5, 4));
    hits.count = 0;
    hits.stop = true;
    machine_set_points(&b.m, &points);
    cr_assert_eq(machine_run(&b.m, 10), MACHINE_HIT);
    cr_assert_eq(machine_position(&b.m), 1);
    cr_assert(hits.list[0].address == 0x10004 && hits.list[0].size == 4);
    hits.stop = false;
    machine_run(&b.m, 10);
    cr_assert_eq(hits.count, 2);
    bench_fini(&b);
}

/* ---- breakpoints ---- */

/* Plain and compressed instructions, one across pages, a faulting fetch, a trap, an interrupt. */
static void walk_about(struct hart_bench *b, uint64_t seed)
{
    (void)seed;
    uint32_t across = addi(10, 10, 1), back = jalr(0, 1, 0);
    poke(b, pa(CODE_2, PAGE - 2), &across, 4);
    poke(b, pa(CODE_3, 2), &back, 4);
    b->s->x[5] = CODE_3 * PAGE - 2;
    b->s->x[6] = UNMAPPED + 2 * PAGE;
    b->s->x[31] = CODE * PAGE + 24;
    b->s->x[7] = MIP_SSIP;
    PROGRAM(b, CODE, addi(11, 0, 3), 0x06050605 /* c.addi x12, 1 twice */, jalr(1, 5, 0),
            addi(11, 11, -1), bne(11, 0, -12), jalr(0, 6, 0), csrrs(0, 0x104, 7),
            csrrs(0, 0x144, 7), addi(13, 13, 1), ld(10, 6, 0), addi(13, 13, 1));
    b->s->stvec = CODE * PAGE + 0x100;
    b->s->mideleg = MIP_SSIP;
    b->s->mstatus |= MSTATUS_SIE;
    const uint32_t s_handler[] = {csrrc(0, 0x144, 7), csrrs(14, 0x142, 0), 0x10200073};
    poke(b, pa(CODE, 0x100), s_handler, sizeof s_handler);
}

enum { WALK_STEPS = 80 };

/* The pc of each attempt of a run without points, NO_ATTEMPT where it was an interrupt entry. */
#define NO_ATTEMPT UINT64_MAX

static void attempts_of(setup_fn *setup, uint64_t seed, unsigned steps, uint64_t *pc)
{
    static struct hart_bench b;
    start(&b, setup, seed, 1);
    for (unsigned n = 0; n < steps; n++) {
        bool entry = trap_pending_interrupt(hart_of(b.m.cpu[0])) >= 0;
        pc[n] = entry ? NO_ATTEMPT : b.s->pc;
        machine_run(&b.m, n + 1);
    }
    bench_fini(&b);
}

static void assert_hits_at(const uint64_t *pc, unsigned steps, uint64_t address, const char *what)
{
    unsigned expected = 0;
    for (unsigned n = 0; n < steps; n++) {
        if (pc[n] != address)
            continue;
        cr_assert(expected < hits.count, "%s: %#lx at %u is not reported", what, address, n);
        const struct hit *hit = &hits.list[expected++];
        cr_assert_eq(hit->position, n, "%s: %#lx at %lu, not %u", what, address, hit->position, n);
        cr_assert(hit->kinds == HIT_EXECUTE && hit->address == address && hit->size == 0);
    }
    cr_assert_eq(hits.count, expected, "%s: %#lx: %u hits too many", what, address,
                 hits.count - expected);
}

Test(points, attempts_at_every_address)
{
    static struct hart_bench b;
    uint64_t pc[WALK_STEPS];
    unsigned entries = 0;
    attempts_of(walk_about, 0, WALK_STEPS, pc);
    for (unsigned n = 0; n < WALK_STEPS; n++)
        entries += pc[n] == NO_ATTEMPT;
    cr_assert_eq(entries, 1);
    for (unsigned n = 0; n < WALK_STEPS; n++) {
        uint64_t address = pc[n];
        if (address == NO_ATTEMPT)
            continue;
        start(&b, walk_about, 0, 1);
        break_at(&b, &address, 1, false);
        machine_run(&b.m, WALK_STEPS);
        assert_hits_at(pc, WALK_STEPS, address, "in one go");
        bench_fini(&b);

        start(&b, walk_about, 0, 1);
        break_at(&b, &address, 1, false);
        for (unsigned at = 1; at <= WALK_STEPS; at++)
            machine_run(&b.m, at);
        assert_hits_at(pc, WALK_STEPS, address, "step by step");
        bench_fini(&b);

        start(&b, walk_about, 0, 1);
        machine_run(&b.m, n);
        break_at(&b, &address, 1, false);
        run_forgetful(&b, WALK_STEPS);
        cr_assert_eq(hits.list[0].position, n, "armed on the way, caches dropped");
        bench_fini(&b);
    }
}

/* All of them at once, and odd addresses that no instruction has. */
Test(points, attempts_at_all_addresses)
{
    static struct hart_bench b, plain;
    uint64_t pc[WALK_STEPS], all[2 * WALK_STEPS];
    unsigned count = 0, attempts = 0;
    attempts_of(walk_about, 0, WALK_STEPS, pc);
    for (unsigned n = 0; n < WALK_STEPS; n++) {
        unsigned at = 0;
        if (pc[n] == NO_ATTEMPT)
            continue;
        attempts++;
        while (at < count && all[at] < pc[n])
            at++;
        if (at < count && all[at] == pc[n])
            continue;
        memmove(all + at + 1, all + at, (count - at) * sizeof *all);
        all[at] = pc[n];
        count++;
    }
    start(&b, walk_about, 0, 1);
    start(&plain, walk_about, 0, 1);
    break_at(&b, all, count, false);
    machine_run(&b.m, WALK_STEPS);
    cr_assert_eq(hits.count, attempts);
    for (unsigned n = 0, i = 0; n < WALK_STEPS; n++)
        if (pc[n] != NO_ATTEMPT)
            cr_assert_eq(hits.list[i++].position, n);
    machine_run(&plain.m, WALK_STEPS);
    assert_same(&plain, &b, "with breakpoints everywhere");
    bench_fini(&b);
    bench_fini(&plain);
}

/* Also where the fetch is the first to use its page, and would set its A bit. */
Test(points, stopping_before_an_attempt_changes_nothing)
{
    uint64_t pc[WALK_STEPS];
    attempts_of(walk_about, 0, WALK_STEPS, pc);
    for (unsigned n = 0; n < WALK_STEPS; n++) {
        static struct hart_bench b, plain;
        uint64_t address = pc[n];
        if (address == NO_ATTEMPT)
            continue;
        start(&b, walk_about, 0, 1);
        start(&plain, walk_about, 0, 1);
        machine_run(&b.m, n);
        machine_run(&plain.m, n);
        break_at(&b, &address, 1, true);
        for (unsigned again = 0; again < 2; again++) {
            cr_assert_eq(machine_run(&b.m, WALK_STEPS), MACHINE_HIT);
            cr_assert_eq(machine_position(&b.m), n);
            assert_same(&plain, &b, "stopped");
        }
        hits.stop = false;
        machine_run(&b.m, WALK_STEPS);
        machine_run(&plain.m, WALK_STEPS);
        assert_same(&plain, &b, "gone on");
        bench_fini(&b);
        bench_fini(&plain);
    }
}

/* A breakpoint in reach of a store that changes the code under it. */
Test(points, a_breakpoint_in_code_that_changes)
{
    static struct hart_bench b;
    uint64_t address = CODE * PAGE + 8;
    start(&b, writes_in_a_loop, 0, 1);
    b.s->x[5] = CODE * PAGE;
    b.s->x[7] = addi(11, 0, 2);
    PROGRAM(&b, CODE, addi(10, 0, 1), sw(7, 5, 8), addi(11, 0, 1), addi(12, 0, 1));
    break_at(&b, &address, 1, true);
    cr_assert_eq(machine_run(&b.m, 10), MACHINE_HIT);
    cr_assert_eq(machine_position(&b.m), 2);
    hits.stop = false;
    machine_run(&b.m, 5);
    cr_assert_eq(hits.count, 2);
    cr_assert_eq(b.s->x[11], 2);
    bench_fini(&b);
}

/* A point's hook may stop now and not the next time: no attempt is told of twice in one run. */
Test(points, each_attempt_is_told_of_once)
{
    static struct hart_bench b;
    uint64_t pc[WALK_STEPS];
    attempts_of(walk_about, 0, WALK_STEPS, pc);
    for (unsigned drop = 0; drop < 4; drop++) {
        start(&b, walk_about, 0, 1);
        break_at(&b, pc, 1, false);
        for (unsigned n = 0; n < WALK_STEPS; n++) {
            machine_drop_caches(&b.m, drop);
            machine_run(&b.m, n + 1);
            cr_assert_eq(hits.count, n + 1 > 0 ? 1u : 0u, "step %u", n);
        }
        bench_fini(&b);
    }
}

/* ---- traps ---- */

static void want_traps(struct hart_bench *b, bool stop)
{
    struct points points = {.traps = true, .hit = note_hit, .ctx = &hits};
    hits.count = 0;
    hits.stop = stop;
    machine_set_points(&b->m, &points);
}

/* Also where translations have marked entries on the way to the fault. */
Test(points, stopping_before_a_trap_changes_nothing)
{
    size_t count;
    unsigned traps = 0;
    const struct access *list = accesses(&count);
    for (size_t n = 0; n < count; n++) {
        static struct hart_bench b, plain;
        const struct access *a = &list[n];
        start(&b, setup_access, n, 1);
        start(&plain, setup_access, n, 1);
        machine_run(&b.m, 1);
        machine_run(&plain.m, 1);
        uint64_t instret = plain.s->instret;
        machine_run(&plain.m, 2);
        bool trapped = plain.s->instret == instret;
        uint64_t cause = plain.s->mcause, pc = plain.s->mepc;
        bench_fini(&plain);
        start(&plain, setup_access, n, 1);
        machine_run(&plain.m, 1);
        want_traps(&b, true);
        for (unsigned again = 0; trapped && again < 3; again++) {
            cr_assert_eq(machine_run(&b.m, 2), MACHINE_HIT, "%s", a->name);
            cr_assert_eq(hits.count, again + 1);
            const struct hit *hit = &hits.list[again];
            cr_assert(hit->kinds == HIT_TRAP && hit->position == 1 && !hit->size, "%s", a->name);
            cr_assert(hit->cause == cause && hit->address == pc, "%s", a->name);
            assert_same(&plain, &b, a->name);
        }
        hits.stop = false;
        cr_assert_eq(machine_run(&b.m, 2), MACHINE_LIMIT);
        cr_assert_eq(hits.count, trapped ? 4u : 0u, "%s", a->name);
        machine_run(&plain.m, 2);
        assert_same(&plain, &b, a->name);
        traps += trapped;
        bench_fini(&b);
        bench_fini(&plain);
    }
    cr_assert(traps > 15, "%u", traps);
}

/* Two breakpoints on the way, a fault, and an interrupt, which comes before the attempt at its pc.
 */
Test(points, an_interrupt_is_a_trap_before_its_attempt)
{
    static struct hart_bench b, plain;
    uint64_t pc[WALK_STEPS];
    attempts_of(walk_about, 0, WALK_STEPS, pc);
    start(&b, walk_about, 0, 1);
    start(&plain, walk_about, 0, 1);
    want_traps(&b, true);
    unsigned interrupts = 0;
    while (machine_run(&b.m, WALK_STEPS) == MACHINE_HIT) {
        const struct hit *hit = &hits.list[hits.count - 1];
        machine_run(&plain.m, hit->position);
        assert_same(&plain, &b, "before a trap");
        machine_run(&plain.m, hit->position + 1);
        bool interrupt = pc[hit->position] == NO_ATTEMPT;
        cr_assert_eq(hit->cause >> 63, interrupt);
        cr_assert_eq(hit->cause, interrupt ? plain.s->scause : plain.s->mcause);
        cr_assert_eq(hit->address, interrupt ? plain.s->sepc : plain.s->mepc);
        interrupts += interrupt;
        want_traps(&b, false);
        machine_run(&b.m, machine_position(&b.m) + 1);
        want_traps(&b, true);
    }
    cr_assert_eq(interrupts, 1);
    machine_run(&plain.m, WALK_STEPS);
    assert_same(&plain, &b, "after all");
    bench_fini(&b);
    bench_fini(&plain);
}

/* ---- touched pages ---- */

static bool touched_has(const struct touched *t, uint64_t va, enum touched_kind kind)
{
    size_t count;
    uint64_t *keys = touched_sorted(t, &count), key = (va >> 12) << 2 | kind;
    bool found = false;
    for (size_t i = 0; i < count; i++)
        found |= keys[i] == key;
    free(keys);
    return found;
}

Test(points, touched_holds_every_access)
{
    size_t count;
    const struct access *list = accesses(&count);
    for (size_t n = 0; n < count; n++) {
        static struct hart_bench b;
        const struct access *a = &list[n];
        start(&b, setup_access, n, 1);
        machine_run(&b.m, 1);
        machine_begin_interval(&b.m);
        machine_run(&b.m, 3);
        const struct touched *t = &b.m.touched;
        cr_assert(touched_has(t, CODE * PAGE, TOUCHED_FETCH), "%s", a->name);
        uint64_t first = a->address ? a->address : a->x5, last = first + a->size - 1;
        if (a->kinds & HIT_READ)
            cr_assert(touched_has(t, first, TOUCHED_READ) && touched_has(t, last, TOUCHED_READ),
                      "%s", a->name);
        if (a->kinds & HIT_WRITE)
            cr_assert(touched_has(t, first, TOUCHED_WRITE) && touched_has(t, last, TOUCHED_WRITE),
                      "%s", a->name);
        bench_fini(&b);
    }
}

/* Intervals of every length: what was fetched in each is in its summary. */
Test(points, touched_holds_every_fetch)
{
    uint64_t pc[WALK_STEPS];
    attempts_of(walk_about, 0, WALK_STEPS, pc);
    for (unsigned length = 1; length < 12; length++) {
        static struct hart_bench b;
        start(&b, walk_about, 0, 1);
        for (unsigned from = 0; from + length <= WALK_STEPS; from += length) {
            machine_begin_interval(&b.m);
            machine_run(&b.m, from + length);
            for (unsigned n = from; n < from + length; n++)
                cr_assert(pc[n] == NO_ATTEMPT || touched_has(&b.m.touched, pc[n], TOUCHED_FETCH),
                          "%u", n);
        }
        bench_fini(&b);
    }
}
