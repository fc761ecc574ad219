/* Framing of the GDB remote serial protocol (gdb manual, appendix E.1): bytes to packets and back.
 *
 * A packet is `$` data `#` and two hex digits, the sum of the data bytes modulo 256 as they stand
 * on the wire. `}` says that the next byte was xored with 0x20. Run-length encoding exists only in
 * the direction from stub to gdb: a `*` that is received is an ordinary byte, and none is ever
 * sent. */
#ifndef RSP_PACKET_H
#define RSP_PACKET_H

#include "base/buffer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The largest payload taken, in bytes after unescaping; the value to offer as PacketSize (which
 * counts escaped bytes, so it promises no more than is kept). */
#define RSP_PACKET_SIZE 0x20000

enum rsp_item {
    RSP_ITEM_NONE,         /* all bytes are used up, nothing is complete */
    RSP_ITEM_PACKET,       /* a good one: see rsp_framer.payload */
    RSP_ITEM_BAD_CHECKSUM, /* a packet arrived damaged; with acks on, answer `-` */
    RSP_ITEM_TOO_LONG,     /* a packet over RSP_PACKET_SIZE was swallowed; its sum is not judged */
    RSP_ITEM_INTERRUPT,    /* a bare 0x03 between packets: Ctrl-C */
    RSP_ITEM_ACK,          /* `+` */
    RSP_ITEM_NACK          /* `-` */
};

enum rsp_framer_state {
    RSP_FRAMER_IDLE,
    RSP_FRAMER_DATA,
    RSP_FRAMER_ESCAPED,
    RSP_FRAMER_SUM_HIGH,
    RSP_FRAMER_SUM_LOW
};

struct rsp_framer {
    /* After RSP_ITEM_PACKET: the unescaped payload, the caller's to read and to change, until the
     * next rsp_framer_next. */
    struct buffer payload;
    enum rsp_framer_state state; /* this and the rest: private */
    uint8_t sum;                 /* of the data bytes so far */
    int8_t sum_high;             /* the first digit received; negative: not a digit */
    bool damaged;                /* an escape without its byte */
    bool too_long;
};

void rsp_framer_init(struct rsp_framer *framer);
void rsp_framer_fini(struct rsp_framer *framer);

/* Take bytes from *bytes up to the end of the next item and say what it is; *bytes and *size move
 * past what was taken. Call until RSP_ITEM_NONE, then again when more has arrived: how a stream is
 * cut into calls changes nothing. Bytes between packets that mean nothing are skipped. A `$` inside
 * a packet starts a new one (a `$` in data is escaped, so the first was cut off and will be sent
 * again): the torn one is dropped in silence, unless it was already too long or at its checksum.
 * Cost: linear in the bytes; memory: at most twice RSP_PACKET_SIZE. */
enum rsp_item rsp_framer_next(struct rsp_framer *framer, const uint8_t **bytes, size_t *size);

/* Append `payload` as one packet, with `#`, `$`, `}` and `*` escaped. Any bytes, also none. */
void rsp_packet_append(struct buffer *out, const void *payload, size_t size);

#endif
