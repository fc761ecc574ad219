/* What would break when a state that one program wrote is loaded by another, as far as their state
 * descriptions tell: the verdicts and the words of the static checker that QEMU ships. */
#ifndef CLI_VMSTATE_CHECK_H
#define CLI_VMSTATE_CHECK_H

#include "base/error.h"

#include <jansson.h>
#include <stdint.h>

/* Gets the report piece by piece, as it is to be shown. */
struct vmstate_report {
    void (*write)(void *ctx, const char *text);
    void *ctx;
};

/* Comparisons of fields, entries and subsections, and each finding counted as a hundred: bounds
 * time and output for dumps that are made to take long. The two largest of QEMU need under 1e5. */
#define VMSTATE_STEPS_MOST UINT64_C(20000000)

/* Compare two dumps of vmstate_parse: `src` is loaded by `dest`. Control bytes in names are
 * reported as \xNN. False: too many steps; what was found until then is reported. */
bool vmstate_check(json_t *src, json_t *dest, const struct vmstate_report *report,
                   uint64_t *findings, struct error *err);

#endif
