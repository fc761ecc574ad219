/*
 * The F extension: the operand tables (results are looked at with their NaN box), then boxing, moves, memory,
 * rounding mode fields, accrued flags, mstatus.FS.
 */
#include "fp.h"

.globl test_main
test_main:
#include "float_cases.inc"

TEST_CASE(100) /* an operand that is no box counts as the canonical NaN */
    li a0, 0x3f800000 /* 1.0 without its box */
    fmv.d.x fa0, a0
    li a0, 0xffffffff3f800000
    fmv.d.x fa1, a0
    li s1, 0xffffffff7fc00000
.macro canonical insn:vararg
    LINE
    fsflagsi 0
    \insn
    fmv.x.d a1, fa2
    CHECK_EQ(a1, s1)
    frflags a1
    CHECK(a1, 0)
.endm
    canonical fadd.s fa2, fa0, fa1
    canonical fsub.s fa2, fa1, fa0
    canonical fmul.s fa2, fa0, fa0
    canonical fdiv.s fa2, fa1, fa0
    canonical fsqrt.s fa2, fa0
    canonical fmadd.s fa2, fa0, fa1, fa1
    canonical fmsub.s fa2, fa1, fa0, fa1
    canonical fnmadd.s fa2, fa1, fa1, fa0
    canonical fnmsub.s fa2, fa1, fa1, fa0
    canonical fsgnj.s fa2, fa0, fa1
    canonical fmin.s fa2, fa0, fa0
    canonical fmax.s fa2, fa0, fa0
    fmin.s fa2, fa0, fa1
    fmv.x.d a1, fa2
    CHECK(a1, 0xffffffff3f800000)
    fsgnjn.s fa2, fa1, fa0 /* the canonical NaN is positive */
    fmv.x.d a1, fa2
    CHECK(a1, 0xffffffffbf800000)
    fsgnjn.s fa2, fa0, fa1
    fmv.x.d a1, fa2
    CHECK(a1, 0xffffffffffc00000)
    fclass.s a1, fa0
    CHECK(a1, 0x200)
    feq.s a1, fa0, fa0
    CHECK(a1, 0)
    frflags a1
    CHECK(a1, 0)
    fcvt.w.s a1, fa0
    CHECK(a1, 0x7fffffff)
    frflags a1
    CHECK(a1, 16)
    fsflagsi 0
    fcvt.d.s fa2, fa0
    fmv.x.d a1, fa2
    CHECK(a1, 0x7ff8000000000000)
    frflags a1
    CHECK(a1, 0)
    /* one bit short of a box, and a signalling pattern outside of one */
    li a0, 0xfffffffe3f800000
    fmv.d.x fa0, a0
    canonical fadd.s fa2, fa0, fa1
    li a0, 0x7f800001
    fmv.d.x fa0, a0
    canonical fadd.s fa2, fa0, fa1
    /* moves and stores take the bits as they are */
    li a0, 0x1234567889abcdef
    fmv.d.x fa0, a0
    fmv.x.w a1, fa0
    CHECK(a1, 0xffffffff89abcdef)
    la a2, area
    sd x0, 0(a2)
    fsw fa0, 0(a2)
    CHECK_MEM(area, 0x89abcdef)

TEST_CASE(101) /* fmv.w.x, flw: box; fmv.x.w: sign extension; fsw: four bytes */
    li a0, 0x123456787f800001
    fmv.w.x fa0, a0
    fmv.x.d a1, fa0
    CHECK(a1, 0xffffffff7f800001)
    fmv.x.w a1, fa0
    CHECK(a1, 0x7f800001)
    li a0, 0x80000000
    fmv.w.x fa0, a0
    fmv.x.w a1, fa0
    CHECK(a1, 0xffffffff80000000)
    la a2, area
    li a0, 0x11111111ffc12345
    sd a0, 0(a2)
    flw fa0, 0(a2)
    fmv.x.d a1, fa0
    CHECK(a1, 0xffffffffffc12345)
    flw fa0, 4(a2)
    fsw fa0, 0(a2)
    CHECK_MEM(area, 0x1111111111111111)
    la a3, area + 2048
    flw fa1, -2048(a3)
    fmv.x.w a1, fa1
    CHECK(a1, 0x11111111)
    la a3, area - 2044
    fsw fa0, 2047(a3)
    frflags a1
    CHECK(a1, 0)

TEST_CASE(102) /* signalling NaNs are not touched by moves, memory, sign injection */
    fsflagsi 0
    li a0, 0x7f800001
    fmv.w.x fa0, a0
    fsgnj.s fa1, fa0, fa0
    fmv.x.w a1, fa1
    CHECK(a1, 0x7f800001)
    frflags a1
    CHECK(a1, 0)

TEST_CASE(103) /* reserved static rounding modes */
    TRAP_ILLEGAL(.insn r 0x53, 5, 0x00, fa0, fa0, fa0) /* fadd.s */
    TRAP_ILLEGAL(.insn r 0x53, 6, 0x00, fa0, fa0, fa0)
    TRAP_ILLEGAL(.insn r 0x53, 5, 0x08, fa0, fa0, fa0) /* fmul.s */
    TRAP_ILLEGAL(.insn r 0x53, 6, 0x0c, fa0, fa0, fa0) /* fdiv.s */
    TRAP_ILLEGAL(.insn r 0x53, 5, 0x2c, fa0, fa0, f0)  /* fsqrt.s */
    TRAP_ILLEGAL(.insn r 0x53, 6, 0x60, a0, fa0, f0)   /* fcvt.w.s */
    TRAP_ILLEGAL(.insn r 0x53, 5, 0x68, fa0, a0, f2)   /* fcvt.s.l */
    TRAP_ILLEGAL(.insn r4 0x43, 5, 0, fa0, fa0, fa0, fa0)
    TRAP_ILLEGAL(.insn r4 0x4f, 6, 0, fa0, fa0, fa0, fa0)

TEST_CASE(104) /* reserved dynamic rounding modes: only instructions that round by frm trap */
.irp mode, 5, 6, 7
    fsrmi \mode
    frrm a0
    CHECK(a0, \mode)
    TRAP_ILLEGAL(fadd.s fa0, fa0, fa0)
    TRAP_ILLEGAL(fsqrt.s fa0, fa0)
    TRAP_ILLEGAL(fmadd.s fa0, fa0, fa0, fa0)
    TRAP_ILLEGAL(fcvt.w.s a0, fa0)
    TRAP_ILLEGAL(fcvt.s.lu fa0, a0)
    fadd.s fa0, fa0, fa0, rne
    fsgnj.s fa0, fa0, fa0
    fmin.s fa0, fa0, fa0
    fle.s a0, fa0, fa0
    fclass.s a0, fa0
    fmv.x.w a0, fa0
.endr
    fsrmi 0

TEST_CASE(105) /* fcsr and its two views */
    li a0, -1
    csrw fcsr, a0
    csrr a1, fcsr
    CHECK(a1, 0xff)
    frflags a1
    CHECK(a1, 0x1f)
    frrm a1
    CHECK(a1, 7)
    fsrmi 2
    csrr a1, fcsr
    CHECK(a1, 0x5f)
    fsflagsi 0x11
    csrr a1, fcsr
    CHECK(a1, 0x51)
    li a0, 0xfff3
    fsrm a1, a0
    CHECK(a1, 2)
    csrr a1, fcsr
    CHECK(a1, 0x71)
    li a0, 0xffe4
    fsflags a1, a0
    CHECK(a1, 0x11)
    csrr a1, fcsr
    CHECK(a1, 0x64)
    csrrci a1, fflags, 4
    CHECK(a1, 4)
    csrrsi a1, frm, 4
    CHECK(a1, 3)
    csrrw a1, fcsr, x0
    CHECK(a1, 0xe0)
    csrr a1, fcsr
    CHECK(a1, 0)

TEST_CASE(106) /* flags accumulate */
    fcsr_one = 0x3f800000
    li a0, fcsr_one
    fmv.w.x fa0, a0
    fmv.w.x fa1, x0
    li a0, 0x40400000
    fmv.w.x fa2, a0
    fdiv.s fa3, fa0, fa2
    frflags a1
    CHECK(a1, 1)
    fdiv.s fa3, fa0, fa1
    frflags a1
    CHECK(a1, 9)
    fadd.s fa3, fa0, fa0
    frflags a1
    CHECK(a1, 9)
    fdiv.s fa3, fa1, fa1
    frflags a1
    CHECK(a1, 0x19)
    fsflagsi 0

TEST_CASE(107) /* FS = off: every floating-point instruction and CSR is illegal */
    li s4, MSTATUS_FS
    csrc mstatus, s4
    la a2, area
    TRAP_ILLEGAL(flw fa0, 0(a2))
    TRAP_ILLEGAL(fsw fa0, 0(a2))
    TRAP_ILLEGAL(fadd.s fa0, fa0, fa0)
    TRAP_ILLEGAL(fsqrt.s fa0, fa0)
    TRAP_ILLEGAL(fnmsub.s fa0, fa0, fa0, fa0)
    TRAP_ILLEGAL(fsgnjx.s fa0, fa0, fa0)
    TRAP_ILLEGAL(fmin.s fa0, fa0, fa0)
    TRAP_ILLEGAL(feq.s a0, fa0, fa0)
    TRAP_ILLEGAL(fclass.s a0, fa0)
    TRAP_ILLEGAL(fcvt.w.s a0, fa0)
    TRAP_ILLEGAL(fcvt.s.w fa0, a0)
    TRAP_ILLEGAL(fmv.x.w a0, fa0)
    TRAP_ILLEGAL(fmv.w.x fa0, a0)
    TRAP_ILLEGAL(csrr a0, fcsr)
    TRAP_ILLEGAL(csrr a0, fflags)
    TRAP_ILLEGAL(csrr a0, frm)
    TRAP_ILLEGAL(csrw fcsr, a0)
    TRAP_ILLEGAL(csrwi fflags, 0)
    CHECK_CSR(mstatus, MSTATUS_FS | 1 << 63, 0)

TEST_CASE(108) /* initial or clean becomes dirty with the first write of a register or flag; SD follows */
.macro dirties insn:vararg
    csrc mstatus, s4
    li a0, 0x4000
    csrs mstatus, a0
    LINE
    \insn
    CHECK_CSR(mstatus, MSTATUS_FS | 1 << 63, MSTATUS_FS | 1 << 63)
.endm
    dirties fmv.w.x fa0, x0
    dirties fadd.s fa0, fa0, fa0
    dirties flw fa0, 0(a2)
    dirties fsgnj.s fa0, fa0, fa0
    dirties fcvt.s.w fa0, x0
    dirties csrwi fcsr, 0
    dirties fsflagsi 1
    dirties fsrmi 0
    csrc mstatus, s4
    li a0, 0x4000
    csrs mstatus, a0
    CHECK_CSR(mstatus, MSTATUS_FS | 1 << 63, 0x4000)
    li a0, 0x7fffffff
    csrs mstatus, s4
    fmv.w.x fa0, a0
    fsflagsi 0
    csrc mstatus, s4
    li a0, 0x2000
    csrs mstatus, a0
    CHECK_CSR(mstatus, MSTATUS_FS | 1 << 63, 0x2000)
    /* QEMU does not see a flag raised by a comparison as a write. */
    SKIP_ON_QEMU(1f)
    dirties flt.s a0, fa0, fa0
1:  csrs mstatus, s4

TEST_CASE(109) /* encodings that are not there: half and quad precision, bad fields */
    TRAP_ILLEGAL(.insn r 0x53, 0, 0x02, fa0, fa0, fa0) /* fadd.h */
    TRAP_ILLEGAL(.insn r 0x53, 0, 0x03, fa0, fa0, fa0) /* fadd.q */
    TRAP_ILLEGAL(.insn r 0x53, 0, 0x2c, fa0, fa0, f1)  /* fsqrt.s with rs2 */
    TRAP_ILLEGAL(.insn r 0x53, 3, 0x10, fa0, fa0, fa0) /* fsgnj funct3 3 */
    TRAP_ILLEGAL(.insn r 0x53, 3, 0x50, a0, fa0, fa0)  /* compare funct3 3 */
    TRAP_ILLEGAL(.insn r 0x53, 0, 0x60, a0, fa0, f4)   /* fcvt from s, no such integer */
    TRAP_ILLEGAL(.insn r 0x53, 0, 0x70, a0, fa0, f1)   /* fmv.x.w with rs2 */
    TRAP_ILLEGAL(.insn i 0x07, 1, fa0, 0(a2))          /* flh */
    TRAP_ILLEGAL(.insn i 0x07, 4, fa0, 0(a2))          /* flq */
    PASS

.bss
.balign 4096
    .skip 2048
area: .skip 2048
