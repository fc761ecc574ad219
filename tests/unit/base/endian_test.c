#include "base/endian.h"

#include <criterion/criterion.h>

static const uint8_t bytes[] = {0xff, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0xee};

Test(endian, loads_at_any_alignment)
{
    cr_assert_eq(load_le16(bytes + 1), 0x2211);
    cr_assert_eq(load_le32(bytes + 1), 0x44332211);
    cr_assert_eq(load_le64(bytes + 1), 0x8877665544332211);
}

Test(endian, partial_loads_extend_with_zeroes)
{
    static const uint64_t expected[] = {0,
                                        0x11,
                                        0x2211,
                                        0x332211,
                                        0x44332211,
                                        0x5544332211,
                                        0x665544332211,
                                        0x77665544332211,
                                        0x8877665544332211};
    for (unsigned size = 0; size <= 8; size++)
        cr_assert_eq(load_le(bytes + 1, size), expected[size], "%u bytes", size);
}

Test(endian, stores_write_their_bytes_only)
{
    for (unsigned size = 0; size <= 8; size++) {
        uint8_t to[10];
        memset(to, 0xa5, sizeof to);
        store_le(to + 1, 0x8877665544332211, size);
        for (unsigned i = 0; i < sizeof to; i++)
            cr_assert_eq(to[i], i >= 1 && i <= size ? bytes[i] : 0xa5, "%u bytes, at %u", size, i);
    }
    uint8_t to[10] = {0};
    store_le16(to + 1, 0x2211);
    cr_assert_eq(load_le64(to + 1), 0x2211);
    store_le32(to + 1, 0x44332211);
    cr_assert_eq(load_le64(to + 1), 0x44332211);
    store_le64(to + 1, 0x8877665544332211);
    cr_assert_arr_eq(to + 1, bytes + 1, 8);
    cr_assert_eq(to[0] | to[9], 0);
}
