/* Overlays in checkpoints, together with RAM. */
#include "tests/unit/checkpoints/overlay_rig.h"

#include <criterion/criterion.h>
#include <stdlib.h>

enum { KEPT = 10 };

static struct rig rig, other;
static struct model now;

static void init(void)
{
    rig_init(&rig);
    now = (struct model){0};
    memcpy(now.ram, rig.toy.machine.ram.host, sizeof now.ram);
}

static void fini(void)
{
    rig_fini(&rig);
}

TestSuite(overlays, .init = init, .fini = fini);

/* Which digest each content had. */
struct seen {
    uint64_t content;
    struct digest digest;
};

static uint64_t content_of(const struct model *model)
{
    uint64_t hash = hash_bytes(model->ram, sizeof model->ram, 0);
    for (unsigned i = 0; i < OVERLAYS; i++)
        for (unsigned page = 0; page < PAGES; page++)
            if (model->has[i][page])
                hash = hash_bytes(model->bytes[i][page], OVERLAY_PAGE_SIZE,
                                  hash_mix(hash + number_of(i, page) + i + 1));
    return hash;
}

static unsigned note_seen(struct seen *seen, unsigned count, const struct digest *digest)
{
    uint64_t content = content_of(&now);
    for (unsigned i = 0; i < count; i++)
        cr_assert_eq(digest_equal(&seen[i].digest, digest), seen[i].content == content,
                     "equal contents have equal digests, others others");
    seen[count] = (struct seen){content, *digest};
    return count + 1;
}

/* Writes, takes, restores and frees at random against full copies. */
Test(overlays, random_walk)
{
    enum { ROUNDS = 6000 };
    static struct seen seen[ROUNDS];
    static struct model model[KEPT];
    struct checkpoint *kept[KEPT] = {0};
    unsigned count = 0, restores = 0;
    struct digest digest;
    struct error err = ERROR_INIT;
    uint64_t random = 1;
    for (unsigned round = 0; round < ROUNDS; round++) {
        random = hash_mix(random + round);
        unsigned i = (random >> 32) % KEPT, before = rig.restored;
        switch ((random >> 8) % 40) {
        case 0 ... 2:
            if (kept[i])
                checkpoint_free(&rig.snapshots, kept[i]);
            digest = digest_of(&rig);
            kept[i] = snapshots_take(&rig.snapshots);
            model[i] = now;
            cr_assert(digest_equal(&digest, &kept[i]->digest), "a look gives what a take gives");
            for (unsigned k = 0; k < OVERLAYS; k++)
                cr_assert_eq(rig.overlay[k].dirty_count, 0);
            count = note_seen(seen, count, &digest);
            break;
        case 3 ... 5:
            if (!kept[i])
                break;
            cr_assert(snapshots_restore(&rig.snapshots, kept[i], &err), "%s", err.message);
            now = model[i];
            digest = digest_of(&rig);
            cr_assert(digest_equal(&digest, &kept[i]->digest));
            cr_assert_eq(rig.restored, before + OVERLAYS);
            cr_assert_eq(snapshots_diff(&rig.snapshots, kept[i], 10, &(struct buffer){0}), 0);
            expect_model(&rig, &now);
            restores++;
            break;
        case 6:
            if (kept[i])
                checkpoint_free(&rig.snapshots, kept[i]);
            kept[i] = NULL;
            break;
        case 7 ... 12:
            change_ram(&rig, &now, random);
            break;
        default:
            change_page(&rig, &now, random);
        }
        if (round % 50 == 0) {
            digest = digest_of(&rig);
            count = note_seen(seen, count, &digest);
            expect_model(&rig, &now);
        }
    }
    expect_model(&rig, &now);
    cr_expect_gt(restores, 100);
    for (unsigned i = 0; i < KEPT; i++)
        if (kept[i])
            checkpoint_free(&rig.snapshots, kept[i]);
}

/* Another machine comes to the same contents in another way: page by page from the last, with other
 * contents in between and checkpoints. */
Test(overlays, the_way_does_not_matter)
{
    uint64_t random = 9;
    for (unsigned round = 0; round < 300; round++) {
        random = hash_mix(random + round);
        change_page(&rig, &now, random);
        change_ram(&rig, &now, hash_mix(random));
        if (round % 40 == 0)
            checkpoint_free(&rig.snapshots, snapshots_take(&rig.snapshots));
    }
    rig_init(&other);
    struct ram *ram = &other.toy.machine.ram;
    for (int page = PAGES - 1; page >= 0; page--)
        for (unsigned i = 0; i < OVERLAYS; i++) {
            bool fresh;
            if (!now.has[i][page])
                continue;
            uint8_t *bytes = overlay_write(&other.overlay[i], number_of(i, page), &fresh);
            memset(bytes, page, OVERLAY_PAGE_SIZE);
            if (page % 3 == 0)
                checkpoint_free(&other.snapshots, snapshots_take(&other.snapshots));
            bytes = overlay_write(&other.overlay[i], number_of(i, page), &fresh);
            memcpy(bytes, now.bytes[i][page], OVERLAY_PAGE_SIZE);
        }
    ram_write(ram, ram->base, now.ram, sizeof now.ram);
    expect_model(&other, &now);
    struct digest a = digest_of(&rig), b = digest_of(&other);
    cr_expect_null(digest_difference(&a, &b), "%s differs", digest_difference(&a, &b));
    rig_fini(&other);
}

/* The same page in the other overlay is something else. */
Test(overlays, each_has_its_own_part_of_the_digest)
{
    bool fresh;
    struct checkpoint *empty = snapshots_take(&rig.snapshots);
    struct digest digest[OVERLAYS];
    struct error err = ERROR_INIT;
    for (unsigned i = 0; i < OVERLAYS; i++) {
        memset(overlay_write(&rig.overlay[i], 0, &fresh), 0x71, OVERLAY_PAGE_SIZE);
        digest[i] = digest_of(&rig);
        cr_assert(snapshots_restore(&rig.snapshots, empty, &err));
    }
    cr_expect_str_eq(digest_difference(&digest[0], &digest[1]), "devices");
    checkpoint_free(&rig.snapshots, empty);
}

/* A page of zeroes is not the background. */
Test(overlays, zeroes_are_a_content)
{
    struct digest before = digest_of(&rig);
    overlay_zero(&rig.overlay[0], 3);
    struct digest after = digest_of(&rig);
    cr_expect_str_eq(digest_difference(&before, &after), "devices");
    struct checkpoint *c = snapshots_take(&rig.snapshots);
    const uint8_t *bytes = overlay_page(&rig.overlay[0], 3);
    cr_assert(bytes);
    cr_expect_eq(bytes[0], 0);
    cr_expect_null(overlay_page(&rig.overlay[0], 4));
    bool fresh;
    cr_expect_eq(overlay_write(&rig.overlay[0], 3, &fresh)[17], 0);
    cr_expect(!fresh);
    checkpoint_free(&rig.snapshots, c);
}

static struct checkpoint *zero_many(uint64_t from, uint64_t pages)
{
    for (uint64_t page = from; page < from + pages; page++)
        overlay_zero(&rig.overlay[1], page);
    return snapshots_take(&rig.snapshots);
}

/* A whole disk discarded costs nodes, no frames, and gives them back. */
Test(overlays, zeroes_are_cheap)
{
    enum { MANY = 100000 };
    struct checkpoint *empty = snapshots_take(&rig.snapshots);
    size_t before = pagestore_bytes(rig.snapshots.store);
    struct checkpoint *c = zero_many(0, MANY);
    size_t used = pagestore_bytes(rig.snapshots.store) - before;
    cr_expect_lt(used, MANY * 16, "%zu bytes", used);
    struct checkpoint *more = zero_many(MANY, MANY);
    struct error err = ERROR_INIT;
    cr_assert(snapshots_restore(&rig.snapshots, empty, &err));
    checkpoint_free(&rig.snapshots, c);
    cr_expect_gt(pagestore_bytes(rig.snapshots.store), before);
    checkpoint_free(&rig.snapshots, more);
    cr_expect_eq(pagestore_bytes(rig.snapshots.store), before, "all is given back");
    /* The frame of zeroes is gone; there can be another. */
    c = zero_many(5, 1);
    cr_expect_eq(overlay_page(&rig.overlay[1], 5)[4095], 0);
    checkpoint_free(&rig.snapshots, c);
    checkpoint_free(&rig.snapshots, empty);
}

Test(overlays, differences_are_told)
{
    bool fresh;
    memset(overlay_write(&rig.overlay[0], 5, &fresh), 0, OVERLAY_PAGE_SIZE);
    struct checkpoint *c = snapshots_take(&rig.snapshots);
    overlay_write(&rig.overlay[0], 5, &fresh)[0x123] = 7;
    overlay_zero(&rig.overlay[0], 6);
    memset(overlay_write(&rig.overlay[1], 0x12345, &fresh), 0, OVERLAY_PAGE_SIZE);
    overlay_write(&rig.overlay[1], 0x12345, &fresh)[0xffe] = 0x80;
    overlay_write(&rig.overlay[1], 0x12345, &fresh)[0xfff] = 0x81;
    ram_write(&rig.toy.machine.ram, TOY_BASE + 0x20010, "\1", 1);
    struct digest before = digest_of(&rig);
    struct buffer out = {0};
    cr_expect_eq(snapshots_diff(&rig.snapshots, c, 10, &out), 4);
    cr_expect_str_eq(buffer_text(&out),
                     "ram.0x80020010: 0 -> 0x1\n"
                     "disk0.0x5123: 0 -> 0x7\n"
                     "disk0.0x6000: a page that only one of them has\n"
                     "disk1.0x12345ffe: 0 -> 0x80 (the first of 2 bytes in its page)\n",
                     "%s", buffer_text(&out));
    buffer_clear(&out);
    cr_expect_eq(snapshots_diff(&rig.snapshots, c, 1, &out), 4, "lines are limited, not the count");
    cr_expect_str_eq(buffer_text(&out), "ram.0x80020010: 0 -> 0x1\n");
    buffer_fini(&out);
    struct digest after = digest_of(&rig);
    cr_expect(digest_equal(&before, &after), "a difference changes nothing");
    checkpoint_free(&rig.snapshots, c);
}

/* A restore that fails leaves the overlays as they are. */
Test(overlays, restore_is_all_or_nothing)
{
    struct checkpoint *c = snapshots_take(&rig.snapshots);
    change_page(&rig, &now, 12345);
    struct digest before = digest_of(&rig);
    struct checkpoint broken = *c;
    struct error err = ERROR_INIT;
    broken.state_size--;
    cr_expect(!snapshots_restore(&rig.snapshots, &broken, &err));
    struct digest after = digest_of(&rig);
    cr_expect(digest_equal(&before, &after));
    cr_expect_eq(rig.restored, 0);
    expect_model(&rig, &now);
    checkpoint_free(&rig.snapshots, c);
}

/* What was written before the first checkpoint is in it. */
Test(overlays, written_before_the_first)
{
    change_page(&rig, &now, 0x0102030405060708);
    struct checkpoint *c = snapshots_take(&rig.snapshots);
    expect_model(&rig, &now);
    static struct model model;
    model = now;
    change_page(&rig, &now, 0x0102030405060709);
    struct error err = ERROR_INIT;
    cr_assert(snapshots_restore(&rig.snapshots, c, &err));
    now = model;
    expect_model(&rig, &now);
    checkpoint_free(&rig.snapshots, c);
}
