/* The commands of a control socket that QEMU has too. */
#include "base/check.h"
#include "server/qmp_handlers.h"
#include "timeline/recording.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum qmp_outcome qmp_fail(struct qmp_call *call, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    call->err.code = ERROR_USAGE;
    vsnprintf(call->err.message, sizeof call->err.message, format, arguments);
    va_end(arguments);
    return QMP_FAILED;
}

enum qmp_outcome qmp_at_rest(struct qmp_call *call)
{
    struct movement *m = call->control->options.movement;
    if (movement_free(m))
        return QMP_DONE;
    if (movement_yield(m) || control_passes(call->control))
        return QMP_AGAIN;
    movement_busy(m, &call->err);
    return QMP_FAILED;
}

static enum qmp_outcome answer(struct qmp_call *call, json_t *result)
{
    call->result = result;
    return QMP_DONE;
}

/* ---- negotiation, and what there is ---- */

static enum qmp_outcome capabilities(struct qmp_call *call)
{
    const json_t *enable = json_object_get(call->request.arguments, "enable");
    for (size_t i = 0; i < json_array_size(enable); i++) {
        const char *name = json_string_value(json_array_get(enable, i));
        if (!name)
            return qmp_fail(call, "Invalid parameter type for 'enable[%zu]', expected: string", i);
        if (strcmp(name, "oob") != 0)
            return qmp_fail(call, "Invalid parameter '%.100s'", name);
        return qmp_fail(call, "Capability %s not available", name);
    }
    qmp_session_negotiate(call->session);
    return QMP_DONE;
}

static enum qmp_outcome query_version(struct qmp_call *call)
{
    return answer(call, qmp_version());
}

static enum qmp_outcome query_commands(struct qmp_call *call)
{
    const struct interpreter *interpreter = &call->control->options.interpreter;
    json_t *list = json_array();
    char name[128];
    const struct qmp_command *row;
    for (size_t i = 0; (row = qmp_command_get(i)); i++)
        json_array_append_new(list, json_pack("{s:s}", "name", row->name));
    for (size_t i = 0; interpreter->json_name; i++) {
        const char *own = interpreter->json_name(interpreter->ctx, i);
        if (!own)
            break;
        snprintf(name, sizeof name, QMP_OWN_PREFIX "%s", own);
        json_array_append_new(list, json_pack("{s:s}", "name", name));
    }
    return answer(call, list);
}

static enum qmp_outcome query_name(struct qmp_call *call)
{
    const char *name = call->control->options.name;
    return answer(call, name ? json_pack("{s:s}", "name", name) : NULL);
}

static enum qmp_outcome query_status(struct qmp_call *call)
{
    const struct control *c = call->control;
    return answer(call, json_pack("{s:s,s:b,s:b}", "status", control_status(c), "singlestep", 0,
                                  "running", c->running));
}

static enum qmp_outcome query_cpus(struct qmp_call *call)
{
    json_t *list = json_array();
    unsigned harts = timeline_machine(call->control->timeline)->config.cpus;
    for (unsigned hart = 0; hart < harts; hart++) {
        char path[64];
        snprintf(path, sizeof path, "/machine/soc0/harts[%u]", hart);
        json_array_append_new(list,
                              json_pack("{s:i,s:{s:i},s:s,s:i,s:s}", "thread-id", (int)hart + 1,
                                        "props", "core-id", (int)hart, "qom-path", path,
                                        "cpu-index", (int)hart, "target", "riscv64"));
    }
    return answer(call, list);
}

/* ---- running ---- */

/* Whoever moves is interrupted. The answer comes behind the event. */
enum qmp_outcome qmp_stop(struct qmp_call *call)
{
    struct control *c = call->control;
    struct movement *m = c->options.movement;
    if (!call->again)
        c->options.pause(c->options.ctx);
    if (!movement_free(m) && (!call->again || call->movement == m->movements)) {
        movement_interrupt(m);
        call->movement = m->movements;
        return QMP_AGAIN;
    }
    control_settle(c);
    return QMP_DONE;
}

enum qmp_outcome qmp_cont(struct qmp_call *call)
{
    struct control *c = call->control;
    struct movement *m = c->options.movement;
    if (timeline_live(c->timeline) && movement_free(m) && timeline_machine(c->timeline)->state.halt)
        return qmp_fail(call, "Resetting the Virtual Machine is required");
    if (control_passes(c))
        return QMP_AGAIN;
    if (!movement_free(m) && m->owner.who) {
        movement_busy(m, &call->err);
        return QMP_FAILED;
    }
    c->options.run(c->options.ctx);
    return QMP_DONE;
}

enum qmp_outcome qmp_quit(struct qmp_call *call)
{
    struct control *c = call->control;
    control_shutdown(c, false, "host-qmp-quit");
    control_jobs_end(c, true);
    c->options.quit(c->options.ctx);
    return QMP_DONE;
}

enum qmp_outcome qmp_system_reset(struct qmp_call *call)
{
    return control_button(call->control, EVENT_RESET, &call->err) ? QMP_DONE : QMP_FAILED;
}

/* A machine that is stopped goes off all the same, and says so when it is to run. */
enum qmp_outcome qmp_system_powerdown(struct qmp_call *call)
{
    return control_button(call->control, EVENT_POWER, &call->err) ? QMP_DONE : QMP_FAILED;
}

/* ---- record and replay ---- */

static enum qmp_outcome query_replay(struct qmp_call *call)
{
    const struct control *c = call->control;
    const char *file =
        c->options.replayed ? c->options.replayed : timeline_record_path(c->timeline);
    json_t *result = json_pack("{s:I,s:s}", "icount", (json_int_t)timeline_position(c->timeline),
                               "mode", c->options.replayed ? "play" : "record");
    json_t *name = file ? json_string(file) : NULL;
    if (name)
        json_object_set_new(result, "filename", name);
    return answer(call, result);
}

static int64_t icount_of(const struct qmp_call *call)
{
    return json_integer_value(json_object_get(call->request.arguments, "icount"));
}

bool qmp_set_break(struct control *c, int64_t icount, struct error *err)
{
    if (icount < 0 || (uint64_t)icount < timeline_position(c->timeline))
        return error_set(err, ERROR_RANGE, "cannot set breakpoint at the instruction in the past");
    c->options.movement->break_at = (uint64_t)icount;
    movement_yield(c->options.movement); /* a free run begins anew, with it */
    return true;
}

static enum qmp_outcome replay_break(struct qmp_call *call)
{
    return qmp_set_break(call->control, icount_of(call), &call->err) ? QMP_DONE : QMP_FAILED;
}

static enum qmp_outcome replay_delete_break(struct qmp_call *call)
{
    call->control->options.movement->break_at = POSITION_NONE;
    return QMP_DONE;
}

/* The move takes the breakpoint's place, as in QEMU. */
bool qmp_seek(struct control *c, int64_t icount, struct error *err)
{
    if (icount < 0 || (uint64_t)icount > timeline_tip(c->timeline) ||
        (uint64_t)icount < timeline_begin(c->timeline))
        return error_set(err, ERROR_RANGE, "cannot seek to the specified instruction count");
    c->options.movement->break_at = POSITION_NONE;
    timeline_seek(c->timeline, (uint64_t)icount);
    return true;
}

static void seek_stopped(void *ctx, const struct stop *stop)
{
    struct control *c = ctx;
    (void)stop;
    c->seeking = false;
    c->options.pause(c->options.ctx);
}

/* Answered at once: the movement is nobody's call. */
static enum qmp_outcome replay_seek(struct qmp_call *call)
{
    struct control *c = call->control;
    const struct mover mover = {seek_stopped, c, "a control client is moving"};
    if (!qmp_seek(c, icount_of(call), &call->err))
        return QMP_FAILED;
    c->seeking = true;
    movement_began(c->options.movement, &mover);
    return QMP_DONE;
}

/* ---- snapshots ---- */

static enum qmp_outcome add_job(struct qmp_call *call, enum control_job_type type)
{
    if (!control_job_add(call->control, type, qmp_string(&call->request, "job-id"),
                         qmp_string(&call->request, "tag"), &call->err))
        return QMP_FAILED;
    control_jobs_turn(call->control);
    return QMP_DONE;
}

static enum qmp_outcome snapshot_save_job(struct qmp_call *call)
{
    return add_job(call, JOB_SAVE);
}

static enum qmp_outcome snapshot_load_job(struct qmp_call *call)
{
    return add_job(call, JOB_LOAD);
}

static enum qmp_outcome snapshot_delete_job(struct qmp_call *call)
{
    return add_job(call, JOB_DELETE);
}

static enum qmp_outcome query_jobs(struct qmp_call *call)
{
    return answer(call, control_jobs(call->control));
}

static enum qmp_outcome job_dismiss(struct qmp_call *call)
{
    return control_job_dismiss(call->control, qmp_string(&call->request, "id"), &call->err)
               ? QMP_DONE
               : QMP_FAILED;
}

/* ---- what is not there ---- */

static enum qmp_outcome no_display(struct qmp_call *call)
{
    return qmp_fail(call, "no display device");
}

/* Answered before it is a call when there is something to interrupt: qmp_session.c. */
static enum qmp_outcome interrupt(struct qmp_call *call)
{
    struct movement *m = call->control->options.movement;
    bool moves = !movement_free(m) && m->owner.who;
    if (moves)
        movement_interrupt(m);
    return answer(call, json_pack("{s:b}", "interrupted", moves));
}

/* ---- the table ---- */

static const struct qmp_parameter of_capabilities[] = {{"enable", QMP_ARRAY, true}};
static const struct qmp_parameter of_icount[] = {{"icount", QMP_INTEGER, false}};
static const struct qmp_parameter of_monitor[] = {{"command-line", QMP_STRING, false},
                                                  {"cpu-index", QMP_INTEGER, true}};
static const struct qmp_parameter of_snapshot[] = {{"job-id", QMP_STRING, false},
                                                   {"tag", QMP_STRING, false},
                                                   {"vmstate", QMP_STRING, true},
                                                   {"devices", QMP_ARRAY, true}};
static const struct qmp_parameter of_delete[] = {
    {"job-id", QMP_STRING, false}, {"tag", QMP_STRING, false}, {"devices", QMP_ARRAY, true}};
static const struct qmp_parameter of_job[] = {{"id", QMP_STRING, false}};
static const struct qmp_parameter of_screendump[] = {{"filename", QMP_STRING, false},
                                                     {"device", QMP_STRING, true},
                                                     {"head", QMP_INTEGER, true},
                                                     {"format", QMP_STRING, true}};
static const struct qmp_parameter of_keys[] = {{"keys", QMP_ARRAY, false},
                                               {"hold-time", QMP_INTEGER, true}};
static const struct qmp_parameter of_input[] = {
    {"device", QMP_STRING, true}, {"head", QMP_INTEGER, true}, {"events", QMP_ARRAY, false}};

#define TAKES(list) list, sizeof(list) / sizeof *(list)

static const struct qmp_command command[] = {
    {"qmp_capabilities", capabilities, TAKES(of_capabilities), false},
    {"query-version", query_version, NULL, 0, false},
    {"query-commands", query_commands, NULL, 0, false},
    {"query-name", query_name, NULL, 0, false},
    {"query-status", query_status, NULL, 0, false},
    {"query-cpus-fast", query_cpus, NULL, 0, false},
    {"query-replay", query_replay, NULL, 0, false},
    {"replay-break", replay_break, TAKES(of_icount), false},
    {"replay-delete-break", replay_delete_break, NULL, 0, false},
    {"replay-seek", replay_seek, TAKES(of_icount), true},
    {"stop", qmp_stop, NULL, 0, false},
    {"cont", qmp_cont, NULL, 0, false},
    {"system_reset", qmp_system_reset, NULL, 0, true},
    {"system_powerdown", qmp_system_powerdown, NULL, 0, true},
    {"quit", qmp_quit, NULL, 0, false},
    {"human-monitor-command", qmp_human_monitor, TAKES(of_monitor), false},
    {"snapshot-save", snapshot_save_job, TAKES(of_snapshot), false},
    {"snapshot-load", snapshot_load_job, TAKES(of_snapshot), false},
    {"snapshot-delete", snapshot_delete_job, TAKES(of_delete), false},
    {"query-jobs", query_jobs, NULL, 0, false},
    {"job-dismiss", job_dismiss, TAKES(of_job), false},
    {"screendump", no_display, TAKES(of_screendump), false},
    {"send-key", no_display, TAKES(of_keys), false},
    {"input-send-event", no_display, TAKES(of_input), false},
    {QMP_OWN_INTERRUPT, interrupt, NULL, 0, false},
};

const struct qmp_command *qmp_command_get(size_t index)
{
    return index < sizeof command / sizeof *command ? &command[index] : NULL;
}

const struct qmp_command *qmp_command_find(const char *name)
{
    for (size_t i = 0; i < sizeof command / sizeof *command; i++) {
        if (!strcmp(command[i].name, name))
            return &command[i];
    }
    return NULL;
}
