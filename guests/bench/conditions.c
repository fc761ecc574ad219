/* A function that is called every hundred instructions, each time with the next number. */
#include "guests/bench/bench.h"

enum { CALLS = 10000, ROUNDS = 18 };

__attribute__((noinline, noclone)) static uint64_t called(uint64_t x)
{
    return x ^ x >> 7;
}

int main(void)
{
    uint64_t x = 0, state = 1;
    for (;;) {
        for (unsigned i = 0; i < CALLS; i++) {
            state += called(x++);
            for (unsigned k = 0; k < ROUNDS; k++)
                state = state * 6364136223846793005u + (state >> 33);
            keep(state);
        }
        tick();
    }
}
