#include "rsp/reply.h"

#include "rsp/packet.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static void expect_text(struct buffer *out, const char *expected)
{
    cr_expect_str_eq(buffer_text(out), expected, "%s", buffer_text(out));
    buffer_clear(out);
}

static struct buffer out;

static void fini(void)
{
    buffer_fini(&out);
}

TestSuite(rsp_reply, .fini = fini);

Test(rsp_reply, plain)
{
    rsp_reply_ok(&out);
    expect_text(&out, "OK");
    rsp_reply_error(&out, 0x1f);
    expect_text(&out, "E1f");
    rsp_reply_bytes(&out, "\x00\xab", 2);
    rsp_reply_unavailable(&out, 2);
    rsp_reply_unavailable(&out, 0);
    rsp_reply_bytes(&out, NULL, 0);
    expect_text(&out, "00abxxxx");
    rsp_reply_console(&out, "hi\n", 3);
    expect_text(&out, "O68690a");
    rsp_reply_binary(&out, "a\0#", 3);
    cr_assert_eq(out.size, 4);
    cr_expect_arr_eq(out.data, "ba\0#", 4);
}

Test(rsp_reply, error_text)
{
    rsp_reply_error_text(&out, 0, "no such position");
    expect_text(&out, "E01");
    rsp_reply_error_text(&out, RSP_MULTIPROCESS | RSP_ERROR_MESSAGE, "no such position");
    expect_text(&out, "E.no such position");
    rsp_reply_error_text(&out, RSP_ERROR_MESSAGE, "a#b$c}d*e\nf\x80g");
    expect_text(&out, "E.a?b?c?d?e?f?g");
}

Test(rsp_reply, stop)
{
    struct rsp_stop stop = {.signal = RSP_SIGNAL_TRAP, .thread = {1, 2}};
    rsp_reply_stop(&out, &stop);
    expect_text(&out, "T05thread:2;");
    stop.features = RSP_MULTIPROCESS;
    stop.signal = RSP_SIGNAL_INT;
    stop.thread.thread = 10;
    rsp_reply_stop(&out, &stop);
    expect_text(&out, "T02thread:p1.a;");
}

Test(rsp_reply, stop_reasons)
{
    static const struct {
        enum rsp_stop_reason reason;
        const char *text;
    } rows[] = {
        {RSP_REASON_SWBREAK, "T05thread:1;swbreak:;"},
        {RSP_REASON_HWBREAK, "T05thread:1;hwbreak:;"},
        {RSP_REASON_WATCH, "T05thread:1;watch:ffffffff80001008;"},
        {RSP_REASON_RWATCH, "T05thread:1;rwatch:ffffffff80001008;"},
        {RSP_REASON_AWATCH, "T05thread:1;awatch:ffffffff80001008;"},
        {RSP_REASON_HISTORY_BEGIN, "T05thread:1;replaylog:begin;"},
        {RSP_REASON_HISTORY_END, "T05thread:1;replaylog:end;"},
    };
    struct rsp_stop stop = {.signal = RSP_SIGNAL_TRAP,
                            .thread = {1, 1},
                            .address = 0xffffffff80001008,
                            .features = RSP_SWBREAK | RSP_HWBREAK};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        stop.reason = rows[i].reason;
        rsp_reply_stop(&out, &stop);
        expect_text(&out, rows[i].text);
    }
}

Test(rsp_reply, break_reasons_only_when_agreed)
{
    struct rsp_stop stop = {.signal = 5, .thread = {1, 1}, .reason = RSP_REASON_SWBREAK};
    stop.features = RSP_HWBREAK;
    rsp_reply_stop(&out, &stop);
    expect_text(&out, "T05thread:1;");
    stop.reason = RSP_REASON_HWBREAK;
    stop.features = RSP_SWBREAK;
    rsp_reply_stop(&out, &stop);
    expect_text(&out, "T05thread:1;");
}

Test(rsp_reply, expedited_registers_and_icount)
{
    struct rsp_expedited registers[] = {
        {2, 8, {0xf0, 0xff, 0x0f, 0x80}}, {32, 8, {0, 0, 0, 0x80}}, {0x1041, 2, {0x34, 0x12}}};
    struct rsp_stop stop = {.signal = 5,
                            .thread = {1, 1},
                            .has_icount = true,
                            .icount = 0x3b9aca00,
                            .expedited = registers,
                            .expedited_count = 3};
    rsp_reply_stop(&out, &stop);
    expect_text(&out, "T05thread:1;icount:3b9aca00;02:f0ff0f8000000000;20:0000008000000000;"
                      "1041:3412;");
}

Test(rsp_reply, ends)
{
    rsp_reply_exited(&out, 0, 1, false);
    expect_text(&out, "W00");
    rsp_reply_exited(&out, 0x2a, 1, true);
    expect_text(&out, "W2a;process:1");
    rsp_reply_killed(&out, 9, 1, false);
    expect_text(&out, "X09");
    rsp_reply_killed(&out, 9, 0x10, true);
    expect_text(&out, "X09;process:10");
}

Test(rsp_reply, threads)
{
    struct rsp_thread_id threads[] = {{1, 1}, {1, 2}, {1, 16}};
    rsp_reply_threads(&out, threads, 3, false);
    expect_text(&out, "m1,2,10");
    rsp_reply_threads(&out, threads, 3, true);
    expect_text(&out, "mp1.1,p1.2,p1.10");
    rsp_reply_threads(&out, threads, 0, true);
    expect_text(&out, "l");
    rsp_reply_current_thread(&out, threads[1], true);
    expect_text(&out, "QCp1.2");
    rsp_append_thread(&out, (struct rsp_thread_id){RSP_THREAD_ALL, RSP_THREAD_ALL}, true);
    expect_text(&out, "p-1.-1");
}

Test(rsp_reply, windows)
{
    static const struct {
        uint64_t offset, length;
        const char *text;
    } rows[] = {
        {0, 10, "l0123456789"},
        {0, 9, "m012345678"},
        {0, 11, "l0123456789"},
        {3, 4, "m3456"},
        {3, 7, "l3456789"},
        {9, 1, "l9"},
        {10, 5, "l"},
        {11, 5, "E01"},
        {0, 0, "m"},
        {0, UINT64_MAX, "l0123456789"},
        {5, UINT64_MAX, "l56789"},
        {UINT64_MAX, 1, "E01"},
        {UINT64_MAX, UINT64_MAX, "E01"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        rsp_reply_window(&out, "0123456789", 10, rows[i].offset, rows[i].length);
        expect_text(&out, rows[i].text);
    }
    rsp_reply_window(&out, NULL, 0, 0, 100);
    expect_text(&out, "l");
}

/* Whatever the window, the parts put together are the document, and each fits a packet. */
Test(rsp_reply, windows_make_the_document)
{
    size_t size = 3 * RSP_PACKET_SIZE + 17;
    uint8_t *document = malloc(size);
    for (size_t i = 0; i < size; i++)
        document[i] = (uint8_t)(i * 7 + i / 251);
    static const uint64_t lengths[] = {1000, 4097, RSP_PACKET_SIZE, UINT64_MAX};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        struct buffer whole = {0};
        bool more = true;
        while (more) {
            buffer_clear(&out);
            rsp_reply_window(&out, document, size, whole.size, lengths[i]);
            cr_assert_leq(out.size, (size_t)RSP_PACKET_SIZE);
            cr_assert(out.data[0] == 'm' || out.data[0] == 'l');
            more = out.data[0] == 'm';
            cr_assert(out.size > 1);
            buffer_append(&whole, out.data + 1, out.size - 1);
        }
        cr_assert_eq(whole.size, size);
        cr_assert_eq(memcmp(whole.data, document, size), 0);
        buffer_fini(&whole);
    }
    free(document);
}

Test(rsp_reply, reasons_in_lldbs_words)
{
    const struct {
        enum rsp_stop_reason reason;
        const char *text;
    } rows[] = {
        {RSP_REASON_NONE, "T05thread:1;icount:2a;"},
        {RSP_REASON_STEP, "T05thread:1;icount:2a;reason:trace;"},
        {RSP_REASON_SWBREAK, "T05thread:1;icount:2a;reason:breakpoint;"},
        {RSP_REASON_HWBREAK, "T05thread:1;icount:2a;reason:breakpoint;"},
        {RSP_REASON_AWATCH, "T05thread:1;awatch:10;icount:2a;reason:watchpoint;"},
        {RSP_REASON_HISTORY_BEGIN, "T05thread:1;replaylog:begin;icount:2a;reason:history boundary;"
                                   "description:626567696e6e696e67206f6620686973746f7279;"},
        {RSP_REASON_HISTORY_END, "T05thread:1;replaylog:end;icount:2a;reason:history boundary;"
                                 "description:656e64206f6620686973746f7279;"},
    };
    struct buffer made = {0};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct rsp_stop told = {.signal = 5,
                                      .thread = {1, 1},
                                      .reason = rows[i].reason,
                                      .address = 0x10,
                                      .has_reason = true,
                                      .has_icount = true,
                                      .icount = 42};
        buffer_clear(&made);
        rsp_reply_stop(&made, &told);
        cr_expect_str_eq(buffer_text(&made), rows[i].text);
    }
    buffer_fini(&made);
}

Test(rsp_reply, searches_and_sums)
{
    struct buffer made = {0};
    rsp_reply_found(&made, true, UINT64_C(0xffffffff80001000));
    rsp_reply_found(&made, false, 0);
    rsp_reply_crc(&made, 0x1a2b);
    cr_expect_str_eq(buffer_text(&made), "1,ffffffff800010000C1a2b");
    /* CRC-32/MPEG-2's check value; in pieces it is the same. */
    cr_expect_eq(rsp_crc(RSP_CRC_BEGIN, "123456789", 9), 0x0376e6e7);
    cr_expect_eq(rsp_crc(rsp_crc(RSP_CRC_BEGIN, "1234", 4), "56789", 5), 0x0376e6e7);
    cr_expect_eq(rsp_crc(RSP_CRC_BEGIN, "", 0), UINT32_MAX);
    buffer_fini(&made);
}
