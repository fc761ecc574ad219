#include "machine/touched.h"

#include "base/hash.h"

#include <criterion/criterion.h>
#include <stdlib.h>

Test(touched, keys_are_pages_and_kinds)
{
    struct touched t;
    size_t count;
    touched_init(&t);
    cr_assert_null(touched_sorted(&t, &count));
    cr_assert_eq(count, 0);
    touched_add(&t, 0x2fff, TOUCHED_WRITE);
    touched_add(&t, 0x2000, TOUCHED_WRITE);
    touched_add(&t, 0x2001, TOUCHED_READ);
    touched_add(&t, 0, TOUCHED_FETCH);
    touched_add(&t, UINT64_MAX, TOUCHED_WRITE);
    touched_add(&t, 0, TOUCHED_FETCH);
    static const uint64_t expected[] = {0, 2 << 2 | 1, 2 << 2 | 2, (UINT64_MAX >> 12) << 2 | 2};
    uint64_t *keys = touched_sorted(&t, &count);
    cr_assert_eq(count, 4);
    cr_assert_arr_eq(keys, expected, sizeof expected);
    free(keys);
    touched_fini(&t);
}

Test(touched, grows_and_forgets_nothing)
{
    struct touched t;
    size_t count;
    enum { MANY = 5000 };
    touched_init(&t);
    for (unsigned round = 0; round < 2; round++)
        for (uint64_t i = 0; i < MANY; i++)
            touched_add(&t, i * 4099 % MANY << 12, (enum touched_kind)(i % 3));
    uint64_t *keys = touched_sorted(&t, &count);
    cr_assert_eq(count, MANY);
    for (uint64_t i = 0; i < MANY; i++)
        cr_assert_eq(keys[i] >> 2, i);
    free(keys);
    touched_fini(&t);
}

/* The key added last is remembered: clearing forgets that, too. */
Test(touched, clear_forgets_the_last_one)
{
    struct touched t;
    size_t count;
    touched_init(&t);
    touched_add(&t, 0x5000, TOUCHED_READ);
    touched_clear(&t);
    free(touched_sorted(&t, &count));
    cr_assert_eq(count, 0);
    touched_add(&t, 0x5000, TOUCHED_READ);
    free(touched_sorted(&t, &count));
    cr_assert_eq(count, 1);
    touched_fini(&t);
}
