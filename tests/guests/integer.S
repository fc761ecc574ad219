/* RV64I computation: the operand tables, then lui, auipc, x0, immediates, fences and reserved encodings. */
#include "test.h"

.text
.globl test_main
test_main:
#include "integer_cases.inc"

TEST_CASE(50) /* lui: sign extension from bit 31 */
    lui a0, 0
    CHECK(a0, 0)
    lui a0, 1
    CHECK(a0, 0x1000)
    lui a0, 0x7ffff
    CHECK(a0, 0x7ffff000)
    lui a0, 0x80000
    CHECK(a0, 0xffffffff80000000)
    lui a0, 0xfffff
    CHECK(a0, 0xfffffffffffff000)
    lui x0, 0xfffff
    mv a0, x0
    CHECK(a0, 0)

TEST_CASE(51) /* auipc */
1:  auipc a0, 0
    la a1, 1b
    CHECK_EQ(a0, a1)
2:  auipc a0, 0x80000
    la a1, 2b
    li a2, 0x80000000
    sub a1, a1, a2
    CHECK_EQ(a0, a1)
3:  auipc a0, 0x7ffff
    la a1, 3b
    li a2, 0x7ffff000
    add a1, a1, a2
    CHECK_EQ(a0, a1)
4:  auipc a0, 0xfffff
    la a1, 4b
    li a2, 0x1000
    sub a1, a1, a2
    CHECK_EQ(a0, a1)
    auipc x0, 1
    mv a0, x0
    CHECK(a0, 0)

TEST_CASE(52) /* x0 reads zero and ignores writes, in every slot */
    li a0, 0x1234
    add x0, a0, a0
    add a1, x0, x0
    CHECK(a1, 0)
    add a1, a0, x0
    CHECK(a1, 0x1234)
    add a1, x0, a0
    CHECK(a1, 0x1234)
    sub a1, x0, a0
    CHECK(a1, -0x1234)
    li x0, 77
    sltu a1, x0, a0
    CHECK(a1, 1)
    sltu a1, a0, x0
    CHECK(a1, 0)
    slt a1, x0, x0
    CHECK(a1, 0)
    addi x0, x0, 1 /* hints */
    slti x0, a0, 0
    lui x0, 1
    mv a1, x0
    CHECK(a1, 0)

TEST_CASE(53) /* every register holds its own 64 bits */
    la a0, saved
    sd gp, 0(a0)
    sd tp, 8(a0)
    sd sp, 16(a0)
    li x1, 0x0101010101010101
.irp r, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    li x\r, 0x0101010101010101 * \r
.endr
    /* Their sum is 0x0101... * (31 * 32 / 2): differences show as a wrong sum. */
.irp r, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30
    add x31, x31, x\r
.endr
    add x31, x31, x1
    mv a1, x31
    la a0, saved
    ld gp, 0(a0)
    ld tp, 8(a0)
    ld sp, 16(a0)
    CHECK(a1, 0xf1f1f1f1f1f1f1f0)
    CHECK(x21, 0x1515151515151515)
    CHECK(x16, 0x1010101010101010)

TEST_CASE(54) /* dependent chains, values carried through one register */
    li a0, 1
.rept 64
    slli a1, a0, 1
    sub a0, a1, a0
    addi a0, a0, 1
.endr
    CHECK(a0, 65)
    li a0, -1
    srli a0, a0, 1
    addi a0, a0, 1
    srai a0, a0, 63
    CHECK(a0, -1)
    li a0, 0x7fffffff
    addiw a0, a0, 1
    CHECK(a0, 0xffffffff80000000)
    sext.w a0, a0
    CHECK(a0, 0xffffffff80000000)
    li a0, 0x00000001ffffffff
    sext.w a0, a0
    CHECK(a0, -1)

TEST_CASE(55) /* fences are legal whatever their fields */
    fence
    fence rw, rw
    fence r, r
    fence w, w
    fence iorw, iorw
    fence.tso
    fence.i
    .word 0x0100000f /* pause */
    .word 0x0ff5050f /* reserved fields are ignored: rd, rs1 */
    .word 0x5550000f /* a reserved fm is an ordinary fence */

TEST_CASE(56) /* reserved and absent encodings trap, with the bits in mtval */
    TRAP_ILLEGAL(.word 0x00000000 + 0x0000007f)
    TRAP_ILLEGAL(.word 0xffffffff)
    TRAP_ILLEGAL(.half 0)
    TRAP_ILLEGAL(.word 0x0000707f)
    TRAP_ILLEGAL(.insn r 0x33, 0, 0x40 + 1, a0, a0, a0)  /* OP, reserved funct7 */
    TRAP_ILLEGAL(.insn r 0x33, 1, 0x20 + 2, a0, a0, a0)
    TRAP_ILLEGAL(.insn r 0x3b, 2, 0, a0, a0, a0)         /* OP-32 has no slt */
    TRAP_ILLEGAL(.insn r 0x3b, 1, 1, a0, a0, a0)         /* no mulhw */
    TRAP_ILLEGAL(.insn r 0x1b, 1, 1, a0, a0, x0)         /* slliw by 32 or more */
    TRAP_ILLEGAL(.insn r 0x1b, 5, 1, a0, a0, x0)
    TRAP_ILLEGAL(.insn r 0x1b, 5, 0x21, a0, a0, x0)
    TRAP_ILLEGAL(.insn r 0x13, 5, 0x60 + 0x1e, a0, a0, x0)
    TRAP_ILLEGAL(.insn i 0x03, 7, a0, 0(sp))             /* LOAD funct3 7 */
    TRAP_ILLEGAL(.insn s 0x23, 4, a0, 0(sp))             /* STORE funct3 4 */
    TRAP_ILLEGAL(.insn s 0x23, 7, a0, 0(sp))
    TRAP_ILLEGAL(.insn i 0x67, 1, a0, 0(a0))             /* JALR funct3 1 */
    TRAP_ILLEGAL(.insn s 0x63, 2, a0, 0(a0))             /* BRANCH funct3 2, 3 */
    TRAP_ILLEGAL(.insn s 0x63, 3, a0, 0(a0))
    TRAP_ILLEGAL(.insn i 0x0f, 3, x0, 0(x0))             /* MISC-MEM funct3 3 */
    TRAP_ILLEGAL(.insn i 0x73, 4, x0, 0(x0))             /* SYSTEM funct3 4 (no H) */
    TRAP_ILLEGAL(.word 0x00000073 | 3 << 20)             /* SYSTEM, no such function */
    TRAP_ILLEGAL(.word 0x00000073 | 1 << 7)              /* ecall with rd */
    TRAP_ILLEGAL(.word 0x00000073 | 1 << 15)             /* ecall with rs1 */
    TRAP_ILLEGAL(.word 0x0000000b)                       /* custom-0 */
    TRAP_ILLEGAL(.word 0x0000002b)                       /* custom-1 */
    TRAP_ILLEGAL(.word 0x0000005b)                       /* custom-2 */
    TRAP_ILLEGAL(.word 0x0000007b)                       /* custom-3 */
    TRAP_ILLEGAL(.word 0x00000057)                       /* OP-V: no vectors */
    TRAP_ILLEGAL(.word 0x0000001f)                       /* longer than 32 bits */
    TRAP_ILLEGAL(.word 0x0000003f)
    PASS

.bss
.balign 8
saved: .skip 24
