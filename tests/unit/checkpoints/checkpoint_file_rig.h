/* Checkpoints of a rig's machine in a file, and what each of them holds. */
#ifndef TESTS_UNIT_CHECKPOINTS_CHECKPOINT_FILE_RIG_H
#define TESTS_UNIT_CHECKPOINTS_CHECKPOINT_FILE_RIG_H

#include "checkpoints/checkpoint_file.h"
#include "checkpoints/checkpoint_format.h"
#include "tests/unit/checkpoints/overlay_rig.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { BEHIND = 64 << 20, KEPT_MOST = 400 };

/* A checkpoint in the file. */
struct kept {
    uint64_t position;
    struct digest digest;
    uint32_t number;
    struct model *model; /* NULL: only the digest is known */
};

struct written {
    char path[64];
    struct kept kept[KEPT_MOST];
    unsigned count;
};

static inline void written_init(struct written *f)
{
    *f = (struct written){0};
    strcpy(f->path, "/tmp/backstep-checkpoints-XXXXXX");
    cr_assert(mkdtemp(f->path));
    strcat(f->path, "/file");
}

static inline void written_fini(struct written *f)
{
    unlink(f->path);
    *strrchr(f->path, '/') = '\0';
    rmdir(f->path);
    for (unsigned i = 0; i < f->count; i++)
        free(f->kept[i].model);
}

/* Note what the machine holds as the next one. */
static inline struct kept *keep(struct written *f, const struct checkpoint *c,
                                const struct model *now)
{
    cr_assert_lt(f->count, KEPT_MOST);
    struct kept *kept = &f->kept[f->count++];
    *kept = (struct kept){.position = c->position, .digest = c->digest};
    if (now) {
        kept->model = mem_new(1, sizeof *now);
        *kept->model = *now;
    }
    return kept;
}

/* Take one and write it. */
static inline struct kept *take_and_write(struct written *f, struct rig *r, const struct model *now,
                                          struct checkpoint_writer *w)
{
    struct checkpoint *c = snapshots_take(&r->snapshots);
    struct kept *kept = keep(f, c, now);
    checkpoint_writer_begin(w, c);
    checkpoint_free(&r->snapshots, c);
    while (!checkpoint_writer_advance(w, &kept->number))
        continue;
    return kept;
}

/* Make steps; what they write is taken over into the model. */
static inline void make_steps(struct rig *r, struct model *now, uint64_t steps)
{
    struct machine *m = &r->toy.machine;
    uint64_t until = machine_position(m) + steps;
    while (machine_run(m, until) == MACHINE_IDLE) {
        uint64_t deadline = machine_next_deadline(m);
        if (deadline != CLOCK_NEVER) {
            machine_idle_until(m, deadline);
        } else {
            struct event event = {.vtime = clock_vtime(&m->clock),
                                  .kind = EVENT_INPUT,
                                  .size = 1,
                                  .data = (const uint8_t *)"x"};
            machine_deliver(m, &event);
        }
    }
    memcpy(now->ram, m->ram.host, sizeof now->ram);
}

/* A second machine made the same way, with the file. */
struct opened {
    struct rig rig;
    struct checkpoint *origin;
    struct chunk_reader *in;
    struct checkpoint_source *source;
};

static inline void opened_init(struct opened *o, const char *path)
{
    struct error err = ERROR_INIT;
    rig_init(&o->rig);
    o->origin = snapshots_take(&o->rig.snapshots);
    o->in = chunk_reader_open(path, &err);
    cr_assert(o->in, "%s", err.message);
    o->source = checkpoint_source_new(&o->rig.snapshots, o->origin, o->in);
}

/* All memory that loading took has been given back. */
static inline void opened_fini(struct opened *o)
{
    struct error err = ERROR_INIT;
    cr_expect(snapshots_restore(&o->rig.snapshots, o->origin, &err), "%s", err.message);
    struct digest digest = digest_of(&o->rig);
    cr_expect(digest_equal(&digest, &o->origin->digest));
    checkpoint_source_free(o->source);
    chunk_reader_free(o->in);
    size_t used = pagestore_bytes(o->rig.snapshots.store);
    checkpoint_free(&o->rig.snapshots, snapshots_take(&o->rig.snapshots));
    cr_expect_eq(pagestore_bytes(o->rig.snapshots.store), used);
    cr_expect_leq(used, o->rig.baseline + 4 * (RAM_PAGE_SIZE + 40) + 40 * 152, "%zu bytes",
                  used - o->rig.baseline);
    checkpoint_free(&o->rig.snapshots, o->origin);
    rig_fini(&o->rig);
}

static inline struct checkpoint *load_kept(struct opened *o, const struct kept *kept)
{
    struct error err = ERROR_INIT;
    struct checkpoint *c = checkpoint_new_stored(kept->position, &kept->digest);
    cr_assert(!checkpoint_loaded(c));
    cr_assert(checkpoint_load(o->source, c, kept->number, &err), "%s", err.message);
    cr_assert(checkpoint_loaded(c));
    return c;
}

/* Every page, without a restore. */
static inline void expect_pages(const struct checkpoint *c, const struct model *model)
{
    static const uint8_t zeroes[RAM_PAGE_SIZE];
    for (uint64_t page = 0; page < TOY_PAGES; page++) {
        const uint8_t *bytes = pageroot_page(c->ram, page);
        cr_assert(!bytes || !page_is_zero(bytes), "RAM page %" PRIu64, page);
        cr_assert(!memcmp(bytes ? bytes : zeroes, model->ram + page * RAM_PAGE_SIZE, RAM_PAGE_SIZE),
                  "RAM page %" PRIu64, page);
    }
    for (unsigned i = 0; i < OVERLAYS; i++)
        for (unsigned page = 0; page < PAGES; page++) {
            const uint8_t *bytes = pageroot_page(c->overlay[i], number_of(i, page));
            cr_assert_eq(bytes != NULL, model->has[i][page], "overlay %u, page %u", i, page);
            cr_assert(!bytes || !memcmp(bytes, model->bytes[i][page], OVERLAY_PAGE_SIZE),
                      "overlay %u, page %u", i, page);
        }
}

/* It can be restored, and is then what was recorded. */
static inline void expect_restored(struct opened *o, const struct checkpoint *c)
{
    struct error err = ERROR_INIT;
    cr_assert(snapshots_restore(&o->rig.snapshots, c, &err), "%s", err.message);
    struct digest digest = digest_of(&o->rig);
    cr_assert(digest_equal(&digest, &c->digest), "%s", digest_difference(&digest, &c->digest));
    cr_assert_eq(machine_position(&o->rig.toy.machine), c->position);
}

#endif
