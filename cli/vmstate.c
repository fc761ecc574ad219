/* The subcommands of `backstep vmstate`. */
#include "cli/vmstate.h"

#include "cli/arguments.h"
#include "cli/vmstate_check.h"
#include "cli/vmstate_dump.h"
#include "cli/vmstate_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BAD = 2 };

static const char usage[] =
    "usage: backstep vmstate dump [-o FILE]\n"
    "       backstep vmstate check -s SRC -d DEST [--reverse] [--strict]\n"
    "\n"
    "dump writes what this program saves of a machine, as JSON in the schema of QEMU's "
    "-dump-vmstate.\n"
    "check compares two such dumps, of this program or of QEMU, and says what would break when "
    "DEST\n"
    "loads a state that SRC wrote, a line each, in the words of QEMU's static checker.\n"
    "\n"
    "  -o, --output FILE    where the dump goes (default: -, the standard output)\n"
    "  -s, --src FILE       the dump of the program that saves\n"
    "  -d, --dest FILE      the dump of the program that loads\n"
    "  --reverse            the other way round: SRC loads what DEST wrote\n"
    "  --strict             a dump that cannot be read gives status 2, instead of 255\n"
    "\n"
    "The exit status of check is the number of findings, at most 255; 2 for a bad command line.\n"
    "A dump that cannot be read has 255 too, or with --strict 2: then there is a line on stderr,\n"
    "which findings do not write.\n";

/* ---- dump ---- */

static int dump_main(int argc, char **argv)
{
    const char *out = NULL;
    const struct argument table[] = {
        {.name = "output", .alias = "o", .argument = "FILE", .value = &out}};
    const struct arguments a = {"vmstate dump", "[-o FILE]", NULL, table, 1};
    struct error err = ERROR_INIT;
    if (arguments_parse(&a, argc, argv, NULL, &err) == ARGUMENTS_GOOD &&
        vmstate_dump_write(out ? out : "-", &err))
        return 0;
    return command_failed(BAD, &err);
}

/* ---- check ---- */

struct check_options {
    const char *src, *dest;
    bool reverse, strict;
};

static bool parse_check(struct check_options *o, int argc, char **argv, struct error *err)
{
    const struct argument table[] = {
        {.name = "src", .alias = "s", .argument = "FILE", .value = &o->src},
        {.name = "dest", .alias = "d", .argument = "FILE", .value = &o->dest},
        {.name = "reverse", .flag = &o->reverse},
        {.name = "strict", .flag = &o->strict},
    };
    const struct arguments a = {"vmstate check", "-s SRC -d DEST [--reverse] [--strict]", NULL,
                                table, sizeof table / sizeof *table};
    if (arguments_parse(&a, argc, argv, NULL, err) != ARGUMENTS_GOOD)
        return false;
    if (!o->src || !o->dest)
        return error_set(err, ERROR_USAGE,
                         "vmstate check needs %s FILE: the dump of the program "
                         "that %s",
                         o->src ? "-d" : "-s", o->src ? "loads" : "saves");
    return true;
}

static void print(void *ctx, const char *text)
{
    fputs(text, ctx);
}

static bool compare(json_t *src, json_t *dest, bool reverse, uint64_t *findings, struct error *err)
{
    const struct vmstate_report report = {print, stdout};
    bool ok = vmstate_check(reverse ? dest : src, reverse ? src : dest, &report, findings, err);
    if (fflush(stdout) || ferror(stdout))
        return error_set(err, ERROR_IO, "the findings cannot be written: standard output failed");
    return ok;
}

static int check_main(int argc, char **argv)
{
    struct check_options o = {0};
    struct error err = ERROR_INIT;
    if (!parse_check(&o, argc, argv, &err))
        return command_failed(BAD, &err);
    uint64_t findings = 0;
    json_t *src = vmstate_read(o.src, &err);
    json_t *dest = src ? vmstate_read(o.dest, &err) : NULL;
    bool ok = dest && compare(src, dest, o.reverse, &findings, &err);
    json_decref(src);
    json_decref(dest);
    if (!ok)
        return command_failed(o.strict ? BAD : VMSTATE_STATUS_MOST, &err);
    return findings < VMSTATE_STATUS_MOST ? (int)findings : VMSTATE_STATUS_MOST;
}

int vmstate_main(int argc, char **argv)
{
    struct error err = ERROR_INIT;
    for (int i = 1; i < argc; i++)
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-help") || !strcmp(argv[i], "-h")) {
            fputs(usage, stdout);
            return 0;
        }
    if (argc > 1 && !strcmp(argv[1], "dump"))
        return dump_main(argc - 1, argv + 1);
    if (argc > 1 && !strcmp(argv[1], "check"))
        return check_main(argc - 1, argv + 1);
    error_set(&err, ERROR_USAGE, "vmstate %s%.80s%s: it is `vmstate dump` or `vmstate check`",
              argc > 1 ? "`" : "needs a word more", argc > 1 ? argv[1] : "", argc > 1 ? "`" : "");
    return command_failed(BAD, &err);
}
