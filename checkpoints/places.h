/* Where in a chunk file the content of each page of a tree is.
 *
 * A place is a number, 0 for a page of the origin's; what others mean is checkpoint_format.h's. The
 * array is flat in blocks, and tables of blocks, that are there where a place is not 0. */
#ifndef CHECKPOINTS_PLACES_H
#define CHECKPOINTS_PLACES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PLACES_BLOCK = 1024 /* places in a block, blocks in a table */ };

struct places {
    uint64_t pages;
    uint64_t ***table; /* of tables of blocks; NULL where all is 0 */
    size_t used;       /* bytes of tables and blocks */
};

/* Of `pages` pages (at most 2^32), all 0. */
void places_init(struct places *p, uint64_t pages);
void places_fini(struct places *p);
/* `page` is below p->pages. */
uint64_t places_get(const struct places *p, uint64_t page);
void places_put(struct places *p, uint64_t page, uint64_t place);
/* The first page from *page on whose place differs between two of one size; false: there is none.
 * Cost: one pass over them, from call to call. */
bool places_differ(const struct places *a, const struct places *b, uint64_t *page);
/* Host memory, in bytes. */
size_t places_bytes(const struct places *p);

#endif
