#include "base/check.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

void check_failed(const char *file, int line, const char *condition, const char *format, ...)
{
    fprintf(stderr, "backstep: %s:%d: check failed: %s: ", file, line, condition);
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    abort();
}

void *mem_new(size_t count, size_t size)
{
    void *memory = calloc(count ? count : 1, size ? size : 1);
    check(memory, "out of memory for %zu x %zu bytes", count, size);
    return memory;
}

void *mem_grow(void *memory, size_t count, size_t size)
{
    check(size == 0 || count <= SIZE_MAX / size, "size overflow: %zu x %zu", count, size);
    void *grown = realloc(memory, count && size ? count * size : 1);
    check(grown, "out of memory for %zu x %zu bytes", count, size);
    return grown;
}
