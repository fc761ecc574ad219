#include "cli/arguments.h"

#include "base/log.h"
#include "base/plain_text.h"
#include "cli/nearest.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* One letter, and what QEMU has too, is shown with one dash. */
static const char *dashes_of(const char *name)
{
    return strlen(name) == 1 || !strcmp(name, "gdb") || !strcmp(name, "serial") ? "-" : "--";
}

static void help(const struct arguments *a)
{
    enum { COLUMN = 28 };
    printf("usage: backstep %s %s\n\n%s\n", a->command, a->usage, a->text);
    for (size_t i = 0; i < a->count; i++) {
        const struct argument *row = &a->table[i];
        const char *dashes = dashes_of(row->name);
        int used = printf("  %s%s%s%s", dashes, row->name, row->argument ? " " : "",
                          row->argument ? row->argument : "");
        for (const char *line = row->help; line;) {
            size_t size = strcspn(line, "\n");
            if (used + 2 > COLUMN) {
                putchar('\n');
                used = 0;
            }
            printf("%*s%.*s\n", COLUMN - used, "", (int)size, line);
            used = 0;
            line = line[size] ? line + size + 1 : NULL;
        }
    }
}

static const struct argument *find(const struct arguments *a, const char *name)
{
    for (size_t i = 0; i < a->count; i++)
        if (!strcmp(a->table[i].name, name) ||
            (a->table[i].alias && !strcmp(a->table[i].alias, name)))
            return &a->table[i];
    return NULL;
}

/* -j4: a number right behind the one letter; NULL: it is no such word. */
static const char *find_joined(const struct arguments *a, const char *word,
                               const struct argument **found)
{
    const char letter[] = {word[1], '\0'};
    const struct argument *row = find(a, letter);
    if (!row || !row->argument || !isdigit((unsigned char)word[2]))
        return NULL;
    *found = row;
    return word + 2;
}

/* --NAME=VALUE: the value; NULL: it is no such word. */
static const char *find_value(const struct arguments *a, const char *word,
                              const struct argument **found)
{
    char name[32];
    size_t size = strcspn(word, "=");
    if (strncmp(word, "--", 2) != 0 || !word[size] || size - 2 >= sizeof name)
        return NULL;
    snprintf(name, sizeof name, "%.*s", (int)size - 2, word + 2);
    *found = find(a, name);
    return *found ? word + size + 1 : NULL;
}

static bool unknown(const struct arguments *a, const char *word, const char *name,
                    struct error *err)
{
    const char *meant = nearest(name, &a->table[0].name, sizeof *a->table, a->count);
    if (meant)
        return error_set(err, ERROR_USAGE, "unknown option %.80s: did you mean %s%s?", word,
                         dashes_of(meant), meant);
    return error_set(err, ERROR_USAGE, "unknown option %.80s: `backstep %s --help` lists them",
                     word, a->command);
}

static bool set_file(const struct arguments *a, const char **file, const char *word,
                     struct error *err)
{
    if (!file)
        return error_set(err, ERROR_USAGE, "`%.80s` is too much: see `backstep %s --help`", word,
                         a->command);
    if (*file)
        return error_set(err, ERROR_USAGE, "`%.80s` and `%.80s`: one file is enough", *file, word);
    *file = word;
    return true;
}

static bool set_value(const struct argument *row, const char *word, const char **value,
                      const char *text, struct error *err)
{
    int size = (int)strcspn(word, "=");
    if (!text || !*text)
        return error_set(err, ERROR_USAGE, "%.*s needs a value: %.*s %s", size, word, size, word,
                         row->argument);
    if (*value)
        return error_set(err, ERROR_USAGE, "%.*s is given twice", size, word);
    *value = text;
    return true;
}

/* Takes what belongs to the option from *argv on, behind its word. */
static bool set_option(const struct argument *row, const char *word, char *const **argv,
                       const char *joined, struct error *err)
{
    unsigned index = row->count ? *row->count : 0;
    if (row->flag)
        *row->flag = true;
    if (!row->argument)
        return !joined || error_set(err, ERROR_USAGE, "--%s takes no value", row->name);
    if (row->count && index == row->most)
        return error_set(err, ERROR_RANGE, "%s: at most %u times", word, row->most);
    if (!set_value(row, word, &row->value[index], joined ? joined : *(*argv)++, err))
        return false;
    if (row->count)
        ++*row->count;
    return !row->second || set_value(row, word, row->second, *(*argv)++, err);
}

static bool parse(const struct arguments *a, char *const *argv, const char **file,
                  struct error *err)
{
    while (*argv) {
        const char *word = *argv++;
        if (word[0] != '-' || !word[1]) {
            if (!set_file(a, file, word, err))
                return false;
            continue;
        }
        const char *name = word + (word[1] == '-' ? 2 : 1);
        const struct argument *found = find(a, name);
        const char *joined = found ? NULL : find_joined(a, word, &found);
        if (!found)
            joined = find_value(a, word, &found);
        if (!found)
            return unknown(a, word, name, err);
        if (!set_option(found, word, &argv, joined, err))
            return false;
    }
    return !file || (*file && **file) ||
           error_set(err, ERROR_USAGE, "a recording is missing: backstep %s %s", a->command,
                     a->usage);
}

enum arguments_result arguments_parse(const struct arguments *a, int argc, char *const *argv,
                                      const char **file, struct error *err)
{
    if (file)
        *file = NULL;
    for (int i = 1; i < argc; i++)
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-help") || !strcmp(argv[i], "-h")) {
            help(a);
            return ARGUMENTS_HELP;
        }
    return parse(a, argv + 1, file, err) ? ARGUMENTS_GOOD : ARGUMENTS_BAD;
}

void append_plain(struct buffer *out, const char *text)
{
    size_t size = strlen(text);
    buffer_append(out, text, size);
    if (size)
        plain_text_clean(out->data + out->size - size, size, false);
}

void append_cut(struct buffer *out, const char *text, size_t most)
{
    size_t size = strnlen(text, most);
    while (size && ((uint8_t)text[size] & 0xc0) == 0x80) /* not within a character */
        size--;
    buffer_append(out, text, size);
    buffer_append_string(out, text[size] ? "..." : "");
}

int command_failed(int status, const struct error *err)
{
    log_line(LOG_WARN, "%s", err->message);
    return status;
}
