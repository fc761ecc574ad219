/* Any bytes, cut anywhere, give the same values and complaints; what is read is strict JSON, and
 * what is said of it can be sent. */
#include "base/check.h"
#include "base/hash.h"
#include "server/qmp_reader.h"
#include "server/qmp_request.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t digest_text(const char *text, uint64_t digest)
{
    return hash_bytes(text, strlen(text), digest);
}

/* Takes `value`. */
static uint64_t digest_request(json_t *value, uint64_t digest)
{
    static const struct qmp_parameter parameter[] = {{"icount", QMP_INTEGER, false},
                                                     {"command-line", QMP_STRING, true},
                                                     {"l", QMP_ARRAY, true},
                                                     {"b", QMP_BOOLEAN, true}};
    struct qmp_request request;
    struct error err = ERROR_INIT;
    char *dump = json_dumps(value, JSON_ENSURE_ASCII);
    check(dump, "what was read cannot be written");
    digest = digest_text(dump, digest);
    free(dump);
    bool good = qmp_request_init(&request, value, &err);
    check(good == !err.code, "%s", err.message);
    if (good) {
        check(strlen(request.command) == json_string_length(json_object_get(value, "execute")),
              "a name with a zero byte");
        qmp_arguments_check(request.arguments, parameter, sizeof parameter / sizeof *parameter,
                            &err);
        qmp_string(&request, "command-line");
    }
    digest = digest_text(err.message, digest);
    qmp_request_fini(&request);
    return digest;
}

static uint64_t digest_items(const uint8_t *data, size_t size, size_t piece)
{
    struct qmp_reader reader = {0};
    uint64_t digest = 0;
    while (size) {
        size_t count = piece < size ? piece : size;
        size -= count;
        for (;;) {
            struct error err = ERROR_INIT;
            json_t *value;
            enum qmp_item item = qmp_reader_next(&reader, &data, &count, &value, &err);
            check(reader.text.size <= QMP_VALUE_MOST + 32, "%zu bytes", reader.text.size);
            check(reader.depth <= QMP_DEPTH_MOST, "%u brackets", reader.depth);
            check(!value == (item != QMP_ITEM_VALUE), "item %d", item);
            if (item == QMP_ITEM_NONE)
                break;
            digest = hash_mix(digest + item);
            check(value || err.message[0], "item %d says nothing", item);
            digest = value ? digest_request(value, digest) : digest_text(err.message, digest);
        }
        check(count == 0, "%zu bytes left", count);
    }
    qmp_reader_fini(&reader);
    return digest;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    size_t piece = 1 + data[0] % 16;
    uint64_t whole = digest_items(data + 1, size - 1, size);
    uint64_t pieces = digest_items(data + 1, size - 1, piece);
    check(whole == pieces, "pieces of %zu bytes give other items", piece);
    return 0;
}
