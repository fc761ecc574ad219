/* PARAM_OPTION harts: software interrupts in a ring, timers, counters by AMO, by LR/SC and under a
 * lock, pause and wfi. */
#include "guest.h"

    HEAD

start:
    csrr tp, mhartid
    la sp, stacks
    addi t0, tp, 1
    slli t0, t0, 10
    add sp, sp, t0
    la t0, trap
    csrw mtvec, t0
    PARAM t1, PARAM_PERIOD
    beqz t1, 1f
    jal arm_timer
    li t0, 0x80
    csrs mie, t0
1:  csrsi mie, 8
    csrsi mstatus, 8
    PARAM s0, PARAM_ROUNDS
    PARAM s3, PARAM_OPTION
    mv s1, tp
round:
    la t0, shared
    li t1, 1
    amoadd.d t2, t1, (t0)
    add s1, s1, t2
1:  la t0, reserved
    lr.d t2, (t0)
    addi t2, t2, 3
    sc.d t1, t2, (t0)
    bnez t1, 1b
    /* the lock */
    la t0, lock
2:  li t1, 1
    amoswap.w.aq t1, t1, (t0)
    beqz t1, 3f
    .word 0x0100000f /* pause */
    j 2b
3:  la t1, guarded
    ld t2, 0(t1)
    addi t2, t2, 1
    sd t2, 0(t1)
    add s1, s1, t2
    amoswap.w.rl zero, zero, (t0)
    /* own things, on the stack */
    sd s1, -16(sp)
    ld t1, -13(sp)
    xor s1, s1, t1
    andi t0, s0, 3
    bnez t0, 4f
    /* wake the next */
    addi t0, tp, 1
    bne t0, s3, 5f
    li t0, 0
5:  slli t0, t0, 2
    li t1, MSIP
    add t0, t0, t1
    li t1, 1
    sw t1, 0(t0)
4:  andi t0, s0, 7
    li t1, 5
    bne t0, t1, 6f
    PARAM t0, PARAM_PERIOD
    beqz t0, 6f
    /* with interrupts off every other time: then an instruction follows, no interrupt entry */
    andi t1, s0, 8
    beqz t1, 5f
    csrci mstatus, 8
5:  wfi
    csrsi mstatus, 8
6:  andi t0, s1, 7
    bnez t0, 7f
    addi t1, tp, 'A'
    li t0, UART
    sb t1, 0(t0)
7:  addi s0, s0, -1
    bnez s0, round
    la t0, done
    li t1, 1
    amoadd.w zero, t1, (t0)
    beqz tp, finish
8:  wfi
    j 8b
finish:
    la t0, done
    lw t1, 0(t0)
    beq t1, s3, 9f
    .word 0x0100000f
    j finish
9:  FINISH

/* t1: ticks; each hart its own rhythm. Clobbers t0. */
arm_timer:
    li t0, MTIME
    ld t0, 0(t0)
    add t1, t1, t0
    add t1, t1, tp
    add t1, t1, tp
    li t0, MTIMECMP
    add t0, t0, tp
    add t0, t0, tp
    add t0, t0, tp
    add t0, t0, tp
    add t0, t0, tp
    add t0, t0, tp
    add t0, t0, tp
    add t0, t0, tp
    sd t1, 0(t0)
    ret

    .balign 4
trap:
    addi sp, sp, -64
    sd t0, 0(sp)
    sd t1, 8(sp)
    sd ra, 16(sp)
    csrr t0, mcause
    andi t0, t0, 63
    li t1, 7
    beq t0, t1, 1f
    slli t0, tp, 2
    li t1, MSIP
    add t0, t0, t1
    sw zero, 0(t0)
    j 2f
1:  PARAM t1, PARAM_PERIOD
    jal arm_timer
2:  la t0, interrupts
    li t1, 1
    amoadd.d zero, t1, (t0)
    ld t0, 0(sp)
    ld t1, 8(sp)
    ld ra, 16(sp)
    addi sp, sp, 64
    mret

    .data
    .balign 64
shared: .skip 64
reserved: .skip 64
guarded: .skip 64
lock: .skip 64
done: .skip 64
interrupts: .skip 64
stacks: .skip 8192
