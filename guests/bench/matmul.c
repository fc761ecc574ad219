/* The product of two matrices of doubles, over and over. */
#include "guests/bench/bench.h"

enum { SIZE = 64 };

static double a[SIZE][SIZE], b[SIZE][SIZE], c[SIZE][SIZE];

static void multiply(void)
{
    for (unsigned i = 0; i < SIZE; i++) {
        for (unsigned j = 0; j < SIZE; j++) {
            double sum = 0;
            for (unsigned k = 0; k < SIZE; k++)
                sum = __builtin_fma(a[i][k], b[k][j], sum);
            c[i][j] = sum;
        }
    }
}

int main(void)
{
    for (unsigned i = 0; i < SIZE; i++) {
        for (unsigned j = 0; j < SIZE; j++) {
            a[i][j] = 1.0 / (i + j + 1);
            b[i][j] = (double)i - 0.5 * j;
        }
    }
    for (;;) {
        multiply();
        keep((uint64_t)c[SIZE - 1][SIZE - 1]);
        tick();
        /* The next round's input depends on this round's result, and stays bounded. */
        a[0][0] = 1.0 + c[0][0] * 0x1p-20;
    }
}
