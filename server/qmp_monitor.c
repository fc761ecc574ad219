/* human-monitor-command: the lines of QEMU's monitor that its tools use, and our own commands for
 * everything else. */
#include "base/plain_text.h"
#include "server/qmp_handlers.h"
#include "timeline/bookmarks.h"
#include "timeline/recording.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum argument { ARGUMENT_NONE, ARGUMENT_STRING, ARGUMENT_MAYBE, ARGUMENT_INTEGER };

/* Appends what it has to say to call->text; QMP_MOVED with call->finish set when it has begun a
 * movement. `argument` is not NULL, but may be empty. */
typedef enum qmp_outcome line_fn(struct qmp_call *call, const char *argument);

struct line {
    const char *name, *alias; /* alias NULL: none */
    enum argument argument;
    line_fn *run;
    bool rests; /* needs the machine at rest */
    const char *help;
};

static void say_error(struct qmp_call *call, const char *prefix)
{
    buffer_printf(&call->text, "%s%s\n", prefix, call->err.message);
    call->err = (struct error)ERROR_INIT;
}

/* ---- the answer ---- */

static enum qmp_outcome answer(struct qmp_call *call)
{
    struct buffer text = {0};
    plain_text_clean(call->text.data, call->text.size, true);
    for (size_t i = 0; i < call->text.size; i++) {
        if (call->text.data[i] == '\n')
            buffer_append_byte(&text, '\r');
        buffer_append_byte(&text, call->text.data[i]);
    }
    call->result = json_stringn(text.size ? (const char *)text.data : "", text.size);
    buffer_fini(&text);
    return QMP_DONE;
}

static enum qmp_outcome answer_stopped(struct qmp_call *call, const struct stop *stop)
{
    (void)stop;
    return answer(call);
}

/* ---- QEMU's ---- */

static enum qmp_outcome info_status(struct qmp_call *call, const char *argument)
{
    const char *status = control_status(call->control);
    (void)argument;
    if (call->control->running)
        buffer_append_string(&call->text, "VM status: running\n");
    else if (!strcmp(status, "paused"))
        buffer_append_string(&call->text, "VM status: paused\n");
    else
        buffer_printf(&call->text, "VM status: paused (%s)\n", status);
    return QMP_DONE;
}

static enum qmp_outcome info_replay(struct qmp_call *call, const char *argument)
{
    const struct control *c = call->control;
    const char *file =
        c->options.replayed ? c->options.replayed : timeline_record_path(c->timeline);
    (void)argument;
    buffer_printf(&call->text, "%s execution '%s': instruction count = %" PRIu64 "\n",
                  c->options.replayed ? "Replaying" : "Recording", file ? file : "memory",
                  timeline_position(c->timeline));
    return QMP_DONE;
}

static enum qmp_outcome info_name(struct qmp_call *call, const char *argument)
{
    (void)argument;
    if (call->control->options.name)
        buffer_printf(&call->text, "%s\n", call->control->options.name);
    return QMP_DONE;
}

static enum qmp_outcome info_version(struct qmp_call *call, const char *argument)
{
    (void)argument;
    buffer_append_string(&call->text, "7.2.0 (backstep " BACKSTEP_VERSION ")\n");
    return QMP_DONE;
}

/* QEMU's columns, without the dates, sizes and clocks that a bookmark does not have. */
static enum qmp_outcome info_snapshots(struct qmp_call *call, const char *argument)
{
    const struct timeline *tl = call->control->timeline;
    const struct bookmark *mark;
    (void)argument;
    if (!timeline_bookmark_get(tl, 0)) {
        buffer_append_string(&call->text, "There is no snapshot available.\n");
        return QMP_DONE;
    }
    buffer_append_string(&call->text, "List of snapshots present on all disks:\n");
    buffer_printf(&call->text, "%-10s%-17s %20s\n", "ID", "TAG", "ICOUNT");
    for (size_t i = 0; (mark = timeline_bookmark_get(tl, i)); i++)
        buffer_printf(&call->text, "%-10s%-17s %20" PRIu64 "\n", "--", mark->name, mark->position);
    return QMP_DONE;
}

static enum qmp_outcome say_failure(struct qmp_call *call, enum qmp_outcome outcome)
{
    if (outcome != QMP_FAILED)
        return outcome;
    say_error(call, "Error: ");
    return QMP_DONE;
}

static enum qmp_outcome run_stop(struct qmp_call *call, const char *argument)
{
    (void)argument;
    return qmp_stop(call);
}

static enum qmp_outcome run_cont(struct qmp_call *call, const char *argument)
{
    (void)argument;
    return say_failure(call, qmp_cont(call));
}

static enum qmp_outcome run_quit(struct qmp_call *call, const char *argument)
{
    (void)argument;
    return qmp_quit(call);
}

static enum qmp_outcome run_reset(struct qmp_call *call, const char *argument)
{
    (void)argument;
    return say_failure(call, qmp_system_reset(call));
}

static enum qmp_outcome run_powerdown(struct qmp_call *call, const char *argument)
{
    (void)argument;
    return say_failure(call, qmp_system_powerdown(call));
}

static enum qmp_outcome run_savevm(struct qmp_call *call, const char *argument)
{
    char made[32];
    snprintf(made, sizeof made, "vm-%" PRIu64, timeline_position(call->control->timeline));
    if (!snapshot_save(call->control, *argument ? argument : made, true, &call->err))
        say_error(call, "Error: ");
    return QMP_DONE;
}

static enum qmp_outcome run_loadvm(struct qmp_call *call, const char *argument)
{
    if (snapshot_load(call->control, argument, &call->err)) {
        call->finish = answer_stopped;
        return QMP_MOVED;
    }
    say_error(call, "Error: ");
    return QMP_DONE;
}

static enum qmp_outcome run_delvm(struct qmp_call *call, const char *argument)
{
    snapshot_delete(call->control, argument);
    return QMP_DONE;
}

static enum qmp_outcome run_break(struct qmp_call *call, const char *argument)
{
    if (!qmp_set_break(call->control, strtoll(argument, NULL, 0), &call->err))
        say_error(call, "");
    return QMP_DONE;
}

static enum qmp_outcome run_delete_break(struct qmp_call *call, const char *argument)
{
    (void)argument;
    call->control->options.movement->break_at = POSITION_NONE;
    return QMP_DONE;
}

static enum qmp_outcome run_seek(struct qmp_call *call, const char *argument)
{
    if (qmp_seek(call->control, strtoll(argument, NULL, 0), &call->err)) {
        call->finish = answer_stopped;
        return QMP_MOVED;
    }
    say_error(call, "");
    return QMP_DONE;
}

static enum qmp_outcome run_gdbserver(struct qmp_call *call, const char *argument)
{
    const char *gdb = call->control->options.gdb;
    (void)argument;
    if (gdb)
        buffer_printf(&call->text, "Waiting for gdb connection on device '%s'\n", gdb);
    else
        buffer_append_string(&call->text, "gdb's port is chosen when the program starts: "
                                          "-gdb tcp:HOST:PORT or unix:PATH\n");
    return QMP_DONE;
}

static const struct line line_table[] = {
    {"info status", NULL, ARGUMENT_NONE, info_status, false, "show the current VM status"},
    {"info replay", NULL, ARGUMENT_NONE, info_replay, false,
     "show where the recording or replay is"},
    {"info snapshots", NULL, ARGUMENT_NONE, info_snapshots, false,
     "show the bookmarks of the timeline"},
    {"info name", NULL, ARGUMENT_NONE, info_name, false, "show the name given with -name"},
    {"info version", NULL, ARGUMENT_NONE, info_version, false, "show the version"},
    {"stop", "s", ARGUMENT_NONE, run_stop, false, "stop emulation"},
    {"cont", "c", ARGUMENT_NONE, run_cont, false, "resume emulation"},
    {"quit", "q", ARGUMENT_NONE, run_quit, false, "quit the emulator"},
    {"system_reset", NULL, ARGUMENT_NONE, run_reset, true, "reset the system"},
    {"system_powerdown", NULL, ARGUMENT_NONE, run_powerdown, true, "press the power button"},
    {"savevm", NULL, ARGUMENT_MAYBE, run_savevm, true,
     "bookmark this position; a bookmark of that name moves here"},
    {"loadvm", NULL, ARGUMENT_STRING, run_loadvm, true, "go to a bookmark"},
    {"delvm", NULL, ARGUMENT_STRING, run_delvm, true, "remove a bookmark"},
    {"replay_break", NULL, ARGUMENT_INTEGER, run_break, false, "stop at that position, once"},
    {"replay_delete_break", NULL, ARGUMENT_NONE, run_delete_break, false,
     "remove the one set with replay_break"},
    {"replay_seek", NULL, ARGUMENT_INTEGER, run_seek, true, "go to that position"},
    {"gdbserver", NULL, ARGUMENT_MAYBE, run_gdbserver, false, "say where gdb can connect"},
};

/* ---- lines ---- */

static const char *skip_blanks(const char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    return text;
}

/* Does the line begin with these words? `*rest`: what follows them. */
static bool begins(const char *text, const char *words, const char **rest)
{
    for (; *words; words++) {
        if (*words == ' ') {
            if (!isspace((unsigned char)*text))
                return false;
            text = skip_blanks(text);
        } else if (*text++ != *words) {
            return false;
        }
    }
    *rest = skip_blanks(text);
    return !*text || isspace((unsigned char)*text);
}

static const struct line *find(const char *text, const char **rest)
{
    for (size_t i = 0; i < sizeof line_table / sizeof *line_table; i++) {
        const struct line *l = &line_table[i];
        if (begins(text, l->name, rest) || (l->alias && begins(text, l->alias, rest)))
            return l;
    }
    return NULL;
}

static bool is_integer(const char *text)
{
    char *end;
    errno = 0;
    (void)strtoll(text, &end, 0);
    return end != text && !*skip_blanks(end) && !errno;
}

static bool check_argument(struct qmp_call *call, const struct line *l, const char *typed,
                           const char *argument)
{
    size_t word = strcspn(argument, " \t\r\n");
    const char *wrong = NULL;
    if (l->argument == ARGUMENT_STRING && !*argument)
        wrong = "string expected";
    else if (l->argument == ARGUMENT_INTEGER && !is_integer(argument))
        wrong = "integer expected";
    else if ((l->argument == ARGUMENT_NONE && *argument) || *skip_blanks(argument + word))
        wrong = "extraneous characters at the end of line";
    if (wrong)
        buffer_printf(&call->text, "%s%s%s: %s\nTry \"help %s\" for more information\n", l->name,
                      l->alias ? "|" : "", l->alias ? l->alias : "", wrong,
                      *typed == *l->name && l->alias && !isalpha((unsigned char)typed[1])
                          ? l->alias
                          : l->name);
    return !wrong;
}

/* `wrong` lines have been told of in call->text. */
static enum qmp_outcome run_line(struct qmp_call *call, const struct line *l, const char *typed,
                                 const char *rest)
{
    char argument[256];
    if (!call->again && !check_argument(call, l, typed, rest))
        return QMP_DONE;
    if (strlen(rest) >= sizeof argument) {
        buffer_printf(&call->text, "%s: the argument is too long\n", l->name);
        return QMP_DONE;
    }
    snprintf(argument, sizeof argument, "%.*s", (int)strcspn(rest, " \t\r\n"), rest);
    enum qmp_outcome outcome = l->rests ? qmp_at_rest(call) : QMP_DONE;
    return outcome == QMP_DONE ? l->run(call, argument) : outcome;
}

/* ---- our own ---- */

static enum qmp_outcome line_stopped(struct qmp_call *call, const struct stop *stop)
{
    const struct interpreter *interpreter = &call->control->options.interpreter;
    return interpreter_finish(interpreter, stop, &call->text) ? answer(call) : QMP_MOVED;
}

static void append_help(const struct line *l, struct buffer *out)
{
    static const char *const argument[] = {"", " tag", " [tag]", " icount"};
    buffer_printf(out, "%s%s%s%s -- %s\n", l->name, l->alias ? "|" : "", l->alias ? l->alias : "",
                  *argument[l->argument] ? argument[l->argument] : " ", l->help);
}

/* QEMU's lines; those of our own interpreter follow. True: that is all. */
static bool help(struct qmp_call *call, const char *text)
{
    const char *topic, *rest;
    if (call->again || !begins(text, "help", &topic))
        return false;
    const struct line *l = *topic ? find(topic, &rest) : NULL;
    for (size_t i = 0; !*topic && i < sizeof line_table / sizeof *line_table; i++)
        append_help(&line_table[i], &call->text);
    if (l)
        append_help(l, &call->text);
    return l;
}

static enum qmp_outcome run_own(struct qmp_call *call, const char *text)
{
    const struct interpreter *interpreter = &call->control->options.interpreter;
    enum qmp_outcome outcome = qmp_at_rest(call);
    if (outcome != QMP_DONE)
        return outcome;
    if (interpreter->run)
        interpreter->run(interpreter->ctx, text, &call->text);
    else
        buffer_printf(&call->text, "unknown command: '%.200s'\n", text);
    if (!timeline_moving(call->control->timeline))
        return QMP_DONE;
    call->finish = line_stopped;
    return QMP_MOVED;
}

enum qmp_outcome qmp_human_monitor(struct qmp_call *call)
{
    const struct control *c = call->control;
    const json_t *cpu = json_object_get(call->request.arguments, "cpu-index");
    json_int_t index = json_integer_value(cpu);
    if (cpu && (index < 0 || (uint64_t)index >= timeline_machine(c->timeline)->config.cpus))
        return qmp_fail(call, "Parameter 'cpu-index' expects a CPU number");
    const char *text = skip_blanks(qmp_string(&call->request, "command-line")), *rest;
    const struct line *l = find(text, &rest);
    enum qmp_outcome outcome = QMP_DONE;
    if (l)
        outcome = run_line(call, l, text, rest);
    else if (*text && !help(call, text))
        outcome = run_own(call, text);
    if (outcome == QMP_FAILED)
        outcome = say_failure(call, outcome);
    return outcome == QMP_DONE ? answer(call) : outcome;
}
