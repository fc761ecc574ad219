/* Physical memory protection: privileged spec, 3.7. Grain: 4 bytes. */
#include "machine/riscv/hart.h"

enum { PMP_R = 1, PMP_W = 2, PMP_X = 4, PMP_A = 3 << 3, PMP_L = 1 << 7 };
enum { PMP_OFF = 0, PMP_TOR = 1, PMP_NA4 = 2, PMP_NAPOT = 3 };

static unsigned mode(const struct hart *h, unsigned i)
{
    return (h->s.pmpcfg[i] & PMP_A) >> 3;
}

/* The bytes [*low, *high) entry i matches; an empty range when it is off. */
static void range(const struct hart *h, unsigned i, uint64_t *low, uint64_t *high)
{
    uint64_t addr = h->s.pmpaddr[i];
    *low = *high = 0;
    switch (mode(h, i)) {
    case PMP_TOR:
        *low = i ? h->s.pmpaddr[i - 1] << 2 : 0;
        *high = addr << 2;
        break;
    case PMP_NA4:
        *low = addr << 2;
        *high = *low + 4;
        break;
    case PMP_NAPOT: {
        uint64_t size = (addr ^ (addr + 1)) + 1; /* in words, twice */
        *low = (addr & ~(size - 1)) << 2;
        *high = *low + (size << 2);
        if (size << 2 == 0 || *high < *low)
            *high = UINT64_MAX;
        break;
    }
    }
}

static bool permits(const struct hart *h, unsigned i, enum cpu_access access, enum priv priv)
{
    static const uint8_t need[] = {[CPU_FETCH] = PMP_X, [CPU_READ] = PMP_R, [CPU_WRITE] = PMP_W};
    if (priv == PRIV_M && !(h->s.pmpcfg[i] & PMP_L))
        return true;
    return h->s.pmpcfg[i] & need[access];
}

bool pmp_allows(const struct hart *h, uint64_t pa, unsigned size, enum cpu_access access,
                enum priv priv, bool *uniform)
{
    uint64_t page = pa & ~(uint64_t)(RAM_PAGE_SIZE - 1);
    *uniform = true;
    for (unsigned i = 0; i < PMP_ENTRIES; i++) {
        uint64_t low, high;
        range(h, i, &low, &high);
        if (low >= high)
            continue;
        if (low < page + RAM_PAGE_SIZE && high > page &&
            !(low <= page && high >= page + RAM_PAGE_SIZE))
            *uniform = false;
        if (pa + size <= low || pa >= high)
            continue;
        return pa >= low && pa + size <= high && permits(h, i, access, priv);
    }
    return priv == PRIV_M;
}

void pmp_write_cfg(struct hart *h, unsigned first, uint64_t value)
{
    for (unsigned i = 0; i < 8; i++) {
        uint8_t cfg = (uint8_t)(value >> (8 * i)) & (PMP_L | PMP_A | PMP_X | PMP_W | PMP_R);
        if (h->s.pmpcfg[first + i] & PMP_L)
            continue;
        if ((cfg & (PMP_R | PMP_W)) == PMP_W)
            cfg &= (uint8_t)~PMP_W;
        h->s.pmpcfg[first + i] = cfg;
    }
    hart_flush(h);
}

void pmp_write_addr(struct hart *h, unsigned entry, uint64_t value)
{
    bool next_locks = entry + 1 < PMP_ENTRIES && (h->s.pmpcfg[entry + 1] & PMP_L) &&
                      mode(h, entry + 1) == PMP_TOR;
    if ((h->s.pmpcfg[entry] & PMP_L) || next_locks)
        return;
    h->s.pmpaddr[entry] = value & ((1ull << 54) - 1);
    hart_flush(h);
}
