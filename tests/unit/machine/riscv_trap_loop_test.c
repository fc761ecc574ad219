/* Harts that do nothing but trap are found, at the exact trap, and others are not. */
#include "tests/unit/machine/hart_bench.h"

enum { PAST = 400000 }; /* steps in which nothing is to be found */

static struct hart_bench b;

static void begin(unsigned harts)
{
    bench_init(&b, harts);
    b.m.watch = MACHINE_WATCH_TRAPS;
}

static void fini(void)
{
    bench_fini(&b);
}

TestSuite(riscv_trap_loop, .fini = fini);

static void expect_none(uint64_t until)
{
    while (machine_position(&b.m) < until)
        cr_assert_eq(machine_run(&b.m, until), MACHINE_LIMIT);
    cr_assert_not(b.m.trap_loop.found, "at %lu: pc %lx", b.m.trap_loop.position, b.m.trap_loop.pc);
}

static void expect_loop(uint64_t position, uint64_t end, uint64_t traps)
{
    cr_assert_eq(machine_run(&b.m, 10000000), MACHINE_LIMIT);
    const struct trap_loop *loop = &b.m.trap_loop;
    cr_assert(loop->found);
    cr_assert_eq(loop->traps, traps, "%lu", loop->traps);
    cr_assert_eq(loop->position, position, "%lu", loop->position);
    cr_assert_eq(machine_position(&b.m), end, "%lu", machine_position(&b.m));
}

Test(riscv_trap_loop, a_vector_that_leads_nowhere)
{
    begin(1);
    b.s->mtvec = 0;
    PROGRAM(&b, CODE, addi(1, 1, 1), addi(1, 1, 1), 0);
    expect_loop(2, 2 + TRAPS_STILL, TRAPS_STILL);
    cr_assert_eq(b.m.trap_loop.hart, 0);
    cr_assert_eq(b.m.trap_loop.pc, 0);
    cr_assert_eq(b.m.trap_loop.cause, CAUSE_FETCH_ACCESS);
    /* Said once, and then as one that does not return. */
    b.m.trap_loop.found = false;
    expect_none(TRAPS_NESTED);
    expect_loop(3, 3 + TRAPS_NESTED, TRAPS_NESTED);
}

Test(riscv_trap_loop, chopped_at_the_same_place)
{
    for (uint64_t piece = 1; piece < 700; piece += 83) {
        begin(1);
        b.s->mtvec = pa(DATA, 0); /* zeros: illegal */
        PROGRAM(&b, CODE, addi(1, 1, 1), 0);
        while (!b.m.trap_loop.found) {
            cr_assert_leq(machine_position(&b.m), 1 + TRAPS_STILL);
            machine_run(&b.m, machine_position(&b.m) + piece);
            if (machine_position(&b.m) % 3 == 0)
                machine_drop_caches(&b.m, DROP_ALL);
        }
        cr_assert_eq(b.m.trap_loop.position, 1);
        cr_assert_eq(machine_position(&b.m), 1 + TRAPS_STILL);
        cr_assert_eq(b.m.trap_loop.cause, CAUSE_ILLEGAL);
        if (piece + 83 < 700)
            bench_fini(&b);
    }
}

Test(riscv_trap_loop, nothing_that_the_guest_sees)
{
    static struct hart_bench other;
    begin(1);
    b.s->mtvec = 0;
    PROGRAM(&b, CODE, addi(1, 1, 1), 0);
    machine_run(&b.m, 5000);
    machine_run(&b.m, 5000);
    cr_assert(b.m.trap_loop.found);
    bench_init(&other, 1);
    other.s->mtvec = 0;
    PROGRAM(&other, CODE, addi(1, 1, 1), 0);
    machine_run(&other.m, 5000);
    cr_assert_not(other.m.trap_loop.found, "nobody asked");
    assert_same(&b, &other, "watched");
    bench_fini(&other);
}

Test(riscv_trap_loop, traps_with_progress_are_none)
{
    begin(1); /* its handler skips what has trapped */
    PROGRAM(&b, CODE, 0, 0, 0x00000073, addi(1, 1, 1), jal(0, -16));
    expect_none(PAST);
    cr_assert_gt(b.s->x[30], 10000, "there were traps");
}

/* The handler's second instruction faults: each trap does something, none returns. */
Test(riscv_trap_loop, a_handler_that_faults)
{
    begin(1);
    b.s->mtvec = pa(HANDLER, 0);
    PROGRAM(&b, CODE, 0);
    PROGRAM(&b, HANDLER, addi(2, 2, -256), sd(1, 2, 0));
    expect_loop(2, 1 + 2 * TRAPS_NESTED, TRAPS_NESTED);
    cr_assert_eq(b.m.trap_loop.pc, pa(HANDLER, 4));
    cr_assert_eq(b.m.trap_loop.cause, CAUSE_STORE_ACCESS);
}

/* The same trap again and again, each one returned from: a call of firmware in a loop. */
Test(riscv_trap_loop, calls_in_a_loop_are_none)
{
    begin(1);
    PROGRAM(&b, CODE, 0x00000073, jal(0, -4));
    expect_none(10 * (uint64_t)TRAPS_NESTED + PAST);
    cr_assert_gt(b.s->x[30], TRAPS_NESTED / 2);
}

Test(riscv_trap_loop, one_hart_of_two)
{
    begin(2);
    bench_hart(&b, 1)->mtvec = 0;
    bench_hart(&b, 1)->pc = CODE_2 * PAGE;
    PROGRAM(&b, CODE, addi(1, 1, 1), jal(0, -4));
    PROGRAM(&b, CODE_2, addi(1, 1, 1), 0);
    cr_assert_eq(machine_run(&b.m, 1000000), MACHINE_LIMIT);
    cr_assert(b.m.trap_loop.found);
    cr_assert_eq(b.m.trap_loop.hart, 1);
    cr_assert_eq(b.m.trap_loop.traps, TRAPS_STILL);
    cr_assert_eq(b.m.state.last_step[1] + 1, machine_position(&b.m), "its own step was the last");
    /* Behind one step of the second turn of 23 steps. */
    cr_assert_eq(b.m.trap_loop.position, 24);
    cr_assert_gt(machine_position(&b.m), 2 * TRAPS_STILL - 100);
}

Test(riscv_trap_loop, counted_from_a_restore_on)
{
    begin(1);
    b.s->mtvec = 0;
    PROGRAM(&b, CODE, 0);
    machine_run(&b.m, 900);
    b.m.cpu[0]->ops->restored(b.m.cpu[0]);
    machine_run(&b.m, 1800);
    cr_assert_not(b.m.trap_loop.found, "counted from the restore on");
    machine_run(&b.m, 2000);
    cr_assert_eq(machine_position(&b.m), 900 + TRAPS_STILL);
}
