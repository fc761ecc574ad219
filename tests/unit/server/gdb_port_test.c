/* Connecting, leaving, coming back; and a second client. */
#include "base/log.h"
#include "tests/unit/server/bench.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static const struct bench_options counting = {.guest = GUEST_COUNT, .server.paused = true};

static struct bench bench;
static struct client gdb, other;

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

static void run_to(uint64_t position)
{
    while (bench_position(&bench) < position)
        bench_turn(&bench);
}

Test(gdb_port, stops_the_machine_when_gdb_comes)
{
    const struct bench_options running = {.guest = GUEST_COUNT};
    begin(&running);
    run_to(100000);
    client_greet(&gdb, &bench);
    cr_expect_eq(strncmp(client_ask(&gdb, "?"), "T05thread:1;", 12), 0);
    uint64_t position = bench_position(&bench);
    for (int i = 0; i < 100; i++)
        bench_turn(&bench);
    cr_expect_eq(bench_position(&bench), position);
    cr_expect(timeline_live(bench.timeline));
    client_close(&gdb);
    bench_fini(&bench);
}

/* Left at the tip it runs on without its points. */
static void leave_at_the_tip(const char *packet)
{
    begin(&counting);
    client_greet(&gdb, &bench);
    client_expect(&gdb, "Z0,80000004,4", "OK");
    client_ask(&gdb, "vCont;c");
    uint64_t tip = bench_position(&bench);
    client_request(&gdb, packet);
    client_expect_closed(&gdb);
    client_close(&gdb);
    run_to(tip + 1000000);
    client_greet(&gdb, &bench);
    client_ask(&gdb, "?");
    cr_expect_eq(timeline_begin(bench.timeline), 0);
    cr_expect_geq(timeline_tip(bench.timeline), tip + 1000000);
    cr_expect_eq(strncmp(client_ask(&gdb, "bc"), "T05thread:1;replaylog:begin;", 28), 0);
    client_close(&gdb);
    bench_fini(&bench);
}

Test(gdb_port, detach)
{
    leave_at_the_tip("D");
}

Test(gdb_port, kill)
{
    leave_at_the_tip("k");
}

/* Left in the past it stays where it is. */
Test(gdb_port, disconnected_in_the_past)
{
    begin(&counting);
    client_greet(&gdb, &bench);
    for (int i = 0; i < 10; i++)
        client_ask(&gdb, "vCont;s");
    for (int i = 0; i < 4; i++)
        client_ask(&gdb, "bs");
    client_close(&gdb);
    for (int i = 0; i < 100; i++)
        bench_turn(&bench);
    client_greet(&gdb, &bench);
    cr_expect_eq(stop_value(client_ask(&gdb, "?"), "icount"), 6);
    cr_expect_eq(timeline_tip(bench.timeline), 10);
    client_close(&gdb);
    bench_fini(&bench);
}

Test(gdb_port, lost_while_running)
{
    begin(&counting);
    client_greet(&gdb, &bench);
    client_expect(&gdb, "Z2,80000000,4", "OK");
    client_request(&gdb, "vCont;c");
    run_to(1000000);
    client_close(&gdb);
    run_to(bench_position(&bench) + 1000000);
    client_greet(&gdb, &bench);
    client_ask(&gdb, "?");
    /* In a long search backwards: no hit, and every page of it has to be looked at. */
    uint64_t tip = bench_position(&bench);
    client_expect(&gdb, "Z0,80000006,2", "OK");
    client_request(&gdb, "bc");
    bench_turn(&bench);
    client_close(&gdb);
    client_greet(&gdb, &bench);
    client_ask(&gdb, "?");
    cr_expect_geq(timeline_tip(bench.timeline), tip);
    client_close(&gdb);
    bench_fini(&bench);
}

Test(gdb_port, refuses_a_second_client_with_a_reason)
{
    begin(&counting);
    client_greet(&gdb, &bench);
    client_connect(&other, &bench);
    cr_expect_str_eq(client_ask(&other, "qSupported:multiprocess+"),
                     "E.another debugger is connected; only one can be at a time");
    client_request(&other, "vMustReplyEmpty");
    client_expect_closed(&other);
    client_close(&other);
    /* Nor does it stay to send what is no packet. */
    static const char noise[4096];
    client_connect(&other, &bench);
    client_ask(&other, "qSupported:multiprocess+");
    for (int i = 0; i < 64; i++)
        client_send(&other, noise, sizeof noise);
    client_expect_closed(&other);
    client_close(&other);
    client_expect(&gdb, "qC", "QC1");
    /* Many at once do not matter either. */
    struct client crowd[10];
    for (int i = 0; i < 10; i++)
        client_connect(&crowd[i], &bench);
    client_expect(&gdb, "qC", "QC1");
    for (int i = 0; i < 10; i++)
        client_close(&crowd[i]);
    client_expect(&gdb, "qC", "QC1");
    client_close(&gdb);
    bench_fini(&bench);
}

/* One that came while the first was still there, and speaks when it is gone, is let in. */
Test(gdb_port, the_next_client_waits_at_the_door)
{
    begin(&counting);
    client_greet(&gdb, &bench);
    client_ask(&gdb, "vCont;s");
    client_ask(&gdb, "bs");
    client_connect(&other, &bench);
    client_send_text(&other, "+");
    client_close(&gdb);
    client_ask(&other, "qSupported");
    client_expect(&other, "qC", "QC1");
    client_close(&other);
    bench_fini(&bench);
}

Test(gdb_port, a_halted_machine_is_kept_for_the_next)
{
    const struct bench_options off = {.guest = GUEST_OFF, .server.paused = true};
    begin(&off);
    client_greet(&gdb, &bench);
    client_request(&gdb, "vCont;c");
    client_reply(&gdb);
    client_reply(&gdb);
    uint64_t tip = bench_position(&bench);
    client_expect(&gdb, "D", "OK");
    client_expect_closed(&gdb);
    client_close(&gdb);
    for (int i = 0; i < 100; i++)
        bench_turn(&bench);
    cr_expect(!bench.over);
    client_greet(&gdb, &bench);
    cr_expect_eq(stop_value(client_ask(&gdb, "?"), "icount"), tip);
    client_close(&gdb);
    bench_fini(&bench);
}

Test(gdb_port, ends_with_a_resume_outstanding)
{
    begin(&counting);
    client_greet(&gdb, &bench);
    client_request(&gdb, "vCont;c");
    run_to(100000);
    bench_fini(&bench);
    client_close(&gdb);
}

Test(gdb_port, chooses_a_tcp_port)
{
    const struct bench_options tcp = {.server = {.gdb = "tcp::0", .paused = true}};
    begin(&tcp);
    const struct address *address = server_gdb_address(bench.server);
    char text[ADDRESS_TEXT], expected[64];
    address_format(address, text);
    snprintf(expected, sizeof expected, "tcp:127.0.0.1:%u", address->port);
    cr_expect_str_eq(text, expected);
    cr_assert_neq(address->port, 0);
    struct sockaddr_in name = {.sin_family = AF_INET,
                               .sin_port = htons(address->port),
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert(!connect(fd, (struct sockaddr *)&name, sizeof name));
    struct client client = {.bench = &bench, .fd = fd};
    client.acks = true;
    cr_assert(!setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){.tv_usec = 1000},
                          sizeof(struct timeval)));
    cr_expect_eq(client_ask(&client, "?")[0], 'T');
    client_close(&client);
    bench_fini(&bench);
}
