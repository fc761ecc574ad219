/* Translation, its caches, and what keeps them coherent with the tables they came from. */
#include "base/check.h"
#include "base/endian.h"
#include "machine/riscv/code.h"
#include "machine/riscv/walk.h"

#include <stdlib.h>
#include <string.h>

#define PAGE_MASK (~(uint64_t)(RAM_PAGE_SIZE - 1))

static enum priv data_priv(const struct hart *h)
{
    if (h->s.mstatus & MSTATUS_MPRV)
        return (enum priv)((h->s.mstatus & MSTATUS_MPP) >> 11);
    return (enum priv)h->s.priv;
}

enum regime hart_data_regime(const struct hart *h)
{
    switch (data_priv(h)) {
    case PRIV_U:
        return REGIME_U;
    case PRIV_S:
        return h->s.mstatus & MSTATUS_SUM ? REGIME_S_SUM : REGIME_S;
    default:
        return REGIME_M;
    }
}

enum regime hart_fetch_regime(const struct hart *h)
{
    return h->s.priv == PRIV_M ? REGIME_M : h->s.priv == PRIV_S ? REGIME_S : REGIME_U;
}

static void flush(struct tlb *tlb)
{
    if (tlb->fills > TLB_USED)
        memset(tlb->entry, 0xff, TLB_ENTRIES * sizeof *tlb->entry);
    else
        for (unsigned i = 0; i < tlb->fills; i++)
            tlb->entry[tlb->used[i]].tag = TLB_NO_TAG;
    tlb->fills = 0;
}

void hart_flush_writes(struct hart *h)
{
    for (unsigned i = 0; i < REGIMES; i++)
        flush(&h->write[i]);
}

void hart_flush_data(struct hart *h)
{
    hart_flush_writes(h);
    for (unsigned i = 0; i < REGIMES; i++)
        flush(&h->read[i]);
}

void hart_flush_fetch(struct hart *h)
{
    for (unsigned i = 0; i < REGIMES; i++) {
        if (h->fetch_used[i])
            memset(h->fetch[i], 0xff, sizeof h->fetch[i]);
        h->fetch_used[i] = false;
    }
}

void hart_flush(struct hart *h)
{
    hart_flush_data(h);
    hart_flush_fetch(h);
}

void mmu_drop_all(struct riscv_shared *shared)
{
    for (unsigned i = 0; i < shared->m->config.cpus; i++)
        hart_flush(shared->hart[i]);
    for (unsigned i = 0; i < shared->table_count; i++) {
        uint32_t page = shared->table_list[i];
        free(shared->tables[page]);
        shared->tables[page] = NULL;
        shared->m->ram.flags[page] &= (uint8_t)~RAM_TABLE;
    }
    shared->table_count = 0;
}

void mmu_protect_page(struct riscv_shared *shared, uint64_t page, enum ram_flag flag)
{
    uint8_t *flags = &shared->m->ram.flags[page];
    if (*flags & RAM_CACHED_WRITES)
        for (unsigned i = 0; i < shared->m->config.cpus; i++)
            hart_flush_writes(shared->hart[i]);
    *flags = (uint8_t)((*flags & ~RAM_CACHED_WRITES) | flag);
}

void mmu_page_written(struct riscv_shared *shared, uint64_t page, unsigned offset, unsigned size)
{
    if (!(shared->m->ram.flags[page] & RAM_TABLE))
        return;
    const uint64_t *used = shared->tables[page];
    for (unsigned slot = offset / 8; slot <= (offset + size - 1) / 8; slot++)
        if (used[slot / 64] >> (slot % 64) & 1) {
            mmu_drop_all(shared);
            machine_attention(shared->m);
            return;
        }
}

/* A translation through these entries is about to be cached. */
static void track_tables(struct riscv_shared *shared, const struct walk *w)
{
    struct ram *ram = &shared->m->ram;
    for (unsigned i = 0; i < w->used; i++) {
        uint64_t page = ram_page(ram, w->pte[i]);
        if (!(ram->flags[page] & RAM_TABLE)) {
            mmu_protect_page(shared, page, RAM_TABLE);
            shared->tables[page] = mem_new(8, 8);
            if (shared->table_count == shared->table_capacity) {
                shared->table_capacity = shared->table_capacity ? 2 * shared->table_capacity : 64;
                shared->table_list =
                    mem_grow(shared->table_list, shared->table_capacity, sizeof(uint32_t));
            }
            shared->table_list[shared->table_count++] = (uint32_t)page;
        }
        unsigned slot = (w->pte[i] & (RAM_PAGE_SIZE - 1)) / 8;
        shared->tables[page][slot / 64] |= 1ull << (slot % 64);
    }
}

static void fill(struct hart *h, struct tlb *tlb, uint64_t va, uint64_t pa)
{
    unsigned index = (va >> RAM_PAGE_BITS) & (TLB_ENTRIES - 1);
    if (tlb->fills < TLB_USED)
        tlb->used[tlb->fills] = (uint16_t)index;
    if (tlb->fills <= TLB_USED)
        tlb->fills++;
    tlb->entry[index].tag = va & PAGE_MASK;
    tlb->entry[index].add = (uint64_t)(uintptr_t)ram_at(&h->m->ram, pa) - va;
}

static bool watched_page(const struct hart *h, uint64_t va)
{
    return points_watch(&h->m->points, va & PAGE_MASK, RAM_PAGE_SIZE, HIT_READ | HIT_WRITE);
}

/* Keep the translation in a TLB if every access to the page may go the fast path. */
static void cache(struct hart *h, uint64_t va, enum cpu_access access, const struct walk *w)
{
    struct ram *ram = &h->m->ram;
    if (!w->uniform || !ram_contains(ram, w->pa, 1) || watched_page(h, va))
        return;
    uint64_t page = ram_page(ram, w->pa);
    enum regime regime = hart_data_regime(h);
    track_tables(h->shared, w);
    if (access == CPU_READ) {
        fill(h, &h->read[regime], va, w->pa);
    } else if (w->writable && !(ram->flags[page] & (RAM_CODE | RAM_TABLE | RAM_HOOKED)) &&
               !points_physical(&h->m->points, w->pa & PAGE_MASK, RAM_PAGE_SIZE)) {
        ram_mark_dirty(ram, page);
        ram->flags[page] |= RAM_CACHED_WRITES;
        fill(h, &h->write[regime], va, w->pa);
    }
}

/* Translate an access that lies inside one page, with its side effects. */
static enum result resolve(struct hart *h, uint64_t va, unsigned size, enum cpu_access access,
                           uint64_t *pa)
{
    struct walk w;
    enum cause cause;
    touched_add(&h->m->touched, va, access == CPU_READ ? TOUCHED_READ : TOUCHED_WRITE);
    if (!walk(h, va, size, access, data_priv(h), false, &w, &cause))
        return raise(h, cause, va);
    cache(h, va, access, &w);
    *pa = w.pa;
    return DONE;
}

/* Memory that reads may be put together from. */
static bool is_memory(const struct hart *h, uint64_t pa, unsigned size, bool write)
{
    return ram_contains(&h->m->ram, pa, size) || (!write && bus_has_memory(&h->m->bus, pa, size));
}

/* `part` of an access that crosses a page: devices take none. */
static bool accessible(struct hart *h, uint64_t va, unsigned size, unsigned kinds, bool part,
                       uint64_t *pa)
{
    struct walk w;
    enum cause cause;
    bool write = kinds & HIT_WRITE;
    bool ok =
        walk(h, va, size, write ? CPU_WRITE : CPU_READ, data_priv(h), true, &w, &cause) &&
        (is_memory(h, w.pa, size, write) || (!part && bus_takes(&h->m->bus, w.pa, size, write)));
    *pa = w.pa;
    return ok;
}

static unsigned bytes_in_page(uint64_t va, unsigned size)
{
    unsigned room = RAM_PAGE_SIZE - (va & (RAM_PAGE_SIZE - 1));
    return size < room ? size : room;
}

static uint64_t amo_result(unsigned funct5, unsigned size, uint64_t old, uint64_t operand)
{
    int64_t a = size == 4 ? (int32_t)old : (int64_t)old;
    int64_t b = size == 4 ? (int32_t)operand : (int64_t)operand;
    uint64_t ua = size == 4 ? (uint32_t)old : old, ub = size == 4 ? (uint32_t)operand : operand;
    switch (funct5) {
    case 0x00:
        return old + operand;
    case 0x01:
        return operand;
    case 0x04:
        return old ^ operand;
    case 0x08:
        return old | operand;
    case 0x0c:
        return old & operand;
    case 0x10:
        return a < b ? old : operand;
    case 0x14:
        return a > b ? old : operand;
    case 0x18:
        return ua < ub ? old : operand;
    default:
        return ua > ub ? old : operand;
    }
}

/* Does a watched range of physical memory that a store touches say stop? */
static bool physical_stops(struct hart *h, uint64_t pa, unsigned size, const uint8_t *after)
{
    struct machine *m = h->m;
    if (!points_physical(&m->points, pa, size))
        return false;
    struct hit hit = {.kinds = HIT_PHYSICAL | HIT_WRITE,
                      .hart = h->cpu.index,
                      .position = machine_position(m),
                      .address = pa,
                      .size = size,
                      .after = after,
                      .writer = WRITTEN_BY_HART};
    return m->points.hit(m->points.ctx, &hit);
}

/* What an access would do to memory. */
struct change {
    const uint8_t *after; /* `size` bytes, if they are known; an AMO's are found here: */
    bool amo;
    unsigned funct5;
    uint64_t operand;
};

/* Without reading a device, which may have effects. */
static const uint8_t *amo_after(struct hart *h, uint64_t pa, unsigned size, const struct change *c,
                                uint8_t *bytes)
{
    if (!ram_contains(&h->m->ram, pa, size))
        return NULL;
    store_le(bytes, amo_result(c->funct5, size, load_le(ram_at(&h->m->ram, pa), size), c->operand),
             size);
    return bytes;
}

/* Does a watched range with an access that will complete say stop? */
static bool watch_stops(struct hart *h, uint64_t va, unsigned size, unsigned kinds,
                        const struct change *change)
{
    struct machine *m = h->m;
    bool physical = (kinds & HIT_WRITE) && m->points.physical_count;
    bool watched = m->points.watch_count && points_watch(&m->points, va, size, kinds);
    if (!watched && !physical)
        return false;
    uint64_t pa[2] = {0, 0};
    unsigned first = bytes_in_page(va, size);
    bool two = first < size;
    if (!accessible(h, va, first, kinds, two, &pa[0]) ||
        (two && !accessible(h, va + first, size - first, kinds, two, &pa[1])))
        return false;
    uint8_t bytes[8];
    const uint8_t *after = change->amo ? amo_after(h, pa[0], size, change, bytes) : change->after;
    struct hit hit = {.kinds = kinds,
                      .hart = h->cpu.index,
                      .position = machine_position(m),
                      .address = va,
                      .size = size,
                      .after = after};
    if (watched && m->points.hit(m->points.ctx, &hit))
        return true;
    if (!physical)
        return false;
    if (!two || pa[1] == pa[0] + first)
        return physical_stops(h, pa[0], size, after);
    return physical_stops(h, pa[0], first, after) ||
           physical_stops(h, pa[1], size - first, after ? after + first : NULL);
}

/* Does anything look at accesses that a TLB does not answer? */
static bool looked_at(const struct hart *h)
{
    return h->m->points.watch_count || h->m->points.physical_count;
}

static bool read_stops(struct hart *h, uint64_t va, unsigned size)
{
    static const struct change none;
    return h->m->points.watch_count && watch_stops(h, va, size, HIT_READ, &none);
}

static bool write_stops(struct hart *h, uint64_t va, unsigned size, uint64_t value)
{
    uint8_t bytes[8];
    if (!looked_at(h))
        return false;
    store_le64(bytes, value);
    return watch_stops(h, va, size, HIT_WRITE, &(struct change){.after = bytes});
}

/* Done; but when translations or code were dropped on the way, the block ends. */
static enum result done(const struct hart *h)
{
    return h->m->attention ? DONE_END : DONE;
}

static enum result read_physical(struct hart *h, uint64_t va, uint64_t pa, unsigned size,
                                 uint64_t *value)
{
    if (ram_contains(&h->m->ram, pa, size)) {
        *value = load_le(ram_at(&h->m->ram, pa), size);
        return done(h);
    }
    if (bus_read(&h->m->bus, pa, size, value))
        return DONE_END;
    return raise(h, CAUSE_LOAD_ACCESS, va);
}

/* A store to a page that is looked at. */
static enum result written(struct hart *h, uint64_t page, uint64_t pa, unsigned size)
{
    struct machine *m = h->m;
    unsigned offset = pa & (RAM_PAGE_SIZE - 1);
    mmu_page_written(h->shared, page, offset, size);
    code_page_written(h->shared, page, offset, size);
    if ((m->ram.flags[page] & RAM_HOOKED) && pa < m->images.tohost + 8 &&
        pa + size > m->images.tohost) {
        uint64_t tohost = load_le64(ram_at(&m->ram, m->images.tohost));
        if (tohost & 1)
            machine_request_halt(m, HALT_EXIT, tohost >> 1);
    }
    return done(h);
}

static enum result write_physical(struct hart *h, uint64_t va, uint64_t pa, unsigned size,
                                  uint64_t value)
{
    struct ram *ram = &h->m->ram;
    if (ram_contains(ram, pa, size)) {
        uint64_t page = ram_page(ram, pa);
        ram_mark_dirty(ram, page);
        store_le(ram_at(ram, pa), value, size);
        if (ram->flags[page] & (RAM_CODE | RAM_TABLE | RAM_HOOKED))
            return written(h, page, pa, size);
        return done(h);
    }
    if (bus_write(&h->m->bus, pa, size, value))
        return DONE_END;
    return raise(h, CAUSE_STORE_ACCESS, va);
}

/* Both parts of an access that crosses a page; devices take no such access. */
static enum result resolve_two(struct hart *h, uint64_t va, unsigned size, enum cpu_access access,
                               uint64_t pa[2])
{
    unsigned first = bytes_in_page(va, size);
    bool write = access == CPU_WRITE;
    enum cause fault = write ? CAUSE_STORE_ACCESS : CAUSE_LOAD_ACCESS;
    if (resolve(h, va, first, access, &pa[0]) == TRAPPED)
        return TRAPPED;
    if (!is_memory(h, pa[0], first, write))
        return raise(h, fault, va);
    if (resolve(h, va + first, size - first, access, &pa[1]) == TRAPPED)
        return TRAPPED;
    if (!is_memory(h, pa[1], size - first, write))
        return raise(h, fault, va + first);
    return DONE;
}

enum result hart_load(struct hart *h, uint64_t va, unsigned size, uint64_t *value)
{
    if (read_stops(h, va, size))
        return HIT;
    uint64_t pa[2], low, high;
    unsigned first = bytes_in_page(va, size);
    if (first == size) {
        if (resolve(h, va, size, CPU_READ, pa) == TRAPPED)
            return TRAPPED;
        return read_physical(h, va, pa[0], size, value);
    }
    if (resolve_two(h, va, size, CPU_READ, pa) == TRAPPED)
        return TRAPPED;
    read_physical(h, va, pa[0], first, &low);
    read_physical(h, va, pa[1], size - first, &high);
    *value = low | high << (8 * first);
    return done(h);
}

enum result hart_store(struct hart *h, uint64_t va, unsigned size, uint64_t value)
{
    if (write_stops(h, va, size, value))
        return HIT;
    uint64_t pa[2];
    unsigned first = bytes_in_page(va, size);
    if (first == size) {
        if (resolve(h, va, size, CPU_WRITE, pa) == TRAPPED)
            return TRAPPED;
        return write_physical(h, va, pa[0], size, value);
    }
    if (resolve_two(h, va, size, CPU_WRITE, pa) == TRAPPED)
        return TRAPPED;
    enum result one = write_physical(h, va, pa[0], first, value);
    enum result two = write_physical(h, va, pa[1], size - first, value >> (8 * first));
    return one == DONE ? two : one;
}

enum result hart_load_reserved(struct hart *h, uint64_t va, unsigned size, uint64_t *value)
{
    if (va & (size - 1))
        return raise(h, CAUSE_LOAD_MISALIGNED, va);
    if (read_stops(h, va, size))
        return HIT;
    uint64_t pa;
    if (resolve(h, va, size, CPU_READ, &pa) == TRAPPED)
        return TRAPPED;
    enum result r = read_physical(h, va, pa, size, value);
    if (r != TRAPPED) {
        h->s.reservation = pa;
        h->s.reserved = size == 8 ? 4 : 3;
    }
    return r;
}

enum result hart_store_conditional(struct hart *h, uint64_t va, unsigned size, uint64_t value,
                                   bool *failed)
{
    if (va & (size - 1))
        return raise(h, CAUSE_STORE_MISALIGNED, va);
    struct walk w;
    enum cause cause;
    *failed = true;
    if (h->s.reserved != (size == 8 ? 4 : 3)) {
        h->s.reserved = 0;
        return DONE;
    }
    if (!walk(h, va, size, CPU_WRITE, data_priv(h), true, &w, &cause)) {
        touched_add(&h->m->touched, va, TOUCHED_WRITE);
        return raise(h, cause, va);
    }
    if (w.pa != h->s.reservation) {
        h->s.reserved = 0;
        return DONE;
    }
    *failed = false;
    enum result r = hart_store(h, va, size, value);
    if (r == DONE || r == DONE_END)
        h->s.reserved = 0;
    return r;
}

enum result hart_amo(struct hart *h, uint64_t va, unsigned size, unsigned funct5, uint64_t operand,
                     uint64_t *old)
{
    if (va & (size - 1))
        return raise(h, CAUSE_STORE_MISALIGNED, va);
    if (looked_at(h) &&
        watch_stops(h, va, size, HIT_READ | HIT_WRITE,
                    &(struct change){.amo = true, .funct5 = funct5, .operand = operand}))
        return HIT;
    uint64_t pa;
    bool uniform;
    touched_add(&h->m->touched, va, TOUCHED_READ);
    if (resolve(h, va, size, CPU_WRITE, &pa) == TRAPPED)
        return TRAPPED;
    if (!pmp_allows(h, pa, size, CPU_READ, data_priv(h), &uniform))
        return raise(h, CAUSE_STORE_ACCESS, va);
    enum result r = read_physical(h, va, pa, size, old);
    if (r == TRAPPED)
        return raise(h, CAUSE_STORE_ACCESS, va);
    enum result stored = write_physical(h, va, pa, size, amo_result(funct5, size, *old, operand));
    return stored == DONE ? r : stored;
}

enum result hart_zero_block(struct hart *h, uint64_t va)
{
    enum { BLOCK = 64 };
    static const uint8_t zeroes[BLOCK];
    uint64_t block = va & ~(uint64_t)(BLOCK - 1), pa;
    if (looked_at(h) && watch_stops(h, block, BLOCK, HIT_WRITE, &(struct change){.after = zeroes}))
        return HIT;
    if (resolve(h, block, BLOCK, CPU_WRITE, &pa) == TRAPPED)
        return raise(h, (enum cause)h->cause, va);
    if (!ram_contains(&h->m->ram, pa, BLOCK))
        return raise(h, CAUSE_STORE_ACCESS, va);
    ram_write(&h->m->ram, pa, zeroes, BLOCK);
    return written(h, ram_page(&h->m->ram, pa), pa, BLOCK);
}

enum result hart_manage_block(struct hart *h, uint64_t va)
{
    struct walk w;
    enum cause cause;
    if (walk(h, va, 1, CPU_READ, data_priv(h), false, &w, &cause) ||
        walk(h, va, 1, CPU_WRITE, data_priv(h), false, &w, &cause))
        return done(h);
    return raise(h, cause, va);
}

bool hart_translate_fetch(struct hart *h, uint64_t va, unsigned size, uint64_t *pa, bool *uniform)
{
    struct walk w;
    enum cause cause;
    if (!walk(h, va, size, CPU_FETCH, (enum priv)h->s.priv, false, &w, &cause)) {
        raise(h, cause, va);
        return false;
    }
    *pa = w.pa;
    *uniform = w.uniform;
    if (w.uniform)
        track_tables(h->shared, &w);
    return true;
}

bool hart_translate_look(const struct cpu *cpu, uint64_t va, enum cpu_access access, uint64_t *pa)
{
    struct hart *h = hart_of(cpu);
    struct walk w;
    enum cause cause;
    enum priv priv = access == CPU_FETCH ? (enum priv)h->s.priv : data_priv(h);
    bool ok = walk(h, va, 1, access, priv, true, &w, &cause);
    *pa = w.pa;
    return ok;
}

bool hart_translate_debug(const struct cpu *cpu, uint64_t va, enum cpu_access access, uint64_t *pa)
{
    struct hart *h = hart_of(cpu);
    struct walk w;
    enum cause cause;
    enum priv priv = data_priv(h);
    if (hart_translate_look(cpu, va, access, pa))
        return true;
    if (priv == PRIV_M ||
        !walk(h, va, 1, access, priv == PRIV_S ? PRIV_U : PRIV_S, true, &w, &cause))
        return false;
    *pa = w.pa;
    return true;
}

uint32_t hart_insn_bits(const struct hart *h, uint64_t pc)
{
    uint64_t pa;
    uint16_t half[2] = {0, 0};
    for (unsigned i = 0; i < 2; i++) {
        if (hart_translate_look(&h->cpu, pc + 2 * i, CPU_FETCH, &pa))
            machine_peek(h->m, pa, &half[i], 2);
        if ((half[0] & 3) != 3)
            break;
    }
    return half[0] | (uint32_t)half[1] << 16;
}
