/* The F and D instructions but loads, stores and double arithmetic's fast paths. Unprivileged spec,
 * ch. 11 and 12. */
#include "machine/riscv/fpu.h"
#include "machine/riscv/hart.h"

#define CANONICAL_NAN32 0x7fc00000u
#define BOX 0xffffffff00000000ull

/* One instruction's operands. */
struct fp {
    struct hart *h;
    unsigned rd, rs1, rs2, rs3, rm;
    uint32_t *flags;
};

static uint32_t single(const struct hart *h, unsigned r)
{
    return h->s.f[r] >= BOX ? (uint32_t)h->s.f[r] : CANONICAL_NAN32;
}

static void set_single(struct hart *h, unsigned r, uint32_t v)
{
    h->s.f[r] = BOX | v;
}

static void set_x(struct hart *h, unsigned r, uint64_t v)
{
    if (r)
        h->s.x[r] = v;
}

static bool arithmetic32(const struct fp *o, unsigned funct5)
{
    uint32_t a = single(o->h, o->rs1), b = single(o->h, o->rs2), r;
    switch (funct5) {
    case 0:
        r = fpu_add32(a, b, o->rm, o->flags);
        break;
    case 1:
        r = fpu_sub32(a, b, o->rm, o->flags);
        break;
    case 2:
        r = fpu_mul32(a, b, o->rm, o->flags);
        break;
    case 3:
        r = fpu_div32(a, b, o->rm, o->flags);
        break;
    default:
        if (o->rs2)
            return false;
        r = fpu_sqrt32(a, o->rm, o->flags);
    }
    set_single(o->h, o->rd, r);
    return true;
}

static bool arithmetic64(const struct fp *o, unsigned funct5)
{
    uint64_t *f = o->h->s.f, a = f[o->rs1], b = f[o->rs2];
    switch (funct5) {
    case 0:
        f[o->rd] = fpu_add64(a, b, o->rm, o->flags);
        return true;
    case 1:
        f[o->rd] = fpu_sub64(a, b, o->rm, o->flags);
        return true;
    case 2:
        f[o->rd] = fpu_mul64(a, b, o->rm, o->flags);
        return true;
    case 3:
        f[o->rd] = fpu_div64(a, b, o->rm, o->flags);
        return true;
    }
    if (o->rs2)
        return false;
    f[o->rd] = fpu_sqrt64(a, o->rm, o->flags);
    return true;
}

/* fsgnj, fsgnjn, fsgnjx: `kind` is funct3. */
static bool sign_inject(const struct fp *o, bool wide, unsigned kind)
{
    if (kind > 2)
        return false;
    uint64_t sign = wide ? 1ull << 63 : 1ull << 31;
    uint64_t a = wide ? o->h->s.f[o->rs1] : single(o->h, o->rs1);
    uint64_t b = wide ? o->h->s.f[o->rs2] : single(o->h, o->rs2);
    uint64_t from = kind == 0 ? b : kind == 1 ? ~b : a ^ b;
    uint64_t r = (a & ~sign) | (from & sign);
    if (wide)
        o->h->s.f[o->rd] = r;
    else
        set_single(o->h, o->rd, (uint32_t)r);
    return true;
}

static bool min_max(const struct fp *o, bool wide, unsigned kind)
{
    if (kind > 1)
        return false;
    if (wide) {
        uint64_t a = o->h->s.f[o->rs1], b = o->h->s.f[o->rs2];
        o->h->s.f[o->rd] = kind ? fpu_max64(a, b, o->flags) : fpu_min64(a, b, o->flags);
    } else {
        uint32_t a = single(o->h, o->rs1), b = single(o->h, o->rs2);
        set_single(o->h, o->rd, kind ? fpu_max32(a, b, o->flags) : fpu_min32(a, b, o->flags));
    }
    return true;
}

static bool compare(const struct fp *o, bool wide, unsigned kind)
{
    uint64_t a = o->h->s.f[o->rs1], b = o->h->s.f[o->rs2];
    uint32_t p = single(o->h, o->rs1), q = single(o->h, o->rs2);
    switch (kind) {
    case 0:
        set_x(o->h, o->rd, wide ? fpu_le64(a, b, o->flags) : fpu_le32(p, q, o->flags));
        return true;
    case 1:
        set_x(o->h, o->rd, wide ? fpu_lt64(a, b, o->flags) : fpu_lt32(p, q, o->flags));
        return true;
    case 2:
        set_x(o->h, o->rd, wide ? fpu_eq64(a, b, o->flags) : fpu_eq32(p, q, o->flags));
        return true;
    }
    return false;
}

static bool to_integer(const struct fp *o, bool wide)
{
    typedef uint64_t from32(uint32_t, unsigned, uint32_t *);
    typedef uint64_t from64(uint64_t, unsigned, uint32_t *);
    static from32 *const narrow[] = {fpu_f32_to_i32, fpu_f32_to_u32, fpu_f32_to_i64,
                                     fpu_f32_to_u64};
    static from64 *const broad[] = {fpu_f64_to_i32, fpu_f64_to_u32, fpu_f64_to_i64, fpu_f64_to_u64};
    if (o->rs2 > 3)
        return false;
    set_x(o->h, o->rd,
          wide ? broad[o->rs2](o->h->s.f[o->rs1], o->rm, o->flags)
               : narrow[o->rs2](single(o->h, o->rs1), o->rm, o->flags));
    return true;
}

static uint32_t integer_to_32(uint64_t v, unsigned kind, unsigned rm, uint32_t *flags)
{
    switch (kind) {
    case 0:
        return fpu_i32_to_f32((int32_t)v, rm, flags);
    case 1:
        return fpu_u32_to_f32((uint32_t)v, rm, flags);
    case 2:
        return fpu_i64_to_f32((int64_t)v, rm, flags);
    default:
        return fpu_u64_to_f32(v, rm, flags);
    }
}

static uint64_t integer_to_64(uint64_t v, unsigned kind, unsigned rm, uint32_t *flags)
{
    switch (kind) {
    case 0:
        return fpu_i32_to_f64((int32_t)v, rm, flags);
    case 1:
        return fpu_u32_to_f64((uint32_t)v, rm, flags);
    case 2:
        return fpu_i64_to_f64((int64_t)v, rm, flags);
    default:
        return fpu_u64_to_f64(v, rm, flags);
    }
}

static bool from_integer(const struct fp *o, bool wide)
{
    if (o->rs2 > 3)
        return false;
    uint64_t v = o->h->s.x[o->rs1];
    if (wide)
        o->h->s.f[o->rd] = integer_to_64(v, o->rs2, o->rm, o->flags);
    else
        set_single(o->h, o->rd, integer_to_32(v, o->rs2, o->rm, o->flags));
    return true;
}

/* fcvt.s.d and fcvt.d.s */
static bool change_width(const struct fp *o, bool wide)
{
    if (o->rs2 != !wide)
        return false;
    if (wide)
        o->h->s.f[o->rd] = fpu_f32_to_f64(single(o->h, o->rs1), o->flags);
    else
        set_single(o->h, o->rd, fpu_f64_to_f32(o->h->s.f[o->rs1], o->rm, o->flags));
    return true;
}

/* fmv.x and fclass */
static bool move_out(const struct fp *o, bool wide, unsigned kind)
{
    uint64_t f = o->h->s.f[o->rs1];
    if (o->rs2 || kind > 1)
        return false;
    if (kind)
        set_x(o->h, o->rd, wide ? fpu_class64(f) : fpu_class32(single(o->h, o->rs1)));
    else
        set_x(o->h, o->rd, wide ? f : (uint64_t)(int32_t)f);
    return true;
}

static bool move_in(const struct fp *o, bool wide, unsigned kind)
{
    if (o->rs2 || kind)
        return false;
    if (wide)
        o->h->s.f[o->rd] = o->h->s.x[o->rs1];
    else
        set_single(o->h, o->rd, (uint32_t)o->h->s.x[o->rs1]);
    return true;
}

/* fmadd, fmsub, fnmsub, fnmadd: the opcode says which operands are negated. */
static bool fused(const struct fp *o, bool wide, unsigned opcode)
{
    bool negate_product = opcode == 0x4b || opcode == 0x4f;
    bool negate_addend = opcode == 0x47 || opcode == 0x4f;
    if (wide) {
        uint64_t *f = o->h->s.f, sign = 1ull << 63;
        f[o->rd] = fpu_fma64(f[o->rs1] ^ (negate_product ? sign : 0), f[o->rs2],
                             f[o->rs3] ^ (negate_addend ? sign : 0), o->rm, o->flags);
    } else {
        uint32_t sign = 1u << 31;
        set_single(o->h, o->rd,
                   fpu_fma32(single(o->h, o->rs1) ^ (negate_product ? sign : 0),
                             single(o->h, o->rs2),
                             single(o->h, o->rs3) ^ (negate_addend ? sign : 0), o->rm, o->flags));
    }
    return true;
}

/* Does the rm field hold a rounding mode in this instruction (OP-FP)? Elsewhere it is a selector.
 */
static bool rounds(unsigned funct5)
{
    return funct5 <= 0x03 || funct5 == 0x0b || funct5 == 0x08 || funct5 == 0x18 || funct5 == 0x1a;
}

static bool op_fp(const struct fp *o, uint32_t insn, bool wide)
{
    unsigned funct5 = insn >> 27, kind = insn >> 12 & 7;
    switch (funct5) {
    case 0x00:
    case 0x01:
    case 0x02:
    case 0x03:
    case 0x0b:
        return wide ? arithmetic64(o, funct5) : arithmetic32(o, funct5);
    case 0x04:
        return sign_inject(o, wide, kind);
    case 0x05:
        return min_max(o, wide, kind);
    case 0x08:
        return change_width(o, wide);
    case 0x14:
        return compare(o, wide, kind);
    case 0x18:
        return to_integer(o, wide);
    case 0x1a:
        return from_integer(o, wide);
    case 0x1c:
        return move_out(o, wide, kind);
    case 0x1e:
        return move_in(o, wide, kind);
    }
    return false;
}

enum result fp_execute(struct hart *h, uint32_t insn)
{
    unsigned format = insn >> 25 & 3, opcode = insn & 0x7f, rm = insn >> 12 & 7;
    bool ok = format <= 1;
    if (ok && (opcode != 0x53 || rounds(insn >> 27))) {
        rm = rm == 7 ? h->s.frm : rm;
        ok = rm <= FPU_RMM;
    }
    struct fp o = {h,  insn >> 7 & 31, insn >> 15 & 31, insn >> 20 & 31, insn >> 27,
                   rm, &h->s.fflags};
    if (ok)
        ok = opcode == 0x53 ? op_fp(&o, insn, format) : fused(&o, format, opcode);
    if (!ok)
        return raise(h, CAUSE_ILLEGAL, insn);
    h->s.mstatus |= MSTATUS_FS;
    return DONE;
}
