#include "machine/cpu.h"

#include <string.h>

const struct cpu_register *cpu_register_named(const struct cpu *cpu, const char *name)
{
    for (size_t i = 0; i < cpu->ops->register_count; i++)
        if (!strcmp(cpu->ops->registers[i].name, name))
            return &cpu->ops->registers[i];
    return NULL;
}

const struct cpu_register *cpu_register_numbered(const struct cpu *cpu, unsigned number)
{
    for (size_t i = 0; i < cpu->ops->register_count; i++)
        if (cpu->ops->registers[i].number == number)
            return &cpu->ops->registers[i];
    return NULL;
}

uint64_t cpu_register_value(const struct cpu *cpu, const char *name)
{
    const struct cpu_register *reg = cpu_register_named(cpu, name);
    return reg ? cpu->ops->get_register(cpu, reg->number) : 0;
}

uint64_t cpu_privilege(const struct cpu *cpu)
{
    return cpu->ops->privilege ? cpu->ops->privilege(cpu) : 1;
}

bool cpu_look(const struct cpu *cpu, uint64_t va, uint64_t *pa)
{
    return cpu->ops->translate(cpu, va, CPU_READ, pa) ||
           cpu->ops->translate(cpu, va, CPU_FETCH, pa);
}
