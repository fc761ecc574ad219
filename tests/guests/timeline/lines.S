/* Starts the C code of lines.c on every hart, each with a stack of its own. The timer of hart 0
 * interrupts it every PARAM_PERIOD ticks; the handler calls C code that the others call too. */
#include "guest.h"

#define STACK_TOP 0x80012000
#define STACK_SIZE 0x2000

HEAD

start:
    csrr s0, mhartid
    li sp, STACK_TOP
    li t0, STACK_SIZE
    mul t0, t0, s0
    sub sp, sp, t0
    la t0, handler
    csrw mtvec, t0
    bnez s0, 1f
    PARAM t1, PARAM_PERIOD
    beqz t1, 1f
    call rearm
    li t0, 0x80
    csrw mie, t0
    csrsi mstatus, 8
1:  PARAM a0, PARAM_ROUNDS
    mv a1, s0
    call work
    bnez s0, 2f
    csrw mie, zero
    FINISH
2:  wfi
    j 2b

    .balign 4
    .globl handler
    .type handler, @function
handler:
    addi sp, sp, -160
    sd ra, 0(sp)
    sd t0, 8(sp)
    sd t1, 16(sp)
    sd t2, 24(sp)
    sd a0, 32(sp)
    sd a1, 40(sp)
    sd a2, 48(sp)
    sd a3, 56(sp)
    sd a4, 64(sp)
    sd a5, 72(sp)
    sd a6, 80(sp)
    sd a7, 88(sp)
    sd t3, 96(sp)
    sd t4, 104(sp)
    sd t5, 112(sp)
    sd t6, 120(sp)
    call rearm
    li a0, 3
    call depth
    ld ra, 0(sp)
    ld t0, 8(sp)
    ld t1, 16(sp)
    ld t2, 24(sp)
    ld a0, 32(sp)
    ld a1, 40(sp)
    ld a2, 48(sp)
    ld a3, 56(sp)
    ld a4, 64(sp)
    ld a5, 72(sp)
    ld a6, 80(sp)
    ld a7, 88(sp)
    ld t3, 96(sp)
    ld t4, 104(sp)
    ld t5, 112(sp)
    ld t6, 120(sp)
    addi sp, sp, 160
    .globl handler_return
handler_return:
    mret
    .size handler, . - handler

    .type rearm, @function
rearm:
    PARAM t1, PARAM_PERIOD
    li t0, MTIME
    ld t0, 0(t0)
    add t0, t0, t1
    li t1, MTIMECMP
    sd t0, 0(t1)
    ret
    .size rearm, . - rearm
