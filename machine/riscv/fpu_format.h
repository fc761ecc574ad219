/* Taking numbers of a binary format apart and rounding them back, for the fpu_*.c files only.
 *
 * Every function takes the format as a value that is constant at its call, and is inlined there:
 * one text serves binary32 and binary64 and each gets its own code. Packed numbers of either
 * format travel in the low bits of a uint64_t. */
#ifndef MACHINE_RISCV_FPU_FORMAT_H
#define MACHINE_RISCV_FPU_FORMAT_H

#include "machine/riscv/fpu.h"

#include <stdbool.h>
#include <stdint.h>

#define FPU_INLINE static inline __attribute__((always_inline))

typedef unsigned __int128 fpu_u128;

struct fpu_format {
    unsigned fraction; /* stored significand bits */
    unsigned exponent; /* exponent bits */
};

static const struct fpu_format fpu_binary32 = {23, 8};
static const struct fpu_format fpu_binary64 = {52, 11};

enum fpu_kind { FPU_ZERO, FPU_FINITE, FPU_INFINITY, FPU_NAN };

/* FPU_FINITE: the magnitude is significand / 2^63 * 2^exponent, with bit 63 of the significand
 * set (subnormals are normalized). FPU_ZERO: significand 0, exponent below every other one. */
struct fpu_parts {
    enum fpu_kind kind;
    bool sign;
    bool signaling; /* an FPU_NAN with a clear quiet bit */
    int exponent;
    uint64_t significand;
};

enum { FPU_ZERO_EXPONENT = -100000 };

FPU_INLINE int fpu_bias(struct fpu_format f)
{
    return (1 << (f.exponent - 1)) - 1;
}

FPU_INLINE uint64_t fpu_zero(struct fpu_format f, bool sign)
{
    return (uint64_t)sign << (f.fraction + f.exponent);
}

FPU_INLINE uint64_t fpu_infinity(struct fpu_format f, bool sign)
{
    return fpu_zero(f, sign) | ((UINT64_C(1) << f.exponent) - 1) << f.fraction;
}

FPU_INLINE uint64_t fpu_canonical_nan(struct fpu_format f)
{
    return fpu_infinity(f, false) | UINT64_C(1) << (f.fraction - 1);
}

FPU_INLINE uint64_t fpu_invalid(struct fpu_format f, uint32_t *flags)
{
    *flags |= FPU_NV;
    return fpu_canonical_nan(f);
}

FPU_INLINE struct fpu_parts fpu_unpack(struct fpu_format f, uint64_t bits)
{
    uint64_t fraction = bits & ((UINT64_C(1) << f.fraction) - 1);
    int biased = (int)(bits >> f.fraction & ((1u << f.exponent) - 1));
    struct fpu_parts p = {
        .kind = FPU_FINITE,
        .sign = bits >> (f.fraction + f.exponent) & 1,
    };

    if (biased == (1 << f.exponent) - 1) {
        p.kind = fraction ? FPU_NAN : FPU_INFINITY;
        p.signaling = fraction && !(fraction >> (f.fraction - 1));
    } else if (biased) {
        p.exponent = biased - fpu_bias(f);
        p.significand = (fraction | UINT64_C(1) << f.fraction) << (63 - f.fraction);
    } else if (fraction) {
        int shift = __builtin_clzll(fraction);
        p.exponent = 1 - fpu_bias(f) + (63 - (int)f.fraction) - shift;
        p.significand = fraction << shift;
    } else {
        p.kind = FPU_ZERO;
        p.exponent = FPU_ZERO_EXPONENT;
    }
    return p;
}

/* value / 2^count, with the lowest bit set when a bit was lost: enough to round rightly later. */
FPU_INLINE uint64_t fpu_shift_jam64(uint64_t value, unsigned count)
{
    if (count > 63)
        return value != 0;
    return value >> count | ((value & ((UINT64_C(1) << count) - 1)) != 0);
}

FPU_INLINE fpu_u128 fpu_shift_jam128(fpu_u128 value, unsigned count)
{
    if (count > 127)
        return value != 0;
    return value >> count | ((value & (((fpu_u128)1 << count) - 1)) != 0);
}

/* Whether a magnitude `kept` with `rest` behind it, in units of which `half` is one half of
 * kept's last place, is rounded away from zero. */
FPU_INLINE bool fpu_rounds_up(bool sign, bool odd, uint64_t rest, uint64_t half, unsigned rm)
{
    switch (rm) {
    case FPU_RNE:
        return rest > half || (rest == half && odd);
    case FPU_RDN:
        return sign && rest;
    case FPU_RUP:
        return !sign && rest;
    case FPU_RMM:
        return rest >= half;
    default:
        return false;
    }
}

FPU_INLINE uint64_t fpu_overflow(struct fpu_format f, bool sign, unsigned rm, uint32_t *flags)
{
    bool to_infinity =
        rm == FPU_RNE || rm == FPU_RMM || (rm == FPU_RDN && sign) || (rm == FPU_RUP && !sign);

    *flags |= FPU_OF | FPU_NX;
    return fpu_infinity(f, sign) - !to_infinity;
}

/* The packed number nearest, by rm, to significand / 2^63 * 2^exponent. The significand is
 * normalized; its lowest bit may stand for any amount below it. */
FPU_INLINE uint64_t fpu_round_pack(struct fpu_format f, bool sign, int exponent,
                                   uint64_t significand, unsigned rm, uint32_t *flags)
{
    const unsigned drop = 63 - f.fraction;
    const uint64_t half = UINT64_C(1) << (drop - 1), mask = (half << 1) - 1;
    int biased = exponent + fpu_bias(f);
    bool tiny = false;

    if (biased > 2 * fpu_bias(f))
        return fpu_overflow(f, sign, rm, flags);
    if (biased < 1) {
        /* Tininess is judged after rounding to full precision with no bound on the exponent:
         * a carry into the smallest normal number is not tiny. */
        uint64_t kept = significand >> drop;
        kept += fpu_rounds_up(sign, kept & 1, significand & mask, half, rm);
        tiny = biased < 0 || !(kept >> (f.fraction + 1));
        significand = fpu_shift_jam64(significand, (unsigned)(1 - biased));
        biased = 1;
    }

    uint64_t kept = significand >> drop, rest = significand & mask;
    kept += fpu_rounds_up(sign, kept & 1, rest, half, rm);
    /* The leading bit of `kept`, where it has one, adds the last one to the exponent, as does a
     * carry out of the fraction. */
    uint64_t packed = ((uint64_t)(biased - 1) << f.fraction) + kept;
    if (packed >= fpu_infinity(f, false))
        return fpu_overflow(f, sign, rm, flags);
    if (rest)
        *flags |= tiny ? FPU_UF | FPU_NX : FPU_NX;
    return fpu_zero(f, sign) | packed;
}

#endif
