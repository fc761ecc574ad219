#include "machine/riscv/decode.h"

#include "machine/riscv/hart.h"

static int32_t bits(uint32_t insn, unsigned high, unsigned low)
{
    return (int32_t)((insn >> low) & ((1u << (high - low + 1)) - 1));
}

static int32_t imm_i(uint32_t insn)
{
    return (int32_t)insn >> 20;
}

static int32_t imm_s(uint32_t insn)
{
    return (int32_t)(insn & 0xfe000000) >> 20 | bits(insn, 11, 7);
}

static int32_t imm_b(uint32_t insn)
{
    return (int32_t)(insn & 0x80000000) >> 19 | bits(insn, 7, 7) << 11 | bits(insn, 30, 25) << 5 |
           bits(insn, 11, 8) << 1;
}

static int32_t imm_j(uint32_t insn)
{
    return (int32_t)(insn & 0x80000000) >> 11 | bits(insn, 19, 12) << 12 |
           bits(insn, 20, 20) << 11 | bits(insn, 30, 21) << 1;
}

static unsigned rd(uint32_t insn)
{
    return (unsigned)bits(insn, 11, 7);
}

static unsigned rs1(uint32_t insn)
{
    return (unsigned)bits(insn, 19, 15);
}

static unsigned rs2(uint32_t insn)
{
    return (unsigned)bits(insn, 24, 20);
}

static unsigned funct3(uint32_t insn)
{
    return (unsigned)bits(insn, 14, 12);
}

static unsigned funct7(uint32_t insn)
{
    return insn >> 25;
}

static struct decoded make(enum op_id id, uint32_t insn, int32_t imm)
{
    return (struct decoded){
        (uint16_t)id, (uint8_t)rd(insn), (uint8_t)rs1(insn), (uint8_t)rs2(insn), 4, imm};
}

static struct decoded illegal(uint32_t insn)
{
    return make(OP_ILLEGAL, insn, (int32_t)insn);
}

/* An operation whose only effect is on rd. */
static struct decoded pure(enum op_id id, uint32_t insn, int32_t imm)
{
    return make(rd(insn) ? id : OP_NOP, insn, imm);
}

/* One with further effects: rd = 0 is written to the sink. */
static struct decoded effect(enum op_id id, uint32_t insn, int32_t imm)
{
    struct decoded d = make(id, insn, imm);
    if (!d.rd)
        d.rd = X_SINK;
    return d;
}

/* Shifts by immediate and Zbb/Zbs forms: funct3 001 and 101 of OP-IMM. */
static struct decoded op_imm_shift(uint32_t insn)
{
    unsigned top6 = insn >> 26;
    int32_t shamt = bits(insn, 25, 20);
    if (funct3(insn) == 1) {
        switch (top6) {
        case 0x00:
            return pure(OP_SLLI, insn, shamt);
        case 0x0a:
            return pure(OP_BSETI, insn, shamt);
        case 0x12:
            return pure(OP_BCLRI, insn, shamt);
        case 0x1a:
            return pure(OP_BINVI, insn, shamt);
        case 0x18: {
            static const uint16_t unary[8] = {OP_CLZ, OP_CTZ, OP_CPOP, 0, OP_SEXT_B, OP_SEXT_H};
            uint16_t id = shamt < 8 ? unary[shamt] : 0;
            return id ? pure(id, insn, 0) : illegal(insn);
        }
        }
        return illegal(insn);
    }
    switch (top6) {
    case 0x00:
        return pure(OP_SRLI, insn, shamt);
    case 0x10:
        return pure(OP_SRAI, insn, shamt);
    case 0x12:
        return pure(OP_BEXTI, insn, shamt);
    case 0x18:
        return pure(OP_RORI, insn, shamt);
    }
    if (insn >> 20 == 0x287)
        return pure(OP_ORC_B, insn, 0);
    if (insn >> 20 == 0x6b8)
        return pure(OP_REV8, insn, 0);
    return illegal(insn);
}

static struct decoded op_imm(uint32_t insn)
{
    switch (funct3(insn)) {
    case 0:
        if (!rs1(insn))
            return pure(OP_LI, insn, imm_i(insn));
        return pure(imm_i(insn) ? OP_ADDI : OP_MV, insn, imm_i(insn));
    case 2:
        return pure(OP_SLTI, insn, imm_i(insn));
    case 3:
        return pure(OP_SLTIU, insn, imm_i(insn));
    case 4:
        return pure(OP_XORI, insn, imm_i(insn));
    case 6:
        return pure(OP_ORI, insn, imm_i(insn));
    case 7:
        return pure(OP_ANDI, insn, imm_i(insn));
    }
    return op_imm_shift(insn);
}

static struct decoded op_imm_32(uint32_t insn)
{
    unsigned f7 = funct7(insn);
    int32_t shamt = bits(insn, 24, 20);
    switch (funct3(insn)) {
    case 0:
        return pure(OP_ADDIW, insn, imm_i(insn));
    case 1:
        if (f7 == 0x00)
            return pure(OP_SLLIW, insn, shamt);
        if (insn >> 26 == 0x02)
            return pure(OP_SLLI_UW, insn, bits(insn, 25, 20));
        if (f7 == 0x30 && shamt < 3) {
            static const uint16_t unary[3] = {OP_CLZW, OP_CTZW, OP_CPOPW};
            return pure(unary[shamt], insn, 0);
        }
        break;
    case 5:
        if (f7 == 0x00)
            return pure(OP_SRLIW, insn, shamt);
        if (f7 == 0x20)
            return pure(OP_SRAIW, insn, shamt);
        if (f7 == 0x30)
            return pure(OP_RORIW, insn, shamt);
        break;
    }
    return illegal(insn);
}

static struct decoded op_reg(uint32_t insn)
{
    enum { NONE = 0 };
    static const uint16_t base[8] = {OP_ADD, OP_SLL, OP_SLT, OP_SLTU,
                                     OP_XOR, OP_SRL, OP_OR,  OP_AND};
    static const uint16_t alt[8] = {OP_SUB, NONE, NONE, NONE, OP_XNOR, OP_SRA, OP_ORN, OP_ANDN};
    static const uint16_t mul[8] = {OP_MUL, OP_MULH, OP_MULHSU, OP_MULHU,
                                    OP_DIV, OP_DIVU, OP_REM,    OP_REMU};
    static const uint16_t minmax[8] = {NONE, NONE, NONE, NONE, OP_MIN, OP_MINU, OP_MAX, OP_MAXU};
    static const uint16_t shadd[8] = {NONE,      NONE, OP_SH1ADD, NONE,
                                      OP_SH2ADD, NONE, OP_SH3ADD, NONE};
    uint16_t id = NONE;
    unsigned f3 = funct3(insn);
    switch (funct7(insn)) {
    case 0x00:
        id = base[f3];
        break;
    case 0x01:
        id = mul[f3];
        break;
    case 0x05:
        id = minmax[f3];
        break;
    case 0x10:
        id = shadd[f3];
        break;
    case 0x14:
        id = f3 == 1 ? OP_BSET : NONE;
        break;
    case 0x20:
        id = alt[f3];
        break;
    case 0x24:
        id = f3 == 1 ? OP_BCLR : f3 == 5 ? OP_BEXT : NONE;
        break;
    case 0x30:
        id = f3 == 1 ? OP_ROL : f3 == 5 ? OP_ROR : NONE;
        break;
    case 0x34:
        id = f3 == 1 ? OP_BINV : NONE;
        break;
    }
    return id ? pure(id, insn, 0) : illegal(insn);
}

static struct decoded op_reg_32(uint32_t insn)
{
    enum { NONE = 0 };
    static const uint16_t mul[8] = {OP_MULW, NONE,     NONE,    NONE,
                                    OP_DIVW, OP_DIVUW, OP_REMW, OP_REMUW};
    static const uint16_t shadd[8] = {NONE,         NONE, OP_SH1ADD_UW, NONE,
                                      OP_SH2ADD_UW, NONE, OP_SH3ADD_UW, NONE};
    uint16_t id = NONE;
    unsigned f3 = funct3(insn);
    switch (funct7(insn)) {
    case 0x00:
        id = f3 == 0 ? OP_ADDW : f3 == 1 ? OP_SLLW : f3 == 5 ? OP_SRLW : NONE;
        break;
    case 0x01:
        id = mul[f3];
        break;
    case 0x04:
        id = f3 == 0 ? OP_ADD_UW : f3 == 4 && !rs2(insn) ? OP_ZEXT_H : NONE;
        break;
    case 0x10:
        id = shadd[f3];
        break;
    case 0x20:
        id = f3 == 0 ? OP_SUBW : f3 == 5 ? OP_SRAW : NONE;
        break;
    case 0x30:
        id = f3 == 1 ? OP_ROLW : f3 == 5 ? OP_RORW : NONE;
        break;
    }
    return id ? pure(id, insn, 0) : illegal(insn);
}

static struct decoded load(uint32_t insn)
{
    static const uint16_t id[8] = {OP_LB, OP_LH, OP_LW, OP_LD, OP_LBU, OP_LHU, OP_LWU, 0};
    unsigned f3 = funct3(insn);
    return id[f3] ? effect(id[f3], insn, imm_i(insn)) : illegal(insn);
}

static struct decoded store(uint32_t insn)
{
    static const uint16_t id[4] = {OP_SB, OP_SH, OP_SW, OP_SD};
    unsigned f3 = funct3(insn);
    return f3 < 4 ? make(id[f3], insn, imm_s(insn)) : illegal(insn);
}

static struct decoded amo(uint32_t insn)
{
    unsigned funct5 = insn >> 27, f3 = funct3(insn);
    if (f3 != 2 && f3 != 3)
        return illegal(insn);
    switch (funct5) {
    case 0x02:
        return rs2(insn) ? illegal(insn) : effect(OP_LR, insn, (int32_t)insn);
    case 0x03:
        return effect(OP_SC, insn, (int32_t)insn);
    case 0x00:
    case 0x01:
    case 0x04:
    case 0x08:
    case 0x0c:
    case 0x10:
    case 0x14:
    case 0x18:
    case 0x1c:
        return effect(OP_AMO, insn, (int32_t)insn);
    }
    return illegal(insn);
}

/* MISC-MEM. Fences order nothing here: one hart runs at a time and fetch is coherent. */
static struct decoded misc_mem(uint32_t insn)
{
    switch (funct3(insn)) {
    case 0:
        return make(insn == 0x0100000f ? OP_PAUSE : OP_NOP, insn, 0);
    case 1:
        return make(OP_NOP, insn, 0);
    case 2:
        if (rd(insn) == 0 && (insn >> 20 <= 2 || insn >> 20 == 4))
            return make(OP_CBO, insn, (int32_t)insn);
    }
    return illegal(insn);
}

static struct decoded op_fp(uint32_t insn)
{
    enum { DOUBLE = 1 };
    if (bits(insn, 26, 25) == DOUBLE) {
        static const uint16_t arith[4] = {OP_FADD_D, OP_FSUB_D, OP_FMUL_D, OP_FDIV_D};
        if (insn >> 27 < 4)
            return make(arith[insn >> 27], insn, (int32_t)insn);
    }
    return make(OP_FP, insn, (int32_t)insn);
}

static struct decoded branch(uint32_t insn)
{
    static const uint16_t id[8] = {OP_BEQ, OP_BNE, 0, 0, OP_BLT, OP_BGE, OP_BLTU, OP_BGEU};
    unsigned f3 = funct3(insn);
    return id[f3] ? make(id[f3], insn, imm_b(insn)) : illegal(insn);
}

static struct decoded decode_32(uint32_t insn)
{
    switch (bits(insn, 6, 2)) {
    case 0x00:
        return load(insn);
    case 0x01:
        return funct3(insn) == 2   ? make(OP_FLW, insn, imm_i(insn))
               : funct3(insn) == 3 ? make(OP_FLD, insn, imm_i(insn))
                                   : illegal(insn);
    case 0x03:
        return misc_mem(insn);
    case 0x04:
        return op_imm(insn);
    case 0x05:
        return pure(OP_AUIPC, insn, (int32_t)(insn & 0xfffff000));
    case 0x06:
        return op_imm_32(insn);
    case 0x08:
        return store(insn);
    case 0x09:
        return funct3(insn) == 2   ? make(OP_FSW, insn, imm_s(insn))
               : funct3(insn) == 3 ? make(OP_FSD, insn, imm_s(insn))
                                   : illegal(insn);
    case 0x0b:
        return amo(insn);
    case 0x0c:
        return op_reg(insn);
    case 0x0d:
        return pure(OP_LI, insn, (int32_t)(insn & 0xfffff000));
    case 0x0e:
        return op_reg_32(insn);
    case 0x10:
        return make(bits(insn, 26, 25) == 1 ? OP_FMADD_D : OP_FP, insn, (int32_t)insn);
    case 0x11:
    case 0x12:
    case 0x13:
        return make(OP_FP, insn, (int32_t)insn);
    case 0x14:
        return op_fp(insn);
    case 0x18:
        return branch(insn);
    case 0x19:
        return funct3(insn) ? illegal(insn) : effect(OP_JALR, insn, imm_i(insn));
    case 0x1b:
        return make(rd(insn) ? OP_JAL : OP_J, insn, imm_j(insn));
    case 0x1c:
        return make(funct3(insn) && funct3(insn) != 4 ? OP_CSR : OP_SYSTEM, insn, (int32_t)insn);
    }
    return illegal(insn);
}

struct decoded riscv_decode(uint32_t insn)
{
    if ((insn & 3) == 3)
        return decode_32(insn);
    uint32_t full = riscv_expand((uint16_t)insn);
    struct decoded d = full ? decode_32(full) : illegal(insn);
    if (d.id == OP_ILLEGAL)
        d.imm = (int32_t)(insn & 0xffff);
    d.size = 2;
    return d;
}
