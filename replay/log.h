/* The event log of a branch: everything from outside, in order, append-only. What goes beyond some
 * MiB is kept in a file. */
#ifndef REPLAY_LOG_H
#define REPLAY_LOG_H

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
/* Append a copy (of at most SPILL_PIECE bytes of data). Positions and vtimes never go down. Returns
 * its index. */
uint64_t log_append(struct log *log, const struct event *event);
/* Events so far: indexes are 0 to count-1. */
uint64_t log_count(const struct log *log);
/* Event `index`; its data stays valid, at its place, until the log is freed. Cost: constant. */
struct event log_get(const struct log *log, uint64_t index);
/* The first index whose event has a position > `position`. Cost: logarithmic.
 *
 * This is not where a player stands that has sought `position`: answers stamped
 * `position` belong to the step that follows. That is player.next. */
uint64_t log_after(const struct log *log, uint64_t position);
/* Host memory, in bytes. Cost: constant. */
size_t log_bytes(const struct log *log);
/* What the events carry, in bytes: what came from outside. */
uint64_t log_data_bytes(const struct log *log);

#endif
