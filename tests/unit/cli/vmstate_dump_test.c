/* The dump of tables that have everything a table can have. */
#include "base/fields.h"
#include "cli/vmstate_dump.h"
#include "cli/vmstate_model.h"

#include <criterion/criterion.h>
#include <stdbool.h>
#include <string.h>

struct point {
    uint32_t x, y;
};

struct sample {
    uint64_t count;
    uint16_t row[5];
    struct point at;
    struct point corner[4];
    bool on;
    uint8_t hole[7];
    uint32_t late;
    uint32_t seldom;
};

static bool old_only(const void *state, uint32_t version)
{
    (void)state;
    return version < 2;
}

static bool seldom_needed(const void *state)
{
    return ((const struct sample *)state)->seldom;
}

static const struct field point_field[] = {FIELD(struct point, x), FIELD(struct point, y)};
static const struct fields point_fields = FIELDS("point", struct point, 4, 3, point_field);

static const struct field seldom_field[] = {FIELD(struct sample, seldom)};
static const struct fields seldom_fields =
    FIELDS("sample/seldom", struct sample, 1, 1, seldom_field, .needed = seldom_needed);
static const struct fields *const sample_subsections[] = {&seldom_fields, NULL};

static const struct field sample_field[] = {
    FIELD(struct sample, count, .exists = old_only),
    FIELD_ARRAY(struct sample, row),
    FIELD_STRUCT(struct sample, at, point_fields),
    FIELD_STRUCT_ARRAY(struct sample, corner, point_fields),
    FIELD(struct sample, on),
    FIELD_UNUSED(struct sample, hole),
    FIELD(struct sample, late, .version_id = 2),
};
static const struct fields sample_fields =
    FIELDS("sample", struct sample, 2, 1, sample_field, .subsections = sample_subsections);

#define POINT                                                                                      \
    "{\"name\": \"point\", \"version_id\": 4, \"minimum_version_id\": 3, \"Fields\": ["            \
    "{\"field\": \"x\", \"version_id\": 0, \"field_exists\": false, \"size\": 4}, "                \
    "{\"field\": \"y\", \"version_id\": 0, \"field_exists\": false, \"size\": 4}]}"

static const char wanted[] =
    "{\"vmschkmachine\": {\"Name\": \"board\"}, "
    "\"sample\": {\"Name\": \"sample\", \"version_id\": 2, \"minimum_version_id\": 1, "
    "\"Description\": {\"name\": \"sample\", \"version_id\": 2, \"minimum_version_id\": 1, "
    "\"Fields\": ["
    "{\"field\": \"count\", \"version_id\": 0, \"field_exists\": true, \"size\": 8}, "
    "{\"field\": \"row\", \"version_id\": 0, \"field_exists\": false, \"size\": 2, \"num\": 5}, "
    "{\"field\": \"at\", \"version_id\": 0, \"field_exists\": false, \"size\": 8, "
    "\"Description\": " POINT "}, "
    "{\"field\": \"corner\", \"version_id\": 0, \"field_exists\": false, \"size\": 8, \"num\": 4, "
    "\"Description\": " POINT "}, "
    "{\"field\": \"on\", \"version_id\": 0, \"field_exists\": false, \"size\": 1}, "
    "{\"field\": \"unused\", \"version_id\": 0, \"field_exists\": false, \"size\": 7}, "
    "{\"field\": \"late\", \"version_id\": 2, \"field_exists\": false, \"size\": 4}], "
    "\"Subsections\": [{\"name\": \"sample/seldom\", \"version_id\": 1, "
    "\"minimum_version_id\": 1, \"Fields\": ["
    "{\"field\": \"seldom\", \"version_id\": 0, \"field_exists\": false, \"size\": 4}]}]}}}";

/* The same JSON on one line. */
static char *on_one_line(const char *text, size_t size)
{
    struct error err = ERROR_INIT;
    json_t *dump = vmstate_parse("dump", text, size, &err);
    cr_assert(dump, "%s", err.message);
    char *line = json_dumps(dump, 0);
    json_decref(dump);
    return line;
}

Test(vmstate_dump, everything)
{
    const struct fields *const table[] = {&sample_fields};
    struct buffer out = {0};
    vmstate_dump("board", table, 1, &out);
    char *line = on_one_line((const char *)out.data, out.size);
    cr_expect_str_eq(line, wanted);
    free(line);
    buffer_fini(&out);
}

Test(vmstate_dump, board_is_the_same_each_time)
{
    struct buffer first = {0}, second = {0};
    vmstate_dump_virt(&first);
    vmstate_dump_virt(&second);
    cr_expect_str_eq(buffer_text(&first), buffer_text(&second));
    cr_expect(first.size > 1000 && first.data[first.size - 1] == '\n');
    buffer_fini(&first);
    buffer_fini(&second);
}
