/* Checkpoints of a machine whose flash is programmed, erased and run from, with fw_cfg transfers:
 * from each of them it goes on as it did. No timeline here: what is under it. */
#include "checkpoints/checkpoint.h"
#include "devices/cfi_flash.h"
#include "devices/fw_cfg.h"
#include "tests/unit/timeline/bench.h"

#include <criterion/criterion.h>

static const struct guest guest = {.name = "firmware", .rounds = 9};

enum { PLACES = 120, CHECKPOINTS = 20 };

struct place {
    uint64_t position;
    struct digest digest;
};

static int by_position(const void *a, const void *b)
{
    const struct place *p = a, *q = b;
    return (p->position > q->position) - (p->position < q->position);
}

static const void *state_of(const struct machine *m, const char *name)
{
    for (unsigned i = 0; i < m->devices; i++)
        if (!strcmp(m->device[i].name, name))
            return m->device[i].state;
    cr_assert_fail("no %s", name);
    return NULL;
}

static bool programming(const struct machine *m)
{
    const struct cfi_flash_state *first = state_of(m, "flash0"), *second = state_of(m, "flash1");
    return first->operation || second->operation || first->buffered[0];
}

static bool transferring(const struct machine *m)
{
    return ((const struct fw_cfg_state *)state_of(m, "fw_cfg"))->pending;
}

/* The length of the run. */
static uint64_t run_through(void)
{
    struct riscv_virt *board = guest_new(&guest);
    struct machine *m = riscv_virt_machine(board);
    cr_assert_eq(machine_run(m, 10000000), MACHINE_HALTED);
    cr_assert_eq(m->state.halt, HALT_POWER_OFF);
    uint64_t steps = machine_position(m);
    cr_assert_gt(((const struct cfi_flash_state *)state_of(m, "flash0"))->changed[0], 0);
    riscv_virt_free(board);
    return steps;
}

/* A straight run, looked at in random places; half of them in the first steps after another, where
 * transfers and single words are under way. */
static void note_places(struct place *place, struct random *random)
{
    uint64_t steps = run_through();
    struct riscv_virt *board = guest_new(&guest);
    struct machine *m = riscv_virt_machine(board);
    struct snapshots s;
    snapshots_init(&s, m, NULL);
    unsigned flash = 0, dma = 0;
    for (unsigned i = 0; i < PLACES; i++)
        place[i].position = i % 2 ? random_below(random, 1000) : random_below(random, steps);
    qsort(place, PLACES, sizeof *place, by_position);
    for (unsigned i = 0; i < PLACES; i++) {
        cr_assert_eq(machine_run(m, place[i].position), MACHINE_LIMIT);
        snapshots_digest(&s, &place[i].digest);
        flash += programming(m);
        dma += transferring(m);
    }
    cr_assert(flash > 20 && dma > 2, "%u in an operation of the flash, %u in a transfer", flash,
              dma);
    snapshots_fini(&s);
    riscv_virt_free(board);
}

static void check_place(struct snapshots *s, const struct place *p)
{
    struct digest digest;
    machine_run(s->machine, p->position);
    snapshots_digest(s, &digest);
    cr_assert(digest_equal(&digest, &p->digest), "at %lu: another %s", p->position,
              digest_difference(&p->digest, &digest));
}

Test(firmware, goes_on_from_every_checkpoint)
{
    static struct place place[PLACES];
    struct random random = {4};
    struct error err;
    note_places(place, &random);
    struct riscv_virt *board = guest_new(&guest);
    struct snapshots s;
    snapshots_init(&s, riscv_virt_machine(board), NULL);
    struct checkpoint *checkpoint[CHECKPOINTS];
    unsigned at[CHECKPOINTS];
    for (unsigned i = 0; i < CHECKPOINTS; i++) {
        at[i] = i * PLACES / CHECKPOINTS;
        check_place(&s, &place[at[i]]);
        checkpoint[i] = snapshots_take(&s);
    }
    for (unsigned turn = 0; turn < 60; turn++) {
        unsigned i = (unsigned)random_below(&random, CHECKPOINTS);
        cr_assert(snapshots_restore(&s, checkpoint[i], &err), "%s", err.message);
        check_place(&s, &place[at[i]]);
        unsigned left = PLACES - at[i];
        unsigned to = at[i] + (unsigned)random_below(&random, left < 30 ? left : 30);
        if (turn % 3 == 0)
            machine_drop_caches(s.machine, CPU_DROP_CODE | CPU_DROP_TRANSLATIONS);
        check_place(&s, &place[to]);
    }
    for (unsigned i = 0; i < CHECKPOINTS; i++)
        checkpoint_free(&s, checkpoint[i]);
    snapshots_fini(&s);
    riscv_virt_free(board);
}
