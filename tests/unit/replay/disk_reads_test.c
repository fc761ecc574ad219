#include "replay/disk_reads.h"

#include "base/hash.h"

#include <criterion/criterion.h>
#include <string.h>

/* A host whose block holds its number, disk and generation. */
struct fake {
    unsigned generation;
    bool fails;
    unsigned reads;
};

static bool fake_read(void *ctx, unsigned disk, uint64_t block, uint8_t *bytes)
{
    struct fake *fake = ctx;
    fake->reads++;
    if (fake->fails)
        return false;
    memset(bytes, (int)fake->generation, DISK_BLOCK);
    memcpy(bytes, &block, sizeof block);
    bytes[4000] = (uint8_t)disk;
    return true;
}

static const char *fake_name(void *ctx, unsigned disk)
{
    (void)ctx;
    return disk == 2 ? "root.img" : "other.img";
}

static struct fake fake;
static struct disk_reads *reads;
static struct error err;
static uint8_t bytes[DISK_BLOCK];

static void init(void)
{
    const struct disk_host host = {fake_read, fake_name, &fake};
    reads = disk_reads_new(&host);
}

static void fini(void)
{
    disk_reads_free(reads);
}

TestSuite(disk_reads, .init = init, .fini = fini);

static enum disk_read read_block(unsigned disk, uint64_t block, bool record)
{
    memset(bytes, 0xcc, sizeof bytes);
    return disk_reads_block(reads, disk, block, bytes, record, &err);
}

static void expect_block(unsigned disk, uint64_t block)
{
    uint8_t expected[DISK_BLOCK];
    fake_read(&fake, disk, block, expected);
    cr_expect_arr_eq(bytes, expected, sizeof bytes);
}

Test(disk_reads, the_first_read_is_noted)
{
    cr_expect_eq(read_block(2, 5, true), DISK_READ_OK);
    expect_block(2, 5);
    cr_expect_eq(disk_reads_count(reads), 1);
    cr_expect_eq(read_block(2, 5, true), DISK_READ_OK);
    expect_block(2, 5);
    cr_expect_eq(read_block(2, 5, false), DISK_READ_OK, "in a replay too");
    expect_block(2, 5);
    cr_expect_eq(disk_reads_count(reads), 1);
}

Test(disk_reads, a_replay_reads_nothing_new)
{
    cr_expect_eq(read_block(0, 5, false), DISK_READ_FIRST);
    cr_expect_eq(read_block(0, 5, false), DISK_READ_FIRST, "and notes nothing");
    cr_expect_eq(disk_reads_count(reads), 0);
    cr_expect_eq(read_block(0, 5, true), DISK_READ_OK);
    cr_expect_eq(read_block(1, 5, false), DISK_READ_FIRST, "disks are apart");
    cr_expect_eq(err.code, ERROR_NONE);
}

Test(disk_reads, a_changed_image_is_named)
{
    cr_expect_eq(read_block(2, 7, true), DISK_READ_OK);
    fake.generation++;
    cr_expect_eq(read_block(2, 7, true), DISK_READ_CHANGED);
    cr_expect_eq(err.code, ERROR_DIVERGED);
    cr_expect_str_eq(err.message, "disk image root.img has changed: block 7 (bytes 28672 to 32767) "
                                  "is not the same as when the guest first read it");
    err = (struct error)ERROR_INIT;
    cr_expect_eq(read_block(2, 7, false), DISK_READ_CHANGED, "in a replay too");
    cr_expect_eq(err.code, ERROR_DIVERGED);
    fake.generation--;
    cr_expect_eq(read_block(2, 7, false), DISK_READ_OK, "and is right again");
}

Test(disk_reads, a_block_that_cannot_be_read_any_more_has_changed)
{
    cr_expect_eq(read_block(3, 0, true), DISK_READ_OK);
    fake.fails = true;
    cr_expect_eq(read_block(3, 0, false), DISK_READ_CHANGED);
    cr_expect_str_eq(err.message, "disk image other.img has changed: block 0 (bytes 0 to 4095) "
                                  "cannot be read as when the guest first read it");
}

Test(disk_reads, a_failed_read_stays_failed)
{
    fake.fails = true;
    cr_expect_eq(read_block(0, 1, true), DISK_READ_FAILED);
    fake.fails = false;
    unsigned before = fake.reads;
    cr_expect_eq(read_block(0, 1, true), DISK_READ_FAILED);
    cr_expect_eq(read_block(0, 1, false), DISK_READ_FAILED);
    cr_expect_eq(fake.reads, before, "the host is not asked again");
    cr_expect_eq(disk_reads_count(reads), 1);
    cr_expect_eq(err.code, ERROR_NONE);
}

/* Enough blocks for the table to grow, of all disks. */
Test(disk_reads, many)
{
    enum { BLOCKS = 3000 };
    size_t empty = disk_reads_bytes(reads);
    for (uint64_t block = 0; block < BLOCKS; block++)
        for (unsigned disk = 0; disk < DISKS; disk++)
            cr_assert_eq(read_block(disk, block << 20, true), DISK_READ_OK);
    cr_expect_eq(disk_reads_count(reads), BLOCKS * DISKS);
    cr_expect_gt(disk_reads_bytes(reads), empty);
    cr_expect_leq(disk_reads_bytes(reads), empty + (size_t)BLOCKS * DISKS * 64);
    for (uint64_t block = 0; block < BLOCKS; block++)
        for (unsigned disk = 0; disk < DISKS; disk++)
            cr_assert_eq(read_block(disk, block << 20, false), DISK_READ_OK);
    cr_expect_eq(read_block(0, 1, false), DISK_READ_FIRST);
    fake.generation++;
    cr_expect_eq(read_block(7, (uint64_t)(BLOCKS - 1) << 20, false), DISK_READ_CHANGED);
}

Test(disk_reads, a_host_without_images)
{
    struct disk_reads *none = disk_reads_new(&(struct disk_host){0});
    cr_expect_eq(disk_reads_block(none, 0, 0, bytes, true, &err), DISK_READ_FAILED);
    cr_expect_eq(disk_reads_block(none, 0, 0, bytes, false, &err), DISK_READ_FAILED);
    disk_reads_free(none);
}

/* ---- recordings ---- */

/* Random reads, first ones and others, some of which fail. */
static void read_at_random(uint64_t seed, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        uint64_t random = hash_mix(seed + i + 1);
        fake.fails = random % 7 == 0;
        uint64_t block = random >> 8 & 255;
        read_block((unsigned)(random >> 32) % DISKS, random & 1 << 20 ? block : block << 40, true);
        fake.fails = false;
    }
}

static bool is_known(uint64_t before, const struct disk_first_read *read)
{
    for (uint64_t i = 0; i < before; i++) {
        struct disk_first_read other = disk_reads_get(reads, i);
        if (other.disk == read->disk && other.block == read->block)
            return true;
    }
    return false;
}

Test(disk_reads, first_reads_are_told_in_order)
{
    read_block(2, 9, true);
    read_block(1, 9, true);
    read_block(2, 9, true);
    fake.fails = true;
    read_block(7, UINT64_C(1) << 50, true);
    cr_assert_eq(disk_reads_count(reads), 3);
    struct disk_first_read first = disk_reads_get(reads, 0), second = disk_reads_get(reads, 1),
                           third = disk_reads_get(reads, 2);
    cr_expect(first.disk == 2 && first.block == 9 && !first.failed);
    cr_expect(second.disk == 1 && second.block == 9 && !second.failed);
    cr_expect_neq(first.hash, second.hash);
    cr_expect(third.disk == 7 && third.block == UINT64_C(1) << 50);
    cr_expect(third.failed && third.hash == 0);
    /* The hash is of the contents alone. */
    fake_read(&(struct fake){0}, 2, 9, bytes);
    cr_expect_eq(first.hash, hash_bytes(bytes, DISK_BLOCK, 0));
}

/* What one run has read another one knows from a recording. */
Test(disk_reads, noted_reads_are_as_good_as_made)
{
    read_at_random(1, 3000);
    uint64_t count = disk_reads_count(reads);
    cr_assert_gt(count, 1500);
    struct disk_reads *noted = disk_reads_new(&(struct disk_host){fake_read, fake_name, &fake});
    for (uint64_t i = 0; i < count; i++) {
        struct disk_first_read read = disk_reads_get(reads, i);
        cr_assert_not(is_known(i < 100 ? i : 100, &read));
        cr_assert(disk_reads_note(noted, &read));
        cr_assert_not(disk_reads_note(noted, &read), "none twice");
    }
    cr_expect_eq(disk_reads_count(noted), count);
    cr_expect_eq(disk_reads_bytes(noted), disk_reads_bytes(reads));
    for (uint64_t i = 0; i < count; i++) {
        struct disk_first_read a = disk_reads_get(reads, i), b = disk_reads_get(noted, i);
        cr_assert(a.disk == b.disk && a.block == b.block && a.hash == b.hash &&
                  a.failed == b.failed);
        enum disk_read expected = a.failed ? DISK_READ_FAILED : DISK_READ_OK;
        cr_assert_eq(disk_reads_block(noted, a.disk, a.block, bytes, false, &err), expected);
        if (!a.failed)
            expect_block(a.disk, a.block);
    }
    cr_expect_eq(disk_reads_block(noted, 0, 1000, bytes, false, &err), DISK_READ_FIRST);
    cr_expect_eq(disk_reads_block(noted, 0, 1000, bytes, true, &err), DISK_READ_OK);
    cr_expect_eq(disk_reads_get(noted, count).block, 1000, "a run goes on");
    disk_reads_free(noted);
}

Test(disk_reads, what_cannot_be_is_not_noted)
{
    const struct disk_first_read bad[] = {
        {.disk = DISKS, .hash = 77},
        {.disk = UINT32_MAX, .hash = 77},
        {.block = UINT64_MAX, .hash = 77},
        {.block = UINT64_C(1) << 61, .hash = 77},
        {.hash = 0},
        {.hash = 1},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_expect_not(disk_reads_note(reads, &bad[i]), "%zu", i);
    cr_expect_eq(disk_reads_count(reads), 0);
    cr_expect(disk_reads_note(reads, &(struct disk_first_read){.disk = 3, .failed = true}));
    cr_expect(disk_reads_note(reads, &(struct disk_first_read){.disk = 3, .block = 1, .hash = 2}));
    cr_expect_eq(read_block(3, 1, false), DISK_READ_CHANGED, "of other contents");
    struct disk_first_read last = {.block = (UINT64_C(1) << 61) - 2, .disk = 7, .hash = 77};
    cr_expect(disk_reads_note(reads, &last));
    cr_expect_eq(disk_reads_get(reads, 2).block, last.block);
}

Test(disk_reads, read_again_for_a_recording)
{
    read_at_random(2, 500);
    for (uint64_t i = 0; i < disk_reads_count(reads); i++) {
        struct disk_first_read read = disk_reads_get(reads, i);
        unsigned before = fake.reads;
        enum disk_read result = disk_reads_again(reads, i, bytes, &err);
        cr_assert_eq(result, read.failed ? DISK_READ_FAILED : DISK_READ_OK);
        cr_assert_eq(fake.reads, before + !read.failed);
        if (!read.failed)
            expect_block(read.disk, read.block);
    }
    cr_expect_eq(err.code, ERROR_NONE);
    uint64_t i = 0;
    while (disk_reads_get(reads, i).failed)
        i++;
    fake.generation++;
    cr_expect_eq(disk_reads_again(reads, i, bytes, &err), DISK_READ_CHANGED);
    cr_expect_eq(err.code, ERROR_DIVERGED);
    fake.generation--;
    fake.fails = true;
    cr_expect_eq(disk_reads_again(reads, i, bytes, &err), DISK_READ_CHANGED);
}
