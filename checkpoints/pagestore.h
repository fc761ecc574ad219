/* Page frames and the persistent trees that hold them.
 *
 * A frame is an immutable 4 KiB page, reference-counted, with its content hash. A tree (pageroot)
 * maps page numbers to frames; trees share nodes and frames, so one that differs from another in k
 * pages costs k frames and at most k paths of nodes (6 nodes of 152 bytes for 8 GiB of RAM). What
 * is not there has neither frame nor node: in a tree of RAM a page of zeroes, in a tree of an
 * overlay what was never written. A store and its trees belong to one thread. */
#ifndef CHECKPOINTS_PAGESTORE_H
#define CHECKPOINTS_PAGESTORE_H

#include "base/spill.h"
#include "machine/overlay.h"
#include "machine/ram.h"

struct pagestore;
struct pageroot; /* an immutable tree, reference-counted */

/* `spill` outlives it; NULL: all frames stay in memory. */
struct pagestore *pagestore_new(struct spill *spill);
/* Every root has been given back before. */
void pagestore_free(struct pagestore *s);
/* What all frames, nodes and roots in use take in memory, in bytes: what a memory budget is about,
 * for it falls by what an unref gives back and rises by what a capture needs. Cost: constant. */
size_t pagestore_bytes(const struct pagestore *s);
/* Host memory held for them, free room in slabs included: at least pagestore_bytes, and at most a
 * few slabs more than its highest value so far. Cost: constant. */
size_t pagestore_reserved(const struct pagestore *s);

/* From so many bytes of frames in memory on, new ones go to the file; when that has no room they
 * stay in memory all the same, and spill_failure tells. No limit at first. */
void pagestore_set_memory(struct pagestore *s, size_t bytes);
/* What the contents of frames take in memory, and in the file, in bytes. */
size_t pagestore_frame_bytes(const struct pagestore *s);
size_t pagestore_spilled(const struct pagestore *s);

/* The tree of `pages` pages (at most 2^32) with nothing in it. Trees that meet in a call below have
 * the same number of pages. */
struct pageroot *pageroot_empty(struct pagestore *s, uint64_t pages);
struct pageroot *pageroot_ref(struct pageroot *root);
/* Cost: the frames and nodes that no other tree has. */
void pageroot_unref(struct pagestore *s, struct pageroot *root);
/* Sum over the pages of a mix of page number and content hash; 0 for the empty tree. It follows
 * from the contents alone, whatever the way there. Cost: constant. */
uint64_t pageroot_digest(const struct pageroot *root);

/* RAM equals `base` but for its dirty pages: the tree RAM equals now (a reference more to `base`
 * when that is still it). A dirty page with the old content shares the old frame. `ram` stays as it
 * is. Cost: the dirty pages. */
struct pageroot *pagestore_capture(struct pagestore *s, struct pageroot *base,
                                   const struct ram *ram);
/* The digest that pagestore_capture would give, without building anything. Cost: the dirty pages.
 */
uint64_t pageroot_digest_ram(const struct pageroot *base, const struct ram *ram);
/* The same two for an overlay that equals `base` but for the pages written since. */
struct pageroot *pagestore_capture_overlay(struct pagestore *s, struct pageroot *base,
                                           const struct overlay *o);
uint64_t pageroot_digest_overlay(const struct pageroot *base, const struct overlay *o);

/* A tree that equals another but for some pages. */
struct pageroot_edit;
struct pageroot_edit *pageroot_edit_new(struct pageroot *base);
/* The page's 4096 bytes; NULL: nothing is there. In a tree of RAM that is what zeroes are
 * (page_is_zero), which it never has as a page. In any order; the last word on a page counts. */
void pageroot_edit_put(struct pageroot_edit *e, uint64_t page, const uint8_t *bytes);
/* The page is as in another tree of the store, whose frame it shares. */
void pageroot_edit_share(struct pageroot_edit *e, uint64_t page, const struct pageroot *from);
/* The tree; frees the edit. A reference more to the base when nothing is different. */
struct pageroot *pageroot_edit_done(struct pageroot_edit *e);
bool page_is_zero(const uint8_t *page);

/* RAM equals `base` but for its dirty pages: make it equal `to`, and clean (ram_clear_dirty).
 * Writes only pages whose content differs. Cost: the dirty pages and what differs between the
 * trees. */
void pagestore_restore(const struct pageroot *base, const struct pageroot *to, struct ram *ram);

/* How many pages differ between two trees of one store; the numbers of the first `limit` of them
 * go to `pages`, ascending. Cost: the differing part. */
size_t pageroot_diff(const struct pageroot *a, const struct pageroot *b, uint64_t *pages,
                     size_t limit);
/* The first `limit` of them from page `from` on, ascending; returns how many there were. To go
 * through them all in steps. Cost: those listed. */
size_t pageroot_diff_from(const struct pageroot *a, const struct pageroot *b, uint64_t from,
                          uint64_t *pages, size_t limit);
/* Does the page have the same content in both, or is it in neither? */
bool pageroot_same(const struct pageroot *a, const struct pageroot *b, uint64_t page);
/* Is the page there, and zeroes? */
bool pageroot_is_zeroes(const struct pageroot *root, uint64_t page);
/* How many pages are there, those of zeroes aside: they cost nothing. Cost: constant. */
uint64_t pageroot_frames(const struct pageroot *root);
/* Move frames from memory to the file: `bytes` at least, if there are so many and the file has room
 * for them. Returns how many. What pageroot_page has given of this store is no longer good. */
size_t pageroot_spill(struct pageroot *root, size_t bytes);
/* The 4096 bytes of a page, NULL when it is not there. They live as long as the tree, or until
 * frames are moved. */
const uint8_t *pageroot_page(const struct pageroot *root, uint64_t page);

#endif
