#include "checkpoints/checkpoint.h"

#include "base/check.h"
#include "base/hash.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Pages that a difference tells of at most. */
enum { DIFF_MOST = 4096 };

const char *digest_difference(const struct digest *a, const struct digest *b)
{
    if (a->ram != b->ram)
        return "ram";
    if (a->machine.core != b->machine.core)
        return "core";
    if (a->machine.cpus != b->machine.cpus)
        return "cpus";
    if (a->machine.devices != b->machine.devices)
        return "devices";
    return NULL;
}

bool digest_equal(const struct digest *a, const struct digest *b)
{
    return !digest_difference(a, b);
}

static const uint8_t *page_below(const void *ctx, uint64_t page)
{
    return pageroot_page(ctx, page);
}

/* The overlay equals `root` but for its dirty pages. */
static void set_overlay_base(struct snapshots *s, unsigned i, struct pageroot *root)
{
    pageroot_ref(root);
    if (s->overlay[i])
        pageroot_unref(s->store, s->overlay[i]);
    s->overlay[i] = root;
    s->machine->overlay[i]->below = page_below;
    s->machine->overlay[i]->below_ctx = root;
}

void snapshots_init(struct snapshots *s, struct machine *m, struct spill *spill)
{
    *s = (struct snapshots){.machine = m, .store = pagestore_new(spill)};
    s->base = pageroot_empty(s->store, m->ram.pages);
    for (unsigned i = 0; i < m->overlays; i++) {
        struct pageroot *empty = pageroot_empty(s->store, m->overlay[i]->pages);
        set_overlay_base(s, i, empty);
        pageroot_unref(s->store, empty);
    }
}

void snapshots_fini(struct snapshots *s)
{
    pageroot_unref(s->store, s->base);
    for (unsigned i = 0; i < s->machine->overlays; i++) {
        s->machine->overlay[i]->below = NULL;
        pageroot_unref(s->store, s->overlay[i]);
    }
    pagestore_free(s->store);
    *s = (struct snapshots){0};
}

static void set_base(struct snapshots *s, struct pageroot *root)
{
    pageroot_ref(root);
    pageroot_unref(s->store, s->base);
    s->base = root;
}

/* An overlay is a part of its device. */
static void add_overlay_digest(struct digest *digest, uint64_t overlay)
{
    digest->machine.devices = hash_mix(digest->machine.devices) ^ overlay;
}

static void take_overlays(struct snapshots *s, struct checkpoint *c)
{
    struct machine *m = s->machine;
    for (unsigned i = 0; i < m->overlays; i++) {
        c->overlay[i] = pagestore_capture_overlay(s->store, s->overlay[i], m->overlay[i]);
        set_overlay_base(s, i, c->overlay[i]);
        overlay_clear_dirty(m->overlay[i]);
        add_overlay_digest(&c->digest, pageroot_digest(c->overlay[i]));
    }
}

struct checkpoint *snapshots_take(struct snapshots *s)
{
    struct machine *m = s->machine;
    struct checkpoint *c = mem_new(1, sizeof *c);
    c->position = machine_position(m);
    c->ram = pagestore_capture(s->store, s->base, &m->ram);
    c->digest.ram = pageroot_digest(c->ram);
    machine_digest(m, &c->digest.machine);
    take_overlays(s, c);

    struct buffer state;
    buffer_init(&state);
    machine_save(m, &state);
    c->state_size = state.size;
    c->state = mem_grow(state.data, state.size, 1);

    set_base(s, c->ram);
    machine_begin_interval(m);
    return c;
}

static void check_loaded(const struct checkpoint *c)
{
    check(checkpoint_loaded(c), "the checkpoint at position %" PRIu64, c->position);
}

bool snapshots_restore(struct snapshots *s, const struct checkpoint *c, struct error *err)
{
    check_loaded(c);
    /* The part that can fail comes first. It drops nothing that RAM's part would need: pages with
     * decoded code or page tables are known by ram's flags. */
    if (!machine_load(s->machine, c->state, c->state_size, err))
        return error_prefix(err, "checkpoint at position %" PRIu64, c->position);
    pagestore_restore(s->base, c->ram, &s->machine->ram);
    set_base(s, c->ram);
    for (unsigned i = 0; i < s->machine->overlays; i++) {
        set_overlay_base(s, i, c->overlay[i]);
        overlay_restored(s->machine->overlay[i]);
    }
    machine_begin_interval(s->machine);
    return true;
}

void snapshots_digest(const struct snapshots *s, struct digest *digest)
{
    const struct machine *m = s->machine;
    digest->ram = pageroot_digest_ram(s->base, &m->ram);
    machine_digest(m, &digest->machine);
    for (unsigned i = 0; i < m->overlays; i++)
        add_overlay_digest(digest, pageroot_digest_overlay(s->overlay[i], m->overlay[i]));
}

/* One line for a page whose contents differ; NULL: zeroes, or an overlay's background. */
static void describe_page(const char *name, uint64_t address, const uint8_t *saved,
                          const uint8_t *present, struct buffer *out)
{
    static const uint8_t zeroes[RAM_PAGE_SIZE];
    const uint8_t *was = saved ? saved : zeroes;
    const uint8_t *now = present ? present : zeroes;
    unsigned first = RAM_PAGE_SIZE, count = 0;
    for (unsigned i = 0; i < RAM_PAGE_SIZE; i++)
        if (was[i] != now[i]) {
            count++;
            if (first == RAM_PAGE_SIZE)
                first = i;
        }
    if (!count) {
        buffer_printf(out, "%s.%#" PRIx64 ": a page that only one of them has\n", name, address);
        return;
    }
    buffer_printf(out, "%s.%#" PRIx64 ": %#x -> %#x", name, address + first, was[first],
                  now[first]);
    if (count > 1)
        buffer_printf(out, " (the first of %u bytes in its page)", count);
    buffer_append_byte(out, '\n');
}

/* Pages that differ between two trees; `base` is the address of page 0. */
static size_t diff_trees(const char *name, uint64_t base, const struct pageroot *was,
                         const struct pageroot *now, size_t limit, struct buffer *out)
{
    uint64_t *page = mem_new(limit, sizeof *page);
    size_t pages = pageroot_diff(was, now, page, limit);
    for (size_t i = 0; i < pages && i < limit; i++)
        describe_page(name, base + (page[i] << RAM_PAGE_BITS), pageroot_page(was, page[i]),
                      pageroot_page(now, page[i]), out);
    free(page);
    return pages;
}

static size_t room(size_t limit, size_t used)
{
    size_t left = limit > used ? limit - used : 0;
    return left < DIFF_MOST ? left : DIFF_MOST;
}

size_t snapshots_diff(struct snapshots *s, const struct checkpoint *c, size_t limit,
                      struct buffer *out)
{
    check_loaded(c);
    const struct machine *m = s->machine;
    size_t n = machine_diff(m, c->state, c->state_size, limit, out);
    struct pageroot *now = pagestore_capture(s->store, s->base, &m->ram);
    n += diff_trees("ram", m->ram.base, c->ram, now, room(limit, n), out);
    pageroot_unref(s->store, now);
    for (unsigned i = 0; i < m->overlays; i++) {
        now = pagestore_capture_overlay(s->store, s->overlay[i], m->overlay[i]);
        n += diff_trees(m->overlay[i]->name, 0, c->overlay[i], now, room(limit, n), out);
        pageroot_unref(s->store, now);
    }
    return n;
}

struct checkpoint *checkpoint_new_stored(uint64_t position, const struct digest *digest)
{
    struct checkpoint *c = mem_new(1, sizeof *c);
    c->position = position;
    c->digest = *digest;
    return c;
}

bool checkpoint_loaded(const struct checkpoint *c)
{
    return c->ram != NULL;
}

void checkpoint_unload(struct snapshots *s, struct checkpoint *c)
{
    if (!checkpoint_loaded(c))
        return;
    pageroot_unref(s->store, c->ram);
    c->ram = NULL;
    for (unsigned i = 0; i < s->machine->overlays; i++) {
        pageroot_unref(s->store, c->overlay[i]);
        c->overlay[i] = NULL;
    }
    free(c->state);
    c->state = NULL;
    c->state_size = 0;
}

struct checkpoint *checkpoint_ref(struct checkpoint *c)
{
    c->others++;
    return c;
}

void checkpoint_free(struct snapshots *s, struct checkpoint *c)
{
    if (c->others) {
        c->others--;
        return;
    }
    checkpoint_unload(s, c);
    free(c);
}

uint64_t checkpoint_frames(const struct snapshots *s, const struct checkpoint *c)
{
    if (!checkpoint_loaded(c))
        return 0;
    uint64_t frames = pageroot_frames(c->ram);
    for (unsigned i = 0; i < s->machine->overlays; i++)
        frames += pageroot_frames(c->overlay[i]);
    return frames;
}

size_t checkpoint_spill(struct snapshots *s, const struct checkpoint *c, size_t bytes)
{
    if (!checkpoint_loaded(c))
        return 0;
    size_t moved = pageroot_spill(c->ram, bytes);
    for (unsigned i = 0; i < s->machine->overlays && moved < bytes; i++)
        moved += pageroot_spill(c->overlay[i], bytes - moved);
    return moved;
}

size_t checkpoint_bytes(const struct checkpoint *c)
{
    return sizeof *c + c->state_size;
}
