/* Echoes the serial port from its interrupt; waits in wfi between bytes. 'Q' switches off, 'R'
 * resets. PARAM_ROUNDS: how long it is busy between two wfi. */
#include "guest.h"

    HEAD

start:
    la sp, stack
    la t0, trap
    csrw mtvec, t0
    li t0, PLIC
    li t1, 1
    sw t1, 40(t0) /* priority of source 10 */
    li t0, PLIC + 0x2000
    li t1, 1 << 10
    sw t1, 0(t0)
    li t0, PLIC + 0x200000
    sw zero, 0(t0)
    li t0, UART
    li t1, 1
    sb t1, 2(t0) /* FIFOs */
    sb t1, 1(t0) /* interrupt on reception */
    li t0, 0x800
    csrw mie, t0
    PARAM t1, PARAM_PERIOD
    beqz t1, 1f
    jal arm_timer
    li t0, 0x80
    csrs mie, t0
1:  csrsi mstatus, 8
    li s1, 1
busy:
    PARAM s0, PARAM_ROUNDS
1:  beqz s0, 2f
    slli t0, s1, 3
    xor s1, s1, t0
    addi s1, s1, 7
    la t1, state
    sd s1, 0(t1)
    addi s0, s0, -1
    j 1b
2:  wfi
    la t0, wakes
    ld t1, 0(t0)
    addi t1, t1, 1
    sd t1, 0(t0)
    j busy

arm_timer:
    li t0, MTIME
    ld t0, 0(t0)
    add t1, t1, t0
    li t0, MTIMECMP
    sd t1, 0(t0)
    ret

    .balign 4
trap:
    addi sp, sp, -64
    sd t0, 0(sp)
    sd t1, 8(sp)
    sd t2, 16(sp)
    sd t3, 24(sp)
    sd ra, 32(sp)
    csrr t0, mcause
    andi t0, t0, 63
    li t1, 7
    bne t0, t1, 1f
    la t0, ticks
    ld t1, 0(t0)
    addi t1, t1, 1
    sd t1, 0(t0)
    PARAM t1, PARAM_PERIOD
    jal arm_timer
    j leave
1:  li t0, PLIC + 0x200004
    lw t3, 0(t0)
    li t1, UART
2:  lbu t2, 5(t1)
    andi t2, t2, 1
    beqz t2, 3f
    lbu t2, 0(t1)
    sb t2, 0(t1)
    la t0, log
    la ra, count
    ld t1, 0(ra)
    andi t1, t1, 0x7ff
    add t0, t0, t1
    sb t2, 0(t0)
    ld t1, 0(ra)
    addi t1, t1, 1
    sd t1, 0(ra)
    li t0, RTC
    lw t0, 0(t0)
    la t1, clocks
    sd t0, 0(t1)
    li t0, 'Q'
    beq t2, t0, off
    li t0, 'R'
    beq t2, t0, reset
    li t1, UART
    j 2b
3:  li t0, PLIC + 0x200004
    sw t3, 0(t0)
leave:
    ld t0, 0(sp)
    ld t1, 8(sp)
    ld t2, 16(sp)
    ld t3, 24(sp)
    ld ra, 32(sp)
    addi sp, sp, 64
    mret
off:
    li t0, SYSCON
    li t1, 0x5555
    sw t1, 0(t0)
reset:
    li t0, SYSCON
    li t1, 0x7777
    sw t1, 0(t0)
1:  j 1b

    .data
    .balign 8
state: .quad 0
wakes: .quad 0
ticks: .quad 0
clocks: .quad 0
count: .quad 0
log: .skip 2048
    .balign 16
    .skip 2048
stack:
