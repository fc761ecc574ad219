#include "guests/demo/uart.h"

#include "guests/demo/board.h"

enum { THR = 0, IER = 1, FCR = 2, LCR = 3, LSR = 5 };
enum { LCR_8N1 = 0x03, FCR_ENABLE = 0x01, LSR_THRE = 0x20 };

void uart_init(void)
{
    *reg8(UART_BASE + IER) = 0;
    *reg8(UART_BASE + LCR) = LCR_8N1;
    *reg8(UART_BASE + FCR) = FCR_ENABLE;
}

static void put(char c)
{
    while (!(*reg8(UART_BASE + LSR) & LSR_THRE))
        ;
    *reg8(UART_BASE + THR) = (uint8_t)c;
}

void uart_text(const char *text)
{
    for (; *text; text++) {
        if (*text == '\n')
            put('\r');
        put(*text);
    }
}

void uart_number(uint32_t value, unsigned width)
{
    char digits[10];
    unsigned count = 0;
    do {
        digits[count++] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    for (; width > count; width--)
        put(' ');
    while (count)
        put(digits[--count]);
}

void uart_fixed(int32_t value, unsigned digits)
{
    uint32_t scale = 1;
    for (unsigned i = 0; i < digits; i++)
        scale *= 10;
    uint32_t magnitude = value < 0 ? -(uint32_t)value : (uint32_t)value;
    if (value < 0)
        put('-');
    uart_number(magnitude / scale, 1);
    put('.');
    uint32_t rest = magnitude % scale;
    while (scale > 1) {
        scale /= 10;
        put((char)('0' + rest / scale % 10));
    }
}

void uart_hex(uint64_t value)
{
    uart_text("0x");
    for (int shift = 60; shift >= 0; shift -= 4)
        put("0123456789abcdef"[value >> shift & 15]);
}
