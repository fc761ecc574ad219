/* Questions: like a search back, but nothing is decided at a hit; it is noted. */
#include "timeline/query.h"

#include "base/check.h"
#include "timeline/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct question {
    struct query query; /* .point is `point` */
    struct timeline_point point[QUERY_POINTS];
    struct reported before;  /* what had been reported where it began */
    struct query_hit *found; /* newest first */
    size_t count, capacity;
    struct query_hit *seen; /* in the interval under replay: the newest that are still wanted */
    size_t seen_capacity;
    uint64_t seen_count; /* all of them; the newest is at (seen_count - 1) % wanted */
    uint64_t total;
    uint64_t replayed;  /* steps */
    uint64_t searched;  /* down to here */
    uint64_t log_end;   /* events from this index on belong to what was replayed before */
    uint64_t log_begin; /* of the interval under replay */
};

void question_free(struct question *q)
{
    if (!q)
        return;
    free(q->found);
    free(q->seen);
    free(q);
}

static size_t wanted(const struct question *q)
{
    return q->query.most - q->count;
}

/* ---- a hit ---- */

static size_t look(const struct timeline *tl, const struct hit *hit, void *bytes, size_t size)
{
    return hit->kinds & HIT_PHYSICAL ? timeline_read_physical(tl, hit->address, bytes, size)
                                     : timeline_read_some(tl, hit->hart, hit->address, bytes, size);
}

static void note_bytes(const struct timeline *tl, const struct hit *hit, struct query_hit *note)
{
    note->size = hit->size < QUERY_BYTES ? hit->size : QUERY_BYTES;
    note->before_known = look(tl, hit, note->before, note->size) == note->size;
    note->after_known = hit->after != NULL;
    if (hit->after)
        memcpy(note->after, hit->after, note->size);
}

static void note_hit(struct timeline *tl, const struct hit *hit, struct query_hit *note)
{
    const struct question *q = tl->question;
    const struct cpu *cpu = tl->m->cpu[hit->hart];
    *note = (struct query_hit){.hit = *hit, .pc = cpu->ops->pc(cpu)};
    note->hit.after = NULL;
    note->hit.device = NULL;
    note->priv = cpu_privilege(cpu);
    if (hit->kinds & HIT_WRITE)
        note_bytes(tl, hit, note);
    if (hit->device)
        snprintf(note->device, sizeof note->device, "%s", hit->device);
    for (size_t i = 0; i < q->query.regs; i++)
        note->value[i] = cpu->ops->get_register(cpu, q->query.reg[i]);
}

static struct query_hit *room_for_hit(struct question *q)
{
    size_t want = wanted(q);
    if (q->seen_count >= q->seen_capacity && q->seen_capacity < want) {
        size_t more = q->seen_capacity ? 2 * q->seen_capacity : 16;
        q->seen_capacity = more < want ? more : want;
        q->seen = mem_grow(q->seen, q->seen_capacity, sizeof *q->seen);
    }
    return &q->seen[q->seen_count++ % want];
}

/* Where two intervals meet, events that belong to the later one may be delivered at the end of the
 * earlier one too. */
static bool was_seen(const struct timeline *tl, const struct hit *hit)
{
    return hit->behind && hit->position + 1 == tl->op.scan_end &&
           tl->player.next > tl->question->log_end;
}

static bool matches(const struct timeline *tl, const struct hit *hit)
{
    const struct question *q = tl->question;
    if (hit->kinds & HIT_TRAP)
        return q->query.traps;
    for (size_t i = 0; i < q->query.points; i++)
        if (point_matches(tl, &q->point[i], hit))
            return true;
    return false;
}

static bool in_time(const struct query *query, const struct hit *hit)
{
    /* What is written behind at position 0 has no step before it. */
    return hit->position == POSITION_NONE
               ? !query->from
               : hit->position >= query->from && hit->position < query->to;
}

static bool note(void *ctx, const struct hit *hit)
{
    struct timeline *tl = ctx;
    struct question *q = tl->question;
    if (!in_time(&q->query, hit) || (q->query.hart != MACHINE_CPUS && q->query.hart != hit->hart) ||
        was_seen(tl, hit) || !matches(tl, hit))
        return false;
    note_hit(tl, hit, room_for_hit(q));
    return false;
}

/* ---- intervals ---- */

static void add_found(struct question *q)
{
    size_t want = wanted(q), count = q->seen_count < want ? q->seen_count : want;
    q->total += q->seen_count;
    if (q->count + count > q->capacity) {
        q->capacity = q->count + count;
        q->found = mem_grow(q->found, q->capacity, sizeof *q->found);
    }
    for (size_t i = 0; i < count; i++)
        q->found[q->count++] = q->seen[(q->seen_count - 1 - i) % want];
}

static bool goes_on(struct timeline *tl)
{
    const struct question *q = tl->question;
    return wanted(q) && !(q->query.steps && q->replayed >= q->query.steps);
}

static bool wants(struct timeline *tl, const struct entry *entry)
{
    struct question *q = tl->question;
    if (history_may_hit(tl, entry))
        return true;
    q->log_end = entry->log_index;
    q->searched = entry->checkpoint->position;
    return false;
}

static void begin_noting(struct timeline *tl)
{
    tl->question->seen_count = 0;
    tl->question->log_begin = tl->player.next;
}

static void take_noted(struct timeline *tl, uint64_t end)
{
    struct question *q = tl->question;
    q->replayed += end - tl->op.low;
    q->searched = tl->op.low;
    q->log_end = q->log_begin;
    add_found(q);
}

static void land(struct timeline *tl)
{
    struct question *q = tl->question;
    if (q->searched < q->query.from)
        q->searched = q->query.from;
    seek_begin(tl, tl->op.start);
}

enum timeline_status query_advance(struct timeline *tl, struct stop *stop)
{
    static const struct scan scan = {.goes_on = goes_on,
                                     .wants = wants,
                                     .begins = begin_noting,
                                     .ends = take_noted,
                                     .exhausted = land};
    return scan_advance(tl, &scan, stop);
}

void query_progress(const struct timeline *tl, uint64_t *done, uint64_t *total)
{
    const struct operation *op = &tl->op;
    const struct query *query = &tl->question->query;
    *total = query->to - query->from;
    *done = query->to - op->scan_end;
    if (op->scanning)
        *done += machine_position(tl->m) - op->low;
    if (*done > *total)
        *done = *total;
}

/* ---- asking ---- */

static struct question *question_new(const struct timeline *tl, const struct query *query)
{
    struct question *q = mem_new(1, sizeof *q);
    uint64_t begin = timeline_begin(tl);
    check(query->points <= QUERY_POINTS, "%zu points", query->points);
    check(query->regs <= QUERY_REGISTERS, "%zu registers", query->regs);
    check(query->most && query->most <= QUERY_MOST, "%zu hits", query->most);
    q->query = *query;
    q->query.from = query->from > begin ? query->from : begin;
    q->query.to = query->to < tl->tip ? query->to : tl->tip;
    if (q->query.from > q->query.to)
        q->query.from = q->query.to;
    for (size_t i = 0; i < query->points; i++)
        q->point[i] = query->point[i];
    q->query.point = q->point;
    q->searched = q->query.to;
    q->log_end = UINT64_MAX;
    return q;
}

void timeline_query(struct timeline *tl, const struct query *query)
{
    branch_undo_call(tl);
    question_free(tl->question);
    struct question *q = tl->question = question_new(tl, query);
    q->before = tl->reported;
    operation_begin(tl, (struct operation){.kind = OPERATION_QUERY,
                                           .phase = PHASE_QUERY,
                                           .floor = q->query.from,
                                           .scan_end = q->query.to});
    tl->op.found = operation_stop(STOP_DONE, tl->op.start);
    tl->op.report = q->before;
    seek_remember_start(tl);
    run_leave_live(tl);
    points_arm_other(tl, q->point, q->query.points, q->query.traps, note, tl);
}

const struct query_hit *timeline_query_hit(const struct timeline *tl, size_t index)
{
    const struct question *q = tl->question;
    return q && index < q->count ? &q->found[index] : NULL;
}

uint64_t timeline_query_count(const struct timeline *tl, bool *complete)
{
    const struct question *q = tl->question;
    *complete = q && q->searched <= q->query.from;
    return q ? q->total : 0;
}

uint64_t timeline_query_searched(const struct timeline *tl)
{
    return tl->question ? tl->question->searched : 0;
}
