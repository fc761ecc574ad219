/* DRAM: one flat host mapping and a byte of flags for each 4 KiB page.
 *
 * Instructions of a hart store through TLB entries that ram knows nothing of; the first store to a
 * page in an interval marks it (ram_mark_dirty). Every other write goes through ram_write. */
#ifndef MACHINE_RAM_H
#define MACHINE_RAM_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RAM_PAGE_BITS = 12, RAM_PAGE_SIZE = 1 << RAM_PAGE_BITS };

enum ram_flag {
    RAM_DIRTY = 1,         /* written since ram_clear_dirty */
    RAM_CODE = 2,          /* decoded code was made from it */
    RAM_TABLE = 4,         /* cached translations came from it */
    RAM_CACHED_WRITES = 8, /* a write TLB entry may point to it */
    RAM_HOOKED = 16        /* a store to it is looked at: tohost */
};

/* Told of a write that no hart instruction made, or of a page replaced by a restore, when the page
 * has RAM_CODE or RAM_TABLE. `offset`..`offset + size` lies inside the page. */
typedef void ram_changed_fn(void *ctx, uint64_t page, unsigned offset, unsigned size);

/* Told of a ram_write that is about to be made: all of it, memory still as it was. */
typedef void ram_watch_fn(void *ctx, uint64_t pa, const void *bytes, uint64_t size);

struct ram {
    uint8_t *host;   /* page aligned; `size` bytes */
    uint64_t base;   /* guest physical address of host[0] */
    uint64_t size;   /* bytes, a multiple of RAM_PAGE_SIZE */
    uint64_t pages;  /* size / RAM_PAGE_SIZE */
    uint8_t *flags;  /* enum ram_flag, one byte a page */
    uint32_t *dirty; /* the pages with RAM_DIRTY, in the order of their first write */
    size_t dirty_count, dirty_capacity;
    ram_changed_fn *changed;
    void *changed_ctx;
    ram_watch_fn *watch; /* NULL: nobody watches */
    void *watch_ctx;
};

/* Zeroed memory, given by the host page by page as it is touched. */
bool ram_init(struct ram *r, uint64_t base, uint64_t size, struct error *err);
void ram_fini(struct ram *r);

static inline bool ram_contains(const struct ram *r, uint64_t pa, uint64_t size)
{
    return pa - r->base < r->size && size <= r->size - (pa - r->base);
}

/* Host pointer to a guest physical address inside DRAM: for TLB fills and for looking. */
static inline uint8_t *ram_at(const struct ram *r, uint64_t pa)
{
    return r->host + (pa - r->base);
}

static inline uint64_t ram_page(const struct ram *r, uint64_t pa)
{
    return (pa - r->base) >> RAM_PAGE_BITS;
}

/* Note the page as written in this interval. Cheap when it is already. */
void ram_mark_dirty(struct ram *r, uint64_t page);

/* The one way of writing DRAM that is not a hart's store: tells `watch`, marks the pages, tells
 * `changed`. The range lies inside DRAM (ram_contains). */
void ram_write(struct ram *r, uint64_t pa, const void *bytes, uint64_t size);

/* Replace a whole page (NULL: by zeroes) in a restore: tells `changed`, marks nothing. */
void ram_restore_page(struct ram *r, uint64_t page, const uint8_t *bytes);

/* Start a new interval: no page is dirty. The machine drops its write TLB entries with it
 * (machine_begin_interval), else later stores go unnoticed. */
void ram_clear_dirty(struct ram *r);

#endif
