/* A toy machine recorded live by a host that behaves at random, and marks of what was there. */
#ifndef TESTS_UNIT_REPLAY_SESSION_H
#define TESTS_UNIT_REPLAY_SESSION_H

#include "replay/recorder.h"
#include "tests/unit/toy_machine.h"

enum { SESSION_MARKS = 400 };

/* The state of seek(position): before any idle time that belongs to the next step. */
struct mark {
    uint64_t position;
    uint64_t next; /* log index */
    uint64_t digest;
    uint8_t *state; /* machine_save, then RAM; NULL but for some marks */
    size_t state_size;
};

struct session {
    struct toy toy;
    struct log *log;
    struct recorder recorder;
    uint64_t random;
    uint64_t host_now;    /* ns */
    struct buffer output; /* what left the machine */
    struct mark mark[SESSION_MARKS];
    size_t marks;
};

void session_init(struct session *s, uint64_t seed);
void session_fini(struct session *s);
/* Make history up to `until`, with input, resets, debugger writes, idle time. */
void session_live(struct session *s, uint64_t until);
/* Of everything, RAM included. */
uint64_t session_digest(const struct toy *toy);
/* Put another toy where the mark was; the mark has a state. */
void session_restore(struct toy *toy, const struct mark *mark);

#endif
