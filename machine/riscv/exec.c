/* The engine: direct-threaded execution of decoded blocks.
 *
 * `left` counts the steps still allowed. A block's steps are taken off when it is entered, so
 * inside a block no step costs any accounting; whoever leaves it early gives the rest back. `pc` is
 * the virtual address of the running block's start; in between it is that of the next instruction.
 * SYNC brings position, instret and the state's pc up to date: before anything that may look at
 * them, that is in every slow path. */
#include "machine/riscv/code.h"
#include "machine/riscv/fpu.h"

#include <string.h>

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/* Where each operand is. */
#define RD x[o->rd]
#define RS1 x[o->rs1]
#define RS2 x[o->rs2]
#define IMM ((int64_t)o->imm)

#define NEXT goto *(++o)->go

/* An operation that computes x[rd]. */
#define COMPUTE(name, expression)                                                                  \
    op_##name : RD = (expression);                                                                 \
    NEXT;

/* 32-bit results are sign-extended. */
#define W(expression) ((uint64_t)(int32_t)(uint32_t)(expression))

/* Position, instret and pc as they are before the operation at `o`. */
#define SYNC_AT_OP                                                                                 \
    do {                                                                                           \
        now = left + block->steps - o->step;                                                       \
        clock->icount += (uint64_t)(synced - now);                                                 \
        h->s.instret += (uint64_t)(synced - now);                                                  \
        synced = now;                                                                              \
        h->s.pc = pc + block->offset[o->step];                                                     \
    } while (0)

/* After an operation that may end its block, trap, or be stopped before it begins. */
#define FINISH(outcome)                                                                            \
    do {                                                                                           \
        enum result finished = (outcome);                                                          \
        if (unlikely(finished != DONE)) {                                                          \
            if (finished == DONE_END)                                                              \
                goto done_end;                                                                     \
            if (finished == TRAPPED)                                                               \
                goto trapped;                                                                      \
            goto hit;                                                                              \
        }                                                                                          \
        NEXT;                                                                                      \
    } while (0)

#define TLB_INDEX(va) (((va) >> RAM_PAGE_BITS) & (TLB_ENTRIES - 1))
/* Aligned, and inside the entry's page. */
#define TLB_MATCH(entry, va, size) ((entry)->tag == ((va) & (~(uint64_t)0xfff | ((size)-1))))

#define LOAD(type, destination, convert)                                                           \
    {                                                                                              \
        uint64_t va = RS1 + IMM;                                                                   \
        const struct tlb_entry *e = &reads[TLB_INDEX(va)];                                         \
        if (likely(TLB_MATCH(e, va, sizeof(type)))) {                                              \
            type v = *(const type *)(uintptr_t)(va + e->add);                                      \
            destination = convert;                                                                 \
            NEXT;                                                                                  \
        }                                                                                          \
        SYNC_AT_OP;                                                                                \
        uint64_t value = 0;                                                                        \
        enum result r = hart_load(h, va, sizeof(type), &value);                                    \
        if (likely(r <= DONE_END)) {                                                               \
            type v = (type)value;                                                                  \
            destination = convert;                                                                 \
        }                                                                                          \
        FINISH(r);                                                                                 \
    }

#define STORE(type, source)                                                                        \
    {                                                                                              \
        uint64_t va = RS1 + IMM;                                                                   \
        const struct tlb_entry *e = &writes[TLB_INDEX(va)];                                        \
        if (likely(TLB_MATCH(e, va, sizeof(type)))) {                                              \
            *(type *)(uintptr_t)(va + e->add) = (type)(source);                                    \
            NEXT;                                                                                  \
        }                                                                                          \
        SYNC_AT_OP;                                                                                \
        FINISH(hart_store(h, va, sizeof(type), (type)(source)));                                   \
    }

/* Run block `b` at pc. */
#define ENTER(b)                                                                                   \
    do {                                                                                           \
        block = (b);                                                                               \
        left -= block->steps;                                                                      \
        if (unlikely(left < 0))                                                                    \
            goto partial;                                                                          \
        o = block->op;                                                                             \
        goto * o->go;                                                                              \
    } while (0)

/* pc has been moved by `distance`; `link` is where the block remembers its successor. */
#define FOLLOW(link, distance)                                                                     \
    do {                                                                                           \
        if (likely(block->link))                                                                   \
            ENTER(block->link);                                                                    \
        from = &block->link;                                                                       \
        origin = pc - (distance);                                                                  \
        goto find_linked;                                                                          \
    } while (0)

#define BRANCH(name, condition)                                                                    \
    op_##name : if (condition)                                                                     \
    {                                                                                              \
        pc += IMM;                                                                                 \
        FOLLOW(taken, IMM);                                                                        \
    }                                                                                              \
    pc += block->bytes;                                                                            \
    FOLLOW(next, block->bytes);

#define FP_OFF unlikely(!(h->s.mstatus & MSTATUS_FS))

/* Double arithmetic; the rounding mode is in the instruction, which is in imm. */
#define FP_ROUNDING(rm)                                                                            \
    unsigned rm = (unsigned)o->imm >> 12 & 7;                                                      \
    if (rm == 7)                                                                                   \
        rm = h->s.frm;                                                                             \
    if (FP_OFF || unlikely(rm > FPU_RMM))                                                          \
        goto illegal;                                                                              \
    h->s.mstatus |= MSTATUS_FS

#define FP_ARITHMETIC(name, function)                                                              \
    op_##name:                                                                                     \
    {                                                                                              \
        FP_ROUNDING(rm);                                                                           \
        f[o->rd] = function(f[o->rs1], f[o->rs2], rm, &h->s.fflags);                               \
        NEXT;                                                                                      \
    }

static inline uint64_t mulhu(uint64_t a, uint64_t b)
{
    return (uint64_t)((unsigned __int128)a * b >> 64);
}

static inline uint64_t mulh(uint64_t a, uint64_t b)
{
    return (uint64_t)((__int128)(int64_t)a * (int64_t)b >> 64);
}

static inline uint64_t mulhsu(uint64_t a, uint64_t b)
{
    return mulhu(a, b) - ((int64_t)a < 0 ? b : 0);
}

static inline uint64_t divide(uint64_t a, uint64_t b)
{
    if (!b)
        return UINT64_MAX;
    if (b == UINT64_MAX)
        return 0 - a;
    return (uint64_t)((int64_t)a / (int64_t)b);
}

static inline uint64_t remainder_of(uint64_t a, uint64_t b)
{
    if (!b)
        return a;
    if (b == UINT64_MAX)
        return 0;
    return (uint64_t)((int64_t)a % (int64_t)b);
}

static inline uint32_t divide_w(uint32_t a, uint32_t b)
{
    if (!b)
        return UINT32_MAX;
    if (b == UINT32_MAX)
        return 0 - a;
    return (uint32_t)((int32_t)a / (int32_t)b);
}

static inline uint32_t remainder_w(uint32_t a, uint32_t b)
{
    if (!b)
        return a;
    if (b == UINT32_MAX)
        return 0;
    return (uint32_t)((int32_t)a % (int32_t)b);
}

static inline uint64_t orc_b(uint64_t v)
{
    v |= v >> 4 & 0x0f0f0f0f0f0f0f0full;
    v |= v >> 2 & 0x3333333333333333ull;
    v |= v >> 1 & 0x5555555555555555ull;
    return (v & 0x0101010101010101ull) * 255;
}

static inline uint64_t rotate(uint64_t v, unsigned right)
{
    right &= 63;
    return v >> right | v << (-right & 63);
}

static inline uint32_t rotate_w(uint32_t v, unsigned right)
{
    right &= 31;
    return v >> right | v << (-right & 31);
}

/* With a NULL hart: store the handlers' addresses in *labels, run nothing. */
static enum cpu_exit run(struct hart *h, uint64_t budget, const void *const **labels)
{
#define RISCV_OP_LABEL(name) &&op_##name,
    static const void *const label[] = {RISCV_OPS(RISCV_OP_LABEL)};
#undef RISCV_OP_LABEL
    if (!h) {
        *labels = label;
        return CPU_BUDGET;
    }

    struct machine *m = h->m;
    struct clock_state *clock = &m->clock.state;
    uint64_t *const x = h->s.x, *const f = h->s.f;
    int64_t left = (int64_t)budget, synced = left, now;
    uint64_t pc = h->s.pc, origin = 0;
    const struct tlb_entry *reads, *writes;
    const struct fetch_entry *fetches;
    struct block *block = NULL, **from;
    const struct op *o;
    enum cpu_exit exit;
    struct code_scratch scratch;

resample: /* interrupts, translation, privilege or code may have changed; pc is the next one */
    h->s.pc = pc;
    clock->icount += (uint64_t)(synced - left);
    h->s.instret += (uint64_t)(synced - left);
    synced = left;
    if (h->s.waiting) {
        exit = CPU_WAIT;
        goto out;
    }
    if (left == 0) {
        exit = CPU_BUDGET;
        goto out;
    }
    if (m->attention) {
        exit = CPU_EVENT;
        goto out;
    }
    int interrupt = trap_pending_interrupt(h);
    if (interrupt >= 0) {
        if (unlikely(!trap_enter(h, true, (uint64_t)interrupt, 0)))
            goto stopped;
        left--;
        h->s.instret--;
        pc = h->s.pc;
        goto resample;
    }
    if (h->shared->graveyard)
        code_reap(h->shared);
    reads = h->read[hart_data_regime(h)].entry;
    writes = h->write[hart_data_regime(h)].entry;
    fetches = h->fetch[hart_fetch_regime(h)];

find:
    from = NULL;
find_linked : {
    const struct fetch_entry *e = &fetches[pc >> RAM_PAGE_BITS & (FETCH_ENTRIES - 1)];
    if (likely(e->tag == (pc & ~(uint64_t)0xfff))) {
        struct block *found = e->page->at[(pc & 0xfff) >> 1];
        if (likely(found)) {
            /* Chained inside a page only: there both are dropped together, and one translation
             * holds for both. */
            if (from && (origin ^ pc) >> RAM_PAGE_BITS == 0)
                *from = found;
            ENTER(found);
        }
    }
}
    if (left == 0)
        goto resample;
    h->s.pc = pc;
    clock->icount += (uint64_t)(synced - left);
    h->s.instret += (uint64_t)(synced - left);
    synced = left;
    struct block *decoded;
    switch (code_find(h, pc, &scratch, &decoded)) {
    case CODE_LAST:
        left = synced = 1;
        /* fallthrough */
    case CODE_FOUND:
    case CODE_SCRATCH:
        if (h->shared->graveyard)
            code_reap(h->shared);
        m->attention = false;
        ENTER(decoded);
    case CODE_FAULT:
        left--;
        goto enter_trap;
    case CODE_HIT:
    default:
        goto stopped;
    }

partial: /* the budget ends inside the block */
    left += block->steps;
    if (left == 0)
        goto resample;
    block = code_prefix(h->shared, block, (unsigned)left, &scratch);
    left = 0;
    o = block->op;
    goto * o->go;

done_end:
    left = now - 1;
    pc += block->offset[o->step + 1];
    goto resample;

illegal:
    SYNC_AT_OP;
    raise(h, CAUSE_ILLEGAL, hart_insn_bits(h, h->s.pc));
trapped:
    left = now - 1;
enter_trap:
    if (unlikely(!trap_enter(h, false, h->cause, h->tval)))
        goto stopped;
    h->s.instret--;
    pc = h->s.pc;
    goto resample;

hit:
    hart_unmark(h);
stopped:
    exit = CPU_HIT;
out:
    x[X_SINK] = 0;
    return exit;

    /* ---- the engine's own ---- */

op_CHECK:
    if (points_execute(&m->points, pc)) {
        struct hit hit = {.kinds = HIT_EXECUTE, .hart = h->cpu.index, .address = pc};
        SYNC_AT_OP;
        hit.position = clock->icount;
        if (m->points.hit(m->points.ctx, &hit))
            goto hit;
    }
    NEXT;
op_END:
    pc += block->bytes;
    FOLLOW(next, block->bytes);
op_EXIT:
    pc += block->bytes;
    goto resample;

    /* ---- integer ---- */

op_NOP:
    NEXT;
    COMPUTE(LI, (uint64_t)IMM)
    COMPUTE(MV, RS1)
    COMPUTE(AUIPC, pc + IMM)
    COMPUTE(ADDI, RS1 + IMM)
    COMPUTE(SLTI, (int64_t)RS1 < IMM)
    COMPUTE(SLTIU, RS1 < (uint64_t)IMM)
    COMPUTE(XORI, RS1 ^ IMM)
    COMPUTE(ORI, RS1 | IMM)
    COMPUTE(ANDI, RS1 & IMM)
    COMPUTE(SLLI, RS1 << o->imm)
    COMPUTE(SRLI, RS1 >> o->imm)
    COMPUTE(SRAI, (uint64_t)((int64_t)RS1 >> o->imm))
    COMPUTE(ADDIW, W(RS1 + IMM))
    COMPUTE(SLLIW, W((uint32_t)RS1 << o->imm))
    COMPUTE(SRLIW, W((uint32_t)RS1 >> o->imm))
    COMPUTE(SRAIW, W((int32_t)RS1 >> o->imm))
    COMPUTE(ADD, RS1 + RS2)
    COMPUTE(SUB, RS1 - RS2)
    COMPUTE(SLL, RS1 << (RS2 & 63))
    COMPUTE(SLT, (int64_t)RS1 < (int64_t)RS2)
    COMPUTE(SLTU, RS1 < RS2)
    COMPUTE(XOR, RS1 ^ RS2)
    COMPUTE(SRL, RS1 >> (RS2 & 63))
    COMPUTE(SRA, (uint64_t)((int64_t)RS1 >> (RS2 & 63)))
    COMPUTE(OR, RS1 | RS2)
    COMPUTE(AND, RS1 & RS2)
    COMPUTE(ADDW, W(RS1 + RS2))
    COMPUTE(SUBW, W(RS1 - RS2))
    COMPUTE(SLLW, W((uint32_t)RS1 << (RS2 & 31)))
    COMPUTE(SRLW, W((uint32_t)RS1 >> (RS2 & 31)))
    COMPUTE(SRAW, W((int32_t)RS1 >> (RS2 & 31)))
    COMPUTE(MUL, RS1 * RS2)
    COMPUTE(MULH, mulh(RS1, RS2))
    COMPUTE(MULHSU, mulhsu(RS1, RS2))
    COMPUTE(MULHU, mulhu(RS1, RS2))
    COMPUTE(DIV, divide(RS1, RS2))
    COMPUTE(DIVU, RS2 ? RS1 / RS2 : UINT64_MAX)
    COMPUTE(REM, remainder_of(RS1, RS2))
    COMPUTE(REMU, RS2 ? RS1 % RS2 : RS1)
    COMPUTE(MULW, W((uint32_t)RS1 * (uint32_t)RS2))
    COMPUTE(DIVW, W(divide_w((uint32_t)RS1, (uint32_t)RS2)))
    COMPUTE(DIVUW, W((uint32_t)RS2 ? (uint32_t)RS1 / (uint32_t)RS2 : UINT32_MAX))
    COMPUTE(REMW, W(remainder_w((uint32_t)RS1, (uint32_t)RS2)))
    COMPUTE(REMUW, W((uint32_t)RS2 ? (uint32_t)RS1 % (uint32_t)RS2 : (uint32_t)RS1))

    /* ---- bits ---- */

    COMPUTE(SH1ADD, (RS1 << 1) + RS2)
    COMPUTE(SH2ADD, (RS1 << 2) + RS2)
    COMPUTE(SH3ADD, (RS1 << 3) + RS2)
    COMPUTE(ADD_UW, (uint32_t)RS1 + RS2)
    COMPUTE(SH1ADD_UW, ((uint64_t)(uint32_t)RS1 << 1) + RS2)
    COMPUTE(SH2ADD_UW, ((uint64_t)(uint32_t)RS1 << 2) + RS2)
    COMPUTE(SH3ADD_UW, ((uint64_t)(uint32_t)RS1 << 3) + RS2)
    COMPUTE(SLLI_UW, (uint64_t)(uint32_t)RS1 << o->imm)
    COMPUTE(ANDN, RS1 & ~RS2)
    COMPUTE(ORN, RS1 | ~RS2)
    COMPUTE(XNOR, ~(RS1 ^ RS2))
    COMPUTE(CLZ, RS1 ? (uint64_t)__builtin_clzll(RS1) : 64)
    COMPUTE(CTZ, RS1 ? (uint64_t)__builtin_ctzll(RS1) : 64)
    COMPUTE(CPOP, (uint64_t)__builtin_popcountll(RS1))
    COMPUTE(CLZW, (uint32_t)RS1 ? (uint64_t)__builtin_clz((uint32_t)RS1) : 32)
    COMPUTE(CTZW, (uint32_t)RS1 ? (uint64_t)__builtin_ctz((uint32_t)RS1) : 32)
    COMPUTE(CPOPW, (uint64_t)__builtin_popcount((uint32_t)RS1))
    COMPUTE(MAX, (int64_t)RS1 > (int64_t)RS2 ? RS1 : RS2)
    COMPUTE(MAXU, RS1 > RS2 ? RS1 : RS2)
    COMPUTE(MIN, (int64_t)RS1 < (int64_t)RS2 ? RS1 : RS2)
    COMPUTE(MINU, RS1 < RS2 ? RS1 : RS2)
    COMPUTE(SEXT_B, (uint64_t)(int8_t)RS1)
    COMPUTE(SEXT_H, (uint64_t)(int16_t)RS1)
    COMPUTE(ZEXT_H, (uint16_t)RS1)
    COMPUTE(ROL, rotate(RS1, -(unsigned)RS2))
    COMPUTE(ROR, rotate(RS1, (unsigned)RS2))
    COMPUTE(RORI, rotate(RS1, (unsigned)o->imm))
    COMPUTE(ROLW, W(rotate_w((uint32_t)RS1, -(unsigned)RS2)))
    COMPUTE(RORW, W(rotate_w((uint32_t)RS1, (unsigned)RS2)))
    COMPUTE(RORIW, W(rotate_w((uint32_t)RS1, (unsigned)o->imm)))
    COMPUTE(ORC_B, orc_b(RS1))
    COMPUTE(REV8, __builtin_bswap64(RS1))
    COMPUTE(BCLR, RS1 & ~(1ull << (RS2 & 63)))
    COMPUTE(BCLRI, RS1 & ~(1ull << o->imm))
    COMPUTE(BEXT, RS1 >> (RS2 & 63) & 1)
    COMPUTE(BEXTI, RS1 >> o->imm & 1)
    COMPUTE(BINV, RS1 ^ 1ull << (RS2 & 63))
    COMPUTE(BINVI, RS1 ^ 1ull << o->imm)
    COMPUTE(BSET, RS1 | 1ull << (RS2 & 63))
    COMPUTE(BSETI, RS1 | 1ull << o->imm)

    /* ---- memory ---- */

op_LB:
    LOAD(uint8_t, RD, (uint64_t)(int8_t)v)
op_LH:
    LOAD(uint16_t, RD, (uint64_t)(int16_t)v)
op_LW:
    LOAD(uint32_t, RD, W(v))
op_LD:
    LOAD(uint64_t, RD, v)
op_LBU:
    LOAD(uint8_t, RD, v)
op_LHU:
    LOAD(uint16_t, RD, v)
op_LWU:
    LOAD(uint32_t, RD, v)
op_SB:
    STORE(uint8_t, RS2)
op_SH:
    STORE(uint16_t, RS2)
op_SW:
    STORE(uint32_t, RS2)
op_SD:
    STORE(uint64_t, RS2)

op_FLW:
    if (FP_OFF)
        goto illegal;
    LOAD(uint32_t, f[o->rd], (h->s.mstatus |= MSTATUS_FS, v | 0xffffffff00000000ull))
op_FLD:
    if (FP_OFF)
        goto illegal;
    LOAD(uint64_t, f[o->rd], (h->s.mstatus |= MSTATUS_FS, v))
op_FSW:
    if (FP_OFF)
        goto illegal;
    STORE(uint32_t, f[o->rs2])
op_FSD:
    if (FP_OFF)
        goto illegal;
    STORE(uint64_t, f[o->rs2])

op_LR : {
    SYNC_AT_OP;
    unsigned size = (uint32_t)o->imm >> 12 & 1 ? 8 : 4;
    uint64_t value;
    enum result r = hart_load_reserved(h, RS1, size, &value);
    if (r <= DONE_END)
        RD = size == 8 ? value : W(value);
    FINISH(r);
}
op_SC : {
    SYNC_AT_OP;
    bool failed;
    enum result r =
        hart_store_conditional(h, RS1, (uint32_t)o->imm >> 12 & 1 ? 8 : 4, RS2, &failed);
    if (r <= DONE_END)
        RD = failed;
    FINISH(r);
}
op_AMO : {
    SYNC_AT_OP;
    unsigned size = (uint32_t)o->imm >> 12 & 1 ? 8 : 4;
    uint64_t old;
    enum result r = hart_amo(h, RS1, size, (uint32_t)o->imm >> 27, RS2, &old);
    if (r <= DONE_END)
        RD = size == 8 ? old : W(old);
    FINISH(r);
}
op_CBO:
    SYNC_AT_OP;
    FINISH(cbo_execute(h, (uint32_t)o->imm));

    /* ---- floating point ---- */

    FP_ARITHMETIC(FADD_D, fpu_add64)
    FP_ARITHMETIC(FSUB_D, fpu_sub64)
    FP_ARITHMETIC(FMUL_D, fpu_mul64)
    FP_ARITHMETIC(FDIV_D, fpu_div64)
op_FMADD_D : {
    FP_ROUNDING(rm);
    f[o->rd] = fpu_fma64(f[o->rs1], f[o->rs2], f[(uint32_t)o->imm >> 27], rm, &h->s.fflags);
    NEXT;
}
op_FP:
    if (FP_OFF || fp_execute(h, (uint32_t)o->imm) != DONE)
        goto illegal;
    NEXT;

    /* ---- ends of blocks ---- */

op_JAL:
    RD = pc + block->bytes;
    pc += IMM;
    FOLLOW(taken, IMM);
op_J:
    pc += IMM;
    FOLLOW(taken, IMM);
op_JALR : {
    uint64_t target = (RS1 + IMM) & ~1ull;
    RD = pc + block->bytes;
    pc = target;
    goto find;
}
    BRANCH(BEQ, RS1 == RS2)
    BRANCH(BNE, RS1 != RS2)
    BRANCH(BLT, (int64_t)RS1 < (int64_t)RS2)
    BRANCH(BGE, (int64_t)RS1 >= (int64_t)RS2)
    BRANCH(BLTU, RS1 < RS2)
    BRANCH(BGEU, RS1 >= RS2)

op_CSR:
    SYNC_AT_OP;
    FINISH(csr_execute(h, (uint32_t)o->imm));
op_SYSTEM : {
    SYNC_AT_OP;
    enum result result = system_execute(h, (uint32_t)o->imm, h->s.pc + 4);
    if (result == TRAPPED)
        goto trapped;
    if (result == HIT)
        goto hit;
    left = now - 1;
    pc = h->s.pc;
    if (result == DONE_YIELD)
        goto yield;
    goto resample;
}
op_PAUSE:
    pc += block->bytes;
yield:
    h->s.pc = pc;
    clock->icount += (uint64_t)(synced - left);
    h->s.instret += (uint64_t)(synced - left);
    exit = CPU_YIELD;
    goto out;
op_ILLEGAL:
    SYNC_AT_OP;
    raise(h, CAUSE_ILLEGAL, (uint32_t)o->imm);
    goto trapped;
}

enum cpu_exit hart_run(struct cpu *cpu, uint64_t budget)
{
    struct hart *h = hart_of(cpu);
    h->marks = 0;
    return run(h, budget, NULL);
}

const void *const *hart_labels(void)
{
    const void *const *labels;
    run(NULL, 0, &labels);
    return labels;
}
