/* Polled output on the 16550. */
#ifndef DEMO_UART_H
#define DEMO_UART_H

#include <stdint.h>

void uart_init(void);
void uart_text(const char *text);
/* Decimal, filled with blanks on the left to `width` characters. */
void uart_number(uint32_t value, unsigned width);
/* value / 10^digits with `digits` (at least 1) digits behind the point. */
void uart_fixed(int32_t value, unsigned digits);
/* 0x and sixteen digits. */
void uart_hex(uint64_t value);

#endif
