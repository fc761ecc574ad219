/* Traps, interrupts, xRET, WFI. Privileged spec, 3.1.6 to 3.1.9, 3.3, 4.1. */
#include "machine/riscv/hart.h"

#include <inttypes.h>

/* Interrupts of `pending` by priority. Privileged spec, 3.1.9. */
static int highest(uint64_t pending)
{
    static const uint8_t order[] = {11, 3, 7, 9, 1, 5};
    for (unsigned i = 0; i < sizeof order; i++)
        if (pending >> order[i] & 1)
            return order[i];
    return -1;
}

int trap_pending_interrupt(const struct hart *h)
{
    uint64_t pending = hart_mip(h) & h->s.mie;
    if (!pending)
        return -1;
    bool m_on = h->s.priv < PRIV_M || (h->s.mstatus & MSTATUS_MIE);
    bool s_on = h->s.priv < PRIV_S || (h->s.priv == PRIV_S && (h->s.mstatus & MSTATUS_SIE));
    int irq = m_on ? highest(pending & ~h->s.mideleg) : -1;
    if (irq < 0 && s_on)
        irq = highest(pending & h->s.mideleg);
    return irq;
}

static uint64_t vector(uint64_t tvec, bool interrupt, uint64_t cause)
{
    return (tvec & ~3ull) + (interrupt && (tvec & 1) ? 4 * cause : 0);
}

static void enter_s(struct hart *h, bool interrupt, uint64_t cause, uint64_t tval)
{
    uint64_t status = h->s.mstatus;
    h->s.scause = cause | (uint64_t)interrupt << 63;
    h->s.sepc = h->s.pc;
    h->s.stval = tval;
    status &= ~(MSTATUS_SPIE | MSTATUS_SPP);
    if (h->s.mstatus & MSTATUS_SIE)
        status |= MSTATUS_SPIE;
    if (h->s.priv == PRIV_S)
        status |= MSTATUS_SPP;
    h->s.mstatus = status & ~MSTATUS_SIE;
    h->s.priv = PRIV_S;
    h->s.pc = vector(h->s.stvec, interrupt, cause);
}

static void enter_m(struct hart *h, bool interrupt, uint64_t cause, uint64_t tval)
{
    uint64_t status = h->s.mstatus;
    h->s.mcause = cause | (uint64_t)interrupt << 63;
    h->s.mepc = h->s.pc;
    h->s.mtval = tval;
    status &= ~(MSTATUS_MPIE | MSTATUS_MPP);
    if (h->s.mstatus & MSTATUS_MIE)
        status |= MSTATUS_MPIE;
    status |= (uint64_t)h->s.priv << 11;
    h->s.mstatus = status & ~MSTATUS_MIE;
    h->s.priv = PRIV_M;
    h->s.pc = vector(h->s.mtvec, interrupt, cause);
}

/* No step of another kind pays for it: instret says whether something was done since. */
static void count_trap(struct hart *h, uint64_t cause)
{
    struct trap_rows *r = &h->rows;
    uint64_t position = machine_position(h->m), pc = h->s.pc;
    if (!r->still || r->instret != h->s.instret) {
        r->still = 0;
        r->still_from = position;
        r->instret = h->s.instret;
    }
    if (!r->nested || r->pc != pc || r->cause != cause) {
        r->nested = 0;
        r->nested_from = position;
        r->pc = pc;
        r->cause = cause;
    }
    bool still = ++r->still == TRAPS_STILL, nested = ++r->nested == TRAPS_NESTED;
    if (!still && !nested)
        return;
    h->m->trap_loop = (struct trap_loop){.found = true,
                                         .hart = h->cpu.index,
                                         .traps = still ? r->still : r->nested,
                                         .position = still ? r->still_from : r->nested_from,
                                         .pc = pc,
                                         .cause = cause};
    machine_pause(h->m);
}

static bool trap_stops(struct hart *h, uint64_t cause)
{
    struct machine *m = h->m;
    struct hit hit = {.kinds = HIT_TRAP,
                      .hart = h->cpu.index,
                      .position = machine_position(m),
                      .address = h->s.pc,
                      .cause = cause};
    if (!m->points.hit(m->points.ctx, &hit))
        return false;
    hart_unmark(h);
    return true;
}

bool trap_enter(struct hart *h, bool interrupt, uint64_t cause, uint64_t tval)
{
    if (h->m->points.traps && trap_stops(h, cause | (uint64_t)interrupt << 63))
        return false;
    if (h->m->watch & MACHINE_WATCH_TRAPS)
        count_trap(h, cause | (uint64_t)interrupt << 63);
    uint64_t delegated = interrupt ? h->s.mideleg : h->s.medeleg;
    if (h->s.priv <= PRIV_S && (delegated >> cause & 1))
        enter_s(h, interrupt, cause, tval);
    else
        enter_m(h, interrupt, cause, tval);
    return true;
}

static enum result illegal(struct hart *h, uint32_t insn)
{
    return raise(h, CAUSE_ILLEGAL, insn);
}

static enum result mret(struct hart *h, uint32_t insn)
{
    if (h->s.priv != PRIV_M)
        return illegal(h, insn);
    uint64_t status = h->s.mstatus;
    h->s.priv = (uint8_t)((status & MSTATUS_MPP) >> 11);
    status = (status & ~MSTATUS_MIE) | (status & MSTATUS_MPIE ? MSTATUS_MIE : 0);
    status = (status | MSTATUS_MPIE) & ~MSTATUS_MPP;
    if (h->s.priv != PRIV_M)
        status &= ~MSTATUS_MPRV;
    h->s.mstatus = status;
    h->rows.nested = 0;
    h->s.pc = h->s.mepc;
    return DONE_END;
}

static enum result sret(struct hart *h, uint32_t insn)
{
    if (h->s.priv == PRIV_U || (h->s.priv == PRIV_S && (h->s.mstatus & MSTATUS_TSR)))
        return illegal(h, insn);
    uint64_t status = h->s.mstatus;
    h->s.priv = status & MSTATUS_SPP ? PRIV_S : PRIV_U;
    status = (status & ~MSTATUS_SIE) | (status & MSTATUS_SPIE ? MSTATUS_SIE : 0);
    status = (status | MSTATUS_SPIE) & ~(MSTATUS_SPP | MSTATUS_MPRV);
    h->s.mstatus = status;
    h->rows.nested = 0;
    h->s.pc = h->s.sepc;
    return DONE_END;
}

/* A U-mode WFI would have to trap within a bounded time: at once. One that has nothing to wait for
 * ends the turn all the same: whoever loops over it waits for another hart. */
static enum result wfi(struct hart *h, uint32_t insn, uint64_t next)
{
    if (h->s.priv == PRIV_U || (h->s.priv == PRIV_S && (h->s.mstatus & MSTATUS_TW)))
        return illegal(h, insn);
    h->s.pc = next;
    h->s.waiting = !(hart_mip(h) & h->s.mie);
    return h->s.waiting ? DONE_END : DONE_YIELD;
}

static enum result sfence_vma(struct hart *h, uint32_t insn, uint64_t next)
{
    if (h->s.priv == PRIV_U || (h->s.priv == PRIV_S && (h->s.mstatus & MSTATUS_TVM)))
        return illegal(h, insn);
    h->s.pc = next;
    return DONE_END;
}

enum result system_execute(struct hart *h, uint32_t insn, uint64_t next)
{
    static const uint8_t ecall[] = {CAUSE_ECALL_U, CAUSE_ECALL_S, CAUSE_ILLEGAL, CAUSE_ECALL_M};
    switch (insn) {
    case 0x00000073:
        return raise(h, ecall[h->s.priv], 0);
    case 0x00100073:
        if (h->m->semihosting && semihost_is_call(h))
            return semihost_execute(h, next);
        return raise(h, CAUSE_BREAKPOINT, h->s.pc);
    case 0x30200073:
        return mret(h, insn);
    case 0x10200073:
        return sret(h, insn);
    case 0x10500073:
        return wfi(h, insn, next);
    }
    if (insn >> 25 == 0x09 && (insn & 0x7fff) == 0x73)
        return sfence_vma(h, insn, next);
    return illegal(h, insn);
}

/* Is the operation that `bits` in menvcfg and senvcfg gate allowed? */
static bool envcfg_allows(const struct hart *h, uint64_t bits)
{
    if (h->s.priv < PRIV_M && !(h->s.menvcfg & bits))
        return false;
    return h->s.priv != PRIV_U || (h->s.senvcfg & bits);
}

enum result cbo_execute(struct hart *h, uint32_t insn)
{
    enum { INVAL = 0, CLEAN = 1, FLUSH = 2, ZERO = 4 };
    static const uint64_t gate[] = {[INVAL] = ENVCFG_CBIE,
                                    [CLEAN] = ENVCFG_CBCFE,
                                    [FLUSH] = ENVCFG_CBCFE,
                                    [ZERO] = ENVCFG_CBZE};
    unsigned operation = insn >> 20;
    if (!envcfg_allows(h, gate[operation]))
        return illegal(h, insn);
    uint64_t va = h->s.x[insn >> 15 & 31];
    return operation == ZERO ? hart_zero_block(h, va) : hart_manage_block(h, va);
}
