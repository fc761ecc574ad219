#include "machine/riscv/flow.h"

#include "base/endian.h"
#include "machine/riscv/decode.h"

/* Major opcodes, bits 6 to 2, of those whose rd is an integer register. */
#define WRITES_RD                                                                                  \
    (1u << 0x00 | 1u << 0x04 | 1u << 0x05 | 1u << 0x06 | 1u << 0x0b | 1u << 0x0c | 1u << 0x0d |    \
     1u << 0x0e | 1u << 0x19 | 1u << 0x1b | 1u << 0x1c)

enum {
    OPCODE_IMM = 0x13,
    OPCODE_ADD = 0x33,
    OPCODE_BRANCH = 0x63,
    OPCODE_JALR = 0x67,
    OPCODE_JAL = 0x6f
};
enum { RA = 1, SP = 2, T0 = 5, FP = 8 };

static bool is_link(unsigned reg)
{
    return reg == RA || reg == T0;
}

static int64_t sign_extend(uint64_t value, unsigned bits)
{
    return (int64_t)(value << (64 - bits)) >> (64 - bits);
}

static int64_t jal_offset(uint32_t insn)
{
    uint64_t bits = (insn >> 21 & 0x3ff) << 1 | (insn >> 20 & 1) << 11 | (insn >> 12 & 0xff) << 12 |
                    (insn >> 31) << 20;
    return sign_extend(bits, 21);
}

static int64_t branch_offset(uint32_t insn)
{
    uint64_t bits = (insn >> 8 & 0xf) << 1 | (insn >> 25 & 0x3f) << 5 | (insn >> 7 & 1) << 11 |
                    (insn >> 31) << 12;
    return sign_extend(bits, 13);
}

static int64_t immediate(uint32_t insn)
{
    return sign_extend(insn >> 20, 12);
}

static void jalr(uint32_t insn, struct cpu_flow *flow)
{
    unsigned rd = insn >> 7 & 31, rs1 = insn >> 15 & 31;
    if (is_link(rd))
        flow->kind = CPU_FLOW_CALL;
    else if (is_link(rs1))
        flow->kind = CPU_FLOW_RETURN;
    else
        flow->kind = CPU_FLOW_INDIRECT;
    flow->base = (uint16_t)rs1;
    flow->offset = immediate(insn);
}

/* Of an instruction with an rd: what becomes of stack and frame pointer. */
static void frame(uint32_t insn, struct cpu_flow *flow)
{
    unsigned rd = insn >> 7 & 31, rs1 = insn >> 15 & 31;
    bool adds = (insn & 0x707f) == OPCODE_IMM, add = (insn & 0xfe00707f) == OPCODE_ADD;
    bool copies = add && (rs1 == 0 || (insn >> 20 & 31) == 0);
    if (copies)
        rs1 |= insn >> 20 & 31;
    int64_t imm = copies ? 0 : immediate(insn);
    if (rd == SP) {
        flow->stack_from_frame = (adds || copies) && rs1 == FP;
        flow->sets_stack = !flow->stack_from_frame && !((adds || copies) && rs1 == SP);
        flow->stack = flow->sets_stack ? 0 : imm;
    } else if (rd == FP) {
        flow->frame_from_stack = (adds || copies) && rs1 == SP;
        flow->sets_frame = !flow->frame_from_stack;
        flow->frame = flow->frame_from_stack ? imm : 0;
    }
}

void riscv_flow(const uint8_t bytes[4], struct cpu_flow *flow)
{
    uint32_t insn = load_le32(bytes);
    *flow = (struct cpu_flow){.kind = CPU_FLOW_NEXT, .size = (insn & 3) == 3 ? 4 : 2};
    if (flow->size == 2)
        insn = riscv_expand((uint16_t)insn);
    if (WRITES_RD >> (insn >> 2 & 31) & 1)
        frame(insn, flow);
    switch (insn & 0x7f) {
    case OPCODE_BRANCH:
        flow->kind = CPU_FLOW_BRANCH;
        flow->offset = branch_offset(insn);
        return;
    case OPCODE_JAL:
        flow->kind = is_link(insn >> 7 & 31) ? CPU_FLOW_CALL : CPU_FLOW_JUMP;
        flow->offset = jal_offset(insn);
        return;
    case OPCODE_JALR:
        jalr(insn, flow);
        return;
    default:
        if (insn == 0x30200073 || insn == 0x10200073)
            flow->kind = CPU_FLOW_TRAP_RETURN;
    }
}
