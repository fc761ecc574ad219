/* Call frame information: .debug_frame and .eh_frame. DWARF 5, 6.4; Linux Standard Base 5.0, 10.6;
 * RISC-V ELF psABI for register numbers. */
#ifndef CLI_CFI_H
#define CLI_CFI_H

#include "cli/unwind.h"

enum cfi_result {
    CFI_NONE,     /* no entry covers the place, or it is damaged or beyond us */
    CFI_CALLER,   /* *caller is the frame that called */
    CFI_TRAPPED,  /* *caller is what a signal frame interrupted */
    CFI_OUTERMOST /* the entry says that nothing called */
};

/* From the registers of a frame whose code is at `place` (see frame_place) to those of its caller.
 */
enum cfi_result cfi_caller(const struct symbols *symbols, const struct unwind_memory *memory,
                           const struct unwind_registers *regs, uint64_t place,
                           struct unwind_registers *caller);

#endif
