/* What the guest has printed, and when: the output of the byte channels (serial port, consoles,
 * semihosting) of the live run, the newest TRANSCRIPT_MOST bytes of it at least. */
#ifndef TIMELINE_TRANSCRIPT_H
#define TIMELINE_TRANSCRIPT_H

#include "timeline/timeline.h"

enum { TRANSCRIPT_MOST = 4 << 20 };

/* A part ends with its line, or where the guest paused. */
struct transcript_part {
    uint64_t position; /* of the first byte: steps made before the one that printed it */
    unsigned channel;
    const uint8_t *bytes; /* good until the timeline moves */
    size_t size;
};

/* Call `each` for the parts that begin at positions [from, to), in order. `each` returns false to
 * end it. */
void timeline_transcript(const struct timeline *tl, uint64_t from, uint64_t to,
                         bool (*each)(void *ctx, const struct transcript_part *part), void *ctx);
/* Lines may be endless. */
enum { TRANSCRIPT_TAIL_MOST = 1 << 20 };
/* The last `lines` lines (complete or not) of what a channel printed before position `to`, at most
 * TRANSCRIPT_TAIL_MOST bytes, without terminal escapes and other control bytes, appended as text
 * with newlines. */
void timeline_transcript_tail(const struct timeline *tl, unsigned channel, uint64_t to,
                              size_t lines, struct buffer *out);
/* Told of everything a byte channel prints, live, after it is noted; NULL: nobody. It must not call
 * the timeline but for timeline_interrupt, timeline_position and what timeline/triggers.h has. */
void timeline_listen(struct timeline *tl,
                     void (*heard)(void *ctx, unsigned channel, const uint8_t *bytes, size_t size),
                     void *ctx);

/* ---- inside timeline/ ---- */

struct transcript;

struct transcript *transcript_new(void);
/* What was printed before `position`. Cost: its size. */
struct transcript *transcript_copy(const struct transcript *t, uint64_t position);
void transcript_free(struct transcript *t);
size_t transcript_bytes(const struct transcript *t);
void transcript_add(struct transcript *t, uint64_t position, unsigned channel, const uint8_t *bytes,
                    size_t size);
/* What is printed next is a part of its own. */
void transcript_close(struct transcript *t);
/* Parts have numbers from 0 on; the oldest that is kept, and the one behind the last. */
uint64_t transcript_first(const struct transcript *t);
uint64_t transcript_end(const struct transcript *t);
struct transcript_part transcript_get(const struct transcript *t, uint64_t number);
/* Append parts [first, end) as files have them; as many as fit in `most` bytes, at least one.
 * Returns the number behind the last. */
uint64_t transcript_pack(const struct transcript *t, uint64_t first, uint64_t end, size_t most,
                         struct buffer *out);
/* Add `count` parts from a file, but for those behind position `to`. False: they do not follow the
 * format. */
bool transcript_unpack(struct transcript *t, uint64_t count, uint64_t to, const uint8_t *bytes,
                       size_t size);

#endif
