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

static bool is_aligned(uint64_t pa, unsigned size)
{
    return !(size & (size - 1)) && !(pa & (size - 1));
}

static const struct bus_region *window(const struct bus *b, uint64_t pa, unsigned size)
{
    return is_aligned(pa, size) ? bus_find(b, pa, size) : NULL;
}

bool bus_has_memory(const struct bus *b, uint64_t pa, unsigned size)
{
    const struct bus_region *r = bus_find(b, pa, size);
    return r && r->memory;
}

bool bus_takes(const struct bus *b, uint64_t pa, unsigned size, bool write)
{
    const struct bus_region *r = size <= 8 ? bus_find(b, pa, size) : NULL;
    if (!r)
        return false;
    return is_aligned(pa, size) ? !write || r->ops->write : !write && r->memory;
}

static bool read_bytes(const struct bus_region *r, uint64_t offset, unsigned size, uint64_t *value)
{
    *value = 0;
    for (unsigned i = 0; i < size; i++) {
        uint64_t byte;
        if (!r->ops->read(r->ctx, offset + i, 1, &byte))
            return false;
        *value |= byte << 8 * i;
    }
    return true;
}

bool bus_read(const struct bus *b, uint64_t pa, unsigned size, uint64_t *value)
{
    const struct bus_region *r = bus_find(b, pa, size);
    if (!r)
        return false;
    if (is_aligned(pa, size))
        return r->ops->read(r->ctx, pa - r->base, size, value);
    return r->memory && read_bytes(r, pa - r->base, size, value);
}

bool bus_write(const struct bus *b, uint64_t pa, unsigned size, uint64_t value)
{
    const struct bus_region *r = window(b, pa, size);
    return r && r->ops->write && r->ops->write(r->ctx, pa - r->base, size, value);
}

bool bus_peek(const struct bus *b, uint64_t pa, unsigned size, uint64_t *value)
{
    const struct bus_region *r = window(b, pa, size);
    return r && r->ops->peek && r->ops->peek(r->ctx, pa - r->base, size, value);
}
