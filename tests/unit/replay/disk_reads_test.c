#include "replay/disk_reads.h"

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
