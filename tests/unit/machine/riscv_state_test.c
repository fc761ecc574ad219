/* A hart's state: described to the last byte, and never one that a later step would stumble over.
 */
#include "tests/unit/machine/hart_bench.h"

static struct hart_bench b;

static void idle_loop(struct hart_bench *p, uint64_t seed)
{
    (void)seed;
    PROGRAM(p, CODE, addi(10, 10, 1));
}

Test(riscv_state, every_byte_is_described)
{
    bool map[sizeof(struct riscv_state)] = {false};
    start(&b, idle_loop, 0, 1);
    const struct fields *table = b.m.cpu[0]->ops->fields;
    cr_assert_eq(table->size, sizeof map);
    fields_coverage(table, map);
    for (unsigned at = 0; at < sizeof map; at++)
        cr_assert(map[at], "byte %u", at);
    cr_assert_eq(b.m.cpu[0]->state, b.s);
    bench_fini(&b);
}

/* Loads b's state with one change; it runs on if it is taken. */
static bool taken_with(void (*change)(struct riscv_state *s))
{
    struct buffer saved = {0};
    struct error err = ERROR_INIT;
    struct riscv_state before = *b.s;
    change(b.s);
    machine_save(&b.m, &saved);
    *b.s = before;
    bool taken = machine_load(&b.m, saved.data, saved.size, &err);
    if (!taken) {
        cr_assert_eq(err.code, ERROR_RANGE);
        cr_assert_eq(memcmp(b.s, &before, sizeof before), 0);
    }
    machine_run(&b.m, machine_position(&b.m) + 10);
    buffer_fini(&saved);
    *b.s = before;
    return taken;
}

#define CHANGE(name, statement)                                                                    \
    static void name(struct riscv_state *s)                                                        \
    {                                                                                              \
        statement;                                                                                 \
    }

CHANGE(nothing, (void)s)
CHANGE(reserved, s->reserved = 4)
CHANGE(user, s->priv = PRIV_U)
CHANGE(bare, s->satp = 0)
CHANGE(pc_odd, s->pc |= 1)
CHANGE(mepc_odd, s->mepc |= 1)
CHANGE(sepc_odd, s->sepc |= 1)
CHANGE(zero_register, s->x[0] = 1)
CHANGE(sink, s->x[X_SINK] = 1)
CHANGE(priv_2, s->priv = 2)
CHANGE(priv_4, s->priv = 4)
CHANGE(mpp_2, s->mstatus |= 2 << 11)
CHANGE(waiting_3, s->waiting = 3)
CHANGE(waiting_for_input, s->waiting = WAITING_INPUT)
CHANGE(reserved_1, s->reserved = 1)
CHANGE(frm_8, s->frm = 8)
CHANGE(fflags_32, s->fflags = 32)
CHANGE(satp_7, s->satp = 7ull << 60)
CHANGE(satp_15, s->satp = 15ull << 60)

Test(riscv_state, impossible_states_are_refused)
{
    static void (*const good[])(struct riscv_state *) = {nothing, reserved, user, bare};
    static void (*const bad[])(struct riscv_state *) = {
        pc_odd,    mepc_odd,          sepc_odd,   zero_register, sink,      priv_2, priv_4, mpp_2,
        waiting_3, waiting_for_input, reserved_1, frm_8,         fflags_32, satp_7, satp_15};
    start(&b, idle_loop, 0, 1);
    machine_run(&b.m, 3);
    for (unsigned i = 0; i < sizeof good / sizeof *good; i++)
        cr_assert(taken_with(good[i]), "good %u", i);
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_assert_not(taken_with(bad[i]), "bad %u", i);
    bench_fini(&b);
}

/* Every CSR number with every instruction, from every mode, and by a debugger: an exception, or
 * not, but always a state that may be saved and loaded, and that instructions and tables agree on.
 */
Test(riscv_state, every_csr_from_every_mode)
{
    static const uint8_t modes[] = {PRIV_U, PRIV_S, PRIV_M};
    static const uint64_t values[] = {0, UINT64_MAX, 0x5555555555555555, 0xaaaaaaaaaaaaaaaa};
    start(&b, idle_loop, 0, 1);
    struct riscv_state fresh = *b.s;
    for (unsigned n = 0; n < 4096; n++)
        for (unsigned mode = 0; mode < 3; mode++)
            for (unsigned f3 = 1; f3 < 8; f3++) {
                *b.s = fresh;
                b.s->satp = 0;
                b.s->priv = modes[mode];
                b.s->pc = pa(CODE_2, 0);
                b.s->x[6] = values[(n + f3) % 4];
                poke(&b, pa(CODE_2, 0), &(uint32_t){n << 20 | 6 << 15 | f3 << 12 | 5 << 7 | 0x73},
                     4);
                machine_drop_caches(&b.m, CPU_DROP_TRANSLATIONS);
                machine_run(&b.m, machine_position(&b.m) + 1);
                const struct cpu_ops *ops = b.m.cpu[0]->ops;
                cr_assert(ops->valid(b.m.cpu[0], b.s), "csr %#x, f3 %u", n, f3);
                if (modes[mode] < (n >> 8 & 3) && f3 != 4)
                    cr_assert(b.s->priv == PRIV_M && b.s->mcause == CAUSE_ILLEGAL, "csr %#x", n);
            }
    for (unsigned n = 0; n < 5000; n++)
        for (unsigned v = 0; v < 4; v++) {
            const struct cpu_ops *ops = b.m.cpu[0]->ops;
            *b.s = fresh;
            ops->get_register(b.m.cpu[0], n);
            ops->set_register(b.m.cpu[0], n, values[v]);
            cr_assert(ops->valid(b.m.cpu[0], b.s), "register %u", n);
        }
    bench_fini(&b);
}

/* A counter that stands does not move when mcountinhibit is written; one that runs counts on. */
Test(riscv_state, inhibited_counters_stand)
{
    enum { MCOUNTINHIBIT = 0x320, MCYCLE = 0xb00, MINSTRET = 0xb02 };
    start(&b, idle_loop, 0, 1);
    PROGRAM(&b, CODE_2, csrrw(0, MCOUNTINHIBIT, 6), csrrs(10, MCYCLE, 0), csrrs(11, MINSTRET, 0),
            csrrw(0, MCOUNTINHIBIT, 6), csrrw(0, MCOUNTINHIBIT, 6), csrrs(12, MCYCLE, 0),
            csrrs(13, MINSTRET, 0), csrrw(0, MCOUNTINHIBIT, 0), csrrs(14, MCYCLE, 0),
            csrrs(15, MINSTRET, 0), csrrw(0, MCOUNTINHIBIT, 0), csrrs(16, MCYCLE, 0),
            csrrs(17, MINSTRET, 0));
    b.s->priv = PRIV_M;
    b.s->pc = pa(CODE_2, 0);
    b.s->x[6] = UINT64_MAX;
    machine_run(&b.m, machine_position(&b.m) + 13);
    cr_assert_eq(b.s->x[12], b.s->x[10]);
    cr_assert_eq(b.s->x[13], b.s->x[11]);
    cr_assert_eq(b.s->x[14], b.s->x[12]);
    cr_assert_eq(b.s->x[15], b.s->x[13] + 1);
    cr_assert_eq(b.s->x[16], b.s->x[14] + 3);
    cr_assert_eq(b.s->x[17], b.s->x[15] + 3);
    bench_fini(&b);
}

/* A debugger that calls a function while the guest idles. */
Test(riscv_state, a_new_pc_ends_a_wait)
{
    enum { GDB_PC = 32 };
    start(&b, idle_loop, 0, 1);
    PROGRAM(&b, CODE_2, WFI_INSN, addi(5, 0, 1), addi(5, 0, 2));
    b.s->priv = PRIV_M;
    b.s->mie = b.s->mip = 0;
    b.s->pc = pa(CODE_2, 0);
    uint64_t n = machine_position(&b.m);
    cr_assert_eq(machine_run(&b.m, n + 5), MACHINE_IDLE);
    uint8_t event[12];
    store_le32(event, GDB_PC);
    store_le64(event + 4, pa(CODE_2, 8));
    machine_deliver(&b.m, &(struct event){.position = n + 1,
                                          .vtime = clock_vtime(&b.m.clock),
                                          .kind = EVENT_REGISTER,
                                          .size = sizeof event,
                                          .data = event});
    cr_assert_eq(machine_run(&b.m, n + 2), MACHINE_LIMIT);
    cr_assert_eq(b.s->x[5], 2);
    bench_fini(&b);
}
