/* A processor's registers as gdb is told of them. */
#ifndef SERVER_REGISTER_TABLE_H
#define SERVER_REGISTER_TABLE_H

#include "machine/cpu.h"
#include "rsp/tdesc.h"

struct rsp_register register_described(const struct cpu_register *reg);

#endif
