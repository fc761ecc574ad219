#include "devices/plic.h"

#include "tests/unit/devices/bench.h"

enum { BASE = 0xc000000, CONTEXTS = 4 };

struct rig {
    struct bench b;
    struct plic plic;
};

static struct rig *rig_new(void)
{
    struct rig *r = calloc(1, sizeof *r);
    struct irq output[CONTEXTS];
    bench_init(&r->b, CONTEXTS / 2);
    for (unsigned i = 0; i < CONTEXTS; i++)
        output[i] = bench_wire(&r->b, i);
    plic_init(&r->plic, &r->b.m, BASE, 0x600000, CONTEXTS, output);
    bench_reset(&r->b);
    return r;
}

static void rig_free(struct rig *r)
{
    bench_fini(&r->b);
    free(r);
}

static void drive(struct rig *r, unsigned source, bool level)
{
    struct irq wire = plic_input(&r->plic, source);
    irq_set(&wire, level);
}

static void priority(struct rig *r, unsigned source, unsigned value)
{
    bench_write(&r->b, BASE + 4 * source, 4, value);
}

static void enable(struct rig *r, unsigned context, unsigned source)
{
    uint64_t at = BASE + 0x2000 + 0x80 * context + source / 32 * 4;
    bench_write(&r->b, at, 4, bench_read(&r->b, at, 4) | 1u << source % 32);
}

static uint64_t at_context(unsigned context)
{
    return BASE + 0x200000 + 0x1000 * (uint64_t)context;
}

static void threshold(struct rig *r, unsigned context, unsigned value)
{
    bench_write(&r->b, at_context(context), 4, value);
}

static unsigned claim(struct rig *r, unsigned context)
{
    return (unsigned)bench_read(&r->b, at_context(context) + 4, 4);
}

static void complete(struct rig *r, unsigned context, unsigned source)
{
    bench_write(&r->b, at_context(context) + 4, 4, source);
}

static bool pending(struct rig *r, unsigned source)
{
    return bench_read(&r->b, BASE + 0x1000 + source / 32 * 4, 4) >> source % 32 & 1;
}

Test(plic, claim_and_complete)
{
    struct rig *r = rig_new();
    priority(r, 10, 1);
    enable(r, 1, 10);
    drive(r, 10, true);
    cr_assert(pending(r, 10));
    cr_assert(r->b.wire[1] && !r->b.wire[0] && !r->b.wire[2] && !r->b.wire[3]);
    cr_assert_eq(claim(r, 0), 0, "context 0 has not enabled it");
    cr_assert_eq(claim(r, 1), 10);
    cr_assert(!pending(r, 10) && !r->b.wire[1]);
    cr_assert_eq(claim(r, 1), 0);
    complete(r, 1, 10);
    cr_assert(pending(r, 10) && r->b.wire[1], "its wire is still high");
    cr_assert_eq(claim(r, 1), 10);
    drive(r, 10, false);
    complete(r, 1, 10);
    cr_assert(!pending(r, 10) && !r->b.wire[1]);
    rig_free(r);
}

Test(plic, pending_outlives_its_wire)
{
    struct rig *r = rig_new();
    priority(r, 5, 3);
    enable(r, 0, 5);
    drive(r, 5, true);
    drive(r, 5, false);
    cr_assert(pending(r, 5) && r->b.wire[0]);
    cr_assert_eq(claim(r, 0), 5);
    complete(r, 0, 5);
    cr_assert(!pending(r, 5));
    rig_free(r);
}

Test(plic, a_source_in_service_waits)
{
    struct rig *r = rig_new();
    priority(r, 5, 3);
    enable(r, 0, 5);
    drive(r, 5, true);
    claim(r, 0);
    drive(r, 5, false);
    drive(r, 5, true);
    cr_assert(!pending(r, 5));
    complete(r, 0, 5);
    cr_assert(pending(r, 5));
    rig_free(r);
}

Test(plic, highest_priority_then_lowest_number)
{
    struct rig *r = rig_new();
    static const struct {
        unsigned source, priority;
    } in[] = {{3, 2}, {40, 5}, {95, 5}, {64, 7}, {1, 2}};
    static const unsigned order[] = {64, 40, 95, 1, 3, 0};
    for (unsigned i = 0; i < 5; i++) {
        priority(r, in[i].source, in[i].priority);
        enable(r, 2, in[i].source);
        drive(r, in[i].source, true);
    }
    for (unsigned i = 0; i < 6; i++)
        cr_assert_eq(claim(r, 2), order[i]);
    rig_free(r);
}

Test(plic, thresholds_mask_the_wire_not_the_claim)
{
    struct rig *r = rig_new();
    priority(r, 7, 4);
    enable(r, 0, 7);
    threshold(r, 0, 4);
    drive(r, 7, true);
    cr_assert(!r->b.wire[0], "priorities have to exceed the threshold");
    threshold(r, 0, 3);
    cr_assert(r->b.wire[0]);
    threshold(r, 0, 7);
    cr_assert(!r->b.wire[0]);
    cr_assert_eq(claim(r, 0), 7);
    rig_free(r);
}

Test(plic, priority_zero_never_interrupts)
{
    struct rig *r = rig_new();
    enable(r, 0, 7);
    drive(r, 7, true);
    cr_assert(pending(r, 7) && !r->b.wire[0]);
    cr_assert_eq(claim(r, 0), 0);
    priority(r, 7, 1);
    cr_assert(r->b.wire[0], "raising it lets it through");
    rig_free(r);
}

Test(plic, completion_needs_the_enable)
{
    struct rig *r = rig_new();
    priority(r, 7, 1);
    enable(r, 0, 7);
    drive(r, 7, true);
    claim(r, 0);
    complete(r, 1, 7);
    cr_assert(!pending(r, 7), "context 1 has not enabled it");
    complete(r, 0, 0);
    complete(r, 0, 96);
    complete(r, 0, 0xffffffff);
    cr_assert(!pending(r, 7));
    complete(r, 0, 7);
    cr_assert(pending(r, 7));
    rig_free(r);
}

Test(plic, one_source_for_two_contexts)
{
    struct rig *r = rig_new();
    priority(r, 7, 1);
    enable(r, 1, 7);
    enable(r, 3, 7);
    drive(r, 7, true);
    cr_assert(r->b.wire[1] && r->b.wire[3]);
    cr_assert_eq(claim(r, 3), 7);
    cr_assert(!r->b.wire[1] && !r->b.wire[3]);
    cr_assert_eq(claim(r, 1), 0);
    rig_free(r);
}

Test(plic, register_widths)
{
    struct rig *r = rig_new();
    priority(r, 95, 0xffffffff);
    cr_assert_eq(bench_read(&r->b, BASE + 4 * 95, 4), 7);
    priority(r, 0, 5);
    cr_assert_eq(bench_read(&r->b, BASE, 4), 0, "there is no source 0");
    priority(r, 96, 5);
    cr_assert_eq(bench_read(&r->b, BASE + 4 * 96, 4), 0);
    bench_write(&r->b, BASE + 0x2000, 4, 0xffffffff);
    cr_assert_eq(bench_read(&r->b, BASE + 0x2000, 4), 0xfffffffe);
    bench_write(&r->b, BASE + 0x2080 + 12, 4, 0xffffffff);
    cr_assert_eq(bench_read(&r->b, BASE + 0x2080 + 12, 4), 0);
    bench_write(&r->b, BASE + 0x2080 + 8, 4, 0xffffffff);
    cr_assert_eq(bench_read(&r->b, BASE + 0x2080 + 8, 4), 0xffffffff);
    threshold(r, CONTEXTS, 1);
    cr_assert_eq(bench_read(&r->b, at_context(CONTEXTS), 4), 0);
    threshold(r, 3, 0xff);
    cr_assert_eq(bench_read(&r->b, at_context(3), 4), 7);
    bench_write(&r->b, BASE + 0x1000, 4, 0xffffffff);
    cr_assert(!pending(r, 4), "pending bits are read-only");
    uint64_t value;
    cr_assert(!bus_read(&r->b.m.bus, BASE, 8, &value));
    cr_assert(!bus_read(&r->b.m.bus, BASE, 1, &value));
    cr_assert(!bus_write(&r->b.m.bus, BASE, 2, 1));
    rig_free(r);
}

Test(plic, looking_claims_nothing)
{
    struct rig *r = rig_new();
    priority(r, 7, 1);
    enable(r, 0, 7);
    drive(r, 7, true);
    bench_peek_all(&r->b, BASE, 0x300000);
    uint64_t value;
    cr_assert(bus_peek(&r->b.m.bus, at_context(0) + 4, 4, &value));
    cr_assert_eq(value, 7);
    cr_assert(pending(r, 7));
    rig_free(r);
}

Test(plic, reset_takes_everything_back)
{
    struct rig *r = rig_new();
    priority(r, 7, 1);
    enable(r, 0, 7);
    drive(r, 7, true);
    bench_reset(&r->b);
    cr_assert(!r->b.wire[0] && !pending(r, 7));
    rig_free(r);
}
