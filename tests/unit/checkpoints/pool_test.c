#include "checkpoints/pool.h"

#include "base/check.h"
#include "base/hash.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Random takes and gives; every object keeps what was written to it. */
static void churn(size_t object_size, size_t most, struct spill *spill)
{
    struct pool pool;
    pool_init(&pool, object_size, spill);
    uint8_t **object = mem_new(most, sizeof *object);
    uint64_t random = object_size;
    size_t wrong = 0, unaligned = 0;
    for (size_t round = 0; round < 20 * most; round++) {
        random = hash_mix(random + round);
        size_t i = (random >> 8) % most;
        /* Grow in the first half, shrink in the second. */
        bool want = random % 100 < (round < 10 * most ? 70u : 15u);
        if (want && !object[i]) {
            object[i] = pool_take(&pool);
            unaligned += (uintptr_t)object[i] % 8 != 0;
            unaligned += object_size == 4096 && (uintptr_t)object[i] % 4096 != 0;
            memset(object[i], (int)(i & 0xff), object_size);
        } else if (!want && object[i]) {
            for (size_t b = 0; b < object_size; b += 7)
                wrong += object[i][b] != (i & 0xff);
            pool_give(&pool, object[i]);
            object[i] = NULL;
        }
    }
    cr_expect_eq(wrong, 0, "%zu bytes changed", wrong);
    cr_expect_eq(unaligned, 0);
    for (size_t i = 0; i < most; i++)
        if (object[i])
            pool_give(&pool, object[i]);
    cr_expect_eq(pool.used, 0);
    cr_expect_eq(pool.slabs, 1, "empty slabs but one are given back, %zu are held", pool.slabs);
    cr_expect_null(pool.partial);
    pool_fini(&pool);
    free(object);
}

Test(pool, objects_keep_their_bytes)
{
    churn(24, 100000, NULL);
    churn(152, 20000, NULL);
    churn(4096, 2000, NULL);
}

Test(pool, objects_in_a_file_keep_them_too)
{
    struct spill *spill = spill_new();
    churn(4096, 2000, spill);
    cr_expect_eq(spill_bytes(spill), 0);
    spill_free(spill);
}

Test(pool, slabs_follow_use)
{
    struct pool pool;
    pool_init(&pool, 4096, NULL);
    enum { COUNT = 255 * 4 };
    void *object[COUNT];
    for (size_t i = 0; i < COUNT; i++)
        object[i] = pool_take(&pool);
    cr_expect_eq(pool.slabs, 4, "%zu slabs for %d pages", pool.slabs, COUNT);
    for (size_t i = 0; i < COUNT; i++)
        pool_give(&pool, object[i]);
    cr_expect_eq(pool.slabs, 1);
    object[0] = pool_take(&pool);
    cr_expect_eq(pool.slabs, 1, "the spare slab is used again");
    pool_give(&pool, object[0]);
    pool_fini(&pool);
}
