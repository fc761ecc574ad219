#!/usr/bin/env python3
"""Writes float_cases.inc and double_cases.inc: operands, expected results and flags.

A manual tool like integer_cases.py. Results are computed with exact integers and
fractions from IEEE 754 and the F and D chapters of the ISA manual.
"""

import random
from fractions import Fraction
from math import isqrt

from integer_cases import M32, M64, MAX64, MIN64, header, hx, s32, s64, sx32, write

NX, UF, OF, DZ, NV = 1, 2, 4, 8, 16
RMS = ["rne", "rtz", "rdn", "rup", "rmm"]


class Format:
    def __init__(self, name, ebits, mbits):
        self.name, self.ebits, self.mbits = name, ebits, mbits
        self.bits = 1 + ebits + mbits
        self.bias = (1 << (ebits - 1)) - 1
        self.emin = 1 - self.bias
        self.emax = self.bias
        self.inf = ((1 << ebits) - 1) << mbits
        self.quiet = 1 << (mbits - 1)
        self.nan = self.inf | self.quiet
        self.sign = 1 << (self.bits - 1)
        self.max = self.inf - 1
        self.one = self.bias << mbits

    def is_nan(self, x):
        return (x & ~self.sign) > self.inf

    def is_snan(self, x):
        return self.is_nan(x) and not x & self.quiet

    def is_inf(self, x):
        return (x & ~self.sign) == self.inf

    def is_zero(self, x):
        return (x & ~self.sign) == 0

    def neg(self, x):
        return bool(x & self.sign)

    def value(self, x):
        e = (x >> self.mbits) & ((1 << self.ebits) - 1)
        m = x & ((1 << self.mbits) - 1)
        v = (Fraction(m) if e == 0 else Fraction(m | 1 << self.mbits)) * Fraction(2) ** (
            max(e, 1) - self.bias - self.mbits)
        return -v if self.neg(x) else v

    def nan_boxed(self, x):
        return x | (M64 ^ M32) if self.bits == 32 else x


F32 = Format("s", 8, 23)
F64 = Format("d", 11, 52)


def exponent(v):
    """floor(log2(v)) of a positive fraction."""
    e = v.numerator.bit_length() - v.denominator.bit_length()
    return e if Fraction(2) ** e <= v else e - 1


def round_int(v, neg, rm):
    """A non-negative fraction to an integer; neg is the sign of the whole value."""
    q, r = divmod(v.numerator, v.denominator)
    if r == 0:
        return q, False
    twice = 2 * r
    up = {
        "rne": twice > v.denominator or (twice == v.denominator and q & 1),
        "rtz": False,
        "rdn": neg,
        "rup": not neg,
        "rmm": twice >= v.denominator,
    }[rm]
    return q + bool(up), True


def round_fp(v, rm, fmt, zero_neg=False):
    """Exact value to the format: bits and flags, tininess detected after rounding."""
    if v == 0:
        return (fmt.sign if zero_neg else 0), 0
    neg, a = v < 0, abs(v)
    sign = fmt.sign if neg else 0
    e = exponent(a)
    # As if the exponent range were unbounded: decides overflow and tininess.
    unit = Fraction(2) ** (e - fmt.mbits)
    q, _ = round_int(a / unit, neg, rm)
    if q >> (fmt.mbits + 1):
        e_unbounded = e + 1
    else:
        e_unbounded = e
    if e_unbounded > fmt.emax:
        to_inf = rm in ("rne", "rmm") or (rm == "rup" and not neg) or (rm == "rdn" and neg)
        return sign | (fmt.inf if to_inf else fmt.max), OF | NX
    unit = Fraction(2) ** (max(e, fmt.emin) - fmt.mbits)
    q, inexact = round_int(a / unit, neg, rm)
    flags = NX if inexact else 0
    if inexact and e_unbounded < fmt.emin:
        flags |= UF
    if e < fmt.emin:
        bits = q  # a carry out of the fraction makes the smallest normal number
    else:
        bits = ((e + fmt.bias) << fmt.mbits) + (q - (1 << fmt.mbits))
    return sign | bits, flags


def nan_result(fmt, *ops):
    return fmt.nan, (NV if any(fmt.is_snan(x) for x in ops) else 0)


def fp_add(fmt, rm, a, b):
    if fmt.is_nan(a) or fmt.is_nan(b):
        return nan_result(fmt, a, b)
    if fmt.is_inf(a):
        return (fmt.nan, NV) if fmt.is_inf(b) and fmt.neg(a) != fmt.neg(b) else (a, 0)
    if fmt.is_inf(b):
        return b, 0
    v = fmt.value(a) + fmt.value(b)
    same = fmt.neg(a) == fmt.neg(b)
    return round_fp(v, rm, fmt, fmt.neg(a) if same else rm == "rdn")


def fp_sub(fmt, rm, a, b):
    return nan_result(fmt, a, b) if fmt.is_nan(b) else fp_add(fmt, rm, a, b ^ fmt.sign)


def fp_mul(fmt, rm, a, b):
    if fmt.is_nan(a) or fmt.is_nan(b):
        return nan_result(fmt, a, b)
    neg = fmt.neg(a) != fmt.neg(b)
    if fmt.is_inf(a) or fmt.is_inf(b):
        if fmt.is_zero(a) or fmt.is_zero(b):
            return fmt.nan, NV
        return fmt.inf | (fmt.sign if neg else 0), 0
    return round_fp(fmt.value(a) * fmt.value(b), rm, fmt, neg)


def fp_div(fmt, rm, a, b):
    if fmt.is_nan(a) or fmt.is_nan(b):
        return nan_result(fmt, a, b)
    neg = fmt.neg(a) != fmt.neg(b)
    sign = fmt.sign if neg else 0
    if fmt.is_inf(a):
        return (fmt.nan, NV) if fmt.is_inf(b) else (fmt.inf | sign, 0)
    if fmt.is_inf(b):
        return sign, 0
    if fmt.is_zero(b):
        return (fmt.nan, NV) if fmt.is_zero(a) else (fmt.inf | sign, DZ)
    return round_fp(fmt.value(a) / fmt.value(b), rm, fmt, neg)


def fp_sqrt(fmt, rm, a):
    if fmt.is_nan(a):
        return nan_result(fmt, a)
    if fmt.is_zero(a):
        return a, 0
    if fmt.neg(a):
        return fmt.nan, NV
    if fmt.is_inf(a):
        return a, 0
    v = fmt.value(a)
    scale = 4 ** 1200
    n = v * scale
    assert n.denominator == 1
    r = isqrt(n.numerator)
    # A result between two integers: any value strictly between rounds alike at this scale.
    root = Fraction(r) if r * r == n.numerator else Fraction(2 * r + 1, 2)
    return round_fp(root / 2 ** 1200, rm, fmt)


def fp_fma(fmt, rm, a, b, c, negate_product, negate_c):
    inf_zero = (fmt.is_inf(a) and fmt.is_zero(b)) or (fmt.is_zero(a) and fmt.is_inf(b))
    if inf_zero:  # raises invalid even when the addend is a quiet NaN
        return fmt.nan, NV
    if fmt.is_nan(a) or fmt.is_nan(b) or fmt.is_nan(c):
        return nan_result(fmt, a, b, c)
    if negate_c:
        c ^= fmt.sign
    pneg = (fmt.neg(a) != fmt.neg(b)) != negate_product
    if fmt.is_inf(a) or fmt.is_inf(b):
        if fmt.is_inf(c) and fmt.neg(c) != pneg:
            return fmt.nan, NV
        return fmt.inf | (fmt.sign if pneg else 0), 0
    if fmt.is_inf(c):
        return c, 0
    p = fmt.value(a) * fmt.value(b)
    p = -p if negate_product else p
    return round_fp(p + fmt.value(c), rm, fmt, pneg if pneg == fmt.neg(c) else rm == "rdn")


def fp_minmax(fmt, a, b, want_max):
    flags = NV if fmt.is_snan(a) or fmt.is_snan(b) else 0
    if fmt.is_nan(a) and fmt.is_nan(b):
        return fmt.nan, flags
    if fmt.is_nan(a):
        return b, flags
    if fmt.is_nan(b):
        return a, flags
    ka, kb = [(fp_key(fmt, x), not fmt.neg(x)) for x in (a, b)]
    return (a if (ka > kb) == want_max else b), flags


def fp_key(fmt, x):
    if fmt.is_inf(x):
        return Fraction(-(1 << 2000) if fmt.neg(x) else 1 << 2000)
    return fmt.value(x)


def fp_compare(fmt, op, a, b):
    if fmt.is_nan(a) or fmt.is_nan(b):
        signals = op != "feq" or fmt.is_snan(a) or fmt.is_snan(b)
        return 0, NV if signals else 0
    x, y = fp_key(fmt, a), fp_key(fmt, b)
    return int({"feq": x == y, "flt": x < y, "fle": x <= y}[op]), 0


def fp_class(fmt, x):
    neg = fmt.neg(x)
    if fmt.is_nan(x):
        return 1 << (8 if fmt.is_snan(x) else 9)
    if fmt.is_inf(x):
        return 1 << (0 if neg else 7)
    if fmt.is_zero(x):
        return 1 << (3 if neg else 4)
    if (x & ~fmt.sign) >> fmt.mbits == 0:
        return 1 << (2 if neg else 5)
    return 1 << (1 if neg else 6)


def fp_to_int(fmt, rm, x, kind):
    bits = 64 if kind in ("l", "lu") else 32
    signed = kind in ("w", "l")
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
    extend = lambda v: (sx32(v) if bits == 32 else v) & M64
    if fmt.is_nan(x):
        return extend(high), NV
    if fmt.is_inf(x):
        return extend(low if fmt.neg(x) else high), NV
    v = fmt.value(x)
    q, inexact = round_int(abs(v), v < 0, rm)
    q = -q if v < 0 else q
    if q < low or q > high:
        return extend(low if q < low else high), NV
    return extend(q), NX if inexact else 0


def int_to_fp(fmt, rm, x, kind):
    v = {"w": s32(x), "wu": x & M32, "l": s64(x), "lu": x & M64}[kind]
    return round_fp(Fraction(v), rm, fmt)


def fp_to_fp(dst, src, rm, x):
    if src.is_nan(x):
        return nan_result_to(dst, src, x)
    if src.is_inf(x):
        return dst.inf | (dst.sign if src.neg(x) else 0), 0
    return round_fp(src.value(x), rm, dst, src.neg(x))


def nan_result_to(dst, src, x):
    return dst.nan, NV if src.is_snan(x) else 0


def interesting(fmt):
    s = fmt.sign
    return {
        "z": 0, "nz": s, "one": fmt.one, "none": fmt.one | s, "two": fmt.one + (1 << fmt.mbits),
        "oneulp": fmt.one + 1, "onemulp": fmt.one - 1, "half": fmt.one - (1 << fmt.mbits),
        "three": fmt.one + (1 << fmt.mbits) + (1 << (fmt.mbits - 1)),
        "max": fmt.max, "nmax": fmt.max | s, "mind": 1, "nmind": 1 | s,
        "maxd": (1 << fmt.mbits) - 1, "minn": 1 << fmt.mbits, "nminn": 1 << fmt.mbits | s,
        "minn1": (1 << fmt.mbits) + 1, "inf": fmt.inf, "ninf": fmt.inf | s,
        "qnan": fmt.nan | 5, "nqnan": fmt.nan | s, "snan": fmt.inf | 1, "nsnan": fmt.inf | s | 3,
        "tiny": ((fmt.bias - fmt.mbits - 1) << fmt.mbits),  # half an ulp of one
        "tiny1": ((fmt.bias - fmt.mbits - 1) << fmt.mbits) + 1,
        "ntiny": ((fmt.bias - fmt.mbits - 1) << fmt.mbits) | s,
    }


ADD_PAIRS = """one,one one,none none,one z,z z,nz nz,z nz,nz one,tiny one,tiny1 one,ntiny oneulp,tiny
none,tiny onemulp,tiny max,max nmax,nmax max,nmax max,one max,none max,mind mind,mind mind,nmind minn,nmind minn,nminn
maxd,mind nminn,maxd inf,one one,inf inf,inf inf,ninf ninf,ninf ninf,inf qnan,one one,qnan snan,one
one,snan qnan,snan nqnan,inf nsnan,ninf z,one one,nz three,none half,one mind,one nmind,none""".split()
MUL_PAIRS = """one,one one,none three,three oneulp,oneulp onemulp,onemulp oneulp,onemulp max,two nmax,two max,max
nmax,nmax max,half mind,half nmind,half mind,mind nmind,mind minn,half minn1,half minn,onemulp maxd,oneulp
minn1,onemulp maxd,two z,nz nz,none z,inf inf,z ninf,nz inf,inf inf,none ninf,ninf qnan,z snan,one one,nsnan
qnan,snan nqnan,inf max,onemulp three,oneulp minn,minn max,mind nminn,onemulp""".split()
DIV_PAIRS_FP = """one,one one,three none,three two,three three,two one,oneulp one,onemulp oneulp,onemulp max,half
nmax,half max,mind mind,two nmind,two mind,three mind,max minn,two minn1,two minn,oneulp maxd,onemulp maxd,two
one,z none,z one,nz z,z nz,z z,one z,none inf,inf inf,one inf,nz one,inf none,inf ninf,ninf qnan,z z,snan
inf,z minn,max nminn,three max,max minn,one mind,mind nminn,oneulp""".split()
SQRT = """z nz one two three half oneulp onemulp max mind maxd minn minn1 inf ninf none nmind qnan snan
nsnan nqnan tiny tiny1""".split()
FMA = """one,one,one one,one,none none,one,one oneulp,oneulp,none oneulp,oneulp,z oneulp,onemulp,none three,tiny,one
one,tiny,oneulp none,tiny,one one,tiny1,one max,two,nmax max,one,max max,two,ninf nmax,max,inf z,one,nz z,none,nz
nz,one,nz nz,one,z z,z,z inf,z,one inf,z,qnan z,ninf,snan inf,one,ninf inf,one,inf ninf,none,one one,one,inf
qnan,one,one one,nqnan,one one,one,qnan snan,one,one one,snan,one one,one,snan mind,half,z mind,half,mind
nmind,half,mind minn,onemulp,z minn,onemulp,mind minn,onemulp,nmind mind,mind,one mind,mind,z mind,nmind,minn
onemulp,minn,nmind mind,mind,none max,half,max oneulp,three,ntiny max,oneulp,nmax onemulp,onemulp,none""".split()
CMP = """z,nz nz,z one,one one,two two,one none,one none,nz mind,z nmind,z nmind,mind inf,inf ninf,inf max,inf
ninf,nmax inf,ninf qnan,one one,qnan qnan,nqnan snan,one one,snan snan,qnan nsnan,nsnan maxd,minn none,none
nmax,none qnan,inf z,z""".split()


def operands(fmt, spec):
    names = interesting(fmt)
    return [tuple(names[n] for n in item.split(",")) for item in spec]


def random_fp(rng, fmt, near=True):
    sign = fmt.sign if rng.getrandbits(1) else 0
    e = fmt.bias + rng.randint(-3, 3) if near else rng.randint(0, 2 * fmt.bias)
    return sign | e << fmt.mbits | rng.getrandbits(fmt.mbits)


def reg(fmt, x):
    return hx(fmt.nan_boxed(x))


def rounded(out, macro, op, f, show_result, ops_text):
    """One line for every rounding mode that gives its own answer, else one."""
    answers = [f(rm) for rm in RMS]
    modes = RMS if len(set(answers)) > 1 else ["rne"]
    for rm in modes:
        bits, flags = answers[RMS.index(rm)]
        out.append(f"{macro}({op}, {rm}, {show_result(bits)}, {flags}, {ops_text})")


def fp_arith(out, fmt, number, rng):
    s = fmt.name
    show = lambda r: reg(fmt, r)
    text = lambda ops: ", ".join(reg(fmt, x) for x in ops)
    table = [("fadd", fp_add, ADD_PAIRS), ("fsub", fp_sub, ADD_PAIRS), ("fmul", fp_mul, MUL_PAIRS),
             ("fdiv", fp_div, DIV_PAIRS_FP)]
    for op, f, spec in table:
        out.append(f"\nTEST_CASE({number}) /* {op}.{s} */")
        number += 1
        pairs = operands(fmt, spec)
        pairs += [(random_fp(rng, fmt), random_fp(rng, fmt)) for _ in range(8)]
        pairs += [(random_fp(rng, fmt, False), random_fp(rng, fmt, False)) for _ in range(4)]
        for ops in pairs:
            rounded(out, "FP2", f"{op}.{s}", lambda rm: f(fmt, rm, *ops), show, text(ops))
    out.append(f"\nTEST_CASE({number}) /* fsqrt.{s} */")
    number += 1
    for ops in operands(fmt, SQRT) + [(random_fp(rng, fmt, False),) for _ in range(10)]:
        rounded(out, "FP1", f"fsqrt.{s}", lambda rm: fp_sqrt(fmt, rm, *ops), show, text(ops))
    for op, np, nc in (("fmadd", 0, 0), ("fmsub", 0, 1), ("fnmsub", 1, 0), ("fnmadd", 1, 1)):
        out.append(f"\nTEST_CASE({number}) /* {op}.{s} */")
        number += 1
        triples = operands(fmt, FMA)
        for _ in range(8):
            a, b = random_fp(rng, fmt), random_fp(rng, fmt)
            # An addend near the product, so that cancellation shows a missing single rounding.
            product = fp_mul(fmt, "rne", a, b)[0]
            triples += [(a, b, product ^ (fmt.sign if np == nc else 0)), (a, b, random_fp(rng, fmt))]
        for ops in triples:
            rounded(out, "FP3", f"{op}.{s}",
                    lambda rm: fp_fma(fmt, rm, *ops, bool(np), bool(nc)), show, text(ops))
    return number


def fp_plain(out, fmt, number):
    s = fmt.name
    for op in ("fmin", "fmax"):
        out.append(f"\nTEST_CASE({number}) /* {op}.{s} */")
        number += 1
        for a, b in operands(fmt, CMP):
            r, fl = fp_minmax(fmt, a, b, op == "fmax")
            out.append(f"FPP({op}.{s}, {reg(fmt, r)}, {fl}, {reg(fmt, a)}, {reg(fmt, b)})")
    for op in ("feq", "flt", "fle"):
        out.append(f"\nTEST_CASE({number}) /* {op}.{s} */")
        number += 1
        for a, b in operands(fmt, CMP):
            r, fl = fp_compare(fmt, op, a, b)
            out.append(f"FPI2({op}.{s}, {r}, {fl}, {reg(fmt, a)}, {reg(fmt, b)})")
    out.append(f"\nTEST_CASE({number}) /* fclass.{s} */")
    number += 1
    for x in interesting(fmt).values():
        out.append(f"FPI1(fclass.{s}, {fp_class(fmt, x)}, 0, {reg(fmt, x)})")
    for op in ("fsgnj", "fsgnjn", "fsgnjx"):
        out.append(f"\nTEST_CASE({number}) /* {op}.{s} */")
        number += 1
        for a, b in operands(fmt, "one,two one,none none,one none,nz qnan,none snan,nsnan nsnan,z inf,ninf "
                                  "nz,nz z,nmind nqnan,one".split()):
            sb = b & fmt.sign
            sign = {"fsgnj": sb, "fsgnjn": sb ^ fmt.sign, "fsgnjx": sb ^ (a & fmt.sign)}[op]
            r = a & ~fmt.sign | sign
            out.append(f"FPP({op}.{s}, {reg(fmt, r)}, 0, {reg(fmt, a)}, {reg(fmt, b)})")
    return number


def fp_of(fmt, v):
    return round_fp(Fraction(v), "rne", fmt)[0]


def fp_convert(out, fmt, number, rng):
    s = fmt.name
    show = lambda r: reg(fmt, r)
    edge = [Fraction(n, 4) for n in (1, 2, 3, 4, 5, 6, 7, 10, 14)]
    for p in (31, 32, 63, 64):
        edge += [Fraction(2) ** p, Fraction(2) ** p - 1, Fraction(2) ** p - Fraction(1, 2),
                 Fraction(2) ** p + Fraction(1, 2), Fraction(2) ** p - 2 ** max(0, p - 24),
                 Fraction(2) ** p - 2 ** max(0, p - 53)]
    values = sorted({fp_of(fmt, v) for v in edge} | {fp_of(fmt, -v) for v in edge})
    names = interesting(fmt)
    values += [names[n] for n in "z nz mind nmind max nmax inf ninf qnan nqnan snan nsnan tiny".split()]
    for kind in ("w", "wu", "l", "lu"):
        out.append(f"\nTEST_CASE({number}) /* fcvt.{kind}.{s} */")
        number += 1
        for x in values:
            rounded(out, "FPTOI", f"fcvt.{kind}.{s}", lambda rm: fp_to_int(fmt, rm, x, kind), hx,
                    reg(fmt, x))
    ints = [0, 1, M64, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFFF80000000, MAX64, MIN64, 0x1000001,
            0x1000003, 0x2000001, -0x1000001 & M64, (1 << 53) + 1, (1 << 53) + 3, -(1 << 53) - 1 & M64,
            0x7FFFFFFFFFFFFC00, 0x7FFFFFFFFFFFFE00, 0xFFFFFFFFFFFFFC00, 0x7FFFFFC0, 0xFFFFFF80,
            0x123456789ABCDEF1] + [rng.getrandbits(64) for _ in range(4)]
    for kind in ("w", "wu", "l", "lu"):
        out.append(f"\nTEST_CASE({number}) /* fcvt.{s}.{kind} */")
        number += 1
        for x in ints:
            exact32 = fmt is F64 and kind in ("w", "wu")
            macro = "ITOFP_EXACT" if exact32 else "ITOFP"
            rounded(out, macro, f"fcvt.{s}.{kind}", lambda rm: int_to_fp(fmt, rm, x, kind), show, hx(x))
    return number


def double_to_single(out, number, rng):
    out.append(f"\nTEST_CASE({number}) /* fcvt.s.d */")
    f = lambda v: fp_of(F64, v)
    single_max = F32.value(F32.max)
    small = F32.value(1)
    least = F32.value(1 << 23)
    values = [f(v) for v in (
        1, -1, Fraction(1, 3), -Fraction(1, 3), 1 + Fraction(1, 2 ** 24), 1 + Fraction(3, 2 ** 24),
        1 + Fraction(1, 2 ** 24) + Fraction(1, 2 ** 52), single_max, -single_max,
        single_max + 2 ** 103, single_max + 2 ** 103 - 2 ** 75, -single_max - 2 ** 103, 2 ** 128, small,
        small / 2, -small / 2, small * Fraction(3, 4), small / 4, least, least - small / 2,
        least - small / 4, least - small / 8, -least + small / 4, least * Fraction(5, 4), 0)]
    values += list(interesting(F64).values()) + [random_fp(rng, F64) for _ in range(6)]
    for x in values:
        rounded(out, "FP1", "fcvt.s.d", lambda rm: fp_to_fp(F32, F64, rm, x),
                lambda r: reg(F32, r), hx(x))
    out.append(f"\nTEST_CASE({number + 1}) /* fcvt.d.s */")
    for x in list(interesting(F32).values()) + [random_fp(rng, F32) for _ in range(6)]:
        r, fl = fp_to_fp(F64, F32, "rne", x)
        out.append(f"FP1_EXACT(fcvt.d.s, rne, {hx(r)}, {fl}, {reg(F32, x)})")
    return number + 2


def fp_file(fmt):
    rng = random.Random("fp" + fmt.name)
    out = []
    header(out)
    number = fp_arith(out, fmt, 1, rng)
    number = fp_plain(out, fmt, number)
    number = fp_convert(out, fmt, number, rng)
    if fmt is F64:
        double_to_single(out, number, rng)
    return out


def main():
    write("float", fp_file(F32))
    write("double", fp_file(F64))


if __name__ == "__main__":
    main()
