#include "machine/riscv/code.h"

#include "base/check.h"
#include "base/endian.h"

#include <stdlib.h>
#include <string.h>

/* Chunks grow with what a page already has: most have little code, and code that jumps to each
 * offset of a page makes a hundred times as much of it. */
enum { CHUNK_LEAST = 2048, CHUNK_MOST = 16384 };
/* Of all decoded code together; then it is made anew. */
#define CODE_MOST ((size_t)40 << 20)

struct code_chunk {
    struct code_chunk *next;
    size_t size, used; /* of bytes */
    _Alignas(16) uint8_t bytes[];
};

/* ---- pages ---- */

static struct code_page *page_new(struct riscv_shared *shared, uint64_t page)
{
    struct code_page *cp = mem_new(1, sizeof *cp);
    shared->code_bytes += sizeof *cp;
    cp->page = page;
    cp->index = shared->pages;
    if (shared->pages == shared->capacity) {
        shared->capacity = shared->capacity ? 2 * shared->capacity : 64;
        shared->list = mem_grow(shared->list, shared->capacity, sizeof *shared->list);
    }
    shared->list[shared->pages++] = cp;
    shared->by_page[page] = cp;
    mmu_protect_page(shared, page, RAM_CODE);
    return cp;
}

static void page_free(struct riscv_shared *shared, struct code_page *cp)
{
    while (cp->chunks) {
        struct code_chunk *next = cp->chunks->next;
        shared->code_bytes -= cp->chunks->size;
        free(cp->chunks);
        cp->chunks = next;
    }
    shared->code_bytes -= sizeof *cp;
    free(cp);
}

/* The page may hold the running block: it goes to the graveyard, and the hart leaves the block. */
static void page_drop(struct riscv_shared *shared, struct code_page *cp)
{
    shared->m->ram.flags[cp->page] &= (uint8_t)~RAM_CODE;
    shared->by_page[cp->page] = NULL;
    struct code_page *last = shared->list[--shared->pages];
    shared->list[cp->index] = last;
    last->index = cp->index;
    cp->next = shared->graveyard;
    shared->graveyard = cp;
    for (unsigned i = 0; i < shared->m->config.cpus; i++)
        hart_flush_fetch(shared->hart[i]);
    machine_attention(shared->m);
}

void code_page_written(struct riscv_shared *shared, uint64_t page, unsigned offset, unsigned size)
{
    struct code_page *cp = shared->by_page[page];
    if (!cp)
        return;
    unsigned first = offset / 64, last = (offset + size - 1) / 64;
    uint64_t mask = (last == 63 ? 0 : ~0ull << (last + 1)) ^ (~0ull << first);
    if (cp->lines & mask)
        page_drop(shared, cp);
}

void code_drop_all(struct riscv_shared *shared)
{
    while (shared->pages)
        page_drop(shared, shared->list[shared->pages - 1]);
}

void code_reap(struct riscv_shared *shared)
{
    while (shared->graveyard) {
        struct code_page *next = shared->graveyard->next;
        page_free(shared, shared->graveyard);
        shared->graveyard = next;
    }
}

/* ---- armed breakpoints ---- */

static bool armed(const struct riscv_shared *shared, unsigned offset)
{
    return shared->armed[offset / 128] >> (offset / 2 % 64) & 1;
}

static bool same_points(const struct points *a, const struct points *b)
{
    return a->execute_count == b->execute_count &&
           (!a->execute_count ||
            !memcmp(a->execute, b->execute, a->execute_count * sizeof *a->execute));
}

static void arm(uint64_t *bitmap, const struct points *p)
{
    for (size_t i = 0; i < p->execute_count; i++) {
        unsigned offset = p->execute[i] & (RAM_PAGE_SIZE - 1);
        bitmap[offset / 128] |= 1ull << (offset / 2 % 64);
    }
}

/* Blocks end before an armed offset and look there, so code made under other arms must go: that of
 * the pages with code on a line whose arms differ. */
void code_points_changed(struct riscv_shared *shared, const struct points *old)
{
    const struct points *now = &shared->m->points;
    if (!same_points(old, now)) {
        uint64_t before[32], lines = 0;
        memcpy(before, shared->armed, sizeof before);
        memset(shared->armed, 0, sizeof shared->armed);
        arm(shared->armed, now);
        for (unsigned line = 0; line < 64; line++) {
            uint64_t differ = before[line / 2] ^ shared->armed[line / 2];
            if (differ >> (line % 2 * 32) & 0xffffffff)
                lines |= 1ull << line;
        }
        for (unsigned i = shared->pages; i-- > 0;)
            if (shared->list[i]->lines & lines)
                page_drop(shared, shared->list[i]);
    }
    if (old->watch_count || now->watch_count)
        for (unsigned i = 0; i < shared->m->config.cpus; i++)
            hart_flush_data(shared->hart[i]);
    else if (old->physical_count || now->physical_count)
        for (unsigned i = 0; i < shared->m->config.cpus; i++)
            hart_flush_writes(shared->hart[i]);
}

/* ---- blocks ---- */

/* A block being put together. */
struct builder {
    struct riscv_shared *shared;
    struct op op[BLOCK_STEPS + 2];
    uint16_t offset[BLOCK_STEPS + 1];
    unsigned ops, steps, bytes;
    bool check;
};

static void append_own(struct builder *b, enum op_id id)
{
    b->op[b->ops++] = (struct op){
        .go = b->shared->labels[id], .imm = (int32_t)b->bytes, .step = (uint8_t)b->steps};
}

static void start(struct builder *b, struct riscv_shared *shared, bool check)
{
    b->shared = shared;
    b->ops = b->steps = b->bytes = 0;
    b->check = check;
    if (b->check)
        append_own(b, OP_CHECK);
}

/* Operands that name an address are made relative to the block. */
static void append(struct builder *b, const struct decoded *d)
{
    bool relative = d->id == OP_AUIPC || riscv_jumps_by((enum op_id)d->id);
    b->offset[b->steps] = (uint16_t)b->bytes;
    b->op[b->ops++] = (struct op){b->shared->labels[d->id],
                                  d->imm + (relative ? (int32_t)b->bytes : 0),
                                  d->rd,
                                  d->rs1,
                                  d->rs2,
                                  (uint8_t)b->steps};
    b->steps++;
    b->bytes += d->size;
}

static void finish(struct builder *b, struct block *block, uint16_t *offset)
{
    b->offset[b->steps] = (uint16_t)b->bytes;
    memcpy(offset, b->offset, (b->steps + 1) * sizeof *offset);
    *block = (struct block){.steps = (uint16_t)b->steps,
                            .bytes = (uint16_t)b->bytes,
                            .check = b->check,
                            .offset = offset};
    memcpy(block->op, b->op, b->ops * sizeof *b->op);
}

static size_t next_chunk_size(const struct code_page *cp)
{
    size_t size = cp->chunks ? 2 * cp->chunks->size : CHUNK_LEAST;
    return size < CHUNK_MOST ? size : CHUNK_MOST;
}

static void *allocate(struct riscv_shared *shared, struct code_page *cp, size_t size)
{
    size = (size + 15) & ~(size_t)15;
    if (!cp->chunks || cp->chunks->used + size > cp->chunks->size) {
        size_t bytes = next_chunk_size(cp);
        struct code_chunk *chunk = mem_new(1, sizeof *chunk + bytes);
        chunk->next = cp->chunks;
        chunk->size = bytes;
        cp->chunks = chunk;
        shared->code_bytes += bytes;
    }
    void *memory = cp->chunks->bytes + cp->chunks->used;
    cp->chunks->used += size;
    return memory;
}

static struct block *store_block(struct builder *b, struct code_page *cp, unsigned offset)
{
    size_t size = sizeof(struct block) + b->ops * sizeof(struct op);
    struct block *block = allocate(b->shared, cp, size);
    finish(b, block, allocate(b->shared, cp, (b->steps + 1) * sizeof(uint16_t)));
    cp->at[offset / 2] = block;
    for (unsigned line = offset / 64; line <= (offset + b->bytes - 1) / 64; line++)
        cp->lines |= 1ull << line;
    return block;
}

/* Put instructions into a block that was started, from `at` to the end of the page at most. False:
 * not even the first one lies in the page whole. */
static bool fill(struct builder *b, const uint8_t *page, unsigned at)
{
    enum op_id last = OP_END;
    while (b->steps < BLOCK_STEPS && at < RAM_PAGE_SIZE && !(b->steps && armed(b->shared, at))) {
        bool whole = (page[at] & 3) == 3;
        if (whole && at + 4 > RAM_PAGE_SIZE)
            break;
        struct decoded d = riscv_decode(whole ? load_le32(page + at) : load_le16(page + at));
        append(b, &d);
        at += d.size;
        last = (enum op_id)d.id;
        if (riscv_ends_block(last))
            break;
    }
    if (b->steps && !riscv_ends_block(last))
        append_own(b, OP_END);
    return b->steps;
}

static struct block *decode_block(struct riscv_shared *shared, struct code_page *cp, uint64_t pc)
{
    unsigned first = pc & (RAM_PAGE_SIZE - 1);
    struct builder b;
    start(&b, shared, armed(shared, first));
    if (!fill(&b, shared->m->ram.host + (cp->page << RAM_PAGE_BITS), first))
        return NULL;
    return store_block(&b, cp, first);
}

struct block *code_prefix(struct riscv_shared *shared, const struct block *block, unsigned steps,
                          struct code_scratch *scratch)
{
    struct block *prefix = scratch_block(scratch);
    unsigned ops = steps + block->check;
    if (prefix != block) {
        *prefix = *block;
        memcpy(prefix->op, block->op, ops * sizeof *block->op);
    }
    prefix->taken = prefix->next = NULL;
    prefix->steps = (uint16_t)steps;
    prefix->bytes = block->offset[steps];
    prefix->op[ops] =
        (struct op){.go = shared->labels[OP_EXIT], .imm = prefix->bytes, .step = (uint8_t)steps};
    return prefix;
}

/* ---- finding ---- */

static bool fetch_half(struct hart *h, uint64_t pc, uint16_t *half)
{
    uint64_t pa;
    bool uniform;
    touched_add(&h->m->touched, pc, TOUCHED_FETCH);
    if (!hart_translate_fetch(h, pc, 2, &pa, &uniform))
        return false;
    const struct bus_region *rom = bus_find(&h->m->bus, pa, 2);
    if (ram_contains(&h->m->ram, pa, 2))
        *half = load_le16(ram_at(&h->m->ram, pa));
    else if (rom && rom->memory)
        *half = load_le16(rom->memory + (pa - rom->base));
    else
        return raise(h, CAUSE_FETCH_ACCESS, pc) == DONE;
    return true;
}

static bool breakpoint_stops(struct hart *h, uint64_t pc)
{
    struct machine *m = h->m;
    struct hit hit = {
        .kinds = HIT_EXECUTE, .hart = h->cpu.index, .position = machine_position(m), .address = pc};
    return m->points.hit(m->points.ctx, &hit);
}

/* One instruction that cannot be kept: across pages, under a PMP edge inside a page; or that is not
 * to look for a breakpoint again. */
static enum code_find find_single(struct hart *h, uint64_t pc, struct code_scratch *scratch,
                                  struct block **block)
{
    uint16_t low, high = 0;
    if (!fetch_half(h, pc, &low) || ((low & 3) == 3 && !fetch_half(h, pc + 2, &high)))
        return CODE_FAULT;
    struct decoded d = riscv_decode(low | (uint32_t)high << 16);
    struct builder b;
    start(&b, h->shared, false);
    append(&b, &d);
    if (!riscv_ends_block((enum op_id)d.id))
        append_own(&b, OP_END);
    finish(&b, scratch_block(scratch), scratch->offset);
    *block = scratch_block(scratch);
    return CODE_SCRATCH;
}

/* A block for one use, because nobody tells when a ROM's bytes change. They do not in the middle of
 * a block: what can change them ends it. */
static enum code_find find_in_rom(struct hart *h, uint64_t pc, uint64_t pa,
                                  struct code_scratch *scratch, struct block **block)
{
    uint64_t page = pa & ~(uint64_t)(RAM_PAGE_SIZE - 1);
    const struct bus_region *rom = bus_find(&h->m->bus, page, RAM_PAGE_SIZE);
    struct builder b;
    start(&b, h->shared, false);
    if (!rom || !rom->memory ||
        !fill(&b, rom->memory + (page - rom->base), pc & (RAM_PAGE_SIZE - 1)))
        return find_single(h, pc, scratch, block);
    finish(&b, scratch_block(scratch), scratch->offset);
    *block = scratch_block(scratch);
    return CODE_SCRATCH;
}

static enum code_find find(struct hart *h, uint64_t pc, struct code_scratch *scratch,
                           struct block **block)
{
    uint64_t pa;
    bool uniform;
    /* Asked first: the translation may set an A bit, and a stop comes before the step. */
    bool breakpoint = points_execute(&h->m->points, pc);
    if (breakpoint && breakpoint_stops(h, pc))
        return CODE_HIT;
    touched_add(&h->m->touched, pc, TOUCHED_FETCH);
    if (!hart_translate_fetch(h, pc, 2, &pa, &uniform))
        return CODE_FAULT;
    bool in_ram = ram_contains(&h->m->ram, pa, 1);
    if (!uniform || (breakpoint && !in_ram))
        return find_single(h, pc, scratch, block);
    if (!in_ram)
        return find_in_rom(h, pc, pa, scratch, block);
    struct riscv_shared *shared = h->shared;
    uint64_t page = ram_page(&h->m->ram, pa);
    if (shared->code_bytes >= CODE_MOST)
        code_drop_all(shared);
    struct code_page *cp = shared->by_page[page];
    if (!cp)
        cp = page_new(shared, page);
    enum regime regime = hart_fetch_regime(h);
    struct fetch_entry *entry = &h->fetch[regime][(pc >> RAM_PAGE_BITS) & (FETCH_ENTRIES - 1)];
    *entry = (struct fetch_entry){pc & ~(uint64_t)(RAM_PAGE_SIZE - 1), cp};
    h->fetch_used[regime] = true;
    *block = cp->at[(pc & (RAM_PAGE_SIZE - 1)) / 2];
    if (!*block)
        *block = decode_block(shared, cp, pc);
    return *block && !breakpoint ? CODE_FOUND : find_single(h, pc, scratch, block);
}

enum code_find code_find(struct hart *h, uint64_t pc, struct code_scratch *scratch,
                         struct block **block)
{
    enum code_find found = find(h, pc, scratch, block);
    bool last = found == CODE_FOUND || found == CODE_SCRATCH;
    return last && h->m->hit_due == machine_position(h->m) + 1 ? CODE_LAST : found;
}
