#include "checkpoints/checkpoint.h"

#include "tests/unit/toy_machine.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static struct toy toy;
static struct snapshots snapshots;
static size_t baseline;

static void init(void)
{
    toy_init(&toy, 42);
    snapshots_init(&snapshots, &toy.machine, NULL);
    baseline = pagestore_bytes(snapshots.store);
}

static void fini(void)
{
    snapshots_fini(&snapshots);
    toy_fini(&toy);
}

TestSuite(checkpoint, .init = init, .fini = fini);

/* Run on, whatever it takes: a machine that waits for ever gets a byte. */
static void advance(uint64_t steps)
{
    struct machine *m = &toy.machine;
    uint64_t until = machine_position(m) + steps;
    while (machine_run(m, until) == MACHINE_IDLE) {
        uint64_t deadline = machine_next_deadline(m);
        struct event event = {.vtime = clock_vtime(&m->clock),
                              .kind = EVENT_INPUT,
                              .size = 1,
                              .data = (const uint8_t *)"x"};
        if (deadline != CLOCK_NEVER)
            machine_idle_until(m, deadline);
        else
            machine_deliver(m, &event);
    }
}

static struct digest present(void)
{
    struct digest digest;
    snapshots_digest(&snapshots, &digest);
    return digest;
}

Test(checkpoint, a_reset_machine_equals_the_empty_tree_but_for_dirty_pages)
{
    const struct ram *ram = &toy.machine.ram;
    static const uint8_t zeroes[RAM_PAGE_SIZE];
    size_t used = 0;
    for (uint64_t page = 0; page < ram->pages; page++) {
        bool zero = !memcmp(ram->host + (page << RAM_PAGE_BITS), zeroes, RAM_PAGE_SIZE);
        used += !zero;
        cr_expect(zero || ram->flags[page] & RAM_DIRTY, "page %zu is in use, not dirty",
                  (size_t)page);
    }
    cr_expect_eq(used, 4, "the image covers 4 pages, %zu are in use", used);
    struct digest before = present();
    struct checkpoint *c = snapshots_take(&snapshots);
    cr_expect(digest_equal(&before, &c->digest));
    for (uint64_t page = 0; page < ram->pages; page++) {
        const uint8_t *held = pageroot_page(c->ram, page);
        cr_expect(
            !memcmp(held ? held : zeroes, ram->host + (page << RAM_PAGE_BITS), RAM_PAGE_SIZE));
    }
    checkpoint_free(&snapshots, c);
}

Test(checkpoint, take_begins_an_interval)
{
    advance(1000);
    touched_add(&toy.machine.touched, 0x1000, TOUCHED_READ);
    cr_expect_gt(toy.machine.ram.dirty_count, 0);
    struct checkpoint *c = snapshots_take(&snapshots);
    cr_expect_eq(c->position, 1000);
    cr_expect_eq(toy.machine.ram.dirty_count, 0);
    cr_expect_eq(toy.machine.touched.count, 0);
    cr_expect_geq(checkpoint_bytes(c), sizeof *c + c->state_size);
    checkpoint_free(&snapshots, c);
}

/* Random walk over a set of checkpoints, each with the digest and a full copy of what was there. */
enum { KEPT = 12 };

Test(checkpoint, random_restores)
{
    struct machine *m = &toy.machine;
    struct checkpoint *kept[KEPT] = {0};
    uint8_t *ram[KEPT] = {0};
    uint64_t random = 7;
    struct error err = ERROR_INIT;
    for (unsigned round = 0; round < 500; round++) {
        random = hash_mix(random + round);
        size_t i = (random >> 8) % KEPT;
        advance((random >> 16) % 3000);
        touched_add(&m->touched, random, TOUCHED_FETCH);
        if (random % 2 || !kept[i]) {
            if (kept[i])
                checkpoint_free(&snapshots, kept[i]);
            struct digest before = present();
            kept[i] = snapshots_take(&snapshots);
            cr_assert(digest_equal(&before, &kept[i]->digest));
            ram[i] = mem_grow(ram[i], m->ram.size, 1);
            memcpy(ram[i], m->ram.host, m->ram.size);
        } else {
            cr_assert(snapshots_restore(&snapshots, kept[i], &err), "%s", err.message);
            cr_assert(!memcmp(ram[i], m->ram.host, m->ram.size));
            cr_assert_eq(machine_position(m), kept[i]->position);
        }
        cr_assert_eq(m->ram.dirty_count, 0);
        cr_assert_eq(m->touched.count, 0);
        struct digest now = present();
        cr_assert(digest_equal(&now, &kept[i]->digest), "%s differs",
                  digest_difference(&now, &kept[i]->digest));
        cr_assert_eq(snapshots_diff(&snapshots, kept[i], 10, &(struct buffer){0}), 0);
    }
    for (size_t i = 0; i < KEPT; i++) {
        if (kept[i])
            checkpoint_free(&snapshots, kept[i]);
        free(ram[i]);
    }
}

Test(checkpoint, the_same_run_after_a_restore)
{
    advance(5000);
    struct checkpoint *start = snapshots_take(&snapshots);
    advance(20000);
    struct checkpoint *end = snapshots_take(&snapshots);
    struct error err = ERROR_INIT;
    for (unsigned round = 0; round < 5; round++) {
        cr_assert(snapshots_restore(&snapshots, start, &err));
        advance(20000);
        struct digest now = present();
        cr_expect_null(digest_difference(&now, &end->digest));
    }
    checkpoint_free(&snapshots, start);
    checkpoint_free(&snapshots, end);
    /* The base is a tree that no checkpoint has any more. */
    advance(100);
    struct checkpoint *again = snapshots_take(&snapshots);
    checkpoint_free(&snapshots, again);
}

Test(checkpoint, memory_is_given_back)
{
    struct checkpoint *kept[50];
    for (size_t i = 0; i < 50; i++) {
        advance(1000);
        kept[i] = snapshots_take(&snapshots);
    }
    size_t all = pagestore_bytes(snapshots.store), last = all;
    for (size_t i = 0; i < 49; i++) {
        checkpoint_free(&snapshots, kept[(i * 23) % 49]);
        cr_expect_leq(pagestore_bytes(snapshots.store), last, "an unref never costs memory");
        last = pagestore_bytes(snapshots.store);
    }
    cr_expect_lt(last, baseline + TOY_PAGES * 5000, "one tree is left: %zu bytes", last);
    cr_expect_lt(last, all);
    checkpoint_free(&snapshots, kept[49]);
}

Test(checkpoint, restore_is_all_or_nothing)
{
    struct error err = ERROR_INIT;
    advance(1000);
    struct checkpoint *c = snapshots_take(&snapshots);
    advance(1000);
    struct digest before = present();
    size_t dirty = toy.machine.ram.dirty_count;

    struct checkpoint broken = *c;
    for (broken.state_size = 0; broken.state_size < c->state_size; broken.state_size++) {
        cr_assert(!snapshots_restore(&snapshots, &broken, &err));
        cr_assert_eq(err.code, ERROR_FORMAT);
    }
    cr_expect(strstr(err.message, "checkpoint at position 1000"), "%s", err.message);
    struct digest after = present();
    cr_expect_null(digest_difference(&before, &after));
    cr_expect_eq(machine_position(&toy.machine), 2000);
    cr_expect_eq(toy.machine.ram.dirty_count, dirty);
    cr_expect(snapshots_restore(&snapshots, c, &err));
    checkpoint_free(&snapshots, c);
}

Test(checkpoint, differences_are_told)
{
    struct machine *m = &toy.machine;
    struct checkpoint *c = snapshots_take(&snapshots);
    uint8_t old = *ram_at(&m->ram, TOY_BASE + 0x3456);
    uint8_t new = old ^ 1, ones[2] = {1, 1};
    ram_write(&m->ram, TOY_BASE + 0x20010, ones, 2);
    ram_write(&m->ram, TOY_BASE + 0x3456, &new, 1);
    ram_write(&m->ram, TOY_BASE + 0x1234, ram_at(&m->ram, TOY_BASE + 0x1234), 1);
    toy.state[1].held++;

    struct digest now = present();
    cr_expect_str_eq(digest_difference(&c->digest, &now), "ram");
    struct buffer out = {0};
    cr_expect_eq(snapshots_diff(&snapshots, c, 10, &out), 3);
    char expected[200];
    snprintf(expected, sizeof expected,
             "hart1.held: 0 -> 0x1\nram.0x80003456: %#x -> %#x\n"
             "ram.0x80020010: 0 -> 0x1 (the first of 2 bytes in its page)\n",
             old, new);
    cr_expect_str_eq(buffer_text(&out), expected, "%s", buffer_text(&out));
    buffer_clear(&out);
    cr_expect_eq(snapshots_diff(&snapshots, c, 2, &out), 3);
    cr_expect_str_eq(strstr(buffer_text(&out), "ram.0x8000"), strstr(buffer_text(&out), "ram"));
    cr_expect_null(strstr(buffer_text(&out), "ram.0x80020010"));
    buffer_fini(&out);

    struct digest after = present();
    cr_expect(digest_equal(&now, &after), "a difference changes nothing");
    checkpoint_free(&snapshots, c);
}

Test(checkpoint, digest_names_the_component)
{
    struct digest a = {.ram = 1, .machine = {2, 3, 4}}, b = a;
    cr_expect(digest_equal(&a, &b));
    b.machine.devices++;
    cr_expect_str_eq(digest_difference(&a, &b), "devices");
    b.machine.cpus++;
    cr_expect_str_eq(digest_difference(&a, &b), "cpus");
    b.machine.core++;
    cr_expect_str_eq(digest_difference(&a, &b), "core");
    b.ram++;
    cr_expect_str_eq(digest_difference(&a, &b), "ram");
    cr_expect(!digest_equal(&a, &b));
}
