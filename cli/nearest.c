#include "cli/nearest.h"

#include <string.h>

enum { LONGEST = 31 };

static unsigned smaller(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* The optimal string alignment distance. */
unsigned nearest_distance(const char *a, const char *b)
{
    unsigned d[LONGEST + 1][LONGEST + 1];
    size_t n = strlen(a), m = strlen(b);
    if (n > LONGEST || m > LONGEST)
        return LONGEST;
    for (size_t i = 0; i <= n; i++)
        d[i][0] = (unsigned)i;
    for (size_t j = 0; j <= m; j++)
        d[0][j] = (unsigned)j;
    for (size_t i = 1; i <= n; i++) {
        for (size_t j = 1; j <= m; j++) {
            unsigned change = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            d[i][j] = smaller(change, smaller(d[i - 1][j], d[i][j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                d[i][j] = smaller(d[i][j], d[i - 2][j - 2] + 1);
        }
    }
    return d[n][m];
}

const char *nearest(const char *word, const void *base, size_t stride, size_t count)
{
    /* A third of the letters may be wrong, one in any word of more than one letter. */
    unsigned least = (unsigned)strlen(word) / 3 + (strlen(word) > 1) + 1;
    const char *found = NULL;
    for (size_t i = 0; i < count; i++) {
        const char *name;
        memcpy(&name, (const char *)base + i * stride, sizeof name);
        unsigned distance = name ? nearest_distance(word, name) : least;
        if (distance < least && distance < strlen(name)) {
            least = distance;
            found = name;
        }
    }
    return found;
}
