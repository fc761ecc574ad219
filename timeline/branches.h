/* What-if: other futures. Where a debugger changes something in the past, a *diversion* begins: a
 * branch that nobody has named. It has its parent's history up to its origin and its own from there
 * on: own events, checkpoints, digests; it is live at its own tip, reverses, and replays to the
 * bit.
 *
 * No back end sees it: what it prints goes to its transcript, nothing comes in from outside, the
 * host's clock goes on from the origin with virtual time, entropy comes from a seeded generator,
 * and idle time passes at once.
 *
 * A diversion is dropped silently by the next movement (not by looks and writes) if it has run, a
 * register write since then has made the registers of every hart that it wrote equal to those at
 * its opening, and no memory write came after that: an inferior call. It is dropped with a line in
 * timeline_notice when a movement goes before its origin. A branch stays until it is removed; going
 * before its origin stays on it. */
#ifndef TIMELINE_BRANCHES_H
#define TIMELINE_BRANCHES_H

#include "timeline/timeline.h"

enum { BRANCH_NAME = 64, BRANCHES = 64 };

/* The branch that is no branch. */
#define BRANCH_MAIN "main"

struct branch_info {
    char name[BRANCH_NAME];   /* empty: a diversion */
    char parent[BRANCH_NAME]; /* empty: main, for which origin is 0 */
    uint64_t origin, tip;     /* positions */
    uint64_t events;          /* of its own */
    bool current;
};

/* main first, then by age. False behind the last. */
bool timeline_branch_get(const struct timeline *tl, size_t index, struct branch_info *info);
/* The one the machine stands on. */
void timeline_branch_now(const struct timeline *tl, struct branch_info *info);
/* Is it main? Only there the machine sees the host and is recorded to a file as it runs. */
bool timeline_on_main(const struct timeline *tl);

/* Give the diversion the machine stands on a name; or, where it stands on none, begin a branch
 * here. Diversions it comes from get names too, see timeline_notice. Only while nothing moves. */
bool timeline_branch(struct timeline *tl, const char *name, struct error *err);
/* Begin to move to where that branch was left last (main: where it was left for this one);
 * STOP_DONE. An unnamed diversion is dropped by it, see timeline_notice. False: there is none. */
bool timeline_switch(struct timeline *tl, const char *name, struct error *err);
/* Not the one the machine stands on, nor one that others come from. */
bool timeline_branch_remove(struct timeline *tl, const char *name, struct error *err);

/* An inferior call that is over is undone now and not by the next resume: for who is about to read
 * where to go, which is meant in the history that it was made in. */
void timeline_end_call(struct timeline *tl);

/* Lines for people about what has become of a diversion; empty: nothing since it was asked last.
 * The caller's to free, and to show. */
struct buffer timeline_notice(struct timeline *tl);

/* At the live end of a diversion or branch: harts in `mask` (bits by index, not all) make no step
 * from here on, as a debugger that locks the scheduler wants it; an event of the branch. No-op when
 * it is so already. False: it is not possible here. */
bool timeline_hold_harts(struct timeline *tl, uint32_t mask);

#endif
