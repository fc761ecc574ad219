#include "base/buffer.h"
#include "base/hash.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>

Test(buffer, all_zero_is_empty)
{
    struct buffer b = {0};
    cr_assert_str_eq(buffer_text(&b), "");
    cr_assert_eq(b.size, 0);
    buffer_fini(&b);
    cr_assert_null(b.data);
    cr_assert_eq(b.capacity, 0);
    buffer_fini(&b);
}

Test(buffer, appends_follow_each_other)
{
    struct buffer b = {0};
    buffer_append(&b, "ab", 2);
    buffer_append(&b, NULL, 0);
    buffer_append_byte(&b, 'c');
    buffer_append_string(&b, "");
    buffer_append_string(&b, "de");
    buffer_printf(&b, "%s-%d", "f", 17);
    memcpy(buffer_extend(&b, 2), "xy", 2);
    cr_assert_eq(b.size, 11);
    cr_assert_str_eq(buffer_text(&b), "abcdef-17xy");
    cr_assert_eq(b.size, 11);
    buffer_fini(&b);
}

Test(buffer, printf_longer_than_the_room)
{
    struct buffer b = {0};
    buffer_append_byte(&b, '<');
    buffer_printf(&b, "%0500d", 1);
    buffer_append_byte(&b, '>');
    cr_assert_eq(b.size, 502);
    cr_assert_eq(b.data[0], '<');
    cr_assert_eq(b.data[1], '0');
    cr_assert_eq(b.data[500], '1');
    cr_assert_eq(b.data[501], '>');
    buffer_fini(&b);
}

/* Against an array that is big enough from the start. */
Test(buffer, random_appends_and_consumes)
{
    static uint8_t model[1 << 16];
    size_t size = 0;
    struct buffer b = {0};
    for (uint64_t i = 0; i < 3000; i++) {
        uint64_t r = hash_mix(i + 1);
        size_t count = r % 200;
        if (r >> 62 == 0) {
            count = count < size ? count : size;
            buffer_consume(&b, count);
            memmove(model, model + count, size - count);
            size -= count;
        } else if (size + count <= sizeof model) {
            uint8_t bytes[200];
            memset(bytes, (int)(r >> 8), sizeof bytes);
            buffer_append(&b, bytes, count);
            memcpy(model + size, bytes, count);
            size += count;
        }
        cr_assert_eq(b.size, size);
        cr_assert(b.capacity >= b.size);
        cr_assert(size == 0 || memcmp(b.data, model, size) == 0, "after %lu", i);
    }
    buffer_fini(&b);
}

Test(buffer, clear_keeps_the_memory)
{
    struct buffer b = {0};
    buffer_reserve(&b, 1000);
    cr_assert(b.capacity >= 1000);
    cr_assert_eq(b.size, 0);
    const uint8_t *data = b.data;
    buffer_extend(&b, 1000);
    buffer_clear(&b);
    cr_assert_eq(b.size, 0);
    cr_assert_eq(b.data, data);
    buffer_extend(&b, 1000);
    cr_assert_eq(b.data, data);
    buffer_fini(&b);
}

Test(buffer, consuming_more_than_there_is, .signal = SIGABRT)
{
    struct buffer b = {0};
    buffer_append_string(&b, "abc");
    buffer_consume(&b, 4);
}
