/* Points: where movements stop, and what is done there instead. They belong to the timeline, never
 * to the machine's state. A condition is run inside the engine at a hit, before its step, in both
 * directions and in queries alike, so that a hit that does not hold costs no round trip. */
#ifndef TIMELINE_POINTS_H
#define TIMELINE_POINTS_H

#include "timeline/timeline.h"

/* Who has set a point. Several may have set the same. */
enum point_owner { OWNER_GDB, OWNER_COMMANDS, OWNER_CONTROL, OWNER_INTERNAL, POINT_OWNERS };

/* What conditions and actions look through: the machine stands before the hit's step. Looks only:
 * timeline_read_memory, cpu_ops.get_register, cpu_ops.translate, machine_peek. */
struct condition {
    /* NULL: it always holds. What cannot be evaluated holds: whoever set it looks for himself. */
    bool (*holds)(void *ctx, const struct timeline *tl, const struct hit *hit);
    void (*free)(void *ctx); /* may be NULL */
    void *ctx;
    const char *text; /* for lists, good until `free`; NULL: it has none */
};

/* Done at a hit whose condition holds, instead of a stop. What it appends is printed: forward in
 * the order it comes, in reverse in that of going back. A movement has the hits it would stop at:
 * of breakpoints not that where it begins, but that where it ends. */
struct point_action {
    void (*run)(void *ctx, const struct timeline *tl, const struct hit *hit, struct buffer *out);
    void (*free)(void *ctx); /* may be NULL */
    void *ctx;
};

struct timeline_point {
    enum point_owner owner;
    unsigned kinds;   /* HIT_EXECUTE; HIT_READ and/or HIT_WRITE; HIT_WRITE | HIT_PHYSICAL */
    uint64_t address; /* virtual, or with HIT_PHYSICAL physical */
    uint64_t size;    /* bytes of a watched range; 0 for HIT_EXECUTE */
    bool in_space;    /* only where the hart's cpu_ops.address_space is `space` */
    uint64_t space;
    bool changes; /* HIT_WRITE: only where the bytes of the range become others; an access whose
                   * bytes are not known counts as one that changes them */
    struct condition condition;
    struct point_action action; /* .run NULL: stop */
    unsigned number;            /* from 1, told by timeline_point_set; kept when it is set again */
};

/* Add it, or replace what is there with the same owner, kinds, address, size and space. The
 * timeline takes over condition and action, and frees them when the point goes. */
void timeline_point_set(struct timeline *tl, const struct timeline_point *point);
/* Remove the one with the same owner, kinds, address, size and space. False: there is none. */
bool timeline_point_unset(struct timeline *tl, const struct timeline_point *key);
void timeline_points_clear_of(struct timeline *tl, enum point_owner owner);
/* In the order of setting; NULL behind the last. */
const struct timeline_point *timeline_point_get(const struct timeline *tl, size_t index);

/* Where actions print; NULL: nowhere. Called from timeline_advance. */
void timeline_print_to(struct timeline *tl, void (*print)(void *ctx, const void *text, size_t size),
                       void *ctx);

#endif
