#include "base/hex.h"

#include <criterion/criterion.h>
#include <ctype.h>
#include <string.h>

Test(hex, digits)
{
    for (int c = -128; c < 256; c++) {
        const char *digits = "0123456789abcdef";
        const char *at = c > 0 && c < 128 ? strchr(digits, tolower(c)) : NULL;
        cr_assert_eq(hex_digit((char)c), at ? at - digits : -1, "character %d", c);
    }
}

Test(hex, every_byte_there_and_back)
{
    struct buffer text = {0};
    uint8_t bytes[256], back[256];
    for (unsigned i = 0; i < 256; i++)
        bytes[i] = (uint8_t)i;
    buffer_append_string(&text, "=");
    hex_append(&text, bytes, sizeof bytes);
    cr_assert_eq(text.size, 513);
    cr_assert_eq(memcmp(text.data, "=000102", 7), 0);
    cr_assert_eq(memcmp(text.data + 509, "feff", 4), 0);
    cr_assert(hex_decode((const char *)text.data + 1, 512, back));
    cr_assert_arr_eq(back, bytes, sizeof bytes);
    buffer_fini(&text);
}

Test(hex, decode_takes_both_cases_and_nothing_else)
{
    uint8_t out[2];
    cr_assert(hex_decode("aBCd", 4, out));
    cr_assert_eq(out[0], 0xab);
    cr_assert_eq(out[1], 0xcd);
    cr_assert(hex_decode("", 0, out));
    cr_assert_not(hex_decode("abc", 3, out));
    cr_assert_not(hex_decode("ag", 2, out));
    cr_assert_not(hex_decode("-1", 2, out));
    cr_assert_not(hex_decode(" 1", 2, out));
}

static bool number(const char *text, size_t size, uint64_t *value, size_t *used)
{
    const char *p = text;
    bool ok = hex_number(&p, text + size, value);
    *used = (size_t)(p - text);
    return ok;
}

Test(hex, numbers)
{
    uint64_t v;
    size_t used;
    cr_assert(number("80000000,4", 10, &v, &used));
    cr_assert_eq(v, 0x80000000);
    cr_assert_eq(used, 8);
    cr_assert(number("FfffFfffFfffFfff", 16, &v, &used));
    cr_assert_eq(v, UINT64_MAX);
    cr_assert(number("0000000000000000000000000000001g", 32, &v, &used));
    cr_assert_eq(v, 1);
    cr_assert_eq(used, 31);
    cr_assert(number("1234", 2, &v, &used), "bounded by the end");
    cr_assert_eq(v, 0x12);
}

Test(hex, no_numbers)
{
    const char *const bad[] = {"", "x", ",1", "-1", " 1", "10000000000000000", "12345678123456781"};
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint64_t v = 77;
        size_t used;
        cr_assert_not(number(bad[i], strlen(bad[i]), &v, &used), "%s", bad[i]);
        cr_assert_eq(used, 0, "%s", bad[i]);
        cr_assert_eq(v, 77, "%s", bad[i]);
    }
}
