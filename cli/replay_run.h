/* A recording that gdb, control clients and a terminal look at: what `backstep replay` and -icount
 * rr=replay have in common. */
#ifndef CLI_REPLAY_RUN_H
#define CLI_REPLAY_RUN_H

#include "cli/options.h"

struct replay_options {
    const char *file;
    const struct run_options *options; /* gdb, lines and control sockets as `run` takes them */
    size_t budget;                     /* memory for checkpoints and log; 0: as recorded */
    bool at_begin;                     /* stand at the beginning, not at the end */
    const char *at;                    /* a position as people write it, NULL: as `at_begin` says */
    bool bookmarked;                   /* `at` can only be a bookmark: -icount rrsnapshot */
    bool prints;     /* the guest's output beyond the end goes to stdout, there is no serial port */
    bool must_agree; /* what `options` say of the machine has to be what was recorded */
    bool plays;      /* run through it to its end, unless options->stopped */
};

/* Until the end; the program's exit status. -1 and *err: it did not begin. */
int replay_run(const struct replay_options *options, struct error *err);

#endif
