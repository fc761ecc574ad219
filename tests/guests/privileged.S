/* Modes, traps, delegation, what is allowed where. CSRs as such: see csr.S; interrupts: see interrupts.S. */
#include "test.h"

.text
.globl test_main
test_main:
TEST_CASE(1) /* entry to a trap from M: MPIE = MIE, MIE = 0, MPP = M */
    SET(mstatus, MSTATUS_MIE)
    CLEAR(mstatus, MSTATUS_MPIE | MSTATUS_MPP)
    TRAP(CAUSE_ECALL_M, 0, ecall)
    CHECK_CSR(mstatus, MSTATUS_MIE | MSTATUS_MPIE | MSTATUS_MPP, MSTATUS_MPIE | MSTATUS_MPP)
    TRAP(CAUSE_ECALL_M, 0, ecall)
    CHECK_CSR(mstatus, MSTATUS_MIE | MSTATUS_MPIE | MSTATUS_MPP, MSTATUS_MPP)

TEST_CASE(2) /* mret to each mode: MIE = MPIE, MPIE = 1, MPP = U; to M, MPRV stays */
    SET(mstatus, MSTATUS_MPIE | MSTATUS_MPP | MSTATUS_MPRV)
    la a0, 1f
    csrw mepc, a0
    mret
    FAIL
1:  CHECK_CSR(mstatus, MSTATUS_MIE | MSTATUS_MPIE | MSTATUS_MPP | MSTATUS_MPRV, \
              MSTATUS_MIE | MSTATUS_MPIE | MSTATUS_MPRV)
    CLEAR(mstatus, MSTATUS_MIE | MSTATUS_MPIE | MSTATUS_MPRV)
    GO_S
    TRAP(CAUSE_ECALL_S, 0, ecall)
    la a0, trap_record
    ld a0, TR_STATUS(a0)
    li a1, MSTATUS_MIE | MSTATUS_MPIE | MSTATUS_MPP
    and a0, a0, a1
    CHECK(a0, MSTATUS_MPP_S) /* MIE was 0 by then */
    SET(mstatus, MSTATUS_MPIE)
    GO_U
    TRAP(CAUSE_ECALL_U, 0, ecall)
    la a0, trap_record
    ld a0, TR_STATUS(a0)
    li a1, MSTATUS_MIE | MSTATUS_MPIE | MSTATUS_MPP
    and a0, a0, a1
    CHECK(a0, MSTATUS_MPIE)

TEST_CASE(3) /* sret in S and in M */
    CLEAR(mstatus, MSTATUS_SIE | MSTATUS_SPIE | MSTATUS_SPP)
    GO_S
    SET(sstatus, MSTATUS_SPIE | MSTATUS_SPP)
    la a0, 1f
    csrw sepc, a0
    sret
    FAIL
1:  CHECK_CSR(sstatus, MSTATUS_SIE | MSTATUS_SPIE | MSTATUS_SPP, MSTATUS_SIE | MSTATUS_SPIE)
    CLEAR(sstatus, MSTATUS_SIE | MSTATUS_SPIE)
    la a0, 2f
    csrw sepc, a0
    sret
    FAIL
2:  TRAP(CAUSE_ECALL_U, 0, ecall) /* SPP was U */
    CHECK_CSR(mstatus, MSTATUS_SIE | MSTATUS_SPIE | MSTATUS_SPP, MSTATUS_SPIE)
    SET(mstatus, MSTATUS_SPP)
    la a0, 3f
    csrw sepc, a0
    sret
    FAIL
3:  TRAP(CAUSE_ECALL_S, 0, ecall)
    la a0, trap_record
    ld a0, TR_STATUS(a0)
    li a1, MSTATUS_SPP
    and a0, a0, a1
    CHECK(a0, 0)

TEST_CASE(4) /* returns where they are not allowed */
    GO_S
    TRAP_ILLEGAL(mret)
    GO_U
    TRAP_ILLEGAL(mret)
    GO_U
    TRAP_ILLEGAL(sret)
    SET(mstatus, MSTATUS_TSR)
    GO_S
    TRAP_ILLEGAL(sret)
    la a0, 1f
    csrw sepc, a0
    SET(mstatus, MSTATUS_SPP)
    sret /* M is not bound by TSR */
    FAIL
1:  GO_M
    CLEAR(mstatus, MSTATUS_TSR)
    TRAP_ILLEGAL(.word 0x00200073) /* uret is gone */
    TRAP_ILLEGAL(.word 0x7b200073) /* dret outside of debug mode */

TEST_CASE(5) /* TVM: satp and sfence.vma in S */
    SET(mstatus, MSTATUS_TVM)
    GO_S
    TRAP_ILLEGAL(csrr a0, satp)
    GO_S
    TRAP_ILLEGAL(csrw satp, x0)
    GO_S
    TRAP_ILLEGAL(sfence.vma)
    GO_S
    TRAP_ILLEGAL(sfence.vma a0, a1)
    csrr a0, satp
    sfence.vma
    CLEAR(mstatus, MSTATUS_TVM)
    GO_S
    csrr a0, satp
    csrw satp, a0
    sfence.vma
    sfence.vma a0, x0
    sfence.vma x0, a0
    sfence.vma a0, a0
    GO_M
    GO_U
    TRAP_ILLEGAL(sfence.vma)

TEST_CASE(6) /* TW: wfi in S; wfi in U always (with S-mode, unless it ends in bounded time) */
    SET(mstatus, MSTATUS_TW)
    GO_S
    TRAP_ILLEGAL(wfi)
    GO_U
    TRAP_ILLEGAL(wfi)
    CLEAR(mstatus, MSTATUS_TW)
    GO_U
    TRAP_ILLEGAL(wfi)

TEST_CASE(7) /* CSRs of a higher mode */
.irp csr, mstatus, misa, medeleg, mideleg, mie, mtvec, mcounteren, mscratch, mepc, mcause, mtval, mip, pmpcfg0, pmpaddr0, mcycle, mhartid, 0x30a, 0x320
    GO_S
    TRAP_ILLEGAL(csrr a0, \csr)
.endr
    GO_S
    TRAP_ILLEGAL(csrw mscratch, a0)
.irp csr, sstatus, sie, stvec, scounteren, sscratch, sepc, scause, stval, sip, satp, mstatus, 0x10a, 0x14d
    GO_U
    TRAP_ILLEGAL(csrr a0, \csr)
.endr
    GO_U
    TRAP_ILLEGAL(csrw sscratch, a0)
    GO_S
.irp csr, sstatus, sie, stvec, scounteren, sscratch, sepc, scause, stval, sip, satp, 0x10a
    csrr a0, \csr
.endr
    GO_M

TEST_CASE(8) /* counters: mcounteren gates S and U, scounteren U */
.macro counters_trap mpp
.irp csr, cycle, time, instret, hpmcounter3, hpmcounter31
    GO_(\mpp)
    TRAP_ILLEGAL(csrr a0, \csr)
.endr
.endm
    csrw mcounteren, x0
    li a0, -1
    csrw scounteren, a0
    counters_trap MSTATUS_MPP_S
    counters_trap 0
    li a0, -1
    csrw mcounteren, a0
    csrw scounteren, x0
    counters_trap 0
    GO_S
    csrr a0, cycle
    csrr a0, time
    csrr a0, instret
    GO_M
    csrwi scounteren, 7
    csrwi mcounteren, 7
    GO_U
    csrr a0, cycle
    csrr a0, time
    csrr a0, instret
    GO_M
    csrwi mcounteren, 5
    GO_U
    TRAP_ILLEGAL(csrr a0, time)
    csrwi mcounteren, 7
    csrwi scounteren, 3
    GO_U
    TRAP_ILLEGAL(csrr a0, instret)

TEST_CASE(9) /* stimecmp in S needs menvcfg.STCE and mcounteren.TM */
    CLEAR(MENVCFG, 1 << 63)
    li a0, -1
    csrw mcounteren, a0
    GO_S
    TRAP_ILLEGAL(csrr a0, STIMECMP)
    SET(MENVCFG, 1 << 63)
    csrwi mcounteren, 5
    GO_S
    TRAP_ILLEGAL(csrr a0, STIMECMP)
    csrwi mcounteren, 2
    GO_S
    li a1, 0x123456789abcdef0
    csrw STIMECMP, a1
    csrr a0, STIMECMP
    CHECK_EQ(a0, a1)
    li a1, -1
    csrw STIMECMP, a1
    GO_M
    CLEAR(MENVCFG, 1 << 63)

TEST_CASE(10) /* ecall and ebreak in each mode; mtval of ebreak is the pc or zero */
    TRAP(CAUSE_ECALL_M, 0, ecall)
    GO_S
    TRAP(CAUSE_ECALL_S, 0, ecall)
    GO_U
    TRAP(CAUSE_ECALL_U, 0, ecall)
.macro breakpoint
    LINE
    TRAP_ARM(91f)
90: ebreak
    j fail
91: TRAP_CHECK(CAUSE_BREAKPOINT, 90b, 3)
    beqz t4, 1f
    la t5, 90b
    bne t4, t5, fail
1:
.endm
    breakpoint
    GO_S
    breakpoint
    GO_U
    breakpoint

TEST_CASE(11) /* delegation: S sees what came from S and U, M's own stays */
    li a0, -1
    csrw medeleg, a0
    li a0, 1 << 11 | 1 << CAUSE_ECALL_S /* the way back to M */
    csrc medeleg, a0
    CLEAR(mstatus, MSTATUS_SPP | MSTATUS_SIE | MSTATUS_SPIE)
    GO_U
    TRAP_S(CAUSE_ECALL_U, 0, ecall)
    la a0, trap_record
    ld a0, TR_STATUS(a0)
    andi a0, a0, MSTATUS_SPP | MSTATUS_SIE | MSTATUS_SPIE
    CHECK(a0, 0)
    SET(mstatus, MSTATUS_SIE)
    GO_U
    TRAP_S(CAUSE_ILLEGAL, 0x7f, .word 0x7f)
    la a0, trap_record
    ld a0, TR_STATUS(a0)
    andi a0, a0, MSTATUS_SPP | MSTATUS_SIE | MSTATUS_SPIE
    CHECK(a0, MSTATUS_SPIE)
    GO_S
    TRAP_S(CAUSE_ILLEGAL, 0x30002573, csrr a0, mstatus)
    la a0, trap_record
    ld a0, TR_STATUS(a0)
    andi a0, a0, MSTATUS_SPP | MSTATUS_SIE | MSTATUS_SPIE
    CHECK(a0, MSTATUS_SPP)
    li a1, 0
    GO_S
    TRAP_S(CAUSE_LOAD_ACCESS, 0, lw a0, 0(a1))
    GO_U
    TRAP_S(CAUSE_STORE_ACCESS, 0, sw a0, 0(a1))
    GO_U
    LINE
    TRAP_ARM(91f)
90: ebreak
    j fail
91: TRAP_CHECK(CAUSE_BREAKPOINT, 90b, 1)
    TRAP(CAUSE_ILLEGAL, 0x7f, .word 0x7f) /* M's own */
    TRAP_AT(CAUSE_LOAD_ACCESS, a1, lw a0, 0(a1))
    csrw medeleg, x0

TEST_CASE(12) /* delegated traps leave M's registers alone, and the other way round */
    SET(medeleg, 1 << CAUSE_ILLEGAL)
    li a0, 5
    csrw mcause, a0
    GO_S
    LINE
    la t6, 2f
    csrw stvec, t6
    .word 0x7f
    FAIL
    .balign 4
2:  csrr a1, scause
    CHECK(a1, CAUSE_ILLEGAL)
    la a1, s_trap_entry
    csrw stvec, a1
    LINE
    TRAP_ARM(3f)
    ecall
3:  csrr a1, scause
    CHECK(a1, CAUSE_ILLEGAL)
    csrr a1, mcause
    CHECK(a1, CAUSE_ECALL_S)
    csrw medeleg, x0

TEST_CASE(13) /* vectored mode: exceptions go to the base */
    csrr s2, mtvec
    la a0, vectors
    ori a0, a0, 1
    csrw mtvec, a0
    TRAP(CAUSE_ILLEGAL, 0x7f, .word 0x7f)
    TRAP(CAUSE_ECALL_M, 0, ecall)
    csrw mtvec, s2
    SET(medeleg, 1 << CAUSE_ECALL_U | 1 << CAUSE_BREAKPOINT)
    csrr s3, stvec
    la a0, s_vectors
    ori a0, a0, 1
    csrw stvec, a0
    GO_U
    TRAP_S(CAUSE_ECALL_U, 0, ecall)
    csrw stvec, s3
    csrw medeleg, x0

TEST_CASE(14) /* the lower mode cannot see M's bits through its windows */
    SET(mstatus, MSTATUS_MIE | MSTATUS_MPRV | MSTATUS_MPP)
    CLEAR(mstatus, MSTATUS_MPRV | MSTATUS_MIE)
    GO_S
    csrr a0, sstatus
    li a1, MSTATUS_MPP | MSTATUS_MPRV | MSTATUS_TVM | MSTATUS_TW | MSTATUS_TSR | MSTATUS_MIE | MSTATUS_MPIE
    and a0, a0, a1
    CHECK(a0, 0)
    GO_M

TEST_CASE(15) /* FS = off binds every mode */
    CLEAR(mstatus, MSTATUS_FS)
    GO_S
    TRAP_ILLEGAL(fmv.x.d a0, fa0)
    GO_U
    TRAP_ILLEGAL(csrr a0, fcsr)
    SET(mstatus, 0x2000)
    GO_U
    csrr a0, fcsr
    fmv.x.d a0, fa0
    GO_M

TEST_CASE(16) /* a return to less than M clears MPRV */
    /* QEMU 7.2 does so in no case. */
    SKIP_ON_QEMU_BELOW(10, 9f)
.irp mpp, 0, MSTATUS_MPP_S
    SET(mstatus, MSTATUS_MPRV)
    GO_(\mpp)
    LINE
    TRAP_ARM(1f)
    ecall
1:  la a0, trap_record
    ld a0, TR_STATUS(a0)
    li a1, MSTATUS_MPRV
    and a0, a0, a1
    CHECK(a0, 0)
.endr
    la a0, 2f
    csrw sepc, a0
    SET(mstatus, MSTATUS_MPRV | MSTATUS_SPP)
    sret
    FAIL
2:  LINE
    TRAP_ARM(3f)
    ecall
3:  la a0, trap_record
    ld a0, TR_STATUS(a0)
    and a0, a0, a1
    CHECK(a0, 0)
9:
    PASS

    .balign 256
vectors:
    j trap_entry
.rept 31
    j fail
.endr
    .balign 256
s_vectors:
    j s_trap_entry
.rept 31
    j fail
.endr
