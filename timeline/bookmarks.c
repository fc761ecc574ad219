#include "timeline/bookmarks.h"

#include "base/check.h"
#include "base/pack.h"
#include "timeline/internal.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static bool name_possible(const char *name)
{
    static const char *const taken[] = {"start", "begin", "end", "tip"};
    bool good = isalpha((unsigned char)*name) && strlen(name) < BOOKMARK_NAME;
    for (const char *c = name; good && *c; c++)
        good = isalnum((unsigned char)*c) || strchr("-_.", *c);
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
        good &= strcmp(name, taken[i]) != 0;
    return good;
}

bool timeline_bookmark_remove(struct timeline *tl, const char *name)
{
    struct bookmark_list *list = &tl->bookmarks;
    for (size_t i = 0; i < list->count; i++)
        if (!strcmp(list->bookmark[i].name, name)) {
            list->count--;
            memmove(&list->bookmark[i], &list->bookmark[i + 1],
                    (list->count - i) * sizeof *list->bookmark);
            list->changes++;
            return true;
        }
    return false;
}

static void insert(struct bookmark_list *list, const struct bookmark *new)
{
    if (list->count == list->capacity) {
        list->capacity = list->capacity ? 2 * list->capacity : 16;
        list->bookmark = mem_grow(list->bookmark, list->capacity, sizeof *list->bookmark);
    }
    size_t at = list->count++;
    for (; at && list->bookmark[at - 1].position > new->position; at--)
        list->bookmark[at] = list->bookmark[at - 1];
    list->bookmark[at] = *new;
    list->changes++;
}

bool timeline_bookmark_at(struct timeline *tl, uint64_t position, const char *name,
                          const char *note, struct error *err)
{
    if (!name_possible(name))
        return error_set(err, ERROR_USAGE,
                         "`%.80s` is no name for a bookmark: a letter, then at most %d letters, "
                         "digits, `-`, `_`, `.`; start, begin, end and tip are taken",
                         name, BOOKMARK_NAME - 2);
    if (position < timeline_begin(tl) || position > timeline_tip(tl))
        return error_set(err, ERROR_RANGE, "position %" PRIu64 " is not in this history", position);
    timeline_bookmark_remove(tl, name);
    if (tl->bookmarks.count == BOOKMARKS)
        return error_set(err, ERROR_RANGE, "there are %d bookmarks: remove one first", BOOKMARKS);
    struct bookmark new = {.position = position};
    memcpy(new.name, name, strlen(name));
    for (size_t i = 0; note && note[i] && i + 1 < sizeof new.note; i++)
        new.note[i] = iscntrl((unsigned char)note[i]) ? ' ' : note[i];
    insert(&tl->bookmarks, &new);
    return true;
}

bool timeline_bookmark(struct timeline *tl, const char *name, const char *note, struct error *err)
{
    return timeline_bookmark_at(tl, timeline_position(tl), name, note, err);
}

const struct bookmark *timeline_bookmark_get(const struct timeline *tl, size_t index)
{
    return index < tl->bookmarks.count ? &tl->bookmarks.bookmark[index] : NULL;
}

const struct bookmark *timeline_bookmark_find(const struct timeline *tl, const char *name)
{
    for (size_t i = 0; i < tl->bookmarks.count; i++)
        if (!strcmp(tl->bookmarks.bookmark[i].name, name))
            return &tl->bookmarks.bookmark[i];
    return NULL;
}

/* ---- files: for each position, name, note ---- */

void bookmarks_pack(const struct timeline *tl, uint64_t from, uint64_t to, struct buffer *out)
{
    for (size_t i = 0; i < tl->bookmarks.count; i++) {
        const struct bookmark *b = &tl->bookmarks.bookmark[i];
        if (b->position < from || b->position > to)
            continue;
        pack_u64(out, b->position);
        pack_bytes(out, b->name, (uint32_t)strlen(b->name));
        pack_bytes(out, b->note, (uint32_t)strlen(b->note));
    }
}

static void take_text(struct unpack *u, char *text, size_t most)
{
    uint32_t size;
    const uint8_t *bytes = unpack_sized(u, &size);
    u->failed |= size >= most;
    if (!u->failed) {
        memcpy(text, bytes, size);
        text[size] = '\0';
    }
}

bool bookmarks_unpack(struct timeline *tl, const uint8_t *bytes, size_t size, struct error *err)
{
    struct unpack u = {bytes, size, false};
    while (u.left) {
        char name[BOOKMARK_NAME] = "", note[BOOKMARK_NOTE] = "";
        uint64_t position = unpack_u64(&u);
        take_text(&u, name, sizeof name);
        take_text(&u, note, sizeof note);
        if (u.failed)
            return error_set(err, ERROR_FORMAT, "the recording's bookmarks make no sense");
        if (!timeline_bookmark_at(tl, position, name, note, err))
            return false;
    }
    return true;
}

void bookmarks_copy(const struct bookmark_list *from, uint64_t position, struct bookmark_list *to)
{
    *to = (struct bookmark_list){.changes = from->changes};
    for (size_t i = 0; i < from->count && from->bookmark[i].position <= position; i++)
        insert(to, &from->bookmark[i]);
}

void bookmarks_forget(struct timeline *tl)
{
    while (tl->bookmarks.count && tl->bookmarks.bookmark[0].position < timeline_begin(tl))
        timeline_bookmark_remove(tl, tl->bookmarks.bookmark[0].name);
}
