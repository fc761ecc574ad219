/* What no well-behaved client sends: the session goes on, or ends with a reason. */
#include "base/log.h"
#include "rsp/packet.h"
#include "server/conn.h"
#include "tests/unit/server/bench.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static const struct bench_options counting = {.guest = GUEST_COUNT, .server.paused = true};

static struct bench bench;
static struct client gdb;
static char logged[4096];

static void keep_log(void *ctx, enum log_level level, const char *line)
{
    (void)ctx;
    (void)level;
    strncat(logged, line, sizeof logged - strlen(logged) - 1);
}

static void begin(void)
{
    log_set_sink(keep_log, NULL);
    bench_init(&bench, &counting);
    client_greet(&gdb, &bench);
}

static void end(void)
{
    client_close(&gdb);
    bench_fini(&bench);
}

Test(gdb_input, garbage)
{
    uint64_t random = 1;
    begin();
    for (int i = 0; i < 300; i++) {
        uint8_t bytes[200];
        for (size_t n = 0; n < sizeof bytes; n++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            bytes[n] = (uint8_t)(random >> 56);
        }
        client_send(&gdb, bytes, sizeof bytes);
    }
    /* A packet to end whatever has begun; then the marker, whose reply nothing else has. */
    client_request(&gdb, "qAttached");
    client_request(&gdb, "qXfer:features:read:target.xml:0,8");
    for (int i = 0; i < 1000 && strcmp(client_reply(&gdb), "m<?xml ve"); i++)
        ;
    cr_expect_str_eq(buffer_text(&gdb.payload), "m<?xml ve");
    end();
}

Test(gdb_input, bad_packets_have_one_reply_each)
{
    static const char *const packets[] = {
        "m",        "m1",
        "mzz,1",    "M80001000,4:01",
        "P",        "Pzz=1",
        "Hx1",      "Z0,",
        "Z9,0,0",   "Z0,80000000",
        "vCont;",   "vCont;x",
        "vRun;abc", "qXfer:features:read:target.xml:",
        "T",        "G1",
        "qRcmd,1",  "X80001000,ff:a",
        "!!",       "Qx",
        "\x7f",
    };
    begin();
    for (size_t i = 0; i < sizeof packets / sizeof *packets; i++) {
        const char *reply = client_ask(&gdb, packets[i]);
        cr_expect(!reply[0] || reply[0] == 'E', "%s: %s", packets[i], reply);
        client_expect(&gdb, "qC", "QC1");
    }
    end();
}

Test(gdb_input, split_into_bytes)
{
    begin();
    for (const char *at = "$vCont;s#b8$qC#b4"; *at; at++)
        client_send(&gdb, at, 1);
    cr_expect_eq(strncmp(client_reply(&gdb), "T05thread:1;icount:1;", 21), 0);
    cr_expect_str_eq(client_reply(&gdb), "QC1");
    end();
}

/* Requests behind a resume wait for its stop. */
Test(gdb_input, pipelined)
{
    struct buffer all = {0};
    begin();
    for (int i = 0; i < 500; i++) {
        rsp_packet_append(&all, "vCont;s", 7);
        rsp_packet_append(&all, "qC", 2);
        rsp_packet_append(&all, "p20", 3);
    }
    client_send(&gdb, all.data, all.size);
    for (unsigned i = 1; i <= 500; i++) {
        char expected[64];
        snprintf(expected, sizeof expected, "T05thread:1;icount:%x;", i);
        cr_assert_eq(strncmp(client_reply(&gdb), expected, strlen(expected)), 0);
        cr_assert_str_eq(client_reply(&gdb), "QC1");
        cr_assert_eq(strlen(client_reply(&gdb)), 16);
    }
    buffer_fini(&all);
    end();
}

Test(gdb_input, too_long)
{
    enum { SIZE = RSP_PACKET_SIZE + 1000 };
    char *packet = malloc(SIZE + 1);
    memset(packet, 'm', SIZE);
    packet[SIZE] = 0;
    begin();
    cr_expect_eq(client_ask(&gdb, packet)[0], 'E');
    client_expect(&gdb, "qC", "QC1");
    free(packet);
    end();
}

Test(gdb_input, damaged_without_acknowledgements)
{
    begin();
    client_send_text(&gdb, "$qC#00");
    cr_expect_str_eq(client_reply(&gdb), "E01");
    client_expect(&gdb, "qC", "QC1");
    end();
}

/* Replies wait for a client that does not read, and requests with them. */
Test(gdb_input, a_client_that_does_not_read)
{
    enum { REQUESTS = 200, SIZE = 0xf000 };
    struct buffer all = {0};
    begin();
    for (int i = 0; i < REQUESTS; i++)
        rsp_packet_append(&all, "m80000000,f000", 14);
    client_send(&gdb, all.data, all.size);
    for (int i = 0; i < 1000; i++)
        bench_turn(&bench);
    for (int i = 0; i < REQUESTS; i++) {
        client_reply(&gdb);
        cr_assert_eq(gdb.payload.size, 2 * SIZE);
    }
    client_expect(&gdb, "qC", "QC1");
    buffer_fini(&all);
    end();
}

Test(gdb_input, too_many_requests_while_running)
{
    enum { SIZE = 0x10000 };
    char *packet = malloc(SIZE + 1);
    memset(packet, 'q', SIZE);
    packet[SIZE] = 0;
    begin();
    client_request(&gdb, "vCont;c");
    for (int i = 0; i < 10; i++)
        client_request(&gdb, packet);
    client_expect_closed(&gdb);
    while (!strstr(logged, "too many requests"))
        bench_turn(&bench);
    free(packet);
    end();
}

/* ---- the connection below ---- */

static void on_closed(void *ctx, const char *reason)
{
    snprintf(ctx, 100, "%s", reason);
}

static void ignore(void *ctx)
{
    (void)ctx;
}

Test(conn, ends_when_the_peer_never_reads)
{
    static const struct conn_ops ops = {ignore, NULL, on_closed};
    char reason[100] = "";
    uv_loop_t loop;
    int pair[2];
    cr_assert(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    uv_loop_init(&loop);
    struct conn *conn = conn_new(&loop, ADDRESS_UNIX, pair[0]);
    conn_start(conn, &ops, reason);
    char *bytes = calloc(1 << 20, 1);
    for (int i = 0; i < 20 && !conn_closing(conn); i++) {
        conn_send(conn, bytes, 1 << 20);
        conn_flush(conn);
        cr_assert_leq(conn_backlog(conn), CONN_BACKLOG_MOST + (1 << 20));
    }
    cr_expect(conn_closing(conn));
    uv_run(&loop, UV_RUN_DEFAULT);
    cr_expect_str_eq(reason, "the peer does not read what it is sent");
    cr_expect_eq(uv_loop_close(&loop), 0);
    close(pair[1]);
    free(bytes);
}

Test(conn, sends_everything_before_it_closes)
{
    enum { SIZE = 1 << 20 };
    static const struct conn_ops ops = {ignore, NULL, on_closed};
    char reason[100] = "";
    uv_loop_t loop;
    int pair[2];
    cr_assert(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    uv_loop_init(&loop);
    struct conn *conn = conn_new(&loop, ADDRESS_UNIX, pair[0]);
    conn_start(conn, &ops, reason);
    uint8_t *bytes = malloc(SIZE), part[8192];
    for (size_t i = 0; i < SIZE; i++)
        bytes[i] = (uint8_t)(i * 7 >> 3);
    conn_send(conn, bytes, SIZE);
    conn_close(conn, "done");
    size_t got = 0;
    ssize_t count;
    do {
        uv_run(&loop, UV_RUN_NOWAIT);
        count = recv(pair[1], part, sizeof part, MSG_DONTWAIT);
        if (count > 0) {
            cr_assert(!memcmp(bytes + got, part, (size_t)count));
            got += (size_t)count;
        }
    } while (count);
    cr_expect_eq(got, SIZE);
    uv_run(&loop, UV_RUN_DEFAULT);
    cr_expect_str_eq(reason, "done");
    cr_expect_eq(uv_loop_close(&loop), 0);
    close(pair[1]);
    free(bytes);
}
