#include "base/hash.h"

#include <criterion/criterion.h>
#include <string.h>

/* Digests are kept in recordings: these values never change. The first is XXH3's published one for
 * no bytes. */
Test(hash, values_are_stable)
{
    cr_assert_eq(hash_bytes("", 0, 0), 0x2d06800538d394c2);
    cr_assert_eq(hash_bytes(NULL, 0, 0), 0x2d06800538d394c2);
    cr_assert_eq(hash_mix(0), 0);
}

Test(hash, every_bit_and_the_length_and_the_seed_count)
{
    uint8_t bytes[300] = {0};
    for (size_t size = 1; size <= sizeof bytes; size += 13) {
        uint64_t whole = hash_bytes(bytes, size, 0);
        cr_assert_neq(hash_bytes(bytes, size - 1, 0), whole);
        cr_assert_neq(hash_bytes(bytes, size, 1), whole);
        for (size_t bit = 0; bit < size * 8; bit++) {
            bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
            cr_assert_neq(hash_bytes(bytes, size, 0), whole, "%zu bytes, bit %zu", size, bit);
            bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
    }
}

Test(hash, alignment_does_not_count)
{
    uint8_t bytes[80];
    for (unsigned shift = 0; shift < 8; shift++) {
        memcpy(bytes + shift, "a text of some length, longer than one lane of the function", 60);
        cr_assert_eq(
            hash_bytes(bytes + shift, 60, 5),
            hash_bytes("a text of some length, longer than one lane of the function", 60, 5));
    }
}

static uint64_t unmix(uint64_t v)
{
    uint64_t inverse = 1, factor = 0xd6e8feb86659fd93u;
    for (unsigned i = 0; i < 6; i++)
        inverse *= 2 - factor * inverse;
    v ^= v >> 32;
    v *= inverse;
    v ^= v >> 32;
    v *= inverse;
    return v ^ v >> 32;
}

Test(hash, mix_is_a_bijection)
{
    for (uint64_t i = 0; i < 10000; i++) {
        uint64_t v = i * 0x9e3779b97f4a7c15u;
        cr_assert_eq(unmix(hash_mix(v)), v);
    }
}
