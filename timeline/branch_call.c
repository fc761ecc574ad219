/* Inferior calls: a diversion that a debugger has begun to call a function is dropped when that is
 * over.
 *
 * It writes registers and a little of the stack, runs, and writes the registers back. What it has
 * written elsewhere before it ran is a change that somebody wants. */
#include "timeline/branch_parts.h"

#include "base/check.h"

#include <inttypes.h>

/* ---- registers at the opening ---- */

static bool counts(const struct cpu_register *reg)
{
    return reg->feature == CPU_FEATURE_CPU || reg->feature == CPU_FEATURE_FPU;
}

uint64_t *branch_note_registers(const struct machine *m)
{
    size_t most = m->config.cpus * m->cpu[0]->ops->register_count, n = 0;
    uint64_t *value = mem_new(most, sizeof *value);
    for (unsigned hart = 0; hart < m->config.cpus; hart++) {
        const struct cpu_ops *ops = m->cpu[hart]->ops;
        for (size_t i = 0; i < ops->register_count; i++)
            if (counts(&ops->registers[i]))
                value[n++] = ops->get_register(m->cpu[hart], ops->registers[i].number);
    }
    return value;
}

/* Are the registers of all harts that the debugger wrote what they were at the opening? */
static bool registers_equal(const struct machine *m, const struct opening *o)
{
    size_t n = 0;
    for (unsigned hart = 0; hart < m->config.cpus; hart++) {
        const struct cpu_ops *ops = m->cpu[hart]->ops;
        for (size_t i = 0; i < ops->register_count; i++) {
            if (!counts(&ops->registers[i]))
                continue;
            uint64_t was = o->value[n++];
            if (o->written[hart] &&
                ops->get_register(m->cpu[hart], ops->registers[i].number) != was)
                return false;
        }
    }
    return true;
}

/* ---- what was written ---- */

enum { STACK_SCRATCH = 1 << 16 };

static bool is_scratch(const struct timeline *tl, unsigned hart, uint64_t va)
{
    const struct cpu_ops *ops = tl->m->cpu[hart]->ops;
    uint64_t sp = ops->get_register(tl->m->cpu[hart], ops->stack_pointer);
    return va - (sp - STACK_SCRATCH) < 2 * STACK_SCRATCH;
}

void branch_wrote_register(struct timeline *tl, unsigned hart)
{
    struct opening *o = &tl->branches.now->opening;
    if (!branch_is_diversion(tl->branches.now))
        return;
    o->written[hart] = true;
    o->equal = o->ran && registers_equal(tl->m, o);
}

void branch_wrote_memory(struct timeline *tl, unsigned hart, uint64_t va)
{
    struct opening *o = &tl->branches.now->opening;
    if (!branch_is_diversion(tl->branches.now))
        return;
    o->equal = false;
    o->wanted = o->wanted || (!o->ran && !is_scratch(tl, hart, va));
}

void branch_wrote_physical(struct timeline *tl)
{
    tl->branches.now->opening.equal = false;
    tl->branches.now->opening.wanted = true;
}

void branch_ran(struct timeline *tl)
{
    tl->branches.changes += !branch_is_main(tl->branches.now) && *tl->branches.now->name;
    tl->branches.now->opening.ran = true;
    tl->branches.now->opening.equal = false;
}

/* Its first checkpoint of its own is the state of its parent at the origin. */
static const struct entry *origin_entry(const struct timeline *tl)
{
    const struct branch *b = tl->branches.now;
    const struct history *h = &tl->history;
    for (size_t i = h->entries; i-- > 0;)
        if (h->entry[i].checkpoint->position == b->origin &&
            h->entry[i].log_index == b->origin_event)
            return &h->entry[i];
    return NULL;
}

/* Once, and not when what is about to run may be an inferior call. */
static void tell(struct timeline *tl, struct branch *b)
{
    if (!b->opening.ran || b->opening.told)
        return;
    b->opening.told = true;
    buffer_printf(&tl->branches.notice,
                  "this is a diversion from position %" PRIu64 ": history stays as it was (monitor "
                  "branch NAME keeps it, monitor switch main leaves it)\n",
                  b->origin);
}

bool branch_is_call_over(const struct branch *b)
{
    return branch_is_diversion(b) && b->opening.equal && !b->opening.wanted;
}

/* Drop a diversion that was an inferior call and is over: back to the origin, in its parent. False:
 * it is none, or cannot be left. */
bool branch_undo_call(struct timeline *tl)
{
    struct branch *b = tl->branches.now;
    struct error err = ERROR_INIT;
    uint64_t event = b->origin_event;
    if (!branch_is_call_over(b) || branch_has_children(tl, b) || timeline_moving(tl))
        return false;
    const struct entry *origin = origin_entry(tl);
    if (!origin || !history_load(tl, origin, &err) ||
        !snapshots_restore(&tl->snapshots, origin->checkpoint, &err))
        return false;
    tl->diverged = (struct error)ERROR_INIT;
    branch_leave(tl);
    player_attach(&tl->player, event);
    tl->reported = NOTHING_REPORTED;
    return true;
}

void branch_settle(struct timeline *tl)
{
    if (!branch_undo_call(tl) && branch_is_diversion(tl->branches.now))
        tell(tl, tl->branches.now);
}

void timeline_end_call(struct timeline *tl)
{
    branch_undo_call(tl);
}

void branch_before_register(struct timeline *tl)
{
    branch_undo_call(tl);
}

/* The argument of a call, in memory that a call has given, is to stay. */
void branch_before_memory(struct timeline *tl, unsigned hart, uint64_t va)
{
    if (is_scratch(tl, hart, va))
        branch_undo_call(tl);
}
