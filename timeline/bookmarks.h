/* Positions that people gave a name. They belong to the timeline and are part of a recording. */
#ifndef TIMELINE_BOOKMARKS_H
#define TIMELINE_BOOKMARKS_H

#include "timeline/timeline.h"

enum { BOOKMARK_NAME = 64, BOOKMARK_NOTE = 512, BOOKMARKS = 1024 };

struct bookmark {
    uint64_t position;
    char name[BOOKMARK_NAME]; /* a letter, then letters, digits, '-', '_', '.' */
    char note[BOOKMARK_NOTE]; /* one line, may be empty */
};

/* Set at the present position, or move there, with a note (NULL: none). False: no such name is
 * possible, or there are too many. */
bool timeline_bookmark(struct timeline *tl, const char *name, const char *note, struct error *err);
bool timeline_bookmark_at(struct timeline *tl, uint64_t position, const char *name,
                          const char *note, struct error *err);
/* False: there is none of that name. */
bool timeline_bookmark_remove(struct timeline *tl, const char *name);
/* NULL: there is none. */
const struct bookmark *timeline_bookmark_find(const struct timeline *tl, const char *name);
/* In order of position; NULL behind the last. */
const struct bookmark *timeline_bookmark_get(const struct timeline *tl, size_t index);

#endif
