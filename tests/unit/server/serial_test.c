/* The guest's lines to the host: sockets, pseudo terminals, files, stdio. */
#include "base/log.h"
#include "server/terminal.h"
#include "tests/unit/server/bench.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct bench bench;
static char logged[4096];

static void keep_log(void *ctx, enum log_level level, const char *line)
{
    (void)ctx;
    (void)level;
    size_t used = strlen(logged);
    snprintf(logged + used, sizeof logged - used, "%s\n", line);
}

static void begin(const struct bench_options *options)
{
    log_set_sink(keep_log, NULL);
    bench_init(&bench, options);
}

static void turn(int times)
{
    while (times--)
        bench_turn(&bench);
}

/* What comes is `text`, and then, for a while, nothing. */
static void expect_text(int fd, const char *text)
{
    char got[256] = "";
    size_t in = 0, size = strlen(text);
    int quiet = 0;
    fcntl(fd, F_SETFL, O_NONBLOCK);
    for (time_t since = time(NULL); in < size || quiet < 50; bench_turn(&bench), quiet++) {
        ssize_t count = read(fd, got + in, sizeof got - 1 - in);
        in += count > 0 ? (size_t)count : 0;
        quiet = count > 0 ? 0 : quiet;
        cr_assert(time(NULL) - since < 60, "`%s`, not `%s`", got, text);
    }
    cr_expect_str_eq(got, text);
}

static void type(int fd, const char *text)
{
    cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

/* The other end of a line on a pseudo terminal, as the log names it. */
static int open_pty(const char *label)
{
    char path[64] = "", wanted[64];
    snprintf(wanted, sizeof wanted, " (label %s)", label);
    const char *end = strstr(logged, wanted);
    cr_assert(end, "%s", logged);
    const char *start = end;
    while (start > logged && start[-1] != ' ')
        start--;
    snprintf(path, sizeof path, "%.*s", (int)(end - start), start);
    int fd = open(path, O_RDWR | O_NOCTTY);
    cr_assert_geq(fd, 0, "%s", path);
    return fd;
}

/* A Unix socket in a folder of its own. */
struct place {
    char folder[32];
    struct sockaddr_un name;
    char where[160];
};

static void place_make(struct place *p, const char *options)
{
    *p = (struct place){.folder = "/tmp/backstep-XXXXXX", .name.sun_family = AF_UNIX};
    cr_assert(mkdtemp(p->folder));
    snprintf(p->name.sun_path, sizeof p->name.sun_path, "%s/serial", p->folder);
    snprintf(p->where, sizeof p->where, "unix:%s%s", p->name.sun_path, options);
}

static void place_remove(struct place *p)
{
    unlink(p->name.sun_path);
    rmdir(p->folder);
}

static int place_connect(const struct place *p)
{
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    cr_assert(!connect(fd, (const struct sockaddr *)&p->name, sizeof p->name));
    return fd;
}

static int place_listen(const struct place *p)
{
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    cr_assert(!bind(fd, (const struct sockaddr *)&p->name, sizeof p->name) && !listen(fd, 1));
    return fd;
}

/* ---- serial ---- */

/* Every byte typed comes back once and in order, however much is sent ahead. */
static void type_and_compare(int fd)
{
    enum { SIZE = 6000 };
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
    struct place place;
    place_make(&place, ",server=on,wait=off");
    begin(&(struct bench_options){.guest = GUEST_ECHO, .serial = place.where});
    int fd = place_connect(&place);
    type_and_compare(fd);
    close(fd);
    bench_fini(&bench);
    place_remove(&place);
}

/* While gdb has the machine stopped, and after a walk in the past, what is typed waits. */
Test(serial, what_is_typed_while_stopped_waits)
{
    struct place place;
    struct client gdb;
    place_make(&place, "");
    int listening = place_listen(&place);
    begin(
        &(struct bench_options){.guest = GUEST_ECHO, .serial = place.where, .server.paused = true});
    int fd = accept(listening, NULL, NULL);
    type(fd, "abc");
    client_greet(&gdb, &bench);
    for (int i = 0; i < 20; i++)
        client_ask(&gdb, "vCont;s");
    uint64_t begun = timeline_tip(bench.timeline);
    for (int i = 0; i < 10; i++)
        client_ask(&gdb, "bs");
    type(fd, "def");
    cr_expect_eq(strncmp(client_ask(&gdb, "c"), "T05thread:1;replaylog:end;", 26), 0);
    cr_expect_eq(timeline_tip(bench.timeline), begun);
    client_request(&gdb, "c");
    expect_text(fd, "abcdef");
    client_close(&gdb);
    close(fd);
    close(listening);
    bench_fini(&bench);
    place_remove(&place);
}

/* ---- who is waited for ---- */

static uint64_t position_after(int turns)
{
    turn(turns);
    return bench_position(&bench);
}

static void expect_waits(const char *options)
{
    struct place place;
    place_make(&place, options);
    begin(&(struct bench_options){.guest = GUEST_COUNT, .no_gdb = true, .serial = place.where});
    cr_expect_eq(position_after(50), 0, "%s", options);
    int fd = place_connect(&place);
    cr_expect_gt(position_after(50), 0, "%s", options);
    close(fd);
    uint64_t position = position_after(10);
    cr_expect_gt(position_after(20), position, "a peer that has gone is not waited for");
    bench_fini(&bench);
    place_remove(&place);
}

Test(serial, a_server_waits_for_its_peer)
{
    expect_waits(",server");
    expect_waits(",server=on,wait=on");
}

Test(serial, a_server_does_not_wait_if_told)
{
    struct place place;
    place_make(&place, ",server,wait=off");
    begin(&(struct bench_options){.guest = GUEST_COUNT, .no_gdb = true, .serial = place.where});
    cr_expect_gt(position_after(50), 0);
    bench_fini(&bench);
    place_remove(&place);
}

Test(serial, a_peer_does_not_start_what_waits_for_gdb)
{
    struct place place;
    struct client gdb;
    place_make(&place, ",server");
    begin(&(struct bench_options){
        .guest = GUEST_COUNT, .serial = place.where, .server.paused = true});
    int fd = place_connect(&place);
    cr_expect_eq(position_after(50), 0);
    client_greet(&gdb, &bench);
    client_expect(&gdb, "D", "OK");
    cr_expect_gt(position_after(50), 0);
    client_close(&gdb);
    close(fd);
    bench_fini(&bench);
    place_remove(&place);
}

/* ---- pseudo terminals ---- */

Test(serial, a_pty_is_raw_and_loses_nothing)
{
    struct termios settings;
    begin(&(struct bench_options){.guest = GUEST_ECHO, .serial = "pty"});
    turn(10);
    int fd = open_pty("serial0");
    cr_assert(!tcgetattr(fd, &settings));
    cr_expect(!(settings.c_lflag & (ICANON | ECHO | ISIG)) && !(settings.c_oflag & OPOST));
    type_and_compare(fd);
    close(fd);
    bench_fini(&bench);
}

/* What is sent while nobody has it open is dropped, what is typed before it is closed arrives. */
Test(serial, a_pty_is_opened_again_and_again)
{
    begin(&(struct bench_options){.guest = GUEST_ECHO, .serial = "pty"});
    turn(10);
    const struct host host = server_host(bench.server);
    for (int i = 0; i < 3; i++) {
        int fd = open_pty("serial0");
        type(fd, "abc");
        expect_text(fd, "abc");
        close(fd);
        host.output(host.ctx, CHANNEL_SERIAL0, (const uint8_t *)"lost", 4);
        turn(50);
    }
    int fd = open_pty("serial0");
    type(fd, "x");
    close(fd);
    uint64_t events = 0;
    struct timeline_info info;
    timeline_info(bench.timeline, &info);
    events = info.events;
    for (time_t since = time(NULL); info.events == events && time(NULL) - since < 60;) {
        turn(1);
        timeline_info(bench.timeline, &info);
    }
    cr_expect_gt(info.events, events, "typed by one who left at once");
    bench_fini(&bench);
}

Test(serial, a_pty_whose_peer_does_not_read_holds_nobody_up)
{
    enum { SIZE = 65536 };
    static const uint8_t zeros[SIZE];
    begin(&(struct bench_options){.guest = GUEST_COUNT, .serial = "pty"});
    turn(10);
    int fd = open_pty("serial0");
    const struct host host = server_host(bench.server);
    for (int i = 0; i < 24; i++)
        host.output(host.ctx, CHANNEL_SERIAL0, zeros, SIZE);
    uint64_t position = bench_position(&bench);
    cr_expect_gt(position_after(20), position);
    cr_expect(strstr(logged, "serial0: the peer does not read: output is dropped"), "%s", logged);
    close(fd);
    bench_fini(&bench);
}

/* ---- several ---- */

Test(serial, each_channel_has_its_line)
{
    struct place place;
    char log[64], got[64] = "";
    place_make(&place, ",server,wait=off");
    snprintf(log, sizeof log, "file:%s/log", place.folder);
    begin(&(struct bench_options){
        .guest = GUEST_ECHO_TWO,
        .serial = place.where,
        .server = {.line = {{CHANNEL_CONSOLE0, "pty"}, {CHANNEL_CONSOLE1, log}}, .lines = 2}});
    turn(10);
    int socket = place_connect(&place), pty = open_pty("console0");
    type(socket, "to serial0");
    type(pty, "to console0");
    expect_text(pty, "to console0");
    expect_text(socket, "to serial0");
    const struct host host = server_host(bench.server);
    host.output(host.ctx, CHANNEL_CONSOLE1, (const uint8_t *)"filed", 5);
    host.output(host.ctx, CHANNEL_SEMIHOST, (const uint8_t *)"said", 4);
    host.output(host.ctx, CHANNELS - 1, (const uint8_t *)"lost", 4);
    expect_text(socket, "said");
    close(pty);
    close(socket);
    bench_fini(&bench);
    FILE *f = fopen(log + 5, "r");
    cr_assert(f);
    cr_expect_eq(fread(got, 1, sizeof got - 1, f), 5);
    fclose(f);
    cr_expect_str_eq(got, "filed");
    unlink(log + 5);
    place_remove(&place);
}

/* ---- what cannot be had ---- */

static void expect_refused(const struct server_options *options, const char *words)
{
    struct error err = ERROR_INIT;
    struct server *server = server_new(options, &err);
    cr_expect(!server && strstr(err.message, words) && !strchr(err.message, '\n'), "%s: %s", words,
              err.message);
    server_free(server);
}

#define ONE(place) (&(struct server_options){.line = {{CHANNEL_SERIAL0, place}}, .lines = 1})
#define TWO(channel, other, place)                                                                 \
    (&(struct server_options){.line = {{channel, place}, {other, place}}, .lines = 2})

Test(serial, refuses_what_is_no_place)
{
    expect_refused(ONE("vc"), "serial0: `vc` is not one of");
    expect_refused(ONE("file:/nonexistent/x"), "serial0: cannot write");
    expect_refused(ONE("unix:/nonexistent/x"), "cannot connect");
    expect_refused(ONE("unix:/tmp/x,wait=on"), "add server=on");
}

Test(serial, refuses_what_is_taken)
{
    struct place place;
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof name;
    char port[64];
    expect_refused(TWO(CHANNEL_SERIAL0, CHANNEL_CONSOLE0, "stdio"),
                   "serial0 and console0 cannot both be on stdio");
    expect_refused(TWO(CHANNEL_CONSOLE1, CHANNEL_CONSOLE0, "mon:stdio"),
                   "console1 and console0 cannot both be on stdio");
    expect_refused(TWO(CHANNEL_SERIAL0, CHANNEL_SERIAL0, "null"), "serial0 is given two places");
    expect_refused(
        &(struct server_options){.gdb = "stdio", .line = {{CHANNEL_SERIAL0, "stdio"}}, .lines = 1},
        "gdb and serial0 cannot both be on stdio");
    int tcp = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert(!bind(tcp, (struct sockaddr *)&name, size) && !listen(tcp, 1) &&
              !getsockname(tcp, (struct sockaddr *)&name, &size));
    snprintf(port, sizeof port, "tcp:127.0.0.1:%u,server", ntohs(name.sin_port));
    expect_refused(ONE(port), "serial0: tcp:127.0.0.1");
    expect_refused(ONE(port), "the port is in use");
    close(tcp);
    place_make(&place, ",server");
    int listening = place_listen(&place);
    expect_refused(ONE(place.where), "another program listens there");
    cr_expect(!access(place.name.sun_path, F_OK), "left to its owner");
    close(listening);
    struct error err = ERROR_INIT;
    struct server *server = server_new(ONE(place.where), &err);
    cr_expect(server, "what a dead process left behind is taken over: %s", err.message);
    server_free(server);
    place_remove(&place);
}

/* ---- terminals ---- */

/* On a terminal ^C is the guest's, and C-a x ends the program. */
Test(serial, a_terminal_is_raw)
{
    int terminal;
    struct termios cooked;
    pid_t child = forkpty(&terminal, NULL, NULL, NULL);
    cr_assert_geq(child, 0);
    if (!child) {
        begin(&(struct bench_options){.guest = GUEST_ECHO, .no_gdb = true, .serial = "stdio"});
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
    cr_expect(terminal_quits(&t, (const uint8_t *)"a\x01x", 3));
    cr_expect(!terminal_quits(&t, (const uint8_t *)"\x01\x01x\x01", 4), "C-a, and an x");
    t.escaped = true;
    cr_expect(terminal_quits(&t, (const uint8_t *)"x", 1));
}
