#include "cli/commands.h"

#include "tests/unit/cli/guest.h"

enum { TIP = 1000000 };

static struct guest guest;

static void setup(void)
{
    guest_init_demo(&guest, 2);
    cr_assert_eq(guest_run_to(&guest, TIP).reason, STOP_DONE);
}

static void teardown(void)
{
    guest_fini(&guest);
}

TestSuite(commands, .init = setup, .fini = teardown);

static struct buffer output;

/* What the command says, once what it began has ended. */
static const char *say(const char *line)
{
    struct stop stop;
    struct command_context context = {.timeline = guest.timeline};
    buffer_clear(&output);
    commands_run(&context, line, &output);
    if (timeline_moving(guest.timeline))
        timeline_finish(guest.timeline, &stop);
    return buffer_text(&output);
}

#define assert_says(line, part)                                                                    \
    cr_assert(strstr(say(line), part), "`%s` says: %s", line, buffer_text(&output))

static uint64_t after(const char *line)
{
    cr_assert_str_empty(say(line), "`%s` says: %s", line, buffer_text(&output));
    return timeline_position(guest.timeline);
}

Test(commands, when)
{
    char pc[64];
    const struct cpu *cpu = timeline_machine(guest.timeline)->cpu[0];
    snprintf(pc, sizeof pc, "hart 0: pc %#lx, machine mode", cpu->ops->pc(cpu));
    assert_says("when", "position 1,000,000, live\n");
    assert_says("when", pc);
    assert_says("when", "0.008000000 s of guest time");
    guest_seek(&guest, TIP / 4);
    assert_says("when", "position 250,000 of 1,000,000 (25.0%), in the past\n");
}

Test(commands, goto_positions)
{
    cr_assert_eq(after("goto 500000"), 500000);
    cr_assert_eq(after("goto 1"), 1);
    cr_assert_eq(after("goto 1.5e5"), 150000);
    cr_assert_eq(after("goto 250,000"), 250000);
    cr_assert_eq(after("goto 0x10"), 16);
    cr_assert_eq(after("goto start"), 0);
    cr_assert_eq(after("goto end"), TIP);
    cr_assert(timeline_live(guest.timeline));
    cr_assert_eq(after("goto -1"), TIP - 1);
    cr_assert_eq(after("goto +1"), TIP);
    cr_assert_eq(after("goto -2.5e5"), TIP - 250000);
    cr_assert_eq(after("goto 50%"), TIP / 2);
    cr_assert_eq(after("goto 12.5%"), TIP / 8);
    cr_assert_eq(after("goto 0%"), 0);
    cr_assert_eq(after("goto 100%"), TIP);
    cr_assert_eq(after("  g   7  "), 7);
    cr_assert_eq(after("got 8"), 8);
}

Test(commands, bookmarks)
{
    assert_says("bookmarks", "there are no bookmarks");
    guest_seek(&guest, 5000);
    cr_assert_str_eq(say("bookmark early  the first words"), "bookmark early at 5,000\n");
    guest_seek(&guest, 9000);
    cr_assert_str_eq(say("bookmark late"), "bookmark late at 9,000\n");
    cr_assert_str_eq(say("bookmarks"), "               5,000  early: the first words\n"
                                       "               9,000  late\n");
    cr_assert_str_eq(say("bookmark"), say("bookmarks"));
    cr_assert_eq(after("goto early"), 5000);
    assert_says("when", "bookmark early: the first words\n");
    cr_assert_eq(after("g late"), 9000);
    guest_seek(&guest, 6000);
    cr_assert_str_eq(say("b early"), "bookmark early at 6,000\n");
    assert_says("bookmarks", "               6,000  early\n");
    cr_assert_str_empty(say("bookmark -d early"));
    assert_says("bookmark -d early", "there is no bookmark `early`");
    assert_says("bookmark -d", "needs a name");
    assert_says("goto early", "is no position");
    static const char *const bad[] = {
        "5",
        "-x",
        "start",
        "end",
        "begin",
        "tip",
        "a/b",
        ("a12345678901234567890123456789012345678901234567890123456789"
         "0123456789")};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char line[128];
        snprintf(line, sizeof line, "bookmark %s", bad[i]);
        assert_says(line, "is no name for a bookmark");
    }
}

Test(commands, recordings)
{
    assert_says("info recording", "nothing is written to a file");
    assert_says("save /tmp/x.bsr", "no recording can be written");
    assert_says("save", "needs an argument: save FILE");
    cr_assert_null(strstr(say("when"), "record"));
}

Test(commands, goto_refuses)
{
    static const char *const outside[] = {"goto 1000001", "goto +1", "goto -1000001", "goto 1e19",
                                          "goto +18446744073709551615"};
    for (size_t i = 0; i < sizeof outside / sizeof *outside; i++)
        assert_says(outside[i], "history, which goes from 0 to 1,000,000\n");
    static const char *const bad[] = {"goto nowhere", "goto 101%", "goto %",  "goto 1e1%",
                                      "goto -",       "goto 1.5",  "goto 5 6"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_says(bad[i], "is no position: N, start, end, +N, -N, N% or a bookmark\n");
    assert_says("goto", "needs an argument: goto POSITION");
    cr_assert_eq(timeline_position(guest.timeline), TIP, "and nothing has moved");
}

Test(commands, info)
{
    assert_says("info machine", "virt, riscv:rv64, 2 harts, 16.0 MiB of RAM at 0x80000000\n");
    assert_says("info machine", "a step takes 8 ns");
    assert_says("info harts", "hart 0: pc 0x");
    assert_says("info harts", "hart 1: pc 0x");
    assert_says("info events", "0 events from outside");
    assert_says("info checkpoints", "checkpoints, ");
    assert_says("info checkpoints", "of 1.0 GiB in use");
    /* The one at power-on and those every 100,000 steps. */
    assert_says("info checkpoints", "\n                   0 ");
    assert_says("info checkpoints", "\n             300,000 ");
    assert_says("info checkpoints", "\n             900,000 ");
}

Test(commands, a_long_list_of_checkpoints_is_folded)
{
    guest_run_to(&guest, 4 * TIP);
    const char *text = say("info checkpoints");
    unsigned lines = 0;
    for (const char *p = text; *p; p++)
        lines += *p == '\n';
    cr_assert_eq(lines, 3 + 24 + 1, "%s", text);
    cr_assert(strstr(text, "... "), "%s", text);
    cr_assert(strstr(text, "\n           3,900,000 "), "%s", text);
}

Test(commands, devices)
{
    assert_says("info devices", "hart0\nhart1\n");
    assert_says("info devices", "plic\n");
    assert_says("info device hart0", "hart0.pc: 0x");
    assert_says("info device clock", "clock.icount: 0xf4240\n");
    assert_says("info device machine", "machine.resets: 0\n");
    assert_says("info device plic", "plic.enable");
    assert_says("info device uart", "uart16550.ier: ");
    assert_says("info device hart", "`hart` may be: hart0, hart1\n");
    assert_says("info device plik", "did you mean `plic`?");
    assert_says("info device zzzzzzz", "`info devices` lists them");
    assert_says("info device", "needs an argument: info device NAME");
}

Test(commands, short_spellings)
{
    assert_says("w", "position 1,000,000, live");
    assert_says("i m", "virt, riscv:rv64");
    assert_says("inf mach", "virt, riscv:rv64");
    assert_says("i d clock", "clock.icount");
    assert_says("i c", "checkpoints, ");
    assert_says("h goto", "goto POSITION");
}

Test(commands, what_is_not_known)
{
    assert_says("whne", "unknown command `whne`: did you mean `when`?\n");
    assert_says("gotto 5", "did you mean `goto`?\n");
    assert_says("info machin3", "did you mean `info machine`?\n");
    assert_says("xyzzy plugh", "`help` lists them\n");
    assert_says("info", "`info` may be: info checkpoints, info machine, info harts");
    assert_says("when 5", "`when` takes no argument\n");
    assert_says("info machine x", "takes no argument\n");
    cr_assert_str_empty(say(""));
    cr_assert_str_empty(say("   "));
    char longest[2000];
    memset(longest, 'w', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_says(longest, "unknown command");
}

Test(commands, help)
{
    static const char *const names[] = {"when",         "goto",        "info checkpoints",
                                        "info machine", "info harts",  "info devices",
                                        "info device",  "info events", "help [COMMAND]"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_says("help", names[i]);
    assert_says("help goto", "flush register-cache");
    assert_says("help goto", "shortest: g\n");
    assert_says("help info c", "info checkpoints");
    assert_says("help goot", "did you mean `goto`?");
    for (const char *line = say("help"); *line; line += strcspn(line, "\n") + 1)
        cr_assert_leq(strcspn(line, "\n"), 100);
}

Test(commands, a_machine_that_is_off)
{
    struct stop stop = guest_run_to(&guest, POSITION_NONE);
    cr_assert_eq(stop.reason, STOP_HALT);
    assert_says("when", "live\n");
    assert_says("when", "the guest has ended the run with code 1\n");
    assert_says("info machine", "the guest has ended the run with code 1\n");
    after("goto -1");
    cr_assert_null(strstr(say("when"), "ended"));
}
