/* The RV64 hart: state and the parts that work on it. Private to machine/riscv/. */
#ifndef MACHINE_RISCV_HART_H
#define MACHINE_RISCV_HART_H

#include "machine/riscv/riscv.h"

enum priv { PRIV_U = 0, PRIV_S = 1, PRIV_M = 3 };

enum { PMP_ENTRIES = 16, X_SINK = 32 };

/* What a hart waits for. */
enum waiting {
    WAITING_NOT = 0,
    WAITING_INTERRUPT = 1, /* in WFI: one that is enabled in mie */
    WAITING_INPUT = 2      /* at a semihosting call: input, or an interrupt to take */
};

/* Guest-visible state. Privileged spec names; 64-bit unless said. */
struct riscv_state {
    uint64_t x[33]; /* x[X_SINK] takes writes to x0 and is 0 between runs */
    uint64_t f[32];
    uint64_t pc;
    uint64_t mstatus, medeleg, mideleg, mie, mtvec, mscratch, mepc, mcause, mtval, menvcfg;
    uint64_t stvec, sscratch, sepc, scause, stval, satp, senvcfg, stimecmp;
    uint64_t mip;          /* bits software has set */
    uint64_t irq;          /* bits the platform and stimecmp drive */
    uint64_t instret;      /* instructions retired since power-on */
    uint64_t cycle_base;   /* mcycle minus position; mcycle itself while inhibited */
    uint64_t instret_base; /* minstret minus instret; minstret itself while inhibited */
    uint64_t reservation;  /* physical address of the last LR while `reserved` */
    uint64_t pmpaddr[PMP_ENTRIES];
    uint8_t pmpcfg[PMP_ENTRIES];
    uint32_t mcounteren, scounteren, mcountinhibit;
    uint32_t fflags;
    uint8_t frm;
    uint8_t priv;
    uint8_t waiting;  /* enum waiting */
    uint8_t reserved; /* 0, or 1 + log2 of the LR's size */
    uint8_t unused[4];
};

/* mstatus. Privileged spec, 3.1.6. */
#define MSTATUS_SIE (1ull << 1)
#define MSTATUS_MIE (1ull << 3)
#define MSTATUS_SPIE (1ull << 5)
#define MSTATUS_MPIE (1ull << 7)
#define MSTATUS_SPP (1ull << 8)
#define MSTATUS_MPP (3ull << 11)
#define MSTATUS_FS (3ull << 13)
#define MSTATUS_MPRV (1ull << 17)
#define MSTATUS_SUM (1ull << 18)
#define MSTATUS_MXR (1ull << 19)
#define MSTATUS_TVM (1ull << 20)
#define MSTATUS_TW (1ull << 21)
#define MSTATUS_TSR (1ull << 22)
#define MSTATUS_UXL (2ull << 32)
#define MSTATUS_SXL (2ull << 34)
#define MSTATUS_SD (1ull << 63)

#define MIP_SSIP (1ull << 1)
#define MIP_MSIP (1ull << 3)
#define MIP_STIP (1ull << 5)
#define MIP_MTIP (1ull << 7)
#define MIP_SEIP (1ull << 9)
#define MIP_MEIP (1ull << 11)

#define ENVCFG_FIOM 1ull
#define ENVCFG_CBIE (3ull << 4)
#define ENVCFG_CBCFE (1ull << 6)
#define ENVCFG_CBZE (1ull << 7)
#define MENVCFG_ADUE (1ull << 61)
#define MENVCFG_STCE (1ull << 63)

/* Privileged spec, table 14. */
enum cause {
    CAUSE_FETCH_MISALIGNED = 0,
    CAUSE_FETCH_ACCESS = 1,
    CAUSE_ILLEGAL = 2,
    CAUSE_BREAKPOINT = 3,
    CAUSE_LOAD_MISALIGNED = 4,
    CAUSE_LOAD_ACCESS = 5,
    CAUSE_STORE_MISALIGNED = 6,
    CAUSE_STORE_ACCESS = 7,
    CAUSE_ECALL_U = 8,
    CAUSE_ECALL_S = 9,
    CAUSE_ECALL_M = 11,
    CAUSE_FETCH_PAGE = 12,
    CAUSE_LOAD_PAGE = 13,
    CAUSE_STORE_PAGE = 15
};

/* How a memory operation or a system instruction ended. */
enum result {
    DONE,
    DONE_END,  /* done, and the block ends: interrupts, translation or code may have changed */
    TRAPPED,   /* raises hart->cause with hart->tval; nothing was changed */
    HIT,       /* a point says stop; nothing was changed */
    DONE_YIELD /* done, and the hart gives its turn away */
};

/* Translation regimes with a TLB of their own. */
enum regime { REGIME_U, REGIME_S, REGIME_S_SUM, REGIME_M, REGIMES };

enum { TLB_BITS = 12, TLB_ENTRIES = 1 << TLB_BITS, TLB_USED = 64, FETCH_ENTRIES = 256 };

#define TLB_NO_TAG UINT64_MAX

struct tlb_entry {
    uint64_t tag; /* virtual address of the page, TLB_NO_TAG when free */
    uint64_t add; /* host address = virtual address + add */
};

/* The first fills since the last flush are listed, so that flushing a TLB that was little used
 * costs little. */
struct tlb {
    struct tlb_entry *entry; /* TLB_ENTRIES */
    unsigned fills;
    uint16_t used[TLB_USED];
};

struct code_page;
struct riscv_shared;

struct fetch_entry {
    uint64_t tag;
    struct code_page *page;
};

/* Traps in a row, see struct trap_loop. */
struct trap_rows {
    uint64_t still, still_from; /* how many without an instruction retired since the first, and its
                                 * position */
    uint64_t instret;           /* then */
    uint64_t nested, nested_from; /* the same without a return; at one pc for one cause: */
    uint64_t pc, cause;
};

/* Two pages of a fetch, and two of an access, each read and written. */
enum { HART_MARKS = 6 };

struct hart {
    struct riscv_state s; /* first: the engine addresses x[] through the hart */
    struct cpu cpu;
    struct riscv_shared *shared;
    struct machine *m;
    uint64_t cause, tval; /* of the trap being raised */
    unsigned timer;       /* stimecmp's clock timer */
    struct tlb read[REGIMES], write[REGIMES];
    struct fetch_entry fetch[REGIMES][FETCH_ENTRIES];
    bool fetch_used[REGIMES];
    /* Leaf entries as they were before the fetch of the step at `marked_at` set their A bits, and
     * with traps wanted before its accesses did: when a hit stops that step, it has not happened.
     * In a run only. */
    struct {
        uint64_t pa, pte;
    } marked[HART_MARKS];
    unsigned marks;
    uint64_t marked_at;
    struct trap_rows rows; /* no state */
};

/* hart.c: the interrupt inputs as mip shows them. */
static inline uint64_t hart_mip(const struct hart *h)
{
    return h->s.mip | h->s.irq;
}

static inline struct hart *hart_of(const struct cpu *cpu)
{
    return (struct hart *)((char *)cpu - offsetof(struct hart, cpu));
}

/* Recompute STIP from stimecmp and the present time, and arm its timer. */
void hart_update_stimer(struct hart *h);

/* ---- exec.c ---- */
enum cpu_exit hart_run(struct cpu *cpu, uint64_t budget);
/* Where the handler of each enum op_id is. */
const void *const *hart_labels(void);

/* ---- mmu.c ---- */

/* The regime of loads and stores (MPRV counts) and of fetches. */
enum regime hart_data_regime(const struct hart *h);
enum regime hart_fetch_regime(const struct hart *h);

/* Any size from 1 to 8 and any alignment; 64-bit values are zero-extended. */
enum result hart_load(struct hart *h, uint64_t va, unsigned size, uint64_t *value);
enum result hart_store(struct hart *h, uint64_t va, unsigned size, uint64_t value);
enum result hart_load_reserved(struct hart *h, uint64_t va, unsigned size, uint64_t *value);
/* *failed: nothing was stored. */
enum result hart_store_conditional(struct hart *h, uint64_t va, unsigned size, uint64_t value,
                                   bool *failed);
/* Atomic memory operation `funct5` (unprivileged spec, 8.4); *old is what memory held. */
enum result hart_amo(struct hart *h, uint64_t va, unsigned size, unsigned funct5, uint64_t operand,
                     uint64_t *old);
/* Zero the 64-byte block around va. */
enum result hart_zero_block(struct hart *h, uint64_t va);
/* cbo.clean, .flush, .inval: nothing to do but to fault as a load or store would. */
enum result hart_manage_block(struct hart *h, uint64_t va);

/* Translate a fetch of `size` bytes inside a page. *uniform: the translation holds for the
 * whole page and may be used until one of its tables, which are now tracked, changes. False:
 * h->cause and h->tval say why. */
bool hart_translate_fetch(struct hart *h, uint64_t va, unsigned size, uint64_t *pa, bool *uniform);
/* Without side effects, PMP included. */
bool hart_translate_look(const struct cpu *cpu, uint64_t va, enum cpu_access access, uint64_t *pa);
/* The same for a debugger, to whom a supervisor's user memory is open without mstatus.SUM, and a
 * user's supervisor memory. */
bool hart_translate_debug(const struct cpu *cpu, uint64_t va, enum cpu_access access, uint64_t *pa);

/* mappings.c: cpu_ops.mappings. */
struct cpu_mappings hart_mappings(const struct cpu *cpu, cpu_mapping_fn *visit, void *ctx);

/* The present step is not made after all: take back what its translations have marked. */
void hart_unmark(struct hart *h);

void hart_flush_data(struct hart *h);
void hart_flush_writes(struct hart *h);
void hart_flush_fetch(struct hart *h);
/* Data and fetch: after satp, PMP, MXR and the like have changed. */
void hart_flush(struct hart *h);

/* RAM page changed at offset..offset+size: if cached translations came from there, drop them. */
void mmu_page_written(struct riscv_shared *shared, uint64_t page, unsigned offset, unsigned size);
/* Drop every cached translation of every hart. */
void mmu_drop_all(struct riscv_shared *shared);
/* No hart's write TLB leads to the page any longer; it gets `flag`. */
void mmu_protect_page(struct riscv_shared *shared, uint64_t page, enum ram_flag flag);

/* The bytes of the instruction at virtual pc, for mtval: 16 or 32 bits. */
uint32_t hart_insn_bits(const struct hart *h, uint64_t pc);

/* ---- pmp.c ---- */

/* May `regime` access pa..pa+size? *uniform: the answer is the same for the whole 4 KiB page. */
bool pmp_allows(const struct hart *h, uint64_t pa, unsigned size, enum cpu_access access,
                enum priv priv, bool *uniform);
void pmp_write_cfg(struct hart *h, unsigned first, uint64_t value);
void pmp_write_addr(struct hart *h, unsigned entry, uint64_t value);

/* ---- csr.c ---- */

/* Execute a Zicsr instruction; the clock and instret are those before it. DONE_END or TRAPPED. */
enum result csr_execute(struct hart *h, uint32_t insn);
/* Debugger access: privilege does not count. False: no such register, or not writable. */
bool csr_peek(const struct hart *h, unsigned number, uint64_t *value);
bool csr_poke(struct hart *h, unsigned number, uint64_t value);

/* ---- trap.c ---- */

/* The interrupt to take before the next step, or -1. */
int trap_pending_interrupt(const struct hart *h);
/* Enter the handler: pc is the interrupted or faulting pc. False: a point says stop before that;
 * the step has changed nothing. */
bool trap_enter(struct hart *h, bool interrupt, uint64_t cause, uint64_t tval);
/* The SYSTEM instructions that are no CSR access: ecall, ebreak, xRET, wfi, sfence.vma. h->s.pc is
 * the instruction's; `next` is where it goes on. */
enum result system_execute(struct hart *h, uint32_t insn, uint64_t next);
/* semihosting.c: is the ebreak at h->s.pc a semihosting call of a machine that has semihosting? */
bool semihost_is_call(const struct hart *h);
/* Answer it. An attempt that finds no input waits: it is a step, which leaves pc where it is and
 * retires nothing, and the call is attempted again after the hart has been woken. */
enum result semihost_execute(struct hart *h, uint64_t next);
/* May a hart in WAITING_INPUT go on? */
bool semihost_wakes(const struct hart *h);
/* cbo.*: h->s as above. */
enum result cbo_execute(struct hart *h, uint32_t insn);

/* Set cause and tval; returns TRAPPED. */
static inline enum result raise(struct hart *h, enum cause cause, uint64_t tval)
{
    h->cause = cause;
    h->tval = tval;
    return TRAPPED;
}

/* ---- fp.c ---- */

/* Execute an F or D instruction other than load and store. mstatus.FS has been checked. DONE or
 * TRAPPED (reserved rounding mode or encoding). */
enum result fp_execute(struct hart *h, uint32_t insn);

#endif
