/* CSRs: the six instructions, read-only and absent registers, WARL fields. Who may use them: see privileged.S. */
#include "test.h"

.text
.globl test_main
test_main:
TEST_CASE(1) /* entry: hart in a0, device tree in a1, M-mode */
    csrr a0, mhartid
    CHECK_EQ(a0, s0)
    CHECK(a0, 0)
    lwu a0, 0(s1)
    CHECK(a0, 0xedfe0dd0)
    csrr a0, mvendorid
    csrr a0, marchid
    csrr a0, mimpid
    csrr a0, 0xf15 /* mconfigptr */
    /* QEMU 7.2 has no Svadu; firmware that knows nothing of it finds it on. */
    SKIP_ON_QEMU_BELOW(10, 1f)
    CHECK_CSR(MENVCFG, 1 << 61, 1 << 61)
1:

TEST_CASE(2) /* the six CSR instructions */
    li a0, 0x123456789abcdef0
    csrw mscratch, a0
    li a1, -1
    csrrw a2, mscratch, a1
    CHECK_EQ(a2, a0)
    csrr a2, mscratch
    CHECK(a2, -1)
    li a1, 0x0ff0
    csrrc a2, mscratch, a1
    CHECK(a2, -1)
    csrr a2, mscratch
    CHECK(a2, 0xfffffffffffff00f)
    li a1, 0x0110
    csrrs a2, mscratch, a1
    CHECK(a2, 0xfffffffffffff00f)
    csrrwi a2, mscratch, 31
    CHECK(a2, 0xfffffffffffff11f)
    csrrci a2, mscratch, 17
    CHECK(a2, 31)
    csrrsi a2, mscratch, 1
    CHECK(a2, 14)
    csrrs a2, mscratch, x0
    CHECK(a2, 15)
    csrrc a2, mscratch, x0
    CHECK(a2, 15)
    csrrsi a2, mscratch, 0
    CHECK(a2, 15)
    csrrci a2, mscratch, 0
    CHECK(a2, 15)
    csrrw x0, mscratch, a0
    mv a2, x0
    CHECK(a2, 0)
    mv a3, a1 /* rd == rs1: the old value of rs1 is written */
    csrrw a3, mscratch, a3
    CHECK_EQ(a3, a0)
    csrr a3, mscratch
    CHECK_EQ(a3, a1)
    csrrw a3, mscratch, x0
    csrr a3, mscratch
    CHECK(a3, 0)

TEST_CASE(3) /* writes of read-only CSRs trap, reads in any form do not */
    li a0, 0
    TRAP_ILLEGAL(csrw mhartid, a0)
    TRAP_ILLEGAL(csrw mvendorid, x0)
    TRAP_ILLEGAL(csrrw a1, cycle, a0)
    TRAP_ILLEGAL(csrrwi a1, time, 0)
    /* QEMU 7.2 looks at the value of rs1, not at its number. */
    SKIP_ON_QEMU_BELOW(10, 1f)
    TRAP_ILLEGAL(csrrs a1, cycle, a0) /* a0 is 0, but not x0 */
    TRAP_ILLEGAL(csrrc a1, instret, a0)
1:
    TRAP_ILLEGAL(csrrsi a1, mhartid, 1)
    TRAP_ILLEGAL(csrrci a1, mhartid, 1)
    csrrs a1, mhartid, x0
    csrrc a1, mhartid, x0
    csrrsi a1, mhartid, 0
    csrrci a1, mhartid, 0

TEST_CASE(4) /* absent CSRs; rd is untouched */
    li a1, 0x77
    TRAP_ILLEGAL(csrr a1, 0x800)
    TRAP_ILLEGAL(csrr a1, 0x200) /* vsstatus */
    TRAP_ILLEGAL(csrr a1, 0x600) /* hstatus */
    TRAP_ILLEGAL(csrr a1, 0x30c) /* mstateen0 */
    TRAP_ILLEGAL(csrr a1, 0xda0) /* scountovf */
    TRAP_ILLEGAL(csrr a1, 0xfb0) /* mtopi */
    TRAP_ILLEGAL(csrr a1, 0x7b0) /* dcsr outside of debug mode */
    TRAP_ILLEGAL(csrr a1, 0xc20) /* vl */
    TRAP_ILLEGAL(csrr a1, 0x3a1) /* pmpcfg1 is RV32's */
    TRAP_ILLEGAL(csrr a1, 0x310) /* mstatush is RV32's */
    TRAP_ILLEGAL(csrw 0xc80, a1) /* cycleh */
    CHECK(a1, 0x77)

TEST_CASE(5) /* mstatus: fields and holes */
    csrr s2, mstatus
    /* QEMU 7.2 has UXL writable, and VS, MPV, GVA without their extensions. */
    SKIP_ON_QEMU_BELOW(10, 1f)
    li a0, -1
    csrw mstatus, a0
    csrr a1, mstatus
    li a3, 0x8000000a007e79aa /* FS dirty, MPP M, SXL = UXL = 2; no MBE, SBE, UBE, VS, XS */
    CHECK_EQ(a1, a3)
    csrw mstatus, s2
1:  li a0, 0x7e79aa
    csrc mstatus, a0
    CHECK_CSR(mstatus, 0x7e79aa, 0)
.irp bit, MSTATUS_SIE, MSTATUS_MIE, MSTATUS_SPIE, MSTATUS_MPIE, MSTATUS_SPP, MSTATUS_MPRV, MSTATUS_SUM, MSTATUS_MXR, MSTATUS_TVM, MSTATUS_TW, MSTATUS_TSR
    li a0, \bit
    csrs mstatus, a0
    CHECK_CSR(mstatus, 0x7e79aa, \bit)
    csrc mstatus, a0
    CHECK_CSR(mstatus, 0x7e79aa, 0)
.endr
    SET(mstatus, MSTATUS_MPP_S)
    CHECK_CSR(mstatus, MSTATUS_MPP, MSTATUS_MPP_S)
    SET(mstatus, MSTATUS_MPP)
    CHECK_CSR(mstatus, MSTATUS_MPP, MSTATUS_MPP)
    /* QEMU 7.2 keeps the reserved MPP of 2. */
    SKIP_ON_QEMU_BELOW(10, 1f)
    li a0, 0x1000
    csrw mstatus, a0
    csrr a1, mstatus
    li a2, MSTATUS_MPP
    and a1, a1, a2
    CHECK_NE(a1, a0)
1:  csrw mstatus, s2

TEST_CASE(6) /* sstatus is a window on mstatus */
    li a0, 0x7e79aa
    csrc mstatus, a0
    li a0, 0xc6122
    csrs sstatus, a0
    CHECK_CSR(sstatus, 0x80000002007e79aa, 0x80000002000c6122)
    CHECK_CSR(mstatus, 0x8000000a007e79aa, 0x8000000a000c6122)
    csrc sstatus, a0
    CHECK_CSR(mstatus, 0x8000000a007e79aa, 0xa00000000)
    li a0, 0x7e79aa
    csrs mstatus, a0
    csrr a1, sstatus
    li a2, 0xc6122
    csrc sstatus, a2
    CHECK_CSR(mstatus, 0x7e79aa, 0x7e79aa & ~0xc6122)
    csrr a1, sstatus
    CHECK(a1, 0x200000000)
    csrs sstatus, a0 /* what it does not show it does not change */
    csrc mstatus, a2
    CHECK_CSR(mstatus, 0x7e79aa, 0x7e79aa & ~0xc6122)
    csrw mstatus, s2
    /* As above: QEMU 7.2 shows UXL and VS as writable. */
    SKIP_ON_QEMU_BELOW(10, 1f)
    li a0, -1
    csrw sstatus, a0
    csrr a1, sstatus
    CHECK(a1, 0x80000002000c6122)
1:  csrw mstatus, s2

TEST_CASE(7) /* misa */
    csrr a0, misa
    srli a1, a0, 62
    CHECK(a1, 2)
    li a1, 0x3ffffff
    and a0, a0, a1
    CHECK(a0, 1 << 0 | 1 << 2 | 1 << 3 | 1 << 5 | 1 << 8 | 1 << 12 | 1 << 18 | 1 << 20)
    SET(misa, 1 << 4 | 1 << 7 | 1 << 16 | 1 << 21)
    CHECK_CSR(misa, 1 << 4 | 1 << 7 | 1 << 16 | 1 << 21, 0)

TEST_CASE(8) /* xtvec, xepc: low bits */
    csrr s2, mtvec
    la a0, area
    csrw mtvec, a0
    csrr a1, mtvec
    CHECK_EQ(a1, a0)
    addi a2, a0, 1
    csrw mtvec, a2
    csrr a1, mtvec
    CHECK_EQ(a1, a2)
    ori a3, a0, 2
    csrw mtvec, a3
    csrr a1, mtvec
    andi a1, a1, 2
    CHECK(a1, 0)
    ori a3, a0, 3
    csrw mtvec, a3
    csrr a1, mtvec
    andi a1, a1, 2
    CHECK(a1, 0)
    csrw mtvec, s2
    csrr s3, stvec
    csrw stvec, a2
    csrr a1, stvec
    CHECK_EQ(a1, a2)
    csrw stvec, a3
    csrr a1, stvec
    andi a1, a1, 2
    CHECK(a1, 0)
    csrw stvec, s3
    /* QEMU keeps bit 0 of xepc as written. */
    SKIP_ON_QEMU(1f)
.irp csr, mepc, sepc
    li a0, 0x80001237
    csrw \csr, a0
    csrr a1, \csr
    CHECK(a1, 0x80001236)
    li a0, -1
    csrw \csr, a0
    csrr a1, \csr
    CHECK(a1, -2)
.endr
1:

TEST_CASE(9) /* plain 64-bit registers */
.irp csr, mscratch, sscratch, mtval, stval
    li a0, 0xfedcba9876543210
    csrw \csr, a0
    csrr a1, \csr
    CHECK_EQ(a1, a0)
    csrw \csr, x0
    csrr a1, \csr
    CHECK(a1, 0)
.endr
.irp csr, mcause, scause
    li a0, 15
    csrw \csr, a0
    csrr a1, \csr
    CHECK(a1, 15)
    li a0, INTERRUPT | 9
    csrw \csr, a0
    csrr a1, \csr
    CHECK(a1, INTERRUPT | 9)
.endr

TEST_CASE(10) /* medeleg, mideleg */
    li a0, -1
    csrw medeleg, a0
    CHECK_CSR(medeleg, 0xb3fe, 0xb3fe)
    /* QEMU keeps the bits of ecalls from M (read-only zero in the manual) and VS. */
    SKIP_ON_QEMU(1f)
    CHECK_CSR(medeleg, 1 << 10 | 1 << 11 | 1 << 14, 0)
1:  csrw medeleg, x0
    csrr a1, medeleg
    CHECK(a1, 0)
    csrw mideleg, a0
    CHECK_CSR(mideleg, 0xaaa, 0x222)
    csrw mideleg, x0
    csrr a1, mideleg
    CHECK(a1, 0)

TEST_CASE(11) /* satp: a write with a mode that is not there changes nothing */
    csrr a0, satp
    CHECK(a0, 0)
.irp mode, 8, 9, 10
    li a0, \mode << 60 | 0x12345
    csrw satp, a0
    csrr a1, satp
    CHECK_EQ(a1, a0)
.endr
.irp mode, 1, 2, 3, 4, 5, 6, 7, 11, 12, 13, 14, 15
    li a2, \mode << 60 | 0x54321
    csrw satp, a2
    csrr a1, satp
    CHECK_EQ(a1, a0)
.endr
    csrw satp, x0
    csrr a1, satp
    CHECK(a1, 0)

TEST_CASE(12) /* menvcfg, senvcfg */
    li a0, 0x80000000000000f1 /* STCE, CBZE, CBCFE, CBIE = 3, FIOM */
    csrw MENVCFG, a0
    csrr a1, MENVCFG
    li a2, ~(1 << 61)
    and a1, a1, a2
    CHECK_EQ(a1, a0)
    /* QEMU 7.2 has PBMTE writable without Svpbmt, and no Svadu. */
    SKIP_ON_QEMU_BELOW(10, 1f)
    li a0, 0x4000000000000000
    csrs MENVCFG, a0
    CHECK_CSR(MENVCFG, 0x4000000000000000, 0)
    li a0, 1 << 61
    csrs MENVCFG, a0
    CHECK_CSR(MENVCFG, 1 << 61, 1 << 61)
    csrc MENVCFG, a0
    CHECK_CSR(MENVCFG, 1 << 61, 0)
    csrs MENVCFG, a0
1:  li a0, 0xf1
    csrw SENVCFG, a0
    csrr a1, SENVCFG
    CHECK(a1, 0xf1)
    csrw SENVCFG, x0
    csrr a1, SENVCFG
    CHECK(a1, 0)
    li a0, 0x80000000000000f1
    csrc MENVCFG, a0
    CHECK_CSR(MENVCFG, 0x80000000000000f1, 0)
    PASS

.bss
.balign 4096
area: .skip 4096
