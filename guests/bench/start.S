# Reset entry of the speed guests: M-mode, FPU on, a stack, main(). No interrupts; a trap parks.

    # Without it the symbol table has the name of a temporary object.
    .file "guests/bench/start.S"

    .section .text.start, "ax"
    .globl _start
_start:
    .option push
    .option norelax
    la gp, __global_pointer$
    .option pop
    csrw mie, zero
    la t0, park
    csrw mtvec, t0
    csrr t0, mhartid
    bnez t0, park
    li t0, 1 << 13
    csrs mstatus, t0
    csrw fcsr, zero
    la sp, stack_top
    la t0, bss_start
    la t1, bss_end
clear:
    bgeu t0, t1, run
    sd zero, 0(t0)
    addi t0, t0, 8
    j clear
run:
    call main
    .balign 4
park:
    wfi
    j park
