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
    HIT_WRITE = 4, /* an AMO is a read and a write; a failing SC is none */
    HIT_TRAP = 8,  /* a trap or an interrupt is taken: the step that enters its handler */
    /* With HIT_WRITE: of bytes of physical memory, whoever writes them. Besides, and apart from,
     * the hit of a watched virtual range that the same store may be. */
    HIT_PHYSICAL = 16
};

/* Who writes physical memory. */
enum hit_writer {
    WRITTEN_BY_HART,     /* a store, through whatever address */
    WRITTEN_BY_TABLES,   /* a hart's walk of page tables that sets A or D */
    WRITTEN_BY_DEVICE,   /* DMA */
    WRITTEN_BY_DEBUGGER, /* EVENT_MEMORY */
    WRITTEN_BY_RESET     /* images are written again */
};

/* A hit belongs to one step; the hook is called before the step changes anything. Accesses are
 * reported only if they will complete. Those of one step come in this order: HIT_EXECUTE, then
 * HIT_READ and HIT_WRITE, or HIT_TRAP; of a store the virtual range before the physical one. When
 * the hook stops at one, the later ones of the step are not reported, but all of them when the step
 * is attempted again.
 *
 * Writes that no store of a hart makes (all writers but WRITTEN_BY_HART) are reported right before
 * they are made, so that memory still shows what was there, but `behind`: what belongs to the end
 * of a step or to idle time cannot be stopped before. The run then ends at the next position there
 * is (machine_run). One of a step that is stopped before all the same has not happened; it is
 * reported again with that step. */
struct hit {
    unsigned kinds;    /* enum hit_kind, of this access */
    unsigned hart;     /* index; of no hart: the one whose turn it is */
    uint64_t position; /* steps made before this step; behind: the first position at which the
                        * memory is written, as a seek to it shows, is position + 1 */
    uint64_t address;  /* virtual: the pc, or the first byte accessed; HIT_PHYSICAL: physical */
    unsigned size;     /* bytes accessed, 0 for HIT_EXECUTE and HIT_TRAP */
    /* HIT_WRITE: the `size` bytes it will leave at `address`, of a device those that it is sent;
     * NULL: not known. Valid during the call. */
    const uint8_t *after;
    uint64_t cause;         /* HIT_TRAP: as the architecture has it, bit 63: an interrupt */
    enum hit_writer writer; /* HIT_PHYSICAL */
    const char *device;     /* WRITTEN_BY_DEVICE: its name */
    bool behind;
};

/* True: stop before this step (behind: right after the write). False: make the step, go on. */
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
    struct watch_range *physical; /* of physical addresses, HIT_WRITE */
    size_t physical_count;
    bool traps; /* HIT_TRAP is wanted */
};

static inline bool points_any(const struct points *p)
{
    return p->execute_count || p->watch_count || p->physical_count || p->traps;
}

/* points_execute behind its first look. */
bool points_search(const struct points *p, uint64_t pc);
/* Is there a breakpoint at pc? Cost: logarithmic; none where pc lies outside of all of them, which
 * is so of most who ask: their code is at the same place in another page. */
static inline bool points_execute(const struct points *p, uint64_t pc)
{
    size_t count = p->execute_count;
    return count && pc >= p->execute[0] && pc <= p->execute[count - 1] && points_search(p, pc);
}
/* Does a watched range with one of `kinds` touch address..address+size? */
bool points_watch(const struct points *p, uint64_t address, uint64_t size, unsigned kinds);
/* Does a watched range of physical memory touch address..address+size? */
bool points_physical(const struct points *p, uint64_t address, uint64_t size);

#endif
