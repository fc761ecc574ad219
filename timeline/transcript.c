#include "timeline/transcript.h"

#include "base/check.h"
#include "base/pack.h"
#include "base/plain_text.h"
#include "timeline/internal.h"

#include <stdlib.h>
#include <string.h>

/* A part takes in what follows within so many steps, up to a size. */
enum { PAUSE_STEPS = 100000, PART_MOST = 4096 };

struct part {
    uint64_t position, offset; /* offset: of its bytes since the beginning */
    uint32_t channel, size;
};

struct transcript {
    struct part *part; /* of numbers first onwards */
    size_t count, capacity;
    uint64_t first;
    struct buffer bytes;
    uint64_t offset; /* of bytes.data[0] */
    bool closed;
};

struct transcript *transcript_new(void)
{
    return mem_new(1, sizeof(struct transcript));
}

void transcript_free(struct transcript *t)
{
    buffer_fini(&t->bytes);
    free(t->part);
    free(t);
}

size_t transcript_bytes(const struct transcript *t)
{
    return sizeof *t + t->capacity * sizeof *t->part + t->bytes.capacity;
}

/* Half of what is kept goes at a time, so that a byte is moved once at most. */
static void forget_old(struct transcript *t)
{
    if (t->bytes.size < 2 * TRANSCRIPT_MOST)
        return;
    size_t gone = 0, bytes = 0;
    while (t->bytes.size - bytes > TRANSCRIPT_MOST)
        bytes += t->part[gone++].size;
    buffer_consume(&t->bytes, bytes);
    t->offset += bytes;
    memmove(t->part, t->part + gone, (t->count - gone) * sizeof *t->part);
    t->count -= gone;
    t->first += gone;
}

static struct part *add_part(struct transcript *t, uint64_t position, unsigned channel)
{
    forget_old(t);
    if (t->count == t->capacity) {
        t->capacity = t->capacity ? 2 * t->capacity : 64;
        t->part = mem_grow(t->part, t->capacity, sizeof *t->part);
    }
    t->part[t->count] = (struct part){position, t->offset + t->bytes.size, channel, 0};
    t->closed = false;
    return &t->part[t->count++];
}

static bool continues(const struct transcript *t, const struct part *last, uint64_t position,
                      unsigned channel)
{
    return !t->closed && last->channel == channel && last->size < PART_MOST &&
           position - last->position < PAUSE_STEPS;
}

void transcript_add(struct transcript *t, uint64_t position, unsigned channel, const uint8_t *bytes,
                    size_t size)
{
    while (size) {
        struct part *last = t->count ? &t->part[t->count - 1] : NULL;
        if (!last || !continues(t, last, position, channel))
            last = add_part(t, position, channel);
        const uint8_t *newline = memchr(bytes, '\n', size);
        size_t n = newline ? (size_t)(newline - bytes) + 1 : size;
        if (n > PART_MOST - last->size)
            n = PART_MOST - last->size;
        buffer_append(&t->bytes, bytes, n);
        last->size += (uint32_t)n;
        t->closed = bytes[n - 1] == '\n';
        bytes += n;
        size -= n;
    }
}

void transcript_close(struct transcript *t)
{
    t->closed = true;
}

uint64_t transcript_first(const struct transcript *t)
{
    return t->first;
}

uint64_t transcript_end(const struct transcript *t)
{
    return t->first + t->count;
}

struct transcript_part transcript_get(const struct transcript *t, uint64_t number)
{
    const struct part *p = &t->part[number - t->first];
    return (struct transcript_part){p->position, p->channel,
                                    t->bytes.data + (p->offset - t->offset), p->size};
}

/* ---- files: for each part position, channel, size, bytes ---- */

uint64_t transcript_pack(const struct transcript *t, uint64_t first, uint64_t end, size_t most,
                         struct buffer *out)
{
    size_t before = out->size;
    uint64_t n = first;
    do {
        struct transcript_part part = transcript_get(t, n);
        pack_varint(out, part.position);
        pack_varint(out, part.channel);
        pack_varint(out, part.size);
        buffer_append(out, part.bytes, part.size);
    } while (++n < end && out->size - before + PART_MOST + 30 <= most);
    return n;
}

bool transcript_unpack(struct transcript *t, uint64_t count, uint64_t to, const uint8_t *bytes,
                       size_t size)
{
    struct unpack u = {bytes, size, false};
    for (; count; count--) {
        uint64_t position = unpack_varint(&u), channel = unpack_varint(&u);
        uint64_t length = unpack_varint(&u);
        const struct part *last = t->count ? &t->part[t->count - 1] : NULL;
        if (u.failed || channel >= CHANNELS || !length || length > PART_MOST ||
            (last && position < last->position))
            return false;
        const uint8_t *text = unpack_bytes(&u, length);
        if (!text)
            return false;
        if (position > to)
            break;
        add_part(t, position, (unsigned)channel)->size = (uint32_t)length;
        buffer_append(&t->bytes, text, length);
    }
    t->closed = true;
    return true;
}

/* ---- for others ---- */

/* The first part at or behind a position. Parts are in order of position. */
static size_t part_at(const struct transcript *t, uint64_t position)
{
    size_t low = 0, high = t->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (t->part[middle].position < position)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct transcript *transcript_copy(const struct transcript *t, uint64_t position)
{
    struct transcript *copy = mem_new(1, sizeof *copy);
    size_t count = part_at(t, position);
    copy->first = t->first;
    copy->offset = t->offset;
    copy->count = copy->capacity = count;
    copy->closed = true;
    if (!count)
        return copy;
    const struct part *last = &t->part[count - 1];
    copy->part = mem_new(count, sizeof *copy->part);
    memcpy(copy->part, t->part, count * sizeof *copy->part);
    buffer_append(&copy->bytes, t->bytes.data, (size_t)(last->offset + last->size - t->offset));
    return copy;
}

void timeline_transcript(const struct timeline *tl, uint64_t from, uint64_t to,
                         bool (*each)(void *ctx, const struct transcript_part *part), void *ctx)
{
    const struct transcript *t = tl->transcript;
    for (size_t i = part_at(t, from); i < t->count && t->part[i].position < to; i++) {
        struct transcript_part part = transcript_get(t, t->first + i);
        if (!each(ctx, &part))
            return;
    }
}

void timeline_listen(struct timeline *tl,
                     void (*heard)(void *ctx, unsigned channel, const uint8_t *bytes, size_t size),
                     void *ctx)
{
    tl->heard = heard;
    tl->heard_ctx = ctx;
}

/* Where the last `lines` lines of a channel begin among the parts before `end`; of more than
 * TRANSCRIPT_TAIL_MOST bytes, the last ones. */
static size_t tail_begin(const struct transcript *t, unsigned channel, size_t end, size_t lines)
{
    size_t first = end, bytes = 0;
    bool complete = true; /* the text behind is empty, or begins a line */
    for (size_t i = end; i-- > 0;) {
        if (t->part[i].channel != channel || !t->part[i].size)
            continue;
        struct transcript_part part = transcript_get(t, t->first + i);
        bool ends_line = part.bytes[part.size - 1] == '\n';
        bytes += part.size;
        if (((ends_line || complete) && lines-- == 0) || bytes > TRANSCRIPT_TAIL_MOST)
            return first;
        complete = false;
        first = i;
    }
    return first;
}

void timeline_transcript_tail(const struct timeline *tl, unsigned channel, uint64_t to,
                              size_t lines, struct buffer *out)
{
    const struct transcript *t = tl->transcript;
    struct plain_text plain = {.out = out, .line = out->size};
    size_t end = part_at(t, to);
    for (size_t i = tail_begin(t, channel, end, lines); i < end; i++) {
        struct transcript_part part = transcript_get(t, t->first + i);
        for (size_t n = 0; part.channel == channel && n < part.size; n++)
            plain_text_add(&plain, part.bytes[n]);
    }
    if (out->size > plain.line)
        buffer_append_byte(out, '\n');
}
