/* A toy machine with overlays, and a flat model of what it ought to hold. */
#ifndef TESTS_UNIT_CHECKPOINTS_OVERLAY_RIG_H
#define TESTS_UNIT_CHECKPOINTS_OVERLAY_RIG_H

#include "checkpoints/checkpoint.h"
#include "tests/unit/toy_machine.h"

#include <criterion/criterion.h>

enum { OVERLAYS = 2, PAGES = 40 };

/* The second overlay is as large as can be, and sparse. */
static inline uint64_t number_of(unsigned overlay, unsigned page)
{
    return overlay ? (uint64_t)page * 107374182 : page;
}

/* A machine with two overlays. */
struct rig {
    struct toy toy;
    struct overlay overlay[OVERLAYS];
    struct snapshots snapshots;
    unsigned restored;
    size_t baseline;
};

/* What it ought to hold, flat. */
struct model {
    bool has[OVERLAYS][PAGES];
    uint8_t bytes[OVERLAYS][PAGES][OVERLAY_PAGE_SIZE];
    uint8_t ram[TOY_PAGES * RAM_PAGE_SIZE];
};

static inline void count_restores(void *ctx)
{
    ((struct rig *)ctx)->restored++;
}

static inline void rig_init_spill(struct rig *r, struct spill *spill)
{
    toy_init(&r->toy, 42);
    overlay_init(&r->overlay[0], "disk0", PAGES);
    overlay_init(&r->overlay[1], "disk1", (uint64_t)UINT32_MAX + 1);
    for (unsigned i = 0; i < OVERLAYS; i++) {
        r->overlay[i].restored = count_restores;
        r->overlay[i].ctx = r;
        machine_add_overlay(&r->toy.machine, &r->overlay[i]);
    }
    snapshots_init(&r->snapshots, &r->toy.machine, spill);
    r->baseline = pagestore_bytes(r->snapshots.store);
}

static inline void rig_init(struct rig *r)
{
    rig_init_spill(r, NULL);
}

static inline void rig_fini(struct rig *r)
{
    snapshots_fini(&r->snapshots);
    for (unsigned i = 0; i < OVERLAYS; i++)
        overlay_fini(&r->overlay[i]);
    toy_fini(&r->toy);
}

static inline struct digest digest_of(struct rig *r)
{
    struct digest digest;
    snapshots_digest(&r->snapshots, &digest);
    return digest;
}

static inline void expect_model(const struct rig *r, const struct model *now)
{
    cr_assert(!memcmp(now->ram, r->toy.machine.ram.host, sizeof now->ram));
    for (unsigned i = 0; i < OVERLAYS; i++)
        for (unsigned page = 0; page < PAGES; page++) {
            const uint8_t *bytes = overlay_page(&r->overlay[i], number_of(i, page));
            cr_assert_eq(bytes != NULL, now->has[i][page], "overlay %u, page %u", i, page);
            cr_assert(!bytes || !memcmp(bytes, now->bytes[i][page], OVERLAY_PAGE_SIZE),
                      "overlay %u, page %u", i, page);
        }
}

/* Few different contents, so that the same ones come again: a page of one byte, the same in a
 * place, zeroes. */
static inline void change_page(struct rig *r, struct model *now, uint64_t random)
{
    unsigned i = random % OVERLAYS, page = (random >> 8) % PAGES;
    uint8_t value = (random >> 16) % 3, *model = now->bytes[i][page];
    uint64_t number = number_of(i, page);
    bool fresh;
    now->has[i][page] = true;
    if ((random >> 24) % 3 == 0) {
        overlay_zero(&r->overlay[i], number);
        memset(model, 0, OVERLAY_PAGE_SIZE);
        return;
    }
    uint8_t *bytes = overlay_write(&r->overlay[i], number, &fresh);
    if (fresh || (random >> 24) % 3 == 1) {
        memset(bytes, value, OVERLAY_PAGE_SIZE);
        memset(model, value, OVERLAY_PAGE_SIZE);
    } else {
        bytes[random >> 52] = model[random >> 52] = value;
    }
}

static inline void change_ram(struct rig *r, struct model *now, uint64_t random)
{
    struct ram *ram = &r->toy.machine.ram;
    uint8_t bytes[100];
    uint64_t offset = (random >> 8) % (sizeof now->ram - sizeof bytes);
    memset(bytes, (int)(random >> 40) % 3, sizeof bytes);
    ram_write(ram, ram->base + offset, bytes, sizeof bytes);
    memcpy(now->ram + offset, bytes, sizeof bytes);
}

#endif
