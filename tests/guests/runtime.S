/* Start, end and trap handlers of every guest. See test.h. */
#include "test.h"

.section .text.start, "ax"
.globl _start
_start:
    csrr t0, mhartid
    bnez t0, 1f
    mv s0, a0
    mv s1, a1
    li gp, 255 /* a trap before the first test */
    li tp, 0
    la sp, stack_top
    la t0, trap_entry
    csrw mtvec, t0
    la t0, s_trap_entry
    csrw stvec, t0
    csrw mie, zero
    csrw mideleg, zero
    csrw medeleg, zero
    csrw satp, zero
    csrw mscratch, zero
    li t0, MSTATUS_MPP | MSTATUS_MPRV | MSTATUS_MIE | MSTATUS_SIE | MSTATUS_SUM | MSTATUS_MXR | \
           MSTATUS_TVM | MSTATUS_TW | MSTATUS_TSR
    csrc mstatus, t0
    li t0, -1
    csrw pmpaddr0, t0
    li t0, 0x1f /* NAPOT, X W R: all of memory */
    csrw pmpcfg0, t0
    li t0, 0x2000
    csrs mstatus, t0
    csrw fcsr, zero
    j test_main
1:
    j secondary_main

/* Harts other than 0, unless the test brings its own. */
.weak secondary_main
secondary_main:
    csrw mie, zero
1:  wfi
    j 1b

.globl fail
fail:
    la t5, fail_line
    sd tp, 0(t5)
    slli gp, gp, 1
    ori gp, gp, 1
1:  la t5, tohost
    sd gp, 0(t5)
    j 1b

.globl pass
pass:
    li gp, 1
1:  la t5, tohost
    sd gp, 0(t5)
    j 1b

/*
 * M-mode handler. An ecall from S or U with a7 = CALL_RETURN goes on behind the ecall in M-mode.
 * With CALL_RESUME (S-mode's handler has made the record) or for any other trap, the
 * armed address is next, once; a trap nobody armed for fails the test.
 */
.balign 256
.globl trap_entry
trap_entry:
    csrr t3, mcause
    li t4, -CAUSE_ECALL_U
    add t3, t3, t4
    sltiu t3, t3, 2
    beqz t3, 1f
    li t3, CALL_RETURN
    beq a7, t3, return_to_m
    li t3, CALL_RESUME
    beq a7, t3, resume
1:  la t3, trap_record
    csrr t4, mcause
    sd t4, TR_CAUSE(t3)
    csrr t4, mepc
    sd t4, TR_EPC(t3)
    csrr t4, mtval
    sd t4, TR_TVAL(t3)
    csrr t4, mstatus
    sd t4, TR_STATUS(t3)
    li t4, 3
    sd t4, TR_MODE(t3)
resume:
    li t4, MSTATUS_MPRV
    csrc mstatus, t4
    la t3, trap_record
    ld t4, TR_COUNT(t3)
    addi t4, t4, 1
    sd t4, TR_COUNT(t3)
    la t3, trap_resume
    ld t4, 0(t3)
    beqz t4, fail
    sd zero, 0(t3)
    jr t4
return_to_m:
    csrr t4, mepc
    addi t4, t4, 4
    jr t4

/* S-mode handler: makes the record and hands over to M-mode. */
.balign 256
.globl s_trap_entry
s_trap_entry:
    la t3, trap_record
    csrr t4, scause
    sd t4, TR_CAUSE(t3)
    csrr t4, sepc
    sd t4, TR_EPC(t3)
    csrr t4, stval
    sd t4, TR_TVAL(t3)
    csrr t4, sstatus
    sd t4, TR_STATUS(t3)
    li t4, 1
    sd t4, TR_MODE(t3)
    li a7, CALL_RESUME
    ecall

/* t4: mtval. The instruction at mepc must be it. Returns by t3; uses t5, t6. */
.globl check_tval_is_insn
check_tval_is_insn:
    la t5, trap_record
    ld t5, TR_EPC(t5)
    lhu t6, 0(t5)
    andi a7, t6, 3
    xori a7, a7, 3
    bnez a7, 1f
    lhu a7, 2(t5)
    slli a7, a7, 16
    or t6, t6, a7
1:  bne t4, t6, fail
    jr t3

/*
 * One access of kind a0 at a1 with MPP a2: the cause in a0, 0 if there was no fault. A load's
 * result in a3; a4 is stored. Checks mtval, and that a fetch got to its address.
 */
.globl try_access
try_access:
    la t6, 3f
    la t5, trap_resume
    sd t6, 0(t5)
    li a7, 0
    li t6, MSTATUS_MPP
    csrc mstatus, t6
    li t6, FETCH
    beq a0, t6, 2f
    li t6, MSTATUS_MPRV
    or t6, t6, a2
    csrs mstatus, t6
    bnez a0, 1f
    ld a3, 0(a1)
    j 4f
1:  sd a4, 0(a1)
    j 4f
2:  csrs mstatus, a2
    csrw mepc, a1
    mret
3:  la t5, trap_record
    ld a0, TR_CAUSE(t5)
    ld t4, TR_EPC(t5)
    li t6, CAUSE_ECALL_U
    beq a0, t6, 5f
    li t6, CAUSE_ECALL_S
    beq a0, t6, 5f
    ld t6, TR_TVAL(t5)
    bne t6, a1, fail
    ret
4:  li t6, MSTATUS_MPRV
    csrc mstatus, t6
    la t5, trap_resume
    sd x0, 0(t5)
    li a0, 0
    ret
5:  bne t4, a1, fail
    li a0, 0
    ret

.section .tohost, "aw"
.balign 8
.globl tohost
tohost: .quad 0
.size tohost, 8
.globl fromhost
fromhost: .quad 0

.data
.balign 8
.globl on_qemu
on_qemu: .quad 0
.globl skipped
skipped: .quad 0
.globl fail_line
fail_line: .quad 0
.globl trap_resume
trap_resume: .quad 0
.globl trap_record
trap_record: .fill 6, 8, 0

.bss
.balign 16
    .skip 4096
.globl stack_top
stack_top:
