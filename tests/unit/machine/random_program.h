/* Random programs that store into their own code and their page tables, through aliases too, with
 * atomic operations, faults, and privilege that comes and goes. */
#ifndef TESTS_UNIT_MACHINE_RANDOM_PROGRAM_H
#define TESTS_UNIT_MACHINE_RANDOM_PROGRAM_H

#include "tests/unit/machine/hart_bench.h"

enum { RANDOM_WORDS = 160 };

/* x5 to x9 point to code, data, entries; x10 to x17 are for use. */
static inline unsigned work(uint64_t r)
{
    return 10 + r % 8;
}

static inline uint32_t random_instruction(uint64_t r)
{
    unsigned kind = r % 24, rd = work(r >> 8), rs = work(r >> 16), base = 5 + (r >> 24) % 5;
    int near = (int)((r >> 32) % 16) * 4, offset = (int)((r >> 36) % 64) * 8;
    int jump = ((int)((r >> 42) % 16) - 6) * 4;
    switch (kind) {
    case 0:
        return addi(rd, rs, (int)(r >> 50) - 8192);
    case 1:
        return add(rd, rs, work(r >> 50));
    case 2:
        return 0x06050505u + ((uint32_t)(r >> 40) & 0x00780078); /* two compressed ones */
    case 3:
        return bne(rd, rs, jump ? jump : 8);
    case 4:
        return jal((r >> 50) % 2, jump ? jump : 8);
    case 5:
        return ld(rd, base, offset);
    case 6:
        return lw(rd, base, offset + 2);
    case 7:
        return ld(rd, base, (offset - 4) & 4095);
    case 8:
        return sd(rs, 7, offset);
    case 9:
        return sw(18 + (r >> 50) % 6, 5, near + (int)((r >> 54) % 8) * 64);
    case 10:
        return sh(18 + (r >> 50) % 6, 5, near + 2);
    case 11:
        return sd(24 + (r >> 50) % 4, 8, (int)(r >> 54) % 12 * 8);
    case 12:
        return fsd(work(r >> 50), 7, offset);
    case 13:
        return fld(work(r >> 50), base, offset);
    case 14:
        return amo((r >> 50) % 2, 2 + (r >> 52) % 2, rd, rs, 7);
    case 15:
        return amo(2, 3, rd, 0, 7);
    case 16:
        return amo(3, 3, rd, rs, 7);
    case 17:
        return amo(1, 2, rd, 18 + (r >> 50) % 6, 5);
    case 18:
        return r >> 50 & 3 ? addi(rd, rs, 1) : cbo_zero(7);
    case 19:
        return csrrs(rd, r >> 50 & 1 ? 0xc00 : CSR_SATP, 0);
    case 20:
        return (uint32_t)(r >> 20) | 3;
    case 21:
        return r >> 50 & 1 ? PAUSE_INSN : 0x100073;
    case 22:
        return r >> 50 & 1 ? csrrw(0, 0x100, 28) : csrrw(0, 0x100, 29);
    default:
        return sd(rs, 9, (offset - 3) & 4095);
    }
}

static inline void random_program(struct hart_bench *p, uint64_t seed)
{
    uint64_t r = hash_mix(seed + 1);
    for (unsigned page = CODE; page <= CODE_3; page++)
        for (unsigned i = 0; i < PAGE / 4; i++) {
            r = hash_mix(r + 1);
            uint32_t insn = random_instruction(r);
            if (i % RANDOM_WORDS == RANDOM_WORDS - 1)
                insn = jal(0, -4 * (RANDOM_WORDS - 1));
            poke(p, pa(page, i * 4), &insn, 4);
        }
    for (unsigned i = 0; i < p->m.config.cpus; i++) {
        struct riscv_state *s = bench_hart(p, i);
        s->pc = seed % 3 == 0 ? CODE_2 * PAGE - 6 : (CODE + i) * PAGE;
        s->mcounteren = 7;
        s->mstatus |= MSTATUS_SUM;
        s->x[5] = CODE * PAGE + (seed % 5 == 0 ? PAGE - 64 : 0);
        s->x[6] = CODE_2 * PAGE;
        s->x[7] = DATA * PAGE + (seed % 2 ? PAGE - 128 : 0);
        s->x[8] = LEAVES * PAGE + 8;
        s->x[9] = DATA_2 * PAGE;
        for (unsigned k = 18; k < 24; k++) {
            r = hash_mix(r + 1);
            s->x[k] = random_instruction(r);
        }
        for (unsigned k = 24; k < 28; k++) {
            r = hash_mix(r + 1);
            s->x[k] = pte(r % 2 ? CODE + r / 4 % 3 : DATA + r / 4 % 2,
                          r >> 20 & 1 ? PTE_FRESH : PTE_USED);
        }
        s->x[28] = MSTATUS_FS | MSTATUS_SUM | MSTATUS_MXR;
        s->x[29] = r & 1 ? MSTATUS_SUM : MSTATUS_FS;
        s->x[31] = CODE_2 * PAGE;
    }
}

static inline unsigned harts_of(uint64_t seed)
{
    return 1 + seed % 2;
}

#endif
