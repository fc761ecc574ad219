/*
 * The frame of the bare-metal test guests: checks, expected traps, modes.
 *
 * A guest defines `test_main`, entered on hart 0 in M-mode with runtime.S's trap
 * handler installed, PMP entry 0 open for all of memory, nothing delegated, the FPU
 * on, all interrupts off; s0 and s1 hold a0 and a1 as they were at reset. It ends
 * with PASS. A failing check ends the run with the number of the current TEST_CASE
 * (1..255), and leaves the source line of the check in `fail_line`.
 *
 * Registers: gp is the test number, tp the line of the check. Macros use t5 and t6,
 * those that expect a trap also t3, t4; modes are changed with a7. Everything else belongs to
 * the test. Instructions are not compressed and nothing is relaxed unless a test says so.
 *
 * SKIP_ON_QEMU marks cases where the reference differs from the manual: they run
 * everywhere else. `on_qemu` is 0 in the built file; qemu_check.py sets it to the
 * reference's major version.
 */
#ifndef TEST_H
#define TEST_H

.option norvc
.option norelax

/* CSRs by number: older assemblers know some of them only with further options. */
#define MENVCFG 0x30a
#define SENVCFG 0x10a
#define STIMECMP 0x14d
#define MCOUNTINHIBIT 0x320

/* Causes. */
#define CAUSE_FETCH_MISALIGNED 0
#define CAUSE_FETCH_ACCESS 1
#define CAUSE_ILLEGAL 2
#define CAUSE_BREAKPOINT 3
#define CAUSE_LOAD_MISALIGNED 4
#define CAUSE_LOAD_ACCESS 5
#define CAUSE_STORE_MISALIGNED 6
#define CAUSE_STORE_ACCESS 7
#define CAUSE_ECALL_U 8
#define CAUSE_ECALL_S 9
#define CAUSE_ECALL_M 11
#define CAUSE_FETCH_PAGE 12
#define CAUSE_LOAD_PAGE 13
#define CAUSE_STORE_PAGE 15
#define INTERRUPT 0x8000000000000000

/* mstatus. */
#define MSTATUS_SIE 0x2
#define MSTATUS_MIE 0x8
#define MSTATUS_SPIE 0x20
#define MSTATUS_MPIE 0x80
#define MSTATUS_SPP 0x100
#define MSTATUS_MPP 0x1800
#define MSTATUS_MPP_S 0x800
#define MSTATUS_FS 0x6000
#define MSTATUS_MPRV 0x20000
#define MSTATUS_SUM 0x40000
#define MSTATUS_MXR 0x80000
#define MSTATUS_TVM 0x100000
#define MSTATUS_TW 0x200000
#define MSTATUS_TSR 0x400000

/* mie, mip. */
#define IRQ_SSI 0x2
#define IRQ_MSI 0x8
#define IRQ_STI 0x20
#define IRQ_MTI 0x80
#define IRQ_SEI 0x200
#define IRQ_MEI 0x800

#define CLINT_MSIP 0x2000000
#define CLINT_MTIMECMP 0x2004000
#define CLINT_MTIME 0x200bff8

/* Calls of the handler in runtime.S, in a7 of an ecall from S- or U-mode. */
#define CALL_RETURN 0x4d524554
#define CALL_RESUME 0x4d524553

/* Fields of trap_record. */
#define TR_CAUSE 0
#define TR_EPC 8
#define TR_TVAL 16
#define TR_STATUS 24
#define TR_MODE 32  /* of the handler: 3 or 1 */
#define TR_COUNT 40 /* traps expected and taken so far */

#define TEST_CASE(n) \
    .if (n) < 1 || (n) > 255; .error "test number out of range"; .endif; li gp, n

#define LINE li tp, __LINE__
#define FAIL LINE; j fail
#define PASS j pass

/* reg == value, a constant of up to 64 bits. */
#define CHECK(reg, value) LINE; li t6, value; bne reg, t6, fail
#define CHECK_EQ(r1, r2) LINE; bne r1, r2, fail
#define CHECK_NE(r1, r2) LINE; beq r1, r2, fail
#define CHECK_SYM(reg, sym) LINE; la t6, sym; bne reg, t6, fail
/* (csr & mask) == value */
#define CHECK_CSR(csr, mask, value) \
    LINE; csrr t5, csr; li t6, mask; and t5, t5, t6; li t6, value; bne t5, t6, fail
/* A 64-bit word in memory. */
#define CHECK_MEM(sym, value) LINE; la t5, sym; ld t5, 0(t5); li t6, value; bne t5, t6, fail

/* Register-register operation: plain, rd == rs1, rd == rs2, rd == x0. */
#define RR(op, expect, a, b) \
    LINE; li a0, a; li a1, b; li a2, 0x5a5a5a5a5a5a5a5a; li t6, expect; \
    op a2, a0, a1; bne a2, t6, fail; \
    mv a3, a0; op a3, a3, a1; bne a3, t6, fail; \
    mv a4, a1; op a4, a0, a4; bne a4, t6, fail; \
    op x0, a0, a1; mv a5, x0; bnez a5, fail; \
    li t6, a; bne a0, t6, fail; li t6, b; bne a1, t6, fail

/* Both sources and rd the same register. */
#define RR_SAME(op, expect, a) \
    LINE; li a0, a; li t6, expect; op a1, a0, a0; bne a1, t6, fail; \
    op a0, a0, a0; bne a0, t6, fail

#define RI(op, expect, a, imm) \
    LINE; li a0, a; li a1, 0x5a5a5a5a5a5a5a5a; li t6, expect; \
    op a1, a0, imm; bne a1, t6, fail; \
    op x0, a0, imm; mv a2, x0; bnez a2, fail; \
    op a0, a0, imm; bne a0, t6, fail

#define R1(op, expect, a) \
    LINE; li a0, a; li a1, 0x5a5a5a5a5a5a5a5a; li t6, expect; \
    op a1, a0; bne a1, t6, fail; \
    op x0, a0; mv a2, x0; bnez a2, fail; \
    op a0, a0; bne a0, t6, fail

/*
 * An instruction that must trap to this test's M-mode handler: cause, mepc and mtval
 * are compared. Afterwards the guest is in M-mode, with mstatus.MPRV clear, at the next line.
 */
#define TRAP_ARM(label) la t6, label; la t5, trap_resume; sd t6, 0(t5); li a7, 0
#define TRAP_CHECK(cause, label, mode) \
    la t5, trap_record; ld t4, TR_CAUSE(t5); li t6, cause; bne t4, t6, fail; \
    ld t4, TR_EPC(t5); la t6, label; bne t4, t6, fail; \
    ld t4, TR_MODE(t5); li t6, mode; bne t4, t6, fail; \
    ld t4, TR_TVAL(t5)

#define TRAP(cause, tval, insn...) \
    LINE; TRAP_ARM(91f); \
    90: insn; j fail; \
    91: TRAP_CHECK(cause, 90b, 3); li t6, tval; bne t4, t6, fail

/* mtval is what register reg held. */
#define TRAP_AT(cause, reg, insn...) \
    LINE; TRAP_ARM(91f); \
    90: insn; j fail; \
    91: TRAP_CHECK(cause, 90b, 3); bne t4, reg, fail

/* The same, delegated: S-mode's handler must see it. */
#define TRAP_S(cause, tval, insn...) \
    LINE; TRAP_ARM(91f); \
    90: insn; j fail; \
    91: TRAP_CHECK(cause, 90b, 1); li t6, tval; bne t4, t6, fail

/* Illegal instruction: mtval holds its bits. */
#define TRAP_ILLEGAL(insn...) \
    LINE; TRAP_ARM(91f); \
    90: insn; j fail; \
    91: TRAP_CHECK(CAUSE_ILLEGAL, 90b, 3); jal t3, check_tval_is_insn

/*
 * A jump that must fault at its target, held in a register: mepc and mtval are the
 * target's address.
 */
#define TRAP_FETCH(cause, reg) \
    LINE; TRAP_ARM(91f); \
    jr reg; \
    91: la t5, trap_record; ld t4, TR_CAUSE(t5); li t6, cause; bne t4, t6, fail; \
    ld t4, TR_EPC(t5); bne t4, reg, fail; ld t4, TR_TVAL(t5); bne t4, reg, fail

/* The body must be left by an interrupt, at its end at the latest; WAIT as its end grants time. */
#define WAIT 94: j 94b
#define INTERRUPTED(cause, mode, body...) \
    LINE; TRAP_ARM(91f); \
    body; j fail; \
    91: la t5, trap_record; ld t4, TR_CAUSE(t5); li t6, INTERRUPT | (cause); bne t4, t6, fail; \
    ld t4, TR_MODE(t5); li t6, mode; bne t4, t6, fail; \
    ld t4, TR_TVAL(t5); bnez t4, fail

/* Changes of mode. GO_M works from S and U while their ecalls are not delegated. */
#define GO_(mpp) \
    li t6, MSTATUS_MPP; csrc mstatus, t6; li t6, mpp; csrs mstatus, t6; \
    la t6, 92f; csrw mepc, t6; mret; 92:
#define GO_S GO_(MSTATUS_MPP_S)
#define GO_U GO_(0)
#define GO_M li a7, CALL_RETURN; ecall

/* One access with the rights and translation of a lower mode: 0 (U) or MSTATUS_MPP_S. */
#define AS_(mpp, insn...) \
    li t6, MSTATUS_MPP; csrc mstatus, t6; li t6, (mpp) | MSTATUS_MPRV; csrs mstatus, t6; \
    insn; \
    li t6, MSTATUS_MPRV; csrc mstatus, t6
#define AS_S(insn...) AS_(MSTATUS_MPP_S, insn)
#define AS_U(insn...) AS_(0, insn)
/* The same, and it must trap; mtval is what reg held. */
#define TRAP_AS_(mpp, cause, reg, insn...) \
    LINE; TRAP_ARM(91f); \
    li t6, MSTATUS_MPP; csrc mstatus, t6; li t6, (mpp) | MSTATUS_MPRV; csrs mstatus, t6; \
    90: insn; li t6, MSTATUS_MPRV; csrc mstatus, t6; j fail; \
    91: TRAP_CHECK(cause, 90b, 3); bne t4, reg, fail
#define TRAP_AS_S(cause, reg, insn...) TRAP_AS_(MSTATUS_MPP_S, cause, reg, insn)
#define TRAP_AS_U(cause, reg, insn...) TRAP_AS_(0, cause, reg, insn)

/*
 * One access from S (SUPER) or U (USER) and the cause expected, or 0; a fault's address must be the
 * address used. LOAD reads a doubleword to a3 and STORE writes a4, both from M by MPRV; FETCH goes there: at va must
 * be an ecall. Uses a0-a2.
 */
#define LOAD 0
#define STORE 1
#define FETCH 2
#define SUPER MSTATUS_MPP_S
#define USER 0
#define TRY(kind, va, mode, expect) \
    LINE; li a0, kind; li a1, va; li a2, mode; jal ra, try_access; li t6, expect; bne a0, t6, fail

#define SET(csr, bits) li t6, bits; csrs csr, t6
#define CLEAR(csr, bits) li t6, bits; csrc csr, t6
#define WRITE(csr, bits) li t6, bits; csrw csr, t6

/* Goes to label when the reference is a QEMU older than version; say why in the line above. */
#define SKIP_ON_QEMU_BELOW(version, label) \
    la t5, on_qemu; ld t5, 0(t5); beqz t5, 93f; li t6, version; bgeu t5, t6, 93f; \
    la t5, skipped; ld t6, 0(t5); addi t6, t6, 1; sd t6, 0(t5); j label; 93:
#define SKIP_ON_QEMU(label) SKIP_ON_QEMU_BELOW(1000, label)

#endif
