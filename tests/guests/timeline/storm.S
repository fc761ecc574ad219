/* One hart, everything that can interrupt or translate: a timer below M and S, faults that map
 * pages under Sv39, accessed and dirty bits, U-mode, nested traps, code that is rewritten, atomics,
 * floating point, the serial port, the host's clock, wfi. */
#include "guest.h"

#define FRAME 160
#define WINDOW 0x40000000
#define PAGES 8

    HEAD

/* Save what C may clobber; the stack pointer of a lower mode comes from `scratch`, which is 0 in
 * the mode itself. */
.macro ENTER scratch, epc, status
    csrrw sp, \scratch, sp
    bnez sp, 1f
    csrrw sp, \scratch, sp
1:  addi sp, sp, -FRAME
    sd t0, 0(sp)
    sd t1, 8(sp)
    sd t2, 16(sp)
    sd t3, 24(sp)
    sd t4, 32(sp)
    sd a0, 40(sp)
    sd a1, 48(sp)
    sd a7, 56(sp)
    sd ra, 64(sp)
    csrr t0, \epc
    sd t0, 72(sp)
    csrr t0, \status
    sd t0, 80(sp)
    csrrw t0, \scratch, zero
    sd t0, 88(sp)
.endm

.macro LEAVE scratch, epc, status, ret
    ld t0, 72(sp)
    csrw \epc, t0
    ld t0, 80(sp)
    csrw \status, t0
    ld t0, 88(sp)
    csrw \scratch, t0
    ld t1, 8(sp)
    ld t2, 16(sp)
    ld t3, 24(sp)
    ld t4, 32(sp)
    ld a0, 40(sp)
    ld a1, 48(sp)
    ld a7, 56(sp)
    ld ra, 64(sp)
    beqz t0, 1f
    ld t0, 0(sp)
    addi sp, sp, FRAME
    csrrw sp, \scratch, sp
    \ret
1:  ld t0, 0(sp)
    addi sp, sp, FRAME
    \ret
.endm

start:
    la sp, m_stack
    csrw mscratch, sp
    la t0, m_trap
    csrw mtvec, t0
    li t0, -1
    csrw pmpaddr0, t0
    li t0, 0x1f
    csrw pmpcfg0, t0
    li t0, 0xb108 /* faults and ecalls of U: S takes them */
    csrw medeleg, t0
    li t0, 2
    csrw mideleg, t0
    li t0, -1
    csrw mcounteren, t0
    PARAM t1, PARAM_PERIOD
    beqz t1, 1f
    jal arm_timer
    li t0, 0x80
    csrs mie, t0
1:  li t0, 0x1800
    csrc mstatus, t0
    li t0, 0x46800 /* MPP S, FS, SUM */
    csrs mstatus, t0
    la t0, supervisor
    csrw mepc, t0
    mret

/* t1: ticks. Clobbers t0. */
arm_timer:
    li t0, MTIME
    ld t0, 0(t0)
    add t1, t1, t0
    li t0, MTIMECMP
    sd t1, 0(t0)
    ret

    .balign 4
m_trap:
    ENTER mscratch, mepc, mstatus
    csrr t0, mcause
    bgez t0, m_call
    la t0, ticks
    ld t1, 0(t0)
    addi t1, t1, 1
    sd t1, 0(t0)
    andi t1, t1, 7
    PARAM t0, PARAM_PERIOD
    add t1, t1, t0
    jal arm_timer
    li t0, 2
    csrs mip, t0
    j m_leave
m_call:
    ld t1, 72(sp)
    addi t1, t1, 4
    sd t1, 72(sp)
    li t1, 11
    beq t0, t1, m_nested
    /* from S: count with interrupts on, and call M from M */
    csrsi mstatus, 8
    li t2, 12
1:  addi t2, t2, -1
    bnez t2, 1b
    ecall
    csrci mstatus, 8
    j m_leave
m_nested:
    la t0, nested
    li t1, 1
    amoadd.d t1, t1, (t0)
m_leave:
    LEAVE mscratch, mepc, mstatus, mret

supervisor:
    la sp, s_stack
    csrw sscratch, zero
    la t0, s_trap
    csrw stvec, t0
    /* 1 GiB each: devices, the window's tables, RAM */
    la t0, root
    li t1, 0xc7 /* V R W A D */
    sd t1, 0(t0)
    la t1, middle
    srli t1, t1, 2
    ori t1, t1, 1
    sd t1, 8(t0)
    li t1, (0x80000000 >> 2) | 0xcf
    sd t1, 16(t0)
    la t0, middle
    la t1, leaves
    srli t1, t1, 2
    ori t1, t1, 1
    sd t1, 0(t0)
    la t0, root
    srli t0, t0, 12
    li t1, 8 << 60
    or t0, t0, t1
    csrw satp, t0
    sfence.vma
    li t0, 2
    csrw sie, t0
    csrsi sstatus, 2
    PARAM s0, PARAM_ROUNDS
    li s1, 0x123456789
round:
    mv a0, s0
    andi a0, a0, 3
    addi a0, a0, 2
    jal recurse
    add s1, s1, a0
    jal rewrite
    add s1, s1, a0
    jal atomics
    add s1, s1, a0
    jal floats
    add s1, s1, a0
    jal go_user
    add s1, s1, a0
    jal unaligned
    ecall
    /* a letter */
    andi t0, s1, 15
    addi t0, t0, 'a'
    li t1, UART
    sb t0, 0(t1)
    /* the host's clock */
    andi t0, s0, 1
    bnez t0, 1f
    li t0, RTC
    lw t1, 0(t0)
    lw t2, 4(t0)
    xor s1, s1, t1
    add s1, s1, t2
    rdtime t0
    rdinstret t1
    add s1, s1, t0
    xor s1, s1, t1
1:  andi t0, s0, 3
    bnez t0, 2f
    PARAM t0, PARAM_PERIOD
    beqz t0, 2f
    wfi
2:  addi s0, s0, -1
    bnez s0, round
    la t0, result
    sd s1, 0(t0)
    FINISH

/* a0 levels deep; the stack is written and read. */
recurse:
    addi sp, sp, -32
    sd ra, 24(sp)
    sd s2, 16(sp)
    mv s2, a0
    addi a0, a0, -1
    beqz s2, 1f
    jal recurse
1:  sb a0, 5(sp)
    sh s2, 6(sp)
    sw s1, 8(sp)
    ld t0, 5(sp)
    add a0, t0, s2
    ld s2, 16(sp)
    ld ra, 24(sp)
    addi sp, sp, 32
    ret

/* Rewrite the next instruction but two, with and without a fence. */
rewrite:
    andi t0, s0, 0xff
    slli t0, t0, 20
    li t1, 0x00050513 /* addi a0, a0, 0 */
    or t1, t1, t0
    la t2, patched
    sw t1, 0(t2)
    andi t0, s0, 1
    beqz t0, 1f
    fence.i
1:  li a0, 1
    .balign 4
patched:
    .word 0x00050513
    andi t0, s0, 2
    beqz t0, 2f
    /* a function on a page of its own */
    la t2, function
    sw t1, 0(t2)
    addi sp, sp, -16
    sd ra, 0(sp)
    jalr t2
    ld ra, 0(sp)
    addi sp, sp, 16
2:  ret

atomics:
    la t0, counters
    amoadd.w a0, s0, (t0)
    addi t1, t0, 8
    amoswap.d a1, s1, (t1)
    add a0, a0, a1
    addi t1, t0, 16
    amomaxu.d a1, s1, (t1)
    xor a0, a0, a1
    addi t1, t0, 24
1:  lr.d t2, (t1)
    add t2, t2, s0
    sc.d t3, t2, (t1)
    bnez t3, 1b
    sc.d t3, t2, (t1) /* fails */
    add a0, a0, t3
    ret

floats:
    fcvt.d.l fa0, s0
    fcvt.d.l fa1, s1
    fdiv.d fa2, fa1, fa0
    fmadd.d fa3, fa2, fa0, fa1
    la t0, counters
    fsd fa3, 33(t0)
    fmv.x.d a0, fa3
    ret

unaligned:
    la t0, span + 4096 - 8
    andi t1, s0, 15
    add t0, t0, t1
    sd s1, 0(t0)
    lw t2, 3(t0)
    add s1, s1, t2
    ret

/* Down to U-mode and back by an ecall; a0 is what it left there. Every other round finds the window
 * unmapped. */
go_user:
    addi sp, sp, -32
    sd ra, 0(sp)
    sd s0, 8(sp)
    sd s1, 16(sp)
    andi t0, s0, 1
    bnez t0, 1f
    jal unmap
    sfence.vma
1:  csrci sstatus, 2
    csrw sscratch, sp
    li t0, WINDOW
    csrw sepc, t0
    li t0, 0x100
    csrc sstatus, t0
    li t0, 0x20
    csrs sstatus, t0
    mv a0, s1
    mv a1, s0
    sret
back:
    ld ra, 0(sp)
    ld s0, 8(sp)
    ld s1, 16(sp)
    addi sp, sp, 32
    csrsi sstatus, 2
    ret

/* Clobbers t0, t1. */
unmap:
    la t0, leaves
    li t1, PAGES
1:  sd zero, 0(t0)
    addi t0, t0, 8
    addi t1, t1, -1
    bnez t1, 1b
    ret

    .balign 4
s_trap:
    ENTER sscratch, sepc, sstatus
    csrr t0, scause
    bltz t0, s_tick
    li t1, 8
    beq t0, t1, s_return
    /* A fault: map the page, neither accessed nor dirty. */
    csrr t0, stval
    srli t0, t0, 12
    andi t0, t0, PAGES - 1
    slli t1, t0, 12
    la t2, frames
    add t2, t2, t1
    srli t2, t2, 2
    ori t2, t2, 0x1f /* V R W X U */
    slli t0, t0, 3
    la t1, leaves
    add t1, t1, t0
    sd t2, 0(t1)
    j s_leave
s_tick:
    csrci sip, 2
    la t0, s_ticks
    ld t1, 0(t0)
    addi t1, t1, 1
    sd t1, 0(t0)
    andi t1, t1, 7
    bnez t1, s_leave
    jal unmap /* without a fence: translations are coherent */
s_leave:
    LEAVE sscratch, sepc, sstatus, sret
s_return:
    addi sp, sp, FRAME
    j back

    .data
    .balign 4096
frames: /* the first is U's code */
    li t0, WINDOW + 4096
    li t1, 6
    mv t2, a0
1:  andi t3, t2, 7
    slli t3, t3, 3
    add t3, t3, t0
    ld t4, 16(t3)
    add t2, t2, t4
    andi t4, t1, 1
    beqz t4, 2f
    li t4, 4096 - 60
    add t4, t4, t3
    sd t2, 0(t4) /* the last of them crosses into the next page */
    sb t1, 7(t3)
2:  li t3, 4096
    add t0, t0, t3
    srli t3, t2, 3
    xor t2, t2, t3
    addi t1, t1, -1
    bnez t1, 1b
    mv a0, t2
    ecall
    .balign 4096
    .skip 4096 * (PAGES - 1)
function:
    .word 0x00050513
    ret
    .balign 4096
root: .skip 4096
middle: .skip 4096
leaves: .skip 4096
span: .skip 8192
ticks: .quad 0
s_ticks: .quad 0
nested: .quad 0
result: .quad 0
    .balign 64
counters: .skip 64
    .balign 16
    .skip 4096
m_stack:
    .skip 4096
s_stack:
