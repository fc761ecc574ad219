#include "machine/riscv/fpu_format.h"
#include "machine/riscv/fpu_soft.h"

/* The integer nearest by rm, of `width` (32 or 64) bits; out of range and NaN saturate with NV
 * alone (RISC-V F, "conversion and move instructions"). 32-bit results are sign-extended. */
FPU_INLINE uint64_t to_integer(struct fpu_format f, uint64_t a, unsigned width, bool is_signed,
                               unsigned rm, uint32_t *flags)
{
    const uint64_t most = UINT64_MAX >> (64 - width + is_signed);
    const uint64_t least_magnitude = is_signed ? most + 1 : 0;
    struct fpu_parts x = fpu_unpack(f, a);
    bool sign = x.sign && x.kind != FPU_NAN;
    bool inexact = false;
    fpu_u128 magnitude = (fpu_u128)1 << 64; /* out of every range */

    if (x.kind == FPU_ZERO)
        return 0;
    if (x.kind == FPU_FINITE && x.exponent < 64) {
        fpu_u128 fixed =
            fpu_shift_jam128((fpu_u128)x.significand << 64, (unsigned)(63 - x.exponent));
        uint64_t rest = (uint64_t)fixed;
        magnitude = fixed >> 64;
        magnitude += fpu_rounds_up(sign, magnitude & 1, rest, UINT64_C(1) << 63, rm);
        inexact = rest != 0;
    }

    uint64_t result;
    if (magnitude > (sign ? least_magnitude : most)) {
        *flags |= FPU_NV;
        result = sign ? -least_magnitude : most;
    } else {
        if (inexact)
            *flags |= FPU_NX;
        result = sign ? -(uint64_t)magnitude : (uint64_t)magnitude;
    }
    return width == 32 ? (uint64_t)(int64_t)(int32_t)(uint32_t)result : result;
}

FPU_INLINE uint64_t from_integer(struct fpu_format f, bool sign, uint64_t magnitude, unsigned rm,
                                 uint32_t *flags)
{
    if (!magnitude)
        return 0;
    int shift = __builtin_clzll(magnitude);
    return fpu_round_pack(f, sign, 63 - shift, magnitude << shift, rm, flags);
}

FPU_INLINE uint64_t from_signed(struct fpu_format f, uint64_t x, unsigned rm, uint32_t *flags)
{
    bool sign = x >> 63;
    return from_integer(f, sign, sign ? -x : x, rm, flags);
}

FPU_INLINE uint64_t change_format(struct fpu_format from, struct fpu_format to, uint64_t a,
                                  unsigned rm, uint32_t *flags)
{
    struct fpu_parts x = fpu_unpack(from, a);

    switch (x.kind) {
    case FPU_NAN:
        return x.signaling ? fpu_invalid(to, flags) : fpu_canonical_nan(to);
    case FPU_INFINITY:
        return fpu_infinity(to, x.sign);
    case FPU_ZERO:
        return fpu_zero(to, x.sign);
    default:
        return fpu_round_pack(to, x.sign, x.exponent, x.significand, rm, flags);
    }
}

uint64_t fpu_soft_f32_to_f64(uint32_t a, uint32_t *flags)
{
    return change_format(fpu_binary32, fpu_binary64, a, FPU_RNE, flags);
}

uint32_t fpu_soft_f64_to_f32(uint64_t a, unsigned rm, uint32_t *flags)
{
    return (uint32_t)change_format(fpu_binary64, fpu_binary32, a, rm, flags);
}

uint64_t fpu_soft_f64_to_i32(uint64_t a, unsigned rm, uint32_t *flags)
{
    return to_integer(fpu_binary64, a, 32, true, rm, flags);
}

uint64_t fpu_soft_f64_to_u32(uint64_t a, unsigned rm, uint32_t *flags)
{
    return to_integer(fpu_binary64, a, 32, false, rm, flags);
}

uint64_t fpu_soft_f64_to_i64(uint64_t a, unsigned rm, uint32_t *flags)
{
    return to_integer(fpu_binary64, a, 64, true, rm, flags);
}

uint64_t fpu_soft_f64_to_u64(uint64_t a, unsigned rm, uint32_t *flags)
{
    return to_integer(fpu_binary64, a, 64, false, rm, flags);
}

uint64_t fpu_soft_f32_to_i32(uint32_t a, unsigned rm, uint32_t *flags)
{
    return to_integer(fpu_binary32, a, 32, true, rm, flags);
}

uint64_t fpu_soft_f32_to_u32(uint32_t a, unsigned rm, uint32_t *flags)
{
    return to_integer(fpu_binary32, a, 32, false, rm, flags);
}

uint64_t fpu_soft_f32_to_i64(uint32_t a, unsigned rm, uint32_t *flags)
{
    return to_integer(fpu_binary32, a, 64, true, rm, flags);
}

uint64_t fpu_soft_f32_to_u64(uint32_t a, unsigned rm, uint32_t *flags)
{
    return to_integer(fpu_binary32, a, 64, false, rm, flags);
}

uint64_t fpu_soft_i64_to_f64(uint64_t x, unsigned rm, uint32_t *flags)
{
    return from_signed(fpu_binary64, x, rm, flags);
}

uint64_t fpu_soft_u64_to_f64(uint64_t x, unsigned rm, uint32_t *flags)
{
    return from_integer(fpu_binary64, false, x, rm, flags);
}

uint32_t fpu_soft_i64_to_f32(uint64_t x, unsigned rm, uint32_t *flags)
{
    return (uint32_t)from_signed(fpu_binary32, x, rm, flags);
}

uint32_t fpu_soft_u64_to_f32(uint64_t x, unsigned rm, uint32_t *flags)
{
    return (uint32_t)from_integer(fpu_binary32, false, x, rm, flags);
}
