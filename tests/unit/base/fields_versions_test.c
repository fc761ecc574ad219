/* A table that has changed twice: what older versions wrote, fields that are there sometimes,
 * subsections. */
#include "base/check.h"
#include "base/endian.h"
#include "base/fields.h"
#include "base/hash.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* Since version 2 a part has a q. */
struct part {
    uint32_t p;
    uint16_t q;
    uint8_t pad[2];
};

struct thing {
    uint64_t a;
    uint64_t c; /* if has_c */
    uint16_t b[4];
    struct part parts[2];
    struct part since2;
    uint32_t before3; /* versions 1 and 2 only */
    uint32_t x, y;    /* subsection xy */
    uint8_t hole[4];
    uint64_t z; /* subsection z */
    bool has_c;
    uint8_t limit;     /* since version 2 */
    uint8_t since3[6]; /* since version 3 */
};

enum { C0 = 99, Q0 = 3, BEFORE0 = 1, LIMIT0 = 7, SINCE0 = 0xa5, X0 = 4, Y0 = 5 };

static bool has_c(const void *state, uint32_t version)
{
    (void)version;
    return ((const struct thing *)state)->has_c;
}

static bool before3(const void *state, uint32_t version)
{
    (void)state;
    return version < 3;
}

static bool needs_xy(const void *state)
{
    const struct thing *t = state;
    return t->x != X0 || t->y != Y0;
}

static bool needs_z(const void *state)
{
    return ((const struct thing *)state)->z != 0;
}

/* Each version as its build had it. */
static const struct field part1_field[] = {
    FIELD(struct part, p),
};
static const struct fields part1 = FIELDS("part", struct part, 1, 1, part1_field);
static const struct field part2_field[] = {
    FIELD(struct part, p),
    FIELD(struct part, q, .version_id = 2, .initial = Q0),
    FIELD_UNUSED(struct part, pad, .version_id = 2),
};
static const struct fields part2 = FIELDS("part", struct part, 2, 1, part2_field);

static const struct field xy_field[] = {
    FIELD(struct thing, x, .initial = X0),
    FIELD(struct thing, y, .initial = Y0),
};
static const struct fields xy =
    FIELDS("thing/xy", struct thing, 1, 1, xy_field, .needed = needs_xy);
static const struct field z_field[] = {
    FIELD(struct thing, z),
};
static const struct fields z = FIELDS("thing/z", struct thing, 5, 4, z_field, .needed = needs_z);
static const struct fields *const only_xy[] = {&xy, NULL};
static const struct fields *const both[] = {&xy, &z, NULL};

static const struct field thing1_field[] = {
    FIELD(struct thing, a),
    FIELD_ARRAY(struct thing, b),
    FIELD(struct thing, has_c),
    FIELD(struct thing, c, .exists = has_c),
    FIELD_STRUCT_ARRAY(struct thing, parts, part1),
    FIELD(struct thing, before3),
};
static const struct fields thing1 = FIELDS("thing", struct thing, 1, 1, thing1_field);

static const struct field thing2_field[] = {
    FIELD(struct thing, a),
    FIELD_ARRAY(struct thing, b),
    FIELD(struct thing, has_c),
    FIELD(struct thing, limit, .version_id = 2, .initial = LIMIT0),
    FIELD(struct thing, c, .exists = has_c, .initial = C0),
    FIELD_STRUCT_ARRAY(struct thing, parts, part1),
    FIELD_STRUCT(struct thing, since2, part1, .version_id = 2),
    FIELD(struct thing, before3),
};
static const struct fields thing2 =
    FIELDS("thing", struct thing, 2, 1, thing2_field, .subsections = only_xy);

static const struct field thing3_field[] = {
    FIELD(struct thing, a),
    FIELD_ARRAY(struct thing, b),
    FIELD(struct thing, has_c),
    FIELD(struct thing, limit, .version_id = 2, .initial = LIMIT0),
    FIELD(struct thing, c, .exists = has_c, .initial = C0),
    FIELD_STRUCT_ARRAY(struct thing, parts, part2),
    FIELD_STRUCT(struct thing, since2, part2, .version_id = 2),
    FIELD(struct thing, before3, .exists = before3, .initial = BEFORE0),
    FIELD_ARRAY(struct thing, since3, .version_id = 3, .initial = SINCE0),
    FIELD_UNUSED(struct thing, hole, .version_id = 3),
};
static const struct fields thing3 =
    FIELDS("thing", struct thing, 3, 1, thing3_field, .subsections = both);
/* What refuses version 1. */
static const struct fields thing3_from2 =
    FIELDS("thing", struct thing, 3, 2, thing3_field, .subsections = both);

static const struct fields *const thing_of[] = {NULL, &thing1, &thing2, &thing3};

static struct thing initial(void)
{
    struct thing t = {.c = C0,
                      .parts = {{.q = Q0}, {.q = Q0}},
                      .since2 = {.q = Q0},
                      .before3 = BEFORE0,
                      .x = X0,
                      .y = Y0,
                      .limit = LIMIT0};
    memset(t.since3, SINCE0, sizeof t.since3);
    return t;
}

static struct thing random_thing(uint64_t seed)
{
    struct thing t;
    uint8_t *bytes = (uint8_t *)&t;
    for (size_t i = 0; i < sizeof t; i++)
        bytes[i] = (uint8_t)hash_mix(seed * 4096 + i);
    uint64_t choice = hash_mix(seed);
    t.has_c = choice & 1;
    memset(t.hole, 0, sizeof t.hole);
    memset(t.parts[0].pad, 0, 2);
    memset(t.parts[1].pad, 0, 2);
    memset(t.since2.pad, 0, 2);
    if (choice & 2) {
        t.x = X0;
        t.y = Y0;
    }
    if (choice & 4)
        t.z = 0;
    return t;
}

/* What `version` keeps of a state. */
static struct thing kept(const struct thing *t, unsigned version)
{
    struct thing k = initial();
    k.a = t->a;
    memcpy(k.b, t->b, sizeof k.b);
    k.has_c = t->has_c;
    if (t->has_c)
        k.c = t->c;
    for (unsigned i = 0; i < 2; i++) {
        k.parts[i].p = t->parts[i].p;
        if (version >= 3)
            k.parts[i].q = t->parts[i].q;
    }
    if (version < 3)
        k.before3 = t->before3;
    if (version >= 2) {
        k.limit = t->limit;
        k.since2.p = t->since2.p;
        k.x = t->x;
        k.y = t->y;
    }
    if (version >= 3) {
        k.since2.q = t->since2.q;
        k.z = t->z;
        memcpy(k.since3, t->since3, sizeof k.since3);
    }
    return k;
}

static struct buffer saved_as(const struct fields *table, const struct thing *t)
{
    struct buffer out = {0};
    fields_save(table, t, &out);
    return out;
}

/* Load all of the bytes with a table, over a state full of something else. */
static bool load(const struct fields *table, uint32_t version, struct thing *t,
                 const struct buffer *b, struct error *err)
{
    uint8_t *exact = mem_new(b->size, 1);
    memcpy(exact, b->data, b->size);
    const uint8_t *bytes = exact;
    size_t size = b->size;
    memset(t, 0xee, sizeof *t);
    bool ok = fields_load(table, version, t, &bytes, &size, err);
    cr_assert_eq(bytes - exact + size, b->size);
    free(exact);
    return ok && (!size || error_set(err, ERROR_FORMAT, "%zu bytes are left", size));
}

static void refused(const struct fields *table, uint32_t version, const struct buffer *b,
                    enum error_code code, const char *message)
{
    struct error err = ERROR_INIT;
    struct thing t;
    cr_assert_not(load(table, version, &t, b, &err), "%s", message);
    cr_assert_eq(err.code, code);
    cr_assert_str_eq(err.message, message);
    cr_assert_not(fields_versions_equal(table, version, b->data, b->size));
}

/* ---- versions ---- */

Test(fields_versions, every_version_loads_and_the_rest_is_initial)
{
    for (uint64_t seed = 0; seed < 3000; seed++) {
        struct thing t = random_thing(seed);
        for (unsigned version = 1; version <= 3; version++) {
            struct buffer saved = saved_as(thing_of[version], &t);
            struct thing back, expected = kept(&t, version);
            struct error err = ERROR_INIT;
            cr_assert(load(&thing3, version, &back, &saved, &err), "%s", err.message);
            cr_assert_arr_eq((uint8_t *)&back, (uint8_t *)&expected, sizeof back,
                             "seed %lu, version %u", seed, version);
            cr_assert_eq(fields_versions_equal(&thing3, version, saved.data, saved.size),
                         version == 3);
            buffer_fini(&saved);
        }
    }
}

Test(fields_versions, streams_of_every_version_that_end_early)
{
    for (uint64_t seed = 0; seed < 16; seed++)
        for (unsigned version = 1; version <= 3; version++) {
            struct thing t = random_thing(seed), back;
            struct buffer saved = saved_as(thing_of[version], &t);
            while (saved.size--) {
                struct error err = ERROR_INIT;
                cr_assert_not(load(&thing3, version, &back, &saved, &err), "%zu", saved.size);
                cr_assert_eq(err.code, ERROR_FORMAT);
                cr_assert_eq(strncmp(err.message, "thing: ", 7), 0, "%s", err.message);
            }
            buffer_fini(&saved);
        }
}

Test(fields_versions, too_old_and_too_new_are_refused_by_both_versions)
{
    struct thing t = initial();
    struct buffer saved = saved_as(&thing3, &t);
    refused(&thing2, 3, &saved, ERROR_UNSUPPORTED,
            "thing: version 3, and the newest that this backstep reads is 2: a newer backstep made "
            "it and reads it");
    refused(&thing3, UINT32_MAX, &saved, ERROR_UNSUPPORTED,
            "thing: version 4294967295, and the newest that this backstep reads is 3: a newer "
            "backstep made it and reads it");
    refused(
        &thing3_from2, 1, &saved, ERROR_UNSUPPORTED,
        "thing: version 1, and the oldest that this backstep reads is 2: an older backstep made "
        "it and reads it");
    refused(
        &thing3, 0, &saved, ERROR_UNSUPPORTED,
        "thing: version 0, and the oldest that this backstep reads is 1: an older backstep made "
        "it and reads it");
    buffer_fini(&saved);
}

/* A nested table has its own version, whatever that of the table around it. */
Test(fields_versions, nested_tables)
{
    static const struct field around_field[] = {FIELD_STRUCT_ARRAY(struct thing, parts, part2)};
    static const struct fields around = FIELDS("around", struct thing, 1, 1, around_field);
    struct buffer b = {0};
    static const uint8_t of_version_1[] = {1, 0, 0, 0, 9, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0};
    buffer_append(&b, of_version_1, sizeof of_version_1);
    struct thing t;
    struct error err = ERROR_INIT;
    cr_assert(load(&around, 1, &t, &b, &err), "%s", err.message);
    cr_assert(t.parts[0].p == 9 && t.parts[0].q == Q0 && t.parts[1].p == 8 && t.parts[1].q == Q0);
    cr_assert_not(fields_versions_equal(&around, 1, b.data, b.size));
    b.data[0] = 3;
    refused(&around, 1, &b, ERROR_UNSUPPORTED,
            "around: part: version 3, and the newest that this backstep reads is 2: a newer "
            "backstep made it and reads it");
    b.data[0] = 0;
    refused(&around, 1, &b, ERROR_UNSUPPORTED,
            "around: part: version 0, and the oldest that this backstep reads is 1: an older "
            "backstep made it and reads it");
    b.size = 3;
    refused(&around, 1, &b, ERROR_FORMAT, "around: state ends before field parts");
    buffer_fini(&b);
}

Test(fields_versions, versions_equal_wants_the_whole_stream)
{
    struct thing t = random_thing(1);
    struct buffer saved = saved_as(&thing3, &t);
    for (size_t size = 0; size < saved.size; size++)
        cr_assert_not(fields_versions_equal(&thing3, 3, saved.data, size));
    cr_assert(fields_versions_equal(&thing3, 3, saved.data, saved.size));
    buffer_append_byte(&saved, 0);
    cr_assert_not(fields_versions_equal(&thing3, 3, saved.data, saved.size));
    buffer_fini(&saved);
}

Test(fields_versions, reset_is_what_nothing_loads)
{
    struct thing t, expected = initial();
    memset(&t, 0xee, sizeof t);
    fields_reset(&thing3, &t);
    cr_assert_arr_eq((uint8_t *)&t, (uint8_t *)&expected, sizeof t);
}

/* ---- fields that exist sometimes ---- */

Test(fields_versions, what_does_not_exist_does_not_count)
{
    struct thing one = random_thing(3), two;
    struct buffer lines = {0};
    one.has_c = false;
    two = one;
    two.c ^= 1;
    two.before3 ^= 1;
    struct buffer a = saved_as(&thing3, &one), b = saved_as(&thing3, &two);
    cr_assert(a.size == b.size && !memcmp(a.data, b.data, a.size));
    cr_assert_eq(fields_digest(&thing3, &one), fields_digest(&thing3, &two));
    cr_assert_eq(fields_diff(&thing3, &one, &two, "t", 9, &lines), 0);
    fields_print(&thing3, &one, "t", &lines);
    cr_assert_null(strstr(buffer_text(&lines), "t.c:"));
    cr_assert_null(strstr(buffer_text(&lines), "t.before3:"));
    buffer_clear(&lines);
    one.has_c = two.has_c = true;
    cr_assert_neq(fields_digest(&thing3, &one), fields_digest(&thing3, &two));
    cr_assert_eq(fields_diff(&thing3, &one, &two, "t", 9, &lines), 1);
    cr_assert_eq(strncmp(buffer_text(&lines), "t.c: ", 5), 0);
    fields_print(&thing3, &one, "t", &lines);
    cr_assert_not_null(strstr(buffer_text(&lines), "\nt.c:"));
    buffer_clear(&lines);
    two.c = one.c;
    two.has_c = false;
    cr_assert_eq(fields_diff(&thing3, &one, &two, "t", 9, &lines), 1);
    cr_assert_str_eq(buffer_text(&lines), "t.has_c: 0x1 -> 0\n");
    buffer_fini(&a);
    buffer_fini(&b);
    buffer_fini(&lines);
}

/* ---- subsections ---- */

Test(fields_versions, subsections_are_saved_when_needed)
{
    static const uint8_t z_section[] = {7,   't', 'h', 'i', 'n', 'g', '/', 'z', 0, 0,
                                        0,   0,   5,   0,   0,   0,   8,   0,   0, 0,
                                        'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'};
    struct thing t = initial();
    struct buffer none = saved_as(&thing3, &t);
    cr_assert_eq(none.data[none.size - 1], 0);
    uint64_t digest = fields_digest(&thing3, &t);
    t.z = load_le64("abcdefgh");
    struct buffer one = saved_as(&thing3, &t);
    cr_assert_eq(one.size, none.size + sizeof z_section + 1);
    cr_assert_eq(memcmp(none.data, one.data, none.size - 1), 0);
    cr_assert_eq(one.data[none.size - 1], 1);
    /* Its length counts the number of its own subsections. */
    cr_assert_arr_eq(one.data + none.size, z_section, 16);
    cr_assert_eq(load_le32(one.data + none.size + 16), 9);
    cr_assert_arr_eq(one.data + none.size + 20, "abcdefgh", 8);
    cr_assert_eq(one.data[one.size - 1], 0);
    cr_assert_neq(fields_digest(&thing3, &t), digest);
    buffer_fini(&none);
    buffer_fini(&one);
}

Test(fields_versions, subsections_in_differences_and_print)
{
    struct thing one = initial(), two = initial();
    struct buffer lines = {0};
    fields_print(&thing3, &one, "t", &lines);
    cr_assert_null(strstr(buffer_text(&lines), "t.x:"));
    buffer_clear(&lines);
    two.x = 0x10;
    cr_assert_eq(fields_diff(&thing3, &one, &two, "t", 9, &lines), 1);
    cr_assert_str_eq(buffer_text(&lines), "t.x: 0x4 -> 0x10\n");
    fields_print(&thing3, &two, "t", &lines);
    cr_assert_not_null(strstr(buffer_text(&lines), "\nt.x: 0x10\nt.y: 0x5\n"));
    buffer_fini(&lines);
}

/* A stream of version 3 with a subsection as given. */
static struct buffer with_section(const char *name, uint32_t instance, uint32_t version,
                                  const void *bytes, size_t size, unsigned times)
{
    struct thing t = initial();
    struct buffer b = saved_as(&thing3, &t);
    b.data[b.size - 1] = (uint8_t)times;
    while (times--) {
        buffer_append_byte(&b, (uint8_t)strlen(name));
        buffer_append_string(&b, name);
        store_le32(buffer_extend(&b, 4), instance);
        store_le32(buffer_extend(&b, 4), version);
        store_le32(buffer_extend(&b, 4), (uint32_t)size);
        buffer_append(&b, bytes, size);
    }
    return b;
}

Test(fields_versions, bad_subsections_are_refused_by_name)
{
    static const struct {
        const char *name;
        uint32_t instance, version;
        size_t size;
        unsigned times;
        enum error_code code;
        const char *message; /* NULL: it loads */
    } cases[] = {
        {"thing/z", 0, 5, 9, 1, ERROR_NONE, NULL},
        {"thing/z", 0, 4, 9, 1, ERROR_NONE, NULL},
        {"thing/z", 0, 5, 9, 2, ERROR_FORMAT, "thing: subsection thing/z comes twice"},
        {"thing/z", 0, 5, 10, 1, ERROR_FORMAT, "thing: thing/z: 1 bytes too many in its section"},
        {"thing/z", 0, 5, 7, 1, ERROR_FORMAT,
         "thing: thing/z: state ends inside field z: 7 of 8 bytes"},
        {"thing/z", 0, 5, 8, 1, ERROR_FORMAT,
         "thing: thing/z: state ends before the number of subsections"},
        {"thing/z", 1, 5, 9, 1, ERROR_UNSUPPORTED,
         "thing: unknown subsection thing/z: a newer backstep made it and reads it"},
        {"thing/z", 0, 6, 9, 1, ERROR_UNSUPPORTED,
         "thing: thing/z: version 6, and the newest that this backstep reads is 5: a newer "
         "backstep "
         "made it and reads it"},
        {"thing/z", 0, 3, 9, 1, ERROR_UNSUPPORTED,
         "thing: thing/z: version 3, and the oldest that this backstep reads is 4: an older "
         "backstep made it and reads it"},
        {"thing/w", 0, 1, 9, 1, ERROR_UNSUPPORTED,
         "thing: unknown subsection thing/w: a newer backstep made it and reads it"},
        {"", 0, 1, 9, 1, ERROR_UNSUPPORTED,
         "thing: unknown subsection : a newer backstep made it and reads it"},
        {"thing/z\x1b[2J", 0, 1, 9, 1, ERROR_UNSUPPORTED,
         "thing: unknown subsection thing/z?[2J: a newer backstep made it and reads it"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error err = ERROR_INIT;
        struct thing t, expected = initial();
        struct buffer b = with_section(cases[i].name, cases[i].instance, cases[i].version,
                                       "\1\2\3\4\5\6\7\10\0\0", cases[i].size, cases[i].times);
        expected.z = 0x0807060504030201;
        if (cases[i].message) {
            refused(&thing3, 3, &b, cases[i].code, cases[i].message);
        } else {
            cr_assert(load(&thing3, 3, &t, &b, &err), "%s", err.message);
            cr_assert_eq(memcmp(&t, &expected, sizeof t), 0);
            cr_assert_eq(fields_versions_equal(&thing3, 3, b.data, b.size), cases[i].version == 5);
        }
        buffer_fini(&b);
    }
}

Test(fields_versions, sections)
{
    struct thing t = random_thing(7), back;
    struct buffer b = {0};
    struct error err = ERROR_INIT;
    fields_save_section(&thing3, 12, &t, &b);
    fields_save_section(&xy, 0, &t, &b);
    for (size_t size = 1; size < b.size; size++) {
        struct fields_section s;
        const uint8_t *bytes = b.data;
        size_t left = size;
        while (left && fields_next_section(&s, &bytes, &left, &err))
            cr_assert_eq(left, (size_t)(b.data + size - bytes));
    }
    struct fields_section s;
    const uint8_t *bytes = b.data;
    size_t size = b.size;
    cr_assert(fields_next_section(&s, &bytes, &size, &err));
    cr_assert_str_eq(s.name, "thing");
    cr_assert(s.instance == 12 && s.version == 3);
    cr_assert(fields_load_section(&thing3, &s, &back, &err), "%s", err.message);
    struct thing expected = kept(&t, 3);
    cr_assert_eq(memcmp(&back, &expected, sizeof back), 0);
    s.size--;
    cr_assert_not(fields_load_section(&thing3, &s, &back, &err));
    cr_assert(fields_next_section(&s, &bytes, &size, &err));
    cr_assert_str_eq(s.name, "thing/xy");
    cr_assert_eq(size, 0);
    buffer_fini(&b);
}

/* Whatever the bytes, they are refused or make a state that saves and loads. */
Test(fields_versions, damaged_streams)
{
    for (uint64_t seed = 0; seed < 20000; seed++) {
        struct thing t = random_thing(seed), again;
        struct error err = ERROR_INIT;
        uint32_t version = (uint32_t)(1 + seed % 3);
        struct buffer b = saved_as(thing_of[version], &t);
        for (unsigned i = 0; i < 1 + seed % 4; i++) {
            uint64_t choice = hash_mix(seed * 8 + i + (UINT64_C(1) << 40));
            b.data[choice % b.size] = (uint8_t)(choice >> 56 & 1 ? choice >> 32 : choice >> 61);
        }
        if (load(&thing3, version, &t, &b, &err)) {
            struct buffer saved = saved_as(&thing3, &t);
            cr_assert(load(&thing3, 3, &again, &saved, &err), "%s", err.message);
            cr_assert_eq(fields_digest(&thing3, &t), fields_digest(&thing3, &again));
            buffer_fini(&saved);
        } else {
            cr_assert(err.code == ERROR_FORMAT || err.code == ERROR_UNSUPPORTED);
        }
        buffer_fini(&b);
    }
}

/* ---- digests ---- */

/* Neither versions nor names nor a subsection that is not needed change what a recording's digests
 * are compared with. */
Test(fields_versions, digests_are_of_values_alone)
{
    static const struct field other_field[] = {
        FIELD(struct thing, x, .version_id = 7),
        FIELD_STRUCT(struct thing, since2, part2),
    };
    static const struct field same_field[] = {
        {.name = "renamed", .offset = offsetof(struct thing, x), .size = 4, .count = 1},
        FIELD_STRUCT(struct thing, since2, part2),
    };
    static const struct fields *const list[] = {&z, NULL};
    static const struct fields other = FIELDS("other", struct thing, 9, 1, other_field);
    static const struct fields same =
        FIELDS("same", struct thing, 1, 1, same_field, .subsections = list);
    struct thing t = random_thing(11);
    t.z = 0;
    cr_assert_eq(fields_digest(&other, &t), fields_digest(&same, &t));
    t.z = 1;
    cr_assert_neq(fields_digest(&other, &t), fields_digest(&same, &t));
}

/* ---- coverage ---- */

Test(fields_versions, coverage_counts_subsections)
{
    bool map[sizeof(struct thing)] = {false};
    fields_coverage(&thing3, map);
    for (size_t at = 0; at < sizeof map; at++)
        cr_assert(map[at], "byte %zu", at);
    memset(map, 0, sizeof map);
    fields_coverage(&thing2, map);
    cr_assert(map[offsetof(struct thing, y)]);
    cr_assert_not(map[offsetof(struct thing, z)]);
}

static void covered(const struct field *field, uint32_t count, const struct fields *const *list)
{
    bool map[sizeof(struct thing)] = {false};
    const struct fields table = {.name = "bad",
                                 .version_id = 3,
                                 .minimum_version_id = 1,
                                 .size = sizeof(struct thing),
                                 .field = field,
                                 .count = count,
                                 .subsections = list};
    fields_coverage(&table, map);
}

Test(fields_versions, coverage_refuses_a_byte_twice, .signal = SIGABRT)
{
    static const struct field twice[] = {FIELD(struct thing, x)};
    covered(twice, 1, both);
}

Test(fields_versions, coverage_refuses_a_field_of_a_later_version, .signal = SIGABRT)
{
    static const struct field later[] = {FIELD(struct thing, x, .version_id = 4)};
    covered(later, 1, NULL);
}

Test(fields_versions, coverage_refuses_an_initial_value_that_does_not_fit, .signal = SIGABRT)
{
    static const struct field large[] = {FIELD(struct thing, limit, .initial = 256)};
    covered(large, 1, NULL);
}

Test(fields_versions, coverage_refuses_one_subsection_twice, .signal = SIGABRT)
{
    static const struct fields *const twice[] = {&z, &z, NULL};
    covered(NULL, 0, twice);
}

Test(fields_versions, coverage_refuses_a_subsection_that_is_always_there, .signal = SIGABRT)
{
    static const struct fields *const always[] = {&thing1, NULL};
    covered(NULL, 0, always);
}
