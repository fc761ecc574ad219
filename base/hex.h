/* Hexadecimal text and bytes. */
#ifndef BASE_HEX_H
#define BASE_HEX_H

#include "base/buffer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 0 to 15, or -1 for a character that is no hex digit. Both cases are taken. */
int hex_digit(char c);
/* Append two lower-case digits a byte. */
void hex_append(struct buffer *out, const void *bytes, size_t count);
/* Decode `digits` characters (an even number) into out[digits / 2]; false on anything else. */
bool hex_decode(const char *text, size_t digits, uint8_t *out);
/* A hex number of 1 to 16 digits at *text, which is advanced past it; false when there is none or
 * it does not fit 64 bits. `end` bounds the text. */
bool hex_number(const char **text, const char *end, uint64_t *value);

#endif
