/* Translation and fetch are coherent: what a store changes holds from the next step on, without any
 * fence. Each program's result is known, and the same however it is run. */
#include "tests/unit/machine/hart_bench.h"

static struct hart_bench b;

static void entry_of_data(struct hart_bench *p, uint64_t seed)
{
    (void)seed;
    data_registers(p);
    PROGRAM(p, CODE, ld(10, 5, 0), sd(10, 5, 8), sd(7, 6, 0), ld(11, 5, 0), sd(11, 5, 8));
}

Test(coherence, store_over_the_entry_of_data_in_use)
{
    run_all_ways(&b, entry_of_data, 1, 1, 8);
    cr_assert(b.s->x[10] == 0x11 && b.s->x[11] == 0x22);
    cr_assert_eq(peek_64(&b, pa(DATA, 8)), 0x11);
    cr_assert_eq(peek_64(&b, pa(DATA_2, 8)), 0x22);
    cr_assert_eq(b.s->x[30], 0);
    bench_fini(&b);
}

/* The other ways of writing: AMO, SC, FP store, byte by byte, a store over two entries. */
static void entry_by_other_stores(struct hart_bench *p, uint64_t seed)
{
    data_registers(p);
    p->s->f[7] = p->s->x[7];
    p->s->x[8] = p->s->x[7] >> 8;
    uint32_t first = addi(0, 0, 0), second = addi(0, 0, 0);
    switch (seed) {
    case 0:
        first = amo(1, 3, 12, 7, 6);
        break;
    case 1:
        first = amo(2, 3, 12, 0, 6);
        second = amo(3, 3, 13, 7, 6);
        break;
    case 2:
        first = fsd(7, 6, 0);
        break;
    case 3:
        first = s_type(1, 8, 6, 0, 0x23);
        break;
    case 4:
        first = sw(7, 6, 0);
        break;
    case 5:
        first = sh(8, 6, 1);
        break;
    case 6:
        p->s->x[8] = p->s->x[7] << 32;
        first = sd(8, 6, -4);
        break;
    }
    PROGRAM(p, CODE, ld(10, 5, 0), first, second, ld(11, 5, 0));
}

Test(coherence, every_kind_of_store_counts)
{
    for (uint64_t kind = 0; kind < 7; kind++) {
        run_all_ways(&b, entry_by_other_stores, kind, 1, 6);
        cr_assert_eq(b.s->x[10], 0x11);
        cr_assert_eq(b.s->x[11], 0x22, "kind %lu: %#lx", kind, b.s->x[11]);
        bench_fini(&b);
    }
}

static void entries_zeroed(struct hart_bench *p, uint64_t seed)
{
    (void)seed;
    data_registers(p);
    PROGRAM(p, CODE, ld(10, 5, 0), cbo_zero(6), ld(11, 5, 0), sd(10, 5, 0));
}

Test(coherence, a_zeroed_block_of_entries)
{
    run_all_ways(&b, entries_zeroed, 1, 1, 40);
    cr_assert(b.s->x[10] == 0x11 && b.s->x[11] == 0);
    cr_assert_eq(b.s->x[30], 2, "both faulted");
    cr_assert_eq(peek_64(&b, pa(DATA, 0)), 0x11);
    bench_fini(&b);
}

/* Tables above the leaf, and the same page used at two levels. */
static void entry_of_table(struct hart_bench *p, uint64_t seed)
{
    data_registers(p);
    for (unsigned i = 0; i < 64; i++)
        poke_64(p, pa(40, i * 8), pte(i == DATA ? DATA_2 : i, PTE_FRESH));
    poke_64(p, pa(41, 0), pte(40, PTE_POINTER));
    p->s->x[6] = seed ? ROOT * PAGE : MIDDLE * PAGE;
    p->s->x[7] = pte(seed ? 41 : 40, PTE_POINTER);
    PROGRAM(p, CODE, ld(10, 5, 0), sd(10, 5, 8), sd(7, 6, 0), ld(11, 5, 0), sd(11, 5, 8));
}

Test(coherence, store_over_a_pointer_to_a_table)
{
    for (uint64_t level = 0; level < 2; level++) {
        run_all_ways(&b, entry_of_table, level, 1, 8);
        cr_assert(b.s->x[10] == 0x11 && b.s->x[11] == 0x22);
        cr_assert_eq(peek_64(&b, pa(DATA_2, 8)), 0x22);
        bench_fini(&b);
    }
}

/* The page the running block is in becomes another one, in the middle of the block. */
static void entry_of_code(struct hart_bench *p, uint64_t seed)
{
    (void)seed;
    p->s->x[6] = LEAVES * PAGE + CODE * 8;
    p->s->x[7] = pte(CODE_2, PTE_FRESH);
    PROGRAM(p, CODE, addi(10, 0, 1), sd(7, 6, 0), addi(11, 0, 1), addi(12, 0, 1));
    PROGRAM(p, CODE_2, addi(10, 0, 2), sd(7, 6, 0), addi(11, 0, 2), addi(12, 0, 2));
}

Test(coherence, store_over_the_entry_of_the_running_code)
{
    run_all_ways(&b, entry_of_code, 1, 1, 6);
    cr_assert(b.s->x[10] == 1 && b.s->x[11] == 2 && b.s->x[12] == 2);
    bench_fini(&b);
}

/* A loop that was chained under the old entry. */
static void entry_of_loop(struct hart_bench *p, uint64_t seed)
{
    (void)seed;
    p->s->x[6] = LEAVES * PAGE + CODE * 8;
    p->s->x[7] = pte(CODE_2, PTE_FRESH);
    p->s->x[8] = DATA * PAGE;
    p->s->x[20] = 9;
    /* Stores go to data, and in the fifth round over the entry. */
    PROGRAM(p, CODE, addi(20, 20, -1), addi(21, 20, -5), bne(21, 0, 8), addi(8, 6, 0), sd(7, 8, 0),
            addi(10, 10, 1), bne(20, 0, -24));
    PROGRAM(p, CODE_2, addi(20, 20, -1), addi(21, 20, -5), bne(21, 0, 8), addi(8, 6, 0),
            sd(7, 8, 0), addi(10, 10, 100), bne(20, 0, -24));
}

Test(coherence, a_chained_loop_under_a_new_entry)
{
    run_all_ways(&b, entry_of_loop, 1, 1, 70);
    cr_assert_eq(b.s->x[10], 3 + 6 * 100);
    bench_fini(&b);
}

/* Two pages that jump to each other; in the fifth round the second becomes another one, by a store
 * in a block that is not the one that jumps. */
static void entry_of_jump_target(struct hart_bench *p, uint64_t seed)
{
    (void)seed;
    p->s->x[6] = LEAVES * PAGE + CODE_2 * 8;
    p->s->x[7] = pte(CODE_3, PTE_FRESH);
    p->s->x[8] = DATA * PAGE;
    p->s->x[20] = 9;
    PROGRAM(p, CODE, addi(20, 20, -1), addi(21, 20, -5), bne(21, 0, 8), addi(8, 6, 0), sd(7, 8, 0),
            bne(20, 0, 8), SELF_LOOP, jal(0, PAGE - 28));
    PROGRAM(p, CODE_2, addi(10, 10, 1), jal(0, -PAGE - 4));
    PROGRAM(p, CODE_3, addi(10, 10, 100), jal(0, -PAGE - 4));
}

Test(coherence, a_loop_over_two_pages_under_a_new_entry)
{
    run_all_ways(&b, entry_of_jump_target, 1, 1, 80);
    cr_assert_eq(b.s->x[10], 3 + 5 * 100);
    bench_fini(&b);
}

static void bits_are_read_back(struct hart_bench *p, uint64_t seed)
{
    (void)seed;
    data_registers(p);
    PROGRAM(p, CODE, ld(20, 6, 0), ld(10, 5, 0), ld(21, 6, 0), sd(10, 5, 0), ld(22, 6, 0),
            sd(20, 6, 0), ld(23, 6, 0), ld(10, 5, 0), ld(24, 6, 0), sd(10, 5, 0), ld(25, 6, 0));
}

Test(coherence, accessed_and_dirty_bits_are_set_at_their_step)
{
    run_all_ways(&b, bits_are_read_back, 1, 1, 13);
    cr_assert_eq(b.s->x[20], pte(DATA, 0x0f));
    cr_assert_eq(b.s->x[21], pte(DATA, 0x4f));
    cr_assert_eq(b.s->x[22], pte(DATA, 0xcf));
    cr_assert_eq(b.s->x[23], pte(DATA, 0x0f), "cleared by the guest");
    cr_assert_eq(b.s->x[24], pte(DATA, 0x4f), "and set again");
    cr_assert_eq(b.s->x[25], pte(DATA, 0xcf));
    bench_fini(&b);
}

/* 2 MiB and 1 GiB pages that are moved, and a table in their place. */
static void superpages(struct hart_bench *p, uint64_t seed)
{
    bool giga = seed & 1;
    uint64_t va = giga ? 0x40000000 : 0x200000;
    data_registers(p);
    poke_64(p, pa(giga ? ROOT : MIDDLE, 8), pte(0, PTE_FRESH));
    poke_64(p, pa(512 + DATA, 0), 0x33);
    p->s->x[5] = va + DATA * PAGE;
    p->s->x[6] = (giga ? ROOT : MIDDLE) * PAGE + 8;
    p->s->x[7] = giga ? pte(MIDDLE, PTE_POINTER) : pte(512, PTE_FRESH);
    p->s->x[8] = giga ? pte(0, PTE_FRESH) : pte(LEAVES, PTE_POINTER);
    if (giga)
        poke_64(p, pa(MIDDLE, 0), pte(LEAVES, PTE_POINTER));
    PROGRAM(p, CODE, ld(10, 5, 0), sd(10, 5, 8), sd(7, 6, 0), ld(11, 5, 0), sd(11, 5, 16),
            sd(8, 6, 0), ld(12, 5, 0), sd(12, 5, 24));
}

Test(coherence, superpages)
{
    run_all_ways(&b, superpages, 1, 1, 10);
    cr_assert(b.s->x[10] == 0x11 && b.s->x[11] == 0x11 && b.s->x[12] == 0x11);
    cr_assert_eq(b.s->x[30], 0);
    bench_fini(&b);
    run_all_ways(&b, superpages, 0, 1, 10);
    cr_assert(b.s->x[10] == 0x11 && b.s->x[11] == 0x33 && b.s->x[12] == 0x11);
    cr_assert_eq(peek_64(&b, pa(512 + DATA, 16)), 0x33);
    cr_assert_eq(peek_64(&b, pa(DATA, 24)), 0x11);
    bench_fini(&b);
}

/* The running code is moved with the superpage it is in. */
static void code_in_superpage(struct hart_bench *p, uint64_t seed)
{
    (void)seed;
    poke_64(p, pa(MIDDLE, 8), pte(0, PTE_FRESH));
    p->s->pc = 0x200000 + CODE * PAGE;
    p->s->x[6] = MIDDLE * PAGE + 8;
    p->s->x[7] = pte(512, PTE_FRESH);
    PROGRAM(p, CODE, addi(10, 0, 1), sd(7, 6, 0), addi(11, 0, 1));
    PROGRAM(p, 512 + CODE, addi(10, 0, 2), sd(7, 6, 0), addi(11, 0, 2));
}

Test(coherence, code_in_a_superpage)
{
    run_all_ways(&b, code_in_superpage, 1, 1, 5);
    cr_assert(b.s->x[10] == 1 && b.s->x[11] == 2);
    bench_fini(&b);
}

/* A second tree in pages 40 to 42, in which data and the second page of code are other pages. */
static void satp_switches(struct hart_bench *p, uint64_t seed)
{
    (void)seed;
    data_registers(p);
    poke_64(p, pa(40, 0), pte(41, PTE_POINTER));
    poke_64(p, pa(41, 0), pte(42, PTE_POINTER));
    for (unsigned i = 0; i < 64; i++)
        poke_64(p, pa(42, i * 8), pte(i == DATA ? DATA_2 : i, PTE_FRESH));
    p->s->x[6] = p->s->satp;
    p->s->x[7] = 8ull << 60 | (BASE / PAGE + 40);
    p->s->x[20] = 3;
    PROGRAM(p, CODE, ld(10, 5, 0), add(12, 12, 10), sd(12, 5, 8), csrrw(6, CSR_SATP, 7),
            addi(7, 6, 0), csrrs(6, CSR_SATP, 0), addi(20, 20, -1), bne(20, 0, -28));
}

Test(coherence, satp_switches)
{
    run_all_ways(&b, satp_switches, 1, 1, 26);
    cr_assert_eq(b.s->x[12], 0x11 + 0x22 + 0x11);
    cr_assert_eq(peek_64(&b, pa(DATA, 8)), 0x44);
    cr_assert_eq(peek_64(&b, pa(DATA_2, 8)), 0x33);
    bench_fini(&b);
}

/* An instruction of 4 bytes across the pages CODE_2 and CODE_3; either half is changed. */
static void across_pages(struct hart_bench *p, uint64_t seed)
{
    uint32_t before = addi(10, 10, 1), after = addi(10, 10, 64 + 2), jump = jalr(0, 1, 0);
    poke(p, pa(CODE_2, PAGE - 2), &before, 4);
    poke(p, pa(CODE_3, 2), &jump, 4);
    p->s->x[5] = CODE_3 * PAGE;
    p->s->x[6] = CODE_3 * PAGE - 2;
    p->s->x[7] = seed == 1 ? after >> 16 : seed == 0 ? after & 0xffff : after;
    p->s->x[8] = pte(60, PTE_FRESH);
    p->s->x[9] = LEAVES * PAGE + CODE_3 * 8;
    poke_64(p, pa(60, 0), peek_64(p, pa(CODE_3, 0)) + 0x70);
    uint32_t store = seed == 0   ? sh(7, 5, -2)
                     : seed == 1 ? sh(7, 5, 0)
                     : seed == 2 ? sw(7, 5, -2)
                                 : sd(8, 9, 0);
    PROGRAM(p, CODE, jalr(1, 6, 0), jalr(1, 6, 0), store, jalr(1, 6, 0));
}

Test(coherence, instructions_across_pages)
{
    static const uint64_t expected[] = {3, 2 + 66, 2 + 66, 2 + 8};
    for (uint64_t kind = 0; kind < 4; kind++) {
        run_all_ways(&b, across_pages, kind, 1, 12);
        cr_assert_eq(b.s->x[10], expected[kind], "kind %lu: %lu", kind, b.s->x[10]);
        cr_assert_eq(b.s->x[30], 0);
        bench_fini(&b);
    }
}

/* M-mode reaches the same page by its physical address, and as S or U through MPRV. x20 is
 * mstatus.MPRV, x21 MPP = S. Seed 1: as U. */
static void other_regimes(struct hart_bench *p, uint64_t seed)
{
    p->s->priv = PRIV_M;
    p->s->pc = pa(CODE, 0);
    p->s->x[20] = MSTATUS_MPRV;
    p->s->x[21] = seed ? 0 : 1 << 11;
    if (seed)
        poke_64(p, pa(LEAVES, DATA * 8), pte(DATA, PTE_USER));
    p->s->x[5] = DATA * PAGE;
    p->s->x[6] = pa(DATA, 0);
    p->s->x[7] = addi(10, 10, 1);
    p->s->x[8] = addi(10, 10, 16);
    p->s->x[9] = jalr(0, 1, 0);
    PROGRAM(p, CODE, csrrs(0, CSR_MSTATUS, 21), csrrs(0, CSR_MSTATUS, 20), sw(7, 5, 0), sw(9, 5, 4),
            csrrc(0, CSR_MSTATUS, 20), sw(9, 6, 8), jalr(1, 6, 0), csrrs(0, CSR_MSTATUS, 20),
            sw(8, 5, 0), csrrc(0, CSR_MSTATUS, 20), jalr(1, 6, 0), sw(7, 6, 0), jalr(1, 6, 0));
}

Test(coherence, writes_of_every_regime_reach_code)
{
    for (uint64_t user = 0; user < 2; user++) {
        run_all_ways(&b, other_regimes, user, 1, 22);
        cr_assert_eq(b.s->x[10], 1 + 16 + 1);
        cr_assert_eq(b.s->x[30], 0);
        bench_fini(&b);
    }
}

/* M-mode has a write entry for the page of the leaf table before it is used as one. */
static void table_by_physical_address(struct hart_bench *p, uint64_t seed)
{
    (void)seed;
    data_registers(p);
    p->s->priv = PRIV_M;
    p->s->pc = pa(CODE, 0);
    p->s->x[20] = MSTATUS_MPRV | 1 << 11;
    p->s->x[21] = MSTATUS_MPRV;
    p->s->x[6] = pa(LEAVES, DATA * 8);
    p->s->x[8] = pte(DATA, PTE_USED);
    PROGRAM(p, CODE, sd(8, 6, 0), csrrs(0, CSR_MSTATUS, 20), ld(10, 5, 0), sd(10, 5, 8),
            csrrc(0, CSR_MSTATUS, 21), sd(7, 6, 0), csrrs(0, CSR_MSTATUS, 20), ld(11, 5, 0),
            sd(11, 5, 8), csrrc(0, CSR_MSTATUS, 21), sd(8, 6, 0), csrrs(0, CSR_MSTATUS, 20),
            ld(12, 5, 8));
}

Test(coherence, a_table_written_by_its_physical_address)
{
    run_all_ways(&b, table_by_physical_address, 1, 1, 16);
    cr_assert(b.s->x[10] == 0x11 && b.s->x[11] == 0x22 && b.s->x[12] == 0x11);
    cr_assert_eq(peek_64(&b, pa(DATA_2, 8)), 0x22);
    bench_fini(&b);
}

/* Hart 1 sums what it reads and what its code adds; hart 0 changes its entry, then its code. They
 * have the same tables. */
static void two_harts(struct hart_bench *p, uint64_t seed)
{
    struct riscv_state *two = bench_hart(p, 1);
    data_registers(p);
    p->m.config.quantum = p->m.state.quantum_end = 5 + seed;
    two->x[5] = DATA * PAGE;
    two->pc = CODE_2 * PAGE;
    p->s->x[8] = CODE_2 * PAGE;
    p->s->x[9] = addi(11, 11, 64);
    p->s->x[20] = 6;
    PROGRAM(p, CODE, addi(20, 20, -1), bne(20, 0, -4), sd(7, 6, 0), PAUSE_INSN, sw(9, 8, 4),
            PAUSE_INSN, addi(12, 12, 1));
    PROGRAM(p, CODE_2, ld(10, 5, 0), addi(11, 11, 1), sd(11, 5, 8), jal(0, -12));
}

Test(coherence, two_harts)
{
    for (uint64_t seed = 0; seed < 3; seed++) {
        run_all_ways(&b, two_harts, seed, 2, 90);
        cr_assert_eq(bench_hart(&b, 1)->x[10], 0x22);
        cr_assert(bench_hart(&b, 1)->x[11] >= 128, "%lu", bench_hart(&b, 1)->x[11]);
        cr_assert_neq(peek_64(&b, pa(DATA, 8)), 0, "seed %lu", seed);
        cr_assert_neq(peek_64(&b, pa(DATA_2, 8)), 0, "seed %lu", seed);
        bench_fini(&b);
    }
}

/* What no instruction writes: a debugger, a restore. */
Test(coherence, writes_from_outside)
{
    start(&b, entry_of_data, 0, 1);
    machine_run(&b.m, 2);
    poke_64(&b, pa(LEAVES, DATA * 8), pte(DATA_2, PTE_FRESH));
    b.s->pc = CODE * PAGE;
    machine_run(&b.m, 3);
    cr_assert_eq(b.s->x[10], 0x22);
    bench_fini(&b);
}

/* MXR makes code readable; without it the cached translation is worth nothing. */
static void mxr_switches(struct hart_bench *p, uint64_t seed)
{
    (void)seed;
    data_registers(p);
    poke_64(p, pa(LEAVES, DATA * 8), pte(DATA, 0x09));
    p->s->x[7] = MSTATUS_MXR;
    PROGRAM(p, CODE, csrrs(0, 0x100, 7), ld(10, 5, 0), csrrc(0, 0x100, 7), ld(11, 5, 0),
            csrrs(0, 0x100, 7), ld(12, 5, 0));
}

Test(coherence, mxr_switches)
{
    run_all_ways(&b, mxr_switches, 1, 1, 25);
    cr_assert(b.s->x[10] == 0x11 && b.s->x[11] == 0 && b.s->x[12] == 0x11);
    cr_assert_eq(b.s->x[30], 1);
    bench_fini(&b);
}

/* The turn ends with `pause`, and takes the reservation with it; alone, a hart keeps it. */
static void pause_between_lr_and_sc(struct hart_bench *p, uint64_t seed)
{
    (void)seed;
    data_registers(p);
    bench_hart(p, p->m.config.cpus - 1)->x[5] = DATA * PAGE;
    PROGRAM(p, CODE, amo(2, 3, 10, 0, 5), PAUSE_INSN, addi(11, 0, 7), amo(3, 3, 12, 11, 5));
}

/* The program's second step gives the turn away: the other hart's, if there is one, is next. */
static void second_step_ends_turn(void (*program)(struct hart_bench *, uint64_t), unsigned harts)
{
    run_all_ways(&b, program, 0, harts, 40);
    cr_assert_eq(b.s->x[12], harts - 1);
    bench_fini(&b);
    start(&b, program, 0, harts);
    machine_run(&b.m, 2);
    cr_assert_eq(b.m.state.running, harts - 1);
}

Test(coherence, turns_and_reservations)
{
    for (unsigned harts = 1; harts <= 2; harts++) {
        second_step_ends_turn(pause_between_lr_and_sc, harts);
        cr_assert_eq(b.s->reserved, harts == 1 ? 4 : 0);
        bench_fini(&b);
    }
}

/* So does a WFI that an interrupt lets pass at once: it is pending, but not taken. */
static void wfi_between_lr_and_sc(struct hart_bench *p, uint64_t seed)
{
    (void)seed;
    data_registers(p);
    bench_hart(p, p->m.config.cpus - 1)->x[5] = DATA * PAGE;
    PROGRAM(p, CODE, amo(2, 3, 10, 0, 5), WFI_INSN, addi(11, 0, 7), amo(3, 3, 12, 11, 5));
    for (unsigned i = 0; i < p->m.config.cpus; i++) {
        struct riscv_state *s = bench_hart(p, i);
        s->mie = s->mip = 2;
        s->mideleg = 2;
        s->mstatus &= ~MSTATUS_SIE;
    }
}

Test(coherence, a_wfi_that_does_not_wait)
{
    for (unsigned harts = 1; harts <= 2; harts++) {
        second_step_ends_turn(wfi_between_lr_and_sc, harts);
        cr_assert_eq(b.s->waiting, 0);
        bench_fini(&b);
    }
}

/* ---- a ROM ---- */

/* Virtual page 60 is the first of the ROM's two pages, 61 the second. */
enum { ROM_BASE = 0x40000, ROM_PAGE = 60 };

static bool rom_read(void *ctx, uint64_t offset, unsigned size, uint64_t *value)
{
    *value = load_le((const uint8_t *)ctx + offset, size);
    return true;
}

static uint8_t *add_rom(struct hart_bench *p)
{
    static const struct bus_ops ops = {.read = rom_read};
    static uint8_t bytes[2 * PAGE];
    for (unsigned i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)hash_mix(i);
    bus_add(&p->m.bus, (struct bus_region){"rom", ROM_BASE, sizeof bytes, &ops, bytes, bytes});
    for (unsigned i = 0; i < 2; i++)
        poke_64(p, pa(LEAVES, (ROM_PAGE + i) * 8),
                (uint64_t)(ROM_BASE / PAGE + i) << 10 | PTE_FRESH);
    return bytes;
}

static void entry_of_rom_code(struct hart_bench *p, uint64_t seed)
{
    (void)seed;
    const uint32_t code[] = {addi(10, 10, 1), addi(12, 12, 1), sd(7, 6, 0),
                             addi(11, 11, 1), addi(11, 11, 1), SELF_LOOP};
    memcpy(add_rom(p), code, sizeof code);
    p->s->x[5] = ROM_PAGE * PAGE;
    p->s->x[6] = LEAVES * PAGE + ROM_PAGE * 8;
    p->s->x[7] = pte(CODE_2, PTE_USED);
    PROGRAM(p, CODE, jalr(0, 5, 0));
    PROGRAM(p, CODE_2, 0, 0, 0, addi(11, 11, 16), addi(11, 11, 16));
}

Test(coherence, store_over_the_entry_of_running_code_in_a_rom)
{
    run_all_ways(&b, entry_of_rom_code, 1, 1, 12);
    cr_assert(b.s->x[10] == 1 && b.s->x[12] == 1);
    cr_assert_eq(b.s->x[11], 32, "the next step is the other page's");
    cr_assert_eq(b.s->x[30], 0);
    bench_fini(&b);
}

/* Loops, instructions across its pages, branches out of it and back. */
static void runs_in_rom(struct hart_bench *p, uint64_t seed)
{
    const uint32_t code[] = {addi(10, 10, 1), addi(11, 11, 3), bne(10, 8, -8), addi(12, 12, 7),
                             jalr(0, 7, 0)};
    unsigned at = PAGE - 2 - 4 * (unsigned)seed;
    memcpy(add_rom(p) + at, code, sizeof code);
    p->s->x[5] = ROM_PAGE * PAGE + at;
    p->s->x[7] = CODE * PAGE + 4;
    p->s->x[8] = 9;
    PROGRAM(p, CODE, jalr(1, 5, 0), addi(13, 13, 1));
}

Test(coherence, loops_in_a_rom)
{
    for (uint64_t seed = 0; seed < 6; seed++) {
        run_all_ways(&b, runs_in_rom, seed, 1, 60);
        cr_assert(b.s->x[10] == 9 && b.s->x[11] == 27 && b.s->x[12] == 7 && b.s->x[13] == 1);
        cr_assert_eq(b.s->x[30], 0);
        bench_fini(&b);
    }
}

static void loads_from_rom(struct hart_bench *p, uint64_t seed)
{
    add_rom(p);
    p->s->x[5] = ROM_PAGE * PAGE + seed;
    p->s->x[6] = (ROM_PAGE + 2) * PAGE - 4;
    poke_64(p, pa(ROM_PAGE + 2, 0), 0x5555555555555555);
    PROGRAM(p, CODE, ld(10, 5, 0), lw(11, 5, 1), ld(12, 6, 0), sd(10, 5, 0));
}

/* At any alignment, over its pages and over its end into RAM. Stores there are faults. */
Test(coherence, loads_from_a_rom)
{
    for (uint64_t at = PAGE - 9; at < PAGE + 2; at++) {
        uint64_t expected = 0;
        for (unsigned i = 0; i < 8; i++)
            expected |= (hash_mix(at + i) & 255) << 8 * i;
        run_all_ways(&b, loads_from_rom, at, 1, 24);
        cr_assert_eq(b.s->x[10], expected, "%lu", at);
        cr_assert_eq((uint32_t)b.s->x[11] & 0xffffff, expected >> 8 & 0xffffff);
        cr_assert_eq(b.s->x[12] >> 32, 0x55555555);
        cr_assert_eq(b.s->x[30], 1, "the store");
        bench_fini(&b);
    }
}
