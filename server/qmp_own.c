/* x-backstep-NAME: the rows of the command table that answer in JSON. */
#include "server/qmp_handlers.h"

#include <string.h>

/* These only look at what is there. They are answered also while somebody else's movement makes new
 * history, because then the machine stands at the tip between two slices. */
static bool only_looks(const char *name)
{
    static const char *const looks[] = {"when",        "registers", "read-memory", "bookmarks",
                                        "checkpoints", "points",    "branches",    "disassemble"};
    for (size_t i = 0; i < sizeof looks / sizeof *looks; i++) {
        if (!strcmp(looks[i], name))
            return true;
    }
    return false;
}

/* Others see registers, memory or a whole future change that they have read, and nothing moves. */
static bool changes(const char *name)
{
    static const char *const rows[] = {"write-memory", "write-register", "branch", "switch"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (!strcmp(rows[i], name))
            return true;
    }
    return false;
}

static const char *row_of(const char *name)
{
    size_t prefix = strlen(QMP_OWN_PREFIX);
    return strncmp(name, QMP_OWN_PREFIX, prefix) ? NULL : name + prefix;
}

bool qmp_own_is(const struct control *c, const char *name)
{
    const struct interpreter *interpreter = &c->options.interpreter;
    const char *row = row_of(name), *known;
    for (size_t i = 0; row && interpreter->json && interpreter->json_name; i++) {
        known = interpreter->json_name(interpreter->ctx, i);
        if (!known)
            break;
        if (!strcmp(known, row))
            return true;
    }
    return false;
}

/* NULL and no error: an operation has been begun. */
static enum qmp_outcome outcome_of(struct qmp_call *call, json_t *result)
{
    if (!result && !call->err.code && timeline_moving(call->control->timeline))
        return QMP_MOVED;
    call->result = result;
    return result || !call->err.code ? QMP_DONE : QMP_FAILED;
}

static enum qmp_outcome stopped(struct qmp_call *call, const struct stop *stop)
{
    const struct interpreter *interpreter = &call->control->options.interpreter;
    return outcome_of(call, interpreter->json_finish(interpreter->ctx, stop, &call->err));
}

static enum qmp_outcome run(struct qmp_call *call)
{
    const struct control *c = call->control;
    const struct interpreter *interpreter = &c->options.interpreter;
    const char *row = row_of(call->request.command);
    bool look = only_looks(row) && timeline_live(c->timeline);
    enum qmp_outcome outcome = look ? QMP_DONE : qmp_at_rest(call);
    if (outcome != QMP_DONE)
        return outcome;
    json_t *result = interpreter->json(interpreter->ctx, row, call->request.arguments, &call->err);
    if (look && !movement_free(c->options.movement)) {
        /* Somebody's operation is under way, and it is not ours. */
        call->result = result;
        return result ? QMP_DONE : QMP_FAILED;
    }
    if (changes(row))
        c->options.movement->changes++;
    call->finish = stopped;
    return outcome_of(call, result);
}

const struct qmp_command qmp_own_command = {"", run, NULL, 0, false};
