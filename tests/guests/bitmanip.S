/* Zba, Zbb, Zbs: the operand tables, then what is not in the machine. */
#include "test.h"

/* QEMU 7.2's ctzw counts on into the upper word when the lower one is zero. */
#define R1_CTZW(op, expect, a) SKIP_ON_QEMU_BELOW(10, 98f); R1(op, expect, a); 98:

.text
.globl test_main
test_main:
#include "bitmanip_cases.inc"

TEST_CASE(60) /* encodings beside them that are reserved on RV64 */
    TRAP_ILLEGAL(.word 0x08055533 | 2 << 20)  /* OP funct7 4, funct3 5 */
    TRAP_ILLEGAL(.word 0x0805453b | 1 << 20)  /* zext.h with rs2 not 0 is packw: no Zbkb */
    TRAP_ILLEGAL(.word 0x0a051533 | 11 << 20) /* clmul: no Zbc */
    TRAP_ILLEGAL(.word 0x0a053533 | 11 << 20) /* clmulh */
    TRAP_ILLEGAL(.word 0x60351513)            /* after clz, ctz, cpop: nothing */
    TRAP_ILLEGAL(.word 0x60651513)
    TRAP_ILLEGAL(.word 0x69855513)            /* RV32's rev8 */
    TRAP_ILLEGAL(.word 0x28655513)            /* orc with another pattern */
    TRAP_ILLEGAL(.word 0x6035151b)            /* clzw, ctzw, cpopw: nothing after them */
    TRAP_ILLEGAL(.word 0x6205551b)            /* roriw by 32 */
    PASS
