/* A device: fixed-width state described by a field table, and wiring. */
#ifndef MACHINE_DEVICE_H
#define MACHINE_DEVICE_H

#include "base/buffer.h"
#include "base/fields.h"

#include <stddef.h>
#include <stdint.h>

/* All functions get `ctx`, the device's own struct; any may be NULL. */
struct device {
    const char *name;
    const struct fields *fields; /* NULL: no state */
    void *state;                 /* what `fields` describes */
    void *ctx;
    /* Power-on values, and outputs to their idle level. */
    void (*reset)(void *ctx);
    /* Recompute what is derived after the state has been replaced: touches no other device, raises
     * no line, arms no timer. */
    void (*restored)(void *ctx);
    /* Bytes the device takes now on `channel`. Never more than that is pushed. */
    size_t (*room)(const void *ctx, unsigned channel);
    void (*input)(void *ctx, unsigned channel, const uint8_t *bytes, size_t size);
};

#endif
