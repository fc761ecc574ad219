/* The hart as the machine and debuggers see it. */
#include "machine/riscv/hart.h"

#include "base/check.h"
#include "machine/riscv/code.h"
#include "machine/riscv/flow.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static const struct field riscv_field[] = {
    FIELD_ARRAY(struct riscv_state, x),      FIELD_ARRAY(struct riscv_state, f),
    FIELD(struct riscv_state, pc),           FIELD(struct riscv_state, mstatus),
    FIELD(struct riscv_state, medeleg),      FIELD(struct riscv_state, mideleg),
    FIELD(struct riscv_state, mie),          FIELD(struct riscv_state, mtvec),
    FIELD(struct riscv_state, mscratch),     FIELD(struct riscv_state, mepc),
    FIELD(struct riscv_state, mcause),       FIELD(struct riscv_state, mtval),
    FIELD(struct riscv_state, menvcfg),      FIELD(struct riscv_state, stvec),
    FIELD(struct riscv_state, sscratch),     FIELD(struct riscv_state, sepc),
    FIELD(struct riscv_state, scause),       FIELD(struct riscv_state, stval),
    FIELD(struct riscv_state, satp),         FIELD(struct riscv_state, senvcfg),
    FIELD(struct riscv_state, stimecmp),     FIELD(struct riscv_state, mip),
    FIELD(struct riscv_state, irq),          FIELD(struct riscv_state, instret),
    FIELD(struct riscv_state, cycle_base),   FIELD(struct riscv_state, instret_base),
    FIELD(struct riscv_state, reservation),  FIELD_ARRAY(struct riscv_state, pmpaddr),
    FIELD_ARRAY(struct riscv_state, pmpcfg), FIELD(struct riscv_state, mcounteren),
    FIELD(struct riscv_state, scounteren),   FIELD(struct riscv_state, mcountinhibit),
    FIELD(struct riscv_state, fflags),       FIELD(struct riscv_state, frm),
    FIELD(struct riscv_state, priv),         FIELD(struct riscv_state, waiting),
    FIELD(struct riscv_state, reserved),     FIELD_UNUSED(struct riscv_state, unused),
};
const struct fields riscv_fields = FIELDS("hart", struct riscv_state, 1, 1, riscv_field);

/* ---- life ---- */

/* Registers the spec leaves open at reset are zero here, as everything must be the same each time.
 */
static void reset(struct cpu *cpu)
{
    struct hart *h = hart_of(cpu);
    uint64_t instret = h->s.instret;
    h->s = (struct riscv_state){
        .pc = h->shared->reset_pc,
        .priv = PRIV_M,
        .menvcfg = MENVCFG_ADUE,
        .stimecmp = UINT64_MAX,
        .instret = instret,
    };
    h->s.x[10] = cpu->index;
    h->s.cycle_base = 0 - machine_position(h->m);
    h->s.instret_base = 0 - instret;
    h->rows = (struct trap_rows){0};
    hart_flush(h);
}

static void set_irq(struct cpu *cpu, unsigned number, bool level)
{
    struct hart *h = hart_of(cpu);
    if (level)
        h->s.irq |= 1ull << number;
    else
        h->s.irq &= ~(1ull << number);
    machine_attention(h->m);
}

void hart_update_stimer(struct hart *h)
{
    bool on = h->s.menvcfg & MENVCFG_STCE;
    uint64_t now = riscv_mtime(h->m), compare = h->s.stimecmp;
    set_irq(&h->cpu, 5, on && now >= compare);
    clock_arm(&h->m->clock, h->timer,
              on && now < compare ? riscv_vtime_after(h->m, compare - now) : CLOCK_NEVER);
}

static void ticks_changed(struct cpu *cpu)
{
    hart_update_stimer(hart_of(cpu));
}

static void stimer_expired(void *ctx, unsigned which)
{
    (void)which;
    hart_update_stimer(ctx);
}

static bool runnable(const struct cpu *cpu)
{
    const struct hart *h = hart_of(cpu);
    if (h->s.waiting == WAITING_INPUT)
        return semihost_wakes(h);
    return !h->s.waiting || (hart_mip(h) & h->s.mie);
}

static void wake(struct cpu *cpu)
{
    hart_of(cpu)->s.waiting = 0;
}

static void switched_out(struct cpu *cpu)
{
    hart_of(cpu)->s.reserved = 0;
}

/* Values that no instruction and no debugger can bring about, and that are relied on. */
static bool valid(const struct cpu *cpu, const void *state)
{
    const struct riscv_state *s = state;
    unsigned satp_mode = (unsigned)(s->satp >> 60);
    bool odd = (s->pc | s->mepc | s->sepc) & 1;
    uint8_t last_wait = cpu->machine->semihosting ? WAITING_INPUT : WAITING_INTERRUPT;
    return !odd && !s->x[0] && !s->x[X_SINK] && s->priv <= PRIV_M && s->priv != 2 &&
           (s->mstatus & MSTATUS_MPP) != 2ull << 11 && s->waiting <= last_wait &&
           (s->reserved == 0 || s->reserved == 3 || s->reserved == 4) && s->frm <= 7 &&
           s->fflags <= 31 && (satp_mode == 0 || (satp_mode >= 8 && satp_mode <= 10));
}

static void restored(struct cpu *cpu)
{
    hart_of(cpu)->rows = (struct trap_rows){0};
    hart_flush(hart_of(cpu));
}

/* ---- registers, as gdb numbers them ---- */

enum { GDB_X = 0, GDB_PC = 32, GDB_F = 33, GDB_CSR = 65, GDB_PRIV = GDB_CSR + 4096 };

#define X_REGISTER(name, n)                                                                        \
    {                                                                                              \
        name, GDB_X + n, 64, CPU_FEATURE_CPU, n == 0                                               \
    }
#define F_REGISTER(name, n)                                                                        \
    {                                                                                              \
        name, GDB_F + n, 64, CPU_FEATURE_FPU, false                                                \
    }
/* The two top bits of a CSR's number say whether it can be written. */
#define CSR(name, n)                                                                               \
    {                                                                                              \
        name, GDB_CSR + n, 64, CPU_FEATURE_CSR, (n) >> 10 == 3                                     \
    }
#define FCSR(name, n)                                                                              \
    {                                                                                              \
        name, GDB_CSR + n, 32, CPU_FEATURE_FPU, false                                              \
    }
#define PMP4(a, b, c, d, n) CSR(a, n), CSR(b, n + 1), CSR(c, n + 2), CSR(d, n + 3)

static const struct cpu_register registers[] = {
    X_REGISTER("zero", 0),
    X_REGISTER("ra", 1),
    X_REGISTER("sp", 2),
    X_REGISTER("gp", 3),
    X_REGISTER("tp", 4),
    X_REGISTER("t0", 5),
    X_REGISTER("t1", 6),
    X_REGISTER("t2", 7),
    X_REGISTER("fp", 8),
    X_REGISTER("s1", 9),
    X_REGISTER("a0", 10),
    X_REGISTER("a1", 11),
    X_REGISTER("a2", 12),
    X_REGISTER("a3", 13),
    X_REGISTER("a4", 14),
    X_REGISTER("a5", 15),
    X_REGISTER("a6", 16),
    X_REGISTER("a7", 17),
    X_REGISTER("s2", 18),
    X_REGISTER("s3", 19),
    X_REGISTER("s4", 20),
    X_REGISTER("s5", 21),
    X_REGISTER("s6", 22),
    X_REGISTER("s7", 23),
    X_REGISTER("s8", 24),
    X_REGISTER("s9", 25),
    X_REGISTER("s10", 26),
    X_REGISTER("s11", 27),
    X_REGISTER("t3", 28),
    X_REGISTER("t4", 29),
    X_REGISTER("t5", 30),
    X_REGISTER("t6", 31),
    {"pc", GDB_PC, 64, CPU_FEATURE_CPU, false},
    F_REGISTER("ft0", 0),
    F_REGISTER("ft1", 1),
    F_REGISTER("ft2", 2),
    F_REGISTER("ft3", 3),
    F_REGISTER("ft4", 4),
    F_REGISTER("ft5", 5),
    F_REGISTER("ft6", 6),
    F_REGISTER("ft7", 7),
    F_REGISTER("fs0", 8),
    F_REGISTER("fs1", 9),
    F_REGISTER("fa0", 10),
    F_REGISTER("fa1", 11),
    F_REGISTER("fa2", 12),
    F_REGISTER("fa3", 13),
    F_REGISTER("fa4", 14),
    F_REGISTER("fa5", 15),
    F_REGISTER("fa6", 16),
    F_REGISTER("fa7", 17),
    F_REGISTER("fs2", 18),
    F_REGISTER("fs3", 19),
    F_REGISTER("fs4", 20),
    F_REGISTER("fs5", 21),
    F_REGISTER("fs6", 22),
    F_REGISTER("fs7", 23),
    F_REGISTER("fs8", 24),
    F_REGISTER("fs9", 25),
    F_REGISTER("fs10", 26),
    F_REGISTER("fs11", 27),
    F_REGISTER("ft8", 28),
    F_REGISTER("ft9", 29),
    F_REGISTER("ft10", 30),
    F_REGISTER("ft11", 31),
    FCSR("fflags", 0x001),
    FCSR("frm", 0x002),
    FCSR("fcsr", 0x003),
    CSR("sstatus", 0x100),
    CSR("sie", 0x104),
    CSR("stvec", 0x105),
    CSR("scounteren", 0x106),
    CSR("senvcfg", 0x10a),
    CSR("sscratch", 0x140),
    CSR("sepc", 0x141),
    CSR("scause", 0x142),
    CSR("stval", 0x143),
    CSR("sip", 0x144),
    CSR("stimecmp", 0x14d),
    CSR("satp", 0x180),
    CSR("mstatus", 0x300),
    CSR("misa", 0x301),
    CSR("medeleg", 0x302),
    CSR("mideleg", 0x303),
    CSR("mie", 0x304),
    CSR("mtvec", 0x305),
    CSR("mcounteren", 0x306),
    CSR("menvcfg", 0x30a),
    CSR("mcountinhibit", 0x320),
    CSR("mscratch", 0x340),
    CSR("mepc", 0x341),
    CSR("mcause", 0x342),
    CSR("mtval", 0x343),
    CSR("mip", 0x344),
    CSR("pmpcfg0", 0x3a0),
    CSR("pmpcfg2", 0x3a2),
    PMP4("pmpaddr0", "pmpaddr1", "pmpaddr2", "pmpaddr3", 0x3b0),
    PMP4("pmpaddr4", "pmpaddr5", "pmpaddr6", "pmpaddr7", 0x3b4),
    PMP4("pmpaddr8", "pmpaddr9", "pmpaddr10", "pmpaddr11", 0x3b8),
    PMP4("pmpaddr12", "pmpaddr13", "pmpaddr14", "pmpaddr15", 0x3bc),
    CSR("mcycle", 0xb00),
    CSR("minstret", 0xb02),
    CSR("cycle", 0xc00),
    CSR("time", 0xc01),
    CSR("instret", 0xc02),
    CSR("mvendorid", 0xf11),
    CSR("marchid", 0xf12),
    CSR("mimpid", 0xf13),
    CSR("mhartid", 0xf14),
    CSR("mconfigptr", 0xf15),
    {"priv", GDB_PRIV, 64, CPU_FEATURE_VIRTUAL, false},
};

static uint64_t get_register(const struct cpu *cpu, unsigned n)
{
    const struct hart *h = hart_of(cpu);
    uint64_t value = 0;
    if (n < GDB_PC)
        return h->s.x[n];
    if (n == GDB_PC)
        return h->s.pc;
    if (n < GDB_CSR)
        return h->s.f[n - GDB_F];
    if (n == GDB_PRIV)
        return h->s.priv;
    csr_peek(h, n - GDB_CSR, &value);
    return value;
}

static bool set_priv(struct hart *h, uint64_t value)
{
    if (value != PRIV_U && value != PRIV_S && value != PRIV_M)
        return false;
    h->s.priv = (uint8_t)value;
    return true;
}

/* Sent elsewhere, a hart no longer waits: a debugger calls functions of a kernel that idles. */
static void set_pc(struct hart *h, uint64_t value)
{
    h->s.pc = value & ~1ull;
    h->s.waiting = WAITING_NOT;
}

static bool set_register(struct cpu *cpu, unsigned n, uint64_t value)
{
    struct hart *h = hart_of(cpu);
    if (n == 0)
        return false;
    if (n < GDB_PC)
        h->s.x[n] = value;
    else if (n == GDB_PC)
        set_pc(h, value);
    else if (n < GDB_CSR)
        h->s.f[n - GDB_F] = value;
    else if (n == GDB_PRIV)
        return set_priv(h, value);
    else
        return csr_poke(h, n - GDB_CSR, value);
    return true;
}

static uint64_t get_address_space(const struct cpu *cpu)
{
    return hart_of(cpu)->s.satp;
}

static uint64_t get_privilege(const struct cpu *cpu)
{
    return hart_of(cpu)->s.priv;
}

static uint64_t get_pc(const struct cpu *cpu)
{
    return hart_of(cpu)->s.pc;
}

static const struct cpu_ops riscv_ops = {
    .architecture = "riscv:rv64",
    .fields = &riscv_fields,
    .run = hart_run,
    .reset = reset,
    .set_irq = set_irq,
    .ticks_changed = ticks_changed,
    .runnable = runnable,
    .wake = wake,
    .switched_out = switched_out,
    .valid = valid,
    .restored = restored,
    .translate = hart_translate_debug,
    .mappings = hart_mappings,
    .registers = registers,
    .register_count = sizeof registers / sizeof *registers,
    .get_register = get_register,
    .set_register = set_register,
    .pc = get_pc,
    .address_space = get_address_space,
    .privilege = get_privilege,
    .stack_pointer = 2,
    .link_register = 1,
    .frame_pointer = 8,
    .flow = riscv_flow,
};

/* ---- what the harts share ---- */

static void shared_ram_changed(void *ctx, uint64_t page, unsigned offset, unsigned size)
{
    mmu_page_written(ctx, page, offset, size);
    code_page_written(ctx, page, offset, size);
}

static void shared_drop(void *ctx, unsigned what)
{
    if (what & CPU_DROP_TRANSLATIONS)
        mmu_drop_all(ctx);
    if (what & CPU_DROP_CODE)
        code_drop_all(ctx);
}

static void shared_points_changed(void *ctx, const struct points *old)
{
    code_points_changed(ctx, old);
}

/* Tables with an entry for each page of RAM: given by the host as they are touched. */
static void *page_table(uint64_t pages)
{
    void *p = mmap(NULL, pages * sizeof(void *), PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    check(p != MAP_FAILED, "no address space for %llu pages", (unsigned long long)pages);
    return p;
}

static void hart_free(struct hart *h)
{
    for (unsigned i = 0; i < REGIMES; i++) {
        free(h->read[i].entry);
        free(h->write[i].entry);
    }
    free(h);
}

static void shared_free(void *ctx)
{
    struct riscv_shared *shared = ctx;
    uint64_t pages = shared->m->ram.pages;
    code_drop_all(shared);
    code_reap(shared);
    mmu_drop_all(shared);
    for (unsigned i = 0; i < shared->m->config.cpus; i++)
        hart_free(shared->hart[i]);
    munmap(shared->by_page, pages * sizeof(void *));
    munmap(shared->tables, pages * sizeof(void *));
    free(shared->list);
    free(shared->table_list);
    free(shared);
}

static const struct cpu_shared_ops shared_ops = {
    .ram_changed = shared_ram_changed,
    .drop = shared_drop,
    .points_changed = shared_points_changed,
    .free = shared_free,
};

static struct hart *hart_new(struct machine *m, struct riscv_shared *shared, unsigned index)
{
    struct hart *h = mem_new(1, sizeof *h);
    h->m = m;
    h->shared = shared;
    h->cpu = (struct cpu){&riscv_ops, m, index, &h->s};
    h->timer = clock_timer_add(&m->clock, stimer_expired, h, 0);
    for (unsigned i = 0; i < REGIMES; i++) {
        h->read[i].entry = mem_new(TLB_ENTRIES, sizeof(struct tlb_entry));
        h->write[i].entry = mem_new(TLB_ENTRIES, sizeof(struct tlb_entry));
        h->read[i].fills = h->write[i].fills = TLB_USED + 1;
        h->fetch_used[i] = true;
    }
    hart_flush(h);
    return h;
}

void riscv_add_harts(struct machine *m, uint64_t reset_pc)
{
    struct riscv_shared *shared = mem_new(1, sizeof *shared);
    shared->m = m;
    shared->reset_pc = reset_pc;
    shared->labels = hart_labels();
    shared->by_page = page_table(m->ram.pages);
    shared->tables = page_table(m->ram.pages);
    m->shared = shared;
    m->shared_ops = &shared_ops;
    for (unsigned i = 0; i < m->config.cpus; i++) {
        shared->hart[i] = hart_new(m, shared, i);
        m->cpu[i] = &shared->hart[i]->cpu;
    }
}
