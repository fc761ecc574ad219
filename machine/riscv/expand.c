/* Compressed instructions: unprivileged spec, chapter 16 (RV64C with D). */
#include "machine/riscv/decode.h"

static uint32_t field(uint16_t c, unsigned high, unsigned low, unsigned to)
{
    return ((uint32_t)(c >> low) & ((1u << (high - low + 1)) - 1)) << to;
}

/* The three-bit register fields name x8 to x15. */
static uint32_t reg3(uint16_t c, unsigned low)
{
    return 8 + field(c, low + 2, low, 0);
}

static uint32_t reg5(uint16_t c, unsigned low)
{
    return field(c, low + 4, low, 0);
}

static uint32_t sign(uint16_t c, unsigned from)
{
    return c & 0x1000 ? ~0u << from : 0;
}

enum {
    LOAD = 0x03,
    LOAD_FP = 0x07,
    OP_IMM = 0x13,
    OP_IMM_32 = 0x1b,
    STORE = 0x23,
    STORE_FP = 0x27,
    OP = 0x33,
    LUI = 0x37,
    OP_32 = 0x3b,
    BRANCH = 0x63,
    JALR = 0x67,
    JAL = 0x6f
};

static uint32_t i_type(uint32_t imm, uint32_t rs1, uint32_t funct3, uint32_t rd, uint32_t opcode)
{
    return imm << 20 | rs1 << 15 | funct3 << 12 | rd << 7 | opcode;
}

static uint32_t s_type(uint32_t imm, uint32_t rs2, uint32_t rs1, uint32_t funct3, uint32_t opcode)
{
    return (imm >> 5 & 0x7f) << 25 | rs2 << 20 | rs1 << 15 | funct3 << 12 | (imm & 31) << 7 |
           opcode;
}

static uint32_t r_type(uint32_t funct7, uint32_t rs2, uint32_t rs1, uint32_t funct3, uint32_t rd,
                       uint32_t opcode)
{
    return funct7 << 25 | rs2 << 20 | rs1 << 15 | funct3 << 12 | rd << 7 | opcode;
}

static uint32_t b_type(uint32_t imm, uint32_t rs1, uint32_t funct3)
{
    return (imm >> 12 & 1) << 31 | (imm >> 5 & 0x3f) << 25 | rs1 << 15 | funct3 << 12 |
           (imm >> 1 & 15) << 8 | (imm >> 11 & 1) << 7 | BRANCH;
}

static uint32_t j_type(uint32_t imm, uint32_t rd)
{
    return (imm >> 20 & 1) << 31 | (imm >> 1 & 0x3ff) << 21 | (imm >> 11 & 1) << 20 |
           (imm >> 12 & 0xff) << 12 | rd << 7 | JAL;
}

static uint32_t imm6(uint16_t c)
{
    return sign(c, 5) | field(c, 6, 2, 0);
}

static uint32_t quadrant0(uint16_t c)
{
    uint32_t w = field(c, 12, 10, 3) | field(c, 6, 6, 2) | field(c, 5, 5, 6);
    uint32_t d = field(c, 12, 10, 3) | field(c, 6, 5, 6);
    uint32_t spn = field(c, 12, 11, 4) | field(c, 10, 7, 6) | field(c, 6, 6, 2) | field(c, 5, 5, 3);
    switch (c >> 13) {
    case 0:
        return spn ? i_type(spn, 2, 0, reg3(c, 2), OP_IMM) : 0;
    case 1:
        return i_type(d, reg3(c, 7), 3, reg3(c, 2), LOAD_FP);
    case 2:
        return i_type(w, reg3(c, 7), 2, reg3(c, 2), LOAD);
    case 3:
        return i_type(d, reg3(c, 7), 3, reg3(c, 2), LOAD);
    case 5:
        return s_type(d, reg3(c, 2), reg3(c, 7), 3, STORE_FP);
    case 6:
        return s_type(w, reg3(c, 2), reg3(c, 7), 2, STORE);
    case 7:
        return s_type(d, reg3(c, 2), reg3(c, 7), 3, STORE);
    }
    return 0;
}

static uint32_t arithmetic(uint16_t c)
{
    uint32_t rd = reg3(c, 7), rs2 = reg3(c, 2), shamt = field(c, 12, 12, 5) | field(c, 6, 2, 0);
    switch (field(c, 11, 10, 0)) {
    case 0:
        return i_type(shamt, rd, 5, rd, OP_IMM);
    case 1:
        return i_type(shamt | 0x400, rd, 5, rd, OP_IMM);
    case 2:
        return i_type(imm6(c) & 0xfff, rd, 7, rd, OP_IMM);
    }
    switch (field(c, 12, 12, 2) | field(c, 6, 5, 0)) {
    case 0:
        return r_type(0x20, rs2, rd, 0, rd, OP);
    case 1:
        return r_type(0, rs2, rd, 4, rd, OP);
    case 2:
        return r_type(0, rs2, rd, 6, rd, OP);
    case 3:
        return r_type(0, rs2, rd, 7, rd, OP);
    case 4:
        return r_type(0x20, rs2, rd, 0, rd, OP_32);
    case 5:
        return r_type(0, rs2, rd, 0, rd, OP_32);
    }
    return 0;
}

static uint32_t lui_or_addi16sp(uint16_t c)
{
    uint32_t rd = reg5(c, 7);
    if (rd == 2) {
        uint32_t imm = sign(c, 9) | field(c, 6, 6, 4) | field(c, 5, 5, 6) | field(c, 4, 3, 7) |
                       field(c, 2, 2, 5);
        return imm ? i_type(imm & 0xfff, 2, 0, 2, OP_IMM) : 0;
    }
    return imm6(c) ? (imm6(c) << 12) | rd << 7 | LUI : 0;
}

static uint32_t quadrant1(uint16_t c)
{
    uint32_t rd = reg5(c, 7);
    uint32_t j = sign(c, 11) | field(c, 11, 11, 4) | field(c, 10, 9, 8) | field(c, 8, 8, 10) |
                 field(c, 7, 7, 6) | field(c, 6, 6, 7) | field(c, 5, 3, 1) | field(c, 2, 2, 5);
    uint32_t b = sign(c, 8) | field(c, 11, 10, 3) | field(c, 6, 5, 6) | field(c, 4, 3, 1) |
                 field(c, 2, 2, 5);
    switch (c >> 13) {
    case 0:
        return i_type(imm6(c) & 0xfff, rd, 0, rd, OP_IMM);
    case 1:
        return rd ? i_type(imm6(c) & 0xfff, rd, 0, rd, OP_IMM_32) : 0;
    case 2:
        return i_type(imm6(c) & 0xfff, 0, 0, rd, OP_IMM);
    case 3:
        return lui_or_addi16sp(c);
    case 4:
        return arithmetic(c);
    case 5:
        return j_type(j, 0);
    case 6:
        return b_type(b, reg3(c, 7), 0);
    }
    return b_type(b, reg3(c, 7), 1);
}

static uint32_t jumps_and_moves(uint16_t c)
{
    uint32_t rd = reg5(c, 7), rs2 = reg5(c, 2);
    if (!(c & 0x1000)) {
        if (rs2)
            return r_type(0, rs2, 0, 0, rd, OP);
        return rd ? i_type(0, rd, 0, 0, JALR) : 0;
    }
    if (rs2)
        return r_type(0, rs2, rd, 0, rd, OP);
    return rd ? i_type(0, rd, 0, 1, JALR) : 0x00100073;
}

static uint32_t quadrant2(uint16_t c)
{
    uint32_t rd = reg5(c, 7), rs2 = reg5(c, 2);
    uint32_t lw = field(c, 12, 12, 5) | field(c, 6, 4, 2) | field(c, 3, 2, 6);
    uint32_t ld = field(c, 12, 12, 5) | field(c, 6, 5, 3) | field(c, 4, 2, 6);
    uint32_t sw = field(c, 12, 9, 2) | field(c, 8, 7, 6);
    uint32_t sd = field(c, 12, 10, 3) | field(c, 9, 7, 6);
    switch (c >> 13) {
    case 0:
        return i_type(field(c, 12, 12, 5) | field(c, 6, 2, 0), rd, 1, rd, OP_IMM);
    case 1:
        return i_type(ld, 2, 3, rd, LOAD_FP);
    case 2:
        return rd ? i_type(lw, 2, 2, rd, LOAD) : 0;
    case 3:
        return rd ? i_type(ld, 2, 3, rd, LOAD) : 0;
    case 4:
        return jumps_and_moves(c);
    case 5:
        return s_type(sd, rs2, 2, 3, STORE_FP);
    case 6:
        return s_type(sw, rs2, 2, 2, STORE);
    }
    return s_type(sd, rs2, 2, 3, STORE);
}

uint32_t riscv_expand(uint16_t c)
{
    switch (c & 3) {
    case 0:
        return quadrant0(c);
    case 1:
        return quadrant1(c);
    case 2:
        return quadrant2(c);
    }
    return 0;
}
