#include "cli/demo.h"

#include "base/log.h"
#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/demo_script.h"
#include "cli/embedded.h"
#include "cli/numbers.h"
#include "devices/riscv_virt.h"
#include "server/server.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { STATUS_FOUND = 0, STATUS_NOT_FOUND = 1, STATUS_BAD = 2 };
enum { RAM_MIB = 16, SHIFT = 3 };

struct demo {
    bool interactive; /* a terminal on both ends */
    const char *gdb;
    struct riscv_virt *board;
    struct timeline *timeline;
    struct demo_files files;
};

/* ---- gdb as a child ---- */

/* Start argv[0] from the PATH; 0 when it cannot be started. `quiet`: without input and output;
 * otherwise it has ours, but without `input` nothing to read. */
static pid_t start(const char *const *argv, bool quiet, bool input)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t defaults;
    pid_t child;
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGINT);
    sigaddset(&defaults, SIGHUP);
    sigaddset(&defaults, SIGPIPE);
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
    /* What gdb passes on from the target goes to its stderr: keep it in order with the rest. */
    if (!quiet)
        posix_spawn_file_actions_adddup2(&files, STDOUT_FILENO, STDERR_FILENO);
    if (quiet || !input)
        posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    for (int fd = STDOUT_FILENO; quiet && fd <= STDERR_FILENO; fd++)
        posix_spawn_file_actions_addopen(&files, fd, "/dev/null", O_WRONLY, 0);
    int failure =
        posix_spawnp(&child, argv[0], &files, &attributes, (char *const *)(uintptr_t)argv, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    return failure ? 0 : child;
}

static bool knows_riscv(const char *gdb)
{
    const char *const argv[] = {gdb, "-nx", "-batch", "-ex", "set architecture riscv:rv64", NULL};
    int status;
    pid_t child = start(argv, true, false);
    while (child && waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return false;
    return child && WIFEXITED(status) && !WEXITSTATUS(status);
}

static const char *find_gdb(void)
{
    static const char *const name[] = {"gdb-multiarch", "gdb", "riscv64-unknown-elf-gdb"};
    for (size_t i = 0; i < sizeof name / sizeof *name; i++)
        if (knows_riscv(name[i]))
            return name[i];
    return NULL;
}

/* ---- the run to the crash ---- */

static uint64_t demo_clock(void *ctx)
{
    struct timespec now;
    (void)ctx;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void demo_output(void *ctx, unsigned channel, const uint8_t *bytes, size_t size)
{
    (void)ctx, (void)channel;
    fwrite(bytes, 1, size, stdout);
}

static const struct embedded_file *find_embedded(const char *name)
{
    for (size_t i = 0; i < embedded_count; i++)
        if (!strcmp(embedded_files[i].name, name))
            return &embedded_files[i];
    return NULL;
}

static bool make_machine(struct demo *d, struct error *err)
{
    const struct embedded_file *elf = find_embedded("demo.elf");
    const struct riscv_virt_options board = {
        .ram_size = (uint64_t)RAM_MIB << 20, .harts = 1, .shift = SHIFT};
    const struct timeline_options timeline = {.warp = true,
                                              .host = {.clock = demo_clock, .output = demo_output}};
    d->board = riscv_virt_new_elf(&board, elf->name, elf->data, elf->size, err);
    if (!d->board)
        return false;
    d->timeline = timeline_new(riscv_virt_machine(d->board), &timeline);
    return true;
}

static bool run_to_crash(struct demo *d, struct error *err)
{
    struct stop stop = {0};
    struct timeline_info info;
    char position[NUMBER_TEXT];
    puts("A bug, found backwards\n"
         "======================\n\n"
         "The guest is the firmware of a small sensor board. It has a bug of the miserable kind:\n"
         "a pointer is overwritten, and nothing happens, for a long time. Let it run:\n");
    uint64_t began = demo_clock(NULL);
    timeline_continue(d->timeline);
    timeline_finish(d->timeline, &stop);
    double seconds = (double)(demo_clock(NULL) - began) / 1e9;
    if (stop.reason != STOP_HALT || stop.halt != HALT_EXIT || !stop.halt_code)
        return error_set(err, ERROR_FORMAT, "the demo's guest did not crash, stop reason %d",
                         (int)stop.reason);
    timeline_info(d->timeline, &info);
    number_format(stop.position, position);
    printf("\nIt has crashed, and switched itself off, after %s instructions. Nobody had set a\n"
           "breakpoint. But all of it is recorded, always: %" PRIu64 " checkpoints in %.1f s.\n"
           "Now %s connects, as to any remote target.\n",
           position, info.checkpoints, seconds, d->gdb);
    return true;
}

/* ---- the search ---- */

static void drop_line(void *ctx, enum log_level level, const char *line)
{
    (void)ctx, (void)level, (void)line;
}

static void sleep_us(long us)
{
    const struct timespec time = {0, us * 1000};
    nanosleep(&time, NULL);
}

/* A gdb that waits for a command of its own, as for Enter, hears SIGTERM only after it. */
static void stop_child(pid_t child)
{
    enum { TRIES = 100, TRY_US = 10000 };
    int status;
    kill(child, SIGTERM);
    for (unsigned i = 0; i < TRIES; i++) {
        if (waitpid(child, &status, WNOHANG) != 0)
            return;
        sleep_us(TRY_US);
    }
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
}

/* Serve until the child has ended; it is stopped when we are asked to stop. True: it ended well. */
static bool serve(struct demo *d, struct server *server, pid_t child)
{
    enum { BUSY_TURNS = 5000, SHORT_US = 100, LONG_US = 5000 };
    int status, ignored;
    unsigned quiet = 0;
    while (waitpid(child, &status, WNOHANG) == 0) {
        if (!server_turn(server, &ignored)) {
            stop_child(child);
            return false;
        }
        quiet = timeline_moving(d->timeline) ? 0 : quiet + 1;
        if (quiet)
            sleep_us(quiet < BUSY_TURNS ? SHORT_US : LONG_US);
    }
    return WIFEXITED(status) && !WEXITSTATUS(status);
}

static pid_t start_gdb(const struct demo *d)
{
    char elf[DEMO_PATH], script[DEMO_PATH];
    demo_files_path(&d->files, "demo.elf", elf);
    demo_files_path(&d->files, "script", script);
    const char *const batch[] = {d->gdb, "-nx", "-q", "-batch", "-x", script, elf, NULL};
    const char *const prompt[] = {d->gdb, "-nx", "-q", "-x", script, elf, NULL};
    fflush(stdout);
    return start(d->interactive ? prompt : batch, false, d->interactive);
}

static bool write_script(const struct demo *d, struct error *err)
{
    static const char pause[] = "printf '\\n[Enter] '; read line </dev/tty || echo\n";
    struct buffer script;
    buffer_init(&script);
    demo_script(&d->files, d->interactive, &script);
    bool good = demo_files_write(&d->files, "script", script.data, script.size, err) &&
                demo_files_write(&d->files, "pause", pause, sizeof pause - 1, err);
    buffer_fini(&script);
    return good;
}

/* What gdb left in the file `found`. */
static bool culprit_found(const struct demo *d)
{
    char path[DEMO_PATH], text[512];
    demo_files_path(&d->files, "found", path);
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    size_t size = fread(text, 1, sizeof text - 1, file);
    text[size] = '\0';
    fclose(file);
    return demo_script_found(text);
}

/* ^C at gdb's prompt is gdb's: we only go when it does. */
static void leave_keys_to_gdb(struct server *server)
{
    int ignored;
    server_turn(server, &ignored);
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
}

static bool debug(struct demo *d, struct error *err)
{
    char socket[DEMO_PATH], where[DEMO_PATH + 8];
    demo_files_path(&d->files, "gdb.socket", socket);
    snprintf(where, sizeof where, "unix:%s", socket);
    const struct server_options options = {.gdb = where, .paused = true, .no_shutdown = true};
    struct command_context context = {.timeline = d->timeline};
    const struct interpreter interpreter = commands_interpreter(&context);
    if (!write_script(d, err))
        return false;
    struct server *server = server_new(&options, err);
    if (!server)
        return false;
    bool good = server_attach(server, d->timeline, &interpreter, err);
    if (good) {
        leave_keys_to_gdb(server);
        pid_t child = start_gdb(d);
        good =
            child ? serve(d, server, child) : error_set(err, ERROR_IO, "%s: cannot start", d->gdb);
        if (child && !good)
            error_set(err, ERROR_IO, "%s has ended before the end of the demo", d->gdb);
    }
    server_free(server);
    commands_close(&context);
    return good;
}

/* ---- as a whole ---- */

static int conclude(const struct demo *d)
{
    if (culprit_found(d)) {
        printf("\nThe culprit: guests/demo/ring.c, line %u.\n", demo_script_line());
        return STATUS_FOUND;
    }
    fprintf(stderr, "backstep: the demo did not find its culprit, guests/demo/ring.c line %u\n",
            demo_script_line());
    return STATUS_NOT_FOUND;
}

static int run(struct demo *d, struct error *err)
{
    int status = STATUS_BAD;
    if (!make_machine(d, err) || !run_to_crash(d, err) || !demo_files_init(&d->files, err))
        return status;
    log_set_sink(drop_line, NULL);
    if (debug(d, err))
        status = conclude(d);
    log_set_sink(NULL, NULL);
    demo_files_fini(&d->files);
    return status;
}

static bool arguments_valid(int argc, char **argv, struct error *err)
{
    if (argc < 2)
        return true;
    return error_set(err, ERROR_USAGE, "`%s`: the demo has no options", argv[1]);
}

int demo_main(int argc, char **argv)
{
    struct error err = ERROR_INIT;
    struct demo d = {.interactive = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO)};
    if (argc == 2 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-help"))) {
        puts("usage: backstep demo\n\n"
             "Runs a guest that has a bug to its crash and lets gdb find the culprit, backwards.\n"
             "Step by step on a terminal, without questions elsewhere.");
        return STATUS_FOUND;
    }
    if (!arguments_valid(argc, argv, &err))
        return command_failed(STATUS_BAD, &err);
    unsetenv("DEBUGINFOD_URLS");
    d.gdb = find_gdb();
    if (!d.gdb) {
        error_set(&err, ERROR_UNSUPPORTED,
                  "no gdb that knows RISC-V: install the package gdb-multiarch");
        return command_failed(STATUS_BAD, &err);
    }
    int status = run(&d, &err);
    timeline_free(d.timeline);
    riscv_virt_free(d.board);
    return status == STATUS_BAD && err.code ? command_failed(STATUS_BAD, &err) : status;
}
