/* What-if: diversions and branches.
 *
 * The branch the machine stands on is in struct timeline itself (log, history, transcript,
 * bookmarks, triggers, tip); the others are parked. A branch begins with its parent's history up to
 * its origin: the log reads the parent's events, checkpoints are shared. Checkpoints of all
 * branches are trees of one store, so going from one branch to another is a restore like any. */
#include "timeline/branch_parts.h"

#include "base/check.h"
#include "base/log.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- which ---- */

bool branch_is_main(const struct branch *b)
{
    return !b->parent;
}

bool branch_is_diversion(const struct branch *b)
{
    return b->parent && !*b->name;
}

bool timeline_on_main(const struct timeline *tl)
{
    return branch_is_main(tl->branches.now);
}

static struct branch *find(const struct timeline *tl, const char *name)
{
    for (size_t i = 0; i < tl->branches.count; i++)
        if (*name && !strcmp(tl->branches.list[i]->name, name))
            return tl->branches.list[i];
    return NULL;
}

static const struct log *log_of(const struct timeline *tl, const struct branch *b)
{
    return b == tl->branches.now ? tl->log : b->parked.log;
}

static void describe(const struct timeline *tl, const struct branch *b, struct branch_info *info)
{
    *info = (struct branch_info){.origin = b->origin, .current = b == tl->branches.now};
    memcpy(info->name, b->name, sizeof info->name);
    if (b->parent)
        memcpy(info->parent, b->parent->name, sizeof info->parent);
    info->tip = info->current ? tl->tip : b->parked.tip;
    info->events = log_count(log_of(tl, b)) - b->origin_event;
}

bool timeline_branch_get(const struct timeline *tl, size_t index, struct branch_info *info)
{
    if (index >= tl->branches.count)
        return false;
    describe(tl, tl->branches.list[index], info);
    return true;
}

void timeline_branch_now(const struct timeline *tl, struct branch_info *info)
{
    describe(tl, tl->branches.now, info);
}

struct buffer timeline_notice(struct timeline *tl)
{
    struct buffer notice = tl->branches.notice;
    tl->branches.notice = (struct buffer){0};
    return notice;
}

/* ---- parking ---- */

static void park(struct timeline *tl)
{
    tl->branches.now->parked = (struct parked){.log = tl->log,
                                               .history = tl->history,
                                               .transcript = tl->transcript,
                                               .bookmarks = tl->bookmarks,
                                               .triggers = tl->triggers,
                                               .tip = tl->tip};
}

/* Its history is the timeline's from now on. Where the machine is the caller knows. */
static void bring(struct timeline *tl, struct branch *b)
{
    tl->log = b->parked.log;
    tl->history = b->parked.history;
    tl->transcript = b->parked.transcript;
    tl->bookmarks = b->parked.bookmarks;
    tl->triggers = b->parked.triggers;
    tl->tip = b->parked.tip;
    tl->recorder.log = tl->log;
    tl->player.log = tl->log;
    tl->branches.now = b;
    b->parked = (struct parked){0};
}

/* The machine is about to be taken elsewhere, or it is to be written where it is. */
static void note_place(struct timeline *tl)
{
    struct branch *b = tl->branches.now;
    uint64_t position = machine_position(tl->m);
    if (b->left_at == position)
        return;
    b->left_at = position;
    tl->branches.changes += !branch_is_main(b) && *b->name;
}

static void change_to(struct timeline *tl, struct branch *b)
{
    if (b == tl->branches.now)
        return;
    tl->live = false;
    park(tl);
    bring(tl, b);
}

struct branch *branches_take_main(struct timeline *tl)
{
    struct branch *was = tl->branches.now;
    if (branch_is_main(was))
        return NULL;
    note_place(tl);
    change_to(tl, tl->branches.list[0]);
    return was;
}

void branches_put_back(struct timeline *tl, struct branch *branch)
{
    if (branch)
        change_to(tl, branch);
}

/* ---- life ---- */

static void add(struct timeline *tl, struct branch *b)
{
    struct branch_list *l = &tl->branches;
    l->list = mem_grow(l->list, l->count + 1, sizeof(struct branch *));
    l->list[l->count++] = b;
}

void branches_init(struct timeline *tl)
{
    struct branch *main = mem_new(1, sizeof *main);
    strcpy(main->name, BRANCH_MAIN);
    add(tl, main);
    tl->branches.now = main;
}

static void release_parked(struct timeline *tl, struct branch *b)
{
    struct parked *p = &b->parked;
    if (!p->log)
        return;
    history_release(tl, &p->history);
    log_free(p->log);
    transcript_free(p->transcript);
    free(p->bookmarks.bookmark);
    free(p->triggers.point);
}

static void branch_free(struct timeline *tl, struct branch *b)
{
    release_parked(tl, b);
    free(b->opening.value);
    free(b);
}

void branches_fini(struct timeline *tl)
{
    struct branch_list *l = &tl->branches;
    branches_take_main(tl);
    while (l->count)
        branch_free(tl, l->list[--l->count]);
    free(l->list);
    buffer_fini(&l->notice);
}

static void drop(struct timeline *tl, struct branch *b)
{
    struct branch_list *l = &tl->branches;
    size_t i = 0;
    while (l->list[i] != b)
        i++;
    memmove(&l->list[i], &l->list[i + 1], (--l->count - i) * sizeof *l->list);
    l->changes += *b->name != '\0';
    branch_free(tl, b);
}

/* The same, and diversions that only it has kept: nobody could come to them any more. */
static void remove_branch(struct timeline *tl, struct branch *b)
{
    struct branch *parent;
    do {
        parent = b->parent;
        drop(tl, b);
        b = parent;
    } while (branch_is_diversion(b) && b != tl->branches.now && !branch_has_children(tl, b));
}

bool branch_has_children(const struct timeline *tl, const struct branch *b)
{
    for (size_t i = 0; i < tl->branches.count; i++)
        if (tl->branches.list[i]->parent == b)
            return true;
    return false;
}

struct history *branch_history(struct timeline *tl, size_t index)
{
    if (index >= tl->branches.count)
        return NULL;
    struct branch *b = tl->branches.list[index];
    return b == tl->branches.now ? &tl->history : &b->parked.history;
}

size_t branches_bytes(const struct timeline *tl)
{
    size_t bytes = 0;
    for (size_t i = 0; i < tl->branches.count; i++) {
        const struct parked *p = &tl->branches.list[i]->parked;
        if (p->log)
            bytes += p->history.bytes + p->history.mark_capacity * sizeof *p->history.mark +
                     log_bytes(p->log) + transcript_bytes(p->transcript);
    }
    return bytes;
}

/* ---- beginning one ---- */

void branch_begin_on(struct timeline *tl, struct branch *b, uint64_t tip)
{
    b->parked = (struct parked){
        .log = log_branch(tl->spill, tl->log, b->origin_event),
        .transcript = transcript_copy(tl->transcript, b->origin),
        .triggers = {.at = POSITION_NONE, .by = CLOCK_NEVER},
        .tip = tip,
    };
    history_copy(tl, b->origin, b->origin_event, &b->parked.history);
    bookmarks_copy(&tl->bookmarks, b->origin, &b->parked.bookmarks);
    add(tl, b);
    change_to(tl, b);
}

static struct branch *begin(struct timeline *tl)
{
    struct branch *b = mem_new(1, sizeof *b);
    uint64_t position = machine_position(tl->m);
    b->parent = tl->branches.now;
    b->origin = b->entropy = position;
    b->origin_event = tl->player.next;
    b->opening.value = branch_note_registers(tl->m);
    note_place(tl);
    branch_begin_on(tl, b, position);
    history_take_origin(tl);
    run_go_live(tl);
    tl->reported = NOTHING_REPORTED;
    return b;
}

static bool stands_still(const struct timeline *tl, struct error *err)
{
    return !timeline_moving(tl) || error_set(err, ERROR_BUSY, "busy: the machine is moving");
}

static bool may_begin(const struct timeline *tl, struct error *err)
{
    if (tl->diverged.code)
        return error_set(err, ERROR_DIVERGED,
                         "the state here differs from the recording: go to "
                         "another position first");
    return tl->branches.count < BRANCHES ||
           error_set(err, ERROR_RANGE,
                     "there are %d branches already: remove some (monitor branch -d NAME)",
                     BRANCHES);
}

bool branch_for_write(struct timeline *tl, struct error *err)
{
    if (tl->live)
        return true;
    if (!stands_still(tl, err) || !may_begin(tl, err))
        return false;
    begin(tl);
    return true;
}

/* ---- leaving ---- */

/* Leave it for good, to its parent, in which the machine is to stand at the same state. */
void branch_leave(struct timeline *tl)
{
    struct branch *b = tl->branches.now;
    change_to(tl, b->parent);
    remove_branch(tl, b);
}

static void note_dropped(struct timeline *tl, const struct branch *b)
{
    buffer_printf(&tl->branches.notice,
                  "the diversion from position %" PRIu64 " is left and gone (monitor branch NAME "
                  "would have kept it)\n",
                  b->origin);
}

/* Up to its origin the two are the same, and so are the numbers of events. */
void branch_left(struct timeline *tl)
{
    for (;;) {
        struct branch *b = tl->branches.now;
        if (!branch_is_diversion(b) || tl->live || machine_position(tl->m) >= b->origin ||
            branch_has_children(tl, b))
            return;
        note_dropped(tl, b);
        branch_leave(tl);
    }
}

static bool name_possible(const char *name, struct error *err)
{
    bool good = isalpha((unsigned char)*name) && strlen(name) < BRANCH_NAME;
    for (const char *c = name; good && *c; c++)
        good = isalnum((unsigned char)*c) || strchr("-_.", *c);
    return good || error_set(err, ERROR_USAGE,
                             "`%.80s` is no name for a branch: a letter, then at most %d letters, "
                             "digits, `-`, `_`, `.`",
                             name, BRANCH_NAME - 2);
}

bool branch_name_free(const struct timeline *tl, const char *name, struct error *err)
{
    if (!name_possible(name, err))
        return false;
    return !find(tl, name) || error_set(err, ERROR_RANGE, "there is a branch `%s` already", name);
}

void branch_discard_last(struct timeline *tl)
{
    drop(tl, tl->branches.list[tl->branches.count - 1]);
}

/* What a branch comes from is kept with it, and so has a name too: that with a number behind it. */
static void name_parents(struct timeline *tl, const struct branch *b)
{
    unsigned number = 1;
    for (struct branch *p = b->parent; branch_is_diversion(p); p = p->parent) {
        struct error err = ERROR_INIT;
        char name[BRANCH_NAME];
        do
            snprintf(name, sizeof name, "%.*s.%u", BRANCH_NAME - 8, b->name, number++);
        while (!branch_name_free(tl, name, &err));
        strcpy(p->name, name);
        buffer_printf(&tl->branches.notice, "the diversion it comes from is branch %s now\n", name);
    }
}

bool timeline_branch(struct timeline *tl, const char *name, struct error *err)
{
    if (!stands_still(tl, err) || !branch_name_free(tl, name, err))
        return false;
    struct branch *b = tl->branches.now;
    if (!branch_is_diversion(b)) {
        if (!may_begin(tl, err))
            return false;
        run_leave_live(tl);
        b = begin(tl);
    }
    strcpy(b->name, name);
    name_parents(tl, b);
    tl->branches.changes++;
    return true;
}

bool timeline_switch(struct timeline *tl, const char *name, struct error *err)
{
    struct branch *to = find(tl, name), *from = tl->branches.now;
    if (!stands_still(tl, err))
        return false;
    if (!to)
        return error_set(err, ERROR_RANGE, "there is no branch `%.80s`: `branches` lists them",
                         name);
    if (to == from)
        return error_set(err, ERROR_RANGE, "the machine stands on `%s` already", name);
    operation_leave_divergence(tl);
    note_place(tl);
    run_leave_live(tl);
    change_to(tl, to);
    if (branch_is_diversion(from) && !branch_has_children(tl, from)) {
        if (!branch_is_call_over(from))
            note_dropped(tl, from);
        remove_branch(tl, from);
    }
    seek_elsewhere(tl, to->left_at);
    return true;
}

static bool is_ancestor(const struct branch *a, const struct branch *b)
{
    for (; b; b = b->parent)
        if (a == b)
            return true;
    return false;
}

bool timeline_branch_remove(struct timeline *tl, const char *name, struct error *err)
{
    struct branch *b = find(tl, name);
    if (!stands_still(tl, err))
        return false;
    if (!b)
        return error_set(err, ERROR_RANGE, "there is no branch `%.80s`: `branches` lists them",
                         name);
    if (branch_is_main(b))
        return error_set(err, ERROR_RANGE, "main cannot be removed");
    if (is_ancestor(b, tl->branches.now))
        return error_set(err, ERROR_RANGE,
                         "the machine stands on `%s`, or on one that comes from it: switch to "
                         "another first",
                         name);
    if (branch_has_children(tl, b))
        return error_set(err, ERROR_RANGE, "other branches come from `%s`: remove them first",
                         name);
    remove_branch(tl, b);
    return true;
}

/* Wait for it: a switch that nobody has asked for. */
static void go(struct timeline *tl, struct branch *to)
{
    struct stop stop;
    struct reported reported = tl->reported;
    operation_leave_divergence(tl);
    note_place(tl);
    run_leave_live(tl);
    change_to(tl, to);
    seek_elsewhere(tl, to->left_at);
    timeline_finish(tl, &stop);
    tl->reported = reported;
}

struct branch *branches_visit_main(struct timeline *tl)
{
    struct branch *was = tl->branches.now;
    if (branch_is_main(was))
        return NULL;
    go(tl, tl->branches.list[0]);
    return was;
}

void branches_return(struct timeline *tl, struct branch *branch)
{
    if (branch)
        go(tl, branch);
}

/* ---- the front of history goes ---- */

/* With those that come from it; the machine stands on none of them. */
static void drop_family(struct timeline *tl, struct branch *b)
{
    for (size_t i = tl->branches.count; i-- > 0;)
        if (i < tl->branches.count && tl->branches.list[i]->parent == b)
            drop_family(tl, tl->branches.list[i]);
    if (*b->name)
        log_line(LOG_INFO, "branch %s goes with the history it came from", b->name);
    drop(tl, b);
}

static bool is_forgotten(const struct branch *b, const struct entry *first, uint64_t position)
{
    return b->origin < position ||
           (b->origin == first->checkpoint->position && b->origin_event < first->log_index);
}

/* Diversions are kept by those that come from them. */
static void drop_childless(struct timeline *tl)
{
    for (size_t i = tl->branches.count; i-- > 1;) {
        struct branch *b = tl->branches.list[i];
        if (branch_is_diversion(b) && !branch_has_children(tl, b))
            drop(tl, b);
    }
}

void branches_forget(struct timeline *tl, uint64_t position)
{
    const struct entry first = tl->history.entry[0];
    bool live = tl->live;
    for (size_t i = tl->branches.count; i-- > 1;)
        if (i < tl->branches.count && is_forgotten(tl->branches.list[i], &first, position))
            drop_family(tl, tl->branches.list[i]);
    drop_childless(tl);
    for (size_t i = 1; i < tl->branches.count; i++) {
        change_to(tl, tl->branches.list[i]);
        history_begin_with(tl, &first);
        bookmarks_forget(tl);
    }
    change_to(tl, tl->branches.list[0]);
    tl->live = live;
}
