/* Branches in recordings: the names, where they come from, and what is their own: events, digests,
 * what was printed, bookmarks. Their states are made again by replaying from the origin on. */
#include "timeline/branch_parts.h"

#include "base/check.h"
#include "timeline/history_parts.h"
#include "timeline/recording_index.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* A branch that is farther from its origin than this is taken for damage: whoever opens it replays
 * that. */
#define LENGTH_MOST UINT64_C(200000000000)
enum { MARK_BYTES = 48 };

/* ---- out ---- */

static void pack_part(struct buffer *out, struct buffer *part)
{
    pack_bytes(out, part->data, (uint32_t)part->size);
    buffer_fini(part);
}

/* Returns where the branch ends with the events that have room. */
static uint64_t pack_events(const struct timeline *tl, const struct branch *b, struct buffer *out)
{
    uint64_t count = log_count(tl->log), end = count;
    struct buffer part = {0};
    if (b->origin_event < count)
        end = log_pack(tl->log, b->origin_event, count, BRANCH_EVENTS, &part);
    pack_u64(out, end - b->origin_event);
    pack_part(out, &part);
    return end < count ? log_get(tl->log, end).position : tl->tip;
}

static void pack_marks(const struct timeline *tl, const struct branch *b, struct buffer *out)
{
    const struct history *h = &tl->history;
    struct buffer part = {0};
    for (size_t i = 0; i < h->marks; i++) {
        const struct mark *m = &h->mark[i];
        if (m->position < b->origin ||
            (m->position == b->origin && m->log_index <= b->origin_event))
            continue;
        if (part.size >= BRANCH_MARKS)
            break;
        pack_u64(&part, m->position);
        pack_u64(&part, m->log_index);
        recording_pack_digest(&m->digest, &part);
    }
    pack_part(out, &part);
}

static void pack_text(const struct timeline *tl, const struct branch *b, struct buffer *out)
{
    const struct transcript *t = tl->transcript;
    uint64_t first = transcript_end(t), end = first;
    while (first > transcript_first(t) && transcript_get(t, first - 1).position >= b->origin)
        first--;
    struct buffer part = {0};
    if (first < end)
        end = transcript_pack(t, first, end, BRANCH_TEXT, &part);
    pack_u64(out, end - first);
    pack_part(out, &part);
}

/* The timeline is on this branch. */
static void pack_branch(const struct timeline *tl, const struct branch *b, uint32_t parent,
                        uint64_t from, struct buffer *out)
{
    struct buffer events = {0}, books = {0};
    uint64_t tip = pack_events(tl, b, &events);
    pack_bytes(out, b->name, (uint32_t)strlen(b->name));
    pack_u32(out, parent);
    pack_u64(out, b->origin);
    pack_u64(out, b->origin_event);
    pack_u64(out, tip);
    pack_u64(out, b->left_at);
    pack_u64(out, b->entropy);
    pack_u64(out, b->clock_ns);
    pack_u32(out, b->clock_known);
    buffer_append(out, events.data, events.size);
    buffer_fini(&events);
    pack_marks(tl, b, out);
    pack_text(tl, b, out);
    bookmarks_pack(tl, from, tip, &books);
    pack_part(out, &books);
}

/* Has it a name, as those that it comes from, and do all come from there? One that comes from a
 * branch may do so before that begins. */
static bool is_within(const struct branch *b, const struct stretch *of)
{
    for (; !branch_is_main(b); b = b->parent) {
        bool begun = b->origin >= of->from && b->origin_event >= of->from_event;
        bool over =
            branch_is_main(b->parent) && (b->origin > of->to || b->origin_event > of->to_event);
        if (!*b->name || !begun || over)
            return false;
    }
    return true;
}

/* Its number in the file; 0: main, or it is not in it. */
static uint32_t number_of(const struct timeline *tl, const struct branch *b,
                          const struct stretch *of)
{
    uint32_t number = 0;
    if (branch_is_main(b) || !is_within(b, of))
        return 0;
    for (size_t i = 1; i < tl->branches.count; i++) {
        number += is_within(tl->branches.list[i], of);
        if (tl->branches.list[i] == b)
            break;
    }
    return number;
}

uint32_t branches_count(const struct timeline *tl, const struct stretch *of)
{
    uint32_t count = 0;
    for (size_t i = 1; i < tl->branches.count; i++)
        count += is_within(tl->branches.list[i], of);
    return count;
}

void branch_pack(struct timeline *tl, uint32_t number, const struct stretch *of, struct buffer *out)
{
    struct branch_list *l = &tl->branches;
    struct branch *was = l->now;
    bool live = tl->live;
    for (size_t i = 1; i < l->count; i++) {
        struct branch *b = l->list[i];
        if (number_of(tl, b, of) != number)
            continue;
        branches_put_back(tl, b);
        pack_branch(tl, b, number_of(tl, b->parent, of), of->from, out);
    }
    branches_put_back(tl, was);
    tl->live = live;
}

/* ---- in ---- */

struct taker {
    struct log *log;
    uint64_t low, high; /* positions */
    struct error *err;
};

static bool take_event(void *ctx, const struct event *event)
{
    struct taker *t = ctx;
    if (event->position < t->low || event->position > t->high)
        return error_set(t->err, ERROR_FORMAT, "an event at position %" PRIu64 " is none of its",
                         event->position);
    log_append(t->log, event);
    return true;
}

static void unpack_marks(struct timeline *tl, const struct branch *b, const uint8_t *bytes,
                         uint32_t size)
{
    struct unpack u = {bytes, size, false};
    while (u.left >= MARK_BYTES) {
        struct mark mark;
        mark.position = unpack_u64(&u);
        mark.log_index = unpack_u64(&u);
        mark.digest = recording_unpack_digest(&u);
        const struct mark *last =
            tl->history.marks ? &tl->history.mark[tl->history.marks - 1] : NULL;
        bool behind = !last || mark.position > last->position ||
                      (mark.position == last->position && mark.log_index > last->log_index);
        if (behind && mark.position >= b->origin && mark.position <= tl->tip &&
            mark.log_index <= log_count(tl->log))
            history_add_mark(tl, &mark);
    }
}

/* Is this where a branch may begin on the one the timeline is on? */
static bool origin_possible(const struct timeline *tl, const struct branch *b, uint64_t tip)
{
    uint64_t first = tl->history.entry[0].log_index, count = log_count(tl->log);
    return b->origin >= timeline_begin(tl) && b->origin <= tl->tip && tip >= b->origin &&
           tip - b->origin <= LENGTH_MOST && b->origin_event >= first && b->origin_event <= count &&
           (b->origin_event == first ||
            log_get(tl->log, b->origin_event - 1).position <= b->origin);
}

/* How much the last interval of the parent's is used is not known of what the branch makes of it.
 */
static void forget_last_summary(struct timeline *tl)
{
    struct history *h = &tl->history;
    struct entry *last = &h->entry[h->entries - 1];
    last->stored_summary = CHUNK_NONE;
    entry_replace_summary(h, last, NULL);
}

static bool unpack_contents(struct timeline *tl, struct branch *b, struct unpack *u,
                            struct error *err)
{
    uint32_t size;
    uint64_t count = unpack_u64(u);
    const uint8_t *bytes = unpack_sized(u, &size);
    struct taker taker = {tl->log, b->origin, tl->tip, err};
    if (count && (!bytes || !log_unpack(bytes, size, count, take_event, &taker, err)))
        return false;
    bytes = unpack_sized(u, &size);
    unpack_marks(tl, b, bytes, size);
    count = unpack_u64(u);
    bytes = unpack_sized(u, &size);
    transcript_unpack(tl->transcript, count, tl->tip, bytes, size);
    bytes = unpack_sized(u, &size);
    tl->bookmarks.count = 0; /* all of its own are in the file, also those before its origin */
    return !u->failed && bookmarks_unpack(tl, bytes, size, err);
}

static bool unpack_head(struct timeline *tl, struct branch *b, struct unpack *u, uint64_t *tip)
{
    uint32_t size;
    const uint8_t *name = unpack_sized(u, &size);
    uint32_t parent = unpack_u32(u);
    if (!name || !size || size >= BRANCH_NAME || parent >= tl->branches.count)
        return false;
    memcpy(b->name, name, size);
    b->parent = tl->branches.list[parent];
    b->origin = unpack_u64(u);
    b->origin_event = unpack_u64(u);
    *tip = unpack_u64(u);
    b->left_at = unpack_u64(u);
    b->entropy = unpack_u64(u);
    b->clock_ns = unpack_u64(u);
    b->clock_known = unpack_u32(u);
    branches_put_back(tl, b->parent);
    struct error err = ERROR_INIT;
    return !u->failed && branch_name_free(tl, b->name, &err) && origin_possible(tl, b, *tip);
}

/* Parents come first, so that a number in the file is an index in the list. */
bool branch_unpack(struct timeline *tl, const uint8_t *bytes, size_t size, struct error *err)
{
    struct unpack u = {bytes, size, false};
    struct branch *b = mem_new(1, sizeof *b);
    uint64_t tip = 0;
    if (tl->branches.count == BRANCHES || !unpack_head(tl, b, &u, &tip)) {
        free(b);
        branches_put_back(tl, tl->branches.list[0]);
        return error_set(err, ERROR_FORMAT, "a branch does not follow the format");
    }
    branch_begin_on(tl, b, tip);
    forget_last_summary(tl);
    bool ok = unpack_contents(tl, b, &u, err);
    branches_put_back(tl, tl->branches.list[0]);
    if (!ok)
        branch_discard_last(tl);
    if (!ok && !err->code)
        error_set(err, ERROR_FORMAT, "a branch does not follow the format");
    tl->branches.changes += ok;
    return ok;
}
