/* Control sessions and their port, in one process with the server: what may move when, what is told
 * of it, and what becomes of a machine that nobody or somebody has stopped. */
#include "base/log.h"
#include "tests/unit/server/bench.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static struct bench bench;
static struct client gdb;
static char control_path[80], control_where[120];

struct control_client {
    int fd;
    struct buffer in;
    char line[8192];
};

static struct control_client first, second;
static unsigned warnings;

static void count_warnings(void *ctx, enum log_level level, const char *line)
{
    (void)ctx;
    if (level == LOG_WARN && strstr(line, "WARNING"))
        warnings++;
}

/* Control sockets are named before bench_init makes its folder: they lie beside it. */
static void begin_at(struct bench_options options, const char *where)
{
    log_set_sink(count_warnings, NULL);
    snprintf(control_path, sizeof control_path, "/tmp/backstep-control-%d", (int)getpid());
    snprintf(control_where, sizeof control_where, "unix:%s%s", control_path, where);
    options.server.control[0].where = control_where;
    options.server.controls = 1;
    bench_init(&bench, &options);
}

static void begin(const struct bench_options *options)
{
    begin_at(*options, "");
}

static void control_connect(struct control_client *c)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    memcpy(name.sun_path, control_path, strlen(control_path));
    *c = (struct control_client){.fd = socket(AF_UNIX, SOCK_STREAM, 0)};
    cr_assert(!connect(c->fd, (struct sockaddr *)&name, sizeof name), "%s", strerror(errno));
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
}

static void control_close_client(struct control_client *c)
{
    close(c->fd);
    buffer_fini(&c->in);
}

static void say(struct control_client *c, const char *text)
{
    cr_assert_eq(write(c->fd, text, strlen(text)), (ssize_t)strlen(text));
}

/* The next line, without its end; "" when the connection is closed, NULL when there is none for
 * `turns` turns of the loop (0: for ever). */
static const char *hear(struct control_client *c, int turns)
{
    time_t since = time(NULL);
    for (int i = 0; !turns || i < turns; i++) {
        const char *text = buffer_text(&c->in), *end = strstr(text, "\r\n");
        if (end) {
            snprintf(c->line, sizeof c->line, "%.*s", (int)(end - text), text);
            buffer_consume(&c->in, (size_t)(end + 2 - text));
            return c->line;
        }
        uint8_t bytes[4096];
        bench_turn(&bench);
        ssize_t count = read(c->fd, bytes, sizeof bytes);
        if (!count)
            return "";
        if (count > 0)
            buffer_append(&c->in, bytes, (size_t)count);
        cr_assert(time(NULL) - since < 60, "it never came");
    }
    return NULL;
}

static bool is_event(const char *line, const char *name)
{
    char member[64];
    snprintf(member, sizeof member, "\"event\": \"%s\"", name);
    return strstr(line, "\"timestamp\": ") && strstr(line, member);
}

static void expect(struct control_client *c, const char *line)
{
    cr_expect_str_eq(hear(c, 0), line);
}

static void expect_event(struct control_client *c, const char *name)
{
    const char *line = hear(c, 0);
    cr_expect(is_event(line, name), "%s, not %s", line, name);
}

static void expect_quiet(struct control_client *c)
{
    const char *line = hear(c, 20);
    cr_expect_null(line, "%s", line);
}

static void ask(struct control_client *c, const char *request, const char *reply)
{
    say(c, request);
    expect(c, reply);
}

static void greet(struct control_client *c)
{
    control_connect(c);
    cr_expect(strstr(hear(c, 0), "\"capabilities\": []"));
    ask(c, "{'execute':'qmp_capabilities'}", "{\"return\": {}}");
}

static bool runs(void)
{
    uint64_t position = bench_position(&bench);
    for (int i = 0; i < 20; i++)
        bench_turn(&bench);
    return bench_position(&bench) > position;
}

#define NOTHING "{\"return\": {}}"
#define MONITOR(line) "{'execute':'human-monitor-command','arguments':{'command-line':'" line "'}}"

static const struct bench_options counting = {.guest = GUEST_COUNT, .server.paused = true};
static const struct bench_options running = {.guest = GUEST_COUNT};

Test(control, the_socket_is_private)
{
    struct stat status;
    begin(&counting);
    cr_assert(!stat(control_path, &status));
    cr_expect_eq(status.st_mode & 0777, 0600);
    cr_assert(server_control_address(bench.server, 0));
    cr_expect_str_eq(server_control_address(bench.server, 0)->path, control_path);
    cr_expect_null(server_control_address(bench.server, 1));
    bench_fini(&bench);
    cr_expect(stat(control_path, &status), "it is removed");
    cr_expect_eq(warnings, 0);
}

Test(control, a_free_run_makes_way_without_a_word)
{
    begin(&running);
    greet(&first);
    cr_expect(runs());
    ask(&first, MONITOR("hallo"), "{\"return\": \"hallo!\\r\\n\"}");
    cr_expect(runs());
    say(&first, "{'execute':'stop'}");
    expect_event(&first, "STOP");
    expect(&first, NOTHING);
    cr_expect_not(runs());
    ask(&first, MONITOR("hallo"), "{\"return\": \"hallo!\\r\\n\"}");
    cr_expect_not(runs());
    say(&first, "{'execute':'cont'}");
    expect_event(&first, "RESUME");
    expect(&first, NOTHING);
    cr_expect(runs());
    control_close_client(&first);
    bench_fini(&bench);
}

Test(control, a_move_stays_where_it_ends)
{
    begin(&running);
    greet(&first);
    while (bench_position(&bench) < 100000)
        bench_turn(&bench);
    say(&first, MONITOR("goto 1000"));
    expect_event(&first, "STOP");
    expect(&first, "{\"return\": \"position 1000\\r\\n\"}");
    cr_expect_not(runs());
    cr_expect_eq(bench_position(&bench), 1000);
    say(&first, "{'execute':'cont'}");
    expect_event(&first, "RESUME");
    expect(&first, NOTHING);
    expect_event(&first, "STOP");
    cr_expect(timeline_live(bench.timeline), "the tip ends it");
    cr_expect_not(runs());
    control_close_client(&first);
    bench_fini(&bench);
}

Test(control, both_hear_of_it_when_they_have_negotiated)
{
    begin(&counting);
    greet(&first);
    control_connect(&second);
    hear(&second, 0);
    say(&first, "{'execute':'cont'}{'execute':'stop'}");
    expect_event(&first, "RESUME");
    expect(&first, NOTHING);
    expect_event(&first, "STOP");
    expect(&first, NOTHING);
    expect_quiet(&second);
    ask(&second, "{'execute':'qmp_capabilities'}", NOTHING);
    say(&first, "{'execute':'cont'}");
    expect_event(&first, "RESUME");
    expect_event(&second, "RESUME");
    expect(&first, NOTHING);
    control_close_client(&first);
    control_close_client(&second);
    bench_fini(&bench);
}

Test(control, a_second_mover_is_told_who_moves)
{
    begin(&counting);
    greet(&first);
    greet(&second);
    client_greet(&gdb, &bench);
    client_request(&gdb, "vCont;c");
    expect_event(&first, "RESUME");
    ask(&first, "{'execute':'replay-seek','arguments':{'icount':0}}",
        "{\"error\": {\"class\": \"GenericError\", \"desc\": \"busy: gdb is running\"}}");
    ask(&first, MONITOR("goto 0"), "{\"return\": \"Error: busy: gdb is running\\r\\n\"}");
    say(&first, "{'execute':'stop'}");
    cr_expect(!strncmp(client_reply(&gdb), "T02", 3));
    expect_event(&first, "STOP");
    expect(&first, NOTHING);
    client_close(&gdb);
    for (int i = 0; i < 20; i++)
        bench_turn(&bench);
    cr_expect_not(runs(), "a control client has stopped it: gdb's leaving changes nothing");
    control_close_client(&first);
    control_close_client(&second);
    bench_fini(&bench);
}

Test(control, gdb_finds_the_machine_at_rest)
{
    begin(&counting);
    greet(&first);
    client_greet(&gdb, &bench);
    client_ask(&gdb, "vCont;s");
    expect_event(&first, "RESUME");
    expect_event(&first, "STOP");
    say(&first, "{'execute':'cont'}");
    expect_event(&first, "RESUME");
    expect(&first, NOTHING);
    cr_expect(runs());
    cr_expect_gt(stop_value(client_ask(&gdb, "?"), "icount"), 1);
    cr_expect_not(runs());
    expect_event(&first, "STOP");
    client_request(&gdb, in_hex("qRcmd,", "x"));
    cr_expect_str_eq(client_reply(&gdb),
                     in_hex("", "x!\n(another client has moved the machine: `maint flush "
                                "register-cache` and `frame` show where it is)\n"));
    client_request(&gdb, in_hex("qRcmd,", "x"));
    cr_expect_str_eq(client_reply(&gdb), in_hex("", "x!\n"));
    client_close(&gdb);
    control_close_client(&first);
    bench_fini(&bench);
}

Test(control, replay_break_stops_gdb_as_an_interrupt)
{
    begin(&counting);
    greet(&first);
    client_greet(&gdb, &bench);
    ask(&first, "{'execute':'replay-break','arguments':{'icount':777}}", NOTHING);
    const char *reply = client_ask(&gdb, "vCont;c");
    cr_expect(!strncmp(reply, "T02", 3), "%s", reply);
    cr_expect_eq(stop_value(reply, "icount"), 777);
    reply = client_ask(&gdb, "bc");
    cr_expect(strstr(reply, "replaylog:begin"), "%s", reply);
    reply = client_ask(&gdb, "c");
    cr_expect(strstr(reply, "replaylog:end"), "it is gone: %s", reply);
    client_close(&gdb);
    control_close_client(&first);
    bench_fini(&bench);
}

Test(control, the_machine_waits_for_a_client_that_it_was_told_to_wait_for)
{
    begin_at(running, ",server=on");
    cr_expect_not(runs());
    greet(&first);
    cr_expect(runs());
    control_close_client(&first);
    cr_expect(runs());
    bench_fini(&bench);
}

Test(control, a_halt_is_told)
{
    begin(&(struct bench_options){.guest = GUEST_OFF, .server.paused = true});
    greet(&first);
    say(&first, "{'execute':'cont'}");
    expect_event(&first, "RESUME");
    expect(&first, NOTHING);
    expect_event(&first, "SHUTDOWN");
    cr_expect_eq(bench_end(&bench), 0);
    control_close_client(&first);
    bench_fini(&bench);
}

Test(control, the_end_finds_it_moving)
{
    begin(&counting);
    greet(&first);
    say(&first, MONITOR("goto 0") "{'execute':'cont'}");
    for (int i = 0; i < 5; i++)
        bench_turn(&bench);
    bench_fini(&bench);
    control_close_client(&first);
}

Test(control, a_client_that_reads_nothing_is_given_no_more)
{
    begin(&counting);
    greet(&first);
    greet(&second);
    size_t sent = 0;
    char request[4096];
    memset(request, ' ', sizeof request);
    memcpy(request, "{'execute':'query-commands'}", 28);
    for (int i = 0; i < 20000 && sent < (size_t)16 << 20; i++) {
        ssize_t count = write(first.fd, request, sizeof request);
        if (count > 0)
            sent += (size_t)count;
        else
            bench_turn(&bench);
    }
    cr_expect_lt(sent, (size_t)16 << 20, "it is not read any more");
    ask(&second, "{'execute':'query-name'}", NOTHING);
    control_close_client(&first);
    control_close_client(&second);
    bench_fini(&bench);
}

Test(control, bad_places)
{
    static const char *const where[] = {
        "stdio", "fd:3x", "fd:9999", "unix:", "tcp:1", "unix:/tmp/nobody-listens-here,server=off"};
    for (size_t i = 0; i < sizeof where / sizeof *where; i++) {
        struct server_options options = {.control = {{where[i], false}}, .controls = 1};
        struct error err = ERROR_INIT;
        cr_expect_null(server_new(&options, &err), "%s", where[i]);
        cr_expect_neq(err.message[0], '\0');
    }
}

Test(control, an_open_port_is_warned_of)
{
    struct bench_options options = {.guest = GUEST_COUNT, .server.paused = true, .no_gdb = true};
    log_set_sink(count_warnings, NULL);
    options.server.controls = 2;
    options.server.control[0].where = "tcp:127.0.0.1:0";
    options.server.control[1].where = "tcp:0.0.0.0:0";
    bench_init(&bench, &options);
    cr_expect_eq(warnings, 1);
    cr_expect_neq(server_control_address(bench.server, 0)->port, 0);
    bench_fini(&bench);
}
