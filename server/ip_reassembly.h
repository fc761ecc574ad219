/* Fragments of IPv4 datagrams (RFC 791) in ethernet frames, put together again. Bounded: a few
 * datagrams at a time, the oldest makes room; none waits longer than 30 seconds. */
#ifndef SERVER_IP_REASSEMBLY_H
#define SERVER_IP_REASSEMBLY_H

#include "base/buffer.h"

#include <stdbool.h>

struct ip_reassembly;

struct ip_reassembly *ip_reassembly_new(void);
void ip_reassembly_free(struct ip_reassembly *r);

/* Whether the frame holds IPv4 and its fragment field says more than don't-fragment. */
bool ip_is_fragment(const uint8_t *frame, size_t size);
/* Take one of those. False: it is malformed, and dropped. *whole is the datagram's frame when this
 * was what it lacked, good until the next call; else NULL. */
bool ip_reassembly_add(struct ip_reassembly *r, const uint8_t *frame, size_t size, int64_t now_ns,
                       const struct buffer **whole);

#endif
