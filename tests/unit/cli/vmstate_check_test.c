/* Bounds of the checker: what tests/scripts/vmstate_test.py cannot see from outside. */
#include "base/buffer.h"
#include "cli/vmstate_check.h"
#include "cli/vmstate_model.h"
#include "cli/vmstate_renames.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static json_t *parse(const char *text)
{
    struct error err = ERROR_INIT;
    json_t *dump = vmstate_parse("text", text, strlen(text), &err);
    cr_assert(dump, "%s", err.message);
    return dump;
}

static void append(void *ctx, const char *text)
{
    buffer_append_string(ctx, text);
}

static uint64_t check_texts(const char *src, const char *dest, struct buffer *said)
{
    const struct vmstate_report report = {append, said};
    struct error err = ERROR_INIT;
    uint64_t findings = 0;
    json_t *a = parse(src), *b = parse(dest);
    cr_expect(vmstate_check(a, b, &report, &findings, &err), "%s", err.message);
    json_decref(a);
    json_decref(b);
    return findings;
}

#define FIELDS_OF(fields)                                                                          \
    "{\"a\": {\"version_id\": 1, \"Description\": {\"name\": \"a\", \"version_id\": 1, "           \
    "\"Fields\": [" fields "]}}}"
#define FIELD_OF(name, size, num)                                                                  \
    "{\"field\": \"" name "\", \"version_id\": 0, \"size\": " size ", \"num\": " num "}"

/* 2^62 times 2^62 is not the same as 2^124 + 1. */
Test(vmstate_check, totals_do_not_overflow)
{
    struct buffer said = {0};
    const char *large = FIELDS_OF(FIELD_OF("x", "4611686018427387904", "4611686018427387904"));
    const char *unused =
        FIELDS_OF(FIELD_OF("unused", "4611686018427387904", "4611686018427387904"));
    const char *zero = FIELDS_OF(FIELD_OF("unused", "0", "0") ", " FIELD_OF("y", "1", "1"));
    cr_expect_eq(check_texts(large, unused, &said), 0);
    cr_expect_eq(said.size, 0);
    cr_expect_eq(check_texts(zero, large, &said), 1);
    cr_expect_str_eq(buffer_text(&said), "Section \"a\", Description \"a\": expected field "
                                         "\"unused\", while dest has no further fields\n");
    buffer_fini(&said);
}

Test(vmstate_check, the_longest_names_are_whole)
{
    char name[VMSTATE_NAME_MOST + 1], text[8 * VMSTATE_NAME_MOST], wanted[8 * VMSTATE_NAME_MOST];
    memset(name, 'n', VMSTATE_NAME_MOST);
    name[VMSTATE_NAME_MOST] = 0;
    snprintf(text, sizeof text,
             "{\"%s\": {\"version_id\": 1, \"Description\": {\"name\": \"%s\", \"version_id\": 1, "
             "\"Fields\": [{\"field\": \"%s\", \"version_id\": 0, \"size\": 4, "
             "\"Description\": {\"name\": \"x\", \"version_id\": 0}}]}}}",
             name, name, name);
    snprintf(wanted, sizeof wanted,
             "Section \"%s\", Description \"%s\", Field \"%s\": missing description\n", name, name,
             name);
    char *plain = strdup(text);
    char *inner = strstr(plain, ", \"Description\": {\"name\": \"x\"");
    strcpy(inner, "}]}}}");
    struct buffer said = {0};
    cr_expect_eq(check_texts(text, plain, &said), 1);
    cr_expect_str_eq(buffer_text(&said), wanted);
    buffer_fini(&said);
    free(plain);
}

Test(vmstate_check, nothing_is_said_after_the_last_step)
{
    struct buffer text = {0};
    buffer_append_string(&text, "{\"a\": {\"version_id\": 1, \"Description\": {\"name\": \"a\", "
                                "\"version_id\": 1, \"Subsections\": [");
    for (int i = 0; i < 6000; i++)
        buffer_printf(&text, "%s{\"name\": \"%d\", \"version_id\": 1}", i ? ", " : "", i);
    buffer_append_string(&text, "]}}, \"b\": {\"version_id\": 1}}");
    char *other = strdup(buffer_text(&text));
    memcpy(strstr(other, "\"b\""), "\"c\"", 3);
    json_t *src = parse(buffer_text(&text)), *dest = parse(other);
    struct buffer said = {0};
    const struct vmstate_report report = {append, &said};
    struct error err = ERROR_INIT;
    uint64_t findings = 0;
    cr_expect_not(vmstate_check(src, dest, &report, &findings, &err));
    cr_expect(strstr(err.message, "too long"), "%s", err.message);
    cr_expect_eq(said.size, 0, "%s", buffer_text(&said));
    json_decref(src);
    json_decref(dest);
    buffer_fini(&text);
    buffer_fini(&said);
    free(other);
}

Test(vmstate_renames, both_ways_and_nowhere_else)
{
    cr_expect_str_eq(vmstate_section_renamed("e1000"), "e1000-82540em");
    cr_expect_str_eq(vmstate_section_renamed("e1000-82540em"), "e1000");
    cr_expect_null(vmstate_section_renamed("uart16550"));
    cr_expect_null(vmstate_section_renamed(""));
    cr_expect(vmstate_same_field("anything", "x", "x"));
    cr_expect(vmstate_same_field("piix4_pm", "dev", "ar.gpe"));
    cr_expect(vmstate_same_field("piix4_pm", "ar.gpe", "dev"));
    cr_expect_not(vmstate_same_field("piix4", "ar.gpe", "dev"));
    cr_expect_not(vmstate_same_field("piix4_pm", "dev", "devs"));
}
