#include "machine/points.h"

bool points_search(const struct points *p, uint64_t pc)
{
    size_t low = 0, high = p->execute_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (p->execute[middle] < pc)
            low = middle + 1;
        else
            high = middle;
    }
    return low < p->execute_count && p->execute[low] == pc;
}

static bool touches(const struct watch_range *range, size_t count, uint64_t address, uint64_t size,
                    unsigned kinds)
{
    for (size_t i = 0; i < count; i++) {
        const struct watch_range *w = &range[i];
        if ((w->kinds & kinds) && (address - w->address < w->size || w->address - address < size))
            return true;
    }
    return false;
}

bool points_watch(const struct points *p, uint64_t address, uint64_t size, unsigned kinds)
{
    return touches(p->watch, p->watch_count, address, size, kinds);
}

bool points_physical(const struct points *p, uint64_t address, uint64_t size)
{
    return touches(p->physical, p->physical_count, address, size, HIT_WRITE);
}
