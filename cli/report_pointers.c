/* Where the values came from that the end hangs on: steps back to what wrote a register, searches
 * back to what wrote the memory it was loaded from, and so on for a few levels. */
#include "cli/report_parts.h"

#include "base/endian.h"
#include "cli/numbers.h"
#include "machine/riscv/decode.h"

#include <inttypes.h>
#include <string.h>

/* Steps back for one register, writes to memory followed, moves between registers followed. */
enum { WALK_MOST = 1000, WRITES_MOST = 3, MOVES_MOST = 16 };

enum { INDENT = 6, DEEPER = 10 };

/* ---- instructions ---- */

static unsigned load_size(unsigned id)
{
    switch (id) {
    case OP_LB:
    case OP_LBU:
        return 1;
    case OP_LH:
    case OP_LHU:
        return 2;
    case OP_LW:
    case OP_LWU:
        return 4;
    case OP_LD:
        return 8;
    default:
        return 0;
    }
}

static bool is_store(unsigned id)
{
    return id >= OP_SB && id <= OP_SD;
}

/* The register an access takes its address from; 0: it makes none. */
static unsigned base_register(const struct decoded *d)
{
    if (load_size(d->id) || is_store(d->id) || (d->id >= OP_FLW && d->id <= OP_AMO) ||
        d->id == OP_JALR || d->id == OP_CBO)
        return d->rs1;
    return 0;
}

/* What writes no integer register has another use for rd. */
static bool writes(const struct decoded *d, unsigned reg)
{
    bool no = is_store(d->id) || (d->id >= OP_FLW && d->id <= OP_FSD) ||
              (d->id >= OP_FADD_D && d->id <= OP_FP) || (d->id >= OP_BEQ && d->id <= OP_BGEU) ||
              d->id == OP_CBO || d->id == OP_NOP || d->id == OP_J || d->id >= OP_SYSTEM;
    return !no && d->rd == reg;
}

/* ---- movements ---- */

enum writer { WRITER_NONE, WRITER_STEP, WRITER_DEBUGGER };

/* Back to before the step that gave hart's register the value it has, or to the step behind which a
 * debugger did. */
static enum writer find_writer(struct report *r, unsigned hart, unsigned reg, struct decoded *d)
{
    for (unsigned i = 0; i < WALK_MOST; i++) {
        uint64_t after = report_pc(r, hart), value = report_x(r, hart, reg);
        if (!report_step_back(r, hart))
            return WRITER_NONE;
        uint64_t pc = report_pc(r, hart);
        bool known = report_decode(r, hart, pc, d);
        /* A trap or an interrupt instead of the instruction leads elsewhere and writes nothing. */
        bool made = known && (after == pc + d->size || riscv_ends_block((enum op_id)d->id));
        if (made && writes(d, reg))
            return WRITER_STEP;
        if (report_x(r, hart, reg) != value)
            return WRITER_DEBUGGER;
    }
    return WRITER_NONE;
}

enum search { SEARCH_FOUND, SEARCH_BEGIN, SEARCH_GIVEN_UP };

/* Back to before the last store to the range; *hart made it. */
static enum search find_store(struct report *r, uint64_t address, unsigned size, unsigned *hart)
{
    struct stop stop = report_search_back(r, HIT_WRITE, address, size);
    if (stop.reason != STOP_WATCH)
        return stop.reason == STOP_BEGIN ? SEARCH_BEGIN : SEARCH_GIVEN_UP;
    *hart = stop.hart;
    return report_step_back(r, stop.hart) ? SEARCH_FOUND : SEARCH_GIVEN_UP;
}

/* ---- words ---- */

static void indent(struct report *r, unsigned columns)
{
    report_page_put(r->page, PAGE_PLAIN, "%*s", (int)columns, "");
}

/* "in FUNCTION+0xOFF (FILE:LINE) at position N": of where the hart stands. */
static void put_here(struct report *r, unsigned hart)
{
    report_page_put(r->page, PAGE_PLAIN, "in ");
    report_put_place(r, report_pc(r, hart));
    report_page_end_line(r->page);
}

static void put_instruction(struct report *r, unsigned hart)
{
    struct buffer text = {0};
    report_disassemble(r, hart, report_pc(r, hart), &text);
    report_page_put(r->page, PAGE_STRONG, "%s", buffer_text(&text));
    buffer_fini(&text);
}

static void put_step(struct report *r, unsigned hart, const char *what)
{
    indent(r, INDENT);
    report_page_put(r->page, PAGE_DIM, "position ");
    report_put_position(r, timeline_position(r->timeline));
    report_page_put(r->page, PAGE_PLAIN, ": ");
    report_page_put(r->page, PAGE_PLAIN, "%s ", what);
    put_here(r, hart);
    indent(r, DEEPER);
    put_instruction(r, hart);
}

static void put_address(struct report *r, uint64_t address)
{
    struct buffer name = {0};
    report_page_put(r->page, PAGE_PLAIN, "%#" PRIx64, address);
    if (symbols_append(r->symbols, address, &name))
        report_page_put(r->page, PAGE_NAME, " (%s)", buffer_text(&name));
    buffer_fini(&name);
}

static void put_note(struct report *r, const char *text)
{
    indent(r, INDENT);
    report_page_put(r->page, PAGE_DIM, "%s", text);
    report_page_end_line(r->page);
}

/* ---- the way back ---- */

struct trail {
    unsigned hart, reg;
    unsigned stores, moves;
    /* Of the first load: the register that had the address, and where it had it. */
    unsigned base_hart, base;
    uint64_t base_position;
};

/* From before a load to before the store of what it loaded. False: this is as far as it goes. */
static bool follow_memory(struct report *r, struct trail *t, const struct decoded *load)
{
    struct decoded d;
    uint64_t address = report_x(r, t->hart, load->rs1) + (uint64_t)(int64_t)load->imm;
    unsigned size = load_size(load->id);
    if (!t->stores) {
        t->base_hart = t->hart;
        t->base = load->rs1;
        t->base_position = timeline_position(r->timeline);
    }
    put_step(r, t->hart, "loaded");
    report_page_put(r->page, PAGE_PLAIN, "   from ");
    put_address(r, address);
    report_page_end_line(r->page);
    if (t->stores++ == WRITES_MOST)
        return false;
    switch (find_store(r, address, size, &t->hart)) {
    case SEARCH_BEGIN:
        put_note(r, "no instruction has written that: it was there from the beginning, or a device "
                    "wrote it");
        return false;
    case SEARCH_GIVEN_UP:
        put_note(r, "what wrote that was not found in the time a report may take");
        return false;
    case SEARCH_FOUND:
        break;
    }
    if (!r->watch_size) {
        r->watch_address = address;
        r->watch_size = size;
        r->watch_position = timeline_position(r->timeline);
    }
    put_step(r, t->hart, "last written");
    bool known = report_decode(r, t->hart, report_pc(r, t->hart), &d) && is_store(d.id);
    if (known)
        report_page_put(r->page, PAGE_PLAIN, "   value %#" PRIx64, report_x(r, t->hart, d.rs2));
    report_page_end_line(r->page);
    t->reg = d.rs2;
    return known && d.rs2;
}

/* From before the instruction that wrote the register to what it had that from. */
static bool follow_register(struct report *r, struct trail *t, const struct decoded *d)
{
    if (load_size(d->id))
        return follow_memory(r, t, d);
    /* c.mv is an addition to x0. */
    bool moved = d->id == OP_MV || d->id == OP_ADDI || (d->id == OP_ADD && !d->rs1);
    bool call = d->id == OP_JAL || (d->id == OP_JALR && d->rd);
    bool constant = d->id == OP_LI || d->id == OP_AUIPC;
    put_step(r, t->hart, call ? "set by a call" : constant ? "set to a constant" : "computed");
    report_page_end_line(r->page);
    t->reg = d->id == OP_ADD ? d->rs2 : d->rs1;
    return moved && t->reg && t->moves++ < MOVES_MOST;
}

static void put_by_debugger(struct report *r, const struct trail *t)
{
    indent(r, INDENT);
    report_page_put(r->page, PAGE_DIM, "position ");
    report_put_position(r, timeline_position(r->timeline) + 1);
    report_page_put(r->page, PAGE_PLAIN, ": no instruction has written %s: a debugger did",
                    report_x_name(r, t->reg));
    report_page_end_line(r->page);
}

static struct trail put_one_trail(struct report *r, unsigned hart, unsigned reg, uint64_t position)
{
    struct trail t = {.hart = hart, .reg = reg};
    struct decoded d;
    struct buffer name = {0};
    if (!report_seek(r, position))
        return t;
    uint64_t value = report_x(r, hart, reg);
    report_page_put(r->page, PAGE_NAME, "  %s", report_x_name(r, reg));
    report_page_put(r->page, PAGE_PLAIN, " = ");
    report_page_put(r->page, PAGE_STRONG, "%#" PRIx64, value);
    if (symbols_append(r->symbols, value, &name))
        report_page_put(r->page, PAGE_DIM, " (%s)", buffer_text(&name));
    buffer_fini(&name);
    report_page_end_line(r->page);
    do {
        enum writer writer = find_writer(r, t.hart, t.reg, &d);
        if (writer == WRITER_DEBUGGER)
            put_by_debugger(r, &t);
        else if (writer == WRITER_NONE)
            put_note(r, "what wrote that is further back than a report looks");
        if (writer != WRITER_STEP)
            return t;
    } while (follow_register(r, &t, &d));
    return t;
}

static bool was_loaded(struct report *r, unsigned hart, unsigned reg, uint64_t position)
{
    struct decoded d;
    return reg && report_seek(r, position) && find_writer(r, hart, reg, &d) == WRITER_STEP &&
           load_size(d.id);
}

/* What was loaded by a pointer that was itself loaded may be right, and the pointer wrong. */
static void put_trail(struct report *r, unsigned hart, unsigned reg, uint64_t position)
{
    struct trail t = put_one_trail(r, hart, reg, position);
    if (was_loaded(r, t.base_hart, t.base, t.base_position))
        put_one_trail(r, t.base_hart, t.base, t.base_position);
}

/* ---- what to follow ---- */

/* To the instruction that made the bad access: one that was sent to where there is no code is not
 * to blame, the jump is. */
static bool find_access(struct report *r, unsigned hart, struct decoded *d, bool *jumped)
{
    *jumped = false;
    if (!report_seek(r, r->fault.position))
        return false;
    if (report_decode(r, hart, report_pc(r, hart), d) && base_register(d))
        return true;
    *jumped = true;
    return report_step_back(r, hart) && report_decode(r, hart, report_pc(r, hart), d) &&
           d->id == OP_JALR && d->rs1;
}

static void put_fault(struct report *r)
{
    struct decoded d;
    bool jumped;
    const struct trap *f = &r->fault;
    report_page_section(r->page,
                        r->end == END_TRAP_LOOP ? "the first trap of the loop" : "the fault");
    report_page_put(r->page, PAGE_BAD, "%s", report_cause_name(f->interrupt, f->cause));
    if (report_is_fault(f))
        report_page_put(r->page, PAGE_PLAIN, ", %s %#" PRIx64, f->cause == 2 ? "bits" : "address",
                        f->tval);
    report_page_put(r->page, PAGE_PLAIN, ", at position ");
    report_put_position(r, f->position);
    report_page_put(r->page, PAGE_PLAIN, ", in ");
    report_put_place(r, f->epc);
    report_page_end_line(r->page);
    if (!report_is_fault(f) || !find_access(r, f->hart, &d, &jumped))
        return;
    uint64_t position = timeline_position(r->timeline);
    if (jumped) {
        report_page_put(r->page, PAGE_PLAIN, "sent there by ");
        report_put_place(r, report_pc(r, f->hart));
        report_page_end_line(r->page);
    }
    indent(r, INDENT);
    put_instruction(r, f->hart);
    report_page_end_line(r->page);
    put_trail(r, f->hart, base_register(&d), position);
}

static void put_branch(struct report *r)
{
    struct decoded d;
    const struct culprit *c = &r->culprit;
    if (!report_seek(r, c->position) || !report_decode(r, c->hart, c->place, &d))
        return;
    report_page_section(r->page, "the comparison that led to the end");
    report_page_put(r->page, PAGE_PLAIN, "position ");
    report_put_position(r, c->position);
    report_page_put(r->page, PAGE_PLAIN, ", in ");
    report_put_place(r, c->place);
    report_page_end_line(r->page);
    indent(r, INDENT);
    put_instruction(r, c->hart);
    report_page_end_line(r->page);
    if (d.rs1)
        put_trail(r, c->hart, d.rs1, c->position);
    if (d.rs2)
        put_trail(r, c->hart, d.rs2, c->position);
}

void report_put_pointers(struct report *r)
{
    if (r->faulted)
        put_fault(r);
    else if (r->branched)
        put_branch(r);
}
