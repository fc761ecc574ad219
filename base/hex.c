#include "base/hex.h"

int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

void hex_append(struct buffer *out, const void *bytes, size_t count)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *in = bytes;
    uint8_t *text = buffer_extend(out, count * 2);
    for (size_t i = 0; i < count; i++) {
        text[2 * i] = (uint8_t)digits[in[i] >> 4];
        text[2 * i + 1] = (uint8_t)digits[in[i] & 15];
    }
}

bool hex_decode(const char *text, size_t digits, uint8_t *out)
{
    if (digits % 2)
        return false;
    for (size_t i = 0; i < digits; i += 2) {
        int high = hex_digit(text[i]), low = hex_digit(text[i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i / 2] = (uint8_t)(high << 4 | low);
    }
    return true;
}

bool hex_number(const char **text, const char *end, uint64_t *value)
{
    const char *p = *text;
    uint64_t v = 0;
    while (p < end && hex_digit(*p) >= 0) {
        if (v >> 60)
            return false;
        v = v << 4 | (uint64_t)hex_digit(*p++);
    }
    if (p == *text)
        return false;
    *text = p;
    *value = v;
    return true;
}
