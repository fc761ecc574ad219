#include "rsp/packet.h"

#include "base/hash.h"

#include <criterion/criterion.h>
#include <string.h>

/* Feed `size` bytes in pieces of at most `piece` (0: random), and write what comes out as text: a
 * payload as `<...>`, the other items as one letter. */
static void feed(struct rsp_framer *framer, const void *stream, size_t size, size_t piece,
                 uint64_t *seed, struct buffer *out)
{
    static const char letters[] = {[RSP_ITEM_BAD_CHECKSUM] = 'B',
                                   [RSP_ITEM_TOO_LONG] = 'L',
                                   [RSP_ITEM_INTERRUPT] = 'I',
                                   [RSP_ITEM_ACK] = '+',
                                   [RSP_ITEM_NACK] = '-'};
    const uint8_t *at = stream;
    while (size) {
        size_t count = piece ? piece : 1 + (*seed = hash_mix(*seed + 1)) % 19;
        if (count > size)
            count = size;
        size -= count;
        for (enum rsp_item item; (item = rsp_framer_next(framer, &at, &count)) != RSP_ITEM_NONE;) {
            if (item != RSP_ITEM_PACKET) {
                buffer_append_byte(out, (uint8_t)letters[item]);
                continue;
            }
            buffer_append_byte(out, '<');
            buffer_append(out, framer->payload.data, framer->payload.size);
            buffer_append_byte(out, '>');
        }
        cr_assert_eq(count, 0, "every byte is used up");
    }
}

static void expect_items(const void *stream, size_t size, const char *expected)
{
    for (size_t piece = 1; piece <= size + 1; piece++) {
        struct rsp_framer framer;
        struct buffer out = {0};
        rsp_framer_init(&framer);
        feed(&framer, stream, size, piece, NULL, &out);
        cr_expect_str_eq(buffer_text(&out), expected, "in pieces of %zu: %s", piece,
                         buffer_text(&out));
        rsp_framer_fini(&framer);
        buffer_fini(&out);
    }
}

#define EXPECT_ITEMS(stream, expected) expect_items(stream, sizeof(stream) - 1, expected)

Test(rsp_packet, one_packet)
{
    EXPECT_ITEMS("$g#67", "<g>");
    EXPECT_ITEMS("$#00", "<>");
    EXPECT_ITEMS("$OK#9a", "<OK>");
    EXPECT_ITEMS("$OK#9A", "<OK>");
}

Test(rsp_packet, pipelined_with_acks)
{
    EXPECT_ITEMS("+$g#67+$?#3f-", "+<g>+<?>-");
    EXPECT_ITEMS("$g#67$g#67$?#3f", "<g><g><?>");
}

Test(rsp_packet, garbage_between_packets)
{
    EXPECT_ITEMS("abc#}*\xff\n$g#67zz#99$?#3f\r\n", "<g><?>");
}

Test(rsp_packet, interrupt_only_outside_a_packet)
{
    EXPECT_ITEMS("\x03$g#67\x03\x03", "I<g>II");
    EXPECT_ITEMS("$a\x03#64", "<a\x03>");
}

Test(rsp_packet, bad_checksum)
{
    EXPECT_ITEMS("$g#68", "B");
    EXPECT_ITEMS("$g#zz", "B");
    EXPECT_ITEMS("$g#6z$g#67", "B<g>");
    EXPECT_ITEMS("$g#z7$g#67", "B<g>");
    EXPECT_ITEMS("$g#+7$g#67", "B<g>");
}

Test(rsp_packet, escapes)
{
    EXPECT_ITEMS("$a}\x03}\x04}]}\x0a"
                 "b#25",
                 "<a#$}*b>");
    EXPECT_ITEMS("$a*b#ed", "<a*b>");
    /* The sum is right, yet an escape lacks its byte. */
    EXPECT_ITEMS("$a}#de$g#67", "B<g>");
}

Test(rsp_packet, a_dollar_starts_again)
{
    EXPECT_ITEMS("$m80000$g#67", "<g>");
    EXPECT_ITEMS("$m8}$g#67", "<g>");
    EXPECT_ITEMS("$$$g#67", "<g>");
    EXPECT_ITEMS("$m8#$g#67", "B<g>");
    EXPECT_ITEMS("$m8#1$g#67", "B<g>");
}

static void append_long(struct buffer *stream, size_t size)
{
    uint8_t *bytes = malloc(size + 1);
    memset(bytes, 'a', size);
    rsp_packet_append(stream, bytes, size);
    free(bytes);
}

Test(rsp_packet, the_longest_payload_is_taken)
{
    struct buffer stream = {0};
    append_long(&stream, RSP_PACKET_SIZE);
    struct rsp_framer framer;
    rsp_framer_init(&framer);
    const uint8_t *at = stream.data;
    size_t left = stream.size;
    cr_assert_eq(rsp_framer_next(&framer, &at, &left), RSP_ITEM_PACKET);
    cr_expect_eq(framer.payload.size, (size_t)RSP_PACKET_SIZE);
    cr_expect_eq(left, 0);
    rsp_framer_fini(&framer);
    buffer_fini(&stream);
}

Test(rsp_packet, too_long_is_swallowed_and_reported_once)
{
    struct buffer stream = {0}, out = {0};
    append_long(&stream, RSP_PACKET_SIZE + 1);
    append_long(&stream, 20 * RSP_PACKET_SIZE);
    buffer_append_string(&stream, "$g#67");
    for (size_t piece = 1; piece < 100000; piece = piece * 9 + 1) {
        struct rsp_framer framer;
        rsp_framer_init(&framer);
        buffer_clear(&out);
        feed(&framer, stream.data, stream.size, piece, NULL, &out);
        cr_expect_str_eq(buffer_text(&out), "LL<g>");
        cr_expect_leq(framer.payload.capacity, (size_t)2 * RSP_PACKET_SIZE);
        rsp_framer_fini(&framer);
    }
    buffer_fini(&stream);
    buffer_fini(&out);
}

Test(rsp_packet, too_long_and_torn)
{
    struct buffer stream = {0}, out = {0};
    append_long(&stream, RSP_PACKET_SIZE + 5);
    stream.size -= 3;
    buffer_append_string(&stream, "$g#67");
    struct rsp_framer framer;
    rsp_framer_init(&framer);
    feed(&framer, stream.data, stream.size, stream.size, NULL, &out);
    cr_expect_str_eq(buffer_text(&out), "L<g>");
    rsp_framer_fini(&framer);
    buffer_fini(&stream);
    buffer_fini(&out);
}

Test(rsp_packet, escapes_count_once)
{
    struct buffer stream = {0}, out = {0};
    uint8_t *bytes = malloc(RSP_PACKET_SIZE);
    memset(bytes, '#', RSP_PACKET_SIZE);
    rsp_packet_append(&stream, bytes, RSP_PACKET_SIZE);
    cr_expect_eq(stream.size, (size_t)2 * RSP_PACKET_SIZE + 4);
    struct rsp_framer framer;
    rsp_framer_init(&framer);
    feed(&framer, stream.data, stream.size, 4096, NULL, &out);
    cr_assert_eq(out.size, (size_t)RSP_PACKET_SIZE + 2);
    cr_expect_arr_eq(out.data + 1, bytes, RSP_PACKET_SIZE);
    rsp_framer_fini(&framer);
    free(bytes);
    buffer_fini(&stream);
    buffer_fini(&out);
}

Test(rsp_packet, encoder)
{
    struct buffer out = {0};
    buffer_append_string(&out, "+");
    rsp_packet_append(&out, "OK", 2);
    rsp_packet_append(&out, NULL, 0);
    rsp_packet_append(&out, "#$}*", 4);
    cr_expect_str_eq(buffer_text(&out), "+$OK#9a$#00$}\x03}\x04}]}\x0a#62");
    buffer_fini(&out);
}

/* Random bytes, rich in those that mean something. */
static uint8_t random_byte(uint64_t *seed)
{
    static const uint8_t special[] = "$#}*+-\x03"
                                     "0a";
    uint64_t r = *seed = hash_mix(*seed + 1);
    return r % 3 ? (uint8_t)(r >> 8) : special[(r >> 8) % (sizeof special - 1)];
}

Test(rsp_packet, how_a_stream_is_cut_changes_nothing)
{
    uint64_t seed = 20;
    for (int round = 0; round < 300; round++) {
        struct buffer stream = {0}, whole = {0};
        for (int part = 0; part < 20; part++) {
            uint8_t bytes[64];
            size_t size = (seed = hash_mix(seed + 1)) % sizeof bytes;
            for (size_t i = 0; i < size; i++)
                bytes[i] = random_byte(&seed);
            if (seed % 2)
                rsp_packet_append(&stream, bytes, size);
            else
                buffer_append(&stream, bytes, size);
        }
        struct rsp_framer framer;
        rsp_framer_init(&framer);
        feed(&framer, stream.data, stream.size, stream.size + 1, NULL, &whole);
        rsp_framer_fini(&framer);
        for (int cut = 0; cut < 10; cut++) {
            struct buffer pieces = {0};
            rsp_framer_init(&framer);
            feed(&framer, stream.data, stream.size, 0, &seed, &pieces);
            cr_assert_eq(pieces.size, whole.size);
            cr_assert_arr_eq(pieces.data, whole.data, whole.size);
            rsp_framer_fini(&framer);
            buffer_fini(&pieces);
        }
        buffer_fini(&stream);
        buffer_fini(&whole);
    }
}

Test(rsp_packet, what_is_encoded_is_framed_back)
{
    uint64_t seed = 7;
    struct rsp_framer framer;
    rsp_framer_init(&framer);
    for (int round = 0; round < 2000; round++) {
        uint8_t bytes[300];
        size_t size = (seed = hash_mix(seed + 1)) % sizeof bytes;
        for (size_t i = 0; i < size; i++)
            bytes[i] = random_byte(&seed);
        struct buffer stream = {0};
        rsp_packet_append(&stream, bytes, size);
        cr_expect_null(memchr(stream.data, '*', stream.size));
        const uint8_t *at = stream.data;
        size_t left = stream.size;
        cr_assert_eq(rsp_framer_next(&framer, &at, &left), RSP_ITEM_PACKET);
        cr_assert_eq(left, 0);
        cr_assert_eq(framer.payload.size, size);
        cr_assert(!size || memcmp(framer.payload.data, bytes, size) == 0);
        buffer_fini(&stream);
    }
    rsp_framer_fini(&framer);
}
