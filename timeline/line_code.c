#include "timeline/line_code.h"

#include "base/check.h"

#include <stdlib.h>

enum { DEPTH_UNKNOWN = INT32_MIN, DEPTH_MOST = 1 << 30, LONGEST = 4 };

/* What is known before an instruction. */
struct place {
    int32_t depth; /* or DEPTH_FRAME: only through the frame pointer */
    bool frame;    /* which is the CFA */
};

void line_code_init(struct line_code *code, const struct cpu_ops *ops, uint64_t low, uint64_t high,
                    uint64_t entry)
{
    size_t size = (size_t)(high - low);
    *code = (struct line_code){.low = low, .high = high, .entry = entry, .ops = ops};
    code->bytes = mem_new(size + LONGEST, 1);
    code->depth = mem_new(size / 2 + 1, sizeof *code->depth);
}

void line_code_fini(struct line_code *code)
{
    free(code->bytes);
    free(code->depth);
}

/* Places still to be walked on from. */
struct walk {
    struct line_code *code;
    uint64_t *todo;
    size_t count;
    bool *frame; /* of each halfword, beside its depth */
    bool known;  /* so far */
    bool tables; /* there are jumps through registers, the deepest of them here: */
    struct place table;
};

static size_t index_of(const struct line_code *code, uint64_t pc)
{
    return (size_t)(pc - code->low) / 2;
}

/* Each place is put on the list when it is first reached, and again where ways meet of which only
 * one has a frame pointer. */
static void reach(struct walk *w, uint64_t pc, struct place place)
{
    struct line_code *code = w->code;
    if (!line_code_has(code, pc) || pc & 1)
        return;
    size_t i = index_of(code, pc);
    code->entry_is_target |= pc == code->entry;
    if (code->depth[i] == DEPTH_UNKNOWN) {
        code->depth[i] = place.depth;
        w->frame[i] = place.frame;
    } else {
        w->known = w->known && code->depth[i] == place.depth;
        if (!w->frame[i] || place.frame)
            return;
        w->frame[i] = false;
    }
    if (place.depth == DEPTH_FRAME && !w->frame[i])
        w->known = false;
    w->todo[w->count++] = pc;
}

static struct place behind(struct walk *w, uint64_t pc, const struct cpu_flow *flow)
{
    size_t i = index_of(w->code, pc);
    struct place p = {w->code->depth[i], w->frame[i]};
    int64_t depth = p.depth;
    if (flow->frame_from_stack)
        p.frame = depth != DEPTH_FRAME && flow->frame == depth;
    else if (flow->sets_frame)
        p.frame = false;
    if (flow->sets_stack) {
        depth = DEPTH_FRAME;
    } else if (flow->stack_from_frame) {
        w->known = w->known && p.frame && flow->stack <= 0;
        depth = -flow->stack;
    } else if (depth != DEPTH_FRAME) {
        depth -= flow->stack;
        w->known = w->known && depth >= 0;
    }
    if (depth > DEPTH_MOST || (depth < 0 && depth != DEPTH_FRAME)) {
        w->known = false;
        depth = 0;
    }
    if (depth == DEPTH_FRAME && !p.frame)
        w->known = false;
    p.depth = (int32_t)depth;
    return p;
}

static void walk_on(struct walk *w, uint64_t pc)
{
    struct cpu_flow flow;
    line_code_flow(w->code, pc, &flow);
    struct place place = behind(w, pc, &flow);
    switch (flow.kind) {
    case CPU_FLOW_BRANCH:
        reach(w, pc + (uint64_t)flow.offset, place);
        reach(w, pc + flow.size, place);
        break;
    case CPU_FLOW_JUMP:
        reach(w, pc + (uint64_t)flow.offset, place);
        break;
    case CPU_FLOW_INDIRECT:
        if (!w->tables || place.depth > w->table.depth)
            w->table = place;
        w->tables = true;
        break;
    case CPU_FLOW_RETURN:
    case CPU_FLOW_TRAP_RETURN:
        break;
    case CPU_FLOW_NEXT:
    case CPU_FLOW_CALL:
        reach(w, pc + flow.size, place);
    }
}

static void walk_all(struct walk *w)
{
    while (w->count)
        walk_on(w, w->todo[--w->count]);
}

/* The next instruction from `pc` on that has not been walked. */
static uint64_t next_gap(const struct line_code *code, uint64_t pc)
{
    while (pc < code->high && code->depth[index_of(code, pc)] != DEPTH_UNKNOWN) {
        struct cpu_flow flow;
        line_code_flow(code, pc, &flow);
        pc += flow.size;
    }
    return pc;
}

void line_code_follow(struct line_code *code)
{
    size_t halves = (size_t)(code->high - code->low) / 2 + 1;
    struct walk w = {.code = code,
                     .todo = mem_new(2 * halves, sizeof *w.todo),
                     .frame = mem_new(halves, sizeof *w.frame),
                     .known = true};
    for (size_t i = 0; i < halves; i++)
        code->depth[i] = DEPTH_UNKNOWN;
    reach(&w, code->entry, (struct place){0, false});
    code->entry_is_target = false;
    walk_all(&w);
    for (uint64_t pc = code->low; w.tables && (pc = next_gap(code, pc)) < code->high;) {
        reach(&w, pc, w.table);
        walk_all(&w);
    }
    /* A jump through a register may lead there too. */
    code->entry_is_target |= w.tables;
    code->deep = w.known && line_code_has(code, code->entry);
    for (size_t i = 0; i < halves; i++)
        if (code->depth[i] == DEPTH_UNKNOWN)
            code->depth[i] = 0;
    free(w.todo);
    free(w.frame);
}
