/* DWARF expressions, those operations that call frame information uses. DWARF 5, 2.5. */
#include "cli/cfi_reader.h"

#include "cli/unwind.h"

#include <dwarf.h>

enum { DEEPEST = 64, OPERATIONS_MOST = 1000 };

struct machine_stack {
    uint64_t value[DEEPEST];
    unsigned depth;
    bool bad;
};

static void push(struct machine_stack *s, uint64_t value)
{
    if (s->depth == DEEPEST)
        s->bad = true;
    else
        s->value[s->depth++] = value;
}

static uint64_t pop(struct machine_stack *s)
{
    if (s->depth)
        return s->value[--s->depth];
    s->bad = true;
    return 0;
}

static uint64_t pick(struct machine_stack *s, uint64_t index)
{
    if (index < s->depth)
        return s->value[s->depth - 1 - index];
    s->bad = true;
    return 0;
}

static void dereference(struct machine_stack *s, const struct unwind_memory *memory, uint64_t size)
{
    uint8_t bytes[8];
    uint64_t address = pop(s);
    if (!size || size > 8 || !memory->read(memory->ctx, address, bytes, size))
        s->bad = true;
    else
        push(s, load_le(bytes, (unsigned)size));
}

static bool constant(struct machine_stack *s, uint8_t op, struct cfi_reader *r)
{
    switch (op) {
    case DW_OP_const1u:
        push(s, cfi_read(r, 1));
        return true;
    case DW_OP_const1s:
        push(s, (uint64_t)(int8_t)cfi_read(r, 1));
        return true;
    case DW_OP_const2u:
        push(s, cfi_read(r, 2));
        return true;
    case DW_OP_const2s:
        push(s, (uint64_t)(int16_t)cfi_read(r, 2));
        return true;
    case DW_OP_const4u:
        push(s, cfi_read(r, 4));
        return true;
    case DW_OP_const4s:
        push(s, (uint64_t)(int32_t)cfi_read(r, 4));
        return true;
    case DW_OP_const8u:
    case DW_OP_const8s:
    case DW_OP_addr:
        push(s, cfi_read(r, 8));
        return true;
    case DW_OP_constu:
        push(s, cfi_uleb(r));
        return true;
    case DW_OP_consts:
        push(s, (uint64_t)cfi_sleb(r));
        return true;
    default:
        return false;
    }
}

static bool binary(struct machine_stack *s, uint8_t op)
{
    uint64_t b = s->depth > 1 ? s->value[s->depth - 1] : 0;
    uint64_t a = s->depth > 1 ? s->value[s->depth - 2] : 0, value;
    switch (op) {
    case DW_OP_plus:
        value = a + b;
        break;
    case DW_OP_minus:
        value = a - b;
        break;
    case DW_OP_mul:
        value = a * b;
        break;
    case DW_OP_and:
        value = a & b;
        break;
    case DW_OP_or:
        value = a | b;
        break;
    case DW_OP_xor:
        value = a ^ b;
        break;
    case DW_OP_shl:
        value = b < 64 ? a << b : 0;
        break;
    case DW_OP_shr:
        value = b < 64 ? a >> b : 0;
        break;
    case DW_OP_eq:
        value = a == b;
        break;
    case DW_OP_ne:
        value = a != b;
        break;
    case DW_OP_lt:
        value = (int64_t)a < (int64_t)b;
        break;
    case DW_OP_le:
        value = (int64_t)a <= (int64_t)b;
        break;
    case DW_OP_gt:
        value = (int64_t)a > (int64_t)b;
        break;
    case DW_OP_ge:
        value = (int64_t)a >= (int64_t)b;
        break;
    default:
        return false;
    }
    pop(s);
    pop(s);
    push(s, value);
    return true;
}

static void swap(struct machine_stack *s)
{
    uint64_t b = pop(s), a = pop(s);
    push(s, b);
    push(s, a);
}

static void jump(struct machine_stack *s, const uint8_t *start, struct cfi_reader *r, bool always)
{
    int64_t distance = (int16_t)cfi_read(r, 2);
    if (!always && !pop(s))
        return;
    if (r->bad || distance < start - r->at || distance > r->end - r->at)
        s->bad = true;
    else
        r->at += distance;
}

static bool others(struct machine_stack *s, uint8_t op, const uint8_t *start, struct cfi_reader *r,
                   const struct unwind_memory *memory)
{
    switch (op) {
    case DW_OP_nop:
        return true;
    case DW_OP_dup:
        push(s, pick(s, 0));
        return true;
    case DW_OP_over:
        push(s, pick(s, 1));
        return true;
    case DW_OP_pick:
        push(s, pick(s, cfi_read(r, 1)));
        return true;
    case DW_OP_drop:
        pop(s);
        return true;
    case DW_OP_swap:
        swap(s);
        return true;
    case DW_OP_neg:
        push(s, 0 - pop(s));
        return true;
    case DW_OP_not:
        push(s, ~pop(s));
        return true;
    case DW_OP_plus_uconst:
        push(s, pop(s) + cfi_uleb(r));
        return true;
    case DW_OP_deref:
        dereference(s, memory, 8);
        return true;
    case DW_OP_deref_size:
        dereference(s, memory, cfi_read(r, 1));
        return true;
    case DW_OP_skip:
    case DW_OP_bra:
        jump(s, start, r, op == DW_OP_skip);
        return true;
    default:
        return false;
    }
}

bool cfi_expression(struct cfi_reader code, const struct unwind_memory *memory,
                    const struct unwind_registers *regs, const uint64_t *start, uint64_t *result)
{
    struct machine_stack s = {.depth = 0};
    const uint8_t *begin = code.at;
    if (start)
        push(&s, *start);
    for (unsigned i = 0; cfi_left(&code) && !code.bad && !s.bad; i++) {
        uint8_t op = (uint8_t)cfi_read(&code, 1);
        if (op >= DW_OP_lit0 && op <= DW_OP_lit31)
            push(&s, op - DW_OP_lit0);
        else if (op >= DW_OP_breg0 && op <= DW_OP_breg31)
            push(&s, regs->x[op - DW_OP_breg0] + (uint64_t)cfi_sleb(&code));
        else if (!constant(&s, op, &code) && !binary(&s, op) &&
                 !others(&s, op, begin, &code, memory))
            return false;
        if (i == OPERATIONS_MOST)
            return false;
    }
    *result = pop(&s);
    return !s.bad && !code.bad;
}
