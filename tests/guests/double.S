/*
 * The D extension: the operand tables, then moves, memory, registers, rounding mode
 * fields, mstatus.FS.
 */
#include "fp.h"

.globl test_main
test_main:
#include "double_cases.inc"

TEST_CASE(100) /* fmv.d.x, fmv.x.d, fld, fsd keep all 64 bits, signalling NaNs too */
    la a2, area
    fsflagsi 0
.irp bits, 0x7ff0000000000001, 0xfff0000000000001, 0x8000000000000000, 0x123456789abcdef0, 0xffffffff7f800001
    li a0, \bits
    fmv.d.x fa0, a0
    fmv.x.d a1, fa0
    CHECK_EQ(a0, a1)
    fsd fa0, 8(a2)
    ld a1, 8(a2)
    CHECK_EQ(a0, a1)
    fld fa1, 8(a2)
    fmv.x.d a1, fa1
    CHECK_EQ(a0, a1)
    fsgnj.d fa2, fa1, fa1
    fmv.x.d a1, fa2
    CHECK_EQ(a0, a1)
.endr
    frflags a1
    CHECK(a1, 0)

TEST_CASE(101) /* thirty-two registers */
.irp r, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    li a0, \r
    fcvt.d.l f\r, a0
.endr
.irp r, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0
    fcvt.l.d a0, f\r
    CHECK(a0, \r)
.endr
    fadd.d f31, f31, f0 /* f0 is a register like the others */
    li a0, 5
    fcvt.d.l f0, a0
    fcvt.l.d a0, f0
    CHECK(a0, 5)

TEST_CASE(102) /* all operands the same register */
    li a0, 3
    fcvt.d.l fa0, a0
    fmadd.d fa0, fa0, fa0, fa0
    fcvt.l.d a0, fa0
    CHECK(a0, 12)
    fsub.d fa0, fa0, fa0
    fmv.x.d a0, fa0
    CHECK(a0, 0)
    fsrmi 2
    li a0, 3
    fcvt.d.l fa0, a0
    fsub.d fa0, fa0, fa0
    fmv.x.d a0, fa0
    CHECK(a0, 0x8000000000000000)
    fsrmi 0

TEST_CASE(103) /* reserved rounding modes */
    TRAP_ILLEGAL(.insn r 0x53, 5, 0x01, fa0, fa0, fa0) /* fadd.d */
    TRAP_ILLEGAL(.insn r 0x53, 6, 0x0d, fa0, fa0, fa0) /* fdiv.d */
    TRAP_ILLEGAL(.insn r 0x53, 5, 0x2d, fa0, fa0, f0)  /* fsqrt.d */
    TRAP_ILLEGAL(.insn r 0x53, 6, 0x61, a0, fa0, f2)   /* fcvt.l.d */
    TRAP_ILLEGAL(.insn r 0x53, 5, 0x20, fa0, fa0, f1)  /* fcvt.s.d */
    TRAP_ILLEGAL(.insn r4 0x47, 5, 1, fa0, fa0, fa0, fa0)
    fsrmi 5
    TRAP_ILLEGAL(fadd.d fa0, fa0, fa0)
    TRAP_ILLEGAL(fsqrt.d fa0, fa0)
    TRAP_ILLEGAL(fnmadd.d fa0, fa0, fa0, fa0)
    TRAP_ILLEGAL(fcvt.s.d fa0, fa0)
    TRAP_ILLEGAL(fcvt.d.l fa0, a0)
    fmul.d fa0, fa0, fa0, rtz
    fmax.d fa0, fa0, fa0
    flt.d a0, fa0, fa0
    fsrmi 0

TEST_CASE(104) /* FS = off */
    li s4, MSTATUS_FS
    csrc mstatus, s4
    TRAP_ILLEGAL(fld fa0, 0(a2))
    TRAP_ILLEGAL(fsd fa0, 0(a2))
    TRAP_ILLEGAL(fadd.d fa0, fa0, fa0)
    TRAP_ILLEGAL(fmsub.d fa0, fa0, fa0, fa0)
    TRAP_ILLEGAL(fsgnj.d fa0, fa0, fa0)
    TRAP_ILLEGAL(fle.d a0, fa0, fa0)
    TRAP_ILLEGAL(fclass.d a0, fa0)
    TRAP_ILLEGAL(fcvt.d.s fa0, fa0)
    TRAP_ILLEGAL(fcvt.s.d fa0, fa0)
    TRAP_ILLEGAL(fcvt.lu.d a0, fa0)
    TRAP_ILLEGAL(fmv.x.d a0, fa0)
    TRAP_ILLEGAL(fmv.d.x fa0, a0)
.option push
.option rvc
    TRAP_ILLEGAL(c.fld fa0, 0(a2))
    TRAP_ILLEGAL(c.fsd fa0, 0(a2))
    TRAP_ILLEGAL(c.fldsp fa0, 0(sp))
    TRAP_ILLEGAL(c.fsdsp fa0, 0(sp))
.option pop
    csrs mstatus, s4

TEST_CASE(105) /* encodings that are not there */
    TRAP_ILLEGAL(.insn r 0x53, 0, 0x21, fa0, fa0, f1) /* fcvt.d.d */
    TRAP_ILLEGAL(.insn r 0x53, 0, 0x20, fa0, fa0, f0) /* fcvt.s.s */
    TRAP_ILLEGAL(.insn r 0x53, 3, 0x11, fa0, fa0, fa0)
    TRAP_ILLEGAL(.insn r 0x53, 0, 0x2d, fa0, fa0, f1)
    TRAP_ILLEGAL(.insn r 0x53, 2, 0x71, a0, fa0, f0)
    TRAP_ILLEGAL(.insn r 0x53, 0, 0x79, fa0, a0, f1)

TEST_CASE(106) /* a longer computation: sum of 1/n^2, n = 1..1000, in order */
    li a0, 1
    li a1, 1001
    fmv.d.x fa0, x0
    fcvt.d.l fa1, a0
1:  fcvt.d.l fa2, a0
    fmul.d fa2, fa2, fa2
    fdiv.d fa2, fa1, fa2
    fadd.d fa0, fa0, fa2
    addi a0, a0, 1
    bne a0, a1, 1b
    fmv.x.d a0, fa0
    CHECK(a0, 0x3ffa4d8e550a946e)
    PASS

.bss
.balign 8
area: .skip 64
