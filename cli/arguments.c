#include "cli/arguments.h"

#include "cli/nearest.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static void help(const struct arguments *a)
{
    enum { COLUMN = 28 };
    printf("usage: backstep %s %s\n\n%s\n", a->command, a->usage, a->text);
    for (size_t i = 0; i < a->count; i++) {
        const struct argument *row = &a->table[i];
        const char *dashes =
            strlen(row->name) == 1 || !strcmp(row->name, "gdb") || !strcmp(row->name, "serial")
                ? "-"
                : "--";
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

static bool unknown(const struct arguments *a, const char *word, const char *name,
                    struct error *err)
{
    const char *meant = nearest(name, &a->table[0].name, sizeof *a->table, a->count);
    if (meant)
        return error_set(err, ERROR_USAGE, "unknown option %.80s: did you mean -%s?", word, meant);
    return error_set(err, ERROR_USAGE, "unknown option %.80s: `backstep %s --help` lists them",
                     word, a->command);
}

static bool parse(const struct arguments *a, int argc, char *const *argv, const char **file,
                  struct error *err)
{
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        if (*word != '-') {
            if (*file)
                return error_set(err, ERROR_USAGE, "`%.80s` and `%.80s`: one file is enough", *file,
                                 word);
            *file = word;
            continue;
        }
        const char *name = word + (word[1] == '-' ? 2 : 1);
        const struct argument *found = find(a, name);
        const char *joined = found ? NULL : find_joined(a, word, &found);
        if (!found)
            return unknown(a, word, name, err);
        if (found->argument && !joined && i + 1 == argc)
            return error_set(err, ERROR_USAGE, "%s needs a value: %s %s", word, word,
                             found->argument);
        if (found->argument)
            *found->value = joined ? joined : argv[++i];
        if (found->flag)
            *found->flag = true;
    }
    return (*file && **file) ||
           error_set(err, ERROR_USAGE, "a recording is missing: backstep %s %s", a->command,
                     a->usage);
}

enum arguments_result arguments_parse(const struct arguments *a, int argc, char *const *argv,
                                      const char **file, struct error *err)
{
    *file = NULL;
    for (int i = 1; i < argc; i++)
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-help") || !strcmp(argv[i], "-h")) {
            help(a);
            return ARGUMENTS_HELP;
        }
    return parse(a, argc, argv, file, err) ? ARGUMENTS_GOOD : ARGUMENTS_BAD;
}

void append_plain(struct buffer *out, const char *text)
{
    for (; *text; text++)
        buffer_append_byte(out, iscntrl((unsigned char)*text) ? '?' : (uint8_t)*text);
}

int command_failed(int status, const struct error *err)
{
    struct buffer text = {0};
    append_plain(&text, err->message);
    fprintf(stderr, "backstep: %s\n", buffer_text(&text));
    buffer_fini(&text);
    return status;
}
