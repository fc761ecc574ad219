#include "machine/ram.h"

#include "base/hash.h"

#include <criterion/criterion.h>
#include <string.h>

#define BASE UINT64_C(0x80000000)
enum { PAGES = 8 };

struct told {
    struct ram ram;
    uint64_t page[16];
    unsigned offset[16], size[16], count;
};

static void changed(void *ctx, uint64_t page, unsigned offset, unsigned size)
{
    struct told *t = ctx;
    t->page[t->count] = page;
    t->offset[t->count] = offset;
    t->size[t->count++] = size;
}

static void init(struct told *t)
{
    struct error err = ERROR_INIT;
    *t = (struct told){0};
    cr_assert(ram_init(&t->ram, BASE, PAGES * RAM_PAGE_SIZE, &err), "%s", err.message);
    t->ram.changed = changed;
    t->ram.changed_ctx = t;
}

Test(ram, is_zero_and_clean_at_first)
{
    struct told t;
    init(&t);
    for (uint64_t i = 0; i < t.ram.size; i++)
        cr_assert_eq(t.ram.host[i], 0);
    for (uint64_t i = 0; i < PAGES; i++)
        cr_assert_eq(t.ram.flags[i], 0);
    cr_assert_eq(t.ram.dirty_count, 0);
    cr_assert_eq(t.ram.pages, PAGES);
    ram_fini(&t.ram);
}

Test(ram, what_it_contains)
{
    struct told t;
    init(&t);
    uint64_t size = t.ram.size;
    cr_assert(ram_contains(&t.ram, BASE, size));
    cr_assert(ram_contains(&t.ram, BASE + size - 1, 1));
    cr_assert_not(ram_contains(&t.ram, BASE + size - 1, 2));
    cr_assert_not(ram_contains(&t.ram, BASE + size, 0));
    cr_assert_not(ram_contains(&t.ram, BASE - 1, 1));
    cr_assert_not(ram_contains(&t.ram, BASE - 1, 2));
    cr_assert_not(ram_contains(&t.ram, UINT64_MAX, 1));
    cr_assert_not(ram_contains(&t.ram, UINT64_MAX, UINT64_MAX));
    cr_assert_not(ram_contains(&t.ram, BASE + 1, UINT64_MAX));
    ram_fini(&t.ram);
}

Test(ram, writes_cross_pages_and_mark_them_once_in_order)
{
    struct told t;
    uint8_t bytes[2 * RAM_PAGE_SIZE + 10];
    init(&t);
    for (unsigned i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)hash_mix(i);
    ram_write(&t.ram, BASE + 5 * RAM_PAGE_SIZE + 7, "x", 1);
    ram_write(&t.ram, BASE + 2 * RAM_PAGE_SIZE - 4, bytes, sizeof bytes);
    ram_write(&t.ram, BASE + 3 * RAM_PAGE_SIZE, "y", 1);
    static const uint32_t dirty[] = {5, 1, 2, 3, 4};
    cr_assert_eq(t.ram.dirty_count, 5);
    cr_assert_arr_eq(t.ram.dirty, dirty, sizeof dirty);
    bytes[RAM_PAGE_SIZE + 4] = 'y';
    cr_assert_arr_eq(ram_at(&t.ram, BASE + 2 * RAM_PAGE_SIZE - 4), bytes, sizeof bytes);
    cr_assert_eq(*ram_at(&t.ram, BASE + 2 * RAM_PAGE_SIZE - 5), 0);
    cr_assert_eq(t.count, 0, "nothing was made from these pages");
    ram_clear_dirty(&t.ram);
    cr_assert_eq(t.ram.dirty_count, 0);
    for (uint64_t i = 0; i < PAGES; i++)
        cr_assert_eq(t.ram.flags[i], 0);
    ram_write(&t.ram, BASE, bytes, 0);
    cr_assert_eq(t.ram.dirty_count, 0);
    ram_fini(&t.ram);
}

Test(ram, tells_of_changes_to_code_and_tables_after_them)
{
    struct told t;
    uint8_t bytes[RAM_PAGE_SIZE] = {0};
    init(&t);
    t.ram.flags[1] = RAM_CODE;
    t.ram.flags[2] = RAM_TABLE;
    t.ram.flags[3] = RAM_CACHED_WRITES | RAM_HOOKED;
    ram_write(&t.ram, BASE + 2 * RAM_PAGE_SIZE - 8, bytes, 16);
    ram_write(&t.ram, BASE + 3 * RAM_PAGE_SIZE, bytes, 16);
    cr_assert_eq(t.count, 2);
    cr_assert(t.page[0] == 1 && t.offset[0] == RAM_PAGE_SIZE - 8 && t.size[0] == 8);
    cr_assert(t.page[1] == 2 && t.offset[1] == 0 && t.size[1] == 8);
    ram_clear_dirty(&t.ram);
    cr_assert_eq(t.ram.flags[1], RAM_CODE);
    cr_assert_eq(t.ram.flags[2], RAM_TABLE);
    ram_fini(&t.ram);
}

Test(ram, restoring_tells_and_marks_nothing)
{
    struct told t;
    uint8_t bytes[RAM_PAGE_SIZE];
    memset(bytes, 0x5a, sizeof bytes);
    init(&t);
    t.ram.flags[1] = RAM_CODE;
    ram_restore_page(&t.ram, 1, bytes);
    ram_restore_page(&t.ram, 2, bytes);
    cr_assert_eq(t.ram.dirty_count, 0);
    cr_assert_eq(t.count, 1);
    cr_assert(t.page[0] == 1 && t.offset[0] == 0 && t.size[0] == RAM_PAGE_SIZE);
    cr_assert_arr_eq(t.ram.host + RAM_PAGE_SIZE, bytes, sizeof bytes);
    ram_restore_page(&t.ram, 1, NULL);
    cr_assert_eq(t.count, 2);
    memset(bytes, 0, sizeof bytes);
    cr_assert_arr_eq(t.ram.host + RAM_PAGE_SIZE, bytes, sizeof bytes);
    cr_assert_eq(t.ram.host[2 * RAM_PAGE_SIZE], 0x5a);
    ram_fini(&t.ram);
}

Test(ram, more_dirty_pages_than_the_first_list_holds)
{
    struct ram ram;
    struct error err = ERROR_INIT;
    enum { MANY = 1000 };
    cr_assert(ram_init(&ram, BASE, (uint64_t)MANY << RAM_PAGE_BITS, &err));
    for (unsigned round = 0; round < 2; round++)
        for (uint64_t i = 0; i < MANY; i++)
            ram_mark_dirty(&ram, i * 7 % MANY);
    cr_assert_eq(ram.dirty_count, MANY);
    for (uint64_t i = 0; i < MANY; i++)
        cr_assert_eq(ram.dirty[i], i * 7 % MANY);
    ram_fini(&ram);
}

Test(ram, more_than_the_host_has)
{
    struct ram ram;
    struct error err = ERROR_INIT;
    cr_assert_not(ram_init(&ram, BASE, UINT64_C(1) << 62, &err));
    cr_assert_eq(err.code, ERROR_MEMORY);
    cr_assert_null(ram.host);
}
