/* Adds, exclusive-ors, shifts and multiplications in registers. */
#include "guests/bench/bench.h"

enum { ROUNDS = 100000 };

int main(void)
{
    uint64_t a = 0x9e3779b97f4a7c15, b = 1, c = 0;
    for (;;) {
        for (unsigned i = 0; i < ROUNDS; i++) {
            a ^= a << 13;
            a ^= a >> 7;
            a ^= a << 17;
            b = b * 6364136223846793005u + a;
            c += (b >> 33) ^ (a & 0xffff);
            c = (c << 5 | c >> 59) - i;
        }
        keep(a ^ b ^ c);
    }
}
