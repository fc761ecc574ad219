/* What the speed guests share. Each runs without end after a set-up of less than ten million
 * instructions; the harness decides by position when it has seen enough. */
#ifndef GUESTS_BENCH_H
#define GUESTS_BENCH_H

#include <stddef.h>
#include <stdint.h>

int main(void) __attribute__((noreturn));

/* Keeps the compiler from dropping the work that made `value`. */
static inline void keep(uint64_t value)
{
    __asm__ volatile("" ::"r"(value) : "memory");
}

/* CLINT registers of the `virt` board; mtime counts at 10 MHz. */
#define BENCH_MTIMECMP ((volatile uint64_t *)0x2004000)
#define BENCH_MTIME ((const volatile uint64_t *)0x200bff8)

/* To be called once a round of about a million instructions: keeps a timer deadline at most 5 ms
 * ahead, as a system's tick does, with the interrupt itself masked. QEMU's -icount looks at its
 * control socket only at deadlines, and without any that is once in 2^31 instructions. */
static inline void tick(void)
{
    uint64_t now = *BENCH_MTIME;
    if (*BENCH_MTIMECMP - now - 1 >= 50000)
        *BENCH_MTIMECMP = now + 50000;
}

#endif
