/* Replaying the intervals of a recording, several at a time: a checkpoint is all that one needs. */
#ifndef CLI_VERIFY_INTERVALS_H
#define CLI_VERIFY_INTERVALS_H

#include "cli/recorded_run.h"

struct verification;

struct verification_result {
    uint64_t intervals, differ;
    uint64_t steps;    /* replayed */
    uint64_t position; /* where the first difference begins to be possible */
    char text[1024];   /* the first difference, for people */
};

/* Of [from, to], in `jobs` threads, each with its run, which are the caller's: run[0..jobs). */
struct verification *verification_new(struct recorded_run **run, unsigned jobs, uint64_t from,
                                      uint64_t to);
void verification_free(struct verification *v);
/* Intervals there are: more threads are of no use. */
size_t verification_intervals(const struct recording *r, uint64_t from, uint64_t to);
/* Start the threads. */
void verification_start(struct verification *v);
/* Positions done and to do; true when all is over. At any time, from the thread that started. */
bool verification_progress(struct verification *v, uint64_t *done, uint64_t *total);
/* Wait for the end. */
struct verification_result verification_finish(struct verification *v);

#endif
