#include "server/crash_text.h"

#include "base/check.h"
#include "base/plain_text.h"

#include <regex.h>
#include <stdlib.h>
#include <string.h>

/* ---- panics ---- */

/* Texts as the systems print them. Those that programs of a healthy system print as well are left
 * out: "panic: " of the BSDs and of xv6 is Go's too. `steps` is behind the begin of it, for systems
 * without a last line, or with one that does not come. */
static const struct panic {
    const char *begin;
    bool starts_line;
    uint64_t steps;
} panics[] = {
    {"Kernel panic - not syncing", false, 200000000},             /* Linux */
    {"sbi_trap_error: hart", true, 10000000},                     /* OpenSBI: a trap of its own */
    {"### ERROR ### Please RESET the board ###", true, 10000000}, /* U-Boot */
    {">>> ZEPHYR FATAL ERROR", false, 10000000},                  /* Zephyr */
};

/* Last lines: Linux's, and before it resets. */
static const char *const panic_ends[] = {"---[ end Kernel panic", "Rebooting in "};

/* ---- state ---- */

struct line {
    struct buffer text;
    struct plain_text plain;
};

struct crash_text {
    bool panics;
    regex_t pattern[CRASH_PATTERNS];
    unsigned patterns;
    struct line line[CHANNEL_NET0];
    uint64_t printed;
    bool matched, panicked;
    unsigned panic_channel;
    struct crash_match match;
    struct crash_panic panic;
    char match_line[CRASH_LINE + 1], panic_line[CRASH_LINE + 1];
};

static bool compile(regex_t *regex, const char *text, struct error *err)
{
    char why[200];
    int failure = regcomp(regex, text, REG_EXTENDED | REG_NOSUB);
    if (!failure)
        return true;
    regerror(failure, regex, why, sizeof why);
    return error_set(err, ERROR_USAGE, "`%.80s` is no POSIX extended regular expression: %s", text,
                     why);
}

struct crash_text *crash_text_new(bool panic, const char *const *pattern, unsigned patterns,
                                  struct error *err)
{
    struct crash_text *t = mem_new(1, sizeof *t);
    check(patterns <= CRASH_PATTERNS, "%u patterns", patterns);
    t->panics = panic;
    for (unsigned i = 0; i < CHANNEL_NET0; i++)
        t->line[i].plain.out = &t->line[i].text;
    for (; t->patterns < patterns; t->patterns++)
        if (!compile(&t->pattern[t->patterns], pattern[t->patterns], err)) {
            crash_text_free(t);
            return NULL;
        }
    return t;
}

void crash_text_free(struct crash_text *t)
{
    if (!t)
        return;
    for (unsigned i = 0; i < t->patterns; i++)
        regfree(&t->pattern[i]);
    for (unsigned i = 0; i < CHANNEL_NET0; i++)
        buffer_fini(&t->line[i].text);
    free(t);
}

/* ---- lines ---- */

static void find_match(struct crash_text *t, const char *line, uint64_t position)
{
    for (unsigned i = 0; i < t->patterns && !t->matched; i++) {
        if (regexec(&t->pattern[i], line, 0, NULL, 0))
            continue;
        t->matched = true;
        strcpy(t->match_line, line);
        t->match = (struct crash_match){i, position, t->match_line};
    }
}

static bool ends_panic(const char *line)
{
    for (size_t i = 0; i < sizeof panic_ends / sizeof *panic_ends; i++)
        if (strstr(line, panic_ends[i]))
            return true;
    return false;
}

static void find_panic(struct crash_text *t, unsigned channel, const char *line, uint64_t position)
{
    if (ends_panic(line)) {
        t->panic.over |= t->panicked && channel == t->panic_channel;
        return;
    }
    for (size_t i = 0; i < sizeof panics / sizeof *panics && !t->panicked; i++) {
        const char *at = strstr(line, panics[i].begin);
        if (!at || (panics[i].starts_line && at != line))
            continue;
        t->panicked = true;
        t->panic_channel = channel;
        strcpy(t->panic_line, line);
        t->panic = (struct crash_panic){position, t->panic_line, panics[i].steps, false};
    }
}

static void end_line(struct crash_text *t, unsigned channel, uint64_t position)
{
    struct line *line = &t->line[channel];
    const char *text = buffer_text(&line->text);
    find_match(t, text, position);
    if (t->panics)
        find_panic(t, channel, text, position);
    buffer_clear(&line->text);
    line->plain = (struct plain_text){.out = &line->text};
}

void crash_text_add(struct crash_text *t, unsigned channel, const uint8_t *bytes, size_t size,
                    uint64_t position)
{
    if (channel >= CHANNEL_NET0 || !size)
        return;
    struct line *line = &t->line[channel];
    t->printed = position;
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] == '\n') {
            end_line(t, channel, position);
            continue;
        }
        plain_text_add(&line->plain, bytes[i]);
        if (line->text.size > CRASH_LINE)
            line->text.size = CRASH_LINE;
    }
}

void crash_text_end(struct crash_text *t, uint64_t position)
{
    for (unsigned i = 0; i < CHANNEL_NET0; i++)
        if (t->line[i].text.size)
            end_line(t, i, position);
}

/* ---- what was found ---- */

const struct crash_match *crash_text_match(const struct crash_text *t)
{
    return t->matched ? &t->match : NULL;
}

const struct crash_panic *crash_text_panic(const struct crash_text *t)
{
    return t->panicked ? &t->panic : NULL;
}

void crash_text_forget(struct crash_text *t)
{
    t->matched = t->panicked = false;
}

uint64_t crash_text_printed(const struct crash_text *t)
{
    return t->printed;
}
