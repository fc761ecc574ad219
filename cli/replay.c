#include "cli/replay.h"

#include "cli/arguments.h"
#include "cli/replay_run.h"

enum { STATUS_BAD = 2, CHARDEVS = 8 };

struct words {
    const char *file, *at, *gdb, *serial, *budget;
    const char *qmp[OPTIONS_CONTROLS], *mon[OPTIONS_CONTROLS], *chardev[CHARDEVS];
    unsigned qmps, mons, chardevs;
    bool gdb_short, stopped;
};

/* ---- options ---- */

static enum arguments_result parse(struct words *w, int argc, char **argv, struct error *err)
{
    const struct argument table[] = {
        {.name = "at",
         .argument = "POSITION",
         .help = "where to stand: N, start, end (default), N%, -N from the end,\na bookmark's name",
         .value = &w->at},
        {.name = "gdb",
         .argument = "WHERE",
         .help = "where gdb connects: tcp:HOST:PORT, unix:PATH or stdio (default: a\nfree port, "
                 "which is said)",
         .value = &w->gdb},
        {.name = "s", .help = "the same as -gdb tcp::1234", .flag = &w->gdb_short},
        {.name = "S", .help = "accepted: it never runs by itself", .flag = &w->stopped},
        {.name = "serial",
         .argument = "WHERE",
         .help = "the serial port, for who runs on beyond the end, as in `backstep\nrun`; without "
                 "it the guest's output goes to stdout",
         .value = &w->serial},
        {.name = "qmp",
         .argument = "WHERE",
         .help = "a control socket, as in `backstep run`: unix:PATH, tcp:HOST:PORT; repeatable",
         .value = w->qmp,
         .count = &w->qmps,
         .most = OPTIONS_CONTROLS},
        {.name = "mon",
         .argument = "chardev=ID,mode=control",
         .help = "the same on a -chardev",
         .value = w->mon,
         .count = &w->mons,
         .most = OPTIONS_CONTROLS},
        {.name = "chardev",
         .argument = "WHERE,id=ID",
         .help = "a place for -mon, or -serial chardev:ID",
         .value = w->chardev,
         .count = &w->chardevs,
         .most = CHARDEVS},
        {.name = "memory-budget",
         .argument = "SIZE",
         .help = "memory for checkpoints and log (default: as recorded)",
         .value = &w->budget},
    };
    const struct arguments a = {
        "replay", "FILE [OPTION]...",
        "Opens a recording for gdb, at its end. From there the machine goes back, and forward "
        "again\n"
        "as it was; beyond the end it runs on, if gdb says so. FILE is never changed.\n",
        table, sizeof table / sizeof *table};
    return arguments_parse(&a, argc, argv, &w->file, err);
}

/* The words of a command line for `run`. */
struct line {
    char *word[2 * (3 + 2 * OPTIONS_CONTROLS + CHARDEVS)];
    int words;
};

static void add(struct line *line, const char *option, const char *const *value, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        line->word[line->words++] = (char *)(uintptr_t)option;
        line->word[line->words++] = (char *)(uintptr_t)value[i];
    }
}

/* By the options of `run`, which know what is possible. */
static bool parse_places(struct run_options *o, const struct words *w, struct error *err)
{
    const char *gdb = w->gdb ? w->gdb : w->gdb_short ? "tcp::1234" : "tcp:127.0.0.1:0";
    const char *serial = w->serial ? w->serial : "null";
    struct line line = {.words = 0};
    add(&line, "-gdb", &gdb, 1);
    add(&line, "-serial", &serial, 1);
    add(&line, "--memory-budget", &w->budget, w->budget ? 1 : 0);
    add(&line, "-chardev", w->chardev, w->chardevs);
    add(&line, "-mon", w->mon, w->mons);
    add(&line, "-qmp", w->qmp, w->qmps);
    return options_parse(o, line.words, line.word, err);
}

/* ---- together ---- */

int replay_main(int argc, char **argv)
{
    struct words words = {0};
    struct run_options places = {0};
    struct error err = ERROR_INIT;
    enum arguments_result parsed = parse(&words, argc, argv, &err);
    if (parsed != ARGUMENTS_GOOD)
        return parsed == ARGUMENTS_HELP ? 0 : command_failed(STATUS_BAD, &err);
    int status = -1;
    if (parse_places(&places, &words, &err)) {
        const struct replay_options options = {.file = words.file,
                                               .options = &places,
                                               .budget = words.budget ? places.budget : 0,
                                               .at = words.at,
                                               .prints = !words.serial};
        status = replay_run(&options, &err);
    }
    options_fini(&places);
    return status < 0 ? command_failed(STATUS_BAD, &err) : status;
}
