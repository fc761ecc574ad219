#include "machine/bus.h"

#include "base/check.h"

#include <stddef.h>

void bus_add(struct bus *b, struct bus_region region)
{
    check(b->count < BUS_REGIONS, "no room for %s", region.name);
    for (unsigned i = 0; i < b->count; i++)
        check(region.base + region.size <= b->region[i].base ||
                  b->region[i].base + b->region[i].size <= region.base,
              "%s overlaps %s", region.name, b->region[i].name);
    b->region[b->count++] = region;
}

const struct bus_region *bus_find(const struct bus *b, uint64_t pa, uint64_t size)
{
    for (unsigned i = 0; i < b->count; i++) {
        const struct bus_region *r = &b->region[i];
        if (pa - r->base < r->size && size <= r->size - (pa - r->base))
            return r;
    }
    return NULL;
}

static const struct bus_region *window(const struct bus *b, uint64_t pa, unsigned size)
{
    return pa & (size - 1) ? NULL : bus_find(b, pa, size);
}

bool bus_takes(const struct bus *b, uint64_t pa, unsigned size, bool write)
{
    const struct bus_region *r = size <= 8 ? window(b, pa, size) : NULL;
    return r && !(write && r->memory);
}

bool bus_read(const struct bus *b, uint64_t pa, unsigned size, uint64_t *value)
{
    const struct bus_region *r = window(b, pa, size);
    return r && r->ops->read(r->ctx, pa - r->base, size, value);
}

bool bus_write(const struct bus *b, uint64_t pa, unsigned size, uint64_t value)
{
    const struct bus_region *r = window(b, pa, size);
    return r && r->ops->write(r->ctx, pa - r->base, size, value);
}

bool bus_peek(const struct bus *b, uint64_t pa, unsigned size, uint64_t *value)
{
    const struct bus_region *r = window(b, pa, size);
    return r && r->ops->peek && r->ops->peek(r->ctx, pa - r->base, size, value);
}
