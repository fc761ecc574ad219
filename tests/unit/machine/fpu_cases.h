/* What the floating-point tests share: the operations by name, in the integer and the fast form,
 * and operands that are biased to where such code breaks. */
#ifndef TESTS_UNIT_MACHINE_FPU_CASES_H
#define TESTS_UNIT_MACHINE_FPU_CASES_H

#include "base/hash.h"
#include "machine/riscv/fpu.h"

typedef uint64_t fpu_function(const uint64_t *x, unsigned rm, uint32_t *flags);

#define FPU_UNARY(name)                                                                            \
    static inline uint64_t soft_##name(const uint64_t *x, unsigned rm, uint32_t *flags)            \
    {                                                                                              \
        return fpu_soft_##name(x[0], rm, flags);                                                   \
    }                                                                                              \
    static inline uint64_t fast_##name(const uint64_t *x, unsigned rm, uint32_t *flags)            \
    {                                                                                              \
        return fpu_##name(x[0], rm, flags);                                                        \
    }
#define FPU_BINARY(name)                                                                           \
    static inline uint64_t soft_##name(const uint64_t *x, unsigned rm, uint32_t *flags)            \
    {                                                                                              \
        return fpu_soft_##name(x[0], x[1], rm, flags);                                             \
    }                                                                                              \
    static inline uint64_t fast_##name(const uint64_t *x, unsigned rm, uint32_t *flags)            \
    {                                                                                              \
        return fpu_##name(x[0], x[1], rm, flags);                                                  \
    }
#define FPU_TERNARY(name)                                                                          \
    static inline uint64_t soft_##name(const uint64_t *x, unsigned rm, uint32_t *flags)            \
    {                                                                                              \
        return fpu_soft_##name(x[0], x[1], x[2], rm, flags);                                       \
    }                                                                                              \
    static inline uint64_t fast_##name(const uint64_t *x, unsigned rm, uint32_t *flags)            \
    {                                                                                              \
        return fpu_##name(x[0], x[1], x[2], rm, flags);                                            \
    }

/* X(form, name, bits of the operands: 0 for an integer, bits of the result: likewise) */
#define FPU_OPERATIONS(X)                                                                          \
    X(BINARY, add64, 64, 64)                                                                       \
    X(BINARY, sub64, 64, 64)                                                                       \
    X(BINARY, mul64, 64, 64)                                                                       \
    X(BINARY, div64, 64, 64)                                                                       \
    X(UNARY, sqrt64, 64, 64)                                                                       \
    X(TERNARY, fma64, 64, 64)                                                                      \
    X(BINARY, add32, 32, 32)                                                                       \
    X(BINARY, sub32, 32, 32)                                                                       \
    X(BINARY, mul32, 32, 32)                                                                       \
    X(BINARY, div32, 32, 32)                                                                       \
    X(UNARY, sqrt32, 32, 32)                                                                       \
    X(TERNARY, fma32, 32, 32)                                                                      \
    X(UNARY, f64_to_f32, 64, 32)                                                                   \
    X(UNARY, f64_to_i32, 64, 0)                                                                    \
    X(UNARY, f64_to_u32, 64, 0)                                                                    \
    X(UNARY, f64_to_i64, 64, 0)                                                                    \
    X(UNARY, f64_to_u64, 64, 0)                                                                    \
    X(UNARY, f32_to_i32, 32, 0)                                                                    \
    X(UNARY, f32_to_u32, 32, 0)                                                                    \
    X(UNARY, f32_to_i64, 32, 0)                                                                    \
    X(UNARY, f32_to_u64, 32, 0)                                                                    \
    X(UNARY, i64_to_f64, 0, 64)                                                                    \
    X(UNARY, u64_to_f64, 0, 64)                                                                    \
    X(UNARY, i64_to_f32, 0, 32)                                                                    \
    X(UNARY, u64_to_f32, 0, 32)

#define FPU_WRAP(form, name, in, out) FPU_##form(name)
FPU_OPERATIONS(FPU_WRAP)

enum fpu_operation {
#define FPU_ENUM(form, name, in, out) OP_##name,
    FPU_OPERATIONS(FPU_ENUM)
#undef FPU_ENUM
        OP_COUNT
};

static const struct fpu_case {
    const char *name;
    unsigned in, out; /* width of the format, 0 for an integer */
    fpu_function *soft, *fast;
} fpu_cases[] = {
#define FPU_ENTRY(form, name, in, out) {#name, in, out, soft_##name, fast_##name},
    FPU_OPERATIONS(FPU_ENTRY)
#undef FPU_ENTRY
};

struct fpu_random {
    uint64_t state;
    uint64_t last; /* the operand made before, to stay close to */
};

static inline uint64_t fpu_random_bits(struct fpu_random *r)
{
    return hash_mix(r->state += UINT64_C(0x9e3779b97f4a7c15));
}

/* Fractions of few bits, long runs and their neighbours: exact results and ties. */
static inline uint64_t fpu_random_fraction(struct fpu_random *r, unsigned width)
{
    uint64_t bits = fpu_random_bits(r), all = (UINT64_C(1) << width) - 1;
    unsigned at = bits % width, other = (bits >> 8) % width;

    switch (bits >> 60 & 7) {
    case 0:
        return 0;
    case 1:
        return all;
    case 2:
        return UINT64_C(1) << at;
    case 3:
        return all & (all << at);
    case 4:
        return all >> at;
    case 5:
        return (UINT64_C(1) << at | UINT64_C(1) << other) & all;
    case 6:
        return (bits >> 4 & all) & ~(all >> at);
    default:
        return bits & all;
    }
}

static inline uint64_t fpu_random_number(struct fpu_random *r, unsigned width)
{
    const unsigned fraction = width == 64 ? 52 : 23, top = width == 64 ? 0x7ff : 0xff;
    const uint64_t mask = width == 64 ? UINT64_MAX : UINT32_MAX;
    uint64_t bits = fpu_random_bits(r), sign = (bits >> 63) << (width - 1);
    unsigned spread = bits >> 8 & 0x3f, exponent;

    switch (bits & 15) {
    case 0:
        return r->last = bits >> 7 & mask;
    case 1:
        return r->last = sign; /* zero */
    case 2:
        return r->last = sign | (uint64_t)top << fraction; /* infinity */
    case 3:
        exponent = top; /* mostly NaN */
        break;
    case 4:
    case 5:
        exponent = spread % 4; /* subnormal and barely normal */
        break;
    case 6:
        exponent = top - 1 - spread % 4;
        break;
    case 7:
        exponent = top / 4 + spread; /* the square is near one end */
        break;
    case 8:
        exponent = top * 3 / 4 - 32 + spread;
        break;
    case 9:
        return r->last = (r->last ^ (bits >> 62 & 1) << (width - 1)) & mask;
    case 10:
    case 11:
        return r->last = (r->last + (bits >> 20) % 5 - 2) & mask;
    case 12:
        exponent = ((r->last >> fraction & top) + spread - 32) & top;
        break;
    default:
        exponent = top / 2 - 32 + spread;
    }
    return r->last = sign | (uint64_t)exponent << fraction | fpu_random_fraction(r, fraction);
}

static inline uint64_t fpu_random_integer(struct fpu_random *r)
{
    uint64_t bits = fpu_random_bits(r);
    uint64_t value = fpu_random_fraction(r, 1 + (bits >> 8) % 63) + (bits & 3) - 1;

    return bits >> 32 & 1 ? -value : value;
}

/* Operands for one evaluation; a third one often nearly cancels the product of the others. */
static inline void fpu_random_operands(struct fpu_random *r, const struct fpu_case *c, uint64_t *x)
{
    uint32_t flags = 0;

    for (int i = 0; i < 3; i++)
        x[i] = c->in ? fpu_random_number(r, c->in) : fpu_random_integer(r);
    uint64_t choice = fpu_random_bits(r);
    if (c->in && choice & 1) {
        uint64_t product = c->in == 64 ? fpu_soft_mul64(x[0], x[1], FPU_RNE, &flags)
                                       : fpu_soft_mul32(x[0], x[1], FPU_RNE, &flags);
        product ^= (choice >> 1 & 1) << (c->in - 1);
        product += (choice >> 2) % 3 - 1;
        x[2] = c->in == 64 ? product : (uint32_t)product;
    }
}

#endif
