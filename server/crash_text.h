/* What the guest prints, looked through for lines that end a run. Pure: it knows no timeline.
 *
 * A line is what stands before a newline, as a terminal would show it (base/plain_text.h), of each
 * channel by itself; its first CRASH_LINE bytes count. An incomplete line counts once the machine
 * is off. */
#ifndef SERVER_CRASH_TEXT_H
#define SERVER_CRASH_TEXT_H

#include "base/error.h"
#include "machine/input.h"

enum { CRASH_LINE = 4096, CRASH_PATTERNS = 16 };

struct crash_text;

/* panic: look for the panics of known systems. patterns: POSIX extended regular expressions,
 * copied. NULL: one of them is none. */
struct crash_text *crash_text_new(bool panic, const char *const *pattern, unsigned patterns,
                                  struct error *err);
void crash_text_free(struct crash_text *t);

/* Printed by the step at `position`. */
void crash_text_add(struct crash_text *t, unsigned channel, const uint8_t *bytes, size_t size,
                    uint64_t position);
/* Nothing more will be printed. */
void crash_text_end(struct crash_text *t, uint64_t position);

struct crash_match {
    unsigned pattern;  /* index */
    uint64_t position; /* of the step that ended the line */
    const char *line;
};

struct crash_panic {
    uint64_t position; /* of the step that ended the line that says so */
    const char *line;
    uint64_t steps; /* what the system has to say about it is said by then */
    bool over;      /* and this was its last line */
};

/* The first one since the beginning, or since they were forgotten; NULL: none. */
const struct crash_match *crash_text_match(const struct crash_text *t);
const struct crash_panic *crash_text_panic(const struct crash_text *t);
void crash_text_forget(struct crash_text *t);
/* Of the last byte, or 0. */
uint64_t crash_text_printed(const struct crash_text *t);

#endif
