/* What the files of a history share: history.c takes checkpoints, history_budget.c drops them,
 * history_stored.c reads those that a recording has. */
#ifndef TIMELINE_HISTORY_PARTS_H
#define TIMELINE_HISTORY_PARTS_H

#include "timeline/internal.h"

/* ---- history_list.c ---- */

/* The first index whose entry lies behind position n. */
size_t entries_behind(const struct history *h, uint64_t n);
void entries_insert(struct history *h, size_t at, struct entry entry);
/* Forget the entry: its checkpoint and its summary go. */
void entries_erase(struct timeline *tl, size_t at);
/* The same of an entry of any branch's history. Another that shares the checkpoint counts its
 * memory from now on. */
void entries_erase_of(struct timeline *tl, struct history *h, size_t at);
/* The automatic entry at or before index `at`. */
struct entry *entries_automatic(const struct history *h, size_t at);
/* The index of the entry with the checkpoint; SIZE_MAX: there is none. */
size_t entries_find(const struct history *h, const struct checkpoint *c);
/* How many marks there are before the entry's state. */
size_t entry_marks_before(const struct history *h, const struct entry *e);
/* Host memory of an entry without its frames. */
size_t entry_bytes(const struct entry *e);
/* Owned by the entry from now on; NULL: not known. */
void entry_replace_summary(struct history *h, struct entry *e, struct summary *summary);
/* The same, whatever the recording says of its interval. */
void entry_set_summary(struct history *h, struct entry *e, struct summary *summary);
/* Forget the marks before the first entry. */
void history_forget_marks(struct history *h);
/* Is it in memory, and in the recording too? */
bool entry_is_copy(const struct entry *e);

/* ---- history_budget.c ---- */

/* What was written to disks since the newest checkpoint. */
size_t history_dirty_bytes(const struct machine *m);
/* Drop the approach checkpoint that is least use from here; there is one. */
void history_drop_one(struct timeline *tl);
/* Frames get what the rest leaves of the budget. */
void history_set_memory(struct timeline *tl);

/* ---- history_stored.c ---- */

/* Only the recording has it from now on. */
void history_unload(struct timeline *tl, struct history *h, struct entry *e);

#endif
