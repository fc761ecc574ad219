/* snapshot-save, -load, -delete: a snapshot is a bookmark of the timeline. Each is a job, which
 * ends when the machine has been at rest for it; load moves the machine there. */
#include "base/check.h"
#include "server/qmp_handlers.h"
#include "timeline/bookmarks.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- snapshots ---- */

bool snapshot_save(struct control *c, const char *tag, bool replace, struct error *err)
{
    if (!replace && timeline_bookmark_find(c->timeline, tag))
        return error_set(err, ERROR_USAGE, "Snapshot '%s' already exists in one or more devices",
                         tag);
    return timeline_bookmark(c->timeline, tag, NULL, err);
}

bool snapshot_load(struct control *c, const char *tag, struct error *err)
{
    const struct bookmark *mark = timeline_bookmark_find(c->timeline, tag);
    if (!mark || mark->position < timeline_begin(c->timeline) ||
        mark->position > timeline_tip(c->timeline))
        return error_set(err, ERROR_USAGE,
                         "Snapshot '%.200s' does not exist in one or more devices", tag);
    timeline_seek(c->timeline, mark->position);
    return true;
}

void snapshot_delete(struct control *c, const char *tag)
{
    timeline_bookmark_remove(c->timeline, tag);
}

/* ---- jobs ---- */

static void tell(struct control *c, const struct control_job *job, const char *status)
{
    control_event(c, "JOB_STATUS_CHANGE", json_pack("{s:s,s:s}", "status", status, "id", job->id));
}

static void conclude(struct control *c, struct control_job *job)
{
    if (*job->error) {
        tell(c, job, "aborting");
    } else {
        tell(c, job, "waiting");
        tell(c, job, "pending");
    }
    job->status = JOB_CONCLUDED;
    tell(c, job, "concluded");
}

static void set_error(struct control_job *job, const struct error *err)
{
    snprintf(job->error, sizeof job->error, "%.255s", err->message);
}

static void load_stopped(void *ctx, const struct stop *stop)
{
    struct control *c = ctx;
    struct control_job *job = &c->job[c->working];
    struct error err = ERROR_INIT;
    c->job_moves = false;
    c->options.pause(c->options.ctx);
    if (stop->reason == STOP_DIVERGED)
        error_set(&err, ERROR_DIVERGED, "%.250s", stop->text);
    else if (stop->reason == STOP_INTERRUPT)
        error_set(&err, ERROR_BUSY, "interrupted");
    set_error(job, &err);
    conclude(c, job);
}

/* The machine is at rest; or, for what moves nothing, somebody makes new history. */
static void work(struct control *c, size_t index)
{
    const struct mover mover = {load_stopped, c, "a control client is moving"};
    struct control_job *job = &c->job[index];
    struct error err = ERROR_INIT;
    switch (job->type) {
    case JOB_SAVE:
        snapshot_save(c, job->tag, false, &err);
        break;
    case JOB_LOAD:
        if (snapshot_load(c, job->tag, &err)) {
            c->working = index;
            c->job_moves = true;
            movement_began(c->options.movement, &mover);
            return;
        }
        break;
    case JOB_DELETE:
        snapshot_delete(c, job->tag);
        break;
    }
    set_error(job, &err);
    conclude(c, job);
}

void control_jobs_turn(struct control *c)
{
    struct movement *m = c->options.movement;
    for (size_t i = 0; i < c->jobs; i++) {
        struct error err = ERROR_INIT;
        if (c->job[i].status != JOB_RUNNING || (c->job_moves && c->working == i))
            continue;
        bool looks = c->job[i].type != JOB_LOAD && timeline_live(c->timeline);
        if (looks || movement_free(m)) {
            work(c, i);
        } else if (c->job[i].type == JOB_LOAD && !movement_yield(m) && !control_passes(c)) {
            movement_busy(m, &err);
            set_error(&c->job[i], &err);
            conclude(c, &c->job[i]);
        }
    }
}

/* As QEMU has it: a letter, then letters, digits, '-', '.', '_'. */
static bool is_id(const char *id)
{
    if (!isalpha((unsigned char)*id))
        return false;
    for (size_t i = 0; id[i]; i++) {
        if (i >= 128 || (!isalnum((unsigned char)id[i]) && !strchr("-._", id[i])))
            return false;
    }
    return true;
}

static struct control_job *find(struct control *c, const char *id)
{
    for (size_t i = 0; i < c->jobs; i++) {
        if (!strcmp(c->job[i].id, id))
            return &c->job[i];
    }
    return NULL;
}

bool control_job_add(struct control *c, enum control_job_type type, const char *id, const char *tag,
                     struct error *err)
{
    if (!is_id(id))
        return error_set(err, ERROR_USAGE, "Invalid job ID '%.200s'", id);
    if (find(c, id))
        return error_set(err, ERROR_USAGE, "Job ID '%s' already in use", id);
    if (c->jobs == CONTROL_JOBS)
        return error_set(err, ERROR_USAGE, "there are %d jobs: dismiss some with job-dismiss",
                         CONTROL_JOBS);
    if (strlen(tag) >= BOOKMARK_NAME)
        return error_set(err, ERROR_USAGE, "the tag is too long, it may have %d bytes",
                         BOOKMARK_NAME - 1);
    struct control_job *job = &c->job[c->jobs++];
    *job = (struct control_job){
        .id = strdup(id), .tag = strdup(tag), .type = type, .status = JOB_CREATED};
    check(job->id && job->tag, "no memory for a job");
    tell(c, job, "created");
    job->status = JOB_RUNNING;
    tell(c, job, "running");
    return true;
}

static void job_free(struct control_job *job)
{
    free(job->id);
    free(job->tag);
}

bool control_job_dismiss(struct control *c, const char *id, struct error *err)
{
    struct control_job *job = find(c, id);
    if (!job)
        return error_set(err, ERROR_USAGE, "Job not found");
    if (job->status != JOB_CONCLUDED)
        return error_set(err, ERROR_USAGE,
                         "Job '%s' in state 'running' cannot accept command verb 'dismiss'", id);
    size_t index = (size_t)(job - c->job);
    tell(c, job, "null");
    job_free(job);
    memmove(job, job + 1, (c->jobs - index - 1) * sizeof *job);
    c->jobs--;
    if (c->working > index)
        c->working--;
    return true;
}

json_t *control_jobs(const struct control *c)
{
    static const char *const type[] = {"snapshot-save", "snapshot-load", "snapshot-delete"};
    json_t *list = json_array();
    for (size_t i = c->jobs; i-- > 0;) {
        const struct control_job *job = &c->job[i];
        bool over = job->status == JOB_CONCLUDED;
        json_t *item = json_pack("{s:i,s:s,s:i,s:s,s:s}", "current-progress", over, "status",
                                 over ? "concluded" : "running", "total-progress", 1, "type",
                                 type[job->type], "id", job->id);
        if (*job->error)
            json_object_set_new(item, "error", json_string(job->error));
        json_array_append_new(list, item);
    }
    return list;
}

void control_jobs_end(struct control *c, bool told)
{
    while (c->jobs && !c->job_moves) {
        struct control_job *job = &c->job[c->jobs - 1];
        if (told)
            tell(c, job, "null");
        job_free(job);
        c->jobs--;
    }
}
