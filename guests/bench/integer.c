/* Integer arithmetic in registers, with a branch on the data in each round of the loop: draws from
 * a generator are summed up, and one in 32 is folded in another way. */
#include "guests/bench/bench.h"

enum { DRAWS = 100000 };

int main(void)
{
    uint64_t state = 0x9e3779b97f4a7c15, sum = 0;
    for (;;) {
        for (unsigned i = 0; i < DRAWS; i++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            uint64_t draw = (state ^ state >> 29) >> 32;
            if (draw >= 0xf8000000)
                sum ^= state;
            else
                sum = (sum << 3) - draw;
        }
        keep(sum);
        tick();
    }
}
