/* The process: exit statuses, addresses. */
#include "base/log.h"
#include "tests/unit/server/bench.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct bench bench;

static void drop_log(void *ctx, enum log_level level, const char *line)
{
    (void)ctx;
    (void)level;
    (void)line;
}

static void begin(const struct bench_options *options)
{
    log_set_sink(drop_log, NULL);
    bench_init(&bench, options);
}

/* ---- the end ---- */

static int status_of(const struct bench_options *options)
{
    begin(options);
    int status = bench_end(&bench);
    bench_fini(&bench);
    return status;
}

Test(server, power_off_is_success)
{
    cr_expect_eq(status_of(&(struct bench_options){.guest = GUEST_OFF, .no_gdb = true}), 0);
    cr_expect_eq(status_of(&(struct bench_options){.guest = GUEST_OFF}), 0, "nobody connected");
}

Test(server, the_guests_code_is_the_status)
{
    cr_expect_eq(status_of(&(struct bench_options){.guest = GUEST_FAIL, .no_gdb = true}), 7);
}

Test(server, stops_at_a_position)
{
    begin(&(struct bench_options){
        .guest = GUEST_COUNT, .no_gdb = true, .server = {.has_stop_at = true, .stop_at = 123457}});
    cr_expect_eq(bench_end(&bench), 0);
    cr_expect_eq(bench_position(&bench), 123457);
    bench_fini(&bench);
}

Test(server, stops_at_a_position_for_gdb)
{
    struct client gdb;
    begin(&(struct bench_options){.guest = GUEST_COUNT,
                                  .server = {.has_stop_at = true, .stop_at = 5000}});
    while (bench_position(&bench) < 5000)
        bench_turn(&bench);
    for (int i = 0; i < 100; i++)
        bench_turn(&bench);
    cr_expect(!bench.over);
    client_greet(&gdb, &bench);
    cr_expect_eq(stop_value(client_ask(&gdb, "?"), "icount"), 5000);
    client_close(&gdb);
    bench_fini(&bench);
}

Test(server, keeps_a_halted_machine_if_told)
{
    begin(&(struct bench_options){.guest = GUEST_FAIL, .server = {.no_shutdown = true}});
    for (int i = 0; i < 200; i++)
        bench_turn(&bench);
    cr_expect(!bench.over);
    cr_expect(riscv_virt_machine(bench.board)->state.halt);
    server_quit(bench.server, 3);
    cr_expect_eq(bench_end(&bench), 3);
    bench_fini(&bench);
}

/* Does the process sleep, as opposed to run or want to? The state is the third word of its stat,
 * whose second is a name in parentheses. */
static bool is_asleep(pid_t process)
{
    char path[64], stat[512] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", (int)process);
    FILE *f = fopen(path, "r");
    cr_assert(f);
    cr_assert(fgets(stat, sizeof stat, f));
    fclose(f);
    const char *name_end = strrchr(stat, ')');
    return name_end && name_end[2] == 'S';
}

/* Stopped, and while the guest waits, the loop does not turn: whenever one looks, it sleeps. A loop
 * that spins is never found asleep, however loaded the host is. */
static void expect_rest(const struct bench_options *options)
{
    enum { LOOKS = 50, PAUSE_NS = 4000000 };
    int ready[2], status;
    char byte;
    cr_assert(!pipe(ready));
    pid_t child = fork();
    if (!child) {
        begin(options);
        for (int i = 0; i < 1000; i++)
            bench_turn(&bench);
        _exit(write(ready[1], "", 1) == 1 ? server_run(bench.server) : 1);
    }
    cr_assert_eq(read(ready[0], &byte, 1), 1);
    int asleep = 0;
    for (int i = 0; i < LOOKS; i++) {
        nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
        asleep += is_asleep(child);
    }
    cr_expect_gt(asleep, LOOKS / 2);
    kill(child, SIGTERM);
    waitpid(child, &status, 0);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

Test(server, rests_when_stopped)
{
    expect_rest(&(struct bench_options){.no_gdb = true, .server.paused = true});
}

Test(server, rests_while_the_guest_waits)
{
    expect_rest(&(struct bench_options){.guest = GUEST_IDLE, .no_gdb = true});
}

/* Neither does it for a pseudo terminal that nobody has open, though that can be read all the time.
 */
Test(server, rests_while_a_pty_has_no_peer)
{
    expect_rest(&(struct bench_options){.guest = GUEST_IDLE, .no_gdb = true, .serial = "pty"});
}

/* ---- addresses ---- */

static void expect_refused(const struct server_options *options, const char *words)
{
    struct error err = ERROR_INIT;
    struct server *server = server_new(options, &err);
    cr_expect(!server && strstr(err.message, words), "%s: %s", options->gdb ? options->gdb : "",
              err.message);
    server_free(server);
}

Test(server, refuses_bad_addresses)
{
    char longest[300] = "unix:/tmp/";
    memset(longest + 10, 'a', 200);
    expect_refused(&(struct server_options){.gdb = longest}, "at most 107 bytes");
    expect_refused(&(struct server_options){.gdb = "unix:"}, "unix:PATH");
    expect_refused(&(struct server_options){.gdb = "tcp:1234"}, "tcp:HOST:PORT");
    expect_refused(&(struct server_options){.gdb = "tcp::65536"}, "is no port");
    expect_refused(&(struct server_options){.gdb = "tcp::x"}, "is no port");
    expect_refused(&(struct server_options){.gdb = "udp::1"}, "an address is");
    expect_refused(&(struct server_options){.gdb = "tcp::0,server,wait=on"}, "-S waits for gdb");
    expect_refused(&(struct server_options){.gdb = "tcp::0,wait=on"}, "add server=on");
    expect_refused(&(struct server_options){.gdb = "tcp::0,wait=of"}, "no option `wait=of`");
    expect_refused(&(struct server_options){.gdb = "unix:/nonexistent/x"}, "cannot listen");
}

Test(server, names_a_port_in_use)
{
    char again[64];
    begin(&(struct bench_options){.server.gdb = "tcp:127.0.0.1:0"});
    snprintf(again, sizeof again, "tcp::%u", server_gdb_address(bench.server)->port);
    expect_refused(&(struct server_options){.gdb = again}, "the port is in use");
    bench_fini(&bench);
}

Test(server, a_unix_socket_is_private_and_goes_away)
{
    struct stat status;
    begin(&(struct bench_options){.server.paused = true});
    cr_assert(!stat(bench.path, &status));
    cr_expect(S_ISSOCK(status.st_mode) && (status.st_mode & 0777) == 0600);
    expect_refused(&(struct server_options){.gdb = bench.address}, "another program listens");
    cr_expect(!stat(bench.path, &status), "left to its owner");
    bench_fini(&bench);
    cr_expect(stat(bench.path, &status) && errno == ENOENT);
}

Test(server, takes_over_a_dead_socket_only)
{
    char path[] = "/tmp/backstep-XXXXXX", address[64];
    struct error err = ERROR_INIT;
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int file = mkstemp(path);
    snprintf(address, sizeof address, "unix:%s", path);
    expect_refused(&(struct server_options){.gdb = address}, "is no socket");
    close(file);
    unlink(path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    memcpy(name.sun_path, path, sizeof path);
    cr_assert(!bind(fd, (struct sockaddr *)&name, sizeof name));
    close(fd);
    struct server *server = server_new(&(struct server_options){.gdb = address}, &err);
    cr_expect(server, "%s", err.message);
    server_free(server);
    cr_expect(access(path, F_OK));
}
