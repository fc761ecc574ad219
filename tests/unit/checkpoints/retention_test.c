#include "checkpoints/retention.h"

#include "base/hash.h"

#include <criterion/criterion.h>
#include <string.h>

enum { MOST = 128 };

struct kept {
    struct retention_item item[MOST + 1];
    size_t count;
};

static void drop(struct kept *k, size_t victim)
{
    cr_assert_lt(victim, k->count);
    cr_assert(!k->item[victim].pinned);
    memmove(&k->item[victim], &k->item[victim + 1], (k->count - victim - 1) * sizeof *k->item);
    k->count--;
}

static void add(struct kept *k, uint64_t position, bool pinned)
{
    size_t i = k->count++;
    for (; i > 0 && k->item[i - 1].position > position; i--)
        k->item[i] = k->item[i - 1];
    k->item[i] = (struct retention_item){position, pinned};
}

static void thin(struct kept *k, size_t most, const uint64_t *focus, size_t focus_count)
{
    while (k->count > most)
        drop(k, retention_victim(k->item, k->count, focus, focus_count));
}

Test(retention, nothing_to_drop)
{
    uint64_t focus = 100;
    struct retention_item item[] = {{0, false}, {10, true}, {20, true}};
    cr_expect_eq(retention_victim(item, 0, &focus, 1), RETENTION_NONE);
    cr_expect_eq(retention_victim(item, 1, &focus, 1), RETENTION_NONE);
    cr_expect_eq(retention_victim(item, 3, &focus, 1), RETENTION_NONE);
    item[2].pinned = false;
    cr_expect_eq(retention_victim(item, 3, &focus, 1), 2);
}

Test(retention, without_focus_the_shortest_stretch_goes)
{
    struct retention_item item[] = {{0, true}, {50, false}, {60, false}, {75, false}, {200, true}};
    cr_expect_eq(retention_victim(item, 5, NULL, 0), 2, "0-50-60-75-200: 60 is between 50 and 75");
}

Test(retention, equal_losses_drop_the_first)
{
    struct retention_item item[] = {{0, true}, {10, false}, {20, false}, {30, false}, {40, true}};
    cr_expect_eq(retention_victim(item, 5, NULL, 0), 1);
}

Test(retention, the_newest_bears_the_way_to_the_present)
{
    struct retention_item item[] = {{0, true}, {10, false}, {20, false}};
    uint64_t focus = 1000;
    cr_expect_eq(retention_victim(item, 3, &focus, 1), 1, "990 / 980 is more than 20 / 990");
    focus = 20;
    cr_expect_eq(retention_victim(item, 3, &focus, 1), 1, "20 / 10, and 10 / 1");
}

Test(retention, huge_positions_do_not_overflow)
{
    uint64_t focus = UINT64_MAX, top = UINT64_MAX - 1;
    struct retention_item item[] = {
        {0, true}, {top / 4, false}, {top / 4 + 1, false}, {top / 2, false}, {top, true}};
    cr_expect_eq(retention_victim(item, 5, &focus, 1), 1);
    focus = 0;
    cr_expect_eq(retention_victim(item, 5, &focus, 1), 2);
}

/* Checkpoints at even distances, the present moving on: the stretch behind each distance stays a
 * small part of that distance, however long the history. */
static void long_history(uint64_t history, uint64_t spacing, size_t most)
{
    struct kept k = {0};
    add(&k, 0, true);
    uint64_t now = 0;
    unsigned doublings = 0;
    while (history / spacing >> doublings > 1)
        doublings++;
    double bound = 4 * (double)doublings / (double)most;
    for (uint64_t n = 1; n * spacing <= history; n++) {
        now = n * spacing;
        add(&k, now, false);
        thin(&k, most, &now, 1);
        if (n % 997 && now + spacing <= history)
            continue;
        for (size_t i = 1; i < k.count; i++) {
            double gap = (double)(k.item[i].position - k.item[i - 1].position);
            double distance = (double)(now - k.item[i].position);
            /* Next to the present the spacing itself is the limit. */
            cr_assert_leq(gap, bound * distance + (double)spacing, "at %g: gap %g, distance %g",
                          (double)now, gap, distance);
        }
    }
    cr_expect_eq(k.count, most);
    cr_expect_eq(k.item[k.count - 1].position, now, "the newest is kept");
}

Test(retention, exponentially_thinner_into_the_past)
{
    long_history(20000, 1, 32);
    long_history(100000, 1, 100);
    long_history(30000000000, 3000000, 64);
}

Test(retention, dense_around_the_focus)
{
    struct kept k = {0};
    uint64_t focus[] = {100000, 40000};
    for (uint64_t n = 0; n <= 100; n++)
        add(&k, n * 1000, n == 0);
    thin(&k, 30, focus, 2);
    size_t near = 0, far = 0;
    for (size_t i = 0; i < k.count; i++) {
        uint64_t p = k.item[i].position;
        near += (p >= 35000 && p <= 45000) || p >= 95000;
        far += p >= 60000 && p <= 75000;
    }
    /* 11 and 6 of them were there, and 16 in the stretch far from both. */
    cr_expect_geq(near, 13, "%zu near", near);
    cr_expect_leq(far, 5, "%zu far", far);
}

/* Order of the focus positions, and history of the thinning, do not matter to a choice. */
Test(retention, random_sets)
{
    uint64_t random = 1;
    for (unsigned round = 0; round < 300; round++) {
        struct kept k = {0};
        uint64_t focus[4], turned[4];
        for (size_t i = 0; i < 4; i++) {
            random = hash_mix(random + 1);
            turned[3 - i] = focus[i] = random % 1000000;
        }
        for (size_t i = 0; i < MOST; i++) {
            random = hash_mix(random + 1);
            add(&k, (random >> 16) % 1000000, random % 5 == 0);
        }
        size_t pinned = 0;
        for (size_t i = 0; i < k.count; i++)
            pinned += k.item[i].pinned;
        size_t keep_first = !k.item[0].pinned;
        uint64_t first = k.item[0].position;
        for (;;) {
            size_t victim = retention_victim(k.item, k.count, focus, 4);
            cr_assert_eq(victim, retention_victim(k.item, k.count, turned, 4));
            if (victim == RETENTION_NONE)
                break;
            drop(&k, victim);
        }
        cr_expect_eq(k.count, pinned + keep_first);
        cr_expect_eq(k.item[0].position, first);
    }
}
