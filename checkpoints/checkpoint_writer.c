#include "checkpoints/checkpoint_file.h"

#include "base/check.h"
#include "checkpoints/checkpoint_format.h"
#include "checkpoints/places.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    WORK = 1 << 20,     /* bytes that an advance copies, about */
    BATCH = 256,        /* pages looked at in one go */
    WORK_PER_LOOK = 256 /* what looking at a page counts as */
};

/* Contents in a PAGE chunk. Who reads one of them decompresses all, so fewer than there may be. */
enum { SLOTS = 64 };

/* Runs told since the last full map, beyond as many as that has, before there is another. */
enum { RUNS_SPARED = 256 };

/* How many pages of a PAGE chunk are still where some page's content is. */
struct chunk_use {
    uint32_t chunk;
    uint16_t total, live;
};

/* The changed pages' contents; then those in chunks that hardly anything else is left of; then
 * where the pages are; then the checkpoint. */
enum phase { PHASE_IDLE, PHASE_CHANGES, PHASE_SPARSE, PHASE_MAP, PHASE_END };

struct checkpoint_writer {
    struct snapshots *snapshots;
    struct chunk_writer *out;
    unsigned trees;
    struct pageroot *origin[TREES_MOST];
    struct pageroot *last[TREES_MOST]; /* of the checkpoint written last */
    struct places place[TREES_MOST];   /* of the pages of the one under way, or of the last */
    struct chunk_use *use;             /* ascending */
    size_t uses, use_capacity;

    uint32_t before;     /* CKPT chunk written last, NO_CHUNK */
    unsigned chain;      /* CKPT chunks since the last full map, itself included */
    uint64_t full_runs;  /* in the last full map */
    uint64_t runs_since; /* told since */
    uint64_t position;   /* of the checkpoint written last, or under way */

    enum phase phase;
    struct pageroot *now[TREES_MOST]; /* of the one under way */
    bool full;
    struct digest digest;
    uint8_t *state;
    size_t state_size;
    unsigned tree; /* where the present phase is: */
    uint64_t page;
    struct buffer contents; /* of the PAGE chunk in the making */
    struct {
        uint64_t page;
        unsigned tree;
    } slot[SLOTS];
    unsigned slots;
    struct page_run run; /* may still grow; count 0: none */
    struct buffer runs, maps;
    uint64_t told; /* runs of the one under way */
};

struct checkpoint_writer *checkpoint_writer_new(struct snapshots *s,
                                                const struct checkpoint *origin,
                                                struct chunk_writer *out)
{
    struct checkpoint_writer *w = mem_new(1, sizeof *w);
    w->snapshots = s;
    w->out = out;
    w->trees = checkpoint_trees(s);
    w->before = NO_CHUNK;
    for (unsigned t = 0; t < w->trees; t++) {
        w->origin[t] = pageroot_ref(checkpoint_tree(origin, t));
        w->last[t] = pageroot_ref(w->origin[t]);
        places_init(&w->place[t], checkpoint_tree_pages(s, t));
    }
    return w;
}

static void unref_trees(struct checkpoint_writer *w, struct pageroot **tree)
{
    for (unsigned t = 0; t < w->trees; t++) {
        if (tree[t])
            pageroot_unref(w->snapshots->store, tree[t]);
        tree[t] = NULL;
    }
}

void checkpoint_writer_free(struct checkpoint_writer *w)
{
    unref_trees(w, w->origin);
    unref_trees(w, w->last);
    unref_trees(w, w->now);
    for (unsigned t = 0; t < w->trees; t++)
        places_fini(&w->place[t]);
    buffer_fini(&w->contents);
    buffer_fini(&w->runs);
    buffer_fini(&w->maps);
    free(w->use);
    free(w->state);
    free(w);
}

bool checkpoint_writer_busy(const struct checkpoint_writer *w)
{
    return w->phase != PHASE_IDLE;
}

size_t checkpoint_writer_bytes(const struct checkpoint_writer *w)
{
    size_t bytes = sizeof *w + w->use_capacity * sizeof *w->use + w->state_size +
                   w->contents.capacity + w->runs.capacity + w->maps.capacity;
    for (unsigned t = 0; t < w->trees; t++)
        bytes += places_bytes(&w->place[t]);
    return bytes;
}

void checkpoint_writer_begin(struct checkpoint_writer *w, const struct checkpoint *c)
{
    check(!checkpoint_writer_busy(w), "position %" PRIu64 ": %" PRIu64 " is under way", c->position,
          w->position);
    check(checkpoint_loaded(c) && c->position >= w->position, "position %" PRIu64 " after %" PRIu64,
          c->position, w->position);
    for (unsigned t = 0; t < w->trees; t++)
        w->now[t] = pageroot_ref(checkpoint_tree(c, t));
    w->position = c->position;
    w->digest = c->digest;
    w->state_size = c->state_size;
    w->state = mem_new(c->state_size, 1);
    memcpy(w->state, c->state, c->state_size);
    w->full = w->before == NO_CHUNK || w->chain == CHAIN_MOST ||
              w->runs_since > w->full_runs + RUNS_SPARED;
    w->told = 0;
    w->tree = 0;
    w->page = 0;
    w->phase = PHASE_CHANGES;
}

/* ---- contents ---- */

/* NULL: the chunk has none of the contents any more. */
static struct chunk_use *find_use(struct checkpoint_writer *w, uint32_t chunk)
{
    size_t low = 0, high = w->uses;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (w->use[middle].chunk < chunk)
            low = middle + 1;
        else
            high = middle;
    }
    return low < w->uses && w->use[low].chunk == chunk ? &w->use[low] : NULL;
}

static void add_use(struct checkpoint_writer *w, uint32_t chunk, unsigned pages)
{
    if (w->uses == w->use_capacity) {
        w->use_capacity = w->use_capacity ? 2 * w->use_capacity : 64;
        w->use = mem_grow(w->use, w->use_capacity, sizeof *w->use);
    }
    w->use[w->uses++] = (struct chunk_use){chunk, (uint16_t)pages, (uint16_t)pages};
}

static void drop_unused(struct checkpoint_writer *w)
{
    size_t kept = 0;
    for (size_t i = 0; i < w->uses; i++)
        if (w->use[i].live)
            w->use[kept++] = w->use[i];
    w->uses = kept;
}

static void set_place(struct checkpoint_writer *w, unsigned tree, uint64_t page, uint64_t place)
{
    uint64_t old = places_get(&w->place[tree], page);
    if (place_kind(old) == PAGE_CONTENT)
        find_use(w, place_chunk(old))->live--;
    places_put(&w->place[tree], page, place);
}

static void queue_contents(struct checkpoint_writer *w)
{
    if (!w->slots)
        return;
    uint32_t chunk = chunk_writer_add(w->out, CHUNK_PAGE, &w->contents);
    for (unsigned i = 0; i < w->slots; i++)
        set_place(w, w->slot[i].tree, w->slot[i].page, place_of(PAGE_CONTENT, chunk, i));
    add_use(w, chunk, w->slots);
    w->slots = 0;
}

static void add_content(struct checkpoint_writer *w, unsigned tree, uint64_t page)
{
    buffer_append(&w->contents, pageroot_page(w->now[tree], page), RAM_PAGE_SIZE);
    w->slot[w->slots].tree = tree;
    w->slot[w->slots++].page = page;
    if (w->slots == SLOTS)
        queue_contents(w);
}

/* The next pages that differ between `from` and the checkpoint under way; 0: that was all, and the
 * next call begins again. */
static size_t next_pages(struct checkpoint_writer *w, struct pageroot *const *from, uint64_t *page,
                         unsigned *tree)
{
    for (; w->tree < w->trees; w->tree++, w->page = 0) {
        size_t n = pageroot_diff_from(from[w->tree], w->now[w->tree], w->page, page, BATCH);
        *tree = w->tree;
        if (!n)
            continue;
        w->page = page[n - 1] + 1;
        return n;
    }
    w->tree = 0;
    return 0;
}

static enum page_kind kind_of(const struct checkpoint_writer *w, unsigned tree, uint64_t page)
{
    const struct pageroot *now = w->now[tree];
    if (pageroot_same(now, w->origin[tree], page))
        return PAGE_ORIGIN;
    if (pageroot_is_zeroes(now, page))
        return PAGE_ZEROES;
    return pageroot_page(now, page) ? PAGE_CONTENT : PAGE_ABSENT;
}

/* These three return what they have done, in bytes copied. */

static size_t advance_changes(struct checkpoint_writer *w)
{
    uint64_t page[BATCH];
    unsigned tree;
    size_t n = next_pages(w, w->last, page, &tree), contents = 0;
    for (size_t i = 0; i < n; i++) {
        enum page_kind kind = kind_of(w, tree, page[i]);
        if (kind != PAGE_CONTENT) {
            set_place(w, tree, page[i], place_of(kind, 0, 0));
            continue;
        }
        add_content(w, tree, page[i]);
        contents++;
    }
    if (!n) {
        queue_contents(w);
        w->phase = w->full ? PHASE_SPARSE : PHASE_MAP;
    }
    return contents * RAM_PAGE_SIZE + n * WORK_PER_LOOK;
}

/* Where most of a chunk is of no use any more, the rest is written again: whoever reads a
 * checkpoint reads at most twice what it has in contents, but for what came since the last full
 * map. */
static size_t advance_sparse(struct checkpoint_writer *w)
{
    uint64_t page[BATCH];
    unsigned tree;
    size_t n = next_pages(w, w->origin, page, &tree), contents = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t place = places_get(&w->place[tree], page[i]);
        const struct chunk_use *use =
            place_kind(place) == PAGE_CONTENT ? find_use(w, place_chunk(place)) : NULL;
        if (!use || use->live * 2 >= use->total)
            continue;
        add_content(w, tree, page[i]);
        contents++;
    }
    if (!n) {
        queue_contents(w);
        drop_unused(w);
        w->phase = PHASE_MAP;
    }
    return contents * RAM_PAGE_SIZE + n * WORK_PER_LOOK;
}

/* ---- where they are ---- */

static bool run_continues(const struct page_run *r, const struct page_run *next)
{
    if (!r->count || r->tree != next->tree || r->kind != next->kind ||
        (uint64_t)r->page + r->count != next->page || r->count == UINT32_MAX)
        return false;
    return r->kind != PAGE_CONTENT || (r->chunk == next->chunk && r->slot + r->count == next->slot);
}

static void end_run(struct checkpoint_writer *w)
{
    if (!w->run.count)
        return;
    if (w->runs.size + RUN_SIZE > PMAP_SIZE)
        pack_u32(&w->maps, chunk_writer_add(w->out, CHUNK_PMAP, &w->runs));
    page_run_append(&w->runs, &w->run);
    w->run.count = 0;
    w->told++;
}

static size_t advance_map(struct checkpoint_writer *w)
{
    uint64_t page[BATCH];
    unsigned tree;
    size_t n = next_pages(w, w->full ? w->origin : w->last, page, &tree);
    for (size_t i = 0; i < n; i++) {
        uint64_t place = places_get(&w->place[tree], page[i]);
        struct page_run next = {.tree = (uint8_t)tree,
                                .kind = (uint8_t)place_kind(place),
                                .slot = (uint16_t)place_slot(place),
                                .page = (uint32_t)page[i],
                                .count = 1,
                                .chunk = place_chunk(place)};
        if (run_continues(&w->run, &next)) {
            w->run.count++;
        } else {
            end_run(w);
            w->run = next;
        }
    }
    if (!n) {
        end_run(w);
        w->phase = PHASE_END;
    }
    return n * WORK_PER_LOOK;
}

/* ---- the checkpoint ---- */

static uint32_t queue_checkpoint(struct checkpoint_writer *w)
{
    struct checkpoint_header h = {.position = w->position,
                                  .digest = w->digest,
                                  .before = w->full ? NO_CHUNK : w->before,
                                  .trees = w->trees,
                                  .state_size = (uint32_t)w->state_size,
                                  .maps = (uint32_t)(w->maps.size / 4),
                                  .runs = (uint32_t)(w->runs.size / RUN_SIZE)};
    struct buffer chunk = {0};
    checkpoint_header_append(&chunk, &h);
    for (unsigned t = 0; t < w->trees; t++) {
        pack_u64(&chunk, checkpoint_tree_pages(w->snapshots, t));
        pack_u64(&chunk, pageroot_digest(w->now[t]));
    }
    buffer_append(&chunk, w->maps.data, w->maps.size);
    buffer_append(&chunk, w->runs.data, w->runs.size);
    buffer_append(&chunk, w->state, w->state_size);
    check(chunk.size <= CHUNK_MOST, "a checkpoint of %zu bytes", chunk.size);
    return chunk_writer_add(w->out, CHUNK_CKPT, &chunk);
}

static void end_checkpoint(struct checkpoint_writer *w, uint32_t number)
{
    w->before = number;
    w->chain = w->full ? 1 : w->chain + 1;
    w->runs_since = w->full ? 0 : w->runs_since + w->told;
    if (w->full)
        w->full_runs = w->told;
    unref_trees(w, w->last);
    memcpy(w->last, w->now, sizeof w->last);
    memset(w->now, 0, sizeof w->now);
    buffer_fini(&w->runs);
    buffer_fini(&w->maps);
    free(w->state);
    w->state = NULL;
    w->state_size = 0;
    w->phase = PHASE_IDLE;
}

bool checkpoint_writer_advance(struct checkpoint_writer *w, uint32_t *number)
{
    check(checkpoint_writer_busy(w), "nothing is under way after position %" PRIu64, w->position);
    for (size_t work = 0; work < WORK;) {
        switch (w->phase) {
        case PHASE_CHANGES:
            work += advance_changes(w);
            break;
        case PHASE_SPARSE:
            work += advance_sparse(w);
            break;
        case PHASE_MAP:
            work += advance_map(w);
            break;
        default:
            *number = queue_checkpoint(w);
            end_checkpoint(w, *number);
            return true;
        }
    }
    return false;
}
