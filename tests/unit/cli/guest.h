/* Guests and timelines for the tests of cli/. */
#ifndef TESTS_UNIT_CLI_GUEST_H
#define TESTS_UNIT_CLI_GUEST_H

#include "base/endian.h"
#include "cli/embedded.h"
#include "devices/riscv_virt.h"
#include "timeline/timeline.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

struct guest {
    struct riscv_virt *board;
    struct timeline *timeline;
    struct buffer sent;
};

static uint64_t guest_clock(void *ctx)
{
    (void)ctx;
    return 0;
}

static void guest_output(void *ctx, unsigned channel, const uint8_t *bytes, size_t size)
{
    struct guest *g = ctx;
    (void)channel;
    buffer_append(&g->sent, bytes, size);
}

static inline void guest_init_elf(struct guest *g, const char *name, const uint8_t *elf,
                                  size_t size, const struct riscv_virt_options *board,
                                  uint64_t spacing_steps)
{
    struct error err = ERROR_INIT;
    *g = (struct guest){0};
    const struct timeline_options timeline = {
        .spacing_steps = spacing_steps,
        .warp = true,
        .host = {.clock = guest_clock, .output = guest_output, .ctx = g}};
    g->board = riscv_virt_new_elf(board, name, elf, size, &err);
    cr_assert(g->board, "%s", err.message);
    g->timeline = timeline_new(riscv_virt_machine(g->board), &timeline);
}

/* The guest of `backstep demo`. */
static inline void guest_init_demo(struct guest *g, unsigned harts)
{
    const struct riscv_virt_options board = {.ram_size = 16 << 20, .harts = harts, .shift = 3};
    for (size_t i = 0; i < embedded_count; i++) {
        if (!strcmp(embedded_files[i].name, "demo.elf")) {
            guest_init_elf(g, "demo.elf", embedded_files[i].data, embedded_files[i].size, &board,
                           100000);
            return;
        }
    }
    cr_assert_fail("demo.elf is not embedded");
}

static inline void guest_fini(struct guest *g)
{
    timeline_free(g->timeline);
    riscv_virt_free(g->board);
    buffer_fini(&g->sent);
}

static inline struct stop guest_run_to(struct guest *g, uint64_t position)
{
    struct stop stop = {0};
    timeline_continue_to(g->timeline, position);
    timeline_finish(g->timeline, &stop);
    return stop;
}

static inline struct stop guest_seek(struct guest *g, uint64_t position)
{
    struct stop stop = {0};
    timeline_seek(g->timeline, position);
    timeline_finish(g->timeline, &stop);
    return stop;
}

#endif
