/* The subcommands of `backstep vmstate`. */
#include "cli/vmstate.h"

#include "base/check.h"
#include "cli/nearest.h"
#include "cli/vmstate_check.h"
#include "cli/vmstate_dump.h"
#include "cli/vmstate_model.h"

#include <inttypes.h>
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
    "The exit status of check is the number of findings, at most 255; 2 for a bad command line.\n";

static int fail(int status, const struct error *err)
{
    fprintf(stderr, "backstep: %s\n", err->message);
    return status;
}

/* ---- options ---- */

struct option {
    const char *name;
    const char *alias;
    const char **value; /* NULL: it takes none */
    bool *flag;
};

static bool parse(const struct option *option, size_t count, char **argv, struct error *err)
{
    for (; *argv; argv++) {
        const struct option *found = NULL;
        for (size_t i = 0; i < count; i++)
            if (!strcmp(option[i].name, *argv) || !strcmp(option[i].alias, *argv))
                found = &option[i];
        if (!found) {
            const char *meant = nearest(*argv, &option[0].name, sizeof *option, count);
            return error_set(err, ERROR_USAGE, "unknown option `%.80s`: %s%s%s", *argv,
                             meant ? "did you mean `" : "", meant ? meant : "see ",
                             meant ? "`?" : "`backstep vmstate --help`");
        }
        if (!found->value)
            *found->flag = true;
        else if (!*++argv)
            return error_set(err, ERROR_USAGE, "%s needs a value: %s FILE", argv[-1], argv[-1]);
        else
            *found->value = *argv;
    }
    return true;
}

#define PARSE(table, argv, err) parse(table, sizeof(table) / sizeof *(table), argv, err)

/* ---- dump ---- */

static int dump_main(char **argv)
{
    const char *out = "-";
    const struct option option[] = {{"--output", "-o", &out, NULL}};
    struct error err = ERROR_INIT;
    if (PARSE(option, argv, &err) && vmstate_dump_write(out, &err))
        return 0;
    return fail(BAD, &err);
}

/* ---- check ---- */

struct check_options {
    const char *src, *dest;
    bool reverse, strict;
};

static bool parse_check(struct check_options *o, char **argv, struct error *err)
{
    const struct option option[] = {
        {"--src", "-s", &o->src, NULL},
        {"--dest", "-d", &o->dest, NULL},
        {"--reverse", "-reverse", NULL, &o->reverse},
        {"--strict", "-strict", NULL, &o->strict},
    };
    if (!PARSE(option, argv, err))
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

static int check_main(char **argv)
{
    struct check_options o = {0};
    struct error err = ERROR_INIT;
    if (!parse_check(&o, argv, &err))
        return fail(BAD, &err);
    uint64_t findings = 0;
    json_t *src = vmstate_read(o.src, &err);
    json_t *dest = src ? vmstate_read(o.dest, &err) : NULL;
    bool ok = dest && compare(src, dest, o.reverse, &findings, &err);
    json_decref(src);
    json_decref(dest);
    if (!ok)
        return fail(o.strict ? BAD : VMSTATE_STATUS_MOST, &err);
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
        return dump_main(argv + 2);
    if (argc > 1 && !strcmp(argv[1], "check"))
        return check_main(argv + 2);
    error_set(&err, ERROR_USAGE, "vmstate %s%.80s%s: it is `vmstate dump` or `vmstate check`",
              argc > 1 ? "`" : "needs a word more", argc > 1 ? argv[1] : "", argc > 1 ? "`" : "");
    return fail(BAD, &err);
}
