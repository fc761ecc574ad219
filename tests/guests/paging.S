/*
 * Address translation by Sv39: page sizes, rights, A and D bits, reserved bits, canonical addresses, accesses and
 * instructions across pages, changes of tables, faults and their addresses.
 */
#include "paging.h"

.text
.globl test_main
test_main:
    la t0, page_a
    ld s2, 0(t0) /* what a load of the first doubleword gives */
    mv a4, s2    /* what is stored */
    PTE(root, 1, level1, V)
    PTE_RAW(root, 2, 0x80000000 >> 2 | ALL_RIGHTS)
    PTE(level1, 0, level0, V)
    SATP(8, 0, root)

TEST_CASE(1) /* 4 KiB pages */
    PTE(level0, 0, page_a, ALL_RIGHTS)
    PTE(level0, 1, page_b, ALL_RIGHTS)
    TRY_ALL_OK(WINDOW)
    TRY(LOAD, WINDOW + 8, SUPER, 0)
    CHECK(a3, 0xa1)
    TRY(LOAD, WINDOW + 0x1008, SUPER, 0)
    CHECK(a3, 0xb1)
    li a4, 0x7777
    TRY(STORE, WINDOW + 0x1010, SUPER, 0)
    CHECK_MEM(page_b + 16, 0x7777)
    mv a4, s2
    TRY_ALL_FAULT(WINDOW + 0x2000)
    PTE(level0, 511, page_b, ALL_RIGHTS)
    TRY(LOAD, WINDOW + 0x1ff010, SUPER, 0)
    CHECK(a3, 0x7777)

TEST_CASE(2) /* 2 MiB pages, the offset inside; misaligned ones fault */
    PTE_RAW(level1, 1, 0x80000000 >> 2 | ALL_RIGHTS)
    la a5, page_a
    li a1, MEGA
    li t0, 0x1fffff
    and t0, a5, t0
    add a1, a1, t0
    AS_S(ld a3, 8(a1))
    CHECK(a3, 0xa1)
    AS_S(sd a4, 0(a1))
.irp shift, 0, 4, 8
    PTE_RAW(level1, 1, (0x80000000 + (0x1000 << \shift)) >> 2 | ALL_RIGHTS)
    TRY_ALL_FAULT(MEGA)
    TRY_ALL_FAULT(MEGA + 0x1ff000)
.endr
    PTE_RAW(level1, 1, 0)
    TRY_ALL_FAULT(MEGA)

TEST_CASE(3) /* 1 GiB pages; misaligned ones fault */
    PTE_RAW(root, 3, 0x80000000 >> 2 | ALL_RIGHTS)
    la a1, page_a + 0x40000000
    AS_S(ld a3, 8(a1))
    CHECK(a3, 0xa1)
    la a1, page_b + 0x40000000
    AS_S(lhu a3, 16(a1))
    CHECK(a3, 0x7777)
    PTE_RAW(root, 3, 0x80200000 >> 2 | ALL_RIGHTS)
    TRY_ALL_FAULT(0xc0000000)
    PTE_RAW(root, 3, 0x80001000 >> 2 | ALL_RIGHTS)
    TRY_ALL_FAULT(0xc0000000)
    PTE_RAW(root, 3, 0)
    TRY_ALL_FAULT(0xc0000000)
    /* the upper half of the address space */
    PTE_RAW(root, 511, 0x80000000 >> 2 | ALL_RIGHTS)
    PTE_RAW(root, 256, 0x80000000 >> 2 | ALL_RIGHTS)
    TRY(LOAD, 0xffffffffc0000000, SUPER, 0)
    TRY(LOAD, 0xffffffc000000000, SUPER, 0)
    la a1, page_a
    li t0, 0xffffffff40000000
    add a1, a1, t0
    AS_S(ld a3, 8(a1))
    CHECK(a3, 0xa1)

TEST_CASE(4) /* rights: every R W X U, with SUM and MXR, load, store, fetch from S and U */
    li s3, 0 /* flags >> 1 */
1:  slli a5, s3, 1
    ori a5, a5, V | A | D
    la t5, page_a
    srli t5, t5, 2
    or t5, t5, a5
    la t6, level0
    sd t5, 0(t6)
    sfence.vma
    li s4, 0 /* MXR SUM, as their two bits */
2:  CLEAR(mstatus, MSTATUS_SUM | MSTATUS_MXR)
    slli t5, s4, 18
    csrs mstatus, t5
    li s5, 0 /* mode */
3:  li s6, 0 /* kind */
4:  mv a0, s6
    li a1, WINDOW
    neg a2, s5
    li t5, MSTATUS_MPP_S
    and a2, a2, t5
    jal ra, rights_expected
    mv s7, a6
    jal ra, try_access
    LINE
    bne a0, s7, fail
    addi s6, s6, 1
    li t5, 3
    bne s6, t5, 4b
    addi s5, s5, 1
    li t5, 2
    bne s5, t5, 3b
    addi s4, s4, 1
    li t5, 4
    bne s4, t5, 2b
    addi s3, s3, 1
    li t5, 16
    bne s3, t5, 1b
    CLEAR(mstatus, MSTATUS_SUM | MSTATUS_MXR)

TEST_CASE(5) /* the same bits on a 2 MiB page: a few */
    PTE_RAW(level1, 1, 0x80000000 >> 2 | V | R | A | D)
    TRY(LOAD, MEGA, SUPER, 0)
    TRY(STORE, MEGA, SUPER, CAUSE_STORE_PAGE)
    TRY(FETCH, MEGA, SUPER, CAUSE_FETCH_PAGE)
    TRY(LOAD, MEGA, USER, CAUSE_LOAD_PAGE)
    PTE_RAW(level1, 1, 0x80000000 >> 2 | V | R | U | A | D)
    TRY(LOAD, MEGA, USER, 0)
    TRY(STORE, MEGA, USER, CAUSE_STORE_PAGE)
    TRY(LOAD, MEGA, SUPER, CAUSE_LOAD_PAGE)

TEST_CASE(6) /* not valid, at each level; a pointer at the last level; W without R as pointer */
    PTE(level0, 0, page_a, ALL_RIGHTS & ~V)
    TRY_ALL_FAULT(WINDOW)
    PTE(level0, 0, page_a, V)
    TRY_ALL_FAULT(WINDOW)
    PTE(level0, 0, page_a, ALL_RIGHTS)
    TRY_ALL_OK(WINDOW)
    PTE(level1, 0, level0, 0)
    TRY_ALL_FAULT(WINDOW)
    PTE(level1, 0, level0, V | W)
    TRY_ALL_FAULT(WINDOW)
    PTE(level1, 0, level0, V | W | X)
    TRY_ALL_FAULT(WINDOW)
    PTE(level1, 0, level0, V)
    PTE(root, 1, level1, 0)
    TRY_ALL_FAULT(WINDOW)
    PTE(root, 1, level1, V)
    TRY_ALL_OK(WINDOW)

TEST_CASE(7) /* reserved: A, D, U of a pointer; the upper bits (no Svnapot, no Svpbmt); G and RSW are free */
.irp bit, A, D, U
    PTE(level1, 0, level0, V | \bit)
    TRY_ALL_FAULT(WINDOW)
.endr
    PTE(level1, 0, level0, V | G | 0x300)
    TRY_ALL_OK(WINDOW)
    PTE(level1, 0, level0, V)
.irp bit, 54, 57, 60, 61, 62, 63
    PTE(level0, 0, page_a, ALL_RIGHTS | 1 << \bit)
    TRY_ALL_FAULT(WINDOW)
.endr
.irp bit, 54, 61, 63
    PTE(level1, 0, level0, V | 1 << \bit)
    TRY_ALL_FAULT(WINDOW)
.endr
    PTE(level1, 0, level0, V)
    PTE(level0, 0, page_a, ALL_RIGHTS | G | 0x300)
    TRY_ALL_OK(WINDOW)

TEST_CASE(8) /* A and D are set by hardware: A by any access, D by stores; not by ones that fault */
    SKIP_ON_QEMU_BELOW(10, 1f) /* no menvcfg.ADUE there: always updates, as wanted here */
    SET(MENVCFG, 1 << 61)
1:  PTE(level0, 0, page_a, V | R | W | X)
    TRY(LOAD, WINDOW, SUPER, 0)
    CHECK_PTE_FLAGS(level0, 0, V | R | W | X | A)
    TRY(STORE, WINDOW, SUPER, 0)
    CHECK_PTE_FLAGS(level0, 0, ALL_RIGHTS)
    PTE(level0, 0, page_a, V | R | W | X)
    TRY(STORE, WINDOW, SUPER, 0)
    CHECK_PTE_FLAGS(level0, 0, ALL_RIGHTS)
    PTE(level0, 0, page_a, V | R | W | X | G | 0x300)
    TRY(FETCH, WINDOW, SUPER, 0)
    CHECK_PTE_FLAGS(level0, 0, V | R | W | X | G | 0x300 | A)
    PTE(level0, 0, page_a, V | R)
    TRY(STORE, WINDOW, SUPER, CAUSE_STORE_PAGE)
    TRY(LOAD, WINDOW, USER, CAUSE_LOAD_PAGE)
    TRY(FETCH, WINDOW, SUPER, CAUSE_FETCH_PAGE)
    CHECK_PTE_FLAGS(level0, 0, V | R)
    PTE_RAW(level1, 1, 0x80000000 >> 2 | V | R | W)
    TRY(LOAD, MEGA, SUPER, 0)
    CHECK_PTE_FLAGS(level1, 1, V | R | W | A)
    li a1, MEGA
    la t5, page_a
    li t6, 0x1fffff
    and t5, t5, t6
    add a1, a1, t5
    AS_S(sd a4, 0(a1))
    CHECK_PTE_FLAGS(level1, 1, V | R | W | A | D)
    CHECK_PTE_FLAGS(level1, 0, V)
    CHECK_PTE_FLAGS(root, 1, V)
    PTE(level0, 0, page_a, V | R | W)
    li a1, WINDOW
    AS_S(amoor.w a0, x0, (a1))
    CHECK_PTE_FLAGS(level0, 0, V | R | W | A | D)
    PTE(level0, 0, page_a, V | R | W)
    AS_S(lr.d a0, (a1))
    CHECK_PTE_FLAGS(level0, 0, V | R | W | A)
    /* both pages of an access across two */
    PTE(level0, 0, page_a, V | R | W)
    PTE(level0, 1, page_b, V | R | W)
    li a1, WINDOW + 0xffc
    AS_S(ld a0, 0(a1))
    CHECK_PTE_FLAGS(level0, 0, V | R | W | A)
    CHECK_PTE_FLAGS(level0, 1, V | R | W | A)
    AS_S(sd a0, 0(a1))
    CHECK_PTE_FLAGS(level0, 0, V | R | W | A | D)
    CHECK_PTE_FLAGS(level0, 1, V | R | W | A | D)

TEST_CASE(9) /* menvcfg.ADUE = 0: a page fault instead, and the entry stays */
    SKIP_ON_QEMU_BELOW(10, 1f) /* no Svadu: always updates */
    CLEAR(MENVCFG, 1 << 61)
    sfence.vma
    PTE(level0, 0, page_a, V | R | W | X)
    TRY_ALL_FAULT(WINDOW)
    PTE(level0, 0, page_a, V | R | W | X | D)
    TRY_ALL_FAULT(WINDOW)
    PTE(level0, 0, page_a, V | R | W | X | A)
    TRY(LOAD, WINDOW, SUPER, 0)
    TRY(FETCH, WINDOW, SUPER, 0)
    TRY(STORE, WINDOW, SUPER, CAUSE_STORE_PAGE)
    CHECK_PTE_FLAGS(level0, 0, V | R | W | X | A)
    PTE(level0, 0, page_a, ALL_RIGHTS)
    TRY_ALL_OK(WINDOW)
    PTE_RAW(level1, 1, 0x80000000 >> 2 | V | R | W | A)
    TRY(STORE, MEGA, SUPER, CAUSE_STORE_PAGE)
    TRY(LOAD, MEGA, SUPER, 0)
    SET(MENVCFG, 1 << 61)
    sfence.vma
1:

TEST_CASE(10) /* addresses whose upper bits are no sign extension */
    PTE(level0, 0, page_a, ALL_RIGHTS)
    PTE_RAW(root, 256, 0)
    PTE_RAW(root, 0, 0x80000000 >> 2 | ALL_RIGHTS)
.irp va, 0x0000004000000000, 0x0000008000000000, 0x0000008040000000, 0x8000000040000000, 0x4000000040000000, 0xffffff8000000000, 0xffffff0000000000, 0x7fffffc000000000, 0xffffff8040000000
    TRY_ALL_FAULT(\va)
.endr
    TRY(LOAD, 0, SUPER, 0)
    PTE_RAW(root, 0, 0)

TEST_CASE(11) /* a page, or a table, where there is no memory: access faults with the virtual address */
    PTE_RAW(level0, 0, ALL_RIGHTS | 1 << 50)
    TRY(LOAD, WINDOW + 8, SUPER, CAUSE_LOAD_ACCESS)
    TRY(STORE, WINDOW, SUPER, CAUSE_STORE_ACCESS)
    TRY(FETCH, WINDOW, SUPER, CAUSE_FETCH_ACCESS)
    PTE_RAW(level0, 0, ALL_RIGHTS) /* physical 0: nothing there */
    TRY(LOAD, WINDOW + 0x10, SUPER, CAUSE_LOAD_ACCESS)
    /* QEMU 7.2 makes a table that is not there a page fault. */
    SKIP_ON_QEMU_BELOW(10, 1f)
    PTE_RAW(level1, 0, V | 1 << 50)
    TRY(LOAD, WINDOW, SUPER, CAUSE_LOAD_ACCESS)
    TRY(STORE, WINDOW + 16, SUPER, CAUSE_STORE_ACCESS)
    TRY(FETCH, WINDOW, SUPER, CAUSE_FETCH_ACCESS)
1:  PTE(level1, 0, level0, V)

TEST_CASE(12) /* data across two pages that are not neighbours in memory */
    PTE(level0, 0, page_b, ALL_RIGHTS)
    PTE(level0, 1, page_a, ALL_RIGHTS)
    la t0, page_b + 4096 - 8
    li t1, 0x1122334455667788
    sd t1, 0(t0)
    li a1, WINDOW + 0x1000
    AS_S(lw a0, 0(a1))
    sext.w t1, s2
    CHECK_EQ(a0, t1)
    AS_S(ld a0, -4(a1))
    slli t1, s2, 32
    li t2, 0x11223344
    or t1, t1, t2
    CHECK_EQ(a0, t1)
    AS_S(lhu a0, -1(a1))
    zext.b t1, s2
    slli t1, t1, 8
    addi t1, t1, 0x11
    CHECK_EQ(a0, t1)
    li a0, 0xa1a2a3a4a5a6a7a8
    AS_S(sd a0, -3(a1))
    CHECK_MEM(page_b + 4096 - 8, 0xa6a7a84455667788)
    la t0, page_a
    lwu t1, 0(t0)
    CHECK(t1, 0xa2a3a4a5)
    lbu t1, 4(t0)
    CHECK(t1, 0xa1)
    sd s2, 0(t0)

TEST_CASE(13) /* across two pages, one of them missing: the address names the part that faults */
    PTE_RAW(level0, 1, 0)
    TRAP_AS_S(CAUSE_LOAD_PAGE, a1, ld a0, -4(a1))
    TRAP_AS_S(CAUSE_LOAD_PAGE, a1, lh a0, -1(a1))
    TRAP_AS_S(CAUSE_STORE_PAGE, a1, sd a0, -7(a1))
    TRAP_AS_S(CAUSE_STORE_PAGE, a1, sw a0, -1(a1))
    AS_S(ld a0, -8(a1))
    PTE(level0, 1, page_a, V | R | A)
    TRAP_AS_S(CAUSE_STORE_PAGE, a1, sd a0, -4(a1))
    PTE(level0, 1, page_a, ALL_RIGHTS)
    PTE_RAW(level0, 0, 0)
    addi a5, a1, -4
    TRAP_AS_S(CAUSE_LOAD_PAGE, a5, ld a0, -4(a1))
    TRAP_AS_S(CAUSE_STORE_PAGE, a5, sd a0, -4(a1))
    PTE_RAW(level0, 1, 0)
    TRAP_AS_S(CAUSE_LOAD_PAGE, a5, ld a0, -4(a1))
    /* out of the canonical range */
    PTE(root, 255, other1, V)
    PTE(other1, 511, other0, V)
    PTE(other0, 511, page_b, ALL_RIGHTS)
    li a1, 0x4000000000
    TRAP_AS_S(CAUSE_LOAD_PAGE, a1, ld a0, -3(a1))
    TRAP_AS_S(CAUSE_STORE_PAGE, a1, sd a0, -3(a1))
    PTE_RAW(root, 255, 0)

TEST_CASE(14) /* instructions across two pages that are not neighbours */
    la t0, page_b + 4094
    li t1, 0x0073 /* the low half of an ecall; the high half, 0, begins page_c */
    sh t1, 0(t0)
    fence.i
    PTE(level0, 0, page_b, ALL_RIGHTS)
    PTE(level0, 1, page_c, ALL_RIGHTS)
    TRY(FETCH, WINDOW + 0xffe, SUPER, 0)
    PTE(level0, 0, page_b, ALL_RIGHTS | U)
    PTE(level0, 1, page_c, ALL_RIGHTS | U)
    TRY(FETCH, WINDOW + 0xffe, USER, 0)
    /* the second page missing, or not executable: epc is the instruction, tval the page */
    li s8, WINDOW + 0xffe
    li s9, WINDOW + 0x1000
.irp flags, 0, ALL_RIGHTS, V | R | W | U | A | D
    PTE(level0, 1, page_c, \flags)
    LINE
    TRAP_ARM(1f)
    CLEAR(mstatus, MSTATUS_MPP)
    csrw mepc, s8
    mret
1:  la t5, trap_record
    ld a0, TR_CAUSE(t5)
    CHECK(a0, CAUSE_FETCH_PAGE)
    la t5, trap_record
    ld a0, TR_EPC(t5)
    CHECK_EQ(a0, s8)
    ld a0, TR_TVAL(t5)
    CHECK_EQ(a0, s9)
.endr

TEST_CASE(15) /* a table changed, then sfence.vma: all, by address, by address space */
    SATP(8, 5, root)
    PTE(level0, 0, page_a, ALL_RIGHTS)
    la s8, page_b
    srli s8, s8, 2
    ori s8, s8, ALL_RIGHTS
    la s9, page_a
    srli s9, s9, 2
    ori s9, s9, ALL_RIGHTS
    la s10, level0
    li a1, WINDOW
    li s11, 5
.macro remapped pte, tag, fence:vararg
    sd \pte, 0(s10)
    \fence
    AS_S(ld a0, 8(a1))
    CHECK(a0, \tag)
.endm
    AS_S(ld a0, 8(a1))
    remapped s8, 0xb1, sfence.vma
    remapped s9, 0xa1, sfence.vma a1, x0
    remapped s8, 0xb1, sfence.vma x0, s11
    remapped s9, 0xa1, sfence.vma a1, s11
    addi a2, a1, 0x700 /* any address of the page */
    remapped s8, 0xb1, sfence.vma a2, x0
    sd x0, 0(s10)
    sfence.vma a1, x0
    TRY_ALL_FAULT(WINDOW)
    remapped s9, 0xa1, sfence.vma /* an entry that was not valid */
    /* less rights, more rights */
    PTE(level0, 0, page_a, V | R | A | D)
    TRY(LOAD, WINDOW, SUPER, 0)
    TRY(STORE, WINDOW, SUPER, CAUSE_STORE_PAGE)
    PTE(level0, 0, page_a, ALL_RIGHTS)
    TRY(STORE, WINDOW, SUPER, 0)
    /* a pointer changed */
    PTE(other0, 0, page_b, ALL_RIGHTS)
    PTE(level1, 0, other0, V)
    TRY(LOAD, WINDOW + 8, SUPER, 0)
    CHECK(a3, 0xb1)
    PTE(level1, 0, level0, V)

TEST_CASE(16) /* two address spaces by number, no fence between them */
    PTE(other_root, 1, other1, V)
    PTE(other1, 0, other0, V)
    PTE_RAW(other_root, 2, 0x80000000 >> 2 | ALL_RIGHTS)
    SATP(8, 7, other_root)
    csrr s8, satp
    SATP(8, 6, root)
    csrr s9, satp
    sfence.vma
    li a1, WINDOW
.rept 3
    csrw satp, s8
    AS_S(ld a0, 8(a1))
    CHECK(a0, 0xb1)
    csrw satp, s9
    AS_S(ld a0, 8(a1))
    CHECK(a0, 0xa1)
.endr
    SATP(8, 0, root)

TEST_CASE(17) /* the mode of MPRV: with MPP = M nothing is translated; fetches never are */
    la a1, page_a
    SET(mstatus, MSTATUS_MPP | MSTATUS_MPRV)
    ld a0, 8(a1)
    CLEAR(mstatus, MSTATUS_MPRV)
    CHECK(a0, 0xa1)
    ld a0, 8(a1) /* M itself, satp set */
    CHECK(a0, 0xa1)
    PTE_RAW(root, 2, 0)
    li t6, MSTATUS_MPP
    csrc mstatus, t6
    li t6, MSTATUS_MPRV | MSTATUS_MPP_S
    csrs mstatus, t6
    nop /* fetched from where S has nothing */
    nop
    li t6, MSTATUS_MPRV
    csrc mstatus, t6
    la a1, page_a
    TRAP_AS_S(CAUSE_LOAD_PAGE, a1, ld a0, 0(a1))
    PTE_RAW(root, 2, 0x80000000 >> 2 | ALL_RIGHTS)

TEST_CASE(18) /* S-mode proper: code, data, satp switched under way */
    PTE(level0, 0, page_a, ALL_RIGHTS)
    GO_S
    li a1, WINDOW
    ld a0, 8(a1)
    CHECK(a0, 0xa1)
    csrw satp, s8
    sfence.vma
    ld a0, 8(a1)
    CHECK(a0, 0xb1)
    csrw satp, s9
    sfence.vma
    ld a0, 8(a1)
    CHECK(a0, 0xa1)
    csrw satp, x0 /* bare: the identity */
    sfence.vma
    la a1, page_b
    ld a0, 8(a1)
    CHECK(a0, 0xb1)
    csrw satp, s9
    sfence.vma
    GO_M

TEST_CASE(19) /* page faults delegated to S: scause, sepc, stval */
    SET(medeleg, 1 << CAUSE_LOAD_PAGE | 1 << CAUSE_STORE_PAGE | 1 << CAUSE_FETCH_PAGE)
    PTE_RAW(level0, 2, 0)
    li a1, WINDOW + 0x2000
    GO_S
    TRAP_S(CAUSE_LOAD_PAGE, WINDOW + 0x2008, ld a0, 8(a1))
    GO_S
    TRAP_S(CAUSE_STORE_PAGE, WINDOW + 0x2001, sb a0, 1(a1))
    GO_S
    LINE
    TRAP_ARM(1f)
    jr a1
1:  la t5, trap_record
    ld a0, TR_MODE(t5)
    CHECK(a0, 1)
    la t5, trap_record
    ld a0, TR_CAUSE(t5)
    CHECK(a0, CAUSE_FETCH_PAGE)
    la t5, trap_record
    ld a0, TR_EPC(t5)
    CHECK_EQ(a0, a1)
    ld a0, TR_TVAL(t5)
    CHECK_EQ(a0, a1)
    csrw medeleg, x0

TEST_CASE(20) /* U-mode proper: its page, and no other */
    la t0, page_user
    PTE(level0, 3, page_user, V | R | X | U | A | D)
    PTE(level0, 4, page_b, V | R | W | U | A | D)
    li a0, 0
    li a1, WINDOW + 0x4000
    la a2, page_a
    LINE
    TRAP_ARM(1f)
    CLEAR(mstatus, MSTATUS_MPP)
    li t6, WINDOW + 0x3000
    csrw mepc, t6
    mret
1:  CHECK(a0, 0xb1)
    la t5, trap_record
    ld a1, TR_CAUSE(t5)
    CHECK(a1, CAUSE_LOAD_PAGE)
    la t5, trap_record
    ld a1, TR_TVAL(t5)
    CHECK_EQ(a1, a2)
    ld a1, TR_EPC(t5)
    CHECK(a1, WINDOW + 0x3000 + 8)

TEST_CASE(21) /* AMO, LR, SC: faults are stores' but for LR's; a page that can only be read */
    PTE(level0, 0, page_a, V | R | A | D)
    li a1, WINDOW
    TRAP_AS_S(CAUSE_STORE_PAGE, a1, amoadd.w a0, x0, (a1))
    TRAP_AS_S(CAUSE_STORE_PAGE, a1, amoor.d a0, x0, (a1))
    AS_S(lr.w a0, (a1))
    TRAP_AS_S(CAUSE_STORE_PAGE, a1, sc.w a0, x0, (a1))
    PTE_RAW(level0, 0, 0)
    TRAP_AS_S(CAUSE_LOAD_PAGE, a1, lr.w a0, (a1))
    /* QEMU 7.2 calls it a load's fault. */
    SKIP_ON_QEMU_BELOW(10, 1f)
    TRAP_AS_S(CAUSE_STORE_PAGE, a1, amoswap.w a0, x0, (a1))
1:

    PASS

/*
 * What the manual says of an access of kind s6 from mode s5 (0: U, 1: S) to a page with the flags a5, under
 * s4 = MXR << 1 | SUM: the cause or 0 in a6.
 */
rights_expected:
    andi t0, a5, W
    andi t1, a5, R
    beqz t0, 1f
    beqz t1, 9f /* W without R is reserved */
1:  andi t2, a5, U
    bnez s5, 2f
    beqz t2, 9f
    j 3f
2:  beqz t2, 3f
    li t3, FETCH
    beq s6, t3, 9f /* S never executes a user page */
    andi t3, s4, 1
    beqz t3, 9f
3:  li t3, STORE
    beq s6, t3, 4f
    andi t4, a5, X
    li t3, FETCH
    beq s6, t3, 5f
    bnez t1, 8f
    andi t3, s4, 2
    beqz t3, 9f
    bnez t4, 8f
    j 9f
4:  bnez t0, 8f
    j 9f
5:  bnez t4, 8f
    j 9f
8:  li a6, 0
    ret
9:  li a6, CAUSE_LOAD_PAGE
    beqz s6, 1f
    li a6, CAUSE_STORE_PAGE
    li t3, STORE
    beq s6, t3, 1f
    li a6, CAUSE_FETCH_PAGE
1:  ret

    .balign 4096
page_user:
    ld a0, 8(a1)
    sd a0, 16(a1)
    ld a0, 0(a2) /* not its own: faults, a0 keeps its value */
    .balign 4096
