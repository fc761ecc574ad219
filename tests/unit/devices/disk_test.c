#include "devices/disk.h"

#include "tests/unit/devices/disk_bench.h"

enum { BYTES = 37 * DISK_BLOCK + 3 * DISK_SECTOR, SPAN = 5 * DISK_BLOCK };

static struct bench b;
static struct disk_bench images;
static struct disk disk;
static uint8_t flat[BYTES]; /* what the guest ought to see */

static void init(void)
{
    bench_init(&b, 1);
    disk_bench_init(&images, &b, BYTES);
    disk_init(&disk, &b.m, 0, BYTES, false);
    memcpy(flat, images.image, BYTES);
}

static void fini(void)
{
    disk_fini(&disk);
    disk_bench_fini(&images);
    bench_fini(&b);
}

TestSuite(disk, .init = init, .fini = fini);

/* The pages that checkpoints hold. */
struct below {
    uint8_t *page[38];
};

static const uint8_t *page_below(const void *ctx, uint64_t page)
{
    return ((const struct below *)ctx)->page[page];
}

/* As a checkpoint does: the pages written go below. */
static void checkpoint(struct below *below)
{
    for (uint64_t page = 0; page < disk.overlay.pages; page++) {
        const uint8_t *bytes = overlay_page(&disk.overlay, page);
        if (!bytes || bytes == below->page[page])
            continue;
        if (!below->page[page])
            below->page[page] = malloc(OVERLAY_PAGE_SIZE);
        memcpy(below->page[page], bytes, OVERLAY_PAGE_SIZE);
    }
    disk.overlay.below = page_below;
    disk.overlay.below_ctx = below;
    overlay_clear_dirty(&disk.overlay);
}

static void do_one(uint64_t random, uint64_t offset, uint64_t size)
{
    static uint8_t bytes[SPAN];
    switch (random % 4) {
    case 0:
        cr_assert(disk_zero(&disk, offset, size));
        memset(flat + offset, 0, size);
        break;
    case 1:
        for (uint64_t i = 0; i < size; i++)
            bytes[i] = (uint8_t)hash_mix(random + i);
        cr_assert(disk_write(&disk, offset, bytes, size));
        memcpy(flat + offset, bytes, size);
        break;
    default:
        memset(bytes, 0xee, sizeof bytes);
        cr_assert(disk_read(&disk, offset, bytes, size));
        cr_assert(!memcmp(bytes, flat + offset, size), "%zu bytes at %zu", (size_t)size,
                  (size_t)offset);
        cr_assert(size == SPAN || bytes[size] == 0xee);
    }
}

Test(disk, is_a_flat_array_of_bytes)
{
    struct below below = {0};
    uint64_t random = 11;
    for (unsigned round = 0; round < 20000; round++) {
        random = hash_mix(random + round);
        uint64_t offset = (random >> 8) % (BYTES + 1), size = (random >> 32) % (SPAN + 1);
        if (size > BYTES - offset)
            size = BYTES - offset;
        if (random >> 60 == 0) { /* whole pages */
            offset &= ~UINT64_C(4095);
            size &= ~UINT64_C(4095);
        }
        memset(images.reads_of, 0, sizeof images.reads_of);
        do_one(random, offset, size);
        for (unsigned i = 0; i < DISK_BENCH_BLOCKS; i++)
            cr_assert_leq(images.reads_of[i], 1, "block %u was read more than once", i);
        if (round % 500 == 0)
            checkpoint(&below);
    }
    cr_expect_eq(images.behind, 0, "nothing behind the end was read");
    for (unsigned i = 0; i < 38; i++)
        free(below.page[i]);
}

Test(disk, whole_blocks_are_written_without_reading)
{
    uint8_t bytes[3 * DISK_BLOCK];
    memset(bytes, 5, sizeof bytes);
    cr_assert(disk_write(&disk, DISK_BLOCK, bytes, sizeof bytes));
    cr_assert(disk_zero(&disk, 9 * DISK_BLOCK, 3 * DISK_BLOCK));
    /* The last block, as far as there is one. */
    cr_assert(disk_zero(&disk, 37 * DISK_BLOCK, BYTES - 37 * DISK_BLOCK));
    cr_expect_eq(images.reads, 0);
    cr_assert(disk_write(&disk, 100, bytes, 1));
    cr_expect_eq(images.reads, 1, "the rest of a block comes from the image");
    cr_assert(disk_write(&disk, 200, bytes, 1));
    cr_assert(disk_read(&disk, 0, bytes, DISK_BLOCK));
    cr_expect_eq(images.reads, 1, "and is then the overlay's");
}

/* What is behind the end is zeroes in the page, whatever was written before. */
Test(disk, tail)
{
    uint8_t bytes[BYTES - 37 * DISK_BLOCK];
    memset(bytes, 7, sizeof bytes);
    cr_assert(disk_write(&disk, 37 * DISK_BLOCK, bytes, sizeof bytes));
    const uint8_t *page = overlay_page(&disk.overlay, 37);
    cr_expect_eq(page[sizeof bytes - 1], 7);
    for (size_t i = sizeof bytes; i < OVERLAY_PAGE_SIZE; i++)
        cr_assert_eq(page[i], 0);
    cr_expect(disk_contains(&disk, BYTES, 0));
    cr_expect(disk_contains(&disk, BYTES - 1, 1));
    cr_expect(!disk_contains(&disk, BYTES, 1));
    cr_expect(!disk_contains(&disk, UINT64_MAX, 2));
    cr_expect(!disk_contains(&disk, 2, UINT64_MAX));
}

/* An error of the host's leaves the page what it was. */
Test(disk, host_errors)
{
    uint8_t bytes[2 * DISK_BLOCK] = {0};
    images.fails[3] = true;
    cr_expect(!disk_read(&disk, 3 * DISK_BLOCK + 10, bytes, 5));
    cr_expect(!disk_read(&disk, 2 * DISK_BLOCK, bytes, sizeof bytes));
    cr_expect(!memcmp(bytes, images.image + 2 * DISK_BLOCK, DISK_BLOCK));
    cr_expect(!disk_write(&disk, 3 * DISK_BLOCK + 10, bytes, 5));
    cr_expect(!disk_zero(&disk, 3 * DISK_BLOCK, 5));
    cr_expect_null(overlay_page(&disk.overlay, 3));
    cr_expect_eq(disk.overlay.dirty_count, 0);
    /* A whole block needs nothing of the host's. */
    cr_expect(disk_write(&disk, 3 * DISK_BLOCK, bytes, DISK_BLOCK));
    cr_expect(disk_read(&disk, 3 * DISK_BLOCK + 10, bytes, 5));
}

/* A guest that discards a whole disk costs no such memory. */
Test(disk, zeroes_are_cheap)
{
    struct disk large;
    disk_init(&large, &b.m, 7, UINT64_C(1) << 30, true);
    cr_expect(disk_zero(&large, 0, large.bytes));
    cr_expect_lt(overlay_dirty_bytes(&large.overlay), 64 << 20);
    cr_expect_str_eq(large.overlay.name, "disk7");
    cr_expect(large.read_only);
    cr_expect_eq(b.m.overlays, 2);
    cr_expect_eq(b.m.overlay[1], &large.overlay);
    disk_fini(&large);
}
