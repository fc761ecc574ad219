/* What ends a run by itself: crash triggers. docs/recording.md says what each means.
 *
 * Only what is live is watched. A trigger sets the verdict that a recording keeps and the bookmark
 * `crash`, at the step that is to blame, where a replay may go. */
#ifndef SERVER_CRASH_WATCH_H
#define SERVER_CRASH_WATCH_H

#include "server/crash_text.h"
#include "timeline/timeline.h"

enum { CRASH_SYMBOLS = 16 };

struct crash_symbol {
    const char *name;
    uint64_t address;
};

/* All zero: nothing ends a run. */
struct crash_options {
    bool panic, test_fail, trap_loop;
    struct crash_symbol symbol[CRASH_SYMBOLS];
    unsigned symbols;
    const char *console[CRASH_PATTERNS]; /* regular expressions */
    unsigned consoles;
    uint64_t watchdog; /* steps without a byte printed; 0: not watched */
};

struct crash_watch;

/* The strings outlive it. NULL: one is no regular expression. */
struct crash_watch *crash_watch_new(const struct crash_options *options, struct error *err);
void crash_watch_free(struct crash_watch *w);
/* Once; the timeline outlives the watch, and nobody else listens to it. */
void crash_watch_attach(struct crash_watch *w, struct timeline *timeline);
/* A movement has stopped. True: by a trigger, or a trigger fired where it stopped; the verdict is
 * set. *line says it, in memory of the watch's, until the next one; NULL: the stop's own words do.
 * Of STOP_TRIGGER stop->text says it too. */
bool crash_watch_judge(struct crash_watch *w, struct stop *stop, const char **line);

#endif
