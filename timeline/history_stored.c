/* What a history has of the recording it was opened from: brought into memory where it is needed.
 */
#include "timeline/history_parts.h"

#include "base/check.h"
#include "base/log.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void history_add_stored(struct timeline *tl, const struct entry *entry)
{
    entries_insert(&tl->history, tl->history.entries, *entry);
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

const struct summary *history_summary(struct timeline *tl, const struct entry *entry)
{
    struct history *h = &tl->history;
    struct entry *e = &h->entry[entry - h->entry];
    if (e->summary || e->stored_summary == CHUNK_NONE)
        return e->summary;
    struct buffer b = recording_load_chunk(tl->opened.recording, e->stored_summary);
    struct unpack u = {b.data, b.size, false};
    entry_replace_summary(h, e, b.size ? summary_unpack(&u) : NULL);
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
    for (size_t i = entries_behind(h, n); i-- > 0;) {
        struct entry *e = &h->entry[i];
        if (history_load(tl, e, err) && restore(tl, e, err))
            return e;
        if (i == 0)
            break;
        log_line(LOG_WARN, "%s: replaying from an earlier checkpoint", err->message);
        struct entry *before = entries_automatic(h, i - 1);
        if (!e->born)
            entry_set_summary(h, before, NULL);
        entries_erase(tl, i);
    }
    return NULL;
}

void history_forget(struct timeline *tl, uint64_t position)
{
    struct history *h = &tl->history;
    size_t first = entries_behind(h, position);
    if (!first)
        return;
    const struct checkpoint *kept = entries_automatic(h, first - 1)->checkpoint;
    while (h->entry[0].checkpoint != kept)
        entries_erase(tl, 0);
    history_forget_marks(h);
}

void history_unload(struct timeline *tl, struct history *h, struct entry *e)
{
    h->bytes -= entry_bytes(e);
    checkpoint_unload(&tl->snapshots, e->checkpoint);
    h->bytes += entry_bytes(e);
    h->loaded--;
}
