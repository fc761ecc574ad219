/* The checkpoints of a timeline: when they are taken, which are kept, what they are compared with.
 *
 * Taken: when the processor time spent since the newest reaches the spacing, so that replaying an
 * interval costs about that much; but a checkpoint that was costly itself (many dirty pages) must
 * pay for itself first, so that recording never takes more than a small share of the run.
 *
 * Kept: within the budget, everything. Beyond it, approach checkpoints go first, then what
 * retention_victim says: history grows exponentially thinner away from here and from where the
 * last stops were. A mark (position, log index, digest) stays of each that goes.
 *
 * What cannot be thinned away (the state of the guest itself, when it has touched more memory or
 * disk than the budget allows) goes to a file: near the budget new page frames do. When
 * the file has no room either, the machine is stopped (history_full). */
#include "timeline/internal.h"

#include "base/check.h"
#include "base/log.h"
#include "checkpoints/retention.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { APPROACH_MAX = 64, OVERHEAD_DIVISOR = 20 };
/* Thinning leaves so many checkpoints, and a part of the budget for what comes until the next look.
 */
enum { KEPT_LEAST = 32, APPROACH_LEAST = 16, GROWTH_SHARE = 16, DIRTY_SHARE = 64 };
/* Looks at the budget between two times that frames in the file, looked at since, leave memory. */
enum { REST_TURNS = 1024 };
#define DEFAULT_SPACING_NS 25000000ull

/* ---- the list ---- */

/* The first index whose entry lies behind position n. */
static size_t behind(const struct history *h, uint64_t n)
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
    size_t i = behind(&tl->history, n);
    check(i, "no checkpoint before %" PRIu64, n);
    return &tl->history.entry[i - 1];
}

static size_t entry_bytes(const struct entry *e)
{
    return sizeof *e + checkpoint_bytes(e->checkpoint) +
           (e->summary ? summary_bytes(e->summary) : 0);
}

static void insert(struct history *h, size_t at, struct entry entry)
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

static void replace_summary(struct history *h, struct entry *e, struct summary *summary)
{
    h->bytes -= entry_bytes(e);
    summary_free(e->summary);
    e->summary = summary;
    h->bytes += entry_bytes(e);
}

/* Whatever the recording says of its interval. */
static void set_summary(struct history *h, struct entry *e, struct summary *summary)
{
    replace_summary(h, e, summary);
    e->stored_summary = CHUNK_NONE;
}

static bool is_loaded_copy(const struct entry *e)
{
    return e->stored != CHUNK_NONE && checkpoint_loaded(e->checkpoint);
}

static void erase(struct timeline *tl, size_t at)
{
    struct history *h = &tl->history;
    struct entry *e = &h->entry[at];
    h->loaded -= is_loaded_copy(e);
    h->bytes -= entry_bytes(e);
    h->approach -= e->born != 0;
    summary_free(e->summary);
    checkpoint_free(&tl->snapshots, e->checkpoint);
    memmove(e, e + 1, (h->entries - at - 1) * sizeof *e);
    h->entries--;
}

/* The automatic entry at or before index `at`. */
static struct entry *automatic_before(const struct history *h, size_t at)
{
    while (h->entry[at].born)
        at--;
    return &h->entry[at];
}

const struct entry *history_newest(const struct timeline *tl)
{
    return automatic_before(&tl->history, tl->history.entries - 1);
}

/* ---- taking ---- */

static struct entry *newest_automatic(const struct timeline *tl)
{
    return automatic_before(&tl->history, tl->history.entries - 1);
}

static void append_mark(struct history *h, const struct mark *mark)
{
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
        set_summary(h, newest, h->torn ? NULL : summary_new(&tl->m->touched));
        h->torn = false;
    }
    uint64_t log_index = log_count(tl->log);
    struct entry entry = {.checkpoint = snapshots_take(&tl->snapshots),
                          .log_index = log_index,
                          .vtime = clock_vtime(&tl->m->clock),
                          .stored = CHUNK_NONE,
                          .stored_summary = CHUNK_NONE};
    insert(h, h->entries, entry);
    append_mark(h, &(struct mark){entry.checkpoint->position, log_index, entry.checkpoint->digest});
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

static size_t dirty_overlay_bytes(const struct machine *m)
{
    size_t bytes = 0;
    for (unsigned i = 0; i < m->overlays; i++)
        bytes += overlay_dirty_bytes(m->overlay[i]);
    return bytes;
}

/* What was written to disks becomes frames, which may go to the file, before it is in the way. */
static bool is_due(const struct timeline *tl)
{
    const struct history *h = &tl->history;
    if (tl->options.spacing_steps)
        return tl->tip >= history_next_take(tl);
    if (dirty_overlay_bytes(tl->m) > tl->options.budget / DIRTY_SHARE)
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

/* Drop the approach checkpoint that is least use from here: the nearer, the denser they stay, so
 * that moving on in the same direction finds the ones farther off still there. */
static void drop_approach(struct timeline *tl)
{
    const struct history *h = &tl->history;
    struct retention_item *item = mem_new(h->entries, sizeof *item);
    for (size_t i = 0; i < h->entries; i++)
        item[i] = (struct retention_item){h->entry[i].checkpoint->position, !h->entry[i].born};
    uint64_t here = machine_position(tl->m);
    size_t victim = retention_victim(item, h->entries, &here, 1);
    free(item);
    check(victim != RETENTION_NONE, "no approach checkpoint of %zu", h->approach);
    erase(tl, victim);
}

static bool has_entry(const struct history *h, uint64_t position, uint64_t log_index)
{
    for (size_t i = behind(h, position); i-- > 0 && h->entry[i].checkpoint->position == position;)
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
        insert(h, behind(h, c->position),
               (struct entry){.checkpoint = c,
                              .log_index = tl->player.next,
                              .vtime = clock_vtime(&tl->m->clock),
                              .born = ++h->born,
                              .stored = CHUNK_NONE,
                              .stored_summary = CHUNK_NONE});
        if (h->approach > APPROACH_MAX)
            drop_approach(tl);
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
        drop_approach(tl);
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

bool history_may_hit(struct timeline *tl, const struct entry *entry)
{
    if (!points_any(&tl->points.armed))
        return false;
    while (entry->born)
        entry--;
    const struct summary *summary = history_summary(tl, entry);
    return !summary || summary_may_hit(summary, &tl->points.armed);
}

/* ---- what a recording has ---- */

void history_add_mark(struct timeline *tl, const struct mark *mark)
{
    append_mark(&tl->history, mark);
}

void history_add_stored(struct timeline *tl, const struct entry *entry)
{
    insert(&tl->history, tl->history.entries, *entry);
}

/* Its state may have fields that this program has not, or the other way round. */
static void note_versions(struct timeline *tl, const struct checkpoint *c)
{
    if (tl->opened.other_versions || machine_saved_versions_equal(tl->m, c->state, c->state_size))
        return;
    tl->opened.other_versions = true;
    log_line(LOG_WARN, "the recording was made by another version of backstep, whose states have "
                       "other fields: replays are not compared with it");
}

bool history_load(struct timeline *tl, const struct entry *entry, struct error *err)
{
    struct history *h = &tl->history;
    if (checkpoint_loaded(entry->checkpoint)) /* also one that is not in the list */
        return true;
    struct entry *e = &h->entry[entry - h->entry];
    size_t before = entry_bytes(e);
    if (!checkpoint_load(tl->opened.checkpoints, e->checkpoint, e->stored, err))
        return false;
    h->bytes += entry_bytes(e) - before;
    h->loaded++;
    note_versions(tl, e->checkpoint);
    return true;
}

static void unload(struct timeline *tl, struct entry *e)
{
    struct history *h = &tl->history;
    h->bytes -= entry_bytes(e);
    checkpoint_unload(&tl->snapshots, e->checkpoint);
    h->bytes += entry_bytes(e);
    h->loaded--;
}

const struct summary *history_summary(struct timeline *tl, const struct entry *entry)
{
    struct history *h = &tl->history;
    struct entry *e = &h->entry[entry - h->entry];
    if (e->summary || e->stored_summary == CHUNK_NONE)
        return e->summary;
    struct buffer b = recording_load_chunk(tl->opened.recording, e->stored_summary);
    struct unpack u = {b.data, b.size, false};
    replace_summary(h, e, b.size ? summary_unpack(&u) : NULL);
    buffer_fini(&b);
    if (!e->summary)
        e->stored_summary = CHUNK_NONE;
    return e->summary;
}

/* Is the state restored the one that the recording says it is? */
static bool is_as_stored(const struct timeline *tl, const struct entry *e, struct error *err)
{
    struct digest digest;
    snapshots_digest(&tl->snapshots, &digest);
    const char *component = NULL;
    if (machine_position(tl->m) != e->checkpoint->position ||
        clock_vtime(&tl->m->clock) != e->vtime)
        component = "position";
    else if (!tl->opened.other_versions)
        component = digest_difference(&digest, &e->checkpoint->digest);
    return !component || error_set(err, ERROR_FORMAT,
                                   "checkpoint at position %" PRIu64 ": %s is not what was written",
                                   e->checkpoint->position, component);
}

/* The file's word is taken for nothing that the machine would rely on. */
static bool restore(struct timeline *tl, struct entry *e, struct error *err)
{
    struct snapshots *s = &tl->snapshots;
    if (e->stored == CHUNK_NONE || e->compared)
        return snapshots_restore(s, e->checkpoint, err);
    struct checkpoint *here = snapshots_take(s);
    struct error back = ERROR_INIT;
    bool ok = snapshots_restore(s, e->checkpoint, err);
    if (ok && !is_as_stored(tl, e, err)) {
        ok = false;
        check(snapshots_restore(s, here, &back), "%s", back.message);
    }
    e->compared = ok;
    checkpoint_free(s, here);
    return ok;
}

const struct entry *history_restore(struct timeline *tl, uint64_t n, struct error *err)
{
    struct history *h = &tl->history;
    for (size_t i = behind(h, n); i-- > 0;) {
        struct entry *e = &h->entry[i];
        if (history_load(tl, e, err) && restore(tl, e, err))
            return e;
        if (i == 0)
            break;
        log_line(LOG_WARN, "%s: replaying from an earlier checkpoint", err->message);
        struct entry *before = automatic_before(h, i - 1);
        if (!e->born)
            set_summary(h, before, NULL);
        erase(tl, i);
    }
    return NULL;
}

void history_forget(struct timeline *tl, uint64_t position)
{
    struct history *h = &tl->history;
    size_t first = behind(h, position);
    if (!first)
        return;
    const struct entry *begin = automatic_before(h, first - 1);
    struct checkpoint *kept = begin->checkpoint;
    uint64_t log_index = begin->log_index;
    while (h->entry[0].checkpoint != kept)
        erase(tl, 0);
    size_t gone = 0;
    while (gone < h->marks &&
           (h->mark[gone].position < kept->position ||
            (h->mark[gone].position == kept->position && h->mark[gone].log_index < log_index)))
        gone++;
    h->marks -= gone;
    h->marks_forgotten += gone;
    memmove(h->mark, h->mark + gone, h->marks * sizeof *h->mark);
}

/* ---- the budget ---- */

size_t history_bytes(const struct timeline *tl)
{
    const struct history *h = &tl->history;
    return pagestore_bytes(tl->snapshots.store) + h->bytes + h->mark_capacity * sizeof *h->mark +
           log_bytes(tl->log) + disk_reads_bytes(tl->reads) + dirty_overlay_bytes(tl->m) +
           transcript_bytes(tl->transcript) +
           (tl->opened.checkpoints ? checkpoint_source_bytes(tl->opened.checkpoints) : 0);
}

/* Which automatic checkpoint hurts least to lose; 0: none may go, the first and the newest stay. */
static size_t least_automatic(const struct timeline *tl)
{
    const struct history *h = &tl->history;
    struct retention_item *item = mem_new(h->entries, sizeof *item);
    size_t *at = mem_new(h->entries, sizeof *at), count = 0;
    for (size_t i = 0; i < h->entries; i++)
        if (!h->entry[i].born) {
            bool pinned = i == 0 || h->entry[i].stored != CHUNK_NONE;
            item[count] = (struct retention_item){h->entry[i].checkpoint->position, pinned};
            at[count++] = i;
        }
    item[count - 1].pinned = true;
    uint64_t focus[sizeof tl->focus / sizeof *tl->focus + 1];
    memcpy(focus, tl->focus, sizeof tl->focus);
    focus[sizeof tl->focus / sizeof *tl->focus] = machine_position(tl->m);
    size_t victim = retention_victim(item, count, focus, sizeof focus / sizeof *focus);
    size_t found = victim == RETENTION_NONE ? 0 : at[victim];
    free(item);
    free(at);
    return found;
}

/* Drop one; its interval joins the one before. False: none may go. */
static bool drop_automatic(struct timeline *tl)
{
    struct history *h = &tl->history;
    size_t victim = least_automatic(tl);
    if (!victim)
        return false;
    struct entry *before = automatic_before(h, victim - 1), *gone = &h->entry[victim];
    before->cost_ns += gone->cost_ns;
    set_summary(h, before,
                before->summary && gone->summary ? summary_merge(before->summary, gone->summary)
                                                 : NULL);
    erase(tl, victim);
    return true;
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
static void set_frame_memory(struct timeline *tl)
{
    size_t other = history_bytes(tl) - pagestore_frame_bytes(tl->snapshots.store);
    pagestore_set_memory(tl->snapshots.store, usual(tl) > other ? usual(tl) - other : 0);
}

/* Memory is full: the oldest frames go to the file, and a little more than has to. */
static void spill_cold(struct timeline *tl)
{
    const struct history *h = &tl->history;
    size_t excess = history_bytes(tl) - usual(tl) + tl->options.budget / GROWTH_SHARE, moved = 0;
    for (size_t i = 0; i < h->entries && moved < excess; i++) {
        moved += checkpoint_spill(&tl->snapshots, h->entry[i].checkpoint, excess - moved);
        if (spill_failure(tl->spill))
            return;
    }
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
        if (is_loaded_copy(e) && distance >= most) {
            most = distance;
            farthest = e;
        }
    }
    if (farthest)
        unload(tl, farthest);
    return farthest;
}

/* All summaries that can be read again. False: there are none. */
static bool unload_summaries(struct history *h)
{
    bool any = false;
    for (size_t i = 0; i < h->entries; i++) {
        struct entry *e = &h->entry[i];
        if (!e->summary || e->stored_summary == CHUNK_NONE)
            continue;
        replace_summary(h, e, NULL);
        any = true;
    }
    return any;
}

/* The approach checkpoints of late are worth more than sparse history, because they make steps back
 * quick: the last of them go only for memory. False: nothing may go. */
static bool drop_one(struct timeline *tl, bool for_memory)
{
    struct history *h = &tl->history;
    if (unload_one(tl) || unload_summaries(h))
        return true;
    if (h->approach > APPROACH_LEAST)
        drop_approach(tl);
    else if (h->entries - h->approach > KEPT_LEAST && drop_automatic(tl))
        return true;
    else if (h->approach && for_memory)
        drop_approach(tl);
    else
        return false;
    return true;
}

void history_thin(struct timeline *tl)
{
    struct history *h = &tl->history;
    while (over_budget(tl) && drop_one(tl, false))
        ;
    set_frame_memory(tl);
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

/* ---- life ---- */

void history_init(struct timeline *tl)
{
    if (!tl->options.spacing_ns)
        tl->options.spacing_ns = DEFAULT_SPACING_NS;
    set_frame_memory(tl);
}

void history_begin(struct timeline *tl)
{
    take_automatic(tl);
}

void history_fini(struct timeline *tl)
{
    struct history *h = &tl->history;
    while (h->entries)
        erase(tl, h->entries - 1);
    free(h->entry);
    free(h->mark);
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
    };
}
