#include "guests/demo/image.h"

#include <stddef.h>

enum { SLICE = 64 }; /* bytes, far below a tick's time */

extern const uint8_t image_start[], image_end[];

static struct {
    size_t offset;
    uint32_t crc;
    uint32_t reference;
    uint32_t passes;
    bool damaged;
} check = {.crc = 0xffffffff};

static uint32_t crc32_byte(uint32_t crc, uint8_t byte)
{
    crc ^= byte;
    for (int bit = 0; bit < 8; bit++)
        crc = crc & 1 ? crc >> 1 ^ 0xedb88320 : crc >> 1;
    return crc;
}

static void end_of_pass(void)
{
    if (check.passes++ == 0)
        check.reference = check.crc;
    else if (check.crc != check.reference)
        check.damaged = true;
    check.offset = 0;
    check.crc = 0xffffffff;
}

void image_check(uint32_t now)
{
    (void)now;
    size_t size = (size_t)(image_end - image_start);
    for (unsigned i = 0; i < SLICE && check.offset < size; i++)
        check.crc = crc32_byte(check.crc, image_start[check.offset++]);
    if (check.offset == size)
        end_of_pass();
}

bool image_intact(void)
{
    return !check.damaged;
}
