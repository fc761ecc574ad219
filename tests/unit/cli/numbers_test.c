#include "cli/nearest.h"
#include "cli/numbers.h"

#include <criterion/criterion.h>
#include <string.h>

Test(numbers, whole_numbers)
{
    static const struct {
        const char *text;
        uint64_t value;
    } good[] = {
        {"0", 0},
        {"1500000", 1500000},
        {"1,500,000", 1500000},
        {"1_500_000", 1500000},
        {"12,345", 12345},
        {"1.5e6", 1500000},
        {"1.50E6", 1500000},
        {"1e9", 1000000000},
        {"1e+3", 1000},
        {"2.0", 2},
        {"0x10", 16},
        {"0Xdeadbeefdeadbeef", 0xdeadbeefdeadbeef},
        {"18446744073709551615", UINT64_MAX},
        {"1.8446744073709551615e19", UINT64_MAX},
        {"0e19", 0},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        uint64_t value = 7;
        cr_assert(number_parse(good[i].text, &value), "%s", good[i].text);
        cr_assert_eq(value, good[i].value, "%s", good[i].text);
    }
}

Test(numbers, what_is_no_number)
{
    static const char *const bad[] = {
        "",
        "x",
        "-1",
        "+1",
        "1x",
        "1,5",
        "1,,000",
        ",100",
        "100,",
        "1000,00",
        "1.5",
        "1.5e0",
        "1e",
        "1e-3",
        "1.e3",
        "e3",
        "0x",
        "0xg",
        "1e20",
        "2e19",
        "18446744073709551616",
        "0x10000000000000000",
        " 1",
        "1 ",
        "1e3e3",
        "1,0000",
        "1.2.3",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint64_t value;
        cr_assert_not(number_parse(bad[i], &value), "%s", bad[i]);
    }
}

Test(numbers, sizes)
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } good[] = {
        {"256M", 256u << 20},
        {"256", 256u << 20},
        {"2G", UINT64_C(2) << 30},
        {"1k", 1024},
        {"1KiB", 1024},
        {"4mb", 4u << 20},
        {"0", 0},
        {"1T", UINT64_C(1) << 40},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        uint64_t bytes;
        cr_assert(number_parse_size(good[i].text, 1 << 20, &bytes), "%s", good[i].text);
        cr_assert_eq(bytes, good[i].bytes, "%s", good[i].text);
    }
    static const char *const bad[] = {"",
                                      "M",
                                      "-1M",
                                      "1Q",
                                      "1MM",
                                      "1.5G",
                                      "1 M",
                                      "0x1",
                                      "99999999999999999999",
                                      "18014398509481984K"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint64_t bytes;
        cr_assert_not(number_parse_size(bad[i], 1 << 20, &bytes), "%s", bad[i]);
    }
}

Test(numbers, for_people)
{
    char text[NUMBER_TEXT];
    number_format(0, text);
    cr_assert_str_eq(text, "0");
    number_format(999, text);
    cr_assert_str_eq(text, "999");
    number_format(30626193, text);
    cr_assert_str_eq(text, "30,626,193");
    number_format(UINT64_MAX, text);
    cr_assert_str_eq(text, "18,446,744,073,709,551,615");
    number_format_size(100, text);
    cr_assert_str_eq(text, "100 bytes");
    number_format_size(3 << 19, text);
    cr_assert_str_eq(text, "1.5 MiB");
}

Test(nearest, distances)
{
    cr_assert_eq(nearest_distance("kernel", "kernel"), 0);
    cr_assert_eq(nearest_distance("kernel", "kernal"), 1);
    cr_assert_eq(nearest_distance("kernel", "kenrel"), 1, "a swap is one");
    cr_assert_eq(nearest_distance("", "abc"), 3);
    cr_assert_eq(nearest_distance("abc", ""), 3);
    cr_assert_eq(nearest_distance("flaw", "lawn"), 2);
}

Test(nearest, words)
{
    static const char *const words[] = {"kernel", NULL, "initrd", "append", "m"};
    enum { COUNT = sizeof words / sizeof *words };
    cr_assert_str_eq(nearest("kernal", words, sizeof *words, COUNT), "kernel");
    cr_assert_str_eq(nearest("initd", words, sizeof *words, COUNT), "initrd");
    cr_assert_str_eq(nearest("mm", words, sizeof *words, COUNT) ? "some" : "none", "none");
    cr_assert_null(nearest("zzzzzz", words, sizeof *words, COUNT));
    cr_assert_null(nearest("", words, sizeof *words, COUNT));
    char longest[200];
    memset(longest, 'k', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    cr_assert_null(nearest(longest, words, sizeof *words, COUNT));
}
