#include "cli/commands_info.h"

#include "cli/disassemble.h"
#include "cli/nearest.h"
#include "cli/numbers.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- when ---- */

static const char *privilege(const struct cpu *cpu)
{
    static const char *const name[] = {"user", "supervisor", "reserved", "machine"};
    return name[cpu_privilege(cpu) & 3];
}

static void append_hart(const struct machine *m, unsigned hart, struct buffer *out)
{
    const struct cpu *cpu = m->cpu[hart];
    buffer_printf(out, "hart %u: pc %#" PRIx64 ", %s mode", hart, cpu->ops->pc(cpu),
                  privilege(cpu));
}

static void append_halt(const struct machine *m, struct buffer *out)
{
    static const char *const text[] = {
        [HALT_NONE] = "",
        [HALT_POWER_OFF] = "the machine is switched off\n",
        [HALT_EXIT] = "the guest has ended the run",
        [HALT_RESET] = "the guest has asked for a reset\n",
    };
    buffer_append_string(out, text[m->state.halt]);
    if (m->state.halt == HALT_EXIT)
        buffer_printf(out, " with code %" PRIu64 "\n", m->state.halt_code);
}

static double share(const struct timeline *tl, uint64_t position)
{
    uint64_t begin = timeline_begin(tl), length = timeline_tip(tl) - begin;
    return length ? 100.0 * (double)(position - begin) / (double)length : 100.0;
}

void commands_when(struct command_context *c, const char *argument, struct buffer *out)
{
    (void)argument;
    struct timeline *tl = c->timeline;
    const struct machine *m = timeline_machine(tl);
    char position[NUMBER_TEXT], tip[NUMBER_TEXT];
    number_format(timeline_position(tl), position);
    number_format(timeline_tip(tl), tip);
    if (timeline_live(tl))
        buffer_printf(out, "position %s, live\n", position);
    else
        buffer_printf(out, "position %s of %s (%.1f%%), in the past\n", position, tip,
                      share(tl, timeline_position(tl)));
    append_hart(m, m->state.running, out);
    buffer_printf(out, "; %.9f s of guest time\n", (double)clock_vtime(&m->clock) / 1e9);
    append_halt(m, out);
    commands_append_branch(c, out);
    commands_append_recorded(c, out);
}

/* ---- info ---- */

enum { CHECKPOINTS_SHOWN = 24 };

static void append_checkpoint(const struct checkpoint_info *c, struct buffer *out)
{
    char position[NUMBER_TEXT];
    number_format(c->position, position);
    buffer_printf(out, "%20s  %8.3f ms  event %" PRIu64 "%s\n", position, (double)c->cost_ns / 1e6,
                  c->log_index, c->approach ? "  (short-lived)" : "");
}

/* The first and the last ones of a long list. */
static void append_checkpoints(const struct timeline *tl, size_t count, struct buffer *out)
{
    struct checkpoint_info part[CHECKPOINTS_SHOWN];
    size_t head = count > CHECKPOINTS_SHOWN ? CHECKPOINTS_SHOWN / 2 : count;
    head = timeline_checkpoints(tl, 0, part, head);
    for (size_t i = 0; i < head; i++)
        append_checkpoint(&part[i], out);
    if (count <= CHECKPOINTS_SHOWN)
        return;
    buffer_printf(out, "%20s  %zu more\n", "...", count - CHECKPOINTS_SHOWN);
    size_t tail = CHECKPOINTS_SHOWN / 2;
    tail = timeline_checkpoints(tl, count - tail, part, tail);
    for (size_t i = 0; i < tail; i++)
        append_checkpoint(&part[i], out);
}

void commands_info_checkpoints(struct command_context *c, const char *argument, struct buffer *out)
{
    (void)argument;
    struct timeline *tl = c->timeline;
    struct timeline_info info;
    char used[NUMBER_TEXT], budget[NUMBER_TEXT], pages[NUMBER_TEXT], spilled[NUMBER_TEXT];
    timeline_info(tl, &info);
    number_format_size(info.bytes, used);
    number_format_size(info.budget, budget);
    number_format_size(info.frame_bytes, pages);
    number_format_size(info.spilled_bytes, spilled);
    buffer_printf(out,
                  "%" PRIu64 " checkpoints, %" PRIu64
                  " of them short-lived; %s of %s in use, %s of "
                  "it for pages\n",
                  info.checkpoints + info.approach, info.approach, used, budget, pages);
    if (info.spilled_bytes)
        buffer_printf(out, "%s in a file, beyond that\n", spilled);
    buffer_printf(out, "%" PRIu64 " digests to compare replays with\n", info.digests);
    buffer_printf(out, "%20s  %11s  %s\n", "position", "to replay", "next event");
    append_checkpoints(tl, info.checkpoints + info.approach, out);
}

void commands_info_machine(struct command_context *c, const char *argument, struct buffer *out)
{
    (void)argument;
    struct timeline *tl = c->timeline;
    const struct machine *m = timeline_machine(tl);
    char ram[NUMBER_TEXT];
    number_format_size(m->ram.size, ram);
    buffer_printf(out, "virt, %s, %u hart%s, %s of RAM at %#" PRIx64 "\n",
                  m->config.cpus ? m->cpu[0]->ops->architecture : "no harts", m->config.cpus,
                  m->config.cpus == 1 ? "" : "s", ram, m->ram.base);
    buffer_printf(out, "a step takes %u ns of guest time; harts take turns of %" PRIu64 " steps\n",
                  1u << m->config.shift, m->config.quantum);
    buffer_printf(out, "guest time %.9f s, %.9f s of it idle; %" PRIu64 " resets\n",
                  (double)clock_vtime(&m->clock) / 1e9, (double)m->clock.state.idle / 1e9,
                  m->state.resets);
    if (timeline_step_over_interrupts(tl))
        buffer_append_string(out, "steps pass over the handlers of interrupts\n");
    append_halt(m, out);
}

void commands_info_harts(struct command_context *c, const char *argument, struct buffer *out)
{
    (void)argument;
    struct timeline *tl = c->timeline;
    const struct machine *m = timeline_machine(tl);
    for (unsigned i = 0; i < m->config.cpus; i++) {
        append_hart(m, i, out);
        buffer_append_string(out, !m->cpu[i]->ops->runnable(m->cpu[i]) ? ", waits\n"
                                  : i == m->state.running              ? ", its turn\n"
                                                                       : "\n");
    }
}

/* What `info device` knows: the devices, and what every machine has. */
struct part {
    char name[32];
    const struct fields *fields;
    const void *state;
};

static bool get_part(const struct machine *m, unsigned index, struct part *part)
{
    *part = (struct part){0};
    if (index < 2) {
        snprintf(part->name, sizeof part->name, "%s", index ? "clock" : "machine");
        part->fields = index ? &clock_fields : &machine_fields;
        part->state = index ? (const void *)&m->clock.state : &m->state;
        return true;
    }
    index -= 2;
    if (index < m->config.cpus) {
        snprintf(part->name, sizeof part->name, "hart%u", index);
        part->fields = m->cpu[index]->ops->fields;
        part->state = m->cpu[index]->state;
        return true;
    }
    index -= m->config.cpus;
    if (index >= m->devices)
        return false;
    snprintf(part->name, sizeof part->name, "%s", m->device[index].name);
    part->fields = m->device[index].fields;
    part->state = m->device[index].state;
    return true;
}

void commands_info_devices(struct command_context *c, const char *argument, struct buffer *out)
{
    (void)argument;
    const struct machine *m = timeline_machine(c->timeline);
    struct part part;
    for (unsigned i = 0; get_part(m, i, &part); i++)
        if (part.fields)
            buffer_printf(out, "%s\n", part.name);
}

enum { PARTS = 2 + MACHINE_CPUS + MACHINE_DEVICES };

/* The parts whose names begin with `text`, or the one that has just this name. Returns how many. */
static unsigned find_parts(const struct machine *m, const char *text, struct part found[PARTS])
{
    unsigned count = 0;
    struct part part;
    for (unsigned i = 0; get_part(m, i, &part); i++) {
        if (!part.fields || strncmp(part.name, text, strlen(text)) != 0)
            continue;
        if (!strcmp(part.name, text)) {
            found[0] = part;
            return 1;
        }
        found[count++] = part;
    }
    return count;
}

static void no_such_part(const struct machine *m, const char *text, struct buffer *out)
{
    struct part all[PARTS];
    const char *name[PARTS];
    unsigned count = find_parts(m, "", all);
    for (unsigned i = 0; i < count; i++)
        name[i] = all[i].name;
    const char *meant = nearest(text, name, sizeof *name, count);
    if (meant)
        buffer_printf(out, "no device `%s`: did you mean `%s`?\n", text, meant);
    else
        buffer_printf(out, "no device `%s`: `info devices` lists them\n", text);
}

void commands_info_device(struct command_context *c, const char *argument, struct buffer *out)
{
    struct timeline *tl = c->timeline;
    const struct machine *m = timeline_machine(tl);
    struct part found[PARTS];
    unsigned count = find_parts(m, argument, found);
    if (count == 1) {
        fields_print(found->fields, found->state, found->name, out);
        return;
    }
    if (!count) {
        no_such_part(m, argument, out);
        return;
    }
    buffer_printf(out, "`%s` may be:", argument);
    for (unsigned i = 0; i < count; i++)
        buffer_printf(out, "%s %s", i ? "," : "", found[i].name);
    buffer_append_byte(out, '\n');
}

void commands_info_events(struct command_context *c, const char *argument, struct buffer *out)
{
    (void)argument;
    struct timeline *tl = c->timeline;
    struct timeline_info info;
    char bytes[NUMBER_TEXT];
    timeline_info(tl, &info);
    number_format_size(info.log_bytes, bytes);
    buffer_printf(out, "%" PRIu64 " events from outside, %s of log; %" PRIu64 " resets\n",
                  info.events, bytes, info.resets);
}

/* ---- code ---- */

enum { LINES_DEFAULT = 10, LINES_MAX = 1000, INSN_MAX = 4 };

/* "[ADDRESS [COUNT]]" */
static bool parse_place(const char *argument, uint64_t *address, uint64_t *count)
{
    char first[64] = "", second[64] = "";
    char *end;
    if (sscanf(argument, "%63s %63s", first, second) < 1)
        return true;
    *address = strtoull(first, &end, 0);
    if (*end)
        return false;
    return !second[0] || (number_parse(second, count) && *count && *count <= LINES_MAX);
}

void commands_disassemble(struct command_context *c, const char *argument, struct buffer *out)
{
    struct timeline *tl = c->timeline;
    const struct machine *m = timeline_machine(tl);
    unsigned hart = m->state.running;
    uint64_t pc = m->cpu[hart]->ops->pc(m->cpu[hart]), address = pc, count = LINES_DEFAULT;
    if (!parse_place(argument, &address, &count)) {
        buffer_printf(out,
                      "disassemble takes an address and a number of lines up to %d, not `%s`\n",
                      LINES_MAX, argument);
        return;
    }
    for (uint64_t i = 0; i < count; i++) {
        uint8_t bytes[INSN_MAX];
        size_t size = timeline_read_some(tl, hart, address, bytes, sizeof bytes);
        /* A compressed instruction may be the last thing there is. */
        if (!size)
            size = timeline_read_some(tl, hart, address, bytes, 2);
        buffer_printf(out, "%s 0x%016" PRIx64 ": ", address == pc ? "=>" : "  ", address);
        unsigned used = disassemble_one(bytes, size, address, out);
        buffer_append_string(out, used ? "\n" : "no code can be read here\n");
        if (!used)
            return;
        address += used;
    }
}
