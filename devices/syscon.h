/* SiFive's test finisher, which `virt` boards use as power switch: no state. */
#ifndef DEVICES_SYSCON_H
#define DEVICES_SYSCON_H

#include "machine/machine.h"

/* Values of its one register, in the low 16 bits; the exit status is in the high 16. */
enum { SYSCON_FAIL = 0x3333, SYSCON_POWER_OFF = 0x5555, SYSCON_RESET = 0x7777 };

void syscon_init(struct machine *m, uint64_t base, uint64_t size);

#endif
