#include "machine/touched.h"

#include "base/check.h"
#include "base/hash.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 256 };
#define NO_KEY UINT64_MAX

void touched_init(struct touched *t)
{
    *t = (struct touched){mem_new(FIRST_CAPACITY, sizeof *t->slot), FIRST_CAPACITY, 0, NO_KEY};
}

void touched_fini(struct touched *t)
{
    free(t->slot);
    *t = (struct touched){0};
}

void touched_clear(struct touched *t)
{
    memset(t->slot, 0, t->capacity * sizeof *t->slot);
    t->count = 0;
    t->last = NO_KEY;
}

static void insert(struct touched *t, uint64_t entry)
{
    size_t i = hash_mix(entry) & (t->capacity - 1);
    while (t->slot[i] && t->slot[i] != entry)
        i = (i + 1) & (t->capacity - 1);
    if (!t->slot[i]) {
        t->slot[i] = entry;
        t->count++;
    }
}

static void grow(struct touched *t)
{
    struct touched old = *t;
    t->capacity *= 2;
    t->slot = mem_new(t->capacity, sizeof *t->slot);
    t->count = 0;
    for (size_t i = 0; i < old.capacity; i++)
        if (old.slot[i])
            insert(t, old.slot[i]);
    free(old.slot);
}

void touched_add_key(struct touched *t, uint64_t key)
{
    t->last = key;
    if (t->count * 2 >= t->capacity)
        grow(t);
    insert(t, key + 1);
}

static int compare_keys(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

uint64_t *touched_sorted(const struct touched *t, size_t *count)
{
    *count = t->count;
    if (!t->count)
        return NULL;
    uint64_t *keys = mem_new(t->count, sizeof *keys);
    size_t n = 0;
    for (size_t i = 0; i < t->capacity; i++)
        if (t->slot[i])
            keys[n++] = t->slot[i] - 1;
    qsort(keys, n, sizeof *keys, compare_keys);
    return keys;
}
