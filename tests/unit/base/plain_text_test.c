#include "base/plain_text.h"

#include <criterion/criterion.h>
#include <string.h>

static const struct {
    const char *bytes, *text;
} cases[] = {
    {"plain\ntext\n", "plain\ntext\n"},
    {"end\r\nof line\r\n", "end\nof line\n"},
    {"10%\r20%\r100%\n", "100%\n"},
    {"kept\r", "kept"},
    {"a\rb\n\rc", "b\nc"},
    {"\x1b[1;31mred\x1b[0m \x1b[Kback\n", "red back\n"},
    {"\x1b(Bset \x1b=\x1b>\x1b"
     "7x\n",
     "set x\n"},
    {"\x1b]0;the title\x07shown \x1b]2;other\x1b\\too\n", "shown too\n"},
    {"\x1bP1$r0m\x1b\\x", "x"},
    {"an \x1b[12;\nend ends it\x1b]0;this\ntoo", "an \nend ends it\ntoo"},
    {"tab\there, \x01\x02\x7f"
     "bell\x07\n",
     "tab\there, bell\n"},
    {"\xc3\xa9t\xff\n", "\xc3\xa9t\xff\n"},
    {"\n\n", "\n\n"},
    {"", ""},
};

Test(plain_text, what_a_terminal_shows)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buffer out = {0};
        struct plain_text p = {.out = &out};
        for (const char *c = cases[i].bytes; *c; c++)
            plain_text_add(&p, (uint8_t)*c);
        cr_assert_str_eq(buffer_text(&out), cases[i].text, "case %zu: %s", i, buffer_text(&out));
        buffer_fini(&out);
    }
}

Test(plain_text, zero_bytes_and_what_was_there)
{
    struct buffer out = {0};
    buffer_append_string(&out, "old ");
    struct plain_text p = {.out = &out, .line = out.size};
    for (size_t i = 0; i < 7; i++)
        plain_text_add(&p, (uint8_t) "a\0b\rcd\n"[i]);
    cr_assert_str_eq(buffer_text(&out), "old cd\n");
    cr_assert_eq(p.line, out.size);
    buffer_fini(&out);
}

Test(plain_text, what_anybody_may_be_shown)
{
    static const struct {
        const char *bytes, *line, *lines;
    } text[] = {
        {"caf\xc3\xa9 \xe2\x9c\x93 \xf0\x9f\x90\x9b", "caf\xc3\xa9 \xe2\x9c\x93 \xf0\x9f\x90\x9b",
         NULL},
        {"a\tb\nc\r", "a?b?c?", "a\tb\nc?"},
        {"\x1b[2J\x7f\xc2\x9b"
         "1m",
         "?[2J???1m", NULL},
        {"\xe2\x80\xae \xe2\x80\xa8 \xe2\x81\xa6", "??? ??? ???", NULL},
        {"\xff \xc0\xaf \xed\xa0\x80 \xf4\x90\x80\x80", "? ?? ??? ????", NULL},
        {"cut \xe2\x9c", "cut ??", NULL},
        {"", "", NULL},
    };
    for (size_t i = 0; i < sizeof text / sizeof *text; i++) {
        char line[64], lines[64];
        strcpy(line, text[i].bytes);
        strcpy(lines, text[i].bytes);
        plain_text_clean(line, strlen(line), false);
        plain_text_clean(lines, strlen(lines), true);
        cr_assert_str_eq(line, text[i].line, "case %zu", i);
        cr_assert_str_eq(lines, text[i].lines ? text[i].lines : text[i].line, "case %zu", i);
    }
}
