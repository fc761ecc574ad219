/* Two harts: hart 0 makes a chain of pointers and spoils its end, hart 1 follows it and faults, on
 * purpose: for ../scripts/report_test.py. */
#include "test.h"

.text
.globl test_main
test_main:
    call make_chain
    li t0, 1000
1:  addi t0, t0, -1
    bnez t0, 1b
    call spoil
    li t0, 1
    la t1, ready
    fence
    sd t0, 0(t1)
    call idle

.type make_chain, @function
make_chain:
    la t0, object
    la t1, first
    sd t0, 0(t1) /* make_chain: first */
    ret
.size make_chain, . - make_chain

.type spoil, @function
spoil:
    li t2, 0x40
    la t0, object
    sd t2, 8(t0) /* spoil: object */
    ret
.size spoil, . - spoil

.type idle, @function
idle:
    j idle
.size idle, . - idle

.globl secondary_main
secondary_main:
    la t0, trap_entry
    csrw mtvec, t0
    li gp, 41
    la t0, ready
1:  ld t1, 0(t0)
    beqz t1, 1b
    fence
    call follow_chain
    j fail

.type follow_chain, @function
follow_chain:
    la a0, first
    ld a1, 0(a0)
    ld a2, 8(a1)
    ld a3, 0(a2) /* follow_chain: the fault */
    ret
.size follow_chain, . - follow_chain

.data
.balign 8
.globl first
.type first, @object
first: .quad 0
.size first, 8
.globl object
.type object, @object
object: .quad 0, 0
.size object, 16
ready: .quad 0
