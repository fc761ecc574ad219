/* Branches, jal, jalr: conditions, links, reach in both directions. */
#include "test.h"

#define TAKEN(op, a, b) \
    LINE; li a0, a; li a1, b; op a0, a1, 2f; j fail; \
    1: j 3f; 2: op a0, a1, 1b; j fail; 3:
#define NOT_TAKEN(op, a, b) \
    LINE; j 2f; 1: j fail; 2: li a0, a; li a1, b; op a0, a1, 1b; op a0, a1, 3f; j 4f; 3: j fail; 4:

#define MAX 0x7fffffffffffffff
#define MIN 0x8000000000000000

.text
.globl test_main
test_main:
TEST_CASE(1)
    TAKEN(beq, 0, 0)
    TAKEN(beq, -1, -1)
    TAKEN(beq, MIN, MIN)
    NOT_TAKEN(beq, 0, 1)
    NOT_TAKEN(beq, -1, 1)
    NOT_TAKEN(beq, 0x100000000, 0)
    NOT_TAKEN(beq, MIN, 0)
TEST_CASE(2)
    TAKEN(bne, 0, 1)
    TAKEN(bne, 1, 0)
    TAKEN(bne, 0x100000001, 1)
    TAKEN(bne, MIN, 0)
    NOT_TAKEN(bne, 0, 0)
    NOT_TAKEN(bne, -1, -1)
TEST_CASE(3)
    TAKEN(blt, 0, 1)
    TAKEN(blt, -1, 0)
    TAKEN(blt, -2, -1)
    TAKEN(blt, MIN, MAX)
    TAKEN(blt, 0xffffffff80000000, 0x7fffffff)
    NOT_TAKEN(blt, 0, 0)
    NOT_TAKEN(blt, 1, 0)
    NOT_TAKEN(blt, 1, -1)
    NOT_TAKEN(blt, -1, -2)
    NOT_TAKEN(blt, MAX, MIN)
    NOT_TAKEN(blt, 0x80000000, 0x7fffffff)
TEST_CASE(4)
    TAKEN(bge, 0, 0)
    TAKEN(bge, 1, 0)
    TAKEN(bge, 1, -1)
    TAKEN(bge, -1, -1)
    TAKEN(bge, MAX, MIN)
    NOT_TAKEN(bge, 0, 1)
    NOT_TAKEN(bge, -1, 0)
    NOT_TAKEN(bge, MIN, MAX)
TEST_CASE(5)
    TAKEN(bltu, 0, 1)
    TAKEN(bltu, 0, -1)
    TAKEN(bltu, MAX, MIN)
    TAKEN(bltu, 0xffffffff, 0x100000000)
    NOT_TAKEN(bltu, 0, 0)
    NOT_TAKEN(bltu, -1, 0)
    NOT_TAKEN(bltu, MIN, MAX)
    NOT_TAKEN(bltu, -1, -1)
TEST_CASE(6)
    TAKEN(bgeu, 0, 0)
    TAKEN(bgeu, -1, 0)
    TAKEN(bgeu, MIN, MAX)
    TAKEN(bgeu, -1, -1)
    NOT_TAKEN(bgeu, 0, 1)
    NOT_TAKEN(bgeu, 0, -1)
    NOT_TAKEN(bgeu, MAX, MIN)

TEST_CASE(7) /* the same register twice, x0 as operand */
    LINE
    li a0, 5
    bne a0, a0, 1f
    blt a0, a0, 1f
    bltu a0, a0, 1f
    beq a0, x0, 1f
    blt a0, x0, 1f
    bltu a0, x0, 1f
    bgeu x0, a0, 1f
    bne x0, x0, 1f
    beq a0, a0, 2f
1:  j fail
2:  bge a0, a0, 3f
    j fail
3:  bgeu a0, a0, 4f
    j fail
4:  beq x0, x0, 5f
    j fail
5:

TEST_CASE(8) /* jal: link register, x0, any register as link, backwards */
    LINE
    jal ra, 2f
1:  j fail
2:  la a0, 1b
    CHECK_EQ(ra, a0)
    jal t0, 4f
3:  j fail
4:  la a0, 3b
    CHECK_EQ(t0, a0)
    li ra, 0x77
    jal x0, 5f
    j fail
5:  CHECK(ra, 0x77)
    mv a0, x0
    CHECK(a0, 0)
    LINE
    j 7f
6:  j 8f
7:  jal a5, 6b
    j fail
8:  la a0, 7b + 4
    CHECK_EQ(a5, a0)

TEST_CASE(9) /* jalr: offsets, bit 0 of the sum is cleared, rd == rs1, x0 */
    LINE
    la a0, 2f
    jalr ra, 0(a0)
1:  j fail
2:  la a1, 1b
    CHECK_EQ(ra, a1)
    la a0, 3f + 1
    jalr ra, 0(a0)
    j fail
3:  la a0, 4f
    jalr ra, 1(a0)
    j fail
4:  la a0, 5f + 1
    jalr ra, -1(a0)
    j fail
5:  la a0, 6f - 2047
    jalr ra, 2047(a0)
    j fail
6:  la a0, 7f + 2048
    jalr ra, -2048(a0)
    j fail
7:  la a0, 9f
    jalr a0, 0(a0)
8:  j fail
9:  la a1, 8b
    CHECK_EQ(a0, a1)
    la a0, 10f
    li ra, 3
    jalr x0, 0(a0)
    j fail
10: CHECK(ra, 3)
    LINE
    la ra, 12f
    jalr ra, 0(ra) /* a coroutine swap */
11: j fail
12: la a0, 11b
    CHECK_EQ(ra, a0)

TEST_CASE(10) /* calls and returns, nested */
    li a0, 10
    jal ra, factorial
    CHECK(a0, 3628800)

TEST_CASE(11) /* a loop taken many times */
    li a0, 0
    li a1, 1000
1:  add a0, a0, a1
    addi a1, a1, -1
    bnez a1, 1b
    CHECK(a0, 500500)

TEST_CASE(12) /* the reach of a branch: -4096 and +4092 */
    LINE
    j 2f
1:  beq x0, x0, 3f /* . + 4092 */
    j fail
    .skip 4088
2:  beq x0, x0, 1b /* . - 4096 */
3:

TEST_CASE(13) /* the reach of jal: +-1 MiB */
    LINE
    la a0, far_forward
    jr a0
far_returned:
    PASS

/* n! by recursion */
factorial:
    addi sp, sp, -16
    sd ra, 0(sp)
    sd a0, 8(sp)
    li t0, 2
    bltu a0, t0, 1f
    addi a0, a0, -1
    jal ra, factorial
    ld t0, 8(sp)
    mul a0, a0, t0
    j 2f
1:  li a0, 1
2:  ld ra, 0(sp)
    addi sp, sp, 16
    ret

far_forward:
    jal ra, far_top /* . + 0xffffc */
far_link:
    j far_bad
far_back:
    la a1, far_link
    bne ra, a1, far_bad
    la a1, far_jal + 4
    bne t0, a1, far_bad
    la a1, far_returned
    jr a1
far_bad:
    la a1, fail
    jr a1
    .skip 0xfffac + 8
far_top:
    nop
    nop
    nop
far_jal:
    jal t0, far_back /* . - 0x100000 */
