#include "base/error.h"

#include <criterion/criterion.h>
#include <string.h>

Test(error, set_fills_code_and_message)
{
    struct error err = ERROR_INIT;
    cr_assert_eq(err.code, ERROR_NONE);
    cr_assert_not(error_set(&err, ERROR_RANGE, "%d of %s", 7, "nine"));
    cr_assert_eq(err.code, ERROR_RANGE);
    cr_assert_str_eq(err.message, "7 of nine");
}

Test(error, prefixes_nest_and_keep_the_code)
{
    struct error err = ERROR_INIT;
    error_set(&err, ERROR_IO, "no such file");
    cr_assert_not(error_prefix(&err, "image %d", 2));
    error_prefix(&err, "board");
    cr_assert_str_eq(err.message, "board: image 2: no such file");
    cr_assert_eq(err.code, ERROR_IO);
}

Test(error, long_texts_are_cut_and_stay_strings)
{
    struct error err = ERROR_INIT;
    char text[2 * sizeof err.message];
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = 0;
    error_set(&err, ERROR_USAGE, "%s", text);
    cr_assert_eq(strlen(err.message), sizeof err.message - 1);
    error_prefix(&err, "who");
    cr_assert_eq(strlen(err.message), sizeof err.message - 1);
    cr_assert_eq(strncmp(err.message, "who: xxx", 8), 0);
    error_prefix(&err, "%s", text);
    cr_assert_eq(strlen(err.message), sizeof err.message - 1);
    cr_assert_eq(err.message[0], 'x');
}
