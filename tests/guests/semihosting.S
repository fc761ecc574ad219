/*
 * Semihosting calls, for a machine that has them: what is none, answers, waiting reads. Says
 * "ready", then sends back what it reads, up to and with a 'q', and exits with 42. Run by
 * ../scripts/semihosting_test.py.
 */
#include "test.h"

#define SYS_OPEN 0x01
#define SYS_WRITEC 0x03
#define SYS_WRITE0 0x04
#define SYS_WRITE 0x05
#define SYS_READ 0x06
#define SYS_READC 0x07
#define SYS_ERRNO 0x13
#define SYS_GET_CMDLINE 0x15
#define SYS_EXIT 0x18
#define SYS_ELAPSED 0x30

/* The three instructions; the call's own label is for traps. */
#define CALL(label) slli x0, x0, 0x1f; label: ebreak; srai x0, x0, 7
/* Operation with the address of its parameter. */
#define SEMIHOST(operation, parameter) li a0, operation; la a1, parameter; CALL(80)

.text
.globl test_main
test_main:

TEST_CASE(1) /* an ebreak by itself is one */
    TRAP_AT(CAUSE_BREAKPOINT, s1, la s1, 90f; 90: ebreak)
    LINE; TRAP_ARM(91f)
    slli x0, x0, 0x1f
90: ebreak
    srai x0, x0, 8
    j fail
91: TRAP_CHECK(CAUSE_BREAKPOINT, 90b, 3)
    LINE; TRAP_ARM(91f)
    slli x0, x0, 0x1e
90: ebreak
    srai x0, x0, 7
    j fail
91: TRAP_CHECK(CAUSE_BREAKPOINT, 90b, 3)
.option push
.option rvc
    LINE; TRAP_ARM(91f)
.balign 4
    slli x0, x0, 0x1f
90: c.ebreak
    c.nop
    srai x0, x0, 7
    j fail
.option pop
91: TRAP_CHECK(CAUSE_BREAKPOINT, 90b, 3)

TEST_CASE(2) /* the command line */
    SEMIHOST(SYS_GET_CMDLINE, cmdline_block)
    CHECK(a0, 0)
    CHECK_MEM(cmdline_block + 8, 9)
    CHECK_MEM(buffer, 0x756f6c20646e6173) /* "sand loud" */

TEST_CASE(3) /* what is not there */
    li a0, 0x12
    la a1, buffer
    CALL(80)
    CHECK(a0, -1)
    li a0, SYS_ERRNO
    CALL(80)
    CHECK(a0, 38)
    li a0, SYS_WRITE0
    li a1, 0x1000
    CALL(80)
    CHECK(a0, -1)

TEST_CASE(4) /* virtual time goes on */
    SEMIHOST(SYS_ELAPSED, buffer)
    CHECK(a0, 0)
    la a1, buffer
    ld s2, 0(a1)
    SEMIHOST(SYS_ELAPSED, buffer)
    la a1, buffer
    ld s3, 0(a1)
    LINE
    bgeu s2, s3, fail

TEST_CASE(5) /* files */
    SEMIHOST(SYS_OPEN, other_block)
    CHECK(a0, -1)
    SEMIHOST(SYS_OPEN, input_block)
    la s4, read_block
    sd a0, 0(s4)
    SEMIHOST(SYS_OPEN, output_block)
    la s5, write_block
    sd a0, 0(s5)
    CHECK_NE(a0, s4)

TEST_CASE(6) /* an interrupt ends the wait for input, at the call */
    li s2, CLINT_MTIMECMP
    li s3, CLINT_MTIME
    csrsi mstatus, 8
    li t6, IRQ_MTI
    csrw mie, t6
    ld t5, 0(s3)
    addi t5, t5, 1000
    sd t5, 0(s2)
    INTERRUPTED(7, 3, li a0, SYS_READC; CALL(80))
    la t5, trap_record
    ld a0, TR_EPC(t5)
    CHECK_SYM(a0, 80b)
    csrw mie, x0
    li t6, -1
    sd t6, 0(s2)

TEST_CASE(7) /* the console */
    SEMIHOST(SYS_WRITE0, ready)
again:
    la t5, read_block
    li t6, 8
    sd t6, 16(t5)
    SEMIHOST(SYS_READ, read_block)
    LINE
    bgeu a0, t6, fail
    sub s6, t6, a0 /* bytes read */
    la t5, write_block
    sd s6, 16(t5)
    SEMIHOST(SYS_WRITE, write_block)
    CHECK(a0, 0)
    la t5, buffer
    add s6, s6, t5
1:  lbu t6, 0(t5)
    addi t6, t6, -'q'
    beqz t6, 2f
    addi t5, t5, 1
    bne t5, s6, 1b
    j again

2:  SEMIHOST(SYS_EXIT, exit_block)
    FAIL

.data
.balign 8
buffer: .zero 64
cmdline_block: .quad buffer, 64
other_block: .quad other, 0, 5
input_block: .quad tt, 0, 3
output_block: .quad tt, 4, 3
read_block: .quad 0, buffer, 8
write_block: .quad 0, buffer, 0
exit_block: .quad 0x20026, 42
tt: .asciz ":tt"
other: .asciz "other"
ready: .asciz "ready\n"
