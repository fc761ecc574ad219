/*
 * Interrupts: CLINT software and timer interrupts, software bits of mip, Sstc,
 * delegation, priority, vectored mode, wfi.
 */
#include "test.h"

#define ALL 0xaaa

/* s2: msip, s3: mtimecmp, s4: mtime, all of hart 0. */
#define MSIP_SET li t6, 1; sw t6, 0(s2)
#define MSIP_CLEAR sw x0, 0(s2)
#define MTIME_SET sd x0, 0(s3)
#define MTIME_CLEAR li t6, -1; sd t6, 0(s3)
#define MIE_ON csrsi mstatus, 8

.text
.globl test_main
test_main:
    li s2, CLINT_MSIP
    li s3, CLINT_MTIMECMP
    li s4, CLINT_MTIME
    MTIME_CLEAR
    MSIP_CLEAR
    CLEAR(MENVCFG, 1 << 63)

TEST_CASE(1) /* mie, mip: which bits are there, which can be written */
    li a0, -1
    csrw mie, a0
    CHECK_CSR(mie, ALL, ALL)
    /* QEMU has the bits of absent interrupts (VS, overflow) too. */
    SKIP_ON_QEMU(1f)
    csrr a1, mie
    CHECK(a1, ALL)
1:  csrw mie, x0
    csrr a1, mie
    CHECK(a1, 0)
    csrw mip, a0
    CHECK_CSR(mip, ALL, IRQ_SSI | IRQ_STI | IRQ_SEI)
    SKIP_ON_QEMU(1f) /* as above */
    csrr a1, mip
    CHECK(a1, IRQ_SSI | IRQ_STI | IRQ_SEI)
1:  csrw mip, x0
    csrr a1, mip
    CHECK(a1, 0)
    csrsi mip, IRQ_SSI
    CHECK_CSR(mip, ALL, IRQ_SSI)
    csrci mip, IRQ_SSI
    CHECK_CSR(mip, ALL, 0)

TEST_CASE(2) /* msip: one bit, seen in mip at once */
    MSIP_SET
    CHECK_CSR(mip, ALL, IRQ_MSI)
    lw a0, 0(s2)
    CHECK(a0, 1)
    csrw mip, x0
    CHECK_CSR(mip, ALL, IRQ_MSI)
    li a0, -2
    sw a0, 0(s2)
    lw a0, 0(s2)
    CHECK(a0, 0)
    CHECK_CSR(mip, ALL, 0)
    li a0, -1
    sw a0, 0(s2)
    lw a0, 0(s2)
    CHECK(a0, 1)
    MSIP_CLEAR

TEST_CASE(3) /* mtimecmp: level */
    CHECK_CSR(mip, ALL, 0)
    MTIME_SET
    CHECK_CSR(mip, ALL, IRQ_MTI)
    csrw mip, x0
    CHECK_CSR(mip, ALL, IRQ_MTI)
    MTIME_CLEAR
    CHECK_CSR(mip, ALL, 0)
    ld a0, 0(s4)
    sd a0, 0(s3) /* equal is enough */
    CHECK_CSR(mip, ALL, IRQ_MTI)
    MTIME_CLEAR

TEST_CASE(4) /* time is mtime, and goes on */
    csrr a0, time
    ld a1, 0(s4)
    csrr a2, time
    LINE
    bltu a1, a0, fail
    bltu a2, a1, fail
1:  csrr a1, time
    beq a1, a0, 1b
    lwu a1, 0(s4)
    lwu a2, 4(s4)
    slli a2, a2, 32
    or a1, a1, a2
    bltu a1, a0, fail

TEST_CASE(5) /* taken right after the CSR write that allows it; mepc is the next instruction */
    MSIP_SET
    csrw mie, x0
    MIE_ON /* nothing enabled in mie */
    nop
    nop
    csrci mstatus, MSTATUS_MIE
    csrwi mie, IRQ_MSI
    nop /* nothing enabled in mstatus */
    li a0, 0
    INTERRUPTED(3, 3, MIE_ON; 80: li a0, 0x77)
    CHECK(a0, 0)
    la a1, trap_record
    ld a1, TR_EPC(a1)
    la a2, 80b
    CHECK_EQ(a1, a2)
    CHECK_CSR(mstatus, MSTATUS_MIE | MSTATUS_MPIE | MSTATUS_MPP, MSTATUS_MPIE | MSTATUS_MPP)
    csrw mie, x0
    MIE_ON
    INTERRUPTED(3, 3, csrwi mie, IRQ_MSI; 80: nop)
    la a1, trap_record
    ld a1, TR_EPC(a1)
    la a2, 80b
    CHECK_EQ(a1, a2)

TEST_CASE(6) /* ... and right after an xRET, with the return address in mepc */
    SET(mstatus, MSTATUS_MPIE | MSTATUS_MPP)
    INTERRUPTED(3, 3, la t6, 80f; csrw mepc, t6; mret; 80: nop)
    la a1, trap_record
    ld a1, TR_EPC(a1)
    la a2, 80b
    CHECK_EQ(a1, a2)
    CLEAR(mstatus, MSTATUS_MIE | MSTATUS_MPIE)
    INTERRUPTED(3, 3, GO_S) /* M's interrupts need no MIE below M */
    CHECK_CSR(mstatus, MSTATUS_MPP, MSTATUS_MPP_S)
    INTERRUPTED(3, 3, GO_U)
    CHECK_CSR(mstatus, MSTATUS_MPP, 0)
    MSIP_CLEAR
    csrw mie, x0

TEST_CASE(7) /* from the CLINT while running: software and timer */
    csrwi mie, IRQ_MSI
    INTERRUPTED(3, 3, MIE_ON; MSIP_SET; WAIT)
    MSIP_CLEAR
    WRITE(mie, IRQ_MTI)
    INTERRUPTED(7, 3, MIE_ON; ld t6, 0(s4); addi t6, t6, 500; sd t6, 0(s3); WAIT)
    ld a0, 0(s3)
    ld a1, 0(s4)
    LINE
    bltu a1, a0, fail
    MTIME_CLEAR
    csrw mie, x0

TEST_CASE(8) /* wfi ends by an enabled interrupt, also when it cannot be taken */
    WRITE(mie, IRQ_MTI)
    ld t6, 0(s4)
    addi t6, t6, 1000
    sd t6, 0(s3)
    wfi
1:  csrr a0, mip
    andi a0, a0, IRQ_MTI
    beqz a0, 1b /* wfi may end early */
    MTIME_CLEAR
    INTERRUPTED(7, 3, MIE_ON; ld t6, 0(s4); addi t6, t6, 1000; sd t6, 0(s3); 80: wfi; WAIT)
    MTIME_CLEAR
    csrwi mie, IRQ_MSI
    MSIP_SET
    wfi
    wfi
    MSIP_CLEAR
    /* delegated and enabled: wakes M, which never takes it */
    csrwi mideleg, IRQ_SSI
    csrwi mie, IRQ_SSI
    csrwi mip, IRQ_SSI
    MIE_ON
    wfi
    csrw mip, x0
    csrw mideleg, x0
    csrw mie, x0
    csrci mstatus, MSTATUS_MIE

TEST_CASE(9) /* supervisor interrupts that are not delegated go to M */
    WRITE(mie, ALL)
    csrwi mip, IRQ_SSI
    INTERRUPTED(1, 3, MIE_ON)
    csrw mip, x0
    WRITE(mip, IRQ_STI)
    INTERRUPTED(5, 3, GO_S)
    WRITE(mip, IRQ_SEI)
    INTERRUPTED(9, 3, GO_U)
    csrw mip, x0

TEST_CASE(10) /* sie, sip show what is delegated */
    csrw mie, x0
    csrw sie, x0
    li a0, -1
    csrw sie, a0
    csrr a1, sie
    CHECK(a1, 0)
    csrr a1, mie
    CHECK(a1, 0)
    csrwi mideleg, IRQ_SSI
    csrw sie, a0
    csrr a1, sie
    CHECK(a1, IRQ_SSI)
    csrr a1, mie
    CHECK(a1, IRQ_SSI)
    WRITE(mideleg, 0x222)
    csrw sie, a0
    csrr a1, mie
    CHECK(a1, 0x222)
    WRITE(mie, ALL)
    csrw sie, x0
    csrr a1, mie
    CHECK(a1, 0x888)
    csrw mie, x0
    WRITE(mip, IRQ_SSI | IRQ_STI | IRQ_SEI)
    csrr a1, sip
    CHECK(a1, 0x222)
    csrw sip, x0 /* S can clear and set SSIP only */
    csrr a1, mip
    CHECK(a1, IRQ_STI | IRQ_SEI)
    csrw mip, x0
    csrw sip, a0
    csrr a1, mip
    CHECK(a1, IRQ_SSI)
    csrwi mideleg, 0
    csrr a1, sip
    CHECK(a1, 0)
    csrw sip, x0
    csrr a1, mip
    CHECK(a1, IRQ_SSI)
    csrw mip, x0

TEST_CASE(11) /* delegated: by SIE in S, always in U, never in M */
    WRITE(mideleg, 0x222)
    WRITE(mie, 0x222)
    CLEAR(mstatus, MSTATUS_SIE)
    csrwi mip, IRQ_SSI
    MIE_ON
    nop
    nop
    csrci mstatus, MSTATUS_MIE
    GO_S
    nop /* SIE is off */
    INTERRUPTED(1, 1, csrsi sstatus, MSTATUS_SIE)
    CHECK_CSR(mstatus, MSTATUS_SIE | MSTATUS_SPIE | MSTATUS_SPP, MSTATUS_SPIE | MSTATUS_SPP)
    CLEAR(mstatus, MSTATUS_SIE)
    INTERRUPTED(1, 1, GO_U)
    CHECK_CSR(mstatus, MSTATUS_SIE | MSTATUS_SPIE | MSTATUS_SPP, 0)
    SET(mstatus, MSTATUS_SIE)
    INTERRUPTED(1, 1, GO_S)
    /* S raises it itself, and by sret with SPIE */
    csrw mip, x0
    GO_S
    csrsi sstatus, MSTATUS_SIE
    INTERRUPTED(1, 1, csrsi sip, IRQ_SSI)
    GO_S
    CLEAR(sstatus, MSTATUS_SIE)
    SET(sstatus, MSTATUS_SPP | MSTATUS_SPIE)
    INTERRUPTED(1, 1, la t6, 80f; csrw sepc, t6; sret; 80: nop)
    la a1, trap_record
    ld a1, TR_EPC(a1)
    la a2, 80b
    CHECK_EQ(a1, a2)
    csrw mip, x0
    SET(mstatus, MSTATUS_SIE)
    WRITE(mip, IRQ_STI)
    INTERRUPTED(5, 1, GO_S)
    WRITE(mip, IRQ_SEI)
    INTERRUPTED(9, 1, GO_U)
    csrw mip, x0

TEST_CASE(12) /* priority: MSI, MTI, SEI, SSI, STI in M */
    csrw mideleg, x0
    WRITE(mie, ALL)
    MSIP_SET
    MTIME_SET
    INTERRUPTED(3, 3, MIE_ON)
    /* QEMU takes the lowest number first unless it has the AIA (smaia=on: then as here). */
    SKIP_ON_QEMU(priority_m_end)
    WRITE(mip, 0x222)
    INTERRUPTED(3, 3, MIE_ON)
    MSIP_CLEAR
    INTERRUPTED(7, 3, MIE_ON)
    MTIME_CLEAR
    INTERRUPTED(9, 3, MIE_ON)
    CLEAR(mip, IRQ_SEI)
    INTERRUPTED(1, 3, MIE_ON)
    CLEAR(mip, IRQ_SSI)
    INTERRUPTED(5, 3, MIE_ON)
    CLEAR(mip, IRQ_STI)
    MIE_ON
    nop
    csrci mstatus, MSTATUS_MIE

priority_m_end:
    MSIP_CLEAR
    MTIME_CLEAR
    csrw mip, x0
TEST_CASE(13) /* priority: M's before any delegated one; then SEI, SSI, STI */
    WRITE(mideleg, 0x222)
    SET(mstatus, MSTATUS_SIE)
    MTIME_SET
    WRITE(mip, 0x222)
    INTERRUPTED(7, 3, GO_S)
    MTIME_CLEAR
    SKIP_ON_QEMU(1f) /* as above */
    SET(mstatus, MSTATUS_SIE)
    INTERRUPTED(9, 1, GO_S)
    CLEAR(mip, IRQ_SEI)
    SET(mstatus, MSTATUS_SIE)
    INTERRUPTED(1, 1, GO_S)
    CLEAR(mip, IRQ_SSI)
    SET(mstatus, MSTATUS_SIE)
    INTERRUPTED(5, 1, GO_S)
1:  csrw mip, x0
    /* partly delegated: what M keeps comes first, though lower in the list */
    WRITE(mideleg, IRQ_SEI)
    WRITE(mip, IRQ_SEI | IRQ_STI)
    SET(mstatus, MSTATUS_SIE)
    INTERRUPTED(5, 3, GO_S)
    CLEAR(mip, IRQ_STI)
    SET(mstatus, MSTATUS_SIE)
    INTERRUPTED(9, 1, GO_S)
    csrw mip, x0
    csrw mie, x0
    csrw mideleg, x0

TEST_CASE(14) /* Sstc: STIP is the comparison, and not writable */
    li a0, -1
    csrw STIMECMP, a0
    SET(MENVCFG, 1 << 63)
    CHECK_CSR(mip, IRQ_STI, 0)
    csrw STIMECMP, x0
    CHECK_CSR(mip, IRQ_STI, IRQ_STI)
    /* QEMU 7.2 lets mip.STIP be written all the same. */
    SKIP_ON_QEMU_BELOW(10, 1f)
    CLEAR(mip, IRQ_STI)
    CHECK_CSR(mip, IRQ_STI, IRQ_STI)
1:  csrw STIMECMP, a0
    CHECK_CSR(mip, IRQ_STI, 0)
    SKIP_ON_QEMU_BELOW(10, 1f)
    SET(mip, IRQ_STI)
    CHECK_CSR(mip, IRQ_STI, 0)
1:

TEST_CASE(15) /* Sstc: a timer interrupt in S, waited for by wfi and by a loop */
    WRITE(mideleg, 0x222)
    WRITE(mie, IRQ_STI)
    csrwi mcounteren, 7
    SET(mstatus, MSTATUS_SIE)
    GO_S
    INTERRUPTED(5, 1, csrr t6, time; addi t6, t6, 700; csrw STIMECMP, t6; WAIT)
    csrr a0, STIMECMP
    csrr a1, time
    LINE
    bltu a1, a0, fail
    li a0, -1
    csrw STIMECMP, a0
    SET(mstatus, MSTATUS_SIE)
    GO_S
    INTERRUPTED(5, 1, csrr t6, time; addi t6, t6, 700; csrw STIMECMP, t6; 80: wfi; j 80b)
    csrw STIMECMP, a0
    CLEAR(mstatus, MSTATUS_SIE)
    GO_S /* wfi in S with SIE off */
    csrr t6, time
    addi t6, t6, 700
    csrw STIMECMP, t6
    wfi
1:  csrr t6, sip
    andi t6, t6, IRQ_STI
    beqz t6, 1b
    li t6, -1
    csrw STIMECMP, t6
    csrr t6, sip
    andi t6, t6, IRQ_STI
    CHECK_EQ(t6, x0)
    GO_M
    csrw mie, x0
    csrw mideleg, x0
    CLEAR(MENVCFG, 1 << 63)
    csrw mip, x0

TEST_CASE(16) /* vectored mode: base + 4 * cause */
    csrr s5, mtvec
    la a0, vectors
    addi a0, a0, 1
    csrw mtvec, a0
    csrwi mie, IRQ_MSI
    MSIP_SET
    li s7, 0
    INTERRUPTED(3, 3, MIE_ON)
    CHECK(s7, 3)
    MSIP_CLEAR
    WRITE(mie, IRQ_MTI)
    MTIME_SET
    INTERRUPTED(7, 3, MIE_ON)
    CHECK(s7, 7)
    MTIME_CLEAR
    li s7, 99
    TRAP(CAUSE_ECALL_M, 0, ecall)
    CHECK(s7, 0)
    csrw mtvec, s5
    csrr s5, stvec
    la a0, s_vectors
    addi a0, a0, 1
    csrw stvec, a0
    WRITE(mideleg, 0x222)
    WRITE(mie, 0x222)
    SET(mstatus, MSTATUS_SIE)
    csrwi mip, IRQ_SSI
    INTERRUPTED(1, 1, GO_S)
    CHECK(s7, 1)
    WRITE(mip, IRQ_SEI)
    INTERRUPTED(9, 1, GO_U)
    CHECK(s7, 9)
    csrw mip, x0
    csrw stvec, s5
    csrw mie, x0
    csrw mideleg, x0

TEST_CASE(17) /* a hundred timer interrupts in a running loop lose no work */
    WRITE(mie, IRQ_MTI)
    la a0, tick
    csrr s5, mtvec
    csrw mtvec, a0
    li s6, 100
    li s7, 0
    MTIME_SET
    MIE_ON
1:  addi s7, s7, 1
    addi s8, s7, 0
    bne s7, s8, 2f
    bnez s6, 1b
    csrci mstatus, MSTATUS_MIE
    csrw mtvec, s5
    MTIME_CLEAR
    csrw mie, x0
    j 3f
2:  FAIL
3:
    PASS

    .balign 4
tick:
    beqz s6, 1f
    addi s6, s6, -1
    ld t3, 0(s4)
    addi t3, t3, 10
    sd t3, 0(s3)
    mret
1:  li t3, -1
    sd t3, 0(s3)
    mret

    .balign 256
vectors:
.irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    j vector_\n
.endr
.irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
vector_\n:
    li s7, \n
    j trap_entry
.endr
    .balign 256
s_vectors:
.irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    j s_vector_\n
.endr
.irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
s_vector_\n:
    li s7, \n
    j s_trap_entry
.endr
