/* Two texts, parted by a NUL: whatever they are, they are refused with a place or compared in both
 * directions; the report has as many findings as are counted; what was taken is taken again when it
 * is written out. */
#include "base/buffer.h"
#include "base/check.h"
#include "cli/vmstate_check.h"
#include "cli/vmstate_model.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static json_t *parse(const char *text, size_t size)
{
    struct error err = ERROR_INIT;
    json_t *dump = vmstate_parse("fuzz", text, size, &err);
    check(dump || !strncmp(err.message, "fuzz:", 5), "refused with %s", err.message);
    check(!dump || !*err.message, "taken with %s", err.message);
    return dump;
}

static void check_written(json_t *dump)
{
    char *text = json_dumps(dump, JSON_COMPACT | JSON_ENSURE_ASCII);
    check(text, "no text");
    json_t *again = parse(text, strlen(text));
    check(again && json_equal(dump, again), "another dump: %s", text);
    json_decref(again);
    free(text);
}

static void append(void *ctx, const char *text)
{
    buffer_append_string(ctx, text);
}

static void compare(json_t *src, json_t *dest)
{
    struct buffer text = {0};
    const struct vmstate_report report = {append, &text};
    struct error err = ERROR_INIT;
    uint64_t findings, lines = 0;
    if (vmstate_check(src, dest, &report, &findings, &err)) {
        for (size_t i = 0; i < text.size; i++)
            lines += text.data[i] == '\n';
        check(findings <= lines && lines <= findings + 1, "%llu findings, %llu lines",
              (unsigned long long)findings, (unsigned long long)lines);
    }
    buffer_fini(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size ? memchr(data, 0, size) : NULL;
    size_t first = end ? (size_t)(end - data) : size;
    json_t *src = parse((const char *)data, first);
    json_t *dest = end ? parse((const char *)end + 1, size - first - 1) : json_incref(src);
    if (src)
        check_written(src);
    if (src && dest) {
        compare(src, dest);
        compare(dest, src);
    }
    json_decref(src);
    json_decref(dest);
    return 0;
}
