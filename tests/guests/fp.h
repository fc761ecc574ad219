/*
 * Rows of float_cases.inc and double_cases.inc. Each is tried with its rounding mode in the instruction (frm
 * holding another one), then with it in frm; result and flags are compared each time.
 */
#ifndef FP_H
#define FP_H

#include "test.h"

#define RM_rne 0
#define RM_rtz 1
#define RM_rdn 2
#define RM_rup 3
#define RM_rmm 4

#define FP_ROW(res, flags, ops...) \
    LINE; .pushsection .rodata; .balign 8; 80: .quad res, ops; .popsection; la s0, 80b; \
    li a5, flags; fsflagsi 0
#define FP_OTHER_RM(rm) fsrmi (RM_##rm + 1) % 5
#define FP_CHECK jal t0, fp_check
#define FP_CHECK_INT jal t0, fp_check_int

#define FP1(op, rm, res, flags, a) \
    FP_ROW(res, flags, a); fld fa0, 8(s0); FP_OTHER_RM(rm); \
    op fa3, fa0, rm; FP_CHECK; fsrmi RM_##rm; op fa3, fa0; FP_CHECK; \
    op fa0, fa0; fsgnj.d fa3, fa0, fa0; FP_CHECK
#define FP1_EXACT(op, rm, res, flags, a) \
    FP_ROW(res, flags, a); fld fa0, 8(s0); fsrmi RM_##rm; op fa3, fa0; FP_CHECK
#define FP2(op, rm, res, flags, a, b) \
    FP_ROW(res, flags, a, b); fld fa0, 8(s0); fld fa1, 16(s0); FP_OTHER_RM(rm); \
    op fa3, fa0, fa1, rm; FP_CHECK; fsrmi RM_##rm; op fa3, fa0, fa1; FP_CHECK; \
    fsgnj.d fa3, fa0, fa0; op fa3, fa3, fa1; FP_CHECK; \
    fsgnj.d fa3, fa1, fa1; op fa3, fa0, fa3; FP_CHECK
#define FP3(op, rm, res, flags, a, b, c) \
    FP_ROW(res, flags, a, b, c); fld fa0, 8(s0); fld fa1, 16(s0); fld fa2, 24(s0); \
    FP_OTHER_RM(rm); op fa3, fa0, fa1, fa2, rm; FP_CHECK; \
    fsrmi RM_##rm; op fa3, fa0, fa1, fa2; FP_CHECK; \
    fsgnj.d fa3, fa2, fa2; op fa3, fa0, fa1, fa3; FP_CHECK
/* No rounding mode: minimum, maximum, sign injection. */
#define FPP(op, res, flags, a, b) \
    FP_ROW(res, flags, a, b); fld fa0, 8(s0); fld fa1, 16(s0); op fa3, fa0, fa1; FP_CHECK; \
    fsgnj.d fa3, fa0, fa0; op fa3, fa3, fa1; FP_CHECK
/* Integer result. */
#define FPI1(op, res, flags, a) FP_ROW(res, flags, a); fld fa0, 8(s0); op a3, fa0; FP_CHECK_INT
#define FPI2(op, res, flags, a, b) \
    FP_ROW(res, flags, a, b); fld fa0, 8(s0); fld fa1, 16(s0); op a3, fa0, fa1; FP_CHECK_INT; \
    fsflagsi 0; op x0, fa0, fa1; mv a3, x0; bnez a3, fail
#define FPTOI(op, rm, res, flags, a) \
    FP_ROW(res, flags, a); fld fa0, 8(s0); FP_OTHER_RM(rm); \
    op a3, fa0, rm; FP_CHECK_INT; fsrmi RM_##rm; op a3, fa0; FP_CHECK_INT
#define ITOFP(op, rm, res, flags, a) \
    FP_ROW(res, flags, a); ld a0, 8(s0); FP_OTHER_RM(rm); \
    op fa3, a0, rm; FP_CHECK; fsrmi RM_##rm; op fa3, a0; FP_CHECK
#define ITOFP_EXACT(op, rm, res, flags, a) \
    FP_ROW(res, flags, a); ld a0, 8(s0); op fa3, a0; FP_CHECK

/* Once in each guest that has rows: s0 points at the row, a5 holds the flags. Returns by t0. */
.text
fp_check:
    fmv.x.d a3, fa3
fp_check_int:
    ld t6, 0(s0)
    bne a3, t6, fail
    frflags t5
    bne t5, a5, fail
    fsflagsi 0
    jr t0

#endif
