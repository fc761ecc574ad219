/* Page tables: Sv39, Sv48, Sv57. Privileged spec, 4.3 to 4.6, Svadu. */
#ifndef MACHINE_RISCV_WALK_H
#define MACHINE_RISCV_WALK_H

#include "machine/riscv/hart.h"

enum { WALK_LEVELS = 5 };

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
