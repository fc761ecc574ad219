/* Code is coherent: what is stored over an instruction, by whatever way, is executed from the next
 * step on. */
#include "tests/unit/machine/hart_bench.h"

#include "machine/riscv/code.h"

static struct hart_bench b;

static void next_instruction(struct hart_bench *p, uint64_t seed)
{
    p->s->x[5] = CODE * PAGE;
    p->s->x[7] = addi(12, 0, 2);
    p->s->f[7] = p->s->x[7] | (uint64_t)addi(13, 0, 2) << 32;
    uint32_t store = seed == 0 ? sw(7, 5, 8) : seed == 1 ? fsd(7, 5, 8) : amo(1, 2, 0, 7, 6);
    p->s->x[6] = CODE * PAGE + 8;
    PROGRAM(p, CODE, addi(11, 0, 1), store, addi(12, 0, 1), addi(13, 0, 1));
}

Test(code, store_to_the_next_instruction)
{
    for (uint64_t kind = 0; kind < 3; kind++) {
        run_all_ways(&b, next_instruction, kind, 1, 6);
        cr_assert_eq(b.s->x[12], 2, "kind %lu", kind);
        bench_fini(&b);
    }
}

/* A compressed instruction becomes two halves of a longer one and the other way round. */
static void next_of_other_size(struct hart_bench *p, uint64_t seed)
{
    p->s->x[5] = CODE * PAGE;
    p->s->x[7] = seed ? addi(12, 12, 64) : 0x06050605; /* c.addi x12, 1 twice */
    PROGRAM(p, CODE, addi(12, 0, 0), addi(11, 0, 1), sw(7, 5, 12),
            seed ? 0x06050605u : addi(12, 12, 64));
}

Test(code, store_that_changes_where_instructions_begin)
{
    run_all_ways(&b, next_of_other_size, 1, 1, 8);
    cr_assert_eq(b.s->x[12], 64);
    bench_fini(&b);
    run_all_ways(&b, next_of_other_size, 0, 1, 8);
    cr_assert_eq(b.s->x[12], 2);
    bench_fini(&b);
}

/* A loop whose addend counts up: the immediate is at bit 20 of the instruction. */
static void growing_loop(struct hart_bench *p, uint64_t seed)
{
    (void)seed;
    p->s->x[5] = CODE * PAGE;
    p->s->x[6] = 1 << 20;
    p->s->x[20] = 10;
    PROGRAM(p, CODE, addi(10, 10, 0), lw(7, 5, 0), add(7, 7, 6), sw(7, 5, 0), addi(20, 20, -1),
            bne(20, 0, -20));
}

Test(code, a_loop_that_changes_itself)
{
    run_all_ways(&b, growing_loop, 1, 1, 64);
    cr_assert_eq(b.s->x[10], 45);
    bench_fini(&b);
}

/* Data in the page of the code that uses it: on a line of its own, or on the code's. */
static void data_beside_code(struct hart_bench *p, uint64_t seed)
{
    p->s->x[5] = CODE * PAGE + (seed ? 32 : 512);
    p->s->x[20] = 10;
    PROGRAM(p, CODE, ld(10, 5, 0), addi(10, 10, 3), sd(10, 5, 0), addi(20, 20, -1),
            bne(20, 0, -16));
}

Test(code, code_and_data_in_one_page)
{
    for (uint64_t near = 0; near < 2; near++) {
        run_all_ways(&b, data_beside_code, near, 1, 54);
        cr_assert_eq(peek_64(&b, pa(CODE, near ? 32 : 512)), 30);
        bench_fini(&b);
    }
}

/* The code runs at one address and is written through another. */
static void written_through_alias(struct hart_bench *p, uint64_t seed)
{
    (void)seed;
    poke_64(p, pa(LEAVES, 50 * 8), pte(CODE, PTE_FRESH));
    p->s->x[5] = 50 * PAGE;
    p->s->x[6] = CODE * PAGE;
    p->s->x[7] = addi(12, 12, 16);
    PROGRAM(p, CODE, addi(12, 12, 1), sw(7, 5, 0), bne(12, 15, 8), SELF_LOOP, addi(15, 12, 16),
            jalr(0, 5, 0));
}

Test(code, aliases_of_a_code_page)
{
    run_all_ways(&b, written_through_alias, 1, 1, 24);
    cr_assert_eq(b.s->x[12], 17);
    cr_assert_eq(b.s->pc, 50 * PAGE + 12, "the second round was at the other address");
    bench_fini(&b);
}

/* The code is on the same line of the leaf table as entries that get their A and D bits. */
static void code_beside_entries(struct hart_bench *p, uint64_t seed)
{
    (void)seed;
    poke_64(p, pa(LEAVES, 72 * 8), pte(DATA, PTE_FRESH));
    poke_64(p, pa(LEAVES, 73 * 8), pte(DATA_2, PTE_FRESH));
    const uint32_t code[] = {ld(10, 5, 0),    addi(11, 11, 1), sd(11, 5, 0), ld(10, 6, 0),
                             addi(11, 11, 1), sd(11, 6, 0),    SELF_LOOP};
    poke(p, pa(LEAVES, 74 * 8), code, sizeof code);
    p->s->pc = LEAVES * PAGE + 74 * 8;
    p->s->x[5] = 72 * PAGE;
    p->s->x[6] = 73 * PAGE;
}

Test(code, accessed_and_dirty_bits_beside_code)
{
    run_all_ways(&b, code_beside_entries, 1, 1, 9);
    cr_assert_eq(peek_64(&b, pa(LEAVES, 72 * 8)), pte(DATA, PTE_USED));
    cr_assert_eq(peek_64(&b, pa(LEAVES, 73 * 8)), pte(DATA_2, PTE_USED));
    cr_assert_eq(peek_64(&b, pa(DATA_2, 0)), 2);
    bench_fini(&b);
}

/* The leaf entry of a load is an instruction of the block with the load: bits 0 to 7 of a fresh
 * entry with all rights are a fence, and with the A bit fnmadd.s, whose operands are no singles.
 * The upper half of the entry is illegal, and skipped. */
static void entry_as_instruction(struct hart_bench *p, uint64_t seed)
{
    (void)seed;
    const uint32_t code[] = {ld(10, 5, 0),    addi(11, 11, 1), addi(11, 11, 1),
                             addi(11, 11, 1), addi(11, 11, 1), addi(11, 11, 1)};
    poke(p, pa(LEAVES, 74 * 8), code, sizeof code);
    poke_64(p, pa(LEAVES, 77 * 8), pte(64, PTE_FRESH));
    poke_64(p, pa(LEAVES, 78 * 8), SELF_LOOP);
    p->s->pc = LEAVES * PAGE + 74 * 8;
    p->s->x[5] = 77 * PAGE;
}

Test(code, an_accessed_bit_in_the_running_block)
{
    run_all_ways(&b, entry_as_instruction, 1, 1, 20);
    cr_assert_eq(b.s->x[11], 5);
    cr_assert_eq(b.s->f[0], 0xffffffff7fc00000, "%lx", b.s->f[0]);
    bench_fini(&b);
}

/* What no instruction writes: a debugger, a restore. */
Test(code, writes_from_outside)
{
    start(&b, growing_loop, 0, 1);
    uint32_t insn = addi(10, 10, 1000);
    machine_run(&b.m, 5);
    poke(&b, pa(CODE, 0), &insn, 4);
    machine_run(&b.m, 7);
    cr_assert_eq(b.s->x[10], 1000);
    uint8_t page[PAGE] = {0};
    PROGRAM(&b, CODE_2, addi(10, 0, 5));
    memcpy(page, ram_at(&b.m.ram, pa(CODE_2, 0)), PAGE);
    b.s->pc = CODE * PAGE;
    ram_restore_page(&b.m.ram, CODE, page);
    machine_run(&b.m, 9);
    cr_assert_eq(b.s->x[10], 5);
    bench_fini(&b);
}

/* A guest that jumps to each offset of each page: decoded code stays within bounds. */
Test(code, memory_is_bounded)
{
    enum { C_NOP = 0x0001, MOST = 40 << 20, CHUNK = 16384 + 64 };
    static uint16_t page[PAGE / 2];
    bench_init(&b, 1);
    b.s->priv = PRIV_M;
    for (unsigned i = 0; i < PAGE / 2; i++)
        page[i] = C_NOP;
    const struct riscv_shared *shared = hart_of(b.m.cpu[0])->shared;
    size_t most = 0;
    for (uint64_t n = 64; n < 192; n++) {
        poke(&b, pa(n, 0), page, PAGE);
        for (unsigned offset = 0; offset < PAGE; offset += 2) {
            b.s->pc = pa(n, offset);
            cr_assert_eq(machine_run(&b.m, machine_position(&b.m) + 1), MACHINE_LIMIT);
            cr_assert_eq(b.s->pc, pa(n, offset) + 2);
            if (shared->code_bytes > most)
                most = shared->code_bytes;
        }
    }
    cr_assert(most >= MOST && most <= MOST + 2 * CHUNK, "%zu", most);
    cr_assert(shared->code_bytes < most, "%zu: it was dropped", shared->code_bytes);
    bench_fini(&b);
}
