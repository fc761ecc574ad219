/* The prompt for commands in the guest's console, driven through pipes that are stdin and stdout.
 */
#include "base/log.h"
#include "tests/unit/server/bench.h"

#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define TO_PROMPT                                                                                  \
    "\x01"                                                                                         \
    "c"
#define QUIT                                                                                       \
    "\x01"                                                                                         \
    "x"
#define PROMPT "(backstep) "

static struct bench bench;
static int keyboard, screen, saved_stdout;
static struct buffer seen;

static void drop_log(void *ctx, enum log_level level, const char *line)
{
    (void)ctx;
    (void)level;
    (void)line;
}

static void begin(const struct bench_options *options)
{
    int in[2], out[2];
    log_set_sink(drop_log, NULL);
    fflush(stdout);
    cr_assert(!pipe(in) && !pipe(out));
    saved_stdout = dup(STDOUT_FILENO);
    cr_assert(dup2(in[0], STDIN_FILENO) >= 0 && dup2(out[1], STDOUT_FILENO) >= 0);
    close(in[0]);
    close(out[1]);
    keyboard = in[1];
    screen = out[0];
    fcntl(screen, F_SETFL, O_NONBLOCK);
    bench_init(&bench, options);
}

static void finish(void)
{
    bench_fini(&bench);
    buffer_fini(&seen);
    dup2(saved_stdout, STDOUT_FILENO);
    close(keyboard);
    close(screen);
}

static void begin_echo(void)
{
    begin(&(struct bench_options){.guest = GUEST_ECHO, .no_gdb = true, .serial = "mon:stdio"});
}

static void type(const char *keys)
{
    cr_assert_eq(write(keyboard, keys, strlen(keys)), (ssize_t)strlen(keys));
}

static void look(void)
{
    uint8_t bytes[4096];
    bench_turn(&bench);
    ssize_t count = read(screen, bytes, sizeof bytes);
    if (count > 0)
        buffer_append(&seen, bytes, (size_t)count);
}

/* Turn until the screen shows all of `text`, and nothing else. */
static void expect(const char *text)
{
    for (time_t since = time(NULL); seen.size < strlen(text);) {
        look();
        cr_assert(time(NULL) - since < 60, "`%s`, not `%s`", buffer_text(&seen), text);
    }
    for (int i = 0; i < 30; i++)
        look();
    cr_expect_str_eq(buffer_text(&seen), text);
    buffer_clear(&seen);
}

static void ask(const char *keys, const char *text)
{
    type(keys);
    expect(text);
}

static void turn(int times)
{
    while (times--)
        bench_turn(&bench);
}

static bool runs(void)
{
    uint64_t position = bench_position(&bench);
    turn(20);
    return bench_position(&bench) > position;
}

/* ---- the guest runs freely ---- */

Test(console, a_command_does_not_keep_the_guest)
{
    begin_echo();
    ask("a", "a");
    ask(TO_PROMPT, "\r\n" PROMPT);
    ask("when", "when");
    cr_expect(runs(), "while one types");
    ask("\r", "\r\nwhen!\r\n" PROMPT);
    cr_expect(runs(), "after the command");
    ask(TO_PROMPT, "\r\n");
    ask("b\r", "b\r");
    finish();
}

Test(console, lines_are_edited)
{
    begin_echo();
    ask(TO_PROMPT, "\r\n" PROMPT);
    ask("abd\x7f"
        "c\n",
        "abd\b \bc\r\nabc!\r\n" PROMPT);
    ask("xy\x15z\b\b\bq\n", "xy\b \b\b \bz\b \bq\r\nq!\r\n" PROMPT);
    ask("no\x03", "no^C\r\n" PROMPT);
    ask("\x1b[A\x1b[1;5C\x1bOBo\tk\n", "ok\r\nok!\r\n" PROMPT);
    ask("\n  \n", "\r\n" PROMPT "  \r\n" PROMPT);
    ask("\xc3\xa4\x7f"
        "e\n",
        "\xc3\xa4\b \be\r\ne!\r\n" PROMPT);
    finish();
}

Test(console, a_line_has_an_end)
{
    static char line[600];
    begin_echo();
    ask(TO_PROMPT, "\r\n" PROMPT);
    memset(line, 'a', sizeof line - 1);
    type(line);
    while (seen.size < sizeof line - 1)
        look();
    cr_expect_eq(seen.data[399], 'a');
    cr_expect_eq(seen.data[400], '\a');
    finish();
}

Test(console, keys_behind_the_prefix)
{
    begin_echo();
    ask("\x01"
        "a\x01\x01",
        "\x01\x01");
    static const char help[] = "\r\nC-a h  this help\r\nC-a x  quit\r\nC-a a  send C-a\r\n"
                               "C-a c  to the prompt for commands, and back\r\n";
    char again[300];
    ask("\x01h", help);
    snprintf(again, sizeof again, "\r\n" PROMPT "ab%s" PROMPT "ab", help);
    ask(TO_PROMPT "ab\x01h", again);
    type(QUIT);
    cr_expect_eq(bench_end(&bench), 0);
    finish();
}

/* Who writes into a pipe has written it all before the first command is over. */
Test(console, a_script_is_followed_in_order)
{
    begin_echo();
    ask("ab", "ab");
    type(TO_PROMPT "one\ngoto 7\ntwo\ngoto 0x9\n" QUIT "three\n");
    cr_expect_eq(bench_end(&bench), 0);
    cr_expect_eq(bench_position(&bench), 9);
    for (int i = 0; i < 3; i++)
        look();
    const char *text = buffer_text(&seen);
    const char *one = strstr(text, "one!"), *seven = strstr(text, "position 7\r\n"),
               *two = strstr(text, "two!"), *nine = strstr(text, "position 9\r\n");
    cr_expect(one && seven > one && two > seven && nine > two && !strstr(text, "three"), "%s",
              text);
    finish();
}

/* ---- in the past ---- */

#define STANDS "(in the past the guest stands still; `goto end` lets it run on)\r\n"

Test(console, the_guest_stands_still_in_the_past)
{
    begin_echo();
    ask("a", "a");
    ask(TO_PROMPT, "\r\n" PROMPT);
    ask("goto 5\n", "goto 5\r\nposition 5\r\n" STANDS PROMPT);
    cr_expect(!runs());
    cr_expect_eq(bench_position(&bench), 5);
    ask("when\n", "when\r\nwhen!\r\n" PROMPT);
    cr_expect_eq(bench_position(&bench), 5);
    ask(TO_PROMPT, "\r\n");
    type("b");
    cr_expect(!runs(), "what is typed there waits");
    type(TO_PROMPT "goto 0xffffffffffffffff\n" TO_PROMPT);
    for (time_t since = time(NULL); !timeline_live(bench.timeline); look())
        cr_assert(time(NULL) - since < 60);
    cr_expect(runs(), "at the end it goes on");
    while (!seen.size || seen.data[seen.size - 1] != 'b')
        look();
    finish();
}

Test(console, a_movement_is_interrupted)
{
    begin_echo();
    ask("a", "a");
    ask(TO_PROMPT, "\r\n" PROMPT);
    turn(50);
    ask("goto 5\n", "goto 5\r\nposition 5\r\n" STANDS PROMPT);
    ask("goto 0xffffffffffffffff\nnever\n\x03"
        "on\n",
        "goto 0xffffffffffffffff\r\ninterrupted, position 5\r\n" STANDS PROMPT
        "on\r\non!\r\n" PROMPT);
    finish();
}

/* ---- with a debugger ---- */

Test(console, a_debugger_that_runs_comes_first)
{
    struct client gdb;
    begin(&(struct bench_options){
        .guest = GUEST_COUNT, .serial = "mon:stdio", .server.paused = true});
    ask(TO_PROMPT, "\r\n" PROMPT);
    ask("when\n", "when\r\nwhen!\r\n" PROMPT);
    cr_expect_eq(bench_position(&bench), 0, "-S: nobody has said that it may run");
    client_greet(&gdb, &bench);
    for (int i = 0; i < 3; i++)
        client_ask(&gdb, "vCont;s");
    ask("when\n", "when\r\nwhen!\r\n" PROMPT);
    cr_expect_eq(bench_position(&bench), 3);
    ask("goto 1\n", "goto 1\r\nposition 1\r\n" STANDS PROMPT);
    cr_expect_eq(stop_value(client_ask(&gdb, "?"), "icount"), 1, "gdb is told where it is");
    ask("goto 3\n", "goto 3\r\nposition 3\r\n" PROMPT);
    client_request(&gdb, "c");
    ask("when\n", "when\r\nbusy: gdb is running\r\n" PROMPT);
    cr_expect(runs());
    client_send_text(&gdb, "\x03");
    cr_expect(!strncmp(client_reply(&gdb), "T02", 3));
    client_expect(&gdb, "D", "OK");
    client_close(&gdb);
    cr_expect(runs());
    ask("goto 1\n", "goto 1\r\nposition 1\r\n" STANDS PROMPT);
    finish();
}

/* ---- what has no prompt ---- */

Test(console, plain_stdio_on_a_pipe_is_transparent)
{
    begin(&(struct bench_options){.guest = GUEST_ECHO, .no_gdb = true, .serial = "stdio"});
    ask("a" TO_PROMPT QUIT, "a" TO_PROMPT QUIT);
    finish();
}
