/* The integer arithmetic against the host's FPU in its four rounding modes, flags included. SSE
 * detects tininess after rounding, as RISC-V does; what differs by definition (NaN bits, saturating
 * conversions) is translated here. */
#include "tests/unit/machine/fpu_cases.h"

#include <criterion/criterion.h>

#if FPU_HOST && defined(__x86_64__)
#include <immintrin.h>

enum { MXCSR_DEFAULT = 0x1f80 };

static unsigned mxcsr_of(unsigned rm)
{
    static const unsigned mode[] = {[FPU_RNE] = 0, [FPU_RDN] = 1, [FPU_RUP] = 2, [FPU_RTZ] = 3};
    return MXCSR_DEFAULT | mode[rm] << 13;
}

static uint32_t flags_of(unsigned mxcsr)
{
    return (mxcsr & 0x01 ? FPU_NV : 0) | (mxcsr & 0x04 ? FPU_DZ : 0) | (mxcsr & 0x08 ? FPU_OF : 0) |
           (mxcsr & 0x10 ? FPU_UF : 0) | (mxcsr & 0x20 ? FPU_NX : 0);
}

__attribute__((target("fma"))) static __m128d fused64(__m128d a, __m128d b, __m128d c)
{
    return _mm_fmadd_sd(a, b, c);
}

__attribute__((target("fma"))) static __m128 fused32(__m128 a, __m128 b, __m128 c)
{
    return _mm_fmadd_ss(a, b, c);
}

/* One operation in the mode MXCSR has; volatile keeps it between the accesses to MXCSR. */
static uint64_t host64(enum fpu_operation op, const uint64_t *x)
{
    volatile double in[3] = {fpu_double(x[0]), fpu_double(x[1]), fpu_double(x[2])};
    volatile double out = 0;
    __m128d a = _mm_set_sd(in[0]), b = _mm_set_sd(in[1]), c = _mm_set_sd(in[2]);

    switch (op) {
    case OP_add64:
        out = _mm_cvtsd_f64(_mm_add_sd(a, b));
        break;
    case OP_sub64:
        out = _mm_cvtsd_f64(_mm_sub_sd(a, b));
        break;
    case OP_mul64:
        out = _mm_cvtsd_f64(_mm_mul_sd(a, b));
        break;
    case OP_div64:
        out = _mm_cvtsd_f64(_mm_div_sd(a, b));
        break;
    case OP_sqrt64:
        out = _mm_cvtsd_f64(_mm_sqrt_sd(a, a));
        break;
    case OP_fma64:
        out = _mm_cvtsd_f64(fused64(a, b, c));
        break;
    default:
        break;
    }
    return fpu_bits64(out);
}

static uint64_t host32(enum fpu_operation op, const uint64_t *x)
{
    volatile float in[3] = {fpu_float((uint32_t)x[0]), fpu_float((uint32_t)x[1]),
                            fpu_float((uint32_t)x[2])};
    volatile float out = 0;
    __m128 a = _mm_set_ss(in[0]), b = _mm_set_ss(in[1]), c = _mm_set_ss(in[2]);

    switch (op) {
    case OP_add32:
        out = _mm_cvtss_f32(_mm_add_ss(a, b));
        break;
    case OP_sub32:
        out = _mm_cvtss_f32(_mm_sub_ss(a, b));
        break;
    case OP_mul32:
        out = _mm_cvtss_f32(_mm_mul_ss(a, b));
        break;
    case OP_div32:
        out = _mm_cvtss_f32(_mm_div_ss(a, b));
        break;
    case OP_sqrt32:
        out = _mm_cvtss_f32(_mm_sqrt_ss(a));
        break;
    case OP_fma32:
        out = _mm_cvtss_f32(fused32(a, b, c));
        break;
    default:
        break;
    }
    return fpu_bits32(out);
}

static uint64_t host_convert(enum fpu_operation op, const uint64_t *x)
{
    volatile double d = fpu_double(x[0]), wide = 0;
    volatile float f = fpu_float((uint32_t)x[0]), narrow = 0;
    volatile int64_t i = (int64_t)x[0], to = 0;
    __m128 f_vector = _mm_set_ss(f);
    __m128d d_vector = _mm_set_sd(d);

    switch (op) {
    case OP_f64_to_f32:
        narrow = _mm_cvtss_f32(_mm_cvtsd_ss(_mm_setzero_ps(), d_vector));
        return fpu_bits32(narrow);
    case OP_f64_to_i32:
        to = _mm_cvtsd_si32(d_vector);
        return (uint64_t)to;
    case OP_f64_to_u32:
    case OP_f64_to_i64:
    case OP_f64_to_u64:
        to = _mm_cvtsd_si64(d_vector);
        return (uint64_t)to;
    case OP_f32_to_i32:
        to = _mm_cvtss_si32(f_vector);
        return (uint64_t)to;
    case OP_f32_to_u32:
    case OP_f32_to_i64:
    case OP_f32_to_u64:
        to = _mm_cvtss_si64(f_vector);
        return (uint64_t)to;
    case OP_i64_to_f32:
    case OP_u64_to_f32:
        narrow = _mm_cvtss_f32(_mm_cvtsi64_ss(_mm_setzero_ps(), i));
        return fpu_bits32(narrow);
    default:
        wide = _mm_cvtsd_f64(_mm_cvtsi64_sd(_mm_setzero_pd(), i));
        return fpu_bits64(wide);
    }
}

static bool is_nan(unsigned width, uint64_t bits)
{
    return width == 64 ? bits << 1 > UINT64_C(0x7ff) << 53
                       : (uint32_t)bits << 1 > UINT32_C(0xff) << 24;
}

static bool is_negative(unsigned width, uint64_t bits)
{
    return bits >> (width - 1) & 1;
}

/* What RISC-V makes of a conversion for which the host gave `to` in a wider or equal integer. */
static uint64_t saturate(enum fpu_operation op, uint64_t x, uint64_t to, uint32_t *flags)
{
    static const struct {
        uint64_t least, most;
    } range[OP_COUNT] = {
        [OP_f64_to_i32] = {(uint64_t)INT32_MIN, INT32_MAX}, [OP_f64_to_u32] = {0, UINT32_MAX},
        [OP_f64_to_i64] = {(uint64_t)INT64_MIN, INT64_MAX}, [OP_f64_to_u64] = {0, UINT64_MAX},
        [OP_f32_to_i32] = {(uint64_t)INT32_MIN, INT32_MAX}, [OP_f32_to_u32] = {0, UINT32_MAX},
        [OP_f32_to_i64] = {(uint64_t)INT64_MIN, INT64_MAX}, [OP_f32_to_u64] = {0, UINT64_MAX},
    };
    const unsigned width = fpu_cases[op].in;
    bool negative = is_negative(width, x) && !is_nan(width, x), outside = *flags & FPU_NV;

    if (range[op].least == 0 && !outside)
        outside = (int64_t)to < 0 || to > range[op].most;
    if (outside) {
        *flags = FPU_NV;
        to = negative ? range[op].least : range[op].most;
    }
    return range[op].most == UINT32_MAX ? (uint64_t)(int64_t)(int32_t)to : to;
}

/* Cases in which the host gives another answer by design. */
static bool is_comparable(enum fpu_operation op, const uint64_t *x)
{
    const unsigned width = fpu_cases[op].in;
    const uint64_t two_63 = width == 64 ? UINT64_C(0x43e) << 52 : UINT64_C(0xbe) << 23;

    switch (op) {
    case OP_fma64:
    case OP_fma32: /* infinity * 0 + NaN is quiet on x86 */
        return __builtin_cpu_supports("fma") && !is_nan(width, x[2]);
    case OP_f64_to_u64:
    case OP_f32_to_u64: /* no signed integer holds it */
        return is_negative(width, x[0]) || x[0] < two_63;
    case OP_u64_to_f64:
    case OP_u64_to_f32:
        return !(x[0] >> 63);
    default:
        return true;
    }
}

static uint64_t host(enum fpu_operation op, const uint64_t *x, unsigned rm, uint32_t *flags)
{
    const struct fpu_case *c = &fpu_cases[op];

    _mm_setcsr(mxcsr_of(rm));
    uint64_t result;
    if (op <= OP_fma64)
        result = host64(op, x);
    else if (op <= OP_fma32)
        result = host32(op, x);
    else
        result = host_convert(op, x);
    *flags = flags_of(_mm_getcsr());
    _mm_setcsr(MXCSR_DEFAULT);

    if (!c->out)
        return saturate(op, x[0], result, flags);
    if (is_nan(c->out, result))
        return c->out == 64 ? UINT64_C(0x7ff8) << 48 : 0x7fc00000;
    return result;
}

Test(fpu_host, every_operation_matches)
{
    for (enum fpu_operation op = 0; op < OP_COUNT; op++) {
        const struct fpu_case *c = &fpu_cases[op];
        struct fpu_random random = {.state = op};
        for (unsigned i = 0; i < 100000; i++) {
            uint64_t x[3];
            unsigned rm = i % 4;
            fpu_random_operands(&random, c, x);
            if (!is_comparable(op, x))
                continue;
            uint32_t expected_flags, flags = 0;
            uint64_t expected = host(op, x, rm, &expected_flags);
            uint64_t result = c->soft(x, rm, &flags);
            if (result != expected || flags != expected_flags)
                cr_assert_fail("%s(%#lx, %#lx, %#lx) rm %u: %#lx flags %#x, host %#lx %#x", c->name,
                               x[0], x[1], x[2], rm, result, flags, expected, expected_flags);
        }
    }
}

Test(fpu_host, comparisons_match)
{
    struct fpu_random random = {.state = 77};
    for (unsigned i = 0; i < 100000; i++) {
        uint64_t a = fpu_random_number(&random, 64), b = fpu_random_number(&random, 64);
        uint32_t c = (uint32_t)fpu_random_number(&random, 32);
        uint32_t d = (uint32_t)fpu_random_number(&random, 32), flags = 0;
        volatile double v[2] = {fpu_double(a), fpu_double(b)};
        volatile float w[2] = {fpu_float(c), fpu_float(d)};
        cr_assert_eq(fpu_eq64(a, b, &flags), v[0] == v[1], "%#lx %#lx", a, b);
        cr_assert_eq(fpu_lt64(a, b, &flags), v[0] < v[1], "%#lx %#lx", a, b);
        cr_assert_eq(fpu_le64(a, b, &flags), v[0] <= v[1], "%#lx %#lx", a, b);
        cr_assert_eq(fpu_eq32(c, d, &flags), w[0] == w[1], "%#x %#x", c, d);
        cr_assert_eq(fpu_lt32(c, d, &flags), w[0] < w[1], "%#x %#x", c, d);
        cr_assert_eq(fpu_le32(c, d, &flags), w[0] <= w[1], "%#x %#x", c, d);
    }
}

#endif
