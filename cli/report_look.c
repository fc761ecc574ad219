/* The machine as it stands, and movements of it. */
#include "cli/report_parts.h"

#include "base/endian.h"
#include "cli/disassemble.h"
#include "cli/numbers.h"
#include "machine/riscv/decode.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Positions that are searched for one thing. */
#define SEARCH_MOST UINT64_C(1000000000)
enum { SLICE_NS = 10000000 };

uint64_t report_register(const struct report *r, unsigned hart, const char *name)
{
    return cpu_register_value(r->machine->cpu[hart], name);
}

uint64_t report_x(const struct report *r, unsigned hart, unsigned number)
{
    const struct cpu *cpu = r->machine->cpu[hart];
    return number ? cpu->ops->get_register(cpu, number) : 0;
}

const char *report_x_name(const struct report *r, unsigned number)
{
    return r->machine->cpu[0]->ops->registers[number].name;
}

uint64_t report_pc(const struct report *r, unsigned hart)
{
    return r->machine->cpu[hart]->ops->pc(r->machine->cpu[hart]);
}

unsigned report_privilege(const struct report *r, unsigned hart)
{
    return (unsigned)cpu_privilege(r->machine->cpu[hart]) & 3;
}

const char *report_privilege_name(unsigned privilege)
{
    static const char *const name[] = {"user", "supervisor", "reserved", "machine"};
    return name[privilege & 3];
}

/* ---- backtraces ---- */

struct looker {
    const struct report *report;
    unsigned hart;
};

static bool look_read(void *ctx, uint64_t va, void *bytes, size_t size)
{
    const struct looker *l = ctx;
    return timeline_read_memory(l->report->timeline, l->hart, va, bytes, size);
}

static bool look_executable(void *ctx, uint64_t va)
{
    const struct looker *l = ctx;
    const struct machine *m = l->report->machine;
    const struct cpu *cpu = m->cpu[l->hart];
    uint8_t bytes[2];
    uint64_t pa;
    return cpu->ops->translate(cpu, va, CPU_FETCH, &pa) && machine_peek(m, pa, bytes, sizeof bytes);
}

/* gdb's numbers of CSRs begin behind those of pc and of the floating-point registers. */
static uint64_t look_csr(void *ctx, unsigned number)
{
    enum { GDB_CSR = 65 };
    const struct looker *l = ctx;
    const struct cpu *cpu = l->report->machine->cpu[l->hart];
    return cpu->ops->get_register(cpu, GDB_CSR + number);
}

void report_view(const struct report *r, unsigned hart, struct hart_view *view)
{
    struct looker looker = {r, hart};
    const struct unwind_memory memory = {look_read, look_executable, look_csr, &looker};
    struct unwind_registers regs = {.pc = report_pc(r, hart)};
    for (unsigned i = 1; i < 32; i++)
        regs.x[i] = report_x(r, hart, i);
    view->hart = hart;
    view->position = timeline_position(r->timeline);
    view->frames = unwind(r->symbols, &memory, &regs, view->frame, UNWIND_FRAMES);
}

/* ---- movements ---- */

bool report_seek(struct report *r, uint64_t position)
{
    struct stop stop = {0};
    timeline_seek(r->timeline, position);
    timeline_finish(r->timeline, &stop);
    if (timeline_position(r->timeline) == position)
        return true;
    if (!r->trouble[0])
        snprintf(r->trouble, sizeof r->trouble, "position %" PRIu64 " cannot be reached%s%.180s",
                 position, stop.text[0] ? ": " : "", stop.text);
    return false;
}

bool report_step_back(struct report *r, unsigned hart)
{
    struct stop stop = {0};
    timeline_reverse_step(r->timeline, hart);
    timeline_finish(r->timeline, &stop);
    return stop.reason == STOP_DONE;
}

struct stop report_search_back(struct report *r, unsigned kinds, uint64_t address, uint64_t size)
{
    struct stop stop = {0};
    uint64_t done, total;
    timeline_point_add(r->timeline, kinds, address, size);
    timeline_reverse_continue(r->timeline);
    while (timeline_advance(r->timeline, SLICE_NS, &stop) != TIMELINE_STOPPED) {
        timeline_progress(r->timeline, &done, &total);
        if (done > SEARCH_MOST && done <= total)
            timeline_interrupt(r->timeline);
    }
    timeline_points_clear(r->timeline);
    return stop;
}

/* ---- code ---- */

static size_t read_code(const struct report *r, unsigned hart, uint64_t address, uint8_t bytes[4])
{
    size_t size = timeline_read_some(r->timeline, hart, address, bytes, 4);
    return size ? size : timeline_read_some(r->timeline, hart, address, bytes, 2);
}

bool report_decode(const struct report *r, unsigned hart, uint64_t address, struct decoded *d)
{
    uint8_t bytes[4] = {0};
    size_t size = address & 1 ? 0 : read_code(r, hart, address, bytes);
    if (size < 2 || (size < 4 && (bytes[0] & 3) == 3))
        return false;
    *d = riscv_decode(load_le32(bytes));
    return d->id != OP_ILLEGAL;
}

unsigned report_disassemble(const struct report *r, unsigned hart, uint64_t address,
                            struct buffer *out)
{
    uint8_t bytes[4];
    size_t size = read_code(r, hart, address, bytes);
    unsigned used = disassemble_one(bytes, size, address, out);
    if (!used)
        buffer_append_string(out, "?");
    return used;
}

/* ---- words ---- */

void report_put_place(struct report *r, uint64_t address)
{
    struct source_frame source[SOURCE_FRAMES];
    struct buffer name = {0};
    symbols_source(r->symbols, address, source, SOURCE_FRAMES);
    if (symbols_append(r->symbols, address, &name))
        report_page_put(r->page, PAGE_NAME, "%s", buffer_text(&name));
    else
        report_page_put(r->page, PAGE_PLAIN, "%#" PRIx64, address);
    if (source[0].file)
        report_page_put(r->page, PAGE_DIM, " (%.*s:%u)", NAME_SHOWN, source[0].file,
                        source[0].line);
    buffer_fini(&name);
}

void report_put_position(struct report *r, uint64_t position)
{
    char text[NUMBER_TEXT];
    number_format(position, text);
    report_page_put(r->page, PAGE_PLAIN, "%s", text);
}
