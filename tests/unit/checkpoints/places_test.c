#include "checkpoints/places.h"

#include "base/hash.h"

#include <criterion/criterion.h>
#include <string.h>

/* Against flat arrays, both sizes that end in a block and one that does not. */
static void random_places(uint64_t pages, uint64_t random)
{
    enum { MOST = 4 * PLACES_BLOCK };
    static uint64_t flat[2][MOST];
    struct places p[2];
    memset(flat, 0, sizeof flat);
    for (unsigned i = 0; i < 2; i++)
        places_init(&p[i], pages);
    for (unsigned round = 0; round < 400; round++) {
        random = hash_mix(random + round);
        unsigned which = random & 1;
        uint64_t page = (random >> 8) % pages, place = (random >> 50) % 3;
        places_put(&p[which], page, place);
        flat[which][page] = place;
        if (round % 10)
            continue;
        uint64_t next = 0;
        for (page = 0; page < pages; page++) {
            cr_assert_eq(places_get(&p[which], page), flat[which][page]);
            if (flat[0][page] == flat[1][page])
                continue;
            cr_assert(places_differ(&p[0], &p[1], &next));
            cr_assert_eq(next, page);
            next++;
        }
        cr_assert(!places_differ(&p[0], &p[1], &next));
    }
    for (unsigned i = 0; i < 2; i++)
        places_fini(&p[i]);
}

Test(places, random)
{
    random_places(4 * PLACES_BLOCK, 1);
    random_places(3 * PLACES_BLOCK + 5, 2);
    random_places(1, 3);
}

Test(places, sparse)
{
    struct places p, empty;
    places_init(&p, UINT64_C(1) << 32);
    places_init(&empty, UINT64_C(1) << 32);
    size_t before = places_bytes(&p);
    cr_expect_lt(before, 1 << 16);
    places_put(&p, UINT32_MAX, 0);
    cr_expect_eq(places_bytes(&p), before, "no place, no memory");
    places_put(&p, UINT32_MAX, 7);
    cr_expect_eq(places_bytes(&p), before + 2 * PLACES_BLOCK * sizeof(uint64_t));
    uint64_t page = 0;
    cr_expect(places_differ(&p, &empty, &page));
    cr_expect_eq(page, UINT32_MAX);
    page++;
    cr_expect(!places_differ(&p, &empty, &page));
    places_fini(&p);
    places_fini(&empty);
}
