/* Semihosting calls of a hart. RISC-V Semihosting 0.4: three instructions of 32 bits around the
 * ebreak say that it is one; a0 is the operation, a1 its parameter, a0 takes the result. */
#include "machine/semihosting.h"

#include "machine/riscv/hart.h"

#include <string.h>

enum { A0 = 10, A1 = 11 };

#define SLLI_ZERO_1F 0x01f01013u
#define EBREAK 0x00100073u
#define SRAI_ZERO_7 0x40705013u

bool semihost_is_call(const struct hart *h)
{
    return hart_insn_bits(h, h->s.pc) == EBREAK && hart_insn_bits(h, h->s.pc - 4) == SLLI_ZERO_1F &&
           hart_insn_bits(h, h->s.pc + 4) == SRAI_ZERO_7;
}

bool semihost_wakes(const struct hart *h)
{
    return semihosting_ready(h->m->semihosting) || trap_pending_interrupt(h) >= 0;
}

/* ---- memory ---- */

struct access {
    struct hart *h;
    bool stopped; /* a point said stop */
};

static uint64_t bytes_in_page(uint64_t va, uint64_t size)
{
    uint64_t room = RAM_PAGE_SIZE - (va & (RAM_PAGE_SIZE - 1));
    return size < room ? size : room;
}

static uint64_t translate(const struct hart *h, uint64_t va, unsigned kinds)
{
    uint64_t pa;
    enum cpu_access access = kinds == HIT_WRITE ? CPU_WRITE : CPU_READ;
    if (!hart_translate_look(&h->cpu, va, access, &pa) || !ram_contains(&h->m->ram, pa, 1))
        return UINT64_MAX;
    return pa;
}

/* `va`.. can be written. */
static bool physical_stops(const struct hart *h, uint64_t va, uint64_t size)
{
    struct machine *m = h->m;
    for (uint64_t n; size; va += n, size -= n) {
        n = bytes_in_page(va, size);
        struct hit hit = {.kinds = HIT_PHYSICAL | HIT_WRITE,
                          .hart = h->cpu.index,
                          .position = machine_position(m),
                          .address = translate(h, va, HIT_WRITE),
                          .size = (unsigned)n,
                          .writer = WRITTEN_BY_HART};
        if (points_physical(&m->points, hit.address, n) && m->points.hit(m->points.ctx, &hit))
            return true;
    }
    return false;
}

/* RAM only. The accesses are the machine's, as with DMA: they set no A or D bit, but are watched
 * and noted like the hart's own. */
static bool check_range(void *ctx, uint64_t va, uint64_t size, unsigned kinds)
{
    struct access *access = ctx;
    struct hart *h = access->h;
    struct machine *m = h->m;
    for (uint64_t at = va, left = size, n; left; at += n, left -= n) {
        n = bytes_in_page(at, left);
        touched_add(&m->touched, at, kinds == HIT_WRITE ? TOUCHED_WRITE : TOUCHED_READ);
        if (translate(h, at, kinds) == UINT64_MAX || translate(h, at + n - 1, kinds) == UINT64_MAX)
            return false;
    }
    if (m->points.watch_count && points_watch(&m->points, va, size, kinds)) {
        struct hit hit = {.kinds = kinds,
                          .hart = h->cpu.index,
                          .position = machine_position(m),
                          .address = va,
                          .size = (unsigned)size};
        access->stopped = m->points.hit(m->points.ctx, &hit);
    }
    if (!access->stopped && kinds == HIT_WRITE && m->points.physical_count)
        access->stopped = physical_stops(h, va, size);
    return !access->stopped;
}

static void read_range(void *ctx, uint64_t va, void *bytes, size_t size)
{
    const struct hart *h = ((struct access *)ctx)->h;
    uint8_t *to = bytes;
    for (uint64_t n; size; va += n, to += n, size -= n) {
        n = bytes_in_page(va, size);
        memcpy(to, ram_at(&h->m->ram, translate(h, va, HIT_READ)), n);
    }
}

static void write_range(void *ctx, uint64_t va, const void *bytes, size_t size)
{
    const struct hart *h = ((struct access *)ctx)->h;
    const uint8_t *from = bytes;
    for (uint64_t n; size; va += n, from += n, size -= n) {
        n = bytes_in_page(va, size);
        ram_write(&h->m->ram, translate(h, va, HIT_WRITE), from, n);
    }
}

/* ---- the call ---- */

enum result semihost_execute(struct hart *h, uint64_t next)
{
    struct access access = {.h = h};
    const struct semihosting_memory memory = {check_range, read_range, write_range, &access};
    uint64_t result;
    bool done = semihosting_call(h->m->semihosting, h->s.x[A0], h->s.x[A1], &memory, &result);
    if (access.stopped)
        return HIT;
    if (!done) {
        h->s.waiting = WAITING_INPUT;
        h->s.instret--;
        return DONE_END;
    }
    h->s.x[A0] = result;
    h->s.pc = next;
    return DONE_END;
}
