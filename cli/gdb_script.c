#include "cli/gdb_script.h"

#include "cli/arguments.h"
#include "cli/embedded.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STATUS_BAD = 2 };

static const char embedded_name[] = "gdb/backstep.py";

/* From the program's folder: installed (bin/), and in the build folder. */
static const char *const place[] = {
    "/../share/backstep/gdb/backstep.py",
    "/share/backstep/gdb/backstep.py",
};

static const struct embedded_file *embedded_script(void)
{
    for (size_t i = 0; i < embedded_count; i++)
        if (!strcmp(embedded_files[i].name, embedded_name))
            return &embedded_files[i];
    return NULL;
}

bool gdb_script_find(struct buffer *path)
{
    char folder[PATH_MAX], file[PATH_MAX + 64], whole[PATH_MAX];
    ssize_t size = readlink("/proc/self/exe", folder, sizeof folder - 1);
    if (size <= 0)
        return false;
    folder[size] = '\0';
    *strrchr(folder, '/') = '\0';
    for (size_t i = 0; i < sizeof place / sizeof *place; i++) {
        snprintf(file, sizeof file, "%s%s", folder, place[i]);
        if (access(file, R_OK) || !realpath(file, whole))
            continue;
        buffer_append_string(path, whole);
        return true;
    }
    return false;
}

void gdb_script_offer(struct buffer *line)
{
    struct buffer path = {0};
    if (gdb_script_find(&path))
        buffer_printf(line, "gdb: source %s", buffer_text(&path));
    else
        buffer_append_string(line, "gdb: source backstep.py, once `backstep gdb-script --text "
                                   ">backstep.py` has written it");
    buffer_append_string(line, " (adds goto, rnext, writes, ...: `backstep` lists them)");
    buffer_fini(&path);
}

static int print_path(void)
{
    struct buffer path = {0};
    struct error err = ERROR_INIT;
    bool found = gdb_script_find(&path);
    if (found)
        puts(buffer_text(&path));
    buffer_fini(&path);
    if (found)
        return 0;
    error_set(&err, ERROR_IO,
              "backstep.py is not installed beside the program: `backstep gdb-script --text "
              ">backstep.py` writes it");
    return command_failed(STATUS_BAD, &err);
}

int gdb_script_main(int argc, char **argv)
{
    struct error err = ERROR_INIT;
    const struct embedded_file *script = embedded_script();
    if (argc == 1)
        return print_path();
    if (argc == 2 && (!strcmp(argv[1], "--text") || !strcmp(argv[1], "-text"))) {
        if (script)
            fwrite(script->data, 1, script->size, stdout);
        return 0;
    }
    if (argc == 2 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-help"))) {
        puts("usage: backstep gdb-script [--text]\n\n"
             "Prints where the script is that adds commands for going through time to gdb:\n\n"
             "  gdb-multiarch -x $(backstep gdb-script) -ex 'target remote :1234' KERNEL\n\n"
             "  --text    prints the script itself");
        return 0;
    }
    error_set(&err, ERROR_USAGE, "`%s`: gdb-script has one option, --text", argv[1]);
    return command_failed(STATUS_BAD, &err);
}
