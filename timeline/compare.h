/* How two positions differ: a movement to the one, to the other, and back to where it began. */
#ifndef TIMELINE_COMPARE_H
#define TIMELINE_COMPARE_H

#include "timeline/timeline.h"

enum {
    COMPARED_REGISTERS = 512,
    COMPARED_RANGES = 256,
    COMPARED_FIELDS = 256,
    COMPARED_BYTES = 16
};

struct compared_register {
    unsigned hart;
    const char *name;
    uint64_t a, b;
};

/* Bytes that differ; a few equal ones in between do not end a range. */
struct compared_range {
    char where[32];   /* empty: RAM; else what a device keeps: a disk, a flash */
    uint64_t address; /* physical, or an offset */
    uint64_t size;
    uint8_t a[COMPARED_BYTES], b[COMPARED_BYTES]; /* the first ones */
};

/* Of devices, the clock, and what the machine keeps besides its harts. */
struct compared_field {
    char name[96];
    char a[32], b[32]; /* as `info device` has them */
};

struct compared_place {
    const char *branch; /* NULL: the one the machine stands on */
    uint64_t position;  /* clamped to its history */
};

struct comparison {
    uint64_t a, b; /* positions */
    struct compared_register reg[COMPARED_REGISTERS];
    struct compared_range range[COMPARED_RANGES];
    struct compared_field field[COMPARED_FIELDS];
    size_t regs, ranges, fields;
    bool truncated; /* there is more than fits */
};

/* Begin. Ends with STOP_DONE where it began, STOP_INTERRUPT there too, without an answer, or
 * STOP_DIVERGED. What the last stop has reported stays reported; a diversion stays. False: there is
 * no such branch. */
bool timeline_compare(struct timeline *tl, const struct compared_place *a,
                      const struct compared_place *b, struct error *err);
/* The answer of the last one, good until the next; NULL: there is none. */
const struct comparison *timeline_comparison(const struct timeline *tl);

#endif
