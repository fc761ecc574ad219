#include "checkpoints/pool.h"

#include "base/check.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

/* A slab is aligned to its size: the slab of an object is its address rounded down. */
struct pool_slab {
    struct pool_slab *next, *previous; /* in pool->partial */
    union {
        struct free_object {
            struct free_object *next;
        } * free;          /* memory: a list through the objects */
        uint64_t taken[4]; /* file: a bit for each, so that giving one back does not touch it */
    } u;
    size_t used;
};

enum { SLAB_HEADER = 64 };
_Static_assert(sizeof(struct pool_slab) <= SLAB_HEADER, "the header fits before the objects");

/* The host's address checker knows nothing of pools unless it is told. */
#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define POOL_ASAN 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define POOL_ASAN 1
#endif
#ifdef POOL_ASAN
#include <sanitizer/asan_interface.h>
#define poison(start, size) __asan_poison_memory_region(start, size)
#define unpoison(start, size) __asan_unpoison_memory_region(start, size)
#else
#define poison(start, size) ((void)(start), (void)(size))
#define unpoison(start, size) ((void)(start), (void)(size))
#endif

static struct pool_slab *slab_of(void *object)
{
    return (struct pool_slab *)((uintptr_t)object & ~(uintptr_t)(POOL_SLAB_SIZE - 1));
}

static struct pool_slab *map_slab(void)
{
    struct pool_slab *slab = map_aligned(POOL_SLAB_SIZE, PROT_READ | PROT_WRITE);
    check(slab, "out of memory for a slab: %s", strerror(errno));
    return slab;
}

static size_t first_object(const struct pool *p)
{
    return p->object_size > SLAB_HEADER && !(p->object_size & (p->object_size - 1)) ? p->object_size
                                                                                    : SLAB_HEADER;
}

static size_t objects_in_slab(const struct pool *p)
{
    return (POOL_SLAB_SIZE - first_object(p)) / p->object_size;
}

static void *object_at(const struct pool *p, struct pool_slab *slab, size_t i)
{
    return (uint8_t *)slab + first_object(p) + i * p->object_size;
}

static struct pool_slab *slab_new(struct pool *p)
{
    struct pool_slab *slab = p->spill ? spill_take(p->spill) : map_slab();
    if (!slab)
        return NULL;
    *slab = (struct pool_slab){0};
    /* From the last to the first, so that they are handed out in ascending order. */
    for (size_t i = p->spill ? 0 : objects_in_slab(p); i-- > 0;) {
        struct free_object *object = object_at(p, slab, i);
        object->next = slab->u.free;
        slab->u.free = object;
    }
    poison(object_at(p, slab, 0), POOL_SLAB_SIZE - first_object(p));
    p->slabs++;
    return slab;
}

static void slab_free(struct pool *p, struct pool_slab *slab)
{
    unpoison(slab, POOL_SLAB_SIZE);
    if (p->spill)
        spill_give(p->spill, slab);
    else
        munmap(slab, POOL_SLAB_SIZE);
    p->slabs--;
}

static void link_partial(struct pool *p, struct pool_slab *slab)
{
    slab->previous = NULL;
    slab->next = p->partial;
    if (slab->next)
        slab->next->previous = slab;
    p->partial = slab;
}

static void unlink_partial(struct pool *p, struct pool_slab *slab)
{
    if (slab->next)
        slab->next->previous = slab->previous;
    if (slab->previous)
        slab->previous->next = slab->next;
    else
        p->partial = slab->next;
}

void pool_init(struct pool *p, size_t object_size, struct spill *spill)
{
    check(object_size >= sizeof(struct free_object) && object_size % 8 == 0 &&
              object_size <= POOL_SLAB_SIZE / 2,
          "objects of %zu bytes", object_size);
    *p = (struct pool){.object_size = object_size, .spill = spill};
    check(!spill || objects_in_slab(p) <= 256, "%zu objects in a slab", objects_in_slab(p));
}

void pool_fini(struct pool *p)
{
    check(p->used == 0, "%zu objects of %zu bytes are still in use", p->used, p->object_size);
    if (p->spare)
        slab_free(p, p->spare);
    *p = (struct pool){0};
}

static void *take_from(const struct pool *p, struct pool_slab *slab)
{
    void *object = slab->u.free;
    if (p->spill) {
        size_t i = 0;
        while (slab->u.taken[i / 64] >> i % 64 & 1)
            i++;
        slab->u.taken[i / 64] |= UINT64_C(1) << i % 64;
        object = object_at(p, slab, i);
    }
    unpoison(object, p->object_size);
    if (!p->spill)
        slab->u.free = ((struct free_object *)object)->next;
    slab->used++;
    return object;
}

static void give_to(const struct pool *p, struct pool_slab *slab, void *object)
{
    if (p->spill) {
        size_t i = (size_t)((uint8_t *)object - (uint8_t *)object_at(p, slab, 0)) / p->object_size;
        slab->u.taken[i / 64] &= ~(UINT64_C(1) << i % 64);
    } else {
        ((struct free_object *)object)->next = slab->u.free;
        slab->u.free = object;
    }
    poison(object, p->object_size);
    slab->used--;
}

void *pool_take(struct pool *p)
{
    if (!p->partial) {
        struct pool_slab *new = p->spare ? p->spare : slab_new(p);
        if (!new)
            return NULL;
        link_partial(p, new);
        p->spare = NULL;
    }
    struct pool_slab *slab = p->partial;
    void *object = take_from(p, slab);
    if (slab->used == objects_in_slab(p)) {
        unlink_partial(p, slab);
        if (p->spill)
            spill_rest(slab);
    }
    p->used++;
    return object;
}

void pool_give(struct pool *p, void *object)
{
    struct pool_slab *slab = slab_of(object);
    check(slab->used && p->used, "an object of %zu bytes given back twice", p->object_size);
    if (slab->used == objects_in_slab(p))
        link_partial(p, slab);
    give_to(p, slab, object);
    p->used--;
    if (slab->used)
        return;
    unlink_partial(p, slab);
    if (p->spare)
        slab_free(p, slab);
    else
        p->spare = slab;
}
