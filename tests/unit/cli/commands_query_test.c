/* Commands that ask about history, as text and in JSON. */
#include "cli/commands.h"
#include "cli/kept_files.h"

#include "base/hex.h"
#include "tests/unit/cli/guest.h"

#include <inttypes.h>
#include <jansson.h>

enum { TIP = 1000000, HERE = 700000 };

static struct guest guest;
static struct kept_files *kept;
static struct command_context context;
static struct interpreter interpreter;
static struct buffer output;

static void setup(void)
{
    struct error err = ERROR_INIT;
    guest_init_demo(&guest, 2);
    cr_assert_eq(guest_run_to(&guest, TIP).reason, STOP_DONE);
    kept = kept_files_new();
    for (size_t i = 0; i < embedded_count; i++)
        if (!strcmp(embedded_files[i].name, "demo.elf"))
            cr_assert(kept_files_add(kept, "demo.elf", embedded_files[i].data,
                                     embedded_files[i].size, NULL, &err));
    context = (struct command_context){.timeline = guest.timeline, .kept = kept};
    interpreter = commands_interpreter(&context);
}

static void teardown(void)
{
    commands_close(&context);
    kept_files_free(kept);
    guest_fini(&guest);
    buffer_fini(&output);
}

TestSuite(commands_query, .init = setup, .fini = teardown);

/* What the command says, once all that it began has ended. */
static const char *say(const char *line)
{
    struct stop stop;
    buffer_clear(&output);
    interpreter.run(&context, line, &output);
    if (!timeline_moving(guest.timeline))
        return buffer_text(&output);
    cr_assert(interpreter.moves(&context, line), "`%s` moves", line);
    do
        timeline_finish(guest.timeline, &stop);
    while (!interpreter.finish(&context, &stop, &output));
    cr_assert_not(timeline_moving(guest.timeline));
    return buffer_text(&output);
}

#define assert_says(line, part)                                                                    \
    cr_assert(strstr(say(line), part), "`%s` says: %s", line, buffer_text(&output))

/* The line's answer; it is one line. */
static json_t *ask(const char *line)
{
    json_error_t bad;
    const char *text = say(line);
    cr_assert_eq(strchr(text, '\n'), text + strlen(text) - 1, "`%s` says: %s", line, text);
    json_t *answer = json_loads(text, JSON_REJECT_DUPLICATES, &bad);
    cr_assert(json_is_object(answer), "`%s` says: %s", line, text);
    return answer;
}

static uint64_t number(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    if (json_is_string(value))
        return strtoull(json_string_value(value), NULL, 0);
    cr_assert(json_is_integer(value), "no number %s", name);
    return (uint64_t)json_integer_value(value);
}

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    cr_assert(text, "no text %s", name);
    return text;
}

#define assert_refuses(line, part)                                                                 \
    do {                                                                                           \
        json_t *refusal = ask(line);                                                               \
        cr_assert(strstr(text_of(refusal, "error"), part), "`%s` says: %s", line,                  \
                  buffer_text(&output));                                                           \
        json_decref(refusal);                                                                      \
    } while (0)

static uint64_t pc_of(unsigned hart)
{
    const struct cpu *cpu = timeline_machine(guest.timeline)->cpu[hart];
    return cpu->ops->pc(cpu);
}

static uint64_t reg(unsigned hart, const char *name)
{
    const struct cpu *cpu = timeline_machine(guest.timeline)->cpu[hart];
    for (size_t i = 0; i < cpu->ops->register_count; i++)
        if (!strcmp(cpu->ops->registers[i].name, name))
            return cpu->ops->get_register(cpu, cpu->ops->registers[i].number);
    cr_assert_fail("no register %s", name);
    return 0;
}

static void assert_memory(uint64_t address, const char *hex, const char *when)
{
    uint8_t bytes[16], there[16];
    size_t size = strlen(hex) / 2;
    cr_assert(hex_decode(hex, 2 * size, bytes));
    cr_assert(timeline_read_memory(guest.timeline, 0, address, there, size));
    cr_assert_arr_eq(there, bytes, size, "%s", when);
}

/* ---- who wrote, read ---- */

/* At its position the memory is as before, one step later as after; and later nobody wrote. */
Test(commands_query, last_write)
{
    char line[160];
    guest_seek(&guest, HERE);
    uint64_t address = reg(0, "sp") - 16;
    snprintf(line, sizeof line, "json last-write {\"address\": %" PRIu64 ", \"length\": 16}",
             address);
    json_t *answer = ask(line), *hit = json_object_get(answer, "hit");
    cr_assert_eq(timeline_position(guest.timeline), HERE);
    cr_assert(json_is_object(hit), "%s", buffer_text(&output));
    uint64_t position = number(hit, "position"), first = number(hit, "address");
    guest_seek(&guest, position);
    cr_assert_eq(pc_of((unsigned)number(hit, "hart")), number(hit, "pc"));
    assert_memory(first, text_of(hit, "before"), "before");
    guest_seek(&guest, position + 1);
    assert_memory(first, text_of(hit, "after"), "after");
    struct stop stop;
    timeline_point_add(guest.timeline, HIT_WRITE, address, 16);
    guest_seek(&guest, HERE);
    timeline_reverse_continue(guest.timeline);
    timeline_finish(guest.timeline, &stop);
    cr_assert_eq(stop.reason, STOP_WATCH);
    cr_assert_eq(stop.position, position + 1, "as a watchpoint in reverse");
    guest_seek(&guest, HERE);
    snprintf(line, sizeof line, "last-write %#" PRIx64 " 16", address);
    const char *text = say(line);
    cr_assert(strstr(text, " -> 0x") && strstr(text, ">  wrote "), "%s", text);
    json_decref(answer);
}

Test(commands_query, all_writes)
{
    char line[160];
    guest_seek(&guest, HERE);
    uint64_t address = reg(0, "sp") - 8;
    snprintf(line, sizeof line, "json writes {\"address\": %" PRIu64 ", \"most\": 7}", address);
    json_t *answer = ask(line), *hits = json_object_get(answer, "hits"), *hit;
    size_t i;
    uint64_t last = HERE;
    cr_assert_eq(json_array_size(hits), 7);
    cr_assert_geq(number(answer, "count"), 7);
    json_array_foreach(hits, i, hit)
    {
        cr_assert_lt(number(hit, "position"), last, "newest first");
        last = number(hit, "position");
    }
    snprintf(line, sizeof line, "writes %#" PRIx64 " 8 7", address);
    const char *text = say(line);
    unsigned lines = 0;
    for (const char *p = text; *p; p++)
        lines += *p == '\n';
    cr_assert_geq(lines, 7, "%s", text);
    json_decref(answer);
    snprintf(line, sizeof line, "json writes {\"address\": %" PRIu64 ", \"physical\": true}",
             address);
    answer = ask(line);
    hit = json_array_get(json_object_get(answer, "hits"), 0);
    cr_assert_str_eq(text_of(hit, "writer"), "hart");
    cr_assert_eq(number(hit, "address") & ~UINT64_C(15), address & ~UINT64_C(15));
    json_decref(answer);
    snprintf(line, sizeof line, "last-write -p %#" PRIx64, address);
    assert_says(line, "wrote ");
}

Test(commands_query, nothing_there)
{
    assert_says("last-write 0x900000000",
                "8 bytes at 0x900000000 were not written in all history up to here\n");
    assert_says("last-read 0x900000000 1", "1 byte at 0x900000000 was not read in all history");
    assert_says("writes 0x900000000 1", "1 byte at 0x900000000 was not written");
    assert_says("calls 0x900000000", "the code at 0x900000000 was not run in all history");
    guest_seek(&guest, 0);
    assert_says("traps", "no trap and no interrupt in all history up to here\n");
    json_t *answer = ask("json last-read {\"address\": \"0x900000000\"}");
    cr_assert(json_is_null(json_object_get(answer, "hit")));
    cr_assert(json_is_true(json_object_get(answer, "complete")));
    json_decref(answer);
}

/* ---- calls and traps ---- */

Test(commands_query, calls)
{
    json_t *answer = ask("json calls {\"address\": \"ring_put\", \"most\": 3}");
    json_t *hits = json_object_get(answer, "hits"), *hit;
    size_t i;
    cr_assert_eq(json_array_size(hits), 3, "%s", buffer_text(&output));
    json_array_foreach(hits, i, hit)
    {
        guest_seek(&guest, number(hit, "position"));
        unsigned hart = (unsigned)number(hit, "hart");
        cr_assert_eq(pc_of(hart), number(hit, "pc"));
        cr_assert_eq(reg(hart, "ra"), number(hit, "ra"));
        cr_assert_eq(reg(hart, "sp"), number(hit, "sp"));
        json_t *args = json_object_get(hit, "args");
        cr_assert_eq(json_array_size(args), 8);
        cr_assert_eq(reg(hart, "a0"), (uint64_t)json_integer_value(json_array_get(args, 0)));
        cr_assert_eq(reg(hart, "a1"), (uint64_t)json_integer_value(json_array_get(args, 1)));
    }
    guest_seek(&guest, TIP);
    assert_says("calls ring_put 2", "  hart 0  (0x");
    assert_says("calls ring_put 2", ")  from 0x");
    assert_says("calls ring_put 2", "(the newest 2; older ones were not looked for)\n");
    assert_says("calls ring_put 1000", ">\n");
    cr_assert_null(strstr(buffer_text(&output), "older"));
    assert_says("calls ring_putt", "did you mean ring_put?\n");
    json_decref(answer);
}

Test(commands_query, traps)
{
    json_t *answer = ask("json traps {\"most\": 4}");
    json_t *hits = json_object_get(answer, "hits"), *hit;
    size_t i;
    cr_assert_eq(json_array_size(hits), 4, "%s", buffer_text(&output));
    json_array_foreach(hits, i, hit)
    {
        unsigned hart = (unsigned)number(hit, "hart");
        guest_seek(&guest, number(hit, "position"));
        cr_assert_eq(pc_of(hart), number(hit, "pc"));
        guest_seek(&guest, number(hit, "position") + 1);
        cr_assert_eq(pc_of(hart), reg(hart, "mtvec") & ~UINT64_C(3));
        cr_assert_eq(reg(hart, "mcause") & INT64_MAX, number(hit, "cause"));
        cr_assert_eq(reg(hart, "mcause") >> 63,
                     (uint64_t)json_is_true(json_object_get(hit, "interrupt")));
    }
    guest_seek(&guest, TIP);
    assert_says("traps 4", "machine timer interrupt (7)\n");
    json_decref(answer);
    answer = ask("json traps {\"steps\": 150000}");
    cr_assert(json_is_false(json_object_get(answer, "complete")));
    cr_assert_leq(number(answer, "searched"), TIP - 150000);
    cr_assert_geq(number(answer, "searched"), TIP - 250000);
    json_decref(answer);
    answer = ask("json traps {\"from\": 1000, \"to\": 2000}");
    json_array_foreach(json_object_get(answer, "hits"), i, hit)
        cr_assert(number(hit, "position") >= 1000 && number(hit, "position") < 2000);
    json_decref(answer);
}

/* ---- diff ---- */

Test(commands_query, diff)
{
    char part[64];
    guest_seek(&guest, 1000);
    uint64_t a = pc_of(0);
    guest_seek(&guest, 5000);
    uint64_t b = pc_of(0);
    guest_seek(&guest, HERE);
    snprintf(part, sizeof part, "hart 0  pc         %#" PRIx64 " <", a);
    assert_says("diff 1000 5000", "position 1,000 -> position 5,000\n");
    assert_says("diff 1000 5000", part);
    assert_says("diff 1000 5000", "memory  0x");
    cr_assert_str_eq(say("diff 5e3 5000"), "nothing differs between positions 5,000 and 5,000\n");
    json_t *answer = ask("json diff {\"a\": 1000, \"b\": \"5000\"}"), *entry;
    size_t i;
    bool found = false;
    json_array_foreach(json_object_get(answer, "registers"), i,
                       entry) if (!strcmp(text_of(entry, "name"), "pc") &&
                                  number(entry, "hart") == 0)
    {
        cr_assert_eq(number(entry, "a"), a);
        cr_assert_eq(number(entry, "b"), b);
        found = true;
    }
    cr_assert(found);
    json_array_foreach(json_object_get(answer, "memory"), i,
                       entry) if (!json_object_get(entry, "device"))
    {
        guest_seek(&guest, 1000);
        assert_memory(number(entry, "address"), text_of(entry, "a"), "a");
        guest_seek(&guest, 5000);
        assert_memory(number(entry, "address"), text_of(entry, "b"), "b");
        break;
    }
    json_decref(answer);
    assert_says("diff 1 2 3", "usage: diff A B");
    assert_says("diff 1 nowhere", "is no position");
}

/* Another future differs in what was written there, and the picture shows where it came from. */
Test(commands_query, branches)
{
    struct stop stop;
    guest_seek(&guest, HERE);
    json_decref(ask("json write-memory {\"address\": \"0x80f00000\", \"bytes\": \"010aff\"}"));
    say("branch other");
    timeline_continue_to(guest.timeline, HERE + 500);
    timeline_finish(guest.timeline, &stop);
    json_t *answer = ask("json when");
    cr_assert_str_eq(text_of(answer, "branch"), "other");
    cr_assert_eq(number(answer, "tip"), HERE + 500);
    json_decref(answer);
    const char *text = say("diff main@700000 other@origin");
    cr_assert_str_eq(text, "position 700,000 -> position 700,000\n"
                           "memory  0x80f00000, 3 bytes  000000 -> 010aff\n");
    answer = ask("json diff {\"a\": \"other@end\", \"b\": \"main@700500\"}");
    cr_assert_eq(json_array_size(json_object_get(answer, "memory")), 1);
    cr_assert_eq(json_array_size(json_object_get(answer, "registers")), 0);
    json_decref(answer);
    assert_says("diff main@1 other@700501", "branch other ends at 700500");
    assert_says("diff nowhere@1 5", "there is no branch `nowhere`");
    assert_says("diff @1 5", "there is no branch ``");
    assert_says("when", "position 700,500");
    say("switch main");
    cr_assert_eq(timeline_position(guest.timeline), HERE);
    assert_says("timeline", "\nbranches  ");
    assert_says("timeline", "  <              700,000  other\n");
}

/* ---- the picture ---- */

static void assert_fits(const char *text, size_t columns)
{
    for (const char *line = text; *line;) {
        size_t size = strcspn(line, "\n");
        cr_assert_leq(size, columns, "%s", text);
        cr_assert(!size || line[size - 1] != ' ', "%s", text);
        for (size_t i = 0; i < size; i++)
            cr_assert(line[i] >= ' ' && line[i] <= '~', "%s", text);
        line += size + 1;
    }
}

Test(commands_query, timeline_picture)
{
    guest_seek(&guest, TIP / 2);
    say("bookmark middle halfway");
    const char *text = say("timeline");
    assert_fits(text, 72);
    cr_assert(strstr(text, "position     0"), "%s", text);
    cr_assert(strstr(text, "1,000,000\n"), "%s", text);
    cr_assert(strstr(text, "^ here       500,000 of 1,000,000 (50.0%)\n"), "%s", text);
    cr_assert(strstr(text, "checkpoints  ."), "%s", text);
    cr_assert(strstr(text, "\ntraps        "), "%s", text);
    cr_assert(strstr(text, "\nconsole      "), "%s", text);
    cr_assert(strstr(text, "  A              500,000  middle: halfway\n"), "%s", text);
    cr_assert_null(strstr(text, "hits"), "%s", text);
    char *first = strdup(text);
    cr_assert_str_eq(say("timeline"), first, "the same again");
    free(first);
    assert_fits(say("timeline 40"), 40);
    assert_fits(say("timeline 200"), 200);
    assert_says("timeline 39", "columns from 40 to 250");
    cr_assert_eq(timeline_position(guest.timeline), TIP / 2);
    json_t *answer = ask("json calls {\"address\": \"ring_put\", \"to\": \"end\", \"most\": 1000}");
    uint64_t calls = number(answer, "count");
    uint64_t pc = number(json_array_get(json_object_get(answer, "hits"), 0), "pc"), sum = 0;
    json_decref(answer);
    char line[96];
    snprintf(line, sizeof line, "json timeline {\"columns\": 60, \"addresses\": [%" PRIu64 "]}",
             pc);
    answer = ask(line);
    json_t *hits = json_object_get(answer, "hits"), *count;
    size_t i;
    json_array_foreach(json_object_get(hits, "columns"), i, count) sum +=
        (uint64_t)json_integer_value(count);
    cr_assert_eq(i, 60 - 13);
    cr_assert_eq(sum, calls);
    cr_assert_eq(number(hits, "count"), calls);
    cr_assert(json_is_true(json_object_get(hits, "complete")));
    cr_assert(strstr(text_of(answer, "text"), "\nhits         "), "%s", buffer_text(&output));
    json_decref(answer);
}

Test(commands_query, console_at)
{
    guest_seek(&guest, 10);
    cr_assert_str_eq(say("console-at 0"), "nothing was printed before that\n");
    const char *text = say("console-at end 1000");
    cr_assert_gt(strlen(text), 20);
    char *all = strdup(text);
    cr_assert_leq(strlen(say("console-at end 1")), strlen(all));
    cr_assert(strstr(all, buffer_text(&output)));
    json_t *answer = ask("json console {\"at\": \"end\", \"lines\": 1000}");
    cr_assert_str_eq(text_of(answer, "text"), all);
    json_decref(answer);
    free(all);
    assert_says("console-at end 0", "usage: console-at");
    assert_says("console-at nowhere", "is no position");
}

/* ---- other rows ---- */

Test(commands_query, rows_that_move)
{
    json_t *stop = ask("json goto {\"to\": 5000}");
    cr_assert_str_eq(text_of(stop, "reason"), "done");
    cr_assert_eq(number(stop, "position"), 5000);
    cr_assert_eq(number(stop, "pc"), pc_of(timeline_machine(guest.timeline)->state.running));
    json_decref(stop);
    stop = ask("json step {\"count\": 25, \"hart\": 0}");
    cr_assert_eq(reg(0, "pc"), number(stop, "pc"));
    cr_assert_geq(number(stop, "position"), 5025);
    json_decref(stop);
    stop = ask("json reverse-step {\"count\": 25, \"hart\": 0}");
    cr_assert_str_eq(text_of(stop, "reason"), "done");
    cr_assert_leq(number(stop, "position"), 5025);
    json_decref(stop);
    stop = ask("json reverse-continue");
    cr_assert_str_eq(text_of(stop, "reason"), "begin");
    cr_assert_eq(number(stop, "position"), 0);
    json_decref(stop);
    stop = ask("json continue {}");
    cr_assert_str_eq(text_of(stop, "reason"), "end");
    cr_assert(strstr(text_of(stop, "text"), "the tip"));
    json_decref(stop);
    stop = ask("json step {\"count\": 2000, \"hart\": 0}");
    cr_assert_gt(number(stop, "position"), TIP);
    json_decref(stop);
}

Test(commands_query, rows_that_look)
{
    guest_seek(&guest, HERE);
    json_t *answer = ask("json when");
    cr_assert_eq(number(answer, "position"), HERE);
    cr_assert_eq(number(answer, "tip"), TIP);
    cr_assert_eq(number(answer, "begin"), 0);
    cr_assert(json_is_false(json_object_get(answer, "live")));
    cr_assert_str_eq(text_of(answer, "branch"), "main");
    json_decref(answer);
    answer = ask("json registers {\"hart\": 1}");
    json_t *registers = json_object_get(answer, "registers");
    cr_assert_eq(number(registers, "sp"), reg(1, "sp"));
    cr_assert_eq(number(registers, "mcause"), reg(1, "mcause"), "one beyond 2^63 too");
    json_decref(answer);
    answer = ask("json read-memory {\"address\": \"0x80000000\", \"length\": 12}");
    assert_memory(0x80000000, text_of(answer, "bytes"), "read");
    json_decref(answer);
    answer = ask("json disassemble {\"address\": \"0x80000000\", \"count\": 3}");
    cr_assert_eq(json_array_size(json_object_get(answer, "code")), 3);
    json_decref(answer);
    answer = ask("json checkpoints");
    cr_assert_geq(json_array_size(json_object_get(answer, "checkpoints")), 10);
    json_decref(answer);
    json_decref(ask("json bookmark {\"name\": \"x\", \"note\": \"a \\u00fc\", \"at\": 5}"));
    answer = ask("json bookmarks");
    json_t *mark = json_array_get(json_object_get(answer, "bookmarks"), 0);
    cr_assert_eq(number(mark, "position"), 5);
    cr_assert_str_eq(text_of(mark, "note"), "a \xc3\xbc");
    json_decref(answer);
    json_decref(ask("json bookmark-delete {\"name\": \"x\"}"));
    assert_refuses("json bookmark-delete {\"name\": \"x\"}", "no bookmark `x`");
}

Test(commands_query, rows_that_write)
{
    guest_seek(&guest, TIP);
    json_decref(ask("json write-memory {\"address\": \"0x80f00000\", \"bytes\": \"010aff\"}"));
    assert_memory(0x80f00000, "010aff", "written");
    json_decref(ask("json write-register {\"hart\": 1, \"name\": \"a5\", "
                    "\"value\": \"0xfedcba9876543210\"}"));
    cr_assert_eq(reg(1, "a5"), UINT64_C(0xfedcba9876543210));
    json_t *answer = ask("json last-write {\"address\": \"0x80f00001\", \"length\": 1, "
                         "\"physical\": true}");
    json_t *hit = json_object_get(answer, "hit");
    cr_assert_str_eq(text_of(hit, "writer"), "debugger");
    cr_assert_str_eq(text_of(hit, "after"), "010aff");
    json_decref(answer);
    assert_says("last-write -p 0x80f00001 1", "by debugger  wrote 3 bytes at 0x80f00000");
}

Test(commands_query, what_is_refused)
{
    assert_refuses("json nonsense", "there is no command `nonsense`");
    assert_refuses("json when {", "no JSON");
    assert_refuses("json when [1]", "to be an object");
    assert_refuses("json when {\"x\": 1}", "`when` has no argument `x`: it takes none");
    assert_refuses("json goto {}", "argument `to` is missing");
    assert_refuses("json goto {\"to\": -5}", "argument `to` is to be");
    assert_refuses("json goto {\"to\": 1e3}", "argument `to` is to be");
    assert_refuses("json goto {\"to\": \"x\"}", "is no position");
    assert_refuses("json goto {\"to\": 100000000}", "outside of history");
    assert_refuses("json step {\"hart\": 2}", "there is no hart 2");
    assert_refuses("json step {\"count\": 0}", "from 1 to 1000000");
    assert_refuses("json last-write {\"address\": true}", "`address` is to be a whole number");
    assert_refuses("json last-write {\"address\": 1, \"length\": 0}", "`length` is to be from 1");
    assert_refuses("json writes {\"address\": 1, \"most\": 1001}", "from 1 to 1000");
    assert_refuses("json read-memory {\"address\": 1, \"length\": 2000000}", "from 1 to 1048576");
    assert_refuses("json read-memory {\"address\": 1, \"length\": 4}", "cannot be read");
    assert_refuses("json write-memory {\"address\": 1, \"bytes\": \"0\"}", "in hexadecimal");
    assert_refuses("json write-register {\"name\": \"zz\", \"value\": 1}", "no register `zz`");
    assert_refuses("json timeline {\"columns\": 5}", "from 40 to 250");
    assert_refuses("json timeline {\"addresses\": 5}", "to be a list");
    assert_says("last-write", "usage: last-write [-p] ADDR [LEN]\n");
    assert_says("last-write 1 2 3", "usage: last-write");
    assert_says("last-read -p 1", "`-p` is no address");
    assert_says("last-write 0x80000000 0", "`0` is no number from 1 to");
    assert_says("last-write $nonsense", "there is no register `nonsense`");
    assert_says("writes 0x80000000 1 5000", "no number from 1 to 1000");
    cr_assert_eq(timeline_position(guest.timeline), TIP);
    cr_assert(timeline_live(guest.timeline));
}

/* A question that is interrupted, and one that nobody waits for any more. */
Test(commands_query, interrupted_and_abandoned)
{
    struct stop stop;
    buffer_clear(&output);
    interpreter.run(&context, "traps 1000", &output);
    timeline_interrupt(guest.timeline);
    timeline_finish(guest.timeline, &stop);
    cr_assert(interpreter.finish(&context, &stop, &output));
    cr_assert(strstr(buffer_text(&output), "interrupted: searched down to position 1,000,000\n"),
              "%s", buffer_text(&output));
    interpreter.run(&context, "json timeline", &output);
    timeline_finish(guest.timeline, &stop);
    assert_says("when", "position 1,000,000, live");
    assert_says("traps 1", "machine timer interrupt");
    cr_assert_null(context.pending);
}

/* Lines that are nearly right: each is answered in one line of JSON, whatever it says. */
Test(commands_query, damaged_lines)
{
    static const char *const lines[] = {
        "json last-write {\"address\": 2147483648, \"length\": 8, \"physical\": true}",
        "json writes {\"address\": \"0x80001088\", \"most\": 3, \"from\": \"10%\", \"to\": 500000}",
        "json calls {\"address\": \"ring_put+0x2\", \"hart\": 1}",
        "json traps {\"from\": \"-5000\", \"most\": 9}",
        "json diff {\"a\": \"start\", \"b\": \"main@1000\"}",
        "json timeline {\"columns\": 72, \"addresses\": [2147483648, \"0x10\"]}",
        "json read-memory {\"address\": \"0x80000000\", \"length\": 64, \"hart\": 0}",
        "json goto {\"to\": \"50%\"}",
    };
    static const char bytes[] = "{}[]\":,0123456789eExX-+.@% nulltrue\\u";
    uint64_t state = 1;
    for (unsigned i = 0; i < 1500; i++) {
        char line[160];
        json_error_t bad;
        size_t size = (size_t)snprintf(line, sizeof line, "%s", lines[i % 8]);
        for (unsigned n = 0; n < 1 + i % 4; n++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            line[5 + (state >> 33) % (size - 5)] = bytes[(state >> 20) % (sizeof bytes - 1)];
        }
        const char *text = say(line);
        json_t *answer = json_loads(text, 0, &bad);
        cr_assert(answer, "`%s` says: %s", line, text);
        cr_assert_eq(strchr(text, '\n'), text + strlen(text) - 1, "`%s` says: %s", line, text);
        json_decref(answer);
    }
}

/* Every row has a name, and none twice. */
Test(commands_query, names_of_rows)
{
    const char *name;
    size_t count = 0;
    for (; (name = interpreter.json_name(&context, count)); count++)
        for (size_t i = 0; i < count; i++)
            cr_assert_str_neq(name, interpreter.json_name(&context, i));
    cr_assert_geq(count, 20);
}
