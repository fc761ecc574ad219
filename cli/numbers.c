#include "cli/numbers.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static bool add_digit(uint64_t *value, unsigned base, unsigned digit)
{
    return !__builtin_mul_overflow(*value, base, value) &&
           !__builtin_add_overflow(*value, digit, value);
}

static bool parse_hex(const char *text, uint64_t *value)
{
    if (!*text)
        return false;
    for (; *text; text++) {
        unsigned c = (unsigned char)*text;
        if (!isxdigit((int)c))
            return false;
        if (!add_digit(value, 16, isdigit((int)c) ? c - '0' : (c | 32) - 'a' + 10))
            return false;
    }
    return true;
}

static bool is_separator(char c)
{
    return c == ',' || c == '_';
}

/* Digits, in groups of three if there are separators; advances *text past them. */
static bool parse_digits(const char **text, uint64_t *value)
{
    unsigned group = 0, groups = 0;
    const char *p = *text;
    for (;; p++) {
        if (is_separator(*p)) {
            if (!group || group > 3 || (groups && group != 3))
                return false;
            groups++;
            group = 0;
        } else if (isdigit((unsigned char)*p)) {
            group++;
            if (!add_digit(value, 10, (unsigned)(*p - '0')))
                return false;
        } else {
            break;
        }
    }
    *text = p;
    return group && (!groups || group == 3);
}

/* The digits behind the point go to *value, their count to *count; zeroes at the end are left out,
 * so that 1.50e1 is whole. */
static bool parse_fraction(const char **text, uint64_t *value, unsigned *count)
{
    size_t digits = strspn(*text, "0123456789"), used = digits;
    while (used && (*text)[used - 1] == '0')
        used--;
    for (size_t i = 0; i < used; i++)
        if (!add_digit(value, 10, (unsigned)((*text)[i] - '0')))
            return false;
    *text += digits;
    *count = (unsigned)used;
    return digits > 0;
}

/* The power of ten behind an e, and the end of the text. */
static bool parse_exponent(const char *text, unsigned *exponent)
{
    uint64_t value = 0;
    *exponent = 0;
    if (!*text)
        return true;
    if (*text != 'e' && *text != 'E')
        return false;
    text++;
    text += *text == '+';
    if (!isdigit((unsigned char)*text))
        return false;
    for (; isdigit((unsigned char)*text); text++)
        if (!add_digit(&value, 10, (unsigned)(*text - '0')) || value > 19)
            return false;
    *exponent = (unsigned)value;
    return !*text;
}

bool number_parse(const char *text, uint64_t *value)
{
    unsigned behind = 0, exponent;
    *value = 0;
    if (text[0] == '0' && (text[1] | 32) == 'x')
        return parse_hex(text + 2, value);
    if (!parse_digits(&text, value))
        return false;
    if (*text == '.') {
        text++;
        if (!parse_fraction(&text, value, &behind))
            return false;
    }
    if (!parse_exponent(text, &exponent) || exponent < behind)
        return false;
    for (; exponent > behind; exponent--)
        if (!add_digit(value, 10, 0))
            return false;
    return true;
}

bool number_parse_size(const char *text, uint64_t unit, uint64_t *bytes)
{
    static const char suffixes[] = "KMGT";
    *bytes = 0;
    if (!isdigit((unsigned char)*text))
        return false;
    for (; isdigit((unsigned char)*text); text++)
        if (!add_digit(bytes, 10, (unsigned)(*text - '0')))
            return false;
    if (*text) {
        const char *suffix = strchr(suffixes, toupper((unsigned char)*text));
        if (!suffix)
            return false;
        unit = UINT64_C(1) << 10 * (suffix - suffixes + 1);
        text++;
        if (*text && strcasecmp(text, "b") != 0 && strcasecmp(text, "ib") != 0)
            return false;
    }
    return !__builtin_mul_overflow(*bytes, unit, bytes);
}

void number_format(uint64_t value, char text[NUMBER_TEXT])
{
    char digits[NUMBER_TEXT];
    size_t count = (size_t)snprintf(digits, sizeof digits, "%" PRIu64, value), out = 0;
    for (size_t i = 0; i < count; i++) {
        if (i && (count - i) % 3 == 0)
            text[out++] = ',';
        text[out++] = digits[i];
    }
    text[out] = '\0';
}

void number_format_size(uint64_t bytes, char text[NUMBER_TEXT])
{
    static const char *const unit[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
    unsigned which = 0;
    double value = (double)bytes;
    for (; value >= 1024 && which + 1 < sizeof unit / sizeof *unit; which++)
        value /= 1024;
    snprintf(text, NUMBER_TEXT, which ? "%.1f %s" : "%.0f %s", value, unit[which]);
}
