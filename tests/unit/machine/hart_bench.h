/* Real harts on a machine without devices, and the few instructions needed to write programs for
 * them by hand. A program runs in S-mode under Sv39, where virtual page n is physical page n of RAM
 * and all is allowed; its own page tables are pages ROOT, MIDDLE and LEAVES. Traps go to M-mode,
 * which counts them in x30 and skips 4 bytes, or goes to x31 when the fetch has failed. */
#ifndef TESTS_UNIT_MACHINE_HART_BENCH_H
#define TESTS_UNIT_MACHINE_HART_BENCH_H

#include "base/endian.h"
#include "base/hash.h"
#include "machine/riscv/hart.h"

#include <criterion/criterion.h>
#include <string.h>

#define BASE UINT64_C(0x80000000)

enum { PAGE = RAM_PAGE_SIZE, BENCH_PAGES = 1024 };
/* Physical pages with a purpose. */
enum { CODE = 1, CODE_2, CODE_3, DATA = 8, DATA_2, HANDLER = 16, ROOT = 32, MIDDLE, LEAVES };
/* Leaf entries: all rights, accessed and dirty or not. */
enum { PTE_FRESH = 0x0f, PTE_USED = 0xcf, PTE_USER = 0xdf, PTE_POINTER = 0x01 };

static inline uint64_t pte(uint64_t page, unsigned bits)
{
    return (BASE / PAGE + page) << 10 | bits;
}

static inline uint64_t pa(uint64_t page, uint64_t offset)
{
    return BASE + page * PAGE + offset;
}

/* ---- instructions ---- */

static inline uint32_t i_type(int imm, unsigned rs1, unsigned f3, unsigned rd, unsigned opcode)
{
    return (uint32_t)imm << 20 | rs1 << 15 | f3 << 12 | rd << 7 | opcode;
}

static inline uint32_t s_type(int imm, unsigned rs2, unsigned rs1, unsigned f3, unsigned opcode)
{
    uint32_t i = (uint32_t)imm;
    return (i >> 5 & 127) << 25 | rs2 << 20 | rs1 << 15 | f3 << 12 | (i & 31) << 7 | opcode;
}

static inline uint32_t addi(unsigned rd, unsigned rs1, int imm)
{
    return i_type(imm, rs1, 0, rd, 0x13);
}

static inline uint32_t add(unsigned rd, unsigned rs1, unsigned rs2)
{
    return rs2 << 20 | rs1 << 15 | rd << 7 | 0x33;
}

static inline uint32_t ld(unsigned rd, unsigned rs1, int imm)
{
    return i_type(imm, rs1, 3, rd, 0x03);
}

static inline uint32_t lw(unsigned rd, unsigned rs1, int imm)
{
    return i_type(imm, rs1, 2, rd, 0x03);
}

static inline uint32_t sd(unsigned rs2, unsigned rs1, int imm)
{
    return s_type(imm, rs2, rs1, 3, 0x23);
}

static inline uint32_t sw(unsigned rs2, unsigned rs1, int imm)
{
    return s_type(imm, rs2, rs1, 2, 0x23);
}

static inline uint32_t sh(unsigned rs2, unsigned rs1, int imm)
{
    return s_type(imm, rs2, rs1, 1, 0x23);
}

static inline uint32_t fld(unsigned rd, unsigned rs1, int imm)
{
    return i_type(imm, rs1, 3, rd, 0x07);
}

static inline uint32_t fsd(unsigned rs2, unsigned rs1, int imm)
{
    return s_type(imm, rs2, rs1, 3, 0x27);
}

/* Of a word (width 2) or doubleword (3): amoadd 0, amoswap 1, lr 2, sc 3. */
static inline uint32_t amo(unsigned f5, unsigned width, unsigned rd, unsigned rs2, unsigned rs1)
{
    return f5 << 27 | rs2 << 20 | rs1 << 15 | width << 12 | rd << 7 | 0x2f;
}

static inline uint32_t cbo_zero(unsigned rs1)
{
    return i_type(4, rs1, 2, 0, 0x0f);
}

static inline uint32_t jal(unsigned rd, int imm)
{
    uint32_t i = (uint32_t)imm;
    return (i >> 20 & 1) << 31 | (i >> 1 & 1023) << 21 | (i >> 11 & 1) << 20 |
           (i >> 12 & 255) << 12 | rd << 7 | 0x6f;
}

static inline uint32_t jalr(unsigned rd, unsigned rs1, int imm)
{
    return i_type(imm, rs1, 0, rd, 0x67);
}

static inline uint32_t bne(unsigned rs1, unsigned rs2, int imm)
{
    uint32_t i = (uint32_t)imm;
    return (i >> 12 & 1) << 31 | (i >> 5 & 63) << 25 | rs2 << 20 | rs1 << 15 | 1 << 12 |
           (i >> 1 & 15) << 8 | (i >> 11 & 1) << 7 | 0x63;
}

static inline uint32_t csrrw(unsigned rd, unsigned csr, unsigned rs1)
{
    return csr << 20 | rs1 << 15 | 1 << 12 | rd << 7 | 0x73;
}

static inline uint32_t csrrs(unsigned rd, unsigned csr, unsigned rs1)
{
    return csr << 20 | rs1 << 15 | 2 << 12 | rd << 7 | 0x73;
}

static inline uint32_t csrrc(unsigned rd, unsigned csr, unsigned rs1)
{
    return csr << 20 | rs1 << 15 | 3 << 12 | rd << 7 | 0x73;
}

enum {
    PAUSE_INSN = 0x0100000f,
    WFI_INSN = 0x10500073,
    MRET_INSN = 0x30200073,
    SELF_LOOP = 0x0000006f
};
enum { CSR_SATP = 0x180, CSR_MSTATUS = 0x300, CSR_MEPC = 0x341, CSR_MCAUSE = 0x342 };

/* ---- the machine ---- */

struct hart_bench {
    struct machine m;
    struct riscv_state *s; /* of hart 0 */
};

static inline struct riscv_state *bench_hart(struct hart_bench *b, unsigned i)
{
    return &hart_of(b->m.cpu[i])->s;
}

static inline void poke(struct hart_bench *b, uint64_t at, const void *bytes, size_t size)
{
    ram_write(&b->m.ram, at, bytes, size);
}

static inline void poke_64(struct hart_bench *b, uint64_t at, uint64_t value)
{
    poke(b, at, &value, 8);
}

static inline uint64_t peek_64(const struct hart_bench *b, uint64_t at)
{
    return load_le64(ram_at(&b->m.ram, at));
}

/* A program ends with an instruction that jumps to itself. */
#define PROGRAM(b, page, ...)                                                                      \
    do {                                                                                           \
        const uint32_t program_[] = {__VA_ARGS__, SELF_LOOP};                                      \
        poke(b, pa(page, 0), program_, sizeof program_);                                           \
    } while (0)

static inline void bench_tables(struct hart_bench *b)
{
    poke_64(b, pa(ROOT, 0), pte(MIDDLE, PTE_POINTER));
    poke_64(b, pa(MIDDLE, 0), pte(LEAVES, PTE_POINTER));
    for (unsigned i = 0; i < 64; i++)
        poke_64(b, pa(LEAVES, i * 8), pte(i, PTE_FRESH));
}

static inline void bench_handler(struct hart_bench *b)
{
    static const uint32_t handler[] = {
        0x340f9ff3, /* csrrw x31, mscratch, x31 */
        0x34202ff3, /* csrr  x31, mcause */
        0x001f0f13, /* addi  x30, x30, 1 */
        0xff4f8f93, /* addi  x31, x31, -12 */
        0x000f8c63, /* beqz  x31, +24 */
        0x34102ff3, /* csrr  x31, mepc */
        0x004f8f93, /* addi  x31, x31, 4 */
        0x341f9073, /* csrw  mepc, x31 */
        0x34002ff3, /* csrr  x31, mscratch */
        0x30200073, /* mret */
        0x34002ff3, /* csrr  x31, mscratch */
        0x341f9073, /* csrw  mepc, x31 */
        0x30200073, /* mret */
    };
    poke(b, pa(HANDLER, 0), handler, sizeof handler);
}

/* All harts in S-mode at the start of page CODE. */
static inline void bench_init(struct hart_bench *b, unsigned harts)
{
    struct error err = ERROR_INIT;
    const struct machine_config config = {
        .ram_base = BASE, .ram_size = BENCH_PAGES * PAGE, .cpus = harts, .shift = 3, .quantum = 23};
    cr_assert(machine_init(&b->m, &config, &err), "%s", err.message);
    riscv_add_harts(&b->m, pa(CODE, 0));
    machine_reset(&b->m);
    b->s = bench_hart(b, 0);
    bench_tables(b);
    bench_handler(b);
    for (unsigned i = 0; i < harts; i++) {
        struct riscv_state *s = bench_hart(b, i);
        s->priv = PRIV_S;
        s->pc = CODE * PAGE;
        s->satp = 8ull << 60 | (BASE / PAGE + ROOT);
        s->mstatus = MSTATUS_FS;
        s->menvcfg |= ENVCFG_CBZE;
        s->mtvec = pa(HANDLER, 0);
        s->pmpaddr[0] = (1ull << 54) - 1;
        s->pmpcfg[0] = 0x1f;
    }
}

static inline void bench_fini(struct hart_bench *b)
{
    machine_fini(&b->m);
}

/* Everything guest-visible. */
static inline void assert_same(const struct hart_bench *a, const struct hart_bench *b,
                               const char *what)
{
    struct buffer saved = {0}, lines = {0};
    machine_save(&a->m, &saved);
    size_t differ = machine_diff(&b->m, saved.data, saved.size, 12, &lines);
    cr_assert_eq(differ, 0, "%s, at %lu:\n%s", what, machine_position(&a->m), buffer_text(&lines));
    for (uint64_t i = 0; i < a->m.ram.pages; i++)
        cr_assert_eq(memcmp(a->m.ram.host + i * PAGE, b->m.ram.host + i * PAGE, PAGE), 0,
                     "%s, at %lu: page %lu", what, machine_position(&a->m), i);
    buffer_fini(&saved);
    buffer_fini(&lines);
}

enum { DROP_ALL = CPU_DROP_TRANSLATIONS | CPU_DROP_CODE };

/* One step after the other, and nothing is remembered between them. */
static inline void run_forgetful(struct hart_bench *b, uint64_t until)
{
    while (machine_position(&b->m) < until) {
        machine_drop_caches(&b->m, DROP_ALL);
        cr_assert_eq(machine_run(&b->m, machine_position(&b->m) + 1), MACHINE_LIMIT);
    }
}

/* x5 = VA of data, x6 = VA of its leaf entry, x7 = another entry for it. */
static inline void data_registers(struct hart_bench *p)
{
    p->s->x[5] = DATA * PAGE;
    p->s->x[6] = LEAVES * PAGE + DATA * 8;
    p->s->x[7] = pte(DATA_2, PTE_FRESH);
    poke_64(p, pa(DATA, 0), 0x11);
    poke_64(p, pa(DATA_2, 0), 0x22);
}

typedef void setup_fn(struct hart_bench *b, uint64_t seed);

static inline void start(struct hart_bench *b, setup_fn *setup, uint64_t seed, unsigned harts)
{
    bench_init(b, harts);
    setup(b, seed);
}

/* Runs of every length in one go, and one chopped and with caches dropped here and there, are the
 * run that remembers nothing. The last is left in *b. */
static inline void run_all_ways(struct hart_bench *b, setup_fn *setup, uint64_t seed,
                                unsigned harts, uint64_t steps)
{
    static struct hart_bench whole, chopped;
    start(b, setup, seed, harts);
    start(&chopped, setup, seed, harts);
    for (uint64_t n = 0; n <= steps; n++) {
        run_forgetful(b, n);
        start(&whole, setup, seed, harts);
        machine_run(&whole.m, n);
        assert_same(b, &whole, "in one go");
        bench_fini(&whole);
        uint64_t r = hash_mix(seed * 1000 + n + 1);
        if (r & 4)
            continue;
        machine_run(&chopped.m, n);
        assert_same(b, &chopped, "chopped");
        machine_drop_caches(&chopped.m, r & DROP_ALL);
    }
    bench_fini(&chopped);
}

#endif
