/* Invariants of our own, checked in every build. A failing check prints the condition, the values
 * given, and aborts: state that is known to be wrong is worth less than a core dump. */
#ifndef BASE_CHECK_H
#define BASE_CHECK_H

#include <stddef.h>

#define check(condition, ...)                                                                      \
    ((condition) ? (void)0 : check_failed(__FILE__, __LINE__, #condition, __VA_ARGS__))

void check_failed(const char *file, int line, const char *condition, const char *format, ...)
    __attribute__((noreturn, format(printf, 4, 5)));

/* Memory for bookkeeping whose size no outside input decides; never NULL, zeroed. Sizes that come
 * from options or files are allocated with calloc and an error. */
void *mem_new(size_t count, size_t size);
/* Like realloc; the new part is not zeroed; never NULL. */
void *mem_grow(void *memory, size_t count, size_t size);

#endif
