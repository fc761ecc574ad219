#include "cli/run.h"

#include "cli/arguments.h"
#include "cli/assembly.h"
#include "cli/replay_run.h"
#include "cli/vmstate_dump.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { STATUS_NOT_RECORDED = 1, STATUS_BAD = 2 };

/* An option asks for it. */
static int answer(const char *text)
{
    fputs(text, stdout);
    return 0;
}

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

/* -icount rr=replay. -1: it did not begin. */
static int replay(const struct run_options *o, struct error *err)
{
    const struct replay_options options = {.file = o->replayed,
                                           .options = o,
                                           .budget = o->budget_given ? o->budget : 0,
                                           .at_begin = true,
                                           .at = o->snapshot,
                                           .bookmarked = true,
                                           .must_agree = true,
                                           .plays = true};
    return replay_run(&options, err);
}

static bool write_pid(const char *path, struct error *err)
{
    FILE *f = fopen(path, "we");
    bool ok = f && fprintf(f, "%ld\n", (long)getpid()) > 0;
    if (f && fclose(f))
        ok = false;
    return ok || error_set(err, ERROR_IO, "-pidfile %.300s: %s", path, strerror(errno));
}

static int serve(const struct run_options *o, struct error *err)
{
    if (o->pid_file && !write_pid(o->pid_file, err))
        return -1;
    int status = o->replayed ? replay(o, err) : run(o, err);
    if (o->pid_file)
        unlink(o->pid_file);
    return status;
}

typedef bool parse_fn(struct run_options *o, int argc, char *const *argv, struct error *err);

static int run_with(parse_fn *parse, int argc, char **argv)
{
    struct run_options options;
    struct error err = ERROR_INIT;
    int status = -1;
    if (parse(&options, argc - 1, argv + 1, &err))
        status = options.help           ? help()
                 : options.answer       ? answer(options.answer)
                 : options.dump_vmstate ? dump(options.dump_vmstate, &err)
                                        : serve(&options, &err);
    options_fini(&options);
    return status < 0 ? command_failed(STATUS_BAD, &err) : status;
}

int run_main(int argc, char **argv)
{
    return run_with(options_parse, argc, argv);
}

int run_main_qemu(int argc, char **argv)
{
    return run_with(options_parse_qemu, argc, argv);
}
