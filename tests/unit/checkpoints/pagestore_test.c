#include "checkpoints/pagestore.h"

#include "base/check.h"
#include "base/hash.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define BASE UINT64_C(0x80000000)

static struct ram ram;
static struct pagestore *store;
static size_t baseline; /* pagestore_bytes of a store without roots */

static void open_store(uint64_t pages)
{
    struct error err = ERROR_INIT;
    cr_assert(ram_init(&ram, BASE, pages << RAM_PAGE_BITS, &err), "%s", err.message);
    store = pagestore_new(NULL);
    baseline = pagestore_bytes(store);
}

static void close_store(void)
{
    cr_expect_eq(pagestore_bytes(store), baseline, "%zu bytes are still in use",
                 pagestore_bytes(store) - baseline);
    pagestore_free(store);
    ram_fini(&ram);
}

static uint64_t address(uint64_t page)
{
    return BASE + (page << RAM_PAGE_BITS);
}

static void fill(uint64_t page, uint64_t value)
{
    uint64_t words[RAM_PAGE_SIZE / 8];
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        words[i] = value ? hash_mix(value + i) : 0;
    ram_write(&ram, address(page), words, sizeof words);
}

static bool is_zero(const uint8_t *page)
{
    static const uint8_t zeroes[RAM_PAGE_SIZE];
    return !memcmp(page, zeroes, RAM_PAGE_SIZE);
}

/* By the definition in pagestore.h, from the bytes alone. */
static uint64_t digest_of(const uint8_t *bytes, uint64_t pages)
{
    uint64_t digest = 0;
    for (uint64_t page = 0; page < pages; page++, bytes += RAM_PAGE_SIZE)
        if (!is_zero(bytes))
            digest += hash_mix(hash_bytes(bytes, RAM_PAGE_SIZE, 0) ^ hash_mix(page));
    return digest;
}

static bool root_equals(const struct pageroot *root, const uint8_t *bytes, uint64_t pages)
{
    for (uint64_t page = 0; page < pages; page++, bytes += RAM_PAGE_SIZE) {
        const uint8_t *held = pageroot_page(root, page);
        if (held ? memcmp(held, bytes, RAM_PAGE_SIZE) : !is_zero(bytes))
            return false;
        if (held && is_zero(held))
            return false; /* zeroes have no frame */
    }
    return true;
}

/* What snapshots do with a store, without a machine: a base, kept roots, full copies beside. */
enum { KEPT = 24 };

struct world {
    uint64_t pages, random;
    struct pageroot *base;
    struct pageroot *root[KEPT];
    uint8_t *copy[KEPT];
};

static uint64_t chance(struct world *w, uint64_t below)
{
    w->random = hash_mix(w->random + 0x9e3779b97f4a7c15u);
    return (w->random >> 11) % below;
}

static uint64_t some_page(struct world *w)
{
    /* Half of them close together, so that leaves are shared. */
    return chance(w, 2) ? chance(w, w->pages) : chance(w, w->pages < 20 ? w->pages : 20);
}

static void write_some(struct world *w)
{
    for (uint64_t n = chance(w, 40); n > 0; n--) {
        uint64_t page = some_page(w);
        switch (chance(w, 4)) {
        case 0: /* few contents, so that they come back and meet */
            fill(page, chance(w, 4));
            break;
        case 1:
            fill(page, 0);
            break;
        case 2: /* dirty without a change */
            ram_mark_dirty(&ram, page);
            break;
        default: {
            uint64_t value = w->random;
            ram_write(&ram, address(page) + chance(w, RAM_PAGE_SIZE - 8), &value, sizeof value);
        }
        }
    }
}

static void new_base(struct world *w, struct pageroot *root)
{
    pageroot_ref(root);
    pageroot_unref(store, w->base);
    w->base = root;
}

static void keep(struct world *w)
{
    uint64_t before = digest_of(ram.host, w->pages);
    cr_assert_eq(pageroot_digest_ram(w->base, &ram), before);

    struct pageroot *root = pagestore_capture(store, w->base, &ram);
    cr_assert_eq(pageroot_digest(root), before);
    cr_assert(root_equals(root, ram.host, w->pages));
    size_t slot = chance(w, KEPT);
    if (w->root[slot])
        pageroot_unref(store, w->root[slot]);
    else
        w->copy[slot] = mem_new(w->pages, RAM_PAGE_SIZE);
    w->root[slot] = root;
    memcpy(w->copy[slot], ram.host, ram.size);
    new_base(w, root);
    ram_clear_dirty(&ram);
}

static void go_back(struct world *w)
{
    size_t slot = chance(w, KEPT);
    if (!w->root[slot])
        return;
    pagestore_restore(w->base, w->root[slot], &ram);
    new_base(w, w->root[slot]);
    cr_assert(!memcmp(ram.host, w->copy[slot], ram.size), "restored RAM differs");
    cr_assert_eq(ram.dirty_count, 0);
}

/* As pageroot_diff, three at a time. */
static void compare_in_steps(const struct pageroot *a, const struct pageroot *b,
                             const uint64_t *page, size_t count)
{
    uint64_t few[3] = {0}, from = 0;
    for (size_t i = 0; i < count;) {
        size_t n = pageroot_diff_from(a, b, from, few, 3);
        cr_assert_eq(n, count - i < 3 ? count - i : 3);
        cr_assert(!memcmp(few, page + i, n * sizeof *few));
        from = few[n - 1] + 1;
        i += n;
    }
    cr_assert_eq(pageroot_diff_from(a, b, from, few, 3), 0);
}

/* From one tree to the other, page by page, one way or another, some of them twice. */
static void edit(struct world *w, size_t a, size_t b, const uint64_t *page, size_t count)
{
    struct pageroot *from = w->root[a], *to = w->root[b];
    struct pageroot_edit *e = pageroot_edit_new(from);
    struct pageroot_edit *other = pageroot_edit_new(to);
    for (size_t i = count; i-- > 0;) {
        const uint8_t *bytes = pageroot_page(to, page[i]);
        cr_assert(!pageroot_same(from, to, page[i]));
        if (chance(w, 3) == 0)
            pageroot_edit_put(e, page[i], chance(w, 2) ? NULL : w->copy[a]);
        if (chance(w, 2))
            pageroot_edit_share(e, page[i], to);
        else
            pageroot_edit_put(e, page[i], bytes);
        if (chance(w, 2))
            pageroot_edit_put(other, page[i], NULL);
        pageroot_edit_share(other, page[i], to);
    }
    struct pageroot *made = pageroot_edit_done(e), *same = pageroot_edit_done(other);
    cr_assert_eq(pageroot_digest(made), pageroot_digest(to));
    cr_assert_eq(pageroot_frames(made), pageroot_frames(to));
    cr_assert(root_equals(made, w->copy[b], w->pages));
    cr_assert_eq(pageroot_diff(made, to, NULL, 0), 0);
    cr_assert_eq(pageroot_frames(same), pageroot_frames(to));
    cr_assert_eq(pageroot_diff(same, to, NULL, 0), 0);
    cr_assert(root_equals(from, w->copy[a], w->pages), "the base stays as it is");
    pageroot_unref(store, made);
    pageroot_unref(store, same);
}

static void compare(struct world *w)
{
    size_t a = chance(w, KEPT), b = chance(w, KEPT);
    if (!w->root[a] || !w->root[b])
        return;
    cr_assert(root_equals(w->root[a], w->copy[a], w->pages), "a kept tree has changed");
    uint64_t *page = mem_new(w->pages, sizeof *page);
    size_t found = pageroot_diff(w->root[a], w->root[b], page, w->pages), expected = 0;
    for (uint64_t i = 0; i < w->pages; i++)
        if (memcmp(w->copy[a] + i * RAM_PAGE_SIZE, w->copy[b] + i * RAM_PAGE_SIZE, RAM_PAGE_SIZE)) {
            cr_assert_lt(expected, found);
            cr_assert_eq(page[expected], i);
            expected++;
        }
    cr_assert_eq(found, expected);
    uint64_t few[2] = {UINT64_MAX, UINT64_MAX};
    cr_assert_eq(pageroot_diff(w->root[a], w->root[b], few, 1), expected,
                 "the limit bounds no count");
    cr_assert_eq(few[0], expected ? page[0] : UINT64_MAX);
    cr_assert_eq(few[1], UINT64_MAX);
    compare_in_steps(w->root[a], w->root[b], page, found);
    edit(w, a, b, page, found);
    free(page);
}

static void random_world(uint64_t pages, uint64_t seed, unsigned rounds)
{
    open_store(pages);
    struct world w = {.pages = pages, .random = seed, .base = pageroot_empty(store, ram.pages)};
    for (unsigned round = 0; round < rounds; round++) {
        write_some(&w);
        switch (chance(&w, 4)) {
        case 0:
            go_back(&w);
            break;
        case 1:
            compare(&w);
            break;
        default:
            keep(&w);
        }
    }
    for (size_t i = 0; i < KEPT; i++) {
        if (w.root[i])
            pageroot_unref(store, w.root[i]);
        free(w.copy[i]);
    }
    pageroot_unref(store, w.base);
    close_store();
}

Test(pagestore, random_walks)
{
    random_world(1, 1, 100);
    random_world(16, 2, 300);
    random_world(17, 3, 300);
    random_world(300, 4, 300);
    random_world(5000, 5, 60);
}

Test(pagestore, empty_tree)
{
    open_store(100);
    struct pageroot *empty = pageroot_empty(store, ram.pages);
    cr_expect_eq(pageroot_digest(empty), 0);
    cr_expect_null(pageroot_page(empty, 99));
    struct pageroot *again = pagestore_capture(store, empty, &ram);
    cr_expect_eq(again, empty, "nothing dirty: the same tree");
    cr_expect_eq(pageroot_edit_done(pageroot_edit_new(empty)), empty, "nothing put");
    pageroot_unref(store, empty);
    pageroot_unref(store, again);
    pageroot_unref(store, empty);
    close_store();
}

Test(pagestore, zeroes_take_no_memory)
{
    open_store(5000);
    struct pageroot *empty = pageroot_empty(store, ram.pages);
    size_t before = pagestore_bytes(store);
    fill(4321, 7);
    struct pageroot *one = pagestore_capture(store, empty, &ram);
    cr_expect_gt(pagestore_bytes(store), before + RAM_PAGE_SIZE);
    ram_clear_dirty(&ram);
    fill(4321, 0);
    struct pageroot *none = pagestore_capture(store, one, &ram);
    cr_expect_eq(pageroot_digest(none), 0);
    cr_expect_eq(pageroot_diff(empty, none, NULL, 0), 0);
    pageroot_unref(store, one);
    cr_expect_lt(pagestore_bytes(store), before + 100, "nodes without pages are dropped");
    pageroot_unref(store, none);
    cr_expect_eq(pagestore_bytes(store), before);
    pageroot_unref(store, empty);
    close_store();
}

Test(pagestore, a_single_byte_is_no_zero_page)
{
    open_store(8);
    struct pageroot *empty = pageroot_empty(store, ram.pages);
    uint8_t ones[RAM_PAGE_SIZE];
    memset(ones, 1, sizeof ones);
    ram_write(&ram, address(0), ones, 1);
    ram_write(&ram, address(1) + 7, ones, 1);
    ram_write(&ram, address(2) + 8, ones, 1);
    ram_write(&ram, address(3) + RAM_PAGE_SIZE - 1, ones, 1);
    ram_write(&ram, address(4), ones, sizeof ones);
    struct pageroot *root = pagestore_capture(store, empty, &ram);
    cr_expect(root_equals(root, ram.host, 8));
    cr_expect_eq(pageroot_digest(root), digest_of(ram.host, 8));
    cr_expect_eq(pageroot_diff(root, empty, NULL, 0), 5);
    pagestore_restore(root, empty, &ram);
    for (uint64_t page = 0; page < 8; page++)
        cr_expect(is_zero(ram_at(&ram, address(page))));
    pageroot_unref(store, root);
    pageroot_unref(store, empty);
    close_store();
}

Test(pagestore, trees_share_what_is_equal)
{
    open_store(4096);
    struct pageroot *empty = pageroot_empty(store, ram.pages);
    for (uint64_t page = 0; page < 1000; page++)
        fill(page, page + 1);
    struct pageroot *all = pagestore_capture(store, empty, &ram);
    size_t before = pagestore_bytes(store);
    ram_clear_dirty(&ram);
    for (uint64_t page = 32; page < 48; page++)
        fill(page, page + 5000); /* the 16 pages of one leaf */
    fill(500, 501);              /* the old content */
    struct pageroot *other = pagestore_capture(store, all, &ram);
    size_t more = pagestore_bytes(store) - before;
    cr_expect_lt(more, 16 * (RAM_PAGE_SIZE + 24) + 3 * 152 + 100, "one path for a leaf: %zu bytes",
                 more);
    cr_expect_eq(pageroot_page(all, 500), pageroot_page(other, 500), "the same frame");
    pageroot_unref(store, all);
    cr_expect_eq(pageroot_page(other, 999)[0], ram.host[999 << RAM_PAGE_BITS]);
    pageroot_unref(store, other);
    pageroot_unref(store, empty);
    close_store();
}

/* Two ways to the same contents: the same digest, no difference. */
Test(pagestore, digest_knows_no_history)
{
    open_store(700);
    struct pageroot *empty = pageroot_empty(store, ram.pages);
    for (uint64_t page = 0; page < 700; page += 3)
        fill(page, page + 1);
    struct pageroot *at_once = pagestore_capture(store, empty, &ram);

    struct pageroot *base = pageroot_ref(empty);
    for (uint64_t i = 0; i < 2 * 700; i++) {
        uint64_t page = 699 - i % 700;
        bool last = i >= 700;
        ram_mark_dirty(&ram, page);
        if (!last)
            fill(page, i + 12345);
        else
            fill(page, page % 3 ? 0 : page + 1);
        if (i % 10 == 0 || i == 2 * 700 - 1) {
            struct pageroot *next = pagestore_capture(store, base, &ram);
            pageroot_unref(store, base);
            base = next;
        }
    }
    cr_expect_eq(pageroot_digest(base), pageroot_digest(at_once));
    cr_expect_eq(pageroot_diff(base, at_once, NULL, 0), 0);
    cr_expect_neq(pageroot_digest(base), 0);
    pageroot_unref(store, base);
    pageroot_unref(store, at_once);
    pageroot_unref(store, empty);
    close_store();
}

static void count_change(void *ctx, uint64_t page, unsigned offset, unsigned size)
{
    (void)offset;
    (void)size;
    ((unsigned *)ctx)[page]++;
}

/* A restore replaces only pages whose content differs: decoded code of the others is kept. */
Test(pagestore, restore_touches_only_what_differs)
{
    open_store(64);
    struct pageroot *empty = pageroot_empty(store, ram.pages);
    for (uint64_t page = 0; page < 10; page++)
        fill(page, page + 1);
    struct pageroot *first = pagestore_capture(store, empty, &ram);
    ram_clear_dirty(&ram);
    fill(3, 99);
    fill(20, 99);
    fill(5, 99);
    struct pageroot *middle = pagestore_capture(store, first, &ram);
    ram_clear_dirty(&ram);
    fill(5, 6); /* back to what it was: another frame, equal content */
    struct pageroot *second = pagestore_capture(store, middle, &ram);
    ram_clear_dirty(&ram);
    fill(7, 8); /* dirty, content as it was */
    fill(8, 99);
    fill(20, 100); /* dirty, and the trees differ */

    unsigned changed[64] = {0};
    ram.changed = count_change;
    ram.changed_ctx = changed;
    for (uint64_t page = 0; page < 64; page++)
        ram.flags[page] |= RAM_CODE;
    pagestore_restore(second, first, &ram);
    for (uint64_t page = 0; page < 64; page++)
        cr_expect_eq(changed[page], page == 3 || page == 8 || page == 20, "page %zu: %u times",
                     (size_t)page, changed[page]);
    cr_expect_eq(digest_of(ram.host, 64), pageroot_digest(first));
    pageroot_unref(store, second);
    pageroot_unref(store, middle);
    pageroot_unref(store, first);
    pageroot_unref(store, empty);
    close_store();
}

/* 8 GiB of guest RAM: memory in proportion to what is used, pages far apart. */
Test(pagestore, large_ram)
{
    uint64_t pages = UINT64_C(1) << 21;
    open_store(pages);
    cr_expect_lt(baseline, 4096);
    struct pageroot *empty = pageroot_empty(store, ram.pages);
    static const uint64_t used[] = {0, 15, 16, 255, 256, 65536, 1000000, (1 << 21) - 1};
    enum { USED = sizeof used / sizeof *used };
    for (size_t i = 0; i < USED; i++)
        fill(used[i], used[i] + 1);
    struct pageroot *root = pagestore_capture(store, empty, &ram);
    ram_clear_dirty(&ram);
    cr_expect_lt(pagestore_bytes(store) - baseline, USED * (RAM_PAGE_SIZE + 24 + 6 * 152) + 200);

    uint64_t expected = 0, found[USED];
    for (size_t i = 0; i < USED; i++)
        expected += hash_mix(hash_bytes(ram_at(&ram, address(used[i])), RAM_PAGE_SIZE, 0) ^
                             hash_mix(used[i]));
    cr_expect_eq(pageroot_digest(root), expected);
    cr_expect_eq(pageroot_diff(empty, root, found, USED), USED);
    cr_expect_arr_eq(found, used, sizeof used);

    pagestore_restore(root, empty, &ram);
    for (size_t i = 0; i < USED; i++)
        cr_expect(is_zero(ram_at(&ram, address(used[i]))));
    pagestore_restore(empty, root, &ram);
    for (size_t i = 0; i < USED; i++)
        cr_expect(
            !memcmp(ram_at(&ram, address(used[i])), pageroot_page(root, used[i]), RAM_PAGE_SIZE));
    pageroot_unref(store, root);
    pageroot_unref(store, empty);
    close_store();
}
