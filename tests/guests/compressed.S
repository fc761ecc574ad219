/* RV64C: every instruction, hints, reserved encodings, and code that is only 2-byte aligned. */
#include "test.h"

.text
.globl test_main
test_main:
.option rvc
TEST_CASE(1) /* c.li, c.addi, c.addiw, c.lui, c.mv, c.add, c.nop */
    c.li a0, 31
    CHECK(a0, 31)
    c.li a0, -32
    CHECK(a0, -32)
    c.li t6, 0
    CHECK(t6, 0)
    li a0, 0x7fffffff
    c.addi a0, 1
    CHECK(a0, 0x80000000)
    c.addi a0, -32
    CHECK(a0, 0x7fffffe0)
    c.addi a0, 31
    CHECK(a0, 0x7fffffff)
    c.addiw a0, 1
    CHECK(a0, 0xffffffff80000000)
    c.addiw a0, -1
    CHECK(a0, 0x7fffffff)
    li a0, 0x1280000000
    c.addiw a0, 0
    CHECK(a0, 0xffffffff80000000)
    c.lui a0, 1
    CHECK(a0, 0x1000)
    c.lui a0, 31
    CHECK(a0, 0x1f000)
    c.lui s11, 0xfffff
    CHECK(s11, 0xfffffffffffff000)
    c.lui a0, 0xfffe0
    CHECK(a0, 0xfffffffffffe0000)
    li t3, 0x123456789
    c.mv a5, t3
    CHECK(a5, 0x123456789)
    c.add a5, t3
    CHECK(a5, 0x2468acf12)
    c.add a5, a5
    CHECK(a5, 0x48d159e24)
    c.nop

TEST_CASE(2) /* c.addi16sp, c.addi4spn */
    mv s1, sp
    la sp, area + 1024
    c.addi4spn a0, sp, 4
    CHECK_SYM(a0, area + 1028)
    c.addi4spn s0, sp, 1020
    CHECK_SYM(s0, area + 2044)
    c.addi4spn a5, sp, 8
    CHECK_SYM(a5, area + 1032)
    c.addi4spn a5, sp, 64
    CHECK_SYM(a5, area + 1088)
    c.addi16sp sp, 16
    CHECK_SYM(sp, area + 1040)
    c.addi16sp sp, 496
    CHECK_SYM(sp, area + 1536)
    c.addi16sp sp, -512
    CHECK_SYM(sp, area + 1024)
    c.addi16sp sp, 32
    CHECK_SYM(sp, area + 1056)
    mv sp, s1

TEST_CASE(3) /* shifts, c.andi */
    li a0, 0x8000000000000001
    c.slli a0, 1
    CHECK(a0, 2)
    c.slli a0, 62
    CHECK(a0, 0x8000000000000000)
    c.srai a0, 31
    CHECK(a0, 0xffffffff00000000)
    c.srai a0, 32
    CHECK(a0, -1)
    c.srli a0, 63
    CHECK(a0, 1)
    c.slli a0, 32
    CHECK(a0, 0x100000000)
    c.srli a0, 32
    CHECK(a0, 1)
    li t5, 3
    c.slli t5, 33
    CHECK(t5, 0x600000000)
    li s0, 0x123456789abcdeff
    c.andi s0, -1
    CHECK(s0, 0x123456789abcdeff)
    c.andi s0, -32
    CHECK(s0, 0x123456789abcdee0)
    c.andi s0, 31
    CHECK(s0, 0)

TEST_CASE(4) /* c.sub, c.xor, c.or, c.and, c.subw, c.addw */
    li a0, 0x00ff00ff80000000
    li a1, 0x0ff00ff000000001
    mv a2, a0
    c.sub a2, a1
    CHECK(a2, 0xf10ef10f7fffffff)
    mv a2, a0
    c.xor a2, a1
    CHECK(a2, 0x0f0f0f0f80000001)
    mv a2, a0
    c.or a2, a1
    CHECK(a2, 0x0fff0fff80000001)
    mv a2, a0
    c.and a2, a1
    CHECK(a2, 0x00f000f000000000)
    mv a2, a0
    c.subw a2, a1
    CHECK(a2, 0x7fffffff)
    mv a2, a0
    c.addw a2, a1
    CHECK(a2, 0xffffffff80000001)
    c.sub a2, a2
    CHECK(a2, 0)
    c.xor a1, a1
    CHECK(a1, 0)

TEST_CASE(5) /* loads and stores, smallest and largest offsets */
    la a0, area
    li a1, 0x8182838485868788
    li a2, 0x0102030495969798
    c.sd a1, 0(a0)
    c.sd a2, 248(a0)
    CHECK_MEM(area, 0x8182838485868788)
    CHECK_MEM(area + 248, 0x0102030495969798)
    c.ld a3, 248(a0)
    CHECK_EQ(a3, a2)
    c.lw a3, 0(a0)
    CHECK(a3, 0xffffffff85868788)
    c.lw a3, 124(a0)
    CHECK(a3, 0)
    c.sw a2, 124(a0)
    c.sw a2, 4(a0)
    CHECK_MEM(area, 0x9596979885868788)
    CHECK_MEM(area + 120, 0x9596979800000000)
    c.sw a2, 64(a0)
    c.lw s1, 64(a0)
    CHECK(s1, 0xffffffff95969798)
    c.ld a0, 0(a0)
    CHECK(a0, 0x9596979885868788)
    la a0, area
    c.fld fa0, 248(a0)
    fmv.x.d a3, fa0
    CHECK_EQ(a3, a2)
    c.fsd fa0, 8(a0)
    CHECK_MEM(area + 8, 0x0102030495969798)
    c.fld fs1, 8(a0)
    fmv.x.d a3, fs1
    CHECK_EQ(a3, a2)

TEST_CASE(6) /* stack-relative */
    mv s1, sp
    la sp, area
    c.sdsp a1, 504(sp)
    c.swsp a1, 252(sp)
    c.sdsp a2, 0(sp)
    CHECK_MEM(area + 504, 0x8182838485868788)
    CHECK_MEM(area + 248, 0x8586878895969798)
    c.ldsp t3, 504(sp)
    CHECK_EQ(t3, a1)
    c.lwsp t3, 252(sp)
    CHECK(t3, 0xffffffff85868788)
    c.ldsp s11, 0(sp)
    CHECK_EQ(s11, a2)
    c.fldsp ft11, 504(sp)
    fmv.x.d a3, ft11
    CHECK_EQ(a3, a1)
    c.fsdsp ft11, 256(sp)
    CHECK_MEM(area + 256, 0x8182838485868788)
    c.fsdsp ft11, 8(sp)
    CHECK_MEM(area + 8, 0x8182838485868788)
    c.swsp x0, 8(sp)
    CHECK_MEM(area + 8, 0x8182838400000000)
    c.ldsp sp, 0(sp)
    mv a4, sp
    mv sp, s1
    CHECK_EQ(a4, a2)

TEST_CASE(7) /* jumps and branches, links of both sizes */
    LINE
    c.j 2f
1:  c.j 3f
    j fail
2:  c.j 1b
    j fail
3:  la a0, 5f
    c.jalr a0
4:  j fail
5:  la a1, 4b
    CHECK_EQ(ra, a1)
    sub a2, a1, a1
    LINE
    la a0, 6f
    li ra, 1
    c.jr a0
    j fail
6:  CHECK(ra, 1)
    LINE
    la ra, 8f
    c.jalr ra
7:  j fail
8:  la a1, 7b
    CHECK_EQ(ra, a1)
    LINE
    c.li a0, 0
    c.beqz a0, 10f
9:  j fail
10: c.bnez a0, 9b
    c.li a0, 1
    c.beqz a0, 9b
    c.bnez a0, 12f
11: j fail
12: slli a0, a0, 63
    c.beqz a0, 11b
    c.bnez a0, 13f
    j fail
13: CHECK(a0, 0x8000000000000000)

TEST_CASE(8) /* the reach of c.j, c.beqz, c.bnez: forwards, then backwards to a c.jr that leaves */
.macro reach forward, backward, distance
    LINE
    la a1, 3f
    j 1f
    c.jr a1
1:  .half \forward
    .skip \distance - 2 /* zeroes: illegal */
    .half \backward
3:
.endm
    reach 0xaffd, 0xb001, 2046 /* c.j . + 2046, c.j . - 2048 */
    li a0, 0
    reach 0xcd7d, 0xd101, 254 /* c.beqz a0, . + 254, . - 256 */
    li a0, 1
    reach 0xed7d, 0xf101, 254 /* c.bnez */
    /* each bit of an offset by itself */
.macro jump insn, distance
    LINE
    .half \insn
    .skip \distance - 2
.endm
    jump 0xa011, 4
    jump 0xa021, 8
    jump 0xa801, 16
    jump 0xa005, 32
    jump 0xa081, 64
    jump 0xa041, 128
    jump 0xa201, 256
    jump 0xa401, 512
    jump 0xa101, 1024
    jump 0xe111, 4
    jump 0xe501, 8
    jump 0xe901, 16
    jump 0xe105, 32
    jump 0xe121, 64
    jump 0xe141, 128

TEST_CASE(9) /* reserved encodings: illegal, two bytes in mtval */
    TRAP_ILLEGAL(.half 0x0000)
    TRAP_ILLEGAL(.half 0x0004) /* c.addi4spn by 0 */
    TRAP_ILLEGAL(.half 0x001c)
    TRAP_ILLEGAL(.half 0x8000) /* quadrant 0, funct3 4: no Zcb */
    TRAP_ILLEGAL(.half 0x8c00)
    TRAP_ILLEGAL(.half 0x2001) /* c.addiw with rd 0 */
    TRAP_ILLEGAL(.half 0x2005)
    TRAP_ILLEGAL(.half 0x6101) /* c.addi16sp by 0 */
    TRAP_ILLEGAL(.half 0x6501) /* c.lui 0 */
    TRAP_ILLEGAL(.half 0x9c41) /* quadrant 1, after c.addw */
    TRAP_ILLEGAL(.half 0x9c61)
    TRAP_ILLEGAL(.half 0x4002) /* c.lwsp with rd 0 */
    TRAP_ILLEGAL(.half 0x6002) /* c.ldsp with rd 0 */
    TRAP_ILLEGAL(.half 0x8002) /* c.jr with rs1 0 */

TEST_CASE(10) /* hints do nothing */
    li a0, 0x55
    .half 0x0005 /* c.nop 1 */
    .half 0x0501 /* c.addi a0, 0 */
    .half 0x4005 /* c.li x0, 1 */
    .half 0x6005 /* c.lui x0, 1 */
    .half 0x802a /* c.mv x0, a0 */
    .half 0x902a /* c.add x0, a0 */
    .half 0x0006 /* c.slli x0, 1 */
    .half 0x0502 /* c.slli a0, 0 */
    .half 0x8101 /* c.srli a0, 0 */
    .half 0x8501 /* c.srai a0, 0 */
    CHECK(a0, 0x55)
    mv a1, x0
    CHECK(a1, 0)

TEST_CASE(11) /* c.ebreak */
    /* mtval: the pc, or zero; both are allowed */
    LINE
    TRAP_ARM(91f)
90: c.ebreak
    j fail
91: TRAP_CHECK(CAUSE_BREAKPOINT, 90b, 3)
    beqz t4, 1f
    la t5, 90b
    bne t4, t5, fail
1:

TEST_CASE(12) /* 4-byte instructions at 2-byte addresses, reached by every kind of jump */
    .balign 4
    c.nop
1:
.option norvc
    li a0, 0x12345678
    lui a1, 0x12345
    addi a1, a1, 0x678
    CHECK_EQ(a0, a1)
    jal ra, 3f
2:  j 4f
3:  la a0, 2b
    CHECK_EQ(ra, a0)
    jalr ra, 0(ra)
    j fail
4:  la a0, 5f
    jr a0
    j fail
.option rvc
    c.nop
.option norvc
5:  li a0, 4
    beq a0, a0, 6f
    j fail
.option rvc
    c.nop
    c.nop
    c.nop
.option norvc
6:  la a0, 7f + 1
    jalr ra, 0(a0) /* bit 0 is cleared, bit 1 stays */
    j fail
.option rvc
    c.nop
.option norvc
7:

TEST_CASE(13) /* traps of 2-byte aligned instructions: mepc, and mret back */
.option rvc
    .balign 4
    c.nop
    TRAP(CAUSE_ECALL_M, 0, ecall)
    .balign 4
    c.nop
    li a0, -8
    TRAP_AT(CAUSE_LOAD_ACCESS, a0, c.ld a1, 0(a0))
    la a0, 1f
    csrw mepc, a0
    li a1, MSTATUS_MPP
    csrs mstatus, a1
    mret
    j fail
    .balign 4
    c.nop
1:  csrr a1, mepc
    CHECK_EQ(a0, a1)

TEST_CASE(14) /* a 4-byte instruction across a page boundary */
    LINE
    li a0, 1
    li a2, 0
    j cross_1
back_1:
    CHECK(a0, 0x124)
    la a1, cross_1_insn
    li a0, 5
    jr a1
back_2:
    CHECK(a0, 0x128)
    LINE
    li a2, 2
    la a1, cross_2_insn
    jr a1
back_3:
    la a1, cross_2_insn + 4
    CHECK_EQ(ra, a1)
    j finish

    .balign 4096
    .skip 4096 - 2 - 4
cross_1:
    c.nop
    c.nop
cross_1_insn:
.option norvc
    addi a0, a0, 0x123
.option rvc
    bnez a2, fail
    addi a2, a2, 1
    li a3, 0x124
    bne a0, a3, 1f
    li a2, 0
    la a1, back_1
    jr a1
1:  la a1, back_2
    jr a1
    .balign 4096
    .skip 4094
cross_2_insn:
.option norvc
    jal ra, 1f
    j fail
1:  la a1, back_3
    jr a1
finish:
    PASS

.bss
.balign 16
area: .skip 4096
