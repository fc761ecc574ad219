#include "machine/riscv/walk.h"

#include "base/check.h"
#include "base/endian.h"
#include "machine/riscv/code.h"

#include <inttypes.h>
#include <string.h>

static const uint8_t page_fault[] = {CAUSE_FETCH_PAGE, CAUSE_LOAD_PAGE, CAUSE_STORE_PAGE};
static const uint8_t access_fault[] = {CAUSE_FETCH_ACCESS, CAUSE_LOAD_ACCESS, CAUSE_STORE_ACCESS};

static bool canonical(uint64_t va, unsigned levels)
{
    return walk_extend(va, levels) == va;
}

static bool leaf_allows(const struct hart *h, uint64_t pte, enum cpu_access access, enum priv priv)
{
    if (priv == PRIV_U && !(pte & PTE_U))
        return false;
    if (priv == PRIV_S && (pte & PTE_U) && (access == CPU_FETCH || !(h->s.mstatus & MSTATUS_SUM)))
        return false;
    switch (access) {
    case CPU_FETCH:
        return pte & PTE_X;
    case CPU_READ:
        return (pte & PTE_R) || ((pte & PTE_X) && (h->s.mstatus & MSTATUS_MXR));
    case CPU_WRITE:
        return pte & PTE_W;
    }
    return false;
}

/* Setting A and D: cached translations from this entry stay right, since an entry that allows
 * writes is made only from a dirty leaf. So no translation is dropped, unlike in ram_write. */
static void set_accessed(struct hart *h, uint64_t pa, uint64_t pte)
{
    struct ram *ram = &h->m->ram;
    uint64_t page = ram_page(ram, pa);
    uint8_t bytes[8];
    store_le64(bytes, pte);
    machine_written(h->m, WRITTEN_BY_TABLES, pa, bytes, sizeof bytes);
    ram_mark_dirty(ram, page);
    memcpy(ram_at(ram, pa), bytes, sizeof bytes);
    if (ram->flags[page] & RAM_CODE)
        code_page_written(h->shared, page, pa & (RAM_PAGE_SIZE - 1), 8);
}

static void note_mark(struct hart *h, uint64_t pa, uint64_t pte)
{
    uint64_t now = machine_position(h->m);
    if (h->marked_at != now)
        h->marks = 0;
    check(h->marks < HART_MARKS, "the step at %" PRIu64 " marks one entry too many", now);
    h->marked_at = now;
    h->marked[h->marks].pa = pa;
    h->marked[h->marks++].pte = pte;
}

void hart_unmark(struct hart *h)
{
    if (h->marked_at != machine_position(h->m))
        return;
    while (h->marks) {
        h->marks--;
        ram_write(&h->m->ram, h->marked[h->marks].pa, &h->marked[h->marks].pte, 8);
    }
}

/* Check the leaf and bring its A and D bits up to date. */
static bool finish_leaf(struct hart *h, uint64_t at, uint64_t pte, enum cpu_access access,
                        enum priv priv, bool look, struct walk *w, enum cause *cause)
{
    *cause = page_fault[access];
    if (!leaf_allows(h, pte, access, priv))
        return false;
    uint64_t want = pte | PTE_A | (access == CPU_WRITE ? PTE_D : 0);
    if (want != pte) {
        if (!(h->s.menvcfg & MENVCFG_ADUE))
            return false;
        bool uniform;
        *cause = access_fault[access];
        if (!pmp_allows(h, at, 8, CPU_WRITE, PRIV_S, &uniform))
            return false;
        if (!look && (access == CPU_FETCH || h->m->points.traps))
            note_mark(h, at, pte);
        if (!look)
            set_accessed(h, at, want);
    }
    w->writable = (want & PTE_W) && (want & PTE_D);
    return true;
}

static bool walk_tree(struct hart *h, uint64_t va, enum cpu_access access, enum priv priv,
                      unsigned levels, bool look, struct walk *w, enum cause *cause)
{
    const struct ram *ram = &h->m->ram;
    *cause = page_fault[access];
    if (!canonical(va, levels))
        return false;
    uint64_t table = walk_root(h);
    for (unsigned level = levels; level-- > 0;) {
        unsigned shift = 12 + 9 * level;
        uint64_t at = table + (va >> shift & 511) * 8;
        bool uniform;
        *cause = access_fault[access];
        if (!ram_contains(ram, at, 8) || !pmp_allows(h, at, 8, CPU_READ, PRIV_S, &uniform))
            return false;
        *cause = page_fault[access];
        uint64_t pte = load_le64(ram_at(ram, at));
        enum pte_kind kind = pte_kind(pte, level);
        if (kind == PTE_KIND_INVALID)
            return false;
        w->pte[w->used++] = at;
        table = pte_pa(pte);
        if (kind == PTE_KIND_TABLE)
            continue;
        w->pa = table | (va & ((1ull << shift) - 1));
        return finish_leaf(h, at, pte, access, priv, look, w, cause);
    }
    return false;
}

bool walk(struct hart *h, uint64_t va, unsigned size, enum cpu_access access, enum priv priv,
          bool look, struct walk *w, enum cause *cause)
{
    w->used = 0;
    w->pa = va;
    w->writable = true;
    unsigned levels = priv == PRIV_M ? 0 : walk_levels(h);
    if (levels && !walk_tree(h, va, access, priv, levels, look, w, cause))
        return false;
    *cause = access_fault[access];
    return pmp_allows(h, w->pa, size, access, priv, &w->uniform);
}
