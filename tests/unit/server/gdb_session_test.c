/* Conversations with one client, packet by packet. */
#include "base/hex.h"
#include "tests/unit/server/bench.h"
#include "timeline/branches.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define PC 32

static const struct bench_options counting = {.guest = GUEST_COUNT, .server.paused = true};

static struct bench bench;
static struct client gdb;

static void begin(const struct bench_options *options)
{
    bench_init(&bench, options);
    client_greet(&gdb, &bench);
}

static void end(void)
{
    client_close(&gdb);
    bench_fini(&bench);
}

/* To be formatted into; good until the next call. */
static const char *text(const char *format, uint64_t value)
{
    static char made[128];
    snprintf(made, sizeof made, format, value);
    return made;
}

static void expect_stop(const char *reply, const char *start)
{
    cr_assert(strncmp(reply, start, strlen(start)) == 0, "%s, not %s", reply, start);
}

/* Live, past the boot ROM, to the first instruction of the guest. */
static void go_to_guest(void)
{
    client_expect(&gdb, "Z0,80000000,4", "OK");
    expect_stop(client_ask(&gdb, "vCont;c"), "T05thread:1;swbreak:;");
    client_expect(&gdb, "z0,80000000,4", "OK");
    cr_assert_eq(stop_register(client_ask(&gdb, "?"), PC), GUEST_CODE);
}

static uint64_t register_number(const char *name)
{
    char key[64];
    const char *xml = client_ask(&gdb, "qXfer:features:read:target.xml:0,1ffff");
    snprintf(key, sizeof key, "name=\"%s\" ", name);
    const char *at = strstr(xml, key);
    cr_assert(at, "no register %s", name);
    at = strstr(at, "regnum=\"");
    return strtoull(at + 8, NULL, 10);
}

static void seek(uint64_t position)
{
    char request[64];
    snprintf(request, sizeof request, "P%" PRIx64 "=", register_number("icount"));
    char *at = request + strlen(request);
    for (int i = 0; i < 8; i++)
        at += sprintf(at, "%02x", (unsigned)(position >> 8 * i & 0xff));
    client_expect(&gdb, request, "OK");
}

Test(gdb_session, offers_what_it_does)
{
    bench_init(&bench, &counting);
    client_connect(&gdb, &bench);
    const char *plain = client_ask(&gdb, "qSupported:multiprocess+;xmlRegisters=riscv");
    cr_expect(strstr(plain, "PacketSize=20000;"));
    cr_expect(strstr(plain, "QStartNoAckMode+"));
    cr_expect(strstr(plain, "ReverseStep+;ReverseContinue+"));
    cr_expect(strstr(plain, "qXfer:features:read+;qXfer:threads:read+"));
    cr_expect(strstr(plain, "vContSupported+"));
    cr_expect(!strstr(plain, "swbreak"), "not offered by the client");
    cr_expect(!strstr(plain, "QNonStop") && !strstr(plain, "multiprocess"));
    const char *both = client_ask(&gdb, "qSupported:swbreak+;hwbreak+");
    cr_expect(strstr(both, "swbreak+") && strstr(both, "hwbreak+"));
    client_expect(&gdb, "vMustReplyEmpty", "");
    client_expect(&gdb, "vCont?", "vCont;c;C;s;S;t;r");
    client_expect(&gdb, "qAttached", "1");
    client_expect(&gdb, "qSymbol::", "OK");
    client_expect(&gdb, "b80000000", "");
    client_expect(&gdb, "x0,0", "");
    end();
}

Test(gdb_session, acknowledges_until_told_not_to)
{
    bench_init(&bench, &counting);
    client_connect(&gdb, &bench);
    gdb.acks = false;
    client_send_text(&gdb, "$qC#b4");
    cr_expect_eq(client_byte(&gdb), '+');
    cr_expect_str_eq(client_reply(&gdb), "QC1");
    client_send_text(&gdb, "-");
    cr_expect_str_eq(client_reply(&gdb), "QC1", "sent again");
    client_send_text(&gdb, "$qC#b5");
    cr_expect_eq(client_byte(&gdb), '-');
    client_expect(&gdb, "QStartNoAckMode", "OK");
    client_send_text(&gdb, "+$qC#b4");
    cr_expect_eq(client_byte(&gdb), '$', "no acknowledgement any more");
    cr_expect_eq(client_byte(&gdb), 'Q');
    end();
}

Test(gdb_session, a_stop_carries_all_integer_registers)
{
    begin(&counting);
    const char *stop = client_ask(&gdb, "?");
    expect_stop(stop, "T05thread:1;icount:0;");
    for (unsigned n = 1; n < 32; n++)
        stop_register(stop, n);
    cr_expect_eq(stop_register(stop, PC), 0x1000);
    end();
}

Test(gdb_session, describes_its_registers)
{
    begin(&counting);
    const char *xml = client_ask(&gdb, "qXfer:features:read:target.xml:0,1ffff");
    cr_expect_eq(xml[0], 'l');
    cr_expect(strstr(xml, "<architecture>riscv:rv64</architecture>"));
    cr_expect(strstr(xml, "<osabi>none</osabi>"));
    cr_expect(strstr(xml, "org.gnu.gdb.riscv.cpu"));
    cr_expect(strstr(xml, "<feature name=\"org.backstep.timeline\">"));
    cr_expect(strstr(xml, "save-restore=\"no\""));
    cr_expect_eq(client_ask(&gdb, "qXfer:features:read:nothing.xml:0,100")[0], 'E');
    /* g has them all, in the order of their numbers. */
    uint64_t bytes = 0, last = register_number("icount");
    xml = client_ask(&gdb, "qXfer:features:read:target.xml:0,1ffff");
    for (const char *at = xml; (at = strstr(at, "bitsize=\"")); at++) {
        bytes += strtoull(at + 9, NULL, 10) / 8;
        cr_expect_leq(strtoull(strstr(at, "regnum=\"") + 8, NULL, 10), last);
    }
    cr_expect_eq(strlen(client_ask(&gdb, "g")), 2 * bytes);
    cr_expect_eq(client_ask(&gdb, "pffff")[0], 'E');
    client_expect(&gdb, "p20", "0010000000000000");
    end();
}

Test(gdb_session, steps_back_over_its_own_steps)
{
    enum { STEPS = 60 };
    uint64_t pc[STEPS];
    begin(&counting);
    for (unsigned i = 0; i < STEPS; i++) {
        pc[i] = stop_register(client_ask(&gdb, "?"), PC);
        expect_stop(client_ask(&gdb, "vCont;s:1;c"), "T05thread:1;icount:");
    }
    for (unsigned i = STEPS; i-- > 0;) {
        const char *stop = client_ask(&gdb, "bs");
        expect_stop(stop, text("T05thread:1;icount:%" PRIx64 ";", i));
        cr_assert_eq(stop_register(stop, PC), pc[i]);
    }
    expect_stop(client_ask(&gdb, "bs"), "T05thread:1;replaylog:begin;icount:0;");
    expect_stop(client_ask(&gdb, "bc"), "T05thread:1;replaylog:begin;icount:0;");
    expect_stop(client_ask(&gdb, "c"),
                text("T05thread:1;replaylog:end;icount:%" PRIx64 ";", STEPS));
    end();
}

Test(gdb_session, breakpoints_both_ways)
{
    begin(&counting);
    go_to_guest();
    client_expect(&gdb, "Z1,8000000c,4", "OK");
    const char *stop = client_ask(&gdb, "vCont;c");
    expect_stop(stop, "T05thread:1;hwbreak:;icount:");
    cr_expect_eq(stop_register(stop, PC), GUEST_CODE + 12);
    uint64_t first = bench_position(&bench);
    client_ask(&gdb, "vCont;c");
    cr_expect_eq(bench_position(&bench), first + 4);
    client_ask(&gdb, "vCont;s");
    client_ask(&gdb, "bc");
    stop = client_ask(&gdb, "bc");
    expect_stop(stop, "T05thread:1;hwbreak:;");
    cr_expect_eq(stop_value(stop, "icount"), first);
    /* A software one at the same address is a point of its own. */
    client_expect(&gdb, "Z0,8000000c,4", "OK");
    client_expect(&gdb, "z1,8000000c,4", "OK");
    expect_stop(client_ask(&gdb, "vCont;c"), "T05thread:1;swbreak:;");
    client_expect(&gdb, "z0,8000000c,4", "OK");
    client_expect(&gdb, "z0,8000000c,4", "OK");
    expect_stop(client_ask(&gdb, "bc"), "T05thread:1;replaylog:begin;");
    end();
}

Test(gdb_session, bounds_the_number_of_points)
{
    begin(&counting);
    for (uint64_t i = 0; i < 4096; i++)
        client_expect(&gdb, text("Z0,%" PRIx64 ",4", 0x90000000 + 4 * i), "OK");
    cr_expect_str_eq(client_ask(&gdb, "Z0,80000000,4"),
                     "E.there are 4096 breakpoints already: delete some");
    client_expect(&gdb, "Z0,90000000,4", "OK");
    client_expect(&gdb, "z0,90000000,4", "OK");
    go_to_guest();
    end();
}

Test(gdb_session, watchpoints_both_ways)
{
    begin(&counting);
    go_to_guest();
    client_expect(&gdb, "Z2,80001000,8", "OK");
    const char *stop = client_ask(&gdb, "vCont;c");
    expect_stop(stop, "T05thread:1;watch:80001000;");
    cr_expect_eq(stop_register(stop, PC), GUEST_CODE + 12, "before the store");
    client_expect(&gdb, "m80001000,8", "0000000000000000");
    client_expect(&gdb, "z2,80001000,8", "OK");
    client_ask(&gdb, "vCont;s:1;c");
    client_expect(&gdb, "m80001000,8", "0100000000000000");
    client_ask(&gdb, "vCont;s:1;c");
    client_expect(&gdb, "Z4,80001000,8", "OK");
    stop = client_ask(&gdb, "bc");
    expect_stop(stop, "T05thread:1;awatch:80001000;");
    cr_expect_eq(stop_register(stop, PC), GUEST_CODE + 16, "right after the store");
    client_expect(&gdb, "m80001000,8", "0100000000000000");
    client_expect(&gdb, "z4,80001000,8", "OK");
    client_expect(&gdb, "Z3,80001000,4", "OK");
    expect_stop(client_ask(&gdb, "bc"), "T05thread:1;rwatch:80001000;");
    cr_expect_eq(client_ask(&gdb, "Z2,80001000,0")[0], 'E');
    end();
}

Test(gdb_session, steps_a_range)
{
    begin(&counting);
    go_to_guest();
    const char *stop = client_ask(&gdb, "vCont;r80000000,80000010:1;c");
    expect_stop(stop, "T05thread:1;icount:");
    cr_expect_eq(stop_register(stop, PC), GUEST_CODE + 16);
    end();
}

Test(gdb_session, the_position_is_a_register)
{
    begin(&counting);
    go_to_guest();
    uint64_t tip = bench_position(&bench);
    seek(2);
    cr_expect_eq(bench_position(&bench), 2);
    client_expect(&gdb, text("p%" PRIx64, register_number("icount")), "0200000000000000");
    const char *refused =
        client_ask(&gdb, text("P%" PRIx64 "=ffffffff00000000", register_number("icount")));
    cr_expect(strncmp(refused, "E.position 4294967295 is not in the history", 43) == 0, "%s",
              refused);
    cr_expect_eq(bench_position(&bench), 2);
    seek(tip);
    cr_expect(timeline_live(bench.timeline));
    end();
}

/* At the tip they are history, before it another future. */
Test(gdb_session, writes)
{
    begin(&counting);
    go_to_guest();
    uint64_t tip = bench_position(&bench);
    client_expect(&gdb, "X80001000,0:", "OK");
    client_expect(&gdb, "M80001000,4:01020304", "OK");
    client_expect(&gdb, "X80001004,4:abcd", "OK");
    client_expect(&gdb, "m80001000,8", "0102030461626364");
    client_expect(&gdb, "Pa=8877665544332211", "OK");
    client_expect(&gdb, "pa", "8877665544332211");
    cr_expect_eq(client_ask(&gdb, "Pa=00")[0], 'E');
    seek(tip - 1);
    client_expect(&gdb, "X80001000,0:", "OK");
    client_expect(&gdb, "m80001000,8", "0000000000000000");
    client_expect(&gdb, "Pa=0000000000000000", "OK"); /* what is there already */
    cr_expect(timeline_on_main(bench.timeline));
    client_expect(&gdb, "M80001000,1:01", "OK");
    cr_expect(!timeline_on_main(bench.timeline));
    client_expect(&gdb, "m80001000,2", "0100");
    seek(tip - 2);
    cr_expect(timeline_on_main(bench.timeline));
    seek(tip);
    client_expect(&gdb, "m80001000,8", "0102030461626364");
    end();
}

Test(gdb_session, writes_all_registers)
{
    begin(&counting);
    go_to_guest();
    char *request = malloc(1 << 16);
    sprintf(request, "G%s", client_ask(&gdb, "g"));
    client_expect(&gdb, request, "OK");
    memcpy(request + 1 + 16 * 10, "8877665544332211", 16);
    client_expect(&gdb, request, "OK");
    client_expect(&gdb, "pa", "8877665544332211");
    free(request);
    end();
}

Test(gdb_session, reads_what_is_there)
{
    begin(&counting);
    client_expect(&gdb, "m80000000,4", "17150000");
    client_expect(&gdb, "m0,8", "E0e");
    const char *part = client_ask(&gdb, "m807ffffc,10");
    cr_expect_eq(strlen(part), 8, "up to the end of RAM: %s", part);
    cr_expect_eq(client_ask(&gdb, "x80000000,4")[0], 'b');
    cr_expect_eq(gdb.payload.size, 5);
    cr_expect_gt(strlen(client_ask(&gdb, "m80000000,ffffffffffffffff")), 0x10000);
    end();
}

Test(gdb_session, threads_are_harts)
{
    const struct bench_options two = {.guest = GUEST_COUNT, .harts = 2, .server.paused = true};
    begin(&two);
    client_expect(&gdb, "qfThreadInfo", "m1,2");
    client_expect(&gdb, "qsThreadInfo", "l");
    client_expect(&gdb, "T2", "OK");
    cr_expect_eq(client_ask(&gdb, "T3")[0], 'E');
    cr_expect_eq(client_ask(&gdb, "Hg3")[0], 'E');
    const char *list = client_ask(&gdb, "qXfer:threads:read::0,1000");
    cr_expect(strstr(list, "<thread id=\"2\" core=\"1\" name=\"hart 1\">"), "%s", list);
    /* Other harts run meanwhile, and so they do backwards. */
    expect_stop(client_ask(&gdb, "vCont;s:2;c"), "T05thread:2;icount:");
    cr_expect_gt(bench_position(&bench), 1);
    client_expect(&gdb, "qC", "QC2");
    expect_stop(client_ask(&gdb, "vCont;s:1;c"), "T05thread:1;");
    uint64_t tip = bench_position(&bench);
    client_expect(&gdb, "Hc2", "OK");
    expect_stop(client_ask(&gdb, "bs"), "T05thread:2;");
    cr_expect_eq(bench_position(&bench), tip - 2);
    client_expect(&gdb, "Hc0", "OK");
    expect_stop(client_ask(&gdb, "s"), "T05thread:2;");
    cr_expect_eq(bench_position(&bench), tip - 1);
    client_expect(&gdb, "Hg1", "OK");
    client_expect(&gdb, "qC", "QC1");
    end();
}

Test(gdb_session, runs_are_seeks_in_extended_mode)
{
    begin(&counting);
    go_to_guest();
    client_expect(&gdb, "!", "OK");
    client_expect(&gdb, "vKill;1", "OK");
    client_expect(&gdb, "qfThreadInfo", "l");
    client_expect(&gdb, "?", "W00");
    expect_stop(client_ask(&gdb, in_hex("vRun;;", "3")), "T05thread:1;icount:3;");
    client_expect(&gdb, "qfThreadInfo", "m1");
    expect_stop(client_ask(&gdb, in_hex("vRun;;", "0x2")), "T05thread:1;icount:2;");
    expect_stop(client_ask(&gdb, "vRun;"), "T05thread:1;icount:0;");
    cr_expect_eq(client_ask(&gdb, in_hex("vRun;;", "main"))[0], 'E');
    end();
}

Test(gdb_session, monitor_commands_may_move)
{
    begin(&counting);
    go_to_guest();
    client_request(&gdb, in_hex("qRcmd,", "hello"));
    cr_expect_str_eq(client_reply(&gdb), in_hex("", "hello!\n"));
    client_request(&gdb, in_hex("qRcmd,", "goto 2"));
    const char *said = client_reply(&gdb), *start = in_hex("", "position 2\n");
    expect_stop(said, start);
    cr_expect(strstr(said, in_hex("", "`maint flush register-cache`")), "%s", said);
    cr_expect_eq(bench_position(&bench), 2);
    end();
}

Test(gdb_session, a_machine_that_is_off_is_a_stop)
{
    const struct bench_options off = {.guest = GUEST_OFF, .server.paused = true};
    begin(&off);
    for (int i = 0; i < 2; i++) {
        client_request(&gdb, "vCont;c");
        const char *said = client_reply(&gdb);
        cr_expect_eq(strncmp(said, in_hex("O", "backstep: the machine was switched off at"), 83),
                     0);
        expect_stop(client_reply(&gdb), "T05thread:1;icount:");
    }
    uint64_t tip = bench_position(&bench);
    client_ask(&gdb, "bs");
    cr_expect_eq(bench_position(&bench), tip - 1);
    cr_expect(!bench.over);
    end();
}

/* A `next` is made of steps, and gdb goes on stepping after a plain stop. */
Test(gdb_session, a_step_of_a_machine_that_is_off_ends_history)
{
    static const char *const steps[] = {"vCont;s:1;c", "vCont;r0,ffffffffffffffff:1;c", "s"};
    const struct bench_options off = {.guest = GUEST_OFF, .server.paused = true};
    begin(&off);
    client_request(&gdb, "vCont;c");
    client_reply(&gdb);
    uint64_t tip = stop_value(client_reply(&gdb), "icount");
    for (int i = 0; i < 3; i++) {
        client_request(&gdb, steps[i]);
        cr_expect_eq(*client_reply(&gdb), 'O');
        expect_stop(client_reply(&gdb), text("T05thread:1;replaylog:end;icount:%" PRIx64 ";", tip));
    }
    client_request(&gdb, "vCont;c");
    client_reply(&gdb);
    expect_stop(client_reply(&gdb), "T05thread:1;icount:");
    end();
}

/* ---- Ctrl-C ---- */

Test(gdb_session, interrupts_a_run)
{
    begin(&counting);
    client_request(&gdb, "vCont;c");
    while (bench_position(&bench) < 1000000)
        bench_turn(&bench);
    client_send_text(&gdb, "\x03");
    expect_stop(client_reply(&gdb), "T02thread:1;icount:");
    end();
}

/* One that crosses with a stop is swallowed, and so are those that come while nothing runs. */
Test(gdb_session, an_interrupt_of_nothing_is_nothing)
{
    begin(&counting);
    client_send_text(&gdb, "\x03\x03");
    client_expect(&gdb, "qC", "QC1");
    expect_stop(client_ask(&gdb, "vCont;s"), "T05thread:1;icount:1;");
    client_send_text(&gdb, "\x03");
    expect_stop(client_ask(&gdb, "vCont;s"), "T05thread:1;icount:2;");
    end();
}

/* gdb looks at a hit, finds it of no interest and goes on: Ctrl-C may come between these requests.
 */
Test(gdb_session, an_interrupt_between_two_resumes_ends_the_second)
{
    begin(&counting);
    expect_stop(client_ask(&gdb, "vCont;s"), "T05thread:1;icount:1;");
    client_expect(&gdb, "qC", "QC1");
    client_send_text(&gdb, "\x03");
    expect_stop(client_ask(&gdb, "vCont;c"), "T02thread:1;icount:");
    expect_stop(client_ask(&gdb, "vCont;s"), "T05thread:1;icount:");
    end();
}

Test(gdb_session, interrupts_a_guest_that_waits)
{
    const struct bench_options idle = {.guest = GUEST_IDLE, .server.paused = true};
    begin(&idle);
    client_request(&gdb, "vCont;c");
    for (int i = 0; i < 1000; i++)
        bench_turn(&bench);
    client_send_text(&gdb, "\x03");
    expect_stop(client_reply(&gdb), "T02thread:1;icount:");
    end();
}

Test(gdb_session, an_interrupted_search_stays_where_it_was)
{
    begin(&counting);
    client_request(&gdb, "vCont;c");
    while (bench_position(&bench) < 30000000)
        bench_turn(&bench);
    client_send_text(&gdb, "\x03");
    client_reply(&gdb);
    uint64_t tip = bench_position(&bench);
    /* Inside an instruction: on a page that is executed all the time, and never hit. */
    client_expect(&gdb, "Z0,80000006,2", "OK");
    client_request(&gdb, "bc");
    bench_turn(&bench);
    bench_turn(&bench);
    client_send_text(&gdb, "\x03");
    expect_stop(client_reply(&gdb), "T02thread:1;icount:");
    cr_expect_eq(bench_position(&bench), tip);
    expect_stop(client_ask(&gdb, "bc"), "T05thread:1;replaylog:begin;");
    end();
}
