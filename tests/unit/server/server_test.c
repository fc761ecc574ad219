/* The process: exit statuses, addresses, the serial port. */
#include "base/log.h"
#include "server/terminal.h"
#include "tests/unit/server/bench.h"

#include <errno.h>
#include <fcntl.h>
#include <pty.h>
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
    expect_refused(&(struct server_options){.gdb = "tcp::0,server,wait=on"}, "no option `wait=on`");
    expect_refused(&(struct server_options){.gdb = "unix:/nonexistent/x"}, "cannot listen");
    expect_refused(&(struct server_options){.gdb = "stdio", .serial = "stdio"}, "cannot both");
    expect_refused(&(struct server_options){.serial = "vc"}, "not one of");
    expect_refused(&(struct server_options){.serial = "file:/nonexistent/x"}, "cannot write");
    expect_refused(&(struct server_options){.serial = "unix:/nonexistent/x"}, "cannot connect");
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

/* ---- serial ---- */

/* Every byte typed comes back once and in order, however much is sent ahead. */
static void type_and_compare(int fd)
{
    enum { SIZE = 20000 };
    uint8_t sent[SIZE], got[SIZE];
    size_t out = 0, in = 0;
    for (size_t i = 0; i < SIZE; i++)
        sent[i] = (uint8_t)(i * 31 >> 4);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    for (time_t since = time(NULL); in < SIZE; bench_turn(&bench)) {
        ssize_t count = out < SIZE ? write(fd, sent + out, SIZE - out) : 0;
        out += count > 0 ? (size_t)count : 0;
        count = read(fd, got + in, SIZE - in);
        in += count > 0 ? (size_t)count : 0;
        cr_assert(time(NULL) - since < 60, "%zu of %zu", in, out);
    }
    cr_expect(!memcmp(sent, got, SIZE));
}

Test(serial, nothing_typed_is_lost)
{
    char where[160], folder[] = "/tmp/backstep-XXXXXX";
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    cr_assert(mkdtemp(folder));
    snprintf(name.sun_path, sizeof name.sun_path, "%s/serial", folder);
    snprintf(where, sizeof where, "unix:%s,server=on,wait=off", name.sun_path);
    begin(&(struct bench_options){.guest = GUEST_ECHO, .server.serial = where});
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    cr_assert(!connect(fd, (struct sockaddr *)&name, sizeof name));
    type_and_compare(fd);
    close(fd);
    bench_fini(&bench);
    rmdir(folder);
}

/* While gdb has the machine stopped, and after a walk in the past, what is typed waits. */
Test(serial, what_is_typed_while_stopped_waits)
{
    char where[160], folder[] = "/tmp/backstep-XXXXXX";
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    struct client gdb;
    cr_assert(mkdtemp(folder));
    snprintf(name.sun_path, sizeof name.sun_path, "%s/serial", folder);
    snprintf(where, sizeof where, "unix:%s", name.sun_path);
    int listening = socket(AF_UNIX, SOCK_STREAM, 0);
    cr_assert(!bind(listening, (struct sockaddr *)&name, sizeof name) && !listen(listening, 1));
    begin(
        &(struct bench_options){.guest = GUEST_ECHO, .server = {.serial = where, .paused = true}});
    int fd = accept(listening, NULL, NULL);
    cr_assert_eq(write(fd, "abc", 3), 3);
    client_greet(&gdb, &bench);
    for (int i = 0; i < 20; i++)
        client_ask(&gdb, "vCont;s");
    uint64_t begun = timeline_tip(bench.timeline);
    for (int i = 0; i < 10; i++)
        client_ask(&gdb, "bs");
    cr_assert_eq(write(fd, "def", 3), 3);
    cr_expect_eq(strncmp(client_ask(&gdb, "c"), "T05thread:1;replaylog:end;", 26), 0);
    cr_expect_eq(timeline_tip(bench.timeline), begun);
    client_request(&gdb, "c");
    char got[7] = "";
    for (size_t in = 0; in < 6; bench_turn(&bench)) {
        ssize_t count = recv(fd, got + in, 6 - in, MSG_DONTWAIT);
        in += count > 0 ? (size_t)count : 0;
    }
    cr_expect_str_eq(got, "abcdef");
    client_close(&gdb);
    close(fd);
    close(listening);
    bench_fini(&bench);
    unlink(name.sun_path);
    rmdir(folder);
}

/* On a terminal ^C is the guest's, and C-a x ends the program. */
Test(serial, a_terminal_is_raw)
{
    int terminal;
    struct termios cooked;
    pid_t child = forkpty(&terminal, NULL, NULL, NULL);
    cr_assert_geq(child, 0);
    if (!child) {
        begin(
            &(struct bench_options){.guest = GUEST_ECHO, .no_gdb = true, .server.serial = "stdio"});
        int status = bench_end(&bench);
        bench_fini(&bench);
        tcgetattr(STDIN_FILENO, &cooked);
        _exit(status ? 1 : cooked.c_lflag & ICANON && cooked.c_lflag & ISIG ? 42 : 2);
    }
    do
        tcgetattr(terminal, &cooked); /* until it is raw: the master sees the same settings */
    while (cooked.c_lflag & ICANON);
    static const char typed[] = "a\x03\x01\x01z";
    cr_assert_eq(write(terminal, typed, 5), 5);
    char got[4];
    for (size_t in = 0; in < 4; in++)
        cr_assert_eq(read(terminal, got + in, 1), 1);
    cr_expect(!memcmp(got, "a\x03\x01z", 4));
    cr_assert_eq(write(terminal, "\x01x", 2), 2);
    int status;
    waitpid(child, &status, 0);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 42, "%x", (unsigned)status);
    close(terminal);
}

Test(terminal, keys)
{
    struct terminal t = {0};
    struct buffer out = {0};
    static const struct {
        uint8_t byte;
        enum terminal_key key;
    } typed[] = {{'a', TERMINAL_BYTE}, {1, TERMINAL_PREFIX},    {'h', TERMINAL_HELP},
                 {1, TERMINAL_PREFIX}, {'c', TERMINAL_MONITOR}, {1, TERMINAL_PREFIX},
                 {'a', TERMINAL_BYTE}, {1, TERMINAL_PREFIX},    {'z', TERMINAL_PREFIX},
                 {'x', TERMINAL_BYTE}, {1, TERMINAL_PREFIX},    {'x', TERMINAL_QUIT}};
    for (size_t i = 0; i < sizeof typed / sizeof *typed; i++)
        cr_expect_eq(terminal_key(&t, typed[i].byte, &out), typed[i].key, "key %zu", i);
    cr_expect_str_eq(buffer_text(&out), "a\x01x");
    buffer_fini(&out);
}
