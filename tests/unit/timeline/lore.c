#include "tests/unit/timeline/lore.h"

#include "base/check.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static uint64_t clock_now(void *ctx)
{
    return bench_clock(ctx);
}

static void ignore_output(void *ctx, unsigned channel, const uint8_t *bytes, size_t size)
{
    (void)ctx;
    (void)channel;
    (void)bytes;
    (void)size;
}

const struct door_ops lore_door = {.host_clock = clock_now, .output = ignore_output};

void lore_locate(const struct machine *m, const struct step *s, const struct access *a,
                 struct seen_access *seen)
{
    const struct cpu *cpu = m->cpu[s->hart];
    enum cpu_access how = a->kinds & HIT_WRITE ? CPU_WRITE : CPU_READ;
    uint64_t second = (a->address | (RAM_PAGE_SIZE - 1)) + 1;
    *seen = (struct seen_access){.ram = a->size <= VALUE_MOST};
    if (!seen->ram || !cpu->ops->translate(cpu, a->address, how, &seen->pa[0]))
        seen->ram = false;
    else if (second - a->address < a->size && !cpu->ops->translate(cpu, second, how, &seen->pa[1]))
        seen->ram = false;
    seen->ram = seen->ram && ram_contains(&m->ram, seen->pa[0], 1);
}

static void look(const struct machine *m, const struct access *a, const struct seen_access *seen,
                 uint8_t *bytes)
{
    unsigned room = RAM_PAGE_SIZE - (a->address & (RAM_PAGE_SIZE - 1));
    unsigned first = a->size < room ? a->size : room;
    cr_assert(machine_peek(m, seen->pa[0], bytes, first));
    if (first < a->size)
        cr_assert(machine_peek(m, seen->pa[1], bytes + first, a->size - first));
}

void lore_step(struct machine *m, uint64_t n)
{
    while (machine_run(m, n + 1) == MACHINE_IDLE)
        machine_idle_until(m, machine_next_deadline(m));
    cr_assert_eq(machine_position(m), n + 1);
}

void lore_record(struct lore *l, const struct trace *t)
{
    struct riscv_virt *board = guest_new(t->guest);
    struct machine *m = riscv_virt_machine(board);
    *l = (struct lore){.t = t,
                       .x = mem_new(t->steps + 1, sizeof *l->x),
                       .space = mem_new(t->steps + 1, sizeof *l->space),
                       .access = mem_new(t->accesses + 1, sizeof *l->access)};
    m->door = (struct door){&lore_door, m};
    for (uint64_t n = 0; n < t->steps; n++) {
        const struct step *s = &t->step[n];
        const struct cpu *cpu = m->cpu[s->hart];
        for (unsigned r = 0; r < 32; r++)
            l->x[n][r] = cpu->ops->get_register(cpu, r);
        l->space[n] = cpu->ops->address_space(cpu);
        for (size_t i = s->first_access; i < s[1].first_access; i++) {
            lore_locate(m, s, &t->access[i], &l->access[i]);
            if (l->access[i].ram)
                look(m, &t->access[i], &l->access[i], l->access[i].before);
        }
        lore_step(m, n);
        for (size_t i = s->first_access; i < s[1].first_access; i++)
            if (l->access[i].ram)
                look(m, &t->access[i], &l->access[i], l->access[i].after);
    }
    riscv_virt_free(board);
}

void lore_free(struct lore *l)
{
    free(l->x);
    free(l->space);
    free(l->access);
}
