/* Command lines for the tests of cli/: split, parsed, forgotten. */
#ifndef TESTS_UNIT_CLI_COMMAND_LINE_H
#define TESTS_UNIT_CLI_COMMAND_LINE_H

#include "cli/options.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

enum { WORDS = 64, LINE_SIZE = 1024 };

/* Parsed again by parse; all zero at first, options_fini(&p->o) at last. */
struct parsed {
    char storage[LINE_SIZE];
    struct run_options o;
    struct error err;
    bool good;
};

/* Split at blanks; `_` stands for an empty word. */
static inline int split(const char *line, char storage[LINE_SIZE], char *argv[WORDS])
{
    int argc = 0;
    cr_assert_lt(snprintf(storage, LINE_SIZE, "%s", line), LINE_SIZE);
    for (char *word = strtok(storage, " "); word && argc < WORDS; word = strtok(NULL, " ")) {
        if (!strcmp(word, "_"))
            *word = '\0';
        argv[argc++] = word;
    }
    return argc;
}

static inline void parse(struct parsed *p, const char *line)
{
    char *argv[WORDS];
    options_fini(&p->o);
    memset(p, 0, sizeof *p);
    int argc = split(line, p->storage, argv);
    p->good = options_parse(&p->o, argc, argv, &p->err);
}

static inline void parse_good(struct parsed *p, const char *line)
{
    parse(p, line);
    cr_assert(p->good, "%s: %s", line, p->err.message);
}

/* The message names what is wrong and what to do instead, in one line. */
static inline void parse_bad(struct parsed *p, const char *line, const char *what,
                             const char *way_out)
{
    parse(p, line);
    const char *text = p->err.message;
    cr_assert_not(p->good, "%s", line);
    cr_assert_neq(p->err.code, ERROR_NONE, "%s", line);
    cr_assert(strstr(text, what), "%s: %s", line, text);
    cr_assert(strstr(text, way_out), "%s: %s", line, text);
    cr_assert_null(strchr(text, '\n'), "%s: %s", line, text);
    cr_assert_lt(strlen(text) + 1, sizeof p->err.message, "%s: cut off: %s", line, text);
}

#endif
