/* Where instructions lead, for cpu_ops.flow. */
#ifndef MACHINE_RISCV_FLOW_H
#define MACHINE_RISCV_FLOW_H

#include "machine/cpu.h"

/* cpu_ops.flow. Calls and returns are told by the link registers x1 and x5, as the unprivileged
 * spec has it for return-address prediction (JALR, 2.5.1). */
void riscv_flow(const uint8_t bytes[4], struct cpu_flow *flow);

#endif
