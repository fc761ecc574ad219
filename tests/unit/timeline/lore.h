/* What the steps of a trace see and write, by a second straight run of the same guest. */
#ifndef TESTS_UNIT_TIMELINE_LORE_H
#define TESTS_UNIT_TIMELINE_LORE_H

#include "tests/unit/timeline/bench.h"

enum { VALUE_MOST = 16 };

/* Of an access of the trace. */
struct seen_access {
    uint64_t pa[2]; /* of the first byte, and of the first one on the next page */
    uint8_t before[VALUE_MOST], after[VALUE_MOST];
    bool ram;
};

struct lore {
    const struct trace *t;
    uint64_t (*x)[32];          /* of the hart that makes step n, before it */
    uint64_t *space;            /* its satp */
    struct seen_access *access; /* beside t->access */
};

/* `t` outlives it. */
void lore_record(struct lore *l, const struct trace *t);
void lore_free(struct lore *l);

/* The door of such a run; ctx: the machine. */
extern const struct door_ops lore_door;
/* One step, over idle time. */
void lore_step(struct machine *m, uint64_t n);
/* Where the access of the step to come lies; `ram` only when all of it is known. */
void lore_locate(const struct machine *m, const struct step *s, const struct access *a,
                 struct seen_access *seen);

#endif
