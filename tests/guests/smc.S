/* Code that changes: stores followed by fence.i, from near and far, by another mapping, by AMO. */
#include "test.h"

/* addi a0, a0, n */
#define ADDI(n) (0x00050513 | (n) << 20)

.text
.globl test_main
test_main:
TEST_CASE(1) /* the very next instruction after the fence */
    li a0, 0
    li t0, ADDI(7)
    la t1, 1f
    sw t0, 0(t1)
    fence.i
1:  addi a0, a0, 1
    CHECK(a0, 7)
    lw t0, 0(t1)
    CHECK(t0, ADDI(7))

TEST_CASE(2) /* in a loop: each turn runs what the turn before wrote */
    li a0, 0
    li s2, 1
    la t1, 2f
1:  slli t0, s2, 20
    li t2, ADDI(0)
    or t0, t0, t2
    sw t0, 0(t1)
    fence.i
2:  addi a0, a0, 0
    addi s2, s2, 1
    li t2, 101
    bne s2, t2, 1b
    CHECK(a0, 5050)

TEST_CASE(3) /* a routine called, changed, called again */
    li s3, 0
1:  la t1, routine
    li a0, 0
    jalr ra, 0(t1)
    CHECK(a0, 1)
    la t1, routine
    li t0, ADDI(2)
    sw t0, 0(t1)
    fence.i
    li a0, 0
    jalr ra, 0(t1)
    CHECK(a0, 2)
    la t1, routine
    li t0, ADDI(1)
    sw t0, 0(t1)
    fence.i
    addi s3, s3, 1
    li t0, 50
    bne s3, t0, 1b

TEST_CASE(4) /* stores of every width, misaligned, AMO, FPU */
.macro changed expect
    fence.i
    li a0, 0
    la t1, routine
    jalr ra, 0(t1)
    CHECK(a0, \expect)
    la t1, routine
.endm
    la t1, routine
    li t0, ADDI(3) >> 16
    sh t0, 2(t1)
    changed 3
    li t2, ADDI(0x40) >> 24
    sb t2, 3(t1)
    changed 0x43
    li t0, ADDI(5)
    li t2, ADDI(6)
    slli t2, t2, 32
    or t0, t0, t2
    ld s4, 0(t1)
    sd t0, 0(t1)
    changed 11
    li t0, ADDI(9) >> 8
    lbu t2, 4(t1)
    slli t2, t2, 24
    or t0, t0, t2
    sw t0, 1(t1) /* the last three bytes of one, the first of the next */
    changed 15
    li t0, ADDI(1)
    amoswap.w x0, t0, (t1)
    changed 7
    fmv.d.x fa0, s4
    fsd fa0, 0(t1)
    li t0, ADDI(1)
    li t2, 100
1:  lr.w x0, (t1)
    sc.w t3, t0, (t1)
    addi t2, t2, -1
    LINE
    bltz t2, fail
    bnez t3, 1b
    changed 1

TEST_CASE(5) /* code that rewrites itself behind and before the pc, in one block */
    li a0, 0
    li s3, 3
    la t1, 1f
    la t2, 2f
    li t0, ADDI(16)
    li t3, ADDI(32)
1:  addi a0, a0, 1
    sw t0, 0(t1) /* for the next turn */
    sw t3, 0(t2)
    fence.i
2:  addi a0, a0, 2
    addi s3, s3, -1
    bnez s3, 1b
    CHECK(a0, 1 + 16 + 16 + 32 * 3)

TEST_CASE(6) /* a routine copied into fresh memory; then another in its place */
    la t1, scratch
    li t0, ADDI(4)
    sw t0, 0(t1)
    li t0, 0x00008067 /* ret */
    sw t0, 4(t1)
    fence.i
    li a0, 0
    jalr ra, 0(t1)
    CHECK(a0, 4)
    la t1, scratch
    li t0, 0x80828082 /* c.jr ra, twice */
    sw t0, 0(t1)
    fence.i
    li a0, 0
    jalr ra, 0(t1)
    CHECK(a0, 0)
    la t1, scratch
    sw x0, 0(t1)
    fence.i
    LINE
    TRAP_ARM(1f)
    jalr ra, 0(t1)
    j fail
1:  la t5, trap_record
    ld a0, TR_CAUSE(t5)
    CHECK(a0, CAUSE_ILLEGAL)
    la t1, scratch
    li t0, ADDI(4)
    sw t0, 0(t1)
    fence.i
    li a0, 0
    jalr ra, 0(t1)
    CHECK(a0, 4)

TEST_CASE(7) /* one half of an instruction across a page boundary is changed */
    la t1, scratch + 4094
    li t0, ADDI(1) & 0xffff
    sh t0, 0(t1)
    li t0, ADDI(1) >> 16
    sh t0, 2(t1)
    li t0, 0x8082
    sh t0, 4(t1)
    fence.i
    li a0, 0
    jalr ra, 0(t1)
    CHECK(a0, 1)
    la t1, scratch + 4094
    li t0, ADDI(2) >> 16
    sh t0, 2(t1) /* the second page */
    fence.i
    li a0, 0
    jalr ra, 0(t1)
    CHECK(a0, 2)
    la t1, scratch + 4094
    li t0, 0x0593 /* addi a1: the first page */
    sh t0, 0(t1)
    fence.i
    li a0, 5
    li a1, 0
    jalr ra, 0(t1)
    CHECK(a1, 7)
    CHECK(a0, 5)

TEST_CASE(8) /* a code page written through another mapping, run in S */
    la t0, root
    li t1, 0x80000000 >> 2 | 0xcf /* V R W X A D */
    sd t1, 16(t0)
    la t1, level1
    srli t1, t1, 2
    ori t1, t1, 1
    sd t1, 8(t0)
    la t0, level1
    la t1, level0
    srli t1, t1, 2
    ori t1, t1, 1
    sd t1, 0(t0)
    la t0, level0
    la t1, scratch
    srli t1, t1, 2
    ori t2, t1, 0x4b /* 0x40000000: V R X A */
    sd t2, 0(t0)
    ori t2, t1, 0xc7 /* 0x40001000: V R W A D */
    sd t2, 8(t0)
    la t0, root
    srli t0, t0, 12
    li t1, 8 << 60
    or t0, t0, t1
    csrw satp, t0
    sfence.vma
    GO_S
    li s2, 0x40000000
    li s3, 0x40001000
    li s4, 20
1:  li t0, ADDI(11)
    sw t0, 0(s3)
    li t0, 0x8067
    sw t0, 4(s3)
    fence.i
    li a0, 0
    jalr ra, 0(s2)
    CHECK(a0, 11)
    li t0, ADDI(12)
    sw t0, 0(s3)
    fence.i
    li a0, 0
    jalr ra, 0(s2)
    CHECK(a0, 12)
    la t1, scratch /* a third name */
    li t0, ADDI(13)
    sw t0, 0(t1)
    fence.i
    li a0, 0
    jalr ra, 0(s2)
    CHECK(a0, 13)
    addi s4, s4, -1
    bnez s4, 1b
    GO_M

TEST_CASE(9) /* the mapping of a code page changes: other code at the same address */
    la t1, scratch2
    li t0, ADDI(21)
    sw t0, 0(t1)
    li t0, 0x8067
    sw t0, 4(t1)
    la t1, scratch
    li t0, ADDI(22)
    sw t0, 0(t1)
    fence.i
    la s5, level0
    la t1, scratch
    srli t1, t1, 2
    ori s6, t1, 0x4b
    la t1, scratch2
    srli t1, t1, 2
    ori s7, t1, 0x4b
    GO_S
    li s4, 10
1:  sd s6, 0(s5)
    sfence.vma
    li a0, 0
    jalr ra, 0(s2)
    CHECK(a0, 22)
    sd s7, 0(s5)
    sfence.vma
    li a0, 0
    jalr ra, 0(s2)
    CHECK(a0, 21)
    addi s4, s4, -1
    bnez s4, 1b
    GO_M
    csrw satp, x0

TEST_CASE(10) /* without fence.i: more than the ISA promises, but this machine's fetches are coherent */
    /* QEMU finishes the block it is in. */
    SKIP_ON_QEMU(9f)
    li a0, 0
    li t0, ADDI(7)
    la t1, 1f
    sw t0, 0(t1)
1:  addi a0, a0, 1
    CHECK(a0, 7)
    li a0, 0
    li s2, 1
    la t1, 2f
1:  slli t0, s2, 20
    li t2, ADDI(0)
    or t0, t0, t2
    sw t0, 0(t1)
2:  addi a0, a0, 0
    addi s2, s2, 1
    li t2, 101
    bne s2, t2, 1b
    CHECK(a0, 5050)
9:
    PASS

    /* A line of its own: data and code mixed in one page. */
    .balign 8
routine:
    addi a0, a0, 1
    addi a0, a0, 0
    ret
    .balign 4096

.bss
    .balign 4096
root: .skip 4096
level1: .skip 4096
level0: .skip 4096
scratch: .skip 8192
scratch2: .skip 4096
