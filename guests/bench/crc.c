/* CRC-32 of a buffer, bit by bit with a branch for each bit, then by table. */
#include "guests/bench/bench.h"

enum { BITWISE_BYTES = 4096, TABLE_BYTES = 32768 };

static const uint32_t polynomial = 0xedb88320;
static uint8_t buffer[TABLE_BYTES];
static uint32_t table[256];

static uint32_t crc_bits(uint32_t crc, unsigned bits)
{
    for (unsigned i = 0; i < bits; i++) {
        uint32_t low = crc & 1;
        crc >>= 1;
        /* Opaque, or the branch becomes arithmetic. */
        __asm__("" : "+r"(crc));
        if (low)
            crc ^= polynomial;
    }
    return crc;
}

static uint32_t crc_bitwise(const uint8_t *data, size_t size)
{
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; i < size; i++)
        crc = crc_bits(crc ^ data[i], 8);
    return ~crc;
}

static uint32_t crc_table(const uint8_t *data, size_t size)
{
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; i < size; i++)
        crc = crc >> 8 ^ table[(crc ^ data[i]) & 0xff];
    return ~crc;
}

int main(void)
{
    uint32_t state = 1;
    for (size_t i = 0; i < TABLE_BYTES; i++) {
        state = state * 1664525 + 1013904223;
        buffer[i] = (uint8_t)(state >> 24);
    }
    for (uint32_t i = 0; i < 256; i++)
        table[i] = crc_bits(i, 8);
    for (size_t round = 0;; round++) {
        buffer[round % TABLE_BYTES]++;
        keep(crc_bitwise(buffer, BITWISE_BYTES) ^ crc_table(buffer, TABLE_BYTES));
        tick();
    }
}
