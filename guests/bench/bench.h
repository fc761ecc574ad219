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

#endif
