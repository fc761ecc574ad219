/* Semihosting as a part of history: the guest tests/guests/semihosting.S, backwards and forwards.
 */
#include "machine/semihosting.h"

#include "tests/unit/cli/guest.h"

#include <fcntl.h>
#include <gelf.h>
#include <stdlib.h>
#include <unistd.h>

#define TYPED "hello world, all of you: q"

enum { HISTORY_MOST = 4096 };

static char path[512];
static struct guest guest;

/* False: the guest was not built. */
static bool start(struct guest *g, uint64_t spacing_steps)
{
    const struct riscv_virt_options board = {.ram_size = 16 << 20,
                                             .harts = 1,
                                             .shift = 3,
                                             .semihosting = true,
                                             .bios = "none",
                                             .kernel = path,
                                             .append = "sand loud"};
    const struct timeline_options timeline = {
        .spacing_steps = spacing_steps,
        .warp = true,
        .host = {.clock = guest_clock, .output = guest_output, .ctx = g}};
    struct error err = ERROR_INIT;
    const char *build = getenv("BACKSTEP_BUILD");
    snprintf(path, sizeof path, "%s/guests/semihosting.elf", build ? build : ".");
    *g = (struct guest){0};
    if (access(path, R_OK))
        return false;
    g->board = riscv_virt_new(&board, &err);
    cr_assert(g->board, "%s", err.message);
    g->timeline = timeline_new(riscv_virt_machine(g->board), &timeline);
    return true;
}

/* Run to the end; whenever the guest waits, type the next 1 to 11 bytes, by a pattern. */
static struct stop run_typing(struct guest *g, unsigned pattern)
{
    struct stop stop = {0};
    size_t typed = 0;
    timeline_continue(g->timeline);
    for (;;) {
        enum timeline_status status = timeline_advance(g->timeline, 1000000, &stop);
        if (status == TIMELINE_STOPPED)
            return stop;
        if (status != TIMELINE_IDLE)
            continue;
        size_t left = strlen(TYPED) - typed, n = 1 + (pattern * 7 + typed) % 11;
        cr_assert(left, "it waits for more");
        typed += timeline_input(g->timeline, CHANNEL_SEMIHOST, (const uint8_t *)TYPED + typed,
                                n < left ? n : left);
    }
}

static void setup(void)
{
    if (!start(&guest, 50))
        return;
    struct stop stop = run_typing(&guest, 1);
    cr_assert_eq(stop.reason, STOP_HALT);
    cr_assert_eq(stop.halt, HALT_EXIT);
    cr_assert_eq(stop.halt_code, 42, "test %lu of the guest failed", stop.halt_code);
}

static void teardown(void)
{
    guest_fini(&guest);
}

TestSuite(semihosting_history, .init = setup, .fini = teardown);

#define NEED_GUEST                                                                                 \
    if (!guest.timeline)                                                                           \
    cr_skip_test("the guest is not built")

static uint64_t state_digest(const struct guest *g)
{
    struct machine_digest d;
    machine_digest(timeline_machine(g->timeline), &d);
    return d.core ^ d.cpus * 3 ^ d.devices * 5;
}

static uint64_t symbol(const char *wanted)
{
    uint64_t value = 0;
    elf_version(EV_CURRENT);
    int fd = open(path, O_RDONLY);
    Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
    for (Elf_Scn *s = NULL; (s = elf_nextscn(elf, s));) {
        GElf_Shdr header;
        gelf_getshdr(s, &header);
        Elf_Data *data = header.sh_type == SHT_SYMTAB ? elf_getdata(s, NULL) : NULL;
        for (int i = 0; data && i < (int)(header.sh_size / header.sh_entsize); i++) {
            GElf_Sym sym;
            gelf_getsym(data, i, &sym);
            if (!strcmp(elf_strptr(elf, header.sh_link, sym.st_name), wanted))
                value = sym.st_value;
        }
    }
    elf_end(elf);
    close(fd);
    cr_assert(value, "no symbol %s", wanted);
    return value;
}

Test(semihosting_history, every_byte_comes_back)
{
    NEED_GUEST;
    cr_assert_str_eq(buffer_text(&guest.sent), "ready\n" TYPED);
}

/* Seen forwards and backwards, position by position, with digests compared on the way. */
Test(semihosting_history, both_ways)
{
    NEED_GUEST;
    static uint64_t seen[HISTORY_MOST];
    uint64_t tip = timeline_tip(guest.timeline);
    cr_assert_lt(tip, HISTORY_MOST);
    size_t sent = guest.sent.size;
    for (uint64_t n = 0; n <= tip; n++) {
        cr_assert_eq(guest_seek(&guest, n).reason, STOP_DONE);
        cr_assert_eq(timeline_position(guest.timeline), n);
        seen[n] = state_digest(&guest);
    }
    for (uint64_t n = tip; n-- > 0;) {
        struct stop stop;
        timeline_reverse_step(guest.timeline, 0);
        timeline_finish(guest.timeline, &stop);
        cr_assert_eq(stop.reason, STOP_DONE);
        cr_assert_eq(stop.position, n);
        cr_assert_eq(state_digest(&guest), seen[n], "position %lu", n);
    }
    for (uint64_t i = 0; i < 200; i++) {
        uint64_t n = i * 7919 % (tip + 1);
        guest_seek(&guest, n);
        cr_assert_eq(state_digest(&guest), seen[n], "position %lu", n);
    }
    cr_assert_eq(guest.sent.size, sent, "a replay has sent something");
}

Test(semihosting_history, checkpoints_change_nothing)
{
    NEED_GUEST;
    struct guest other;
    cr_assert(start(&other, 1));
    struct stop stop = run_typing(&other, 1);
    cr_assert_eq(stop.position, timeline_tip(guest.timeline));
    cr_assert_eq(state_digest(&other), state_digest(&guest));
    guest_fini(&other);
}

/* An attempt that waits is a step that leaves pc; the next one is the whole call. */
Test(semihosting_history, waiting)
{
    NEED_GUEST;
    const struct machine *m = timeline_machine(guest.timeline);
    uint64_t tip = timeline_tip(guest.timeline), pc = 0, waits = 0;
    for (uint64_t n = 0; n <= tip; n++) {
        guest_seek(&guest, n);
        uint64_t now = m->cpu[0]->ops->pc(m->cpu[0]);
        waits += now == pc;
        pc = now;
    }
    cr_assert_geq(waits, 3);
    uint64_t retired = 0;
    for (size_t i = 0; i < m->cpu[0]->ops->register_count; i++)
        if (!strcmp(m->cpu[0]->ops->registers[i].name, "instret"))
            retired = m->cpu[0]->ops->get_register(m->cpu[0], m->cpu[0]->ops->registers[i].number);
    cr_assert_leq(retired + waits, tip, "an attempt that waits retires nothing");
}

/* What a call writes into the guest's memory is watched like a store of the hart's. */
Test(semihosting_history, watched_buffer)
{
    NEED_GUEST;
    uint64_t buffer = symbol("buffer"), backward[64], forward[64];
    size_t there = 0, back = 0;
    struct stop stop;
    timeline_point_add(guest.timeline, HIT_WRITE, buffer, 8);
    while (back < 64) {
        timeline_reverse_continue(guest.timeline);
        timeline_finish(guest.timeline, &stop);
        if (stop.reason != STOP_WATCH)
            break;
        backward[back++] = stop.position - 1;
    }
    cr_assert_eq(stop.reason, STOP_BEGIN);
    while (there < 64) {
        timeline_continue(guest.timeline);
        timeline_finish(guest.timeline, &stop);
        if (stop.reason != STOP_WATCH)
            break;
        forward[there++] = stop.position;
    }
    cr_assert_eq(stop.reason, STOP_END);
    cr_assert_eq(there, back);
    /* The command line, two clock values, and at least three reads. */
    cr_assert_geq(there, 6);
    for (size_t i = 0; i < there; i++)
        cr_assert_eq(forward[i], backward[there - 1 - i]);
}

/* The time it is typed at is all that may differ: the answers are the same. */
Test(semihosting_history, other_typing)
{
    NEED_GUEST;
    for (unsigned pattern = 2; pattern < 8; pattern++) {
        struct guest other;
        cr_assert(start(&other, 100));
        cr_assert_eq(run_typing(&other, pattern).halt_code, 42);
        cr_assert_str_eq(buffer_text(&other.sent), "ready\n" TYPED);
        guest_fini(&other);
    }
}
