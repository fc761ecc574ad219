/* The checkpoints of a timeline: when they are taken, and what replays are compared with.
 *
 * When the processor time spent since the newest reaches the spacing, so that replaying an
 * interval costs about that much; but a checkpoint that was costly itself (many dirty pages) must
 * pay for itself first, so that recording never takes more than a small share of the run. */
#include "timeline/history_parts.h"

#include "base/check.h"
#include "base/log.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { APPROACH_MAX = 64, OVERHEAD_DIVISOR = 20, DIRTY_SHARE = 64 };
#define DEFAULT_SPACING_NS 25000000ull

/* ---- taking ---- */

static struct entry *newest_automatic(const struct timeline *tl)
{
    return entries_automatic(&tl->history, tl->history.entries - 1);
}

void history_add_mark(struct timeline *tl, const struct mark *mark)
{
    struct history *h = &tl->history;
    if (h->marks == h->mark_capacity) {
        h->mark_capacity = h->mark_capacity ? 2 * h->mark_capacity : 64;
        h->mark = mem_grow(h->mark, h->mark_capacity, sizeof *h->mark);
    }
    h->mark[h->marks++] = *mark;
}

/* Take an automatic checkpoint here, at the live end. */
static void take_automatic(struct timeline *tl)
{
    struct history *h = &tl->history;
    uint64_t began = host_cost_ns();
    run_log_idle(tl);
    if (h->entries) {
        struct entry *newest = newest_automatic(tl);
        newest->cost_ns = h->cost_ns;
        entry_set_summary(h, newest, h->torn ? NULL : summary_new(&tl->m->touched));
        h->torn = false;
    }
    uint64_t log_index = log_count(tl->log);
    struct entry entry = {.checkpoint = snapshots_take(&tl->snapshots),
                          .log_index = log_index,
                          .vtime = clock_vtime(&tl->m->clock),
                          .stored = CHUNK_NONE,
                          .stored_summary = CHUNK_NONE};
    entries_insert(h, h->entries, entry);
    history_add_mark(
        tl, &(struct mark){entry.checkpoint->position, log_index, entry.checkpoint->digest});
    h->cost_ns = 0;
    history_thin(tl);
    h->take_ns = host_cost_ns() - began;
}

void history_take(struct timeline *tl)
{
    run_log_idle(tl);
    struct entry *newest = newest_automatic(tl);
    if (newest->checkpoint->position != tl->tip || newest->log_index != log_count(tl->log))
        take_automatic(tl);
}

uint64_t history_next_take(const struct timeline *tl)
{
    if (!tl->options.spacing_steps || tl->options.checkpoints_off)
        return POSITION_NONE;
    const struct history *h = &tl->history;
    return h->entry[h->entries - 1].checkpoint->position + tl->options.spacing_steps;
}

/* What was written to disks becomes frames, which may go to the file, before it is in the way. */
static bool is_due(const struct timeline *tl)
{
    const struct history *h = &tl->history;
    if (tl->options.spacing_steps)
        return tl->tip >= history_next_take(tl);
    if (history_dirty_bytes(tl->m) > tl->options.budget / DIRTY_SHARE)
        return true;
    return h->cost_ns >= tl->options.spacing_ns && h->cost_ns >= h->take_ns * OVERHEAD_DIVISOR;
}

void history_take_if_due(struct timeline *tl)
{
    if (tl->options.checkpoints_off)
        return;
    if (is_due(tl))
        take_automatic(tl);
    else
        history_thin(tl); /* the log grows without checkpoints too */
}

static bool has_entry(const struct history *h, uint64_t position, uint64_t log_index)
{
    for (size_t i = entries_behind(h, position);
         i-- > 0 && h->entry[i].checkpoint->position == position;)
        if (h->entry[i].log_index == log_index)
            return true;
    return false;
}

/* Keep a checkpoint taken in replay, unless there is one of this very state. */
static void keep_approach(struct timeline *tl, struct checkpoint *c)
{
    struct history *h = &tl->history;
    if (has_entry(h, c->position, tl->player.next)) {
        checkpoint_free(&tl->snapshots, c);
    } else {
        entries_insert(h, entries_behind(h, c->position),
                       (struct entry){.checkpoint = c,
                                      .log_index = tl->player.next,
                                      .vtime = clock_vtime(&tl->m->clock),
                                      .born = ++h->born,
                                      .stored = CHUNK_NONE,
                                      .stored_summary = CHUNK_NONE});
        if (h->approach > APPROACH_MAX)
            history_drop_one(tl);
    }
    /* Also when nothing was kept: the frames just captured count as long as RAM equals them. */
    history_thin(tl);
}

void history_take_approach(struct timeline *tl)
{
    keep_approach(tl, snapshots_take(&tl->snapshots));
}

void history_drop_approach(struct timeline *tl)
{
    while (tl->history.approach)
        history_drop_one(tl);
}

/* ---- marks ---- */

const struct mark *history_next_mark(const struct timeline *tl, uint64_t n)
{
    const struct history *h = &tl->history;
    if (tl->opened.other_versions)
        return NULL;
    size_t low = 0, high = h->marks;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (h->mark[middle].position <= n)
            low = middle + 1;
        else
            high = middle;
    }
    while (low + 1 < h->marks && h->mark[low + 1].position == h->mark[low].position)
        low++;
    return low < h->marks ? &h->mark[low] : NULL;
}

static void describe_divergence(struct timeline *tl, const struct mark *mark, const char *component)
{
    const struct entry *recorded = history_at(tl, mark->position);
    const struct mark *last = mark;
    while (last > tl->history.mark && last->position == mark->position)
        last--;
    uint64_t from = last->position < mark->position ? last->position : 0;
    struct buffer lines;
    buffer_init(&lines);
    if (recorded->checkpoint->position == mark->position &&
        recorded->log_index == mark->log_index && history_load(tl, recorded, &(struct error){0}))
        snapshots_diff(&tl->snapshots, recorded->checkpoint, 8, &lines);
    error_set(&tl->diverged, ERROR_DIVERGED,
              "the replay diverged between positions %" PRIu64 " and %" PRIu64
              ": %s differs from the recording%s%.*s",
              from, mark->position, component, lines.size ? "\n" : "",
              lines.size ? (int)lines.size - 1 : 0, buffer_text(&lines));
    buffer_fini(&lines);
}

bool history_verify(struct timeline *tl, const struct mark *mark)
{
    struct checkpoint *c = snapshots_take(&tl->snapshots);
    const char *component = digest_difference(&c->digest, &mark->digest);
    if (!component) {
        keep_approach(tl, c);
        return true;
    }
    checkpoint_free(&tl->snapshots, c);
    describe_divergence(tl, mark, component);
    return false;
}

void history_take_origin(struct timeline *tl)
{
    struct entry entry = {.checkpoint = snapshots_take(&tl->snapshots),
                          .log_index = log_count(tl->log),
                          .vtime = clock_vtime(&tl->m->clock),
                          .stored = CHUNK_NONE,
                          .stored_summary = CHUNK_NONE};
    struct history *h = &tl->history;
    entries_insert(h, h->entries, entry);
    h->cost_ns = 0;
    h->torn = false;
    const struct mark *last = h->marks ? &h->mark[h->marks - 1] : NULL;
    if (!last || last->position != tl->tip || last->log_index != entry.log_index)
        history_add_mark(tl, &(struct mark){entry.checkpoint->position, entry.log_index,
                                            entry.checkpoint->digest});
}

bool history_may_hit(struct timeline *tl, const struct entry *entry)
{
    if (!points_any(&tl->points.armed))
        return false;
    while (entry->born)
        entry--;
    const struct summary *summary = history_summary(tl, entry);
    return !summary || summary_may_hit(summary, &tl->points.armed);
}

/* ---- life ---- */

void history_init(struct timeline *tl)
{
    if (!tl->options.spacing_ns)
        tl->options.spacing_ns = DEFAULT_SPACING_NS;
    history_set_memory(tl);
}

void history_begin(struct timeline *tl)
{
    take_automatic(tl);
}

void history_fini(struct timeline *tl)
{
    history_release(tl, &tl->history);
}
