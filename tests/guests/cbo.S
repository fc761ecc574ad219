/*
 * Zicbom, Zicboz with blocks of 64 bytes: cbo.zero, cbo.clean, cbo.flush, cbo.inval, their gates in menvcfg and
 * senvcfg, their faults.
 *
 * CBIE: 0 illegal, 1 cbo.inval flushes, 3 it invalidates. Caches do not exist here, so
 * the three management instructions leave memory as it is.
 */
#include "test.h"

#define CBIE_FLUSH 0x10
#define CBIE_INVAL 0x30
#define CBCFE 0x40
#define CBZE 0x80
#define ALL_CBO (CBIE_INVAL | CBCFE | CBZE)

.text
.globl test_main
test_main:
    /* QEMU 7.2 has neither extension. */
    SKIP_ON_QEMU_BELOW(10, end)
    la s2, block
    la s3, block + 64
    csrw MENVCFG, x0
    csrw SENVCFG, x0

TEST_CASE(1) /* cbo.zero: the 64 bytes around the address, nothing else; in M no gate applies */
.macro zeroed offset
    li t0, -1
    la t1, block - 64
    li t2, 24
1:  sd t0, 0(t1)
    addi t1, t1, 8
    addi t2, t2, -1
    bnez t2, 1b
    addi a0, s2, \offset
    cbo.zero (a0)
    la t1, block - 64
    li t2, 0
2:  ld t0, 0(t1)
    addi t3, t2, -8
    sltiu t3, t3, 8 /* 1 for the block's own eight doublewords */
    addi t3, t3, -1 /* 0 for these, else -1 */
    CHECK_EQ(t0, t3)
    addi t1, t1, 8
    addi t2, t2, 1
    li t3, 24
    bne t2, t3, 2b
.endm
    zeroed 0
    zeroed 1
    zeroed 8
    zeroed 37
    zeroed 63

TEST_CASE(2) /* the others leave memory alone, any address of the block */
    li t0, 0x1122334455667788
    sd t0, 0(s2)
    sd t0, 56(s2)
    addi a0, s2, 5
    cbo.clean (a0)
    cbo.flush (a0)
    cbo.inval (a0)
    cbo.inval (s2)
    ld t1, 0(s2)
    CHECK_EQ(t1, t0)
    ld t1, 56(s2)
    CHECK_EQ(t1, t0)

TEST_CASE(3) /* menvcfg = 0: all illegal in S and U */
.irp insn, cbo.zero, cbo.clean, cbo.flush, cbo.inval
    GO_S
    TRAP_ILLEGAL(\insn (s2))
    li a0, ALL_CBO
    csrw SENVCFG, a0
    GO_U
    TRAP_ILLEGAL(\insn (s2))
    csrw SENVCFG, x0
.endr

TEST_CASE(4) /* menvcfg open: S may; U needs senvcfg too */
    SET(MENVCFG, ALL_CBO)
    GO_S
    cbo.zero (s2)
    cbo.clean (s2)
    cbo.flush (s2)
    cbo.inval (s2)
    GO_M
.irp insn, cbo.zero, cbo.clean, cbo.flush, cbo.inval
    GO_U
    TRAP_ILLEGAL(\insn (s2))
.endr
    li a0, ALL_CBO
    csrw SENVCFG, a0
    GO_U
    cbo.zero (s2)
    cbo.clean (s2)
    cbo.flush (s2)
    cbo.inval (s2)
    GO_M

TEST_CASE(5) /* each gate by itself */
    csrw MENVCFG, x0
    SET(MENVCFG, CBZE)
    GO_U
    cbo.zero (s2)
    TRAP_ILLEGAL(cbo.clean (s2))
    GO_S
    TRAP_ILLEGAL(cbo.flush (s2))
    GO_S
    TRAP_ILLEGAL(cbo.inval (s2))
    csrw MENVCFG, x0
    SET(MENVCFG, CBCFE)
    GO_U
    cbo.clean (s2)
    cbo.flush (s2)
    TRAP_ILLEGAL(cbo.zero (s2))
    GO_S
    TRAP_ILLEGAL(cbo.inval (s2))
    csrw MENVCFG, x0
    SET(MENVCFG, CBIE_FLUSH)
    GO_U
    cbo.inval (s2)
    TRAP_ILLEGAL(cbo.clean (s2))
    GO_S
    TRAP_ILLEGAL(cbo.zero (s2))
    li a0, CBZE
    csrw SENVCFG, a0
    csrw MENVCFG, x0
    SET(MENVCFG, ALL_CBO)
    GO_U
    cbo.zero (s2)
    TRAP_ILLEGAL(cbo.inval (s2))
    GO_U
    TRAP_ILLEGAL(cbo.clean (s2))
    li a0, CBIE_FLUSH
    csrw SENVCFG, a0
    GO_U
    cbo.inval (s2)
    TRAP_ILLEGAL(cbo.flush (s2))

TEST_CASE(6) /* no memory there: a store's access fault, with the address used */
    li a1, 0
    TRAP_AT(CAUSE_STORE_ACCESS, a1, cbo.zero (a1))

TEST_CASE(7) /* translated: cbo.zero is a store; the others need a page that can be read or written */
    la t0, root
    li t1, 0x80000000 >> 2 | 0xcf
    sd t1, 16(t0)
    la t1, level1
    srli t1, t1, 2
    ori t1, t1, 1
    sd t1, 8(t0)
    la t0, level1
    la t1, level0
    srli t1, t1, 2
    ori t1, t1, 1
    sd t1, 0(t0)
    la s5, level0
    la s6, block
    srli s6, s6, 12
    slli s6, s6, 10
    la t0, root
    srli t0, t0, 12
    li t1, 8 << 60
    or t0, t0, t1
    csrw satp, t0
    sd x0, 0(s5)
    sfence.vma
    /* QEMU reports the base of the block; the manual says the value of rs1. */
    SKIP_ON_QEMU(1f)
    li s4, 0x40000000 + 3
    TRAP_AS_S(CAUSE_STORE_PAGE, s4, cbo.zero (s4))
    TRAP_AS_S(CAUSE_STORE_PAGE, s4, cbo.clean (s4))
1:  li s4, 0x40000000
    TRAP_AS_S(CAUSE_STORE_PAGE, s4, cbo.zero (s4))
    TRAP_AS_S(CAUSE_STORE_PAGE, s4, cbo.clean (s4))
    TRAP_AS_S(CAUSE_STORE_PAGE, s4, cbo.flush (s4))
    TRAP_AS_S(CAUSE_STORE_PAGE, s4, cbo.inval (s4))
    ori t0, s6, 0x43 /* V R A */
    sd t0, 0(s5)
    sfence.vma
    TRAP_AS_S(CAUSE_STORE_PAGE, s4, cbo.zero (s4))
    AS_S(cbo.clean (s4))
    AS_S(cbo.flush (s4))
    AS_S(cbo.inval (s4))
    ori t0, s6, 7 /* V R W: A and D are set by cbo.zero */
    sd t0, 0(s5)
    sfence.vma
    SET(MENVCFG, 1 << 61)
    la t1, page
    li t2, -1
    sd t2, 0(t1)
    AS_S(cbo.zero (s4))
    ld t2, 0(t1)
    CHECK(t2, 0)
    ld t0, 0(s5)
    andi t0, t0, 0xff
    CHECK(t0, 0xc7)
    csrw satp, x0

TEST_CASE(8) /* reserved encodings beside them */
    TRAP_ILLEGAL(.word 0x0035200f | 1 << 22) /* no such function */
    TRAP_ILLEGAL(.word 0x0005208f)           /* cbo.inval with rd */
end:
    PASS

.bss
    .balign 4096
root: .skip 4096
level1: .skip 4096
level0: .skip 4096
page:
    .skip 1024
block: .skip 128
    .balign 4096
