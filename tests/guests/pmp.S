/*
 * Physical memory protection: the 16 entries, NA4, NAPOT, TOR, priority, partial matches, rights by mode, table walks,
 * and, last, locked entries.
 *
 * Entry 15 opens all of memory unless a test closes it; tests use entries 0 to 7.
 */
#include "test.h"

#define R 1
#define W 2
#define X 4
#define RWX 7
#define TOR 0x08
#define NA4 0x10
#define NAPOT 0x18
#define L 0x80

#define BASE 0x80100000 /* 1 MiB into memory: clear of code and data */

#define CFG(n, bits) ((bits) << (8 * (n)))
#define PMPCFG0(bits) li t6, bits; csrw pmpcfg0, t6; sfence.vma
#define PMPADDR(n, address) li t6, (address) >> 2; csrw pmpaddr##n, t6
/* Naturally aligned region of size bytes. */
#define PMPADDR_NAPOT(n, address, size) \
    li t6, (address) >> 2 | ((size) / 8 - 1); csrw pmpaddr##n, t6
#define OPEN_ALL(bits) li t6, CFG(7, bits); csrw pmpcfg2, t6; sfence.vma

#define TRY3(va, mode, load, store, fetch) \
    TRY(LOAD, va, mode, load); TRY(STORE, va, mode, store); TRY(FETCH, va, mode, fetch)
#define TRY_OK(va) TRY3(va, SUPER, 0, 0, 0); TRY3(va, USER, 0, 0, 0)
#define TRY_NONE(va) \
    TRY3(va, SUPER, CAUSE_LOAD_ACCESS, CAUSE_STORE_ACCESS, CAUSE_FETCH_ACCESS); \
    TRY3(va, USER, CAUSE_LOAD_ACCESS, CAUSE_STORE_ACCESS, CAUSE_FETCH_ACCESS)

.text
.globl test_main
test_main:
    /* memory full of ecalls, to be fetched anywhere */
    li a4, 0x0000007300000073
    li t0, BASE
    li t1, BASE + 0x8000
1:  sd a4, 0(t0)
    addi t0, t0, 8
    bne t0, t1, 1b

TEST_CASE(1) /* the registers: 54 bits of address, no reserved bits; one byte of each pmpcfg an entry */
    li t0, -1
    csrw pmpaddr15, t0
    OPEN_ALL(NAPOT | RWX)
    PMPCFG0(0)
.irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14
    li t0, 0x3fffffffffffff
    csrw pmpaddr\n, t0
    csrr t0, pmpaddr\n
    CHECK(t0, 0x3fffffffffffff)
    li t0, 0x155555 + \n
    csrw pmpaddr\n, t0
    csrr t0, pmpaddr\n
    CHECK(t0, 0x155555 + \n)
.endr
    li t0, 0x0103040507000001 /* OFF, every legal R W X */
    csrw pmpcfg0, t0
    csrr t1, pmpcfg0
    CHECK_EQ(t1, t0)
    li t0, CFG(0, NA4 | RWX) | CFG(1, TOR | R) | CFG(2, NAPOT) | CFG(3, X | NAPOT)
    csrw pmpcfg0, t0
    csrr t1, pmpcfg0
    CHECK_EQ(t1, t0)
    csrw pmpcfg0, x0
    csrr t1, pmpcfg0
    CHECK(t1, 0)

TEST_CASE(2) /* reserved bits of pmpcfg read zero; R=0 W=1 is not kept */
    /* QEMU keeps both as written, and the ten bits above an address. */
    SKIP_ON_QEMU(1f)
    li t0, -1
    csrw pmpaddr0, t0
    csrr t0, pmpaddr0
    CHECK(t0, 0x3fffffffffffff)
    li t0, CFG(0, 0x60) | CFG(1, 0x47)
    csrw pmpcfg0, t0
    csrr t1, pmpcfg0
    CHECK(t1, CFG(1, 7))
    li t0, CFG(0, W) | CFG(1, W | X)
    csrw pmpcfg0, t0
    csrr t1, pmpcfg0
    andi t2, t1, 3
    li t3, W
    CHECK_NE(t2, t3)
    srli t1, t1, 8
    andi t2, t1, 3
    li t3, W
    CHECK_NE(t2, t3)
1:  csrw pmpcfg0, x0

TEST_CASE(3) /* no entry matches: S and U may nothing, M everything */
    OPEN_ALL(0)
    /* One rule elsewhere: without any, QEMU 7.2 makes mret to S an illegal instruction. */
    PMPADDR(0, BASE + 0x7000)
    PMPCFG0(CFG(0, NA4))
    li s2, BASE
    TRY_NONE(BASE)
    ld a0, 0(s2)
    sd a0, 0(s2)
    OPEN_ALL(NAPOT | RWX)
    TRY_OK(BASE)

TEST_CASE(4) /* NAPOT: first and last doubleword inside, neighbours outside */
    OPEN_ALL(0)
    PMPCFG0(CFG(0, NAPOT | RWX))
.irp size, 8, 16, 64, 2048, 4096, 8192
    PMPADDR_NAPOT(0, BASE + 0x2000, \size)
    TRY_OK(BASE + 0x2000)
    TRY_OK(BASE + 0x2000 + \size - 8)
    TRY_NONE(BASE + 0x2000 - 8)
    TRY_NONE(BASE + 0x2000 + \size)
.endr
    PMPADDR_NAPOT(0, 0x80000000, 0x8000000)
    TRY_OK(BASE)
    li t6, -1 /* all ones: everything */
    csrw pmpaddr0, t6
    TRY_OK(BASE)

TEST_CASE(5) /* NA4 */
    PMPCFG0(CFG(0, NA4 | RWX))
    PMPADDR(0, BASE + 0x14)
    li s2, BASE + 0x10
    AS_S(lwu a0, 4(s2))
    CHECK(a0, 0x73)
    AS_U(lhu a0, 6(s2))
    CHECK(a0, 0)
    AS_U(sb x0, 7(s2))
    TRAP_AS_S(CAUSE_LOAD_ACCESS, s2, lw a0, 0(s2))
    addi s3, s2, 8
    TRAP_AS_S(CAUSE_LOAD_ACCESS, s3, lb a0, 8(s2))
    addi s3, s2, 3
    TRAP_AS_U(CAUSE_STORE_ACCESS, s3, sb x0, 3(s2))
    /* the instruction in the four bytes, and the one before */
    TRY(FETCH, BASE + 0x14, SUPER, 0)
    TRY(FETCH, BASE + 0x10, SUPER, CAUSE_FETCH_ACCESS)

TEST_CASE(6) /* TOR: from the entry below, whether that is on or off; entry 0 starts at 0 */
    PMPCFG0(CFG(1, TOR | RWX))
    PMPADDR(0, BASE + 0x1008)
    PMPADDR(1, BASE + 0x2010)
    TRY_NONE(BASE + 0x1000)
    TRY_OK(BASE + 0x1008)
    TRY_OK(BASE + 0x2008)
    TRY_NONE(BASE + 0x2010)
    PMPADDR(1, BASE + 0x1008) /* empty */
    TRY_NONE(BASE + 0x1008)
    TRY_NONE(BASE + 0x1000)
    PMPADDR(1, BASE + 0x1000) /* upside down */
    TRY_NONE(BASE + 0x1000)
    TRY_NONE(BASE + 0x1008)
    PMPCFG0(CFG(0, TOR | RWX))
    TRY_OK(BASE)
    TRY_OK(BASE + 0x1000)
    TRY_NONE(BASE + 0x1008)
    PMPCFG0(CFG(0, TOR | R) | CFG(1, TOR | RWX))
    PMPADDR(1, BASE + 0x3000)
    TRY(STORE, BASE + 0x1000, SUPER, CAUSE_STORE_ACCESS)
    TRY(LOAD, BASE + 0x1000, SUPER, 0)
    TRY_OK(BASE + 0x1008)

TEST_CASE(7) /* rights, each combination */
    PMPADDR_NAPOT(0, BASE, 4096)
.macro rights bits, load, store, fetch
    PMPCFG0(NAPOT | \bits)
    TRY3(BASE, SUPER, \load, \store, \fetch)
    TRY3(BASE + 0xff8, USER, \load, \store, \fetch)
.endm
    OPEN_ALL(NAPOT | RWX) /* lower priority: does not help */
    rights 0, CAUSE_LOAD_ACCESS, CAUSE_STORE_ACCESS, CAUSE_FETCH_ACCESS
    rights R, 0, CAUSE_STORE_ACCESS, CAUSE_FETCH_ACCESS
    rights X, CAUSE_LOAD_ACCESS, CAUSE_STORE_ACCESS, 0
    rights R|W, 0, 0, CAUSE_FETCH_ACCESS
    rights R|X, 0, CAUSE_STORE_ACCESS, 0
    rights R|W|X, 0, 0, 0
    PMPCFG0(NAPOT)
    li s2, BASE
    ld a0, 0(s2) /* M is free of entries without L */
    sd a0, 0(s2)

TEST_CASE(8) /* the lowest number wins */
    PMPCFG0(CFG(2, NAPOT | R) | CFG(5, NAPOT | RWX))
    PMPADDR_NAPOT(2, BASE + 0x100, 64)
    PMPADDR_NAPOT(5, BASE, 4096)
    TRY_OK(BASE + 0xf8)
    TRY(LOAD, BASE + 0x100, SUPER, 0)
    TRY(STORE, BASE + 0x138, SUPER, CAUSE_STORE_ACCESS)
    TRY(FETCH, BASE + 0x120, USER, CAUSE_FETCH_ACCESS)
    TRY_OK(BASE + 0x140)
    PMPCFG0(CFG(2, NAPOT | RWX) | CFG(5, NAPOT))
    TRY_OK(BASE + 0x100)
    TRY_NONE(BASE + 0xf8)
    PMPADDR_NAPOT(2, BASE, 4096)
    PMPADDR_NAPOT(5, BASE, 4096)
    TRY_OK(BASE + 0xf8)

TEST_CASE(9) /* an entry that matches a part of an access: it fails, whatever the rights */
    PMPCFG0(CFG(0, NA4 | RWX) | CFG(1, NAPOT | RWX))
    PMPADDR(0, BASE + 4)
    PMPADDR_NAPOT(1, BASE, 4096)
    TRY(LOAD, BASE, SUPER, CAUSE_LOAD_ACCESS)
    TRY(STORE, BASE, USER, CAUSE_STORE_ACCESS)
    TRY(LOAD, BASE + 8, SUPER, 0)
    li s2, BASE
    AS_S(lw a0, 0(s2))
    AS_S(lw a0, 4(s2))
    PMPADDR(0, BASE)
    TRY(LOAD, BASE, SUPER, CAUSE_LOAD_ACCESS)
    TRY(STORE, BASE, SUPER, CAUSE_STORE_ACCESS)
    /* M too */
    TRAP_AT(CAUSE_LOAD_ACCESS, s2, ld a0, 0(s2))
    TRAP_AT(CAUSE_STORE_ACCESS, s2, sd a0, 0(s2))
    lw a0, 0(s2)
    lw a0, 4(s2)

TEST_CASE(10) /* AMO, LR, SC */
    PMPCFG0(CFG(0, NAPOT | R))
    PMPADDR_NAPOT(0, BASE, 4096)
    AS_S(lr.w a0, (s2))
    TRAP_AS_S(CAUSE_STORE_ACCESS, s2, sc.w a0, x0, (s2))
    TRAP_AS_S(CAUSE_STORE_ACCESS, s2, amoadd.w a0, x0, (s2))
    PMPCFG0(CFG(0, NAPOT))
    TRAP_AS_S(CAUSE_LOAD_ACCESS, s2, lr.w a0, (s2))
    /* QEMU 7.2 calls it a load's fault. */
    SKIP_ON_QEMU_BELOW(10, 1f)
    TRAP_AS_S(CAUSE_STORE_ACCESS, s2, amoswap.w a0, x0, (s2))
1:  PMPCFG0(0)

TEST_CASE(11) /* translated: physical addresses count, a fault has the virtual one */
    la t0, root
    li t1, 0x80000000 >> 2 | 0xcf
    sd t1, 16(t0) /* 0x80000000 */
    sd t1, 24(t0) /* 0xc0000000 */
    srli t1, t0, 12
    li t2, 8 << 60
    or t1, t1, t2
    csrw satp, t1
    sfence.vma
    TRY(LOAD, BASE + 0x40000000, SUPER, 0)
    PMPCFG0(CFG(0, NAPOT | R))
    TRY(LOAD, BASE + 0x40000000, SUPER, 0)
    TRY(STORE, BASE + 0x40000008, SUPER, CAUSE_STORE_ACCESS)
    TRY(FETCH, BASE + 0x40000008, SUPER, CAUSE_FETCH_ACCESS)
    TRY(STORE, BASE + 0x40001000, SUPER, 0)

TEST_CASE(12) /* a table that may not be read: the access's own kind of access fault */
    la t0, root
    srli t0, t0, 2
    ori t0, t0, 511
    csrw pmpaddr0, t0
    PMPCFG0(CFG(0, NAPOT))
    TRY(LOAD, BASE + 0x40000000, SUPER, CAUSE_LOAD_ACCESS)
    TRY(STORE, BASE + 0x40000000, SUPER, CAUSE_STORE_ACCESS)
    TRY(FETCH, BASE + 0x40000000, SUPER, CAUSE_FETCH_ACCESS)
    /* one that may not be written: A and D cannot be set */
    SKIP_ON_QEMU_BELOW(10, 1f) /* QEMU 7.2 does not ask before it sets them */
    SET(MENVCFG, 1 << 61)
    PMPCFG0(CFG(0, NAPOT | R))
    TRY(LOAD, BASE + 0x40000000, SUPER, 0)
    la t0, root
    li t1, 0x80000000 >> 2 | 0x0f
    sd t1, 24(t0)
    sfence.vma
    TRY(LOAD, BASE + 0x40000000, SUPER, CAUSE_LOAD_ACCESS)
    TRY(STORE, BASE + 0x40000000, SUPER, CAUSE_STORE_ACCESS)
1:  PMPCFG0(0)
    csrw satp, x0
    sfence.vma

TEST_CASE(13) /* locked: binds M, and nothing of it can be changed until reset */
    PMPADDR_NAPOT(3, BASE + 0x4000, 4096)
    PMPCFG0(CFG(3, L | NAPOT | R))
    li s2, BASE + 0x4000
    ld a0, 0(s2)
    TRAP_AT(CAUSE_STORE_ACCESS, s2, sd a0, 0(s2))
    TRAP_FETCH(CAUSE_FETCH_ACCESS, s2)
    TRY3(BASE + 0x4000, SUPER, 0, CAUSE_STORE_ACCESS, CAUSE_FETCH_ACCESS)
    csrr s3, pmpcfg0
    csrr s4, pmpaddr3
    csrw pmpcfg0, x0
    csrr t0, pmpcfg0
    CHECK_EQ(t0, s3)
    li t0, CFG(3, NAPOT | RWX) | CFG(4, X) /* the others in the register are free */
    csrw pmpcfg0, t0
    csrr t0, pmpcfg0
    CHECK(t0, CFG(3, L | NAPOT | R) | CFG(4, X))
    csrw pmpaddr3, x0
    csrr t0, pmpaddr3
    CHECK_EQ(t0, s4)
    TRAP_AT(CAUSE_STORE_ACCESS, s2, sd a0, 0(s2))

TEST_CASE(14) /* a locked TOR entry locks the address below it too */
    li t6, (BASE + 0x5000) >> 2
    csrw pmpaddr9, t6
    li t6, (BASE + 0x6000) >> 2
    csrw pmpaddr10, t6
    li t6, CFG(7, NAPOT | RWX) | CFG(2, L | TOR | R)
    csrw pmpcfg2, t6
    csrw pmpaddr9, x0
    csrw pmpaddr10, x0
    csrr t0, pmpaddr9
    CHECK(t0, (BASE + 0x5000) >> 2)
    csrr t0, pmpaddr10
    CHECK(t0, (BASE + 0x6000) >> 2)
    li s2, BASE + 0x5ff8
    ld a0, 0(s2)
    TRAP_AT(CAUSE_STORE_ACCESS, s2, sd a0, 0(s2))
    sd a0, 8(s2)
    csrw pmpaddr8, x0 /* two below: free */
    csrr t0, pmpaddr8
    CHECK(t0, 0)

TEST_CASE(15) /* locked while off: cannot be turned on */
    li t6, CFG(7, NAPOT | RWX) | CFG(2, L | TOR | R) | CFG(5, L)
    csrw pmpcfg2, t6
    csrw pmpaddr13, x0
    li t6, CFG(7, NAPOT | RWX) | CFG(2, L | TOR | R) | CFG(5, L | NAPOT | RWX)
    csrw pmpcfg2, t6
    csrr t0, pmpcfg2
    CHECK(t0, CFG(7, NAPOT | RWX) | CFG(2, L | TOR | R) | CFG(5, L))
    PASS

.bss
    .balign 4096
root: .skip 4096
