/*
 * Page tables for paging.S and paging_modes.S. Most accesses are made from M-mode with MPRV; fetches by mret
 * into the page, which begins with an ecall. Window: 0x40000000 + n * 4 KiB is entry n of `level0` under `root`,
 * or of `other0` under `other_root`.
 */
#ifndef PAGING_H
#define PAGING_H

#include "test.h"

#define V 1
#define R 2
#define W 4
#define X 8
#define U 16
#define G 32
#define A 64
#define D 128
#define ALL_RIGHTS (V | R | W | X | A | D)

#define WINDOW 0x40000000
#define MEGA 0x40200000 /* entry 1 of level1 */

/* An entry of a table in memory: where it points (a symbol), its flags. Fences. */
#define PTE(table, index, target, flags) \
    la t5, target; srli t5, t5, 2; li t6, flags; or t5, t5, t6; \
    la t6, table + 8 * (index); sd t5, 0(t6); sfence.vma
/* The same with the bits given. */
#define PTE_RAW(table, index, bits) \
    li t5, bits; la t6, table + 8 * (index); sd t5, 0(t6); sfence.vma
#define CHECK_PTE_FLAGS(table, index, flags) \
    LINE; la t5, table + 8 * (index); ld t5, 0(t5); andi t5, t5, 0x3ff; li t6, flags; bne t5, t6, fail
#define SATP(mode, asid, root) \
    la t5, root; srli t5, t5, 12; li t6, (mode) << 60 | (asid) << 44; or t5, t5, t6; \
    csrw satp, t5; sfence.vma

/* All three kinds, from S. */
#define TRY_ALL_FAULT(va) \
    TRY(LOAD, va, SUPER, CAUSE_LOAD_PAGE); TRY(STORE, va, SUPER, CAUSE_STORE_PAGE); \
    TRY(FETCH, va, SUPER, CAUSE_FETCH_PAGE)
#define TRY_ALL_OK(va) \
    TRY(LOAD, va, SUPER, 0); CHECK_EQ(a3, s2); TRY(STORE, va, SUPER, 0); TRY(FETCH, va, SUPER, 0)

/* The tables, and pages told apart by their second doubleword; the first is fetched as an ecall. */
.data
    .balign 4096
page_a:
    .quad 0x5a5a5a5a00000073, 0xa1 /* ecall */
    .balign 4096
page_b:
    .quad 0x5b5b5b5b00000073, 0xb1
    .balign 4096
page_c:
    .half 0
    .balign 4096

.bss
    .balign 4096
root: .skip 4096
level1: .skip 4096
level0: .skip 4096
other_root: .skip 4096
other1: .skip 4096
other0: .skip 4096
root48: .skip 4096
root57: .skip 4096

#endif
