/* What a branch is, for branch.c and branch_file.c. */
#ifndef TIMELINE_BRANCH_PARTS_H
#define TIMELINE_BRANCH_PARTS_H

#include "base/endian.h"
#include "timeline/branches.h"
#include "timeline/internal.h"

/* For whether a diversion was an inferior call. */
struct opening {
    uint64_t *value;            /* registers of all harts, as they were then */
    bool written[MACHINE_CPUS]; /* harts whose registers the debugger has written since */
    bool ran;                   /* steps were made since */
    bool equal;                 /* a register write since then has made all of these equal again */
    bool told;                  /* it was said that this is a diversion */
    bool wanted; /* memory was changed before it ran, not only the scratch part of a stack */
};

struct branch {
    char name[BRANCH_NAME]; /* empty: a diversion */
    struct branch *parent;  /* NULL: main */
    uint64_t origin;        /* position */
    uint64_t origin_event;  /* log index: the first event of its own */
    uint64_t left_at;       /* where the machine stood on it last */
    struct opening opening;
    bool clock_known;
    uint64_t clock_ns;    /* the host's clock at virtual time 0, as it was before the origin */
    uint64_t entropy;     /* the generator's state */
    struct parked parked; /* all NULL: it is the present one */
};

/* What a file takes of a branch, in bytes: it is one chunk. */
enum { BRANCH_EVENTS = 4 << 20, BRANCH_MARKS = 1 << 20, BRANCH_TEXT = 1 << 20 };

bool branch_is_main(const struct branch *b);
bool branch_is_diversion(const struct branch *b);
bool branch_has_children(const struct timeline *tl, const struct branch *b);
/* Leave the diversion for good, to its parent, in which the machine is to stand at the same state.
 */
void branch_leave(struct timeline *tl);
/* Was it an inferior call, and nothing else? */
bool branch_is_call_over(const struct branch *b);
/* For opening.value: the caller's to free. */
uint64_t *branch_note_registers(const struct machine *m);
/* May another branch have the name? */
bool branch_name_free(const struct timeline *tl, const char *name, struct error *err);
/* `b` (parent, origin and origin_event are set; the timeline's from now on) begins on the branch
 * the timeline is on, its parent; the timeline is on it then, where the machine is the caller
 * knows. */
void branch_begin_on(struct timeline *tl, struct branch *b, uint64_t tip);
/* Drop the one that was added last; the timeline is on main. */
void branch_discard_last(struct timeline *tl);

#endif
