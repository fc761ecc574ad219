#include "cli/trim.h"

#include "cli/arguments.h"
#include "cli/numbers.h"
#include "cli/positions.h"
#include "cli/recorded_run.h"

#include <stdio.h>
#include <sys/stat.h>

enum { STATUS_BAD = 2 };

struct words {
    const char *file, *from, *to, *output;
};

static void say(const char *path, uint64_t from, uint64_t to)
{
    char begin[NUMBER_TEXT], end[NUMBER_TEXT], size[NUMBER_TEXT];
    struct stat st;
    number_format(from, begin);
    number_format(to, end);
    number_format_size(stat(path, &st) ? 0 : (uint64_t)st.st_size, size);
    printf("%s: positions %s to %s, %s\n", path, begin, end, size);
}

static bool trim(struct recorded_run *r, const struct words *w, struct error *err)
{
    struct timeline *tl = recorded_run_timeline(r);
    uint64_t from, to;
    if (!recorded_run_is_not(recorded_run_path(r), w->output, err) ||
        !position_find_part(tl, w->from, w->to, &from, &to, err))
        return false;
    const struct recording_content *content = recorded_run_content(r, err);
    if (!content || !timeline_save(tl, w->output, content, from, to, err))
        return false;
    say(w->output, from, to);
    return true;
}

int trim_main(int argc, char **argv)
{
    struct words w = {0};
    struct error err = ERROR_INIT;
    const struct argument table[] = {
        {.name = "from",
         .argument = "POSITION",
         .help = "its beginning: N, start (default), N%, a bookmark",
         .value = &w.from},
        {.name = "to",
         .argument = "POSITION",
         .help = "its end: N, end (default), N%, a bookmark",
         .value = &w.to},
        {.name = "o",
         .alias = "output",
         .argument = "OUT",
         .help = "the file to write, which must not be there",
         .value = &w.output},
    };
    const struct arguments a = {
        "trim", "FILE [--from POSITION] [--to POSITION] -o OUT",
        "Writes a part of a recording as a recording of its own, which begins exactly at one\n"
        "position and ends at the other. FILE is never changed.\n",
        table, sizeof table / sizeof *table};
    enum arguments_result parsed = arguments_parse(&a, argc, argv, &w.file, &err);
    if (parsed == ARGUMENTS_HELP)
        return 0;
    if (parsed == ARGUMENTS_GOOD && !w.output)
        error_set(&err, ERROR_USAGE, "trim: say where to write: -o OUT");
    if (err.code)
        return command_failed(STATUS_BAD, &err);
    struct recorded_run *r = recorded_run_open(w.file, NULL, &err);
    bool ok = r && trim(r, &w, &err);
    recorded_run_free(r);
    return ok ? 0 : command_failed(STATUS_BAD, &err);
}
