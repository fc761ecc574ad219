/* Fills pages of memory, one after the other in no order, with numbers that do not compress: for
 * recordings that grow. ../scripts/keep_test.py changes the words behind the magic. */
#include "test.h"

.text
.globl test_main
test_main:
    li gp, 255
    la t0, pages
    ld s2, 0(t0)
    la t0, pause
    ld s3, 0(t0)
    addi s2, s2, -1
    la s4, _end
    li s5, 0x5851f42d4c957f2d
    li s6, 0x14057b7ef767814f
    li s7, 1
    slli s8, s5, 1
    ori s8, s8, 1
    /* A page at random, and all its words. */
next:
    mul s7, s7, s5
    add s7, s7, s6
    srli t0, s7, 32
    and t0, t0, s2
    slli t0, t0, 12
    add t0, t0, s4
    li t1, 4096
    add t1, t1, t0
    /* Eight words of each number: a byte of the product depends on all below it. */
1:  mul s7, s7, s5
    add s7, s7, s6
    srli t2, s7, 29
    xor t2, t2, s7
    mul t3, t2, s5
    sd t2, 0(t0)
    sd t3, 8(t0)
    mul t2, t2, s8
    mul t3, t3, s8
    sd t2, 16(t0)
    sd t3, 24(t0)
    addi t0, t0, 32
    bltu t0, t1, 1b
    mv t0, s3
2:  beqz t0, next
    addi t0, t0, -1
    j 2b

.data
.balign 8
    .ascii "keeptest"
pages: .quad 1024 /* a power of two */
pause: .quad 0    /* rounds of a loop after each page */
