#include "machine/bus.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stddef.h>

struct seen {
    uint64_t offset, value;
    unsigned size, reads, writes;
    bool refuses;
};

static bool on_read(void *ctx, uint64_t offset, unsigned size, uint64_t *value)
{
    struct seen *s = ctx;
    s->offset = offset;
    s->size = size;
    s->reads++;
    *value = 0x77;
    return !s->refuses;
}

static bool on_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
    struct seen *s = ctx;
    s->offset = offset;
    s->size = size;
    s->value = value;
    s->writes++;
    return !s->refuses;
}

static bool on_peek(const void *ctx, uint64_t offset, unsigned size, uint64_t *value)
{
    (void)ctx, (void)size;
    *value = offset;
    return true;
}

static const struct bus_ops ops = {on_read, on_write, on_peek}, blind = {on_read, on_write, NULL};

static struct bus bus_of(struct seen *one, struct seen *two)
{
    struct bus b = {0};
    bus_add(&b, (struct bus_region){"one", 0x1000, 0x100, &ops, one, NULL});
    bus_add(&b, (struct bus_region){"two", 0x1100, 0x20, &blind, two, NULL});
    return b;
}

Test(bus, finds_the_window_that_holds_all)
{
    struct seen one = {0}, two = {0};
    struct bus b = bus_of(&one, &two);
    cr_assert_eq(bus_find(&b, 0x1000, 1), &b.region[0]);
    cr_assert_eq(bus_find(&b, 0x1000, 0x100), &b.region[0]);
    cr_assert_eq(bus_find(&b, 0x10ff, 1), &b.region[0]);
    cr_assert_eq(bus_find(&b, 0x1100, 8), &b.region[1]);
    cr_assert_null(bus_find(&b, 0xfff, 1));
    cr_assert_null(bus_find(&b, 0xfff, 2));
    cr_assert_null(bus_find(&b, 0x10fc, 8), "part in another window");
    cr_assert_null(bus_find(&b, 0x1120, 1));
    cr_assert_null(bus_find(&b, UINT64_MAX, 8));
    cr_assert_null(bus_find(&b, 0x1000, UINT64_MAX));
}

Test(bus, passes_offsets_on)
{
    struct seen one = {0}, two = {0};
    struct bus b = bus_of(&one, &two);
    uint64_t value = 0;
    cr_assert(bus_read(&b, 0x1008, 8, &value));
    cr_assert(one.offset == 8 && one.size == 8 && one.reads == 1 && value == 0x77);
    cr_assert(bus_write(&b, 0x111f, 1, 0x99));
    cr_assert(two.offset == 0x1f && two.size == 1 && two.writes == 1 && two.value == 0x99);
    cr_assert(bus_peek(&b, 0x10ff, 1, &value));
    cr_assert_eq(value, 0xff);
    cr_assert_eq(one.reads + one.writes, 1);
    cr_assert_not(bus_peek(&b, 0x1100, 1, &value), "cannot be looked at");
}

Test(bus, devices_see_aligned_accesses_inside_only)
{
    struct seen one = {0}, two = {0};
    struct bus b = bus_of(&one, &two);
    uint64_t value;
    for (uint64_t pa = 0xff0; pa < 0x1130; pa++)
        for (unsigned size = 1; size <= 8; size *= 2) {
            unsigned before = one.reads + two.reads;
            bool in = pa >= 0x1000 && pa + size <= 0x1120 && pa % size == 0;
            cr_assert_eq(bus_read(&b, pa, size, &value), in, "%#lx, %u", pa, size);
            cr_assert_eq(bus_write(&b, pa, size, 0), in, "%#lx, %u", pa, size);
            cr_assert_eq(one.reads + two.reads, before + in);
        }
}

Test(bus, what_it_takes)
{
    static const struct bus_ops rom = {.read = on_read};
    static const uint8_t bytes[16];
    struct seen one = {0}, two = {0};
    struct bus b = bus_of(&one, &two);
    bus_add(&b, (struct bus_region){"rom", 0x2000, sizeof bytes, &rom, &one, bytes});
    bus_add(&b, (struct bus_region){"flash", 0x3000, sizeof bytes, &ops, &one, bytes});
    for (unsigned write = 0; write < 2; write++) {
        cr_assert(bus_takes(&b, 0x1008, 8, write));
        cr_assert_not(bus_takes(&b, 0x1004, 8, write));
        cr_assert_not(bus_takes(&b, 0x1000, 64, write));
        cr_assert_not(bus_takes(&b, 0x1120, 1, write));
        cr_assert_eq(bus_takes(&b, 0x2008, 8, write), !write);
        cr_assert(bus_takes(&b, 0x3008, 8, write), "fetched from and written");
    }
    cr_assert_not(bus_write(&b, 0x2008, 8, 0));
    cr_assert(bus_takes(&b, 0x3003, 8, false), "memory is read at any alignment");
    cr_assert(bus_takes(&b, 0x2001, 3, false));
    cr_assert_not(bus_takes(&b, 0x3003, 8, true));
    cr_assert_not(bus_takes(&b, 0x3009, 8, false), "not beyond its end");
    cr_assert(bus_has_memory(&b, 0x3003, 13) && !bus_has_memory(&b, 0x1003, 1));
    cr_assert_eq(one.reads + one.writes, 0);
}

Test(bus, a_refusal_is_a_fault)
{
    struct seen one = {.refuses = true}, two = {0};
    struct bus b = bus_of(&one, &two);
    uint64_t value;
    cr_assert_not(bus_read(&b, 0x1000, 4, &value));
    cr_assert_not(bus_write(&b, 0x1000, 4, 0));
}

Test(bus, windows_do_not_overlap, .signal = SIGABRT)
{
    struct seen one = {0}, two = {0};
    struct bus b = bus_of(&one, &two);
    bus_add(&b, (struct bus_region){"three", 0x10f0, 0x20, &ops, &one, NULL});
}

static bool memory_read(void *ctx, uint64_t offset, unsigned size, uint64_t *value)
{
    cr_assert_eq(offset % size, 0, "devices see aligned accesses");
    const uint8_t *bytes = ctx;
    *value = 0;
    for (unsigned i = 0; i < size; i++)
        *value |= (uint64_t)bytes[offset + i] << 8 * i;
    return true;
}

Test(bus, memory_at_any_alignment)
{
    static uint8_t bytes[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    static const struct bus_ops rom = {.read = memory_read};
    struct bus b = {0};
    bus_add(&b, (struct bus_region){"rom", 0x2000, sizeof bytes, &rom, bytes, bytes});
    for (unsigned at = 0; at < 16; at++)
        for (unsigned size = 1; size <= 8; size++) {
            uint64_t value, expected = 0;
            cr_assert_eq(bus_read(&b, 0x2000 + at, size, &value), at + size <= 16);
            for (unsigned i = 0; i < size; i++)
                expected |= (uint64_t)(at + i) << 8 * i;
            if (at + size <= 16)
                cr_assert_eq(value, expected, "%u at %u", size, at);
        }
}
