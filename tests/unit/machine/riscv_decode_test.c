/* Instructions into operations. */
#include "machine/riscv/decode.h"
#include "machine/riscv/hart.h"

#include "base/hash.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

/* ---- compressed instructions, from the tables of the unprivileged spec, 16.8 ---- */

enum format { FMT_I, FMT_S, FMT_B, FMT_J, FMT_U, FMT_R };
enum { SIGNED = 1, NZ_IMM = 2, NZ_RD = 4, NZ_RS1 = 8 };

/* `bits` is the row as the spec prints it: literals, register fields (' is three bits wide) and
 * immediates with the places of their bits. `base` is the 32-bit instruction without them. The
 * first row that matches counts; when its condition does not hold the encoding is reserved. */
struct compressed {
    const char *bits;
    enum format format;
    unsigned rules;
    uint32_t base;
};

#define RS1(n) ((uint32_t)(n) << 15)
#define RD(n) ((uint32_t)(n) << 7)

static const struct compressed compressed[] = {
    {"000 imm[5:4|9:6|2|3] rd' 00", FMT_I, NZ_IMM, 0x13 | RS1(2)},
    {"001 imm[5:3] rs1' imm[7:6] rd' 00", FMT_I, 0, 0x3007},
    {"010 imm[5:3] rs1' imm[2|6] rd' 00", FMT_I, 0, 0x2003},
    {"011 imm[5:3] rs1' imm[7:6] rd' 00", FMT_I, 0, 0x3003},
    {"101 imm[5:3] rs1' imm[7:6] rs2' 00", FMT_S, 0, 0x3027},
    {"110 imm[5:3] rs1' imm[2|6] rs2' 00", FMT_S, 0, 0x2023},
    {"111 imm[5:3] rs1' imm[7:6] rs2' 00", FMT_S, 0, 0x3023},
    {"000 imm[5] rd/rs1 imm[4:0] 01", FMT_I, SIGNED, 0x13},
    {"001 imm[5] rd/rs1 imm[4:0] 01", FMT_I, SIGNED | NZ_RD, 0x1b},
    {"010 imm[5] rd imm[4:0] 01", FMT_I, SIGNED, 0x13},
    {"011 imm[9] 00010 imm[4|6|8:7|5] 01", FMT_I, SIGNED | NZ_IMM, 0x13 | RS1(2) | RD(2)},
    {"011 imm[17] rd imm[16:12] 01", FMT_U, SIGNED | NZ_IMM, 0x37},
    {"100 imm[5] 00 rd'/rs1' imm[4:0] 01", FMT_I, 0, 0x5013},
    {"100 imm[5] 01 rd'/rs1' imm[4:0] 01", FMT_I, 0, 0x40005013},
    {"100 imm[5] 10 rd'/rs1' imm[4:0] 01", FMT_I, SIGNED, 0x7013},
    {"100011 rd'/rs1' 00 rs2' 01", FMT_R, 0, 0x40000033},
    {"100011 rd'/rs1' 01 rs2' 01", FMT_R, 0, 0x4033},
    {"100011 rd'/rs1' 10 rs2' 01", FMT_R, 0, 0x6033},
    {"100011 rd'/rs1' 11 rs2' 01", FMT_R, 0, 0x7033},
    {"100111 rd'/rs1' 00 rs2' 01", FMT_R, 0, 0x4000003b},
    {"100111 rd'/rs1' 01 rs2' 01", FMT_R, 0, 0x3b},
    {"101 imm[11|4|9:8|10|6|7|3:1|5] 01", FMT_J, SIGNED, 0x6f},
    {"110 imm[8|4:3] rs1' imm[7:6|2:1|5] 01", FMT_B, SIGNED, 0x63},
    {"111 imm[8|4:3] rs1' imm[7:6|2:1|5] 01", FMT_B, SIGNED, 0x1063},
    {"000 imm[5] rd/rs1 imm[4:0] 10", FMT_I, 0, 0x1013},
    {"001 imm[5] rd imm[4:3|8:6] 10", FMT_I, 0, 0x3007 | RS1(2)},
    {"010 imm[5] rd imm[4:2|7:6] 10", FMT_I, NZ_RD, 0x2003 | RS1(2)},
    {"011 imm[5] rd imm[4:3|8:6] 10", FMT_I, NZ_RD, 0x3003 | RS1(2)},
    {"1000 rs1 00000 10", FMT_I, NZ_RS1, 0x67},
    {"1000 rd rs2 10", FMT_R, 0, 0x33},
    {"1001 00000 00000 10", FMT_R, 0, 0x00100073},
    {"1001 rs1 00000 10", FMT_I, 0, 0x67 | RD(1)},
    {"1001 rd/rs1 rs2 10", FMT_R, 0, 0x33},
    {"101 imm[5:3|8:6] rs2 10", FMT_S, 0, 0x3027 | RS1(2)},
    {"110 imm[5:2|7:6] rs2 10", FMT_S, 0, 0x2023 | RS1(2)},
    {"111 imm[5:3|8:6] rs2 10", FMT_S, 0, 0x3023 | RS1(2)},
};

/* What a row's fields hold in an encoding. */
struct parsed {
    uint32_t imm, rd, rs1, rs2;
    unsigned top; /* highest bit of the immediate */
};

/* The next `count` bits from the left, of which *left remain. */
static uint32_t take(uint16_t c, unsigned *left, unsigned count)
{
    *left -= count;
    return (uint32_t)(c >> *left) & ((1u << count) - 1);
}

static void parse_immediate(const char *places, uint16_t c, unsigned *left, struct parsed *p)
{
    char *end = (char *)places;
    do {
        unsigned high = (unsigned)strtoul(end + 1, &end, 10), low = high;
        if (*end == ':')
            low = (unsigned)strtoul(end + 1, &end, 10);
        p->imm |= take(c, left, high - low + 1) << low;
        if (high > p->top)
            p->top = high;
    } while (*end == '|');
}

static bool parse_row(const char *bits, uint16_t c, struct parsed *p)
{
    char text[64], *rest, *word = strtok_r(strcpy(text, bits), " ", &rest);
    unsigned left = 16;
    *p = (struct parsed){0};
    for (; word; word = strtok_r(NULL, " ", &rest)) {
        if (*word == '0' || *word == '1') {
            unsigned count = (unsigned)strlen(word);
            if (take(c, &left, count) != strtoul(word, NULL, 2))
                return false;
            continue;
        }
        if (*word == 'i') {
            parse_immediate(word + 3, c, &left, p);
            continue;
        }
        uint32_t reg = strchr(word, '\'') ? take(c, &left, 3) + 8 : take(c, &left, 5);
        if (strstr(word, "rd"))
            p->rd = reg;
        if (strstr(word, "rs1"))
            p->rs1 = reg;
        if (strstr(word, "rs2"))
            p->rs2 = reg;
    }
    cr_assert_eq(left, 0, "%s", bits);
    return true;
}

/* Bits high..low of v, moved to bit `to`. */
static uint32_t move(uint32_t v, unsigned high, unsigned low, unsigned to)
{
    return (v >> low & ((2u << (high - low)) - 1)) << to;
}

static uint32_t immediate_bits(enum format format, uint32_t imm)
{
    switch (format) {
    case FMT_I:
        return move(imm, 11, 0, 20);
    case FMT_S:
        return move(imm, 11, 5, 25) | move(imm, 4, 0, 7);
    case FMT_B:
        return move(imm, 12, 12, 31) | move(imm, 10, 5, 25) | move(imm, 4, 1, 8) |
               move(imm, 11, 11, 7);
    case FMT_J:
        return move(imm, 20, 20, 31) | move(imm, 10, 1, 21) | move(imm, 11, 11, 20) |
               move(imm, 19, 12, 12);
    case FMT_U:
        return imm & 0xfffff000;
    default:
        return 0;
    }
}

static uint32_t model_expand(uint16_t c)
{
    for (unsigned i = 0; i < sizeof compressed / sizeof *compressed; i++) {
        const struct compressed *row = &compressed[i];
        struct parsed p;
        if (!parse_row(row->bits, c, &p))
            continue;
        if (((row->rules & NZ_IMM) && !p.imm) || ((row->rules & NZ_RD) && !p.rd) ||
            ((row->rules & NZ_RS1) && !p.rs1))
            return 0;
        if ((row->rules & SIGNED) && p.imm >> p.top)
            p.imm |= ~0u << p.top;
        return row->base | immediate_bits(row->format, p.imm) | p.rd << 7 | p.rs1 << 15 |
               p.rs2 << 20;
    }
    return 0;
}

Test(decode, every_compressed_instruction_expands_as_the_spec_says)
{
    for (unsigned c = 0; c < 0x10000; c++)
        if ((c & 3) != 3)
            cr_assert_eq(riscv_expand((uint16_t)c), model_expand((uint16_t)c),
                         "%#06x: %#010x, not %#010x", c, riscv_expand((uint16_t)c),
                         model_expand((uint16_t)c));
}

Test(decode, compressed_instructions_are_what_they_expand_to)
{
    for (unsigned c = 0; c < 0x10000; c++) {
        if ((c & 3) == 3)
            continue;
        /* What lies behind it does not count. */
        struct decoded d = riscv_decode(c | 0xabcd0000), full;
        uint32_t expanded = riscv_expand((uint16_t)c);
        cr_assert_eq(d.size, 2);
        if (!expanded) {
            cr_assert_eq(d.id, OP_ILLEGAL, "%#06x", c);
            cr_assert_eq(d.imm, (int32_t)c);
            continue;
        }
        full = riscv_decode(expanded);
        cr_assert_neq(full.id, OP_ILLEGAL, "%#06x expands to %#010x", c, expanded);
        cr_assert_eq(full.size, 4);
        full.size = 2;
        cr_assert(d.id == full.id && d.rd == full.rd && d.rs1 == full.rs1 && d.rs2 == full.rs2 &&
                      d.imm == full.imm,
                  "%#06x", c);
    }
}

/* ---- instructions of 32 bits: encodings from the GNU assembler ---- */

enum { ANY = -1 };

static const struct known {
    const char *text;
    uint32_t insn;
    enum op_id id;
    int rd; /* ANY: none */
    int32_t imm;
} known[] = {
    {"lui x5, 0x12345", 0x123452b7, OP_LI, 5, 0x12345000},
    {"auipc x5, 0xfffff", 0xfffff297, OP_AUIPC, 5, -4096},
    {"jal x1, .+2048", 0x001000ef, OP_JAL, 1, 2048},
    {"jal x0, .-1048576", 0x8000006f, OP_J, 0, -1048576},
    {"jalr x0, -2048(x7)", 0x80038067, OP_JALR, X_SINK, -2048},
    {"jalr x1, 12(x7)", 0x00c380e7, OP_JALR, 1, 12},
    {"beq x5, x6, .-4096", 0x80628063, OP_BEQ, ANY, -4096},
    {"bne x5, x6, .+4094", 0x7e629fe3, OP_BNE, ANY, 4094},
    {"blt x5, x6, .+8", 0x0062c463, OP_BLT, ANY, 8},
    {"bge x5, x6, .+16", 0x0062d863, OP_BGE, ANY, 16},
    {"bltu x5, x6, .+32", 0x0262e063, OP_BLTU, ANY, 32},
    {"bgeu x5, x6, .+2048", 0x0062f0e3, OP_BGEU, ANY, 2048},
    {"lb x5, -1(x6)", 0xfff30283, OP_LB, 5, -1},
    {"lh x5, 2047(x6)", 0x7ff31283, OP_LH, 5, 2047},
    {"lw x5, -2048(x6)", 0x80032283, OP_LW, 5, -2048},
    {"ld x0, 8(x6)", 0x00833003, OP_LD, X_SINK, 8},
    {"lbu x5, 1(x6)", 0x00134283, OP_LBU, 5, 1},
    {"lhu x5, 2(x6)", 0x00235283, OP_LHU, 5, 2},
    {"lwu x5, 4(x6)", 0x00436283, OP_LWU, 5, 4},
    {"sb x5, -1(x6)", 0xfe530fa3, OP_SB, ANY, -1},
    {"sh x5, 2047(x6)", 0x7e531fa3, OP_SH, ANY, 2047},
    {"sw x5, -2048(x6)", 0x80532023, OP_SW, ANY, -2048},
    {"sd x5, 33(x6)", 0x025330a3, OP_SD, ANY, 33},
    {"flw f5, 4(x6)", 0x00432287, OP_FLW, ANY, 4},
    {"fld f5, -8(x6)", 0xff833287, OP_FLD, ANY, -8},
    {"fsw f5, 4(x6)", 0x00532227, OP_FSW, ANY, 4},
    {"fsd f5, -8(x6)", 0xfe533c27, OP_FSD, ANY, -8},
    {"addi x5, x6, -1", 0xfff30293, OP_ADDI, 5, -1},
    {"addi x5, x6, 0", 0x00030293, OP_MV, 5, 0},
    {"addi x5, x0, 7", 0x00700293, OP_LI, 5, 7},
    {"addi x0, x6, 7", 0x00730013, OP_NOP, ANY, 7},
    {"slti x5, x6, -1", 0xfff32293, OP_SLTI, 5, -1},
    {"sltiu x5, x6, 1", 0x00133293, OP_SLTIU, 5, 1},
    {"xori x5, x6, -1", 0xfff34293, OP_XORI, 5, -1},
    {"ori x5, x6, 2047", 0x7ff36293, OP_ORI, 5, 2047},
    {"andi x5, x6, -2048", 0x80037293, OP_ANDI, 5, -2048},
    {"slli x5, x6, 63", 0x03f31293, OP_SLLI, 5, 63},
    {"srli x5, x6, 33", 0x02135293, OP_SRLI, 5, 33},
    {"srai x5, x6, 63", 0x43f35293, OP_SRAI, 5, 63},
    {"addiw x5, x6, -5", 0xffb3029b, OP_ADDIW, 5, -5},
    {"slliw x5, x6, 31", 0x01f3129b, OP_SLLIW, 5, 31},
    {"srliw x5, x6, 1", 0x0013529b, OP_SRLIW, 5, 1},
    {"sraiw x5, x6, 17", 0x4113529b, OP_SRAIW, 5, 17},
    {"add x5, x6, x7", 0x007302b3, OP_ADD, 5, 0},
    {"sub x5, x6, x7", 0x407302b3, OP_SUB, 5, 0},
    {"sll x5, x6, x7", 0x007312b3, OP_SLL, 5, 0},
    {"slt x5, x6, x7", 0x007322b3, OP_SLT, 5, 0},
    {"sltu x5, x6, x7", 0x007332b3, OP_SLTU, 5, 0},
    {"xor x5, x6, x7", 0x007342b3, OP_XOR, 5, 0},
    {"srl x5, x6, x7", 0x007352b3, OP_SRL, 5, 0},
    {"sra x5, x6, x7", 0x407352b3, OP_SRA, 5, 0},
    {"or x5, x6, x7", 0x007362b3, OP_OR, 5, 0},
    {"and x5, x6, x7", 0x007372b3, OP_AND, 5, 0},
    {"addw x5, x6, x7", 0x007302bb, OP_ADDW, 5, 0},
    {"subw x5, x6, x7", 0x407302bb, OP_SUBW, 5, 0},
    {"sllw x5, x6, x7", 0x007312bb, OP_SLLW, 5, 0},
    {"srlw x5, x6, x7", 0x007352bb, OP_SRLW, 5, 0},
    {"sraw x5, x6, x7", 0x407352bb, OP_SRAW, 5, 0},
    {"mul x5, x6, x7", 0x027302b3, OP_MUL, 5, 0},
    {"mulh x5, x6, x7", 0x027312b3, OP_MULH, 5, 0},
    {"mulhsu x5, x6, x7", 0x027322b3, OP_MULHSU, 5, 0},
    {"mulhu x5, x6, x7", 0x027332b3, OP_MULHU, 5, 0},
    {"div x5, x6, x7", 0x027342b3, OP_DIV, 5, 0},
    {"divu x5, x6, x7", 0x027352b3, OP_DIVU, 5, 0},
    {"rem x5, x6, x7", 0x027362b3, OP_REM, 5, 0},
    {"remu x5, x6, x7", 0x027372b3, OP_REMU, 5, 0},
    {"mulw x5, x6, x7", 0x027302bb, OP_MULW, 5, 0},
    {"divw x5, x6, x7", 0x027342bb, OP_DIVW, 5, 0},
    {"divuw x5, x6, x7", 0x027352bb, OP_DIVUW, 5, 0},
    {"remw x5, x6, x7", 0x027362bb, OP_REMW, 5, 0},
    {"remuw x5, x6, x7", 0x027372bb, OP_REMUW, 5, 0},
    {"sh1add x5, x6, x7", 0x207322b3, OP_SH1ADD, 5, 0},
    {"sh2add x5, x6, x7", 0x207342b3, OP_SH2ADD, 5, 0},
    {"sh3add x5, x6, x7", 0x207362b3, OP_SH3ADD, 5, 0},
    {"add.uw x5, x6, x7", 0x087302bb, OP_ADD_UW, 5, 0},
    {"sh1add.uw x5, x6, x7", 0x207322bb, OP_SH1ADD_UW, 5, 0},
    {"sh2add.uw x5, x6, x7", 0x207342bb, OP_SH2ADD_UW, 5, 0},
    {"sh3add.uw x5, x6, x7", 0x207362bb, OP_SH3ADD_UW, 5, 0},
    {"andn x5, x6, x7", 0x407372b3, OP_ANDN, 5, 0},
    {"orn x5, x6, x7", 0x407362b3, OP_ORN, 5, 0},
    {"xnor x5, x6, x7", 0x407342b3, OP_XNOR, 5, 0},
    {"max x5, x6, x7", 0x0a7362b3, OP_MAX, 5, 0},
    {"maxu x5, x6, x7", 0x0a7372b3, OP_MAXU, 5, 0},
    {"min x5, x6, x7", 0x0a7342b3, OP_MIN, 5, 0},
    {"minu x5, x6, x7", 0x0a7352b3, OP_MINU, 5, 0},
    {"rol x5, x6, x7", 0x607312b3, OP_ROL, 5, 0},
    {"ror x5, x6, x7", 0x607352b3, OP_ROR, 5, 0},
    {"rolw x5, x6, x7", 0x607312bb, OP_ROLW, 5, 0},
    {"rorw x5, x6, x7", 0x607352bb, OP_RORW, 5, 0},
    {"bclr x5, x6, x7", 0x487312b3, OP_BCLR, 5, 0},
    {"bext x5, x6, x7", 0x487352b3, OP_BEXT, 5, 0},
    {"binv x5, x6, x7", 0x687312b3, OP_BINV, 5, 0},
    {"bset x5, x6, x7", 0x287312b3, OP_BSET, 5, 0},
    {"clz x5, x6", 0x60031293, OP_CLZ, 5, 0},
    {"ctz x5, x6", 0x60131293, OP_CTZ, 5, 0},
    {"cpop x5, x6", 0x60231293, OP_CPOP, 5, 0},
    {"clzw x5, x6", 0x6003129b, OP_CLZW, 5, 0},
    {"ctzw x5, x6", 0x6013129b, OP_CTZW, 5, 0},
    {"cpopw x5, x6", 0x6023129b, OP_CPOPW, 5, 0},
    {"sext.b x5, x6", 0x60431293, OP_SEXT_B, 5, 0},
    {"sext.h x5, x6", 0x60531293, OP_SEXT_H, 5, 0},
    {"zext.h x5, x6", 0x080342bb, OP_ZEXT_H, 5, 0},
    {"orc.b x5, x6", 0x28735293, OP_ORC_B, 5, 0},
    {"rev8 x5, x6", 0x6b835293, OP_REV8, 5, 0},
    {"slli.uw x5, x6, 63", 0x0bf3129b, OP_SLLI_UW, 5, 63},
    {"rori x5, x6, 63", 0x63f35293, OP_RORI, 5, 63},
    {"roriw x5, x6, 31", 0x61f3529b, OP_RORIW, 5, 31},
    {"bclri x5, x6, 32", 0x4a031293, OP_BCLRI, 5, 32},
    {"bexti x5, x6, 63", 0x4bf35293, OP_BEXTI, 5, 63},
    {"binvi x5, x6, 1", 0x68131293, OP_BINVI, 5, 1},
    {"bseti x5, x6, 40", 0x2a831293, OP_BSETI, 5, 40},
    {"lr.w x5, (x6)", 0x100322af, OP_LR, 5, (int32_t)0x100322af},
    {"lr.d.aqrl x0, (x6)", 0x1603302f, OP_LR, X_SINK, (int32_t)0x1603302f},
    {"sc.w x5, x7, (x6)", 0x187322af, OP_SC, 5, (int32_t)0x187322af},
    {"sc.d x5, x7, (x6)", 0x187332af, OP_SC, 5, (int32_t)0x187332af},
    {"amoadd.w x5, x7, (x6)", 0x007322af, OP_AMO, 5, (int32_t)0x007322af},
    {"amoadd.d x0, x7, (x6)", 0x0073302f, OP_AMO, X_SINK, (int32_t)0x0073302f},
    {"amoswap.w x5, x7, (x6)", 0x087322af, OP_AMO, 5, (int32_t)0x087322af},
    {"amoswap.d x0, x7, (x6)", 0x0873302f, OP_AMO, X_SINK, (int32_t)0x0873302f},
    {"amoxor.w x5, x7, (x6)", 0x207322af, OP_AMO, 5, (int32_t)0x207322af},
    {"amoxor.d x0, x7, (x6)", 0x2073302f, OP_AMO, X_SINK, (int32_t)0x2073302f},
    {"amoor.w x5, x7, (x6)", 0x407322af, OP_AMO, 5, (int32_t)0x407322af},
    {"amoor.d x0, x7, (x6)", 0x4073302f, OP_AMO, X_SINK, (int32_t)0x4073302f},
    {"amoand.w x5, x7, (x6)", 0x607322af, OP_AMO, 5, (int32_t)0x607322af},
    {"amoand.d x0, x7, (x6)", 0x6073302f, OP_AMO, X_SINK, (int32_t)0x6073302f},
    {"amomin.w x5, x7, (x6)", 0x807322af, OP_AMO, 5, (int32_t)0x807322af},
    {"amomin.d x0, x7, (x6)", 0x8073302f, OP_AMO, X_SINK, (int32_t)0x8073302f},
    {"amomax.w x5, x7, (x6)", 0xa07322af, OP_AMO, 5, (int32_t)0xa07322af},
    {"amomax.d x0, x7, (x6)", 0xa073302f, OP_AMO, X_SINK, (int32_t)0xa073302f},
    {"amominu.w x5, x7, (x6)", 0xc07322af, OP_AMO, 5, (int32_t)0xc07322af},
    {"amominu.d x0, x7, (x6)", 0xc073302f, OP_AMO, X_SINK, (int32_t)0xc073302f},
    {"amomaxu.w x5, x7, (x6)", 0xe07322af, OP_AMO, 5, (int32_t)0xe07322af},
    {"amomaxu.d x0, x7, (x6)", 0xe073302f, OP_AMO, X_SINK, (int32_t)0xe073302f},
    {"fence", 0x0ff0000f, OP_NOP, ANY, 0},
    {"fence.tso", 0x8330000f, OP_NOP, ANY, 0},
    {"fence.i", 0x0000100f, OP_NOP, ANY, 0},
    {"pause", 0x0100000f, OP_PAUSE, ANY, 0},
    {"cbo.inval (x6)", 0x0003200f, OP_CBO, ANY, (int32_t)0x0003200f},
    {"cbo.clean (x6)", 0x0013200f, OP_CBO, ANY, (int32_t)0x0013200f},
    {"cbo.flush (x6)", 0x0023200f, OP_CBO, ANY, (int32_t)0x0023200f},
    {"cbo.zero (x6)", 0x0043200f, OP_CBO, ANY, (int32_t)0x0043200f},
    {"fadd.d f5, f6, f7", 0x027372d3, OP_FADD_D, ANY, (int32_t)0x027372d3},
    {"fsub.d f5, f6, f7, rtz", 0x0a7312d3, OP_FSUB_D, ANY, (int32_t)0x0a7312d3},
    {"fmul.d f5, f6, f7", 0x127372d3, OP_FMUL_D, ANY, (int32_t)0x127372d3},
    {"fdiv.d f5, f6, f7", 0x1a7372d3, OP_FDIV_D, ANY, (int32_t)0x1a7372d3},
    {"fmadd.d f5, f6, f7, f8", 0x427372c3, OP_FMADD_D, ANY, (int32_t)0x427372c3},
    {"fmsub.d f5, f6, f7, f8", 0x427372c7, OP_FP, ANY, (int32_t)0x427372c7},
    {"fadd.s f5, f6, f7", 0x007372d3, OP_FP, ANY, (int32_t)0x007372d3},
    {"fcvt.d.l f5, x6", 0xd22372d3, OP_FP, ANY, (int32_t)0xd22372d3},
    {"csrrw x5, mstatus, x6", 0x300312f3, OP_CSR, ANY, (int32_t)0x300312f3},
    {"csrrci x0, fflags, 3", 0x0011f073, OP_CSR, ANY, (int32_t)0x0011f073},
    {"ecall", 0x00000073, OP_SYSTEM, ANY, (int32_t)0x00000073},
    {"ebreak", 0x00100073, OP_SYSTEM, ANY, (int32_t)0x00100073},
    {"mret", 0x30200073, OP_SYSTEM, ANY, (int32_t)0x30200073},
    {"wfi", 0x10500073, OP_SYSTEM, ANY, (int32_t)0x10500073},
    {"sfence.vma x5, x6", 0x12628073, OP_SYSTEM, ANY, (int32_t)0x12628073},
};

Test(decode, known_instructions)
{
    for (unsigned i = 0; i < sizeof known / sizeof *known; i++) {
        const struct known *k = &known[i];
        struct decoded d = riscv_decode(k->insn);
        cr_assert_eq(d.id, k->id, "%s", k->text);
        cr_assert_eq(d.size, 4, "%s", k->text);
        cr_assert(k->id == OP_NOP || d.imm == k->imm, "%s: %d", k->text, d.imm);
        cr_assert(k->rd == ANY || d.rd == k->rd, "%s: x%d", k->text, d.rd);
    }
}

Test(decode, every_operation_is_known)
{
    bool seen[OP_COUNT] = {[OP_CHECK] = true, [OP_END] = true, [OP_EXIT] = true};
    for (unsigned i = 0; i < sizeof known / sizeof *known; i++)
        seen[known[i].id] = true;
    seen[OP_ILLEGAL] = true;
    for (unsigned i = 0; i < OP_COUNT; i++)
        cr_assert(seen[i], "operation %u", i);
}

Test(decode, illegal_instructions_keep_their_bits)
{
    static const uint32_t illegal[] = {
        0xffffffff, /* all ones */
        0x0000007f, /* longer than 32 bits */
        0x0000001f, /* the 48-bit space */
        0x0000000b, /* custom-0 */
        0x00007003, /* load of a width there is not */
        0x00004023, /* store of 128 bits */
        0x00001067, /* jalr with funct3 */
        0x00002063, /* branch of no condition */
        0x00001007, /* half-precision load */
        0x0000102f, /* AMO on a halfword */
        0x1010202f, /* lr with rs2 */
        0x2800202f, /* AMO of no operation */
        0x04001013, /* slli with a bit above the amount that is nothing */
        0x8000001b | 1 << 12,
        0x0200501b, /* srliw by 32 */
        0x04000033, /* OP with funct7 2 */
        0x02001033 | 0x80000000,
        0x0200103b,          /* mulhw */
        0x0040200f | 1 << 7, /* cbo.zero with rd */
        0x0030200f,          /* cbo.3 */
        0x0000700f,          /* misc-mem with funct3 7 */
    };
    for (unsigned i = 0; i < sizeof illegal / sizeof *illegal; i++) {
        struct decoded d = riscv_decode(illegal[i]);
        cr_assert_eq(d.id, OP_ILLEGAL, "%#010x", illegal[i]);
        cr_assert_eq(d.imm, (int32_t)illegal[i]);
        cr_assert_eq(d.size, 4);
    }
}

/* Whatever the bits: an operation, registers the state has, and only pure ones dropped for x0. */
Test(decode, any_bits)
{
    for (uint64_t i = 0; i < 3000000; i++) {
        uint32_t insn = (uint32_t)hash_mix(i + 1);
        struct decoded d = riscv_decode(insn);
        cr_assert(d.id > OP_EXIT && d.id < OP_COUNT, "%#010x", insn);
        cr_assert(d.rd <= X_SINK && d.rs1 < 32 && d.rs2 < 32, "%#010x", insn);
        cr_assert_eq(d.size, (insn & 3) == 3 ? 4 : 2);
        if (d.id >= OP_LI && d.id <= OP_LD)
            cr_assert_neq(d.rd, 0, "%#010x writes x0", insn);
    }
}
