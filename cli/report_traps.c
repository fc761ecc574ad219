/* The last traps of each hart: the last stretch of the recording is replayed with breakpoints at
 * the trap vectors. A longer stretch is tried while something is missing. */
#include "cli/report_parts.h"

#include "cli/numbers.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Steps of the first and of the longest stretches: without and with a certain trap that is looked
 * for; and how many traps in a stretch are too many to try a longer one. */
enum { FIRST = 100000, LONGEST = 100000000, FURTHEST = 1000000000, LONGER = 10, MANY = 50000 };
/* Traps that are no further apart are a loop. */
enum { LOOP_STEPS = 100 };

const char *report_cause_name(bool interrupt, uint64_t cause)
{
    static const char *const interrupts[16] = {
        [1] = "supervisor software interrupt", [3] = "machine software interrupt",
        [5] = "supervisor timer interrupt",    [7] = "machine timer interrupt",
        [9] = "supervisor external interrupt", [11] = "machine external interrupt"};
    static const char *const exceptions[16] = {"instruction address misaligned",
                                               "instruction access fault",
                                               "illegal instruction",
                                               "breakpoint",
                                               "load address misaligned",
                                               "load access fault",
                                               "store address misaligned",
                                               "store access fault",
                                               "call from user mode",
                                               "call from supervisor mode",
                                               NULL,
                                               "call from machine mode",
                                               "instruction page fault",
                                               "load page fault",
                                               NULL,
                                               "store page fault"};
    const char *name = cause < 16 ? (interrupt ? interrupts : exceptions)[cause] : NULL;
    return name ? name : interrupt ? "unknown interrupt" : "unknown exception";
}

bool report_is_fault(const struct trap *t)
{
    return !t->interrupt && t->cause != 8 && t->cause != 9 && t->cause != 11;
}

/* ---- vectors ---- */

enum { VECTORS_MOST = 64 };

struct vectors {
    uint64_t address[VECTORS_MOST];
    unsigned count;
};

static void add_vector(struct vectors *v, uint64_t address)
{
    for (unsigned i = 0; i < v->count; i++)
        if (v->address[i] == address)
            return;
    if (v->count < VECTORS_MOST)
        v->address[v->count++] = address;
}

static void add_vectors(struct vectors *v, uint64_t tvec)
{
    static const uint8_t interrupt[] = {1, 3, 5, 7, 9, 11};
    add_vector(v, tvec & ~UINT64_C(3));
    for (size_t i = 0; (tvec & 1) && i < sizeof interrupt; i++)
        add_vector(v, (tvec & ~UINT64_C(3)) + 4u * interrupt[i]);
}

static void find_vectors(const struct report *r, struct vectors *v)
{
    v->count = 0;
    for (unsigned i = 0; i < r->machine->config.cpus; i++) {
        add_vectors(v, report_register(r, i, "mtvec"));
        if (report_register(r, i, "stvec"))
            add_vectors(v, report_register(r, i, "stvec"));
    }
}

/* Does the hart stand where its mode's handler begins? */
static bool at_vector(const struct report *r, unsigned hart)
{
    struct vectors v = {.count = 0};
    unsigned privilege = report_privilege(r, hart);
    if (!privilege)
        return false;
    add_vectors(&v, report_register(r, hart, privilege == 3 ? "mtvec" : "stvec"));
    for (unsigned i = 0; i < v.count; i++)
        if (v.address[i] == report_pc(r, hart))
            return true;
    return false;
}

/* ---- one stretch ---- */

/* A hart stands at the first instruction of a handler. */
static struct trap read_trap(const struct report *r, unsigned hart)
{
    bool machine = report_privilege(r, hart) == 3;
    uint64_t cause = report_register(r, hart, machine ? "mcause" : "scause");
    uint64_t status = report_register(r, hart, "mstatus");
    return (struct trap){
        .position = r->machine->state.last_step[hart],
        .hart = hart,
        .interrupt = cause >> 63,
        .cause = cause & INT64_MAX,
        .epc = report_register(r, hart, machine ? "mepc" : "sepc"),
        .tval = report_register(r, hart, machine ? "mtval" : "stval"),
        .from = machine ? status >> 11 & 3 : status >> 8 & 1,
        .to = machine ? 3 : 1,
    };
}

static void note_trap(struct report *r, unsigned hart)
{
    struct hart_traps *h = &r->traps[hart];
    struct trap t = read_trap(r, hart);
    const struct trap *before = h->count ? &h->last[(h->count - 1) % TRAPS_KEPT] : NULL;
    if (t.position == POSITION_NONE || (before && before->position == t.position))
        return;
    if (!before || t.position - before->position > LOOP_STEPS) {
        h->loop = t;
        h->loop_begins = before || r->traps_from == timeline_begin(r->timeline) ||
                         t.position - r->traps_from > LOOP_STEPS;
    }
    for (unsigned i = 0; i < h->wants; i++) {
        if (h->wanted[i] == t.epc) {
            h->found[i] = t;
            h->have[i] = true;
        }
    }
    h->last[h->count++ % TRAPS_KEPT] = t;
}

/* A trap that was the last thing to happen: no step of its handler is made. */
static void note_last(struct report *r)
{
    for (unsigned i = 0; i < r->machine->config.cpus; i++)
        if (at_vector(r, i))
            note_trap(r, i);
}

static void reset_lists(struct report *r)
{
    for (unsigned i = 0; i < r->machine->config.cpus; i++) {
        struct hart_traps *h = &r->traps[i];
        h->count = 0;
        memset(h->have, 0, sizeof h->have);
    }
}

/* Returns the number of traps; false in *complete when the replay did not come to the tip. */
static uint64_t replay_stretch(struct report *r, uint64_t from, bool *complete)
{
    struct vectors v;
    struct stop stop = {0};
    uint64_t count = 0;
    r->traps_from = from;
    find_vectors(r, &v);
    reset_lists(r);
    *complete = report_seek(r, from);
    for (unsigned i = 0; i < v.count; i++)
        timeline_point_add(r->timeline, HIT_EXECUTE, v.address[i], 0);
    while (*complete && timeline_position(r->timeline) < r->tip) {
        timeline_continue_to(r->timeline, r->tip);
        timeline_finish(r->timeline, &stop);
        if (stop.reason != STOP_BREAK)
            break;
        if (at_vector(r, stop.hart)) {
            note_trap(r, stop.hart);
            count++;
        }
    }
    timeline_points_clear(r->timeline);
    if (stop.reason == STOP_DIVERGED)
        snprintf(r->trouble, sizeof r->trouble, "%.200s", stop.text);
    *complete = *complete && report_seek(r, r->tip);
    if (*complete)
        note_last(r);
    return count;
}

/* ---- how far back ---- */

static bool something_wanted(const struct report *r)
{
    for (unsigned i = 0; i < r->machine->config.cpus; i++)
        for (unsigned j = 0; j < r->traps[i].wants; j++)
            if (!r->traps[i].have[j])
                return true;
    return false;
}

static bool lists_full(const struct report *r)
{
    for (unsigned i = 0; i < r->machine->config.cpus; i++)
        if (r->traps[i].count < TRAPS_KEPT || !r->traps[i].loop_begins)
            return false;
    return true;
}

void report_collect_traps(struct report *r)
{
    uint64_t begin = timeline_begin(r->timeline), length = r->tip - begin, stretch = FIRST;
    bool complete = true;
    for (;; stretch *= LONGER) {
        uint64_t from = stretch < length ? r->tip - stretch : begin;
        uint64_t count = replay_stretch(r, from, &complete);
        uint64_t longest = something_wanted(r) ? FURTHEST : LONGEST;
        if (!complete || from == begin || stretch >= longest || count > MANY)
            return;
        if (lists_full(r) && !something_wanted(r))
            return;
    }
}

/* ---- words ---- */

static void put_trap(struct report *r, const struct trap *t)
{
    struct report_page *p = r->page;
    char text[NUMBER_TEXT];
    number_format(t->position, text);
    report_page_put(p, PAGE_DIM, "%16s  ", text);
    report_page_put(p, report_is_fault(t) ? PAGE_BAD : PAGE_PLAIN, "%s",
                    report_cause_name(t->interrupt, t->cause));
    if (!strncmp(report_cause_name(t->interrupt, t->cause), "unknown", 7))
        report_page_put(p, PAGE_PLAIN, " %" PRIu64, t->cause);
    if (t->tval)
        report_page_put(p, PAGE_PLAIN, ", %s %#" PRIx64, t->cause == 2 ? "bits" : "address",
                        t->tval);
    report_page_column(p, 68);
    report_page_put(p, PAGE_DIM, "%s to %s mode", report_privilege_name(t->from),
                    report_privilege_name(t->to));
    report_page_end_line(p);
    report_page_column(p, 18);
    report_page_put(p, PAGE_PLAIN, "at ");
    report_put_place(r, t->epc);
    report_page_end_line(p);
}

static void put_hart(struct report *r, unsigned hart)
{
    const struct hart_traps *h = &r->traps[hart];
    uint64_t shown = h->count < TRAPS_KEPT ? h->count : TRAPS_KEPT;
    char text[NUMBER_TEXT];
    number_format(r->tip - r->traps_from, text);
    report_page_section(r->page, "last traps and interrupts of hart %u", hart);
    if (r->trouble[0])
        report_page_line(r->page, "not all is known: %s", r->trouble);
    if (!shown)
        report_page_line(r->page, "none in the last %s steps", text);
    else if (shown < TRAPS_KEPT)
        report_page_line(r->page, "all there were in the last %s steps", text);
    for (uint64_t i = h->count - shown; i < h->count; i++)
        put_trap(r, &h->last[i % TRAPS_KEPT]);
}

void report_put_traps(struct report *r)
{
    for (unsigned i = 0; i < r->machine->config.cpus; i++)
        put_hart(r, i);
}
