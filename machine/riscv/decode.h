/* Instructions into operations. */
#ifndef MACHINE_RISCV_DECODE_H
#define MACHINE_RISCV_DECODE_H

#include <stdbool.h>
#include <stdint.h>

/* Each has a handler in exec.c. Operands: d = x[rd], a = x[rs1], b = x[rs2], i = imm. The groups
 * from JAL on end a block. */
/* clang-format off */
#define RISCV_OPS(X)                                                                               \
    /* engine's own: no step */                                                                    \
    X(CHECK) X(END) X(EXIT)                                                                        \
    /* integer */                                                                                  \
    X(NOP) X(LI) X(MV) X(AUIPC)                                                                    \
    X(ADDI) X(SLTI) X(SLTIU) X(XORI) X(ORI) X(ANDI) X(SLLI) X(SRLI) X(SRAI)                        \
    X(ADDIW) X(SLLIW) X(SRLIW) X(SRAIW)                                                            \
    X(ADD) X(SUB) X(SLL) X(SLT) X(SLTU) X(XOR) X(SRL) X(SRA) X(OR) X(AND)                          \
    X(ADDW) X(SUBW) X(SLLW) X(SRLW) X(SRAW)                                                        \
    X(MUL) X(MULH) X(MULHSU) X(MULHU) X(DIV) X(DIVU) X(REM) X(REMU)                                \
    X(MULW) X(DIVW) X(DIVUW) X(REMW) X(REMUW)                                                      \
    X(SH1ADD) X(SH2ADD) X(SH3ADD) X(ADD_UW) X(SH1ADD_UW) X(SH2ADD_UW) X(SH3ADD_UW) X(SLLI_UW)      \
    X(ANDN) X(ORN) X(XNOR) X(CLZ) X(CTZ) X(CPOP) X(CLZW) X(CTZW) X(CPOPW)                          \
    X(MAX) X(MAXU) X(MIN) X(MINU) X(SEXT_B) X(SEXT_H) X(ZEXT_H)                                    \
    X(ROL) X(ROR) X(RORI) X(ROLW) X(RORW) X(RORIW) X(ORC_B) X(REV8)                                \
    X(BCLR) X(BCLRI) X(BEXT) X(BEXTI) X(BINV) X(BINVI) X(BSET) X(BSETI)                            \
    /* memory */                                                                                   \
    X(LB) X(LH) X(LW) X(LD) X(LBU) X(LHU) X(LWU) X(SB) X(SH) X(SW) X(SD)                           \
    X(FLW) X(FLD) X(FSW) X(FSD) X(LR) X(SC) X(AMO) X(CBO)                                          \
    /* floating point: imm is the instruction */                                                   \
    X(FADD_D) X(FSUB_D) X(FMUL_D) X(FDIV_D) X(FMADD_D) X(FP)                                       \
    /* ends of blocks */                                                                           \
    X(JAL) X(J) X(JALR)                                                                            \
    X(BEQ) X(BNE) X(BLT) X(BGE) X(BLTU) X(BGEU)                                                    \
    X(CSR) X(SYSTEM) X(PAUSE) X(ILLEGAL)
/* clang-format on */

enum op_id {
#define RISCV_OP_ID(name) OP_##name,
    RISCV_OPS(RISCV_OP_ID)
#undef RISCV_OP_ID
        OP_COUNT
};

/* 16 bytes: four to a cache line. */
struct op {
    const void *go; /* the handler */
    int32_t imm;
    uint8_t rd, rs1, rs2;
    uint8_t step; /* instructions before it in the block */
};

/* A decoded instruction before it has its place in a block. */
struct decoded {
    uint16_t id; /* enum op_id */
    uint8_t rd, rs1, rs2;
    uint8_t size; /* 2 or 4 bytes */
    int32_t imm;  /* branch and jump targets are relative to the instruction */
};

/* Decode the instruction in the low bits of `insn` (16 bits when its low two are not 11). Anything
 * that is no instruction of this hart is OP_ILLEGAL, with the bits in imm. */
struct decoded riscv_decode(uint32_t insn);
/* The 32-bit instruction a compressed one stands for; 0 when reserved. Unprivileged spec, ch. 16.
 */
uint32_t riscv_expand(uint16_t insn);

/* Is imm of a jump or branch: a distance? */
static inline bool riscv_jumps_by(enum op_id id)
{
    return id == OP_JAL || id == OP_J || (id >= OP_BEQ && id <= OP_BGEU);
}

static inline bool riscv_ends_block(enum op_id id)
{
    return id >= OP_JAL;
}

#endif
