/* Conversions between the formats and with integers; the second half of fpu.h, which includes it
 * and states the contract. */
#ifndef MACHINE_RISCV_FPU_CONVERT_H
#define MACHINE_RISCV_FPU_CONVERT_H

#include "machine/riscv/fpu.h"

static inline uint64_t fpu_f32_to_f64(uint32_t a, uint32_t *flags)
{
    if (FPU_HOST && fpu_finite32(a))
        return fpu_bits64((double)fpu_float(a));
    return fpu_soft_f32_to_f64(a, flags);
}

static inline uint32_t fpu_f64_to_f32(uint64_t a, unsigned rm, uint32_t *flags)
{
    if (FPU_HOST && fpu_finite64(a)) {
        float narrow = (float)fpu_double(a);
        uint32_t r = fpu_bits32(narrow);
        if ((double)narrow == fpu_double(a) || (fpu_may_round(rm, flags) && fpu_safe32(r)))
            return r;
    }
    return fpu_soft_f64_to_f32(a, rm, flags);
}

/* The integer part of a number below 2^63 into *integer. True when it is what rm asks for, which
 * leaves its range to check; NX has then to be raised where *inexact. */
static inline bool fpu_truncate(double d, unsigned rm, int64_t *integer, bool *inexact)
{
    if (!FPU_HOST || fpu_exponent64(fpu_bits64(d)) >= 1023 + 63)
        return false;
    *integer = (int64_t)d;
    *inexact = (double)*integer != d;
    return rm == FPU_RTZ || !*inexact;
}

/* Results in a 64-bit register: 32-bit ones are sign-extended, also the unsigned ones. Numbers out
 * of range and infinities saturate, NaNs give the greatest value; all raise NV and nothing else. */
static inline uint64_t fpu_f64_to_i32(uint64_t a, unsigned rm, uint32_t *flags)
{
    int64_t i;
    bool inexact;

    if (!fpu_truncate(fpu_double(a), rm, &i, &inexact) || i != (int32_t)i)
        return fpu_soft_f64_to_i32(a, rm, flags);
    *flags |= inexact ? FPU_NX : 0;
    return (uint64_t)i;
}

static inline uint64_t fpu_f64_to_u32(uint64_t a, unsigned rm, uint32_t *flags)
{
    int64_t i;
    bool inexact;

    if (!fpu_truncate(fpu_double(a), rm, &i, &inexact) || i != (uint32_t)i)
        return fpu_soft_f64_to_u32(a, rm, flags);
    *flags |= inexact ? FPU_NX : 0;
    return (uint64_t)(int32_t)i;
}

static inline uint64_t fpu_f64_to_i64(uint64_t a, unsigned rm, uint32_t *flags)
{
    int64_t i;
    bool inexact;

    if (!fpu_truncate(fpu_double(a), rm, &i, &inexact))
        return fpu_soft_f64_to_i64(a, rm, flags);
    *flags |= inexact ? FPU_NX : 0;
    return (uint64_t)i;
}

static inline uint64_t fpu_f64_to_u64(uint64_t a, unsigned rm, uint32_t *flags)
{
    int64_t i;
    bool inexact;

    if (!fpu_truncate(fpu_double(a), rm, &i, &inexact) || i < 0)
        return fpu_soft_f64_to_u64(a, rm, flags);
    *flags |= inexact ? FPU_NX : 0;
    return (uint64_t)i;
}

/* Every binary32 number that is no signaling NaN widens to binary64 without a trace. */
static inline uint64_t fpu_f32_to_i32(uint32_t a, unsigned rm, uint32_t *flags)
{
    return fpu_finite32(a) ? fpu_f64_to_i32(fpu_f32_to_f64(a, flags), rm, flags)
                           : fpu_soft_f32_to_i32(a, rm, flags);
}

static inline uint64_t fpu_f32_to_u32(uint32_t a, unsigned rm, uint32_t *flags)
{
    return fpu_finite32(a) ? fpu_f64_to_u32(fpu_f32_to_f64(a, flags), rm, flags)
                           : fpu_soft_f32_to_u32(a, rm, flags);
}

static inline uint64_t fpu_f32_to_i64(uint32_t a, unsigned rm, uint32_t *flags)
{
    return fpu_finite32(a) ? fpu_f64_to_i64(fpu_f32_to_f64(a, flags), rm, flags)
                           : fpu_soft_f32_to_i64(a, rm, flags);
}

static inline uint64_t fpu_f32_to_u64(uint32_t a, unsigned rm, uint32_t *flags)
{
    return fpu_finite32(a) ? fpu_f64_to_u64(fpu_f32_to_f64(a, flags), rm, flags)
                           : fpu_soft_f32_to_u64(a, rm, flags);
}

/* From the integer in a 64-bit register; the 32-bit ones look at its low half only. */
static inline uint64_t fpu_i64_to_f64(uint64_t x, unsigned rm, uint32_t *flags)
{
    /* Magnitudes up to 2^53 are exact. */
    if (FPU_HOST && (x + (UINT64_C(1) << 53) <= UINT64_C(1) << 54 || fpu_may_round(rm, flags)))
        return fpu_bits64((double)(int64_t)x);
    return fpu_soft_i64_to_f64(x, rm, flags);
}

static inline uint64_t fpu_u64_to_f64(uint64_t x, unsigned rm, uint32_t *flags)
{
    return x >> 63 ? fpu_soft_u64_to_f64(x, rm, flags) : fpu_i64_to_f64(x, rm, flags);
}

static inline uint64_t fpu_i32_to_f64(uint64_t x, unsigned rm, uint32_t *flags)
{
    return fpu_i64_to_f64((uint64_t)(int64_t)(int32_t)x, rm, flags);
}

static inline uint64_t fpu_u32_to_f64(uint64_t x, unsigned rm, uint32_t *flags)
{
    return fpu_i64_to_f64((uint32_t)x, rm, flags);
}

static inline uint32_t fpu_i64_to_f32(uint64_t x, unsigned rm, uint32_t *flags)
{
    if (FPU_HOST && (x + (UINT64_C(1) << 24) <= UINT64_C(1) << 25 || fpu_may_round(rm, flags)))
        return fpu_bits32((float)(int64_t)x);
    return fpu_soft_i64_to_f32(x, rm, flags);
}

static inline uint32_t fpu_u64_to_f32(uint64_t x, unsigned rm, uint32_t *flags)
{
    return x >> 63 ? fpu_soft_u64_to_f32(x, rm, flags) : fpu_i64_to_f32(x, rm, flags);
}

static inline uint32_t fpu_i32_to_f32(uint64_t x, unsigned rm, uint32_t *flags)
{
    return fpu_i64_to_f32((uint64_t)(int64_t)(int32_t)x, rm, flags);
}

static inline uint32_t fpu_u32_to_f32(uint64_t x, unsigned rm, uint32_t *flags)
{
    return fpu_i64_to_f32((uint32_t)x, rm, flags);
}

#endif
