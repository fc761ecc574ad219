/* gdb's agent expressions (gdb manual, appendix "The GDB Agent Expression Mechanism"), as they come
 * with breakpoints: conditions, and commands that print. A stack of 64-bit integers; no floats, no
 * trace state variables.
 *
 * The code is a client's: whatever it is, evaluation takes at most AGENT_STEPS operations and
 * touches nothing but the evaluator's own stack. It looks at the hart of the hit, through its
 * translation, without side effects. */
#ifndef TIMELINE_AGENT_H
#define TIMELINE_AGENT_H

#include "base/error.h"
#include "timeline/points.h"

enum {
    AGENT_STACK = 256,
    AGENT_STEPS = 20000,
    AGENT_TEXT = 4096,  /* bytes printed by one evaluation, at most about */
    AGENT_STRING = 1024 /* bytes shown of a guest's string */
};

struct agent_code {
    const uint8_t *bytes;
    size_t size;
};

/* Is it whole: known operations, jumps to the beginnings of operations, formats with their end? */
bool agent_check(const struct agent_code *code, struct error *err);

/* Evaluate at a hit. `icount`: the number of the register that is the position. False: it failed,
 * and *err says of what; else *value is the top of the stack. `out`: what is printed is appended,
 * and the stack may be left empty (0); NULL: it is a condition. */
bool agent_run(const struct agent_code *code, unsigned icount, const struct timeline *tl,
               const struct hit *hit, uint64_t *value, struct buffer *out, struct error *err);

/* Holds where one of them (copied) is not zero, or fails. */
struct condition agent_condition(const struct agent_code *code, size_t count, unsigned icount);
/* Runs all of them (copied) in order; of one that fails the reason is printed. */
struct point_action agent_action(const struct agent_code *code, size_t count, unsigned icount);

/* `format` as a dprintf has it, with `count` arguments: %[flags][width][.precision][length] with
 * d i u o x X c s p, and %%; escapes as C has them. What is none of these shows as it stands; an
 * argument that is missing, or cannot be read, as a word in angle brackets. */
void agent_print(const struct timeline *tl, unsigned hart, const char *format, size_t size,
                 const uint64_t *argument, size_t count, struct buffer *out);

#endif
