/* How the run ended, and which function is to blame. */
#include "cli/report_parts.h"

#include "cli/numbers.h"
#include "cli/report_culprits.h"
#include "machine/riscv/decode.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Steps back to the code that went to where a run ends. */
enum { STEPS_BACK = 2000 };
/* Characters of a line, and those before a field's text. */
enum { WIDTH = 96, COLUMN = 12 };

/* ---- how it ended ---- */

static const struct {
    const char *reason; /* how a trigger's name begins */
    enum report_end end;
} reasons[] = {
    {"panic", END_PANIC},     {"oops", END_PANIC},          {"test-fail", END_FAILED},
    {"exit", END_FAILED},     {"trap-loop", END_TRAP_LOOP}, {"symbol", END_SYMBOL},
    {"console", END_CONSOLE}, {"watchdog", END_WATCHDOG},   {"power-off", END_POWER_OFF},
};

/* Behind the outermost of the last resorts; 0: there is none. */
static size_t behind_last_resort(const struct report *r, const struct hart_view *v)
{
    struct source_frame source[SOURCE_FRAMES];
    for (size_t i = v->frames; i-- > 0;) {
        size_t count = symbols_source(r->symbols, frame_place(&v->frame[i]), source, SOURCE_FRAMES);
        for (size_t j = 0; j < count; j++)
            if (source[j].function && report_is_last_resort(source[j].function))
                return i + 1;
    }
    return 0;
}

/* What a hart was in; what called the firmware is the guest. */
static const struct hart_view *guest_view(const struct report *r, unsigned hart)
{
    return r->below[hart].frames ? &r->below[hart] : &r->view[hart];
}

static bool in_last_resort(const struct report *r, unsigned hart)
{
    return behind_last_resort(r, guest_view(r, hart)) != 0;
}

/* The hart that had the last step; in a panic another one may be in it. */
static unsigned choose_hart(const struct report *r)
{
    unsigned last = 0, harts = r->machine->config.cpus;
    const uint64_t *step = r->machine->state.last_step;
    for (unsigned i = 1; i < harts; i++)
        if (step[i] != POSITION_NONE && (step[last] == POSITION_NONE || step[i] > step[last]))
            last = i;
    if (r->end == END_FAILED || r->end == END_TRAP_LOOP || in_last_resort(r, last))
        return last;
    for (unsigned i = 0; i < harts; i++)
        if (in_last_resort(r, i))
            return i;
    return last;
}

void report_judge(struct report *r)
{
    const char *reason = r->past ? NULL : r->source->reason;
    const struct machine_state *state = &r->machine->state;
    r->end = END_PLAIN;
    for (size_t i = 0; reason && i < sizeof reasons / sizeof *reasons; i++)
        if (!strncmp(reason, reasons[i].reason, strlen(reasons[i].reason)))
            r->end = reasons[i].end;
    if (r->end == END_PLAIN && state->halt == HALT_EXIT && state->halt_code)
        r->end = END_FAILED;
    else if (r->end == END_PLAIN && state->halt)
        r->end = END_POWER_OFF;
    r->hart = choose_hart(r);
    if ((r->end == END_PLAIN || r->end == END_POWER_OFF) && in_last_resort(r, r->hart))
        r->end = END_PANIC;
}

void report_title(const struct report *r, struct buffer *out)
{
    const struct machine_state *state = &r->machine->state;
    if (r->past)
        buffer_printf(out, "as it was at position %" PRIu64 ", before the end", r->tip);
    else if (r->source->verdict && r->source->verdict[0])
        buffer_printf(out, "%.300s", r->source->verdict);
    else if (state->halt == HALT_EXIT)
        buffer_printf(out, "the guest ended the run with code %" PRIu64, state->halt_code);
    else if (state->halt == HALT_POWER_OFF)
        buffer_append_string(out, "the machine was switched off");
    else if (state->halt == HALT_RESET)
        buffer_append_string(out, "the guest asked for a reset");
    else if (r->source->reason && r->end != END_PLAIN)
        buffer_printf(out, "the run was ended by: %.100s", r->source->reason);
    else if (r->end == END_PANIC)
        buffer_append_string(out, "the guest is in a panic");
    else
        buffer_append_string(out, "the recording ends here; nothing is known to have failed");
}

/* ---- the fault ---- */

/* Is the handler of the hart's last trap still running? xRET would have changed mode or status. */
static bool handler_active(const struct report *r, const struct trap *t)
{
    bool machine = t->to == 3;
    uint64_t status = report_register(r, t->hart, "mstatus");
    unsigned previous = machine ? status >> 11 & 3 : status >> 8 & 1;
    return report_privilege(r, t->hart) >= t->to && previous == t->from &&
           report_register(r, t->hart, machine ? "mepc" : "sepc") == t->epc;
}

static bool find_fault(struct report *r)
{
    const struct hart_traps *h = &r->traps[r->hart];
    if (r->end == END_TRAP_LOOP) {
        r->fault = h->loop;
        return h->count && h->loop_begins;
    }
    for (unsigned i = 0; i < h->wants; i++) {
        if (h->have[i] && report_is_fault(&h->found[i])) {
            r->fault = h->found[i];
            return true;
        }
    }
    if (!h->count)
        return false;
    r->fault = h->last[(h->count - 1) % TRAPS_KEPT];
    return report_is_fault(&r->fault) && handler_active(r, &r->fault);
}

/* ---- the culprit ---- */

static void set_culprit(struct report *r, uint64_t place, const struct source_frame *source)
{
    struct culprit *c = &r->culprit;
    c->known = true;
    c->place = place;
    c->hart = r->hart;
    c->position = POSITION_NONE;
    snprintf(c->function, sizeof c->function, "%s", source->function);
    c->file = source->file;
    c->line = source->line;
}

/* The first function from frame `from` outwards that is neither nameless nor passed over. */
static bool blame(struct report *r, const struct hart_view *v, size_t from,
                  bool (*passed_over)(const struct report *r, const char *function))
{
    struct source_frame source[SOURCE_FRAMES];
    for (size_t i = from; i < v->frames; i++) {
        uint64_t place = frame_place(&v->frame[i]);
        size_t count = symbols_source(r->symbols, place, source, SOURCE_FRAMES);
        for (size_t j = 0; j < count; j++) {
            if (!source[j].function || passed_over(r, source[j].function))
                continue;
            set_culprit(r, place, &source[j]);
            return true;
        }
    }
    return false;
}

static bool none(const struct report *r, const char *function)
{
    (void)r, (void)function;
    return false;
}

static bool machinery(const struct report *r, const char *function)
{
    (void)r;
    return report_is_machinery(function);
}

static bool machinery_or_ending(const struct report *r, const char *function)
{
    (void)r;
    return report_is_machinery(function) || report_is_ending(function);
}

/* Behind the innermost frame when that is in the function of "symbol:NAME". */
static size_t behind_symbol(const struct report *r, const struct hart_view *v)
{
    struct symbol s;
    const char *name = strchr(r->source->reason, ':');
    return name && v->frames > 1 && symbols_lookup(r->symbols, frame_place(&v->frame[0]), &s) &&
           !strcmp(s.name, name + 1);
}

static size_t fault_frame(const struct report *r, const struct hart_view *v)
{
    for (size_t i = 0; r->faulted && i < v->frames; i++)
        if (v->frame[i].kind == FRAME_TRAP && v->frame[i].regs.pc == r->fault.epc)
            return i;
    return 0;
}

static bool blame_place(struct report *r, uint64_t place,
                        bool (*passed_over)(const struct report *r, const char *function))
{
    struct hart_view v = {.frames = 1};
    v.frame[0].regs.pc = place;
    return blame(r, &v, 0, passed_over);
}

/* The fault itself, seen from before it: the handler has left no trace on the stack. */
static bool blame_fault(struct report *r)
{
    struct hart_view before;
    if (!report_seek(r, r->fault.position))
        return false;
    report_view(r, r->hart, &before);
    return blame(r, &before, 0, r->end == END_TRAP_LOOP ? none : machinery);
}

/* A jump to the end may stand behind the branch that decides: far targets are reached that way. */
static void find_branch(struct report *r)
{
    struct decoded d = {0};
    for (unsigned i = 0; i < 2; i++) {
        uint64_t pc = report_pc(r, r->hart);
        if (!report_decode(r, r->hart, pc, &d))
            return;
        if (d.id >= OP_BEQ && d.id <= OP_BGEU) {
            r->branched = true;
            r->culprit.place = pc;
            r->culprit.position = timeline_position(r->timeline);
            return;
        }
        if (d.id != OP_J || !report_step_back(r, r->hart))
            return;
    }
}

/* Assembly goes to its end by a branch and leaves no trace of where it came from. */
static bool blame_way_back(struct report *r)
{
    if (!report_seek(r, r->tip))
        return false;
    for (unsigned i = 0; i < STEPS_BACK && report_step_back(r, r->hart); i++) {
        if (!blame_place(r, report_pc(r, r->hart), machinery_or_ending))
            continue;
        r->culprit.position = timeline_position(r->timeline);
        find_branch(r);
        return true;
    }
    return false;
}

static bool blame_failed(struct report *r, const struct hart_view *v)
{
    size_t behind = behind_last_resort(r, v);
    return (r->faulted && blame_fault(r)) ||
           blame(r, v, behind, behind ? machinery : machinery_or_ending) || blame_way_back(r) ||
           blame(r, v, 0, none);
}

/* The last call of the outermost of the last resorts, if a hart is in one: it came from the
 * culprit, or from what stands between the two. */
static void find_call(struct report *r, const struct hart_view *v, size_t behind)
{
    struct symbol symbol;
    if (!behind || !symbols_lookup(r->symbols, frame_place(&v->frame[behind - 1]), &symbol) ||
        !symbol.function || !report_seek(r, v->position))
        return;
    /* One that stands at its beginning has not begun yet. */
    bool there = v->frame[behind - 1].regs.pc == symbol.address;
    if (!there) {
        struct stop stop = report_search_back(r, HIT_EXECUTE, symbol.address, 0);
        there = stop.reason == STOP_BREAK && stop.hart == r->hart;
    }
    if (there && report_step_back(r, r->hart))
        r->culprit.position = timeline_position(r->timeline);
}

static void find_scene(struct report *r, const struct hart_view *v, size_t behind)
{
    if (r->end == END_PLAIN || r->end == END_POWER_OFF)
        return;
    if (r->culprit.known && r->culprit.position == POSITION_NONE && !r->faulted)
        find_call(r, v, behind);
    uint64_t position = r->faulted         ? r->fault.position
                        : r->culprit.known ? r->culprit.position
                                           : POSITION_NONE;
    if (position != POSITION_NONE && report_seek(r, position))
        report_view(r, r->hart, &r->scene);
}

static void judge_culprit(struct report *r, const struct hart_view *v, size_t behind)
{
    size_t fault = fault_frame(r, v);
    switch (r->end) {
    case END_PANIC:
        (void)(fault ? blame(r, v, fault, machinery)
                     : blame(r, v, behind, machinery) || blame(r, v, 0, none));
        return;
    case END_FAILED:
        (void)(fault ? blame(r, v, fault, machinery) : blame_failed(r, v));
        return;
    case END_TRAP_LOOP:
        (void)((r->faulted && blame_fault(r)) || blame(r, v, 0, none));
        return;
    case END_SYMBOL:
        (void)(blame(r, v, behind ? behind : behind_symbol(r, v), machinery) ||
               blame(r, v, 0, none));
        return;
    case END_CONSOLE:
    case END_WATCHDOG:
        (void)(blame(r, v, fault ? fault : behind, machinery) || blame(r, v, 0, none));
        return;
    case END_POWER_OFF:
    case END_PLAIN:
        return;
    }
}

void report_find_culprit(struct report *r)
{
    const struct hart_view *v = guest_view(r, r->hart);
    r->faulted = r->end != END_PLAIN && r->end != END_POWER_OFF && find_fault(r);
    size_t behind = behind_last_resort(r, v);
    judge_culprit(r, v, behind);
    find_scene(r, v, behind);
}

/* ---- words ---- */

static void put_field(struct report *r, const char *name)
{
    report_page_put(r->page, PAGE_DIM, "%s", name);
    report_page_column(r->page, COLUMN);
}

/* A place where somebody wanted to stop is nobody's fault, unless it is one for failures. */
static const char *culprit_word(const struct report *r)
{
    const struct hart_view *v = guest_view(r, r->hart);
    const char *name = r->end == END_SYMBOL ? strchr(r->source->reason, ':') : NULL;
    if (r->end != END_SYMBOL || r->faulted || in_last_resort(r, r->hart) ||
        (name && report_is_machinery(name + 1)))
        return "culprit";
    bool here = v->frames && frame_place(&v->frame[0]) == r->culprit.place;
    return here || !r->culprit.known ? "stopped in" : "called from";
}

static void put_culprit(struct report *r)
{
    const struct culprit *c = &r->culprit;
    if (r->end == END_PLAIN || r->end == END_POWER_OFF)
        return;
    put_field(r, culprit_word(r));
    if (c->known) {
        report_page_put(r->page, PAGE_STRONG, "%s", c->function);
        if (c->file)
            report_page_put(r->page, PAGE_PLAIN, " (%.*s:%u)", NAME_SHOWN, c->file, c->line);
    } else if (!symbols_count(r->symbols)) {
        report_page_put(r->page, PAGE_PLAIN,
                        "not known by name: there are no symbols (`--symbols FILE`)");
    } else {
        report_page_put(r->page, PAGE_PLAIN, "not found");
    }
    report_page_end_line(r->page);
}

/* Bytes of the next line: up to a blank, at most `width`; a longer word stays whole. */
static size_t line_size(const char *text, size_t width)
{
    size_t size = strcspn(text, " ");
    while (text[size]) {
        size_t next = size + strspn(text + size, " ");
        next += strcspn(text + next, " ");
        if (next > width)
            break;
        size = next;
    }
    return size;
}

static void put_text(struct report *r, const char *name, const char *text)
{
    if (!text || !text[0])
        return;
    put_field(r, name);
    for (size_t size; *text; text += size + strspn(text + size, " ")) {
        size = line_size(text, WIDTH - COLUMN);
        report_page_put(r->page, PAGE_PLAIN, "%.*s", (int)size, text);
        report_page_end_line(r->page);
        if (text[size + strspn(text + size, " ")])
            report_page_column(r->page, COLUMN);
    }
}

void report_put_summary(struct report *r)
{
    const struct report_source *s = r->source;
    char begin[NUMBER_TEXT], tip[NUMBER_TEXT];
    number_format(timeline_begin(r->timeline), begin);
    number_format(r->tip, tip);
    put_culprit(r);
    put_text(r, "reason", r->past ? NULL : s->reason);
    put_field(r, "position");
    report_page_put(r->page, PAGE_PLAIN, "%s (history from %s), %.9f s of guest time", tip, begin,
                    (double)clock_vtime(&r->machine->clock) / 1e9);
    report_page_end_line(r->page);
    put_text(r, "recording", s->file);
    put_text(r, "missing", s->damage);
    if (s->version) {
        put_field(r, "made by");
        report_page_put(r->page, PAGE_PLAIN, "backstep %.60s on %.100s, %.60s", s->version,
                        s->host && s->host[0] ? s->host : "an unnamed host",
                        s->date ? s->date : "");
        report_page_end_line(r->page);
    }
    put_text(r, "command", s->command);
    if (!symbols_count(r->symbols))
        put_text(r, "symbols",
                 "none: addresses are raw; give the guest's ELF file with "
                 "`--symbols FILE`");
}
