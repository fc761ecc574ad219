/* The list of checkpoints. */
#include "timeline/history_parts.h"

#include "base/check.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* The first index whose entry lies behind position n. */
size_t entries_behind(const struct history *h, uint64_t n)
{
    size_t low = 0, high = h->entries;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (h->entry[middle].checkpoint->position <= n)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct entry *history_at(const struct timeline *tl, uint64_t n)
{
    size_t i = entries_behind(&tl->history, n);
    check(i, "no checkpoint before %" PRIu64, n);
    return &tl->history.entry[i - 1];
}

size_t entry_bytes(const struct entry *e)
{
    return sizeof *e + (e->shared ? 0 : checkpoint_bytes(e->checkpoint)) +
           (e->summary ? summary_bytes(e->summary) : 0);
}

void entries_insert(struct history *h, size_t at, struct entry entry)
{
    if (h->entries == h->entry_capacity) {
        h->entry_capacity = h->entry_capacity ? 2 * h->entry_capacity : 64;
        h->entry = mem_grow(h->entry, h->entry_capacity, sizeof *h->entry);
    }
    memmove(h->entry + at + 1, h->entry + at, (h->entries - at) * sizeof *h->entry);
    h->entry[at] = entry;
    h->entries++;
    h->approach += entry.born != 0;
    h->bytes += entry_bytes(&entry);
}

void entry_replace_summary(struct history *h, struct entry *e, struct summary *summary)
{
    h->bytes -= entry_bytes(e);
    summary_free(e->summary);
    e->summary = summary;
    h->bytes += entry_bytes(e);
}

/* Whatever the recording says of its interval. */
void entry_set_summary(struct history *h, struct entry *e, struct summary *summary)
{
    entry_replace_summary(h, e, summary);
    e->stored_summary = CHUNK_NONE;
}

bool entry_is_copy(const struct entry *e)
{
    return e->stored != CHUNK_NONE && checkpoint_loaded(e->checkpoint);
}

size_t entries_find(const struct history *h, const struct checkpoint *c)
{
    for (size_t i = entries_behind(h, c->position);
         i-- > 0 && h->entry[i].checkpoint->position == c->position;)
        if (h->entry[i].checkpoint == c)
            return i;
    return SIZE_MAX;
}

/* Somebody else counts the checkpoint now, if there is anybody. */
static void hand_over(struct timeline *tl, const struct history *from, const struct checkpoint *c)
{
    struct history *h;
    for (size_t i = 0; c->others && (h = branch_history(tl, i)); i++) {
        size_t at = h == from ? SIZE_MAX : entries_find(h, c);
        if (at == SIZE_MAX)
            continue;
        h->entry[at].shared = false;
        h->bytes += checkpoint_bytes(c);
        return;
    }
}

void entries_erase(struct timeline *tl, size_t at)
{
    entries_erase_of(tl, &tl->history, at);
}

void entries_erase_of(struct timeline *tl, struct history *h, size_t at)
{
    struct entry *e = &h->entry[at];
    if (!e->shared)
        hand_over(tl, h, e->checkpoint);
    h->loaded -= entry_is_copy(e);
    h->bytes -= entry_bytes(e);
    h->approach -= e->born != 0;
    summary_free(e->summary);
    checkpoint_free(&tl->snapshots, e->checkpoint);
    memmove(e, e + 1, (h->entries - at - 1) * sizeof *e);
    h->entries--;
}

/* The automatic entry at or before index `at`. */
struct entry *entries_automatic(const struct history *h, size_t at)
{
    while (h->entry[at].born)
        at--;
    return &h->entry[at];
}

size_t entry_marks_before(const struct history *h, const struct entry *e)
{
    uint64_t position = e->checkpoint->position;
    size_t i = 0;
    while (i < h->marks &&
           (h->mark[i].position < position ||
            (h->mark[i].position == position && h->mark[i].log_index < e->log_index)))
        i++;
    return i;
}

void history_forget_marks(struct history *h)
{
    size_t gone = entry_marks_before(h, &h->entry[0]);
    h->marks -= gone;
    h->marks_forgotten += gone;
    if (gone)
        memmove(h->mark, h->mark + gone, h->marks * sizeof *h->mark);
}

const struct entry *history_newest(const struct timeline *tl)
{
    return entries_automatic(&tl->history, tl->history.entries - 1);
}

/* Is it at or before the state at (position, log_index)? */
static bool is_before(uint64_t at, uint64_t index, uint64_t position, uint64_t log_index)
{
    return at < position || (at == position && index <= log_index);
}

/* One that the recording has may be loaded and unloaded by each branch as it likes. */
static struct entry share(const struct entry *e)
{
    struct entry copy = *e;
    bool stored = e->stored != CHUNK_NONE;
    copy.checkpoint = stored
                          ? checkpoint_new_stored(e->checkpoint->position, &e->checkpoint->digest)
                          : checkpoint_ref(e->checkpoint);
    copy.shared = !stored;
    copy.summary = summary_ref(e->summary);
    return copy;
}

void history_copy(struct timeline *tl, uint64_t position, uint64_t log_index, struct history *out)
{
    struct history *h = &tl->history;
    *out = (struct history){.marks_forgotten = h->marks_forgotten, .born = h->born};
    for (size_t i = 0; i < h->entries; i++) {
        struct entry *e = &h->entry[i];
        if (!e->born && is_before(e->checkpoint->position, e->log_index, position, log_index))
            entries_insert(out, out->entries, share(e));
    }
    while (out->marks < h->marks && is_before(h->mark[out->marks].position,
                                              h->mark[out->marks].log_index, position, log_index))
        out->marks++;
    out->mark_capacity = out->marks;
    if (!out->marks)
        return;
    out->mark = mem_new(out->marks, sizeof *out->mark);
    memcpy(out->mark, h->mark, out->marks * sizeof *out->mark);
}

void history_begin_with(struct timeline *tl, const struct entry *first)
{
    struct history *h = &tl->history;
    size_t at = entries_behind(h, first->checkpoint->position);
    while (at && !is_before(h->entry[at - 1].checkpoint->position, h->entry[at - 1].log_index,
                            first->checkpoint->position, first->log_index))
        at--;
    while (at && h->entry[at - 1].born)
        entries_erase(tl, --at);
    struct entry *last = at ? &h->entry[at - 1] : NULL;
    if (last && last->checkpoint->position == first->checkpoint->position &&
        last->log_index == first->log_index) {
        at--;
    } else {
        struct entry copy = share(first);
        entries_insert(h, at, copy);
        /* What comes behind it in main is not known to be what comes behind it here. */
        entry_set_summary(h, &h->entry[at], NULL);
    }
    while (at)
        entries_erase(tl, --at);
    history_forget_marks(h);
}

void history_release(struct timeline *tl, struct history *h)
{
    while (h->entries)
        entries_erase_of(tl, h, h->entries - 1);
    free(h->entry);
    free(h->mark);
    *h = (struct history){0};
}

size_t timeline_checkpoints(const struct timeline *tl, size_t first, struct checkpoint_info *out,
                            size_t limit)
{
    const struct history *h = &tl->history;
    size_t n = 0;
    for (size_t i = first; i < h->entries && n < limit; i++) {
        const struct entry *e = &h->entry[i];
        out[n++] = (struct checkpoint_info){e->checkpoint->position, e->log_index, e->cost_ns,
                                            entry_bytes(e), e->born != 0};
    }
    return n;
}

void timeline_info(const struct timeline *tl, struct timeline_info *info)
{
    const struct history *h = &tl->history;
    *info = (struct timeline_info){
        .checkpoints = h->entries - h->approach,
        .approach = h->approach,
        .bytes = history_bytes(tl),
        .budget = tl->options.budget,
        .spilled_bytes = spill_bytes(tl->spill),
        .frame_bytes = pagestore_bytes(tl->snapshots.store),
        .log_bytes = log_bytes(tl->log),
        .input_bytes = log_data_bytes(tl->log),
        .disk_blocks = disk_reads_count(tl->reads),
        .events = log_count(tl->log),
        .resets = tl->m->state.resets,
        .digests = h->marks,
        .last_digest = h->marks ? h->mark[h->marks - 1].position : 0,
    };
}
