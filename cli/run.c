#include "cli/run.h"

#include "cli/arguments.h"
#include "cli/assembly.h"
#include "cli/vmstate_dump.h"

#include <stdio.h>

enum { STATUS_NOT_RECORDED = 1, STATUS_BAD = 2 };

static int help(void)
{
    struct buffer text;
    buffer_init(&text);
    options_help(&text);
    fputs(buffer_text(&text), stdout);
    buffer_fini(&text);
    return 0;
}

/* -1: it could not be written. */
static int dump(const char *path, struct error *err)
{
    return vmstate_dump_write(path, err) ? 0 : -1;
}

/* -1: it did not begin. */
static int run(const struct run_options *o, struct error *err)
{
    struct assembly *a = assembly_new(o, err);
    int status = a ? server_run(assembly_server(a)) : -1;
    if (a && !assembly_finish(a) && !status)
        status = STATUS_NOT_RECORDED;
    assembly_free(a);
    return status;
}

int run_main(int argc, char **argv)
{
    struct run_options options;
    struct error err = ERROR_INIT;
    int status = -1;
    if (options_parse(&options, argc - 1, argv + 1, &err))
        status = options.help           ? help()
                 : options.dump_vmstate ? dump(options.dump_vmstate, &err)
                                        : run(&options, &err);
    options_fini(&options);
    return status < 0 ? command_failed(STATUS_BAD, &err) : status;
}
