#include "timeline/compare.h"

#include "base/check.h"
#include "timeline/branch_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Equal bytes that do not end a range; pages listed at once; differences of states looked at. */
enum { GAP_MOST = 16, PAGES = 64, LINES_MOST = 4096 };

enum stage { TO_A, TO_B, TO_START };

struct comparing {
    enum stage stage;
    struct branch *start, *a, *b;
    struct checkpoint *first; /* the state at A while it goes to B */
    uint64_t *value;          /* all registers of all harts there */
    bool done;
    struct comparison answer;
};

static void forget_first(struct timeline *tl)
{
    struct comparing *c = tl->comparing;
    if (c->first)
        checkpoint_free(&tl->snapshots, c->first);
    free(c->value);
    c->first = NULL;
    c->value = NULL;
}

void comparing_free(struct timeline *tl)
{
    if (!tl->comparing)
        return;
    forget_first(tl);
    free(tl->comparing);
    tl->comparing = NULL;
}

/* ---- registers ---- */

static void note_registers(const struct machine *m, uint64_t *value)
{
    for (unsigned h = 0; h < m->config.cpus; h++) {
        const struct cpu *cpu = m->cpu[h];
        for (size_t i = 0; i < cpu->ops->register_count; i++)
            *value++ = cpu->ops->get_register(cpu, cpu->ops->registers[i].number);
    }
}

static uint64_t *registers_new(const struct machine *m)
{
    size_t count = 0;
    for (unsigned h = 0; h < m->config.cpus; h++)
        count += m->cpu[h]->ops->register_count;
    uint64_t *value = mem_new(count, sizeof *value);
    note_registers(m, value);
    return value;
}

static void compare_registers(const struct machine *m, const uint64_t *a, struct comparison *out)
{
    uint64_t *now = registers_new(m);
    const uint64_t *b = now;
    for (unsigned h = 0; h < m->config.cpus; h++) {
        const struct cpu_ops *ops = m->cpu[h]->ops;
        for (size_t i = 0; i < ops->register_count; i++, a++, b++) {
            if (*a == *b)
                continue;
            if (out->regs == COMPARED_REGISTERS)
                out->truncated = true;
            else
                out->reg[out->regs++] =
                    (struct compared_register){h, ops->registers[i].name, *a, *b};
        }
    }
    free(now);
}

/* ---- memory ---- */

struct pages {
    const char *where;
    uint64_t base; /* address of page 0 */
    const struct pageroot *a, *b;
};

static struct compared_range *last_range(struct comparison *out, const char *where)
{
    struct compared_range *last = out->ranges ? &out->range[out->ranges - 1] : NULL;
    return last && !strcmp(last->where, where) ? last : NULL;
}

/* The byte at `address` differs. False: there is no room for it. */
static bool add_byte(struct comparison *out, const char *where, uint64_t address)
{
    struct compared_range *last = last_range(out, where);
    if (last && address - (last->address + last->size) <= GAP_MOST) {
        last->size = address + 1 - last->address;
        return true;
    }
    if (out->ranges == COMPARED_RANGES) {
        out->truncated = true;
        return false;
    }
    struct compared_range *range = &out->range[out->ranges++];
    *range = (struct compared_range){.address = address, .size = 1};
    snprintf(range->where, sizeof range->where, "%s", where);
    return true;
}

static const uint8_t *page_of(const struct pageroot *root, uint64_t page)
{
    static const uint8_t zeroes[RAM_PAGE_SIZE];
    const uint8_t *bytes = pageroot_page(root, page);
    return bytes ? bytes : zeroes;
}

static bool compare_page(const struct pages *p, uint64_t page, struct comparison *out)
{
    const uint8_t *a = page_of(p->a, page), *b = page_of(p->b, page);
    uint64_t address = p->base + (page << RAM_PAGE_BITS);
    for (unsigned i = 0; i < RAM_PAGE_SIZE; i++)
        if (a[i] != b[i] && !add_byte(out, p->where, address + i))
            return false;
    return true;
}

static uint8_t byte_at(const struct pages *p, const struct pageroot *root, uint64_t address)
{
    uint64_t offset = address - p->base;
    return page_of(root, offset >> RAM_PAGE_BITS)[offset & (RAM_PAGE_SIZE - 1)];
}

/* A range's first bytes may be of two pages, and of one that is equal. */
static void fill_bytes(const struct pages *p, struct compared_range *range)
{
    for (unsigned i = 0; i < COMPARED_BYTES && i < range->size; i++) {
        range->a[i] = byte_at(p, p->a, range->address + i);
        range->b[i] = byte_at(p, p->b, range->address + i);
    }
}

static void compare_pages(const struct pages *p, struct comparison *out)
{
    uint64_t page[PAGES], from = 0;
    size_t first = out->ranges, count;
    bool room = true;
    while (room && (count = pageroot_diff_from(p->a, p->b, from, page, PAGES))) {
        for (size_t i = 0; i < count && room; i++)
            room = compare_page(p, page[i], out);
        from = page[count - 1] + 1;
    }
    for (size_t i = first; i < out->ranges; i++)
        fill_bytes(p, &out->range[i]);
}

static void compare_memory(const struct machine *m, const struct checkpoint *a,
                           const struct checkpoint *b, struct comparison *out)
{
    compare_pages(&(struct pages){"", m->ram.base, a->ram, b->ram}, out);
    for (unsigned i = 0; i < m->overlays; i++)
        compare_pages(&(struct pages){m->overlay[i]->name, 0, a->overlay[i], b->overlay[i]}, out);
}

/* ---- fields ---- */

/* Registers have been compared by their names. */
static bool is_hart(const char *name)
{
    return !strncmp(name, "hart", 4) && name[4] >= '0' && name[4] <= '9';
}

static void copy_part(char *to, size_t size, const char *from, size_t length)
{
    snprintf(to, size, "%.*s", (int)(length < size ? length : size - 1), from);
}

/* "NAME: A -> B" */
static void add_field(const char *line, size_t size, struct comparison *out)
{
    const char *colon = memmem(line, size, ": ", 2), *arrow = memmem(line, size, " -> ", 4);
    if (!colon || !arrow || arrow < colon || is_hart(line) || !strncmp(line, "clock.icount:", 13))
        return;
    if (out->fields == COMPARED_FIELDS) {
        out->truncated = true;
        return;
    }
    struct compared_field *f = &out->field[out->fields++];
    copy_part(f->name, sizeof f->name, line, (size_t)(colon - line));
    copy_part(f->a, sizeof f->a, colon + 2, (size_t)(arrow - colon - 2));
    copy_part(f->b, sizeof f->b, arrow + 4, (size_t)(line + size - arrow - 4));
}

static void compare_fields(const struct machine *m, const struct checkpoint *a,
                           struct comparison *out)
{
    struct buffer lines = {0};
    out->truncated |= machine_diff(m, a->state, a->state_size, LINES_MOST, &lines) > LINES_MOST;
    const char *line = (const char *)lines.data, *end = line + lines.size;
    while (line < end) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        size_t size = (size_t)((stop ? stop : end) - line);
        add_field(line, size, out);
        line += size + 1;
    }
    buffer_fini(&lines);
}

/* ---- going there ---- */

static uint64_t clamped(const struct timeline *tl, uint64_t n)
{
    uint64_t begin = timeline_begin(tl);
    return n < begin ? begin : n > tl->tip ? tl->tip : n;
}

/* A state of another branch is nothing to go on from. Returns the position it goes to. */
static uint64_t go(struct timeline *tl, struct branch *branch, uint64_t n)
{
    bool other = branch != tl->branches.now;
    run_leave_live(tl);
    branches_put_back(tl, branch);
    n = clamped(tl, n);
    if (!other || run_restore(tl, n))
        seek_begin(tl, n);
    return n;
}

static void compare(struct timeline *tl)
{
    struct comparing *c = tl->comparing;
    struct checkpoint *second = snapshots_take(&tl->snapshots);
    compare_registers(tl->m, c->value, &c->answer);
    compare_memory(tl->m, c->first, second, &c->answer);
    compare_fields(tl->m, c->first, &c->answer);
    checkpoint_free(&tl->snapshots, second);
    forget_first(tl);
    c->done = true;
}

void compare_turn_back(struct timeline *tl)
{
    forget_first(tl);
    go(tl, tl->comparing->start, tl->op.start);
}

bool compare_landed(struct timeline *tl)
{
    struct comparing *c = tl->comparing;
    if (tl->op.found.reason == STOP_INTERRUPT || c->stage == TO_START)
        return false;
    if (c->stage == TO_A) {
        c->first = snapshots_take(&tl->snapshots);
        c->value = registers_new(tl->m);
        c->stage = TO_B;
        c->answer.b = go(tl, c->b, c->answer.b);
    } else {
        compare(tl);
        c->stage = TO_START;
        go(tl, c->start, tl->op.start);
    }
    return true;
}

static struct branch *find_branch(const struct timeline *tl, const char *name, struct error *err)
{
    if (!name)
        return tl->branches.now;
    for (size_t i = 0; i < tl->branches.count; i++)
        if (*name && !strcmp(tl->branches.list[i]->name, name))
            return tl->branches.list[i];
    error_set(err, ERROR_RANGE, "there is no branch `%.80s`: `branches` lists them", name);
    return NULL;
}

bool timeline_compare(struct timeline *tl, const struct compared_place *a,
                      const struct compared_place *b, struct error *err)
{
    struct branch *branch_a = find_branch(tl, a->branch, err);
    struct branch *branch_b = branch_a ? find_branch(tl, b->branch, err) : NULL;
    if (!branch_b)
        return false;
    comparing_free(tl);
    struct comparing *c = tl->comparing = mem_new(1, sizeof *c);
    c->start = tl->branches.now;
    c->a = branch_a;
    c->b = branch_b;
    c->answer.b = b->position;
    operation_begin(tl, (struct operation){.kind = OPERATION_COMPARE, .phase = PHASE_LAND});
    tl->op.found = operation_stop(STOP_DONE, tl->op.start);
    tl->op.report = tl->reported;
    seek_remember_start(tl);
    c->answer.a = go(tl, c->a, a->position);
    return true;
}

const struct comparison *timeline_comparison(const struct timeline *tl)
{
    return tl->comparing && tl->comparing->done ? &tl->comparing->answer : NULL;
}
