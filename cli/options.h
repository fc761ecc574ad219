/* The command line of `backstep run`: one table that parsing and help are made from. Options are
 * spelled as QEMU's users know them, with one dash or two. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include "base/buffer.h"
#include "base/error.h"
#include "devices/riscv_virt.h"

enum { OPTIONS_WHERE = 4200 }; /* a path of PATH_MAX and what stands around it */

struct run_options {
    struct riscv_virt_options machine; /* strings are argv's */
    char gdb[OPTIONS_WHERE];           /* as address_parse takes it; empty: none */
    char serial[OPTIONS_WHERE];        /* as server/serial.h takes it; empty: not given */
    bool stopped;                      /* -S: wait for gdb before the first step */
    bool no_shutdown;
    bool warp;              /* -icount sleep=off */
    uint64_t stop_at;       /* POSITION_NONE: no limit */
    uint64_t budget;        /* bytes */
    uint64_t spacing_ns;    /* between checkpoints, host time to replay */
    uint64_t spacing_steps; /* the same in steps, 0: by time */
    bool help;              /* --help was given; nothing else is then checked */
};

/* Fill *options from argv[0..argc), which begins behind the `run`. On error *err names the option
 * and the way out. Opens no file, takes no port. */
bool options_parse(struct run_options *options, int argc, char *const *argv, struct error *err);
/* The text of `backstep run --help`. */
void options_help(struct buffer *out);

#endif
