/* What the page tables map, against translation address by address. */
#include "machine/riscv/walk.h"
#include "tests/unit/machine/hart_bench.h"

#include <stdlib.h>

#define RAM_END (BASE + (uint64_t)BENCH_PAGES * PAGE)

enum { POOL = 64, TABLES = 12, FILLED = 10, ROUNDS = 150, SAMPLES = 4000 };

struct seen {
    struct cpu_mapping *mapping;
    size_t count, limit;
};

static bool note(void *ctx, const struct cpu_mapping *mapping)
{
    struct seen *s = ctx;
    if (!(s->count & (s->count + 1))) /* room for as many again and one */
        s->mapping = realloc(s->mapping, (2 * s->count + 1) * sizeof *s->mapping);
    s->mapping[s->count++] = *mapping;
    return s->count < s->limit;
}

static struct cpu_mappings look(struct hart_bench *b, struct seen *s, size_t limit)
{
    const struct cpu *cpu = b->m.cpu[0];
    free(s->mapping);
    *s = (struct seen){.limit = limit};
    return cpu->ops->mappings(cpu, note, s);
}

/* ---- random trees ---- */

static uint64_t random_state;

static uint64_t pick(uint64_t below)
{
    random_state = hash_mix(random_state + 1);
    return random_state % below;
}

static uint16_t index_of[TABLES][FILLED];

/* A page of RAM or near it, or far away, aligned for a leaf of some level or not. */
static uint64_t random_page(void)
{
    uint64_t page = BASE / PAGE + pick(BENCH_PAGES);
    switch (pick(8)) {
    case 0:
        return pick(1ull << 44);
    case 1:
        return (BASE / PAGE + pick(3 * BENCH_PAGES)) & ~(uint64_t)511;
    case 2:
        return BASE / PAGE;
    case 3:
        return 0; /* aligned for all, and RAM is inside */
    case 4:
        return page & ~(uint64_t)511;
    default:
        return page;
    }
}

static uint64_t random_entry(uint64_t previous)
{
    uint64_t flags = pick(256) | PTE_V;
    switch (pick(12)) {
    case 0:
        return pick(UINT64_MAX);
    case 1:
        return random_page() << 10 | (flags & ~(uint64_t)PTE_V);
    case 2:
        return random_page() << 10 | flags | 1ull << (54 + pick(10));
    case 3: /* where the one before goes on */
        return previous + (1ull << 10);
    case 4:
    case 5:
        return random_page() << 10 | flags;
    case 6:
        return pick(1ull << 44) << 10 | PTE_V;
    default:
        return pte(POOL + pick(TABLES), PTE_V);
    }
}

static uint16_t random_index(unsigned i, uint16_t previous)
{
    static const uint16_t edge[] = {0, 1, 255, 256, 510, 511};
    if (i && pick(2))
        return (previous + 1) & 511;
    return pick(3) ? (uint16_t)pick(512) : edge[pick(6)];
}

static void random_tables(struct hart_bench *b)
{
    static const uint8_t zero[PAGE];
    for (unsigned t = 0; t < TABLES; t++) {
        uint64_t entry = 0;
        poke(b, pa(POOL + t, 0), zero, sizeof zero);
        for (unsigned i = 0; i < FILLED; i++) {
            uint16_t index = random_index(i, i ? index_of[t][i - 1] : 0);
            index_of[t][i] = index;
            entry = random_entry(entry);
            poke_64(b, pa(POOL + t, index * 8u), entry);
        }
    }
}

/* An address that has a chance of being mapped: along entries that are there, and with low bits
 * that lead to RAM in large pages. */
static uint64_t random_address(struct hart_bench *b, unsigned levels)
{
    uint64_t va = pick(4) ? (pick(BENCH_PAGES) * PAGE + BASE) : pick(UINT64_MAX);
    uint64_t table = walk_root(hart_of(b->m.cpu[0]));
    for (unsigned level = levels; level-- > 0 && table - pa(POOL, 0) < TABLES * PAGE;) {
        uint64_t index = index_of[(table - pa(POOL, 0)) / PAGE][pick(FILLED)];
        uint64_t entry = peek_64(b, table + index * 8);
        va = (va & ~(511ull << (12 + 9 * level))) | index << (12 + 9 * level);
        table = pte_kind(entry, level) == PTE_KIND_TABLE ? pte_pa(entry) : 0;
    }
    return pick(50) ? walk_extend(va, levels) : va;
}

/* Rights of the page as supervisor and user together have them; 0: it leads to no RAM. */
static uint8_t translate(struct hart_bench *b, uint64_t va, uint64_t *at)
{
    uint8_t rights = 0;
    for (unsigned access = CPU_FETCH; access <= CPU_WRITE; access++) {
        for (unsigned user = 0; user < 2; user++) {
            uint64_t physical;
            b->s->priv = user ? PRIV_U : PRIV_S;
            if (hart_translate_look(b->m.cpu[0], va, (enum cpu_access)access, &physical) &&
                ram_contains(&b->m.ram, physical, 1)) {
                rights |= (uint8_t)(1 << access);
                *at = physical;
            }
        }
    }
    b->s->priv = PRIV_S;
    return rights;
}

static const struct cpu_mapping *mapping_at(const struct seen *s, uint64_t va)
{
    size_t low = 0, high = s->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        const struct cpu_mapping *m = &s->mapping[middle];
        if (va - m->va < m->size)
            return m;
        if (va < m->va)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

static void check_address(struct hart_bench *b, const struct seen *s, uint64_t va)
{
    uint64_t at = 0;
    const struct cpu_mapping *m = mapping_at(s, va);
    uint8_t rights = translate(b, va, &at);
    cr_assert_eq(rights, m ? m->rights : 0, "%#lx: rights %x", va, rights);
    if (m)
        cr_assert_eq(at, m->pa + (va - m->va), "%#lx: at %#lx", va, at);
}

static void check_list(const struct hart_bench *b, const struct seen *s)
{
    for (size_t i = 0; i < s->count; i++) {
        const struct cpu_mapping *m = &s->mapping[i], *last = i ? m - 1 : NULL;
        cr_assert(m->size && !((m->va | m->pa | m->size) % PAGE));
        cr_assert(m->rights && ram_contains(&b->m.ram, m->pa, m->size));
        cr_assert(!last || last->va + last->size - 1 < m->va, "%#lx", m->va);
        cr_assert(!last || last->va + last->size != m->va || last->rights != m->rights ||
                      last->pa + last->size != m->pa,
                  "%#lx goes on", m->va);
    }
}

static void check_random(struct hart_bench *b, unsigned levels, size_t *mapped, size_t *hits)
{
    struct seen s = {0};
    struct cpu_mappings done;
    b->s->satp = (uint64_t)(levels + 5) << 60 | (BASE / PAGE + POOL + pick(TABLES));
    uint64_t digest = hash_bytes(b->m.ram.host, b->m.ram.size, 0);
    done = look(b, &s, SIZE_MAX);
    cr_assert_eq(hash_bytes(b->m.ram.host, b->m.ram.size, 0), digest);
    cr_assert(!done.physical && !done.cut);
    check_list(b, &s);
    for (size_t i = 0; i < s.count && i < SAMPLES; i++) {
        const struct cpu_mapping *m = &s.mapping[s.count > SAMPLES ? pick(s.count) : i];
        check_address(b, &s, m->va);
        check_address(b, &s, m->va - 1);
        check_address(b, &s, m->va + m->size - 1);
        check_address(b, &s, m->va + m->size);
        check_address(b, &s, m->va + pick(m->size));
    }
    for (unsigned i = 0; i < SAMPLES; i++) {
        uint64_t va = random_address(b, levels);
        check_address(b, &s, va);
        *hits += mapping_at(&s, va) != NULL;
    }
    *mapped += s.count;
    free(s.mapping);
}

Test(riscv_mappings, what_translates_is_mapped)
{
    struct hart_bench b;
    bench_init(&b, 1);
    b.s->mstatus |= MSTATUS_SUM;
    for (unsigned levels = 3; levels <= 5; levels++) {
        size_t mapped = 0, hits = 0;
        for (unsigned round = 0; round < ROUNDS; round++) {
            random_tables(&b);
            check_random(&b, levels, &mapped, &hits);
        }
        cr_assert_gt(mapped, 10 * ROUNDS, "%zu", mapped);
        cr_assert_gt(hits, 10 * ROUNDS, "%zu", hits);
    }
    bench_fini(&b);
}

/* ---- by hand ---- */

static void assert_mapping(const struct seen *s, size_t i, uint64_t va, uint64_t at, uint64_t size,
                           unsigned rights)
{
    cr_assert_lt(i, s->count);
    const struct cpu_mapping *m = &s->mapping[i];
    cr_assert(m->va == va && m->pa == at && m->size == size && m->rights == rights,
              "%zu: %#lx to %#lx, %#lx bytes, %x", i, m->va, m->pa, m->size, m->rights);
}

enum { FETCH = 1 << CPU_FETCH, READ = 1 << CPU_READ, WRITE = 1 << CPU_WRITE };

Test(riscv_mappings, neighbours_are_one)
{
    struct hart_bench b;
    struct seen s = {0};
    bench_init(&b, 1);
    poke_64(&b, pa(LEAVES, 8 * 20), pte(21, PTE_FRESH));
    poke_64(&b, pa(LEAVES, 8 * 40), pte(40, PTE_V | PTE_R | PTE_U | PTE_A));
    struct cpu_mappings done = look(&b, &s, SIZE_MAX);
    cr_assert(!done.physical && !done.cut);
    cr_assert_eq(s.count, 5);
    assert_mapping(&s, 0, 0, BASE, 20 * PAGE, FETCH | READ | WRITE);
    assert_mapping(&s, 1, 20 * PAGE, pa(21, 0), PAGE, FETCH | READ | WRITE);
    assert_mapping(&s, 2, 21 * PAGE, pa(21, 0), 19 * PAGE, FETCH | READ | WRITE);
    assert_mapping(&s, 3, 40 * PAGE, pa(40, 0), PAGE, READ);
    assert_mapping(&s, 4, 41 * PAGE, pa(41, 0), 23 * PAGE, FETCH | READ | WRITE);
    free(s.mapping);
    bench_fini(&b);
}

/* A GiB at 0x80000000 and the TiB-sized page at 0 reach beyond RAM; the last page of the address
 * space is one like others. */
Test(riscv_mappings, large_pages_and_both_ends)
{
    struct hart_bench b;
    struct seen s = {0};
    bench_init(&b, 1);
    b.s->satp = 9ull << 60 | (BASE / PAGE + POOL);
    poke_64(&b, pa(POOL, 8 * 0), 0 << 10 | PTE_V | PTE_R);
    poke_64(&b, pa(POOL, 8 * 256), pte(POOL + 1, PTE_V));
    poke_64(&b, pa(POOL + 1, 8 * 2), pte(0, PTE_V | PTE_X));
    poke_64(&b, pa(POOL, 8 * 511), pte(POOL + 2, PTE_V));
    poke_64(&b, pa(POOL + 2, 8 * 511), pte(POOL + 3, PTE_V));
    poke_64(&b, pa(POOL + 3, 8 * 511), pte(POOL + 4, PTE_V));
    poke_64(&b, pa(POOL + 4, 8 * 511), pte(BENCH_PAGES - 1, PTE_V | PTE_R | PTE_W));
    cr_assert(!look(&b, &s, SIZE_MAX).cut);
    cr_assert_eq(s.count, 3);
    assert_mapping(&s, 0, BASE, BASE, RAM_END - BASE, READ);
    assert_mapping(&s, 1, 0xffff800080000000, BASE, RAM_END - BASE, FETCH);
    assert_mapping(&s, 2, 0 - (uint64_t)PAGE, RAM_END - PAGE, PAGE, READ | WRITE);
    free(s.mapping);
    bench_fini(&b);
}

Test(riscv_mappings, untranslated)
{
    struct hart_bench b;
    struct seen s = {0};
    bench_init(&b, 1);
    b.s->priv = PRIV_M;
    b.s->mstatus |= MSTATUS_MPRV;
    cr_assert(look(&b, &s, SIZE_MAX).physical);
    cr_assert_eq(s.count, 1);
    assert_mapping(&s, 0, 0, BASE, 64 * PAGE, FETCH | READ | WRITE);
    b.s->priv = PRIV_S;
    b.s->satp = 0;
    struct cpu_mappings done = look(&b, &s, SIZE_MAX);
    cr_assert(done.physical && !done.cut && !s.count);
    bench_fini(&b);
}

/* Tables without end, tables that lead to themselves, tables out of RAM. */
Test(riscv_mappings, hostile_tables)
{
    struct hart_bench b;
    struct seen s = {0};
    bench_init(&b, 1);
    b.s->satp = 10ull << 60 | (BASE / PAGE + POOL);
    for (unsigned i = 0; i < 512; i++)
        poke_64(&b, pa(POOL, i * 8), pte(POOL, PTE_V));
    cr_assert(look(&b, &s, SIZE_MAX).cut);
    cr_assert_eq(s.count, 0);

    for (unsigned t = 0; t < 4; t++)
        for (unsigned i = 0; i < 512; i++)
            poke_64(&b, pa(POOL + t, i * 8), pte(POOL + t + 1, PTE_V));
    for (unsigned i = 0; i < 512; i += 300)
        poke_64(&b, pa(POOL + 4, i * 8), pte(DATA, PTE_V | PTE_R));
    cr_assert(look(&b, &s, 10000).cut);
    cr_assert_eq(s.count, 10000);
    check_list(&b, &s);
    cr_assert(look(&b, &s, SIZE_MAX).cut);
    cr_assert_gt(s.count, CPU_MAPPING_TABLES);
    check_address(&b, &s, s.mapping[s.count - 1].va);

    b.s->satp = 8ull << 60 | (RAM_END / PAGE);
    cr_assert(!look(&b, &s, SIZE_MAX).cut);
    cr_assert_eq(s.count, 0);
    b.s->satp = 8ull << 60 | PTE_PPN_MASK;
    cr_assert(!look(&b, &s, SIZE_MAX).cut);
    cr_assert_eq(s.count, 0);
    free(s.mapping);
    bench_fini(&b);
}

/* The visitor that has had enough with the very last one has not missed any: nobody can know. */
Test(riscv_mappings, enough)
{
    struct hart_bench b;
    struct seen s = {0};
    bench_init(&b, 1);
    cr_assert(!look(&b, &s, 2).cut);
    cr_assert_eq(s.count, 1);
    cr_assert(look(&b, &s, 1).cut);
    cr_assert_eq(s.count, 1);
    free(s.mapping);
    bench_fini(&b);
}
