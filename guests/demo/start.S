# Reset entry and the one trap entry; both in M-mode, on the one stack.

    # Without it the symbol table has the name of a temporary object.
    .file "guests/demo/start.S"

#define FRAME_MEPC 0

    .cfi_sections .debug_frame

    .section .text.start, "ax"
    .globl _start
    .type _start, @function
_start:
    .option push
    .option norelax
    la gp, __global_pointer$
    .option pop
    csrw mie, zero
    csrr t0, mhartid
    bnez t0, park
    la sp, stack_top
    la t0, trap_entry
    csrw mtvec, t0
    la t0, bss_start
    la t1, bss_end
clear:
    bgeu t0, t1, run
    sd zero, 0(t0)
    addi t0, t0, 8
    j clear
run:
    li ra, 0
    call main
park:
    wfi
    j park
    .size _start, . - _start

# Saves the integer registers in a struct trap_frame on the stack and calls trap().
    .text
    .globl trap_entry
    .type trap_entry, @function
    .balign 4
trap_entry:
    .cfi_startproc
    .cfi_signal_frame
    # 0x1341 is the DWARF number of mepc.
    .cfi_return_column 0x1341
    .cfi_def_cfa sp, 0
    addi sp, sp, -256
    .cfi_def_cfa_offset 256
    .irp r, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    sd x\r, \r*8(sp)
    .cfi_offset \r, \r*8-256
    .endr
    addi t0, sp, 256
    sd t0, 2*8(sp)
    csrr t0, mepc
    sd t0, FRAME_MEPC(sp)
    .cfi_offset 0x1341, FRAME_MEPC-256
    mv a0, sp
    call trap
    ld t0, FRAME_MEPC(sp)
    csrw mepc, t0
    .irp r, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    ld x\r, \r*8(sp)
    .endr
    addi sp, sp, 256
    .cfi_def_cfa_offset 0
    mret
    .cfi_endproc
    .size trap_entry, . - trap_entry
