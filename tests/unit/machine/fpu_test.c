/* RISC-V's own rules by hand-picked cases, and the fast paths against the integer arithmetic. */
#include "tests/unit/machine/fpu_cases.h"

#include <criterion/criterion.h>

#define QUIET64 UINT64_C(0x7ff8000000000000)
#define SIGNALING64 UINT64_C(0x7ff0000000000001)
#define INFINITY64 UINT64_C(0x7ff0000000000000)
#define MOST64 UINT64_C(0x7fefffffffffffff)
#define NORMAL64 UINT64_C(0x0010000000000000) /* the smallest */
#define NEGATIVE64 UINT64_C(0x8000000000000000)
#define ONE64 UINT64_C(0x3ff0000000000000)

#define QUIET32 0x7fc00000u
#define SIGNALING32 0x7f800001u
#define INFINITY32 0x7f800000u
#define NORMAL32 0x00800000u
#define NEGATIVE32 0x80000000u
#define ONE32 0x3f800000u

/* The call's result, and exactly these flags from it. */
#define expect(call, expected, expected_flags)                                                     \
    do {                                                                                           \
        uint32_t flags = 0;                                                                        \
        uint64_t result = call;                                                                    \
        cr_expect_eq(result, (uint64_t)(expected), "%s: %#lx", #call, result);                     \
        cr_expect_eq(flags, (uint32_t)(expected_flags), "%s: flags %#x", #call, flags);            \
    } while (0)

Test(fpu, nan_results_are_canonical)
{
    const uint64_t payload = UINT64_C(0xfffc00000000beef);

    expect(fpu_add64(payload, ONE64, FPU_RNE, &flags), QUIET64, 0);
    expect(fpu_mul64(ONE64, payload, FPU_RUP, &flags), QUIET64, 0);
    expect(fpu_sub64(ONE64, SIGNALING64, FPU_RNE, &flags), QUIET64, FPU_NV);
    expect(fpu_sub64(INFINITY64, INFINITY64, FPU_RNE, &flags), QUIET64, FPU_NV);
    expect(fpu_div64(0, NEGATIVE64, FPU_RNE, &flags), QUIET64, FPU_NV);
    expect(fpu_sqrt64(NEGATIVE64 | ONE64, FPU_RNE, &flags), QUIET64, FPU_NV);
    expect(fpu_sqrt64(NEGATIVE64, FPU_RNE, &flags), NEGATIVE64, 0);
    expect(fpu_f32_to_f64(0xffc12345, &flags), QUIET64, 0);
    expect(fpu_f32_to_f64(SIGNALING32, &flags), QUIET64, FPU_NV);
    expect(fpu_f64_to_f32(payload, FPU_RNE, &flags), QUIET32, 0);
    expect(fpu_add32(0xffc00001, ONE32, FPU_RNE, &flags), QUIET32, 0);
    expect(fpu_div32(INFINITY32, INFINITY32, FPU_RNE, &flags), QUIET32, FPU_NV);
}

Test(fpu, fused_products_of_infinity_and_zero_are_invalid)
{
    expect(fpu_fma64(INFINITY64, 0, QUIET64, FPU_RNE, &flags), QUIET64, FPU_NV);
    expect(fpu_fma32(NEGATIVE32, INFINITY32, QUIET32, FPU_RNE, &flags), QUIET32, FPU_NV);
    expect(fpu_fma64(QUIET64, 0, INFINITY64, FPU_RNE, &flags), QUIET64, 0);
    expect(fpu_fma64(INFINITY64, ONE64, INFINITY64 | NEGATIVE64, FPU_RNE, &flags), QUIET64, FPU_NV);
    expect(fpu_fma64(ONE64, ONE64, ONE64 | NEGATIVE64, FPU_RDN, &flags), NEGATIVE64, 0);
    expect(fpu_fma64(ONE64, ONE64, ONE64 | NEGATIVE64, FPU_RNE, &flags), 0, 0);
}

Test(fpu, division_by_zero)
{
    expect(fpu_div64(ONE64, NEGATIVE64, FPU_RNE, &flags), NEGATIVE64 | INFINITY64, FPU_DZ);
    expect(fpu_div32(NEGATIVE32 | ONE32, 0, FPU_RTZ, &flags), NEGATIVE32 | INFINITY32, FPU_DZ);
    expect(fpu_div64(INFINITY64, 0, FPU_RNE, &flags), INFINITY64, 0);
}

Test(fpu, overflow_follows_the_mode)
{
    const uint32_t both = FPU_OF | FPU_NX;

    expect(fpu_add64(MOST64, MOST64, FPU_RNE, &flags), INFINITY64, both);
    expect(fpu_add64(MOST64, MOST64, FPU_RTZ, &flags), MOST64, both);
    expect(fpu_add64(MOST64, MOST64, FPU_RDN, &flags), MOST64, both);
    expect(fpu_add64(MOST64, MOST64, FPU_RUP, &flags), INFINITY64, both);
    expect(fpu_add64(MOST64, MOST64, FPU_RMM, &flags), INFINITY64, both);
    expect(fpu_mul64(MOST64 | NEGATIVE64, MOST64, FPU_RUP, &flags), MOST64 | NEGATIVE64, both);
    expect(fpu_mul64(MOST64 | NEGATIVE64, MOST64, FPU_RDN, &flags), INFINITY64 | NEGATIVE64, both);
}

Test(fpu, tininess_is_detected_after_rounding)
{
    /* (1 + 2^-52) * (2^-1022 - 2^-1074) = 2^-1022 - 2^-1126: to 53 bits that is 2^-1022. */
    expect(fpu_mul64(ONE64 + 1, NORMAL64 - 1, FPU_RNE, &flags), NORMAL64, FPU_NX);
    expect(fpu_mul64(ONE64 + 1, NORMAL64 - 1, FPU_RUP, &flags), NORMAL64, FPU_NX);
    expect(fpu_mul64(ONE64 + 1, NORMAL64 - 1, FPU_RTZ, &flags), NORMAL64 - 1, FPU_UF | FPU_NX);
    /* (1 - 2^-53) * 2^-1022 has 53 bits: rounded only for want of exponent, and so tiny. */
    expect(fpu_mul64(ONE64 - 1, NORMAL64, FPU_RNE, &flags), NORMAL64, FPU_UF | FPU_NX);
    expect(fpu_mul32(ONE32 - 1, NORMAL32, FPU_RNE, &flags), NORMAL32, FPU_UF | FPU_NX);
    /* Tiny and exact raises nothing. */
    expect(fpu_mul64(0x3fe0000000000000, NORMAL64, FPU_RNE, &flags), NORMAL64 / 2, 0);
    expect(fpu_mul64(1, 1, FPU_RUP, &flags), 1, FPU_UF | FPU_NX);
    expect(fpu_mul64(1, 1, FPU_RNE, &flags), 0, FPU_UF | FPU_NX);
}

Test(fpu, ties_in_every_mode)
{
    const uint64_t half_ulp = UINT64_C(0x3ca0000000000000); /* 2^-53 */

    expect(fpu_add64(ONE64, half_ulp, FPU_RNE, &flags), ONE64, FPU_NX);
    expect(fpu_add64(ONE64, half_ulp, FPU_RMM, &flags), ONE64 + 1, FPU_NX);
    expect(fpu_add64(ONE64, half_ulp, FPU_RTZ, &flags), ONE64, FPU_NX);
    expect(fpu_add64(ONE64, half_ulp, FPU_RDN, &flags), ONE64, FPU_NX);
    expect(fpu_add64(ONE64, half_ulp, FPU_RUP, &flags), ONE64 + 1, FPU_NX);
    expect(fpu_f64_to_i32(0xc004000000000000, FPU_RNE, &flags), -2, FPU_NX); /* -2.5 */
    expect(fpu_f64_to_i32(0xc004000000000000, FPU_RMM, &flags), -3, FPU_NX);
    expect(fpu_f64_to_i32(0xc004000000000000, FPU_RUP, &flags), -2, FPU_NX);
    expect(fpu_f64_to_i32(0xc004000000000000, FPU_RDN, &flags), -3, FPU_NX);
}

Test(fpu, roots_of_near_squares_below_the_normal_range)
{
    /* ((2^26 + 1)^2 - 1) * 2^-1076: the host's root, squared and rounded, gives it back. */
    expect(fpu_sqrt64(0x0004000002000000, FPU_RNE, &flags), UINT64_C(0x1ff0000004000000), FPU_NX);
    expect(fpu_sqrt64(4, FPU_RNE, &flags), UINT64_C(0x1e70000000000000), 0);
}

Test(fpu, minimum_and_maximum_number)
{
    expect(fpu_min64(NEGATIVE64, 0, &flags), NEGATIVE64, 0);
    expect(fpu_min64(0, NEGATIVE64, &flags), NEGATIVE64, 0);
    expect(fpu_max64(NEGATIVE64, 0, &flags), 0, 0);
    expect(fpu_max64(0, NEGATIVE64, &flags), 0, 0);
    expect(fpu_min64(QUIET64, ONE64, &flags), ONE64, 0);
    expect(fpu_max64(ONE64, SIGNALING64, &flags), ONE64, FPU_NV);
    expect(fpu_min64(QUIET64 | 5, NEGATIVE64 | QUIET64, &flags), QUIET64, 0);
    expect(fpu_max64(SIGNALING64, QUIET64, &flags), QUIET64, FPU_NV);
    expect(fpu_min64(ONE64 | NEGATIVE64, INFINITY64 | NEGATIVE64, &flags), INFINITY64 | NEGATIVE64,
           0);
    expect(fpu_min32(NEGATIVE32, 0, &flags), NEGATIVE32, 0);
    expect(fpu_max32(QUIET32, NEGATIVE32 | ONE32, &flags), NEGATIVE32 | ONE32, 0);
    expect(fpu_max32(SIGNALING32, SIGNALING32, &flags), QUIET32, FPU_NV);
    expect(fpu_max32(1, 2, &flags), 2, 0);
}

Test(fpu, comparisons_of_nans)
{
    expect(fpu_eq64(QUIET64, QUIET64, &flags), 0, 0);
    expect(fpu_eq64(SIGNALING64, ONE64, &flags), 0, FPU_NV);
    expect(fpu_lt64(QUIET64, ONE64, &flags), 0, FPU_NV);
    expect(fpu_le64(ONE64, QUIET64, &flags), 0, FPU_NV);
    expect(fpu_eq32(ONE32, QUIET32, &flags), 0, 0);
    expect(fpu_eq32(ONE32, SIGNALING32, &flags), 0, FPU_NV);
    expect(fpu_lt32(ONE32, QUIET32, &flags), 0, FPU_NV);
    expect(fpu_le32(QUIET32, QUIET32, &flags), 0, FPU_NV);
    expect(fpu_eq64(0, NEGATIVE64, &flags), 1, 0);
    expect(fpu_lt64(NEGATIVE64, 0, &flags), 0, 0);
    expect(fpu_le64(0, NEGATIVE64, &flags), 1, 0);
}

Test(fpu, classes)
{
    static const struct {
        uint64_t wide;
        uint32_t narrow;
    } of_bit[] = {
        {NEGATIVE64 | INFINITY64, NEGATIVE32 | INFINITY32},
        {NEGATIVE64 | NORMAL64, NEGATIVE32 | NORMAL32},
        {NEGATIVE64 | 1, NEGATIVE32 | 1},
        {NEGATIVE64, NEGATIVE32},
        {0, 0},
        {NORMAL64 - 1, NORMAL32 - 1},
        {MOST64, ONE32},
        {INFINITY64, INFINITY32},
        {NEGATIVE64 | SIGNALING64, NEGATIVE32 | SIGNALING32},
        {QUIET64, QUIET32},
    };
    for (unsigned bit = 0; bit < 10; bit++) {
        cr_expect_eq(fpu_class64(of_bit[bit].wide), 1u << bit, "bit %u", bit);
        cr_expect_eq(fpu_class32(of_bit[bit].narrow), 1u << bit, "bit %u", bit);
    }
}

Test(fpu, conversions_to_integers_saturate)
{
    const uint64_t minus_one = NEGATIVE64 | ONE64, minus_infinity = NEGATIVE64 | INFINITY64;

    expect(fpu_f64_to_i32(QUIET64, FPU_RNE, &flags), INT32_MAX, FPU_NV);
    expect(fpu_f64_to_i32(NEGATIVE64 | QUIET64, FPU_RNE, &flags), INT32_MAX, FPU_NV);
    expect(fpu_f64_to_i32(minus_infinity, FPU_RNE, &flags), INT32_MIN, FPU_NV);
    expect(fpu_f64_to_u32(QUIET64, FPU_RNE, &flags), UINT64_MAX, FPU_NV);
    expect(fpu_f64_to_u32(INFINITY64, FPU_RNE, &flags), UINT64_MAX, FPU_NV);
    expect(fpu_f64_to_u32(minus_one, FPU_RNE, &flags), 0, FPU_NV);
    expect(fpu_f64_to_u64(minus_one, FPU_RTZ, &flags), 0, FPU_NV);
    expect(fpu_f64_to_u64(QUIET64, FPU_RTZ, &flags), UINT64_MAX, FPU_NV);
    expect(fpu_f64_to_i64(QUIET64, FPU_RTZ, &flags), INT64_MAX, FPU_NV);
    expect(fpu_f64_to_i64(minus_infinity, FPU_RTZ, &flags), INT64_MIN, FPU_NV);
    expect(fpu_f32_to_u32(SIGNALING32, FPU_RTZ, &flags), UINT64_MAX, FPU_NV);
    expect(fpu_f32_to_i64(INFINITY32, FPU_RTZ, &flags), INT64_MAX, FPU_NV);
    expect(fpu_f32_to_u64(NEGATIVE32 | INFINITY32, FPU_RTZ, &flags), 0, FPU_NV);
}

Test(fpu, conversions_to_integers_at_the_edge)
{
    /* Unsigned words are sign-extended too. */
    expect(fpu_f64_to_u32(0x41efffffffe00000, FPU_RNE, &flags), UINT64_MAX, 0);
    expect(fpu_f64_to_u32(0x41e0000000000000, FPU_RNE, &flags), UINT64_C(0xffffffff80000000), 0);
    /* 2^32 - 0.5 and 2^31 - 0.5: the range is judged after rounding, and NV stands alone. */
    expect(fpu_f64_to_u32(0x41effffffff00000, FPU_RNE, &flags), UINT64_MAX, FPU_NV);
    expect(fpu_f64_to_u32(0x41effffffff00000, FPU_RTZ, &flags), UINT64_MAX, FPU_NX);
    expect(fpu_f64_to_i32(0x41dfffffffe00000, FPU_RNE, &flags), INT32_MAX, FPU_NV);
    expect(fpu_f64_to_i32(0x41dfffffffe00000, FPU_RDN, &flags), INT32_MAX, FPU_NX);
    expect(fpu_f64_to_i32(0xc1e0000000000000, FPU_RNE, &flags), INT32_MIN, 0);
    /* Negative fractions may round to an unsigned zero. */
    expect(fpu_f64_to_u64(NEGATIVE64 | 0x3fe0000000000000, FPU_RNE, &flags), 0, FPU_NX);
    expect(fpu_f64_to_u64(NEGATIVE64 | 0x3fe0000000000000, FPU_RMM, &flags), 0, FPU_NV);
    expect(fpu_f64_to_u32(NEGATIVE64 | 1, FPU_RDN, &flags), 0, FPU_NV);
    expect(fpu_f64_to_u32(NEGATIVE64, FPU_RDN, &flags), 0, 0);
    /* 2^63 and 2^64. */
    expect(fpu_f64_to_i64(0x43e0000000000000, FPU_RNE, &flags), INT64_MAX, FPU_NV);
    expect(fpu_f64_to_i64(0xc3e0000000000000, FPU_RNE, &flags), INT64_MIN, 0);
    expect(fpu_f64_to_u64(0x43e0000000000000, FPU_RNE, &flags), NEGATIVE64, 0);
    expect(fpu_f64_to_u64(0x43efffffffffffff, FPU_RNE, &flags), UINT64_C(0xfffffffffffff800), 0);
    expect(fpu_f64_to_u64(0x43f0000000000000, FPU_RNE, &flags), UINT64_MAX, FPU_NV);
}

Test(fpu, conversions_from_integers)
{
    expect(fpu_i32_to_f64(0x12345678ffffffff, FPU_RNE, &flags), NEGATIVE64 | ONE64, 0);
    expect(fpu_u32_to_f64(0x12345678ffffffff, FPU_RNE, &flags), UINT64_C(0x41efffffffe00000), 0);
    expect(fpu_i32_to_f32(0xffffffff80000001, FPU_RNE, &flags), 0xcf000000, FPU_NX);
    expect(fpu_i32_to_f32(0xffffffff80000001, FPU_RTZ, &flags), 0xceffffff, FPU_NX);
    expect(fpu_u32_to_f32(0xffffffff, FPU_RDN, &flags), 0x4f7fffff, FPU_NX);
    expect(fpu_i64_to_f64(0, FPU_RDN, &flags), 0, 0);
    expect(fpu_u64_to_f64(UINT64_MAX, FPU_RNE, &flags), UINT64_C(0x43f0000000000000), FPU_NX);
    expect(fpu_i64_to_f64(UINT64_C(0x8000000000000000), FPU_RNE, &flags),
           UINT64_C(0xc3e0000000000000), 0);
    expect(fpu_i64_to_f64((UINT64_C(1) << 53) + 1, FPU_RMM, &flags), UINT64_C(0x4340000000000001),
           FPU_NX);
    expect(fpu_f32_to_f64(1, &flags), UINT64_C(0x36a0000000000000), 0);
    expect(fpu_f64_to_f32(0x36a0000000000000, FPU_RNE, &flags), 1, 0);
}

Test(fpu, flags_accrue)
{
    uint32_t flags = FPU_DZ;

    fpu_add64(MOST64, MOST64, FPU_RNE, &flags);
    cr_expect_eq(flags, FPU_DZ | FPU_OF | FPU_NX);
    fpu_eq64(SIGNALING64, 0, &flags);
    cr_expect_eq(flags, FPU_NV | FPU_DZ | FPU_OF | FPU_NX);
}

Test(fpu, fast_paths_match_integers)
{
    for (enum fpu_operation op = 0; op < OP_COUNT; op++) {
        const struct fpu_case *c = &fpu_cases[op];
        struct fpu_random random = {.state = 500 + op};
        for (unsigned i = 0; i < 100000; i++) {
            /* Mostly the mode that has a fast path, with and without NX accrued. */
            unsigned rm = i & 2 ? FPU_RNE : i / 4 % 5;
            uint32_t before = i & 1 ? FPU_NX : 0, soft = before, fast = before;
            uint64_t x[3];
            fpu_random_operands(&random, c, x);
            uint64_t expected = c->soft(x, rm, &soft), result = c->fast(x, rm, &fast);
            if (result != expected || fast != soft)
                cr_assert_fail("%s(%#lx, %#lx, %#lx) rm %u: %#lx flags %#x, expected %#lx %#x",
                               c->name, x[0], x[1], x[2], rm, result, fast, expected, soft);
        }
    }
}
