/* What somebody may have meant who typed a word that is not known. */
#ifndef CLI_NEAREST_H
#define CLI_NEAREST_H

#include <stddef.h>

/* Letters to insert, delete, change or swap with a neighbour to make one word of the other. */
unsigned nearest_distance(const char *a, const char *b);

/* The candidate that `word` is most likely a misspelling of, NULL when none is near. The name of
 * candidate i is at base + i * stride (a `const char *`); NULL names are passed over. */
const char *nearest(const char *word, const void *base, size_t stride, size_t count);

#endif
