/* Two harts (-smp 2): wake by msip, shared counters by AMO and by LR/SC, messages both ways. */
#include "test.h"

#define ROUNDS 2000

.text
.globl test_main
test_main:
    li s2, CLINT_MSIP
TEST_CASE(1) /* hart 1 says that it is there, and sleeps until its msip */
    la s3, present
1:  lw t0, 0(s3)
    beqz t0, 1b
    fence
    CHECK_MEM(hart_number, 1)
    CHECK_MEM(boot_a0, 1)
    la t0, boot_a1
    ld t0, 0(t0)
    CHECK_EQ(t0, s1) /* both were given the same tree */
    li t0, 1
    sw t0, 4(s2)
    la s4, awake
2:  lw t0, 0(s4)
    beqz t0, 2b
    fence
    lw t0, 4(s2) /* hart 1 cleared its own */
    CHECK(t0, 0)
    lw t0, 0(s2)
    CHECK(t0, 0)
    CHECK_MEM(wake_cause, INTERRUPT | 3)

TEST_CASE(2) /* one counter, both harts adding by AMO */
    la s5, counter
    li s6, ROUNDS
    li t1, 1
1:  amoadd.d x0, t1, (s5)
    addi s6, s6, -1
    bnez s6, 1b
    la s7, done
2:  lw t0, 0(s7)
    li t1, 1
    bne t0, t1, 2b
    fence
    CHECK_MEM(counter, 2 * ROUNDS)

TEST_CASE(3) /* the same by LR/SC */
    la s5, counter_lrsc
    li s6, ROUNDS
    li t0, 1
    la t1, go
    fence
    sw t0, 0(t1)
1:  lr.w t0, (s5)
    addi t0, t0, 1
    sc.w t1, t0, (s5)
    bnez t1, 1b
    addi s6, s6, -1
    bnez s6, 1b
2:  lw t0, 0(s7)
    li t1, 2
    bne t0, t1, 2b
    fence
    CHECK_MEM(counter_lrsc, 2 * ROUNDS)

TEST_CASE(4) /* a lock around an unprotected counter */
    li t0, 2
    la t1, go
    fence
    sw t0, 0(t1)
    li a0, ROUNDS
    jal ra, count_locked
3:  lw t0, 0(s7)
    li t1, 3
    bne t0, t1, 3b
    fence
    CHECK_MEM(counter_locked, 2 * ROUNDS)

TEST_CASE(5) /* a store by the other hart between LR and SC: SC fails */
    /* QEMU compares values, so the other hart writes another one. */
    li t0, 3
    la t1, go
    la s5, counter
    sd x0, 0(s5)
    lr.d a0, (s5)
    fence
    sw t0, 0(t1)
1:  lw t0, 0(s7)
    li t1, 4
    bne t0, t1, 1b
    li a1, 55
    sc.d a0, a1, (s5)
    CHECK_NE(a0, x0)
    CHECK_MEM(counter, 99)

TEST_CASE(6) /* interrupts to and fro */
    li s6, 50
1:  li t0, 1
    sw t0, 4(s2) /* to hart 1, which answers */
    csrwi mie, IRQ_MSI
2:  csrr t0, mip
    andi t0, t0, IRQ_MSI
    bnez t0, 3f
    wfi
    j 2b
3:  sw x0, 0(s2)
    fence
    addi s6, s6, -1
    bnez s6, 1b
    csrw mie, x0
    CHECK_MEM(answers, 50)

TEST_CASE(7) /* code written by one hart, run by the other after its fence.i */
    la t0, code
    li t1, 0x00750513 /* addi a0, a0, 7 */
    sw t1, 0(t0)
    fence
    li t0, 1
    sw t0, 4(s2)
1:  lw t0, 0(s7)
    li t1, 5
    bne t0, t1, 1b
    fence
    CHECK_MEM(code_result, 7)
    PASS

/* a0 times: lock, count, unlock. */
count_locked:
    la t3, lock
    la t4, counter_locked
1:  li t0, 1
2:  amoswap.w.aq t1, t0, (t3)
    bnez t1, 2b
    ld t1, 0(t4)
    addi t1, t1, 1
    sd t1, 0(t4)
    amoswap.w.rl x0, x0, (t3)
    addi a0, a0, -1
    bnez a0, 1b
    ret

/* Hart 1. It checks nothing itself. */
.globl secondary_main
secondary_main:
    li s2, CLINT_MSIP
    csrr s3, mhartid
    la t0, hart_number
    sd s3, 0(t0)
    la t0, boot_a0
    sd a0, 0(t0)
    la t0, boot_a1
    sd a1, 0(t0)
    la t0, woken
    csrw mtvec, t0
    csrwi mie, IRQ_MSI
    csrsi mstatus, MSTATUS_MIE
    fence
    la t0, present
    li t1, 1
    sw t1, 0(t0)
1:  wfi
    j 1b
    .balign 4
woken:
    csrr t0, mcause
    la t1, wake_cause
    sd t0, 0(t1)
    sw x0, 4(s2)
    csrw mie, x0
    fence
    la t0, awake
    li t1, 1
    sw t1, 0(t0)

    la s5, counter
    li s6, ROUNDS
    li t1, 1
1:  amoadd.d x0, t1, (s5)
    addi s6, s6, -1
    bnez s6, 1b
    la s7, done
    fence
    li t0, 1
    sw t0, 0(s7)

    la s8, go
1:  lw t0, 0(s8)
    beqz t0, 1b
    la s5, counter_lrsc
    li s6, ROUNDS
2:  lr.w t0, (s5)
    addi t0, t0, 1
    sc.w t1, t0, (s5)
    bnez t1, 2b
    addi s6, s6, -1
    bnez s6, 2b
    fence
    li t0, 2
    sw t0, 0(s7)

1:  lw t0, 0(s8)
    li t1, 2
    bne t0, t1, 1b
    li a0, ROUNDS
    jal ra, count_locked
    fence
    li t0, 3
    sw t0, 0(s7)

1:  lw t0, 0(s8)
    li t1, 3
    bne t0, t1, 1b
    li t0, 99
    la s5, counter
    sd t0, 0(s5)
    fence
    li t0, 4
    sw t0, 0(s7)

    csrwi mie, IRQ_MSI
    li s6, 50
1:  csrr t0, mip
    andi t0, t0, IRQ_MSI
    bnez t0, 2f
    wfi
    j 1b
2:  sw x0, 4(s2)
    la t0, answers
    ld t1, 0(t0)
    addi t1, t1, 1
    sd t1, 0(t0)
    fence
    li t0, 1
    sw t0, 0(s2)
    addi s6, s6, -1
    bnez s6, 1b

1:  csrr t0, mip
    andi t0, t0, IRQ_MSI
    bnez t0, 2f
    wfi
    j 1b
2:  fence.i
    li a0, 0
    jal ra, code
    la t0, code_result
    sd a0, 0(t0)
    fence
    li t0, 5
    sw t0, 0(s7)
    csrw mie, x0
1:  wfi
    j 1b

    .balign 8
code:
    addi a0, a0, 1
    ret

.bss
    .balign 64
present: .skip 64
awake: .skip 64
done: .skip 64
go: .skip 64
lock: .skip 64
counter: .skip 64
counter_lrsc: .skip 64
counter_locked: .skip 64
answers: .skip 64
hart_number: .skip 8
boot_a0: .skip 8
boot_a1: .skip 8
wake_cause: .skip 8
code_result: .skip 8
