/* A debugger's looks and writes: what is refused, and that nothing refused leaves an event. */
#include "tests/unit/timeline/bench.h"

#include "timeline/branches.h"

#include <criterion/criterion.h>
#include <string.h>

enum { ZERO = 0, A0 = 10, PC = 32, CSR = 65, MHARTID = CSR + 0xf14, TIME = CSR + 0xc01 };

static const struct guest guest = {.name = "storm", .rounds = 2, .period = 20};

static uint64_t events(const struct bench *b)
{
    struct timeline_info info;
    timeline_info(b->tl, &info);
    return info.events;
}

static void expect_refused(struct bench *b, unsigned number, uint64_t value, const char *words)
{
    struct error err = ERROR_INIT;
    uint64_t before = events(b);
    cr_expect(!timeline_write_register(b->tl, 0, number, value, &err));
    cr_expect(strstr(err.message, words), "%s", err.message);
    cr_expect_eq(events(b), before);
}

Test(access, read_only_registers)
{
    struct bench b;
    struct error err = ERROR_INIT;
    bench_init(&b, &guest, NULL);
    expect_refused(&b, ZERO, 1, "zero cannot be written");
    expect_refused(&b, MHARTID, 7, "mhartid cannot be written");
    expect_refused(&b, TIME, 7, "time cannot be written");
    expect_refused(&b, 5000, 7, "no register number 5000");
    cr_expect(timeline_write_register(b.tl, 0, ZERO, 0, &err), "the value it has");
    cr_expect_eq(events(&b), 0);
    bench_fini(&b);
}

Test(access, writes_at_the_tip_are_events)
{
    struct bench b;
    struct error err = ERROR_INIT;
    uint64_t value = 0;
    bench_init(&b, &guest, NULL);
    cr_assert(timeline_write_register(b.tl, 0, A0, 0x1234, &err), "%s", err.message);
    cr_assert(timeline_write_memory(b.tl, 0, GUEST_BASE + GUEST_BYTES, "changed!", 8, &err));
    cr_assert_eq(events(&b), 2);
    bench_live(&b, NULL, 0, 50);
    bench_seek(&b, 0);
    cr_assert_eq(b.m->cpu[0]->ops->get_register(b.m->cpu[0], A0), 0x1234);
    cr_assert(timeline_read_memory(b.tl, 0, GUEST_BASE + GUEST_BYTES, &value, 8));
    cr_assert(!memcmp(&value, "changed!", 8));
    bench_fini(&b);
}

/* It is another future from there on: see branch_test.c. */
Test(access, the_past_stays_as_it_was)
{
    struct bench b;
    struct error err = ERROR_INIT;
    bench_init(&b, &guest, NULL);
    bench_live(&b, NULL, 0, 50);
    bench_seek(&b, 20);
    uint64_t digest = bench_digest(b.m);
    expect_refused(&b, ZERO, 0x1234, "zero cannot be written");
    cr_expect(timeline_on_main(b.tl));
    cr_expect(timeline_write_register(b.tl, 0, A0, 0x1234, &err), "%s", err.message);
    cr_expect(timeline_write_memory(b.tl, 0, GUEST_BASE, "x", 1, &err), "%s", err.message);
    cr_expect(!timeline_on_main(b.tl));
    cr_expect_eq(events(&b), 2);
    bench_seek(&b, 19);
    cr_expect(timeline_on_main(b.tl));
    cr_expect_eq(events(&b), 0);
    bench_seek(&b, 20);
    cr_expect_eq(bench_digest(b.m), digest);
    bench_fini(&b);
}
