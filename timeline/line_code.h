/* The code of a function, as going back by lines needs to know it: how deep the stack is at each of
 * its instructions, so that an execution of one tells whose it is. */
#ifndef TIMELINE_LINE_CODE_H
#define TIMELINE_LINE_CODE_H

#include "machine/cpu.h"

/* In `depth`: the frame pointer is the CFA. */
enum { DEPTH_FRAME = -1 };

struct line_code {
    uint64_t low, high, entry; /* pcs, high excluded; low is even */
    uint8_t *bytes;            /* high - low of them, and four more */
    const struct cpu_ops *ops;

    /* line_code_follow fills these in. */
    int32_t *depth;       /* of each halfword: the CFA less the stack pointer there, or: */
    bool deep;            /* `depth` is known of all that can be reached */
    bool entry_is_target; /* of a branch inside the function: not every execution enters it */
};

/* For `bytes` to be filled in. */
void line_code_init(struct line_code *code, const struct cpu_ops *ops, uint64_t low, uint64_t high,
                    uint64_t entry);
void line_code_fini(struct line_code *code);
/* Walk all ways through the function. Where a table of jumps leads is not known: what nothing else
 * leads to is taken for it. Cost: linear. */
void line_code_follow(struct line_code *code);

static inline bool line_code_has(const struct line_code *code, uint64_t pc)
{
    return pc - code->low < code->high - code->low;
}

static inline void line_code_flow(const struct line_code *code, uint64_t pc, struct cpu_flow *flow)
{
    code->ops->flow(code->bytes + (pc - code->low), flow);
}

#endif
