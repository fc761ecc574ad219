#include "base/spill.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void fill(uint8_t *piece, unsigned seed)
{
    for (size_t i = 0; i < SPILL_PIECE; i++)
        piece[i] = (uint8_t)((i * 7 + seed) >> 3);
}

static bool filled(const uint8_t *piece, unsigned seed)
{
    for (size_t i = 0; i < SPILL_PIECE; i++)
        if (piece[i] != (uint8_t)((i * 7 + seed) >> 3))
            return false;
    return true;
}

Test(spill, pieces_keep_what_is_written)
{
    enum { PIECES = 9 };
    struct spill *s = spill_new();
    uint8_t *piece[PIECES];
    cr_assert_eq(spill_bytes(s), 0);
    for (unsigned i = 0; i < PIECES; i++) {
        piece[i] = spill_take(s);
        cr_assert_not_null(piece[i], "%s", spill_failure(s));
        cr_assert_eq((uintptr_t)piece[i] % SPILL_PIECE, 0);
        cr_assert(piece[i][0] == 0 && !memcmp(piece[i], piece[i] + 1, SPILL_PIECE - 1));
        fill(piece[i], i);
        spill_rest(piece[i]);
    }
    cr_assert_eq(spill_bytes(s), PIECES * (size_t)SPILL_PIECE);
    for (unsigned i = 0; i < PIECES; i++)
        cr_assert(filled(piece[i], i), "piece %u", i);
    spill_free(s);
}

Test(spill, a_place_is_used_again_and_is_zero_again)
{
    struct spill *s = spill_new();
    uint8_t *kept = spill_take(s), *given = spill_take(s), *last = spill_take(s);
    fill(kept, 1);
    fill(given, 2);
    fill(last, 3);
    spill_give(s, given);
    cr_assert_eq(spill_bytes(s), 2 * (size_t)SPILL_PIECE);
    uint8_t *again = spill_take(s);
    cr_assert(again[0] == 0 && !memcmp(again, again + 1, SPILL_PIECE - 1));
    fill(again, 4);
    cr_assert(filled(kept, 1) && filled(last, 3) && filled(again, 4));
    spill_free(s);
}

Test(spill, says_why_there_is_no_room)
{
    setenv("TMPDIR", "/nonexistent/folder", 1);
    struct spill *s = spill_new();
    cr_assert_null(spill_failure(s));
    cr_assert_null(spill_take(s));
    cr_assert_not_null(strstr(spill_failure(s), "/nonexistent/folder"));
    setenv("TMPDIR", "/var/tmp", 1);
    cr_assert_not_null(spill_take(s));
    cr_assert_null(spill_failure(s));
    spill_free(s);
}

Test(spill, an_area_of_any_size_in_a_file_or_in_memory)
{
    enum { SIZE = 3 * SPILL_PIECE + 4711 };
    for (int in_memory = 0; in_memory < 2; in_memory++) {
        setenv("TMPDIR", in_memory ? "/nonexistent/folder" : "/var/tmp", 1);
        uint8_t *area = spill_area_new(SIZE);
        cr_assert_not_null(area);
        cr_assert(area[0] == 0 && !memcmp(area, area + 1, SIZE - 1));
        memset(area, 0x5a, SIZE);
        spill_area_rest(area, SIZE);
        cr_assert(area[0] == 0x5a && !memcmp(area, area + 1, SIZE - 1));
        spill_area_free(area, SIZE);
    }
}
