#include "checkpoints/checkpoint.h"

#include "base/check.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

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

void snapshots_init(struct snapshots *s, struct machine *m)
{
    *s = (struct snapshots){.machine = m, .store = pagestore_new(m->ram.pages)};
    s->base = pageroot_empty(s->store);
}

void snapshots_fini(struct snapshots *s)
{
    pageroot_unref(s->store, s->base);
    pagestore_free(s->store);
    *s = (struct snapshots){0};
}

static void set_base(struct snapshots *s, struct pageroot *root)
{
    pageroot_ref(root);
    pageroot_unref(s->store, s->base);
    s->base = root;
}

struct checkpoint *snapshots_take(struct snapshots *s)
{
    struct machine *m = s->machine;
    struct checkpoint *c = mem_new(1, sizeof *c);
    c->position = machine_position(m);
    c->ram = pagestore_capture(s->store, s->base, &m->ram);
    c->digest.ram = pageroot_digest(c->ram);
    machine_digest(m, &c->digest.machine);

    struct buffer state;
    buffer_init(&state);
    machine_save(m, &state);
    c->state_size = state.size;
    c->state = mem_grow(state.data, state.size, 1);

    set_base(s, c->ram);
    machine_begin_interval(m);
    return c;
}

bool snapshots_restore(struct snapshots *s, const struct checkpoint *c, struct error *err)
{
    /* The part that can fail comes first. It drops nothing that RAM's part would need: pages with
     * decoded code or page tables are known by ram's flags. */
    if (!machine_load(s->machine, c->state, c->state_size, err))
        return error_prefix(err, "checkpoint at position %" PRIu64, c->position);
    pagestore_restore(s->base, c->ram, &s->machine->ram);
    set_base(s, c->ram);
    machine_begin_interval(s->machine);
    return true;
}

void snapshots_digest(const struct snapshots *s, struct digest *digest)
{
    digest->ram = pagestore_digest(s->store, s->base, &s->machine->ram);
    machine_digest(s->machine, &digest->machine);
}

/* One line for a page whose contents differ; NULL: zeroes. */
static void describe_page(const struct ram *ram, uint64_t page, const uint8_t *saved,
                          struct buffer *out)
{
    static const uint8_t zeroes[RAM_PAGE_SIZE];
    const uint8_t *was = saved ? saved : zeroes;
    const uint8_t *now = ram->host + (page << RAM_PAGE_BITS);
    unsigned first = RAM_PAGE_SIZE, count = 0;
    for (unsigned i = 0; i < RAM_PAGE_SIZE; i++)
        if (was[i] != now[i]) {
            count++;
            if (first == RAM_PAGE_SIZE)
                first = i;
        }
    check(count, "page %" PRIu64 " does not differ", page);
    buffer_printf(out, "ram.%#" PRIx64 ": %#x -> %#x", ram->base + (page << RAM_PAGE_BITS) + first,
                  was[first], now[first]);
    if (count > 1)
        buffer_printf(out, " (the first of %u bytes in its page)", count);
    buffer_append_byte(out, '\n');
}

size_t snapshots_diff(struct snapshots *s, const struct checkpoint *c, size_t limit,
                      struct buffer *out)
{
    const struct ram *ram = &s->machine->ram;
    size_t fields = machine_diff(s->machine, c->state, c->state_size, limit, out);
    size_t room = fields < limit ? limit - fields : 0;
    if (room > ram->pages)
        room = ram->pages;

    uint64_t *page = mem_new(room, sizeof *page);
    struct pageroot *now = pagestore_capture(s->store, s->base, ram);
    size_t pages = pageroot_diff(c->ram, now, page, room);
    for (size_t i = 0; i < pages && i < room; i++)
        describe_page(ram, page[i], pageroot_page(c->ram, page[i]), out);
    pageroot_unref(s->store, now);
    free(page);
    return fields + pages;
}

void checkpoint_free(struct snapshots *s, struct checkpoint *c)
{
    pageroot_unref(s->store, c->ram);
    free(c->state);
    free(c);
}

size_t checkpoint_bytes(const struct checkpoint *c)
{
    return sizeof *c + c->state_size;
}
