#include "base/buffer.h"

#include "base/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buffer_init(struct buffer *b)
{
    memset(b, 0, sizeof *b);
}

void buffer_fini(struct buffer *b)
{
    free(b->data);
    buffer_init(b);
}

void buffer_clear(struct buffer *b)
{
    b->size = 0;
}

void buffer_reserve(struct buffer *b, size_t more)
{
    check(more <= SIZE_MAX / 2 - b->size, "buffer of %zu grows by %zu", b->size, more);
    size_t need = b->size + more;
    if (need <= b->capacity)
        return;
    size_t capacity = b->capacity ? b->capacity : 64;
    while (capacity < need)
        capacity *= 2;
    b->data = mem_grow(b->data, capacity, 1);
    b->capacity = capacity;
}

uint8_t *buffer_extend(struct buffer *b, size_t count)
{
    buffer_reserve(b, count);
    uint8_t *start = b->data ? b->data + b->size : NULL;
    b->size += count;
    return start;
}

void buffer_append(struct buffer *b, const void *bytes, size_t count)
{
    if (count)
        memcpy(buffer_extend(b, count), bytes, count);
}

void buffer_append_byte(struct buffer *b, uint8_t byte)
{
    buffer_append(b, &byte, 1);
}

void buffer_append_string(struct buffer *b, const char *string)
{
    buffer_append(b, string, strlen(string));
}

void buffer_printf(struct buffer *b, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    check(n >= 0, "format %s", format);
    buffer_reserve(b, (size_t)n + 1);
    vsnprintf((char *)b->data + b->size, (size_t)n + 1, format, again);
    va_end(again);
    b->size += (size_t)n;
}

void buffer_consume(struct buffer *b, size_t count)
{
    check(count <= b->size, "consume %zu of %zu", count, b->size);
    b->size -= count;
    if (b->size)
        memmove(b->data, b->data + count, b->size);
}

const char *buffer_text(struct buffer *b)
{
    buffer_reserve(b, 1);
    b->data[b->size] = 0;
    return (const char *)b->data;
}
