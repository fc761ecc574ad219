#include "machine/riscv/fpu_format.h"

/* fclass.d/fclass.s result bits (RISC-V F, "floating-point classify"). */
enum {
    CLASS_NEGATIVE_INFINITY = 1 << 0,
    CLASS_NEGATIVE_NORMAL = 1 << 1,
    CLASS_NEGATIVE_SUBNORMAL = 1 << 2,
    CLASS_NEGATIVE_ZERO = 1 << 3,
    CLASS_POSITIVE_ZERO = 1 << 4,
    CLASS_POSITIVE_SUBNORMAL = 1 << 5,
    CLASS_POSITIVE_NORMAL = 1 << 6,
    CLASS_POSITIVE_INFINITY = 1 << 7,
    CLASS_SIGNALING_NAN = 1 << 8,
    CLASS_QUIET_NAN = 1 << 9
};

FPU_INLINE bool is_nan(struct fpu_format f, uint64_t a)
{
    return (a & ~fpu_zero(f, true)) > fpu_infinity(f, false);
}

FPU_INLINE bool is_signaling(struct fpu_format f, uint64_t a)
{
    return is_nan(f, a) && !(a >> (f.fraction - 1) & 1);
}

/* Whether a stands before b where -0 is less than +0; neither is a NaN. */
FPU_INLINE bool ordered_before(struct fpu_format f, uint64_t a, uint64_t b)
{
    bool negative = a & fpu_zero(f, true);

    if ((a ^ b) & fpu_zero(f, true))
        return negative;
    return negative ? a > b : a < b;
}

FPU_INLINE uint64_t extreme(struct fpu_format f, uint64_t a, uint64_t b, bool greatest,
                            uint32_t *flags)
{
    if (is_signaling(f, a) || is_signaling(f, b))
        *flags |= FPU_NV;
    if (is_nan(f, a))
        return is_nan(f, b) ? fpu_canonical_nan(f) : b;
    if (is_nan(f, b))
        return a;
    return ordered_before(f, a, b) == greatest ? b : a;
}

/* a < b, or a <= b. */
FPU_INLINE bool less(struct fpu_format f, uint64_t a, uint64_t b, bool or_equal, uint32_t *flags)
{
    if (is_nan(f, a) || is_nan(f, b)) {
        *flags |= FPU_NV;
        return false;
    }
    if (a == b || ((a | b) & ~fpu_zero(f, true)) == 0)
        return or_equal;
    return ordered_before(f, a, b);
}

FPU_INLINE bool equal(struct fpu_format f, uint64_t a, uint64_t b, uint32_t *flags)
{
    if (is_nan(f, a) || is_nan(f, b)) {
        if (is_signaling(f, a) || is_signaling(f, b))
            *flags |= FPU_NV;
        return false;
    }
    return a == b || ((a | b) & ~fpu_zero(f, true)) == 0;
}

FPU_INLINE uint32_t classify(struct fpu_format f, uint64_t a)
{
    bool sign = a & fpu_zero(f, true);
    uint64_t magnitude = a & ~fpu_zero(f, true);

    if (is_nan(f, a))
        return is_signaling(f, a) ? CLASS_SIGNALING_NAN : CLASS_QUIET_NAN;
    if (magnitude == fpu_infinity(f, false))
        return sign ? CLASS_NEGATIVE_INFINITY : CLASS_POSITIVE_INFINITY;
    if (!magnitude)
        return sign ? CLASS_NEGATIVE_ZERO : CLASS_POSITIVE_ZERO;
    if (!(magnitude >> f.fraction))
        return sign ? CLASS_NEGATIVE_SUBNORMAL : CLASS_POSITIVE_SUBNORMAL;
    return sign ? CLASS_NEGATIVE_NORMAL : CLASS_POSITIVE_NORMAL;
}

uint64_t fpu_min64(uint64_t a, uint64_t b, uint32_t *flags)
{
    return extreme(fpu_binary64, a, b, false, flags);
}

uint64_t fpu_max64(uint64_t a, uint64_t b, uint32_t *flags)
{
    return extreme(fpu_binary64, a, b, true, flags);
}

bool fpu_eq64(uint64_t a, uint64_t b, uint32_t *flags)
{
    return equal(fpu_binary64, a, b, flags);
}

bool fpu_lt64(uint64_t a, uint64_t b, uint32_t *flags)
{
    return less(fpu_binary64, a, b, false, flags);
}

bool fpu_le64(uint64_t a, uint64_t b, uint32_t *flags)
{
    return less(fpu_binary64, a, b, true, flags);
}

uint32_t fpu_class64(uint64_t a)
{
    return classify(fpu_binary64, a);
}

uint32_t fpu_min32(uint32_t a, uint32_t b, uint32_t *flags)
{
    return (uint32_t)extreme(fpu_binary32, a, b, false, flags);
}

uint32_t fpu_max32(uint32_t a, uint32_t b, uint32_t *flags)
{
    return (uint32_t)extreme(fpu_binary32, a, b, true, flags);
}

bool fpu_eq32(uint32_t a, uint32_t b, uint32_t *flags)
{
    return equal(fpu_binary32, a, b, flags);
}

bool fpu_lt32(uint32_t a, uint32_t b, uint32_t *flags)
{
    return less(fpu_binary32, a, b, false, flags);
}

bool fpu_le32(uint32_t a, uint32_t b, uint32_t *flags)
{
    return less(fpu_binary32, a, b, true, flags);
}

uint32_t fpu_class32(uint32_t a)
{
    return classify(fpu_binary32, a);
}
