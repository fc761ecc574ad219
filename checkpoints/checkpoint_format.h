/* The bytes of checkpoints in a chunk file, for their writer and their source;
 * docs/recording-format.md describes them. */
#ifndef CHECKPOINTS_CHECKPOINT_FORMAT_H
#define CHECKPOINTS_CHECKPOINT_FORMAT_H

#include "base/pack.h"
#include "checkpoints/checkpoint.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    TREES_MOST = 1 + MACHINE_OVERLAYS,
    TREE_RAM = 0,         /* overlays come behind, in the machine's order */
    PAGES_IN_CHUNK = 256, /* contents in a PAGE chunk, at most */
    RUN_SIZE = 16,        /* bytes of a struct page_run */
    PMAP_SIZE = 1 << 20,  /* bytes of a PMAP chunk, at most, and of the runs in a CKPT chunk */
    CHAIN_MOST = 64       /* CKPT chunks up to one that builds on none */
};

#define NO_CHUNK UINT32_MAX

/* How a tree has a page. */
enum page_kind {
    PAGE_ORIGIN,  /* as the origin */
    PAGE_CONTENT, /* with the content in a PAGE chunk */
    PAGE_ZEROES,  /* zeroes; not in RAM, where nothing is there then */
    PAGE_ABSENT,  /* nothing is there */
    PAGE_KINDS
};

/* Neighbouring pages of one kind, and their contents one behind the other. */
struct page_run {
    uint8_t tree;
    uint8_t kind;
    uint16_t slot;  /* of the first page in its chunk; 0 but for PAGE_CONTENT */
    uint32_t page;  /* the first */
    uint32_t count; /* at least 1 */
    uint32_t chunk; /* 0 but for PAGE_CONTENT */
};

static inline void page_run_append(struct buffer *b, const struct page_run *r)
{
    buffer_append_byte(b, r->tree);
    buffer_append_byte(b, r->kind);
    store_le16(buffer_extend(b, 2), r->slot);
    pack_u32(b, r->page);
    pack_u32(b, r->count);
    pack_u32(b, r->chunk);
}

static inline struct page_run page_run_at(const uint8_t *p)
{
    return (struct page_run){
        p[0], p[1], load_le16(p + 2), load_le32(p + 4), load_le32(p + 8), load_le32(p + 12)};
}

/* A page's kind, chunk and slot in one number, for struct places. */
static inline uint64_t place_of(uint32_t kind, uint32_t chunk, uint32_t slot)
{
    return (uint64_t)chunk << 16 | slot << 8 | kind;
}

static inline uint32_t place_kind(uint64_t place)
{
    return place & 0xff;
}

static inline uint32_t place_slot(uint64_t place)
{
    return place >> 8 & 0xff;
}

static inline uint32_t place_chunk(uint64_t place)
{
    return (uint32_t)(place >> 16);
}

/* What a CKPT chunk begins with. Behind it: for each tree its pages and digest (u64), the numbers
 * of the PMAP chunks (u32), runs, the state. */
struct checkpoint_header {
    uint64_t position;
    struct digest digest;
    uint32_t before; /* the CKPT chunk it builds on, or NO_CHUNK */
    uint32_t trees;
    uint32_t state_size;
    uint32_t maps; /* PMAP chunks */
    uint32_t runs; /* in this chunk */
};

static inline void checkpoint_header_append(struct buffer *b, const struct checkpoint_header *h)
{
    pack_u64(b, h->position);
    pack_u64(b, h->digest.ram);
    pack_u64(b, h->digest.machine.core);
    pack_u64(b, h->digest.machine.cpus);
    pack_u64(b, h->digest.machine.devices);
    pack_u32(b, h->before);
    pack_u32(b, h->trees);
    pack_u32(b, h->state_size);
    pack_u32(b, h->maps);
    pack_u32(b, h->runs);
    pack_u32(b, 0);
}

static inline struct checkpoint_header checkpoint_header_take(struct unpack *u)
{
    struct checkpoint_header h = {0};
    h.position = unpack_u64(u);
    h.digest.ram = unpack_u64(u);
    h.digest.machine.core = unpack_u64(u);
    h.digest.machine.cpus = unpack_u64(u);
    h.digest.machine.devices = unpack_u64(u);
    h.before = unpack_u32(u);
    h.trees = unpack_u32(u);
    h.state_size = unpack_u32(u);
    h.maps = unpack_u32(u);
    h.runs = unpack_u32(u);
    unpack_u32(u);
    return h;
}

static inline unsigned checkpoint_trees(const struct snapshots *s)
{
    return 1 + s->machine->overlays;
}

static inline struct pageroot *checkpoint_tree(const struct checkpoint *c, unsigned tree)
{
    return tree == TREE_RAM ? c->ram : c->overlay[tree - 1];
}

static inline uint64_t checkpoint_tree_pages(const struct snapshots *s, unsigned tree)
{
    return tree == TREE_RAM ? s->machine->ram.pages : s->machine->overlay[tree - 1]->pages;
}

#endif
