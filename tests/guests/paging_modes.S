/* Sv48, Sv57 and bare mode. Rights and the like are paging.S's. */
#include "paging.h"

.text
.globl test_main
test_main:
    la t0, page_a
    ld s2, 0(t0) /* what a load of the first doubleword gives */
    mv a4, s2    /* what is stored */
    PTE(other_root, 1, other1, V)
    PTE(other1, 0, other0, V)
    PTE_RAW(other_root, 2, 0x80000000 >> 2 | ALL_RIGHTS)

TEST_CASE(1) /* Sv48: a page of each size, misaligned ones, canonical addresses */
    PTE(root48, 0, other_root, V)
    PTE(other0, 0, page_a, ALL_RIGHTS)
    SATP(9, 0, root48)
    TRY_ALL_OK(WINDOW)
    TRY(LOAD, 0x80000000, SUPER, 0) /* 1 GiB */
    PTE_RAW(other1, 1, 0x80000000 >> 2 | ALL_RIGHTS) /* 2 MiB */
    TRY(LOAD, MEGA, SUPER, 0)
    PTE_RAW(root48, 1, ALL_RIGHTS) /* 512 GiB, from physical 0 */
    la a1, page_a
    li t0, 1 << 39
    add a1, a1, t0
    AS_S(ld a0, 8(a1))
    CHECK(a0, 0xa1)
    PTE_RAW(root48, 511, ALL_RIGHTS)
    la a1, page_a
    li t0, -(1 << 39)
    add a1, a1, t0
    AS_S(ld a0, 8(a1))
    CHECK(a0, 0xa1)
.irp bits, 0x80000000 >> 2, 1 << 36
    PTE_RAW(root48, 1, ALL_RIGHTS | \bits)
    TRY_ALL_FAULT(1 << 39)
.endr
    PTE_RAW(other_root, 3, 0x80200000 >> 2 | ALL_RIGHTS)
    TRY_ALL_FAULT(0xc0000000)
    TRY_ALL_FAULT(2 << 39)
.irp va, 0x0000800000000000, 0x8000000040000000, 0x0001000040000000, 0xffff7fffc0000000, 0xfffeffffc0000000
    TRY_ALL_FAULT(\va)
.endr
    PTE_RAW(root48, 0, 0)
    TRY_ALL_FAULT(WINDOW)

TEST_CASE(2) /* Sv57 */
    PTE(root48, 0, other_root, V)
    PTE_RAW(root48, 1, ALL_RIGHTS)
    PTE(root57, 0, root48, V)
    PTE_RAW(root57, 1, ALL_RIGHTS) /* 256 TiB */
    SATP(10, 0, root57)
    TRY_ALL_OK(WINDOW)
    TRY(LOAD, MEGA, SUPER, 0)
    TRY(LOAD, 0x80000000, SUPER, 0)
    la a1, page_a
    li t0, 1 << 39
    add a1, a1, t0
    AS_S(ld a0, 8(a1))
    CHECK(a0, 0xa1)
    la a1, page_a
    li t0, 1 << 48
    add a1, a1, t0
    AS_S(ld a0, 8(a1))
    CHECK(a0, 0xa1)
    PTE_RAW(root57, 1, ALL_RIGHTS | 0x80000000 >> 2)
    TRY_ALL_FAULT(1 << 48)
    PTE_RAW(root57, 511, ALL_RIGHTS)
    la a1, page_a
    li t0, -(1 << 48)
    add a1, a1, t0
    AS_S(ld a0, 8(a1))
    CHECK(a0, 0xa1)
.irp va, 0x0100000000000000, 0x8000000040000000, 0x0200000040000000, 0xfeffffffc0000000, 0xfdffffffc0000000
    TRY_ALL_FAULT(\va)
.endr
    PTE(root48, 0, other_root, V | A)
    TRY_ALL_FAULT(WINDOW)

TEST_CASE(3) /* bare: no translation; addresses beyond memory are access faults */
    csrw satp, x0
    sfence.vma
    la a1, page_a
    AS_S(ld a0, 8(a1))
    CHECK(a0, 0xa1)
    AS_U(ld a0, 8(a1))
    CHECK(a0, 0xa1)
    li a1, 0x8000000000000000
    TRAP_AS_S(CAUSE_LOAD_ACCESS, a1, ld a0, 0(a1))
    TRAP_AS_U(CAUSE_STORE_ACCESS, a1, sd a0, 0(a1))
    PASS
