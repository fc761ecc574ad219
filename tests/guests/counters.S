/*
 * mcycle, minstret, the counters of Zihpm, mcountinhibit. minstret is exact: on QEMU
 * that needs -icount.
 */
#include "test.h"

.text
.globl test_main
test_main:
TEST_CASE(1) /* writable, 64 bits, and counting on from there */
    li a0, 0x123456789abcdef0
    csrw mcycle, a0
    csrr a1, mcycle
    LINE
    bltu a1, a0, fail
    li a2, 0x1000000
    add a2, a0, a2
    bgeu a1, a2, fail
    csrr a1, cycle /* the same counter */
    bltu a1, a0, fail
    bgeu a1, a2, fail
    csrw mcycle, x0

TEST_CASE(2) /* instret counts instructions */
    csrr a0, instret
    nop
    nop
    nop
    csrr a1, instret
    sub a1, a1, a0
    CHECK(a1, 4)
    csrr a0, minstret
    csrr a1, minstret
    sub a1, a1, a0
    CHECK(a1, 1)
    li a2, 1000
    csrr a0, minstret
1:  addi a2, a2, -1
    bnez a2, 1b
    csrr a1, minstret
    sub a1, a1, a0
    CHECK(a1, 2001)

TEST_CASE(3) /* a written minstret is what the next instruction reads */
    li a0, 1000000
    csrw minstret, a0
    csrr a1, minstret
    /* QEMU counts the writing instruction too. */
    SKIP_ON_QEMU(1f)
    CHECK(a1, 1000000)
    csrw minstret, x0
    nop
    csrr a1, instret
    CHECK(a1, 1)
1:

TEST_CASE(4) /* what traps does not retire: ecall, ebreak, illegal, faulting loads */
    SKIP_ON_QEMU(5f) /* it counts them */
    la a0, skip
    csrr s2, mtvec
    csrw mtvec, a0
    li a2, 0
.macro not_retired insn:vararg
    csrr a0, minstret
    \insn
    csrr a1, minstret
    sub a1, a1, a0
    CHECK(a1, 5) /* the first csrr and the four of the handler */
.endm
    not_retired ecall
    not_retired ebreak
    not_retired .word 0x7f
    not_retired ld x0, 0(a2)
    not_retired csrw mhartid, x0
    csrw mtvec, s2
5:

TEST_CASE(5) /* mcountinhibit stops them: CY, IR; TM does not exist */
    /* QEMU 7.2 goes back to the value at the last write of the counter. */
    SKIP_ON_QEMU_BELOW(10, 1f)
    csrwi MCOUNTINHIBIT, 5
    csrr a0, MCOUNTINHIBIT
    andi a0, a0, 7
    CHECK(a0, 5)
    csrr a0, mcycle
    csrr a1, minstret
    nop
    nop
    csrr a2, mcycle
    csrr a3, minstret
    CHECK_EQ(a0, a2)
    CHECK_EQ(a1, a3)
    csrr a2, cycle
    csrr a3, instret
    CHECK_EQ(a0, a2)
    CHECK_EQ(a1, a3)
    csrwi MCOUNTINHIBIT, 2
    csrr a0, MCOUNTINHIBIT
    andi a0, a0, 7
    CHECK(a0, 0)
    csrr a0, minstret
    nop
    csrr a1, minstret
    CHECK_NE(a0, a1)
1:

TEST_CASE(6) /* Zihpm: all counters and selectors are there */
    /* QEMU has half of them by default, and they hold what is written. */
    SKIP_ON_QEMU(1f)
.irp n, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    csrw mhpmcounter\n, x0
    csrw mhpmevent\n, x0
    csrr a0, mhpmcounter\n
    CHECK(a0, 0)
    csrr a0, mhpmevent\n
    CHECK(a0, 0)
    csrr a0, hpmcounter\n
    CHECK(a0, 0)
.endr
1:

TEST_CASE(7) /* lower modes see the same numbers */
    csrwi mcounteren, 7
    csrwi scounteren, 7
    csrr s2, minstret
    GO_U
    csrr s3, instret
    csrr s4, cycle
    csrr s5, time
    GO_M
    csrr s6, minstret
    LINE
    bgeu s2, s3, fail
    bgeu s3, s6, fail
    csrr s6, mcycle
    bltu s6, s4, fail
    PASS

    .balign 4
/* Four instructions that retire: goes on behind a trapping 4-byte instruction. */
skip:
    csrr t3, mepc
    addi t3, t3, 4
    csrw mepc, t3
    mret
