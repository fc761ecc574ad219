/* What the guests of the timeline's tests share. The test writes the parameters into the ELF. */
#ifndef GUEST_H
#define GUEST_H

.option norelax

#define PARAM_ROUNDS 0
#define PARAM_PERIOD 8  /* of the timer in ticks of 100 ns; 0: no timer */
#define PARAM_RESETS 16 /* how often to reset before the end */
#define PARAM_OPTION 24

#define SYSCON 0x100000
#define RTC 0x101000
#define MSIP 0x2000000
#define MTIMECMP 0x2004000
#define MTIME 0x200bff8
#define PLIC 0xc000000
#define UART 0x10000000

/* Kept over resets: behind the image, which a reset writes again. */
#define KEPT 0x80012800

.macro HEAD
    .section .text.start, "ax"
    .globl _start
_start:
    j start
    .balign 16
params:
    .quad 4, 20, 0, 0
    .text
.endm

.macro PARAM reg, which
    la \reg, params
    ld \reg, \which(\reg)
.endm

/* The end: KEPT counts the resets made. Clobbers t0, t1, t2. */
.macro FINISH
    li t0, KEPT
    ld t1, 0(t0)
    PARAM t2, PARAM_RESETS
    bgeu t1, t2, 8f
    addi t1, t1, 1
    sd t1, 0(t0)
    li t0, SYSCON
    li t1, 0x7777
    sw t1, 0(t0)
8:  li t0, SYSCON
    li t1, 0x5555
    sw t1, 0(t0)
9:  j 9b
.endm

#endif
