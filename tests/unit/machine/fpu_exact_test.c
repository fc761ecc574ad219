/* The rounding of the integer arithmetic in all five modes against a reference that shares nothing
 * with it: results are found by bisection over the numbers of the format, which are compared with
 * the true value in fixed point wide enough for any product of two of them. */
#include "tests/unit/machine/fpu_cases.h"

#include <criterion/criterion.h>
#include <stdlib.h>

typedef unsigned __int128 u128;

/* Bits below and words of a fixed-point number: products reach from 2^-2152 to 2^2050. */
enum { POINT = 2176, WORDS = 67 };

struct wide {
    uint64_t word[WORDS];
};

static void wide_set(struct wide *w, u128 value, int exponent)
{
    unsigned at = (unsigned)(exponent + POINT), shift = at % 64;
    uint64_t *p = w->word + at / 64;

    memset(w, 0, sizeof *w);
    p[0] = (uint64_t)(value << shift);
    p[1] = (uint64_t)(value << shift >> 64);
    if (shift)
        p[2] = (uint64_t)(value >> (128 - shift));
}

static int wide_compare(const struct wide *a, const struct wide *b)
{
    for (int i = WORDS - 1; i >= 0; i--)
        if (a->word[i] != b->word[i])
            return a->word[i] < b->word[i] ? -1 : 1;
    return 0;
}

static void wide_add(struct wide *a, const struct wide *b)
{
    u128 carry = 0;

    for (int i = 0; i < WORDS; i++) {
        carry += (u128)a->word[i] + b->word[i];
        a->word[i] = (uint64_t)carry;
        carry >>= 64;
    }
}

static void wide_subtract(struct wide *a, const struct wide *b)
{
    bool borrow = false;

    for (int i = 0; i < WORDS; i++) {
        u128 d = (u128)a->word[i] - b->word[i] - borrow;
        a->word[i] = (uint64_t)d;
        borrow = d >> 64 != 0;
    }
}

/* m * 2^e, of the sign given. */
struct number {
    bool sign;
    uint64_t m;
    int e;
};

static struct number decode(unsigned width, uint64_t bits)
{
    const unsigned fraction = width == 64 ? 52 : 23;
    const int bias = width == 64 ? 1023 : 127;
    uint64_t magnitude = bits & ~(UINT64_C(1) << (width - 1));
    int biased = (int)(magnitude >> fraction);
    struct number n = {bits >> (width - 1) & 1, magnitude & ((UINT64_C(1) << fraction) - 1), 0};

    if (biased)
        n.m |= UINT64_C(1) << fraction;
    n.e = (biased ? biased : 1) - bias - (int)fraction;
    return n;
}

/* The magnitude of a result: that x with x * factor = value, or with x * x = value. */
struct truth {
    bool sign, root;
    struct number factor;
    struct wide value;
};

static int compare_truth(const struct truth *t, uint64_t m, int e)
{
    struct wide candidate;

    if (t->root)
        wide_set(&candidate, (u128)m * m, 2 * e);
    else
        wide_set(&candidate, (u128)m * t->factor.m, e + t->factor.e);
    return wide_compare(&t->value, &candidate);
}

static bool rounds_away(bool sign, bool odd, int against_middle, unsigned rm)
{
    switch (rm) {
    case FPU_RNE:
        return against_middle > 0 || (against_middle == 0 && odd);
    case FPU_RMM:
        return against_middle >= 0;
    case FPU_RDN:
        return sign;
    case FPU_RUP:
        return !sign;
    default:
        return false;
    }
}

/* Rounded to full precision as if exponents had no bound, is it below the normal numbers? */
static bool is_tiny(const struct truth *t, unsigned width, unsigned rm)
{
    const int precision = width == 64 ? 53 : 24, least = width == 64 ? -1022 : -126;
    const uint64_t last = (UINT64_C(1) << precision) - 1;

    if (compare_truth(t, 1, least) >= 0)
        return false;
    if (compare_truth(t, last, least - precision) <= 0)
        return true;
    return !rounds_away(t->sign, true, compare_truth(t, 2 * last + 1, least - precision - 1), rm);
}

static void reference(const struct truth *t, unsigned width, uint64_t *result, uint32_t *flags)
{
    const uint64_t infinity = width == 64 ? UINT64_C(0x7ff) << 52 : UINT64_C(0xff) << 23;
    const uint64_t sign = (uint64_t)t->sign << (width - 1);
    uint64_t low = 0, high = infinity + 1; /* value(low) <= truth, with 2^1024 for infinity */

    while (high - low > 1) {
        uint64_t middle = low + (high - low) / 2;
        struct number n = decode(width, middle);
        if (compare_truth(t, n.m, n.e) >= 0)
            low = middle;
        else
            high = middle;
    }

    struct number n = decode(width, low);
    bool exact = compare_truth(t, n.m, n.e) == 0;
    int against_middle = compare_truth(t, 2 * n.m + 1, n.e - 1);
    for (unsigned rm = FPU_RNE; rm <= FPU_RMM; rm++) {
        uint64_t rounded = low + (!exact && rounds_away(t->sign, low & 1, against_middle, rm));
        flags[rm] = exact ? 0 : FPU_NX;
        if (rounded >= infinity) {
            bool away = rm == FPU_RNE || rm == FPU_RMM || rm == (t->sign ? FPU_RDN : FPU_RUP);
            rounded = infinity - !away;
            flags[rm] = FPU_OF | FPU_NX;
        } else if (!exact && is_tiny(t, width, rm)) {
            flags[rm] |= FPU_UF;
        }
        result[rm] = sign | rounded;
    }
}

static void set_sum(struct truth *t, bool sign_a, u128 a, int e_a, struct number b)
{
    struct wide other;

    wide_set(&t->value, a, e_a);
    wide_set(&other, b.m, b.e);
    t->sign = sign_a;
    if (sign_a == b.sign) {
        wide_add(&t->value, &other);
    } else if (wide_compare(&t->value, &other) >= 0) {
        wide_subtract(&t->value, &other);
    } else {
        wide_subtract(&other, &t->value);
        t->value = other;
        t->sign = b.sign;
    }
}

/* False for operands without a finite, non-zero true result. */
static bool find_truth(enum fpu_operation op, const uint64_t *x, struct truth *t)
{
    const unsigned width = fpu_cases[op].in;
    const uint64_t infinity = width == 64 ? UINT64_C(0x7ff) << 52 : UINT64_C(0xff) << 23;
    struct number n[3] = {{0}};

    for (int i = 0; i < 3; i++) {
        if (width && (x[i] & infinity) == infinity)
            return false;
        if (width)
            n[i] = decode(width, x[i]);
    }
    *t = (struct truth){.sign = n[0].sign ^ n[1].sign, .factor = {false, 1, 0}};
    switch (op) {
    case OP_sub64:
    case OP_sub32:
        n[1].sign = !n[1].sign;
        /* fallthrough */
    case OP_add64:
    case OP_add32:
        set_sum(t, n[0].sign, n[0].m, n[0].e, n[1]);
        break;
    case OP_mul64:
    case OP_mul32:
        n[2].m = 0;
        /* fallthrough */
    case OP_fma64:
    case OP_fma32:
        set_sum(t, t->sign, (u128)n[0].m * n[1].m, n[0].e + n[1].e, n[2]);
        break;
    case OP_div64:
    case OP_div32:
        wide_set(&t->value, n[0].m, n[0].e);
        t->factor = n[1];
        if (!n[1].m)
            return false;
        break;
    case OP_sqrt64:
    case OP_sqrt32:
        t->root = true;
        t->sign = false;
        wide_set(&t->value, n[0].m, n[0].e);
        if (n[0].sign)
            return false;
        break;
    case OP_f64_to_f32:
        t->sign = n[0].sign;
        wide_set(&t->value, n[0].m, n[0].e);
        break;
    case OP_i64_to_f64:
    case OP_i64_to_f32:
        t->sign = x[0] >> 63;
        wide_set(&t->value, t->sign ? -x[0] : x[0], 0);
        break;
    default:
        wide_set(&t->value, x[0], 0);
    }
    static const struct wide zero;
    return wide_compare(&t->value, &zero) != 0;
}

static void compare_with_reference(enum fpu_operation op, unsigned rounds)
{
    const struct fpu_case *c = &fpu_cases[op];
    struct fpu_random random = {.state = 1000 + op};
    unsigned compared = 0;

    while (compared < rounds) {
        uint64_t x[3], expected[5];
        uint32_t expected_flags[5];
        struct truth truth;
        fpu_random_operands(&random, c, x);
        if (!find_truth(op, x, &truth))
            continue;
        reference(&truth, c->out, expected, expected_flags);
        for (unsigned rm = FPU_RNE; rm <= FPU_RMM; rm++) {
            uint32_t flags = 0;
            uint64_t result = c->soft(x, rm, &flags);
            if (result != expected[rm] || flags != expected_flags[rm])
                cr_assert_fail("%s(%#lx, %#lx, %#lx) rm %u: %#lx flags %#x, expected %#lx %#x",
                               c->name, x[0], x[1], x[2], rm, result, flags, expected[rm],
                               expected_flags[rm]);
        }
        compared++;
    }
}

Test(fpu_exact, arithmetic_matches_bisection)
{
    for (enum fpu_operation op = 0; op < OP_COUNT; op++)
        if (fpu_cases[op].in && fpu_cases[op].out)
            compare_with_reference(op, 5000);
}

Test(fpu_exact, integers_match_bisection)
{
    for (enum fpu_operation op = 0; op < OP_COUNT; op++)
        if (!fpu_cases[op].in)
            compare_with_reference(op, 3000);
}
