/* Lines that end a run, found however the bytes come. */
#include "server/crash_text.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static struct crash_text *text;

static void fini(void)
{
    crash_text_free(text);
    text = NULL;
}

TestSuite(crash_text, .fini = fini);

static void begin(bool panic, const char *pattern)
{
    struct error err = ERROR_INIT;
    crash_text_free(text);
    text = crash_text_new(panic, &pattern, pattern != NULL, &err);
    cr_assert(text, "%s", err.message);
}

static void print_at(unsigned channel, const char *bytes, uint64_t position)
{
    crash_text_add(text, channel, (const uint8_t *)bytes, strlen(bytes), position);
}

static void print(const char *bytes)
{
    print_at(CHANNEL_SERIAL0, bytes, 7);
}

static bool matches(const char *pattern, const char *bytes)
{
    begin(false, pattern);
    print(bytes);
    return crash_text_match(text);
}

Test(crash_text, patterns)
{
    cr_assert(matches("^FAIL", "ok\nFAIL: 3\n"));
    cr_assert(matches("FAIL$", "test FAIL\r\n"), "the carriage return is none of it");
    cr_assert(matches("a|b+c", "xbbbcx\n"));
    cr_assert(matches("[[:digit:]]{3}", "code 123\n"));
    cr_assert(matches("^$", "a\n\n"));
    cr_assert(matches("red alert", "\x1b[31mred \x1b[1malert\x1b[0m\n"));
    cr_assert(matches("^two$", "one\rtwo\n"), "overwritten");
    cr_assert(matches("^ab$", "a\x01\x07"
                              "b\n"));
    cr_assert_not(matches("^FAIL", "a FAIL\n"));
    cr_assert_not(matches("a.b", "a\nb\n"), "a line at a time");
    cr_assert_not(matches("FAIL", "FAIL"), "not complete");
    cr_assert_not(matches("one", "one\rtwo\n"));
    begin(false, "^a.?b$");
    crash_text_add(text, 0, (const uint8_t *)"a\0b\n", 4, 1);
    cr_assert(crash_text_match(text), "zero bytes are not shown");
}

Test(crash_text, byte_by_byte)
{
    static const char bytes[] = "\x1b[2Jnoise\r\nhere \x1b]0;t\x07it is\r\nmore\n";
    for (size_t first = 0; first < sizeof bytes; first++) {
        begin(false, "^here it");
        crash_text_add(text, 0, (const uint8_t *)bytes, first, 100);
        for (size_t i = first; bytes[i]; i++) {
            uint8_t byte = (uint8_t)bytes[i];
            crash_text_add(text, 0, &byte, 1, 101 + i);
        }
        const struct crash_match *match = crash_text_match(text);
        cr_assert(match);
        cr_assert_str_eq(match->line, "here it is");
        size_t end = (size_t)(strstr(bytes, "is\r\n") - bytes) + 3;
        cr_assert_eq(match->position, first > end ? 100 : 101 + end, "%zu: %lu", first,
                     match->position);
        cr_assert_eq(crash_text_printed(text),
                     first == sizeof bytes - 1 ? 100 : 101 + strlen(bytes) - 1);
    }
}

Test(crash_text, channels_have_lines_of_their_own)
{
    begin(false, "^one line$");
    print_at(CHANNEL_SERIAL0, "one ", 1);
    print_at(CHANNEL_CONSOLE0, "another", 2);
    print_at(CHANNEL_SEMIHOST, "\n", 3);
    cr_assert_not(crash_text_match(text));
    print_at(CHANNEL_NET0, "one line\n", 4);
    cr_assert_not(crash_text_match(text), "packets are no text");
    cr_assert_eq(crash_text_printed(text), 3);
    print_at(CHANNEL_SERIAL0, "line\n", 5);
    cr_assert_eq(crash_text_match(text)->position, 5);
}

Test(crash_text, the_first_of_several)
{
    const char *const pattern[] = {"c", "b", "a"};
    struct error err = ERROR_INIT;
    text = crash_text_new(false, pattern, 3, &err);
    print("x\nab\nc\n");
    cr_assert_eq(crash_text_match(text)->pattern, 1, "the first of them in the first line");
    cr_assert_str_eq(crash_text_match(text)->line, "ab");
    crash_text_forget(text);
    cr_assert_not(crash_text_match(text));
    print("c");
    cr_assert_not(crash_text_match(text));
    print("\n");
    cr_assert_eq(crash_text_match(text)->pattern, 0);
}

Test(crash_text, long_lines_are_cut)
{
    char *line = malloc(100001);
    memset(line, 'a', 100000);
    line[CRASH_LINE - 1] = 'b';
    line[CRASH_LINE] = 'c';
    line[100000] = '\0';
    begin(false, "b$");
    print(line);
    print("b\n");
    cr_assert(crash_text_match(text));
    cr_assert_eq(strlen(crash_text_match(text)->line), CRASH_LINE);
    begin(false, "c");
    print(line);
    print("\nc\n");
    cr_assert_str_eq(crash_text_match(text)->line, "c", "and the next line is whole");
    free(line);
}

Test(crash_text, incomplete_lines_count_at_the_end)
{
    begin(true, "FAIL");
    print("FAIL");
    crash_text_end(text, 9);
    cr_assert_eq(crash_text_match(text)->position, 9);
    print("Kernel panic - not syncing: x");
    cr_assert_not(crash_text_panic(text));
    crash_text_end(text, 10);
    cr_assert(crash_text_panic(text));
    crash_text_forget(text);
    crash_text_end(text, 11);
    cr_assert_not(crash_text_match(text) || crash_text_panic(text));
}

Test(crash_text, bad_patterns)
{
    static const char *const bad[] = {"(", "a{1", "[", "*("};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct error err = ERROR_INIT;
        cr_assert_null(crash_text_new(true, &bad[i], 1, &err), "%s", bad[i]);
        cr_assert(strstr(err.message, bad[i]));
    }
}

/* ---- panics ---- */

Test(crash_text, a_kernel_panics)
{
    begin(true, NULL);
    print_at(0, "[    1.5] Oops [#1]\n", 1);
    cr_assert_not(crash_text_panic(text));
    print_at(0, "[    1.6] Kernel panic - not syncing: sysrq triggered crash\r", 2);
    print_at(0, "\n", 3);
    const struct crash_panic *panic = crash_text_panic(text);
    cr_assert_eq(panic->position, 3);
    cr_assert_str_eq(panic->line, "[    1.6] Kernel panic - not syncing: sysrq triggered crash");
    cr_assert_not(panic->over);
    print_at(0, "[    1.7] Call Trace:\n", 4);
    cr_assert_not(panic->over);
    print_at(CHANNEL_CONSOLE0, "---[ end Kernel panic, on another channel\n", 4);
    cr_assert_not(panic->over);
    print_at(0, "[    1.8] ---[ end Kernel panic - not syncing: sysrq triggered crash ]---", 5);
    cr_assert_not(panic->over, "the line is not whole");
    print_at(0, "\r\n", 6);
    cr_assert(panic->over);
    cr_assert_eq(panic->position, 3);
    /* The last line alone is no panic. */
    crash_text_forget(text);
    print("---[ end Kernel panic - not syncing: x ]---\n");
    cr_assert_not(crash_text_panic(text));
    print("Kernel panic - not syncing: y\nRebooting in 5 seconds..\n");
    cr_assert(crash_text_panic(text)->over);
}

Test(crash_text, other_systems)
{
    static const struct {
        const char *line;
        bool panic;
    } lines[] = {
        {"sbi_trap_error: hart0: trap handler failed (error -2)\n", true},
        {"### ERROR ### Please RESET the board ###\n", true},
        {"[00:00:00.010,000] <err> os: >>> ZEPHYR FATAL ERROR 0: CPU exception on CPU 0\n", true},
        {"see sbi_trap_error: hart\n", false},
        {"Kernel panic\n", false},
        {"panic: runtime error: index out of range\n", false},
        {"PANIC\n", false},
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        begin(true, NULL);
        print(lines[i].line);
        cr_assert_eq(crash_text_panic(text) != NULL, lines[i].panic, "%s", lines[i].line);
        begin(false, NULL);
        print(lines[i].line);
        cr_assert_not(crash_text_panic(text));
    }
}
