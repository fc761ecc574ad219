#include "tests/unit/timeline/model.h"

#include <inttypes.h>

static bool point_touches(const struct model_point *p, const struct access *a)
{
    uint64_t last = p->size - 1 > UINT64_MAX - p->address ? UINT64_MAX : p->address + p->size - 1;
    return (p->kinds & a->kinds) && a->address <= last && a->address + (a->size - 1) >= p->address;
}

static bool holds(const struct model *m, const struct model_point *p, uint64_t step,
                  const struct access *a)
{
    return !m->holds || m->holds(m->ctx, p, step, a);
}

bool model_hit(const struct model *m, const struct model_point *p, uint64_t step)
{
    const struct step *s = &m->t->step[step];
    if (p->kinds == HIT_EXECUTE)
        return !s->interrupt && p->address == s->pc && holds(m, p, step, NULL);
    for (size_t i = s->first_access; i < s[1].first_access; i++)
        if (point_touches(p, &m->t->access[i]) && holds(m, p, step, &m->t->access[i]))
            return true;
    return false;
}

static bool stops_at(const struct model *m, uint64_t step, bool execute)
{
    for (unsigned i = 0; i < m->points; i++) {
        const struct model_point *p = &m->point[i];
        if (!p->acts && (p->kinds == HIT_EXECUTE) == execute && model_hit(m, p, step))
            return true;
    }
    return false;
}

bool model_break_at(const struct model *m, uint64_t step)
{
    return stops_at(m, step, true);
}

bool model_watch_at(const struct model *m, uint64_t step)
{
    return stops_at(m, step, false);
}

static void add(struct answers *a, enum stop_reason reason, uint64_t position, uint64_t step)
{
    if (a->count < MODEL_ANSWERS)
        a->answer[a->count++] = (struct answer){reason, position, step};
}

/* Watched accesses of `step`: adds the stop at `position`; true when it is the definite one. */
static bool add_watch(const struct model *m, struct answers *a, uint64_t step, uint64_t position)
{
    enum reported r = m->reported_step == step ? m->reported : REPORTED_NO;
    /* Only the step beside the present can be the one just reported. */
    if ((step != m->position && step + 1 != m->position))
        r = REPORTED_NO;
    if (r == REPORTED_YES || !model_watch_at(m, step))
        return false;
    add(a, STOP_WATCH, position, step);
    return r == REPORTED_NO;
}

static bool in_range(const struct model *m, const struct model_move *move, uint64_t position)
{
    uint64_t pc = m->t->pc[position * m->t->harts + move->hart];
    return pc >= move->low && pc < move->high;
}

static void add_end(const struct model *m, struct answers *a, bool live, uint64_t end)
{
    if (live) {
        add(a, m->t->stuck ? STOP_STUCK : STOP_HALT, end, 0);
        return;
    }
    /* The step at the tip has not been made, but a debugger may be told what it stands at. */
    if (end < m->t->steps) {
        if (model_break_at(m, end) && end != m->position)
            add(a, STOP_BREAK, end, end);
        add_watch(m, a, end, end);
    }
    add(a, STOP_END, end, 0);
}

static void forward(const struct model *m, const struct model_move *move, struct answers *a)
{
    bool live = m->position == m->tip, stepping = move->op == OP_STEP || move->op == OP_RANGE;
    uint64_t end = live ? m->t->steps : m->tip;
    for (uint64_t k = m->position;; k++) {
        if (k == end) {
            add_end(m, a, live, end);
            return;
        }
        const struct step *s = &m->t->step[k];
        bool own = stepping && s->hart == move->hart, definite = false;
        if (k > m->position && model_break_at(m, k)) {
            add(a, STOP_BREAK, k, k);
            /* The breakpoint the hart stands at while others have their turn is open. */
            definite = !(own && move->op == OP_STEP);
        }
        definite |= add_watch(m, a, k, k);
        if (move->op == OP_CONTINUE_TO && k == move->target) {
            add(a, STOP_DONE, k, 0);
            return;
        }
        if (definite)
            return;
        if (own && (move->op == OP_STEP || !in_range(m, move, k + 1))) {
            if (k + 1 == end)
                add_end(m, a, live, k + 1);
            add(a, STOP_DONE, k + 1, 0);
            return;
        }
    }
}

static void reverse(const struct model *m, const struct model_move *move, struct answers *a)
{
    bool stepping = move->op == OP_REVERSE_STEP;
    for (uint64_t k = m->position; k-- > 0;) {
        bool own = stepping && m->t->step[k].hart == move->hart;
        if (add_watch(m, a, k, k + 1))
            return;
        if (model_break_at(m, k)) {
            add(a, STOP_BREAK, k, k);
            if (!own)
                return;
        }
        if (own) {
            add(a, STOP_DONE, k, 0);
            return;
        }
    }
    add(a, STOP_BEGIN, 0, 0);
}

void model_answers(const struct model *m, const struct model_move *move, struct answers *a)
{
    a->count = 0;
    if (move->op == OP_SEEK) {
        if (move->target > m->tip)
            add(a, STOP_END, m->tip, 0);
        add(a, STOP_DONE, move->target < m->tip ? move->target : m->tip, 0);
    } else if (move->op == OP_REVERSE_CONTINUE || move->op == OP_REVERSE_STEP) {
        reverse(m, move, a);
    } else {
        forward(m, move, a);
    }
}

static const char *check_break(const struct model *m, const struct stop *stop, uint64_t step)
{
    const struct step *s = &m->t->step[step];
    if (stop->address != s->pc)
        return "the address is not the pc";
    return stop->hart == s->hart ? NULL : "another hart than the one that hit";
}

static const char *check_watch(const struct model *m, const struct stop *stop, uint64_t step)
{
    const struct step *s = &m->t->step[step];
    if (stop->hart != s->hart)
        return "another hart than the one that accessed";
    for (size_t i = s->first_access; i < s[1].first_access; i++)
        for (unsigned p = 0; p < m->points; p++) {
            const struct model_point *point = &m->point[p];
            const struct access *access = &m->t->access[i];
            uint64_t first = access->address > point->address ? access->address : point->address;
            if (point->kinds == stop->kinds && point->kinds != HIT_EXECUTE &&
                point_touches(point, access) && first == stop->address)
                return NULL;
        }
    return "no such range was accessed at that address";
}

/* Forward it may be anywhere on the way; reverse and seek are back. */
static const char *check_interrupted(const struct model *m, const struct model_move *move,
                                     const struct answers *a, const struct stop *stop)
{
    bool back =
        move->op == OP_REVERSE_CONTINUE || move->op == OP_REVERSE_STEP || move->op == OP_SEEK;
    uint64_t last = a->answer[a->count - 1].position;
    if (back && stop->position != m->position)
        return "interrupted, but not back where it began";
    if (stop->position < m->position || (!back && stop->position > last))
        return "interrupted behind the stop";
    return NULL;
}

const char *model_take(struct model *m, const struct model_move *move, const struct answers *a,
                       const struct stop *stop, bool interrupted)
{
    const char *wrong = "not a stop that is right";
    if (interrupted && stop->reason == STOP_INTERRUPT) {
        wrong = check_interrupted(m, move, a, stop);
        m->reported = stop->position == m->position && m->reported ? REPORTED_MAYBE : REPORTED_NO;
    } else {
        for (unsigned i = 0; wrong && i < a->count; i++) {
            const struct answer *x = &a->answer[i];
            if (x->reason != stop->reason || x->position != stop->position)
                continue;
            wrong = x->reason == STOP_BREAK   ? check_break(m, stop, x->step)
                    : x->reason == STOP_WATCH ? check_watch(m, stop, x->step)
                                              : NULL;
            /* A movement that goes nowhere leaves open what was reported before. */
            m->reported = x->reason == STOP_WATCH                        ? REPORTED_YES
                          : stop->position == m->position && m->reported ? REPORTED_MAYBE
                                                                         : REPORTED_NO;
            if (x->reason == STOP_WATCH)
                m->reported_step = x->step;
        }
    }
    m->position = stop->position;
    if (m->position > m->tip)
        m->tip = m->position;
    return wrong;
}

void model_points_changed(struct model *m)
{
    if (m->reported == REPORTED_YES)
        m->reported = REPORTED_MAYBE;
}

void model_begin_move(struct timeline *tl, const struct model_move *move)
{
    switch (move->op) {
    case OP_CONTINUE:
        timeline_continue(tl);
        break;
    case OP_CONTINUE_TO:
        timeline_continue_to(tl, move->target);
        break;
    case OP_STEP:
        timeline_step(tl, move->hart);
        break;
    case OP_RANGE:
        timeline_step_range(tl, move->hart, move->low, move->high);
        break;
    case OP_REVERSE_CONTINUE:
        timeline_reverse_continue(tl);
        break;
    case OP_REVERSE_STEP:
        timeline_reverse_step(tl, move->hart);
        break;
    default:
        timeline_seek(tl, move->target);
    }
}

void model_describe(const struct model *m, const struct model_move *move, const struct answers *a,
                    struct buffer *out)
{
    static const char *const ops[] = {"continue",         "continue_to",  "step", "step_range",
                                      "reverse_continue", "reverse_step", "seek"};
    buffer_printf(out,
                  "%s hart %u [%#" PRIx64 ",%#" PRIx64 ") target %" PRIu64 " from %" PRIu64
                  " tip %" PRIu64 " of %" PRIu64 "; reported %d step %" PRIu64 "; expected",
                  ops[move->op], move->hart, move->low, move->high, move->target, m->position,
                  m->tip, m->t->steps, m->reported, m->reported_step);
    for (unsigned i = 0; i < a->count; i++)
        buffer_printf(out, " (reason %d at %" PRIu64 ")", a->answer[i].reason,
                      a->answer[i].position);
    buffer_append_string(out, "; points");
    for (unsigned i = 0; i < m->points; i++)
        buffer_printf(out, " (%u %#" PRIx64 " %" PRIu64 ")", m->point[i].kinds, m->point[i].address,
                      m->point[i].size);
}
