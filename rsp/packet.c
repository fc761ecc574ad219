#include "rsp/packet.h"

#include "base/check.h"
#include "base/hex.h"

#include <string.h>

void rsp_framer_init(struct rsp_framer *framer)
{
    memset(framer, 0, sizeof *framer);
}

void rsp_framer_fini(struct rsp_framer *framer)
{
    buffer_fini(&framer->payload);
    rsp_framer_init(framer);
}

static void start_packet(struct rsp_framer *framer)
{
    buffer_clear(&framer->payload);
    framer->state = RSP_FRAMER_DATA;
    framer->sum = 0;
    framer->damaged = false;
    framer->too_long = false;
}

static void add_data(struct rsp_framer *framer, const uint8_t *bytes, size_t count)
{
    size_t room = RSP_PACKET_SIZE - framer->payload.size;
    if (count > room) {
        framer->too_long = true;
        count = room;
    }
    buffer_append(&framer->payload, bytes, count);
}

static enum rsp_item idle_byte(struct rsp_framer *framer, uint8_t byte)
{
    switch (byte) {
    case '$':
        start_packet(framer);
        return RSP_ITEM_NONE;
    case '+':
        return RSP_ITEM_ACK;
    case '-':
        return RSP_ITEM_NACK;
    case 0x03:
        return RSP_ITEM_INTERRUPT;
    default:
        return RSP_ITEM_NONE;
    }
}

/* The bytes before the next one that is not plain data are taken at once. Returns how many. */
static size_t take_plain(struct rsp_framer *framer, const uint8_t *bytes, size_t size)
{
    size_t count = 0;
    uint8_t sum = framer->sum;
    while (count < size && bytes[count] != '#' && bytes[count] != '$' && bytes[count] != '}')
        sum = (uint8_t)(sum + bytes[count++]);
    framer->sum = sum;
    add_data(framer, bytes, count);
    return count;
}

/* A `$` inside a packet: it stays, to be looked at again when the framer is idle. */
static enum rsp_item cut_short(struct rsp_framer *framer)
{
    framer->state = RSP_FRAMER_IDLE;
    return framer->too_long ? RSP_ITEM_TOO_LONG : RSP_ITEM_NONE;
}

static size_t data_bytes(struct rsp_framer *framer, const uint8_t *bytes, size_t size,
                         enum rsp_item *item)
{
    switch (bytes[0]) {
    case '$':
        *item = cut_short(framer);
        return 0;
    case '#':
        framer->state = RSP_FRAMER_SUM_HIGH;
        return 1;
    case '}':
        framer->sum = (uint8_t)(framer->sum + '}');
        framer->state = RSP_FRAMER_ESCAPED;
        return 1;
    default:
        return take_plain(framer, bytes, size);
    }
}

static size_t escaped_byte(struct rsp_framer *framer, uint8_t byte)
{
    framer->state = RSP_FRAMER_DATA;
    if (byte == '#' || byte == '$') {
        framer->damaged = true;
        return 0;
    }
    framer->sum = (uint8_t)(framer->sum + byte);
    byte ^= 0x20;
    add_data(framer, &byte, 1);
    return 1;
}

static enum rsp_item finish_packet(struct rsp_framer *framer, uint8_t low_digit)
{
    int low = hex_digit((char)low_digit);
    framer->state = RSP_FRAMER_IDLE;
    if (framer->too_long)
        return RSP_ITEM_TOO_LONG;
    if (framer->damaged || framer->sum_high < 0 || low < 0)
        return RSP_ITEM_BAD_CHECKSUM;
    bool good = framer->sum == (framer->sum_high << 4 | low);
    return good ? RSP_ITEM_PACKET : RSP_ITEM_BAD_CHECKSUM;
}

/* Returns how many bytes were taken: none only when the state has changed instead. */
static size_t take(struct rsp_framer *framer, const uint8_t *bytes, size_t size,
                   enum rsp_item *item)
{
    uint8_t byte = bytes[0];
    switch (framer->state) {
    case RSP_FRAMER_IDLE:
        *item = idle_byte(framer, byte);
        return 1;
    case RSP_FRAMER_DATA:
        return data_bytes(framer, bytes, size, item);
    case RSP_FRAMER_ESCAPED:
        return escaped_byte(framer, byte);
    case RSP_FRAMER_SUM_HIGH:
        framer->sum_high = (int8_t)hex_digit((char)byte);
        framer->state = RSP_FRAMER_SUM_LOW;
        return byte != '$'; /* a `$` is no digit: SUM_LOW then ends the packet and leaves it */
    case RSP_FRAMER_SUM_LOW:
        *item = finish_packet(framer, byte);
        return byte != '$';
    }
    check(false, "framer state %d", framer->state);
    return size;
}

enum rsp_item rsp_framer_next(struct rsp_framer *framer, const uint8_t **bytes, size_t *size)
{
    enum rsp_item item = RSP_ITEM_NONE;
    while (*size && item == RSP_ITEM_NONE) {
        size_t taken = take(framer, *bytes, *size, &item);
        *bytes += taken;
        *size -= taken;
    }
    return item;
}

void rsp_packet_append(struct buffer *out, const void *payload, size_t size)
{
    const uint8_t *in = payload;
    uint8_t sum = 0;
    uint8_t *p = buffer_extend(out, 2 * size + 2);
    *p++ = '$';
    for (size_t i = 0; i < size; i++) {
        uint8_t byte = in[i];
        if (byte == '#' || byte == '$' || byte == '}' || byte == '*') {
            sum = (uint8_t)(sum + '}');
            *p++ = '}';
            byte ^= 0x20;
        }
        sum = (uint8_t)(sum + byte);
        *p++ = byte;
    }
    *p++ = '#';
    out->size = (size_t)(p - out->data);
    hex_append(out, &sum, 1);
}
