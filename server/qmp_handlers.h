/* The parts of control sessions, for the files control*.c and qmp_*.c of this folder.
 *
 * A handler carries out one command: it sets call->result or call->err, or says that it has to wait
 * or has begun a movement. Only qmp_session.c sends replies. */
#ifndef SERVER_QMP_HANDLERS_H
#define SERVER_QMP_HANDLERS_H

#include "server/control.h"
#include "server/qmp_request.h"
#include "server/qmp_session.h"

enum qmp_outcome {
    QMP_DONE,   /* call->result is the answer; NULL: an empty object */
    QMP_FAILED, /* call->err says why */
    QMP_AGAIN,  /* the handler is to be called again when movement is free */
    QMP_MOVED   /* it has begun an operation: call->finish has the answer */
};

struct qmp_call {
    struct qmp_session *session;
    struct control *control;
    struct qmp_request request;
    json_t *result;
    const char *error_class; /* NULL: GenericError */
    struct error err;
    /* The operation is over. It may have begun the next one: QMP_MOVED. */
    enum qmp_outcome (*finish)(struct qmp_call *call, const struct stop *stop);
    struct buffer text; /* a handler's own, across a movement */
    uint64_t movement;  /* and this: which was under way */
    bool again;         /* it has been called before */
};

typedef enum qmp_outcome qmp_handler(struct qmp_call *call);

struct qmp_command {
    const char *name;
    qmp_handler *run;
    const struct qmp_parameter *parameter;
    size_t parameters;
    bool rests; /* needs the machine at rest */
};

/* qmp_session.c: what we say we are */
json_t *qmp_version(void);
/* qmp_commands.c */
/* NULL: there is no such command. */
const struct qmp_command *qmp_command_find(const char *name);
/* The i-th; NULL behind the last. */
const struct qmp_command *qmp_command_get(size_t index);
/* The machine is at rest. Else: QMP_AGAIN, it will be, or QMP_FAILED, it is somebody else's. */
enum qmp_outcome qmp_at_rest(struct qmp_call *call);
/* Set *err and return QMP_FAILED. */
enum qmp_outcome qmp_fail(struct qmp_call *call, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
qmp_handler qmp_stop, qmp_cont, qmp_quit, qmp_system_reset, qmp_system_powerdown;
bool qmp_seek(struct control *c, int64_t icount, struct error *err);
bool qmp_set_break(struct control *c, int64_t icount, struct error *err);
/* qmp_monitor.c */
qmp_handler qmp_human_monitor;
/* qmp_own.c: the interpreter's rows, x-backstep-NAME */
extern const struct qmp_command qmp_own_command;
bool qmp_own_is(const struct control *c, const char *name);
#define QMP_OWN_PREFIX "x-backstep-"
#define QMP_OWN_INTERRUPT QMP_OWN_PREFIX "interrupt"

/* ---- control.c ---- */

enum job_status { JOB_CREATED, JOB_RUNNING, JOB_CONCLUDED };

struct control_job {
    char *id, *tag;
    enum control_job_type { JOB_SAVE, JOB_LOAD, JOB_DELETE } type;
    enum job_status status;
    char error[256]; /* empty: none */
};

struct control {
    struct control_options options;
    struct timeline *timeline;
    struct qmp_session *session[CONTROL_SESSIONS];
    uint64_t accepted;
    bool running;     /* as the events have told it */
    bool moved;       /* it has moved at all */
    bool shut;        /* SHUTDOWN has been told */
    bool closing;     /* no new sessions */
    bool seeking;     /* a movement of replay-seek's is under way, for which nobody waits */
    bool job_moves;   /* the same, job[working]'s */
    size_t working;   /* that job */
    struct stop stop; /* the last one, without its text */
    uint64_t resets;  /* that the machine had made */
    bool was_live;
    struct control_job job[CONTROL_JOBS]; /* by age */
    size_t jobs;
};

/* As query-status has it. */
const char *control_status(const struct control *c);
/* To all sessions that have negotiated; takes `data`, NULL: none. */
void control_event(struct control *c, const char *name, json_t *data);
/* What is under way is soon over, and nobody's: to be waited for. */
static inline bool control_passes(const struct control *c)
{
    return c->seeking || c->job_moves;
}
/* A movement that a session has begun at `from` is over: stay, unless nothing has changed. */
void control_moved(struct control *c, uint64_t from);
/* A user's reset or power button. False: *err says why not. At rest only. */
bool control_button(struct control *c, enum event_kind kind, struct error *err);

/* control_jobs.c */
bool control_job_add(struct control *c, enum control_job_type type, const char *id, const char *tag,
                     struct error *err);
bool control_job_dismiss(struct control *c, const char *id, struct error *err);
json_t *control_jobs(const struct control *c);
void control_jobs_turn(struct control *c);
/* All of them go, without a word if nobody is told. */
void control_jobs_end(struct control *c, bool told);
/* What savevm, loadvm, delvm and the jobs do. Load begins a movement. */
bool snapshot_save(struct control *c, const char *tag, bool replace, struct error *err);
bool snapshot_load(struct control *c, const char *tag, struct error *err);
void snapshot_delete(struct control *c, const char *tag);

#endif
