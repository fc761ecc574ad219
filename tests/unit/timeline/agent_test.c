/* gdb's agent expressions: each operation, what is refused, and what dprintf prints. */
#include "tests/unit/timeline/bench.h"

#include "base/check.h"
#include "timeline/agent.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>

enum { ICOUNT = 9999 };

static const struct guest storm = {.name = "storm", .rounds = 2, .period = 6};
static struct bench bench;

static void begin(void)
{
    bench_init(&bench, &storm, NULL);
    bench_live(&bench, NULL, 0, 500);
}

static void end(void)
{
    bench_fini(&bench);
}

TestSuite(agent, .init = begin, .fini = end);

static bool evaluate(const uint8_t *code, size_t size, uint64_t *value, struct error *err)
{
    const struct agent_code c = {code, size};
    const struct hit hit = {.kinds = HIT_EXECUTE, .position = timeline_position(bench.tl)};
    return agent_run(&c, ICOUNT, bench.tl, &hit, value, NULL, err);
}

/* Code as bytes in hexadecimal. */
static size_t bytes_of(const char *hex, uint8_t *code)
{
    size_t size = 0;
    for (char *end; *hex; hex = end)
        code[size++] = (uint8_t)strtoul(hex, &end, 16);
    return size;
}

static void expect(const char *hex, uint64_t want)
{
    uint8_t code[512];
    size_t size = bytes_of(hex, code);
    uint64_t value = ~want;
    struct error err = ERROR_INIT;
    cr_assert(agent_check(&(struct agent_code){code, size}, &err), "%s: %s", hex, err.message);
    cr_assert(evaluate(code, size, &value, &err), "%s: %s", hex, err.message);
    cr_assert_eq(value, want, "%s gives %#lx, not %#lx", hex, value, want);
}

static void expect_error(const char *hex, const char *word)
{
    uint8_t code[512];
    size_t size = bytes_of(hex, code);
    uint64_t value;
    struct error err = ERROR_INIT;
    cr_assert_not(evaluate(code, size, &value, &err), "%s", hex);
    cr_assert(strstr(err.message, word), "%s: %s", hex, err.message);
}

Test(agent, arithmetic)
{
    expect("22 5 22 3 2 27", 8);
    expect("22 5 22 3 3 27", 2);
    expect("22 3 22 5 3 27", (uint64_t)-2);
    expect("22 5 22 3 4 27", 15);
    expect("22 f9 16 8 22 2 5 27", (uint64_t)-3);
    expect("22 f9 16 8 22 2 7 27", (uint64_t)-1);
    expect("22 f9 22 2 6 27", 124);
    expect("22 f9 22 2 8 27", 1);
    expect("25 80 0 0 0 0 0 0 0 22 ff 16 8 5 27", UINT64_C(1) << 63);
    expect("25 80 0 0 0 0 0 0 0 22 ff 16 8 7 27", 0);
    expect("22 1 22 3f 9 27", UINT64_C(1) << 63);
    expect("22 1 22 40 9 27", 0);
    expect("25 80 0 0 0 0 0 0 0 22 4 a 27", UINT64_C(0xf8) << 56);
    expect("25 80 0 0 0 0 0 0 0 22 ff a 27", UINT64_MAX);
    expect("25 40 0 0 0 0 0 0 0 22 ff a 27", 0);
    expect("25 80 0 0 0 0 0 0 0 22 4 b 27", UINT64_C(8) << 56);
    expect("25 80 0 0 0 0 0 0 0 22 0 a 27", UINT64_C(1) << 63);
    expect("22 1 22 ff b 27", 0);
}

Test(agent, logic)
{
    expect("22 0 e 27", 1);
    expect("22 7 e 27", 0);
    expect("22 c 22 a f 27", 8);
    expect("22 c 22 a 10 27", 14);
    expect("22 c 22 a 11 27", 6);
    expect("22 0 12 27", UINT64_MAX);
    expect("22 5 22 5 13 27", 1);
    expect("22 5 22 6 13 27", 0);
    expect("22 ff 16 8 22 1 14 27", 1);
    expect("22 ff 16 8 22 1 15 27", 0);
    expect("22 1 22 1 14 27", 0);
}

Test(agent, extensions)
{
    expect("22 80 16 8 27", (uint64_t)-128);
    expect("22 7f 16 8 27", 127);
    expect("23 ff 80 16 8 27", (uint64_t)-128);
    expect("23 ff 80 2a 8 27", 0x80);
    expect("25 80 0 0 0 0 0 0 1 16 40 27", (UINT64_C(1) << 63) + 1);
    expect("25 80 0 0 0 0 0 0 1 2a 40 27", (UINT64_C(1) << 63) + 1);
    expect("25 80 0 0 0 0 0 0 1 16 ff 27", (UINT64_C(1) << 63) + 1);
    expect("25 80 0 0 0 0 0 0 1 2a 1 27", 1);
    expect("22 1 16 1 27", UINT64_MAX);
    expect("24 12 34 56 78 27", 0x12345678);
}

Test(agent, stack_and_jumps)
{
    expect("22 1 22 2 28 2 2 27", 5);
    expect("22 1 22 2 29 27", 1);
    expect("22 1 22 2 2b 3 27", 1);
    expect("22 1 22 2 22 3 32 2 27", 1);
    expect("22 1 22 2 22 3 32 0 27", 3);
    expect("22 1 22 2 22 3 33 27", 2); /* a b c: c a b */
    expect("22 1 22 2 22 3 33 29 27", 1);
    expect("22 1 22 2 22 3 33 29 29 27", 3);
    /* 0: const8 0, 2: if_goto 8, 5: const8 7, 7: end, 8: const8 9, 10: end */
    expect("22 0 20 0 8 22 7 27 22 9 27", 7);
    expect("22 1 20 0 8 22 7 27 22 9 27", 9);
    expect("21 0 6 22 7 27 22 9 27", 9);
}

Test(agent, looks)
{
    struct machine *m = timeline_machine(bench.tl);
    uint64_t pc = m->cpu[0]->ops->pc(m->cpu[0]), word = 0;
    expect("26 27 f 27", timeline_position(bench.tl)); /* icount: 9999 */
    expect("26 0 20 27", pc);
    expect("26 0 2 27", m->cpu[0]->ops->get_register(m->cpu[0], 2));
    expect("26 0 0 27", 0);
    cr_assert(timeline_read_memory(bench.tl, 0, pc, &word, 8));
    expect("26 0 20 1a 27", word);
    expect("26 0 20 19 27", (uint32_t)word);
    expect("26 0 20 18 27", (uint16_t)word);
    expect("26 0 20 17 27", (uint8_t)word);
}

Test(agent, failures)
{
    expect_error("22 1 22 0 5 27", "division");
    expect_error("22 1 22 0 8 27", "division");
    expect_error("22 8 1a 27", "no memory");
    expect_error("26 ff ff 27", "no register");
    expect_error("2 27", "empty");
    expect_error("27", "no value");
    expect_error("22 1", "without its end");
    expect_error("", "without its end");
    expect_error("23 1", "cut off");
    expect_error("1 27", "not known");
    expect_error("2c 0 1 27", "not known");
    expect_error("ff", "not known");
    expect_error("22 1 32 1 27", "not so deep");
    expect_error("21 0 0", "does not end");
    expect_error("21 ff ff", "without its end");
    expect_error("22 1 21 0 0", "full");
    expect_error("34 0 0 5 61 62 0", "no end");
    expect_error("34 0 0 2 61 62 27", "no end");
    expect_error("22 0 22 0 34 1 0 2 61 0 27", "too few");
}

Test(agent, checks)
{
    static const struct {
        const char *hex;
        bool good;
    } cases[] = {{"22 1 27", true},
                 {"22 27", true},
                 {"23 27", false},
                 {"21 0 3 27", true},
                 {"21 0 1 27", false},
                 {"21 0 4 27", false},
                 {"22 1 20 0 0 27", true},
                 {"22 1 20 ff ff 27", false},
                 {"1f", false},
                 {"34 0 0 1 0 27", true},
                 {"34 0 0 2 0 27", false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t code[64];
        struct error err = ERROR_INIT;
        struct agent_code c = {code, bytes_of(cases[i].hex, code)};
        cr_assert_eq(agent_check(&c, &err), cases[i].good, "%s: %s", cases[i].hex, err.message);
    }
}

/* ---- conditions ---- */

static bool condition_holds(const char *one, const char *two)
{
    uint8_t a[64], b[64];
    const struct agent_code code[] = {{a, bytes_of(one, a)}, {b, bytes_of(two ? two : "", b)}};
    struct condition c = agent_condition(code, two ? 2 : 1, ICOUNT);
    const struct hit hit = {.kinds = HIT_EXECUTE, .position = timeline_position(bench.tl)};
    memset(a, 0xff, sizeof a);
    bool result = c.holds(c.ctx, bench.tl, &hit);
    c.free(c.ctx);
    return result;
}

Test(agent, conditions_are_ored_and_hold_when_they_fail)
{
    cr_assert(condition_holds("22 1 27", NULL));
    cr_assert_not(condition_holds("22 0 27", NULL));
    cr_assert(condition_holds("22 0 27", "22 1 27"));
    cr_assert_not(condition_holds("22 0 27", "22 0 27"));
    cr_assert(condition_holds("22 1 22 0 5 27", NULL));
    cr_assert(condition_holds("22 0 27", "ff"));
    cr_assert(condition_holds("27", NULL));
}

/* ---- dprintf ---- */

static void prints(const char *want, const char *format, size_t count, ...)
{
    uint64_t argument[16];
    struct buffer out = {0};
    va_list list;
    va_start(list, count);
    for (size_t i = 0; i < count; i++)
        argument[i] = va_arg(list, uint64_t);
    va_end(list);
    agent_print(bench.tl, 0, format, strlen(format), argument, count, &out);
    cr_assert_str_eq(buffer_text(&out), want, "of %s", format);
    buffer_fini(&out);
}

#define U(n) ((uint64_t)(n))

Test(agent, formats)
{
    prints("plain", "plain", 0);
    prints("-1 ", "%d ", 1, U(-1));
    prints("4294967295", "%u", 1, U(-1));
    prints("18446744073709551615", "%lu", 1, U(-1));
    prints("-1 -1", "%lld %ld", 2, U(-1), U(-1));
    prints("ffff ff ffffffff FFFFFFFFFFFFFFFF", "%hx %hhx %x %llX", 4, U(-1), U(-1), U(-1), U(-1));
    prints("-128 127", "%hhd %hhi", 2, U(0x80), U(0x17f));
    prints("0x1f 017 1f", "%#x %#o %x", 3, U(31), U(15), U(31));
    prints("[   42] [42   ] [00042] [+42] [  007]", "[%5d] [%-5d] [%05d] [%+d] [%5.3d]", 5, U(42),
           U(42), U(42), U(42), U(7));
    prints("ab", "%c%c", 2, U('a'), U('b'));
    prints("[  a]", "[%3c]", 1, U('a'));
    prints("0x80000000", "%p", 1, U(0x80000000));
    prints("100%", "%d%%", 1, U(100));
    prints("<missing>", "%d", 0);
    prints("%n %*d %", "%n %*d %", 1, U(1));
    prints("%5", "%5", 1, U(1));
    prints("%f", "%f", 1, U(1));
}

Test(agent, escapes)
{
    prints("a\nb\tc\\d\"e\033f\a", "a\\nb\\tc\\\\d\\\"e\\ef\\a", 0);
    prints("A1", "\\1011", 0);
    prints("\\q\\", "\\q\\", 0);
    prints("\n5", "\\n%d", 1, U(5));
}

Test(agent, strings)
{
    struct error err = ERROR_INIT;
    uint64_t at = GUEST_BASE + GUEST_BYTES + 0x1000;
    bool written = timeline_write_memory(bench.tl, 0, at, "hello\0x", 7, &err);
    cr_assert(written, "%s", err.message);
    prints("hello!", "%s!", 1, at);
    prints("[  hello] [he]", "[%7s] [%.2s]", 2, at, at);
    prints("<no memory at 0x8>", "%s", 1, U(8));
}

/* As gdb 13 sends `dprintf f,"x %d %d\n",1,2`: arguments, last first; function, channel. */
Test(agent, printf_operation)
{
    static const uint8_t code[] = {0x22, 2,   0x22, 1,   0x22, 0,   0x22, 0,    0x34, 2, 0,   10,
                                   'x',  ' ', '%',  'd', ' ',  '%', 'd',  '\\', 'n',  0, 0x27};
    const struct agent_code c = {code, sizeof code};
    const struct hit hit = {.kinds = HIT_EXECUTE};
    struct buffer out = {0};
    struct error err = ERROR_INIT;
    cr_assert(agent_check(&c, &err), "%s", err.message);
    struct point_action action = agent_action(&c, 1, ICOUNT);
    action.run(action.ctx, bench.tl, &hit, &out);
    cr_assert_str_eq(buffer_text(&out), "x 1 2\n");
    action.free(action.ctx);
    buffer_fini(&out);
}

/* A loop of prints ends, and so does its text. */
Test(agent, much_text_is_cut)
{
    uint8_t code[64];
    const struct agent_code c = {code,
                                 bytes_of("22 0 22 0 34 0 0 5 61 62 63 64 0 21 0 0 27", code)};
    const struct hit hit = {.kinds = HIT_EXECUTE};
    struct buffer out = {0};
    struct point_action action = agent_action(&c, 1, ICOUNT);
    action.run(action.ctx, bench.tl, &hit, &out);
    cr_assert_gt(out.size, 1000);
    cr_assert_lt(out.size, 2 * AGENT_TEXT);
    action.free(action.ctx);
    buffer_fini(&out);
}

/* Whatever bytes: it ends, and does no harm. */
Test(agent, random_code)
{
    struct random random = {4711};
    for (uint64_t i = 0; i < bench_cases(20000); i++) {
        uint8_t code[48];
        size_t size = random_below(&random, sizeof code);
        for (size_t k = 0; k < size; k++)
            code[k] = (uint8_t)(random_below(&random, 4) ? random_below(&random, 0x36)
                                                         : random_next(&random));
        const struct agent_code c = {code, size};
        const struct hit hit = {.kinds = HIT_EXECUTE};
        struct error err = ERROR_INIT;
        struct buffer out = {0};
        uint64_t value;
        agent_check(&c, &err);
        agent_run(&c, ICOUNT, bench.tl, &hit, &value, &out, &err);
        cr_assert_lt(out.size, 4 * AGENT_TEXT);
        buffer_fini(&out);
    }
}
