/* Machine code as text. */
#ifndef CLI_DISASSEMBLE_H
#define CLI_DISASSEMBLE_H

#include "base/buffer.h"

/* Append "MNEMONIC OPERANDS" of the RISC-V instruction at `bytes`, which lies at `address` (targets
 * of jumps are shown absolute). What capstone does not know is `.insn SIZE, VALUE`, as the GNU
 * assembler takes it. Returns its size, 2 or 4; 0 when it needs more than `size` bytes, and then
 * nothing is appended. */
unsigned disassemble_one(const uint8_t *bytes, size_t size, uint64_t address, struct buffer *out);

#endif
