/* The A extension: every AMO in both widths, LR/SC rules, misaligned addresses. */
#include "test.h"

/* Memory before and the operand; the doubleword after and rd. All four orderings. */
#define AMO(op, after, rd, before, operand) \
    LINE; li a0, before; li a1, operand; li a4, after; li a5, rd; \
    AMO_TRY(op); AMO_TRY(op.aq); AMO_TRY(op.rl); AMO_TRY(op.aqrl); \
    sd a0, 0(s3); mv a2, a1; op a2, a2, (s3); bne a2, a5, fail; ld a3, 0(s3); bne a3, a4, fail; \
    sd a0, 0(s3); op x0, a1, (s3); mv a2, x0; bnez a2, fail; ld a3, 0(s3); bne a3, a4, fail; \
    sd a0, 0(s3); mv a2, s3; op a2, a1, (a2); bne a2, a5, fail; ld a3, 0(s3); bne a3, a4, fail
#define AMO_TRY(op) \
    sd a0, 0(s3); op a2, a1, (s3); bne a2, a5, fail; ld a3, 0(s3); bne a3, a4, fail

.text
.globl test_main
test_main:
    la s3, area
#include "amo_cases.inc"

TEST_CASE(20) /* the word at offset 4 changes alone */
    li a0, 0x1111111122222222
    sd a0, 0(s3)
    addi a1, s3, 4
    li a2, 0x80000001
    amoadd.w a3, a2, (a1)
    CHECK(a3, 0x11111111)
    ld a3, 0(s3)
    CHECK(a3, 0x9111111222222222)
    amoswap.w a3, x0, (a1)
    CHECK(a3, 0xffffffff91111112)
    ld a3, 0(s3)
    CHECK(a3, 0x22222222)
    /* the address register as operand */
    amoswap.d a3, s3, (s3)
    CHECK(a3, 0x22222222)
    ld a3, 0(s3)
    CHECK_EQ(a3, s3)

/*
 * A lone hart's LR/SC pair may fail for reasons of its own, but not for ever: a few attempts
 * are allowed where it must succeed.
 */
.macro lr_sc width, lr_suffix, sc_suffix
    li s5, 100
110:
    addi s5, s5, -1
    LINE
    bltz s5, fail
    lr.\width\lr_suffix a2, (s3)
    addi a3, a2, 1
    sc.\width\sc_suffix a4, a3, (s3)
    bnez a4, 110b
.endm

TEST_CASE(21) /* LR sign-extends, SC writes its width and gives 0 */
    li a0, 0x11111111f0000000
    sd a0, 0(s3)
    lr_sc w
    CHECK(a2, 0xfffffffff0000000)
    CHECK(a4, 0)
    CHECK_MEM(area, 0x11111111f0000001)
    lr_sc d
    CHECK(a2, 0x11111111f0000001)
    CHECK_MEM(area, 0x11111111f0000002)
    lr_sc w, .aq, .rl
    lr_sc d, .aq, .rl
    lr_sc w, .aqrl, .aqrl
    lr_sc d, .aqrl, .aqrl
    CHECK_MEM(area, 0x11111111f0000006)

TEST_CASE(22) /* an SC without a reservation fails, gives a nonzero code, writes nothing */
    sd x0, 0(s3)
    lr_sc d /* whatever came of it, SC ends the reservation */
    li a0, 77
    sc.d a1, a0, (s3)
    CHECK_NE(a1, x0)
    CHECK_MEM(area, 1)
    sc.w a1, a0, (s3)
    CHECK_NE(a1, x0)
    CHECK_MEM(area, 1)
    /* rd == rs2, rd == rs1 */
    mv a1, a0
    sc.d a1, a1, (s3)
    CHECK_NE(a1, a0)
    CHECK_NE(a1, x0)
    mv a1, s3
    sc.d a1, a0, (a1)
    CHECK_NE(a1, s3)
    CHECK_NE(a1, x0)
    CHECK_MEM(area, 1)
    sc.d x0, a0, (s3)
    mv a1, x0
    CHECK(a1, 0)
    CHECK_MEM(area, 1)

TEST_CASE(23) /* an SC elsewhere fails and ends the reservation */
    sd x0, 0(s3)
    la s4, other
    sd x0, 0(s4)
    li a0, 5
    lr.d a1, (s3)
    sc.d a2, a0, (s4)
    CHECK_NE(a2, x0)
    sc.d a2, a0, (s3)
    CHECK_NE(a2, x0)
    CHECK_MEM(area, 0)
    CHECK_MEM(other, 0)

TEST_CASE(24) /* the newest LR counts */
    li a0, 9
    lr.d a1, (s3)
    lr.d a1, (s4)
    sc.d a2, a0, (s3)
    CHECK_NE(a2, x0)
    CHECK_MEM(area, 0)
    li s5, 100
1:  addi s5, s5, -1
    LINE
    bltz s5, fail
    lr.d a1, (s3)
    lr.d a1, (s4)
    sc.d a2, a0, (s4)
    bnez a2, 1b
    CHECK_MEM(other, 9)
    CHECK_MEM(area, 0)

TEST_CASE(25) /* LR with the address as destination; LR to x0 still reserves */
    li s5, 100
1:  addi s5, s5, -1
    LINE
    bltz s5, fail
    sd x0, 0(s3)
    mv a0, s3
    lr.d a0, (a0)
    bnez a0, fail
    li a1, 3
    sc.d a2, a1, (s3)
    bnez a2, 1b
    CHECK_MEM(area, 3)
    li s5, 100
2:  addi s5, s5, -1
    LINE
    bltz s5, fail
    lr.d x0, (s3)
    li a1, 4
    sc.d a2, a1, (s3)
    bnez a2, 2b
    CHECK_MEM(area, 4)

TEST_CASE(26) /* misaligned AMOs trap, address in mtval, nothing written */
    li a0, 0x123456789abcdef0
    sd a0, 0(s3)
    sd a0, 8(s3)
    /* QEMU 7.2 calls a misaligned AMO a misaligned load. */
    SKIP_ON_QEMU_BELOW(10, misaligned_amo_end)
    li a1, -1
.macro misaligned_amo op
.irp o, 1, 2, 3, 5, 6, 7
    addi s4, s3, \o
    TRAP_AT(CAUSE_STORE_MISALIGNED, s4, \op\().w a1, a1, (s4))
    TRAP_AT(CAUSE_STORE_MISALIGNED, s4, \op\().d a1, a1, (s4))
.endr
    addi s4, s3, 4
    TRAP_AT(CAUSE_STORE_MISALIGNED, s4, \op\().d a1, a1, (s4))
.endm
    misaligned_amo amoswap
    misaligned_amo amoadd
    misaligned_amo amomaxu
    CHECK(a1, -1)
    CHECK_MEM(area, 0x123456789abcdef0)
    CHECK_MEM(area + 8, 0x123456789abcdef0)

misaligned_amo_end:
TEST_CASE(27) /* misaligned LR: a load; misaligned SC: a store, reservation or not */
.irp o, 1, 2, 3, 5, 6, 7
    addi s4, s3, \o
    TRAP_AT(CAUSE_LOAD_MISALIGNED, s4, lr.w a1, (s4))
    TRAP_AT(CAUSE_LOAD_MISALIGNED, s4, lr.d a1, (s4))
.endr
    addi s4, s3, 4
    TRAP_AT(CAUSE_LOAD_MISALIGNED, s4, lr.d a1, (s4))
    /* QEMU 7.2 compares the address with the reservation first, and lets such an SC fail quietly. */
    SKIP_ON_QEMU_BELOW(10, 1f)
    TRAP_AT(CAUSE_STORE_MISALIGNED, s4, sc.d a2, a1, (s4))
    lr.d a1, (s3)
    addi s4, s3, 2
    TRAP_AT(CAUSE_STORE_MISALIGNED, s4, sc.w a2, a1, (s4))
1:

TEST_CASE(28) /* LR has no rs2, and there are no other widths */
    TRAP_ILLEGAL(.word 0x1005252f | 1 << 20) /* lr.w with rs2 */
    TRAP_ILLEGAL(.word 0x1005352f | 3 << 20)
    TRAP_ILLEGAL(.word 0x0005052f) /* amoadd.b, amoadd.h: no Zabha */
    TRAP_ILLEGAL(.word 0x0005152f)
    TRAP_ILLEGAL(.word 0x2805252f) /* amocas.w: no Zacas */
    TRAP_ILLEGAL(.word 0x3805252f)

TEST_CASE(29) /* a lock taken and given back */
    sd x0, 0(s3)
    li a0, 1
    amoswap.w.aq a1, a0, (s3)
    CHECK(a1, 0)
    amoswap.w.aq a1, a0, (s3)
    CHECK(a1, 1)
    amoswap.w.rl x0, x0, (s3)
    amoswap.w.aq a1, a0, (s3)
    CHECK(a1, 0)
    PASS

.bss
.balign 64
area: .skip 64
.balign 4096
other: .skip 64
