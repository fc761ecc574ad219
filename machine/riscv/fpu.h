/* IEEE 754 binary32 and binary64 arithmetic as RISC-V's F and D define it, bit-exact on any host.
 *
 * Numbers are their bit patterns; NaN boxing is the caller's. A result that is a NaN is the
 * canonical one. Exceptions are ORed into *flags, which holds the accrued flags; tininess is
 * detected after rounding. `rm` is a static rounding mode FPU_RNE to FPU_RMM; the caller has
 * resolved DYN and refused the reserved ones.
 *
 * fpu_soft.h computes everything with integers and is what results mean. The functions here first
 * try the host's FPU where bits and flags are provably the same:
 *  - rounding to nearest, result finite and certainly not tiny, NX accrued already: the only flag
 *    the operation could raise is NX, so none need be known;
 *  - the operation is exact: it rounds nowhere and raises nothing. Sums are exact when the
 *    residual of the error-free transformation is zero, products when the significands are short.
 * Since NX is sticky, a program that rounds pays for the integer path about once.
 *
 * The host must stand in its default floating-point environment (nearest, no flush to zero), as
 * every thread starts; nothing here reads or changes it. Contraction could change nothing: each
 * product that meets a sum below is exact. */
#ifndef MACHINE_RISCV_FPU_H
#define MACHINE_RISCV_FPU_H

#include "machine/riscv/fpu_soft.h"

#include <float.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { FPU_RNE = 0, FPU_RTZ = 1, FPU_RDN = 2, FPU_RUP = 3, FPU_RMM = 4 };
enum { FPU_NX = 1, FPU_UF = 2, FPU_OF = 4, FPU_DZ = 8, FPU_NV = 16 };

/* Hosts that keep excess precision, and builds told to trade exactness away, use integers only.
 * So does a build with FPU_SOFT_ONLY. (Method 16 widens half precision alone.) */
#if (FLT_EVAL_METHOD == 0 || FLT_EVAL_METHOD == 16) && !defined(__FAST_MATH__) &&                  \
    !defined(FPU_SOFT_ONLY)
#define FPU_HOST 1
#else
#define FPU_HOST 0
#endif

#if FPU_HOST && defined(__SSE2__)
#include <emmintrin.h>
#define FPU_HOST_SQRT 1
#elif FPU_HOST && defined(__aarch64__)
#define FPU_HOST_SQRT 1
#else
#define FPU_HOST_SQRT 0
#endif

/* fmin.d/fmax.d of F 2.2 (IEEE 754-2019 minimumNumber): -0 is below +0, one NaN yields the other
 * operand, two the canonical NaN; only a signaling NaN raises NV. */
uint64_t fpu_min64(uint64_t a, uint64_t b, uint32_t *flags);
uint64_t fpu_max64(uint64_t a, uint64_t b, uint32_t *flags);
uint32_t fpu_min32(uint32_t a, uint32_t b, uint32_t *flags);
uint32_t fpu_max32(uint32_t a, uint32_t b, uint32_t *flags);
/* feq is quiet, flt and fle signal on every NaN. */
bool fpu_eq64(uint64_t a, uint64_t b, uint32_t *flags);
bool fpu_lt64(uint64_t a, uint64_t b, uint32_t *flags);
bool fpu_le64(uint64_t a, uint64_t b, uint32_t *flags);
bool fpu_eq32(uint32_t a, uint32_t b, uint32_t *flags);
bool fpu_lt32(uint32_t a, uint32_t b, uint32_t *flags);
bool fpu_le32(uint32_t a, uint32_t b, uint32_t *flags);
/* The ten-bit mask of fclass. */
uint32_t fpu_class64(uint64_t a);
uint32_t fpu_class32(uint32_t a);

/* The host's fused multiply-add instruction, rounding to nearest, into *result; false, with
 * *result untouched, on a host without one. Never a library's emulation of it. */
bool fpu_host_fma64(double a, double b, double c, double *result);

static inline double fpu_double(uint64_t bits)
{
    double d;
    memcpy(&d, &bits, sizeof d);
    return d;
}

static inline uint64_t fpu_bits64(double d)
{
    uint64_t bits;
    memcpy(&bits, &d, sizeof bits);
    return bits;
}

static inline float fpu_float(uint32_t bits)
{
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static inline uint32_t fpu_bits32(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

/* Whether the host may round in the guest's stead without its exactness being known. */
static inline bool fpu_may_round(unsigned rm, const uint32_t *flags)
{
    return rm == FPU_RNE && (*flags & FPU_NX);
}

static inline unsigned fpu_exponent64(uint64_t bits)
{
    return bits >> 52 & 0x7ff;
}

static inline unsigned fpu_exponent32(uint32_t bits)
{
    return bits >> 23 & 0xff;
}

static inline bool fpu_finite64(uint64_t bits)
{
    return fpu_exponent64(bits) != 0x7ff;
}

static inline bool fpu_finite32(uint32_t bits)
{
    return fpu_exponent32(bits) != 0xff;
}

/* Finite and at least twice the smallest normal number: such a rounded result was not tiny. */
static inline bool fpu_safe64(uint64_t bits)
{
    return fpu_exponent64(bits) - 2 < 0x7ff - 2;
}

static inline bool fpu_safe32(uint32_t bits)
{
    return fpu_exponent32(bits) - 2 < 0xff - 2;
}

static inline bool fpu_is_zero64(uint64_t bits)
{
    return bits << 1 == 0;
}

static inline bool fpu_is_zero32(uint32_t bits)
{
    return bits << 1 == 0;
}

/* Whether the product of two finite numbers, neither of them zero, has at most 53 significant bits.
 * Subnormals are taken for the longer numbers that a leading one would make of them: false may be
 * wrong for those, true never is. */
static inline bool fpu_short_product64(uint64_t a, uint64_t b)
{
    const uint64_t one = UINT64_C(1) << 52;
    uint64_t x = (a & (one - 1)) | one, y = (b & (one - 1)) | one;
    int zeros_x = __builtin_ctzll(x), zeros_y = __builtin_ctzll(y);

    if (zeros_x + zeros_y != 52)
        return zeros_x + zeros_y > 52;
    return (x >> zeros_x) * (y >> zeros_y) >> 53 == 0;
}

/* Whether s, the host's a + b, is exact (Knuth's two-sum; false when it overflows on its way). */
static inline bool fpu_exact_sum64(double a, double b, double s)
{
    double b_part = s - a;
    return (a - (s - b_part)) + (b - b_part) == 0;
}

static inline bool fpu_exact_sum32(float a, float b, float s)
{
    float b_part = s - a;
    return (a - (s - b_part)) + (b - b_part) == 0;
}

#if FPU_HOST_SQRT
/* The host's instruction; the compiler's builtin would call libm for errno. */
static inline double fpu_host_sqrt64(double a)
{
#if defined(__SSE2__)
    __m128d v = _mm_set_sd(a);
    return _mm_cvtsd_f64(_mm_sqrt_sd(v, v));
#else
    double r;
    __asm__("fsqrt %d0, %d1" : "=w"(r) : "w"(a));
    return r;
#endif
}

static inline float fpu_host_sqrt32(float a)
{
#if defined(__SSE2__)
    return _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(a)));
#else
    float r;
    __asm__("fsqrt %s0, %s1" : "=w"(r) : "w"(a));
    return r;
#endif
}
#endif

static inline uint64_t fpu_add64(uint64_t a, uint64_t b, unsigned rm, uint32_t *flags)
{
    if (FPU_HOST && rm == FPU_RNE) {
        double x = fpu_double(a), y = fpu_double(b), s = x + y;
        uint64_t r = fpu_bits64(s);
        /* A sum below the normal range is exact: both terms are multiples of the least number. */
        if (fpu_finite64(r) && ((*flags & FPU_NX) || fpu_exact_sum64(x, y, s)))
            return r;
    }
    return fpu_soft_add64(a, b, rm, flags);
}

static inline uint64_t fpu_sub64(uint64_t a, uint64_t b, unsigned rm, uint32_t *flags)
{
    if (FPU_HOST && rm == FPU_RNE) {
        double x = fpu_double(a), y = -fpu_double(b), s = x + y;
        uint64_t r = fpu_bits64(s);
        if (fpu_finite64(r) && ((*flags & FPU_NX) || fpu_exact_sum64(x, y, s)))
            return r;
    }
    return fpu_soft_sub64(a, b, rm, flags);
}

static inline uint64_t fpu_mul64(uint64_t a, uint64_t b, unsigned rm, uint32_t *flags)
{
    if (FPU_HOST && rm == FPU_RNE) {
        uint64_t r = fpu_bits64(fpu_double(a) * fpu_double(b));
        if (fpu_safe64(r)) {
            if ((*flags & FPU_NX) || fpu_short_product64(a, b))
                return r;
        } else if (fpu_is_zero64(r) && (fpu_is_zero64(a) || fpu_is_zero64(b))) {
            return r;
        }
    }
    return fpu_soft_mul64(a, b, rm, flags);
}

static inline uint64_t fpu_div64(uint64_t a, uint64_t b, unsigned rm, uint32_t *flags)
{
    if (FPU_HOST && rm == FPU_RNE && !fpu_is_zero64(b)) {
        double q = fpu_double(a) / fpu_double(b);
        uint64_t r = fpu_bits64(q);
        if (fpu_safe64(r)) {
            if ((*flags & FPU_NX) || (fpu_exponent64(a) && fpu_short_product64(r, b) &&
                                      q * fpu_double(b) == fpu_double(a)))
                return r;
        } else if (fpu_is_zero64(r) && fpu_is_zero64(a)) {
            return r;
        }
    }
    return fpu_soft_div64(a, b, rm, flags);
}

static inline uint64_t fpu_sqrt64(uint64_t a, unsigned rm, uint32_t *flags)
{
#if FPU_HOST_SQRT
    if (rm == FPU_RNE) {
        double s = fpu_host_sqrt64(fpu_double(a));
        uint64_t r = fpu_bits64(s);
        /* Roots are far from both ends of the range; only 0 has the root 0. Squares below the
         * normal range round, and may do so onto a number that is no square. */
        if (fpu_finite64(r) &&
            ((*flags & FPU_NX) || fpu_is_zero64(r) ||
             (fpu_exponent64(a) && fpu_short_product64(r, r) && s * s == fpu_double(a))))
            return r;
    }
#endif
    return fpu_soft_sqrt64(a, rm, flags);
}

/* a * b + c, rounded once. The other three fused forms are this one with signs turned. */
static inline uint64_t fpu_fma64(uint64_t a, uint64_t b, uint64_t c, unsigned rm, uint32_t *flags)
{
    if (FPU_HOST && rm == FPU_RNE) {
        double x = fpu_double(a), y = fpu_double(b), z = fpu_double(c), fused;
        if ((*flags & FPU_NX) && fpu_host_fma64(x, y, z, &fused) && fpu_safe64(fpu_bits64(fused)))
            return fpu_bits64(fused);

        /* With an exact product one rounding is left, that of the sum. */
        double p = x * y;
        uint64_t product = fpu_bits64(p);
        if (fpu_is_zero64(product) ? fpu_is_zero64(a) || fpu_is_zero64(b)
                                   : fpu_safe64(product) && fpu_short_product64(a, b)) {
            double s = p + z;
            uint64_t r = fpu_bits64(s);
            if (fpu_finite64(r) && ((*flags & FPU_NX) || fpu_exact_sum64(p, z, s)))
                return r;
        }
    }
    return fpu_soft_fma64(a, b, c, rm, flags);
}

static inline uint32_t fpu_add32(uint32_t a, uint32_t b, unsigned rm, uint32_t *flags)
{
    if (FPU_HOST && rm == FPU_RNE) {
        float x = fpu_float(a), y = fpu_float(b), s = x + y;
        uint32_t r = fpu_bits32(s);
        if (fpu_finite32(r) && ((*flags & FPU_NX) || fpu_exact_sum32(x, y, s)))
            return r;
    }
    return fpu_soft_add32(a, b, rm, flags);
}

static inline uint32_t fpu_sub32(uint32_t a, uint32_t b, unsigned rm, uint32_t *flags)
{
    if (FPU_HOST && rm == FPU_RNE) {
        float x = fpu_float(a), y = -fpu_float(b), s = x + y;
        uint32_t r = fpu_bits32(s);
        if (fpu_finite32(r) && ((*flags & FPU_NX) || fpu_exact_sum32(x, y, s)))
            return r;
    }
    return fpu_soft_sub32(a, b, rm, flags);
}

/* Products of binary32 numbers are exact in binary64, so an exact result shows itself. */
static inline uint32_t fpu_mul32(uint32_t a, uint32_t b, unsigned rm, uint32_t *flags)
{
    if (FPU_HOST && rm == FPU_RNE) {
        float x = fpu_float(a), y = fpu_float(b), p = x * y;
        uint32_t r = fpu_bits32(p);
        if (((*flags & FPU_NX) && fpu_safe32(r)) ||
            (fpu_finite32(r) && (double)x * (double)y == (double)p))
            return r;
    }
    return fpu_soft_mul32(a, b, rm, flags);
}

static inline uint32_t fpu_div32(uint32_t a, uint32_t b, unsigned rm, uint32_t *flags)
{
    if (FPU_HOST && rm == FPU_RNE && !fpu_is_zero32(b)) {
        float x = fpu_float(a), y = fpu_float(b), q = x / y;
        uint32_t r = fpu_bits32(q);
        if (((*flags & FPU_NX) && fpu_safe32(r)) ||
            (fpu_finite32(r) && (double)q * (double)y == (double)x))
            return r;
    }
    return fpu_soft_div32(a, b, rm, flags);
}

static inline uint32_t fpu_sqrt32(uint32_t a, unsigned rm, uint32_t *flags)
{
#if FPU_HOST_SQRT
    if (rm == FPU_RNE) {
        float x = fpu_float(a), s = fpu_host_sqrt32(x);
        uint32_t r = fpu_bits32(s);
        if (fpu_finite32(r) && ((*flags & FPU_NX) || (double)s * (double)s == (double)x))
            return r;
    }
#endif
    return fpu_soft_sqrt32(a, rm, flags);
}

static inline uint32_t fpu_fma32(uint32_t a, uint32_t b, uint32_t c, unsigned rm, uint32_t *flags)
{
    if (FPU_HOST && rm == FPU_RNE) {
        double p = (double)fpu_float(a) * (double)fpu_float(b), z = (double)fpu_float(c);
        double s = p + z;
        float narrow = (float)s;
        uint32_t r = fpu_bits32(narrow);
        /* The sum is rounded twice, which is harmless unless the first rounding ends half-way
         * between two binary32 numbers. */
        bool halfway = (fpu_bits64(s) & 0x1fffffff) == 0x10000000;
        if ((*flags & FPU_NX) && fpu_safe32(r) && !halfway)
            return r;
        if (fpu_finite32(r) && fpu_exact_sum64(p, z, s) &&
            ((double)narrow == s || ((*flags & FPU_NX) && fpu_safe32(r))))
            return r;
    }
    return fpu_soft_fma32(a, b, c, rm, flags);
}

#include "machine/riscv/fpu_convert.h"

#endif
