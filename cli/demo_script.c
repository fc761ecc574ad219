#include "cli/demo_script.h"

#include "base/check.h"
#include "cli/embedded.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { STEP_COMMANDS = 6 };

struct step {
    const char *text;
    const char *command[STEP_COMMANDS]; /* up to a NULL */
};

static const struct step step[] = {
    {"First, back to the crash. The guest ends in panic(): a breakpoint there, and the\n"
     "machine runs backwards into it.",
     {"break panic", "reverse-continue"}},
    {"The processor trapped because it was sent to an address that is no code: mepc. The\n"
     "firmware calls through one pointer only, sensors.on_alarm, which has been set once,\n"
     "to fan_full_speed, and never again. What is in it now?",
     {"print/x frame->mepc", "print sensors.on_alarm", "print fan_full_speed"}},
    {"Something has overwritten it. When? That may have been long ago, anywhere. So watch\n"
     "the pointer, and run backwards until it changes: that is the store.",
     {"delete", "watch -l sensors.on_alarm", "reverse-continue"}},
    {"There it is, about fifty million instructions before anybody noticed. The machine\n"
     "stands right before the store. Who is it, and where does it store to?",
     {"list", "backtrace", "print head + i", "print sizeof(ring->slot) / sizeof(ring->slot[0])",
      "monitor when"}},
};

static const char conclusion[] =
    "A record of two words began in the last slot, 63. Its second word went to slot 64, which\n"
    "does not exist: sensors.on_alarm lies there. ring_put() wraps `head` once a record, and\n"
    "should do so once a word: ring->slot[(head + i) % RING_SLOTS].";

static const char suggestions[] =
    "gdb is yours now; the machine goes both ways. You might try:\n"
    "  reverse-finish     who called ring_put()?  Then reverse-step, as far as you like.\n"
    "  monitor goto 50%   another moment; then `maint flush register-cache` and `frame`.\n"
    "  monitor help       what else there is.  `quit` ends the demo.";

/* ---- gdb's script ---- */

/* What gdb's echo takes literally. */
static void echo_line(const char *line, size_t size, struct buffer *out)
{
    buffer_append_string(out, "echo ");
    for (size_t i = 0; i < size; i++) {
        if (strchr("\\\"' ", line[i]))
            buffer_append_byte(out, '\\');
        buffer_append_byte(out, (uint8_t)line[i]);
    }
    buffer_append_string(out, "\\n\n");
}

static void echo(const char *text, struct buffer *out)
{
    for (;;) {
        size_t size = strcspn(text, "\n");
        echo_line(text, size, out);
        if (!text[size])
            return;
        text += size + 1;
    }
}

static void run_command(const char *text, struct buffer *out)
{
    char prompt[128];
    snprintf(prompt, sizeof prompt, "(gdb) %s", text);
    echo(prompt, out);
    buffer_printf(out, "%s\n", text);
}

static void run_step(const struct demo_files *files, const struct step *s, bool interactive,
                     struct buffer *out)
{
    char pause[DEMO_PATH];
    demo_files_path(files, "pause", pause);
    echo("", out);
    echo(s->text, out);
    if (interactive)
        buffer_printf(out, "shell sh %s\n", pause);
    else
        echo("", out);
    for (unsigned i = 0; i < STEP_COMMANDS && s->command[i]; i++)
        run_command(s->command[i], out);
}

void demo_script(const struct demo_files *files, bool interactive, struct buffer *out)
{
    char socket[DEMO_PATH], found[DEMO_PATH];
    demo_files_path(files, "gdb.socket", socket);
    demo_files_path(files, "found", found);
    buffer_printf(out,
                  "set confirm off\nset pagination off\nset width 0\nset height 0\n"
                  "set osabi none\nset print address on\ndirectory %s\n"
                  "target remote %s\n",
                  files->folder, socket);
    for (size_t i = 0; i < sizeof step / sizeof *step; i++)
        run_step(files, &step[i], interactive, out);
    buffer_printf(out, "pipe frame | cat >%s\n", found);
    echo("", out);
    echo(conclusion, out);
    if (interactive) {
        echo("", out);
        echo(suggestions, out);
        echo("", out);
    } else {
        buffer_append_string(out, "disconnect\n");
    }
}

/* ---- the answer ---- */

static const char source_name[] = "guests/demo/ring.c";
static const char culprit[] = "ring->slot[head + i] =";

unsigned demo_script_line(void)
{
    for (size_t i = 0; i < embedded_count; i++) {
        if (strcmp(embedded_files[i].name, source_name) != 0)
            continue;
        const char *text = (const char *)embedded_files[i].data, *at = strstr(text, culprit);
        check(at, "%s has no line `%s`", source_name, culprit);
        unsigned line = 1;
        for (; text < at; text++)
            line += *text == '\n';
        return line;
    }
    check(false, "%s is not embedded", source_name);
    return 0;
}

bool demo_script_found(const char *frame)
{
    char place[64];
    int size = snprintf(place, sizeof place, "%s:%u", source_name, demo_script_line());
    const char *at = strstr(frame, place);
    return at && !isdigit((unsigned char)at[size]);
}
