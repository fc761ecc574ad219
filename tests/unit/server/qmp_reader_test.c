/* JSON out of a stream, and what is a request. */
#include "server/qmp_reader.h"
#include "server/qmp_request.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

/* All items of `text` fed in pieces, as JSON or `!error`, separated by newlines. */
static const char *read_all(const char *text, size_t size, size_t piece)
{
    static struct buffer out;
    struct qmp_reader reader = {0};
    buffer_clear(&out);
    while (size) {
        const uint8_t *bytes = (const uint8_t *)text;
        size_t left = piece < size ? piece : size;
        text += left;
        size -= left;
        for (;;) {
            struct error err = ERROR_INIT;
            json_t *value;
            enum qmp_item item = qmp_reader_next(&reader, &bytes, &left, &value, &err);
            if (item == QMP_ITEM_NONE)
                break;
            char *dump = value ? json_dumps(value, JSON_COMPACT) : NULL;
            buffer_printf(&out, "%s%s\n", dump ? "" : "!", dump ? dump : err.message);
            free(dump);
            json_decref(value);
        }
        cr_assert_eq(left, 0);
    }
    qmp_reader_fini(&reader);
    return buffer_text(&out);
}

#define BAD "!JSON parse error, "
#define NO_OBJECT "!QMP input must be a JSON object\n"

static const struct {
    const char *text, *items;
} cases[] = {
    {"", ""},
    {" \r\n\t", ""},
    {"{}", "{}\n"},
    {"{}{ }\n{\"a\" : [ 1 , -2.5e3,true,false,null,{} ] }",
     "{}\n{}\n{\"a\":[1,-2500.0,true,false,null,{}]}\n"},
    {"{'a':'b\"c\\'d','e\\u0041':\"'\\\"\\\\\"}", "{\"a\":\"b\\\"c'd\",\"eA\":\"'\\\"\\\\\"}\n"},
    {"{\"a\":\"}{[\"}", "{\"a\":\"}{[\"}\n"},
    {"[1]", NO_OBJECT},
    {"1 ", NO_OBJECT},
    {"\"x\" 'y'", NO_OBJECT NO_OBJECT},
    {"null true\nfalse ", NO_OBJECT NO_OBJECT NO_OBJECT},
    {"}", BAD "expecting value\n"},
    {"{]{}", BAD "expecting value\n{}\n"},
    {",{}", BAD "expecting value\n{}\n"},
    {"{\"a\":1,}{}", BAD "expecting value\n{}\n"},
    {"{\"a\":,}", BAD "expecting value\n"},
    {"{\"a\":1 \"b\"}", BAD "expected separator in dict\n"},
    {"{\"a\":[1 2]}", BAD "expected separator in list\n"},
    {"{\"a\" 1}", BAD "missing : in object pair\n"},
    {"{1:2}", BAD "key is not a string in object\n"},
    {"{\"a\":1,\"a\":2}", BAD "duplicate key\n"},
    {"{\"a\":\"\\q\"}", BAD "invalid escape sequence in string\n"},
    {"{\"a\":\"\xff\"}", BAD "invalid UTF-8 sequence in string\n"},
    {"garbage {}", BAD "invalid keyword 'garbage'\n{}\n"},
    {"{\"a\":nul}{}", BAD "invalid keyword 'nul'\n{}\n"},
    {"@ @ @\n{}", BAD "stray '@'\n{}\n"},
    {"{\"a\":\"b\nc\"}", BAD "stray '\"b\n'\n" BAD "expecting value\n"},
    {"{\"a\":9223372036854775807}", "{\"a\":9223372036854775807}\n"},
    {"{\"a\":-9223372036854775808}", "{\"a\":-9223372036854775808}\n"},
    {"{\"a\":9223372036854775808}", "{\"a\":\"0x8000000000000000\"}\n"},
    {"{\"a\":18446744073709551615}", "{\"a\":\"0xffffffffffffffff\"}\n"},
    {"{\"a\":18446744073709551616}", "{\"a\":1.8446744073709552e19}\n"},
    {"{\"a\":-9223372036854775809}", "{\"a\":-9.2233720368547758e18}\n"},
};

Test(qmp_reader, items)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t size = strlen(cases[i].text);
        for (size_t piece = 1; piece <= size + 1; piece++)
            cr_expect_str_eq(read_all(cases[i].text, size, piece), cases[i].items,
                             "`%s` in pieces of %zu", cases[i].text, piece);
    }
}

Test(qmp_reader, zero_bytes)
{
    cr_expect_str_eq(read_all("\0\n{}", 4, 4), BAD "stray ''\n{}\n");
    cr_expect_str_eq(read_all("{\"a\":\"\\u0000\"}", 14, 14),
                     BAD "invalid escape sequence in string\n");
}

Test(qmp_reader, depth)
{
    struct buffer text = {0};
    for (int i = 0; i < QMP_DEPTH_MOST - 1; i++)
        buffer_append_byte(&text, '[');
    for (int i = 0; i < QMP_DEPTH_MOST - 1; i++)
        buffer_append_byte(&text, ']');
    cr_expect_str_eq(read_all((char *)text.data, text.size, text.size), NO_OBJECT);
    buffer_clear(&text);
    for (int i = 0; i < QMP_DEPTH_MOST + 1; i++)
        buffer_append_byte(&text, i % 2 ? '{' : '[');
    cr_expect_str_eq(read_all((char *)text.data, text.size, 7),
                     "!JSON nesting depth limit exceeded\n");
    buffer_fini(&text);
}

Test(qmp_reader, size)
{
    struct qmp_reader reader = {0};
    struct error err = ERROR_INIT;
    static uint8_t text[4096];
    enum qmp_item item = QMP_ITEM_NONE;
    json_t *value;
    memset(text, 'a', sizeof text);
    text[0] = '"';
    size_t fed = 0;
    for (; item == QMP_ITEM_NONE; fed += sizeof text, text[0] = 'a') {
        const uint8_t *bytes = text;
        size_t left = sizeof text;
        item = qmp_reader_next(&reader, &bytes, &left, &value, &err);
        cr_assert_leq(fed, QMP_VALUE_MOST + sizeof text);
    }
    cr_expect_eq(item, QMP_ITEM_LARGE);
    cr_expect_str_eq(err.message, "JSON token size limit exceeded");
    qmp_reader_fini(&reader);
}

/* ---- requests ---- */

static const char *request_error(const char *text)
{
    static struct error err;
    struct qmp_request request;
    err = (struct error)ERROR_INIT;
    bool good = qmp_request_init(&request, json_loads(text, 0, NULL), &err);
    cr_expect_eq(good, !err.code);
    qmp_request_fini(&request);
    return err.message;
}

Test(qmp_request, members)
{
    cr_expect_str_eq(request_error("{\"execute\":\"a\",\"id\":[],\"arguments\":{}}"), "");
    cr_expect_str_eq(request_error("{}"), "QMP input lacks member 'execute'");
    cr_expect_str_eq(request_error("{\"execute\":1}"),
                     "QMP input member 'execute' must be a string");
    cr_expect_str_eq(request_error("{\"arguments\":1}"),
                     "QMP input member 'arguments' must be an object");
    cr_expect_str_eq(request_error("{\"b\":1,\"execute\":\"a\"}"),
                     "QMP input member 'b' is unexpected");
}

Test(qmp_request, arguments)
{
    static const struct qmp_parameter parameter[] = {{"n", QMP_INTEGER, false},
                                                     {"s", QMP_STRING, true},
                                                     {"b", QMP_BOOLEAN, true},
                                                     {"l", QMP_ARRAY, true},
                                                     {"x", QMP_ANY, true}};
    static const struct {
        const char *text, *error;
    } rows[] = {
        {"{\"n\":1}", ""},
        {"{\"n\":1,\"s\":\"\",\"b\":true,\"l\":[],\"x\":null}", ""},
        {"{}", "Parameter 'n' is missing"},
        {"{\"s\":1,\"zz\":1}", "Parameter 'n' is missing"},
        {"{\"n\":1.0}", "Invalid parameter type for 'n', expected: integer"},
        {"{\"n\":1,\"s\":1}", "Invalid parameter type for 's', expected: string"},
        {"{\"n\":1,\"b\":1}", "Invalid parameter type for 'b', expected: boolean"},
        {"{\"n\":1,\"l\":{}}", "Invalid parameter type for 'l', expected: array"},
        {"{\"n\":1,\"zz\":1}", "Parameter 'zz' is unexpected"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct error err = ERROR_INIT;
        json_t *arguments = json_loads(rows[i].text, 0, NULL);
        qmp_arguments_check(arguments, parameter, sizeof parameter / sizeof *parameter, &err);
        cr_expect_str_eq(err.message, rows[i].error, "%s", rows[i].text);
        json_decref(arguments);
    }
    struct error err = ERROR_INIT;
    cr_expect(qmp_arguments_check(NULL, NULL, 0, &err));
    cr_expect_not(qmp_arguments_check(NULL, parameter, 1, &err));
}
