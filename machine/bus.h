/* Memory-mapped devices by guest physical address. */
#ifndef MACHINE_BUS_H
#define MACHINE_BUS_H

#include <stdbool.h>
#include <stdint.h>

enum { BUS_REGIONS = 32 };

/* One device's window. `offset` is relative to its base; size is 1, 2, 4 or 8 and the access lies
 * inside the window, naturally aligned. False is an access fault. Reads may have side effects. */
struct bus_ops {
    bool (*read)(void *ctx, uint64_t offset, unsigned size, uint64_t *value);
    /* NULL: a ROM, all writes are refused. */
    bool (*write)(void *ctx, uint64_t offset, unsigned size, uint64_t value);
    /* A debugger's look: no side effect. NULL when the device cannot be looked at. */
    bool (*peek)(const void *ctx, uint64_t offset, unsigned size, uint64_t *value);
};

struct bus_region {
    const char *name;
    uint64_t base, size;
    const struct bus_ops *ops;
    void *ctx;
    /* The bytes that instructions are fetched from, all `size` of them; NULL: none are. Nothing
     * decoded from them is kept, so that their owner may change them between two steps. Such a
     * window is read at any alignment, byte by byte then: reads have no side effects. */
    const uint8_t *memory;
};

struct bus {
    struct bus_region region[BUS_REGIONS];
    unsigned count;
};

/* Add a window. Windows do not overlap; names and ops outlive the bus. */
void bus_add(struct bus *b, struct bus_region region);
/* The window that holds all of pa..pa+size, or NULL. Cost: linear in the windows. */
const struct bus_region *bus_find(const struct bus *b, uint64_t pa, uint64_t size);
/* Does it lie in one window with `memory`? */
bool bus_has_memory(const struct bus *b, uint64_t pa, unsigned size);
/* Is it an access of `size` (1 to 8) that the window's device is asked to do, and no write to a
 * ROM? The device may refuse the width still. */
bool bus_takes(const struct bus *b, uint64_t pa, unsigned size, bool write);
bool bus_read(const struct bus *b, uint64_t pa, unsigned size, uint64_t *value);
bool bus_write(const struct bus *b, uint64_t pa, unsigned size, uint64_t value);
bool bus_peek(const struct bus *b, uint64_t pa, unsigned size, uint64_t *value);

#endif
