/* Control and status registers: privileged spec, ch. 2 to 4; Sstc; Zicbom and Zicboz's envcfg. */
#include "machine/riscv/hart.h"

#include "base/check.h"

enum csr {
    FFLAGS = 0x001,
    FRM = 0x002,
    FCSR = 0x003,
    SSTATUS = 0x100,
    SIE = 0x104,
    STVEC = 0x105,
    SCOUNTEREN = 0x106,
    SENVCFG = 0x10a,
    SSCRATCH = 0x140,
    SEPC = 0x141,
    SCAUSE = 0x142,
    STVAL = 0x143,
    SIP = 0x144,
    STIMECMP = 0x14d,
    SATP = 0x180,
    MSTATUS = 0x300,
    MISA = 0x301,
    MEDELEG = 0x302,
    MIDELEG = 0x303,
    MIE = 0x304,
    MTVEC = 0x305,
    MCOUNTEREN = 0x306,
    MENVCFG = 0x30a,
    MCOUNTINHIBIT = 0x320,
    MHPMEVENT3 = 0x323,
    MHPMEVENT31 = 0x33f,
    MSCRATCH = 0x340,
    MEPC = 0x341,
    MCAUSE = 0x342,
    MTVAL = 0x343,
    MIP = 0x344,
    PMPCFG0 = 0x3a0,
    PMPCFG2 = 0x3a2,
    PMPADDR0 = 0x3b0,
    PMPADDR15 = 0x3bf,
    MCYCLE = 0xb00,
    MINSTRET = 0xb02,
    MHPMCOUNTER3 = 0xb03,
    MHPMCOUNTER31 = 0xb1f,
    CYCLE = 0xc00,
    TIME = 0xc01,
    INSTRET = 0xc02,
    HPMCOUNTER31 = 0xc1f,
    MVENDORID = 0xf11,
    MARCHID = 0xf12,
    MIMPID = 0xf13,
    MHARTID = 0xf14,
    MCONFIGPTR = 0xf15
};

#define MISA_VALUE                                                                                 \
    (2ull << 62 | 1 << 0 | 1 << 2 | 1 << 3 | 1 << 5 | 1 << 8 | 1 << 12 | 1 << 18 | 1 << 20)

#define SSTATUS_MASK                                                                               \
    (MSTATUS_SIE | MSTATUS_SPIE | MSTATUS_SPP | MSTATUS_FS | MSTATUS_SUM | MSTATUS_MXR)
#define MSTATUS_MASK                                                                               \
    (SSTATUS_MASK | MSTATUS_MIE | MSTATUS_MPIE | MSTATUS_MPP | MSTATUS_MPRV | MSTATUS_TVM |        \
     MSTATUS_TW | MSTATUS_TSR)

#define S_INTERRUPTS (MIP_SSIP | MIP_STIP | MIP_SEIP)
#define ALL_INTERRUPTS (S_INTERRUPTS | MIP_MSIP | MIP_MTIP | MIP_MEIP)
/* Exceptions 0 to 9, 12, 13, 15: not the ecall from M-mode. */
#define DELEGABLE 0xb3ffull
#define SENVCFG_MASK (ENVCFG_FIOM | ENVCFG_CBIE | ENVCFG_CBCFE | ENVCFG_CBZE)
#define MENVCFG_MASK (SENVCFG_MASK | MENVCFG_ADUE | MENVCFG_STCE)
enum { CY = 1, IR = 4 };

static uint64_t mcycle(const struct hart *h)
{
    return h->s.cycle_base + (h->s.mcountinhibit & CY ? 0 : machine_position(h->m));
}

static uint64_t minstret(const struct hart *h)
{
    return h->s.instret_base + (h->s.mcountinhibit & IR ? 0 : h->s.instret);
}

/* A counter written holds the value after the writing step, which counts itself. */
static void write_mcycle(struct hart *h, uint64_t value)
{
    h->s.cycle_base = value - (h->s.mcountinhibit & CY ? 0 : machine_position(h->m) + 1);
}

static void write_minstret(struct hart *h, uint64_t value)
{
    h->s.instret_base = value - (h->s.mcountinhibit & IR ? 0 : h->s.instret + 1);
}

/* Each counter counts the writing step if it was running before it. */
static void write_mcountinhibit(struct hart *h, uint64_t value)
{
    uint64_t cycles = mcycle(h) + !(h->s.mcountinhibit & CY);
    uint64_t instructions = minstret(h) + !(h->s.mcountinhibit & IR);
    h->s.mcountinhibit = value & (CY | IR);
    write_mcycle(h, cycles);
    write_minstret(h, instructions);
}

static uint64_t pmpcfg(const struct hart *h, unsigned first)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < 8; i++)
        value |= (uint64_t)h->s.pmpcfg[first + i] << (8 * i);
    return value;
}

static uint64_t mstatus(const struct hart *h)
{
    uint64_t dirty = (h->s.mstatus & MSTATUS_FS) == MSTATUS_FS ? MSTATUS_SD : 0;
    return h->s.mstatus | MSTATUS_UXL | MSTATUS_SXL | dirty;
}

static bool in_range(unsigned n, unsigned first, unsigned last)
{
    return n >= first && n <= last;
}

static bool read_counters(const struct hart *h, unsigned n, uint64_t *v)
{
    if (n == MCYCLE || n == CYCLE)
        *v = mcycle(h);
    else if (n == MINSTRET || n == INSTRET)
        *v = minstret(h);
    else if (n == TIME)
        *v = riscv_mtime(h->m);
    else if (in_range(n, MHPMCOUNTER3, MHPMCOUNTER31) || in_range(n, INSTRET + 1, HPMCOUNTER31) ||
             in_range(n, MHPMEVENT3, MHPMEVENT31))
        *v = 0;
    else
        return false;
    return true;
}

static bool read_supervisor(const struct hart *h, unsigned n, uint64_t *v)
{
    const struct riscv_state *s = &h->s;
    switch (n) {
    case SSTATUS:
        *v = mstatus(h) & (SSTATUS_MASK | MSTATUS_UXL | MSTATUS_SD);
        return true;
    case SIE:
        *v = s->mie & s->mideleg;
        return true;
    case STVEC:
        *v = s->stvec;
        return true;
    case SCOUNTEREN:
        *v = s->scounteren;
        return true;
    case SENVCFG:
        *v = s->senvcfg;
        return true;
    case SSCRATCH:
        *v = s->sscratch;
        return true;
    case SEPC:
        *v = s->sepc;
        return true;
    case SCAUSE:
        *v = s->scause;
        return true;
    case STVAL:
        *v = s->stval;
        return true;
    case SIP:
        *v = hart_mip(h) & s->mideleg;
        return true;
    case STIMECMP:
        *v = s->stimecmp;
        return true;
    case SATP:
        *v = s->satp;
        return true;
    }
    return false;
}

static bool read_machine(const struct hart *h, unsigned n, uint64_t *v)
{
    const struct riscv_state *s = &h->s;
    switch (n) {
    case MSTATUS:
        *v = mstatus(h);
        return true;
    case MISA:
        *v = MISA_VALUE;
        return true;
    case MEDELEG:
        *v = s->medeleg;
        return true;
    case MIDELEG:
        *v = s->mideleg;
        return true;
    case MIE:
        *v = s->mie;
        return true;
    case MTVEC:
        *v = s->mtvec;
        return true;
    case MCOUNTEREN:
        *v = s->mcounteren;
        return true;
    case MENVCFG:
        *v = s->menvcfg;
        return true;
    case MCOUNTINHIBIT:
        *v = s->mcountinhibit;
        return true;
    case MSCRATCH:
        *v = s->mscratch;
        return true;
    case MEPC:
        *v = s->mepc;
        return true;
    case MCAUSE:
        *v = s->mcause;
        return true;
    case MTVAL:
        *v = s->mtval;
        return true;
    case MIP:
        *v = hart_mip(h);
        return true;
    case PMPCFG0:
    case PMPCFG2:
        *v = pmpcfg(h, (n - PMPCFG0) * 4);
        return true;
    case MHARTID:
        *v = h->cpu.index;
        return true;
    case MVENDORID:
    case MARCHID:
    case MIMPID:
    case MCONFIGPTR:
        *v = 0;
        return true;
    }
    if (in_range(n, PMPADDR0, PMPADDR15)) {
        *v = s->pmpaddr[n - PMPADDR0];
        return true;
    }
    return false;
}

bool csr_peek(const struct hart *h, unsigned n, uint64_t *v)
{
    switch (n) {
    case FFLAGS:
        *v = h->s.fflags;
        return true;
    case FRM:
        *v = h->s.frm;
        return true;
    case FCSR:
        *v = h->s.fflags | (uint64_t)h->s.frm << 5;
        return true;
    }
    return read_counters(h, n, v) || read_supervisor(h, n, v) || read_machine(h, n, v);
}

static void write_mstatus(struct hart *h, uint64_t value, uint64_t mask)
{
    uint64_t old = h->s.mstatus;
    uint64_t now = (old & ~mask) | (value & mask);
    if ((now & MSTATUS_MPP) == 2ull << 11)
        now = (now & ~MSTATUS_MPP) | (old & MSTATUS_MPP);
    h->s.mstatus = now;
    if ((old ^ now) & MSTATUS_MXR)
        hart_flush_data(h);
}

static void write_satp(struct hart *h, uint64_t value)
{
    unsigned mode = (unsigned)(value >> 60);
    if (mode != 0 && !in_range(mode, 8, 10))
        return;
    if (h->s.satp != value) {
        h->s.satp = value;
        hart_flush(h);
    }
}

static void write_menvcfg(struct hart *h, uint64_t value)
{
    uint64_t old = h->s.menvcfg;
    uint64_t now = value & MENVCFG_MASK;
    if ((now & ENVCFG_CBIE) == 2ull << 4)
        now = (now & ~ENVCFG_CBIE) | (old & ENVCFG_CBIE);
    h->s.menvcfg = now;
    if ((old ^ now) & MENVCFG_STCE) {
        h->s.mip &= ~MIP_STIP;
        hart_update_stimer(h);
    }
    if ((old ^ now) & MENVCFG_ADUE)
        hart_flush(h);
}

static void write_senvcfg(struct hart *h, uint64_t value)
{
    if ((value & ENVCFG_CBIE) == 2ull << 4)
        value = (value & ~ENVCFG_CBIE) | (h->s.senvcfg & ENVCFG_CBIE);
    h->s.senvcfg = value & SENVCFG_MASK;
}

static void write_mip(struct hart *h, uint64_t value, uint64_t mask)
{
    if (h->s.menvcfg & MENVCFG_STCE)
        mask &= ~MIP_STIP;
    h->s.mip = (h->s.mip & ~mask) | (value & mask);
}

static uint64_t tvec(uint64_t value)
{
    return value & ~2ull;
}

static bool write_supervisor(struct hart *h, unsigned n, uint64_t value)
{
    struct riscv_state *s = &h->s;
    switch (n) {
    case SSTATUS:
        write_mstatus(h, value, SSTATUS_MASK);
        return true;
    case SIE:
        s->mie = (s->mie & ~s->mideleg) | (value & s->mideleg);
        return true;
    case STVEC:
        s->stvec = tvec(value);
        return true;
    case SCOUNTEREN:
        s->scounteren = (uint32_t)value;
        return true;
    case SENVCFG:
        write_senvcfg(h, value);
        return true;
    case SSCRATCH:
        s->sscratch = value;
        return true;
    case SEPC:
        s->sepc = value & ~1ull;
        return true;
    case SCAUSE:
        s->scause = value;
        return true;
    case STVAL:
        s->stval = value;
        return true;
    case SIP:
        write_mip(h, value, MIP_SSIP & s->mideleg);
        return true;
    case STIMECMP:
        s->stimecmp = value;
        hart_update_stimer(h);
        return true;
    case SATP:
        write_satp(h, value);
        return true;
    }
    return false;
}

static bool write_machine(struct hart *h, unsigned n, uint64_t value)
{
    struct riscv_state *s = &h->s;
    switch (n) {
    case MSTATUS:
        write_mstatus(h, value, MSTATUS_MASK);
        return true;
    case MEDELEG:
        s->medeleg = value & DELEGABLE;
        return true;
    case MIDELEG:
        s->mideleg = value & S_INTERRUPTS;
        return true;
    case MIE:
        s->mie = value & ALL_INTERRUPTS;
        return true;
    case MTVEC:
        s->mtvec = tvec(value);
        return true;
    case MCOUNTEREN:
        s->mcounteren = (uint32_t)value;
        return true;
    case MENVCFG:
        write_menvcfg(h, value);
        return true;
    case MCOUNTINHIBIT:
        write_mcountinhibit(h, value);
        return true;
    case MSCRATCH:
        s->mscratch = value;
        return true;
    case MEPC:
        s->mepc = value & ~1ull;
        return true;
    case MCAUSE:
        s->mcause = value;
        return true;
    case MTVAL:
        s->mtval = value;
        return true;
    case MIP:
        write_mip(h, value, S_INTERRUPTS);
        return true;
    case PMPCFG0:
    case PMPCFG2:
        pmp_write_cfg(h, (n - PMPCFG0) * 4, value);
        return true;
    case MCYCLE:
        write_mcycle(h, value);
        return true;
    case MINSTRET:
        write_minstret(h, value);
        return true;
    case MISA:
        return true;
    }
    if (in_range(n, PMPADDR0, PMPADDR15)) {
        pmp_write_addr(h, n - PMPADDR0, value);
        return true;
    }
    return in_range(n, MHPMCOUNTER3, MHPMCOUNTER31) || in_range(n, MHPMEVENT3, MHPMEVENT31);
}

static void make_fp_dirty(struct hart *h)
{
    h->s.mstatus |= MSTATUS_FS;
}

bool csr_poke(struct hart *h, unsigned n, uint64_t value)
{
    switch (n) {
    case FFLAGS:
        h->s.fflags = value & 31;
        make_fp_dirty(h);
        return true;
    case FRM:
        h->s.frm = value & 7;
        make_fp_dirty(h);
        return true;
    case FCSR:
        h->s.fflags = value & 31;
        h->s.frm = value >> 5 & 7;
        make_fp_dirty(h);
        return true;
    }
    if (n >> 10 == 3)
        return false;
    return write_supervisor(h, n, value) || write_machine(h, n, value);
}

/* cycle, time, instret and hpmcounters from below M-mode. Privileged spec, 3.1.11. */
static bool counter_enabled(const struct hart *h, unsigned n)
{
    unsigned bit = n & 31;
    if (h->s.priv < PRIV_M && !(h->s.mcounteren >> bit & 1))
        return false;
    return h->s.priv != PRIV_U || (h->s.scounteren >> bit & 1);
}

/* stimecmp from S-mode needs menvcfg.STCE and mcounteren.TM. Sstc, 2.1. */
static bool stimecmp_enabled(const struct hart *h)
{
    return h->s.priv == PRIV_M ||
           ((h->s.menvcfg & MENVCFG_STCE) && (h->s.mcounteren >> (TIME & 31) & 1));
}

static bool accessible(const struct hart *h, unsigned n, bool write)
{
    if (h->s.priv < (n >> 8 & 3) || (write && n >> 10 == 3))
        return false;
    if (n <= FCSR)
        return h->s.mstatus & MSTATUS_FS;
    if (in_range(n, CYCLE, HPMCOUNTER31))
        return counter_enabled(h, n);
    if (n == STIMECMP)
        return stimecmp_enabled(h);
    if (n == SATP)
        return h->s.priv != PRIV_S || !(h->s.mstatus & MSTATUS_TVM);
    return true;
}

/* What csrrs and csrrc modify: for mip and sip the software-writable SEIP, not the wire.
 * Privileged spec, 3.1.9. */
static uint64_t value_to_modify(const struct hart *h, unsigned n, uint64_t value)
{
    if (n == MIP)
        return (value & ~MIP_SEIP) | (h->s.mip & MIP_SEIP);
    return value;
}

enum result csr_execute(struct hart *h, uint32_t insn)
{
    unsigned n = insn >> 20, rs1 = insn >> 15 & 31, rd = insn >> 7 & 31, operation = insn >> 12 & 3;
    bool write = operation == 1 || rs1;
    uint64_t old, operand = insn >> 14 & 1 ? rs1 : h->s.x[rs1];
    if (!accessible(h, n, write) || !csr_peek(h, n, &old))
        return raise(h, CAUSE_ILLEGAL, insn);
    uint64_t base = value_to_modify(h, n, old);
    uint64_t value = operation == 1 ? operand : operation == 2 ? base | operand : base & ~operand;
    if (write)
        check(csr_poke(h, n, value), "csr %#x reads and does not write", n);
    if (rd)
        h->s.x[rd] = old;
    return DONE_END;
}
