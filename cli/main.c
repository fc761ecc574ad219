/* The program: names of its commands. */
#include "cli/bench.h"
#include "cli/demo.h"
#include "cli/export.h"
#include "cli/gdb_script.h"
#include "cli/info.h"
#include "cli/nearest.h"
#include "cli/replay.h"
#include "cli/report.h"
#include "cli/run.h"
#include "cli/trim.h"
#include "cli/verify.h"
#include "cli/vmstate.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int main_fn(int argc, char **argv);

static main_fn help, version;

static const struct command {
    const char *name;
    const char *help; /* NULL: not listed */
    main_fn *run;
} command[] = {
    {"run", "run a machine, recorded, with gdb stepping it in both directions", run_main},
    {"replay", "open a recording for gdb, at its end or anywhere", replay_main},
    {"info", "what a recording is, and what it holds", info_main},
    {"verify", "replay a recording and compare every digest", verify_main},
    {"trim", "write a part of a recording as one of its own", trim_main},
    {"demo", "see a bug found backwards: the two minutes' introduction", demo_main},
    {"bench", "measure speed and memory, side by side with QEMU", bench_main},
    {"export", "a core for gdb, memory or a disk, as of a position of a recording", export_main},
    {"report", "why and where a recorded run ended, and what is to blame", report_main},
    {"gdb-script", "where gdb's commands for going through time are: a script", gdb_script_main},
    {"vmstate", "what is saved of a machine, and whether another version loads it", vmstate_main},
    {"help", "this text; `backstep run --help` lists the options of a machine", help},
    {"version", "the version", version},
    {"--help", NULL, help},
    {"-help", NULL, help},
    {"-h", NULL, help},
    {"--version", NULL, version},
    {"-version", NULL, version},
};

enum { COMMANDS = sizeof command / sizeof *command, BAD = 2 };

static int help(int argc, char **argv)
{
    char run[] = "run", wanted[] = "--help";
    char *run_help[] = {run, wanted, NULL};
    if (argc > 1 && !strcmp(argv[1], "run"))
        return run_main(2, run_help);
    puts("usage: backstep COMMAND [OPTION]...\n\n"
         "A RISC-V machine that gdb can run backwards.\n");
    for (size_t i = 0; i < COMMANDS; i++)
        if (command[i].help)
            printf("  %-12s%s\n", command[i].name, command[i].help);
    return 0;
}

static int version(int argc, char **argv)
{
    (void)argc, (void)argv;
    puts("backstep " BACKSTEP_VERSION);
    return 0;
}

static int unknown(const char *word)
{
    const char *meant = nearest(word, &command[0].name, sizeof *command, COMMANDS);
    if (meant)
        fprintf(stderr, "backstep: unknown command `%s`: did you mean `%s`?\n", word, meant);
    else
        fprintf(stderr, "backstep: unknown command `%s`: `backstep help` lists them\n", word);
    return BAD;
}

static int dispatch(int argc, char **argv)
{
    for (size_t i = 0; i < COMMANDS; i++)
        if (!strcmp(command[i].name, argv[1]))
            return command[i].run(argc - 1, argv + 1);
    return unknown(argv[1]);
}

/* What could not be said was not done. */
static int finish(int status)
{
    if ((!fflush(stdout) && !ferror(stdout)) || status)
        return status;
    fputs("backstep: standard output cannot be written to\n", stderr);
    return BAD;
}

/* A script written for QEMU starts the program by a link of such a name. */
static bool has_qemu_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    static const char name[] = "qemu-system-riscv64";
    return !strncmp(slash ? slash + 1 : path, name, sizeof name - 1);
}

int main(int argc, char **argv)
{
    /* A file that may not grow (ulimit -f) is an error of its write, like a disk that is full. */
    signal(SIGXFSZ, SIG_IGN);
    if (argc > 0 && has_qemu_name(argv[0]))
        exit(finish(run_main_qemu(argc, argv)));
    if (argc > 1)
        exit(finish(dispatch(argc, argv)));
    fprintf(stderr, "backstep: no command: `backstep help` lists them, `backstep demo` shows what "
                    "it is about\n");
    exit(BAD);
}
