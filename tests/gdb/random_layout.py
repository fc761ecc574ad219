"""Where the parts of a random case lie, and page tables for them."""

import struct

from random_values import MASK64

HANDLER_M = 0x80010000
HANDLER_S = 0x80011000
CODE = 0x80020000
DATA = 0x80030000
DATA_PAGES = 4
TABLES = 0x80040000
PAGE = 4096
UNBACKED = 0x90000000  # behind 128 MiB of RAM, no device

U, S, M = 0, 1, 3  # modes as priv and mstatus.MPP number them

PTE_V, PTE_R, PTE_W, PTE_X, PTE_U, PTE_G, PTE_A, PTE_D = (1 << n for n in range(8))


class Paging:
    """Page tables of 3 to 5 levels. The code, handlers and data are where they are without paging;
    the data also at `giga` and `mega` by large leaves and at `high` by small ones."""

    giga = 0x800000000 + DATA - 0x80000000  # no device has these as physical addresses
    mega = 0x840000000 + DATA - 0x80000000
    high = -(1 << 38) + DATA - 0x80000000 & MASK64

    def __init__(self, rng, mode):
        self.mode = mode
        self.levels = rng.choice([3, 3, 4, 5])
        self.pages = {}
        self.root = self.new_page()
        self.user = PTE_U if mode == U else 0
        usual = PTE_V | PTE_A | PTE_D | PTE_R | PTE_W
        self.map(HANDLER_S, HANDLER_S, usual | PTE_X)
        for page in (0, PAGE):
            self.map(CODE + page, CODE + page, usual | PTE_X | self.user)
        self.map(self.giga, 0x80000000, self.large_flags(rng), 2, rng.randrange(8) == 0)
        self.map(self.mega, 0x80000000, self.large_flags(rng), 1, rng.randrange(8) == 0)
        for n in range(DATA_PAGES):
            self.map(DATA + n * PAGE, *self.random_target(rng, n))
            self.map(self.high + n * PAGE, *self.random_target(rng, n))
        self.slots = [self.slot(base + n * PAGE) for n in range(DATA_PAGES)
                      for base in (DATA, self.high)]
        for page in list(self.pages):
            self.map(page, page, usual)

    def new_page(self):
        address = TABLES + len(self.pages) * PAGE
        self.pages[address] = [0] * 512
        return address

    def slot(self, address, level=0):
        """The address of the entry for `address` at the level; makes the tables above it."""
        table = self.root
        for at in range(self.levels - 1, level, -1):
            index = address >> (12 + 9 * at) & 511
            if not self.pages[table][index]:
                self.pages[table][index] = self.new_page() >> 2 | PTE_V
            table = (self.pages[table][index] >> 10) << 12
        return table + 8 * (address >> (12 + 9 * level) & 511)

    def map(self, address, target, flags, level=0, misaligned=False):
        slot = self.slot(address, level)
        table = self.pages[slot & ~(PAGE - 1)]
        table[(slot & (PAGE - 1)) // 8] = target >> 2 | flags | misaligned << 10

    def large_flags(self, rng):
        return self.flags(rng) if rng.randrange(2) else \
            PTE_V | PTE_R | PTE_W | PTE_A | PTE_D | self.user

    def flags(self, rng):
        """Any rights; a leaf whenever it is valid."""
        kind = rng.randrange(8)
        if kind == 0:
            return rng.choice([0, PTE_R | PTE_W, PTE_V | PTE_W, PTE_V | PTE_W | PTE_X]) | self.user
        flags = PTE_V | rng.choice([PTE_R, PTE_R | PTE_W, PTE_R | PTE_W, PTE_R | PTE_W, PTE_X,
                                    PTE_R | PTE_X])
        flags |= sum(f for f in (PTE_G, PTE_A, PTE_A, PTE_D) if rng.randrange(2)) & 0xff
        flags |= self.user if rng.randrange(5) else self.user ^ PTE_U
        if kind == 1:
            flags |= rng.choice([1 << 8, 1 << 9, 1 << 54, 1 << 60, 1 << 61, 1 << 62, 1 << 63])
        return flags

    def random_target(self, rng, n):
        """Of the n-th page of data. Only the first is at times where no memory is, so that no
        access crosses from memory to there."""
        target = DATA + rng.randrange(DATA_PAGES) * PAGE
        if n == 0 and not rng.randrange(5):
            target = rng.choice([UNBACKED, 1 << 55])
        return target, self.flags(rng)

    def random_entry(self, rng):
        """(address, value) of a last-level entry to store."""
        choice = rng.randrange(len(self.slots))
        target, flags = self.random_target(rng, choice // 2)
        return self.slots[choice], target >> 2 | flags

    def satp(self, rng):
        return (self.levels + 5) << 60 | rng.getrandbits(16) << 44 | self.root >> 12

    def memory(self):
        return [(a, struct.pack("<512Q", *entries)) for a, entries in sorted(self.pages.items())]
