/* Recursive calls. */
#include "guests/bench/bench.h"

enum { DEPTH = 24 };

__attribute__((noinline, noclone)) static uint64_t fib(uint64_t n)
{
    return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

int main(void)
{
    for (;;) {
        keep(fib(DEPTH));
        tick();
    }
}
