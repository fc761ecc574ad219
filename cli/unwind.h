/* Backtraces of RISC-V code, from what can be read of the guest: call frame information where the
 * ELF files have it, else the function's prologue, else frame pointers. Nothing is believed that
 * cannot be: return addresses lie in code, and behind a call unless call frame information says so.
 */
#ifndef CLI_UNWIND_H
#define CLI_UNWIND_H

#include "cli/symbols.h"

enum { UNWIND_FRAMES = 64 };

/* Integer registers and pc at a place in the code; x[0] is 0. */
struct unwind_registers {
    uint64_t x[32];
    uint64_t pc;
};

/* How the guest is looked at, without side effects. */
struct unwind_memory {
    bool (*read)(void *ctx, uint64_t va, void *bytes, size_t size);
    bool (*executable)(void *ctx, uint64_t va);
    /* A CSR's present value, for handlers that have not saved mepc or sepc yet. */
    uint64_t (*csr)(void *ctx, unsigned number);
    void *ctx;
};

enum frame_kind {
    FRAME_INNERMOST,
    FRAME_CALL, /* pc is a return address: the call is before it */
    FRAME_TRAP, /* a trap or interrupt came before the instruction at pc */
    FRAME_USER  /* the same, and it came from user mode: nothing below is looked for */
};

struct frame {
    struct unwind_registers regs;
    enum frame_kind kind;
};

/* The frame's address for names and lines: that of the call in FRAME_CALL. */
static inline uint64_t frame_place(const struct frame *f)
{
    return f->kind == FRAME_CALL ? f->regs.pc - 1 : f->regs.pc;
}

/* The frames from `regs` outwards, at most `limit` (of at least 1); returns how many. */
size_t unwind(struct symbols *symbols, const struct unwind_memory *memory,
              const struct unwind_registers *regs, struct frame *out, size_t limit);

#endif
