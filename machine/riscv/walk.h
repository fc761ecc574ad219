/* Page tables: Sv39, Sv48, Sv57. Privileged spec, 4.3 to 4.6, Svadu. */
#ifndef MACHINE_RISCV_WALK_H
#define MACHINE_RISCV_WALK_H

#include "machine/riscv/hart.h"

enum { WALK_LEVELS = 5 };

/* ---- entries of page tables: privileged spec, 4.3.1, 4.4.1 ---- */

enum { PTE_V = 1, PTE_R = 2, PTE_W = 4, PTE_X = 8, PTE_U = 16, PTE_A = 64, PTE_D = 128 };
#define PTE_PPN_MASK ((1ull << 44) - 1)
#define PTE_RESERVED (0x3ffull << 54) /* N, PBMT and reserved: none is implemented */

/* Where the entry points to. */
static inline uint64_t pte_pa(uint64_t pte)
{
    return (pte >> 10 & PTE_PPN_MASK) << 12;
}

enum pte_kind { PTE_KIND_INVALID, PTE_KIND_TABLE, PTE_KIND_LEAF };

/* `level`: 0 is that of 4 KiB pages. A table's entry at level 0 is invalid. */
static inline enum pte_kind pte_kind(uint64_t pte, unsigned level)
{
    if (!(pte & PTE_V) || (pte & (PTE_R | PTE_W)) == PTE_W || (pte & PTE_RESERVED))
        return PTE_KIND_INVALID;
    if (!(pte & (PTE_R | PTE_X)))
        return !level || (pte & (PTE_A | PTE_D | PTE_U)) ? PTE_KIND_INVALID : PTE_KIND_TABLE;
    uint64_t inside = (1ull << (12 + 9 * level)) - 1;
    return pte_pa(pte) & inside ? PTE_KIND_INVALID : PTE_KIND_LEAF;
}

/* Levels of the tree satp selects; 0: no translation. */
static inline unsigned walk_levels(const struct hart *h)
{
    unsigned mode = (unsigned)(h->s.satp >> 60);
    return mode ? mode - 8 + 3 : 0;
}

static inline uint64_t walk_root(const struct hart *h)
{
    return (h->s.satp & PTE_PPN_MASK) << 12;
}

/* The canonical address with these low bits. */
static inline uint64_t walk_extend(uint64_t va, unsigned levels)
{
    unsigned unused = 64 - (12 + 9 * levels);
    return (uint64_t)((int64_t)(va << unused) >> unused);
}

/* ---- translation ---- */

struct walk {
    uint64_t pa;
    uint64_t pte[WALK_LEVELS]; /* physical addresses of the entries used */
    unsigned used;
    bool writable; /* the leaf allows writes and is dirty */
    bool uniform;  /* PMP says the same for the whole page */
};

/* Translate va for `priv` and check PMP for `size` bytes there, which lie in one page. `look`: set
 * no A or D bit (if they could be set, they count as set). False: *cause is the fault. */
bool walk(struct hart *h, uint64_t va, unsigned size, enum cpu_access access, enum priv priv,
          bool look, struct walk *w, enum cause *cause);

#endif
