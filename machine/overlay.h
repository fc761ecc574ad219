/* What a guest has changed of something large that is not RAM (a disk, a flash): a sparse array of
 * 4 KiB pages over a background that stays as it is. It is machine state, in pages, so that
 * checkpoints share what did not change.
 *
 * Two layers: pages written since the last checkpoint, and below them those that a checkpoint
 * holds, immutable. A page in neither is the background's. A page once written stays the overlay's,
 * whatever it holds. */
#ifndef MACHINE_OVERLAY_H
#define MACHINE_OVERLAY_H

#include "machine/ram.h"

enum { OVERLAY_PAGE_SIZE = RAM_PAGE_SIZE };

struct overlay_page {
    uint64_t number;
    uint8_t *bytes;
};

struct overlay {
    const char *name;
    uint64_t pages; /* numbers are below; at most 2^32 */
    /* Written since overlay_clear_dirty: open addressing by number; bytes NULL: a free slot. */
    struct overlay_page *slot;
    size_t capacity, dirty_count;
    size_t zeroed; /* of them: pages of zeroes that have no memory of their own */
    /* The immutable page of the last checkpoint, NULL: it has none. NULL function: no checkpoint.
     */
    const uint8_t *(*below)(const void *ctx, uint64_t page);
    const void *below_ctx;
    /* Told after other content has replaced all there was; may be NULL. */
    void (*restored)(void *ctx);
    void *ctx;
};

/* `name` outlives it. */
void overlay_init(struct overlay *o, const char *name, uint64_t pages);
void overlay_fini(struct overlay *o);

/* The page's 4096 bytes, NULL: the background's. Good until the overlay is written or restored. */
const uint8_t *overlay_page(const struct overlay *o, uint64_t page);
/* The page for writing, at once the overlay's. *fresh: it was the background's up to now, and the
 * caller fills all of it; else it has its old content. Good until the next call. */
uint8_t *overlay_write(struct overlay *o, uint64_t page, bool *fresh);
/* The page is the overlay's and zeroes. It costs no page of memory until it is written again, here
 * and in checkpoints: a guest may discard a whole disk. */
void overlay_zero(struct overlay *o, uint64_t page);
/* Host memory of the pages written since the last checkpoint, in bytes. */
size_t overlay_dirty_bytes(const struct overlay *o);

/* For checkpoints: forget the pages written, because `below` has them now. */
void overlay_clear_dirty(struct overlay *o);
/* The same because other content is below now; tells `restored`. */
void overlay_restored(struct overlay *o);

#endif
