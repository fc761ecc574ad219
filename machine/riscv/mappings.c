/* What page tables map, all of it. */
#include "machine/riscv/walk.h"

#include "base/endian.h"

struct visit {
    const struct ram *ram;
    cpu_mapping_fn *fn;
    void *ctx;
    struct cpu_mapping pending; /* size 0: none */
    unsigned tables;            /* looked at */
};

static bool flush(struct visit *v)
{
    bool more = !v->pending.size || v->fn(v->ctx, &v->pending);
    v->pending.size = 0;
    return more;
}

static bool add(struct visit *v, const struct cpu_mapping *m)
{
    struct cpu_mapping *p = &v->pending;
    if (p->size && p->va + p->size == m->va && p->pa + p->size == m->pa && p->rights == m->rights) {
        p->size += m->size;
        return true;
    }
    if (!flush(v))
        return false;
    *p = *m;
    return true;
}

static uint8_t rights_of(uint64_t pte)
{
    return (uint8_t)((pte & PTE_X ? 1 << CPU_FETCH : 0) | (pte & PTE_R ? 1 << CPU_READ : 0) |
                     (pte & PTE_W ? 1 << CPU_WRITE : 0));
}

/* The part of a page that lies in RAM: a large one may map devices as well. */
static bool visit_leaf(struct visit *v, uint64_t va, uint64_t pte, unsigned level)
{
    uint64_t pa = pte_pa(pte), end = pa + (1ull << (12 + 9 * level));
    uint64_t ram_end = v->ram->base + v->ram->size;
    uint64_t low = pa > v->ram->base ? pa : v->ram->base, high = end < ram_end ? end : ram_end;
    if (low >= high)
        return true;
    return add(v, &(struct cpu_mapping){va + (low - pa), low, high - low, rights_of(pte)});
}

/* Depth: levels. Tables that lead back to themselves end at level 0, and the number of tables in
 * all bounds the paths through them. */
static bool visit_table(struct visit *v, uint64_t table, uint64_t va, unsigned level,
                        unsigned levels)
{
    if (!ram_contains(v->ram, table, RAM_PAGE_SIZE))
        return true;
    if (v->tables++ == CPU_MAPPING_TABLES)
        return false;
    for (unsigned i = 0; i < 512; i++) {
        uint64_t pte = load_le64(ram_at(v->ram, table + i * 8));
        enum pte_kind kind = pte_kind(pte, level);
        uint64_t at = walk_extend(va + ((uint64_t)i << (12 + 9 * level)), levels);
        if (kind == PTE_KIND_LEAF && !visit_leaf(v, at, pte, level))
            return false;
        if (kind == PTE_KIND_TABLE && !visit_table(v, pte_pa(pte), at, level - 1, levels))
            return false;
    }
    return true;
}

struct cpu_mappings hart_mappings(const struct cpu *cpu, cpu_mapping_fn *fn, void *ctx)
{
    const struct hart *h = hart_of(cpu);
    unsigned levels = walk_levels(h);
    struct cpu_mappings done = {.physical = h->s.priv == PRIV_M || !levels};
    if (!levels)
        return done;
    struct visit v = {.ram = &h->m->ram, .fn = fn, .ctx = ctx};
    done.cut = !visit_table(&v, walk_root(h), 0, levels - 1, levels);
    if (v.pending.size && !flush(&v))
        done.cut = true;
    return done;
}
