#include "base/endian.h"
#include "machine/semihosting.h"

#include "tests/unit/devices/bench.h"

/* The guest's memory, from BASE on; its last page can be taken away. */
enum { BASE = 0x1000, SIZE = 0x1000 };
enum {
    OPEN = 1,
    CLOSE = 2,
    WRITEC = 3,
    WRITE0 = 4,
    WRITE = 5,
    READ = 6,
    READC = 7,
    ISERROR = 8,
    ISTTY = 9,
    SEEK = 10,
    FLEN = 12,
    CLOCK = 0x10,
    TIME = 0x11,
    ERRNO = 0x13,
    GET_CMDLINE = 0x15,
    EXIT = 0x18,
    EXIT_EXTENDED = 0x20,
    ELAPSED = 0x30,
    TICKFREQ = 0x31
};
#define FAILED UINT64_MAX

struct rig {
    struct bench b;
    struct semihosting s;
    uint8_t memory[SIZE];
    unsigned refused; /* checks that said no */
    bool read_only;
};

static bool rig_check(void *ctx, uint64_t va, uint64_t size, unsigned kinds)
{
    struct rig *r = ctx;
    bool good = va >= BASE && va - BASE < SIZE && size <= SIZE - (va - BASE) &&
                !(r->read_only && kinds == HIT_WRITE);
    r->refused += !good;
    return good;
}

static void rig_read(void *ctx, uint64_t va, void *bytes, size_t size)
{
    const struct rig *r = ctx;
    cr_assert(va >= BASE && va - BASE + size <= SIZE);
    memcpy(bytes, r->memory + (va - BASE), size);
}

static void rig_write(void *ctx, uint64_t va, const void *bytes, size_t size)
{
    struct rig *r = ctx;
    cr_assert(va >= BASE && va - BASE + size <= SIZE);
    memcpy(r->memory + (va - BASE), bytes, size);
}

static struct rig *rig_new(const char *command_line)
{
    struct rig *r = calloc(1, sizeof *r);
    struct error err = ERROR_INIT;
    bench_init(&r->b, 1);
    cr_assert(semihosting_init(&r->s, &r->b.m, command_line, &err), "%s", err.message);
    cr_assert_eq(r->b.m.semihosting, &r->s);
    bench_reset(&r->b);
    return r;
}

static void rig_free(struct rig *r)
{
    bench_fini(&r->b);
    free(r);
}

/* The block is at the start of memory, data from BASE + 0x100 on. */
enum { DATA = BASE + 0x100 };

static bool attempt(struct rig *r, uint64_t operation, uint64_t parameter, uint64_t *result)
{
    const struct semihosting_memory memory = {rig_check, rig_read, rig_write, r};
    return semihosting_call(&r->s, operation, parameter, &memory, result);
}

static uint64_t call_at(struct rig *r, uint64_t operation, uint64_t parameter)
{
    uint64_t result;
    cr_assert(attempt(r, operation, parameter, &result), "operation %#lx waits", operation);
    return result;
}

static void set_block(struct rig *r, uint64_t a, uint64_t b, uint64_t c)
{
    store_le64(r->memory, a);
    store_le64(r->memory + 8, b);
    store_le64(r->memory + 16, c);
}

static uint64_t call(struct rig *r, uint64_t operation, uint64_t a, uint64_t b, uint64_t c)
{
    set_block(r, a, b, c);
    return call_at(r, operation, BASE);
}

static void put(struct rig *r, const char *text)
{
    memcpy(r->memory + (DATA - BASE), text, strlen(text) + 1);
}

static uint64_t open_tt(struct rig *r, uint64_t mode)
{
    put(r, ":tt");
    return call(r, OPEN, DATA, mode, 3);
}

static void type(struct rig *r, const char *text)
{
    struct event event = {.kind = EVENT_INPUT,
                          .target = CHANNEL_SEMIHOST,
                          .size = (uint32_t)strlen(text),
                          .data = (const uint8_t *)text};
    cr_assert_geq(machine_input_room(&r->b.m, CHANNEL_SEMIHOST), event.size);
    r->b.m.device[0].input(r->b.m.device[0].ctx, event.target, event.data, event.size);
}

static const char *sent(struct rig *r)
{
    return buffer_text(&r->b.sent);
}

Test(semihosting, output)
{
    struct rig *r = rig_new(NULL);
    uint64_t out = open_tt(r, 4), error = open_tt(r, 8);
    cr_assert(out && error && out != error && out != FAILED && error != FAILED);
    put(r, "hello");
    cr_assert_eq(call(r, WRITE, out, DATA, 3), 0);
    cr_assert_eq(call(r, WRITE, error, DATA + 3, 2), 0);
    cr_assert_eq(call(r, WRITE, out, DATA, 0), 0);
    cr_assert_str_eq(sent(r), "hello");
    cr_assert_eq(r->b.sent_channel, CHANNEL_SEMIHOST);
    call_at(r, WRITEC, DATA + 1);
    call_at(r, WRITE0, DATA + 2);
    cr_assert_str_eq(sent(r), "helloello");
    rig_free(r);
}

Test(semihosting, long_output_is_whole)
{
    struct rig *r = rig_new(NULL);
    uint64_t out = open_tt(r, 4);
    for (unsigned i = 0; i < 1000; i++)
        r->memory[DATA - BASE + i] = (uint8_t)('a' + i % 26);
    cr_assert_eq(call(r, WRITE, out, DATA, 1000), 0);
    cr_assert_eq(r->b.sent.size, 1000);
    cr_assert_arr_eq(r->b.sent.data, r->memory + (DATA - BASE), 1000);
    rig_free(r);
}

Test(semihosting, files_other_than_the_console)
{
    struct rig *r = rig_new(NULL);
    put(r, "/etc/passwd");
    cr_assert_eq(call(r, OPEN, DATA, 0, 11), FAILED);
    cr_assert_eq(call_at(r, ERRNO, 0), 2);
    put(r, "tty");
    cr_assert_eq(call(r, OPEN, DATA, 0, 3), FAILED);
    cr_assert_eq(call(r, OPEN, DATA, 0, UINT64_MAX), FAILED);
    put(r, ":tt");
    cr_assert_eq(call(r, OPEN, DATA, 12, 3), FAILED);
    cr_assert_eq(call_at(r, ERRNO, 0), 22);
    cr_assert_eq(call(r, 0xe, DATA, 3, 0), FAILED, "SYS_REMOVE");
    cr_assert_eq(call(r, 0x12, DATA, 3, 0), FAILED, "SYS_SYSTEM");
    cr_assert_eq(call_at(r, ERRNO, 0), 38);
    cr_assert_eq(call(r, UINT64_MAX, 0, 0, 0), FAILED);
    rig_free(r);
}

Test(semihosting, handles)
{
    struct rig *r = rig_new(NULL);
    uint64_t handle[SEMIHOSTING_HANDLES];
    for (unsigned i = 0; i < SEMIHOSTING_HANDLES; i++)
        cr_assert_neq(handle[i] = open_tt(r, i % 12), FAILED);
    cr_assert_eq(open_tt(r, 0), FAILED, "there is no further one");
    cr_assert_eq(call(r, ISTTY, handle[3], 0, 0), 1);
    cr_assert_eq(call(r, FLEN, handle[3], 0, 0), FAILED);
    cr_assert_eq(call(r, CLOSE, handle[3], 0, 0), 0);
    cr_assert_eq(call(r, CLOSE, handle[3], 0, 0), FAILED);
    cr_assert_eq(call_at(r, ERRNO, 0), 9);
    cr_assert_eq(call(r, ISTTY, handle[3], 0, 0), FAILED);
    cr_assert_eq(open_tt(r, 0), handle[3]);
    static const uint64_t none[] = {0, SEMIHOSTING_HANDLES + 1, 1u << 31, UINT64_MAX};
    for (unsigned i = 0; i < 4; i++)
        cr_assert_eq(call(r, CLOSE, none[i], 0, 0), FAILED);
    cr_assert_eq(call(r, WRITE, handle[0], DATA, 5), 5, "input is not written to");
    cr_assert_eq(call(r, READ, handle[4], DATA, 5), 5, "output is not read from");
    cr_assert_eq(call(r, ISERROR, FAILED, 0, 0), 1);
    cr_assert_eq(call(r, ISERROR, 3, 0, 0), 0);
    rig_free(r);
}

Test(semihosting, a_read_takes_what_is_there)
{
    struct rig *r = rig_new(NULL);
    uint64_t in = open_tt(r, 0);
    type(r, "hello");
    cr_assert_eq(call(r, READ, in, DATA, 2), 0);
    cr_assert_arr_eq(r->memory + (DATA - BASE), "he", 2);
    cr_assert_eq(call(r, READ, in, DATA, 10), 7, "three of ten");
    cr_assert_arr_eq(r->memory + (DATA - BASE), "llo", 3);
    cr_assert_eq(call(r, READ, in, DATA, 0), 0, "nothing asked for");
    type(r, "x");
    cr_assert_eq(call_at(r, READC, 0), (uint64_t)'x');
    rig_free(r);
}

Test(semihosting, a_read_that_finds_nothing_waits)
{
    struct rig *r = rig_new(NULL);
    uint64_t in = open_tt(r, 0), result;
    set_block(r, in, DATA, 4);
    uint64_t before = bench_digest(&r->b, 0);
    cr_assert_not(attempt(r, READ, BASE, &result));
    cr_assert_not(attempt(r, READC, 0, &result));
    cr_assert_eq(bench_digest(&r->b, 0), before, "waiting changes nothing");
    cr_assert_not(semihosting_ready(&r->s));
    type(r, "ok");
    cr_assert(semihosting_ready(&r->s));
    cr_assert_eq(call_at(r, READ, BASE), 2);
    cr_assert_arr_eq(r->memory + (DATA - BASE), "ok", 2);
    rig_free(r);
}

Test(semihosting, room)
{
    struct rig *r = rig_new(NULL);
    char line[SEMIHOSTING_INPUT + 1] = {0};
    memset(line, 'a', SEMIHOSTING_INPUT);
    for (unsigned round = 0; round < 5; round++) {
        cr_assert_eq(machine_input_room(&r->b.m, CHANNEL_SEMIHOST), SEMIHOSTING_INPUT);
        line[round] = 'b';
        type(r, line);
        cr_assert_eq(machine_input_room(&r->b.m, CHANNEL_SEMIHOST), 0);
        cr_assert_eq(machine_input_room(&r->b.m, CHANNEL_SERIAL0), 0);
        for (unsigned i = 0; i < SEMIHOSTING_INPUT - 1; i++)
            cr_assert_eq(call_at(r, READC, 0), (uint64_t)line[i]);
        cr_assert_eq(machine_input_room(&r->b.m, CHANNEL_SEMIHOST), SEMIHOSTING_INPUT - 1);
        cr_assert_eq(call_at(r, READC, 0), (uint64_t)line[SEMIHOSTING_INPUT - 1]);
    }
    rig_free(r);
}

Test(semihosting, virtual_clocks)
{
    struct rig *r = rig_new(NULL);
    clock_idle_until(&r->b.m.clock, UINT64_C(12345678901));
    cr_assert_eq(call_at(r, CLOCK, 0), 1234);
    cr_assert_eq(call_at(r, TIME, 0), 12);
    cr_assert_eq(call_at(r, TICKFREQ, 0), 1000000000);
    cr_assert_eq(call_at(r, ELAPSED, DATA), 0);
    cr_assert_eq(load_le64(r->memory + (DATA - BASE)), UINT64_C(12345678901));
    cr_assert_eq(r->b.clock_reads, 0, "the host's clock was asked");
    rig_free(r);
}

Test(semihosting, command_line)
{
    struct rig *r = rig_new("run quietly");
    cr_assert_eq(call(r, GET_CMDLINE, DATA, 11, 0), FAILED, "no room for the zero byte");
    cr_assert_eq(call(r, GET_CMDLINE, DATA, 12, 0), 0);
    cr_assert_str_eq((char *)r->memory + (DATA - BASE), "run quietly");
    cr_assert_eq(load_le64(r->memory + 8), 11);
    rig_free(r);
    r = rig_new(NULL);
    cr_assert_eq(call(r, GET_CMDLINE, DATA, 1, 0), 0);
    cr_assert_str_empty((char *)r->memory + (DATA - BASE));
    rig_free(r);
}

Test(semihosting, command_line_too_long)
{
    static struct semihosting s;
    static char line[SEMIHOSTING_COMMAND_LINE + 1];
    struct bench b;
    struct error err = ERROR_INIT;
    memset(line, 'a', SEMIHOSTING_COMMAND_LINE);
    bench_init(&b, 1);
    cr_assert_not(semihosting_init(&s, &b.m, line, &err));
    cr_assert_eq(err.code, ERROR_RANGE);
    cr_assert_null(b.m.semihosting);
    line[SEMIHOSTING_COMMAND_LINE - 1] = '\0';
    cr_assert(semihosting_init(&s, &b.m, line, &err));
    bench_fini(&b);
}

Test(semihosting, exits)
{
    static const struct {
        uint64_t operation, reason, code, status;
    } exits[] = {
        {EXIT, 0x20026, 0, 0},
        {EXIT, 0x20026, 42, 42},
        {EXIT_EXTENDED, 0x20026, 7, 7},
        {EXIT, 0x20023, 0, 1},
    };
    for (unsigned i = 0; i < 4; i++) {
        struct rig *r = rig_new(NULL);
        call(r, exits[i].operation, exits[i].reason, exits[i].code, 0);
        cr_assert_eq(r->b.m.state.halt, HALT_EXIT);
        cr_assert_eq(r->b.m.state.halt_code, exits[i].status);
        rig_free(r);
    }
}

/* Whatever a guest passes: nothing is changed, nothing is sent, and it gets -1. */
Test(semihosting, memory_that_is_not_there)
{
    struct rig *r = rig_new("command");
    uint64_t in = open_tt(r, 0), out = open_tt(r, 4);
    type(r, "input");
    static const uint64_t nowhere[] = {0, BASE - 1, BASE + SIZE - 4, UINT64_MAX, UINT64_MAX - 7};
    static const uint64_t with_block[] = {OPEN,  CLOSE, WRITE,       READ, ISERROR,
                                          ISTTY, FLEN,  GET_CMDLINE, EXIT, ELAPSED};
    uint64_t before = bench_digest(&r->b, 0);
    for (unsigned i = 0; i < sizeof nowhere / sizeof *nowhere; i++) {
        for (unsigned k = 0; k < sizeof with_block / sizeof *with_block; k++)
            cr_assert_eq(call_at(r, with_block[k], nowhere[i]), FAILED);
        cr_assert_eq(call(r, WRITE, out, nowhere[i], 8), FAILED);
        cr_assert_eq(call(r, READ, in, nowhere[i], 8), FAILED);
        cr_assert_eq(call(r, OPEN, nowhere[i], 0, 3), FAILED);
        /* Three bytes are there, and name no file: that is remembered. */
        if (nowhere[i] == BASE + SIZE - 4)
            before = bench_digest(&r->b, 0);
        cr_assert_eq(call(r, GET_CMDLINE, nowhere[i], 100, 0), FAILED);
    }
    cr_assert_eq(call_at(r, WRITEC, BASE - 1), FAILED);
    memset(r->memory, 'a', SIZE);
    cr_assert_eq(call_at(r, WRITE0, DATA), FAILED, "no zero byte up to the end");
    set_block(r, out, DATA, UINT64_MAX);
    cr_assert_eq(call_at(r, WRITE, BASE), FAILED);
    r->read_only = true;
    set_block(r, in, DATA, 8);
    cr_assert_eq(call_at(r, READ, BASE), FAILED);
    cr_assert_eq(call_at(r, ELAPSED, DATA), FAILED);
    cr_assert_eq(bench_digest(&r->b, 0), before, "the state has changed");
    cr_assert_eq(r->b.sent.size, 0, "something was sent");
    cr_assert_eq(r->b.m.state.halt, HALT_NONE);
    cr_assert_gt(r->refused, 20);
    rig_free(r);
}

Test(semihosting, state_is_described_and_survives)
{
    bool map[sizeof(struct semihosting_state)] = {false};
    fields_coverage(&semihosting_fields, map);
    for (size_t i = 0; i < sizeof map; i++)
        cr_assert(map[i], "byte %zu", i);
    struct rig *r = rig_new(NULL);
    open_tt(r, 0);
    type(r, "abc");
    call_at(r, READC, 0);
    struct buffer saved = bench_save(&r->b, 0);
    uint64_t digest = bench_digest(&r->b, 0);
    bench_reset(&r->b);
    cr_assert_neq(bench_digest(&r->b, 0), digest);
    const uint8_t *bytes = saved.data;
    size_t size = saved.size;
    struct error err = ERROR_INIT;
    cr_assert(fields_load(&semihosting_fields, 1, &r->s.state, &bytes, &size, &err));
    cr_assert_eq(bench_digest(&r->b, 0), digest);
    cr_assert_eq(call_at(r, READC, 0), (uint64_t)'b');
    buffer_fini(&saved);
    rig_free(r);
}

/* A state from elsewhere may hold any values: no access leaves the arrays. */
Test(semihosting, wild_state)
{
    struct rig *r = rig_new(NULL);
    r->s.state.first = 200;
    r->s.state.count = 250;
    memset(r->s.state.handle, 1, sizeof r->s.state.handle);
    cr_assert_eq(machine_input_room(&r->b.m, CHANNEL_SEMIHOST), 0);
    call(r, READ, 1, DATA, 1000);
    cr_assert_eq(r->s.state.count, 0);
    rig_free(r);
}
