/* One table, many users. */
#include "base/check.h"
#include "base/fields.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

struct inner {
    uint16_t half;
    bool flag;
    uint8_t pad[1];
};

struct outer {
    uint64_t wide;
    uint32_t word[4];
    struct inner one;
    struct inner many[3];
    bool flags[3];
    uint8_t byte;
    uint8_t unused[4];
};

static const struct field inner_field[] = {
    FIELD(struct inner, half),
    FIELD(struct inner, flag),
    FIELD_UNUSED(struct inner, pad),
};
static const struct fields inner_fields = FIELDS("inner", struct inner, 1, 1, inner_field);

static const struct field outer_field[] = {
    FIELD(struct outer, wide),
    FIELD_ARRAY(struct outer, word),
    FIELD_STRUCT(struct outer, one, inner_fields),
    FIELD_STRUCT_ARRAY(struct outer, many, inner_fields),
    FIELD_ARRAY(struct outer, flags),
    FIELD(struct outer, byte),
    FIELD_UNUSED(struct outer, unused),
};
static const struct fields outer_fields = FIELDS("outer", struct outer, 1, 1, outer_field);

static const struct outer sample = {.wide = 0x1122334455667788,
                                    .word = {1, 2, 2, 0xdeadbeef},
                                    .one = {0x4142, true, {0}},
                                    .many = {{5, false, {0}}, {6, true, {0}}, {7, false, {0}}},
                                    .flags = {true, false, true},
                                    .byte = 0x99};

static struct buffer saved_of(const struct outer *o)
{
    struct buffer out = {0};
    fields_save(&outer_fields, o, &out);
    return out;
}

static bool load(struct outer *o, const uint8_t *bytes, size_t size, size_t *left,
                 struct error *err)
{
    bool ok = fields_load(&outer_fields, 1, o, &bytes, &size, err);
    *left = size;
    return ok;
}

Test(fields, the_format)
{
    static const uint8_t expected[] = {
        0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, /* wide */
        1,    0,    0,    0,    2,    0,    0,    0,    /* word */
        2,    0,    0,    0,    0xef, 0xbe, 0xad, 0xde, /* */
        1,    0,    0,    0,                            /* version of inner */
        0x42, 0x41, 1,    0,    0,                      /* one; no subsections */
        1,    0,    0,    0,                            /* version of inner */
        5,    0,    0,    0,    0,                      /* many */
        6,    0,    1,    0,    0,                      /* */
        7,    0,    0,    0,    0,                      /* */
        1,    0,    1,                                  /* flags */
        0x99,                                           /* byte */
        0,    0,    0,    0,                            /* unused */
        0,                                              /* no subsections */
    };
    struct buffer out = saved_of(&sample);
    cr_assert_eq(out.size, sizeof expected);
    cr_assert_arr_eq(out.data, expected, sizeof expected);
    buffer_fini(&out);
}

Test(fields, padding_is_saved_as_zero_and_no_difference)
{
    struct outer other = sample;
    memset(other.unused, 0xee, sizeof other.unused);
    other.many[1].pad[0] = 0xee;
    struct buffer out = saved_of(&sample), again = saved_of(&other), lines = {0};
    cr_assert_eq(out.size, again.size);
    cr_assert_arr_eq(out.data, again.data, out.size);
    cr_assert_eq(fields_digest(&outer_fields, &other), fields_digest(&outer_fields, &sample));
    cr_assert_eq(fields_diff(&outer_fields, &sample, &other, "o", 9, &lines), 0);
    cr_assert_eq(lines.size, 0);
    buffer_fini(&out);
    buffer_fini(&again);
    buffer_fini(&lines);
}

Test(fields, load_advances_past_what_it_used)
{
    struct buffer out = saved_of(&sample);
    struct error err = ERROR_INIT;
    struct outer back = {0};
    size_t left;
    buffer_append_string(&out, "more");
    cr_assert(load(&back, out.data, out.size, &left, &err), "%s", err.message);
    cr_assert_eq(left, 4);
    cr_assert_eq(memcmp(&back, &sample, sizeof back), 0);
    buffer_fini(&out);
}

Test(fields, streams_that_end_early)
{
    struct buffer out = saved_of(&sample);
    for (size_t size = 0; size < out.size; size++) {
        struct error err = ERROR_INIT;
        struct outer back;
        size_t left;
        uint8_t *bytes = mem_new(size, 1); /* exact, for the sanitizer */
        memcpy(bytes, out.data, size);
        cr_assert_not(load(&back, bytes, size, &left, &err), "%zu bytes", size);
        cr_assert_eq(err.code, ERROR_FORMAT);
        cr_assert_eq(strncmp(err.message, "outer: ", 7), 0, "%s", err.message);
        free(bytes);
    }
    buffer_fini(&out);
}

static bool is_in(const uint8_t *list, size_t count, size_t value)
{
    return memchr(list, (int)value, count) != NULL;
}

/* Where the bools, the versions and the numbers of subsections lie in the saved bytes; every other
 * byte takes every value. */
Test(fields, what_a_byte_may_be)
{
    static const uint8_t bool_at[] = {30, 39, 44, 49, 52, 53, 54};
    static const uint8_t fixed_at[] = {24, 25, 26, 27, 32, 33, 34, 35, 36, 41, 46, 51, 60};
    struct buffer out = saved_of(&sample);
    for (size_t at = 0; at < out.size; at++) {
        bool is_bool = is_in(bool_at, sizeof bool_at, at);
        bool fixed = is_in(fixed_at, sizeof fixed_at, at);
        uint8_t was = out.data[at];
        for (unsigned value = 0; value < 256; value++) {
            struct error err = ERROR_INIT;
            struct outer back;
            size_t left;
            out.data[at] = (uint8_t)value;
            bool ok = load(&back, out.data, out.size, &left, &err);
            bool may = is_bool ? value < 2 : !fixed || value == was;
            cr_assert_eq(ok, may, "byte %zu: %u: %s", at, value, err.message);
            if (!ok)
                cr_assert(err.code == ERROR_FORMAT || (fixed && err.code == ERROR_UNSUPPORTED));
        }
        out.data[at] = was;
    }
    buffer_fini(&out);
}

Test(fields, padding_loads_as_zero)
{
    struct buffer out = saved_of(&sample);
    struct error err = ERROR_INIT;
    struct outer back;
    size_t left;
    memset(&back, 0xee, sizeof back);
    memset(out.data + out.size - 5, 0xdd, 4);
    out.data[31] = 0xdd;
    cr_assert(load(&back, out.data, out.size, &left, &err), "%s", err.message);
    cr_assert_eq(memcmp(&back, &sample, sizeof back), 0);
    buffer_fini(&out);
}

Test(fields, the_error_names_the_way_to_the_field)
{
    struct buffer out = saved_of(&sample);
    struct error err = ERROR_INIT;
    struct outer back;
    size_t left;
    out.data[39] = 2;
    cr_assert_not(load(&back, out.data, out.size, &left, &err));
    cr_assert_str_eq(err.message, "outer: inner: field flag is neither false nor true");
    buffer_fini(&out);
}

Test(fields, every_described_bit_counts)
{
    uint64_t digest = fields_digest(&outer_fields, &sample);
    struct buffer lines = {0};
    for (size_t bit = 0; bit < 8 * offsetof(struct outer, unused); bit++) {
        struct outer other = sample;
        size_t at = bit / 8;
        if (at >= offsetof(struct outer, one) && at < offsetof(struct outer, flags) && at % 4 == 3)
            continue; /* inner.pad */
        ((uint8_t *)&other)[at] ^= (uint8_t)(1 << bit % 8);
        cr_assert_neq(fields_digest(&outer_fields, &other), digest, "bit %zu", bit);
        cr_assert_eq(fields_diff(&outer_fields, &sample, &other, "o", 9, &lines), 1, "%zu", bit);
    }
    buffer_fini(&lines);
}

Test(fields, differences_are_named)
{
    struct outer other = sample;
    struct buffer lines = {0};
    other.wide = 0;
    other.word[2] = 0x10;
    other.one.flag = false;
    other.many[2].half = 8;
    other.flags[1] = true;
    cr_assert_eq(fields_diff(&outer_fields, &sample, &other, "o", 9, &lines), 5);
    cr_assert_str_eq(buffer_text(&lines), "o.wide: 0x1122334455667788 -> 0\n"
                                          "o.word[2]: 0x2 -> 0x10\n"
                                          "o.one.flag: 0x1 -> 0\n"
                                          "o.many[2].half: 0x7 -> 0x8\n"
                                          "o.flags[1]: 0 -> 0x1\n");
    buffer_fini(&lines);
}

Test(fields, differences_are_all_counted_and_a_few_written)
{
    struct outer other = sample;
    other.wide = 0;
    other.many[0].half = other.many[1].half = 1;
    other.byte = 0;
    for (size_t limit = 0; limit < 6; limit++) {
        struct buffer lines = {0};
        size_t written = 0;
        cr_assert_eq(fields_diff(&outer_fields, &sample, &other, "o", limit, &lines), 4);
        for (size_t i = 0; i < lines.size; i++)
            written += lines.data[i] == '\n';
        cr_assert_eq(written, limit < 4 ? limit : 4);
        buffer_fini(&lines);
    }
}

Test(fields, printing_folds_runs)
{
    struct buffer lines = {0};
    fields_print(&outer_fields, &sample, "o", &lines);
    cr_assert_str_eq(buffer_text(&lines), "o.wide: 0x1122334455667788\n"
                                          "o.word[0]: 0x1\n"
                                          "o.word[1]: 0x2 (x2)\n"
                                          "o.word[3]: 0xdeadbeef\n"
                                          "o.one.half: 0x4142\n"
                                          "o.one.flag: 0x1\n"
                                          "o.many[0].half: 0x5\n"
                                          "o.many[0].flag: 0\n"
                                          "o.many[1].half: 0x6\n"
                                          "o.many[1].flag: 0x1\n"
                                          "o.many[2].half: 0x7\n"
                                          "o.many[2].flag: 0\n"
                                          "o.flags[0]: 0x1\n"
                                          "o.flags[1]: 0\n"
                                          "o.flags[2]: 0x1\n"
                                          "o.byte: 0x99\n");
    buffer_fini(&lines);
}

Test(fields, coverage_finds_what_is_missing)
{
    static const struct field partly[] = {
        FIELD(struct outer, wide),
        FIELD_STRUCT_ARRAY(struct outer, many, inner_fields),
    };
    const struct fields table = FIELDS("partly", struct outer, 1, 1, partly);
    bool map[sizeof(struct outer)] = {false};
    fields_coverage(&outer_fields, map);
    for (size_t at = 0; at < sizeof map; at++)
        cr_assert(map[at], "byte %zu", at);
    memset(map, 0, sizeof map);
    fields_coverage(&table, map);
    for (size_t at = 0; at < sizeof map; at++) {
        size_t many = offsetof(struct outer, many);
        bool is = at < 8 || (at >= many && at < many + sizeof sample.many);
        cr_assert_eq(map[at], is, "byte %zu", at);
    }
}

Test(fields, coverage_refuses_a_field_outside, .signal = SIGABRT)
{
    static const struct field far[] = {
        {.name = "far", .offset = sizeof(struct outer) - 4, .size = 8, .count = 1}};
    const struct fields table = FIELDS("far", struct outer, 1, 1, far);
    bool map[sizeof(struct outer) + 8] = {false};
    fields_coverage(&table, map);
}
