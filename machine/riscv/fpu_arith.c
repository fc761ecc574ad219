#include "machine/riscv/fpu_format.h"
#include "machine/riscv/fpu_soft.h"

/* Operands of a sum: magnitude value / 2^SUM_POINT * 2^exponent. The bits above leave room for
 * the carry of a sum of two numbers below 4, which a product of significands is. */
enum { SUM_POINT = 125 };

struct term {
    bool sign;
    int exponent;
    fpu_u128 value;
};

/* A zero exact sum is +0 except when rounding down; equal signs keep theirs (IEEE 754, 6.3). */
FPU_INLINE bool zero_sign(bool a, bool b, unsigned rm)
{
    return a == b ? a : rm == FPU_RDN;
}

/* The rounded sum of two finite terms, which are at most 106 bits long: where jamming loses a bit
 * the terms are so far apart that the sum keeps more bits than any format has. */
FPU_INLINE uint64_t sum(struct fpu_format f, struct term a, struct term b, unsigned rm,
                        uint32_t *flags)
{
    if (a.exponent < b.exponent) {
        struct term t = a;
        a = b;
        b = t;
    }
    b.value = fpu_shift_jam128(b.value, (unsigned)(a.exponent - b.exponent));

    bool sign = a.sign;
    fpu_u128 total;
    if (a.sign == b.sign) {
        total = a.value + b.value;
    } else if (a.value >= b.value) {
        total = a.value - b.value;
    } else {
        total = b.value - a.value;
        sign = b.sign;
    }
    if (!total)
        return fpu_zero(f, zero_sign(a.sign, b.sign, rm));

    uint64_t high = (uint64_t)(total >> 64);
    int shift = high ? __builtin_clzll(high) : 64 + __builtin_clzll((uint64_t)total);
    total <<= shift;
    return fpu_round_pack(f, sign, a.exponent + (127 - SUM_POINT) - shift,
                          (uint64_t)(total >> 64) | ((uint64_t)total != 0), rm, flags);
}

FPU_INLINE struct term term_of(struct fpu_parts p)
{
    return (struct term){p.sign, p.exponent, (fpu_u128)p.significand << (SUM_POINT - 63)};
}

FPU_INLINE uint64_t nan_result(struct fpu_format f, bool signaling, uint32_t *flags)
{
    return signaling ? fpu_invalid(f, flags) : fpu_canonical_nan(f);
}

FPU_INLINE uint64_t add(struct fpu_format f, uint64_t a, uint64_t b, bool subtract, unsigned rm,
                        uint32_t *flags)
{
    struct fpu_parts x = fpu_unpack(f, a), y = fpu_unpack(f, b);

    if (x.kind == FPU_NAN || y.kind == FPU_NAN)
        return nan_result(f, x.signaling || y.signaling, flags);
    y.sign ^= subtract;
    if (x.kind == FPU_INFINITY && y.kind == FPU_INFINITY && x.sign != y.sign)
        return fpu_invalid(f, flags);
    if (x.kind == FPU_INFINITY || y.kind == FPU_INFINITY)
        return fpu_infinity(f, x.kind == FPU_INFINITY ? x.sign : y.sign);
    return sum(f, term_of(x), term_of(y), rm, flags);
}

FPU_INLINE uint64_t mul(struct fpu_format f, uint64_t a, uint64_t b, unsigned rm, uint32_t *flags)
{
    struct fpu_parts x = fpu_unpack(f, a), y = fpu_unpack(f, b);
    bool sign = x.sign ^ y.sign;

    if (x.kind == FPU_NAN || y.kind == FPU_NAN)
        return nan_result(f, x.signaling || y.signaling, flags);
    if (x.kind == FPU_INFINITY || y.kind == FPU_INFINITY) {
        if (x.kind == FPU_ZERO || y.kind == FPU_ZERO)
            return fpu_invalid(f, flags);
        return fpu_infinity(f, sign);
    }
    if (x.kind == FPU_ZERO || y.kind == FPU_ZERO)
        return fpu_zero(f, sign);

    fpu_u128 product = (fpu_u128)x.significand * y.significand;
    int exponent = x.exponent + y.exponent + 1;
    if (!(product >> 127)) {
        product <<= 1;
        exponent--;
    }
    return fpu_round_pack(f, sign, exponent, (uint64_t)(product >> 64) | ((uint64_t)product != 0),
                          rm, flags);
}

FPU_INLINE uint64_t multiply_add(struct fpu_format f, uint64_t a, uint64_t b, uint64_t c,
                                 unsigned rm, uint32_t *flags)
{
    struct fpu_parts x = fpu_unpack(f, a), y = fpu_unpack(f, b), z = fpu_unpack(f, c);
    bool sign = x.sign ^ y.sign;
    bool infinite = x.kind == FPU_INFINITY || y.kind == FPU_INFINITY;

    /* Infinity times zero is invalid even when the addend is a quiet NaN (F, 11.6). */
    if ((x.kind == FPU_INFINITY && y.kind == FPU_ZERO) ||
        (x.kind == FPU_ZERO && y.kind == FPU_INFINITY))
        return fpu_invalid(f, flags);
    if (x.kind == FPU_NAN || y.kind == FPU_NAN || z.kind == FPU_NAN)
        return nan_result(f, x.signaling || y.signaling || z.signaling, flags);
    if (infinite && z.kind == FPU_INFINITY && sign != z.sign)
        return fpu_invalid(f, flags);
    if (infinite || z.kind == FPU_INFINITY)
        return fpu_infinity(f, infinite ? sign : z.sign);

    /* Significands end in 11 zeros or more, so that the shift loses nothing. */
    struct term product = {sign, x.exponent + y.exponent,
                           (fpu_u128)x.significand * y.significand >> (126 - SUM_POINT)};
    if (x.kind == FPU_ZERO || y.kind == FPU_ZERO)
        product.exponent = FPU_ZERO_EXPONENT;
    return sum(f, product, term_of(z), rm, flags);
}

FPU_INLINE uint64_t divide(struct fpu_format f, uint64_t a, uint64_t b, unsigned rm,
                           uint32_t *flags)
{
    struct fpu_parts x = fpu_unpack(f, a), y = fpu_unpack(f, b);
    bool sign = x.sign ^ y.sign;

    if (x.kind == FPU_NAN || y.kind == FPU_NAN)
        return nan_result(f, x.signaling || y.signaling, flags);
    if (x.kind == y.kind && x.kind != FPU_FINITE)
        return fpu_invalid(f, flags);
    if (x.kind == FPU_INFINITY)
        return fpu_infinity(f, sign);
    if (x.kind == FPU_ZERO || y.kind == FPU_INFINITY)
        return fpu_zero(f, sign);
    if (y.kind == FPU_ZERO) {
        *flags |= FPU_DZ;
        return fpu_infinity(f, sign);
    }

    /* The quotient of significands lies between 1/2 and 2. */
    bool below_one = x.significand < y.significand;
    fpu_u128 dividend = (fpu_u128)x.significand << (63 + below_one);
    uint64_t quotient = (uint64_t)(dividend / y.significand);
    quotient |= (fpu_u128)quotient * y.significand != dividend;
    return fpu_round_pack(f, sign, x.exponent - y.exponent - below_one, quotient, rm, flags);
}

/* The root of a radicand of at least 2^126, rounded down; *exact when nothing was lost. */
static uint64_t integer_sqrt(fpu_u128 radicand, bool *exact)
{
    fpu_u128 rest = 0;
    uint64_t root = 0;

    for (int i = 126; i >= 0; i -= 2) {
        rest = rest << 2 | (radicand >> i & 3);
        fpu_u128 trial = (fpu_u128)root << 2 | 1;
        root <<= 1;
        if (rest >= trial) {
            rest -= trial;
            root |= 1;
        }
    }
    *exact = rest == 0;
    return root;
}

FPU_INLINE uint64_t square_root(struct fpu_format f, uint64_t a, unsigned rm, uint32_t *flags)
{
    struct fpu_parts x = fpu_unpack(f, a);

    if (x.kind == FPU_NAN)
        return nan_result(f, x.signaling, flags);
    if (x.kind == FPU_ZERO)
        return a;
    if (x.sign)
        return fpu_invalid(f, flags);
    if (x.kind == FPU_INFINITY)
        return a;

    bool odd = x.exponent & 1, exact;
    uint64_t root = integer_sqrt((fpu_u128)x.significand << (63 + odd), &exact);
    return fpu_round_pack(f, false, (x.exponent - odd) / 2, root | !exact, rm, flags);
}

uint64_t fpu_soft_add64(uint64_t a, uint64_t b, unsigned rm, uint32_t *flags)
{
    return add(fpu_binary64, a, b, false, rm, flags);
}

uint64_t fpu_soft_sub64(uint64_t a, uint64_t b, unsigned rm, uint32_t *flags)
{
    return add(fpu_binary64, a, b, true, rm, flags);
}

uint64_t fpu_soft_mul64(uint64_t a, uint64_t b, unsigned rm, uint32_t *flags)
{
    return mul(fpu_binary64, a, b, rm, flags);
}

uint64_t fpu_soft_div64(uint64_t a, uint64_t b, unsigned rm, uint32_t *flags)
{
    return divide(fpu_binary64, a, b, rm, flags);
}

uint64_t fpu_soft_sqrt64(uint64_t a, unsigned rm, uint32_t *flags)
{
    return square_root(fpu_binary64, a, rm, flags);
}

uint64_t fpu_soft_fma64(uint64_t a, uint64_t b, uint64_t c, unsigned rm, uint32_t *flags)
{
    return multiply_add(fpu_binary64, a, b, c, rm, flags);
}

uint32_t fpu_soft_add32(uint32_t a, uint32_t b, unsigned rm, uint32_t *flags)
{
    return (uint32_t)add(fpu_binary32, a, b, false, rm, flags);
}

uint32_t fpu_soft_sub32(uint32_t a, uint32_t b, unsigned rm, uint32_t *flags)
{
    return (uint32_t)add(fpu_binary32, a, b, true, rm, flags);
}

uint32_t fpu_soft_mul32(uint32_t a, uint32_t b, unsigned rm, uint32_t *flags)
{
    return (uint32_t)mul(fpu_binary32, a, b, rm, flags);
}

uint32_t fpu_soft_div32(uint32_t a, uint32_t b, unsigned rm, uint32_t *flags)
{
    return (uint32_t)divide(fpu_binary32, a, b, rm, flags);
}

uint32_t fpu_soft_sqrt32(uint32_t a, unsigned rm, uint32_t *flags)
{
    return (uint32_t)square_root(fpu_binary32, a, rm, flags);
}

uint32_t fpu_soft_fma32(uint32_t a, uint32_t b, uint32_t c, unsigned rm, uint32_t *flags)
{
    return (uint32_t)multiply_add(fpu_binary32, a, b, c, rm, flags);
}
