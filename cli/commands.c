#include "cli/commands.h"

#include "cli/commands_info.h"
#include "cli/commands_json.h"
#include "cli/nearest.h"
#include "cli/positions.h"
#include "cli/symbols.h"
#include "server/stop_text.h"
#include "timeline/branches.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

struct command {
    const char *name;
    const char *shortest; /* word by word, what is enough though others begin with it as well */
    const char *argument; /* NULL: none; in brackets: may be left out */
    const char *help;     /* one line; more may follow */
    command_fn *run;
};

static command_fn run_goto, run_help, run_physical;

static const struct command command[] = {
    {"when", "w", NULL, "where in time the machine stands", commands_when},
    {"goto", "g", "POSITION",
     "go to a position: N, start, end, +N, -N (from here), N%, a bookmark\n"
     "N may be written 1500000, 1,500,000 or 1.5e6. gdb keeps showing the registers it has\n"
     "already read: `maint flush register-cache` and then `frame` show the new place.",
     run_goto},
    {"disassemble", "d", "[ADDR N]", "N instructions from an address on; by default 10 from the pc",
     commands_disassemble},
    {"physical", "ph", "[on|off]",
     "gdb reads and writes memory by physical addresses\n"
     "Only of the connection that says so, as QEMU's packet Qqemu.PhyMemMode does; breakpoints "
     "and\n"
     "watchpoints stay as they are. Only in gdb: `monitor physical on`.",
     run_physical},
    {"translate", "tran", "ADDR", "the physical address that page tables lead to, for `watch -p`",
     commands_translate},
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
    {"branch", "br", "[-d] [NAME]",
     "another future: keep the diversion we are in, or begin one here; -d removes it\n"
     "Writing registers or memory in the past begins a diversion: history stays as it was. "
     "Without\n"
     "a name this lists branches. A branch lives on, reverses into the history it came from, and\n"
     "is part of a recording.",
     commands_branch},
    {"break", "bre", "[-p SPACE] ADDR",
     "stop before the instruction at ADDR, besides gdb's breakpoints\n"
     "-p: only in the address space SPACE, a value of satp, or `here`: that of the hart whose "
     "turn\n"
     "it is. `info points` lists what is set, `delete N` removes it.",
     commands_break},
    {"watch", "wa", "[-p] [-r|-a] [-c] ADDR [LEN] [if OP N]",
     "stop at writes to LEN bytes at ADDR, 8 by default\n"
     "-r: at reads; -a: at both; -c: only at writes that change the bytes. -p: ADDR is physical:\n"
     "stop at whoever writes it, through whatever address, and name the writer: a hart, a page\n"
     "table walk, a device, a debugger, a reset. `if == N`: only if the value then is N; != < <= > "
     ">=\n"
     "compare without sign, & asks for any of the bits; up to 8 bytes.",
     commands_watch},
    {"delete", "del", "N|all", "remove what `break` or `watch` has set", commands_delete},
    {"info points", "i p", NULL, "breakpoints and watched ranges, and whose they are",
     commands_info_points},
    {"branches", "branches", NULL, "the branches: where each comes from and ends",
     commands_branches},
    {"switch", "sw", "NAME", "go over to a branch, or to main, where it was left last",
     commands_switch},
    {"bookmarks", "bookmarks", NULL, "the bookmarks, in order", commands_bookmarks},
    {"info recording", "i r", NULL, "the file that is written, or that this was opened from",
     commands_info_recording},
    {"info events", "i e", NULL, "what has come from outside", commands_info_events},
    {"last-write", "last-w", "[-p] ADDR [LEN]",
     "who wrote LEN bytes at ADDR last: where, from what to what\n"
     "LEN is 8 by default. -p: ADDR is physical, and devices, page table walks and debuggers are\n"
     "writers too. The machine stays where it is; `goto POSITION` goes there.",
     commands_last_write},
    {"last-read", "last-r", "ADDR [LEN]", "who read any of LEN bytes at ADDR last",
     commands_last_read},
    {"writes", "wri", "[-p] ADDR LEN [N]",
     "the last N writes to LEN bytes at ADDR, the newest first; 20 by default", commands_writes},
    {"calls", "ca", "ADDR [N]",
     "the last N times that the code at ADDR ran, with its arguments; 20 by default",
     commands_calls},
    {"traps", "tr", "[N]", "the last N traps and interrupts taken; 20 by default", commands_traps},
    {"diff", "dif", "A B",
     "what differs between two positions: registers, memory, devices\n"
     "Each as `goto` takes it, or BRANCH@POSITION of another branch. Addresses of memory are\n"
     "physical.",
     commands_diff},
    {"console-at", "con", "POSITION [LINES]",
     "the last lines that the serial port had printed there; 24 by default", commands_console_at},
    {"timeline", "ti", "[COLUMNS]",
     "a picture of history: where we stand, checkpoints, hits, traps, console lines",
     commands_timeline},
    {"json", "js", "NAME [{ARGUMENTS}]",
     "a command for programs: the answer is one line of JSON\n"
     "Names are those that the control socket has behind x-backstep-.",
     commands_json},
    {"reverse-line", "rev", "MODE LOW HIGH [LOW HIGH]...",
     "back to where the run of a source line began\n"
     "LOW HIGH: pcs of the function, then of the line, HIGH excluded. MODE start: to its first\n"
     "instruction; leave: one step further; over: to the instruction of the function before it,\n"
     "passing calls; finish: to the call of the function. For scripts, which know the lines.",
     commands_reverse_line},
    {"step-over-interrupts", "ste", "[on|off]",
     "do steps, either way, pass over the handlers of interrupts?\n"
     "Those that come back to where they were entered from. Breakpoints inside stop all the same.",
     commands_step_over_interrupts},
    {"help", "h", "[COMMAND]", "this list, or a command in full", run_help},
};

enum { COMMANDS = sizeof command / sizeof *command };

/* Those that may begin a movement; of `json` its rows say so. */
static command_fn *const moving[] = {
    run_goto,       commands_switch, commands_last_write, commands_last_read, commands_writes,
    commands_calls, commands_traps,  commands_diff,       commands_timeline,  commands_reverse_line,
};
/* gdb's `monitor` has no more than half a packet; arguments in JSON may be as long. */
enum { LINE_MOST = 1 << 16 };

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

/* The line without blanks at its ends. False: it is longer than a command can be. */
static bool trim(const char *line, char text[LINE_MOST])
{
    line = skip_blanks(line);
    size_t used = strlen(line);
    while (used && isspace((unsigned char)line[used - 1]))
        used--;
    if (used >= LINE_MOST)
        return false;
    memcpy(text, line, used);
    text[used] = '\0';
    return true;
}

void commands_run(void *ctx, const char *line, struct buffer *out)
{
    struct command_context *c = ctx;
    char text[LINE_MOST];
    if (!trim(line, text)) {
        buffer_printf(out, "a line of over %d bytes is no command\n", LINE_MOST - 1);
        return;
    }
    if (!*text)
        return;
    if (!timeline_moving(c->timeline))
        commands_forget(c);
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

void commands_forget(struct command_context *c)
{
    if (c->pending_free)
        c->pending_free(c->pending);
    c->pending = NULL;
    c->pending_free = NULL;
    c->finish = NULL;
    c->json_finish = NULL;
}

void commands_close(struct command_context *c)
{
    commands_forget(c);
    symbols_free(c->symbols);
    c->symbols = NULL;
}

/* The operation of a command is over. */
static bool finish(void *ctx, const struct stop *stop, struct buffer *out)
{
    struct command_context *c = ctx;
    bool over = true;
    if (c->finish)
        over = c->finish(c, stop, out);
    else
        stop_append_text(stop, out);
    if (over)
        commands_forget(c);
    return over;
}

static bool find_position(void *ctx, const char *text, uint64_t *position, struct error *err)
{
    struct command_context *c = ctx;
    return position_find(c->timeline, text, position, err);
}

struct interpreter commands_interpreter(struct command_context *c)
{
    return (struct interpreter){.run = commands_run,
                                .ctx = c,
                                .moves = commands_move,
                                .finish = finish,
                                .position = find_position,
                                .json = commands_json_call,
                                .json_finish = commands_json_finish,
                                .json_name = commands_json_name};
}

bool commands_move(void *ctx, const char *line)
{
    (void)ctx;
    char text[LINE_MOST];
    if (!trim(line, text))
        return false;
    struct match m = find(text);
    for (size_t i = 0; m.found && i < sizeof moving / sizeof *moving; i++)
        if (moving[i] == m.found->run)
            return true;
    return m.found && m.found->run == commands_json && commands_json_moves(m.rest);
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

static void run_help(struct command_context *c, const char *argument, struct buffer *out)
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

/* A gdb session answers it before it comes here. */
static void run_physical(struct command_context *c, const char *argument, struct buffer *out)
{
    (void)c;
    (void)argument;
    buffer_append_string(out, "error: in gdb `monitor physical on` or `monitor physical off`; "
                              "there is nothing to switch elsewhere\n");
}

/* ---- goto ---- */

static void run_goto(struct command_context *c, const char *argument, struct buffer *out)
{
    struct error err = ERROR_INIT;
    uint64_t position;
    timeline_end_call(c->timeline);
    if (position_find(c->timeline, argument, &position, &err))
        timeline_seek(c->timeline, position);
    else
        buffer_printf(out, "%s\n", err.message);
}
