"""RV64 encodings as tables and small functions; unprivileged and bit-manipulation specs.

Each table row is what differs between instructions of one format; only what the machine under
test and its reference both have."""

LOAD, LOAD_FP, MISC_MEM, OP_IMM, AUIPC, OP_IMM_32 = 0x03, 0x07, 0x0f, 0x13, 0x17, 0x1b
STORE, STORE_FP, AMO, OP, LUI, OP_32 = 0x23, 0x27, 0x2f, 0x33, 0x37, 0x3b
OP_FP, BRANCH, JALR, JAL, SYSTEM = 0x53, 0x63, 0x67, 0x6f, 0x73
FMA = (0x43, 0x47, 0x4b, 0x4f)

ECALL, EBREAK, SRET, MRET = 0x00000073, 0x00100073, 0x10200073, 0x30200073
WFI, SFENCE_VMA, FENCE_I = 0x10500073, 0x12000073, 0x0000100f
C_NOP, C_EBREAK = 0x0001, 0x9002


def r_type(opcode, funct3, funct7, rd, rs1, rs2):
    return funct7 << 25 | rs2 << 20 | rs1 << 15 | funct3 << 12 | rd << 7 | opcode


def i_type(opcode, funct3, rd, rs1, imm):
    return (imm & 0xfff) << 20 | rs1 << 15 | funct3 << 12 | rd << 7 | opcode


def s_type(opcode, funct3, rs1, rs2, imm):
    return r_type(opcode, funct3, imm >> 5 & 0x7f, imm & 31, rs1, rs2)


def u_type(opcode, rd, imm20):
    return (imm20 & 0xfffff) << 12 | rd << 7 | opcode


def b_type(funct3, rs1, rs2, offset):
    return (offset >> 12 & 1) << 31 | (offset >> 5 & 0x3f) << 25 | rs2 << 20 | rs1 << 15 | \
        funct3 << 12 | (offset >> 1 & 15) << 8 | (offset >> 11 & 1) << 7 | BRANCH


def jal(rd, offset):
    return (offset >> 20 & 1) << 31 | (offset >> 1 & 0x3ff) << 21 | (offset >> 11 & 1) << 20 | \
        (offset >> 12 & 0xff) << 12 | rd << 7 | JAL


def csr(funct3, rd, number, source):
    """funct3: 1 csrrw, 2 csrrs, 3 csrrc, 5 to 7 with immediate."""
    return i_type(SYSTEM, funct3, rd, source, number)


def addi(rd, rs1, imm):
    return i_type(OP_IMM, 0, rd, rs1, imm)


def load_constant(rd, value):
    """Words that set rd to the 64-bit value; only rd is used."""
    value &= (1 << 64) - 1
    signed = value - (value >> 63 << 64)
    if -2048 <= signed < 2048:
        return [addi(rd, 0, signed)]
    if -(1 << 31) <= signed < (1 << 31) - 2048:
        low = (signed & 0xfff) - (signed >> 11 & 1) * 4096
        words = [u_type(LUI, rd, (signed - low) >> 12)]
        return words + [i_type(OP_IMM_32, 0, rd, rd, low)] if low else words
    low = (signed & 0xfff) - (signed >> 11 & 1) * 4096
    high, shift = (signed - low) >> 12, 12
    while not high & 1:
        high, shift = high >> 1, shift + 1
    words = load_constant(rd, high) + [i_type(OP_IMM, 1, rd, rd, shift)]
    return words + [addi(rd, rd, low)] if low else words


# (opcode, funct7, funct3)
R_INTEGER = (
    [(OP, 0x00, f3) for f3 in range(8)] + [(OP, 0x20, 0), (OP, 0x20, 5)] +
    [(OP_32, 0x00, f3) for f3 in (0, 1, 5)] + [(OP_32, 0x20, 0), (OP_32, 0x20, 5)])
R_MUL_DIV = [(OP, 0x01, f3) for f3 in range(8)] + [(OP_32, 0x01, f3) for f3 in (0, 4, 5, 6, 7)]
R_BIT = (
    [(OP, 0x10, f3) for f3 in (2, 4, 6)] + [(OP_32, 0x10, f3) for f3 in (2, 4, 6)] +
    [(OP_32, 0x04, 0)] + [(OP, 0x20, f3) for f3 in (4, 6, 7)] +
    [(OP, 0x05, f3) for f3 in (4, 5, 6, 7)] +
    [(op, 0x30, f3) for op in (OP, OP_32) for f3 in (1, 5)] +
    [(OP, 0x24, 1), (OP, 0x24, 5), (OP, 0x34, 1), (OP, 0x14, 1)])

# (opcode, imm[11:6], funct3): shift amount of 6 bits
SHIFT_64 = [(OP_IMM, 0x00, 1), (OP_IMM, 0x00, 5), (OP_IMM, 0x10, 5), (OP_IMM_32, 0x02, 1),
            (OP_IMM, 0x18, 5), (OP_IMM, 0x12, 1), (OP_IMM, 0x12, 5), (OP_IMM, 0x1a, 1),
            (OP_IMM, 0x0a, 1)]
# (funct7, funct3): shift amount of 5 bits, OP_IMM_32
SHIFT_32 = [(0x00, 1), (0x00, 5), (0x20, 5), (0x30, 5)]
CTZW = 0x601
# (opcode, funct3, imm): one source. The last is zext.h, whose "immediate" is funct7 and rs2.
UNARY = [(OP_IMM, 1, n) for n in (0x600, 0x601, 0x602, 0x604, 0x605)] + \
        [(OP_IMM_32, 1, n) for n in (0x600, CTZW, 0x602)] + \
        [(OP_IMM, 5, 0x287), (OP_IMM, 5, 0x6b8), (OP_32, 4, 0x080)]

AMO_OPERATIONS = (0x01, 0x00, 0x04, 0x0c, 0x08, 0x10, 0x14, 0x18, 0x1c)
LR, SC = 0x02, 0x03

# (funct7 without the format, rs2 or None when it is a register, funct3 or None when it is rm)
FP = [(0x00, None, None), (0x04, None, None), (0x08, None, None), (0x0c, None, None),
      (0x2c, 0, None), (0x10, None, 0), (0x10, None, 1), (0x10, None, 2), (0x14, None, 0),
      (0x14, None, 1), (0x50, None, 0), (0x50, None, 1), (0x50, None, 2),
      (0x60, 0, None), (0x60, 1, None), (0x60, 2, None), (0x60, 3, None),
      (0x68, 0, None), (0x68, 1, None), (0x68, 2, None), (0x68, 3, None),
      (0x70, 0, 0), (0x70, 0, 1), (0x78, 0, 0)]
# funct7 whose rd is an integer register; whose rs1 is one
FP_TO_X = {0x50, 0x60, 0x70}
FP_FROM_X = {0x68, 0x78}


# ---- compressed; a register named rdc, rs1c or rs2c is one of x8 to x15 ----

def ci(opcode, funct3, rd, imm6):
    return funct3 << 13 | (imm6 >> 5 & 1) << 12 | rd << 7 | (imm6 & 31) << 2 | opcode


def c_mem(funct3, r, rs1c, offset, double):
    """c.lw, c.ld, c.sw, c.sd, c.fld, c.fsd; funct3 says which."""
    low = (offset >> 6 & 3) if double else (offset >> 2 & 1) << 1 | (offset >> 6 & 1)
    return funct3 << 13 | (offset >> 3 & 7) << 10 | (rs1c - 8) << 7 | low << 5 | (r - 8) << 2


def c_lsp(funct3, rd, offset, double):
    imm = (offset & 0x38) | (offset >> 6 & 7) if double else (offset & 0x3c) | (offset >> 6 & 3)
    return ci(2, funct3, rd, imm)


def c_ssp(funct3, rs2, offset, double):
    imm = (offset & 0x38) | (offset >> 6 & 7) if double else (offset & 0x3c) | (offset >> 6 & 3)
    return funct3 << 13 | imm << 7 | rs2 << 2 | 2


def c_arith(funct2, low, rdc, rs2c, wide=0):
    """c.sub, xor, or, and (funct2 3), c.subw, addw (wide 1)."""
    return 4 << 13 | wide << 12 | funct2 << 10 | (rdc - 8) << 7 | low << 5 | (rs2c - 8) << 2 | 1


def c_shift(funct2, rdc, amount):
    """c.srli 0, c.srai 1, c.andi 2."""
    return 4 << 13 | (amount >> 5 & 1) << 12 | funct2 << 10 | (rdc - 8) << 7 | \
        (amount & 31) << 2 | 1


def c_addi4spn(rdc, imm):
    return (imm >> 4 & 3) << 11 | (imm >> 6 & 15) << 7 | (imm >> 2 & 1) << 6 | \
        (imm >> 3 & 1) << 5 | (rdc - 8) << 2


def c_branch(nonzero, rs1c, offset):
    return (6 + nonzero) << 13 | (offset >> 8 & 1) << 12 | (offset >> 3 & 3) << 10 | \
        (rs1c - 8) << 7 | (offset >> 6 & 3) << 5 | (offset >> 1 & 3) << 3 | \
        (offset >> 5 & 1) << 2 | 1


def c_j(offset):
    return 5 << 13 | (offset >> 11 & 1) << 12 | (offset >> 4 & 1) << 11 | \
        (offset >> 8 & 3) << 9 | (offset >> 10 & 1) << 8 | (offset >> 6 & 1) << 7 | \
        (offset >> 7 & 1) << 6 | (offset >> 1 & 7) << 3 | (offset >> 5 & 1) << 2 | 1
