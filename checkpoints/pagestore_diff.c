/* How trees differ, and what follows from it. */
#include "base/check.h"
#include "checkpoints/pagetree.h"

#include <inttypes.h>

/* Called with each page that differs, in ascending order; false: that is enough. */
typedef bool differ_fn(void *ctx, uint64_t page, const struct frame *b);

/* Pages from `from` on. */
static bool differ(const struct node *a, const struct node *b, unsigned level, uint64_t first,
                   uint64_t from, differ_fn *told, void *ctx)
{
    unsigned i = from > first ? (unsigned)((from - first) >> (FAN_BITS * level)) : 0;
    for (; i < FAN; i++) {
        const void *x = a ? a->child[i] : NULL;
        const void *y = b ? b->child[i] : NULL;
        uint64_t page = first + ((uint64_t)i << (FAN_BITS * level));
        if (x == y)
            continue;
        if (level ? !differ(x, y, level - 1, page, from, told, ctx)
                  : !frame_equal(x, y) && !told(ctx, page, y))
            return false;
    }
    return true;
}

static void roots_differ(const struct pageroot *a, const struct pageroot *b, uint64_t from,
                         differ_fn *told, void *ctx)
{
    check(a->top_level == b->top_level, "trees of %u and %u levels", a->top_level + 1,
          b->top_level + 1);
    if (a->top != b->top)
        differ(a->top, b->top, a->top_level, 0, from, told, ctx);
}

struct restoring {
    const struct pageroot *to;
    struct ram *ram;
};

static void restore_page(const struct restoring *r, uint64_t page, const struct frame *f)
{
    ram_restore_page(r->ram, page, f ? pageroot_look(r->to, f) : NULL);
}

static bool restore_clean(void *ctx, uint64_t page, const struct frame *to)
{
    const struct restoring *r = ctx;
    if (!(r->ram->flags[page] & RAM_DIRTY))
        restore_page(r, page, to);
    return true;
}

void pagestore_restore(const struct pageroot *base, const struct pageroot *to, struct ram *ram)
{
    struct restoring r = {to, ram};
    for (size_t i = 0; i < ram->dirty_count; i++) {
        uint64_t page = ram->dirty[i];
        const struct frame *f = pageroot_find(to, page);
        if (!frame_holds(f, ram_bytes(ram, page)))
            restore_page(&r, page, f);
    }
    roots_differ(base, to, 0, restore_clean, &r);
    ram_clear_dirty(ram);
}

struct page_list {
    uint64_t *pages;
    size_t count, limit;
};

static bool count_page(void *ctx, uint64_t page, const struct frame *b)
{
    struct page_list *list = ctx;
    (void)b;
    if (list->count < list->limit)
        list->pages[list->count] = page;
    list->count++;
    return true;
}

size_t pageroot_diff(const struct pageroot *a, const struct pageroot *b, uint64_t *pages,
                     size_t limit)
{
    struct page_list list = {pages, 0, limit};
    roots_differ(a, b, 0, count_page, &list);
    return list.count;
}

static bool list_page(void *ctx, uint64_t page, const struct frame *b)
{
    const struct page_list *list = ctx;
    count_page(ctx, page, b);
    return list->count < list->limit;
}

size_t pageroot_diff_from(const struct pageroot *a, const struct pageroot *b, uint64_t from,
                          uint64_t *pages, size_t limit)
{
    struct page_list list = {pages, 0, limit};
    if (from < a->pages && limit)
        roots_differ(a, b, from, list_page, &list);
    return list.count;
}

bool pageroot_same(const struct pageroot *a, const struct pageroot *b, uint64_t page)
{
    return frame_equal(pageroot_find(a, page), pageroot_find(b, page));
}

bool pageroot_is_zeroes(const struct pageroot *root, uint64_t page)
{
    const struct frame *f = pageroot_find(root, page);
    return f && f == root->store->zeroes;
}
