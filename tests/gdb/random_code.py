"""Random RV64GC programs, each a function of its seed alone.

A case is a straight sequence with forward jumps and short counted loops; traps go to handlers that
skip four bytes (after a fetch fault: return to ra), so every case reaches its end; what may trap
and is compressed has a c.nop behind it. What one function of Generator puts belongs together, and
jumps land only between such groups.

Registers: sp, s0 and s1 point at data (s1 aligned to 16); t5 counts loops; all others are free.
"""

import random
import struct

import riscv_encode as e
from random_layout import (CODE, DATA, DATA_PAGES, HANDLER_M, HANDLER_S, M, PAGE, S, TABLES, U,
                           UNBACKED, Paging)
from random_values import MASK64, double, integer, single

RA, SP, S0, S1, T5 = 1, 2, 8, 9, 30
POINTERS = (SP, S0, S1)
FREE = [r for r in range(32) if r not in (SP, S0, S1, T5)]
FREE_C = [10, 11, 12, 13, 14, 15]

MSTATUS_FS = 3 << 13
MSTATUS_MPRV, MSTATUS_SUM, MSTATUS_MXR = 1 << 17, 1 << 18, 1 << 19
MSTATUS_TVM, MSTATUS_TW, MSTATUS_TSR = 1 << 20, 1 << 21, 1 << 22

# Delegable exceptions that occur here. Those of loads and stores go the same way, as QEMU takes one
# for another in AMOs.
DELEGABLE = [1 << 1, 1 << 2, 1 << 3, 1 << 5 | 1 << 7 | 1 << 13 | 1 << 15, 1 << 8, 1 << 9, 1 << 12]

MENVCFG_ADUE = 1 << 61

FFLAGS, FRM, FCSR, SSTATUS, STVEC, SCOUNTEREN = 1, 2, 3, 0x100, 0x105, 0x106
SSCRATCH, SEPC, SCAUSE, STVAL, SATP = 0x140, 0x141, 0x142, 0x143, 0x180
MSTATUS, MISA, MEDELEG, MIDELEG, MTVEC, MCOUNTEREN = 0x300, 0x301, 0x302, 0x303, 0x305, 0x306
MSCRATCH, MEPC, MCAUSE, MTVAL = 0x340, 0x341, 0x342, 0x343
PMPCFG0, PMPADDR0, MENVCFG, SENVCFG = 0x3a0, 0x3b0, 0x30a, 0x10a

# Any value can be written; what is read back is the same everywhere.
PLAIN_CSRS = [FFLAGS, FRM, FCSR, FCSR, SSCRATCH, SEPC, STVAL, SCAUSE, MSCRATCH, MEPC, MTVAL,
              MCAUSE]
READ_CSRS = [STVEC, SATP, MTVEC, MEDELEG, MIDELEG, SSTATUS, MSTATUS, PMPCFG0, PMPADDR0, 0xf11,
             0xf12, 0xf13, 0xf14, MISA, MCOUNTEREN, SCOUNTEREN]
COUNTERS = [0xc00, 0xc01, 0xc02]
ABSENT_CSRS = [0x004, 0x015, 0x008, 0x0c0, 0x10c, 0x200, 0x280, 0x5a8, 0x5c0, 0x600, 0x680, 0x7c0,
               0x7a0, 0x7b0, 0x800, 0x9c0, 0xa80, 0xbc0, 0xcc0, 0xda0, 0xdb0, 0xe12, 0xfb0]


def words(*values):
    return b"".join(struct.pack("<I", v) for v in values)


def halves(*values):
    return b"".join(struct.pack("<H", v) for v in values)


def handler(scratch, epc, cause, tval, xret):
    """Skips four bytes, after a fetch fault returns to ra. Clears cause and tval: a known
    difference in them does not reach the guest's later instructions."""
    back = [e.csr(1, 0, cause, 0), e.csr(1, 0, tval, 0), e.csr(1, 31, scratch, 31), xret]
    skip = [e.csr(2, 31, epc, 0), e.addi(31, 31, 4), e.csr(1, 0, epc, 31)]
    fetch = [e.csr(1, 0, epc, RA)]
    skip.append(e.jal(0, 4 * (len(fetch) + 1)))
    test = [e.csr(1, 31, scratch, 31), e.csr(2, 31, cause, 0), e.addi(31, 31, -12),
            e.b_type(0, 31, 0, 4 * (len(skip) + 3)), e.addi(31, 31, 11),
            e.b_type(0, 31, 0, 4 * (len(skip) + 1))]
    return words(*test, *skip, *fetch, *back)


class Case:
    """registers: name -> value to set before, in this order; memory: list of (address, bytes);
    compared: list of (address, size). Runs from start until pc == end."""

    def __init__(self, seed):
        self.seed = seed
        self.kind = ""
        self.protected = False
        self.memory = []
        self.compared = []
        self.x = [0] * 32
        self.f = [0] * 32
        self.csrs = {}
        self.priv = M
        self.start = CODE
        self.end = CODE
        self.steps = 0


class Generator:
    """Builds the code of one case. An item is (size, function of its address and the addresses of
    all items) or bytes; a jump names its target by item index."""

    def __init__(self, rng, mode, paging, delegated, protected):
        self.rng = rng
        # The S handler's own sret would trap too.
        self.may_trap_sret = not delegated
        self.mode = self.first_mode = mode
        self.paging = paging
        # When LR faults, its SC has no reservation: whether it fails or faults is open.
        self.lr_sc = not paging and not protected
        self.items = []
        self.jumps = {}  # item -> index of its target
        self.groups = []  # where jumps may land: the first items of what belongs together
        self.barriers = []  # groups that no jump passes over
        self.addresses = []

    def put(self, *values):
        self.items += [words(v) for v in values]

    def put_c(self, value, traps=False):
        """A compressed instruction; one that may trap gets a c.nop to fill the four bytes."""
        self.items.append(halves(value, e.C_NOP) if traps else halves(value))

    def put_at(self, size, function):
        self.items.append((size, function))

    def constant(self, rd, value):
        self.put(*e.load_constant(rd, value))

    def src(self):
        r = self.rng
        return r.randrange(32)

    def dst(self):
        return self.rng.choice(FREE)

    # ---- integer ----

    def r_integer(self):
        table = self.rng.choice([e.R_INTEGER, e.R_MUL_DIV, e.R_BIT])
        opcode, funct7, funct3 = self.rng.choice(table)
        self.put(e.r_type(opcode, funct3, funct7, self.dst(), self.src(), self.src()))

    def i_integer(self):
        r = self.rng
        kind = r.randrange(6)
        if kind == 0:
            opcode, high, funct3 = r.choice(e.SHIFT_64)
            word = e.i_type(opcode, funct3, self.dst(), self.src(), high << 6 | r.randrange(64))
        elif kind == 1:
            funct7, funct3 = r.choice(e.SHIFT_32)
            word = e.i_type(e.OP_IMM_32, funct3, self.dst(), self.src(),
                            funct7 << 5 | r.randrange(32))
        elif kind == 2:
            word = self.unary(*r.choice(e.UNARY))
        elif kind == 3:
            word = e.u_type(r.choice([e.LUI, e.AUIPC]), self.dst(), r.getrandbits(20))
        elif kind == 4:
            word = e.i_type(e.OP_IMM_32, 0, self.dst(), self.src(), r.getrandbits(12))
        else:
            word = e.i_type(e.OP_IMM, r.choice([0, 2, 3, 4, 6, 7]), self.dst(), self.src(),
                            r.getrandbits(12))
        self.put(word)

    def unary(self, opcode, funct3, imm):
        source = self.src()
        if (opcode, imm) == (e.OP_IMM_32, e.CTZW):
            source = self.dst_not_zero()
            self.put(e.i_type(e.OP_IMM, 6, source, source, 1 << self.rng.randrange(11)))
        return e.i_type(opcode, funct3, self.dst(), source, imm)

    def fresh_integer(self):
        self.constant(self.dst(), integer(self.rng))

    def compressed(self):
        r = self.rng
        rd, rdc, rs2c = r.choice(FREE[1:]), r.choice(FREE_C), r.choice(range(8, 16))
        imm = r.randrange(64)
        self.put_c(r.choice([
            e.ci(1, 0, rd, imm), e.ci(1, 1, rd, imm), e.ci(1, 2, rd, imm),
            e.ci(1, 3, rd, imm or 1), e.ci(2, 0, rd, imm),
            e.ci(2, 4, rd, r.randrange(1, 32)), e.ci(2, 4, rd, 32 | r.randrange(1, 32)),
            e.c_arith(3, r.randrange(4), rdc, rs2c), e.c_arith(3, r.randrange(2), rdc, rs2c, 1),
            e.c_shift(0, rdc, imm), e.c_shift(1, rdc, imm), e.c_shift(2, rdc, imm),
            e.c_addi4spn(rdc, 4 * r.randrange(1, 256)),
            # hints
            e.ci(1, 0, 0, imm), e.ci(1, 2, 0, imm), e.ci(2, 0, 0, imm),
            e.ci(2, 4, 0, 32 | r.randrange(1, 32))]))

    # ---- memory ----

    def point(self):
        """Set a data pointer anew: near a page boundary, at times somewhere bad."""
        r = self.rng
        value = self.data_address()
        if not r.randrange(10):
            value = r.choice([UNBACKED, UNBACKED + r.getrandbits(12), 8, 1 << 38, 1 << 56,
                              MASK64 - 7, value | 1 << 45, value ^ 1 << 63])
        self.constant(r.choice([SP, S0]), value)
        if self.rng.randrange(2):
            self.constant(S1, self.data_address() & ~15)

    def data_address(self):
        r = self.rng
        base = DATA
        if self.paging:
            base = r.choice([DATA, DATA, self.paging.giga, self.paging.mega, self.paging.high])
        edge = base + r.randrange(1, DATA_PAGES) * PAGE
        return (edge + r.choice([0, -4, -8, -3, 1, r.randrange(-600, 600)])) & MASK64

    def memory(self):
        r = self.rng
        base = r.choice(POINTERS)
        offset = r.choice([0, 8, -8, r.randrange(-64, 64), r.randrange(-1200, 1200)])
        kind = r.randrange(8)
        if kind < 3:
            self.put(e.i_type(e.LOAD, r.randrange(7), self.dst(), base, offset))
        elif kind < 6:
            self.put(e.s_type(e.STORE, r.randrange(4), base, self.src(), offset))
        elif kind == 6:
            self.put(e.i_type(e.LOAD_FP, r.choice([2, 3]), r.randrange(32), base, offset))
        else:
            self.put(e.s_type(e.STORE_FP, r.choice([2, 3]), base, r.randrange(32), offset))

    def compressed_memory(self):
        r = self.rng
        rdc, any_c, base = r.choice(FREE_C), r.randrange(8, 16), r.choice([S0, S1])
        rd, any_r = r.choice(FREE[1:]), r.randrange(32)
        four, eight = 4 * r.randrange(32), 8 * r.randrange(32)
        self.put_c(r.choice([
            e.c_mem(2, rdc, base, four, False), e.c_mem(3, rdc, base, eight, True),
            e.c_mem(6, any_c, base, four, False), e.c_mem(7, any_c, base, eight, True),
            e.c_mem(1, any_c, base, eight, True), e.c_mem(5, any_c, base, eight, True),
            e.c_lsp(2, rd, 2 * four, False), e.c_lsp(3, rd, 2 * eight, True),
            e.c_lsp(1, any_r, 2 * eight, True), e.c_ssp(6, any_r, 2 * four, False),
            e.c_ssp(7, any_r, 2 * eight, True), e.c_ssp(5, any_r, 2 * eight, True)]), traps=True)

    def atomic(self):
        r = self.rng
        wide = r.randrange(2)
        ordering = r.randrange(4)
        address = self.dst_not_zero()
        self.put(e.addi(address, S1, (8 if wide else 4) * r.randrange(-16, 16)))

        def amo(funct5, rd, rs2):
            return e.r_type(e.AMO, 2 + wide, funct5 << 2 | ordering, rd, address, rs2)
        other = self.dst_other(address)
        if r.randrange(3) or not self.lr_sc:
            self.put(amo(r.choice(e.AMO_OPERATIONS), other, self.src()))
            return
        if r.randrange(4):
            self.put(amo(e.LR, other, 0))
            for _ in range(r.randrange(3)):
                rd = self.dst_other(address)
                self.put(e.r_type(e.OP, 0, 0, rd, other, self.src()))
        self.put(amo(e.SC, self.dst_other(address), self.src()))
        # An SC takes the reservation away, so a lone one always fails.
        if not r.randrange(4):
            self.put(amo(e.SC, self.dst(), self.src()))

    def dst_not_zero(self):
        return self.rng.choice(FREE[1:])

    def dst_other(self, register):
        return self.rng.choice([f for f in FREE if f != register])

    def fence(self):
        r = self.rng
        self.put(r.choice([e.FENCE_I, 0x0ff0000f, 0x8330000f, 0x0100000f,
                           r.getrandbits(12) << 20 | e.MISC_MEM]))

    # ---- floating point ----

    def float_arith(self):
        r = self.rng
        fmt = r.randrange(2)
        rm = r.choice([0, 1, 2, 3, 4, 7, 7, 7]) if r.randrange(40) else r.choice([5, 6])
        rs1, rs2, rd = r.randrange(32), r.randrange(32), r.randrange(32)
        kind = r.randrange(10)
        if kind < 2:
            self.put(r.randrange(32) << 27 | fmt << 25 | rs2 << 20 | rs1 << 15 | rm << 12 |
                     rd << 7 | r.choice(e.FMA))
            return
        if kind == 2:
            self.put(e.r_type(e.OP_FP, rm, 0x20 | fmt, rd, rs1, 1 - fmt))
            return
        funct7, second, funct3 = r.choice(e.FP)
        self.put(e.r_type(e.OP_FP, rm if funct3 is None else funct3, funct7 | fmt,
                          self.dst() if funct7 in e.FP_TO_X else rd,
                          self.src() if funct7 in e.FP_FROM_X else rs1,
                          rs2 if second is None else second))

    def float_fresh(self):
        r = self.rng
        register = self.dst_not_zero()
        fmt = r.randrange(2)
        self.constant(register, double(r) if fmt else single(r) & 0xffffffff)
        self.put(e.r_type(e.OP_FP, 0, 0x78 | fmt, r.randrange(32), register, 0))

    def float_control(self):
        r = self.rng
        number, value = r.choice([(FFLAGS, r.randrange(32)), (FRM, r.choice([0, 1, 2, 3, 4, 7])),
                                  (FRM, r.randrange(5)), (FRM, r.randrange(5))])
        funct3 = r.choice([5, 5, 6, 7]) if number == FFLAGS else 5
        self.put(e.csr(funct3, self.dst(), number, value))

    # ---- control flow ----

    def forward(self):
        """The index of an item a few further on, to be jumped to."""
        return len(self.items) + 1 + self.rng.randrange(1, 8)

    def branch(self):
        r = self.rng
        target = self.forward()
        kind = r.randrange(7)
        rs1, rs2, link = self.src(), self.src(), r.choice([0, RA, self.dst()])
        if kind < 3:
            funct3 = r.choice([0, 1, 4, 5, 6, 7])
            self.jump(4, target, lambda o: words(e.b_type(funct3, rs1, rs2, o)))
        elif kind == 3:
            self.jump(4, target, lambda o: words(e.jal(link, o)))
        elif kind == 4:
            rs1c, nonzero = r.randrange(8, 16), r.randrange(2)
            self.jump(2, target, lambda o: halves(e.c_branch(nonzero, rs1c, o) if o < 256
                                                  else e.C_NOP))
        elif kind == 5:
            self.jump(2, target, lambda o: halves(e.c_j(o)))
        else:
            self.jump_register(target, link)

    def jump(self, size, target, encode):
        self.jumps[len(self.items)] = target
        self.put_at(size, lambda at, where: encode(where(target) - at))

    def jump_register(self, target, link):
        """auipc and jalr (bit 0 of the sum is dropped), or c.jr, c.jalr."""
        r = self.rng
        register = self.dst_not_zero()
        kind = r.randrange(3)
        odd = r.randrange(2)

        def pair(at, where):
            return words(e.u_type(e.AUIPC, register, 0),
                         e.i_type(e.JALR, 0, link, register, where(target) - at + odd))

        def compressed(at, where):
            return words(e.u_type(e.AUIPC, register, 0),
                         e.addi(register, register, where(target) - at)) + \
                halves(e.ci(2, 4, register, 0 if kind == 1 else 32))
        self.jumps[len(self.items)] = target
        self.put_at(8 if kind == 0 else 10, pair if kind == 0 else compressed)

    def loop(self):
        """A few items, two to five times."""
        self.constant(T5, self.rng.randrange(2, 6))
        head = len(self.items)
        for _ in range(self.rng.randrange(1, 5)):
            self.rng.choice([self.r_integer, self.i_integer, self.memory, self.compressed,
                             self.compressed_memory, self.float_arith, self.atomic])()
        self.put(e.addi(T5, T5, -1))
        self.put_at(4, lambda at, where: words(e.b_type(1, T5, 0, where(head) - at)))

    def fetch_fault(self):
        """A call to where nothing can be fetched; the handler comes back to ra."""
        register = self.rng.choice([f for f in FREE if f not in (0, RA)])
        bad = [UNBACKED, 1 << 56]
        if self.paging and self.mode != M:
            bad += [TABLES, 1 << 45, 1 << 37, self.paging.high - 2]
        self.constant(register, self.rng.choice(bad))
        self.put(e.i_type(e.JALR, 0, RA, register, 0))

    def self_modify(self):
        """Store an instruction over a later one; run it before and after in a loop at times."""
        r = self.rng
        register, value = r.sample([f for f in FREE if f], 2)
        new = e.addi(self.dst(), self.src(), r.getrandbits(12))
        self.constant(value, new)
        slot = len(self.items) + 4
        self.put_at(4, lambda at, where: words(e.u_type(e.AUIPC, register, 0)))
        base = len(self.items) - 1
        self.put_at(4, lambda at, where: words(e.addi(register, register,
                                                      where(slot) - where(base))))
        self.put(e.s_type(e.STORE, 2, register, value, 0))
        self.put(e.FENCE_I)
        self.put(e.addi(0, 0, r.getrandbits(11)))

    # ---- system ----

    def csr_access(self):
        r = self.rng
        kind = r.randrange(8)
        if kind < 4:
            number = r.choice(PLAIN_CSRS)
            source = r.choice([self.src(), r.choice(FREE)])
            if number in (SEPC, MEPC, SCAUSE, MCAUSE):
                source = self.dst_not_zero()
                self.constant(source, self.epc_or_cause(number))
                self.put(e.csr(1, self.dst(), number, source))
            else:
                self.put(e.csr(r.choice([1, 2, 3, 5, 6, 7]), self.dst(), number, source))
        elif kind < 6:
            number = r.choice(READ_CSRS)
            self.put(e.csr(r.choice([2, 3, 6, 7]), self.dst(), number, 0))
        elif kind == 6:
            number = r.choice(COUNTERS)
            # The value depends on the host; whether it can be had does not.
            self.put(e.csr(2, 0, number, 0) if r.randrange(3) else e.csr(1, 0, number, self.src()))
        else:
            number = r.choice(ABSENT_CSRS + [0xf14])
            self.put(e.csr(1, self.dst(), number, self.src()))

    def epc_or_cause(self, number):
        return integer(self.rng) & ~1 if number in (SEPC, MEPC) else \
            self.rng.choice(range(16)) | self.rng.getrandbits(1) << 63

    def status(self):
        """FS goes to off or dirty and MPP is never the reserved mode: see lockstep_known.py."""
        r = self.rng
        register = self.dst_not_zero()
        flags = [MSTATUS_SUM, MSTATUS_MXR]
        number = SSTATUS if self.mode == S or not r.randrange(3) else MSTATUS
        if number == MSTATUS:
            flags += [MSTATUS_TW] + [MSTATUS_TSR] * self.may_trap_sret
            # With TVM the fence after a change of the page table would not be made.
            flags += [] if self.paging else [MSTATUS_TVM]
        flags = [f for f in flags if r.randrange(2)]
        if not r.randrange(4):
            flags.append(MSTATUS_FS)
        if number == SSTATUS or r.randrange(2):
            flags += [f for f in (1 << 5, 1 << 8) if r.randrange(2)]
        self.constant(register, sum(flags))
        operation = r.choice([2, 3])
        self.put(e.csr(operation, self.dst(), number, register))
        if operation == 3 and MSTATUS_FS in flags and r.randrange(4):
            for _ in range(r.randrange(1, 4)):
                r.choice([self.float_arith, self.float_control, self.memory])()
            self.constant(register, MSTATUS_FS)
            self.put(e.csr(2, 0, number, register))

    def as_lower(self):
        """One access in M-mode with another mode's translation."""
        if self.mode != M:
            return
        register = self.dst_not_zero()
        self.constant(register, 3 << 11)
        self.put(e.csr(3, 0, MSTATUS, register))
        self.constant(register, MSTATUS_MPRV | self.rng.choice([U, S, S]) << 11)
        self.put(e.csr(2, 0, MSTATUS, register))
        self.memory()
        self.constant(register, MSTATUS_MPRV)
        self.put(e.csr(3, 0, MSTATUS, register))

    def trap(self):
        r = self.rng
        kind = r.randrange(8)
        if kind == 0:
            self.put(e.ECALL)
        elif kind == 1:
            self.put(e.EBREAK)
        elif kind == 2:
            self.put_c(e.C_EBREAK, traps=True)
        elif kind == 3:
            self.put_c(self.illegal_compressed(), traps=True)
        elif kind == 4 and self.mode != M:
            self.put(r.choice([e.MRET, e.MRET if self.mode == S else e.SRET]))
        elif kind == 5:
            self.put(e.SFENCE_VMA | self.src() << 15 | self.src() << 20)
        elif kind == 6 and self.first_mode == U:
            self.put(e.WFI)
        else:
            self.put(self.illegal())

    def illegal(self):
        r = self.rng
        fields = r.getrandbits(25) << 7
        kind = r.randrange(7)
        if kind == 0:
            return r.choice([0, 0xffffffff, 0x00000053 | 7 << 12 | 0x7f << 25])
        if kind == 1:  # custom, vector and reserved major opcodes, longer instructions
            return fields | r.choice([0x0b, 0x2b, 0x5b, 0x7b, 0x57, 0x6b, 0x77, 0x1f, 0x3f, 0x5f,
                                      0x7f])
        if kind == 2:
            return e.r_type(r.choice([e.OP, e.OP_32]), r.randrange(8),
                            r.choice([0x02, 0x03, 0x11, 0x21, 0x31, 0x40, 0x7f]), self.dst(),
                            self.src(), self.src())
        if kind == 3:
            return e.i_type(e.LOAD, 7, self.dst(), self.src(), r.getrandbits(12))
        if kind == 4:
            return e.s_type(e.STORE, r.randrange(4, 8), self.src(), self.src(), r.getrandbits(12))
        if kind == 5:
            return e.b_type(r.choice([2, 3]), self.src(), self.src(), 8)
        return e.r_type(e.AMO, r.choice([0, 1, 4, 5]), r.choice([0x05, 0x09, 0x15, 0x1f]) << 2,
                        self.dst(), S1, self.src())

    def illegal_compressed(self):
        r = self.rng
        return r.choice([
            0x0000, 4 << 13 | r.getrandbits(11) << 2,  # all zero; reserved quadrant 0
            e.ci(1, 1, 0, r.randrange(64)), e.ci(1, 3, self.dst_not_zero(), 0),
            e.ci(1, 3, SP, 0), e.c_lsp(2, 0, 4, False), e.c_lsp(3, 0, 8, True),
            e.c_arith(3, r.choice([2, 3]), 10, 11, 1), e.ci(2, 4, 0, 0),
            r.randrange(8) << 2])

    def fuzzed(self):
        """A random word of an opcode that neither jumps nor touches memory."""
        r = self.rng
        opcode = r.choice([e.OP, e.OP_32, e.OP_IMM, e.OP_IMM_32, e.OP_FP])
        word = r.getrandbits(32) & ~0xfff | self.dst() << 7 | opcode
        if r.randrange(2):  # near the valid ones
            word = word & 0x01ffffff | r.choice(
                [0, 0x01, 0x04, 0x05, 0x10, 0x20, 0x24, 0x30, 0x34, 0x14]) << 25
        if word >> 20 != e.CTZW or opcode != e.OP_IMM_32:
            self.put(word)

    def page_table(self):
        """Write an entry of the last level and fence."""
        slot, pte = self.paging.random_entry(self.rng)
        register, value = self.rng.sample([f for f in FREE if f], 2)
        self.constant(register, slot)
        self.constant(value, pte)
        self.put(e.s_type(e.STORE, 3, register, value, 0))
        self.put(e.SFENCE_VMA)

    def leave(self):
        """mret or sret down to a lower mode (or to the same), going on behind it."""
        r = self.rng
        if self.mode == U:
            return
        lower = r.choice([m for m in (U, S, M) if m <= self.mode])
        if self.paging and lower != M:
            lower = self.paging.mode
            if lower > self.mode:
                return
        if self.mode == S:
            number, epc, bits, mask, xret = SSTATUS, SEPC, (lower == S) << 8, 1 << 8, e.SRET
        else:
            number, epc, bits, mask, xret = MSTATUS, MEPC, lower << 11, 3 << 11, e.MRET
        register = self.dst_not_zero()
        self.constant(register, mask)
        self.put(e.csr(3, 0, number, register))
        if bits:
            self.constant(register, bits)
            self.put(e.csr(2, 0, number, register))
        begin = len(self.items)
        self.put(e.u_type(e.AUIPC, register, 0))
        self.put_at(4, lambda at, where: words(e.addi(register, register,
                                                      where(begin + 4) - where(begin))))
        self.put(e.csr(1, 0, epc, register))
        self.put(xret)
        self.barriers.append(len(self.items))
        self.mode = lower

    # ---- all together ----

    def weights(self, kind):
        table = {
            self.r_integer: 10, self.i_integer: 10, self.fresh_integer: 4, self.compressed: 8,
            self.memory: 8, self.compressed_memory: 4, self.point: 2, self.atomic: 3,
            self.fence: 1, self.float_arith: 6, self.float_fresh: 2, self.float_control: 1,
            self.branch: 5, self.loop: 1, self.csr_access: 2, self.trap: 2, self.fuzzed: 2,
            self.fetch_fault: 0.5, self.self_modify: 0.5, self.status: 0.5}
        boosts = {"float": {self.float_arith: 60, self.float_fresh: 20, self.float_control: 8},
                  "memory": {self.memory: 40, self.compressed_memory: 16, self.point: 10,
                             self.atomic: 12},
                  "system": {self.csr_access: 20, self.trap: 16, self.status: 8, self.leave: 1.5,
                             self.fetch_fault: 4, self.as_lower: 4},
                  "paging": {self.memory: 40, self.compressed_memory: 10, self.point: 16,
                             self.atomic: 6, self.status: 3, self.fetch_fault: 2,
                             self.page_table: 4, self.leave: 1, self.as_lower: 6},
                  "control": {self.branch: 30, self.loop: 8, self.self_modify: 5}}
        table.update(boosts.get(kind, {}))
        if self.mode == U:
            table[self.status] = table[self.status] / 4
        return list(table), list(table.values())

    def generate(self, kind, count):
        functions, weights = self.weights(kind)
        while len(self.items) < count:
            self.groups.append(len(self.items))
            self.rng.choices(functions, weights)[0]()
        self.groups.append(len(self.items))

    def landing(self, item):
        """Where the jump at `item` goes: to the start of a group, over no barrier."""
        stop = next((b for b in self.barriers if b > item), len(self.items))
        target = min(self.jumps[item], stop, self.groups[-1])
        return next(g for g in self.groups if g >= target)

    def layout(self):
        """The bytes, placed at CODE. The addresses of the items are in self.addresses."""
        address = CODE
        for item in self.items:
            self.addresses.append(address)
            address += len(item) if isinstance(item, bytes) else item[0]
        self.addresses.append(address)
        code = b""
        for i, item in enumerate(self.items):
            if isinstance(item, bytes):
                code += item
                continue
            target = self.landing(i) if i in self.jumps else None
            code += item[1](self.addresses[i],
                            lambda n, t=target: self.addresses[n if t is None else t])
        return code


KINDS = ["mixed", "mixed", "mixed", "float", "float", "memory", "system", "paging", "paging",
         "control"]


def status_bits(rng, paging, may_trap_sret):
    bits = rng.choice([MSTATUS_FS, MSTATUS_FS, MSTATUS_FS, MSTATUS_FS, MSTATUS_FS, 0])
    bits |= rng.choice([U, S, M]) << 11
    for flag in (1 << 5, 1 << 7, 1 << 8, MSTATUS_SUM, MSTATUS_MXR):
        bits |= flag if rng.randrange(2) else 0
    for flag in (MSTATUS_TW, MSTATUS_TSR * may_trap_sret, 0 if paging else MSTATUS_TVM):
        bits |= flag if not rng.randrange(8) else 0
    return bits


def protect(rng, case, protected):
    """PMP: everything is allowed, or all but some kinds of access to the data."""
    case.csrs[PMPADDR0] = case.csrs[PMPADDR0 + 1] = (1 << 54) - 1
    case.csrs[PMPCFG0] = 0x1f1f
    case.protected = protected
    if protected:
        # Twice as long as the data: no access crosses its end.
        case.csrs[PMPADDR0] = DATA >> 2 | DATA_PAGES * PAGE // 4 - 1
        case.csrs[PMPCFG0] = 0x1f18 | rng.choice([0, 1, 1, 3, 4, 5])


def make_case(seed):
    rng = random.Random(seed)
    case = Case(seed)
    case.kind = rng.choice(KINDS)
    paging = None
    mode = rng.choice([M, M, S, U])
    if case.kind == "paging":
        below = rng.choice([S, U])
        mode = rng.choice([M, below, below])
        paging = Paging(rng, below)
    delegated = sum(n for n in DELEGABLE if rng.randrange(2)) if rng.randrange(2) else 0
    protected = not rng.randrange(6)
    generator = Generator(rng, mode, paging, delegated, protected)
    generator.point()
    generator.generate(case.kind, rng.choice([20, 60, 60, 60, 150]))
    code = generator.layout()
    case.start, case.end = CODE, generator.addresses[-1]
    case.priv = mode
    # Something to stand on behind the end.
    code += halves(*[e.C_NOP] * 8)
    data = bytes(rng.getrandbits(8) for _ in range(1024))
    case.memory = [
        (HANDLER_M, handler(MSCRATCH, MEPC, MCAUSE, MTVAL, e.MRET)),
        (HANDLER_S, handler(SSCRATCH, SEPC, SCAUSE, STVAL, e.SRET)),
        (CODE, code),
        (DATA, data * (DATA_PAGES * PAGE // len(data)))]
    case.compared = [(CODE, len(code)), (DATA, DATA_PAGES * PAGE)]
    if paging:
        case.memory += paging.memory()
        case.compared += [(a, PAGE) for a in paging.pages]
    case.x = [0] + [integer(rng) for _ in range(31)]
    for register in POINTERS:
        case.x[register] = generator.data_address() & (~15 if register == S1 else MASK64)
    case.f = [double(rng) if rng.randrange(2) else single(rng) for _ in range(32)]
    protect(rng, case, protected)
    case.csrs.update({
        FCSR: rng.randrange(5) << 5 | rng.choice([0, rng.randrange(32)]),
        MTVEC: HANDLER_M, STVEC: HANDLER_S,
        MEDELEG: delegated,
        MIDELEG: 0, MENVCFG: MENVCFG_ADUE, SENVCFG: 0,
        MCOUNTEREN: rng.choice([0, 2, 5, 7]), SCOUNTEREN: rng.choice([0, 1, 3, 7]),
        SATP: paging.satp(rng) if paging else 0,
        MSCRATCH: integer(rng), SSCRATCH: integer(rng), MEPC: 0, SEPC: 0, MCAUSE: 0, SCAUSE: 0,
        MTVAL: 0, STVAL: 0})
    case.csrs[MSTATUS] = status_bits(rng, paging, generator.may_trap_sret)
    return case
