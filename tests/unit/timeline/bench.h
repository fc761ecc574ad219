/* Guests for the timeline's tests, and the oracle: a trace of the same guest run straight through
 * on a machine of its own, step by step, without any timeline. */
#ifndef TESTS_UNIT_TIMELINE_BENCH_H
#define TESTS_UNIT_TIMELINE_BENCH_H

#include "base/buffer.h"
#include "devices/riscv_virt.h"
#include "timeline/recording.h"

#define GUEST_BASE UINT64_C(0x80000000)
/* What the guests use of RAM, looked at in every digest. */
enum { GUEST_BYTES = 0x13000 };

/* A program of tests/guests/timeline and its parameters. */
struct guest {
    const char *name;
    uint64_t rounds, period, resets, option; /* see guest.h there */
    unsigned harts;                          /* 0: 1 */
    uint64_t quantum;                        /* 0: as the board has it */
};

/* The board in reset, at position 0. Fails the test when the guests are not built. Free with
 * riscv_virt_free. */
struct riscv_virt *guest_new(const struct guest *g);
/* The address of a symbol of the guest. */
uint64_t guest_symbol(const struct guest *g, const char *name);

/* The host's clock as all these tests have it: a function of the position. */
uint64_t bench_clock(const struct machine *m);
/* Of the whole state but RAM behind GUEST_BYTES. */
uint64_t bench_digest(const struct machine *m);
/* Of all RAM. */
uint64_t bench_ram_digest(const struct machine *m);

/* Bytes typed at a position: as many as there is room for. */
struct typed {
    uint64_t position;
    const char *bytes;
};

struct access {
    uint64_t address;
    unsigned size, kinds;
};

struct step {
    uint64_t pc; /* of the hart that makes it */
    uint32_t hart;
    bool interrupt;      /* an interrupt entry */
    bool idle;           /* idle time passes before it */
    size_t first_access; /* up to the next step's */
};

struct trace {
    unsigned harts;
    uint64_t steps;        /* positions are 0 to steps */
    struct step *step;     /* steps + 1, the last only for first_access */
    uint64_t *digest;      /* of each position, its events delivered */
    uint64_t *idle_digest; /* the same where the step is idle, that time passed */
    uint64_t *pc;          /* of hart h at position n: [n * harts + h] */
    struct access *access;
    size_t accesses, access_capacity;
    bool stuck; /* ended in idleness, else by a halt or the limit */
    enum machine_halt halt;
    uint64_t ram_digest; /* at the end */
    struct buffer output;
    struct buffer state; /* machine_save at the end */
    const struct guest *guest;
    const struct typed *typed;
    size_t typed_count;
};

/* Run until the guest halts, can never wake again, or has made `limit` steps. `typed` in order of
 * position, `count` of them; guest and typed outlive the trace. */
void trace_record(struct trace *t, const struct guest *g, const struct typed *typed, size_t count,
                  uint64_t limit);
void trace_free(struct trace *t);

/* A timeline on a fresh board. */
struct bench {
    struct timeline_options options;
    struct recording *recording; /* it was opened from; NULL: none */
    struct riscv_virt *board;
    struct machine *m;
    struct timeline *tl;
    struct buffer output; /* what left */
    uint64_t clock_calls;
};

/* options->host is filled in here; NULL: defaults with warp. */
void bench_init(struct bench *b, const struct guest *g, const struct timeline_options *options);
void bench_fini(struct bench *b);
/* Recordings without images, for tests that know the guest. */
extern const struct recording_content bench_content;
/* A name for a file that is not there; the caller's to remove and to free. */
char *bench_path(void);
/* A timeline from a file; false: it does not open, and *err says why. bench_fini in any case. */
bool bench_open(struct bench *b, const struct guest *g, const struct timeline_options *options,
                const char *path, struct error *err);
/* Another process months later: the timeline goes, and comes again from the file. */
void bench_reopen(struct bench *b, const struct guest *g, const char *path);
/* Make history live up to `limit`, typing on the way; stops early when the guest ends. */
struct stop bench_live(struct bench *b, const struct typed *typed, size_t count, uint64_t limit);
struct stop bench_seek(struct bench *b, uint64_t position);
/* The present state is the trace's there. A live stop in the middle of idle time, or behind it,
 * keeps that time in the log: where the trace is idle its state behind that is right too.
 * bench_check_strictly: only that of a straight run to there. `seed` and `what`, if any, for the
 * message. */
void bench_check(const struct bench *b, const struct trace *t, uint64_t seed, const char *what);
void bench_check_strictly(const struct bench *b, const struct trace *t, uint64_t seed,
                          const char *what);

/* A reproducible stream. */
struct random {
    uint64_t state;
};
uint64_t random_next(struct random *r);
/* 0 to n - 1. */
uint64_t random_below(struct random *r, uint64_t n);
/* `count`, or many more when BACKSTEP_FULL is set. */
uint64_t bench_cases(uint64_t count);

#endif
