#include "cli/disassemble.h"

#include "base/endian.h"

#include <criterion/criterion.h>

static struct row {
    uint32_t insn;
    unsigned size;
    const char *text;
} rows[] = {
    {0x00b50533, 4, "add a0, a0, a1"},
    {0xff5ff06f, 4, "j 0x800000f4"},
    {0x0000bfd5, 2, "c.j 0x800000f4"},
    {0x00c5c463, 4, "blt a1, a2, 0x80000108"},
    {0x02b57553, 4, "fadd.d fa0, fa0, fa1"},
    {0x10500073, 4, "wfi"},
    {0x287b5513, 4, ".insn 4, 0x287b5513"}, /* orc.b: newer than capstone */
    {0xffffffff, 4, ".insn 4, 0xffffffff"},
    {0x00006081, 2, ".insn 2, 0x6081"}, /* reserved, which capstone does not see */
    {0x00000000, 2, ".insn 2, 0"},
};

Test(disassemble, known_and_unknown)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t bytes[4];
        struct buffer out;
        buffer_init(&out);
        store_le32(bytes, rows[i].insn);
        cr_assert_eq(disassemble_one(bytes, 4, 0x80000100, &out), rows[i].size);
        cr_assert_str_eq(buffer_text(&out), rows[i].text);
        buffer_fini(&out);
    }
}

Test(disassemble, needs_the_whole_instruction)
{
    const uint8_t add[] = {0x33, 0x05, 0xb5, 0x00};
    struct buffer out;
    buffer_init(&out);
    for (size_t size = 0; size < 4; size++)
        cr_assert_eq(disassemble_one(add, size, 0, &out), 0);
    cr_assert_eq(out.size, 0);
    buffer_fini(&out);
}

/* No 16 bits crash it or are longer than they are. */
Test(disassemble, every_half)
{
    struct buffer out;
    buffer_init(&out);
    for (uint32_t half = 0; half < 0x10000; half++) {
        uint8_t bytes[4];
        buffer_clear(&out);
        store_le32(bytes, half | 0x00b50000);
        cr_assert_eq(disassemble_one(bytes, 4, 0, &out), (half & 3) == 3 ? 4 : 2);
        cr_assert_gt(out.size, 0);
    }
    buffer_fini(&out);
}
