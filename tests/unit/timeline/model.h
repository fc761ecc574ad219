/* What a timeline has to answer, by brute force over a trace: plain loops over the steps, from the
 * words of timeline.h and DESIGN.md alone. */
#ifndef TESTS_UNIT_TIMELINE_MODEL_H
#define TESTS_UNIT_TIMELINE_MODEL_H

#include "tests/unit/timeline/bench.h"

struct model_point {
    unsigned kinds;
    uint64_t address, size;
    unsigned id; /* the test's own */
    bool acts;   /* prints instead of stopping */
    unsigned owner;
};

enum { MODEL_POINTS = 12, MODEL_ANSWERS = 16 };

/* Has the last stop reported the accesses of `reported_step`? Where the contract leaves it open,
 * both are right. */
enum reported { REPORTED_NO, REPORTED_MAYBE, REPORTED_YES };

struct model {
    const struct trace *t;
    uint64_t position, tip;
    struct model_point point[MODEL_POINTS];
    unsigned points;
    /* What else must hold at an access, or (NULL) at a breakpoint; NULL: nothing. */
    bool (*holds)(void *ctx, const struct model_point *p, uint64_t step, const struct access *a);
    void *ctx;
    enum reported reported;
    uint64_t reported_step;
};

enum model_op {
    OP_CONTINUE,
    OP_CONTINUE_TO,
    OP_STEP,
    OP_RANGE,
    OP_REVERSE_CONTINUE,
    OP_REVERSE_STEP,
    OP_SEEK,
    MODEL_OPS
};

struct model_move {
    enum model_op op;
    unsigned hart;      /* OP_STEP, OP_RANGE, OP_REVERSE_STEP */
    uint64_t low, high; /* OP_RANGE */
    uint64_t target;    /* OP_CONTINUE_TO, OP_SEEK */
};

struct answer {
    enum stop_reason reason;
    uint64_t position;
    uint64_t step; /* of STOP_BREAK, STOP_WATCH */
};

/* All stops that are right, the definite one last. */
struct answers {
    struct answer answer[MODEL_ANSWERS];
    unsigned count;
};

/* Is the point, whatever it does there, hit in this step? */
bool model_hit(const struct model *m, const struct model_point *p, uint64_t step);
bool model_break_at(const struct model *m, uint64_t step);
bool model_watch_at(const struct model *m, uint64_t step);
void model_answers(const struct model *m, const struct model_move *move, struct answers *a);
/* Is `stop` one of them, with the hart, address and kinds that belong to it? The model follows. An
 * interrupted movement is right when it is where it may be. NULL, or what is wrong. */
const char *model_take(struct model *m, const struct model_move *move, const struct answers *a,
                       const struct stop *stop, bool interrupted);
/* Points have changed: the accesses reported may be others. */
void model_points_changed(struct model *m);
void model_begin_move(struct timeline *tl, const struct model_move *move);
/* For messages. */
void model_describe(const struct model *m, const struct model_move *move, const struct answers *a,
                    struct buffer *out);

#endif
