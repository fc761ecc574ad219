"""Operands that are worth trying: edges, their neighbours, and plain random ones."""

MASK64 = (1 << 64) - 1

INTEGERS = [0, 1, 2, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff,
            1 << 32, (1 << 63) - 1, 1 << 63, MASK64, MASK64 - 1, 0xffffffff80000000,
            0xffffffff7fffffff, 0x5555555555555555, 0xaaaaaaaaaaaaaaaa]
DOUBLES = [0, 1 << 63, 1, 0x000fffffffffffff, 0x0010000000000000, 0x3ff0000000000000,
           0xbff0000000000000, 0x3fefffffffffffff, 0x3ff0000000000001, 0x4000000000000000,
           0x3fe0000000000000, 0x3ff8000000000000, 0x7fefffffffffffff, 0x7ff0000000000000,
           0xfff0000000000000, 0x7ff8000000000000, 0xfff8000000000001, 0x7ff0000000000001,
           0x7ff4000000000000, 0x41dfffffffc00000, 0x41e0000000000000, 0xc1e0000000000000,
           0xc1e0000000200000, 0x41efffffffe00000, 0x43e0000000000000, 0xc3e0000000000000,
           0x43dfffffffffffff, 0x43f0000000000000, 0x4330000000000001, 0x3810000000000000,
           0x380fffffffffffff, 0x36a0000000000000, 0x369fffffffffffff, 0x47efffffe0000000,
           0x47effffff0000000, 0x47efffffefffffff]
SINGLES = [0, 1 << 31, 1, 0x007fffff, 0x00800000, 0x3f800000, 0xbf800000, 0x3f7fffff, 0x3f800001,
           0x40000000, 0x3f000000, 0x3fc00000, 0x7f7fffff, 0x7f800000, 0xff800000, 0x7fc00000,
           0xffc00001, 0x7f800001, 0x7fa00000, 0x4effffff, 0x4f000000, 0xcf000000, 0x4f7fffff,
           0x4f800000, 0x5f000000, 0xdf000000, 0x5effffff, 0x5f800000, 0x4b000001]


def integer(rng):
    kind = rng.randrange(4)
    if kind == 0:
        return rng.choice(INTEGERS)
    if kind == 1:
        return rng.getrandbits(64) >> rng.randrange(64)
    if kind == 2:
        return (rng.choice(INTEGERS) + rng.randrange(-3, 4)) & MASK64
    return rng.getrandbits(64)


def double(rng):
    kind = rng.randrange(4)
    if kind == 0:
        return rng.choice(DOUBLES)
    if kind == 1:
        return (rng.choice(DOUBLES) + rng.randrange(-2, 3)) & MASK64
    if kind == 2:  # exponents near each other: cancellation, halves, sums that round
        tail = rng.choice([0, rng.getrandbits(52), rng.getrandbits(8), rng.getrandbits(8) << 44])
        return rng.getrandbits(1) << 63 | rng.randrange(1003, 1080) << 52 | tail
    return rng.getrandbits(64)


def single(rng):
    kind = rng.randrange(4)
    if kind == 0:
        bits = rng.choice(SINGLES)
    elif kind == 1:
        bits = (rng.choice(SINGLES) + rng.randrange(-2, 3)) & 0xffffffff
    elif kind == 2:
        tail = rng.choice([0, rng.getrandbits(23), rng.getrandbits(5), rng.getrandbits(5) << 18])
        bits = rng.getrandbits(1) << 31 | rng.randrange(110, 160) << 23 | tail
    else:
        bits = rng.getrandbits(32)
    box = 0xffffffff if rng.randrange(12) else rng.getrandbits(32)
    return box << 32 | bits
