#include "checkpoints/pagestore.h"

#include "base/check.h"
#include "base/hash.h"
#include "checkpoints/pagetree.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { LOOKS_BEFORE_REST = 4096 };

struct pagestore *pagestore_new(struct spill *spill)
{
    struct pagestore *s = mem_new(1, sizeof *s);
    s->memory = SIZE_MAX;
    pool_init(&s->bytes, RAM_PAGE_SIZE, NULL);
    pool_init(&s->spilled, RAM_PAGE_SIZE, spill);
    pool_init(&s->frames, sizeof(struct frame), NULL);
    pool_init(&s->nodes, sizeof(struct node), NULL);
    return s;
}

void pagestore_free(struct pagestore *s)
{
    check(s->roots == 0, "%zu roots are still in use", s->roots);
    pool_fini(&s->bytes);
    pool_fini(&s->spilled);
    pool_fini(&s->frames);
    pool_fini(&s->nodes);
    free(s);
}

static size_t pool_bytes(const struct pool *p)
{
    return p->used * p->object_size;
}

size_t pagestore_bytes(const struct pagestore *s)
{
    return sizeof *s + s->roots * sizeof(struct pageroot) + pool_bytes(&s->bytes) +
           pool_bytes(&s->frames) + pool_bytes(&s->nodes);
}

size_t pagestore_reserved(const struct pagestore *s)
{
    return sizeof *s + s->roots * sizeof(struct pageroot) +
           (s->bytes.slabs + s->frames.slabs + s->nodes.slabs) * POOL_SLAB_SIZE;
}

size_t pagestore_frame_bytes(const struct pagestore *s)
{
    return pool_bytes(&s->bytes);
}

size_t pagestore_spilled(const struct pagestore *s)
{
    return pool_bytes(&s->spilled);
}

void pagestore_set_memory(struct pagestore *s, size_t bytes)
{
    s->memory = bytes;
}

/* Frames. */

bool page_is_zero(const uint8_t *page)
{
    /* A page that equals itself shifted by a word has that word everywhere. */
    uint64_t first;
    memcpy(&first, page, sizeof first);
    return !first && !memcmp(page, page + sizeof first, RAM_PAGE_SIZE - sizeof first);
}

bool frame_holds(const struct frame *f, const uint8_t *page)
{
    return f ? !memcmp(f->bytes, page, RAM_PAGE_SIZE) : page_is_zero(page);
}

/* Pages of zeroes, which an overlay may have, are one frame: a discarded disk costs only nodes. */
static struct frame *frame_new(struct pagestore *s, const uint8_t *page, uint64_t hash)
{
    bool zero = page_is_zero(page);
    if (zero && s->zeroes) {
        s->zeroes->refs++;
        return s->zeroes;
    }
    struct frame *f = pool_take(&s->frames);
    bool spill = s->spilled.spill && pool_bytes(&s->bytes) >= s->memory;
    f->bytes = spill ? pool_take(&s->spilled) : NULL;
    f->spilled = f->bytes != NULL;
    if (!f->spilled)
        f->bytes = pool_take(&s->bytes);
    memcpy(f->bytes, page, RAM_PAGE_SIZE);
    f->hash = hash;
    f->refs = 1;
    if (zero)
        s->zeroes = f;
    return f;
}

static void frame_unref(struct pagestore *s, struct frame *f)
{
    if (!f || --f->refs)
        return;
    if (f == s->zeroes)
        s->zeroes = NULL;
    pool_give(f->spilled ? &s->spilled : &s->bytes, f->bytes);
    pool_give(&s->frames, f);
}

bool frame_equal(const struct frame *a, const struct frame *b)
{
    return a == b || (a && b && a->hash == b->hash && !memcmp(a->bytes, b->bytes, RAM_PAGE_SIZE));
}

static uint64_t contribution(uint64_t page, uint64_t hash)
{
    return hash_mix(hash ^ hash_mix(page));
}

static uint64_t frame_digest(uint64_t page, const struct frame *f)
{
    return f ? contribution(page, f->hash) : 0;
}

/* Nodes. */

static unsigned child_index(uint64_t page, unsigned level)
{
    return (page >> (FAN_BITS * level)) & (FAN - 1);
}

static const struct frame *find_below(const struct node *n, unsigned level, uint64_t page)
{
    for (; n && level > 0; level--)
        n = n->child[child_index(page, level)];
    return n ? n->child[child_index(page, 0)] : NULL;
}

const struct frame *pageroot_find(const struct pageroot *root, uint64_t page)
{
    return find_below(root->top, root->top_level, page);
}

static void ref_child(void *child, unsigned level)
{
    if (child && level)
        ((struct node *)child)->refs++;
    else if (child)
        ((struct frame *)child)->refs++;
}

static void node_unref(struct pagestore *s, struct node *n, unsigned level)
{
    if (!n || --n->refs)
        return;
    for (unsigned i = 0; i < FAN; i++)
        if (level)
            node_unref(s, n->child[i], level - 1);
        else
            frame_unref(s, n->child[i]);
    pool_give(&s->nodes, n);
}

/* A node that this capture may change, in place of `n` (NULL: empty), whose reference it takes
 * over. However many pages change below it, it is copied once. */
static struct node *node_own(struct pagestore *s, struct node *n, unsigned level)
{
    if (n && n->capture == s->captures)
        return n;
    struct node *own = pool_take(&s->nodes);
    if (n) {
        *own = *n;
        for (unsigned i = 0; i < FAN; i++)
            ref_child(own->child[i], level);
        node_unref(s, n, level);
    } else {
        *own = (struct node){0};
    }
    own->capture = s->captures;
    own->refs = 1;
    return own;
}

static bool node_empty(const struct node *n)
{
    for (unsigned i = 0; i < FAN; i++)
        if (n->child[i])
            return false;
    return true;
}

struct change {
    uint64_t page;
    struct frame *frame; /* its reference goes to the tree */
    uint64_t digest;     /* contribution of the new content minus that of the old */
};

static struct node *node_put(struct pagestore *s, struct node *n, unsigned level,
                             const struct change *c)
{
    n = node_own(s, n, level);
    n->digest += c->digest;
    void **slot = &n->child[child_index(c->page, level)];
    if (level) {
        *slot = node_put(s, *slot, level - 1, c);
    } else {
        frame_unref(s, *slot);
        *slot = c->frame;
    }
    if (*slot || !node_empty(n))
        return n;
    node_unref(s, n, level);
    return NULL;
}

/* Roots. */

static unsigned levels_above(uint64_t pages)
{
    unsigned level = 0;
    while ((pages - 1) >> (FAN_BITS * (level + 1)))
        level++;
    return level;
}

static struct pageroot *root_new(struct pagestore *s, struct node *top, uint64_t pages,
                                 uint64_t frames)
{
    struct pageroot *root = mem_new(1, sizeof *root);
    *root = (struct pageroot){s, top, pages, frames, levels_above(pages), 1};
    s->roots++;
    return root;
}

struct pageroot *pageroot_empty(struct pagestore *s, uint64_t pages)
{
    check(pages > 0 && pages <= (uint64_t)UINT32_MAX + 1, "%" PRIu64 " pages", pages);
    return root_new(s, NULL, pages, 0);
}

struct pageroot *pageroot_ref(struct pageroot *root)
{
    root->refs++;
    return root;
}

void pageroot_unref(struct pagestore *s, struct pageroot *root)
{
    if (--root->refs)
        return;
    node_unref(s, root->top, root->top_level);
    free(root);
    s->roots--;
}

uint64_t pageroot_digest(const struct pageroot *root)
{
    return root->top ? root->top->digest : 0;
}

uint64_t pageroot_frames(const struct pageroot *root)
{
    return root->frames;
}

/* Whoever looks at many frames in the file shall not have them all in memory. */
const uint8_t *pageroot_look(const struct pageroot *root, const struct frame *f)
{
    struct pagestore *s = root->store;
    if (f->spilled && ++s->looks % LOOKS_BEFORE_REST == 0)
        spill_rest_all(s->spilled.spill);
    return f->bytes;
}

const uint8_t *pageroot_page(const struct pageroot *root, uint64_t page)
{
    const struct frame *f = pageroot_find(root, page);
    return f ? pageroot_look(root, f) : NULL;
}

/* A new tree in the making: `top` is that of `base` until something changes. */
struct making {
    struct pagestore *store;
    struct pageroot *base;
    struct node *top;
    uint64_t frames;
};

static struct making make_from(struct pagestore *s, struct pageroot *base)
{
    s->captures++;
    ref_child(base->top, base->top_level + 1);
    return (struct making){s, base, base->top, base->frames};
}

/* What a tree holds in frames of its own or of others: zeroes cost nothing. */
static uint64_t counts(const struct pagestore *s, const struct frame *f)
{
    return f && f != s->zeroes;
}

/* Takes over the reference to `frame`; `old`: the one in its place so far. */
static void make_change(struct making *m, uint64_t page, const struct frame *old,
                        struct frame *frame)
{
    struct change c = {.page = page, .frame = frame};
    c.digest = frame_digest(page, frame) - frame_digest(page, old);
    m->frames += counts(m->store, frame) - counts(m->store, old);
    m->top = node_put(m->store, m->top, m->base->top_level, &c);
}

/* `bytes` NULL: the page goes. Hashes are compared first: the old content may be in a file. */
static void make_page(struct making *m, uint64_t page, const uint8_t *bytes)
{
    const struct frame *old = find_below(m->top, m->base->top_level, page);
    uint64_t hash = bytes ? hash_bytes(bytes, RAM_PAGE_SIZE, 0) : 0;
    if (bytes ? !old || old->hash != hash || !frame_holds(old, bytes) : old != NULL)
        make_change(m, page, old, bytes ? frame_new(m->store, bytes, hash) : NULL);
}

static struct pageroot *make_done(struct making *m)
{
    if (m->top != m->base->top)
        return root_new(m->store, m->top, m->base->pages, m->frames);
    node_unref(m->store, m->top, m->base->top_level);
    return pageroot_ref(m->base);
}

struct pageroot_edit {
    struct making making;
};

struct pageroot_edit *pageroot_edit_new(struct pageroot *base)
{
    struct pageroot_edit *e = mem_new(1, sizeof *e);
    pageroot_ref(base);
    e->making = make_from(base->store, base);
    return e;
}

static void check_page(const struct pageroot *root, uint64_t page)
{
    check(page < root->pages, "page %" PRIu64 " of %" PRIu64, page, root->pages);
}

void pageroot_edit_put(struct pageroot_edit *e, uint64_t page, const uint8_t *bytes)
{
    check_page(e->making.base, page);
    make_page(&e->making, page, bytes);
}

void pageroot_edit_share(struct pageroot_edit *e, uint64_t page, const struct pageroot *from)
{
    struct making *m = &e->making;
    check_page(m->base, page);
    check_page(from, page);
    const struct frame *old = find_below(m->top, m->base->top_level, page);
    struct frame *frame = (struct frame *)pageroot_find(from, page);
    if (frame == old)
        return;
    ref_child(frame, 0);
    make_change(m, page, old, frame);
}

struct pageroot *pageroot_edit_done(struct pageroot_edit *e)
{
    struct pageroot *base = e->making.base, *root = make_done(&e->making);
    pageroot_unref(base->store, base);
    free(e);
    return root;
}

/* What the page adds to a digest when it is `bytes` (NULL: not there). */
static uint64_t bytes_digest(uint64_t page, const uint8_t *bytes)
{
    return bytes ? contribution(page, hash_bytes(bytes, RAM_PAGE_SIZE, 0)) : 0;
}

/* False: the file has no room. */
static bool frame_spill(struct pagestore *s, struct frame *f)
{
    uint8_t *place = pool_take(&s->spilled);
    if (!place)
        return false;
    memcpy(place, f->bytes, RAM_PAGE_SIZE);
    pool_give(&s->bytes, f->bytes);
    f->bytes = place;
    f->spilled = true;
    return true;
}

/* Adds to *moved; false: it is enough, or the file has no room. */
static bool node_spill(struct pagestore *s, const struct node *n, unsigned level, size_t bytes,
                       size_t *moved)
{
    for (unsigned i = 0; i < FAN; i++) {
        struct frame *f = level ? NULL : n->child[i];
        if (level && n->child[i] && !node_spill(s, n->child[i], level - 1, bytes, moved))
            return false;
        if (!f || f->spilled)
            continue;
        if (!frame_spill(s, f))
            return false;
        *moved += RAM_PAGE_SIZE;
        if (*moved >= bytes)
            return false;
    }
    return true;
}

size_t pageroot_spill(struct pageroot *root, size_t bytes)
{
    size_t moved = 0;
    if (root->store->spilled.spill && root->top)
        node_spill(root->store, root->top, root->top_level, bytes, &moved);
    return moved;
}

/* RAM. */

/* As a tree has it: NULL for zeroes. */
static const uint8_t *ram_content(const struct ram *ram, uint64_t page)
{
    const uint8_t *bytes = ram_bytes(ram, page);
    return page_is_zero(bytes) ? NULL : bytes;
}

static void check_ram(const struct pageroot *base, const struct ram *ram)
{
    check(ram->pages == base->pages, "RAM of %" PRIu64 " pages, tree of %" PRIu64, ram->pages,
          base->pages);
}

struct pageroot *pagestore_capture(struct pagestore *s, struct pageroot *base,
                                   const struct ram *ram)
{
    check_ram(base, ram);
    struct making m = make_from(s, base);
    for (size_t i = 0; i < ram->dirty_count; i++)
        make_page(&m, ram->dirty[i], ram_content(ram, ram->dirty[i]));
    return make_done(&m);
}

uint64_t pageroot_digest_ram(const struct pageroot *base, const struct ram *ram)
{
    check_ram(base, ram);
    uint64_t digest = pageroot_digest(base);
    for (size_t i = 0; i < ram->dirty_count; i++) {
        uint64_t page = ram->dirty[i];
        digest += bytes_digest(page, ram_content(ram, page)) -
                  frame_digest(page, pageroot_find(base, page));
    }
    return digest;
}

/* Overlays. */

struct pageroot *pagestore_capture_overlay(struct pagestore *s, struct pageroot *base,
                                           const struct overlay *o)
{
    struct making m = make_from(s, base);
    for (size_t i = 0; o->dirty_count && i < o->capacity; i++)
        if (o->slot[i].bytes)
            make_page(&m, o->slot[i].number, o->slot[i].bytes);
    return make_done(&m);
}

uint64_t pageroot_digest_overlay(const struct pageroot *base, const struct overlay *o)
{
    uint64_t digest = pageroot_digest(base);
    for (size_t i = 0; o->dirty_count && i < o->capacity; i++)
        if (o->slot[i].bytes)
            digest += bytes_digest(o->slot[i].number, o->slot[i].bytes) -
                      frame_digest(o->slot[i].number, pageroot_find(base, o->slot[i].number));
    return digest;
}
