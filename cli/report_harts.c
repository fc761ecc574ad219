/* A hart: where it is, its registers, what called it, the code around. */
#include "cli/report_parts.h"

#include "machine/riscv/decode.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { AROUND = 6, COLUMN = 48, FUNCTION_MOST = 1 << 16, ANNOTATION = 22 };

/* ---- registers ---- */

static void put_register(struct report *r, const char *name, uint64_t value)
{
    struct buffer text = {0};
    report_page_put(r->page, PAGE_NAME, "%-8s", name);
    report_page_put(r->page, value ? PAGE_PLAIN : PAGE_DIM, "%016" PRIx64, value);
    if (symbols_append(r->symbols, value, &text))
        report_page_put(r->page, PAGE_DIM, " %.*s", ANNOTATION, buffer_text(&text));
    buffer_fini(&text);
}

static void put_integer_registers(struct report *r, unsigned hart)
{
    for (unsigned i = 1; i < 17; i++) {
        put_register(r, report_x_name(r, i), report_x(r, hart, i));
        if (i + 16 < 32) {
            report_page_column(r->page, COLUMN);
            put_register(r, report_x_name(r, i + 16), report_x(r, hart, i + 16));
        }
        report_page_end_line(r->page);
    }
}

static void put_control_registers(struct report *r, unsigned hart)
{
    static const char *const name[] = {"mstatus", "satp",  "mcause",  "scause", "mepc", "sepc",
                                       "mtval",   "stval", "mtvec",   "stvec",  "mie",  "sie",
                                       "mip",     "sip",   "medeleg", "mideleg"};
    enum { COUNT = sizeof name / sizeof *name };
    for (unsigned i = 0; i < COUNT; i++) {
        put_register(r, name[i], report_register(r, hart, name[i]));
        if (i % 2)
            report_page_end_line(r->page);
        else
            report_page_column(r->page, COLUMN);
    }
}

/* ---- backtrace ---- */

/* `exact`: not of what is inlined into it. */
static void put_source_frame(struct report *r, const struct source_frame *s, unsigned number,
                             const struct frame *f, bool exact)
{
    char text[16];
    struct report_page *p = r->page;
    struct symbol symbol;
    snprintf(text, sizeof text, "#%u", number);
    report_page_put(p, PAGE_DIM, "%4s  %016" PRIx64 "  ", text, f->regs.pc);
    if (!s->function) {
        report_page_put(p, PAGE_DIM, "no symbol");
    } else {
        report_page_put(p, PAGE_NAME, "%.*s", NAME_SHOWN, s->function);
        if (exact && symbols_lookup(r->symbols, frame_place(f), &symbol) &&
            f->regs.pc > symbol.address)
            report_page_put(p, PAGE_PLAIN, "+%#" PRIx64, f->regs.pc - symbol.address);
    }
    if (s->file)
        report_page_put(p, PAGE_DIM, " at %.*s:%u", NAME_SHOWN, s->file, s->line);
    if (s->inlined)
        report_page_put(p, PAGE_DIM, " (inlined)");
    report_page_end_line(p);
}

static void put_backtrace(struct report *r, const struct hart_view *v)
{
    struct source_frame source[SOURCE_FRAMES];
    unsigned number = 0;
    for (size_t i = 0; i < v->frames; i++) {
        const struct frame *f = &v->frame[i];
        if (f->kind == FRAME_TRAP)
            report_page_line(r->page, "      -- trapped in:");
        if (f->kind == FRAME_USER)
            report_page_line(r->page, "      -- from user mode, at:");
        size_t count = symbols_source(r->symbols, frame_place(f), source, SOURCE_FRAMES);
        for (size_t j = 0; j < count; j++)
            put_source_frame(r, &source[j], number++, f, j + 1 == count);
    }
    if (v->frames == UNWIND_FRAMES)
        report_page_line(r->page, "      and more");
}

/* ---- code ---- */

/* Addresses of up to AROUND instructions before pc, decoded from `start` on, if that leads there.
 * Returns how many. */
static unsigned walk_to(const struct report *r, unsigned hart, uint64_t start, uint64_t pc,
                        uint64_t before[AROUND])
{
    unsigned count = 0;
    struct decoded d;
    while (start < pc) {
        if (!report_decode(r, hart, start, &d))
            return 0;
        before[count++ % AROUND] = start;
        start += d.size;
    }
    if (start != pc)
        return 0;
    unsigned kept = count < AROUND ? count : AROUND;
    uint64_t ring[AROUND];
    memcpy(ring, before, sizeof ring);
    for (unsigned i = 0; i < kept; i++)
        before[i] = ring[(count - kept + i) % AROUND];
    return kept;
}

static unsigned find_before(const struct report *r, unsigned hart, uint64_t pc,
                            uint64_t before[AROUND])
{
    struct symbol symbol;
    unsigned count = 0;
    if (symbols_lookup(r->symbols, pc, &symbol) && symbol.function &&
        pc - symbol.address < FUNCTION_MOST)
        return walk_to(r, hart, symbol.address, pc, before);
    /* Sizes are 2 and 4: from an early start one falls into step sooner or later. */
    for (uint64_t back = 4 * AROUND; back && !count; back -= 2)
        if (back <= pc)
            count = walk_to(r, hart, pc - back, pc, before);
    return count;
}

static bool put_instruction(struct report *r, unsigned hart, uint64_t address, bool here,
                            uint64_t *next)
{
    struct buffer text = {0};
    struct symbol symbol;
    struct decoded d;
    unsigned size = report_disassemble(r, hart, address, &text);
    report_page_put(r->page, here ? PAGE_BAD : PAGE_DIM, "%s %016" PRIx64 "  ", here ? "=>" : "  ",
                    address);
    report_page_put(r->page, here ? PAGE_STRONG : PAGE_PLAIN, "%s",
                    size ? buffer_text(&text) : "no code can be read here");
    if (report_decode(r, hart, address, &d) && riscv_jumps_by((enum op_id)d.id)) {
        uint64_t target = address + (uint64_t)(int64_t)d.imm;
        buffer_clear(&text);
        if (symbols_lookup(r->symbols, target, &symbol) &&
            symbols_append(r->symbols, target, &text))
            report_page_put(r->page, PAGE_DIM, " <%.*s>", NAME_SHOWN, buffer_text(&text));
    }
    if (here)
        report_page_mark(r->page);
    report_page_end_line(r->page);
    buffer_fini(&text);
    *next = address + size;
    return size;
}

static void put_code(struct report *r, unsigned hart, uint64_t pc)
{
    uint64_t before[AROUND] = {0}, next = pc;
    unsigned count = find_before(r, hart, pc, before);
    for (unsigned i = 0; i < count; i++)
        put_instruction(r, hart, before[i], false, &next);
    next = pc;
    for (unsigned i = 0; i <= AROUND; i++)
        if (!put_instruction(r, hart, next, i == 0, &next))
            return;
}

/* ---- all of it ---- */

static const char *activity(const struct report *r, unsigned hart)
{
    const struct cpu *cpu = r->machine->cpu[hart];
    return cpu->ops->runnable(cpu) ? "" : ", waits for an interrupt";
}

static void put_title(struct report *r, const struct hart_view *view, enum report_moment moment)
{
    struct report_page *p = r->page;
    unsigned hart = view->hart;
    bool several = r->machine->config.cpus > 1;
    if (moment == MOMENT_END) {
        report_page_section(p, "hart %u%s", hart,
                            several && hart == r->hart ? ", whose end this is" : "");
        return;
    }
    report_page_section(p, "hart %u %s", hart,
                        moment == MOMENT_CALL     ? "as it called the firmware"
                        : r->end == END_TRAP_LOOP ? "at that trap"
                        : r->faulted              ? "at the fault"
                        : r->branched             ? "at that comparison"
                                                  : "where the end began");
    report_page_put(p, PAGE_DIM, "position ");
    report_put_position(r, view->position);
    report_page_put(p, PAGE_PLAIN, ", before the instruction: ");
}

void report_put_hart(struct report *r, const struct hart_view *view, enum report_moment moment)
{
    unsigned hart = view->hart;
    if (!report_seek(r, view->position))
        return;
    put_title(r, view, moment);
    report_page_put(r->page, PAGE_PLAIN, "%s mode%s, at ",
                    report_privilege_name(report_privilege(r, hart)), activity(r, hart));
    report_put_place(r, report_pc(r, hart));
    report_page_end_line(r->page);
    report_page_end_line(r->page);
    put_backtrace(r, view);
    report_page_end_line(r->page);
    put_code(r, hart, report_pc(r, hart));
    report_page_end_line(r->page);
    put_integer_registers(r, hart);
    report_page_end_line(r->page);
    put_control_registers(r, hart);
}
