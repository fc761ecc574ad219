/* Where a run is to be looked at: breakpoints and watched ranges, armed in the engine. They belong
 * to the timeline, are no machine state, and never change what the guest does. */
#ifndef MACHINE_POINTS_H
#define MACHINE_POINTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum hit_kind {
    HIT_EXECUTE = 1, /* an instruction attempt at the address; an interrupt entry is none */
    HIT_READ = 2,
    HIT_WRITE = 4 /* an AMO is a read and a write; a failing SC is none */
};

/* A hit belongs to one step; the hook is called before the step changes anything. Accesses are
 * reported only if they will complete. */
struct hit {
    unsigned kinds;    /* enum hit_kind, of this access */
    unsigned hart;     /* index */
    uint64_t position; /* steps made before this step */
    uint64_t address;  /* virtual: the pc, or the first byte accessed */
    unsigned size;     /* bytes accessed, 0 for HIT_EXECUTE */
};

/* True: stop before this step. False: make the step, go on. */
typedef bool hit_fn(void *ctx, const struct hit *hit);

struct watch_range {
    uint64_t address; /* virtual */
    uint64_t size;    /* bytes, at least 1; does not wrap */
    unsigned kinds;   /* HIT_READ and/or HIT_WRITE */
};

struct points {
    uint64_t *execute; /* sorted addresses */
    size_t execute_count;
    struct watch_range *watch;
    size_t watch_count;
    hit_fn *hit;
    void *ctx;
};

static inline bool points_any(const struct points *p)
{
    return p->execute_count || p->watch_count;
}

/* Is there a breakpoint at pc? Cost: logarithmic. */
bool points_execute(const struct points *p, uint64_t pc);
/* Does a watched range with one of `kinds` touch address..address+size? */
bool points_watch(const struct points *p, uint64_t address, uint64_t size, unsigned kinds);

#endif
