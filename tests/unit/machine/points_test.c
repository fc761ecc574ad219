#include "machine/points.h"

#include "base/hash.h"

#include <criterion/criterion.h>

Test(points, execute_is_membership)
{
    uint64_t addresses[40], first = 0;
    for (unsigned i = 0; i < 40; i++)
        addresses[i] = first += 2 + hash_mix(i + 1) % 3 * 2;
    for (size_t count = 0; count <= 40; count++) {
        struct points p = {.execute = addresses, .execute_count = count};
        for (uint64_t pc = 0; pc < first + 10; pc++) {
            bool in = false;
            for (size_t i = 0; i < count; i++)
                in |= addresses[i] == pc;
            cr_assert_eq(points_execute(&p, pc), in, "%zu, %#lx", count, pc);
        }
    }
}

Test(points, any)
{
    struct points none = {0}, execute = {.execute_count = 1}, watch = {.watch_count = 1};
    cr_assert_not(points_any(&none));
    cr_assert(points_any(&execute));
    cr_assert(points_any(&watch));
}

/* Byte by byte, at the bottom, in the middle and at the top of the address space. */
Test(points, watch_is_overlap)
{
    static const uint64_t at[] = {0, 0x80001000, UINT64_MAX - 15};
    for (unsigned n = 0; n < 3; n++)
        for (uint64_t start = 0; start < 12; start++)
            for (uint64_t size = 1; start + size <= 16 && size <= 8; size++) {
                struct watch_range w = {at[n] + 4, 5, HIT_WRITE};
                struct points p = {.watch = &w, .watch_count = 1};
                bool overlap = start < 9 && start + size > 4;
                uint64_t va = at[n] + start;
                cr_assert_eq(points_watch(&p, va, size, HIT_WRITE), overlap, "%lx+%lu", va, size);
                cr_assert_eq(points_watch(&p, va, size, HIT_READ | HIT_WRITE), overlap);
                cr_assert_not(points_watch(&p, va, size, HIT_READ));
            }
}

Test(points, any_of_several_ranges)
{
    struct watch_range w[] = {{100, 4, HIT_READ}, {100, 2, HIT_WRITE}, {200, 1, HIT_WRITE}};
    struct points p = {.watch = w, .watch_count = 3};
    cr_assert(points_watch(&p, 103, 1, HIT_READ));
    cr_assert_not(points_watch(&p, 102, 2, HIT_WRITE));
    cr_assert(points_watch(&p, 101, 1, HIT_WRITE));
    cr_assert(points_watch(&p, 193, 8, HIT_WRITE));
    cr_assert_not(points_watch(&p, 192, 8, HIT_WRITE));
}
