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
    return sizeof *e + checkpoint_bytes(e->checkpoint) +
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

void entries_erase(struct timeline *tl, size_t at)
{
    struct history *h = &tl->history;
    struct entry *e = &h->entry[at];
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

const struct entry *history_newest(const struct timeline *tl)
{
    return entries_automatic(&tl->history, tl->history.entries - 1);
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
