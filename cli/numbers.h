/* Numbers as people write them. */
#ifndef CLI_NUMBERS_H
#define CLI_NUMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A whole number that fits 64 bits: 1500000, 1,500,000 or 1_500_000 (groups of three), 1.5e6, or
 * 0x16e360. The whole of `text` has to be one. */
bool number_parse(const char *text, uint64_t *value);
/* Bytes: a decimal number with K, M, G or T behind it (powers of 1024, either case, an optional B
 * or iB after it); without one it counts units of `unit` bytes. */
bool number_parse_size(const char *text, uint64_t unit, uint64_t *bytes);
/* "1,500,000" */
enum { NUMBER_TEXT = 32 };
void number_format(uint64_t value, char text[NUMBER_TEXT]);
/* "1.5 MiB", for people. */
void number_format_size(uint64_t bytes, char text[NUMBER_TEXT]);

#endif
