#include "machine/ram.h"

#include "base/check.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static void *map_zeroed(uint64_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

bool ram_init(struct ram *r, uint64_t base, uint64_t size, struct error *err)
{
    check(size && size % RAM_PAGE_SIZE == 0, "RAM of %" PRIu64 " bytes", size);
    *r = (struct ram){.base = base, .size = size, .pages = size >> RAM_PAGE_BITS};
    r->host = map_zeroed(size);
    r->flags = map_zeroed(r->pages);
    if (!r->host || !r->flags) {
        ram_fini(r);
        return error_set(err, ERROR_MEMORY, "cannot get %" PRIu64 " MiB of guest RAM: %s",
                         size >> 20, strerror(errno));
    }
    return true;
}

void ram_fini(struct ram *r)
{
    if (r->host)
        munmap(r->host, r->size);
    if (r->flags)
        munmap(r->flags, r->pages);
    free(r->dirty);
    *r = (struct ram){0};
}

void ram_mark_dirty(struct ram *r, uint64_t page)
{
    if (r->flags[page] & RAM_DIRTY)
        return;
    r->flags[page] |= RAM_DIRTY;
    if (r->dirty_count == r->dirty_capacity) {
        r->dirty_capacity = r->dirty_capacity ? 2 * r->dirty_capacity : 256;
        r->dirty = mem_grow(r->dirty, r->dirty_capacity, sizeof *r->dirty);
    }
    r->dirty[r->dirty_count++] = (uint32_t)page;
}

static void tell_changed(struct ram *r, uint64_t page, unsigned offset, unsigned size)
{
    if (r->flags[page] & (RAM_CODE | RAM_TABLE))
        r->changed(r->changed_ctx, page, offset, size);
}

void ram_write(struct ram *r, uint64_t pa, const void *bytes, uint64_t size)
{
    check(ram_contains(r, pa, size), "write of %" PRIu64 " bytes at %#" PRIx64, size, pa);
    const uint8_t *from = bytes;
    if (r->watch && size)
        r->watch(r->watch_ctx, pa, bytes, size);
    while (size) {
        unsigned offset = pa & (RAM_PAGE_SIZE - 1);
        unsigned n = RAM_PAGE_SIZE - offset;
        if (n > size)
            n = (unsigned)size;
        ram_mark_dirty(r, ram_page(r, pa));
        memcpy(ram_at(r, pa), from, n);
        tell_changed(r, ram_page(r, pa), offset, n);
        pa += n;
        from += n;
        size -= n;
    }
}

void ram_restore_page(struct ram *r, uint64_t page, const uint8_t *bytes)
{
    uint8_t *to = r->host + (page << RAM_PAGE_BITS);
    if (bytes)
        memcpy(to, bytes, RAM_PAGE_SIZE);
    else
        memset(to, 0, RAM_PAGE_SIZE);
    tell_changed(r, page, 0, RAM_PAGE_SIZE);
}

void ram_clear_dirty(struct ram *r)
{
    for (size_t i = 0; i < r->dirty_count; i++)
        r->flags[r->dirty[i]] &= (uint8_t)~RAM_DIRTY;
    r->dirty_count = 0;
}
