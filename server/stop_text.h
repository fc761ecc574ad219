/* Stops in words, for people. */
#ifndef SERVER_STOP_TEXT_H
#define SERVER_STOP_TEXT_H

#include "base/buffer.h"
#include "timeline/timeline.h"

/* Does this stop need words, because a reply or a prompt does not show what happened? */
bool stop_needs_text(const struct stop *stop);
/* STOP_HALT: what happened and where, without an end of line. */
void stop_append_halt(const struct stop *stop, struct buffer *out);
/* One line with a newline; STOP_DIVERGED may have several. */
void stop_append_text(const struct stop *stop, struct buffer *out);

#endif
