/* What is kept of a history.
 *
 * Within the budget, everything. Beyond it, what can be read again goes from memory, then approach
 * checkpoints, then what retention_victim says: history grows exponentially thinner away from here
 * and from where the last stops were. A mark (position, log index, digest) stays of each that goes.
 * Of branches the machine does not stand on, what can be read or made again goes first; then the
 * longest list gets thinner, and a checkpoint that goes does so in all lists that share it.
 *
 * What cannot be thinned away (the state of the guest itself, when it has touched more memory or
 * disk than the budget allows) goes to a file: near the budget new page frames do. When
 * the file has no room either, the machine is stopped (history_full). */
#include "timeline/history_parts.h"

#include "base/check.h"
#include "checkpoints/retention.h"
#include "timeline/branch_parts.h"

#include <stdlib.h>
#include <string.h>

/* Thinning leaves so many checkpoints, and a part of the budget for what comes until the next look.
 */
enum { KEPT_LEAST = 32, APPROACH_LEAST = 16, GROWTH_SHARE = 16 };
/* Looks at the budget between two times that frames in the file, looked at since, leave memory. */
enum { REST_TURNS = 1024 };

size_t history_dirty_bytes(const struct machine *m)
{
    size_t bytes = 0;
    for (unsigned i = 0; i < m->overlays; i++)
        bytes += overlay_dirty_bytes(m->overlay[i]);
    return bytes;
}

/* Drop the approach checkpoint that is least use from here: the nearer, the denser they stay, so
 * that moving on in the same direction finds the ones farther off still there. */
void history_drop_one(struct timeline *tl)
{
    const struct history *h = &tl->history;
    struct retention_item *item = mem_new(h->entries, sizeof *item);
    for (size_t i = 0; i < h->entries; i++)
        item[i] = (struct retention_item){h->entry[i].checkpoint->position, !h->entry[i].born};
    uint64_t here = machine_position(tl->m);
    size_t victim = retention_victim(item, h->entries, &here, 1);
    free(item);
    check(victim != RETENTION_NONE, "no approach checkpoint of %zu", h->approach);
    entries_erase(tl, victim);
}

size_t history_bytes(const struct timeline *tl)
{
    const struct history *h = &tl->history;
    return pagestore_bytes(tl->snapshots.store) + h->bytes + h->mark_capacity * sizeof *h->mark +
           log_bytes(tl->log) + disk_reads_bytes(tl->reads) + history_dirty_bytes(tl->m) +
           transcript_bytes(tl->transcript) + branches_bytes(tl) +
           (tl->opened.checkpoints ? checkpoint_source_bytes(tl->opened.checkpoints) : 0);
}

/* The first and the newest stay, and the state that a diversion is left for. */
static bool may_go(const struct timeline *tl, size_t branch, const struct history *h, size_t at)
{
    const struct branch *b = tl->branches.list[branch];
    const struct entry *e = &h->entry[at];
    bool origin = e->checkpoint->position == b->origin && e->log_index == b->origin_event;
    return at && e != entries_automatic(h, h->entries - 1) && e->stored == CHUNK_NONE &&
           !(origin && branch_is_diversion(b));
}

/* Which automatic checkpoint of a branch hurts least to lose; 0: none may go. */
static size_t least_automatic(struct timeline *tl, size_t branch)
{
    const struct history *h = branch_history(tl, branch);
    struct retention_item *item = mem_new(h->entries, sizeof *item);
    size_t *at = mem_new(h->entries, sizeof *at), count = 0;
    for (size_t i = 0; i < h->entries; i++)
        if (!h->entry[i].born) {
            bool pinned = !may_go(tl, branch, h, i);
            item[count] = (struct retention_item){h->entry[i].checkpoint->position, pinned};
            at[count++] = i;
        }
    uint64_t focus[sizeof tl->focus / sizeof *tl->focus + 1];
    memcpy(focus, tl->focus, sizeof tl->focus);
    focus[sizeof tl->focus / sizeof *tl->focus] =
        h == &tl->history ? machine_position(tl->m) : tl->branches.list[branch]->left_at;
    size_t victim = retention_victim(item, count, focus, sizeof focus / sizeof *focus);
    size_t found = victim == RETENTION_NONE ? 0 : at[victim];
    free(item);
    free(at);
    return found;
}

/* Its interval joins the one before. */
static void drop_entry(struct timeline *tl, struct history *h, size_t victim)
{
    struct entry *before = entries_automatic(h, victim - 1), *gone = &h->entry[victim];
    before->cost_ns += gone->cost_ns;
    entry_set_summary(
        h, before,
        before->summary && gone->summary ? summary_merge(before->summary, gone->summary) : NULL);
    entries_erase_of(tl, h, victim);
}

/* Where others have the same checkpoint, it goes too, if it may. */
static void drop_shared(struct timeline *tl, const struct checkpoint *c)
{
    struct history *h;
    for (size_t i = 0; (h = branch_history(tl, i)); i++) {
        size_t at = entries_find(h, c);
        if (at == SIZE_MAX || !may_go(tl, i, h, at))
            continue;
        bool last = !c->others;
        drop_entry(tl, h, at);
        if (last)
            return;
    }
}

static size_t automatic(const struct history *h)
{
    return h->entries - h->approach;
}

/* The branch with most automatic checkpoints, but for those in `tried`, a bit each. NULL: none has
 * more than are kept. */
static struct history *longest(struct timeline *tl, uint64_t tried, size_t *branch)
{
    struct history *found = NULL, *h;
    for (size_t i = 0; (h = branch_history(tl, i)); i++)
        if (!(tried >> i & 1) && automatic(h) > KEPT_LEAST &&
            (!found || automatic(h) > automatic(found))) {
            found = h;
            *branch = i;
        }
    return found;
}

/* Drop one. False: none may go. */
static bool drop_automatic(struct timeline *tl)
{
    _Static_assert(BRANCHES <= 64, "a bit each");
    uint64_t tried = 0;
    struct history *h;
    for (size_t branch; (h = longest(tl, tried, &branch)); tried |= UINT64_C(1) << branch) {
        size_t victim = least_automatic(tl, branch);
        if (!victim)
            continue;
        drop_shared(tl, h->entry[victim].checkpoint);
        return true;
    }
    return false;
}

/* All summaries that can be read again. False: there are none. */
static bool unload_summaries(struct history *h)
{
    bool any = false;
    for (size_t i = 0; i < h->entries; i++) {
        struct entry *e = &h->entry[i];
        if (!e->summary || e->stored_summary == CHUNK_NONE)
            continue;
        entry_replace_summary(h, e, NULL);
        any = true;
    }
    return any;
}

/* What branches the machine does not stand on have of what can be read or made again. False:
 * nothing. */
static bool drop_parked(struct timeline *tl)
{
    struct history *h;
    bool any = false;
    for (size_t i = 0; (h = branch_history(tl, i)); i++) {
        if (h == &tl->history)
            continue;
        any = unload_summaries(h) || any;
        for (size_t n = h->entries; n-- > 0 && (h->approach || h->loaded);) {
            bool copy = entry_is_copy(&h->entry[n]), approach = h->entry[n].born;
            if (copy)
                history_unload(tl, h, &h->entry[n]);
            else if (approach)
                entries_erase_of(tl, h, n);
            any = any || copy || approach;
        }
    }
    return any;
}

/* The budget but for a little room to grow. */
static size_t usual(const struct timeline *tl)
{
    return tl->options.budget - tl->options.budget / GROWTH_SHARE;
}

/* What memory and file may hold together: the usual, or what cannot be thinned away, the first
 * state and the newest, and half a budget of history. */
static size_t allowance(const struct timeline *tl)
{
    const struct history *h = &tl->history;
    if (!h->entries)
        return usual(tl);
    uint64_t frames = checkpoint_frames(&tl->snapshots, h->entry[0].checkpoint) +
                      checkpoint_frames(&tl->snapshots, h->entry[h->entries - 1].checkpoint);
    size_t needed = frames * RAM_PAGE_SIZE + tl->options.budget / 2;
    return needed > usual(tl) ? needed : usual(tl);
}

/* Frames get what the rest leaves of the budget. */
void history_set_memory(struct timeline *tl)
{
    size_t other = history_bytes(tl) - pagestore_frame_bytes(tl->snapshots.store);
    pagestore_set_memory(tl->snapshots.store, usual(tl) > other ? usual(tl) - other : 0);
}

/* False: the file has no room. */
static bool spill_history(struct timeline *tl, const struct history *h, size_t excess,
                          size_t *moved)
{
    for (size_t i = 0; i < h->entries && *moved < excess; i++) {
        *moved += checkpoint_spill(&tl->snapshots, h->entry[i].checkpoint, excess - *moved);
        if (spill_failure(tl->spill))
            return false;
    }
    return true;
}

/* Memory is full: the oldest frames go to the file, and a little more than has to. Those of
 * branches the machine does not stand on first. */
static void spill_cold(struct timeline *tl)
{
    size_t excess = history_bytes(tl) - usual(tl) + tl->options.budget / GROWTH_SHARE, moved = 0;
    const struct history *h;
    for (size_t i = 0; (h = branch_history(tl, i)) && moved < excess; i++)
        if (h != &tl->history && !spill_history(tl, h, excess, &moved))
            return;
    spill_history(tl, &tl->history, excess, &moved);
}

static bool over_budget(const struct timeline *tl)
{
    return history_bytes(tl) + pagestore_spilled(tl->snapshots.store) > allowance(tl);
}

/* Of those that can be read again, the one farthest from here. False: only one is in memory. */
static bool unload_one(struct timeline *tl)
{
    struct history *h = &tl->history;
    uint64_t here = machine_position(tl->m), most = 0;
    struct entry *farthest = NULL;
    for (size_t i = 0; i < h->entries && h->loaded > 1; i++) {
        struct entry *e = &h->entry[i];
        uint64_t position = e->checkpoint->position;
        uint64_t distance = position < here ? here - position : position - here;
        if (entry_is_copy(e) && distance >= most) {
            most = distance;
            farthest = e;
        }
    }
    if (farthest)
        history_unload(tl, h, farthest);
    return farthest;
}

/* The approach checkpoints of late are worth more than sparse history, because they make steps back
 * quick: the last of them go only for memory. False: nothing may go. */
static bool drop_one(struct timeline *tl, bool for_memory)
{
    struct history *h = &tl->history;
    if (drop_parked(tl) || unload_one(tl) || unload_summaries(h))
        return true;
    if (h->approach > APPROACH_LEAST)
        history_drop_one(tl);
    else if (drop_automatic(tl))
        return true;
    else if (h->approach && for_memory)
        history_drop_one(tl);
    else
        return false;
    return true;
}

void history_thin(struct timeline *tl)
{
    struct history *h = &tl->history;
    while (over_budget(tl) && drop_one(tl, false))
        ;
    history_set_memory(tl);
    if (history_bytes(tl) > tl->options.budget && pagestore_frame_bytes(tl->snapshots.store))
        spill_cold(tl);
    while (history_bytes(tl) > tl->options.budget && drop_one(tl, true))
        ;
    if (pagestore_spilled(tl->snapshots.store) && ++h->thinned % REST_TURNS == 0)
        spill_rest_all(tl->spill);
}

const char *history_full(const struct timeline *tl)
{
    return history_bytes(tl) > tl->options.budget ? spill_failure(tl->spill) : NULL;
}
