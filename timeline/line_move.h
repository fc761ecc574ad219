/* Back by source lines. Which code is a line is the client's to say; the engine finds where the
 * machine came into it, in one movement where a debugger would make one for each instruction.
 *
 * An *activation* of a function lasts from the execution of its entry to that of what leaves it:
 * deeper ones have a smaller canonical frame address (CFA, the stack pointer at the entry). Found
 * are the instructions of the same activation of `hart` that lead to where it stands; what they
 * call, and what interrupts them, runs at full speed, because only the function's own addresses
 * are looked at. Cost: replaying what lies in between, newest intervals first; intervals that did
 * not fetch from the function's pages are skipped. */
#ifndef TIMELINE_LINE_MOVE_H
#define TIMELINE_LINE_MOVE_H

#include "timeline/timeline.h"

enum line_mode {
    LINE_START, /* to the first instruction of the run of the line that the hart is in */
    LINE_LEAVE, /* from there one more step of the hart back: into the last instruction of what it
                   called before, of the line before, or to the caller's call */
    LINE_OVER,  /* the same, but to the last instruction of this activation, passing calls; where
                   it began with the line's run, to the caller's call */
    LINE_FINISH /* to before the step that has entered the function: the caller's call */
};

struct line_range {
    uint64_t low, high; /* pcs, high excluded */
};

enum { LINE_RANGES_MOST = 4096, LINE_FUNCTION_MOST = 1 << 18 };

struct line_request {
    enum line_mode mode;
    unsigned hart;                  /* index; its pc lies in the function */
    uint64_t low, high;             /* the function's code, high excluded; LINE_FUNCTION_MOST */
    const struct line_range *range; /* the line's, in any order; what lies outside of the function
                                     * does not count; not used by LINE_FINISH */
    size_t ranges;
    uint64_t sp;    /* the activation's stack pointer: the present one */
    uint64_t entry; /* the function's first instruction */
    uint64_t cfa; /* 0: not known. It is told by the code, where that has nothing but plain frames;
                   * else, recursion is told by `sp` alone, which is wrong where the hart has not
                   * yet made, or has already left, its frame, and LINE_FINISH is refused */
};

/* Begin; afterwards as for any movement. Points on the way stop it as they do
 * timeline_reverse_continue; at the place where it ends they do not. STOP_DONE, or STOP_BEGIN at
 * the beginning of history. False: *err says what is wrong with the request. */
bool timeline_line_back(struct timeline *tl, const struct line_request *request, struct error *err);

#endif
