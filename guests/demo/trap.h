/* Traps: the timer interrupt, and everything else is the end. */
#ifndef DEMO_TRAP_H
#define DEMO_TRAP_H

#include <stdint.h>

/* As start.S lays it out: mepc in the place of x0, then x1 to x31. */
struct trap_frame {
    uint64_t mepc;
    uint64_t x[31];
};

void trap(struct trap_frame *frame);
/* Reports the trap and powers off with a failure. */
void panic(const struct trap_frame *frame, uint64_t mcause, uint64_t mtval)
    __attribute__((noreturn));

#endif
