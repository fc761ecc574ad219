#include "machine/points.h"

bool points_execute(const struct points *p, uint64_t pc)
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

bool points_watch(const struct points *p, uint64_t address, uint64_t size, unsigned kinds)
{
    for (size_t i = 0; i < p->watch_count; i++) {
        const struct watch_range *w = &p->watch[i];
        if ((w->kinds & kinds) && (address - w->address < w->size || w->address - address < size))
            return true;
    }
    return false;
}
