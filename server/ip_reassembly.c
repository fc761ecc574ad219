#include "server/ip_reassembly.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

#define LIFETIME_NS INT64_C(30000000000)

/* Offsets in a frame, of RFC 791's header behind that of ethernet. */
enum { TYPE = 12, IP = 14, LENGTH = IP + 2, ID = IP + 4, FRAGMENT = IP + 6, PROTOCOL = IP + 9 };
enum { CHECKSUM = IP + 10, ADDRESSES = IP + 12, OPTIONS = IP + 20, HEADERS_MOST = IP + 60 };
/* In the fragment field. */
enum { RESERVED = 0x8000, DONT_FRAGMENT = 0x4000, MORE = 0x2000, OFFSET = 0x1fff };

enum { DATAGRAMS = 8, UNIT = 8, UNITS = OFFSET + 1, LENGTH_MOST = 65535 };

/* What all fragments of a datagram have in common. */
struct key {
    uint8_t addresses[8];
    uint8_t id[2];
    uint8_t protocol;
};

struct fragment {
    struct key key;
    size_t headers; /* bytes, ethernet's included */
    size_t offset, size;
    bool last;
};

struct datagram {
    struct key key;
    int64_t began_ns;
    uint64_t number;               /* in the order of arrival; 0: this one is free */
    uint8_t headers[HEADERS_MOST]; /* of the fragment at 0 */
    size_t headers_size;           /* 0: it has not come */
    size_t total;                  /* bytes of data; 0: the last fragment has not come */
    size_t units_here;
    bool here[UNITS];
    uint8_t data[UNITS * UNIT];
};

struct ip_reassembly {
    struct datagram datagram[DATAGRAMS];
    uint64_t count;
    struct buffer whole;
};

struct ip_reassembly *ip_reassembly_new(void)
{
    return mem_new(1, sizeof(struct ip_reassembly));
}

void ip_reassembly_free(struct ip_reassembly *r)
{
    if (r)
        buffer_fini(&r->whole);
    free(r);
}

static uint16_t get16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static void put16(uint8_t *p, size_t value)
{
    p[0] = (uint8_t)(value >> 8);
    p[1] = (uint8_t)value;
}

/* RFC 1071; 0 over a header whose checksum is right. */
static uint16_t header_checksum(const uint8_t *header, size_t size)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < size; i += 2)
        sum += get16(header + i);
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

bool ip_is_fragment(const uint8_t *frame, size_t size)
{
    return size >= FRAGMENT + 2 && get16(frame + TYPE) == 0x0800 &&
           get16(frame + FRAGMENT) & ~DONT_FRAGMENT;
}

static bool parse(const uint8_t *frame, size_t size, struct fragment *f)
{
    if (size < OPTIONS || frame[IP] >> 4 != 4)
        return false;
    size_t header = (frame[IP] & 15u) * 4, length = get16(frame + LENGTH);
    uint16_t field = get16(frame + FRAGMENT);
    if (header < OPTIONS - IP || length <= header || length > size - IP || field & RESERVED ||
        header_checksum(frame + IP, header))
        return false;
    f->headers = IP + header;
    f->offset = (size_t)(field & OFFSET) * UNIT;
    f->size = length - header;
    f->last = !(field & MORE);
    memcpy(f->key.addresses, frame + ADDRESSES, sizeof f->key.addresses);
    memcpy(f->key.id, frame + ID, sizeof f->key.id);
    f->key.protocol = frame[PROTOCOL];
    return (f->last || f->size % UNIT == 0) && f->offset + f->size <= LENGTH_MOST - header;
}

/* The one with that key, or a fresh one. */
static struct datagram *find(struct ip_reassembly *r, const struct key *key, int64_t now_ns)
{
    struct datagram *oldest = r->datagram;
    for (struct datagram *d = r->datagram; d < r->datagram + DATAGRAMS; d++) {
        if (now_ns - d->began_ns > LIFETIME_NS)
            d->number = 0;
        if (d->number && !memcmp(&d->key, key, sizeof *key))
            return d;
        if (d->number < oldest->number)
            oldest = d;
    }
    memset(oldest, 0, sizeof *oldest);
    oldest->key = *key;
    oldest->began_ns = now_ns;
    oldest->number = ++r->count;
    return oldest;
}

/* False: it contradicts what came before. Where fragments overlap, the later one counts. */
static bool place(struct datagram *d, const struct fragment *f, const uint8_t *frame)
{
    size_t end = f->offset + f->size;
    if (d->total && (f->last ? end != d->total : end > d->total))
        return false;
    if (f->last)
        d->total = end;
    if (!f->offset) {
        memcpy(d->headers, frame, f->headers);
        d->headers_size = f->headers;
    }
    memcpy(d->data + f->offset, frame + f->headers, f->size);
    for (size_t unit = f->offset / UNIT; unit * UNIT < end; unit++) {
        d->units_here += !d->here[unit];
        d->here[unit] = true;
    }
    return true;
}

static bool is_whole(const struct datagram *d)
{
    size_t units = (d->total + UNIT - 1) / UNIT;
    for (size_t i = 0; d->units_here >= units && i < units; i++)
        if (!d->here[i])
            return false;
    return units && d->units_here == units && d->headers_size &&
           d->headers_size - IP + d->total <= LENGTH_MOST;
}

static const struct buffer *assemble(struct ip_reassembly *r, struct datagram *d)
{
    size_t header = d->headers_size - IP;
    put16(d->headers + LENGTH, header + d->total);
    put16(d->headers + FRAGMENT, 0);
    put16(d->headers + CHECKSUM, 0);
    put16(d->headers + CHECKSUM, header_checksum(d->headers + IP, header));
    buffer_clear(&r->whole);
    buffer_append(&r->whole, d->headers, d->headers_size);
    buffer_append(&r->whole, d->data, d->total);
    d->number = 0;
    return &r->whole;
}

bool ip_reassembly_add(struct ip_reassembly *r, const uint8_t *frame, size_t size, int64_t now_ns,
                       const struct buffer **whole)
{
    struct fragment f = {.offset = 0};
    *whole = NULL;
    if (!parse(frame, size, &f))
        return false;
    struct datagram *d = find(r, &f.key, now_ns);
    if (!place(d, &f, frame)) {
        d->number = 0;
        return false;
    }
    if (is_whole(d))
        *whole = assemble(r, d);
    return true;
}
