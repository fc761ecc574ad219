/* A growable run of bytes. */
#ifndef BASE_BUFFER_H
#define BASE_BUFFER_H

#include <stddef.h>
#include <stdint.h>

/* All zero is an empty buffer. `data` is not NUL-terminated except after buffer_text. */
struct buffer {
    uint8_t *data;
    size_t size;     /* bytes in use */
    size_t capacity; /* bytes allocated */
};

void buffer_init(struct buffer *b);
void buffer_fini(struct buffer *b);
/* Forget the contents, keep the memory. */
void buffer_clear(struct buffer *b);
/* Room for `more` further bytes. */
void buffer_reserve(struct buffer *b, size_t more);
/* Append `count` bytes for the caller to fill; the pointer holds until the next append. */
uint8_t *buffer_extend(struct buffer *b, size_t count);
void buffer_append(struct buffer *b, const void *bytes, size_t count);
void buffer_append_byte(struct buffer *b, uint8_t byte);
void buffer_append_string(struct buffer *b, const char *string);
void buffer_printf(struct buffer *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Remove `count` bytes from the front. Cost: the bytes that stay. */
void buffer_consume(struct buffer *b, size_t count);
/* The contents as a C string, good until the next change. */
const char *buffer_text(struct buffer *b);

#endif
