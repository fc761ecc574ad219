/* Any bytes, cut anywhere, give the same items; a payload that was framed survives encoding. */
#include "base/check.h"
#include "base/hash.h"
#include "rsp/packet.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_round_trip(const struct buffer *payload)
{
    struct buffer stream = {0};
    struct rsp_framer framer;
    rsp_framer_init(&framer);
    rsp_packet_append(&stream, payload->data, payload->size);
    const uint8_t *at = stream.data;
    size_t left = stream.size;
    enum rsp_item item = rsp_framer_next(&framer, &at, &left);
    check(item == RSP_ITEM_PACKET && left == 0, "item %d, %zu bytes left", item, left);
    check(framer.payload.size == payload->size, "%zu bytes", framer.payload.size);
    check(!payload->size || memcmp(framer.payload.data, payload->data, payload->size) == 0,
          "payload of %zu bytes", payload->size);
    rsp_framer_fini(&framer);
    buffer_fini(&stream);
}

/* The items in order, in a hash. */
static uint64_t digest_items(const uint8_t *data, size_t size, size_t piece)
{
    struct rsp_framer framer;
    rsp_framer_init(&framer);
    uint64_t digest = 0;
    while (size) {
        size_t count = piece < size ? piece : size;
        size -= count;
        for (enum rsp_item item; (item = rsp_framer_next(&framer, &data, &count));) {
            digest = hash_mix(digest + item);
            if (item != RSP_ITEM_PACKET)
                continue;
            check(framer.payload.size <= RSP_PACKET_SIZE, "%zu bytes", framer.payload.size);
            check_round_trip(&framer.payload);
            digest = hash_bytes(framer.payload.data, framer.payload.size, digest);
        }
        check(count == 0, "%zu bytes left", count);
    }
    rsp_framer_fini(&framer);
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
