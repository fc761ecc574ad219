/* The event log of a branch: everything from outside, in order, append-only. What goes beyond some
 * MiB is kept in a file. Old events may be forgotten from the front, and events that a recording
 * has are brought into memory when they are looked at. */
#ifndef REPLAY_LOG_H
#define REPLAY_LOG_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/spill.h"
#include "machine/input.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct log;

/* What the log takes for an event beside its data, in bytes, at most. */
enum { LOG_EVENT_BYTES = 40 };

/* `spill` outlives it; NULL: all stays in memory. */
struct log *log_new(struct spill *spill);
void log_free(struct log *log);
/* The log of another future: it begins with the first `count` events (log_first to log_count) of
 * `parent`, which outlives it and may grow and forget. Cost: constant. */
struct log *log_branch(struct spill *spill, const struct log *parent, uint64_t count);
/* The log begins with index `first`: the events before are not known. Of an empty log. */
void log_begin_at(struct log *log, uint64_t first);
/* The first index there is; all functions take indexes from here on. */
uint64_t log_first(const struct log *log);
/* Forget events before index `first` (<= log_count), which is then log_first; their memory goes in
 * pieces of SPILL_PIECE, so some of it a little later. No-op when they are forgotten already. Cost:
 * the events forgotten. */
void log_forget(struct log *log, uint64_t first);

/* Where events come from that are not in memory. */
struct log_source {
    /* Append `count` events from `first` on, in the form of log_pack: always a whole stretch as
     * it was appended. False: they cannot be had, *err says why. Must not look at the log. */
    bool (*fetch)(void *ctx, uint64_t first, uint64_t count, struct buffer *packed,
                  struct error *err);
    void *ctx;
};
void log_set_source(struct log *log, const struct log_source *source);
/* Append `count` events that the source has (set before), stamped with positions from `position` to
 * `last_position`; no less than those of the events before, which is the caller's to have made sure
 * of. They are fetched together, when one of them is looked at first, and stay in memory. What
 * comes has to keep to log_unpack's rules and to these positions: else it counts as not fetched.
 * `count` may be anybody's: what is not there takes no memory. */
void log_append_absent(struct log *log, uint64_t count, uint64_t position, uint64_t last_position);
/* Why the stretch looked at last, of those that could not be fetched, could not: a line; NULL:
 * there was none. Such events are answered with events of kind 0 at their stretch's first position:
 * as far as that all is known, and with them no machine agrees. They are not asked for again. */
const char *log_failure(const struct log *log);

/* Append events [first, end) in the form that files have (documented in docs/recording-format.md),
 * to be read by log_unpack. Stops before it has appended more than `most` bytes (but packs one
 * event at least), and before an event that could not be fetched; returns the index behind the last
 * one packed: `first` itself says that log_failure tells why. */
uint64_t log_pack(const struct log *log, uint64_t first, uint64_t end, size_t most,
                  struct buffer *out);
/* Call `each` for the `count` events packed in bytes[0..size), which may be anybody's; their data
 * is in there. Kinds are known, sizes at most SPILL_PIECE, positions and vtimes at most CLOCK_LAST
 * and never go down; whether a machine takes such an event is the player's to find out. False: they
 * do not follow the format, *err says where, or `each` said so, which then fills *err. Those before
 * have been called for. */
bool log_unpack(const uint8_t *bytes, size_t size, uint64_t count,
                bool (*each)(void *ctx, const struct event *event), void *ctx, struct error *err);

/* Append a copy (of at most SPILL_PIECE bytes of data). Positions never go down, nor do vtimes of
 * the events appended here. Returns its index. */
uint64_t log_append(struct log *log, const struct event *event);
/* The index behind the last event: indexes are log_first to count-1. */
uint64_t log_count(const struct log *log);
/* Event `index`; its data stays valid, at its place, until it is forgotten or the log is freed.
 * Cost: constant; logarithmic in the number of absent stretches there were; a fetch at times. */
struct event log_get(const struct log *log, uint64_t index);
/* The first index whose event has a position > `position`. Cost: logarithmic, and a fetch when
 * `position` lies within an absent stretch.
 *
 * This is not where a player stands that has sought `position`: answers stamped
 * `position` belong to the step that follows. That is player.next. */
uint64_t log_after(const struct log *log, uint64_t position);
/* Host memory, in bytes, without the parent's. Cost: constant. */
size_t log_bytes(const struct log *log);
/* What the events carry, in bytes: what came from outside. Without those that are forgotten or not
 * fetched yet. */
uint64_t log_data_bytes(const struct log *log);

#endif
