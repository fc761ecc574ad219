#include "machine/overlay.h"

#include "base/check.h"
#include "base/hash.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 64 };

/* The bytes of every zeroed page: never written, never freed. */
static const uint8_t zeroes[OVERLAY_PAGE_SIZE];

void overlay_init(struct overlay *o, const char *name, uint64_t pages)
{
    check(pages <= (uint64_t)UINT32_MAX + 1, "%s: %" PRIu64 " pages", name, pages);
    *o = (struct overlay){.name = name, .pages = pages, .capacity = FIRST_CAPACITY};
    o->slot = mem_new(o->capacity, sizeof *o->slot);
}

void overlay_fini(struct overlay *o)
{
    if (!o->slot)
        return;
    overlay_clear_dirty(o);
    free(o->slot);
    *o = (struct overlay){0};
}

/* Where the page is, or would go. */
static struct overlay_page *find(const struct overlay *o, uint64_t page)
{
    size_t i = hash_mix(page + 1) & (o->capacity - 1);
    while (o->slot[i].bytes && o->slot[i].number != page)
        i = (i + 1) & (o->capacity - 1);
    return &o->slot[i];
}

static const uint8_t *page_below(const struct overlay *o, uint64_t page)
{
    return o->below ? o->below(o->below_ctx, page) : NULL;
}

const uint8_t *overlay_page(const struct overlay *o, uint64_t page)
{
    check(page < o->pages, "%s: page %" PRIu64 " of %" PRIu64, o->name, page, o->pages);
    const uint8_t *bytes = o->dirty_count ? find(o, page)->bytes : NULL;
    return bytes ? bytes : page_below(o, page);
}

static void grow(struct overlay *o)
{
    struct overlay old = *o;
    o->capacity *= 2;
    o->slot = mem_new(o->capacity, sizeof *o->slot);
    for (size_t i = 0; i < old.capacity; i++)
        if (old.slot[i].bytes)
            *find(o, old.slot[i].number) = old.slot[i];
    free(old.slot);
}

/* The page's slot; with bytes NULL it is new and the caller's to fill. */
static struct overlay_page *slot_for(struct overlay *o, uint64_t page)
{
    check(page < o->pages, "%s: page %" PRIu64 " of %" PRIu64, o->name, page, o->pages);
    struct overlay_page *slot = find(o, page);
    if (slot->bytes)
        return slot;
    if (2 * (o->dirty_count + 1) > o->capacity) {
        grow(o);
        slot = find(o, page);
    }
    slot->number = page;
    o->dirty_count++;
    return slot;
}

static bool is_zeroed(const struct overlay_page *slot)
{
    return slot->bytes == zeroes;
}

static void free_bytes(struct overlay_page *slot)
{
    if (!is_zeroed(slot))
        free(slot->bytes);
    slot->bytes = NULL;
}

uint8_t *overlay_write(struct overlay *o, uint64_t page, bool *fresh)
{
    struct overlay_page *slot = slot_for(o, page);
    *fresh = false;
    if (slot->bytes && !is_zeroed(slot))
        return slot->bytes;
    if (is_zeroed(slot)) {
        o->zeroed--;
        slot->bytes = mem_new(1, OVERLAY_PAGE_SIZE);
        return slot->bytes;
    }
    slot->bytes = mem_new(1, OVERLAY_PAGE_SIZE);
    const uint8_t *old = page_below(o, page);
    *fresh = !old;
    if (old)
        memcpy(slot->bytes, old, OVERLAY_PAGE_SIZE);
    return slot->bytes;
}

void overlay_zero(struct overlay *o, uint64_t page)
{
    struct overlay_page *slot = slot_for(o, page);
    if (is_zeroed(slot))
        return;
    free_bytes(slot);
    slot->bytes = (uint8_t *)zeroes;
    o->zeroed++;
}

size_t overlay_dirty_bytes(const struct overlay *o)
{
    return o->capacity * sizeof *o->slot + (o->dirty_count - o->zeroed) * OVERLAY_PAGE_SIZE;
}

void overlay_clear_dirty(struct overlay *o)
{
    if (!o->dirty_count)
        return;
    for (size_t i = 0; i < o->capacity; i++)
        free_bytes(&o->slot[i]);
    o->dirty_count = o->zeroed = 0;
    if (o->capacity > FIRST_CAPACITY) {
        free(o->slot);
        o->capacity = FIRST_CAPACITY;
        o->slot = mem_new(o->capacity, sizeof *o->slot);
    }
}

void overlay_restored(struct overlay *o)
{
    overlay_clear_dirty(o);
    if (o->restored)
        o->restored(o->ctx);
}
