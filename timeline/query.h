/* Questions about history: which hits were there? Asked as a movement that ends where it began, or
 * as one that goes to what it has found. Intervals are replayed newest first, each at most once,
 * and only those whose summary may hold a hit; it ends as soon as `most` hits are known. */
#ifndef TIMELINE_QUERY_H
#define TIMELINE_QUERY_H

#include "timeline/points.h"

enum { QUERY_POINTS = 16, QUERY_BYTES = 16, QUERY_REGISTERS = 16, QUERY_MOST = 1 << 16 };

struct query {
    /* What counts: as for stops (conditions, `changes`, spaces), but actions are not run. Read
     * during the call of timeline_query only; conditions stay the caller's and live until the end.
     */
    const struct timeline_point *point;
    size_t points;
    bool traps;                    /* and every trap and interrupt taken */
    uint64_t from, to;             /* hits of steps in [from, to); clamped to history */
    size_t most;                   /* the newest `most` of them, 1 to QUERY_MOST */
    unsigned hart;                 /* of this hart only; MACHINE_CPUS: of any */
    uint64_t steps;                /* end when about so many have been replayed; 0: no limit */
    uint16_t reg[QUERY_REGISTERS]; /* numbers of registers to note at each hit */
    size_t regs;
};

struct query_hit {
    struct hit hit; /* .after and .device: NULL, see below */
    uint64_t pc;    /* of hit.hart before the step */
    uint64_t priv;  /* its privilege level */
    unsigned size;  /* of before and after: of a write, at most QUERY_BYTES; else 0 */
    uint8_t before[QUERY_BYTES], after[QUERY_BYTES]; /* bytes from hit.address on */
    bool before_known, after_known;
    char device[32];                 /* the writer's name; empty: no device */
    uint64_t value[QUERY_REGISTERS]; /* of query.reg, before the step */
};

/* Begin; afterwards as for any movement. It ends with STOP_DONE where it began, with STOP_INTERRUPT
 * there too (with the hits of the intervals that were replayed to their ends), or STOP_DIVERGED.
 * What the last stop has reported stays reported, points that are set stay as they are. Memory: the
 * hits that are kept. */
void timeline_query(struct timeline *tl, const struct query *query);
/* The answer of the last one, newest first; NULL behind the last. Good until the next query. */
const struct query_hit *timeline_query_hit(const struct timeline *tl, size_t index);
/* All hits counted in what was searched; `complete`: all of [from, to) was. */
uint64_t timeline_query_count(const struct timeline *tl, bool *complete);
/* The position down to which it was searched. */
uint64_t timeline_query_searched(const struct timeline *tl);

#endif
