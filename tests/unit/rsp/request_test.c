#include "tests/unit/rsp/parsed.h"

#include <criterion/criterion.h>

/* Declares `r`, a request whose slices stay good until the end of the test. */
#define PARSE(text)                                                                                \
    struct parsed parsed = parse(text, sizeof(text) - 1);                                          \
    const struct rsp_request *r = &parsed.request

#define EXPECT_KIND(text, expected)                                                                \
    cr_expect_eq(kind_of(text, sizeof(text) - 1), expected, "%s is kind %d", text,                 \
                 kind_of(text, sizeof(text) - 1))

static void expect_bytes(struct rsp_slice slice, const void *bytes, size_t size)
{
    cr_assert_eq(slice.size, size, "%zu bytes", slice.size);
    cr_expect(size == 0 || memcmp(slice.data, bytes, size) == 0);
}

#define EXPECT_BYTES(slice, bytes) expect_bytes(slice, bytes, sizeof(bytes) - 1)

static void expect_thread(struct rsp_thread_id id, int32_t process, int32_t thread)
{
    cr_expect(id.process == process && id.thread == thread, "p%d.%d", id.process, id.thread);
}

Test(rsp_request, without_arguments)
{
    EXPECT_KIND("?", RSP_STOP_REASON);
    EXPECT_KIND("g", RSP_READ_REGISTERS);
    EXPECT_KIND("k", RSP_KILL);
    EXPECT_KIND("!", RSP_EXTENDED_MODE);
    EXPECT_KIND("bs", RSP_REVERSE_STEP);
    EXPECT_KIND("bc", RSP_REVERSE_CONTINUE);
    EXPECT_KIND("vCont?", RSP_VCONT_QUERY);
    EXPECT_KIND("vMustReplyEmpty", RSP_MUST_REPLY_EMPTY);
    EXPECT_KIND("qC", RSP_CURRENT_THREAD);
    EXPECT_KIND("qfThreadInfo", RSP_THREADS_FIRST);
    EXPECT_KIND("qsThreadInfo", RSP_THREADS_NEXT);
    EXPECT_KIND("qOffsets", RSP_OFFSETS);
    EXPECT_KIND("qTStatus", RSP_TRACE_STATUS);
    EXPECT_KIND("QStartNoAckMode", RSP_START_NO_ACK_MODE);
    EXPECT_KIND("qqemu.Supported", RSP_QEMU_SUPPORTED);
    EXPECT_KIND("qqemu.PhyMemMode", RSP_PHYSICAL_QUERY);
    EXPECT_KIND("Qqemu.PhyMemMode:0", RSP_PHYSICAL_SET);
    EXPECT_KIND("Qqemu.PhyMemMode:1", RSP_PHYSICAL_SET);
    EXPECT_KIND("Qqemu.PhyMemMode:2", RSP_MALFORMED);
    EXPECT_KIND("Qqemu.PhyMemMode", RSP_MALFORMED);
    EXPECT_KIND("qSymbol::", RSP_SYMBOL);
    EXPECT_KIND("qSymbol:80000000:6d61696e", RSP_SYMBOL);
    EXPECT_KIND("R", RSP_RESTART);
    EXPECT_KIND("R00", RSP_RESTART);
}

Test(rsp_request, write_registers)
{
    PARSE("G000180ff");
    cr_expect_eq(r->kind, RSP_WRITE_REGISTERS);
    EXPECT_BYTES(r->reg.value, "\x00\x01\x80\xff");
    free(parsed.payload);
}

Test(rsp_request, read_register)
{
    PARSE("p1001");
    cr_expect_eq(r->kind, RSP_READ_REGISTER);
    cr_expect_eq(r->reg.number, 0x1001);
    free(parsed.payload);
}

Test(rsp_request, write_register)
{
    PARSE("P20=0010008000000000");
    cr_expect_eq(r->kind, RSP_WRITE_REGISTER);
    cr_expect_eq(r->reg.number, 32);
    EXPECT_BYTES(r->reg.value, "\x00\x10\x00\x80\x00\x00\x00\x00");
    free(parsed.payload);
}

Test(rsp_request, read_memory)
{
    PARSE("mffffffffffffffff,0040");
    cr_expect_eq(r->kind, RSP_READ_MEMORY);
    cr_expect_eq(r->memory.address, UINT64_MAX);
    cr_expect_eq(r->memory.length, 64);
    free(parsed.payload);
}

Test(rsp_request, read_memory_binary)
{
    EXPECT_KIND("x0,0", RSP_READ_MEMORY_BINARY);
    PARSE("x80001234,1f8");
    cr_expect_eq(r->kind, RSP_READ_MEMORY_BINARY);
    cr_expect_eq(r->memory.address, 0x80001234);
    cr_expect_eq(r->memory.length, 0x1f8);
    free(parsed.payload);
}

Test(rsp_request, write_memory)
{
    PARSE("M8000000A,4:deadBEEF");
    cr_expect_eq(r->kind, RSP_WRITE_MEMORY);
    cr_expect_eq(r->memory.address, 0x8000000a);
    EXPECT_BYTES(r->memory.data, "\xde\xad\xbe\xef");
    free(parsed.payload);
}

Test(rsp_request, write_memory_binary)
{
    EXPECT_KIND("X80000000,0:", RSP_WRITE_MEMORY);
    PARSE("X80000000,5:a\0:#$");
    cr_expect_eq(r->kind, RSP_WRITE_MEMORY);
    cr_expect_eq(r->memory.address, 0x80000000);
    cr_expect_eq(r->memory.length, 5);
    EXPECT_BYTES(r->memory.data, "a\0:#$");
    free(parsed.payload);
}

static void expect_resume(const char *text, bool step, uint8_t signal, bool has_address,
                          uint64_t address)
{
    struct parsed parsed = parse(text, strlen(text));
    const struct rsp_request *r = &parsed.request;
    cr_assert_eq(r->kind, RSP_RESUME, "%s", text);
    cr_expect(r->resume.step == step && r->resume.signal == signal &&
                  r->resume.has_address == has_address && r->resume.address == address,
              "%s", text);
    free(parsed.payload);
}

Test(rsp_request, resume)
{
    expect_resume("c", false, 0, false, 0);
    expect_resume("c80000000", false, 0, true, 0x80000000);
    expect_resume("C0b", false, 11, false, 0);
    expect_resume("C05;0", false, 5, true, 0);
    expect_resume("s", true, 0, false, 0);
    expect_resume("s10", true, 0, true, 16);
    expect_resume("S02", true, 2, false, 0);
    expect_resume("S02;ffffffffffffffff", true, 2, true, UINT64_MAX);
}

Test(rsp_request, vcont)
{
    PARSE("vCont;s:1;r80000000,80000010:p1.2;C05:-1;S0a:p-1;t:p1.-1;c:0;c");
    cr_assert_eq(r->kind, RSP_VCONT);
    cr_assert_eq(r->vcont.count, 7);
    const struct rsp_action *a = r->vcont.action;
    cr_expect(a[0].kind == RSP_ACTION_STEP && a[0].signal == 0);
    expect_thread(a[0].thread, 0, 1);
    cr_expect(a[1].kind == RSP_ACTION_RANGE && a[1].start == 0x80000000 && a[1].end == 0x80000010);
    expect_thread(a[1].thread, 1, 2);
    cr_expect(a[2].kind == RSP_ACTION_CONTINUE && a[2].signal == 5);
    expect_thread(a[2].thread, 0, RSP_THREAD_ALL);
    cr_expect(a[3].kind == RSP_ACTION_STEP && a[3].signal == 10);
    expect_thread(a[3].thread, RSP_THREAD_ALL, RSP_THREAD_ALL);
    cr_expect(a[4].kind == RSP_ACTION_STOP);
    expect_thread(a[4].thread, 1, RSP_THREAD_ALL);
    expect_thread(a[5].thread, 0, RSP_THREAD_ANY);
    cr_expect(a[6].kind == RSP_ACTION_CONTINUE && a[6].signal == 0);
    expect_thread(a[6].thread, 0, RSP_THREAD_ALL);
    free(parsed.payload);
}

Test(rsp_request, processes)
{
    struct parsed kill = parse("vKill;2a", 8), attach = parse("vAttach;1", 9),
                  detach = parse("D;1", 3), detach_any = parse("D", 1);
    cr_expect(kill.request.kind == RSP_VKILL && kill.request.process == 42);
    cr_expect(attach.request.kind == RSP_VATTACH && attach.request.process == 1);
    cr_expect(detach.request.kind == RSP_DETACH && detach.request.process == 1);
    cr_expect(detach_any.request.kind == RSP_DETACH && detach_any.request.process == 0);
    free(kill.payload);
    free(attach.payload);
    free(detach.payload);
    free(detach_any.payload);
    EXPECT_KIND("qAttached", RSP_ATTACHED);
    PARSE("qAttached:1");
    cr_expect(r->kind == RSP_ATTACHED && r->process == 1);
    free(parsed.payload);
}

Test(rsp_request, vrun)
{
    EXPECT_KIND("vRun", RSP_VRUN);
    EXPECT_KIND("vRun;", RSP_VRUN);
    PARSE("vRun;612f62;;31323334");
    cr_assert_eq(r->kind, RSP_VRUN);
    EXPECT_BYTES(r->run.program, "a/b");
    cr_assert_eq(r->run.count, 2);
    EXPECT_BYTES(r->run.argument[0], "");
    EXPECT_BYTES(r->run.argument[1], "1234");
    free(parsed.payload);
}

Test(rsp_request, vrun_without_a_program)
{
    PARSE("vRun;;313030");
    cr_assert_eq(r->kind, RSP_VRUN);
    EXPECT_BYTES(r->run.program, "");
    cr_assert_eq(r->run.count, 1);
    EXPECT_BYTES(r->run.argument[0], "100");
    free(parsed.payload);
}

Test(rsp_request, points)
{
    for (int type = 0; type <= 4; type++) {
        for (int insert = 0; insert < 2; insert++) {
            char text[] = "z0,80000004,8";
            text[0] = insert ? 'Z' : 'z';
            text[1] = (char)('0' + type);
            struct parsed parsed = parse(text, strlen(text));
            const struct rsp_request *r = &parsed.request;
            cr_expect_eq(r->kind, insert ? RSP_INSERT_POINT : RSP_REMOVE_POINT);
            cr_expect_eq((int)r->point.type, type);
            cr_expect_eq(r->point.address, 0x80000004);
            cr_expect_eq(r->point.length, 8);
            cr_expect_eq(r->point.conditions.count, 0);
            cr_expect_eq(r->point.commands.count, 0);
            free(parsed.payload);
        }
    }
}

Test(rsp_request, conditions)
{
    PARSE("Z0,80000000,2;X3,220127X0,X5,2600052713");
    cr_assert_eq(r->kind, RSP_INSERT_POINT);
    cr_assert_eq(r->point.conditions.count, 3);
    EXPECT_BYTES(r->point.conditions.item[0], "\x22\x01\x27");
    EXPECT_BYTES(r->point.conditions.item[1], "");
    EXPECT_BYTES(r->point.conditions.item[2], "\x26\x00\x05\x27\x13");
    cr_expect_eq(r->point.commands.count, 0);
    free(parsed.payload);
}

Test(rsp_request, commands)
{
    PARSE("Z1,80000000,4;X1,27;cmds:1,X2,2227X10,000102030405060708090a0b0c0d0e0f");
    cr_assert_eq(r->kind, RSP_INSERT_POINT);
    cr_expect_eq(r->point.type, RSP_POINT_HARDWARE);
    cr_assert_eq(r->point.conditions.count, 1);
    EXPECT_BYTES(r->point.conditions.item[0], "\x27");
    cr_expect(r->point.persist);
    cr_assert_eq(r->point.commands.count, 2);
    EXPECT_BYTES(r->point.commands.item[0], "\x22\x27");
    EXPECT_BYTES(r->point.commands.item[1], "\x00\x01\x02\x03\x04\x05\x06\x07"
                                            "\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f");
    free(parsed.payload);
}

static void expect_thread_packet(const char *text, enum rsp_request_kind kind, char op,
                                 int32_t process, int32_t thread)
{
    struct parsed parsed = parse(text, strlen(text));
    const struct rsp_request *r = &parsed.request;
    cr_assert_eq(r->kind, kind, "%s", text);
    if (kind == RSP_SET_THREAD)
        cr_expect_eq(r->set_thread.op, op, "%s", text);
    expect_thread(op ? r->set_thread.thread : r->thread, process, thread);
    free(parsed.payload);
}

Test(rsp_request, threads)
{
    expect_thread_packet("Hg0", RSP_SET_THREAD, 'g', 0, 0);
    expect_thread_packet("Hgp1.2", RSP_SET_THREAD, 'g', 1, 2);
    expect_thread_packet("Hgp0.0", RSP_SET_THREAD, 'g', 0, 0);
    expect_thread_packet("Hc-1", RSP_SET_THREAD, 'c', 0, -1);
    expect_thread_packet("Hcp1.0", RSP_SET_THREAD, 'c', 1, 0);
    expect_thread_packet("Hcp1", RSP_SET_THREAD, 'c', 1, -1);
    expect_thread_packet("Hcp-1.-1", RSP_SET_THREAD, 'c', -1, -1);
    expect_thread_packet("Hc7fffffff", RSP_SET_THREAD, 'c', 0, INT32_MAX);
    expect_thread_packet("Ta", RSP_THREAD_ALIVE, 0, 0, 10);
    expect_thread_packet("Tp1.3", RSP_THREAD_ALIVE, 0, 1, 3);
    expect_thread_packet("qThreadExtraInfo,p1.3", RSP_THREAD_EXTRA_INFO, 0, 1, 3);
}

static uint32_t features_of(const char *text)
{
    struct parsed parsed = parse(text, strlen(text));
    cr_assert_eq(parsed.request.kind, RSP_SUPPORTED, "%s", text);
    free(parsed.payload);
    return parsed.request.features;
}

Test(rsp_request, supported)
{
    cr_expect_eq(features_of("qSupported"), RSP_BARE);
    cr_expect_eq(features_of("qSupported:"), 0);
    cr_expect_eq(features_of("qSupported:xmlRegisters=i386;;multiprocess-;swbreak?;hwbreak"), 0);
    cr_expect_eq(features_of("qSupported:multiprocess+;swbreak+;hwbreak+;error-message+;"),
                 RSP_MULTIPROCESS | RSP_SWBREAK | RSP_HWBREAK | RSP_ERROR_MESSAGE);
    cr_expect_eq(
        features_of("qSupported:vContSupported+;QThreadEvents+;QThreadOptions+;no-resumed+;"
                    "qRelocInsn+"),
        RSP_VCONT_SUPPORTED | RSP_QTHREAD_EVENTS | RSP_QTHREAD_OPTIONS | RSP_NO_RESUMED |
            RSP_QRELOC_INSN);
    cr_expect_eq(features_of("qSupported:fork-events+;vfork-events+;exec-events+;memory-tagging+"),
                 RSP_FORK_EVENTS | RSP_VFORK_EVENTS | RSP_EXEC_EVENTS | RSP_MEMORY_TAGGING);
}

Test(rsp_request, monitor)
{
    EXPECT_KIND("qRcmd,", RSP_MONITOR);
    PARSE("qRcmd,676f746f203130");
    cr_assert_eq(r->kind, RSP_MONITOR);
    cr_expect(rsp_slice_is(r->command, "goto 10"));
    cr_expect_not(rsp_slice_is(r->command, "goto 1"));
    cr_expect_not(rsp_slice_is(r->command, "goto 100"));
    free(parsed.payload);
}

Test(rsp_request, transfer)
{
    PARSE("qXfer:features:read:target.xml:1000,1ffb");
    cr_assert_eq(r->kind, RSP_TRANSFER_READ);
    cr_expect(rsp_slice_is(r->transfer.object, "features"));
    cr_expect(rsp_slice_is(r->transfer.annex, "target.xml"));
    cr_expect_eq(r->transfer.offset, 0x1000);
    cr_expect_eq(r->transfer.length, 0x1ffb);
    free(parsed.payload);
}

Test(rsp_request, transfer_annex_may_be_empty_or_have_colons)
{
    struct parsed empty = parse("qXfer:threads:read::0,fff", 25);
    cr_assert_eq(empty.request.kind, RSP_TRANSFER_READ);
    cr_expect(rsp_slice_is(empty.request.transfer.annex, ""));
    free(empty.payload);
    PARSE("qXfer:exec-file:read:a:b:c:0,1");
    cr_assert_eq(r->kind, RSP_TRANSFER_READ);
    cr_expect(rsp_slice_is(r->transfer.annex, "a:b:c"));
    free(parsed.payload);
}

Test(rsp_request, search)
{
    PARSE("qSearch:memory:80000000;1000;\0;:x");
    cr_assert_eq(r->kind, RSP_SEARCH_MEMORY);
    cr_expect_eq(r->memory.address, 0x80000000);
    cr_expect_eq(r->memory.length, 0x1000);
    EXPECT_BYTES(r->memory.data, "\0;:x");
    free(parsed.payload);
}

Test(rsp_request, crc)
{
    PARSE("qCRC:80000000,10");
    cr_assert_eq(r->kind, RSP_CRC);
    cr_expect_eq(r->memory.address, 0x80000000);
    cr_expect_eq(r->memory.length, 16);
    free(parsed.payload);
}
