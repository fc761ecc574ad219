#include "timeline/agent.h"

#include "base/check.h"
#include "base/endian.h"
#include "timeline/internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Numbers as in gdb's manual, "Bytecode Descriptions". */
enum op {
    OP_ADD = 0x02,
    OP_SUB,
    OP_MUL,
    OP_DIV_SIGNED,
    OP_DIV_UNSIGNED,
    OP_REM_SIGNED,
    OP_REM_UNSIGNED,
    OP_LSH,
    OP_RSH_SIGNED,
    OP_RSH_UNSIGNED,
    OP_TRACE,
    OP_TRACE_QUICK,
    OP_LOG_NOT,
    OP_BIT_AND,
    OP_BIT_OR,
    OP_BIT_XOR,
    OP_BIT_NOT,
    OP_EQUAL,
    OP_LESS_SIGNED,
    OP_LESS_UNSIGNED,
    OP_EXT,
    OP_REF8,
    OP_REF16,
    OP_REF32,
    OP_REF64,
    OP_IF_GOTO = 0x20,
    OP_GOTO,
    OP_CONST8,
    OP_CONST16,
    OP_CONST32,
    OP_CONST64,
    OP_REG,
    OP_END,
    OP_DUP,
    OP_POP,
    OP_ZERO_EXT,
    OP_SWAP,
    OP_TRACENZ = 0x2f,
    OP_TRACE16,
    OP_PICK = 0x32,
    OP_ROT,
    OP_PRINTF
};

struct operation_form {
    uint8_t known, operand; /* operand: bytes behind the opcode, big-endian */
    uint8_t takes, leaves;  /* of the stack */
};

#define FORM(operand, takes, leaves)                                                               \
    {                                                                                              \
        1, operand, takes, leaves                                                                  \
    }

static const struct operation_form form[] = {
    [OP_ADD] = FORM(0, 2, 1),          [OP_SUB] = FORM(0, 2, 1),
    [OP_MUL] = FORM(0, 2, 1),          [OP_DIV_SIGNED] = FORM(0, 2, 1),
    [OP_DIV_UNSIGNED] = FORM(0, 2, 1), [OP_REM_SIGNED] = FORM(0, 2, 1),
    [OP_REM_UNSIGNED] = FORM(0, 2, 1), [OP_LSH] = FORM(0, 2, 1),
    [OP_RSH_SIGNED] = FORM(0, 2, 1),   [OP_RSH_UNSIGNED] = FORM(0, 2, 1),
    [OP_TRACE] = FORM(0, 2, 0),        [OP_TRACE_QUICK] = FORM(1, 1, 1),
    [OP_LOG_NOT] = FORM(0, 1, 1),      [OP_BIT_AND] = FORM(0, 2, 1),
    [OP_BIT_OR] = FORM(0, 2, 1),       [OP_BIT_XOR] = FORM(0, 2, 1),
    [OP_BIT_NOT] = FORM(0, 1, 1),      [OP_EQUAL] = FORM(0, 2, 1),
    [OP_LESS_SIGNED] = FORM(0, 2, 1),  [OP_LESS_UNSIGNED] = FORM(0, 2, 1),
    [OP_EXT] = FORM(1, 1, 1),          [OP_REF8] = FORM(0, 1, 1),
    [OP_REF16] = FORM(0, 1, 1),        [OP_REF32] = FORM(0, 1, 1),
    [OP_REF64] = FORM(0, 1, 1),        [OP_IF_GOTO] = FORM(2, 1, 0),
    [OP_GOTO] = FORM(2, 0, 0),         [OP_CONST8] = FORM(1, 0, 1),
    [OP_CONST16] = FORM(2, 0, 1),      [OP_CONST32] = FORM(4, 0, 1),
    [OP_CONST64] = FORM(8, 0, 1),      [OP_REG] = FORM(2, 0, 1),
    [OP_END] = FORM(0, 0, 0),          [OP_DUP] = FORM(0, 1, 2),
    [OP_POP] = FORM(0, 1, 0),          [OP_ZERO_EXT] = FORM(1, 1, 1),
    [OP_SWAP] = FORM(0, 2, 2),         [OP_TRACENZ] = FORM(0, 2, 0),
    [OP_TRACE16] = FORM(2, 1, 1),      [OP_PICK] = FORM(1, 0, 1),
    [OP_ROT] = FORM(0, 3, 3),          [OP_PRINTF] = FORM(3, 2, 0),
};

/* Up to here there is every number. */
enum { REGISTER_PC = 32 };
enum { FORMS = sizeof form / sizeof *form };

/* ---- one operation ---- */

/* An operation as it stands in the code. */
struct decoded {
    uint8_t op;
    uint64_t operand;
    size_t size; /* with operand and format */
    /* OP_PRINTF only: the format with its end, and how many arguments it has. */
    const char *text;
    size_t text_size, count;
};

static uint64_t big_endian(const uint8_t *bytes, size_t size)
{
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++)
        value = value << 8 | bytes[i];
    return value;
}

static bool decode(const struct agent_code *code, size_t pc, struct decoded *d, struct error *err)
{
    if (pc >= code->size)
        return error_set(err, ERROR_FORMAT, "the expression ends without its end at %zu", pc);
    uint8_t op = code->bytes[pc];
    size_t left = code->size - pc - 1;
    if (op >= FORMS || !form[op].known)
        return error_set(err, ERROR_FORMAT, "operation %#x at %zu is not known here", op, pc);
    if (left < form[op].operand)
        return error_set(err, ERROR_FORMAT, "operation %#x at %zu is cut off", op, pc);
    const uint8_t *operand = code->bytes + pc + 1;
    d->op = op;
    d->operand = big_endian(operand, form[op].operand);
    d->size = 1u + form[op].operand;
    if (op != OP_PRINTF)
        return true;
    d->count = operand[0];
    d->text_size = (size_t)big_endian(operand + 1, 2);
    d->text = (const char *)operand + 3;
    if (left - 3 < d->text_size || !d->text_size || d->text[d->text_size - 1])
        return error_set(err, ERROR_FORMAT, "the format at %zu has no end", pc);
    d->size += d->text_size;
    return true;
}

bool agent_check(const struct agent_code *code, struct error *err)
{
    struct decoded d;
    bool *begins = mem_new(code->size + 1, sizeof *begins), good = true;
    for (size_t pc = 0; good && pc < code->size; pc += d.size) {
        begins[pc] = true;
        good = decode(code, pc, &d, err);
    }
    for (size_t pc = 0; good && pc < code->size; pc += d.size) {
        good = decode(code, pc, &d, err);
        bool jumps = good && (d.op == OP_GOTO || d.op == OP_IF_GOTO);
        if (jumps && (d.operand >= code->size || !begins[d.operand]))
            good = error_set(err, ERROR_FORMAT, "the jump at %zu leads to no operation", pc);
    }
    free(begins);
    return good;
}

/* ---- evaluation ---- */

struct agent {
    const struct agent_code *code;
    const struct timeline *tl;
    const struct hit *hit;
    unsigned icount;
    struct buffer *out;
    size_t text_from; /* its size when the evaluation began */
    size_t pc, depth;
    uint64_t stack[AGENT_STACK];
};

static bool read_register(const struct agent *a, uint64_t number, uint64_t *value,
                          struct error *err)
{
    const struct cpu *cpu = a->tl->m->cpu[a->hit->hart];
    if (number == a->icount)
        *value = a->hit->position;
    else if (number <= REGISTER_PC ||
             (number <= UINT16_MAX && cpu_register_numbered(cpu, (unsigned)number)))
        *value = cpu->ops->get_register(cpu, (unsigned)number);
    else
        return error_set(err, ERROR_RANGE, "there is no register %" PRIu64, number);
    return true;
}

static bool read_memory(const struct agent *a, uint64_t address, unsigned size, uint64_t *value,
                        struct error *err)
{
    uint8_t bytes[8] = {0};
    if (!timeline_read_memory(a->tl, a->hit->hart, address, bytes, size))
        return error_set(err, ERROR_RANGE, "no memory at %#" PRIx64, address);
    *value = load_le64(bytes);
    return true;
}

static uint64_t extend(uint64_t value, uint64_t bits, bool sign)
{
    if (bits >= 64 || !bits)
        return bits ? value : 0;
    uint64_t mask = (UINT64_C(1) << bits) - 1;
    return sign && (value >> (bits - 1) & 1) ? value | ~mask : value & mask;
}

static uint64_t shift(uint8_t op, uint64_t a, uint64_t count)
{
    bool far = count >= 64;
    if (op == OP_LSH)
        return far ? 0 : a << count;
    uint64_t low = far ? 0 : a >> count;
    if (op == OP_RSH_UNSIGNED || !(a >> 63))
        return low;
    return far ? UINT64_MAX : low | ~(UINT64_MAX >> count);
}

static bool divide(uint8_t op, uint64_t a, uint64_t b, uint64_t *value, struct error *err)
{
    bool least = a == UINT64_C(1) << 63 && b == UINT64_MAX; /* no quotient in 64 bits */
    if (!b)
        return error_set(err, ERROR_RANGE, "division by zero");
    if (op == OP_DIV_UNSIGNED)
        *value = a / b;
    else if (op == OP_REM_UNSIGNED)
        *value = a % b;
    else if (op == OP_DIV_SIGNED)
        *value = least ? a : (uint64_t)((int64_t)a / (int64_t)b);
    else
        *value = least ? 0 : (uint64_t)((int64_t)a % (int64_t)b);
    return true;
}

static bool binary(uint8_t op, uint64_t a, uint64_t b, uint64_t *value, struct error *err)
{
    switch (op) {
    case OP_ADD:
        *value = a + b;
        return true;
    case OP_SUB:
        *value = a - b;
        return true;
    case OP_MUL:
        *value = a * b;
        return true;
    case OP_LSH:
    case OP_RSH_SIGNED:
    case OP_RSH_UNSIGNED:
        *value = shift(op, a, b);
        return true;
    case OP_BIT_AND:
        *value = a & b;
        return true;
    case OP_BIT_OR:
        *value = a | b;
        return true;
    case OP_BIT_XOR:
        *value = a ^ b;
        return true;
    case OP_EQUAL:
        *value = a == b;
        return true;
    case OP_LESS_SIGNED:
        *value = (int64_t)a < (int64_t)b;
        return true;
    case OP_LESS_UNSIGNED:
        *value = a < b;
        return true;
    default:
        return divide(op, a, b, value, err);
    }
}

/* Function and channel, which mean nothing here, then the arguments, the first one on top. */
static bool print(struct agent *a, const struct decoded *d, struct error *err)
{
    uint64_t argument[UINT8_MAX];
    if (a->depth < d->count + 2)
        return error_set(err, ERROR_FORMAT, "too few arguments on the stack at %zu", a->pc);
    a->depth -= 2;
    for (size_t i = 0; i < d->count; i++)
        argument[i] = a->stack[--a->depth];
    if (a->out && a->out->size - a->text_from > AGENT_TEXT)
        return error_set(err, ERROR_RANGE, "it prints more than %d bytes", AGENT_TEXT);
    if (a->out)
        agent_print(a->tl, a->hit->hart, d->text, d->text_size - 1, argument, d->count, a->out);
    return true;
}

/* Operations whose operands are known to be on the stack: `top` is above the topmost. */
static bool execute(struct agent *a, const struct decoded *d, struct error *err)
{
    uint64_t *top = a->stack + a->depth;
    switch (d->op) {
    case OP_LOG_NOT:
        top[-1] = !top[-1];
        return true;
    case OP_BIT_NOT:
        top[-1] = ~top[-1];
        return true;
    case OP_EXT:
    case OP_ZERO_EXT:
        top[-1] = extend(top[-1], d->operand, d->op == OP_EXT);
        return true;
    case OP_REF8:
    case OP_REF16:
    case OP_REF32:
    case OP_REF64:
        return read_memory(a, top[-1], 1u << (d->op - OP_REF8), &top[-1], err);
    case OP_CONST8:
    case OP_CONST16:
    case OP_CONST32:
    case OP_CONST64:
        *top = d->operand;
        return true;
    case OP_REG:
        return read_register(a, d->operand, top, err);
    case OP_DUP:
        *top = top[-1];
        return true;
    case OP_PICK:
        if (d->operand >= a->depth)
            return error_set(err, ERROR_FORMAT, "the stack is not so deep at %zu", a->pc);
        *top = top[-1 - (ptrdiff_t)d->operand];
        return true;
    case OP_SWAP: {
        uint64_t b = top[-1];
        top[-1] = top[-2];
        top[-2] = b;
        return true;
    }
    case OP_ROT: {
        uint64_t c = top[-1];
        top[-1] = top[-2];
        top[-2] = top[-3];
        top[-3] = c;
        return true;
    }
    case OP_TRACE:
    case OP_TRACENZ:
    case OP_TRACE_QUICK:
    case OP_TRACE16:
    case OP_POP:
    case OP_GOTO:
    case OP_IF_GOTO:
    case OP_END:
        return true;
    default:
        return binary(d->op, top[-2], top[-1], &top[-2], err);
    }
}

static bool step(struct agent *a, const struct decoded *d, struct error *err)
{
    const struct operation_form *f = &form[d->op];
    if (a->depth < f->takes)
        return error_set(err, ERROR_FORMAT, "the stack is empty at %zu", a->pc);
    if (a->depth - f->takes + f->leaves > AGENT_STACK)
        return error_set(err, ERROR_RANGE, "the stack is full at %zu", a->pc);
    bool jumps = d->op == OP_GOTO || (d->op == OP_IF_GOTO && a->stack[a->depth - 1]);
    if (d->op == OP_PRINTF) {
        if (!print(a, d, err))
            return false;
    } else {
        if (!execute(a, d, err))
            return false;
        a->depth = a->depth - f->takes + f->leaves;
    }
    a->pc = jumps ? (size_t)d->operand : a->pc + d->size;
    return true;
}

bool agent_run(const struct agent_code *code, unsigned icount, const struct timeline *tl,
               const struct hit *hit, uint64_t *value, struct buffer *out, struct error *err)
{
    struct agent a; /* the stack need not be cleared */
    struct decoded d;
    a.code = code;
    a.tl = tl;
    a.hit = hit;
    a.icount = icount;
    a.out = out;
    a.text_from = out ? out->size : 0;
    a.pc = a.depth = 0;
    for (unsigned steps = 0; steps < AGENT_STEPS; steps++) {
        if (!decode(code, a.pc, &d, err))
            return false;
        if (d.op == OP_END) {
            if (!a.depth && !out)
                return error_set(err, ERROR_FORMAT, "it leaves no value");
            *value = a.depth ? a.stack[a.depth - 1] : 0;
            return true;
        }
        if (!step(&a, &d, err))
            return false;
    }
    return error_set(err, ERROR_RANGE, "it does not end within %d operations", AGENT_STEPS);
}

/* ---- several of them, kept ---- */

struct expressions {
    size_t count;
    unsigned icount;
    struct agent_code code[]; /* the bytes behind them */
};

static struct expressions *keep(const struct agent_code *code, size_t count, unsigned icount)
{
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++)
        bytes += code[i].size;
    struct expressions *e = mem_new(1, sizeof *e + count * sizeof *e->code + bytes);
    uint8_t *to = (uint8_t *)&e->code[count];
    e->count = count;
    e->icount = icount;
    for (size_t i = 0; i < count; i++) {
        e->code[i] = (struct agent_code){to, code[i].size};
        if (code[i].size)
            memcpy(to, code[i].bytes, code[i].size);
        to += code[i].size;
    }
    return e;
}

static bool holds(void *ctx, const struct timeline *tl, const struct hit *hit)
{
    const struct expressions *e = ctx;
    for (size_t i = 0; i < e->count; i++) {
        struct error err; /* filled in on failure only: this is run for every hit */
        uint64_t value;
        if (!agent_run(&e->code[i], e->icount, tl, hit, &value, NULL, &err) || value)
            return true;
    }
    return false;
}

static void run_all(void *ctx, const struct timeline *tl, const struct hit *hit, struct buffer *out)
{
    const struct expressions *e = ctx;
    size_t before = out->size;
    for (size_t i = 0; i < e->count && out->size - before < AGENT_TEXT; i++) {
        struct error err = ERROR_INIT;
        uint64_t value;
        if (!agent_run(&e->code[i], e->icount, tl, hit, &value, out, &err))
            buffer_printf(out, "<position %" PRIu64 ": %s>\n", hit->position, err.message);
    }
}

struct condition agent_condition(const struct agent_code *code, size_t count, unsigned icount)
{
    return (struct condition){holds, free, keep(code, count, icount), NULL};
}

struct point_action agent_action(const struct agent_code *code, size_t count, unsigned icount)
{
    return (struct point_action){run_all, free, keep(code, count, icount)};
}
