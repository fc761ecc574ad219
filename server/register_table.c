#include "server/register_table.h"

#include <string.h>

static const char *feature_of(const struct cpu_register *reg)
{
    switch (reg->feature) {
    case CPU_FEATURE_CPU:
        return RSP_TDESC_RISCV_CPU;
    case CPU_FEATURE_FPU:
        return RSP_TDESC_RISCV_FPU;
    case CPU_FEATURE_CSR:
        return RSP_TDESC_RISCV_CSR;
    default:
        return RSP_TDESC_RISCV_VIRTUAL;
    }
}

static bool is_one_of(const char *name, const char *const *names)
{
    for (; *names; names++) {
        if (!strcmp(name, *names))
            return true;
    }
    return false;
}

static const char *type_of(const struct cpu_register *reg)
{
    static const char *const code[] = {"pc", "ra", NULL};
    static const char *const data[] = {"sp", "gp", "tp", "fp", NULL};
    if (reg->feature == CPU_FEATURE_FPU && reg->bits == 64)
        return RSP_TYPE_DOUBLE;
    if (reg->feature != CPU_FEATURE_CPU)
        return RSP_TYPE_INT;
    if (is_one_of(reg->name, code))
        return RSP_TYPE_CODE_PTR;
    return is_one_of(reg->name, data) ? RSP_TYPE_DATA_PTR : RSP_TYPE_INT;
}

struct rsp_register register_described(const struct cpu_register *reg)
{
    return (struct rsp_register){.name = reg->name,
                                 .bits = reg->bits,
                                 .number = reg->number,
                                 .feature = feature_of(reg),
                                 .type = type_of(reg)};
}
