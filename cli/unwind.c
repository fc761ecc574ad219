#include "cli/unwind.h"

#include "base/endian.h"
#include "cli/cfi.h"
#include "machine/riscv/decode.h"

enum { RA = 1, SP = 2, FP = 8, S1 = 9, S2 = 18, S11 = 27 };
enum { PROLOGUE_MOST = 256, EPILOGUE_MOST = 32 }; /* instructions */

struct unwinder {
    struct symbols *symbols;
    const struct unwind_memory *memory;
};

static bool read_word(const struct unwinder *u, uint64_t address, uint64_t *value)
{
    uint8_t bytes[8];
    if (address & 7 || !u->memory->read(u->memory->ctx, address, bytes, sizeof bytes))
        return false;
    *value = load_le64(bytes);
    return true;
}

static bool executable(const struct unwinder *u, uint64_t pc)
{
    return !(pc & 1) && u->memory->executable(u->memory->ctx, pc);
}

/* False also for what is no instruction. */
static bool decode_at(const struct unwinder *u, uint64_t pc, struct decoded *d)
{
    uint8_t bytes[4] = {0};
    if (!u->memory->read(u->memory->ctx, pc, bytes, 2))
        return false;
    if ((bytes[0] & 3) == 3 && !u->memory->read(u->memory->ctx, pc + 2, bytes + 2, 2))
        return false;
    *d = riscv_decode(load_le32(bytes));
    return d->id != OP_ILLEGAL;
}

static bool is_call(const struct decoded *d)
{
    return (d->id == OP_JAL || d->id == OP_JALR) && d->rd == RA;
}

/* Does a call lie just before? */
static bool is_return_address(const struct unwinder *u, uint64_t pc)
{
    struct decoded d;
    if (!pc || !executable(u, pc))
        return false;
    if (decode_at(u, pc - 4, &d) && d.size == 4 && is_call(&d))
        return true;
    return decode_at(u, pc - 2, &d) && d.size == 2 && is_call(&d);
}

/* ---- without call frame information ---- */

/* Is the rest of the function, from a first instruction on, nothing but giving back? Then what it
 * restores is the caller. */
static bool by_epilogue(const struct unwinder *u, const struct unwind_registers *regs,
                        struct unwind_registers *caller)
{
    struct decoded d;
    *caller = *regs;
    for (unsigned i = 0; i < EPILOGUE_MOST && decode_at(u, caller->pc, &d); i++) {
        uint64_t *x = caller->x;
        bool saved = d.rd == RA || d.rd == FP || d.rd == S1 || (d.rd >= S2 && d.rd <= S11);
        if (d.id == OP_JALR && !d.rd && d.rs1 == RA && !d.imm) {
            caller->pc = x[RA];
            return is_return_address(u, x[RA]);
        }
        if (riscv_ends_block((enum op_id)d.id) || (d.id >= OP_SB && d.id <= OP_SD))
            return false;
        if (d.id == OP_LD && d.rs1 == SP && saved) {
            if (!read_word(u, x[SP] + (uint64_t)(int64_t)d.imm, &x[d.rd]))
                return false;
        } else if (d.id == OP_ADDI && d.rd == SP && (d.rs1 == SP || d.rs1 == FP)) {
            x[SP] = x[d.rs1] + (uint64_t)(int64_t)d.imm;
        } else if (d.rd == SP || saved) {
            return false;
        }
        caller->pc += d.size;
    }
    return false;
}

/* What a function's beginning has done up to a place: offsets are from the CFA, the stack pointer
 * at entry. */
struct prologue {
    int64_t size; /* of the frame as sp has it */
    bool ra_saved, fp_saved, fp_set;
    int64_t ra_at, fp_at, fp;
};

static void scan_prologue(const struct unwinder *u, uint64_t start, uint64_t pc, struct prologue *p)
{
    struct decoded d;
    *p = (struct prologue){0};
    for (unsigned i = 0; i < PROLOGUE_MOST && start < pc && decode_at(u, start, &d); i++) {
        if (d.id == OP_ADDI && d.rd == SP && d.rs1 == SP) {
            if (d.imm > 0)
                return;
            p->size -= d.imm;
        } else if (d.id == OP_SD && d.rs1 == SP && d.rs2 == RA && !p->ra_saved) {
            p->ra_saved = true;
            p->ra_at = d.imm - p->size;
        } else if (d.id == OP_SD && d.rs1 == SP && d.rs2 == FP && !p->fp_saved) {
            p->fp_saved = true;
            p->fp_at = d.imm - p->size;
        } else if (d.id == OP_ADDI && d.rd == FP && d.rs1 == SP && p->fp_saved) {
            p->fp_set = true;
            p->fp = d.imm - p->size;
        } else if (d.id == OP_J || (d.id == OP_JALR && d.rd != RA)) {
            return;
        }
        start += d.size;
    }
}

/* `fresh`: ra still holds what it did when the code at pc was reached. */
static bool by_prologue(const struct unwinder *u, const struct unwind_registers *regs,
                        uint64_t place, bool fresh, struct unwind_registers *caller)
{
    struct symbol function;
    struct prologue p;
    if (!symbols_lookup(u->symbols, place, &function) || !function.function)
        return false;
    scan_prologue(u, function.address, fresh ? regs->pc : place, &p);
    uint64_t cfa = p.fp_set ? regs->x[FP] - (uint64_t)p.fp : regs->x[SP] + (uint64_t)p.size;
    *caller = *regs;
    if (p.ra_saved ? !read_word(u, cfa + (uint64_t)p.ra_at, &caller->pc) : !fresh)
        return false;
    if (!p.ra_saved)
        caller->pc = regs->x[RA];
    if (p.fp_saved && !read_word(u, cfa + (uint64_t)p.fp_at, &caller->x[FP]))
        return false;
    caller->x[RA] = caller->pc;
    caller->x[SP] = cfa;
    return is_return_address(u, caller->pc);
}

/* RISC-V ELF psABI, "Frame pointer convention". */
static bool by_frame_pointer(const struct unwinder *u, const struct unwind_registers *regs,
                             struct unwind_registers *caller)
{
    uint64_t fp = regs->x[FP];
    *caller = *regs;
    if (fp < 16 || !read_word(u, fp - 8, &caller->pc) || !read_word(u, fp - 16, &caller->x[FP]) ||
        caller->x[FP] == fp)
        return false;
    caller->x[RA] = caller->pc;
    caller->x[SP] = fp;
    return is_return_address(u, caller->pc);
}

static bool by_return_address(const struct unwinder *u, const struct unwind_registers *regs,
                              struct unwind_registers *caller)
{
    *caller = *regs;
    caller->pc = regs->x[RA];
    return is_return_address(u, caller->pc);
}

static bool guess_caller(const struct unwinder *u, const struct frame *f,
                         struct unwind_registers *caller)
{
    struct decoded d;
    bool fresh = f->kind != FRAME_CALL;
    uint64_t pc = f->regs.pc;
    /* Sent to where there is no code: by a call, most of the time. */
    if (fresh && (!executable(u, pc) || !decode_at(u, pc, &d)) &&
        by_return_address(u, &f->regs, caller))
        return true;
    return (fresh && by_epilogue(u, &f->regs, caller)) ||
           by_prologue(u, &f->regs, frame_place(f), fresh, caller) ||
           by_frame_pointer(u, &f->regs, caller) ||
           (fresh && by_return_address(u, &f->regs, caller));
}

/* ---- Linux ---- */

/* Linux, arch/riscv/kernel/entry.S: what the trap entry calls finds the interrupted registers in a
 * struct pt_regs at sp: epc, x1 to x31, sstatus. */
static bool is_linux_entry(const struct unwinder *u, uint64_t place)
{
    struct symbol s;
    return symbols_lookup(u->symbols, place, &s) &&
           (!strcmp(s.name, "handle_exception") || !strcmp(s.name, "ret_from_exception"));
}

enum { PT_REGS_WORDS = 33, SSTATUS_SPP = 1 << 8 };

static bool by_pt_regs(const struct unwinder *u, const struct unwind_registers *regs,
                       struct frame *trapped)
{
    uint64_t word[PT_REGS_WORDS];
    for (unsigned i = 0; i < PT_REGS_WORDS; i++)
        if (!read_word(u, regs->x[SP] + 8 * i, &word[i]))
            return false;
    trapped->regs.pc = word[0];
    trapped->regs.x[0] = 0;
    memcpy(&trapped->regs.x[1], &word[1], 31 * sizeof *word);
    trapped->kind = word[32] & SSTATUS_SPP ? FRAME_TRAP : FRAME_USER;
    return true;
}

/* ---- frames ---- */

static bool next_frame(const struct unwinder *u, const struct frame *f, struct frame *next)
{
    next->kind = FRAME_CALL;
    if (f->kind == FRAME_CALL && is_linux_entry(u, frame_place(f)))
        return by_pt_regs(u, &f->regs, next);
    switch (cfi_caller(u->symbols, u->memory, &f->regs, frame_place(f), &next->regs)) {
    case CFI_OUTERMOST:
        return false;
    case CFI_TRAPPED:
        next->kind = FRAME_TRAP;
        return true;
    case CFI_CALLER:
        return next->regs.pc && executable(u, next->regs.pc);
    case CFI_NONE:
        break;
    }
    return guess_caller(u, f, &next->regs);
}

size_t unwind(struct symbols *symbols, const struct unwind_memory *memory,
              const struct unwind_registers *regs, struct frame *out, size_t limit)
{
    const struct unwinder u = {symbols, memory};
    size_t count = 1;
    out[0] = (struct frame){*regs, FRAME_INNERMOST};
    while (count < limit && out[count - 1].kind != FRAME_USER) {
        const struct frame *f = &out[count - 1];
        struct frame *next = &out[count];
        if (!next_frame(&u, f, next) ||
            (next->regs.pc == f->regs.pc && next->regs.x[SP] == f->regs.x[SP]))
            break;
        count++;
    }
    return count;
}
