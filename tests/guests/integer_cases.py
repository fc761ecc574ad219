#!/usr/bin/env python3
"""Writes the integer operand tables of the guests (*_cases.inc) with their expected results.

A manual tool: the tables are kept in the tree.  Run it in this directory after a
change; the output depends on nothing but this file.  Every expected value is
computed here from the text of the ISA manual, so that the tables are an opinion
independent of any emulator. fp_cases.py does the same for floating point.
"""

import random

M64 = (1 << 64) - 1
M32 = (1 << 32) - 1


def s64(x):
    x &= M64
    return x - (1 << 64) if x >> 63 else x


def s32(x):
    x &= M32
    return x - (1 << 32) if x >> 31 else x


def sx32(x):
    return s32(x) & M64


def div(a, b, bits):
    """Signed division of the M extension: quotient, remainder (as integers)."""
    if b == 0:
        return -1, a
    if a == -(1 << (bits - 1)) and b == -1:
        return a, 0
    q = abs(a) // abs(b)
    q = -q if (a < 0) != (b < 0) else q
    return q, a - q * b


def divu(a, b, bits):
    return ((1 << bits) - 1, a) if b == 0 else (a // b, a % b)


def ror(x, n, bits):
    n %= bits
    mask = (1 << bits) - 1
    x &= mask
    return ((x >> n) | (x << (bits - n))) & mask


def clz(x, bits):
    return bits - (x & ((1 << bits) - 1)).bit_length()


def ctz(x, bits):
    x &= (1 << bits) - 1
    return bits if x == 0 else (x & -x).bit_length() - 1


RR = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "sll": lambda a, b: a << (b & 63),
    "slt": lambda a, b: int(s64(a) < s64(b)),
    "sltu": lambda a, b: int(a < b),
    "xor": lambda a, b: a ^ b,
    "srl": lambda a, b: a >> (b & 63),
    "sra": lambda a, b: s64(a) >> (b & 63),
    "or": lambda a, b: a | b,
    "and": lambda a, b: a & b,
    "addw": lambda a, b: sx32(a + b),
    "subw": lambda a, b: sx32(a - b),
    "sllw": lambda a, b: sx32(a << (b & 31)),
    "srlw": lambda a, b: sx32((a & M32) >> (b & 31)),
    "sraw": lambda a, b: s32(a) >> (b & 31),
    "mul": lambda a, b: a * b,
    "mulh": lambda a, b: (s64(a) * s64(b)) >> 64,
    "mulhsu": lambda a, b: (s64(a) * b) >> 64,
    "mulhu": lambda a, b: (a * b) >> 64,
    "mulw": lambda a, b: sx32(a * b),
    "div": lambda a, b: div(s64(a), s64(b), 64)[0],
    "rem": lambda a, b: div(s64(a), s64(b), 64)[1],
    "divu": lambda a, b: divu(a, b, 64)[0],
    "remu": lambda a, b: divu(a, b, 64)[1],
    "divw": lambda a, b: div(s32(a), s32(b), 32)[0],
    "remw": lambda a, b: div(s32(a), s32(b), 32)[1],
    "divuw": lambda a, b: sx32(divu(a & M32, b & M32, 32)[0]),
    "remuw": lambda a, b: sx32(divu(a & M32, b & M32, 32)[1]),
    "add.uw": lambda a, b: (a & M32) + b,
    "sh1add": lambda a, b: (a << 1) + b,
    "sh2add": lambda a, b: (a << 2) + b,
    "sh3add": lambda a, b: (a << 3) + b,
    "sh1add.uw": lambda a, b: ((a & M32) << 1) + b,
    "sh2add.uw": lambda a, b: ((a & M32) << 2) + b,
    "sh3add.uw": lambda a, b: ((a & M32) << 3) + b,
    "andn": lambda a, b: a & ~b,
    "orn": lambda a, b: a | ~b,
    "xnor": lambda a, b: ~(a ^ b),
    "max": lambda a, b: max(s64(a), s64(b)),
    "maxu": lambda a, b: max(a, b),
    "min": lambda a, b: min(s64(a), s64(b)),
    "minu": lambda a, b: min(a, b),
    "rol": lambda a, b: ror(a, -(b & 63), 64),
    "ror": lambda a, b: ror(a, b & 63, 64),
    "rolw": lambda a, b: sx32(ror(a, -(b & 31), 32)),
    "rorw": lambda a, b: sx32(ror(a, b & 31, 32)),
    "bclr": lambda a, b: a & ~(1 << (b & 63)),
    "bext": lambda a, b: (a >> (b & 63)) & 1,
    "binv": lambda a, b: a ^ (1 << (b & 63)),
    "bset": lambda a, b: a | (1 << (b & 63)),
}

RI = {
    "addi": lambda a, i: a + i,
    "slti": lambda a, i: int(s64(a) < i),
    "sltiu": lambda a, i: int(a < (i & M64)),
    "xori": lambda a, i: a ^ (i & M64),
    "ori": lambda a, i: a | (i & M64),
    "andi": lambda a, i: a & (i & M64),
    "addiw": lambda a, i: sx32(a + i),
    "slli": lambda a, i: a << i,
    "srli": lambda a, i: a >> i,
    "srai": lambda a, i: s64(a) >> i,
    "slliw": lambda a, i: sx32(a << i),
    "srliw": lambda a, i: sx32((a & M32) >> i),
    "sraiw": lambda a, i: s32(a) >> i,
    "slli.uw": lambda a, i: (a & M32) << i,
    "rori": lambda a, i: ror(a, i, 64),
    "roriw": lambda a, i: sx32(ror(a, i, 32)),
    "bclri": lambda a, i: a & ~(1 << i),
    "bexti": lambda a, i: (a >> i) & 1,
    "binvi": lambda a, i: a ^ (1 << i),
    "bseti": lambda a, i: a | (1 << i),
}

R1 = {
    "clz": lambda a: clz(a, 64),
    "ctz": lambda a: ctz(a, 64),
    "cpop": lambda a: bin(a).count("1"),
    "clzw": lambda a: clz(a, 32),
    "ctzw": lambda a: ctz(a, 32),
    "cpopw": lambda a: bin(a & M32).count("1"),
    "sext.b": lambda a: (a & 0xFF) - ((a & 0x80) << 1),
    "sext.h": lambda a: (a & 0xFFFF) - ((a & 0x8000) << 1),
    "zext.h": lambda a: a & 0xFFFF,
    "orc.b": lambda a: sum(0xFF << i for i in range(0, 64, 8) if (a >> i) & 0xFF),
    "rev8": lambda a: int.from_bytes(a.to_bytes(8, "little"), "big"),
}

MIN64, MAX64 = 1 << 63, (1 << 63) - 1
MIN32, MAX32 = 0xFFFFFFFF80000000, 0x7FFFFFFF
PAIRS = [
    (0, 0), (1, 1), (3, 7), (0, M64), (M64, 0), (M64, M64), (1, M64), (MAX64, 1), (MIN64, M64),
    (MIN64, MIN64), (MAX64, MAX64), (MIN64, MAX64), (MAX64, MIN64), (MIN32, MAX32), (MAX32, 1),
    (MIN32, M64), (0x80000000, 1), (0xFFFFFFFF, 1), (0x100000000, 0xFFFFFFFF),
    (0x0123456789ABCDEF, 0xFEDCBA9876543210), (0xA5A5A5A55A5A5A5A, 0x0F0F0F0FF0F0F0F0),
    (0x123456789ABCDEF0, 0xFFFFFFFF00000000),
]
DIV_PAIRS = [
    (0, 0), (1, 0), (M64, 0), (MIN64, 0), (MIN32, 0), (0x80000000, 0), (0x123400000000, 0),
    (MIN64, M64), (MIN32, M64), (0x80000000, 0xFFFFFFFF), (MIN64, 1), (20, 6), (-20 & M64, 6),
    (20, -6 & M64), (-20 & M64, -6 & M64), (0x80000000, 3), (MAX64, M64), (MAX64, MIN64),
    (MIN64, MAX64), (M64, 2), (1, 2), (5, 0x100000000), (0xFFFFFFFF00000007, 0xFFFFFFFF00000002),
    (0x0123456789ABCDEF, 0x1357), (0xFEDCBA9876543210, 0xFFFFFFFFFFFFF123), (M64, M64),
]
SHIFT_VALUES = [1, M64, MIN64, 0x80000000, 0x123456789ABCDEF0, 0xFFFFFFFF80000001]
SHIFTS = [0, 1, 4, 31, 32, 33, 63, 64, 95, 96, 127, 0xFFFFFFFFFFFFFFC1]
IMMS = [0, 1, -1, 2047, -2048, 0x555]
IMM_VALUES = [0, 1, M64, MAX64, MIN64, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF80000000, 0x123456789ABCDEF0]
UNARY = [0, 1, M64, MIN64, MAX64, 0x80000000, 0xFFFFFFFF, 0x100000000, 0x7F, 0x80, 0x8000, 0x7FFF,
         0x0123456789ABCDEF, 0xFEDCBA9876543210, 0x0000800000000000, 0x0010000000000100,
         0xFF00FF0000800001, 0x00000000FFFF0000]
SHIFT_RR = {"sll", "srl", "sra", "sllw", "srlw", "sraw", "rol", "ror", "rolw", "rorw", "bclr",
            "bext", "binv", "bset"}
SHIFT6 = {"slli", "srli", "srai", "slli.uw", "rori", "bclri", "bexti", "binvi", "bseti"}
SHIFT5 = {"slliw", "srliw", "sraiw", "roriw"}


def hx(x):
    x &= M64
    return str(x) if x < 10 else hex(x)


def header(out):
    out.append("/* Written by integer_cases.py and fp_cases.py: edit these, not this file. */")


def rr_cases(out, number, op, rng):
    out.append(f"\nTEST_CASE({number}) /* {op} */")
    f = RR[op]
    if op in SHIFT_RR:
        pairs = [(v, s) for v in SHIFT_VALUES for s in SHIFTS]
        pairs = [p for i, p in enumerate(pairs) if i % 2 == 0 or i < len(SHIFTS)]
    elif op.startswith(("div", "rem")):
        pairs = DIV_PAIRS + [(rng.getrandbits(64), rng.getrandbits(rng.choice((7, 31, 33, 62))))
                             for _ in range(4)]
    else:
        pairs = PAIRS + [(rng.getrandbits(64), rng.getrandbits(64)) for _ in range(3)]
    for a, b in pairs:
        out.append(f"RR({op}, {hx(f(a, b))}, {hx(a)}, {hx(b)})")
    for a in (M64, MIN64, 0x80000005, 7):
        out.append(f"RR_SAME({op}, {hx(f(a, a))}, {hx(a)})")


def ri_cases(out, number, op):
    out.append(f"\nTEST_CASE({number}) /* {op} */")
    f = RI[op]
    if op in SHIFT6 or op in SHIFT5:
        amounts = [0, 1, 7, 31] + ([32, 33, 63] if op in SHIFT6 else [])
        cases = [(v, i) for v in SHIFT_VALUES for i in amounts]
    else:
        cases = [(v, i) for v in IMM_VALUES for i in IMMS]
    for a, i in cases:
        out.append(f"RI({op}, {hx(f(a, i))}, {hx(a)}, {i})")


def r1_cases(out, number, op, rng):
    out.append(f"\nTEST_CASE({number}) /* {op} */")
    for a in UNARY + [rng.getrandbits(64) for _ in range(3)]:
        macro = "R1_CTZW" if op == "ctzw" and a and not a & M32 else "R1"
        out.append(f"{macro}({op}, {hx(R1[op](a))}, {hx(a)})")


def integer_file(name, first, ops):
    rng = random.Random(name)
    out = []
    header(out)
    for number, op in enumerate(ops, first):
        if op in RR:
            rr_cases(out, number, op, rng)
        elif op in RI:
            ri_cases(out, number, op)
        else:
            r1_cases(out, number, op, rng)
    return out


AMOS = {
    "swap": lambda m, s, bits: s,
    "add": lambda m, s, bits: m + s,
    "xor": lambda m, s, bits: m ^ s,
    "and": lambda m, s, bits: m & s,
    "or": lambda m, s, bits: m | s,
    "min": lambda m, s, bits: min(m, s, key=s32 if bits == 32 else s64),
    "max": lambda m, s, bits: max(m, s, key=s32 if bits == 32 else s64),
    "minu": lambda m, s, bits: min(m, s),
    "maxu": lambda m, s, bits: max(m, s),
}


def amo_file():
    out = []
    header(out)
    number = 1
    for op, f in AMOS.items():
        out.append(f"\nTEST_CASE({number}) /* amo{op} */")
        number += 1
        for m, s in PAIRS[:2] + PAIRS[3:]:
            new = f(m & M32, s & M32, 32) & M32
            # Only the addressed word changes; the word loaded is sign-extended.
            out.append(f"AMO(amo{op}.w, {hx(m & ~M32 | new)}, {hx(sx32(m))}, {hx(m)}, {hx(s)})")
            out.append(f"AMO(amo{op}.d, {hx(f(m, s, 64))}, {hx(m)}, {hx(m)}, {hx(s)})")
    return out


def write(name, lines):
    with open(name + "_cases.inc", "w", encoding="ascii") as f:
        f.write("\n".join(lines) + "\n")


def main():
    write("integer", integer_file("integer", 1, """add sub sll slt sltu xor srl sra or and addw subw
        sllw srlw sraw addi slti sltiu xori ori andi addiw slli srli srai slliw srliw sraiw""".split()))
    write("mul_div", integer_file("mul_div", 1, """mul mulh mulhsu mulhu mulw div divu rem remu divw divuw
        remw remuw""".split()))
    write("bitmanip", integer_file("bitmanip", 1, """add.uw sh1add sh2add sh3add sh1add.uw sh2add.uw sh3add.uw
        slli.uw andn orn xnor clz ctz cpop clzw ctzw cpopw max maxu min minu sext.b sext.h zext.h rol ror
        rori rolw rorw roriw orc.b rev8 bclr bext binv bset bclri bexti binvi bseti""".split()))
    write("amo", amo_file())


if __name__ == "__main__":
    main()
