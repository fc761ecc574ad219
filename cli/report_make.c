/* A report from its parts: first all is found out, then it is written down. */
#include "cli/report_parts.h"

#include "base/check.h"

#include <stdlib.h>

/* Places of traps that are still on the stack: what the traps' list is to tell more about. */
static bool want_traps(struct report *r, const struct hart_view *v)
{
    struct hart_traps *h = &r->traps[v->hart];
    bool more = false;
    for (size_t i = 0; i < v->frames && h->wants < TRAPS_WANTED; i++) {
        if (v->frame[i].kind == FRAME_TRAP) {
            h->wanted[h->wants++] = v->frame[i].regs.pc;
            more = true;
        }
    }
    return more;
}

/* Firmware that was called from below: the hart as it was when it called. */
static bool look_below(struct report *r, unsigned hart)
{
    const struct hart_traps *h = &r->traps[hart];
    struct hart_view *below = &r->below[hart];
    below->hart = hart;
    if (report_privilege(r, hart) != 3)
        return false;
    for (uint64_t i = 0; i < h->count && i < TRAPS_KEPT; i++) {
        const struct trap *t = &h->last[(h->count - 1 - i) % TRAPS_KEPT];
        if (t->from == 3)
            continue;
        if (t->to == 3 && t->epc == report_register(r, hart, "mepc") &&
            t->from == (report_register(r, hart, "mstatus") >> 11 & 3) &&
            report_seek(r, t->position))
            report_view(r, hart, below);
        break;
    }
    return below->frames && want_traps(r, below);
}

static void find_out(struct report *r)
{
    unsigned harts = r->machine->config.cpus;
    bool again = false;
    report_seek(r, r->tip);
    for (unsigned i = 0; i < harts; i++) {
        report_view(r, i, &r->view[i]);
        want_traps(r, &r->view[i]);
    }
    report_collect_traps(r);
    for (unsigned i = 0; i < harts; i++) {
        again = look_below(r, i) || again;
        report_seek(r, r->tip);
    }
    if (again)
        report_collect_traps(r);
    report_judge(r);
    report_find_culprit(r);
    report_seek(r, r->tip);
}

static void write_down(struct report *r)
{
    struct buffer title = {0};
    report_title(r, &title);
    report_page_begin(r->page, buffer_text(&title));
    buffer_fini(&title);
    report_put_summary(r);
    report_put_pointers(r);
    if (r->scene.frames)
        report_put_hart(r, &r->scene, MOMENT_SCENE);
    report_put_console(r);
    for (unsigned i = 0; i < r->machine->config.cpus; i++) {
        report_put_hart(r, &r->view[i], MOMENT_END);
        if (r->below[i].frames)
            report_put_hart(r, &r->below[i], MOMENT_CALL);
    }
    report_put_traps(r);
    report_put_next(r);
    report_page_end(r->page);
}

void report_make(const struct report_source *source, struct report_page *page)
{
    struct machine *m = timeline_machine(source->timeline);
    unsigned harts = m->config.cpus;
    struct report r = {.source = source,
                       .timeline = source->timeline,
                       .machine = m,
                       .symbols = source->symbols,
                       .page = page,
                       .tip = timeline_tip(source->timeline),
                       .view = mem_new(harts, sizeof *r.view),
                       .below = mem_new(harts, sizeof *r.below),
                       .traps = mem_new(harts, sizeof *r.traps)};
    uint64_t end = r.tip;
    if (source->at != POSITION_NONE && source->at < end) {
        r.past = true;
        r.tip = source->at > timeline_begin(r.timeline) ? source->at : timeline_begin(r.timeline);
    }
    timeline_points_clear(r.timeline);
    find_out(&r);
    write_down(&r);
    report_seek(&r, end);
    free(r.view);
    free(r.below);
    free(r.traps);
}
