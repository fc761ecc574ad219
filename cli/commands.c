#include "cli/commands.h"

#include "cli/commands_info.h"
#include "cli/nearest.h"
#include "cli/positions.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

struct command {
    const char *name;
    const char *shortest; /* word by word, what is enough though others begin with it as well */
    const char *argument; /* NULL: none; in brackets: may be left out */
    const char *help;     /* one line; more may follow */
    command_fn *run;
};

static command_fn run_goto, run_help;

static const struct command command[] = {
    {"when", "w", NULL, "where in time the machine stands", commands_when},
    {"goto", "g", "POSITION",
     "go to a position: N, start, end, +N, -N (from here), N%, a bookmark\n"
     "N may be written 1500000, 1,500,000 or 1.5e6. gdb keeps showing the registers it has\n"
     "already read: `maint flush register-cache` and then `frame` show the new place.",
     run_goto},
    {"disassemble", "d", "[ADDR N]", "N instructions from an address on; by default 10 from the pc",
     commands_disassemble},
    {"disk", "disk", "[export N OUT]",
     "the disks, or write disk N to a file\n"
     "`disk export N OUT` writes all of disk N as it is at this position, a raw image, to the\n"
     "file OUT. Images that disks were made from are never written.",
     commands_disk},
    {"export", "e", "core|memory FILE",
     "write the machine as it is here to a file\n"
     "`export core FILE [hart N|physical]` writes an ELF core with all harts' registers, for gdb:\n"
     "`gdb KERNEL FILE`. Addresses are those of hart N's page tables, by default of the hart "
     "whose\n"
     "turn it is, or physical. `export memory FILE` writes all of RAM. `disk export` writes disks.",
     commands_export},
    {"info checkpoints", "i c", NULL, "what is kept of history, and what that costs",
     commands_info_checkpoints},
    {"info machine", "i m", NULL, "the machine and its time", commands_info_machine},
    {"info harts", "i h", NULL, "where each hart is", commands_info_harts},
    {"info devices", "i devices", NULL, "names of the parts whose state can be shown",
     commands_info_devices},
    {"info device", "i d", "NAME", "the state of a part, field by field", commands_info_device},
    {"info disks", "i di", NULL, "the disks: image, size, what the guest has written",
     commands_info_disks},
    {"info networks", "i n", NULL, "packets in and out", commands_info_networks},
    {"save", "sa", "FILE",
     "write a recording of all history to FILE, for `backstep replay FILE`\n"
     "Everything that is in memory now, whatever is recorded with -o. The machine waits meanwhile.",
     commands_save},
    {"bookmark", "b", "[-d] NAME [NOTE]",
     "give this position a name, which goto takes; -d removes it\n"
     "A bookmark of that name that is elsewhere moves here. The note is the rest of the line.\n"
     "Bookmarks are part of a recording.",
     commands_bookmark},
    {"bookmarks", "bookmarks", NULL, "the bookmarks, in order", commands_bookmarks},
    {"info recording", "i r", NULL, "the file that is written, or that this was opened from",
     commands_info_recording},
    {"info events", "i e", NULL, "what has come from outside", commands_info_events},
    {"help", "h", "[COMMAND]", "this list, or a command in full", run_help},
};

enum { COMMANDS = sizeof command / sizeof *command };
enum { LINE_MOST = PATH_MAX + 64 };

/* ---- words ---- */

static const char *skip_blanks(const char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    return text;
}

static size_t word_size(const char *text)
{
    return strcspn(text, " \t\r\n");
}

/* Does each word of `words` begin the corresponding word of `name`? `*rest`: what follows the words
 * that `name` has. Fewer words than it has do not match, unless `partial`. */
static bool begins(const char *words, const char *name, bool partial, const char **rest)
{
    while (*name) {
        words = skip_blanks(words);
        size_t typed = word_size(words), full = word_size(name);
        if (!typed)
            return partial;
        if (typed > full || memcmp(words, name, typed) != 0)
            return false;
        words += typed;
        name = skip_blanks(name + full);
    }
    *rest = skip_blanks(words);
    return true;
}

static bool is_exact(const char *line, const char *name, const char *rest)
{
    size_t size = strlen(name);
    return !strncmp(line, name, size) && skip_blanks(line + size) == rest &&
           (!line[size] || isspace((unsigned char)line[size]));
}

/* Does `line` say at least what `shortest` asks for? */
static bool is_enough(const char *line, const char *shortest)
{
    while (*shortest) {
        size_t typed = word_size(line), least = word_size(shortest);
        if (typed < least || memcmp(line, shortest, least) != 0)
            return false;
        line = skip_blanks(line + typed);
        shortest = skip_blanks(shortest + least);
    }
    return true;
}

struct match {
    const struct command *found; /* NULL: none, or several */
    const char *rest;            /* its argument */
    unsigned candidates;
    const struct command *candidate[COMMANDS];
};

static struct match find(const char *line)
{
    struct match m = {0};
    unsigned enough = 0;
    const struct command *chosen = NULL;
    const char *chosen_rest = NULL;
    for (unsigned i = 0; i < COMMANDS; i++) {
        const char *rest = "";
        bool whole = begins(line, command[i].name, false, &rest);
        if (!whole && !begins(line, command[i].name, true, &rest))
            continue;
        m.candidate[m.candidates++] = &command[i];
        m.rest = rest;
        if (whole && is_exact(line, command[i].name, rest)) {
            m.found = &command[i];
            return m;
        }
        if (whole && is_enough(line, command[i].shortest)) {
            enough++;
            chosen = &command[i];
            chosen_rest = rest;
        }
        m.found = whole ? &command[i] : NULL;
    }
    if (enough == 1)
        m.rest = chosen_rest;
    m.found = enough == 1 ? chosen : m.candidates == 1 ? m.found : NULL;
    return m;
}

/* Name or names of what was typed that are like it; the first words are compared first. */
static const char *suggestion(const char *line)
{
    char text[32];
    snprintf(text, sizeof text, "%s", line);
    const char *found = nearest(text, &command[0].name, sizeof *command, COMMANDS);
    text[word_size(text)] = '\0';
    return found ? found : nearest(text, &command[0].name, sizeof *command, COMMANDS);
}

static void explain(const char *line, const struct match *m, struct buffer *out)
{
    if (!m->candidates) {
        const char *meant = suggestion(line);
        if (meant)
            buffer_printf(out, "unknown command `%.200s`: did you mean `%s`?\n", line, meant);
        else
            buffer_printf(out, "unknown command `%.200s`: `help` lists them\n", line);
        return;
    }
    buffer_printf(out, "`%.200s` may be:", line);
    for (unsigned i = 0; i < m->candidates; i++)
        buffer_printf(out, "%s %s", i ? "," : "", m->candidate[i]->name);
    buffer_append_byte(out, '\n');
}

/* The line without blanks at its ends, and cut to what a command can be. */
static void trim(const char *line, char *text, size_t size)
{
    snprintf(text, size, "%s", skip_blanks(line));
    size_t used = strlen(text);
    while (used && isspace((unsigned char)text[used - 1]))
        text[--used] = '\0';
}

void commands_run(void *ctx, const char *line, struct buffer *out)
{
    char text[LINE_MOST];
    trim(line, text, sizeof text);
    if (!*text)
        return;
    struct match m = find(text);
    if (!m.found) {
        explain(text, &m, out);
        return;
    }
    const char *argument = m.found->argument;
    if (!argument && *m.rest)
        buffer_printf(out, "`%s` takes no argument\n", m.found->name);
    else if (argument && *argument != '[' && !*m.rest)
        buffer_printf(out, "`%s` needs an argument: %s %s\n", m.found->name, m.found->name,
                      argument);
    else
        m.found->run(ctx, m.rest, out);
}

bool commands_move(void *ctx, const char *line)
{
    (void)ctx;
    char text[LINE_MOST];
    trim(line, text, sizeof text);
    struct match m = find(text);
    return m.found && m.found->run == run_goto;
}

/* ---- help ---- */

enum { HELP_COLUMN = 22 };

static void help_row(const struct command *c, struct buffer *out)
{
    size_t start = out->size;
    buffer_printf(out, "%s", c->name);
    if (c->argument)
        buffer_printf(out, " %s", c->argument);
    int gap = HELP_COLUMN - (int)(out->size - start);
    buffer_printf(out, "%*s%.*s\n", gap > 1 ? gap : 2, "", (int)strcspn(c->help, "\n"), c->help);
}

static void run_help(const struct command_context *c, const char *argument, struct buffer *out)
{
    (void)c;
    if (!*argument) {
        for (unsigned i = 0; i < COMMANDS; i++)
            help_row(&command[i], out);
        buffer_append_string(out, "Words may be cut short; `help COMMAND` says more.\n");
        return;
    }
    struct match m = find(argument);
    if (!m.found) {
        explain(argument, &m, out);
        return;
    }
    help_row(m.found, out);
    const char *more = strchr(m.found->help, '\n');
    if (more)
        buffer_printf(out, "%s\n", more + 1);
    if (strcmp(m.found->name, m.found->shortest) != 0)
        buffer_printf(out, "shortest: %s\n", m.found->shortest);
}

/* ---- goto ---- */

static void run_goto(const struct command_context *c, const char *argument, struct buffer *out)
{
    struct error err = ERROR_INIT;
    uint64_t position;
    if (position_find(c->timeline, argument, &position, &err))
        timeline_seek(c->timeline, position);
    else
        buffer_printf(out, "%s\n", err.message);
}
