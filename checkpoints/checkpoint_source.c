#include "base/check.h"
#include "checkpoints/checkpoint_file.h"
#include "checkpoints/checkpoint_format.h"
#include "checkpoints/places.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Host memory for the places of overlays' pages, at most: a few bytes in a file can tell of any
 * number of pages. Enough for 256 GiB that a guest has written or discarded. */
enum { OVERLAY_PLACES_MOST = 512 << 20 };

/* While a chain is read, from the newest on: a newer one has said that the page is the origin's, so
 * that what older ones say of it is passed over. */
enum { PLACE_SAID_ORIGIN = PAGE_KINDS };

struct checkpoint_source {
    struct snapshots *snapshots;
    struct chunk_reader *in;
    unsigned trees;
    struct pageroot *origin[TREES_MOST];
    /* Of the checkpoint loaded last, the origin at first. */
    struct pageroot *last[TREES_MOST];
    struct places place[TREES_MOST];
};

/* A page whose content is to be read. */
struct wanted {
    uint64_t place;
    uint32_t page;
    uint32_t tree;
};

struct loading {
    struct checkpoint_source *src;
    const struct checkpoint *c;
    struct places place[TREES_MOST];
    uint64_t digest[TREES_MOST];
    struct buffer state;
    struct wanted *wanted;
    size_t count, capacity;
    struct pageroot_edit *edit[TREES_MOST];
};

struct checkpoint_source *
checkpoint_source_new(struct snapshots *s, const struct checkpoint *origin, struct chunk_reader *in)
{
    struct checkpoint_source *src = mem_new(1, sizeof *src);
    src->snapshots = s;
    src->in = in;
    src->trees = checkpoint_trees(s);
    for (unsigned t = 0; t < src->trees; t++) {
        src->origin[t] = pageroot_ref(checkpoint_tree(origin, t));
        src->last[t] = pageroot_ref(src->origin[t]);
        places_init(&src->place[t], checkpoint_tree_pages(s, t));
    }
    return src;
}

void checkpoint_source_free(struct checkpoint_source *src)
{
    for (unsigned t = 0; t < src->trees; t++) {
        pageroot_unref(src->snapshots->store, src->origin[t]);
        pageroot_unref(src->snapshots->store, src->last[t]);
        places_fini(&src->place[t]);
    }
    free(src);
}

size_t checkpoint_source_bytes(const struct checkpoint_source *src)
{
    size_t bytes = sizeof *src;
    for (unsigned t = 0; t < src->trees; t++)
        bytes += places_bytes(&src->place[t]);
    return bytes;
}

/* ---- chunks ---- */

static bool load_chunk(struct checkpoint_source *src, uint32_t number, uint32_t kind,
                       struct buffer *out, struct error *err)
{
    const struct chunk *chunk = chunk_reader_find(src->in, number);
    if (!chunk)
        return error_set(err, ERROR_FORMAT, "chunk %u, which is needed, is not there", number);
    if (chunk->kind != kind)
        return error_set(err, ERROR_FORMAT, "chunk %u is not of the kind %.4s", number,
                         (const char *)&kind);
    buffer_clear(out);
    return chunk_reader_load(src->in, chunk, out, err);
}

/* A CKPT chunk in parts that lie in `chunk`. */
struct stored {
    uint32_t number;
    struct checkpoint_header header;
    const uint8_t *tree, *map, *run, *state;
    struct buffer chunk;
};

static bool load_stored(struct checkpoint_source *src, uint32_t number, struct stored *s,
                        struct error *err)
{
    if (!load_chunk(src, number, CHUNK_CKPT, &s->chunk, err))
        return false;
    struct unpack u = {s->chunk.data, s->chunk.size, false};
    const struct checkpoint_header *h = &s->header;
    s->number = number;
    s->header = checkpoint_header_take(&u);
    if (!u.failed && h->trees != src->trees)
        return error_set(err, ERROR_FORMAT, "chunk %u has %u memories, the machine %u", number,
                         h->trees, src->trees);
    s->tree = unpack_bytes(&u, (size_t)h->trees * 16);
    s->map = unpack_bytes(&u, (size_t)h->maps * 4);
    s->run = unpack_bytes(&u, (size_t)h->runs * RUN_SIZE);
    s->state = unpack_bytes(&u, h->state_size);
    if (u.failed || u.left)
        return error_set(err, ERROR_FORMAT, "chunk %u has the wrong size", number);
    return true;
}

bool checkpoint_source_look(struct checkpoint_source *src, uint32_t number, uint64_t *position,
                            struct digest *digest, struct error *err)
{
    struct stored s = {0};
    bool good = load_stored(src, number, &s, err);
    if (good) {
        *position = s.header.position;
        *digest = s.header.digest;
    }
    buffer_fini(&s.chunk);
    return good;
}

/* ---- where the pages are ---- */

static bool overlays_fit(const struct loading *l)
{
    size_t bytes = 0;
    for (unsigned t = 1; t < l->src->trees; t++)
        bytes += places_bytes(&l->place[t]);
    return bytes <= OVERLAY_PLACES_MOST;
}

static bool run_good(const struct loading *l, const struct page_run *r, uint32_t number)
{
    if (r->tree >= l->src->trees || !r->count ||
        (uint64_t)r->page + r->count > l->place[r->tree].pages)
        return false;
    switch (r->kind) {
    case PAGE_CONTENT:
        return r->chunk < number && r->slot < PAGES_IN_CHUNK &&
               r->count <= PAGES_IN_CHUNK - (uint32_t)r->slot;
    case PAGE_ZEROES:
        return r->tree != TREE_RAM && !r->slot && !r->chunk;
    case PAGE_ORIGIN:
    case PAGE_ABSENT:
        return !r->slot && !r->chunk;
    default:
        return false;
    }
}

/* What a newer checkpoint has said stays. False: too much memory. */
static bool place_run(struct loading *l, const struct page_run *r)
{
    struct places *places = &l->place[r->tree];
    for (uint32_t i = 0; i < r->count; i++) {
        if (places_get(places, r->page + i))
            continue;
        places_put(places, r->page + i,
                   r->kind == PAGE_CONTENT  ? place_of(PAGE_CONTENT, r->chunk, r->slot + i)
                   : r->kind == PAGE_ORIGIN ? PLACE_SAID_ORIGIN
                                            : place_of(r->kind, 0, 0));
        if (i % PLACES_BLOCK == 0 && !overlays_fit(l))
            return false;
    }
    return true;
}

/* `next`: the first page, as tree and page, that may come. The runs are in chunk `number`. */
static bool place_runs(struct loading *l, const uint8_t *bytes, size_t runs, uint64_t *next,
                       uint32_t number, struct error *err)
{
    for (size_t i = 0; i < runs; i++) {
        struct page_run r = page_run_at(bytes + i * RUN_SIZE);
        uint64_t first = (uint64_t)r.tree << 33 | r.page;
        if (!run_good(l, &r, number) || first < *next)
            return error_set(err, ERROR_FORMAT, "chunk %u has a run of pages that cannot be",
                             number);
        if (!place_run(l, &r))
            return error_set(err, ERROR_MEMORY, "chunk %u has too many pages of overlays", number);
        *next = first + r.count;
    }
    return true;
}

static bool place_map(struct loading *l, uint32_t number, uint64_t *next, struct error *err)
{
    struct buffer chunk = {0};
    bool good = load_chunk(l->src, number, CHUNK_PMAP, &chunk, err);
    if (good && (chunk.size % RUN_SIZE || chunk.size > PMAP_SIZE))
        good = error_set(err, ERROR_FORMAT, "chunk %u has the wrong size", number);
    good = good && place_runs(l, chunk.data, chunk.size / RUN_SIZE, next, number, err);
    buffer_fini(&chunk);
    return good;
}

static bool place_stored(struct loading *l, const struct stored *s, struct error *err)
{
    uint64_t next = 0;
    uint32_t before = 0;
    for (uint32_t i = 0; i < s->header.maps; i++) {
        uint32_t number = load_le32(s->map + (size_t)i * 4);
        if (number >= s->number || number < before)
            return error_set(err, ERROR_FORMAT, "chunk %u cannot refer to chunk %u", s->number,
                             number);
        if (!place_map(l, number, &next, err))
            return false;
        before = number + 1;
    }
    return place_runs(l, s->run, s->header.runs, &next, s->number, err);
}

static bool trees_fit(struct loading *l, const struct stored *s, struct error *err)
{
    for (unsigned t = 0; t < l->src->trees; t++) {
        uint64_t pages = load_le64(s->tree + (size_t)t * 16);
        if (pages != l->place[t].pages)
            return error_set(err, ERROR_FORMAT,
                             "chunk %u: memory %u has %" PRIu64 " pages, the machine's %" PRIu64,
                             s->number, t, pages, l->place[t].pages);
    }
    return true;
}

/* The checkpoint itself. */
static bool take_newest(struct loading *l, const struct stored *s, struct error *err)
{
    const struct checkpoint_header *h = &s->header;
    if (h->position != l->c->position || !digest_equal(&h->digest, &l->c->digest))
        return error_set(err, ERROR_FORMAT, "chunk %u is another checkpoint, of position %" PRIu64,
                         s->number, h->position);
    for (unsigned t = 0; t < l->src->trees; t++)
        l->digest[t] = load_le64(s->tree + (size_t)t * 16 + 8);
    buffer_append(&l->state, s->state, h->state_size);
    return true;
}

/* The checkpoint and those it builds on, from the newest to the one that builds on none. */
static bool read_chain(struct loading *l, uint32_t number, struct stored *s, struct error *err)
{
    uint64_t position = l->c->position;
    for (unsigned length = 1;; length++) {
        if (!load_stored(l->src, number, s, err))
            return false;
        const struct checkpoint_header *h = &s->header;
        if (length == 1 && !take_newest(l, s, err))
            return false;
        if (h->position > position || length > CHAIN_MOST)
            return error_set(err, ERROR_FORMAT, "chunk %u cannot be what it builds on", number);
        if (!trees_fit(l, s, err) || !place_stored(l, s, err))
            return false;
        if (h->before == NO_CHUNK)
            return true;
        if (h->before >= number)
            return error_set(err, ERROR_FORMAT, "chunk %u cannot build on chunk %u", number,
                             h->before);
        position = h->position;
        number = h->before;
    }
}

/* ---- pages ---- */

static void want(struct loading *l, unsigned tree, uint64_t page, uint64_t place)
{
    if (l->count == l->capacity) {
        l->capacity = l->capacity ? 2 * l->capacity : 256;
        l->wanted = mem_grow(l->wanted, l->capacity, sizeof *l->wanted);
    }
    l->wanted[l->count++] = (struct wanted){place, (uint32_t)page, tree};
}

/* The page has another place than in the checkpoint loaded last. */
static void change_page(struct loading *l, unsigned tree, uint64_t page)
{
    static const uint8_t zeroes[RAM_PAGE_SIZE];
    uint64_t place = places_get(&l->place[tree], page);
    switch (place_kind(place)) {
    case PLACE_SAID_ORIGIN:
        places_put(&l->place[tree], page, 0);
        pageroot_edit_share(l->edit[tree], page, l->src->origin[tree]);
        break;
    case PAGE_ORIGIN:
        pageroot_edit_share(l->edit[tree], page, l->src->origin[tree]);
        break;
    case PAGE_CONTENT:
        want(l, tree, page, place);
        break;
    case PAGE_ZEROES:
        pageroot_edit_put(l->edit[tree], page, zeroes);
        break;
    default:
        pageroot_edit_put(l->edit[tree], page, NULL);
    }
}

static void change_pages(struct loading *l)
{
    for (unsigned t = 0; t < l->src->trees; t++) {
        l->edit[t] = pageroot_edit_new(l->src->last[t]);
        for (uint64_t page = 0; places_differ(&l->src->place[t], &l->place[t], &page); page++)
            change_page(l, t, page);
    }
}

static int compare_wanted(const void *a, const void *b)
{
    const struct wanted *x = a, *y = b;
    return (x->place > y->place) - (x->place < y->place);
}

static void put_content(struct loading *l, const struct wanted *w, const uint8_t *bytes)
{
    bool nothing = w->tree == TREE_RAM && page_is_zero(bytes);
    pageroot_edit_put(l->edit[w->tree], w->page, nothing ? NULL : bytes);
}

/* From wanted[first] on, those in one chunk. Returns how many; 0: error. */
static size_t read_contents(struct loading *l, size_t first, struct buffer *chunk,
                            struct error *err)
{
    uint32_t number = place_chunk(l->wanted[first].place);
    if (!load_chunk(l->src, number, CHUNK_PAGE, chunk, err))
        return 0;
    size_t i = first;
    for (; i < l->count && place_chunk(l->wanted[i].place) == number; i++) {
        const struct wanted *w = &l->wanted[i];
        size_t offset = (size_t)place_slot(w->place) * RAM_PAGE_SIZE;
        if (chunk->size % RAM_PAGE_SIZE || offset >= chunk->size) {
            error_set(err, ERROR_FORMAT, "chunk %u has no page %u", number, place_slot(w->place));
            return 0;
        }
        if (i > first && w->place == w[-1].place) {
            error_set(err, ERROR_FORMAT, "chunk %u: page %u is used twice", number,
                      place_slot(w->place));
            return 0;
        }
        put_content(l, w, chunk->data + offset);
    }
    return i - first;
}

static bool read_pages(struct loading *l, struct error *err)
{
    if (l->count)
        qsort(l->wanted, l->count, sizeof *l->wanted, compare_wanted);
    struct buffer chunk = {0};
    size_t i = 0;
    while (i < l->count) {
        size_t read = read_contents(l, i, &chunk, err);
        if (!read)
            break;
        i += read;
    }
    buffer_fini(&chunk);
    return i == l->count;
}

/* ---- the whole ---- */

static bool trees_right(const struct loading *l, struct pageroot *const *tree, uint32_t number,
                        struct error *err)
{
    for (unsigned t = 0; t < l->src->trees; t++)
        if (pageroot_digest(tree[t]) != l->digest[t] ||
            (t == TREE_RAM && l->digest[t] != l->c->digest.ram))
            return error_set(
                err, ERROR_FORMAT,
                "chunk %u: %s is not what was written; were machine and images the "
                "same?",
                number, t == TREE_RAM ? "RAM" : l->src->snapshots->machine->overlay[t - 1]->name);
    return true;
}

/* The source now stands at this checkpoint. */
static void commit(struct loading *l, struct pageroot **tree, struct checkpoint *c)
{
    struct checkpoint_source *src = l->src;
    for (unsigned t = 0; t < src->trees; t++) {
        pageroot_unref(src->snapshots->store, src->last[t]);
        src->last[t] = pageroot_ref(tree[t]);
        struct places old = src->place[t];
        src->place[t] = l->place[t];
        l->place[t] = old;
        if (t == TREE_RAM)
            c->ram = pageroot_ref(tree[t]);
        else
            c->overlay[t - 1] = pageroot_ref(tree[t]);
    }
    c->state_size = l->state.size;
    c->state = mem_grow(l->state.data, l->state.size, 1);
    l->state = (struct buffer){0};
}

static bool load(struct loading *l, struct checkpoint *c, uint32_t number, struct error *err)
{
    struct stored s = {0};
    bool good = read_chain(l, number, &s, err);
    buffer_fini(&s.chunk);
    if (!good)
        return false;
    change_pages(l);
    good = read_pages(l, err);
    struct pageroot *tree[TREES_MOST];
    for (unsigned t = 0; t < l->src->trees; t++)
        tree[t] = pageroot_edit_done(l->edit[t]);
    good = good && trees_right(l, tree, number, err);
    if (good)
        commit(l, tree, c);
    for (unsigned t = 0; t < l->src->trees; t++)
        pageroot_unref(l->src->snapshots->store, tree[t]);
    return good;
}

bool checkpoint_load(struct checkpoint_source *src, struct checkpoint *c, uint32_t number,
                     struct error *err)
{
    check(!checkpoint_loaded(c), "the checkpoint at position %" PRIu64, c->position);
    struct loading l = {.src = src, .c = c};
    for (unsigned t = 0; t < src->trees; t++)
        places_init(&l.place[t], src->place[t].pages);
    bool good = load(&l, c, number, err);
    for (unsigned t = 0; t < src->trees; t++)
        places_fini(&l.place[t]);
    buffer_fini(&l.state);
    free(l.wanted);
    return good || error_prefix(err, "checkpoint at position %" PRIu64, c->position);
}
