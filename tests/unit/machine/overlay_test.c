#include "machine/overlay.h"

#include "base/hash.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

enum { PAGES = 300 };

/* What the overlay ought to hold, and what a checkpoint would hold below it. */
struct model {
    bool has[PAGES];
    uint8_t bytes[PAGES][OVERLAY_PAGE_SIZE];
};

static struct model now, below;
static struct overlay overlay;
static unsigned restores;

static const uint8_t *page_below(const void *ctx, uint64_t page)
{
    const struct model *model = ctx;
    return model->has[page] ? model->bytes[page] : NULL;
}

static void restored(void *ctx)
{
    (void)ctx;
    restores++;
}

static void init(void)
{
    overlay_init(&overlay, "disk0", PAGES);
    overlay.restored = restored;
}

static void fini(void)
{
    overlay_fini(&overlay);
}

TestSuite(overlay, .init = init, .fini = fini);

static void expect_model(void)
{
    for (uint64_t page = 0; page < PAGES; page++) {
        const uint8_t *bytes = overlay_page(&overlay, page);
        cr_assert_eq(bytes != NULL, now.has[page], "page %zu", (size_t)page);
        cr_assert(!bytes || !memcmp(bytes, now.bytes[page], OVERLAY_PAGE_SIZE), "page %zu",
                  (size_t)page);
    }
}

static void write_page(uint64_t page, uint64_t random)
{
    bool fresh;
    uint8_t *bytes = overlay_write(&overlay, page, &fresh);
    cr_assert_eq(fresh, !now.has[page]);
    if (fresh)
        memset(now.bytes[page], (int)(random >> 8), OVERLAY_PAGE_SIZE);
    else
        now.bytes[page][random % OVERLAY_PAGE_SIZE]++;
    now.has[page] = true;
    if (fresh)
        memset(bytes, (int)(random >> 8), OVERLAY_PAGE_SIZE);
    else
        bytes[random % OVERLAY_PAGE_SIZE]++;
}

static void zero_page(uint64_t page)
{
    overlay_zero(&overlay, page);
    now.has[page] = true;
    memset(now.bytes[page], 0, OVERLAY_PAGE_SIZE);
}

/* Writes, zeroes, checkpoints and restores at random, against flat arrays. */
Test(overlay, holds_what_was_written)
{
    uint64_t random = 5;
    for (unsigned round = 0; round < 20000; round++) {
        random = hash_mix(random + round);
        uint64_t page = (random >> 32) % PAGES;
        if (random % 1000 == 0) {
            /* A checkpoint: what there is goes below. */
            below = now;
            overlay.below = page_below;
            overlay.below_ctx = &below;
            overlay_clear_dirty(&overlay);
            cr_assert_eq(overlay.dirty_count, 0);
        } else if (random % 1000 == 1) {
            unsigned before = restores;
            now = below;
            overlay_restored(&overlay);
            cr_assert_eq(restores, before + 1);
        } else if (random % 3 == 0) {
            zero_page(page);
        } else {
            write_page(page, random >> 8);
        }
        if (round % 100 == 0)
            expect_model();
    }
    expect_model();
    cr_expect_gt(restores, 3);
}

Test(overlay, empty_has_the_background)
{
    expect_model();
    cr_expect_eq(overlay.dirty_count, 0);
}

Test(overlay, pages_of_a_checkpoint_are_not_written)
{
    static struct model copy;
    below.has[7] = true;
    memset(below.bytes[7], 0x77, OVERLAY_PAGE_SIZE);
    copy = below;
    overlay.below = page_below;
    overlay.below_ctx = &below;
    bool fresh;
    uint8_t *bytes = overlay_write(&overlay, 7, &fresh);
    cr_expect(!fresh, "it has the checkpoint's content");
    cr_expect_eq(bytes[4095], 0x77);
    bytes[0] = 1;
    overlay_zero(&overlay, 7);
    cr_expect_eq(overlay_page(&overlay, 7)[4095], 0);
    bytes = overlay_write(&overlay, 7, &fresh);
    cr_expect(!fresh, "zeroes are a content");
    cr_expect_eq(bytes[4095], 0);
    bytes[4095] = 3;
    cr_expect(!memcmp(&copy, &below, sizeof copy));
    overlay_clear_dirty(&overlay);
    cr_expect_eq(overlay_page(&overlay, 7)[4095], 0x77);
}

Test(overlay, memory)
{
    size_t empty = overlay_dirty_bytes(&overlay);
    bool fresh;
    for (uint64_t page = 0; page < PAGES; page++)
        memset(overlay_write(&overlay, page, &fresh), 1, OVERLAY_PAGE_SIZE);
    cr_expect_eq(overlay.dirty_count, PAGES);
    cr_expect_geq(overlay_dirty_bytes(&overlay), empty + PAGES * OVERLAY_PAGE_SIZE);
    cr_expect_leq(overlay_dirty_bytes(&overlay), empty + PAGES * (OVERLAY_PAGE_SIZE + 64));
    for (uint64_t page = 0; page < PAGES; page++)
        overlay_zero(&overlay, page);
    size_t zeroed = overlay_dirty_bytes(&overlay);
    cr_expect_leq(zeroed, empty + PAGES * 64, "zeroes cost no page");
    overlay_write(&overlay, 5, &fresh)[0] = 1;
    cr_expect_eq(overlay_page(&overlay, 4)[0], 0, "each page is its own");
    cr_expect_eq(overlay_dirty_bytes(&overlay), zeroed + OVERLAY_PAGE_SIZE);
    overlay_clear_dirty(&overlay);
    cr_expect_eq(overlay_dirty_bytes(&overlay), empty);
}

/* Page numbers of a large disk, the last one too. */
Test(overlay, large)
{
    struct overlay large;
    overlay_init(&large, "large", (uint64_t)UINT32_MAX + 1);
    bool fresh;
    for (unsigned bit = 0; bit < 32; bit++)
        overlay_write(&large, UINT64_C(1) << bit, &fresh)[0] = (uint8_t)(bit + 1);
    overlay_write(&large, UINT32_MAX, &fresh)[0] = 99;
    for (unsigned bit = 0; bit < 32; bit++)
        cr_expect_eq(overlay_page(&large, UINT64_C(1) << bit)[0], bit + 1);
    cr_expect_eq(overlay_page(&large, UINT32_MAX)[0], 99);
    cr_expect_null(overlay_page(&large, 0));
    overlay_fini(&large);
    overlay_fini(&large);
}
