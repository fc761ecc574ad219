/* Loads and stores: extension, bytes touched, misaligned and page-crossing accesses, faults. */
#include "test.h"

#define CHECK_LOAD(op, expect, offset) \
    LINE; la a0, pattern; li a1, 0x5a5a5a5a5a5a5a5a; op a1, (offset)(a0); li t6, expect; \
    bne a1, t6, fail; op a0, (offset)(a0); bne a0, t6, fail

.text
.globl test_main
test_main:
TEST_CASE(1) /* sign and zero extension; base as destination */
    CHECK_LOAD(lb, -0x10, 0)
    CHECK_LOAD(lb, 0x0f, 1)
    CHECK_LOAD(lb, 0x7f, -1)
    CHECK_LOAD(lb, -0x80, 7)
    CHECK_LOAD(lbu, 0xf0, 0)
    CHECK_LOAD(lbu, 0x80, 7)
    CHECK_LOAD(lbu, 0x7f, -1)
    CHECK_LOAD(lh, 0x0ff0, 0)
    CHECK_LOAD(lh, -0x7ffd, 6)
    CHECK_LOAD(lh, 0x7f01, -2)
    CHECK_LOAD(lhu, 0x8003, 6)
    CHECK_LOAD(lhu, 0x0ff0, 0)
    CHECK_LOAD(lw, 0xff0f0ff0 - (1 << 32), 0)
    CHECK_LOAD(lw, 0xffffffff80031234, 4)
    CHECK_LOAD(lwu, 0xff0f0ff0, 0)
    CHECK_LOAD(lwu, 0x80031234, 4)
    CHECK_LOAD(lw, 0x7f010203, -4)
    CHECK_LOAD(ld, 0x80031234ff0f0ff0, 0)
    CHECK_LOAD(ld, 0x7f01020355667788, -8)

TEST_CASE(2) /* the full range of the offset */
    la a0, pattern - 2047
    ld a1, 2047(a0)
    CHECK(a1, 0x80031234ff0f0ff0)
    la a0, pattern + 2048
    ld a1, -2048(a0)
    CHECK(a1, 0x80031234ff0f0ff0)
    la a0, area + 2048
    li a1, 0x1122334455667788
    sd a1, -2048(a0)
    CHECK_MEM(area, 0x1122334455667788)
    la a0, area - 2047
    sb x0, 2047(a0)
    CHECK_MEM(area, 0x1122334455667700)

TEST_CASE(3) /* a load to x0 */
    la a0, pattern
    lb x0, 0(a0)
    lw x0, 0(a0)
    ld x0, 0(a0)
    mv a1, x0
    CHECK(a1, 0)

TEST_CASE(4) /* stores touch their own bytes only; base and source the same register */
    la a0, area
    li a1, 0x1122334455667788
#define CHECK_STORE(op, expect, offset) li a2, -1; sd a2, 0(a0); op a1, offset(a0); CHECK_MEM(area, expect)
    CHECK_STORE(sb, 0xffffffffffffff88, 0)
    CHECK_STORE(sb, 0xffffffffff88ffff, 2)
    CHECK_STORE(sb, 0x88ffffffffffffff, 7)
    CHECK_STORE(sh, 0xffffffffffff7788, 0)
    CHECK_STORE(sh, 0x7788ffffffffffff, 6)
    CHECK_STORE(sw, 0xffffffff55667788, 0)
    CHECK_STORE(sw, 0x55667788ffffffff, 4)
    CHECK_STORE(sd, 0x1122334455667788, 0)
    CHECK_STORE(sh, 0xffffff7788ffffff, 3)
    CHECK_STORE(sw, 0xff55667788ffffff, 3)
    li a2, -1
    sd a2, 0(a0)
    sd a0, 0(a0)
    ld a1, 0(a0)
    CHECK_EQ(a0, a1)
    sw a0, 4(a0)
    lw a1, 4(a0)
    sext.w a2, a0
    CHECK_EQ(a1, a2)

TEST_CASE(5) /* store to load forwarding of other widths */
    la a0, area
    li a1, 0x8182838485868788
    sd a1, 0(a0)
    lb a2, 3(a0)
    CHECK(a2, -0x7b)
    lhu a2, 5(a0)
    CHECK(a2, 0x8283)
    sb x0, 3(a0)
    ld a2, 0(a0)
    CHECK(a2, 0x8182838400868788)
    sh x0, 6(a0)
    lw a2, 4(a0)
    CHECK(a2, 0x8384)

/* Every misaligned load and store around one address, against single bytes. */
.macro misaligned_at where
    la s2, \where - 8
    li s3, 0
100:
    LINE
    add s4, s2, s3
    /* a0: the eight bytes at s4, read singly */
    li a0, 0
    li a1, 7
101:
    slli a0, a0, 8
    add a2, s4, a1
    lbu a2, 0(a2)
    or a0, a0, a2
    addi a1, a1, -1
    bgez a1, 101b
    ld a3, 0(s4)
    CHECK_EQ(a3, a0)
    lwu a3, 0(s4)
    zext.w a4, a0
    CHECK_EQ(a3, a4)
    lw a3, 0(s4)
    sext.w a4, a0
    CHECK_EQ(a3, a4)
    lhu a3, 0(s4)
    zext.h a4, a0
    CHECK_EQ(a3, a4)
    lh a3, 0(s4)
    sext.h a4, a0
    CHECK_EQ(a3, a4)
    fld fa0, 0(s4)
    fmv.x.d a3, fa0
    CHECK_EQ(a3, a0)
    flw fa0, 0(s4)
    fmv.x.w a3, fa0
    sext.w a4, a0
    CHECK_EQ(a3, a4)
    addi s3, s3, 1
    li a1, 9
    bne s3, a1, 100b
    /* Stores of each width: the bytes stored and both neighbours. */
    li s3, 0
102:
    add s4, s2, s3
.irp width, 2, 4, 8
    li a0, 0x91a2b3c4d5e6f708
    li a1, 0x3c
    sb a1, -1(s4)
    sb a1, \width(s4)
.if \width == 2
    sh a0, 0(s4)
.elseif \width == 4
    sw a0, 0(s4)
.else
    sd a0, 0(s4)
.endif
    lbu a2, -1(s4)
    CHECK(a2, 0x3c)
    lbu a2, \width(s4)
    CHECK(a2, 0x3c)
    li a3, 0
103:
    add a2, s4, a3
    lbu a2, 0(a2)
    andi a4, a0, 255
    CHECK_EQ(a2, a4)
    srli a0, a0, 8
    addi a3, a3, 1
    li a4, \width
    bne a3, a4, 103b
.endr
    li a0, 0x1827364554637281
    fmv.d.x fa0, a0
    fsd fa0, 0(s4)
    ld a1, 0(s4)
    CHECK_EQ(a0, a1)
    fsw fa0, 2(s4)
    lw a1, 2(s4)
    CHECK(a1, 0x54637281)
    addi s3, s3, 1
    li a1, 9
    bne s3, a1, 102b
.endm

TEST_CASE(6) /* misaligned within a page */
    misaligned_at area + 64
TEST_CASE(7) /* across a cache block */
    misaligned_at area + 128
TEST_CASE(8) /* across a page boundary */
    misaligned_at page_boundary
TEST_CASE(9) /* again, with both pages known */
    misaligned_at page_boundary

TEST_CASE(10) /* nothing answers: access faults; registers keep their value */
    li s2, 0
    li a1, 0x1234
    TRAP_AT(CAUSE_LOAD_ACCESS, s2, lb a1, 0(s2))
    TRAP_AT(CAUSE_LOAD_ACCESS, s2, ld a1, 0(s2))
    TRAP_AT(CAUSE_LOAD_ACCESS, s2, ld x0, 0(s2))
    TRAP_AT(CAUSE_LOAD_ACCESS, s2, lw s2, 0(s2))
    TRAP_AT(CAUSE_STORE_ACCESS, s2, sb a1, 0(s2))
    TRAP_AT(CAUSE_STORE_ACCESS, s2, sd a1, 0(s2))
    /* QEMU 7.2 calls an AMO's fault a load's. */
    SKIP_ON_QEMU_BELOW(10, 1f)
    TRAP_AT(CAUSE_STORE_ACCESS, s2, amoadd.w a1, a1, (s2))
1:
    TRAP_AT(CAUSE_LOAD_ACCESS, s2, lr.w a1, (s2))
    TRAP_AT(CAUSE_LOAD_ACCESS, s2, fld fa0, 0(s2))
    CHECK(a1, 0x1234)
    CHECK(s2, 0)
    TRAP_FETCH(CAUSE_FETCH_ACCESS, s2)
    li s2, 0x1000000000000000 /* above any physical address */
    TRAP_AT(CAUSE_LOAD_ACCESS, s2, ld a1, 0(s2))
    TRAP_AT(CAUSE_STORE_ACCESS, s2, sd a1, 0(s2))
    TRAP_FETCH(CAUSE_FETCH_ACCESS, s2)
    li s2, -8
    TRAP_AT(CAUSE_LOAD_ACCESS, s2, ld a1, 0(s2))

TEST_CASE(11) /* the end of memory (128 MiB): the part that faults is named */
    li s2, 0x88000000
    TRAP_AT(CAUSE_LOAD_ACCESS, s2, lbu a1, 0(s2))
    TRAP_AT(CAUSE_STORE_ACCESS, s2, sd a1, 0(s2))
    TRAP_AT(CAUSE_LOAD_ACCESS, s2, ld a1, -4(s2))
    TRAP_AT(CAUSE_LOAD_ACCESS, s2, lhu a1, -1(s2))
    TRAP_AT(CAUSE_STORE_ACCESS, s2, sd a1, -4(s2))
    ld a1, -8(s2)

TEST_CASE(12) /* LOAD and STORE on devices: narrow reads of the CLINT agree with wide ones */
    li s2, CLINT_MTIMECMP
    li a0, 0x1122334455667788
    sd a0, 0(s2)
    lwu a1, 0(s2)
    CHECK(a1, 0x55667788)
    lw a1, 4(s2)
    CHECK(a1, 0x11223344)
    li a0, -1
    sw a0, 4(s2)
    ld a1, 0(s2)
    CHECK(a1, 0xffffffff55667788)
    sd a0, 0(s2)
    PASS

.data
.balign 8
    .quad 0x7f01020355667788
pattern:
    .quad 0x80031234ff0f0ff0
    .quad 0
.balign 4096
    .skip 2048
area:
    .skip 2048 - 32
    .quad 0x0102030405060708, 0x1112131415161718, 0x2122232425262728, 0x3132333435363738
page_boundary:
    .quad 0x4142434445464748, 0x5152535455565758, 0x6162636465666768, 0x7172737475767778
    .skip 64
